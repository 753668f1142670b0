package verify

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/catalog/compact"
	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/cloudtrail/synth"
)

var year = flag.Int("year", 0, "plant faults in a year of an organisation of so many `accounts`, in place of a week of four")

// TestPlantedTrail plants faults of all kinds in the archive of an organisation, signed by CloudTrail. trail_coverage names the hour of each, and no other hour.
//
// The long form is "make year".
func TestPlantedTrail(t *testing.T) {
	opt := synth.Options{Seed: 11, Accounts: 4, Regions: 1, Days: 7, Plant: 20, Start: monday}
	if *year > 0 {
		opt.Accounts, opt.Days, opt.Plant, opt.Start = *year, 365, 25**year, time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	opt.Events, opt.Even, opt.Sign, opt.Interval = 20*opt.Accounts*opt.Days, true, true, time.Hour
	dir := t.TempDir()
	began := time.Now()
	truth := writeTrail(t, dir, opt)
	t.Logf("%d objects with %d faults made in %s", truth.Objects, len(truth.Planted), time.Since(began).Round(time.Second))
	for _, kind := range synth.PlantKinds {
		if !slices.ContainsFunc(truth.Planted, func(f synth.Planted) bool { return f.Kind == kind }) {
			t.Errorf("no fault of kind %q is planted", kind)
		}
	}
	l, trails := openLake(t), folder(t, dir)
	began = time.Now()
	if _, err := compact.Run(context.Background(), l, []blob.Store{trails}, compact.Options{Workers: 2, Memory: 512 << 20}, nil); err != nil {
		t.Fatal(err)
	}
	t.Logf("compacted in %s", time.Since(began).Round(time.Second))
	expectPlanted(t, l, truth.Planted, plantedSeen)

	began = time.Now()
	var said []string
	_, err := Run(context.Background(), l, []blob.Store{trails}, Options{Keys: plantedKeys(t, opt)}, nil, func(f *Finding) error {
		if f.Kind != "gap" && f.Verdict != Verified && f.Verdict != Unverified {
			said = append(said, f.Verdict+" "+path.Base(f.URL))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("verified in %s: %d objects are not what they should be", time.Since(began).Round(time.Second), len(said))
	expectVerdicts(t, said, truth.Planted)
	expectPlanted(t, l, truth.Planted, plantedVerified)
	snap, err := l.Snapshot(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for column, kinds := range map[string][]string{"missing": {"deleted"}, "altered": {"altered", "damaged"}, "extra": {"extra"}} {
		var want []string
		for _, f := range truth.Planted {
			if slices.Contains(kinds, f.Kind) {
				want = append(want, f.Account+"|"+f.Region+"|"+f.From.Format("2006-01-02 15:04:05.000")+"|1")
			}
		}
		slices.Sort(want)
		expectRows(t, snap, `SELECT account, region, hour, `+column+` FROM trail_coverage WHERE `+column+` > 0 ORDER BY 1, 2, 3`, want...)
	}
}

// plantedVerified is the gap that each kind of fault makes once the objects were verified. A digest that names a file no more hides it, and is found out itself.
var plantedVerified = map[string]string{"deleted": "digest", "altered": "altered", "extra": "", "damaged": "altered", "forged": "chain", "chain": "chain", "outage": "chain"}

func plantedKeys(t *testing.T, opt synth.Options) KeySource {
	t.Helper()
	dir := t.TempDir()
	text, err := synth.PublicKeys(opt)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "keys.json"), text, 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
	keys, err := OpenKeys(context.Background(), folder(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// expectVerdicts compares the objects that verification calls missing, altered, extra or invalid with the truth. Of digests that are gone one after the
// other only the last is known, by the one that follows it.
func expectVerdicts(t *testing.T, said []string, planted []synth.Planted) {
	t.Helper()
	want := map[string]bool{} // must it be said?
	for _, f := range planted {
		last := ""
		for _, name := range f.Objects {
			name = path.Base(name)
			digest := strings.Contains(name, "CloudTrail-Digest")
			if digest {
				last = max(last, name)
			}
			switch {
			case f.Kind == "deleted":
				want["missing "+name] = true
			case f.Kind == "altered", f.Kind == "damaged":
				want["altered "+name] = true
			case f.Kind == "extra":
				want["extra "+name] = true
			case f.Kind == "forged" && digest:
				want["invalid "+name] = true
			case digest:
				want["missing "+name] = false
			}
		}
		if f.Kind == "chain" || f.Kind == "outage" {
			want["missing "+last] = true
		}
	}
	for _, verdict := range said {
		if _, planted := want[verdict]; !planted {
			t.Errorf("%s: nothing is planted there", verdict)
		}
	}
	for _, verdict := range slices.Sorted(maps.Keys(want)) {
		if want[verdict] && !slices.Contains(said, verdict) {
			t.Errorf("%s: planted, and not found", verdict)
		}
	}
}

// plantedSeen is the gap that each kind of fault makes in a lake whose objects were not verified; "" is none.
var plantedSeen = map[string]string{"deleted": "digest", "altered": "", "extra": "", "damaged": "unread", "forged": "", "chain": "chain", "outage": "chain"}

// expectPlanted compares the hours with gaps, and those with objects altered or extra, with the truth.
func expectPlanted(t *testing.T, l *catalog.Lake, planted []synth.Planted, seen map[string]string) {
	t.Helper()
	snap, err := l.Snapshot(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, f := range planted {
		if gap := seen[f.Kind]; gap != "" {
			for hour := f.From; hour.Before(f.To); hour = hour.Add(time.Hour) {
				want[f.Account+"|"+f.Region+"|"+hour.Format("2006-01-02 15:04:05.000")] = gap
			}
		}
	}
	began := time.Now()
	got := map[string]string{}
	for _, row := range asks(t, snap, `SELECT account, region, hour, gap FROM trail_coverage WHERE gap IS NOT NULL`) {
		at := strings.LastIndex(row, "|")
		got[row[:at]] = row[at+1:]
	}
	t.Logf("trail_coverage has gaps in %d hours, found in %s", len(got), time.Since(began).Round(time.Millisecond))
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if got[key] != want[key] {
			t.Errorf("%s: trail_coverage has the gap %q, planted is %q", key, got[key], want[key])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if want[key] == "" {
			t.Errorf("%s: trail_coverage has the gap %q, and nothing is planted: %v", key, got[key], asks(t, snap, reasonOf(key)))
		}
	}
}

func reasonOf(key string) string {
	parts := strings.Split(key, "|")
	return fmt.Sprintf("SELECT reason FROM trail_coverage WHERE account = '%s' AND region = '%s' AND hour = TIMESTAMP '%s'", parts[0], parts[1], parts[2])
}

// writeTrail writes a trail of the generator into a folder, with the truth about it beside.
func writeTrail(t *testing.T, dir string, opt synth.Options) *synth.Truth {
	t.Helper()
	made := map[string]bool{}
	truth, err := synth.Generate(context.Background(), opt, func(o synth.Object) error {
		file := filepath.Join(dir, filepath.FromSlash(o.Name))
		if folder := path.Dir(file); !made[folder] {
			if err := os.MkdirAll(folder, 0o777); err != nil {
				return err
			}
			made[folder] = true
		}
		return os.WriteFile(file, o.Data, 0o666)
	})
	if err == nil {
		var text []byte
		if text, err = json.MarshalIndent(truth.Planted, "", "  "); err == nil {
			err = os.WriteFile(filepath.Join(filepath.Dir(dir), "planted.json"), text, 0o666)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return truth
}
