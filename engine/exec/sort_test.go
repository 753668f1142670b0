package exec

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/trailql/trailql/engine/plan"
)

// compareCells orders as Trino does: NULL last unless nullsFirst, whatever the direction.
func compareCells(a, b any, desc, nullsFirst bool) int {
	if a == nil || b == nil {
		if a == nil && b == nil {
			return 0
		}
		if (a == nil) == nullsFirst {
			return -1
		}
		return 1
	}
	n := 0
	switch a := a.(type) {
	case int64:
		n = cmp.Compare(a, b.(int64))
	case string:
		n = cmp.Compare(a, b.(string))
	case float64:
		n = cmp.Compare(a, b.(float64))
	}
	if desc {
		return -n
	}
	return n
}

func TestSortAndTopN(t *testing.T) {
	for _, limit := range []int64{-1, 0, 1, 3, 50, 1000} {
		for _, offset := range []int64{0, 4} {
			t.Run(fmt.Sprintf("limit %d offset %d", limit, offset), func(t *testing.T) {
				sweep(t, true, func(s setting, rng *rand.Rand) (plan.Node, []row) {
					r := people(rng, 300)
					n := &plan.Sort{Input: r.scan(rng, s.coded), Limit: limit, Offset: offset}
					var keys []int
					for range 1 + rng.IntN(2) {
						keys = append(keys, rng.IntN(4))
						n.Keys = append(n.Keys, plan.SortKey{
							Expr: r.column(keys[len(keys)-1]), Desc: rng.IntN(2) == 0, NullsFirst: rng.IntN(2) == 0,
						})
					}
					want := slices.Clone(r.rows)
					compare := func(a, b row) int {
						for i, key := range keys {
							if c := compareCells(a[key], b[key], n.Keys[i].Desc, n.Keys[i].NullsFirst); c != 0 {
								return c
							}
						}
						return 0
					}
					slices.SortStableFunc(want, compare)
					all := want
					want = window(want, limit, offset)
					n.Ties = limit > 0 && rng.IntN(2) == 0
					for end := int(offset) + len(want); n.Ties && end < len(all) && compare(all[end-1], all[end]) == 0; end++ {
						want = append(want, all[end])
					}
					return n, want
				})
			})
		}
	}
}
