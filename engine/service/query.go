package service

import (
	"context"
	"sync"

	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/sqlerr"
)

// query is one that waits or runs, or has just ended and is still being read by its Rows.
type query struct {
	id      string
	request Request
	ctx     context.Context
	cancel  context.CancelCauseFunc // with the *sqlerr.Error that is the query's end
	release func() bool             // ends the watch over ctx

	mu       sync.Mutex
	now      Query          // without what spool and result know better while it runs
	spool    *spool         // nil: nothing to store yet, or it has ended
	result   *engine.Result // nil likewise
	stored   *stored        // of a query that succeeded
	claimed  bool           // somebody is finishing it
	done     bool
	followed bool          // a Rows reads it
	pinned   string        // the result that is pinned for it
	changed  chan struct{} // closed at the next change
}

func newQuery(ctx context.Context, id string, r Request) *query {
	q := &query{id: id, request: r, changed: make(chan struct{})}
	q.now = Query{ID: id, SQL: r.SQL, Params: r.Params, User: r.User, Source: r.Source, State: Queued}
	q.ctx, q.cancel = context.WithCancelCause(ctx)
	return q
}

// update changes the query under its lock, and wakes who waits.
func (q *query) update(f func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	f()
	close(q.changed)
	q.changed = make(chan struct{})
}

// wait returns nil when the condition, which is called under the lock, holds; else the error of ctx.
func (q *query) wait(ctx context.Context, condition func() bool) error {
	for {
		q.mu.Lock()
		met, changed := condition(), q.changed
		q.mu.Unlock()
		if met {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ended is a condition of wait.
func (q *query) ended() bool { return q.done }

// view is the query at this moment.
func (q *query) view() Query {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.look()
}

// look is view under the lock.
func (q *query) look() Query {
	v := q.now
	if q.result != nil {
		v.Stats = q.result.Stats()
	}
	if q.spool != nil {
		so := q.spool.soFar()
		v.Rows, v.ResultBytes = so.rows, so.bytes
	}
	return v
}

// failure is the end that the query's context was cancelled with, nil if it was not.
func (q *query) failure() *sqlerr.Error {
	if q.ctx.Err() == nil {
		return nil
	}
	return shown(context.Cause(q.ctx))
}
