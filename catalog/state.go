package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"time"
)

// State is what a lake says of itself.
type State struct {
	Version    int64     `json:"version"`
	At         time.Time `json:"at"`         // when the version was made
	First      int64     `json:"first"`      // the oldest version of which it is known when it was made
	Checkpoint int64     `json:"checkpoint"` // version of the newest checkpoint, -1: none
	Format     int       `json:"format"`     // what a writer must know
	Index      string    `json:"index"`      // where the index stands, "" in memory
}

// State reads it.
func (l *Lake) State(ctx context.Context) (State, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refresh(ctx); err != nil {
		return State{}, fmt.Errorf("read the lake's log: %w", err)
	}
	s := State{Index: l.path}
	err := l.withIndex(ctx, func(x *index) error {
		var at sql.NullInt64
		err := x.db.QueryRowContext(ctx, "SELECT s.version, s.first, v.at FROM state s LEFT JOIN versions v ON v.version = s.version").Scan(&s.Version, &s.First, &at)
		s.At = time.UnixMilli(at.Int64)
		return err
	})
	if err != nil {
		return s, err
	}
	f, err := l.checkFormat(ctx)
	if err != nil {
		return s, err
	}
	s.Format = max(f.writer, 1)
	last, err := l.lastCheckpoint(ctx, Files)
	s.Checkpoint = last.Version
	return s, err
}

// Mark makes a version that changes nothing, so that a commit that was prepared before it must be prepared anew.
func (l *Lake) Mark(ctx context.Context) error {
	for {
		s, err := l.Newest(ctx)
		if err != nil {
			return err
		}
		l.mu.Lock()
		_, err = l.putCommit(ctx, s.version+1, operationHold, "", nil)
		l.mu.Unlock()
		if !errors.Is(err, ErrConflict) {
			return err
		}
	}
}

// Receipts lists the receipts that versions name, those of removals by retention, by version.
func (l *Lake) Receipts(ctx context.Context) (map[int64]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out map[int64]string
	err := l.withIndex(ctx, func(x *index) error {
		out = map[int64]string{}
		rows, err := x.db.QueryContext(ctx, "SELECT version, receipt FROM versions WHERE receipt <> ''")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var version int64
			var name string
			if err := rows.Scan(&version, &name); err != nil {
				return err
			}
			out[version] = name
		}
		return rows.Err()
	})
	return out, err
}

// Removals gives for each file of a table that the log names when it was removed, the zero time for those that are live. What was removed
// long ago may be gone from checkpoints, and so unknown.
func (l *Lake) Removals(ctx context.Context, table string) (map[string]time.Time, error) {
	return l.removals(ctx, table)
}

// CheckIndex holds the index against one that is built anew from the log, and the logs of the tables against what the lake's log says of
// them. It returns what differs, as sentences.
func (l *Lake) CheckIndex(ctx context.Context) (wrong []string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refresh(ctx); err != nil {
		return nil, err
	}
	x, err := openIndex(ctx, "")
	if err != nil {
		return nil, err
	}
	defer x.close()
	anew := &Lake{store: l.store, opt: l.opt, index: x}
	if err := anew.replay(ctx); err != nil {
		return nil, err
	}
	for what, query := range map[string]string{
		"files":      "SELECT tbl, account, region, date, path, size, rows, added, removed, removed_at, canonical, commits, sha256, footer, stats FROM files WHERE removed IS NULL OR removed >= ? ORDER BY tbl, account, region, date, path",
		"tables":     "SELECT tbl, metadata, expired FROM tables WHERE ? >= 0 ORDER BY tbl",
		"versions":   "SELECT version, at, operation, receipt FROM versions WHERE version >= ? ORDER BY version",
		"partitions": "SELECT tbl, list FROM partitions WHERE ? >= 0 ORDER BY tbl",
	} {
		var first int64 // before that, the new one may know less
		if err := x.db.QueryRowContext(ctx, "SELECT first FROM state").Scan(&first); err != nil {
			return nil, err
		}
		same, err := sameRows(ctx, l.index.db, x.db, query, first)
		if err != nil {
			return nil, err
		}
		if !same {
			wrong = append(wrong, fmt.Sprintf("the index's %s differ from the log: delete %s, it is built anew", what, l.path))
		}
	}
	logs, err := l.logs(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range layouts() {
		want, known := logs[t.Name]
		if t.Name == Files || !known {
			continue
		}
		have, err := l.newestEntry(ctx, t.Name)
		if err != nil {
			return nil, err
		}
		if have < want {
			wrong = append(wrong, fmt.Sprintf("the log of %s ends with entry %d, it should have %d, which the next writer makes: until then other engines do not see the newest rows", t.Name, have, want))
		}
	}
	return wrong, nil
}

// logs gives the newest entry that the log of each other table should have.
func (l *Lake) logs(ctx context.Context) (map[string]int64, error) {
	from, out, err := l.index.rolled(ctx)
	if err != nil {
		return nil, err
	}
	to, _, err := l.index.version(ctx)
	if err != nil {
		return nil, err
	}
	if from < 0 {
		for table := range out {
			out[table] = -1
		}
	}
	for v := from + 1; v <= to; v++ {
		data, err := l.readEntry(ctx, Files, v)
		if err != nil {
			return nil, err
		}
		e, err := decodeCommit(v, data)
		if err != nil {
			return nil, err
		}
		for table := range e.tables {
			out[table]++
		}
	}
	return out, nil
}

// sameRows reports whether two databases answer a query alike.
func sameRows(ctx context.Context, a, b *sql.DB, query string, args ...any) (bool, error) {
	rows := [2]*sql.Rows{}
	for i, db := range []*sql.DB{a, b} {
		var err error
		if rows[i], err = db.QueryContext(ctx, query, args...); err != nil {
			return false, err
		}
		defer rows[i].Close()
	}
	columns, err := rows[0].Columns()
	if err != nil {
		return false, err
	}
	var values [2][]any
	var places [2][]any
	for i := range values {
		values[i], places[i] = make([]any, len(columns)), make([]any, len(columns))
		for c := range columns {
			places[i][c] = &values[i][c]
		}
	}
	for {
		more := rows[0].Next()
		if more != rows[1].Next() {
			return false, errors.Join(rows[0].Err(), rows[1].Err())
		}
		if !more {
			return true, errors.Join(rows[0].Err(), rows[1].Err())
		}
		for i := range rows {
			if err := rows[i].Scan(places[i]...); err != nil {
				return false, err
			}
		}
		if !reflect.DeepEqual(values[0], values[1]) {
			return false, nil
		}
	}
}
