package fn

import (
	"math"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/engine/vec"
)

// The bodies below are loops for what queries do most: a text column, constants beside it. For any other arguments they leave the
// work to the row form that they are made with.

// pieces makes a body of a function that cuts a piece out of each text. over returns how the texts t are cut for the constants of a call;
// ok of a piece is false for NULL.
func pieces(rows body, over func(c *Call, t *textColumn) (cut func(s string) (piece string, ok bool))) body {
	return func(c *Call) (arrow.Array, error) {
		if !c.constants(1) {
			return rows(c)
		}
		t, nulls, w := textArg(c, 0), c.nulls(), newTextRuns(c.Result, c.Len)
		cut := over(c, &t)
		if cut == nil {
			return rows(c)
		}
		for i := range c.Len {
			if nulls != nil && nulls[i] {
				w.null()
			} else if piece, ok := cut(t.at(i)); !ok {
				w.null()
			} else if !w.add(piece) {
				break
			}
		}
		return w.array()
	}
}

// substrText is substr of text.
func substrText(rows body) body {
	return pieces(rows, func(c *Call, t *textColumn) func(string) (string, bool) {
		start, length := arg[int64](c, 1).at(0), int64(math.MaxInt64)
		if len(c.Args) == 3 {
			length = arg[int64](c, 2).at(0)
		}
		if !t.ascii() {
			return func(s string) (string, bool) { return substr(s, start, length), true }
		}
		return func(s string) (string, bool) {
			from, to := span(start, length, int64(len(s)))
			return s[from:to], true
		}
	})
}

// lengthOfText is length of text.
func lengthOfText(c *Call) (arrow.Array, error) {
	t, out := textArg(c, 0), make([]int64, c.Len)
	if t.ascii() {
		for i := range out {
			k := i & t.mask
			out[i] = int64(t.offsets[k+1] - t.offsets[k])
		}
	} else {
		for i := range out {
			if s := t.at(i); isASCII(s) {
				out[i] = int64(len(s))
			} else {
				out[i] = int64(utf8.RuneCountInString(s))
			}
		}
	}
	return write(c.Result, out, c.nulls())
}

// inCase is lower or upper: f is what it does to a text, of ASCII it moves the letters from first on, 26 of them, by shift.
func inCase(f func(string) string, first, shift byte) body {
	rows := pure1(f)
	return func(c *Call) (arrow.Array, error) {
		t := textArg(c, 0)
		s, ok := c.Args[0].Arr.(*array.String)
		if !ok || !t.ascii() {
			return rows(c)
		}
		from := t.offsets[0]
		text := []byte(t.text[from:t.offsets[len(t.offsets)-1]])
		for i, b := range text {
			if b-first < 26 {
				text[i] = b + shift
			}
		}
		offsets := t.offsets
		if from > 0 {
			offsets = make([]int32, len(t.offsets))
			for i, o := range t.offsets {
				offsets[i] = o - from
			}
		}
		buffers := []*memory.Buffer{nil, memory.NewBufferBytes(arrow.GetBytes(offsets)), memory.NewBufferBytes(text)}
		out := array.MakeFromData(array.NewData(s.DataType(), s.Len(), buffers, nil, 0, 0))
		return vec.Mask(out, s), nil
	}
}
