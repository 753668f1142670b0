package exec

import (
	"fmt"

	"github.com/trailql/trailql/engine/plan"
)

// compile turns a plan into a flow; tables plan their scans. Every operator is metered.
func (r *run) compile(node plan.Node) (flow, error) {
	m := r.meters[node]
	if m == nil { // a node may stand in several places of a plan; it has one meter
		m = &meter{}
		r.meters[node] = m
	}
	f, err := r.compileNode(node, m)
	if err != nil {
		return flow{}, err
	}
	return flow{tasks: f.tasks, order: f.order, open: func(w *worker, task int) operator {
		return &metered{operator: f.open(w, task), worker: w, meter: m}
	}}, nil
}

func (r *run) compileNode(node plan.Node, m *meter) (flow, error) {
	switch n := node.(type) {
	case *plan.Scan:
		return r.scan(n, m)
	case *plan.Values:
		return r.values(n), nil
	case *plan.Union:
		return r.union(n)
	case *plan.Join:
		return r.join(n, m)
	case *plan.Spool:
		return r.spool(n, m)
	case *plan.Recursive:
		return r.recursive(n, m)
	case *plan.LastRows:
		return r.lastRowsOf(n), nil
	}
	if n, ok := node.(*plan.Aggregate); ok {
		if row, err := r.summary(n); err != nil || row != nil {
			return r.values(row), err
		}
	}
	inputs := node.Inputs()
	if len(inputs) != 1 {
		panic(fmt.Sprintf("exec: no operator for %T", node))
	}
	input, err := r.compile(inputs[0])
	if err != nil {
		return flow{}, err
	}
	switch n := node.(type) {
	case *plan.Filter:
		return r.filter(n, input), nil
	case *plan.Project:
		return r.project(n, input), nil
	case *plan.Unnest:
		return r.unnest(n, input), nil
	case *plan.Aggregate:
		return r.aggregate(n, m, input), nil
	case *plan.Sort:
		return r.sort(n, m, input), nil
	case *plan.Window:
		return r.window(n, m, input), nil
	case *plan.Limit:
		return r.limit(n, m, input), nil
	}
	panic(fmt.Sprintf("exec: no operator for %T", node))
}
