package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/trailql/trailql/connectors/rest"
	"github.com/trailql/trailql/engine/service"
)

// served is "trailql serve" in a process of its own, and what is needed to ask it.
type served struct {
	t          *testing.T
	process    *exec.Cmd
	url, token string
	errs       chan string // all that it writes, at its end
	curlArgs   []string
}

// serve starts the program and waits until it says where it is.
func serve(t *testing.T, lake, state string, args ...string) *served {
	t.Helper()
	s := &served{t: t, errs: make(chan string, 1)}
	s.process = command(t, append([]string{"serve", "--lake", lake, "--state", state, "--listen", "127.0.0.1:0"}, args...)...)
	out, err := s.process.StderrPipe()
	if err == nil {
		err = s.process.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	greeted := make(chan []string, 1)
	go func() {
		var all strings.Builder
		greeting := regexp.MustCompile(`at (https?://\S+); the token is in (\S+)`)
		for in := bufio.NewScanner(out); in.Scan(); {
			all.WriteString(in.Text() + "\n")
			if m := greeting.FindStringSubmatch(in.Text()); m != nil {
				greeted <- m
			}
		}
		close(greeted)
		s.errs <- all.String()
	}()
	m, ok := <-greeted
	if !ok {
		t.Fatalf("it does not serve: %s", <-s.errs)
	}
	token, err := os.ReadFile(m[2])
	if err != nil {
		t.Fatal(err)
	}
	s.url, s.token = m[1], strings.TrimSpace(string(token))
	return s
}

// stop sends a SIGTERM and waits for the end.
func (s *served) stop() (code int, errs string) {
	s.t.Helper()
	if err := s.process.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	errs = <-s.errs
	s.process.Wait()
	return s.process.ProcessState.ExitCode(), errs
}

func needCurl(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed: the endpoint is tested with the Go client only")
	}
}

// curl asks with curl; path begins with a slash.
func (s *served) curl(path string, args ...string) (out string, err error) {
	s.t.Helper()
	for _, header := range []string{"Authorization: Bearer " + s.token, "Content-Type: application/json"} {
		name, _, _ := strings.Cut(header, ":")
		if !slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, name) }) {
			args = append(args, "-H", header)
		}
	}
	c := exec.CommandContext(s.t.Context(), "curl", slices.Concat([]string{"-sS"}, s.curlArgs, args, []string{s.url + path})...)
	text, err := c.Output()
	return string(text), err
}

func (s *served) get(path string, args ...string) string {
	s.t.Helper()
	out, err := s.curl(path, args...)
	if err != nil {
		s.t.Fatalf("%s: %v", path, err)
	}
	return out
}

// answer of JSON, of which only some is looked at.
type servedQuery struct {
	ID, State string
	Rows      [][]any
	Next      *string
	RowsReady int64 `json:"rows_ready"`
	Error     *struct{ Kind, Message, Text string }
	Stats     struct {
		RowsRead   int64 `json:"rows_read"`
		Splits     int64
		SplitsDone int64 `json:"splits_done"`
	}
}

func (s *served) query(path string, args ...string) (q servedQuery) {
	s.t.Helper()
	text := s.get(path, args...)
	if err := json.Unmarshal([]byte(text), &q); err != nil {
		s.t.Fatalf("%s: %v\n%.300s", path, err, text)
	}
	return q
}

func posted(sql string, more ...string) string {
	text, _ := json.Marshal(sql)
	return `{"sql": ` + string(text) + strings.Join(append([]string{""}, more...), ", ") + "}"
}

// endless would take hours on the lake of the tests.
const endless = `SELECT count(*) FROM cloudtrail_logs a CROSS JOIN cloudtrail_logs b CROSS JOIN cloudtrail_logs c CROSS JOIN cloudtrail_logs d WHERE a.eventid < b.eventid AND c.eventid < d.eventid`

