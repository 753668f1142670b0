package vec

import (
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/trailql/trailql/engine/sqlerr"
)

// Concat puts arrays of one SQL type, at least one, behind each other. Text may come plain and dictionary-coded; if any is
// dictionary-coded and the entries are no more than the rows, or of one dictionary, the result is. Arrays of type unknown count as NULLs of the others' type.
// More than 2 GiB of text, or 2^31-1 elements, is an error of kind Resource.
func Concat(arrays []arrow.Array) (arrow.Array, error) {
	if len(arrays) == 1 {
		return arrays[0], nil
	}
	n := 0
	form, coded := arrow.Null, false
	for _, a := range arrays {
		n += a.Len()
		switch a.DataType().ID() {
		case arrow.NULL:
		case arrow.DICTIONARY:
			coded = true
			if form.ID() == arrow.NULL {
				form = arrow.BinaryTypes.String
			}
		default:
			form = a.DataType()
		}
	}
	if coded {
		if out := concatCodes(arrays, n); out != nil {
			return out, nil
		}
		if out := concatDistinct(arrays, n); out != nil {
			return out, nil
		}
		plain := make([]arrow.Array, len(arrays))
		for i, a := range arrays {
			if err := Fits(plainBytes(a), "bytes of text"); err != nil {
				return nil, err
			}
			plain[i] = Plain(a)
		}
		arrays = plain
	}
	valid := concatValidity(arrays, n)
	switch form.ID() {
	case arrow.NULL:
		return array.NewNull(n), nil
	case arrow.BOOL:
		values, at := newBitmap(n), 0
		for _, a := range arrays {
			if b, ok := a.(*array.Boolean); ok && b.Len() > 0 {
				bitutil.CopyBitmap(b.Data().Buffers()[1].Bytes(), b.Data().Offset(), b.Len(), values, at)
			}
			at += a.Len()
		}
		return newBoolean(values, n, valid), nil
	case arrow.INT8:
		return concatFixed[int8](form, arrays, n, valid), nil
	case arrow.INT16:
		return concatFixed[int16](form, arrays, n, valid), nil
	case arrow.INT32, arrow.DATE32, arrow.FLOAT32:
		return concatFixed[int32](form, arrays, n, valid), nil
	case arrow.INT64, arrow.TIME64, arrow.TIMESTAMP, arrow.FLOAT64:
		return concatFixed[int64](form, arrays, n, valid), nil
	case arrow.DECIMAL128:
		return concatFixed[decimal128.Num](form, arrays, n, valid), nil
	case arrow.STRING, arrow.BINARY:
		return concatText(form, arrays, n, valid)
	case arrow.LIST, arrow.MAP:
		return concatLists(form, arrays, n, valid)
	case arrow.STRUCT:
		fields := make([]arrow.Array, form.(*arrow.StructType).NumFields())
		for f := range fields {
			parts := make([]arrow.Array, len(arrays))
			for i, a := range arrays {
				if s, ok := a.(*array.Struct); ok {
					parts[i] = s.Field(f)
				} else {
					parts[i] = array.NewNull(a.Len())
				}
			}
			var err error
			if fields[f], err = Concat(parts); err != nil {
				return nil, err
			}
			if fields[f].DataType().ID() == arrow.NULL {
				fields[f] = Take(empty(form.(*arrow.StructType).Field(f).Type), nullRows(n))
			}
		}
		return newStruct(form, n, fields, valid), nil
	}
	panic(fmt.Sprintf("vec: arrays of %s cannot be put together", form))
}

// ConcatBatches puts batches of the same columns, at least one, behind each other. Columns that are nil stay nil.
func ConcatBatches(bs []Batch) (Batch, error) {
	if len(bs) == 1 {
		return bs[0], nil
	}
	out := Batch{Cols: make([]arrow.Array, len(bs[0].Cols))}
	for _, b := range bs {
		out.Len += b.Len
	}
	parts := make([]arrow.Array, len(bs))
	for c := range out.Cols {
		if bs[0].Cols[c] == nil {
			continue
		}
		for i, b := range bs {
			parts[i] = b.Cols[c]
		}
		var err error
		if out.Cols[c], err = Concat(parts); err != nil {
			return Batch{}, err
		}
	}
	return out, nil
}

