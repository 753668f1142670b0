package catalog

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/connectors/cloudtrail"
	"github.com/trailql/trailql/connectors/parquetio"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/vec"
)

// Snapshot is one version of all tables. Safe for concurrent use.
type Snapshot struct {
	lake        *Lake
	version     int64
	definitions *definitions

	mu     sync.Mutex
	tables map[string]*tableFiles // loaded as they are asked for
}

var _ source.Snapshot = (*Snapshot)(nil)

// tableFiles is what was loaded of one table at one version.
type tableFiles struct {
	partitions *partitionList
	files      [][]*dataFile // by partition
	loaded     []bool
}

// dataFile is a File with its statistics, which are read when they are asked for. Safe for concurrent use.
type dataFile struct {
	*File
	facts *facts // of its partition
	stats func() map[string]parquetio.Stats
}

func newDataFile(layout *Layout, f *File, facts *facts) *dataFile {
	return &dataFile{f, facts, sync.OnceValue(func() map[string]parquetio.Stats { return layout.Stats(f) })}
}

// Snapshot pins the newest version and the definitions of views and tables that there are. As long as neither changes it is the same Snapshot.
func (l *Lake) Snapshot(ctx context.Context) (source.Snapshot, error) {
	s, err := l.Newest(ctx)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Newest is Snapshot with its own type.
func (l *Lake) Newest(ctx context.Context) (*Snapshot, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refresh(ctx); err != nil {
		return nil, fmt.Errorf("read the lake's log: %w", err)
	}
	var version int64
	if err := l.withIndex(ctx, func(x *index) (err error) { version, _, err = x.version(ctx); return err }); err != nil {
		return nil, err
	}
	var before *definitions
	if l.last != nil {
		before = l.last.definitions
	}
	defined, err := l.readDefinitions(ctx, before)
	if err != nil {
		return nil, err
	}
	if l.last == nil || l.last.version != version || l.last.definitions != defined {
		l.last = &Snapshot{lake: l, version: version, definitions: defined, tables: map[string]*tableFiles{}}
	}
	return l.last, nil
}

// Version is the version of the log of trail_files.
func (s *Snapshot) Version() int64 { return s.version }

// Definitions is the hash of the bindings and of the definitions of views and external tables.
func (s *Snapshot) Definitions() string { return s.lake.bindings.hash() + s.definitions.hash }

// Resolve finds a binding, a table or a view. The lake's own tables and views go by the last name part, case aside: the parts before it are
// names of a catalog and a schema, of which any are taken, since a lake has only one of each and other people's queries use their own.
func (s *Snapshot) Resolve(name []string) (source.Relation, bool) {
	if len(name) == 0 || len(name) > 3 {
		return nil, false
	}
	if len(name) > 1 && strings.EqualFold(name[len(name)-2], "information_schema") {
		return nil, false
	}
	if strings.Contains(name[len(name)-1], "$") {
		return s.metadata(name)
	}
	if b, ok := s.lake.bindings.named(name); ok {
		return s.bound(b), true
	}
	last := strings.ToLower(name[len(name)-1])
	if r, ok := s.shape(last); ok && last != cloudtrail.Logs {
		return r, true
	}
	if d, ok := s.definitions.find(name); ok {
		return d.relation, true
	}
	if b, ok := s.lake.bindings.ending(name); ok && last != cloudtrail.Logs {
		return s.bound(b), true
	}
	if b := ready(last); b != nil {
		return s.bound(b), true
	}
	return nil, false
}

// partitionsView is what Athena calls "table$partitions": a row for each partition that holds events, by all the columns that are made of it.
func (s *Snapshot) partitionsView(table []string) (source.Relation, bool) {
	r, ok := s.Resolve(table)
	bound, _ := r.(*source.Bound)
	if bound != nil {
		r = bound.Of
	}
	stored, isTable := r.(source.Stored)
	if !ok || !isTable || len(partitionedBy(stored.Table)) == 0 {
		return nil, false
	}
	v := &source.View{Name: strings.Join(table, ".") + "$partitions"}
	columns := slices.Clone(partitionColumns)
	if bound != nil {
		for _, d := range bound.Columns {
			if slices.Contains(partitionColumns, d.From) {
				columns = append(columns, d.Name)
				if d.Hidden {
					v.Hidden = append(v.Hidden, d.Name)
				}
			}
		}
	}
	v.SQL = "SELECT DISTINCT " + quoted(columns, ", ") + " FROM " + quoted(table, ".")
	return v, true
}

// partitionedBy are the columns by which a table of the lake is parted.
func partitionedBy(t source.Table) []string {
	if p, ok := t.(source.Partitioned); ok {
		return p.PartitionColumns()
	}
	return nil
}

// quoted writes names as identifiers of SQL.
func quoted(names []string, between string) string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
	}
	return strings.Join(out, between)
}

