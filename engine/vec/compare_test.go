package vec

import (
	"math"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"pgregory.net/rapid"

	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
)

// refCompare compares two values in three-valued logic; the result is nil, true or false.
func refCompare(op Comparison, a, b any) any {
	switch {
	case op == Distinct:
		return !refEqual(a, b)
	case op == NotDistinct:
		return refEqual(a, b)
	case a == nil || b == nil:
		return nil
	}
	if x, ok := a.(float64); ok {
		switch y := b.(float64); op { // Go's own comparison is IEEE's, which is Trino's
		case Eq:
			return x == y
		case Ne:
			return x != y
		case Lt:
			return x < y
		case Le:
			return x <= y
		case Gt:
			return x > y
		default:
			return x >= y
		}
	}
	c := refOrder(a, b)
	return [...]bool{Eq: c == 0, Ne: c != 0, Lt: c < 0, Le: c <= 0, Gt: c > 0, Ge: c >= 0}[op]
}

func TestCompare(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		typ := genType(false).Draw(rt, "type")
		op := rapid.Uint8Range(Eq, NotDistinct).Draw(rt, "op")
		n := rapid.IntRange(0, 20).Draw(rt, "rows")
		operand := func(name string) (Datum, func(i int) any) {
			if rapid.IntRange(0, 2).Draw(rt, name+" const") == 0 {
				v := genValues(typ, 1, 1).Draw(rt, name)
				return Datum{draw(rt, typ, v), true}, func(int) any { return v[0] }
			}
			v := genValues(typ, n, n).Draw(rt, name)
			return Datum{draw(rt, typ, v), false}, func(i int) any { return v[i] }
		}
		a, av := operand("a")
		b, bv := operand("b")
		got, err := Compare(op, typ, a, b, n)
		if err != nil {
			rt.Fatal(err)
		}
		want := make([]any, n)
		for i := range want {
			want[i] = refCompare(op, av(i), bv(i))
		}
		checkColumn(rt, sqltype.BooleanType, got, want)
	})
}

func TestCompareUnknown(t *testing.T) {
	column := Datum{Arr: build(sqltype.BigIntType, []any{int64(1), nil})}
	null := Datum{Arr: array.NewNull(1), Const: true}
	for op, want := range [][]any{Eq: {nil, nil}, Lt: {nil, nil}, Ge: {nil, nil}, Distinct: {true, false}, NotDistinct: {false, true}} {
		if want == nil {
			continue
		}
		got, err := Compare(Comparison(op), sqltype.BigIntType, column, null, 2)
		if err != nil {
			t.Fatal(err)
		}
		checkColumn(t, sqltype.BooleanType, got, want)
	}
}

func TestCompareNested(t *testing.T) {
	typ := sqltype.ArrayOf(sqltype.DoubleType)
	for _, test := range []struct {
		op   Comparison
		a, b any
		want any
		why  string
	}{
		{Eq, []any{1.0, nil}, []any{1.0, nil}, nil, "Trino: ARRAY[1, NULL] = ARRAY[1, NULL] is NULL"},
		{Eq, []any{1.0, nil}, []any{2.0, nil}, false, "an element that differs decides"},
		{Eq, []any{1.0, nil}, []any{1.0}, false, "so does the length"},
		{Ne, []any{1.0}, []any{2.0}, true, ""},
		{Ne, []any{nil}, []any{2.0}, nil, ""},
		{Eq, []any{math.NaN()}, []any{math.NaN()}, false, "NaN = NaN is false inside too"},
		{NotDistinct, []any{math.NaN(), nil}, []any{math.NaN(), nil}, true, ""},
		{Lt, []any{1.0}, []any{1.0, 2.0}, true, "a prefix comes first"},
		{Ge, []any{3.0}, []any{1.0, 2.0}, true, ""},
	} {
		got, err := Compare(test.op, typ, Datum{Arr: build(typ, []any{test.a})}, Datum{build(typ, []any{test.b}), true}, 1)
		if err != nil {
			t.Fatal(err)
		}
		if g := get(sqltype.BooleanType, got, 0); g != test.want {
			t.Errorf("%d %v %v is %v, want %v: %s", test.op, test.a, test.b, g, test.want, test.why)
		}
	}
	_, err := Compare(Lt, typ, Datum{Arr: build(typ, []any{[]any{nil}})}, Datum{Arr: build(typ, []any{[]any{1.0}})}, 1)
	if sqlerr.KindOf(err) != sqlerr.Value {
		t.Errorf("ordering an array with a NULL inside gave %v, want a value error as in Trino", err)
	}
}

