package exec

import (
	"sort"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/vec"
)

// Sorted rows that are in memory need not be gone through one after the other: each worker takes a range of them, which are whole partitions,
// or, if no function sees further than a few rows, rows with those few around them.

// haloOf is how many rows before and behind a row its functions see at most, besides its place in the partition; -1: who knows.
func haloOf(calls []streamedCall) int {
	if calls == nil {
		return -1
	}
	halo := int64(0)
	for _, c := range calls {
		switch {
		case c.way == nearby:
			halo = max(halo, c.before, c.after)
		case c.Fn.Name != "row_number":
			return -1
		}
	}
	return int(halo)
}

// needsPeers reports whether a function must know which rows are peers.
func needsPeers(c plan.WindowCall) bool {
	switch {
	case c.Fn.Placed():
		return c.Fn.Name != "row_number" && c.Fn.Name != "ntile"
	case c.Fn.Ordered:
		return false
	}
	return c.Frame.Unit != plan.Rows
}

// begin cuts the rows into ranges, if they are sorted, in memory, and no range is too large.
func (o *windowOperator) begin() error {
	s, ok := o.input.(*sortOperator)
	if !ok {
		return nil
	}
	if err := s.takeIn(); err != nil || s.merged != nil || len(s.order) == 0 {
		return err
	}
	starts, err := o.startsOf(s)
	if err != nil {
		return err
	}
	if err := s.sorted.account.add(4 * int64(cap(starts))); err != nil {
		return err
	}
	ends := o.endsOfRanges(starts, len(s.order))
	largest, from := 0, 0
	for _, to := range ends {
		largest, from = max(largest, to-from), to
	}
	rows := s.sorted.columns.sum() / int64(len(s.order)) * int64(largest)
	if o.ways != nil && !o.account.fits(rows+toCompute(o.node, largest)) {
		return nil
	}
	r := ranges{windowOperator: o, sorted: s, starts: starts, wanted: o.wanted(s)}
	o.ranged = o.run.rows(o.worker, o.account.meter, flow{tasks: len(ends), open: func(w *worker, task int) operator {
		from := 0
		if task > 0 {
			from = ends[task-1]
		}
		return &rangeOperator{
			onceOperator{worker: w, meter: o.account.meter, make: func() (vec.Batch, error) { return r.compute(w, from, ends[task]) }},
			pieces{most: o.run.batchRows},
		}
	}})
	return nil
}

// rangeOperator puts out one range, a batch at a time.
type rangeOperator struct {
	onceOperator
	out pieces
}

func (o *rangeOperator) next() (vec.Batch, error) {
	if o.out.empty() {
		var err error
		if o.out.rest, err = o.onceOperator.next(); err != nil {
			return vec.Batch{}, err
		}
	}
	return o.out.next(), nil
}

// endsOfRanges says where ranges of n rows end, of which each but the last has a batch of rows at least.
func (o *windowOperator) endsOfRanges(starts []int32, n int) (ends []int) {
	most := o.run.batchRows
	if o.halo >= 0 {
		for from := 0; from < n; {
			from = min(from+max(most, 4*o.halo), n)
			ends = append(ends, from)
		}
		return ends
	}
	from := 0
	for _, start := range starts {
		if int(start)-from >= most {
			from = int(start)
			ends = append(ends, from)
		}
	}
	return append(ends, n)
}

// startsOf are the places in the sorted rows with which partitions begin.
func (o *windowOperator) startsOf(s *sortOperator) ([]int32, error) {
	const piece = 1 << 16
	keys := o.partitionOf(s.put(s.sorted.rows[0]))
	parts := make([][]int32, (len(s.order)+piece-1)/piece)
	var failed error
	o.run.team(o.worker, &failed)(len(parts), func(i int) {
		from, to := i*piece, min((i+1)*piece, len(s.order)-1)
		if i == 0 {
			parts[0] = []int32{0}
		}
		if from >= to {
			return
		}
		same := make([]bool, to-from)
		for j := range same {
			same[j] = true
		}
		for _, key := range keys {
			vec.EqualAt(key, s.order[from:to], key, s.order[from+1:to+1], same)
		}
		for j, same := range same {
			if !same {
				parts[i] = append(parts[i], int32(from+j+1))
			}
		}
	})
	var starts []int32
	for _, part := range parts {
		starts = append(starts, part...)
	}
	return starts, failed
}

// wanted says which of the columns that s puts out the window reads or passes on.
func (o *windowOperator) wanted(s *sortOperator) []bool {
	wanted := make([]bool, o.width+len(s.at))
	for _, c := range o.kept {
		wanted[c] = true
	}
	peers := false
	for _, call := range o.node.Calls {
		for _, e := range call.Exprs() {
			expr.Walk(e, func(e expr.Expr) bool {
				if c, ok := e.(*expr.Column); ok && c.Index >= 0 {
					wanted[c.Index] = true
				}
				return true
			})
		}
		peers = peers || needsPeers(call)
	}
	if peers {
		for i := range o.node.OrderBy {
			wanted[len(wanted)-1-i] = true
		}
	}
	return wanted
}

// ranges are what is computed, in the order of sorted.
type ranges struct {
	*windowOperator
	sorted *sortOperator
	starts []int32 // the places with which partitions begin
	wanted []bool  // see windowOperator.wanted
}

// compute returns the rows at places from … to-1 with the functions.
func (r *ranges) compute(w *worker, from, to int) (vec.Batch, error) {
	// The partitions that the first and the last row are in, and what the functions see of them.
	first := sort.Search(len(r.starts), func(i int) bool { return int(r.starts[i]) > from }) - 1
	next := sort.Search(len(r.starts), func(i int) bool { return int(r.starts[i]) >= to })
	begin, end := int(r.starts[first]), len(r.sorted.order)
	if next < len(r.starts) {
		end = int(r.starts[next])
	}
	if r.halo >= 0 {
		begin, end = max(begin, from-r.halo), min(end, to+r.halo)
	}
	starts := []int32{0}
	for _, start := range r.starts[first+1 : next] {
		starts = append(starts, start-int32(begin))
	}
	own := &windowOperator{
		run: r.run, worker: w, node: r.node, width: r.width, kept: r.kept, account: r.account, before: int32(begin) - r.starts[first],
	}
	own.account.held = 0
	defer own.account.close()
	b := r.sorted.take(r.sorted.order[begin:end], func(column int) bool { return r.wanted[column] })
	out, err := own.compute(b, starts)
	if err != nil {
		return vec.Batch{}, err
	}
	return out.Slice(from-begin, to-begin), nil
}
