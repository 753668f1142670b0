package exec

import (
	"errors"
	"io"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/vec"
)

// request is what a scan node asks of its table.
func (r *run) request(n *plan.Scan) source.Request {
	req := source.Request{Paths: n.Paths, Conjuncts: n.Conjuncts, Skips: n.Skips, Limit: n.Limit, Top: n.Top, BatchRows: r.sourceRows, Off: r.off, Session: r.session}
	used := expr.Columns(n.Conjuncts...)
	if len(used) > 0 && used[len(used)-1] == len(used)-1 { // sorted and distinct: exactly the first ones
		req.Filter = len(used)
	}
	return req
}

// scan has a task per morsel.
func (r *run) scan(n *plan.Scan, m *meter) (flow, error) {
	scan, err := n.Table.Scan(r.ctx, r.request(n))
	if err != nil {
		return flow{}, sourceError(r.ctx, n.Table, err)
	}
	if m.scan == nil { // set at a step of a recursion, others may be reading it
		m.scan = scan.Report()
	}
	m.morsels.Add(int64(scan.Morsels()))
	var rest []expr.Expr
	for i, applied := range scan.Applied() {
		if !applied {
			rest = append(rest, n.Conjuncts[i])
		}
	}
	var order []int
	if o, ok := scan.(source.Ordered); ok {
		order = o.Order()
	}
	return flow{tasks: scan.Morsels(), order: order, open: func(w *worker, task int) operator {
		return &scanOperator{run: r, worker: w, meter: m, table: n.Table, scan: scan, morsel: task, conjuncts: rest, out: pieces{most: r.batchRows}}
	}}, nil
}

// scanOperator reads one morsel and filters by what the source did not apply.
type scanOperator struct {
	run       *run
	worker    *worker
	meter     *meter
	table     source.Table
	scan      source.Scan
	morsel    int
	conjuncts []expr.Expr
	reader    source.Reader // nil until the first next
	out       pieces
}

func (o *scanOperator) next() (vec.Batch, error) {
	if o.reader == nil {
		reader, err := o.scan.Open(o.worker.ctx, o.morsel)
		if err != nil {
			return vec.Batch{}, sourceError(o.worker.ctx, o.table, err)
		}
		o.reader = reader
	}
	for o.out.empty() {
		if o.worker.ctx.Err() != nil {
			return vec.Batch{}, cancelled(o.worker.ctx)
		}
		b, err := o.reader.Next()
		if errors.Is(err, io.EOF) {
			o.meter.done.Add(1)
		}
		if err != nil {
			return vec.Batch{}, sourceError(o.worker.ctx, o.table, err)
		}
		// The source's batch is filtered whole, before it is cut: what is evaluated per dictionary entry is evaluated once.
		if b, err = selected(o.conjuncts, b, o.run.session); err != nil {
			return vec.Batch{}, err
		}
		o.out.rest = b
	}
	return o.out.next(), nil
}

func (o *scanOperator) close() {
	if o.reader != nil {
		_ = o.reader.Close() // everything wanted has been read; there is nothing to lose
	}
}
