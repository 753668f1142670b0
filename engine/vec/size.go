package vec

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// Size returns the bytes that the rows of a hold: a slice counts its part of the buffers, a dictionary counts whole, once.
func Size(a arrow.Array) int64 {
	n := int64(a.Len())
	size := int64(0)
	if len(a.NullBitmapBytes()) > 0 {
		size += (n + 7) / 8
	}
	switch t := a.DataType().(type) {
	case *arrow.NullType:
		return 0
	case *arrow.BooleanType:
		return size + (n+7)/8
	case *arrow.StringType, *arrow.BinaryType:
		if n == 0 {
			return size
		}
		offsets := arrow.GetOffsets[int32](a.Data(), 1)
		return size + 4*(n+1) + int64(offsets[n]-offsets[0])
	case *arrow.DictionaryType:
		size += 4 * n
		if a.Data().Dictionary() != nil && n > 0 {
			size += Size(a.(*array.Dictionary).Dictionary())
		}
		return size
	case *arrow.ListType, *arrow.MapType:
		offsets, elems := listOffsets(a)
		from, to := offsets[0], offsets[len(offsets)-1]
		part := array.NewSlice(elems, int64(from), int64(to))
		return size + 4*(n+1) + Size(part)
	case *arrow.StructType:
		s := a.(*array.Struct)
		for i := range s.NumField() {
			size += Size(s.Field(i))
		}
		return size
	case arrow.FixedWidthDataType:
		return size + n*int64(t.BitWidth())/8
	}
	return size
}

// Size returns the bytes that the columns hold; a dictionary that several share counts once for each.
func (b Batch) Size() int64 {
	size := int64(0)
	for _, c := range b.Cols {
		if c != nil {
			size += Size(c)
		}
	}
	return size
}
