package exec

import (
	"hash/maphash"
	"math/bits"
	"slices"
	"unsafe"
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
// other, so that there is nothing in it for the collector to follow.
type textTable struct {
	data   []byte
	starts []int64 // by number, and one more: where its text begins in data
	slots  []textSlot
	least  int // slots from the first growth on
	seed   maphash.Seed
}

// expect says that so many texts may come.
func (t *textTable) expect(n int) { t.least = slotsFor(n) }

// skip takes the next number for something that is no text; its text is empty.
func (t *textTable) skip() { t.starts = append(t.starts, int64(len(t.data))) }

// count is the number of texts, with what is none.
func (t *textTable) count() int { return len(t.starts) - 1 }

// at returns text n; valid as long as the table.
func (t *textTable) at(n uint32) string {
	from, to := t.starts[n], t.starts[n+1]
	return unsafe.String(unsafe.SliceData(t.data[from:]), int(to-from))
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
	if len(s) > cap(t.data)-len(t.data) {
		t.data = slices.Grow(t.data, len(t.data)+len(s)) // doubled: append would copy large ones more often
	}
	t.data = append(t.data, s...)
	t.skip()
	n := t.count()
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
	return textTable{starts: make([]int64, 1), slots: make([]textSlot, 16), seed: maphash.MakeSeed()}
}

// expectedText bounds what is expected of the length of texts to come by the average of those that are there.
const expectedText = 64

// grow doubles the slots. It reads no text: with many, each would be a cache miss.
func (t *textTable) grow() {
	old := t.slots
	t.slots = make([]textSlot, max(2*len(old), t.least))
	room := len(t.slots)/2 - t.count() + 1
	t.starts = slices.Grow(t.starts, room)
	t.data = slices.Grow(t.data, room*min(len(t.data)/t.count(), expectedText))
	for _, s := range old {
		if s.number != 0 {
			t.place(s)
		}
	}
}

func (t *textTable) bytes() int64 {
	return int64(cap(t.data)) + 8*int64(cap(t.starts)) + 8*int64(len(t.slots))
}
