package vec

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"math/bits"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// This file packs sort keys into words. A number takes as many bits as the span of the rows' numbers needs, a dictionary code as its place
// among the sorted entries does. Of a text only those bits are taken that are not the same in all rows: a time of one month, to the second,
// takes some 24, and ids that have the same dashes and nothing but hexadecimal digits 6 a byte.

// rankedKey is a sort key whose values are ranked: a lower rank sorts earlier, equal values have equal ranks.
type rankedKey struct {
	SortKey
	valid   bitmap
	numbers []uint64 // ranks of the rows, nil where others are set
	codes   []int32  // a dictionary's: the rank is that of the entry in entries
	entries []uint32
	text    *texts // ranked as they are packed
	exact   bool   // rows of equal rank have equal values; the others must be compared by value
}

func (k *rankedKey) null(row int) bool { return k.valid != nil && !k.valid.has(row) }

// rank is that of a valid row which is no text, in ascending order.
func (k *rankedKey) rank(row int32) uint64 {
	if k.codes != nil {
		return uint64(k.entries[k.codes[row]])
	}
	return k.numbers[row]
}

// compare orders two rows.
func (k *rankedKey) compare(i, j int) int {
	if ni, nj := k.null(i), k.null(j); ni || nj {
		switch {
		case ni == nj:
			return 0
		case ni == k.NullsFirst:
			return -1
		}
		return 1
	}
	c := 0
	switch {
	case k.text != nil:
		c = bytes.Compare(k.text.at(i), k.text.at(j))
	case k.codes != nil || k.numbers != nil:
		c = cmp.Compare(k.rank(int32(i)), k.rank(int32(j)))
	}
	if c == 0 && !k.exact && k.text == nil {
		c = compareValid(k.Arr, i, k.Arr, j)
	}
	if k.Desc {
		return -c
	}
	return c
}

func rankKey(key SortKey, team Team) rankedKey {
	a := key.Arr
	if isInstant(a.DataType()) {
		return rankKey(SortKey{instants(a), key.Desc, key.NullsFirst}, team)
	}
	k := rankedKey{SortKey: key, valid: validityOf(a), exact: true}
	switch t := a.DataType(); t.ID() {
	case arrow.STRING, arrow.BINARY:
		t := textsOf(a)
		k.text = &t
		return k
	case arrow.DICTIONARY:
		d := a.(*array.Dictionary)
		if Entries(d).Len() > a.Len() || a.Len() == 0 {
			t := textsOf(a)
			k.text = &t
			return k
		}
		k.codes, k.entries = Codes(d), rankEntries(Entries(d), team)
		return k
	case arrow.BOOL:
		k.numbers = make([]uint64, a.Len())
		for _, r := range valuesOf(a.(*array.Boolean)).rows(a.Len()) {
			k.numbers[r] = 1
		}
	case arrow.INT8:
		k.numbers = rankInts(fixed[int8](a))
	case arrow.INT16:
		k.numbers = rankInts(fixed[int16](a))
	case arrow.INT32, arrow.DATE32:
		k.numbers = rankInts(fixed[int32](a))
	case arrow.INT64, arrow.TIME64, arrow.TIMESTAMP:
		k.numbers = rankInts(fixed[int64](a))
	case arrow.FLOAT32:
		k.numbers = make([]uint64, a.Len())
		for i, v := range fixed[float32](a) {
			k.numbers[i] = rankFloat(float64(v))
		}
	case arrow.FLOAT64:
		k.numbers = make([]uint64, a.Len())
		for i, v := range fixed[float64](a) {
			k.numbers[i] = rankFloat(v)
		}
	case arrow.DECIMAL128:
		k.numbers, k.exact = rankDecimals(fixed[decimal128.Num](a), k.valid)
	default:
		k.exact = false
	}
	return k
}

