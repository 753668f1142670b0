package rest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/connectors/sink"
	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/service"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

const testToken = "0123456789abcdef0123456789abcdef"

// tables is a catalog in memory, and its only snapshot.
type tables map[string]source.Table

func (t tables) Snapshot(context.Context) (source.Snapshot, error) { return t, nil }
func (t tables) Version() int64                                    { return 1 }
func (t tables) Definitions() string                               { return "" }
func (t tables) Names() []string                                   { return nil }
func (t tables) Macros() []*source.Macro                           { return nil }
func (t tables) Resolve(name []string) (source.Relation, bool) {
	table, ok := t[strings.ToLower(name[len(name)-1])]
	return source.Stored{Table: table}, ok
}

// numbered has rows of n, counting up, and a name that is text in a dictionary, with NULLs.
var numbered = []source.Column{{Name: "n", Type: sqltype.BigIntType}, {Name: "name", Type: sqltype.VarcharType}}

func numbers(from, to int) vec.Batch {
	n := array.NewInt64Builder(memory.DefaultAllocator)
	codes := array.NewInt32Builder(memory.DefaultAllocator)
	for i := from; i < to; i++ {
		n.Append(int64(i))
		if i%7 == 3 {
			codes.AppendNull()
		} else {
			codes.Append(int32(i % 3))
		}
	}
	entries := array.NewStringBuilder(memory.DefaultAllocator)
	entries.AppendValues([]string{"žlutý, \"kůň\"", "", "plain\nline"}, nil)
	return vec.Batch{Len: to - from, Cols: []arrow.Array{n.NewArray(), array.NewDictionaryArray(sqltype.DictionaryString, codes.NewArray(), entries.NewArray())}}
}

// gate is a table like numbered whose batches come one by one, as the test lets them.
type gate struct {
	source.Table
	open chan int // takes the number of the first row of a batch of 1,000; closing ends the table
}

func newGate() gate { return gate{source.NewMemory("gate", numbered, nil), make(chan int, 100)} }

func (g gate) Scan(_ context.Context, r source.Request) (source.Scan, error) {
	return &gateScan{gate: g, request: r}, nil
}

type gateScan struct {
	gate
	request source.Request
	report  source.Report
}

func (s *gateScan) Applied() []bool             { return make([]bool, len(s.request.Conjuncts)) }
func (s *gateScan) Morsels() int                { return 1 }
func (s *gateScan) Prune(context.Context) error { return nil }
func (s *gateScan) Report() *source.Report      { return &s.report }
func (s *gateScan) Open(ctx context.Context, _ int) (source.Reader, error) {
	return &gateReader{s, ctx}, nil
}

type gateReader struct {
	*gateScan
	ctx context.Context
}

func (r *gateReader) Close() error { return nil }
func (r *gateReader) Next() (vec.Batch, error) {
	select {
	case <-r.ctx.Done():
		return vec.Batch{}, r.ctx.Err()
	case from, ok := <-r.gate.open:
		if !ok {
			return vec.Batch{}, io.EOF
		}
		r.report.RowsRead.Add(1000)
		b := numbers(from, from+1000)
		out := vec.Batch{Len: b.Len}
		for _, p := range r.request.Paths {
			out.Cols = append(out.Cols, b.Cols[p.Column])
		}
		return out, nil
	}
}

// world is a server on a real socket over tables in memory.
type world struct {
	t       *testing.T
	catalog tables
	service *service.Service
	handler *handler
	server  *httptest.Server
	client  *Client
	logged  *bytes.Buffer
}

const bigRows = 100_000

var big = source.NewMemory("big", numbered, func() (batches []vec.Batch) {
	for from := 0; from < bigRows; from += 5000 {
		batches = append(batches, numbers(from, from+5000))
	}
	return batches
}())

