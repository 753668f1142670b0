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
