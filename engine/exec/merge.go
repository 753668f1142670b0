package exec

import (
	"errors"
	"io"
	"slices"
	"sort"

	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/vec"
)

// sortedRun is sorted rows in a file, which several runs may share.
type sortedRun struct {
	spill    *spill
	from, to int // see spill.section
}

// mostRuns is how many runs are merged at once, so that the batches in hand are a bounded part of memory.
const mostRuns = 32

// reduce merges runs into longer ones until they can be merged at once. Files that are of no more use are closed, also after an error.
func (o *sortOperator) reduce(runs []sortedRun) ([]sortedRun, error) {
	most := mostRuns
	if o.run.budget.always {
		most = 3
	}
	for len(runs) > most {
		n := min(most, len(runs)-most+1)
		longer := sortedRun{spill: o.run.newSpill(o.meter, o.types)}
		out := o.newMerge(runs[:n])
		err := drain(out, longer.spill.write)
		if err == nil {
			longer.to, err = longer.spill.mark()
		}
		done := runs[:n]
		runs = append(runs[n:len(runs):len(runs)], longer)
		if err != nil {
			return append(runs, done...), err
		}
		for _, d := range done {
			if !slices.ContainsFunc(runs, func(r sortedRun) bool { return r.spill == d.spill }) {
				d.spill.close()
			}
		}
	}
	return runs, nil
}

// merge puts out the best rows of sorted runs in order. It works on whole batches: of the current batches of all runs, one ends first in the
// order. All rows up to that end can be put out, as no run has others that come before it. They are the starts of the batches, found by
// bisection, and are sorted together. So no step touches single rows, and each uses up a batch.
type merge struct {
	*sortOperator
	sources []mergeSource
	out     pieces
	left    int64     // rows wanted that are not put out yet
	last    vec.Batch // once none are left: the last one, for ties
}

// mergeSource is a run with its current batch; none: to be read.
type mergeSource struct {
	*spillReader
	batch vec.Batch
}

func (o *sortOperator) newMerge(runs []sortedRun) *merge {
	m := &merge{sortOperator: o, out: pieces{most: o.run.batchRows}, left: o.want}
	for _, r := range runs {
		m.sources = append(m.sources, mergeSource{spillReader: r.spill.section(r.from, r.to)})
	}
	return m
}

func (m *merge) close() {}

func (m *merge) next() (vec.Batch, error) {
	for m.out.empty() {
		if m.left == 0 && !m.node.Ties {
			return vec.Batch{}, io.EOF
		}
		b, err := m.step()
		if err != nil {
			return vec.Batch{}, err
		}
		if m.out.rest = m.wanted(b); m.out.empty() {
			return vec.Batch{}, io.EOF
		}
	}
	return m.out.next(), nil
}

// wanted is the start of b that belongs to the rows wanted, with ties.
func (m *merge) wanted(b vec.Batch) vec.Batch {
	n := int(min(m.left, int64(b.Len)))
	if m.left -= int64(n); m.left > 0 || !m.node.Ties {
		return b.Slice(0, n)
	}
	if n > 0 {
		m.last = b.Slice(n-1, n)
	}
	before, keys := m.keys(m.last), m.keys(b)
	for n < b.Len && tied(before[:len(before)-1], 0, keys, int32(n)) {
		n++
	}
	return b.Slice(0, n)
}

// step returns the next rows of all runs.
func (m *merge) step() (vec.Batch, error) {
	if m.worker.ctx.Err() != nil {
		return vec.Batch{}, cancelled(m.worker.ctx)
	}
	for i := range m.sources {
		s := &m.sources[i]
		if s.batch.Len > 0 {
			continue
		}
		var err error
		if s.batch, err = s.next(); err != nil && !errors.Is(err, io.EOF) {
			return vec.Batch{}, err
		}
	}
	m.sources = slices.DeleteFunc(m.sources, func(s mergeSource) bool { return s.batch.Len == 0 })
	if len(m.sources) == 0 {
		return vec.Batch{}, io.EOF
	}
	first := m.sources[0].batch // that which ends first
	for _, s := range m.sources[1:] {
		if m.compare(s.batch, s.batch.Len-1, first, first.Len-1) < 0 {
			first = s.batch
		}
	}
	var starts []vec.Batch
	for i := range m.sources {
		b := m.sources[i].batch
		n := sort.Search(b.Len, func(row int) bool { return m.compare(b, row, first, first.Len-1) > 0 })
		if n > 0 {
			starts = append(starts, b.Slice(0, n))
			m.sources[i].batch = b.Slice(n, b.Len)
		}
	}
	all, err := vec.ConcatBatches(starts)
	if err != nil {
		return vec.Batch{}, sqlerr.Wrap(sqlerr.Resource, err, "the rows to sort are too large")
	}
	if len(starts) > 1 {
		all = all.Take(vec.Sort(m.keys(all), all.Len))
	}
	return all, nil
}

// compare orders two rows by the keys, the position last.
func (m *merge) compare(a vec.Batch, i int, b vec.Batch, j int) int {
	for k, key := range m.node.Keys {
		if c := vec.CompareRows(a.Cols[m.at[k]], i, b.Cols[m.at[k]], j, key.Desc, key.NullsFirst); c != 0 {
			return c
		}
	}
	last := len(a.Cols) - 1
	return vec.CompareRows(a.Cols[last], i, b.Cols[last], j, false, false)
}
