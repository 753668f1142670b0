// Package bind turns a syntax tree into a logical plan: it settles names, types
// and implicit casts against one snapshot, or says what is wrong and where.
//
// Inside the package a mistake in the query is raised by panic with a *sqlerr.Error
// and caught in Query; every step would otherwise carry an error that nobody handles.
package bind

import (
	"strconv"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// Query binds q against the relations of snap. Errors are *sqlerr.Error with a place in the statement's text.
func Query(q *sql.Query, snap source.Snapshot, s *fn.Session) (n plan.Node, err error) {
	err = caught(func() {
		b := newBinder(snap, s)
		n = b.query(q, nil, nil).node
	})
	return n, err
}

// caught runs f and returns the mistake that it raised.
func caught(f func()) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *sqlerr.Error:
			err = r
		default:
			panic(r)
		}
	}()
	f()
	return nil
}

func fail(kind sqlerr.Kind, pos sqlerr.Pos, format string, args ...any) {
	panic(sqlerr.New(kind, pos, format, args...))
}

func failHint(kind sqlerr.Kind, pos sqlerr.Pos, hint, format string, args ...any) {
	e := sqlerr.New(kind, pos, format, args...)
	e.Hint = hint
	panic(e)
}

func unsupported(pos sqlerr.Pos, what string) {
	fail(sqlerr.Unknown, pos, "%s not supported yet", what)
}

// binder is what all parts of one query share.
type binder struct {
	snapshot  source.Snapshot
	session   *fn.Session
	asOf      *source.Moment // of the view that is being expanded; nil: as it is
	expanding []string       // views and macros, outermost first
	arguments *arguments     // of the macro that is being expanded; nil: none
	relations *int           // bound so far, see maxRelations
	lambdas   *int           // likewise, see maxLambdas
	outers    *int           // how many params there are, see scope
	open      []sqltype.Type // of the ? without values, while a statement is described; nil: a ? must have one
}

func newBinder(snap source.Snapshot, s *fn.Session) *binder {
	return &binder{snapshot: snap, session: s, relations: new(int), lambdas: new(int), outers: new(int)}
}

// env is the chain of common table expressions in sight, innermost first.
type env struct {
	name   string // lower case
	cte    *sql.CTE
	parent *env // what the CTE's own query sees, too

	recursive bool       // WITH RECURSIVE: the query may name itself
	last      *recursion // while the second part of such a query is bound: what its name stands for
}

func (e *env) find(name string) *env {
	for ; e != nil; e = e.parent {
		if e.name == name {
			return e
		}
	}
	return nil
}

// query binds q; with are the common table expressions in sight and outer is the scope around a subquery, both may be nil.
func (b *binder) query(q *sql.Query, with *env, outer *scope) *relation {
	if q.With != nil {
		for i := range q.With.CTEs {
			cte := &q.With.CTEs[i]
			for _, other := range q.With.CTEs[:i] {
				if lower(other.Name) == lower(cte.Name) {
					fail(sqlerr.Name, cte.Name.Pos(), "WITH defines %q twice", cte.Name.Name)
				}
			}
			with = &env{name: lower(cte.Name), cte: cte, recursive: q.With.Recursive, parent: with}
		}
	}
	var rel *relation
	if sel, ok := q.Body.(*sql.Select); ok {
		rel = b.selectQuery(sel, q.OrderBy, with, outer)
	} else {
		rel = b.body(q.Body, with, outer)
		if len(q.OrderBy) > 0 {
			b.orderOutput(rel, q.OrderBy, with, outer)
		}
	}
	limit, offset := int64(-1), int64(0)
	if q.Limit != nil {
		if _, all := q.Limit.(*sql.Null); !all {
			limit = b.rowCount(q.Limit, "LIMIT")
		}
	}
	if q.Offset != nil {
		offset = b.rowCount(q.Offset, "OFFSET")
	}
	switch {
	case q.Ties && len(q.OrderBy) == 0:
		fail(sqlerr.Type, q.Limit.Pos(), "FETCH FIRST … WITH TIES needs an ORDER BY")
	case q.Ties && limit > 0:
		rel.node = withTies(rel.node, limit, offset)
	case limit >= 0 || offset > 0:
		rel.node = &plan.Limit{Input: rel.node, Limit: limit, Offset: offset}
	}
	return rel
}

// withTies limits the Sort of a query with ORDER BY, above which there may be projections.
func withTies(n plan.Node, limit, offset int64) plan.Node {
	if s, ok := n.(*plan.Sort); ok {
		return &plan.Sort{Input: s.Input, Keys: s.Keys, Limit: limit, Offset: offset, Ties: true}
	}
	return plan.WithInputs(n, []plan.Node{withTies(n.Inputs()[0], limit, offset)})
}

func (b *binder) body(body sql.QueryBody, with *env, outer *scope) *relation {
	switch body := body.(type) {
	case *sql.Select:
		return b.selectQuery(body, nil, with, outer)
	case *sql.Query:
		return b.query(body, with, outer)
	case *sql.SetOp:
		return b.setOp(body, with, outer)
	case *sql.TableBody:
		rel := b.table(&sql.TableName{At: body.At, Name: body.Name}, with)
		return rel.visible()
	case *sql.ValuesBody:
		return b.values(body, with, outer)
	}
	fail(sqlerr.Internal, body.Pos(), "no binding of %T", body)
	return nil
}

