package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestViews: what one process defines, the next one knows; the lake's own tables are out of reach.
func TestViews(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	if code, _, errs := trailql(t, "demo", "--dir", dir, "--events", "500", "--days", "1"); code != 0 {
		t.Fatal(errs)
	}
	lake := filepath.Join(dir, "lake")
	ask := func(sql string) string {
		t.Helper()
		code, out, errs := trailql(t, "query", "--quiet", "--lake", lake, "--format", "csv", sql)
		if code != 0 {
			t.Fatalf("%s: %s", sql, errs)
		}
		return out
	}
	refused := func(sql, want string) {
		t.Helper()
		if code, _, errs := trailql(t, "query", "--lake", lake, sql); code != exitFailed || !strings.Contains(errs, want) {
			t.Errorf("%s: exit %d, %s; want %s", sql, code, errs, want)
		}
	}
	if out := ask("CREATE VIEW sec.names AS SELECT eventname, count(*) AS n FROM cloudtrail_logs GROUP BY 1"); out != "result\nview sec.names is defined\n" {
		t.Errorf("%q", out)
	}
	if got, want := ask("SELECT sum(n) AS n FROM sec.names"), ask("SELECT count(*) AS n FROM cloudtrail_logs"); got != want {
		t.Errorf("the view has %s of %s", got, want)
	}
	if out := ask("SHOW CREATE VIEW sec.names"); !strings.Contains(out, "CREATE VIEW sec.names AS SELECT eventname, count(*) AS n FROM cloudtrail_logs GROUP BY 1") {
		t.Errorf("%q", out)
	}
	if out := ask("SHOW TABLES IN sec"); out != "Table\nnames\n" {
		t.Errorf("%q", out)
	}
	refused("CREATE VIEW sec.names AS SELECT 1 AS a", "line 1:13: sec.names exists already")
	refused("CREATE OR REPLACE VIEW cloudtrail_logs AS SELECT 1 AS a", "filled by \"trailql compact\"")
	refused("DROP TABLE cloudtrail_logs", "cannot be made, replaced or dropped by SQL")
	refused("INSERT INTO cloudtrail_logs SELECT * FROM cloudtrail_logs", "cannot be changed by SQL")
	refused(`CREATE VIEW "../../../x" AS SELECT 1 AS a`, "no name for a view")
	if out := ask("DROP VIEW sec.names"); out != "result\nview sec.names is dropped\n" {
		t.Errorf("%q", out)
	}
	refused("SELECT * FROM sec.names", "does not exist")
	if left, err := os.ReadDir(filepath.Join(lake, "_trailql", "definitions")); err != nil || len(left) != 0 {
		t.Errorf("%v, %v", left, err)
	}
}

