package catalog

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/parquetio"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// A checkpoint is the state of one table's log at a version, as one Parquet file beside the log, in the classic form of Delta Lake. Other
// engines read it in place of the entries up to there. The checkpoint of trail_files names those of the other tables at the same version
// of the lake, so that the index can be built from checkpoints where older entries of the log are gone.

const (
	checkpointEvery = 20                  // entries of a table's log
	checkpointRows  = 4096                // actions turned into Arrow at a time
	tombstoneAge    = 30 * 24 * time.Hour // files that were removed longer ago are left out: they are swept by then
)

// txnTable and txnExpired are the applications of txn actions in the checkpoint of trail_files: the newest entry of another table's log,
// and the newest version that removed rows of a table by retention.
const (
	txnTable   = appID + "/log/"
	txnExpired = appID + "/expired/"
)

// tagAdded is the version that brought a file: the log itself says so by the entry in which the file stands.
const tagAdded = "trailql.added"

var checkpointColumns = func() []source.Column {
	text, long, truth, number := sqltype.VarcharType, sqltype.BigIntType, sqltype.BooleanType, sqltype.IntegerType
	texts := sqltype.MapOf(text, text)
	row := func(fields ...sqltype.Field) sqltype.Type { return sqltype.RowOf(fields...) }
	f := func(name string, t sqltype.Type) sqltype.Field { return sqltype.Field{Name: name, Type: t} }
	return []source.Column{
		{Name: "txn", Type: row(f("appId", text), f("version", long), f("lastUpdated", long))},
		{Name: "add", Type: row(f("path", text), f("partitionValues", texts), f("size", long), f("modificationTime", long), f("dataChange", truth), f("stats", text), f("tags", texts))},
		{Name: "remove", Type: row(f("path", text), f("deletionTimestamp", long), f("dataChange", truth), f("extendedFileMetadata", truth), f("partitionValues", texts), f("size", long))},
		{Name: "metaData", Type: row(f("id", text), f("name", text), f("description", text), f("format", row(f("provider", text), f("options", texts))), f("schemaString", text),
			f("partitionColumns", sqltype.ArrayOf(text)), f("configuration", texts), f("createdTime", long))},
		{Name: "protocol", Type: row(f("minReaderVersion", number), f("minWriterVersion", number))},
	}
}()

func checkpointName(table string, version int64) string {
	return fmt.Sprintf("%s/_delta_log/%020d.checkpoint.parquet", table, version)
}

// lastCheckpoint is the content of _last_checkpoint.
type lastCheckpoint struct {
	Version       int64 `json:"version"`
	Size          int64 `json:"size"` // actions
	SizeInBytes   int64 `json:"sizeInBytes"`
	NumOfAddFiles int64 `json:"numOfAddFiles"`
}

func lastCheckpointName(table string) string { return table + "/_delta_log/_last_checkpoint" }

// lastCheckpoint tells of the newest checkpoint of a table; its version is -1 where there is none that can be read.
func (l *Lake) lastCheckpoint(ctx context.Context, table string) (lastCheckpoint, error) {
	last := lastCheckpoint{Version: -1}
	data, err := l.store.ReadAll(ctx, lastCheckpointName(table))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return last, nil
	case err != nil:
		return last, err
	case json.Unmarshal(data, &last) != nil:
		last.Version = -1
	}
	return last, nil
}

// Checkpoint writes checkpoints of all tables if the lake's log has grown by many entries since the last ones. Where that fails halfway the
// lake is as it was: nothing depends on them.
func (l *Lake) Checkpoint(ctx context.Context) error { return l.checkpoint(ctx, checkpointEvery) }

