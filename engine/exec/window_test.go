package exec

import (
	"context"
	"fmt"
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

func windowCall(name string, args ...expr.Expr) plan.WindowCall {
	w, ok := fn.LookupWindow(name)
	if !ok {
		panic("no window function " + name)
	}
	var types []sqltype.Type
	for _, arg := range args {
		types = append(types, arg.Type())
	}
	overload, _, result, err := w.Resolve(types)
	if err != nil {
		panic(err)
	}
	return plan.WindowCall{Fn: w, Overload: overload, Args: args, Frame: plan.DefaultFrame, T: result}
}

func windowOver(in plan.Node, partition []expr.Expr, order []plan.SortKey, calls ...plan.WindowCall) *plan.Window {
	n := &plan.Window{Input: in, PartitionBy: partition, OrderBy: order, Calls: calls, Columns: slices.Clone(in.Schema())}
	for _, c := range calls {
		n.Columns = append(n.Columns, plan.Column{Name: c.Label(), Type: c.T})
	}
	return n
}

// TestWindow holds that the rows come out in the window's order, equal ones in that of the input, with partitions that go on over batches.
func TestWindow(t *testing.T) {
	sweep(t, true, func(s setting, rng *rand.Rand) (plan.Node, []row) {
		r := people(rng, 300)
		partition, order := rng.IntN(2), 2+rng.IntN(2) // name or city, n or x
		key := plan.SortKey{Expr: r.column(order), Desc: rng.IntN(2) == 0, NullsFirst: rng.IntN(2) == 0}
		n := windowOver(r.scan(rng, s.coded), []expr.Expr{r.column(partition)}, []plan.SortKey{key},
			windowCall("row_number"), windowCall("count"), windowCall("lag", r.column(4)), windowCall("first_value", r.column(0)))
		sorted := slices.Clone(r.rows)
		slices.SortStableFunc(sorted, func(a, b row) int {
			if c := compareCells(a[partition], b[partition], false, false); c != 0 {
				return c
			}
			return compareCells(a[order], b[order], key.Desc, key.NullsFirst)
		})
		var want []row
		for i, from := 0, 0; i < len(sorted); i++ {
			if sorted[i][partition] != sorted[from][partition] {
				from = i
			}
			end := i // of the peers
			for end < len(sorted) && sorted[end][partition] == sorted[i][partition] && sorted[end][order] == sorted[i][order] {
				end++
			}
			var before any
			if i > from {
				before = sorted[i-1][4]
			}
			want = append(want, append(slices.Clone(sorted[i]), int64(i-from+1), int64(end-from), before, sorted[from][0]))
		}
		return n, want
	})
}

func TestWindowOfNothing(t *testing.T) {
	in := &plan.Values{Columns: []plan.Column{{Name: "n", Type: sqltype.BigIntType}}}
	for _, partition := range [][]expr.Expr{nil, {number}} {
		rows, err := execute(windowOver(in, partition, nil, windowCall("row_number")), Options{})
		if err != nil || len(rows) > 0 {
			t.Errorf("%d rows, error %v", len(rows), err)
		}
	}
}

// A partition that is computed holds its rows twice, in the sort and by itself, and what the functions need.
func TestWindowMemory(t *testing.T) {
	few := func(batches int) *endless {
		return &endless{morsels: 1, read: func(_ context.Context, _, batch int) error {
			if batch == batches {
				return io.EOF
			}
			return nil
		}}
	}
	sum := windowCall("sum", number)
	for _, c := range []struct {
		order []plan.SortKey
		bytes int64
	}{{nil, 300 << 10}, {[]plan.SortKey{{Expr: number}}, 800 << 10}} { // enough for the sort alone
		n := windowOver(few(1000).scan(), nil, c.order, sum)
		if _, err := execute(n, Options{Workers: 1, Memory: 4 << 20}); err != nil {
			t.Errorf("ten thousand rows in 4 MiB: %v", err)
		}
		n = windowOver(few(1000).scan(), nil, c.order, sum)
		_, err := execute(n, Options{Workers: 1, Memory: c.bytes})
		if sqlerr.KindOf(err) != sqlerr.Resource || !strings.Contains(fmt.Sprint(err), "computing window functions") {
			t.Errorf("ten thousand rows in %d bytes: %v", c.bytes, err)
		}
	}
}

// TestWindowNearby holds that windows whose functions see few rows, and are computed in ranges that begin within partitions, are like those that
// are computed by whole partitions.
func TestWindowNearby(t *testing.T) {
	sweep(t, true, func(s setting, rng *rand.Rand) (plan.Node, []row) {
		r := people(rng, 300)
		key := plan.SortKey{Expr: r.column(4), Desc: rng.IntN(2) == 0}
		two := &expr.Literal{Value: vec.FromValue(sqltype.BigIntType, int64(2)), T: sqltype.BigIntType}
		sum := windowCall("sum", r.column(4))
		sum.Frame = plan.Frame{Unit: plan.Rows, Start: plan.FrameBound{Kind: plan.Preceding, Offset: two}, End: plan.FrameBound{Kind: plan.CurrentRow}}
		calls := []plan.WindowCall{windowCall("row_number"), windowCall("lag", r.column(4)), windowCall("lead", r.column(0), two), sum}
		calls = calls[:1+rng.IntN(len(calls))]
		var partition []expr.Expr
		if rng.IntN(2) == 0 {
			partition = append(partition, r.column(0))
		}
		n := windowOver(r.scan(rng, s.coded), partition, []plan.SortKey{key}, calls...)
		n.Keep, n.Columns = []int{1, 0}, append([]plan.Column{r.columns[1], r.columns[0]}, n.Columns[len(r.columns):]...)
		sorted := slices.Clone(r.rows)
		same := func(a, b row) bool { return partition == nil || a[0] == b[0] }
		slices.SortStableFunc(sorted, func(a, b row) int {
			if c := compareCells(a[0], b[0], false, false); c != 0 && partition != nil {
				return c
			}
			return compareCells(a[4], b[4], key.Desc, false)
		})
		var want []row
		number := int64(0)
		for i, current := range sorted {
			at := func(j, column int) any {
				if j < 0 || j >= len(sorted) || !same(sorted[j], current) {
					return nil
				}
				return sorted[j][column]
			}
			if number++; at(i-1, 4) == nil {
				number = 1
			}
			total := int64(0)
			for j := i - 2; j <= i; j++ {
				if v, ok := at(j, 4).(int64); ok {
					total += v
				}
			}
			out := row{current[1], current[0], number, at(i-1, 4), at(i+2, 0), total}
			want = append(want, out[:2+len(calls)])
		}
		return n, want
	})
}
