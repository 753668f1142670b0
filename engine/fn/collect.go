package fn

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

var collectAggregates = []*Aggregate{
	{
		Name: "array_agg", OrderSensitive: true, KeepsNulls: true,
		Doc:       "The values as an array, NULL among them; NULL if there are no rows.",
		Example:   "array_agg(x) FROM (VALUES 1, 2) t (x) → array[1, 2]",
		Overloads: []AggregateOverload{{Sig: "(T) -> array(T)", New: newCollected(collectedArray)}},
	},
	{
		Name: "map_agg", OrderSensitive: true, KeepsNulls: true,
		Doc:       "The map of the first arguments to the second; of equal keys the first counts, a NULL key is left out.",
		Example:   "map_agg(x, y) FROM (VALUES ('a', 1)) t (x, y) → map(array['a'], array[1])",
		Overloads: []AggregateOverload{{Sig: "(K, V) -> map(K, V)", New: newCollected(collectedMap)}},
	},
	{
		Name: "multimap_agg", OrderSensitive: true, KeepsNulls: true,
		Doc:       "The map of the first arguments to the arrays of all their second arguments; a NULL key is left out.",
		Example:   "multimap_agg(x, y) FROM (VALUES ('a', 1), ('a', 2)) t (x, y) → map(array['a'], array[array[1, 2]])",
		Overloads: []AggregateOverload{{Sig: "(K, V) -> map(K, array(V))", New: newCollected(collectedMultimap)}},
	},
	{
		Name: "map_union", OrderSensitive: true,
		Doc:       "The entries of all maps; of equal keys the first counts.",
		Example:   "map_union(x) FROM (VALUES map(array['a'], array[1])) t (x) → map(array['a'], array[1])",
		Overloads: []AggregateOverload{{Sig: "(map(K, V)) -> map(K, V)", New: newUnited}},
	},
	{
		Name:      "histogram",
		Doc:       "The map of each value to the number of its rows.",
		Example:   "histogram(x) FROM (VALUES 'a', 'a') t (x) → map(array['a'], array[2])",
		Overloads: []AggregateOverload{{Sig: "(K) -> map(K, bigint)", New: newHistograms}},
	},
	{
		Name: "listagg", OrderSensitive: true, KeepsNulls: true,
		Doc: "The texts, in the order of WITHIN GROUP, with the separator between them; those that are NULL are left out. ON OVERFLOW TRUNCATE " +
			"'filler' WITH COUNT or WITHOUT COUNT cuts a result of more than 1048576 bytes, which is an error otherwise.",
		Example: "listagg(x, ',') FROM (VALUES 'a', 'b') t (x) → 'a,b'",
		Overloads: []AggregateOverload{
			{Sig: "(varchar) -> varchar", New: newJoinedTexts},
			{Sig: "(varchar, varchar) -> varchar", New: newJoinedTexts},
			{Sig: "(varchar, varchar, varchar, boolean) -> varchar", New: newJoinedTexts},
		},
	},
}

// collected keeps all rows of its arguments, and the group of each, in order.
type collected struct {
	t      sqltype.Type
	args   []sqltype.Type
	chunks [][]arrow.Array // of each argument
	groups []uint32
	size   int64
	build  func(c *collected, columns []arrow.Array, count int) (arrow.Array, error)
}

func newCollected(build func(*collected, []arrow.Array, int) (arrow.Array, error)) func([]sqltype.Type, sqltype.Type) Accumulator {
	return func(args []sqltype.Type, t sqltype.Type) Accumulator {
		return &collected{t: t, args: args, chunks: make([][]arrow.Array, len(args)), build: build}
	}
}

func (c *collected) Update(args []vec.Datum, groups []uint32, _ int) error {
	if len(groups) == 0 {
		return nil
	}
	rows := make([]int32, len(groups))
	for a, d := range args {
		if !d.Const {
			for i := range rows {
				rows[i] = int32(i)
			}
		} else {
			clear(rows)
		}
		chunk := vec.Plain(vec.Take(d.Arr, rows)) // a copy: the batch may go
		c.size += vec.Size(chunk)
		c.chunks[a] = append(c.chunks[a], chunk)
	}
	c.groups = append(c.groups, groups...)
	return nil
}

