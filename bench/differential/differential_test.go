package differential

import (
	"context"
	"flag"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

var (
	queries = flag.Uint64("queries", 2000, "queries to ask both engines")
	seed    = flag.Uint64("seed", 1, "seed of the first query; the others follow")
)

// TestDifferential asks trailql and DuckDB the same. What differs is printed with its seed, shrunk.
func TestDifferential(t *testing.T) {
	const workers = 2
	var next, differences, failed, refused, withRows atomic.Uint64
	var lock sync.Mutex
	refusals := map[string]int{}
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			p, closeAll, err := newPair(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			defer func() {
				if err := closeAll(); err != nil {
					t.Error(err)
				}
			}()
			for {
				at := next.Add(1) - 1
				if at >= *queries || differences.Load() > 50 {
					return
				}
				s := *seed + at
				if err := p.fill(t.Context(), s); err != nil {
					t.Errorf("seed %d: %v", s, err)
					return
				}
				n, ordered, opt := drawn(s)
				v := p.judge(t.Context(), n, ordered, opt)
				switch {
				case v.difference != "":
					differences.Add(1)
					t.Error(p.explain(t.Context(), s, v))
				case v.failed:
					failed.Add(1)
				case v.refused:
					refused.Add(1)
				case v.rows > 0:
					withRows.Add(1)
				}
				if v.failed || v.refused {
					lock.Lock()
					refusals[message(v.trailql)+" · "+message(v.duck)]++
					lock.Unlock()
				}
			}
		})
	}
	group.Wait()
	t.Logf("%d queries, %d of them with rows; %d that one engine refuses, %d that fail in both; %d differences",
		*queries, withRows.Load(), refused.Load(), failed.Load(), differences.Load())
	for text, count := range refusals {
		t.Logf("%6d × %s", count, text)
	}
	if rest := refused.Load() + failed.Load(); rest*20 > *queries {
		t.Errorf("%d of %d queries compare nothing", rest, *queries)
	}
}

// explain shrinks a query that differs.
func (p *pair) explain(ctx context.Context, seed uint64, v verdict) string {
	n, ordered, opt := drawn(seed)
	long := n.sql(false)
	n.shrink(3000, func() bool {
		w := p.judge(ctx, n, ordered, opt)
		return w.difference == v.difference && (!strings.Contains(v.difference, "fail") || message(w.trailql) == message(v.trailql) || message(w.duck) == message(v.duck))
	})
	v = p.judge(ctx, n, ordered, opt)
	return fmt.Sprintf("seed %d: %s (%d workers, batches of %d)\n%s\nshrunk\n%s\nfor DuckDB\n%s\ntrailql\n%s\nDuckDB\n%s",
		seed, v.difference, opt.Workers, opt.BatchRows, long, n.sql(false), n.sql(true), v.trailql, v.duck)
}

var particulars = regexp.MustCompile(`"[^"]*"|'[^']*'|[0-9]+`)

// message is the first line of an error without the particulars.
func message(text string) string {
	first, _, _ := strings.Cut(text, "\n")
	return particulars.ReplaceAllString(first[:min(len(first), 160)], "…")
}

// TestShrink: a query shrinks to what makes the difference.
func TestShrink(t *testing.T) {
	n := nodeOf("SELECT ???", nodeOf("(? + ?)", raw("1"), raw("bad")).orSmaller(raw("2"), raw("bad")), optional(raw(" FROM t")), optional(raw(" LIMIT 1")))
	n.shrink(100, func() bool { return strings.Contains(n.sql(false), "bad") })
	if got := n.sql(false); got != "SELECT bad" {
		t.Errorf("shrunk to %q", got)
	}
}
