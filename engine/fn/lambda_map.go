package fn

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/vec"
)

var lambdaMapFunctions = []*Function{
	{
		Name: "map_filter", Category: lambdas,
		Doc:       "The entries of a map for whose key and value the lambda is true.",
		Example:   "map_filter(map(array['a', 'b'], array[1, 2]), (k, v) -> v > 1) → map(array['b'], array[2])",
		Overloads: []Overload{{Sig: "(map(K, V), function(K, V, boolean)) -> map(K, V)", Eval: mapFilter}},
	},
	{
		Name: "transform_keys", Category: lambdas, CanFail: true,
		Doc:       "The map with the keys that the lambda makes of each key and value. One that is NULL or occurs twice is an error.",
		Example:   "transform_keys(map(array['a'], array[1]), (k, v) -> upper(k)) → map(array['A'], array[1])",
		Overloads: []Overload{{Sig: "(map(K, V), function(K, V, R)) -> map(R, V)", Eval: transformKeys}},
	},
	{
		Name: "transform_values", Category: lambdas,
		Doc:       "The map with the values that the lambda makes of each key and value.",
		Example:   "transform_values(map(array['a'], array[1]), (k, v) -> v + 1) → map(array['a'], array[2])",
		Overloads: []Overload{{Sig: "(map(K, V), function(K, V, R)) -> map(K, R)", Eval: transformValues}},
	},
	{
		Name: "map_zip_with", Category: lambdas,
		Doc: "The map of all keys of two maps to what the lambda makes of the key and both values, NULL standing in for one that is missing.",
		Example: "map_zip_with(map(array['a', 'b'], array[1, 2]), map(array['a'], array[10]), (k, v, w) -> v + coalesce(w, 0)) " +
			"→ map(array['a', 'b'], array[11, 2])",
		Overloads: []Overload{{Sig: "(map(K, V), map(K, W), function(K, V, W, R)) -> map(K, R)", Eval: mapZipWith}},
	},
}

func mapFilter(c *Call) (arrow.Array, error) {
	nulls, m := c.nulls(), mapsOf(c.Args[0])
	s, err := spreadOf(c, 0, nulls)
	if err != nil {
		return nil, err
	}
	verdicts, err := s.apply(c, 0, m.Keys(), m.Items())
	if err != nil {
		return nil, err
	}
	p := s.chosen(verdicts)
	return mapArray(c.Result, p.offsets, vec.Take(m.Keys(), p.rows), vec.Take(m.Items(), p.rows), nulls), nil
}

func transformKeys(c *Call) (arrow.Array, error) {
	nulls, m := c.nulls(), mapsOf(c.Args[0])
	s, err := spreadOf(c, 0, nulls)
	if err != nil {
		return nil, err
	}
	keys, err := s.apply(c, 0, m.Keys(), m.Items())
	if err != nil {
		return nil, err
	}
	b := newMapBuilder(keys, c.Len)
	for row := range c.Len {
		for e := s.offsets[row]; e < s.offsets[row+1]; e++ {
			if err := b.add(e, *c.Result.Key); err != nil {
				return nil, err
			}
		}
		b.end()
	}
	return mapArray(c.Result, s.offsets, keys, s.take(m.Items()), nulls), nil
}

func transformValues(c *Call) (arrow.Array, error) {
	nulls, m := c.nulls(), mapsOf(c.Args[0])
	s, err := spreadOf(c, 0, nulls)
	if err != nil {
		return nil, err
	}
	values, err := s.apply(c, 0, m.Keys(), m.Items())
	if err != nil {
		return nil, err
	}
	return mapArray(c.Result, s.offsets, s.take(m.Keys()), values, nulls), nil
}

// mapZipWith has the keys of the first map in their order, then those that only the second has.
func mapZipWith(c *Call) (arrow.Array, error) {
	a, b, nulls := mapsOf(c.Args[0]), mapsOf(c.Args[1]), c.nulls()
	keys, base, err := joined([]arrow.Array{a.Keys(), b.Keys()})
	if err != nil {
		return nil, err
	}
	al, bl := listsOf(c.Args[0]), listsOf(c.Args[1])
	set := newElementSet(keys)
	var rows, entries, left, right []int32 // of each key: its row, its number, and those of the values
	offsets := append(make([]int32, 0, c.Len+1), 0)
	for row := range c.Len {
		if nulls == nil || !nulls[row] {
			set.clear()
			start := len(entries)
			from, to := al.at(row)
			for e := from; e < to; e++ {
				set.add(e)
				rows, entries, left, right = append(rows, int32(row)), append(entries, e), append(left, e), append(right, -1)
			}
			from, to = bl.at(row)
			for e := from; e < to; e++ {
				if set.add(base[1] + e) {
					rows, entries, left, right = append(rows, int32(row)), append(entries, base[1]+e), append(left, -1), append(right, e)
				} else {
					right[start+slices.Index(entries[start:], set.first(base[1]+e))] = e
				}
			}
			if len(entries) > maxElements {
				return nil, tooManyElements()
			}
		}
		offsets = append(offsets, int32(len(entries)))
	}
	all := vec.Take(keys, entries)
	values, err := c.Lambdas[0]([]arrow.Array{all, vec.Take(a.Items(), left), vec.Take(b.Items(), right)}, rows)
	if err != nil {
		return nil, err
	}
	return mapArray(c.Result, offsets, all, values, nulls), nil
}
