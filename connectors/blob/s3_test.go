package blob_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/blob/s3server"
)

// faulty answers a request itself where it wants to; otherwise the server does.
type faulty func(req *http.Request, pass func() (*http.Response, error)) (*http.Response, error)

func (f faulty) RoundTrip(req *http.Request) (*http.Response, error) {
	return f(req, func() (*http.Response, error) { return http.DefaultTransport.RoundTrip(req) })
}

// says makes an answer with an error of S3's.
func says(req *http.Request, status int, code, message string) *http.Response {
	body := ""
	if req.Method != "HEAD" && code != "" {
		body = fmt.Sprintf("<Error><Code>%s</Code><Message>%s</Message></Error>", code, message)
	}
	if req.Body != nil {
		io.Copy(io.Discard, req.Body)
		req.Body.Close()
	}
	return &http.Response{
		StatusCode: status, Status: fmt.Sprint(status, " ", code), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
		Header: http.Header{"Content-Type": {"application/xml"}}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
}

// everySecond breaks each request that is of a new kind once or twice in the given way, and passes it the next time.
func everySecond(times int, fault faulty) faulty {
	var mu sync.Mutex
	broken := map[string]int{}
	return func(req *http.Request, pass func() (*http.Response, error)) (*http.Response, error) {
		key := req.Method + req.URL.RequestURI()
		mu.Lock()
		broken[key]++
		n := broken[key]
		mu.Unlock()
		if n%(times+1) == 0 {
			return pass()
		}
		return fault(req, pass)
	}
}

// cutBody ends a body before its end.
type cutBody struct {
	io.ReadCloser
	left int
	with error
}

func (c *cutBody) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, c.with
	}
	n, err := c.ReadCloser.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

// stalledBody gives nothing until the request is given up.
type stalledBody struct {
	io.ReadCloser
	ctx context.Context
}

func (s stalledBody) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

// What breaks on the way is made good, and nothing is read wrongly.
func TestFaultsOnTheWay(t *testing.T) {
	server := s3server.Start(t)
	url := server.Bucket(t, "faults")
	answer := func(status int, code string) faulty {
		return func(req *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
			return says(req, status, code, "as the test has it"), nil
		}
	}
	body := func(change func(req *http.Request, resp *http.Response)) faulty {
		return func(req *http.Request, pass func() (*http.Response, error)) (*http.Response, error) {
			resp, err := pass()
			if err == nil && req.Method == "GET" && resp.StatusCode < 300 {
				change(req, resp)
			}
			return resp, err
		}
	}
	for name, fault := range map[string]faulty{
		"slow down":      answer(503, "SlowDown"),
		"internal error": answer(500, "InternalError"),
		"no words":       answer(502, ""),
		"a busy log": func(req *http.Request, pass func() (*http.Response, error)) (*http.Response, error) {
			if req.Method != "PUT" {
				return pass()
			}
			return says(req, 409, "ConditionalRequestConflict", ""), nil
		},
		"nothing": func(_ *http.Request, pass func() (*http.Response, error)) (*http.Response, error) { return pass() },
		"a reset": func(*http.Request, func() (*http.Response, error)) (*http.Response, error) {
			return nil, errors.New("read: connection reset by peer")
		},
		"silence": func(req *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		},
		"a short body": body(func(_ *http.Request, r *http.Response) { r.Body = &cutBody{r.Body, 3, io.ErrUnexpectedEOF} }),
		"an early end": body(func(_ *http.Request, r *http.Response) { r.Body = &cutBody{r.Body, 3, io.EOF} }),
		"a reset in a body": body(func(_ *http.Request, r *http.Response) {
			r.Body = &cutBody{r.Body, 5, errors.New("connection reset by peer")}
		}),
		"a stalled body": body(func(req *http.Request, r *http.Response) { r.Body = stalledBody{r.Body, req.Context()} }),
		"a wrong range": body(func(_ *http.Request, r *http.Response) {
			if r.Header.Get("Content-Range") != "" {
				r.Header.Set("Content-Range", "bytes 1-4/10")
			}
		}),
		"a lost answer": func(req *http.Request, pass func() (*http.Response, error)) (*http.Response, error) {
			resp, err := pass()
			if err == nil {
				resp.Body.Close()
			}
			return nil, errors.Join(errors.New("read: connection reset by peer"), err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			access := server.Access()
			access.Transport = everySecond(2, fault)
			waits := name == "silence" || name == "a stalled body"
			if waits { // long enough for a busy machine to answer in one of ten attempts
				access.Stall = 300 * time.Millisecond
				access.Transport = everySecond(1, fault)
			}
			s := server.Open(t, url+"/"+strings.ReplaceAll(name, " ", "-"), access)
			if err := s.PutIfAbsent(ctx, "log/0", []byte("0123456789")); err != nil {
				t.Fatalf("PutIfAbsent: %v", err)
			}
			if err := s.PutIfAbsent(ctx, "log/0", []byte("0123456789")); !errors.Is(err, blob.ErrExists) {
				t.Errorf("PutIfAbsent again: %v", err)
			}
			put(t, s, "x", "abcdefghij")
			if got := names(t, s, "", ""); !slices.Equal(got, []string{"log/0", "x"}) {
				t.Errorf("List: %q", got)
			}
			if got, err := s.ReadAll(ctx, "log/0"); string(got) != "0123456789" || err != nil {
				t.Errorf("ReadAll: %q, %v", got, err)
			}
			r, err := s.Get(ctx, listed(t, s, "x"))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); string(got) != "abcdefghij" || err != nil {
				t.Errorf("Get: %q, %v", got, err)
			}
			r.Close()
			o, err := s.Open(ctx, "x")
			if err != nil {
				t.Fatal(err)
			}
			b := make([]byte, 6)
			if n, err := o.ReadAt(b, 2); n != 6 || err != nil || string(b) != "cdefgh" {
				t.Errorf("ReadAt: %q, %v", b[:n], err)
			}
			if waits {
				return
			}
			large := bytes.Repeat([]byte("0123456789abcdef"), 9<<20/16)
			put(t, s, "large", string(large))
			if got, err := s.ReadAll(ctx, "large"); !bytes.Equal(got, large) || err != nil {
				t.Errorf("an upload in parts: %d bytes, %v", len(got), err)
			}
			if err := s.Delete(ctx, "x"); err != nil {
				t.Error(err)
			}
		})
	}
}

