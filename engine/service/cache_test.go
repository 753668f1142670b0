package service

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/logictest"
	"github.com/trailql/trailql/engine/source"
)

// versions is a catalog whose snapshots have numbers.
type versions struct {
	*logictest.Catalog
	now     int64
	defined string
}

type version struct {
	source.Snapshot
	number  int64
	defined string
}

func (v version) Version() int64      { return v.number }
func (v version) Definitions() string { return v.defined }

func (v *versions) Snapshot(context.Context) (source.Snapshot, error) {
	return version{v.Catalog, v.now, v.defined}, nil
}

// changing is a table whose rows change under one version of the catalog.
type changing struct {
	source.Table
	state string
	err   error
}

func (c *changing) State(context.Context) (string, error) { return c.state, c.err }

func TestCache(t *testing.T) {
	c, folder := newClock(), t.TempDir()
	cat := &versions{Catalog: numbers(t, 10), now: 1}
	cat.AddView(&source.View{Name: "plain", SQL: "SELECT i FROM n"})
	cat.AddView(&source.View{Name: "timed", SQL: "SELECT i, now() AS t FROM n"})
	cat.AddView(&source.View{Name: "above", SQL: `SELECT i FROM "TIMED"`})
	cat.AddView(&source.View{Name: "past", SQL: "SELECT id FROM query_history"})
	config := Config{Catalog: cat, Lake: "a", State: folder, Now: c.now}
	s := open(t, config)
	ask1 := func(sql string, want bool) Query {
		t.Helper()
		q := ask(t, s, sql)
		if q.State != Succeeded || q.Cached != want {
			t.Errorf("%s: cached %v, want %v: %+v", sql, q.Cached, want, q)
		}
		return q
	}
	first := ask1("SELECT i FROM n ORDER BY i", false)
	hit := ask1("SELECT i\n\tFROM n -- the same\nORDER /* but for */ BY i", true)
	if hit.ID == first.ID || hit.Rows != 10 || hit.Stats != (engine.Stats{Rows: 10}) || hit.Snapshot != 1 || hit.ResultBytes != first.ResultBytes ||
		fmt.Sprint(hit.Columns) != fmt.Sprint(first.Columns) {
		t.Errorf("%+v", hit)
	}
	if got := all(t, s, hit.ID, 3); len(got) != 10 || got[9] != "9" {
		t.Errorf("%v", got)
	}
	if got, want := files(t, s), []string{first.ID + ".arrow"}; !slices.Equal(got, want) {
		t.Errorf("stored %v, want %v", got, want)
	}
	if totals := s.Totals(); totals.FromCache != 1 || totals.Results != 1 || totals.ResultRows != 20 || totals.RowsRead != 10 {
		t.Errorf("%+v", totals)
	}
	q, err := s.Submit(t.Context(), Request{SQL: "SELECT i FROM n ORDER BY i", Fresh: true})
	if err != nil {
		t.Fatal(err)
	}
	if q = wait(t, s, q.ID); q.Cached {
		t.Errorf("a fresh answer was asked for: %+v", q)
	}

	ask1("SELECT i AS I FROM n ORDER BY i", false) // other names of columns
	ask1("SELECT 'a b' FROM n", false)
	ask1("SELECT 'a  b' FROM n", false)
	ask1("SELECT 1 - -1", false)
	ask1("SELECT 1", false) // not SELECT 1 with the rest taken for a comment
	for _, sql := range []string{
		"SELECT now()", "SELECT random() FROM n", "SELECT current_timestamp", "SELECT * FROM query_history", `SELECT * FROM "Query_History"`,
		"SHOW TABLES", "EXPLAIN SELECT 1", "EXPLAIN ANALYZE SELECT 1", "DESCRIBE n", "SELECT i FROM timed", "SELECT i FROM above", "SELECT * FROM past",
		"SELECT i FROM default.timed",
	} {
		ask1(sql, false)
		ask1(sql, false)
	}
	ask1("SELECT i FROM plain", false)
	ask1("SELECT i FROM plain", true)

	cat.now = 2
	ask1("SELECT i FROM n ORDER BY i", false)
	old := version{cat.Catalog, 1, ""}
	if q, err = s.Submit(t.Context(), Request{SQL: "SELECT i FROM n ORDER BY i", Snapshot: old}); err != nil {
		t.Fatal(err)
	}
	if q = wait(t, s, q.ID); !q.Cached || q.Snapshot != 1 {
		t.Errorf("over the old snapshot: %+v", q)
	}
	shut(t, s)

	s = open(t, config) // the cache survives, for the same lake
	ask1("SELECT i FROM n ORDER BY i", true)
	shut(t, s)
	config.Lake = "b"
	s = open(t, config)
	ask1("SELECT i FROM n ORDER BY i", false)
}