// orderOutput sorts a relation that is no plain SELECT: only its output columns are in sight.
func (b *binder) orderOutput(rel *relation, order []sql.OrderItem, with *env, outer *scope) {
	x := &exprs{binder: b, with: with, in: rel, outer: outer, clause: "ORDER BY"}
	refs := plan.ColumnRefs(rel.node)
	keys := make([]plan.SortKey, len(order))
	for i, item := range order {
		var e expr.Expr
		if at, ok := ordinal(item.Expr, len(refs), "ORDER BY"); ok {
			e = refs[at]
		} else {
			e = x.expr(item.Expr)
		}
		keys[i] = sortKey(e, item)
	}
	width := len(refs)
	rel.node = &plan.Sort{Input: rel.node, Keys: keys, Limit: -1}
	rel.node = firstColumns(rel.node, width)
}

// firstColumns projects away what expressions with subqueries have put behind the first width columns.
func firstColumns(n plan.Node, width int) plan.Node {
	schema := n.Schema()
	if len(schema) == width {
		return n
	}
	return &plan.Project{Input: n, Exprs: plan.ColumnRefs(n)[:width], Columns: schema[:width]}
}

// ordinal reads a whole number in GROUP BY or ORDER BY as the position of an output column, from 0.
func ordinal(e sql.Expr, columns int, clause string) (int, bool) {
	num, ok := e.(*sql.Num)
	if !ok {
		return 0, false
	}
	n, err := strconv.Atoi(num.Text)
	if err != nil {
		return 0, false
	}
	if n < 1 || n > columns {
		fail(sqlerr.Name, e.Pos(), "%s position %d is not in the select list, which has %d columns", clause, n, columns)
	}
	return n - 1, true
}

func sortKey(e expr.Expr, item sql.OrderItem) plan.SortKey {
	if !e.Type().Orderable() {
		fail(sqlerr.Type, item.Expr.Pos(), "values of type %s have no order", e.Type())
	}
	return plan.SortKey{Expr: e, Desc: item.Desc, NullsFirst: item.NullsFirst}
}

// values binds VALUES: rows of constants, each column of the common type.
func (b *binder) values(v *sql.ValuesBody, with *env, outer *scope) *relation {
	x := &exprs{binder: b, with: with, in: oneRow(), outer: outer, clause: "VALUES"}
	rows := make([][]expr.Expr, len(v.Rows))
	places := make([][]sql.Expr, len(v.Rows))
	for i, row := range v.Rows {
		places[i] = []sql.Expr{row}
		if r, ok := row.(*sql.RowExpr); ok {
			places[i] = r.Elems
		}
		if len(places[i]) != len(places[0]) {
			fail(sqlerr.Type, row.Pos(), "this row has %d columns, the first one has %d", len(places[i]), len(places[0]))
		}
		for _, e := range places[i] {
			rows[i] = append(rows[i], x.expr(e))
		}
	}
	columns := make([]plan.Column, len(places[0]))
	for c := range columns {
		cells := make([]expr.Expr, len(rows))
		for i := range rows {
			cells[i] = rows[i][c]
		}
		t := commonType(cells, func(i int) sqlerr.Pos { return places[i][c].Pos() }, "VALUES")
		for i := range rows {
			rows[i][c] = coerce(cells[i], t)
		}
		columns[c].Type = t
	}
	if _, plain := x.in.node.(*plan.Values); !plain { // with subqueries, which stand beside one row
		one := newSpool(x.in.node)
		u := &plan.Union{Columns: columns}
		for _, row := range rows {
			u.Children = append(u.Children, &plan.Project{Input: one, Exprs: row, Columns: columns})
		}
		return anonymous(u)
	}
	return anonymous(&plan.Values{Columns: columns, Rows: rows})
}

// oneRow is the input of a query without FROM.
func oneRow() *relation {
	return &relation{node: &plan.Values{Rows: [][]expr.Expr{{}}}}
}

// fold computes e if it is constant; what fails is left for the run.
func (b *binder) fold(e expr.Expr) expr.Expr { return expr.Fold(e, b.session) }

// constant returns the literal that e comes to, if it does.
func (b *binder) constant(e expr.Expr) (*expr.Literal, bool) {
	if len(expr.Columns(e)) > 0 || expr.Volatile(e) {
		return nil, false
	}
	lit, ok := b.fold(e).(*expr.Literal)
	return lit, ok
}

// constantText returns the text of a constant varchar that is not NULL.
func (b *binder) constantText(e expr.Expr) (string, bool) {
	if e.Type().Kind != sqltype.Varchar {
		return "", false
	}
	lit, ok := b.constant(e)
	if !ok || lit.Value.IsNull(0) {
		return "", false
	}
	text, ok := vec.Value(lit.Value, 0).(string)
	return text, ok
}
