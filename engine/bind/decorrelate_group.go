package bind

import (
	"math"
	"slices"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sqltype"
)

// The operators that look at several rows at once, grouping and limits, work per value in the expansion of a subquery.

// hasEmptySet reports whether n has a group of all rows, which is there without rows, too.
func hasEmptySet(n *plan.Aggregate) bool {
	if n.Sets == nil {
		return len(n.Keys) == 0
	}
	return slices.ContainsFunc(n.Sets, func(set []int) bool { return len(set) == 0 })
}

// expandAggregate groups by the values, too. An aggregate without keys has a row for each value, whether there are rows for it or not.
func (d *dependent) expandAggregate(n *plan.Aggregate) plan.Node {
	in := d.expand(n.Input)
	keys := append(d.bound(n.Keys, in), d.last(in)...)
	aggs := n.Aggs
	values := d.last(in)
	var present expr.Expr // is false in the one row that each value has for certain
	if hasEmptySet(n) {
		mark := plan.Column{Name: "present", Type: sqltype.BooleanType}
		columns := append(slices.Clip(in.Schema()), mark)
		rows := &plan.Project{Input: in, Columns: columns, Exprs: append(plan.ColumnRefs(in), expr.NewLiteral(mark.Type, true))}
		domain := d.distinctValues()
		none := &plan.Project{Input: domain, Columns: columns}
		for _, c := range n.Input.Schema() {
			none.Exprs = append(none.Exprs, expr.NullLiteral(c.Type))
		}
		none.Exprs = append(append(none.Exprs, plan.ColumnRefs(domain)...), expr.NewLiteral(mark.Type, false))
		in = &plan.Union{Children: []plan.Node{rows, none}, Columns: columns}
		refs := plan.ColumnRefs(in)
		present = refs[len(refs)-1]
	}
	calls := mapCalls(aggs, func(e expr.Expr) expr.Expr { return d.replaced(e, values) })
	for i := range calls {
		if present != nil {
			calls[i].Filter = expr.Conjoin(append([]expr.Expr{present}, expr.Conjuncts(calls[i].Filter)...))
		}
	}
	out := &plan.Aggregate{Input: in, Keys: keys, Aggs: calls}
	ownKeys, ownAggs := len(n.Keys), len(n.Keys)+len(n.Aggs)
	out.Columns = slices.Concat(n.Columns[:ownKeys], d.lastColumnsOf(values), n.Columns[ownKeys:])
	end := len(out.Columns)
	if n.Sets == nil {
		return columnsOf(out, span(0, ownKeys), span(len(keys), end), span(ownKeys, len(keys)))
	}
	for _, set := range n.Sets {
		out.Sets = append(out.Sets, slices.Concat(set, span(ownKeys, len(keys))))
	}
	out.Groupings = n.Groupings
	if present == nil {
		return columnsOf(out, span(0, ownKeys), span(len(keys), end), span(ownKeys, len(keys)))
	}
	// The certain row makes a group in every set, but only that of all rows is there without others.
	count := call("count")
	count.Filter = present
	out.Aggs = append(slices.Clip(calls), count)
	isEmpty := make([]int64, len(n.Sets))
	for i, set := range n.Sets {
		if len(set) == 0 {
			isEmpty[i] = 1
		}
	}
	out.Groupings = append(slices.Clip(n.Groupings), isEmpty)
	bigint := func(name string) plan.Column { return plan.Column{Name: name, Type: sqltype.BigIntType} }
	out.Columns = slices.Concat(n.Columns[:ownKeys], d.lastColumnsOf(values), n.Columns[ownKeys:ownAggs], []plan.Column{bigint("rows")},
		n.Columns[ownAggs:], []plan.Column{bigint("all")})
	refs, afterAggs := plan.ColumnRefs(out), len(keys)+len(n.Aggs)
	kept := &plan.Filter{Input: out, Conjuncts: []expr.Expr{&expr.Or{Args: []expr.Expr{
		&expr.Compare{Op: expr.Gt, Left: refs[afterAggs], Right: zero()}, &expr.Compare{Op: expr.Gt, Left: refs[len(refs)-1], Right: zero()},
	}}}}
	return columnsOf(kept, span(0, ownKeys), span(len(keys), afterAggs), span(afterAggs+1, len(refs)-1), span(ownKeys, len(keys)))
}

