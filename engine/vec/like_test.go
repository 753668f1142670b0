package vec

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
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
