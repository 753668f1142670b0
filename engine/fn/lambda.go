package fn

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/vec"
)

// Functions that take a lambda call it once for the elements of all rows, or once per position where one element's outcome
// decides about the next. Rows whose array is NULL have no elements.

var lambdaFunctions = []*Function{
	{
		Name: "transform", Category: lambdas,
		Doc:       "The array of what the lambda makes of each element.",
		Example:   "transform(array[1, 2], x -> x * 10) → array[10, 20]",
		Overloads: []Overload{{Sig: "(array(T), function(T, U)) -> array(U)", Eval: transform}},
	},
	{
		Name: "filter", Category: lambdas,
		Doc:       "The elements for which the lambda is true.",
		Example:   "filter(array[1, 2, 3], x -> x > 1) → array[2, 3]",
		Overloads: []Overload{{Sig: "(array(T), function(T, boolean)) -> array(T)", Eval: filterArray}},
	},
	{
		Name: "any_match", Category: lambdas,
		Doc:       "Whether the lambda is true for an element; NULL if for none, but NULL for one.",
		Example:   "any_match(array[1, 2], x -> x > 1) → true",
		Overloads: []Overload{{Sig: "(array(T), function(T, boolean)) -> boolean", Eval: match(true, true)}},
	},
	{
		Name: "all_match", Category: lambdas,
		Doc:       "Whether the lambda is true for every element; NULL if false for none, but NULL for one.",
		Example:   "all_match(array[1, 2], x -> x > 1) → false",
		Overloads: []Overload{{Sig: "(array(T), function(T, boolean)) -> boolean", Eval: match(false, false)}},
	},
	{
		Name: "none_match", Category: lambdas,
		Doc:       "Whether the lambda is true for no element; NULL if true for none, but NULL for one.",
		Example:   "none_match(array[1, 2], x -> x > 2) → true",
		Overloads: []Overload{{Sig: "(array(T), function(T, boolean)) -> boolean", Eval: match(true, false)}},
	},
	{
		Name: "find_first", Category: lambdas, CanFail: true,
		Doc:     "The first element for which the lambda is true, looked for from a position, backwards if that is negative; NULL if there is none.",
		Example: "find_first(array[1, 2, 3], x -> x > 1) → 2",
		Overloads: []Overload{
			{Sig: "(array(T), function(T, boolean)) -> T", Eval: findFirst},
			{Sig: "(array(T), bigint, function(T, boolean)) -> T", Eval: findFirst},
		},
	},
	{
		Name: "find_first_index", Category: lambdas, CanFail: true,
		Doc:     "The position, from 1, of the element that find_first finds; NULL if there is none.",
		Example: "find_first_index(array[1, 2, 3], x -> x > 1) → 2",
		Overloads: []Overload{
			{Sig: "(array(T), function(T, boolean)) -> bigint", Eval: findFirstIndex},
			{Sig: "(array(T), bigint, function(T, boolean)) -> bigint", Eval: findFirstIndex},
		},
	},
	{
		Name: "reduce", Category: lambdas, NullCall: true,
		Doc:       "A state that goes through the elements: the first lambda makes the next state of the state and an element, the second the result of the last state.",
		Example:   "reduce(array[1, 2, 3], 0, (s, x) -> s + x, s -> s) → 6",
		Overloads: []Overload{{Sig: "(array(T), S, function(S, T, S), function(S, R)) -> R", Eval: reduce}},
	},
	{
		Name: "zip_with", Category: lambdas,
		Doc:       "The array of what the lambda makes of the elements of two arrays at each position; NULL stands in for those of the shorter one.",
		Example:   "zip_with(array[1, 2], array[10, 20], (x, y) -> x + y) → array[11, 22]",
		Overloads: []Overload{{Sig: "(array(T), array(U), function(T, U, R)) -> array(R)", Eval: zipWith}},
	},
}

// spread is the elements of an array or map argument, of all rows that are not NULL, one after the other.
type spread struct {
	rows    []int32 // of each element
	at      []int32 // its number in the column of elements
	offsets []int32 // where a row's elements begin here
}

// spreadOf spreads argument i.
func spreadOf(c *Call, i int, nulls []bool) (*spread, error) {
	l, s := listsOf(c.Args[i]), &spread{offsets: append(make([]int32, 0, c.Len+1), 0)}
	for row := range c.Len {
		if nulls == nil || !nulls[row] {
			from, to := l.at(row)
			if len(s.at)+int(to-from) > maxElements {
				return nil, tooManyElements()
			}
			for e := from; e < to; e++ {
				s.rows, s.at = append(s.rows, int32(row)), append(s.at, e)
			}
		}
		s.offsets = append(s.offsets, int32(len(s.at)))
	}
	return s, nil
}

// take is the elements as a column.
func (s *spread) take(elements arrow.Array) arrow.Array {
	if len(s.at) == elements.Len() && (len(s.at) == 0 || s.at[0] == 0 && int(s.at[len(s.at)-1]) == len(s.at)-1) {
		return elements // all of them, in order
	}
	return vec.Take(elements, s.at)
}