// plainBytes returns the bytes of text that Plain(a) would hold.
func plainBytes(a arrow.Array) int64 {
	d, ok := a.(*array.Dictionary)
	if !ok || d.Len() == 0 {
		return 0
	}
	valid, entries, total := validityOf(d), textsOf(Entries(d)), int64(0)
	for i, c := range Codes(d) {
		if valid == nil || valid.has(i) {
			total += int64(entries.offsets[c+1] - entries.offsets[c])
		}
	}
	return total
}

func nullRows(n int) []int32 {
	rows := make([]int32, n)
	for i := range rows {
		rows[i] = -1
	}
	return rows
}

// Fits is an error of kind Resource where n, so many of what, are more than a column may have.
func Fits(n int64, what string) error {
	if n <= math.MaxInt32 {
		return nil
	}
	return sqlerr.New(sqlerr.Resource, 0, "a column of %d %s passes the limit of %d", n, what, math.MaxInt32).
		WithHint("select fewer or narrower columns, or filter more rows")
}

func concatValidity(arrays []arrow.Array, n int) bitmap {
	var valid bitmap
	at := 0
	for _, a := range arrays {
		if v := validityOf(a); v != nil {
			if valid == nil {
				valid = ones(n)
			}
			bitutil.CopyBitmap(v, 0, a.Len(), valid, at)
		}
		at += a.Len()
	}
	return valid
}

func concatFixed[T arrow.FixedWidthType](form arrow.DataType, arrays []arrow.Array, n int, valid bitmap) arrow.Array {
	out := make([]T, n)
	at := 0
	for _, a := range arrays {
		if a.DataType().ID() != arrow.NULL {
			copy(out[at:], fixed[T](a))
		}
		at += a.Len()
	}
	return newFixed(form, out, valid)
}

func concatText(form arrow.DataType, arrays []arrow.Array, n int, valid bitmap) (arrow.Array, error) {
	total := int64(0)
	for _, a := range arrays {
		if a.Len() > 0 && a.DataType().ID() != arrow.NULL {
			offsets := textsOf(a).offsets
			total += int64(offsets[a.Len()] - offsets[0])
		}
	}
	if err := Fits(total, "bytes of text"); err != nil {
		return nil, err
	}
	offsets, text := make([]int32, 1, n+1), make([]byte, 0, total)
	for _, a := range arrays {
		at := int32(len(text))
		if a.Len() == 0 || a.DataType().ID() == arrow.NULL {
			for range a.Len() {
				offsets = append(offsets, at)
			}
			continue
		}
		t := textsOf(a)
		shift := at - t.offsets[0]
		for _, o := range t.offsets[1 : a.Len()+1] {
			offsets = append(offsets, o+shift)
		}
		text = append(text, t.bytes[t.offsets[0]:t.offsets[a.Len()]]...)
	}
	return newText(form, offsets, text, valid), nil
}

func concatLists(form arrow.DataType, arrays []arrow.Array, n int, valid bitmap) (arrow.Array, error) {
	offsets := make([]int32, 1, n+1)
	var parts []arrow.Array
	total := int64(0)
	for _, a := range arrays {
		if a.Len() == 0 || a.DataType().ID() == arrow.NULL {
			for range a.Len() {
				offsets = append(offsets, int32(total))
			}
			continue
		}
		from, elems := listOffsets(a)
		for _, o := range from[1:] {
			offsets = append(offsets, int32(total)+o-from[0])
		}
		total += int64(from[len(from)-1] - from[0])
		if err := Fits(total, "elements"); err != nil {
			return nil, err
		}
		parts = append(parts, Slice(elems, int(from[0]), int(from[len(from)-1])))
	}
	if len(parts) == 0 {
		return Take(empty(form), nullRows(n)), nil
	}
	elems, err := Concat(parts)
	if err != nil {
		return nil, err
	}
	return newList(form, offsets, elems, valid), nil
}

