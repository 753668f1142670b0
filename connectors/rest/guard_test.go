package rest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/trailql/trailql/engine/service"
)

// Each kind of bad request is answered in the one form, and says what is wrong and where.
func TestBadRequests(t *testing.T) {
	w := newWorld(t, func(c *service.Config, _ *Config) { c.Limits.Rows = 1000 })
	id := w.run("SELECT 1").ID
	ok := submit("SELECT 1")
	long := submit("SELECT '" + strings.Repeat("x", 270_000) + "'")
	const queries = "/api/v1/queries"
	for _, c := range []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		kind, in, field          string
		says                     string // in message or hint
	}{
		// who asks
		{"no token", "GET", queries, "", []string{"Authorization:"}, 401, "unauthorized", "header", "Authorization", "no token"},
		{"wrong token", "GET", queries, "", []string{"Authorization: Bearer " + testToken + "0"}, 401, "unauthorized", "header", "Authorization", "not this server's"},
		{"half a token", "GET", queries, "", []string{"Authorization: Bearer " + testToken[:31]}, 401, "unauthorized", "header", "Authorization", ""},
		{"basic", "GET", queries, "", []string{"Authorization: Basic " + testToken}, 401, "unauthorized", "header", "Authorization", "Bearer TOKEN"},
		{"no token for what is not there", "GET", "/nix", "", []string{"Authorization:"}, 401, "unauthorized", "header", "Authorization", ""},
		{"metrics", "GET", "/metrics", "", []string{"Authorization:"}, 401, "unauthorized", "header", "Authorization", ""},
		{"a stranger's name", "GET", queries, "", []string{"Host: evil.example:8765"}, 421, "forbidden", "header", "Host", "evil.example"},
		{"a stranger's name for the open page", "GET", "/healthz", "", []string{"Host: evil.example"}, 421, "forbidden", "header", "Host", "--host"},
		{"a name that begins like ours", "GET", queries, "", []string{"Host: localhost.evil.example"}, 421, "forbidden", "header", "Host", ""},
		{"another site's page", "POST", queries, ok, []string{"Sec-Fetch-Site: cross-site"}, 403, "forbidden", "header", "Sec-Fetch-Site", "another site"},
		{"another site's page, old browser", "POST", queries, ok, []string{"Origin: https://evil.example"}, 403, "forbidden", "header", "Origin", ""},
		{"another site's page deletes", "DELETE", queries + "/" + id, "", []string{"Origin: null"}, 403, "forbidden", "header", "Origin", ""},
		// where
		{"no such path", "GET", "/api/v2/queries", "", nil, 404, "not_found", "", "", "openapi.json"},
		{"no such query", "GET", queries + "/00000000-0000-4000-8000-000000000000", "", nil, 404, "not_found", "", "", "no such query"},
		{"no id", "GET", queries + "/..%2f..%2fetc%2fpasswd/results", "", nil, 404, "not_found", "", "", "no such query"},
		{"no such query to cancel", "DELETE", queries + "/x", "", nil, 404, "not_found", "", "", ""},
		{"no such query's results", "GET", queries + "/x/results", "", nil, 404, "not_found", "", "", ""},
		{"no such query's events", "GET", queries + "/x/events", "", nil, 404, "not_found", "", "", ""},
		{"method", "PUT", queries, ok, nil, 405, "method", "", "", "GET, HEAD, POST"},
		{"method of a query", "POST", queries + "/" + id, ok, nil, 405, "method", "", "", "DELETE, GET, HEAD"},
		// the body
		{"type", "POST", queries, ok, []string{"Content-Type: application/x-www-form-urlencoded"}, 415, "media_type", "header", "Content-Type", "application/json"},
		{"no type", "POST", queries, ok, []string{"Content-Type:"}, 415, "media_type", "header", "Content-Type", ""},
		{"text that a browser may send", "POST", queries, ok, []string{"Content-Type: text/plain"}, 415, "media_type", "header", "Content-Type", ""},
		{"large body", "POST", queries, strings.Repeat(" ", maxBody+1), nil, 413, "too_long", "", "", "2097152"},
		{"long statement", "POST", queries, long, nil, 413, "too_long", "", "", "too long"},
		{"unknown field", "POST", queries, `{"sql": "SELECT 1", "wait": 3}`, nil, 400, "request", "body", "wait", "wait_ms"},
		{"case of a field", "POST", queries, `{"SQL": "SELECT 1"}`, nil, 400, "request", "body", "SQL", "sql"},
		{"field twice", "POST", queries, `{"sql": "SELECT 1", "sql": "SELECT 2"}`, nil, 400, "request", "body", "sql", "twice"},
		{"wrong type", "POST", queries, `{"sql": 1}`, nil, 400, "request", "body", "sql", "text"},
		{"wrong number", "POST", queries, `{"sql": "SELECT 1", "rows": 1.5}`, nil, 400, "request", "body", "rows", "whole number"},
		{"number as text", "POST", queries, `{"sql": "SELECT 1", "rows": "5"}`, nil, 400, "request", "body", "rows", "whole number"},
		{"too many rows", "POST", queries, `{"sql": "SELECT 1", "rows": 100001}`, nil, 400, "request", "body", "rows", "from 1 to 100000"},
		{"too long a wait", "POST", queries, `{"sql": "SELECT 1", "wait_ms": 60001}`, nil, 400, "request", "body", "wait_ms", "60000"},
		{"limit below nothing", "POST", queries, `{"sql": "SELECT 1", "max_bytes": -1}`, nil, 400, "request", "body", "max_bytes", "from 1"},
		{"not true or false", "POST", queries, `{"sql": "SELECT 1", "fresh": 1}`, nil, 400, "request", "body", "fresh", "true or false"},
		{"no list of parameters", "POST", queries, submit("SELECT ?", `"params": "1"`), nil, 400, "request", "body", "params", "array of texts"},
		{"a number as parameter", "POST", queries, submit("SELECT ?", `"params": [1]`), nil, 400, "request", "body", "params", "array of texts"},
		{"null as parameter", "POST", queries, submit("SELECT ?", `"params": [null]`), nil, 400, "request", "body", "params", "array of texts"},
		{"no session", "POST", queries, submit("SELECT 1", `"session": null`), nil, 400, "request", "body", "session", "must be an object"},
		{"a session's unknown field", "POST", queries, submit("SELECT 1", `"session": {"Schema": "x"}`), nil, 400, "request", "body", "session", "known: catalog, schema"},
		{"a session's wrong field", "POST", queries, submit("SELECT 1", `"session": {"schema": 1}`), nil, 400, "request", "body", "session", "schema that must be a text"},
		{"a session's wrong list", "POST", queries, submit("SELECT 1", `"session": {"prepared": ["a"]}`), nil, 400, "request", "body", "session", "prepared that must be"},
		{"a session's null", "POST", queries, submit("SELECT 1", `"session": {"properties": {"a": null}}`), nil, 400, "request", "body", "session", "properties that must be"},
		{"no statement", "POST", queries, `{}`, nil, 400, "request", "body", "sql", "no statement"},
		{"blank statement", "POST", queries, `{"sql": " \n"}`, nil, 400, "request", "body", "sql", "no statement"},
		{"no object", "POST", queries, `["sql"]`, nil, 400, "request", "body", "", "object"},
		{"cut off", "POST", queries, `{"sql": "SELECT`, nil, 400, "request", "body", "", "not JSON"},
		{"more behind", "POST", queries, ok + "x", nil, 400, "request", "body", "", "not JSON"},
		// parameters
		{"unknown parameter", "GET", queries + "?limits=3", "", nil, 400, "request", "query", "limits", "limit, before, state"},
		{"parameter twice", "GET", queries + "?limit=3&limit=4", "", nil, 400, "request", "query", "limit", "twice"},
		{"no number", "GET", queries + "?limit=many", "", nil, 400, "request", "query", "limit", "from 1 to 1000"},
		{"no state", "GET", queries + "?state=dead", "", nil, 400, "request", "query", "state", "succeeded"},
		{"parameter where there is none", "DELETE", queries + "/" + id + "?force=1", "", nil, 400, "request", "query", "force", ""},
		{"not well-formed", "GET", queries + "?limit=%zz", "", nil, 400, "request", "query", "", "well-formed"},
		{"no format", "POST", queries + "?format=xml", ok, nil, 400, "request", "query", "format", "ndjson"},
		{"no media type", "POST", queries, ok, []string{"Accept: text/html"}, 406, "not_acceptable", "header", "Accept", "?format="},
		{"before the first row", "GET", queries + "/" + id + "/results?from=-1", "", nil, 400, "request", "query", "from", ""},
		{"a page too large", "GET", queries + "/" + id + "/results?rows=100001", "", nil, 400, "request", "query", "rows", ""},
		{"a wait too long", "GET", queries + "/" + id + "?wait_ms=1e3", "", nil, 400, "request", "query", "wait_ms", "1e3"},
		{"a source too long", "POST", queries, submit("SELECT 1", `"source": "`+strings.Repeat("x", 65)+`"`), nil, 400, "request", "body", "source", ""},
		// the statement
		{"syntax", "POST", queries, submit("SELEC 1"), nil, 400, "syntax", "", "", ""},
		{"name", "POST", queries, submit("SELECT nn FROM big"), nil, 400, "name", "", "", `did you mean "n"?`},
		{"type of a value", "POST", queries, submit("SELECT 'a' + 1"), nil, 400, "type", "", "", ""},
		{"value", "POST", queries, submit("SELECT 1 / 0"), nil, 400, "value", "", "", "division by zero"},
		{"a session that cannot be", "POST", queries, submit("SELECT 1", `"session": {"properties": {"time_zone_id": "Mars"}}`), nil, 400, "value", "", "", "no time zone"},
		{"a parameter that is more than a literal", "POST", queries, submit("SELECT ?", `"params": ["1 OR true"]`), nil, 400, "syntax", "", "", "is a literal"},
		{"unsupported", "POST", queries, submit("EXPLAIN SHOW TABLES"), nil, 400, "unsupported", "", "", ""},
		{"rows over the server's limit", "POST", queries, submit("SELECT n FROM big"), nil, 422, "resource", "", "", ""},
		{"rows over the asker's limit", "POST", queries, submit("SELECT n FROM big LIMIT 10", `"max_rows": 5`), nil, 422, "resource", "", "", ""},
		{"rows over the server's limit, whatever the asker says", "POST", queries, submit("SELECT n FROM big", `"max_rows": 50000`), nil, 422, "resource", "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := *w
			w.t = t
			a := w.ask(c.method, c.path, c.body, c.headers...)
			if a.StatusCode != c.status || a.Header.Get("Content-Type") != "application/json" {
				t.Fatalf("%s, want %d\n%s", a.Status, c.status, a.body)
			}
			conforms(t, "Failure", a.body)
			e := a.json(t)["error"].(map[string]any)
			text := func(name string) string { s, _ := e[name].(string); return s }
			if text("kind") != c.kind || text("in") != c.in || text("name") != c.field || !strings.Contains(text("message")+" "+text("hint"), c.says) {
				t.Errorf("%s", a.body)
			}
			for _, jargon := range []string{"strconv", "json:", "*http", "runtime", "panic", "context", "%!"} {
				if strings.Contains(text("message")+text("hint"), jargon) {
					t.Errorf("%s", a.body)
				}
			}
			for _, name := range []string{"X-Content-Type-Options", "Cache-Control", "Content-Security-Policy"} {
				if a.Header.Get(name) == "" {
					t.Errorf("no header %s", name)
				}
			}
			if a.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Error("another site may read the answer")
			}
			if auth := a.Header.Get("WWW-Authenticate"); (auth != "") != (c.status == 401) {
				t.Errorf("WWW-Authenticate: %q", auth)
			}
			if allow := a.Header.Get("Allow"); (allow != "") != (c.status == 405) {
				t.Errorf("Allow: %q", allow)
			}
		})
	}
}

