package optimize

import (
	"slices"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
)

// readMaps reads one key of a JSON object where a map was made of it only to look that key up, as queries of CloudTrail Lake do: in one
// expression, or in an aggregate above the projection that makes the map.
func readMaps(n plan.Node, _ *fn.Session) plan.Node {
	return plan.Rewrite(n, func(n plan.Node) plan.Node {
		n = plan.MapExprs(n, func(e expr.Expr) expr.Expr { return readMap(e, nil) })
		agg, ok := n.(*plan.Aggregate)
		if !ok {
			return n
		}
		below, ok := agg.Input.(*plan.Project)
		if !ok {
			return n
		}
		reads := &plan.Project{Input: below.Input, Exprs: slices.Clone(below.Exprs), Columns: slices.Clone(below.Columns)}
		out := plan.MapExprs(agg, func(e expr.Expr) expr.Expr { return readMap(e, reads) })
		if len(reads.Exprs) == len(below.Exprs) {
			return n
		}
		return plan.WithInputs(out, []plan.Node{reads})
	})
}

// readMap rewrites e. Maps that reads makes, if there is such a projection, are read there, in columns that are added to it.
func readMap(e expr.Expr, reads *plan.Project) expr.Expr {
	return expr.Rewrite(e, func(e expr.Expr) expr.Expr {
		at, ok := e.(*expr.Call)
		if !ok || at.Fn.Name != "element_at" {
			return e
		}
		made := at.Args[0]
		column, ok := made.(*expr.Column)
		if ok = ok && reads != nil && len(expr.Columns(at.Args[1])) == 0; ok {
			made = reads.Exprs[column.Index]
		}
		call, is := made.(*expr.Call)
		if !is || call.Fn.Name != "json_to_map" {
			return e
		}
		value, _ := fn.Lookup("json_map_value")
		i := slices.IndexFunc(call.Fn.Overloads, func(o fn.Overload) bool { return o.Sig == call.Overload.Sig })
		read := &expr.Call{Fn: value, Overload: &value.Overloads[i], Args: []expr.Expr{call.Args[0], at.Args[1]}, T: at.T, Memo: &fn.Memo{}, Pos: at.Pos}
		if !ok {
			return read
		}
		place := slices.IndexFunc(reads.Exprs, func(have expr.Expr) bool { return expr.Equal(have, read) })
		if place < 0 {
			place = len(reads.Exprs)
			reads.Exprs, reads.Columns = append(reads.Exprs, read), append(reads.Columns, plan.Column{Name: plan.Label(at), Type: at.T})
		}
		return &expr.Column{Index: place, Name: reads.Columns[place].Name, T: at.T}
	})
}
