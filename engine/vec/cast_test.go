package vec

import (
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"

	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
)

func mustType(t testing.TB, text string) sqltype.Type {
	t.Helper()
	typ, err := sqltype.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return typ
}

// column reads a column from JSON, as arrow does.
func column(t testing.TB, typ sqltype.Type, text string) arrow.Array {
	t.Helper()
	a, _, err := array.FromJSON(memory.DefaultAllocator, typ.Arrow(), strings.NewReader(text))
	if err != nil {
		t.Fatalf("%s of %s: %v", text, typ, err)
	}
	return a
}

// TestCast holds results that Trino gives, from its manual (chapters on conversion, JSON and date functions) and its
// sources of casts. want is the text of the result; "error" means that the value cannot be cast.
func TestCast(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ from, in, to, want string }{
		// numbers
		{"bigint", `127`, "tinyint", "127"},
		{"bigint", `128`, "tinyint", "error"},
		{"bigint", `-32769`, "smallint", "error"},
		{"bigint", `2147483648`, "integer", "error"},
		{"tinyint", `-1`, "bigint", "-1"},
		{"integer", `3`, "double", "3.0"},
		{"integer", `3`, "boolean", "true"},
		{"boolean", `true`, "integer", "1"},
		{"boolean", `true`, "decimal(3,1)", "1.0"},
		{"boolean", `false`, "varchar", "false"},
		{"double", `1.5`, "bigint", "2"},
		{"double", `-1.5`, "bigint", "-2"},
		{"double", `2.4999`, "integer", "2"},
		{"double", `9.3e18`, "bigint", "error"},
		{"double", `3e9`, "integer", "error"},
		{"double", `-9223372036854775808`, "bigint", "-9223372036854775808"},
		{"double", `9223372036854775807`, "bigint", "error"}, // 2^63 as a double
		{"double", `0.1`, "real", "0.1"},
		{"real", `1.5`, "double", "1.5"},
		{"double", `2.5`, "decimal(2,0)", "3"},
		{"double", `1.005`, "decimal(5,2)", "1.00"}, // the double is a little less
		{"double", `1000`, "decimal(3,0)", "error"},
		{"bigint", `123`, "decimal(5,2)", "123.00"},
		{"bigint", `1234`, "decimal(5,2)", "error"},
		{"decimal(5,2)", `"1.50"`, "bigint", "2"},
		{"decimal(5,2)", `"-1.50"`, "bigint", "-2"},
		{"decimal(5,2)", `"200.00"`, "tinyint", "error"},
		{"decimal(5,2)", `"1.55"`, "decimal(5,1)", "1.6"},
		{"decimal(5,2)", `"999.99"`, "decimal(3,0)", "error"},
		{"decimal(5,2)", `"0.10"`, "double", "0.1"},
		{"decimal(5,2)", `"0.10"`, "varchar", "0.10"},
		{"decimal(5,2)", `"0.00"`, "boolean", "false"},
		// text to numbers
		{"varchar", `"42"`, "bigint", "42"},
		{"varchar", `"+42"`, "bigint", "42"},
		{"varchar", `" 42"`, "bigint", "error"},
		{"varchar", `"1_000"`, "bigint", "error"},
		{"varchar", `"4.2"`, "bigint", "error"},
		{"varchar", `""`, "bigint", "error"},
		{"varchar", `"9223372036854775808"`, "bigint", "error"},
		{"varchar", `"300"`, "tinyint", "error"},
		{"varchar", `" 1.5 "`, "double", "1.5"},
		{"varchar", `"1e3"`, "double", "1000.0"},
		{"varchar", `"NaN"`, "double", "NaN"},
		{"varchar", `"-Infinity"`, "real", "-Infinity"},
		{"varchar", `"inf"`, "double", "error"},
		{"varchar", `"0x10"`, "double", "error"},
		{"varchar", `"1e400"`, "double", "Infinity"},
		{"varchar", `"1.25"`, "decimal(3,1)", "1.3"},
		{"varchar", `"x"`, "decimal(3,1)", "error"},
		{"varchar", `"T"`, "boolean", "true"},
		{"varchar", `"FALSE"`, "boolean", "false"},
		{"varchar", `"0"`, "boolean", "false"},
		{"varchar", `"yes"`, "boolean", "error"},
		// to text
		{"double", `1.5`, "varchar", "1.5E0"},
		{"double", `123456`, "varchar", "1.23456E5"},
		{"real", `0.1`, "varchar", "1.0E-1"},
		{"bigint", `-7`, "varchar", "-7"},
		{"bigint", `123`, "varchar(2)", "error"},
		{"varchar", `"abc"`, "varchar(2)", "ab"},
		{"varchar(3)", `"日本語"`, "varchar(2)", "日本"},
		{"varchar", `"é"`, "varchar(2)", "é"},
		{"date", `"2024-01-31"`, "varchar", "2024-01-31"},
		{"timestamp(3)", `"2024-01-31 10:00:00.5"`, "varchar", "2024-01-31 10:00:00.500"},
		{"interval day to second", `172800000`, "varchar", "2 00:00:00.000"},
		// times
		{"varchar", `"2024-01-31"`, "date", "2024-01-31"},
		{"varchar", `"2024-01-31 10:00"`, "date", "error"},
		{"varchar", `"2024-01-31"`, "timestamp", "2024-01-31 00:00:00.000"},
		{"varchar", `"2024-01-31 10:00:00.9996"`, "timestamp", "2024-01-31 10:00:01.000"}, // rounded to 3 digits
		{"varchar", `"2024-01-31 10:00:00.9996"`, "timestamp(6)", "2024-01-31 10:00:00.999600"},
		{"varchar", `"10:11"`, "time", "10:11:00.000"},
		{"varchar", `"2024-01-31 10:00:00 UTC"`, "timestamp with time zone", "2024-01-31 10:00:00.000 UTC"},
		{"varchar", `"2024-01-31 10:00:00"`, "timestamp with time zone", "2024-01-31 10:00:00.000 Europe/Berlin"},
		{"timestamp(3)", `"2024-01-31 23:00:00"`, "date", "2024-01-31"},
		{"timestamp(3)", `"1969-12-31 23:00:00"`, "date", "1969-12-31"},
		{"timestamp(3)", `"1969-12-31 23:00:00"`, "time", "23:00:00.000"},
		{"timestamp(6)", `"2024-01-31 23:59:59.9999"`, "timestamp(3)", "2024-02-01 00:00:00.000"},
		{"timestamp(3)", `"2024-07-31 10:00:00"`, "timestamp with time zone", "2024-07-31 10:00:00.000 Europe/Berlin"},
		{"date", `"2024-07-31"`, "timestamp with time zone", "2024-07-31 00:00:00.000 Europe/Berlin"},
		{"date", `"2024-07-31"`, "timestamp", "2024-07-31 00:00:00.000"},
		{"date", `200000000`, "timestamp", "error"},
		// JSON
		{"boolean", `true`, "json", "true"},
		{"varchar", `"x"`, "json", `"x"`},
		{"array(integer)", `[1,null]`, "json", `[1,null]`},
		{"map(varchar, integer)", `[{"key":"k2","value":22},{"key":"k1","value":1}]`, "json", `{"k1":1,"k2":22}`},
		{"row(a bigint, b varchar)", `{"a":1,"b":null}`, "json", `{"a":1,"b":null}`},
		{"array(json)", `["{\"a\":1}"]`, "json", `[{"a":1}]`},
		{"json", `"true"`, "boolean", "true"},
		{"json", `"\"f\""`, "boolean", "false"},
		{"json", `"1"`, "boolean", "true"},
		{"json", `"12"`, "bigint", "12"},
		{"json", `"\"12\""`, "bigint", "12"},
		{"json", `"1.5"`, "bigint", "2"},
		{"json", `"true"`, "bigint", "1"},
		{"json", `"300"`, "tinyint", "error"},
		{"json", `"[1]"`, "bigint", "error"},
		{"json", `"1.25"`, "decimal(3,1)", "1.3"},
		{"json", `"12"`, "double", "12.0"},
		{"json", `"\"a\\n\\u00e9\""`, "varchar", "a\né"},
		{"json", `"12"`, "varchar", "12"},
		{"json", `"{}"`, "varchar", "error"},
		{"json", `"null"`, "varchar", ""},
		{"json", `"nonsense"`, "varchar", "error"},
		{"json", `"[1,null,\"3\"]"`, "array(integer)", "[1, null, 3]"},
		{"json", `"[[1,23],[456]]"`, "array(array(bigint))", "[[1, 23], [456]]"},
		{"json", `"{\"k1\":[1,23],\"k2\":null}"`, "map(varchar, array(bigint))", "{k1=[1, 23], k2=null}"},
		{"json", `"{\"1\":true}"`, "map(bigint, boolean)", "{1=true}"},
		{"json", `"{\"a\":1,\"a\":2}"`, "map(varchar, bigint)", "error"},
		{"json", `"{\"V1\":123,\"x\":{},\"v2\":\"abc\"}"`, "row(v1 bigint, v2 varchar, v3 boolean)", "{v1=123, v2=abc, v3=null}"},
		{"json", `"[123,\"abc\"]"`, "row(v1 bigint, v2 varchar)", "{v1=123, v2=abc}"},
		{"json", `"[123]"`, "row(v1 bigint, v2 varchar)", "error"},
		{"json", `"[{\"a\":[1]},null,7]"`, "array(json)", `[{"a":[1]}, null, 7]`},
		{"json", `"{\"a\":\"x\"}"`, "array(varchar)", "error"},
		// parts
		{"array(varchar)", `["1",null]`, "array(bigint)", "[1, null]"},
		{"array(varchar)", `["1","x"]`, "array(bigint)", "error"},
		{"map(varchar, varchar)", `[{"key":"1","value":"2"}]`, "map(bigint, double)", "{1=2.0}"},
		{"row(a varchar, b bigint)", `{"a":"5","b":1}`, "row(x bigint, y varchar)", "{x=5, y=1}"},
	} {
		from, to := mustType(t, test.from), mustType(t, test.to)
		if !sqltype.CanCast(from, to) {
			t.Errorf("no cast from %s to %s", from, to)
			continue
		}
		a := column(t, from, "["+test.in+",null,"+test.in+"]")
		sliced := Slice(a, 1, 3) // NULL, then the value
		got, err := Cast(Datum{Arr: sliced}, from, to, false, berlin, time.Time{}, 2)
		if test.want == "error" {
			if sqlerr.KindOf(err) != sqlerr.Value || !strings.HasPrefix(err.Error(), "cannot cast '") {
				t.Errorf("CAST(%s %s AS %s) gave %v, want a value error", from, test.in, to, err)
			}
			got, err = Cast(Datum{Arr: a}, from, to, true, berlin, time.Time{}, 3)
			if err != nil || NullCount(got.Arr) != 3 {
				t.Errorf("TRY_CAST(%s %s AS %s) gave %v, %v, want NULL", from, test.in, to, got.Arr, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("CAST(%s %s AS %s): %v", from, test.in, to, err)
			continue
		}
		if !arrow.TypeEqual(got.Arr.DataType(), to.Arrow()) {
			t.Errorf("CAST(%s AS %s) is an array of %s", from, to, got.Arr.DataType())
		}
		if text := string(sqltype.AppendText(nil, to, got.Arr, 1)); text != test.want || !got.Arr.IsNull(0) {
			t.Errorf("CAST(%s %s AS %s) is %q, want %q; NULL gave NULL: %t", from, test.in, to, text, test.want, got.Arr.IsNull(0))
		}
		one, err := Cast(Datum{Slice(a, 2, 3), true}, from, to, true, berlin, time.Time{}, 100)
		if err != nil || !one.Const || string(sqltype.AppendText(nil, to, one.Arr, 0)) != test.want {
			t.Errorf("the constant CAST(%s %s AS %s) is %v, %v", from, test.in, to, one, err)
		}
	}
}

func TestCastZoned(t *testing.T) {
	key, _ := sqltype.ZoneKey("America/New_York")
	utc := newInstants([]int64{1_700_000_000_000_000, 1_700_000_000_000_000}, []int16{0, key}, nil)
	for to, want := range map[string][2]string{
		"timestamp(0)": {"2023-11-14 22:13:20", "2023-11-14 17:13:20"},
		"date":         {"2023-11-14", "2023-11-14"},
		"time(0)":      {"22:13:20", "17:13:20"},
		"varchar":      {"2023-11-14 22:13:20.000 UTC", "2023-11-14 17:13:20.000 America/New_York"},
	} {
		typ := mustType(t, to)
		got, err := Cast(Datum{Arr: utc}, sqltype.TimestampTZType, typ, false, time.UTC, time.Time{}, 2)
		if err != nil {
			t.Fatal(err)
		}
		for i, w := range want {
			if text := string(sqltype.AppendText(nil, typ, got.Arr, i)); text != w {
				t.Errorf("row %d as %s is %s, want %s", i, to, text, w)
			}
		}
	}
}

// TestCastOfTextForms: what a cast of text gives does not depend on the form of the column, and entries of a dictionary that no
// row has never make it fail.
func TestCastOfTextForms(t *testing.T) {
	targets := []sqltype.Type{sqltype.BigIntType, sqltype.DoubleType, sqltype.BooleanType, sqltype.DateType,
		sqltype.TimestampTZType, {Kind: sqltype.Varchar, Length: 1}, sqltype.JSONType, sqltype.DecimalOf(3, 1)}
	rapid.Check(t, func(rt *rapid.T) {
		to := rapid.SampledFrom(targets).Draw(rt, "to")
		values := rapid.SliceOfN(rapid.SampledFrom([]any{nil, "1", "0", "2024-01-31", "12.5", "true"}), 1, 20).Draw(rt, "values")
		try := rapid.Bool().Draw(rt, "try")
		plain, plainErr := Cast(Datum{Arr: build(sqltype.VarcharType, values)}, sqltype.VarcharType, to, try, time.UTC, time.Time{}, len(values))
		got, err := Cast(Datum{Arr: draw(rt, sqltype.VarcharType, values)}, sqltype.VarcharType, to, try, time.UTC, time.Time{}, len(values))
		if (err == nil) != (plainErr == nil) || try && err != nil {
			rt.Fatalf("plain: %v, other form: %v", plainErr, err)
		}
		if err == nil {
			checkColumn(rt, to, got.Arr, getAll(to, plain.Arr))
		}
	})
}

// TestCastHidden: what stands in NULL rows does not make a cast fail.
func TestCastHidden(t *testing.T) {
	for _, test := range []struct{ from, to, in string }{
		{"array(varchar)", "array(bigint)", `[["1"],["x"]]`},
		{"map(varchar, varchar)", "map(bigint, bigint)", `[[{"key":"1","value":"1"}],[{"key":"x","value":"1"}]]`},
		{"row(a varchar, b array(varchar))", "row(a bigint, b array(bigint))", `[{"a":"1","b":["1"]},{"a":"x","b":["x"]}]`},
	} {
		from, to := mustType(t, test.from), mustType(t, test.to)
		a := Mask(column(t, from, test.in), build(sqltype.BigIntType, []any{int64(1), nil}))
		got, err := Cast(Datum{Arr: a}, from, to, false, nil, time.Time{}, 2)
		if err != nil || !got.Arr.IsNull(1) || got.Arr.IsNull(0) {
			t.Errorf("CAST(%s AS %s): %v, %v", from, to, got.Arr, err)
		}
	}
}

func TestCastErrorText(t *testing.T) {
	long := strings.Repeat("é", 200)
	_, err := Cast(Datum{Arr: build(sqltype.VarcharType, []any{long})}, sqltype.VarcharType, sqltype.BigIntType, false, time.UTC, time.Time{}, 1)
	if want := "cannot cast '" + strings.Repeat("é", 50) + "…' to bigint"; err == nil || err.Error() != want {
		t.Errorf("the error is %v, want %s", err, want)
	}
}

func TestTryRows(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		bad := rapid.SliceOfN(rapid.Bool(), 1, 40).Draw(rt, "bad")
		want := make([]any, len(bad))
		for i, b := range bad {
			if !b {
				want[i] = int64(i)
			}
		}
		got, err := TryRows(sqltype.BigIntType, len(bad), func(from, to int) (arrow.Array, error) {
			var out []any
			for i := from; i < to; i++ {
				if bad[i] {
					return nil, sqlerr.New(sqlerr.Value, 0, "bad")
				}
				out = append(out, int64(i))
			}
			return build(sqltype.BigIntType, out), nil
		})
		if err != nil {
			rt.Fatal(err)
		}
		checkColumn(rt, sqltype.BigIntType, got, want)
	})
	_, err := TryRows(sqltype.BigIntType, 4, func(from, to int) (arrow.Array, error) {
		return nil, sqlerr.New(sqlerr.Resource, 0, "full")
	})
	if sqlerr.KindOf(err) != sqlerr.Resource {
		t.Errorf("only value errors become NULL, got %v", err)
	}
}

