// Package catalog keeps the tables of a lake: their Delta logs, the index over them, snapshots, and views.
//
// Each table is a Delta Lake table of its own, but a batch changes several at once. What makes that one commit: the
// entry in the log of trail_files names every file that the batch adds or removes in any table. A snapshot is read from
// that log alone; the entries in the other tables' logs follow, for other engines, and whoever finds one missing writes it.
package catalog

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/external"
	"github.com/trailql/trailql/connectors/parquetio"
	"github.com/trailql/trailql/connectors/sqlitefile"
	"github.com/trailql/trailql/engine/source"
)

// ErrConflict is returned (wrapped) by Commit when another writer made the next version first.
var ErrConflict = errors.New("another writer was faster")

// ErrNoLake is returned (wrapped) by Open for a folder without a lake that may not be made into one.
var ErrNoLake = errors.New("no lake")

// Options say how a lake is opened; zero fields take defaults.
type Options struct {
	IndexPath string                                        // where the index stands; by default _trailql/index.db in a lake that is a folder, else in memory
	ReadOnly  bool                                          // neither make a lake nor add data to one (the index is still kept where it can be)
	Define    bool                                          // statements may define views and tables, and write files; they may where ReadOnly, too
	Roots     external.Roots                                // folders that statements may read files in, and write where Define
	Computed  map[string]func(source.Snapshot) source.Table // tables whose rows are made of those of others, by name
	Now       func() time.Time                              // the clock
	Rand      io.Reader                                     // names of files
}

// Lake is an open lake. Safe for concurrent use.
type Lake struct {
	store    blob.Store
	opt      Options
	bindings bindings

	mu    sync.Mutex // guards what follows
	index *index
	path  string // of the index, "" in memory
	last  *Snapshot
}

var _ source.Catalog = (*Lake)(nil)

// Open opens the lake in store. Unless opt.ReadOnly, an empty store becomes a lake, tables that this program knows and
// the lake does not are added, and what a crashed writer left undone in the logs is finished.
func Open(ctx context.Context, store blob.Store, opt Options) (*Lake, error) {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Rand == nil {
		opt.Rand = rand.Reader
	}
	l := &Lake{store: store, opt: opt, path: opt.IndexPath}
	_, err := store.Stat(ctx, entryName(Files, 0))
	if errors.Is(err, fs.ErrNotExist) { // the first entries may be gone where there is a checkpoint
		_, err = store.Stat(ctx, lastCheckpointName(Files))
	}
	switch {
	case errors.Is(err, fs.ErrNotExist) && opt.ReadOnly:
		return nil, fmt.Errorf("%w in %s; make one with: trailql compact SOURCE… --lake %s", ErrNoLake, store.URL(), store.URL())
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("open lake: %w", err)
	}
	if !opt.ReadOnly && blob.Remote(store.URL()) {
		// Not all stores that speak S3 keep the promise on which commits rest.
		id, err := l.randomHex(8)
		if err != nil {
			return nil, err
		}
		if err := blob.Probe(ctx, store, TempFolder+"probe-"+id); err != nil {
			return nil, fmt.Errorf("nothing is written to %s: %w", store.URL(), err)
		}
	}
	if l.bindings, err = readBindings(ctx, store); err != nil {
		return nil, fmt.Errorf("open lake %s: %w", store.URL(), err)
	}
	if l.path == "" && !strings.Contains(store.URL(), "://") {
		l.path = store.URL() + "/_trailql/index.db"
	}
	if err := l.open(ctx); err != nil {
		return nil, fmt.Errorf("open lake %s: %w", store.URL(), err)
	}
	return l, nil
}

func (l *Lake) open(ctx context.Context) (err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer func() {
		if err != nil && l.index != nil {
			_ = l.index.close()
		}
	}()
	if err := l.openIndex(ctx); err != nil {
		return err
	}
	if l.opt.ReadOnly {
		if err := l.refresh(ctx); err != nil {
			return err
		}
		_, err := l.checkFormat(ctx)
		return err
	}
	for {
		if err := l.refresh(ctx); err != nil {
			return err
		}
		if f, err := l.checkFormat(ctx); err != nil || f.writer > lakeFormat.writer {
			return cmp.Or(err, fmt.Errorf("it is written in format %d, this program writes %d: use a newer trailql to write to it; this one can only read it", f.writer, lakeFormat.writer))
		}
		err := l.ensureTables(ctx)
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return err
		}
		return l.rollForward(ctx)
	}
}

