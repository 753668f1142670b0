package parquetio

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/metadata"

	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// A chunk is dictionary-coded if its values repeat at least twice on average and the dictionary stays within a limit: a reader loads it
// whole to read a single row. The limit has room for the request parameters of a row group, which repeat, and are long.
const dictionaryBytes = 4 << 20

// physical is how values of T are taken from Arrow and written. Its functions run once per batch or page.
type physical[T cmp.Ordered] struct {
	gather func(dst []T, leaf arrow.Array, at []int32) []T // the values at the rows that are not negative
	plain  func(dst []byte, values []T) []byte             // adds them in the PLAIN encoding
	apart  func(dst []byte, values []T) []byte             // or with their lengths apart; nil: they have none
	bounds func(s metadata.TypedStatistics, lo, hi T)
	hash   func(T) uint64 // nil: chunks are always plain, else they may be dictionary-coded
	value  func(T) any    // as in Stats
}

// writeChunk writes the leaf of one row group.
func (fw *fileWriter) writeChunk(g *rowGroup, l leafColumn) error {
	parts := g.shred(l)
	switch l.t.Kind {
	case sqltype.Boolean:
		return encodeChunk(fw, g, l, parts, booleans)
	case sqltype.TinyInt:
		return encodeChunk(fw, g, l, parts, int32s(gatherInts[int32, int8]))
	case sqltype.SmallInt:
		return encodeChunk(fw, g, l, parts, int32s(gatherInts[int32, int16]))
	case sqltype.Integer:
		return encodeChunk(fw, g, l, parts, int32s(gatherInts[int32, int32]))
	case sqltype.Date:
		return encodeChunk(fw, g, l, parts, int32s(gatherInts[int32, arrow.Date32]))
	case sqltype.BigInt:
		return encodeChunk(fw, g, l, parts, int64s(gatherInts[int64, int64]))
	case sqltype.Timestamp:
		return encodeChunk(fw, g, l, parts, int64s(gatherInts[int64, arrow.Timestamp]))
	case sqltype.Real:
		return encodeChunk(fw, g, l, parts, reals)
	case sqltype.Double:
		return encodeChunk(fw, g, l, parts, doubles)
	default: // leafForm let no other type pass
		return encodeChunk(fw, g, l, parts, texts)
	}
}

// distinct counts the distinct values of a text leaf, all values where that takes long.
func (g *rowGroup) distinct(l leafColumn) int {
	parts := g.shred(l)
	if l.t.Kind == sqltype.Varchar {
		d, ok := intern(parts, texts)
		g.interned[l.name] = interned{d, ok}
		if ok {
			return len(d.entries)
		}
	}
	n := 0
	for _, p := range parts {
		n += p.present()
	}
	return n
}

func (s *shredded) present() int {
	n := 0
	for _, at := range s.at {
		if at >= 0 {
			n++
		}
	}
	return n
}

var booleans = physical[uint8]{
	gather: func(dst []uint8, leaf arrow.Array, at []int32) []uint8 {
		a := leaf.(*array.Boolean)
		for _, i := range at {
			if i >= 0 {
				v := uint8(0)
				if a.Value(int(i)) {
					v = 1
				}
				dst = append(dst, v)
			}
		}
		return dst
	},
	plain: appendFlags,
	bounds: func(s metadata.TypedStatistics, lo, hi uint8) {
		s.(*metadata.BooleanStatistics).SetMinMax(lo == 1, hi == 1)
	},
	value: func(v uint8) any { return v == 1 },
}

// gatherInts reads the buffer of any integer-like array; array.Int64, array.Date32 and the like share Values.
func gatherInts[T int32 | int64, A int8 | int16 | int32 | int64 | arrow.Date32 | arrow.Timestamp](dst []T, leaf arrow.Array, at []int32) []T {
	values := leaf.(interface{ Values() []A }).Values()
	for _, i := range at {
		if i >= 0 {
			dst = append(dst, T(values[i]))
		}
	}
	return dst
}

func int32s(gather func([]int32, arrow.Array, []int32) []int32) physical[int32] {
	return physical[int32]{
		gather: gather,
		plain:  appendPlain[int32],
		bounds: func(s metadata.TypedStatistics, lo, hi int32) { s.(*metadata.Int32Statistics).SetMinMax(lo, hi) },
		hash:   hashNumber[int32],
		value:  func(v int32) any { return int64(v) },
	}
}

func int64s(gather func([]int64, arrow.Array, []int32) []int64) physical[int64] {
	return physical[int64]{
		gather: gather,
		plain:  appendPlain[int64],
		bounds: func(s metadata.TypedStatistics, lo, hi int64) { s.(*metadata.Int64Statistics).SetMinMax(lo, hi) },
		hash:   hashNumber[int64],
		value:  func(v int64) any { return v },
	}
}

