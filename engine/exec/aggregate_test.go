package exec

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sqltype"
)

func callOf(name string, args ...expr.Expr) plan.AggregateCall {
	a, ok := fn.LookupAggregate(name)
	if !ok {
		panic("no aggregate " + name)
	}
	var types []sqltype.Type
	for _, arg := range args {
		types = append(types, arg.Type())
	}
	overload, _, result, err := a.Resolve(types)
	if err != nil {
		panic(err)
	}
	return plan.AggregateCall{Fn: a, Overload: overload, Args: args, T: result}
}

func TestAggregate(t *testing.T) {
	for _, keys := range [][]int{{}, {0}, {2}, {3}, {0, 1}, {1, 2, 0}} {
		for _, rows := range []int{0, 1, 200} {
			t.Run(fmt.Sprintf("keys %v of %d rows", keys, rows), func(t *testing.T) {
				sweep(t, false, func(s setting, rng *rand.Rand) (plan.Node, []row) {
					r := people(rng, rows)
					n := &plan.Aggregate{Input: r.scan(rng, s.coded)}
					for _, key := range keys {
						n.Keys = append(n.Keys, r.column(key))
						n.Columns = append(n.Columns, r.columns[key])
					}
					filtered := callOf("sum", r.column(4))
					filtered.Filter = equal(r.column(0), text("name-2"))
					distinct := callOf("count", r.column(1))
					distinct.Distinct = true
					distinctSum := callOf("sum", r.column(2))
					distinctSum.Distinct = true
					distinctSum.Filter = equal(r.column(0), text("name-2"))
					n.Aggs = []plan.AggregateCall{
						callOf("count"), callOf("count", r.column(2)), callOf("sum", r.column(2)),
						callOf("max", r.column(1)), filtered, distinct, distinctSum,
					}
					for _, call := range n.Aggs {
						n.Columns = append(n.Columns, plan.Column{Type: call.T})
					}

					type group struct {
						key                       row
						count, counted            int64
						sum, max, filtered, dsum  any
						distinct, distinctNumbers map[any]bool
					}
					groups := map[string]*group{}
					of := func(key row) *group {
						name := fmt.Sprintf("%#v", key)
						if groups[name] == nil {
							groups[name] = &group{key: key, distinct: map[any]bool{}, distinctNumbers: map[any]bool{}}
						}
						return groups[name]
					}
					if len(keys) == 0 {
						of(row{}) // there is one group even without rows
					}
					plus := func(a, b any) any {
						if a == nil {
							return b
						}
						return a.(int64) + b.(int64)
					}
					for _, in := range r.rows {
						key := row{}
						for _, k := range keys {
							key = append(key, in[k])
						}
						g := of(key)
						g.count++
						if in[2] != nil {
							g.counted++
							g.sum = plus(g.sum, in[2])
						}
						if in[1] != nil {
							g.distinct[in[1]] = true
							if g.max == nil || g.max.(string) < in[1].(string) {
								g.max = in[1]
							}
						}
						if in[0] == "name-2" {
							g.filtered = plus(g.filtered, in[4])
							if in[2] != nil && !g.distinctNumbers[in[2]] {
								g.distinctNumbers[in[2]] = true
								g.dsum = plus(g.dsum, in[2])
							}
						}
					}
					var want []row
					for _, g := range groups {
						want = append(want, append(g.key, g.count, g.counted, g.sum, g.max, g.filtered, int64(len(g.distinct)), g.dsum))
					}
					return n, want
				})
			})
		}
	}
}

