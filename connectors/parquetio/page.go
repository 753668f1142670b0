package parquetio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unsafe"
)

// maxEntries bounds the entries of a page: a run of levels takes a few bytes, whatever its length.
const maxEntries = 1 << 24

// pageHeader stands before each page.
type pageHeader struct {
	kind                     int64
	compressed, uncompressed int64 // without the header
	values                   int64 // entries: values, NULLs and empty lists; of a dictionary page, its entries
	encoding                 int64

	// of version 2 only
	rows, defBytes, repBytes int64
	plainBody                bool // the values are not compressed

	size int // of the header itself
}

// readPageHeader reads the header at the start of data and checks its sizes, the body's against what follows it.
func readPageHeader(data []byte) (pageHeader, error) {
	h := pageHeader{kind: -1}
	r := &thriftReader{data: data}
	r.fields(func(id int16, kind byte) {
		switch {
		case id == 1 && kind == thriftI32:
			h.kind = r.int()
		case id == 2 && kind == thriftI32:
			h.uncompressed = r.int()
		case id == 3 && kind == thriftI32:
			h.compressed = r.int()
		case (id == 5 || id == 7) && kind == thriftStruct: // data page, dictionary page
			r.fields(func(id int16, kind byte) {
				switch {
				case id == 1 && kind == thriftI32:
					h.values = r.int()
				case id == 2 && kind == thriftI32:
					h.encoding = r.int()
				default:
					r.skip(kind)
				}
			})
		case id == 8 && kind == thriftStruct:
			r.fields(func(id int16, kind byte) {
				switch {
				case id == 1 && kind == thriftI32:
					h.values = r.int()
				case id == 3 && kind == thriftI32:
					h.rows = r.int()
				case id == 4 && kind == thriftI32:
					h.encoding = r.int()
				case id == 5 && kind == thriftI32:
					h.defBytes = r.int()
				case id == 6 && kind == thriftI32:
					h.repBytes = r.int()
				case id == 7:
					h.plainBody = !r.bool(kind)
					if kind != thriftTrue && kind != thriftFalse {
						r.skip(kind)
					}
				default:
					r.skip(kind)
				}
			})
		default:
			r.skip(kind)
		}
	})
	h.size = r.at
	switch {
	case r.err != nil:
		return h, r.err
	case h.compressed < 0 || h.uncompressed < 0 || h.compressed > maxPage || h.uncompressed > maxPage:
		return h, fmt.Errorf("a page of %d bytes, %d uncompressed; the largest is %d", h.compressed, h.uncompressed, maxPage)
	case h.values < 0 || h.values > maxEntries:
		return h, fmt.Errorf("a page of %d values", h.values)
	case h.defBytes < 0 || h.repBytes < 0 || h.defBytes+h.repBytes > min(h.compressed, h.uncompressed):
		return h, errors.New("a page whose levels are larger than itself")
	}
	return h, nil
}

// Codecs of the format that are read.
const (
	codecNone = 0
	codecZstd = 6
)

// decompress returns the size bytes that src holds; buf is reused where that is possible.
func decompress(codec int8, src []byte, size int64, buf []byte) ([]byte, error) {
	switch codec {
	case codecNone:
		if int64(len(src)) != size {
			return nil, fmt.Errorf("%d bytes in a page, %d announced", len(src), size)
		}
		return src, nil
	case codecZstd:
		if int64(cap(buf)) < size+zstdSlack {
			buf = uncleared(size + zstdSlack)
		}
		out, err := zstdCodec{}.DecodeWithError(buf, src)
		if err != nil {
			return nil, fmt.Errorf("zstd: %w", err)
		}
		if int64(len(out)) != size {
			return nil, fmt.Errorf("%d bytes in a page, %d announced", len(out), size)
		}
		return out, nil
	}
	return nil, fmt.Errorf("compression codec %d is not supported", codec)
}

// uncleared returns an empty slice with room for n bytes. To clear them first takes a seventh of the time of decoding over them.
func uncleared(n int64) []byte {
	var b strings.Builder // unlike make it does not clear
	b.Grow(int(n))
	_ = b.WriteByte(0)
	return unsafe.Slice(unsafe.StringData(b.String()), b.Cap())[:0]
}

