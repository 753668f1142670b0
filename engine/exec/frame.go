package exec

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// frame returns the frame of every row. It lies inside of the row's partition; where it would end before it starts it is empty.
func (w *windowRows) frame(f plan.Frame) (fn.RowRanges, error) {
	for _, known := range w.frames {
		if known.Equal(f) {
			return known.rows, nil
		}
	}
	w.bytes += rangeBytes * int64(w.batch.Len)
	if err := w.reserve(0); err != nil {
		return fn.RowRanges{}, err
	}
	var rows fn.RowRanges
	var err error
	if rows.Start, err = w.bound(f.Unit, f.Start, true); err != nil {
		return rows, err
	}
	if rows.End, err = w.bound(f.Unit, f.End, false); err != nil {
		return rows, err
	}
	for i, start := range rows.Start {
		rows.End[i] = max(rows.End[i], start)
	}
	w.frames = append(w.frames, framed{f, rows})
	return rows, nil
}

// bound returns one end of every row's frame, inside of its partition: the first row, or the one behind the last.
func (w *windowRows) bound(unit plan.FrameUnit, b plan.FrameBound, start bool) ([]int32, error) {
	switch {
	case b.Kind == plan.UnboundedPreceding:
		return slices.Clone(w.partitions.Start), nil
	case b.Kind == plan.UnboundedFollowing:
		return slices.Clone(w.partitions.End), nil
	case b.Kind == plan.CurrentRow && unit != plan.Rows:
		return slices.Clone(w.edgeOfPeers(start)), nil
	case b.Kind == plan.CurrentRow:
		return w.rowsAway([]int64{0}, true, start), nil
	}
	offset, err := w.eval(b.Offset)
	if err != nil {
		return nil, err
	}
	if err := checkOffset(b, offset); err != nil {
		return nil, err
	}
	if unit == plan.Range {
		return w.valuesAway(b, start)
	}
	offsets := offset.Arr.(*array.Int64).Int64Values()
	if b.Kind == plan.Preceding {
		offsets = slices.Clone(offsets)
		for i := range offsets {
			offsets[i] = -offsets[i]
		}
	}
	if unit == plan.Rows {
		return w.rowsAway(offsets, offset.Const, start), nil
	}
	return w.groupsAway(offsets, offset.Const, start), nil
}

// edgeOfPeers is each row's first peer, or the row behind its last.
func (w *windowRows) edgeOfPeers(start bool) []int32 {
	if start {
		return w.peers.Start
	}
	return w.peers.End
}

// checkOffset refuses offsets that are NULL or negative.
func checkOffset(b plan.FrameBound, offset vec.Datum) error {
	t := b.Offset.Type()
	var zero any = int64(0)
	switch t.Kind {
	case sqltype.Real, sqltype.Double:
		zero = 0.0
	case sqltype.Decimal:
		zero = decimal128.Num{}
	}
	bad := offset.Arr.NullN() > 0
	if !bad {
		negative, err := vec.Compare(vec.Lt, t, vec.Datum{Arr: offset.Arr}, vec.Datum{Arr: vec.FromValue(t, zero), Const: true}, offset.Arr.Len())
		if err != nil {
			return err
		}
		bad = len(vec.True(negative)) > 0
	}
	if bad {
		return sqlerr.New(sqlerr.Value, b.Pos, "the offset of a window's frame must not be negative or NULL")
	}
	return nil
}

// rowsAway is the bound that is so many rows behind each row, before it if negative. A constant offset is the first of one.
func (w *windowRows) rowsAway(offsets []int64, constant, start bool) []int32 {
	out := make([]int32, w.batch.Len)
	offset, behind := offsets[0], int64(1)
	if start {
		behind = 0
	}
	for i := range out {
		if !constant {
			offset = offsets[i]
		}
		from, to := int64(w.partitions.Start[i]), int64(w.partitions.End[i])
		out[i] = int32(min(max(min(offset, to)+int64(i)+behind, from), to))
	}
	return out
}

// groupsAway is the same in groups of peers.
func (w *windowRows) groupsAway(offsets []int64, constant, start bool) []int32 {
	out := make([]int32, w.batch.Len)
	offset, first, last := offsets[0], 0, 0 // groups of the row's partition
	for group, from := range w.groups {
		if from == w.partitions.Start[from] {
			first = group
			last, _ = slices.BinarySearch(w.groups, w.partitions.End[from])
			last--
		}
		for i := from; i < w.peers.End[from]; i++ {
			if !constant {
				offset = offsets[i]
			}
			to := int64(group) + min(offset, int64(len(w.groups)))
			switch {
			case to < int64(first):
				out[i] = w.partitions.Start[i]
			case to > int64(last):
				out[i] = w.partitions.End[i]
			case start:
				out[i] = w.groups[to]
			default:
				out[i] = w.peers.End[w.groups[to]]
			}
		}
	}
	return out
}

// valuesAway is the bound where the sort key reaches the edge of the row. A row whose key is NULL has its peers for a frame, and is in no other
// row's frame.
func (w *windowRows) valuesAway(b plan.FrameBound, start bool) ([]int32, error) {
	out := slices.Clone(w.edgeOfPeers(start))
	key, err := w.eval(b.Key)
	if err != nil {
		return nil, err
	}
	edge, err := w.eval(b.Edge)
	if err != nil {
		return nil, err
	}
	n := w.batch.Len
	if err := w.reserve(rankBytes * int64(n)); err != nil {
		return nil, err
	}
	keys := vec.Column(key, n)
	ranks, err := ranked(keys, vec.Column(edge, n), w.node.OrderBy[0].Desc)
	if err != nil {
		return nil, err
	}
	nulls := keys.NullN() > 0
	for from := int32(0); int(from) < n; {
		end := w.partitions.End[from]
		to := end
		for nulls && from < to && keys.IsNull(int(from)) {
			from++
		}
		for nulls && from < to && keys.IsNull(int(to-1)) {
			to--
		}
		for i := from; i < to; i++ {
			rank := ranks[n+int(i)]
			if !start {
				rank++
			}
			out[i] = firstFrom(ranks, from, to, rank)
		}
		from = end
	}
	return out, nil
}

// rankBytes is what it takes, about, to sort two keys of a row: beside themselves their ranks, twice what is sorted, and the order.
const rankBytes = 2 * (16 + 8 + 2*16 + 2*4)

// firstFrom is the first of the sorted ranks from … to-1 that is at least rank; to if there is none.
func firstFrom(ranks []int32, from, to, rank int32) int32 {
	for from < to {
		if middle := from + (to-from)/2; ranks[middle] < rank {
			from = middle + 1
		} else {
			to = middle
		}
	}
	return from
}

// ranked numbers the values of both columns alike, in their order: equal ones are equal, earlier ones less.
func ranked(a, b arrow.Array, desc bool) ([]int32, error) {
	all, err := vec.Concat([]arrow.Array{a, b})
	if err != nil {
		return nil, err
	}
	rows := vec.Sort([]vec.SortKey{{Arr: all, Desc: desc}}, all.Len())
	same := make([]bool, len(rows)-1)
	for i := range same {
		same[i] = true
	}
	vec.EqualAt(all, rows[:len(rows)-1], all, rows[1:], same)
	ranks, rank := make([]int32, len(rows)), int32(0)
	for i, row := range rows {
		if i > 0 && !same[i-1] {
			rank++
		}
		ranks[row] = rank
	}
	return ranks, nil
}
