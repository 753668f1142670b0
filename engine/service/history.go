package service

import (
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/trailql/trailql/connectors/sqlitefile"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/vec"
)

// history is the SQLite file of a state folder: a row per query, written when it is submitted and when it ends, and a row per stored
// result, which several queries may share. It is open for one process alone, and so makes the folder this process's.
type history struct {
	db   *sql.DB
	path string
}

// historyFormat counts changes of the schema below.
const historyFormat = 3

// Times are microseconds since 1970, 0 where unknown.
const historySchema = `
CREATE TABLE queries(
	seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, sql TEXT NOT NULL, user TEXT NOT NULL, source TEXT NOT NULL,
	params TEXT NOT NULL DEFAULT 'null', -- JSON
	change TEXT NOT NULL DEFAULT 'null', -- of the session; JSON
	state TEXT NOT NULL, -- queued until it has ended
	error TEXT NOT NULL DEFAULT '', -- JSON
	columns TEXT NOT NULL DEFAULT '[]', -- JSON
	snapshot INTEGER NOT NULL DEFAULT 0, cached INTEGER NOT NULL DEFAULT 0,
	submitted INTEGER NOT NULL, started INTEGER NOT NULL DEFAULT 0, finished INTEGER NOT NULL DEFAULT 0, expires INTEGER NOT NULL DEFAULT 0,
	rows INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0, -- of the result, whether or not it is kept
	stats TEXT NOT NULL DEFAULT '{}', -- JSON
	result TEXT -- id in results; that row may be gone
);
CREATE INDEX queries_finished ON queries(finished);
CREATE INDEX queries_state ON queries(state, seq);
CREATE INDEX queries_user ON queries(user, seq);
CREATE TABLE results(
	id TEXT PRIMARY KEY, key BLOB, columns TEXT NOT NULL, extents BLOB NOT NULL,
	rows INTEGER NOT NULL, bytes INTEGER NOT NULL,
	expires INTEGER NOT NULL -- the latest of the queries that refer to it
);
CREATE INDEX results_key ON results(key);
CREATE INDEX results_expires ON results(expires)`

// openHistory opens the file, making it if it is missing.
func openHistory(ctx context.Context, path string) (*history, error) {
	db, err := sqlitefile.Open(ctx, sqlitefile.File{Path: path, Schema: historySchema, Format: historyFormat, Mode: 0o600, Alone: true})
	switch {
	case sqlitefile.Busy(err):
		return nil, fmt.Errorf("%w: %s; stop the other trailql, or choose another folder", ErrInUse, filepath.Dir(path))
	case err != nil:
		return nil, fmt.Errorf("the history of queries %s cannot be opened; if it is damaged, delete it (its queries and results are lost, the lake is not): %w", path, err)
	}
	return &history{db: db, path: path}, nil
}

func (h *history) close() error { return h.db.Close() }

// recover fails the queries that were under way when the process before ended.
func (h *history) recover(ctx context.Context, now time.Time) error {
	text, err := errorText(sqlerr.New(sqlerr.Cancelled, 0, "trailql stopped before the query was done").WithHint("run it again"))
	if err != nil {
		return err
	}
	_, err = h.db.ExecContext(ctx, `UPDATE queries SET state = ?, error = ?, finished = ? WHERE state = ?`, Failed, text, micros(now), Queued)
	return err
}

func (h *history) insert(ctx context.Context, q *Query) error {
	params, err := json.Marshal(q.Params)
	if err == nil {
		_, err = h.db.ExecContext(ctx, `INSERT INTO queries(id, sql, params, user, source, state, submitted) VALUES (?,?,?,?,?,?,?)`,
			q.ID, q.SQL, string(params), q.User, q.Source, Queued, micros(q.Submitted))
	}
	if err != nil {
		return fmt.Errorf("the query cannot be entered in %s: %w", h.path, err)
	}
	return nil
}

