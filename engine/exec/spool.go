package exec

import (
	"io"
	"slices"
	"sync"

	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/vec"
)

// spool holds the rows of a node that stands in several places of a plan. Whoever needs them first computes them; from then on they are
// only read. What it accounts is given back with the run.
type spool struct {
	run   *run
	input flow
	make  func() *stash

	once    sync.Once
	err     error
	stashes []*stash // by worker; nil: took in nothing
	rows    []stashed
}

// spool returns a flow with a task per worker, each of which puts out its share of the batches.
func (r *run) spool(n *plan.Spool, m *meter) (flow, error) {
	s := r.spools[n.ID]
	if s == nil {
		input, err := r.compile(n.Input)
		if err != nil {
			return flow{}, err
		}
		s = &spool{run: r, input: input, make: func() *stash {
			return r.newStash(m, n.Schema(), r.workers, "holding rows that are used several times", "filter the rows around the subquery more")
		}}
		r.spools[n.ID] = s
	}
	return flow{tasks: r.workers, open: func(w *worker, task int) operator {
		return &shareOperator{rows: func() ([]stashed, error) { return s.filled(w) }, task: task, tasks: r.workers}
	}}, nil
}

// fill computes the rows with a worker of its own: w may be stopped early, by a LIMIT above one of the places, but others need the rows.
func (s *spool) fill(w *worker) error {
	outer := w.charge(nil)
	defer w.charge(outer)
	own := &worker{ctx: s.run.ctx}
	s.stashes = make([]*stash, s.run.workers)
	tasks := make([][]stashed, s.input.tasks)
	err := s.run.each(own, s.input, func(slot, task int, op operator) error {
		if s.stashes[slot] == nil {
			s.stashes[slot] = s.make()
		}
		err := drain(op, s.stashes[slot].add)
		if err == nil {
			tasks[task], err = s.stashes[slot].take()
		}
		return err
	})
	s.rows = slices.Concat(tasks...)
	return err
}

// filled returns the rows, which the first caller computes.
func (s *spool) filled(w *worker) ([]stashed, error) {
	s.once.Do(func() { s.err = guard(func() error { return s.fill(w) }) })
	return s.rows, s.err
}

// close gives back what is held, before the end of the run.
func (s *spool) close() {
	for _, st := range s.stashes {
		if st != nil {
			st.close()
		}
	}
}

// shareOperator puts out one task's share of rows that are kept.
type shareOperator struct {
	rows        func() ([]stashed, error)
	task, tasks int
	done        int // of the share
}

func (o *shareOperator) next() (vec.Batch, error) {
	rows, err := o.rows()
	if err != nil {
		return vec.Batch{}, err
	}
	n := len(rows)
	if at := o.task*n/o.tasks + o.done; at < (o.task+1)*n/o.tasks {
		o.done++
		return rows[at].read()
	}
	return vec.Batch{}, io.EOF
}

func (o *shareOperator) close() {}