// apply calls lambda i for the elements.
func (s *spread) apply(c *Call, i int, elements ...arrow.Array) (arrow.Array, error) {
	args := make([]arrow.Array, len(elements))
	for k, e := range elements {
		args[k] = s.take(e)
	}
	return c.Lambdas[i](args, s.rows)
}

func transform(c *Call) (arrow.Array, error) {
	nulls := c.nulls()
	s, err := spreadOf(c, 0, nulls)
	if err != nil {
		return nil, err
	}
	out, err := s.apply(c, 0, elementsOf(c.Args[0]))
	if err != nil {
		return nil, err
	}
	return listArray(c.Result, s.offsets, out, nulls), nil
}

// chosen is the elements for which verdicts is true.
func (s *spread) chosen(verdicts arrow.Array) *picks {
	p, k := newPicks(len(s.offsets)-1), int32(0)
	hits := vec.True(verdicts)
	for _, end := range s.offsets[1:] {
		for ; int(k) < len(hits) && hits[k] < end; k++ {
			p.rows = append(p.rows, s.at[hits[k]])
		}
		p.end()
	}
	return p
}

func filterArray(c *Call) (arrow.Array, error) {
	nulls := c.nulls()
	s, err := spreadOf(c, 0, nulls)
	if err != nil {
		return nil, err
	}
	verdicts, err := s.apply(c, 0, elementsOf(c.Args[0]))
	if err != nil {
		return nil, err
	}
	return s.chosen(verdicts).array(c.Result, elementsOf(c.Args[0]), nulls)
}

// search calls lambda 0 for the elements of each row in order until it gives stop: hit is the number of that element in its row, or -1;
// unknown says that the lambda gave NULL before. What comes after the hit cannot fail.
func search(c *Call, s *spread, stop bool) (hit []int32, unknown []bool, err error) {
	elements := elementsOf(c.Args[0])
	hit, unknown = make([]int32, c.Len), make([]bool, c.Len)
	for row := range hit {
		hit[row] = -1
	}
	note := func(row, k int32, verdicts *array.Boolean, at int) {
		switch {
		case hit[row] >= 0:
		case verdicts.IsNull(at):
			unknown[row] = true
		case verdicts.Value(at) == stop:
			hit[row] = k
		}
	}
	verdicts, err := s.apply(c, 0, elements)
	if err == nil {
		for i, row := range s.rows {
			note(row, int32(i)-s.offsets[row], verdicts.(*array.Boolean), i)
		}
		return hit, unknown, nil
	}
	if sqlerr.KindOf(err) != sqlerr.Value {
		return nil, nil, err
	}
	for k := int32(0); ; k++ { // the element at fault may come after the hit
		var rows, at []int32
		for row := range int32(c.Len) {
			if e := s.offsets[row] + k; hit[row] < 0 && e < s.offsets[row+1] {
				rows, at = append(rows, row), append(at, s.at[e])
			}
		}
		if len(rows) == 0 {
			return hit, unknown, nil
		}
		verdicts, err := c.Lambdas[0]([]arrow.Array{vec.Take(elements, at)}, rows)
		if err != nil {
			return nil, nil, err
		}
		for i, row := range rows {
			note(row, k, verdicts.(*array.Boolean), i)
		}
	}
}

// match looks for an element whose verdict is stop; found is the result if there is one.
func match(stop, found bool) body {
	return func(c *Call) (arrow.Array, error) {
		s, err := spreadOf(c, 0, c.nulls())
		if err != nil {
			return nil, err
		}
		hit, unknown, err := search(c, s, stop)
		if err != nil {
			return nil, err
		}
		return eachRow(c, func(row int) (bool, error) {
			switch {
			case hit[row] >= 0:
				return found, nil
			case unknown[row]:
				return false, errNull
			}
			return !found, nil
		})
	}
}

// findFrom searches like find_first. It returns for each row the element's number in its array, or -1, and in the column of all elements.
func findFrom(c *Call) (index, element []int32, err error) {
	s, err := spreadOf(c, 0, c.nulls())
	if err != nil {
		return nil, nil, err
	}
	order := s.at
	if len(c.Args) == 2 {
		if s, order, err = s.startingAt(arg[int64](c, 1), c.nulls()); err != nil {
			return nil, nil, err
		}
	}
	hit, _, err := search(c, s, true)
	if err != nil {
		return nil, nil, err
	}
	l := listsOf(c.Args[0])
	element = make([]int32, c.Len)
	for row := range hit {
		element[row] = -1
		if hit[row] >= 0 {
			element[row] = order[s.offsets[row]+hit[row]]
			from, _ := l.at(row)
			hit[row] = element[row] - from
		}
	}
	return hit, element, nil
}

