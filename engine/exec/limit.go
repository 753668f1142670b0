package exec

import (
	"io"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/vec"
)

func (r *run) limit(n *plan.Limit, m *meter, input flow) flow {
	return flow{tasks: 1, open: func(w *worker, _ int) operator {
		if len(n.By) > 0 {
			return &groupLimitOperator{operator: r.rows(w, m, input), run: r, node: n}
		}
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

// groupLimitOperator skips and passes on rows likewise, but counts anew where the values of node.By change.
type groupLimitOperator struct {
	operator
	run   *run
	node  *plan.Limit
	last  []arrow.Array // the values of the row before, which is the last one of these; nil: there was none
	place int64         // of that row in its group
}

func (o *groupLimitOperator) next() (vec.Batch, error) {
	for {
		b, err := o.operator.next()
		if err != nil {
			return vec.Batch{}, err
		}
		by, err := evaluated(o.node.By, b, o.run.session)
		if err != nil {
			return vec.Batch{}, err
		}
		var rows []int32
		for row := range b.Len {
			if o.same(by, row) {
				o.place++
			} else {
				o.place = 0
			}
			if at := o.place - o.node.Offset; at >= 0 && (o.node.Limit < 0 || at < o.node.Limit) {
				rows = append(rows, int32(row))
			}
		}
		o.last = by
		if len(rows) > 0 {
			return b.Take(rows), nil
		}
	}
}

// same reports whether the row has the values of the one before it.
func (o *groupLimitOperator) same(by []arrow.Array, row int) bool {
	before, at := by, row-1
	if row == 0 {
		if before = o.last; before == nil {
			return false
		}
		at = before[0].Len() - 1
	}
	for i := range by {
		if !vec.EqualRows(before[i], at, by[i], row) {
			return false
		}
	}
	return true
}
