package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/parquet/file"
)

// tinyLake is a lake of two events.
func tinyLake(t testing.TB) string {
	t.Helper()
	lake := filepath.Join(t.TempDir(), "lake")
	compactTo(t, 0, lake, objects{trailName(1): gzipped(recordsOf(
		eventOf("a", `,"userAgent":"x, \"y\"\n|z","errorCode":""`), eventOf("b")))}.write(t, t.TempDir()))
	return lake
}

// What is wrong with a command line, and what a person reads of it. Wrong use is 2, a failure 1; a line of use goes with the former.
func TestWrongUse(t *testing.T) {
	lake := tinyLake(t)
	empty := t.TempDir()
	script := filepath.Join(t.TempDir(), "q.sql")
	if err := os.WriteFile(script, []byte("SELECT 1"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		says []string
	}{
		{[]string{"frobnicate"}, exitUsage, []string{`"frobnicate"`, "try: trailql --help"}},
		{[]string{"repor"}, exitUsage, []string{"did you mean report?"}},
		{[]string{"query", "SELECT 1", "SELECT 2"}, exitUsage, []string{`write it like: trailql query ["SQL"]`, "try: trailql query --help"}},
		{[]string{"--frobnicate"}, exitUsage, []string{"--frobnicate", "try: trailql --help"}},
		{[]string{"query", "--frobnicate", "SELECT 1"}, exitUsage, []string{"--frobnicate"}},
		{[]string{"query"}, exitUsage, []string{"what is the question?"}},
		{[]string{"query", "--lake", lake, ""}, exitUsage, []string{"the SQL is empty"}},
		{[]string{"query", "--lake", lake, " ; -- nothing\n"}, exitUsage, []string{"the SQL is empty"}},
		{[]string{"query", "--lake", lake, "SELECT", "1"}, exitUsage, nil},
		{[]string{"query", "--lake", lake, "-f", script, "SELECT 1"}, exitUsage, []string{"not both"}},
		{[]string{"query", "--lake", lake, "--format", "xml", "SELECT 1"}, exitUsage, []string{`"xml"`, "table, csv, json, jsonl, markdown, arrow, parquet"}},
		{[]string{"query", "--lake", lake, "--format", "parquet", "SELECT 1; SELECT 2"}, exitUsage, []string{"one statement"}},
		{[]string{"query", "--lake", lake, "--param", "1", "SELECT ?; SELECT ?"}, exitUsage, []string{"parameters are for one statement"}},
		{[]string{"query", "--lake", lake, "--param", "1", "USE audit"}, exitUsage, []string{"parameters are for one statement"}},
		{[]string{"query", "--lake", lake, "--memory", "much", "SELECT 1"}, exitUsage, []string{`"much"`, "512MiB"}},
		{[]string{"query", "--lake", lake, "--memory", "1MiB", "SELECT 1"}, exitUsage, []string{"at least 64MiB"}},
		{[]string{"query", "--lake"}, exitUsage, []string{"--lake"}},
		{[]string{"compact"}, exitUsage, []string{"name at least one folder"}},
		{[]string{"compact", filepath.Join(empty, "missing"), "--lake", filepath.Join(empty, "l")}, exitUsage, []string{"there is no source at", "missing"}},
		{[]string{"compact", script, "--lake", filepath.Join(empty, "l")}, exitUsage, []string{"is a file"}},
		{[]string{"compact", empty, "--lake", lake, "--workers", "many"}, exitUsage, []string{"many"}},
		{[]string{"compact", empty, "--lake", lake, "--workers", "-1"}, exitUsage, []string{"--workers"}},
		{[]string{"compact", empty, "--lake", lake, "--memory", "1MiB"}, exitUsage, []string{"at least 64MiB"}},
		{[]string{"compact", empty, "--lake", lake, "--every", "5s"}, exitUsage, []string{"--every 5s", "--follow"}},
		{[]string{"compact", empty, "--lake", lake, "--follow", "--every", "5ms"}, exitUsage, []string{"a second or more"}},
		{[]string{"compact", lake, "--lake", lake}, exitUsage, []string{"is in the lake"}},
		{[]string{"compact", filepath.Join(lake, "_trailql"), "--lake", lake}, exitUsage, []string{"is in the lake"}},
		{[]string{"demo", "extra"}, exitUsage, []string{"extra"}},

		{[]string{"query", "--lake", filepath.Join(empty, "missing"), "SELECT 1"}, exitFailed, []string{"there is no lake at", "missing", "trailql compact SOURCE --lake"}},
		{[]string{"query", "--lake", empty, "SELECT 1"}, exitFailed, []string{"no lake", "trailql compact SOURCE"}},
		{[]string{"query", "--lake", script, "SELECT 1"}, exitFailed, []string{script}},
		{[]string{"query", "--lake", lake, "-f", filepath.Join(empty, "missing.sql")}, exitFailed, []string{"reading the SQL", "missing.sql"}},
		{[]string{"query", "--lake", lake, "-f", empty}, exitFailed, []string{"reading the SQL"}},
		{[]string{"compact", empty, "--lake", script}, exitFailed, []string{script}},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			code, out, errs := trailql(t, c.args...)
			if code != c.code {
				t.Errorf("exit %d, want %d", code, c.code)
			}
			if out != "" {
				t.Errorf("stdout: %q", out)
			}
			if !strings.HasPrefix(errs, "trailql: ") || strings.HasSuffix(errs, " --help\n") != (c.code == exitUsage) {
				t.Errorf("stderr: %q", errs)
			}
			for _, s := range c.says {
				if !strings.Contains(errs, s) {
					t.Errorf("stderr does not say %q: %q", s, errs)
				}
			}
		})
	}
	if entries, err := os.ReadDir(empty); err != nil || len(entries) != 0 {
		t.Errorf("wrong use left something behind: %v, %v", entries, err)
	}
}

