package parquetio

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math/bits"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/arrow-go/v18/parquet/schema"
)

// arrow-go puts files together: headers of pages, indexes, filters, the footer. What is in the pages is encoded here, since its column
// writers take levels and codes one by one, number each dictionary again and hold every page twice.

// place is a writer that knows where it is.
type place struct {
	w *hashingWriter
}

func (p place) Write(b []byte) (int, error) { return p.w.Write(b) }
func (p place) Tell() int64                 { return p.w.n }

// assembly is a file that is being put together.
type assembly struct {
	sink   place
	props  parquet.WriterProperties // of the chunk at hand; the builders refer to them
	schema *schema.Schema
	meta   *metadata.FileMetaDataBuilder
	index  *metadata.PageIndexBuilder
	blooms *metadata.FileBloomFilterBuilder
	pager  file.PageWriter

	group   *metadata.RowGroupMetaDataBuilder
	filters map[string]metadata.BloomFilterBuilder // of the row group
	groups  int
	columns int // of the row group, begun so far

	body   []byte       // of a page
	packed bytes.Buffer // the same, compressed
}

func newAssembly(sink *hashingWriter, root *schema.GroupNode, props parquet.WriterProperties, keys metadata.KeyValueMetadata) (*assembly, error) {
	a := &assembly{sink: place{sink}, props: props, schema: schema.NewSchema(root)}
	a.meta = metadata.NewFileMetadataBuilder(a.schema, &a.props, keys)
	a.index = &metadata.PageIndexBuilder{Schema: a.schema}
	a.blooms = &metadata.FileBloomFilterBuilder{Schema: a.schema}
	_, err := a.sink.Write(magic)
	return a, err
}

func (a *assembly) beginGroup() error {
	a.group = a.meta.AppendRowGroup()
	a.filters = map[string]metadata.BloomFilterBuilder{}
	a.columns = 0
	a.blooms.AppendRowGroup(a.group, a.filters)
	return a.index.AppendRowGroup()
}

func (a *assembly) endGroup(rows int) error {
	a.group.SetNumRows(rows)
	err := a.group.Finish(0, int16(a.groups)) // which adds the sizes up itself
	a.groups++
	return err
}

// end writes what follows the row groups.
func (a *assembly) end() error {
	if err := a.blooms.WriteTo(a.sink); err != nil {
		return err
	}
	a.index.Finish()
	var at metadata.PageIndexLocation
	if err := a.index.WriteTo(a.sink, &at); err != nil {
		return err
	}
	if err := a.meta.SetPageIndexLocation(at); err != nil {
		return err
	}
	footer, err := a.meta.Snapshot()
	if err != nil {
		return err
	}
	n, err := footer.WriteTo(a.sink, nil)
	if err != nil {
		return err
	}
	_, err = a.sink.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(n)), magic...))
	return err
}

// chunkWriter writes the pages of one chunk: of its dictionary, if it has one, and then of its rows.
type chunkWriter struct {
	*assembly
	meta     *metadata.ColumnChunkMetaDataBuilder
	column   *schema.Column
	encoding parquet.Encoding
	coded    bool
	page     metadata.TypedStatistics // nil: none are kept
	chunk    metadata.TypedStatistics
	filter   metadata.BloomFilterBuilder // nil: none
	rows     int64                       // written
}

// beginChunk begins the next chunk of the row group. arrow-go has one choice of encodings for a file, here each chunk has its own: the
// properties are exchanged before a chunk is begun, and are in force until it ends.
func (a *assembly) beginChunk(props parquet.WriterProperties, coded bool) (*chunkWriter, error) {
	a.props = props
	ordinal := a.columns
	a.columns++
	c := &chunkWriter{assembly: a, meta: a.group.NextColumnChunk(), coded: coded}
	c.column = c.meta.Descr()
	path := c.column.Path()
	c.encoding = props.EncodingFor(path)
	if coded {
		c.encoding = props.DictionaryIndexEncoding()
	}
	columnIndex, err := a.index.GetColumnIndexBuilder(ordinal)
	if err != nil {
		return nil, err
	}
	offsetIndex, err := a.index.GetOffsetIndexBuilder(ordinal)
	if err != nil {
		return nil, err
	}
	codec, level := compress.Codecs.Zstd, props.CompressionLevelFor(path)
	if a.pager == nil {
		a.pager, err = file.NewPageWriter(a.sink, codec, level, c.meta, int16(a.groups), int16(ordinal), props.Allocator(), false, nil, nil)
	} else {
		err = a.pager.Reset(a.sink, codec, level, c.meta, int16(a.groups), int16(ordinal), nil, nil)
	}
	if err != nil {
		return nil, err
	}
	a.pager.SetIndexBuilders(columnIndex, offsetIndex)
	if props.StatisticsEnabledFor(path) && c.column.SortOrder() != schema.SortUNKNOWN {
		c.page, c.chunk = metadata.NewStatistics(c.column, props.Allocator()), metadata.NewStatistics(c.column, props.Allocator())
	}
	if props.BloomFilterEnabledFor(path) {
		c.filter = metadata.NewBloomFilterFromNDVAndFPP(uint32(props.BloomFilterNDVFor(path)), props.BloomFilterFPPFor(path), props.MaxBloomFilterBytes(), props.Allocator())
		a.filters[path] = c.filter
	}
	return c, nil
}