// A store that does not get better is given up after a bounded number of attempts, and the error says what is the matter.
func TestFaultsThatLast(t *testing.T) {
	server := s3server.Start(t)
	url := server.Bucket(t, "lasting")
	put(t, server.Open(t, url, server.Access()), "x", "0123456789")
	for name, c := range map[string]struct {
		status  int
		code    string
		message string
		is      error
		says    string
		asked   int64 // by ReadAll
	}{
		"slow down":      {503, "SlowDown", "Please reduce your request rate.", nil, "too busy", 10},
		"access denied":  {403, "AccessDenied", "Access Denied", fs.ErrPermission, "s3:GetObject", 1},
		"requester pays": {403, "AccessDenied", "Access Denied", fs.ErrPermission, "--requester-pays", 1},
		"a KMS key of others": {403, "AccessDenied", "User: arn:aws:iam::111122223333:user/a is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:eu-west-1:111122223333:key/1",
			fs.ErrPermission, "kms:Decrypt on the key", 1},
		"a disabled KMS key": {400, "KMS.DisabledException", "the key is disabled", fs.ErrPermission, "KMS key", 1},
		"an archived object": {403, "InvalidObjectState", "The operation is not valid for the object's storage class", fs.ErrPermission, "Glacier", 1},
		"an expired token":   {400, "ExpiredToken", "The provided token has expired.", fs.ErrPermission, "sign in again", 1},
		"another region":     {301, "PermanentRedirect", "The bucket must be addressed using the specified endpoint", nil, "another region", 1},
		"a bucket that went": {404, "NoSuchBucket", "The specified bucket does not exist", nil, "no such bucket", 1},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int64
			access := server.Access()
			access.Transport = faulty(func(req *http.Request, pass func() (*http.Response, error)) (*http.Response, error) {
				if strings.HasSuffix(req.URL.Path, "/lasting") && req.Method == "HEAD" {
					return pass()
				}
				asked.Add(1)
				return says(req, c.status, c.code, c.message), nil
			})
			s := server.Open(t, url, access)
			_, read := s.ReadAll(ctx, "x")
			if n := asked.Load(); n != c.asked {
				t.Errorf("asked %d times, want %d", n, c.asked)
			}
			list := s.List(ctx, "", "", func(blob.Info) error { return nil })
			_, get := s.Get(ctx, blob.Info{Name: "x", Size: 10, ETag: "e"})
			w, _ := s.Create(ctx, "y")
			for what, err := range map[string]error{"ReadAll": read, "List": list, "Get": get, "PutIfAbsent": s.PutIfAbsent(ctx, "x", nil), "Create": w.Close()} {
				if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, blob.ErrExists) || c.is != nil && !errors.Is(err, c.is) ||
					!strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), s.URL()) {
					t.Errorf("%s: %v", what, err)
				}
			}
			if _, err := s.Stat(ctx, "x"); err == nil || c.status == 403 && errors.Is(err, fs.ErrNotExist) {
				t.Errorf("Stat: %v", err)
			}
		})
	}
}

