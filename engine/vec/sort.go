package vec

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// SortKey is one column of an order. NULLs come last unless NullsFirst, whatever the direction. NaN is the largest double.
type SortKey struct {
	Arr        arrow.Array
	Desc       bool
	NullsFirst bool
}

// Sort returns the rows 0 … n-1 in the order of the keys; rows that are equal keep their order.
//
// Each key is turned into numbers that sort alike (rankKey). Where those tell all there is, the rows are sorted by radix, one
// key after the other from the last to the first; else most comparisons touch two machine words.
func Sort(keys []SortKey, n int) []int32 {
	ranked := make([]rankedKey, len(keys))
	exact := true
	for i, k := range keys {
		ranked[i] = rankKey(k)
		exact = exact && ranked[i].exact
	}
	items := make([]ranking, n)
	for i := range items {
		items[i].row = int32(i)
	}
	const fewRows = 128 // then comparing is faster than counting
	switch {
	case len(keys) == 0:
	case exact && n > fewRows:
		items = sortByRadix(ranked, items)
	default:
		sortByComparison(ranked, items)
	}
	rows := make([]int32, n)
	for i, it := range items {
		rows[i] = it.row
	}
	return rows
}

// ranking is a row with its rank by one key.
type ranking struct {
	rank uint64
	row  int32
	null int8
}

func sortByComparison(keys []rankedKey, items []ranking) {
	first, others := &keys[0], keys[1:]
	for i := range items {
		if items[i].null = first.null(i); items[i].null == 0 {
			items[i].rank = first.ranks[i]
		}
	}
	slices.SortFunc(items, func(a, b ranking) int {
		switch {
		case a.null != b.null:
			return int(a.null) - int(b.null)
		case a.rank < b.rank:
			return -1
		case a.rank > b.rank:
			return 1
		}
		if !first.exact && a.null == 0 {
			if c := first.compareValues(int(a.row), int(b.row)); c != 0 {
				return c
			}
		}
		for i := range others {
			if c := others[i].compare(int(a.row), int(b.row)); c != 0 {
				return c
			}
		}
		return int(a.row) - int(b.row)
	})
}

// sortByRadix sorts by each key, the last first; every pass keeps the order of what is equal. Bytes that are the same in
// all ranks need no pass. The result is in either of the two slices.
func sortByRadix(keys []rankedKey, items []ranking) []ranking {
	other := make([]ranking, len(items))
	for k := len(keys) - 1; k >= 0; k-- {
		key := &keys[k]
		varying, nulls := uint64(0), false
		for i := range items {
			it := &items[i]
			it.rank, it.null = key.ranks[it.row], key.null(int(it.row))
			if it.null != 0 {
				it.rank, nulls = 0, true
			}
			varying |= it.rank ^ items[0].rank
		}
		for shift := 0; shift < 64; shift += 8 {
			if varying>>shift&0xff == 0 {
				continue
			}
			var starts [256]int
			for i := range items {
				starts[items[i].rank>>shift&0xff]++
			}
			sum := 0
			for d, count := range starts {
				starts[d] = sum
				sum += count
			}
			for _, it := range items {
				d := it.rank >> shift & 0xff
				other[starts[d]] = it
				starts[d]++
			}
			items, other = other, items
		}
		if nulls {
			at := 0
			for place := int8(-1); place <= 1; place++ {
				for _, it := range items {
					if it.null == place {
						other[at] = it
						at++
					}
				}
			}
			items, other = other, items
		}
	}
	return items
}

// rankedKey is a sort key as numbers: a lower rank sorts earlier. Unless exact, rows of equal rank must be compared
// by their values.
type rankedKey struct {
	SortKey
	valid bitmap
	ranks []uint64
	exact bool
	text  *texts // for values that are text
}

// null returns the place of a row's nullness in the order: -1 before the values, 0 a value, 1 behind them.
func (k *rankedKey) null(row int) int8 {
	switch {
	case k.valid == nil || k.valid.has(row):
		return 0
	case k.NullsFirst:
		return -1
	}
	return 1
}