// The endpoint as curl sees it, from the first start to a restart.
func TestServeWithCurl(t *testing.T) {
	needCurl(t)
	dir := t.TempDir()
	lake, state := filepath.Join(dir, "lake"), filepath.Join(dir, "state")
	trail := smallTrail(t, filepath.Join(dir, "trail"), 1000)
	if code, _, errs := trailql(t, "compact", trail, "--lake", lake); code != 0 && code != exitQuarantine {
		t.Fatal(errs)
	}
	whole := t // processes outlive the part that starts them
	s := serve(whole, lake, state)

	t.Run("the token is its owner's", func(t *testing.T) {
		info, err := os.Stat(filepath.Join(state, "token"))
		if err != nil || info.Mode().Perm() != 0o600 || len(s.token) != 64 {
			t.Errorf("%v %v, %d characters", err, info.Mode(), len(s.token))
		}
		if s.process.Args[1] != "serve" || strings.Contains(strings.Join(s.process.Args, " "), s.token) {
			t.Error("the token stands in the command line")
		}
	})

	const many = "SELECT a.eventid, a.eventname, n FROM cloudtrail_logs a CROSS JOIN UNNEST(sequence(1, 120)) AS t (n) ORDER BY 1, 3 LIMIT 100000"
	t.Run("pages", func(t *testing.T) {
		want := rowsOf(t, lake, many)
		q := s.query("/api/v1/queries", "-d", posted(many, `"rows": 30000`, `"wait_ms": 60000`))
		at := 0
		for {
			for _, row := range q.Rows {
				if at >= len(want) || row[0] != want[at][0] || row[1] != want[at][1] || fmt.Sprint(row[2]) != want[at][2] {
					t.Fatalf("row %d: %v, want %v", at, row, want[min(at, len(want)-1)])
				}
				at++
			}
			if q.Next == nil {
				break
			}
			q = s.query(*q.Next)
		}
		if at != 100_000 || len(want) != 100_000 {
			t.Errorf("%d rows, want %d", at, len(want))
		}
	})

	t.Run("formats", func(t *testing.T) {
		const sql = "SELECT eventid, useridentity, resources, date, _time, n FROM cloudtrail_logs CROSS JOIN UNNEST(sequence(1, 3)) AS t (n) ORDER BY 1, 5"
		for format, other := range map[string]string{"csv": "csv", "ndjson": "jsonl"} {
			code, want, errs := trailql(t, "query", "--lake", lake, "--format", other, sql)
			if code != 0 {
				t.Fatal(errs)
			}
			if got := s.get("/api/v1/queries?format="+format, "-d", posted(sql)); got != want {
				t.Errorf("%s: %d bytes, want %d", format, len(got), len(want))
			}
		}
	})

	t.Run("errors", func(t *testing.T) {
		q := s.query("/api/v1/queries", "-d", posted("SELECT evntname FROM cloudtrail_logs"))
		if want := "line 1:8: column \"evntname\" does not exist; did you mean \"eventname\"?\n  SELECT evntname FROM cloudtrail_logs\n         ^"; q.Error == nil || q.Error.Text != want {
			t.Errorf("%+v", q.Error)
		}
		status := func(args ...string) string {
			return s.get("/api/v1/queries", append([]string{"-o", os.DevNull, "-w", "%{http_code}"}, args...)...)
		}
		for want, args := range map[string][]string{
			"401": {"-H", "Authorization: Bearer wrong"}, "421": {"-H", "Host: rebound.example:8765"},
			"403": {"-H", "Origin: https://evil.example", "-d", posted("SELECT 1")}, "415": {"-H", "Content-Type: text/plain", "-d", "SELECT 1"},
			"405": {"-X", "PATCH"}, "400": {"-d", "{"},
		} {
			if got := status(args...); got != want {
				t.Errorf("%q: %s, want %s", args, got, want)
			}
		}
		if got := s.get("/healthz", "-H", "Authorization:"); got != "{\"status\":\"ok\"}\n" {
			t.Errorf("healthz: %q", got)
		}
		if got := s.get("/metrics"); !strings.Contains(got, `trailql_queries_total{state="failed"} 1`) || !strings.Contains(got, "go_goroutines") || !strings.Contains(got, "process_") {
			t.Errorf("metrics:\n%s", got)
		}
	})

	t.Run("progress and cancel", func(t *testing.T) {
		q := s.query("/api/v1/queries", "-d", posted(endless, `"wait_ms": 0`))
		path := "/api/v1/queries/" + q.ID
		events := exec.CommandContext(t.Context(), "curl", "-sSN", "-H", "Authorization: Bearer "+s.token, s.url+path+"/events")
		out, err := events.StdoutPipe()
		if err == nil {
			err = events.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		var last servedQuery
		var names []string
		for in := bufio.NewScanner(out); in.Scan(); {
			name, value, _ := strings.Cut(in.Text(), ": ")
			switch name {
			case "event":
				names = append(names, value)
			case "data":
				var now servedQuery
				if err := json.Unmarshal([]byte(value), &now); err != nil {
					t.Fatal(err)
				}
				if now.Stats.RowsRead < last.Stats.RowsRead || now.Stats.SplitsDone < last.Stats.SplitsDone {
					t.Errorf("%+v follows %+v", now, last)
				}
				if last = now; len(names) == 3 {
					go s.curl(path, "-X", "DELETE")
				}
			}
		}
		if err := events.Wait(); err != nil {
			t.Errorf("curl: %v", err)
		}
		if len(names) < 4 || names[len(names)-1] != "done" || slices.Contains(names[:len(names)-1], "done") || last.State != "cancelled" {
			t.Errorf("%q, the last %+v", names, last)
		}
	})

	t.Run("a compactor beside", func(t *testing.T) {
		count := func() string {
			return s.get("/api/v1/queries?format=csv", "-d", posted("SELECT count(*) FROM cloudtrail_logs WHERE eventid = 'beside'"))
		}
		before := count()
		more := objects{trailName(900): gzipped(recordsOf(eventOf("beside")))}.write(t, filepath.Join(dir, "more"))
		if code, _, errs := trailql(t, "compact", more, "--lake", lake); code != 0 {
			t.Fatal(errs)
		}
		if after := count(); before != "_col0\n0\n" || after != "_col0\n1\n" {
			t.Errorf("%q, then %q", before, after)
		}
	})

	t.Run("another server", func(t *testing.T) {
		code, errs := exitOf(t, command(t, "serve", "--lake", lake, "--state", state, "--listen", "127.0.0.1:0"))
		if code != exitFailed || !strings.Contains(errs, "in use") {
			t.Errorf("exit %d: %s", code, errs)
		}
		other := filepath.Join(dir, "other")
		code, errs = exitOf(t, command(t, "serve", "--lake", lake, "--state", other, "--listen", strings.TrimPrefix(s.url, "http://")))
		if code != exitFailed || !strings.Contains(errs, "listening") {
			t.Errorf("exit %d: %s", code, errs)
		}
	})

	t.Run("restart", func(t *testing.T) {
		q := s.query("/api/v1/queries", "-d", posted(many, `"wait_ms": 60000`))
		path := "/api/v1/queries/" + q.ID + "/results?format=csv"
		before := s.get(path)
		code, errs := s.stop()
		if code != 0 || !strings.HasSuffix(errs, "trailql: stopping\n") || strings.Contains(errs, s.token) || strings.Contains(errs, "eventid") {
			t.Errorf("exit %d: %s", code, errs)
		}
		token := s.token
		s = serve(whole, lake, state)
		if after := s.get(path); after != before || strings.Count(before, "\n") != 100_001 || s.token != token {
			t.Errorf("%d bytes, %d before", len(after), len(before))
		}
	})

	t.Run("stopping lets requests end", func(t *testing.T) {
		got := make(chan string, 1)
		go func() {
			out, err := s.curl("/api/v1/queries", "-d", posted("SELECT count(*) FROM cloudtrail_logs a CROSS JOIN cloudtrail_logs b WHERE a.eventid < b.eventid", `"fresh": true`))
			got <- fmt.Sprint(out, err)
		}()
		for !strings.Contains(s.get("/api/v1/queries?limit=1"), `CROSS JOIN cloudtrail_logs b WHERE`) {
		}
		code, errs := s.stop()
		if out := <-got; code != 0 || !strings.Contains(out, `"state":"succeeded"`) {
			t.Errorf("exit %d, %s\n%s", code, errs, out)
		}
	})

	t.Run("the second signal", func(t *testing.T) {
		s = serve(whole, lake, state)
		s.query("/api/v1/queries", "-d", posted(endless, `"wait_ms": 0`))
		s.process.Process.Signal(syscall.SIGTERM)
		for { // it has taken the first when it no longer listens
			c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
			if err != nil {
				break
			}
			c.Close()
		}
		if code, errs := s.stop(); code != -1 {
			t.Errorf("exit %d: %s", code, errs)
		}
		s = serve(whole, lake, state)
		if failed := s.get("/api/v1/queries?state=failed&limit=1"); !strings.Contains(failed, "CROSS JOIN cloudtrail_logs d") {
			t.Errorf("a query that a kill ended is %s", failed)
		}
		s.stop()
	})
}

// What is still running when the grace is over is cancelled, and its asker told.
func TestServeEndsWhatDoesNotEnd(t *testing.T) {
	lake := filepath.Join(t.TempDir(), "lake")
	if code, _, errs := trailql(t, "compact", smallTrail(t, t.TempDir(), 1000), "--lake", lake); code != 0 && code != exitQuarantine {
		t.Fatal(errs)
	}
	out, in := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	state := t.TempDir()
	s := server{lake: lake, state: state, listen: "127.0.0.1:0", grace: 50 * time.Millisecond, log: log.New(in, "", 0)}
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx); in.Close() }()
	line, err := bufio.NewReader(out).ReadString(';')
	if err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, out)
	token, err := readToken(filepath.Join(state, "token"))
	if err != nil {
		t.Fatal(err)
	}
	client, err := rest.NewClient(strings.TrimSuffix(line[strings.Index(line, "http"):], ";"), token)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	rows, err := client.Run(t.Context(), service.Request{SQL: endless})
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	cancel()
	if _, err := rows.Next(); err == nil {
		t.Error("a query of hours has ended")
	}
	if err := <-ended; err != nil {
		t.Errorf("%v", err)
	}
}

