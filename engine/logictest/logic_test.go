package logictest_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/logictest"
	"github.com/trailql/trailql/engine/optimize"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

var rewrite = flag.Bool("rewrite", false, "write the results that queries give now into the files")

// TestLogic runs testdata/logic/*.test, a dialect of sqllogictest. Blank lines part the records of a file; # begins a comment line.
//
//	table NAME            the rows of the query below it become a table, in batches of three rows
//	view NAME [HIDDEN…]   the query below it becomes a view, with these columns left out of *
//	macro NAME [PARAM…]   the text below it becomes a function of these parameters; one that is a query gives a table
//	bound NAME OF [C…]    NAME is OF with the columns C besides, each name=column or name=column:format; _name is hidden
//	query TYPES [rowsort] the query, then ----, then its rows: a line each, cells parted by tabs. TYPES has a letter
//	                      per column: I whole number, R other number, T anything else. NULL is NULL, no text (empty).
//	                      rowsort: rows may come in any order
//	statement ok          the query runs to its end
//	statement error RE    it fails with an error that the regular expression matches
//
// Each record runs with one worker and with four, with batches of 1, 7 and the usual number of rows, without each optimizer rule, and with as
// good as no memory, so that everything that can spill does, over tables in memory; then over the same tables as Parquet files, with pruning
// and without. A table of a type that our Parquet files do not have stays in memory.
func TestLogic(t *testing.T) {
	var stored storedTables
	t.Run("file", func(t *testing.T) { // ends when all files have
		for _, file := range logicFiles(t) {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".test"), func(t *testing.T) {
				t.Parallel()
				runFile(t, file, &stored)
			})
		}
	})
	stored.check(t)
}

func logicFiles(t *testing.T) []string {
	files, err := filepath.Glob("../../testdata/logic/*.test")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test files: %v", err)
	}
	return files
}

// now is the clock of all cases.
var now = time.Date(2024, 3, 10, 12, 30, 45, 0, time.UTC)

// scratch is where the settings that spill do.
var scratch engine.Scratch

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "trailql-logic-")
	if err != nil {
		panic(err)
	}
	scratch = engine.NewScratch(dir)
	code := m.Run()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		fmt.Println("temporary files are left:", left, err)
		code = 1
	}
	_ = os.Remove(dir)
	os.Exit(code)
}

// memorySettings are the ways in which each record runs over tables in memory.
func memorySettings() []setting {
	var out []setting
	for _, workers := range []int{1, 4} {
		for _, rows := range []int{0, 1, 7} {
			name := fmt.Sprintf("%d workers, batches of %d rows", workers, rows)
			out = append(out, setting{name, engine.Options{Workers: workers, BatchRows: rows, Now: now}})
		}
	}
	for _, rule := range optimize.Rules() {
		out = append(out, setting{"without " + rule, engine.Options{Workers: 2, BatchRows: 2, Now: now, WithoutRules: []string{rule}}})
	}
	out = append(out, setting{"without any rule", engine.Options{Workers: 2, Now: now, WithoutRules: optimize.Rules()}})
	for _, workers := range []int{1, 4} {
		name := fmt.Sprintf("%d workers, spilling", workers)
		out = append(out, setting{name, engine.Options{Workers: workers, BatchRows: 2, Now: now, Scratch: scratch, SpillAlways: true}})
	}
	return append(out, setting{"4 workers, groups spread", engine.Options{Workers: 4, BatchRows: 2, Now: now, ManyGroups: 1}})
}

// parquetSettings are those over tables in Parquet files.
func parquetSettings() []setting {
	all := source.Switches{Partition: true, File: true, Index: true, RowGroup: true, Bloom: true, Dictionary: true, Page: true, Late: true, Top: true, Summary: true, PerEntry: true}
	return []setting{
		{"tables in Parquet", engine.Options{Workers: 2, Now: now}},
		{"tables in Parquet, no pruning, no late columns", engine.Options{Workers: 2, Now: now, Off: all}},
	}
}

type setting struct {
	name string
	opt  engine.Options
}