func (k *rankedKey) compare(i, j int) int {
	ni, nj := k.null(i), k.null(j)
	if ni != nj || ni != 0 {
		return int(ni) - int(nj)
	}
	if c := cmp.Compare(k.ranks[i], k.ranks[j]); c != 0 || k.exact {
		return c
	}
	return k.compareValues(i, j)
}

func (k *rankedKey) compareValues(i, j int) int {
	var c int
	if k.text != nil {
		c = bytes.Compare(k.text.at(i), k.text.at(j))
	} else {
		c = compareValid(k.Arr, i, k.Arr, j)
	}
	if k.Desc {
		return -c
	}
	return c
}

func rankKey(key SortKey) rankedKey {
	a := key.Arr
	k := rankedKey{SortKey: key, valid: validityOf(a), ranks: make([]uint64, a.Len()), exact: true}
	switch t := a.DataType(); t.ID() {
	case arrow.BOOL:
		for _, r := range valuesOf(a.(*array.Boolean)).rows(a.Len()) {
			k.ranks[r] = 1
		}
	case arrow.INT8:
		rankInts(fixed[int8](a), k.ranks)
	case arrow.INT16:
		rankInts(fixed[int16](a), k.ranks)
	case arrow.INT32, arrow.DATE32:
		rankInts(fixed[int32](a), k.ranks)
	case arrow.INT64, arrow.TIME64, arrow.TIMESTAMP:
		rankInts(fixed[int64](a), k.ranks)
	case arrow.FLOAT32:
		for i, v := range fixed[float32](a) {
			k.ranks[i] = rankFloat(float64(v))
		}
	case arrow.FLOAT64:
		for i, v := range fixed[float64](a) {
			k.ranks[i] = rankFloat(v)
		}
	case arrow.DECIMAL128:
		for i, v := range fixed[decimal128.Num](a) {
			k.ranks[i] = uint64(v.HighBits()) ^ 1<<63
		}
		k.exact = false
	case arrow.DICTIONARY:
		rankDictionary(a.(*array.Dictionary), &k)
	case arrow.STRING, arrow.BINARY:
		rankTexts(a, &k)
	case arrow.STRUCT:
		if isInstant(t) {
			k = rankKey(SortKey{instants(a), key.Desc, key.NullsFirst})
			return k
		}
		k.exact = false
	default:
		k.exact = false
	}
	if key.Desc {
		for i := range k.ranks {
			k.ranks[i] = ^k.ranks[i]
		}
	}
	return k
}

func rankInts[T int8 | int16 | int32 | int64](values []T, ranks []uint64) {
	for i, v := range values {
		ranks[i] = uint64(int64(v)) ^ 1<<63
	}
}

// rankFloat maps doubles to numbers of the same order: -0.0 with 0.0, NaN last.
func rankFloat(v float64) uint64 {
	b := floatKey(v)
	switch {
	case v != v:
		return math.MaxUint64
	case b>>63 != 0:
		return ^b
	}
	return b | 1<<63
}

// rankTexts ranks text by the eight bytes behind what all rows start with: times and ids of one day share much.
func rankTexts(a arrow.Array, k *rankedKey) {
	t := textsOf(a)
	k.text, k.exact = &t, false
	var common []byte
	first := true
	for i := range k.ranks {
		if k.valid != nil && !k.valid.has(i) {
			continue
		}
		s := t.at(i)
		if first {
			common, first = s, false
			continue
		}
		n := 0
		for n < len(common) && n < len(s) && common[n] == s[n] {
			n++
		}
		common = common[:n]
	}
	for i := range k.ranks {
		if k.valid != nil && !k.valid.has(i) {
			continue
		}
		var eight [8]byte
		copy(eight[:], t.at(i)[len(common):])
		k.ranks[i] = binary.BigEndian.Uint64(eight[:])
	}
}

