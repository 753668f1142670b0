package catalog

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/vec"
)

// RowBuilder gathers rows of one of the tables about objects, column by column: each column that is stored in new files gets one value a row.
type RowBuilder struct {
	layout   *Layout
	columns  []source.Column
	builders map[string]array.Builder
}

// NewRowBuilder begins with no rows. The table is one of those that are not partitioned.
func NewRowBuilder(table string) *RowBuilder {
	layout := LayoutOf(table)
	r := &RowBuilder{layout, layout.Stored(false), map[string]array.Builder{}}
	for _, c := range r.columns {
		r.builders[c.Name] = array.NewBuilder(memory.DefaultAllocator, c.Type.Arrow())
	}
	return r
}

// Layout is that of the table.
func (r *RowBuilder) Layout() *Layout { return r.layout }

// Len is the number of rows.
func (r *RowBuilder) Len() int { return r.builders[r.columns[0].Name].Len() }

// Text adds a value to a column of text; so do the others by their types. Where ok is false it is NULL.
func (r *RowBuilder) Text(column, v string) { r.builders[column].(*array.StringBuilder).Append(v) }

func (r *RowBuilder) Number(column string, v int64) {
	r.builders[column].(*array.Int64Builder).Append(v)
}

func (r *RowBuilder) Bool(column string, v bool) {
	r.builders[column].(*array.BooleanBuilder).Append(v)
}

func (r *RowBuilder) TextOrNull(column, v string, ok bool) {
	if !ok {
		r.builders[column].AppendNull()
		return
	}
	r.Text(column, v)
}

func (r *RowBuilder) NumberOrNull(column string, v int64, ok bool) {
	if !ok {
		r.builders[column].AppendNull()
		return
	}
	r.Number(column, v)
}

// TimeOrNull takes microseconds since 1970.
func (r *RowBuilder) TimeOrNull(column string, micros int64, ok bool) {
	if !ok {
		r.builders[column].AppendNull()
		return
	}
	r.builders[column].(*array.TimestampBuilder).Append(arrow.Timestamp(micros))
}

// List is the builder of a column of lists.
func (r *RowBuilder) List(column string) *array.ListBuilder {
	return r.builders[column].(*array.ListBuilder)
}

// Sorted takes the rows out, in the order of the table's files.
func (r *RowBuilder) Sorted() vec.Batch {
	b := vec.Batch{Len: r.Len()}
	for _, c := range r.columns {
		b.Cols = append(b.Cols, r.builders[c.Name].NewArray())
	}
	var keys []vec.SortKey
	for _, name := range r.layout.SortBy {
		at := slices.IndexFunc(r.columns, func(c source.Column) bool { return c.Name == name })
		keys = append(keys, vec.SortKey{Arr: b.Cols[at]})
	}
	return b.Take(vec.Sort(keys, b.Len))
}
