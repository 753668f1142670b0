package logictest_test

import (
	"cmp"
	"crypto/md5" //nolint:gosec // the format's checksum, no secret
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/logictest"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

var publicFolder = flag.String("sqllogictest", "", "a folder of test files in SQLite's sqllogictest format, to be run as well")

// TestPublicFormat runs files in the format of SQLite's sqllogictest (its about.wiki is the specification).
func TestPublicFormat(t *testing.T) {
	files, err := filepath.Glob("testdata/sqllogictest/*.test")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test files: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) { runPublicFile(t, file) })
	}
}

// TestPublicFolder runs the files of a folder that is no part of the project: those of the public corpus, for instance.
func TestPublicFolder(t *testing.T) {
	if *publicFolder == "" {
		t.Skip("skipped: no folder is given with -sqllogictest")
	}
	files, err := filepath.Glob(filepath.Join(*publicFolder, "*.test"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no test files in %s: %v", *publicFolder, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) { runPublicFile(t, file) })
	}
}

func runPublicFile(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p := newPublicRun()
	wrong := 0
	for _, r := range readPublic(string(text)) {
		if complaint := p.run(r); complaint != "" {
			if wrong++; wrong <= 20 {
				t.Errorf("%s:%d: %s\n  %s", file, r.line, r.sql, complaint)
			}
		}
	}
	t.Logf("%s: %d statements, %d queries, %d records of other engines; %d wrong", filepath.Base(file), p.statements, p.queries, p.skipped, wrong)
}

// TestPublicRunnerComplains: a runner that finds every answer right would show nothing.
func TestPublicRunnerComplains(t *testing.T) {
	for _, text := range []string{
		"query I nosort\nSELECT 1\n----\n2",
		"query II nosort\nSELECT 1\n----\n1",
		"query I nosort\nSELECT 1\n----\n1 values hashing to 00000000000000000000000000000000",
		"query I nosort\nVALUES 2, 1\n----\n1\n2",
		"query T nosort\nSELECT x\n----\nx",
		"query I nosort same\nSELECT 1\n----\n1\n\nquery I nosort same\nSELECT 2\n----\n2",
		"statement ok\nSELECT x",
		"statement error\nSELECT 1",
		"statement ok\nINSERT INTO t VALUES (1)",
		"statement ok\nCREATE TABLE t (a nothing)",
		"statement perhaps\nSELECT 1",
	} {
		complaint := ""
		p := newPublicRun()
		for _, r := range readPublic(text) {
			complaint = p.run(r)
		}
		if complaint == "" {
			t.Errorf("no complaint about\n%s", text)
		}
	}
}

type publicRecord struct {
	line    int
	skip    bool
	head    []string // of the line that begins with statement or query
	sql     string
	want    []string
	hasRows bool
}

// readPublic cuts a file into its records, up to halt.
func readPublic(text string) []publicRecord {
	var out []publicRecord
	line := 1
	for block := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n")+"\n", "\n\n") {
		var r publicRecord
		var statement []string
		for i, l := range strings.Split(block, "\n") {
			words := strings.Fields(l)
			switch {
			case r.hasRows:
				if l != "" {
					r.want = append(r.want, l)
				}
			case len(words) == 0 || l[0] == '#':
			case r.head != nil && l == "----":
				r.hasRows = true
			case r.head != nil:
				statement = append(statement, l)
			case words[0] == "skipif":
				r.skip = r.skip || words[1] == "trailql"
			case words[0] == "onlyif":
				r.skip = r.skip || words[1] != "trailql"
			case words[0] == "hash-threshold": // tells only how results are to be written
			case words[0] == "halt":
				if !r.skip {
					return out
				}
			default:
				r.line, r.head = line+i, words
			}
		}
		if r.head != nil {
			r.sql = strings.Join(statement, "\n")
			out = append(out, r)
		}
		line += strings.Count(block, "\n") + 2
	}
	return out
}

// publicRun holds what the statements of a file have made.
type publicRun struct {
	catalog                      *logictest.Catalog
	engine                       *engine.Engine
	tables                       map[string]*publicTable
	labels                       map[string]string
	statements, queries, skipped int
}

// publicTable is one that CREATE TABLE made, with the rows of its INSERTs as text; fresh if the catalog has them all.
type publicTable struct {
	columns []string // "name type"
	rows    []string // "(v, …)", in the order of columns
	fresh   bool
}

