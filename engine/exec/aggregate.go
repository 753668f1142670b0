package exec

import (
	"io"
	"slices"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// aggregate takes in all rows on all workers, each with a state of its own, then merges the states and puts out the groups. Where an
// aggregate depends on the order of its input, the rows are taken in their order by one state. States that outgrow the memory become full:
// see aggregatespill.go.
func (r *run) aggregate(n *plan.Aggregate, m *meter, input flow) flow {
	n, inputs := overColumns(n)
	return flow{tasks: 1, open: func(w *worker, _ int) operator {
		return &aggregateOperator{run: r, worker: w, meter: m, node: n, inputs: inputs, input: input, out: pieces{most: r.batchRows}}
	}}
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
	run    *run
	worker *worker
	meter  *meter
	node   *plan.Aggregate // over columns
	inputs []expr.Expr     // which these are
	input  flow

	began  bool
	states []*aggregateState // by worker; nil: took in nothing
	todo   []share           // partitions to be computed, the next one last
	state  *aggregateState   // being put out; nil: none
	put    int               // grouping sets of state whose groups are out, or are the rest of out
	out    pieces
}

func (o *aggregateOperator) next() (vec.Batch, error) {
	if !o.began {
		o.began = true
		if err := o.begin(); err != nil {
			return vec.Batch{}, err
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
	for _, s := range append(o.states, o.state) {
		if s != nil {
			s.account.close()
		}
	}
	for _, sh := range o.todo {
		sh.close()
	}
	o.states, o.state, o.todo, o.out = nil, nil, nil, pieces{}
}

// begin takes in all rows, and merges the states or divides what is in them.
func (o *aggregateOperator) begin() error {
	o.states = make([]*aggregateState, o.run.workers)
	var rest *partitions
	if o.run.budget.spills && slices.ContainsFunc(groupingSets(o.node), func(keys []int) bool { return len(keys) > 0 }) {
		rest = o.newPartitions(0)
	}
	if err := o.takeIn(rest); err != nil {
		return err
	}
	states := slices.DeleteFunc(o.states, func(s *aggregateState) bool { return s == nil })
	o.states = states
	switch {
	case len(states) == 0: // no tasks at all
		o.state = o.newState(0, nil)
	case slices.ContainsFunc(states, func(s *aggregateState) bool { return s.full }):
		o.states = nil // their accounts go over to the division
		return o.divide(states, rest, true)
	default:
		o.states, o.state = states[1:], states[0]
		for _, s := range o.states {
			if err := o.state.merge(o.worker.ctx, s); err != nil {
				return err
			}
			s.account.close()
		}
	}
	return nil
}

func (o *aggregateOperator) takeIn(rest *partitions) error {
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
			rows := o.run.rows(o.worker, o.meter, o.input)
			defer rows.close()
			return drain(rows, add(0))
		}
	}
	return o.run.each(o.worker, o.input, func(slot, _ int, op operator) error { return drain(op, add(slot)) })
}

// newPartitions are for rows of the inputs, and their set where there are several.
func (o *aggregateOperator) newPartitions(level int) *partitions {
	var types []sqltype.Type
	for _, e := range o.inputs {
		types = append(types, e.Type())
	}
	if len(groupingSets(o.node)) > 1 {
		types = append(types, sqltype.BigIntType)
	}
	return o.run.newPartitions(o.meter, types, level)
}
