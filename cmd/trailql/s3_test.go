package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/blob/s3server"
)

// upload puts the files below a folder into a store.
func upload(t *testing.T, folder string, s blob.Store) {
	t.Helper()
	from, err := blob.OpenFolder(folder)
	if err != nil {
		t.Fatal(err)
	}
	err = from.List(t.Context(), "", "", func(in blob.Info) error {
		data, err := from.ReadAll(t.Context(), in.Name)
		if err != nil {
			return err
		}
		w, err := s.Create(t.Context(), in.Name)
		if err != nil {
			return err
		}
		if _, err := w.Write(data); err != nil {
			return err
		}
		return w.Close()
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The same trail gives the same lake through a folder and through S3, and each face answers over it.
func TestLakeInS3(t *testing.T) {
	server := s3server.Start(t)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir, state := t.TempDir(), t.TempDir()
	if code, _, errs := trailql(t, "demo", "--trail-only", "--dir", dir, "--events", "1000", "--days", "2", "--accounts", "2", "--regions", "1"); code != 0 {
		t.Fatal(errs)
	}
	trail := filepath.Join(dir, "trail")
	source, lake, folder := server.Versioned(t, "org-trail")+"/some/where", server.Bucket(t, "org-lake")+"/the/lake", filepath.Join(dir, "lake")
	upload(t, trail, server.Open(t, source, server.Access()))
	s3 := func(args ...string) (code int, out, errs string) {
		return trailql(t, append(args, "--endpoint-url", server.Endpoint)...)
	}
	if code, _, errs := trailql(t, "compact", trail, "--lake", folder); code != exitQuarantine {
		t.Fatal(errs)
	}
	code, _, errs := s3("compact", source, "--lake", lake)
	if code != exitQuarantine {
		t.Fatalf("exit %d: %s", code, errs)
	}
	if code, _, again := s3("compact", source+"/", "--lake", lake); code != 0 || !strings.Contains(again, " 0 new") {
		t.Errorf("the second time: exit %d: %s", code, again)
	}

	for _, sql := range []string{
		`SELECT *, eventjson, _time, _row, _conflict FROM cloudtrail_logs ORDER BY eventid, eventtime, _row`,
		`SELECT *, eventjson FROM cloudtrail_insights ORDER BY eventid`,
		`SELECT substr(path, -60) AS name, kind, state, records, rows, duplicates, quarantined, sha256, size FROM trail_files ORDER BY 1`,
		`SELECT eventid, row FROM trail_duplicates ORDER BY 1, 2`,
		`SELECT count(*), count(DISTINCT sha256) FROM trail_digests`,
		`SELECT reason, record FROM trail_quarantine ORDER BY 1, 2`,
		`SELECT eventname, count(*) FROM cloudtrail_logs WHERE date = DATE '2026-03-02' GROUP BY 1 ORDER BY 2 DESC, 1`,
		`SELECT eventtime, eventname FROM cloudtrail_logs WHERE errorcode IS NOT NULL ORDER BY eventtime DESC, eventid LIMIT 5`,
	} {
		code, want, errs := trailql(t, "query", "-q", "--format", "csv", "--lake", folder, sql)
		s3code, got, s3errs := s3("query", "-q", "--format", "csv", "--lake", lake, sql)
		if code != 0 || s3code != 0 || want != got {
			t.Errorf("%s\nfolder: %.300s%s\nS3: %.300s%s", sql, want, errs, got, s3errs)
		}
	}

	if code, out, errs := s3("query", "-q", "--format", "csv", "--lake", lake, `SELECT count(*) > 0 AND count(*) = count(version) AS all_versions FROM trail_files`); code != 0 || !strings.Contains(out, "true") {
		t.Errorf("versions in the ledger: %s%s", out, errs)
	}
	if code, _, errs := s3("query", "--lake", lake, `CREATE VIEW denied AS SELECT eventid FROM cloudtrail_logs WHERE errorcode LIKE '%Denied%'`); code != 0 {
		t.Errorf("CREATE VIEW: %s", errs)
	}
	if code, out, errs := s3("shell", "-q", "--format", "csv", "--lake", lake, "-e", "SELECT count(*) > 0 AS some FROM denied"); code != 0 || out != "some\ntrue\n" {
		t.Errorf("shell: %s%s", out, errs)
	}
	if code, out, errs := s3("report", "run", "cis-3.0", "--lake", lake, "--state", state, "--from", "2026-03-02", "--to", "2026-03-03"); code != 0 || !strings.Contains(out, "lake "+lake) {
		t.Errorf("report: %.300s%s", out, errs)
	}
	answering := serve(t, lake, state, "--endpoint-url", server.Endpoint)
	code, out, errs := trailql(t, "query", "-q", "--format", "csv", "--server", answering.url, "--token-file", filepath.Join(state, "token"), "SELECT count(*) AS n FROM trail_files")
	if code != 0 || !strings.HasPrefix(out, "n\n") {
		t.Errorf("serve: %s%s", out, errs)
	}
	if code, errs := answering.stop(); code != 0 {
		t.Errorf("serve ends with %d: %s", code, errs)
	}

	for what, c := range map[string]struct {
		args []string
		code int
		says []string
	}{
		"no lake":           {[]string{"query", "--lake", "s3://org-lake/none", "SELECT 1"}, exitFailed, []string{"no lake in s3://org-lake/none", "make one with"}},
		"no bucket":         {[]string{"query", "--lake", "s3://nobody-made-this/lake", "SELECT 1"}, exitFailed, []string{"no such bucket"}},
		"no bucket's name":  {[]string{"query", "--lake", "s3:///lake", "SELECT 1"}, exitFailed, []string{"name the bucket"}},
		"another store":     {[]string{"query", "--lake", "gs://org/lake", "SELECT 1"}, exitFailed, []string{"folders or s3://"}},
		"the lake's own":    {[]string{"compact", lake, "--lake", lake}, exitUsage, []string{"is in the lake"}},
		"an odd endpoint":   {[]string{"query", "--lake", lake, "--endpoint-url", "example", "SELECT 1"}, exitFailed, []string{"https://"}},
		"a missing profile": {[]string{"query", "--lake", lake, "--profile", "nobody", "SELECT 1"}, exitFailed, []string{"nobody"}},
	} {
		code, _, errs := s3(c.args...)
		if c.args[len(c.args)-2] == "example" || what == "an odd endpoint" {
			code, _, errs = trailql(t, c.args...)
		}
		for _, s := range c.says {
			if code != c.code || !strings.Contains(errs, s) {
				t.Errorf("%s: exit %d, %q is not in %q", what, code, s, errs)
			}
		}
	}
	t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong")
	if code, _, errs := s3("query", "--lake", lake, "SELECT 1"); code != exitFailed || !strings.Contains(errs, "access denied") && !strings.Contains(errs, "does not take these AWS credentials") {
		t.Errorf("wrong credentials: exit %d, %s", code, errs)
	}
	os.Unsetenv("AWS_SECRET_ACCESS_KEY")
	os.Unsetenv("AWS_ACCESS_KEY_ID")
	if code, _, errs := s3("query", "--lake", lake, "SELECT 1"); code != exitFailed || !strings.Contains(errs, "no AWS credentials were found") {
		t.Errorf("no credentials: exit %d, %s", code, errs)
	}
}