func (l *Lake) checkpoint(ctx context.Context, every int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refresh(ctx); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if err := l.rollForward(ctx); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	var version int64
	var newest map[string]int64 // of the other tables' logs
	err := l.withIndex(ctx, func(x *index) (err error) { version, newest, err = x.rolled(ctx); return err })
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	newest[Files] = version
	last, err := l.lastCheckpoint(ctx, Files)
	if err != nil || version-last.Version < every { // no other table's log has more entries
		return err
	}
	for _, t := range slices.Backward(layouts()) { // trail_files, whose checkpoint names the others, is last
		if v, ok := newest[t.Name]; ok {
			if err := l.writeCheckpoint(ctx, t, version, v, newest); err != nil {
				return fmt.Errorf("checkpoint of %s: %w", t.Name, err)
			}
		}
	}
	return nil
}

// writeCheckpoint writes the state of a table at a version of the lake, which is version own of its log.
func (l *Lake) writeCheckpoint(ctx context.Context, layout *Layout, version, own int64, newest map[string]int64) error {
	name := checkpointName(layout.Name, own)
	if last, err := l.lastCheckpoint(ctx, layout.Name); err != nil || last.Version == own {
		return err
	}
	head, files, err := l.stateOf(ctx, layout, version, newest)
	if err != nil {
		return err
	}
	last := lastCheckpoint{Version: own, Size: int64(len(head) + len(files))}
	at := 0
	next := func() (vec.Batch, error) {
		actions := head
		head = nil
		for ; at < len(files) && len(actions) < checkpointRows; at++ {
			a, err := files[at].action(layout)
			if err != nil {
				return vec.Batch{}, err
			}
			if a.Add != nil {
				last.NumOfAddFiles++
			}
			actions = append(actions, a)
		}
		if len(actions) == 0 {
			return vec.Batch{}, io.EOF
		}
		return checkpointBatch(actions)
	}
	out, err := l.store.Create(ctx, name)
	if err != nil {
		return err
	}
	defer out.Abort()
	written, err := parquetio.Write(out, parquetio.WriteOptions{Columns: checkpointColumns, RowGroupBytes: 32 << 20}, next)
	if err != nil {
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	last.SizeInBytes = written.Bytes
	return l.replace(ctx, lastCheckpointName(layout.Name), last)
}

// replace writes an object anew, as JSON.
func (l *Lake) replace(ctx context.Context, name string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	out, err := l.store.Create(ctx, name)
	if err != nil {
		return err
	}
	defer out.Abort()
	if _, err := out.Write(data); err != nil {
		return err
	}
	return out.Close()
}

// stateFile is a file in a checkpoint.
type stateFile struct {
	*File
	added     int64 // when, milliseconds
	removedAt int64 // 0: it is live
}

func (f *stateFile) action(layout *Layout) (action, error) {
	values := f.Partition.values(layout.Partitions)
	if f.removedAt != 0 {
		return action{Remove: &removeAction{Path: encodePath(f.Path), DeletionTimestamp: f.removedAt, ExtendedMetadata: true, PartitionValues: values, Size: f.Size}}, nil
	}
	stats, err := encodeStats(layout, f.Rows, layout.Stats(f.File))
	if err != nil {
		return action{}, fmt.Errorf("statistics of %s: %w", f.Path, err)
	}
	tags := map[string]string{tagAdded: strconv.FormatInt(f.Added, 10)}
	if f.SHA256 != nil {
		tags[tagSHA256] = hex.EncodeToString(f.SHA256)
	}
	if f.Footer != nil {
		tags[tagFooter] = hex.EncodeToString(f.Footer)
	}
	if f.Canonical {
		tags[tagCanonical] = "true"
	}
	if f.Commits {
		tags[tagCommits] = "true"
	}
	return action{Add: &addAction{Path: encodePath(f.Path), PartitionValues: values, Size: f.Size, ModificationTime: f.added, Stats: stats, Tags: tags}}, nil
}

// stateOf gives what a checkpoint of a table holds.
func (l *Lake) stateOf(ctx context.Context, layout *Layout, version int64, newest map[string]int64) (head []action, files []stateFile, err error) {
	err = l.withIndex(ctx, func(x *index) error {
		known, err := x.metaData(ctx)
		if err != nil {
			return err
		}
		head = []action{{Protocol: &protocol{1, 2}}, {MetaData: known[layout.Name]}, {Txn: &txn{AppID: appID, Version: version}}}
		if layout.Name == Files {
			expired, err := x.expirations(ctx)
			if err != nil {
				return err
			}
			for _, t := range layouts() {
				if v, ok := newest[t.Name]; ok && t.Name != Files {
					head = append(head, action{Txn: &txn{AppID: txnTable + t.Name, Version: v}})
				}
				if v, ok := expired[t.Name]; ok {
					head = append(head, action{Txn: &txn{AppID: txnExpired + t.Name, Version: v}})
				}
			}
		}
		files, err = x.stateFiles(ctx, layout.Name, version, l.opt.Now().Add(-tombstoneAge).UnixMilli())
		return err
	})
	return head, files, err
}

func (x *index) stateFiles(ctx context.Context, table string, version, since int64) ([]stateFile, error) {
	live, err := x.files(ctx, table, version, nil)
	if err != nil {
		return nil, err
	}
	times, err := x.times(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]stateFile, len(live))
	for i, f := range live {
		out[i] = stateFile{File: f, added: times[f.Added]}
	}
	rows, err := x.db.QueryContext(ctx, `SELECT account, region, date, path, size, removed_at FROM files WHERE tbl = ? AND removed <= ? AND removed_at >= ? ORDER BY account, region, date, path`,
		table, version, since)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		f := stateFile{File: &File{}}
		if err := rows.Scan(&f.Partition.Account, &f.Partition.Region, &f.Partition.Date, &f.Path, &f.Size, &f.removedAt); err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, rows.Err()
}

