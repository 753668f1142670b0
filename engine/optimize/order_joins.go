package optimize

import (
	"slices"

	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
)

// orderJoins puts the side of an inner or cross join that looks smaller on the right, which the executor keeps in memory.
func orderJoins(n plan.Node, _ *fn.Session) plan.Node {
	return plan.Rewrite(n, func(n plan.Node) plan.Node {
		j, ok := n.(*plan.Join)
		if !ok || j.Kind != plan.InnerJoin && j.Kind != plan.CrossJoin || guess(j.Left) >= guess(j.Right) {
			return n
		}
		width, widthRight := len(j.Left.Schema()), len(j.Right.Schema())
		swapped := &plan.Join{
			Kind: j.Kind, Left: j.Right, Right: j.Left, LeftKeys: j.RightKeys, RightKeys: j.LeftKeys, NullSafe: j.NullSafe,
			Columns: slices.Concat(j.Right.Schema(), j.Left.Schema()),
		}
		if j.Residual != nil {
			swapped.Residual = plan.MoveColumns(j.Residual, func(c int) int {
				if c < width {
					return c + widthRight
				}
				return c - width
			})
		}
		refs := plan.ColumnRefs(swapped)
		return &plan.Project{Input: swapped, Exprs: slices.Concat(refs[widthRight:], refs[:widthRight]), Columns: j.Columns}
	})
}

// guess is a number of rows for comparison between the sides of a join only: there are no statistics here, but a filter, a LIMIT or
// a grouping says enough to tell the needle from the haystack.
func guess(n plan.Node) float64 {
	switch n := n.(type) {
	case *plan.Scan:
		return 1e6
	case *plan.Values:
		return float64(len(n.Rows))
	case *plan.Filter:
		rows := guess(n.Input)
		for range n.Conjuncts {
			rows /= 4
		}
		return rows
	case *plan.Aggregate:
		if len(n.Keys) == 0 {
			return float64(max(len(n.Sets), 1))
		}
		return guess(n.Input) / 4
	case *plan.Limit:
		if n.Limit >= 0 && len(n.By) == 0 {
			return min(float64(n.Limit), guess(n.Input))
		}
		return guess(n.Input)
	case *plan.Sort:
		if n.Limit >= 0 {
			return min(float64(n.Limit), guess(n.Input))
		}
		return guess(n.Input)
	case *plan.Join:
		switch n.Kind {
		case plan.CrossJoin:
			return guess(n.Left) * guess(n.Right)
		case plan.SemiJoin, plan.AntiJoin, plan.MarkJoin:
			return guess(n.Left)
		}
		return max(guess(n.Left), guess(n.Right))
	case *plan.Union:
		var rows float64
		for _, c := range n.Children {
			rows += guess(c)
		}
		return rows
	case *plan.Unnest:
		return guess(n.Input) * 2
	case *plan.Project:
		return guess(n.Input)
	case *plan.Window:
		return guess(n.Input)
	case *plan.Spool:
		return guess(n.Input)
	case *plan.Recursive:
		return guess(n.First)
	case *plan.LastRows: // few, as a rule; in any case they are in memory
		return 100
	}
	return 1e6
}