func (c *collected) Merge(other Accumulator, remap []uint32, _ int) error {
	o := other.(*collected)
	for a := range c.chunks {
		c.chunks[a] = append(c.chunks[a], o.chunks[a]...)
	}
	for _, g := range o.groups {
		c.groups = append(c.groups, remap[g])
	}
	c.size += o.size
	return nil
}

func (c *collected) Result(count int) (arrow.Array, error) {
	columns := make([]arrow.Array, len(c.chunks))
	for a, chunks := range c.chunks {
		if len(chunks) == 0 {
			return vec.Nulls(c.t, count), nil
		}
		var err error
		if columns[a], err = vec.Concat(chunks); err != nil {
			return nil, err
		}
	}
	return c.build(c, columns, count)
}

func (c *collected) Bytes() int64 { return c.size + bytesOf(c.groups) }

// byGroup sorts rows by group, keeping their order within one: group g has rows[offsets[g]:offsets[g+1]].
func byGroup(groups []uint32, count int) (rows, offsets []int32) {
	offsets = make([]int32, count+1)
	for _, g := range groups {
		offsets[g+1]++
	}
	for g := range count {
		offsets[g+1] += offsets[g]
	}
	next := append([]int32(nil), offsets...)
	rows = make([]int32, len(groups))
	for i, g := range groups {
		rows[next[g]] = int32(i)
		next[g]++
	}
	return rows, offsets
}

// emptyGroups is the nulls of a result whose groups without rows are NULL.
func emptyGroups(offsets []int32) []bool {
	nulls := make([]bool, len(offsets)-1)
	for g := range nulls {
		nulls[g] = offsets[g] == offsets[g+1]
	}
	return nulls
}

func collectedArray(c *collected, columns []arrow.Array, count int) (arrow.Array, error) {
	rows, offsets := byGroup(c.groups, count)
	return listArray(c.t, offsets, vec.Take(columns[0], rows), emptyGroups(offsets)), nil
}

func collectedMap(c *collected, columns []arrow.Array, count int) (arrow.Array, error) {
	rows, offsets := byGroup(c.groups, count)
	b := newMapBuilder(columns[0], count)
	for g := range count {
		for _, row := range rows[offsets[g]:offsets[g+1]] {
			if vec.IsValid(columns[0], int(row)) && b.set.add(row) {
				b.entries = append(b.entries, row)
			}
		}
		b.end()
	}
	return b.array(c.t, columns[1], emptyGroups(b.offsets))
}

func collectedMultimap(c *collected, columns []arrow.Array, count int) (arrow.Array, error) {
	rows, offsets := byGroup(c.groups, count)
	set := newElementSet(columns[0])
	var keys []int32     // the first row of each entry
	var entryOf []uint32 // the entry of each value, in the order of valueRows
	var valueRows []int32
	mapOffsets := make([]int32, 1, count+1)
	for g := range count {
		set.clear()
		entries := map[int32]uint32{} // first row of a key → entry
		for _, row := range rows[offsets[g]:offsets[g+1]] {
			if !vec.IsValid(columns[0], int(row)) {
				continue
			}
			if set.add(row) {
				entries[row] = uint32(len(keys))
				keys = append(keys, row)
			}
			entryOf, valueRows = append(entryOf, entries[set.first(row)]), append(valueRows, row)
		}
		mapOffsets = append(mapOffsets, int32(len(keys)))
	}
	order, listOffsets := byGroup(entryOf, len(keys))
	for i, o := range order {
		order[i] = valueRows[o]
	}
	lists := listArray(*c.t.Elem, listOffsets, vec.Take(columns[1], order), nil)
	return mapArray(c.t, mapOffsets, vec.Take(columns[0], keys), lists, emptyGroups(mapOffsets)), nil
}

// united is map_union: the entries of all maps, collected like map_agg's.
type united struct{ collected }

func newUnited(_ []sqltype.Type, t sqltype.Type) Accumulator {
	return &united{collected{t: t, args: []sqltype.Type{*t.Key, *t.Elem}, chunks: make([][]arrow.Array, 2), build: collectedMap}}
}

