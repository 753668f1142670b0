package engine_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/cloudtrail"
	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/logictest"
	"github.com/trailql/trailql/engine/source"
)

var rewrite = flag.Bool("rewrite", false, "write docs/functions.md anew")

// TestExamples runs the example of each function: both sides must print the same. A side that is no expression is the printed result
// itself, of several rows with a comma between them.
func TestExamples(t *testing.T) {
	cat := &logictest.Catalog{}
	if err := cat.AddTable(cloudtrail.Logs, columnsOf(cloudtrail.Schema(cloudtrail.Logs))); err != nil {
		t.Fatal(err)
	}
	for _, m := range catalog.Macros() {
		cat.AddMacro(m)
	}
	eng := engine.New(cat)
	shown := func(query string) (text string, n int, err error) {
		rows, err := lines(eng.Query(context.Background(), query, engine.Options{Now: time.Date(2024, 3, 10, 12, 30, 45, 0, time.UTC)}))
		for i := range rows {
			if rows[i] == "" && len(rows) > 1 {
				rows[i] = "NULL"
			}
		}
		return strings.Join(rows, ", "), len(rows), err
	}
	check := func(name, example string) {
		call, want, _ := strings.Cut(example, " → ")
		got, n, err := shown("SELECT " + call)
		if err != nil {
			t.Errorf("%s: %s: %v", name, call, err)
			return
		}
		if result, _, err := shown("SELECT " + want); err == nil && n == 1 {
			want = result
		}
		if got != want {
			t.Errorf("%s: %s is %s, want %s", name, call, got, want)
		}
	}
	for _, f := range manual() {
		check(f.name, f.example)
	}
}

// columnsOf writes columns as a logictest.Catalog takes them. eventjson, which the catalog computes, is one of them.
func columnsOf(columns []source.Column) []string {
	out := []string{"eventjson varchar"}
	for _, c := range columns {
		out = append(out, c.Name+" "+c.Type.String())
	}
	return out
}

// entry is a function of the manual.
type entry struct {
	name, chapter, doc, example string
	aliases, signatures         []string
}

func manual() []entry {
	var all []entry
	for _, f := range fn.Forms() {
		all = append(all, entry{name: f.Name, chapter: f.Category, doc: f.Doc, example: f.Example, signatures: []string{f.Sig}})
	}
	names := fn.Names()
	for _, f := range fn.All() {
		e := entry{name: f.Name, chapter: f.Category, doc: f.Doc, example: f.Example, aliases: f.Aliases}
		if _, callable := slices.BinarySearch(names, f.Name); !callable {
			e.chapter = "" // an operator
		}
		for _, o := range f.Overloads {
			e.signatures = append(e.signatures, o.Sig)
		}
		all = append(all, e)
	}
	for _, a := range fn.Aggregates() {
		e := entry{name: a.Name, chapter: "aggregate", doc: a.Doc, example: a.Example, aliases: a.Aliases}
		for _, o := range a.Overloads {
			e.signatures = append(e.signatures, o.Sig)
		}
		all = append(all, e)
	}
	for _, w := range fn.Windows() {
		e := entry{name: w.Name, chapter: "window", doc: w.Doc, example: w.Example, aliases: w.Aliases}
		for _, o := range w.Overloads {
			e.signatures = append(e.signatures, o.Sig)
		}
		all = append(all, e)
	}
	for _, m := range catalog.Macros() {
		all = append(all, entry{name: m.Name, chapter: m.Category, doc: m.Doc, example: m.Example, signatures: []string{m.Sig}})
	}
	return all
}

// TestManual compares docs/functions.md with the table of functions; go test -run TestManual -rewrite writes it anew.
func TestManual(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Functions\n\n<!-- Made from the table in engine/fn and the macros of catalog by go test ./engine -run TestManual -rewrite. -->\n\n" +
		"T, U, K, V and the like stand for any type, O for one whose values have an order, a last argument with dots repeats, and function(T, U)\n" +
		"is a lambda, `x -> …`, that makes a U of a T. Unless a description says so, NULL in an argument gives NULL.\n" +
		"SHOW FUNCTIONS lists them too, and `\\help NAME` in the shell.\n")
	var chapters []string
	entries := map[string][]entry{}
	for _, e := range manual() {
		if e.chapter == "" {
			continue
		}
		if entries[e.chapter] == nil {
			chapters = append(chapters, e.chapter)
		}
		entries[e.chapter] = append(entries[e.chapter], e)
	}
	for _, c := range chapters {
		fmt.Fprintf(&b, "\n## %s functions\n", strings.ToUpper(c[:1])+c[1:])
		slices.SortFunc(entries[c], func(x, y entry) int { return strings.Compare(x.name, y.name) })
		for _, e := range entries[c] {
			fmt.Fprintf(&b, "\n### %s\n\n%s", e.name, e.doc)
			if len(e.aliases) > 0 {
				fmt.Fprintf(&b, " Also called %s.", strings.Join(e.aliases, ", "))
			}
			b.WriteString("\n\n```\n")
			for _, s := range e.signatures {
				fmt.Fprintf(&b, "%s%s\n", e.name, s)
			}
			fmt.Fprintf(&b, "\n%s\n```\n", e.example)
		}
	}
	const file = "../docs/functions.md"
	if *rewrite {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != b.String() {
		t.Error("docs/functions.md is not what the table of functions says: run go test ./engine -run TestManual -rewrite")
	}
}
