package exec

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// keptRows holds the input rows of an aggregate until all are known.
type keptRows interface {
	// add keeps rows: arguments and sort keys of len(groups) rows.
	add(args []vec.Datum, keys []arrow.Array, groups []uint32) error
	// packed returns the rows, in order. Nothing is added any more.
	packed() (packedRows, error)
	// take keeps rows that another one of the same call has packed. It stops where ctx is done.
	take(ctx context.Context, rows packedRows) error
	// flush gives the rows to acc, in order.
	flush(ctx context.Context, acc fn.Accumulator, count int) error
	bytes() int64
}

// newKeptRows returns nil for a call whose rows need not be kept. An order is of no interest to an aggregate whose result does not
// depend on it. a is an account for what the rows need while they are flushed.
func (r *run) newKeptRows(call *plan.AggregateCall, a account) keptRows {
	order := call.OrderBy
	if !call.Fn.OrderSensitive {
		order = nil
	}
	l := layout{args: call.Args, order: order, sensitive: call.Fn.OrderSensitive, counts: call.Fn.Name == "count"}
	switch {
	case call.Distinct:
		return newDistinctRows(r, l, a, 0)
	case len(order) > 0:
		return &orderedRows{layout: l}
	}
	return nil
}

// packedRows are rows as they are stored, and the group of each.
type packedRows struct {
	cols    []arrow.Array
	groups  []uint32
	spilled []spilledPairs // more of them
}

// renumbered returns the rows of the groups that to has another number than none for, under that number.
func (p packedRows) renumbered(to []uint32) packedRows {
	var out packedRows
	var rows []int32
	for row, group := range p.groups {
		if to[group] != none {
			rows = append(rows, int32(row))
			out.groups = append(out.groups, to[group])
		}
	}
	for _, col := range p.cols {
		if len(rows) < len(p.groups) {
			col = vec.Take(col, rows)
		}
		out.cols = append(out.cols, col)
	}
	for _, s := range p.spilled {
		out.spilled = append(out.spilled, s.renumbered(to))
	}
	return out
}

// layout says how a kept row is stored: the arguments that are not literals, then the sort keys.
type layout struct {
	args      []expr.Expr
	order     []plan.SortKey
	sensitive bool // the result depends on the order of the rows
	counts    bool // the rows are counted, whatever they hold
}

// types are those of the columns.
func (l *layout) types() (types []sqltype.Type) {
	for _, arg := range l.args {
		if _, ok := arg.(*expr.Literal); !ok {
			types = append(types, arg.Type())
		}
	}
	for _, key := range l.order {
		types = append(types, key.Expr.Type())
	}
	return types
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

// orderedRows keeps all rows.
type orderedRows struct {
	layout
	batches []vec.Batch
	groups  []uint32
	held    int64
	weigh   footprint
}

func (k *orderedRows) add(args []vec.Datum, keys []arrow.Array, groups []uint32) error {
	return k.take(context.Background(), packedRows{cols: k.pack(args, keys, len(groups)), groups: groups})
}

func (k *orderedRows) take(_ context.Context, rows packedRows) error {
	if len(rows.groups) == 0 {
		return nil
	}
	b := vec.Batch{Len: len(rows.groups), Cols: rows.cols}
	k.batches = append(k.batches, b)
	k.groups = append(k.groups, rows.groups...)
	k.held += k.weigh.of(b)
	return nil
}

func (k *orderedRows) packed() (packedRows, error) {
	if len(k.batches) == 0 {
		return packedRows{}, nil
	}
	all, err := vec.ConcatBatches(k.batches)
	if err != nil {
		return packedRows{}, sqlerr.Wrap(sqlerr.Resource, err, "the rows of an aggregate with ORDER BY are too large")
	}
	k.batches = nil
	return packedRows{cols: all.Cols, groups: k.groups}, nil
}

func (k *orderedRows) flush(_ context.Context, acc fn.Accumulator, count int) error {
	rows, err := k.packed()
	if err != nil {
		return err
	}
	return k.layout.flush(rows.cols, rows.groups, acc, count)
}

func (k *orderedRows) bytes() int64 { return k.held + 4*int64(cap(k.groups)) }
