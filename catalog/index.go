package catalog

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/trailql/trailql/connectors/sqlitefile"
)

// index caches in SQLite what replaying the log of trail_files gives: the data files of all tables with the versions
// that added and removed them, and the trail objects consumed. It is never the truth: whatever is wrong with it, it is
// dropped and built again from the log. The Lake's mutex guards it.
type index struct {
	db       *sql.DB
	find     *sql.Stmt          // of consumed
	segments map[int64]*segment // those that were read
}

// indexFormat counts changes of the schema below, and of Layout.Statistics; an index of another format is built anew.
const indexFormat = 4

const indexSchema = `
CREATE TABLE state(
	version INTEGER NOT NULL, -- newest entry of the log that is in here, -1: none
	entry BLOB NOT NULL,      -- SHA-256 of that entry
	rolled INTEGER NOT NULL,  -- newest version whose entries in the other tables' logs are known to exist
	ledger INTEGER NOT NULL,  -- newest version whose trail_files rows are in objects
	first INTEGER NOT NULL    -- oldest version of which versions tells all: 0, or that of the checkpoint that the index was begun with
);
INSERT INTO state VALUES (-1, x'', -1, -1, 0);
CREATE TABLE versions(
	version INTEGER PRIMARY KEY, at INTEGER NOT NULL, -- milliseconds, by the clock of who committed, but never before the version before
	operation TEXT NOT NULL, receipt TEXT NOT NULL    -- name of the receipt of what was removed by retention, ''
);
CREATE TABLE tables(tbl TEXT PRIMARY KEY, metadata TEXT NOT NULL, rolled INTEGER NOT NULL DEFAULT -1,
	expired INTEGER NOT NULL DEFAULT -1 -- newest version that removed rows by retention
) WITHOUT ROWID;
CREATE TABLE files(
	tbl TEXT NOT NULL, account TEXT NOT NULL, region TEXT NOT NULL, date TEXT NOT NULL, path TEXT NOT NULL,
	size INTEGER NOT NULL, rows INTEGER NOT NULL,
	added INTEGER NOT NULL, removed INTEGER, removed_at INTEGER, -- versions; milliseconds
	canonical INTEGER NOT NULL, commits INTEGER NOT NULL, sha256 BLOB, footer BLOB, stats BLOB, -- see packStats
	key INTEGER NOT NULL, segment INTEGER, -- see fileKey; the one of segments that has its filters
	PRIMARY KEY (tbl, account, region, date, path)
) WITHOUT ROWID;
CREATE INDEX files_partition ON files(tbl, account, region, date, added, removed, rows, size, canonical); -- all that countPartitions needs
CREATE INDEX files_key ON files(key);
CREATE INDEX files_segment ON files(tbl, segment, removed, key);
CREATE INDEX files_added ON files(added);
CREATE INDEX files_removed ON files(removed) WHERE removed IS NOT NULL;
CREATE TABLE objects(
	path TEXT NOT NULL, etag TEXT NOT NULL, size INTEGER NOT NULL, sha256 BLOB NOT NULL, state TEXT NOT NULL,
	PRIMARY KEY (path, etag, size)
) WITHOUT ROWID;
CREATE TABLE partitions(tbl TEXT PRIMARY KEY, version INTEGER NOT NULL, list BLOB NOT NULL); -- see partitionList; since that version
CREATE TABLE segments(id INTEGER PRIMARY KEY AUTOINCREMENT, tbl TEXT NOT NULL, head BLOB NOT NULL); -- see segment
CREATE TABLE stacks(id INTEGER PRIMARY KEY, data BLOB NOT NULL)`

// openIndex opens the index at path, making it if it is missing; with "" it is in memory.
func openIndex(ctx context.Context, path string) (*index, error) {
	if path != "" {
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return nil, err
		}
	}
	// The index can be lost without loss, so a power cut may cost its newest part.
	db, err := sqlitefile.Open(ctx, sqlitefile.File{Path: path, Schema: indexSchema, Format: indexFormat, Mode: 0o666, Wait: 5 * time.Second})
	if err != nil {
		return nil, err
	}
	x := &index{db: db, segments: map[int64]*segment{}}
	if _, _, err := x.version(ctx); err != nil {
		return nil, errors.Join(err, x.close())
	}
	return x, nil
}

func (x *index) close() error {
	if x.find != nil {
		_ = x.find.Close() // an open statement would keep the file open, and locked, for as long as the process lives
	}
	return x.db.Close()
}

