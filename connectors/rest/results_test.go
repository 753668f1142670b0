package rest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/trailql/trailql/engine/service"
	"github.com/trailql/trailql/engine/sqltype"
)

// every has a column of each type, those in which zones and intervals are hidden deeper among them, and NULLs.
const every = `SELECT n, name, CAST(n AS tinyint) AS t, CAST(n AS real) / 3 AS r, CAST(n AS double) / 7 AS d, CAST(n AS decimal(20,3)) AS c, n % 2 = 0 AS b,
	date '2026-03-01' + n * interval '1' day AS da, time '01:02:03.004' AS ti, timestamp '2026-03-01 00:00:00.123456' + n * interval '1' hour AS ts,
	at_timezone(timestamp '2026-03-29 00:30:00 UTC' + n * interval '1' hour, 'Europe/Berlin') AS tz,
	IF(n = 2, NULL, timestamp '2026-03-29 00:30:00 +05:30') AS tn,
	n * interval '1' minute AS i, interval '3' month AS y, to_utf8(name) AS v, NULL AS u, CAST(name AS json) AS j,
	ARRAY[name, 'x', NULL] AS a, MAP(ARRAY['k', 'l'], ARRAY[n, NULL]) AS m, CAST(ROW(n, name) AS row(x bigint, y varchar)) AS o,
	ARRAY[ROW(at_timezone(timestamp '2026-03-29 00:30:00 UTC', 'Asia/Tokyo'), interval '1' day), NULL] AS nested, ARRAY[NULL, NULL] AS nulls,
	MAP(ARRAY[timestamp '2026-03-29 00:30:00 America/New_York'], ARRAY[n]) AS keyed, name AS name
	FROM big WHERE n < 5 ORDER BY n`

// A JSON page has the engine's values, as AppendJSON writes them, and the columns with their SQL types.
func TestPageHasEveryType(t *testing.T) {
	w := newWorld(t, nil)
	a := w.ask("POST", "/api/v1/queries", submit(every))
	if a.StatusCode != http.StatusOK || a.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%s\n%s", a.Status, a.body)
	}
	var page struct {
		Columns []sqltype.Column    `json:"columns"`
		Rows    [][]json.RawMessage `json:"rows"`
		Next    *string             `json:"next"`
		State   string              `json:"state"`
	}
	if err := json.Unmarshal(a.body, &page); err != nil {
		t.Fatal(err)
	}
	columns, batches := w.engine(every)
	if len(page.Columns) != len(columns) || len(page.Rows) != 5 || page.Next != nil || page.State != "succeeded" {
		t.Fatalf("%s", a.body)
	}
	row := 0
	for _, b := range batches {
		for i := range b.Len {
			for c, col := range b.Cols {
				if want := string(sqltype.AppendJSON(nil, columns[c].Type, col, i)); string(page.Rows[row][c]) != want {
					t.Errorf("row %d, %s: %s, want %s", row, columns[c].Name, page.Rows[row][c], want)
				}
			}
			row++
		}
	}
	for c, col := range columns {
		if page.Columns[c].Name != col.Name || !page.Columns[c].Type.Equal(col.Type) {
			t.Errorf("column %d is %v, want %s %s", c, page.Columns[c], col.Name, col.Type)
		}
	}
}

// Each format is what the sink writes of the engine's answer, whether it comes with the submission or later, whole or in parts.
func TestFormatsAreTheSinks(t *testing.T) {
	w := newWorld(t, nil)
	columns, batches := w.engine(every)
	for _, f := range []struct{ format, accept, sink string }{
		{"ndjson", "application/x-ndjson", "jsonl"}, {"csv", "text/csv, */*;q=0.1", "csv"}, {"arrow", "application/vnd.apache.arrow.stream", "arrow"},
	} {
		want := sunk(t, f.sink, columns, batches)
		same := func(how string, a answer) {
			t.Helper()
			media, _, _ := strings.Cut(f.accept, ",")
			if a.StatusCode != http.StatusOK || a.Header.Get("Content-Type") != media {
				t.Fatalf("%s %s: %s %s\n%s", f.format, how, a.Status, a.Header, a.body)
			}
			got, want := string(a.body), want
			if f.format == "arrow" { // where batches end is nobody's business
				got, want = records(t, got), records(t, want)
			}
			if got != want {
				t.Errorf("%s %s:\n%s\nwant\n%s", f.format, how, got, want)
			}
		}
		a := w.ask("POST", "/api/v1/queries?format="+f.format, submit(every))
		same("with the submission", a)
		path := a.Header.Get("Location") + "/results"
		same("later", w.ask("GET", path+"?format="+f.format, ""))
		same("by Accept", w.ask("GET", path, "", "Accept: "+f.accept))

		all := want
		if f.format != "arrow" {
			var got strings.Builder
			for from := range 5 {
				part := string(w.ask("GET", fmt.Sprintf("%s?format=%s&from=%d&rows=1", path, f.format, from), "").body)
				if head, rest, _ := strings.Cut(part, "\n"); f.format == "csv" && from > 0 {
					if !strings.HasPrefix(all, head+"\n") {
						t.Errorf("a part of csv has the head %q", head)
					}
					part = rest
				}
				got.WriteString(part)
			}
			if got.String() != all {
				t.Errorf("%s in parts:\n%s\nwant\n%s", f.format, got.String(), all)
			}
		}
	}
}

