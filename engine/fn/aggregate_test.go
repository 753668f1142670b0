package fn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"pgregory.net/rapid"

	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// columnFrom is a column of a type from Go values, nil for NULL; of texts perhaps dictionary-coded.
func columnFrom(t sqltype.Type, values []any, coded bool) arrow.Array {
	parts := make([]arrow.Array, len(values))
	for i, v := range values {
		if v == nil {
			parts[i] = vec.Nulls(t, 1)
		} else {
			parts[i] = value{t, v}.array()
		}
	}
	if len(parts) == 0 {
		return vec.Nulls(t, 0)
	}
	all, err := vec.Concat(parts)
	if err != nil {
		panic(err)
	}
	if !coded || t.Kind != sqltype.Varchar {
		return all
	}
	codes, nulls := make([]int32, len(values)), make([]bool, len(values))
	for i := range values {
		codes[i], nulls[i] = int32(i), values[i] == nil
	}
	indices, err := write(sqltype.IntegerType, codes, nulls)
	if err != nil {
		panic(err)
	}
	return array.NewDictionaryArray(sqltype.DictionaryString, indices, vec.Take(vec.Plain(all), codes))
}

// rowsOf cuts rows from columns as the executor would: those with NULL are dropped where the aggregate asks for it.
func rowsOf(a *Aggregate, types []sqltype.Type, rows [][]any, groups []uint32, coded bool) ([]vec.Datum, []uint32) {
	var kept [][]any
	var of []uint32
	for i, row := range rows {
		drop := false
		for _, v := range row {
			drop = drop || v == nil && !a.KeepsNulls
		}
		if !drop {
			kept, of = append(kept, row), append(of, groups[i])
		}
	}
	data := make([]vec.Datum, len(types))
	for c, t := range types {
		values := make([]any, len(kept))
		for i, row := range kept {
			values[i] = row[c]
		}
		data[c].Arr = columnFrom(t, values, coded)
	}
	return data, of
}

// shownColumn is the texts of a column.
func shownColumn(t sqltype.Type, a arrow.Array) []string {
	out := make([]string, a.Len())
	for i := range out {
		out[i] = "NULL"
		if vec.IsValid(a, i) {
			out[i] = string(sqltype.AppendText(nil, t, a, i))
		}
	}
	return out
}

// resolveAggregate returns what makes the accumulators of an aggregate for some types.
func resolveAggregate(t interface{ Fatal(...any) }, name string, types []sqltype.Type) (*Aggregate, func() Accumulator, sqltype.Type) {
	a, ok := LookupAggregate(name)
	if !ok {
		t.Fatal("no aggregate " + name)
	}
	o, params, result, err := a.Resolve(types)
	if err != nil {
		t.Fatal(err)
	}
	return a, func() Accumulator { return o.New(params, result) }, result
}

// aggregate is the result over all rows of one group.
func aggregate(t *testing.T, name string, types []sqltype.Type, rows ...[]any) (string, error) {
	t.Helper()
	a, newAccumulator, result := resolveAggregate(t, name, types)
	data, groups := rowsOf(a, types, rows, make([]uint32, len(rows)), false)
	acc := newAccumulator()
	if err := acc.Update(data, groups, 1); err != nil {
		return "", err
	}
	out, err := acc.Result(1)
	if err != nil {
		return "", err
	}
	return shownColumn(result, out)[0], nil
}

// one column of values.
func column1(values ...any) [][]any {
	rows := make([][]any, len(values))
	for i, v := range values {
		rows[i] = []any{v}
	}
	return rows
}

