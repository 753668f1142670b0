package exec

import (
	"context"
	"io"
	"slices"

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
	merged *aggregateState   // nil until all is taken in
	put    int               // grouping sets of merged whose groups are out, or are the rest of out
	out    pieces
}

func (o *aggregateOperator) next() (vec.Batch, error) {
	if o.merged == nil {
		if err := o.takeIn(); err != nil {
			return vec.Batch{}, err
		}
		if err := o.merge(); err != nil {
			return vec.Batch{}, err
		}
	}
	for o.out.empty() {
		if o.put == len(o.merged.sets) {
			return vec.Batch{}, io.EOF
		}
		var err error
		if o.out.rest, err = o.merged.result(o.put); err != nil {
			return vec.Batch{}, err
		}
		o.put++
	}
	return o.out.next(), nil
}

func (o *aggregateOperator) close() {
	for _, s := range o.states {
		if s != nil {
			s.account.close()
		}
	}
	o.states, o.out = nil, pieces{}
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

// merge brings all states into one.
func (o *aggregateOperator) merge() error {
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
			return err
		}
		s.account.close()
		o.states[i] = nil
	}
	if all == nil { // no tasks at all
		all = newAggregateState(o)
		o.states[0] = all
	}
	o.merged = all
	return nil
}

// aggregateState is the groups and aggregates of the rows that one worker took in.
type aggregateState struct {
	node    *plan.Aggregate
	session *fn.Session
	sets    []setState
	groups  []uint32 // scratch: the group of each row of the batch
	account account
}

// setState is the part of one grouping set.
type setState struct {
	keys    []int // ordinals of the node's keys
	grouper *grouper
	calls   []aggregateCall
}

// aggregateCall is one aggregate's part of a state.
type aggregateCall struct {
	*plan.AggregateCall
	accumulator fn.Accumulator
	kept        keptRows // for DISTINCT and ORDER BY: rows that reach the accumulator at the end; nil: they do at once
}

func newAggregateState(o *aggregateOperator) *aggregateState {
	s := &aggregateState{
		node: o.node, session: o.run.session,
		account: account{
			budget: &o.run.budget, meter: o.meter, doing: "grouping rows",
			try: "filter more rows, or group by fewer or less distinct columns",
		},
	}
	for _, keys := range groupingSets(o.node) {
		set := setState{keys: keys, grouper: newGrouper(len(keys)), calls: make([]aggregateCall, len(o.node.Aggs))}
		for i := range set.calls {
			call := &o.node.Aggs[i]
			types := make([]sqltype.Type, len(call.Args))
			for j, arg := range call.Args {
				types[j] = arg.Type()
			}
			set.calls[i] = aggregateCall{AggregateCall: call, accumulator: call.Overload.New(types, call.T), kept: newKeptRows(call)}
		}
		s.sets = append(s.sets, set)
	}
	return s
}

func groupingSets(n *plan.Aggregate) [][]int {
	if n.Sets != nil {
		return n.Sets
	}
	all := make([]int, len(n.Keys))
	for i := range all {
		all[i] = i
	}
	return [][]int{all}
}

func (s *aggregateState) add(b vec.Batch) error {
	keys, err := evaluated(s.node.Keys, b, s.session)
	if err != nil {
		return err
	}
	inputs := make([]callInput, len(s.node.Aggs))
	for i := range inputs {
		if inputs[i], err = inputOf(&s.node.Aggs[i], b, s.session); err != nil {
			return err
		}
	}
	s.groups = grown(s.groups, b.Len)
	for _, set := range s.sets {
		set.grouper.intern(pick(keys, set.keys), s.groups)
		for i := range set.calls {
			if err := set.calls[i].add(inputs[i], s.groups, set.grouper.count()); err != nil {
				return err
			}
		}
	}
	return s.weigh()
}

func pick(columns []arrow.Array, at []int) []arrow.Array {
	out := make([]arrow.Array, len(at))
	for i, c := range at {
		out[i] = columns[c]
	}
	return out
}

func (s *aggregateState) weigh() error {
	bytes := 4 * int64(cap(s.groups))
	for _, set := range s.sets {
		bytes += set.grouper.bytes()
		for i := range set.calls {
			bytes += set.calls[i].accumulator.Bytes()
			if set.calls[i].kept != nil {
				bytes += set.calls[i].kept.bytes()
			}
		}
	}
	return s.account.set(bytes)
}

// callInput is what the rows of a batch that count give to an aggregate.
type callInput struct {
	args []vec.Datum
	keys []arrow.Array // to sort by
	some bool          // not all rows count
	rows []int32       // those that do, if not all
}

func inputOf(c *plan.AggregateCall, b vec.Batch, session *fn.Session) (callInput, error) {
	in := callInput{args: make([]vec.Datum, len(c.Args))}
	for i, arg := range c.Args {
		var err error
		if in.args[i], err = expr.Eval(arg, b, session); err != nil {
			return in, err
		}
	}
	for _, key := range c.OrderBy {
		d, err := expr.Eval(key.Expr, b, session)
		if err != nil {
			return in, err
		}
		in.keys = append(in.keys, vec.Column(d, b.Len))
	}
	if c.Filter != nil {
		rows, all, err := expr.Select([]expr.Expr{c.Filter}, b, session)
		if err != nil {
			return in, err
		}
		if !all {
			in.keep(rows)
		}
	}
	if !c.Fn.KeepsNulls {
		if rows, some := withoutNulls(in.args); some {
			in.keep(rows)
		}
	}
	return in, nil
}

// keep drops all rows but these.
func (in *callInput) keep(rows []int32) {
	for i := range in.args {
		if !in.args[i].Const {
			in.args[i].Arr = vec.Take(in.args[i].Arr, rows)
		}
	}
	for i := range in.keys {
		in.keys[i] = vec.Take(in.keys[i], rows)
	}
	if in.some {
		kept := make([]int32, len(rows))
		for i, row := range rows {
			kept[i] = in.rows[row]
		}
		rows = kept
	}
	in.some, in.rows = true, rows
}

// add gives the rows to the accumulator, or keeps them; groups are those of all rows of the batch.
func (c *aggregateCall) add(in callInput, groups []uint32, count int) error {
	if in.some {
		groups = taken(groups, in.rows)
	}
	if len(groups) == 0 {
		return nil
	}
	if c.kept != nil {
		return c.kept.add(in.args, in.keys, groups)
	}
	return c.accumulator.Update(in.args, groups, count)
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
	for i := range s.sets {
		if err := s.sets[i].merge(ctx, &other.sets[i]); err != nil {
			return err
		}
	}
	return s.weigh()
}

func (s *setState) merge(ctx context.Context, other *setState) error {
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
	return nil
}

// result returns a row per group of a set: the keys, then the aggregates, then the groupings.
func (s *aggregateState) result(at int) (vec.Batch, error) {
	set := &s.sets[at]
	out := vec.Batch{Len: set.grouper.count()}
	if out.Len == 0 {
		return out, nil
	}
	keys, err := set.grouper.keys()
	if err != nil {
		return vec.Batch{}, err
	}
	for i, key := range s.node.Keys {
		if in := slices.Index(set.keys, i); in >= 0 {
			out.Cols = append(out.Cols, keys[in])
		} else {
			out.Cols = append(out.Cols, vec.Nulls(key.Type(), out.Len))
		}
	}
	for i := range set.calls {
		c := &set.calls[i]
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
	for _, g := range s.node.Groupings {
		out.Cols = append(out.Cols, vec.Column(vec.Datum{Arr: vec.FromValue(sqltype.BigIntType, g[at]), Const: true}, out.Len))
	}
	return out, s.weigh()
}
