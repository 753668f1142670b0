package fn

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/vec"
)

// growing is an accumulator whose states grow with their rows, or whose result depends on the order of these: frames do not share them.
type growing interface{ grows() }

func (*collected) grows()         {}
func (*histograms) grows()        {}
func (*distincts) grows()         {}
func (*percentiles[T]) grows()    {}
func (*numericHistograms) grows() {}

const (
	// mostRepeats is how often the rows of a partition are added to frames one by one, on average, before states are shared.
	mostRepeats = 64
	// maxAdded is how many rows are added at once.
	maxAdded = 1 << 16
)

// aggregateFrames computes an aggregate over the frame of each row. Frames are few where many rows have the same, and mostly narrow
// where they slide: then their rows are added one by one. Wide ones are put together from a tree of states (see frameTree), where the
// accumulator allows it.
func aggregateFrames(a *Aggregate, o *AggregateOverload, c *WindowCall) (arrow.Array, error) {
	f := &frames{call: c, args: slices.Clone(c.Args), empty: func() Accumulator { return o.New(c.Types, c.Result) }}
	f.total = f.empty()
	f.distinguish(c.counted(a))
	_, grows := f.total.(growing)
	for from := 0; from < len(f.of); {
		first, to := f.of[from], int(c.Partition.End[from])
		last, cost := f.of[to-1], 0
		for k := first; k <= last; k++ {
			cost += int(f.end[k] - f.start[k])
		}
		var err error
		if !grows && cost > mostRepeats*(to-from) {
			err = f.addShared(first, last)
		} else {
			err = f.addRows(first, last)
		}
		if err != nil {
			return nil, err
		}
		from = to
	}
	if err := f.flush(); err != nil {
		return nil, err
	}
	results, err := f.total.Result(len(f.start))
	if err != nil {
		return nil, err
	}
	rows := make([]int32, c.Len)
	for i, k := range f.of {
		rows[i] = int32(k)
	}
	return vec.Take(results, rows), nil
}

// counted says which rows reach the aggregate; nil: all.
func (c *WindowCall) counted(a *Aggregate) []bool {
	var nulls []bool
	if !a.KeepsNulls {
		nulls = nullRows(c.Args, c.Len)
	}
	if nulls == nil {
		return c.Counts
	}
	out := make([]bool, c.Len)
	for i := range out {
		out[i] = !nulls[i] && (c.Counts == nil || c.Counts[i])
	}
	return out
}

// frames are the distinct frames of a call's rows, each a run of rows that count, and the group of the total with the same number.
type frames struct {
	call       *WindowCall
	args       []vec.Datum // only rows that count
	of         []uint32    // the frame of each row of the call, ascending
	start, end []int32
	empty      func() Accumulator
	total      Accumulator

	rows   []int32 // to be added to the total, and
	groups []uint32
}

// distinguish fills in what there is to know of the frames. A frame belongs to one partition.
func (f *frames) distinguish(counts []bool) {
	c := f.call
	from, to := c.Frame.Start, c.Frame.End
	if counts != nil {
		p := present(counts)
		from, to = p.numbers(from), p.numbers(to)
		for i, arg := range f.args {
			if !arg.Const {
				f.args[i].Arr = vec.Take(arg.Arr, p.rows)
			}
		}
	}
	f.of = make([]uint32, c.Len)
	for i := range f.of {
		n := len(f.start)
		if int32(i) == c.Partition.Start[i] || from[i] != f.start[n-1] || to[i] != f.end[n-1] {
			f.start, f.end = append(f.start, from[i]), append(f.end, to[i])
			n++
		}
		f.of[i] = uint32(n - 1)
	}
}

