package logictest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/parquetio"
	"github.com/trailql/trailql/engine/logictest"
	"github.com/trailql/trailql/engine/prune"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// storedTables makes tables of Parquet files and counts what became of them.
type storedTables struct {
	mu              sync.Mutex
	parquet, memory int
	filesPruned     int64
	reports         []*source.Report
}

// add stores a table in folder: two batches of three rows a file, a row group each, so that small tables have several of each. One that Parquet
// cannot hold is added in memory.
func (s *storedTables) add(cat *logictest.Catalog, folder, name string, columns []source.Column, batches []vec.Batch) error {
	for _, c := range columns {
		if !inParquet(c.Type) {
			s.count(&s.memory)
			cat.Add(name, source.Stored{Table: source.NewMemory(name, columns, batches)})
			return nil
		}
	}
	t := &parquetTable{name: name, columns: columns, tally: s}
	var err error
	if t.store, err = blob.OpenFolder(folder); err != nil {
		return err
	}
	for len(batches) > 0 {
		n := min(2, len(batches))
		if err := t.write(folder, batches[:n]); err != nil {
			return err
		}
		batches = batches[n:]
	}
	s.count(&s.parquet)
	cat.Add(name, source.Stored{Table: t})
	return nil
}

func (s *storedTables) count(n *int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*n++
}

// inParquet says which types our Parquet files have.
func inParquet(t sqltype.Type) bool {
	switch t.Kind {
	case sqltype.Boolean, sqltype.TinyInt, sqltype.SmallInt, sqltype.Integer, sqltype.BigInt, sqltype.Real, sqltype.Double,
		sqltype.Varchar, sqltype.JSON, sqltype.Varbinary, sqltype.Date, sqltype.Timestamp:
		return true
	case sqltype.Array:
		return inParquet(*t.Elem)
	case sqltype.Map:
		return inParquet(*t.Key) && inParquet(*t.Elem)
	case sqltype.Row:
		for _, f := range t.Fields {
			if f.Name == "" || !inParquet(f.Type) {
				return false
			}
		}
		return len(t.Fields) > 0
	}
	return false
}

// check fails where the tables were not read as Parquet, or nothing of them was skipped: then the cases would prove nothing.
func (s *storedTables) check(t *testing.T) {
	var groups, stats, bloom, dictionary int64
	for _, r := range s.reports {
		groups += r.RowGroups.Load()
		stats += r.RowGroupsByStats.Load()
		bloom += r.RowGroupsByBloom.Load()
		dictionary += r.RowGroupsByDictionary.Load()
	}
	t.Logf("%d tables in Parquet, %d in memory; %d files skipped; of %d row groups skipped by statistics %d, bloom filters %d, dictionaries %d",
		s.parquet, s.memory, s.filesPruned, groups, stats, bloom, dictionary)
	if len(s.reports) > 1000 && (s.parquet < 2*s.memory || s.filesPruned == 0 || stats == 0 || dictionary == 0) { // not with -run
		t.Error("too little was stored as Parquet or skipped")
	}
}

// parquetTable is a table of Parquet files.
type parquetTable struct {
	name    string
	columns []source.Column
	store   blob.Store
	files   []parquetio.File
	tally   *storedTables
}

func (t *parquetTable) Name() string             { return t.name }
func (t *parquetTable) Columns() []source.Column { return t.columns }

func (t *parquetTable) write(folder string, batches []vec.Batch) error {
	opt := parquetio.WriteOptions{Columns: t.columns, RowGroupRows: 3}
	for _, c := range t.columns {
		if c.Type.Kind == sqltype.Varchar || c.Type.Kind == sqltype.BigInt {
			opt.Bloom = append(opt.Bloom, c.Name)
		}
	}
	var file bytes.Buffer
	written, err := parquetio.Write(&file, opt, func() (vec.Batch, error) {
		if len(batches) == 0 {
			return vec.Batch{}, io.EOF
		}
		b := batches[0]
		batches = batches[1:]
		return b, nil
	})
	if err != nil {
		return err
	}
	name := fmt.Sprintf("%d.parquet", len(t.files))
	t.files = append(t.files, parquetio.File{Name: name, Size: written.Bytes, Rows: written.Rows, Stats: written.Stats, FooterSHA256: written.FooterSHA256})
	return os.WriteFile(filepath.Join(folder, name), file.Bytes(), 0o600)
}

// Scan skips files by their bounds, as the catalog does, and leaves the rest to the real scan.
func (t *parquetTable) Scan(ctx context.Context, req source.Request) (source.Scan, error) {
	report := &source.Report{}
	var kept []parquetio.File
	for _, f := range t.files {
		never := false
		for _, c := range req.Conjuncts {
			never = never || !req.Off.File && prune.Check(c, fileBounds{t, f, req.Paths}) == prune.Never
		}
		if never {
			report.FilesPruned.Add(1)
			continue
		}
		kept = append(kept, f)
	}
	t.tally.mu.Lock()
	t.tally.filesPruned += report.FilesPruned.Load()
	t.tally.reports = append(t.tally.reports, report)
	t.tally.mu.Unlock()
	return parquetio.NewScan(ctx, t.store, kept, t.columns, req, report)
}

// fileBounds are the statistics of a file by the paths of a request.
type fileBounds struct {
	t     *parquetTable
	file  parquetio.File
	paths []source.Path
}

func (b fileBounds) stats(path int) (parquetio.Stats, bool) {
	p := b.paths[path]
	name, t := b.t.columns[p.Column].Name, b.t.columns[p.Column].Type
	for _, field := range p.Fields {
		name, t = name+"."+t.Fields[field].Name, t.Fields[field].Type
	}
	s, ok := b.file.Stats[name]
	return s, ok
}

func (b fileBounds) Bounds(path int) (min, max any) {
	s, _ := b.stats(path)
	return s.Min, s.Max
}

func (b fileBounds) Nulls(path int) (nulls, rows int64) {
	if s, ok := b.stats(path); ok {
		return s.Nulls, b.file.Rows
	}
	return -1, b.file.Rows
}

func (b fileBounds) Canonical(int) bool { return false }
