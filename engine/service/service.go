// Package service is a query's life: admission, states, limits, stored results in
// pages, history, and a cache by snapshot. Every face that people and programs
// use stands on it.
//
// A query is queued, runs, and ends as succeeded, failed or cancelled. While it runs its rows are stored, and can be read page by page
// as they come. What is kept lies in one folder, the state: a SQLite file with one row a query, and an Arrow IPC stream a result.
//
//	Submit → history: a row, state queued → admission: the queue, a slot → run: cache, else engine → spool → finish
//	Page, Rows ← stored: the file's extents, each with its hash ← the spool while it runs, the history afterwards
//
// Every end of a query, whoever brings it about (the last row, an error, Cancel, a limit, Close), is one call of finish, of which
// the first wins: it writes the history, then lets go of the query in memory, then wakes who waits. Cancel, limits and Close cancel the
// query's context with the *sqlerr.Error that shall be its end, and that alone calls finish: nobody waits for an operator to notice. The slot
// is free once the engine has stopped. Only what waits or runs is in memory; all else is read from the state folder.
package service

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// Errors that are about the service, not about a statement; test with errors.Is.
var (
	ErrNotFound = errors.New("no such query")                         // never was, or its history expired
	ErrExpired  = errors.New("the result is no longer kept")          // the history knows the query
	ErrBusy     = errors.New("too many queries are waiting")          // the queue is full: try again later
	ErrClosed   = errors.New("the service is stopping")               //
	ErrInUse    = errors.New("the state folder is in use by another") // Open: one process owns a state folder
	ErrTooLong  = errors.New("the statement is too long")             // over Limits.Text
)

// Config of a service; zero fields take defaults.
type Config struct {
	Catalog source.Catalog
	Lake    string           // tells lakes apart in the cache: the lake's URL
	State   string           // folder, made if missing; "": a temporary one, removed by Close
	Scratch engine.Scratch   // for queries that outgrow their memory; nil: in the state folder
	Tables  []Table          // relations beside the catalog's; the service adds query_history
	Limits  Limits           //
	Now     func() time.Time // the clock
	Rand    io.Reader        // ids
}

// Table is a relation that is made when a query reads it: the state as SQL. Queries over one are never answered from the cache.
type Table struct {
	Name string
	Open func(ctx context.Context) (source.Table, error)
}

// Limits of a service; of one query unless said otherwise. 0 takes the default, negative means none.
type Limits struct {
	Concurrent int           // queries that run at once: 4
	Queue      int           // queries that wait: 1,000
	Memory     int64         // bytes of all running queries together; each may use Memory / Concurrent. Default: none
	Text       int           // bytes of a statement: 262,144, as Athena
	Bytes      int64         // compressed bytes read from the lake. Default: none
	Rows       int64         // rows of the result. Default: none
	Time       time.Duration // running, without waiting. Default: none
	Keep       time.Duration // results are kept so long: 24 hours
	KeepBytes  int64         // bytes of all results kept, the oldest go first: 10 GiB
	History    time.Duration // finished queries are remembered so long: 45 days
}

// Request is a statement with its asker.
type Request struct {
	SQL     string
	Params  []string       // literals as they are written in SQL, for the statement's ? in order
	Session engine.Session // what earlier statements have set; the service keeps none
	User    string         // who asks, for the history
	Source  string         // which face, or part of one: "shell", "shell completion", "rest", "report"
	Fresh   bool           // do not answer from the cache

	// May lower the service's limits, never raise them; 0: as they are.
	MaxBytes, MaxRows int64
	MaxTime           time.Duration

	Snapshot source.Snapshot // nil: the newest when the query starts
}

// State of a query.
type State string

const (
	Queued    State = "queued"
	Running   State = "running"
	Succeeded State = "succeeded"
	Failed    State = "failed"
	Cancelled State = "cancelled"
)

// Done reports whether the state is final.
func (s State) Done() bool { return s == Succeeded || s == Failed || s == Cancelled }

// Column of a result.
type Column = sqltype.Column

