package blob

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
)

const (
	// attempts bounds how often a request is made, connections how many are made at a time.
	attempts    = 10
	connections = 256

	firstDelay = 200 * time.Millisecond
	maxDelay   = 20 * time.Second // 65 s in all between the attempts at most, half of it mostly

	defaultStall = 30 * time.Second
)

// delay is how long to wait before attempt n+1: any time up to a bound that doubles, so that many who were told to slow down do not come
// back together.
func (a Access) delay(n int) time.Duration {
	if a.Delay != nil {
		return a.Delay(n)
	}
	bound := min(firstDelay<<min(n-1, 20), maxDelay)
	var b [8]byte
	rand.Read(b[:]) // never fails
	return time.Duration(binary.LittleEndian.Uint64(b[:]) % uint64(bound))
}

// retryer asks again when the store is busy or failed, when the connection broke or stalled, and when an answer was cut off.
func (a Access) retryer(attempts int) aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = attempts
		o.RateLimiter = ratelimit.None // the delays are bound enough
		o.Backoff = retry.BackoffDelayerFunc(func(attempt int, _ error) (time.Duration, error) { return a.delay(attempt), nil })
		o.Retryables = append(o.Retryables, retry.IsErrorRetryableFunc(func(err error) aws.Ternary {
			var cut *smithy.DeserializationError
			var halved *xml.SyntaxError
			switch {
			case errors.Is(err, errStalled), errors.As(err, &cut), errors.As(err, &halved), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
				return aws.TrueTernary
			case code(err) == "ConditionalRequestConflict", code(err) == "OperationAborted":
				return aws.TrueTernary
			}
			return aws.UnknownTernary
		}))
	})
}

// reach makes the client for a bucket and makes sure that the bucket is there.
func reach(ctx context.Context, bucket string, a Access) (*s3.Client, error) {
	if a.Endpoint != "" {
		if u, err := url.Parse(a.Endpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, fmt.Errorf("endpoint %q: write it like https://s3.example.com", a.Endpoint)
		}
	}
	load := []func(*config.LoadOptions) error{
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
			t.MaxConnsPerHost, t.MaxIdleConnsPerHost, t.MaxIdleConns = connections, connections, connections
			t.DisableCompression = true // objects are read as they are stored
		})),
		config.WithRetryer(func() aws.Retryer { return a.retryer(attempts) }),
	}
	if a.Profile != "" {
		load = append(load, config.WithSharedConfigProfile(a.Profile))
	}
	if a.Region != "" {
		load = append(load, config.WithRegion(a.Region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, fmt.Errorf("AWS configuration: %w", err)
	}
	transport := a.Transport
	if c, ok := cfg.HTTPClient.(*awshttp.BuildableClient); ok && transport == nil {
		transport = c.GetTransport() // with what the configuration says, such as a bundle of certificates
	}
	cfg.HTTPClient = &http.Client{
		Transport:     &progressing{next: transport, stall: a.stall()},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	cfg.Logger = logging.Nop{} // what is wrong comes as an error
	if cfg.Region == "" {
		cfg.Region = "us-east-1"
	}
	if a.Role != "" {
		cfg.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), a.Role, func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName = "trailql"
		}))
	}
	client := func(region string) *s3.Client {
		return s3.NewFromConfig(cfg, func(o *s3.Options) {
			o.Region = region
			if a.Endpoint != "" {
				o.BaseEndpoint = &a.Endpoint
			}
			o.UsePathStyle = a.PathStyle || o.BaseEndpoint != nil && bare(*o.BaseEndpoint)
			if o.BaseEndpoint != nil { // many look-alikes do not know the checksums that Amazon's defaults ask for
				o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
				o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
			}
		})
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return nil, &credentialsError{a.Profile, a.Role, err}
	}
	c := client(cfg.Region)
	head, err := c.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &bucket}, func(o *s3.Options) { o.Retryer = a.retryer(3) })
	region := ""
	if err == nil {
		region = aws.ToString(head.BucketRegion)
	} else {
		var answer *awshttp.ResponseError
		if !errors.As(err, &answer) {
			return nil, explained(err) // nobody answered
		}
		if answer.Response != nil {
			region = answer.Response.Header.Get("X-Amz-Bucket-Region")
		}
		if answer.HTTPStatusCode() == http.StatusNotFound {
			return nil, errors.New("there is no such bucket; look at its name, and at --endpoint-url if it is not one of Amazon's")
		}
		// Whoever may read what is below a prefix may not be allowed to ask for the bucket.
	}
	if region != "" && region != cfg.Region && a.Region == "" && a.Endpoint == "" {
		c = client(region)
	}
	return c, nil
}

// bare reports that an endpoint's host is an address or a name without a domain, before which no bucket's name can stand.
func bare(endpoint string) bool {
	u, err := url.Parse(endpoint)
	return err == nil && (net.ParseIP(u.Hostname()) != nil || !strings.Contains(u.Hostname(), "."))
}

func (a Access) stall() time.Duration {
	if a.Stall > 0 {
		return a.Stall
	}
	return defaultStall
}

var errStalled = errors.New("the connection made no progress for some time")

// progressing ends requests, from the connection to the last byte of the answer, when they make no progress.
type progressing struct {
	next  http.RoundTripper
	stall time.Duration
}

func (p *progressing) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	w := &watch{ctx: ctx, cancel: cancel, stall: p.stall, timer: time.AfterFunc(p.stall, func() { cancel(errStalled) })}
	req = req.Clone(ctx)
	if req.Body != nil && req.Body != http.NoBody {
		req.Body = &watched{req.Body, w, false}
	}
	resp, err := p.next.RoundTrip(req)
	if err != nil {
		err = w.why(err)
		w.end()
		return nil, err
	}
	w.timer.Reset(p.stall)
	resp.Body = &watched{resp.Body, w, true}
	return resp, nil
}

type watch struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	stall  time.Duration
	timer  *time.Timer
}

func (w *watch) end() {
	w.timer.Stop()
	w.cancel(nil)
}

// why says that a request was given up, rather than that its context ended.
func (w *watch) why(err error) error {
	if errors.Is(context.Cause(w.ctx), errStalled) {
		return errStalled
	}
	return err
}

// watched is a body whose reads are progress.
type watched struct {
	io.ReadCloser
	w    *watch
	last bool // the request is over with it
}

func (b *watched) Read(p []byte) (int, error) {
	b.w.timer.Reset(b.w.stall)
	n, err := b.ReadCloser.Read(p)
	if !b.last {
		return n, err
	}
	b.w.timer.Stop() // nobody waits for the store until the next read
	if err != nil && !errors.Is(err, io.EOF) {
		err = b.w.why(err)
	}
	return n, err
}

func (b *watched) Close() error {
	if b.last {
		defer b.w.end()
	}
	return b.ReadCloser.Close()
}
