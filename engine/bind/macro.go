package bind

import (
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
)

// arguments are what the parameters of a macro stand for. They hide columns of the same name.
type arguments struct {
	names  []string // lower case
	values []expr.Expr
}

func (a *arguments) find(id sql.Ident) (expr.Expr, bool) {
	if a == nil {
		return nil, false
	}
	if at := slices.Index(a.names, lower(id)); at >= 0 {
		return a.values[at], true
	}
	return nil, false
}

// macro finds one by its name.
func (b *binder) macro(name string, table bool) *source.Macro {
	for _, m := range b.snapshot.Macros() {
		if m.Name == name && m.Table == table {
			return m
		}
	}
	return nil
}

// functionNames are those of the engine and of the catalog's macros.
func (b *binder) functionNames() []string {
	names := fn.Names()
	for _, m := range b.snapshot.Macros() {
		if !m.Table {
			names = append(names, m.Name)
		}
	}
	return names
}

// let applies a lambda to its other arguments.
var let = &fn.Function{Name: "let", NullCall: true, Overloads: []fn.Overload{{Eval: func(c *fn.Call) (arrow.Array, error) {
	args, rows := make([]arrow.Array, len(c.Args)), make([]int32, c.Len)
	for i, a := range c.Args {
		args[i] = full(a, c.Len)
	}
	for i := range rows {
		rows[i] = int32(i)
	}
	return c.Lambdas[0](args, rows)
}}}}

// macroCall binds the text of m with the arguments of f. An argument that is a column, a field of one or a constant stands in the
// text wherever its parameter does; any other is computed once, and is the parameter of a lambda whose body the text is.
func (x *exprs) macroCall(m *source.Macro, f *sql.Func) expr.Expr {
	if f.Star || f.Distinct || f.Filter != nil || len(f.OrderBy) > 0 || f.IgnoreNulls {
		fail(sqlerr.Type, f.Pos(), "%s is no aggregate: it takes no *, DISTINCT, ORDER BY, FILTER or IGNORE NULLS", m.Name)
	}
	checkArguments(m, len(f.Args), f.Pos())
	given := &arguments{names: m.Params}
	p := &params{base: parameterBase, outer: x.params}
	if p.outer != nil {
		p.base = p.outer.base + len(p.outer.fields)
	}
	var computed []expr.Expr
	for i, a := range f.Args {
		e := x.expr(a)
		if e.Type().Kind == sqltype.Unknown {
			return expr.NullLiteral(sqltype.UnknownType)
		}
		if !readAsItIs(e) {
			computed = append(computed, e)
			e = &expr.Column{Index: p.base + len(p.fields), Name: m.Params[i], T: e.Type()}
			p.fields = append(p.fields, sqltype.Field{Name: m.Params[i], Type: e.Type()})
		}
		given.values = append(given.values, e)
	}
	var body expr.Expr
	x.expandMacro(m, "SELECT "+m.SQL, f.Pos(), func(inner *binder, q *sql.Query) {
		inner.arguments = given
		text := &exprs{binder: inner, in: oneRow(), clause: "a macro", params: p}
		body = text.expr(q.Body.(*sql.Select).Items[0].Expr)
	})
	body = expr.Rewrite(body, placing(f.Pos()))
	if len(computed) == 0 {
		return body
	}
	args := append(computed, expr.NewLambda(p.fields, body, p.base))
	return &expr.Call{Fn: let, Overload: &let.Overloads[0], Args: args, T: body.Type(), Memo: &fn.Memo{}, Pos: f.Pos()}
}

// readAsItIs reports whether nothing is computed for e, so that it may stand in several places.
func readAsItIs(e expr.Expr) bool {
	switch e := e.(type) {
	case *expr.Column, *expr.Literal, *expr.Outer:
		return true
	case *expr.Field:
		return readAsItIs(e.Arg)
	}
	return false
}

// tableFunction binds the text of a macro that gives a table.
func (b *binder) tableFunction(t *sql.TableFunction) *relation {
	b.countRelation(t.Pos())
	name := lower(t.Name[len(t.Name)-1])
	m := b.macro(name, true)
	if m == nil {
		b.unknownTableFunction(name, t)
	}
	checkArguments(m, len(t.Args), t.Pos())
	given := &arguments{names: m.Params}
	for _, a := range t.Args {
		in := oneRow()
		x := &exprs{binder: b, in: in, clause: "the arguments of a table function"}
		e := x.expr(a)
		lit, ok := b.constant(e)
		if !ok {
			failHint(sqlerr.Type, a.Pos(), "the answer of a subquery is joined in FROM, or asked for beforehand", "the arguments of %s are constants", name)
		}
		given.values = append(given.values, lit)
	}
	var rel *relation
	b.expandMacro(m, m.SQL, t.Pos(), func(inner *binder, q *sql.Query) {
		inner.arguments = given
		rel = inner.query(q, nil, nil)
	})
	return rel.expanded(m.Hidden, []string{name}, t.Pos())
}

// expandMacro is expand with errors at the place of the call, since the text is not the caller's.
func (b *binder) expandMacro(m *source.Macro, text string, at sqlerr.Pos, bind func(inner *binder, q *sql.Query)) {
	if err := b.expand("function", m.Name, text, at, bind); err != nil {
		panic(&sqlerr.Error{Kind: sqlerr.KindOf(err), Pos: at, Msg: fmt.Sprintf("function %q: %s", m.Name, err)})
	}
}

func (b *binder) unknownTableFunction(name string, t *sql.TableFunction) {
	var names []string
	for _, m := range b.snapshot.Macros() {
		if m.Table {
			names = append(names, m.Name)
		}
	}
	hint := didYouMean(name, names)
	if _, ok := fn.Lookup(name); ok && hint == "" {
		hint = "the elements of an array are rows by UNNEST: FROM UNNEST(" + name + "(…))"
	}
	failHint(sqlerr.Name, t.Pos(), hint, "table function %q does not exist", dotted(t.Name))
}

func checkArguments(m *source.Macro, n int, at sqlerr.Pos) {
	if n != len(m.Params) {
		fail(sqlerr.Type, at, "%s cannot take %d arguments; it takes %s%s", m.Name, n, m.Name, m.Sig)
	}
}
