package exec

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// memoryScratch keeps files in memory and counts what is done with them. With fail set it may refuse the operation of a number.
type memoryScratch struct {
	fail func(operation string, number int) error // before each Create, Write and ReadAt
	flip bool                                     // each ReadAt gives a wrong bit

	lock                  sync.Mutex
	operations            map[string]int
	made, closed          int
	held, most, readsLate int // bytes of open files; ReadAt after Close
}

func (m *memoryScratch) count(operation string) error {
	m.lock.Lock()
	defer m.lock.Unlock()
	if m.operations == nil {
		m.operations = map[string]int{}
	}
	number := m.operations[operation]
	m.operations[operation]++
	if m.fail != nil {
		return m.fail(operation, number)
	}
	return nil
}

func (m *memoryScratch) Create() (ScratchFile, error) {
	if err := m.count("Create"); err != nil {
		return nil, err
	}
	m.lock.Lock()
	defer m.lock.Unlock()
	m.made++
	return &memoryFile{scratch: m}, nil
}

type memoryFile struct {
	scratch *memoryScratch
	lock    sync.Mutex
	bytes   []byte
	closed  bool
}

func (f *memoryFile) Write(b []byte) (int, error) {
	if err := f.scratch.count("Write"); err != nil {
		return len(b) / 2, err
	}
	f.lock.Lock()
	defer f.lock.Unlock()
	f.bytes = append(f.bytes, b...)
	f.scratch.lock.Lock()
	defer f.scratch.lock.Unlock()
	f.scratch.held += len(b)
	f.scratch.most = max(f.scratch.most, f.scratch.held)
	return len(b), nil
}