// page is a decoded data page. Its slices are valid until the column's next page is decoded.
type page struct {
	entries  int
	def, rep []uint8 // nil: all at the maximum, every entry has a value; all 0
	starts   []int32 // entry at which each row starts; nil where nothing repeats: rows are entries then
	present  int
	at       []int32 // value of each entry, -1: none; see ranks
	ranked   bool    // at is this page's

	levels []uint8 // where def stands, if there is any

	codes  []int32 // dictionary-coded text
	int32s []int32 // or one of these, by physical type; floats as their bits
	int64s []int64
	bools  []uint8
	raw    []byte  // byte arrays: value i is raw[ends[i]+lead:ends[i+1]]
	ends   []int32 // one more than values
	lead   int32   // bytes of the length before each value: 4 or, where the lengths stand apart, 0
}

// entryTable is a decoded dictionary page.
type entryTable struct {
	n      int
	int32s []int32
	int64s []int64
	raw    []byte  // byte arrays: entry i is raw[ends[i]:ends[i+1]]
	ends   []int32 // one more than entries
}

// rowCount is the number of rows that start in the page.
func (p *page) rowCount() int {
	if p.starts != nil {
		return len(p.starts)
	}
	return p.entries
}

// decode fills p from a page's body; p's slices are reused. dict is nil where the chunk has none.
func (p *page) decode(n *node, codec int8, h pageHeader, body []byte, dict *entryTable, scratch *[]byte) error {
	var def, rep, values []byte
	switch h.kind {
	case pageData:
		data, err := decompress(codec, body, h.uncompressed, *scratch)
		if err != nil {
			return err
		}
		if codec != codecNone {
			*scratch = data
		}
		if n.rep > 0 {
			if rep, data, err = levelBlock(data); err != nil {
				return err
			}
		}
		if n.def > 0 {
			if def, data, err = levelBlock(data); err != nil {
				return err
			}
		}
		values = data
	case pageDataV2:
		rep, def, values = body[:h.repBytes], body[h.repBytes:h.repBytes+h.defBytes], body[h.repBytes+h.defBytes:]
		if h.plainBody {
			codec = codecNone
		}
		data, err := decompress(codec, values, h.uncompressed-h.repBytes-h.defBytes, *scratch)
		if err != nil {
			return err
		}
		if codec != codecNone {
			*scratch = data
		}
		values = data
	default:
		return fmt.Errorf("a page of type %d where data is expected", h.kind)
	}
	p.entries = int(h.values)
	var err error
	if p.starts = p.starts[:0]; n.rep > 0 {
		if p.rep, err = decodeHybrid(p.rep, rep, bitWidth(n.rep), p.entries, uint8(n.rep)); err != nil {
			return fmt.Errorf("repetition levels: %w", err)
		}
		for i, l := range p.rep {
			if l == 0 {
				p.starts = append(p.starts, int32(i))
			}
		}
		if p.entries > 0 && p.rep[0] != 0 {
			return errors.New("a page starts within a row")
		}
	} else {
		p.rep, p.starts = nil, nil
	}
	p.present, p.def, p.ranked = p.entries, nil, false
	if n.def > 0 && !onlyRun(def, bitWidth(n.def), p.entries, uint64(n.def)) {
		if p.levels, err = decodeHybrid(p.levels, def, bitWidth(n.def), p.entries, uint8(n.def)); err != nil {
			return fmt.Errorf("definition levels: %w", err)
		}
		if p.present = bytes.Count(p.levels, []byte{uint8(n.def)}); p.present < p.entries {
			p.def = p.levels
		}
	}
	return p.decodeValues(n, h.encoding, values, dict)
}

// levelBlock splits off a block of levels with its length before it.
func levelBlock(data []byte) (levels, rest []byte, err error) {
	if len(data) < 4 {
		return nil, nil, errCutOff
	}
	n := binary.LittleEndian.Uint32(data)
	if uint64(n) > uint64(len(data)-4) {
		return nil, nil, errCutOff
	}
	return data[4 : 4+n], data[4+n:], nil
}

