package service

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/trailql/trailql/connectors/sqlitefile"
)

// expireEvery is how often results and queries are looked through for what has had its time.
const expireEvery = time.Minute

// keepExpiring runs until the service has stopped.
func (s *Service) keepExpiring() {
	ticker := time.NewTicker(expireEvery)
	defer ticker.Stop()
	for {
		select {
		case <-s.stopped:
			return
		case <-ticker.C:
			_ = s.expire(context.Background(), s.now()) // what fails now is tried again
		}
	}
}

// expire removes the results whose time is over and, the oldest first, those beyond Limits.KeepBytes, but none that is being read; then the
// queries beyond Limits.History.
func (s *Service) expire(ctx context.Context, now time.Time) error {
	results, err := s.history.oldest(ctx)
	if err != nil {
		return err
	}
	var bytes int64
	for _, r := range results {
		bytes += r.bytes
	}
	var errs []error
	for _, r := range results {
		if r.expires > micros(now) && bytes <= s.limits.KeepBytes {
			break
		}
		s.mu.Lock()
		pinned := s.pins[r.id] > 0
		s.mu.Unlock()
		if pinned {
			continue
		}
		gone, err := s.drop(ctx, r)
		errs = append(errs, err)
		if gone {
			bytes -= r.bytes
		}
	}
	errs = append(errs, s.history.forgetQueries(ctx, now.Add(-s.limits.History)))
	return errors.Join(errs...)
}

// drop removes a result, unless its expiry was put off since it was looked at.
func (s *Service) drop(ctx context.Context, r kept) (gone bool, err error) {
	if gone, err = s.history.forget(ctx, r); !gone {
		return false, err
	}
	s.mu.Lock()
	s.totals.Results--
	s.totals.ResultBytes -= r.bytes
	s.mu.Unlock()
	s.removeResult(r.id)
	return true, nil
}

// removeResult deletes a result's file. What cannot be deleted is an orphan, which the next Open removes.
func (s *Service) removeResult(id string) { _ = os.Remove(resultPath(s.results(), id)) }

// removeOrphans deletes the files of results that the history does not know.
func (s *Service) removeOrphans(ctx context.Context) error {
	results, err := s.history.oldest(ctx)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, r := range results {
		known[r.id+".arrow"] = true
	}
	entries, err := os.ReadDir(s.results())
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".arrow") && !known[e.Name()] {
			if err := os.Remove(filepath.Join(s.results(), e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// pin keeps a result from being removed until unpin.
func (s *Service) pin(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pins[id]++
}

func (s *Service) unpin(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unpinLocked(id)
}

func (s *Service) unpinLocked(id string) {
	if s.pins[id]--; s.pins[id] == 0 {
		delete(s.pins, id)
	}
}

// kept is a stored result as expiry sees it.
type kept struct {
	id             string
	bytes, expires int64
}

// oldest lists the results, those that expire first first.
func (h *history) oldest(ctx context.Context) ([]kept, error) {
	rows, err := h.db.QueryContext(ctx, `SELECT id, bytes, expires FROM results ORDER BY expires, id`)
	if err != nil {
		return nil, h.unreadable(err)
	}
	defer rows.Close()
	var out []kept
	for rows.Next() {
		var r kept
		if err := rows.Scan(&r.id, &r.bytes, &r.expires); err != nil {
			return nil, h.unreadable(err)
		}
		out = append(out, r)
	}
	return out, h.unreadable(rows.Err())
}

// forget deletes a result unless its expiry was put off since.
func (h *history) forget(ctx context.Context, r kept) (gone bool, err error) {
	return sqlitefile.Changed(h.db.ExecContext(ctx, `DELETE FROM results WHERE id = ? AND expires = ?`, r.id, r.expires))
}

// forgetQueries deletes the queries that ended before a time.
func (h *history) forgetQueries(ctx context.Context, before time.Time) error {
	_, err := h.db.ExecContext(ctx, `DELETE FROM queries WHERE finished < ? AND finished > 0`, micros(before))
	return err
}