// Mistakes in the body and in the statement have line and column, counted in characters.
func TestPlaces(t *testing.T) {
	w := newWorld(t, nil)
	for _, c := range []struct {
		body         string
		line, column float64
	}{
		{"{\"sql\": \"SELECT 1\",\n  \"wat\": 1}", 2, 3},
		{"{\"sql\": \"žlutý\", \"rows\": true}", 1, 26},
		{"{\"sql\": \"SELECT 1\",\n \"rows\": }", 2, 10},
		{"{\"sql\":\n", 2, 1},
		{"", 1, 1},
		{" 7", 1, 2},
		{submit("SELECT\n  'ž', nope FROM big"), 2, 8},
	} {
		e := w.ask("POST", "/api/v1/queries", c.body, "Content-Type: application/json").json(t)["error"].(map[string]any)
		if e["line"] != c.line || e["column"] != c.column {
			t.Errorf("%q: %v:%v, want %v:%v (%v)", c.body, e["line"], e["column"], c.line, c.column, e["message"])
		}
	}
	e := w.ask("POST", "/api/v1/queries", submit("SELECT\n  'ž', nope FROM big")).json(t)["error"].(map[string]any)
	if want := "line 2:8: column \"nope\" does not exist\n    'ž', nope FROM big\n         ^"; e["text"] != want {
		t.Errorf("%v", e["text"])
	}
}

