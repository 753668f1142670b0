package exec

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"github.com/trailql/trailql/engine/figure"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// disk is what the spills of one run share, those of the steps of a recursion too.
type disk struct {
	scratch Scratch // nil: nothing spills
	limit   int64   // bytes; 0: none
	used    atomic.Int64

	lock sync.Mutex
	open map[*spill]struct{} // with a file
}

// close closes what operators have left open: the run is over.
func (d *disk) close() {
	d.lock.Lock()
	left := d.open
	d.open = nil
	d.lock.Unlock()
	for s := range left {
		s.close()
	}
}

// spillBytes is how much of the rows, before compression, one read of a spill gives at most, where the run has memory for that: see
// budget.piece. One row may be larger.
const spillBytes = 1 << 20

// spill is rows in a temporary file: written by one goroutine, then read any number of times, by any number of goroutines. Small batches are put
// together, large ones are cut, so that a reader holds budget.piece. Written rows come back plain, whatever codes they had.
type spill struct {
	run     *run
	meter   *meter
	columns []sqltype.Column

	rows, bytes int64 // written; bytes are those of the file

	waiting []vec.Batch // rows that are not in the file yet, plain
	size    int64       // bytes of waiting
	count   int         // rows of waiting
	file    ScratchFile // nil: not made yet, or closed
	out     *vec.ExtentWriter
	start   []byte // what goes before an extent, see vec.ReadExtent
	extents []vec.Extent
	err     error // sticky
}

// newSpill returns a spill for batches of columns of these types; m counts it. The file is made when there are rows. The options have a Scratch.
func (r *run) newSpill(m *meter, types []sqltype.Type) *spill {
	s := &spill{run: r, meter: m, columns: make([]sqltype.Column, len(types))}
	for i, t := range types {
		s.columns[i].Type = t
	}
	return s
}

// write appends rows. An error is final.
func (s *spill) write(b vec.Batch) error {
	if s.err != nil || b.Len == 0 {
		return s.err
	}
	size := vec.PlainSize(b)
	if b.Len > 1 && (b.Len > s.run.batchRows || size > s.run.budget.piece()) {
		if err := s.write(b.Slice(0, b.Len/2)); err != nil {
			return err
		}
		return s.write(b.Slice(b.Len/2, b.Len))
	}
	if s.count+b.Len > s.run.batchRows || s.size+size > s.run.budget.piece() {
		if err := s.flush(); err != nil {
			return err
		}
	}
	plain := vec.Batch{Len: b.Len}
	for _, col := range b.Cols {
		plain.Cols = append(plain.Cols, vec.Plain(col))
	}
	s.waiting = append(s.waiting, plain)
	s.count += b.Len
	s.size += size
	s.rows += int64(b.Len)
	return nil
}

// mark is the number of extents, when all rows that were written are in them: where the rows to come begin, for section.
func (s *spill) mark() (int, error) {
	err := s.flush()
	return len(s.extents), err
}

// flush writes what waits.
func (s *spill) flush() error {
	if s.err == nil && s.count > 0 {
		s.err = s.append()
		s.waiting, s.count, s.size = nil, 0, 0
	}
	return s.err
}

func (s *spill) append() error {
	if s.run.ctx.Err() != nil {
		return cancelled(s.run.ctx)
	}
	if s.file == nil {
		if err := s.create(); err != nil {
			return err
		}
	}
	all, err := vec.ConcatBatches(s.waiting)
	if err != nil {
		return sqlerr.Wrap(sqlerr.Resource, err, "the rows cannot be put into a temporary file")
	}
	e, err := s.out.Write(all)
	var known *sqlerr.Error
	switch {
	case errors.As(err, &known):
		return known
	case err != nil:
		return sqlerr.Wrap(sqlerr.Internal, err, "the rows have no form in a temporary file")
	}
	s.extents = append(s.extents, e)
	return nil
}

func (s *spill) create() error {
	start, err := vec.PortableStart(s.columns)
	if err != nil {
		return sqlerr.Wrap(sqlerr.Internal, err, "the rows have no form in a temporary file")
	}
	file, err := s.run.disk.scratch.Create()
	if err != nil {
		return sqlerr.Wrap(sqlerr.Resource, err, "the query outgrew its share of memory, and a temporary file cannot be made")
	}
	s.file, s.start = file, start
	s.out = vec.NewExtentWriter(s.columns, limited{s})
	s.meter.spilledFiles.Add(1)
	d := s.run.disk
	d.lock.Lock()
	defer d.lock.Unlock()
	if d.open == nil {
		d.open = map[*spill]struct{}{}
	}
	d.open[s] = struct{}{}
	return nil
}

// limited is a spill as its writer's way to the file.
type limited struct{ *spill }

func (l limited) Write(b []byte) (int, error) {
	d := l.run.disk
	if used := d.used.Add(int64(len(b))); d.limit > 0 && used > d.limit {
		d.used.Add(-int64(len(b)))
		return 0, sqlerr.New(sqlerr.Resource, 0, "the query needs more than the %s of disk that its temporary files may take", figure.Bytes(d.limit)).
			WithHint("filter more rows, or select fewer columns")
	}
	n, err := l.file.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	d.used.Add(int64(n - len(b)))
	l.bytes += int64(n)
	l.meter.spilledBytes.Add(int64(n))
	if err != nil {
		return n, sqlerr.Wrap(sqlerr.Resource, err, "the query outgrew its share of memory, and a temporary file cannot be written")
	}
	return n, nil
}

// close gives the space back; harmless twice. Nobody may be reading.
func (s *spill) close() {
	s.waiting, s.extents = nil, nil
	if s.err == nil {
		s.err = errors.New("exec: a spill was used after its end")
	}
	if s.file == nil {
		return
	}
	_ = s.file.Close() // there is nothing to lose
	s.file = nil
	d := s.run.disk
	d.used.Add(-s.bytes)
	d.lock.Lock()
	defer d.lock.Unlock()
	delete(d.open, s)
}

// read returns the rows of one extent. For any goroutine, once they are written.
func (s *spill) read(extent int) (vec.Batch, error) {
	if s.run.ctx.Err() != nil {
		return vec.Batch{}, cancelled(s.run.ctx)
	}
	b, err := vec.ReadExtent(s.file, s.start, s.columns, s.extents[extent])
	if err != nil {
		return vec.Batch{}, sqlerr.Wrap(sqlerr.Data, err, "a temporary file of the query cannot be read").WithHint("run it again; if this comes back, look after the disk")
	}
	return b, nil
}

// reader reads all rows from the first on, in batches of up to run.batchRows. The first reader is taken by the goroutine that wrote.
func (s *spill) reader() *spillReader {
	end, err := s.mark()
	return &spillReader{spill: s, end: end, err: err}
}

// section reads the rows between two marks.
func (s *spill) section(from, to int) *spillReader { return &spillReader{spill: s, at: from, end: to} }

// spillReader is an operator.
type spillReader struct {
	spill   *spill
	at, end int // extents
	err     error
}

func (r *spillReader) next() (vec.Batch, error) {
	if r.err != nil {
		return vec.Batch{}, r.err
	}
	if r.at == r.end {
		return vec.Batch{}, io.EOF
	}
	b, err := r.spill.read(r.at)
	r.at++
	return b, err
}

// close does nothing: the file is the spill's.
func (r *spillReader) close() {}
