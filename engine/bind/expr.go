package bind

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// exprs binds the expressions of one clause over one relation.
type exprs struct {
	*binder
	with   *env
	in     *relation // subqueries in expressions put columns behind its own
	outer  *scope
	clause string // for errors: "WHERE"

	outputs     []alias      // names of the select list that are found before columns (ORDER BY)
	itemAliases []alias      // names of the select list that are not in sight, for hints
	agg         *aggregation // takes the aggregates; nil: they are refused
	params      *params      // of the lambdas around, innermost first
	windows     *windowing   // takes the window functions, likewise
	later       *[]later     // takes the subqueries; nil: they are joined at once
}

// alias is a name that the select list gives to an expression.
type alias struct {
	name string // lower case
	text string // of the expression
	e    expr.Expr
}

// operand is a bound expression and where it stands.
type operand struct {
	expr.Expr
	at sqlerr.Pos
}

func (x *exprs) operand(e sql.Expr) operand { return operand{x.expr(e), e.Pos()} }

// expr binds e.
func (x *exprs) expr(e sql.Expr) expr.Expr {
	switch e := e.(type) {
	case *sql.Name, *sql.Dot:
		return x.path(e)
	case *sql.Null:
		return expr.NullLiteral(sqltype.UnknownType)
	case *sql.Bool:
		return expr.NewLiteral(sqltype.BooleanType, e.Value)
	case *sql.Str:
		return expr.NewLiteral(sqltype.Type{Kind: sqltype.Varchar, Length: utf8.RuneCountInString(e.Value)}, e.Value)
	case *sql.Bin:
		return expr.NewLiteral(sqltype.VarbinaryType, e.Value)
	case *sql.Num:
		return number(e.Text, e.Pos())
	case *sql.TypedLiteral:
		return x.typedLiteral(e)
	case *sql.Interval:
		return interval(e)
	case *sql.Unary:
		return x.unary(e)
	case *sql.Binary:
		return x.binary(e)
	case *sql.IsNullExpr:
		return negated(e.Not, &expr.IsNull{Arg: x.expr(e.Arg)})
	case *sql.Between:
		arg := repeated(x.operand(e.Arg))
		from, to := x.operand(e.Low), x.operand(e.High)
		from, to = x.inFormat(arg, from, true), x.inFormat(arg, to, true)
		low := x.compare(expr.Ge, arg, from, e.Pos())
		high := x.compare(expr.Le, arg, to, e.Pos())
		return negated(e.Not, &expr.And{Args: []expr.Expr{low, high}})
	case *sql.InList:
		return negated(e.Not, x.inList(e))
	case *sql.Like:
		args := []operand{x.operand(e.Arg), x.operand(e.Pattern)}
		if e.Escape != nil {
			args = append(args, x.operand(e.Escape))
		}
		return negated(e.Not, x.apply("like", e.Pos(), args...))
	case *sql.CaseExpr:
		return x.caseExpr(e)
	case *sql.CastExpr:
		arg := x.operand(e.Arg)
		return cast(arg, typeOf(e.Type), e.Try, e.Pos())
	case *sql.Func:
		return x.function(e)
	case *sql.Extract:
		return x.extract(e)
	case *sql.JSONFunc:
		return x.jsonFunc(e)
	case *sql.JSONMake:
		return x.jsonMake(e)
	case *sql.AtTimeZone:
		return x.apply("at_timezone", e.Pos(), x.operand(e.Arg), x.operand(e.Zone))
	case *sql.Subscript:
		return x.subscript(e)
	case *sql.ArrayExpr:
		return x.arrayExpr(e)
	case *sql.RowExpr:
		return x.rowExpr(e)
	case *sql.InQuery, *sql.Exists, *sql.ScalarQuery, *sql.Quantified:
		x.refuseInLambda("a subquery", e.Pos())
	}
	switch e := e.(type) {
	case *sql.InQuery:
		return negated(e.Not, x.inQuery(e))
	case *sql.Exists:
		return x.exists(e)
	case *sql.ScalarQuery:
		return x.scalarQuery(e)
	case *sql.Quantified:
		return x.quantified(e)
	case *sql.Lambda:
		fail(sqlerr.Type, e.Pos(), "a lambda can only be the argument of a function that takes one, such as filter or transform")
	case *sql.Param:
		return x.param(e)
	}
	fail(sqlerr.Internal, e.Pos(), "no binding of %T", e)
	return nil
}