// Query is what is known of a query at one moment.
type Query struct {
	ID           string // 36 characters, random, in UUID form
	SQL          string
	Params       []string // nil: none
	User, Source string
	State        State
	Err          *sqlerr.Error // why it failed or was cancelled; nil otherwise
	Snapshot     int64         // version of the lake; 0 before it runs
	Cached       bool          // answered by an earlier query's result over the same snapshot

	Submitted, Started, Finished time.Time // zero: not yet
	Expires                      time.Time // of the result; zero: none is kept

	Change      *engine.Change // of the session, once the statement succeeded; nil: none
	Columns     []Column       // nil until they are known; those of a result that never came whole, too
	Rows        int64          // stored and ready to be read
	ResultBytes int64          // stored
	Stats       engine.Stats
}

// Page is a run of rows of a result.
type Page struct {
	Columns []Column
	From    int64 // of the first row, counted from 0
	Batches []vec.Batch
	Rows    int64 // in Batches
	More    bool  // rows follow, or may follow as the query still runs
}

// Totals count what the service does and did since it was opened.
type Totals struct {
	Queued, Running              int64
	Succeeded, Failed, Cancelled int64
	FromCache, Refused           int64 // Refused: ErrBusy
	RowsRead, BytesRead          int64
	ResultRows                   int64
	Results, ResultBytes         int64 // kept now
}

// Service runs queries. Safe for concurrent use.
type Service struct {
	config  Config
	limits  Limits // 0: none
	engine  *engine.Engine
	catalog *catalog // with the service's own tables
	folder  string
	history *history

	mu       sync.Mutex
	admitted int               // being written to the history, not yet in the queue
	queue    []*query          // first in, first out
	running  int               // slots in use
	live     map[string]*query // by id: those that have not ended
	pins     map[string]int    // results being read: not to be removed
	totals   Totals            // without Queued and Running
	closed   bool              // no more queries
	stopped  chan struct{}     // closed once Close is through with the queries
	queries  sync.WaitGroup    // that have not ended, or whose goroutine has not
	expiring sync.WaitGroup    // the goroutine of keepExpiring
	ctx      context.Context   // of all queries
	cancel   context.CancelCauseFunc
}

// Open opens a service over its state folder. Queries that were waiting or running when the process before ended are failed.
func Open(ctx context.Context, c Config) (_ *Service, err error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	s := &Service{config: c, limits: c.Limits.withDefaults(), folder: c.State, live: map[string]*query{}, pins: map[string]int{}, stopped: make(chan struct{})}
	if s.limits.Memory > 0 && s.limits.Concurrent == math.MaxInt {
		return nil, errors.New("a memory limit needs a limit of queries that run at once, to divide it by")
	}
	if s.folder == "" {
		if s.folder, err = os.MkdirTemp("", "trailql-state-"); err != nil {
			return nil, fmt.Errorf("making a temporary state folder: %w", err)
		}
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.release())
		}
	}()
	if err := os.MkdirAll(s.results(), 0o700); err != nil {
		return nil, fmt.Errorf("making the state folder: %w", err)
	}
	if s.history, err = openHistory(ctx, filepath.Join(s.folder, "service.db")); err != nil {
		return nil, err
	}
	if s.catalog, err = newCatalog(ctx, s, c); err != nil {
		return nil, err
	}
	s.engine = engine.New(s.catalog)
	if s.config.Scratch == nil {
		s.config.Scratch = engine.NewScratch(filepath.Join(s.folder, "spill"))
	}
	if err := s.history.recover(ctx, s.now()); err != nil {
		return nil, err
	}
	if s.totals.Results, s.totals.ResultBytes, err = s.history.kept(ctx); err != nil {
		return nil, err
	}
	if err := s.removeOrphans(ctx); err != nil {
		return nil, err
	}
	if err := s.expire(ctx, s.now()); err != nil {
		return nil, err
	}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	s.expiring.Go(s.keepExpiring)
	return s, nil
}