// Errors of SQL: line and column of the whole text, the line, a caret under the place; nothing on stdout.
func TestErrorsOfSQL(t *testing.T) {
	lake := tinyLake(t)
	for _, c := range []struct{ sql, want string }{
		// The example of the design.
		{`SELECT evntname FROM cloudtrail_logs`, "trailql: line 1:8: column \"evntname\" does not exist; did you mean \"eventname\"?\n  SELECT evntname FROM cloudtrail_logs\n         ^\n"},
		{"SELECT 1,\n  eventnme\nFROM cloudtrail_logs", "trailql: line 2:3: column \"eventnme\" does not exist; did you mean \"eventname\"?\n    eventnme\n    ^\n"},
		// Columns count characters, so that the caret stands right in a text that is not English.
		{`SELECT 'žlutý', nix FROM cloudtrail_logs`, "line 1:17: "},
		{"SELECT 1;\n\nSELECT\tx", "line 3:8: "},
		{`SELECT 1 FROM nowhere`, "line 1:15: "},
		{`SELEC 1`, "line 1:1: "},
		{`SELECT (1`, "line 1:8: "},
		{`SELECT 1/0`, "division by zero"},
		{`SELECT CAST('x' AS bigint)`, "x"},
		{`SELECT count(*) FROM cloudtrail_logs GROUP BY 5`, "line 1:47: "},
		{"SELECT 1 \r\n + nope", "line 2:4: "},
		{`INSERT INTO cloudtrail_logs VALUES (1)`, "line 1:"},
		{`DROP TABLE cloudtrail_logs`, "line 1:"},
		{"SELECT '\xff'", "line 1:"},
	} {
		code, out, errs := trailql(t, "query", "--lake", lake, "--format", "csv", c.sql)
		if code != exitFailed || !strings.Contains(errs, c.want) {
			t.Errorf("%q: exit %d\n%s\nwant %q", c.sql, code, errs, c.want)
		}
		if !strings.Contains(c.sql, ";") && out != "" {
			t.Errorf("%q: stdout %q", c.sql, out)
		}
		for _, jargon := range []string{"strconv", "runtime", "panic", "*errors", "%!", "goroutine"} {
			if strings.Contains(errs, jargon) {
				t.Errorf("%q: %s", c.sql, errs)
			}
		}
	}
}

const oddSQL = `SELECT eventid, useragent, errorcode, requestid, 1.50 AS n, true AS b FROM cloudtrail_logs ORDER BY eventid`