func (x *index) write(ctx context.Context, f func(tx *sql.Tx) error) error {
	return sqlitefile.Write(ctx, x.db, f)
}

// version is the newest version of the log in the index, and the hash of that entry.
func (x *index) version(ctx context.Context) (v int64, entry []byte, err error) {
	err = x.db.QueryRowContext(ctx, "SELECT version, entry FROM state").Scan(&v, &entry)
	return v, entry, err
}

// entry is one version of the log, decoded.
type entry struct {
	version int64
	sha256  [sha256.Size]byte
	tables  map[string][]action // by table
}

// info is the commitInfo of the entry, which decodeCommit saw.
func (e *entry) info() *commitInfo {
	for _, a := range e.tables[Files] {
		if a.CommitInfo != nil && a.CommitInfo.Trailql != nil {
			return a.CommitInfo
		}
	}
	return &commitInfo{Trailql: &batch{}}
}

// apply adds entries that follow the index's version; it does nothing if another process was faster.
func (x *index) apply(ctx context.Context, entries []entry) error {
	return x.write(ctx, func(tx *sql.Tx) error {
		var have int64
		if err := tx.QueryRowContext(ctx, "SELECT version FROM state").Scan(&have); err != nil {
			return err
		}
		if have != entries[0].version-1 {
			return nil
		}
		if err := applyEntries(ctx, tx, entries); err != nil {
			return err
		}
		for _, e := range entries {
			if err := applyInfo(ctx, tx, e); err != nil {
				return err
			}
		}
		return nil
	})
}

// applyInfo notes when a version was made, and by what.
func applyInfo(ctx context.Context, tx *sql.Tx, e entry) error {
	info := e.info()
	_, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO versions VALUES (?1, max(?2, coalesce((SELECT at FROM versions WHERE version = ?1 - 1), ?2)), ?3, ?4)",
		e.version, info.Timestamp, info.Operation, info.Trailql.Receipt)
	if err != nil || info.Operation != operationDelete {
		return err
	}
	for table := range e.tables {
		if _, err := tx.ExecContext(ctx, "UPDATE tables SET expired = ? WHERE tbl = ?", e.version, table); err != nil {
			return err
		}
	}
	return nil
}

func applyEntries(ctx context.Context, tx *sql.Tx, entries []entry) error {
	add, err := tx.PrepareContext(ctx, `INSERT INTO files VALUES (?,?,?,?,?,?,?,?,NULL,NULL,?,?,?,?,?,?,NULL)`)
	if err != nil {
		return err
	}
	defer add.Close()
	counts := map[string]*partitionCounts{}
	for _, e := range entries {
		for table, actions := range e.tables {
			if counts[table] == nil {
				if counts[table], err = readPartitionCounts(ctx, tx, table); err != nil {
					return err
				}
			}
			counts[table].version = e.version
			for _, a := range actions {
				if err := applyAction(ctx, tx, add, e.version, table, a, counts[table]); err != nil {
					return err
				}
			}
		}
	}
	for table, c := range counts {
		if _, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO partitions VALUES (?, ?, ?)", table, c.version, c.list().encode()); err != nil {
			return err
		}
	}
	last := entries[len(entries)-1]
	_, err = tx.ExecContext(ctx, "UPDATE state SET version = ?, entry = ?", last.version, last.sha256[:])
	return err
}

func applyAction(ctx context.Context, tx *sql.Tx, add *sql.Stmt, version int64, table string, a action, counts *partitionCounts) error {
	switch {
	case a.MetaData != nil:
		text, err := json.Marshal(a.MetaData)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO tables(tbl, metadata) VALUES (?, ?) ON CONFLICT DO UPDATE SET metadata = excluded.metadata`, table, string(text))
		return err
	case a.Add != nil:
		f, err := fileOf(a.Add)
		if err != nil {
			return err
		}
		counts.add(f.Partition, countOf(f.Rows, f.Size, f.Canonical))
		var packed []byte
		if layout := LayoutOf(table); layout != nil {
			packed = packStats(layout, f.stats)
		}
		_, err = add.ExecContext(ctx, table, f.Partition.Account, f.Partition.Region, f.Partition.Date, f.Path, f.Size, f.Rows,
			f.addedAt(version), f.Canonical, f.Commits, f.SHA256, f.Footer, packed, fileKey(table, f))
		return err
	case a.Remove != nil:
		name, err := decodePath(a.Remove.Path)
		if err != nil {
			return err
		}
		p, err := partitionOf(a.Remove.PartitionValues)
		if err != nil {
			return err
		}
		var rows, size int64
		var canonical bool
		err = tx.QueryRowContext(ctx, `UPDATE files SET removed = ?, removed_at = ? WHERE tbl = ? AND account = ? AND region = ? AND date = ? AND path = ? AND removed IS NULL
			RETURNING rows, size, canonical`, version, a.Remove.DeletionTimestamp, table, p.Account, p.Region, p.Date, name).Scan(&rows, &size, &canonical)
		if errors.Is(err, sql.ErrNoRows) { // in a checkpoint: of a file that was removed before
			_, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO files VALUES (?, ?, ?, ?, ?, ?, 0, 0, 0, ?, 0, 0, NULL, NULL, NULL, ?, NULL)`,
				table, p.Account, p.Region, p.Date, name, a.Remove.Size, a.Remove.DeletionTimestamp, fileKey(table, &File{Path: name, Partition: p}))
			return err
		}
		if err != nil {
			return err
		}
		counts.add(p, countOf(rows, size, canonical).negative())
		return err
	}
	return nil
}

