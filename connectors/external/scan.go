package external

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/prune"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/vec"
)

const (
	batchRows  = 4096    // the scan's own choice
	batchBytes = 8 << 20 // of text in a batch, about

	// morselBytes parts large Parquet files: row groups are read by several workers. Text is read by one from its beginning.
	morselBytes = 64 << 20
)

// scan reads files. No conjunct is applied: folders and row groups are pruned, the caller filters.
type scan struct {
	table   *Table
	req     source.Request
	files   []dataFile
	morsels []morsel
	columns []int // ordinals of the table's columns that the paths need, sorted
	report  source.Report
}

// morsel is the part-th of so many equal parts of a file.
type morsel struct{ file, part, of int }

// Scan lists the files and leaves out those in folders that no conjunct holds for.
func (t *Table) Scan(ctx context.Context, req source.Request) (source.Scan, error) {
	files, err := t.files(ctx)
	if err != nil {
		return nil, err
	}
	s := &scan{table: t, req: req}
	for _, p := range req.Paths {
		s.columns = append(s.columns, p.Column)
	}
	slices.Sort(s.columns)
	s.columns = slices.Compact(s.columns)
	partitions, kept := map[string]bool{}, map[string]bool{}
	ruledOut := make([]int, len(req.Conjuncts))
	for _, f := range files {
		s.report.Files.Add(1)
		partitions[f.folder] = true
		never := false
		for i, c := range req.Conjuncts {
			if !req.Off.Partition && t.Partitions > 0 && prune.Check(c, &folderBounds{s, &f}) == prune.Never {
				ruledOut[i]++
				never = true
			}
		}
		if never {
			s.report.FilesPruned.Add(1)
			continue
		}
		kept[f.folder] = true
		parts := 1
		if t.Format.Kind == Parquet {
			parts = int(max(1, f.info.Size/morselBytes))
		}
		for part := range parts {
			s.morsels = append(s.morsels, morsel{len(s.files), part, parts})
		}
		s.files = append(s.files, f)
	}
	if t.Partitions > 0 {
		s.report.Partitions.Store(int64(len(partitions)))
		s.report.PartitionsPruned.Store(int64(len(partitions) - len(kept)))
	}
	for i, c := range req.Conjuncts {
		says := fmt.Sprintf("rules out %d of %d files by their folders", ruledOut[i], len(files))
		s.report.Notes = append(s.report.Notes, source.Note{On: expr.Format(c), Says: says})
	}
	return s, nil
}

// folderBounds are the statistics of the rows of a file by its folders.
type folderBounds struct {
	scan *scan
	file *dataFile
}

func (b *folderBounds) value(path int) arrow.Array {
	p := b.scan.req.Paths[path]
	first := len(b.scan.table.Cols) - b.scan.table.Partitions
	if p.Column < first || len(p.Fields) > 0 {
		return nil
	}
	return b.file.values[p.Column-first]
}

func (b *folderBounds) Bounds(path int) (lo, hi any) {
	if a := b.value(path); a != nil && a.IsValid(0) {
		v := bound(a)
		return v, v
	}
	return nil, nil
}

func (b *folderBounds) Nulls(path int) (nulls, rows int64) {
	switch a := b.value(path); {
	case a == nil:
		return -1, 1
	case a.IsNull(0):
		return 1, 1
	}
	return 0, 1
}

func (b *folderBounds) Canonical(int) bool { return false }

// bound is the first value of an array as a bound, nil for types that have none.
func bound(a arrow.Array) any {
	switch a := a.(type) {
	case *array.String:
		return a.Value(0)
	case *array.Int8:
		return int64(a.Value(0))
	case *array.Int16:
		return int64(a.Value(0))
	case *array.Int32:
		return int64(a.Value(0))
	case *array.Int64:
		return a.Value(0)
	case *array.Date32:
		return int64(a.Value(0))
	case *array.Boolean:
		return a.Value(0)
	}
	return nil
}

func (s *scan) Applied() []bool        { return make([]bool, len(s.req.Conjuncts)) }
func (s *scan) Morsels() int           { return len(s.morsels) }
func (s *scan) Report() *source.Report { return &s.report }

// Prune does what Open does for Parquet, whose row groups have statistics.
func (s *scan) Prune(ctx context.Context) error {
	if s.table.Format.Kind != Parquet {
		return nil
	}
	for m := range s.morsels {
		r, err := s.Open(ctx, m)
		if err != nil {
			return err
		}
		if err := r.Close(); err != nil {
			return err
		}
	}
	return nil
}

func (s *scan) Open(ctx context.Context, i int) (source.Reader, error) {
	m := s.morsels[i]
	r := &reader{ctx: ctx, scan: s, file: &s.files[m.file]}
	var err error
	if s.table.Format.Kind == Parquet {
		r.rows, err = openParquet(r, m)
	} else {
		r.rows, err = openText(r)
	}
	if err != nil {
		return nil, r.fault(err)
	}
	return r, nil
}

// rows are the needed columns of a morsel, batch by batch; the partition columns are not among them.
type rows interface {
	// next returns an array for each of scan.columns, nil for partition columns, and the number of rows; io.EOF at the end.
	next() (columns []arrow.Array, n int, err error)
	close() error
}

// reader makes the batches of a request of the columns of a file.
type reader struct {
	ctx  context.Context
	scan *scan
	file *dataFile
	rows rows
}

// limit is the number of rows in a batch.
func (r *reader) limit() int {
	if r.scan.req.BatchRows > 0 {
		return r.scan.req.BatchRows
	}
	return batchRows
}

func (r *reader) Next() (b vec.Batch, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = r.fault(errUnforeseen)
		}
	}()
	if err := r.ctx.Err(); err != nil {
		return vec.Batch{}, err
	}
	columns, n, err := r.rows.next()
	if err == io.EOF { //nolint:errorlint // rows gives it as it is
		return vec.Batch{}, io.EOF
	}
	if err != nil {
		return vec.Batch{}, r.fault(err)
	}
	r.scan.report.RowsRead.Add(int64(n))
	t := r.scan.table
	first := len(t.Cols) - t.Partitions
	b = vec.Batch{Len: n, Cols: make([]arrow.Array, len(r.scan.req.Paths))}
	for i, p := range r.scan.req.Paths {
		at, _ := slices.BinarySearch(r.scan.columns, p.Column)
		col := columns[at]
		if p.Column >= first {
			col = vec.Take(r.file.values[p.Column-first], make([]int32, n))
		}
		b.Cols[i] = source.Along(col, p)
	}
	return b, nil
}

func (r *reader) Close() error { return r.rows.close() }

// fault names the file in an error.
func (r *reader) fault(err error) error {
	if cause := context.Cause(r.ctx); cause != nil {
		return cause
	}
	return sqlerr.Wrap(sqlerr.Data, err, "file %s of table %s", strings.TrimSuffix(Place{r.scan.table.Place.Root, r.file.info.Name}.String(), "/"), r.scan.table.TableName)
}
