package exec

import (
	"errors"
	"io"
	"maps"

	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/vec"
)

// recursive runs the first part, then the step again and again. An opened flow cannot be run twice, so each step is compiled anew, for a run of
// its own that gives back what it accounts; the first one now, for the meters of its nodes must be known before the run.
func (r *run) recursive(n *plan.Recursive, m *meter) (flow, error) {
	first, err := r.compile(n.First)
	if err != nil {
		return flow{}, err
	}
	step := r.again(n.ID)
	next, err := step.compile(n.Step)
	if err != nil {
		return flow{}, err
	}
	return flow{tasks: 1, open: func(w *worker, _ int) operator {
		o := &recursiveOperator{run: r, worker: w, meter: m, node: n, input: r.rows(w, m, first), step: step, next1: &next}
		o.coming = o.newStash()
		return o
	}}, nil
}

// again returns a run for one step of a recursion.
func (r *run) again(id *plan.RecursionID) *run {
	c := &run{
		ctx: r.ctx, workers: r.workers, batchRows: r.batchRows, sourceRows: r.sourceRows, off: r.off, session: r.session, meters: r.meters,
		disk: r.disk, spools: map[*plan.SpoolID]*spool{}, lastRows: maps.Clone(r.lastRows),
	}
	c.budget.allowance, c.budget.parent = r.budget.allowance, &r.budget
	if c.lastRows == nil {
		c.lastRows = map[*plan.RecursionID]*lastRows{}
	}
	c.lastRows[id] = &lastRows{}
	return c
}

// lastRows are the rows of one step, for the next one.
type lastRows struct {
	stash *stash // nil: none yet
	rows  []stashed
}

// lastRowsOf has a task per worker, each of which puts out its share of the batches.
func (r *run) lastRowsOf(n *plan.LastRows) flow {
	rows := r.lastRows[n.ID]
	return flow{tasks: r.workers, open: func(_ *worker, task int) operator {
		return &shareOperator{rows: func() ([]stashed, error) { return rows.rows, nil }, task: task, tasks: r.workers}
	}}
}

// recursiveOperator passes on rows and keeps them for the next step.
type recursiveOperator struct {
	run    *run
	worker *worker
	meter  *meter
	node   *plan.Recursive
	input  operator // the first part, or a step; nil: closed
	steps  int      // begun
	coming *stash   // what input has put out
	step   *run     // of the step being run, or the next one
	next1  *flow    // the first step, compiled; nil afterwards
}

func (o *recursiveOperator) newStash() *stash {
	return o.run.newStash(o.meter, o.node.Schema(), 1,
		"holding the rows of a step of WITH RECURSIVE "+o.node.ID.Name, "let the steps end sooner, or select fewer columns")
}

func (o *recursiveOperator) next() (vec.Batch, error) {
	for {
		if o.input == nil {
			return vec.Batch{}, io.EOF
		}
		b, err := o.input.next()
		switch {
		case err == nil && o.steps > o.node.MaxSteps:
			return vec.Batch{}, sqlerr.New(sqlerr.Resource, 0, "WITH RECURSIVE %s had not ended after %d steps", o.node.ID.Name, o.node.MaxSteps).
				WithHint("add a condition to its second part that ends it, such as a column that counts the steps")
		case err == nil:
			return b, o.coming.add(b)
		case !errors.Is(err, io.EOF):
			return vec.Batch{}, err
		}
		if err := o.begin(); err != nil {
			return vec.Batch{}, err
		}
	}
}

// begin starts the next step over what came last, if something did.
func (o *recursiveOperator) begin() error {
	o.stop()
	rows, err := o.coming.take()
	if err != nil || len(rows) == 0 {
		return err
	}
	o.steps++
	f := o.next1
	if o.next1 = nil; f == nil {
		o.step = o.run.again(o.node.ID)
		compiled, err := o.step.compile(o.node.Step)
		if err != nil {
			return err
		}
		f = &compiled
	}
	*o.step.lastRows[o.node.ID] = lastRows{o.coming, rows}
	o.coming = o.newStash()
	o.input = o.step.rows(o.worker, o.meter, *f)
	return nil
}

// stop ends the part that is running, and gives back what its operators and the rows below it hold.
func (o *recursiveOperator) stop() {
	if o.input == nil {
		return
	}
	o.input.close()
	o.input = nil
	if o.steps == 0 {
		return
	}
	o.step.lastRows[o.node.ID].stash.close()
	for _, s := range o.step.spools {
		s.close()
	}
	o.run.budget.add(-o.step.budget.used.Load())
}

func (o *recursiveOperator) close() {
	o.stop()
	o.coming.close()
}
