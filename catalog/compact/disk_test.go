package compact

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/blob/simdisk"
	"github.com/trailql/trailql/connectors/cloudtrail"
)

// The compactor on a simulated disk: power is lost, or a call fails, at every call of the file system that a run makes. What is left is held against a
// slow reader of the trail.

var (
	diskSeeds  = flag.Int("disk.seeds", 0, "seeds by which the disk fails at every call; 0: at a sample of them, one seed each")
	diskSample = flag.Int("disk.sample", 4, "calls in the sample of a stage")
	diskReplay = flag.String("disk.replay", "", "repeat one run alone, as a failure printed it")
)

// oracle reads trail objects with the standard library alone.
type oracle map[string]string // URL of an object → its bytes as stored

// verdict is what the oracle says of an object, or of several.
type verdict struct {
	records []string // each as compact JSON
	digest  bool
	broken  bool // set aside as a whole
}

func (o oracle) read(url string) verdict {
	z, err := gzip.NewReader(strings.NewReader(o[url]))
	if err != nil {
		return verdict{broken: true}
	}
	text, err := io.ReadAll(z)
	if err != nil {
		return verdict{broken: true}
	}
	var object struct{ Records []json.RawMessage }
	if err := json.Unmarshal(text, &object); err != nil || object.Records == nil {
		return verdict{digest: err == nil, broken: err != nil}
	}
	var v verdict
	for _, r := range object.Records {
		v.records = append(v.records, compactJSON(r))
	}
	return v
}

func compactJSON(text []byte) string {
	var out bytes.Buffer
	if err := json.Compact(&out, text); err != nil {
		return err.Error() + string(text)
	}
	return out.String()
}

// rows are what a lake has to show for objects: each distinct record once, with its mark of conflict.
func (o oracle) rows(urls []string) []string {
	group := map[string]map[string]bool{}
	for _, url := range urls {
		for _, r := range o.read(url).records {
			var key struct{ EventID, EventTime string }
			if err := json.Unmarshal([]byte(r), &key); err != nil {
				panic(err)
			}
			id := key.EventID + " " + key.EventTime
			if key.EventID == "" {
				id = r
			}
			if group[id] == nil {
				group[id] = map[string]bool{}
			}
			group[id][r] = true
		}
	}
	var out []string
	for _, records := range group {
		for r := range records {
			out = append(out, fmt.Sprintf("%s|%v", r, len(records) > 1))
		}
	}
	slices.Sort(out)
	return out
}

// inspect opens the lake of a store as another process would, without writing, and holds it against the oracle: what the ledger names is there, once and whole,
// and nothing else. It returns the URLs in the ledger; there may be no lake yet.
func (o oracle) inspect(store blob.Store) ([]string, error) {
	ctx := context.Background()
	l, err := catalog.Open(ctx, store, catalog.Options{ReadOnly: true})
	if errors.Is(err, catalog.ErrNoLake) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer l.Close()
	snap, err := l.Newest(ctx)
	if err != nil {
		return nil, err
	}
	return o.inspectAt(snap, store)
}