func (f *memoryFile) ReadAt(b []byte, at int64) (int, error) {
	if err := f.scratch.count("ReadAt"); err != nil {
		return 0, err
	}
	f.lock.Lock()
	defer f.lock.Unlock()
	if f.closed {
		f.scratch.lock.Lock()
		defer f.scratch.lock.Unlock()
		f.scratch.readsLate++
	}
	n := copy(b, f.bytes[min(at, int64(len(f.bytes))):])
	if f.scratch.flip && n > 0 {
		b[n/2] ^= 4
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memoryFile) Close() error {
	f.lock.Lock()
	defer f.lock.Unlock()
	f.scratch.lock.Lock()
	defer f.scratch.lock.Unlock()
	f.scratch.closed++
	f.scratch.held -= len(f.bytes)
	f.bytes, f.closed = nil, true
	return nil
}

// done fails the test if files are open or were misused.
func (m *memoryScratch) done(t *testing.T) {
	t.Helper()
	if m.made != m.closed || m.held != 0 || m.readsLate > 0 {
		t.Errorf("%d files were made and %d closed, %d bytes are left, %d reads came late", m.made, m.closed, m.held, m.readsLate)
	}
}

// spillOver returns a spill for the columns of r.
func spillOver(r relation, opt Options) *spill {
	var types []sqltype.Type
	for _, c := range r.columns {
		types = append(types, c.Type)
	}
	return newRun(context.Background(), opt).newSpill(&meter{}, types)
}

func rowsOf(t *testing.T, r relation, op operator, most int) (rows []row) {
	t.Helper()
	defer op.close()
	err := drain(op, func(b vec.Batch) error {
		if b.Len == 0 || b.Len > most {
			t.Errorf("a batch of %d rows", b.Len)
		}
		for i := range b.Len {
			var cells row
			for c, col := range b.Cols {
				cells = append(cells, cell(r.columns[c].Type, col, i))
			}
			rows = append(rows, cells)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestSpillGivesBackWhatItTook(t *testing.T) {
	for _, s := range settings() {
		rng := rand.New(rand.NewPCG(s.seed, 3))
		r := people(rng, 500)
		scratch := &memoryScratch{}
		opt := s.options()
		opt.Scratch = scratch
		sp := spillOver(r, opt)
		marks := []int{}
		for from := 0; from < len(r.rows); {
			to := min(len(r.rows), from+1+rng.IntN(100))
			if err := sp.write(r.batch(from, to, s.coded)); err != nil {
				t.Fatal(err)
			}
			if from = to; from == 250 || len(marks) == 0 && from > 250 {
				mark, err := sp.mark()
				if err != nil {
					t.Fatal(err)
				}
				marks = append(marks, mark, from)
			}
		}
		most := sp.run.batchRows
		var group sync.WaitGroup
		for _, reader := range []*spillReader{sp.reader(), sp.reader(), sp.reader()} {
			group.Go(func() { same(t, rowsOf(t, r, reader, most), r.rows, true) })
		}
		group.Wait()
		end, err := sp.mark()
		if err != nil {
			t.Fatal(err)
		}
		same(t, rowsOf(t, r, sp.section(marks[0], end), most), r.rows[marks[1]:], true)
		if m := sp.meter.metrics(); sp.rows != 500 || sp.bytes == 0 || int(sp.bytes) != scratch.most || m.SpilledBytes != sp.bytes || m.SpilledFiles != 1 {
			t.Errorf("it counts %d rows and %d bytes, the meter %+v; the file has %d", sp.rows, sp.bytes, m, scratch.most)
		}
		sp.close()
		sp.close()
		scratch.done(t)
		if used := sp.run.disk.used.Load(); used != 0 {
			t.Errorf("%d bytes are taken for used", used)
		}
	}
}

func TestSpillOfOddColumns(t *testing.T) {
	scratch := &memoryScratch{}
	r := newRun(context.Background(), Options{Scratch: scratch})
	none := r.newSpill(&meter{}, nil)
	for range 3 {
		if err := none.write(vec.Batch{Len: 4000}); err != nil {
			t.Fatal(err)
		}
	}
	rows := 0
	if err := drain(none.reader(), func(b vec.Batch) error { rows += b.Len; return nil }); err != nil || rows != 12000 {
		t.Errorf("%d rows without columns, %v", rows, err)
	}
	nested := sqltype.ArrayOf(sqltype.UnknownType)
	nulls := r.newSpill(&meter{}, []sqltype.Type{sqltype.UnknownType, nested})
	if err := nulls.write(vec.Batch{Len: 2, Cols: []arrow.Array{vec.Nulls(sqltype.UnknownType, 2), vec.Nulls(nested, 2)}}); err != nil {
		t.Fatal(err)
	}
	b, err := nulls.reader().next()
	if err != nil || b.Len != 2 || b.Cols[0].DataType().ID() != arrow.NULL || b.Cols[1].NullN() != 2 {
		t.Errorf("%v, %v", b, err)
	}
	empty := r.newSpill(&meter{}, nil)
	if _, err := empty.reader().next(); !errors.Is(err, io.EOF) || scratch.made != 2 {
		t.Errorf("an empty one gives %v; %d files", err, scratch.made)
	}
	r.disk.close() // what operators left open
	scratch.done(t)
}

// Large rows are parted, so that a reader never holds much more than spillBytes.
func TestSpillCutsLargeBatches(t *testing.T) {
	scratch := &memoryScratch{}
	r := relation{columns: people(rand.New(rand.NewPCG(1, 1)), 0).columns[:1]}
	for range 40 {
		r.rows = append(r.rows, row{strings.Repeat("x", 100<<10)})
	}
	r.rows = append(r.rows, row{strings.Repeat("y", 3<<20)})
	s := spillOver(r, Options{Scratch: scratch})
	if err := s.write(r.batch(0, 41, false)); err != nil {
		t.Fatal(err)
	}
	in, rows := s.reader(), 0
	if err := drain(in, func(b vec.Batch) error {
		if rows += b.Len; b.Len > 1 && b.Size() > spillBytes {
			t.Errorf("%d rows of %d bytes", b.Len, b.Size())
		}
		return nil
	}); err != nil || rows != 41 {
		t.Errorf("%d rows, %v", rows, err)
	}
	if len(s.extents) > 10 {
		t.Errorf("%d extents", len(s.extents))
	}
	s.close()
	scratch.done(t)
}

func TestSpillFaults(t *testing.T) {
	full := errors.New("no space left on device")
	for name, c := range map[string]struct {
		scratch *memoryScratch
		limit   int64
		kind    sqlerr.Kind
		says    string
	}{
		"no file":      {scratch: &memoryScratch{fail: func(op string, _ int) error { return map[string]error{"Create": full}[op] }}, kind: sqlerr.Resource, says: "cannot be made: no space left on device"},
		"disk full":    {scratch: &memoryScratch{fail: func(op string, n int) error { return map[bool]error{op == "Write" && n == 2: full}[true] }}, kind: sqlerr.Resource, says: "cannot be written: no space left on device"},
		"unreadable":   {scratch: &memoryScratch{fail: func(op string, _ int) error { return map[string]error{"ReadAt": errors.New("input/output error")}[op] }}, kind: sqlerr.Data, says: "input/output error"},
		"damaged":      {scratch: &memoryScratch{flip: true}, kind: sqlerr.Data, says: "are not what was written"},
		"over a limit": {scratch: &memoryScratch{}, limit: 1500, kind: sqlerr.Resource, says: "more than the 1.5 KiB of disk"},
	} {
		t.Run(name, func(t *testing.T) {
			r := people(rand.New(rand.NewPCG(1, 1)), 100)
			s := spillOver(r, Options{Scratch: c.scratch, ScratchBytes: c.limit, BatchRows: 10})
			err := s.write(r.batch(0, 100, false))
			for in := s.reader(); err == nil; {
				_, err = in.next()
			}
			if sqlerr.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v of kind %s", err, sqlerr.KindOf(err))
			}
			s.run.disk.close()
			c.scratch.done(t)
		})
	}
}
