package sink

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/trailql/trailql/engine/sqltype"
)

func texts(values ...any) arrow.Array {
	b := array.NewStringBuilder(memory.DefaultAllocator)
	for _, v := range values {
		if v == nil {
			b.AppendNull()
		} else {
			b.Append(v.(string))
		}
	}
	return b.NewArray()
}

func coded(entries arrow.Array, codes ...int32) arrow.Array {
	b := array.NewInt32Builder(memory.DefaultAllocator)
	for _, c := range codes {
		if c < 0 {
			b.AppendNull()
		} else {
			b.Append(c)
		}
	}
	return array.NewDictionaryArray(sqltype.DictionaryString, b.NewArray(), entries)
}

func numbers(values ...int64) arrow.Array {
	b := array.NewInt64Builder(memory.DefaultAllocator)
	b.AppendValues(values, nil)
	return b.NewArray()
}

var sample = []Column{{Name: "name", Type: sqltype.VarcharType}, {Name: "n", Type: sqltype.BigIntType}, {Name: "name", Type: sqltype.VarcharType}}

// written returns what a format makes of three rows: plain text, a number, coded text, with NULL, the empty text,
// quotes, line breaks and an escape sequence among them.
func written(t *testing.T, format string, opt Options) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := New(format, &out, sample, opt)
	if err != nil {
		t.Fatal(err)
	}
	// Two batches, so that state between batches shows.
	err = errors.Join(
		w.Write([]arrow.Array{texts("a,b", nil), numbers(1, 22), coded(texts("x", "y|z"), 1, -1)}, 2),
		w.Write([]arrow.Array{texts("say \"hi\"\n\x1b[31m"), numbers(-3), coded(texts(""), 0)}, 1),
		w.Close())
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestTable(t *testing.T) {
	// The head is written when the table ends or is long enough, so all three rows set the widths.
	want := strings.Join([]string{
		` name                 | n  | name`,
		`----------------------+----+------`,
		` a,b                  |  1 | y|z`,
		` NULL                 | 22 | NULL`,
		` say "hi"\n\u001b[31m | -3 | `,
		``}, "\n")
	if got := string(written(t, "table", Options{})); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	// 30 columns: cells of 16, 2 and 4, each in a frame of 3 less one.
	want = strings.Join([]string{
		` name             | n  | name`,
		`------------------+----+------`,
		` a,b              |  1 | y|z`,
		" \x1b[2mNULL\x1b[22m             | 22 | \x1b[2mNULL\x1b[22m",
		` say "hi"\n\u001… | -3 | `,
		``}, "\n")
	if got := string(written(t, "table", Options{Width: 30, Styled: true})); got != want {
		t.Errorf("a table for a narrow terminal: got\n%q\nwant\n%q", got, want)
	}
}

// SELECT NULL has a type of its own, whose arrays hold no bits for validity.
func TestUntypedNull(t *testing.T) {
	columns := []Column{{Name: "n", Type: sqltype.UnknownType}, {Name: "i", Type: sqltype.BigIntType}}
	for format, want := range map[string]string{
		"table": " n    | i\n------+---\n NULL | 1\n", "csv": "n,i\n,1\n", "markdown": "| n | i |\n| --- | ---: |\n| | 1 |\n",
		"jsonl": "{\"n\":null,\"i\":1}\n", "vertical": "-[ row 1 ]--------------------\nn | NULL\ni | 1\n",
	} {
		var out bytes.Buffer
		w, err := New(format, &out, columns, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.Write([]arrow.Array{array.NewNull(1), numbers(1)}, 1), w.Close()); err != nil || out.String() != want {
			t.Errorf("%s: got %q, %v; want %q", format, out.String(), err, want)
		}
	}
}

func TestVertical(t *testing.T) {
	want := strings.Join([]string{
		`-[ row 1 ]--------------------`,
		`name | a,b`,
		`n    | 1`,
		`name | y|z`,
		`-[ row 2 ]--------------------`,
		`name | NULL`,
		`n    | 22`,
		`name | NULL`,
		`-[ row 3 ]--------------------`,
		`name | say "hi"\n\u001b[31m`,
		`n    | -3`,
		`name | `,
		``}, "\n")
	if got := string(written(t, "vertical", Options{Width: 10})); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := string(written(t, "table", Options{Width: 33, Turn: true})); got != want {
		t.Errorf("a table of 34 columns for a terminal of 33: got\n%s", got)
	}
	if got := string(written(t, "table", Options{Width: 34, Turn: true})); got != string(written(t, "table", Options{})) {
		t.Errorf("a table of 34 columns for a terminal of 34: got\n%s", got)
	}
	if got := string(written(t, "vertical", Options{Styled: true})); !strings.Contains(got, "name | \x1b[2mNULL\x1b[22m\n") {
		t.Errorf("NULL is not told from text:\n%q", got)
	}
}

