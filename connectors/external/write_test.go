package external

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// batchOf makes a batch of rows of texts, NULL where one is "NULL".
func batchOf(t testing.TB, cols []source.Column, rows ...[]string) vec.Batch {
	t.Helper()
	b := vec.Batch{Len: len(rows)}
	for c, col := range cols {
		var cells []arrow.Array
		for _, row := range rows {
			if row[c] == "NULL" {
				cells = append(cells, vec.Nulls(col.Type, 1))
				continue
			}
			from := sqltype.VarcharType
			if k := col.Type.Kind; k == sqltype.Array || k == sqltype.Map || k == sqltype.Row {
				from = sqltype.JSONType
			}
			d, err := vec.Cast(vec.Datum{Arr: vec.FromValue(from, row[c])}, from, withoutTimes(col.Type), false, nil, time.Time{}, 1)
			if err == nil {
				d, err = vec.Cast(d, withoutTimes(col.Type), col.Type, false, nil, time.Time{}, 1)
			}
			if err != nil {
				t.Fatal(err)
			}
			cells = append(cells, d.Arr)
		}
		a, err := vec.Concat(cells)
		if err != nil {
			t.Fatal(err)
		}
		b.Cols = append(b.Cols, a)
	}
	return b
}

func target(cols []source.Column, format string) source.Target {
	t := source.Target{Format: format}
	for _, c := range cols {
		t.Columns = append(t.Columns, sqltype.Column{Name: c.Name, Type: c.Type})
	}
	return t
}

