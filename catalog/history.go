package catalog

import (
	"context"
	"database/sql"
	"encoding/hex"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

var _ source.Versioned = (*table)(nil)

// AsOf says which rows were there: each knows the version that brought it, in whichever file it stands by now. Rows that retention removed
// are in no file any more, so that the versions before are not whole.
func (t *table) AsOf(m source.Moment) (column int, version int64, err error) {
	var expired int64 = -1
	version = m.Version
	err = t.snap.withIndex(context.Background(), func(x *index) error {
		if !m.At.IsZero() {
			if version, err = x.versionAt(t.snap.version, m.At); err != nil {
				return err
			}
		}
		all, err := x.expirations(context.Background())
		if e, ok := all[t.layout.Name]; ok && e <= t.snap.version {
			expired = e
		}
		return err
	})
	switch {
	case err != nil:
		return 0, 0, err
	case version < 0 && !m.At.IsZero():
		return 0, 0, sqlerr.New(sqlerr.Value, 0, "what was the newest version at %s is not known: the lake, or what is kept of its log, begins later", m.At.UTC().Format(time.RFC3339)).
			WithHint(`SELECT * FROM "%s$history" shows the versions that are known`, t.layout.Name)
	case version < 0 || version > t.snap.version:
		return 0, 0, sqlerr.New(sqlerr.Value, 0, "there is no version %d: the lake has versions 0 to %d", version, t.snap.version)
	case version < expired:
		return 0, 0, sqlerr.New(sqlerr.Value, 0, "%s cannot be read as of version %d: retention removed rows of it in version %d, and what it was before is not whole any more",
			t.layout.Name, version, expired).WithHint("as of version %d and later it can", expired)
	}
	return ordinal(t.layout.Columns, t.layout.Commit), version, nil
}

// versionAt is the newest version up to most that was made at a time or before; -1 if there was none, or none that is known.
func (x *index) versionAt(most int64, at time.Time) (int64, error) {
	var v sql.NullInt64
	err := x.db.QueryRowContext(context.Background(), "SELECT max(v.version) FROM versions v, state s WHERE v.version BETWEEN s.first AND ? AND v.at <= ?", most, at.UnixMilli()).Scan(&v)
	if err != nil || !v.Valid {
		return -1, err
	}
	return v.Int64, nil
}

// Version is one version of the lake, with what it did to one table.
type Version struct {
	Version                                          int64
	At                                               time.Time
	Operation, Receipt                               string
	AddedFiles, AddedRows, RemovedFiles, RemovedRows int64
}

// History lists the versions, up to the snapshot's, that added or removed files of a table, those that are known.
func (s *Snapshot) History(ctx context.Context, table string) (out []Version, err error) {
	err = s.withIndex(ctx, func(x *index) error {
		out = nil
		rows, err := x.db.QueryContext(ctx, `SELECT v.version, v.at, v.operation, v.receipt, sum(c.added), sum(c.added_rows), sum(c.removed), sum(c.removed_rows)
			FROM (SELECT added AS version, 1 AS added, rows AS added_rows, 0 AS removed, 0 AS removed_rows FROM files WHERE tbl = ?1
				UNION ALL SELECT removed, 0, 0, 1, rows FROM files WHERE tbl = ?1 AND removed IS NOT NULL) c
			JOIN versions v ON v.version = c.version, state s
			WHERE v.version BETWEEN s.first AND ?2 GROUP BY v.version ORDER BY v.version`, table, s.version)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var v Version
			var at int64
			if err := rows.Scan(&v.Version, &at, &v.Operation, &v.Receipt, &v.AddedFiles, &v.AddedRows, &v.RemovedFiles, &v.RemovedRows); err != nil {
				return err
			}
			v.At = time.UnixMilli(at)
			out = append(out, v)
		}
		return rows.Err()
	})
	return out, err
}

