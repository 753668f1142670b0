// Package exec runs a logical plan: operators over batches, row-group morsels on
// all cores, cancellation, and memory accounting.
//
// A plan is compiled into flows (operator.go): a chain scan → filter → project → probe is opened once per morsel by whichever worker
// takes it, and knows nothing of other goroutines. Workers exist in two places only, both in exchange.go: each, which operators that take in
// all rows first (aggregate, sort, the build side of a join) use to fill one state per worker, and gather, which merges streams in
// order. So the rows of a plan come in the same order whatever the number of workers, but for groups without ORDER BY, and for joins whose
// right side went to disk.
package exec

import (
	"cmp"
	"context"
	"errors"
	"io"
	"runtime"
	"sync"

	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/vec"
)

// defaultBatchRows suits the cache of a core.
const defaultBatchRows = 8192

// Options of one run.
type Options struct {
	Workers   int   // 0: GOMAXPROCS
	BatchRows int   // 0: default; rows per batch at most, in every operator
	Memory    int64 // bytes that operators may account in all; 0: no limit
	Off       source.Switches
	Session   fn.Session

	// Scratch is where operators that outgrow Memory write; nil: they fail with a Resource error. ScratchBytes is what they may have there
	// at a time; 0: no limit. With SpillAlways, for tests, they write as if no memory were left after each batch.
	Scratch      Scratch
	ScratchBytes int64
	SpillAlways  bool

	// ManyGroups is how many groups, or distinct values, a worker holds before rows are spread over partitions if most have a group of
	// their own; 0: default. For tests.
	ManyGroups int
}

// defaultManyGroups are about as many as a core has in its cache.
const defaultManyGroups = 1 << 15

// run is what the operators of one plan share.
type run struct {
	ctx        context.Context
	workers    int
	batchRows  int
	sourceRows int // Options.BatchRows as given: sources choose for themselves where it is 0
	manyGroups int
	off        source.Switches
	session    *fn.Session
	budget     budget
	disk       *disk
	meters     map[plan.Node]*meter // complete once compiled
	spools     map[*plan.SpoolID]*spool
	lastRows   map[*plan.RecursionID]*lastRows // of the recursions around
}

func newRun(ctx context.Context, opt Options) *run {
	r := &run{
		ctx: ctx, workers: opt.Workers, batchRows: opt.BatchRows, sourceRows: opt.BatchRows, manyGroups: cmp.Or(opt.ManyGroups, defaultManyGroups),
		off: opt.Off, session: &opt.Session, meters: map[plan.Node]*meter{}, spools: map[*plan.SpoolID]*spool{},
	}
	if !r.off.PerEntry {
		r.session.PerEntry = fn.NewPerEntry()
	}
	r.budget.limit, r.budget.spills, r.budget.always = opt.Memory, opt.Scratch != nil, opt.SpillAlways
	r.disk = &disk{scratch: opt.Scratch, limit: opt.ScratchBytes}
	if r.workers <= 0 {
		r.workers = runtime.GOMAXPROCS(0)
	}
	r.budget.passing = int64(r.workers) * batchesInPassing
	if r.batchRows <= 0 {
		r.batchRows = defaultBatchRows
	}
	return r
}

// spilling counts the operators of a plan that spill.
func spilling(node plan.Node) int {
	seen := map[plan.Node]bool{}
	plan.Walk(node, func(n plan.Node) {
		switch n.(type) {
		case *plan.Sort, *plan.Window, *plan.Spool, *plan.Recursive, *plan.Aggregate, *plan.Join:
			seen[n] = true
		}
	})
	return len(seen)
}

// Stream yields the rows of a running plan. Used by one goroutine; Close may be called at any time, also twice, and waits for the workers.
type Stream struct {
	run    *run
	cancel context.CancelFunc

	lock sync.Mutex // held by Next, so that Close can come from another goroutine
	root operator
	err  error // sticky: what every further Next returns
}

// Run starts the plan. Nothing is read before the first Next; tables plan their scans now.
func Run(ctx context.Context, node plan.Node, opt Options) (*Stream, error) {
	ctx, cancel := context.WithCancel(ctx)
	s := &Stream{run: newRun(ctx, opt), cancel: cancel}
	err := guard(func() error {
		s.run.budget.divide(s.run.workers * spilling(node))
		f, err := s.run.compile(node)
		if err != nil {
			return err
		}
		s.root = s.run.rows(&worker{ctx: ctx}, s.run.meters[node], f)
		return nil
	})
	if err != nil {
		cancel()
		return nil, err
	}
	return s, nil
}

// Next returns the next batch, never empty, or io.EOF.
func (s *Stream) Next() (vec.Batch, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.err != nil {
		return vec.Batch{}, s.err
	}
	var b vec.Batch
	err := guard(func() (err error) {
		b, err = s.root.next()
		return err
	})
	if err != nil {
		s.finish(err)
		return vec.Batch{}, err
	}
	return b, nil
}

// finish closes the operators; Next returns err from now on. The lock is held.
func (s *Stream) finish(err error) {
	s.err = err
	s.cancel()
	s.root.close()
	s.run.disk.close()
}

// Close stops the workers and frees what the operators hold.
func (s *Stream) Close() error {
	s.cancel() // first, so that a Next under way returns and lets go of the lock
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.err == nil {
		s.finish(cancelled(s.run.ctx))
	}
	return nil
}

// Metrics returns what each node of the plan did so far. It may be called at any time.
func (s *Stream) Metrics() map[plan.Node]*Metrics {
	out := make(map[plan.Node]*Metrics, len(s.run.meters))
	for node, m := range s.run.meters {
		out[node] = m.metrics()
	}
	return out
}

// Prune is plan-time pruning for EXPLAIN: it plans every scan of the plan and prunes its morsels (see source.Scan.Prune), reading no rows.
func Prune(ctx context.Context, node plan.Node, opt Options) (map[plan.Node]*source.Report, error) {
	r := newRun(ctx, opt)
	reports := map[plan.Node]*source.Report{}
	var scans []*plan.Scan
	plan.Walk(node, func(n plan.Node) {
		if scan, ok := n.(*plan.Scan); ok {
			scans = append(scans, scan)
		}
	})
	err := guard(func() error {
		for _, n := range scans {
			scan, err := n.Table.Scan(ctx, r.request(n))
			if err == nil {
				err = scan.Prune(ctx)
			}
			if err != nil {
				return sourceError(ctx, n.Table, err)
			}
			reports[n] = scan.Report()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return reports, nil
}

// cancelled is the error of a run whose context is done. A cause that is a *sqlerr.Error (a limit of the service) is kept.
func cancelled(ctx context.Context) error {
	cause := context.Cause(ctx)
	var e *sqlerr.Error
	if errors.As(cause, &e) {
		return e
	}
	if errors.Is(cause, context.DeadlineExceeded) {
		return sqlerr.New(sqlerr.Cancelled, 0, "the query ran longer than it may")
	}
	return sqlerr.New(sqlerr.Cancelled, 0, "the query was cancelled")
}

// sourceError gives an error of a table the form that people see.
func sourceError(ctx context.Context, t source.Table, err error) error {
	var e *sqlerr.Error
	switch {
	case errors.Is(err, io.EOF) || errors.As(err, &e):
		return err
	case ctx.Err() != nil:
		return cancelled(ctx)
	}
	return sqlerr.Wrap(sqlerr.Data, err, "table %s cannot be read", t.Name())
}
