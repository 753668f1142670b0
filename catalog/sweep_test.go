package catalog

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/trailql/trailql/connectors/cloudtrail"
)

func TestSweep(t *testing.T) {
	dir := t.TempDir()
	now := testNow()
	l := openTest(t, folder(t, dir), 1, func(o *Options) { o.Now = func() time.Time { return now } })
	put := func(name string, age time.Duration) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("x"), 0o666); err != nil {
			t.Fatal(err)
		}
		os.Chtimes(path, now.Add(-age), now.Add(-age))
		return path
	}
	live, replaced := fakeFile(t, l, cloudtrail.Logs, testPartition, 1), fakeFile(t, l, cloudtrail.Logs, testPartition, 2)
	commit := func(c Change) {
		if _, err := l.Commit(t.Context(), newest(t, l), c); err != nil {
			t.Fatal(err)
		}
	}
	commit(Change{Add: map[string][]NewFile{cloudtrail.Logs: {live, replaced}}})
	files, err := newest(t, l).Files(t.Context(), cloudtrail.Logs, testPartition)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Path == replaced.Path {
			commit(Change{Remove: map[string][]*File{cloudtrail.Logs: {f}}})
		}
	}
	year := 365 * 24 * time.Hour // the age of a file does not matter where the log knows it
	paths := map[string]string{
		"live":         put("cloudtrail_logs/"+live.Path, year),
		"replaced":     put("cloudtrail_logs/"+replaced.Path, year),
		"being made":   put("cloudtrail_logs/"+testPartition.String()+"/aa.parquet", time.Hour),
		"orphan":       put("cloudtrail_logs/"+testPartition.String()+"/bb.parquet", 25*time.Hour),
		"stale temp":   put(TempFolder+"1/0.parquet", 25*time.Hour),
		"running temp": put(TempFolder+"2/0.parquet", time.Hour),
		"quarantine":   put("_trailql/quarantine/aa.json.gz", year),
		"cut off":      put("cloudtrail_logs/"+testPartition.String()+"/.tmp-0123", 25*time.Hour),
		"being cut":    put("cloudtrail_logs/"+testPartition.String()+"/.tmp-4567", time.Hour),
	}
	check := func(want ...string) {
		t.Helper()
		if _, err := l.Sweep(t.Context(), 7*24*time.Hour); err != nil {
			t.Fatal(err)
		}
		gone := map[string]bool{}
		for _, w := range want {
			gone[w] = true
		}
		for name, path := range paths {
			if _, err := os.Stat(path); (err != nil) != gone[name] {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	check("orphan", "stale temp", "cut off")
	now = now.Add(8 * 24 * time.Hour)
	check("orphan", "stale temp", "cut off", "replaced", "being made", "running temp", "being cut")
}
