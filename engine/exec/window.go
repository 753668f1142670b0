package exec

import (
	"errors"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/vec"
)

// window sorts its input by partition and order, if it does not come so from another window, then computes the functions for whole partitions,
// as many at once as make a batch: on all workers where the sorted rows are in memory, see windowranges.go. The rows come out as sorted. A
// partition that is too large for that is streamed, see windowstream.go.
func (r *run) window(n *plan.Window, m *meter, input flow) flow {
	sort := &plan.Sort{Input: n.Input, Keys: n.SortKeys(), Limit: -1}
	return flow{tasks: 1, open: func(w *worker, _ int) operator {
		o := &windowOperator{
			run: r, worker: w, node: n, width: len(n.Input.Schema()), kept: n.Kept(), out: pieces{most: r.batchRows},
			account: account{
				budget: &r.budget, meter: m, doing: "computing window functions",
				try: "filter more rows, select fewer columns, or partition the window more finely",
			},
		}
		ways := o.waysOf()
		o.halo = haloOf(ways)
		if r.budget.spills {
			o.ways = ways
			o.account.spills = o.ways != nil
		}
		if len(sort.Keys) == 0 || n.Sorted() {
			o.input = &keyedOperator{operator: r.rows(w, m, input), run: r, keys: sort.Keys}
		} else {
			sorted := r.newSort(w, m, sort, input)
			sorted.keyed = true
			sorted.each, sorted.per = n.Most, len(n.PartitionBy)
			o.input = sorted
		}
		return o
	}}
}

// keyedOperator puts sort keys behind the columns of rows that are sorted.
type keyedOperator struct {
	operator
	run  *run
	keys []plan.SortKey
}

func (o *keyedOperator) next() (vec.Batch, error) {
	b, err := o.operator.next()
	if err != nil {
		return vec.Batch{}, err
	}
	cols := slices.Clone(b.Cols)
	for _, key := range o.keys {
		d, err := expr.Eval(key.Expr, b, o.run.session)
		if err != nil {
			return vec.Batch{}, err
		}
		cols = append(cols, vec.Column(d, b.Len))
	}
	return vec.Batch{Len: b.Len, Cols: cols}, nil
}

// windowOperator gets sorted rows, behind whose columns stand the partition keys, then the sort keys.
type windowOperator struct {
	run     *run
	worker  *worker
	node    *plan.Window
	width   int   // columns of the node's input
	kept    []int // those of them that are put out
	input   operator
	ranged  operator // puts out the rows of input that are in memory; nil: not begun, or not so
	began   bool
	ended   bool
	pending []vec.Batch // rows that were taken in and not computed yet
	rows    int         // in pending
	starts  []int32     // the rows in pending with which partitions begin
	weigh   footprint   // of pending
	account account
	ways    []streamedCall // nil: partitions must fit into memory
	halo    int            // see haloOf
	before  int32          // rows of the first partition at hand that come before the rows at hand: these are a part of it
	stream  *windowStream  // nil: none at work
	out     pieces
}

func (o *windowOperator) next() (vec.Batch, error) {
	if !o.began {
		o.began = true
		if err := o.begin(); err != nil {
			return vec.Batch{}, err
		}
	}
	if o.ranged != nil {
		return o.ranged.next()
	}
	for o.out.empty() {
		var err error
		if o.stream == nil {
			var b vec.Batch
			var starts []int32
			if b, starts, err = o.takeIn(); err == nil && o.stream == nil {
				o.out.rest, err = o.compute(b, starts)
			}
		} else if o.out.rest, err = o.stream.next(); errors.Is(err, io.EOF) {
			o.stream.close()
			o.stream, err = nil, nil
		}
		if err != nil {
			return vec.Batch{}, err
		}
	}
	return o.out.next(), nil
}

func (o *windowOperator) close() {
	if o.stream != nil {
		o.stream.close()
	}
	if o.ranged != nil {
		o.ranged.close()
	}
	if o.input != nil {
		o.input.close()
	}
	o.account.close()
	o.pending, o.out = nil, pieces{}
}

// hold accounts rows, and those that are pending.
func (o *windowOperator) hold(rows ...vec.Batch) error {
	o.weigh = footprint{}
	bytes := int64(0)
	for _, b := range append(rows, o.pending...) {
		bytes += o.weigh.of(b)
	}
	return o.account.set(bytes)
}

// toCompute is how much it takes, about, to compute the pending rows, beside themselves: a copy, where partitions, peers and frames are, results.
func (o *windowOperator) toCompute() int64 { return o.account.held + toCompute(o.node, o.rows) }

func toCompute(n *plan.Window, rows int) int64 {
	return int64(rows) * int64(2*rangeBytes+4+32*len(n.Calls))
}

