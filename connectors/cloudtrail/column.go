package cloudtrail

import (
	"hash/maphash"
	"math/bits"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/engine/sqltype"
)

// column gathers texts by row. Rows that were not set are NULL.
type column struct {
	plain bool

	// Plain form.
	data  pile
	ends  []int32 // by row
	valid bitmap

	// Dictionary form.
	codes  []int32 // by row; -1 is NULL
	dict   dictionary
	recent int32

	saved int // entries when marked
}

// set gives a row its text; rows are set in ascending order.
func (c *column) set(row int, text []byte) {
	if c.plain {
		c.ends = padded(c.ends, row, int32(c.data.n))
		c.data.add(text)
		c.ends = add(c.ends, int32(c.data.n))
		c.valid.set(row)
		return
	}
	if len(c.dict.ends) == 0 || string(c.dict.at(c.recent)) != string(text) {
		c.recent = c.dict.code(text)
	}
	c.codes = add(padded(c.codes, row, -1), c.recent)
}

func (c *column) size() int64 {
	return c.data.size() + 4*int64(cap(c.ends)+cap(c.codes)) + int64(cap(c.valid)) + c.dict.size()
}

func (c *column) save() { c.saved = len(c.dict.ends) }

// restore goes back to the first rows rows and the entries that were there when marked.
func (c *column) restore(rows int) {
	c.ends = cut(c.ends, rows)
	c.data.cut(int(last(c.ends)))
	c.valid.cut(rows)
	c.codes = cut(c.codes, rows)
	c.dict.cut(c.saved)
	c.recent = 0
}

// array returns the first n rows, dictionary-coded unless the column is plain. The column is of no more use.
func (c *column) array(n int) arrow.Array {
	if c.plain {
		valid, nulls := c.valid.buffer(n)
		return array.MakeFromData(array.NewData(arrow.BinaryTypes.String, n,
			[]*memory.Buffer{valid, offsets(c.ends, n), memory.NewBufferBytes(c.data.take())}, nil, nulls, 0))
	}
	entries := len(c.dict.ends)
	dictionary := array.NewData(arrow.BinaryTypes.String, entries,
		[]*memory.Buffer{nil, offsets(c.dict.ends, entries), memory.NewBufferBytes(c.dict.text)}, nil, 0, 0)

	codes := padded(c.codes, n, -1)
	buffer, nulls := validCodes(codes)
	return array.MakeFromData(array.NewDataWithDictionary(sqltype.DictionaryString, n,
		[]*memory.Buffer{buffer, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(codes))}, nulls, 0, dictionary))
}

// validCodes returns which codes are not negative as a validity buffer, and the number of the others, which it makes 0.
func validCodes(codes []int32) (*memory.Buffer, int) {
	valid, nulls := make([]byte, (len(codes)+7)/8), 0
	for i, code := range codes {
		if code < 0 {
			codes[i] = 0
			nulls++
		} else {
			valid[i>>3] |= 1 << (i & 7)
		}
	}
	return memory.NewBufferBytes(valid), nulls
}

// dictionary numbers texts in the order in which they come. It holds them as Arrow does.
type dictionary struct {
	text   []byte
	ends   []int32  // by code
	hashes []uint32 // by code
	slots  []int32  // a hash table with linear probing, at most half full: codes plus one; 0 is free
}

// hashSeed is drawn anew by each process, so that nobody can make up texts that collide.
var hashSeed = maphash.MakeSeed()

func (d *dictionary) at(code int32) []byte {
	from := int32(0)
	if code > 0 {
		from = d.ends[code-1]
	}
	return d.text[from:d.ends[code]]
}

// code returns the number of a text.
func (d *dictionary) code(text []byte) int32 {
	if 2*len(d.ends) >= len(d.slots) {
		d.grow()
	}
	h := uint32(maphash.Bytes(hashSeed, text))
	mask := len(d.slots) - 1
	i := int(h) & mask
	for ; d.slots[i] != 0; i = (i + 1) & mask {
		if code := d.slots[i] - 1; d.hashes[code] == h && string(d.at(code)) == string(text) {
			return code
		}
	}
	code := int32(len(d.ends))
	d.slots[i] = code + 1
	d.text = append(d.text, text...)
	d.ends = append(d.ends, int32(len(d.text)))
	d.hashes = append(d.hashes, h)
	return code
}

