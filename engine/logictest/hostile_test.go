package logictest_test

import (
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/sqlerr"
)

// hostile are statements that are short to write and ask for much: texts, arrays and plans that no machine holds.
func hostile() map[string]string {
	rep := strings.Repeat
	list := func(item string, n int) string { return strings.TrimSuffix(rep(item+", ", n), ", ") }
	return map[string]string{
		"repeat":              "SELECT length(repeat('x', 2000000000))",
		"array of repeats":    "SELECT cardinality(repeat(1, 2000000000))",
		"sequence":            "SELECT cardinality(sequence(1, 5000000000))",
		"sequence of all":     "SELECT cardinality(sequence(-9223372036854775807, 9223372036854775807))",
		"sequence of days":    "SELECT cardinality(sequence(DATE '0001-01-01', DATE '9999-01-01'))",
		"lpad":                "SELECT length(lpad('x', 2000000000, 'y'))",
		"rpad":                "SELECT length(rpad('x', 2000000000, 'y'))",
		"replace":             "SELECT length(replace(rpad('x', 1000000, 'x'), 'x', rpad('y', 1000000, 'y')))",
		"array_join":          "SELECT length(array_join(repeat(rpad('x', 100000, 'y'), 100000), 'z'))",
		"matches of nothing":  "SELECT cardinality(regexp_extract_all(rpad('x', 2200000, 'x'), ''))",
		"large pattern":       "SELECT regexp_like('x', '((a{1000}){1000}){1000}')",
		"long pattern":        "SELECT regexp_like('x', '" + rep("(a{0,1000})", 2000) + "')",
		"deep pattern":        "SELECT regexp_like('aaaa', '" + rep("(", 900) + "a" + rep(")*", 900) + "b')",
		"like":                "SELECT rpad('a', 100000, 'a') LIKE '" + rep("%a", 20000) + "b'",
		"format":              "SELECT length(format('%2000000000d', 1))",
		"format of digits":    "SELECT length(format('%.2000000000f', 1.0))",
		"combinations":        "SELECT cardinality(combinations(sequence(1, 100), 5))",
		"recursive doubling":  "WITH RECURSIVE r (s) AS (SELECT 'x' UNION ALL SELECT s || s FROM r) SELECT max(length(s)) FROM r",
		"json":                "SELECT json_parse('" + rep("[", 100000) + rep("]", 100000) + "')",
		"path":                "SELECT json_query('[1,2,3]', 'lax $" + rep("[*]", 20000) + "')",
		"ranges in a path":    "SELECT json_query('[[1,2,3],[1,2,3]]', 'lax $" + rep("[0 to 2000000000]", 10) + "')",
		"cube":                "SELECT count(*) FROM t GROUP BY CUBE (" + list("i", 30) + ")",
		"cubes":               "SELECT count(*) FROM t GROUP BY " + list("CUBE (i, s, d)", 10),
		"rollups":             "SELECT count(*) FROM t GROUP BY " + list("ROLLUP (i, s)", 12),
		"grouping sets":       "SELECT count(*) FROM t GROUP BY GROUPING SETS (" + list("(i, s)", 20000) + ")",
		"IN":                  "SELECT count(*) FROM t WHERE i IN (" + list("1", 20000) + ")",
		"IN of text":          "SELECT count(*) FROM t WHERE s IN (" + list("'1'", 20000) + ")",
		"VALUES":              "SELECT count(*) FROM (VALUES " + list("1", 20000) + ") v (x)",
		"CASE":                "SELECT CASE i " + rep("WHEN 1 THEN 2 ", 5000) + "END FROM t",
		"coalesce in another": "SELECT " + rep("coalesce(i, ", 190) + "1" + rep(")", 190) + " FROM t",
		"nullif in another":   "SELECT " + rep("nullif(", 190) + "i" + rep(", 1)", 190) + " FROM t",
		"lambdas":             "SELECT " + rep("transform(ARRAY[1], x -> ", 90) + "ARRAY[x]" + rep(")", 90),
		"stars":               "SELECT *" + rep(", *", 3000) + " FROM t, t u, t v, t w",
		"UNION ALL":           "SELECT 1" + rep(" UNION ALL SELECT 1", 4000), // once took the square of its length
		"subqueries":          "SELECT " + rep("(SELECT ", 190) + "1" + rep(")", 190),
		"EXISTS":              "SELECT 1 WHERE " + rep("EXISTS (SELECT 1 WHERE ", 60) + "true" + rep(")", 60),
		"joins":               "SELECT count(*) FROM t" + rep(" JOIN u ON i = j", 300),
		"digits":              "SELECT " + rep("9", 100000),
		"digits of a double":  "SELECT 1e" + rep("9", 100000),
		"hex digits":          "SELECT length(X'" + rep("ab", 120000) + "')",
		"rows in rows":        "SELECT CAST(NULL AS " + rep("row(", 190) + "bigint" + rep(")", 190) + ")",
		"fields":              "SELECT CAST(NULL AS row(" + list("bigint", 20000) + "))",
		"executed":            "EXECUTE IMMEDIATE 'SELECT " + list("?", 10000) + "' USING " + list("repeat(''x'', 2000000000)", 3),
	}
}

// What a statement may hold is bounded before it is taken: each is answered or refused, none with a defect, and far from what it asks for.
func TestHostileStatements(t *testing.T) {
	if testing.Short() {
		t.Skip("short runs are those under the race detector, whose sync.Pool lets go of what others keep: what is allocated says nothing there")
	}
	const most = 1 << 30 // bytes allocated from first to last; what most of them ask for is thousands of times that, or has no end
	eng := world(t)
	for name, text := range hostile() {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		result, err := eng.Query(t.Context(), text, engine.Options{Workers: 1, Memory: 64 << 20, Now: now})
		if err == nil {
			for err == nil {
				_, err = result.Next()
			}
			if errors.Is(err, io.EOF) {
				err = nil
			}
			if err := result.Close(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		runtime.ReadMemStats(&after)
		if err != nil && sqlerr.KindOf(err) == sqlerr.Internal {
			t.Errorf("%s: %v", name, err)
		}
		if taken := after.TotalAlloc - before.TotalAlloc; taken > most {
			t.Errorf("%s: %d MB were taken, then %v", name, taken>>20, err)
		}
		runtime.GC()
	}
}
