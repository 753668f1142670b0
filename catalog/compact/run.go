package compact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/parquetio"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/vec"
)

// run is a sequence of rows of one table in order of their key. It can be read any number of times.
type run interface {
	// open starts to read it. The function yields batches of at most so many rows, then io.EOF.
	open(ctx context.Context, rows int) (func() (vec.Batch, error), error)
	// drop frees it; errors do not matter, since a later sweep comes by.
	drop(ctx context.Context)
}

// shape is what the merge needs to know of the batches of a run: their columns, and those that make up the key, in order.
type shape struct {
	columns []source.Column
	key     []int // ordinals
}

// decodedShape is that of rows as cloudtrail.Rows gives them.
func decodedShape(table string) shape {
	layout := catalog.LayoutOf(table)
	var s shape
	for _, c := range layout.Columns {
		if c.Name != "_conflict" && c.Name != layout.Commit {
			s.columns = append(s.columns, c)
		}
	}
	for _, name := range slices.Concat(layout.Partitions, layout.SortBy, []string{"_path", "_row"}) {
		s.key = append(s.key, s.ordinal(name))
	}
	return s
}

func (s *shape) ordinal(name string) int { return ordinalOf(s.columns, name) }

func ordinalOf(columns []source.Column, name string) int {
	return slices.IndexFunc(columns, func(c source.Column) bool { return c.Name == name })
}

func (s *shape) sorted(b vec.Batch) []int32 {
	keys := make([]vec.SortKey, len(s.key))
	for i, k := range s.key {
		keys[i] = vec.SortKey{Arr: b.Cols[k]}
	}
	return vec.Sort(keys, b.Len)
}

// memoryRun holds its rows unsorted, in batches as they were decoded, and their order.
type memoryRun struct {
	batches   []vec.Batch
	order     []int32 // rows are counted through all batches
	partition []bool  // by place in the order, from the second on: of the same partition as the row before
	group     []bool  // likewise: of the same partition, time and id
}

// newMemoryRun makes a run of decoded rows; the batches are its own from now on.
func newMemoryRun(table string, batches ...vec.Batch) (*memoryRun, error) {
	s := decodedShape(table)
	r := &memoryRun{batches: batches}
	keys := vec.Batch{Cols: make([]arrow.Array, len(s.columns))}
	parts := make([]arrow.Array, len(batches))
	for _, b := range batches {
		keys.Len += b.Len
	}
	for _, k := range s.key {
		for i, b := range batches {
			parts[i] = b.Cols[k]
		}
		var err error
		if keys.Cols[k], err = vec.Concat(parts); err != nil {
			return nil, err
		}
	}
	r.order = s.sorted(keys)
	r.partition = make([]bool, max(keys.Len-1, 0))
	for i := range r.partition {
		r.partition[i] = true
	}
	partitions := len(catalog.LayoutOf(table).Partitions)
	for _, k := range s.key[:partitions] {
		vec.EqualAt(keys.Cols[k], r.order[1:], keys.Cols[k], r.order, r.partition)
	}
	r.group = slices.Clone(r.partition)
	for _, k := range s.key[partitions : partitions+2] {
		vec.EqualAt(keys.Cols[k], r.order[1:], keys.Cols[k], r.order, r.group)
	}
	return r, nil
}

func (r *memoryRun) open(_ context.Context, rows int) (func() (vec.Batch, error), error) {
	next := r.pieces(rows, func(int) bool { return true })
	return func() (vec.Batch, error) {
		p, err := next()
		if err != nil {
			return vec.Batch{}, err
		}
		return usual(p.pick()), nil
	}, nil
}

// windows yields all rows in order, about so many at a time and at most those of one partition; rows that are equal in partition, time and
// id come together. A piece is good until the next one.
func (r *memoryRun) windows(rows int) func() (piece, error) {
	return r.pieces(rows, func(i int) bool { return !r.group[i-1] })
}

