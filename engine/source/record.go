package source

import (
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/engine/sqltype"
)

// Field is a column of a relation whose rows are Go values: the state of the process, as SQL.
type Field[T any] struct {
	Name    string
	Type    sqltype.Type
	Comment string
	Value   func(T) any // string, int64, bool or time.Time, as Type asks; nil, the empty text and the zero time are NULL
}

// Columns are those of fields.
func Columns[T any](fields []Field[T]) []Column {
	columns := make([]Column, len(fields))
	for i, f := range fields {
		columns[i] = Column{Name: f.Name, Type: f.Type, Comment: f.Comment}
	}
	return columns
}

// Array is the column of rows.
func (f Field[T]) Array(rows []T) arrow.Array {
	b := array.NewBuilder(memory.DefaultAllocator, f.Type.Arrow())
	for _, row := range rows {
		switch v := f.Value(row).(type) {
		case string:
			if v != "" {
				b.(*array.StringBuilder).Append(v)
				continue
			}
		case int64:
			b.(*array.Int64Builder).Append(v)
			continue
		case bool:
			b.(*array.BooleanBuilder).Append(v)
			continue
		case time.Time:
			if !v.IsZero() {
				b.(*array.TimestampBuilder).Append(arrow.Timestamp(v.UnixMicro()))
				continue
			}
		}
		b.AppendNull()
	}
	return b.NewArray()
}
