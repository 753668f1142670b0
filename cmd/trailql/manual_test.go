package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/shell"
	"github.com/trailql/trailql/engine"
)

var rewrite = flag.Bool("rewrite", false, "write the results and the made parts of docs/sql.md anew")

const docs = "../../docs/"

// manualLake is the lake that the manual says its examples are asked of.
func manualLake(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "demo")
	if code, _, errs := trailql(t, "demo", "--days", "3", "--events", "6000", "--dir", dir); code != 0 {
		t.Fatalf("exit %d: %s", code, errs)
	}
	return filepath.Join(dir, "lake")
}

// reader asks the statements of a document one after the other, in one session.
type reader struct {
	t       *testing.T
	session *shell.Session
	out     bytes.Buffer
}

// newReader has one root, with the files that the documents speak of.
func newReader(t *testing.T, folder, root string) *reader {
	t.Helper()
	dir := t.TempDir()
	err := os.Mkdir(filepath.Join(dir, "accounts"), 0o777)
	for name, text := range map[string]string{
		"accounts/names.csv": "id,name\n437971377068,production\n205421990188,data\n",
		"owners.csv":         "arn,team\narn:aws:iam::205421990188:user/freya,data\n",
	} {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), []byte(text), 0o666))
	}
	if err != nil {
		t.Fatal(err)
	}
	roots, err := openRoots([]string{root + "=" + dir}, folder)
	if err != nil {
		t.Fatal(err)
	}
	l, err := openLakeWith(t.Context(), folder, catalog.Options{Define: true, Roots: roots})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	now := time.Date(2026, 3, 5, 9, 30, 0, 0, time.UTC) // the morning after
	r := &reader{t: t}
	r.session = shell.New(shell.Config{
		Backend: shell.Direct(engine.New(l), engine.Options{Now: now, Memory: 1 << 30}), Out: &r.out, Errs: io.Discard, Format: "table", Quiet: true,
	})
	return r
}

// ask returns what a person sees of a script: the results, then the mistake, if there is one.
func (r *reader) ask(script string) (shown string, failed bool) {
	r.out.Reset()
	err := r.session.Script(r.t.Context(), script)
	if err != nil {
		fmt.Fprintln(&r.out, err)
	}
	var lines []string
	for line := range strings.Lines(r.out.String()) {
		lines = append(lines, strings.TrimRight(line, " \n"))
	}
	return strings.TrimPrefix(strings.Join(lines, "\n"), "\n"), err != nil
}

// An example is a block of SQL; the block of text after it, if there is one, is what it prints. A line … stands for any lines.
var example = regexp.MustCompile("(?ms)^```sql\n(.*?)^```\n(?:\n?```text\n(.*?)^```\n)?")

// What the manual refers to: its own chapters, and the files of cases in testdata/logic.
var (
	heading   = regexp.MustCompile(`(?m)^#+ (.*)$`)
	anchor    = regexp.MustCompile(`\]\(#([^)]*)\)`)
	logicFile = regexp.MustCompile("`([a-z_]+\\.test)`")
)

// TestManual runs the examples of the documents over one lake.
func TestManual(t *testing.T) {
	lake := manualLake(t)
	t.Run("dialect", func(t *testing.T) { testDialect(newReader(t, lake, "files")) })
	t.Run("others", func(t *testing.T) { testDocuments(newReader(t, lake, "out")) })
}

// testDialect runs every example of the manual of the dialect, and compares what it prints with what the manual says. Examples without a
// printed result must run. go test ./cmd/trailql -run TestManual -rewrite writes results and made parts anew.
func testDialect(r *reader) {
	t := r.t
	file := docs + "sql.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	have := r.parts(string(text))
	examples, results := 0, 0
	want := example.ReplaceAllStringFunc(have, func(block string) string {
		m := example.FindStringSubmatch(block)
		sql, shown := m[1], m[2]
		examples++
		got, failed := r.ask(sql)
		switch {
		case shown != "":
			results++
			if !elided(shown).MatchString(got) {
				return strings.Replace(block, shown, got+"\n", 1)
			}
		case failed:
			t.Errorf("%s\n%s", sql, got)
		}
		return block
	})
	t.Logf("%d examples, %d with a result", examples, results)
	anchors := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(want, -1) {
		words := strings.Map(func(r rune) rune {
			if r == ' ' || r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) {
				return r
			}
			return -1
		}, strings.ToLower(m[1]))
		anchors[strings.ReplaceAll(words, " ", "-")] = true
	}
	for _, m := range anchor.FindAllStringSubmatch(want, -1) {
		if !anchors[m[1]] {
			t.Errorf("docs/sql.md has no heading #%s", m[1])
		}
	}
	for _, m := range logicFile.FindAllStringSubmatch(want, -1) {
		if _, err := os.Stat("../../testdata/logic/" + m[1]); err != nil {
			t.Errorf("docs/sql.md names cases that are not there: %v", err)
		}
	}
	if *rewrite {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if difference := whereTheyPart(string(text), want); difference != "" {
		t.Errorf("docs/sql.md is not what trailql does; go test ./cmd/trailql -run TestManual -rewrite writes it anew:\n%s", difference)
	}
}

