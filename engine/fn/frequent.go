package fn

import (
	"cmp"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

var frequentAggregates = []*Aggregate{
	{
		Name: "approx_most_frequent",
		Doc: "The map of the values that occur most, as many as the first argument says, to the number of their rows, the greatest first. " +
			"The numbers are exact; the third argument, which bounds the error in Trino, has no effect.",
		Example:   "approx_most_frequent(1, x, 10) FROM (VALUES 'a', 'b', 'a') t (x) → map(array['a'], array[2])",
		Overloads: []AggregateOverload{{Sig: "(bigint, K, bigint) -> map(K, bigint)", New: newMostFrequent}},
	},
}

// mostFrequent is histograms of which the greatest counts are kept.
type mostFrequent struct {
	histograms
	buckets int64
}

func newMostFrequent(_ []sqltype.Type, t sqltype.Type) Accumulator {
	return &mostFrequent{histograms: histograms{t: t, pairs: map[uint64][]uint32{}}}
}

func (m *mostFrequent) Update(args []vec.Datum, groups []uint32, count int) error {
	if len(groups) == 0 {
		return nil
	}
	m.buckets = columnOf[int64](args[0]).at(0)
	if m.buckets < 1 {
		return valueError("approx_most_frequent takes a number of values greater than zero, not %d", m.buckets)
	}
	return m.histograms.Update(args[1:2], groups, count)
}

func (m *mostFrequent) Merge(other Accumulator, remap []uint32, count int) error {
	o := other.(*mostFrequent)
	m.buckets = max(m.buckets, o.buckets)
	return m.histograms.Merge(&o.histograms, remap, count)
}

func (m *mostFrequent) Result(count int) (arrow.Array, error) {
	all, err := m.histograms.Result(count)
	if err != nil {
		return nil, err
	}
	maps := mapsOf(vec.Datum{Arr: all})
	l, counts, p := listsOf(vec.Datum{Arr: all}), fixed[int64](maps.Items()), newPicks(count)
	for g := range count {
		from, to := l.at(g)
		entries := make([]int32, 0, to-from)
		for e := from; e < to; e++ {
			entries = append(entries, e)
		}
		slices.SortStableFunc(entries, func(a, b int32) int { return cmp.Compare(counts[b], counts[a]) })
		p.rows = append(p.rows, entries[:min(int64(len(entries)), m.buckets)]...)
		p.end()
	}
	return mapArray(m.t, p.offsets, vec.Take(maps.Keys(), p.rows), vec.Take(maps.Items(), p.rows), emptyGroups(p.offsets)), nil
}