var reals = physical[float32]{
	gather: func(dst []float32, leaf arrow.Array, at []int32) []float32 {
		values := leaf.(*array.Float32).Values()
		for _, i := range at {
			if i >= 0 {
				dst = append(dst, values[i])
			}
		}
		return dst
	},
	plain:  appendPlain[float32],
	bounds: func(s metadata.TypedStatistics, lo, hi float32) { s.(*metadata.Float32Statistics).SetMinMax(lo, hi) },
	value:  func(v float32) any { return float64(v) },
}

var doubles = physical[float64]{
	gather: func(dst []float64, leaf arrow.Array, at []int32) []float64 {
		values := leaf.(*array.Float64).Values()
		for _, i := range at {
			if i >= 0 {
				dst = append(dst, values[i])
			}
		}
		return dst
	},
	plain:  appendPlain[float64],
	bounds: func(s metadata.TypedStatistics, lo, hi float64) { s.(*metadata.Float64Statistics).SetMinMax(lo, hi) },
	value:  func(v float64) any { return v },
}

// texts serves strings and binaries, plain or dictionary-coded in Arrow. The strings share the arrays' memory.
var texts = physical[string]{
	gather: func(dst []string, leaf arrow.Array, at []int32) []string {
		switch a := leaf.(type) {
		case *array.Dictionary:
			entries, codes := vec.Entries(a), vec.Codes(a)
			for _, i := range at {
				if i >= 0 {
					dst = append(dst, entries.Value(int(codes[i])))
				}
			}
		case *array.String:
			for _, i := range at {
				if i >= 0 {
					dst = append(dst, a.Value(int(i)))
				}
			}
		case *array.Binary:
			for _, i := range at {
				if i >= 0 {
					dst = append(dst, a.ValueString(int(i)))
				}
			}
		default:
			panic("text comes as " + leaf.DataType().String())
		}
		return dst
	},
	plain: appendTexts,
	apart: appendApart,
	bounds: func(s metadata.TypedStatistics, lo, hi string) {
		s.(*metadata.ByteArrayStatistics).SetMinMax(rawText(lo), rawText(hi))
	},
	hash:  func(v string) uint64 { return maphash.String(hashSeed, v) },
	value: func(v string) any { return strings.Clone(v) },
}

// rawText is v's bytes, to be read only; never nil, which arrow-go takes for "no value" in statistics.
func rawText(v string) parquet.ByteArray {
	if v == "" {
		return parquet.ByteArray{}
	}
	return unsafe.Slice(unsafe.StringData(v), len(v))
}

// hashSeed is drawn anew by each process, so that nobody can make up texts that collide.
var hashSeed = maphash.MakeSeed()

// dictionary numbers distinct values in the order of their first appearance.
type dictionary[T cmp.Ordered] struct {
	hash    func(T) uint64
	slots   []int32  // a hash table with linear probing, at most half full: ids plus one; 0 is free
	hashes  []uint32 // by id
	entries []T
	codes   []int32 // of the values, in order
	bytes   int
}

func (d *dictionary[T]) id(v T) int32 {
	if 2*len(d.entries) >= len(d.slots) {
		d.grow()
	}
	h := uint32(d.hash(v))
	mask := len(d.slots) - 1
	i := int(h) & mask
	for ; d.slots[i] != 0; i = (i + 1) & mask {
		if id := d.slots[i] - 1; d.hashes[id] == h && d.entries[id] == v {
			return id
		}
	}
	id := int32(len(d.entries))
	d.slots[i] = id + 1
	d.hashes, d.entries = append(d.hashes, h), append(d.entries, v)
	d.bytes += plainSize(v)
	return id
}

func (d *dictionary[T]) grow() {
	d.slots = make([]int32, max(4*len(d.slots), 64))
	mask := len(d.slots) - 1
	for id, h := range d.hashes {
		i := int(h) & mask
		for d.slots[i] != 0 {
			i = (i + 1) & mask
		}
		d.slots[i] = int32(id) + 1
	}
}

// hashNumber spreads the bits of a number.
func hashNumber[T int32 | int64](v T) uint64 { return uint64(v) * 0x9E3779B97F4A7C15 >> 32 }

// interned is what intern returned for a text leaf of a row group.
type interned struct {
	d  *dictionary[string]
	ok bool
}

// plainSize is the size of a value in the PLAIN encoding.
func plainSize[T cmp.Ordered](v T) int {
	if s, ok := any(v).(string); ok {
		return 4 + len(s)
	}
	return int(unsafe.Sizeof(v))
}

