// Package engine is the façade: open, query, explain, cancel. The flow is
//
//	text → sql.Parse → bind → plan → optimize → exec → batches
package engine

import (
	"cmp"
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/trailql/trailql/engine/bind"
	"github.com/trailql/trailql/engine/exec"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/optimize"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/vec"
)

// Engine answers SQL over a catalog. Safe for concurrent use.
type Engine struct{ catalog source.Catalog }

// Version is the program's.
func Version() string { return fn.Version() }

// New returns an engine over cat.
func New(cat source.Catalog) *Engine { return &Engine{catalog: cat} }

// Scratch is where queries that outgrow their memory write.
type Scratch = exec.Scratch

// NewScratch makes temporary files in a folder, which is made when it is needed. They are gone with the process, however it ends.
func NewScratch(dir string) Scratch { return exec.NewScratchFolder(dir) }

// mostScratch is what the temporary files of a query may take, unless Options say otherwise.
const mostScratch = 100 << 30

// Options of one query; the zero value is right for a shell.
type Options struct {
	Workers      int             // 0: all cores
	BatchRows    int             // 0: default
	Memory       int64           // bytes the query may hold; 0: no limit
	Now          time.Time       // zero: the clock
	Snapshot     source.Snapshot // nil: the newest of the catalog
	Scratch      Scratch         // nil: a query that outgrows Memory fails
	ScratchBytes int64           // bytes that the query may have there at a time; 0: 100 GiB
	Off          source.Switches // steps turned off, for tests
	SpillAlways  bool            // write to Scratch as if no memory were left, for tests
	ManyGroups   int             // see exec.Options, for tests
	WithoutRules []string        // optimizer rules turned off, for tests
	User         string          // who asks, for current_user; "": not known
	Params       []string        // literals as they are written in SQL, for the statement's ? in order
	Session      Session         // what earlier statements have set; its properties can lower Memory
}

// Result is a running query. Used by one goroutine, but Stats may be called by any.
type Result struct {
	Columns []plan.Column // names as shown: _col0 … for unnamed ones
	Version int64         // of the snapshot
	Change  *Change       // of the session, by this statement; nil: none

	ctx     context.Context
	cancel  context.CancelFunc
	from    *executed    // nil: places are in the statement's own text
	stream  *exec.Stream // nil: the answer is fixed
	fixed   []vec.Batch
	writing *writing // nil: nothing is written, or it is done
	written bool     // the rows went to files
	started time.Time
	elapsed atomic.Int64 // nanoseconds, once the end is reached
	rows    atomic.Int64
}

// Query parses, binds, plans and starts one statement. Errors are *sqlerr.Error with a place in text.
// Cancel ctx or Close the result to stop it.
func (e *Engine) Query(ctx context.Context, text string, opt Options) (*Result, error) {
	started := time.Now()
	if opt.Now.IsZero() {
		opt.Now = started
	}
	st, set, err := begin(text, opt)
	if err != nil {
		return nil, shown(ctx, err)
	}
	cancel := func() {}
	if set.time > 0 {
		ctx, cancel = context.WithTimeoutCause(ctx, set.time, sqlerr.New(sqlerr.Resource, 0, "the query ran longer than %s", set.time).
			WithHint("narrow the time range, or raise the session property query_max_run_time"))
	}
	r := &Result{ctx: ctx, cancel: cancel, started: started}
	if r.from, err = opt.Session.execute(st); err == nil {
		if r.from != nil {
			st = r.from.statement
		}
		err = r.from.placed(e.start(r, st, text, opt, set))
	}
	if err != nil {
		defer cancel()
		return nil, shown(ctx, err)
	}
	return r, nil
}

// begin reads the statement, and what the session has set.
func begin(text string, opt Options) (sql.Statement, settings, error) {
	st, err := sql.Parse(text, opt.Params...)
	if err != nil {
		return nil, settings{}, err
	}
	if err := opt.Session.check(); err != nil {
		return nil, settings{}, err
	}
	set, err := opt.Session.settings()
	return st, set, err
}

