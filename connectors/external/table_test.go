package external

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqltype"
)

// write puts files into a folder, by name.
func write(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		full := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func root(t testing.TB, dir string) Root {
	t.Helper()
	r, err := OpenRoot("r", dir)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// columns reads "name type" each.
func columns(t testing.TB, written ...string) []source.Column {
	t.Helper()
	var out []source.Column
	for _, text := range written {
		name, of, _ := strings.Cut(text, " ")
		typ, err := sqltype.Parse(of)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, source.Column{Name: name, Type: typ})
	}
	return out
}

// read returns the rows of a table as text, cells parted by |.
func read(t testing.TB, table *Table, req source.Request) ([]string, *source.Report, error) {
	t.Helper()
	if req.Paths == nil {
		for i := range table.Cols {
			req.Paths = append(req.Paths, source.Path{Column: i})
		}
	}
	scan, err := table.Scan(context.Background(), req)
	if err != nil {
		return nil, nil, err
	}
	types := make([]sqltype.Type, len(req.Paths))
	for i, p := range req.Paths {
		types[i] = table.Cols[p.Column].Type
		for _, f := range p.Fields {
			types[i] = types[i].Fields[f].Type
		}
	}
	var rows []string
	for m := range scan.Morsels() {
		r, err := scan.Open(context.Background(), m)
		if err != nil {
			return rows, scan.Report(), err
		}
		for {
			b, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				_ = r.Close()
				return rows, scan.Report(), err
			}
			for row := range b.Len {
				cells := make([]string, len(b.Cols))
				for c, col := range b.Cols {
					cells[c] = "NULL"
					if col.IsValid(row) {
						cells[c] = string(sqltype.AppendText(nil, types[c], col, row))
					}
				}
				rows = append(rows, strings.Join(cells, "|"))
			}
		}
		if err := r.Close(); err != nil {
			return rows, scan.Report(), err
		}
	}
	return rows, scan.Report(), nil
}

func check(t *testing.T, what string, got []string, err error, want ...string) {
	t.Helper()
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%s: %v\n got  %q\n want %q", what, err, got, want)
	}
}

var (
	csvFormat  = Format{Kind: CSV, Delimiter: ',', Quote: '"', Escape: '\\'}
	textFormat = Format{Kind: Text, Delimiter: 1, Items: 2, Keys: 3, Null: `\N`}
)

// TestCSV: quotes as RFC 4180 has them, and the numbers for dates and times that OpenCSVSerde is documented to take.
func TestCSV(t *testing.T) {
	dir := t.TempDir()
	with := csvFormat
	with.SkipLines = 1
	for name, c := range map[string]struct {
		text string
		want []string
		err  string
	}{
		"empty":       {"", nil, ""},
		"header only": {"a,b,c\n", nil, ""},
		"plain":       {"a,b,c\nx,1,2024-01-31\ny,2,2024-02-01", []string{"x|1|2024-01-31", "y|2|2024-02-01"}, ""},
		"quotes":      {"h\n\"a \"\"b\"\", c\",\"1\",\n\"\\\"x\\\\\\y\",2,", []string{`a "b", c|1|NULL`, `"x\\y|2|NULL`}, ""},
		"line ends":   {"h\r\n\"a\nb\n\nc\",1,\r\nd,2,\r\n", []string{"a\nb\n\nc|1|NULL", "d|2|NULL"}, ""},
		"quote later": {"h\na\"b\",1,\n", []string{`a"b"|1|NULL`}, ""},
		"lengths":     {"h\na\nb,2,2024-01-01,more\n\n,,\n", []string{"a|NULL|NULL", "b|2|2024-01-01", "|NULL|NULL"}, ""},
		"days":        {"h\na,1,19753\n", []string{"a|1|2024-01-31"}, ""},
		"mark":        {"\xef\xbb\xbfh\nä,1,\n", []string{"ä|1|NULL"}, ""},
		"no UTF-8":    {"h\n\xff,1,\n", []string{"\uFFFD|1|NULL"}, ""},
		"bad":         {"h\na,1,\n\"b\nc\",x,\n", nil, "line 3: cannot cast 'x' to bigint"},
		"open":        {"h\na,1,\n\"b,2\n3", nil, "line 3: a quote is never closed"},
	} {
		write(t, dir, map[string]string{"f.csv": c.text})
		table := &Table{TableName: "t", Cols: columns(t, "a string", "b bigint", "c date"), Format: with, Place: Place{root(t, dir), "f.csv"}}
		for _, rows := range []int{0, 1, 7} {
			got, _, err := read(t, table, source.Request{BatchRows: rows})
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), "file r/f.csv of table t: "+c.err) {
					t.Errorf("%s: %v, want %s", name, err, c.err)
				}
				continue
			}
			check(t, name, got, err, c.want...)
		}
	}
	write(t, dir, map[string]string{"f.csv": "1579059880000\n2024-01-02 03:04:05\n2024-01-02T03:04:05.678Z\n"})
	table := &Table{TableName: "t", Cols: columns(t, "c timestamp"), Format: csvFormat, Place: Place{root(t, dir), "f.csv"}}
	got, _, err := read(t, table, source.Request{})
	check(t, "times", got, err, "2020-01-15 03:44:40.000", "2024-01-02 03:04:05.000", "2024-01-02 03:04:05.678")
}