// intern builds the dictionary of a chunk; ok is false if the chunk should be plain.
func intern[T cmp.Ordered](parts []shredded, p physical[T]) (d *dictionary[T], ok bool) {
	if p.hash == nil {
		return nil, false
	}
	d = &dictionary[T]{hash: p.hash}
	texts, isText := any(d).(*dictionary[string])
	const step = 8 << 10 // values between two looks at whether it is worth going on
	rows := 0
	for _, part := range parts {
		rows += len(part.at)
	}
	d.codes = make([]int32, 0, rows)
	var values []T // of a part without a dictionary of its own
	for _, part := range parts {
		var ids []int32 // of the entries of the part's own dictionary, plus one; nil where it has none, or one of far more rows than the part's
		coded, is := part.leaf.(*array.Dictionary)
		if is && len(part.at) > 0 && vec.Entries(coded).Len() <= 4*len(part.at) {
			ids = make([]int32, vec.Entries(coded).Len())
		}
		for at := part.at; len(at) > 0; at = at[min(step, len(at)):] {
			now := at[:min(step, len(at))]
			if isText && ids != nil {
				internCoded(texts, coded, ids, now)
			} else {
				values = p.gather(slices.Grow(values[:0], len(now)), part.leaf, now)
				for _, v := range values {
					d.codes = append(d.codes, d.id(v))
				}
			}
			if d.bytes > dictionaryBytes || len(d.codes) >= step && len(d.entries) > len(d.codes)/4*3 {
				return nil, false
			}
		}
	}
	return d, len(d.entries) <= len(d.codes)/2
}

// internCoded looks each entry of a's dictionary up once, however many rows have it; ids remembers them.
func internCoded(d *dictionary[string], a *array.Dictionary, ids, at []int32) {
	entries, codes := vec.Entries(a), vec.Codes(a)
	for _, i := range at {
		if i < 0 {
			continue
		}
		code := codes[i]
		if ids[code] == 0 {
			ids[code] = d.id(entries.Value(int(code))) + 1
		}
		d.codes = append(d.codes, ids[code]-1)
	}
}

// bound returns the bounds of values; ok is false if there are none that a reader may trust: NaN is neither below nor above
// anything, and long strings are left out.
func bound[T cmp.Ordered](values []T) (lo, hi T, ok bool) {
	for i, v := range values {
		if v != v {
			return lo, hi, false
		}
		if i == 0 || v < lo {
			lo = v
		}
		if i == 0 || v > hi {
			hi = v
		}
	}
	return lo, hi, len(values) > 0 && plainSize(lo) <= 4+maxBound && plainSize(hi) <= 4+maxBound
}

// encodeChunk decides the encoding, cuts the pages and keeps the statistics.
func encodeChunk[T cmp.Ordered](fw *fileWriter, g *rowGroup, l leafColumn, parts []shredded, p physical[T]) error {
	c := chunkEncoder[T]{physical: p}
	present := 0
	for _, part := range parts {
		present += part.present()
	}
	if c.def, c.rep = parts[0].def, parts[0].rep; len(parts) > 1 {
		def, rep := make([][]int16, len(parts)), make([][]int16, len(parts))
		for i, part := range parts {
			def[i], rep[i] = part.def, part.rep
		}
		c.def, c.rep = slices.Concat(def...), slices.Concat(rep...)
	}
	var d *dictionary[T]
	var coded bool
	if known, is := g.interned[l.name]; is {
		d, coded = any(known.d).(*dictionary[T]), known.ok
		delete(g.interned, l.name)
	} else {
		d, coded = intern(parts, p)
	}
	coded = coded && present > 0
	var err error
	if c.cw, err = fw.file.beginChunk(fw.forms[coded], coded); err != nil {
		return err
	}
	c.maxDef = c.cw.column.MaxDefinitionLevel()
	if coded {
		c.sortDictionary(d)
		filterValues(c.cw, c.dict)
		if err := c.cw.writeDictionary(p.plain(make([]byte, 0, d.bytes), c.dict), len(c.dict)); err != nil {
			return err
		}
	} else {
		if fw.apart(l) {
			c.plain = p.apart
		}
		c.values = make([]T, 0, present)
		for _, part := range parts {
			c.values = p.gather(c.values, part.leaf, part.at)
		}
		filterValues(c.cw, c.values)
	}
	if err := c.cutPages(fw.pageRows, fw.pageBytes); err != nil {
		return err
	}
	var lo, hi T
	lo, hi, c.bounded = c.bound()
	fw.coded = append(fw.coded, coded)
	if !l.nested {
		part := Stats{Nulls: int64(len(c.def) - present)}
		if c.bounded {
			part.Min, part.Max = p.value(lo), p.value(hi)
		}
		fw.addStats(l.name, part, present > 0)
	}
	for _, page := range c.pages {
		if err := c.writePage(page); err != nil {
			return err
		}
	}
	return c.cw.end()
}

