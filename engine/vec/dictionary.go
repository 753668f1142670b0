package vec

import (
	"math/bits"

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

// Coded is EncodeDictionary where entries may hold NULLs, which no code names.
func Coded(entries *array.String, codes []int32) *array.Dictionary {
	return EncodeDictionary(withoutNulls(entries), codes)
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

// WithNull returns the entries of a dictionary, which hold no NULL, and NULL behind them. The text is shared.
func WithNull(entries *array.String) *array.String {
	n := entries.Len()
	offsets := make([]int32, n+2)
	texts := textsOf(entries)
	copy(offsets, texts.offsets[:n+1])
	offsets[n+1] = offsets[n]
	valid := ones(n + 1)
	valid.clear(n)
	return newText(arrow.BinaryTypes.String, offsets, texts.bytes, valid).(*array.String)
}

// Used returns d with those entries only that rows have, nil if these are more than most.
func Used(d *array.Dictionary, most int) *array.Dictionary {
	codes, valid := Codes(d), validityOf(d)
	// The new code of each old one, from 1, by hash: a dictionary of rows put together may have a thousand times as many entries as d has rows.
	// Where all codes have a place, none shares it, since the factor is odd.
	slots := make([]struct{ code, number int32 }, 1<<bits.Len(uint(min(d.Data().Dictionary().Len(), 2*len(codes)))))
	mask := uint32(len(slots) - 1)
	var used []int32
	out := make([]int32, len(codes))
	for i, c := range codes {
		if valid != nil && !valid.has(i) {
			out[i] = -1
			continue
		}
		at := uint32(c) * 0x9E3779B1 & mask
		for slots[at].number != 0 && slots[at].code != c {
			at = (at + 1) & mask
		}
		if slots[at].number == 0 {
			if len(used) == most {
				return nil
			}
			used = append(used, c)
			slots[at].code, slots[at].number = c, int32(len(used))
		}
		out[i] = slots[at].number - 1
	}
	entries, ok := Take(Entries(d), used).(*array.String)
	if !ok { // too wide
		return nil
	}
	return EncodeDictionary(entries, out)
}

// Combinations are those of the entries, or NULL, of several columns that rows have.
type Combinations struct {
	Len     int
	Columns []arrow.Array // of Len rows, a combination in each
	Codes   []int32       // the combination of each row of the columns
}

// Combine returns the combinations of two columns or more, of equally many rows. ok is false if there could be more than possible, or are more
// than most.
func Combine(columns []*array.Dictionary, possible, most int) (c Combinations, ok bool) {
	n, size := columns[0].Len(), 1
	keys := make([]int32, n)
	for _, d := range columns {
		entries := d.Data().Dictionary().Len()
		if size > possible/(entries+1) {
			return c, false
		}
		size *= entries + 1
		codes, valid := Codes(d), validityOf(d)
		for i, code := range codes {
			if valid != nil && !valid.has(i) {
				code = int32(entries)
			}
			keys[i] = keys[i]*int32(entries+1) + code
		}
	}
	number := make([]int32, size) // by key the combination, from 1
	var rows []int32              // a row of each combination
	for i, key := range keys {
		if number[key] == 0 {
			if len(rows) == most {
				return c, false
			}
			rows = append(rows, int32(i))
			number[key] = int32(len(rows))
		}
		keys[i] = number[key] - 1
	}
	c.Len = len(rows)
	for _, d := range columns {
		c.Columns = append(c.Columns, Plain(Take(d, rows)))
	}
	c.Codes = keys
	return c, true
}

// TakeEntries maps what was computed for each entry of a dictionary to its rows. NULL rows give NULL, or with nullLast the
// last row of perEntry, which then has one row more than there are entries. Text comes dictionary-coded.
func TakeEntries(perEntry arrow.Array, d *array.Dictionary, nullLast bool) arrow.Array {
	if b, ok := perEntry.(*array.Boolean); ok {
		return takeBooleans(b, Codes(d), validityOf(d), nullLast)
	}
	null := int32(-1)
	if nullLast {
		null = int32(perEntry.Len() - 1)
	}
	codes := append([]int32(nil), Codes(d)...)
	if valid := validityOf(d); valid != nil {
		for i := range codes {
			if !valid.has(i) {
				codes[i] = null
			}
		}
	}
	return takeCoded(perEntry, codes, nullLast || NullCount(d) == 0)
}

// Shared returns text in a form of which TakeEntries gives all batches one dictionary; other values as they are.
func Shared(perEntry arrow.Array) arrow.Array {
	s, ok := perEntry.(*array.String)
	if !ok {
		return perEntry
	}
	codes, valid := make([]int32, s.Len()), validityOf(s)
	for i := range codes {
		if codes[i] = int32(i); valid != nil && !valid.has(i) {
			codes[i] = -1
		}
	}
	return EncodeDictionary(withoutNulls(s), codes)
}

// TakeCodes is TakeEntries for the codes of rows of which none is NULL; they are kept, not copied.
func TakeCodes(perEntry arrow.Array, codes []int32) arrow.Array {
	if b, ok := perEntry.(*array.Boolean); ok {
		return takeBooleans(b, codes, nil, false)
	}
	return takeCoded(perEntry, codes, true)
}

// takeCoded is Take with text dictionary-coded; all says that no code is negative.
func takeCoded(perEntry arrow.Array, codes []int32, all bool) arrow.Array {
	s, ok := perEntry.(*array.String)
	if !ok {
		if all && perEntry.Len() > 0 && NullCount(perEntry) == 0 { // no row is NULL
			switch t := perEntry.DataType(); t.ID() {
			case arrow.INT32, arrow.DATE32:
				return newFixed(t, eachCode(fixed[int32](perEntry), codes), nil)
			case arrow.INT64, arrow.TIMESTAMP, arrow.FLOAT64:
				return newFixed(t, eachCode(fixed[int64](perEntry), codes), nil)
			}
		}
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

func eachCode[T any](entries []T, codes []int32) []T {
	out := make([]T, len(codes))
	for i, c := range codes {
		out[i] = entries[c]
	}
	return out
}

// takeBooleans is TakeEntries of conditions, eight rows at a time. Rows that are not in present, nil for all, are NULL.
func takeBooleans(b *array.Boolean, codes []int32, present bitmap, nullLast bool) arrow.Array {
	n, entries := len(codes), b.Len()
	// per entry, and behind them for a NULL row: bit 0 is the value, bit 1 says that it is not NULL
	table := make([]byte, entries+1)
	values, known := valuesOf(b), validityOf(b)
	for i := range entries {
		if known == nil || known.has(i) {
			table[i] = 2
			if values.has(i) {
				table[i] = 3
			}
		}
	}
	if nullLast {
		table[entries] = table[entries-1]
	}
	out, valid := newBitmap(n), newBitmap(n)
	for i := range out {
		var w, v byte
		p := byte(0xff)
		if present != nil {
			p = present[i]
		}
		for j, c := range codes[i*8 : min(i*8+8, n)] {
			at := int(c)
			if p>>j&1 == 0 {
				at = entries
			}
			w |= (table[at] & 1) << j
			v |= (table[at] >> 1) << j
		}
		out[i], valid[i] = w, v
	}
	if known == nil && (present == nil || nullLast) {
		valid = nil
	}
	return newBoolean(out, n, valid)
}