// ranks numbers the values of the entries, where some have none.
func (p *page) ranks(maxDef uint8) []int32 {
	if !p.ranked {
		p.at, p.ranked = slices.Grow(p.at[:0], p.entries)[:p.entries], true
		next := int32(0)
		for i, d := range p.def {
			p.at[i] = -1
			if d == maxDef {
				p.at[i] = next
				next++
			}
		}
	}
	return p.at
}

func (p *page) decodeValues(n *node, encoding int64, data []byte, dict *entryTable) error {
	p.codes = p.codes[:0]
	switch encoding {
	case encodingPlain:
		return p.decodePlain(n.physical, data)
	case encodingPlainDictionary, encodingRLEDictionary:
		if dict == nil {
			return errors.New("a dictionary-coded page without a dictionary")
		}
		if p.present == 0 {
			return p.lookUp(n.physical, dict)
		}
		if len(data) == 0 {
			return errCutOff
		}
		if dict.n == 0 {
			return errors.New("values coded by an empty dictionary")
		}
		var err error
		if p.codes, err = decodeHybrid(p.codes, data[1:], int(data[0]), p.present, int32(dict.n-1)); err != nil {
			return err
		}
		return p.lookUp(n.physical, dict)
	case encodingRLE:
		if n.physical == physicalBoolean {
			levels, _, err := levelBlock(data)
			if err == nil {
				p.bools, err = decodeHybrid(p.bools, levels, 1, p.present, 1)
			}
			return err
		}
	case encodingDeltaLength:
		if n.physical == physicalByteArray {
			var err error
			p.lead = 0
			p.ends, p.raw, err = deltaEnds(p.ends, data, p.present)
			return err
		}
	}
	return fmt.Errorf("encoding %d is not supported for physical type %d", encoding, n.physical)
}

// lookUp turns codes into values; text keeps them.
func (p *page) lookUp(physical int8, dict *entryTable) error {
	switch physical {
	case physicalInt32, physicalFloat:
		p.int32s = lookUp(p.int32s, p.codes, dict.int32s)
	case physicalInt64, physicalDouble:
		p.int64s = lookUp(p.int64s, p.codes, dict.int64s)
	case physicalByteArray:
		return nil
	default:
		return fmt.Errorf("a dictionary of physical type %d", physical)
	}
	p.codes = p.codes[:0]
	return nil
}

func lookUp[T int32 | int64](dst []T, codes []int32, table []T) []T {
	dst = dst[:0]
	for _, c := range codes {
		dst = append(dst, table[c])
	}
	return dst
}

func (p *page) decodePlain(physical int8, data []byte) (err error) {
	switch physical {
	case physicalBoolean:
		if len(data) != (p.present+7)/8 {
			return errMisfit
		}
		p.bools = p.bools[:0]
		for i := range p.present {
			p.bools = append(p.bools, data[i/8]>>(i%8)&1)
		}
	case physicalInt32, physicalFloat:
		p.int32s, err = plainInt32s(p.int32s, data, p.present)
	case physicalInt64, physicalDouble:
		p.int64s, err = plainInt64s(p.int64s, data, p.present)
	case physicalByteArray:
		p.raw, p.lead = data, 4
		p.ends, err = plainEnds(p.ends, data, p.present)
	default:
		err = fmt.Errorf("physical type %d is not supported", physical)
	}
	return err
}

// The PLAIN readers want exactly the bytes of n values: anything else is a sign of damage that no checksum covers, since the
// count stands in the page's header.

func plainInt32s(dst []int32, data []byte, n int) ([]int32, error) {
	if len(data) != 4*n {
		return nil, errMisfit
	}
	dst = dst[:0]
	for i := range n {
		dst = append(dst, int32(binary.LittleEndian.Uint32(data[4*i:])))
	}
	return dst, nil
}

func plainInt64s(dst []int64, data []byte, n int) ([]int64, error) {
	if len(data) != 8*n {
		return nil, errMisfit
	}
	dst = dst[:0]
	for i := range n {
		dst = append(dst, int64(binary.LittleEndian.Uint64(data[8*i:])))
	}
	return dst, nil
}