// concatCodes is Concat for text of which some is dictionary-coded: the dictionaries, each once, are put behind each other and
// plain arrays serve as dictionaries of their own. It returns nil where that would be more entries than rows, or too much text; but one dictionary
// alone, which is not copied, may be of any size.
func concatCodes(arrays []arrow.Array, n int) arrow.Array {
	starts := map[arrow.ArrayData]int32{} // by dictionary
	var dictionaries []arrow.Array
	entries, bytes := 0, int64(0)
	add := func(key arrow.ArrayData, a *array.String) {
		starts[key] = int32(entries)
		dictionaries = append(dictionaries, a)
		entries += a.Len()
		bytes += Size(a)
	}
	for _, a := range arrays {
		if a.Len() == 0 {
			continue
		}
		switch a := a.(type) {
		case *array.Dictionary:
			if _, ok := starts[a.Data().Dictionary()]; !ok {
				add(a.Data().Dictionary(), Entries(a))
			}
		case *array.String:
			add(a.Data(), withoutNulls(a))
		}
		if len(dictionaries) > 1 && (entries > n || bytes > math.MaxInt32) {
			return nil
		}
	}
	codes := make([]int32, n)
	at := 0
	for _, a := range arrays {
		part := codes[at : at+a.Len()]
		at += a.Len()
		valid := validityOf(a)
		switch a := a.(type) {
		case *array.Dictionary:
			start := starts[a.Data().Dictionary()]
			for i, c := range Codes(a) {
				part[i] = start + c
			}
		case *array.String:
			start := starts[a.Data()]
			for i := range part {
				part[i] = start + int32(i)
			}
		}
		if valid != nil {
			for i := range part {
				if !valid.has(i) {
					part[i] = -1
				}
			}
		}
	}
	if len(dictionaries) == 0 {
		return EncodeDictionary(empty(arrow.BinaryTypes.String).(*array.String), codes)
	}
	all, err := Concat(dictionaries)
	if err != nil {
		return nil
	}
	return EncodeDictionary(all.(*array.String), codes)
}

// concatDistinct is Concat for dictionary-coded text whose dictionaries have more entries than there are rows, as where a few rows of each of
// many files are left: each text that rows have becomes an entry. It returns nil where texts hardly repeat, or not all are coded.
func concatDistinct(arrays []arrow.Array, n int) arrow.Array {
	const look = 4096 // rows that show it
	ids := map[string]int32{}
	var distinct []string
	bytes := 0
	codes := make([]int32, 0, n)
	for _, a := range arrays {
		if a.Len() == 0 {
			continue
		}
		d, ok := a.(*array.Dictionary)
		if !ok && a.DataType().ID() != arrow.NULL {
			return nil
		}
		if !ok {
			codes = append(codes, nullRows(a.Len())...)
			continue
		}
		valid, texts := validityOf(d), textsOf(d)
		for i := range a.Len() {
			if valid != nil && !valid.has(i) {
				codes = append(codes, -1)
				continue
			}
			text := texts.text(i)
			id, known := ids[text]
			if !known {
				id = int32(len(distinct))
				ids[text] = id
				distinct = append(distinct, text)
				bytes += len(text)
			}
			codes = append(codes, id)
			if len(codes) == look && len(distinct) > look/2 {
				return nil
			}
		}
	}
	if len(distinct) > n/2 || bytes > math.MaxInt32 {
		return nil
	}
	offsets, all := make([]int32, 1, len(distinct)+1), make([]byte, 0, bytes)
	for _, text := range distinct {
		all = append(all, text...)
		offsets = append(offsets, int32(len(all)))
	}
	return EncodeDictionary(newText(arrow.BinaryTypes.String, offsets, all, nil).(*array.String), codes)
}
