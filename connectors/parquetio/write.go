// Package parquetio writes one sorted Parquet file, and scans row groups with
// pruning and late columns. The scan has a page layer of its own (page headers,
// levels, dictionary codes); pqarrow serves tests as the reference reader.
package parquetio

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"slices"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/vec"
)

// WriteOptions say how a file is laid out; zero fields take defaults.
type WriteOptions struct {
	Columns       []source.Column   // in file order; the batches have exactly these
	RowGroupRows  int               // default 128 Ki
	RowGroupBytes int64             // default 128 MiB of Arrow data
	Bloom         []string          // dotted leaf paths that get bloom filters: "eventid", "useridentity.accesskeyid"
	NoStats       []string          // columns without statistics (wide text); their pages have none either
	Metadata      map[string]string // key-value metadata of the footer
}

// Written describes a file.
type Written struct {
	Rows, Bytes  int64
	SHA256       [32]byte         // of the whole file
	FooterSHA256 [32]byte         // of the footer (thrift bytes, length and magic included)
	Stats        map[string]Stats // by dotted leaf path; leaves below lists and maps have none
}

// Stats are the bounds of one column in one file. Min and Max are Go values: bool, int64 (integers, dates, microseconds),
// float64, string; nil: unknown. Strings over 256 bytes are left out rather than cut.
type Stats struct {
	Min, Max any
	Nulls    int64
}

const (
	defaultGroupRows  = 128 << 10
	defaultGroupBytes = 128 << 20

	// A page ends after so many rows or bytes: small enough that a late column reads little for one row, large enough that
	// header, index entry and compression lose little. Batches of a scan have as many rows.
	pageRows  = 16 << 10
	pageBytes = 512 << 10

	// maxPage bounds what one page may hold, written or read.
	maxPage = 64 << 20

	// maxBound is the longest string that is kept as a bound. Longer ones make footers heavy, and past 4,096 bytes arrow-go's
	// reader takes a missing maximum for an empty one.
	maxBound = 256

	// createdBy has the form that other readers parse when they decide whether to trust statistics.
	createdBy = "trailql version 1.0.0"
)

// Write writes the batches that next yields until io.EOF, in their order. Equal input gives equal bytes. No Arrow schema is
// stored in the file. Each column chunk is either dictionary-coded throughout, its dictionary sorted so that codes compare
// like values, or plain throughout; of plain text the lengths stand apart from the bytes.
func Write(w io.Writer, opt WriteOptions, next func() (vec.Batch, error)) (out Written, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("write parquet: %v", r)
		}
	}()
	if opt.RowGroupRows <= 0 {
		opt.RowGroupRows = defaultGroupRows
	}
	if opt.RowGroupBytes <= 0 {
		opt.RowGroupBytes = defaultGroupBytes
	}
	return newFileWriter(w, opt).write(next)
}

func newFileWriter(w io.Writer, opt WriteOptions) *fileWriter {
	return &fileWriter{opt: opt, sink: &hashingWriter{w: w, sum: sha256.New()}, pageRows: pageRows, pageBytes: pageBytes,
		text: parquet.Encodings.DeltaLengthByteArray, stats: map[string]Stats{}, unbounded: map[string]bool{}}
}

func (fw *fileWriter) write(next func() (vec.Batch, error)) (Written, error) {
	if err := fw.run(next); err != nil {
		return Written{}, fmt.Errorf("write parquet: %w", err)
	}
	tail := fw.sink.tail.Bytes()
	length := int(binary.LittleEndian.Uint32(tail[len(tail)-8:])) + 8
	out := Written{Rows: fw.rows, Bytes: fw.sink.n, Stats: fw.stats, FooterSHA256: sha256.Sum256(tail[len(tail)-length:])}
	fw.sink.sum.Sum(out.SHA256[:0])
	return out, fw.check(tail[len(tail)-length:])
}

// hashingWriter hashes and counts what passes, and keeps it from the moment that keep is set.
type hashingWriter struct {
	w    io.Writer
	sum  hash.Hash
	n    int64
	keep bool
	tail bytes.Buffer
}