// plainEnds walks n byte arrays, each after its length.
func plainEnds(dst []int32, data []byte, n int) ([]int32, error) {
	if len(data)/4 < n {
		return nil, errCutOff
	}
	dst = append(dst[:0], 0)
	at := 0
	for range n {
		if len(data)-at < 4 {
			return nil, errCutOff
		}
		length := binary.LittleEndian.Uint32(data[at:])
		if uint64(length) > uint64(len(data)-at-4) {
			return nil, errCutOff
		}
		at += 4 + int(length)
		dst = append(dst, int32(at))
	}
	if at != len(data) {
		return nil, errMisfit
	}
	return dst, nil
}

// decodeDictionary decodes a dictionary page; the result keeps memory of its own.
func decodeDictionary(n *node, codec int8, h pageHeader, body []byte) (*entryTable, error) {
	if h.kind != pageDictionary || h.encoding != encodingPlain && h.encoding != encodingPlainDictionary {
		return nil, fmt.Errorf("a page of type %d and encoding %d where a dictionary is expected", h.kind, h.encoding)
	}
	data, err := decompress(codec, body, h.uncompressed, nil)
	if err != nil {
		return nil, err
	}
	t := &entryTable{n: int(h.values)}
	switch n.physical {
	case physicalInt32, physicalFloat:
		t.int32s, err = plainInt32s(nil, data, t.n)
	case physicalInt64, physicalDouble:
		t.int64s, err = plainInt64s(nil, data, t.n)
	case physicalByteArray:
		t.raw = data
		if codec == codecNone {
			t.raw = append([]byte(nil), data...)
		}
		if t.ends, err = plainEnds(nil, t.raw, t.n); err == nil {
			t.closeUp()
		}
	default:
		err = fmt.Errorf("a dictionary of physical type %d", n.physical)
	}
	return t, err
}

// closeUp drops the lengths between the entries.
func (t *entryTable) closeUp() {
	at := 0
	for i, end := range t.ends[1:] {
		start := t.ends[i]
		t.ends[i] = int32(at)
		at += copy(t.raw[at:], t.raw[start+4:end])
	}
	t.ends[t.n] = int32(at)
	t.raw = t.raw[:at]
}

// deltaEnds reads n byte arrays that stand one after the other behind their lengths, which are coded by the difference to the one
// before (https://parquet.apache.org/docs/file-format/data-pages/encodings/). raw must be exactly their bytes.
func deltaEnds(dst []int32, data []byte, n int) (ends []int32, raw []byte, err error) {
	if n == 0 && len(data) == 0 {
		return append(dst[:0], 0), nil, nil
	}
	head := func() uint64 {
		v, used := binary.Uvarint(data)
		if used <= 0 {
			err = errCutOff
			return 0
		}
		data = data[used:]
		return v
	}
	signed := func() int64 {
		v := head()
		return int64(v>>1) ^ -int64(v&1)
	}
	block, parts, count, first := head(), head(), head(), signed()
	switch {
	case err != nil:
		return nil, nil, err
	case parts == 0 || parts > block || block > 1<<16 || block%(32*parts) != 0:
		return nil, nil, fmt.Errorf("%d lengths in %d parts", block, parts)
	case count != uint64(n):
		return nil, nil, errMisfit
	}
	ends = append(slices.Grow(dst[:0], n+1), 0)
	length, sum, negative := int32(first), int64(0), int32(0)
	if n > 0 {
		negative = length
		sum = int64(length)
		ends = append(ends, length)
	}
	var deltas [32]int32
	for len(ends) <= n {
		least := int32(signed())
		if err != nil || uint64(len(data)) < parts {
			return nil, nil, errCutOff
		}
		widths := data[:parts]
		data = data[parts:]
		for _, width := range widths {
			if len(ends) > n {
				break // parts without values have no bytes
			}
			if width > 32 {
				return nil, nil, fmt.Errorf("bit width %d", width)
			}
			for range block / parts / 32 {
				if len(data) < 4*int(width) {
					return nil, nil, errCutOff
				}
				some := deltas[:min(32, n+1-len(ends))]
				unpack(some, data, int(width), 1<<width-1)
				data = data[4*int(width):]
				for _, d := range some {
					length += least + d
					negative |= length
					sum += int64(length)
					ends = append(ends, int32(sum))
				}
			}
		}
	}
	if negative < 0 || sum != int64(len(data)) {
		return nil, nil, errMisfit
	}
	return ends, data, nil
}
