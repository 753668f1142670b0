package service

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
)

// Submit queues a statement and returns at once; ctx does not bind the query. Errors of the statement come as the query's state;
// those returned here are ErrBusy, ErrTooLong, ErrClosed, wrapped, and those of the state folder.
func (s *Service) Submit(ctx context.Context, r Request) (Query, error) {
	q, err := s.submit(ctx, r, false)
	if err != nil {
		return Query{}, err
	}
	return q.view(), nil
}

func (s *Service) submit(ctx context.Context, r Request, followed bool) (*query, error) {
	text := len(r.SQL)
	for _, value := range r.Params {
		text += len(value)
	}
	if text > s.limits.Text {
		return nil, fmt.Errorf("%w: %d bytes where %d are allowed", ErrTooLong, text, s.limits.Text)
	}
	id, err := newID(s.config.Rand)
	if err != nil {
		return nil, err
	}
	q := newQuery(s.ctx, id, r)
	q.followed = followed
	if err := s.reserve(); err != nil {
		return nil, err
	}
	q.now.Submitted = s.now()
	err = s.history.insert(ctx, &q.now)

	s.mu.Lock()
	defer s.mu.Unlock()
	s.admitted--
	if err != nil {
		q.cancel(nil)
		s.queries.Done()
		return nil, s.known(err)
	}
	q.release = context.AfterFunc(q.ctx, func() {
		s.finish(q, outcome{err: q.failure()})
		s.queries.Done()
	})
	s.live[id] = q
	s.queue = append(s.queue, q)
	s.dispatch()
	return q, nil
}

// reserve takes a place for a query that is being written to the history; s.queries counts it until it has ended.
func (s *Service) reserve() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if taken := s.running + len(s.queue) + s.admitted; taken-s.limits.Concurrent >= s.limits.Queue {
		s.totals.Refused++
		return fmt.Errorf("%w: %d run and %d wait", ErrBusy, s.running, taken-s.running)
	}
	s.admitted++
	s.queries.Add(1)
	return nil
}

// dispatch gives free slots to the queries that have waited longest. The lock is held.
func (s *Service) dispatch() {
	for s.running < s.limits.Concurrent && len(s.queue) > 0 {
		q := s.queue[0]
		s.queue = slices.Delete(s.queue, 0, 1)
		s.running++
		s.queries.Go(func() {
			s.run(q)
			s.mu.Lock()
			defer s.mu.Unlock()
			s.running--
			s.dispatch()
		})
	}
}

// newID returns 36 characters: a random UUID (RFC 9562, version 4).
func newID(random io.Reader) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("drawing an id: %w", err)
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:], nil
}