// Names by which the server may be called, in every spelling.
func TestHosts(t *testing.T) {
	w := newWorld(t, func(_ *service.Config, c *Config) { c.Hosts = []string{"Trails.Example.com", "192.0.2.1", "::"} })
	for _, host := range []string{"localhost", "LOCALHOST:8765", "127.0.0.1:1", "[::1]:8765", "[::1]", "trails.example.com", "trails.example.com.:443", "192.0.2.1:80"} {
		if a := w.ask("GET", "/api/v1/queries", "", "Host: "+host); a.StatusCode != 200 {
			t.Errorf("%s: %s", host, a.Status)
		}
	}
	if a := w.ask("GET", "/healthz", "", "Authorization:"); a.StatusCode != 200 || string(a.body) != "{\"status\":\"ok\"}\n" {
		t.Errorf("%s %s", a.Status, a.body)
	}
	if a := w.ask("POST", "/api/v1/queries", submit("SELECT 1"), "Sec-Fetch-Site: same-origin", "Authorization: bearer  "+testToken); a.StatusCode != 200 {
		t.Errorf("a page of our own: %s", a.Status)
	}
}

// A server without a token lets nobody in, also not who shows none.
func TestNoTokenNoEntry(t *testing.T) {
	w := newWorld(t, func(_ *service.Config, c *Config) { c.Token = "" })
	for _, header := range []string{"Authorization:", "Authorization: Bearer", "Authorization: Bearer "} {
		if a := w.ask("GET", "/api/v1/queries", "", header); a.StatusCode != 401 {
			t.Errorf("%q: %s", header, a.Status)
		}
	}
}

