package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/logictest"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// numbers is an engine over n(i) with the rows 1, 2, 3.
func numbers(t *testing.T) *engine.Engine {
	t.Helper()
	cat := &logictest.Catalog{}
	var rows []arrow.Array
	for i := range int64(3) {
		rows = append(rows, expr.NewLiteral(sqltype.BigIntType, i+1).Value)
	}
	column, err := vec.Concat(rows)
	if err != nil {
		t.Fatal(err)
	}
	if err := cat.AddTable("n", []string{"i bigint"}, vec.Batch{Len: 3, Cols: []arrow.Array{column}}); err != nil {
		t.Fatal(err)
	}
	cat.AddView(&source.View{Name: "v", SQL: "SELECT 1 / (i - 1) AS q FROM n"})
	return engine.New(cat)
}

// lines returns the first column of a result.
func lines(r *engine.Result, err error) ([]string, error) {
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var out []string
	for {
		b, err := r.Next()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		for row := range b.Len {
			out = append(out, string(sqltype.AppendText(nil, r.Columns[0].Type, b.Cols[0], row)))
		}
	}
}

func TestErrorsAreForPeople(t *testing.T) {
	eng := numbers(t)
	for _, c := range []struct {
		sql  string
		at   sqlerr.Pos
		kind sqlerr.Kind
	}{
		{"SELEC 1", 1, sqlerr.Syntax},
		{"SELECT j FROM n", 8, sqlerr.Name},
		{"SELECT i || 1 FROM n", 10, sqlerr.Type},
		{"SELECT i / (i - 1) FROM n", 10, sqlerr.Value}, // found while running
		{"SELECT * FROM v", 15, sqlerr.Value},           // the place is the view's name, not one in its text
		{"SELECT count(DISTINCT i) OVER () FROM n", 8, sqlerr.Type},
		{"EXPLAIN SHOW TABLES", 9, sqlerr.Unknown},
		{"DESCRIBE nothing", 10, sqlerr.Name},
	} {
		_, err := lines(eng.Query(t.Context(), c.sql, engine.Options{}))
		e, ok := err.(*sqlerr.Error)
		if !ok {
			t.Errorf("%s: %T %v is no *sqlerr.Error", c.sql, err, err)
			continue
		}
		if e.Pos != c.at || e.Kind != c.kind {
			t.Errorf("%s: %s at %d: %v; want %s at %d", c.sql, e.Kind, e.Pos, e, c.kind, c.at)
		}
	}
}

func TestCancel(t *testing.T) {
	eng := numbers(t)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	late, stop := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer stop()
	for _, sql := range []string{"SELECT * FROM n", "SHOW TABLES", "EXPLAIN SELECT 1", "EXPLAIN ANALYZE SELECT * FROM n"} {
		for want, ctx := range map[string]context.Context{"the query was cancelled": cancelled, "the query ran out of time": late} {
			_, err := lines(eng.Query(ctx, sql, engine.Options{}))
			e, ok := err.(*sqlerr.Error)
			if !ok || e.Kind != sqlerr.Cancelled || e.Error() != want {
				t.Errorf("%s: got %v, want %s", sql, err, want)
			}
		}
	}
}

