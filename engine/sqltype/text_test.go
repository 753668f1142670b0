package sqltype

import (
	"encoding/json"
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"
)

// columnOf builds a column of t from JSON, as arrow reads it.
func columnOf(t *testing.T, typ Type, text string) arrow.Array {
	t.Helper()
	a, _, err := array.FromJSON(memory.DefaultAllocator, typ.Arrow(), strings.NewReader(text))
	if err != nil {
		t.Fatalf("%s of %s: %v", text, typ, err)
	}
	return a
}

func TestAppendTextAndJSON(t *testing.T) {
	for _, test := range []struct{ typ, in, text, json string }{
		{"boolean", `true`, "true", "true"},
		{"bigint", `-9223372036854775808`, "-9223372036854775808", "-9223372036854775808"},
		{"double", `1`, "1.0", "1.0"},
		{"double", `1e10`, "1.0E10", "1.0E10"},
		{"double", `0.00012`, "1.2E-4", "1.2E-4"},
		{"double", `9999999`, "9999999.0", "9999999.0"},
		{"real", `1.1`, "1.1", "1.1"},
		{"decimal(10,2)", `"-0.05"`, "-0.05", "-0.05"},
		{"decimal(38,0)", `"99999999999999999999999999999999999999"`, "99999999999999999999999999999999999999", "99999999999999999999999999999999999999"},
		{"varchar", `"a\"b\n"`, "a\"b\n", `"a\"b\n"`},
		{"json", `"{\"a\":1}"`, `{"a":1}`, `{"a":1}`},
		{"varbinary", `"YWI="`, "61 62", `"61 62"`},
		{"date", `"2024-01-31"`, "2024-01-31", `"2024-01-31"`},
		{"time(3)", `"01:02:03.5"`, "01:02:03.500", `"01:02:03.500"`},
		{"timestamp(3)", `"2024-01-31 10:00:00"`, "2024-01-31 10:00:00.000", `"2024-01-31 10:00:00.000"`},
		{"timestamp(0)", `"2024-01-31 10:00:00"`, "2024-01-31 10:00:00", `"2024-01-31 10:00:00"`},
		{"timestamp(3) with time zone", `{"instant":"2024-01-31T10:00:00Z","zone":0}`, "2024-01-31 10:00:00.000 UTC", `"2024-01-31 10:00:00.000 UTC"`},
		{"interval day to second", `90061001`, "1 01:01:01.001", `"1 01:01:01.001"`},
		{"interval year to month", `14`, "1-2", `"1-2"`},
		{"array(varchar)", `["a",null,"b"]`, "[a, null, b]", `["a",null,"b"]`},
		{"map(varchar, bigint)", `[{"key":"b","value":2},{"key":"a","value":null}]`, "{b=2, a=null}", `{"a":null,"b":2}`},
		{"row(a bigint, b array(double))", `{"a":1,"b":[1.5]}`, "{a=1, b=[1.5]}", `{"a":1,"b":[1.5]}`},
		{"row(bigint)", `{"":1}`, "{field0=1}", `{"field0":1}`},
		{"bigint", `null`, "", "null"},
		{"array(bigint)", `null`, "", "null"},
	} {
		typ := parse(t, test.typ)
		// a slice, so that offsets count
		a := array.NewSlice(columnOf(t, typ, "[null,"+test.in+"]"), 1, 2)
		if got := string(AppendText([]byte("<"), typ, a, 0)); got != "<"+test.text {
			t.Errorf("%s %s is %q, want %q", typ, test.in, got, test.text)
		}
		got := string(AppendJSON(nil, typ, a, 0))
		if got != test.json || !json.Valid([]byte(got)) {
			t.Errorf("%s %s is JSON %s, want %s", typ, test.in, got, test.json)
		}
	}
	b := array.NewDictionaryBuilder(memory.DefaultAllocator, DictionaryString).(*array.BinaryDictionaryBuilder)
	_ = b.AppendString("x")
	b.AppendNull()
	d := b.NewArray()
	if got := string(AppendText(nil, VarcharType, d, 0)) + string(AppendText(nil, VarcharType, d, 1)) + string(AppendJSON(nil, VarcharType, d, 1)); got != "xnull" {
		t.Errorf("dictionary text is %q", got)
	}
}

