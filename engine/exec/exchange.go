package exec

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/vec"
)

// This file holds all concurrency of a run: each, for operators that take in everything before they put out anything,
// and gather, for those that stream.

// each runs body for every task of f, on as many workers as the run has. body gets the number of its worker (slot, below
// r.workers), so that workers can keep state of their own, and the task's operator, which it need not close. A worker's tasks come
// in f's order. The first error stops all workers; each returns when all have stopped.
func (r *run) each(w *worker, f flow, body func(slot, task int, op operator) error) error {
	return r.times(w, f.tasks, func(w *worker, slot, turn int) error {
		task := turn
		if f.order != nil {
			task = f.order[turn]
		}
		op := f.open(w, task)
		defer op.close()
		return body(slot, task, op)
	})
}

// times runs body for 0, 1, … tasks-1, on as many workers as the run has; see each.
func (r *run) times(w *worker, tasks int, body func(w *worker, slot, task int) error) error {
	if r.workers == 1 || tasks <= 1 {
		for task := range tasks {
			if err := body(w, 0, task); err != nil {
				return err
			}
		}
		return nil
	}
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	n := min(r.workers, tasks)
	failed := make(chan error, n)
	var group sync.WaitGroup
	var claimed atomic.Int64
	outer := w.charge(nil) // which only waits
	for slot := range n {
		group.Go(func() {
			own := &worker{ctx: ctx}
			own.charge(outer)
			err := guard(func() error {
				for {
					task := int(claimed.Add(1)) - 1
					if task >= tasks {
						return nil
					}
					if err := body(own, slot, task); err != nil {
						return err
					}
				}
			})
			own.charge(nil)
			if err != nil {
				failed <- err // before cancel: the first in the channel is the cause, not its effect on others
				cancel()
			}
		})
	}
	group.Wait()
	w.charge(outer)
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// idle is an operator for tasks that need none.
type idle struct{}

func (idle) next() (vec.Batch, error) { return vec.Batch{}, io.EOF }
func (idle) close()                   {}

// team is the run's workers for pieces of one operator's work, at which no other goroutine uses w. After an error, which is kept, nothing is
// done any more.
func (r *run) team(w *worker, failed *error) vec.Team {
	return func(pieces int, do func(int)) {
		if *failed != nil {
			return
		}
		work := flow{tasks: pieces, open: func(*worker, int) operator { return idle{} }}
		*failed = r.each(w, work, func(_, piece int, _ operator) error {
			if w.ctx.Err() != nil {
				return cancelled(w.ctx)
			}
			do(piece)
			return nil
		})
	}
}

// guard runs f and turns a panic into an Internal error. It stands at the root of every goroutine of a run.
func guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = sqlerr.New(sqlerr.Internal, 0, "the query hit a defect of trailql at %s: %v", placeOfPanic(), p).
				WithHint("please report it together with the query")
		}
	}()
	return f()
}

// placeOfPanic returns the file and line that panicked; called while recovering.
func placeOfPanic() string {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(0, pcs)])
	for panicking := false; ; {
		frame, more := frames.Next()
		if panicking && !strings.HasPrefix(frame.Function, "runtime.") {
			return fmt.Sprintf("%s:%d", filepath.Base(frame.File), frame.Line)
		}
		panicking = panicking || frame.Function == "runtime.gopanic"
		if !more {
			return "an unknown place"
		}
	}
}

// rows returns the rows of f in order, as one stream.
func (r *run) rows(w *worker, m *meter, f flow) operator {
	if r.workers == 1 || f.tasks <= 1 {
		return &sequence{worker: w, flow: f}
	}
	ctx, cancel := context.WithCancel(w.ctx)
	o := &gather{
		run: r, worker: w, flow: f, ctx: ctx, cancel: cancel, most: gatherBytes, queues: map[int]*queue{},
		account: account{budget: &r.budget, meter: m, spills: true, doing: "collecting rows", try: "select fewer columns"},
	}
	if r.budget.limit > 0 {
		o.most = min(o.most, r.budget.limit/8)
	}
	o.moved = sync.NewCond(&o.lock)
	return o
}

// sequence runs the tasks one after the other on the caller's goroutine.
type sequence struct {
	worker *worker
	flow   flow
	task   int
	open   operator // of the task before task; nil: none
}