// A defect in a handler costs its request, not the process.
func TestAPanicIsAnAnswer(t *testing.T) {
	w := newWorld(t, nil)
	whole := w.handler.Service
	w.handler.Service = nil
	a := w.ask("GET", "/api/v1/queries", "")
	w.handler.Service = whole
	if a.StatusCode != 500 || !strings.Contains(string(a.body), "defect") || strings.Contains(string(a.body), "goroutine") {
		t.Errorf("%s %s", a.Status, a.body)
	}
	conforms(t, "Failure", a.body)
	if !strings.Contains(w.logged.String(), "GET /api/v1/queries") || strings.Contains(w.logged.String(), testToken) {
		t.Errorf("logged: %s", w.logged)
	}
	w.logged.Reset()
	if a := w.ask("GET", "/api/v1/queries", ""); a.StatusCode != 200 {
		t.Errorf("afterwards: %s", a.Status)
	}
}

// Who comes when all places are taken is told to come again; the open page answers still.
func TestTooManyRequests(t *testing.T) {
	w := newWorld(t, func(_ *service.Config, c *Config) { c.Requests = 1 })
	w.handler.free <- struct{}{}
	a := w.ask("GET", "/api/v1/queries", "")
	if a.StatusCode != 429 || a.Header.Get("Retry-After") == "" {
		t.Errorf("%s %v", a.Status, a.Header)
	}
	if a := w.ask("GET", "/healthz", ""); a.StatusCode != 200 {
		t.Errorf("healthz: %s", a.Status)
	}
	<-w.handler.free
	for range 3 { // each place is given back
		if a := w.ask("GET", "/api/v1/queries", ""); a.StatusCode != 200 {
			t.Errorf("afterwards: %s", a.Status)
		}
	}
}

