package compact

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/source"
)

// A version has the same rows before and after merges and sweeps, in every table, through views and joins, by its number and by time.
func TestAsOf(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long under the race detector, which sees the same code in other tests; make test runs it")
	}
	dir := t.TempDir()
	clock := testNow()
	now := func() time.Time { return clock }
	open := func(index string) *catalog.Lake {
		l, err := catalog.Open(context.Background(), store(t, dir), catalog.Options{Now: now, IndexPath: index})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l
	}
	l := open("")
	tr := randomTrail(5, 40)
	tr[digestName(1)] = digest(1, "null")
	tr[objectName("eu-west-1", 1, 61, 900)] = content(event("q", 1, 1), "7")
	// _conflict tells of the lake as it is: what a later version brought may be in conflict with a row of an earlier one.
	questions := []string{
		"SELECT eventid, eventtime, _path, _row, _commit, account, eventjson FROM cloudtrail_logs%s",
		"SELECT account, count(*), min(_time) FROM cloudtrail_logs%s GROUP BY 1",
		"SELECT count(*) FROM cloudtrail_logs%s",
		"SELECT count(*) FROM cloudtrail_logs%s WHERE eventtime < '2026-02-02'",
		"SELECT * FROM trail_files%s", "SELECT * FROM trail_duplicates%s", "SELECT * FROM trail_quarantine%s", "SELECT * FROM trail_digests%s",
		"SELECT * FROM cloudtrail_lake%s AS x", "SELECT * FROM cloudtrail_amended%s",
		"SELECT f.path, count(*) FROM trail_files%s f JOIN cloudtrail_logs%[1]s e ON e._path = f.path GROUP BY 1",
		"WITH w AS (SELECT eventid FROM cloudtrail_logs%s) SELECT count(*), count(DISTINCT eventid) FROM w",
		`SELECT * FROM "cloudtrail_logs$partitions"%s`,
	}
	ask := func(l *catalog.Lake, asOf string) []string {
		var out []string
		for _, q := range questions {
			rows, _ := query(t, l, fmt.Sprintf(q, asOf), source.Switches{})
			slices.Sort(rows)
			out = append(out, fmt.Sprintf("%d rows of %s\n%s", len(rows), q, strings.Join(rows, "\n")))
		}
		return out
	}
	type state struct {
		version int64
		at      time.Time
		answers []string
	}
	var states []state
	names := sortedNames(tr)
	delivered := t.TempDir()
	for i := 0; i < len(names); i += 2 {
		part := trail{}
		for _, n := range names[i:min(i+2, len(names))] {
			part[n] = tr[n]
		}
		part.write(t, delivered)
		clock = clock.Add(time.Hour)
		compactTest(t, l, func(o *Options) { o.NoMerge = i%16 < 14; o.Now = now }, delivered)
		s := state{version: newestOf(t, l), at: clock}
		if n := len(states); n%5 == 0 || i+4 >= len(names) {
			s.answers = ask(l, "")
		}
		states = append(states, s)
	}
	// Sweep leaves only files that are live, and the index is built anew, then anew from the checkpoint alone.
	clock = clock.Add(30 * 24 * time.Hour)
	if swept, err := l.Sweep(t.Context(), time.Hour); err != nil || swept.Files == 0 {
		t.Fatalf("swept %+v, %v", swept, err)
	}
	if err := l.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	check := func(l *catalog.Lake, byTime bool) {
		t.Helper()
		for _, s := range states {
			if s.answers == nil {
				continue
			}
			clauses := []string{fmt.Sprintf(" FOR VERSION AS OF %d", s.version)}
			if byTime {
				clauses = append(clauses, " FOR TIMESTAMP AS OF timestamp '"+s.at.Add(time.Minute).Format("2006-01-02 15:04:05")+" UTC'")
			}
			for _, clause := range clauses {
				for i, got := range ask(l, clause) {
					if got != s.answers[i] {
						t.Fatalf("%s: %s\nwant %s", clause, got, s.answers[i])
					}
				}
			}
		}
	}
	check(l, true)
	for _, c := range []struct{ from, want string }{
		{"cloudtrail_logs FOR VERSION AS OF 10000", "there is no version 10000: the lake has versions 0 to"},
		{"cloudtrail_logs FOR VERSION AS OF -1", "there is no version -1"},
		{"cloudtrail_logs FOR TIMESTAMP AS OF timestamp '2001-01-01 00:00:00 UTC'", "what was the newest version at 2001-01-01T00:00:00Z is not known"},
		{"cloudtrail_logs FOR TIMESTAMP AS OF 3", "takes a date or a timestamp, not integer"},
		{"cloudtrail_logs FOR VERSION AS OF date '2026-01-01'", "takes a number, not date"},
		{"cloudtrail_logs FOR VERSION AS OF NULL", "takes a number, not unknown"},
		{"cloudtrail_logs FOR VERSION AS OF x", "x"},
		{`"cloudtrail_logs$history" FOR VERSION AS OF 1`, "has no versions"},
		{"information_schema.tables FOR VERSION AS OF 1", "has no versions"},
	} {
		_, err := engine.New(l).Query(t.Context(), "SELECT count(*) FROM "+c.from, engine.Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.from, err)
		}
	}
	history, _ := query(t, l, `SELECT max(snapshot_id), sum(added_rows) - sum(removed_rows), count_if(operation = 'OPTIMIZE') > 0, min(made_current_at) FROM "cloudtrail_logs$history"`, none)
	live, _ := query(t, l, `SELECT max(snapshot_id), sum(record_count) FROM "cloudtrail_logs$files"`, none)
	rows, _ := query(t, l, "SELECT count(*) FROM cloudtrail_logs", none)
	if !strings.HasSuffix(strings.Split(history[0], "|true|")[0], "|"+rows[0]) || !strings.HasSuffix(live[0], "|"+rows[0]) {
		t.Errorf("history %v, files %v; there are %v rows", history, live, rows)
	}
	check(open(filepath.Join(t.TempDir(), "new.db")), true)
	for v := int64(0); v < newestOf(t, l); v++ {
		if _, err := os.Stat(filepath.Join(dir, fmt.Sprintf("trail_files/_delta_log/%020d.checkpoint.parquet", v))); err == nil && v > states[0].version {
			break
		}
		if err := os.Remove(filepath.Join(dir, fmt.Sprintf("trail_files/_delta_log/%020d.json", v))); err != nil {
			t.Fatal(err)
		}
	}
	check(open(filepath.Join(t.TempDir(), "newer.db")), false)
}

var none source.Switches