// TestText: Hive's text. What is no value of a type is NULL there, as Athena has it.
func TestText(t *testing.T) {
	dir := t.TempDir()
	cols := columns(t, "a string", "b int", "c array<int>", "d map<string,array<string>>", "e struct<x:int,y:string>")
	write(t, dir, map[string]string{"f": "x\x011\x011\x022\x01k\x03p\x04q\x02l\x01" + "7\x02z\n" +
		`\N` + "\x01no\x01\x01\x01\n" + "short\n\n"})
	table := &Table{TableName: "t", Cols: cols, Format: textFormat, Place: Place{root(t, dir), ""}}
	got, _, err := read(t, table, source.Request{})
	check(t, "nested", got, err, "x|1|[1, 2]|{k=[p, q], l=null}|{x=7, y=z}", "NULL|NULL|[]|{}|{x=null, y=null}", "short|NULL|NULL|NULL|NULL", "|NULL|NULL|NULL|NULL")
	got, _, err = read(t, table, source.Request{Paths: []source.Path{{Column: 4, Fields: []int{1}}, {Column: 0}}})
	check(t, "a field", got, err, "z|x", "NULL|NULL", "NULL|short", "NULL|")

	write(t, dir, map[string]string{"f": "a\\,b,c\\\\,d\n"})
	escaped := Format{Kind: Text, Delimiter: ',', Items: 2, Keys: 3, Escape: '\\', Null: ""}
	table = &Table{TableName: "t", Cols: columns(t, "a string", "b string", "c string", "d string"), Format: escaped, Place: Place{root(t, dir), ""}}
	got, _, err = read(t, table, source.Request{})
	check(t, "escaped", got, err, `a,b|c\|d|NULL`)
}

