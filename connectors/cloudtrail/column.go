package cloudtrail

import (
	"math/bits"

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
	codes   []int32 // by row; -1 is NULL
	entries []string
	index   map[string]int32
	bytes   int64 // of the entries
	recent  int32

	saved int // entries when marked
}

// set gives a row its text; rows are set in ascending order.
func (c *column) set(row int, text []byte) {
	if c.plain {
		c.ends = padded(c.ends, row, int32(c.data.n))
		c.data.add(text)
		c.ends = append(c.ends, int32(c.data.n))
		c.valid.set(row)
		return
	}
	c.codes = append(padded(c.codes, row, -1), c.code(text))
}

func (c *column) code(text []byte) int32 {
	if int(c.recent) < len(c.entries) && c.entries[c.recent] == string(text) {
		return c.recent
	}
	code, ok := c.index[string(text)]
	if !ok {
		if c.index == nil {
			c.index = map[string]int32{}
		}
		code = int32(len(c.entries))
		entry := string(text)
		c.entries = append(c.entries, entry)
		c.index[entry] = code
		c.bytes += int64(len(entry))
	}
	c.recent = code
	return code
}

// Measured cost of a dictionary entry beside its text: string header, place in the map, rounding up of the allocation.
const entryCost = 72

func (c *column) size() int64 {
	return c.data.size() + 4*int64(cap(c.ends)+cap(c.codes)) + int64(cap(c.valid)) + c.bytes + entryCost*int64(len(c.entries))
}

func (c *column) save() { c.saved = len(c.entries) }

// restore goes back to the first rows rows and the entries that were there when marked.
func (c *column) restore(rows int) {
	c.ends = cut(c.ends, rows)
	c.data.cut(int(last(c.ends)))
	c.valid.cut(rows)
	c.codes = cut(c.codes, rows)
	for _, e := range c.entries[c.saved:] {
		delete(c.index, e)
		c.bytes -= int64(len(e))
	}
	clear(c.entries[c.saved:])
	c.entries = c.entries[:c.saved]
}

// array returns the first n rows, dictionary-coded unless the column is plain. The column is of no more use.
func (c *column) array(n int) arrow.Array {
	if c.plain {
		valid, nulls := c.valid.buffer(n)
		return array.MakeFromData(array.NewData(arrow.BinaryTypes.String, n,
			[]*memory.Buffer{valid, offsets(c.ends, n), memory.NewBufferBytes(c.data.take())}, nil, nulls, 0))
	}
	data := make([]byte, 0, c.bytes)
	ends := make([]int32, 0, len(c.entries))
	for _, e := range c.entries {
		data = append(data, e...)
		ends = append(ends, int32(len(data)))
	}
	c.entries, c.index = nil, nil
	dictionary := array.NewData(arrow.BinaryTypes.String, len(ends),
		[]*memory.Buffer{nil, offsets(ends, len(ends)), memory.NewBufferBytes(data)}, nil, 0, 0)

	codes := padded(c.codes, n, -1)
	var valid bitmap
	for i, code := range codes {
		if code < 0 {
			codes[i] = 0
		} else {
			valid.set(i)
		}
	}
	buffer, nulls := valid.buffer(n)
	return array.MakeFromData(array.NewDataWithDictionary(sqltype.DictionaryString, n,
		[]*memory.Buffer{buffer, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(codes))}, nulls, 0, dictionary))
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
	for len(s) < n {
		s = append(s, v)
	}
	return s
}

func cut[T any](s []T, n int) []T { return s[:min(len(s), n)] }
