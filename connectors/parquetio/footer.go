package parquetio

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/trailql/trailql/connectors/blob"
)

// footer is what a scan needs of a file's metadata: about 200 bytes per column chunk, so that many footers can be kept.
type footer struct {
	root   node
	leaves []*node
	groups []group
	size   int64 // of the thrift bytes: what it costs to keep, about
}

// node is a node of the file's schema.
type node struct {
	name       string
	repetition int8 // required, optional, repeated
	physical   int8 // of a leaf
	def, rep   int  // levels at which it is present
	logical    logicalType
	leaf       int // ordinal of a leaf; of a group, of its first leaf
	children   []*node
}

const (
	required = 0
	optional = 1
	repeated = 2
)

// Physical types of the format.
const (
	physicalBoolean   = 0
	physicalInt32     = 1
	physicalInt64     = 2
	physicalInt96     = 3
	physicalFloat     = 4
	physicalDouble    = 5
	physicalByteArray = 6
	physicalFixed     = 7
)

// logicalType is as much of the annotation as the scan looks at.
type logicalType uint8

const (
	logicalNone logicalType = iota
	logicalText
	logicalDate
	logicalTimestampMicros
	logicalOther
)

// group is a row group.
type group struct {
	rows   int64
	chunks []chunk // one per leaf
}

// span is a range of bytes of the file; length 0: there is none.
type span struct {
	offset int64
	length int64
}

// chunk is a column chunk.
type chunk struct {
	codec        int8
	coded        bool // every data page is dictionary-coded, by what the footer says
	apart        bool // every data page has text whose lengths stand apart, by what the footer says
	hasDict      bool
	values       int64
	uncompressed int64
	pages        span // dictionary page and data pages
	dictionary   int64
	data         int64 // offset of the first data page
	offsetIndex  span
	columnIndex  span
	bloom        span // the length may be unknown: 0 beside an offset
	stats        rawStats
}

// rawStats are statistics as the footer has them.
type rawStats struct {
	min, max       []byte
	hasMin, hasMax bool
	nulls          int64 // -1: unknown
}

const (
	footerTail = 64 << 10 // read at once: most footers fit
	maxFooter  = 16 << 20
	maxNodes   = 1 << 16 // of a schema
)

var magic = []byte("PAR1")

// readFooter reads the footer of a file and checks its hash, unless that is zero. read counts what was read.
func readFooter(o blob.Object, sum [32]byte, read func(int)) (*footer, error) {
	size := o.Size()
	if size < 12 {
		return nil, errors.New("too short for a Parquet file")
	}
	tail := make([]byte, min(size, footerTail))
	if err := readAt(o, tail, size-int64(len(tail))); err != nil {
		return nil, err
	}
	read(len(tail))
	if string(tail[len(tail)-4:]) != string(magic) {
		return nil, errors.New("no Parquet file, or cut off: it does not end in PAR1")
	}
	length := int64(binary.LittleEndian.Uint32(tail[len(tail)-8:]))
	if length > size-12 || length > maxFooter {
		return nil, fmt.Errorf("a footer of %d bytes in a file of %d", length, size)
	}
	if length+8 > int64(len(tail)) {
		tail = make([]byte, length+8)
		if err := readAt(o, tail, size-int64(len(tail))); err != nil {
			return nil, err
		}
		read(len(tail))
	}
	tail = tail[int64(len(tail))-8-length:]
	if sum != [32]byte{} && sha256.Sum256(tail) != sum {
		return nil, errors.New("the footer is not the one that was written: its hash differs")
	}
	return parseFooter(tail[:length], size)
}

