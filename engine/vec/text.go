package vec

import (
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// texts reads the strings of a String or Binary array, or of a dictionary-coded one.
type texts struct {
	codes   []int32 // nil: plain
	offsets []int32
	bytes   []byte
}

func textsOf(a arrow.Array) texts {
	var t texts
	if d, ok := a.(*array.Dictionary); ok {
		if a.Len() == 0 {
			return t
		}
		t.codes = Codes(d)
		a = Entries(d)
	}
	if a.Len() == 0 {
		t.offsets = []int32{0, 0} // the codes of NULL rows are 0
		return t
	}
	t.offsets = arrow.GetOffsets[int32](a.Data(), 1)
	if b := a.Data().Buffers()[2]; b != nil {
		t.bytes = b.Bytes()
	}
	return t
}

func (t *texts) at(i int) []byte {
	if t.codes != nil {
		i = int(t.codes[i])
	}
	return t.bytes[t.offsets[i]:t.offsets[i+1]]
}

// text returns row i without copying it.
func (t *texts) text(i int) string {
	b := t.at(i)
	return unsafe.String(unsafe.SliceData(b), len(b))
}
