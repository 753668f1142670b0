package vec

import (
	"strings"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// Rows is Match for each row of a column of text; NULL gives NULL. A pattern with words between % signs only is looked for in the
// text of all rows at once.
func (l *Like) Rows(a arrow.Array) *array.Boolean {
	n, out := a.Len(), newBitmap(a.Len())
	if n == 0 || a.DataType().ID() == arrow.NULL {
		return newBoolean(out, n, newBitmap(n))
	}
	texts, last := textsOf(a), len(l.parts)-1
	first, end := &l.parts[0], &l.parts[last]
	switch {
	case first.runes != nil || end.runes != nil:
		l.each(&texts, out, n)
	case last == 0:
		for i := range n {
			if string(texts.at(i)) == first.text {
				out.set(i)
			}
		}
	case last == 1 && end.text == "":
		for i := range n {
			if b := texts.at(i); len(b) >= len(first.text) && string(b[:len(first.text)]) == first.text {
				out.set(i)
			}
		}
	case last == 1 && first.text == "":
		for i := range n {
			if b := texts.at(i); len(b) >= len(end.text) && string(b[len(b)-len(end.text):]) == end.text {
				out.set(i)
			}
		}
	case last > 1 && first.text == "" && l.parts[1].runes == nil && l.parts[1].text != "" && texts.codes == nil:
		l.search(&texts, out, n)
	default:
		l.each(&texts, out, n)
	}
	return newBoolean(out, n, validityOf(a))
}

func (l *Like) each(texts *texts, out bitmap, n int) {
	for i := range n {
		if l.Match(texts.text(i)) {
			out.set(i)
		}
	}
}

// search runs over the places where the first word stands, and the rows that these are in; most rows have none.
func (l *Like) search(texts *texts, out bitmap, n int) {
	word, only := l.parts[1].text, len(l.parts) == 3 && l.parts[2].runes == nil && l.parts[2].text == ""
	all := unsafe.String(unsafe.SliceData(texts.bytes), len(texts.bytes))[:texts.offsets[n]]
	at, row := int(texts.offsets[0]), 0
	find := newFinder(word, all[at:])
	for {
		hit := find.next(all[at:])
		if hit < 0 {
			return
		}
		at += hit
		row += rowOf(texts.offsets[row:n+1], int32(at))
		if end := int(texts.offsets[row+1]); at+len(word) > end { // over the border of two rows
			at++
			continue
		}
		if only || l.Match(texts.text(row)) {
			out.set(row)
		}
		at = int(texts.offsets[row+1])
	}
}

// rowOf returns the row, of those that start at the offsets but for the last of these, that holds the byte at; the first row is likely.
func rowOf(offsets []int32, at int32) int {
	low, step := 0, 1 // offsets[low] <= at
	for low+step < len(offsets) && offsets[low+step] <= at {
		low += step
		step *= 2
	}
	high := min(low+step, len(offsets)-1) // offsets[high] > at
	for high-low > 1 {
		middle := int(uint(low+high) / 2)
		if offsets[middle] <= at {
			low = middle
		} else {
			high = middle
		}
	}
	return low
}

// finder looks for a word by that byte of it that is rarest in a sample of the text.
type finder struct {
	word string
	rare int // where in word the byte stands
}

func newFinder(word, text string) finder {
	var counts [256]int32
	for _, c := range []byte(text[:min(len(text), 4096)]) {
		counts[c]++
	}
	f := finder{word: word}
	for i := range len(word) {
		if counts[word[i]] < counts[word[f.rare]] {
			f.rare = i
		}
	}
	return f
}

// next returns where the word stands first, -1 if nowhere.
func (f *finder) next(s string) int {
	misses := 0
	for at := 0; at+len(f.word) <= len(s); {
		i := strings.IndexByte(s[at+f.rare:], f.word[f.rare])
		if i < 0 || at+i+len(f.word) > len(s) {
			return -1
		}
		at += i
		if s[at:at+len(f.word)] == f.word {
			return at
		}
		at++
		if misses++; misses > 16+at/16 { // the byte is not rare here
			if i = strings.Index(s[at:], f.word); i >= 0 {
				i += at
			}
			return i
		}
	}
	return -1
}
