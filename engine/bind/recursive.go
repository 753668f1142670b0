package bind

import (
	"strings"

	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
)

// maxSteps bounds WITH RECURSIVE. Athena stops at 10, which is too few for the days of a month or a long chain of roles; here steps are
// computed one after the other, not planned all at once, so a hundred cost nothing where fewer do. What never ends still ends in an error.
// The text of a macro knows when it ends.
const (
	maxSteps      = 100
	maxMacroSteps = 10_000
)

// recursion is a WITH RECURSIVE query whose second part is being bound.
type recursion struct {
	rows *plan.LastRows
	name sql.Ident
	used bool
}

// use is the relation that the name stands for.
func (r *recursion) use(t *sql.TableName) *relation {
	if r.used {
		failHint(sqlerr.Unknown, t.Pos(), "name it once", "%q names itself twice in WITH RECURSIVE", r.name.Name)
	}
	r.used = true
	return anonymous(r.rows).as(&sql.Aliased{Alias: r.name})
}

// recursive binds a query of WITH RECURSIVE that names itself; nil if it does not. It is a first part UNION ALL a second one, which alone names
// it and has as many columns of the same types.
func (b *binder) recursive(e *env) *relation {
	q := e.cte.Query
	union, ok := q.Body.(*sql.SetOp)
	if !e.recursive || !ok || union.Kind != sql.UnionOp {
		return nil
	}
	first := b.body(union.Left, e.parent, nil).visible()
	columns := make([]plan.Column, len(first.fields))
	if named := e.cte.Columns; len(named) > 0 && len(named) != len(columns) {
		fail(sqlerr.Name, named[0].Pos(), "%q has %d columns, the list names %d", e.cte.Name.Name, len(columns), len(named))
	}
	for i, c := range first.node.Schema()[:len(columns)] {
		if c.Type.Kind == sqltype.Varchar {
			c.Type = sqltype.VarcharType // of any length, for steps make text longer
		}
		if len(e.cte.Columns) > 0 {
			c.Name = e.cte.Columns[i].Name
		}
		columns[i] = c
	}
	id := &plan.RecursionID{Name: e.cte.Name.Name}
	inner := *e
	inner.last = &recursion{rows: &plan.LastRows{ID: id, Columns: columns}, name: e.cte.Name}
	second := b.body(union.Right, &inner, nil).visible()
	if !inner.last.used {
		return nil
	}
	if !union.All {
		failHint(sqlerr.Unknown, union.Pos(), "write UNION ALL, and DISTINCT in the query that uses it", "WITH RECURSIVE takes no UNION without ALL")
	}
	if q.With != nil || len(q.OrderBy) > 0 || q.Limit != nil || q.Offset != nil {
		failHint(sqlerr.Unknown, q.Pos(), "put them into the query that uses it", "WITH RECURSIVE takes no WITH, ORDER BY or LIMIT of its own")
	}
	step := second.node.Schema()[:len(second.fields)]
	if len(step) != len(columns) {
		fail(sqlerr.Type, union.Right.Pos(), "the second part of WITH RECURSIVE %s has %d columns, the first %d", id.Name, len(step), len(columns))
	}
	for i, c := range step {
		if t, ok := sqltype.Common(c.Type, columns[i].Type); !ok || !t.Equal(columns[i].Type) {
			failHint(sqlerr.Type, union.Right.Pos(), "cast it in the first part to "+c.Type.String(),
				"column %d of WITH RECURSIVE %s is %s in the first part and %s in the second", i+1, id.Name, columns[i].Type, c.Type)
		}
	}
	steps := maxSteps
	if b.arguments != nil {
		steps = maxMacroSteps
	}
	rel := anonymous(&plan.Recursive{
		First: converted(firstColumns(first.node, len(columns)), columns), Step: converted(firstColumns(second.node, len(columns)), columns),
		ID: id, MaxSteps: steps, Columns: columns,
	})
	for i := range rel.fields {
		rel.fields[i].name = strings.ToLower(columns[i].Name)
	}
	return rel
}
