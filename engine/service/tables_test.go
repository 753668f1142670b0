package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

func TestQueryHistory(t *testing.T) {
	c, g := newClock(), newGate()
	s := open(t, Config{Now: c.now, Tables: []Table{g.table()}, Limits: Limits{Concurrent: 2}})
	good, err := s.Submit(t.Context(), Request{SQL: "SELECT i FROM n", User: "ann", Source: "rest"})
	if err != nil {
		t.Fatal(err)
	}
	good = wait(t, s, good.ID)
	c.advance(time.Second)
	bad := ask(t, s, "SELECT j FROM n")
	c.advance(time.Second)
	running := submit(t, s, "SELECT * FROM gate")
	<-g.begun
	c.advance(1500 * time.Millisecond)
	q := ask(t, s, `SELECT id, submitted, finished, user_name, source, state, sql, error, snapshot, cached, rows, bytes_scanned, elapsed_ms, queued_ms, result_bytes
		FROM query_history ORDER BY submitted`)
	if q.State != Succeeded {
		t.Fatal(q.Err)
	}
	got := all(t, s, q.ID, 100)
	want := []string{
		good.ID + "|2026-03-01 12:00:00.000|2026-03-01 12:00:00.000|ann|rest|succeeded|SELECT i FROM n|NULL|1|false|10|0|0|0|" + fmt.Sprint(good.ResultBytes),
		bad.ID + "|2026-03-01 12:00:01.000|2026-03-01 12:00:01.000|NULL|NULL|failed|SELECT j FROM n|" + bad.Err.Error() + "|1|false|0|0|0|0|0",
		running.ID + "|2026-03-01 12:00:02.000|NULL|NULL|NULL|running|SELECT * FROM gate|NULL|1|false|0|0|1500|0|0",
	}
	if len(got) != 4 || !strings.HasPrefix(got[3], q.ID) { // the query sees itself
		t.Fatalf("%q", got)
	}
	for i := range want {
		if strings.ReplaceAll(got[i], "||", "|NULL|") != want[i] && got[i] != strings.ReplaceAll(want[i], "NULL", "") {
			t.Errorf("got\n%s\nwant\n%s", got[i], want[i])
		}
	}
	close(g.open)
}

// TestRuntimeQueries asks for the history as Trino's clients do, and who asks.
func TestRuntimeQueries(t *testing.T) {
	s := open(t, Config{Now: newClock().now})
	ask(t, s, "SELECT j FROM n")
	for range 2 { // the second is no answer from the cache: it sees the first
		q, err := s.Submit(t.Context(), Request{SQL: `SELECT query, state, "user", created, current_user FROM system.runtime.queries ORDER BY created, query_id`, User: "ann"})
		if err != nil {
			t.Fatal(err)
		}
		if q = wait(t, s, q.ID); q.State != Succeeded || q.Cached {
			t.Fatal(q)
		}
		got := all(t, s, q.ID, 10)
		for _, want := range []string{"SELECT j FROM n|FAILED||2026-03-01 12:00:00.000 UTC|ann", q.SQL + "|RUNNING|ann|2026-03-01 12:00:00.000 UTC|ann"} {
			if !slices.Contains(got, want) {
				t.Errorf("%q, want %q among them", got, want)
			}
		}
	}
}

// TestALongHistory spans morsels, some of whose queries were forgotten.
func TestALongHistory(t *testing.T) {
	s := open(t, Config{})
	const queries = 3*historyMorsel + 7
	_, err := s.history.db.ExecContext(t.Context(), `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < ?)
		INSERT INTO queries(id, sql, user, source, state, submitted) SELECT 'q' || x, 'SELECT ' || x, '', '', 'succeeded', x FROM c`, queries)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.history.db.ExecContext(t.Context(), `DELETE FROM queries WHERE seq % 3 = 0`); err != nil {
		t.Fatal(err)
	}
	q := ask(t, s, "SELECT count(*), count(DISTINCT id), min(id), max(sql) FROM query_history WHERE source IS NULL AND state = 'succeeded'")
	want := fmt.Sprintf("%d|%d|q1|SELECT 998", queries-queries/3, queries-queries/3)
	if got := all(t, s, q.ID, 1); len(got) != 1 || got[0] != want {
		t.Errorf("%v, want %s", got, want)
	}
	q = ask(t, s, "SELECT id FROM query_history WHERE sql LIKE 'SELECT 1%' LIMIT 1") // the filter is the engine's
	if got := all(t, s, q.ID, 10); !slices.Equal(got, []string{"q1"}) {
		t.Errorf("%v", got)
	}
	list, err := s.History(t.Context(), Filter{Limit: 5000, State: Succeeded})
	if err != nil || len(list) != min(5000, queries-queries/3+2) {
		t.Errorf("%d, %v", len(list), err)
	}
}

func TestTablesOfTheFaces(t *testing.T) {
	opened := 0
	runs := Table{Name: "report_runs", Open: func(context.Context) (source.Table, error) {
		opened++
		if opened == 3 {
			return nil, errors.New("the disk is gone")
		}
		return source.NewMemory("report_runs", []source.Column{{Name: "pack", Type: sqltype.VarcharType}}, []vec.Batch{wide(2, 3)}), nil
	}}
	s := open(t, Config{Tables: []Table{runs}})
	q := ask(t, s, "SELECT a.pack FROM report_runs a, Report_Runs b, n WHERE i = 0")
	if got := all(t, s, q.ID, 10); len(got) != 4 || opened != 1 { // once for a query, so that it sees one state
		t.Errorf("%v, opened %d times", got, opened)
	}
	q = ask(t, s, "DESCRIBE report_runs")
	if got := all(t, s, q.ID, 10); len(got) != 1 || !strings.HasPrefix(got[0], "pack|varchar") {
		t.Errorf("%v", got)
	}
	q = ask(t, s, "SELECT pack FROM report_runs")
	if q.State != Failed || q.Err.Kind != sqlerr.Data || !strings.Contains(q.Err.Error(), "report_runs") || !strings.Contains(q.Err.Error(), "the disk is gone") {
		t.Errorf("%+v", q)
	}
	q = ask(t, s, "SHOW TABLES")
	if got, want := all(t, s, q.ID, 10), []string{"n", "query_history", "report_runs"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	snap, err := s.Snapshot(t.Context())
	if err != nil || snap.Version() != 1 {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"n": true, "query_history": true, "default.report_runs": true, "information_schema.report_runs": false, "nothing": false} {
		if _, ok := snap.Resolve(strings.Split(name, ".")); ok != want {
			t.Errorf("%s: found %v", name, ok)
		}
	}
	given, err := s.Submit(t.Context(), Request{SQL: "SELECT count(*) FROM report_runs", Snapshot: snap})
	if err != nil {
		t.Fatal(err)
	}
	if q := wait(t, s, given.ID); q.State != Succeeded {
		t.Errorf("%+v", q)
	}
	for _, name := range []string{"N", "query_history"} {
		if _, err := Open(t.Context(), Config{Catalog: numbers(t, 1), Tables: []Table{{Name: name}}}); err == nil {
			t.Errorf("a second table %s", name)
		}
	}
}