type chunkEncoder[T cmp.Ordered] struct {
	physical[T]
	cw       *chunkWriter
	def, rep []int16
	maxDef   int16
	pages    []encodedPage[T]
	bounded  bool // pages and chunk get bounds

	values []T // plain
	dict   []T // or sorted entries and codes
	codes  []int32
}

// encodedPage is a page: entries [from, to) of so many rows, with values [first, end), which lie within lo and hi if bounded.
type encodedPage[T cmp.Ordered] struct {
	from, to, first, end int
	rows                 int
	lo, hi               T
	bounded              bool
}

// sortDictionary takes d's entries in order, so that codes compare like values.
func (c *chunkEncoder[T]) sortDictionary(d *dictionary[T]) {
	order := make([]int32, len(d.entries))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Compare(d.entries[a], d.entries[b]) })
	rank := make([]int32, len(order))
	c.dict = make([]T, len(order))
	for r, id := range order {
		rank[id] = int32(r)
		c.dict[r] = d.entries[id]
	}
	for i, id := range d.codes {
		d.codes[i] = rank[id]
	}
	c.codes = d.codes
}

// cutPages cuts the entries into pages, each of whole rows.
func (c *chunkEncoder[T]) cutPages(pageRows, pageBytes int) error {
	for p := (encodedPage[T]{}); p.from < len(c.def); p = (encodedPage[T]{from: p.to, first: p.end, end: p.end}) {
		if c.rep == nil && c.dict != nil { // an entry a row, and codes are short: rows alone count
			p.to = min(p.from+pageRows, len(c.def))
			p.rows = p.to - p.from
			p.end += countLevel(c.def[p.from:p.to], c.maxDef)
		} else if err := c.fill(&p, pageRows, pageBytes); err != nil {
			return err
		}
		if c.dict == nil {
			p.lo, p.hi, p.bounded = bound(c.values[p.first:p.end])
		} else if codes := c.codes[p.first:p.end]; len(codes) > 0 {
			p.lo, p.hi, p.bounded = bound([]T{c.dict[slices.Min(codes)], c.dict[slices.Max(codes)]})
		}
		c.pages = append(c.pages, p)
	}
	return nil
}

// fill takes rows into a page that has none, until it is full.
func (c *chunkEncoder[T]) fill(p *encodedPage[T], pageRows, pageBytes int) error {
	size := 0
	for p.to = p.from; p.to < len(c.def); p.to++ {
		if c.rep == nil || c.rep[p.to] == 0 {
			if p.rows == pageRows || size >= pageBytes {
				break
			}
			p.rows++
		}
		if c.def[p.to] == c.maxDef {
			if c.dict == nil {
				size += plainSize(c.values[p.end])
			}
			p.end++
		}
	}
	if size > maxPage/2 {
		return fmt.Errorf("a row has %d bytes; a page may have %d", size, maxPage/2)
	}
	return nil
}

func countLevel(levels []int16, level int16) (n int) {
	for _, l := range levels {
		if l == level {
			n++
		}
	}
	return n
}

// bound returns the bounds of all pages; ok is false if some page with values has none.
func (c *chunkEncoder[T]) bound() (lo, hi T, ok bool) {
	for _, p := range c.pages {
		switch {
		case p.first == p.end:
			continue
		case !p.bounded:
			return lo, hi, false
		case !ok || p.lo < lo:
			lo = p.lo
		}
		if !ok || p.hi > hi {
			hi = p.hi
		}
		ok = true
	}
	return lo, hi, ok
}

func (c *chunkEncoder[T]) writePage(p encodedPage[T]) error {
	var rep []int16
	if c.rep != nil {
		rep = c.rep[p.from:p.to]
	}
	if s := c.cw.page; s != nil {
		s.Reset()
		s.IncNulls(int64(p.to - p.from - (p.end - p.first)))
		s.IncNumValues(int64(p.end - p.first))
		if c.bounded && p.end > p.first {
			c.bounds(s, p.lo, p.hi)
		}
	}
	return c.cw.writePage(c.def[p.from:p.to], rep, p.rows, func(dst []byte) []byte {
		if c.dict == nil {
			return c.plain(dst, c.values[p.first:p.end])
		}
		return appendCodes(dst, c.codes[p.first:p.end], len(c.dict))
	})
}
