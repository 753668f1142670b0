package compact

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/blob"
)

// memoryStore is a source in memory that counts requests.
type memoryStore struct {
	blob.Store
	url string

	mu      sync.Mutex
	objects map[string]string
	calls   map[string]int
	fail    func(op, name string) error
}

func (s *memoryStore) call(op, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls == nil {
		s.calls = map[string]int{}
	}
	s.calls[op]++
	if s.fail != nil {
		return s.fail(op, name)
	}
	return nil
}

func (s *memoryStore) URL() string { return s.url }

func (s *memoryStore) put(name, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[name] = text
}

func (s *memoryStore) info(name string) (blob.Info, bool) {
	text, ok := s.objects[name]
	return blob.Info{Name: name, Size: int64(len(text)), ETag: fmt.Sprintf("%x-%d", len(text), strings.Count(text, "z"))}, ok
}

func (s *memoryStore) List(_ context.Context, prefix, after string, visit func(blob.Info) error) error {
	if err := s.call("list", prefix); err != nil {
		return err
	}
	s.mu.Lock()
	names := slices.Sorted(maps.Keys(s.objects))
	var infos []blob.Info
	for _, name := range names {
		if strings.HasPrefix(name, prefix) && name > after {
			info, _ := s.info(name)
			infos = append(infos, info)
		}
	}
	s.mu.Unlock()
	for _, info := range infos {
		if err := visit(info); err != nil {
			return err
		}
	}
	return nil
}

func (s *memoryStore) Folders(_ context.Context, prefix string) ([]string, error) {
	if err := s.call("folders", prefix); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := map[string]bool{}
	for name := range s.objects {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			if part, _, ok := strings.Cut(rest, "/"); ok {
				found[part+"/"] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found)), nil
}