// shape finds a table or view of the lake's own.
func (s *Snapshot) shape(name string) (source.Relation, bool) {
	if t := LayoutOf(name); t != nil {
		return source.Stored{Table: newTable(s, t)}, true
	}
	if v, ok := views()[name]; ok {
		return v, true
	}
	if computed := s.lake.opt.Computed[name]; computed != nil {
		return source.Stored{Table: computed(s)}, true
	}
	return nil, false
}

func (s *Snapshot) bound(b *binding) source.Relation {
	of, _ := s.shape(b.of) // which was there when the bindings were read
	return &source.Bound{Of: of, Columns: b.columns}
}

// Names lists tables, views and bindings, those of statements too.
func (s *Snapshot) Names() []string {
	names := slices.AppendSeq(slices.Collect(maps.Keys(views())), maps.Keys(s.lake.opt.Computed))
	for _, t := range layouts() {
		names = append(names, t.Name)
	}
	for _, b := range s.lake.bindings {
		names = append(names, b.name)
	}
	for _, d := range s.definitions.all {
		names = append(names, d.written())
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Macros lists what CloudTrail's records mean, as functions.
func (s *Snapshot) Macros() []*source.Macro { return macros }

// Partitions lists a table's partitions that hold files.
func (s *Snapshot) Partitions(ctx context.Context, table string) ([]Partition, error) {
	partitions, err := s.summaries(ctx, table)
	if err != nil {
		return nil, err
	}
	out := make([]Partition, len(partitions.all))
	for i := range out {
		out[i] = partitions.partition(i)
	}
	return out, nil
}

// Files lists the files of one partition, by path.
func (s *Snapshot) Files(ctx context.Context, table string, p Partition) ([]*File, error) {
	partitions, err := s.summaries(ctx, table)
	if err != nil {
		return nil, err
	}
	at, ok := partitions.find(p)
	if !ok {
		return nil, nil
	}
	files, err := s.load(ctx, table, []int{at})
	if err != nil {
		return nil, err
	}
	out := make([]*File, len(files))
	for i, f := range files {
		out[i] = f.File
	}
	return out, nil
}

func (s *Snapshot) table(ctx context.Context, name string) (*tableFiles, error) {
	t := s.tables[name]
	if t == nil {
		t = &tableFiles{}
		err := s.withIndex(ctx, func(x *index) (err error) {
			t.partitions, err = x.partitions(ctx, name, s.version)
			return err
		})
		if err != nil {
			return nil, err
		}
		t.files, t.loaded = make([][]*dataFile, len(t.partitions.all)), make([]bool, len(t.partitions.all))
		s.tables[name] = t
	}
	return t, nil
}

// summaries are the partitions of a table, with what is known of each as a whole.
func (s *Snapshot) summaries(ctx context.Context, table string) (*partitionList, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.table(ctx, table)
	if err != nil {
		return nil, err
	}
	return t.partitions, nil
}

func (s *Snapshot) withIndex(ctx context.Context, f func(x *index) error) error {
	s.lake.mu.Lock()
	defer s.lake.mu.Unlock()
	return s.lake.withIndex(ctx, f)
}

// load gives the files of partitions, in the order of partitions, then by path.
func (s *Snapshot) load(ctx context.Context, table string, partitions []int) ([]*dataFile, error) {
	const all = 64 // so many partitions missing: one query for the whole table costs less than one for each
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.table(ctx, table)
	if err != nil {
		return nil, err
	}
	var missing []int
	for _, p := range partitions {
		if !t.loaded[p] {
			missing = append(missing, p)
		}
	}
	var loaded []*File
	if len(missing) > 0 {
		var of []Partition
		if len(missing) <= all {
			for _, p := range missing {
				of = append(of, t.partitions.partition(p))
			}
		}
		err = s.withIndex(ctx, func(x *index) (err error) {
			loaded, err = x.files(ctx, table, s.version, of)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	layout := LayoutOf(table)
	at, place := Partition{}, -1
	var known *facts
	for _, f := range loaded {
		if place < 0 || f.Partition != at {
			var ok bool
			if place, ok = t.partitions.find(f.Partition); !ok {
				return nil, fmt.Errorf("%s/%s is in a partition that the table does not list", table, f.Path)
			}
			at, known = f.Partition, t.partitions.factsOf(place)
		}
		if !t.loaded[place] {
			t.files[place] = append(t.files[place], newDataFile(layout, f, known))
		}
	}
	for _, p := range missing {
		t.loaded[p] = true
	}
	if len(missing) > all {
		for p := range t.loaded {
			t.loaded[p] = true
		}
	}
	n := 0
	for _, p := range partitions {
		n += len(t.files[p])
	}
	out := make([]*dataFile, 0, n)
	for _, p := range partitions {
		out = append(out, t.files[p]...)
	}
	return out, nil
}

// Consumed is what the ledger knows of one content of a trail object.
type Consumed struct {
	ETag   string
	Size   int64
	SHA256 string // hex, "" if unknown
	State  string // "" for an object that is none of CloudTrail's
}

// Ledger brings the index's view of consumed objects up to the snapshot, by reading the rows of trail_files that are new.
func (s *Snapshot) Ledger(ctx context.Context) error {
	l := s.lake
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		var files []*File
		var have int64
		err := l.withIndex(ctx, func(x *index) (err error) {
			if have, err = x.ledger(ctx); err == nil && have < s.version {
				files, err = x.selectFiles(ctx, `SELECT `+fileColumnsSQL+` FROM files WHERE tbl = ? AND added > ? AND added <= ? AND (removed IS NULL OR removed > ?) ORDER BY path`,
					Files, have, s.version, s.version)
			}
			return err
		})
		if err != nil || have >= s.version {
			return err
		}
		files, err = newRows(files, have)
		if err != nil {
			return err
		}
		before := l.index
		if err := l.readLedger(ctx, files); err != nil {
			return err
		}
		if err := l.withIndex(ctx, func(x *index) error { return x.putObjects(ctx, nil, s.version) }); err != nil {
			return err
		}
		if l.index == before {
			return nil
		}
		// The index was built anew on the way: what was put before is gone, and the mark must not stand.
		if err := l.withIndex(ctx, func(x *index) error { return x.resetLedger(ctx) }); err != nil {
			return err
		}
	}
}

// newRows drops the files of trail_files whose rows all came with versions up to have: merged ones mostly.
func newRows(files []*File, have int64) ([]*File, error) {
	layout := LayoutOf(Files)
	var out []*File
	for _, f := range files {
		stats := layout.Stats(f)
		if newest, ok := stats[layout.Commit].Max.(int64); !ok || !f.Commits || newest > have {
			out = append(out, f)
		}
	}
	return out, nil
}

// readLedger puts the rows of trail_files' files into the index.
func (l *Lake) readLedger(ctx context.Context, files []*File) error {
	layout := LayoutOf(Files)
	var req source.Request
	for _, name := range []string{"path", "etag", "size", "sha256", "state"} {
		req.Paths = append(req.Paths, source.Path{Column: ordinal(layout.Columns, name)})
	}
	req.Limit = -1
	scan, err := l.ScanFiles(ctx, layout, files, req)
	if err != nil {
		return err
	}
	if err := source.Each(source.InOrder(ctx, scan), func(b vec.Batch) error { return l.indexLedger(ctx, b) }); err != nil {
		return fmt.Errorf("read the ledger (table %s): %w", Files, err)
	}
	return nil
}

// indexLedger takes rows of path, etag, size, sha256 and state.
func (l *Lake) indexLedger(ctx context.Context, b vec.Batch) error {
	text := func(col int) func(int) string { return textReader(b.Cols[col]) }
	path, etag, sum, state := text(0), text(1), text(3), text(4)
	size, ok := b.Cols[2].(*array.Int64)
	if !ok {
		return fmt.Errorf("column size has form %s", b.Cols[2].DataType())
	}
	rows := make([]objectRow, b.Len)
	for i := range rows {
		rows[i] = objectRow{path(i), Consumed{etag(i), size.Value(i), sum(i), state(i)}}
	}
	return l.withIndex(ctx, func(x *index) error { return x.putObjects(ctx, rows, -1) })
}

// Consumed lists for each URL what is known of that object, as far as Ledger was called. Rows with State "" come from Remember.
func (l *Lake) Consumed(ctx context.Context, urls []string) (out [][]Consumed, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	err = l.withIndex(ctx, func(x *index) (err error) { out, err = x.consumed(ctx, urls); return err })
	return out, err
}

// Remember notes in the index alone, as a shortcut for later runs, that an object needs no reading.
func (l *Lake) Remember(ctx context.Context, url string, c Consumed) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.withIndex(ctx, func(x *index) error { return x.putObjects(ctx, []objectRow{{url, c}}, -1) })
}
