package service

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/trailql/trailql/connectors/sqlitefile"
	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/source"
	sqltext "github.com/trailql/trailql/engine/sql"
)

// cacheKey is what two queries share if the one's result answers the other: the lake, the version of its snapshot, and the tokens of the
// statement. It is nil if the answer may differ from time to time.
func (s *Service) cacheKey(text string, snap *snapshot) []byte {
	var tokens []string
	for _, t := range sqltext.Tokens(text) {
		if t.Kind != sqltext.CommentToken {
			tokens = append(tokens, text[t.Start:t.End])
		}
	}
	// EXPLAIN ANALYZE tells times; SHOW and DESCRIBE tell of tables that are not the lake's.
	if len(tokens) == 0 || !slices.Contains([]string{"SELECT", "WITH", "VALUES", "TABLE", "("}, strings.ToUpper(tokens[0])) || !repeatable(text, snap, 0) {
		return nil
	}
	h := sha256.New()
	for _, part := range append([]string{s.config.Lake}, tokens...) {
		h.Write(binary.AppendUvarint(nil, uint64(len(part))))
		h.Write([]byte(part))
	}
	return binary.AppendVarint(h.Sum(nil), snap.Version())
}

// repeatable reports whether a statement, and the views it may name, read nothing but the lake. Like engine.Repeatable it looks at words
// only and rather doubts.
func repeatable(text string, snap *snapshot, depth int) bool {
	const deep = 32
	if depth > deep || !engine.Repeatable(text) {
		return false
	}
	for _, t := range sqltext.Tokens(text) {
		if t.Kind != sqltext.WordToken && t.Kind != sqltext.KeywordToken && t.Kind != sqltext.QuotedToken {
			continue
		}
		name := strings.Trim(text[t.Start:t.End], "\"`")
		if _, own := snap.own(name); own || strings.ContainsAny(name, "\"`") {
			return false
		}
		if relation, ok := snap.Resolve([]string{name}); ok {
			if view, ok := relation.(*source.View); ok && !repeatable(view.SQL, snap, depth+1) {
				return false
			}
		}
	}
	return true
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