// Objects of CloudTrail say that they are encoded with gzip: they are read as they are stored. What others said of them can be read.
func TestMetadataAndVersions(t *testing.T) {
	server := s3server.Start(t)
	url := server.Versioned(t, "trail")
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	io.WriteString(z, `{"Records":[]}`)
	z.Close()
	_, err := server.Client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String("trail"), Key: aws.String("AWSLogs/x.json.gz"), Body: bytes.NewReader(zipped.Bytes()), ContentEncoding: aws.String("gzip"),
		Metadata: map[string]string{"signature": "abc", "Signature-Algorithm": "SHA256withRSA"},
	})
	if err != nil {
		t.Fatal(err)
	}
	server.Put(t, "trail", "AWSLogs/", nil, nil) // as consoles make folders
	s := server.Open(t, url+"/AWSLogs", server.Access())
	if got := names(t, s, "", ""); !slices.Equal(got, []string{"x.json.gz"}) {
		t.Errorf("List: %q", got)
	}
	in, err := s.Stat(ctx, "x.json.gz")
	if err != nil || !maps.Equal(in.Metadata, map[string]string{"signature": "abc", "signature-algorithm": "SHA256withRSA"}) || in.Version == "" {
		t.Errorf("Stat: %+v, %v", in, err)
	}
	r, err := s.Get(ctx, listed(t, s, "x.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if v := blob.ObjectVersion(r); v != in.Version {
		t.Errorf("Get reads version %q, Stat says %q", v, in.Version)
	}
	if got, err := io.ReadAll(r); !bytes.Equal(got, zipped.Bytes()) || err != nil {
		t.Errorf("Get: %q, %v", got, err)
	}
}

// What requests say of keys, payers and regions.
func TestHeaders(t *testing.T) {
	server := s3server.Start(t)
	url := server.Bucket(t, "keys")
	var mu sync.Mutex
	missing := map[string]bool{}
	access := server.Access()
	access.KMSKey, access.RequesterPays = "alias/lake", true
	access.Transport = faulty(func(req *http.Request, pass func() (*http.Response, error)) (*http.Response, error) {
		mu.Lock()
		defer mu.Unlock()
		makes := req.Method == "PUT" && req.URL.Query().Get("partNumber") == "" || req.Method == "POST" && req.URL.Query().Has("uploads")
		if makes && (req.Header.Get("X-Amz-Server-Side-Encryption") != "aws:kms" || req.Header.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id") != "alias/lake") {
			missing["the key of "+req.Method] = true
		}
		if req.Header.Get("X-Amz-Request-Payer") != "requester" && req.URL.Path != "/keys" {
			missing["the payer of "+req.Method] = true
		}
		for name := range req.Header {
			if strings.HasPrefix(name, "X-Amz-Server-Side") {
				req.Header.Del(name) // which this server does not know; it is signed, so the request is answered here
				return says(req, 200, "", ""), nil
			}
		}
		return pass()
	})
	s := server.Open(t, url, access)
	s.PutIfAbsent(ctx, "a", []byte("x"))
	if w, err := s.Create(ctx, "b"); err == nil {
		w.Write(make([]byte, 9<<20))
		w.Close()
	}
	s.Stat(ctx, "a")
	s.ReadAll(ctx, "a")
	s.List(ctx, "", "", func(blob.Info) error { return nil })
	s.Delete(ctx, "a")
	for what := range missing {
		t.Errorf("%s is missing", what)
	}
}

