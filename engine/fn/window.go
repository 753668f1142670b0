package fn

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// WindowFunction is one function of the rows around a row. Every aggregate is one, too; see LookupWindow.
type WindowFunction struct {
	Name      string
	Aliases   []string
	Doc       string
	Example   string
	Overloads []WindowOverload
	// Framed: the frame counts. The others see the whole partition, whatever the frame.
	Framed bool
	// Ordered: the window must have an ORDER BY and no frame of its own (lag, lead).
	Ordered bool
	// SkipsNulls: IGNORE NULLS may be said.
	SkipsNulls bool
	// Aggregate is what is computed over each frame; nil for functions that are only window functions.
	Aggregate *Aggregate
}

// Placed reports whether a value depends only on where the row stands among its peers and in its partition, and on arguments of the row.
func (w *WindowFunction) Placed() bool { return !w.Framed && !w.Ordered }

// WindowOverload is one signature with its body; Sig and Result as in Overload.
type WindowOverload struct {
	Sig    string
	Result func(args []sqltype.Type) sqltype.Type
	Eval   func(c *WindowCall) (arrow.Array, error)

	sig       signature          // of Sig
	aggregate *AggregateOverload // of what is computed over each frame
}

// WindowCall is one evaluation of a body over Len rows, at least 1: whole partitions one after the other, each in the window's
// order. The result has Len rows. Arguments are plain or dictionary-coded columns, or Const.
type WindowCall struct {
	Args        []vec.Datum
	Result      sqltype.Type
	Types       []sqltype.Type // of the arguments
	Len         int
	IgnoreNulls bool
	Counts      []bool // of an aggregate: the rows that FILTER lets through; nil: all
	// Groups is how many groups of peers of the first partition come before the rows. It is 0 but for functions that look only at where a row
	// stands (see WindowFunction.Placed): these are also given a part of a partition, whose bounds then lie outside of the rows.
	Groups int64
	// Of each row: its partition, the peers, and, if the function is Framed, the frame. A frame lies inside of the partition.
	Partition, Peers, Frame RowRanges
	// Reserve accounts what the body holds besides arguments and result, in all. Its error, which may come of a cancelled query,
	// ends the evaluation.
	Reserve func(bytes int64) error
}

// RowRanges are runs of rows, one for each row i: from Start[i] up to, but not including, End[i]. An empty one has equal ends.
type RowRanges struct{ Start, End []int32 }

var windowFunctions = []*WindowFunction{
	{
		Name:      "row_number",
		Doc:       "The number of the row in its partition, from 1 on, in the order of the window.",
		Example:   "row_number() OVER (ORDER BY x) FROM (VALUES 'b', 'a') t (x) → 1, 2",
		Overloads: []WindowOverload{{Sig: "() -> bigint", Eval: rowNumber}},
	},
	{
		Name:      "rank",
		Doc:       "One more than the rows of the partition that come before the row and its peers: equal rows have one rank, and the next ones leave a gap.",
		Example:   "rank() OVER (ORDER BY x) FROM (VALUES 1, 1, 2) t (x) → 1, 1, 3",
		Overloads: []WindowOverload{{Sig: "() -> bigint", Eval: rank}},
	},
	{
		Name:      "dense_rank",
		Doc:       "The number of the row's group of peers in its partition: rank without gaps.",
		Example:   "dense_rank() OVER (ORDER BY x) FROM (VALUES 1, 1, 2) t (x) → 1, 1, 2",
		Overloads: []WindowOverload{{Sig: "() -> bigint", Eval: denseRank}},
	},
	{
		Name:      "percent_rank",
		Doc:       "Where the row stands in its partition, from 0 to 1: (rank - 1) / (rows - 1), and 0 if it is the only one.",
		Example:   "percent_rank() OVER (ORDER BY x) FROM (VALUES 1, 2, 3) t (x) → 0.0, 0.5, 1.0",
		Overloads: []WindowOverload{{Sig: "() -> double", Eval: percentRank}},
	},
	{
		Name:      "cume_dist",
		Doc:       "The share of the partition's rows that come before the row or are its peers.",
		Example:   "cume_dist() OVER (ORDER BY x) FROM (VALUES 1, 2) t (x) → 0.5, 1.0",
		Overloads: []WindowOverload{{Sig: "() -> double", Eval: cumeDist}},
	},
	{
		Name:      "ntile",
		Doc:       "The number of the row's bucket, where the partition is dealt out into so many buckets of equal size; the first ones take what is left over.",
		Example:   "ntile(2) OVER (ORDER BY x) FROM (VALUES 1, 2, 3) t (x) → 1, 1, 2",
		Overloads: []WindowOverload{{Sig: "(bigint) -> bigint", Eval: ntile}},
	},
	{
		Name: "lag", Ordered: true, SkipsNulls: true,
		Doc:       "The value in the row so many before this one (1 if not said); where there is none, NULL or the third argument.",
		Example:   "lag(x) OVER (ORDER BY x) FROM (VALUES 1, 2) t (x) → NULL, 1",
		Overloads: neighbours(lag),
	},
	{
		Name: "lead", Ordered: true, SkipsNulls: true,
		Doc:       "The value in the row so many behind this one (1 if not said); where there is none, NULL or the third argument.",
		Example:   "lead(x, 1, 0) OVER (ORDER BY x) FROM (VALUES 1, 2) t (x) → 2, 0",
		Overloads: neighbours(lead),
	},
	{
		Name: "first_value", Framed: true, SkipsNulls: true,
		Doc:       "The value in the first row of the frame.",
		Example:   "first_value(x) OVER (ORDER BY x) FROM (VALUES 1, 2) t (x) → 1, 1",
		Overloads: []WindowOverload{{Sig: "(T) -> T", Eval: firstValue}},
	},
	{
		Name: "last_value", Framed: true, SkipsNulls: true,
		Doc:       "The value in the last row of the frame, which without a ROWS or RANGE clause is the current row or a peer of it.",
		Example:   "last_value(x) OVER (ORDER BY x) FROM (VALUES 1, 2) t (x) → 1, 2",
		Overloads: []WindowOverload{{Sig: "(T) -> T", Eval: lastValue}},
	},
	{
		Name: "nth_value", Framed: true, SkipsNulls: true,
		Doc:       "The value in the row of the frame that has this number, from 1 on; NULL if the frame has fewer rows.",
		Example:   "nth_value(x, 2) OVER (ORDER BY x) FROM (VALUES 1, 2) t (x) → NULL, 2",
		Overloads: []WindowOverload{{Sig: "(T, bigint) -> T", Eval: nthValue}},
	},
}

