package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/engine/logictest"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// numbers is a catalog with n(i): 0 … rows-1 in batches of 1,000 and less.
func numbers(t testing.TB, rows int) *logictest.Catalog {
	t.Helper()
	var batches []vec.Batch
	for from := 0; from < rows; from += 1000 {
		b := array.NewInt64Builder(memory.DefaultAllocator)
		for i := from; i < min(from+1000, rows); i++ {
			b.Append(int64(i))
		}
		batches = append(batches, vec.Batch{Len: b.Len(), Cols: []arrow.Array{b.NewArray()}})
	}
	cat := &logictest.Catalog{}
	if err := cat.AddTable("n", []string{"i bigint"}, batches...); err != nil {
		t.Fatal(err)
	}
	return cat
}

// open opens a service that the end of the test closes.
func open(t testing.TB, c Config) *Service {
	t.Helper()
	if c.Catalog == nil {
		c.Catalog = numbers(t, 10)
	}
	s, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, s) })
	return s
}

func shut(t testing.TB, s *Service) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Close(ctx); err != nil {
		t.Error(err)
	}
}

func submit(t testing.TB, s *Service, sql string) Query {
	t.Helper()
	q, err := s.Submit(t.Context(), Request{SQL: sql})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func wait(t testing.TB, s *Service, id string) Query {
	t.Helper()
	q, err := s.Wait(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// ask submits a statement and waits for its end.
func ask(t testing.TB, s *Service, sql string) Query {
	t.Helper()
	return wait(t, s, submit(t, s, sql).ID)
}

// lines returns rows of a result as text, columns parted by a bar.
func lines(columns []Column, batches []vec.Batch) []string {
	var out []string
	for _, b := range batches {
		for row := range b.Len {
			var cells []string
			for i, c := range columns {
				cells = append(cells, string(sqltype.AppendText(nil, c.Type, b.Cols[i], row)))
			}
			out = append(out, strings.Join(cells, "|"))
		}
	}
	return out
}

// all reads a result page by page.
func all(t testing.TB, s *Service, id string, rows int64) []string {
	t.Helper()
	var out []string
	for more := true; more; {
		p, err := s.Page(t.Context(), id, int64(len(out)), rows)
		if err != nil {
			t.Fatal(err)
		}
		if p.Rows > rows || p.From != int64(len(out)) {
			t.Fatalf("asked for %d rows from %d, got %d from %d", rows, len(out), p.Rows, p.From)
		}
		got := lines(p.Columns, p.Batches)
		if int64(len(got)) != p.Rows {
			t.Fatalf("the page says %d rows and has %d", p.Rows, len(got))
		}
		out, more = append(out, got...), p.More
	}
	return out
}

func TestLife(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := open(t, Config{Now: func() time.Time { return now }})
	q, err := s.Submit(t.Context(), Request{SQL: "SELECT i, i * 2 AS d FROM n ORDER BY i", User: "ann", Source: "shell"})
	if err != nil {
		t.Fatal(err)
	}
	if len(q.ID) != 36 || q.State.Done() || q.Submitted != now || q.User != "ann" || q.Source != "shell" {
		t.Errorf("submitted: %+v", q)
	}
	q = wait(t, s, q.ID)
	if q.State != Succeeded || q.Err != nil || q.Rows != 10 || q.Stats.Rows != 10 || q.Stats.RowsRead != 10 || q.Snapshot != 1 || q.ResultBytes == 0 {
		t.Errorf("ended: %+v", q)
	}
	if !q.Expires.Equal(now.Add(24 * time.Hour)) {
		t.Errorf("expires %s", q.Expires)
	}
	if fmt.Sprint(q.Columns) != fmt.Sprint([]Column{{Name: "i", Type: sqltype.BigIntType}, {Name: "d", Type: sqltype.BigIntType}}) {
		t.Errorf("columns %v", q.Columns)
	}
	again, err := s.Get(t.Context(), q.ID) // from the history
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprintf("%+v", again) != fmt.Sprintf("%+v", q) {
		t.Errorf("the history says\n%+v\nwhere Wait said\n%+v", again, q)
	}
	want := []string{"0|0", "1|2", "2|4", "3|6", "4|8", "5|10", "6|12", "7|14", "8|16", "9|18"}
	for _, rows := range []int64{1, 3, 10, 1000} {
		if got := all(t, s, q.ID, rows); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("pages of %d: %v", rows, got)
		}
	}
	p, err := s.Page(t.Context(), q.ID, 10, 5)
	if err != nil || p.Rows != 0 || p.More || len(p.Columns) != 2 {
		t.Errorf("beyond the end: %+v, %v", p, err)
	}
	if totals := s.Totals(); totals.Succeeded != 1 || totals.ResultRows != 10 || totals.Results != 1 || totals.ResultBytes != q.ResultBytes || totals.RowsRead != 10 {
		t.Errorf("%+v", totals)
	}
}

func TestEmptyResult(t *testing.T) {
	s := open(t, Config{})
	q := ask(t, s, "SELECT i FROM n WHERE i < 0")
	if got := all(t, s, q.ID, 5); q.State != Succeeded || len(got) != 0 || len(q.Columns) != 1 {
		t.Errorf("%v, %+v", got, q)
	}
}

func TestErrorsOfAStatement(t *testing.T) {
	s := open(t, Config{})
	q := ask(t, s, "SELECT j FROM n")
	if q.State != Failed || q.Err == nil || q.Err.Kind != sqlerr.Name || q.Err.Pos != 8 {
		t.Fatalf("%+v", q)
	}
	_, err := s.Page(t.Context(), q.ID, 0, 1)
	var e *sqlerr.Error
	if !errors.As(err, &e) || e.Pos != 8 || e.Error() != q.Err.Error() {
		t.Errorf("the page says %v", err)
	}
	q = ask(t, s, "SELECT 1 / (i - 9) FROM n") // found in the last row
	if q.State != Failed || q.Err.Kind != sqlerr.Value || q.Rows != 0 || q.ResultBytes != 0 {
		t.Errorf("%+v", q)
	}
	if _, err := s.Get(t.Context(), "nobody"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if _, err := s.Page(t.Context(), "nobody", 0, 1); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if err := s.Cancel(t.Context(), "nobody"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if _, err := s.Page(t.Context(), q.ID, -1, 1); err == nil {
		t.Error("a page before the first row")
	}
}

func TestRun(t *testing.T) {
	s := open(t, Config{Catalog: numbers(t, 50_000)})
	r, err := s.Run(t.Context(), Request{SQL: "SELECT i FROM n"})
	if err != nil {
		t.Fatal(err)
	}
	columns, err := r.Columns()
	if err != nil || len(columns) != 1 {
		t.Fatal(columns, err)
	}
	next := int64(0)
	for {
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if b.Len == 0 {
			t.Fatal("an empty batch")
		}
		for _, v := range b.Cols[0].(*array.Int64).Int64Values() {
			if v != next {
				t.Fatalf("row %d is %d", next, v)
			}
			next++
		}
	}
	if q := r.Query(); next != 50_000 || q.State != Succeeded || q.Rows != 50_000 || r.Stats().RowsRead != 50_000 {
		t.Errorf("%d rows, %+v", next, q)
	}
	for range 2 {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestHistory(t *testing.T) {
	s := open(t, Config{})
	var ids []string
	for i := range 5 {
		q, err := s.Submit(t.Context(), Request{SQL: fmt.Sprintf("SELECT %d", i), User: []string{"ann", "bob"}[i%2]})
		if err != nil {
			t.Fatal(err)
		}
		wait(t, s, q.ID)
		ids = append(ids, q.ID)
	}
	ids = append(ids, ask(t, s, "SELECT nothing").ID)
	for _, c := range []struct {
		filter Filter
		want   []int
	}{
		{Filter{}, []int{5, 4, 3, 2, 1, 0}},
		{Filter{Limit: 2}, []int{5, 4}},
		{Filter{Limit: 2, Before: ids[4]}, []int{3, 2}},
		{Filter{User: "bob"}, []int{3, 1}},
		{Filter{State: Failed}, []int{5}},
		{Filter{State: Running}, nil},
		{Filter{State: Succeeded, User: "ann", Before: ids[4]}, []int{2, 0}},
	} {
		list, err := s.History(t.Context(), c.filter)
		if err != nil {
			t.Fatal(err)
		}
		var got, want []string
		for _, q := range list {
			got = append(got, q.ID)
		}
		for _, i := range c.want {
			want = append(want, ids[i])
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%+v: %v, want %v", c.filter, got, want)
		}
	}
	if _, err := s.History(t.Context(), Filter{Before: "nobody"}); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}