// A role is assumed with the credentials at hand, and its own are used then.
func TestAssumedRole(t *testing.T) {
	server := s3server.Start(t)
	url := server.Bucket(t, "roles")
	var asked string
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		asked = r.Form.Get("RoleArn")
		if strings.HasSuffix(asked, "/not-mine") {
			w.WriteHeader(403)
			io.WriteString(w, `<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>not authorized to perform: sts:AssumeRole</Message></Error></ErrorResponse>`)
			return
		}
		fmt.Fprintf(w, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><AssumedRoleUser><Arn>a</Arn><AssumedRoleId>i</AssumedRoleId></AssumedRoleUser>
<Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken></SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
			s3server.AccessKey, s3server.SecretKey, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	}))
	defer sts.Close()
	t.Setenv("AWS_ENDPOINT_URL_STS", sts.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "someone")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "else")
	access := server.Access()
	access.Role = "arn:aws:iam::111122223333:role/reader"
	s := server.Open(t, url, access)
	put(t, s, "x", "y")
	if asked != access.Role {
		t.Errorf("the role asked for is %q", asked)
	}
	access.Role = "arn:aws:iam::111122223333:role/not-mine"
	if _, err := blob.Open(ctx, url, access); err == nil || !strings.Contains(err.Error(), "sts:AssumeRole") || !strings.Contains(err.Error(), "trust policy") {
		t.Errorf("a role of others: %v", err)
	}
}

// A bucket's region is asked for where none is given.
func TestRegionIsFound(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "a")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "b")
	t.Setenv("AWS_REGION", "us-west-2")
	var hosts []string
	access := blob.Access{Transport: faulty(func(req *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
		hosts = append(hosts, req.URL.Host)
		r := says(req, 301, "PermanentRedirect", "")
		if strings.Contains(req.URL.Host, "eu-north-1") {
			r = says(req, 404, "NoSuchKey", "")
		}
		r.Header.Set("X-Amz-Bucket-Region", "eu-north-1")
		return r, nil
	})}
	s, err := blob.Open(ctx, "s3://org-trail/AWSLogs", access)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.ReadAll(ctx, "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if want := []string{"org-trail.s3.us-west-2.amazonaws.com", "org-trail.s3.eu-north-1.amazonaws.com"}; !slices.Equal(hosts, want) {
		t.Errorf("asked %q, want %q", hosts, want)
	}
}

// A store that ignores the condition of a put is found out.
func TestProbe(t *testing.T) {
	server := s3server.Start(t)
	url := server.Bucket(t, "probe")
	if err := blob.Probe(ctx, server.Open(t, url, server.Access()), "probe"); err != nil {
		t.Error(err)
	}
	careless := server.Access()
	careless.Transport = faulty(func(req *http.Request, pass func() (*http.Response, error)) (*http.Response, error) {
		if req.Method == "PUT" {
			return says(req, 200, "", ""), nil
		}
		return pass()
	})
	if err := blob.Probe(ctx, server.Open(t, url, careless), "probe"); !errors.Is(err, blob.ErrNotExclusive) {
		t.Errorf("a store that takes each put: %v", err)
	}
	if got := names(t, server.Open(t, url, server.Access()), "", ""); got != nil {
		t.Errorf("left behind: %q", got)
	}
}

// Uploads that are given up leave no parts, which would be paid for.
func TestAbortLeavesNoParts(t *testing.T) {
	server := s3server.Start(t)
	url := server.Bucket(t, "parts")
	uploads := func() int {
		out, err := server.Client.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: aws.String("parts")})
		if err != nil {
			t.Fatal(err)
		}
		return len(out.Uploads)
	}
	s := server.Open(t, url, server.Access())
	ended, cancel := context.WithCancel(ctx)
	defer cancel()
	for name, with := range map[string]context.Context{"aborted": ctx, "cancelled": ended} {
		w, err := s.Create(with, name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, 20<<20)); err != nil {
			t.Fatal(err)
		}
		if uploads() == 0 {
			t.Error("there is no upload to abort")
		}
		if name == "cancelled" {
			cancel()
			if err := w.Close(); err == nil {
				t.Error("Close after the context ended passed")
			}
		} else if err := w.Abort(); err != nil {
			t.Error(err)
		}
		if n := uploads(); n != 0 {
			t.Errorf("%s: %d uploads left", name, n)
		}
	}
}