// newWorld starts a server; change may alter its configuration. All of it ends with the test, which fails if a goroutine is left.
func newWorld(t *testing.T, change func(*service.Config, *Config)) *world {
	t.Helper()
	before := runtime.NumGoroutine()
	w := &world{t: t, catalog: tables{"big": big, "gate": newGate()}, logged: &bytes.Buffer{}}
	sc := service.Config{Catalog: w.catalog, Lake: "memory", State: t.TempDir(), Now: time.Now, Rand: rand.Reader}
	rc := Config{Token: testToken, Version: "test", Log: log.New(w.logged, "", 0)}
	if change != nil {
		change(&sc, &rc)
	}
	var err error
	if w.service, err = service.Open(t.Context(), sc); err != nil {
		t.Fatal(err)
	}
	rc.Service = w.service
	w.handler = Handler(rc).(*handler)
	w.server = httptest.NewUnstartedServer(nil)
	w.server.Config = Server(w.handler, log.New(io.Discard, "", 0))
	w.server.Start()
	if w.client, err = NewClient(w.server.URL, testToken); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.client.Close()
		http.DefaultClient.CloseIdleConnections()
		w.server.Close()
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // what still runs is cancelled
		if err := w.service.Close(ctx); err != nil {
			t.Errorf("closing the service: %v", err)
		}
		until(t, func() string {
			if now := runtime.NumGoroutine(); now > before {
				all := make([]byte, 1<<20)
				return fmt.Sprintf("%d goroutines, %d before\n%s", now, before, all[:runtime.Stack(all, true)])
			}
			return ""
		})
		if w.logged.Len() > 0 && !t.Failed() {
			t.Errorf("logged: %s", w.logged)
		}
	})
	return w
}

// until waits for a condition that must come by itself; the limit is for tests that fail.
func until(t *testing.T, lacks func() string) {
	t.Helper()
	for limit := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		missing := lacks()
		if missing == "" {
			return
		}
		if time.Now().After(limit) {
			t.Fatal(missing)
		}
	}
}

// answer of a request, whole.
type answer struct {
	*http.Response
	body []byte
}

func (a answer) json(t *testing.T) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(a.body, &v); err != nil {
		t.Fatalf("%s: %v\n%.300s", a.Status, err, a.body)
	}
	return v
}

// ask sends a request with the token; headers are "Name: value", a "Host" among them too, one without value is left out.
func (w *world) ask(method, path, body string, headers ...string) answer {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.server.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testToken)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		switch value = strings.TrimSpace(value); {
		case name == "Host":
			req.Host = value
		case value == "":
			req.Header.Del(name)
		default:
			req.Header.Set(name, value)
		}
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer{res, text}
}

func submit(sql string, more ...string) string {
	text, _ := json.Marshal(sql)
	return `{"sql": ` + string(text) + strings.Join(append([]string{""}, more...), ", ") + "}"
}

// run submits a statement and waits for its end.
func (w *world) run(sql string) service.Query {
	w.t.Helper()
	q, err := w.service.Submit(w.t.Context(), service.Request{SQL: sql})
	if err == nil {
		q, err = w.service.Wait(w.t.Context(), q.ID)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return q
}

// engine asks the engine itself: what it answers is what the server must.
func (w *world) engine(sql string) ([]sink.Column, []vec.Batch) {
	w.t.Helper()
	r, err := engine.New(w.catalog).Query(w.t.Context(), sql, engine.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	defer r.Close()
	columns := slices.Clone(r.Columns)
	var batches []vec.Batch
	for {
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			return columns, batches
		}
		if err != nil {
			w.t.Fatal(err)
		}
		batches = append(batches, b)
	}
}

// sunk is what a sink writes of batches.
func sunk(t *testing.T, format string, columns []sink.Column, batches []vec.Batch) string {
	t.Helper()
	var out bytes.Buffer
	to, err := sink.New(format, &out, columns, sink.Options{})
	for _, b := range batches {
		err = errors.Join(err, to.Write(b.Cols, b.Len))
	}
	if err := errors.Join(err, to.Close()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}