func (h *hashingWriter) Write(p []byte) (int, error) {
	n, err := h.w.Write(p)
	h.sum.Write(p[:n])
	h.n += int64(n)
	if h.keep {
		h.tail.Write(p[:n])
	}
	return n, err
}

type fileWriter struct {
	opt  WriteOptions
	sink *hashingWriter

	pageRows, pageBytes int
	text                parquet.Encoding // of text that is not dictionary-coded; older files have it PLAIN

	leaves []leafColumn
	file   *assembly
	forms  map[bool]parquet.WriterProperties // of dictionary-coded chunks and of others
	rows   int64
	stats  map[string]Stats
	groups []int  // rows of each row group
	coded  []bool // of each chunk, in the file's order: dictionary-coded

	unbounded map[string]bool // leaves of which some row group has no bounds
}

func (fw *fileWriter) run(next func() (vec.Batch, error)) error {
	root, leaves, err := fileSchema(fw.opt.Columns)
	if err != nil {
		return err
	}
	fw.leaves = leaves
	for _, l := range leaves {
		if !l.nested {
			fw.stats[l.name] = Stats{}
			fw.unbounded[l.name] = covers(fw.opt.NoStats, l.name)
		}
	}

	group := &rowGroup{interned: map[string]interned{}}
	for {
		b, err := next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if len(b.Cols) != len(fw.opt.Columns) {
			return fmt.Errorf("a batch has %d columns, the file %d", len(b.Cols), len(fw.opt.Columns))
		}
		for b.Len > 0 {
			take := min(b.Len, fw.opt.RowGroupRows-group.rows, rowsThatFit(b, fw.opt.RowGroupBytes-group.bytes, group.rows == 0))
			if take == 0 {
				if err := fw.writeGroup(root, group); err != nil {
					return err
				}
				group = &rowGroup{interned: map[string]interned{}}
				continue
			}
			group.add(b.Slice(0, take))
			b = b.Slice(take, b.Len)
		}
	}
	if group.rows > 0 || fw.file == nil {
		group.only = fw.file == nil
		if err := fw.writeGroup(root, group); err != nil {
			return err
		}
	}
	fw.sink.keep = true
	return fw.file.end()
}

// rowGroup is the input of a row group.
type rowGroup struct {
	batches []vec.Batch
	rows    int
	bytes   int64
	only    bool // no other is in the file

	interned map[string]interned // by leaf, where that was done already, until its chunk is written
}

func (g *rowGroup) add(b vec.Batch) {
	g.batches = append(g.batches, b)
	g.rows += b.Len
	g.bytes += b.Size()
}

// rowsThatFit estimates how many of b's rows have the given size; at least one if the row group is empty.
func rowsThatFit(b vec.Batch, bytes int64, empty bool) int {
	size := b.Size()
	n := b.Len
	if size > bytes {
		n = int(max(0, int64(b.Len)*bytes/size))
	}
	if n == 0 && empty {
		n = 1
	}
	return n
}

// start opens the writer. Filters are sized by the first row group: it is the largest, and the only one of most files.
func (fw *fileWriter) start(root *schema.GroupNode, first *rowGroup) error {
	props := []parquet.WriterProperty{
		parquet.WithCreatedBy(createdBy),
		parquet.WithCompression(compress.Codecs.Zstd),
		parquet.WithCompressionLevel(zstdOther),
	}
	plain := []parquet.WriterProperty{parquet.WithDictionaryDefault(false)}
	for _, l := range fw.leaves {
		if isBytes(l.t) {
			plain = append(plain, parquet.WithDictionaryFor(l.name, false), parquet.WithEncodingFor(l.name, fw.text),
				parquet.WithCompressionLevelFor(l.name, zstdText))
		}
		if covers(fw.opt.NoStats, l.name) {
			props = append(props, parquet.WithStatsFor(l.name, false))
		}
		if slices.Contains(fw.opt.Bloom, l.name) {
			values, wrong := first.bloomSize(l)
			props = append(props, parquet.WithBloomFilterEnabledFor(l.name, true), parquet.WithBloomFilterFPPFor(l.name, wrong),
				parquet.WithBloomFilterNDVFor(l.name, values))
		}
	}
	meta := metadata.NewKeyValueMetadata()
	for _, k := range slices.Sorted(maps.Keys(fw.opt.Metadata)) {
		if err := meta.Append(k, fw.opt.Metadata[k]); err != nil {
			return err
		}
	}
	coded := parquet.NewWriterProperties(props...)
	fw.forms = map[bool]parquet.WriterProperties{true: *coded, false: *parquet.NewWriterProperties(append(props, plain...)...)}
	var err error
	fw.file, err = newAssembly(fw.sink, root, *coded, meta)
	return err
}

