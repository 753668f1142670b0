package exec

import (
	"errors"
	"io"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// sort takes in all rows on all workers. With a limit each worker keeps its best rows only. The last sort key is a row's position
// in the input, so that the order does not depend on which worker took which rows. What a worker has no memory for it sorts and spills as
// a run; the runs are merged (merge.go).
func (r *run) sort(n *plan.Sort, m *meter, input flow) flow {
	return flow{tasks: 1, open: func(w *worker, _ int) operator { return r.newSort(w, m, n, input) }}
}

func (r *run) newSort(w *worker, m *meter, n *plan.Sort, input flow) *sortOperator {
	o := &sortOperator{run: r, worker: w, meter: m, node: n, input: input, want: math.MaxInt64}
	if n.Limit >= 0 && n.Limit < math.MaxInt64-n.Offset {
		o.want = n.Limit + n.Offset
	}
	for _, c := range n.Input.Schema() {
		o.types = append(o.types, c.Type)
	}
	o.width = len(o.types)
	for _, key := range n.Keys {
		if c, ok := key.Expr.(*expr.Column); ok {
			o.at = append(o.at, c.Index)
			continue
		}
		o.at = append(o.at, len(o.types))
		o.types = append(o.types, key.Expr.Type())
		o.computed = append(o.computed, key.Expr)
	}
	o.types = append(o.types, sqltype.BigIntType)
	return o
}

type sortOperator struct {
	run    *run
	worker *worker
	meter  *meter
	node   *plan.Sort
	input  flow
	keyed  bool  // put out the keys behind the columns
	want   int64 // rows to find, those of the offset included; MaxInt64: all
	each   int64 // rows wanted of those that have equal values of the first per keys; 0: all
	per    int

	// What is sorted: the input's columns, the keys that are no columns of it, the position.
	types    []sqltype.Type
	width    int         // columns of the input
	computed []expr.Expr // keys
	at       []int       // of each key: its column

	states []*sortState // by worker; nil: took in nothing
	sorted *sortState   // all rows wanted, if they are in memory
	order  []int32      // those of sorted.rows[0] that are to be put out
	out    operator     // puts them out; nil: not yet
	runs   []sortedRun  // of all workers
	merged *merge       // of the runs; nil: all is in memory, or nothing taken in yet
	skip   int64        // rows of merged that the offset leaves out
}

func (o *sortOperator) next() (vec.Batch, error) {
	if o.sorted == nil && o.merged == nil {
		if err := o.takeIn(); err != nil {
			return vec.Batch{}, err
		}
	}
	if o.merged != nil {
		return o.nextMerged()
	}
	if o.out == nil {
		o.out = o.run.rows(o.worker, o.meter, o.batches())
	}
	return o.out.next()
}

// batches are the sorted rows in memory.
func (o *sortOperator) batches() flow {
	most := o.run.batchRows
	return flow{tasks: (len(o.order) + most - 1) / most, open: func(w *worker, task int) operator {
		return &onceOperator{worker: w, meter: o.meter, make: func() (vec.Batch, error) {
			rows := o.order[task*most : min((task+1)*most, len(o.order))]
			return o.take(rows, func(int) bool { return true }), nil
		}}
	}}
}

// take returns sorted rows as put does, with the columns that are wanted of what it puts out; the others are nil.
func (o *sortOperator) take(rows []int32, wanted func(column int) bool) vec.Batch {
	from := o.put(o.sorted.rows[0])
	b := vec.Batch{Len: len(rows), Cols: make([]arrow.Array, len(from.Cols))}
	for i, col := range from.Cols {
		if !wanted(i) {
			continue
		}
		if i >= o.width && o.at[i-o.width] < o.width && b.Cols[o.at[i-o.width]] != nil { // a key that is a column
			b.Cols[i] = b.Cols[o.at[i-o.width]]
		} else {
			b.Cols[i] = vec.Take(col, rows)
		}
	}
	return b
}

// onceOperator puts out one batch, whose making is charged to meter.
type onceOperator struct {
	worker *worker
	meter  *meter
	make   func() (vec.Batch, error) // nil: it is out
}

func (o *onceOperator) next() (vec.Batch, error) {
	if o.make == nil {
		return vec.Batch{}, io.EOF
	}
	if o.worker.ctx.Err() != nil {
		return vec.Batch{}, cancelled(o.worker.ctx)
	}
	outer := o.worker.charge(o.meter)
	defer o.worker.charge(outer)
	make := o.make
	o.make = nil
	return make()
}

func (o *onceOperator) close() {}

func (o *sortOperator) nextMerged() (vec.Batch, error) {
	for {
		b, err := o.merged.next()
		if err != nil {
			return vec.Batch{}, err
		}
		if o.skip >= int64(b.Len) {
			o.skip -= int64(b.Len)
			continue
		}
		b = o.put(b)
		if o.skip > 0 {
			b = b.Slice(int(o.skip), b.Len)
			o.skip = 0
		}
		return b, nil
	}
}

// put is the columns of sorted rows that the operator puts out.
func (o *sortOperator) put(b vec.Batch) vec.Batch {
	out := vec.Batch{Len: b.Len, Cols: b.Cols[:o.width:o.width]}
	for _, at := range o.at {
		if o.keyed {
			out.Cols = append(out.Cols, b.Cols[at])
		}
	}
	return out
}

func (o *sortOperator) close() {
	if o.out != nil {
		o.out.close()
	}
	for _, s := range o.states {
		if s != nil {
			s.close()
		}
	}
	if o.sorted != nil {
		o.sorted.account.close()
	}
	for _, r := range o.runs {
		r.spill.close()
	}
	o.states, o.sorted, o.order, o.runs, o.merged = nil, nil, nil, nil, nil
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
	sorted := newSortState(o)
	sorted.team, sorted.hands = o.run.team(o.worker, &sorted.failed), o.run.workers
	spilled := false
	for _, s := range o.states {
		if s != nil {
			sorted.count += s.count
			sorted.columns.add(s.columns)
			spilled = spilled || len(s.runs) > 0
		}
	}
	if spilled || !sorted.account.fits(sorted.toSort()) {
		return o.merge()
	}
	for i, s := range o.states {
		if s == nil {
			continue
		}
		sorted.rows = append(sorted.rows, s.rows...)
		s.account.close()
		o.states[i] = nil
	}
	o.sorted = sorted
	order, err := sorted.sort()
	if err != nil {
		return err
	}
	o.order = order[min(o.node.Offset, int64(len(order))):]
	return nil
}

// merge spills what the workers hold, and begins to merge the runs.
func (o *sortOperator) merge() error {
	for i, s := range o.states {
		if s == nil {
			continue
		}
		err := s.spill()
		o.runs = append(o.runs, s.runs...)
		s.runs = nil
		s.account.close()
		o.states[i] = nil
		if err != nil {
			return err
		}
	}
	var err error
	o.runs, err = o.reduce(o.runs)
	if err != nil {
		return err
	}
	o.merged, o.skip = o.newMerge(o.runs), o.node.Offset
	return nil
}

// sortState holds the rows that one worker took in, or the best of them.
type sortState struct {
	*sortOperator
	rows    []vec.Batch // see sortOperator.types
	count   int         // rows in rows
	best    int         // rows that the last cut left: with ties more than are wanted
	few     bool        // with each: the last cut dropped so few rows that there is no other
	bound   vec.Batch   // with a limit: the worst of the best rows found so far; Len 0: not as many found yet
	columns columnSizes // of rows
	weigh   footprint
	account account
	team    vec.Team // sorts …
	hands   int      // … with so many
	failed  error    // of team

	runs []sortedRun // what was spilled
	file *spill      // of them; nil: none
}

// columnSizes are the bytes of each column.
type columnSizes []int64

func (c columnSizes) add(other columnSizes) {
	for i, bytes := range other {
		c[i] += bytes
	}
}

func (c columnSizes) sum() (bytes int64) {
	for _, b := range c {
		bytes += b
	}
	return bytes
}

func newSortState(o *sortOperator) *sortState {
	return &sortState{sortOperator: o, team: vec.Alone, hands: 1, columns: make(columnSizes, len(o.types)), account: account{
		budget: &o.run.budget, meter: o.meter, doing: "sorting rows", spills: true,
		try: "filter more rows, select fewer columns, or add a LIMIT: then only the rows it wants are kept",
	}}
}

func (s *sortState) close() {
	s.account.close()
	if s.file != nil {
		s.file.close()
	}
}

// add takes in a batch whose first row is at position.
func (s *sortState) add(b vec.Batch, position int64) error {
	cols := slices.Clone(b.Cols)
	for _, key := range s.computed {
		d, err := expr.Eval(key, b, s.run.session)
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
	s.hold(b)
	enough := max(4*min(s.want, math.MaxInt64/4), int64(s.run.batchRows))
	if s.each > 0 && !s.few {
		enough = 8 * int64(s.run.batchRows)
	}
	if int64(s.count) > max(enough, 2*int64(s.best)) {
		if err := s.cut(); err != nil {
			return err
		}
	}
	held := s.columns.sum()
	if !s.account.fits(held + s.toSort() - s.account.held) {
		return s.spill()
	}
	return s.account.set(held)
}

func (s *sortState) hold(b vec.Batch) {
	s.rows = append(s.rows, b)
	s.count += b.Len
	for i, col := range b.Cols {
		s.columns[i] += s.weigh.column(col)
	}
}

func (s *sortState) drop() {
	s.rows, s.count, s.columns, s.weigh = nil, 0, make(columnSizes, len(s.types)), footprint{}
}

// promising drops rows of b that are worse than bound: most rows, once the best are known.
func (s *sortState) promising(b vec.Batch) (vec.Batch, error) {
	if s.bound.Len == 0 {
		return b, nil
	}
	good, err := s.notWorse(b, 0)
	if err != nil || good == nil {
		return b, err
	}
	rows := vec.True(good)
	if len(rows) == b.Len {
		return b, nil
	}
	return b.Take(rows), nil
}

// notWorse says which rows of b are not worse than bound by the keys from the k-th on; nil: none is known to be.
func (s *sortState) notWorse(b vec.Batch, k int) (*array.Boolean, error) {
	if k == len(s.node.Keys) {
		return nil, nil
	}
	key := s.node.Keys[k]
	bound, keys, t := s.bound.Cols[s.at[k]], b.Cols[s.at[k]], key.Expr.Type()
	switch t.Kind {
	case sqltype.Real, sqltype.Double: // NaN has a place in the order, but compares with nothing
		return nil, nil
	case sqltype.Array, sqltype.Map, sqltype.Row, sqltype.Unknown:
		return nil, nil
	}
	if bound.IsNull(0) {
		return nil, nil
	}
	compare := func(op vec.Comparison) (*array.Boolean, error) {
		a, err := vec.Compare(op, t, vec.Datum{Arr: keys}, vec.Datum{Arr: bound, Const: true}, b.Len)
		if err != nil {
			return nil, err
		}
		return a.(*array.Boolean), nil
	}
	op := vec.Le
	if key.Desc {
		op = vec.Ge
	}
	good, err := compare(op)
	if err != nil {
		return nil, err
	}
	equal, err := compare(vec.Eq)
	if err != nil {
		return nil, err
	}
	if 8*len(vec.True(equal)) > b.Len { // as many are equal, the next key is worth a look
		rest, err := s.notWorse(b, k+1)
		if err != nil {
			return nil, err
		}
		if rest != nil {
			good = vec.And(good, vec.Or(vec.Not(equal), rest))
		}
	}
	if key.NullsFirst {
		good = vec.Or(good, vec.IsNull(keys))
	}
	return good, nil
}

// cut drops rows that are not among the best want, ties aside.
func (s *sortState) cut() error {
	order, err := s.sort()
	if err != nil {
		return err
	}
	s.mark(order)
	best := s.rows[0].Take(order)
	s.few = best.Len > s.count/2
	s.drop()
	s.hold(best)
	s.best = best.Len
	return s.account.set(s.columns.sum())
}

// mark notes the bound that the best rows, in order, set to all others.
func (s *sortState) mark(order []int32) {
	if int64(len(order)) >= s.want {
		s.bound = s.rows[0].Take(order[s.want-1:][:1])
	}
}

// spill writes the best of the rows to disk, sorted, and holds none.
func (s *sortState) spill() error {
	if s.count == 0 {
		return nil
	}
	order, err := s.sort()
	if err != nil {
		return err
	}
	s.mark(order)
	if s.file == nil {
		s.file = s.run.newSpill(s.meter, s.types)
	}
	from, err := s.file.mark()
	all := s.rows[0]
	rows := max(1, min(int64(s.run.batchRows), s.run.budget.piece()*int64(s.count)/max(1, s.columns.sum())))
	for part := range slices.Chunk(order, int(rows)) { // which is about what goes to the file at once
		if err == nil {
			err = s.file.write(all.Take(part))
		}
	}
	if err != nil {
		return err
	}
	to, err := s.file.mark()
	s.runs = append(s.runs, sortedRun{s.file, from, to})
	s.drop()
	s.best = 0
	if err == nil {
		err = s.account.set(0)
	}
	return err
}

// toSort is how much memory it takes to sort the rows, beside that which they are in: a column, for a moment, twice (where a team sorts, some
// are), and the ranks and the order of the rows.
func (s *sortState) toSort() int64 {
	twice := int64(0)
	for i, bytes := range slices.Backward(slices.Sorted(slices.Values(s.columns))) {
		if i >= len(s.columns)-s.hands {
			twice += bytes
		}
	}
	return twice + int64(s.count)*int64(8*(len(s.at)+1)+2*16+4)
}

// sort brings the rows into one batch and returns the best want of them in order, with ties.
func (s *sortState) sort() ([]int32, error) {
	if s.count == 0 {
		return nil, nil
	}
	if err := s.account.set(s.columns.sum() + s.toSort()); err != nil {
		return nil, err
	}
	err := s.concat()
	if s.failed != nil {
		return nil, s.failed
	}
	if err != nil {
		return nil, sqlerr.Wrap(sqlerr.Resource, err, "the rows to sort are too large")
	}
	all := s.rows[0]
	keys := s.keys(all)
	first := s.want
	if s.node.Ties {
		first = math.MaxInt64 // those that tie with the last one wanted come after it
	}
	order := vec.SortByTeam(keys, all.Len, int(min(first, int64(all.Len))), s.team)
	if s.failed != nil {
		return nil, s.failed
	}
	if err := s.account.set(s.columns.sum() + 4*int64(s.count)); err != nil {
		return nil, err
	}
	if s.each > 0 {
		order = firstOfEach(order, keys[:s.per], s.each)
	}
	most := min(int64(len(order)), s.want)
	for s.node.Ties && most < int64(len(order)) && tied(keys[:len(keys)-1], order[most-1], keys, order[most]) {
		most++
	}
	return order[:most], nil
}

// firstOfEach keeps of the rows in order that are equal by keys the first most.
func firstOfEach(order []int32, keys []vec.SortKey, most int64) []int32 {
	same := make([]bool, len(order)-1)
	for i := range same {
		same[i] = true
	}
	for _, key := range keys {
		vec.EqualAt(key.Arr, order[:len(same)], key.Arr, order[1:], same)
	}
	kept, place := order[:1], int64(0)
	for i, same := range same {
		if place++; !same {
			place = 0
		}
		if place < most {
			kept = append(kept, order[i+1])
		}
	}
	return kept
}

// concat puts the rows into one batch, column by column, so that only one is there twice.
func (s *sortState) concat() error {
	if len(s.rows) == 1 {
		return nil
	}
	all := vec.Batch{Len: s.count, Cols: make([]arrow.Array, len(s.types))}
	s.weigh = footprint{}
	errs := make([]error, len(all.Cols))
	s.team(len(all.Cols), func(c int) {
		parts := make([]arrow.Array, len(s.rows))
		for i, b := range s.rows {
			parts[i], b.Cols[c] = b.Cols[c], nil
		}
		all.Cols[c], errs[c] = vec.Concat(parts)
	})
	if err := errors.Join(errs...); err != nil || s.failed != nil {
		return err
	}
	for c, col := range all.Cols {
		s.columns[c] = s.weigh.column(col)
	}
	s.rows = []vec.Batch{all}
	return nil
}

// keys are the sort keys of rows, the position among them.
func (o *sortOperator) keys(b vec.Batch) []vec.SortKey {
	keys := make([]vec.SortKey, 0, len(o.at)+1)
	for i, key := range o.node.Keys {
		keys = append(keys, vec.SortKey{Arr: b.Cols[o.at[i]], Desc: key.Desc, NullsFirst: key.NullsFirst})
	}
	return append(keys, vec.SortKey{Arr: b.Cols[len(b.Cols)-1]})
}

// tied reports whether two rows have the same place in the order of the keys.
func tied(keys []vec.SortKey, i int32, others []vec.SortKey, j int32) bool {
	for k := range keys {
		if vec.CompareRows(keys[k].Arr, int(i), others[k].Arr, int(j), false, false) != 0 {
			return false
		}
	}
	return true
}

// positions returns n numbers from first on.
func positions(first int64, n int) arrow.Array {
	numbers := make([]int64, n)
	for i := range numbers {
		numbers[i] = first + int64(i)
	}
	return vec.Integers(numbers)
}
