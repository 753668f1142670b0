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
func Sort(keys []SortKey, n int) []int32 { return SortFirst(keys, n, n) }

// SortFirst returns the first rows of Sort, most of them (all, where there are fewer). It costs less than to sort all.
//
// Each key is turned into numbers that sort alike. The rows are sorted by radix on those of the first key; then each run of rows whose
// numbers are equal on the next ones: of the bytes that follow, if the key is text, else of the next key.
func SortFirst(keys []SortKey, n, most int) []int32 {
	most = min(most, n)
	s := sorter{keys: make([]rankedKey, len(keys)), spare: make([]ranking, n)}
	for i, k := range keys {
		s.keys[i] = rankKey(k)
	}
	items := make([]ranking, n)
	for i := range items {
		items[i].row = int32(i)
	}
	s.sort(items, 0, 0, most)
	rows := make([]int32, most)
	for i := range rows {
		rows[i] = items[i].row
	}
	return rows
}

// ranking is a row with its rank by one key.
type ranking struct {
	rank uint64
	row  int32
	null int8
}

// compareRankings compares by the key alone.
func compareRankings(a, b ranking) int {
	switch {
	case a.null != b.null:
		return int(a.null) - int(b.null)
	case a.rank < b.rank:
		return -1
	case a.rank > b.rank:
		return 1
	}
	return 0
}

// sorter sorts rows by keys.
type sorter struct {
	keys  []rankedKey
	spare []ranking // as many as rows
}

const (
	fewRows  = 16  // comparing values is faster than ranking them
	someRows = 256 // comparing ranks is faster than counting them
)

// sort brings items, which are equal by the keys before the k-th and in the first skip bytes of that one, into order: the first most
// of them, the others may get lost. Equal rows keep their order.
func (s *sorter) sort(items []ranking, k, skip, most int) {
	if len(items) < 2 || most <= 0 || k == len(s.keys) {
		return
	}
	key := &s.keys[k]
	if len(items) <= fewRows || key.text == nil && !key.exact {
		s.compare(items, k)
		return
	}
	if key.text != nil {
		skip = key.rankTexts(items, skip)
	} else {
		key.rank(items)
	}
	if most < len(items)/4 {
		items = s.narrow(items, most)
	}
	if len(items) <= someRows {
		slices.SortStableFunc(items, compareRankings)
	} else {
		s.radix(items)
	}
	for from := 0; from < min(most, len(items)); {
		to := from + 1
		for to < len(items) && compareRankings(items[from], items[to]) == 0 {
			to++
		}
		if key.text != nil && items[from].null == 0 && key.goesOn(items[from].rank) {
			s.sort(items[from:to], k, skip+rankedBytes, most-from)
		} else {
			s.sort(items[from:to], k+1, 0, most-from)
		}
		from = to
	}
}

// compare sorts by the values of the keys from the k-th on.
func (s *sorter) compare(items []ranking, k int) {
	slices.SortFunc(items, func(a, b ranking) int {
		for i := k; i < len(s.keys); i++ {
			if c := s.keys[i].compare(int(a.row), int(b.row)); c != 0 {
				return c
			}
		}
		return int(a.row) - int(b.row)
	})
}

// narrow returns the items that are among the first most by rank, or equal to the last of these; their order stays.
func (s *sorter) narrow(items []ranking, most int) []ranking {
	last := nth(append(s.spare[:0], items...), most-1)
	kept := items[:0]
	for _, it := range items {
		if compareRankings(it, last) <= 0 {
			kept = append(kept, it)
		}
	}
	return kept
}

// nth returns what stands at place n once items are sorted by rank; it mixes them up (quickselect, C. A. R. Hoare's "Find").
func nth(items []ranking, n int) ranking {
	for {
		first, middle, last := items[0], items[len(items)/2], items[len(items)-1]
		pivot := slices.MaxFunc([]ranking{slices.MinFunc([]ranking{first, middle}, compareRankings),
			slices.MinFunc([]ranking{slices.MaxFunc([]ranking{first, middle}, compareRankings), last}, compareRankings)}, compareRankings)
		less, more := 0, len(items) // items[:less] < pivot, items[more:] > pivot
		for i := 0; i < more; {
			switch c := compareRankings(items[i], pivot); {
			case c < 0:
				items[less], items[i] = items[i], items[less]
				less++
				i++
			case c > 0:
				more--
				items[more], items[i] = items[i], items[more]
			default:
				i++
			}
		}
		switch {
		case n < less:
			items = items[:less]
		case n >= more:
			items, n = items[more:], n-more
		default:
			return pivot
		}
	}
}