// addRows adds the rows of the frames first … last to the total one by one.
func (f *frames) addRows(first, last uint32) error {
	for k := first; k <= last; k++ {
		for from := f.start[k]; from < f.end[k]; {
			to := min(f.end[k], from+int32(maxAdded-len(f.rows)))
			for ; from < to; from++ {
				f.rows, f.groups = append(f.rows, from), append(f.groups, k)
			}
			if len(f.rows) == maxAdded {
				if err := f.flush(); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// flush adds the rows that wait for it.
func (f *frames) flush() error {
	if len(f.rows) > 0 {
		args := make([]vec.Datum, len(f.args))
		for i, arg := range f.args {
			if args[i] = arg; !arg.Const {
				args[i].Arr = vec.Take(arg.Arr, f.rows)
			}
		}
		if err := f.total.Update(args, f.groups, len(f.start)); err != nil {
			return err
		}
		f.rows, f.groups = f.rows[:0], f.groups[:0]
	}
	return f.call.Reserve(f.total.Bytes() + bytesOf(f.rows) + bytesOf(f.groups) + 3*bytesOf(f.of))
}

// addShared adds the frames first … last, which are of one partition, by way of a segment tree: level 0 has the state of each row, level l those
// of 2^l rows each, and a frame is put together from at most two states of each level. A state that is inside of no frame is not made:
// it might fail, as a sum that is too large does.
func (f *frames) addShared(first, last uint32) error {
	base, top := f.start[first], f.end[first]
	for k := first; k <= last; k++ {
		base, top = min(base, f.start[k]), max(top, f.end[k])
	}
	rows := int(top - base)
	reach := make([]int32, rows) // the furthest end of the frames that start at a row or before it
	from, to := make([]int32, last-first+1), make([]int32, last-first+1)
	for i := range from {
		k := first + uint32(i)
		from[i], to[i] = f.start[k]-base, f.end[k]-base
		if from[i] < to[i] {
			reach[from[i]] = max(reach[from[i]], to[i])
		}
	}
	for i := 1; i < rows; i++ {
		reach[i] = max(reach[i], reach[i-1])
	}
	level, err := f.leaves(base, rows)
	if err != nil {
		return err
	}
	for width := 1; ; width *= 2 {
		var nodes, groups []uint32
		for i := range from { // from and to count states of this level
			if from[i] < to[i] && from[i]&1 == 1 {
				nodes, groups = append(nodes, uint32(from[i])), append(groups, first+uint32(i))
				from[i]++
			}
		}
		if err := f.addStates(level, nodes, groups); err != nil {
			return err
		}
		nodes, groups = nodes[:0], groups[:0]
		open := false
		for i := range from {
			if from[i] < to[i] && to[i]&1 == 1 {
				to[i]--
				nodes, groups = append(nodes, uint32(to[i])), append(groups, first+uint32(i))
			}
			open = open || from[i] < to[i]
			from[i], to[i] = from[i]/2, to[i]/2
		}
		if err := f.addStates(level, nodes, groups); err != nil || !open {
			return err
		}
		if level, err = parents(level, reach, width); err != nil {
			return err
		}
		if err := f.call.Reserve(f.total.Bytes() + 2*level.Bytes() + bytesOf(from) + bytesOf(to) + bytesOf(reach) + 3*bytesOf(f.of)); err != nil {
			return err
		}
	}
}

// leaves has the state of each row that counts, from base on.
func (f *frames) leaves(base int32, rows int) (Accumulator, error) {
	level := f.empty()
	args := make([]vec.Datum, len(f.args))
	for i, arg := range f.args {
		if args[i] = arg; !arg.Const {
			args[i].Arr = vec.Slice(arg.Arr, int(base), int(base)+rows)
		}
	}
	groups := make([]uint32, rows)
	for i := range groups {
		groups[i] = uint32(i)
	}
	return level, level.Update(args, groups, rows)
}

func (f *frames) addStates(level Accumulator, nodes, groups []uint32) error {
	if len(nodes) == 0 {
		return nil
	}
	return f.total.Merge(level.Gather(nodes), groups, len(f.start))
}

// parents returns the states of twice the width. Those that are inside of no frame are not whole.
func parents(level Accumulator, reach []int32, width int) (Accumulator, error) {
	n := len(reach) / width / 2
	lefts := make([]uint32, n)
	var rights, groups []uint32
	for i := range lefts {
		lefts[i] = uint32(2 * i)
		if int(reach[2*i*width]) >= 2*(i+1)*width {
			rights, groups = append(rights, uint32(2*i+1)), append(groups, uint32(i))
		}
	}
	next := level.Gather(lefts)
	if len(rights) == 0 {
		return next, nil
	}
	return next, next.Merge(level.Gather(rights), groups, n)
}