func TestJSON(t *testing.T) {
	dir := t.TempDir()
	cols := columns(t, "id int", "name string", "tags array<string>", "who struct<name:string,age:int>", "at timestamp", "ok boolean")
	table := &Table{TableName: "t", Cols: cols, Format: Format{Kind: JSON}, Place: Place{root(t, dir), "f.json"}}
	write(t, dir, map[string]string{"f.json": `{"id": 1, "NAME":"a\"b\u00e4", "tags" : [ "x", 2, null ], "Who":{"AGE":3,"name":"n","more":1}, "at":"2024-01-02T03:04:05Z", "ok": true}
{}

  {"id":"7","name":{"k":[1, "}"]},"tags":null,"other":{"a":"\\"},"ok":"false", "id":8}  ` + "\r\n" + `{"id":null,"id":9,"name":1.50}`})
	got, _, err := read(t, table, source.Request{BatchRows: 2})
	check(t, "rows", got, err, `1|a"bä|[x, 2, null]|{name=n, age=3}|2024-01-02 03:04:05.000|true`, "NULL|NULL|NULL|NULL|NULL|NULL",
		`7|{"k":[1, "}"]}|NULL|NULL|NULL|false`, "NULL|1.50|NULL|NULL|NULL|NULL")
	for text, want := range map[string]string{
		"{\"id\":1}\n{\"id\":":   "line 2: it is no JSON object: unexpected end of JSON input",
		"\n[{\"id\":1}]":         "line 2: it is a JSON array; each line must be one object",
		"7":                      "line 1: it is no JSON object; each line must be one",
		"{\"id\":1} {\"id\":2}":  "line 1: it is no JSON object",
		"{}\n{}\n{\"id\":\"x\"}": "line 3: cannot cast 'x' to integer",
		"{\"who\":[1]}":          "line 1: cannot cast",
		"{\"at\":\"yesterday\"}": "line 1: cannot cast 'yesterday'",
	} {
		write(t, dir, map[string]string{"f.json": text})
		if _, _, err := read(t, table, source.Request{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	write(t, dir, map[string]string{"f.json": "{\"id\":1}\nnonsense\n{\"id\":\"x\",\"name\":\"y\"}\n"})
	table.Format.Malformed = true
	got, _, err = read(t, table, source.Request{Paths: []source.Path{{Column: 0}, {Column: 1}}})
	check(t, "malformed lines are taken", got, err, "1|NULL", "NULL|NULL", "NULL|y")
}

// TestPacked: files that are compressed, by the ends of their names; what is cut off is an error.
func TestPacked(t *testing.T) {
	dir := t.TempDir()
	var gz, zs bytes.Buffer
	z := gzip.NewWriter(&gz)
	_, _ = z.Write([]byte("a,1\n"))
	_ = z.Close()
	z = gzip.NewWriter(&gz) // a second member, as appending to a .gz makes it
	_, _ = z.Write([]byte("b,2\n"))
	_ = z.Close()
	w, _ := zstd.NewWriter(&zs)
	_, _ = w.Write([]byte("c,3\n"))
	_ = w.Close()
	write(t, dir, map[string]string{"1.csv.gz": gz.String(), "2.csv.zst": zs.String(), "_SUCCESS": "x", ".hidden": "x", "sub/3.csv": "d,4\n", "_temporary/4.csv": "x"})
	table := &Table{TableName: "t", Cols: columns(t, "a string", "b int"), Format: csvFormat, Place: Place{root(t, dir), ""}}
	got, report, err := read(t, table, source.Request{})
	check(t, "packed", got, err, "a|1", "b|2", "c|3", "d|4")
	if report.Files.Load() != 3 || report.RowsRead.Load() != 4 || report.BytesRead.Load() == 0 {
		t.Errorf("%d files, %d rows", report.Files.Load(), report.RowsRead.Load())
	}
	write(t, dir, map[string]string{"1.csv.gz": gz.String()[:gz.Len()-6]})
	if _, _, err := read(t, table, source.Request{}); err == nil || !strings.Contains(err.Error(), "file r/1.csv.gz of table t") {
		t.Errorf("cut off: %v", err)
	}
	write(t, dir, map[string]string{"1.csv.gz": "no gzip"})
	if _, _, err := read(t, table, source.Request{}); err == nil {
		t.Error("no gzip: no error")
	}
}

func TestPartitions(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"t/day=2024-01-01/zone=a%2Fb/1.csv": "1\n", "t/day=2024-01-02/zone=__HIVE_DEFAULT_PARTITION__/1.csv": "2\n", "t/DAY=2024-01-03/zone=c/x/1.csv": "3\n", "t2/x": "9\n",
	})
	table := &Table{TableName: "t", Cols: columns(t, "n int", "day date", "zone string"), Partitions: 2, Format: csvFormat, Place: Place{root(t, dir), "t"}}
	got, _, err := read(t, table, source.Request{})
	check(t, "all", got, err, "3|2024-01-03|c", "1|2024-01-01|a/b", "2|2024-01-02|NULL")
	first, err := table.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	names, err := table.Source().(source.Partitioned).Partitions(t.Context())
	check(t, "partitions", names, err, "DAY=2024-01-03/zone=c", "day=2024-01-01/zone=a%2Fb", "day=2024-01-02/zone=__HIVE_DEFAULT_PARTITION__")

	day := &expr.Column{Index: 1, Name: "day", T: sqltype.DateType}
	equals := &expr.Compare{Op: expr.Eq, Left: day, Right: expr.NewLiteral(sqltype.DateType, int64(19725))} // 2024-01-03
	paths := []source.Path{{Column: 0}, {Column: 1}, {Column: 2}}
	got, report, err := read(t, table, source.Request{Paths: paths, Conjuncts: []expr.Expr{equals}})
	check(t, "pruned", got, err, "3|2024-01-03|c")
	if report.FilesPruned.Load() != 2 || report.PartitionsPruned.Load() != 2 || report.Partitions.Load() != 3 {
		t.Errorf("%d files, %d of %d partitions pruned", report.FilesPruned.Load(), report.PartitionsPruned.Load(), report.Partitions.Load())
	}
	got, _, err = read(t, table, source.Request{Paths: paths, Conjuncts: []expr.Expr{equals}, Off: source.Switches{Partition: true}})
	if err != nil || len(got) != 3 {
		t.Errorf("pruning is off: %q, %v", got, err)
	}

	write(t, dir, map[string]string{"t/day=2024-01-01/zone=a%2Fb/1.csv": "1\n1\n"})
	if second, err := table.State(t.Context()); err != nil || first == second {
		t.Errorf("the state has not changed: %v", err)
	}
	write(t, dir, map[string]string{"t/day=yesterday/zone=a/1.csv": "1\n"})
	if _, _, err := read(t, table, source.Request{}); err == nil || !strings.Contains(err.Error(), "yesterday") {
		t.Errorf("%v", err)
	}
	_ = os.RemoveAll(filepath.Join(dir, "t", "day=yesterday"))
	write(t, dir, map[string]string{"t/stray.csv": "1\n"})
	if _, _, err := read(t, table, source.Request{}); err == nil || !strings.Contains(err.Error(), "r/t/stray.csv is in no folder day=…") {
		t.Errorf("%v", err)
	}
}

// TestPlaces: names, paths and links that lead out of the roots, and those that lie in one.
func TestPlaces(t *testing.T) {
	base := t.TempDir()
	inside, outside := filepath.Join(base, "in"), filepath.Join(base, "out")
	write(t, base, map[string]string{"in/a.csv": "1\n", "out/secret.csv": "2\n", "inx/b.csv": "3\n"})
	for from, to := range map[string]string{"in/link.csv": filepath.Join(outside, "secret.csv"), "in/folder": outside, "alias": inside, "in/near.csv": "a.csv"} {
		if err := os.Symlink(to, filepath.Join(base, from)); err != nil {
			t.Skipf("no links here: %v", err)
		}
	}
	roots := Roots{root(t, inside)}
	for location, want := range map[string]string{
		"r/a.csv": "r/a.csv", "r/": "r", "r//a.csv": "r/a.csv", "r": "r", "r/x/y/": "r/x/y", inside + "/a.csv": "r/a.csv", "file://" + inside + "/a%20b": "r/a b", inside: "r",
		filepath.Join(base, "alias", "a.csv"): "r/a.csv", filepath.Join(base, "alias", "new", "b"): "r/new/b",
		"r/../out/secret.csv": "", "r/./a.csv": "", "r/a//b": "", "../in/a.csv": "", "x/a.csv": "", "": "", "r/a\x00": "", `r\a.csv`: "",
		outside: "", inside + "/../out": "", inside + "x": "", base: "", "file://" + outside: "", "http://r/a.csv": "", "s3://r/a.csv": "", "R/a.csv": "", "file://%zz": "",
	} {
		place, err := roots.Find(location)
		if want == "" && err == nil || want != "" && (err != nil || place.String() != want) {
			t.Errorf("%q: %s, %v; want %q", location, place, err, want)
		}
		if err != nil && location != "s3://r/a.csv" && !strings.Contains(err.Error(), "the roots: ") {
			t.Errorf("%q: the error does not list the roots: %v", location, err)
		}
	}
	for path, want := range map[string]bool{"a.csv": true, "near.csv": true, "link.csv": false, "folder": false, "folder/secret.csv": false} {
		table := &Table{TableName: "t", Cols: columns(t, "n int"), Format: csvFormat, Place: Place{roots[0], path}}
		rows, _, err := read(t, table, source.Request{})
		if (err == nil && len(rows) == 1) != want || slices.Contains(rows, "2") {
			t.Errorf("%s: %q, %v", path, rows, err)
		}
	}
	for _, c := range []struct{ name, dir string }{{"", inside}, {"a b", inside}, {"../x", inside}, {"a/b", inside}, {"r", filepath.Join(inside, "a.csv")}, {"r", filepath.Join(base, "nothing")}} {
		if _, err := OpenRoot(c.name, c.dir); err == nil {
			t.Errorf("root %q at %s: no error", c.name, c.dir)
		}
	}
	if _, err := (Roots{}).Find("r/a"); err == nil || !strings.Contains(err.Error(), "--root NAME=FOLDER") {
		t.Errorf("%v", err)
	}
}

// TestLongLines: a file of another kind does not fill the memory.
func TestLongLines(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"f": "a\n" + strings.Repeat("x", maxRecord+1<<17), "q": "a\n\"" + strings.Repeat("x\n", maxRecord/2+100)})
	for file, format := range map[string]Format{"f": textFormat, "q": csvFormat} {
		table := &Table{TableName: "t", Cols: columns(t, "a string"), Format: format, Place: Place{root(t, dir), file}}
		rows, _, err := read(t, table, source.Request{BatchRows: 1})
		if err == nil || !strings.Contains(err.Error(), "longer than") || len(rows) != 1 {
			t.Errorf("%s: %v, %d rows", file, err, len(rows))
		}
	}
}

