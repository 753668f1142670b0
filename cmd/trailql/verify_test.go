package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trailql/trailql/connectors/blob/s3server"
	"github.com/trailql/trailql/connectors/cloudtrail/synth"
)

// signedTrail writes a signed trail with the metadata of its digests, and its key, and returns the folders of both.
func signedTrail(t testing.TB, opt synth.Options) (trail, keys string, objects []synth.Object) {
	t.Helper()
	opt.Sign = true
	trail, keys = t.TempDir(), t.TempDir()
	if _, err := synth.Generate(t.Context(), opt, func(o synth.Object) error {
		objects = append(objects, o)
		if err := writeObject(trail, o); err != nil || o.Metadata == nil {
			return err
		}
		return writeSidecar(filepath.Join(trail, filepath.FromSlash(o.Name)), o.Metadata)
	}); err != nil {
		t.Fatal(err)
	}
	text, err := synth.PublicKeys(opt)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(keys, "keys.json"), text, 0o666); err != nil {
		t.Fatal(err)
	}
	return trail, keys, objects
}

// What is delivered is verified, once compacted; a log file that is deleted, one that is changed and a digest that is forged are found by who reads
// the archive, each by its name. Rows reach their verdict.
func TestVerify(t *testing.T) {
	trail, keys, objects := signedTrail(t, synth.Options{Seed: 3, Events: 600, Days: 1, Accounts: 1, Regions: 1})
	lake := filepath.Join(t.TempDir(), "lake")
	code, out, errs := trailql(t, "compact", trail, "--lake", lake, "--verify", "--keys", keys)
	if code != 0 || !strings.Contains(out, "\n24/24 digest files valid\n") || !strings.Contains(out, " log files valid\n") || strings.Contains(out, "INVALID") {
		t.Fatalf("exit %d\n%s\n%s", code, out, errs)
	}
	if strings.Contains(errs, "nothing that CloudTrail writes") {
		t.Errorf("sidecar files are told of:\n%s", errs)
	}
	if code, out, errs = trailql(t, "compact", trail, "--lake", lake, "--verify", "--keys", keys); code != 0 || out != "" || !strings.Contains(errs, "nothing new to verify") {
		t.Errorf("at the second time: exit %d\n%s\n%s", code, out, errs)
	}
	code, out, _ = trailql(t, "verify", trail, "--lake", lake, "--keys", keys, "--from", "2026-03-02T06:00:00Z", "--to", "2026-03-02T08:00:00Z", "--verbose")
	if code != 0 || strings.Count(out, "Digest file\ts3://trail-archive/") != 4 || !strings.Contains(out, "Results requested for 2026-03-02T06:00:00Z to 2026-03-02T08:00:00Z\nResults found for 2026-03-02T06:00:00Z to 2026-03-02T08:00:00Z:\n\n4/4 digest files valid\n") {
		t.Errorf("a period: exit %d\n%s", code, out)
	}
	_, out, errs = trailql(t, "query", "--lake", lake, "--format", "csv", `SELECT v.verdict, count(*) > 0 FROM cloudtrail_logs l JOIN trail_verified v ON v.path = l."_path" GROUP BY 1`)
	if !strings.Contains(out, "verified,true") || strings.Contains(out, "extra") {
		t.Errorf("rows: %s%s", out, errs)
	}

	// Damage in the archive.
	gone, changed, forged := toDamage(objects)
	if err := os.Remove(filepath.Join(trail, gone)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(trail, changed), gzipped([]byte(`{"Records":[]}`)), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(trail, forged), forgedDigest(forged), 0o666); err != nil {
		t.Fatal(err)
	}
	code, out, errs = trailql(t, "verify", trail, "--lake", lake, "--keys", keys, "--reread", "--format", "json")
	if code != exitFailed {
		t.Errorf("exit %d\n%s", code, errs)
	}
	expectFindings(t, out, trail+"/", map[string]string{gone: "missing", changed: "altered", forged: "invalid"}, 23)
	// The lake has them, too.
	_, out, _ = trailql(t, "query", "--lake", lake, "--format", "csv", "SELECT count_if(verdict = 'missing'), count_if(verdict = 'altered'), count_if(verdict = 'invalid') FROM trail_verified")
	if !strings.Contains(out, "1,1,1") {
		t.Errorf("trail_verified: %s", out)
	}

	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"verify", "--lake", lake}, "write it like"},
		{[]string{"verify", trail, "--lake", lake, "--keys", keys, "--format", "xml"}, "text or json"},
		{[]string{"verify", trail, "--lake", lake, "--keys", keys, "--from", "yesterday"}, "write a day"},
		{[]string{"verify", trail, "--lake", lake, "--keys", keys, "--moved", "x=y"}, "s3://bucket/prefix=SOURCE"},
		{[]string{"compact", trail, "--lake", lake, "--keys", keys}, "go with --verify"},
		{[]string{"keys", "save", keys, "--from", "2026-01-01"}, "--for"},
	} {
		if code, _, errs := trailql(t, c.args...); code != exitUsage || !strings.Contains(errs, c.says) {
			t.Errorf("%v: exit %d, %s", c.args, code, errs)
		}
	}
	if code, _, errs := trailql(t, "verify", trail, "--lake", lake, "--keys", t.TempDir()); code != exitFailed || !strings.Contains(errs, "no public keys in") {
		t.Errorf("without keys: exit %d, %s", code, errs)
	}
}

