package exec

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/vec"
)

// framesOf are frames by how they are written.
var framesOf = map[string]plan.Frame{
	"default":    plan.DefaultFrame,
	"whole":      {Unit: plan.Rows, End: plan.FrameBound{Kind: plan.UnboundedFollowing}},
	"rows":       {Unit: plan.Rows, End: plan.FrameBound{Kind: plan.CurrentRow}},
	"peers":      {Unit: plan.Groups, End: plan.FrameBound{Kind: plan.CurrentRow}},
	"rest":       {Unit: plan.Rows, Start: plan.FrameBound{Kind: plan.CurrentRow}, End: plan.FrameBound{Kind: plan.UnboundedFollowing}},
	"two to one": {Unit: plan.Rows, Start: plan.FrameBound{Kind: plan.Preceding, Offset: integer(2)}, End: plan.FrameBound{Kind: plan.Following, Offset: integer(1)}},
	"behind":     {Unit: plan.Rows, Start: plan.FrameBound{Kind: plan.Following, Offset: integer(1)}, End: plan.FrameBound{Kind: plan.Following, Offset: integer(3)}},
}

// streamable are calls over the columns of people with the way in which each is to be streamed under an ORDER BY.
func streamable(r relation) map[way][]plan.WindowCall {
	framed := func(frame, name string, args ...expr.Expr) plan.WindowCall {
		c := windowCall(name, args...)
		c.Frame = framesOf[frame]
		return c
	}
	n, x, id := r.column(2), r.column(3), r.column(4)
	filtered := framed("rows", "sum", n)
	filtered.Filter = less(n, integer(2))
	return map[way][]plan.WindowCall{
		byPlace:  {windowCall("row_number"), windowCall("rank"), windowCall("dense_rank")},
		byPlaceN: {windowCall("percent_rank"), windowCall("cume_dist"), windowCall("ntile", integer(3))},
		nearby: {
			windowCall("lag", id), windowCall("lead", x, integer(3), x), windowCall("lag", r.column(0), integer(0)),
			framed("two to one", "sum", n), framed("behind", "max", x), framed("two to one", "array_agg", n), framed("behind", "first_value", id),
			framed("two to one", "nth_value", id, integer(2)), framed("rows", "last_value", id),
		},
		atFirst: {framed("default", "first_value", id), framed("rows", "first_value", r.column(0)), framed("whole", "first_value", x)},
		atLast:  {framed("whole", "last_value", id), framed("rest", "last_value", r.column(1))},
		growing: {framed("rows", "sum", n), framed("rows", "count"), framed("rows", "min", r.column(1)), framed("rows", "avg", x), filtered},
		byPeers: {
			framed("default", "sum", n), framed("default", "count", x), framed("peers", "max", r.column(0)), framed("default", "last_value", id),
			framed("peers", "avg", x),
		},
		overAll: {framed("whole", "sum", n), framed("whole", "array_agg", id), framed("whole", "approx_distinct", r.column(1)), framed("whole", "min_by", id, id)},
	}
}

// TestStreamedWindows: with no memory at all the rows are those that come from memory, whatever the sizes of partitions, peers and batches.
func TestStreamedWindows(t *testing.T) {
	noLeaks(t)
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 7))
		r := people(rng, 1+rng.IntN(200))
		scan := r.scan(rng, rng.IntN(2) == 0)
		var partition []expr.Expr
		if rng.IntN(3) > 0 {
			partition = append(partition, r.column(rng.IntN(2)))
		}
		order := []plan.SortKey{{Expr: r.column(2 + rng.IntN(3)), Desc: rng.IntN(2) == 0, NullsFirst: rng.IntN(2) == 0}}
		if rng.IntN(5) == 0 {
			order = nil
		}
		var calls []plan.WindowCall
		for _, of := range streamable(r) {
			for _, c := range of {
				if rng.IntN(4) == 0 && (order != nil || !c.Fn.Ordered) {
					calls = append(calls, c)
				}
			}
		}
		n := windowOver(scan, partition, order, calls...)
		want, err := execute(n, Options{Workers: 1})
		if err != nil {
			t.Fatal(err)
		}
		for _, rows := range []int{1, 2, 7, 50} {
			scratch := &memoryScratch{}
			got, err := execute(n, Options{Workers: 1 + rng.IntN(3), BatchRows: rows, Scratch: scratch, SpillAlways: true})
			if err != nil {
				t.Fatalf("seed %d, batches of %d: %v", seed, rows, err)
			}
			if g, w := strings.Join(lines(got), "\n"), strings.Join(lines(want), "\n"); g != w {
				t.Fatalf("seed %d, batches of %d rows, %d calls: got\n%s\nwant\n%s", seed, rows, len(calls), g, w)
			}
			scratch.done(t)
		}
	}
}

