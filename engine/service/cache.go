package service

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/trailql/trailql/connectors/sqlitefile"
	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/source"
)

// cacheKey is what two queries share if the one's result answers the other: the lake, the version of its snapshot, what names stand for in it,
// the state of external files that are read, and the query with its parameters and session. It is nil if the answer may differ from time to time.
func (s *Service) cacheKey(ctx context.Context, r Request, snap *snapshot) []byte {
	query, err := engine.Identify(r.SQL, snap, engine.Options{Params: r.Params, Session: r.Session, Now: s.now()})
	if err != nil || snap.readsOwn() {
		return nil
	}
	states, ok := states(ctx, query.Reads)
	if !ok {
		return nil
	}
	h := sha256.New()
	for _, part := range slices.Concat([]string{s.config.Lake, snap.Definitions(), strconv.Itoa(len(states))}, states, query.Parts) {
		h.Write(binary.AppendUvarint(nil, uint64(len(part))))
		h.Write([]byte(part))
	}
	return binary.AppendVarint(h.Sum(nil), snap.Version())
}

// states are those of the tables that may change while the lake does not. ok is false if one of the views asks for the time.
func states(ctx context.Context, relations []source.Relation) (states []string, ok bool) {
	for _, r := range relations {
		switch r := r.(type) {
		case *source.View:
			if !engine.Repeatable(r.SQL) {
				return nil, false
			}
		case source.Stored:
			table, changing := r.Table.(source.Changing)
			if !changing {
				continue
			}
			state, err := table.State(ctx)
			if err != nil {
				return nil, false
			}
			states = append(states, state)
		}
	}
	return states, true
}

// lookUp returns an earlier result, pinned, and keeps it for as long as if it were new; nil if there is none.
func (s *Service) lookUp(ctx context.Context, key []byte) *stored {
	now := s.now()
	r, expires, err := s.history.byKey(ctx, key, now)
	if err != nil || r == nil {
		return nil // the engine answers
	}
	s.pin(r.id)
	if info, err := os.Stat(resultPath(s.results(), r.id)); err != nil || info.Size() != r.bytes {
		_, _ = s.drop(ctx, kept{id: r.id, bytes: r.bytes, expires: expires}) // it is of no use; the next hit would try again
	} else if there, err := s.history.putOff(ctx, r.id, now.Add(s.limits.Keep)); err == nil && there {
		return r
	}
	s.unpin(r.id)
	return nil
}

// byKey finds the newest result with a key; nil if there is none.
func (h *history) byKey(ctx context.Context, key []byte, now time.Time) (r *stored, expires int64, err error) {
	r = &stored{key: key}
	var columns string
	var extents []byte
	err = h.db.QueryRowContext(ctx, `SELECT id, columns, extents, rows, bytes, expires FROM results WHERE key = ? AND expires > ? ORDER BY expires DESC LIMIT 1`,
		key, micros(now)).Scan(&r.id, &columns, &extents, &r.rows, &r.bytes, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	if r.columns, err = parseColumns(columns); err != nil {
		return nil, 0, err
	}
	r.extents, err = decodeExtents(extents)
	return r, expires, err
}

// putOff lets a result expire no earlier than at a time; it reports whether the result is still there.
func (h *history) putOff(ctx context.Context, id string, until time.Time) (there bool, err error) {
	return sqlitefile.Changed(h.db.ExecContext(ctx, `UPDATE results SET expires = max(expires, ?) WHERE id = ?`, micros(until), id))
}