// Close releases the index. Snapshots must no longer be used.
func (l *Lake) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.index.close()
}

// Store is the store the lake stands in.
func (l *Lake) Store() blob.Store { return l.store }

// openIndex opens the index and checks that it belongs to this log; if not, or if it is damaged, a new one is begun, in memory
// where the old one cannot be replaced.
func (l *Lake) openIndex(ctx context.Context) error {
	x, err := openIndex(ctx, l.path)
	if err == nil {
		ok, checkErr := l.belongs(ctx, x)
		if ok {
			l.index = x
			return nil
		}
		_ = x.close()
		if checkErr != nil {
			return checkErr
		}
	}
	if sqlitefile.Busy(err) {
		l.path = "" // another process holds it for long: leave it alone
	}
	return l.freshIndex(ctx)
}

// belongs reports whether the newest entry that the index knows is the one in the log. An error is one of the store.
func (l *Lake) belongs(ctx context.Context, x *index) (bool, error) {
	v, sum, err := x.version(ctx)
	if err != nil {
		return false, ctx.Err()
	}
	if v < 0 {
		return true, nil
	}
	data, err := l.readEntry(ctx, Files, v)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	have := sha256.Sum256(data)
	return slices.Equal(have[:], sum), nil
}

// freshIndex replaces the index by an empty one, in memory where the old one cannot be replaced.
func (l *Lake) freshIndex(ctx context.Context) error {
	var onDisk error
	if l.path != "" {
		if onDisk = sqlitefile.Remove(l.path); onDisk == nil {
			var x *index
			if x, onDisk = openIndex(ctx, l.path); onDisk == nil {
				l.index = x
				return nil
			}
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	l.path = ""
	x, err := openIndex(ctx, "")
	if err != nil {
		return fmt.Errorf("no index can be made: %w", errors.Join(onDisk, err))
	}
	l.index = x
	return nil
}

// withIndex runs f, which only talks to the index. If that fails, the index is taken for damaged: it is built anew and f runs again.
func (l *Lake) withIndex(ctx context.Context, f func(x *index) error) error {
	err := f(l.index)
	if err == nil || ctx.Err() != nil {
		return cmp.Or(ctx.Err(), err)
	}
	return l.rebuild(ctx, f)
}

// rebuild gives the index up, makes another one from the log and runs f: on disk, or in memory where the disk does not take it.
func (l *Lake) rebuild(ctx context.Context, f func(x *index) error) error {
	for {
		_ = l.index.close()
		if err := l.freshIndex(ctx); err != nil {
			return err
		}
		err := l.replay(ctx)
		if err == nil {
			if err = f(l.index); err == nil {
				return nil
			}
			err = &indexError{err}
		}
		var indexErr *indexError
		if !errors.As(err, &indexErr) || ctx.Err() != nil || l.path == "" {
			return cmp.Or(ctx.Err(), err)
		}
		l.path = ""
	}
}

// refresh brings the index up to the end of the log.
func (l *Lake) refresh(ctx context.Context) error {
	err := l.replay(ctx)
	var indexErr *indexError
	if errors.As(err, &indexErr) && ctx.Err() == nil {
		return l.rebuild(ctx, func(*index) error { return nil })
	}
	return err
}

// indexError marks an error of the index among errors of the log.
type indexError struct{ err error }

func (e *indexError) Error() string { return "index: " + e.err.Error() }
func (e *indexError) Unwrap() error { return e.err }

// replay reads the entries that the index does not have yet.
func (l *Lake) replay(ctx context.Context) error {
	const chunk, chunkBytes = 512, 32 << 20
	read, begun := l.readAhead(math.MaxInt64), false
	for {
		v, _, err := l.index.version(ctx)
		if err != nil {
			return &indexError{err}
		}
		var entries []entry
		size, end := 0, false
		for !end && len(entries) < chunk && size < chunkBytes {
			v++
			data, err := read(ctx, v)
			if errors.Is(err, fs.ErrNotExist) {
				end = true
				break
			}
			if err != nil {
				return err
			}
			e, err := decodeCommit(v, data)
			if err != nil {
				return fmt.Errorf("%s/%s cannot be read: %w; put it back from a copy of the lake", l.store.URL(), entryName(Files, v), err)
			}
			entries = append(entries, e)
			size += len(data)
		}
		if v == 0 && end { // no lake yet, or one whose log begins with a checkpoint
			restored, err := l.restore(ctx)
			if errors.Is(err, errBegun) && !begun {
				begun = true
				continue
			}
			if err != nil || restored == nil {
				return err
			}
			if err := l.index.restore(ctx, restored); err != nil {
				return &indexError{err}
			}
			end = false
		}
		if len(entries) > 0 {
			if err := l.index.apply(ctx, entries); err != nil {
				return &indexError{err}
			}
		}
		if end {
			return nil
		}
	}
}

// readEntry reads a log entry; a missing one gives an error that wraps fs.ErrNotExist.
func (l *Lake) readEntry(ctx context.Context, table string, version int64) ([]byte, error) {
	name := entryName(table, version)
	info, err := l.store.Stat(ctx, name)
	if err != nil {
		return nil, err
	}
	if info.Size > maxEntry {
		return nil, fmt.Errorf("%s/%s: %d bytes are too many for a log entry", l.store.URL(), name, info.Size)
	}
	return l.store.ReadAll(ctx, name)
}

// decodeCommit reads an entry of trail_files' log with what it says of the other tables.
func decodeCommit(version int64, data []byte) (entry, error) {
	actions, err := decodeEntry(data)
	if err != nil {
		return entry{}, err
	}
	e := entry{version: version, sha256: sha256.Sum256(data), tables: map[string][]action{Files: actions}}
	for _, a := range actions {
		if a.CommitInfo != nil && a.CommitInfo.Trailql != nil {
			for table, actions := range a.CommitInfo.Trailql.Tables {
				if table == Files {
					return e, errors.New("the batch names trail_files twice")
				}
				e.tables[table] = actions
			}
			return e, nil
		}
	}
	return e, errors.New("the entry was not written by trailql; restore the log, nothing else may write to trail_files")
}

// ensureTables commits the creation of tables that the log does not know, and new columns of those it knows.
func (l *Lake) ensureTables(ctx context.Context) error {
	var known map[string]*metaData
	var version int64
	err := l.withIndex(ctx, func(x *index) (err error) {
		if version, _, err = x.version(ctx); err == nil {
			known, err = x.metaData(ctx)
		}
		return err
	})
	if err != nil {
		return err
	}
	tables := map[string][]action{}
	for _, t := range layouts() {
		schema, err := schemaString(t.Columns)
		if err != nil {
			return fmt.Errorf("table %s: %w", t.Name, err)
		}
		if m, ok := known[t.Name]; ok {
			names, err := schemaNames(m.SchemaString)
			if err != nil {
				return fmt.Errorf("table %s: %w", t.Name, err)
			}
			old := t.Name == Files && versionOf(m) != lakeFormat
			if old {
				lakeFormat.set(m)
			}
			lacks := slices.ContainsFunc(t.Columns, func(c source.Column) bool { return !slices.Contains(names, c.Name) })
			if lacks {
				m.SchemaString = schema
			}
			if old || lacks {
				tables[t.Name] = []action{{MetaData: m}}
			}
			continue
		}
		id, err := l.randomHex(16)
		if err != nil {
			return err
		}
		m := &metaData{
			ID: id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:], Name: t.Name,
			Format: format{"parquet", map[string]string{}}, SchemaString: schema,
			PartitionColumns: append([]string{}, t.Partitions...), Configuration: map[string]string{}, CreatedTime: l.opt.Now().UnixMilli(),
		}
		if t.Name == Files {
			lakeFormat.set(m)
		}
		tables[t.Name] = []action{{Protocol: &protocol{1, 2}}, {MetaData: m}}
	}
	if len(tables) == 0 {
		return nil
	}
	if _, err := l.putCommit(ctx, version+1, operationCreate, "", tables); err != nil {
		return err
	}
	return l.refresh(ctx)
}

// putCommit writes the commit point of a version. done reports that it stands or, where that cannot be told, may stand.
func (l *Lake) putCommit(ctx context.Context, version int64, operation, receipt string, tables map[string][]action) (done bool, err error) {
	others := maps.Clone(tables)
	delete(others, Files)
	info := &commitInfo{Timestamp: l.opt.Now().UnixMilli(), Operation: operation, EngineInfo: appID, Trailql: &batch{Tables: others, Receipt: receipt}}
	data, err := encodeEntry(append([]action{{CommitInfo: info}}, tables[Files]...))
	if err != nil {
		return false, err
	}
	if len(data) > maxEntry {
		return false, fmt.Errorf("the commit would take %d bytes in the log, more than %d", len(data), maxEntry)
	}
	if _, err := decodeCommit(version, data); err != nil { // what we write must be what we read
		return false, fmt.Errorf("internal error: invalid commit: %w", err)
	}
	name := entryName(Files, version)
	err = l.store.PutIfAbsent(ctx, name, data)
	if err != nil && !errors.Is(err, blob.ErrExists) {
		// The write may have happened although an error came back, and may not be durable. Only a second one can tell.
		if again := l.store.PutIfAbsent(ctx, name, data); again == nil || errors.Is(again, blob.ErrExists) {
			err = again
		}
	}
	if err == nil {
		return true, nil
	}
	// The log itself is asked whose entry it is. Names of files and ids of tables are random, so equal bytes are ours.
	have, readErr := l.readEntry(context.WithoutCancel(ctx), Files, version)
	switch {
	case readErr == nil && bytes.Equal(have, data) && errors.Is(err, blob.ErrExists):
		return true, nil
	case readErr == nil && bytes.Equal(have, data):
		return true, fmt.Errorf("commit of version %d: it is there, but may not outlive a power cut: %w", version, err)
	case readErr == nil:
		return false, fmt.Errorf("commit of version %d: %w", version, ErrConflict)
	case errors.Is(readErr, fs.ErrNotExist):
		return false, fmt.Errorf("commit of version %d: %w", version, err)
	}
	return true, fmt.Errorf("commit of version %d: %w; whether it happened is unknown: %w", version, err, readErr)
}

// Settle makes the log durable up to the newest version that the lake was seen at, whoever wrote it.
func (l *Lake) Settle(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var version int64
	err := l.withIndex(ctx, func(x *index) (err error) { version, _, err = x.version(ctx); return err })
	if err != nil || version < 0 {
		return err
	}
	return l.store.Settle(ctx, entryName(Files, version))
}

// rollForward writes the entries of the other tables' logs that are still missing. Any number of processes may do so at a time:
// what is written depends on the commit point alone.
func (l *Lake) rollForward(ctx context.Context) error {
	var to, from int64
	var tables map[string]int64
	err := l.withIndex(ctx, func(x *index) (err error) {
		if to, _, err = x.version(ctx); err == nil {
			from, tables, err = x.rolled(ctx)
		}
		return err
	})
	if err != nil || from >= to {
		return err
	}
	present := map[string]int64{} // newest entry that each table's log has, where many may be there
	if from < 0 {
		for _, t := range layouts() {
			if present[t.Name], err = l.newestEntry(ctx, t.Name); err != nil {
				return err
			}
		}
	}
	read := l.readAhead(to)
	for v := from + 1; v <= to; v++ {
		data, err := read(ctx, v)
		if err != nil {
			return fmt.Errorf("roll forward: %w", err)
		}
		e, err := decodeCommit(v, data)
		if err != nil {
			return fmt.Errorf("%s/%s cannot be read: %w; put it back from a copy of the lake", l.store.URL(), entryName(Files, v), err)
		}
		info := e.info()
		for _, table := range slices.Sorted(maps.Keys(e.tables)) {
			if table == Files {
				continue
			}
			next := int64(0)
			if have, ok := tables[table]; ok {
				next = have + 1
			}
			tables[table] = next
			if newest, ok := present[table]; ok && next <= newest {
				continue
			}
			if err := l.putSideEntry(ctx, table, next, v, info, e.tables[table]); err != nil {
				return fmt.Errorf("roll forward: %w", err)
			}
		}
	}
	return l.withIndex(ctx, func(x *index) error { return x.setRolled(ctx, to, tables) })
}

// newestEntry is the newest version in a table's log, -1 if it is empty.
func (l *Lake) newestEntry(ctx context.Context, table string) (int64, error) {
	newest := int64(-1)
	err := l.store.List(ctx, table+"/_delta_log/", "", func(info blob.Info) error {
		if number, ok := strings.CutSuffix(path.Base(info.Name), ".json"); ok && len(number) == 20 {
			if v, err := strconv.ParseInt(number, 10, 64); err == nil {
				newest = max(newest, v)
			}
		}
		return nil
	})
	return newest, err
}

// putSideEntry writes the entry of one of the other tables for the lake's version v.
func (l *Lake) putSideEntry(ctx context.Context, table string, version, v int64, info *commitInfo, actions []action) error {
	head := []action{
		{CommitInfo: &commitInfo{Timestamp: info.Timestamp, Operation: info.Operation, EngineInfo: info.EngineInfo}},
		{Txn: &txn{AppID: appID, Version: v}},
	}
	data, err := encodeEntry(append(head, actions...))
	if err != nil {
		return err
	}
	err = l.store.PutIfAbsent(ctx, entryName(table, version), data)
	if !errors.Is(err, blob.ErrExists) {
		return err
	}
	have, err := l.readEntry(ctx, table, version)
	if err != nil {
		return err
	}
	found, err := decodeEntry(have)
	if err == nil && slices.ContainsFunc(found, func(a action) bool { return a.Txn != nil && a.Txn.AppID == appID && a.Txn.Version == v }) {
		return nil
	}
	return fmt.Errorf("%s/%s was not written by trailql, so version %d of the lake cannot be shown to other engines; remove what else writes to this table",
		l.store.URL(), entryName(table, version), v)
}

func (l *Lake) randomHex(n int) (string, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(l.opt.Rand, b); err != nil {
		return "", fmt.Errorf("random name: %w", err)
	}
	return hex.EncodeToString(b), nil
}

// NewFile is a data file that was written and shall become part of a table.
type NewFile struct {
	Path      string // below the table's folder, as NewPath gave it
	Partition Partition
	Written   parquetio.Written
	Canonical bool
	Commits   bool // the file holds each row's commit itself
}

// NewPath returns a fresh name for a data file, below the table's folder.
func (l *Lake) NewPath(table string, p Partition) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	name, err := l.randomHex(16)
	if err != nil {
		return "", err
	}
	if t := LayoutOf(table); t != nil && len(t.Partitions) > 0 {
		return p.String() + "/" + name + ".parquet", nil
	}
	return name + ".parquet", nil
}

