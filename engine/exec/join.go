package exec

import (
	"context"
	"io"
	"slices"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/vec"
)

// join builds a table of the right side once, by whichever worker needs it first; all workers probe it with their share of the left
// side. A join without keys (cross, or by residual only) is the case in which all rows have the same key. Where the right side outgrows the
// memory, both sides are spread over partitions, and tasks of their own come after those of the left side: see joinspill.go.
func (r *run) join(n *plan.Join, m *meter) (flow, error) {
	left, err := r.compile(n.Left)
	if err != nil {
		return flow{}, err
	}
	right, err := r.compile(n.Right)
	if err != nil {
		return flow{}, err
	}
	build := r.newBuildSide(n, m)
	build.input, build.probes = right, left.tasks
	residual, keep := newResidual(n), n.Kept()
	tasks := left.tasks
	if r.budget.spills && left.tasks > 0 {
		tasks += r.workers
	}
	return flow{tasks: tasks, open: func(w *worker, task int) operator {
		probe := probeOperator{run: r, worker: w, node: n, keep: keep, build: build, residual: residual}
		if task >= left.tasks {
			return &partitionJoin{probe: probe, first: task - left.tasks}
		}
		probe.input = left.open(w, task)
		return &probe
	}}, nil
}

// buildSide is the right side of a join. Once built it is only read. What it accounts is given back with the run.
type buildSide struct {
	run    *run
	meter  *meter
	node   *plan.Join
	input  flow
	probes int // tasks that probe it

	once    sync.Once
	err     error
	lock    sync.Mutex    // of what follows, until it is built
	spilled *spilledJoin  // nil: the rows are in memory
	tasks   [][]vec.Batch // rows that were taken in
	weigh   footprint
	level   int // how often they were spread over partitions before
	account account
	batch   vec.Batch // all rows
	groups  *grouper  // of the keys
	starts  []int32   // by group, and one more: where its rows begin in rows
	rows    []int32   // rows of batch, by group
}

// built returns the finished side.
func (s *buildSide) built(w *worker) (*buildSide, error) {
	s.once.Do(func() { s.err = guard(func() error { return s.build(w) }) })
	return s, s.err
}

func (r *run) newBuildSide(n *plan.Join, m *meter) *buildSide {
	return &buildSide{run: r, meter: m, node: n, account: account{
		budget: &r.budget, meter: m, doing: "joining", spills: r.budget.spills,
		try: "filter the right side of the join more, or put the larger table on the left",
	}}
}

func (s *buildSide) build(w *worker) error {
	s.tasks = make([][]vec.Batch, s.input.tasks)
	err := s.run.each(w, s.input, func(_, task int, op operator) error {
		return drain(op, func(b vec.Batch) error { return s.keep(task, b) })
	})
	if err != nil {
		return err
	}
	if s.spilled == nil {
		if err := s.index(w.ctx, true); err != nil {
			return err
		}
	}
	if s.spilled != nil {
		return s.spilled.right.end()
	}
	return nil
}

// keep takes in rows of a task, to memory as long as they fit there three times: as they come, put together, and in a table.
func (s *buildSide) keep(task int, b vec.Batch) error {
	s.lock.Lock()
	if s.spilled == nil {
		size := s.weigh.of(b)
		if s.account.fits(2*s.account.held + 3*size) {
			defer s.lock.Unlock()
			s.tasks[task] = append(s.tasks[task], b)
			return s.account.add(size)
		}
		if err := s.spill(slices.Concat(s.tasks...)); err != nil {
			s.lock.Unlock()
			return err
		}
	}
	s.lock.Unlock()
	return s.spilled.addRight(b)
}

