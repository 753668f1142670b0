package plan_test

import (
	"strings"
	"testing"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sqltype"
)

// TestNewJoin holds where each kind of conjunct goes. The sides have the columns a, b and c, d.
func TestNewJoin(t *testing.T) {
	side := func(names ...string) plan.Node {
		v := &plan.Values{}
		for _, name := range names {
			v.Columns = append(v.Columns, plan.Column{Name: name, Type: sqltype.BigIntType})
		}
		return v
	}
	column := func(i int) expr.Expr {
		return &expr.Column{Index: i, Name: string(rune('a' + i)), T: sqltype.BigIntType}
	}
	compare := func(op expr.CompareOp, l, r expr.Expr) expr.Expr { return &expr.Compare{Op: op, Left: l, Right: r} }
	a, b, c, d := column(0), column(1), column(2), column(3)
	one := expr.NewLiteral(sqltype.BigIntType, int64(1))
	never := expr.NewLiteral(sqltype.BooleanType, false)

	for _, test := range []struct {
		name string
		kind plan.JoinKind
		on   []expr.Expr
		want string
	}{
		{"an equality between the sides is a key, whichever way round", plan.InnerJoin,
			[]expr.Expr{compare(expr.Eq, d, a)}, "InnerJoin on a = d; Values; Values"},
		{"an inner join's one-sided conjuncts go below it", plan.InnerJoin,
			[]expr.Expr{compare(expr.Eq, a, c), compare(expr.Gt, b, one), compare(expr.Eq, d, one)}, "InnerJoin on a = c; Filter b; Values; Filter d; Values"},
		{"what is left of an inner join with keys is its residual", plan.InnerJoin,
			[]expr.Expr{compare(expr.Eq, a, c), compare(expr.Lt, b, d)}, "InnerJoin on a = c where b d; Values; Values"},
		{"without keys it is a filter above the product", plan.InnerJoin,
			[]expr.Expr{compare(expr.Lt, b, d)}, "Filter b d; CrossJoin; Values; Values"},
		{"a left join's rows stay, so only the right side is filtered", plan.LeftJoin,
			[]expr.Expr{compare(expr.Eq, a, c), compare(expr.Gt, b, one), compare(expr.Gt, d, one)}, "LeftJoin on a = c where b; Values; Filter d; Values"},
		{"a constant of a left join is about matches, not about left rows", plan.LeftJoin,
			[]expr.Expr{never}, "LeftJoin; Values; Filter; Values"},
		{"an anti join keeps rows for which its left-sided conjunct fails", plan.AntiJoin,
			[]expr.Expr{compare(expr.Eq, a, c), compare(expr.Gt, b, one), compare(expr.Gt, d, one)}, "AntiJoin on a = c where b; Values; Filter d; Values"},
		{"IS NOT DISTINCT FROM is a key for which NULL matches", plan.InnerJoin,
			[]expr.Expr{compare(expr.Eq, b, d), compare(expr.NotDistinct, a, c)}, "InnerJoin on b = d and a IS NOT DISTINCT FROM c; Values; Values"},
		{"a semi join keeps only matches, so both sides are filtered", plan.SemiJoin,
			[]expr.Expr{compare(expr.Eq, a, c), compare(expr.Gt, b, one), compare(expr.Gt, d, one)}, "SemiJoin on a = c; Filter b; Values; Filter d; Values"},
		{"a mark join marks rows for which its left-sided conjunct fails", plan.MarkJoin,
			[]expr.Expr{compare(expr.Eq, a, c), compare(expr.Gt, b, one), compare(expr.Gt, d, one)}, "MarkJoin on a = c where b; Values; Filter d; Values"},
	} {
		n := plan.NewJoin(test.kind, side("a", "b"), side("c", "d"), test.on)
		if got := outline(n); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}

// outline is a plan with each expression cut to the columns that it names.
func outline(n plan.Node) string {
	var parts []string
	plan.Walk(n, func(n plan.Node) {
		switch n := n.(type) {
		case *plan.Values:
			parts = append(parts, "Values")
		case *plan.Filter:
			parts = append(parts, strings.TrimSpace("Filter "+names(expr.Conjoin(n.Conjuncts))))
		case *plan.Join:
			residual := n.Residual
			bare := *n
			bare.Residual = nil
			s := strings.ReplaceAll(plan.Describe(&bare), `"`, "")
			if residual != nil {
				s += " where " + names(residual)
			}
			parts = append(parts, s)
		}
	})
	return strings.Join(parts, "; ")
}

func names(e expr.Expr) string {
	var out []string
	expr.Walk(e, func(e expr.Expr) bool {
		if c, ok := e.(*expr.Column); ok {
			out = append(out, c.Name)
		}
		return true
	})
	return strings.Join(out, " ")
}
