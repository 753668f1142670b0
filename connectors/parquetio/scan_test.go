package parquetio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/parquet"
	"pgregory.net/rapid"

	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

var background = context.Background()

// memoryStore holds files by name; each test run names its files anew, since footers are kept by name.
type memoryStore struct{ files map[string][]byte }

var runs atomic.Int64

type memoryObject struct {
	*io.SectionReader
}

func (memoryObject) Close() error { return nil }

func newMemoryStore(files ...[]byte) (*memoryStore, []File) {
	s := &memoryStore{map[string][]byte{}}
	var all []File
	for _, data := range files {
		name := fmt.Sprintf("%d.parquet", runs.Add(1))
		s.files[name] = data
		all = append(all, File{Name: name, Size: int64(len(data))})
	}
	return s, all
}

type sliceReader []byte

func (b sliceReader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off > int64(len(b)) {
		return 0, errors.New("read outside of the file")
	}
	n := copy(p, b[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (s *memoryStore) Open(_ context.Context, name string) (blob.Object, error) {
	data := s.files[name]
	return memoryObject{io.NewSectionReader(sliceReader(data), 0, int64(len(data)))}, nil
}

func (s *memoryStore) URL() string { return "mem:" }
func (s *memoryStore) List(context.Context, string, string, func(blob.Info) error) error {
	panic("unused")
}
func (s *memoryStore) Folders(context.Context, string) ([]string, error)     { panic("unused") }
func (s *memoryStore) Get(context.Context, blob.Info) (io.ReadCloser, error) { panic("unused") }
func (s *memoryStore) Stat(context.Context, string) (blob.Info, error)       { panic("unused") }
func (s *memoryStore) ReadAll(context.Context, string) ([]byte, error)       { panic("unused") }
func (s *memoryStore) Create(context.Context, string) (blob.Writer, error)   { panic("unused") }
func (s *memoryStore) PutIfAbsent(context.Context, string, []byte) error     { panic("unused") }
func (s *memoryStore) Delete(context.Context, string) error                  { panic("unused") }
func (s *memoryStore) Settle(context.Context, string) error                  { panic("unused") }
func (s *memoryStore) DropUnfinished(context.Context, time.Time) (int64, int64, error) {
	panic("unused")
}

func init() { // files of tests are small
	wholeFile, joinGap, mostRange, cheap, windowBytes, mergeBytes = 200, 50, 700, 300, 600, 150
}

// farStore passes for a store over a network.
type farStore struct{ blob.Store }

func (s farStore) URL() string { return "far://" + s.Store.URL() }

// scanAll reads everything, one morsel after the other, and makes sure that it is the same from a store far away.
func scanAll(store blob.Store, files []File, columns []source.Column, req source.Request) ([]vec.Batch, *source.Report, error) {
	batches, report, err := scanFrom(store, files, columns, req)
	if _, failing := store.(*failingStore); failing {
		return batches, report, err
	}
	far, farReport, farErr := scanFrom(farStore{store}, files, columns, req)
	if (err == nil) != (farErr == nil) || err == nil && (len(far) != len(batches) || farReport.RowsRead.Load() != report.RowsRead.Load() && req.Top == nil) {
		panic(fmt.Sprintf("near: %d batches, %d rows read, %v\nfar: %d, %d, %v", len(batches), report.RowsRead.Load(), err, len(far), farReport.RowsRead.Load(), farErr))
	}
	for i := range far {
		for c := range far[i].Cols {
			if err == nil && !array.ApproxEqual(far[i].Cols[c], batches[i].Cols[c], array.WithNaNsEqual(true)) {
				panic(fmt.Sprintf("batch %d, column %d\nnear: %v\nfar: %v", i, c, batches[i].Cols[c], far[i].Cols[c]))
			}
		}
	}
	return batches, report, err
}

func scanFrom(store blob.Store, files []File, columns []source.Column, req source.Request) ([]vec.Batch, *source.Report, error) {
	report := &source.Report{}
	s, err := NewScan(background, store, files, columns, req, report)
	if err != nil {
		return nil, report, err
	}
	var batches []vec.Batch
	for m := range s.Morsels() {
		r, err := s.Open(background, m)
		if err != nil {
			return nil, report, err
		}
		for {
			b, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				r.Close()
				return nil, report, err
			}
			batches = append(batches, b)
		}
		if err := r.Close(); err != nil {
			return nil, report, err
		}
	}
	return batches, report, nil
}

func countRows(batches []vec.Batch) (n int64) {
	for _, b := range batches {
		n += int64(b.Len)
	}
	return n
}

func TestWhatIsWrittenTheScanReads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		columns, batches := randomTable(t)
		opt := WriteOptions{Columns: columns, RowGroupRows: rapid.IntRange(1, 60).Draw(t, "group")}
		text := rapid.SampledFrom([]parquet.Encoding{parquet.Encodings.DeltaLengthByteArray, parquet.Encodings.Plain}).Draw(t, "text")
		data, w := writeForm(t, rapid.IntRange(1, 40).Draw(t, "page"), text, opt, batches...)
		store, files := newMemoryStore(data)
		files[0].Rows = w.Rows
		got, _, err := scanAll(store, files, columns, source.Request{Paths: source.WholeColumns(columns), BatchRows: rapid.IntRange(1, 50).Draw(t, "batch")})
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range got {
			for i, c := range b.Cols {
				form := columns[i].Type.Arrow()
				if !arrow.TypeEqual(c.DataType(), form) && !arrow.TypeEqual(c.DataType(), sqltype.DictionaryString) || c.Len() != b.Len {
					t.Fatalf("column %d comes as %s, %d rows of %d", i, c.DataType(), c.Len(), b.Len)
				}
			}
		}
		for i := range columns {
			if got, want := columnText(got, i), columnText(batches, i); !slices.Equal(got, want) {
				t.Fatalf("column %d %s:\ngot  %v\nwant %v", i, columns[i].Type, got, want)
			}
		}
	})
}

// leafPaths gives a path to each field that no list is above.
func leafPaths(t sqltype.Type, p source.Path) (paths []source.Path) {
	paths = append(paths, p)
	if t.Kind == sqltype.Row {
		for i, f := range t.Fields {
			below := source.Path{Column: p.Column, Fields: append(slices.Clone(p.Fields), i)}
			paths = append(paths, leafPaths(f.Type, below)...)
		}
	}
	return paths
}

func TestPathsBelowRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		columns, batches := randomTable(t)
		data, w := writePaged(t, rapid.IntRange(1, 40).Draw(t, "page"),
			WriteOptions{Columns: columns, RowGroupRows: rapid.IntRange(1, 60).Draw(t, "group")}, batches...)
		store, files := newMemoryStore(data)
		files[0].Rows = w.Rows
		var paths []source.Path
		for i, c := range columns {
			paths = append(paths, leafPaths(c.Type, source.Path{Column: i})...)
		}
		got, _, err := scanAll(store, files, columns, source.Request{Paths: paths})
		if err != nil {
			t.Fatal(err)
		}
		for k, p := range paths {
			var want []string
			for _, b := range batches {
				a, above := b.Cols[p.Column], []arrow.Array{}
				for _, f := range p.Fields {
					above = append(above, a)
					a = fieldOf(a, f)
				}
				for row := range b.Len {
					s := show(a, row)
					for _, up := range above {
						if up.IsNull(row) {
							s = "NULL"
						}
					}
					want = append(want, s)
				}
			}
			if got := columnText(got, k); !slices.Equal(got, want) {
				t.Fatalf("path %v of %s:\ngot  %v\nwant %v", p, columns[p.Column].Type, got, want)
			}
		}
	})
}