// finish enters how a query ended, together with its result.
func (h *history) finish(ctx context.Context, q *Query, o outcome) error {
	message, err := errorText(q.Err)
	if err != nil {
		return err
	}
	stats, err := json.Marshal(q.Stats)
	if err != nil {
		return err
	}
	change, err := json.Marshal(q.Change)
	if err != nil {
		return err
	}
	columns, err := columnsText(q.Columns)
	if err != nil {
		return err
	}
	return sqlitefile.Write(ctx, h.db, func(tx *sql.Tx) error {
		var result *string
		if r := o.result; r != nil {
			result = &r.id
			if !o.cached {
				if _, err := tx.ExecContext(ctx, `INSERT INTO results(id, key, columns, extents, rows, bytes, expires) VALUES (?,?,?,?,?,?,?)`,
					r.id, r.key, columns, encodeExtents(r.extents), r.rows, r.bytes, micros(q.Expires)); err != nil {
					return err
				}
			}
		}
		_, err := tx.ExecContext(ctx, `UPDATE queries SET state = ?, error = ?, columns = ?, snapshot = ?, cached = ?, started = ?, finished = ?, expires = ?,
			rows = ?, bytes = ?, stats = ?, change = ?, result = ? WHERE id = ?`, q.State, message, columns, q.Snapshot, q.Cached, micros(q.Started), micros(q.Finished),
			micros(q.Expires), q.Rows, q.ResultBytes, string(stats), string(change), result, q.ID)
		return err
	})
}

// queryColumns are read by scanQuery. A result that has expired is not kept, whether or not it is deleted yet.
const queryColumns = `q.seq, q.id, q.sql, q.params, q.change, q.user, q.source, q.state, q.error, q.snapshot, q.cached, q.submitted, q.started, q.finished, q.rows, q.bytes, q.stats,
	CASE WHEN r.id IS NULL THEN 0 ELSE q.expires END, q.columns
	FROM queries q LEFT JOIN results r ON r.id = q.result AND q.expires > ?1`

type scanner interface{ Scan(into ...any) error }

func scanQuery(from scanner, more ...any) (q Query, seq int64, err error) {
	var params, change, message, stats, columns string
	var submitted, started, finished, expires int64
	into := []any{&seq, &q.ID, &q.SQL, &params, &change, &q.User, &q.Source, &q.State, &message, &q.Snapshot, &q.Cached, &submitted, &started, &finished, &q.Rows,
		&q.ResultBytes, &stats, &expires, &columns}
	if err := from.Scan(append(into, more...)...); err != nil {
		return Query{}, 0, err
	}
	q.Submitted, q.Started, q.Finished, q.Expires = moment(submitted), moment(started), moment(finished), moment(expires)
	if q.Err, err = parseError(message); err != nil {
		return Query{}, 0, err
	}
	for _, field := range []struct {
		text string
		into any
	}{{stats, &q.Stats}, {params, &q.Params}, {change, &q.Change}} {
		if err := json.Unmarshal([]byte(field.text), field.into); err != nil {
			return Query{}, 0, err
		}
	}
	q.Columns, err = parseColumns(columns)
	return q, seq, err
}

// get returns a query and the result that is kept for it, nil if none is.
func (h *history) get(ctx context.Context, id string, now time.Time) (Query, *stored, error) {
	var r stored
	var result *string
	var rows, bytes *int64
	var extents []byte
	row := h.db.QueryRowContext(ctx, `SELECT r.id, r.rows, r.bytes, r.extents, `+queryColumns+` WHERE q.id = ?2`, micros(now), id)
	q, _, err := scanQuery(prefixed{row, []any{&result, &rows, &bytes, &extents}})
	if errors.Is(err, sql.ErrNoRows) {
		return Query{}, nil, fmt.Errorf("%w: %q", ErrNotFound, id)
	}
	if err != nil || result == nil {
		return q, nil, h.unreadable(err)
	}
	r.id, r.rows, r.bytes, r.columns = *result, *rows, *bytes, q.Columns
	r.extents, err = decodeExtents(extents)
	return q, &r, h.unreadable(err)
}

// prefixed puts other values before those that a scan asks for.
type prefixed struct {
	scanner
	first []any
}

func (p prefixed) Scan(into ...any) error { return p.scanner.Scan(append(p.first, into...)...) }

func (h *history) unreadable(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("the history of queries %s cannot be read: %w", h.path, err)
}

// listed is a query with its place in the history.
type listed struct {
	Query
	seq int64
}

