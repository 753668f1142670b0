package parquetio

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sort"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/connectors/blob"
)

// columnReader reads one column chunk forward, page by page, and skips pages of which no row is wanted.
type columnReader struct {
	node  *node
	chunk *chunk
	rows  int64 // of the row group
	in    chunkBytes
	coded bool  // text is given out as codes; otherwise it is plain
	list  *node // the nearest repeated one above; nil: none
	slot  uint8 // an entry with at least this definition level has a place in the leaf's array

	places  []pagePlace // nil until the first read
	dict    *entryTable
	entries *array.String // dict as an array, made once
	current int           // page that is decoded, -1: none
	loaded  int           // pages decoded so far
	*buffers
}

// buffers are what a column is decoded in. No batch refers to them, so that the next column can have them when this one is done.
type buffers struct {
	page      page
	scratch   []byte // of decompression
	window    []byte // of chunkBytes
	entryList []int32
	values    []int32 // of selected entries
	slots     []uint8 // definition levels of entries that have a place
}

var spareBuffers = sync.Pool{New: func() any { return new(buffers) }}

// maxSpare bounds the bytes of a buffer that waits for the next column: a few columns have pages of many megabytes.
const maxSpare = 1 << 20

// release gives the buffers back; the column is not read any more.
func (c *columnReader) release() {
	b := c.buffers
	c.buffers = nil
	if b != nil && cap(b.scratch) <= maxSpare && cap(b.window) <= maxSpare && 4*cap(b.page.ends) <= maxSpare {
		spareBuffers.Put(b)
	}
}

// pagePlace is a data page in the file.
type pagePlace struct {
	span
	first int64 // row
}

// chunkBytes reads the bytes of a chunk, ahead where it is read in order.
type chunkBytes struct {
	file  blob.Object
	chunk span
	count func(int)
	exact bool  // what is needed is fetched ahead already
	start int64 // of the window, in the file
	ahead int64
}

const (
	wholeChunk = 128 << 10 // smaller chunks are read at once
	maxAhead   = 1 << 20
)

// get returns the bytes of s, which must lie in the chunk; valid until the next call. window is the caller's: empty at first, and then what
// the last call left in it.
func (b *chunkBytes) get(s span, window *[]byte) ([]byte, error) {
	end := b.chunk.offset + b.chunk.length
	if s.offset < b.chunk.offset || s.length < 0 || s.length > end-s.offset {
		return nil, errors.New("a page lies outside of its column chunk")
	}
	windowEnd := b.start + int64(len(*window))
	if s.offset < b.start || s.offset+s.length > windowEnd {
		from, to := s.offset, s.offset+s.length
		switch {
		case b.chunk.length <= wholeChunk:
			from, to = b.chunk.offset, end
		case b.exact:
		case s.offset >= b.start && s.offset <= windowEnd && len(*window) > 0: // goes on where the last read ended
			b.ahead = min(max(2*b.ahead, wholeChunk), maxAhead)
			to = min(max(to, from+b.ahead), end)
		default:
			b.ahead = 0
		}
		read := slices.Grow((*window)[:0], int(to-from))[:to-from]
		*window = read[:0]
		if err := readAt(b.file, read, from); err != nil {
			return nil, err
		}
		b.count(len(read))
		*window, b.start = read, from
	}
	at := s.offset - b.start
	return (*window)[at : at+s.length], nil
}

// open finds the pages.
func (c *columnReader) open() error {
	if c.places != nil {
		return nil
	}
	c.current = -1
	// A small chunk is read in one piece: to go from page to page there costs less than to read the index.
	if c.small() {
		return c.walk()
	}
	if c.chunk.offsetIndex.length > maxPage {
		return fmt.Errorf("a page index of %d bytes", c.chunk.offsetIndex.length)
	}
	data := make([]byte, c.chunk.offsetIndex.length)
	if err := readAt(c.in.file, data, c.chunk.offsetIndex.offset); err != nil {
		return err
	}
	c.in.count(len(data))
	places, err := parseOffsetIndex(data)
	if err != nil {
		return err
	}
	last := pagePlace{first: -1}
	for i, p := range places {
		if p.first <= last.first || p.first >= c.rows || i == 0 && p.first != 0 || p.length <= 0 || p.offset < last.offset+last.length {
			return errors.New("the page index is damaged")
		}
		last = p
	}
	if len(places) == 0 && c.rows > 0 {
		return errors.New("the page index is empty")
	}
	c.places = places
	return nil
}

