package exec

import (
	"context"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/vec"
)

// This file holds how an aggregate goes on when its states are full: they are closed, and what they took in and the rows that they passed on
// are brought together partition by partition, in a new state for each, by any worker. That may become full again.

// division is groups and rows that are spread over partitions.
type division struct {
	rest   *partitions // the rows; its level is that of the groups
	closed []*closedState
	global bool         // the groups of sets without keys are among them
	left   atomic.Int64 // partitions that are not done
}

// share is one partition of a division.
type share struct {
	*division
	at int
}

// closedState is a state that takes in no more rows.
type closedState struct {
	sets    []closedSet
	account account
}

type closedSet struct {
	keys   []arrow.Array
	groups [fanout][]uint32 // by partition, ascending
	calls  []closedCall
}

type closedCall struct {
	accumulator fn.Accumulator
	kept        packedRows // in the place of a state's kept
}

// divide closes states.
func divide(states []*aggregateState, rest *partitions, global bool) (*division, error) {
	d := &division{rest: rest, global: global}
	for _, s := range states {
		c, err := s.close(rest.level)
		if err != nil {
			return nil, err
		}
		d.closed = append(d.closed, c)
	}
	d.left.Store(fanout)
	return d, rest.end()
}

// shares are the partitions of one of so many tasks, the first one last. Each partition of a division is to be done once.
func (d *division) shares(task, tasks int) (all []share) {
	for at := fanout - 1; at >= 0; at-- {
		if at%tasks == task {
			all = append(all, share{d, at})
		}
	}
	return all
}

// done lets go of a partition.
func (sh share) done() {
	sh.rest.forget(sh.at)
	if sh.left.Add(-1) == 0 {
		sh.close()
	}
}

func (sh share) empty() bool {
	for _, c := range sh.closed {
		for _, set := range c.sets {
			if len(set.groups[sh.at]) > 0 {
				return false
			}
		}
	}
	return sh.rest.parts[sh.at].rows == 0
}

// close gives up the tables of a state, which takes half of its memory.
func (s *aggregateState) close(level int) (*closedState, error) {
	c := &closedState{sets: make([]closedSet, len(s.sets)), account: s.account}
	for i := range s.sets {
		set, closed := &s.sets[i], &c.sets[i]
		n := set.grouper.count()
		if set.absent || n == 0 {
			continue
		}
		var err error
		if closed.keys, err = set.grouper.keys(); err != nil {
			return nil, err
		}
		for _, key := range closed.keys {
			settled(key)
		}
		for group, at := range partitionsOf(closed.keys, n, level) {
			closed.groups[at] = append(closed.groups[at], uint32(group))
		}
		for _, call := range set.calls {
			cc := closedCall{accumulator: call.accumulator}
			if call.kept != nil {
				if cc.kept, err = call.kept.packed(); err != nil {
					return nil, err
				}
				for _, col := range cc.kept.cols {
					settled(col)
				}
			}
			closed.calls = append(closed.calls, cc)
		}
		*set = setState{}
	}
	return c, c.account.set(c.bytes())
}

func (c *closedState) bytes() (bytes int64) {
	for _, set := range c.sets {
		bytes += vec.Batch{Cols: set.keys}.Size()
		for _, groups := range set.groups {
			bytes += 4 * int64(cap(groups))
		}
		for _, call := range set.calls {
			bytes += call.accumulator.Bytes() + vec.Batch{Cols: call.kept.cols}.Size() + 4*int64(cap(call.kept.groups))
		}
	}
	return bytes
}

// compute brings a partition together. Its state is ready to be put out, or nil if it has been divided itself.
func (o *aggregateOperator) compute(sh share) (*aggregateState, error) {
	defer sh.done()
	if sh.empty() {
		return nil, nil
	}
	ctx := o.worker.ctx
	level := sh.rest.level + 1
	if 8*sh.rest.most() > 7*sh.rest.rows { // spreading did not help, and would not the next time
		level = deepest
	}
	var rest *partitions
	if level < deepest {
		rest = o.newPartitions(level)
	}
	s := o.newState(level, rest)
	global := sh.global && int(partitionsOf(nil, 1, sh.rest.level)[0]) == sh.at
	for i := range s.sets {
		s.sets[i].absent = len(s.sets[i].keys) == 0 && !global
	}
	if sh.rest.file.rows == 0 { // there was memory for all rows
		for i := range s.sets {
			s.sets[i].grouper.expect(int(sh.rest.parts[sh.at].rows) / len(s.sets))
		}
	}
	for _, c := range sh.closed {
		if err := s.takeOver(ctx, c, sh.at); err != nil {
			return s, err
		}
	}
	if err := drain(sh.rest.reader(sh.at), s.addPassed); err != nil {
		return s, err
	}
	if s.full && rest.rows > 0 {
		d, err := divide([]*aggregateState{s}, rest, global)
		if err != nil {
			return nil, err
		}
		o.todo = append(o.todo, d.shares(0, 1)...)
		return nil, nil
	}
	return s, nil
}

// close gives back what a division holds.
func (d *division) close() {
	for _, c := range d.closed {
		c.account.close()
	}
	d.rest.close()
}

// takeOver adds the groups of one partition of a closed state.
func (s *aggregateState) takeOver(ctx context.Context, c *closedState, at int) error {
	for i := range s.sets {
		if err := s.sets[i].takeOver(ctx, &c.sets[i], at); err != nil {
			return err
		}
	}
	return s.weigh()
}

func (s *setState) takeOver(ctx context.Context, c *closedSet, at int) error {
	from := c.groups[at]
	if len(from) == 0 {
		return nil
	}
	rows := make([]int32, len(from))
	for i, group := range from {
		rows[i] = int32(group)
	}
	keys := make([]arrow.Array, len(c.keys))
	for i, key := range c.keys {
		keys[i] = vec.Take(key, rows)
	}
	groups := make([]uint32, len(from))
	if err := s.grouper.internMany(ctx, keys, groups); err != nil {
		return err
	}
	var numbers []uint32 // groups by the number in c
	for i := range s.calls {
		call, closed := &s.calls[i], &c.calls[i]
		if call.kept == nil {
			if err := call.accumulator.Merge(closed.accumulator.Gather(from), groups, s.grouper.count()); err != nil {
				return err
			}
			continue
		}
		if numbers == nil {
			numbers = make([]uint32, c.count())
			for i := range numbers {
				numbers[i] = none
			}
			for i, group := range from {
				numbers[group] = groups[i]
			}
		}
		if err := call.kept.take(ctx, closed.kept.renumbered(numbers)); err != nil {
			return err
		}
	}
	return nil
}

// count is the number of groups.
func (c *closedSet) count() (n int) {
	for _, groups := range c.groups {
		n += len(groups)
	}
	return n
}
