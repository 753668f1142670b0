package fn

import (
	"errors"
	"strings"
	"testing"

	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
)

// typed makes types from their names.
func typed(t *testing.T, names ...string) []sqltype.Type {
	t.Helper()
	types := make([]sqltype.Type, len(names))
	for i, n := range names {
		if n == "unknown" {
			continue
		}
		var err error
		if types[i], err = sqltype.Parse(n); err != nil {
			t.Fatal(err)
		}
	}
	return types
}

func TestResolve(t *testing.T) {
	for _, c := range []struct {
		name   string
		args   []string
		params string // what the arguments must be cast to
		result string
		why    string
	}{
		{"+", []string{"integer", "integer"}, "integer, integer", "integer", "an exact match wins"},
		{"+", []string{"integer", "bigint"}, "bigint, bigint", "bigint", "one cast to bigint, not two to decimal or double"},
		{"+", []string{"bigint", "double"}, "double, double", "double", ""},
		{"+", []string{"bigint", "real"}, "real, real", "real", ""},
		{"+", []string{"tinyint", "smallint"}, "smallint, smallint", "smallint", ""},
		{"+", []string{"integer", "decimal(3,1)"}, "decimal(10,0), decimal(3,1)", "decimal(12,1)", "an integer is decimal(10,0)"},
		{"*", []string{"decimal(20,2)", "decimal(20,2)"}, "decimal(20,2), decimal(20,2)", "decimal(38,4)", ""},
		{"/", []string{"decimal(3,2)", "decimal(4,3)"}, "decimal(3,2), decimal(4,3)", "decimal(7,3)", "3 + 3 + max(0, 3 - 2)"},
		{"+", []string{"unknown", "bigint"}, "bigint, bigint", "bigint", "NULL takes the other's type"},
		{"+", []string{"date", "interval day to second"}, "date, interval day to second", "date", ""},
		{"-", []string{"date", "timestamp(3)"}, "timestamp(3), timestamp(3)", "interval day to second", ""},
		{"length", []string{"varchar(10)"}, "varchar(10)", "bigint", "a length needs no cast"},
		{"substr", []string{"varchar", "integer"}, "varchar, bigint", "varchar", ""},
		{"greatest", []string{"integer", "bigint", "double"}, "double, double, double", "double", "T is the common type"},
		{"contains", []string{"array(bigint)", "integer"}, "array(bigint), bigint", "boolean", ""},
		{"contains", []string{"array(integer)", "bigint"}, "array(bigint), bigint", "boolean", "T is found from both"},
		{"element_at", []string{"map(varchar, array(bigint))", "varchar"}, "map(varchar, array(bigint)), varchar", "array(bigint)", ""},
		{"||", []string{"array(bigint)", "integer"}, "array(bigint), bigint", "array(bigint)", ""},
		{"||", []string{"varchar", "unknown"}, "varchar, varchar", "varchar", ""},
		{"concat_ws", []string{"varchar", "array(varchar)"}, "varchar, array(varchar)", "varchar", ""},
		{"map_from_entries", []string{"array(row(a varchar, b bigint))"}, "array(row(a varchar, b bigint))", "map(varchar, bigint)", "names of fields do not matter"},
		{"zip", []string{"array(bigint)", "array(varchar)"}, "array(bigint), array(varchar)", "array(row(bigint, varchar))", ""},
		{"date_trunc", []string{"varchar", "timestamp(6)"}, "varchar, timestamp(6)", "timestamp(6)", "the precision stays"},
		{"date_diff", []string{"varchar", "date", "timestamp(3) with time zone"}, "varchar, timestamp(3) with time zone, timestamp(3) with time zone", "bigint", ""},
		{"row_constructor", []string{"integer", "varchar"}, "integer, varchar", "row(integer, varchar)", ""},
		{"array_constructor", []string{"integer", "decimal(2,1)"}, "decimal(11,1), decimal(11,1)", "array(decimal(11,1))", ""},
		{"json_extract_scalar", []string{"json", "varchar"}, "json, varchar", "varchar", ""},
	} {
		f, ok := Lookup(strings.ToUpper(c.name))
		if !ok {
			t.Fatalf("no function %s", c.name)
		}
		_, params, result, err := f.Resolve(typed(t, c.args...))
		if err != nil {
			t.Errorf("%s(%s): %v", c.name, strings.Join(c.args, ", "), err)
			continue
		}
		got := make([]string, len(params))
		for i, p := range params {
			got[i] = p.String()
		}
		if strings.Join(got, ", ") != c.params || result.String() != c.result {
			t.Errorf("%s(%s): takes (%s) and gives %s; want (%s) and %s; %s", c.name, strings.Join(c.args, ", "),
				strings.Join(got, ", "), result, c.params, c.result, c.why)
		}
	}
}

func TestResolveErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		hint string
	}{
		{"lower", []string{"bigint"}, "lower cannot be applied to (bigint); it takes (varchar)"},
		{"||", []string{"varchar", "bigint"}, "|| cannot be applied to (varchar, bigint)"},
		{"substr", []string{"varchar"}, "it takes (varchar, bigint) or (varchar, bigint, bigint)"},
		{"greatest", []string{"varchar", "bigint"}, "it takes (O...)"},
		{"+", []string{"decimal(3,1)", "varchar"}, "cannot be applied"},
		{"pi", []string{"bigint"}, "it takes ()"},
		{"concat", nil, "it takes"},
	} {
		f, _ := Lookup(c.name)
		_, _, _, err := f.Resolve(typed(t, c.args...))
		if err == nil || sqlerr.KindOf(err) != sqlerr.Type || !strings.Contains(err.Error(), c.hint) {
			t.Errorf("%s(%s): error %v; want one of kind type with %q", c.name, strings.Join(c.args, ", "), err, c.hint)
		}
	}
}

func TestBadSignaturesPanic(t *testing.T) {
	for _, s := range []string{"", "(varchar)", "varchar -> bigint", "(text) -> bigint", "(array(T) -> T", "(map(K)) -> K"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q was taken for a signature", s)
				}
			}()
			parseSignature(s)
		}()
	}
}

// TestNearSignatures: of an operator's many signatures, the error shows those that take one of the types.
func TestNearSignatures(t *testing.T) {
	plus, _ := Lookup("+")
	_, _, _, err := plus.Resolve([]sqltype.Type{sqltype.TimeTZType, sqltype.BooleanType})
	want := "it takes (time with time zone, interval day to second) or (interval day to second, time with time zone)"
	var e *sqlerr.Error
	if !errors.As(err, &e) || e.Hint != want {
		t.Errorf("the error is %v, want the hint %q", err, want)
	}
}