// TestTables: files are read and written under roots only.
func TestTables(t *testing.T) {
	lake, dir := tinyLake(t), t.TempDir()
	root := "r=" + dir
	if err := os.WriteFile(filepath.Join(dir, "names.csv"), []byte("id,label\na,first\nc,third\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		roots []string
		sql   string
		code  int
		want  string
	}{
		{[]string{root}, "CREATE EXTERNAL TABLE names (id string, label string) ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde' LOCATION 'r/names.csv' TBLPROPERTIES ('skip.header.line.count' = '1')", 0, "table names is defined"},
		{[]string{root}, "SELECT l.eventid, n.label FROM cloudtrail_logs l LEFT JOIN names n ON n.id = l.eventid ORDER BY 1", 0, "a,first\nb,\n"},
		{nil, "SELECT * FROM names", exitFailed, "the files of table names cannot be reached"},
		{nil, "CREATE TABLE t AS SELECT eventid FROM cloudtrail_logs", exitFailed, "start trailql with --root NAME=FOLDER"},
		{nil, "UNLOAD (SELECT eventid FROM cloudtrail_logs) TO '" + dir + "/x' WITH (format = 'CSV')", exitFailed, "is in no root"},
		{[]string{root}, "CREATE TABLE t AS SELECT eventid, region FROM cloudtrail_logs", 0, "rows\n2\n"},
		{[]string{root}, "SELECT count(*) AS n FROM t", 0, "n\n2\n"},
		{[]string{root}, "UNLOAD (SELECT eventid FROM cloudtrail_logs ORDER BY 1) TO '" + dir + "/out' WITH (format = 'CSV')", 0, "rows\n2\n"},
		{[]string{root}, "UNLOAD (SELECT 1 AS a) TO '" + lake + "/cloudtrail_logs/x' WITH (format = 'CSV')", exitFailed, "is in no root"},
		{[]string{"r"}, "SELECT 1", exitUsage, "--root r: write NAME=FOLDER"},
		{[]string{"r=" + dir + "/nothing"}, "SELECT 1", exitUsage, "no such file"},
		{[]string{root, root}, "SELECT 1", exitUsage, "--root r is there twice"},
		{[]string{"l=" + lake}, "SELECT 1", exitUsage, "neither may"},
		{[]string{"l=" + filepath.Dir(lake)}, "SELECT 1", exitUsage, "neither may"},
		{[]string{"l=" + filepath.Join(lake, "cloudtrail_logs")}, "SELECT 1", exitUsage, "neither may"},
	} {
		args := []string{"query", "--quiet", "--lake", lake, "--format", "csv", c.sql}
		for _, r := range c.roots {
			args = append(args, "--root", r)
		}
		if code, out, errs := trailql(t, args...); code != c.code || !strings.Contains(out+errs, c.want) {
			t.Errorf("%v %s: exit %d\n%s%s\n want %s", c.roots, c.sql, code, out, errs, c.want)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "out", "part-*.csv"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	if text, err := os.ReadFile(files[0]); err != nil || string(text) != "eventid\na\nb\n" {
		t.Errorf("%q, %v", text, err)
	}
	if code, _, errs := trailql(t, "query", "--server", "http://127.0.0.1:1", "--root", root, "SELECT 1"); code != exitUsage || !strings.Contains(errs, "the server has roots of its own") {
		t.Errorf("exit %d, %s", code, errs)
	}
}

// TestServeAndDefinitions: a server defines nothing unless it is told to; what it writes stands in the history and is never answered again.
func TestServeAndDefinitions(t *testing.T) {
	lake, dir := tinyLake(t), t.TempDir()
	for _, allowed := range []bool{false, true} {
		state := t.TempDir()
		args := []string{"--root", "r=" + dir}
		if allowed {
			args = append(args, "--allow-ddl")
		}
		s := serve(t, lake, state, args...)
		ask := func(sql string) string {
			t.Helper()
			_, out, errs := trailql(t, "query", "--quiet", "--server", s.url, "--token-file", filepath.Join(state, "token"), "--format", "csv", sql)
			return out + errs
		}
		for _, c := range []struct{ sql, want string }{
			{"CREATE VIEW v AS SELECT eventid FROM cloudtrail_logs", "view v is defined"},
			{"SELECT count(*) AS n FROM v", "n\n2\n"},
			{"UNLOAD (SELECT * FROM v) TO 'r/out' WITH (format = 'JSON')", "rows\n2\n"},
			{"UNLOAD (SELECT * FROM v) TO 'r/out' WITH (format = 'JSON')", "there are files at 'r/out' already"},
			{"CREATE OR REPLACE VIEW v AS SELECT eventid FROM cloudtrail_logs WHERE eventid = 'a'", "view v is defined"},
			{"SELECT count(*) AS n FROM v", "n\n1\n"}, // not the answer of before
			{"SELECT state, cached FROM query_history WHERE sql LIKE 'UNLOAD%' ORDER BY submitted", "state,cached\nsucceeded,false\nfailed,"},
			{"DROP VIEW v", "view v is dropped"},
			{"CREATE VIEW query_history AS SELECT 1 AS a", "query_history is a table of trailql itself"},
		} {
			want := c.want
			if !allowed {
				want = "statements that define or write are not allowed here"
				if strings.HasPrefix(c.sql, "SELECT") || strings.Contains(c.sql, "FROM v") || strings.Contains(c.sql, "query_history") {
					continue
				}
			}
			if got := ask(c.sql); !strings.Contains(got, want) {
				t.Errorf("allowed %v, %s:\n%s\n want %s", allowed, c.sql, got, want)
			}
		}
		if code, errs := s.stop(); code != 0 {
			t.Errorf("exit %d, %s", code, errs)
		}
	}
}
