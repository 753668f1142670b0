package service

import (
	"errors"
	"os"
	"path/filepath"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/figure"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/vec"
)

// The rows and the bytes, before compression, of one record batch of a file, at most; one row may be larger. Small batches are put together until they
// reach the lower bounds, or for watchEvery.
const (
	extentRows       = 64 << 10
	extentBytes      = 8 << 20
	extentRowsLeast  = 8 << 10
	extentBytesLeast = 1 << 20
)

// extent is one record batch of a stored result.
type extent struct {
	first int64 // row
	vec.Extent
}

// stored is a result as it can be read: whole, or so far as it is written.
type stored struct {
	id          string // names the file
	key         []byte // of the cache; nil: not to be found there
	columns     []Column
	extents     []extent
	rows, bytes int64
}

// spool writes a result to its file as vec.ExtentWriter does. Safe for concurrent use.
type spool struct {
	path string
	most int64 // bytes of the file

	mu      sync.Mutex
	file    *os.File
	out     *vec.ExtentWriter
	waiting []vec.Batch // rows to be put together
	rows    int         // in waiting
	size    int64       // bytes of waiting
	done    stored
	err     error // sticky
}

// limited is a spool as its writer's way to the file; the lock is held.
type limited struct{ *spool }

func resultPath(folder, id string) string { return filepath.Join(folder, id+".arrow") }

func newSpool(folder, id string, columns []Column, most int64) (*spool, error) {
	s := &spool{path: resultPath(folder, id), most: most, done: stored{id: id, columns: columns}}
	file, err := os.OpenFile(s.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, s.unwritable(err)
	}
	s.file = file
	s.out = vec.NewExtentWriter(columns, limited{s})
	return s, nil
}

func (s *spool) unwritable(err error) error {
	return sqlerr.Wrap(sqlerr.Resource, err, "the result cannot be stored").WithHint("free space in %s", filepath.Dir(s.path))
}

// add takes a batch; stored is true if rows reached the file.
func (s *spool) add(b vec.Batch) (stored bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.done.rows
	err = s.take(b)
	return s.done.rows > before, err
}

// take is add under the lock.
func (s *spool) take(b vec.Batch) error {
	size := vec.PlainSize(b)
	if b.Len > 1 && (b.Len > extentRows || size > extentBytes) {
		if err := s.take(b.Slice(0, b.Len/2)); err != nil {
			return err
		}
		return s.take(b.Slice(b.Len/2, b.Len))
	}
	if s.rows+b.Len > extentRows || s.size+size > extentBytes {
		if err := s.write(); err != nil {
			return err
		}
	}
	plain := vec.Batch{Len: b.Len, Cols: make([]arrow.Array, len(b.Cols))}
	for i, col := range b.Cols {
		plain.Cols[i] = vec.Plain(col)
	}
	s.waiting = append(s.waiting, plain)
	s.rows += b.Len
	s.size += size
	if len(s.done.extents) == 0 || s.rows >= extentRowsLeast || s.size >= extentBytesLeast {
		return s.write()
	}
	return s.err
}

// flush stores the rows that wait; stored is true if there were any. It does nothing once the spool is closed or removed.
func (s *spool) flush() (stored bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if errors.Is(s.err, os.ErrClosed) {
		return false, nil
	}
	before := s.done.rows
	err = s.write()
	return s.done.rows > before, err
}

// write writes what waits as one extent. The lock is held. A panic must not leave here: not only the query's own goroutine writes.
func (s *spool) write() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = s.fail(sqlerr.New(sqlerr.Internal, 0, "the result cannot be stored: %v", p).WithHint("please report it together with the query"))
		}
	}()
	if s.err != nil || s.rows == 0 {
		return s.err
	}
	all, err := vec.ConcatBatches(s.waiting)
	var e vec.Extent
	if err == nil {
		e, err = s.out.Write(all)
	}
	if err != nil {
		return s.fail(err)
	}
	s.done.extents = append(s.done.extents, extent{s.done.rows, e})
	s.done.rows += e.Rows
	clear(s.waiting)
	s.waiting, s.rows, s.size = s.waiting[:0], 0, 0
	return nil
}

func (s *spool) fail(err error) error {
	if s.err == nil {
		s.err = err
	}
	return s.err
}

// Write appends to the file unless that would be too much.
func (l limited) Write(b []byte) (int, error) {
	s := l.spool
	if s.done.bytes+int64(len(b)) > s.most {
		return 0, sqlerr.New(sqlerr.Resource, 0, "the result is larger than the %s that all results together may take", figure.Bytes(s.most)).
			WithHint("select fewer rows or columns, or raise the limit")
	}
	n, err := s.file.Write(b)
	s.done.bytes += int64(n)
	if err != nil {
		return n, s.unwritable(err)
	}
	return n, nil
}

// soFar is what can be read now.
func (s *spool) soFar() stored {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done
}

// close stores the rest and returns the whole.
func (s *spool) close() (*stored, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.write(); err != nil {
		return nil, err
	}
	if err := s.out.Close(); err != nil {
		return nil, s.fail(err)
	}
	if err := s.file.Close(); err != nil {
		return nil, s.fail(s.unwritable(err))
	}
	s.err = os.ErrClosed
	done := s.done
	return &done, nil
}

// remove ends the spool and deletes its file.
func (s *spool) remove() {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.fail(os.ErrClosed)
	_ = s.file.Close()    // it may be closed already
	_ = os.Remove(s.path) // what is left behind is an orphan, removed by the next Open
	s.waiting = nil
}
