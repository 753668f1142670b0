package exec

import (
	"io"
	"sync"

	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/vec"
)

// spool holds the rows of a node that stands in several places of a plan. Whoever needs them first computes them; from then on they are
// only read. What it accounts is given back with the run.
type spool struct {
	run   *run
	input flow

	once    sync.Once
	err     error
	account account
	batches []vec.Batch
}

// spool returns a flow with a task per worker, each of which puts out its share of the batches.
func (r *run) spool(n *plan.Spool, m *meter) (flow, error) {
	s := r.spools[n.ID]
	if s == nil {
		input, err := r.compile(n.Input)
		if err != nil {
			return flow{}, err
		}
		s = &spool{run: r, input: input}
		s.account = account{
			budget: &r.budget, meter: m, doing: "holding rows that are used several times", try: "filter the rows around the subquery more",
		}
		r.spools[n.ID] = s
	}
	return flow{tasks: r.workers, open: func(w *worker, task int) operator {
		return &shareOperator{batches: func() ([]vec.Batch, error) { return s.rows(w) }, task: task, tasks: r.workers}
	}}, nil
}

// fill computes the rows with a worker of its own: w may be stopped early, by a LIMIT above one of the places, but others need the rows.
func (s *spool) fill(w *worker) error {
	outer := w.charge(nil)
	defer w.charge(outer)
	own := &worker{ctx: s.run.ctx}
	own.charge(s.account.meter)
	defer own.charge(nil)
	tasks := make([][]vec.Batch, s.input.tasks)
	var lock sync.Mutex // of account and weigh
	var weigh footprint
	err := s.run.each(own, s.input, func(_, task int, op operator) error {
		return drain(op, func(b vec.Batch) error {
			for _, col := range b.Cols {
				settled(col)
			}
			tasks[task] = append(tasks[task], b)
			lock.Lock()
			defer lock.Unlock()
			return s.account.add(weigh.of(b))
		})
	})
	for _, batches := range tasks {
		s.batches = append(s.batches, batches...)
	}
	return err
}

// rows returns the batches, which the first caller computes.
func (s *spool) rows(w *worker) ([]vec.Batch, error) {
	s.once.Do(func() { s.err = guard(func() error { return s.fill(w) }) })
	return s.batches, s.err
}

// shareOperator puts out one task's share of batches that are held.
type shareOperator struct {
	batches     func() ([]vec.Batch, error)
	task, tasks int
	done        int // of the share
}

func (o *shareOperator) next() (vec.Batch, error) {
	batches, err := o.batches()
	if err != nil {
		return vec.Batch{}, err
	}
	n := len(batches)
	if at := o.task*n/o.tasks + o.done; at < (o.task+1)*n/o.tasks {
		o.done++
		return batches[at], nil
	}
	return vec.Batch{}, io.EOF
}

func (o *shareOperator) close() {}