// toDamage names two log files and a digest in the middle of a trail.
func toDamage(objects []synth.Object) (gone, changed, forged string) {
	var logs, digests []string
	for _, o := range objects {
		if o.Metadata != nil {
			digests = append(digests, o.Name)
		} else if strings.Contains(o.Name, "/CloudTrail/") && !strings.Contains(o.Name, "/2026/03/03/") {
			logs = append(logs, o.Name)
		}
	}
	return logs[3], logs[len(logs)-5], digests[10]
}

// forgedDigest is one that names nothing.
func forgedDigest(name string) []byte {
	return gzipped([]byte(`{"awsAccountId":"1","digestStartTime":"2026-03-02T10:00:00Z","digestEndTime":"2026-03-02T11:00:00Z","digestS3Bucket":"trail-archive","digestS3Object":"` + name + `","logFiles":[]}`))
}

// expectFindings holds what verify says as JSON against the verdicts of damaged objects by name, and so many valid digests. What the forged digest named is unverified.
func expectFindings(t *testing.T, out, root string, want map[string]string, valid int) {
	t.Helper()
	var report struct {
		Findings []struct{ Kind, Verdict, Reason, Path string }
		Valid    bool
		Digests  struct{ Verified, Invalid int }
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("%v in\n%s", err, out)
	}
	for _, f := range report.Findings {
		if f.Verdict == "unverified" {
			continue
		}
		name := strings.TrimPrefix(f.Path, root)
		if want[name] != f.Verdict {
			t.Errorf("%+v", f)
		}
		delete(want, name)
	}
	if len(want) > 0 || report.Valid || report.Digests.Verified != valid || report.Digests.Invalid != 1 {
		t.Errorf("not found: %v; %+v", want, report.Digests)
	}
}

// The same in a bucket, where the signatures are metadata of the digests and every object is where its digest says.
func TestVerifyInS3(t *testing.T) {
	server := s3server.Start(t)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	_, keys, objects := signedTrail(t, synth.Options{Seed: 3, Events: 600, Days: 1, Accounts: 1, Regions: 1})
	trail, lake := server.Bucket(t, "trail-archive"), server.Bucket(t, "lake")
	signatures := map[string]map[string]string{}
	for _, o := range objects {
		server.Put(t, "trail-archive", o.Name, o.Data, o.Metadata)
		signatures[o.Name] = o.Metadata
	}
	s3 := func(args ...string) (code int, out, errs string) {
		return trailql(t, append(args, "--endpoint-url", server.Endpoint, "--lake", lake)...)
	}
	if code, out, errs := s3("compact", trail, "--verify", "--keys", keys); code != 0 || !strings.Contains(out, "\n24/24 digest files valid\n") || strings.Contains(out, "INVALID") {
		t.Fatalf("exit %d\n%s\n%s", code, out, errs)
	}
	gone, changed, forged := toDamage(objects)
	if err := server.Open(t, trail, server.Access()).Delete(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	server.Put(t, "trail-archive", changed, gzipped([]byte(`{"Records":[]}`)), nil)
	server.Put(t, "trail-archive", forged, forgedDigest(forged), signatures[forged])
	code, out, errs := s3("verify", trail, "--keys", keys, "--reread", "--format", "json")
	if code != exitFailed {
		t.Errorf("exit %d\n%s", code, errs)
	}
	expectFindings(t, out, trail+"/", map[string]string{gone: "missing", changed: "altered", forged: "invalid"}, 23)
	_, out, _ = s3("query", "--format", "csv", "SELECT count_if(verdict = 'missing'), count_if(verdict = 'altered'), count_if(verdict = 'invalid') FROM trail_verified")
	if !strings.Contains(out, "1,1,1") {
		t.Errorf("trail_verified: %s", out)
	}
}
