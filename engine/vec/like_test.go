package vec

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"pgregory.net/rapid"

	"github.com/trailql/trailql/engine/sqltype"
)

func TestLike(t *testing.T) {
	for _, test := range []struct {
		pattern, escape, text string
		want                  bool
	}{
		{"", "", "", true}, {"", "", "a", false}, {"%", "", "", true}, {"_", "", "", false}, {"_", "", "日", true}, {"__", "", "日", false},
		{"a%", "", "abc", true}, {"%c", "", "abc", true}, {"%b%", "", "abc", true}, {"a%c", "", "abc", true}, {"a%a", "", "a", false},
		{"%ab%ab%", "", "abab", true}, {"%ab%ab%", "", "aab", false}, {"_b%", "", "abc", true}, {"%_b_%", "", "abc", true},
		{"A%", "", "abc", false}, {"a_%_c", "", "abcc", true}, {"100\\%", "\\", "100%", true}, {"100\\%", "\\", "1000", false},
		{"a##b", "#", "a#b", true}, {"\\_%", "\\", "_x", true}, {"%\n%", "", "a\nb", true}, {"a.c", "", "abc", false},
	} {
		l, err := CompileLike(test.pattern, test.escape, test.escape != "")
		if err != nil {
			t.Fatal(err)
		}
		if got := l.Match(test.text); got != test.want {
			t.Errorf("%q LIKE %q is %t", test.text, test.pattern, got)
		}
	}
	for _, test := range [][2]string{{"a#b", "#"}, {"a#", "#"}, {"a", ""}, {"a", "##"}} {
		if _, err := CompileLike(test[0], test[1], true); err == nil {
			t.Errorf("LIKE %q ESCAPE %q is an error in Trino", test[0], test[1])
		}
	}
}

func TestLikeAgreesWithRegexp(t *testing.T) {
	letters := rapid.SampledFrom([]string{"a", "b", "é", "%", "_"})
	rapid.Check(t, func(rt *rapid.T) {
		pattern := strings.Join(rapid.SliceOfN(letters, 0, 8).Draw(rt, "pattern"), "")
		text := strings.Join(rapid.SliceOfN(letters, 0, 10).Draw(rt, "text"), "")
		re := regexp.MustCompile("(?s)^" + strings.NewReplacer("%", ".*", "_", ".").Replace(pattern) + "$")
		l, err := CompileLike(pattern, "", false)
		if err != nil {
			rt.Fatal(err)
		}
		if got, want := l.Match(text), re.MatchString(text); got != want {
			rt.Fatalf("%q LIKE %q is %t, want %t", text, pattern, got, want)
		}
	})
}

func TestLikeRows(t *testing.T) {
	letters := rapid.SampledFrom([]string{"a", "b", "é", "ab", "%", "%", "_"})
	words := rapid.SampledFrom([]string{"", "a", "b", "ab", "é", "aab", "%", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "bab"})
	rapid.Check(t, func(rt *rapid.T) {
		pattern := strings.Join(rapid.SliceOfN(letters, 0, 6).Draw(rt, "pattern"), "")
		values := make([]any, rapid.IntRange(0, 60).Draw(rt, "rows"))
		for i := range values {
			if rapid.IntRange(0, 5).Draw(rt, "null") > 0 {
				values[i] = strings.Join(rapid.SliceOfN(words, 0, 5).Draw(rt, "text"), "")
			}
		}
		from := rapid.IntRange(0, len(values)).Draw(rt, "from")
		to := rapid.IntRange(from, len(values)).Draw(rt, "to")
		l, err := CompileLike(pattern, "", false)
		if err != nil {
			rt.Fatal(err)
		}
		plain := build(sqltype.VarcharType, values)
		for _, a := range []arrow.Array{Slice(plain, from, to), Slice(coded(plain), from, to)} {
			got := l.Rows(a)
			for i, v := range values[from:to] {
				var want any
				if v != nil {
					want = l.Match(v.(string))
				}
				if got := Value(got, i); got != want {
					rt.Fatalf("row %d, %v LIKE %q is %v, want %v", i, v, pattern, got, want)
				}
			}
		}
	})
}

// coded is a as a dictionary of all its rows.
func coded(a arrow.Array) arrow.Array {
	codes := make([]int32, a.Len())
	for i := range codes {
		codes[i] = int32(i)
		if !IsValid(a, i) {
			codes[i] = -1
		}
	}
	return EncodeDictionary(withoutNulls(a.(*array.String)), codes)
}

func TestLikeWhereTheSampleMisleads(t *testing.T) {
	l, err := CompileLike("%xy%", "", false)
	if err != nil {
		t.Fatal(err)
	}
	values := []any{strings.Repeat("y", 5000), strings.Repeat("x", 5000), "", strings.Repeat("x", 5000) + "y", "x", "y", nil, "xy"}
	got := True(l.Rows(build(sqltype.VarcharType, values)))
	if want := []int32{3, 7}; !slices.Equal(got, want) {
		t.Fatalf("got rows %d, want %d", got, want)
	}
}