// checkpointBatch is actions as rows: each fills one column.
func checkpointBatch(actions []action) (vec.Batch, error) {
	builders := make([]array.Builder, len(checkpointColumns))
	for i, c := range checkpointColumns {
		builders[i] = array.NewBuilder(memory.DefaultAllocator, c.Type.Arrow())
	}
	for _, a := range actions {
		data, err := json.Marshal(a)
		if err != nil {
			return vec.Batch{}, err
		}
		row := map[string]any{}
		in := json.NewDecoder(bytes.NewReader(data))
		in.UseNumber()
		if err := in.Decode(&row); err != nil {
			return vec.Batch{}, err
		}
		for i, c := range checkpointColumns {
			if err := appendValue(builders[i], row[c.Name]); err != nil {
				return vec.Batch{}, fmt.Errorf("column %s: %w", c.Name, err)
			}
		}
	}
	b := vec.Batch{Len: len(actions), Cols: make([]arrow.Array, len(checkpointColumns))}
	for i := range builders {
		b.Cols[i] = builders[i].NewArray()
	}
	return b, nil
}

// appendValue adds a value of decoded JSON, its numbers as text, to a builder. nil, and a field that is not there, is NULL. arrow's own reader of JSON takes
// quadratic time for texts with many escapes, as statistics are.
func appendValue(b array.Builder, v any) error {
	if v == nil {
		b.AppendNull()
		return nil
	}
	switch b := b.(type) {
	case *array.StringBuilder:
		if text, ok := v.(string); ok {
			b.Append(text)
			return nil
		}
	case *array.BooleanBuilder:
		if truth, ok := v.(bool); ok {
			b.Append(truth)
			return nil
		}
	case *array.Int32Builder, *array.Int64Builder:
		if number, ok := v.(json.Number); ok {
			return b.AppendValueFromString(number.String())
		}
	case *array.ListBuilder:
		if list, ok := v.([]any); ok {
			b.Append(true)
			for _, v := range list {
				if err := appendValue(b.ValueBuilder(), v); err != nil {
					return err
				}
			}
			return nil
		}
	case *array.MapBuilder:
		if object, ok := v.(map[string]any); ok {
			b.Append(true)
			for _, key := range slices.Sorted(maps.Keys(object)) {
				if err := cmp.Or(appendValue(b.KeyBuilder(), key), appendValue(b.ItemBuilder(), object[key])); err != nil {
					return err
				}
			}
			return nil
		}
	case *array.StructBuilder:
		if object, ok := v.(map[string]any); ok {
			b.Append(true)
			for i, f := range b.Type().(*arrow.StructType).Fields() {
				if err := appendValue(b.FieldBuilder(i), object[f.Name]); err != nil {
					return err
				}
			}
			return nil
		}
	}
	return fmt.Errorf("%v is no %s", v, b.Type())
}

