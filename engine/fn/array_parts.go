package fn

import (
	"math/rand/v2"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

var arrayPartFunctions = []*Function{
	{
		Name: "array_first", Category: arrays,
		Doc:       "The first element; NULL if there is none.",
		Example:   "array_first(array['a', 'b']) → 'a'",
		Overloads: []Overload{{Sig: "(array(T)) -> T", Eval: arrayEnd(func(from, _ int32) int32 { return from })}},
	},
	{
		Name: "array_last", Category: arrays,
		Doc:       "The last element; NULL if there is none.",
		Example:   "array_last(array['a', 'b']) → 'b'",
		Overloads: []Overload{{Sig: "(array(T)) -> T", Eval: arrayEnd(func(_, to int32) int32 { return to - 1 })}},
	},
	{
		Name: "trim_array", Category: arrays, CanFail: true,
		Doc:       "The array without as many elements at its end.",
		Example:   "trim_array(array[1, 2, 3], 2) → array[1]",
		Overloads: []Overload{{Sig: "(array(T), bigint) -> array(T)", Eval: trimArray}},
	},
	{
		Name: "shuffle", Category: arrays, Volatile: true,
		Doc:       "The elements in random order.",
		Example:   "array_sort(shuffle(array[2, 1])) → array[1, 2]",
		Overloads: []Overload{{Sig: "(array(T)) -> array(T)", Eval: shuffle}},
	},
	{
		Name: "contains_sequence", Category: arrays, CanFail: true,
		Doc:       "Whether the array holds the elements of the second one after the other.",
		Example:   "contains_sequence(array[1, 2, 3], array[2, 3]) → true",
		Overloads: []Overload{{Sig: "(array(T), array(T)) -> boolean", Eval: containsSequence}},
	},
	{
		Name: "ngrams", Category: arrays, CanFail: true,
		Doc:       "The stretches of so many neighbours; the whole array if it is no longer than that.",
		Example:   "ngrams(array[1, 2, 3], 2) → array[array[1, 2], array[2, 3]]",
		Overloads: []Overload{{Sig: "(array(T), bigint) -> array(array(T))", Eval: ngrams}},
	},
	{
		Name: "combinations", Category: arrays, CanFail: true,
		Doc:       "The subsets of so many elements, at most five.",
		Example:   "combinations(array[1, 2, 3], 2) → array[array[1, 2], array[1, 3], array[2, 3]]",
		Overloads: []Overload{{Sig: "(array(T), bigint) -> array(array(T))", Eval: combinations}},
	},
	{
		Name: "array_histogram", Category: arrays,
		Doc:       "The map of each element to how often it occurs; NULL is not counted.",
		Example:   "array_histogram(array['a', 'a'])['a'] → 2",
		Overloads: []Overload{{Sig: "(array(K)) -> map(K, bigint)", Eval: arrayHistogram}},
	},
}

func arrayEnd(end func(from, to int32) int32) body {
	return func(c *Call) (arrow.Array, error) {
		l := listsOf(c.Args[0])
		return takeOne(c, elementsOf(c.Args[0]), func(row int) (int32, error) {
			from, to := l.at(row)
			if from == to {
				return -1, nil
			}
			return end(from, to), nil
		})
	}
}

func trimArray(c *Call) (arrow.Array, error) {
	counts := arg[int64](c, 1)
	return pick(c, func(row int, from, to int32, rows []int32) ([]int32, error) {
		n := counts.at(row)
		if n < 0 || n > int64(to-from) {
			return nil, valueError("trim_array takes a number of elements from 0 to %d here, not %d", to-from, n)
		}
		for e := from; e < to-int32(n); e++ {
			rows = append(rows, e)
		}
		return rows, nil
	})
}

func shuffle(c *Call) (arrow.Array, error) {
	return pick(c, func(_ int, from, to int32, rows []int32) ([]int32, error) {
		start := len(rows)
		for e := from; e < to; e++ {
			rows = append(rows, e)
		}
		part := rows[start:]
		rand.Shuffle(len(part), func(i, j int) { part[i], part[j] = part[j], part[i] })
		return rows, nil
	})
}

// containsSequence takes NULL elements as equal, as Trino does.
func containsSequence(c *Call) (arrow.Array, error) {
	a, b := listsOf(c.Args[0]), listsOf(c.Args[1])
	all, base, err := joined([]arrow.Array{elementsOf(c.Args[0]), elementsOf(c.Args[1])})
	if err != nil {
		return nil, err
	}
	return eachRow(c, func(row int) (bool, error) {
		from, to := a.at(row)
		wanted, end := b.at(row)
		length := end - wanted
		for start := from; start+length <= to; start++ {
			k := int32(0)
			for k < length && vec.EqualRows(all, int(start+k), all, int(base[1]+wanted+k)) {
				k++
			}
			if k == length {
				return true, nil
			}
		}
		return false, nil
	})
}

// subsets builds an array(array(T)) column: the inner arrays are picks of the elements.
type subsets struct {
	inner   *picks
	offsets []int32
}

// eachSubsets is the loop of functions that make arrays of parts of an array.
func eachSubsets(c *Call, add func(row int, from, to int32, p *picks) error) (arrow.Array, error) {
	l, nulls := listsOf(c.Args[0]), c.nulls()
	s := subsets{newPicks(c.Len), make([]int32, 1, c.Len+1)}
	for row := range c.Len {
		if nulls == nil || !nulls[row] {
			from, to := l.at(row)
			if err := add(row, from, to, s.inner); err != nil {
				return nil, err
			}
			if len(s.inner.rows) > maxElements {
				return nil, tooManyElements()
			}
		}
		s.offsets = append(s.offsets, int32(len(s.inner.offsets)-1))
	}
	inner, err := s.inner.array(*c.Result.Elem, elementsOf(c.Args[0]), nil)
	if err != nil {
		return nil, err
	}
	return listArray(c.Result, s.offsets, inner, nulls), nil
}

func ngrams(c *Call) (arrow.Array, error) {
	sizes := arg[int64](c, 1)
	return eachSubsets(c, func(row int, from, to int32, p *picks) error {
		n := sizes.at(row)
		if n <= 0 {
			return valueError("ngrams takes a size greater than zero, not %d", n)
		}
		size := int32(min(n, int64(to-from)))
		for start := from; start+size <= to; start++ {
			for e := start; e < start+size; e++ {
				p.rows = append(p.rows, e)
			}
			if p.end(); len(p.rows) > maxElements {
				return tooManyElements()
			}
			if size == 0 {
				break
			}
		}
		return nil
	})
}

// Trino's limits on combinations.
const (
	maxCombination  = 5
	maxCombinations = 100_000 // elements in all
)

// combinations gives the subsets in the order of their last elements, then of those before, as Trino does.
func combinations(c *Call) (arrow.Array, error) {
	sizes := arg[int64](c, 1)
	return eachSubsets(c, func(row int, from, to int32, p *picks) error {
		n := sizes.at(row)
		if n < 0 || n > maxCombination {
			return valueError("combinations takes a size from 0 to %d, not %d", maxCombination, n)
		}
		if n > int64(to-from) {
			return nil
		}
		chosen := make([]int32, n)
		for i := range chosen {
			chosen[i] = from + int32(i)
		}
		start := len(p.rows)
		for {
			p.rows = append(p.rows, chosen...)
			if p.end(); len(p.rows)-start > maxCombinations {
				return valueError("combinations makes at most %d elements", maxCombinations)
			}
			i := 0
			for ; i < len(chosen); i++ {
				limit := to
				if i+1 < len(chosen) {
					limit = chosen[i+1]
				}
				if chosen[i]+1 < limit {
					break
				}
			}
			if i == len(chosen) {
				return nil
			}
			chosen[i]++
			for k := range i {
				chosen[k] = from + int32(k)
			}
		}
	})
}

func arrayHistogram(c *Call) (arrow.Array, error) {
	l, elements, nulls := listsOf(c.Args[0]), elementsOf(c.Args[0]), c.nulls()
	b, counts := newMapBuilder(elements, c.Len), []int64(nil)
	at := map[int32]int{} // first element of a value → its entry
	for row := range c.Len {
		if nulls == nil || !nulls[row] {
			clear(at)
			from, to := l.at(row)
			for e := from; e < to; e++ {
				switch {
				case !vec.IsValid(elements, int(e)):
				case b.set.add(e):
					at[e] = len(counts)
					b.entries, counts = append(b.entries, e), append(counts, 1)
				default:
					counts[at[b.set.first(e)]]++
				}
			}
		}
		b.end()
	}
	values, err := write(sqltype.BigIntType, counts, nil)
	if err != nil {
		return nil, err
	}
	return mapArray(c.Result, b.offsets, vec.Take(elements, b.entries), values, nulls), nil
}
