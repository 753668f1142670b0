package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"sort"

	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/vec"
)

// pageBytes is the most bytes of the record batches behind a page; one row may be larger.
const pageBytes = 16 << 20

// Page returns at most rows rows of a result, fewer where they are large; it waits until there are some, or the query is done, or ctx is
// (then its error). A query that failed or was cancelled gives its *sqlerr.Error. There are no rows beyond the end. A stored result that
// is damaged is an error of kind Data, never other rows.
func (s *Service) Page(ctx context.Context, id string, from, rows int64) (Page, error) {
	if from < 0 || rows < 0 {
		return Page{}, fmt.Errorf("a page cannot begin at row %d or have %d rows", from, rows)
	}
	if q := s.find(id); q != nil {
		return s.pageOf(ctx, q, from, rows)
	}
	q, result, err := s.past(ctx, id)
	switch {
	case err != nil:
		return Page{}, err
	case q.Err != nil:
		return Page{}, q.Err
	case result == nil:
		return Page{}, fmt.Errorf("%w: query %s", ErrExpired, id)
	}
	s.pin(result.id)
	defer s.unpin(result.id)
	p, err := s.read(result, from, rows)
	p.More = err == nil && from+p.Rows < result.rows
	return p, err
}

// pageOf is Page of a query in memory.
func (s *Service) pageOf(ctx context.Context, q *query, from, rows int64) (Page, error) {
	var end Query
	var so stored
	err := q.wait(ctx, func() bool {
		end = q.now
		switch {
		case q.stored != nil:
			so = *q.stored
		case q.spool != nil:
			so = q.spool.soFar()
		}
		return q.done || so.rows > from || rows == 0 && so.columns != nil
	})
	switch {
	case err != nil:
		return Page{}, err
	case end.Err != nil:
		return Page{}, end.Err
	}
	p, err := s.read(&so, from, rows)
	if err != nil {
		if now := q.view(); now.Err != nil {
			return Page{}, now.Err // its rows went while they were read
		}
		return Page{}, err
	}
	p.More = !end.State.Done() || from+p.Rows < so.rows
	return p, nil
}

// read returns rows of a stored result. One file is open for so long.
func (s *Service) read(result *stored, from, rows int64) (Page, error) {
	rows = min(rows, math.MaxInt64-from)
	p := Page{Columns: result.columns, From: from}
	at := sort.Search(len(result.extents), func(i int) bool { return result.extents[i].first+result.extents[i].Rows > from })
	if at == len(result.extents) || rows == 0 {
		return p, nil
	}
	path := resultPath(s.results(), result.id)
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Page{}, fmt.Errorf("%w: %s is gone", ErrExpired, path)
	}
	if err != nil {
		return Page{}, sqlerr.Wrap(sqlerr.Data, err, "the stored result cannot be read")
	}
	defer file.Close()
	start, err := vec.PortableStart(result.columns)
	if err != nil {
		return Page{}, sqlerr.Wrap(sqlerr.Internal, err, "the columns of a stored result have no Arrow form")
	}
	for bytes := int64(0); at < len(result.extents) && p.Rows < rows && bytes+extentBytes <= pageBytes; at++ {
		e := result.extents[at]
		b, err := vec.ReadExtent(file, start, result.columns, e.Extent)
		if err != nil {
			return Page{}, sqlerr.Wrap(sqlerr.Data, err, "the stored result %s is damaged", path).WithHint("run the query again")
		}
		bytes += b.Size()
		first, last := max(0, from-e.first), min(e.Rows, from+rows-e.first)
		if first > 0 || last < e.Rows {
			b = b.Slice(int(first), int(last))
		}
		p.Batches = append(p.Batches, b)
		p.Rows += int64(b.Len)
	}
	return p, nil
}
