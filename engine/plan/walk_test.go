package plan_test

import (
	"testing"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sqltype"
)

func TestRewriteCopiesOnlyWhatChanges(t *testing.T) {
	left, right := &plan.Values{}, &plan.Values{Columns: []plan.Column{{Name: "x", Type: sqltype.BigIntType}}}
	kept := &plan.Limit{Input: left, Limit: 1}
	join := plan.NewJoin(plan.CrossJoin, kept, &plan.Limit{Input: right, Limit: 2}, nil).(*plan.Join)

	same := plan.Rewrite(join, func(n plan.Node) plan.Node { return n })
	if same != plan.Node(join) {
		t.Error("a rewriting that changes nothing made a copy")
	}
	changed := plan.Rewrite(join, func(n plan.Node) plan.Node {
		if n == plan.Node(right) {
			return &plan.Values{Columns: right.Columns, Rows: [][]expr.Expr{}}
		}
		return n
	}).(*plan.Join)
	if changed == join || changed.Left != plan.Node(kept) || changed.Right == join.Right {
		t.Error("want a new join over the old left input and a new right one")
	}
	if join.Right.(*plan.Limit).Input != plan.Node(right) {
		t.Error("the old tree was changed")
	}
}

func TestMoveColumnsLeavesTheOldTree(t *testing.T) {
	c := &expr.Column{Index: 1, Name: "x", T: sqltype.BooleanType}
	e := &expr.Not{Arg: c}
	moved := plan.MoveColumns(e, func(i int) int { return i + 10 })
	if got := expr.Columns(moved); len(got) != 1 || got[0] != 11 {
		t.Errorf("columns %v, want [11]", got)
	}
	if c.Index != 1 {
		t.Error("the old column was changed")
	}
}
