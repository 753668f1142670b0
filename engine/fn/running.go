package fn

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/vec"
)

// Running computes an aggregate over frames that begin with a partition and grow, from rows that come a part at a time. Doubles are added up in
// another order than row by row, so that the last digit may differ.
type Running struct {
	aggregate *Aggregate
	empty     func() Accumulator
	so        Accumulator // the state of the rows so far, as group 0
}

// NewRunning is false if the states of the aggregate grow, so that copies of them are no good.
func NewRunning(w *WindowFunction, o *WindowOverload, c *WindowCall) (*Running, bool) {
	if w.Aggregate == nil {
		return nil, false
	}
	r := &Running{aggregate: w.Aggregate, empty: func() Accumulator { return o.aggregate.New(c.Types, c.Result) }}
	r.so = r.empty()
	_, grows := r.so.(growing)
	return r, !grows
}

// Add takes in the rows of c, whose Args, Len and Counts are set, and returns the aggregate of all rows before each of ends, which ascend
// from 0 to c.Len.
func (r *Running) Add(c *WindowCall, ends []int32) (arrow.Array, error) {
	level := r.empty() // of each end: the rows from the end before it on; then those that are behind all ends
	counts := c.counted(r.aggregate)
	var rows []int32
	var groups []uint32
	n := uint32(0)
	for i := range int32(c.Len) {
		for int(n) < len(ends) && ends[n] <= i {
			n++
		}
		if counts == nil || counts[i] {
			rows, groups = append(rows, i), append(groups, n)
		}
	}
	args := make([]vec.Datum, len(c.Args))
	for i, arg := range c.Args {
		if args[i] = arg; !arg.Const && len(rows) < c.Len {
			args[i].Arr = vec.Take(arg.Arr, rows)
		}
	}
	size := len(ends) + 1
	if err := level.Update(args, groups, size); err != nil {
		return nil, err
	}
	// States are added to those that are 1, 2, 4, … places behind them, until each has all before it, and those of the rows before.
	numbers := make([]uint32, size)
	for i := range numbers {
		numbers[i] = uint32(i)
	}
	for d := 1; d < size; d *= 2 {
		if err := level.Merge(level.Gather(numbers[:size-d]), numbers[d:], size); err != nil {
			return nil, err
		}
	}
	if err := level.Merge(r.so.Gather(make([]uint32, size)), numbers, size); err != nil {
		return nil, err
	}
	r.so = level.Gather(numbers[size-1:])
	if len(ends) == 0 {
		return nil, nil
	}
	out, err := level.Result(size)
	if err != nil {
		return nil, err
	}
	return vec.Slice(out, 0, len(ends)), nil
}

// Whole computes an aggregate over a whole partition, from rows that come a part at a time.
type Whole struct {
	aggregate *Aggregate
	of        Accumulator
	groups    []uint32 // zeros
}

// NewWhole begins with no rows; c has Types and Result.
func NewWhole(w *WindowFunction, o *WindowOverload, c *WindowCall) *Whole {
	return &Whole{aggregate: w.Aggregate, of: o.aggregate.New(c.Types, c.Result)}
}

// Add takes in the rows of c, whose Args, Len and Counts are set.
func (w *Whole) Add(c *WindowCall) error {
	counts := c.counted(w.aggregate)
	args, n := c.Args, c.Len
	if counts != nil {
		rows := present(counts).rows
		n = len(rows)
		args = make([]vec.Datum, len(c.Args))
		for i, arg := range c.Args {
			if args[i] = arg; !arg.Const {
				args[i].Arr = vec.Take(arg.Arr, rows)
			}
		}
	}
	for len(w.groups) < n {
		w.groups = append(w.groups, 0)
	}
	if n == 0 {
		return nil
	}
	return w.of.Update(args, w.groups[:n], 1)
}

// Result is the aggregate of all rows: one row.
func (w *Whole) Result() (arrow.Array, error) { return w.of.Result(1) }

// Bytes is the memory held.
func (w *Whole) Bytes() int64 { return w.of.Bytes() }