// radix sorts by rank; every pass keeps the order of what is equal. Bytes that are the same in all ranks need no pass.
func (s *sorter) radix(items []ranking) {
	from, to := items, s.spare[:len(items)]
	varying, nulls := uint64(0), false
	for i := range items {
		varying |= items[i].rank ^ items[0].rank
		nulls = nulls || items[i].null != 0
	}
	for shift := 0; shift < 64; shift += 8 {
		if varying>>shift&0xff == 0 {
			continue
		}
		var starts [256]int
		for i := range from {
			starts[from[i].rank>>shift&0xff]++
		}
		sum := 0
		for d, count := range starts {
			starts[d] = sum
			sum += count
		}
		for _, it := range from {
			d := it.rank >> shift & 0xff
			to[starts[d]] = it
			starts[d]++
		}
		from, to = to, from
	}
	if nulls {
		at := 0
		for place := int8(-1); place <= 1; place++ {
			for _, it := range from {
				if it.null == place {
					to[at] = it
					at++
				}
			}
		}
		from = to
	}
	if &from[0] != &items[0] {
		copy(items, from)
	}
}

// rankedKey is a sort key as numbers: a lower rank sorts earlier. Unless exact, rows of equal rank must be compared
// by their values. Text is ranked as it is sorted (rankTexts).
type rankedKey struct {
	SortKey
	valid bitmap
	ranks []uint64 // nil for text
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
	if k.ranks != nil {
		if c := cmp.Compare(k.ranks[i], k.ranks[j]); c != 0 || k.exact {
			return c
		}
	}
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
	k := rankedKey{SortKey: key, valid: validityOf(a), exact: true}
	switch t := a.DataType(); t.ID() {
	case arrow.STRING, arrow.BINARY:
		return k.asText()
	case arrow.DICTIONARY:
		if Entries(a.(*array.Dictionary)).Len() > a.Len() {
			return k.asText()
		}
	case arrow.STRUCT:
		if isInstant(t) {
			return rankKey(SortKey{instants(a), key.Desc, key.NullsFirst})
		}
	}
	k.ranks = make([]uint64, a.Len())
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

// rank sets the ranks of items.
func (k *rankedKey) rank(items []ranking) {
	for i := range items {
		it := &items[i]
		it.rank, it.null = 0, k.null(int(it.row))
		if it.null == 0 {
			it.rank = k.ranks[it.row]
		}
	}
}

// rankedBytes is how many bytes of a text are in its rank, above a byte that says how many are left of it, these included: 8 for more.
const rankedBytes = 7

// rankTexts sets the ranks of items, which are equal in their first skip bytes, by the bytes that follow what they have in common: times and
// ids of one day share much. It returns where those bytes begin.
func (k *rankedKey) rankTexts(items []ranking, skip int) int {
	var common []byte
	first := true
	for i := range items {
		it := &items[i]
		it.rank, it.null = 0, k.null(int(it.row))
		if it.null != 0 {
			continue
		}
		s := k.text.at(int(it.row))[skip:]
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
	skip += len(common)
	for i := range items {
		it := &items[i]
		if it.null != 0 {
			continue
		}
		s := k.text.at(int(it.row))[skip:]
		if len(s) > rankedBytes {
			it.rank = binary.BigEndian.Uint64(s)&^0xff | rankedBytes + 1
		} else {
			var eight [8]byte
			copy(eight[:], s)
			eight[rankedBytes] = byte(len(s))
			it.rank = binary.BigEndian.Uint64(eight[:])
		}
		if k.Desc {
			it.rank = ^it.rank
		}
	}
	return skip
}

// goesOn reports whether a text of this rank has more bytes than the rank.
func (k *rankedKey) goesOn(rank uint64) bool {
	if k.Desc {
		rank = ^rank
	}
	return rank&0xff > rankedBytes
}

// asText is a key whose values are ranked as they are sorted.
func (k rankedKey) asText() rankedKey {
	t := textsOf(k.Arr)
	k.text, k.exact = &t, false
	return k
}

// rankDictionary sorts the entries once and ranks the rows by their codes.
func rankDictionary(d *array.Dictionary, k *rankedKey) {
	if d.Len() == 0 {
		return
	}
	entries := Entries(d)
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