func TestAggregates(t *testing.T) {
	n, d, s, b := sqltype.BigIntType, sqltype.DoubleType, sqltype.VarcharType, sqltype.BooleanType
	i := func(values ...int64) [][]any {
		rows := make([][]any, len(values))
		for k, v := range values {
			rows[k] = []any{v}
		}
		return rows
	}
	f := func(values ...float64) [][]any {
		rows := make([][]any, len(values))
		for k, v := range values {
			rows[k] = []any{v}
		}
		return rows
	}
	pairs := [][]any{{"a", int64(2)}, {"b", nil}, {"c", int64(1)}, {nil, int64(9)}}
	xy := [][]any{{1.0, 1.0}, {3.0, 2.0}, {5.0, 3.0}}
	for _, c := range []struct {
		name  string
		types []sqltype.Type
		rows  [][]any
		want  string
		err   string
	}{
		{"count", nil, make([][]any, 3), "3", ""},
		{"count", []sqltype.Type{s}, column1("a", nil), "1", ""},
		{"count", []sqltype.Type{s}, nil, "0", ""},
		{"count_if", []sqltype.Type{b}, column1(true, false, nil, true), "2", ""},
		{"sum", []sqltype.Type{n}, i(1, 2, 3), "6", ""},
		{"sum", []sqltype.Type{n}, nil, "NULL", ""},
		{"sum", []sqltype.Type{n}, i(math.MaxInt64, 1), "", "bigint overflow"},
		{"sum", []sqltype.Type{d}, f(0.5, 0.25), "0.75", ""},
		{"sum", []sqltype.Type{sqltype.IntervalDayType}, i(1000, 2000), "0 00:00:03.000", ""},
		{"avg", []sqltype.Type{n}, i(1, 2), "1.5", ""},
		{"avg", []sqltype.Type{n}, nil, "NULL", ""},
		{"avg", []sqltype.Type{sqltype.IntervalDayType}, i(1000, 2000), "0 00:00:01.500", ""},
		{"min", []sqltype.Type{s}, column1("b", "a", nil), "a", ""},
		{"max", []sqltype.Type{d}, f(1, math.NaN(), 2), "2.0", ""}, // Trino: NaN is left out of min and max, but where there is nothing else
		{"max", []sqltype.Type{d}, f(math.NaN(), 1), "1.0", ""},
		{"max", []sqltype.Type{d}, f(math.NaN(), math.NaN()), "NaN", ""},
		{"min", []sqltype.Type{d}, f(math.NaN(), 2, 1), "1.0", ""},
		{"max", []sqltype.Type{b}, column1(false, true), "true", ""},
		{"max", []sqltype.Type{n}, nil, "NULL", ""},
		{"max", []sqltype.Type{n, n}, [][]any{{int64(1), int64(2)}, {int64(3), int64(2)}, {int64(2), int64(2)}}, "[3, 2]", ""},
		{"min", []sqltype.Type{n, n}, [][]any{{int64(1), int64(0)}}, "", "between 1 and"},
		{"min_by", []sqltype.Type{s, n}, pairs, "c", ""},
		{"max_by", []sqltype.Type{s, n}, pairs, "NULL", ""}, // the row with the greatest has no first argument
		{"max_by", []sqltype.Type{s, n, n}, [][]any{{"a", int64(1), int64(2)}, {"b", int64(3), int64(2)}, {"c", nil, int64(2)}, {"d", int64(2), int64(2)}}, "[b, d]", ""},
		{"any_value", []sqltype.Type{s}, column1(nil, "x", "y"), "x", ""},
		{"array_agg", []sqltype.Type{n}, column1(int64(2), nil, int64(1)), "[2, null, 1]", ""},
		{"array_agg", []sqltype.Type{n}, nil, "NULL", ""},
		{"bool_and", []sqltype.Type{b}, column1(true, false), "false", ""},
		{"every", []sqltype.Type{b}, column1(true, nil), "true", ""},
		{"bool_or", []sqltype.Type{b}, column1(false, false), "false", ""},
		{"bool_or", []sqltype.Type{b}, nil, "NULL", ""},
		{"bitwise_and_agg", []sqltype.Type{n}, i(7, 5), "5", ""},
		{"bitwise_or_agg", []sqltype.Type{n}, i(4, 1), "5", ""},
		{"bitwise_xor_agg", []sqltype.Type{n}, i(7, 5), "2", ""},
		{"map_agg", []sqltype.Type{s, n}, [][]any{{"a", int64(1)}, {"b", nil}, {"a", int64(3)}, {nil, int64(4)}}, "{a=1, b=null}", ""},
		{"multimap_agg", []sqltype.Type{s, n}, [][]any{{"a", int64(1)}, {"b", nil}, {"a", int64(3)}}, "{a=[1, 3], b=[null]}", ""},
		{"histogram", []sqltype.Type{s}, column1("a", "b", "a"), "{a=2, b=1}", ""},
		{"listagg", []sqltype.Type{s, s}, [][]any{{"a", ", "}, {nil, ", "}, {"b", ", "}}, "a, b", ""},
		{"listagg", []sqltype.Type{s}, column1(nil), "NULL", ""},
		{"approx_distinct", []sqltype.Type{s}, column1("a", "b", "a"), "2", ""},
		{"approx_distinct", []sqltype.Type{s, d}, [][]any{{"a", 0.5}}, "", "between 0.0040625 and 0.26"},
		{"approx_percentile", []sqltype.Type{n, d}, [][]any{{int64(3), 0.5}, {int64(1), 0.5}, {int64(2), 0.5}}, "2", ""},
		{"approx_percentile", []sqltype.Type{n, d, d}, [][]any{{int64(3), 5.0, 0.5}, {int64(1), 1.0, 0.5}, {int64(2), 1.0, 0.5}}, "3", ""},
		{"approx_percentile", []sqltype.Type{d, d}, [][]any{{1.0, 1.5}}, "", "between 0 and 1"},
		{"approx_percentile", []sqltype.Type{d, d}, nil, "NULL", ""},
		{"stddev", []sqltype.Type{d}, f(2, 4, 4, 4, 5, 5, 7, 9), "2.138089935299395", ""}, // √(32/7)
		{"stddev_pop", []sqltype.Type{d}, f(2, 4, 4, 4, 5, 5, 7, 9), "2.0", ""},
		{"variance", []sqltype.Type{d}, f(1), "NULL", ""},
		{"var_pop", []sqltype.Type{d}, f(1), "0.0", ""},
		{"geometric_mean", []sqltype.Type{d}, f(1, 1), "1.0", ""},
		{"corr", []sqltype.Type{d, d}, xy, "1.0", ""},
		{"covar_pop", []sqltype.Type{d, d}, xy, "1.3333333333333333", ""},
		{"covar_samp", []sqltype.Type{d, d}, xy, "2.0", ""},
		{"regr_slope", []sqltype.Type{d, d}, xy, "2.0", ""},
		{"regr_intercept", []sqltype.Type{d, d}, xy, "-1.0", ""},
		{"numeric_histogram", []sqltype.Type{n, d}, [][]any{{int64(2), 1.0}, {int64(2), 9.0}, {int64(2), 2.0}}, "{1.5=2.0, 9.0=1.0}", ""},
		{"numeric_histogram", []sqltype.Type{n, d}, [][]any{{int64(1), 1.0}}, "", "takes 2 to"},
	} {
		got, err := aggregate(t, c.name, c.types, c.rows...)
		switch {
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("%s%v: got %q, error %v; want error %q", c.name, c.rows, got, err, c.err)
		case c.err == "" && (err != nil || got != c.want):
			t.Errorf("%s%v: got %q, error %v; want %q", c.name, c.rows, got, err, c.want)
		}
	}
}

