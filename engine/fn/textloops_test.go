package fn

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"pgregory.net/rapid"

	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// loops are functions of a column and constants that have loops of their own, with texts that their columns are made of.
var loops = []struct {
	name      string
	texts     []string
	constants [][]value
}{
	{"substr", words, [][]value{{bigint(1), bigint(3)}, {bigint(2)}, {bigint(-2)}, {bigint(-3), bigint(2)}, {bigint(0), bigint(2)}, {bigint(4), bigint(9)}, {bigint(1), bigint(-1)}}},
	{"length", words, [][]value{{}}},
	{"lower", words, [][]value{{}}},
	{"upper", words, [][]value{{}}},
	{"trim", words, [][]value{{}}},
	{"concat", words, [][]value{{varchar("-x")}}},
	{"split_part", words, [][]value{{varchar(":"), bigint(1)}, {varchar(":"), bigint(2)}, {varchar("::"), bigint(2)}, {varchar(""), bigint(2)}}},
	{"replace", words, [][]value{{varchar(":"), varchar("")}}},
	{"regexp_extract", words, [][]value{{varchar("[a-c]+")}}},
	{"like", words, [][]value{{varchar("%b%")}, {varchar("a%")}, {varchar("%:")}, {varchar("%b%:%")}, {varchar("_b%")}, {varchar("ABC")}, {varchar("%a_%")}}},
	{"json_extract_scalar", documents, [][]value{{varchar("$.a")}, {varchar("$.b.c")}, {varchar("$.list[1]")}, {varchar("$")}, {varchar("$.*")}, {varchar(`$["x\"y"]`)}, {varchar("$.é")}}},
	{"json_extract", documents, [][]value{{varchar("$.a")}, {varchar("$.b")}}},
	{"json_key", documents, [][]value{{varchar("a")}, {varchar("B")}, {varchar("É")}}},
	{"from_iso8601_timestamp", isoTimes, [][]value{{}}},
	{"from_iso8601_date", []string{"2024-02-29", "2024-W05-3", "1969-12-31"}, [][]value{{}}},
	{"date", []string{"2024-02-29", "2024-2-9", " 1969-12-31", "+12024-01-01", "-0001-01-01"}, [][]value{{}}},
	{"parse_datetime", isoSeconds, [][]value{{varchar("yyyy-MM-dd'T'HH:mm:ss'Z'")}, {varchar("y-M-d'T'H:m:s'Z'")}}},
	{"date_parse", isoSeconds, [][]value{{varchar("%Y-%m-%dT%H:%i:%sZ")}, {varchar("%Y-%m-%dT%TZ")}}},
	{"date_parse", []string{"2024-02-29", "1969-12-31", "2024-2-9"}, [][]value{{varchar("%Y-%m-%d")}}},
}

var (
	words = []string{"", "a", "ab", "abc", "ABC", "aBc:de", ":", "a:b:c", "a::b", " x ", "é", "日本:語", "aé:b", strings.Repeat("ab", 20), "bbbb:"}
	// documents are JSON, and what is not quite
	documents = []string{`{"a":1}`, `{"a":"x","b":{"c":"y"}}`, ` { "b" : { "c" : [1,{"c":2}] , "c":"\u00e9\n" } , "a" : null }`, `{"list":[1,"two",{"a":3}]}`, `{"\u0061":"escaped"}`,
		`{"x\"y":true,"é":"ü"}`, `{"A":"near","É":1}`, `{"a":"no end`, `{"b":{"c":"fine"},"a":tru}`, `{"a":"x" "b":1}`, `not json`, ``, `"text"`, `17`, `[1,2,3]`, `{"a":"\q"}`,
		`{"aaaaaaaaaaaaaaaaaaaaaaaa":"bbbbbbbbbbbbbbbbb\\","b":{"c":"\\\"deep\\\"","d":[[],{},"]}"]},"a":-1.5e3}`, `{"a":1,"a":2}`, `{}`, `{"a":01}`, "{\"a\":\"tab\there\"}"}
	isoTimes = []string{"2024-01-31T10:20:30Z", "2024-01-31T10:20:31Z", "2024-01-31T10:20:30+02:00", "2024-01-31T10:20:30.123456Z", "2024-01-31", "2024", "2024-W05-3T10", "1969-12-31T23:59:59Z",
		"0000-02-29T00:00:00Z", "9999-12-31T23:59:59Z", "2024-02-29T00:00:00Z", "2024-01-31T10:20:30"}
	isoSeconds = []string{"2024-01-31T10:20:30Z", "2024-01-31T10:20:31Z", "1969-12-31T23:59:59Z", "2024-02-29T00:00:00Z", "2024-2-9T1:2:3Z"}
)

