package vec

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// NullCount returns the number of NULLs. Unlike the array's own NullN it never writes to the array, which other
// goroutines may read.
func NullCount(a arrow.Array) int {
	data := a.Data()
	if n := data.NullN(); n >= 0 {
		return n
	}
	bitmap := a.NullBitmapBytes()
	if len(bitmap) == 0 {
		return 0
	}
	return data.Len() - bitutil.CountSetBits(bitmap, data.Offset(), data.Len())
}

// IsValid reports whether a row is not NULL; right also for arrays of type unknown.
func IsValid(a arrow.Array, row int) bool {
	return a.IsValid(row) && a.DataType().ID() != arrow.NULL
}

// Mask returns a with NULL also in the rows in which by is NULL. Both have the same length.
func Mask(a, by arrow.Array) arrow.Array {
	valid := validityOf(by)
	if valid == nil {
		return a
	}
	n := a.Len()
	if a.DataType().ID() == arrow.NULL {
		return a
	}
	valid = valid.and(validityOf(a))
	data := a.Data().(*array.Data)
	offset := data.Offset()
	if offset > 0 {
		shifted := newBitmap(offset + n)
		bitutil.CopyBitmap(valid, 0, n, shifted, offset)
		valid = shifted
	}
	buffers := append([]*memory.Buffer(nil), data.Buffers()...)
	buffers[0] = memory.NewBufferBytes(valid)
	nulls := n - bitutil.CountSetBits(valid, offset, n)
	if d, ok := a.(*array.Dictionary); ok {
		return array.NewDictionaryData(array.NewDataWithDictionary(a.DataType(), n, buffers, nulls, offset,
			d.Data().Dictionary().(*array.Data)))
	}
	return array.MakeFromData(array.NewData(a.DataType(), n, buffers, data.Children(), nulls, offset))
}
