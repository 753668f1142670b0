package bind

import (
	"slices"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sql"
)

// lateralOf returns the LATERAL that a table expression is, with its alias, or nil.
func lateralOf(t sql.TableExpr) (*sql.LateralTable, *sql.Aliased) {
	switch t := t.(type) {
	case *sql.LateralTable:
		return t, nil
	case *sql.Aliased:
		if l, ok := t.Table.(*sql.LateralTable); ok {
			return l, t
		}
	}
	return nil, nil
}

// lateral puts beside each row of left the rows of a subquery that may use it. j is the join that it is the right side of; nil after a comma.
func (b *binder) lateral(left *relation, l *sql.LateralTable, alias *sql.Aliased, j *sql.JoinTable, with *env, outer *scope) *relation {
	s := &scope{in: left, outer: outer}
	rel := b.query(l.Query, with, s).visible()
	if alias != nil {
		rel = rel.as(alias)
	}
	sub := b.correlated(rel, s, l.Pos())
	node := firstColumns(sub.node, len(sub.fields))
	d := &dependent{binder: b, at: l.Pos(), left: left.node, params: sub.params}
	for _, p := range sub.params {
		d.values = append(d.values, p.e)
	}

	// Columns of the subquery that are computed from those around must be NULL where it has no row.
	keep := j != nil && j.Type == sql.Left
	right, out, on := d.match(node, false)
	width := len(left.node.Schema())
	computed := func(e expr.Expr) bool {
		c, ok := e.(*expr.Column)
		return !ok || c.Index < width
	}
	if keep && slices.ContainsFunc(out, computed) {
		right, out, on = d.matchExpanded(node)
	}
	both := crossJoin(left, sub.relation, l.Pos())
	if j != nil && j.On != nil {
		x := &exprs{binder: b, with: with, in: both, outer: outer, clause: "ON"}
		before := both.node
		for _, c := range x.conjuncts(j.On) {
			on = append(on, expr.Rewrite(c, func(e expr.Expr) expr.Expr {
				if c, ok := e.(*expr.Column); ok && c.Index >= width {
					return out[c.Index-width]
				}
				return e
			}))
		}
		if both.node != before {
			unsupported(j.On.Pos(), "subqueries in the ON of a LATERAL join are")
		}
	}
	kind := plan.InnerJoin
	if keep {
		kind = plan.LeftJoin
	}
	joined := plan.NewJoin(kind, d.left, right, on)
	return &relation{
		node: &plan.Project{
			Input: joined, Exprs: append(plan.ColumnRefs(d.left), out...), Columns: slices.Concat(left.node.Schema(), node.Schema()),
		},
		fields: both.fields,
	}
}
