package optimize

import (
	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
)

// readMaps reads one key of a JSON object where a map was made of it only to look that key up, as queries of CloudTrail Lake do.
func readMaps(n plan.Node, _ *fn.Session) plan.Node {
	value, _ := fn.Lookup("json_map_value")
	return plan.Rewrite(n, func(n plan.Node) plan.Node {
		return plan.MapExprs(n, func(e expr.Expr) expr.Expr {
			return expr.Rewrite(e, func(e expr.Expr) expr.Expr {
				at, ok := e.(*expr.Call)
				if !ok || at.Fn.Name != "element_at" {
					return e
				}
				made, ok := at.Args[0].(*expr.Call)
				if !ok || made.Fn.Name != "json_to_map" {
					return e
				}
				for i := range value.Overloads {
					o := &value.Overloads[i]
					if made.Overload == &made.Fn.Overloads[i] { // both are over the same types, in the same order
						return &expr.Call{Fn: value, Overload: o, Args: []expr.Expr{made.Args[0], at.Args[1]}, T: at.T, Memo: &fn.Memo{}, Pos: at.Pos}
					}
				}
				return e
			})
		})
	})
}
