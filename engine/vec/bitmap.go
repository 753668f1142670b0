package vec

import (
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

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