// partitions lists a table's partitions that hold files at a version.
func (x *index) partitions(ctx context.Context, table string, version int64) (*partitionList, error) {
	var since int64
	var list []byte
	err := x.db.QueryRowContext(ctx, "SELECT version, list FROM partitions WHERE tbl = ?", table).Scan(&since, &list)
	switch {
	case errors.Is(err, sql.ErrNoRows): // no entry of the log knows the table
		return (&partitionCounts{}).list(), nil
	case err != nil:
		return nil, err
	case since > version: // the list has gone on
		return x.countPartitions(ctx, table, version)
	}
	return decodePartitions(list)
}

func (x *index) countPartitions(ctx context.Context, table string, version int64) (*partitionList, error) {
	rows, err := x.db.QueryContext(ctx, `SELECT account, region, date, count(*), sum(rows), sum(size), sum(1 - canonical) FROM files
		WHERE tbl = ? AND added <= ? AND (removed IS NULL OR removed > ?) GROUP BY account, region, date`, table, version, version)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var counts partitionCounts
	for rows.Next() {
		var p Partition
		var c partitionCount
		if err := rows.Scan(&p.Account, &p.Region, &p.Date, &c.files, &c.rows, &c.size, &c.free); err != nil {
			return nil, err
		}
		counts.add(p, c)
	}
	return counts.list(), rows.Err()
}

const fileColumnsSQL = `account, region, date, path, size, rows, added, canonical, commits, sha256, footer, stats, key`

// files lists a table's files at a version, those of some partitions, or with nil of all, in order of partition and path.
func (x *index) files(ctx context.Context, table string, version int64, of []Partition) ([]*File, error) {
	const from = `SELECT ` + fileColumnsSQL + ` FROM files WHERE tbl = ? AND added <= ? AND (removed IS NULL OR removed > ?)`
	if of == nil {
		return x.selectFiles(ctx, from+` ORDER BY account, region, date, path`, table, version, version)
	}
	find, err := x.db.PrepareContext(ctx, from+` AND account = ? AND region = ? AND date = ? ORDER BY path`)
	if err != nil {
		return nil, err
	}
	defer find.Close()
	var out []*File
	for _, p := range of {
		rows, err := find.QueryContext(ctx, table, version, version, p.Account, p.Region, p.Date)
		if err != nil {
			return nil, err
		}
		files, err := scanFiles(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, files...)
	}
	return out, nil
}

func (x *index) selectFiles(ctx context.Context, query string, args ...any) ([]*File, error) {
	rows, err := x.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return scanFiles(rows)
}

func scanFiles(rows *sql.Rows) ([]*File, error) {
	defer rows.Close()
	var out []*File
	for rows.Next() {
		f := &File{}
		if err := rows.Scan(&f.Partition.Account, &f.Partition.Region, &f.Partition.Date, &f.Path, &f.Size, &f.Rows, &f.Added, &f.Canonical, &f.Commits, &f.SHA256, &f.Footer, &f.packed, &f.key); err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, rows.Err()
}

// metaData gives the newest metaData of each table in the log.
func (x *index) metaData(ctx context.Context) (map[string]*metaData, error) {
	rows, err := x.db.QueryContext(ctx, "SELECT tbl, metadata FROM tables")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string]*metaData{}
	for rows.Next() {
		var table, text string
		if err := rows.Scan(&table, &text); err != nil {
			return nil, err
		}
		m := &metaData{}
		if err := json.Unmarshal([]byte(text), m); err != nil {
			return nil, err
		}
		out[table] = m
	}
	return out, rows.Err()
}