// asObjects is the way back.
func asObjects(t sqltype.Type, v any) any {
	switch t.Kind {
	case sqltype.Map:
		pairs, ok := v.([]any)
		if !ok {
			return v
		}
		object := map[string]any{}
		for _, p := range pairs {
			if pair, ok := p.(map[string]any); ok {
				if key, ok := pair["key"].(string); ok {
					object[key] = pair["value"]
				}
			}
		}
		return object
	case sqltype.Row:
		if object, ok := v.(map[string]any); ok {
			for _, f := range t.Fields {
				object[f.Name] = asObjects(f.Type, object[f.Name])
			}
		}
	}
	return v
}

// readCheckpoint calls visit for each action of a checkpoint.
func (l *Lake) readCheckpoint(ctx context.Context, table string, version int64, visit func(action) error) error {
	name := checkpointName(table, version)
	info, err := l.store.Stat(ctx, name)
	if err != nil {
		return err
	}
	rows, err := parquetio.CountRows(ctx, l.store, name)
	if err != nil {
		return err
	}
	req := source.Request{Paths: source.WholeColumns(checkpointColumns), Limit: -1, BatchRows: checkpointRows}
	scan, err := parquetio.NewScan(ctx, l.store, []parquetio.File{{Name: name, Size: info.Size, Rows: rows}}, checkpointColumns, req, &source.Report{})
	if err != nil {
		return err
	}
	if err := source.Each(source.InOrder(ctx, scan), func(b vec.Batch) error { return visitActions(b, visit) }); err != nil {
		return fmt.Errorf("%s/%s: %w", l.store.URL(), name, err)
	}
	return nil
}

