package compact

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/cloudtrail"
)

var (
	raceReads = flag.Int("race.reads", 150, "snapshots that TestRaces reads while compactors race")
	raceRound = flag.Int("race.per-round", 150, "of them in one round at most")
	raceSeed  = flag.Uint64("race.seed", 1, "seed of its first round")
)

// Two to eight compactors work on one trail and one lake, each with a handle and a clock of its own, while readers count. Every snapshot is consistent, a version counts the same
// whoever reads it and whenever, no reader sees less than was reported as committed before it looked, and the log tells one history, in which each object comes in once.
func TestRaces(t *testing.T) {
	var reads, rounds, compactors, versions, held int64
	for seed := *raceSeed; reads < int64(*raceReads); seed++ {
		r := rand.New(rand.NewPCG(seed, 0))
		g := &race{t: t, seed: seed, writers: 2 + r.IntN(7), want: oracle{}}
		g.run(r)
		if t.Failed() {
			t.Fatalf("-race.seed %d: %d compactors", seed, g.writers)
		}
		reads, rounds, compactors, versions, held = reads+g.reads.Load(), rounds+1, compactors+int64(g.writers), versions+int64(g.versions), held+g.held.Load()
	}
	t.Logf("%d rounds of %d compactors in all made %d versions; %d snapshots were read, %d of them again when they were old", rounds, compactors, versions, reads, held)
}

// race is one round.
type race struct {
	t        *testing.T
	seed     uint64
	writers  int
	want     oracle
	versions int

	reads, held  atomic.Int64
	acknowledged atomic.Int64 // the newest version that a compactor reported
	counts       sync.Map     // version → what was counted at it
}

func (g *race) run(r *rand.Rand) {
	t := g.t
	tr := randomTrail(int64(g.seed), 6+r.IntN(8))
	src, dir := t.TempDir(), t.TempDir()
	names := sortedNames(tr)
	for _, name := range names {
		tr[name] = string(zip(tr[name]))
		g.want[src+"/"+name] = tr[name]
	}
	first := openLake(t, store(t, dir))
	first.Close()

	ctx, done := context.WithCancel(t.Context())
	var readers, writers sync.WaitGroup
	for range 2 {
		l := openLake(t, store(t, dir))
		readers.Go(func() { g.read(ctx, l) })
	}
	var commits atomic.Int64
	parts := 1 + r.IntN(3) // the trail grows while they work
	for part := range parts {
		grown := trail{}
		for i := part; i < len(names); i += parts {
			grown[names[i]] = tr[names[i]]
		}
		grown.write(t, src)
		for i := range g.writers {
			// Their clocks differ, by less than what a sweep spares.
			wrong := time.Duration(r.Int64N(int64(20*time.Hour))) - 10*time.Hour
			now := func() time.Time { return testNow().Add(wrong) }
			l, err := catalog.Open(context.Background(), store(t, dir), catalog.Options{Now: now})
			if err != nil {
				t.Fatal(err)
			}
			writers.Go(func() {
				defer l.Close()
				opt := testOptions()
				opt.Workers, opt.chunk, opt.Now = 1, 1+i%5, now // so that the batches overlap
				sum, err := Run(context.Background(), l, []blob.Store{store(t, src)}, opt, nil)
				if err != nil {
					t.Errorf("compactor %d: %v", i, err)
				}
				reconcile(t, sum)
				commits.Add(sum.Commits)
				for old := g.acknowledged.Load(); sum.Version > old && !g.acknowledged.CompareAndSwap(old, sum.Version); {
					old = g.acknowledged.Load()
				}
			})
		}
		writers.Wait()
	}
	done()
	readers.Wait()

	urls, err := g.want.inspect(store(t, dir))
	if err != nil || len(urls) != len(names) {
		t.Errorf("%d objects in the ledger, want %d; %v", len(urls), len(names), err)
	}
	if err := sideLogs(store(t, dir)); err != nil {
		t.Error(err)
	}
	if g.versions, err = history(store(t, dir)); err != nil {
		t.Error(err)
	}
	if int64(g.versions) != commits.Load()+1 { // and the one that made the tables
		t.Errorf("the log has %d versions, %d commits were reported", g.versions, commits.Load())
	}
}

