package rest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trailql/trailql/engine/service"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// texts is each value of batches as SQL text and as JSON.
func texts(columns []service.Column, batches []vec.Batch) (out []string) {
	for _, b := range batches {
		for row := range b.Len {
			for i, col := range b.Cols {
				text := append(sqltype.AppendText(nil, columns[i].Type, col, row), " = "...)
				out = append(out, columns[i].Name+" "+string(sqltype.AppendJSON(text, columns[i].Type, col, row)))
			}
		}
	}
	return out
}

func (w *world) want(sql string) []string {
	w.t.Helper()
	columns, batches := w.engine(sql)
	return texts(columns, batches)
}

// read reads all rows.
func read(t *testing.T, rows *Rows) []string {
	t.Helper()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var batches []vec.Batch
	for {
		b, err := rows.Next()
		if errors.Is(err, io.EOF) {
			return texts(columns, batches)
		}
		if err != nil {
			t.Fatal(err)
		}
		batches = append(batches, b)
	}
}

// A result read from afar is the engine's: each type, zones and intervals too, at any depth.
func TestRunIsTheEnginesAnswer(t *testing.T) {
	w := newWorld(t, nil)
	for _, sql := range []string{every, "SELECT n, name FROM big ORDER BY n", "SELECT 1 WHERE false", "SHOW FUNCTIONS"} {
		rows, err := w.client.Run(t.Context(), service.Request{SQL: sql})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := read(t, rows), w.want(sql); !slices.Equal(got, want) {
			for i := range min(len(got), len(want)) {
				if got[i] != want[i] {
					t.Errorf("%s, want %s", got[i], want[i])
				}
			}
			t.Errorf("%d values, want %d", len(got), len(want))
		}
		local := w.query(rows.id)
		q := rows.Query()
		if q.State != service.Succeeded || q.Rows != local.Rows || rows.Stats() != q.Stats || q.Stats.RowsRead != local.Stats.RowsRead ||
			q.ID != local.ID || !q.Finished.Equal(local.Finished) || q.Snapshot != local.Snapshot || len(q.Columns) != len(local.Columns) {
			t.Errorf("%+v, want %+v", q, local)
		}
		if _, err := rows.Next(); !errors.Is(err, io.EOF) {
			t.Errorf("behind the end: %v", err)
		}
		if err := errors.Join(rows.Close(), rows.Close()); err != nil {
			t.Error(err)
		}
	}
}

