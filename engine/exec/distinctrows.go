package exec

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// distinctRows keeps each row once per group. Those that are too many go to partitions by their values: rows that are equal are in the same, so
// that each partition can be made distinct, and given to the accumulator, by itself.
type distinctRows struct {
	layout
	run     *run
	account account // while a partition is flushed; what else is held is accounted by the state
	level   int
	values  *grouper  // of packed rows
	pairs   pairTable // group, value
	scratch []uint32
	spilled []spilledPairs
	own     *partitions // of spilled: what this one wrote; nil: nothing
}

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
	return &distinctRows{layout: l, run: r, account: a, level: level, values: newGrouper(len(l.types())), pairs: newPairTable()}
}

func (k *distinctRows) add(args []vec.Datum, keys []arrow.Array, groups []uint32) error {
	k.scratch = grown(k.scratch, len(groups))
	k.values.intern(k.pack(args, keys, len(groups)), k.scratch)
	k.keep(groups)
	return nil
}

// keep adds the pairs of groups[i] and scratch[i].
func (k *distinctRows) keep(groups []uint32) {
	for i, group := range groups {
		k.pairs.number(group, k.scratch[i])
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
	for i, pair := range k.pairs.words[from:to] {
		out.groups[i], rows[i] = uint32(pair>>32), int32(uint32(pair))
	}
	for _, key := range keys {
		out.cols = append(out.cols, vec.Take(key, rows))
	}
	return out
}

func (k *distinctRows) packed() (packedRows, error) {
	out := packedRows{}
	if len(k.pairs.words) > 0 {
		keys, err := k.values.keys()
		if err != nil {
			return packedRows{}, err
		}
		out = k.split(keys, 0, len(k.pairs.words))
	}
	out.spilled = k.spilled
	return out, nil
}

// spills reports whether the rows may go to disk: not where the accumulator must see them in order.
func (k *distinctRows) spills() bool { return k.run.budget.spills && k.level < deepest && !k.sensitive }

// spill moves all rows to disk.
func (k *distinctRows) spill() error {
	if len(k.pairs.words) == 0 {
		return nil
	}
	keys, err := k.values.keys()
	if err != nil {
		return err
	}
	if k.own == nil {
		k.own = k.run.newPartitions(k.account.meter, append([]sqltype.Type{sqltype.BigIntType}, k.types()...), k.level)
		k.spilled = append(k.spilled, spilledPairs{partitions: k.own})
	}
	for from := 0; from < len(k.pairs.words); from += k.run.batchRows {
		rows := k.split(keys, from, min(from+k.run.batchRows, len(k.pairs.words)))
		groups := array.NewInt64Builder(memory.DefaultAllocator)
		for _, group := range rows.groups {
			groups.Append(int64(group))
		}
		cols := append([]arrow.Array{groups.NewArray()}, rows.cols...)
		by := cols
		if k.level == 0 {
			by = rows.cols // each worker has its own numbers of groups: they cannot be spread by these
		}
		if err := k.own.add(vec.Batch{Len: len(rows.groups), Cols: cols}, by); err != nil {
			return err
		}
	}
	k.values, k.pairs = newGrouper(len(k.types())), newPairTable()
	return nil
}

func (k *distinctRows) flush(ctx context.Context, acc fn.Accumulator, count int) error {
	if len(k.spilled) == 0 {
		rows, err := k.packed()
		if err != nil {
			return err
		}
		return k.layout.flush(rows.cols, rows.groups, acc, count)
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
	for at := range fanout {
		if rows[at] == 0 {
			continue
		}
		if err := k.flushPartition(ctx, at, acc, count); err != nil {
			return err
		}
	}
	return nil
}

// flushPartition gives the rows of one partition to acc.
func (k *distinctRows) flushPartition(ctx context.Context, at int, acc fn.Accumulator, count int) error {
	part := newDistinctRows(k.run, k.layout, k.account, k.level+1)
	defer part.close()
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
	return part.flush(ctx, acc, count)
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
