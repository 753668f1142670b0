package vec

import (
	"bytes"
	"cmp"
	"fmt"
	"math/bits"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// SortKey is one column of an order. NULLs come last unless NullsFirst, whatever the direction. NaN is the largest double.
type SortKey struct {
	Arr        arrow.Array
	Desc       bool
	NullsFirst bool
}

// Team does pieces of work, numbered from 0 on, in any order and maybe at once; it returns when all are done. One that gives up early leaves
// the result undefined.
type Team func(pieces int, do func(piece int))

// Alone does the pieces one after the other.
func Alone(pieces int, do func(piece int)) {
	for piece := range pieces {
		do(piece)
	}
}

// Sort returns the rows 0 … n-1 in the order of the keys; rows that are equal keep their order.
func Sort(keys []SortKey, n int) []int32 { return SortFirst(keys, n, n) }

// SortFirst returns the first rows of Sort, most of them (all, where there are fewer). It costs less than to sort all.
func SortFirst(keys []SortKey, n, most int) []int32 { return SortByTeam(keys, n, most, Alone) }

// SortByTeam is SortFirst with a team at work.
//
// Each row gets a rank: a word that holds, from the left, as much of its keys as there is room for, packed so that only what differs between
// the rows takes room (pack.go). The rows are sorted by rank. Rows of equal rank get a new one, of what the first had no room for.
func SortByTeam(keys []SortKey, n, most int, team Team) []int32 {
	most = min(most, n)
	s := sorter{keys: make([]rankedKey, len(keys)), team: team}
	for i, k := range keys {
		s.keys[i] = rankKey(k, team)
	}
	items, spare := make([]ranking, n), make([]ranking, n)
	team(pieces(n), func(piece int) {
		for i := piece * pieceRows; i < min((piece+1)*pieceRows, n); i++ {
			items[i].row = int32(i)
		}
	})
	s.sort(items, spare, 0, 0, most)
	rows := make([]int32, most)
	for i := range rows {
		rows[i] = items[i].row
	}
	return rows
}

// ranking is a row with its rank by the keys at hand.
type ranking struct {
	rank uint64
	row  int32
}

// sorter sorts rows by keys.
type sorter struct {
	keys []rankedKey
	team Team
}

const (
	fewRows   = 12      // comparing values is faster than ranking them
	someRows  = 256     // merging is faster than counting
	manyRows  = 1 << 14 // they leave the cache: dealing them out by their first digits is faster than passing over all of them again and again
	pieceRows = 1 << 15 // of the work of a team
)

func pieces(n int) int { return (n + pieceRows - 1) / pieceRows }

// sort brings items, which are equal by the keys before the k-th and in the first skip bytes of that one, into order: the first most
// of them, the others may get lost. Equal rows keep their order. spare is as long as items.
func (s *sorter) sort(items, spare []ranking, k, skip, most int) {
	if len(items) < 2 || most <= 0 || k == len(s.keys) {
		return
	}
	if len(items) <= fewRows {
		s.compare(items, k)
		return
	}
	team := s.team
	if len(items) < 2*pieceRows {
		team = Alone
	}
	w := s.pack(items, k, skip, team)
	if w.width == 0 && w.next == k && w.skip == skip { // nothing that could be packed
		s.compare(items, k)
		return
	}
	if most < len(items)/4 {
		items = firstOf(items, spare, most)
		spare = spare[:len(items)]
	}
	if len(items) < manyRows {
		if rankedSort(items, spare, false) {
			s.finish(items, spare, w, most)
		}
		return
	}
	starts := deal(items, spare, team)
	alone := &sorter{keys: s.keys, team: Alone} // a piece of work is not divided again
	team(len(starts)-1, func(piece int) {
		from, to := starts[piece], starts[piece+1]
		if from < most {
			rankedSort(spare[from:to], items[from:to], true)
			alone.finish(items[from:to], spare[from:to], w, most-from)
		}
	})
}

// finish sorts runs of equal rank by what the rank does not hold.
func (s *sorter) finish(items, spare []ranking, w word, most int) {
	if w.next == len(s.keys) {
		return
	}
	for from := 0; from < min(most, len(items)); {
		to := from + 1
		for to < len(items) && items[from].rank == items[to].rank {
			to++
		}
		s.sort(items[from:to], spare[from:to], w.next, w.skip, most-from)
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

// firstOf returns the items that are among the first most by rank, or equal to the last of these; their order stays.
func firstOf(items, spare []ranking, most int) []ranking {
	copy(spare, items)
	last := nth(spare, most-1)
	kept := items[:0]
	for _, it := range items {
		if it.rank <= last {
			kept = append(kept, it)
		}
	}
	return kept
}

// nth returns the rank that stands at place n once items are sorted; it mixes them up (quickselect, C. A. R. Hoare's "Find").
func nth(items []ranking, n int) uint64 {
	for {
		first, middle, last := items[0].rank, items[len(items)/2].rank, items[len(items)-1].rank
		pivot := max(min(first, middle), min(max(first, middle), last))
		less, more := 0, len(items) // items[:less] < pivot, items[more:] > pivot
		for i := 0; i < more; {
			switch rank := items[i].rank; {
			case rank < pivot:
				items[less], items[i] = items[i], items[less]
				less++
				i++
			case rank > pivot:
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

// dealBits is how many bits of the ranks deal them out.
const dealBits = 10

// deal puts items into spare by the first bits in which their ranks differ, those of each kind in their order, and returns where each kind
// begins, and the end.
func deal(items, spare []ranking, team Team) []int {
	n := len(items)
	varying := make([]uint64, pieces(n))
	team(len(varying), func(piece int) {
		v := uint64(0)
		for _, it := range items[piece*pieceRows : min((piece+1)*pieceRows, n)] {
			v |= it.rank ^ items[0].rank
		}
		varying[piece] = v
	})
	all := uint64(0)
	for _, v := range varying {
		all |= v
	}
	shift := max(0, bits.Len64(all)-dealBits)
	const mask = 1<<dealBits - 1
	places := make([][1 << dealBits]int, len(varying)) // of each piece's next item of a kind
	team(len(varying), func(piece int) {
		counts := &places[piece]
		for _, it := range items[piece*pieceRows : min((piece+1)*pieceRows, n)] {
			counts[it.rank>>shift&mask]++
		}
	})
	starts := make([]int, 1, mask+2)
	at := 0
	for kind := range mask + 1 {
		for piece := range places {
			count := places[piece][kind]
			places[piece][kind] = at
			at += count
		}
		if at > starts[len(starts)-1] {
			starts = append(starts, at)
		}
	}
	team(len(varying), func(piece int) {
		next := &places[piece]
		for _, it := range items[piece*pieceRows : min((piece+1)*pieceRows, n)] {
			kind := it.rank >> shift & mask
			spare[next[kind]] = it
			next[kind]++
		}
	})
	return starts
}

// rankedSort sorts items by rank; what is equal keeps its order. The result stands in spare if into says so, else in items. It reports whether
// there may be equal ranks.
func rankedSort(items, spare []ranking, into bool) bool {
	from, to := items, spare
	varying, sorted, equal := uint64(0), true, false
	for i := 1; i < len(items); i++ {
		varying |= items[i].rank ^ items[i-1].rank
		sorted = sorted && items[i-1].rank <= items[i].rank
		equal = equal || items[i-1].rank == items[i].rank
	}
	switch {
	case sorted:
	case len(items) <= someRows:
		from, _ = mergeSort(from, to)
		equal = true
	case len(items) >= manyRows: // of one kind, see deal, and many: once more
		starts := deal(items, spare, Alone)
		for i, start := range starts[1:] {
			rankedSort(spare[starts[i]:start], items[starts[i]:start], !into)
		}
		return true
	default:
		equal = true
		for shift := 0; shift < 64; shift += 8 {
			if varying>>shift&0xff == 0 {
				continue
			}
			var starts [256]int32
			for i := range from {
				starts[from[i].rank>>shift&0xff]++
			}
			sum := int32(0)
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
	}
	want := items
	if into {
		want = spare
	}
	if len(want) > 0 && &from[0] != &want[0] {
		copy(want, from)
	}
	return equal
}

// mergeSort sorts items by rank; what is equal keeps its order. It returns the sorted ones and the others, which are of no more use.
func mergeSort(items, spare []ranking) (sorted, other []ranking) {
	const few = 16 // inserting is faster than merging
	for from := 0; from < len(items); from += few {
		run := items[from:min(from+few, len(items))]
		for i := 1; i < len(run); i++ {
			it, at := run[i], i
			for ; at > 0 && it.rank < run[at-1].rank; at-- {
				run[at] = run[at-1]
			}
			run[at] = it
		}
	}
	for size := few; size < len(items); size *= 2 {
		for from := 0; from < len(items); from += 2 * size {
			middle := min(from+size, len(items))
			mergeRuns(items[from:middle], items[middle:min(middle+size, len(items))], spare[from:])
		}
		items, spare = spare, items
	}
	return items, spare
}

// mergeRuns merges two sorted runs into to; of equal ranks those of a come first.
func mergeRuns(a, b, to []ranking) {
	at := 0
	for len(a) > 0 && len(b) > 0 {
		if b[0].rank < a[0].rank {
			to[at], b = b[0], b[1:]
		} else {
			to[at], a = a[0], a[1:]
		}
		at++
	}
	at += copy(to[at:], a)
	copy(to[at:], b)
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