// fuzzed reads strangers' bytes by a format, in batches of several sizes: never a panic, and the same rows each time.
func fuzzed(f *testing.F, format Format, seeds ...string) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	cols := columns(f, "a string", "b bigint", "c array<string>", "d timestamp", "e map<string,int>", "f struct<x:int,y:array<double>>", "g date")
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		write(t, dir, map[string]string{"f": string(data)})
		table := &Table{TableName: "t", Cols: cols, Format: format, Place: Place{root(t, dir), "f"}}
		rows, _, err := read(t, table, source.Request{})
		if err != nil && strings.Contains(err.Error(), errUnforeseen.Error()) {
			t.Fatal("a panic")
		}
		again, _, errAgain := read(t, table, source.Request{BatchRows: 1})
		if (err == nil) != (errAgain == nil) || err == nil && fmt.Sprint(rows) != fmt.Sprint(again) {
			t.Fatalf("%q, %v; by one row %q, %v", rows, err, again, errAgain)
		}
	})
}

func FuzzCSV(f *testing.F) {
	fuzzed(f, csvFormat, "a,1,\n", "\"a\n\"\"b\",2,[\"x\"],2024-01-01,{\"a\":1},,1", "\\\",\"\\\"", "\"", ",,,,,,,,")
}

func FuzzText(f *testing.F) {
	fuzzed(f, textFormat, "x\x011\x011\x022\x012024-01-01 00:00:00\x01k\x031\x02l\x017\x02z\x03y\n", `\N`+"\x01", "\n\n", "\x02\x03\x04\x05")
}

func FuzzJSON(f *testing.F) {
	fuzzed(f, Format{Kind: JSON}, `{"a":"b","b":1,"c":["x"],"d":"2024-01-01T00:00:00Z","e":{"k":1},"f":{"x":1,"y":[1.5]},"g":"2024-01-01"}`, "{}", "{\"a\":{\"b\":\"}\\\"\"}}", "[", "{\"a\" : null , \"a\" : 1 }")
}
