package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trailql/trailql/connectors/blob/s3server"
)

func TestLakeCommands(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	if code, _, errs := trailql(t, "demo", "--days", "2", "--events", "2000", "--dir", dir); code != 0 {
		t.Fatalf("exit %d: %s", code, errs)
	}
	lake := filepath.Join(dir, "lake")
	for _, c := range []struct {
		args []string
		code int
		want string // in what is printed
	}{
		{[]string{"status"}, 0, "cloudtrail_logs"},
		{[]string{"status", "--format", "yaml"}, exitUsage, "it is text or json"},
		{[]string{"check"}, 0, "0 rows removed by retention"},
		{[]string{"scrub", "--bytes", "1KiB"}, 0, "some files were never read"},
		{[]string{"scrub", "--parallel", "0"}, exitUsage, "--parallel 0"},
		{[]string{"scrub"}, 0, "all files were read since"},
		{[]string{"hold", "add", "case-1", "--account", "205421990188"}, exitUsage, "--reason"},
		{[]string{"hold", "add", "case-1", "--account", "205421990188", "--reason", "litigation"}, 0, ""},
		{[]string{"hold", "add", "case-1", "--reason", "again"}, exitFailed, "there is or was a hold"},
		{[]string{"hold", "list"}, 0, "case-1: 205421990188, all days"},
		{[]string{"expire"}, exitUsage, "--older-than or --before"},
		{[]string{"expire", "--older-than", "1x"}, exitUsage, "write it like"},
		{[]string{"expire", "--before", "2026-03-04", "--yes"}, exitUsage, "--reason"},
		{[]string{"expire", "--before", "March"}, exitFailed, "no day"},
		{[]string{"expire", "--before", "2026-03-04", "--category", "Data"}, 0, "nothing was done"},
		{[]string{"expire", "--before", "2026-03-04", "--category", "Data", "--reason", "policy", "--yes"}, 0, "the receipt is _trailql/receipts/"},
		{[]string{"check"}, 0, "rows removed by retention"},
		{[]string{"sweep"}, 0, "0 files"},
		{[]string{"sweep", "--grace", "1ms"}, 0, "deleted"},
		{[]string{"check"}, 0, "0 replaced"},
		{[]string{"hold", "remove", "case-1", "--reason", "settled"}, 0, ""},
		{[]string{"hold", "remove", "case-1", "--reason", "settled"}, exitFailed, "there is no hold"},
	} {
		code, out, errs := trailql(t, append(append([]string{"lake"}, c.args...), "--lake", lake)...)
		if code != c.code || !strings.Contains(out+errs, c.want) {
			t.Errorf("%q: exit %d, want %d with %q\n%s%s", c.args, code, c.code, c.want, out, errs)
		}
	}
	files, err := filepath.Glob(filepath.Join(lake, "cloudtrail_logs", "*", "*", "*", "*.parquet"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	if err := os.Truncate(files[0], 100); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"check", "scrub"} {
		code, out, errs := trailql(t, "lake", command, "--lake", lake, "--format", "json")
		var found struct{ Wrong, Damaged []struct{ Name string } }
		if err := json.Unmarshal([]byte(out), &found); err != nil || code != exitFailed {
			t.Fatalf("%s: exit %d, %v\n%s%s", command, code, err, out, errs)
		}
		if all := append(found.Wrong, found.Damaged...); len(all) != 1 || !strings.HasSuffix(files[0], filepath.FromSlash(all[0].Name)) {
			t.Errorf("%s: %s", command, out)
		}
	}
	if code, _, errs := trailql(t, "lake", "sweep", "--lake", filepath.Join(dir, "nowhere")); code != exitFailed || !strings.Contains(errs, "there is no lake") {
		t.Errorf("no lake: exit %d, %s", code, errs)
	}
}

// A lake in S3 is looked after as one in a folder is.
func TestLakeCommandsInS3(t *testing.T) {
	server := s3server.Start(t)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir := t.TempDir()
	if code, _, errs := trailql(t, "demo", "--trail-only", "--dir", dir, "--events", "500", "--days", "2", "--accounts", "2", "--regions", "1"); code != 0 {
		t.Fatal(errs)
	}
	lake := server.Bucket(t, "lake") + "/the/lake"
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"compact", filepath.Join(dir, "trail")}, exitQuarantine, "set aside"},
		{[]string{"lake", "status"}, 0, lake},
		{[]string{"lake", "hold", "add", "case-1", "--to", "2026-03-02", "--reason", "litigation"}, 0, ""},
		{[]string{"lake", "expire", "--before", "2026-03-05", "--category", "Data", "--reason", "policy", "--yes"}, 0, "kept by holds"},
		{[]string{"lake", "sweep", "--grace", "1ms"}, 0, "deleted"},
		{[]string{"lake", "scrub"}, 0, "0 damaged"},
		{[]string{"lake", "check"}, 0, "0 replaced"},
		{[]string{"query", "SELECT count(*) FROM cloudtrail_logs FOR VERSION AS OF 1"}, exitFailed, "retention removed rows of it in version 3"},
		{[]string{"query", "SELECT count(*) > 0, count_if(eventcategory = 'Data' AND date > DATE '2026-03-02') AS gone FROM cloudtrail_logs FOR VERSION AS OF 3"}, 0, "true  |    0"},
	} {
		code, out, errs := trailql(t, append(c.args, "--lake", lake, "--endpoint-url", server.Endpoint)...)
		if code != c.code || !strings.Contains(out+errs, c.want) {
			t.Errorf("%q: exit %d, want %d with %q\n%s%s", c.args, code, c.code, c.want, out, errs)
		}
	}
}
