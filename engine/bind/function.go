package bind

import (
	"slices"
	"strconv"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
)

// function binds a call: one of the forms that evaluate their arguments only where needed, an aggregate, or a scalar function.
func (x *exprs) function(f *sql.Func) expr.Expr {
	name := lower(f.Name[len(f.Name)-1])
	if name == "reduce_agg" {
		return x.reduceAgg(f)
	}
	if f.Over != nil {
		return x.window(f)
	}
	if a, ok := fn.LookupAggregate(name); ok {
		x.refuseInLambda("an aggregate", f.Pos())
		return x.aggregate(a, f)
	}
	if f.Star || f.Distinct || f.Filter != nil || len(f.OrderBy) > 0 || f.IgnoreNulls {
		if _, known := fn.Lookup(name); known {
			fail(sqlerr.Type, f.Pos(), "%s is no aggregate: it takes no *, DISTINCT, ORDER BY, FILTER or IGNORE NULLS", name)
		}
	}
	switch name {
	case "if":
		return x.ifCall(f)
	case "try":
		if len(f.Args) != 1 {
			fail(sqlerr.Type, f.Pos(), "TRY takes one expression")
		}
		return &expr.Try{Arg: x.expr(f.Args[0])}
	case "coalesce":
		return x.coalesce(f)
	case "nullif":
		return x.nullIf(f)
	case "grouping":
		return x.groupingCall(f)
	case "current_timestamp", "current_time", "localtimestamp", "localtime":
		if len(f.Args) == 1 {
			return x.clock(name, f)
		}
	}
	if _, ok := fn.Lookup(name); !ok {
		if m := x.macro(name, false); m != nil {
			return x.macroCall(m, f)
		}
		if _, window := fn.LookupWindow(name); window {
			failHint(sqlerr.Type, f.Pos(), name+"(…) OVER (PARTITION BY … ORDER BY …)", "%s is a window function: it needs an OVER", name)
		}
		x.unknownFunction(name, f.Pos())
	}
	return x.call(name, f)
}

func (b *binder) unknownFunction(name string, at sqlerr.Pos) {
	if m := b.macro(name, true); m != nil {
		failHint(sqlerr.Type, at, "SELECT … FROM TABLE("+name+"(…))", "%s gives a table: it stands in FROM", name)
	}
	hint := didYouMean(name, b.functionNames())
	if hint == "" {
		hint = "SHOW FUNCTIONS lists them"
	}
	failHint(sqlerr.Name, at, hint, "function %q does not exist", name)
}

// reduceAgg binds reduce_agg(value, state, (state, value) -> …, (state, state) -> …) as reduce over the array of the values that are not
// NULL. So all of them are in one state, and the lambda that would join two states is only checked.
func (x *exprs) reduceAgg(f *sql.Func) expr.Expr {
	if len(f.Args) != 4 {
		failHint(sqlerr.Type, f.Pos(), "as in reduce_agg(x, 0, (s, x) -> s + x, (s, t) -> s + t)",
			"reduce_agg takes a value, a first state and two lambdas")
	}
	named := func(name string) []sql.Ident { return []sql.Ident{{At: f.At, Name: name}} }
	state := named("state")
	same := &sql.Lambda{At: f.At, Params: state, Body: &sql.Name{Ident: state[0]}}
	reduce := func(values sql.Expr, step sql.Expr) expr.Expr {
		return x.call("reduce", &sql.Func{At: f.At, Name: named("reduce"), Args: []sql.Expr{values, f.Args[1], step, same}})
	}
	reduce(&sql.ArrayExpr{At: f.At, Elems: f.Args[1:2]}, f.Args[3])

	values := *f
	values.Name, values.Args = named("array_agg"), f.Args[:1]
	values.Filter = &sql.IsNullExpr{At: f.At, Arg: f.Args[0], Not: true}
	if f.Filter != nil {
		values.Filter = &sql.Binary{At: f.At, Op: "and", Left: f.Filter, Right: values.Filter}
	}
	return reduce(&values, f.Args[2])
}