func parseOffsetIndex(data []byte) (places []pagePlace, err error) {
	r := &thriftReader{data: data}
	r.fields(func(id int16, kind byte) {
		if id != 1 || kind != thriftList {
			r.skip(kind)
			return
		}
		r.list(func(_ int, kind byte) {
			var p pagePlace
			r.fields(func(id int16, kind byte) {
				switch {
				case id == 1 && kind == thriftI64:
					p.offset = r.int()
				case id == 2 && kind == thriftI32:
					p.length = r.int()
				case id == 3 && kind == thriftI64:
					p.first = r.int()
				default:
					r.skip(kind)
				}
			})
			places = append(places, p)
		})
	})
	return places, r.err
}

// walk finds the pages of a file without a page index from one header to the next. It works where rows are values.
func (c *columnReader) walk() error {
	if c.node.rep > 0 {
		return errors.New("a nested column without a page index is not supported")
	}
	at, end, row := c.chunk.pages.offset, c.chunk.pages.offset+c.chunk.pages.length, int64(0)
	for at < end && row < c.rows {
		h, err := c.header(at, end-at)
		if err != nil {
			return err
		}
		length := int64(h.size) + h.compressed
		switch h.kind {
		case pageDictionary:
			found := *c.chunk
			found.hasDict, found.dictionary, found.data = true, at, at+length
			c.chunk = &found
		case pageData, pageDataV2:
			if h.values > 0 {
				c.places = append(c.places, pagePlace{span{at, length}, row})
			}
			row += h.values
		}
		at += length
	}
	if row != c.rows {
		return fmt.Errorf("%d values in %d rows", row, c.rows)
	}
	return nil
}

// header reads the page header at offset.
func (c *columnReader) header(offset, left int64) (pageHeader, error) {
	var h pageHeader
	var err error
	for _, guess := range []int64{512, 64 << 10, maxPage} { // headers have no length; with statistics they may be long
		var data []byte
		if data, err = c.in.get(span{offset, min(guess, left)}, &c.window); err != nil {
			return h, err
		}
		if h, err = readPageHeader(data); err == nil || guess >= left {
			break
		}
	}
	return h, err
}

// dictionary loads the chunk's dictionary page, if there is one.
func (c *columnReader) dictionary() error {
	if c.dict != nil || !c.chunk.hasDict {
		return nil
	}
	data, err := c.in.get(c.dictionarySpan(), &c.window)
	if err != nil {
		return err
	}
	h, err := readPageHeader(data)
	if err != nil {
		return err
	}
	if h.compressed != int64(len(data)-h.size) {
		return errMisfit
	}
	c.dict, err = decodeDictionary(c.node, c.chunk.codec, h, data[h.size:])
	return err
}

// text returns the dictionary of a text column as an array; the same at each call.
func (c *columnReader) text() (*array.String, error) {
	if err := c.dictionary(); err != nil {
		return nil, err
	}
	if c.entries == nil {
		if c.dict == nil {
			return nil, errors.New("a dictionary is announced and missing")
		}
		c.entries = array.NewStringData(array.NewData(arrow.BinaryTypes.String, c.dict.n, []*memory.Buffer{nil,
			memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(c.dict.ends)), memory.NewBufferBytes(c.dict.raw)}, nil, 0, 0))
	}
	return c.entries, nil
}

// load decodes page i.
func (c *columnReader) load(i int) error {
	if c.current == i {
		return nil
	}
	if err := c.dictionary(); err != nil {
		return err
	}
	data, err := c.in.get(c.places[i].span, &c.window)
	if err != nil {
		return err
	}
	h, err := readPageHeader(data)
	if err != nil {
		return err
	}
	want := c.end(i) - c.places[i].first
	switch {
	case h.compressed != int64(len(data)-h.size): // headers have no checksum: whatever must agree is compared
		return errMisfit
	case h.values > c.chunk.values || h.values < want:
		return fmt.Errorf("a page of %d values for %d rows", h.values, want)
	}
	c.current = -1
	if err := c.page.decode(c.node, c.chunk.codec, h, data[h.size:], c.dict, &c.scratch); err != nil {
		return err
	}
	if int64(c.page.rowCount()) != want {
		return fmt.Errorf("a page of %d rows, %d announced", c.page.rowCount(), want)
	}
	c.current = i
	c.loaded++
	return nil
}

