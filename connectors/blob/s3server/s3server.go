// Package s3server starts a real S3 server, versitygw over a temporary folder, for tests.
package s3server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/trailql/trailql/connectors/blob"
)

// The one user of a server, who may do everything.
const (
	AccessKey = "trailql-test"
	SecretKey = "trailql-test-secret"
)

// Server is a running S3 server, which ends with its test.
type Server struct {
	Endpoint string
	Client   *s3.Client // for what a blob.Store cannot do
}

// Start starts a server and puts its credentials into the environment of the test, which thus cannot be parallel to others. Where the
// server cannot be built (its source comes from the module proxy once), the test is skipped, or fails if TRAILQL_S3=required is set.
func Start(t testing.TB) *Server {
	t.Helper()
	binary, err := program()
	if err != nil {
		if os.Getenv("TRAILQL_S3") == "required" {
			t.Fatalf("no S3 server: %v", err)
		}
		t.Skipf("SKIPPED: no S3 server: %v", err)
	}
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": AccessKey, "AWS_SECRET_ACCESS_KEY": SecretKey, "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_REGION": "",
		"AWS_DEFAULT_REGION": "", "AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_S3": "", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	} {
		t.Setenv(name, value)
	}
	dir := t.TempDir()
	s, err := start(t, binary, dir)
	if errors.Is(err, errEnded) { // a file system without extended attributes
		s, err = start(t, binary, dir, "--sidecar", t.TempDir())
	}
	if err != nil {
		t.Fatal(err)
	}
	s.Client = s3.New(s3.Options{
		BaseEndpoint: &s.Endpoint, Region: "us-east-1", UsePathStyle: true, Credentials: credentials.NewStaticCredentialsProvider(AccessKey, SecretKey, ""),
	})
	return s
}

// program builds the server, pinned in tools/go.mod, where it is not built yet, and returns its path.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	mod := filepath.Join(dir, "tools", "go.mod")
	for _, err := os.Stat(mod); err != nil; _, err = os.Stat(mod) {
		if dir == filepath.Dir(dir) {
			return "", errors.New("tools/go.mod is in no folder above")
		}
		dir = filepath.Dir(dir)
		mod = filepath.Join(dir, "tools", "go.mod")
	}
	build := exec.Command("go", "tool", "-modfile="+mod, "-n", "versitygw")
	build.Dir = dir
	var said bytes.Buffer
	build.Stderr = &said
	out, err := build.Output()
	if err != nil {
		return "", fmt.Errorf("go tool -modfile=tools/go.mod versitygw: %w: %s", err, strings.TrimSpace(said.String()))
	}
	return strings.TrimSpace(string(out)), nil
})

var errEnded = errors.New("the S3 server ended")

func start(t testing.TB, binary, dir string, options ...string) (*Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := listener.Addr().String()
	_ = listener.Close()
	args := append([]string{
		"--access", AccessKey, "--secret", SecretKey, "--port", address, "--keep-alive", "--quiet", "posix", "--versioning-dir", t.TempDir(),
	}, options...)
	run := exec.Command(binary, append(args, dir)...)
	var said bytes.Buffer
	run.Stdout, run.Stderr = &said, &said
	if err := run.Start(); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		_ = run.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		_ = run.Process.Kill()
		<-ended
	})
	for begun := time.Now(); ; {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
			return &Server{Endpoint: "http://" + address}, nil
		}
		select {
		case <-ended:
			return nil, fmt.Errorf("%w: %s", errEnded, said.String())
		case <-time.After(5 * time.Millisecond):
		}
		if time.Since(begun) > time.Minute {
			return nil, fmt.Errorf("the S3 server does not answer: %w", err)
		}
	}
}

// Bucket makes a bucket and returns its URL.
func (s *Server) Bucket(t testing.TB, name string) string {
	t.Helper()
	if _, err := s.Client.CreateBucket(context.Background(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatal(err)
	}
	return "s3://" + name
}

// Versioned makes a bucket that keeps all versions of its objects, and returns its URL.
func (s *Server) Versioned(t testing.TB, name string) string {
	t.Helper()
	url := s.Bucket(t, name)
	_, err := s.Client.PutBucketVersioning(context.Background(), &s3.PutBucketVersioningInput{
		Bucket: &name, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	if err != nil {
		t.Fatal(err)
	}
	return url
}

// Access reaches the server, and does not wait before it asks again.
func (s *Server) Access() blob.Access {
	return blob.Access{Endpoint: s.Endpoint, PathStyle: true, Delay: func(int) time.Duration { return 0 }}
}

// Open opens a store on the server.
func (s *Server) Open(t testing.TB, url string, access blob.Access) blob.Store {
	t.Helper()
	store, err := blob.Open(context.Background(), url, access)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// Put makes an object with metadata, as others do.
func (s *Server) Put(t testing.TB, bucket, key string, data []byte, metadata map[string]string) {
	t.Helper()
	_, err := s.Client.PutObject(context.Background(), &s3.PutObjectInput{
		Bucket: &bucket, Key: &key, Body: bytes.NewReader(data), ContentLength: aws.Int64(int64(len(data))), Metadata: metadata,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Requests counts requests on their way: put it into an Access as Transport.
type Requests struct {
	mu   sync.Mutex
	seen []string
}

// RoundTrip notes the method and the path with the query, and passes the request on.
func (r *Requests) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	r.seen = append(r.seen, req.Method+" "+req.URL.RequestURI()+" "+req.Header.Get("Range"))
	r.mu.Unlock()
	return http.DefaultTransport.RoundTrip(req)
}

// Take returns the requests since the last call, in order, each as "GET /bucket/key?query bytes=0-9".
func (r *Requests) Take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := r.seen
	r.seen = nil
	return seen
}