// clock is one of the functions of the query's start with as many digits after the second as are wanted.
func (x *exprs) clock(name string, f *sql.Func) expr.Expr {
	digits, ok := f.Args[0].(*sql.Num)
	precision, err := -1, error(nil)
	if ok {
		precision, err = strconv.Atoi(digits.Text)
	}
	if err != nil || precision < 0 || precision > 6 {
		fail(sqlerr.Type, f.Args[0].Pos(), "%s takes the number of digits after the second, 0 to 6", name)
	}
	call := x.apply(name, f.Pos()).(*expr.Call)
	call.T.Precision = precision
	return call
}

func (x *exprs) ifCall(f *sql.Func) expr.Expr {
	if len(f.Args) != 2 && len(f.Args) != 3 {
		fail(sqlerr.Type, f.Pos(), "IF takes a condition and one or two values")
	}
	return x.caseExpr(&sql.CaseExpr{
		At: f.At, Whens: []sql.WhenClause{{Cond: f.Args[0], Then: f.Args[1]}}, Else: append(f.Args, nil)[2],
	})
}

// coalesce is the first argument that is not NULL.
func (x *exprs) coalesce(f *sql.Func) expr.Expr {
	if len(f.Args) < 2 {
		fail(sqlerr.Type, f.Pos(), "COALESCE takes two or more values")
	}
	args := make([]expr.Expr, len(f.Args))
	for i, a := range f.Args {
		args[i] = repeated(x.operand(a)).Expr
	}
	return firstOf(commonType(args, func(i int) sqlerr.Pos { return f.Args[i].Pos() }, "COALESCE"), args...)
}

// firstOf is the first of args, coerced to t, that is not NULL.
func firstOf(t sqltype.Type, args ...expr.Expr) expr.Expr {
	out := &expr.Case{T: t}
	last := len(args) - 1
	for _, a := range args[:last] {
		a = coerce(a, t)
		out.Whens = append(out.Whens, expr.When{Cond: &expr.Not{Arg: &expr.IsNull{Arg: a}}, Then: a})
	}
	out.Else = coerce(args[last], t)
	return out
}

// nullIf is the first argument, or NULL where the two are equal; it is of the first one's type.
func (x *exprs) nullIf(f *sql.Func) expr.Expr {
	if len(f.Args) != 2 {
		fail(sqlerr.Type, f.Pos(), "NULLIF takes two values")
	}
	a, b := repeated(x.operand(f.Args[0])), x.operand(f.Args[1])
	return &expr.Case{
		Whens: []expr.When{{Cond: x.compare(expr.Eq, a, b, f.Pos()), Then: expr.NullLiteral(a.Type())}},
		Else:  a.Expr, T: a.Type(),
	}
}

// Ordinals of columns that do not exist while the select list is bound: those of aggregates, subqueries and window functions are
// settled when the clauses are complete.
const (
	aggregateBase = 1 << 20
	subqueryBase  = 2 << 20
	groupingBase  = 3 << 20
	windowBase    = 4 << 20
	outputBase    = 5 << 20
)

// aggregation collects the aggregate calls of the clauses after FROM and WHERE.
type aggregation struct {
	calls     []plan.AggregateCall
	groupings [][]operand                 // the arguments of each grouping(…)
	places    map[*expr.Column]sqlerr.Pos // of the input's columns, for errors
}

// later is a subquery that is joined when the node that it belongs to is there.
type later struct {
	done expr.Expr   // the value over the relation of the clause, where GROUP BY needed it before all others; nil: not joined yet
	args []expr.Expr // over the relation of the clause, as join needs them
	join func(node plan.Node, args []expr.Expr) (plan.Node, expr.Expr)
}