// list returns at most limit queries in descending order of seq, those below before and not below from.
func (h *history) list(ctx context.Context, now time.Time, from, before int64, state State, user string, limit int) ([]listed, error) {
	where, args := ` WHERE q.seq >= ?2 AND q.seq < ?3`, []any{micros(now), from, before, limit}
	if state != "" {
		if !state.Done() {
			state = Queued
		}
		args = append(args, state)
		where += fmt.Sprintf(` AND q.state = ?%d`, len(args))
	}
	if user != "" {
		args = append(args, user)
		where += fmt.Sprintf(` AND q.user = ?%d`, len(args))
	}
	rows, err := h.db.QueryContext(ctx, `SELECT `+queryColumns+where+` ORDER BY q.seq DESC LIMIT ?4`, args...)
	if err != nil {
		return nil, h.unreadable(err)
	}
	defer rows.Close()
	var out []listed
	for rows.Next() {
		q, seq, err := scanQuery(rows)
		if err != nil {
			return nil, h.unreadable(err)
		}
		out = append(out, listed{q, seq})
	}
	return out, h.unreadable(rows.Err())
}

// span returns the lowest seq and the one after the highest.
func (h *history) span(ctx context.Context) (from, to int64, err error) {
	err = h.db.QueryRowContext(ctx, `SELECT coalesce(min(seq), 0), coalesce(max(seq), -1) + 1 FROM queries`).Scan(&from, &to)
	return from, to, h.unreadable(err)
}

// place returns the seq of a query.
func (h *history) place(ctx context.Context, id string) (seq int64, err error) {
	err = h.db.QueryRowContext(ctx, `SELECT seq FROM queries WHERE id = ?`, id).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("%w: %q", ErrNotFound, id)
	}
	return seq, h.unreadable(err)
}

// kept counts the stored results and their bytes.
func (h *history) kept(ctx context.Context) (results, bytes int64, err error) {
	err = h.db.QueryRowContext(ctx, `SELECT count(*), coalesce(sum(bytes), 0) FROM results`).Scan(&results, &bytes)
	return results, bytes, h.unreadable(err)
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func moment(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// savedError is a *sqlerr.Error as the history keeps it.
type savedError struct {
	Kind    sqlerr.Kind `json:"kind"`
	Pos     sqlerr.Pos  `json:"pos,omitempty"`
	Message string      `json:"message"` // with its causes
	Hint    string      `json:"hint,omitempty"`
}

func errorText(e *sqlerr.Error) (string, error) {
	if e == nil {
		return "", nil
	}
	bare := *e
	bare.Hint = ""
	text, err := json.Marshal(savedError{Kind: e.Kind, Pos: e.Pos, Message: bare.Error(), Hint: e.Hint})
	return string(text), err
}

func parseError(text string) (*sqlerr.Error, error) {
	if text == "" {
		return nil, nil
	}
	var e savedError
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		return nil, err
	}
	return &sqlerr.Error{Kind: e.Kind, Pos: e.Pos, Msg: e.Message, Hint: e.Hint}, nil
}

func columnsText(columns []Column) (string, error) {
	text, err := json.Marshal(columns)
	return string(text), err
}

// parseColumns is nil where there are none.
func parseColumns(text string) (columns []Column, err error) {
	if err := json.Unmarshal([]byte(text), &columns); err != nil || len(columns) == 0 {
		return nil, err
	}
	return columns, nil
}

// encodeExtents is, for each, rows and length as varints and the hash in eight bytes; what is left out follows from the extents before.
func encodeExtents(extents []extent) []byte {
	b := []byte{} // not nil: that would be NULL
	for i, e := range extents {
		if i == 0 {
			b = binary.AppendUvarint(b, uint64(e.Offset))
		}
		b = binary.AppendUvarint(b, uint64(e.Rows))
		b = binary.AppendUvarint(b, uint64(e.Length))
		b = binary.LittleEndian.AppendUint64(b, e.Hash)
	}
	return b
}

func decodeExtents(b []byte) ([]extent, error) {
	damaged := errors.New("the index of a stored result is damaged")
	number := func() (int64, bool) {
		v, n := binary.Uvarint(b)
		if n <= 0 || v > 1<<48 {
			return 0, false
		}
		b = b[n:]
		return int64(v), true
	}
	if len(b) == 0 {
		return nil, nil
	}
	offset, ok := number()
	if !ok {
		return nil, damaged
	}
	var extents []extent
	for first := int64(0); len(b) > 0; {
		rows, ok := number()
		length, okToo := number()
		if !ok || !okToo || len(b) < 8 {
			return nil, damaged
		}
		extents = append(extents, extent{first, vec.Extent{Rows: rows, Offset: offset, Length: length, Hash: binary.LittleEndian.Uint64(b)}})
		b = b[8:]
		first, offset = first+rows, offset+length
	}
	return extents, nil
}
