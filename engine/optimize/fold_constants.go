package optimize

import (
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
)

// foldConstants computes what does not depend on a row, splits filters at their ANDs, drops conjuncts that are true, and
// makes nothing of an input that a filter or LIMIT 0 lets nothing through.
func foldConstants(n plan.Node, s *fn.Session) plan.Node {
	return plan.Rewrite(n, func(n plan.Node) plan.Node {
		n = plan.MapExprs(n, func(e expr.Expr) expr.Expr { return expr.Fold(e, s) })
		switch n := n.(type) {
		case *plan.Filter:
			var kept []expr.Expr
			for _, c := range n.Conjuncts {
				for _, e := range expr.Conjuncts(c) {
					value, constant := boolean(e)
					if constant && !value {
						return empty(n)
					}
					if !constant {
						kept = append(kept, e)
					}
				}
			}
			return filtered(n.Input, kept)
		case *plan.Limit:
			if n.Limit == 0 {
				return empty(n)
			}
		}
		return n
	})
}

// boolean returns the value of a boolean literal, NULL counting as false.
func boolean(e expr.Expr) (value, constant bool) {
	lit, ok := e.(*expr.Literal)
	if !ok {
		return false, false
	}
	b, ok := lit.Value.(*array.Boolean)
	return ok && b.IsValid(0) && b.Value(0), true
}

func empty(n plan.Node) plan.Node { return &plan.Values{Columns: n.Schema()} }

func filtered(n plan.Node, conjuncts []expr.Expr) plan.Node {
	if len(conjuncts) == 0 {
		return n
	}
	return &plan.Filter{Input: n, Conjuncts: conjuncts}
}