// rankDictionary sorts the entries once and ranks the rows by their codes, unless there are more entries than rows.
func rankDictionary(d *array.Dictionary, k *rankedKey) {
	if d.Len() == 0 {
		return
	}
	entries := Entries(d)
	if entries.Len() > d.Len() {
		rankTexts(d, k)
		return
	}
	order := Sort([]SortKey{{Arr: entries}}, entries.Len())
	t := textsOf(entries)
	ranks := make([]uint64, entries.Len())
	for i := 1; i < len(order); i++ {
		ranks[order[i]] = ranks[order[i-1]]
		if !bytes.Equal(t.at(int(order[i])), t.at(int(order[i-1]))) {
			ranks[order[i]]++
		}
	}
	for i, c := range Codes(d) {
		if k.valid == nil || k.valid.has(i) {
			k.ranks[i] = ranks[c]
		}
	}
}

// CompareRows orders two values of one SQL type as Sort does: negative if the first comes earlier.
func CompareRows(a arrow.Array, i int, b arrow.Array, j int, desc, nullsFirst bool) int {
	aok, bok := IsValid(a, i), IsValid(b, j)
	if !aok || !bok {
		c := 0
		switch {
		case aok:
			c = -1
		case bok:
			c = 1
		}
		if nullsFirst {
			return -c
		}
		return c
	}
	c := compareValid(a, i, b, j)
	if desc {
		return -c
	}
	return c
}

// compareValid compares two values that are not NULL. Arrays compare element by element, then by length; rows field by
// field; NULLs inside are the largest. Maps have no order in SQL; theirs is by entries, so that sorting is total.
func compareValid(a arrow.Array, i int, b arrow.Array, j int) int {
	switch a := a.(type) {
	case *array.Boolean:
		x, y := a.Value(i), b.(*array.Boolean).Value(j)
		switch {
		case x == y:
			return 0
		case y:
			return -1
		}
		return 1
	case *array.Int8:
		return cmp.Compare(a.Value(i), b.(*array.Int8).Value(j))
	case *array.Int16:
		return cmp.Compare(a.Value(i), b.(*array.Int16).Value(j))
	case *array.Int32:
		return cmp.Compare(a.Value(i), b.(*array.Int32).Value(j))
	case *array.Int64:
		return cmp.Compare(a.Value(i), b.(*array.Int64).Value(j))
	case *array.Date32:
		return cmp.Compare(a.Value(i), b.(*array.Date32).Value(j))
	case *array.Time64:
		return cmp.Compare(a.Value(i), b.(*array.Time64).Value(j))
	case *array.Timestamp:
		return cmp.Compare(a.Value(i), b.(*array.Timestamp).Value(j))
	case *array.Float32:
		return cmp.Compare(rankFloat(float64(a.Value(i))), rankFloat(float64(b.(*array.Float32).Value(j))))
	case *array.Float64:
		return cmp.Compare(rankFloat(a.Value(i)), rankFloat(b.(*array.Float64).Value(j)))
	case *array.Decimal128:
		return a.Value(i).Cmp(b.(*array.Decimal128).Value(j))
	case *array.String, *array.Binary, *array.Dictionary:
		return bytes.Compare(textAt(a, i), textAt(b, j))
	case *array.List:
		return compareLists(a, i, b.(*array.List), j)
	case *array.Map:
		return compareLists(a.List, i, b.(*array.Map).List, j)
	case *array.Struct:
		b := b.(*array.Struct)
		if isInstant(a.DataType()) {
			return compareValid(a.Field(0), i, b.Field(0), j)
		}
		for k := range a.NumField() {
			if c := CompareRows(a.Field(k), i, b.Field(k), j, false, false); c != 0 {
				return c
			}
		}
		return 0
	}
	panic(fmt.Sprintf("vec: no order of %s", a.DataType()))
}

func compareLists(a *array.List, i int, b *array.List, j int) int {
	from, to := a.ValueOffsets(i)
	start, end := b.ValueOffsets(j)
	for k := range int(min(to-from, end-start)) {
		if c := CompareRows(a.ListValues(), int(from)+k, b.ListValues(), int(start)+k, false, false); c != 0 {
			return c
		}
	}
	return cmp.Compare(to-from, end-start)
}