// generators draw a value of a kind; few values, so that groups repeat them.
func drawValue(t *rapid.T, typ sqltype.Type, nulls bool) any {
	if nulls && rapid.IntRange(0, 4).Draw(t, "null") == 0 {
		return nil
	}
	n := rapid.Int64Range(-4, 4).Draw(t, "n")
	switch typ.Kind {
	case sqltype.Varchar:
		return strings.Repeat("é", int(n+4)) + strconv.FormatInt(n, 10)
	case sqltype.Boolean:
		return n > 0
	case sqltype.Double, sqltype.Real:
		return float64(n)
	}
	return n
}

// Update in one go gives what it gives over any parts that are merged, group by group or together, for every aggregate, with groups
// numbered anew.
func TestMergeEqualsUpdate(t *testing.T) {
	n, d, s, b := sqltype.BigIntType, sqltype.DoubleType, sqltype.VarcharType, sqltype.BooleanType
	constant := map[string]any{"approx_percentile": 0.5, "numeric_histogram": int64(50), "listagg": "; ", "max": int64(2)}
	for _, c := range []struct {
		name  string
		types []sqltype.Type
	}{
		{"count", []sqltype.Type{s}}, {"count_if", []sqltype.Type{b}},
		{"sum", []sqltype.Type{n}}, {"sum", []sqltype.Type{d}}, {"avg", []sqltype.Type{n}}, {"avg", []sqltype.Type{sqltype.IntervalDayType}},
		{"min", []sqltype.Type{n}}, {"max", []sqltype.Type{s}}, {"min", []sqltype.Type{b}}, {"max", []sqltype.Type{sqltype.TimestampType}},
		{"min_by", []sqltype.Type{s, n}}, {"max_by", []sqltype.Type{n, s}}, {"max_by", []sqltype.Type{n, b}}, {"arbitrary", []sqltype.Type{s}},
		{"array_agg", []sqltype.Type{s}}, {"map_agg", []sqltype.Type{s, n}}, {"multimap_agg", []sqltype.Type{n, s}}, {"histogram", []sqltype.Type{s}},
		{"listagg", []sqltype.Type{s, s}}, {"bool_and", []sqltype.Type{b}}, {"bool_or", []sqltype.Type{b}},
		{"bitwise_and_agg", []sqltype.Type{n}}, {"bitwise_or_agg", []sqltype.Type{n}}, {"bitwise_xor_agg", []sqltype.Type{n}},
		{"approx_distinct", []sqltype.Type{s}}, {"approx_percentile", []sqltype.Type{n, d}}, {"numeric_histogram", []sqltype.Type{n, d}},
		{"stddev", []sqltype.Type{d}}, {"var_pop", []sqltype.Type{d}}, {"skewness", []sqltype.Type{d}}, {"kurtosis", []sqltype.Type{d}},
		{"corr", []sqltype.Type{d, d}}, {"regr_slope", []sqltype.Type{d, d}}, {"max", []sqltype.Type{n, n}}, {"set_agg", []sqltype.Type{s}},
		{"checksum", []sqltype.Type{s}},
	} {
		t.Run(fmt.Sprint(c.name, c.types), func(t *testing.T) {
			a, newAccumulator, result := resolveAggregate(t, c.name, c.types)
			rapid.Check(t, func(t *rapid.T) {
				const groups = 3
				count := rapid.IntRange(0, 30).Draw(t, "rows")
				rows, of := make([][]any, count), make([]uint32, count)
				for i := range rows {
					of[i] = uint32(rapid.IntRange(0, groups-1).Draw(t, "group"))
					for k, typ := range c.types {
						v := drawValue(t, typ, true)
						if fixed, ok := constant[c.name]; ok && (k == 1 && c.name != "numeric_histogram" || k == 0 && c.name == "numeric_histogram") {
							v = fixed
						}
						rows[i] = append(rows[i], v)
					}
				}
				whole := newAccumulator()
				data, in := rowsOf(a, c.types, rows, of, false)
				if err := whole.Update(data, in, groups); err != nil {
					t.Fatal(err)
				}
				merged, identity := newAccumulator(), []uint32{0, 1, 2}
				for start := 0; start < count || start == 0; {
					end := min(count, start+rapid.IntRange(1, 10).Draw(t, "part"))
					remap := rapid.Permutation(identity).Draw(t, "remap")
					inverse := make([]uint32, groups)
					for from, to := range remap {
						inverse[to] = uint32(from)
					}
					renumbered := make([]uint32, end-start)
					for i := range renumbered {
						renumbered[i] = inverse[of[start+i]]
					}
					part := newAccumulator()
					data, in := rowsOf(a, c.types, rows[start:end], renumbered, rapid.Bool().Draw(t, "coded"))
					if err := part.Update(data, in, groups); err != nil {
						t.Fatal(err)
					}
					cut := rapid.IntRange(0, groups).Draw(t, "cut")
					for _, from := range [][]uint32{rapid.Permutation(identity[:cut]).Draw(t, "some"), identity[cut:]} {
						to := make([]uint32, len(from))
						for i, g := range from {
							to[i] = remap[g]
						}
						if err := merged.Merge(part.Gather(from), to, groups); err != nil {
							t.Fatal(err)
						}
					}
					if start = end; count == 0 {
						break
					}
				}
				if merged.Bytes() < 0 || whole.Bytes() < 0 {
					t.Fatal("negative memory")
				}
				one, err := whole.Result(groups)
				if err != nil {
					t.Fatal(err)
				}
				other, err := merged.Result(groups)
				if err != nil {
					t.Fatal(err)
				}
				want, got := shownColumn(result, one), shownColumn(result, other)
				for g := range want {
					if want[g] != got[g] && !(result.Kind == sqltype.Double && near(want[g], got[g])) {
						t.Fatalf("group %d of %v in %v: %s at once, %s in parts", g, rows, of, want[g], got[g])
					}
				}
			})
		})
	}
}

