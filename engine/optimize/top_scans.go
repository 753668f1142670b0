package optimize

import (
	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/source"
)

// mostTop bounds the rows of a top-N that a scan is told of: it keeps as many keys.
const mostTop = 10_000

// topScans tells a scan below a sort with a limit that only the rows are wanted that come first by the sort's first key. An expression
// between the two that would have failed for a row that is left out then does not.
func topScans(n plan.Node, _ *fn.Session) plan.Node {
	return plan.Rewrite(n, func(n plan.Node) plan.Node {
		sort, ok := n.(*plan.Sort)
		if !ok || sort.Limit < 0 || sort.Limit > mostTop || sort.Offset > mostTop-sort.Limit || sort.Limit+sort.Offset == 0 {
			return n
		}
		key := sort.Keys[0]
		input := topScan(sort.Input, key.Expr, source.TopN{Desc: key.Desc, NullsFirst: key.NullsFirst, Rows: sort.Limit + sort.Offset})
		if input == nil {
			return n
		}
		return plan.WithInputs(sort, []plan.Node{input})
	})
}

// topScan is n with the scan below it told of top, whose path is what key is there; nil if key is no column of a scan.
func topScan(n plan.Node, key expr.Expr, top source.TopN) plan.Node {
	column, ok := key.(*expr.Column)
	if !ok {
		return nil
	}
	switch n := n.(type) {
	case *plan.Project:
		if input := topScan(n.Input, n.Exprs[column.Index], top); input != nil {
			return plan.WithInputs(n, []plan.Node{input})
		}
	case *plan.Scan:
		told := *n
		top.Path = column.Index
		told.Top = &top
		return &told
	}
	return nil
}
