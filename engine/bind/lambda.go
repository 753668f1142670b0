package bind

import (
	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
)

// parameterBase is the ordinal of the first parameter of a lambda while its body is being bound; each has one of its own, so that
// a lambda within another can tell them apart. Closing the lambda settles them.
const parameterBase = 1 << 28

// params are the parameters of a lambda whose body is being bound.
type params struct {
	fields []sqltype.Field // names in lower case
	base   int             // ordinal of the first
	outer  *params
}

// find returns the column of the parameter that id names; it hides any column of that name.
func (p *params) find(id sql.Ident) (expr.Expr, bool) {
	for ; p != nil; p = p.outer {
		for i, f := range p.fields {
			if f.Name == lower(id) {
				return &expr.Column{Index: p.base + i, Name: f.Name, T: f.Type}, true
			}
		}
	}
	return nil, false
}

// refuseInLambda raises the error for what stands for rows, not for a value, in the body of a lambda.
func (x *exprs) refuseInLambda(what string, at sqlerr.Pos) {
	if x.params != nil {
		failHint(sqlerr.Type, at, "compute it in a subquery in FROM and use its column", "%s cannot stand in a lambda", what)
	}
}

// call binds a call of the scalar function that is named.
func (x *exprs) call(name string, f *sql.Func) expr.Expr {
	scalar, _ := fn.Lookup(name)
	args, types := make([]expr.Expr, len(f.Args)), make([]sqltype.Type, len(f.Args))
	for i, a := range f.Args {
		if l, ok := a.(*sql.Lambda); ok {
			types[i] = sqltype.FunctionOf(make([]sqltype.Type, len(l.Params)), sqltype.UnknownType)
			continue
		}
		args[i] = x.expr(a)
		types[i] = args[i].Type()
	}
	bodies := make([]lambdaBody, len(f.Args))
	overload, wanted, result, err := scalar.ResolveLambdas(types, func(i int, params []sqltype.Type) sqltype.Type {
		bodies[i] = x.lambda(f.Args[i].(*sql.Lambda), params)
		return bodies[i].Type()
	})
	if err != nil {
		panic(placed(err, f.Pos()))
	}
	for i := range args {
		if body := bodies[i]; body.params != nil {
			args[i] = expr.NewLambda(body.params.fields, coerce(body.Expr, *wanted[i].Elem), body.params.base)
		} else {
			args[i] = coerce(args[i], wanted[i])
		}
	}
	return &expr.Call{Fn: scalar, Overload: overload, Args: args, T: result, Memo: &fn.Memo{}, Pos: f.Pos()}
}

// lambdaBody is a bound body over the columns that its parameters have meanwhile.
type lambdaBody struct {
	expr.Expr
	params *params
}

// lambda binds the body of l for parameters of the given types.
func (x *exprs) lambda(l *sql.Lambda, types []sqltype.Type) lambdaBody {
	if *x.lambdas++; *x.lambdas > maxLambdas {
		fail(sqlerr.Resource, l.Pos(), "the lambdas in this statement are nested too deeply")
	}
	p := &params{base: parameterBase, outer: x.params}
	if p.outer != nil {
		p.base = p.outer.base + len(p.outer.fields)
	}
	for i, id := range l.Params {
		for _, f := range p.fields {
			if f.Name == lower(id) {
				fail(sqlerr.Name, id.Pos(), "the lambda has two parameters %q", id.Name)
			}
		}
		p.fields = append(p.fields, sqltype.Field{Name: lower(id), Type: types[i]})
	}
	inner := *x
	inner.params = p
	return lambdaBody{inner.expr(l.Body), p}
}