func (o oracle) inspectAt(snap *catalog.Snapshot, store blob.Store) ([]string, error) {
	ledger, err := rowsAt(snap, catalog.Files, "path", "records", "rows", "duplicates", "quarantined")
	if err != nil {
		return nil, err
	}
	var urls []string
	var rows, duplicates, quarantined, digests int
	for _, r := range ledger {
		url, n := r[0], make([]int, 4)
		for i := range n {
			if n[i], err = strconv.Atoi(r[i+1]); err != nil {
				return nil, err
			}
		}
		urls = append(urls, url)
		want := o.read(url)
		switch {
		case o[url] == "":
			return nil, fmt.Errorf("the ledger has %s, which never was", url)
		case n[0] != n[1]+n[2]+n[3]:
			return nil, fmt.Errorf("%s: %v does not add up", url, n)
		case !want.broken && (n[0] != len(want.records) || n[3] != 0):
			return nil, fmt.Errorf("%s has %d records, the ledger %v", url, len(want.records), n)
		case want.broken && (n[0] != n[3] || n[3] == 0):
			return nil, fmt.Errorf("%s is broken, the ledger has %v", url, n)
		}
		rows, duplicates, quarantined = rows+n[1], duplicates+n[2], quarantined+n[3]
		if want.digest {
			digests++
		}
	}
	slices.Sort(urls)
	if once := slices.Compact(slices.Clone(urls)); len(once) != len(urls) {
		return nil, fmt.Errorf("%d of %d objects are twice in the ledger", len(urls)-len(once), len(urls))
	}
	var have []string
	for _, table := range []string{cloudtrail.Logs, cloudtrail.Insights, cloudtrail.Aggregated} {
		found, err := rowsAt(snap, table, "eventjson", "_conflict")
		if err != nil {
			return nil, err
		}
		for _, r := range found {
			have = append(have, compactJSON([]byte(r[0]))+"|"+r[1])
		}
	}
	slices.Sort(have)
	if want := o.rows(urls); !slices.Equal(have, want) || len(have) != rows {
		return nil, fmt.Errorf("%d rows, of which the ledger has %d; want %d or other ones%s", len(have), rows, len(want), firstDifference(have, want))
	}
	for table, want := range map[string]int{catalog.Duplicates: duplicates, catalog.Quarantine: quarantined, catalog.Digests: digests} {
		found, err := rowsAt(snap, table, "path")
		if err != nil {
			return nil, err
		}
		if len(found) != want {
			return nil, fmt.Errorf("%d rows of %s, want %d", len(found), table, want)
		}
	}
	kept, err := rowsAt(snap, catalog.Quarantine, "path", "stored")
	if err != nil {
		return nil, err
	}
	for _, r := range kept {
		data, err := store.ReadAll(context.Background(), r[1])
		if err != nil || string(data) != o[r[0]] {
			return nil, fmt.Errorf("%s was set aside, but the copy is not it: %w", r[0], err)
		}
	}
	return urls, nil
}

func firstDifference(have, want []string) string {
	for i := range max(len(have), len(want)) {
		var h, w string
		if i < len(have) {
			h = have[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if h != w {
			return fmt.Sprintf("\n have %.300s\n want %.300s", h, w)
		}
	}
	return ""
}

// sideLogs holds the logs of the other tables, which only other engines read, against that of trail_files.
func sideLogs(store blob.Store) error {
	type line struct {
		CommitInfo *struct {
			Trailql *struct {
				Tables map[string]json.RawMessage `json:"tables"`
			} `json:"trailql"`
		} `json:"commitInfo"`
		Txn *struct {
			Version int64 `json:"version"`
		} `json:"txn"`
	}
	entry := func(table string, version int) ([]line, error) {
		data, err := store.ReadAll(context.Background(), fmt.Sprintf("%s/_delta_log/%020d.json", table, version))
		if err != nil {
			return nil, err
		}
		var out []line
		for dec := json.NewDecoder(bytes.NewReader(data)); dec.More(); {
			var l line
			if err := dec.Decode(&l); err != nil {
				return nil, err
			}
			out = append(out, l)
		}
		return out, nil
	}
	want := map[string][]int64{}
	for v := 0; ; v++ {
		lines, err := entry(catalog.Files, v)
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return err
		}
		for table := range lines[0].CommitInfo.Trailql.Tables {
			want[table] = append(want[table], int64(v))
		}
	}
	for table, versions := range want {
		for i := 0; ; i++ {
			lines, err := entry(table, i)
			if errors.Is(err, fs.ErrNotExist) && i == len(versions) {
				break
			}
			if err != nil {
				return fmt.Errorf("%s: %w", table, err)
			}
			if i == len(versions) || lines[1].Txn == nil || lines[1].Txn.Version != versions[i] {
				return fmt.Errorf("entry %d of %s is not that of version %v", i, table, versions)
			}
		}
	}
	return nil
}

// stage is a run of the compactor that is disturbed.
type stage struct {
	name  string
	at    time.Time     // its clock
	base  *simdisk.Disk // the lake before it
	index string        // the index of that lake, as a file; "": none
	trail *simdisk.Disk
	urls  []string // of all objects of the trail
	known int      // of them in the lake before
}

// rig has the stages.
type rig struct {
	oracle oracle
	stages []*stage
}

const simTrail = "sim://trail"

var opened atomic.Int64

// lakeOn is a store on a disk. Each has a name of its own: what the process keeps of files is kept by their names.
func lakeOn(d *simdisk.Disk) blob.Store {
	return blob.NewFolder(fmt.Sprintf("sim://lake%d", opened.Add(1)), d.Root())
}

// point is a call that a run makes: the n-th of those with that operation and name, with X for what is random in names. So it is the same call in each run, however
// goroutines take turns.
type point struct {
	call string
	n    int
	kind simdisk.Call // without its number and name
}

func (p point) String() string { return fmt.Sprintf("%s#%d", p.call, p.n) }

// seed is the k-th of those for a point of the stage. They leave alone those that the rig was made with. Stages that run at the same time have none in common: compactors of a process are
// known by their names.
func (s *stage) seed(p point, k int) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, s.name, p.String(), k)
	return h.Sum64() | 1<<32
}

