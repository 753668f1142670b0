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
			"Exact up to as many different values as the third argument says; with more of them, a number may be too great by the count of all rows divided by it.",
		Example:   "approx_most_frequent(1, x, 10) FROM (VALUES 'a', 'b', 'a') t (x) → map(array['a'], array[2])",
		Overloads: []AggregateOverload{{Sig: "(bigint, K, bigint) -> map(K, bigint)", New: newMostFrequent}},
	},
}

// mostFrequent counts the commonest values of each group in bounded memory: the summary of Misra and Gries ("Finding repeated elements",
// 1982), with as many counters as capacity, reported like the space-saving one of Trino, that is never too low. Counts are those above
// floors, which are what the values that were forgotten may have had; so two summaries are merged by adding both.
type mostFrequent struct {
	histograms
	buckets, capacity int64
	floors            []int64
}

func newMostFrequent(_ []sqltype.Type, t sqltype.Type) Accumulator {
	return &mostFrequent{histograms: histograms{t: t, pairs: map[uint64][]uint32{}}}
}

func (m *mostFrequent) Update(args []vec.Datum, groups []uint32, count int) error {
	m.floors = grown(m.floors, count)
	if len(groups) == 0 {
		return nil
	}
	m.buckets, m.capacity = columnOf[int64](args[0]).at(0), columnOf[int64](args[2]).at(0)
	if m.buckets < 1 || m.capacity < 1 {
		return valueError("approx_most_frequent takes numbers of values greater than zero, not %d and %d", m.buckets, m.capacity)
	}
	if err := m.histograms.Update(args[1:2], groups, count); err != nil {
		return err
	}
	return m.shrink(count)
}

func (m *mostFrequent) Merge(other Accumulator, remap []uint32, count int) error {
	o := other.(*mostFrequent)
	m.floors = grown(m.floors, count)
	m.buckets, m.capacity = max(m.buckets, o.buckets), max(m.capacity, o.capacity)
	for g, floor := range o.floors {
		m.floors[remap[g]] += floor
	}
	if err := m.histograms.Merge(&o.histograms, remap, count); err != nil {
		return err
	}
	return m.shrink(count)
}

// shrink forgets the rarest values where a group has more than capacity of them; not before all groups together have twice as many, so
// that the work is shared by as many rows.
func (m *mostFrequent) shrink(count int) error {
	pairs := int64(len(m.group))
	if pairs/2/max(m.capacity, 1) < int64(count) {
		return nil
	}
	byCount, offsets := byGroup(m.group, count)
	var keep []uint32
	for g := range count {
		of := byCount[offsets[g]:offsets[g+1]]
		slices.SortStableFunc(of, func(a, b int32) int { return cmp.Compare(m.counts[b], m.counts[a]) })
		least := int64(0)
		if int64(len(of)) > m.capacity {
			least, of = m.counts[of[m.capacity]], of[:m.capacity]
		}
		m.floors[g] += least
		for _, p := range of {
			if m.counts[p] -= least; m.counts[p] > 0 {
				keep = append(keep, uint32(p))
			}
		}
	}
	values, err := m.values.gather(keep)
	if err != nil {
		return err
	}
	groups, counts := make([]uint32, len(keep)), make([]int64, len(keep))
	for i, p := range keep {
		groups[i], counts[i] = m.group[p], m.counts[p]
	}
	m.histograms = histograms{t: m.t, pairs: map[uint64][]uint32{}}
	return m.add(values, groups, counts)
}

func (m *mostFrequent) Result(count int) (arrow.Array, error) {
	all, err := m.histograms.Result(count)
	if err != nil {
		return nil, err
	}
	maps := mapsOf(vec.Datum{Arr: all})
	l, counts, p := listsOf(vec.Datum{Arr: all}), fixed[int64](maps.Items()), newPicks(count)
	var estimates []int64
	m.floors = grown(m.floors, count)
	for g := range count {
		from, to := l.at(g)
		entries := make([]int32, 0, to-from)
		for e := from; e < to; e++ {
			entries = append(entries, e)
		}
		slices.SortStableFunc(entries, func(a, b int32) int { return cmp.Compare(counts[b], counts[a]) })
		for _, e := range entries[:min(int64(len(entries)), m.buckets)] {
			p.rows, estimates = append(p.rows, e), append(estimates, counts[e]+m.floors[g])
		}
		p.end()
	}
	numbers, err := write(sqltype.BigIntType, estimates, nil)
	if err != nil {
		return nil, err
	}
	return mapArray(m.t, p.offsets, vec.Take(maps.Keys(), p.rows), numbers, emptyGroups(p.offsets)), nil
}

func (m *mostFrequent) Bytes() int64 { return m.histograms.Bytes() + bytesOf(m.floors) }
