// Package service is a query's life: admission, states, limits, stored results in
// pages, history, and a cache by snapshot. Every face that people and programs
// use stands on it.
//
// A query is queued, runs, and ends as succeeded, failed or cancelled. While it runs its rows are stored, and can be read page by page
// as they come. What is kept lies in one folder, the state: a SQLite file with one row a query, and an Arrow IPC stream a result.
package service

import (
	"context"
	"errors"
	"io"
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
	SQL    string
	User   string // who asks, for the history
	Source string // which face: "shell", "rest", "report"
	Fresh  bool   // do not answer from the cache

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
type Column struct {
	Name string
	Type sqltype.Type
}

// Query is what is known of a query at one moment.
type Query struct {
	ID           string // 36 characters, random, in UUID form
	SQL          string
	User, Source string
	State        State
	Err          *sqlerr.Error // why it failed or was cancelled; nil otherwise
	Snapshot     int64         // version of the lake; 0 before it runs
	Cached       bool          // answered by an earlier query's result over the same snapshot

	Submitted, Started, Finished time.Time // zero: not yet
	Expires                      time.Time // of the result; zero: none is kept

	Columns     []Column // nil until they are known
	Rows        int64    // stored and ready to be read
	ResultBytes int64    // stored
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
type Service struct{}

// Open opens a service over its state folder. Queries that were waiting or running when the process before ended are failed.
func Open(ctx context.Context, c Config) (*Service, error) { panic("not written yet") }

// Submit queues a statement and returns at once; ctx does not bind the query. Errors of the statement come as the query's state;
// those returned here are ErrBusy, ErrTooLong, ErrClosed, wrapped.
func (s *Service) Submit(ctx context.Context, r Request) (Query, error) { panic("not written yet") }

// Get returns a query as it is now.
func (s *Service) Get(ctx context.Context, id string) (Query, error) { panic("not written yet") }

// Wait returns when the query is done, or ctx is: then the query as it is now, and no error.
func (s *Service) Wait(ctx context.Context, id string) (Query, error) { panic("not written yet") }

// Page returns at most rows rows of a result; it waits until there are some, or the query is done, or ctx is (then its error).
// A query that failed or was cancelled gives its *sqlerr.Error. There are no rows beyond the end.
func (s *Service) Page(ctx context.Context, id string, from, rows int64) (Page, error) {
	panic("not written yet")
}

// Cancel ends a query, waiting or running; it is no error if the query is done already.
func (s *Service) Cancel(ctx context.Context, id string) error { panic("not written yet") }

// Run submits a statement and reads its result as it comes; ctx binds the query.
func (s *Service) Run(ctx context.Context, r Request) (*Rows, error) { panic("not written yet") }

// History lists queries, newest first, waiting and running ones included.
func (s *Service) History(ctx context.Context, f Filter) ([]Query, error) { panic("not written yet") }

// Snapshot is the newest, for requests that must all see the same.
func (s *Service) Snapshot(ctx context.Context) (source.Snapshot, error) { panic("not written yet") }

// Totals counts.
func (s *Service) Totals() Totals { panic("not written yet") }

// Close takes no more queries, lets those that wait or run finish until ctx is done, then cancels them.
func (s *Service) Close(ctx context.Context) error { panic("not written yet") }

// Filter of the history.
type Filter struct {
	Before string // id: older than this query
	Limit  int    // 100
	State  State  // "": all
	User   string // "": all
}

// Rows reads a result in order while the query runs. Used by one goroutine, but Stats and Query may be called by any.
type Rows struct{}

// Columns waits until they are known.
func (r *Rows) Columns() ([]Column, error) { panic("not written yet") }

// Next returns the next batch, never empty; io.EOF at the end, else a *sqlerr.Error or the error of the context.
func (r *Rows) Next() (vec.Batch, error) { panic("not written yet") }

// Stats says how far the query is, or what it took.
func (r *Rows) Stats() engine.Stats { panic("not written yet") }

// Query is the query as it is now.
func (r *Rows) Query() Query { panic("not written yet") }

// Close cancels a query that still runs.
func (r *Rows) Close() error { panic("not written yet") }