// start makes r the running statement st, which is written in text.
func (e *Engine) start(r *Result, st sql.Statement, text string, opt Options, set settings) (err error) {
	snap := opt.Snapshot
	if snap == nil {
		if snap, err = e.catalog.Snapshot(r.ctx); err != nil {
			return err
		}
	}
	if opt.Memory == 0 || set.memory > 0 && set.memory < opt.Memory {
		opt.Memory = set.memory
	}
	q := &query{
		catalog: e.catalog,
		without: opt.WithoutRules,
		exec: exec.Options{
			Workers: opt.Workers, BatchRows: opt.BatchRows, Memory: opt.Memory, Off: opt.Off,
			Scratch: opt.Scratch, ScratchBytes: cmp.Or(opt.ScratchBytes, mostScratch), SpillAlways: opt.SpillAlways, ManyGroups: opt.ManyGroups,
			Session: set.forFunctions(opt),
		},
		text: text, session: opt.Session,
	}
	q.snapshot = information{snap, q}
	r.Version = snap.Version()
	if show, ok := st.(*sql.ShowCoverage); ok {
		st = show.Query()
	}
	switch st := st.(type) {
	case *sql.Query:
		node, err := q.plan(st)
		if err != nil {
			return err
		}
		r.Columns = plan.ShownNames(node.Schema())
		r.stream, err = exec.Run(r.ctx, node, q.exec)
		return err
	case *sql.CreateTableAs, *sql.Unload:
		return q.write(st, r)
	}
	t, err := q.answer(r.ctx, st)
	if err != nil {
		return err
	}
	r.Columns, r.Change = t.columns, t.change
	r.fixed, err = t.batches()
	return err
}

// Repeatable reports whether a statement answers the same over the same snapshot whenever it is asked: it names no function that reads the
// clock or draws chance, draws no sample, and does not ask about the catalog. It looks at words only, so that it may doubt where there is no need.
func Repeatable(text string) bool {
	before := ""
	for _, t := range sql.Tokens(text) {
		word := strings.ToLower(strings.Trim(text[t.Start:t.End], "\"`"))
		if f, ok := fn.Lookup(word); ok && (f.Volatile || f.Clock) || word == "tablesample" || word == informationSchema || word == systemCatalog {
			return false
		}
		if word == "time" && before != "with" && before != "without" && before != "at" { // a time of day may be cast to one of today
			return false
		}
		before = word
	}
	return true
}

// Identity is what makes the answer of a query beside the rows of a snapshot: equal parts, equal answers.
type Identity struct {
	Parts []string          // the query itself, with the values for its ?, and what its session adds to what it means
	Reads []source.Relation // the tables and views that it reads, those that stand in views and under other names too
}

// Identify looks at the query that text is or executes; opt are those for Query. What is no query, has a mistake in it, or may answer another
// time other than now, is an error.
func Identify(text string, snap source.Snapshot, opt Options) (Identity, error) {
	st, set, err := begin(text, opt)
	if err != nil {
		return Identity{}, err
	}
	from, err := opt.Session.execute(st)
	if err != nil {
		return Identity{}, err
	}
	if from != nil {
		st = from.statement
	}
	asked, ok := st.(*sql.Query)
	if !ok {
		return Identity{}, sqlerr.New(sqlerr.Unknown, st.Pos(), "this is no query")
	}
	id := Identity{Parts: []string{sql.Format(asked), set.zone.String(), opt.Session.Catalog, opt.Session.Schema}}
	if !Repeatable(id.Parts[0]) {
		return Identity{}, sqlerr.New(sqlerr.Unknown, st.Pos(), "the answer of this query changes")
	}
	q := &query{exec: exec.Options{Session: set.forFunctions(opt)}}
	found := &recorded{Snapshot: information{snap, q}}
	q.snapshot = found
	_, err = bind.Query(asked, found, &q.exec.Session)
	id.Reads = found.relations
	return id, err
}

// recorded is a snapshot that keeps a list of what was resolved.
type recorded struct {
	source.Snapshot
	relations []source.Relation
}

func (s *recorded) Resolve(name []string) (source.Relation, bool) {
	r, ok := s.Snapshot.Resolve(name)
	if !ok {
		return r, ok
	}
	if bound, is := r.(*source.Bound); is {
		s.relations = append(s.relations, bound.Of)
	} else {
		s.relations = append(s.relations, r)
	}
	return r, ok
}

// query is what the statements of one call share.
type query struct {
	catalog  source.Catalog
	snapshot source.Snapshot
	without  []string
	exec     exec.Options
	text     string // of the statement
	session  Session
}

// planning turns a panic into an error: it is a defect of ours, not the end of the process.
func planning(err *error) {
	if p := recover(); p != nil {
		*err = sqlerr.New(sqlerr.Internal, 0, "planning failed: %v", p).WithHint("this is a defect: please report the statement")
	}
}