// boolean binds a condition.
func (x *exprs) boolean(e sql.Expr) expr.Expr {
	bound := x.expr(e)
	if k := bound.Type().Kind; k != sqltype.Boolean && k != sqltype.Unknown {
		fail(sqlerr.Type, e.Pos(), "a condition is true or false, but this is of type %s", bound.Type())
	}
	return coerce(bound, sqltype.BooleanType)
}

// conjuncts binds a condition split at its ANDs.
func (x *exprs) conjuncts(e sql.Expr) []expr.Expr {
	if and, ok := e.(*sql.Binary); ok && and.Op == "and" {
		return append(x.conjuncts(and.Left), x.conjuncts(and.Right)...)
	}
	return []expr.Expr{x.boolean(e)}
}

func negated(not bool, e expr.Expr) expr.Expr {
	if not {
		return &expr.Not{Arg: e}
	}
	return e
}

func (x *exprs) unary(e *sql.Unary) expr.Expr {
	if e.Op == "not" {
		return &expr.Not{Arg: x.boolean(e.Arg)}
	}
	if num, ok := e.Arg.(*sql.Num); ok && e.Op == "-" {
		return number("-"+num.Text, e.Pos())
	}
	arg := x.operand(e.Arg)
	if e.Op == "-" {
		return x.apply("negate", e.Pos(), arg)
	}
	if !numeric(arg.Type()) {
		fail(sqlerr.Type, e.Pos(), "+ takes a number, not %s", arg.Type())
	}
	return arg.Expr
}

var compareOps = map[string]expr.CompareOp{
	"=": expr.Eq, "<>": expr.Ne, "<": expr.Lt, "<=": expr.Le, ">": expr.Gt, ">=": expr.Ge,
	"is distinct from": expr.Distinct, "is not distinct from": expr.NotDistinct,
}

func (x *exprs) binary(e *sql.Binary) expr.Expr {
	switch e.Op {
	case "and", "or":
		args := x.chain(e, e.Op, nil)
		if e.Op == "and" {
			return &expr.And{Args: args}
		}
		return &expr.Or{Args: args}
	}
	l, r := x.operand(e.Left), x.operand(e.Right)
	if op, ok := compareOps[e.Op]; ok {
		order := op >= expr.Lt && op <= expr.Ge
		l, r = x.inFormat(r, l, order), x.inFormat(l, r, order)
		return x.compare(op, l, r, e.Pos())
	}
	return x.apply(e.Op, e.Pos(), l, r)
}

// chain binds the operands of a run of the same AND or OR.
func (x *exprs) chain(e sql.Expr, op string, args []expr.Expr) []expr.Expr {
	if b, ok := e.(*sql.Binary); ok && b.Op == op {
		return x.chain(b.Right, op, x.chain(b.Left, op, args))
	}
	return append(args, x.boolean(e))
}