// TestCancelWithACause: a limit cancels with what the person shall read, at whatever stage it comes.
func TestCancelWithACause(t *testing.T) {
	eng := numbers(t)
	cause := sqlerr.New(sqlerr.Resource, 0, "the query read more than it may")
	done, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	for _, sql := range []string{"SELECT * FROM n", "SELECT * FROM n ORDER BY i", "SHOW TABLES", "EXPLAIN ANALYZE SELECT * FROM n"} {
		if _, err := lines(eng.Query(done, sql, engine.Options{})); err != error(cause) {
			t.Errorf("%s: %v", sql, err)
		}
	}
	running, cancel := context.WithCancelCause(t.Context())
	r, err := eng.Query(running, "SELECT a.i FROM n a, n b, n c ORDER BY 1", engine.Options{BatchRows: 1, Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	cancel(cause)
	if _, err := r.Next(); err != error(cause) {
		t.Errorf("while it runs: %v", err)
	}
}

func TestCancelWhileRunning(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r, err := numbers(t).Query(ctx, "SELECT i FROM n", engine.Options{BatchRows: 1, Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	cancel()
	for err == nil {
		_, err = r.Next()
	}
	// The rest may have been on its way already: the end is as good as the error.
	if err != io.EOF && sqlerr.KindOf(err) != sqlerr.Cancelled {
		t.Errorf("got %v, want the end or a cancellation", err)
	}
}

func TestClose(t *testing.T) {
	r, err := numbers(t).Query(t.Context(), "SELECT * FROM n", engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestHostile: a short statement that would be huge to plan is refused, or planned without growing.
func TestHostile(t *testing.T) {
	eng := numbers(t)
	doubling := "WITH a0 AS (SELECT i FROM n)"
	stars, sums := "SELECT i FROM n", "SELECT i FROM n"
	for k := range 40 {
		doubling += fmt.Sprintf(", a%d AS (SELECT x.i FROM a%d x, a%d y)", k+1, k, k)
		stars = "SELECT *, * FROM (" + stars + ")"
		sums = "SELECT i + i AS i FROM (" + sums + ")"
	}
	for name, text := range map[string]string{
		"WITH":     doubling + " SELECT i FROM a40",
		"stars":    stars,
		"COALESCE": "SELECT " + strings.Repeat("coalesce(", 60) + "i" + strings.Repeat(", 1)", 60) + " FROM n",
		"NULLIF":   "SELECT " + strings.Repeat("nullif(", 60) + "i" + strings.Repeat(", 1)", 60) + " FROM n",
	} {
		if _, err := lines(eng.Query(t.Context(), text, engine.Options{})); sqlerr.KindOf(err) != sqlerr.Resource {
			t.Errorf("%s: got %v, want a resource error", name, err)
		}
	}
	got, err := lines(eng.Query(t.Context(), sums+" WHERE i > 2", engine.Options{}))
	if want := []string{fmt.Sprint(1 << 40), fmt.Sprint(2 << 40), fmt.Sprint(3 << 40)}; err != nil || !slices.Equal(got, want) {
		t.Errorf("sums: got %v, %v, want %v", got, err, want)
	}
}

// panicky fails in the worst way while planning.
type panicky struct{ logictest.Catalog }

func (p *panicky) Snapshot(context.Context) (source.Snapshot, error) { return p, nil }
func (p *panicky) Resolve([]string) (source.Relation, bool)          { panic("boom") }

func TestPanicWhilePlanning(t *testing.T) {
	_, err := engine.New(&panicky{}).Query(t.Context(), "SELECT * FROM t", engine.Options{})
	if sqlerr.KindOf(err) != sqlerr.Internal || !strings.Contains(err.Error(), "boom") || strings.Contains(err.Error(), ".go:") {
		t.Errorf("got %v, want an internal error with the message and no stack", err)
	}
}

// unreadable has no snapshot.
type unreadable struct{}

var errDisk = errors.New("disk on fire")

func (unreadable) Snapshot(context.Context) (source.Snapshot, error) { return nil, errDisk }

func TestCatalogError(t *testing.T) {
	_, err := engine.New(unreadable{}).Query(t.Context(), "SELECT 1", engine.Options{})
	var e *sqlerr.Error
	if !errors.As(err, &e) || !errors.Is(err, errDisk) {
		t.Errorf("got %v, want an *sqlerr.Error that wraps %v", err, errDisk)
	}
}

func TestExplain(t *testing.T) {
	eng := numbers(t)
	got, err := lines(eng.Query(t.Context(), "EXPLAIN SELECT i FROM n WHERE i > 1", engine.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) == 0 || !strings.HasPrefix(got[0], "Scan n (i) where ") {
		t.Errorf("EXPLAIN gave\n%s\nwant a line for the scan with its filter", strings.Join(got, "\n"))
	}
	got, err = lines(eng.Query(t.Context(), "EXPLAIN ANALYZE SELECT i FROM n WHERE i > 1", engine.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) < 2 || !strings.Contains(got[1], "2 rows") {
		t.Errorf("EXPLAIN ANALYZE gave\n%s\nwant the 2 rows that the scan put out", strings.Join(got, "\n"))
	}
}

func TestShowFunctions(t *testing.T) {
	got, err := lines(numbers(t).Query(t.Context(), "SHOW FUNCTIONS LIKE 'JSON\\_EXTRACT%'", engine.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 0 {
		t.Errorf("without an escape the backslash is text, yet it matched %v", got)
	}
	got, err = lines(numbers(t).Query(t.Context(), "SHOW FUNCTIONS LIKE 'JSON_EXTRACT%'", engine.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(strings.Join(got, " "), "json_extract_scalar") {
		t.Errorf("got %v, want json_extract_scalar among them", got)
	}
}

func TestStats(t *testing.T) {
	r, err := numbers(t).Query(t.Context(), "SELECT i FROM n WHERE i > 1", engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lines(r, nil); err != nil {
		t.Fatal(err)
	}
	if s := r.Stats(); s.Rows != 2 || s.RowsRead != 3 || s.Elapsed <= 0 {
		t.Errorf("got %+v, want 2 rows of 3 read", s)
	}
}

// TestRepeatable: only what names neither clock nor chance may be answered from a stored result.
func TestRepeatable(t *testing.T) {
	for text, want := range map[string]bool{
		"SELECT count(*) FROM t":                          true,
		"SELECT 'now()' -- random()\nFROM t":              true,
		"SELECT * FROM t WHERE d > CURRENT_DATE":          false,
		"SELECT current_timestamp":                        false,
		`SELECT "now"()`:                                  false,
		"SELECT uuid()":                                   false,
		"SELECT rand()":                                   false,
		"SELECT a FROM t TABLESAMPLE SYSTEM (10)":         false,
		"SELECT * FROM information_schema.tables":         false,
		"SELECT date_trunc('day', localtimestamp) FROM t": false,
		"SELECT CAST(TIME '10:20' AS timestamp)":          false,
		"SELECT t AT TIME ZONE 'UTC' FROM t":              true,
		"SELECT CAST(a AS timestamp with time zone)":      true,
	} {
		if got := engine.Repeatable(text); got != want {
			t.Errorf("%s: repeatable %v, want %v", text, got, want)
		}
	}
}

// TestComputedArraysStaySmall: a short row can make a long array, so that UNNEST must not compute a whole batch of them. The first row of
// 8,192 × 10,000 numbers needs far less than all of them.
func TestComputedArraysStaySmall(t *testing.T) {
	cat := &logictest.Catalog{}
	var b vec.Batch
	b.Len = 8192
	b.Cols = []arrow.Array{vec.Column(vec.Datum{Arr: expr.NewLiteral(sqltype.BigIntType, int64(10_000)).Value, Const: true}, b.Len)}
	if err := cat.AddTable("n", []string{"i bigint"}, b); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := lines(engine.New(cat).Query(context.Background(), "SELECT e FROM n CROSS JOIN UNNEST(sequence(1, i)) AS u (e) LIMIT 1", engine.Options{}))
	runtime.ReadMemStats(&after)
	if err != nil || !slices.Equal(got, []string{"1"}) {
		t.Fatal(got, err)
	}
	if bytes := after.TotalAlloc - before.TotalAlloc; bytes > 100<<20 {
		t.Errorf("%d bytes allocated for one row", bytes)
	}
}

// TestParams: a value has the type of its literal, and stands in any place where a literal may.
func TestParams(t *testing.T) {
	eng := numbers(t)
	for _, c := range []struct {
		sql    string
		params []string
		want   string
	}{
		{"SELECT typeof(?)", []string{"DATE '2024-01-31'"}, "[date]"},
		{"SELECT i FROM n WHERE i > ? ORDER BY 1 LIMIT ?", []string{"1", "1"}, "[2]"},
		{"WITH w AS (SELECT i + ? AS j FROM n) SELECT a.j FROM w AS a JOIN w AS b ON a.j = b.j WHERE a.j = ?", []string{"10", "12"}, "[12]"},
		{"SELECT ? || ?", []string{"'a'", "'?'"}, "[a?]"},
		{"SELECT i FROM n FETCH FIRST ? ROWS ONLY", []string{"'1'"}, "LIMIT takes a whole number, such as LIMIT 10"},
		{"SELECT i FROM n WHERE i = ?", []string{"'x'"}, "= cannot compare bigint with varchar(1); write the number without quotes: x"},
		{"SELECT i FROM n WHERE i = ?", nil, "no value is given for this parameter"},
		{"SELECT i FROM n LIMIT ?", nil, "no value is given for this parameter"},
		{"EXPLAIN SELECT i FROM n WHERE i = ?", []string{"1", "2"}, "parameters (?) in the statement: 1, values given for them: 2"},
	} {
		got, err := lines(eng.Query(context.Background(), c.sql, engine.Options{Params: c.params}))
		text := fmt.Sprint(got)
		if err != nil {
			text = err.Error()
		}
		if text != c.want {
			t.Errorf("%s with %q: %s, want %s", c.sql, c.params, text, c.want)
		}
	}
}