// readAt fills p; an end before that is an error.
func readAt(o io.ReaderAt, p []byte, offset int64) error {
	n, err := o.ReadAt(p, offset)
	if n == len(p) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// parseFooter reads the thrift bytes of a footer and checks every place and count in it against the file's size.
func parseFooter(data []byte, size int64) (*footer, error) {
	f := &footer{size: int64(len(data))}
	r := &thriftReader{data: data}
	var elements []schemaElement
	leaves := 0
	rows := int64(-1)
	r.fields(func(id int16, kind byte) {
		switch {
		case id == 2 && kind == thriftList:
			r.list(func(_ int, kind byte) {
				e := readSchemaElement(r)
				if elements = append(elements, e); len(elements) > maxNodes {
					r.fail("a schema of more than %d nodes", maxNodes)
				}
				if e.children == 0 {
					leaves++
				}
			})
		case id == 3 && kind == thriftI64:
			rows = r.int()
		case id == 4 && kind == thriftList:
			r.list(func(_ int, kind byte) {
				// Checked at once, so that a few bytes per row group cannot fill the memory.
				g := readGroup(r, leaves)
				if f.groups = append(f.groups, g); len(g.chunks) != leaves {
					r.fail("a row group with %d column chunks for %d columns", len(g.chunks), leaves)
				}
			})
		default:
			r.skip(kind)
		}
	})
	if r.err != nil {
		return nil, r.err
	}
	if len(elements) == 0 {
		return nil, errors.New("the footer has no schema")
	}
	rest := elements
	if err := f.addNode(&f.root, &rest, 0); err != nil {
		return nil, err
	}
	if len(rest) != 0 {
		return nil, fmt.Errorf("the footer's schema has %d nodes too many", len(rest))
	}
	total := int64(0)
	for i := range f.groups {
		if err := f.checkGroup(&f.groups[i], size); err != nil {
			return nil, fmt.Errorf("row group %d: %w", i, err)
		}
		total += f.groups[i].rows
	}
	if total != rows {
		return nil, fmt.Errorf("the footer announces %d rows, its row groups have %d", rows, total)
	}
	return f, nil
}

// checkGroup refuses counts and places that cannot be true.
func (f *footer) checkGroup(g *group, size int64) error {
	if len(g.chunks) != len(f.leaves) {
		return fmt.Errorf("%d column chunks for %d columns", len(g.chunks), len(f.leaves))
	}
	if g.rows < 0 || g.rows > 1<<31-1 {
		return fmt.Errorf("%d rows", g.rows)
	}
	inFile := func(s span) bool {
		return s.length >= 0 && s.offset >= 0 && s.offset <= size && s.length <= size-s.offset
	}
	for i := range g.chunks {
		c, leaf := &g.chunks[i], f.leaves[i]
		if c.hasDict = c.dictionary > 0 && c.dictionary < c.data; c.hasDict {
			c.pages.offset = c.dictionary
		} else {
			c.pages.offset = c.data
		}
		switch {
		case !inFile(c.pages) || c.data > c.pages.offset+c.pages.length:
			return fmt.Errorf("column %q lies outside of the file", leaf.name)
		case !inFile(c.offsetIndex) || !inFile(c.columnIndex) || !inFile(c.bloom):
			return fmt.Errorf("an index of column %q lies outside of the file", leaf.name)
		case c.values < 0 || leaf.rep == 0 && c.values != g.rows || leaf.rep > 0 && c.values < g.rows:
			return fmt.Errorf("column %q has %d values in %d rows", leaf.name, c.values, g.rows)
		case c.uncompressed < 0:
			return fmt.Errorf("column %q has a negative size", leaf.name)
		}
		if c.stats.nulls > c.values || c.stats.nulls < -1 {
			c.stats.nulls = -1
		}
	}
	return nil
}

type schemaElement struct {
	name       string
	repetition int8
	physical   int8
	children   int
	logical    logicalType
	converted  int64
}

func readSchemaElement(r *thriftReader) schemaElement {
	e := schemaElement{physical: -1, converted: -1}
	r.fields(func(id int16, kind byte) {
		switch {
		case id == 1 && kind == thriftI32:
			e.physical = int8(r.int())
		case id == 3 && kind == thriftI32:
			e.repetition = int8(r.int())
		case id == 4 && kind == thriftBinary:
			e.name = string(r.bytes())
		case id == 5 && kind == thriftI32:
			e.children = int(r.int())
		case id == 6 && kind == thriftI32:
			e.converted = r.int()
		case id == 10 && kind == thriftStruct:
			e.logical = readLogicalType(r)
		default:
			r.skip(kind)
		}
	})
	if e.logical == logicalNone {
		switch e.converted {
		case -1, 1, 2, 3, 15, 16, 17, 18: // none, map, map_key_value, list, signed integers
		case 0, 4, 19: // utf8, enum, json
			e.logical = logicalText
		case 6:
			e.logical = logicalDate
		case 10:
			e.logical = logicalTimestampMicros
		default:
			e.logical = logicalOther
		}
	}
	return e
}

// readLogicalType reads the union LogicalType.
func readLogicalType(r *thriftReader) logicalType {
	t := logicalNone
	r.fields(func(id int16, kind byte) {
		switch id {
		case 1, 4, 12: // string, enum, json
			t = logicalText
			r.skip(kind)
		case 2, 3: // map, list
			r.skip(kind)
		case 6:
			t = logicalDate
			r.skip(kind)
		case 8:
			t = logicalOther
			r.fields(func(id int16, kind byte) {
				if id == 2 && kind == thriftStruct { // unit, a union too: 2 is microseconds
					r.fields(func(id int16, kind byte) {
						if id == 2 {
							t = logicalTimestampMicros
						}
						r.skip(kind)
					})
					return
				}
				r.skip(kind)
			})
		case 10: // integer; its width follows from the column's type
			r.fields(func(id int16, kind byte) {
				if id == 2 && kind == thriftFalse { // unsigned
					t = logicalOther
				}
				r.skip(kind)
			})
		default:
			t = logicalOther
			r.skip(kind)
		}
	})
	return t
}

// addNode builds the tree from the elements, which are in depth-first order.
func (f *footer) addNode(n *node, rest *[]schemaElement, depth int) error {
	if len(*rest) == 0 || depth > 64 {
		return errors.New("the footer's schema is no tree")
	}
	e := (*rest)[0]
	*rest = (*rest)[1:]
	n.name, n.repetition, n.physical, n.logical, n.leaf = e.name, e.repetition, e.physical, e.logical, len(f.leaves)
	if depth > 0 {
		switch e.repetition {
		case required:
		case optional:
			n.def++
		case repeated:
			n.def++
			n.rep++
		default:
			return fmt.Errorf("column %q has repetition %d", e.name, e.repetition)
		}
	}
	if e.children == 0 && depth > 0 {
		if e.physical < 0 || e.physical > physicalFixed {
			return fmt.Errorf("column %q has the physical type %d", e.name, e.physical)
		}
		f.leaves = append(f.leaves, n)
		return nil
	}
	if e.children < 0 || e.children > len(*rest) {
		return errors.New("the footer's schema is no tree")
	}
	for range e.children {
		child := &node{def: n.def, rep: n.rep}
		if err := f.addNode(child, rest, depth+1); err != nil {
			return err
		}
		n.children = append(n.children, child)
	}
	return nil
}

func readGroup(r *thriftReader, leaves int) group {
	g := group{chunks: make([]chunk, 0, leaves)}
	r.fields(func(id int16, kind byte) {
		switch {
		case id == 1 && kind == thriftList:
			r.list(func(_ int, kind byte) {
				c := readChunk(r)
				if g.chunks = append(g.chunks, c); c.data <= 0 {
					r.fail("a column chunk without pages")
				}
			})
		case id == 3 && kind == thriftI64:
			g.rows = r.int()
		default:
			r.skip(kind)
		}
	})
	return g
}

// Encodings and page types of the format.
const (
	encodingPlain           = 0
	encodingPlainDictionary = 2
	encodingRLE             = 3
	encodingDeltaLength     = 6
	encodingRLEDictionary   = 8

	pageData       = 0
	pageDictionary = 2
	pageDataV2     = 3
)

func readChunk(r *thriftReader) chunk {
	c := chunk{stats: rawStats{nulls: -1}}
	r.fields(func(id int16, kind byte) {
		switch {
		case id == 1: // the chunk is in another file
			r.fail("columns in other files are not supported")
		case id == 3 && kind == thriftStruct:
			readChunkMeta(r, &c)
		case id == 4 && kind == thriftI64:
			c.offsetIndex.offset = r.int()
		case id == 5 && kind == thriftI32:
			c.offsetIndex.length = r.int()
		case id == 6 && kind == thriftI64:
			c.columnIndex.offset = r.int()
		case id == 7 && kind == thriftI32:
			c.columnIndex.length = r.int()
		default:
			r.skip(kind)
		}
	})
	return c
}

func readChunkMeta(r *thriftReader, c *chunk) {
	coded, apart, known := true, true, false
	r.fields(func(id int16, kind byte) {
		switch {
		case id == 4 && kind == thriftI32:
			c.codec = int8(r.int())
		case id == 5 && kind == thriftI64:
			c.values = r.int()
		case id == 6 && kind == thriftI64:
			c.uncompressed = r.int()
		case id == 7 && kind == thriftI64:
			c.pages.length = r.int()
		case id == 9 && kind == thriftI64:
			c.data = r.int()
		case id == 11 && kind == thriftI64:
			c.dictionary = r.int()
		case id == 12 && kind == thriftStruct:
			c.stats = readStats(r)
		case id == 13 && kind == thriftList: // encoding stats: pages by type and encoding
			r.list(func(_ int, kind byte) {
				var page, encoding, count int64
				r.fields(func(id int16, kind byte) {
					switch {
					case id == 1 && kind == thriftI32:
						page = r.int()
					case id == 2 && kind == thriftI32:
						encoding = r.int()
					case id == 3 && kind == thriftI32:
						count = r.int()
					default:
						r.skip(kind)
					}
				})
				if count > 0 && (page == pageData || page == pageDataV2) {
					known = true
					coded = coded && (encoding == encodingPlainDictionary || encoding == encodingRLEDictionary)
					apart = apart && encoding == encodingDeltaLength
				}
			})
		case id == 14 && kind == thriftI64:
			c.bloom.offset = r.int()
		case id == 15 && kind == thriftI32:
			c.bloom.length = r.int()
		default:
			r.skip(kind)
		}
	})
	c.coded, c.apart = known && coded, known && apart
}

// readStats copies the bounds, so that a kept footer does not hold the bytes that it was read from.
func readStats(r *thriftReader) rawStats {
	s := rawStats{nulls: -1}
	r.fields(func(id int16, kind byte) {
		switch {
		case id == 3 && kind == thriftI64:
			s.nulls = r.int()
		case id == 5 && kind == thriftBinary:
			s.max, s.hasMax = bytes.Clone(r.bytes()), true
		case id == 6 && kind == thriftBinary:
			s.min, s.hasMin = bytes.Clone(r.bytes()), true
		default: // among them the old min and max, whose order is not defined for text
			r.skip(kind)
		}
	})
	return s
}

// child finds a field by name, case aside: Delta and SQL names do not regard it.
func (n *node) child(name string) *node {
	for _, c := range n.children {
		if strings.EqualFold(c.name, name) {
			return c
		}
	}
	return nil
}