func FuzzCastJSON(f *testing.F) {
	f.Add(`{"a":[{"b":1e5}],"a ":null}`)
	f.Add(`[[],{"k":"\u00e9"}]`)
	targets := []sqltype.Type{mustType(f, "array(map(varchar, bigint))"), mustType(f, "row(a array(row(b double)), b json)"),
		mustType(f, "map(varchar, json)"), sqltype.BigIntType, sqltype.VarcharType, mustType(f, "array(varchar)")}
	f.Fuzz(func(t *testing.T, text string) {
		a := build(sqltype.JSONType, []any{text})
		for _, to := range targets {
			got, err := Cast(Datum{Arr: a}, sqltype.JSONType, to, true, time.UTC, time.Time{}, 1)
			if err != nil {
				t.Fatalf("TRY_CAST to %s: %v", to, err)
			}
			sqltype.AppendText(nil, to, got.Arr, 0)
		}
	})
}

// TestJSONRoundTrip: what casts to json casts back to the same value.
func TestJSONRoundTrip(t *testing.T) {
	types := append([]sqltype.Type{sqltype.BooleanType, sqltype.TinyIntType, sqltype.BigIntType, sqltype.RealType, sqltype.DoubleType,
		sqltype.DecimalOf(30, 2), sqltype.VarcharType, sqltype.ArrayOf(sqltype.MapOf(sqltype.BigIntType, sqltype.DoubleType))}, nestedTypes...)
	rapid.Check(t, func(rt *rapid.T) {
		typ := rapid.SampledFrom(types).Draw(rt, "type")
		values := genValues(typ, 0, 10).Draw(rt, "values")
		asJSON, err := Cast(Datum{Arr: draw(rt, typ, values)}, typ, sqltype.JSONType, false, nil, time.Time{}, len(values))
		if err != nil {
			rt.Fatal(err)
		}
		back, err := Cast(asJSON, sqltype.JSONType, typ, false, nil, time.Time{}, len(values))
		if err != nil {
			rt.Fatal(err)
		}
		checkColumn(rt, typ, back.Arr, values)
	})
}
