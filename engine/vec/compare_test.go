package vec

import (
	"math"
	"testing"

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