// When the queue is full, the answer says when to come again.
func TestBusy(t *testing.T) {
	w := newWorld(t, func(c *service.Config, _ *Config) { c.Limits.Concurrent, c.Limits.Queue = 1, 1 })
	var last answer
	for range 3 {
		last = w.ask("POST", "/api/v1/queries", submit("SELECT n FROM gate", `"wait_ms": 0`, `"fresh": true`))
	}
	if last.StatusCode != 429 || last.Header.Get("Retry-After") == "" || last.json(t)["error"].(map[string]any)["kind"] != "busy" {
		t.Errorf("%s %s", last.Status, last.body)
	}
}

// A client that asks for much and reads nothing is given up, and the memory and goroutines it held come back (newWorld looks).
func TestAClientThatDoesNotRead(t *testing.T) {
	w := newWorld(t, nil)
	w.handler.stall = 50 * time.Millisecond
	id := w.run("SELECT rpad('x', 100000, 'y') FROM big LIMIT 1000").ID // 100 MB: more than any buffer on the way
	conn, err := net.Dial("tcp", w.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET %s/results?format=csv HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n", queryPath(id), testToken)
	head, err := bufio.NewReaderSize(conn, 16).ReadString('\n')
	if err != nil || !strings.Contains(head, "200") {
		t.Fatalf("%q %v", head, err)
	}
	until(t, func() string {
		if n := len(w.handler.free); n > 0 {
			return fmt.Sprintf("%d requests are still answered", n)
		}
		return ""
	})
	if n, err := io.Copy(io.Discard, conn); n > 90_000_000 {
		t.Errorf("%d bytes came all the same (%v)", n, err)
	}
}

// A body that does not come does not hold its request for ever, and a header that is too large is refused.
func TestSlowAndLargeRequests(t *testing.T) {
	w := newWorld(t, nil)
	if a := w.ask("GET", "/healthz", "", "X-Large: "+strings.Repeat("x", 200<<10)); a.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a header of 200 KiB: %s", a.Status)
	}
	w.handler.bodyTime = 50 * time.Millisecond
	for _, token := range []string{testToken, "wrong"} { // who has no token must not hold a connection either
		conn, err := net.Dial("tcp", w.server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "POST /api/v1/queries HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\nContent-Length: 100\r\n\r\n{", token)
		answer, err := io.ReadAll(conn) // to the end of the connection
		if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 40") {
			t.Errorf("%v\n%s", err, answer)
		}
		conn.Close()
	}
	s := Server(w.handler, nil)
	if s.ReadHeaderTimeout == 0 || s.IdleTimeout == 0 || s.ReadTimeout != 0 || s.WriteTimeout != 0 {
		t.Errorf("%+v: a header and an idle connection need an end; long answers must not have one", s)
	}
}

// The labels of the metrics are ours: what strangers make up makes no new series.
func TestMetrics(t *testing.T) {
	w := newWorld(t, nil)
	w.run("SELECT 1")
	w.ask("MADEUP", "/api/v1/queries", "")
	w.ask("GET", "/madeup/path", "")
	w.ask("GET", "//madeup/../madeup2", "")
	w.ask("GET", "/api/v1/queries/madeup", "")
	a := w.ask("GET", "/metrics", "")
	for _, line := range []string{
		`trailql_http_requests_total{code="405",method="other",route="other"} 1`, `trailql_http_requests_total{code="404",method="GET",route="other"} 2`,
		`trailql_http_requests_total{code="404",method="GET",route="/api/v1/queries/{id}"} 1`, `trailql_queries_total{state="succeeded"} 1`,
		`trailql_queries_running 0`, `trailql_queries_queued 0`, `trailql_http_requests_running 1`, `trailql_result_rows_total 1`, `trailql_build_info{version="test"} 1`,
	} {
		if !strings.Contains(string(a.body), line+"\n") {
			t.Errorf("there is no %s", line)
		}
	}
	if strings.Contains(strings.ToLower(string(a.body)), "madeup") || a.StatusCode != 200 {
		t.Errorf("%s\n%s", a.Status, a.body)
	}
}