func (u *united) Update(args []vec.Datum, groups []uint32, count int) error {
	l, m := listsOf(args[0]), args[0].Arr.(*array.Map)
	var rows []int32
	var of []uint32
	for i, g := range groups {
		from, to := l.at(i)
		for e := from; e < to; e++ {
			rows, of = append(rows, e), append(of, g)
		}
	}
	return u.collected.Update([]vec.Datum{{Arr: vec.Take(m.Keys(), rows)}, {Arr: vec.Take(m.Items(), rows)}}, of, count)
}

func (u *united) Merge(other Accumulator, remap []uint32, count int) error {
	return u.collected.Merge(&other.(*united).collected, remap, count)
}

// histograms counts each value of each group.
type histograms struct {
	t      sqltype.Type
	values kept // by pair of group and value
	pairs  map[uint64][]uint32
	group  []uint32 // of each pair
	counts []int64
}

func newHistograms(_ []sqltype.Type, t sqltype.Type) Accumulator {
	return &histograms{t: t, pairs: map[uint64][]uint32{}}
}

// pair finds the number of a group and a value whose hash is h; a new pair is noted for the caller to keep.
func (s *histograms) pair(a arrow.Array, row int, g uint32, h uint64, fresh map[uint32]int32) uint32 {
	h ^= groupHash(g)
	for _, p := range s.pairs[h] {
		if s.group[p] != g {
			continue
		}
		if first, ok := fresh[p]; ok {
			if vec.EqualRows(a, row, a, int(first)) {
				return p
			}
		} else if at := s.values.at[p]; vec.EqualRows(a, row, s.values.chunks[at.chunk], int(at.row)) {
			return p
		}
	}
	p := uint32(len(s.group))
	s.pairs[h] = append(s.pairs[h], p)
	s.group = append(s.group, g)
	s.counts = append(s.counts, 0)
	fresh[p] = int32(row)
	return p
}

func groupHash(g uint32) uint64 { return uint64(g) * 0x9e3779b97f4a7c15 }

// add counts rows of a, each n[i] times (once if n is nil).
func (s *histograms) add(a arrow.Array, groups []uint32, n []int64) error {
	hashes := make([]uint64, a.Len())
	vec.Hash(a, hashes)
	old, fresh := len(s.group), map[uint32]int32{}
	for i, g := range groups {
		p := s.pair(a, i, g, hashes[i], fresh)
		if n == nil {
			s.counts[p]++
		} else {
			s.counts[p] += n[i]
		}
	}
	s.values.grow(len(s.group))
	rows, of := make([]int32, 0, len(fresh)), make([]uint32, 0, len(fresh))
	for p := uint32(old); int(p) < len(s.group); p++ {
		rows, of = append(rows, fresh[p]), append(of, p)
	}
	return s.values.set(vec.Datum{Arr: a}, rows, of)
}

func (s *histograms) Update(args []vec.Datum, groups []uint32, _ int) error {
	if len(groups) == 0 {
		return nil
	}
	return s.add(vec.Column(args[0], len(groups)), groups, nil)
}

func (s *histograms) Merge(other Accumulator, remap []uint32, _ int) error {
	o := other.(*histograms)
	if len(o.group) == 0 {
		return nil
	}
	values, err := o.values.result(*o.t.Key, len(o.group))
	if err != nil {
		return err
	}
	groups := make([]uint32, len(o.group))
	for p, g := range o.group {
		groups[p] = remap[g]
	}
	return s.add(values, groups, o.counts)
}

func (s *histograms) Result(count int) (arrow.Array, error) {
	values, err := s.values.result(*s.t.Key, len(s.group))
	if err != nil {
		return nil, err
	}
	order, offsets := byGroup(s.group, count)
	counts := make([]int64, len(order))
	for i, p := range order {
		counts[i] = s.counts[p]
	}
	countArray, err := write(sqltype.BigIntType, counts, nil)
	if err != nil {
		return nil, err
	}
	return mapArray(s.t, offsets, vec.Take(values, order), countArray, emptyGroups(offsets)), nil
}

func (s *histograms) Bytes() int64 {
	return s.values.bytes() + bytesOf(s.group) + bytesOf(s.counts) + 48*int64(len(s.pairs))
}
