package fn

import (
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

var mapFunctions = []*Function{
	{
		Name: "map", Category: maps, CanFail: true,
		Doc:     "The map of an array of keys to an array of values, equally long; without arguments an empty map. A key that is NULL or occurs twice is an error.",
		Example: "map(array['a', 'b'], array[1, 2])['b'] → 2",
		Overloads: []Overload{
			{Sig: "() -> map(K, V)", Result: emptyMapType, Eval: emptyMap},
			{Sig: "(array(K), array(V)) -> map(K, V)", Eval: mapOfArrays},
		},
	},
	{
		Name: "map_keys", Category: maps,
		Doc:       "The keys as an array.",
		Example:   "map_keys(map(array['a'], array[1])) → array['a']",
		Overloads: []Overload{{Sig: "(map(K, V)) -> array(K)", Eval: mapPart((*array.Map).Keys)}},
	},
	{
		Name: "map_values", Category: maps,
		Doc:       "The values as an array.",
		Example:   "map_values(map(array['a'], array[1])) → array[1]",
		Overloads: []Overload{{Sig: "(map(K, V)) -> array(V)", Eval: mapPart((*array.Map).Items)}},
	},
	{
		Name: "map_entries", Category: maps,
		Doc:       "The entries as an array of rows of key and value.",
		Example:   "map_entries(map(array['a'], array[1])) → array[row('a', 1)]",
		Overloads: []Overload{{Sig: "(map(K, V)) -> array(row(K, V))", Eval: mapEntries}},
	},
	{
		Name: "map_from_entries", Category: maps, CanFail: true,
		Doc:       "The map of an array of rows of key and value. A key that is NULL or occurs twice is an error.",
		Example:   "map_from_entries(array[row('a', 1)])['a'] → 1",
		Overloads: []Overload{{Sig: "(array(row(K, V))) -> map(K, V)", Eval: mapFromEntries}},
	},
	{
		Name: "map_concat", Category: maps, CanFail: true,
		Doc:       "The entries of all maps; of equal keys the last map's counts.",
		Example:   "map_concat(map(array['a'], array[1]), map(array['a'], array[2]))['a'] → 2",
		Overloads: []Overload{{Sig: "(map(K, V), map(K, V)...) -> map(K, V)", Eval: mapConcat}},
	},
}

func mapsOf(d vec.Datum) *array.Map { return d.Arr.(*array.Map) }

func emptyMapType([]sqltype.Type) sqltype.Type {
	return sqltype.MapOf(sqltype.UnknownType, sqltype.UnknownType)
}

func emptyMap(c *Call) (arrow.Array, error) {
	return mapArray(c.Result, make([]int32, c.Len+1), vec.Nulls(*c.Result.Key, 0), vec.Nulls(*c.Result.Elem, 0), nil), nil
}

// mapLookup finds, for each row that is not NULL, the number of the entry whose key is argument 1, -1 if there is none.
func mapLookup(c *Call, nulls []bool) (entry func(row int) int32) {
	l := listsOf(c.Args[0])
	keys := mapsOf(c.Args[0]).Keys()
	if k, ok := keys.(*array.String); ok { // the usual case: no need to gather pairs first
		wanted := arg[string](c, 1)
		return func(row int) int32 {
			from, to := l.at(row)
			w := wanted.at(row)
			for e := from; e < to; e++ {
				if k.Value(int(e)) == w {
					return e
				}
			}
			return -1
		}
	}
	found := matches(c, l, keys, nulls)
	k := 0
	return func(row int) int32 {
		from, to := l.at(row)
		hit := int32(-1)
		for e := from; e < to; e++ {
			if found[k] {
				hit = e
			}
			k++
		}
		return hit
	}
}

func mapElementAt(c *Call) (arrow.Array, error) {
	entry := mapLookup(c, c.nulls())
	return takeOne(c, mapsOf(c.Args[0]).Items(), func(row int) (int32, error) { return entry(row), nil })
}

func mapSubscript(c *Call) (arrow.Array, error) {
	entry := mapLookup(c, c.nulls())
	return takeOne(c, mapsOf(c.Args[0]).Items(), func(row int) (int32, error) {
		e := entry(row)
		if e < 0 {
			if c.Args[1].Const {
				row = 0
			}
			return 0, valueError("the map has no key %s; element_at gives NULL instead",
				shown(string(sqltype.AppendText(nil, c.Types[1], c.Args[1].Arr, row))))
		}
		return e, nil
	})
}

func mapPart(part func(*array.Map) arrow.Array) body {
	return func(c *Call) (arrow.Array, error) {
		l, nulls, p := listsOf(c.Args[0]), c.nulls(), newPicks(c.Len)
		for row := range c.Len {
			if nulls == nil || !nulls[row] {
				from, to := l.at(row)
				for e := from; e < to; e++ {
					p.rows = append(p.rows, e)
				}
			}
			p.end()
		}
		return p.array(c.Result, part(mapsOf(c.Args[0])), nulls)
	}
}

func mapEntries(c *Call) (arrow.Array, error) {
	m := mapsOf(c.Args[0])
	entries := rowArray(*c.Result.Elem, []arrow.Array{m.Keys(), m.Items()}, m.Keys().Len(), nil)
	return mapPart(func(*array.Map) arrow.Array { return entries })(c)
}

// mapBuilder gathers entries by number and refuses or replaces equal keys of a row.
type mapBuilder struct {
	keys    arrow.Array
	set     *elementSet
	entries []int32
	offsets []int32
}

func newMapBuilder(keys arrow.Array, n int) *mapBuilder {
	return &mapBuilder{keys: keys, set: newElementSet(keys), offsets: append(make([]int32, 0, n+1), 0)}
}

// add adds entry e to the row at hand.
func (b *mapBuilder) add(e int32, keyType sqltype.Type) error {
	if !vec.IsValid(b.keys, int(e)) {
		return valueError("the key of a map must not be NULL")
	}
	if !b.set.add(e) {
		return valueError("the key %s occurs twice", shown(string(sqltype.AppendText(nil, keyType, b.keys, int(e)))))
	}
	b.entries = append(b.entries, e)
	return nil
}

func (b *mapBuilder) end() {
	b.offsets = append(b.offsets, int32(len(b.entries)))
	b.set.clear()
}

func (b *mapBuilder) array(t sqltype.Type, values arrow.Array, nulls []bool) (arrow.Array, error) {
	return mapArray(t, b.offsets, vec.Take(b.keys, b.entries), vec.Take(values, b.entries), nulls), nil
}

func mapOfArrays(c *Call) (arrow.Array, error) {
	kl, vl, nulls := listsOf(c.Args[0]), listsOf(c.Args[1]), c.nulls()
	b := newMapBuilder(elementsOf(c.Args[0]), c.Len)
	var values []int32
	for row := range c.Len {
		if nulls == nil || !nulls[row] {
			kf, kt := kl.at(row)
			vf, vt := vl.at(row)
			if kt-kf != vt-vf {
				return nil, valueError("a map needs as many values as keys, not %s for %s", strconv.Itoa(int(vt-vf)), strconv.Itoa(int(kt-kf)))
			}
			for k := range kt - kf {
				if err := b.add(kf+k, *c.Result.Key); err != nil {
					return nil, err
				}
				values = append(values, vf+k)
			}
		}
		b.end()
	}
	if len(values) > maxElements {
		return nil, tooManyElements()
	}
	return mapArray(c.Result, b.offsets, vec.Take(b.keys, b.entries), vec.Take(elementsOf(c.Args[1]), values), nulls), nil
}

func mapFromEntries(c *Call) (arrow.Array, error) {
	l, nulls := listsOf(c.Args[0]), c.nulls()
	rows := elementsOf(c.Args[0]).(*array.Struct)
	b := newMapBuilder(rows.Field(0), c.Len)
	for row := range c.Len {
		if nulls == nil || !nulls[row] {
			from, to := l.at(row)
			for e := from; e < to; e++ {
				if !vec.IsValid(rows, int(e)) {
					return nil, valueError("an entry of a map must not be NULL")
				}
				if err := b.add(e, *c.Result.Key); err != nil {
					return nil, err
				}
			}
		}
		b.end()
	}
	return b.array(c.Result, rows.Field(1), nulls)
}

func mapConcat(c *Call) (arrow.Array, error) {
	keys, values, ls := make([]arrow.Array, len(c.Args)), make([]arrow.Array, len(c.Args)), make([]lists, len(c.Args))
	for i, d := range c.Args {
		keys[i], values[i], ls[i] = mapsOf(d).Keys(), mapsOf(d).Items(), listsOf(d)
	}
	allKeys, base, err := joined(keys)
	if err != nil {
		return nil, err
	}
	allValues, _, err := joined(values)
	if err != nil {
		return nil, err
	}
	nulls, b := c.nulls(), newMapBuilder(allKeys, c.Len)
	for row := range c.Len {
		if nulls == nil || !nulls[row] {
			for i := len(ls) - 1; i >= 0; i-- { // the last map first: what it has, the others cannot add
				from, to := ls[i].at(row)
				for e := base[i] + from; e < base[i]+to; e++ {
					if b.set.add(e) {
						b.entries = append(b.entries, e)
					}
				}
			}
			if len(b.entries) > maxElements {
				return nil, tooManyElements()
			}
		}
		b.end()
	}
	return b.array(c.Result, allValues, nulls)
}