// index puts the rows together and groups them by their keys. If it may, it moves them to disk where there is no room for that.
func (s *buildSide) index(ctx context.Context, spills bool) error {
	batches := slices.Concat(s.tasks...)
	s.tasks = nil
	if err := s.account.add(s.account.held); err != nil { // for a moment the rows are there twice
		return err
	}
	var err error
	if len(batches) == 0 {
		s.batch.Cols = make([]arrow.Array, len(s.node.Right.Schema()))
		for i, c := range s.node.Right.Schema() {
			s.batch.Cols[i] = vec.Nulls(c.Type, 0)
		}
	} else if s.batch, err = vec.ConcatBatches(batches); err != nil {
		return sqlerr.Wrap(sqlerr.Resource, err, "the right side of a join is too large")
	}
	for _, col := range s.batch.Cols {
		settled(col)
	}
	s.weigh = footprint{}
	if err := s.account.set(s.weigh.of(s.batch)); err != nil {
		return err
	}
	keys, err := evaluated(s.node.RightKeys, s.batch, s.run.session)
	if err != nil {
		return err
	}
	s.groups = newGrouper(len(keys))
	groups := make([]uint32, s.batch.Len)
	const piece = 1 << 16
	for from := 0; from < len(groups); from += piece {
		to := min(from+piece, len(groups))
		some := vec.Batch{Cols: keys}.Slice(from, to).Cols
		if err := s.groups.internMany(ctx, some, groups[from:to]); err != nil {
			return err
		}
		if spills && !s.account.fits(s.groups.bytes()+12*int64(len(groups))) {
			return s.spill([]vec.Batch{s.batch})
		}
	}
	unmatchable(s.node, keys, groups)
	s.starts = make([]int32, s.groups.count()+1)
	for _, group := range groups {
		if group != none {
			s.starts[group+1]++
		}
	}
	for i := range s.groups.count() {
		s.starts[i+1] += s.starts[i]
	}
	s.rows = make([]int32, s.starts[len(s.starts)-1])
	next := slices.Clone(s.starts)
	for row, group := range groups {
		if group != none {
			s.rows[next[group]] = int32(row)
			next[group]++
		}
	}
	s.drop()
	return s.account.set(s.batch.Size() + s.groups.bytes() + 4*int64(len(s.starts)+len(s.rows)))
}

// drop lets go of the columns that only the keys are made of.
func (s *buildSide) drop() {
	width := len(s.node.Left.Schema())
	used := s.node.Kept()
	if s.node.Residual != nil {
		used = append(expr.Columns(s.node.Residual), used...)
	}
	s.batch.Cols = slices.Clone(s.batch.Cols) // which may be those of somebody's only batch
	for i := range s.batch.Cols {
		if !slices.Contains(used, width+i) {
			s.batch.Cols[i] = nil
		}
	}
}

// unmatchable sets the groups of rows with a key that equals nothing to none: NULL and NaN, which group with their like. Null-safe keys
// are matched as they are grouped.
func unmatchable(n *plan.Join, keys []arrow.Array, groups []uint32) {
	for i, key := range keys {
		if n.NullSafeKey(i) {
			continue
		}
		switch a := key.(type) {
		case *array.Null:
			for i := range groups {
				groups[i] = none
			}
		case *array.Float32:
			for i, v := range a.Float32Values() {
				if v != v {
					groups[i] = none
				}
			}
		case *array.Float64:
			for i, v := range a.Float64Values() {
				if v != v {
					groups[i] = none
				}
			}
		}
		if nulls := nullsOf(key); nulls.bits != nil {
			for i := range groups {
				if nulls.at(i) {
					groups[i] = none
				}
			}
		}
	}
}

// residual is the rest of a join's condition, over a batch of only the columns it uses.
type residual struct {
	conjuncts   []expr.Expr
	left, right []int // columns used
}

func newResidual(n *plan.Join) *residual {
	if n.Residual == nil {
		return nil
	}
	r := &residual{}
	width := len(n.Left.Schema())
	place := map[int]int{}
	for _, col := range expr.Columns(n.Residual) { // ascending: the left side's first
		place[col] = len(place)
		if col < width {
			r.left = append(r.left, col)
		} else {
			r.right = append(r.right, col-width)
		}
	}
	r.conjuncts = expr.Conjuncts(expr.Rewrite(n.Residual, func(e expr.Expr) expr.Expr {
		if c, ok := e.(*expr.Column); ok {
			return &expr.Column{Index: place[c.Index], Name: c.Name, T: c.T}
		}
		return e
	}))
	return r
}

// probeOperator finds for each left row the right rows that match.
type probeOperator struct {
	input    operator
	run      *run
	worker   *worker
	node     *plan.Join
	keep     []int // see node.Kept
	build    *buildSide
	residual *residual // nil: none

	right  *buildSide // build, once it is built
	lookup *lookup
	left   vec.Batch // being probed
	groups []uint32  // of the left rows' keys
	row    int       // of left: the next to be paired
	at     int       // how many of its candidates are paired
	// matched says by left row whether a match was found; it is kept where the answer is needed at the end of the batch. unknown says, for
	// a mark join with residual, whether that was NULL for some pair.
	matched, unknown []bool

	leftRows, rightRows []int32 // candidate pairs; rightRows -1: NULLs

	marks *marks // what other chunks of the right side said of the left rows; nil: it is there in one

	// Where one match of a left row is enough, its candidates are tried in growing chunks, and no more once it matched.
	tried []int32 // by left row: how many of its candidates are paired
	chunk int     // how many more in this pass over the left rows
	again bool    // some are left for another pass
}