func (x *exprs) aggregate(a *fn.Aggregate, f *sql.Func) expr.Expr {
	if x.agg == nil {
		hint := ""
		if x.clause == "WHERE" {
			hint = "conditions on groups go in HAVING"
		}
		failHint(sqlerr.Type, f.Pos(), hint, "aggregate %s is not allowed in %s", a.Name, x.clause)
	}
	if f.IgnoreNulls {
		unsupported(f.Pos(), "IGNORE NULLS is")
	}
	if f.Star && a.Name != "count" {
		fail(sqlerr.Type, f.Pos(), "only count takes *")
	}
	in := &exprs{binder: x.binder, with: x.with, in: x.in, outer: x.outer, clause: "the arguments of an aggregate"}
	call := plan.AggregateCall{Fn: a, Distinct: f.Distinct}
	for _, arg := range f.Args {
		call.Args = append(call.Args, in.expr(arg))
	}
	written := slices.Clone(call.Args) // before conversions
	if a.Name == "listagg" {
		call.Args = x.listaggArgs(f, call.Args)
	}
	types := make([]sqltype.Type, len(call.Args))
	for i, e := range call.Args {
		types[i] = e.Type()
	}
	overload, params, result, err := a.Resolve(types)
	if err != nil {
		panic(placed(err, f.Pos()))
	}
	call.Overload, call.T = overload, result
	for i := range call.Args {
		call.Args[i] = coerce(call.Args[i], params[i])
	}
	if f.Filter != nil {
		in.clause = "FILTER"
		call.Filter = in.boolean(f.Filter)
	}
	for _, item := range f.OrderBy {
		key := in.expr(item.Expr)
		if f.Distinct && !slices.ContainsFunc(written, func(arg expr.Expr) bool { return expr.Equal(arg, key) }) {
			failHint(sqlerr.Type, item.Expr.Pos(), "order by an argument, as in "+a.Name+"(DISTINCT x ORDER BY x)",
				"with DISTINCT, the ORDER BY of an aggregate takes its arguments only")
		}
		call.OrderBy = append(call.OrderBy, sortKey(key, item))
	}
	at := slices.IndexFunc(x.agg.calls, func(c plan.AggregateCall) bool { return sameCall(c, call) })
	if at < 0 {
		at = len(x.agg.calls)
		x.agg.calls = append(x.agg.calls, call)
	}
	return &expr.Column{Index: aggregateBase + at, Name: a.Name, T: result}
}

// listaggArgs checks the arguments of listagg as they are written, and appends what ON OVERFLOW TRUNCATE says.
func (x *exprs) listaggArgs(f *sql.Func, args []expr.Expr) []expr.Expr {
	if len(args) == 0 || len(args) > 2 {
		fail(sqlerr.Type, f.Pos(), "listagg takes a text and a separator")
	}
	separator := expr.NewLiteral(sqltype.VarcharType, "")
	if len(args) == 2 {
		text, ok := x.constantText(args[1])
		if !ok {
			fail(sqlerr.Type, f.Args[1].Pos(), "the separator of listagg is a text in single quotes")
		}
		separator = expr.NewLiteral(sqltype.VarcharType, text)
	}
	args = append(args[:1:1], separator)
	if f.Truncate == nil {
		return args
	}
	filler := "..."
	if f.Truncate.Filler != nil {
		filler = *f.Truncate.Filler
	}
	return append(args, expr.NewLiteral(sqltype.VarcharType, filler), expr.NewLiteral(sqltype.BooleanType, f.Truncate.Count))
}

func sameCall(a, b plan.AggregateCall) bool {
	return a.Overload == b.Overload && a.Distinct == b.Distinct && slices.EqualFunc(a.Args, b.Args, expr.Equal) &&
		!slices.ContainsFunc(a.Args, expr.Volatile) && (a.Filter == nil) == (b.Filter == nil) &&
		(a.Filter == nil || expr.Equal(a.Filter, b.Filter)) && slices.EqualFunc(a.OrderBy, b.OrderBy, plan.SortKey.Equal)
}
