package rest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trailql/trailql/engine/service"
)

// A query that runs is shown with what it has; one that is cancelled ends within 100 ms, and its result is an error. The machine may have other
// work: the best of some counts.
func TestCancel(t *testing.T) {
	w := newWorld(t, nil)
	best := time.Hour
	for i := 0; i < 20 && best > 100*time.Millisecond; i++ {
		best = min(best, cancelled(t, w))
	}
	if best > 100*time.Millisecond {
		t.Errorf("cancelling took %s, the issue gives 100 ms", best)
	}
}

func cancelled(t *testing.T, w *world) time.Duration {
	t.Helper()
	g := w.catalog["gate"].(gate)
	a := w.ask("POST", "/api/v1/queries", submit("SELECT n FROM gate", `"wait_ms": 1`))
	path := a.Header.Get("Location")
	g.open <- 0
	until(t, func() string {
		q := w.ask("GET", path, "").json(t)
		if q["state"] != "running" || q["rows_ready"] != 1000.0 || at(q, "stats", "rows_read") != 1000.0 {
			return fmt.Sprint(q)
		}
		return ""
	})
	begun := time.Now()
	a = w.ask("DELETE", path, "")
	took := time.Since(begun)
	if q := a.json(t); a.StatusCode != 200 || q["state"] != "cancelled" || at(q, "error", "kind") != "cancelled" {
		t.Errorf("%s %s", a.Status, a.body)
	}
	if a := w.ask("GET", path+"/results", ""); a.StatusCode != http.StatusConflict {
		t.Errorf("the result of a cancelled query: %s", a.Status)
	}
	if a := w.ask("DELETE", path, ""); a.StatusCode != 200 {
		t.Errorf("cancelled again: %s", a.Status)
	}
	return took
}

// begin sends a request and returns with the head of its answer, or nil if the asker leaves before.
func (w *world) begin(ctx context.Context, method, path, body string) *http.Response {
	req, err := http.NewRequestWithContext(ctx, method, w.server.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testToken)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil
	}
	return res
}

// Who leaves before he knows the query's id ends the query; who leaves a stream or the events of a query does not.
func TestLeaving(t *testing.T) {
	w := newWorld(t, nil)
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		until(t, func() string {
			if w.service.Totals().Running == 0 {
				return "it does not run"
			}
			return ""
		})
		leave()
	}()
	if res := w.begin(ctx, "POST", "/api/v1/queries", submit("SELECT n FROM gate", `"wait_ms": 60000`)); res != nil { //nolint:bodyclose // there is none
		t.Fatalf("%s before the query's end", res.Status)
	}
	until(t, func() string {
		if n := w.service.Totals(); n.Cancelled != 1 || n.Running != 0 {
			return fmt.Sprintf("%+v", n)
		}
		return ""
	})

	path := w.ask("POST", "/api/v1/queries", submit("SELECT n FROM gate", `"wait_ms": 0`)).Header.Get("Location")
	g := w.catalog["gate"].(gate)
	g.open <- 0
	for _, follow := range []string{"/events", "/results?format=csv", "/results?wait_ms=60000&from=5000", "?wait_ms=60000"} {
		ctx, leave := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if res := w.begin(ctx, "GET", path+follow, ""); res != nil {
			if _, err := res.Body.Read(make([]byte, 1)); err != nil && ctx.Err() == nil {
				t.Errorf("%s: %v", follow, err)
			}
			leave()
			res.Body.Close()
		}
		leave()
	}
	until(t, func() string {
		if n := len(w.handler.free); n > 0 {
			return fmt.Sprintf("%d requests are still answered", n)
		}
		return ""
	})
	if q := w.ask("GET", path, "").json(t); q["state"] != "running" {
		t.Errorf("%v", q)
	}
	close(g.open)
	if q := w.ask("GET", path+"?wait_ms=60000", "").json(t); q["state"] != "succeeded" || q["rows_ready"] != 1000.0 {
		t.Errorf("%v", q)
	}
}

// The history lists newest first, page by page, and by state.
func TestHistory(t *testing.T) {
	w := newWorld(t, nil)
	var ids []string
	for i := range 5 {
		ids = append([]string{w.run(fmt.Sprintf("SELECT %d", i)).ID}, ids...)
	}
	bad := w.run("SELECT nope FROM big").ID
	ids = append([]string{bad}, ids...)
	var got []string
	for path := any("/api/v1/queries?limit=2"); path != nil; {
		page := w.ask("GET", path.(string), "").json(t)
		for _, q := range page["queries"].([]any) {
			got = append(got, at(q, "id").(string))
		}
		path = page["next"]
	}
	if strings.Join(got, " ") != strings.Join(ids, " ") {
		t.Errorf("%q, want %q", got, ids)
	}
	failed := w.ask("GET", "/api/v1/queries?state=failed", "").json(t)["queries"].([]any)
	if len(failed) != 1 || at(failed[0], "id") != bad || at(failed[0], "error", "column") != 8.0 {
		t.Errorf("%v", failed)
	}
	if a := w.ask("GET", "/api/v1/queries?before=nonsense", ""); a.StatusCode != 404 {
		t.Errorf("%s %s", a.Status, a.body)
	}
}