// TestLoops: a function of a column and constants gives what it gives row by row, whether the column is long or a slice, repeats or not.
func TestLoops(t *testing.T) {
	for _, l := range loops {
		t.Run(l.name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				texts := l.texts
				if rapid.Bool().Draw(rt, "ASCII") {
					texts = slices.DeleteFunc(slices.Clone(texts), func(s string) bool { return !isASCII(s) })
				}
				column, values := drawRepeating(rt, sqltype.VarcharType, func() any { return rapid.SampledFrom(texts).Draw(rt, "text") })
				compareWithRows(rt, l.name, sqltype.VarcharType, column, values, rapid.SampledFrom(l.constants).Draw(rt, "constants"), 0)
			})
		})
	}
}

// TestTimeLoops is TestLoops for functions of times.
func TestTimeLoops(t *testing.T) {
	zones := []string{"UTC", "Europe/Berlin", "+05:30", "America/New_York", "UTC"}
	near := time.Date(2024, 3, 31, 0, 30, 0, 0, time.UTC).UnixMicro() // half an hour before Berlin's clocks go forward
	for name, constants := range map[string][][]value{
		"date_trunc": {{varchar("hour")}, {varchar("DAY")}, {varchar("week")}, {varchar("month")}, {varchar("year")}, {varchar("minute")}, {varchar("millisecond")}},
		"format_datetime": {{varchar("yyyy-MM-dd HH")}, {varchar("yyyy-MM-dd HH:mm:ss.SSSSSS Z z")}, {varchar("E")}, {varchar("a")}, {varchar("yyyyyyyyyyyyyyyyyyyyy MM")},
			{varchar("ZZ")}, {varchar("ZZZ yy")}, {varchar("m")}},
		"date_format": {{varchar("%Y-%m-%d %H:%i")}, {varchar("%f")}, {varchar("%W %j")}},
		"year":        {{}}, "month": {{}}, "day": {{}}, "day_of_week": {{}}, "week": {{}}, "hour": {{}}, "minute": {{}}, "date": {{}}, "last_day_of_month": {{}}, "to_iso8601": {{}},
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				typ := rapid.SampledFrom([]sqltype.Type{sqltype.TimestampType, sqltype.TimestampTZType}).Draw(rt, "type")
				column, values := drawRepeating(rt, typ, func() any {
					us := near + rapid.SampledFrom([]int64{1, microsPerSecond, microsPerMinute, microsPerHour, microsPerDay, 40 * microsPerDay}).Draw(rt, "step")*
						rapid.Int64Range(-3, 3).Draw(rt, "steps")
					if rapid.IntRange(0, 30).Draw(rt, "far") == 0 {
						us = rapid.SampledFrom([]int64{-1 << 62, 1 << 62, -1, 0}).Draw(rt, "far away")
					}
					if typ.Kind == sqltype.Timestamp {
						return us
					}
					key, _ := sqltype.ZoneKey(rapid.SampledFrom(zones).Draw(rt, "zone"))
					return instant{us, key}
				})
				at := 0
				if name == "date_trunc" {
					at = 1
				}
				compareWithRows(rt, name, typ, column, values, rapid.SampledFrom(constants).Draw(rt, "constants"), at)
			})
		})
	}
}

// drawRepeating draws a slice of a column, in which values stand in runs now and then, and its values; nil is NULL.
func drawRepeating(rt *rapid.T, t sqltype.Type, draw func() any) (arrow.Array, []any) {
	pool := make([]any, rapid.IntRange(1, 12).Draw(rt, "different"))
	for i := range pool {
		pool[i] = draw()
	}
	n := rapid.SampledFrom([]int{1, 5, runsSample - 1, runsSample, runsSample + 40}).Draw(rt, "rows") + 2
	run := rapid.SampledFrom([]int{1, 2, 3, 50}).Draw(rt, "run")
	random := rapid.Uint32().Draw(rt, "random")
	values := make([]any, n)
	for i := range values {
		x := (random + uint32(i/run)) * 2654435761
		if values[i] = pool[int(x>>8)%len(pool)]; x>>28 == 0 || i%97 == 96 {
			values[i] = nil
		}
	}
	var column arrow.Array
	if t.Kind == sqltype.TimestampTZ {
		times, nulls := make([]instant, n), make([]bool, n)
		for i, v := range values {
			times[i], _ = v.(instant)
			nulls[i] = v == nil
		}
		column, _ = write(t, times, nulls)
	} else {
		column = columnFrom(t, values, false)
	}
	return vec.Slice(column, 1, n-1), values[1 : n-1]
}