func visitActions(b vec.Batch, visit func(action) error) error {
	for row := range b.Len {
		for i, c := range checkpointColumns {
			if b.Cols[i].IsNull(row) {
				continue
			}
			a, err := actionAt(c, b.Cols[i], row)
			if err == nil {
				err = a.check()
			}
			if err == nil {
				err = visit(a)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func actionAt(c source.Column, col arrow.Array, row int) (a action, err error) {
	text, err := json.Marshal(col.GetOneForMarshal(row))
	if err != nil {
		return a, err
	}
	var value any
	in := json.NewDecoder(bytes.NewReader(text))
	in.UseNumber()
	if err := in.Decode(&value); err != nil {
		return a, err
	}
	if text, err = json.Marshal(map[string]any{c.Name: asObjects(c.Type, value)}); err != nil {
		return a, err
	}
	return a, json.Unmarshal(text, &a)
}

// errBegun says that the log has its first entry, which was not there before: the lake was made meanwhile.
var errBegun = errors.New("the log's first entry was listed, and cannot be read")

// restored is the state of the lake at a version, from the checkpoints of its tables.
type restored struct {
	entry   entry // of the version: its place in the log, the hash of its entry, and of each table what its checkpoint holds
	at      int64 // when it was committed, milliseconds
	newest  map[string]int64
	expired map[string]int64
}

// errNoCheckpoint says that a log without its beginning has no checkpoint to begin with.
var errNoCheckpoint = errors.New("the log's first entries are gone, and there is no checkpoint that can be read; put them back from a copy of the lake")

// restore reads the newest checkpoint of the lake that can be read; nil if there is no log at all.
func (l *Lake) restore(ctx context.Context) (*restored, error) {
	var versions []int64
	log, first := false, false
	err := l.store.List(ctx, Files+"/_delta_log/", "", func(info blob.Info) error {
		log = log || path.Ext(info.Name) == ".json"
		first = first || info.Name == entryName(Files, 0)
		if number, ok := strings.CutSuffix(path.Base(info.Name), ".checkpoint.parquet"); ok {
			if v, err := strconv.ParseInt(number, 10, 64); err == nil && info.Name == checkpointName(Files, v) {
				versions = append(versions, v)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if first {
		return nil, errBegun
	}
	slices.SortFunc(versions, func(a, b int64) int { return cmp.Compare(b, a) })
	var failed error
	for _, v := range versions {
		r, err := l.restoreAt(ctx, v)
		if err == nil || ctx.Err() != nil {
			return r, err
		}
		failed = cmp.Or(failed, err)
	}
	switch {
	case failed != nil:
		return nil, fmt.Errorf("%w: %w", errNoCheckpoint, failed)
	case log:
		return nil, errNoCheckpoint
	}
	return nil, nil
}

func (l *Lake) restoreAt(ctx context.Context, version int64) (*restored, error) {
	data, err := l.readEntry(ctx, Files, version)
	if err != nil {
		return nil, err
	}
	e, err := decodeCommit(version, data)
	if err != nil {
		return nil, err
	}
	r := &restored{entry: entry{version: version, sha256: e.sha256, tables: map[string][]action{}}, at: e.info().Timestamp, newest: map[string]int64{}, expired: map[string]int64{}}
	read := func(table string, own int64) error {
		return l.readCheckpoint(ctx, table, own, func(a action) error {
			if a.Txn != nil && table == Files {
				if name, ok := strings.CutPrefix(a.Txn.AppID, txnTable); ok {
					r.newest[name] = a.Txn.Version
				}
				if name, ok := strings.CutPrefix(a.Txn.AppID, txnExpired); ok {
					r.expired[name] = a.Txn.Version
				}
			}
			r.entry.tables[table] = append(r.entry.tables[table], a)
			return nil
		})
	}
	if err := read(Files, version); err != nil {
		return nil, err
	}
	for table, own := range r.newest {
		if err := read(table, own); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// restore fills an empty index.
func (x *index) restore(ctx context.Context, r *restored) error {
	return x.write(ctx, func(tx *sql.Tx) error {
		var have int64
		if err := tx.QueryRowContext(ctx, "SELECT version FROM state").Scan(&have); err != nil || have >= 0 {
			return err
		}
		if err := applyEntries(ctx, tx, []entry{r.entry}); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE state SET rolled = ?, first = ?", r.entry.version, r.entry.version); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO versions VALUES (?, ?, '', '')", r.entry.version, r.at); err != nil {
			return err
		}
		for _, actions := range r.entry.tables { // when files were added, for the next checkpoint
			for _, a := range actions {
				if a.Add == nil {
					continue
				}
				f, err := fileOf(a.Add)
				if err != nil {
					return err
				}
				if _, err := tx.ExecContext(ctx, "INSERT OR IGNORE INTO versions VALUES (?, ?, '', '')", f.Added, a.Add.ModificationTime); err != nil {
					return err
				}
			}
		}
		for table, v := range r.newest {
			if _, err := tx.ExecContext(ctx, "UPDATE tables SET rolled = ? WHERE tbl = ?", v, table); err != nil {
				return err
			}
		}
		for table, v := range r.expired {
			if _, err := tx.ExecContext(ctx, "UPDATE tables SET expired = ? WHERE tbl = ?", v, table); err != nil {
				return err
			}
		}
		return nil
	})
}
