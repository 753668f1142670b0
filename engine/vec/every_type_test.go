package vec

import (
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
)

// samples have two values of each type, as text or JSON, the first being the lesser.
var samples = []struct{ t, low, high string }{
	{"boolean", "false", "true"}, {"tinyint", "-1", "1"}, {"smallint", "-1", "1"}, {"integer", "-1", "1"}, {"bigint", "-1", "1"},
	{"real", "-1.5", "NaN"}, {"double", "-Infinity", "2"}, {"decimal(38,9)", "-1.5", "12345678901234567890123456789.5"},
	{"varchar", "1", "a"}, {"varchar(3)", "1", "a"}, {"char(3)", "1", "a"},
	{"date", "1969-12-31", "2024-02-29"}, {"time(3)", "01:02:03", "23:59:59.999"}, {"time(3) with time zone", "06:00:00+05:00", "03:00:00+00:00"}, {"timestamp(6)", "1969-12-31 23:59:59.999999", "2024-02-29"},
	{"timestamp(3) with time zone", "2024-02-29 01:00:00 Europe/Berlin", "2024-02-29 01:00:00 UTC"},
	{"json", "1", `"a"`}, {"array(bigint)", "[1]", "[1, 2]"}, {"map(varchar, bigint)", `{"a": 1}`, `{"a": 2}`}, {"row(a bigint)", `{"a": 1}`, `{"a": 2}`},
	{"uuid", "12151fd2-7586-11e9-8f9e-2a86e4085a59", "f2151fd2-7586-11e9-8f9e-2a86e4085a59"},
	{"ipaddress", "10.0.0.1", "2001:db8::1"}, {"ipprefix", "10.0.0.0/8", "10.0.0.0/9"},
}

// sample is a column of the low value, NULL and the high value.
func sample(t *testing.T, typ sqltype.Type, low, high string) arrow.Array {
	t.Helper()
	from := sqltype.VarcharType
	switch typ.Kind {
	case sqltype.Array, sqltype.Map, sqltype.Row:
		from = sqltype.JSONType
	case sqltype.JSON:
		from = typ
	}
	texts, err := Concat([]arrow.Array{FromValue(from, low), Nulls(from, 1), FromValue(from, high)})
	if err != nil {
		t.Fatal(err)
	}
	out, err := Cast(Datum{Arr: texts}, from, typ, false, time.UTC, time.Time{}, 3)
	if err != nil {
		t.Fatal(err)
	}
	return out.Arr
}

// TestEveryTypeAndCast: values of each type can be cast as CanCast says, moved, hashed, compared and carried away.
func TestEveryTypeAndCast(t *testing.T) {
	for _, s := range samples {
		from := mustType(t, s.t)
		a := sample(t, from, s.low, s.high)
		if !arrow.TypeEqual(a.DataType(), from.Arrow()) || a.IsValid(1) {
			t.Fatalf("%s is %s", from, a.DataType())
		}
		for _, other := range samples {
			to := mustType(t, other.t)
			if !sqltype.CanCast(from, to) {
				continue
			}
			out, err := Cast(Datum{Arr: a}, from, to, true, time.UTC, time.Time{}, 3)
			if err != nil || !arrow.TypeEqual(out.Arr.DataType(), to.Arrow()) || out.Arr.Len() != 3 || out.Arr.IsValid(1) {
				t.Errorf("TRY_CAST of %s to %s: %v, %v", from, to, out.Arr, err)
			}
			if _, err := Cast(Datum{Arr: a}, from, to, false, time.UTC, time.Time{}, 3); err != nil && sqlerr.KindOf(err) != sqlerr.Value {
				t.Errorf("CAST of %s to %s: %v", from, to, err)
			}
			if _, err := Cast(Datum{Arr: Slice(a, 1, 2)}, from, to, false, time.UTC, time.Time{}, 1); err != nil {
				t.Errorf("CAST of NULL %s to %s: %v", from, to, err)
			}
		}
		portable, err := Portable(from, a)
		if err != nil {
			t.Errorf("%s: %v", from, err)
			continue
		}
		back, err := FromPortable(from, portable)
		if err != nil {
			t.Errorf("%s: %v", from, err)
			continue
		}
		twice, err := Concat([]arrow.Array{Take(a, []int32{2, -1, 0}), back})
		if err != nil {
			t.Errorf("%s: %v", from, err)
			continue
		}
		hashes := make([]uint64, 6)
		Hash(twice, hashes)
		if hashes[0] != hashes[5] || hashes[2] != hashes[3] || hashes[0] == hashes[2] || hashes[1] != hashes[4] {
			t.Errorf("%s: hashes %x", from, hashes)
		}
		if !EqualRows(twice, 0, twice, 5) || EqualRows(twice, 0, twice, 2) {
			t.Errorf("%s: equal rows are not, or others are", from)
		}
		if from.Kind == sqltype.Map || from.Kind == sqltype.JSON {
			continue // have no order
		}
		if order := Sort([]SortKey{{Arr: a}}, 3); order[0] != 0 || order[1] != 2 || order[2] != 1 {
			t.Errorf("%s: sorted as %d", from, order)
		}
	}
}