// end is the row after the last one of page i.
func (c *columnReader) end(i int) int64 {
	if i+1 < len(c.places) {
		return c.places[i+1].first
	}
	return c.rows
}

// read appends the rows [lo, hi) to out, or of them only those that sel lists, counted from lo.
func (c *columnReader) read(out *leafValues, lo, hi int64, sel []int32, all bool) error {
	if err := c.open(); err != nil {
		return err
	}
	wanted := int(hi - lo)
	if !all {
		wanted = len(sel)
	}
	c.reserve(out, wanted)
	i := sort.Search(len(c.places), func(i int) bool { return c.end(i) > lo })
	for ; i < len(c.places) && c.places[i].first < hi; i++ {
		first, end := c.places[i].first, c.end(i)
		from, to := max(lo, first)-first, min(hi, end)-first
		var rows []int32
		if !all {
			n := sort.Search(len(sel), func(k int) bool { return lo+int64(sel[k]) >= end })
			rows, sel = sel[:n], sel[n:]
			if n == 0 {
				continue
			}
		}
		if err := c.load(i); err != nil {
			return err
		}
		c.entryList = c.entryList[:0]
		switch {
		case all && c.page.starts == nil:
			if err := c.appendRange(out, int32(from), int32(to)); err != nil {
				return err
			}
			continue
		case all:
			stop := int32(c.page.entries)
			if to < int64(len(c.page.starts)) {
				stop = c.page.starts[to]
			}
			if err := c.appendRange(out, c.page.starts[from], stop); err != nil {
				return err
			}
			continue
		}
		for _, r := range rows {
			row := int32(lo - first + int64(r))
			if c.page.starts == nil {
				c.entryList = append(c.entryList, row)
				continue
			}
			stop := int32(c.page.entries)
			if int(row)+1 < len(c.page.starts) {
				stop = c.page.starts[row+1]
			}
			for e := c.page.starts[row]; e < stop; e++ {
				c.entryList = append(c.entryList, e)
			}
		}
		if err := c.appendEntries(out, c.entryList); err != nil {
			return err
		}
	}
	return nil
}

// reserve makes room for the values of so many rows, as far as the footer can be believed about their size.
func (c *columnReader) reserve(out *leafValues, rows int) {
	out.valid = slices.Grow(out.valid, rows/8+1)
	switch {
	case is32(c.node.physical):
		out.int32s = slices.Grow(out.int32s, rows)
	case is64(c.node.physical):
		out.int64s = slices.Grow(out.int64s, rows)
	case c.node.physical == physicalBoolean:
		out.bools = slices.Grow(out.bools, rows)
	case c.coded:
		out.codes = slices.Grow(out.codes, rows)
	default:
		out.ends = append(slices.Grow(out.ends, rows+1), 0)
		perRow := float64(c.chunk.uncompressed) / float64(max(1, c.rows))
		out.text.Grow(int(min(batchBytes, perRow*float64(rows)*1.1))) // a tenth more: rows differ, and to grow is to copy
	}
}

// appendRange appends the entries [from, to) of the current page.
func (c *columnReader) appendRange(out *leafValues, from, to int32) error {
	p := &c.page
	out.keepLevels(c.node, p, from, to)
	if p.def == nil {
		out.appendValid(int(to - from))
		return c.appendValues(out, nil, from, to)
	}
	has := []byte{uint8(c.node.def)}
	slots := p.def[from:to]
	first := int32(bytes.Count(p.def[:from], has))
	n := int32(bytes.Count(slots, has))
	if c.slot > 0 {
		c.slots = c.slots[:0]
		for _, d := range slots {
			if d >= c.slot {
				c.slots = append(c.slots, d)
			}
		}
		slots = c.slots
	}
	out.appendValidity(slots, has[0], len(slots)-int(n))
	if int(n) == len(slots) {
		slots = nil
	}
	return c.appendValues(out, slots, first, first+n)
}