// takeIn returns whole partitions, at least a batch of rows if there are as many and memory for them, and the rows with which they begin. Or it
// begins to stream one.
func (o *windowOperator) takeIn() (vec.Batch, []int32, error) {
	if err := o.hold(); err != nil {
		return vec.Batch{}, nil, err
	}
	for !o.ended {
		b, err := o.input.next()
		switch {
		case errors.Is(err, io.EOF):
			o.ended = true
			continue
		case err != nil:
			return vec.Batch{}, nil, err
		}
		o.findStarts(b)
		o.pending = append(o.pending, b)
		o.rows += b.Len
		if err := o.account.add(o.weigh.of(b)); err != nil {
			return vec.Batch{}, nil, err
		}
		whole := int(o.starts[len(o.starts)-1])
		full := o.ways != nil && !o.account.fits(o.toCompute())
		if whole >= o.run.batchRows || full && whole > 0 {
			return o.release(whole)
		}
		if full {
			o.stream = o.newStream()
			return vec.Batch{}, nil, nil
		}
	}
	if o.rows == 0 {
		return vec.Batch{}, nil, io.EOF
	}
	return o.release(o.rows)
}

// findStarts notes the partitions that begin in b, which follows the rows in pending.
func (o *windowOperator) findStarts(b vec.Batch) {
	if o.rows == 0 || !o.goesOn(o.pending[len(o.pending)-1], b) {
		o.starts = append(o.starts, int32(o.rows))
	}
	for i, same := range likeBefore(o.partitionOf(b), b.Len) {
		if !same {
			o.starts = append(o.starts, int32(o.rows+i+1))
		}
	}
}

func (o *windowOperator) partitionOf(b vec.Batch) []arrow.Array {
	return b.Cols[o.width:][:len(o.node.PartitionBy)]
}

// goesOn reports whether b begins in the partition that before ends in.
func (o *windowOperator) goesOn(before, b vec.Batch) bool {
	same := []bool{true}
	for i, key := range o.partitionOf(b) {
		vec.EqualAt(before.Cols[o.width+i], []int32{int32(before.Len - 1)}, key, []int32{0}, same)
	}
	return same[0]
}

// likeBefore says for each of n rows but the first whether the columns are equal, as grouping takes it, to those in the row before.
func likeBefore(cols []arrow.Array, n int) []bool {
	rows, same := make([]int32, n), make([]bool, n-1)
	for i := range rows {
		rows[i] = int32(i)
	}
	for i := range same {
		same[i] = true
	}
	for _, col := range cols {
		vec.EqualAt(col, rows[:n-1], col, rows[1:], same)
	}
	return same
}

// release takes the first n rows, which are whole partitions, out of pending.
func (o *windowOperator) release(n int) (vec.Batch, []int32, error) {
	var whole []vec.Batch
	o.rows -= n
	for left := n; left > 0; {
		b := o.pending[0]
		if b.Len > left {
			o.pending[0] = b.Slice(left, b.Len)
			b = b.Slice(0, left)
		} else {
			o.pending = o.pending[1:]
		}
		whole = append(whole, b)
		left -= b.Len
	}
	at, _ := slices.BinarySearch(o.starts, int32(n))
	starts := o.starts[:at:at]
	o.starts = slices.Clone(o.starts[at:])
	for i := range o.starts {
		o.starts[i] -= int32(n)
	}
	if len(whole) > 1 {
		if err := o.account.set(2 * o.account.held); err != nil { // for a moment the rows are there twice
			return vec.Batch{}, nil, err
		}
	}
	b, err := vec.ConcatBatches(whole)
	if err != nil {
		return vec.Batch{}, nil, sqlerr.Wrap(sqlerr.Resource, err, "a partition of a window is too large")
	}
	return b, starts, nil
}

// compute returns the input's columns and those of the functions for whole partitions that begin at starts.
func (o *windowOperator) compute(b vec.Batch, starts []int32) (vec.Batch, error) {
	w, err := newWindowRows(o, b, starts)
	if err != nil {
		return vec.Batch{}, err
	}
	out := vec.Batch{Len: b.Len, Cols: pick(b.Cols, o.kept)}
	for i := range o.node.Calls {
		col, err := w.evaluate(&o.node.Calls[i])
		if err != nil {
			return vec.Batch{}, err
		}
		out.Cols = append(out.Cols, col)
		w.bytes += w.seen.of(vec.Batch{Cols: []arrow.Array{col}})
	}
	return out, w.reserve(0)
}

// windowRows are partitions in the order of a window, to be seen by its functions.
type windowRows struct {
	*windowOperator
	batch      vec.Batch     // only the input's columns
	order      []arrow.Array // the sort keys
	partitions fn.RowRanges
	peers      fn.RowRanges
	groups     []int32 // the rows with which groups of peers begin
	frames     []framed
	bytes      int64 // held until all functions are computed
	seen       footprint
}