// elided matches what is printed as text shows it.
func elided(text string) *regexp.Regexp {
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSuffix(text, "\n"))+"\n", "\n…\n", "\n(.*\n)*") + "?$")
}

// whereTheyPart shows where two texts part; "" if they do not.
func whereTheyPart(have, want string) string {
	h, w := strings.Split(have, "\n"), strings.Split(want, "\n")
	for i := range h {
		if i >= len(w) || h[i] != w[i] {
			return fmt.Sprintf("line %d, have\n%s\nwant\n%s", i+1, strings.Join(h[i:min(i+15, len(h))], "\n"), strings.Join(w[min(i, len(w)):min(i+15, len(w))], "\n"))
		}
	}
	if len(w) > len(h) {
		return "have less than " + w[len(h)]
	}
	return ""
}

// Where the other documents hold SQL: on command lines, at the prompt, in the body of a request.
var (
	commandSQL = regexp.MustCompile(`(?m)^\s*(?:\$ )?trailql (?:query|shell -e)(?: --[a-z]+ \S+)* "((?:[^"\\]|\\.)*)"`)
	promptSQL  = regexp.MustCompile(`(?m)^trailql> ([A-Z](?:.*\n\s+-> )*.*);$`)
	requestSQL = regexp.MustCompile(`\{"sql": "(?:'"'|[^"\\]|\\.)*"(?:, "params": \[.*?\])?`)
)

// testDocuments runs the SQL of the other documents, whose results are those of other lakes. A statement whose mistake is shown after it
// must fail with it.
func testDocuments(r *reader) {
	t := r.t
	total := 0
	for _, file := range []string{"../README.md", "bindings.md", "shell.md", "api.md", "reports.md"} {
		text, err := os.ReadFile(docs + file)
		if err != nil {
			t.Fatal(err)
		}
		try := func(sql, after string) {
			total++
			shown, failed := r.ask(sql)
			after = strings.Join(strings.SplitN(after, "\n", 4)[:min(3, strings.Count(after, "\n"))], "\n")
			mistake := regexp.MustCompile(`line \d+:\d+: [^\n]*`).FindString(shown)
			if failed && (mistake == "" || !strings.Contains(strings.ReplaceAll(after, `\"`, `"`), mistake)) {
				t.Errorf("%s: %s\n%s", file, sql, shown)
			}
			if !failed && strings.Contains(after, "line 1:") {
				t.Errorf("%s: %s\nruns, but is said to fail", file, sql)
			}
		}
		for _, m := range commandSQL.FindAllSubmatchIndex(text, -1) {
			try(string(text[m[2]:m[3]]), string(text[m[1]:]))
		}
		for _, m := range promptSQL.FindAllSubmatchIndex(text, -1) {
			try(strings.ReplaceAll(string(text[m[2]:m[3]]), "      -> ", ""), string(text[m[1]:]))
		}
		for _, m := range requestSQL.FindAllIndex(text, -1) {
			var request struct {
				SQL    string
				Params []string
			}
			body := strings.ReplaceAll(string(text[m[0]:m[1]]), `'"'`, "'") + "}"
			if err := json.Unmarshal([]byte(body), &request); err != nil {
				t.Errorf("%s: %s: %v", file, body, err)
			}
			if len(request.Params) > 0 {
				if !strings.HasPrefix(request.SQL, "EXECUTE ") {
					request.SQL = "PREPARE request FROM " + request.SQL + "; EXECUTE request"
				}
				request.SQL += " USING " + strings.Join(request.Params, ", ")
			}
			if !strings.Contains(request.SQL, "…") {
				try(request.SQL, string(text[m[1]:]))
			}
		}
	}
	if total < 15 {
		t.Errorf("%d statements found in the documents", total)
	}
}
