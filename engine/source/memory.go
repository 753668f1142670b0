package source

import (
	"context"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/engine/vec"
)

// NewMemory returns a table over batches in memory, for tests and small relations. Each batch, which has a column for each of columns, is
// one morsel; no conjunct is applied, nothing is pruned.
func NewMemory(name string, columns []Column, batches []vec.Batch) Table {
	t := &memoryTable{name: name, columns: columns}
	for _, b := range batches {
		if b.Len == 0 {
			continue
		}
		for _, col := range b.Cols {
			col.NullN() // arrow-go counts when first asked, without a lock; several goroutines will ask
			if d, ok := col.(*array.Dictionary); ok {
				d.Dictionary().NullN()
			}
		}
		t.batches = append(t.batches, b)
	}
	return t
}

type memoryTable struct {
	name    string
	columns []Column
	batches []vec.Batch
}

func (t *memoryTable) Name() string      { return t.name }
func (t *memoryTable) Columns() []Column { return t.columns }

func (t *memoryTable) Scan(_ context.Context, req Request) (Scan, error) {
	s := &memoryScan{table: t, request: req}
	s.report.RowGroups.Store(int64(len(t.batches)))
	return s, nil
}

type memoryScan struct {
	table   *memoryTable
	request Request
	report  Report
}

func (s *memoryScan) Applied() []bool             { return make([]bool, len(s.request.Conjuncts)) }
func (s *memoryScan) Morsels() int                { return len(s.table.batches) }
func (s *memoryScan) Prune(context.Context) error { return nil }
func (s *memoryScan) Report() *Report             { return &s.report }

func (s *memoryScan) Open(_ context.Context, morsel int) (Reader, error) {
	b := s.table.batches[morsel]
	s.report.RowsRead.Add(int64(b.Len))
	out := vec.Batch{Len: b.Len, Cols: make([]arrow.Array, len(s.request.Paths))}
	for i, path := range s.request.Paths {
		out.Cols[i] = Along(b.Cols[path.Column], path)
	}
	return &memoryReader{rest: out, most: s.request.BatchRows}, nil
}

// Along returns what a Path names of its column, which is a; a NULL row has NULL fields.
func Along(a arrow.Array, p Path) arrow.Array {
	for _, field := range p.Fields {
		row := a.(*array.Struct)
		child := row.Field(field)
		if row.NullN() > 0 {
			present := make([]int32, row.Len())
			for i := range present {
				present[i] = int32(i)
				if row.IsNull(i) {
					present[i] = -1
				}
			}
			child = vec.Take(child, present)
		}
		a = child
	}
	if list, ok := a.(*array.List); ok && p.Elements != nil {
		return vec.PickFields(list, p.Elements)
	}
	return a
}

type memoryReader struct {
	rest vec.Batch
	most int // rows per batch; 0: all at once
}

func (r *memoryReader) Next() (vec.Batch, error) {
	if r.rest.Len == 0 {
		return vec.Batch{}, io.EOF
	}
	n := r.rest.Len
	if r.most > 0 {
		n = min(n, r.most)
	}
	b := r.rest.Slice(0, n)
	r.rest = r.rest.Slice(n, r.rest.Len)
	return b, nil
}

func (r *memoryReader) Close() error { return nil }
