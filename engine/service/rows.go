package service

import (
	"context"
	"io"
	"math"

	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/vec"
)

// Run submits a statement and reads its result as it comes; ctx binds the query.
func (s *Service) Run(ctx context.Context, r Request) (*Rows, error) {
	q, err := s.submit(ctx, r, true)
	if err != nil {
		return nil, err
	}
	rows := &Rows{service: s, ctx: ctx, query: q}
	rows.release = context.AfterFunc(ctx, func() {
		q.cancel(sqlerr.New(sqlerr.Cancelled, 0, "the query was cancelled"))
	})
	return rows, nil
}

// Rows reads a result in order while the query runs. Used by one goroutine, but Stats and Query may be called by any.
type Rows struct {
	service *Service
	ctx     context.Context
	query   *query
	release func() bool
	next    int64       // row
	batches []vec.Batch // read, not given out yet
	more    bool
	begun   bool
}

// Columns waits until they are known.
func (r *Rows) Columns() ([]Column, error) {
	p, err := r.service.pageOf(r.ctx, r.query, 0, 0)
	return p.Columns, err
}

// Next returns the next batch, never empty; io.EOF at the end, else a *sqlerr.Error or the error of the context.
func (r *Rows) Next() (vec.Batch, error) {
	for len(r.batches) == 0 {
		if r.begun && !r.more {
			return vec.Batch{}, io.EOF
		}
		p, err := r.service.pageOf(r.ctx, r.query, r.next, math.MaxInt32)
		if err != nil {
			return vec.Batch{}, err
		}
		r.begun, r.more, r.batches = true, p.More, p.Batches
		r.next += p.Rows
	}
	b := r.batches[0]
	r.batches[0] = vec.Batch{} // so that it can be collected
	r.batches = r.batches[1:]
	return b, nil
}

// Stats says how far the query is, or what it took.
func (r *Rows) Stats() engine.Stats { return r.Query().Stats }

// Query is the query as it is now.
func (r *Rows) Query() Query { return r.query.view() }

// Close cancels a query that still runs, and lets the result expire. Harmless twice.
func (r *Rows) Close() error {
	r.release()
	r.query.cancel(sqlerr.New(sqlerr.Cancelled, 0, "the query was cancelled"))
	s := r.service
	s.mu.Lock()
	defer s.mu.Unlock()
	r.query.followed = false
	if r.query.pinned != "" {
		s.unpinLocked(r.query.pinned)
		r.query.pinned = ""
	}
	return nil
}
