package exec

import (
	"hash/maphash"
	"math/bits"
	"slices"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/vec"
)

// none is the number of a value that a table does not hold.
const none = ^uint32(0)

// wordTable numbers distinct 64-bit words densely in order of appearance: open addressing with linear probing over the numbers;
// the words themselves are compared, so equal hashes do no harm.
type wordTable struct {
	words []uint64 // by number
	slots []uint32 // number + 1; 0 is free; a power of two, at most half full
	hole  int      // number + 1 of what is no word (see skip); 0: none
	least int      // slots from the first growth on
	seed  uint64
}

// expect says that so many words may come.
func (t *wordTable) expect(n int) { t.least = slotsFor(n) }

// slotsFor is how many slots n entries need.
func slotsFor(n int) int { return 2 << bits.Len(uint(n)) }

// skip takes the next number for something that is no word.
func (t *wordTable) skip() {
	t.words = append(t.words, 0)
	t.hole = len(t.words)
}

// slot is where the search for w starts.
func (t *wordTable) slot(w uint64) int {
	w ^= t.seed
	w = (w ^ w>>32) * 0xD6E8FEB86659FD93 // odd constants; the shifts bring high bits, where pairs differ, down
	w = (w ^ w>>32) * 0xD6E8FEB86659FD93
	return int((w ^ w>>32) & uint64(len(t.slots)-1))
}

// find returns the number of w, or none.
func (t *wordTable) find(w uint64) uint32 {
	for i := t.slot(w); ; i = (i + 1) & (len(t.slots) - 1) {
		n := t.slots[i]
		if n == 0 {
			return none
		}
		if t.words[n-1] == w {
			return n - 1
		}
	}
}

// insert gives w, which the table does not hold, the next number.
func (t *wordTable) insert(w uint64) uint32 {
	t.words = append(t.words, w)
	if 2*len(t.words) > len(t.slots) {
		t.grow()
	} else {
		t.place(w, len(t.words))
	}
	return uint32(len(t.words) - 1)
}

func (t *wordTable) place(w uint64, n int) {
	i := t.slot(w)
	for t.slots[i] != 0 {
		i = (i + 1) & (len(t.slots) - 1)
	}
	t.slots[i] = uint32(n)
}

func newWordTable() wordTable {
	seed := maphash.String(maphash.MakeSeed(), "") // a random one, so that nobody can write a log whose values collide
	return wordTable{slots: make([]uint32, 16), seed: seed}
}

func (t *wordTable) grow() {
	t.slots = make([]uint32, max(2*len(t.slots), t.least))
	t.words = slices.Grow(t.words, len(t.slots)/2-len(t.words)+1)
	for i, w := range t.words {
		if i+1 != t.hole {
			t.place(w, i+1)
		}
	}
}

func (t *wordTable) bytes() int64 { return 8*int64(cap(t.words)) + 4*int64(len(t.slots)) }

// textTable numbers distinct texts likewise. A slot carries the low half of the hash: it says where the slot belongs when the table
// grows, and tells most unequal texts apart without touching them; equality is always verified. The table keeps the bytes of the texts, one after the
// other in chunks, so that they are never moved, and there is little in it for the collector to follow.
type textTable struct {
	chunks [][]byte  // the last one is being filled
	texts  []textRef // by number
	bytes  int64     // of chunks
	slots  []textSlot
	least  int // slots from the first growth on
	seed   maphash.Seed
}

// textRef is where a text is.
type textRef struct{ chunk, at, length uint32 }

const (
	firstTextChunk = 1 << 10
	mostTextChunk  = 256 << 10 // longer texts have a chunk of their own
)

// expect says that so many texts may come.
func (t *textTable) expect(n int) { t.least = slotsFor(n) }

// skip takes the next number for something that is no text; its text is empty.
func (t *textTable) skip() { t.texts = append(t.texts, textRef{}) }

// at returns text n; valid as long as the table.
func (t *textTable) at(n uint32) string {
	r := t.texts[n]
	if r.length == 0 {
		return ""
	}
	return unsafe.String(&t.chunks[r.chunk][r.at], r.length)
}

// array returns the texts as an array of String or Binary form, text n in row n. The text null is NULL, if that is not none.
func (t *textTable) array(form arrow.DataType, null uint32) (arrow.Array, error) {
	var bytes int
	for _, c := range t.chunks {
		bytes += len(c)
	}
	if err := vec.Fits(int64(bytes), "bytes of text"); err != nil {
		return nil, err
	}
	data, offsets := make([]byte, 0, bytes), make([]int32, 1, len(t.texts)+1)
	for _, c := range t.chunks {
		data = append(data, c...)
	}
	end := int32(0)
	for _, r := range t.texts {
		end += int32(r.length)
		offsets = append(offsets, end)
	}
	row := -1
	if null != none {
		row = int(null)
	}
	return vec.Texts(form, offsets, data, row), nil
}

type textSlot struct {
	number uint32 // + 1; 0 is free
	hash   uint32
}

// hash of s, for find and insert.
func (t *textTable) hash(s string) uint32 { return uint32(maphash.String(t.seed, s)) }

// find returns the number of s, whose hash is h, or none.
func (t *textTable) find(s string, h uint32) uint32 {
	mask := len(t.slots) - 1
	for i := int(h) & mask; ; i = (i + 1) & mask {
		slot := t.slots[i]
		if slot.number == 0 {
			return none
		}
		if slot.hash == h && t.at(slot.number-1) == s {
			return slot.number - 1
		}
	}
}

// insert gives s, which the table does not hold, the next number.
func (t *textTable) insert(s string, h uint32) uint32 {
	r := textRef{length: uint32(len(s))}
	if len(s) > 0 {
		last := len(t.chunks) - 1
		if last < 0 || len(s) > cap(t.chunks[last])-len(t.chunks[last]) {
			size := max(len(s), min(max(int(t.bytes), firstTextChunk), mostTextChunk))
			t.chunks = append(t.chunks, make([]byte, 0, size))
			t.bytes += int64(size)
			last++
		}
		r.chunk, r.at = uint32(last), uint32(len(t.chunks[last]))
		t.chunks[last] = append(t.chunks[last], s...)
	}
	t.texts = append(t.texts, r)
	n := len(t.texts)
	if 2*n > len(t.slots) {
		t.grow()
	}
	t.place(textSlot{number: uint32(n), hash: h})
	return uint32(n - 1)
}

func (t *textTable) place(s textSlot) {
	mask := len(t.slots) - 1
	i := int(s.hash) & mask
	for t.slots[i].number != 0 {
		i = (i + 1) & mask
	}
	t.slots[i] = s
}

func newTextTable() textTable {
	return textTable{slots: make([]textSlot, 16), seed: maphash.MakeSeed()}
}

// grow doubles the slots. It reads no text: with many, each would be a cache miss.
func (t *textTable) grow() {
	old := t.slots
	t.slots = make([]textSlot, max(2*len(old), t.least))
	t.texts = slices.Grow(t.texts, len(t.slots)/2-len(t.texts)+1)
	for _, s := range old {
		if s.number != 0 {
			t.place(s)
		}
	}
}

func (t *textTable) size() int64 { return t.bytes + 12*int64(cap(t.texts)) + 8*int64(len(t.slots)) }
