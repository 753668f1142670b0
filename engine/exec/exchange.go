package exec

import (
	"context"
	"errors"
	"io"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/vec"
)

// This file holds all concurrency of a run: each, for operators that take in everything before they put out anything,
// and gather, for those that stream.

// each runs body for every task of f, on as many workers as the run has. body gets the number of its worker (slot, below
// r.workers), so that workers can keep state of their own, and the task's operator, which it need not close. A worker's tasks come
// in ascending order. The first error stops all workers; each returns when all have stopped.
func (r *run) each(w *worker, f flow, body func(slot, task int, op operator) error) error {
	do := func(w *worker, slot, task int) error {
		op := f.open(w, task)
		defer op.close()
		return body(slot, task, op)
	}
	if r.workers == 1 || f.tasks <= 1 {
		for task := range f.tasks {
			if err := do(w, 0, task); err != nil {
				return err
			}
		}
		return nil
	}
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	n := min(r.workers, f.tasks)
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
					if task >= f.tasks {
						return nil
					}
					if err := do(own, slot, task); err != nil {
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

// guard runs f and turns a panic into an Internal error. It stands at the root of every goroutine of a run.
func guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = sqlerr.Wrap(sqlerr.Internal, &panicError{value: p, stack: debug.Stack()}, "the query hit a defect of trailql").
				WithHint("please report it with the query's text")
		}
	}()
	return f()
}

// panicError keeps what a panic said and where it happened; only the value is part of the message.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string {
	if err, ok := e.value.(error); ok {
		return err.Error()
	}
	if s, ok := e.value.(string); ok {
		return s
	}
	return "panic"
}

// rows returns the rows of f in order, as one stream.
func (r *run) rows(w *worker, m *meter, f flow) operator {
	if r.workers == 1 || f.tasks <= 1 {
		return &sequence{worker: w, flow: f}
	}
	ctx, cancel := context.WithCancel(w.ctx)
	return &gather{
		run: r, worker: w, flow: f, ctx: ctx, cancel: cancel,
		account: account{budget: &r.budget, meter: m, doing: "collecting rows from its workers", try: "select fewer columns"},
	}
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

// queueBatches is how many batches of one task may wait in a gather. With the default batch size a row group's worth.
const queueBatches = 8

// gather runs the tasks on the run's workers and puts their batches out in the order of the tasks. A worker claims a task together with
// its place in the output: a queue of its own, put into a queue of queues. Both are bounded, so workers never get far ahead, and the
// worker whose queue is read is never the one that waits for a place.
type gather struct {
	run     *run
	worker  *worker
	flow    flow
	ctx     context.Context
	cancel  context.CancelFunc
	account account
	lock    sync.Mutex // of account: workers add, the reader takes away

	group  sync.WaitGroup
	queues chan chan queued // in the order of tasks; nil until started
	queue  chan queued      // being read

	claim   sync.Mutex
	task    int // next to be claimed
	running int // workers; the last one closes queues
}

// queued is a batch in a queue, with the bytes accounted for it, or the error that ended the task.
type queued struct {
	batch vec.Batch
	bytes int64
	err   error
}

func (o *gather) start() {
	n := min(o.run.workers, o.flow.tasks)
	o.queues = make(chan chan queued, 2*n)
	o.running = n
	for range n {
		o.group.Go(o.work)
	}
}

// work claims and runs tasks until there are none, one fails or the reader has closed.
func (o *gather) work() {
	defer func() {
		o.claim.Lock()
		defer o.claim.Unlock()
		if o.running--; o.running == 0 {
			close(o.queues)
		}
	}()
	own := &worker{ctx: o.ctx}
	for {
		o.claim.Lock()
		task, queue := o.task, make(chan queued, queueBatches)
		if task == o.flow.tasks {
			o.claim.Unlock()
			return
		}
		o.task++
		select {
		case o.queues <- queue:
		case <-o.ctx.Done():
		}
		o.claim.Unlock()
		if o.ctx.Err() != nil {
			return
		}
		err := guard(func() error { return o.fill(own, task, queue) })
		if err != nil {
			select {
			case queue <- queued{err: err}:
			case <-o.ctx.Done():
			}
		}
		close(queue)
		if err != nil {
			return
		}
	}
}

func (o *gather) fill(w *worker, task int, queue chan<- queued) error {
	op := o.flow.open(w, task)
	defer op.close()
	var weigh footprint
	return drain(op, func(b vec.Batch) error {
		bytes := weigh.of(b)
		if err := o.hold(bytes); err != nil {
			return err
		}
		select {
		case queue <- queued{batch: b, bytes: bytes}:
			return nil
		case <-o.ctx.Done():
			return cancelled(o.ctx)
		}
	})
}

func (o *gather) hold(bytes int64) error {
	o.lock.Lock()
	defer o.lock.Unlock()
	return o.account.add(bytes)
}

func (o *gather) next() (vec.Batch, error) {
	if o.queues == nil {
		o.start()
	}
	outer := o.worker.charge(nil)
	defer o.worker.charge(outer)
	for {
		if o.queue == nil {
			select {
			case queue, ok := <-o.queues:
				if !ok {
					if o.ctx.Err() != nil {
						return vec.Batch{}, cancelled(o.ctx)
					}
					return vec.Batch{}, io.EOF
				}
				o.queue = queue
			case <-o.ctx.Done():
				return vec.Batch{}, cancelled(o.ctx)
			}
		}
		select {
		case q, ok := <-o.queue:
			if !ok {
				o.queue = nil
				continue
			}
			if q.err != nil {
				return vec.Batch{}, q.err
			}
			_ = o.hold(-q.bytes) // giving back cannot fail
			return q.batch, nil
		case <-o.ctx.Done():
			return vec.Batch{}, cancelled(o.ctx)
		}
	}
}

func (o *gather) close() {
	o.cancel()
	o.group.Wait()
	o.account.close()
}
