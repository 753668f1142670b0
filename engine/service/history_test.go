package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/trailql/trailql/engine/source"

	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

func TestRestart(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "a", "state")
	s := open(t, Config{State: folder})
	good := ask(t, s, "SELECT i FROM n ORDER BY i")
	bad := ask(t, s, "SELECT 1 / (i - 9) FROM n")
	want := all(t, s, good.ID, 100)
	shut(t, s)
	if _, err := s.Submit(t.Context(), Request{SQL: "SELECT 1"}); !errors.Is(err, ErrClosed) {
		t.Errorf("submitted to a closed service: %v", err)
	}
	if _, err := s.Get(t.Context(), good.ID); !errors.Is(err, ErrClosed) {
		t.Errorf("asked a closed service: %v", err)
	}
	orphan := filepath.Join(folder, "results", "orphan.arrow")
	if err := os.WriteFile(orphan, nil, 0o600); err != nil {
		t.Fatal(err)
	}

	s = open(t, Config{State: folder})
	for _, before := range []Query{good, bad} {
		after, err := s.Get(t.Context(), before.ID)
		if err != nil {
			t.Fatal(err)
		}
		if after.State != before.State || after.Rows != before.Rows || after.SQL != before.SQL || !after.Finished.Equal(before.Finished) ||
			len(after.Columns) != len(before.Columns) {
			t.Errorf("%+v became %+v", before, after)
		}
		if before.Err != nil && (after.Err.Error() != before.Err.Error() || after.Err.Pos != before.Err.Pos || after.Err.Kind != before.Err.Kind) {
			t.Errorf("%v became %v", before.Err, after.Err)
		}
	}
	if got := all(t, s, good.ID, 3); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if _, err := os.Stat(orphan); !errors.Is(err, os.ErrNotExist) {
		t.Error("an orphan is still there")
	}
	if totals := s.Totals(); totals.Results != 1 || totals.ResultBytes != good.ResultBytes || totals.Succeeded != 0 {
		t.Errorf("%+v", totals)
	}
}

func TestTheStateFolderIsPrivate(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "state")
	s := open(t, Config{State: folder})
	ask(t, s, "SELECT i FROM n")
	err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %s", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestATemporaryStateIsRemoved(t *testing.T) {
	s := open(t, Config{})
	ask(t, s, "SELECT i FROM n")
	shut(t, s)
	if _, err := os.Stat(s.folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there", s.folder)
	}
}

// TestOneOwner: two services over one folder would remove each other's results.
func TestOneOwner(t *testing.T) {
	folder := t.TempDir()
	s := open(t, Config{State: folder})
	_, err := Open(t.Context(), Config{State: folder, Catalog: numbers(t, 1)})
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), folder) || !strings.Contains(err.Error(), "another folder") {
		t.Fatalf("got %v", err)
	}
	if q := ask(t, s, "SELECT i FROM n"); q.State != Succeeded { // the loser has harmed nothing
		t.Errorf("%+v", q)
	}
	shut(t, s)
	open(t, Config{State: folder})
}

func TestADamagedHistory(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "service.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("no database at all ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), Config{State: folder, Catalog: numbers(t, 1)})
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "delete it") {
		t.Errorf("got %v", err)
	}
}

// gate is a table whose scan waits until it is opened or the query is cancelled.
type gate struct {
	source.Table
	begun chan struct{} // gets one for each scan that waits
	open  chan struct{}
}

func newGate() *gate {
	return &gate{source.NewMemory("gate", []source.Column{{Name: "i", Type: sqltype.BigIntType}}, nil), make(chan struct{}, 1000), make(chan struct{})}
}

func (g *gate) table() Table {
	return Table{Name: "gate", Open: func(context.Context) (source.Table, error) { return g, nil }}
}

func (g *gate) Scan(ctx context.Context, req source.Request) (source.Scan, error) {
	return &gateScan{g}, nil
}

type gateScan struct{ gate *gate }

func (s *gateScan) Applied() []bool             { return nil }
func (s *gateScan) Morsels() int                { return 1 }
func (s *gateScan) Prune(context.Context) error { return nil }
func (s *gateScan) Report() *source.Report      { return &source.Report{} }
func (s *gateScan) Open(ctx context.Context, _ int) (source.Reader, error) {
	return &gateReader{s.gate, ctx}, nil
}

type gateReader struct {
	gate *gate
	ctx  context.Context
}

func (r *gateReader) Next() (vec.Batch, error) {
	r.gate.begun <- struct{}{}
	select {
	case <-r.gate.open:
		return vec.Batch{}, io.EOF
	case <-r.ctx.Done():
		return vec.Batch{}, r.ctx.Err()
	}
}

func (r *gateReader) Close() error { return nil }