// firstChunk is how many candidates are tried at first.
const firstChunk = 4

func (o *probeOperator) close() { o.input.close() }

// atEnd reports whether left rows are put out at the end of their batch, by whether they matched: always for semi, anti and mark joins, and
// the unmatched rows of a left join where only the residual or another chunk says which these are.
func (o *probeOperator) atEnd() bool {
	switch o.node.Kind {
	case plan.SemiJoin, plan.AntiJoin, plan.MarkJoin:
		return true
	case plan.LeftJoin:
		return o.residual != nil || o.marks != nil
	}
	return false
}

func (o *probeOperator) next() (vec.Batch, error) {
	if o.right == nil {
		right, err := o.build.built(o.worker)
		if err != nil {
			return vec.Batch{}, err
		}
		if right.spilled != nil {
			return vec.Batch{}, o.spread(right.spilled)
		}
		o.right, o.lookup = right, newLookup(right.groups)
	}
	switch o.node.Kind {
	case plan.InnerJoin, plan.CrossJoin, plan.SemiJoin:
		if o.right.batch.Len == 0 && o.marks == nil {
			return vec.Batch{}, io.EOF
		}
	}
	for {
		if o.worker.ctx.Err() != nil {
			return vec.Batch{}, cancelled(o.worker.ctx)
		}
		if o.row == o.left.Len {
			if o.left.Len > 0 && o.atEnd() {
				b := o.ended()
				o.left, o.row = vec.Batch{}, 0
				if b.Len > 0 {
					return b, nil
				}
			}
			if err := o.probe(); err != nil {
				return vec.Batch{}, err
			}
		}
		o.pair()
		if len(o.leftRows) == 0 {
			continue
		}
		if err := o.filter(); err != nil {
			return vec.Batch{}, err
		}
		if len(o.leftRows) > 0 && o.puts() {
			return o.joined(), nil
		}
	}
}

// puts reports whether matching pairs are put out.
func (o *probeOperator) puts() bool {
	switch o.node.Kind {
	case plan.SemiJoin, plan.AntiJoin, plan.MarkJoin:
		return false
	}
	return true
}

// probe takes the next left batch and finds the group of each row.
func (o *probeOperator) probe() error {
	left, err := o.input.next()
	if err != nil {
		return err
	}
	keys, err := evaluated(o.node.LeftKeys, left, o.run.session)
	if err != nil {
		return err
	}
	o.left, o.row, o.at = left, 0, 0
	o.groups = grown(o.groups, left.Len)
	o.lookup.find(keys, o.groups)
	unmatchable(o.node, keys, o.groups)
	if o.atEnd() {
		o.matched, o.unknown = grown(o.matched, left.Len), grown(o.unknown, left.Len)
		clear(o.matched)
		clear(o.unknown)
		o.tried, o.chunk, o.again = grown(o.tried, left.Len), firstChunk, false
		clear(o.tried)
		o.marks.load(o.matched, o.unknown)
		if o.residual == nil { // a group is a match
			for row := range o.matched {
				o.matched[row] = o.matched[row] || len(o.candidates(row)) > 0
			}
			if !o.puts() {
				o.row = left.Len // nothing to pair
			}
		}
	}
	return nil
}

// candidates returns the right rows whose keys equal those of a left row.
func (o *probeOperator) candidates(row int) []int32 {
	group := o.groups[row]
	if group == none {
		return nil
	}
	return o.right.rows[o.right.starts[group]:o.right.starts[group+1]]
}

// pair sets leftRows and rightRows to the next candidates, a batch at most.
func (o *probeOperator) pair() {
	o.leftRows, o.rightRows = o.leftRows[:0], o.rightRows[:0]
	most := o.run.batchRows
	if !o.puts() {
		o.try(most)
		return
	}
	for o.row < o.left.Len && len(o.leftRows) < most {
		candidates := o.candidates(o.row)
		if len(candidates) == 0 && o.node.Kind == plan.LeftJoin && !o.atEnd() {
			o.leftRows, o.rightRows = append(o.leftRows, int32(o.row)), append(o.rightRows, -1)
		}
		some := candidates[o.at:min(len(candidates), o.at+most-len(o.leftRows))]
		for range some {
			o.leftRows = append(o.leftRows, int32(o.row))
		}
		o.rightRows = append(o.rightRows, some...)
		if o.at += len(some); o.at == len(candidates) {
			o.row, o.at = o.row+1, 0
		}
	}
}