// pieces yields all rows in order. A piece ends with its partition, or after so many rows at a place where it may.
func (r *memoryRun) pieces(rows int, may func(i int) bool) func() (piece, error) {
	picker := newRowPicker(r.batches)
	ends := make([]int32, len(r.batches))
	for i, b := range r.batches {
		ends[i] = int32(b.Len)
		if i > 0 {
			ends[i] += ends[i-1]
		}
	}
	at := 0
	var source, row []int32
	return func() (piece, error) {
		if at == len(r.order) {
			return piece{}, io.EOF
		}
		source, row = source[:0], row[:0]
		for from := at; at < len(r.order); at++ {
			if at > from && (!r.partition[at-1] || at-from >= rows && may(at)) {
				break
			}
			k, n := int32(0), r.order[at]
			for n >= ends[k] {
				k++
			}
			if k > 0 {
				n -= ends[k-1]
			}
			source, row = append(source, k), append(row, n)
		}
		return piece{picker, source, row}, nil
	}
}

func (r *memoryRun) drop(context.Context) { *r = memoryRun{} }

// fileRun stands in a temporary file of the lake.
type fileRun struct {
	c       *compactor
	file    parquetio.File
	columns []source.Column
}

// newFileRun writes a run to a temporary file.
func (c *compactor) newFileRun(ctx context.Context, table string, from *memoryRun) (run, error) {
	pieces := from.pieces(c.opt.windowRows, func(int) bool { return true })
	next := func() (vec.Batch, error) {
		p, err := pieces()
		if err != nil {
			return vec.Batch{}, err
		}
		return p.pick(), nil
	}
	s := decodedShape(table)
	name := fmt.Sprintf("%s%d.parquet", c.temp, c.spilled.Add(1))
	out, err := c.scratch.Create(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("write a temporary file: %w", err)
	}
	defer out.Abort()
	written, err := parquetio.Write(out, parquetio.WriteOptions{Columns: s.columns, RowGroupBytes: c.rowGroupBytes()}, next)
	if err == nil {
		err = out.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("write a temporary file: %w", err)
	}
	return &fileRun{c, parquetio.File{Name: name, Size: written.Bytes, Rows: written.Rows}, s.columns}, nil
}

func (r *fileRun) open(ctx context.Context, rows int) (func() (vec.Batch, error), error) {
	req := allColumns(r.columns, rows)
	scan, err := parquetio.NewScan(ctx, r.c.scratch, []parquetio.File{r.file}, r.columns, req, &source.Report{})
	if err != nil {
		return nil, err
	}
	return source.InOrder(ctx, scan), nil
}

func (r *fileRun) drop(ctx context.Context) { _ = r.c.scratch.Delete(ctx, r.file.Name) }

// lakeRun is a file of the lake with all columns of its table.
type lakeRun struct {
	c      *compactor
	layout *catalog.Layout
	file   *catalog.File
}

func (r *lakeRun) open(ctx context.Context, rows int) (func() (vec.Batch, error), error) {
	scan, err := r.c.lake.ScanFiles(ctx, r.layout, []*catalog.File{r.file}, allColumns(r.layout.Columns, rows))
	if err != nil {
		return nil, err
	}
	return source.InOrder(ctx, scan), nil
}

func (r *lakeRun) drop(context.Context) {}

func allColumns(columns []source.Column, rows int) source.Request {
	return source.Request{Paths: source.WholeColumns(columns), Limit: -1, BatchRows: rows}
}

// leastRows is how many rows of a run are read at a time at least: fewer cost more in calls than they save in memory.
const leastRows = 256

// merger reads sorted runs as one. Its windows end between keys of the first group columns: rows that are equal in
// these come in one window.
type merger struct {
	shape shape
	group int // number of key columns that may not be torn apart
	runs  []*mergeInput
}

type mergeInput struct {
	next  func() (vec.Batch, error)
	cur   vec.Batch // rows not yet given out
	ahead vec.Batch
	done  bool // nothing comes after cur
}