// path binds a name or a dotted path: an output column's alias where those are in sight, a column, then fields below it.
func (x *exprs) path(e sql.Expr) expr.Expr {
	ids, base := x.parts(e)
	if base != nil {
		bound := x.expr(base)
		for _, id := range ids {
			bound = x.member(bound, id)
		}
		return bound
	}
	bound, ok := x.params.find(ids[0])
	if !ok {
		bound, ok = x.arguments.find(ids[0])
	}
	if ok {
		for _, id := range ids[1:] {
			bound = x.member(bound, id)
		}
		return bound
	}
	parts := make([]string, len(ids))
	for i, id := range ids {
		parts[i] = lower(id)
	}
	at, used, ambiguous := x.in.find(parts)
	var isOutput bool
	bound, isOutput = x.output(ids[0])
	switch {
	case isOutput && used < 2: // a column with its table's name before it is no output column
		used = 1
	case ambiguous:
		failHint(sqlerr.Name, ids[0].Pos(), "write it with its table's name, as in "+x.qualifiedExample(parts[used-1]),
			"column %q is ambiguous", dotted(ids[:used]))
	case used == 0:
		if e := x.outerPath(ids, parts); e != nil {
			return e
		}
		x.unknownColumn(ids, parts)
	default:
		column := x.in.node.Schema()[at]
		c := &expr.Column{Index: at, Name: column.Name, T: column.Type}
		if x.agg != nil {
			x.agg.places[c] = ids[0].Pos()
		}
		bound = c
	}
	for _, id := range ids[used:] {
		bound = x.member(bound, id)
	}
	return bound
}

// parts splits a.b.c into its identifiers; base is what a chain of dots begins with if that is no name.
func (x *exprs) parts(e sql.Expr) (ids []sql.Ident, base sql.Expr) {
	switch e := e.(type) {
	case *sql.Name:
		return []sql.Ident{e.Ident}, nil
	case *sql.Dot:
		ids, base = x.parts(e.Base)
		return append(ids, e.Field), base
	}
	return nil, e
}

// output finds an alias of the select list that is in sight.
func (x *exprs) output(id sql.Ident) (e expr.Expr, ok bool) {
	for _, a := range x.outputs {
		if a.name != lower(id) {
			continue
		}
		if e != nil && !expr.Equal(e, a.e) {
			fail(sqlerr.Name, id.Pos(), "column %q is ambiguous: the select list has it twice", id.Name)
		}
		e, ok = a.e, true
	}
	return e, ok
}

func (x *exprs) qualifiedExample(name string) string {
	for _, f := range x.in.fields {
		if f.name == name && f.qualifier != nil {
			return strings.Join(f.qualifier, ".") + "." + name
		}
	}
	return "t." + name
}

// member binds base.field: a field of a row, a key of JSON text, an entry of a map.
func (x *exprs) member(base expr.Expr, id sql.Ident) expr.Expr {
	switch t := base.Type(); t.Kind {
	case sqltype.Row:
		names := make([]string, len(t.Fields))
		for i, f := range t.Fields {
			if strings.EqualFold(f.Name, id.Name) {
				return &expr.Field{Arg: base, Index: i}
			}
			names[i] = f.Name
		}
		failHint(sqlerr.Name, id.Pos(), didYouMean(id.Name, names), "field %q does not exist in %s", id.Name, expr.Format(base))
	case sqltype.Varchar, sqltype.JSON:
		key := expr.NewLiteral(sqltype.VarcharType, id.Name)
		return x.apply("json_key", id.Pos(), operand{base, id.Pos()}, operand{key, id.Pos()})
	case sqltype.Map:
		if t.Key.Kind == sqltype.Varchar {
			key := expr.NewLiteral(sqltype.VarcharType, id.Name)
			return x.apply("element_at", id.Pos(), operand{base, id.Pos()}, operand{key, id.Pos()})
		}
		fallthrough
	case sqltype.Array:
		failHint(sqlerr.Type, id.Pos(), "take an element first, as in element_at(x, 1), or UNNEST it",
			"%s is of type %s, which has no fields", expr.Format(base), t)
	default:
		fail(sqlerr.Type, id.Pos(), "%s is of type %s, which has no fields", expr.Format(base), t)
	}
	return nil
}

