package bind

import (
	"slices"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
)

var setNames = map[sql.SetKind]string{sql.UnionOp: "UNION", sql.IntersectOp: "INTERSECT", sql.ExceptOp: "EXCEPT"}

// setOp binds UNION, INTERSECT and EXCEPT, each with ALL or without. Columns match by position and take the names of the left side.
func (b *binder) setOp(s *sql.SetOp, with *env, outer *scope) *relation {
	name := setNames[s.Kind]
	left, right := b.body(s.Left, with, outer).visible().node, b.body(s.Right, with, outer).visible().node
	l, r := left.Schema(), right.Schema()
	if len(l) != len(r) {
		fail(sqlerr.Type, s.Pos(), "%s has %d columns on the left and %d on the right", name, len(l), len(r))
	}
	columns := make([]plan.Column, len(l))
	for i := range l {
		t, ok := sqltype.Common(l[i].Type, r[i].Type)
		if !ok {
			failHint(sqlerr.Type, s.Right.Pos(), "cast one of them", "column %d of %s is %s on the left and %s on the right", i+1, name, l[i].Type, r[i].Type)
		}
		columns[i] = plan.Column{Name: l[i].Name, Type: t}
	}
	if s.Kind == sql.UnionOp {
		u := &plan.Union{Children: []plan.Node{converted(left, columns), converted(right, columns)}, Columns: columns}
		if before, ok := left.(*plan.Union); ok && slices.EqualFunc(before.Columns, columns, func(a, b plan.Column) bool { return a.Type.Identical(b.Type) }) {
			u.Children = append(before.Children, u.Children[1]) // one of many inputs, rather than as deep as there are inputs
		}
		if s.All {
			return anonymous(u)
		}
		return anonymous(distinct(u))
	}

	// Grouping holds NULLs for equal, as set operations do. Of each distinct row it counts how often the two sides have it.
	side := plan.Column{Name: "side", Type: sqltype.IntegerType}
	sides := make([]plan.Node, 2)
	for i, n := range []plan.Node{left, right} {
		p := *converted(n, columns)
		p.Exprs = append(p.Exprs, expr.NewLiteral(side.Type, int64(i+1)))
		p.Columns = append(p.Columns[:len(columns):len(columns)], side)
		sides[i] = &p
	}
	u := &plan.Union{Children: sides, Columns: append(columns[:len(columns):len(columns)], side)}
	refs := plan.ColumnRefs(u)
	from := func(number int64) plan.AggregateCall {
		c := call("count")
		c.Filter = &expr.Compare{Op: expr.Eq, Left: refs[len(columns)], Right: expr.NewLiteral(side.Type, number)}
		return c
	}
	grouped := aggregateOf(u, refs[:len(columns)], from(1), from(2))
	refs = plan.ColumnRefs(grouped)
	row, lefts, rights := refs[:len(columns)], refs[len(columns)], refs[len(columns)+1]
	if s.All {
		times := &plan.Unnest{Input: grouped, Exprs: []expr.Expr{b.times(s.Kind, lefts, rights)}, Columns: grouped.Columns}
		return anonymous(&plan.Project{Input: times, Exprs: row, Columns: columns})
	}
	some := func(op expr.CompareOp, count expr.Expr) expr.Expr {
		return &expr.Compare{Op: op, Left: count, Right: expr.NewLiteral(sqltype.BigIntType, int64(0))}
	}
	keep := &plan.Filter{Input: grouped, Conjuncts: []expr.Expr{some(expr.Gt, lefts), some(expr.Gt, rights)}}
	if s.Kind == sql.ExceptOp {
		keep.Conjuncts[1] = some(expr.Eq, rights)
	}
	return anonymous(&plan.Project{Input: keep, Exprs: row, Columns: columns})
}

// times is how often INTERSECT ALL or EXCEPT ALL has a row that the sides have so often; not positive: never.
func (b *binder) times(kind sql.SetKind, left, right expr.Expr) expr.Expr {
	if kind == sql.IntersectOp {
		return b.apply("least", 0, operand{left, 0}, operand{right, 0})
	}
	return b.apply("-", 0, operand{left, 0}, operand{right, 0})
}

// converted projects n to columns.
func converted(n plan.Node, columns []plan.Column) *plan.Project {
	p := &plan.Project{Input: n, Exprs: plan.ColumnRefs(n), Columns: columns}
	for i := range p.Exprs {
		p.Exprs[i] = coerce(p.Exprs[i], columns[i].Type)
	}
	return p
}

// distinct drops equal rows.
func distinct(n plan.Node) plan.Node {
	a := aggregateOf(n, plan.ColumnRefs(n))
	a.Columns = n.Schema()
	return a
}
