package exec

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/vec"
)

func (r *run) project(n *plan.Project, input flow) flow {
	return flow{tasks: input.tasks, order: input.order, open: func(w *worker, task int) operator {
		return &projectOperator{operator: input.open(w, task), run: r, exprs: n.Exprs}
	}}
}

// projectOperator computes columns from those of its input.
type projectOperator struct {
	operator
	run   *run
	exprs []expr.Expr
}

func (o *projectOperator) next() (vec.Batch, error) {
	b, err := o.operator.next()
	if err != nil {
		return vec.Batch{}, err
	}
	cols, err := evaluated(o.exprs, b, o.run.session)
	return vec.Batch{Len: b.Len, Cols: cols}, err
}

// evaluated returns one column of b.Len rows per expression.
func evaluated(exprs []expr.Expr, b vec.Batch, s *fn.Session) ([]arrow.Array, error) {
	cols := make([]arrow.Array, len(exprs))
	for i, e := range exprs {
		d, err := expr.Eval(e, b, s)
		if err != nil {
			return nil, err
		}
		cols[i] = vec.Column(d, b.Len)
	}
	return cols, nil
}
