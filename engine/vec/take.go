package vec

import (
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/trailql/trailql/engine/sqltype"
)

// Take returns the given rows of a, in their order; a negative row gives NULL. A dictionary column keeps its dictionary. Plain
// text that would not fit 2 GiB comes dictionary-coded, with a as the dictionary.
func Take(a arrow.Array, rows []int32) arrow.Array {
	t := a.DataType()
	switch t.ID() {
	case arrow.NULL:
		return array.NewNull(len(rows))
	case arrow.BOOL:
		values, from := newBitmap(len(rows)), valuesOf(a.(*array.Boolean))
		for i, r := range rows {
			if r >= 0 && from.has(int(r)) {
				values.set(i)
			}
		}
		return newBoolean(values, len(rows), takeValidity(a, rows))
	case arrow.INT8:
		return takeFixed[int8](a, rows)
	case arrow.INT16:
		return takeFixed[int16](a, rows)
	case arrow.INT32, arrow.DATE32, arrow.FLOAT32:
		return takeFixed[int32](a, rows)
	case arrow.INT64, arrow.TIME64, arrow.TIMESTAMP, arrow.FLOAT64:
		return takeFixed[int64](a, rows)
	case arrow.DECIMAL128:
		return takeFixed[decimal128.Num](a, rows)
	case arrow.STRING, arrow.BINARY:
		return takeText(a, rows)
	case arrow.DICTIONARY:
		d := a.(*array.Dictionary)
		return dictionary(d.Data().Dictionary().(*array.Data), takeCodes(d, rows))
	case arrow.LIST, arrow.MAP:
		return takeLists(a, rows)
	case arrow.STRUCT:
		s := a.(*array.Struct)
		fields := make([]arrow.Array, s.NumField())
		for i := range fields {
			fields[i] = plainText(Take(s.Field(i), rows))
		}
		return newStruct(t, len(rows), fields, takeValidity(a, rows))
	}
	panic(fmt.Sprintf("vec: no rows can be taken of %s", t))
}

func takeValidity(a arrow.Array, rows []int32) bitmap {
	from := validityOf(a)
	var valid bitmap
	for i, r := range rows {
		if r < 0 || from != nil && !from.has(int(r)) {
			if valid == nil {
				valid = ones(len(rows))
			}
			valid.clear(i)
		}
	}
	return valid
}

func takeFixed[T arrow.FixedWidthType](a arrow.Array, rows []int32) arrow.Array {
	from := fixed[T](a)
	out := make([]T, len(rows))
	for i, r := range rows {
		if r >= 0 {
			out[i] = from[r]
		}
	}
	return newFixed(a.DataType(), out, takeValidity(a, rows))
}

// takeCodes returns the codes of the rows, -1 for NULL.
func takeCodes(d *array.Dictionary, rows []int32) []int32 {
	from, valid := Codes(d), validityOf(d)
	out := make([]int32, len(rows))
	for i, r := range rows {
		if r < 0 || valid != nil && !valid.has(int(r)) {
			out[i] = -1
		} else {
			out[i] = from[r]
		}
	}
	return out
}

func takeText(a arrow.Array, rows []int32) arrow.Array {
	from, valid := textsOf(a), takeValidity(a, rows)
	offsets := make([]int32, len(rows)+1)
	total := 0
	for i, r := range rows {
		if r >= 0 && (valid == nil || valid.has(i)) {
			total += int(from.offsets[r+1] - from.offsets[r])
		}
		if total > math.MaxInt32 {
			return takeWideText(a, rows)
		}
		offsets[i+1] = int32(total)
	}
	text := make([]byte, total)
	for i, r := range rows {
		if offsets[i+1] > offsets[i] {
			copy(text[offsets[i]:offsets[i+1]], from.bytes[from.offsets[r]:from.offsets[r+1]])
		}
	}
	return newText(a.DataType(), offsets, text, valid)
}

// takeWideText is takeText where the rows' text would pass 2 GiB: rows repeat then, so codes hold them.
func takeWideText(a arrow.Array, rows []int32) arrow.Array {
	s, ok := a.(*array.String)
	if !ok {
		panic("vec: more than 2 GiB of binary values in one batch")
	}
	valid := validityOf(a)
	codes := make([]int32, len(rows))
	for i, r := range rows {
		codes[i] = r
		if r >= 0 && valid != nil && !valid.has(int(r)) {
			codes[i] = -1
		}
	}
	return EncodeDictionary(withoutNulls(s), codes)
}