// TestLogic runs all pairs of true, false and NULL, in whole and in sliced columns.
func TestLogic(t *testing.T) {
	all := []any{true, false, nil}
	var av, bv []any
	for _, a := range all {
		for _, b := range all {
			av, bv = append(av, a), append(bv, b)
		}
	}
	for from := range av {
		a := Slice(build(sqltype.BooleanType, av), from, len(av)).(*array.Boolean)
		b := Slice(build(sqltype.BooleanType, bv), from, len(bv)).(*array.Boolean)
		var and, or, not, isNull []any
		var yes []int32
		for i := from; i < len(av); i++ {
			x, y := av[i], bv[i]
			switch {
			case x == false || y == false:
				and = append(and, false)
			case x == nil || y == nil:
				and = append(and, nil)
			default:
				and = append(and, true)
			}
			switch {
			case x == true || y == true:
				or = append(or, true)
			case x == nil || y == nil:
				or = append(or, nil)
			default:
				or = append(or, false)
			}
			if x == nil {
				not = append(not, nil)
			} else {
				not = append(not, !x.(bool))
			}
			isNull = append(isNull, x == nil)
			if x == true {
				yes = append(yes, int32(i-from))
			}
		}
		checkColumn(t, sqltype.BooleanType, And(a, b), and)
		checkColumn(t, sqltype.BooleanType, Or(a, b), or)
		checkColumn(t, sqltype.BooleanType, Not(a), not)
		checkColumn(t, sqltype.BooleanType, IsNull(a), isNull)
		got := True(a)
		if len(got) != len(yes) {
			t.Fatalf("True(%v) is %v, want %v", av[from:], got, yes)
		}
		for i := range got {
			if got[i] != yes[i] {
				t.Fatalf("True(%v) is %v, want %v", av[from:], got, yes)
			}
		}
	}
}

func TestSetMaskTakeEntries(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		typ := genType(false).Draw(rt, "type")
		values := genValues(typ, 0, 20).Draw(rt, "values")
		a := draw(rt, typ, values)
		var members []arrow.Array
		constants := rapid.SliceOfN(genValue(typ, false), 0, 5).Draw(rt, "members")
		for _, m := range constants {
			members = append(members, build(typ, []any{m}))
		}
		if set, ok := NewSet(typ, members); ok {
			want := make([]any, len(values))
			for i, v := range values {
				if v != nil {
					found := false
					for _, m := range constants {
						found = found || refEqual(v, m)
					}
					want[i] = found
				}
			}
			checkColumn(rt, sqltype.BooleanType, set.Contains(a), want)
		}
		other := genValues(sqltype.BigIntType, len(values), len(values)).Draw(rt, "other")
		masked := append([]any(nil), values...)
		for i, o := range other {
			if o == nil {
				masked[i] = nil
			}
		}
		checkColumn(rt, typ, Mask(a, draw(rt, sqltype.BigIntType, other)), masked)
		checkColumn(rt, sqltype.BooleanType, IsNull(a), func() []any {
			out := make([]any, len(values))
			for i, v := range values {
				out[i] = v == nil
			}
			return out
		}())

		d, ok := a.(*array.Dictionary)
		if !ok {
			return
		}
		result := genType(true).Draw(rt, "result type")
		nullLast := rapid.Bool().Draw(rt, "null last")
		n := Entries(d).Len()
		if nullLast {
			n++
		}
		perEntry := genValues(result, n, n).Draw(rt, "per entry")
		want := make([]any, len(values))
		for i, v := range values {
			switch {
			case v != nil:
				want[i] = perEntry[d.GetValueIndex(i)]
			case nullLast:
				want[i] = perEntry[n-1]
			}
		}
		checkColumn(rt, result, TakeEntries(draw(rt, result, perEntry), d, nullLast), want)
	})
}

func TestFromValueAndValue(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		typ := genType(false).Draw(rt, "type")
		v := genValue(typ, true).Draw(rt, "value")
		if got := Value(FromValue(typ, v), 0); !refEqual(got, v) {
			rt.Fatalf("%v became %v", v, got)
		}
	})
}
