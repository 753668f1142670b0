package bind

import (
	"slices"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
)

// Subqueries are uncorrelated: each is joined to the relation of its clause once, as columns behind the named ones, and the
// expression uses those.

// attach joins a subquery: at once, or where aggregates are being collected when the node that it belongs to is there.
func (x *exprs) attach(t sqltype.Type, arg expr.Expr, join func(plan.Node, expr.Expr) (plan.Node, expr.Expr)) expr.Expr {
	if x.agg == nil {
		var e expr.Expr
		x.in.node, e = join(x.in.node, arg)
		return e
	}
	x.agg.later = append(x.agg.later, later{arg: arg, join: join})
	return &expr.Column{Index: subqueryBase + len(x.agg.later) - 1, Name: "subquery", T: t}
}

// subquery binds q and checks that it has one column.
func (x *exprs) subquery(q *sql.Query) plan.Node {
	n := x.query(q, x.with, &scope{in: x.in, outer: x.outer})
	if len(n.fields) != 1 {
		fail(sqlerr.Type, q.Pos(), "a subquery used as a value has one column, this one has %d", len(n.fields))
	}
	return n.node
}

// scalarQuery is the value of the one row of a subquery, NULL if it has none. More than one row is an error at run time.
func (x *exprs) scalarQuery(e *sql.ScalarQuery) expr.Expr {
	sub := x.subquery(e.Query)
	t := sub.Schema()[0].Type
	if !oneRowAlways(sub) {
		two := &plan.Limit{Input: sub, Limit: 2}
		value := plan.ColumnRefs(two)[0]
		counted := aggregateOf(two, nil, call("count"), call("arbitrary", value))
		sub = &plan.Project{
			Input: counted, Columns: []plan.Column{{Type: t}},
			Exprs: []expr.Expr{construct(singleRow, t, plan.ColumnRefs(counted), e.Pos())},
		}
	}
	return x.attach(t, nil, func(node plan.Node, _ expr.Expr) (plan.Node, expr.Expr) { return beside(node, sub) })
}

// oneRowAlways reports whether n provably has exactly one row.
func oneRowAlways(n plan.Node) bool {
	switch n := n.(type) {
	case *plan.Aggregate:
		return len(n.Keys) == 0 && n.Sets == nil
	case *plan.Project:
		return oneRowAlways(n.Input)
	case *plan.Values:
		return len(n.Rows) == 1
	}
	return false
}

// beside puts the one row of sub beside each row of node and returns its last column.
func beside(node, sub plan.Node) (plan.Node, expr.Expr) {
	joined := plan.NewJoin(plan.CrossJoin, node, sub, nil)
	refs := plan.ColumnRefs(joined)
	return joined, refs[len(refs)-1]
}

// exists counts the first row, if there is one.
func (x *exprs) exists(e *sql.Exists) expr.Expr {
	rel := x.query(e.Query, x.with, &scope{in: x.in, outer: x.outer})
	sub := aggregateOf(&plan.Limit{Input: rel.node, Limit: 1}, nil, call("count"))
	return x.attach(sqltype.BooleanType, nil, func(node plan.Node, _ expr.Expr) (plan.Node, expr.Expr) {
		node, count := beside(node, sub)
		return node, &expr.Compare{Op: expr.Gt, Left: count, Right: expr.NewLiteral(sqltype.BigIntType, int64(0))}
	})
}

// semiJoin keeps the rows of x.in whose value is in the subquery: an IN that a row must fulfil, so NULL is as good as false.
func (x *exprs) semiJoin(e *sql.InQuery) {
	arg, sub := x.inOperands(e)
	x.in.node = &plan.Join{
		Kind: plan.SemiJoin, Left: x.in.node, Right: sub, LeftKeys: []expr.Expr{arg}, RightKeys: plan.ColumnRefs(sub),
		Columns: x.in.node.Schema(),
	}
}

