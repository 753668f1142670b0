package exec

import (
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// aggregateState is the groups and aggregates of the rows that it took in, one worker's or a partition's.
type aggregateState struct {
	run     *run
	node    *plan.Aggregate
	sets    []setState
	groups  []uint32 // scratch: the group of each row of the batch
	account account
	out     int64 // bytes of the result that is being put out

	level int         // 0: a worker's, else how often its rows were spread over partitions
	rest  *partitions // takes the rows in once the state is full; nil: it never is
	full  bool
	rows  int // taken in
}

// setState is the part of one grouping set.
type setState struct {
	keys    []int // ordinals of the node's keys
	absent  bool  // the one group of a set without keys is in another partition
	grouper *grouper
	calls   []aggregateCall
}

// aggregateCall is one aggregate's part of a state.
type aggregateCall struct {
	*plan.AggregateCall
	accumulator fn.Accumulator
	kept        keptRows // for DISTINCT and ORDER BY: rows that reach the accumulator at the end; nil: they do at once
}

// newState returns an empty state. Rows that are too many for it go to rest; where there is no rest, it takes in all of them or fails.
func (o *aggregation) newState(level int, rest *partitions) *aggregateState {
	s := &aggregateState{run: o.run, node: o.node, level: level, rest: rest, account: o.account(rest != nil)}
	for _, keys := range groupingSets(o.node) {
		set := setState{keys: keys, grouper: newGrouper(len(keys)), calls: make([]aggregateCall, len(o.node.Aggs))}
		for i := range set.calls {
			call := &o.node.Aggs[i]
			types := make([]sqltype.Type, len(call.Args))
			for j, arg := range call.Args {
				types[j] = arg.Type()
			}
			set.calls[i] = aggregateCall{
				AggregateCall: call, accumulator: call.Overload.New(types, call.T), kept: o.run.newKeptRows(call, s.account),
			}
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

// add takes in rows for the grouping sets from from to to.
func (s *aggregateState) add(b vec.Batch, from, to int) error {
	keys, err := evaluated(s.node.Keys, b, s.run.session)
	if err != nil {
		return err
	}
	if s.full {
		return s.pass(b, keys, from, to)
	}
	inputs := make([]callInput, len(s.node.Aggs))
	for i := range inputs {
		if inputs[i], err = inputOf(&s.node.Aggs[i], b, s.run.session); err != nil {
			return err
		}
	}
	s.groups = grown(s.groups, b.Len)
	for _, set := range s.sets[from:to] {
		set.grouper.intern(pick(keys, set.keys), s.groups)
		for i := range set.calls {
			if err := set.calls[i].add(inputs[i], s.groups, set.grouper.count()); err != nil {
				return err
			}
		}
	}
	s.rows += b.Len
	s.full = s.scattered()
	return s.weigh()
}

// scattered reports whether a worker's state holds many groups, and most rows are groups of their own. To find out which rows are of one group costs
// least then where they are spread first: all workers do it at a time, each in tables that fit into its cache.
func (s *aggregateState) scattered() bool {
	if s.level > 0 || s.rest == nil || s.run.workers == 1 {
		return false
	}
	groups := 0
	for _, set := range s.sets {
		groups = max(groups, set.grouper.count())
	}
	return s.run.scatters(groups, s.rows)
}

// scatters reports whether so many of the rows are distinct that it is better to spread them over partitions.
func (r *run) scatters(distinct, rows int) bool { return distinct >= r.manyGroups && 2*distinct > rows }

// pass gives rows to the partitions, once for each set.
func (s *aggregateState) pass(b vec.Batch, keys []arrow.Array, from, to int) error {
	width := len(b.Cols)
	if len(s.sets) > 1 && s.level > 0 {
		width-- // the set
	}
	for i := from; i < to; i++ {
		rows := vec.Batch{Len: b.Len, Cols: b.Cols[:width:width]}
		if len(s.sets) > 1 {
			set := vec.FromValue(sqltype.BigIntType, int64(i))
			rows.Cols = append(rows.Cols, vec.Column(vec.Datum{Arr: set, Const: true}, b.Len))
		}
		if err := s.rest.add(rows, pick(keys, s.sets[i].keys)); err != nil {
			return err
		}
	}
	return nil
}

// addPassed takes in rows that another state has passed on.
func (s *aggregateState) addPassed(b vec.Batch) error {
	if len(s.sets) == 1 {
		return s.add(b, 0, 1)
	}
	rows := make([][]int32, len(s.sets))
	for row, set := range b.Cols[len(b.Cols)-1].(*array.Int64).Int64Values() {
		rows[set] = append(rows[set], int32(row))
	}
	for set, rows := range rows {
		if len(rows) > 0 {
			if err := s.add(b.Take(rows), set, set+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func pick(columns []arrow.Array, at []int) []arrow.Array {
	out := make([]arrow.Array, len(at))
	for i, c := range at {
		out[i] = columns[c]
	}
	return out
}

// weigh accounts what is held. Where that has become too much, pairs go to disk if most of it is pairs; else the state is full.
func (s *aggregateState) weigh() error {
	if s.run.budget.spills && !s.fits() {
		if pairs, bytes := s.pairs(); 4*bytes > 3*s.bytes() {
			for _, d := range pairs {
				if err := d.spill(); err != nil {
					return err
				}
			}
		}
		s.full = s.full || s.rest != nil && !s.fits()
	}
	return s.account.set(s.bytes())
}

// fits reports whether there is room for all that the state holds, and for as much again: for the result, or to merge the states of workers.
func (s *aggregateState) fits() bool {
	bytes := s.bytes()
	more := bytes - s.account.held
	if s.level == 0 {
		bytes = s.account.meter.held.Load() + more
	}
	return s.account.fits(more + bytes)
}

func (s *aggregateState) bytes() int64 {
	bytes := 4*int64(cap(s.groups)) + s.out
	for _, set := range s.sets {
		if set.grouper == nil {
			continue
		}
		bytes += set.grouper.bytes()
		for i := range set.calls {
			bytes += set.calls[i].accumulator.Bytes()
			if set.calls[i].kept != nil {
				bytes += set.calls[i].kept.bytes()
			}
		}
	}
	return bytes
}

// pairs returns the kept rows that could go to disk, and their bytes.
func (s *aggregateState) pairs() (all []*distinctRows, bytes int64) {
	for _, set := range s.sets {
		for _, call := range set.calls {
			if d, ok := call.kept.(*distinctRows); ok && d.spills() {
				all = append(all, d)
				bytes += d.bytes()
			}
		}
	}
	return all, bytes
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
			var rows packedRows
			if rows, err = o.kept.packed(); err == nil {
				err = c.kept.take(ctx, rows.renumbered(remap))
			}
		} else {
			err = c.accumulator.Merge(o.accumulator, remap, s.grouper.count())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// result returns a row per group of a set: the keys, then the aggregates, then the groupings. It gives up the set's state.
func (s *aggregateState) result(ctx context.Context, at int) (vec.Batch, error) {
	set := s.sets[at]
	out := vec.Batch{Len: set.grouper.count()}
	if out.Len == 0 || set.absent {
		return vec.Batch{}, nil
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
			if err := c.kept.flush(ctx, c.accumulator, out.Len); err != nil {
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
	s.sets[at] = setState{}
	s.out = out.Size()
	return out, s.account.set(s.bytes())
}
