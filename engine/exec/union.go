package exec

import "github.com/trailql/trailql/engine/plan"

// union has the tasks of all its children, one child after the other.
func (r *run) union(n *plan.Union) (flow, error) {
	type part struct {
		flow flow
		task int
	}
	var parts []part
	for _, child := range n.Children {
		f, err := r.compile(child)
		if err != nil {
			return flow{}, err
		}
		for task := range f.tasks {
			parts = append(parts, part{f, task})
		}
	}
	return flow{tasks: len(parts), open: func(w *worker, task int) operator {
		return parts[task].flow.open(w, parts[task].task)
	}}, nil
}