func TestFloats(t *testing.T) {
	for _, test := range []struct {
		v             float64
		display, cast string
	}{ // display as Java's Double.toString, cast as Trino's CAST(double AS varchar)
		{0, "0.0", "0.0E0"}, {math.Copysign(0, -1), "-0.0", "-0.0E0"}, {1.5, "1.5", "1.5E0"}, {-123456.75, "-123456.75", "-1.2345675E5"},
		{1e7, "1.0E7", "1.0E7"}, {0.001, "0.001", "1.0E-3"}, {1e-5, "1.0E-5", "1.0E-5"}, {1e300, "1.0E300", "1.0E300"},
		{math.NaN(), "NaN", "NaN"}, {math.Inf(1), "Infinity", "Infinity"}, {math.Inf(-1), "-Infinity", "-Infinity"},
	} {
		if got := string(AppendDouble(nil, test.v)); got != test.display {
			t.Errorf("%v is %s, want %s", test.v, got, test.display)
		}
		if got := string(AppendDoubleCast(nil, test.v)); got != test.cast {
			t.Errorf("CAST(%v AS varchar) is %s, want %s", test.v, got, test.cast)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		v := rapid.Float64().Draw(rt, "v")
		for _, text := range []string{string(AppendDouble(nil, v)), string(AppendDoubleCast(nil, v))} {
			if back, err := strconv.ParseFloat(text, 64); err != nil || back != v {
				rt.Fatalf("%v prints as %s", v, text)
			}
		}
	})
}

func TestDecimals(t *testing.T) {
	for _, test := range []struct {
		text             string
		precision, scale int
		want             string
	}{
		{"1.5", 2, 1, "1.5"}, {"1.25", 2, 1, "1.3"}, {"-1.25", 2, 1, "-1.3"}, {"9.95", 2, 1, ""}, {"1e2", 3, 0, "100"},
		{"1.5E-1", 3, 2, "0.15"}, {".5", 2, 1, "0.5"}, {"5.", 2, 1, "5.0"}, {"", 2, 1, ""}, {"-", 2, 1, ""}, {"1 ", 2, 1, ""},
		{"0x1", 2, 1, ""}, {"1e999999999", 38, 0, ""}, {"1e2e3", 38, 0, ""}, {"+7", 1, 0, "7"}, {"--7", 1, 0, ""},
	} {
		v, ok := ParseDecimal(test.text, test.precision, test.scale)
		if got := string(AppendDecimal(nil, v, test.scale)); ok != (test.want != "") || ok && got != test.want {
			t.Errorf("ParseDecimal(%q, %d, %d) is %s %t, want %q", test.text, test.precision, test.scale, got, ok, test.want)
		}
	}
	if v, ok := DecimalOfDouble(2.5, 1, 0); !ok || v != decimal128.FromI64(3) {
		t.Errorf("2.5 rounds to %v", v)
	}
	if _, ok := DecimalOfDouble(math.NaN(), 10, 0); ok {
		t.Error("NaN is no decimal")
	}
	rapid.Check(t, func(rt *rapid.T) {
		v := decimal128.New(rapid.Int64Range(-1e18, 1e18).Draw(rt, "high"), rapid.Uint64().Draw(rt, "low"))
		scale := rapid.IntRange(0, 38).Draw(rt, "scale")
		text := string(AppendDecimal(nil, v, scale))
		want := new(big.Rat).SetFrac(v.BigInt(), bigPow10(scale))
		got, ok := new(big.Rat).SetString(text)
		if !ok || got.Cmp(want) != 0 {
			rt.Fatalf("%v with scale %d prints as %s", v.BigInt(), scale, text)
		}
	})
}

// TestRescale compares the 64-bit way with the one over text.
func TestRescale(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		v := decimal128.FromI64(rapid.Int64().Draw(rt, "v"))
		from, scale := rapid.IntRange(0, 20).Draw(rt, "from"), rapid.IntRange(0, 38).Draw(rt, "scale")
		precision := rapid.IntRange(max(1, scale), 38).Draw(rt, "precision")
		got, ok := Rescale(v, from, precision, scale)
		want, wantOK := ParseDecimal(string(AppendDecimal(nil, v, from)), precision, scale)
		if ok != wantOK || ok && got != want {
			rt.Fatalf("%v from scale %d to decimal(%d,%d) is %v %t, want %v %t", v.BigInt(), from, precision, scale, got.BigInt(), ok, want.BigInt(), wantOK)
		}
	})
}

func TestAppendQuoted(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(rt, "s")
		var back string
		if err := json.Unmarshal(AppendJSONString(nil, s), &back); err != nil || back != strings.ToValidUTF8(s, "\ufffd") && !strings.Contains(back, "\ufffd") {
			rt.Fatalf("%q became %q: %v", s, back, err)
		}
	})
}