func (d *dependent) lastColumnsOf(values []expr.Expr) []plan.Column {
	columns := make([]plan.Column, len(values))
	for i, v := range values {
		columns[i] = plan.Column{Name: plan.Label(v), Type: v.Type()}
	}
	return columns
}

// mapCalls returns the calls over other expressions.
func mapCalls(calls []plan.AggregateCall, f func(expr.Expr) expr.Expr) []plan.AggregateCall {
	n := plan.MapExprs(&plan.Aggregate{Aggs: calls}, f).(*plan.Aggregate)
	return n.Aggs
}

// expandLimit keeps rows for each value; of a sort below, the first ones.
func (d *dependent) expandLimit(n *plan.Limit) plan.Node {
	if p, ok := n.Input.(*plan.Project); ok && len(n.By) == 0 { // which may stand between the limit and its sort
		return d.expand(plan.WithInputs(p, []plan.Node{plan.WithInputs(n, []plan.Node{p.Input})}))
	}
	if s, ok := n.Input.(*plan.Sort); ok && len(n.By) == 0 && s.Limit < 0 && s.Offset == 0 {
		in := d.expand(s.Input)
		return d.limited(in, d.boundKeys(s.Keys, in), n.Limit, n.Offset, nil)
	}
	in := d.expand(n.Input)
	return d.limited(in, nil, n.Limit, n.Offset, d.bound(n.By, in))
}

// limited keeps rows of each value, and of each value of by, in the order of keys.
func (d *dependent) limited(in plan.Node, keys []plan.SortKey, limit, offset int64, by []expr.Expr) plan.Node {
	by = append(d.last(in), by...)
	var first []plan.SortKey
	for _, e := range by {
		if !e.Type().Orderable() {
			unsupported(d.at, "a LIMIT in a subquery that uses a column of type "+e.Type().String()+" of the query around it is")
		}
		first = append(first, plan.SortKey{Expr: e})
	}
	return &plan.Limit{Input: &plan.Sort{Input: in, Keys: append(first, keys...), Limit: -1}, Limit: limit, Offset: offset, By: by}
}

// ranked keeps rows of each value with those that are as high as the last of them.
func (d *dependent) ranked(in plan.Node, keys []plan.SortKey, limit, offset int64) plan.Node {
	width := len(in.Schema())
	w := &plan.Window{Input: in, PartitionBy: d.last(in), OrderBy: keys, Columns: slices.Clip(in.Schema())}
	for _, e := range w.PartitionBy {
		if !e.Type().Orderable() {
			unsupported(d.at, "a LIMIT in a subquery that uses a column of type "+e.Type().String()+" of the query around it is")
		}
	}
	for _, name := range []string{"rank", "row_number"} {
		f, _ := fn.LookupWindow(name)
		w.Calls = append(w.Calls, plan.WindowCall{Fn: f, Overload: &f.Overloads[0], Frame: plan.DefaultFrame, T: sqltype.BigIntType})
		w.Columns = append(w.Columns, plan.Column{Name: name, Type: sqltype.BigIntType})
	}
	last := limit + min(offset, math.MaxInt64-limit)
	refs := plan.ColumnRefs(w)
	return columnsOf(&plan.Filter{Input: w, Conjuncts: []expr.Expr{
		&expr.Compare{Op: expr.Le, Left: refs[width], Right: expr.NewLiteral(sqltype.BigIntType, last)},
		&expr.Compare{Op: expr.Gt, Left: refs[width+1], Right: expr.NewLiteral(sqltype.BigIntType, offset)},
	}}, span(0, width))
}