// lane is a catalog with the same relations as another, stored in another way, and the settings with which each record runs over it.
type lane struct {
	catalog  *logictest.Catalog
	engine   *engine.Engine
	settings []setting
}

func newLane(settings []setting) lane {
	cat := &logictest.Catalog{}
	return lane{cat, engine.New(cat), settings}
}

type record struct {
	line      int
	directive []string
	head      []string // lines up to ----
	text      string   // the SQL
	want      []string
	hasRows   bool
}

func runFile(t *testing.T, file string, stored *storedTables) {
	records, err := readRecords(file)
	if err != nil {
		t.Fatal(err)
	}
	memory, parquet := newLane(memorySettings()), newLane(parquetSettings())
	lanes := []lane{memory, parquet}
	var out strings.Builder
	for _, r := range records {
		for _, line := range r.head {
			out.WriteString(line + "\n")
		}
		if len(r.directive) == 0 {
			out.WriteString("\n")
			continue
		}
		where := fmt.Sprintf("%s:%d: %s", file, r.line, r.text)
		switch r.directive[0] {
		case "table":
			columns, batches, err := tableRows(memory.engine, r.text)
			if err == nil {
				memory.catalog.Add(r.directive[1], source.Stored{Table: source.NewMemory(r.directive[1], columns, batches)})
				err = stored.add(parquet.catalog, t.TempDir(), r.directive[1], columns, batches)
			}
			if err != nil {
				t.Fatalf("%s: %v", where, err)
			}
		case "view":
			for _, l := range lanes {
				l.catalog.AddView(&source.View{Name: r.directive[1], SQL: r.text, Hidden: r.directive[2:]})
			}
		case "macro":
			_, notQuery := sql.Parse(r.text)
			for _, l := range lanes {
				l.catalog.AddMacro(&source.Macro{
					Name: r.directive[1], Params: r.directive[2:], SQL: r.text, Table: notQuery == nil, Hidden: []string{"_n"}, Sig: "(any) -> any", Doc: "A macro.",
				})
			}
		case "bound":
			for _, l := range lanes {
				if err := l.catalog.AddBound(r.directive[1], r.directive[2], r.directive[3:]...); err != nil {
					t.Fatalf("%s: %v", where, err)
				}
			}
		case "statement", "query":
			if *rewrite && r.directive[0] == "query" {
				_, rows, err := run(memory.engine, r.text, engine.Options{Workers: 1, Now: now})
				if err != nil {
					t.Errorf("%s: %v", where, err)
				}
				r.want = order(rows, r.sorted())
			}
			if setting, complaint := r.check(lanes); complaint != "" {
				t.Errorf("%s\n  with %s: %s", where, setting, complaint)
			}
		default:
			t.Fatalf("%s:%d: unknown directive %q", file, r.line, r.directive[0])
		}
		if r.directive[0] == "query" {
			out.WriteString("----\n")
			for _, row := range r.want {
				out.WriteString(row + "\n")
			}
		}
		out.WriteString("\n")
	}
	if *rewrite {
		if err := os.WriteFile(file, []byte(strings.TrimRight(out.String(), "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// check runs the record in every way and returns the first with which something is wrong: the others would mostly say the same.
func (r *record) check(lanes []lane) (setting, complaint string) {
	for _, l := range lanes {
		for _, s := range l.settings {
			columns, rows, err := run(l.engine, r.text, s.opt)
			if complaint := r.judge(columns, rows, err); complaint != "" {
				return s.name, complaint
			}
		}
	}
	return "", ""
}

func (r *record) sorted() bool { return len(r.directive) > 2 && r.directive[2] == "rowsort" }

// judge says what is wrong with the outcome of a statement or query; "" if nothing is.
func (r *record) judge(columns []plan.Column, rows []string, err error) string {
	if r.directive[0] == "statement" && r.directive[1] == "error" {
		pattern := strings.Join(r.directive[2:], " ")
		if err == nil {
			return "no error, want " + pattern
		}
		if !regexp.MustCompile(pattern).MatchString(err.Error()) {
			return fmt.Sprintf("error %q, want %s", err, pattern)
		}
		return ""
	}
	if err != nil {
		return err.Error()
	}
	if r.directive[0] == "statement" {
		return ""
	}
	if got := letters(columns); got != r.directive[1] {
		return fmt.Sprintf("columns are %s, want %s", got, r.directive[1])
	}
	if got := order(rows, r.sorted()); !slices.Equal(got, order(r.want, r.sorted())) {
		return fmt.Sprintf("got\n%s\n  want\n%s", strings.Join(got, "\n"), strings.Join(r.want, "\n"))
	}
	return ""
}

// letters are the TYPES of a query record for columns.
func letters(columns []plan.Column) string {
	s := ""
	for _, c := range columns {
		switch c.Type.Kind {
		case sqltype.TinyInt, sqltype.SmallInt, sqltype.Integer, sqltype.BigInt:
			s += "I"
		case sqltype.Real, sqltype.Double, sqltype.Decimal:
			s += "R"
		default:
			s += "T"
		}
	}
	return s
}

func order(rows []string, sorted bool) []string {
	if sorted {
		rows = slices.Clone(rows)
		slices.Sort(rows)
	}
	return rows
}

// run returns the rows of a statement as lines of cells parted by tabs.
func run(eng *engine.Engine, text string, opt engine.Options) ([]plan.Column, []string, error) {
	batches, columns, err := collect(eng, text, opt)
	var rows []string
	for _, b := range batches {
		for row := range b.Len {
			cells := make([]string, len(columns))
			for c, column := range columns {
				switch {
				case b.Cols[c].IsNull(row) || column.Type.Kind == sqltype.Unknown:
					cells[c] = "NULL"
				default:
					cells[c] = string(sqltype.AppendText(nil, column.Type, b.Cols[c], row))
				}
				if cells[c] == "" {
					cells[c] = "(empty)"
				}
				cells[c] = strings.ReplaceAll(cells[c], "\n", `\n`)
			}
			rows = append(rows, strings.Join(cells, "\t"))
		}
	}
	return columns, rows, err
}

func collect(eng *engine.Engine, text string, opt engine.Options) ([]vec.Batch, []plan.Column, error) {
	result, err := eng.Query(context.Background(), text, opt)
	if err != nil {
		return nil, nil, err
	}
	defer result.Close()
	var batches []vec.Batch
	for {
		b, err := result.Next()
		if err == io.EOF {
			return batches, result.Columns, nil
		}
		if err != nil {
			return nil, nil, err
		}
		batches = append(batches, b)
	}
}

func makeTable(cat *logictest.Catalog, eng *engine.Engine, name, text string) error {
	columns, batches, err := tableRows(eng, text)
	if err != nil {
		return err
	}
	cat.Add(name, source.Stored{Table: source.NewMemory(name, columns, batches)})
	return nil
}

// tableRows runs the query of a table: its columns, hidden ones begin with _ or $, and its rows in batches of three.
func tableRows(eng *engine.Engine, text string) (columns []source.Column, batches []vec.Batch, err error) {
	batches, schema, err := collect(eng, text, engine.Options{Workers: 1, BatchRows: 3, Now: now})
	for _, c := range schema {
		columns = append(columns, source.Column{Name: strings.ToLower(c.Name), Type: c.Type, Hidden: c.Name[0] == '_' || c.Name[0] == '$'})
	}
	return columns, batches, err
}

func readRecords(file string) ([]record, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []record
	var r record
	var sql []string
	flush := func() {
		if len(r.head) > 0 {
			r.text = strings.Join(sql, "\n")
			out = append(out, r)
		}
		r, sql = record{}, nil
	}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		switch {
		case line == "":
			flush()
			continue
		case r.hasRows:
			r.want = append(r.want, line)
			continue
		case line == "----":
			r.hasRows = true
			continue
		case strings.HasPrefix(line, "#"):
		case len(r.directive) == 0:
			r.line, r.directive = n, strings.Fields(line)
		default:
			sql = append(sql, line)
		}
		r.head = append(r.head, line)
	}
	flush()
	return out, lines.Err()
}
