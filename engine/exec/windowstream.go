package exec

import (
	"errors"
	"io"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// A partition that does not fit into memory is computed a batch at a time, if each function has a way for that. Where one must know what comes
// later, the rows go to a file first, and what was learned of them is there when they are read back: the number of rows, the results of
// aggregates over all of them, and for each group of peers where it ends and the aggregates up to there.

// way is how a function is computed so.
type way uint8

const (
	noWay    way = iota // all rows must be in memory
	byPlace             // from the place of the row
	byPlaceN            // the same, and the number of rows or the end of the peers
	nearby              // from rows near by, of which so many are held
	atFirst             // from the partition's first row
	atLast              // from its last row
	growing             // from the rows up to the current one
	byPeers             // from the rows up to the last peer of the current one
	overAll             // from all rows
)

// mostNearby is how many rows near by are held, before and behind a row together.
const mostNearby = 1 << 14

// streamedCall is a function with its way.
type streamedCall struct {
	*plan.WindowCall
	way           way
	before, after int64 // nearby

	running *fn.Running
	whole   *fn.Whole
	value   arrow.Array // one row, for all rows
	last    arrow.Array // byPeers, of no aggregate: the argument in the last row so far
}

// waysOf returns how the functions of a window are streamed; nil: one of them cannot be.
func (o *windowOperator) waysOf() []streamedCall {
	calls := make([]streamedCall, len(o.node.Calls))
	for i := range calls {
		c := streamedCall{WindowCall: &o.node.Calls[i]}
		if o.choose(&c); c.way == noWay || c.before+c.after > mostNearby {
			return nil
		}
		calls[i] = c
	}
	return calls
}

func (o *windowOperator) choose(c *streamedCall) {
	switch {
	case c.Fn.Placed():
		c.way = byPlaceN
		if slices.Contains([]string{"row_number", "rank", "dense_rank"}, c.Fn.Name) {
			c.way = byPlace
		}
		return
	case c.IgnoreNulls:
		return
	case c.Fn.Ordered:
		offset, constant := int64(1), true
		if len(c.Args) > 1 {
			offset, constant = constantOffset(c.Args[1])
		}
		if constant {
			c.way, c.before, c.after = nearby, offset, offset
		}
		return
	}
	start, end, unit := c.Frame.Start, c.Frame.End, c.Frame.Unit
	fromFirst := start.Kind == plan.UnboundedPreceding
	toPeers := end.Kind == plan.CurrentRow && unit != plan.Rows
	toLast := end.Kind == plan.UnboundedFollowing || toPeers && len(o.node.OrderBy) == 0 // then all rows are peers
	withCurrent := fromFirst || start.Kind == plan.CurrentRow || start.Kind == plan.Preceding && unit == plan.Rows
	switch aggregate := c.Fn.Aggregate != nil; {
	case aggregate && fromFirst && toLast:
		c.way = overAll
	case c.Fn.Name == "first_value" && fromFirst && (toLast || end.Kind == plan.CurrentRow):
		c.way = atFirst
	case c.Fn.Name == "last_value" && withCurrent && toLast:
		c.way = atLast
	case c.Fn.Name == "last_value" && fromFirst && end.Kind == plan.CurrentRow && unit == plan.Rows:
		c.way = nearby // the row itself
	case fromFirst && toPeers && (c.Fn.Name == "last_value" || aggregate && runs(c)):
		c.way = byPeers
	case fromFirst && end.Kind == plan.CurrentRow && unit == plan.Rows && aggregate && runs(c):
		c.way = growing
	case unit == plan.Rows:
		before, after := int64(0), int64(0)
		for _, b := range []plan.FrameBound{start, end} {
			if b.Kind == plan.CurrentRow {
				continue
			}
			offset, constant := constantOffset(b.Offset)
			if !constant {
				return
			}
			if b.Kind == plan.Preceding {
				before = max(before, offset)
			} else {
				after = max(after, offset)
			}
		}
		c.way, c.before, c.after = nearby, before, after
	}
}

// runs reports whether an aggregate can be computed over frames that grow.
func runs(c *streamedCall) bool {
	_, ok := fn.NewRunning(c.Fn, c.Overload, &fn.WindowCall{Result: c.T, Types: typesOf(c.Args)})
	return ok
}

func typesOf(es []expr.Expr) []sqltype.Type {
	types := make([]sqltype.Type, len(es))
	for i, e := range es {
		types[i] = e.Type()
	}
	return types
}

// constantOffset is the number that e is; false if it is none, or one that may not be.
func constantOffset(e expr.Expr) (int64, bool) {
	l, ok := e.(*expr.Literal)
	if !ok || l.IsNull() {
		return 0, false
	}
	n, ok := l.Value.(*array.Int64)
	if !ok || n.Value(0) < 0 || n.Value(0) > mostNearby {
		return 0, false
	}
	return n.Value(0), true
}

// windowStream computes one partition.
type windowStream struct {
	*windowOperator
	calls   []streamedCall
	own     account // of accumulators
	began   bool
	rows    operator // of the partition, in order
	ended   bool
	size    int64  // rows of the partition; -1: not known yet
	file    *spill // the rows, if they must be known before; nil: they are not in a file
	groups  *spill // of each group of peers: where it ends, and the values of the calls byPeers
	learned *spillReader

	held  vec.Batch // rows that are near by, not put out yet, or ahead
	done  int       // rows of held that are put out
	base  int64     // the number of held's first row
	peers peers
	ends  vec.Batch // of groups, from that of the last row put out on
}

// newStream begins with the partition that pending is the start of.
func (o *windowOperator) newStream() *windowStream {
	return &windowStream{
		windowOperator: o, calls: slices.Clone(o.ways), size: -1,
		own: account{budget: o.account.budget, meter: o.account.meter, doing: o.account.doing, try: o.account.try},
	}
}

func (s *windowStream) close() {
	for _, f := range []*spill{s.file, s.groups} {
		if f != nil {
			f.close()
		}
	}
	s.own.close()
}

// begin makes rows known: if a function must know what comes later, by reading them all.
func (s *windowStream) begin() error {
	s.began = true
	s.rows = &partitionRows{windowOperator: s.windowOperator}
	ahead, toPeers := false, false
	for i := range s.calls {
		c := &s.calls[i]
		call := &fn.WindowCall{Result: c.T, Types: typesOf(c.Args)}
		switch c.way {
		case overAll:
			c.whole = fn.NewWhole(c.Fn, c.Overload, call)
		case growing, byPeers:
			if c.Fn.Aggregate != nil {
				c.running, _ = fn.NewRunning(c.Fn, c.Overload, call)
			}
		}
		ahead = ahead || slices.Contains([]way{byPlaceN, atLast, byPeers, overAll}, c.way)
		toPeers = toPeers || c.way == byPlaceN || c.way == byPeers
	}
	if !ahead {
		return nil
	}
	types := typesOf(nil)
	for _, c := range s.node.Input.Schema() {
		types = append(types, c.Type)
	}
	for _, key := range s.node.SortKeys() {
		types = append(types, key.Expr.Type())
	}
	s.file = s.run.newSpill(s.account.meter, types)
	types = []sqltype.Type{sqltype.BigIntType}
	for _, c := range s.calls {
		if c.way == byPeers {
			types = append(types, c.T)
		}
	}
	if toPeers {
		s.groups = s.run.newSpill(s.account.meter, types)
	}
	var found peers
	rows, last := int64(0), vec.Batch{}
	err := drain(s.rows, func(b vec.Batch) error {
		ends := found.ends(s.orderOf(b), b.Len)
		if err := s.learn(b, ends, rows); err != nil {
			return err
		}
		rows += int64(b.Len)
		last = b.Slice(b.Len-1, b.Len)
		return s.file.write(b)
	})
	if err != nil {
		return err
	}
	if rows > math.MaxInt32 {
		return sqlerr.New(sqlerr.Resource, 0, "a partition of a window has more than %d rows", math.MaxInt32).WithHint("partition the window more finely")
	}
	if err := s.learn(last.Slice(0, 0), []int32{0}, rows); err != nil { // the last group
		return err
	}
	for i := range s.calls {
		c := &s.calls[i]
		switch c.way {
		case overAll:
			if c.value, err = c.whole.Result(); err != nil {
				return err
			}
			c.whole = nil
		case atLast:
			if c.value, err = s.valueOf(c.Args[0], last); err != nil {
				return err
			}
		}
	}
	s.size, s.rows = rows, s.file.reader()
	if toPeers {
		s.learned = s.groups.reader()
	}
	bytes := int64(0)
	for _, c := range s.calls {
		if c.value != nil {
			bytes += int64(s.run.batchRows) * vec.Size(c.value) // each row gets it
		}
	}
	return s.reserve(bytes)
}

// reserve accounts what functions hold. A little is the working set, and no error.
func (s *windowStream) reserve(bytes int64) error {
	if bytes <= s.account.budget.piece() {
		bytes = 0
	}
	return s.own.set(bytes)
}

// learn takes in rows, the first of which has this number; before each of ends a group of peers ends.
func (s *windowStream) learn(b vec.Batch, ends []int32, number int64) error {
	at := make([]int64, len(ends))
	for i, end := range ends {
		at[i] = number + int64(end)
	}
	group := vec.Batch{Len: len(ends), Cols: []arrow.Array{integers(at)}}
	bytes := int64(0)
	for i := range s.calls {
		c := &s.calls[i]
		if c.way != overAll && c.way != byPeers {
			continue
		}
		call, err := s.callOf(c, b)
		if err != nil {
			return err
		}
		if c.way == overAll {
			if err := c.whole.Add(call); err != nil {
				return err
			}
			bytes += c.whole.Bytes()
			continue
		}
		var values arrow.Array
		if c.running != nil {
			values, err = c.running.Add(call, ends)
		} else {
			values, err = c.lastBefore(call, ends)
		}
		if err != nil {
			return err
		}
		group.Cols = append(group.Cols, values)
	}
	if err := s.reserve(bytes); err != nil {
		return err
	}
	if s.groups == nil {
		return nil
	}
	return s.groups.write(group)
}

// lastBefore is the argument in the row before each of ends.
func (c *streamedCall) lastBefore(call *fn.WindowCall, ends []int32) (arrow.Array, error) {
	values, shift := vec.Column(call.Args[0], call.Len), int32(1)
	if c.last != nil {
		var err error
		if values, err = vec.Concat([]arrow.Array{c.last, values}); err != nil {
			return nil, err
		}
		shift = 0
	}
	rows := make([]int32, len(ends))
	for i, end := range ends {
		rows[i] = end - shift
	}
	if n := values.Len(); n > 0 {
		c.last = vec.Take(values, []int32{int32(n - 1)})
	}
	return vec.Take(values, rows), nil
}

// callOf has what a function gets of rows, but for where they are.
func (s *windowStream) callOf(c *streamedCall, b vec.Batch) (*fn.WindowCall, error) {
	in := vec.Batch{Len: b.Len, Cols: b.Cols[:s.width]}
	call := &fn.WindowCall{Result: c.T, Types: typesOf(c.Args), Len: b.Len, Reserve: func(int64) error { return nil }}
	for _, arg := range c.Args {
		d := vec.Datum{Arr: vec.Nulls(arg.Type(), 0)}
		if b.Len > 0 {
			var err error
			if d, err = expr.Eval(arg, in, s.run.session); err != nil {
				return nil, err
			}
		}
		call.Args = append(call.Args, d)
	}
	if c.Filter != nil && b.Len > 0 {
		rows, all, err := expr.Select([]expr.Expr{c.Filter}, in, s.run.session)
		if err != nil {
			return nil, err
		}
		if !all {
			call.Counts = make([]bool, b.Len)
			for _, row := range rows {
				call.Counts[row] = true
			}
		}
	}
	return call, nil
}

// valueOf is e in the first row of b.
func (s *windowStream) valueOf(e expr.Expr, b vec.Batch) (arrow.Array, error) {
	d, err := expr.Eval(e, vec.Batch{Len: 1, Cols: b.Slice(0, 1).Cols[:s.width]}, s.run.session)
	if err != nil {
		return nil, err
	}
	return vec.Column(d, 1), nil
}

func (s *windowStream) orderOf(b vec.Batch) []arrow.Array {
	return b.Cols[len(b.Cols)-len(s.node.OrderBy):]
}

// next returns rows of the partition with the functions; io.EOF at its end.
func (s *windowStream) next() (vec.Batch, error) {
	if !s.began {
		if err := s.begin(); err != nil {
			return vec.Batch{}, err
		}
	}
	before, after := int64(0), int64(0)
	for _, c := range s.calls {
		before, after = max(before, c.before), max(after, c.after)
	}
	for {
		ready := s.held.Len - s.done
		if !s.ended {
			ready -= int(after)
		}
		if ready > 0 {
			return s.put(ready, int(before))
		}
		if s.ended {
			return vec.Batch{}, io.EOF
		}
		b, err := s.rows.next()
		switch {
		case errors.Is(err, io.EOF):
			s.ended = true
			continue
		case err != nil:
			return vec.Batch{}, err
		case s.base+int64(s.held.Len+b.Len) > math.MaxInt32:
			return vec.Batch{}, sqlerr.New(sqlerr.Resource, 0, "a partition of a window has more than %d rows", math.MaxInt32).
				WithHint("partition the window more finely")
		case s.held.Len == 0:
			s.held = b
		default:
			if s.held, err = vec.ConcatBatches([]vec.Batch{s.held, b}); err != nil {
				return vec.Batch{}, err
			}
		}
		if err := s.hold(s.held); err != nil {
			return vec.Batch{}, err
		}
	}
}

// put puts out so many rows, and keeps some that were put out before.
func (s *windowStream) put(n, before int) (vec.Batch, error) {
	b := s.held.Slice(s.done, s.done+n)
	out := vec.Batch{Len: n, Cols: pick(b.Cols, s.kept)}
	places, err := s.places(b)
	if err != nil {
		return vec.Batch{}, err
	}
	var near *windowRows // held as if it were the partition: what lies beyond is too far away to be seen
	table := 0
	for i := range s.calls {
		c := &s.calls[i]
		var col arrow.Array
		switch c.way {
		case nearby:
			if near == nil {
				near, err = newWindowRows(s.windowOperator, s.held, []int32{0})
			}
			if err == nil {
				col, err = near.evaluate(c.WindowCall)
			}
			if err == nil {
				col = vec.Slice(col, s.done, s.done+n)
			}
		case byPeers:
			table++
			col = vec.Take(s.ends.Cols[table], places.group)
		case atFirst, atLast, overAll:
			if c.value == nil {
				c.value, err = s.valueOf(c.Args[0], b)
			}
			if err == nil {
				col = vec.Column(vec.Datum{Arr: c.value, Const: true}, n)
			}
		default:
			col, err = s.fromPlaces(c, b, places)
		}
		if err != nil {
			return vec.Batch{}, err
		}
		out.Cols = append(out.Cols, col)
	}
	if places.group != nil {
		s.ends = s.ends.Slice(int(places.group[n-1]), s.ends.Len)
	}
	drop := max(0, s.done+n-before)
	s.held = s.held.Slice(drop, s.held.Len)
	s.base, s.done = s.base+int64(drop), s.done+n-drop
	return out, nil
}

// fromPlaces computes functions of the place, and of the rows up to the current one.
func (s *windowStream) fromPlaces(c *streamedCall, b vec.Batch, p *places) (arrow.Array, error) {
	call, err := s.callOf(c, b)
	if err != nil {
		return nil, err
	}
	if c.way == growing {
		ends := make([]int32, b.Len)
		for i := range ends {
			ends[i] = int32(i + 1)
		}
		return c.running.Add(call, ends)
	}
	call.Groups, call.Partition, call.Peers = p.before, p.partition, p.peers
	return c.Overload.Eval(call)
}

// places says where the next rows stand, in numbers that count from the first of them.
type places struct {
	before           int64 // groups of peers that begin before
	partition, peers fn.RowRanges
	group            []int32 // of each row: its group in windowStream.ends
}

func (s *windowStream) places(b vec.Batch) (*places, error) {
	n, number := b.Len, s.base+int64(s.done)
	p := &places{before: s.peers.count, partition: newRanges(n), peers: newRanges(n)}
	first := int32(s.peers.start - number) // row of the group at hand
	group := int32(0)                      // that of the last row put out
	begins := s.peers.begins(s.orderOf(b), n)
	if number == 0 {
		group = -1
	}
	if s.learned != nil {
		p.group = make([]int32, n)
	}
	for i := range n {
		if begins[i] {
			first = int32(i)
			group++
		}
		p.partition.Start[i], p.partition.End[i] = int32(-number), int32(max(s.size-number, int64(n)))
		p.peers.Start[i], p.peers.End[i] = first, int32(n)
		if p.group != nil {
			p.group[i] = group
		}
	}
	s.peers.start = number + int64(first)
	if s.learned == nil {
		return p, nil
	}
	for s.ends.Len <= int(group) { // what is at hand is of groups up to that of the last row
		more, err := s.learned.next()
		if err != nil {
			return nil, err
		}
		if s.ends.Len == 0 {
			s.ends = more
			continue
		}
		if s.ends, err = vec.ConcatBatches([]vec.Batch{s.ends, more}); err != nil {
			return nil, err
		}
	}
	ends := s.ends.Cols[0].(*array.Int64)
	for i, g := range p.group {
		p.peers.End[i] = int32(ends.Value(int(g)) - number)
	}
	return p, nil
}

// peers finds the groups of peers in the rows of a partition, which come batch by batch.
type peers struct {
	count int64         // of groups that began
	start int64         // the number of the row with which the last one began
	last  []arrow.Array // the keys of the last row; nil: there was none
	any   bool
}

// begins says with which of n rows groups begin.
func (p *peers) begins(order []arrow.Array, n int) []bool {
	out := make([]bool, n)
	for i, same := range likeBefore(order, n) {
		out[i+1] = !same
	}
	same := []bool{p.any}
	for k, key := range order {
		if p.any {
			vec.EqualAt(p.last[k], []int32{0}, key, []int32{0}, same)
		}
	}
	out[0] = !same[0]
	p.last, p.any = make([]arrow.Array, len(order)), true
	for k, key := range order {
		p.last[k] = vec.Slice(key, n-1, n)
	}
	for _, begins := range out {
		if begins {
			p.count++
		}
	}
	return out
}

// ends are the rows before which groups end: those with which others begin, but for the partition's first one.
func (p *peers) ends(order []arrow.Array, n int) (rows []int32) {
	first := !p.any
	for i, begins := range p.begins(order, n) {
		if begins && !(first && i == 0) {
			rows = append(rows, int32(i))
		}
	}
	return rows
}

// partitionRows reads the rows of the partition that windowOperator.pending begins with. What follows them is left in pending.
type partitionRows struct {
	*windowOperator
	before vec.Batch // the last row that was read
	over   bool
}

func (p *partitionRows) close() {}

func (p *partitionRows) next() (vec.Batch, error) {
	o := p.windowOperator
	if p.over {
		return vec.Batch{}, io.EOF
	}
	var b vec.Batch
	if len(o.pending) > 0 { // all of this partition
		b, o.pending = o.pending[0], o.pending[1:]
	} else {
		var err error
		if b, err = o.input.next(); err != nil {
			p.over = true
			o.restart(vec.Batch{})
			if errors.Is(err, io.EOF) {
				o.ended = true
			}
			return vec.Batch{}, err
		}
		end := 0
		if o.goesOn(p.before, b) {
			if end = 1 + slices.Index(likeBefore(o.partitionOf(b), b.Len), false); end == 0 {
				end = b.Len
			}
		}
		if end < b.Len {
			p.over = true
			o.restart(b.Slice(end, b.Len))
			if b = b.Slice(0, end); end == 0 {
				return vec.Batch{}, io.EOF
			}
		}
	}
	p.before = b.Slice(b.Len-1, b.Len)
	return b, nil
}

// restart makes b, the start of another partition, or no rows, all that is pending.
func (o *windowOperator) restart(b vec.Batch) {
	o.pending, o.rows, o.starts = nil, 0, nil
	if b.Len > 0 {
		o.findStarts(b)
		o.pending, o.rows = []vec.Batch{b}, b.Len
	}
}

func integers(values []int64) arrow.Array {
	b := array.NewInt64Builder(memory.DefaultAllocator)
	b.AppendValues(values, nil)
	return b.NewArray()
}
