package verify

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/catalog/compact"
	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/cloudtrail"
	"github.com/trailql/trailql/engine"
)

// By the hashes that the ledger has the verdicts are the same as by reading the files again, but for what the lake does not have; files that no digest
// names are extra where verified digests cover them. A second run writes nothing.
func TestByLedger(t *testing.T) {
	keys := savedKeys(t)
	extras := 0
	for seed := uint64(1); seed <= 8; seed++ {
		a := generateArchive(seed)
		dir := t.TempDir()
		a.write(t, dir)
		want := a.expect()
		l := openLake(t)
		compactFolder(t, l, dir)
		got, sum := verified(t, l, dir, a, keys, false)
		for name, verdict := range maps.Clone(got) {
			if verdict == Extra || verdict == Unverified && want[name] == "" {
				if verdict == Extra {
					extras++
					if !strings.Contains(name, "_9999") && !strings.Contains(name, "/2026/04/") && !unnamedBy(a, want, name) {
						t.Errorf("seed %d (%s): %s is extra", seed, strings.Join(a.faults, ", "), name)
					}
				}
				delete(got, name)
			}
		}
		same(t, a, "the independent judge", got, want)
		again, sum2 := verified(t, l, dir, a, keys, false)
		if sum2.Written != 0 || sum.Written == 0 || sum.Digests != sum2.Digests || sum.Logs != sum2.Logs {
			t.Errorf("seed %d: at the second time %+v, before %+v", seed, sum2, sum)
		}
		_ = again
	}
	if extras == 0 {
		t.Error("no extra file was found")
	}
}

// unnamedBy reports whether no verified digest names a file.
func unnamedBy(a *archived, want map[string]string, name string) bool {
	for d, files := range a.files {
		for _, f := range files {
			if f == name && want[d] == Verified {
				return false
			}
		}
	}
	return true
}

