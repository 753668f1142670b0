package parquetio

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"

	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// A chunk is dictionary-coded if its values repeat at least twice on average and the dictionary stays within a limit: a reader loads it
// whole to read a single row. The limit has room for the request parameters of a row group, which repeat, and are long.
const dictionaryBytes = 4 << 20

// physical is how values of T are taken from Arrow and given to arrow-go. Its functions run once per batch or page.
type physical[T cmp.Ordered] struct {
	gather  func(dst []T, leaf arrow.Array, at []int32) []T // the values at the rows that are not negative
	write   func(cw file.ColumnChunkWriter, values []T, def, rep []int16) error
	bounds  func(s metadata.TypedStatistics, lo, hi T)
	entries func(sorted []T) arrow.Array // nil: such chunks are always plain
	value   func(T) any                  // as in Stats
}

// writeChunk writes the leaf of one row group.
func (fw *fileWriter) writeChunk(rg file.SerialRowGroupWriter, l leafColumn, parts []shredded) error {
	switch l.t.Kind {
	case sqltype.Boolean:
		return encodeChunk(fw, rg, l, parts, booleans)
	case sqltype.TinyInt:
		return encodeChunk(fw, rg, l, parts, int32s(gatherInts[int32, int8]))
	case sqltype.SmallInt:
		return encodeChunk(fw, rg, l, parts, int32s(gatherInts[int32, int16]))
	case sqltype.Integer:
		return encodeChunk(fw, rg, l, parts, int32s(gatherInts[int32, int32]))
	case sqltype.Date:
		return encodeChunk(fw, rg, l, parts, int32s(gatherInts[int32, arrow.Date32]))
	case sqltype.BigInt:
		return encodeChunk(fw, rg, l, parts, int64s(gatherInts[int64, int64]))
	case sqltype.Timestamp:
		return encodeChunk(fw, rg, l, parts, int64s(gatherInts[int64, arrow.Timestamp]))
	case sqltype.Real:
		return encodeChunk(fw, rg, l, parts, reals)
	case sqltype.Double:
		return encodeChunk(fw, rg, l, parts, doubles)
	default: // leafForm let no other type pass
		return encodeChunk(fw, rg, l, parts, texts)
	}
}

// distinct counts the distinct values of a text leaf, all values where that takes long.
func (g *rowGroup) distinct(l leafColumn) int {
	parts := g.shred(l)
	if l.t.Kind == sqltype.Varchar {
		if d, ok := intern(parts, texts); ok {
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
	write: func(cw file.ColumnChunkWriter, values []uint8, def, rep []int16) error {
		flags := make([]bool, len(values))
		for i, v := range values {
			flags[i] = v == 1
		}
		_, err := cw.(*file.BooleanColumnChunkWriter).WriteBatch(flags, def, rep)
		return err
	},
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
		write: func(cw file.ColumnChunkWriter, values []int32, def, rep []int16) error {
			_, err := cw.(*file.Int32ColumnChunkWriter).WriteBatch(values, def, rep)
			return err
		},
		bounds:  func(s metadata.TypedStatistics, lo, hi int32) { s.(*metadata.Int32Statistics).SetMinMax(lo, hi) },
		entries: func(sorted []int32) arrow.Array { return int32Array(sorted, nil, 0) },
		value:   func(v int32) any { return int64(v) },
	}
}

func int64s(gather func([]int64, arrow.Array, []int32) []int64) physical[int64] {
	return physical[int64]{
		gather: gather,
		write: func(cw file.ColumnChunkWriter, values []int64, def, rep []int16) error {
			_, err := cw.(*file.Int64ColumnChunkWriter).WriteBatch(values, def, rep)
			return err
		},
		bounds: func(s metadata.TypedStatistics, lo, hi int64) { s.(*metadata.Int64Statistics).SetMinMax(lo, hi) },
		entries: func(sorted []int64) arrow.Array {
			data := memory.NewBufferBytes(arrow.Int64Traits.CastToBytes(sorted))
			return array.NewInt64Data(array.NewData(arrow.PrimitiveTypes.Int64, len(sorted), []*memory.Buffer{nil, data}, nil, 0, 0))
		},
		value: func(v int64) any { return v },
	}
}

func int32Array(values []int32, valid []byte, nulls int) arrow.Array {
	data := memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(values))
	var bitmap *memory.Buffer
	if nulls > 0 {
		bitmap = memory.NewBufferBytes(valid)
	}
	return array.NewInt32Data(array.NewData(arrow.PrimitiveTypes.Int32, len(values), []*memory.Buffer{bitmap, data}, nil, nulls, 0))
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
	write: func(cw file.ColumnChunkWriter, values []float32, def, rep []int16) error {
		_, err := cw.(*file.Float32ColumnChunkWriter).WriteBatch(values, def, rep)
		return err
	},
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
	write: func(cw file.ColumnChunkWriter, values []float64, def, rep []int16) error {
		_, err := cw.(*file.Float64ColumnChunkWriter).WriteBatch(values, def, rep)
		return err
	},
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
	write: func(cw file.ColumnChunkWriter, values []string, def, rep []int16) error {
		raw := make([]parquet.ByteArray, len(values))
		for i, v := range values {
			raw[i] = rawText(v)
		}
		_, err := cw.(*file.ByteArrayColumnChunkWriter).WriteBatch(raw, def, rep)
		return err
	},
	bounds: func(s metadata.TypedStatistics, lo, hi string) {
		s.(*metadata.ByteArrayStatistics).SetMinMax(rawText(lo), rawText(hi))
	},
	entries: func(sorted []string) arrow.Array {
		b := array.NewStringBuilder(memory.DefaultAllocator)
		b.AppendStringValues(sorted, nil)
		return b.NewStringArray()
	},
	value: func(v string) any { return strings.Clone(v) },
}

