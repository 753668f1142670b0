package parquetio

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/metadata"

	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/engine/prune"
	"github.com/trailql/trailql/engine/sqltype"
)

// bloomSalts are the format's (https://parquet.apache.org/docs/file-format/bloomfilter/).
var bloomSalts = [8]uint32{0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31}

// xxhash64 is arrow-go's XXH64, which it only gives away with a filter.
var xxhash64 = metadata.NewBloomFilter(32, 32, memory.DefaultAllocator).Hasher()

const bloomHead = 64 // more than a header has

// bloomExcludes reports that the row group's bloom filters have none of the values of which f demands one.
func (g *groupReader) bloomExcludes(f *filter) (bool, error) {
	for _, n := range f.needles {
		excluded, err := g.bloomLacks(n)
		if err != nil || !excluded {
			return false, err
		}
	}
	return f.needles != nil, nil
}

// bloomLacks reports that the bloom filter of a needle's leaf has none of its values.
func (g *groupReader) bloomLacks(n prune.Needle) (bool, error) {
	leaf := below(g.columns[n.Column].shape, n)
	if leaf == nil || leaf.node == nil || leaf.node.children != nil {
		return false, nil
	}
	c := &g.group.chunks[leaf.node.leaf]
	if c.bloom.offset <= 0 || c.bloom.length == 0 {
		return false, nil
	}
	hashes, ok := BloomHashes(n.Values, leaf.t)
	if !ok {
		return false, nil
	}
	at := c.bloom
	head := make([]byte, min(at.length, bloomHead))
	if err := readAt(g.r.object, head, at.offset); err != nil {
		return false, err
	}
	g.r.count(len(head))
	start, size, err := parseBloomHeader(head)
	if err == nil && start+size > at.length {
		err = errors.New("a bloom filter is damaged")
	}
	if err != nil {
		return false, fmt.Errorf("column %q: %w", leaf.node.name, err)
	}
	var block [BlockBytes]byte // a filter may have 256 KiB, of which one block says it all
	for _, h := range hashes {
		if err := readAt(g.r.object, block[:], at.offset+start+int64(BlockOf(h, int(size/BlockBytes)))*BlockBytes); err != nil {
			return false, err
		}
		g.r.count(len(block))
		if BlockHas(block[:], h) {
			return false, nil
		}
	}
	return true, nil
}

// below is the shape of what a needle looks for, nil if there is none.
func below(s *shape, n prune.Needle) *shape {
	if n.Element {
		if s.t.Kind != sqltype.Array || len(s.kids) != 1 {
			return nil
		}
		s = &s.kids[0]
	}
	for _, f := range n.Fields {
		if s.t.Kind != sqltype.Row || f >= len(s.kids) {
			return nil
		}
		s = &s.kids[f]
	}
	return s
}

// BloomHashes are the hashes of values of a type in a bloom filter; ok is false for types whose values have none.
func BloomHashes(values []any, t sqltype.Type) (hashes []uint64, ok bool) {
	for _, v := range values {
		key, ok := bloomKey(v, t)
		if !ok {
			return nil, false
		}
		hashes = append(hashes, xxhash64.Sum64(key))
	}
	return hashes, true
}

// bloomKey is the value in the PLAIN encoding, without a length.
func bloomKey(v any, t sqltype.Type) ([]byte, bool) {
	switch v := v.(type) {
	case string:
		return []byte(v), t.Kind == sqltype.Varchar
	case int64:
		switch t.Kind {
		case sqltype.BigInt, sqltype.Timestamp:
			return binary.LittleEndian.AppendUint64(nil, uint64(v)), true
		case sqltype.Integer, sqltype.SmallInt, sqltype.TinyInt, sqltype.Date:
			return binary.LittleEndian.AppendUint32(nil, uint32(v)), true
		}
	}
	return nil, false
}

// parseBloomHeader returns where the blocks of a split-block filter start and how many bytes they have. It must be of the one kind
// that there is: not compressed, with XXH64.
func parseBloomHeader(data []byte) (start, size int64, err error) {
	r := &thriftReader{data: data}
	known := 0
	r.fields(func(id int16, kind byte) {
		switch {
		case id == 1 && kind == thriftI32:
			size = r.int()
		case id >= 2 && id <= 4 && kind == thriftStruct: // algorithm, hash, compression: the first of each union
			r.fields(func(id int16, kind byte) {
				if id == 1 {
					known++
				}
				r.skip(kind)
			})
		default:
			r.skip(kind)
		}
	})
	switch {
	case r.err != nil:
		return 0, 0, r.err
	case known != 3:
		return 0, 0, errors.New("a bloom filter of an unknown kind")
	case size < BlockBytes || size%BlockBytes != 0:
		return 0, 0, errors.New("a bloom filter is damaged")
	}
	return int64(r.at), size, nil
}

// Filter is a bloom filter apart from its file: a power of two of blocks.
type Filter []byte