// Over TLS the endpoint may be called from elsewhere, by the names it was given.
func TestServeTLS(t *testing.T) {
	needCurl(t)
	dir := t.TempDir()
	cert, key := certificate(t, dir, "trails.example")
	s := serve(t, tinyLake(t), dir, "--tls-cert", cert, "--tls-key", key, "--host", "trails.example")
	s.curlArgs = []string{"--cacert", cert, "--connect-to", "trails.example::" + strings.TrimPrefix(s.url, "https://")}
	s.url = "https://trails.example"
	if q := s.query("/api/v1/queries", "-d", posted("SELECT count(*) FROM cloudtrail_logs")); fmt.Sprint(q.Rows) != "[[2]]" {
		t.Errorf("%+v", q)
	}
	if code, errs := s.stop(); code != 0 {
		t.Errorf("exit %d: %s", code, errs)
	}
}

func certificate(t *testing.T, dir, name string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: cert}, keyFile: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

func TestServeWrongUse(t *testing.T) {
	dir := t.TempDir()
	short := filepath.Join(dir, "short")
	if err := os.WriteFile(short, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	lake := tinyLake(t)
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--listen", "0.0.0.0:0"}, exitUsage, "--insecure"},
		{[]string{"--listen", ":0"}, exitUsage, "--tls-cert"},
		{[]string{"--listen", "[::]:0"}, exitUsage, "other machines"},
		{[]string{"--listen", "8765"}, exitUsage, "127.0.0.1:8765"},
		{[]string{"--tls-cert", "x"}, exitUsage, "go together"},
		{[]string{"--max-running", "0"}, exitUsage, "--max-running"},
		{[]string{"--max-bytes", "much"}, exitUsage, `"much"`},
		{[]string{"--max-time", "5"}, exitUsage, "--max-time"},
		{[]string{"--keep", "-1h"}, exitUsage, "--keep"},
		{[]string{"extra"}, exitUsage, "extra"},
		{[]string{"--lake", filepath.Join(dir, "none")}, exitFailed, "there is no lake"},
		{[]string{"--tls-cert", short, "--tls-key", short}, exitFailed, "certificate"},
		{[]string{"--token-file", short}, exitFailed, "could be guessed"},
		{[]string{"--token-file", dir}, exitFailed, "token"},
		{[]string{"--state", short}, exitFailed, "state"},
	} {
		args := append([]string{"serve", "--lake", lake, "--state", filepath.Join(dir, "state"), "--listen", "127.0.0.1:0"}, c.args...)
		code, out, errs := trailql(t, args...)
		if code != c.code || out != "" || !strings.Contains(errs, c.says) || strings.Contains(errs, "secret") {
			t.Errorf("%q: exit %d\n%s", c.args, code, errs)
		}
	}
}