// framed is a frame that is known of every row.
type framed struct {
	plan.Frame
	rows fn.RowRanges
}

func newWindowRows(o *windowOperator, b vec.Batch, starts []int32) (*windowRows, error) {
	w := &windowRows{
		windowOperator: o, batch: vec.Batch{Len: b.Len, Cols: b.Cols[:o.width]}, order: b.Cols[len(b.Cols)-len(o.node.OrderBy):],
	}
	w.bytes = w.seen.of(b)
	for _, rest := range o.pending {
		w.bytes += w.seen.of(rest)
	}
	w.bytes += 2*rangeBytes*int64(b.Len) + 4*int64(b.Len)
	if err := w.reserve(0); err != nil {
		return nil, err
	}
	w.partitions = rangesOf(starts, b.Len)
	if !slices.ContainsFunc(o.node.Calls, needsPeers) {
		return w, nil
	}
	w.groups = []int32{0}
	for i, same := range likeBefore(w.order, b.Len) {
		if !same || w.partitions.Start[i+1] == int32(i+1) {
			w.groups = append(w.groups, int32(i+1))
		}
	}
	w.peers = rangesOf(w.groups, b.Len)
	return w, nil
}

// reserve accounts bytes beside those that are held for all functions. It is also where a cancelled query stops.
func (w *windowRows) reserve(bytes int64) error {
	if w.worker.ctx.Err() != nil {
		return cancelled(w.worker.ctx)
	}
	return w.account.set(w.bytes + bytes)
}

// rangeBytes is what fn.RowRanges takes for a row.
const rangeBytes = 8

// rangesOf gives each of n rows the run that it is in; starts are where the runs begin, the first one at 0.
func rangesOf(starts []int32, n int) fn.RowRanges {
	r := newRanges(n)
	for k, start := range starts {
		end := int32(n)
		if k+1 < len(starts) {
			end = starts[k+1]
		}
		for i := start; i < end; i++ {
			r.Start[i], r.End[i] = start, end
		}
	}
	return r
}

func newRanges(n int) fn.RowRanges {
	return fn.RowRanges{Start: make([]int32, n), End: make([]int32, n)}
}

// evaluate computes a function for every row.
func (w *windowRows) evaluate(call *plan.WindowCall) (arrow.Array, error) {
	n := w.batch.Len
	c := &fn.WindowCall{Result: call.T, Len: n, IgnoreNulls: call.IgnoreNulls, Partition: w.partitions, Peers: w.peers}
	own := int64(0) // bytes for this function
	if o := w.windowOperator; o.before > 0 && call.Fn.Placed() {
		c.Partition.Start = slices.Clone(c.Partition.Start)
		for i := range c.Partition.End[0] {
			c.Partition.Start[i] = -o.before
		}
	}
	c.Reserve = func(bytes int64) error { return w.reserve(own + bytes) }
	for _, arg := range call.Args {
		d, err := w.eval(arg)
		if err != nil {
			return nil, err
		}
		c.Args, c.Types = append(c.Args, d), append(c.Types, arg.Type())
		if _, column := arg.(*expr.Column); !column {
			own += vec.Size(d.Arr)
		}
	}
	if call.Filter != nil {
		rows, all, err := expr.Select([]expr.Expr{call.Filter}, w.batch, w.run.session)
		if err != nil {
			return nil, err
		}
		if !all {
			c.Counts = make([]bool, n)
			own += int64(n)
			for _, row := range rows {
				c.Counts[row] = true
			}
		}
	}
	if call.Fn.Framed {
		var err error
		if c.Frame, err = w.frame(call.Frame); err != nil {
			return nil, err
		}
	}
	if err := c.Reserve(0); err != nil {
		return nil, err
	}
	return call.Overload.Eval(c)
}

// eval evaluates e for every row, a batch at a time: what is computed for one batch has a limit.
func (w *windowRows) eval(e expr.Expr) (vec.Datum, error) {
	if _, column := e.(*expr.Column); column || w.batch.Len <= defaultBatchRows {
		return expr.Eval(e, w.batch, w.run.session)
	}
	var parts []arrow.Array
	for from := 0; from < w.batch.Len; from += defaultBatchRows {
		part := w.batch.Slice(from, min(from+defaultBatchRows, w.batch.Len))
		d, err := expr.Eval(e, part, w.run.session)
		if err != nil || d.Const {
			return d, err
		}
		parts = append(parts, vec.Column(d, part.Len))
		if err := w.reserve(0); err != nil {
			return vec.Datum{}, err
		}
	}
	all, err := vec.Concat(parts)
	return vec.Datum{Arr: all}, err
}