func records(t *testing.T, stream string) string {
	t.Helper()
	r, err := ipc.NewReader(strings.NewReader(stream))
	if err != nil {
		t.Fatal(err)
	}
	out := r.Schema().String()
	for r.Next() {
		for c, col := range r.RecordBatch().Columns() {
			for row := range col.Len() {
				out += fmt.Sprintf("\n%d %d %s", c, row, col.ValueStr(row))
			}
		}
	}
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	return out
}

// 100,000 rows by pages of any size, by the links, are the engine's answer.
func TestPagingIsTheEnginesAnswer(t *testing.T) {
	const sql = "SELECT n, name FROM big ORDER BY n DESC"
	w := newWorld(t, nil)
	columns, batches := w.engine(sql)
	want := make([]string, 0, bigRows)
	for _, b := range batches {
		for i := range b.Len {
			line := append([]byte("["), sqltype.AppendJSON(nil, columns[0].Type, b.Cols[0], i)...)
			line = sqltype.AppendJSON(append(line, ','), columns[1].Type, b.Cols[1], i)
			want = append(want, string(append(line, ']')))
		}
	}
	for _, size := range []int{1000, 7_777, 100_000} {
		a := w.ask("POST", "/api/v1/queries", submit(sql, fmt.Sprintf(`"rows": %d`, size)))
		at := 0
		for pages := 0; ; pages++ {
			var page struct {
				From int               `json:"from"`
				Rows []json.RawMessage `json:"rows"`
				Next *string           `json:"next"`
			}
			if err := json.Unmarshal(a.body, &page); err != nil || a.StatusCode != http.StatusOK {
				t.Fatalf("%s: %v", a.Status, err)
			}
			if page.From != at || len(page.Rows) > size || len(page.Rows) < size && page.Next != nil {
				t.Fatalf("pages of %d: a page from %d (want %d) has %d rows", size, page.From, at, len(page.Rows))
			}
			for _, row := range page.Rows {
				if string(row) != want[at] {
					t.Fatalf("pages of %d: row %d is %s, want %s", size, at, row, want[at])
				}
				at++
			}
			if page.Next == nil {
				break
			}
			a = w.ask("GET", *page.Next, "")
		}
		if at != bigRows {
			t.Errorf("pages of %d: %d rows", size, at)
		}
	}
}

// A page ends where it is large, however many rows are asked for, and the next goes on there.
func TestLargeRowsMakeShortPages(t *testing.T) {
	w := newWorld(t, nil)
	a := w.ask("POST", "/api/v1/queries", submit("SELECT n, rpad('x', 1000000, 'y') FROM big WHERE n < 40", `"rows": 40`))
	rows := 0
	for pages := 1; ; pages++ {
		var page struct {
			Rows []json.RawMessage `json:"rows"`
			Next *string           `json:"next"`
		}
		if err := json.Unmarshal(a.body, &page); err != nil || len(page.Rows) == 0 {
			t.Fatalf("%v\n%.500s", err, a.body)
		}
		rows += len(page.Rows)
		if len(a.body) > pageBytes+2<<20 {
			t.Errorf("a page of %d bytes", len(a.body))
		}
		if page.Next == nil {
			if rows != 40 || pages < 3 {
				t.Errorf("%d rows in %d pages; 40 MB do not fit into two", rows, pages)
			}
			return
		}
		a = w.ask("GET", *page.Next, "")
	}
}

// A result that runs is paged as it comes: what is there is given at once, the rest has a link; who waits in vain gets the same link again.
func TestPagesOfARunningQuery(t *testing.T) {
	w := newWorld(t, nil)
	g := w.catalog["gate"].(gate)
	a := w.ask("POST", "/api/v1/queries", submit("SELECT n FROM gate", `"wait_ms": 0`))
	if a.StatusCode != http.StatusAccepted || a.Header.Get("Location") == "" {
		t.Fatalf("%s\n%s", a.Status, a.body)
	}
	path := a.Header.Get("Location") + "/results?rows=1500"
	g.open <- 0
	page := w.ask("GET", path+"&wait_ms=60000", "").json(t)
	if n := len(page["rows"].([]any)); n != 1000 || page["state"] != "running" {
		t.Fatalf("%d rows, %v", n, page["state"])
	}
	next := page["next"].(string)
	page = w.ask("GET", next+"&wait_ms=1", "").json(t)
	if len(page["rows"].([]any)) != 0 || page["next"] != next {
		t.Fatalf("%v", page)
	}
	g.open <- 1000
	close(g.open)
	var got []any
	for next := any(next); next != nil; next = page["next"] {
		page = w.ask("GET", next.(string), "").json(t)
		got = append(got, page["rows"].([]any)...)
	}
	if len(got) != 1000 || fmt.Sprint(got[999]) != "[1999]" {
		t.Errorf("%d rows, the last %v", len(got), got[len(got)-1])
	}
}

