package cloudtrail

import (
	"bytes"
	"hash/maphash"
)

// Blocks of records come again and again, byte for byte: a session has one userIdentity for all that it does. What was read from a block
// is kept, and taken from there when the same bytes come again. Kept is only what gave back the block's text when it was put together
// again from its shape and texts, as records are; so it does where it is met again.

const (
	keptBlocks   = 2048 // of each kind; a later one takes the place of an earlier one with a like hash
	longestBlock = 2 << 10
)

// kept is a block that was read. Texts lie in its own memory.
type kept struct {
	text    []byte // canonical
	arena   []byte // of texts that had escapes
	shape   []byte // of the member: its id and what follows
	texts   [][]byte
	present []bool
	high    bool // there may be bytes over 0x7F

	// Its place in the rows that are being gathered.
	rows uint64 // which rows these are: tableRows.number; 0: in none
	code int32
}

// repeated reads the block at i from what was kept, or keeps it. It returns notKept where that cannot be; nothing has been read then.
func (r *reader) repeated(bl *block, i, depth int) int {
	end := r.blockEnd(bl, i)
	if end < 0 {
		return notKept
	}
	text := r.b[i:end]
	all := &r.kept[bl.block-1]
	if *all == nil {
		*all = make([]*kept, keptBlocks)
	}
	k := &(*all)[maphash.Bytes(hashSeed, text)%keptBlocks]
	if *k == nil {
		*k = &kept{texts: make([][]byte, bl.texts.to-bl.texts.from), present: make([]bool, bl.present.to-bl.present.from)}
	}
	if b := *k; !bytes.Equal(b.text, text) {
		if !r.keep(bl, b, text, depth) {
			b.text = b.text[:0]
			return notKept
		}
	}
	b := *k
	r.shape = append(r.shape, b.shape...)
	copy(r.texts[bl.texts.from:bl.texts.to], b.texts)
	copy(r.present[bl.present.from:bl.present.to], b.present)
	r.present[bl.slot] = true
	r.high = r.high || b.high
	r.blocks[bl.block-1] = b
	return end
}

// blockEnd guesses where the block ends, by what ended it last time: at its first closing bracket, or before the key that came next. -1 is
// no guess. The text up to there may be anything.
func (r *reader) blockEnd(bl *block, i int) int {
	part := r.b[i:min(i+longestBlock, len(r.b))]
	if bl.flat {
		if n := bytes.IndexByte(part, '}'); n >= 0 {
			return i + n + 1
		}
		return -1
	}
	top := r.table.top
	next := r.guess[top.number][top.byID[bl.id]]
	if next == 0 {
		return -1
	}
	lead := top.fields[next-1].lead
	for at := 0; ; {
		n := bytes.Index(part[at:], lead)
		if n < 0 {
			return -1
		}
		if at += n; at > 2 && part[at-1] == ',' && part[at-2] == '}' {
			return i + at - 1
		}
		at += len(lead)
	}
}

// keep reads text, which may be anything, into b, and reports whether it is a block that can be kept. The record is as before.
func (r *reader) keep(bl *block, b *kept, text []byte, depth int) bool {
	b.text, b.arena, b.shape, b.rows = append(b.text[:0], text...), b.arena[:0], b.shape[:0], 0
	n := len(b.text)
	b.text = append(b.text, make([]byte, pad)...)

	// It is read in the record's place, but from and into memory of its own.
	before, rest, mapping := r.scanner, len(r.rest), len(r.mapping)
	r.b, r.high, r.loose = b.text, false, false
	r.arena, b.arena = b.arena, r.arena
	r.shape, b.shape = append(b.shape, bl.id, '('), r.shape
	mark := r.openRest(0, 0, '{')
	end := r.object(bl.sub, 0, depth+1, r.texts)
	r.closeRest(mark, '}')
	r.shape, b.shape = b.shape, append(r.shape, ')')
	r.arena, b.arena = b.arena, r.arena
	ok := end == n && !r.loose && len(r.rest) == rest && len(r.mapping) == mapping
	b.high = r.high
	before.stack = r.stack
	r.scanner = before
	r.rest, r.mapping = r.rest[:rest], r.mapping[:mapping]
	b.text = b.text[:n]

	texts, present := r.texts[bl.texts.from:bl.texts.to], r.present[bl.present.from:bl.present.to]
	ok = ok && r.back.equalsBlock(b.text, &r.record, bl, b.shape)
	copy(b.texts, texts)
	copy(b.present, present)
	clear(texts)
	clear(present)
	return ok
}

// equalsBlock reports whether the shape and the texts of a block give back its text.
func (b *rebuilder) equalsBlock(text []byte, r *record, bl *block, shape []byte) bool {
	b.comparing, b.differs, b.left = true, false, text
	b.r, b.shape, b.i, b.at, b.out = r, shape, 1, -1, b.out[:0]
	ok := b.member(bl.field, r.texts) && b.i == len(shape) && !b.differs && len(b.left) == 0
	b.comparing, b.left = false, nil
	return ok
}