// plan binds and optimizes.
func (q *query) plan(st *sql.Query) (n plan.Node, err error) {
	defer planning(&err)
	n, err = bind.Query(st, q.snapshot, &q.exec.Session)
	if err != nil {
		return nil, err
	}
	return optimize.Run(n, &q.exec.Session, q.without)
}

// Next returns the next batch, never empty, or io.EOF.
func (r *Result) Next() (vec.Batch, error) {
	var b vec.Batch
	err := io.EOF
	switch {
	case r.writing != nil:
		b, err = r.write()
	case r.written:
	case r.stream != nil:
		b, err = r.stream.Next()
	case r.ctx.Err() != nil:
		err = r.ctx.Err()
	case len(r.fixed) > 0:
		b, r.fixed, err = r.fixed[0], r.fixed[1:], nil
	}
	if err != nil {
		r.elapsed.CompareAndSwap(0, int64(time.Since(r.started)))
		if errors.Is(err, io.EOF) {
			return vec.Batch{}, io.EOF
		}
		return vec.Batch{}, shown(r.ctx, r.from.placed(err))
	}
	r.rows.Add(int64(b.Len))
	return b, nil
}

// Close ends the query; harmless twice.
func (r *Result) Close() error {
	if r.writing != nil {
		r.writing.output.Abort()
		r.writing = nil
	}
	defer r.cancel()
	if r.stream == nil {
		return nil
	}
	if err := r.stream.Close(); err != nil {
		return shown(r.ctx, r.from.placed(err))
	}
	return nil
}

// Stats of a query.
type Stats struct {
	Rows                       int64 // returned
	RowsRead, BytesRead        int64
	Morsels, MorselsDone       int64 // of all scans: how far the query is
	Partitions, Files          int64 // of the tables scanned
	PartitionsPruned           int64
	FilesPruned                int64
	RowGroups, RowGroupsPruned int64
	Elapsed                    time.Duration
	Memory                     int64 // the nodes' peaks, summed
	Spilled                    int64 // bytes written to temporary files
}

// Stats says what the query read and skipped so far, summed over its scans.
func (r *Result) Stats() Stats {
	s := Stats{Rows: r.rows.Load(), Elapsed: time.Duration(r.elapsed.Load())}
	if s.Elapsed == 0 {
		s.Elapsed = time.Since(r.started)
	}
	if r.stream == nil {
		return s
	}
	for _, m := range r.stream.Metrics() {
		s.Memory += m.Memory
		s.Spilled += m.SpilledBytes
		s.Morsels += m.Morsels
		s.MorselsDone += m.MorselsDone
		if m.Scan == nil {
			continue
		}
		s.RowsRead += m.Scan.RowsRead.Load()
		s.BytesRead += m.Scan.BytesRead.Load()
		s.Partitions += m.Scan.Partitions.Load()
		s.PartitionsPruned += m.Scan.PartitionsPruned.Load()
		s.Files += m.Scan.Files.Load()
		s.FilesPruned += m.Scan.FilesPruned.Load()
		s.RowGroups += m.Scan.RowGroups.Load()
		s.RowGroupsPruned += m.Scan.RowGroupsByStats.Load() + m.Scan.RowGroupsByBloom.Load() + m.Scan.RowGroupsByDictionary.Load()
	}
	return s
}

// shown makes of any error the *sqlerr.Error that callers get. A *sqlerr.Error that ctx was cancelled with says why better than the
// engine could: it is a limit of the service.
func shown(ctx context.Context, err error) error {
	var cause *sqlerr.Error
	switch {
	case errors.As(context.Cause(ctx), &cause):
		return cause
	case errors.Is(err, context.DeadlineExceeded), errors.Is(ctx.Err(), context.DeadlineExceeded):
		return sqlerr.New(sqlerr.Cancelled, 0, "the query ran out of time")
	case errors.Is(err, context.Canceled), ctx.Err() != nil:
		return sqlerr.New(sqlerr.Cancelled, 0, "the query was cancelled")
	}
	if e, ok := err.(*sqlerr.Error); ok { //nolint:errorlint // one that is wrapped is told of below with what wraps it
		return e
	}
	var e *sqlerr.Error
	if errors.As(err, &e) {
		return &sqlerr.Error{Kind: e.Kind, Pos: e.Pos, Msg: err.Error()}
	}
	return sqlerr.Wrap(sqlerr.Internal, err, "the query failed")
}