func (c *chunkWriter) writeDictionary(entries []byte, n int) error {
	page := file.NewDictionaryPage(memory.NewBufferBytes(entries), int32(n), c.props.DictionaryPageEncoding())
	_, err := c.pager.WriteDictionaryPage(page)
	page.Release()
	return err
}

// writePage writes a page of levels and encoded values. c.page, if it is kept, has its statistics.
func (c *chunkWriter) writePage(def, rep []int16, rows int, values func([]byte) []byte) error {
	body := appendLevels(c.body[:0], rep, int(c.column.MaxRepetitionLevel()))
	body = appendLevels(body, def, int(c.column.MaxDefinitionLevel()))
	body = values(body)
	c.body = body
	var stats metadata.EncodedStatistics
	if c.page != nil {
		var err error
		if stats, err = c.page.Encode(); err != nil {
			return err
		}
		c.bounded(&stats)
		c.chunk.Merge(c.page)
	}
	c.packed.Reset()
	page := file.NewDataPageV1WithConfig(memory.NewBufferBytes(c.pager.Compress(&c.packed, body)), parquet.Encodings.RLE, parquet.Encodings.RLE,
		file.DataPageConfig{Num: int32(len(def)), Encoding: c.encoding, UncompressedSize: int32(len(body)), Stats: stats, FirstRowIndex: c.rows})
	c.rows += int64(rows)
	_, err := c.pager.WriteDataPage(page)
	page.Release()
	return err
}

func (c *chunkWriter) bounded(stats *metadata.EncodedStatistics) {
	stats.ApplyStatSizeLimits(maxBound)
	stats.Signed = c.column.SortOrder() == schema.SortSIGNED
}

func (c *chunkWriter) end() error {
	if c.chunk != nil {
		stats, err := c.chunk.Encode()
		if err != nil {
			return err
		}
		if c.bounded(&stats); stats.IsSet() {
			c.meta.SetStats(stats)
		}
	}
	if cap(c.body) > 2*pageBytes {
		c.body, c.packed = nil, bytes.Buffer{}
	}
	return c.pager.Close(c.coded, false)
}

// appendLevels adds levels up to a limit, behind their length; nothing where the limit is 0.
func appendLevels(dst []byte, levels []int16, limit int) []byte {
	if limit == 0 {
		return dst
	}
	from := len(dst)
	dst = appendHybrid(append(dst, 0, 0, 0, 0), levels, uint(bitWidth(limit)))
	binary.LittleEndian.PutUint32(dst[from:], uint32(len(dst)-from-4))
	return dst
}

// appendHybrid adds numbers of so many bits, at least one, in the RLE and bit-packing hybrid, as decodeHybrid reads it.
func appendHybrid[T int16 | int32](dst []byte, values []T, width uint) []byte {
	from := 0 // values before it are written
	for i := 0; i < len(values); {
		v, end := values[i], i+1
		for end < len(values) && values[end] == v {
			end++
		}
		if end-i < 8 && end < len(values) {
			i = min(i+8, len(values)) // to be packed; groups are of eight
			continue
		}
		if end-i < 8 && from < i {
			i = end
			continue
		}
		dst = appendPacked(dst, values[from:i], width)
		dst = binary.AppendUvarint(dst, uint64(end-i)<<1)
		for k := range (width + 7) / 8 {
			dst = append(dst, byte(v>>(8*k)))
		}
		i, from = end, end
	}
	return appendPacked(dst, values[from:], width)
}

