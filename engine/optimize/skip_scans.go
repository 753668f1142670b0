package optimize

import (
	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/prune"
	"github.com/trailql/trailql/engine/sqltype"
)

// skipScans tells a scan below UNNEST what a filter above it demands of an element: a row of which no element has the value need not
// be read. The filter stays.
func skipScans(n plan.Node, _ *fn.Session) plan.Node {
	return plan.Rewrite(n, func(n plan.Node) plan.Node {
		f, ok := n.(*plan.Filter)
		if !ok {
			return n
		}
		unnest, ok := f.Input.(*plan.Unnest)
		if !ok {
			return n
		}
		input := unnest.Input
		for _, e := range f.Conjuncts {
			if prune.Needles(e) == nil {
				continue
			}
			if some := ofElement(e, unnest); some != nil {
				input = skipScan(input, some)
			}
		}
		if input == unnest.Input {
			return n
		}
		return plan.WithInputs(f, []plan.Node{plan.WithInputs(unnest, []plan.Node{input})})
	})
}

// ofElement is what must be true of an input row of UNNEST, for e to be true of a row that it makes of that; nil unless e is over
// elements of one array alone.
func ofElement(e expr.Expr, n *plan.Unnest) expr.Expr {
	columns := expr.Columns(e)
	first := len(n.Kept()) // column of the array
	for _, array := range n.Exprs {
		t := array.Type()
		if t.Kind != sqltype.Array { // a map has two columns, a bigint none
			if t.Kind == sqltype.Map {
				first += 2
			}
			continue
		}
		width, fields := 1, t.Elem.Kind == sqltype.Row && !n.Whole
		if fields {
			width = len(t.Elem.Fields)
		}
		if columns[0] < first || columns[len(columns)-1] >= first+width {
			first += width
			continue
		}
		body := expr.Rewrite(e, func(e expr.Expr) expr.Expr {
			c, ok := e.(*expr.Column)
			if !ok {
				return e
			}
			element := &expr.Column{Name: "element", T: *t.Elem}
			if fields {
				return &expr.Field{Arg: element, Index: c.Index - first}
			}
			return element
		})
		match, _ := fn.Lookup("any_match")
		lambda := &expr.Lambda{Params: []sqltype.Field{{Name: "element", Type: *t.Elem}}, Body: body}
		return &expr.Call{Fn: match, Overload: &match.Overloads[0], Args: []expr.Expr{array, lambda}, T: sqltype.BooleanType, Memo: &fn.Memo{}}
	}
	return nil
}

// skipScan is n with the scan below it told that rows need not be read for which e, which is over n's columns, is not true.
func skipScan(n plan.Node, e expr.Expr) plan.Node {
	switch n := n.(type) {
	case *plan.Project:
		return plan.WithInputs(n, []plan.Node{skipScan(n.Input, substitute(e, n.Exprs))})
	case *plan.Filter:
		return plan.WithInputs(n, []plan.Node{skipScan(n.Input, e)})
	case *plan.Scan:
		if prune.Needles(e) == nil || expr.Volatile(e) {
			return n
		}
		told := *n
		told.Skips = append(told.Skips[:len(told.Skips):len(told.Skips)], e)
		return &told
	}
	return n
}