func TestCSVReadsBack(t *testing.T) {
	got := written(t, "csv", Options{})
	rows, err := csv.NewReader(bytes.NewReader(got)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{{"name", "n", "name"}, {"a,b", "1", "y|z"}, {"", "22", ""}, {"say \"hi\"\n\x1b[31m", "-3", ""}}
	if len(rows) != len(want) {
		t.Fatalf("%d lines, want %d", len(rows), len(want))
	}
	for i := range want {
		if strings.Join(rows[i], "\x00") != strings.Join(want[i], "\x00") {
			t.Errorf("line %d: got %q, want %q", i, rows[i], want[i])
		}
	}
	if !bytes.Contains(got, []byte(`,-3,""`)) || !bytes.Contains(got, []byte("\n,22,\n")) {
		t.Errorf("NULL and the empty text are not told apart:\n%s", got)
	}
}

func TestJSONReadsBack(t *testing.T) {
	var rows []map[string]any
	if err := json.Unmarshal(written(t, "json", Options{}), &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) != 3 || rows[1]["name"] != nil || rows[0]["name_2"] != "y|z" || rows[2]["n"] != -3.0 {
		t.Errorf("got %v", rows)
	}
	lines := strings.Split(strings.TrimSuffix(string(written(t, "jsonl", Options{})), "\n"), "\n")
	if len(lines) != 3 || lines[1] != `{"name":null,"n":22,"name_2":null}` {
		t.Errorf("got %q", lines)
	}
	var out bytes.Buffer
	w, err := New("json", &out, sample, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil || out.String() != "[]\n" {
		t.Errorf("no rows give %q, %v", out.String(), err)
	}
}

func TestMarkdown(t *testing.T) {
	want := "| name | n | name |\n| --- | ---: | --- |\n| a,b | 1 | y\\|z |\n| | 22 | |\n| say \"hi\"<br>\x1b\\[31m | -3 |  |\n"
	if got := string(written(t, "markdown", Options{})); got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

func TestArrowReadsBack(t *testing.T) {
	r, err := ipc.NewReader(bytes.NewReader(written(t, "arrow", Options{})))
	if err != nil {
		t.Fatal(err)
	}
	var rows int64
	for {
		b, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		rows += b.NumRows()
	}
	if rows != 3 || r.Schema().Field(2).Name != "name_2" {
		t.Errorf("%d rows, schema %v", rows, r.Schema())
	}
}

func TestParquetReadsBack(t *testing.T) {
	f, err := file.NewParquetReader(bytes.NewReader(written(t, "parquet", Options{})))
	if err != nil {
		t.Fatal(err)
	}
	r, err := pqarrow.NewFileReader(f, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	table, err := r.ReadTable(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := table.Column(2).Data().Chunk(0)
	if table.NumRows() != 3 || got.ValueStr(0) != "y|z" || !got.IsNull(1) || got.ValueStr(2) != "" {
		t.Errorf("%d rows, third column %v", table.NumRows(), got)
	}
}

// TestBytesAsText: what is kept as bytes, or without its blanks, leaves as its text in every format.
func TestBytesAsText(t *testing.T) {
	address := array.NewBinaryBuilder(memory.DefaultAllocator, arrow.BinaryTypes.Binary)
	address.Append([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1})
	id := array.NewBinaryBuilder(memory.DefaultAllocator, arrow.BinaryTypes.Binary)
	id.Append([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})
	columns := []Column{{Name: "ip", Type: sqltype.IPAddressType}, {Name: "id", Type: sqltype.UUIDType}, {Name: "c", Type: sqltype.CharOf(3)}}
	rows := []arrow.Array{address.NewArray(), id.NewArray(), texts("ab")}
	want := []string{"10.0.0.1", "00010203-0405-0607-0809-0a0b0c0d0e0f", "ab "}
	for _, format := range []string{"csv", "jsonl", "arrow", "parquet", "table"} {
		var out bytes.Buffer
		w, err := New(format, &out, columns, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.Write(rows, 1), w.Close()); err != nil {
			t.Fatal(err)
		}
		for _, text := range want {
			if !bytes.Contains(out.Bytes(), []byte(text)) {
				t.Errorf("%s has no %q: %q", format, text, out.String())
			}
		}
	}
}

func TestUniqueNames(t *testing.T) {
	got := uniqueNames([]Column{{Name: "a"}, {Name: "a"}, {Name: "a_2"}, {Name: "a"}})
	if strings.Join(got, " ") != "a a_3 a_2 a_4" {
		t.Errorf("got %q: names must be unique and those that were unique must stay", got)
	}
}

func TestUnknownFormat(t *testing.T) {
	if _, err := New("xml", io.Discard, nil, Options{}); err == nil || !strings.Contains(err.Error(), "jsonl") {
		t.Errorf("got %v: an unknown format must name the known ones", err)
	}
}

// TestWideCellsStickOut: one long cell, like the type of useridentity in DESCRIBE, leaves the other lines as they are.
func TestWideCellsStickOut(t *testing.T) {
	var out bytes.Buffer
	s, err := New("table", &out, []Column{{Name: "a", Type: sqltype.VarcharType}, {Name: "b", Type: sqltype.VarcharType}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 500)
	if err := errors.Join(s.Write([]arrow.Array{texts("1", long), texts("one", "many")}, 2), s.Close()); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	if lines[2] != " 1"+strings.Repeat(" ", mostWidth-1)+" | one" || lines[3] != " "+long+" | many" {
		t.Errorf("got\n%s", out.String())
	}
}
