package compact

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/cloudtrail"
)

// sharedTrail makes a trail whose parts are many: regions and days.
func sharedTrail(objects int) map[string]string {
	out := map[string]string{}
	for i := range objects {
		region, day := []string{"eu-west-1", "us-east-1", "us-west-2"}[i%3], 1+i/3%14
		out[objectName(region, day, i, i)] = content(event(fmt.Sprintf("id-%04d", i), day, i), event(fmt.Sprintf("id-%04d", i/2), 1, 1))
	}
	return out
}

// meeting is a source whose first request waits until all compactors stand there.
type meeting struct {
	*memoryStore
	all  *sync.WaitGroup
	once sync.Once
}

func (m *meeting) Folders(ctx context.Context, prefix string) ([]string, error) {
	m.once.Do(func() { m.all.Done(); m.all.Wait() })
	return m.memoryStore.Folders(ctx, prefix)
}

// Compactors that run at the same time share the work: each reads a part, nothing is read twice, and each ends when all of it is in the lake.
func TestCompactorsShareTheWork(t *testing.T) {
	const objects = 168
	alone := newLake(t)
	trail := sharedTrail(objects)
	all, err := Run(context.Background(), alone, []blob.Store{&memoryStore{url: "s3://bucket", objects: trail}}, testOptions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := contents(t, alone)
	for _, n := range []int{2, 3, 8} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			source := &memoryStore{url: "s3://bucket", objects: trail}
			dir := t.TempDir()
			var met, ended sync.WaitGroup
			met.Add(n)
			sums := make([]Summary, n)
			for i := range n {
				l := openLake(t, store(t, dir))
				ended.Go(func() {
					opt := testOptions()
					opt.Workers, opt.chunk, opt.beat, opt.NoMerge = 1, 10, time.Millisecond, true
					opt.Rand = rand.New(rand.NewSource(int64(i))) // names decide who has what
					var err error
					if sums[i], err = Run(context.Background(), l, []blob.Store{&meeting{memoryStore: source, all: &met}}, opt, nil); err != nil {
						t.Errorf("compactor %d: %v", i, err)
					}
				})
			}
			ended.Wait()
			var rows, dups, taken int64
			var parts []int64
			for i, s := range sums {
				reconcile(t, s)
				if s.Listed != objects || s.New == 0 {
					t.Errorf("compactor %d: %+v", i, s)
				}
				rows, dups, taken, parts = rows+s.Rows, dups+s.Duplicates, taken+s.New, append(parts, s.New)
			}
			t.Logf("%d objects by %d compactors: %v; %d reads, %d listings", objects, n, parts, source.calls["get"], source.calls["list"])
			if rows != all.Rows || dups != all.Duplicates || taken != objects || source.calls["get"] != objects {
				t.Errorf("together %d rows, %d duplicates of %d objects in %d reads, want %d, %d of %d", rows, dups, taken, source.calls["get"], all.Rows, all.Duplicates, objects)
			}
			l := openLake(t, store(t, dir))
			equalLines(t, contents(t, l), want, "contents")
			left := 0
			l.Store().List(context.Background(), membersFolder, "", func(blob.Info) error { left++; return nil })
			if left > 0 {
				t.Errorf("%d members are left behind", left)
			}
		})
	}
}

