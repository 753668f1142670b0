package fn

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// TestFramesByTree compares aggregates over wide frames, which are put together from shared states, with the same aggregate over the rows
// of each frame alone.
func TestFramesByTree(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	const n = 300 // enough for frames of more than mostRepeats rows on average
	timestamps := sqltype.TimestampTZType
	for _, c := range []struct {
		name string
		args []sqltype.Type
	}{
		{"count", nil}, {"count", []sqltype.Type{sqltype.VarcharType}}, {"count_if", []sqltype.Type{sqltype.BooleanType}},
		{"sum", []sqltype.Type{sqltype.BigIntType}}, {"sum", []sqltype.Type{sqltype.DoubleType}}, {"sum", []sqltype.Type{sqltype.RealType}},
		{"sum", []sqltype.Type{sqltype.DecimalOf(10, 2)}}, {"sum", []sqltype.Type{sqltype.IntervalYearType}},
		{"avg", []sqltype.Type{sqltype.BigIntType}}, {"avg", []sqltype.Type{sqltype.DecimalOf(10, 2)}}, {"avg", []sqltype.Type{sqltype.IntervalDayType}},
		{"min", []sqltype.Type{sqltype.VarcharType}}, {"max", []sqltype.Type{sqltype.DateType}}, {"min", []sqltype.Type{timestamps}},
		{"max", []sqltype.Type{sqltype.DecimalOf(10, 2)}}, {"max_by", []sqltype.Type{sqltype.VarcharType, sqltype.BigIntType}},
		{"min_by", []sqltype.Type{sqltype.BigIntType, timestamps}}, {"bool_and", []sqltype.Type{sqltype.BooleanType}},
		{"stddev", []sqltype.Type{sqltype.DoubleType}}, {"corr", []sqltype.Type{sqltype.DoubleType, sqltype.DoubleType}},
		{"approx_distinct", []sqltype.Type{sqltype.BigIntType}}, {"array_agg", []sqltype.Type{sqltype.BigIntType}},
	} {
		a, _ := LookupAggregate(c.name)
		w, _ := LookupWindow(c.name)
		o, params, result, err := w.Resolve(c.args)
		if err != nil {
			t.Fatal(err)
		}
		over, _, _, err := a.Resolve(c.args)
		if err != nil {
			t.Fatal(err)
		}
		call := &WindowCall{Types: params, Result: result, Len: n, Reserve: func(int64) error { return nil }}
		for _, p := range params {
			call.Args = append(call.Args, vec.Datum{Arr: someOf(rng, p, n)})
		}
		if strings.HasSuffix(c.name, "_by") { // of equal ones any may be taken
			call.Args[1].Arr = distinctOf(rng, params[1], n)
		}
		for range 2 { // running frames, then any
			call.Partition, call.Frame = RowRanges{}, RowRanges{}
			for i := range int32(n) {
				from, to := int32(0), int32(n)/2
				if i >= n/2 {
					from, to = n/2, n
				}
				call.Partition.Start, call.Partition.End = append(call.Partition.Start, from), append(call.Partition.End, to)
				start, end := from, i+1
				if call.Counts != nil {
					start = from + rng.Int32N(to-from)
					end = start + rng.Int32N(to-start+1)
				}
				call.Frame.Start, call.Frame.End = append(call.Frame.Start, start), append(call.Frame.End, end)
			}
			got, err := o.Eval(call)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			for i := range n {
				want := alone(t, over, a, call, i)
				g, w := shownColumn(result, vec.Slice(got, i, i+1))[0], shownColumn(result, want)[0]
				if result.Kind == sqltype.Double || result.Kind == sqltype.Real {
					if !nearly(vec.Value(got, i), vec.Value(want, 0)) {
						t.Fatalf("%s%v: row %d with frame %d to %d: %s, want %s", c.name, c.args, i, call.Frame.Start[i], call.Frame.End[i], g, w)
					}
				} else if g != w {
					t.Fatalf("%s%v: row %d with frame %d to %d: %s, want %s", c.name, c.args, i, call.Frame.Start[i], call.Frame.End[i], g, w)
				}
			}
			call.Counts = make([]bool, n)
			for i := range call.Counts {
				call.Counts[i] = rng.IntN(4) > 0
			}
		}
	}
}

// nearly lets sums differ by the order in which they are added up.
func nearly(a, b any) bool {
	x, xok := a.(float64)
	y, yok := b.(float64)
	if !xok || !yok {
		return a == nil && b == nil
	}
	return x == y || x != x && y != y || (x-y)*(x-y) < 1e-8*(1+x*x)
}

// alone is the aggregate over the frame of row i.
func alone(t *testing.T, o *AggregateOverload, a *Aggregate, c *WindowCall, i int) arrow.Array {
	t.Helper()
	nulls := nullRows(c.Args, c.Len)
	var rows []int32
	for r := c.Frame.Start[i]; r < c.Frame.End[i]; r++ {
		if (c.Counts == nil || c.Counts[r]) && (a.KeepsNulls || nulls == nil || !nulls[r]) {
			rows = append(rows, r)
		}
	}
	acc := o.New(c.Types, c.Result)
	var args []vec.Datum
	for _, arg := range c.Args {
		args = append(args, vec.Datum{Arr: vec.Take(arg.Arr, rows)})
	}
	if len(rows) > 0 {
		if err := acc.Update(args, make([]uint32, len(rows)), 1); err != nil {
			t.Fatal(err)
		}
	}
	out, err := acc.Result(1)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// someOf is a column of few distinct values, some NULL.
func someOf(rng *rand.Rand, typ sqltype.Type, n int) arrow.Array {
	values := make([]arrow.Array, n)
	for i := range values {
		x := int64(rng.IntN(50) - 25)
		switch {
		case rng.IntN(8) == 0:
			values[i] = vec.Nulls(typ, 1)
		case typ.Kind == sqltype.Boolean:
			values[i] = vec.FromValue(typ, x > 0)
		case typ.Kind == sqltype.Double || typ.Kind == sqltype.Real:
			values[i] = vec.FromValue(typ, float64(x)/4)
		case typ.Kind == sqltype.Varchar:
			values[i] = vec.FromValue(typ, string(rune('a'+x+25)))
		case typ.Kind == sqltype.Decimal:
			values[i] = vec.FromValue(typ, decimal128.FromI64(x))
		default:
			values[i] = vec.FromValue(typ, x)
		}
	}
	out, err := vec.Concat(values)
	if err != nil {
		panic(err)
	}
	return out
}

// distinctOf is a column of distinct values in some order.
func distinctOf(rng *rand.Rand, typ sqltype.Type, n int) arrow.Array {
	values := make([]arrow.Array, n)
	for i, x := range rng.Perm(n) {
		values[i] = vec.FromValue(typ, x)
	}
	out, err := vec.Concat(values)
	if err != nil {
		panic(err)
	}
	return out
}
