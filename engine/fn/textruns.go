package fn

import (
	"bytes"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// textRuns builds a column of computed text row by row: append to data and call end, or call add or null. Neighbours that are
// equal share their text: where the first rows repeat enough, the column comes dictionary-coded, an entry for each run, so that
// what follows (grouping, a further function) works on the entries. Trails are in the order of time: the hour of 8,192 events is one run or two.
type textRuns struct {
	textWriter // of the entries, or of the rows
	t          sqltype.Type
	codes      []int32 // one per row, -1 for NULL; nil: plain
	nulls      []bool  // of the rows, if plain; nil: none so far
	n          int     // rows to come in all
	from, to   int32   // where in data the text of the last row that is not NULL stands
	some       bool    // there is such a row
	bytes      int     // of the text of all rows
}

// runsSample is how many rows decide about the form; columns of fewer rows are plain.
const runsSample = 256

func newTextRuns(t sqltype.Type, n int) *textRuns {
	r := &textRuns{t: t, n: n}
	if n < runsSample || t.Kind != sqltype.Varchar && t.Kind != sqltype.JSON { // only these may be coded
		r.textWriter = *newTextWriter(n)
		return r
	}
	r.offsets = append(make([]int32, 0, runsSample), 0)
	r.codes = make([]int32, 0, n)
	return r
}

// add adds a row; false says that the column has grown too large and will be refused.
func (r *textRuns) add(s string) bool {
	if r.codes != nil {
		if r.some && string(r.data[r.from:r.to]) == s {
			return r.again()
		}
	}
	r.data = append(r.data, s...)
	return r.entry()
}

// end ends a row whose text was appended to data; the answer is that of add.
func (r *textRuns) end() bool {
	if r.codes != nil {
		from := r.offsets[len(r.offsets)-1]
		if r.some && bytes.Equal(r.data[r.from:r.to], r.data[from:]) {
			r.data = r.data[:from]
			return r.again()
		}
	}
	return r.entry()
}

// again adds a row with the text of the last one that is not NULL; there must be one.
func (r *textRuns) again() bool {
	if r.codes == nil {
		r.data = append(r.data, r.data[r.from:r.to]...)
		return r.entry()
	}
	if r.bytes += int(r.to - r.from); r.bytes > maxText {
		r.full = true
		return false
	}
	r.codes = append(r.codes, int32(len(r.offsets)-2))
	return true
}

// entry ends an entry that is a row.
func (r *textRuns) entry() bool {
	from := r.offsets[len(r.offsets)-1]
	if r.bytes += len(r.data) - int(from); r.bytes > maxText {
		r.full = true
		return false
	}
	r.textWriter.end()
	r.from, r.to, r.some = from, int32(len(r.data)), true
	if r.codes == nil {
		if r.nulls != nil {
			r.nulls = append(r.nulls, false)
		}
		return true
	}
	r.codes = append(r.codes, int32(len(r.offsets)-2))
	if len(r.codes) == runsSample && len(r.offsets)-1 > runsSample/2 {
		r.expand()
	}
	return true
}

// null adds a NULL.
func (r *textRuns) null() {
	if r.codes != nil {
		r.codes = append(r.codes, -1)
		return
	}
	if r.nulls == nil {
		r.nulls = make([]bool, len(r.offsets)-1, r.n)
	}
	r.nulls = append(r.nulls, true)
	r.textWriter.end()
}

// expand makes the rows so far plain.
func (r *textRuns) expand() {
	entries, codes, bytes := r.textWriter, r.codes, r.bytes
	r.textWriter, r.codes, r.bytes = *newTextWriter(r.n), nil, 0
	r.data = make([]byte, 0, min(maxText, bytes/len(codes)*(r.n+r.n/8)))
	for _, code := range codes {
		if code < 0 {
			r.null()
		} else {
			r.add(string(entries.data[entries.offsets[code]:entries.offsets[code+1]]))
		}
	}
}

func (r *textRuns) array() (arrow.Array, error) {
	if r.codes == nil || r.full {
		return r.textWriter.array(r.t, r.nulls)
	}
	entries, err := r.textWriter.array(sqltype.VarcharType, nil)
	if err != nil {
		return nil, err
	}
	return vec.EncodeDictionary(entries.(*array.String), r.codes), nil
}
