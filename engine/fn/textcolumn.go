package fn

import (
	"encoding/binary"
	"unicode/utf8"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/engine/vec"
)

// textColumn is a text argument as it lies in memory: nothing is made per row.
type textColumn struct {
	text    string  // of all rows
	offsets []int32 // where each row starts, and the last ends
	mask    int     // as in column
}

// textArg reads argument i; text that is NULL is any.
func textArg(c *Call, i int) textColumn {
	d := c.Args[i]
	t := textColumn{mask: -1}
	if d.Const {
		t.mask = 0
	}
	s, ok := d.Arr.(*array.String)
	if !ok || s.Len() == 0 {
		t.offsets = make([]int32, d.Arr.Len()+1)
		return t
	}
	t.offsets = arrow.GetOffsets[int32](s.Data(), 1)
	if buffer := s.Data().Buffers()[2]; buffer != nil {
		t.text = unsafe.String(unsafe.SliceData(buffer.Bytes()), buffer.Len())
	}
	return t
}

func (t *textColumn) at(i int) string {
	i &= t.mask
	return t.text[t.offsets[i]:t.offsets[i+1]]
}

// ascii reports whether all rows are ASCII: characters are bytes then.
func (t *textColumn) ascii() bool {
	return isASCII(t.text[t.offsets[0]:t.offsets[len(t.offsets)-1]])
}

func isASCII(s string) bool {
	b := unsafe.Slice(unsafe.StringData(s), len(s))
	for ; len(b) >= 32; b = b[32:] {
		if (binary.LittleEndian.Uint64(b)|binary.LittleEndian.Uint64(b[8:])|binary.LittleEndian.Uint64(b[16:])|binary.LittleEndian.Uint64(b[24:]))&0x8080808080808080 != 0 {
			return false
		}
	}
	for ; len(b) >= 8; b = b[8:] {
		if binary.LittleEndian.Uint64(b)&0x8080808080808080 != 0 {
			return false
		}
	}
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// constants reports whether the arguments from the i-th on are constants other than NULL, and the first is a column: then a
// body may read them once.
func (c *Call) constants(i int) bool {
	for _, d := range c.Args[i:] {
		if !d.Const || !vec.IsValid(d.Arr, 0) {
			return false
		}
	}
	return !c.Args[0].Const
}
