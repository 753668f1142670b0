package compact

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/sqlitefile"
	"github.com/trailql/trailql/engine/source"
)

// needleTrail has an object of few events for each of some days. Ids are unique; keys, addresses and resources come back.
func needleTrail(from, to int) trail {
	tr := trail{}
	for day := from; day <= to; day++ {
		var events []string
		for i := range 5 {
			n := 5*day + i
			extra := []string{fmt.Sprintf(`"requestID":"req-%d"`, n), fmt.Sprintf(`"sourceIPAddress":"10.0.%d.%d"`, day%3, i),
				fmt.Sprintf(`"userIdentity":{"type":"IAMUser","accessKeyId":"AKIA%d"}`, n/7)}
			if i > 0 {
				extra = append(extra, fmt.Sprintf(`"resources":[{"ARN":"arn:aws:s3:::b%d","accountId":"1"},{"accountId":"2"},{"ARN":"arn:aws:s3:::c%d"}]`, n, i))
			}
			events = append(events, event(fmt.Sprintf("id-%d", n), day, i, extra...))
		}
		tr[objectName("eu-west-1", day, 1, day)] = content(events...)
	}
	return tr
}

var needles = []struct {
	where string
	few   bool // most files must be left out
}{
	{`eventid = 'id-57'`, true},
	{`eventid = 'id-none'`, true},
	{`'id-57' = eventid AND eventname = 'GetObject'`, true},
	{`eventid IN ('id-57', 'id-99', NULL, 'none')`, true},
	{`eventid = 'id-57' OR requestid = 'req-60'`, true},
	{`eventid = 'id-57' OR requestid = 'req-60' OR eventtime < '2026'`, false},
	{`(eventid = 'id-57' AND eventtime > '2026') OR (requestid = 'req-60' AND eventname = 'GetObject')`, true},
	{`requestid = 'req-70' AND useridentity.accesskeyid = 'AKIA10'`, true},
	{`requestid = 'req-70' AND useridentity.accesskeyid = 'AKIA11'`, true},
	{`useridentity.accesskeyid = 'AKIA9'`, true},
	{`useridentity.accesskeyid <> 'AKIA9'`, false},
	{`NOT (eventid = 'id-57')`, false},
	{`sourceipaddress = '10.0.1.2'`, false},
	{`any_match(resources, r -> r.arn = 'arn:aws:s3:::b57')`, true},
	{`any_match(resources, r -> r.arn = 'arn:aws:s3:::c2')`, false},
	{`any_match(resources, r -> r.arn = 'arn:aws:s3:::b57' OR r.arn IN ('arn:aws:s3:::b58', 'x'))`, true},
	{`any_match(resources, r -> r.arn = eventid)`, false},
	{`none_match(resources, r -> r.arn = 'arn:aws:s3:::b57')`, false},
	{`contains(transform(resources, r -> r.arn), 'arn:aws:s3:::b57')`, true},
	{`eventid = 'id-57' AND date > date '2026-02-05'`, true},
	{`eventid IS NULL`, false},
	{`CROSS JOIN UNNEST(resources) AS t (r) WHERE r.arn = 'arn:aws:s3:::b57'`, true},
	{`CROSS JOIN UNNEST(resources) AS t (arn, accountid, type) WHERE arn IN ('arn:aws:s3:::b57', 'arn:aws:s3:::b58') AND eventname = 'GetObject'`, true},
	{`CROSS JOIN UNNEST(resources) AS t (r) WHERE r.arn = 'arn:aws:s3:::c2'`, false},
	{`CROSS JOIN UNNEST(resources) AS t (r) WHERE r.arn = 'arn:aws:s3:::b57' OR r.accountid = '2'`, false},
	{`CROSS JOIN UNNEST(resources) AS t (r) WHERE r.arn IS NULL`, false},
	{`LEFT JOIN UNNEST(resources) AS t (r) ON true WHERE r.arn IS NULL`, false},
	{`LEFT JOIN UNNEST(resources) AS t (r) ON true WHERE r.arn = 'arn:aws:s3:::b57'`, true},
	{`CROSS JOIN UNNEST(transform(resources, r -> r.arn), sequence(1, 4)) WITH ORDINALITY AS t (a, n, o) WHERE a = 'arn:aws:s3:::b57'`, true},
	{`CROSS JOIN UNNEST(transform(resources, r -> r.arn), sequence(1, 4)) WITH ORDINALITY AS t (a, n, o) WHERE n = 4`, false},
	{`CROSS JOIN UNNEST(resources) WITH ORDINALITY AS t (r, o) WHERE o = 2 AND r.accountid = '2' AND eventid > 'id-3'`, false},
}

// checkNeedles compares each answer with that of the files alone, and tells how many files were left out.
func checkNeedles(t *testing.T, l *catalog.Lake) (pruned []int64, files int64) {
	t.Helper()
	for _, n := range needles {
		text := "SELECT eventid, sourceipaddress FROM cloudtrail_logs WHERE " + n.where
		if strings.HasPrefix(n.where, "CROSS") || strings.HasPrefix(n.where, "LEFT") {
			text = "SELECT eventid, sourceipaddress FROM cloudtrail_logs " + n.where
		}
		got, stats := query(t, l, text, source.Switches{})
		want, _ := query(t, l, text, source.Switches{Partition: true, File: true, Index: true, RowGroup: true, Bloom: true, Dictionary: true, Page: true, Late: true})
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d rows with the index, %d without", n.where, len(got), len(want))
		}
		pruned, files = append(pruned, stats.FilesPruned), stats.Files
	}
	return pruned, files
}