func rankInts[T int8 | int16 | int32 | int64](values []T) []uint64 {
	ranks := make([]uint64, len(values))
	for i, v := range values {
		ranks[i] = uint64(int64(v)) ^ 1<<63
	}
	return ranks
}

// rankFloat maps doubles to numbers of the same order: -0.0 with 0.0, NaN last.
func rankFloat(v float64) uint64 {
	b := floatKey(v)
	switch {
	case v != v:
		return math.MaxUint64
	case b>>63 != 0:
		return ^b
	}
	return b | 1<<63
}

// rankDecimals takes the numbers where all fit 64 bits, else their upper halves, which are not exact.
func rankDecimals(values []decimal128.Num, valid bitmap) (ranks []uint64, exact bool) {
	ranks, exact = make([]uint64, len(values)), true
	for i, v := range values {
		ranks[i] = v.LowBits() ^ 1<<63
		exact = exact && (v.HighBits() == int64(v.LowBits())>>63 || valid != nil && !valid.has(i))
	}
	if !exact {
		for i, v := range values {
			ranks[i] = uint64(v.HighBits()) ^ 1<<63
		}
	}
	return ranks, exact
}

// rankEntries numbers a dictionary's entries in their order, equal ones alike.
func rankEntries(entries *array.String, team Team) []uint32 {
	order := SortByTeam([]SortKey{{Arr: entries}}, entries.Len(), entries.Len(), team)
	t := textsOf(entries)
	ranks := make([]uint32, max(1, entries.Len())) // the codes of NULL rows are 0, also where there are no entries
	for i := 1; i < len(order); i++ {
		ranks[order[i]] = ranks[order[i-1]]
		if !bytes.Equal(t.at(int(order[i])), t.at(int(order[i-1]))) {
			ranks[order[i]]++
		}
	}
	return ranks
}

// word says what is packed into the ranks of rows.
type word struct {
	fields []field
	width  int // bits of all fields
	// Rows of equal rank are equal by the keys before the next-th, and in the first skip bytes of that one.
	next, skip int
}

// field is the part of one key in a word: whether it is NULL, if some are, then the value.
type field struct {
	key   *rankedKey
	nulls bool
	width int // bits of the value, of which …
	take  int // … the first so many are in the word
	least uint64
	parts []textPart
	// Texts that end early count as if zero bytes followed; so the last bits say how long they are, from shortest to longest, which stands for
	// all that go on behind the window, too.
	shortest, longest int
}

// textPart is a byte of texts, of which some bits differ.
type textPart struct {
	at         int
	width, off int         // bits that are packed, and how many that differ are left out behind them
	bits       *[256]uint8 // the byte's bits that differ, side by side
}

// pack sets the ranks of items, which are equal by the keys before the k-th and in the first skip bytes of that one.
func (s *sorter) pack(items []ranking, k, skip int, team Team) word {
	w := word{next: k, skip: skip}
	for w.next < len(s.keys) && w.width < 64 {
		f, whole, end := s.keys[w.next].field(items, w.skip, team)
		room := 64 - w.width
		if f.nulls {
			room--
		}
		if f.take = min(f.width, room); f.take < f.width {
			whole = false
			end = f.cut(w.skip)
		}
		w.width += f.take
		if f.nulls {
			w.width++
		}
		w.fields = append(w.fields, f)
		if !whole {
			w.skip = end
			break
		}
		w.next, w.skip = w.next+1, 0
	}
	team(pieces(len(items)), func(piece int) {
		const chunk = 1 << 10 // which stay in the cache from field to field
		part := items[piece*pieceRows : min((piece+1)*pieceRows, len(items))]
		for ; len(part) > 0; part = part[min(chunk, len(part)):] {
			some := part[:min(chunk, len(part))]
			for i := range some {
				some[i].rank = 0
			}
			for i := range w.fields {
				w.fields[i].put(some)
			}
		}
	})
	return w
}

