package service

import (
	"fmt"
	"slices"
	"testing"

	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/sqlerr"
)

// run asks r and waits for its end; rows as text.
func (a *asker) run(t *testing.T, r Request) (Query, []string) {
	t.Helper()
	r.Session, r.User = a.session, a.name
	q, err := a.service.Submit(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if q = wait(t, a.service, q.ID); q.State != Succeeded {
		return q, nil
	}
	if q.Change != nil {
		a.session = a.session.With(*q.Change)
	}
	return q, all(t, a.service, q.ID, 100)
}

// asker is one of several who ask a service, each with a session of his own.
type asker struct {
	service *Service
	name    string
	session engine.Session
}

// TestSessionsAreTheAskers: what one has set is nothing to the other, also where both ask at the same service for the same.
func TestSessionsAreTheAskers(t *testing.T) {
	s := open(t, Config{})
	ann, ben := &asker{service: s, name: "ann"}, &asker{service: s, name: "ben"}
	q, _ := ann.run(t, Request{SQL: "PREPARE p FROM SELECT 'of ann', i FROM n WHERE i < ?"})
	if want := (engine.Change{Action: engine.PrepareAction, Name: "p", Value: "SELECT 'of ann', i FROM n WHERE i < ?"}); q.Change == nil || *q.Change != want {
		t.Fatalf("%+v", q)
	}
	ann.run(t, Request{SQL: "SET TIME ZONE 'Asia/Tokyo'"})
	if q, _ := ben.run(t, Request{SQL: "EXECUTE p USING 1"}); q.Err == nil || q.Err.Kind != sqlerr.Name || q.Err.Pos != 9 {
		t.Errorf("the other's statement: %+v", q)
	}
	for _, sql := range []string{"SELECT current_timezone()", "SELECT from_unixtime(0)", "SELECT current_user", "SHOW SESSION LIKE 'time%'"} {
		_, a := ann.run(t, Request{SQL: sql})
		_, b := ben.run(t, Request{SQL: sql})
		if len(a) != 1 || len(b) != 1 || a[0] == b[0] {
			t.Errorf("%s: %q and %q", sql, a, b)
		}
	}
	if _, rows := ann.run(t, Request{SQL: "EXECUTE p", Params: []string{"1"}}); fmt.Sprint(rows) != "[of ann|0]" {
		t.Errorf("%q", rows)
	}
}

// TestTheCacheKnowsParametersAndSessions: only what means the same is answered from it.
func TestTheCacheKnowsParametersAndSessions(t *testing.T) {
	s := open(t, Config{})
	a := &asker{service: s}
	first := map[string]string{} // by what is asked: its answer
	for _, c := range []struct {
		prepare, sql string
		params       []string
		cached       bool
	}{
		{"", "SELECT i FROM n WHERE i = ?", []string{"1"}, false},
		{"", "SELECT i FROM n WHERE i = ?", []string{"1"}, true},
		{"", "SELECT i FROM n WHERE i = ?", []string{"2"}, false},
		{"", "SELECT i FROM n WHERE i = 2", nil, true},
		{"", "SELECT ?, ?", []string{"'a', 'b'", "1"}, false}, // an error
		{"", "SELECT ?, ?", []string{"'a'", "'b, c'"}, false},
		{"", "SELECT ?, ?", []string{"'a, b'", "'c'"}, false},
		{"", "SELECT ?", []string{"1"}, false},
		{"", "SELECT ?", []string{"'1'"}, false},
		{"PREPARE p FROM SELECT i FROM n WHERE i = ? + ?", "EXECUTE p USING 1, 2", nil, false},
		{"", "EXECUTE p USING 1, 2", nil, true},
		{"", "EXECUTE p", []string{"1", "2"}, true},
		{"PREPARE p FROM SELECT -i FROM n WHERE i = ? + ?", "EXECUTE p USING 1, 2", nil, false}, // the name is not what is asked
		{"", "EXECUTE IMMEDIATE 'SELECT i FROM n WHERE i = 1'", nil, true},
		{"", "EXECUTE p USING CAST(random() AS integer), 2", nil, false},
		{"", "EXECUTE p USING CAST(random() AS integer), 2", nil, false},
		{"SET TIME ZONE 'Europe/Berlin'", "SELECT from_unixtime(?)", []string{"0"}, false},
		{"SET TIME ZONE 'Asia/Tokyo'", "SELECT from_unixtime(?)", []string{"0"}, false},
		{"SET TIME ZONE 'Europe/Berlin'", "SELECT from_unixtime(?)", []string{"0"}, true},
		{"USE audit", "SELECT current_schema", nil, false},
		{"USE default", "SELECT current_schema", nil, false},
		{"USE lake.audit", "SELECT current_catalog, current_schema", nil, false},
		{"USE other.audit", "SELECT current_catalog, current_schema", nil, false},
		{"SET SESSION query_max_run_time = '1h'", "SELECT current_catalog, current_schema", nil, true}, // limits change no answer
		{"", "SELECT current_user", nil, false},
		{"", "SELECT current_user", nil, false},
	} {
		if c.prepare != "" {
			if q, _ := a.run(t, Request{SQL: c.prepare}); q.State != Succeeded {
				t.Fatalf("%s: %+v", c.prepare, q)
			}
		}
		q, rows := a.run(t, Request{SQL: c.sql, Params: c.params})
		if q.Cached != c.cached {
			t.Errorf("%s with %q after %q: cached %v, want %v: %+v", c.sql, c.params, c.prepare, q.Cached, c.cached, q)
		}
		if !slices.Equal(q.Params, c.params) {
			t.Errorf("%s: the query has the parameters %q, want %q", c.sql, q.Params, c.params)
		}
		key := fmt.Sprint(c.sql, c.params, a.session)
		if before, ok := first[key]; ok && c.cached && before != fmt.Sprint(rows) {
			t.Errorf("%s: %q from the cache, first %q", key, rows, before)
		}
		first[key] = fmt.Sprint(rows)
	}
}

// TestTheHistoryKnowsParametersAndChanges, also when another process reads it.
func TestTheHistoryKnowsParametersAndChanges(t *testing.T) {
	folder := t.TempDir()
	s := open(t, Config{State: folder})
	a := &asker{service: s}
	asked, _ := a.run(t, Request{SQL: "SELECT i FROM n WHERE i IN (?, ?)", Params: []string{"1", "DATE '2024-01-31'"}})
	if asked.State != Failed || asked.Err.Pos != 32 {
		t.Errorf("%+v", asked)
	}
	asked, _ = a.run(t, Request{SQL: "SELECT i FROM n WHERE i IN (?, ?)", Params: []string{"1", "2"}})
	used, _ := a.run(t, Request{SQL: "USE Lake.Audit"})
	if _, rows := a.run(t, Request{SQL: "SELECT sql, parameters FROM query_history WHERE state = 'succeeded' ORDER BY submitted"}); fmt.Sprint(rows) !=
		"[SELECT i FROM n WHERE i IN (?, ?)|1, 2 USE Lake.Audit|]" {
		t.Errorf("%q", rows)
	}
	shut(t, s)
	s = open(t, Config{State: folder})
	for _, want := range []Query{asked, used} {
		got, err := s.Get(t.Context(), want.ID)
		if err != nil || !slices.Equal(got.Params, want.Params) || (got.Change == nil) != (want.Change == nil) || got.Change != nil && *got.Change != *want.Change {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	}
	if used.Change == nil || *used.Change != (engine.Change{Action: engine.UseAction, Name: "lake", Value: "audit"}) {
		t.Errorf("%+v", used.Change)
	}
}

// TestParametersCountAsText: they are bounded as the statement is.
func TestParametersCountAsText(t *testing.T) {
	s := open(t, Config{Limits: Limits{Text: 20}})
	if _, err := s.Submit(t.Context(), Request{SQL: "SELECT ?", Params: []string{"'0123456789abc'"}}); err == nil {
		t.Error("23 bytes went in where 20 are allowed")
	}
	if _, err := s.Submit(t.Context(), Request{SQL: "SELECT ?", Params: []string{"'0123456789'"}}); err != nil {
		t.Error(err)
	}
}