var randomName = regexp.MustCompile(`[0-9a-f]{16,}`)

// points tells the calls of a disk apart.
func points() func(simdisk.Call) point {
	seen := map[string]int{}
	return func(c simdisk.Call) point {
		call := c.Op + " " + randomName.ReplaceAllString(c.Name, "X")
		seen[call]++
		return point{call, seen[call], simdisk.Call{Op: c.Op, Write: c.Write}}
	}
}

// newRig makes a trail with copies, conflicts, digests and broken objects, and a lake by quiet runs, of which the stages are repeated with disturbances.
func newRig(t testing.TB) *rig {
	t.Helper()
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	g := &rig{oracle: oracle{}}
	all := randomTrail(3, 22)
	names := sortedNames(all)
	broken, good := objectName("eu-west-1", 1, 3, 900), objectName("eu-west-1", 1, 4, 901)
	all[good] = content(event("w", 1, 1), event("w", 1, 1, `"readOnly":true`))
	all[broken] = string(zip(all[good])[:60])
	all[digestName(1)] = digest(1, "null", good)
	parts := [][]string{{broken, digestName(1), names[0], names[1]}, {names[2], names[3], good}}
	for _, name := range names[4:] { // each adds a file or more to each day, so that there is something to merge
		parts = append(parts, []string{name})
	}

	dir := t.TempDir()
	lake, trail := simdisk.New(0, func() time.Time { return start }), simdisk.New(0, func() time.Time { return start })
	source := blob.NewFolder(simTrail, trail.Root())
	var urls []string
	for i, part := range parts {
		at := start.Add(time.Duration(i) * time.Hour)
		if i >= 10 {
			at = at.AddDate(0, 0, 9) // what was merged before is swept
		}
		for _, name := range part {
			data := all[name]
			if !strings.HasPrefix(data, "\x1f\x8b") {
				data = string(zip(data))
			}
			w, err := source.Create(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			w.Write([]byte(data))
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			g.oracle[simTrail+"/"+name] = data
		}
		s := &stage{name: map[int]string{0: "first", 1: "more", 9: "merge", 10: "sweep"}[i],
			at: at, base: lake.Copy(0), trail: trail.Copy(0), known: len(urls)}
		for _, name := range part {
			urls = append(urls, simTrail+"/"+name)
		}
		slices.Sort(urls)
		s.urls = slices.Clone(urls)
		s.index = filepath.Join(dir, fmt.Sprintf("index%d.db", i))
		if i > 0 {
			copyFile(t, filepath.Join(dir, "index.db"), s.index)
		}
		before := checkpoints(t, s.base)
		lake = s.base.Copy(0)
		if _, err := s.run(lake, uint64(10*i), filepath.Join(dir, "index.db")); err != nil {
			t.Fatal(err)
		}
		if got, err := g.oracle.inspect(lakeOn(lake)); err != nil || !slices.Equal(got, urls) {
			t.Fatalf("undisturbed: %d objects in the ledger, want %d; %v", len(got), len(urls), err)
		}
		if checkpoints(t, lake) > before {
			s.name += "checkpoint"
		}
		if s.name != "" {
			g.stages = append(g.stages, s)
		}
	}
	if !slices.ContainsFunc(g.stages, func(s *stage) bool { return s.name == "checkpoint" }) {
		t.Fatal("no run writes a checkpoint")
	}
	return g
}

// checkpoints counts those of a lake.
func checkpoints(t testing.TB, lake *simdisk.Disk) (n int) {
	t.Helper()
	if err := lakeOn(lake.Copy(0)).List(t.Context(), "", "", func(in blob.Info) error {
		if strings.HasSuffix(in.Name, ".checkpoint.parquet") {
			n++
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		err = os.WriteFile(to, data, 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (s *stage) now() time.Time { return s.at }

// run brings the lake on a disk up to date with the trail. Its calls come in the same order each time: one worker, and all chance from the seed.
func (s *stage) run(disk *simdisk.Disk, seed uint64, index string) (Summary, error) {
	l, err := catalog.Open(context.Background(), lakeOn(disk), catalog.Options{IndexPath: index, Now: s.now, Rand: chance(seed)})
	if err != nil {
		return Summary{}, err
	}
	sum, err := s.compact(l, seed)
	return sum, errors.Join(err, l.Close())
}

func (s *stage) compact(l *catalog.Lake, seed uint64) (Summary, error) {
	opt := Options{Workers: 1, beat: time.Hour, Memory: 256 << 20, Now: s.now, Rand: chance(seed + 1)}
	return Run(context.Background(), l, []blob.Store{blob.NewFolder(simTrail, s.trail.Root())}, opt, nil)
}

func chance(seed uint64) io.Reader {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	return rand.NewChaCha8(key)
}

// each calls test for the disturbed runs of each stage: at every call that an undisturbed one makes, by as many seeds as are worth it there, or at a sample of them.
func (g *rig) each(t *testing.T, worth func(simdisk.Call) int, test func(s *stage, at point, seed uint64) (reached bool, err error)) {
	for _, s := range g.stages {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			all, step := s.points(t), 1
			all = slices.DeleteFunc(all, func(p point) bool { return worth(p.kind) == 0 })
			if *diskSeeds == 0 && *diskReplay == "" {
				// Most calls are reads and writes of one file: the first of each says most.
				all = slices.DeleteFunc(all, func(p point) bool {
					return p.n > 1 && slices.Contains([]string{"read", "write", "stat"}, p.kind.Op)
				})
				sample := *diskSample
				if testing.Short() { // under the race detector a run takes ten times as long
					sample = 1
				}
				step = max(1, len(all)/sample)
			}
			runs, missed := 0, 0
			for i := step - 1; i < len(all); i += step {
				for k := range worth(all[i].kind) {
					replay := fmt.Sprintf("%s: %s seed %d", s.name, all[i], k)
					if *diskReplay != "" && *diskReplay != replay {
						continue
					}
					runs++
					reached, err := test(s, all[i], s.seed(all[i], k))
					if err != nil {
						t.Errorf("-disk.seeds %d -disk.replay '%s': %v", max(1, *diskSeeds), replay, err)
					}
					if !reached {
						missed++
					}
				}
			}
			t.Logf("%s: %d runs, disturbed at %d of %d calls; %d did not come to that call", s.name, runs, len(all)/step, len(all), missed)
			if runs > 3 && missed > runs*2/3 {
				t.Errorf("%d of %d runs were not disturbed", missed, runs)
			}
		})
	}
}

// points are the calls of an undisturbed run.
func (s *stage) points(t testing.TB) []point {
	t.Helper()
	var all []point
	disk, tell := s.base.Copy(0), points()
	disk.Fault(func(c simdisk.Call) error {
		all = append(all, tell(c))
		return nil
	})
	if _, err := s.run(disk, 500, ""); err != nil {
		t.Fatal(err)
	}
	return all
}

// finish runs the compactor once more, undisturbed, and holds the lake against the oracle.
func (g *rig) finish(s *stage, disk *simdisk.Disk, seed uint64, index string) error {
	if _, err := s.run(disk, seed+500, index); err != nil {
		return fmt.Errorf("the next run: %w", err)
	}
	store := lakeOn(disk)
	urls, err := g.oracle.inspect(store)
	switch {
	case err != nil:
		return fmt.Errorf("after the next run: %w", err)
	case !slices.Equal(urls, s.urls):
		return fmt.Errorf("after the next run the ledger has %d objects, want %d", len(urls), len(s.urls))
	}
	if err := sideLogs(store); err != nil {
		return fmt.Errorf("after the next run: %w", err)
	}
	if sum, err := s.run(disk, seed+600, index); err != nil || sum.New != 0 || sum.Earlier != int64(len(s.urls)) {
		return fmt.Errorf("a third run found something to do: %+v, %w", sum, err)
	}
	return nil
}

// Power is lost at each call of a run. Before and after, whoever looks sees whole commits; what was reported as committed stays; the next run
// makes the lake complete, whether it finds no index, that of before, or one that is ahead of the disk.
//
// A call that reads leaves the disk as it is: power lost there is power lost at the next call that changes it, so that one seed will do.
func TestPowerLoss(t *testing.T) {
	g := newRig(t)
	dir := t.TempDir()
	worth := func(c simdisk.Call) int {
		if c.Write {
			return max(1, *diskSeeds)
		}
		return 1
	}
	g.each(t, worth, func(s *stage, at point, seed uint64) (bool, error) {
		disk, tell, reached := s.base.Copy(seed), points(), false
		disk.Fault(func(c simdisk.Call) error {
			if tell(c) != at {
				return nil
			}
			reached = true
			return simdisk.ErrPowerLoss
		})
		index, kind := "", seed%4
		if kind < 2 {
			index = filepath.Join(dir, s.name+".db")
			removeIndex(index)
			copyFile(t, s.index, index)
		}
		sum, err := s.run(disk, seed, index)
		least := s.known + int(sum.New)
		switch { // what tidies up at the end may fail in silence
		case err == nil:
			least = len(s.urls)
		case !reached || !errors.Is(err, simdisk.ErrPowerLoss):
			return reached, fmt.Errorf("the run ended with: %w", err)
		}
		if kind == 0 { // the index's own file was lost, and an old one is put back
			removeIndex(index)
			copyFile(t, s.index, index)
		}
		seen, err := g.oracle.inspect(lakeOn(disk.Copy(seed)))
		if err != nil {
			return reached, fmt.Errorf("as others saw it before: %w", err)
		}
		after := disk.PowerLoss(seed)
		left, err := g.oracle.inspect(lakeOn(after.Copy(seed)))
		if err != nil {
			return reached, fmt.Errorf("after it: %w", err)
		}
		if len(left) < least || len(seen) < len(left) {
			return reached, fmt.Errorf("%d objects were committed, %d seen, %d are left", least, len(seen), len(left))
		}
		return reached, g.finish(s, after, seed, index)
	})
}

func removeIndex(name string) {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		os.Remove(name + suffix)
	}
}

// Each call of a run fails, once or from then on; a full disk fails what needs space. The run ends with that error, or is complete; nobody sees a half; what was
// reported is durable; and when the disk is well again the same process goes on.
func TestFailingDisk(t *testing.T) {
	g := newRig(t)
	for _, c := range []struct {
		name    string
		errno   syscall.Errno
		lasting bool
	}{{"once", syscall.EIO, false}, {"for good", syscall.EIO, true}, {"full for a moment", syscall.ENOSPC, false}, {"full", syscall.ENOSPC, true}} {
		t.Run(c.name, func(t *testing.T) {
			worth := func(call simdisk.Call) int {
				if c.errno == syscall.ENOSPC && !call.NeedsSpace() {
					return 0
				}
				return max(1, *diskSeeds)
			}
			g.each(t, worth, func(s *stage, at point, seed uint64) (bool, error) {
				return g.fail(s, at, seed, c.errno, c.lasting)
			})
		})
	}
}

// A run that ends knows the log to be durable, also where an earlier one of its process has failed at the commit point for good: what it takes for committed is there after a power
// loss.
func TestWhatARunKnowsIsDurable(t *testing.T) {
	g := newRig(t)
	s, tried := g.stages[0], 0
	for _, at := range s.points(t) {
		if !at.kind.Write || !strings.Contains(at.call, " "+catalog.Files+"/_delta_log") {
			continue
		}
		tried++
		if _, err := g.fail(s, at, s.seed(at, 0), syscall.EIO, true); err != nil {
			t.Errorf("%s: %v", at, err)
		}
	}
	if tried < 5 {
		t.Errorf("the commit point has %d calls", tried)
	}
}

// fail makes a run on a disk that fails with errno at a call, or from then on.
func (g *rig) fail(s *stage, at point, seed uint64, errno syscall.Errno, lasting bool) (reached bool, err error) {
	disk, tell := s.base.Copy(seed), points()
	disk.Fault(func(call simdisk.Call) error {
		now := tell(call) == at
		if (now || lasting && reached) && (errno == syscall.EIO || call.NeedsSpace()) {
			reached = true
			return errno
		}
		reached = reached || now
		return nil
	})
	err = g.failing(s, disk, seed, errno)
	return reached, err
}

func (g *rig) failing(s *stage, disk *simdisk.Disk, seed uint64, errno syscall.Errno) error {
	store := lakeOn(disk)
	open := func(seed uint64) (*catalog.Lake, error) {
		return catalog.Open(context.Background(), store, catalog.Options{Now: s.now, Rand: chance(seed)})
	}
	var sum Summary
	l, err := open(seed)
	if err == nil {
		defer func() { l.Close() }()
		sum, err = s.compact(l, seed)
	}
	if err != nil && !errors.Is(err, errno) {
		return fmt.Errorf("another error than the disk's: %w", err)
	}
	seen, checkErr := g.oracle.inspect(lakeOn(disk.Copy(seed)))
	if checkErr != nil {
		return fmt.Errorf("as others see it (%v): %w", err, checkErr)
	}
	left, checkErr := g.oracle.inspect(lakeOn(disk.PowerLoss(seed)))
	if checkErr != nil {
		return fmt.Errorf("after a power loss (%v): %w", err, checkErr)
	}
	least := s.known + int(sum.New)
	if err == nil && sum.Unreadable == 0 {
		least = len(s.urls)
	}
	if len(left) < least || len(seen) < least {
		return fmt.Errorf("%d objects were reported, %d seen, %d left after a power loss (%v)", least, len(seen), len(left), err)
	}
	disk.Fault(nil)
	if l == nil {
		if l, err = open(seed + 2); err != nil { // no name comes twice
			return fmt.Errorf("when the disk was well again: %w", err)
		}
	}
	if _, err := s.compact(l, seed+1); err != nil {
		return fmt.Errorf("when the disk was well again: %w", err)
	}
	after := disk.PowerLoss(seed)
	if left, err := g.oracle.inspect(lakeOn(after.Copy(seed))); err != nil || len(left) != len(s.urls) {
		return fmt.Errorf("%d of %d objects after it went on and power was lost: %w", len(left), len(s.urls), err)
	}
	return g.finish(s, after, seed, "")
}

// A run that is repeated makes the same calls, but for the order in which goroutines take turns: so a failure can be repeated from what it printed.
func TestDisturbancesRepeat(t *testing.T) {
	// Which folder is still open when an object of it is read depends on the turns that goroutines take, and a new folder may be synced by two of them: only calls that change something are held
	// against each other.
	looks := func(p point) bool {
		return !p.kind.Write || slices.Contains([]string{"sync", "close"}, p.kind.Op)
	}
	for _, s := range newRig(t).stages {
		first, second := slices.DeleteFunc(s.points(t), looks), slices.DeleteFunc(s.points(t), looks)
		if len(first) == 0 {
			t.Fatalf("%s changes nothing", s.name)
		}
		byName := func(a, b point) int { return strings.Compare(a.String(), b.String()) }
		slices.SortFunc(first, byName)
		slices.SortFunc(second, byName)
		for i := range first {
			if i >= len(second) || first[i] != second[i] {
				t.Errorf("%s: %d calls, then %d; the first of the others is %v", s.name, len(first), len(second), first[i])
				break
			}
		}
		if len(second) > len(first) {
			t.Errorf("%s: %d calls, then %d; the last is %v", s.name, len(first), len(second), second[len(second)-1])
		}
	}
}
