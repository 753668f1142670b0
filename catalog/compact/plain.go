package compact

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/engine/vec"
)

// Decoded rows have dictionary-coded text also below rows and lists, where everything else expects plain text. That saves much
// memory while they are gathered; it ends when they are taken out, a window at a time.

// takeRows is vec.Batch.Take for decoded rows; the result has the usual forms.
func takeRows(b vec.Batch, rows []int32) vec.Batch {
	out := vec.Batch{Len: len(rows), Cols: make([]arrow.Array, len(b.Cols))}
	for i, c := range b.Cols {
		out.Cols[i] = takeColumn(c, rows)
	}
	return out
}

func takeColumn(a arrow.Array, rows []int32) arrow.Array {
	s, ok := a.(*array.Struct)
	if !ok {
		return vec.Take(a, rows)
	}
	valid := make([]byte, bitutil.BytesForBits(int64(len(rows))))
	nulls := 0
	for i, r := range rows {
		if s.IsValid(int(r)) {
			bitutil.SetBit(valid, i)
		} else {
			nulls++
		}
	}
	children := make([]arrow.Array, s.NumField())
	for i := range children {
		children[i] = vec.Plain(takeColumn(s.Field(i), rows))
	}
	return structOf(s, children, len(rows), valid, nulls)
}

// plainLists makes the text inside of lists and maps plain, at any depth. Text of rows stays as it is.
func plainLists(a arrow.Array) arrow.Array {
	switch a := a.(type) {
	case *array.Struct:
		children := make([]arrow.Array, a.NumField())
		for i := range children {
			children[i] = plainLists(a.Field(i))
		}
		return structOf(a, children, a.Len(), validBits(a), a.NullN())
	case *array.Map:
		items := allPlain(a.ListValues())
		return array.MakeFromData(array.NewData(a.DataType(), a.Len(), a.Data().Buffers(), []arrow.ArrayData{items.Data()}, a.NullN(), a.Data().Offset()))
	case *array.List:
		items := allPlain(a.ListValues())
		return array.MakeFromData(array.NewData(arrow.ListOf(items.DataType()), a.Len(), a.Data().Buffers(), []arrow.ArrayData{items.Data()}, a.NullN(), a.Data().Offset()))
	}
	return a
}

// allPlain makes all text plain.
func allPlain(a arrow.Array) arrow.Array {
	if s, ok := a.(*array.Struct); ok {
		children := make([]arrow.Array, s.NumField())
		for i := range children {
			children[i] = allPlain(s.Field(i))
		}
		return structOf(s, children, s.Len(), validBits(s), s.NullN())
	}
	return vec.Plain(plainLists(a))
}

func structOf(like *array.Struct, children []arrow.Array, n int, valid []byte, nulls int) arrow.Array {
	fields := make([]arrow.Field, len(children))
	data := make([]arrow.ArrayData, len(children))
	for i, c := range children {
		fields[i] = arrow.Field{Name: like.DataType().(*arrow.StructType).Field(i).Name, Type: c.DataType(), Nullable: true}
		data[i] = c.Data()
	}
	var buffer *memory.Buffer
	if nulls > 0 {
		buffer = memory.NewBufferBytes(valid)
	}
	return array.MakeFromData(array.NewData(arrow.StructOf(fields...), n, []*memory.Buffer{buffer}, data, nulls, 0))
}

func validBits(a arrow.Array) []byte {
	valid := make([]byte, bitutil.BytesForBits(int64(a.Len())))
	for i := range a.Len() {
		if a.IsValid(i) {
			bitutil.SetBit(valid, i)
		}
	}
	return valid
}
