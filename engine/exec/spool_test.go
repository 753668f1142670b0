package exec

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// Two places of a spool give the same rows.
func TestSpool(t *testing.T) {
	sweep(t, false, func(s setting, rng *rand.Rand) (plan.Node, []row) {
		r := people(rng, 50)
		input, id := r.scan(rng, s.coded), new(plan.SpoolID)
		place := func() plan.Node { return &plan.Spool{Input: input, ID: id} }
		return &plan.Union{Children: []plan.Node{place(), place()}, Columns: r.columns}, slices.Concat(r.rows, r.rows)
	})
}

// A spool is computed once, though the first place that wants it is stopped by a LIMIT in the middle of that.
func TestSpoolOutlivesItsFirstReader(t *testing.T) {
	table := &endless{morsels: 4}
	limited := &plan.Limit{Limit: 100, Input: table.scan()}
	id := new(plan.SpoolID)
	place := func() plan.Node { return &plan.Spool{Input: limited, ID: id} }
	n := &plan.Union{Columns: limited.Schema(), Children: []plan.Node{&plan.Limit{Input: place(), Limit: 1}, place()}}
	for _, workers := range []int{1, 4} {
		rows, err := execute(n, Options{Workers: workers, BatchRows: 7})
		if err != nil || len(rows) != 101 {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
	}
}

// What a spool holds counts.
func TestSpoolMemory(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	r := people(rng, 5000)
	input, id := r.scan(rng, false), new(plan.SpoolID)
	place := func() plan.Node { return &plan.Spool{Input: input, ID: id} }
	n := &plan.Union{Children: []plan.Node{place(), place()}, Columns: r.columns}
	_, err := execute(n, Options{Workers: 2, Memory: 10_000})
	if sqlerr.KindOf(err) != sqlerr.Resource || !strings.Contains(err.Error(), "holding rows that are used several times") {
		t.Fatalf("got %v", err)
	}
}

// The first rows of each run, NULLs being equal.
func TestLimitByGroup(t *testing.T) {
	for _, bounds := range [][2]int64{{2, 0}, {1, 1}, {-1, 2}, {0, 0}} {
		sweep(t, true, func(s setting, rng *rand.Rand) (plan.Node, []row) {
			r := people(rng, 60)
			slices.SortStableFunc(r.rows, func(a, b row) int {
				if (a[0] == nil) != (b[0] == nil) {
					return map[bool]int{true: 1, false: -1}[a[0] == nil]
				}
				if a[0] == nil {
					return 0
				}
				return strings.Compare(a[0].(string), b[0].(string))
			})
			var want []row
			place := int64(0)
			for i, l := range r.rows {
				if place++; i == 0 || l[0] != r.rows[i-1][0] {
					place = 0
				}
				if place >= bounds[1] && (bounds[0] < 0 || place < bounds[0]+bounds[1]) {
					want = append(want, l)
				}
			}
			return &plan.Limit{Input: r.scan(rng, s.coded), Limit: bounds[0], Offset: bounds[1], By: []expr.Expr{r.column(0)}}, want
		})
	}
}

// countUp is 0, 1, … up to below, by recursion; each step joins with a table that is accounted.
func countUp(below int64, steps int, r relation, scan plan.Node) plan.Node {
	id := &plan.RecursionID{Name: "t"}
	columns := []plan.Column{{Name: "n", Type: sqltype.BigIntType}}
	last := &plan.LastRows{ID: id, Columns: columns}
	n := &expr.Column{Index: 0, Name: "n", T: sqltype.BigIntType}
	joined := &plan.Join{Kind: plan.SemiJoin, Left: last, Right: scan, LeftKeys: []expr.Expr{n}, RightKeys: []expr.Expr{r.column(4)}, Columns: columns}
	filtered := &plan.Filter{Input: joined, Conjuncts: []expr.Expr{less(n, expr.NewLiteral(sqltype.BigIntType, below-1))}}
	plus, _ := fn.Lookup("+")
	overload, _, _, err := plus.Resolve([]sqltype.Type{n.T, n.T})
	if err != nil {
		panic(err)
	}
	plusOne := &expr.Call{
		Fn: plus, Overload: overload, Args: []expr.Expr{n, expr.NewLiteral(n.T, int64(1))}, T: n.T, Memo: &fn.Memo{},
	}
	return &plan.Recursive{
		First: &plan.Values{Columns: columns, Rows: [][]expr.Expr{{expr.NewLiteral(sqltype.BigIntType, int64(0))}}},
		Step:  &plan.Project{Input: filtered, Columns: columns, Exprs: []expr.Expr{plusOne}},
		ID:    id, MaxSteps: steps, Columns: columns,
	}
}

func TestRecursive(t *testing.T) {
	sweep(t, true, func(s setting, rng *rand.Rand) (plan.Node, []row) {
		r := people(rng, 30)
		var want []row
		for i := range int64(20) {
			want = append(want, row{i})
		}
		return countUp(20, 19, r, r.scan(rng, s.coded)), want
	})
}

// The step after the last allowed one may run, but yield nothing.
func TestRecursiveDepth(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	r := people(rng, 30)
	_, err := execute(countUp(20, 18, r, r.scan(rng, false)), Options{Workers: 2})
	if sqlerr.KindOf(err) != sqlerr.Resource || !strings.Contains(err.Error(), "had not ended after 18 steps") {
		t.Fatalf("got %v", err)
	}
}

// A step gives back what it held: twenty steps fit where two at once would not.
func TestRecursiveMemory(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	r := people(rng, 1000)
	peak := func(steps int64) int64 {
		s, err := Run(context.Background(), countUp(steps, 30, r, r.scan(rng, false)), Options{Workers: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		most := int64(0)
		for {
			if _, err := s.Next(); err != nil {
				break
			}
			most = max(most, s.run.budget.used.Load())
		}
		return most
	}
	if few, many := peak(3), peak(20); many > few*3/2 {
		t.Fatalf("20 steps held %d bytes, 3 held %d", many, few)
	}
}

func TestRecursiveCancelled(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	r := people(rng, 1000)
	ctx, cancel := context.WithCancel(context.Background())
	s, err := Run(ctx, countUp(900, 1000, r, r.scan(rng, false)), Options{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Next(); err != nil {
		t.Fatal(err)
	}
	cancel()
	for err == nil {
		_, err = s.Next()
	}
	var e *sqlerr.Error
	if !errors.As(err, &e) || e.Kind != sqlerr.Cancelled {
		t.Fatalf("got %v", err)
	}
}

// With somewhere to spill to, rows that do not fit into memory are used several times all the same.
func TestSpoolSpills(t *testing.T) {
	for _, workers := range []int{1, 4} {
		noLeaks(t)
		rng := rand.New(rand.NewPCG(1, 1))
		r := people(rng, 5000)
		input, id, scratch := r.scan(rng, false), new(plan.SpoolID), &memoryScratch{}
		spool := &plan.Spool{Input: input, ID: id}
		n := &plan.Union{Children: []plan.Node{spool, &plan.Spool{Input: input, ID: id}}, Columns: r.columns}
		s, err := Run(context.Background(), n, Options{Workers: workers, BatchRows: 100, Memory: 100_000, Scratch: scratch})
		if err != nil {
			t.Fatal(err)
		}
		rows := 0
		for err == nil {
			var b vec.Batch
			b, err = s.Next()
			rows += b.Len
		}
		if !errors.Is(err, io.EOF) || rows != 10_000 {
			t.Errorf("%d rows, then %v", rows, err)
		}
		if m := s.Metrics()[spool]; m.SpilledBytes < 50_000 || m.Memory == 0 || m.Memory > 25_000 {
			t.Errorf("%d bytes on disk and %d in memory", m.SpilledBytes, m.Memory)
		}
		scratch.done(t)
	}
}