// Each format holds the same two rows, can be read by a stranger's reader, and has stdout for itself.
func TestResultFormats(t *testing.T) {
	lake := tinyLake(t)
	const agent = "x, \"y\"\n|z"
	get := func(format, sql string) string {
		t.Helper()
		code, out, errs := trailql(t, "query", "--lake", lake, "--format", format, sql)
		if code != 0 || !strings.HasPrefix(errs, "(") || !strings.HasSuffix(errs, ")\n") || strings.Count(errs, "\n") != 1 {
			t.Fatalf("%s: exit %d, %q", format, code, errs)
		}
		return out
	}

	rows, err := csv.NewReader(strings.NewReader(get("csv", oddSQL))).ReadAll()
	if err != nil || len(rows) != 3 || strings.Join(rows[0], "|") != "eventid|useragent|errorcode|requestid|n|b" || rows[1][1] != agent || rows[2][0] != "b" {
		t.Errorf("csv: %q, %v", rows, err)
	}

	var list []map[string]any
	if err := json.Unmarshal([]byte(get("json", oddSQL)), &list); err != nil || len(list) != 2 || list[0]["useragent"] != agent || list[0]["errorcode"] != "" || list[0]["requestid"] != nil || list[0]["b"] != true {
		t.Errorf("json: %v, %v", list, err)
	}
	lines := strings.Split(strings.TrimSuffix(get("jsonl", oddSQL), "\n"), "\n")
	var one map[string]any
	if err := json.Unmarshal([]byte(lines[0]), &one); err != nil || len(lines) != 2 || one["useragent"] != agent {
		t.Errorf("jsonl: %q, %v", lines, err)
	}

	table := get("table", oddSQL)
	if !strings.Contains(table, "eventid") || strings.Count(strings.TrimSuffix(table, "\n"), "\n") != 3 {
		t.Errorf("table: a line break in a value must not break the rows:\n%s", table)
	}
	markdown := strings.Split(strings.TrimSuffix(get("markdown", oddSQL), "\n"), "\n")
	if len(markdown) != 4 || strings.Count(markdown[2], "|")-strings.Count(markdown[2], `\|`) != 7 {
		t.Errorf("markdown:\n%s", strings.Join(markdown, "\n"))
	}

	stream, err := ipc.NewReader(strings.NewReader(get("arrow", oddSQL)))
	if err != nil {
		t.Fatal("arrow:", err)
	}
	n := int64(0)
	for stream.Next() {
		n += stream.RecordBatch().NumRows()
	}
	if stream.Err() != nil || n != 2 || stream.Schema().Field(0).Name != "eventid" {
		t.Errorf("arrow: %d rows, %v", n, stream.Err())
	}
	pq, err := file.NewParquetReader(bytes.NewReader([]byte(get("parquet", oddSQL))))
	if err != nil || pq.NumRows() != 2 {
		t.Errorf("parquet: %v", err)
	}

	// No rows: the heads stay, and each format is whole.
	const none = `SELECT eventid FROM cloudtrail_logs WHERE false`
	for format, want := range map[string]string{"csv": "eventid\n", "json": "[]\n", "jsonl": ""} {
		if got := get(format, none); got != want {
			t.Errorf("%s of no rows: %q, want %q", format, got, want)
		}
	}
	if pq, err := file.NewParquetReader(bytes.NewReader([]byte(get("parquet", none)))); err != nil || pq.NumRows() != 0 {
		t.Errorf("parquet of no rows: %v", err)
	}
}

