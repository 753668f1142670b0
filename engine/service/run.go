package service

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/figure"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqlerr"
)

// outcome is how a query ended.
type outcome struct {
	err    *sqlerr.Error // nil: it succeeded
	result *stored       // nil if it did not
	cached bool
}

// run runs a query in its slot, to its end.
func (s *Service) run(q *query) {
	var o outcome
	func() {
		defer func() {
			if p := recover(); p != nil {
				o = outcome{err: sqlerr.New(sqlerr.Internal, 0, "the query hit a defect of trailql: %v", p).WithHint("please report it together with the query")}
			}
		}()
		o = s.execute(q)
	}()
	if err := q.failure(); err != nil && o.result == nil {
		o.err = err // whatever the engine made of it
	}
	s.finish(q, o)
	if o.cached {
		s.unpin(o.result.id)
	}
	if q.release() {
		s.queries.Done()
	}
	q.cancel(nil)
}

// execute answers the query from the cache, whose result is then pinned, or by the engine.
func (s *Service) execute(q *query) outcome {
	if q.ctx.Err() != nil {
		return outcome{}
	}
	q.update(func() { q.now.State, q.now.Started = Running, s.now() })
	if most := lower(s.limits.Time, q.request.MaxTime); most > 0 {
		timer := time.AfterFunc(most, func() {
			q.cancel(sqlerr.New(sqlerr.Resource, 0, "the query ran longer than %s", duration(most)).WithHint("narrow the time range, or raise the time limit"))
		})
		defer timer.Stop()
	}
	snap, err := s.catalog.bind(q.ctx, q.request.Snapshot)
	if err != nil {
		return outcome{err: sqlerr.Wrap(sqlerr.Data, err, "the lake cannot be read")}
	}
	q.update(func() { q.now.Snapshot = snap.Version() })

	key := s.cacheKey(q.ctx, q.request, snap)
	if key != nil && !q.request.Fresh {
		if hit := s.lookUp(q.ctx, key); hit != nil {
			if err := s.tooManyRows(q, hit.rows); err != nil {
				s.unpin(hit.id)
				return outcome{err: err}
			}
			return outcome{result: hit, cached: true}
		}
	}
	result, err := s.stream(q, snap)
	if err != nil {
		if cause := snap.failure(); cause != nil && q.ctx.Err() == nil {
			err = cause
		}
		return outcome{err: shown(err)}
	}
	result.key = key
	return outcome{result: result}
}

// watchEvery is how often a running query is held against its limits, and rows that wait for more to come are stored.
const watchEvery = 50 * time.Millisecond

// stream runs the query in the engine and stores its rows.
func (s *Service) stream(q *query, snap source.Snapshot) (whole *stored, err error) {
	memory := s.limits.Memory
	if memory > 0 {
		memory = max(1, memory/int64(s.limits.Concurrent))
	}
	result, err := s.engine.Query(q.ctx, q.request.SQL, engine.Options{
		Memory: memory, Scratch: s.config.Scratch, Snapshot: snap, Now: s.now(),
		User: q.request.User, Params: q.request.Params, Session: q.request.Session,
	})
	if err != nil {
		return nil, err
	}
	defer result.Close()
	out, err := newSpool(s.results(), q.id, result.Columns, s.limits.KeepBytes)
	if err != nil {
		return nil, err
	}
	defer func() {
		if whole == nil { // an error, or a panic
			out.remove()
		}
	}()
	q.update(func() { q.now.Columns, q.now.Change, q.spool, q.result = result.Columns, result.Change, out, result })

	check := func() error { return s.tooManyBytes(q, result.Stats().BytesRead) }
	stop := make(chan struct{})
	defer close(stop)
	s.queries.Go(func() { watch(q, out, check, stop) })
	for rows := int64(0); ; {
		b, err := result.Next()
		ended := errors.Is(err, io.EOF)
		if err != nil && !ended {
			return nil, err
		}
		if err := check(); err != nil {
			return nil, err
		}
		if ended {
			return out.close()
		}
		rows += int64(b.Len)
		if err := s.tooManyRows(q, rows); err != nil {
			return nil, err
		}
		stored, err := out.add(b)
		if err != nil {
			return nil, err
		}
		if stored {
			q.update(func() {})
		}
	}
}