// apart reports whether the lengths of a leaf's texts stand apart from their bytes, where it is not dictionary-coded.
func (fw *fileWriter) apart(l leafColumn) bool {
	return isBytes(l.t) && fw.text == parquet.Encodings.DeltaLengthByteArray
}

func (fw *fileWriter) writeGroup(root *schema.GroupNode, g *rowGroup) error {
	if fw.file == nil {
		if err := fw.start(root, g); err != nil {
			return err
		}
	}
	if g.rows == 0 {
		return nil // an empty file has no row group
	}
	if err := fw.file.beginGroup(); err != nil {
		return err
	}
	for _, l := range fw.leaves {
		if err := fw.writeChunk(g, l); err != nil {
			return fmt.Errorf("column %q: %w", l.name, err)
		}
	}
	fw.rows += int64(g.rows)
	fw.groups = append(fw.groups, g.rows)
	return fw.file.endGroup(g.rows)
}

// shred gives the leaf of each batch.
func (g *rowGroup) shred(l leafColumn) []shredded {
	parts := make([]shredded, len(g.batches))
	for i, b := range g.batches {
		parts[i] = shred(b.Cols[l.column], l.path)
	}
	return parts
}

// check reads the footer back: rows, and the encoding of each chunk, must be those that were meant. A writer that fell back
// to plain pages would go unnoticed otherwise, and cost the code path of every later query.
func (fw *fileWriter) check(tail []byte) error {
	f, err := parseFooter(tail[:len(tail)-8], fw.sink.n)
	if err != nil {
		return fmt.Errorf("write parquet: the footer does not read back: %w", err)
	}
	if len(f.groups) != len(fw.groups) {
		return fmt.Errorf("write parquet: %d row groups read back, %d written", len(f.groups), len(fw.groups))
	}
	for i, g := range f.groups {
		if g.rows != int64(fw.groups[i]) {
			return fmt.Errorf("write parquet: row group %d reads back with %d rows, %d written", i, g.rows, fw.groups[i])
		}
		for j, c := range g.chunks {
			meant := fw.coded[i*len(fw.leaves)+j]
			apart := !meant && fw.apart(fw.leaves[j])
			if c.coded != meant || c.apart != apart || c.values > 0 && c.offsetIndex.length == 0 {
				return fmt.Errorf("write parquet: column %q of row group %d reads back with dictionary %v, lengths apart %v, page index %v; meant %v, %v, true",
					fw.leaves[j].name, i, c.coded, c.apart, c.offsetIndex.length > 0, meant, apart)
			}
		}
	}
	return nil
}

// addStats joins the statistics of a row group to those of the file.
func (fw *fileWriter) addStats(leaf string, part Stats, values bool) {
	s := fw.stats[leaf]
	s.Nulls += part.Nulls
	switch {
	case !values:
	case fw.unbounded[leaf] || part.Min == nil:
		fw.unbounded[leaf] = true
		s.Min, s.Max = nil, nil
	case s.Min == nil:
		s.Min, s.Max = part.Min, part.Max
	default:
		if compareValues(part.Min, s.Min) < 0 {
			s.Min = part.Min
		}
		if compareValues(part.Max, s.Max) > 0 {
			s.Max = part.Max
		}
	}
	fw.stats[leaf] = s
}

// compareValues compares two bounds of one column.
func compareValues(a, b any) int {
	switch a := a.(type) {
	case int64:
		return cmp.Compare(a, b.(int64))
	case float64:
		return cmp.Compare(a, b.(float64))
	case string:
		return cmp.Compare(a, b.(string))
	case bool:
		switch {
		case a == b.(bool):
			return 0
		case a:
			return 1
		}
		return -1
	}
	panic(fmt.Sprintf("parquetio: %T is no bound", a))
}
