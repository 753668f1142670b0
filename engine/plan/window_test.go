package plan_test

import (
	"testing"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sqltype"
)

func TestWindowSorted(t *testing.T) {
	column := func(i int) expr.Expr {
		return &expr.Column{Index: i, Name: string(rune('a' + i)), T: sqltype.BigIntType}
	}
	up := func(i int) plan.SortKey { return plan.SortKey{Expr: column(i)} }
	down := func(i int) plan.SortKey { return plan.SortKey{Expr: column(i), Desc: true} }
	var rows plan.Node = &plan.Values{Columns: make([]plan.Column, 4)}
	over := func(in plan.Node, partition []expr.Expr, order ...plan.SortKey) *plan.Window {
		return &plan.Window{Input: in, PartitionBy: partition, OrderBy: order, Columns: in.Schema()}
	}
	byA, byB := []expr.Expr{column(0)}, []expr.Expr{column(1)}
	base := over(rows, byA, up(1), down(2)) // a, b, c descending
	narrow := over(rows, byA, up(1), down(2))
	narrow.Keep, narrow.Columns = []int{3, 0}, make([]plan.Column, 2)
	for _, c := range []struct {
		why  string
		n    *plan.Window
		want bool
	}{
		{"a table has no order", over(rows, byA), false},
		{"the same", over(base, byA, up(1), down(2)), true},
		{"less of it", over(base, byA), true},
		{"the partition may be sorted within the other's order", over(base, nil, up(0), up(1)), true},
		{"more than it", over(base, byA, up(1), down(2), up(3)), false},
		{"of other columns", over(narrow, byA), false},
		{"under another number", over(narrow, byB), true},
		{"another direction", over(base, byA, down(1)), false},
		{"NULLs elsewhere", over(base, byA, plan.SortKey{Expr: column(1), NullsFirst: true}), false},
		{"another partition", over(base, byB), false},
		{"one between them that needs no sort keeps the order", over(over(base, byA), byA, up(1), down(2)), true},
		{"one without an order keeps it, too", over(over(base, nil), byA), true},
		{"one between them that sorts does not", over(over(base, byB), byA), false},
		{"what is no window may do anything", over(&plan.Project{Input: base}, byA), false},
	} {
		if got := c.n.Sorted(); got != c.want {
			t.Errorf("%s: %v", c.why, got)
		}
	}
}
