package exec

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/vec"
)

// keptRows holds the input rows of an aggregate until all are known.
type keptRows interface {
	// add keeps rows: arguments and sort keys of len(groups) rows.
	add(args []vec.Datum, keys []arrow.Array, groups []uint32) error
	// merge adds what other keeps; its group i is group remap[i] here. It stops where ctx is done.
	merge(ctx context.Context, other keptRows, remap []uint32) error
	// flush gives the rows to acc, in order.
	flush(acc fn.Accumulator, count int) error
	bytes() int64
}

// newKeptRows returns nil for a call whose rows need not be kept. An order is of no interest to an aggregate whose result does not
// depend on it.
func newKeptRows(call *plan.AggregateCall) keptRows {
	order := call.OrderBy
	if !call.Fn.OrderSensitive {
		order = nil
	}
	l := layout{args: call.Args, order: order}
	switch {
	case call.Distinct:
		return &distinctRows{layout: l, values: newGrouper(l.columns()), pairs: newPairTable()}
	case len(order) > 0:
		return &orderedRows{layout: l}
	}
	return nil
}

// layout says how a kept row is stored: the arguments that are not literals, then the sort keys.
type layout struct {
	args  []expr.Expr
	order []plan.SortKey
}

func (l *layout) columns() int {
	n := len(l.order)
	for _, arg := range l.args {
		if _, ok := arg.(*expr.Literal); !ok {
			n++
		}
	}
	return n
}

func (l *layout) pack(args []vec.Datum, keys []arrow.Array, n int) []arrow.Array {
	var cols []arrow.Array
	for i, arg := range args {
		if _, ok := l.args[i].(*expr.Literal); !ok {
			cols = append(cols, vec.Column(arg, n))
		}
	}
	return append(cols, keys[:len(l.order)]...)
}

// flush gives packed rows to acc, sorted by the keys.
func (l *layout) flush(cols []arrow.Array, groups []uint32, acc fn.Accumulator, count int) error {
	if len(groups) == 0 {
		return nil
	}
	if len(l.order) > 0 {
		keys := make([]vec.SortKey, len(l.order))
		for i, key := range l.order {
			keys[i] = vec.SortKey{Arr: cols[len(cols)-len(l.order)+i], Desc: key.Desc, NullsFirst: key.NullsFirst}
		}
		rows := vec.Sort(keys, len(groups))
		groups = taken(groups, rows)
		for i, col := range cols[:len(cols)-len(l.order)] {
			cols[i] = vec.Take(col, rows)
		}
	}
	args := make([]vec.Datum, len(l.args))
	at := 0
	for i, arg := range l.args {
		if literal, ok := arg.(*expr.Literal); ok {
			args[i] = vec.Datum{Arr: literal.Value, Const: true}
		} else {
			args[i] = vec.Datum{Arr: cols[at]}
			at++
		}
	}
	return acc.Update(args, groups, count)
}

// distinctRows keeps each row once per group.
type distinctRows struct {
	layout
	values  *grouper  // of packed rows
	pairs   pairTable // group, value
	scratch []uint32
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

// split returns the group and the packed row of each pair.
func (k *distinctRows) split() (groups []uint32, cols []arrow.Array, err error) {
	values, err := k.values.keys()
	if err != nil {
		return nil, nil, err
	}
	groups = make([]uint32, len(k.pairs.words))
	rows := make([]int32, len(k.pairs.words))
	for i, pair := range k.pairs.words {
		groups[i], rows[i] = uint32(pair>>32), int32(uint32(pair))
	}
	if len(rows) > 0 {
		for i := range values {
			values[i] = vec.Take(values[i], rows)
		}
	}
	return groups, values, nil
}

func (k *distinctRows) merge(ctx context.Context, other keptRows, remap []uint32) error {
	groups, cols, err := other.(*distinctRows).split()
	if err != nil || len(groups) == 0 {
		return err
	}
	for i, group := range groups {
		groups[i] = remap[group]
	}
	k.scratch = grown(k.scratch, len(groups))
	if err := k.values.internMany(ctx, cols, k.scratch); err != nil {
		return err
	}
	k.keep(groups)
	return nil
}

func (k *distinctRows) flush(acc fn.Accumulator, count int) error {
	groups, cols, err := k.split()
	if err != nil {
		return err
	}
	return k.layout.flush(cols, groups, acc, count)
}

func (k *distinctRows) bytes() int64 {
	return k.values.bytes() + k.pairs.bytes() + 4*int64(cap(k.scratch))
}

// orderedRows keeps all rows.
type orderedRows struct {
	layout
	batches []vec.Batch
	groups  []uint32
	held    int64
	weigh   footprint
}

func (k *orderedRows) add(args []vec.Datum, keys []arrow.Array, groups []uint32) error {
	b := vec.Batch{Len: len(groups), Cols: k.pack(args, keys, len(groups))}
	k.batches = append(k.batches, b)
	k.groups = append(k.groups, groups...)
	k.held += k.weigh.of(b)
	return nil
}

func (k *orderedRows) merge(context.Context, keptRows, []uint32) error {
	panic("exec: rows in order are taken in by one state")
}

func (k *orderedRows) flush(acc fn.Accumulator, count int) error {
	if len(k.batches) == 0 {
		return nil
	}
	all, err := vec.ConcatBatches(k.batches)
	if err != nil {
		return sqlerr.Wrap(sqlerr.Resource, err, "the rows of an aggregate with ORDER BY are too large")
	}
	return k.layout.flush(all.Cols, k.groups, acc, count)
}

func (k *orderedRows) bytes() int64 { return k.held + 4*int64(cap(k.groups)) }