// A needle opens only files that have it, whichever run brought them, and whether they were merged.
func TestNeedles(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long under the race detector, which sees the same code in other tests; make test runs it")
	}
	l := newLake(t)
	for run := range 3 {
		compactTest(t, l, nil, needleTrail(1+9*run, 9+9*run).folder(t))
	}
	pruned, files := checkNeedles(t, l)
	if files != 27 {
		t.Errorf("%d files", files)
	}
	for i, n := range needles {
		if n.few && pruned[i] < files-3 {
			t.Errorf("%s: only %d of %d files are left out", n.where, pruned[i], files)
		}
	}
	// More of the same days: files are merged, and their segments with others.
	before := newestOf(t, l)
	for run := range 8 {
		tr := trail{}
		for day := 3; day <= 20; day++ {
			tr[objectName("eu-west-1", day, 2+run, 100*(run+1)+day)] = content(event(fmt.Sprintf("late-%d-%d", run, day), day, 60+run, `"requestID":"req-60"`))
		}
		compactTest(t, l, nil, tr.folder(t))
	}
	if newestOf(t, l) == before {
		t.Fatal("nothing was committed")
	}
	pruned, files = checkNeedles(t, l)
	for i, n := range needles {
		if n.where == `eventid = 'id-57'` && pruned[i] < files-3 {
			t.Errorf("%s: only %d of %d files are left out", n.where, pruned[i], files)
		}
	}
	for run := range 8 {
		text := fmt.Sprintf("SELECT count(*) FROM cloudtrail_logs WHERE eventid = 'late-%d-7'", run)
		if got, stats := query(t, l, text, source.Switches{}); got[0] != "1" || stats.FilesPruned < stats.Files-3 {
			t.Errorf("%s: %s, %d of %d files left out", text, got, stats.FilesPruned, stats.Files)
		}
	}
}

func newestOf(t *testing.T, l *catalog.Lake) int64 {
	t.Helper()
	s, err := l.Newest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s.Version()
}

// Whatever is wrong with the filters in the index, no row is lost, and the next run puts them right.
func TestDamagedNeedles(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long under the race detector, which sees the same code in other tests; make test runs it")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "_trailql", "index.db")
	l := openLake(t, store(t, dir))
	compactTest(t, l, nil, needleTrail(1, 14).folder(t))
	l.Close()
	stale, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	l = openLake(t, store(t, dir))
	compactTest(t, l, nil, needleTrail(15, 26).folder(t))
	whole, _ := checkNeedles(t, l)
	l.Close()
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	strange := openLake(t, store(t, other))
	compactTest(t, strange, nil, needleTrail(2, 27).folder(t))
	strange.Close()

	run := func(statements ...string) func(t *testing.T) {
		return func(t *testing.T) {
			db, err := sqlitefile.Open(context.Background(), sqlitefile.File{Path: path, Format: 4, Wait: time.Second})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			for _, s := range statements {
				if _, err := db.ExecContext(context.Background(), s, sql.Named("other", filepath.Join(other, "_trailql", "index.db"))); err != nil {
					t.Fatalf("%s: %v", s, err)
				}
			}
		}
	}
	flip := func(table, column, where string) string {
		return fmt.Sprintf(`UPDATE %[1]s SET %[2]s = CAST(substr(%[2]s, 1, length(%[2]s)/2) || x'a7' || substr(%[2]s, length(%[2]s)/2 + 2) AS BLOB) WHERE %[3]s`, table, column, where)
	}
	for name, damage := range map[string]func(t *testing.T){
		"nothing": func(*testing.T) {},
		"stale": func(t *testing.T) {
			if err := os.WriteFile(path, stale, 0o666); err != nil {
				t.Fatal(err)
			}
		},
		"no stacks":               run("DELETE FROM stacks"),
		"a stack lost":            run("DELETE FROM stacks WHERE id % 3 = 1"),
		"stacks without bits":     run("UPDATE stacks SET data = zeroblob(length(data))"),
		"a byte of stacks":        run(flip("stacks", "data", "id % 2 = 0")),
		"stacks exchanged":        run("UPDATE stacks SET data = (SELECT data FROM stacks s WHERE length(s.data) = length(stacks.data) AND s.id <> stacks.id LIMIT 1) WHERE EXISTS (SELECT 1 FROM stacks s WHERE length(s.data) = length(stacks.data) AND s.id <> stacks.id)"),
		"a byte of segments":      run(flip("segments", "head", "tbl = 'cloudtrail_logs'")),
		"a segment lost":          run("DELETE FROM segments WHERE tbl = 'cloudtrail_logs'"),
		"files in no segment":     run("UPDATE files SET segment = NULL"),
		"files in other segments": run("UPDATE files SET segment = (SELECT min(id) FROM segments WHERE tbl = files.tbl)", "UPDATE files SET segment = segment + 1 WHERE key % 2 = 0"),
		"keys of other files":     run("UPDATE files SET key = key + 1"),
		"a byte of partitions":    run(flip("partitions", "list", "tbl = 'cloudtrail_logs'")),
		"of another lake": run("ATTACH @other AS other", "DELETE FROM stacks", "DELETE FROM segments", "INSERT INTO stacks SELECT * FROM other.stacks",
			"INSERT INTO segments SELECT * FROM other.segments", "UPDATE files SET segment = (SELECT min(id) FROM segments WHERE tbl = files.tbl)"),
	} {
		t.Run(name, func(t *testing.T) {
			if err := sqlitefile.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, good, 0o666); err != nil {
				t.Fatal(err)
			}
			damage(t)
			l := openLake(t, store(t, dir))
			checkNeedles(t, l)
			compactTest(t, l, nil, t.TempDir())
			if pruned, _ := checkNeedles(t, l); !slices.Equal(pruned, whole) {
				t.Errorf("after another run %d files are left out, %d before", pruned, whole)
			}
			l.Close()
		})
	}
}