// field says how a key is packed for items that are equal in its first skip bytes, if it is text; whether the value is packed as a whole; and, if it
// is not, in how many first bytes texts are equal whose packed bits are all equal.
func (k *rankedKey) field(items []ranking, skip int, team Team) (f field, whole bool, end int) {
	f.key = k
	spans := make([]span, pieces(len(items)))
	for {
		team(len(spans), func(piece int) {
			part := items[piece*pieceRows : min((piece+1)*pieceRows, len(items))]
			if k.text != nil {
				spans[piece] = k.spanOfTexts(part, skip)
			} else {
				spans[piece] = k.span(part)
			}
		})
		all := spans[0]
		for _, s := range spans[1:] {
			all.add(s)
		}
		f.nulls = all.nulls
		if !all.any {
			return f, true, 0
		}
		if k.text == nil {
			f.least, f.width = all.least, bits.Len64(all.most-all.least)
			return f, k.exact, 0
		}
		shortest, longest := int(all.least), int(all.most)
		whole, end = longest <= skip+textWindow, skip+textWindow
		for i, different := range all.varying {
			for at := 0; different != 0; at++ {
				if b := uint8(different >> 56); b != 0 {
					p := textPart{at: skip + 8*i + at, width: bits.OnesCount8(b), bits: &packing()[b]}
					f.parts = append(f.parts, p)
					f.width += p.width
				}
				different <<= 8
			}
		}
		if !whole && len(f.parts) == 0 && shortest >= end { // all alike so far
			skip = end
			continue
		}
		f.shortest, f.longest = shortest, max(shortest, min(longest, end+1))
		f.width += bits.Len(uint(f.longest - f.shortest))
		return f, whole, end
	}
}

// cut leaves out of a text's parts what is not taken, and returns in how many first bytes texts are equal whose taken bits are; skip they are anyway.
func (f *field) cut(skip int) int {
	left := f.take
	for i := range f.parts {
		p := &f.parts[i]
		if left < p.width {
			skip = p.at
			p.off, p.width = p.width-left, left
			f.parts = f.parts[:i+1]
			break
		}
		left -= p.width
		skip = p.at + 1
	}
	return skip
}

// textWindow is how many bytes of texts are looked at for one word.
const textWindow = 48

// span is what rows have of a key: whether there are NULLs, values; the least and the largest rank or length; where texts differ.
type span struct {
	nulls, any  bool
	least, most uint64
	first       [textWindow / 8]uint64 // of texts: the bytes of one, zeros behind its end
	varying     [textWindow / 8]uint64 // bits in which others differ
}

func (s *span) add(t span) {
	s.nulls = s.nulls || t.nulls
	switch {
	case !t.any:
		return
	case !s.any:
		nulls := s.nulls
		*s = t
		s.nulls = nulls
		return
	}
	s.least, s.most = min(s.least, t.least), max(s.most, t.most)
	for i := range s.varying {
		s.varying[i] |= t.varying[i] | (s.first[i] ^ t.first[i])
	}
}

func (k *rankedKey) span(items []ranking) (s span) {
	if k.codes == nil && k.numbers == nil { // only NULLs are told apart
		for _, it := range items {
			null := k.null(int(it.row))
			s.nulls, s.any = s.nulls || null, s.any || !null
		}
		return s
	}
	least, most := uint64(math.MaxUint64), uint64(0)
	for _, it := range items {
		if k.valid != nil && !k.valid.has(int(it.row)) {
			s.nulls = true
			continue
		}
		rank := k.rank(it.row)
		least, most = min(least, rank), max(most, rank)
	}
	if s.any = least <= most; s.any {
		s.least, s.most = least, most
	}
	return s
}

