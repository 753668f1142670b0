package service

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/trailql/trailql/engine/sqlerr"
)

// TestDamage flips every byte of a stored result, cuts the file at every length, and removes it: a page is what it was, or an error that
// names the file.
func TestDamage(t *testing.T) {
	s := open(t, Config{State: t.TempDir()})
	q := ask(t, s, "SELECT i, cast(i AS varchar) FROM n ORDER BY 1")
	want := all(t, s, q.ID, 100)
	path := resultPath(s.results(), q.ID)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, content []byte) (failed bool) {
		t.Helper()
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := s.Page(t.Context(), q.ID, 0, 100)
		if err != nil {
			if sqlerr.KindOf(err) != sqlerr.Data || !strings.Contains(err.Error(), path) {
				t.Fatalf("%s: %v", what, err)
			}
			return true
		}
		if got := lines(p.Columns, p.Batches); !slices.Equal(got, want) {
			t.Fatalf("%s: other rows: %v", what, got)
		}
		return false
	}
	found := 0
	for i := range whole {
		content := slices.Clone(whole)
		content[i] ^= 1 << (i % 8)
		if check(fmt.Sprintf("byte %d", i), content) {
			found++
		}
	}
	if found < len(whole)/2 { // the schema before the rows is not needed to read them
		t.Errorf("%d of %d damaged bytes were found", found, len(whole))
	}
	for n := range len(whole) / 2 {
		check(fmt.Sprintf("cut at %d", n), whole[:n])
	}
	if check("whole again", whole) {
		t.Error("a whole file is an error")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Page(t.Context(), q.ID, 0, 1); !errors.Is(err, ErrExpired) {
		t.Errorf("without its file: %v", err)
	}
}

// TestFirstRowsWhileItRuns: the first rows can be read long before the last are known.
func TestFirstRowsWhileItRuns(t *testing.T) {
	g := newGate()
	s := open(t, Config{Tables: []Table{g.table()}})
	q := submit(t, s, "SELECT i FROM n UNION ALL SELECT i FROM gate")
	p, err := s.Page(t.Context(), q.ID, 0, 4)
	if err != nil || p.Rows != 4 || !p.More || p.Columns[0].Name != "i" {
		t.Fatalf("%+v, %v", p, err)
	}
	<-g.begun
	p, err = s.Page(t.Context(), q.ID, 4, 100)
	if err != nil || p.Rows != 6 || !p.More {
		t.Fatalf("%+v, %v", p, err)
	}
	if now, err := s.Get(t.Context(), q.ID); err != nil || now.State != Running || now.Rows != 10 || now.Stats.RowsRead != 10 {
		t.Errorf("%+v, %v", now, err)
	}
	close(g.open)
	p, err = s.Page(t.Context(), q.ID, 10, 100)
	if err != nil || p.Rows != 0 || p.More {
		t.Errorf("%+v, %v", p, err)
	}
}
