package exec

import (
	"context"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// distinctRows keeps each row once per group. Those that are too many go to partitions by their values: rows that are equal are in the same, so
// that each partition can be made distinct by itself, by any worker, and given to the accumulator. Likewise where a worker finds that most rows are
// distinct: it passes them on as they are.
type distinctRows struct {
	layout
	run     *run
	account account // while a partition is flushed; what else is held is accounted by the state
	level   int
	values  *grouper // of packed rows
	pairs   valueGroups
	rows    int  // taken in
	passes  bool // rows to the partitions
	scratch []uint32
	spilled []spilledPairs
	own     *partitions // of spilled: what this one wrote; nil: nothing
}

// valueGroups are pairs of a value and a group, each once. Values are numbered as they come, and most have one group only.
type valueGroups struct {
	first []uint32  // by value
	more  pairTable // group, value
}

func (p *valueGroups) count() int { return len(p.first) + len(p.more.words) }

func (p *valueGroups) add(value, group uint32) {
	if int(value) == len(p.first) {
		p.first = append(p.first, group)
	} else if p.first[value] != group {
		p.more.number(group, value)
	}
}

// at returns one of the pairs.
func (p *valueGroups) at(i int) (value, group uint32) {
	if i < len(p.first) {
		return uint32(i), p.first[i]
	}
	pair := p.more.words[i-len(p.first)]
	return uint32(pair), uint32(pair >> 32)
}

func (p *valueGroups) bytes() int64 { return 4*int64(cap(p.first)) + p.more.bytes() }

// spilledPairs are partitions of groups and packed rows.
type spilledPairs struct {
	*partitions
	to []uint32 // the number of each group by its number in there, none for those that do not count; nil: the same numbers
}

func (s spilledPairs) renumbered(to []uint32) spilledPairs {
	if s.to == nil {
		return spilledPairs{s.partitions, to}
	}
	out := spilledPairs{s.partitions, make([]uint32, len(s.to))}
	for i, group := range s.to {
		if out.to[i] = none; group != none {
			out.to[i] = to[group]
		}
	}
	return out
}

func newDistinctRows(r *run, l layout, a account, level int) *distinctRows {
	a.held = 0
	k := &distinctRows{layout: l, run: r, account: a, level: level}
	k.clear()
	return k
}

func (k *distinctRows) clear() {
	k.values, k.pairs = newGrouper(len(k.types())), valueGroups{more: newPairTable()}
}

func (k *distinctRows) add(args []vec.Datum, keys []arrow.Array, groups []uint32) error {
	cols := k.pack(args, keys, len(groups))
	if k.passes {
		return k.pass(cols, groups)
	}
	k.scratch = grown(k.scratch, len(groups))
	k.values.intern(cols, k.scratch)
	k.keep(groups)
	k.rows += len(groups)
	k.passes = k.level == 0 && k.run.workers > 1 && !k.sensitive && k.run.scatters(k.pairs.count(), k.rows)
	return nil
}

// keep adds the pairs of groups[i] and scratch[i].
func (k *distinctRows) keep(groups []uint32) {
	for i, group := range groups {
		k.pairs.add(k.scratch[i], group)
	}
}

func (k *distinctRows) take(ctx context.Context, rows packedRows) error {
	k.spilled = append(k.spilled, rows.spilled...)
	if len(rows.groups) == 0 {
		return nil
	}
	k.scratch = grown(k.scratch, len(rows.groups))
	if err := k.values.internMany(ctx, rows.cols, k.scratch); err != nil {
		return err
	}
	k.keep(rows.groups)
	return nil
}

// split returns the groups of the pairs from to to, and their values, which keys has.
func (k *distinctRows) split(keys []arrow.Array, from, to int) packedRows {
	out := packedRows{groups: make([]uint32, to-from)}
	rows := make([]int32, to-from)
	for i := range rows {
		value, group := k.pairs.at(from + i)
		out.groups[i], rows[i] = group, int32(value)
	}
	for _, key := range keys {
		out.cols = append(out.cols, vec.Take(key, rows))
	}
	return out
}

func (k *distinctRows) packed() (packedRows, error) {
	out := packedRows{}
	if n := k.pairs.count(); n > 0 {
		keys, err := k.values.keys()
		if err != nil {
			return packedRows{}, err
		}
		out = k.split(keys, 0, n)
	}
	out.spilled = k.spilled
	return out, nil
}

// spills reports whether the rows may go to disk: not where the accumulator must see them in order.
func (k *distinctRows) spills() bool { return k.run.budget.spills && k.level < deepest && !k.sensitive }

// spill moves all rows to disk.
func (k *distinctRows) spill() error {
	n := k.pairs.count()
	if n == 0 {
		return nil
	}
	keys, err := k.values.keys()
	if err != nil {
		return err
	}
	for from := 0; from < n; from += k.run.batchRows {
		rows := k.split(keys, from, min(from+k.run.batchRows, n))
		if err := k.pass(rows.cols, rows.groups); err != nil {
			return err
		}
	}
	k.clear()
	return nil
}

// pass adds rows to the partitions.
func (k *distinctRows) pass(cols []arrow.Array, groups []uint32) error {
	if len(groups) == 0 {
		return nil
	}
	if k.own == nil {
		k.own = k.run.newPartitions(k.account, append([]sqltype.Type{sqltype.BigIntType}, k.types()...), k.level)
		k.spilled = append(k.spilled, spilledPairs{partitions: k.own})
	}
	numbers := make([]int64, len(groups))
	for i, group := range groups {
		numbers[i] = int64(group)
	}
	all := append([]arrow.Array{vec.Integers(numbers)}, cols...)
	by := all
	if k.level == 0 {
		by = cols // each worker has its own numbers of groups: they cannot be spread by these
	}
	return k.own.add(vec.Batch{Len: len(groups), Cols: all}, by)
}

// give gives all pairs to acc.
func (k *distinctRows) give(acc fn.Accumulator, count int) error {
	if !k.counts {
		rows, err := k.packed()
		if err != nil {
			return err
		}
		return k.layout.flush(rows.cols, rows.groups, acc, count)
	}
	groups := make([]uint32, k.pairs.count())
	for i := range groups {
		_, groups[i] = k.pairs.at(i)
	}
	return acc.Update(nil, groups, count)
}

func (k *distinctRows) flush(ctx context.Context, acc fn.Accumulator, count int) error {
	if len(k.spilled) == 0 {
		return k.give(acc, count)
	}
	if err := k.spill(); err != nil {
		return err
	}
	var rows [fanout]int64
	for _, s := range k.spilled {
		if err := s.end(); err != nil {
			return err
		}
		for at := range rows {
			rows[at] += s.parts[at].rows
		}
	}
	var lock sync.Mutex // of acc
	return k.run.times(&worker{ctx: ctx}, fanout, func(w *worker, _, at int) error {
		if rows[at] == 0 {
			return nil
		}
		part := newDistinctRows(k.run, k.layout, k.account, k.level+1)
		defer part.close()
		if err := k.partition(w.ctx, at, part); err != nil {
			return err
		}
		lock.Lock()
		defer lock.Unlock()
		return part.flush(w.ctx, acc, count)
	})
}

// partition makes the rows of one partition distinct, in part.
func (k *distinctRows) partition(ctx context.Context, at int, part *distinctRows) error {
	expected := 0
	for _, s := range k.spilled {
		if s.file.rows == 0 { // there was memory for all rows
			expected += int(s.parts[at].rows)
		}
	}
	part.values.expect(expected)
	for _, s := range k.spilled {
		err := drain(s.reader(at), func(b vec.Batch) error {
			rows := packedRows{cols: b.Cols[1:], groups: make([]uint32, b.Len)}
			for i, group := range b.Cols[0].(*array.Int64).Int64Values() {
				rows.groups[i] = uint32(group)
			}
			if s.to != nil {
				rows = rows.renumbered(s.to)
			}
			if err := part.take(ctx, rows); err != nil {
				return err
			}
			return part.weigh()
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// weigh accounts what a partition holds, after it has moved that to disk if it is too much.
func (k *distinctRows) weigh() error {
	if k.account.spills = k.spills(); k.account.spills && !k.account.fits(3*k.bytes()/2-k.account.held) { // a half for what is made of the tables
		if err := k.spill(); err != nil {
			return err
		}
	}
	return k.account.set(k.bytes())
}

func (k *distinctRows) close() {
	k.account.close()
	if k.own != nil {
		k.own.close()
	}
}

func (k *distinctRows) bytes() int64 {
	return k.values.bytes() + k.pairs.bytes() + 4*int64(cap(k.scratch))
}