// A compactor that fails in the middle leaves its part to the others, which read what it had not committed.
func TestPartOfTheDeadIsTaken(t *testing.T) {
	trail := sharedTrail(84)
	source := &memoryStore{url: "s3://bucket", objects: trail}
	dir := t.TempDir()
	var met, ended sync.WaitGroup
	met.Add(3)
	sums := make([]Summary, 3)
	for i := range sums {
		s := store(t, dir)
		if i == 0 {
			var mu sync.Mutex
			commits := 0
			s = &hookStore{Store: s, before: func(op, name string) error {
				mu.Lock()
				defer mu.Unlock()
				if op == "put" || op == "delete" {
					commits++
				}
				if commits > 8 {
					return errors.New("the process died")
				}
				return nil
			}}
		}
		l := openLake(t, s)
		ended.Go(func() {
			opt := testOptions()
			opt.Workers, opt.chunk, opt.beat, opt.NoMerge = 1, 3, time.Millisecond, true
			opt.Rand = rand.New(rand.NewSource(int64(i)))
			var err error
			if sums[i], err = Run(context.Background(), l, []blob.Store{&meeting{memoryStore: source, all: &met}}, opt, nil); (err != nil) != (i == 0) {
				t.Errorf("compactor %d: %v", i, err)
			}
		})
	}
	ended.Wait()
	l := openLake(t, store(t, dir))
	ledger := read(t, l, catalog.Files, "path")
	slices.Sort(ledger)
	if len(ledger) != len(trail) || len(slices.Compact(ledger)) != len(trail) {
		t.Errorf("%d objects in the ledger, want %d", len(ledger), len(trail))
	}
	for i, s := range sums[1:] {
		if reconcile(t, s); s.Listed != 84 {
			t.Errorf("compactor %d: %+v", 1+i, s)
		}
	}
}

// By views that differ no two members have the same part, as long as they know of each other; and the parts are about equal.
func TestPartsAreApart(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	var members []member
	for i := range 8 {
		members = append(members, member{ID: fmt.Sprintf("%016x", rng.Uint64()), Sources: []string{"s3://bucket"}, Process: i})
	}
	share := func(self int, view ...int) *share {
		s := &share{self: members[self]}
		for _, i := range view {
			s.view = append(s.view, members[i])
		}
		return s
	}
	counts := make([]int, 8)
	for i := range 4000 {
		p := &pending{url: "s3://bucket/x", span: &span{}, name: cloudtrail.ObjectName{Account: fmt.Sprintf("%012d", i%40), Region: "eu-west-1", Stamp: time.Unix(int64(i/40)*86400, 0)}}
		owners := 0
		for m := range 8 {
			if share(m, 0, 1, 2, 3, 4, 5, 6, 7).mine(p) {
				counts[m]++
				owners++
			}
		}
		if owners != 1 {
			t.Fatalf("%d owners", owners)
		}
		if share(0, 0, 1, 2).mine(p) && share(1, 0, 1, 3, 4).mine(p) {
			t.Fatal("two owners by different views")
		}
	}
	for m, n := range counts {
		if n < 400 || n > 600 {
			t.Errorf("member %d has %d of 4000 parts", m, n)
		}
	}
}

// A member of another host that does not move is waited for until it must be dead, and no longer.
func TestMemberThatDoesNotMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := store(t, t.TempDir())
		source := &memoryStore{url: "s3://bucket", objects: map[string]string{}}
		write := func(m member) {
			text, err := json.Marshal(&m)
			if err != nil {
				t.Fatal(err)
			}
			put, err := s.Create(t.Context(), m.name())
			if err != nil {
				t.Fatal(err)
			}
			put.Write(text)
			put.Close()
		}
		write(member{ID: "0123456789abcdef", Host: "elsewhere", Sources: []string{"s3://bucket"}, View: []string{"0123456789abcdef"}, Time: time.Now()})
		write(member{ID: "1123456789abcdef", Host: "elsewhere", Sources: []string{"s3://other"}, Time: time.Now()})
		write(member{ID: "2123456789abcdef", Host: "elsewhere", Sources: []string{"s3://bucket"}, Follow: true, Time: time.Now()})
		begun := time.Now()
		m := newShare(s, "ffffffffffffffff", []blob.Store{source}, Options{Now: time.Now, beat: time.Second})
		if err := m.join(t.Context(), &Progress{}); err != nil {
			t.Fatal(err)
		}
		defer m.leave(t.Context())
		if took := time.Since(begun); took < lapse || took > lapse+2*time.Second || len(m.view) != 1 {
			t.Errorf("joined after %v with %d members", took, len(m.view))
		}
	})
}