// startingAt is the elements from a position of each row on, backwards where it is negative.
func (s *spread) startingAt(starts column[int64], nulls []bool) (*spread, []int32, error) {
	out := &spread{offsets: make([]int32, 1, len(s.offsets))}
	for row := range len(s.offsets) - 1 {
		if nulls == nil || !nulls[row] {
			from, to := s.offsets[row], s.offsets[row+1]
			start, length := starts.at(row), int64(to-from)
			switch {
			case start == 0:
				return nil, nil, valueError("positions in an array are counted from 1")
			case start > 0 && start <= length:
				for e := from + int32(start) - 1; e < to; e++ {
					out.rows, out.at = append(out.rows, int32(row)), append(out.at, s.at[e])
				}
			case start < 0 && start >= -length:
				for e := to + int32(start); e >= from; e-- {
					out.rows, out.at = append(out.rows, int32(row)), append(out.at, s.at[e])
				}
			}
		}
		out.offsets = append(out.offsets, int32(len(out.at)))
	}
	return out, out.at, nil
}

func findFirst(c *Call) (arrow.Array, error) {
	_, element, err := findFrom(c)
	if err != nil {
		return nil, err
	}
	elements := elementsOf(c.Args[0])
	for _, e := range element {
		if e >= 0 && !vec.IsValid(elements, int(e)) {
			return nil, valueError("the element that find_first found is NULL")
		}
	}
	return vec.Take(elements, element), nil
}

func findFirstIndex(c *Call) (arrow.Array, error) {
	index, _, err := findFrom(c)
	if err != nil {
		return nil, err
	}
	return eachRow(c, func(row int) (int64, error) {
		if index[row] < 0 {
			return 0, errNull
		}
		return int64(index[row]) + 1, nil
	})
}

// reduce steps through the positions: all rows' i-th elements at once. Rows are in descending order of length, so that those that go on are
// always the first ones.
func reduce(c *Call) (arrow.Array, error) {
	nulls := nullRows(c.Args[:1], c.Len)
	l, elements := listsOf(c.Args[0]), elementsOf(c.Args[0])
	order, lengths := byLength(l, nulls, c.Len)
	if len(order) == 0 {
		return vec.Nulls(c.Result, c.Len), nil
	}
	state := vec.Take(vec.Plain(vec.Column(c.Args[1], c.Len)), order)
	var done []arrow.Array // states of the rows that ended, those of the longest last
	for k := int32(0); ; k++ {
		active := state.Len()
		for active > 0 && lengths[active-1] <= k {
			active--
		}
		if active < state.Len() {
			done = append(done, vec.Slice(state, active, state.Len()))
		}
		if active == 0 {
			break
		}
		at := make([]int32, active)
		for i, row := range order[:active] {
			from, _ := l.at(int(row))
			at[i] = from + k
		}
		var err error
		if state, err = c.Lambdas[0]([]arrow.Array{vec.Slice(state, 0, active), vec.Take(elements, at)}, order[:active]); err != nil {
			return nil, err
		}
	}
	slices.Reverse(done)
	states, err := vec.Concat(done)
	if err != nil {
		return nil, err
	}
	out, err := c.Lambdas[1]([]arrow.Array{states}, order)
	if err != nil {
		return nil, err
	}
	source := make([]int32, c.Len) // per row its place in the order
	for row := range source {
		source[row] = -1
	}
	for i, row := range order {
		source[row] = int32(i)
	}
	return vec.Take(out, source), nil
}

// byLength is the rows that are not NULL, the longest arrays first.
func byLength(l lists, nulls []bool, n int) (rows, lengths []int32) {
	for row := range int32(n) {
		if nulls == nil || !nulls[row] {
			rows = append(rows, row)
		}
	}
	length := func(row int32) int32 {
		from, to := l.at(int(row))
		return to - from
	}
	slices.SortStableFunc(rows, func(a, b int32) int { return int(length(b) - length(a)) })
	for _, row := range rows {
		lengths = append(lengths, length(row))
	}
	return rows, lengths
}

func zipWith(c *Call) (arrow.Array, error) {
	nulls := c.nulls()
	a, b := listsOf(c.Args[0]), listsOf(c.Args[1])
	var rows, left, right []int32
	offsets := append(make([]int32, 0, c.Len+1), 0)
	for row := range c.Len {
		if nulls == nil || !nulls[row] {
			af, at := a.at(row)
			bf, bt := b.at(row)
			for k := range max(at-af, bt-bf) {
				rows = append(rows, int32(row))
				left, right = append(left, elementOr(af+k, at)), append(right, elementOr(bf+k, bt))
			}
			if len(rows) > maxElements {
				return nil, tooManyElements()
			}
		}
		offsets = append(offsets, int32(len(rows)))
	}
	out, err := c.Lambdas[0]([]arrow.Array{vec.Take(elementsOf(c.Args[0]), left), vec.Take(elementsOf(c.Args[1]), right)}, rows)
	if err != nil {
		return nil, err
	}
	return listArray(c.Result, offsets, out, nulls), nil
}

// elementOr is e, or -1 past the end.
func elementOr(e, end int32) int32 {
	if e < end {
		return e
	}
	return -1
}