// Change is what one commit does: files to add and to remove, by table.
type Change struct {
	Add    map[string][]NewFile
	Remove map[string][]*File
	Merge  bool // the rows stay the same, they only move to other files
	// Receipt is set where rows are removed by retention: the name of the object in the lake that tells of them. The versions before
	// are not whole any more.
	Receipt string
}

// Commit makes the version after base of the change. If another writer made that version first the error wraps
// ErrConflict and nothing is changed. The files must be durable before. done reports that the commit stands or may
// stand: then the files must not be deleted, whatever err says.
func (l *Lake) Commit(ctx context.Context, base *Snapshot, c Change) (done bool, err error) {
	now := l.opt.Now().UnixMilli()
	tables := map[string][]action{}
	for name, files := range c.Remove {
		t := LayoutOf(name)
		for _, f := range files {
			tables[name] = append(tables[name], action{Remove: &removeAction{Path: encodePath(f.Path), DeletionTimestamp: now, DataChange: !c.Merge,
				ExtendedMetadata: true, PartitionValues: f.Partition.values(t.Partitions), Size: f.Size}})
		}
	}
	for name, files := range c.Add {
		t := LayoutOf(name)
		for _, f := range files {
			stats, err := encodeStats(t, f.Written.Rows, f.Written.Stats)
			if err != nil {
				return false, fmt.Errorf("statistics of %s: %w", f.Path, err)
			}
			tags := map[string]string{tagSHA256: hex.EncodeToString(f.Written.SHA256[:]), tagFooter: hex.EncodeToString(f.Written.FooterSHA256[:])}
			if f.Canonical {
				tags[tagCanonical] = "true"
			}
			if f.Commits {
				tags[tagCommits] = "true"
			}
			tables[name] = append(tables[name], action{Add: &addAction{Path: encodePath(f.Path), PartitionValues: f.Partition.values(t.Partitions),
				Size: f.Written.Bytes, ModificationTime: now, DataChange: !c.Merge, Stats: stats, Tags: tags}})
		}
	}
	operation := operationWrite
	switch {
	case c.Merge:
		operation = operationMerge
	case c.Receipt != "":
		operation = operationDelete
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.rollForward(ctx); err != nil { // the other logs must not get a gap
		return false, err
	}
	if done, err := l.putCommit(ctx, base.version+1, operation, c.Receipt, tables); err != nil {
		return done, err
	}
	if err := l.refresh(ctx); err != nil {
		return true, err
	}
	return true, l.rollForward(ctx)
}
