package fn

import (
	"cmp"
	"errors"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// Functions over arrays choose elements by their number in the column of all elements and take them at the end, so
// one body serves every element type.

var arrayFunctions = []*Function{
	{
		Name: "array_constructor", Category: internal, NullCall: true,
		Doc:       "The array of the arguments: what array[…] means.",
		Example:   "array[1, 2] → array[1, 2]",
		Overloads: []Overload{{Sig: "() -> array(T)", Result: emptyArrayType, Eval: emptyArray}, {Sig: "(T...) -> array(T)", Eval: constructArray}},
	},
	{
		Name: "row_constructor", Category: internal, NullCall: true,
		Doc:       "The row of the arguments: what row(…) means. Its fields have no names.",
		Example:   "row(1, 'a') → row(1, 'a')",
		Overloads: []Overload{{Sig: "(any...) -> row", Result: anonymousRow, Eval: constructRow}},
	},
	{
		Name: "cardinality", Category: arrays,
		Doc:     "How many elements an array, or entries a map, has.",
		Example: "cardinality(array[1, 2]) → 2",
		Overloads: []Overload{
			{Sig: "(array(T)) -> bigint", Eval: cardinality},
			{Sig: "(map(K, V)) -> bigint", Eval: cardinality},
		},
	},
	{
		Name: "contains", Category: arrays, CanFail: true,
		Doc:       "Whether the array holds the value, NULL if it does not but holds a NULL; or whether the network holds the IP address or network.",
		Example:   "contains(array[1, 2], 2) → true",
		Overloads: append([]Overload{{Sig: "(array(T), T) -> boolean", Eval: contains}}, networkContains...),
	},
	{
		Name: "element_at", Category: arrays, CanFail: true,
		Doc:     "The element at a position from 1, from the end if negative, the value of a map's key, or that of a key in JSON text; NULL if there is none.",
		Example: "element_at(array['a', 'b'], -1) → 'b'",
		Overloads: append([]Overload{
			{Sig: "(array(T), bigint) -> T", Eval: arrayElementAt},
			{Sig: "(map(K, V), K) -> V", Eval: mapElementAt},
		}, keyOfJSON...),
	},
	{
		Name: "array_join", Category: arrays, CanFail: true,
		Doc:     "The elements as text with a delimiter between them; NULL elements are left out or replaced.",
		Example: "array_join(array['a', 'b'], ', ') → 'a, b'",
		Overloads: []Overload{
			{Sig: "(array(T), varchar) -> varchar", Eval: arrayJoin},
			{Sig: "(array(T), varchar, varchar) -> varchar", Eval: arrayJoin},
		},
	},
	{
		Name: "array_distinct", Category: arrays,
		Doc:       "The elements, each once, in the order of their first occurrence.",
		Example:   "array_distinct(array[1, 2, 1]) → array[1, 2]",
		Overloads: []Overload{{Sig: "(array(T)) -> array(T)", Eval: setOperation(func(*elementSet, int32) bool { return true })}},
	},
	{
		Name: "array_union", Category: arrays, CanFail: true,
		Doc:       "The elements of both arrays, each once.",
		Example:   "array_union(array[1, 2], array[2, 3]) → array[1, 2, 3]",
		Overloads: []Overload{{Sig: "(array(T), array(T)) -> array(T)", Eval: arrayUnion}},
	},
	{
		Name: "array_intersect", Category: arrays, CanFail: true,
		Doc:       "The elements that both arrays have, each once.",
		Example:   "array_intersect(array[1, 2], array[2, 3]) → array[2]",
		Overloads: []Overload{{Sig: "(array(T), array(T)) -> array(T)", Eval: setOperation((*elementSet).has)}},
	},
	{
		Name: "array_except", Category: arrays, CanFail: true,
		Doc:       "The elements of the first array that the second lacks, each once.",
		Example:   "array_except(array[1, 2], array[2, 3]) → array[1]",
		Overloads: []Overload{{Sig: "(array(T), array(T)) -> array(T)", Eval: setOperation(func(s *elementSet, i int32) bool { return !s.has(i) })}},
	},
	{
		Name: "arrays_overlap", Category: arrays, CanFail: true,
		Doc:       "Whether the arrays have an element in common; NULL if not but one holds a NULL.",
		Example:   "arrays_overlap(array[1, 2], array[2, 3]) → true",
		Overloads: []Overload{{Sig: "(array(T), array(T)) -> boolean", Eval: arraysOverlap}},
	},
	{
		Name: "array_sort", Category: arrays, CanFail: true,
		Doc: "The elements in ascending order, NULL last; or in the order of a lambda that gives -1, 0 or 1 for two elements, " +
			"as the first comes before, with, or after the second.",
		Example: "array_sort(array[3, 1, 2], (x, y) -> IF(x < y, 1, IF(x > y, -1, 0))) → array[3, 2, 1]",
		Overloads: []Overload{
			{Sig: "(array(O)) -> array(O)", Eval: arraySort},
			{Sig: "(array(T), function(T, T, integer)) -> array(T)", Eval: arraySortBy},
		},
	},
	{
		Name: "array_max", Category: arrays,
		Doc:       "The greatest element; NULL if there is none or one is NULL.",
		Example:   "array_max(array[3, 1, 2]) → 3",
		Overloads: []Overload{{Sig: "(array(O)) -> O", Eval: arrayExtreme(true)}},
	},
	{
		Name: "array_min", Category: arrays,
		Doc:       "The least element; NULL if there is none or one is NULL.",
		Example:   "array_min(array[3, 1, 2]) → 1",
		Overloads: []Overload{{Sig: "(array(O)) -> O", Eval: arrayExtreme(false)}},
	},
	{
		Name: "array_position", Category: arrays,
		Doc:       "The position, from 1, of the first element equal to the value; 0 if there is none.",
		Example:   "array_position(array['a', 'b'], 'b') → 2",
		Overloads: []Overload{{Sig: "(array(T), T) -> bigint", Eval: arrayPosition}},
	},
	{
		Name: "array_remove", Category: arrays,
		Doc:       "The elements that are not equal to the value.",
		Example:   "array_remove(array[1, 2, 1], 1) → array[2]",
		Overloads: []Overload{{Sig: "(array(T), T) -> array(T)", Eval: arrayRemove}},
	},
	{
		Name: "slice", Category: arrays, CanFail: true,
		Doc:       "As many elements as the third argument says, from a position counted from 1, or from the end if negative.",
		Example:   "slice(array[1, 2, 3], 2, 2) → array[2, 3]",
		Overloads: []Overload{{Sig: "(array(T), bigint, bigint) -> array(T)", Eval: sliceArray}},
	},
	{
		Name: "flatten", Category: arrays,
		Doc:       "An array of arrays as one array.",
		Example:   "flatten(array[array[1], array[2, 3]]) → array[1, 2, 3]",
		Overloads: []Overload{{Sig: "(array(array(T))) -> array(T)", Eval: flatten}},
	},
	{
		Name: "repeat", Category: arrays, CanFail: true, NullCall: true,
		Doc:       "The array that holds the value a number of times, at most 10000.",
		Example:   "repeat('a', 2) → array['a', 'a']",
		Overloads: []Overload{{Sig: "(T, bigint) -> array(T)", Eval: repeat}},
	},
	{
		Name: "sequence", Category: arrays, CanFail: true,
		Doc:     "The numbers or times from a first to a last, by a step of 1, one day, or the one given; at most 10000.",
		Example: "sequence(1, 3) → array[1, 2, 3]",
		Overloads: []Overload{
			{Sig: "(bigint, bigint) -> array(bigint)", Eval: sequenceNumbers},
			{Sig: "(bigint, bigint, bigint) -> array(bigint)", Eval: sequenceNumbers},
			{Sig: "(date, date) -> array(date)", Eval: sequenceDates},
			{Sig: "(date, date, interval day to second) -> array(date)", Eval: sequenceDates},
			{Sig: "(date, date, interval year to month) -> array(date)", Eval: sequenceDates},
			{Sig: "(timestamp, timestamp, interval day to second) -> array(timestamp)", Eval: sequenceTimestamps},
			{Sig: "(timestamp, timestamp, interval year to month) -> array(timestamp)", Eval: sequenceTimestamps},
		},
	},
	{
		Name: "zip", Category: arrays, CanFail: true,
		Doc:     "Arrays as one array of rows: the first elements, the second, and so on; NULL where one is shorter.",
		Example: "zip(array[1, 2], array['a']) → array[row(1, 'a'), row(2, NULL)]",
		Overloads: []Overload{
			{Sig: "(array(T), array(U)) -> array(row(T, U))", Eval: zip},
			{Sig: "(array(T), array(U), array(V)) -> array(row(T, U, V))", Eval: zip},
			{Sig: "(array(T), array(U), array(V), array(W)) -> array(row(T, U, V, W))", Eval: zip},
			{Sig: "(array(T), array(U), array(V), array(W), array(X)) -> array(row(T, U, V, W, X))", Eval: zip},
		},
	},
}

// maxSequence is Trino's limit on the arrays that sequence and repeat make.
const maxSequence = 10_000

// lists is an array or map argument: row i holds the elements from offsets[i] to offsets[i+1].
type lists struct {
	offsets []int32
	mask    int
}

func (l lists) at(row int) (from, to int32) {
	row &= l.mask
	return l.offsets[row], l.offsets[row+1]
}

func listsOf(d vec.Datum) lists {
	mask := -1
	if d.Const {
		mask = 0
	}
	return lists{arrow.GetOffsets[int32](d.Arr.Data(), 1), mask}
}

// elementsOf is the column of all elements of an array argument.
func elementsOf(d vec.Datum) arrow.Array { return d.Arr.(array.ListLike).ListValues() }

// picks builds an array column by choosing elements, by number, of one column.
type picks struct {
	rows    []int32
	offsets []int32
}

func newPicks(n int) *picks { return &picks{offsets: append(make([]int32, 0, n+1), 0)} }

func (p *picks) end() { p.offsets = append(p.offsets, int32(len(p.rows))) }

func (p *picks) array(t sqltype.Type, elements arrow.Array, nulls []bool) (arrow.Array, error) {
	if len(p.rows) > maxElements {
		return nil, tooManyElements()
	}
	return listArray(t, p.offsets, vec.Take(elements, p.rows), nulls), nil
}

func tooManyElements() error {
	return sqlerr.New(sqlerr.Resource, 0, "the arrays computed for one batch of rows have more than %d elements", maxElements)
}

// pick is the loop of functions that choose elements of argument 0 row by row.
func pick(c *Call, choose func(row int, from, to int32, rows []int32) ([]int32, error)) (arrow.Array, error) {
	l, nulls, p := listsOf(c.Args[0]), c.nulls(), newPicks(c.Len)
	for row := range c.Len {
		if nulls == nil || !nulls[row] {
			from, to := l.at(row)
			var err error
			if p.rows, err = choose(row, from, to, p.rows); err != nil {
				return nil, err
			}
			if len(p.rows) > maxElements {
				return nil, tooManyElements()
			}
		}
		p.end()
	}
	return p.array(c.Result, elementsOf(c.Args[0]), nulls)
}

// matches compares the elements of a column with the value of argument 1 in their row. found has one entry for each
// element of each row that is not NULL, in order.
func matches(c *Call, l lists, elements arrow.Array, nulls []bool) (found []bool) {
	var ai, bi []int32
	for row := range c.Len {
		if nulls != nil && nulls[row] {
			continue
		}
		other := int32(row)
		if c.Args[1].Const {
			other = 0
		}
		from, to := l.at(row)
		for e := from; e < to; e++ {
			ai, bi = append(ai, e), append(bi, other)
		}
	}
	found = make([]bool, len(ai))
	for i := range found {
		found[i] = true
	}
	vec.EqualAt(elements, ai, c.Args[1].Arr, bi, found)
	return found
}

func emptyArrayType([]sqltype.Type) sqltype.Type { return sqltype.ArrayOf(sqltype.UnknownType) }

func emptyArray(c *Call) (arrow.Array, error) {
	return listArray(c.Result, make([]int32, c.Len+1), vec.Nulls(*c.Result.Elem, 0), nil), nil
}

// joined is the columns one after the other, and where each begins.
func joined(columns []arrow.Array) (all arrow.Array, base []int32, err error) {
	base = make([]int32, len(columns))
	n := 0
	for i, col := range columns {
		base[i] = int32(n)
		n += col.Len()
	}
	all, err = vec.Concat(columns)
	return all, base, err
}

func constructArray(c *Call) (arrow.Array, error) {
	if c.Len*len(c.Args) > maxElements {
		return nil, tooManyElements()
	}
	columns := make([]arrow.Array, len(c.Args))
	for i, d := range c.Args {
		columns[i] = vec.Plain(d.Arr)
	}
	all, base, err := joined(columns)
	if err != nil {
		return nil, err
	}
	p := newPicks(c.Len)
	for row := range c.Len {
		for i, d := range c.Args {
			at := base[i]
			if !d.Const {
				at += int32(row)
			}
			p.rows = append(p.rows, at)
		}
		p.end()
	}
	return p.array(c.Result, all, nil)
}

func anonymousRow(args []sqltype.Type) sqltype.Type {
	fields := make([]sqltype.Field, len(args))
	for i, t := range args {
		fields[i].Type = t
	}
	return sqltype.RowOf(fields...)
}

func constructRow(c *Call) (arrow.Array, error) {
	fields := make([]arrow.Array, len(c.Args))
	for i, d := range c.Args {
		fields[i] = vec.Plain(vec.Column(d, c.Len))
	}
	return rowArray(c.Result, fields, c.Len, nil), nil
}

func cardinality(c *Call) (arrow.Array, error) {
	l, out := listsOf(c.Args[0]), make([]int64, c.Len)
	for row := range out {
		from, to := l.at(row)
		out[row] = int64(to - from)
	}
	return write(c.Result, out, c.nulls())
}

func contains(c *Call) (arrow.Array, error) {
	l, elements, nulls := listsOf(c.Args[0]), elementsOf(c.Args[0]), c.nulls()
	found := matches(c, l, elements, nulls)
	k := 0
	return eachRow(c, func(row int) (bool, error) {
		from, to := l.at(row)
		hit, unknown := false, false
		for e := from; e < to; e++ {
			hit = hit || found[k]
			unknown = unknown || !vec.IsValid(elements, int(e))
			k++
		}
		if !hit && unknown {
			return false, errNull
		}
		return hit, nil
	})
}

func arrayPosition(c *Call) (arrow.Array, error) {
	l := listsOf(c.Args[0])
	found := matches(c, l, elementsOf(c.Args[0]), c.nulls())
	k := 0
	return eachRow(c, func(row int) (int64, error) {
		from, to := l.at(row)
		at := slices.Index(found[k:k+int(to-from)], true)
		k += int(to - from)
		return int64(at) + 1, nil
	})
}

func arrayRemove(c *Call) (arrow.Array, error) {
	found := matches(c, listsOf(c.Args[0]), elementsOf(c.Args[0]), c.nulls())
	k := 0
	return pick(c, func(_ int, from, to int32, rows []int32) ([]int32, error) {
		for e := from; e < to; e++ {
			if !found[k] {
				rows = append(rows, e)
			}
			k++
		}
		return rows, nil
	})
}

// takeOne is the column of one element for each row, by its number; -1 for NULL.
func takeOne(c *Call, elements arrow.Array, choose func(row int) (int32, error)) (arrow.Array, error) {
	nulls, rows := c.nulls(), make([]int32, c.Len)
	for row := range rows {
		rows[row] = -1
		if nulls == nil || !nulls[row] {
			var err error
			if rows[row], err = choose(row); err != nil {
				return nil, err
			}
		}
	}
	return vec.Take(elements, rows), nil
}

func arrayElementAt(c *Call) (arrow.Array, error) {
	l, n := listsOf(c.Args[0]), arg[int64](c, 1)
	return takeOne(c, elementsOf(c.Args[0]), func(row int) (int32, error) {
		from, to := l.at(row)
		length := int64(to - from)
		switch k := n.at(row); {
		case k == 0:
			return 0, valueError("positions in an array are counted from 1")
		case k > length || k < -length:
			return -1, nil
		case k < 0:
			return to + int32(k), nil
		default:
			return from + int32(k) - 1, nil
		}
	})
}

func arraySubscript(c *Call) (arrow.Array, error) {
	l, n := listsOf(c.Args[0]), arg[int64](c, 1)
	return takeOne(c, elementsOf(c.Args[0]), func(row int) (int32, error) {
		from, to := l.at(row)
		switch k := n.at(row); {
		case k == 0:
			return 0, valueError("array subscripts are counted from 1")
		case k < 0:
			return 0, valueError("array subscript is negative: %d", k)
		case k > int64(to-from):
			return 0, valueError("the array has %d elements, and no element %d; element_at gives NULL instead", to-from, k)
		default:
			return from + int32(k) - 1, nil
		}
	})
}

// elementTexts casts elements to varchar.
func elementTexts(c *Call, elements arrow.Array, t sqltype.Type) ([]string, error) {
	d, err := vec.Cast(vec.Datum{Arr: elements}, t, sqltype.VarcharType, false, c.Session.Zone, c.Session.Now, elements.Len())
	if err != nil {
		return nil, err
	}
	return texts(d.Arr), nil
}

func arrayJoin(c *Call) (arrow.Array, error) {
	l, elements, delimiter := listsOf(c.Args[0]), elementsOf(c.Args[0]), arg[string](c, 1)
	var instead column[string]
	if len(c.Args) == 3 {
		instead = arg[string](c, 2)
	}
	words, err := elementTexts(c, elements, *c.Types[0].Elem)
	if err != nil {
		return nil, err
	}
	return appendRows(c, func(dst []byte, row int) ([]byte, error) {
		from, to := l.at(row)
		first := true
		for e := from; e < to; e++ {
			isNull := !vec.IsValid(elements, int(e))
			if isNull && instead.values == nil {
				continue
			}
			if !first {
				dst = append(dst, delimiter.at(row)...)
			}
			first = false
			if isNull {
				dst = append(dst, instead.at(row)...)
			} else {
				dst = append(dst, words[e]...)
			}
			if len(dst) > maxText {
				return nil, tooMuchText()
			}
		}
		return dst, nil
	})
}

func concatElementsWS(c *Call) (arrow.Array, error) {
	delimiter, l, elements := arg[string](c, 0), listsOf(c.Args[1]), elementsOf(c.Args[1])
	words, nulls, w := texts(elements), nullRows(c.Args[:1], c.Len), newTextWriter(c.Len)
	for row := range c.Len {
		if (nulls == nil || !nulls[row]) && !c.isNull(1, row) {
			from, to := l.at(row)
			first := true
			for e := from; e < to; e++ {
				if !vec.IsValid(elements, int(e)) {
					continue
				}
				if !first {
					w.data = append(w.data, delimiter.at(row)...)
				}
				first = false
				w.data = append(w.data, words[e]...)
				if len(w.data) > maxText {
					return nil, tooMuchText()
				}
			}
		}
		if !w.end() {
			break
		}
	}
	return w.array(c.Result, nulls)
}

// elementSet is a set of elements of one column, by number.
type elementSet struct {
	elements arrow.Array
	hashes   []uint64
	members  map[uint64][]int32
}

func newElementSet(elements arrow.Array) *elementSet {
	s := &elementSet{elements: elements, hashes: make([]uint64, elements.Len()), members: map[uint64][]int32{}}
	vec.Hash(elements, s.hashes)
	return s
}

func (s *elementSet) has(i int32) bool { return s.first(i) >= 0 }

// first is the member that equals element i, -1 if there is none.
func (s *elementSet) first(i int32) int32 {
	for _, j := range s.members[s.hashes[i]] {
		if i == j || vec.EqualRows(s.elements, int(i), s.elements, int(j)) {
			return j
		}
	}
	return -1
}

// add puts element i in and reports whether an equal one was not there yet.
func (s *elementSet) add(i int32) bool {
	if s.has(i) {
		return false
	}
	s.members[s.hashes[i]] = append(s.members[s.hashes[i]], i)
	return true
}

func (s *elementSet) clear() { clear(s.members) }

// setOperation keeps the distinct elements of the first array that keep accepts; the set it sees holds those of the
// second array, if there is one.
func setOperation(keep func(second *elementSet, i int32) bool) body {
	return func(c *Call) (arrow.Array, error) {
		columns := make([]arrow.Array, len(c.Args))
		for i, d := range c.Args {
			columns[i] = elementsOf(d)
		}
		all, base, err := joined(columns)
		if err != nil {
			return nil, err
		}
		seen, second := newElementSet(all), newElementSet(all)
		return pick(c, func(row int, from, to int32, rows []int32) ([]int32, error) {
			seen.clear()
			second.clear()
			if len(c.Args) == 2 {
				f, t := listsOf(c.Args[1]).at(row)
				for e := f; e < t; e++ {
					second.add(base[1] + e)
				}
			}
			for e := from; e < to; e++ {
				if keep(second, e) && seen.add(e) {
					rows = append(rows, e)
				}
			}
			return rows, nil
		})
	}
}

func arrayUnion(c *Call) (arrow.Array, error) {
	both, err := concatArrays(c)
	if err != nil {
		return nil, err
	}
	one := *c
	one.Args = []vec.Datum{{Arr: both, Const: c.Len == 1 && c.Args[0].Const && c.Args[1].Const}}
	return setOperation(func(*elementSet, int32) bool { return true })(&one)
}

func arraysOverlap(c *Call) (arrow.Array, error) {
	a, b := listsOf(c.Args[0]), listsOf(c.Args[1])
	all, base, err := joined([]arrow.Array{elementsOf(c.Args[0]), elementsOf(c.Args[1])})
	if err != nil {
		return nil, err
	}
	set := newElementSet(all)
	return eachRow(c, func(row int) (bool, error) {
		set.clear()
		unknown := false
		from, to := a.at(row)
		if other, end := b.at(row); from == to || other == end {
			return false, nil
		}
		for e := from; e < to; e++ {
			if !vec.IsValid(all, int(e)) {
				unknown = true
			} else {
				set.add(e)
			}
		}
		from, to = b.at(row)
		for e := base[1] + from; e < base[1]+to; e++ {
			if !vec.IsValid(all, int(e)) {
				unknown = true
			} else if set.has(e) {
				return true, nil
			}
		}
		if unknown {
			return false, errNull
		}
		return false, nil
	})
}

// arraySort sorts all rows at once, by row and element.
func arraySort(c *Call) (arrow.Array, error) {
	l, nulls := listsOf(c.Args[0]), c.nulls()
	var rows, chosen []int32
	for row := range c.Len {
		if nulls == nil || !nulls[row] {
			from, to := l.at(row)
			for e := from; e < to; e++ {
				rows, chosen = append(rows, int32(row)), append(chosen, e)
			}
		}
	}
	if len(chosen) == 0 {
		return pick(c, func(_ int, _, _ int32, rows []int32) ([]int32, error) { return rows, nil })
	}
	rowKey, err := write(sqltype.IntegerType, rows, nil)
	if err != nil {
		return nil, err
	}
	elements := vec.Take(elementsOf(c.Args[0]), chosen)
	order := vec.Sort([]vec.SortKey{{Arr: rowKey}, {Arr: elements}}, len(chosen))
	k := 0
	return pick(c, func(_ int, from, to int32, rows []int32) ([]int32, error) {
		for range to - from {
			rows = append(rows, chosen[order[k]])
			k++
		}
		return rows, nil
	})
}

func arrayExtreme(greatest bool) body {
	return func(c *Call) (arrow.Array, error) {
		l, elements := listsOf(c.Args[0]), elementsOf(c.Args[0])
		return takeOne(c, elements, func(row int) (int32, error) {
			from, to := l.at(row)
			best := int32(-1)
			for e := from; e < to; e++ {
				if !vec.IsValid(elements, int(e)) {
					return -1, nil
				}
				if best < 0 || vec.CompareRows(elements, int(e), elements, int(best), greatest, false) < 0 {
					best = e
				}
			}
			return best, nil
		})
	}
}

func sliceArray(c *Call) (arrow.Array, error) {
	start, length := arg[int64](c, 1), arg[int64](c, 2)
	return pick(c, func(row int, from, to int32, rows []int32) ([]int32, error) {
		if start.at(row) == 0 {
			return nil, valueError("positions in an array are counted from 1")
		}
		if length.at(row) < 0 {
			return nil, valueError("the length of a slice must not be negative")
		}
		f, t := span(start.at(row), length.at(row), int64(to-from))
		for e := from + int32(f); e < from+int32(t); e++ {
			rows = append(rows, e)
		}
		return rows, nil
	})
}

func reverseArray(c *Call) (arrow.Array, error) {
	return pick(c, func(_ int, from, to int32, rows []int32) ([]int32, error) {
		for e := to - 1; e >= from; e-- {
			rows = append(rows, e)
		}
		return rows, nil
	})
}

func flatten(c *Call) (arrow.Array, error) {
	l, inner, nulls, p := listsOf(c.Args[0]), vec.Datum{Arr: elementsOf(c.Args[0])}, c.nulls(), newPicks(c.Len)
	if inner.Arr.Len() == 0 {
		return listArray(c.Result, make([]int32, c.Len+1), vec.Nulls(*c.Result.Elem, 0), nulls), nil
	}
	il := listsOf(inner)
	for row := range c.Len {
		if nulls == nil || !nulls[row] {
			from, to := l.at(row)
			for e := from; e < to; e++ {
				if !vec.IsValid(inner.Arr, int(e)) {
					continue
				}
				f, t := il.at(int(e))
				for k := f; k < t; k++ {
					p.rows = append(p.rows, k)
				}
			}
		}
		p.end()
	}
	return p.array(c.Result, elementsOf(inner), nulls)
}

func concatArrays(c *Call) (arrow.Array, error) {
	columns, ls := make([]arrow.Array, len(c.Args)), make([]lists, len(c.Args))
	for i, d := range c.Args {
		columns[i], ls[i] = elementsOf(d), listsOf(d)
	}
	all, base, err := joined(columns)
	if err != nil {
		return nil, err
	}
	nulls, p := c.nulls(), newPicks(c.Len)
	for row := range c.Len {
		if nulls == nil || !nulls[row] {
			for i, l := range ls {
				from, to := l.at(row)
				for e := from; e < to; e++ {
					p.rows = append(p.rows, base[i]+e)
				}
			}
			if len(p.rows) > maxElements {
				return nil, tooManyElements()
			}
		}
		p.end()
	}
	return p.array(c.Result, all, nulls)
}

func appendElement(c *Call) (arrow.Array, error) { return joinElement(c, 0, 1) }

func prependElement(c *Call) (arrow.Array, error) { return joinElement(c, 1, 0) }

// joinElement is the elements of argument list with the value of argument one, in the order of the arguments.
func joinElement(c *Call, list, one int) (arrow.Array, error) {
	l := listsOf(c.Args[list])
	all, base, err := joined([]arrow.Array{elementsOf(c.Args[list]), vec.Plain(c.Args[one].Arr)})
	if err != nil {
		return nil, err
	}
	nulls, p := c.nulls(), newPicks(c.Len)
	for row := range c.Len {
		if nulls == nil || !nulls[row] {
			element := base[1]
			if !c.Args[one].Const {
				element += int32(row)
			}
			if one < list {
				p.rows = append(p.rows, element)
			}
			from, to := l.at(row)
			for e := from; e < to; e++ {
				p.rows = append(p.rows, e)
			}
			if one > list {
				p.rows = append(p.rows, element)
			}
			if len(p.rows) > maxElements {
				return nil, tooManyElements()
			}
		}
		p.end()
	}
	return p.array(c.Result, all, nulls)
}

func repeat(c *Call) (arrow.Array, error) {
	counts, nulls, p := arg[int64](c, 1), nullRows(c.Args[1:], c.Len), newPicks(c.Len)
	for row := range c.Len {
		if nulls == nil || !nulls[row] {
			n := counts.at(row)
			if n > maxSequence {
				return nil, valueError("repeat makes at most %d elements, not %d", maxSequence, n)
			}
			element := int32(row)
			if c.Args[0].Const {
				element = 0
			}
			for range n {
				p.rows = append(p.rows, element)
			}
			if len(p.rows) > maxElements {
				return nil, tooManyElements()
			}
		}
		p.end()
	}
	return p.array(c.Result, vec.Plain(c.Args[0].Arr), nulls)
}

// sequence builds arrays from first to last by step; next gives the n-th value after first.
func sequence[T cmp.Ordered, S cmp.Ordered](c *Call, first, last column[T], step column[S], next func(first T, n int64, step S) (T, error)) (arrow.Array, error) {
	nulls, values := c.nulls(), []T(nil)
	offsets := append(make([]int32, 0, c.Len+1), 0)
	var zero S
	for row := range c.Len {
		if nulls == nil || !nulls[row] {
			a, b, s := first.at(row), last.at(row), step.at(row)
			if s == zero || s > zero && b < a || s < zero && b > a {
				return nil, valueError("the step of sequence must lead from the first to the last value")
			}
			for n, v := int64(0), a; s > zero && v <= b || s < zero && v >= b; {
				if n == maxSequence || len(values) > maxElements {
					return nil, valueError("sequence makes at most %d elements", maxSequence)
				}
				values = append(values, v)
				n++
				var err error
				if v, err = next(a, n, s); errors.Is(err, errNull) { // past every value of the type, so past the last
					break
				} else if err != nil {
					return nil, err
				}
			}
		}
		offsets = append(offsets, int32(len(values)))
	}
	elements, err := write(*c.Result.Elem, values, nil)
	if err != nil {
		return nil, err
	}
	return listArray(c.Result, offsets, elements, nulls), nil
}

func sequenceNumbers(c *Call) (arrow.Array, error) {
	first, last := arg[int64](c, 0), arg[int64](c, 1)
	var step column[int64]
	if len(c.Args) == 3 {
		step = arg[int64](c, 2)
	} else {
		down := make([]int64, c.Len)
		for i := range down {
			down[i] = 1
			if last.at(i) < first.at(i) {
				down[i] = -1
			}
		}
		step = column[int64]{down, -1}
	}
	return sequence(c, first, last, step, func(first, n, step int64) (int64, error) {
		move, ok := multiply(n, step)
		if v := first + move; ok && (first^v)&(move^v) >= 0 {
			return v, nil
		}
		return 0, errNull
	})
}

func sequenceDates(c *Call) (arrow.Array, error) {
	first, last := arg[int32](c, 0), arg[int32](c, 1)
	if len(c.Args) == 3 && c.Types[2].Kind == sqltype.IntervalYear {
		return sequence(c, first, last, arg[int32](c, 2), func(first int32, n int64, step int32) (int32, error) {
			return addMonthsToDate(first, toInt32(n*int64(step)))
		})
	}
	step := column[int64]{make([]int64, c.Len), -1}
	for i := range step.values {
		step.values[i] = millisPerDay
		if last.at(i) < first.at(i) {
			step.values[i] = -millisPerDay
		}
	}
	if len(c.Args) == 3 {
		step = arg[int64](c, 2)
	}
	return sequence(c, first, last, step, func(first int32, n, step int64) (int32, error) {
		ms, ok := multiply(n, step)
		if !ok {
			return 0, timeOutOfRange()
		}
		return addDayInterval(first, ms)
	})
}

func sequenceTimestamps(c *Call) (arrow.Array, error) {
	first, last := arg[int64](c, 0), arg[int64](c, 1)
	if c.Types[2].Kind == sqltype.IntervalYear {
		return sequence(c, first, last, arg[int32](c, 2), func(first, n int64, step int32) (int64, error) {
			return addMonths(first, toInt32(n*int64(step)))
		})
	}
	return sequence(c, first, last, arg[int64](c, 2), func(first, n, step int64) (int64, error) {
		ms, ok := multiply(n, step)
		if !ok {
			return 0, timeOutOfRange()
		}
		return addMillis(first, ms)
	})
}

func zip(c *Call) (arrow.Array, error) {
	nulls := c.nulls()
	offsets := append(make([]int32, 0, c.Len+1), 0)
	ls, rows := make([]lists, len(c.Args)), make([][]int32, len(c.Args))
	for i, d := range c.Args {
		ls[i] = listsOf(d)
	}
	for row := range c.Len {
		if nulls == nil || !nulls[row] {
			longest := int32(0)
			for _, l := range ls {
				from, to := l.at(row)
				longest = max(longest, to-from)
			}
			for i, l := range ls {
				from, to := l.at(row)
				for k := range longest {
					e := from + k
					if e >= to {
						e = -1
					}
					rows[i] = append(rows[i], e)
				}
			}
		}
		if len(rows[0]) > maxElements {
			return nil, tooManyElements()
		}
		offsets = append(offsets, int32(len(rows[0])))
	}
	fields := make([]arrow.Array, len(c.Args))
	for i, d := range c.Args {
		fields[i] = vec.Take(elementsOf(d), rows[i])
	}
	return listArray(c.Result, offsets, rowArray(*c.Result.Elem, fields, len(rows[0]), nil), nulls), nil
}
