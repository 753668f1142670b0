package bind

import (
	"math"
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

// Describe binds q, whose ? have no values. types says for each ? of which type the query wants it, unknown where any will do; there are
// so many as params says. The plan is for looking at, not for running.
func Describe(q *sql.Query, params int, snap source.Snapshot, s *fn.Session) (n plan.Node, types []sqltype.Type, err error) {
	types = make([]sqltype.Type, params)
	for i := range types {
		types[i] = sqltype.UnknownType
	}
	err = caught(func() {
		b := newBinder(snap, s)
		b.open = types
		n = b.query(q, nil, nil).node
	})
	if err != nil {
		return nil, nil, err
	}
	record := func(e expr.Expr) expr.Expr {
		if cast, ok := e.(*expr.Cast); ok {
			if call, ok := cast.Arg.(*expr.Call); ok && call.Fn == openParam {
				types[vec.Value(call.Args[0].(*expr.Literal).Value, 0).(int64)] = cast.T
			}
		}
		return e
	}
	plan.Walk(n, func(n plan.Node) {
		plan.MapExprs(n, func(e expr.Expr) expr.Expr { return expr.Rewrite(e, record) })
	})
	return n, types, nil
}

// Constant binds an expression that names no column, and computes it.
func Constant(e sql.Expr, snap source.Snapshot, s *fn.Session) (value *expr.Literal, err error) {
	err = caught(func() {
		b := newBinder(snap, s)
		value = b.constantOf(e, "a constant")
	})
	return value, err
}

// constantOf computes an expression without columns.
func (b *binder) constantOf(e sql.Expr, clause string) *expr.Literal {
	x := &exprs{binder: b, in: oneRow(), clause: clause}
	bound := x.expr(e)
	lit, ok := b.constant(bound)
	if !ok {
		fail(sqlerr.Value, e.Pos(), "the value of this expression is not known before the statement runs")
	}
	return lit
}

// openParam stands for a ? without a value while a statement is described. Nobody runs it.
var openParam = &fn.Function{Name: "?", Volatile: true, Overloads: []fn.Overload{{}}}

// param binds a ? for which no value is given.
func (b *binder) param(e *sql.Param) expr.Expr {
	if b.open == nil {
		fail(sqlerr.Value, e.Pos(), "no value is given for this parameter")
	}
	index := expr.NewLiteral(sqltype.BigIntType, int64(e.Index))
	return &expr.Call{Fn: openParam, Overload: &openParam.Overloads[0], Args: []expr.Expr{index}, T: sqltype.UnknownType, Memo: &fn.Memo{}, Pos: e.Pos()}
}

// rowCount reads the number of LIMIT or OFFSET: digits, or whatever constant was given for a ?.
func (b *binder) rowCount(e sql.Expr, clause string) int64 {
	switch e := e.(type) {
	case *sql.Num:
		if n, err := strconv.ParseInt(e.Text, 10, 64); err == nil {
			return n
		}
	case *sql.Param:
		if b.open != nil {
			b.open[e.Index] = sqltype.BigIntType
			return math.MaxInt64
		}
		b.param(e)
	default:
		switch lit := b.constantOf(e, clause); lit.T.Kind {
		case sqltype.TinyInt, sqltype.SmallInt, sqltype.Integer, sqltype.BigInt:
			if n, ok := vec.Value(lit.Value, 0).(int64); ok && n >= 0 {
				return n
			}
		}
	}
	fail(sqlerr.Type, e.Pos(), "%s takes a whole number, such as %s 10", clause, clause)
	return 0
}