// watch looks after a running query until stop is closed: it may be long until the engine's next batch.
func watch(q *query, out *spool, check func() error, stop chan struct{}) {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
		}
		stored, err := out.flush()
		if err == nil {
			err = check()
		}
		if err != nil {
			q.cancel(err)
			return
		}
		if stored {
			q.update(func() {})
		}
	}
}

func (s *Service) tooManyBytes(q *query, bytes int64) error {
	if most := lower(s.limits.Bytes, q.request.MaxBytes); most > 0 && bytes > most {
		return sqlerr.New(sqlerr.Resource, 0, "the query read more than the %s it may read from the lake", figure.Bytes(most)).
			WithHint("narrow the time range, accounts or regions, select fewer columns, or raise the limit")
	}
	return nil
}

func (s *Service) tooManyRows(q *query, rows int64) *sqlerr.Error {
	if most := lower(s.limits.Rows, q.request.MaxRows); most > 0 && rows > most {
		return sqlerr.New(sqlerr.Resource, 0, "the result has more than the %d rows it may have", most).WithHint("add a LIMIT, or raise the limit of rows")
	}
	return nil
}

// lower is the service's limit, or the request's if that is lower; 0 is none.
func lower[T int64 | time.Duration](service, request T) T {
	if request > 0 && (service == 0 || request < service) {
		return request
	}
	return service
}

// finish ends a query; of several calls the first counts. The history knows the end before anybody else does.
func (s *Service) finish(q *query, o outcome) {
	q.mu.Lock()
	if q.claimed {
		q.mu.Unlock()
		if o.result != nil && !o.cached {
			s.removeResult(o.result.id)
		}
		return
	}
	q.claimed = true
	end := q.look()
	q.mu.Unlock()

	end.Finished = s.now()
	s.conclude(&end, o)
	ctx := context.WithoutCancel(q.ctx)
	err := s.history.finish(ctx, &end, o)
	if err != nil && o.result != nil {
		if !o.cached {
			s.removeResult(o.result.id)
		}
		o = outcome{err: sqlerr.Wrap(sqlerr.Resource, err, "the result cannot be entered in %s", s.folder)}
		s.conclude(&end, o)
		err = s.history.finish(ctx, &end, o)
	}

	s.mu.Lock()
	if i := slices.Index(s.queue, q); i >= 0 {
		s.queue = slices.Delete(s.queue, i, i+1)
	}
	if err == nil { // else memory alone knows how it ended
		delete(s.live, end.ID)
	}
	s.count(&end, o)
	full := s.totals.ResultBytes > s.limits.KeepBytes
	if q.followed && o.result != nil {
		s.pins[o.result.id]++
		q.pinned = o.result.id
	}
	s.mu.Unlock()

	q.update(func() { q.now, q.spool, q.result, q.stored, q.done = end, nil, nil, o.result, true })
	if full {
		_ = s.expire(ctx, s.now()) // what cannot be removed now is tried again every minute
	}
}

// conclude fills in how a query ended.
func (s *Service) conclude(end *Query, o outcome) {
	end.Err, end.Expires, end.Cached = o.err, time.Time{}, o.cached
	switch {
	case o.err == nil:
		end.State, end.Columns, end.Rows, end.ResultBytes = Succeeded, o.result.columns, o.result.rows, o.result.bytes
		end.Stats.Rows = o.result.rows
		end.Expires = end.Finished.Add(s.limits.Keep)
		return
	case o.err.Kind == sqlerr.Cancelled:
		end.State = Cancelled
	default:
		end.State = Failed
	}
	end.Rows, end.ResultBytes, end.Change = 0, 0, nil
}

// count adds a query's end to the totals. The lock is held.
func (s *Service) count(end *Query, o outcome) {
	t := &s.totals
	switch end.State {
	case Succeeded:
		t.Succeeded++
		t.ResultRows += end.Rows
		if o.cached {
			t.FromCache++
		} else {
			t.Results++
			t.ResultBytes += end.ResultBytes
		}
	case Failed:
		t.Failed++
	default:
		t.Cancelled++
	}
	t.RowsRead += end.Stats.RowsRead
	t.BytesRead += end.Stats.BytesRead
}

// shown makes of any error the one that people get.
func shown(err error) *sqlerr.Error {
	var e *sqlerr.Error
	if errors.As(err, &e) {
		return e
	}
	return sqlerr.Wrap(sqlerr.Internal, err, "the query failed")
}

// duration prints a time limit for people: "30m" rather than "30m0s".
func duration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
