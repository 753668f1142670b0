package compact

import (
	"context"
	"flag"
	"fmt"
	"io"
	"path"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trailql/trailql/connectors/blob"
)

var manyObjects = flag.Int("objects", 30_000, "trail objects of TestManyObjects")

// endlessTrail is a source with any number of small objects, whose names and contents are made as they are asked for. It looks at the memory from
// time to time.
type endlessTrail struct {
	blob.Store
	url                     string
	accounts, regions, days int
	perDay                  int // objects of an account, region and day
	every                   int // objects between two looks
	stop                    func(read int64) error
	gets, lists, folders    atomic.Int64
	live                    []uint64 // what was in use
}

func (e *endlessTrail) URL() string  { return e.url }
func (e *endlessTrail) objects() int { return e.accounts * e.regions * e.days * e.perDay }

func (e *endlessTrail) account(i int) string { return fmt.Sprintf("%012d", 100_000_000_000+i) }
func (e *endlessTrail) region(i int) string  { return fmt.Sprintf("eu-west-%d", 1+i) }
func (e *endlessTrail) day(i int) time.Time {
	return time.Date(2026, 1, 1+i, 0, 0, 0, 0, time.UTC)
}

// folder calls visit for the day folders that may hold names greater than after and start with prefix, in order of names.
func (e *endlessTrail) folder(prefix, after string, visit func(account, region string, day time.Time, folder string) error) error {
	may := func(folder string) bool {
		return (strings.HasPrefix(folder, prefix) || strings.HasPrefix(prefix, folder)) && (folder >= after || strings.HasPrefix(after, folder))
	}
	for a := range e.accounts {
		above := "AWSLogs/" + e.account(a) + "/CloudTrail/"
		if !may(above) {
			continue
		}
		for r := range e.regions {
			unit := above + e.region(r) + "/"
			if !may(unit) {
				continue
			}
			for d := range e.days {
				if folder := unit + e.day(d).Format(dayFolders); may(folder) {
					if err := visit(e.account(a), e.region(r), e.day(d), folder); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

func (e *endlessTrail) content(name string) string {
	return content(event(path.Base(name), 1+int(name[len(name)-9])%20, 4711))
}

func (e *endlessTrail) List(ctx context.Context, prefix, after string, visit func(blob.Info) error) error {
	e.lists.Add(1)
	n := 0
	size := int64(len(e.content(objectName("eu-west-1", 1, 0, 1))))
	return e.folder(prefix, after, func(account, region string, day time.Time, folder string) error {
		for i := range e.perDay {
			minute := i * 1440 / e.perDay
			name := fmt.Sprintf("%s%s_CloudTrail_%s_%sT%02d%02dZ_%016d.json.gz", folder, account, region, day.Format("20060102"), minute/60, minute%60, i)
			if !strings.HasPrefix(name, prefix) || name <= after {
				continue
			}
			if n++; n%pageNames == 0 {
				e.lists.Add(1)
			}
			if err := visit(blob.Info{Name: name, Size: size, ETag: "e"}); err != nil {
				return err
			}
		}
		return nil
	})
}

func (e *endlessTrail) Folders(_ context.Context, prefix string) (out []string, err error) {
	e.folders.Add(1)
	err = e.folder(prefix, "", func(_, _ string, _ time.Time, folder string) error {
		if rest, ok := strings.CutPrefix(folder, prefix); ok {
			part, _, _ := strings.Cut(rest, "/")
			if part += "/"; len(out) == 0 || out[len(out)-1] != part {
				out = append(out, part)
			}
		}
		return nil
	})
	return out, err
}

func (e *endlessTrail) Get(_ context.Context, info blob.Info) (io.ReadCloser, error) {
	n := e.gets.Add(1)
	if e.stop != nil {
		if err := e.stop(n); err != nil {
			return nil, err
		}
	}
	if e.every > 0 && int(n)%e.every == 0 {
		e.live = append(e.live, live())
	}
	return io.NopCloser(strings.NewReader(e.content(info.Name))), nil
}

// live is the memory in use.
func live() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// What a run holds does not grow with the objects that it has read and committed.
func TestMemoryDoesNotGrowWithTheTrail(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	e := &endlessTrail{url: "made:", accounts: 1, regions: 1, days: 6, perDay: 2000, every: 500}
	objects := e.objects()
	opt := testOptions()
	opt.Workers, opt.Requests, opt.chunk, opt.NoMerge = 1, 1, 2000, true
	sum, err := Run(context.Background(), newLake(t), []blob.Store{e}, opt, nil)
	if err != nil {
		t.Fatal(err)
	}
	if sum.New != int64(objects) || sum.Rows != int64(objects) || len(e.live) != objects/e.every {
		t.Fatalf("%+v, %d looks", sum, len(e.live))
	}
	// Looks at the same place of two commits are compared: pools hold more or less right after one. Footers of files that were read back stay in a
	// cache, which is bounded: they are some 30 bytes an object here. The name of an object alone has 100.
	looks := opt.chunk / e.every
	early, late := e.live[looks+2], e.live[len(e.live)-looks+2]
	per := (float64(late) - float64(early)) / float64(objects-2*opt.chunk)
	t.Logf("live at each look: %d; %.0f bytes an object", e.live, per)
	if per > 80 {
		t.Errorf("%.0f bytes are held for each object: %s", per, fmt.Sprint(e.live))
	}
}

// A large trail is stopped in the middle, gone on with, and looked through again. The memory stays the same whatever the number of objects.
func TestManyObjects(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	e := &endlessTrail{url: "s3://made", accounts: 20, regions: 5, days: 60, every: 2500}
	days := e.accounts * e.regions * e.days
	e.perDay = (*manyObjects + days - 1) / days
	objects := int64(e.objects())
	l := newLake(t)
	before := live() // other tests leave what is kept of files
	opt := testOptions()
	opt.NoMerge = true
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	e.stop = func(n int64) error {
		if n > objects/2 {
			cancel()
		}
		return nil
	}
	opt.chunk = int(min(objects/6, opt.Memory/objectShare)) // several commits, of no more objects than usual
	begun := time.Now()
	first, err := Run(ctx, l, []blob.Store{e}, opt, nil)
	if err == nil || first.Commits == 0 || first.New >= objects {
		t.Fatalf("stopped in the middle: %+v, %v", first, err)
	}
	e.stop, e.gets = nil, atomic.Int64{}
	rest, err := Run(context.Background(), l, []blob.Store{e}, opt, nil)
	if err != nil || rest.New+first.New != objects || rest.Earlier != first.New || e.gets.Load() != rest.New {
		t.Fatalf("gone on: %+v after %+v, %d reads, %v", rest, first, e.gets.Load(), err)
	}
	took := time.Since(begun)
	begun = time.Now()
	e.lists.Store(0)
	e.folders.Store(0)
	again, err := Run(context.Background(), l, []blob.Store{e}, opt, nil)
	if err != nil || again.Earlier != objects || again.New != 0 {
		t.Fatalf("again: %+v, %v", again, err)
	}
	listed := time.Since(begun)
	var peak uint64
	for _, live := range e.live {
		peak = max(peak, live-min(live, before))
	}
	t.Logf("%d objects: %.0f objects/s compacted, %.0f objects/s looked through again (%d listings, %d requests for folders); at most %d MiB of memory in use",
		objects, float64(objects)/took.Seconds(), float64(objects)/listed.Seconds(), e.lists.Load(), e.folders.Load(), peak>>20)
	if peak > 256<<20 {
		t.Errorf("%d MiB of memory were in use", peak>>20)
	}
}
