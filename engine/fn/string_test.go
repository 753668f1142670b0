package fn

import (
	"strings"
	"testing"

	"github.com/trailql/trailql/engine/sqltype"
)

// Expectations are the results that Trino's documentation gives ("String functions and operators"), or follow from
// its wording; counts are of characters, so the texts hold some of more than a byte.
func TestStrings(t *testing.T) {
	s, n := varchar, bigint
	check(t, []want{
		{"length", []value{s("äöü€")}, "4", ""},
		{"lower", []value{s("ÄBC")}, "äbc", ""},
		{"upper", []value{s("äbc")}, "ÄBC", ""},
		{"trim", []value{s("\t a b \n")}, "a b", ""},
		{"trim", []value{s("[a]"), s("[]")}, "a", ""},
		{"ltrim", []value{s("  a ")}, "a ", ""},
		{"rtrim", []value{s(" a  ")}, " a", ""},
		{"substr", []value{s("äöü"), n(2)}, "öü", ""},
		{"substr", []value{s("abc"), n(0)}, "", ""},
		{"substr", []value{s("abc"), n(-2)}, "bc", ""},
		{"substr", []value{s("abc"), n(-4)}, "", ""},
		{"substr", []value{s("abc"), n(4)}, "", ""},
		{"substr", []value{s("äöü"), n(2), n(1)}, "ö", ""},
		{"substr", []value{s("äöü"), n(3), n(99)}, "ü", ""},
		{"substr", []value{s("abc"), n(2), n(-1)}, "", ""},
		{"substring", []value{nullOf(sqltype.VarcharType), n(2)}, "NULL", ""},
		{"replace", []value{s("aXbXc"), s("X")}, "abc", ""},
		{"replace", []value{s("ab"), s(""), s("-")}, "-a-b-", ""},
		{"replace", []value{s("ab"), s("")}, "ab", ""},
		{"replace", []value{s(strings.Repeat("a", 1<<16)), s("a"), s(strings.Repeat("b", 1<<13))}, "", "larger than"},
		{"concat", []value{s("a"), s("b"), s("c")}, "abc", ""},
		{"concat", []value{s("a"), nullOf(sqltype.VarcharType)}, "NULL", ""},
		{"concat_ws", []value{s(","), s("a"), nullOf(sqltype.VarcharType), s("b")}, "a,b", ""},
		{"concat_ws", []value{nullOf(sqltype.VarcharType), s("a")}, "NULL", ""},
		{"concat_ws", []value{s(","), varchars(t, `["a", null, "b"]`)}, "a,b", ""},
		{"split", []value{s("a,b,,c"), s(",")}, "[a, b, , c]", ""},
		{"split", []value{s("a,b,c"), s(","), n(2)}, "[a, b,c]", ""},
		{"split", []value{s("a"), s(","), n(0)}, "", "greater than zero"},
		{"split", []value{s("a"), s("")}, "", "must not be empty"},
		{"split_part", []value{s("a,b,c"), s(","), n(3)}, "c", ""},
		{"split_part", []value{s("a,b,c"), s(","), n(4)}, "NULL", ""},
		{"split_part", []value{s("a,b,c"), s(","), n(0)}, "", "greater than zero"},
		{"split_to_map", []value{s("a=1,b=2"), s(","), s("=")}, "{a=1, b=2}", ""},
		{"split_to_map", []value{s("a=1,a=2"), s(","), s("=")}, "", "occurs twice"},
		{"split_to_map", []value{s("a"), s(","), s("=")}, "", "not a key and a value"},
		{"strpos", []value{s("äöü"), s("ü")}, "3", ""},
		{"strpos", []value{s("abc"), s("z")}, "0", ""},
		{"strpos", []value{s("abcabc"), s("c"), n(2)}, "6", ""},
		{"strpos", []value{s("abcabc"), s("c"), n(-2)}, "3", ""},
		{"strpos", []value{s("abcabc"), s("c"), n(3)}, "0", ""},
		{"strpos", []value{s("abc"), s("c"), n(0)}, "", "counted from 1"},
		{"reverse", []value{s("aö€")}, "€öa", ""},
		{"starts_with", []value{s("abc"), s("ab")}, "true", ""},
		{"lpad", []value{s("x"), n(4), s("äb")}, "äbäx", ""},
		{"rpad", []value{s("x"), n(4), s("äb")}, "xäbä", ""},
		{"lpad", []value{s("äöü"), n(2), s("x")}, "äö", ""},
		{"rpad", []value{s("x"), n(3), s("")}, "", "must not be empty"},
		{"lpad", []value{s("x"), n(1 << 30), s("a")}, "", "larger than"},
		{"chr", []value{n(8364)}, "€", ""},
		{"chr", []value{n(-1)}, "", "no Unicode code point"},
		{"codepoint", []value{s("€")}, "8364", ""},
		{"codepoint", []value{s("ab")}, "", "one character"},
		{"levenshtein_distance", []value{s("kitten"), s("sitting")}, "3", ""},
		{"levenshtein_distance", []value{s(""), s("äb")}, "2", ""},
		{"hamming_distance", []value{s("äbc"), s("abd")}, "2", ""},
		{"hamming_distance", []value{s("a"), s("ab")}, "", "equal length"},
		{"translate", []value{s("abcda"), s("ac"), s("z")}, "zbdz", ""},
		{"from_utf8", []value{{sqltype.VarbinaryType, []byte{'a', 0xff}}}, "a\uFFFD", ""},
		{"soundex", []value{s("Ashcraft")}, "A261", ""}, // h does not separate s and c (US National Archives)
		{"soundex", []value{s("Tymczak")}, "T522", ""},  // the vowel separates z and k
		{"soundex", []value{s("Pfister")}, "P236", ""},
		{"soundex", []value{s("a1")}, "", "letters only"},
		{"luhn_check", []value{s("79927398713")}, "true", ""},
		{"luhn_check", []value{s("79927398714")}, "false", ""},
		{"||", []value{s("a"), s("b")}, "ab", ""},
		{"like", []value{s("AssumeRole"), s("Assume%")}, "true", ""},
		{"like", []value{s("a%b"), s(`a\%b`), s(`\`)}, "true", ""},
		{"like", []value{s("axb"), s(`a\%b`), s(`\`)}, "false", ""},
	})
}

// The cases follow the rules of java.util.Formatter, which Trino's format uses.
func TestFormat(t *testing.T) {
	check(t, []want{
		{"format", []value{varchar("%s%%|%5s|%-5s|%.2s"), varchar("a"), varchar("b"), varchar("c"), varchar("xyz")}, "a%|    b|c    |xy", ""},
		{"format", []value{varchar("%d|%05d|%,d|%+d|%(d|%x|%X|%o"), bigint(-1), bigint(42), bigint(1234567), bigint(7), bigint(-7), bigint(255), bigint(255), bigint(8)},
			"-1|00042|1,234,567|+7|(7)|ff|FF|10", ""},
		{"format", []value{varchar("%x"), integerOf(-1)}, "ffffffff", ""},
		{"format", []value{varchar("%f|%.2f|%,.1f|%e|%08.2f"), double(1.5), double(2.345), double(12345.67), double(1000), double(-1.5)},
			"1.500000|2.35|12,345.7|1.000000e+03|-0001.50", ""},
		{"format", []value{varchar("%.1f %.3f"), decimal(t, 4, 2, "12.35"), decimal(t, 4, 2, "12.35")}, "12.4 12.350", ""},
		{"format", []value{varchar("%2$s %1$s"), varchar("a"), varchar("b")}, "b a", ""},
		{"format", []value{varchar("%b %c %s"), boolean(true), bigint(65), nullOf(sqltype.VarcharType)}, "true A null", ""},
		{"format", []value{nullOf(sqltype.VarcharType), varchar("a")}, "NULL", ""},
		{"format", []value{varchar("%s %s"), varchar("a")}, "", "wants 2 values"},
		{"format", []value{varchar("%d"), varchar("a")}, "", "does not take varchar"},
		{"format", []value{varchar("%9999999s"), varchar("a")}, "", "wrong or not supported"},
		{"format", []value{varchar("%"), varchar("a")}, "", "wrong or not supported"},
	})
}