// historyFields are those of Athena's "table$history" of Iceberg, and what a version did.
var historyFields = []source.Field[Version]{
	{Name: "made_current_at", Type: sqltype.TimestampType, Comment: "when it was committed, UTC", Value: func(v Version) any { return v.At }},
	{Name: "snapshot_id", Type: sqltype.BigIntType, Comment: "the version, for FOR VERSION AS OF", Value: func(v Version) any { return v.Version }},
	{Name: "parent_id", Type: sqltype.BigIntType, Comment: "the version before", Value: func(v Version) any {
		if v.Version == 0 {
			return nil
		}
		return v.Version - 1
	}},
	{Name: "is_current_ancestor", Type: sqltype.BooleanType, Comment: "always: versions follow each other", Value: func(Version) any { return true }},
	{Name: "operation", Type: sqltype.VarcharType, Comment: "WRITE, OPTIMIZE (files were merged) or DELETE (by retention)", Value: func(v Version) any { return v.Operation }},
	{Name: "added_files", Type: sqltype.BigIntType, Value: func(v Version) any { return v.AddedFiles }},
	{Name: "added_rows", Type: sqltype.BigIntType, Value: func(v Version) any { return v.AddedRows }},
	{Name: "removed_files", Type: sqltype.BigIntType, Value: func(v Version) any { return v.RemovedFiles }},
	{Name: "removed_rows", Type: sqltype.BigIntType, Value: func(v Version) any { return v.RemovedRows }},
	{Name: "receipt", Type: sqltype.VarcharType, Comment: "of a DELETE: the object in the lake that tells what was removed", Value: func(v Version) any { return v.Receipt }},
}

var filesFields = []source.Field[*File]{
	{Name: "content", Type: sqltype.BigIntType, Comment: "0: data", Value: func(*File) any { return int64(0) }},
	{Name: "file_path", Type: sqltype.VarcharType, Comment: "below the table's folder", Value: func(f *File) any { return f.Path }},
	{Name: "file_format", Type: sqltype.VarcharType, Value: func(*File) any { return "PARQUET" }},
	{Name: "record_count", Type: sqltype.BigIntType, Value: func(f *File) any { return f.Rows }},
	{Name: "file_size_in_bytes", Type: sqltype.BigIntType, Value: func(f *File) any { return f.Size }},
	{Name: "snapshot_id", Type: sqltype.BigIntType, Comment: "the version that added it", Value: func(f *File) any { return f.Added }},
	{Name: "sha256", Type: sqltype.VarcharType, Comment: "of the file, hex", Value: func(f *File) any { return hex.EncodeToString(f.SHA256) }},
}

// AllFiles lists the files of a table, by partition and path.
func (s *Snapshot) AllFiles(ctx context.Context, table string) ([]*File, error) {
	partitions, err := s.summaries(ctx, table)
	if err != nil {
		return nil, err
	}
	every := make([]int, len(partitions.all))
	for i := range every {
		every[i] = i
	}
	files, err := s.load(ctx, table, every)
	if err != nil {
		return nil, err
	}
	out := make([]*File, len(files))
	for i, f := range files {
		out[i] = f.File
	}
	return out, nil
}

// metadata finds "table$history" and "table$files".
func (s *Snapshot) metadata(name []string) (source.Relation, bool) {
	table, kind, ok := strings.Cut(name[len(name)-1], "$")
	if !ok {
		return nil, false
	}
	of := append(append([]string{}, name[:len(name)-1]...), table)
	if kind == "partitions" {
		return s.partitionsView(of)
	}
	r, ok := s.Resolve(of)
	if bound, isBound := r.(*source.Bound); isBound {
		r = bound.Of
	}
	stored, isTable := r.(source.Stored)
	if !ok || !isTable {
		return nil, false
	}
	layout := LayoutOf(stored.Table.Name())
	switch {
	case layout == nil:
	case kind == "history":
		return source.Stored{Table: &listed[Version]{table + "$history", historyFields, func(ctx context.Context) ([]Version, error) { return s.History(ctx, layout.Name) }}}, true
	case kind == "files":
		return source.Stored{Table: &listed[*File]{table + "$files", filesFields, func(ctx context.Context) ([]*File, error) { return s.AllFiles(ctx, layout.Name) }}}, true
	}
	return nil, false
}

// listed is a table of what the index knows, made when it is scanned.
type listed[T any] struct {
	name   string
	fields []source.Field[T]
	rows   func(ctx context.Context) ([]T, error)
}

func (t *listed[T]) Name() string             { return t.name }
func (t *listed[T]) Columns() []source.Column { return source.Columns(t.fields) }

func (t *listed[T]) Scan(ctx context.Context, req source.Request) (source.Scan, error) {
	rows, err := t.rows(ctx)
	if err != nil {
		return nil, err
	}
	b := vec.Batch{Len: len(rows), Cols: make([]arrow.Array, len(t.fields))}
	for i, f := range t.fields {
		b.Cols[i] = f.Array(rows)
	}
	return source.NewMemory(t.name, t.Columns(), []vec.Batch{b}).Scan(ctx, req)
}