func (w *world) query(id string) service.Query {
	w.t.Helper()
	q, err := w.service.Get(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return q
}

// The client's pages are the service's.
func TestClientPages(t *testing.T) {
	w := newWorld(t, nil)
	q := w.run("SELECT n, name FROM big ORDER BY n")
	want := w.want(q.SQL)
	for _, rows := range []int64{999, 50_000, bigRows} {
		var got []string
		for from, more := int64(0), true; more; from += rows {
			p, err := w.client.Page(t.Context(), q.ID, from, rows)
			if err != nil || p.From != from || p.Rows > rows || p.More != (from+rows < bigRows) {
				t.Fatalf("from %d: %d rows from %d, more %v, %v", from, p.Rows, p.From, p.More, err)
			}
			got = append(got, texts(p.Columns, p.Batches)...)
			more = p.More
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages of %d: %d values, want %d", rows, len(got), len(want))
		}
	}
	p, err := w.client.Page(t.Context(), q.ID, bigRows+1, 10)
	if err != nil || p.Rows != 0 || p.More || len(p.Columns) != 2 {
		t.Errorf("beyond the end: %+v %v", p, err)
	}
}

// Parts of batches keep their zones: slices have offsets, which nested forms must not lose.
func TestExactOfSlices(t *testing.T) {
	w := newWorld(t, nil)
	q := w.run(every)
	all := w.want(every)
	width := len(all) / 5
	for from := range int64(5) {
		p, err := w.client.Page(t.Context(), q.ID, from, 2)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := texts(p.Columns, p.Batches), all[int(from)*width:min(int(from)+2, 5)*width]; !slices.Equal(got, want) {
			t.Errorf("from %d: %q, want %q", from, got, want)
		}
	}
}

// Errors of a statement come back as they are: kind, place, message, hint; those of the service are the service's.
func TestErrorsComeBack(t *testing.T) {
	w := newWorld(t, func(c *service.Config, _ *Config) { c.Limits.Rows = 1000 })
	for _, sql := range []string{
		"SELECT\n 'ž', evntname FROM big", "SELECT nn FROM big", "SELEC", "SELECT (1", "SELECT 1 / 0", "SELECT sum(n) OVER () FROM big", "SELECT n FROM big", "SELECT 1 FROM nix",
	} {
		local := w.run(sql)
		rows, err := w.client.Run(t.Context(), service.Request{SQL: sql})
		if err != nil {
			t.Fatal(err)
		}
		for _, get := range []func() error{
			func() error { _, err := rows.Columns(); return err },
			func() error { _, err := rows.Next(); return err },
			func() error { _, err := w.client.Page(t.Context(), rows.id, 0, 1); return err },
			func() error { q, _ := w.client.Get(t.Context(), rows.id); return q.Err },
		} {
			var e *sqlerr.Error
			if err := get(); !errors.As(err, &e) || e.Kind != local.Err.Kind || e.Pos != local.Err.Pos || e.Hint != local.Err.Hint || e.Error() != local.Err.Error() {
				t.Errorf("%s: %#v, want %#v", sql, err, local.Err)
			}
		}
		if rows.Query().State != service.Failed {
			t.Errorf("%s: %+v", sql, rows.Query())
		}
		rows.Close()
	}
	if _, err := w.client.Get(t.Context(), "nix"); !errors.Is(err, service.ErrNotFound) {
		t.Errorf("%v", err)
	}
	if err := w.client.Cancel(t.Context(), "nix"); !errors.Is(err, service.ErrNotFound) {
		t.Errorf("%v", err)
	}
	if _, err := w.client.Submit(t.Context(), service.Request{SQL: strings.Repeat("x", 300_000)}); !errors.Is(err, service.ErrTooLong) {
		t.Errorf("%v", err)
	}
	if _, err := w.client.Submit(t.Context(), service.Request{SQL: "SELECT 1", Snapshot: w.catalog}); err == nil {
		t.Error("a snapshot was given to a server")
	}
	stranger, err := NewClient(w.server.URL, strings.Repeat("x", 32))
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	if _, err := stranger.Run(t.Context(), service.Request{SQL: "SELECT 1"}); err == nil || !strings.Contains(err.Error(), "token is not this server's") || strings.Contains(err.Error(), "xxx") {
		t.Errorf("%v", err)
	}
}

// position is the inverse of sqlerr.LineColumn at every place of a text.
func TestPosition(t *testing.T) {
	const text = "SELECT 'žluť',\n\t\n x\r\nFROM 'é'"
	for i := range text {
		pos := sqlerr.Pos(i + 1)
		line, column := sqlerr.LineColumn(text, pos)
		if got := position(text, line, column); got != pos {
			t.Errorf("%d:%d is %d, want %d", line, column, got, pos)
		}
	}
	line, column := sqlerr.LineColumn(text, sqlerr.Pos(len(text)+1))
	if got := position(text, line, column); int(got) != len(text)+1 {
		t.Errorf("the end %d:%d is %d", line, column, got)
	}
	if position(text, 9, 1) != 0 || position(text, 1, 99) != 0 || position(text, 0, 0) != 0 {
		t.Error("a place that is not in the text")
	}
}

// While a query runs, its figures grow; closing the rows, or the end of the asker's context, ends it at the server.
func TestRunIsBoundToItsAsker(t *testing.T) {
	w := newWorld(t, nil)
	g := w.catalog["gate"].(gate)
	for _, how := range []string{"close", "context", "context before the first row"} {
		ctx, leave := context.WithCancel(t.Context())
		rows, err := w.client.Run(ctx, service.Request{SQL: "SELECT n FROM gate", Fresh: true})
		if err != nil {
			t.Fatal(err)
		}
		if how != "context before the first row" {
			g.open <- 0
			if b, err := rows.Next(); err != nil || b.Len == 0 {
				t.Fatal(err)
			}
			until(t, func() string {
				if s := rows.Stats(); s.RowsRead != 1000 || rows.Query().State != service.Running {
					return fmt.Sprintf("%+v", s)
				}
				return ""
			})
		}
		if how == "close" {
			rows.Close()
		} else {
			leave()
			if _, err := rows.Next(); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", how, err)
			}
		}
		q, err := w.client.Wait(t.Context(), rows.id)
		if err != nil || q.State != service.Cancelled {
			t.Errorf("%s: %s, %v", how, q.State, err)
		}
		rows.Close()
		leave()
	}
}