// withoutNulls returns a with its NULLs as whatever text stands there, mostly none.
func withoutNulls(a *array.String) *array.String {
	if NullCount(a) == 0 {
		return a
	}
	data := a.Data()
	buffers := append(data.Buffers()[:0:0], data.Buffers()...)
	buffers[0] = nil
	return array.NewStringData(array.NewData(data.DataType(), data.Len(), buffers, nil, 0, data.Offset()))
}

func takeLists(a arrow.Array, rows []int32) arrow.Array {
	from, elems := listOffsets(a)
	valid := takeValidity(a, rows)
	offsets := make([]int32, len(rows)+1)
	total := 0
	for i, r := range rows {
		if r >= 0 && (valid == nil || valid.has(i)) {
			total += int(from[r+1] - from[r])
		}
		if total > math.MaxInt32 {
			panic("vec: more than 2,147,483,647 elements in one batch")
		}
		offsets[i+1] = int32(total)
	}
	inner := make([]int32, 0, total)
	for i, r := range rows {
		if offsets[i+1] > offsets[i] {
			for e := from[r]; e < from[r+1]; e++ {
				inner = append(inner, e)
			}
		}
	}
	return newList(a.DataType(), offsets, plainText(Take(elems, inner)), valid)
}

// PickFields returns an array of rows with only these fields of the rows. Nothing is copied.
func PickFields(a *array.List, fields []int) arrow.Array {
	rows := a.ListValues().(*array.Struct)
	data := rows.Data()
	var types []arrow.Field
	var children []arrow.ArrayData
	for _, i := range fields {
		types, children = append(types, data.DataType().(*arrow.StructType).Field(i)), append(children, data.Children()[i])
	}
	form := arrow.StructOf(types...)
	elements := array.NewData(form, data.Len(), data.Buffers(), children, data.NullN(), data.Offset())
	list := a.Data()
	return array.NewListData(array.NewData(arrow.ListOf(form), list.Len(), list.Buffers(), []arrow.ArrayData{elements}, list.NullN(), list.Offset()))
}

// plainText undoes the dictionary form that Take gives very wide text: nested columns are always plain.
func plainText(a arrow.Array) arrow.Array {
	if a.DataType().ID() == arrow.DICTIONARY {
		panic("vec: more than 2 GiB of nested text in one batch")
	}
	return a
}

// Take returns the given rows of all columns; a negative row gives NULL. Columns that are nil stay nil.
func (b Batch) Take(rows []int32) Batch {
	cols := make([]arrow.Array, len(b.Cols))
	for i, c := range b.Cols {
		if c != nil {
			cols[i] = Take(c, rows)
		}
	}
	return Batch{Len: len(rows), Cols: cols}
}

// Slice returns the rows from … to-1 without copying. Columns that are nil stay nil.
func (b Batch) Slice(from, to int) Batch {
	if from == 0 && to == b.Len {
		return b
	}
	cols := make([]arrow.Array, len(b.Cols))
	for i, c := range b.Cols {
		if c != nil {
			cols[i] = Slice(c, from, to)
		}
	}
	return Batch{Len: to - from, Cols: cols}
}

// Slice returns the rows from … to-1 without copying.
func Slice(a arrow.Array, from, to int) arrow.Array {
	if a.DataType().ID() == arrow.NULL {
		return array.NewNull(to - from)
	}
	s := array.NewSlice(a, int64(from), int64(to))
	s.NullN() // counted now: the array may be shared by goroutines later
	return s
}

// Plain returns dictionary-coded text as plain text, any other array as it is. The entries must not repeat to more
// than 2 GiB.
func Plain(a arrow.Array) arrow.Array {
	d, ok := a.(*array.Dictionary)
	if !ok {
		return a
	}
	if d.Len() == 0 {
		return Nulls(sqltype.VarcharType, 0)
	}
	codes := Codes(d)
	if valid := validityOf(d); valid != nil {
		codes = append([]int32(nil), codes...)
		for i := range codes {
			if !valid.has(i) {
				codes[i] = -1
			}
		}
	}
	return plainText(Take(Entries(d), codes))
}
