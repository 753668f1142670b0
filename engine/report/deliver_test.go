package report

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func reportOf(t testing.TB, pack, from, to string) *Report {
	t.Helper()
	return &Report{Pack: &Pack{ID: pack, Title: "A pack"}, Period: Period{at(t, from), at(t, to)}, Verdict: NoneFound}
}

// tree lists what is below a folder.
func tree(t testing.TB, folder string) []string {
	t.Helper()
	var names []string
	err := filepath.Walk(folder, func(name string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			name, err = filepath.Rel(folder, name)
			names = append(names, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// The same period again goes beside the first, whose files stay as they were.
func TestDeliveryIntoAFolder(t *testing.T) {
	out := filepath.Join(t.TempDir(), "made", "reports")
	r := reportOf(t, "cis-3.0", "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z")
	first, err := Folder(out)(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(out, "cis-3.0", "2026-03-01_2026-04-01"); first.Where != want {
		t.Errorf("delivered to %s, want %s", first.Where, want)
	}
	before, err := os.ReadFile(filepath.Join(first.Where, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(before); first.SHA256 != hex.EncodeToString(sum[:]) || !json.Valid(before) {
		t.Errorf("hash %s of %s", first.SHA256, before)
	}
	r.Verdict = NotProvable
	second, err := Folder(out)(context.Background(), r)
	if err != nil || second.Where != first.Where+"-2" || second.SHA256 == first.SHA256 {
		t.Errorf("%+v, %v", second, err)
	}
	after, err := os.ReadFile(filepath.Join(first.Where, "report.json"))
	if err != nil || string(after) != string(before) {
		t.Errorf("the first was changed: %s, %v", after, err)
	}
	berlin := reportOf(t, "cis-3.0", "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z")
	if d, err := Folder(out)(context.Background(), berlin); err != nil || filepath.Base(d.Where) != "2026-02-28T2300Z_2026-03-31T2200Z" {
		t.Error(d, err)
	}
	var want []string
	for _, folder := range []string{"2026-02-28T2300Z_2026-03-31T2200Z", "2026-03-01_2026-04-01", "2026-03-01_2026-04-01-2"} {
		for _, file := range []string{"findings.csv", "report.html", "report.json"} {
			want = append(want, "cis-3.0/"+folder+"/"+file)
		}
	}
	if got := tree(t, out); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// Many at once each have a folder of their own, complete.
func TestDeliveriesAtOnce(t *testing.T) {
	out := t.TempDir()
	where := make([]string, 8)
	var all sync.WaitGroup
	for i := range where {
		all.Go(func() {
			d, err := Folder(out)(context.Background(), reportOf(t, "p", "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"))
			if err != nil {
				t.Error(err)
			}
			where[i] = d.Where
		})
	}
	all.Wait()
	slices.Sort(where)
	if n := len(slices.Compact(where)); n != 8 || len(tree(t, out)) != 3*8 {
		t.Errorf("%d folders, %v", n, tree(t, out))
	}
}

// What a crash left behind is removed a day later, by the next report into that folder; what may still be written to stays.
func TestDeliverySweepsWhatACrashLeft(t *testing.T) {
	out := t.TempDir()
	r := reportOf(t, "p", "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z")
	r.Ended = time.Date(2026, 3, 5, 6, 0, 0, 0, time.UTC)
	for _, folder := range []string{out, filepath.Join(out, "p")} {
		for name, age := range map[string]time.Duration{".tmp-OLD": 25 * time.Hour, ".tmp-NEW": 23 * time.Hour, "2026-01-01_2026-02-01": 1000 * time.Hour} {
			name = filepath.Join(folder, name)
			if err := os.MkdirAll(name, 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(name, "report.html"), nil, 0o666); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(name, time.Time{}, r.Ended.Add(-age)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := Folder(out)(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Save(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	want := []string{
		".tmp-NEW/report.html", "2026-01-01_2026-02-01/report.html", "findings.csv",
		"p/.tmp-NEW/report.html", "p/2026-01-01_2026-02-01/report.html",
		"p/2026-03-01_2026-03-02/findings.csv", "p/2026-03-01_2026-03-02/report.html", "p/2026-03-01_2026-03-02/report.json", "report.html", "report.json",
	}
	if got := tree(t, out); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// No name from outside leads out of the folder; what cannot be written whole is not there at all.
func TestDeliveryThatFails(t *testing.T) {
	base := t.TempDir()
	out := filepath.Join(base, "reports")
	for _, id := range []string{"../evil", "..", ".", "", "a/b", `a\b`, "/evil", "-x", "a\x00b"} {
		if d, err := Folder(out)(context.Background(), reportOf(t, id, "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z")); err == nil || !strings.Contains(err.Error(), "cannot name a folder") {
			t.Errorf("%q: %v, %v", id, d, err)
		}
	}
	elsewhere := t.TempDir()
	if err := os.MkdirAll(out, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, filepath.Join(out, "linked")); err != nil {
		t.Fatal(err)
	}
	if d, err := Folder(out)(context.Background(), reportOf(t, "linked", "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z")); err == nil {
		t.Errorf("a link out of the folder was followed: %v", d)
	}
	// What fails while a file is written leaves nothing.
	broken := reportOf(t, "p", "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z")
	broken.Period.To = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) // not a time that JSON can hold
	if d, err := Folder(out)(context.Background(), broken); err == nil {
		t.Errorf("%v", d)
	}
	if got := tree(t, base); len(got) != 1 || got[0] != "reports/linked" { // the link itself
		t.Errorf("left behind: %v", got)
	}
	if got := tree(t, elsewhere); len(got) != 0 {
		t.Errorf("written outside: %v", got)
	}
	if err := os.WriteFile(filepath.Join(base, "file"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Folder(filepath.Join(base, "file"))(context.Background(), reportOf(t, "p", "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z")); err == nil {
		t.Error("a file taken for a folder")
	}
}
