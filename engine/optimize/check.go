package optimize

import (
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sqltype"
)

// check verifies that every column reference of a plan is in range and of its column's type, and that schemas fit their nodes.
func check(n plan.Node) error {
	for _, in := range n.Inputs() {
		if err := check(in); err != nil {
			return err
		}
	}
	if err := checkNode(n); err != nil {
		return fmt.Errorf("%s: %w", plan.Describe(n), err)
	}
	return nil
}

func checkNode(n plan.Node) error {
	var input []plan.Column
	for _, in := range n.Inputs() {
		input = append(input, in.Schema()...)
	}
	switch n := n.(type) {
	case *plan.Scan:
		if len(n.Paths) != len(n.Columns) {
			return fmt.Errorf("%d paths for %d columns", len(n.Paths), len(n.Columns))
		}
		return checkExprs(n.Columns, slices.Concat(n.Conjuncts, n.Skips)...)
	case *plan.Values:
		for _, row := range n.Rows {
			if err := checkOutput(n.Columns, nil, row); err != nil {
				return err
			}
		}
	case *plan.Filter:
		return checkExprs(input, n.Conjuncts...)
	case *plan.Project:
		return checkOutput(n.Columns, input, n.Exprs)
	case *plan.Aggregate:
		outputs := append([]expr.Expr{}, n.Keys...)
		for _, a := range n.Aggs {
			used := append([]expr.Expr{}, a.Args...)
			if a.Filter != nil {
				used = append(used, a.Filter)
			}
			for _, k := range a.OrderBy {
				used = append(used, k.Expr)
			}
			if err := checkExprs(input, used...); err != nil {
				return err
			}
		}
		if len(n.Columns) != len(n.Keys)+len(n.Aggs)+len(n.Groupings) {
			return fmt.Errorf("%d columns for %d keys, %d aggregates and %d groupings", len(n.Columns), len(n.Keys), len(n.Aggs), len(n.Groupings))
		}
		return checkOutput(n.Columns[:len(n.Keys)], input, outputs)
	case *plan.Sort:
		for _, k := range n.Keys {
			if err := checkExprs(input, k.Expr); err != nil {
				return err
			}
		}
	case *plan.Limit:
		return checkExprs(input, n.By...)
	case *plan.Join:
		if len(n.LeftKeys) != len(n.RightKeys) {
			return fmt.Errorf("%d left keys, %d right ones", len(n.LeftKeys), len(n.RightKeys))
		}
		if err := checkExprs(n.Left.Schema(), n.LeftKeys...); err != nil {
			return err
		}
		if err := checkExprs(n.Right.Schema(), n.RightKeys...); err != nil {
			return err
		}
		if n.Residual != nil {
			if err := checkExprs(input, n.Residual); err != nil {
				return err
			}
		}
		if n.NullSafe != nil && len(n.NullSafe) != len(n.LeftKeys) {
			return fmt.Errorf("%d keys, %d of them said to be null-safe or not", len(n.LeftKeys), len(n.NullSafe))
		}
		var columns []plan.Column
		all := plan.JoinColumns(n.Kind, n.Left, n.Right)
		for _, i := range n.Kept() {
			if i < 0 || i >= len(all) {
				return fmt.Errorf("a join keeps column %d of %d", i, len(all))
			}
			columns = append(columns, all[i])
		}
		return checkWidth(n.Columns, columns)
	case *plan.Union:
		for _, c := range n.Children {
			if err := checkWidth(n.Columns, c.Schema()); err != nil {
				return err
			}
		}
	case *plan.Window:
		var types []plan.Column
		for _, i := range n.Kept() {
			if i < 0 || i >= len(input) {
				return fmt.Errorf("column %d of an input of %d", i, len(input))
			}
			types = append(types, input[i])
		}
		for _, c := range n.Calls {
			if err := checkExprs(input, c.Exprs()...); err != nil {
				return err
			}
			types = append(types, plan.Column{Type: c.T})
		}
		for _, k := range n.OrderBy {
			if err := checkExprs(input, k.Expr); err != nil {
				return err
			}
		}
		if err := checkExprs(input, n.PartitionBy...); err != nil {
			return err
		}
		return checkWidth(n.Columns, types)
	case *plan.Recursive:
		if err := checkWidth(n.Columns, n.First.Schema()); err != nil {
			return err
		}
		return checkWidth(n.Columns, n.Step.Schema())
	case *plan.Unnest:
		var kept []plan.Column
		for _, i := range n.Kept() {
			if i < 0 || i >= len(input) {
				return fmt.Errorf("column %d of an input of %d", i, len(input))
			}
			kept = append(kept, input[i])
		}
		if len(n.Columns) < len(kept) {
			return fmt.Errorf("fewer columns than are kept of the input")
		}
		if err := checkWidth(n.Columns[:len(kept)], kept); err != nil {
			return err
		}
		return checkExprs(input, n.Exprs...)
	}
	return nil
}

func checkWidth(columns, have []plan.Column) error {
	if len(columns) != len(have) {
		return fmt.Errorf("%d columns where the input has %d", len(columns), len(have))
	}
	for i := range columns {
		if !sameForm(columns[i].Type, have[i].Type) {
			return fmt.Errorf("column %d is %s where the input has %s", i, columns[i].Type, have[i].Type)
		}
	}
	return nil
}

func checkOutput(columns, input []plan.Column, es []expr.Expr) error {
	have := make([]plan.Column, len(es))
	for i, e := range es {
		have[i].Type = e.Type()
	}
	if err := checkWidth(columns, have); err != nil {
		return err
	}
	return checkExprs(input, es...)
}

func checkExprs(input []plan.Column, es ...expr.Expr) (err error) {
	for _, e := range es {
		expr.Walk(e, func(e expr.Expr) bool {
			if _, outer := e.(*expr.Outer); outer {
				err = fmt.Errorf("%s is of no input", expr.Format(e))
			}
			c, ok := e.(*expr.Column)
			switch {
			case !ok || err != nil:
			case c.Index < 0 || c.Index >= len(input):
				err = fmt.Errorf("column %d (%s) of %d", c.Index, c.Name, len(input))
			case !sameForm(c.T, input[c.Index].Type):
				err = fmt.Errorf("column %d (%s) is %s where the input has %s", c.Index, c.Name, c.T, input[c.Index].Type)
			}
			return err == nil
		})
	}
	return err
}

// sameForm reports whether values of one type can stand for the other's: lengths of varchar and printing precision do not matter.
func sameForm(a, b sqltype.Type) bool {
	return a.Kind == b.Kind && (a.Equal(b) || arrow.TypeEqual(a.Arrow(), b.Arrow()))
}

func sameSchema(a, b []plan.Column) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Name != b[i].Name || !sameForm(a[i].Type, b[i].Type) {
			return false
		}
	}
	return true
}
