package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqltype"
)

// spacedTime is how v17 writes a timestamp as JSON; v18 has a T for the space.
var spacedTime = regexp.MustCompile(`"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?Z)"`)

// TestSecondReaders reads every data file with arrow/go v17 and with pqarrow of v18. Every column of every row must be equal between the
// two, and equal to what trailql answers.
func TestSecondReaders(t *testing.T) {
	l := aLake(t)
	e := engine.New(l)
	arrow17 := filepath.Join(t.TempDir(), "arrow17")
	if out, err := exec.Command("go", "build", "-o", arrow17, "./arrow17").CombinedOutput(); err != nil {
		t.Fatalf("go build ./arrow17: %v\n%s", err, out)
	}
	for _, table := range tables {
		t.Run(table, func(t *testing.T) {
			files, rows := dataFiles(t, l, table)
			if len(files) == 0 {
				t.Fatal("the table has no files: the test shows nothing")
			}
			v18 := readV18(t, files)
			if int64(len(v18)) != rows {
				t.Errorf("v18 reads %d rows, the log says %d", len(v18), rows)
			}
			var stderr strings.Builder
			c := exec.Command(arrow17, files...)
			c.Stderr = &stderr
			out, err := c.Output()
			if err != nil {
				t.Fatalf("arrow17: %v\n%s", err, stderr.String())
			}
			out = spacedTime.ReplaceAll(out, []byte(`"${1}T$2"`))
			v17 := bytes.Split(bytes.TrimSuffix(out, []byte("\n")), []byte("\n"))
			sameRows(t, "v17", texts(v17), "v18", texts(v18))

			columns := catalog.LayoutOf(table).Stored(false)
			names := make([]string, len(columns))
			for i, c := range columns {
				names[i] = `"` + c.Name + `"`
			}
			var answer []string
			err = (&asker{Engine: e}).ask(t.Context(), "SELECT "+strings.Join(names, ", ")+" FROM "+table, func(cols []arrow.Array, rows int) {
				answer = append(answer, shown(cols, columns, rows)...)
			})
			if err != nil {
				t.Fatal(err)
			}
			read := make([]string, len(v18))
			for i, line := range v18 {
				read[i] = cells(t, line, columns)
			}
			sameRows(t, "trailql", answer, "v18", read)
		})
	}
}

// shown writes rows as SQL shows them.
func shown(cols []arrow.Array, columns []source.Column, rows int) []string {
	lines := make([]string, rows)
	for i := range lines {
		cells := make([]string, len(cols))
		for c, col := range cols {
			cells[c] = "NULL"
			if col.IsValid(i) {
				cells[c] = string(sqltype.AppendText(nil, columns[c].Type, col, i))
			}
		}
		lines[i] = strings.Join(cells, "|")
	}
	return lines
}

// cells writes one row, a line of JSON as Arrow writes it, as shown does.
func cells(t *testing.T, line []byte, columns []source.Column) string {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	var row map[string]any
	if err := d.Decode(&row); err != nil {
		t.Fatal(err)
	}
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = "NULL"
		if v := row[c.Name]; v != nil {
			out[i] = cell(t, v, c.Type)
		}
	}
	return strings.Join(out, "|")
}

// cell writes one value as sqltype.AppendText documents it.
func cell(t *testing.T, v any, typ sqltype.Type) string {
	t.Helper()
	if v == nil {
		return "null"
	}
	var parts []string
	switch typ.Kind {
	case sqltype.Varchar:
		return v.(string)
	case sqltype.Boolean, sqltype.BigInt:
		return fmt.Sprint(v)
	case sqltype.Timestamp:
		at, err := time.Parse(time.RFC3339, v.(string))
		if err != nil {
			t.Fatal(err)
		}
		return at.Format("2006-01-02 15:04:05.000")
	case sqltype.Varbinary:
		data, err := base64.StdEncoding.DecodeString(v.(string))
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("% x", data)
	case sqltype.Array:
		for _, e := range v.([]any) {
			parts = append(parts, cell(t, e, *typ.Elem))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case sqltype.Map:
		for _, e := range v.([]any) {
			entry := e.(map[string]any)
			parts = append(parts, cell(t, entry["key"], *typ.Key)+"="+cell(t, entry["value"], *typ.Elem))
		}
	case sqltype.Row:
		for _, f := range typ.Fields {
			parts = append(parts, f.Name+"="+cell(t, v.(map[string]any)[f.Name], f.Type))
		}
	default:
		t.Fatalf("a column of type %s: teach this test how it prints", typ)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// readV18 gives the rows of the files as lines of JSON.
func readV18(t *testing.T, files []string) [][]byte {
	t.Helper()
	var out bytes.Buffer
	for _, path := range files {
		f, err := file.OpenParquetFile(path, false)
		if err != nil {
			t.Fatal(err)
		}
		r, err := pqarrow.NewFileReader(f, pqarrow.ArrowReadProperties{BatchSize: 4096}, memory.DefaultAllocator)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		records, err := r.GetRecordReader(context.Background(), nil, nil)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for {
			rec, err := records.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			if err := array.RecordToJSON(rec, &out); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return bytes.Split(bytes.TrimSuffix(out.Bytes(), []byte("\n")), []byte("\n"))
}

func texts(lines [][]byte) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = string(l)
	}
	return out
}

// sameRows compares two sets of rows, order aside: files are read in any order.
func sameRows(t *testing.T, nameA string, a []string, nameB string, b []string) {
	t.Helper()
	slices.Sort(a)
	slices.Sort(b)
	if len(a) != len(b) {
		t.Errorf("%s has %d rows, %s %d", nameA, len(a), nameB, len(b))
	}
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			t.Fatalf("row %d in order of text\n%s: %s\n%s: %s", i, nameA, a[i], nameB, b[i])
		}
	}
}
