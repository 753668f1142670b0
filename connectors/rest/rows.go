package rest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/service"
	"github.com/trailql/trailql/engine/vec"
)

// farewell is how long a last request may take after its asker's context has ended.
const farewell = 5 * time.Second

// Rows reads a result in order while the query runs, as service.Rows does. Used by one goroutine, but Stats and Query may be called by any.
type Rows struct {
	client *Client
	id     string
	ctx    context.Context    // of the requests; ends with the asker's, or by Close
	stop   context.CancelFunc //
	left   func() bool        // forgets to cancel the query when the asker's context ends
	gone   sync.WaitGroup     // the goroutine that follows the query

	body io.Closer
	in   *exactReader
	rows int64 // read
	err  error // sticky: io.EOF or what ended it

	mu    sync.Mutex
	query service.Query
}

// Run submits a statement and reads its result as it comes; ctx binds the query.
func (c *Client) Run(ctx context.Context, r service.Request) (*Rows, error) {
	q, err := c.Submit(ctx, r)
	if err != nil {
		return nil, err
	}
	rows := &Rows{client: c, id: q.ID, query: q}
	rows.left = context.AfterFunc(ctx, rows.cancel)
	rows.ctx, rows.stop = context.WithCancel(ctx)
	rows.gone.Go(rows.follow)
	return rows, nil
}

// cancel ends the query at the server, though its asker's context has ended.
func (r *Rows) cancel() {
	if r.Query().State.Done() {
		return
	}
	ctx, stop := context.WithTimeout(context.Background(), farewell)
	defer stop()
	_ = r.client.Cancel(ctx, r.id) // a server that cannot be reached ends the query by its own limits
}

// follow keeps the query current by its events. What breaks them is no error of the result, which is asked for by itself.
func (r *Rows) follow() {
	res, err := r.client.call(r.ctx, http.MethodGet, queryPath(r.id)+"/events", nil)
	if err != nil {
		return
	}
	defer res.Body.Close()
	in := bufio.NewScanner(res.Body)
	in.Buffer(nil, answerLimit)
	for in.Scan() {
		data, ok := strings.CutPrefix(in.Text(), "data: ")
		if !ok {
			continue
		}
		var j queryJSON
		if json.Unmarshal([]byte(data), &j) == nil {
			r.see(j.query())
		}
	}
}

// see takes a newer state of the query; none follows the last.
func (r *Rows) see(q service.Query) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.query.State.Done() {
		r.query = q
	}
}

// open asks for the result, once.
func (r *Rows) open() error {
	if r.in != nil || r.err != nil {
		return r.err
	}
	in, q, body, err := r.client.result(r.ctx, r.id, 0, 0)
	if err != nil {
		return r.fail(err)
	}
	r.in, r.body = in, body
	r.see(q)
	return nil
}

// fail ends the reading: with the query's own error where it has one, and with the query as it ended.
func (r *Rows) fail(err error) error {
	if r.err != nil {
		return r.err
	}
	r.err = err
	if ctxErr := r.ctx.Err(); ctxErr != nil {
		r.err = ctxErr
		return r.err
	}
	q, getErr := r.client.Get(r.ctx, r.id)
	switch {
	case getErr == nil:
		r.see(q)
		switch {
		case q.Err != nil:
			r.err = q.Err
		case errors.Is(err, io.EOF) && q.Rows != r.rows:
			r.err = fmt.Errorf("the result did not come whole: %d rows of %d", r.rows, q.Rows)
		}
	case errors.Is(err, io.EOF):
		r.err = getErr
	}
	return r.err
}

// Columns waits until they are known.
func (r *Rows) Columns() ([]service.Column, error) {
	if r.in == nil {
		if err := r.open(); err != nil {
			return nil, err
		}
	}
	return r.in.columns, nil
}

// Next returns the next batch, never empty; io.EOF at the end, else a *sqlerr.Error or the error of the context.
func (r *Rows) Next() (vec.Batch, error) {
	if err := r.open(); err != nil {
		return vec.Batch{}, err
	}
	b, err := r.in.next()
	if err != nil {
		return vec.Batch{}, r.fail(err)
	}
	r.rows += int64(b.Len)
	return b, nil
}

// Stats says how far the query is, or what it took.
func (r *Rows) Stats() engine.Stats { return r.Query().Stats }

// Query is the query as it is now.
func (r *Rows) Query() service.Query {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.query
}

// Close cancels a query that still runs.
func (r *Rows) Close() error {
	if !r.left() {
		// The asker's context ended, which cancels the query already.
		r.stop()
	} else {
		r.stop()
		r.cancel()
	}
	r.gone.Wait()
	if r.body != nil {
		_ = r.body.Close() // nothing is lost by what was not read
	}
	return nil
}