// TestCacheKnowsWhatNamesStandFor: a result is another one's answer only if views, bindings and the files of external tables are the same,
// however deep in views they are named, and under another name too.
func TestCacheKnowsWhatNamesStandFor(t *testing.T) {
	cat := &versions{Catalog: numbers(t, 10), now: 1}
	files := &changing{state: "a"}
	n, _ := cat.Resolve([]string{"n"})
	files.Table = n.(source.Stored).Table
	cat.Add("files", source.Stored{Table: files})
	cat.AddView(&source.View{Name: "timed", SQL: "SELECT i, now() AS t FROM n"})
	cat.AddView(&source.View{Name: "inside", SQL: "SELECT i FROM (SELECT * FROM files)"})
	cat.Add("renamed", &source.Bound{Of: &source.View{Name: "below", SQL: "SELECT i, random() AS r FROM n"}})
	s := open(t, Config{Catalog: cat})
	ask1 := func(sql string, want bool) {
		t.Helper()
		if q := ask(t, s, sql); q.State != Succeeded || q.Cached != want {
			t.Errorf("%s: cached %v, want %v: %+v", sql, q.Cached, want, q)
		}
	}
	for _, sql := range []string{"SELECT i FROM renamed", "SELECT i FROM (SELECT i FROM renamed)", "WITH n AS (SELECT i FROM timed) SELECT i FROM n"} {
		ask1(sql, false)
		ask1(sql, false) // a view with a clock or chance in it, under another name
	}
	ask1("WITH timed AS (SELECT 1 AS i) SELECT i FROM timed", false)
	ask1("WITH timed AS (SELECT 1 AS i) SELECT i FROM timed", true) // not the view

	ask1("SELECT i FROM n", false)
	ask1("SELECT i FROM n", true)
	cat.defined = "other"
	ask1("SELECT i FROM n", false) // n may have come to be something else
	ask1("SELECT i FROM n", true)

	for _, sql := range []string{"SELECT i FROM files", "SELECT i FROM default.inside", "SELECT (SELECT max(i) FROM inside) AS i"} {
		files.state = "a"
		ask1(sql, false)
		ask1(sql, true)
		files.state = "b"
		ask1(sql, false)
		ask1(sql, true)
		files.err = os.ErrPermission
		ask1(sql, false)
		files.err = nil
	}
}

// TestASharedResultLivesAsLongAsItsLastQuery, not longer.
func TestASharedResultLivesAsLongAsItsLastQuery(t *testing.T) {
	c := newClock()
	s := open(t, Config{Now: c.now, Limits: Limits{Keep: time.Hour}})
	first := ask(t, s, "SELECT i FROM n")
	c.advance(50 * time.Minute)
	second := ask(t, s, "SELECT i FROM n")
	s.queries.Wait() // the answer comes before the query lets go of the result
	c.advance(50 * time.Minute)
	expire(t, s)
	if q, err := s.Get(t.Context(), first.ID); err != nil || !q.Expires.IsZero() {
		t.Errorf("the first: %+v, %v", q, err)
	}
	if !second.Cached || len(all(t, s, second.ID, 100)) != 10 {
		t.Errorf("the second: %+v", second)
	}
	c.advance(11 * time.Minute)
	expire(t, s)
	noFiles(t, s)
	if q := ask(t, s, "SELECT i FROM n"); q.Cached || q.State != Succeeded {
		t.Errorf("%+v", q)
	}
}

// TestAHitWithoutItsFile is answered by the engine.
func TestAHitWithoutItsFile(t *testing.T) {
	s := open(t, Config{})
	first := ask(t, s, "SELECT i FROM n")
	if err := os.Remove(resultPath(s.results(), first.ID)); err != nil {
		t.Fatal(err)
	}
	q := ask(t, s, "SELECT i FROM n")
	if q.Cached || len(all(t, s, q.ID, 100)) != 10 {
		t.Errorf("%+v", q)
	}
	if q = ask(t, s, "SELECT i FROM n"); !q.Cached {
		t.Errorf("the new one is not found: %+v", q)
	}
}

// TestAResultReusedWhileItExpiresStays: expiry looked at it before the hit put its end off.
func TestAResultReusedWhileItExpiresStays(t *testing.T) {
	s := open(t, Config{})
	id := ask(t, s, "SELECT i FROM n").ID
	seen, err := s.history.oldest(t.Context())
	if err != nil || len(seen) != 1 {
		t.Fatal(seen, err)
	}
	if there, err := s.history.putOff(t.Context(), id, s.now().Add(100*time.Hour)); err != nil || !there {
		t.Fatal(there, err)
	}
	if gone, err := s.drop(t.Context(), seen[0]); err != nil || gone || len(files(t, s)) != 1 {
		t.Errorf("gone %v, %v", gone, err)
	}
}
