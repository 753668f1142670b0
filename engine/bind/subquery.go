package bind

import (
	"slices"
	"strings"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// A subquery in an expression is joined to the relation of its clause, as columns behind the named ones, and the expression uses those.
// What it uses of the rows around it are params (decorrelate.go).

// subplan is a bound subquery.
type subplan struct {
	*relation
	at     sqlerr.Pos
	params []param
}

// subplan binds q with the relation of the clause around it.
func (x *exprs) subplan(q *sql.Query) *subplan {
	s := &scope{in: x.in, agg: x.agg, outer: x.outer}
	return x.correlated(x.query(q, x.with, s), s, q.Pos())
}

// correlated collects the params of a bound subquery. Parts of its expressions that use nothing but the rows around it become params as a
// whole: they are computed there, once a row, and can be keys of a join.
func (b *binder) correlated(rel *relation, s *scope, at sqlerr.Pos) *subplan {
	sub := &subplan{relation: rel, at: at}
	if len(s.params) == 0 {
		return sub
	}
	d := &dependent{params: s.params}
	args := make([]expr.Expr, len(s.params))
	for i, p := range s.params {
		args[i] = p.e
	}
	lift := func(e expr.Expr) expr.Expr {
		return expr.Replace(e, func(e expr.Expr) (expr.Expr, bool) {
			if d.usedBy(e) && liftable(d, e) {
				return s.param(b, d.replaced(e, args)), true
			}
			return nil, false
		})
	}
	node := plan.Rewrite(rel.node, func(n plan.Node) plan.Node { return plan.MapExprs(n, lift) })
	sub.relation = &relation{node: node, fields: rel.fields}
	d = &dependent{}
	for _, p := range s.params {
		d.params = []param{p}
		if d.usedIn(node) {
			sub.params = append(sub.params, p)
		}
	}
	return sub
}

// liftable reports whether e consists of values of the rows around and literals, and computing it early does no harm.
func liftable(d *dependent, e expr.Expr) bool {
	if _, lambda := e.(*expr.Lambda); lambda || expr.CanFail(e) || expr.Volatile(e) {
		return false
	}
	only := true
	expr.Walk(e, func(e expr.Expr) bool {
		switch e.(type) {
		case *expr.Outer:
			_, is := d.of(e)
			only = only && is
		case *expr.Column:
			only = false
		}
		return only
	})
	return only
}

// attach joins a subquery: at once, or where the clause collects subqueries when the node that they belong to is there. join gets the
// node, and args over it.
func (x *exprs) attach(t sqltype.Type, args []expr.Expr, join func(node plan.Node, args []expr.Expr) (plan.Node, expr.Expr)) expr.Expr {
	if x.later == nil {
		var e expr.Expr
		x.in.node, e = join(x.in.node, args)
		return e
	}
	*x.later = append(*x.later, later{args: args, join: join})
	return &expr.Column{Index: subqueryBase + len(*x.later) - 1, Name: "subquery", T: t}
}

// attachSub is attach for a subquery that may be correlated. join makes d.left the node with the subquery, and returns the value over it.
func (x *exprs) attachSub(sub *subplan, t sqltype.Type, args []expr.Expr, join func(d *dependent, args []expr.Expr) expr.Expr) expr.Expr {
	own := len(args)
	for _, p := range sub.params {
		args = append(args, p.e)
	}
	return x.attach(t, args, func(node plan.Node, args []expr.Expr) (plan.Node, expr.Expr) {
		d := &dependent{binder: x.binder, at: sub.at, left: node, params: sub.params, values: args[own:]}
		e := join(d, args[:own])
		return d.left, e
	})
}

// subquery binds q as one column: where it has several, their row.
func (x *exprs) subquery(q *sql.Query) *subplan {
	sub := x.subplan(q)
	n := len(sub.fields)
	sub.node = firstColumns(sub.node, n)
	if n == 1 {
		return sub
	}
	fields := make([]sqltype.Field, n)
	for i, c := range sub.node.Schema() {
		fields[i] = sqltype.Field{Name: strings.ToLower(c.Name), Type: c.Type}
	}
	t := sqltype.RowOf(fields...)
	row := construct(rowConstructor, t, plan.ColumnRefs(sub.node), q.Pos())
	sub.node = &plan.Project{Input: sub.node, Exprs: []expr.Expr{row}, Columns: []plan.Column{{Type: t}}}
	return sub
}

// scalarQuery is the value of the one row of a subquery, NULL if it has none. More than one row is an error at run time, for rows
// around that need it.
func (x *exprs) scalarQuery(e *sql.ScalarQuery) expr.Expr {
	sub := x.subquery(e.Query)
	t := sub.node.Schema()[0].Type
	return x.attachSub(sub, t, nil, func(d *dependent, _ []expr.Expr) expr.Expr {
		switch {
		case len(sub.params) > 0:
			if value := d.aggregated(sub.node); value != nil {
				return value[0]
			}
			j, out := d.keyed(sub.node, false)
			return single(d.grouped(j, j.Right, j.RightKeys, call("count"), call("arbitrary", out[0])), t, sub.at)
		case oneRowAlways(sub.node):
			d.left = plan.NewJoin(plan.CrossJoin, d.left, sub.node, nil)
		default:
			two := &plan.Limit{Input: sub.node, Limit: 2}
			counted := aggregateOf(two, nil, call("count"), call("arbitrary", plan.ColumnRefs(two)[0]))
			value := &plan.Project{
				Input: counted, Columns: []plan.Column{{Type: t}}, Exprs: []expr.Expr{single(plan.ColumnRefs(counted), t, sub.at)},
			}
			d.left = plan.NewJoin(plan.CrossJoin, d.left, value, nil)
		}
		refs := plan.ColumnRefs(d.left)
		return refs[len(refs)-1]
	})
}

// single is the value of a scalar subquery from the count of its rows and one of them.
func single(counted []expr.Expr, t sqltype.Type, at sqlerr.Pos) expr.Expr {
	return construct(singleRow, t, counted, at)
}

// aggregated joins a subquery that is an aggregate without keys below projections, and returns its columns: groups by the values, and where
// there is no group what the aggregate gives for no rows. It returns nil for other subqueries.
func (d *dependent) aggregated(n plan.Node) []expr.Expr {
	switch n := n.(type) {
	case *plan.Project:
		below := d.aggregated(n.Input)
		if below == nil {
			return nil
		}
		out := make([]expr.Expr, len(n.Exprs))
		for i, e := range n.Exprs {
			out[i] = expr.Rewrite(e, func(e expr.Expr) expr.Expr {
				if c, ok := e.(*expr.Column); ok {
					return below[c.Index]
				}
				if i, ok := d.of(e); ok {
					return d.values[i]
				}
				return e
			})
		}
		return out
	case *plan.Aggregate:
		used := false
		mapCalls(n.Aggs, func(e expr.Expr) expr.Expr {
			used = used || d.usedBy(e)
			return e
		})
		if used || len(n.Keys) > 0 || n.Sets != nil {
			return nil
		}
		j, in := d.keyed(n.Input, false)
		calls := mapCalls(n.Aggs, func(e expr.Expr) expr.Expr {
			return expr.Rewrite(e, func(e expr.Expr) expr.Expr {
				if c, ok := e.(*expr.Column); ok {
					return in[c.Index]
				}
				return e
			})
		})
		out := d.grouped(j, j.Right, j.RightKeys, calls...)
		for i, a := range calls {
			if none := ofNoRows(a); !none.IsNull() {
				out[i] = firstOf(a.T, out[i], none)
			}
		}
		return out
	}
	return nil
}

// ofNoRows is what an aggregate gives for no rows.
func ofNoRows(a plan.AggregateCall) *expr.Literal {
	types := make([]sqltype.Type, len(a.Args))
	for i, e := range a.Args {
		types[i] = e.Type()
	}
	value, err := a.Overload.New(types, a.T).Result(1)
	if err != nil {
		panic(placed(err, 0))
	}
	return &expr.Literal{Value: vec.Plain(value), T: a.T}
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

// nonEmpty returns a simpler node that has rows where n has.
func nonEmpty(n plan.Node) plan.Node {
	switch n := n.(type) {
	case *plan.Project:
		return nonEmpty(n.Input)
	case *plan.Sort:
		if n.Limit != 0 && n.Offset == 0 {
			return nonEmpty(n.Input)
		}
	case *plan.Limit:
		if n.Limit != 0 && n.Offset == 0 && len(n.By) == 0 {
			return nonEmpty(n.Input)
		}
	case *plan.Aggregate:
		if hasEmptySet(n) {
			return oneRow().node
		}
		return nonEmpty(n.Input)
	}
	return n
}

// exists is EXISTS as a value.
func (x *exprs) exists(e *sql.Exists) expr.Expr {
	sub := x.subplan(e.Query)
	return x.attachSub(sub, sqltype.BooleanType, nil, func(d *dependent, _ []expr.Expr) expr.Expr {
		node := nonEmpty(sub.node)
		if !d.usedIn(node) { // count the first row, if there is one
			counted := aggregateOf(&plan.Limit{Input: node, Limit: 1}, nil, call("count"))
			d.left = plan.NewJoin(plan.CrossJoin, d.left, counted, nil)
			refs := plan.ColumnRefs(d.left)
			return &expr.Compare{Op: expr.Gt, Left: refs[len(refs)-1], Right: expr.NewLiteral(sqltype.BigIntType, int64(0))}
		}
		right, _, on := d.match(node, true)
		return d.mark(right, on, nil)
	})
}

// mark joins marks of the rows that match on the conjuncts, and with a condition what that is for their matches (see plan.MarkJoin).
func (d *dependent) mark(right plan.Node, on []expr.Expr, condition expr.Expr) expr.Expr {
	j := plan.NewJoin(plan.MarkJoin, d.left, right, on).(*plan.Join)
	if condition != nil {
		j.Residual = expr.Conjoin(append(expr.Conjuncts(j.Residual), condition))
	}
	d.left = j
	refs := plan.ColumnRefs(j)
	return refs[len(refs)-1]
}

// semiJoin keeps the rows that have a match in a subquery, or those that have none: EXISTS, NOT EXISTS and IN where a row must fulfil
// them, so that NULL is as good as false. e is nil for EXISTS.
func (x *exprs) semiJoin(kind plan.JoinKind, q *sql.Query, in *sql.InQuery) {
	var args []expr.Expr
	var sub *subplan
	if in != nil {
		var arg expr.Expr
		arg, sub = x.inOperands(in.Arg, in.Query, in.Pos())
		args = []expr.Expr{arg}
	} else {
		sub = x.subplan(q)
		sub.node = nonEmpty(sub.node)
	}
	x.attachSub(sub, sqltype.BooleanType, args, func(d *dependent, args []expr.Expr) expr.Expr {
		right, out, on := d.match(sub.node, true)
		if in != nil {
			on = append(on, equalities(args[0], out[0])...)
		} else if len(on) == 0 { // any row will do
			right = &plan.Limit{Input: right, Limit: 1}
		}
		d.left = plan.NewJoin(kind, d.left, right, on)
		return nil
	})
}

// equalities are the conditions under which two values are equal; those of rows, field by field, so that they can be keys of a join.
func equalities(l, r expr.Expr) []expr.Expr {
	t := l.Type()
	if t.Kind != sqltype.Row {
		return []expr.Expr{&expr.Compare{Op: expr.Eq, Left: l, Right: r}}
	}
	var out []expr.Expr
	for i := range t.Fields {
		out = append(out, equalities(&expr.Field{Arg: l, Index: i}, &expr.Field{Arg: r, Index: i})...)
	}
	return out
}

// inOperands binds the two sides of IN and gives them their common type.
func (x *exprs) inOperands(e sql.Expr, q *sql.Query, at sqlerr.Pos) (arg expr.Expr, sub *subplan) {
	o, sub := x.operand(e), x.subquery(q)
	column := sub.node.Schema()[0]
	t, ok := sqltype.Common(o.Type(), column.Type)
	if !ok {
		refuseComparison("IN", o, operand{plan.ColumnRefs(sub.node)[0], q.Pos()}, at)
	}
	sub.node = converted(sub.node, []plan.Column{{Name: column.Name, Type: t}})
	return coerce(o.Expr, t), sub
}

// inQuery is IN as a value, three-valued: true on a match; otherwise NULL if the value is NULL or the subquery holds a NULL, unless it is
// empty; else false. The matching row comes from a left join with the distinct values, the rest from two counts.
func (x *exprs) inQuery(e *sql.InQuery) expr.Expr {
	arg, sub := x.inOperands(e.Arg, e.Query, e.Pos())
	switch arg.Type().Kind {
	case sqltype.Array, sqltype.Map, sqltype.Row: // which may be equal, or not, or neither, by a NULL inside
		return x.marked(expr.Eq, arg, sub, false)
	}
	return x.attachSub(sub, sqltype.BooleanType, []expr.Expr{arg}, func(d *dependent, args []expr.Expr) expr.Expr {
		arg := args[0]
		j, out := d.keyed(sub.node, true)
		keys := len(j.RightKeys)
		values := newSpool(aggregateOf(j.Right, append(slices.Clone(j.RightKeys), out[0])))
		refs := plan.ColumnRefs(values)
		counts := d.grouped(j, values, refs[:keys], call("count"), call("count", refs[keys]))
		matches := &plan.Project{ // whose last column says that there is a match
			Input: values, Exprs: append(refs, expr.NewLiteral(sqltype.BooleanType, true)),
			Columns: append(slices.Clip(values.Schema()), plan.Column{Name: "match", Type: sqltype.BooleanType}),
		}
		joined := &plan.Join{
			Kind: plan.LeftJoin, Left: d.left, Right: matches, LeftKeys: append(slices.Clone(j.LeftKeys), arg), RightKeys: refs[:keys+1],
			Columns: plan.JoinColumns(plan.LeftJoin, d.left, matches),
		}
		if j.NullSafe != nil {
			joined.NullSafe = append(slices.Clone(j.NullSafe), false)
		}
		d.left = joined
		refs = plan.ColumnRefs(joined)
		total, notNull := counts[0], counts[1]
		if keys > 0 {
			total = firstOf(sqltype.BigIntType, total, zero())
		}
		return &expr.Case{T: sqltype.BooleanType, Else: boolean(false), Whens: []expr.When{
			{Cond: &expr.Not{Arg: &expr.IsNull{Arg: refs[len(refs)-1]}}, Then: boolean(true)},
			{Cond: &expr.Compare{Op: expr.Eq, Left: total, Right: zero()}, Then: boolean(false)},
			{Cond: &expr.Or{Args: []expr.Expr{
				&expr.IsNull{Arg: arg}, &expr.Compare{Op: expr.Gt, Left: total, Right: notNull},
			}}, Then: expr.NullLiteral(sqltype.BooleanType)},
		}}
	})
}

func boolean(v bool) expr.Expr { return expr.NewLiteral(sqltype.BooleanType, v) }

func zero() expr.Expr { return expr.NewLiteral(sqltype.BigIntType, int64(0)) }

// quantified compares a value with all rows of a subquery. x op ANY is true if it is for some row, else NULL if it is for some, else false; x op
// ALL is what is left when no row says the opposite.
func (x *exprs) quantified(e *sql.Quantified) expr.Expr {
	op := compareOps[e.Op]
	all := e.Quantifier == "all"
	switch {
	case op == expr.Eq && !all:
		return x.inQuery(&sql.InQuery{At: e.At, Arg: e.Left, Query: e.Query})
	case op == expr.Ne && all:
		return &expr.Not{Arg: x.inQuery(&sql.InQuery{At: e.At, Arg: e.Left, Query: e.Query})}
	}
	o, sub := x.operand(e.Left), x.subquery(e.Query)
	value := plan.ColumnRefs(sub.node)[0]
	t, ok := sqltype.Common(o.Type(), value.Type())
	if !ok {
		refuseComparison(e.Op, o, operand{value, e.Query.Pos()}, e.Pos())
	}
	if !t.Orderable() && op != expr.Eq && op != expr.Ne {
		fail(sqlerr.Type, e.Pos(), "values of type %s have no order", t)
	}
	sub.node = converted(sub.node, []plan.Column{{Type: t}})
	return x.marked(op, coerce(o.Expr, t), sub, all)
}

// marked compares arg with each row of sub, of the same type.
func (x *exprs) marked(op expr.CompareOp, arg expr.Expr, sub *subplan, all bool) expr.Expr {
	mark := x.attachSub(sub, sqltype.BooleanType, []expr.Expr{arg}, func(d *dependent, args []expr.Expr) expr.Expr {
		right, out, on := d.match(sub.node, true)
		var condition expr.Expr = &expr.Compare{Op: op, Left: args[0], Right: out[0]}
		if all {
			condition = &expr.Not{Arg: condition}
		}
		return d.mark(right, on, condition)
	})
	return negated(all, mark)
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
