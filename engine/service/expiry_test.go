package service

import (
	"errors"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// clock is moved by hand.
type clock struct{ at atomic.Int64 } // nanoseconds

func newClock() *clock {
	c := &clock{}
	c.at.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time           { return time.Unix(0, c.at.Load()) }
func (c *clock) advance(by time.Duration) { c.at.Add(int64(by)) }

func files(t *testing.T, s *Service) []string {
	t.Helper()
	entries, err := os.ReadDir(s.results())
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func expire(t *testing.T, s *Service) {
	t.Helper()
	if err := s.expire(t.Context(), s.now()); err != nil {
		t.Fatal(err)
	}
}

func TestResultsExpire(t *testing.T) {
	c := newClock()
	s := open(t, Config{Now: c.now, Limits: Limits{Keep: time.Hour, History: 2 * time.Hour}})
	first := ask(t, s, "SELECT i FROM n")
	c.advance(30 * time.Minute)
	second := ask(t, s, "SELECT i + 1 FROM n")
	c.advance(30 * time.Minute)
	// Its time is over, whether or not the file is gone.
	if _, err := s.Page(t.Context(), first.ID, 0, 1); !errors.Is(err, ErrExpired) {
		t.Errorf("before the sweep: %v", err)
	}
	expire(t, s)
	if got, want := files(t, s), []string{second.ID + ".arrow"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if _, err := s.Page(t.Context(), first.ID, 0, 1); !errors.Is(err, ErrExpired) {
		t.Errorf("after the sweep: %v", err)
	}
	if q, err := s.Get(t.Context(), first.ID); err != nil || q.State != Succeeded || !q.Expires.IsZero() || q.Rows != 10 {
		t.Errorf("%+v, %v", q, err)
	}
	if got := all(t, s, second.ID, 100); len(got) != 10 {
		t.Errorf("%v", got)
	}
	if totals := s.Totals(); totals.Results != 1 || totals.ResultBytes != second.ResultBytes {
		t.Errorf("%+v", totals)
	}
	c.advance(time.Hour + time.Second)
	expire(t, s)
	if _, err := s.Get(t.Context(), first.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("after its history: %v", err)
	}
	if _, err := s.Get(t.Context(), second.ID); err != nil {
		t.Error(err)
	}
	noFiles(t, s)
}

// TestTheOldestGoFirst when all are larger than they may be, but none that is being read.
func TestTheOldestGoFirst(t *testing.T) {
	c := newClock()
	sqls := []string{"SELECT i FROM n", "SELECT i + 1 FROM n", "SELECT i + 2 FROM n", "SELECT i + 3 FROM n"}
	s := open(t, Config{})
	size := ask(t, s, sqls[0]).ResultBytes
	s = open(t, Config{Now: c.now, Limits: Limits{KeepBytes: 2*size + size/2}})
	read, err := s.Run(t.Context(), Request{SQL: sqls[0]})
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{wait(t, s, read.Query().ID).ID}
	for _, sql := range sqls[1:] {
		c.advance(time.Second)
		ids = append(ids, ask(t, s, sql).ID)
		s.queries.Wait()
	}
	var kept []bool
	for _, id := range ids {
		q, err := s.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, !q.Expires.IsZero())
	}
	if want := []bool{true, false, false, true}; !slices.Equal(kept, want) {
		t.Errorf("kept %v, want %v", kept, want)
	}
	if b, err := read.Next(); err != nil || b.Len != 10 {
		t.Errorf("the one being read: %d rows, %v", b.Len, err)
	}
	read.Close()
	c.advance(time.Second)
	ask(t, s, "SELECT i + 4 FROM n")
	s.queries.Wait()
	if q, err := s.Get(t.Context(), ids[0]); err != nil || !q.Expires.IsZero() {
		t.Errorf("when it was read: %+v, %v", q, err)
	}
}

// TestExpiryByItself: nobody need ask for it; and at Open what is over goes at once.
func TestExpiryByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder := t.TempDir()
		s, err := Open(t.Context(), Config{Catalog: numbers(t, 10), State: folder, Limits: Limits{Keep: time.Hour}})
		if err != nil {
			t.Fatal(err)
		}
		ask(t, s, "SELECT i FROM n")
		time.Sleep(59 * time.Minute)
		if len(files(t, s)) != 1 {
			t.Error("too early")
		}
		time.Sleep(2 * time.Minute)
		noFiles(t, s)
		last := ask(t, s, "SELECT i FROM n")
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		if s, err = Open(t.Context(), Config{Catalog: numbers(t, 10), State: folder}); err != nil {
			t.Fatal(err)
		}
		noFiles(t, s)
		if q, err := s.Get(t.Context(), last.ID); err != nil || q.State != Succeeded || !q.Expires.IsZero() {
			t.Errorf("%+v, %v", q, err)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}
