package optimize

import (
	"slices"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
)

// pushFilters moves filters down: through projections, grouping keys, partitions of windows, unions, sorts, the input of UNNEST, and to the sides of joins. Never
// below a LIMIT, which would choose other rows, nor to the right side of a left join, whose rows without match would come back.
// Conjuncts with volatile functions stay where they are.
func pushFilters(n plan.Node, _ *fn.Session) plan.Node { return push(n, nil) }

// push returns n filtered by conjuncts, which are over its columns.
func push(n plan.Node, conjuncts []expr.Expr) plan.Node {
	switch n := n.(type) {
	case *plan.Filter:
		fixed, free := split(n.Conjuncts, expr.Volatile)
		return filtered(push(n.Input, slices.Concat(free, conjuncts)), fixed)

	case *plan.Project:
		stay, down := lowered(conjuncts, n.Exprs)
		return filtered(plan.WithInputs(n, []plan.Node{push(n.Input, down)}), stay)

	case *plan.Aggregate:
		// A key that a grouping set leaves out is NULL there, whatever the rows have. Nothing goes down where a group is there
		// without rows, too.
		keyed := len(n.Keys) > 0 && !slices.ContainsFunc(n.Sets, func(set []int) bool { return len(set) == 0 })
		onKeys := func(e expr.Expr) bool {
			return keyed && !slices.ContainsFunc(expr.Columns(e), func(c int) bool { return c >= len(n.Keys) || !n.InAllSets(c) })
		}
		free, fixed := split(conjuncts, onKeys)
		stay, down := lowered(free, n.Keys)
		return filtered(plan.WithInputs(n, []plan.Node{push(n.Input, down)}), append(fixed, stay...))

	case *plan.Union:
		children := make([]plan.Node, len(n.Children))
		for i, c := range n.Children {
			children[i] = push(c, conjuncts)
		}
		return plan.WithInputs(n, children)

	case *plan.Sort:
		if n.Limit < 0 && n.Offset == 0 {
			return plan.WithInputs(n, []plan.Node{push(n.Input, conjuncts)})
		}
		return filtered(plan.WithInputs(n, []plan.Node{push(n.Input, nil)}), conjuncts)

	case *plan.Window:
		// What a filter on the partition drops is whole partitions, and no function sees another partition than its own.
		down, stay := split(conjuncts, func(e expr.Expr) bool { return computedFrom(e, n.PartitionBy) })
		return filtered(plan.WithInputs(n, []plan.Node{push(n.Input, down)}), stay)

	case *plan.Unnest:
		kept := n.Kept()
		stay, down := split(conjuncts, func(e expr.Expr) bool { return plan.SidesOf(e, len(kept))&plan.RightSide != 0 })
		for i, e := range down {
			down[i] = plan.MoveColumns(e, func(i int) int { return kept[i] })
		}
		return filtered(plan.WithInputs(n, []plan.Node{push(n.Input, down)}), stay)

	case *plan.Join:
		return pushJoin(n, conjuncts)
	}

	inputs := n.Inputs()
	for i, in := range inputs {
		inputs[i] = push(in, nil)
	}
	return filtered(plan.WithInputs(n, inputs), conjuncts)
}

func pushJoin(n *plan.Join, conjuncts []expr.Expr) plan.Node {
	width := len(n.Left.Schema())
	switch n.Kind {
	case plan.InnerJoin, plan.CrossJoin:
		on := append(n.KeyConjuncts(), expr.Conjuncts(n.Residual)...)
		return pushSides(plan.NewJoin(plan.InnerJoin, n.Left, n.Right, append(on, conjuncts...)))
	case plan.LeftJoin, plan.MarkJoin:
		stay, down := split(conjuncts, func(e expr.Expr) bool { return plan.SidesOf(e, width)&plan.RightSide != 0 })
		return filtered(plan.WithInputs(n, []plan.Node{push(n.Left, down), push(n.Right, nil)}), stay)
	}
	return plan.WithInputs(n, []plan.Node{push(n.Left, conjuncts), push(n.Right, nil)})
}

// pushSides goes on below a join that has just been made, which may stand below a filter.
func pushSides(n plan.Node) plan.Node {
	inputs := n.Inputs()
	for i, in := range inputs {
		if _, ok := n.(*plan.Filter); ok {
			inputs[i] = pushSides(in)
		} else {
			inputs[i] = push(in, nil)
		}
	}
	return plan.WithInputs(n, inputs)
}

// maxNodes bounds what a conjunct may grow to: a column computed below can itself be used many times by the conjunct, and so on down.
const maxNodes = 1000

// lowered rewrites conjuncts over computed columns into ones over what they are computed from; those that would call a volatile
// function anew or grow beyond measure stay.
func lowered(conjuncts, computed []expr.Expr) (stay, down []expr.Expr) {
	for _, e := range conjuncts {
		low := substitute(e, computed)
		nodes := 0
		expr.Walk(low, func(expr.Expr) bool {
			nodes++
			return nodes <= maxNodes
		})
		if nodes > maxNodes || expr.Volatile(low) {
			stay = append(stay, e)
		} else {
			down = append(down, low)
		}
	}
	return stay, down
}

// computedFrom reports whether e uses nothing of its input but keys.
func computedFrom(e expr.Expr, keys []expr.Expr) bool {
	is := true
	expr.Walk(e, func(e expr.Expr) bool {
		if slices.ContainsFunc(keys, func(k expr.Expr) bool { return expr.Equal(k, e) }) {
			return false
		}
		_, column := e.(*expr.Column)
		is = is && !column
		return is
	})
	return is && len(keys) > 0
}

// split parts conjuncts in order.
func split(conjuncts []expr.Expr, is func(expr.Expr) bool) (yes, no []expr.Expr) {
	for _, e := range conjuncts {
		if is(e) {
			yes = append(yes, e)
		} else {
			no = append(no, e)
		}
	}
	return yes, no
}
