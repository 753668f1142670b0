package main

import (
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trailql/trailql/engine/report"
)

// reportFile is what of report.json these tests look at.
type reportFile struct {
	Verdict  string
	Snapshot int64
	Lake     string
	Coverage report.Coverage
	Controls []struct {
		ID, Verdict, SQL, SHA256 string
		Findings                 int
		Rows                     []map[string]any
	}
}

// A pack on a generated trail: every form says the same, and each answer is what the query gives when it is asked by hand.
func TestReportOnAGeneratedTrail(t *testing.T) {
	state := t.TempDir()
	t.Setenv("TRAILQL_STATE", state)
	dir := filepath.Join(t.TempDir(), "demo")
	if code, _, errs := trailql(t, "demo", "--dir", dir, "--events", "3000", "--accounts", "2", "--regions", "2", "--days", "2"); code != 0 {
		t.Fatal(errs)
	}
	lake, out := filepath.Join(dir, "lake"), filepath.Join(t.TempDir(), "new", "out")
	args := []string{"report", "run", "cis-3.0", "--lake", lake, "--from", "2026-03-02", "--to", "2026-03-04T00:00:00Z"}
	code, summary, errs := trailql(t, append(args, "--out", out)...)
	if code != 0 || errs != "" {
		t.Fatalf("exit %d: %s", code, errs)
	}
	text, err := os.ReadFile(filepath.Join(out, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got reportFile
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Controls) != 16 || got.Snapshot != 1 || got.Lake != lake || got.Coverage.Objects == 0 {
		t.Errorf("%d controls, snapshot %d, lake %s, %d objects", len(got.Controls), got.Snapshot, got.Lake, got.Coverage.Objects)
	}
	found, lines := 0, 0
	for _, c := range got.Controls {
		_, rows, _ := trailql(t, "query", "--lake", lake, "--format", "jsonl", "--quiet", "--", c.SQL)
		hash := sha256.Sum256([]byte(rows))
		if n := strings.Count(rows, "\n"); hex.EncodeToString(hash[:]) != c.SHA256 || n != c.Findings || n != len(c.Rows) {
			t.Errorf("control %s: %d rows by hand, %d findings, %d rows in the report; hash %s", c.ID, n, c.Findings, len(c.Rows), c.SHA256)
		}
		for _, line := range strings.Split(summary, "\n") {
			if strings.HasPrefix(line, c.ID+" ") && strings.Contains(line, c.Verdict) {
				found++
			}
		}
		lines += max(1, c.Findings)
	}
	if found != 16 || !strings.Contains(summary, "\nVerdict: "+got.Verdict+". ") || !strings.Contains(summary, "\nCoverage: ") {
		t.Errorf("the summary:\n%s", summary)
	}
	file, err := os.Open(filepath.Join(out, "findings.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if rows, err := csv.NewReader(file).ReadAll(); err != nil || len(rows) != 1+lines {
		t.Errorf("findings.csv: %d lines, want %d; %v", len(rows), 1+lines, err)
	}
	page, err := os.ReadFile(filepath.Join(out, "report.html"))
	if err != nil || !strings.HasPrefix(string(page), "<!doctype html>") {
		t.Errorf("report.html: %v", err)
	}

	var again reportFile
	code, stdout, _ := trailql(t, append(args, "--format", "json")...)
	if err := json.Unmarshal([]byte(stdout), &again); code != 0 || err != nil {
		t.Fatalf("exit %d, %v", code, err)
	}
	for i, c := range again.Controls {
		if c.SHA256 != got.Controls[i].SHA256 {
			t.Errorf("control %s: another hash when run again", c.ID)
		}
	}
	for format, begin := range map[string]string{"html": "<!doctype html>", "csv": "control,title,verdict,"} {
		if code, stdout, errs := trailql(t, append(args, "--format", format)...); code != 0 || errs != "" || !strings.HasPrefix(stdout, begin) {
			t.Errorf("%s: exit %d, %s", format, code, errs)
		}
	}

	// The runs are in the history, by hand.
	store, err := report.OpenStore(t.Context(), state)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	runs, err := store.Runs(t.Context(), 10)
	if err != nil || len(runs) != 4 {
		t.Fatalf("%d runs, %v", len(runs), err)
	}
	hash := sha256.Sum256(text)
	if r := runs[3]; r.Schedule != "" || r.Pack != "cis-3.0" || r.State != report.RunOK || string(r.Verdict) != got.Verdict || r.Out != out || r.SHA256 != hex.EncodeToString(hash[:]) {
		t.Errorf("%+v", r)
	}

	// A copy of the pack is held against the lake, changed, and run.
	mine := filepath.Join(t.TempDir(), "mine")
	if code, _, errs := trailql(t, "report", "export", "cis-3.0", mine); code != 0 {
		t.Fatal(errs)
	}
	pack := filepath.Join(mine, "cis-3.0.yaml")
	if code, stdout, errs := trailql(t, "report", "lint", pack, "--lake", lake); code != 0 || stdout+errs != "" {
		t.Errorf("exit %d: %s%s", code, stdout, errs)
	}
	query := filepath.Join(mine, "root_use.sql")
	sql, err := os.ReadFile(query)
	if err == nil {
		err = os.WriteFile(query, []byte(strings.Replace(string(sql), "eventid", "evntid", 1)), 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
	if code, stdout, errs := trailql(t, "report", "lint", pack, "--lake", lake); code != exitFailed || errs != "trailql: 1 problem\n" ||
		!strings.HasPrefix(stdout, query+":") || !strings.Contains(stdout, `"evntid" does not exist; did you mean "eventid"?`) {
		t.Errorf("exit %d: %s%s", code, stdout, errs)
	}
	code, stdout, _ = trailql(t, "report", "run", pack, "--lake", lake, "--from", "2026-03-02", "--to", "2026-03-04")
	if code != 0 || !strings.Contains(stdout, `4.3: The query failed: line `) || !strings.Contains(stdout, "Verdict: not provable. ") {
		t.Errorf("exit %d: a query that fails belongs into the report:\n%s", code, stdout)
	}
}

func TestReportListAndShow(t *testing.T) {
	code, list, _ := trailql(t, "report", "list")
	if code != 0 || !strings.HasPrefix(list, "PACK ") || !strings.Contains(list, "\ncis-3.0  16 ") {
		t.Errorf("exit %d:\n%s", code, list)
	}
	code, all, _ := trailql(t, "report", "show", "cis-3.0")
	one, three, _ := trailql(t, "report", "show", "cis-3.0", "4.3")
	if code != 0 || one != 0 || !strings.Contains(all, three) || !strings.HasPrefix(three, "-- 4.3 ") || strings.Count(three, ":from") != 1 || strings.Count(all, "\n-- 4.") != 16 {
		t.Errorf("exit %d, %d:\n%s\n%s", code, one, three, all)
	}
}

func TestWrongUseOfReports(t *testing.T) {
	t.Setenv("TRAILQL_STATE", t.TempDir())
	empty := t.TempDir()
	run := []string{"report", "run", "cis-3.0", "--lake", filepath.Join(empty, "missing")}
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"report"}, exitUsage, "report what? name a command\ntry: trailql report --help\n"},
		{[]string{"report", "frobnicate"}, exitUsage, `"frobnicate"`},
		{[]string{"report", "list", "x"}, exitUsage, `"x"`},
		{[]string{"report", "show"}, exitUsage, "write it like: trailql report "},
		{[]string{"report", "show", "cis-9.9"}, exitFailed, `there is no pack "cis-9.9"; there are cis-1.4,`},
		{[]string{"report", "show", "cis-3.0", "9"}, exitFailed, `the pack cis-3.0 has no control "9"`},
		{[]string{"report", "lint"}, exitUsage, "write it like: trailql report "},
		{[]string{"report", "lint", filepath.Join(empty, "p.yaml")}, exitFailed, "p.yaml"},
		{[]string{"report", "export", "cis-3.0"}, exitUsage, "write it like: trailql report export PACK DIR\ntry: trailql report export --help\n"},
		{[]string{"report", "lst"}, exitUsage, `trailql report has no command "lst"; did you mean list?`},
		{[]string{"report", "list", "all"}, exitUsage, `trailql report list takes no argument; found "all"`},
		{run, exitUsage, "name the period: --from 2026-03-01 --to 2026-04-01 is March, --last month the month before this"},
		{append(run, "--from", "2026-03-01"), exitUsage, "name the period"},
		{append(run, "--last", "month", "--to", "2026-04-01"), exitUsage, "not both"},
		{append(run, "--last", "year"), exitUsage, `"year"`},
		{append(run, "--last", "day", "--tz", "Mars"), exitUsage, `no time zone "Mars"`},
		{append(run, "--last", "day"), exitFailed, "there is no lake at"},
		{append(run, "--from", "March", "--to", "2026-04-01"), exitUsage, `--from "March" is no date; write it like 2026-03-01`},
		{append(run, "--from", "2026-03-01", "--to", "2026-02-30"), exitUsage, `--to "2026-02-30" is no date`},
		{append(run, "--from", "2026-03-01", "--to", "2026-03-01"), exitUsage, "the period is empty: --to 2026-03-01 is not included"},
		{append(run, "--from", "2026-03-01", "--to", "2026-04-01", "--format", "pdf"), exitUsage, `there is no format "pdf"; take one of text, json, html, csv`},
		{append(run, "--from", "2026-03-01", "--to", "2026-04-01", "--memory", "1MiB"), exitUsage, "at least 64MiB"},
		{append(run, "--from", "2026-03-01", "--to", "2026-04-01"), exitFailed, "there is no lake at"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			code, out, errs := trailql(t, c.args...)
			if code != c.code || out != "" || !strings.Contains(errs, c.says) || strings.HasSuffix(errs, " --help\n") != (c.code == exitUsage) {
				t.Errorf("exit %d, want %d\nstdout %q\nstderr %q\nwant %q", code, c.code, out, errs, c.says)
			}
		})
	}
	if entries, err := os.ReadDir(empty); err != nil || len(entries) != 0 {
		t.Errorf("wrong use left something behind: %v, %v", entries, err)
	}
}