// everything lists what is below a folder, files and folders.
func everything(t testing.TB, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		if name != dir {
			out = append(out, strings.TrimPrefix(name, dir+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestWrittenIsReadBack: every format and compression gives back the rows that it was given.
func TestWrittenIsReadBack(t *testing.T) {
	flat := columns(t, "a string", "b bigint", "c double", "d decimal(10,2)", "e timestamp", "f date", "g boolean", "h tinyint", "i varchar(5)")
	nested := append(slices.Clone(flat), columns(t, "j array<string>", "k map<string,int>", "l struct<x:int,y:array<date>>")...)
	row := []string{`x "y", z`, "-9", "1.5", "3.25", "2024-01-02 03:04:05.678", "1969-12-31", "true", "7", "ä"}
	deep := append(slices.Clone(row), `["p",null]`, `{"k":1}`, `{"x":1,"y":["2024-01-01"]}`)
	null := slices.Repeat([]string{"NULL"}, len(nested))
	for _, c := range []struct {
		format, compression string
		read                Format
		cols                []source.Column
		row                 []string
		end                 string
	}{
		{"parquet", "", Format{Kind: Parquet}, nested, deep, ".parquet"}, {"parquet", "snappy", Format{Kind: Parquet}, nested, deep, ".parquet"},
		{"parquet", "gzip", Format{Kind: Parquet}, nested, deep, ".parquet"}, {"parquet", "none", Format{Kind: Parquet}, nested, deep, ".parquet"},
		{"json", "", Format{Kind: JSON}, nested, deep, ".json.gz"}, {"json", "zstd", Format{Kind: JSON}, nested, deep, ".json.zst"}, {"json", "none", Format{Kind: JSON}, nested, deep, ".json"},
		{"textfile", "", textFormat, flat, row, ".txt.gz"}, {"textfile", "none", textFormat, flat, row, ".txt"},
		{"csv", "", Format{Kind: CSV, Delimiter: ',', Quote: '"', SkipLines: 1}, flat, row, ".csv"}, {"csv", "gzip", Format{Kind: CSV, Delimiter: ',', Quote: '"', SkipLines: 1}, flat, row, ".csv.gz"},
	} {
		what := c.format + " " + c.compression
		dir := t.TempDir()
		to := target(c.cols, c.format)
		to.Compression = c.compression
		place := Place{root(t, dir), "x/y"}
		out, err := Create(t.Context(), place, to)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		b := batchOf(t, c.cols, c.row, null, c.row)
		if err := errors.Join(out.Write(b), out.Write(b.Slice(0, 1))); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if files := everything(t, filepath.Join(dir, "x")); len(files) != 2 || !strings.HasPrefix(files[1], "y/.tmp-") {
			t.Errorf("%s: before it is published there is %v", what, files)
		}
		if err := out.Publish(t.Context()); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		out.Abort() // harmless now
		if files := everything(t, dir); len(files) != 3 || !strings.HasSuffix(files[2], c.end) {
			t.Errorf("%s: %v", what, files)
		}
		table := &Table{TableName: "t", Cols: c.cols, Format: c.read, Place: place}
		got, _, err := read(t, table, source.Request{})
		want := `x "y", z|-9|1.5|3.25|2024-01-02 03:04:05.678|1969-12-31|true|7|ä`
		nulls := strings.TrimSuffix(strings.Repeat("NULL|", len(c.cols)), "|")
		if len(c.cols) > len(flat) {
			want += "|[p, null]|{k=1}|{x=1, y=[2024-01-01]}"
		}
		if c.format == "csv" {
			nulls = strings.Trim(nulls, "NUL") // in the columns of text: the empty text and NULL are one there
		}
		check(t, what, got, err, want, nulls, want, want)
	}
}

// TestWrittenPartitions: values that are no names of folders lead nowhere, and come back.
func TestWrittenPartitions(t *testing.T) {
	dir := t.TempDir()
	cols := columns(t, "n int", "zone string", "day date")
	to := target(cols, "parquet")
	to.PartitionedBy = 2
	place := Place{root(t, dir), "t"}
	out, err := Create(t.Context(), place, to)
	if err != nil {
		t.Fatal(err)
	}
	values := []string{"NULL", "", ".", "..", "../../x", "/etc/passwd", "a=b", "a/b", "a b", `a\b`, "a\x00b", "a\nb", "%41", "ä", "__HIVE_DEFAULT", ".tmp-x"}
	var rows [][]string
	for i, v := range values {
		rows = append(rows, []string{fmt.Sprint(i), v, "2024-01-02"})
	}
	if err := errors.Join(out.Write(batchOf(t, cols, rows...)), out.Publish(t.Context())); err != nil {
		t.Fatal(err)
	}
	table := &Table{TableName: "t", Cols: cols, Partitions: 2, Format: Format{Kind: Parquet}, Place: place}
	got, _, err := read(t, table, source.Request{})
	if err != nil || len(got) != len(values) {
		t.Fatalf("%q, %v", got, err)
	}
	for i, v := range values {
		if want := fmt.Sprintf("%d|%s|2024-01-02", i, v); !slices.Contains(got, want) {
			t.Errorf("%q is not among %q", want, got)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("outside of the table: %v, %v", entries, err)
	}

	out, err = Create(t.Context(), Place{root(t, dir), "many"}, to)
	if err != nil {
		t.Fatal(err)
	}
	rows = nil
	for i := range maxFolders + 1 {
		rows = append(rows, []string{"1", fmt.Sprint(i), "2024-01-02"})
	}
	if err := out.Write(batchOf(t, cols, rows...)); err == nil || !strings.Contains(err.Error(), "more than 100 partitions") {
		t.Errorf("%v", err)
	}
	out.Abort()
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("after too many partitions: %v, %v", entries, err)
	}
}

func TestRefusedTargets(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"taken/x": "1", "file": "1", "hidden/.x": "1"})
	r := root(t, dir)
	if err := os.Symlink(t.TempDir(), filepath.Join(dir, "link")); err != nil {
		t.Skipf("no links here: %v", err)
	}
	for _, c := range []struct{ path, format, compression, column, want string }{
		{"taken", "csv", "", "a int", "there are files at 'r/taken' already"},
		{"file", "csv", "", "a int", "there are files at 'r/file' already"},
		{"", "csv", "", "a int", "there are files at 'r' already"},
		{"link/x", "csv", "", "a int", "link/x"},
		{"x", "orc", "", "a int", "files of format ORC are not written; PARQUET, CSV"},
		{"x", "csv", "snappy", "a int", "CSV is not compressed by SNAPPY; take one of NONE, GZIP, ZSTD"},
		{"x", "csv", "", "a array(int)", "column a is of type array(integer), which is written to Parquet and JSON only"},
		{"x", "parquet", "", "a json", "which no table over files has; cast it: CAST(a AS varchar)"},
		{"x", "parquet", "", "a array(interval day to second)", "which no table over files has"},
		{"x", "parquet", "", "a row(int)", "a field without a name"},
	} {
		to := target(columns(t, c.column), c.format)
		to.Compression = c.compression
		out, err := Create(t.Context(), Place{r, c.path}, to)
		if err == nil {
			err = out.Publish(t.Context())
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	out, err := Create(t.Context(), Place{r, "x"}, target(columns(t, "a string"), "textfile"))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"a\nb", "a\x01b", `\N`, "a\rb"} {
		if err := out.Write(batchOf(t, columns(t, "a string"), []string{text})); err == nil || !strings.Contains(err.Error(), "TEXTFILE cannot hold") {
			t.Errorf("%q: %v", text, err)
		}
	}
	out.Abort()
	if files := everything(t, dir); slices.ContainsFunc(files, func(f string) bool { return strings.HasPrefix(f, "x") }) {
		t.Errorf("%v", files)
	}
}

// TestNothingIsLeft after a disk that is full at any moment, a cancel, or another statement that was faster.
func TestNothingIsLeft(t *testing.T) {
	cols := columns(t, "a string", "p int")
	for _, format := range []string{"parquet", "csv", "json"} {
		for most := 0; ; most += 40 {
			dir := t.TempDir()
			r := root(t, dir)
			disk := &smallDisk{Store: r.Store, left: most}
			r.Store = disk
			to := target(cols, format)
			to.PartitionedBy = 1
			out, err := Create(t.Context(), Place{r, "x/y"}, to)
			if err != nil {
				t.Fatal(err)
			}
			err = errors.Join(out.Write(batchOf(t, cols, []string{"a", "1"}, []string{"b", "2"})), out.Write(batchOf(t, cols, []string{"c", "3"})))
			if err == nil {
				err = out.Publish(t.Context())
			}
			if err == nil {
				if files := everything(t, dir); len(files) != 8 {
					t.Errorf("%s: %v", format, files)
				}
				break
			}
			out.Abort()
			if !errors.Is(err, errFull) {
				t.Fatalf("%s, %d bytes: %v", format, most, err)
			}
			if files := everything(t, dir); len(files) != 0 {
				t.Fatalf("%s, %d bytes: %v is left", format, most, files)
			}
		}
	}
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	out, err := Create(ctx, Place{root(t, dir), "x"}, target(cols, "csv"))
	if err != nil {
		t.Fatal(err)
	}
	if err := out.Write(batchOf(t, cols, []string{"a", "1"})); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := out.Publish(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if files := everything(t, dir); len(files) != 0 {
		t.Errorf("%v", files)
	}
	out, err = Create(t.Context(), Place{root(t, dir), "x"}, target(cols, "csv"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, map[string]string{"x/other.csv": "1\n"})
	if err := out.Publish(t.Context()); err == nil || !strings.Contains(err.Error(), "there are files at 'r/x' already") {
		t.Errorf("%v", err)
	}
	if files := everything(t, dir); len(files) != 2 {
		t.Errorf("%v", files)
	}
}

var errFull = errors.New("no space left on device")

// smallDisk takes so many bytes.
type smallDisk struct {
	blob.Store
	left int
}

type smallWriter struct {
	blob.Writer
	disk *smallDisk
}

func (s *smallDisk) Create(ctx context.Context, name string) (blob.Writer, error) {
	w, err := s.Store.Create(ctx, name)
	return &smallWriter{w, s}, err
}

func (w *smallWriter) Write(p []byte) (int, error) {
	if w.disk.left -= len(p); w.disk.left < 0 {
		return 0, errFull
	}
	return w.Writer.Write(p)
}

func (w *smallWriter) Close() error {
	if w.disk.left -= 40; w.disk.left < 0 { // of the folder
		return errors.Join(errFull, w.Abort())
	}
	return w.Writer.Close()
}
