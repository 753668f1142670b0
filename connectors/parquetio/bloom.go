package parquetio

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/metadata"

	"github.com/trailql/trailql/engine/sqltype"
)

// bloomSalts are the format's (https://parquet.apache.org/docs/file-format/bloomfilter/).
var bloomSalts = [8]uint32{0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31}

// xxhash64 is arrow-go's XXH64, which it only gives away with a filter.
var xxhash64 = metadata.NewBloomFilter(32, 32, memory.DefaultAllocator).Hasher()

const maxBloom = 32 << 20

// bloomExcludes reports that f demands values that the row group's bloom filter does not have.
func (g *groupReader) bloomExcludes(f *filter) (bool, error) {
	l := g.single(f)
	if f.equals == nil || l == nil || l.chunk.bloom.offset <= 0 || l.chunk.bloom.length == 0 {
		return false, nil
	}
	if l.chunk.bloom.length > maxBloom {
		return false, nil
	}
	var hashes []uint64
	for _, v := range f.equals {
		key, ok := bloomKey(v, g.columns[f.paths[0]].shape.t)
		if !ok {
			return false, nil
		}
		hashes = append(hashes, xxhash64.Sum64(key))
	}
	data := make([]byte, l.chunk.bloom.length)
	if err := readAt(g.r.object, data, l.chunk.bloom.offset); err != nil {
		return false, err
	}
	g.r.count(len(data))
	bits, err := parseBloom(data)
	if err != nil {
		return false, fmt.Errorf("column %q: %w", l.node.name, err)
	}
	for _, h := range hashes {
		if bloomHas(bits, h) {
			return false, nil
		}
	}
	return true, nil
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

// parseBloom returns the blocks of a split-block filter that is not compressed and uses XXH64, as all do.
func parseBloom(data []byte) ([]byte, error) {
	r := &thriftReader{data: data}
	size := int64(-1)
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
		return nil, r.err
	case known != 3:
		return nil, errors.New("a bloom filter of an unknown kind")
	case size < 32 || size%32 != 0 || size > int64(len(data)-r.at):
		return nil, errors.New("a bloom filter is damaged")
	}
	return data[r.at : r.at+int(size)], nil
}

func bloomHas(bits []byte, hash uint64) bool {
	block := bits[(hash>>32)*uint64(len(bits)/32)>>32*32:]
	for i, salt := range bloomSalts {
		word := binary.LittleEndian.Uint32(block[4*i:])
		if word&(1<<(uint32(hash)*salt>>27)) == 0 {
			return false
		}
	}
	return true
}