// neighbours are the signatures of lag and lead.
func neighbours(eval func(*WindowCall) (arrow.Array, error)) []WindowOverload {
	return []WindowOverload{
		{Sig: "(T) -> T", Eval: eval}, {Sig: "(T, bigint) -> T", Eval: eval}, {Sig: "(T, bigint, T) -> T", Eval: eval},
	}
}

// overFrames are the aggregates as window functions.
func overFrames(a *Aggregate) *WindowFunction {
	w := &WindowFunction{Name: a.Name, Aliases: a.Aliases, Doc: a.Doc, Example: a.Example, Framed: true, Aggregate: a}
	for i := range a.Overloads {
		o := &a.Overloads[i]
		eval := func(c *WindowCall) (arrow.Array, error) { return aggregateFrames(a, o, c) }
		w.Overloads = append(w.Overloads, WindowOverload{Sig: o.Sig, Result: o.Result, Eval: eval, aggregate: o})
	}
	return w
}

func rowNumber(c *WindowCall) (arrow.Array, error) {
	out := make([]int64, c.Len)
	for i, start := range c.Partition.Start {
		out[i] = int64(i) - int64(start) + 1
	}
	return write(c.Result, out, nil)
}

func rank(c *WindowCall) (arrow.Array, error) {
	out := make([]int64, c.Len)
	for i, start := range c.Partition.Start {
		out[i] = int64(c.Peers.Start[i]-start) + 1
	}
	return write(c.Result, out, nil)
}

func denseRank(c *WindowCall) (arrow.Array, error) {
	out, n := make([]int64, c.Len), c.Groups
	for i := range out {
		switch int32(i) {
		case c.Partition.Start[i]:
			n = 1
		case c.Peers.Start[i]:
			n++
		}
		out[i] = n
	}
	return write(c.Result, out, nil)
}

func percentRank(c *WindowCall) (arrow.Array, error) {
	out := make([]float64, c.Len)
	for i, start := range c.Partition.Start {
		others := max(1, c.Partition.End[i]-start-1)
		out[i] = float64(c.Peers.Start[i]-start) / float64(others)
	}
	return write(c.Result, out, nil)
}

func cumeDist(c *WindowCall) (arrow.Array, error) {
	out := make([]float64, c.Len)
	for i, start := range c.Partition.Start {
		out[i] = float64(c.Peers.End[i]-start) / float64(c.Partition.End[i]-start)
	}
	return write(c.Result, out, nil)
}

func ntile(c *WindowCall) (arrow.Array, error) {
	out, nulls := make([]int64, c.Len), nullRows(c.Args, c.Len)
	buckets := columnOf[int64](c.Args[0])
	for i, start := range c.Partition.Start {
		if nulls != nil && nulls[i] {
			continue
		}
		n := buckets.at(i)
		if n < 1 {
			return nil, valueError("ntile takes a number of buckets from 1 on, not %d", n)
		}
		rows, row := int64(c.Partition.End[i]-start), int64(i)-int64(start)
		size, larger := rows/n, rows%n // that many buckets have one row more
		if row < larger*(size+1) {
			out[i] = row/(size+1) + 1
		} else {
			out[i] = (row-larger)/size + 1
		}
	}
	return write(c.Result, out, nulls)
}

func lag(c *WindowCall) (arrow.Array, error)  { return neighbour(c, -1) }
func lead(c *WindowCall) (arrow.Array, error) { return neighbour(c, 1) }

