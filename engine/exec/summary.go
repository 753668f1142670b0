package exec

import (
	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqltype"
)

// summary answers count, min and max over a whole scan by what its table knows without reading: one row, or nil if it must be read.
func (r *run) summary(n *plan.Aggregate) (*plan.Values, error) {
	if r.off.Summary || len(n.Keys) > 0 || n.Sets != nil {
		return nil, nil
	}
	input, through := n.Input, []expr.Expr(nil)
	if p, ok := input.(*plan.Project); ok {
		input, through = p.Input, p.Exprs
	}
	scan, ok := input.(*plan.Scan)
	if !ok {
		return nil, nil
	}
	table, ok := scan.Table.(source.Summarized)
	if !ok {
		return nil, nil
	}
	calls := make([]summaryCall, len(n.Aggs))
	for i := range n.Aggs {
		if calls[i], ok = newSummaryCall(&n.Aggs[i], through); !ok {
			return nil, nil
		}
	}
	known, err := table.Summary(r.ctx, r.request(scan))
	if err != nil {
		return nil, sourceError(r.ctx, scan.Table, err)
	}
	if known == nil {
		return nil, nil
	}
	row := make([]expr.Expr, len(calls))
	for i, c := range calls {
		v, ok := c.answer(known)
		if !ok {
			return nil, nil
		}
		row[i] = expr.NewLiteral(n.Columns[i].Type, v)
	}
	return &plan.Values{Columns: n.Columns, Rows: [][]expr.Expr{row}}, nil
}

// summaryCall is an aggregate that a summary may answer.
type summaryCall struct {
	name string
	path int // of its argument; -1: none
}

// newSummaryCall looks through the expressions of a projection, if there is one.
func newSummaryCall(call *plan.AggregateCall, through []expr.Expr) (c summaryCall, ok bool) {
	if call.Distinct || call.Filter != nil {
		return c, false
	}
	c = summaryCall{call.Fn.Name, -1}
	if c.name == "count" && len(call.Args) == 0 {
		return c, true
	}
	if c.name != "count" && c.name != "min" && c.name != "max" || len(call.Args) != 1 {
		return c, false
	}
	column, ok := call.Args[0].(*expr.Column)
	if ok && through != nil {
		column, ok = through[column.Index].(*expr.Column)
	}
	if !ok {
		return c, false
	}
	switch column.T.Kind {
	case sqltype.Varchar, sqltype.TinyInt, sqltype.SmallInt, sqltype.Integer, sqltype.BigInt, sqltype.Date, sqltype.Timestamp:
	default:
		if c.name != "count" {
			return c, false
		}
	}
	c.path = column.Index
	return c, true
}

// answer is the aggregate's value, nil for NULL.
func (c summaryCall) answer(s *source.Summary) (v any, ok bool) {
	if c.path < 0 {
		return s.Rows, true
	}
	e := s.Columns[c.path]
	switch c.name {
	case "count":
		return s.Rows - e.Nulls, !e.NullsUnknown
	case "min":
		return e.Min, !e.BoundsUnknown
	}
	return e.Max, !e.BoundsUnknown
}
