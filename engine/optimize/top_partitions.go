package optimize

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
)

// topPartitions tells a window below a filter on its row_number that only the first rows of each partition are wanted; the filter stays, for the
// window may put out more. An expression between the two that would have failed for a row that is left out then does not.
func topPartitions(n plan.Node, _ *fn.Session) plan.Node {
	return plan.Rewrite(n, func(n plan.Node) plan.Node {
		f, ok := n.(*plan.Filter)
		if !ok {
			return n
		}
		for _, c := range f.Conjuncts {
			if column, most := atMost(c); most > 0 {
				if input := topWindow(f.Input, column, most); input != nil {
					return plan.WithInputs(f, []plan.Node{input})
				}
			}
		}
		return n
	})
}

// atMost is the column and the number that e says it does not pass; 0 if it says no such thing.
func atMost(e expr.Expr) (column expr.Expr, most int64) {
	c, ok := e.(*expr.Compare)
	if !ok {
		return nil, 0
	}
	column, limit, closed, open := c.Left, c.Right, expr.Le, expr.Lt
	if _, ok := column.(*expr.Literal); ok {
		column, limit, closed, open = limit, column, expr.Ge, expr.Gt
	}
	l, ok := limit.(*expr.Literal)
	if !ok || l.IsNull() {
		return nil, 0
	}
	n, ok := l.Value.(*array.Int64)
	if !ok {
		return nil, 0
	}
	switch c.Op {
	case expr.Eq, closed:
		return column, n.Value(0)
	case open:
		return column, max(n.Value(0), 1) - 1
	}
	return nil, 0
}

// topWindow is n with the window below it told that most rows of each partition are wanted, if column is its row_number there, and no function looks
// at rows that come later; else nil.
func topWindow(n plan.Node, column expr.Expr, most int64) plan.Node {
	c, ok := column.(*expr.Column)
	if !ok {
		return nil
	}
	switch n := n.(type) {
	case *plan.Project:
		if input := topWindow(n.Input, n.Exprs[c.Index], most); input != nil {
			return plan.WithInputs(n, []plan.Node{input})
		}
	case *plan.Window:
		call := c.Index - len(n.Kept())
		if call < 0 || n.Calls[call].Fn.Name != "row_number" {
			return nil
		}
		for _, c := range n.Calls {
			if !slices.Contains([]string{"row_number", "rank", "dense_rank", "lag"}, c.Fn.Name) {
				return nil
			}
		}
		told := *n
		told.Most = most
		return &told
	}
	return nil
}