// appendValues appends the values [first, end) of the current page: one for each slot that has the node's definition level and nothing
// for the others; slots nil: one for each slot.
func (c *columnReader) appendValues(out *leafValues, slots []uint8, first, end int32) error {
	p, has := &c.page, uint8(c.node.def)
	switch {
	case is32(c.node.physical):
		out.int32s = spread(out.int32s, p.int32s[first:end], slots, has)
	case is64(c.node.physical):
		out.int64s = spread(out.int64s, p.int64s[first:end], slots, has)
	case c.node.physical == physicalBoolean:
		out.bools = spread(out.bools, p.bools[first:end], slots, has)
	case c.coded:
		if len(p.codes) != p.present {
			return errPlain
		}
		out.codes = spread(out.codes, p.codes[first:end], slots, has)
	case len(p.codes) > 0:
		if err := out.appendEntries(c.dict, p.codes[first:end]); err != nil {
			return err
		}
		out.spreadEnds(slots, has)
	default:
		if first < end { // a page without values has no ends
			if err := out.appendTexts(p.raw, p.ends[first:end+1], p.lead); err != nil {
				return err
			}
		}
		out.spreadEnds(slots, has)
	}
	return nil
}

var errPlain = errors.New("a plain page in a chunk announced as dictionary-coded")

func is32(physical int8) bool { return physical == physicalInt32 || physical == physicalFloat }
func is64(physical int8) bool { return physical == physicalInt64 || physical == physicalDouble }

// appendEntries appends the listed entries of the current page.
func (c *columnReader) appendEntries(out *leafValues, entries []int32) error {
	p := &c.page
	if out.levels {
		for _, e := range entries {
			out.keepLevels(c.node, p, e, e+1)
		}
	}
	values := entries
	if p.def == nil {
		out.appendValid(len(entries))
	} else {
		at := p.ranks(uint8(c.node.def))
		c.values, c.slots = c.values[:0], c.slots[:0]
		nulls := 0
		for _, e := range entries {
			if d := p.def[e]; d >= c.slot {
				c.values, c.slots = append(c.values, at[e]), append(c.slots, d)
				if at[e] < 0 {
					nulls++
				}
			}
		}
		values = c.values
		out.appendValidity(c.slots, uint8(c.node.def), nulls)
	}
	switch {
	case is32(c.node.physical):
		out.int32s = pick(out.int32s, p.int32s, values)
	case is64(c.node.physical):
		out.int64s = pick(out.int64s, p.int64s, values)
	case c.node.physical == physicalBoolean:
		out.bools = pick(out.bools, p.bools, values)
	case c.coded:
		if len(p.codes) != p.present {
			return errPlain
		}
		out.codes = pick(out.codes, p.codes, values)
	default:
		raw, ends, lead := p.raw, p.ends, p.lead
		if len(p.codes) > 0 {
			raw, ends, lead = c.dict.raw, c.dict.ends, 0
		}
		for _, v := range values {
			if v >= 0 {
				if len(p.codes) > 0 {
					v = p.codes[v]
				}
				_, _ = out.text.Write(raw[ends[v]+lead : ends[v+1]])
			}
			out.ends = append(out.ends, int32(out.text.Len()))
		}
		if out.text.Len() > maxBatchText {
			return errTooMuchText
		}
	}
	return nil
}

// spread appends a value for each slot that has one, and a zero for the others; slots nil: each has one.
func spread[T uint8 | int32 | int64](dst, values []T, slots []uint8, has uint8) []T {
	if slots == nil {
		return append(dst, values...)
	}
	at := len(dst)
	dst = slices.Grow(dst, len(slots))[:at+len(slots)]
	to := dst[at:][:len(slots)]
	next := 0
	for i, d := range slots {
		if d == has {
			to[i] = values[next]
			next++
		} else {
			to[i] = 0
		}
	}
	return dst
}

// pick appends the values numbered by at, a zero for -1.
func pick[T uint8 | int32 | int64](dst, values []T, at []int32) []T {
	for _, v := range at {
		if v < 0 {
			dst = append(dst, 0)
		} else {
			dst = append(dst, values[v])
		}
	}
	return dst
}
