package exec

import (
	"io"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// sort takes in all rows on all workers. With a limit each worker keeps its best rows only. The last sort key is a row's position
// in the input, so that the order does not depend on which worker took which rows.
func (r *run) sort(n *plan.Sort, m *meter, input flow) flow {
	return flow{tasks: 1, open: func(w *worker, _ int) operator {
		o := &sortOperator{run: r, worker: w, meter: m, node: n, input: input, width: len(n.Schema()), want: math.MaxInt64}
		if n.Limit >= 0 && n.Limit < math.MaxInt64-n.Offset {
			o.want = n.Limit + n.Offset
		}
		return o
	}}
}

type sortOperator struct {
	run    *run
	worker *worker
	meter  *meter
	node   *plan.Sort
	input  flow
	width  int   // columns of the input
	keyed  bool  // put out the keys behind them
	want   int64 // rows to find, those of the offset included; MaxInt64: all

	states []*sortState // by worker; nil: took in nothing
	sorted *sortState   // all rows wanted; nil until taken in
	order  []int32      // rows of sorted.rows[0] still to be put out
}

func (o *sortOperator) next() (vec.Batch, error) {
	if o.sorted == nil {
		if err := o.takeIn(); err != nil {
			return vec.Batch{}, err
		}
	}
	if len(o.order) == 0 {
		return vec.Batch{}, io.EOF
	}
	n := min(len(o.order), o.run.batchRows)
	all := o.sorted.rows[0]
	b := vec.Batch{Len: all.Len, Cols: all.Cols[:o.width]}
	if o.keyed {
		b.Cols = all.Cols[:o.width+len(o.node.Keys)]
	}
	b = b.Take(o.order[:n])
	o.order = o.order[n:]
	return b, nil
}

func (o *sortOperator) close() {
	for _, s := range o.states {
		if s != nil {
			s.account.close()
		}
	}
	if o.sorted != nil {
		o.sorted.account.close()
	}
	o.states, o.sorted, o.order = nil, nil, nil
}

func (o *sortOperator) takeIn() error {
	o.states = make([]*sortState, o.run.workers)
	if o.want > 0 {
		err := o.run.each(o.worker, o.input, func(slot, task int, op operator) error {
			if o.states[slot] == nil {
				o.states[slot] = newSortState(o)
			}
			position := int64(task) << 36 // a task has fewer rows than that
			return drain(op, func(b vec.Batch) error {
				first := position
				position += int64(b.Len)
				return o.states[slot].add(b, first)
			})
		})
		if err != nil {
			return err
		}
	}
	o.sorted = newSortState(o)
	for i, s := range o.states {
		if s == nil {
			continue
		}
		o.sorted.rows = append(o.sorted.rows, s.rows...)
		o.sorted.count += s.count
		s.account.close()
		o.states[i] = nil
	}
	order, err := o.sorted.sort()
	if err != nil {
		return err
	}
	o.order = order[min(o.node.Offset, int64(len(order))):]
	return nil
}

// sortState holds the rows that one worker took in, or the best of them.
type sortState struct {
	*sortOperator
	rows    []vec.Batch // columns: the input's, the keys, the position
	count   int         // rows in rows
	best    int         // rows that the last cut left: with ties more than are wanted
	bound   vec.Batch   // with a limit: the worst of the best rows found so far; Len 0: not as many found yet
	weigh   footprint
	account account
}

func newSortState(o *sortOperator) *sortState {
	return &sortState{sortOperator: o, account: account{
		budget: &o.run.budget, meter: o.meter, doing: "sorting rows",
		try: "filter more rows, select fewer columns, or add a LIMIT: then only the rows it wants are kept",
	}}
}

// add takes in a batch whose first row is at position.
func (s *sortState) add(b vec.Batch, position int64) error {
	cols := slices.Clone(b.Cols)
	for _, key := range s.node.Keys {
		d, err := expr.Eval(key.Expr, b, s.run.session)
		if err != nil {
			return err
		}
		cols = append(cols, vec.Column(d, b.Len))
	}
	b.Cols = append(cols, positions(position, b.Len))
	b, err := s.promising(b)
	if err != nil || b.Len == 0 {
		return err
	}
	s.rows = append(s.rows, b)
	s.count += b.Len
	if err := s.account.add(s.weigh.of(b)); err != nil {
		return err
	}
	if int64(s.count) > max(4*min(s.want, math.MaxInt64/4), int64(s.run.batchRows), 2*int64(s.best)) {
		return s.cut()
	}
	return nil
}

// promising drops rows of b that are worse than bound by the first key alone: most rows, once the best are known.
func (s *sortState) promising(b vec.Batch) (vec.Batch, error) {
	if s.bound.Len == 0 {
		return b, nil
	}
	key := s.node.Keys[0]
	bound, keys := s.bound.Cols[s.width], b.Cols[s.width]
	switch key.Expr.Type().Kind {
	case sqltype.Real, sqltype.Double: // NaN has a place in the order, but compares with nothing
		return b, nil
	case sqltype.Array, sqltype.Map, sqltype.Row, sqltype.Unknown:
		return b, nil
	}
	if bound.IsNull(0) {
		return b, nil
	}
	op := vec.Le
	if key.Desc {
		op = vec.Ge
	}
	better, err := vec.Compare(op, key.Expr.Type(), vec.Datum{Arr: keys}, vec.Datum{Arr: bound, Const: true}, b.Len)
	if err != nil {
		return vec.Batch{}, err
	}
	if key.NullsFirst {
		better = vec.Or(better.(*array.Boolean), vec.IsNull(keys))
	}
	rows := vec.True(better)
	if len(rows) == b.Len {
		return b, nil
	}
	return b.Take(rows), nil
}

// cut drops rows that are not among the best want, ties aside.
func (s *sortState) cut() error {
	order, err := s.sort()
	if err != nil {
		return err
	}
	best := s.rows[0].Take(order)
	s.rows, s.count, s.best = []vec.Batch{best}, best.Len, best.Len
	s.bound = best.Take([]int32{int32(min(s.want, int64(best.Len)) - 1)})
	s.weigh = footprint{}
	return s.account.set(s.weigh.of(best))
}

// sort brings the rows into one batch and returns the best want of them in order, with ties.
func (s *sortState) sort() ([]int32, error) {
	if s.count == 0 {
		return nil, nil
	}
	if len(s.rows) > 1 {
		var weigh footprint
		bytes := int64(0)
		for _, b := range s.rows {
			bytes += weigh.of(b)
		}
		if err := s.account.set(2 * bytes); err != nil { // for a moment the rows are there twice
			return nil, err
		}
		all, err := vec.ConcatBatches(s.rows)
		if err != nil {
			return nil, sqlerr.Wrap(sqlerr.Resource, err, "the rows to sort are too large")
		}
		s.rows = []vec.Batch{all}
	}
	s.weigh = footprint{}
	if err := s.account.set(s.weigh.of(s.rows[0]) + 4*int64(s.count)); err != nil {
		return nil, err
	}
	all := s.rows[0]
	keys := make([]vec.SortKey, 0, len(s.node.Keys)+1)
	for i, key := range s.node.Keys {
		keys = append(keys, vec.SortKey{Arr: all.Cols[s.width+i], Desc: key.Desc, NullsFirst: key.NullsFirst})
	}
	keys = append(keys, vec.SortKey{Arr: all.Cols[len(all.Cols)-1]})
	order := vec.Sort(keys, all.Len)
	most := min(int64(len(order)), s.want)
	for s.node.Ties && most < int64(len(order)) && tied(keys[:len(keys)-1], order[most-1], order[most]) {
		most++
	}
	return order[:most], nil
}

// tied reports whether two rows have the same place in the order of the keys.
func tied(keys []vec.SortKey, i, j int32) bool {
	for _, k := range keys {
		if vec.CompareRows(k.Arr, int(i), k.Arr, int(j), false, false) != 0 {
			return false
		}
	}
	return true
}

// positions returns n numbers from first on.
func positions(first int64, n int) arrow.Array {
	builder := array.NewInt64Builder(memory.DefaultAllocator)
	builder.Reserve(n)
	for i := range n {
		builder.UnsafeAppend(first + int64(i))
	}
	return builder.NewArray()
}