// neighbour is the value so many rows away in the given direction. With IGNORE NULLS only rows that have a value are counted, but 0
// is the row itself.
func neighbour(c *WindowCall, direction int64) (arrow.Array, error) {
	values, offsets := vec.Column(c.Args[0], c.Len), column[int64]{values: []int64{1}}
	var nulls []bool
	if len(c.Args) > 1 {
		offsets, nulls = columnOf[int64](c.Args[1]), nullRows(c.Args[1:2], c.Len)
	}
	other, step := int32(-1), int32(0) // where the default is found: row other + step·i of values and default together
	if len(c.Args) > 2 {
		var err error
		if values, err = vec.Concat([]arrow.Array{values, c.Args[2].Arr}); err != nil {
			return nil, err
		}
		other = int32(c.Len)
		if !c.Args[2].Const {
			step = 1
		}
	}
	present := presentRows(c, values)
	rows := make([]int32, c.Len)
	for i := range rows {
		if nulls != nil && nulls[i] {
			rows[i] = -1
			continue
		}
		offset := offsets.at(i)
		if offset < 0 {
			return nil, valueError("the offset of lag and lead must be 0 or more, not %d", offset)
		}
		rows[i] = other + step*int32(i)
		if offset == 0 {
			rows[i] = int32(i)
			continue
		}
		offset = min(offset, math.MaxInt32)
		from, to, at := c.Partition.Start[i], c.Partition.End[i], int64(i)
		if present != nil { // the same among the rows that have a value
			at = int64(present.before[i])
			if direction > 0 && present.before[i+1] == present.before[i] {
				at-- // this row is none of them: the next one is the first behind it
			}
			from, to = present.before[from], present.before[to]
		}
		if at += direction * offset; at >= int64(from) && at < int64(to) {
			rows[i] = present.row(int32(at))
		}
	}
	return vec.Take(values, rows), nil
}

func firstValue(c *WindowCall) (arrow.Array, error) {
	return frameValue(c, func(from, _ []int32, rows []int32) error {
		copy(rows, from)
		return nil
	})
}

func lastValue(c *WindowCall) (arrow.Array, error) {
	return frameValue(c, func(_, to []int32, rows []int32) error {
		for i := range rows {
			rows[i] = to[i] - 1
		}
		return nil
	})
}

func nthValue(c *WindowCall) (arrow.Array, error) {
	numbers, nulls := columnOf[int64](c.Args[1]), nullRows(c.Args[1:2], c.Len)
	return frameValue(c, func(from, to []int32, rows []int32) error {
		for i := range rows {
			n := numbers.at(i)
			switch {
			case nulls != nil && nulls[i]:
				rows[i] = -1
			case n < 1 && c.Frame.Start[i] < c.Frame.End[i]:
				return valueError("nth_value counts from 1 on, not from %d", n)
			default:
				rows[i] = int32(min(int64(from[i])+min(n, math.MaxInt32)-1, int64(to[i])))
			}
		}
		return nil
	})
}

// frameValue takes the value of one row of each frame. choose is given the frames, counted in rows that have a value where NULLs are
// ignored, and sets the row for each; one outside of the frame gives NULL.
func frameValue(c *WindowCall, choose func(from, to, rows []int32) error) (arrow.Array, error) {
	values := vec.Column(c.Args[0], c.Len)
	from, to := c.Frame.Start, c.Frame.End
	present := presentRows(c, values)
	if present != nil {
		from, to = present.numbers(from), present.numbers(to)
	}
	rows := make([]int32, c.Len)
	if err := choose(from, to, rows); err != nil {
		return nil, err
	}
	for i, row := range rows {
		if row < from[i] || row >= to[i] {
			rows[i] = -1
		} else {
			rows[i] = present.row(row)
		}
	}
	return vec.Take(values, rows), nil
}

// presence numbers the rows of a column that have a value.
type presence struct {
	rows   []int32 // in order
	before []int32 // of each row, and of the end: how many of them come before it
}

// presentRows is nil where NULLs count like other values.
func presentRows(c *WindowCall, values arrow.Array) *presence {
	if !c.IgnoreNulls {
		return nil
	}
	is := make([]bool, c.Len)
	for i, null := range nullRows([]vec.Datum{{Arr: values}}, c.Len) {
		is[i] = null
	}
	for i := range is {
		is[i] = !is[i]
	}
	return present(is)
}

func present(is []bool) *presence {
	p := &presence{before: make([]int32, len(is)+1)}
	for i, yes := range is {
		p.before[i] = int32(len(p.rows))
		if yes {
			p.rows = append(p.rows, int32(i))
		}
	}
	p.before[len(is)] = int32(len(p.rows))
	return p
}

// row is the row that has the number; of a nil presence each row is its own.
func (p *presence) row(number int32) int32 {
	if p == nil {
		return number
	}
	return p.rows[number]
}

// numbers turns rows into how many present ones come before them.
func (p *presence) numbers(rows []int32) []int32 {
	out := make([]int32, len(rows))
	for i, row := range rows {
		out[i] = p.before[row]
	}
	return out
}
