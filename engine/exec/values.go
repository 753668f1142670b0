package exec

import (
	"io"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/vec"
)

func (r *run) values(n *plan.Values) flow {
	return flow{tasks: 1, open: func(*worker, int) operator {
		return &valuesOperator{run: r, rows: n.Rows, width: len(n.Columns)}
	}}
}

// valuesOperator yields rows of constant expressions.
type valuesOperator struct {
	run   *run
	rows  [][]expr.Expr // still to be put out
	width int
}

func (o *valuesOperator) next() (vec.Batch, error) {
	if len(o.rows) == 0 {
		return vec.Batch{}, io.EOF
	}
	n := min(len(o.rows), o.run.batchRows)
	rows := o.rows[:n]
	o.rows = o.rows[n:]
	b := vec.Batch{Len: n, Cols: make([]arrow.Array, o.width)}
	cells := make([]arrow.Array, n)
	for col := range b.Cols {
		for i, row := range rows {
			d, err := expr.Eval(row[col], vec.Batch{Len: 1}, o.run.session)
			if err != nil {
				return vec.Batch{}, err
			}
			cells[i] = vec.Column(d, 1)
		}
		var err error
		if b.Cols[col], err = vec.Concat(cells); err != nil {
			return vec.Batch{}, sqlerr.Wrap(sqlerr.Resource, err, "the rows of VALUES are too large")
		}
	}
	return b, nil
}

func (o *valuesOperator) close() {}