func (x *exprs) subscript(e *sql.Subscript) expr.Expr {
	base, index := x.operand(e.Base), x.operand(e.Index)
	t := base.Type()
	if t.Kind != sqltype.Row {
		return x.apply("subscript", e.Pos(), base, index)
	}
	lit, ok := x.constant(index.Expr)
	n, whole := int64(0), false
	if ok {
		n, whole = vec.Value(lit.Value, 0).(int64)
	}
	if !whole || n < 1 || n > int64(len(t.Fields)) {
		fail(sqlerr.Type, e.Index.Pos(), "a row with %d fields takes a whole number from 1 to %d as subscript", len(t.Fields), len(t.Fields))
	}
	return &expr.Field{Arg: base.Expr, Index: int(n - 1)}
}

func (x *exprs) caseExpr(e *sql.CaseExpr) expr.Expr {
	out := &expr.Case{}
	var subject operand
	if e.Operand != nil {
		subject = repeated(x.operand(e.Operand))
	}
	var results []expr.Expr
	var places []sqlerr.Pos
	for _, w := range e.Whens {
		var cond expr.Expr
		if e.Operand != nil {
			cond = x.compare(expr.Eq, subject, x.operand(w.Cond), w.Cond.Pos())
		} else {
			cond = x.boolean(w.Cond)
		}
		out.Whens = append(out.Whens, expr.When{Cond: cond})
		results, places = append(results, x.expr(w.Then)), append(places, w.Then.Pos())
	}
	if e.Else != nil {
		results, places = append(results, x.expr(e.Else)), append(places, e.Else.Pos())
	}
	out.T = commonType(results, func(i int) sqlerr.Pos { return places[i] }, "CASE")
	for i := range out.Whens {
		out.Whens[i].Then = coerce(results[i], out.T)
	}
	if e.Else != nil {
		out.Else = coerce(results[len(results)-1], out.T)
	}
	return out
}

// extractFunctions are the fields of EXTRACT that are no function's name.
var extractFunctions = map[string]string{"dow": "day_of_week", "doy": "day_of_year", "yow": "year_of_week"}

func (x *exprs) extract(e *sql.Extract) expr.Expr {
	name := e.Field
	if f, ok := extractFunctions[name]; ok {
		name = f
	}
	switch name {
	case "year", "quarter", "month", "week", "day", "day_of_month", "day_of_week", "day_of_year", "year_of_week",
		"hour", "minute", "second", "timezone_hour", "timezone_minute":
		return x.apply(name, e.Pos(), x.operand(e.Arg))
	}
	fail(sqlerr.Name, e.Pos(), "EXTRACT has no field %q", e.Field)
	return nil
}

// apply binds a call of the scalar function or operator that is named.
func (b *binder) apply(name string, at sqlerr.Pos, args ...operand) expr.Expr {
	f, ok := fn.Lookup(name)
	if !ok {
		failHint(sqlerr.Name, at, didYouMean(name, b.functionNames()), "function %q does not exist", name)
	}
	types := make([]sqltype.Type, len(args))
	for i, a := range args {
		types[i] = a.Type()
	}
	overload, params, result, err := f.Resolve(types)
	if err != nil {
		panic(placed(err, at))
	}
	call := &expr.Call{Fn: f, Overload: overload, T: result, Memo: &fn.Memo{}, Pos: at}
	for i, a := range args {
		call.Args = append(call.Args, coerce(a.Expr, params[i]))
	}
	return call
}

// placed gives an error of another room a place, and makes it an *sqlerr.Error.
func placed(err error, at sqlerr.Pos) *sqlerr.Error {
	e, ok := err.(*sqlerr.Error) //nolint:errorlint // a wrapped one is told of with what wraps it
	if !ok {
		return &sqlerr.Error{Kind: sqlerr.KindOf(err), Pos: at, Msg: fmt.Sprint(err)}
	}
	if e.Pos == 0 {
		c := *e
		c.Pos = at
		return &c
	}
	return e
}