func TestScripts(t *testing.T) {
	lake, dir := tinyLake(t), t.TempDir()
	write := func(text string) string {
		t.Helper()
		path := filepath.Join(dir, "q.sql")
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	// Statements end at semicolons, but not at those in texts, names and comments.
	path := write("-- a; b\nSELECT ';' AS \"x;y\"; /* ; */\nSELECT count(*) AS n FROM cloudtrail_logs;\n\n")
	code, out, errs := trailql(t, "query", "--lake", lake, "-f", path, "--format", "csv", "-q")
	if want := "x;y\n;\n\nn\n2\n"; code != 0 || out != want || errs != "" {
		t.Errorf("exit %d, %q, %q; want %q", code, out, errs, want)
	}
	code, out, _ = trailql(t, "query", "--lake", lake, "-f", path, "--format", "jsonl", "--quiet")
	if want := "{\"x;y\":\";\"}\n{\"n\":2}\n"; code != 0 || out != want {
		t.Errorf("exit %d, %q; want %q", code, out, want)
	}
	// The first that fails ends the script; the place is that in the file.
	code, out, errs = trailql(t, "query", "--lake", lake, "-f", write("SELECT 1 AS a;\nSELECT b;\nSELECT 3 AS c"), "--format", "jsonl", "-q")
	if code != exitFailed || out != "{\"a\":1}\n" || !strings.Contains(errs, "line 2:8:") || !strings.Contains(errs, "\n  SELECT b;\n") {
		t.Errorf("exit %d, %q, %q", code, out, errs)
	}
	// "-" is stdin.
	var o, e bytes.Buffer
	if code := run(t.Context(), []string{"query", "--lake", lake, "-f", "-", "--format", "csv", "-q"}, strings.NewReader("SELECT 7 AS seven"), &o, &e); code != 0 || o.String() != "seven\n7\n" {
		t.Errorf("stdin: exit %d, %q, %q", code, o.String(), e.String())
	}
	// A byte order mark and CRLF are what editors on Windows leave.
	code, out, errs = trailql(t, "query", "--lake", lake, "-f", write("\xEF\xBB\xBFSELECT 1 AS a\r\n;\r\n"), "--format", "csv", "-q")
	if code != 0 || out != "a\n1\n" {
		t.Errorf("byte order mark: exit %d, %q, %q", code, out, errs)
	}
}

// --lake, then TRAILQL_LAKE, then ./lake.
func TestWhichLake(t *testing.T) {
	one, two, here := tinyLake(t), filepath.Join(t.TempDir(), "lake"), t.TempDir()
	source := objects{trailName(1): gzipped(recordsOf(eventOf("c")))}.write(t, t.TempDir())
	compactTo(t, 0, two, source)
	const sql = `SELECT max(eventid) AS id FROM cloudtrail_logs`
	t.Chdir(here)
	t.Setenv("TRAILQL_LAKE", one)
	if _, out, _ := trailql(t, "query", "-q", "--format", "csv", sql); out != "id\nb\n" {
		t.Errorf("TRAILQL_LAKE: %q", out)
	}
	if _, out, _ := trailql(t, "query", "-q", "--format", "csv", "--lake", two, sql); out != "id\nc\n" {
		t.Errorf("--lake: %q", out)
	}
	t.Setenv("TRAILQL_LAKE", "")
	if code, _, errs := trailql(t, "query", sql); code != exitFailed || !strings.Contains(errs, "there is no lake at lake") {
		t.Errorf("no ./lake: exit %d, %q", code, errs)
	}
	if code, _, errs := trailql(t, "compact", source); code != 0 {
		t.Fatalf("compact to ./lake: exit %d, %q", code, errs)
	}
	if _, out, _ := trailql(t, "query", "-q", "--format", "csv", sql); out != "id\nc\n" {
		t.Errorf("./lake: %q", out)
	}
	// A lake inside of its source, which is where ./lake often is, does not feed on itself.
	if err := os.CopyFS(filepath.Join(here, "trail"), os.DirFS(source)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if code, _, errs := trailql(t, "compact", "."); code != 0 || !strings.Contains(errs, "1 found") {
			t.Errorf("compact .: exit %d, %q", code, errs)
		}
	}
	expect(t, filepath.Join(here, "lake"), `SELECT sum(rows), sum(duplicates) FROM trail_files`, "1|1")
}

// Help is asked for, so it is the result: stdout, exit 0, and each command with an example.
func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"help"}, {"compact", "--help"}, {"query", "-h"}, {"help", "query"}, {"demo", "--help"}, {"--version"}, {}} {
		code, out, errs := trailql(t, args...)
		if code != 0 || errs != "" || !strings.Contains(out, "trailql") {
			t.Errorf("%q: exit %d, stdout %q, stderr %q", args, code, out, errs)
		}
		if len(args) > 0 && args[0] != "--version" && strings.Contains(strings.Join(args, " "), "elp") && !strings.Contains(out, "  trailql ") {
			t.Errorf("%q has no example:\n%s", args, out)
		}
	}
	_, out, _ := trailql(t, "--help")
	for _, want := range []string{"compact", "query", "demo", "Exit codes: 0 done, 1 failed, 2 wrong use, 3 done but some objects are in quarantine"} {
		if !strings.Contains(out, want) {
			t.Errorf("help does not say %q", want)
		}
	}
	_, out, _ = trailql(t, "query", "--help")
	for _, want := range []string{"--lake", "TRAILQL_LAKE", "--format", "table, csv, json, jsonl, markdown, arrow, parquet", "--memory", "-f, --file", "-q, --quiet"} {
		if !strings.Contains(out, want) {
			t.Errorf("help of query does not say %q", want)
		}
	}
}

