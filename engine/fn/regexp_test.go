package fn

import (
	"strings"
	"testing"
)

// The examples are those of Trino's "Regular expression functions", then edge cases of Java's replacement syntax.
func TestRegexps(t *testing.T) {
	s, n := varchar, bigint
	text := s("1a 2b 14m")
	check(t, []want{
		{"regexp_like", []value{text, s(`\d+b`)}, "true", ""},
		{"regexp_like", []value{text, s(`^b`)}, "false", ""},
		{"regexp_extract", []value{text, s(`\d+`)}, "1", ""},
		{"regexp_extract", []value{text, s(`(\d+)([a-z]+)`), n(2)}, "a", ""},
		{"regexp_extract", []value{text, s(`x`)}, "NULL", ""},
		{"regexp_extract", []value{s("ab"), s(`a(x)?b`), n(1)}, "NULL", ""},
		{"regexp_extract", []value{text, s(`\d`), n(1)}, "", "no group 1"},
		{"regexp_extract_all", []value{text, s(`\d+`)}, "[1, 2, 14]", ""},
		{"regexp_extract_all", []value{text, s(`(\d+)([a-z]+)`), n(2)}, "[a, b, m]", ""},
		{"regexp_replace", []value{text, s(`\d+[ab] `)}, "14m", ""},
		{"regexp_replace", []value{text, s(`(\d+)([ab]) `), s("3c$2 ")}, "3ca 3cb 14m", ""},
		{"regexp_replace", []value{s("new york"), s(`(?<first>\w)(\w*)`), s("${first}.$2")}, "n.ew y.ork", ""},
		{"regexp_replace", []value{s("a"), s("a"), s(`\$1`)}, "$1", ""},
		{"regexp_replace", []value{s("ab"), s("(a)"), s("$12")}, "a2b", ""}, // there is no group 12
		{"regexp_replace", []value{s("ab"), s(""), s("-")}, "-a-b-", ""},
		{"regexp_replace", []value{s("a"), s("a"), s("$")}, "", "stands before no group"},
		{"regexp_replace", []value{s("a"), s("a"), s("$1")}, "", "names group 1"},
		{"regexp_split", []value{text, s(`\s*[a-z]+\s*`)}, "[1, 2, 14, ]", ""},
		{"regexp_count", []value{text, s(`\s*[a-z]+\s*`)}, "3", ""},
		{"regexp_position", []value{s("äb äb"), s("b")}, "2", ""},
		{"regexp_position", []value{s("äb äb"), s("b"), n(3)}, "5", ""},
		{"regexp_position", []value{s("äb äb"), s("b"), n(1), n(2)}, "5", ""},
		{"regexp_position", []value{s("äb"), s("x")}, "-1", ""},
		{"regexp_like", []value{s("a"), s("(")}, "", "'(' is not a regular expression"},
		{"regexp_like", []value{s("a"), s("(?!a)")}, "", "no look-ahead"},
		{"regexp_like", []value{s("aa"), s(`(a)\1`)}, "", "no back-references"},
		{"regexp_like", []value{s("aa"), s(`(?<x>a)\k<x>`)}, "", "no back-references"},
		{"regexp_like", []value{s("a"), s(`(\\1`)}, "", "missing closing )"},
		{"regexp_like", []value{s("a"), s("(a{1000}){1000}")}, "", "regular expression"},
		{"regexp_like", []value{s("a"), s(strings.Repeat("(a{900}b)", 100))}, "", "too large"},
	})
}
