package compact

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/blob/s3server"
)

var (
	s3Faults = flag.Int("s3.faults", 200, "requests to S3 that go wrong in TestS3Faults")
	s3Seed   = flag.Uint64("s3.seed", 1, "seed of its first round")
)

// Two compactors and a reader reach a real S3 server over a way on which requests and answers go wrong. What they say is right or an error
// that names the store; a quiet run completes the lake; nothing is lost or doubled.
func TestS3Faults(t *testing.T) {
	server := s3server.Start(t)
	met, asked, failed, runs, reads := 0, 0, 0, 0, int64(0)
	kinds := map[string]int{}
	for seed := *s3Seed; met < *s3Faults; seed++ {
		g := &s3Round{t: t, server: server, seed: seed, want: oracle{}}
		g.run()
		for _, way := range g.ways {
			met, asked = met+way.Met(), asked+way.Asked()
			for kind, n := range way.Kinds() {
				kinds[kind] += n
			}
		}
		runs, failed, reads = runs+g.runs, failed+g.failed, reads+g.reads.Load()
		if t.Failed() {
			t.Fatalf("-s3.seed %d", seed)
		}
	}
	t.Logf("%d of %d requests went wrong: %v; %d runs and %d reads, of which %d ended with an error", met, asked, kinds, runs, reads, failed)
}

// s3Round is one lake.
type s3Round struct {
	t      *testing.T
	server *s3server.Server
	seed   uint64
	want   oracle
	ways   []*s3server.Faults
	reads  atomic.Int64

	mu           sync.Mutex
	runs, failed int
}

func (g *s3Round) run() {
	t, ctx := g.t, context.Background()
	r := rand.New(rand.NewPCG(g.seed, 0))
	url := g.server.Bucket(t, fmt.Sprintf("round%d", g.seed))
	trailURL, lakeURL := url+"/trail", url+"/lake"
	quiet := func(url string) blob.Store { return g.server.Open(t, url, g.server.Access()) }
	tr := randomTrail(int64(g.seed), 4+r.IntN(5))
	names := sortedNames(tr)
	tr[names[0]] = string(zip(tr[names[0]])[:60]) // broken
	put := func(name string) {
		data := tr[name]
		if !strings.HasPrefix(data, "\x1f\x8b") {
			data = string(zip(data))
		}
		g.server.Put(t, fmt.Sprintf("round%d", g.seed), "trail/"+name, []byte(data), nil)
		g.want[trailURL+"/"+name] = data
	}
	rate := []float64{0.1, 0.3, 0.5}[r.IntN(3)]
	way := func(stale bool) blob.Access {
		f := s3server.NewFaults(g.seed*100+uint64(len(g.ways)), rate)
		f.Stale = stale
		g.ways = append(g.ways, f)
		access := g.server.Access()
		access.Transport, access.Stall = f, 30*time.Millisecond
		return access
	}
	half := len(names) / 2
	for part, some := range [][]string{names[:half], names[half:]} {
		for _, name := range some {
			put(name)
		}
		var wg sync.WaitGroup
		done := make(chan struct{})
		for range 2 {
			source, lake := way(true), way(false)
			wg.Go(func() { g.compact(trailURL, lakeURL, source, lake) })
		}
		var reader sync.WaitGroup
		access := way(false)
		reader.Go(func() {
			for first := true; first || part > 0; first = false {
				g.read(lakeURL, access)
				select {
				case <-done:
					return
				default:
				}
			}
		})
		wg.Wait()
		close(done)
		reader.Wait()
	}
	l, err := catalog.Open(ctx, quiet(lakeURL), catalog.Options{Now: testNow})
	if err != nil {
		t.Errorf("open, without faults: %v", err)
		return
	}
	defer l.Close()
	if _, err := Run(ctx, l, []blob.Store{quiet(trailURL)}, testOptions(), nil); err != nil {
		t.Errorf("a run without faults: %v", err)
	}
	urls, err := g.want.inspect(quiet(lakeURL))
	if err != nil || len(urls) != len(names) {
		t.Errorf("%d objects in the ledger, want %d; %v", len(urls), len(names), err)
	}
	if err := sideLogs(quiet(lakeURL)); err != nil {
		t.Error(err)
	}
	if _, err := history(quiet(lakeURL)); err != nil {
		t.Error(err)
	}
}

// named reports that an error says which store it is about.
func (g *s3Round) named(what string, err error) {
	if err == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.failed++
	if text := err.Error(); !strings.Contains(text, "s3://") || strings.Contains(text, "panic") || strings.Contains(text, "internal error") {
		g.t.Errorf("%s: %v", what, err)
	}
}

// compact runs a compactor; what it reports as committed must be there.
func (g *s3Round) compact(trailURL, lakeURL string, source, lake blob.Access) {
	ctx := context.Background()
	g.mu.Lock()
	g.runs++
	g.mu.Unlock()
	from, err := blob.Open(ctx, trailURL, source)
	if err != nil {
		g.named("open the trail", err)
		return
	}
	to, err := blob.Open(ctx, lakeURL, lake)
	if err != nil {
		g.named("open the lake", err)
		return
	}
	l, err := catalog.Open(ctx, to, catalog.Options{Now: testNow})
	if err != nil {
		g.named("open the lake", err)
		return
	}
	defer l.Close()
	sum, err := Run(ctx, l, []blob.Store{from}, testOptions(), nil)
	g.named("compact", err)
	urls, err := g.want.inspect(g.server.Open(g.t, lakeURL, g.server.Access()))
	if err != nil || int64(len(urls)) < sum.New {
		g.t.Errorf("%d objects were reported, %d are there; %v", sum.New, len(urls), err)
	}
}

// read opens the lake and holds what it sees against the oracle.
func (g *s3Round) read(lakeURL string, access blob.Access) {
	ctx := context.Background()
	lake, err := blob.Open(ctx, lakeURL, access)
	if err != nil {
		g.named("open", err)
		return
	}
	if _, err := lake.Stat(ctx, "trail_files/_delta_log/00000000000000000000.json"); err != nil {
		return // not there yet, or one of the faults
	}
	_, err = g.want.inspect(lake)
	if err != nil && (strings.Contains(err.Error(), "rows of") || strings.Contains(err.Error(), "the ledger")) {
		g.t.Errorf("a reader saw: %v", err)
		return
	}
	g.named("read", err)
	g.reads.Add(1)
}

// What PutIfAbsent reports as made is there, although answers are lost and requests come twice.
func TestS3LostAnswers(t *testing.T) {
	server := s3server.Start(t)
	access := server.Access()
	way := s3server.NewFaults(7, 0.6)
	access.Transport, access.Stall = way, 30*time.Millisecond
	url := server.Bucket(t, "answers")
	s, err := blob.Open(t.Context(), url, access)
	for err != nil { // an outage
		s, err = blob.Open(t.Context(), url, access)
	}
	var made []string
	for i := range 12 {
		name, data := fmt.Sprintf("log/%d", i), bytes.Repeat([]byte{byte('a' + i)}, 1000)
		err := s.PutIfAbsent(t.Context(), name, data)
		have, readErr := server.Open(t, url, server.Access()).ReadAll(t.Context(), name)
		switch {
		case err == nil && !bytes.Equal(have, data):
			t.Errorf("%s was reported, and is not there: %v", name, readErr)
		case err == nil:
			made = append(made, name)
		}
	}
	if len(made) < 6 {
		t.Errorf("of 12 only %v were made", slices.Clip(made))
	}
}