// Cancelling a query ends the wait of another for it within 100 ms, the best of at least five counting; a wait that is over in time gives the query as it is.
func TestClientWaitAndCancel(t *testing.T) {
	w := newWorld(t, nil)
	best := time.Hour
	for i := 0; i < 5 || i < 20 && best > 100*time.Millisecond; i++ { // the machine may have other work
		q, err := w.client.Submit(t.Context(), service.Request{SQL: "SELECT n FROM gate"})
		if err != nil {
			t.Fatal(err)
		}
		short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if q, err := w.client.Wait(short, q.ID); err != nil || q.State.Done() || q.ID == "" {
			t.Errorf("%+v %v", q, err)
		}
		cancel()
		until(t, func() string {
			if len(w.handler.free) > 0 {
				return "the wait that was given up is not over"
			}
			return ""
		})
		ended := make(chan time.Time)
		go func() {
			q, err := w.client.Wait(t.Context(), q.ID)
			if err != nil || q.State != service.Cancelled || q.Err == nil {
				t.Errorf("%+v %v", q, err)
			}
			ended <- time.Now()
		}()
		until(t, func() string {
			if len(w.handler.free) == 0 {
				return "nobody waits"
			}
			return ""
		})
		begun := time.Now()
		if err := w.client.Cancel(t.Context(), q.ID); err != nil {
			t.Fatal(err)
		}
		best = min(best, (<-ended).Sub(begun))
	}
	if best > 100*time.Millisecond {
		t.Errorf("the wait ended after %s, the issue gives 100 ms", best)
	}
	list, err := w.client.History(t.Context(), service.Filter{State: service.Cancelled, Limit: 5})
	if err != nil || len(list) != 5 {
		t.Errorf("%v %v", list, err)
	}
}