// times gives when the versions were made that are known, in milliseconds.
func (x *index) times(ctx context.Context) (map[int64]int64, error) {
	rows, err := x.db.QueryContext(ctx, "SELECT version, at FROM versions")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[int64]int64{}
	for rows.Next() {
		var version, at int64
		if err := rows.Scan(&version, &at); err != nil {
			return nil, err
		}
		out[version] = at
	}
	return out, rows.Err()
}

// expirations gives for each table of which rows were removed by retention the newest version that did.
func (x *index) expirations(ctx context.Context) (map[string]int64, error) {
	rows, err := x.db.QueryContext(ctx, "SELECT tbl, expired FROM tables WHERE expired >= 0")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string]int64{}
	for rows.Next() {
		var table string
		var version int64
		if err := rows.Scan(&table, &version); err != nil {
			return nil, err
		}
		out[table] = version
	}
	return out, rows.Err()
}

// rolled gives the newest version that is rolled forward, and by table the newest version of its own log then. It is one
// query: another process may move both on at any time.
func (x *index) rolled(ctx context.Context) (version int64, tables map[string]int64, err error) {
	rows, err := x.db.QueryContext(ctx, "SELECT s.rolled, t.tbl, t.rolled FROM state s LEFT JOIN tables t")
	if err != nil {
		return 0, nil, err
	}
	defer rows.Close()
	tables = map[string]int64{}
	for rows.Next() {
		var table sql.NullString
		var v sql.NullInt64
		if err := rows.Scan(&version, &table, &v); err != nil {
			return 0, nil, err
		}
		if table.Valid {
			tables[table.String] = v.Int64
		}
	}
	return version, tables, rows.Err()
}

func (x *index) setRolled(ctx context.Context, version int64, tables map[string]int64) error {
	return x.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "UPDATE state SET rolled = ? WHERE rolled < ?", version, version)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return err
		}
		for table, v := range tables {
			if _, err := tx.ExecContext(ctx, "UPDATE tables SET rolled = ? WHERE tbl = ?", v, table); err != nil {
				return err
			}
		}
		return nil
	})
}

// objectRow is a consumed trail object, or an object known for nothing of CloudTrail's (state "").
type objectRow struct {
	path string
	Consumed
}

// putObjects adds consumed objects; ledger is the version whose ledger rows are complete with them, or -1 to leave that as it is.
func (x *index) putObjects(ctx context.Context, objects []objectRow, ledger int64) error {
	return x.write(ctx, func(tx *sql.Tx) error {
		put, err := tx.PrepareContext(ctx, "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?)")
		if err != nil {
			return err
		}
		defer put.Close()
		for _, o := range objects {
			sum, err := hex.DecodeString(o.SHA256)
			if err != nil {
				return err
			}
			if _, err := put.ExecContext(ctx, o.path, o.ETag, o.Size, sum, o.State); err != nil {
				return err
			}
		}
		if ledger >= 0 {
			_, err = tx.ExecContext(ctx, "UPDATE state SET ledger = max(ledger, ?)", ledger)
		}
		return err
	})
}

// consumed gives the rows of each path. One statement asks for all of them: a listing has them by the thousand.
func (x *index) consumed(ctx context.Context, paths []string) ([][]Consumed, error) {
	list, err := json.Marshal(paths)
	if err != nil {
		return nil, err
	}
	if x.find == nil {
		if x.find, err = x.db.PrepareContext(ctx, "SELECT j.key, o.etag, o.size, o.sha256, o.state FROM json_each(?) j CROSS JOIN objects o ON o.path = j.value"); err != nil {
			return nil, err
		}
	}
	rows, err := x.find.QueryContext(ctx, string(list))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := make([][]Consumed, len(paths))
	for rows.Next() {
		var i int
		var c Consumed
		var sum []byte
		if err := rows.Scan(&i, &c.ETag, &c.Size, &sum, &c.State); err != nil {
			return nil, err
		}
		c.SHA256 = hex.EncodeToString(sum)
		out[i] = append(out[i], c)
	}
	return out, rows.Err()
}

// ledger is the newest version whose trail_files rows are all in objects.
func (x *index) ledger(ctx context.Context) (v int64, err error) {
	err = x.db.QueryRowContext(ctx, "SELECT ledger FROM state").Scan(&v)
	return v, err
}

func (x *index) resetLedger(ctx context.Context) error {
	_, err := x.db.ExecContext(ctx, "UPDATE state SET ledger = -1")
	return err
}