// near reports whether two doubles differ in their last digits only.
func near(a, b string) bool {
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	return errX == nil && errY == nil && (math.Abs(x-y) <= 1e-9*max(1, math.Abs(x)) || math.IsNaN(x) && math.IsNaN(y))
}

// The estimates keep the errors that their documentation promises: three standard errors for the number of distinct
// values, one part in a hundred of the ranks for percentiles.
func TestEstimates(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{100, 256, 257, 5000, 200_000} {
		var s sketch
		for i := range n {
			h := mix(uint64(i) + 1)
			s.add(h, 11)
			s.add(h, 11) // again: counts once
		}
		got := float64(s.estimate())
		if limit := 3 * 0.023 * float64(n); math.Abs(got-float64(n)) > limit || n <= maxSparse && got != float64(n) {
			t.Errorf("%d distinct values are estimated as %v", n, got)
		}
	}
	var whole, a, b digest
	const n = 100_000
	for i, k := range random.Perm(n) {
		x := float64(k)
		whole.add(x, 1)
		if i%3 == 0 {
			a.add(x, 1)
		} else {
			b.add(x, 1)
		}
	}
	a.merge(&b)
	for _, d := range []*digest{&whole, &a} {
		for _, share := range []float64{0, 0.001, 0.01, 0.25, 0.5, 0.75, 0.99, 0.999, 1} {
			if got := d.quantile(share); math.Abs(got/n-share) > 0.01 {
				t.Errorf("the value at %v of 0…%d is estimated as %v", share, n-1, got)
			}
		}
		if len(d.centroids) > 2*digestExact {
			t.Errorf("the digest holds %d centroids", len(d.centroids))
		}
	}
}