// inOperands binds the two sides of IN and gives them their common type.
func (x *exprs) inOperands(e *sql.InQuery) (arg expr.Expr, sub plan.Node) {
	o, sub := x.operand(e.Arg), x.subquery(e.Query)
	column := sub.Schema()[0]
	t, ok := sqltype.Common(o.Type(), column.Type)
	if !ok {
		refuseComparison("IN", o, operand{plan.ColumnRefs(sub)[0], e.Query.Pos()}, e.Pos())
	}
	return coerce(o.Expr, t), converted(sub, []plan.Column{{Name: column.Name, Type: t}})
}

// inQuery is IN as a value, three-valued: true on a match; otherwise NULL if the value is NULL or the subquery holds a NULL, unless it is
// empty; else false. The matching row comes from a left join with the distinct values, the rest from two counts.
func (x *exprs) inQuery(e *sql.InQuery) expr.Expr {
	arg, sub := x.inOperands(e)
	if slices.ContainsFunc(expr.Columns(arg), func(c int) bool { return c >= windowBase }) { // subqueries are joined below the windows
		failHint(sqlerr.Unknown, e.Arg.Pos(), "compute it in a subquery", "IN (SELECT …) of a window function is not supported yet")
	}
	again := converted(x.subquery(e.Query), sub.Schema())
	value := plan.ColumnRefs(sub)[0]
	matches := aggregateOf(sub, []expr.Expr{value}, call("count"))
	counts := aggregateOf(again, nil, call("count"), call("count", value))
	return x.attach(sqltype.BooleanType, arg, func(node plan.Node, arg expr.Expr) (plan.Node, expr.Expr) {
		joined := &plan.Join{
			Kind: plan.LeftJoin, Left: node, Right: matches, LeftKeys: []expr.Expr{arg}, RightKeys: plan.ColumnRefs(matches)[:1],
			Columns: slices.Concat(node.Schema(), matches.Schema()),
		}
		node, notNull := beside(joined, counts)
		refs := plan.ColumnRefs(node)
		match, total := refs[len(refs)-3], refs[len(refs)-2]
		boolean := func(v bool) expr.Expr { return expr.NewLiteral(sqltype.BooleanType, v) }
		return node, &expr.Case{T: sqltype.BooleanType, Else: boolean(false), Whens: []expr.When{
			{Cond: &expr.Not{Arg: &expr.IsNull{Arg: match}}, Then: boolean(true)},
			{Cond: &expr.Compare{Op: expr.Eq, Left: total, Right: expr.NewLiteral(sqltype.BigIntType, int64(0))}, Then: boolean(false)},
			{Cond: &expr.Or{Args: []expr.Expr{
				&expr.IsNull{Arg: arg}, &expr.Compare{Op: expr.Gt, Left: total, Right: notNull},
			}}, Then: expr.NullLiteral(sqltype.BooleanType)},
		}}
	})
}

// call is an aggregate of the engine's own making, over arguments of the types it takes.
func call(name string, args ...expr.Expr) plan.AggregateCall {
	a, ok := fn.LookupAggregate(name)
	if !ok {
		fail(sqlerr.Internal, 0, "the engine has no aggregate %s", name)
	}
	types := make([]sqltype.Type, len(args))
	for i, e := range args {
		types[i] = e.Type()
	}
	overload, _, result, err := a.Resolve(types)
	if err != nil {
		panic(placed(err, 0))
	}
	return plan.AggregateCall{Fn: a, Overload: overload, Args: args, T: result}
}

// aggregateOf groups in by keys, which are columns of it or computed from them.
func aggregateOf(in plan.Node, keys []expr.Expr, calls ...plan.AggregateCall) *plan.Aggregate {
	n := &plan.Aggregate{Input: in, Keys: keys, Aggs: calls}
	for _, k := range keys {
		n.Columns = append(n.Columns, plan.Column{Name: plan.Label(k), Type: k.Type()})
	}
	for _, a := range calls {
		n.Columns = append(n.Columns, plan.Column{Name: a.Label(), Type: a.T})
	}
	return n
}