// grow makes the table twice as large.
func (d *dictionary) grow() {
	d.slots = make([]int32, max(2*len(d.slots), 16))
	for code := range d.ends {
		*d.slot(int32(code), 0) = int32(code) + 1
	}
}

// slot finds the slot that holds a value, on the way of the given code.
func (d *dictionary) slot(code, value int32) *int32 {
	mask := len(d.slots) - 1
	i := int(d.hashes[code]) & mask
	for d.slots[i] != value {
		i = (i + 1) & mask
	}
	return &d.slots[i]
}

// cut drops all but the first n entries. The last one to come goes first: no other was placed after it, and past it.
func (d *dictionary) cut(n int) {
	for k := len(d.ends) - 1; k >= n; k-- {
		*d.slot(int32(k), int32(k)+1) = 0
	}
	d.ends, d.hashes = cut(d.ends, n), cut(d.hashes, n)
	d.text = cut(d.text, int(last(d.ends)))
}

func (d *dictionary) size() int64 {
	return int64(cap(d.text)) + 4*int64(cap(d.ends)+cap(d.hashes)+len(d.slots))
}

// pile gathers bytes in pieces, so that growing copies nothing.
type pile struct {
	pieces [][]byte
	n      int
}

const largestPiece = 1 << 20

func (p *pile) add(b []byte) {
	k := len(p.pieces) - 1
	if k < 0 || cap(p.pieces[k])-len(p.pieces[k]) < len(b) {
		k++
		p.pieces = append(p.pieces, make([]byte, 0, max(len(b), min(p.n, largestPiece), 64)))
	}
	p.pieces[k] = append(p.pieces[k], b...)
	p.n += len(b)
}

func (p *pile) size() int64 {
	n := 24 * cap(p.pieces)
	for _, piece := range p.pieces {
		n += cap(piece)
	}
	return int64(n)
}

// cut drops what is after the first n bytes.
func (p *pile) cut(n int) {
	for p.n > n {
		k := len(p.pieces) - 1
		piece := p.pieces[k]
		if over := p.n - n; over < len(piece) {
			p.pieces[k] = piece[:len(piece)-over]
			p.n = n
			return
		}
		p.pieces, p.n = p.pieces[:k], p.n-len(piece)
	}
}

// take returns everything in one piece, and empties p.
func (p *pile) take() []byte {
	var out []byte
	if len(p.pieces) == 1 {
		out = p.pieces[0]
	} else {
		out = make([]byte, 0, p.n)
		for _, piece := range p.pieces {
			out = append(out, piece...)
		}
	}
	*p = pile{}
	return out
}

// bitmap is a bitmap in Arrow's order; bits beyond its end are 0.
type bitmap []byte

func (b *bitmap) set(i int) {
	for len(*b) <= i/8 {
		*b = append(*b, 0)
	}
	(*b)[i/8] |= 1 << (i % 8)
}

// cut clears all bits from n on.
func (b *bitmap) cut(n int) {
	if len(*b) <= n/8 {
		return
	}
	*b = (*b)[:n/8+1]
	(*b)[n/8] &= 1<<(n%8) - 1
}

// buffer returns the first n bits as a validity buffer, and the number of zeros among them.
func (b *bitmap) buffer(n int) (*memory.Buffer, int) {
	out := make([]byte, (n+7)/8)
	copy(out, *b)
	ones := 0
	for _, x := range out {
		ones += bits.OnesCount8(x)
	}
	return memory.NewBufferBytes(out), n - ones
}

// padded lengthens s to n with v.
func padded[T any](s []T, n int, v T) []T {
	if more := n - len(s); more > 0 {
		if n > cap(s) {
			s = slices.Grow(s, max(more, len(s)/2, 16))
		}
		from := len(s)
		s = s[:n]
		for i := from; i < n; i++ {
			s[i] = v
		}
	}
	return s
}

// add appends a value. A full slice grows by half: append would copy a long one more often.
func add[T any](s []T, v T) []T {
	if len(s) == cap(s) {
		s = slices.Grow(s, max(len(s)/2, 16))
	}
	return append(s, v)
}

func cut[T any](s []T, n int) []T { return s[:min(len(s), n)] }