// What is whole has an ETag, and HEAD tells of it without a body; what runs has none.
func TestETagAndHead(t *testing.T) {
	w := newWorld(t, nil)
	q := w.run("SELECT n FROM big LIMIT 3")
	path := queryPath(q.ID) + "/results?format=csv"
	a := w.ask("GET", path, "")
	tag := a.Header.Get("ETag")
	if tag == "" || string(a.body) != "n\n0\n1\n2\n" {
		t.Fatalf("%v %s", a.Header, a.body)
	}
	head := w.ask("HEAD", path, "")
	if head.StatusCode != http.StatusOK || len(head.body) != 0 || head.Header.Get("ETag") != tag || head.Header.Get("Content-Type") != "text/csv" {
		t.Errorf("%s %v %q", head.Status, head.Header, head.body)
	}
	for given, status := range map[string]int{tag: 304, "W/" + tag: 304, `"x", ` + tag: 304, `"x"`: 200} {
		if a := w.ask("GET", path, "", "If-None-Match: "+given); a.StatusCode != status || status == 304 && len(a.body) > 0 {
			t.Errorf("%s: %s", given, a.Status)
		}
	}
	seen := []string{tag}
	for _, other := range []string{"?format=json", "?format=csv&from=1", "?format=csv&rows=1"} {
		tag := w.ask("HEAD", queryPath(q.ID)+"/results"+other, "").Header.Get("ETag")
		if slices.Contains(seen, tag) {
			t.Errorf("%s has the tag of another part: %s", other, tag)
		}
		seen = append(seen, tag)
	}
	running := w.ask("POST", "/api/v1/queries", submit("SELECT n FROM gate", `"wait_ms": 0`))
	if tag := w.ask("HEAD", running.Header.Get("Location")+"/results", "").Header.Get("ETag"); tag != "" {
		t.Errorf("a result that is not whole has the tag %s", tag)
	}
}

// A query that fails while it is streamed cuts the stream, so that no client takes the part for the whole.
func TestAStreamOfAFailingQueryIsCut(t *testing.T) {
	w := newWorld(t, nil)
	g := w.catalog["gate"].(gate)
	for _, format := range []string{"csv", "ndjson", "arrow", "exact"} {
		a := w.ask("POST", "/api/v1/queries", submit("SELECT 1 / (n - 2500) AS x FROM gate", `"wait_ms": 0`, `"fresh": true`))
		path := a.Header.Get("Location")
		g.open <- 0
		req, err := http.NewRequestWithContext(t.Context(), "GET", w.server.URL+path+"/results?format="+format, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+testToken)
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %v %v", format, res, err)
		}
		first := make([]byte, 10)
		if _, err := res.Body.Read(first); err != nil {
			t.Fatal(err)
		}
		g.open <- 2000
		var rest bytes.Buffer
		if _, err := rest.ReadFrom(res.Body); err == nil {
			t.Errorf("%s: the stream of a query that failed looks whole", format)
		}
		res.Body.Close()
		a = w.ask("GET", path+"?wait_ms=60000", "")
		if e := a.json(t)["error"].(map[string]any); e["kind"] != "value" {
			t.Errorf("%s: %v", format, e)
		}
		if a = w.ask("GET", path+"/results?format="+format, ""); a.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: the result of a query that failed: %s", format, a.Status)
		}
	}
}

// Results outlive the process; the ETag too.
func TestRestartKeepsResults(t *testing.T) {
	state := t.TempDir()
	keep := func(c *service.Config, _ *Config) { c.State = state }
	var path, tag, before string
	t.Run("before", func(t *testing.T) {
		w := newWorld(t, keep)
		path = queryPath(w.run("SELECT n, name FROM big ORDER BY n").ID) + "/results?format=ndjson"
		a := w.ask("GET", path, "")
		tag, before = a.Header.Get("ETag"), string(a.body)
	})
	w := newWorld(t, keep)
	if a := w.ask("GET", path, ""); string(a.body) != before || a.Header.Get("ETag") != tag || strings.Count(before, "\n") != bigRows {
		t.Errorf("%s: %d bytes were %d, tag %s was %s", a.Status, len(a.body), len(before), a.Header.Get("ETag"), tag)
	}
}
