package exec

import (
	"context"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// aggregate takes in all rows on all workers, each with a state of its own, then merges the states and puts out the groups. Where an
// aggregate depends on the order of its input, the rows are taken in their order by one state.
func (r *run) aggregate(n *plan.Aggregate, m *meter, input flow) flow {
	return flow{tasks: 1, open: func(w *worker, _ int) operator {
		return &aggregateOperator{run: r, worker: w, meter: m, node: n, input: input, out: pieces{most: r.batchRows}}
	}}
}

type aggregateOperator struct {
	run    *run
	worker *worker
	meter  *meter
	node   *plan.Aggregate
	input  flow
	states []*aggregateState // by worker; nil: took in nothing
	done   bool
	out    pieces
}

func (o *aggregateOperator) next() (vec.Batch, error) {
	if !o.done {
		if err := o.takeIn(); err != nil {
			return vec.Batch{}, err
		}
		state, err := o.merged()
		if err != nil {
			return vec.Batch{}, err
		}
		if o.out.rest, err = state.result(); err != nil {
			return vec.Batch{}, err
		}
		o.done = true
	}
	if o.out.empty() {
		return vec.Batch{}, io.EOF
	}
	return o.out.next(), nil
}

func (o *aggregateOperator) close() {
	for _, s := range o.states {
		if s != nil {
			s.account.close()
		}
	}
	o.states, o.out, o.done = nil, pieces{}, true
}

func (o *aggregateOperator) takeIn() error {
	o.states = make([]*aggregateState, o.run.workers)
	for _, call := range o.node.Aggs {
		if call.Fn.OrderSensitive {
			o.states[0] = newAggregateState(o)
			rows := o.run.rows(o.worker, o.meter, o.input)
			defer rows.close()
			return drain(rows, o.states[0].add)
		}
	}
	return o.run.each(o.worker, o.input, func(slot, _ int, op operator) error {
		if o.states[slot] == nil {
			o.states[slot] = newAggregateState(o)
		}
		return drain(op, o.states[slot].add)
	})
}

// merged brings all states into one.
func (o *aggregateOperator) merged() (*aggregateState, error) {
	var all *aggregateState
	for i, s := range o.states {
		if s == nil {
			continue
		}
		if all == nil {
			all = s
			continue
		}
		if err := all.merge(o.worker.ctx, s); err != nil {
			return nil, err
		}
		s.account.close()
		o.states[i] = nil
	}
	if all == nil { // no tasks at all
		all = newAggregateState(o)
		o.states[0] = all
	}
	return all, nil
}

// aggregateState is the groups and aggregates of the rows that one worker took in.
type aggregateState struct {
	node    *plan.Aggregate
	session *fn.Session
	grouper *grouper
	calls   []aggregateCall
	groups  []uint32 // scratch: the group of each row of the batch
	account account
}

// aggregateCall is one aggregate's part of a state.
type aggregateCall struct {
	*plan.AggregateCall
	accumulator fn.Accumulator
	kept        keptRows // for DISTINCT and ORDER BY: rows that reach the accumulator at the end; nil: they do at once
}

func newAggregateState(o *aggregateOperator) *aggregateState {
	s := &aggregateState{
		node: o.node, session: o.run.session, grouper: newGrouper(len(o.node.Keys)), calls: make([]aggregateCall, len(o.node.Aggs)),
		account: account{
			budget: &o.run.budget, meter: o.meter, doing: "grouping rows",
			try: "filter more rows, or group by fewer or less distinct columns",
		},
	}
	for i := range s.calls {
		call := &o.node.Aggs[i]
		types := make([]sqltype.Type, len(call.Args))
		for j, arg := range call.Args {
			types[j] = arg.Type()
		}
		s.calls[i] = aggregateCall{AggregateCall: call, accumulator: call.Overload.New(types, call.T), kept: newKeptRows(call)}
	}
	return s
}

func (s *aggregateState) add(b vec.Batch) error {
	keys, err := evaluated(s.node.Keys, b, s.session)
	if err != nil {
		return err
	}
	s.groups = grown(s.groups, b.Len)
	s.grouper.intern(keys, s.groups)
	for i := range s.calls {
		if err := s.calls[i].add(b, s.groups, s.grouper.count(), s.session); err != nil {
			return err
		}
	}
	return s.weigh()
}

func (s *aggregateState) weigh() error {
	bytes := s.grouper.bytes() + 4*int64(cap(s.groups))
	for i := range s.calls {
		bytes += s.calls[i].accumulator.Bytes()
		if s.calls[i].kept != nil {
			bytes += s.calls[i].kept.bytes()
		}
	}
	return s.account.set(bytes)
}

// add gives the batch's rows that count to the accumulator, or keeps them.
func (c *aggregateCall) add(b vec.Batch, groups []uint32, count int, session *fn.Session) error {
	args := make([]vec.Datum, len(c.Args))
	for i, arg := range c.Args {
		var err error
		if args[i], err = expr.Eval(arg, b, session); err != nil {
			return err
		}
	}
	var keys []arrow.Array
	for _, key := range c.OrderBy {
		d, err := expr.Eval(key.Expr, b, session)
		if err != nil {
			return err
		}
		keys = append(keys, vec.Column(d, b.Len))
	}
	keep := func(rows []int32) {
		groups = taken(groups, rows)
		for i := range args {
			if !args[i].Const {
				args[i].Arr = vec.Take(args[i].Arr, rows)
			}
		}
		for i := range keys {
			keys[i] = vec.Take(keys[i], rows)
		}
	}
	if c.Filter != nil {
		rows, all, err := expr.Select([]expr.Expr{c.Filter}, b, session)
		if err != nil {
			return err
		}
		if !all {
			keep(rows)
		}
	}
	if !c.Fn.KeepsNulls {
		if rows, some := withoutNulls(args); some {
			keep(rows)
		}
	}
	if len(groups) == 0 {
		return nil
	}
	if c.kept != nil {
		return c.kept.add(args, keys, groups)
	}
	return c.accumulator.Update(args, groups, count)
}

// withoutNulls returns the rows in which no argument is NULL; some is false if these are all.
func withoutNulls(args []vec.Datum) (rows []int32, some bool) {
	var valid *array.Boolean
	for _, arg := range args {
		if arg.Const {
			if arg.Arr.NullN() > 0 || arg.Arr.DataType().ID() == arrow.NULL {
				return nil, true
			}
			continue
		}
		if arg.Arr.NullN() == 0 && arg.Arr.DataType().ID() != arrow.NULL {
			continue
		}
		v := vec.Not(vec.IsNull(arg.Arr))
		if valid != nil {
			v = vec.And(valid, v)
		}
		valid = v
	}
	if valid == nil {
		return nil, false
	}
	return vec.True(valid), true
}

func taken(groups []uint32, rows []int32) []uint32 {
	out := make([]uint32, len(rows))
	for i, row := range rows {
		out[i] = groups[row]
	}
	return out
}

// merge adds the rows that other took in.
func (s *aggregateState) merge(ctx context.Context, other *aggregateState) error {
	keys, err := other.grouper.keys()
	if err != nil {
		return err
	}
	remap := make([]uint32, other.grouper.count())
	if err := s.grouper.internMany(ctx, keys, remap); err != nil {
		return err
	}
	for i := range s.calls {
		c, o := &s.calls[i], &other.calls[i]
		if c.kept != nil {
			err = c.kept.merge(ctx, o.kept, remap)
		} else {
			err = c.accumulator.Merge(o.accumulator, remap, s.grouper.count())
		}
		if err != nil {
			return err
		}
	}
	return s.weigh()
}

// result returns a row per group: the keys, then the aggregates.
func (s *aggregateState) result() (vec.Batch, error) {
	out := vec.Batch{Len: s.grouper.count()}
	if out.Len == 0 {
		return out, nil
	}
	var err error
	if out.Cols, err = s.grouper.keys(); err != nil {
		return vec.Batch{}, err
	}
	for i := range s.calls {
		c := &s.calls[i]
		if c.kept != nil {
			if err := c.kept.flush(c.accumulator, out.Len); err != nil {
				return vec.Batch{}, err
			}
			c.kept = nil
		}
		col, err := c.accumulator.Result(out.Len)
		if err != nil {
			return vec.Batch{}, err
		}
		out.Cols = append(out.Cols, col)
	}
	return out, s.weigh()
}