// Grouping sets give what an aggregation per set gives, with NULL for the keys that it leaves out and the set's groupings.
func TestGroupingSets(t *testing.T) {
	for _, sets := range [][][]int{{{}}, {{}, {}}, {{0, 1}, {0}, {}}, {{1}, {0}, {1}}, {{0, 1, 2}, {}}} {
		for _, rows := range []int{0, 1, 100} {
			t.Run(fmt.Sprintf("sets %v of %d rows", sets, rows), func(t *testing.T) {
				sweep(t, false, func(s setting, rng *rand.Rand) (plan.Node, []row) {
					r := people(rng, rows)
					n := &plan.Aggregate{Input: r.scan(rng, s.coded), Sets: sets, Groupings: [][]int64{nil}}
					for key := range 3 {
						n.Keys, n.Columns = append(n.Keys, r.column(key)), append(n.Columns, r.columns[key])
					}
					counted := callOf("count")
					counted.Filter = equal(r.column(0), text("name-2"))
					distinct := callOf("count", r.column(2))
					distinct.Distinct = true
					n.Aggs = []plan.AggregateCall{callOf("count"), counted, distinct}
					for range 4 {
						n.Columns = append(n.Columns, plan.Column{Type: sqltype.BigIntType})
					}
					var want []row
					for i, set := range sets {
						n.Groupings[0] = append(n.Groupings[0], int64(10+i))
						groups := map[string]row{}
						numbers := map[string]map[any]bool{}
						of := func(in row) (string, row) {
							key := row{nil, nil, nil, int64(0), int64(0), int64(0), int64(10 + i)}
							for _, k := range set {
								key[k] = in[k]
							}
							name := fmt.Sprintf("%#v", key)
							if groups[name] == nil {
								groups[name], numbers[name] = key, map[any]bool{}
							}
							return name, groups[name]
						}
						if len(set) == 0 {
							of(nil)
						}
						for _, in := range r.rows {
							name, g := of(in)
							g[3] = g[3].(int64) + 1
							if in[0] == "name-2" {
								g[4] = g[4].(int64) + 1
							}
							if in[2] != nil {
								numbers[name][in[2]] = true
							}
							g[5] = int64(len(numbers[name]))
						}
						for _, g := range groups {
							want = append(want, g)
						}
					}
					return n, want
				})
			})
		}
	}
}

func TestDistinctIsAnAggregateWithoutAggregates(t *testing.T) {
	sweep(t, false, func(s setting, rng *rand.Rand) (plan.Node, []row) {
		r := people(rng, 200)
		seen := map[any]bool{}
		var want []row
		for _, in := range r.rows {
			if !seen[in[0]] {
				seen[in[0]] = true
				want = append(want, row{in[0]})
			}
		}
		return &plan.Aggregate{Input: r.scan(rng, s.coded), Keys: []expr.Expr{r.column(0)}, Columns: r.columns[:1]}, want
	})
}

// array_agg keeps NULLs and, without ORDER BY, the order of the input, whatever the number of workers.
func TestAggregateInOrder(t *testing.T) {
	for _, c := range []struct{ distinct, ordered bool }{{false, false}, {false, true}, {true, true}} {
		t.Run(fmt.Sprintf("distinct %v ordered %v", c.distinct, c.ordered), func(t *testing.T) {
			sweep(t, false, func(s setting, rng *rand.Rand) (plan.Node, []row) {
				r := people(rng, 100)
				call := callOf("array_agg", r.column(2))
				call.Distinct = c.distinct
				if c.ordered {
					call.OrderBy = []plan.SortKey{{Expr: r.column(2), Desc: true}}
				}
				n := &plan.Aggregate{
					Input: r.scan(rng, s.coded), Keys: []expr.Expr{r.column(0)}, Aggs: []plan.AggregateCall{call},
					Columns: []plan.Column{r.columns[0], {Type: call.T}},
				}
				lists := map[any][]any{}
				for _, in := range r.rows {
					if !c.distinct || !slices.Contains(lists[in[0]], in[2]) {
						lists[in[0]] = append(lists[in[0]], in[2])
					}
				}
				var want []row
				for name, list := range lists {
					if c.ordered {
						slices.SortStableFunc(list, func(a, b any) int { return compareCells(a, b, true, false) })
					}
					text := ""
					for _, v := range list {
						if v == nil {
							v = "null"
						}
						text += fmt.Sprintf(",%v", v)
					}
					want = append(want, row{name, "[" + text[1:] + "]"})
				}
				return n, want
			})
		})
	}
}
