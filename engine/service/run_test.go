package service

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/engine/logictest"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

func TestRowLimit(t *testing.T) {
	s := open(t, Config{Limits: Limits{Rows: 5}})
	for _, c := range []struct {
		sql   string
		own   int64
		state State
	}{
		{"SELECT i FROM n LIMIT 5", 0, Succeeded},
		{"SELECT i FROM n LIMIT 6", 0, Failed},
		{"SELECT i FROM n LIMIT 5", 4, Failed},  // and no answer from the cache either
		{"SELECT i FROM n LIMIT 6", 10, Failed}, // a request lowers the limit only
	} {
		q, err := s.Submit(t.Context(), Request{SQL: c.sql, MaxRows: c.own})
		if err != nil {
			t.Fatal(err)
		}
		q = wait(t, s, q.ID)
		if q.State != c.state {
			t.Errorf("%s: %+v", c.sql, q)
		}
		if q.Err != nil && (q.Err.Kind != sqlerr.Resource || !strings.Contains(q.Err.Hint, "LIMIT")) {
			t.Errorf("%s: %v", c.sql, q.Err)
		}
	}
}

// meter is a table that says it read bytes before it gives rows, or waits for ever.
type meter struct {
	source.Table
	bytes int64
	waits bool
}

func (m *meter) Scan(ctx context.Context, req source.Request) (source.Scan, error) {
	scan, err := m.Table.Scan(ctx, req)
	return &meterScan{scan, m}, err
}

type meterScan struct {
	source.Scan
	meter *meter
}

