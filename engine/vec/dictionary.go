package vec

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/engine/sqltype"
)

// Entries returns the entries of a dictionary-coded column. Unlike the array's own Dictionary it never writes to the
// array. Two arrays that share a dictionary have the same Data().Dictionary().
func Entries(d *array.Dictionary) *array.String {
	return array.NewStringData(d.Data().Dictionary())
}

// worthLifting reports whether it is less work to look at the entries than at the rows.
func worthLifting(d *array.Dictionary) bool {
	return d.Len() > 0 && d.Data().Dictionary().Len() <= d.Len()
}

// Codes returns the codes of a dictionary-coded column, one per row. NULL rows have a code too, which means nothing
// but must be one of an entry, or 0.
func Codes(d *array.Dictionary) []int32 { return fixed[int32](d) }

// EncodeDictionary returns a dictionary-coded column. A negative code is NULL; entries must hold no NULL. The codes
// are kept, not copied; negative ones are set to 0.
func EncodeDictionary(entries *array.String, codes []int32) *array.Dictionary {
	return dictionary(entries.Data().(*array.Data), codes)
}

func dictionary(entries *array.Data, codes []int32) *array.Dictionary {
	var valid bitmap
	for i, c := range codes {
		if c < 0 {
			if valid == nil {
				valid = ones(len(codes))
			}
			valid.clear(i)
			codes[i] = 0
		}
	}
	buffer, nulls := valid.validity(len(codes))
	return array.NewDictionaryData(array.NewDataWithDictionary(sqltype.DictionaryString, len(codes),
		[]*memory.Buffer{buffer, fixedBuffer(codes)}, nulls, 0, entries))
}

// TakeEntries maps what was computed for each entry of a dictionary to its rows. NULL rows give NULL, or with nullLast the
// last row of perEntry, which then has one row more than there are entries. Text comes dictionary-coded.
func TakeEntries(perEntry arrow.Array, d *array.Dictionary, nullLast bool) arrow.Array {
	n := d.Len()
	valid := validityOf(d)
	if b, ok := perEntry.(*array.Boolean); ok && NullCount(b) == 0 && !nullLast {
		table := make([]byte, b.Len())
		for _, r := range valuesOf(b).rows(b.Len()) {
			table[r] = 1
		}
		values := newBitmap(n)
		if len(table) > 0 { // otherwise all rows are NULL
			codes := Codes(d)
			for i := range values {
				var w byte
				for j, c := range codes[i*8 : min(i*8+8, n)] {
					w |= table[c] << j
				}
				values[i] = w
			}
		}
		return newBoolean(values, n, valid)
	}
	null := int32(-1)
	if nullLast {
		null = int32(perEntry.Len() - 1)
	}
	codes := append([]int32(nil), Codes(d)...)
	if valid != nil {
		for i := range codes {
			if !valid.has(i) {
				codes[i] = null
			}
		}
	}
	s, ok := perEntry.(*array.String)
	if !ok {
		return Take(perEntry, codes)
	}
	if ok := validityOf(s); ok != nil {
		for i, c := range codes {
			if c >= 0 && !ok.has(int(c)) {
				codes[i] = -1
			}
		}
	}
	return EncodeDictionary(withoutNulls(s), codes)
}
