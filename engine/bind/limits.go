package bind

import (
	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/sqlerr"
)

// Limits against statements that are short to write and huge to plan: WITH and views are bound at each use, * doubles, and
// COALESCE and its like repeat their arguments.
const (
	maxRelations = 250    // tables, views and WITH queries in a statement, counted at each use
	maxViews     = 32     // one in another
	maxColumns   = 10_000 // of a relation
	maxNodes     = 10_000 // of an expression that is repeated
	maxLambdas   = 10_000 // bound, one inside another as often as that one is
)

func (b *binder) countRelation(at sqlerr.Pos) {
	*b.relations++
	if *b.relations > maxRelations {
		fail(sqlerr.Resource, at, "the statement refers to more than %d tables, each counted as often as it is used", maxRelations)
	}
}

func checkColumns(n int, at sqlerr.Pos) {
	if n > maxColumns {
		fail(sqlerr.Resource, at, "more than %d columns", maxColumns)
	}
}

// repeated returns e, which the caller is about to put into its result more than once.
func repeated(e operand) operand {
	nodes := 0
	expr.Walk(e.Expr, func(expr.Expr) bool {
		nodes++
		return nodes <= maxNodes
	})
	if nodes > maxNodes {
		failHint(sqlerr.Resource, e.at, "compute its parts in a subquery",
			"this expression is too large: BETWEEN, CASE, COALESCE and NULLIF repeat their argument, which comes to more than %d parts", maxNodes)
	}
	return e
}
