package s3server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Faults is the way to a server on which requests and answers go wrong, drawn from a seed: put it into an Access as Transport.
type Faults struct {
	Rate  float64 // of requests that meet one; all do during an outage, one in 400 begins it
	Stale bool    // listings may be those of a while ago, as some stores' are

	mu     sync.Mutex
	rand   *rand.Rand
	outage int               // requests that are still in it
	asked  int               // requests in all
	met    map[string]int    // by kind of fault
	lists  map[string][]byte // answers given before
}

// NewFaults is a way on which one request in 1/rate goes wrong.
func NewFaults(seed uint64, rate float64) *Faults {
	return &Faults{Rate: rate, rand: rand.New(rand.NewPCG(seed, 2)), met: map[string]int{}, lists: map[string][]byte{}}
}

// Met counts the faults so far.
func (f *Faults) Met() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, k := range f.met {
		n += k
	}
	return n
}

// Kinds are the faults so far by kind.
func (f *Faults) Kinds() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.met)
}

// Asked is the number of requests so far.
func (f *Faults) Asked() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

// What may happen to each request, to one that is read, to one that lists, to one that writes, and to one that is conditional.
var (
	always      = []string{"500", "503", "reset", "lost answer", "silence", "duplicate"}
	reading     = []string{"short body", "early end", "broken body", "stalled body", "slow body"}
	ranged      = []string{"wrong range", "all of it"}
	listing     = []string{"cut XML", "stale list"}
	conditional = []string{"409"}
)

// pick draws the fault of a request, "" for none.
func (f *Faults) pick(req *http.Request) (kind string, at float64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	at = f.rand.Float64()
	if f.outage == 0 && f.rand.IntN(400) == 0 {
		f.outage = 1 + f.rand.IntN(40)
	}
	if f.outage > 0 {
		f.outage--
		kind = []string{"503", "reset", "403"}[f.rand.IntN(3)]
	} else if f.rand.Float64() >= f.Rate {
		return "", 0
	} else {
		kinds := slices.Clone(always)
		list := req.Method == http.MethodGet && strings.Contains(req.URL.RawQuery, "list-type=2")
		switch {
		case list:
			kinds = append(kinds, listing...)
		case req.Method == http.MethodGet:
			kinds = append(kinds, reading...)
		case req.Header.Get("If-None-Match") != "":
			kinds = append(kinds, conditional...)
		}
		if req.Header.Get("Range") != "" {
			kinds = append(kinds, ranged...)
		}
		kind = kinds[f.rand.IntN(len(kinds))]
		if kind == "stale list" && (!f.Stale || f.lists[req.URL.RequestURI()] == nil) {
			kind = "503"
		}
	}
	f.met[kind]++
	return kind, at
}

var errReset = errors.New("read: connection reset by peer")

// RoundTrip passes a request on, or breaks it.
func (f *Faults) RoundTrip(req *http.Request) (*http.Response, error) {
	kind, at := f.pick(req)
	var body []byte // to send it twice
	if req.Body != nil && req.Body != http.NoBody {
		var err error
		body, err = io.ReadAll(req.Body)
		_ = req.Body.Close()
		if err != nil {
			return nil, err
		}
		req = req.Clone(req.Context())
	}
	pass := func() (*http.Response, error) {
		if body != nil {
			req.Body = io.NopCloser(bytes.NewReader(body))
		}
		return http.DefaultTransport.RoundTrip(req)
	}
	switch kind {
	case "500":
		return answer(req, 500, "InternalError"), nil
	case "503":
		return answer(req, 503, "SlowDown"), nil
	case "403":
		return answer(req, 403, "AccessDenied"), nil
	case "409":
		return answer(req, 409, "ConditionalRequestConflict"), nil
	case "reset":
		return nil, errReset
	case "silence":
		<-req.Context().Done()
		return nil, req.Context().Err()
	case "duplicate":
		if first, err := pass(); err == nil {
			_, _ = io.Copy(io.Discard, first.Body)
			_ = first.Body.Close()
		}
	case "all of it":
		req = req.Clone(req.Context())
		req.Header.Del("Range") // which is signed: the store refuses, or a careless one sends the whole object
	case "stale list":
		f.mu.Lock()
		old := f.lists[req.URL.RequestURI()]
		f.mu.Unlock()
		return &http.Response{
			StatusCode: 200, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
			Header: http.Header{"Content-Type": {"application/xml"}}, Body: io.NopCloser(bytes.NewReader(old)), ContentLength: int64(len(old)),
		}, nil
	}
	resp, err := pass()
	if err != nil {
		return nil, err
	}
	if kind == "lost answer" {
		_ = resp.Body.Close()
		return nil, errReset
	}
	if resp.StatusCode >= 300 || req.Method != http.MethodGet {
		return resp, nil
	}
	if strings.Contains(req.URL.RawQuery, "list-type=2") {
		text, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			return nil, err
		}
		f.mu.Lock()
		f.lists[req.URL.RequestURI()] = text
		f.mu.Unlock()
		if kind == "cut XML" {
			text = text[:int(at*float64(len(text)))]
		}
		resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
		resp.Header.Set("Content-Length", fmt.Sprint(len(text)))
		return resp, nil
	}
	part := int64(at * float64(max(resp.ContentLength, 1)))
	switch kind {
	case "short body":
		resp.Body = &cut{resp.Body, part, io.ErrUnexpectedEOF}
	case "early end":
		resp.Body = &cut{resp.Body, part, io.EOF}
	case "broken body":
		resp.Body = &cut{resp.Body, part, errReset}
	case "stalled body":
		resp.Body = &stalled{cut{resp.Body, part, nil}, req}
	case "slow body":
		resp.Body = &slow{resp.Body}
	case "wrong range":
		resp.Header.Set("Content-Range", "bytes 1-4/10")
	}
	return resp, nil
}

func answer(req *http.Request, status int, code string) *http.Response {
	text := ""
	if req.Method != http.MethodHead {
		text = "<Error><Code>" + code + "</Code><Message>as the test has it</Message></Error>"
	}
	return &http.Response{
		StatusCode: status, Status: fmt.Sprint(status, " ", code), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
		Header: http.Header{"Content-Type": {"application/xml"}}, Body: io.NopCloser(strings.NewReader(text)), ContentLength: int64(len(text)),
	}
}

// cut ends a body after so many bytes.
type cut struct {
	io.ReadCloser
	left int64
	with error
}

func (c *cut) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, c.with
	}
	n, err := c.ReadCloser.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

// stalled is silent after so many bytes, until the request is given up.
type stalled struct {
	cut
	req *http.Request
}

func (s *stalled) Read(p []byte) (int, error) {
	if s.left == 0 {
		<-s.req.Context().Done()
		return 0, s.req.Context().Err()
	}
	return s.cut.Read(p)
}

// slow gives a byte at a time.
type slow struct{ io.ReadCloser }

func (s *slow) Read(p []byte) (int, error) { return s.ReadCloser.Read(p[:min(1, len(p))]) }