func newPublicRun() *publicRun {
	c := &logictest.Catalog{}
	return &publicRun{catalog: c, engine: engine.New(c), tables: map[string]*publicTable{}, labels: map[string]string{}}
}

// run says what is wrong with the outcome of a record; "" if nothing is.
func (p *publicRun) run(r publicRecord) string {
	if r.skip {
		p.skipped++
		return ""
	}
	switch {
	case r.head[0] == "statement" && len(r.head) > 1 && (r.head[1] == "ok" || r.head[1] == "error"):
		p.statements++
		switch err := p.execute(r.sql); {
		case err == nil && r.head[1] == "error":
			return "no error, want one"
		case err != nil && r.head[1] == "ok":
			return err.Error()
		}
		return ""
	case r.head[0] == "query" && len(r.head) > 1:
		p.queries++
		return p.query(r)
	}
	return fmt.Sprintf("unknown record %q", strings.Join(r.head, " "))
}

// execute runs a statement; CREATE TABLE and INSERT … VALUES, which the engine does not know, become tables of the catalog.
func (p *publicRun) execute(text string) error {
	w := words(text)
	switch {
	case len(w) > 3 && strings.EqualFold(w[0], "CREATE") && strings.EqualFold(w[1], "TABLE"):
		table := &publicTable{}
		for _, definition := range split(w[4 : len(w)-1]) {
			if len(definition) < 2 || slices.ContainsFunc([]string{"PRIMARY", "UNIQUE", "FOREIGN", "CHECK"}, func(s string) bool { return strings.EqualFold(s, definition[0]) }) {
				continue // a constraint of the table
			}
			name := map[string]string{"TEXT": "varchar", "FLOAT": "double"}[strings.ToUpper(definition[1])]
			if name == "" {
				name = definition[1]
			}
			if len(definition) > 4 && definition[2] == "(" {
				name += strings.Join(definition[2:slices.Index(definition, ")")+1], "")
			}
			if _, err := sqltype.Parse(name); err != nil {
				return err
			}
			table.columns = append(table.columns, definition[0]+" "+name)
		}
		p.tables[strings.ToLower(w[2])] = table
		return nil
	case len(w) > 3 && strings.EqualFold(w[0], "CREATE") && slices.ContainsFunc(w[1:3], func(s string) bool { return strings.EqualFold(s, "INDEX") }):
		return nil // changes no answer
	case len(w) > 4 && strings.EqualFold(w[0], "INSERT"):
		return p.insert(w)
	}
	if err := p.register(); err != nil {
		return err
	}
	_, _, err := collect(p.engine, text, engine.Options{Now: now})
	return err
}

// insert adds the rows of INSERT INTO name [(column, …)] VALUES (v, …), ….
func (p *publicRun) insert(w []string) error {
	table := p.tables[strings.ToLower(w[2])]
	values := slices.IndexFunc(w, func(s string) bool { return strings.EqualFold(s, "VALUES") })
	if table == nil || values < 0 {
		return fmt.Errorf("INSERT: no table %s, or no VALUES", w[2])
	}
	place := make([]int, len(table.columns)) // of each column among the values; -1: NULL
	for i, column := range table.columns {
		place[i] = i
		if values > 3 {
			name, _, _ := strings.Cut(column, " ")
			place[i] = slices.IndexFunc(split(w[4:values-1]), func(c []string) bool { return strings.EqualFold(c[0], name) })
		}
	}
	for _, row := range split(w[values+1:]) {
		given := split(row[1 : len(row)-1])
		cells := make([]string, len(place))
		for i, at := range place {
			_, columnType, _ := strings.Cut(table.columns[i], " ")
			cells[i] = "NULL"
			if at >= len(given) {
				return fmt.Errorf("INSERT: %d values for %d columns", len(given), len(place))
			}
			if at >= 0 {
				cells[i] = strings.Join(given[at], " ")
			}
			cells[i] = "CAST(" + cells[i] + " AS " + columnType + ")"
		}
		table.rows = append(table.rows, "("+strings.Join(cells, ", ")+")")
	}
	table.fresh = false
	return nil
}

// words are the tokens of a text.
func words(text string) []string {
	var out []string
	for _, t := range sql.Tokens(text) {
		if t.Kind != sql.CommentToken {
			out = append(out, text[t.Start:t.End])
		}
	}
	return out
}

