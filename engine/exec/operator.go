package exec

import (
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/vec"
)

// operator yields batches of 1 to run.batchRows rows, then io.EOF. Used by one goroutine; close is called once, also early.
type operator interface {
	next() (vec.Batch, error)
	close()
}

// flow is a compiled node, cut into tasks that may run side by side: scans have one per morsel, and what keeps no state
// between batches (filter, project, unnest, probing a join) inherits the tasks of its input. The rows of task 0, 1, …
// one after the other are the node's rows in order.
type flow struct {
	tasks int
	// order is how each had best take the tasks, where all are taken before the first row is put out; nil: one after the other.
	order []int
	// open returns the operator of one task, to be used by the worker's goroutine; it does no work yet. Each task is opened at most once.
	open func(w *worker, task int) operator
}

// drain gives every batch of op to use.
func drain(op operator, use func(vec.Batch) error) error { return source.Each(op.next, use) }

// pieces cuts a batch that may be too large for one output into several.
type pieces struct {
	rest vec.Batch
	most int // rows
}

func (p *pieces) empty() bool { return p.rest.Len == 0 }

// next returns the next piece; there must be one.
func (p *pieces) next() vec.Batch {
	b := p.rest
	if b.Len <= p.most {
		p.rest = vec.Batch{}
		return b
	}
	p.rest = b.Slice(p.most, b.Len)
	return b.Slice(0, p.most)
}

// pop takes the last element off a stack, and lets go of what it refers to.
func pop[T any](stack *[]T) T {
	last := len(*stack) - 1
	top := (*stack)[last]
	clear((*stack)[last:])
	*stack = (*stack)[:last]
	return top
}
