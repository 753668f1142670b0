package vec

import (
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/engine/sqltype"
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

// Entries returns the entries of a dictionary-coded column. Unlike the array's own Dictionary it never writes to the
// array. Two arrays that share a dictionary have the same Data().Dictionary().
func Entries(d *array.Dictionary) *array.String {
	return array.NewStringData(d.Data().Dictionary())
}

// Codes returns the codes of a dictionary-coded column, one per row. NULL rows have a code too, which means nothing
// but must be one of an entry, or 0.
func Codes(d *array.Dictionary) []int32 { return fixed[int32](d) }

// WithCodes returns the dictionary-coded column with the entries of d and other codes. A negative code is NULL.
// The codes are kept, not copied; negative ones are set to 0.
func WithCodes(d *array.Dictionary, codes []int32) *array.Dictionary {
	return dictionary(d.Data().Dictionary().(*array.Data), codes)
}

// EncodeDictionary returns a dictionary-coded column. A negative code is NULL; entries must hold no NULL. The codes
// are kept, not copied; negative ones are set to 0.
func EncodeDictionary(entries *array.String, codes []int32) *array.Dictionary {
	return dictionary(entries.Data().(*array.Data), codes)
}

func dictionary(entries *array.Data, codes []int32) *array.Dictionary {
	var valid bitmap
	for i, c := range codes {
		if c < 0 {
			if valid == nil {
				valid = ones(len(codes))
			}
			valid.clear(i)
			codes[i] = 0
		}
	}
	buffer, nulls := valid.validity(len(codes))
	return array.NewDictionaryData(array.NewDataWithDictionary(sqltype.DictionaryString, len(codes),
		[]*memory.Buffer{buffer, fixedBuffer(codes)}, nulls, 0, entries))
}

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
	elems = array.MakeFromData(a.Data().Children()[0])
	if a.Len() == 0 {
		return []int32{0}, elems
	}
	return arrow.GetOffsets[int32](a.Data(), 1), elems
}

// texts reads the strings of a String or Binary array, or of a dictionary-coded one.
type texts struct {
	codes   []int32 // nil: plain
	offsets []int32
	bytes   []byte
}

func textsOf(a arrow.Array) texts {
	var t texts
	if d, ok := a.(*array.Dictionary); ok {
		if a.Len() == 0 {
			return t
		}
		t.codes = Codes(d)
		a = Entries(d)
	}
	if a.Len() == 0 {
		t.offsets = []int32{0, 0} // the codes of NULL rows are 0
		return t
	}
	t.offsets = arrow.GetOffsets[int32](a.Data(), 1)
	if b := a.Data().Buffers()[2]; b != nil {
		t.bytes = b.Bytes()
	}
	return t
}

func (t *texts) at(i int) []byte {
	if t.codes != nil {
		i = int(t.codes[i])
	}
	return t.bytes[t.offsets[i]:t.offsets[i+1]]
}

// bitmap is a bitmap that starts at bit 0. As a validity, nil means that all bits are set.
type bitmap []byte

func newBitmap(n int) bitmap { return make(bitmap, (n+7)/8) }

func ones(n int) bitmap {
	b := newBitmap(n)
	for i := range b {
		b[i] = 0xff
	}
	return b
}

func (b bitmap) has(i int) bool { return b[i>>3]&(1<<(i&7)) != 0 }
func (b bitmap) set(i int)      { b[i>>3] |= 1 << (i & 7) }
func (b bitmap) clear(i int)    { b[i>>3] &^= 1 << (i & 7) }

// count returns the set bits among the first n.
func (b bitmap) count(n int) int { return bitutil.CountSetBits(b, 0, n) }

// validity returns the buffer and the number of NULLs of n rows whose validity is b.
func (b bitmap) validity(n int) (*memory.Buffer, int) {
	if b == nil {
		return nil, 0
	}
	nulls := n - b.count(n)
	if nulls == 0 {
		return nil, 0
	}
	return memory.NewBufferBytes(b), nulls
}

// fromBits returns n bits from offset on as a bitmap; it may share memory with bits and must not be written to.
func fromBits(bits []byte, offset, n int) bitmap {
	if offset&7 == 0 {
		return bits[offset>>3 : (offset+n+7)>>3]
	}
	b := newBitmap(n)
	bitutil.CopyBitmap(bits, offset, n, b, 0)
	return b
}

// validityOf returns the validity of a, nil if it has no NULL. It must not be written to.
func validityOf(a arrow.Array) bitmap {
	switch {
	case a.DataType().ID() == arrow.NULL:
		return newBitmap(a.Len())
	case NullCount(a) == 0:
		return nil
	}
	return fromBits(a.NullBitmapBytes(), a.Data().Offset(), a.Len())
}

// valuesOf returns the values of a boolean array as a bitmap that must not be written to.
func valuesOf(a *array.Boolean) bitmap {
	if a.Len() == 0 {
		return nil
	}
	return fromBits(a.Data().Buffers()[1].Bytes(), a.Data().Offset(), a.Len())
}

// and returns the rows that are set in both; nil is all.
func (b bitmap) and(c bitmap) bitmap {
	switch {
	case b == nil:
		return c
	case c == nil:
		return b
	}
	out := make(bitmap, len(b))
	for i := range out {
		out[i] = b[i] & c[i]
	}
	return out
}

// writable returns a copy of b for n rows that may be written to.
func (b bitmap) writable(n int) bitmap {
	if b == nil {
		return ones(n)
	}
	return append(bitmap(nil), b...)
}

// rows returns the positions of the set bits among the first n.
func (b bitmap) rows(n int) []int32 {
	out := make([]int32, 0, b.count(n))
	for i, w := range b {
		if rest := n - i*8; rest < 8 {
			w &= 1<<rest - 1
		}
		for ; w != 0; w &= w - 1 {
			out = append(out, int32(i*8+bits.TrailingZeros8(w)))
		}
	}
	return out
}

// IsValid reports whether a row is not NULL; right also for arrays of type unknown.
func IsValid(a arrow.Array, row int) bool {
	return a.IsValid(row) && a.DataType().ID() != arrow.NULL
}

// isInstant reports whether t is the Arrow form of timestamp with time zone.
func isInstant(t arrow.DataType) bool {
	s, ok := t.(*arrow.StructType)
	return ok && arrow.TypeEqual(s, sqltype.TimestampTZForm)
}

// instants returns the instants of a timestamp with time zone column, with its NULLs.
func instants(a arrow.Array) arrow.Array {
	return Mask(a.(*array.Struct).Field(0), a)
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
