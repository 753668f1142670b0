package vec

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/engine/sqltype"
)

// fixed returns the values of a fixed-width array, or the codes of a dictionary array, from its first row on.
func fixed[T arrow.FixedWidthType](a arrow.Array) []T {
	if a.Len() == 0 {
		return nil
	}
	return arrow.GetValues[T](a.Data(), 1)
}

func fixedBuffer[T arrow.FixedWidthType](values []T) *memory.Buffer {
	return memory.NewBufferBytes(arrow.GetBytes(values))
}

// newFixed builds an array of a fixed-width type; valid nil means no NULL.
func newFixed[T arrow.FixedWidthType](t arrow.DataType, values []T, valid bitmap) arrow.Array {
	buffer, nulls := valid.validity(len(values))
	return array.MakeFromData(array.NewData(t, len(values), []*memory.Buffer{buffer, fixedBuffer(values)}, nil, nulls, 0))
}

// newBoolean builds a boolean array; valid nil means no NULL.
func newBoolean(values bitmap, n int, valid bitmap) *array.Boolean {
	buffer, nulls := valid.validity(n)
	return array.NewBooleanData(array.NewData(arrow.FixedWidthTypes.Boolean, n,
		[]*memory.Buffer{buffer, memory.NewBufferBytes(values)}, nil, nulls, 0))
}

// newText builds a String or Binary array; valid nil means no NULL.
func newText(t arrow.DataType, offsets []int32, text []byte, valid bitmap) arrow.Array {
	n := len(offsets) - 1
	buffer, nulls := valid.validity(n)
	return array.MakeFromData(array.NewData(t, n,
		[]*memory.Buffer{buffer, fixedBuffer(offsets), memory.NewBufferBytes(text)}, nil, nulls, 0))
}

// newList builds a List or Map array over its elements; valid nil means no NULL.
func newList(t arrow.DataType, offsets []int32, elems arrow.Array, valid bitmap) arrow.Array {
	n := len(offsets) - 1
	if s, ok := elems.(*array.Struct); ok && t.ID() == arrow.MAP && s.Offset() > 0 {
		// array.Map reads keys and values without the offset of the entries
		elems = newStruct(s.DataType(), s.Len(), []arrow.Array{s.Field(0), s.Field(1)}, nil)
	}
	buffer, nulls := valid.validity(n)
	return array.MakeFromData(array.NewData(t, n,
		[]*memory.Buffer{buffer, fixedBuffer(offsets)}, []arrow.ArrayData{elems.Data()}, nulls, 0))
}

// newStruct builds a Struct array over its fields; valid nil means no NULL.
func newStruct(t arrow.DataType, n int, fields []arrow.Array, valid bitmap) arrow.Array {
	buffer, nulls := valid.validity(n)
	children := make([]arrow.ArrayData, len(fields))
	for i, f := range fields {
		children[i] = f.Data()
	}
	return array.MakeFromData(array.NewData(t, n, []*memory.Buffer{buffer}, children, nulls, 0))
}

// listOffsets returns the n+1 offsets of a List or Map array into its elements, and these.
func listOffsets(a arrow.Array) (offsets []int32, elems arrow.Array) {
	elems = a.(array.ListLike).ListValues() // made once: to make an array of NULLs writes to its data, which workers share
	if a.Len() == 0 {
		return []int32{0}, elems
	}
	return arrow.GetOffsets[int32](a.Data(), 1), elems
}

// isInstant reports whether t is the Arrow form of time and timestamp with time zone.
func isInstant(t arrow.DataType) bool {
	s, ok := t.(*arrow.StructType)
	return ok && arrow.TypeEqual(s, sqltype.TimestampTZForm)
}

// instants returns the instants of a column with time zone, with its NULLs.
func instants(a arrow.Array) arrow.Array {
	return Mask(a.(*array.Struct).Field(0), a)
}

// Integers returns values as an array of bigint, which refers to them.
func Integers(values []int64) arrow.Array { return newFixed(arrow.PrimitiveTypes.Int64, values, nil) }

// Texts returns an array of String or Binary form whose value i is data[offsets[i]:offsets[i+1]], NULL in the row null (negative: none). It refers
// to data and offsets.
func Texts(form arrow.DataType, offsets []int32, data []byte, null int) arrow.Array {
	var valid bitmap
	if null >= 0 {
		valid = ones(len(offsets) - 1)
		valid.clear(null)
	}
	return newText(form, offsets, data, valid)
}
