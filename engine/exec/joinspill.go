package exec

import (
	"context"
	"errors"
	"io"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// This file holds the join of a right side that does not fit in memory (a grace hash join: Kitsuregawa, Tanaka and Moto-oka, 1983). The rows of
// both sides are spread over partitions by their keys, then each partition is joined by itself. A partition whose right side does not fit
// either is spread again; one that holds too many equal keys for that is joined in chunks of its right side, each with all its left rows.

// spilledJoin is both sides of a join on disk.
type spilledJoin struct {
	build       *buildSide
	left, right *partitions
	undone      atomic.Int64 // partitions that are not joined yet

	probing atomic.Int64  // tasks that add to left
	ended   chan struct{} // closed by the last of them
	err     error         // set before that
}

// spill moves rows of the right side to disk, where those to come go too.
func (s *buildSide) spill(batches []vec.Batch) error {
	types := func(columns []plan.Column) (types []sqltype.Type) {
		for _, c := range columns {
			types = append(types, c.Type)
		}
		return types
	}
	j := &spilledJoin{
		build: s, ended: make(chan struct{}), left: s.run.newPartitions(s.account, types(s.node.Left.Schema()), s.level),
		right: s.run.newPartitions(s.account, types(s.node.Right.Schema()), s.level),
	}
	j.undone.Store(fanout)
	j.probing.Store(int64(s.probes))
	for _, b := range batches {
		for from := 0; from < b.Len; from += s.run.batchRows {
			if err := j.addRight(b.Slice(from, min(from+s.run.batchRows, b.Len))); err != nil {
				return err
			}
		}
	}
	s.tasks, s.batch, s.groups, s.weigh = nil, vec.Batch{}, nil, footprint{}
	s.spilled = j
	return s.account.set(0)
}

// addRight adds rows that may have a match.
func (j *spilledJoin) addRight(b vec.Batch) error {
	keys, err := evaluated(j.build.node.RightKeys, b, j.build.run.session)
	if err != nil {
		return err
	}
	b, keys = matchable(j.build.node, b, keys)
	return j.right.add(b, keys)
}

func (j *spilledJoin) addLeft(b vec.Batch) error {
	n := j.build.node
	keys, err := evaluated(n.LeftKeys, b, j.build.run.session)
	if err != nil {
		return err
	}
	if n.Kind == plan.InnerJoin || n.Kind == plan.SemiJoin {
		b, keys = matchable(n, b, keys)
	}
	return j.left.add(b, keys)
}

// matchable drops the rows whose keys equal nothing.
func matchable(n *plan.Join, b vec.Batch, keys []arrow.Array) (vec.Batch, []arrow.Array) {
	groups := make([]uint32, b.Len)
	unmatchable(n, keys, groups)
	rows := make([]int32, 0, b.Len)
	for row, group := range groups {
		if group != none {
			rows = append(rows, int32(row))
		}
	}
	if len(rows) == b.Len {
		return b, keys
	}
	return b.Take(rows), vec.Batch{Cols: keys}.Take(rows).Cols
}

// done notes that a partition is joined. With the last one the space is given back.
func (j *spilledJoin) done() {
	if j.undone.Add(-1) == 0 {
		j.left.close()
		j.right.close()
	}
}

// spread adds all left rows of a task. It returns io.EOF: other tasks put out what they match.
func (o *probeOperator) spread(j *spilledJoin) error {
	if err := drain(o.input, j.addLeft); err != nil {
		return err
	}
	if j.probing.Add(-1) == 0 {
		j.err = j.left.end()
		close(j.ended)
	}
	return io.EOF
}

// partitionJoin is a task that joins its share of the partitions, if the right side is on disk.
type partitionJoin struct {
	probe probeOperator // without input
	first int           // partition; then every so many as there are workers

	began bool
	todo  []joinShare    // the next one last
	open  *probeOperator // nil: none
	share joinShare      // which open is of
	rest  operator       // right rows of share that were in no chunk yet; nil: none
	marks *marks
	held  account // of marks
}

// joinShare is one partition.
type joinShare struct {
	*spilledJoin
	at int
}

func (o *partitionJoin) next() (vec.Batch, error) {
	if !o.began {
		o.began = true
		if err := o.begin(); err != nil {
			return vec.Batch{}, err
		}
	}
	for {
		switch {
		case o.open != nil:
			b, err := o.open.next()
			if !errors.Is(err, io.EOF) {
				return b, err
			}
			o.open.right.account.close()
			if o.open = nil; o.rest == nil {
				o.held.close()
				o.share.done()
			}
		case o.rest != nil:
			if err := o.chunk(); err != nil {
				return vec.Batch{}, err
			}
		case len(o.todo) == 0:
			return vec.Batch{}, io.EOF
		default:
			o.share = pop(&o.todo)
			if err := o.join(); err != nil {
				return vec.Batch{}, err
			}
		}
	}
}

// begin waits until all left rows are on disk. Their tasks were begun before this one: they come before it.
func (o *partitionJoin) begin() error {
	w := o.probe.worker
	build, err := o.probe.build.built(w)
	if err != nil || build.spilled == nil {
		return err
	}
	outer := w.charge(nil)
	defer w.charge(outer)
	select {
	case <-build.spilled.ended:
	case <-w.ctx.Done():
		return cancelled(w.ctx)
	}
	for at := fanout - 1; at >= 0; at-- {
		if at%o.probe.run.workers == o.first {
			o.todo = append(o.todo, joinShare{build.spilled, at})
		}
	}
	return build.spilled.err
}

// join begins to join the share, or divides it.
func (o *partitionJoin) join() error {
	left, right := &o.share.left.parts[o.share.at], &o.share.right.parts[o.share.at]
	if left.rows == 0 {
		o.share.done()
		return nil
	}
	build := o.newBuildSide()
	if build.level == deepest || 8*right.rows > 7*o.share.right.rows { // spreading did not help, and would not the next time
		o.rest = o.share.right.reader(o.share.at)
		o.marks = nil
		if k := o.probe.node.Kind; k != plan.InnerJoin && k != plan.CrossJoin {
			o.marks = &marks{matched: make([]bool, left.rows), unknown: make([]bool, left.rows)}
			o.held = build.account
			return o.held.set(2 * left.rows)
		}
		return nil
	}
	build.input = flow{tasks: 1, open: func(*worker, int) operator { return o.share.right.reader(o.share.at) }}
	if err := build.build(o.probe.worker); err != nil {
		return err
	}
	if build.spilled == nil {
		o.marks = nil
		o.probeWith(build)
		return nil
	}
	if err := drain(o.share.left.reader(o.share.at), build.spilled.addLeft); err != nil {
		return err
	}
	o.share.done()
	for at := fanout - 1; at >= 0; at-- {
		o.todo = append(o.todo, joinShare{build.spilled, at})
	}
	return build.spilled.left.end()
}

// newBuildSide is one for the rows of the share.
func (o *partitionJoin) newBuildSide() *buildSide {
	build := o.probe.run.newBuildSide(o.probe.node, o.share.build.meter)
	build.level = o.share.right.level + 1
	return build
}

// chunk begins to join the next rows of rest, as many as fit.
func (o *partitionJoin) chunk() error {
	build := o.newBuildSide()
	more, err := build.fill(o.probe.worker.ctx, o.rest)
	if err != nil {
		return err
	}
	if !more {
		o.rest = nil
	}
	if o.marks != nil {
		o.marks.at, o.marks.last = 0, !more
	}
	o.probeWith(build)
	return nil
}

// probeWith begins to probe a side with the left rows of the share.
func (o *partitionJoin) probeWith(build *buildSide) {
	probe := o.probe
	probe.input, probe.right, probe.lookup, probe.marks = o.share.left.reader(o.share.at), build, newLookup(build.groups), o.marks
	o.open = &probe
}

func (o *partitionJoin) close() {
	if o.open != nil {
		o.open.right.account.close()
	}
	o.held.close()
	o.open, o.todo, o.rest, o.marks = nil, nil, nil, nil
}

// fill builds the side of the next rows of op, as many as fit; more reports whether some may be left.
func (s *buildSide) fill(ctx context.Context, op operator) (more bool, err error) {
	s.tasks = make([][]vec.Batch, 1)
	for {
		b, err := op.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return false, err
		}
		s.tasks[0] = append(s.tasks[0], b)
		if err := s.account.add(s.weigh.of(b)); err != nil {
			return false, err
		}
		if more = !s.account.fits(2 * s.account.held); more {
			break
		}
	}
	return more, s.index(ctx, false)
}

// marks keep what is known of the left rows from chunk to chunk.
type marks struct {
	matched, unknown []bool // by left row
	at               int    // how many of them went by in this chunk
	last             bool   // this chunk is
}

// load sets what is known of the next rows, if there are chunks.
func (m *marks) load(matched, unknown []bool) {
	if m != nil {
		copy(matched, m.matched[m.at:])
		copy(unknown, m.unknown[m.at:])
	}
}

// store keeps what is known now of the rows that were loaded last. It reports whether more chunks will come.
func (m *marks) store(matched, unknown []bool) bool {
	if m == nil {
		return false
	}
	copy(m.matched[m.at:], matched)
	copy(m.unknown[m.at:], unknown)
	m.at += len(matched)
	return !m.last
}
