package exec

import (
	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/vec"
)

func (r *run) filter(n *plan.Filter, input flow) flow {
	return flow{tasks: input.tasks, open: func(w *worker, task int) operator {
		return &filterOperator{operator: input.open(w, task), run: r, conjuncts: n.Conjuncts}
	}}
}

// filterOperator keeps the rows of its input for which all conjuncts are true.
type filterOperator struct {
	operator
	run       *run
	conjuncts []expr.Expr
}

func (o *filterOperator) next() (vec.Batch, error) {
	for {
		b, err := o.operator.next()
		if err != nil {
			return vec.Batch{}, err
		}
		if b, err = selected(o.conjuncts, b, o.run.session); err != nil || b.Len > 0 {
			return b, err
		}
	}
}

// selected returns the rows of b for which all conjuncts are true.
func selected(conjuncts []expr.Expr, b vec.Batch, s *fn.Session) (vec.Batch, error) {
	if len(conjuncts) == 0 {
		return b, nil
	}
	rows, all, err := expr.Select(conjuncts, b, s)
	switch {
	case err != nil:
		return vec.Batch{}, err
	case all:
		return b, nil
	case len(rows) == 0:
		return vec.Batch{}, nil
	}
	return b.Take(rows), nil
}
