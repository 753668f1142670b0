package fn

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

var setAggregates = []*Aggregate{
	{
		Name: "set_agg", OrderSensitive: true, KeepsNulls: true,
		Doc:       "The distinct values as an array, NULL among them; NULL if there are no rows.",
		Example:   "set_agg(x) FROM (VALUES 1, 2, 1) t (x) → array[1, 2]",
		Overloads: []AggregateOverload{{Sig: "(T) -> array(T)", New: newCollected(collectedSet)}},
	},
	{
		Name: "set_union", OrderSensitive: true,
		Doc:       "The distinct elements of all arrays as an array.",
		Example:   "set_union(x) FROM (VALUES array[1, 2], array[2, 3]) t (x) → array[1, 2, 3]",
		Overloads: []AggregateOverload{{Sig: "(array(T)) -> array(T)", New: newUnitedSets}},
	},
}

// collectedSet is the distinct values of each group; groups of which nothing was seen are NULL.
func collectedSet(c *collected, columns []arrow.Array, count int) (arrow.Array, error) {
	rows, offsets := byGroup(c.groups, count)
	set, p := newElementSet(columns[0]), newPicks(count)
	for g := range count {
		set.clear()
		for _, row := range rows[offsets[g]:offsets[g+1]] {
			if set.add(row) {
				p.rows = append(p.rows, row)
			}
		}
		p.end()
	}
	return p.array(c.t, columns[0], emptyGroups(offsets))
}

// unitedSets is set_union: the elements of all arrays, collected like set_agg's. A group whose arrays are all NULL or empty has no elements.
type unitedSets struct{ collected }

func newUnitedSets(_ []sqltype.Type, t sqltype.Type) Accumulator {
	return &unitedSets{collected{t: t, args: []sqltype.Type{*t.Elem}, chunks: make([][]arrow.Array, 1), build: collectedUnion}}
}

func (u *unitedSets) Update(args []vec.Datum, groups []uint32, count int) error {
	l := listsOf(args[0])
	var rows []int32
	var of []uint32
	for i, g := range groups {
		from, to := l.at(i)
		for e := from; e < to; e++ {
			rows, of = append(rows, e), append(of, g)
		}
	}
	return u.collected.Update([]vec.Datum{{Arr: vec.Take(elementsOf(args[0]), rows)}}, of, count)
}

func (u *unitedSets) Merge(other Accumulator, remap []uint32, count int) error {
	return u.collected.Merge(&other.(*unitedSets).collected, remap, count)
}

func (u *unitedSets) Result(count int) (arrow.Array, error) {
	if len(u.groups) == 0 {
		return listArray(u.t, make([]int32, count+1), vec.Nulls(*u.t.Elem, 0), nil), nil
	}
	return u.collected.Result(count)
}

func collectedUnion(c *collected, columns []arrow.Array, count int) (arrow.Array, error) {
	sets, err := collectedSet(c, columns, count)
	if err != nil {
		return nil, err
	}
	return listArray(c.t, arrow.GetOffsets[int32](sets.Data(), 1), elementsOf(vec.Datum{Arr: sets}), nil), nil
}
