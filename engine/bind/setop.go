package bind

import (
	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
)

var setNames = map[sql.SetKind]string{sql.UnionOp: "UNION", sql.IntersectOp: "INTERSECT", sql.ExceptOp: "EXCEPT"}

// setOp binds UNION [ALL], INTERSECT and EXCEPT. Columns match by position and take the names of the left side.
func (b *binder) setOp(s *sql.SetOp, with *env, outer *scope) *relation {
	name := setNames[s.Kind]
	if s.All && s.Kind != sql.UnionOp {
		unsupported(s.Pos(), name+" ALL is")
	}
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
		if s.All {
			return anonymous(u)
		}
		return anonymous(distinct(u))
	}

	// Grouping holds NULLs for equal, as set operations do: a row is on a side if its group has that side's number.
	number := plan.Column{Name: "side", Type: sqltype.IntegerType}
	sides := make([]plan.Node, 2)
	for i, n := range []plan.Node{left, right} {
		p := *converted(n, columns)
		p.Exprs = append(p.Exprs, expr.NewLiteral(number.Type, int64(i+1)))
		p.Columns = append(p.Columns[:len(columns):len(columns)], number)
		sides[i] = &p
	}
	u := &plan.Union{Children: sides, Columns: append(columns[:len(columns):len(columns)], number)}
	refs := plan.ColumnRefs(u)
	side := refs[len(columns)]
	grouped := aggregateOf(u, refs[:len(columns)], call("min", side), call("max", side))
	refs = plan.ColumnRefs(grouped)
	is := func(e expr.Expr, side int64) expr.Expr {
		return &expr.Compare{Op: expr.Eq, Left: e, Right: expr.NewLiteral(number.Type, side)}
	}
	keep := &plan.Filter{Input: grouped}
	lowest, highest := refs[len(columns)], refs[len(columns)+1]
	if s.Kind == sql.IntersectOp {
		keep.Conjuncts = []expr.Expr{is(lowest, 1), is(highest, 2)}
	} else {
		keep.Conjuncts = []expr.Expr{is(highest, 1)}
	}
	return anonymous(&plan.Project{Input: keep, Exprs: refs[:len(columns)], Columns: columns})
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