func (s *meterScan) Open(ctx context.Context, morsel int) (source.Reader, error) {
	s.Report().BytesRead.Add(s.meter.bytes)
	if s.meter.waits {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return s.Scan.Open(ctx, morsel)
}

func (m *meter) as(name string) Table {
	m.Table = source.NewMemory(name, []source.Column{{Name: "s", Type: sqltype.VarcharType}}, []vec.Batch{wide(2, 100)})
	return Table{Name: name, Open: func(context.Context) (source.Table, error) { return m, nil }}
}

func TestByteLimit(t *testing.T) {
	small, large, endless := &meter{bytes: 1000}, &meter{bytes: 1001}, &meter{bytes: 1001, waits: true}
	s := open(t, Config{Tables: []Table{small.as("small"), large.as("large"), endless.as("endless")}, Limits: Limits{Bytes: 1000}})
	if q := ask(t, s, "SELECT * FROM small"); q.State != Succeeded || q.Stats.BytesRead != 1000 {
		t.Errorf("%+v", q)
	}
	for _, sql := range []string{"SELECT * FROM large", "SELECT count(*) FROM large", "SELECT * FROM endless", "SELECT * FROM endless ORDER BY s"} {
		q := ask(t, s, sql)
		if q.State != Failed || q.Err.Kind != sqlerr.Resource || !strings.Contains(q.Err.Error(), "1000 B") || q.Stats.BytesRead < 1001 {
			t.Errorf("%s: %+v", sql, q)
		}
	}
}

func TestMemoryIsShared(t *testing.T) {
	const sql = "SELECT i, count(*) FROM n GROUP BY i"
	s := open(t, Config{Catalog: numbers(t, 20_000), Limits: Limits{Memory: 256 << 20}})
	if q := ask(t, s, sql); q.State != Succeeded || q.Stats.Spilled != 0 {
		t.Errorf("%v, %d bytes spilled", q.Err, q.Stats.Spilled)
	}
	s = open(t, Config{Catalog: numbers(t, 20_000), Limits: Limits{Memory: 256 << 10, Concurrent: 2}})
	if q := ask(t, s, sql); q.State != Succeeded || q.Stats.Spilled == 0 {
		t.Errorf("%v, %d bytes spilled", q.Err, q.Stats.Spilled)
	}
	// One value cannot be in two parts.
	if q := ask(t, s, "SELECT array_agg(i) FROM n"); q.State != Failed || q.Err.Kind != sqlerr.Resource || !strings.Contains(q.Err.Error(), "128 KiB") {
		t.Errorf("%+v", q)
	}
	_, err := Open(t.Context(), Config{Catalog: numbers(t, 1), Limits: Limits{Memory: 1, Concurrent: -1}})
	if err == nil {
		t.Error("memory divided by no number")
	}
}

// TestResultLimit: one result may not be larger than all may be.
func TestResultLimit(t *testing.T) {
	s := open(t, Config{Catalog: numbers(t, 100_000), Limits: Limits{KeepBytes: 100_000}})
	q := ask(t, s, "SELECT i FROM n")
	if q.State != Failed || q.Err.Kind != sqlerr.Resource || !strings.Contains(q.Err.Error(), "97.7 KiB") {
		t.Errorf("%+v", q)
	}
	noFiles(t, s)
	if q := ask(t, s, "SELECT i FROM n LIMIT 10"); q.State != Succeeded {
		t.Errorf("%+v", q)
	}
}

// noFiles fails if a result is stored.
func noFiles(t *testing.T, s *Service) {
	t.Helper()
	s.queries.Wait()
	if files := files(t, s); len(files) != 0 {
		t.Errorf("left behind: %v", files)
	}
}

// panicking is a catalog, a table and a scan of which each part may panic.
type panicking struct {
	*logictest.Catalog
	armed bool
}

func (p *panicking) Snapshot(ctx context.Context) (source.Snapshot, error) {
	if p.armed {
		panic("at the door")
	}
	return p.Catalog.Snapshot(ctx)
}

func TestAPanicEndsTheQueryOnly(t *testing.T) {
	cat := &panicking{Catalog: numbers(t, 10)}
	s := open(t, Config{Catalog: cat})
	cat.armed = true
	q := ask(t, s, "SELECT i FROM n")
	if q.State != Failed || q.Err.Kind != sqlerr.Internal || !strings.Contains(q.Err.Error(), "at the door") || q.Err.Hint == "" {
		t.Errorf("%+v", q)
	}
	cat.armed = false
	if q := ask(t, s, "SELECT i FROM n"); q.State != Succeeded {
		t.Errorf("%+v", q)
	}
}

// broken is a catalog that cannot be read any more.
type broken struct {
	*logictest.Catalog
	err error
}

func (b *broken) Snapshot(ctx context.Context) (source.Snapshot, error) {
	if b.err != nil {
		return nil, b.err
	}
	return b.Catalog, nil
}

func TestTheLakeIsGone(t *testing.T) {
	cat := &broken{Catalog: numbers(t, 10)}
	s := open(t, Config{Catalog: cat})
	cat.err = io.ErrUnexpectedEOF
	if q := ask(t, s, "SELECT i FROM n"); q.State != Failed || q.Err.Kind != sqlerr.Data || !strings.Contains(q.Err.Error(), io.ErrUnexpectedEOF.Error()) {
		t.Errorf("%+v", q)
	}
	if _, err := Open(t.Context(), Config{Catalog: cat}); err == nil {
		t.Error("opened over no lake")
	}
}

// many has the columns i and s, numbers and texts by chance, in batches as a lake gives them.
func many(rows int) source.Table {
	r := rand.New(rand.NewPCG(1, 2))
	var batches []vec.Batch
	for from := 0; from < rows; from += 64 << 10 {
		numbers, texts := array.NewInt64Builder(memory.DefaultAllocator), array.NewStringBuilder(memory.DefaultAllocator)
		for i := from; i < min(from+64<<10, rows); i++ {
			numbers.Append(r.Int64())
			texts.Append(fmt.Sprintf("user-%d-%x", i, r.Uint64()))
		}
		batches = append(batches, vec.Batch{Len: numbers.Len(), Cols: []arrow.Array{numbers.NewArray(), texts.NewArray()}})
	}
	return source.NewMemory("h", []source.Column{{Name: "i", Type: sqltype.BigIntType}, {Name: "s", Type: sqltype.VarcharType}}, batches)
}

// tap is a table that tells when so many of its morsels were opened.
type tap struct {
	source.Table
	left    atomic.Int64
	reached chan struct{}
}

func (p *tap) Scan(ctx context.Context, req source.Request) (source.Scan, error) {
	scan, err := p.Table.Scan(ctx, req)
	return tapScan{scan, p}, err
}

type tapScan struct {
	source.Scan
	tap *tap
}

func (s tapScan) Open(ctx context.Context, morsel int) (source.Reader, error) {
	if s.tap.left.Add(-1) == 0 {
		close(s.tap.reached)
	}
	return s.Scan.Open(ctx, morsel)
}

// TestCancelAtOnce: 100 ms after Cancel at most, Wait says so, whatever the engine is at. The issue names the time.
func TestCancelAtOnce(t *testing.T) {
	morsels := int64(16)
	if testing.Short() {
		morsels = 4
	}
	table := many(int(morsels) * 64 << 10)
	var now *tap
	s := open(t, Config{Limits: Limits{Concurrent: 1}, Tables: []Table{{Name: "h", Open: func(context.Context) (source.Table, error) { return now, nil }}}})
	for _, sql := range []string{
		"SELECT count(*) FROM h a, h b WHERE a.i < b.i",
		"SELECT * FROM h a, h b",
		"SELECT * FROM h ORDER BY s, i",
		"SELECT count(DISTINCT s) FROM h",
		"SELECT i, max(s) FROM h GROUP BY i",
		"SELECT count(*) FROM h a JOIN h b ON a.s = b.s",
		"SELECT count(*) FROM h WHERE regexp_like(s, '(a|b|c)+.*(d|e|f)+.*[0-9]{3,}x')",
	} {
		for _, opened := range []int64{1, morsels} { // as it begins, and when the operators have nearly all rows
			best := time.Hour
			for range 10 { // the machine may have other work
				now = &tap{Table: table, reached: make(chan struct{})}
				now.left.Store(opened)
				id := submit(t, s, sql).ID
				<-now.reached
				began := time.Now()
				if err := s.Cancel(t.Context(), id); err != nil {
					t.Fatal(err)
				}
				q := wait(t, s, id)
				best = min(best, time.Since(began))
				if q.State != Cancelled && opened == 1 {
					t.Errorf("%s: %+v", sql, q)
				}
				s.queries.Wait() // its slot is free
				if best <= 100*time.Millisecond {
					break
				}
			}
			if best > 100*time.Millisecond {
				t.Errorf("%s: %s after it was cancelled", sql, best)
			}
		}
	}
	noFiles(t, s)
}
