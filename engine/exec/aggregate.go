package exec

import (
	"io"
	"slices"
	"sync"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// aggregate takes in all rows on all workers, each with a state of its own, then merges the states and puts out the groups. Where an
// aggregate depends on the order of its input, the rows are taken in their order by one state. States that outgrow the memory, or
// that find that most rows are groups of their own, become full: see aggregatespill.go.
func (r *run) aggregate(n *plan.Aggregate, m *meter, input flow) flow {
	n, inputs := overColumns(n)
	a := &aggregation{run: r, meter: m, node: n, inputs: inputs, input: input}
	tasks := 1
	if slices.ContainsFunc(groupingSets(n), func(keys []int) bool { return len(keys) > 0 }) {
		a.divides = r.budget.spills || r.workers > 1
		if r.workers > 1 {
			tasks = fanout
		}
	}
	return flow{tasks: tasks, open: func(w *worker, task int) operator {
		return &aggregateOperator{aggregation: a, worker: w, task: task, tasks: tasks, out: pieces{most: r.batchRows}}
	}}
}

// aggregation is what the tasks of an aggregate share. The first of them takes in all rows. If the groups are divided, each puts out some of the
// partitions; else the first task puts out all groups.
type aggregation struct {
	run     *run
	meter   *meter
	node    *plan.Aggregate // over columns
	inputs  []expr.Expr     // which these are
	input   flow
	divides bool // groups may be divided

	once     sync.Once
	err      error
	states   []*aggregateState // by worker; nil: took in nothing
	whole    *aggregateState   // all groups; nil: they are divided
	division *division
}

// overColumns returns n over columns in the place of its expressions, and these expressions: so the rows can be kept and read again.
func overColumns(n *plan.Aggregate) (*plan.Aggregate, []expr.Expr) {
	var inputs []expr.Expr
	column := func(e expr.Expr) expr.Expr {
		if _, ok := e.(*expr.Literal); ok {
			return e
		}
		at := slices.IndexFunc(inputs, func(x expr.Expr) bool { return expr.Equal(x, e) && !expr.Volatile(e) })
		if at < 0 {
			at = len(inputs)
			inputs = append(inputs, e)
		}
		return &expr.Column{Index: at, T: e.Type()}
	}
	over := *n
	over.Keys, over.Aggs = slices.Clone(n.Keys), slices.Clone(n.Aggs)
	for i, key := range over.Keys {
		over.Keys[i] = column(key)
	}
	for i := range over.Aggs {
		call := &over.Aggs[i]
		call.Args, call.OrderBy = slices.Clone(call.Args), slices.Clone(call.OrderBy)
		for j, arg := range call.Args {
			call.Args[j] = column(arg)
		}
		for j := range call.OrderBy {
			call.OrderBy[j].Expr = column(call.OrderBy[j].Expr)
		}
		if call.Filter != nil {
			call.Filter = column(call.Filter)
		}
	}
	return &over, inputs
}

type aggregateOperator struct {
	*aggregation
	worker      *worker
	task, tasks int

	began bool
	todo  []share         // partitions to be computed, the next one last
	state *aggregateState // being put out; nil: none
	put   int             // grouping sets of state whose groups are out, or are the rest of out
	out   pieces
}

func (o *aggregateOperator) next() (vec.Batch, error) {
	if !o.began {
		o.began = true
		if err := o.begin(); err != nil {
			return vec.Batch{}, err
		}
		if o.division != nil {
			o.todo = o.division.shares(o.task, o.tasks)
		} else if o.task == 0 {
			o.state, o.whole = o.whole, nil
		}
	}
	for o.out.empty() {
		switch {
		case o.state == nil && len(o.todo) == 0:
			return vec.Batch{}, io.EOF
		case o.state == nil:
			sh := pop(&o.todo)
			var err error
			if o.state, err = o.compute(sh); err != nil {
				return vec.Batch{}, err
			}
			o.put = 0
		case o.put == len(o.state.sets):
			o.state.account.close()
			o.state = nil
		default:
			var err error
			if o.out.rest, err = o.state.result(o.worker.ctx, o.put); err != nil {
				return vec.Batch{}, err
			}
			o.put++
		}
	}
	return o.out.next(), nil
}

func (o *aggregateOperator) close() {
	if o.state != nil {
		o.state.account.close()
	}
	for _, sh := range o.todo {
		sh.done()
	}
	o.state, o.todo, o.out = nil, nil, pieces{}
}

// begin has the rows taken in, once. Other tasks wait for that.
func (o *aggregateOperator) begin() error {
	outer := o.worker.charge(nil)
	o.once.Do(func() {
		o.worker.charge(outer)
		o.err = guard(func() error { return o.takeAll(o.worker) })
		o.worker.charge(nil)
	})
	o.worker.charge(outer)
	return o.err
}

// takeAll takes in all rows, and merges the states or divides what is in them.
func (o *aggregation) takeAll(w *worker) error {
	defer func() {
		for _, s := range o.states {
			if s != nil {
				s.account.close()
			}
		}
		o.states = nil
	}()
	o.states = make([]*aggregateState, o.run.workers)
	var rest *partitions
	if o.divides {
		rest = o.newPartitions(0)
	}
	if err := o.takeIn(w, rest); err != nil {
		return err
	}
	states := slices.DeleteFunc(o.states, func(s *aggregateState) bool { return s == nil })
	o.states = states
	switch {
	case len(states) == 0: // no tasks at all
		o.whole = o.newState(0, nil)
	case slices.ContainsFunc(states, func(s *aggregateState) bool { return s.full }):
		o.states = nil // their accounts go over to the division
		var err error
		o.division, err = divide(states, rest, true)
		return err
	default:
		for _, s := range states[1:] {
			if err := states[0].merge(w.ctx, s); err != nil {
				return err
			}
			s.account.close()
		}
		o.states, o.whole = nil, states[0]
	}
	return nil
}

func (o *aggregation) takeIn(w *worker, rest *partitions) error {
	add := func(slot int) func(vec.Batch) error {
		if o.states[slot] == nil {
			o.states[slot] = o.newState(0, rest)
		}
		s := o.states[slot]
		return func(b vec.Batch) error {
			cols, err := evaluated(o.inputs, b, o.run.session)
			if err != nil {
				return err
			}
			return s.add(vec.Batch{Len: b.Len, Cols: cols}, 0, len(s.sets))
		}
	}
	for _, call := range o.node.Aggs {
		if call.Fn.OrderSensitive {
			rows := o.run.rows(w, o.meter, o.input)
			defer rows.close()
			return drain(rows, add(0))
		}
	}
	return o.run.each(w, o.input, func(slot, _ int, op operator) error { return drain(op, add(slot)) })
}

// newPartitions are for rows of the inputs, and their set where there are several.
func (o *aggregation) newPartitions(level int) *partitions {
	var types []sqltype.Type
	for _, e := range o.inputs {
		types = append(types, e.Type())
	}
	if len(groupingSets(o.node)) > 1 {
		types = append(types, sqltype.BigIntType)
	}
	return o.run.newPartitions(o.account(true), types, level)
}

func (o *aggregation) account(spills bool) account {
	return account{
		budget: &o.run.budget, meter: o.meter, doing: "grouping rows", spills: spills,
		try: "filter more rows, or group by fewer or less distinct columns",
	}
}