// read counts snapshots until it is told to stop: the newest one and those of before in turns.
func (g *race) read(ctx context.Context, l *catalog.Lake) {
	var old []*catalog.Snapshot // one of each version
	last := int64(-1)
	for turn := 0; ctx.Err() == nil && !g.t.Failed(); turn++ {
		if g.reads.Load() >= int64(*raceRound) { // enough: the machine is the compactors'
			return
		}
		least := g.acknowledged.Load()
		snap, err := l.Newest(context.Background())
		if err != nil {
			g.t.Errorf("snapshot: %v", err)
			return
		}
		if snap.Version() < max(least, last) {
			g.t.Errorf("version %d was read after %d was there", snap.Version(), max(least, last))
		}
		last = snap.Version()
		if len(old) > 0 && old[len(old)-1] == snap && turn%64 > 0 { // seen already: leave the machine to the compactors
			runtime.Gosched()
			continue
		}
		if len(old) == 0 || old[len(old)-1] != snap {
			old = append(old, snap)
		}
		g.count(snap)
		for _, before := range old[max(0, len(old)-5) : len(old)-1] {
			g.count(before)
			g.held.Add(1)
		}
	}
}

func (g *race) count(snap *catalog.Snapshot) {
	g.reads.Add(1)
	ledger, err := rowsAt(snap, catalog.Files, "records", "rows", "duplicates", "quarantined")
	if err != nil {
		g.t.Error(err)
		return
	}
	var sums [4]int
	for _, r := range ledger {
		for i := range sums {
			var n int
			fmt.Sscan(r[i], &n)
			sums[i] += n
		}
	}
	have := map[string]int{}
	for _, table := range []string{cloudtrail.Logs, catalog.Duplicates, catalog.Quarantine} {
		rows, err := rowsAt(snap, table, "_path")
		if table != cloudtrail.Logs {
			rows, err = rowsAt(snap, table, "path")
		}
		if err != nil {
			g.t.Error(err)
			return
		}
		have[table] = len(rows)
	}
	if sums[0] != sums[1]+sums[2]+sums[3] || have[cloudtrail.Logs] != sums[1] || have[catalog.Duplicates] != sums[2] || have[catalog.Quarantine] != sums[3] {
		g.t.Errorf("version %d: the ledger has %v, the tables %v", snap.Version(), sums, have)
	}
	now := fmt.Sprint(len(ledger), sums, have)
	if before, seen := g.counts.LoadOrStore(snap.Version(), now); seen && before != now {
		g.t.Errorf("version %d counts %s and %s", snap.Version(), before, now)
	}
}

// history reads the log as text and reports how many versions it has, one after the other. A file comes once and goes at most once, after it came.
func history(s blob.Store) (versions int, err error) {
	type action struct {
		Add    *struct{ Path string }
		Remove *struct{ Path string }
		Info   *struct {
			Trailql struct{ Tables map[string][]action }
		} `json:"commitInfo"`
	}
	state := map[string]string{}
	var apply func(table string, actions []action) error
	apply = func(table string, actions []action) error {
		for _, a := range actions {
			switch {
			case a.Add != nil && state[table+a.Add.Path] != "":
				return fmt.Errorf("%s comes again to %s", a.Add.Path, table)
			case a.Add != nil:
				state[table+a.Add.Path] = "there"
			case a.Remove != nil && state[table+a.Remove.Path] != "there":
				return fmt.Errorf("%s leaves %s, where it is %q", a.Remove.Path, table, state[table+a.Remove.Path])
			case a.Remove != nil:
				state[table+a.Remove.Path] = "gone"
			case a.Info != nil:
				for other, actions := range a.Info.Trailql.Tables {
					if err := apply(other, actions); err != nil {
						return err
					}
				}
			}
		}
		return nil
	}
	for ; ; versions++ {
		data, err := s.ReadAll(context.Background(), fmt.Sprintf("%s/_delta_log/%020d.json", catalog.Files, versions))
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return versions, err
		}
		var actions []action
		for dec := json.NewDecoder(bytes.NewReader(data)); dec.More(); {
			var a action
			if err := dec.Decode(&a); err != nil {
				return versions, fmt.Errorf("version %d: %w", versions, err)
			}
			actions = append(actions, a)
		}
		if err := apply(catalog.Files, actions); err != nil {
			return versions, fmt.Errorf("version %d: %w", versions, err)
		}
	}
	count := 0
	err = s.List(context.Background(), catalog.Files+"/_delta_log/", "", func(i blob.Info) error {
		if strings.HasSuffix(i.Name, ".json") {
			count++
		}
		return nil
	})
	if err == nil && count != versions {
		err = fmt.Errorf("the log has %d entries, of which %d follow each other", count, versions)
	}
	return versions, err
}