// split parts tokens at the commas outside parentheses.
func split(w []string) [][]string {
	var out [][]string
	depth, from := 0, 0
	for i, s := range w {
		switch {
		case s == "(":
			depth++
		case s == ")":
			depth--
		case s == "," && depth == 0:
			out, from = append(out, w[from:i]), i+1
		}
	}
	return append(out, w[from:])
}

// register brings tables with new rows into the catalog.
func (p *publicRun) register() error {
	for name, table := range p.tables {
		if table.fresh {
			continue
		}
		var batches []vec.Batch
		if len(table.rows) > 0 {
			var err error
			if batches, _, err = collect(p.engine, "VALUES "+strings.Join(table.rows, ", "), engine.Options{Workers: 1, Now: now}); err != nil {
				return fmt.Errorf("the rows of %s: %w", name, err)
			}
		}
		if err := p.catalog.AddTable(name, table.columns, batches...); err != nil {
			return err
		}
		table.fresh = true
	}
	return nil
}

// query judges query TYPES [nosort|rowsort|valuesort] [label].
func (p *publicRun) query(r publicRecord) string {
	if err := p.register(); err != nil {
		return err.Error()
	}
	batches, columns, err := collect(p.engine, r.sql, engine.Options{Now: now})
	if err != nil {
		return err.Error()
	}
	if len(columns) != len(r.head[1]) {
		return fmt.Sprintf("%d columns, want %d", len(columns), len(r.head[1]))
	}
	var rows [][]string
	for _, b := range batches {
		for i := range b.Len {
			row := make([]string, len(columns))
			for c := range columns {
				if row[c], err = publicCell(r.head[1][c], columns[c], b, c, i); err != nil {
					return err.Error()
				}
			}
			rows = append(rows, row)
		}
	}
	mode := "nosort"
	if len(r.head) > 2 {
		mode = r.head[2]
	}
	if mode == "rowsort" {
		slices.SortFunc(rows, slices.Compare)
	}
	got := slices.Concat(rows...)
	switch mode {
	case "nosort", "rowsort":
	case "valuesort":
		slices.Sort(got)
	default:
		return "unknown order " + mode
	}
	sum := md5.Sum([]byte(strings.Join(append(got, ""), "\n"))) //nolint:gosec // as above
	hashed := fmt.Sprintf("%d values hashing to %s", len(got), hex.EncodeToString(sum[:]))
	if len(r.head) > 3 {
		label := r.head[3]
		if first := cmp.Or(p.labels[label], hashed); first != hashed {
			return fmt.Sprintf("%s, but the first query with label %s gave %s", hashed, label, first)
		}
		p.labels[label] = hashed
	}
	if r.hasRows && !slices.Equal(got, r.want) && !(len(r.want) == 1 && r.want[0] == hashed) {
		return fmt.Sprintf("got %s:\n%s\n  want\n%s", hashed, strings.Join(got[:min(len(got), 20)], "\n"), strings.Join(r.want, "\n"))
	}
	return ""
}

// publicCell writes a cell as the format does: I a whole number (the fraction is cut off), R three decimals, T text.
func publicCell(letter byte, column plan.Column, b vec.Batch, c, row int) (string, error) {
	if column.Type.Kind == sqltype.Unknown || b.Cols[c].IsNull(row) {
		return "NULL", nil
	}
	text := string(sqltype.AppendText(nil, column.Type, b.Cols[c], row))
	switch letter {
	case 'I', 'R':
		if text == "true" || text == "false" {
			text = map[string]string{"true": "1", "false": "0"}[text]
		}
		if _, err := strconv.ParseInt(text, 10, 64); err == nil && letter == 'I' {
			return text, nil // all digits: a float64 has not the room for them
		}
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return "", fmt.Errorf("column %d is %s, want a number", c+1, text)
		}
		if letter == 'I' {
			return strconv.FormatInt(int64(f), 10), nil
		}
		return strconv.FormatFloat(f, 'f', 3, 64), nil
	case 'T':
		if text == "" {
			return "(empty)", nil
		}
		return strings.Map(func(r rune) rune {
			if r < ' ' || r > '~' {
				return '@'
			}
			return r
		}, text), nil
	}
	return "", fmt.Errorf("unknown type of column %q", letter)
}
