package exec

import (
	"io"

	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/vec"
)

func (r *run) limit(n *plan.Limit, m *meter, input flow) flow {
	return flow{tasks: 1, open: func(w *worker, _ int) operator {
		return &limitOperator{operator: r.rows(w, m, input), skip: n.Offset, left: n.Limit}
	}}
}

// limitOperator skips rows, then passes on a number of them. With the last it closes its input, which stops the workers.
type limitOperator struct {
	operator
	skip   int64
	left   int64 // negative: all
	closed bool
}

func (o *limitOperator) next() (vec.Batch, error) {
	for o.left != 0 {
		b, err := o.operator.next()
		if err != nil {
			return vec.Batch{}, err
		}
		if o.skip >= int64(b.Len) {
			o.skip -= int64(b.Len)
			continue
		}
		from, to := int(o.skip), b.Len
		o.skip = 0
		if o.left >= 0 {
			to = int(min(int64(to), int64(from)+o.left))
			if o.left -= int64(to - from); o.left == 0 {
				o.close()
			}
		}
		if from > 0 || to < b.Len {
			b = b.Slice(from, to)
		}
		return b, nil
	}
	o.close()
	return vec.Batch{}, io.EOF
}

func (o *limitOperator) close() {
	if !o.closed {
		o.closed = true
		o.operator.close()
	}
}