func (k *rankedKey) spanOfTexts(items []ranking, skip int) (s span) {
	least, most := math.MaxInt, 0
	words := 0 // that the first text fills
	for _, it := range items {
		if k.valid != nil && !k.valid.has(int(it.row)) {
			s.nulls = true
			continue
		}
		text := k.text.at(int(it.row))
		least, most = min(least, len(text)), max(most, len(text))
		own := min((max(0, len(text)-skip)+7)/8, len(s.first))
		if !s.any {
			s.any, words = true, own
			for i := range words {
				s.first[i] = eightAt(text, skip+8*i)
			}
			continue
		}
		for i := range max(own, words) {
			s.varying[i] |= eightAt(text, skip+8*i) ^ s.first[i]
		}
	}
	s.least, s.most = uint64(least), uint64(most)
	return s
}

// eightAt returns eight bytes of a text, zeros behind its end.
func eightAt(text []byte, at int) uint64 {
	left := len(text) - at
	switch {
	case left >= 8:
		return binary.BigEndian.Uint64(text[at:])
	case left <= 0:
		return 0
	case len(text) >= 8:
		return binary.BigEndian.Uint64(text[len(text)-8:]) << (64 - 8*left)
	}
	b := uint64(0)
	for i, c := range text[at:] {
		b |= uint64(c) << (56 - 8*i)
	}
	return b
}

// packing has for each mask and byte those bits of the byte that the mask has, side by side.
var packing = sync.OnceValue(func() *[256][256]uint8 {
	tables := &[256][256]uint8{}
	for mask := range tables {
		for b := range tables[mask] {
			packed := uint8(0)
			for bit := 7; bit >= 0; bit-- {
				if mask>>bit&1 != 0 {
					packed = packed<<1 | uint8(b>>bit&1)
				}
			}
			tables[mask][b] = packed
		}
	}
	return tables
})

// put moves the ranks of items to the left and puts the field behind them.
func (f *field) put(items []ranking) {
	k := f.key
	valid := k.valid
	if f.nulls {
		value, null := uint64(0), uint64(1)
		if k.NullsFirst {
			value, null = 1, 0
		}
		for i := range items {
			it := &items[i]
			if valid.has(int(it.row)) {
				it.rank = it.rank<<1 | value
			} else {
				it.rank = it.rank<<1 | null
			}
		}
	} else {
		valid = nil
	}
	if f.take == 0 {
		return
	}
	mask := uint64(0) // what turns the order around
	if k.Desc {
		mask = 1<<f.width - 1 // all, where that overflows
	}
	off, take := f.width-f.take, f.take
	switch {
	case k.text != nil:
		if k.Desc {
			mask = 1<<take - 1
		}
		f.putTexts(items, valid, mask)
	case k.codes != nil:
		for i := range items {
			it := &items[i]
			v := uint64(0)
			if valid == nil || valid.has(int(it.row)) {
				v = (uint64(k.entries[k.codes[it.row]]) - f.least) ^ mask
			}
			it.rank = it.rank<<take | v>>off
		}
	default:
		for i := range items {
			it := &items[i]
			v := uint64(0)
			if valid == nil || valid.has(int(it.row)) {
				v = (k.numbers[it.row] - f.least) ^ mask
			}
			it.rank = it.rank<<take | v>>off
		}
	}
}

func (f *field) putTexts(items []ranking, valid bitmap, mask uint64) {
	lengths, left := bits.Len(uint(f.longest-f.shortest)), f.take // bits of the length, and those of them that are in the word
	for _, p := range f.parts {
		left -= p.width
	}
	for i := range items {
		it := &items[i]
		v := uint64(0)
		if valid == nil || valid.has(int(it.row)) {
			text := f.key.text.at(int(it.row))
			for j := range f.parts {
				p := &f.parts[j]
				b := uint8(0)
				if p.at < len(text) {
					b = p.bits[text[p.at]]
				}
				v = v<<p.width | uint64(b>>p.off)
			}
			if left > 0 {
				v = v<<left | uint64(min(len(text), f.longest)-f.shortest)>>(lengths-left)
			}
			v ^= mask
		}
		it.rank = it.rank<<f.take | v
	}
}