// appendPacked adds groups of eight bit-packed numbers, the last one filled up with zeros.
func appendPacked[T int16 | int32](dst []byte, values []T, width uint) []byte {
	if len(values) == 0 {
		return dst
	}
	groups := (len(values) + 7) / 8
	dst = binary.AppendUvarint(dst, uint64(groups)<<1|1)
	var word uint64
	n := uint(0)
	for _, v := range values {
		word |= uint64(uint32(v)) << n
		if n += width; n >= 32 {
			dst = binary.LittleEndian.AppendUint32(dst, uint32(word))
			word >>= 32
			n -= 32
		}
	}
	for left := groups*int(width) - (len(values)*int(width)-int(n))/8; left > 0; left-- {
		dst = append(dst, byte(word))
		word >>= 8
	}
	return dst
}

// appendCodes adds codes of a dictionary of so many entries.
func appendCodes(dst []byte, codes []int32, entries int) []byte {
	width := max(bits.Len(uint(entries-1)), 1)
	return appendHybrid(append(dst, byte(width)), codes, uint(width))
}

// appendPlain adds fixed-width values in the PLAIN encoding.
func appendPlain[T int32 | int64 | float32 | float64](dst []byte, values []T) []byte {
	if len(values) == 0 {
		return dst
	}
	// Parquet and all machines that Go's Arrow runs on have the lowest byte first.
	return append(dst, unsafe.Slice((*byte)(unsafe.Pointer(&values[0])), len(values)*int(unsafe.Sizeof(values[0])))...)
}

// appendTexts adds texts in the PLAIN encoding.
func appendTexts(dst []byte, values []string) []byte {
	for _, v := range values {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(v)))
		dst = append(dst, v...)
	}
	return dst
}

// appendApart adds texts behind all of their lengths: DELTA_LENGTH_BYTE_ARRAY.
func appendApart(dst []byte, values []string) []byte {
	dst = appendLengths(dst, values)
	for _, v := range values {
		dst = append(dst, v...)
	}
	return dst
}

// appendLengths adds the lengths of texts as DELTA_BINARY_PACKED: the first one, then blocks of 128 differences in four parts.
func appendLengths(dst []byte, values []string) []byte {
	const block, parts, part = 128, 4, 32
	dst = append(binary.AppendUvarint(dst, block), parts)
	dst = binary.AppendUvarint(dst, uint64(len(values)))
	if len(values) == 0 {
		return binary.AppendVarint(dst, 0)
	}
	last := int32(len(values[0]))
	dst = binary.AppendVarint(dst, int64(last))
	var differences [block]int32
	for values = values[1:]; len(values) > 0; {
		some := differences[:min(block, len(values))]
		for i := range some {
			n := int32(len(values[i]))
			some[i], last = n-last, n
		}
		values = values[len(some):]
		least := some[0]
		for _, d := range some {
			least = min(least, d)
		}
		dst = binary.AppendVarint(dst, int64(least))
		for i := range differences {
			if differences[i] -= least; i >= len(some) {
				differences[i] = 0
			}
		}
		widths := len(dst)
		dst = append(dst, 0, 0, 0, 0)
		for p := range parts {
			if p*part >= len(some) {
				break
			}
			in := differences[p*part : (p+1)*part]
			all := uint32(0)
			for _, d := range in {
				all |= uint32(d)
			}
			width := uint(bits.Len32(all))
			dst[widths+p] = byte(width)
			var word uint64
			n := uint(0)
			for _, d := range in {
				word |= uint64(uint32(d)) << n
				if n += width; n >= 32 {
					dst = binary.LittleEndian.AppendUint32(dst, uint32(word))
					word >>= 32
					n -= 32
				}
			}
		}
	}
	return dst
}

// appendFlags adds booleans in the PLAIN encoding.
func appendFlags(dst []byte, values []uint8) []byte {
	for i, v := range values {
		if i%8 == 0 {
			dst = append(dst, 0)
		}
		dst[len(dst)-1] |= v << (i % 8)
	}
	return dst
}

// filterValues puts values into the chunk's bloom filter, if it has one.
func filterValues[T cmp.Ordered](c *chunkWriter, values []T) {
	if c.filter == nil {
		return
	}
	hasher := c.filter.Hasher()
	if texts, ok := any(values).([]string); ok {
		for _, v := range texts {
			c.filter.InsertHash(hasher.Sum64(rawText(v)))
		}
		return
	}
	for i := range values {
		c.filter.InsertHash(hasher.Sum64(unsafe.Slice((*byte)(unsafe.Pointer(&values[i])), unsafe.Sizeof(values[i]))))
	}
}