const (
	// BlockBytes is the size of a block. A value has all its bits in one of them.
	BlockBytes = 32

	maxFilter = 16 << 20

	// sparse is the share of wrong hits of filters of few values: of thousands of small files none or few are opened in vain. Filters
	// are folded as far as they stay as sparse.
	sparse = 1e-5

	// Filters of many values are more dense: beside so many values as it has, a file is rarely opened in vain. None of a file that
	// may have several row groups is made for fewer than leastValues, since its first one may have none by chance.
	dense       = 0.01
	leastValues = 1024
	fewValues   = leastValues / 3 // which make a sparse filter no larger than leastValues a dense one
)

// bloomSize says for how many values the filter of a leaf is made, and which share of wrong hits it may have.
func (g *rowGroup) bloomSize(l leafColumn) (values int64, wrong float64) {
	n := g.distinct(l)
	if g.only && n <= fewValues {
		return int64(max(n, 1)), sparse
	}
	return int64(max(n, leastValues)), dense
}

// BlockOf is the block, of so many, in which a filter has the bits of a hash.
func BlockOf(hash uint64, blocks int) int { return int(hash >> 32 * uint64(blocks) >> 32) }

// BlockHas reports whether the block of a hash has all its bits.
func BlockHas(block []byte, hash uint64) bool {
	_ = block[:BlockBytes]
	for i, salt := range bloomSalts {
		word := binary.LittleEndian.Uint32(block[4*i:])
		if word&(1<<(uint32(hash)*salt>>27)) == 0 {
			return false
		}
	}
	return true
}

// ReadFilters reads from a file, whose footer must be the one of FooterSHA256, the bloom filters of leaves by their dotted names in the
// file ("resources.list.element.arn"), one of each row group that has values, at least one, folded while it stays sparse. A leaf of
// which some value may be in no filter is left out.
func ReadFilters(ctx context.Context, store blob.Store, f File, leaves []string) (_ map[string][]Filter, err error) {
	defer caught(&err)
	object, err := openFile(ctx, store, f, func(int) {})
	if err != nil {
		return nil, err
	}
	defer object.Close()
	if object.Size() != f.Size {
		return nil, fmt.Errorf("%s has %d bytes, the table's log says %d", f.Name, object.Size(), f.Size)
	}
	foot := footers.get(footerKey{store.URL() + "/" + f.Name, f.Size})
	if foot == nil {
		if foot, err = readFooter(object, f.FooterSHA256, func(int) {}); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	found := make([]*node, len(leaves)) // nil: no such leaf
	var spans []span
	for i, name := range leaves {
		n := &foot.root
		for _, part := range strings.Split(name, ".") {
			if n = n.child(part); n == nil {
				break
			}
		}
		if n == nil || n.children != nil {
			continue
		}
		found[i] = n
		for _, g := range foot.groups {
			if bloom := g.chunks[n.leaf].bloom; bloom.offset > 0 && bloom.length <= maxFilter {
				spans = append(spans, bloom)
			}
		}
	}
	if far, ok := object.(*ranges); ok {
		far.fetch(spans)
	}
	out := map[string][]Filter{}
	for i, name := range leaves {
		n := found[i]
		if n == nil {
			continue
		}
		filters, err := foot.filters(object, n.leaf)
		if err != nil {
			return nil, fmt.Errorf("%s: column %q: %w", f.Name, name, err)
		}
		if filters != nil {
			out[name] = filters
		}
	}
	return out, nil
}

// filters reads those of a leaf; nil if there are not such for all of its values.
func (f *footer) filters(o io.ReaderAt, leaf int) (out []Filter, err error) {
	for i := range f.groups {
		c := &f.groups[i].chunks[leaf]
		if c.stats.nulls == c.values {
			continue // no value
		}
		if c.bloom.offset <= 0 || c.bloom.length <= 0 || c.bloom.length > maxFilter {
			return nil, nil
		}
		data := make([]byte, c.bloom.length)
		if err := readAt(o, data, c.bloom.offset); err != nil {
			return nil, err
		}
		start, size, err := parseBloomHeader(data[:min(len(data), bloomHead)])
		switch {
		case err != nil:
			return nil, err
		case start+size > int64(len(data)):
			return nil, errors.New("a bloom filter is damaged")
		case size&(size-1) != 0:
			return nil, nil // others can be neither folded nor stacked
		}
		out = append(out, Filter(data[start:start+size]).fold())
	}
	if out == nil {
		out = []Filter{make(Filter, BlockBytes)} // without bits
	}
	return out, nil
}

// half is a filter of the same values with half the blocks: the block of a hash goes by its upper bits.
func (f Filter) half() Filter {
	out := make(Filter, len(f)/2)
	for i := range out {
		at := i/BlockBytes*2*BlockBytes + i%BlockBytes
		out[i] = f[at] | f[at+BlockBytes]
	}
	return out
}

func (f Filter) fold() Filter {
	for len(f) > BlockBytes {
		h := f.half()
		if h.wrong() > sparse {
			break
		}
		f = h
	}
	return f
}

// wrong is the share of other values that the filter seems to have.
func (f Filter) wrong() float64 {
	sum := 0.0
	for at := 0; at < len(f); at += BlockBytes {
		share := 1.0
		for w := at; w < at+BlockBytes; w += 4 {
			share *= float64(bits.OnesCount32(binary.LittleEndian.Uint32(f[w:]))) / 32
		}
		sum += share
	}
	return sum / float64(len(f)/BlockBytes)
}