// A verdict that changes is a new row, and the view has the newest; another writer in between does no harm.
func TestVerdictsChange(t *testing.T) {
	keys := savedKeys(t)
	a := generateArchive(4) // without faults in its newest digest, and with metadata
	for seed := uint64(1); a.plain || len(a.faults) > 0; seed++ {
		a = generateArchive(seed)
	}
	dir := t.TempDir()
	a.write(t, dir)
	l := openLake(t)
	ctx := context.Background()
	counts := func() (rows, view int64) {
		snap, err := l.Snapshot(ctx)
		if err != nil {
			t.Fatal(err)
		}
		q := ledger{engine.New(l), engine.Options{Snapshot: snap}}
		for text, n := range map[string]*int64{`SELECT count(*) FROM ` + catalog.Verdicts: &rows, `SELECT count(*) FROM trail_verified`: &view} {
			if err := q.each(ctx, text, func(r row) error { *n = r.number(0); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		return rows, view
	}
	// Not in the lake yet: right, but unverified.
	_, first := verified(t, l, dir, a, keys, false)
	if first.Logs.Unverified != first.Logs.All() || first.Logs.All() == 0 || !first.Clean() {
		t.Fatalf("before it is compacted: %+v", first.Logs)
	}
	rows, view := counts()
	compactFolder(t, l, dir)
	_, second := verified(t, l, dir, a, keys, false)
	if second.Logs.Verified != first.Logs.All() || second.Written != first.Logs.All() {
		t.Errorf("compacted: %+v, %d rows", second.Logs, second.Written)
	}
	if rows2, view2 := counts(); rows2 != rows+second.Written || view2 != view {
		t.Errorf("%d rows, then %d; the view %d, then %d", rows, rows2, view, view2)
	}
	// A log file that was changed after it was read.
	var log string
	for _, d := range a.digests {
		if len(a.files[d]) > 0 {
			log = a.files[d][0]
		}
	}
	if err := os.WriteFile(filepath.Join(dir, log), gzipped(`{"Records":[]}`), 0o666); err != nil {
		t.Fatal(err)
	}
	if got, _ := verified(t, l, dir, a, keys, false); got[log] != Verified {
		t.Errorf("by the ledger a file that was changed later is %s: the lake has what was delivered", got[log])
	}
	if _, err := compact.Run(ctx, l, []blob.Store{folder(t, dir)}, compact.Options{}, nil); err != nil {
		t.Fatal(err)
	}
	if got, sum := verified(t, l, dir, a, keys, false); got[log] != Altered || sum.Written != 1 || sum.Clean() {
		t.Errorf("once compact has seen it: %s, %+v", got[log], sum)
	}
	if got, sum := verified(t, l, dir, a, keys, true); got[log] != Altered || sum.Logs.Altered != 1 {
		t.Errorf("read again: %s", got[log])
	}
	if from, err := Undecided(ctx, l, 1<<40, a.to); err != nil || !from.IsZero() {
		t.Errorf("undecided from %s, %v", from, err)
	}
	if from, err := Undecided(ctx, l, 0, a.to); err != nil || from.IsZero() || from.After(a.from) {
		t.Errorf("new from %s, %v", from, err)
	}
}

// A copy without folders, a copy that was moved, and another bucket.
func TestPlaces(t *testing.T) {
	dir := t.TempDir()
	copied := folder(t, dir)
	const key = "pre/AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/03/01/x.json.gz"
	const log = "pre/AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/01/y.json.gz"
	p := places{sources: []blob.Store{copied}}
	for _, c := range []struct{ name, want string }{
		{key, "/" + log}, {"a/b/AWSLogs/" + key[len("pre/AWSLogs/"):], "/a/b/AWSLogs/" + log[len("pre/AWSLogs/"):]},
		{key[len("pre/AWSLogs/"):], "/" + log[len("pre/AWSLogs/"):]}, {"x.json.gz", "/y.json.gz"},
		{"us-east-1/2026/03/02/x.json.gz", ""}, {"AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/03/02/x.json.gz", ""},
	} {
		s := spot{0, c.name}
		if got := p.original(s, "b", key); got != (c.want != "") {
			t.Errorf("%s: in its place %v", c.name, got)
		}
		if got := p.expected(s, "b", key, "b", log); c.want != "" && got != copied.URL()+c.want {
			t.Errorf("%s: the log file is expected at %s, want %s", c.name, got, copied.URL()+c.want)
		}
	}
	p.moved = []Moved{{"b", "pre", copied.URL() + "/new"}}
	if s := (spot{0, "new" + key[len("pre"):]}); !p.original(s, "b", key) || p.expected(s, "b", key, "b", log) != copied.URL()+"/new"+log[len("pre"):] {
		t.Errorf("moved: %v, %s", p.original(s, "b", key), p.expected(s, "b", key, "b", log))
	}
	if p.original(spot{0, key}, "b", key) {
		t.Error("what is said to be moved counts where it was, too")
	}
	if p.original(spot{0, key}, "bb", key) != true {
		t.Error("another bucket is none of the map's")
	}
}

// The key of a region is not taken for another one's, keys that are saved again are kept, and a source is asked once a day and region.
func TestKeyring(t *testing.T) {
	ctx := context.Background()
	keys := savedKeys(t)
	known := fingerprint(signingKeys()[0])
	asked := 0
	k := keyring{source: counted{keys, &asked}}
	at := time.Date(2026, 3, 1, 1, 0, 0, 0, time.UTC)
	if key, err := k.find(ctx, "us-east-1", strings.ToUpper(known), at); err != nil || !key.Equal(&signingKeys()[0].PublicKey) {
		t.Errorf("%v, %v", key, err)
	}
	for range 3 {
		if _, err := k.find(ctx, "us-east-1", "00", at); err != errNoKey {
			t.Errorf("an unknown fingerprint: %v", err)
		}
	}
	if _, err := k.find(ctx, "eu-west-1", known, at); err != errNoKeys {
		t.Errorf("another region: %v", err)
	}
	if asked != 2 {
		t.Errorf("asked %d times", asked)
	}
	dir := folder(t, t.TempDir())
	all, _ := keys.PublicKeys(ctx, "us-east-1", at, at)
	for i, want := range [][2]int{{1, 1}, {1, 2}, {0, 2}} {
		added, n, err := SaveKeys(ctx, dir, "us-east-1", all[min(i, 1):min(i, 1)+1])
		if err != nil || added != want[0] || n != want[1] {
			t.Errorf("%d added, %d in all, %v; want %v", added, n, err, want)
		}
	}
	if _, _, err := SaveKeys(ctx, dir, "../x", all); err == nil {
		t.Error("a region that is a path was taken")
	}
	saved, err := OpenKeys(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := saved.PublicKeys(ctx, "us-east-1", at, at); len(got) != 2 {
		t.Errorf("%d keys", len(got))
	}
}

type counted struct {
	KeySource
	n *int
}

func (c counted) PublicKeys(ctx context.Context, region string, from, to time.Time) ([]cloudtrail.PublicKey, error) {
	*c.n++
	return c.KeySource.PublicKeys(ctx, region, from, to)
}