// try is pair where one match is enough.
func (o *probeOperator) try(most int) {
	for ; o.row < o.left.Len && len(o.leftRows) < most; o.row++ {
		if o.matched[o.row] {
			continue
		}
		candidates := o.candidates(o.row)[o.tried[o.row]:]
		some := candidates[:min(len(candidates), o.chunk, most-len(o.leftRows))]
		for range some {
			o.leftRows = append(o.leftRows, int32(o.row))
		}
		o.rightRows = append(o.rightRows, some...)
		o.tried[o.row] += int32(len(some))
		o.again = o.again || len(some) < len(candidates)
	}
	if o.row == o.left.Len && o.again {
		o.row, o.again, o.chunk = 0, false, min(8*o.chunk, o.run.batchRows)
	}
}

// filter keeps the pairs for which the residual is true, and marks their left rows as matched.
func (o *probeOperator) filter() error {
	if o.residual == nil {
		return nil
	}
	b := vec.Batch{Len: len(o.leftRows)}
	for _, col := range o.residual.left {
		b.Cols = append(b.Cols, vec.Take(o.left.Cols[col], o.leftRows))
	}
	for _, col := range o.residual.right {
		b.Cols = append(b.Cols, vec.Take(o.right.batch.Cols[col], o.rightRows))
	}
	if o.node.Kind == plan.MarkJoin {
		return o.mark(b)
	}
	rows, all, err := expr.Select(o.residual.conjuncts, b, o.run.session)
	if err != nil {
		return err
	}
	if !all {
		for i, row := range rows { // ascending: i is never past row
			o.leftRows[i], o.rightRows[i] = o.leftRows[row], o.rightRows[row]
		}
		o.leftRows, o.rightRows = o.leftRows[:len(rows)], o.rightRows[:len(rows)]
	}
	if o.atEnd() {
		for _, row := range o.leftRows {
			o.matched[row] = true
		}
	}
	return nil
}

// mark notes for the left rows of the pairs what the residual is.
func (o *probeOperator) mark(b vec.Batch) error {
	d, err := expr.Eval(expr.Conjoin(o.residual.conjuncts), b, o.run.session)
	if err != nil {
		return err
	}
	is := vec.Plain(vec.Column(d, b.Len)).(*array.Boolean)
	for i, row := range o.leftRows {
		switch {
		case is.IsNull(i):
			o.unknown[row] = true
		case is.Value(i):
			o.matched[row] = true
		}
	}
	return nil
}

// ended returns what the end of a left batch puts out: all rows of a mark join, the matched ones of a semi join, the unmatched ones
// otherwise.
func (o *probeOperator) ended() vec.Batch {
	if o.marks.store(o.matched, o.unknown) {
		return vec.Batch{} // that is up to the last chunk
	}
	if o.node.Kind == plan.MarkJoin {
		marks := array.NewBooleanBuilder(memory.DefaultAllocator)
		marks.Reserve(o.left.Len)
		for row, matched := range o.matched {
			if o.unknown[row] && !matched {
				marks.AppendNull()
			} else {
				marks.Append(matched)
			}
		}
		all := append(slices.Clip(o.left.Cols), marks.NewArray())
		out := vec.Batch{Len: o.left.Len}
		for _, col := range o.keep {
			out.Cols = append(out.Cols, all[col])
		}
		return out
	}
	o.leftRows, o.rightRows = o.leftRows[:0], o.rightRows[:0]
	for row, matched := range o.matched {
		if matched == (o.node.Kind == plan.SemiJoin) {
			o.leftRows, o.rightRows = append(o.leftRows, int32(row)), append(o.rightRows, -1)
		}
	}
	return o.joined()
}

// joined returns the columns that are kept of the pairs.
func (o *probeOperator) joined() vec.Batch {
	out := vec.Batch{Len: len(o.leftRows)}
	if out.Len == 0 {
		return out
	}
	width := len(o.left.Cols)
	for _, col := range o.keep {
		if col < width {
			out.Cols = append(out.Cols, vec.Take(o.left.Cols[col], o.leftRows))
		} else {
			out.Cols = append(out.Cols, vec.Take(o.right.batch.Cols[col-width], o.rightRows))
		}
	}
	return out
}