// rawText is v's bytes, to be read only; never nil, which arrow-go takes for "no value" in statistics.
func rawText(v string) parquet.ByteArray {
	if v == "" {
		return parquet.ByteArray{}
	}
	return unsafe.Slice(unsafe.StringData(v), len(v))
}

// dictionary numbers distinct values in the order of their first appearance.
type dictionary[T cmp.Ordered] struct {
	ids     map[T]int32
	entries []T
	codes   []int32 // of the values, in order
	bytes   int
}

func (d *dictionary[T]) id(v T) int32 {
	id, ok := d.ids[v]
	if !ok {
		id = int32(len(d.entries))
		d.ids[v] = id
		d.entries = append(d.entries, v)
		d.bytes += plainSize(v)
	}
	return id
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
	if p.entries == nil {
		return nil, false
	}
	d = &dictionary[T]{ids: map[T]int32{}}
	texts, isText := any(d).(*dictionary[string])
	var values []T
	for _, part := range parts {
		const step = 8 << 10 // values between two looks at whether it is worth going on
		var ids []int32      // of the entries of the part's own dictionary, plus one
		for at := part.at; len(at) > 0; at = at[min(step, len(at)):] {
			now := at[:min(step, len(at))]
			if coded, is := part.leaf.(*array.Dictionary); is && isText {
				if ids == nil {
					ids = make([]int32, vec.Entries(coded).Len())
				}
				internCoded(texts, coded, ids, now)
			} else {
				values = p.gather(values[:0], part.leaf, now)
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
func encodeChunk[T cmp.Ordered](fw *fileWriter, rg file.SerialRowGroupWriter, l leafColumn, parts []shredded, p physical[T]) error {
	c := chunkEncoder[T]{physical: p}
	present := 0
	for _, part := range parts {
		c.def = append(c.def, part.def...)
		c.rep = append(c.rep, part.rep...)
		present += part.present()
	}
	d, coded := intern(parts, p)
	coded = coded && present > 0
	var err error
	if c.cw, err = fw.column(rg, coded); err != nil {
		return err
	}
	c.maxDef = c.cw.Descr().MaxDefinitionLevel()
	if coded {
		c.sortDictionary(d)
		if err := c.cw.CurrentEncoder().(interface{ PutDictionary(arrow.Array) error }).PutDictionary(p.entries(c.dict)); err != nil {
			return err
		}
	} else {
		c.apart = fw.apart(l)
		c.values = make([]T, 0, present)
		for _, part := range parts {
			c.values = p.gather(c.values, part.leaf, part.at)
		}
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
	return c.cw.Close() // now, as long as the properties are this chunk's
}

type chunkEncoder[T cmp.Ordered] struct {
	physical[T]
	cw       file.ColumnChunkWriter
	def, rep []int16
	maxDef   int16
	apart    bool // lengths of texts stand apart
	pages    []encodedPage[T]
	bounded  bool // pages and chunk get bounds

	values []T // plain
	dict   []T // or sorted entries and codes
	codes  []int32
}

// encodedPage is a page: entries [from, to) with values [first, end), which lie within lo and hi if bounded.
type encodedPage[T cmp.Ordered] struct {
	from, to, first, end int
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
	p := encodedPage[T]{}
	rows, size := 0, 0
	for i := 0; i <= len(c.def); i++ {
		rowStarts := i == len(c.def) || c.rep == nil || c.rep[i] == 0
		if rowStarts && i > p.from && (i == len(c.def) || rows == pageRows || size >= pageBytes) {
			if size > maxPage/2 {
				return fmt.Errorf("a row has %d bytes; a page may have %d", size, maxPage/2)
			}
			p.to = i
			if n := len(c.pages); n > 0 && c.apart && p.first == p.end && c.pages[n-1].first < p.first {
				// arrow-go's encoder gives a page without values bytes of the page before
				c.pages[n-1].to = i
			} else {
				if c.dict == nil {
					p.lo, p.hi, p.bounded = bound(c.values[p.first:p.end])
				} else if codes := c.codes[p.first:p.end]; len(codes) > 0 {
					p.lo, p.hi, p.bounded = bound([]T{c.dict[slices.Min(codes)], c.dict[slices.Max(codes)]})
				}
				c.pages = append(c.pages, p)
			}
			p = encodedPage[T]{from: i, first: p.end, end: p.end}
			rows, size = 0, 0
		}
		if i == len(c.def) {
			break
		}
		if rowStarts {
			rows++
		}
		if c.def[i] == c.maxDef {
			if c.dict == nil {
				size += plainSize(c.values[p.end])
			}
			p.end++
		}
	}
	return nil
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
	def := c.def[p.from:p.to]
	var rep []int16
	if c.rep != nil {
		rep = c.rep[p.from:p.to]
	}
	var err error
	if c.dict == nil {
		err = c.write(c.cw, c.values[p.first:p.end], def, rep)
	} else {
		err = c.cw.WriteDictIndices(c.spaced(c.codes[p.first:p.end], def), def, rep)
	}
	if err != nil {
		return err
	}
	if s := c.cw.PageStatistics(); s != nil {
		// Not those that arrow-go gathered: it has none for codes, and would keep one bound where the other is too long.
		s.Reset()
		s.IncNulls(int64(p.to - p.from - (p.end - p.first)))
		s.IncNumValues(int64(p.end - p.first))
		if c.bounded && p.end > p.first {
			c.bounds(s, p.lo, p.hi)
		}
	}
	return c.cw.(interface{ FlushCurrentPage() error }).FlushCurrentPage()
}

// spaced gives codes the form that arrow-go wants: a slot, maybe NULL, per entry that is below no empty or NULL list.
func (c *chunkEncoder[T]) spaced(codes []int32, def []int16) arrow.Array {
	slot := c.cw.LevelInfo().RepeatedAncestorDefLevel
	out := make([]int32, 0, len(def))
	valid := make([]byte, (len(def)+7)/8)
	next := 0
	for _, d := range def {
		if d < slot {
			continue
		}
		code := int32(0)
		if d == c.maxDef {
			valid[len(out)/8] |= 1 << (len(out) % 8)
			code = codes[next]
			next++
		}
		out = append(out, code)
	}
	return int32Array(out, valid, len(out)-next)
}