func (o *sequence) next() (vec.Batch, error) {
	for {
		if o.open == nil {
			if o.task == o.flow.tasks {
				return vec.Batch{}, io.EOF
			}
			o.open = o.flow.open(o.worker, o.task)
			o.task++
		}
		b, err := o.open.next()
		if !errors.Is(err, io.EOF) {
			return b, err
		}
		o.close()
	}
}

func (o *sequence) close() {
	if o.open != nil {
		o.open.close()
		o.open = nil
	}
}

// gatherBytes is how much may wait in a gather.
const gatherBytes = 32 << 20

// gather runs the tasks on the run's workers and puts their batches out in the order of the tasks. What later tasks put out waits
// in queues; when too much waits, workers pause, except for the one whose task is being read.
type gather struct {
	run    *run
	worker *worker // of the reader
	flow   flow
	ctx    context.Context
	cancel context.CancelFunc
	most   int64 // bytes that may wait

	group   sync.WaitGroup
	lock    sync.Mutex // of all below
	moved   *sync.Cond // a queue changed, or ctx is done
	account account
	claimed int // tasks that workers have begun
	reading int // the task being read
	queues  map[int]*queue
	stop    func() bool // ends the watch over ctx; nil before the start
}

// queue is what one task has put out and nobody has read yet.
type queue struct {
	batches []queued
	done    bool
	err     error // after the batches
}

type queued struct {
	batch vec.Batch
	bytes int64
}

func (o *gather) start() {
	o.stop = context.AfterFunc(o.ctx, func() {
		o.lock.Lock()
		defer o.lock.Unlock()
		o.moved.Broadcast()
	})
	for range min(o.run.workers, o.flow.tasks) {
		o.group.Go(o.work)
	}
}

// work runs tasks until there are none left, one fails or the reader has closed.
func (o *gather) work() {
	own := &worker{ctx: o.ctx}
	for {
		o.lock.Lock()
		task := o.claimed
		if task == o.flow.tasks || o.ctx.Err() != nil {
			o.lock.Unlock()
			return
		}
		o.claimed++
		q := &queue{}
		o.queues[task] = q
		o.lock.Unlock()

		err := guard(func() error {
			op := o.flow.open(own, task)
			defer op.close()
			var weigh footprint
			return drain(op, func(b vec.Batch) error { return o.put(task, q, queued{b, weigh.of(b)}) })
		})

		o.lock.Lock()
		q.done, q.err = true, err
		o.moved.Broadcast()
		o.lock.Unlock()
		if err != nil {
			return
		}
	}
}

// put waits until there is room for b.
func (o *gather) put(task int, q *queue, b queued) error {
	o.lock.Lock()
	defer o.lock.Unlock()
	for (o.account.held+b.bytes > o.most || !o.account.room(b.bytes)) && (task != o.reading || len(q.batches) > 0) && o.ctx.Err() == nil {
		o.moved.Wait()
	}
	if o.ctx.Err() != nil {
		return cancelled(o.ctx)
	}
	q.batches = append(q.batches, b)
	o.moved.Broadcast()
	return o.account.add(b.bytes)
}

func (o *gather) next() (vec.Batch, error) {
	if o.stop == nil {
		o.start()
	}
	outer := o.worker.charge(nil)
	defer o.worker.charge(outer)
	o.lock.Lock()
	defer o.lock.Unlock()
	for {
		if o.ctx.Err() != nil {
			return vec.Batch{}, cancelled(o.ctx)
		}
		q := o.queues[o.reading]
		switch {
		case o.reading == o.flow.tasks:
			return vec.Batch{}, io.EOF
		case q == nil || len(q.batches) == 0 && !q.done:
			o.moved.Wait()
		case len(q.batches) > 0:
			b := q.batches[0]
			q.batches[0] = queued{} // so that it can be collected
			q.batches = q.batches[1:]
			_ = o.account.add(-b.bytes) // giving back cannot fail
			o.moved.Broadcast()
			return b.batch, nil
		case q.err != nil:
			return vec.Batch{}, q.err
		default:
			delete(o.queues, o.reading)
			o.reading++
			o.moved.Broadcast()
		}
	}
}

func (o *gather) close() {
	o.cancel()
	if o.stop != nil {
		o.group.Wait()
		o.stop()
	}
	o.queues = nil
	o.account.close()
}