// newMerger opens the runs. A window has about so many rows, whatever the number of runs.
func newMerger(ctx context.Context, s shape, group int, runs []run, rows int) (*merger, error) {
	m := &merger{shape: s, group: group}
	for _, r := range runs {
		next, err := r.open(ctx, max(rows/len(runs), leastRows))
		if err != nil {
			return nil, err
		}
		in := &mergeInput{next: next}
		if err := in.extend(); err != nil { // ahead
			return nil, err
		}
		if err := in.extend(); err != nil { // cur, and ahead
			return nil, err
		}
		m.runs = append(m.runs, in)
	}
	return m, nil
}

// extend moves the batch read ahead to the end of the current one.
func (in *mergeInput) extend() error {
	switch {
	case in.ahead.Len == 0:
	case in.cur.Len == 0:
		in.cur = in.ahead
	default:
		var err error
		if in.cur, err = vec.ConcatBatches([]vec.Batch{in.cur, in.ahead}); err != nil {
			return err
		}
	}
	var err error
	in.ahead, err = in.next()
	if errors.Is(err, io.EOF) {
		in.ahead, in.done = vec.Batch{}, true
		return nil
	}
	return err
}

// window returns the next rows in order, or io.EOF.
func (m *merger) window() (vec.Batch, error) {
	for {
		// The first of the last keys is the bound: rows before it are complete.
		var bound *mergeInput
		rows := 0
		for _, in := range m.runs {
			rows += in.cur.Len
			if !in.done && (bound == nil || m.compare(in.cur, in.cur.Len-1, bound.cur, bound.cur.Len-1, m.group) < 0) {
				bound = in
			}
		}
		if rows == 0 {
			return vec.Batch{}, io.EOF
		}
		var parts []vec.Batch
		var limit vec.Batch
		if bound != nil {
			limit = bound.cur.Slice(bound.cur.Len-1, bound.cur.Len)
		}
		for _, in := range m.runs {
			n := in.cur.Len
			if bound != nil {
				n = m.before(in.cur, limit)
			}
			if n == 0 {
				continue
			}
			parts = append(parts, in.cur.Slice(0, n))
			in.cur = in.cur.Slice(n, in.cur.Len)
		}
		for _, in := range m.runs {
			if !in.done && (in.cur.Len == 0 || m.compare(in.cur, in.cur.Len-1, limit, 0, m.group) == 0) {
				if err := in.extend(); err != nil {
					return vec.Batch{}, err
				}
			}
		}
		switch len(parts) {
		case 0:
			continue
		case 1:
			return parts[0], nil
		}
		all, err := vec.ConcatBatches(parts)
		if err != nil {
			return vec.Batch{}, err
		}
		return all.Take(m.shape.sorted(all)), nil
	}
}

// before counts the rows of b whose group columns come before those of the one row of limit.
func (m *merger) before(b, limit vec.Batch) int {
	lo, hi := 0, b.Len
	for lo < hi {
		mid := (lo + hi) / 2
		if m.compare(b, mid, limit, 0, m.group) < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

func (m *merger) compare(a vec.Batch, i int, b vec.Batch, j int, columns int) int {
	for _, k := range m.shape.key[:columns] {
		if c := vec.CompareRows(a.Cols[k], i, b.Cols[k], j, false, false); c != 0 {
			return c
		}
	}
	return 0
}

// sameAsBefore says of each row of b but the first whether the columns equal those of the row before.
func sameAsBefore(b vec.Batch, columns []int) []bool {
	if b.Len < 2 {
		return nil
	}
	same := make([]bool, b.Len-1)
	here, before := make([]int32, b.Len-1), make([]int32, b.Len-1)
	for i := range same {
		same[i], before[i], here[i] = true, int32(i), int32(i+1)
	}
	for _, k := range columns {
		vec.EqualAt(b.Cols[k], here, b.Cols[k], before, same)
	}
	return same
}