// The closing summary of a compaction accounts for everything, in words that a script may rely on.
func TestSummary(t *testing.T) {
	source, lake := t.TempDir(), filepath.Join(t.TempDir(), "lake")
	e := eventOf("a")
	objects{trailName(1): gzipped(recordsOf(e, e, `7`)), trailName(2): gzipped(recordsOf(e)), "notes.txt": []byte("x"),
		"AWSLogs/111111111111/CloudTrail-Digest/eu-west-1/2026/03/01/d.json.gz": gzipped([]byte(`{"digestStartTime":"2026-03-01T00:00:00Z","digestEndTime":"2026-03-01T01:00:00Z","digestS3Object":"x","logFiles":[]}`))}.write(t, source)
	errs := compactTo(t, exitQuarantine, lake, source)
	for _, want := range []string{
		"objects: 4 found = 0 known + 3 new + 1 unknown + 0 unreadable; of the new, 1 digests, 1 set aside (0 altered)\n",
		"records: 4 read = 1 rows + 2 duplicates + 1 quarantined\n",
		"1 object set aside in trail_quarantine:\n  " + source + "/" + trailName(1) + ": ",
		"1 object with nothing that CloudTrail writes; left alone:\n  " + source + "/notes.txt\n",
	} {
		if !strings.Contains(errs, want) {
			t.Errorf("the summary does not say %q:\n%s", want, errs)
		}
	}
}

// Names in a bucket are a stranger's: they do nothing to the terminal that shows them.
func TestNamesAreShownHarmless(t *testing.T) {
	source := t.TempDir()
	for _, name := range []string{"\x1b[31mred.txt", "two\nlines.txt", "\u202Egpj.txt", "\x9b31m.txt", "plain é.txt"} {
		if err := os.WriteFile(filepath.Join(source, name), nil, 0o666); err != nil {
			t.Skip(err)
		}
	}
	errs := compactTo(t, 0, filepath.Join(t.TempDir(), "lake"), source)
	if strings.ContainsAny(errs, "\x1b\u202E") || strings.Contains(errs, "\x9b") {
		t.Errorf("control characters: %q", errs)
	}
	for _, want := range []string{`\x1b[31mred.txt"`, `two\nlines.txt"`, `\u202egpj.txt"`, "/%9B31m.txt", "  " + source + "/plain é.txt\n"} {
		if !strings.Contains(errs, want) {
			t.Errorf("%q is not there: %s", want, errs)
		}
	}
}

// Ctrl-C ends a query and a compaction, which says that it can go on.
func TestCancelled(t *testing.T) {
	lake, source := tinyLake(t), objects{trailName(1): gzipped(recordsOf(eventOf("c")))}.write(t, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range [][]string{{"query", "--lake", lake, "SELECT count(*) FROM cloudtrail_logs"}, {"compact", source, "--lake", lake}, {"compact", source, "--lake", filepath.Join(t.TempDir(), "new")}} {
		var o, e bytes.Buffer
		if code := run(ctx, args, strings.NewReader(""), &o, &e); code != exitFailed || o.String() != "" || e.String() == "" {
			t.Errorf("%q: exit %d, %q, %q", args, code, o.String(), e.String())
		} else {
			t.Logf("%s", lastLine(e.String()))
		}
	}
	expect(t, lake, `SELECT eventid FROM cloudtrail_logs ORDER BY 1`, "a", "b")
	compactTo(t, 0, lake, source)
}

// A reader that goes away, as head does, is no crash.
func TestClosedPipe(t *testing.T) {
	lake := tinyLake(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	c := command(t, "query", "--lake", lake, "--format", "csv", "SELECT * FROM UNNEST(sequence(1, 10000)) AS t (n) CROSS JOIN UNNEST(sequence(1, 100)) AS u (m)")
	c.Stdout = w
	code, errs := exitOf(t, c)
	w.Close()
	if code == 0 || strings.Contains(errs, "panic") || strings.Contains(errs, "goroutine") {
		t.Errorf("exit %d, %q", code, errs)
	}
}