// compareWithRows compares a function of a column with what it gives for each value as a constant.
func compareWithRows(rt *rapid.T, name string, t sqltype.Type, column arrow.Array, values []any, constants []value, at int) {
	f, _ := Lookup(name)
	types := make([]sqltype.Type, 0, 4)
	for _, c := range constants {
		types = append(types, c.t)
	}
	types = slices.Insert(types, at, t)
	o, params, result, err := f.Resolve(types)
	if err != nil {
		rt.Fatal(err)
	}
	eval := func(d vec.Datum, n int) (arrow.Array, error) {
		c := &Call{Types: params, Result: result, Len: n, Session: session, Memo: &Memo{}}
		for _, constant := range constants {
			c.Args = append(c.Args, vec.Datum{Arr: constant.array(), Const: true})
		}
		c.Args = slices.Insert(c.Args, at, d)
		return o.Eval(c)
	}
	known := map[any]string{}
	failed := false
	want := make([]string, len(values))
	for i, v := range values {
		text, ok := known[v]
		if !ok {
			out, err := eval(vec.Datum{Arr: vec.Slice(column, i, i+1), Const: true}, 1)
			if text = "failed"; err == nil {
				text = shownColumn(result, out)[0]
			}
			failed = failed || err != nil
			known[v] = text
		}
		want[i] = text
	}
	out, err := eval(vec.Datum{Arr: column}, len(values))
	if failed || err != nil {
		if (err != nil) != failed {
			rt.Fatalf("%s over the column: error %v, over rows: %t", name, err, failed)
		}
		return
	}
	if d, ok := out.(*array.Dictionary); ok && d.Data().Dictionary().Len() > d.Len() {
		rt.Fatalf("%d entries for %d rows", d.Data().Dictionary().Len(), d.Len())
	}
	if got := shownColumn(result, vec.Plain(out)); !slices.Equal(got, want) {
		for i := range want {
			if got[i] != want[i] {
				rt.Fatalf("%s%s: row %d of %v is %q, want %q", name, shownArgs(constants), i, fmt.Sprint(values[max(0, i-2):i+1]), got[i], want[i])
			}
		}
	}
}

// TestRepeatedTextIsCoded: the hours of a trail's times are a few entries, names that differ are plain text, and too much text is refused in
// either form.
func TestRepeatedTextIsCoded(t *testing.T) {
	f, _ := Lookup("rpad")
	run := func(width int64, different int) (arrow.Array, error) {
		values := make([]any, 1000)
		for i := range values {
			values[i] = fmt.Sprint("x", i*different/len(values))
		}
		return f.Overloads[0].Eval(&Call{Types: []sqltype.Type{sqltype.VarcharType, sqltype.BigIntType, sqltype.VarcharType}, Result: sqltype.VarcharType, Len: len(values),
			Session: session, Memo: &Memo{}, Args: []vec.Datum{{Arr: columnFrom(sqltype.VarcharType, values, false)}, {Arr: bigint(width).array(), Const: true},
				{Arr: varchar("-").array(), Const: true}}})
	}
	for different, want := range map[int]arrow.Type{3: arrow.DICTIONARY, 400: arrow.DICTIONARY, 1000: arrow.STRING} {
		out, err := run(8, different)
		if err != nil {
			t.Fatal(err)
		}
		if out.DataType().ID() != want {
			t.Errorf("%d different texts of 1000 come as %s", different, out.DataType())
		}
	}
	for _, different := range []int{3, 1000} {
		if _, err := run(maxText/1000+1, different); err == nil {
			t.Errorf("more than %d bytes of text, %d different, are not refused", maxText, different)
		}
	}
}
