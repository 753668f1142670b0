package exec

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/vec"
)

// Metrics of one node, summed over workers.
type Metrics struct {
	Rows, Batches int64         // put out
	Wall          time.Duration // in the node, without its inputs, summed over workers
	Memory        int64         // peak accounted
	SpilledBytes  int64         // written to temporary files
	SpilledFiles  int64
	Morsels       int64 // of a scan
	MorselsDone   int64
	Scan          *source.Report
}

// meter counts for one node; all its operators share it.
type meter struct {
	rows, batches, wall atomic.Int64
	held, peak          atomic.Int64
	morsels, done       atomic.Int64
	spilledBytes        atomic.Int64
	spilledFiles        atomic.Int64
	scan                *source.Report
}

func (m *meter) hold(delta int64) {
	held := m.held.Add(delta)
	for {
		peak := m.peak.Load()
		if held <= peak || m.peak.CompareAndSwap(peak, held) {
			return
		}
	}
}

func (m *meter) metrics() *Metrics {
	return &Metrics{
		Rows:         m.rows.Load(),
		Batches:      m.batches.Load(),
		Wall:         time.Duration(m.wall.Load()),
		Memory:       m.peak.Load(),
		SpilledBytes: m.spilledBytes.Load(),
		SpilledFiles: m.spilledFiles.Load(),
		Morsels:      m.morsels.Load(),
		MorselsDone:  m.done.Load(),
		Scan:         m.scan,
	}
}

// worker is one goroutine of a run: its context, and a clock that is always charged to the node at work.
type worker struct {
	ctx   context.Context
	on    *meter // nil: nobody, for instance while it waits for other goroutines
	since time.Time
}

// charge stops the clock for the node at work and starts it for m; it returns the one that was stopped.
func (w *worker) charge(m *meter) (previous *meter) {
	now := time.Now()
	if w.on != nil {
		w.on.wall.Add(int64(now.Sub(w.since)))
	}
	previous, w.on, w.since = w.on, m, now
	return previous
}

// metered wraps every operator: it looks for cancellation and counts, once per batch.
type metered struct {
	operator
	worker *worker
	meter  *meter
}

func (o *metered) next() (vec.Batch, error) {
	if o.worker.ctx.Err() != nil {
		return vec.Batch{}, cancelled(o.worker.ctx)
	}
	outer := o.worker.charge(o.meter)
	b, err := o.operator.next()
	o.worker.charge(outer)
	if err != nil {
		return vec.Batch{}, err
	}
	o.meter.rows.Add(int64(b.Len))
	o.meter.batches.Add(1)
	return b, nil
}