// A client may say what it is; the history then tells its parts apart.
func TestSource(t *testing.T) {
	w := newWorld(t, nil)
	for given, want := range map[string]string{"": "rest", `"source": "shell completion"`: "shell completion"} {
		var fields []string
		if given != "" {
			fields = append(fields, given)
		}
		if q := w.ask("POST", "/api/v1/queries", submit("SELECT 1", fields...)).json(t); q["source"] != want {
			t.Errorf("%s: %v, want %s", given, q["source"], want)
		}
	}
	q, err := w.client.Submit(t.Context(), service.Request{SQL: "SELECT 2", Source: "dashboard"})
	if err != nil || q.Source != "dashboard" {
		t.Errorf("%q, %v", q.Source, err)
	}
}

// The same statement over the same snapshot is answered from the cache, unless the asker wants it fresh.
func TestFresh(t *testing.T) {
	w := newWorld(t, nil)
	for _, c := range []struct {
		more   []string
		cached bool
	}{{nil, false}, {nil, true}, {[]string{`"fresh": true`}, false}} {
		if q := w.ask("POST", "/api/v1/queries", submit("SELECT count(*) FROM big", c.more...)).json(t); q["cached"] != c.cached || fmt.Sprint(q["rows"]) != "[[100000]]" {
			t.Errorf("%q: cached %v, rows %v", c.more, q["cached"], q["rows"])
		}
	}
}

// A result that is no longer kept is gone, and its query still known.
func TestExpired(t *testing.T) {
	var late atomic.Int64 // hours
	w := newWorld(t, func(c *service.Config, _ *Config) {
		c.Now = func() time.Time { return time.Now().Add(time.Duration(late.Load()) * time.Hour) }
		c.Limits.Keep = time.Hour
	})
	path := queryPath(w.run("SELECT 1").ID)
	late.Store(2)
	for _, format := range []string{"json", "csv"} {
		a := w.ask("GET", path+"/results?format="+format, "")
		if a.StatusCode != http.StatusGone || at(a.json(t), "error", "kind") != "expired" {
			t.Errorf("%s %s", a.Status, a.body)
		}
	}
	if a := w.ask("GET", path, ""); a.StatusCode != 200 || a.json(t)["state"] != "succeeded" {
		t.Errorf("%s %s", a.Status, a.body)
	}
}

// event of a stream of server-sent events.
type event struct {
	id, name string
	data     object
}

func (w *world) events(path, lastID string, each func(event)) (all []event) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), "GET", w.server.URL+path+"/events", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testToken)
	req.Header.Set("Last-Event-ID", lastID)
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	if res.Header.Get("Content-Type") != "text/event-stream" {
		w.t.Fatalf("%s %v", res.Status, res.Header)
	}
	var e event
	for in := bufio.NewScanner(res.Body); in.Scan(); {
		name, value, _ := strings.Cut(in.Text(), ": ")
		switch name {
		case "id":
			e.id = value
		case "event":
			e.name = value
		case "data":
			conforms(w.t, "Query", []byte(value))
			if err := json.Unmarshal([]byte(value), &e.data); err != nil {
				w.t.Fatal(err)
			}
		case "":
			each(e)
			all = append(all, e)
			e = event{}
		}
	}
	return all
}

// Progress only grows, each event has the next number, the last is "done", and then the stream ends.
func TestEvents(t *testing.T) {
	w := newWorld(t, nil)
	g := w.catalog["gate"].(gate)
	path := w.ask("POST", "/api/v1/queries", submit("SELECT n FROM gate", `"wait_ms": 0`)).Header.Get("Location")
	let := 0
	var last [3]float64
	all := w.events(path, "", func(e event) {
		now := [3]float64{e.data["rows_ready"].(float64), at(e.data, "stats", "rows_read").(float64), at(e.data, "stats", "elapsed_ms").(float64)}
		for i := range now {
			if now[i] < last[i] {
				t.Errorf("event %s: %v follows %v", e.id, now, last)
			}
		}
		last = now
		if now[1] < float64(let) {
			return
		}
		switch let += 1000; {
		case let <= 3000:
			g.open <- let - 1000
		case let == 4000:
			close(g.open)
		}
	})
	if len(all) < 5 || last[0] != 3000 || last[1] != 3000 {
		t.Errorf("%d events, the last with %v", len(all), last)
	}
	for i, e := range all {
		want := "progress"
		if i == len(all)-1 {
			want = "done"
		}
		if e.id != fmt.Sprint(i+1) || e.name != want || (e.data["state"] == "succeeded") != (want == "done") {
			t.Errorf("event %d: %s %s %v", i+1, e.id, e.name, e.data["state"])
		}
	}
	again := w.events(path, "41", func(event) {})
	if len(again) != 1 || again[0].id != "42" || again[0].name != "done" {
		t.Errorf("who comes back gets %v", again)
	}
}