func (s *memoryStore) Stat(_ context.Context, name string) (blob.Info, error) {
	if err := s.call("stat", name); err != nil {
		return blob.Info{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	info, ok := s.info(name)
	if !ok {
		return info, fmt.Errorf("stat %s: %w", name, fs.ErrNotExist)
	}
	return info, nil
}

func (s *memoryStore) Get(_ context.Context, info blob.Info) (io.ReadCloser, error) {
	if err := s.call("get", info.Name); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now, ok := s.info(info.Name)
	switch {
	case !ok:
		return nil, fmt.Errorf("get %s: %w", info.Name, fs.ErrNotExist)
	case now.ETag != info.ETag:
		return nil, fmt.Errorf("get %s: %w", info.Name, blob.ErrChanged)
	}
	return io.NopCloser(bytes.NewReader([]byte(s.objects[info.Name]))), nil
}

// listAll returns the names that a compactor finds to be read in a source, in order.
func listAll(t testing.TB, l *catalog.Lake, source blob.Store) (names []string, f *found) {
	t.Helper()
	c, err := newCompactor(l, []blob.Store{source}, testOptions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	units, err := c.units(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	f = &found{}
	pages := make(chan []pending)
	var listing error
	go func() {
		defer close(pages)
		listing = c.list(context.Background(), c.spans(units), f, pages, nil)
	}()
	for page := range pages {
		for _, p := range page {
			names = append(names, p.Name)
		}
	}
	if listing != nil {
		t.Fatal(listing)
	}
	return names, f
}

// randomNames makes names of trails in all layouts, and of what else lies in buckets.
func randomNames(rng *rand.Rand) []string {
	pick := func(of ...string) string { return of[rng.Intn(len(of))] }
	names := map[string]bool{}
	for range 1 + rng.Intn(120) {
		account := fmt.Sprintf("%012d", 1+rng.Intn(3))
		kind := pick("CloudTrail", "CloudTrail", "CloudTrail-Digest", "CloudTrail-Insight", "elasticloadbalancing")
		region := pick("us-east-1", "us-east-2", "us-east", "eu-west-1")
		y, m, d := 2024+rng.Intn(3), 1+rng.Intn(12), 1+rng.Intn(28)
		file := fmt.Sprintf("%s_%s_%s_%04d%02d%02dT%02d00Z_%016d.json.gz", account, kind, region, y, m, d, rng.Intn(24), rng.Intn(1000))
		var name string
		switch rng.Intn(9) {
		case 0:
			name = file
		case 1:
			name = pick("notes.json", "AWSLogs/x.json", "AWSLogs/"+account+"/y.json", "AWSLogs/"+account+"/"+kind+"/z.json", "AWSLogs/"+account+"/"+kind+"/"+region+"/w.json",
				"AWSLogs/"+account+"/"+kind+"/"+region+"/"+"20.json", "AWSLogs/"+account+"/"+kind+"/"+region+"/2024.json", "AWSLogs0.json", "zz/"+file, "~.json")
		case 2:
			name = fmt.Sprintf("%04d/%02d/%02d/%s", y, m, d, file)
		case 3:
			name = fmt.Sprintf("copy/AWSLogs/old/AWSLogs/o-abcdefghij/%s/%s/%s/%04d/%02d/%02d/%s", account, kind, region, y, m, d, file)
		default:
			name = fmt.Sprintf("AWSLogs/%s/%s/%s/%04d/%02d/%02d/%s", account, kind, region, y, m, d, file)
		}
		names[name] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// Whatever the layout, each object is listed once, in folders and in S3.
func TestListingsLeaveNothingOut(t *testing.T) {
	l := newLake(t)
	for seed := range 150 {
		rng := rand.New(rand.NewSource(int64(seed)))
		want := randomNames(rng)
		s := &memoryStore{url: []string{"s3://bucket", "memory"}[seed%2], objects: map[string]string{}}
		for _, name := range want {
			s.objects[name] = "{}"
		}
		got, f := listAll(t, l, s)
		slices.Sort(got)
		if !slices.Equal(got, want) || f.listed != int64(len(want)) {
			t.Fatalf("seed %d: %d names, want %d:\n%s", seed, len(got), len(want), strings.Join(got, "\n"))
		}
	}
	// A folder, too.
	want := randomNames(rand.New(rand.NewSource(7)))
	dir := t.TempDir()
	for _, name := range want {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, []byte("{}"), 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	got, _ := listAll(t, l, store(t, dir))
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("in a folder %d names, want %d", len(got), len(want))
	}
}

// What cannot be listed is counted once, however many spans meet it.
func TestListingsCountWhatTheyCannotSee(t *testing.T) {
	dir := t.TempDir()
	names := slices.DeleteFunc(randomNames(rand.New(rand.NewSource(3))), func(name string) bool { return strings.HasPrefix(name, "20") }) // years at the top make it one span
	for _, name := range names {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, []byte("{}"), 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"A-link", "AWSLogs/000000000001/CloudTrail/us-east-0", "AWSLogs/000000000002/m-link", "z-link"} {
		if err := os.Symlink("nowhere", filepath.Join(dir, name)); err != nil {
			t.Skip("no links here: ", err)
		}
	}
	got, f := listAll(t, newLake(t), store(t, dir))
	if len(got) != len(names) || f.unlisted != 4 || len(f.missed) != 4 {
		t.Errorf("%d of %d names, %d that cannot be listed: %v", len(got), len(names), f.unlisted, f.missed)
	}
}

// The work comes by account and region, across kinds and sources, and in each by day.
func TestOrderOfWork(t *testing.T) {
	s := &memoryStore{url: "s3://bucket", objects: map[string]string{}}
	for _, kind := range []string{"CloudTrail", "CloudTrail-NetworkActivity"} {
		for _, account := range []string{"000000000001", "000000000002"} {
			for _, region := range []string{"eu-west-1", "us-east-1"} {
				for _, day := range []string{"2025/12/31", "2026/01/01", "2026/02/01"} {
					s.objects[fmt.Sprintf("AWSLogs/%s/%s/%s/%s/%s_%s_%s_%sT0000Z_x.json.gz", account, kind, region, day, account, kind, region, strings.ReplaceAll(day, "/", ""))] = "{}"
				}
			}
		}
	}
	got, _ := listAll(t, newLake(t), s)
	seen := map[string]bool{}
	last := ""
	for _, name := range got {
		parts := strings.Split(name, "/")
		if here := parts[1] + "/" + parts[3]; here != last {
			if seen[here] {
				t.Errorf("%s comes back: %s", here, strings.Join(got, "\n"))
			}
			seen[here], last = true, here
		}
	}
	if len(got) != 24 || s.calls["list"] > 8*(1+24)+1 {
		t.Errorf("%d names by %v", len(got), s.calls)
	}
}

// A listing of what is newest goes on an hour before the last name.
func TestResume(t *testing.T) {
	u := &unit{prefix: "AWSLogs/111111111111/CloudTrail/eu-west-1/"}
	d := &unit{prefix: "AWSLogs/111111111111/CloudTrail-Digest/eu-west-1/"}
	for _, c := range []struct {
		unit       *unit
		last, want string
	}{
		{u, "", u.prefix},
		{u, u.prefix + "2026/02/03/111111111111_CloudTrail_eu-west-1_20260203T0510Z_x.json.gz", u.prefix + "2026/02/03/111111111111_CloudTrail_eu-west-1_20260203T0410"},
		{u, u.prefix + "2026/03/01/111111111111_CloudTrail_eu-west-1_20260301T0010Z_x.json.gz", u.prefix + "2026/02/28/111111111111_CloudTrail_eu-west-1_20260228T2310"},
		{d, d.prefix + "2026/02/03/111111111111_CloudTrail-Digest_eu-west-1_t_eu-west-1_20260203T051000Z.json.gz", d.prefix + "2026/02/03/"},
	} {
		if got := c.unit.resume(c.last); got != c.want {
			t.Errorf("after %s: %s, want %s", c.last, got, c.want)
		}
	}
}

// An object that is another one when it is read than it was when it was listed is read as it is.
func TestObjectChangesBeforeItIsRead(t *testing.T) {
	name := objectName("eu-west-1", 1, 0, 1)
	s := &memoryStore{url: "s3://bucket", objects: map[string]string{name: content(event("a", 1, 1))}}
	s.fail = func(op, at string) error {
		if op == "get" && s.calls["get"] == 1 {
			s.objects[name] = content(event("z", 1, 1), event("y", 1, 1))
		}
		return nil
	}
	l := newLake(t)
	for run, want := range []int64{1, 0} {
		sum, err := Run(context.Background(), l, []blob.Store{s}, testOptions(), nil)
		if err != nil || sum.New != want || sum.Unreadable != 0 || sum.Rows != 2*want {
			t.Errorf("run %d: %+v, %v", run, sum, err)
		}
		reconcile(t, sum)
	}
}
