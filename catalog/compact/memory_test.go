package compact

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/trailql/trailql/connectors/blob"
)

// endlessTrail is a source with any number of small objects, made as they are read. It looks at the memory from time to time.
type endlessTrail struct {
	blob.Store
	objects int
	every   int // objects between two looks
	opened  atomic.Int64
	live    []uint64 // what was in use
}

type madeObject struct{ *bytes.Reader }

func (madeObject) Close() error { return nil }

func (e *endlessTrail) name(i int) string { return objectName("eu-west-1", 1+i/2000%28, i%1440, i) }

func (e *endlessTrail) URL() string { return "made:" }

func (e *endlessTrail) List(_ context.Context, _ string, visit func(blob.Info) error) error {
	for i := range e.objects {
		if err := visit(blob.Info{Name: e.name(i), Size: 100, ETag: "e"}); err != nil {
			return err
		}
	}
	return nil
}

func (e *endlessTrail) Open(_ context.Context, name string) (blob.Object, error) {
	n := e.opened.Add(1)
	if int(n)%e.every == 0 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		e.live = append(e.live, m.HeapAlloc)
	}
	return madeObject{bytes.NewReader([]byte(content(event(name[len(name)-24:], 1+int(n)/2000%28, int(n)%86400))))}, nil
}

// What a run holds does not grow with the objects that it has read and committed.
func TestMemoryDoesNotGrowWithTheTrail(t *testing.T) {
	objects := 12_000
	if testing.Short() {
		t.Skip("long")
	}
	e := &endlessTrail{objects: objects, every: 500}
	opt := testOptions()
	opt.Workers, opt.chunk, opt.NoMerge = 1, 2000, true
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