// TestCrash: the folder as a process leaves it that ends between two instructions.
func TestCrash(t *testing.T) {
	folder, g := t.TempDir(), newGate()
	s := open(t, Config{State: folder, Tables: []Table{g.table()}, Limits: Limits{Concurrent: 1}})
	good := ask(t, s, "SELECT i FROM n ORDER BY i")
	running := submit(t, s, "SELECT * FROM n UNION ALL SELECT i FROM gate")
	<-g.begun
	queued := submit(t, s, "SELECT * FROM gate")

	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	after := open(t, Config{State: copied})
	for _, id := range []string{running.ID, queued.ID} {
		q, err := after.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if q.State != Failed || q.Err == nil || q.Err.Kind != sqlerr.Cancelled || q.Finished.IsZero() || !strings.Contains(q.Err.Error(), "stopped") {
			t.Errorf("%+v", q)
		}
		if _, err := after.Page(t.Context(), id, 0, 1); err == nil {
			t.Error("a page of a query that never ended")
		}
	}
	if got := all(t, after, good.ID, 4); len(got) != 10 || got[9] != "9" {
		t.Errorf("%v", got)
	}
	files, err := os.ReadDir(after.results())
	if err != nil || len(files) != 1 {
		t.Errorf("%v, %v", files, err)
	}
}

// TestClose: what runs may end in its own time, until the caller has none.
func TestClose(t *testing.T) {
	g := newGate()
	s := open(t, Config{State: t.TempDir(), Tables: []Table{g.table()}, Limits: Limits{Concurrent: 1}})
	running := submit(t, s, "SELECT * FROM gate")
	<-g.begun
	waiting := submit(t, s, "SELECT i FROM n")
	closed := make(chan error)
	go func() { closed <- s.Close(t.Context()) }()
	for {
		if _, err := s.Submit(t.Context(), Request{SQL: "SELECT 1"}); errors.Is(err, ErrClosed) {
			break
		}
	}
	close(g.open)
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	s = open(t, Config{State: s.folder})
	for _, id := range []string{running.ID, waiting.ID} {
		if q, err := s.Get(t.Context(), id); err != nil || q.State != Succeeded {
			t.Errorf("%+v, %v", q, err)
		}
	}

	g = newGate()
	s = open(t, Config{State: t.TempDir(), Tables: []Table{g.table()}, Limits: Limits{Concurrent: 1}})
	running = submit(t, s, "SELECT * FROM gate")
	<-g.begun
	shut(t, s)
	s = open(t, Config{State: s.folder})
	q, err := s.Get(t.Context(), running.ID)
	if err != nil || q.State != Cancelled || !strings.Contains(q.Err.Error(), "stopped") {
		t.Errorf("%+v, %v", q, err)
	}
}

// TestColumnsOfNoResult: a query that was cancelled or failed once its columns were known keeps them, also over a restart.
func TestColumnsOfNoResult(t *testing.T) {
	g := newGate()
	s := open(t, Config{State: t.TempDir(), Tables: []Table{g.table()}})
	q := submit(t, s, "SELECT * FROM gate")
	<-g.begun
	if err := s.Cancel(t.Context(), q.ID); err != nil {
		t.Fatal(err)
	}
	failed := submit(t, s, "SELECT 1 / (i - i) AS x FROM n")
	early := submit(t, s, "SELECT nothing FROM n")
	wait(t, s, failed.ID)
	wait(t, s, early.ID)
	for range 2 {
		for id, want := range map[string]string{q.ID: "[{i bigint}]", failed.ID: "[{x bigint}]", early.ID: "[]"} {
			if got, err := s.Get(t.Context(), id); err != nil || got.State == Succeeded || fmt.Sprint(got.Columns) != want {
				t.Errorf("%s: %s, columns %v, want %s; %v", got.SQL, got.State, got.Columns, want, err)
			}
		}
		shut(t, s)
		s = open(t, Config{State: s.folder})
	}
}

func TestExtentsOfStrangers(t *testing.T) {
	for _, b := range [][]byte{{1, 2}, {1, 2, 3}, {0xff, 0xff}, []byte(strings.Repeat("\xff", 40)), append([]byte{1, 2, 3}, make([]byte, 7)...)} {
		if e, err := decodeExtents(b); err == nil {
			t.Errorf("% x is read as %v", b, e)
		}
	}
}

func TestMoments(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Microsecond)
	if got := moment(micros(now)); !got.Equal(now) {
		t.Errorf("%s became %s", now, got)
	}
	if got := moment(micros(time.Time{})); !got.IsZero() {
		t.Errorf("no time became %s", got)
	}
}

// What a file or the history keeps must mean the same in the next process: zones go by name there, for their keys are numbered anew, and
// names of fields are quoted where they are no words.
func TestResultsMeanTheSameInAnotherProcess(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "state")
	s := open(t, Config{State: folder})
	q := ask(t, s, `SELECT TIMESTAMP '2026-03-01 00:00:00 Asia/Kathmandu' AS at, CAST(ROW(1) AS ROW("a b" bigint)) AS pair, NULL AS nothing`)
	want := all(t, s, q.ID, 1)
	shut(t, s)
	file, err := os.Open(resultPath(filepath.Join(folder, "results"), q.ID))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r, err := ipc.NewReader(file)
	if err != nil || !r.Next() {
		t.Fatal(err)
	}
	if text := r.RecordBatch().Column(0).String(); !strings.Contains(text, "Asia/Kathmandu") {
		t.Errorf("stored as %s, a key without a name", text)
	}
	s = open(t, Config{State: folder})
	if got := all(t, s, q.ID, 1); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	after, err := s.Get(t.Context(), q.ID)
	if err != nil || !after.Columns[1].Type.Equal(q.Columns[1].Type) {
		t.Errorf("%v became %v, %v", q.Columns[1].Type, after.Columns[1].Type, err)
	}
}
