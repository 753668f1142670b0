package exec

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/plan"
)

func TestJoin(t *testing.T) {
	kinds := map[string]plan.JoinKind{
		"inner": plan.InnerJoin, "left": plan.LeftJoin, "cross": plan.CrossJoin, "semi": plan.SemiJoin, "anti": plan.AntiJoin,
		"mark": plan.MarkJoin,
	}
	for name, kind := range kinds {
		for _, keys := range [][]int{{}, {0}, {3}, {0, 2}} {
			for _, residual := range []bool{false, true} {
				for _, size := range [][2]int{{40, 30}, {40, 0}, {0, 30}} {
					if kind == plan.CrossJoin && (len(keys) > 0 || residual) {
						continue
					}
					t.Run(fmt.Sprintf("%s keys %v residual %v of %v", name, keys, residual, size), func(t *testing.T) {
						sweep(t, false, func(s setting, rng *rand.Rand) (plan.Node, []row) {
							return joinOf(s, rng, kind, keys, residual, nil, people(rng, size[0]), people(rng, size[1]))
						})
					})
				}
			}
		}
	}
}

// Of null-safe keys NULLs match, of the others not.
func TestNullSafeJoin(t *testing.T) {
	for _, kind := range []plan.JoinKind{plan.InnerJoin, plan.LeftJoin, plan.SemiJoin, plan.AntiJoin, plan.MarkJoin} {
		for _, safe := range [][]bool{{true, true}, {true, false}} {
			sweep(t, false, func(s setting, rng *rand.Rand) (plan.Node, []row) {
				return joinOf(s, rng, kind, []int{0, 2}, false, safe, people(rng, 40), people(rng, 30))
			})
		}
	}
}

// A mark is NULL where the residual is NULL for a pair and true for none. Here it is whether n is less, which may be NULL on either side.
func TestMarkJoinOfNulls(t *testing.T) {
	sweep(t, false, func(s setting, rng *rand.Rand) (plan.Node, []row) {
		left, right := people(rng, 30), people(rng, 8)
		n := &plan.Join{Kind: plan.MarkJoin, Left: left.scan(rng, s.coded), Right: right.scan(rng, s.coded)}
		n.LeftKeys, n.RightKeys = []expr.Expr{left.column(0)}, []expr.Expr{right.column(0)}
		other := right.column(2)
		other.Index += len(left.columns)
		n.Residual = less(left.column(2), other)
		n.Columns = plan.JoinColumns(n.Kind, n.Left, n.Right)
		var want []row
		for _, l := range left.rows {
			var mark any = false
			for _, r := range right.rows {
				switch {
				case l[0] == nil || l[0] != r[0]:
				case l[2] == nil || r[2] == nil:
					if mark == false {
						mark = nil
					}
				case l[2].(int64) < r[2].(int64):
					mark = true
				}
			}
			want = append(want, append(slices.Clone(l), mark))
		}
		return n, want
	})
}

func joinOf(
	s setting, rng *rand.Rand, kind plan.JoinKind, keys []int, residual bool, nullSafe []bool, left, right relation,
) (plan.Node, []row) {
	n := &plan.Join{NullSafe: nullSafe, Kind: kind, Left: left.scan(rng, s.coded), Right: right.scan(rng, !s.coded && rng.IntN(2) == 0)}
	for _, key := range keys {
		n.LeftKeys = append(n.LeftKeys, left.column(key))
		n.RightKeys = append(n.RightKeys, right.column(key))
	}
	if residual {
		id := right.column(4)
		id.Index += len(left.columns)
		n.Residual = less(left.column(4), id)
	}
	n.Columns = plan.JoinColumns(kind, n.Left, n.Right)
	var want []row
	for _, l := range left.rows {
		matched := false
		for _, r := range right.rows {
			match := !residual || l[4].(int64) < r[4].(int64)
			for i, key := range keys {
				match = match && (l[key] != nil || n.NullSafeKey(i)) && l[key] == r[key]
			}
			if !match {
				continue
			}
			matched = true
			if len(n.Columns) > len(l)+1 {
				want = append(want, slices.Concat(l, r))
			}
		}
		switch {
		case kind == plan.SemiJoin && matched, kind == plan.AntiJoin && !matched:
			want = append(want, l)
		case kind == plan.MarkJoin:
			want = append(want, append(slices.Clone(l), matched))
		case kind == plan.LeftJoin && !matched:
			want = append(want, slices.Concat(l, make(row, len(right.columns))))
		}
	}
	return n, want
}

// Two aggregated joins below a join: builds wait for builds, on workers that wait themselves.
func TestJoinOfJoins(t *testing.T) {
	sweep(t, false, func(s setting, rng *rand.Rand) (plan.Node, []row) {
		r := people(rng, 60)
		distinct := func() plan.Node {
			inner := &plan.Join{
				Kind: plan.InnerJoin, Left: r.scan(rng, s.coded), Right: r.scan(rng, s.coded),
				LeftKeys: []expr.Expr{r.column(4)}, RightKeys: []expr.Expr{r.column(4)}, Columns: slices.Concat(r.columns, r.columns),
			}
			return &plan.Aggregate{Input: inner, Keys: []expr.Expr{r.column(4)}, Columns: r.columns[4:]}
		}
		id := &expr.Column{Index: 0, T: r.columns[4].Type}
		n := &plan.Join{
			Kind: plan.InnerJoin, Left: distinct(), Right: distinct(),
			LeftKeys: []expr.Expr{id}, RightKeys: []expr.Expr{id}, Columns: []plan.Column{r.columns[4], r.columns[4]},
		}
		var want []row
		for _, in := range r.rows {
			want = append(want, row{in[4], in[4]})
		}
		return n, want
	})
}
