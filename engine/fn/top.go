package fn

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// maxTop is how many values max(x, n) and its kin give.
const maxTop = 10_000

// newTops makes max(x, n) or min(x, n), or with by max_by(x, y, n) or min_by(x, y, n): the n greatest or least, best
// first.
func newTops(greatest, by bool) func([]sqltype.Type, sqltype.Type) Accumulator {
	return newCollected(func(c *collected, columns []arrow.Array, count int) (arrow.Array, error) {
		key, limits := columns[0], columns[1]
		if by {
			key, limits = columns[1], columns[2]
		}
		groups := make([]int32, len(c.groups))
		for i, g := range c.groups {
			groups[i] = int32(g)
		}
		groupKey, err := write(sqltype.IntegerType, groups, nil)
		if err != nil {
			return nil, err
		}
		most := fixed[int64](limits)
		p := newPicks(count)
		keys := []vec.SortKey{{Arr: groupKey}, {Arr: key, Desc: greatest}}
		if id := key.DataType().ID(); greatest && (id == arrow.FLOAT64 || id == arrow.FLOAT32) { // NaN comes after the numbers, as in max(x)
			nan, err := vec.Compare(vec.Ne, sqltype.DoubleType, vec.Datum{Arr: key}, vec.Datum{Arr: key}, len(groups))
			if err != nil {
				return nil, err
			}
			keys = slices.Insert(keys, 1, vec.SortKey{Arr: nan})
		}
		order := vec.Sort(keys, len(groups))
		for g, i := int32(0), 0; int(g) < count; g++ {
			for n := int64(0); i < len(order) && groups[order[i]] == g; i++ {
				row := order[i]
				limit := most[row]
				if !vec.IsValid(limits, int(row)) || limit < 1 || limit > maxTop {
					return nil, valueError("the number of values to keep must be between 1 and %d", maxTop)
				}
				if n < limit && vec.IsValid(key, int(row)) {
					p.rows = append(p.rows, row)
					n++
				}
			}
			p.end()
		}
		return p.array(c.t, columns[0], emptyGroups(p.offsets))
	})
}
