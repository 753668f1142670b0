package optimize

import (
	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
)

// pushLimits moves LIMIT below projections, into the children of a union (which then yield no more than is wanted in all), makes one
// of two, and a top-N of a sort below one.
func pushLimits(n plan.Node, s *fn.Session) plan.Node {
	l, ok := n.(*plan.Limit)
	if !ok || len(l.By) > 0 {
		inputs := n.Inputs()
		out := make([]plan.Node, len(inputs))
		for i, in := range inputs {
			out[i] = pushLimits(in, s)
		}
		return plan.WithInputs(n, out)
	}
	switch in := l.Input.(type) {
	case *plan.Project:
		below := pushLimits(&plan.Limit{Input: in.Input, Limit: l.Limit, Offset: l.Offset}, s)
		return plan.WithInputs(in, []plan.Node{below})
	case *plan.Limit:
		if len(in.By) > 0 {
			break
		}
		merged := &plan.Limit{Input: in.Input, Offset: in.Offset + l.Offset, Limit: l.Limit}
		if in.Limit >= 0 {
			left := max(in.Limit-l.Offset, 0)
			if l.Limit < 0 || left < l.Limit {
				merged.Limit = left
			}
		}
		return pushLimits(merged, s)
	case *plan.Sort:
		if in.Limit < 0 && in.Offset == 0 && l.Limit >= 0 {
			return &plan.Sort{Input: pushLimits(in.Input, s), Keys: in.Keys, Limit: l.Limit, Offset: l.Offset}
		}
	case *plan.Union:
		if l.Limit < 0 {
			break
		}
		children := make([]plan.Node, len(in.Children))
		for i, c := range in.Children {
			children[i] = pushLimits(&plan.Limit{Input: c, Limit: l.Limit + l.Offset}, s)
		}
		return &plan.Limit{Input: plan.WithInputs(in, children), Limit: l.Limit, Offset: l.Offset}
	}
	return &plan.Limit{Input: pushLimits(l.Input, s), Limit: l.Limit, Offset: l.Offset}
}

// limitScans tells scans without a filter how many rows are wanted at most.
func limitScans(n plan.Node, _ *fn.Session) plan.Node {
	return plan.Rewrite(n, func(n plan.Node) plan.Node {
		l, ok := n.(*plan.Limit)
		if !ok || l.Limit < 0 || len(l.By) > 0 {
			return n
		}
		scan, ok := l.Input.(*plan.Scan)
		if !ok || len(scan.Conjuncts) > 0 {
			return n
		}
		limited := *scan
		limited.Limit = l.Limit + l.Offset
		return plan.WithInputs(l, []plan.Node{&limited})
	})
}

// pushConjuncts hands the filter above a scan to the scan, which prunes by it and may apply it; the executor filters by what is left.
func pushConjuncts(n plan.Node, _ *fn.Session) plan.Node {
	return plan.Rewrite(n, func(n plan.Node) plan.Node {
		f, ok := n.(*plan.Filter)
		if !ok {
			return n
		}
		scan, ok := f.Input.(*plan.Scan)
		if !ok {
			return n
		}
		stay, down := split(f.Conjuncts, expr.Volatile)
		with := *scan
		with.Conjuncts = append(with.Conjuncts[:len(with.Conjuncts):len(with.Conjuncts)], down...)
		return filtered(&with, stay)
	})
}