// withDefaults replaces 0 by the default and what is negative by no limit: 0, or the largest number where there must be one.
func (l Limits) withDefaults() Limits {
	l.Concurrent = limit(l.Concurrent, 4, math.MaxInt)
	l.Queue = limit(l.Queue, 1000, math.MaxInt)
	l.Memory = limit(l.Memory, 0, 0)
	l.Text = limit(l.Text, 256<<10, math.MaxInt)
	l.Bytes = limit(l.Bytes, 0, 0)
	l.Rows = limit(l.Rows, 0, 0)
	l.Time = limit(l.Time, 0, 0)
	l.Keep = limit(l.Keep, 24*time.Hour, 100*365*24*time.Hour)
	l.KeepBytes = limit(l.KeepBytes, 10<<30, math.MaxInt64)
	l.History = limit(l.History, 45*24*time.Hour, 100*365*24*time.Hour)
	return l
}

func limit[T cmp.Ordered](given, byDefault, none T) T {
	var zero T
	switch {
	case given < zero:
		return none
	case given == zero:
		return byDefault
	}
	return given
}

// now is the time as the history can keep it.
func (s *Service) now() time.Time { return s.config.Now().UTC().Truncate(time.Microsecond) }

// results is the folder of the stored results.
func (s *Service) results() string { return filepath.Join(s.folder, "results") }

// Get returns a query as it is now. Expires is zero once its result is no longer kept.
func (s *Service) Get(ctx context.Context, id string) (Query, error) {
	if q := s.find(id); q != nil {
		return q.view(), nil
	}
	q, _, err := s.past(ctx, id)
	return q, err
}

// find returns a query that has not ended, nil if it has or never was.
func (s *Service) find(id string) *query {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.live[id]
}

// past returns a query that has ended, and its result, nil if none is kept.
func (s *Service) past(ctx context.Context, id string) (Query, *stored, error) {
	q, result, err := s.history.get(ctx, id, s.now())
	return q, result, s.known(err)
}

// known turns what the history says once the service has stopped into ErrClosed.
func (s *Service) known(err error) error {
	select {
	case <-s.stopped:
		if err != nil {
			return ErrClosed
		}
	default:
	}
	return err
}

// Wait returns when the query is done, or ctx is: then the query as it is now, and no error.
func (s *Service) Wait(ctx context.Context, id string) (Query, error) {
	q := s.find(id)
	if q == nil {
		return s.Get(context.WithoutCancel(ctx), id)
	}
	_ = q.wait(ctx, q.ended) // however the wait ends, the answer is the query as it is
	return q.view(), nil
}

// Cancel ends a query, waiting or running; it is no error if the query is done already.
func (s *Service) Cancel(ctx context.Context, id string) error {
	q := s.find(id)
	if q == nil {
		_, err := s.Get(ctx, id)
		return err
	}
	q.cancel(sqlerr.New(sqlerr.Cancelled, 0, "the query was cancelled"))
	s.finish(q, outcome{err: q.failure()}) // here, rather than wait for a goroutine's turn beside busy workers
	return q.wait(ctx, q.ended)
}

// Snapshot is the newest, for requests that must all see the same.
func (s *Service) Snapshot(ctx context.Context) (source.Snapshot, error) {
	return s.catalog.Snapshot(ctx)
}

// Totals counts.
func (s *Service) Totals() Totals {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.totals
	t.Queued, t.Running = int64(len(s.queue)), int64(s.running)
	return t
}

// Close takes no more queries, lets those that wait or run finish until ctx is done, then cancels them.
func (s *Service) Close(ctx context.Context) error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	s.mu.Unlock()
	if !first {
		<-s.stopped
		return nil
	}
	stop := context.AfterFunc(ctx, func() {
		s.cancel(sqlerr.New(sqlerr.Cancelled, 0, "trailql stopped before the query was done"))
	})
	s.queries.Wait()
	stop()
	s.cancel(nil)
	close(s.stopped)
	s.expiring.Wait()
	return s.release()
}

// release gives up the state folder; a temporary one is removed.
func (s *Service) release() error {
	var err error
	if s.history != nil {
		err = s.history.close()
	}
	if s.config.State == "" {
		err = errors.Join(err, os.RemoveAll(s.folder))
	}
	return err
}

// Filter of the history.
type Filter struct {
	Before string // id: older than this query
	Limit  int    // 100
	State  State  // "": all
	User   string // "": all
}