// Each function is streamed in the way that it is said to be, so that the test above means something.
func TestWaysOfStreaming(t *testing.T) {
	r := people(rand.New(rand.NewPCG(1, 1)), 1)
	order := []plan.SortKey{{Expr: r.column(2)}}
	in := &plan.Values{Columns: r.columns}
	for want, calls := range streamable(r) {
		for _, c := range calls {
			o := &windowOperator{node: windowOver(in, nil, order, c)}
			if ways := o.waysOf(); len(ways) != 1 || ways[0].way != want {
				t.Errorf("%s: %v, want %d", c.Label(), ways, want)
			}
		}
	}
	far := windowCall("lag", r.column(4), integer(mostNearby))
	nulls := windowCall("lag", r.column(4))
	nulls.IgnoreNulls = true
	computed := windowCall("lead", r.column(4), r.column(2))
	for _, c := range []plan.WindowCall{far, nulls, computed} {
		o := &windowOperator{node: windowOver(in, nil, order, windowCall("row_number"), c)}
		if ways := o.waysOf(); ways != nil {
			t.Errorf("%s is streamed: %v", c.Label(), ways)
		}
	}
}

// A partition much larger than memory is streamed within it; a function for which there is no way says that it needs memory.
func TestWindowsOutgrowMemory(t *testing.T) {
	const batches, memory = 3000, 256 << 10 // 30,000 rows of 16 bytes and more
	table := func() *endless {
		return &endless{morsels: 1, read: func(_ context.Context, _, batch int) error {
			if batch == batches {
				return io.EOF
			}
			return nil
		}}
	}
	ties := []plan.SortKey{{Expr: integer(1)}} // all rows are peers
	for name, c := range map[string]struct {
		call  plan.WindowCall
		order []plan.SortKey
		fails bool
	}{
		"place":      {call: windowCall("row_number"), order: []plan.SortKey{{Expr: number, Desc: true}}},
		"two passes": {call: windowCall("ntile", integer(4)), order: []plan.SortKey{{Expr: number}}},
		"peers":      {call: windowCall("sum", number), order: ties},
		"all":        {call: windowCall("sum", number)},
		"nulls":      {call: func() plan.WindowCall { c := windowCall("lag", number); c.IgnoreNulls = true; return c }(), order: ties, fails: true},
		"all kept":   {call: windowCall("array_agg", number), fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			scratch := &memoryScratch{}
			n := windowOver(table().scan(), nil, c.order, c.call)
			s, err := Run(t.Context(), n, Options{Workers: 1, BatchRows: 500, Memory: memory, Scratch: scratch})
			if err != nil {
				t.Fatal(err)
			}
			rows := 0
			for err == nil {
				var b vec.Batch
				b, err = s.Next()
				rows += b.Len
			}
			s.Close()
			scratch.done(t)
			if c.fails {
				if sqlerr.KindOf(err) != sqlerr.Resource || !strings.Contains(fmt.Sprint(err), "computing window functions") {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != io.EOF || rows != 10*batches {
				t.Errorf("%d rows, then %v", rows, err)
			}
			if peak := s.Metrics()[n].Memory; peak > memory {
				t.Errorf("%d bytes were held, %d may be", peak, memory)
			}
		})
	}
}