// Two hundred clients at once, some of which leave half way: all that stay get all rows, and nothing is left of any. newWorld counts the goroutines.
func TestTwoHundredClients(t *testing.T) {
	const clients = 200
	w := newWorld(t, nil)
	want := w.want("SELECT n, name FROM big WHERE n < 5000")
	once := func(i int) {
		client, err := NewClient(w.server.URL, testToken)
		if err != nil {
			t.Error(err)
			return
		}
		defer client.Close()
		rows, err := client.Run(t.Context(), service.Request{SQL: "SELECT n, name FROM big WHERE n < 5000", Fresh: i%2 == 0})
		if err != nil {
			t.Errorf("client %d: %v", i, err)
			return
		}
		defer rows.Close()
		if i%10 == 9 {
			if _, err := rows.Next(); err != nil {
				t.Errorf("client %d: %v", i, err)
			}
			return
		}
		if got := read(t, rows); !slices.Equal(got, want) {
			t.Errorf("client %d: %d values, want %d", i, len(got), len(want))
		}
	}
	round := func() {
		var all sync.WaitGroup
		for i := range clients {
			all.Go(func() { once(i) })
		}
		all.Wait()
	}
	round()
	before := heap()
	round()
	// A client that left something of its 5,000 rows would add some 60 KiB; 12 MiB for all of them.
	if after := heap(); after > before+4<<20 {
		t.Errorf("%d MiB after one round, %d MiB after two", before>>20, after>>20)
	}
	if n := w.service.Totals(); n.Running != 0 || n.Queued != 0 || n.Refused != 0 || n.Failed != 0 {
		t.Errorf("%+v", n)
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC() // what finalizers held goes with the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// The token goes to this machine, or over TLS; never readable to another.
func TestClientAddress(t *testing.T) {
	for address, ok := range map[string]bool{
		"http://127.0.0.1:8765": true, "http://localhost:1/": true, "http://[::1]:8765": true, "https://trails.example.com/base/": true,
		"http://trails.example.com": false, "http://192.0.2.1:8765": false, "http://localhost.example.com": false, "http://0.0.0.0:1": false,
		"127.0.0.1:8765": false, "ftp://localhost": false, "": false, "http://": false, "http://%zz": false,
	} {
		if _, err := NewClient(address, "token"); (err == nil) != ok {
			t.Errorf("%q: %v", address, err)
		} else if err != nil && strings.Contains(address, "example") && !strings.Contains(err.Error(), "https") {
			t.Errorf("%q: %v says not what to do", address, err)
		}
	}
	if _, err := NewClient("http://trails.example.com", ""); err != nil {
		t.Errorf("no token, nothing to lose: %v", err)
	}
}

// Whatever a server that is none of ours answers, the client ends with an error.
func TestClientOfStrangers(t *testing.T) {
	var stream bytes.Buffer
	w := newWorld(t, nil)
	q := w.run(every)
	stream.Write(w.ask("GET", queryPath(q.ID)+"/results?format=exact", "").body)
	answers := []string{"", "hello", "{}", `{"error": 3}`, "[]", `{"state": "succeeded", "columns": [{"name": "a", "type": "nonsense"}]}`}
	for cut := 0; cut < stream.Len(); cut += 997 {
		answers = append(answers, stream.String()[:cut])
		damaged := bytes.Clone(stream.Bytes())
		damaged[cut] ^= 0x55
		if _, err := drain(damaged, q.Columns); err != nil && strings.Contains(err.Error(), "goroutine") {
			t.Errorf("%v", err)
		}
	}
	var now string
	var status int
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+testToken {
			t.Error("no token")
		}
		w.Header().Set("Location", "http://127.0.0.1:1/")
		w.WriteHeader(status)
		io.WriteString(w, now)
	}))
	defer server.Close()
	client, err := NewClient(server.URL, testToken)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, status = range []int{200, 302, 400, 500} {
		for _, now = range answers {
			if p, err := client.Page(t.Context(), "x", 0, 10); err == nil {
				t.Errorf("%d %.20q: %d rows", status, now, p.Rows)
			}
		}
	}
}

func drain(stream []byte, columns []service.Column) (rows int64, err error) {
	in, err := newExactReader(bytes.NewReader(stream), columns, 1<<20)
	for err == nil {
		var b vec.Batch
		if b, err = in.next(); err == nil {
			texts(in.columns, []vec.Batch{b})
			rows += int64(b.Len)
		}
	}
	return rows, err
}

// A stream of strangers' bytes is rows that can be shown, or an error.
func FuzzExactReader(f *testing.F) {
	columns := []service.Column{{Name: "n", Type: sqltype.BigIntType}, {Name: "name", Type: sqltype.VarcharType}}
	var out bytes.Buffer
	to := bufio.NewWriter(&out)
	w, err := newExactWriter(to, columns)
	if err != nil {
		f.Fatal(err)
	}
	b := numbers(0, 10)
	if err := errors.Join(w.Write(b.Cols, b.Len), w.Close(), to.Flush()); err != nil {
		f.Fatal(err)
	}
	f.Add(out.Bytes())
	f.Fuzz(func(t *testing.T, stream []byte) {
		if rows, err := drain(stream, columns); err == nil || rows > math.MaxInt32 {
			t.Fatalf("%d rows without an end", rows)
		}
	})
}
