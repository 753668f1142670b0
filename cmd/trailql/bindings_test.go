package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trailql/trailql/catalog"
)

// Queries written for other people's tables run, and prune as those on the lake's own columns do.
func TestBindings(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	if code, _, errs := trailql(t, "demo", "--dir", dir, "--events", "3000", "--days", "4"); code != 0 {
		t.Fatal(errs)
	}
	lake := filepath.Join(dir, "lake")
	text := "security.trail: {of: cloudtrail_logs, eventday: yyyyMMdd, zone: region}\n"
	if err := os.WriteFile(filepath.Join(lake, filepath.FromSlash(catalog.BindingsFile)), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	ask := func(sql string) string {
		t.Helper()
		code, out, errs := trailql(t, "query", "--quiet", "--lake", lake, "--format", "csv", sql)
		if code != 0 {
			t.Fatalf("%s: %s", sql, errs)
		}
		return out
	}
	const days = `date BETWEEN DATE '2026-03-03' AND DATE '2026-03-04'`
	want := ask(`SELECT count(*) AS n FROM cloudtrail_logs WHERE ` + days)
	if want == "n\n0\n" {
		t.Fatal("the trail has no events on these days")
	}
	for _, c := range []struct{ from, where string }{
		{`cloudtrail_logs`, `"timestamp" >= '2026/03/03' AND "timestamp" <= '2026/03/04'`},
		{`default.cloudtrail_logs`, `year = '2026' AND month = '03' AND day IN ('03', '04')`},
		{`security.trail`, `eventday BETWEEN '20260303' AND '20260304'`},
		{`"awsdatacatalog"."security"."trail" t`, `t.date_partition > '2026/03/02' AND t.date_partition < '2026/03/05' AND zone = region_partition`},
		{`0a1b2c3d-4e5f-6789-abcd-ef0123456789`, `eventTime >= '2026-03-03 00:00:00' AND eventTime < '2026-03-05'`},
	} {
		if got := ask(`SELECT count(*) AS n FROM ` + c.from + ` WHERE ` + c.where); got != want {
			t.Errorf("%s: %s, want %s", c.where, got, want)
		}
		plan := ask(`EXPLAIN SELECT count(*) FROM ` + c.from + ` WHERE ` + c.where)
		if !strings.Contains(plan, "keeps partitions 18 of 36") {
			t.Errorf("%s does not prune:\n%s", c.where, plan)
		}
	}

	// The columns that are not one to one the stored ones.
	const store = `0a1b2c3d-4e5f-6789-abcd-ef0123456789`
	for sql, want := range map[string]string{
		`SELECT count(*) AS n FROM ` + store + ` WHERE sessionCredentialFromConsole = true AND NOT readOnly`: ask(
			`SELECT count(*) AS n FROM cloudtrail_logs WHERE sessioncredentialfromconsole = 'true' AND readonly = 'false'`),
		`SELECT count(*) AS n FROM ` + store + ` WHERE userIdentity.sessionContext.ec2IssuedInVPC IS NULL AND insightDetails IS NULL
			AND eventJsonChecksum IS NULL AND element_at(addendum, 'reason') IS NULL AND addendum.reason IS NULL
			AND element_at(edgeDeviceDetails, 'x') IS NULL`: ask(`SELECT count(*) AS n FROM cloudtrail_logs WHERE addendum.reason IS NULL`),
		`SELECT typeof(addendum) AS a, typeof(sessioncredentialfromconsole) AS s FROM ` + store + ` LIMIT 1`: "a,s\n\"map(varchar, varchar)\",boolean\n",
	} {
		if got := ask(sql); got != want {
			t.Errorf("%s: %s, want %s", sql, got, want)
		}
	}
	if got, want := ask(`SELECT DISTINCT date, eventday, zone, year FROM security."trail$partitions" ORDER BY 1, 3`),
		ask(`SELECT DISTINCT date, eventday, zone, year FROM security.trail ORDER BY 1, 3`); got != want {
		t.Errorf("partitions: %s, want %s", got, want)
	}
	if out := ask(`SELECT * FROM "cloudtrail_logs$partitions"`); strings.Count(out, "\n") != 37 || !strings.HasPrefix(out, "account,region,date\n") {
		t.Errorf("partitions: %s", out)
	}
	if out := ask(`DESCRIBE security.trail`); !strings.Contains(out, "eventday,varchar,\"\",date as yyyyMMdd\n") ||
		!strings.Contains(out, "year,varchar,hidden,date as yyyy\n") || !strings.Contains(out, "zone,varchar,\"\",the same as region\n") {
		t.Error(out)
	}
	if out := ask(`SELECT * FROM cloudtrail_logs LIMIT 0`); strings.Contains(out, "year") || strings.Contains(out, "timestamp") {
		t.Errorf("columns nobody asked for: %s", out)
	}
	if out := ask(`SELECT * FROM security.trail LIMIT 0`); !strings.HasSuffix(out, ",eventday,zone\n") {
		t.Errorf("columns of the binding: %s", out)
	}
}
