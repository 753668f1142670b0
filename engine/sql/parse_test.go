package sql

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/trailql/trailql/engine/sqlerr"
)

// constructs lists what the grammar of Trino (Athena engine 3) has, and how it prints; "" means just as it is.
var constructs = []struct{ text, want string }{
	// Lists, names, aliases.
	{"select * from t", "SELECT * FROM t"},
	{"SELECT t.*, userIdentity.sessionContext.* FROM t", ""},
	{"SELECT (f(x)).* AS (a, b) FROM t", "SELECT f(x).* AS (a, b) FROM t"},
	{"SELECT (a + b).* FROM t", ""},
	{"SELECT DISTINCT a, b c, d AS \"E f\" FROM t", "SELECT DISTINCT a, b AS c, d AS \"E f\" FROM t"},
	{"SELECT ALL a, all FROM t", `SELECT a, "all" FROM t`},
	{"SELECT all FROM t", `SELECT "all" FROM t`},
	{"SELECT 1;;", "SELECT 1"},
	{"SELECT/* a */1--b", "SELECT 1"},
	{"SELECT \"a\"\"b\" FROM \"T\"", ""},
	{"SELECT useridentity.sessioncontext.sessionissuer.username, \"a\".\"b\".c.d.e FROM t", ""},
	{"SELECT 1 LIMIT 5", ""},
	{"SELECT 1 limit, 2 offset FROM t", `SELECT 1 AS "limit", 2 AS "offset" FROM t`},
	{"SELECT 1 AS x WHERE TRUE", ""},
	// Tables.
	{"SELECT 1 FROM a.b.c, \"a\".b, default.t", ""},
	{"SELECT 1 FROM t x, u AS y (a, b)", "SELECT 1 FROM t AS x, u AS y (a, b)"},
	{"SELECT 1 FROM 1a2b3c4d-5678-90ab-cdef-EXAMPLE11111", `SELECT 1 FROM "1a2b3c4d-5678-90ab-cdef-EXAMPLE11111"`},
	{"SELECT 1 FROM a1b2c3d4-5678-90ab-cdef-EXAMPLE11111 e WHERE a=1", `SELECT 1 FROM "a1b2c3d4-5678-90ab-cdef-EXAMPLE11111" AS e WHERE a = 1`},
	{"SELECT 1 FROM 1234567e-4c5d-90ab-cdef-000000000000--note", `SELECT 1 FROM "1234567e-4c5d-90ab-cdef-000000000000"`},
	{"SELECT 1 FROM db.2023_logs", `SELECT 1 FROM db."2023_logs"`},
	{"SELECT 1 FROM (SELECT 2)", ""},
	{"SELECT 1 FROM (((SELECT 2))) q", "SELECT 1 FROM (SELECT 2) AS q"},
	{"SELECT 1 FROM (VALUES (1, 'a'), (2, 'b')) AS v (x, y)", ""},
	{"SELECT 1 FROM ((SELECT 1) UNION (SELECT 2) LIMIT 1) q", "SELECT 1 FROM (SELECT 1 UNION SELECT 2 LIMIT 1) AS q"},
	{"SELECT 1 FROM (t)", "SELECT 1 FROM t"},
	{"SELECT 1 FROM (t a) b", "SELECT 1 FROM (t AS a) AS b"},
	{"SELECT 1 FROM (TABLE t) a", "SELECT 1 FROM (TABLE t) AS a"},
	{"SELECT 1 FROM a JOIN b ON a.x = b.x INNER JOIN c USING (x, y)", "SELECT 1 FROM a JOIN b ON a.x = b.x JOIN c USING (x, y)"},
	{"SELECT 1 FROM a LEFT OUTER JOIN b ON TRUE RIGHT JOIN c ON TRUE FULL OUTER JOIN d ON TRUE", "SELECT 1 FROM a LEFT JOIN b ON TRUE RIGHT JOIN c ON TRUE FULL JOIN d ON TRUE"},
	{"SELECT 1 FROM a NATURAL JOIN b NATURAL LEFT JOIN c CROSS JOIN d", ""},
	{"SELECT 1 FROM a JOIN b JOIN c ON x ON y", "SELECT 1 FROM a JOIN (b JOIN c ON x) ON y"},
	{"SELECT 1 FROM a JOIN b CROSS JOIN c ON x", "SELECT 1 FROM a JOIN (b CROSS JOIN c) ON x"},
	{"SELECT 1 FROM (a JOIN b ON x) JOIN c ON y", "SELECT 1 FROM a JOIN b ON x JOIN c ON y"},
	{"SELECT 1 FROM (a CROSS JOIN b) j", "SELECT 1 FROM (a CROSS JOIN b) AS j"},
	{"SELECT 1 FROM t CROSS JOIN UNNEST(t.r, m) WITH ORDINALITY AS u (a, k, v, n)", ""},
	{"SELECT 1 FROM t, UNNEST(r) u", "SELECT 1 FROM t, UNNEST(r) AS u"},
	{"SELECT 1 FROM t CROSS JOIN LATERAL (SELECT t.a) x", "SELECT 1 FROM t CROSS JOIN LATERAL (SELECT t.a) AS x"},
	{"SELECT 1 FROM lateral, unnested", `SELECT 1 FROM "lateral", unnested`},
	// Queries.
	{"WITH a AS (SELECT 1), b (x, y) AS (SELECT 2, 3) SELECT * FROM a, b", ""},
	{"WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) TABLE r", ""},
	{"SELECT (WITH a AS (SELECT 1) SELECT * FROM a)", ""},
	{"SELECT 1 UNION SELECT 2 UNION ALL SELECT 3 EXCEPT DISTINCT SELECT 4", "SELECT 1 UNION SELECT 2 UNION ALL SELECT 3 EXCEPT SELECT 4"},
	{"SELECT 1 UNION (SELECT 2 INTERSECT SELECT 3)", "SELECT 1 UNION SELECT 2 INTERSECT SELECT 3"},
	{"(SELECT 1 UNION SELECT 2) INTERSECT ALL SELECT 3", ""},
	{"SELECT 1 UNION (SELECT 2 EXCEPT SELECT 3)", ""},
	{"(SELECT 1 LIMIT 1) UNION (SELECT 2 ORDER BY 1) LIMIT 3", ""},
	{"((SELECT 1))", "SELECT 1"},
	{"(SELECT 1 LIMIT 2) LIMIT 1", ""},
	{"((SELECT 1 LIMIT 2))", "SELECT 1 LIMIT 2"},
	{"SELECT ((SELECT 1) UNION (SELECT 2)) + 1", "SELECT (SELECT 1 UNION SELECT 2) + 1"},
	{"SELECT 1 FROM t fetch, u FETCH FIRST ? ROWS ONLY", `SELECT 1 FROM t AS "fetch", u LIMIT ?`},
	{"VALUES 1, 2", ""},
	{"VALUES (1, 2), ROW(3, 4), ROW(5)", "VALUES (1, 2), (3, 4), ROW(5)"},
	{"TABLE a.b ORDER BY 1", ""},
	{"SELECT a FROM t TABLESAMPLE BERNOULLI (10), u AS v TABLESAMPLE system (2.5 * 2)", "SELECT a FROM t TABLESAMPLE BERNOULLI (10), u AS v TABLESAMPLE SYSTEM (2.5 * 2)"},
	{"SELECT a FROM t FOR VERSION AS OF 3 AS v, u for timestamp as of now() - INTERVAL '1' DAY w (b) TABLESAMPLE SYSTEM (1)",
		"SELECT a FROM t FOR VERSION AS OF 3 AS v, u FOR TIMESTAMP AS OF now() - INTERVAL '1' DAY AS w (b) TABLESAMPLE SYSTEM (1)"},
	{"SELECT a FROM (t JOIN u ON x) TABLESAMPLE BERNOULLI (?) JOIN (w TABLESAMPLE SYSTEM (1)) AS v (b) ON y", ""},
	{"SELECT a FROM t tablesample", `SELECT a FROM t AS "tablesample"`},
	{"SELECT a FROM t ORDER BY a ASC, b DESC NULLS LAST, c NULLS FIRST", "SELECT a FROM t ORDER BY a, b DESC NULLS LAST, c NULLS FIRST"},
	{"SELECT a FROM t OFFSET 5 ROWS LIMIT 10", "SELECT a FROM t OFFSET 5 LIMIT 10"},
	{"SELECT a FROM t LIMIT 10 OFFSET 5", "SELECT a FROM t OFFSET 5 LIMIT 10"},
	{"SELECT a FROM t LIMIT ALL", ""},
	{"SELECT a FROM t OFFSET ? LIMIT ?", ""},
	{"SELECT a FROM t FETCH FIRST 5 ROWS ONLY", "SELECT a FROM t LIMIT 5"},
	{"SELECT a FROM t FETCH NEXT ROW ONLY", "SELECT a FROM t LIMIT 1"},
	{"SELECT a FROM t ORDER BY a OFFSET 2 FETCH NEXT 3 ROWS WITH TIES", "SELECT a FROM t ORDER BY a OFFSET 2 FETCH FIRST 3 ROWS WITH TIES"},
	{"SELECT a, count(*) FROM t GROUP BY a HAVING count(*) > 1", ""},
	{"SELECT a FROM t GROUP BY (a, b), (c), ROW(d, e), ()", "SELECT a FROM t GROUP BY a, b, c, ROW(d, e), GROUPING SETS (())"},
	{"SELECT a FROM t GROUP BY GROUPING SETS ((a, b), a, ()), ROLLUP (a, (b, c)), CUBE (a)", "SELECT a FROM t GROUP BY GROUPING SETS ((a, b), (a), ()), ROLLUP ((a), (b, c)), CUBE ((a))"},
	{"SELECT a FROM t GROUP BY (a + b) * 2, 1, f(x)", ""},
	{"SELECT a FROM t GROUP BY DISTINCT ROLLUP (a), CUBE (a)", "SELECT a FROM t GROUP BY DISTINCT ROLLUP ((a)), CUBE ((a))"},
	{"SELECT a FROM t GROUP BY ALL a, b", "SELECT a FROM t GROUP BY a, b"},
	{"SELECT all FROM t GROUP BY all", `SELECT "all" FROM t GROUP BY "all"`},
	{"SELECT a, grouping(a, t.b) FROM t", ""},
	// Operators and their precedence.
	{"SELECT 1 + 2 * 3 - 4 / 5 % 6 || 'x'", ""},
	{"SELECT (1 + 2) * 3, 1 - (2 - 3), (1 - 2) - 3, 'a' || ('b' || 'c')", "SELECT (1 + 2) * 3, 1 - (2 - 3), 1 - 2 - 3, 'a' || ('b' || 'c')"},
	{"SELECT a || b + c = d", ""},
	{"SELECT -1, - -1, +a, -(a + b), -a * b", "SELECT -1, - -1, +a, -(a + b), -a * b"},
	{"SELECT NOT a = b AND NOT (c OR d) OR NOT NOT e", ""},
	{"SELECT (a AND b) AND c, a AND (b AND c), a OR b AND c", "SELECT a AND b AND c, a AND (b AND c), a OR b AND c"},
	{"SELECT a != b, a <> b, a<=b, (a = b) = c", "SELECT a <> b, a <> b, a <= b, (a = b) = c"},
	{"SELECT a IS NULL, b IS NOT NULL, a IS DISTINCT FROM b, a IS NOT DISTINCT FROM b", ""},
	{"SELECT a BETWEEN 1 AND 2 AND b NOT BETWEEN c + 1 AND d", ""},
	{"SELECT a IN (1, 'x', b), a NOT IN (SELECT 1), a IN ((SELECT 1)), (a, b) IN ((1, 2), (3, 4))", ""},
	{"SELECT a IN ((SELECT 1) UNION (SELECT 2))", "SELECT a IN (SELECT 1 UNION SELECT 2)"},
	{`SELECT a LIKE '%\_x' ESCAPE '\', a NOT LIKE b || '%'`, ""},
	{"SELECT EXISTS (SELECT 1), NOT EXISTS (SELECT 2), (SELECT 3) + 1", ""},
	{"SELECT a = ALL (SELECT 1), a <> SOME (SELECT 2), a < ANY (VALUES 3)", "SELECT a = ALL (SELECT 1), a <> ANY (SELECT 2), a < ANY (VALUES 3)"},
	{"SELECT a = any, a = all(b), a = some((SELECT 1))", `SELECT a = "any", a = "all"(b), a = ANY (SELECT 1)`},
	{"SELECT CASE WHEN a THEN 1 WHEN b THEN 2 END, CASE a WHEN 1 THEN 'x' ELSE NULL END", ""},
	{"SELECT ts AT TIME ZONE 'UTC' AT TIME ZONE INTERVAL '2' HOUR, (a + b) AT TIME ZONE 'UTC', -a AT TIME ZONE 'UTC'", ""},
	{"SELECT a[1], m['k'][2].x, f(x)[i + 1], (a || b)[1], (1).x", ""},
	{"SELECT f(x).y.z, element_at(a, 1).b, (a).b, (CAST(a AS row(b bigint))).b", "SELECT f(x).y.z, element_at(a, 1).b, a.b, CAST(a AS row(b bigint)).b"},
	// Literals.
	{"SELECT 1, 1.5, .5, 1., 1e3, 1.5E-3", ""},
	{`SELECT 'it''s', '', '\d+', 'line
two', '"'`, ""},
	{"SELECT NULL, true, False", "SELECT NULL, TRUE, FALSE"},
	{`SELECT U&'\0041\\ \+01F600', U&'!00e9' UESCAPE '!'`, `SELECT 'A\ 😀', 'é'`},
	{"SELECT X'0a fF', x''", "SELECT X'0AFF', X''"},
	{"SELECT DATE '2024-01-01', timestamp '2024-01-01 00:00:00', TIME '01:02', Decimal '1.5', JSON '{}', ipaddress '::1', double precision '1', \"interval\" 'x'",
		"SELECT DATE '2024-01-01', TIMESTAMP '2024-01-01 00:00:00', TIME '01:02', DECIMAL '1.5', JSON '{}', IPADDRESS '::1', DOUBLE '1', \"interval\" 'x'"},
	{"SELECT INTERVAL '7' DAY, interval - '1-2' YEAR to MONTH, INTERVAL + '1' second, interval", "SELECT INTERVAL '7' DAY, INTERVAL -'1-2' YEAR TO MONTH, INTERVAL '1' SECOND, \"interval\""},
	{"SELECT ARRAY[], ARRAY[1, a], ARRAY[ARRAY['x']], ROW(1, 'a'), (1, 'a'), ROW(1), array, row",
		"SELECT ARRAY[], ARRAY[1, a], ARRAY[ARRAY['x']], (1, 'a'), (1, 'a'), ROW(1), array, row"},
	{"SELECT ?, ? + ?", ""},
	// Types.
	{"SELECT CAST(a AS varchar), CAST(a AS VARCHAR(10)), CAST(a AS decimal(10, 2)), TRY_CAST(a AS bigint), CAST(a AS ipaddress)",
		"SELECT CAST(a AS varchar), CAST(a AS varchar(10)), CAST(a AS decimal(10, 2)), TRY_CAST(a AS bigint), CAST(a AS ipaddress)"},
	{"SELECT CAST(a AS timestamp), CAST(a AS timestamp(3) with time zone), CAST(a AS time(6)), CAST(a AS timestamp without time zone)",
		"SELECT CAST(a AS timestamp), CAST(a AS timestamp(3) with time zone), CAST(a AS time(6)), CAST(a AS timestamp)"},
	{"SELECT CAST(a AS array<map<varchar, json>>), CAST(a AS map(varchar, array(bigint))), CAST(a AS bigint array array)",
		"SELECT CAST(a AS array(map(varchar, json))), CAST(a AS map(varchar, array(bigint))), CAST(a AS array(array(bigint)))"},
	{"SELECT CAST(a AS row(x bigint, \"Y z\" varchar, timestamp timestamp, d double precision, array array(varchar), b bigint array))",
		"SELECT CAST(a AS row(x bigint, \"Y z\" varchar, \"timestamp\" timestamp, d double, array array(varchar), b array(bigint)))"},
	{"SELECT CAST(a AS row(bigint, double precision, timestamp with time zone, interval day to second, varchar array, row(x varchar)))",
		"SELECT CAST(a AS row(bigint, double, timestamp with time zone, interval day to second, array(varchar), row(x varchar)))"},
	{"SELECT CAST(a AS varchar array[3])", "SELECT CAST(a AS array(varchar))"},
	{"SELECT CAST(a AS \"json\"), CAST(a AS interval year to month)", "SELECT CAST(a AS json), CAST(a AS interval year to month)"},
	// Calls.
	{"SELECT count(*), count(DISTINCT a), count(ALL a), f(), a.b(1), \"f\"(1)", "SELECT count(*), count(DISTINCT a), count(a), f(), a.b(1), \"f\"(1)"},
	{"SELECT array_agg(DISTINCT a ORDER BY b DESC, c) FILTER (WHERE d > 1)", ""},
	{"SELECT listagg(a, ',' ON OVERFLOW TRUNCATE WITHOUT COUNT), listagg(a ON OVERFLOW TRUNCATE '…' WITH COUNT) WITHIN GROUP (ORDER BY b)", ""},
	{"SELECT listagg(a, ',' ON OVERFLOW ERROR)", "SELECT listagg(a, ',')"},
	{"SELECT listagg(a, ',') WITHIN GROUP (ORDER BY b) FILTER (WHERE c), LISTAGG(DISTINCT a)", "SELECT listagg(a, ',') WITHIN GROUP (ORDER BY b) FILTER (WHERE c), listagg(DISTINCT a)"},
	{"SELECT transform(a, x -> x + 1), reduce(a, 0, (s, x) -> s + x, s -> s), f(() -> 1), filter(a, x -> x -> y)", ""},
	{"SELECT if(a, b, c), try(a), coalesce(a, b), nullif(a, b), map(ARRAY['a'], ARRAY[1]), date(a), year(b), format('%s', c)", ""},
	{"SELECT trim(a), trim(a, 'x'), trim(BOTH 'x' FROM a), trim(LEADING FROM a), trim(trailing 'x' from a), trim('x' FROM a), trim(both), trim(FROM a)",
		"SELECT trim(a), trim(a, 'x'), trim(a, 'x'), ltrim(a), rtrim(a, 'x'), trim(a, 'x'), trim(both), trim(a)"},
	{"SELECT substring(a, 1, 2), substring(a FROM 1 FOR 2), substring(a from 2), position('x' IN a), substring, position",
		"SELECT substring(a, 1, 2), substr(a, 1, 2), substr(a, 2), strpos(a, 'x'), substring, position"},
	{"SELECT EXTRACT(hour FROM ts), extract(day_of_week from a + b), normalize(a), normalize(a, NFD)", "SELECT EXTRACT(HOUR FROM ts), EXTRACT(DAY_OF_WEEK FROM a + b), normalize(a), normalize(a, 'NFD')"},
	{"SELECT current_date, CURRENT_TIMESTAMP, current_timestamp(3), localtime, localtimestamp(6), current_time, current_user",
		"SELECT CURRENT_DATE, CURRENT_TIMESTAMP, current_timestamp(3), LOCALTIME, localtimestamp(6), CURRENT_TIME, CURRENT_USER"},
	// Windows.
	{"SELECT rank() OVER (), row_number() OVER (PARTITION BY a, b ORDER BY c DESC), sum(x) OVER w, sum(x) OVER (w) FROM t WINDOW w AS (ORDER BY x), v AS (w PARTITION BY y)",
		"SELECT rank() OVER (), row_number() OVER (PARTITION BY a, b ORDER BY c DESC), sum(x) OVER w, sum(x) OVER w FROM t WINDOW w AS (ORDER BY x), v AS (w PARTITION BY y)"},
	{"SELECT sum(x) OVER (ORDER BY y ROWS UNBOUNDED PRECEDING), sum(x) OVER (ROWS BETWEEN 1 PRECEDING AND 2 FOLLOWING), sum(x) OVER (ORDER BY y RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING), sum(x) OVER (GROUPS INTERVAL '1' DAY PRECEDING)",
		"SELECT sum(x) OVER (ORDER BY y ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW), sum(x) OVER (ROWS BETWEEN 1 PRECEDING AND 2 FOLLOWING), sum(x) OVER (ORDER BY y RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING), sum(x) OVER (GROUPS BETWEEN INTERVAL '1' DAY PRECEDING AND CURRENT ROW)"},
	{"SELECT lag(x, 1) IGNORE NULLS OVER (ORDER BY y), first_value(x) RESPECT NULLS OVER w, count(*) over FROM t",
		`SELECT lag(x, 1) IGNORE NULLS OVER (ORDER BY y), first_value(x) OVER w, count(*) AS "over" FROM t`},
	// Other statements.
	{"explain select 1", "EXPLAIN SELECT 1"},
	{"EXPLAIN ANALYZE WITH a AS (SELECT 1) TABLE a", ""},
	{"SHOW TABLES", ""},
	{"SHOW TABLES IN a.b LIKE 'x%'", "SHOW TABLES FROM a.b LIKE 'x%'"},
	{"SHOW TABLES 'x*'", "SHOW TABLES LIKE 'x*'"},
	{"SHOW COLUMNS IN t", "SHOW COLUMNS FROM t"},
	{"SHOW COLUMNS IN t IN db", "SHOW COLUMNS FROM db.t"},
	{"DESCRIBE a.b", "SHOW COLUMNS FROM a.b"},
	{"DESC \"t\"", "SHOW COLUMNS FROM \"t\""},
	{"DESCRIBE `a``b`.`order`;", "SHOW COLUMNS FROM \"a`b\".\"order\""}, // as in Hive; not in a query
	{"SHOW TABLES IN `my-db` LIKE 'x%'", "SHOW TABLES FROM \"my-db\" LIKE 'x%'"},
	{"SHOW FUNCTIONS LIKE 'date%'", ""},
	{"DESCRIBE FORMATTED t", "SHOW COLUMNS FROM t"},
	{"DESCRIBE extended.t", "SHOW COLUMNS FROM extended.t"},
	{"DESC formatted", "SHOW COLUMNS FROM formatted"},
	{"SHOW VIEWS IN a LIKE 'x%'", "SHOW VIEWS FROM a LIKE 'x%'"},
	{"SHOW DATABASES 'a*'", "SHOW SCHEMAS LIKE 'a*'"},
	{"SHOW SCHEMAS IN awsdatacatalog", "SHOW SCHEMAS FROM awsdatacatalog"},
	{"SHOW TABLES LIKE 'a!_' ESCAPE '!'", "SHOW TABLES LIKE 'a!_' ESCAPE '!'"},
	{"SHOW COLUMNS FROM t 'a%'", "SHOW COLUMNS FROM t LIKE 'a%'"},
	{"SHOW CATALOGS LIKE 'a%'", ""},
	{"SHOW CREATE TABLE a.b", ""},
	{"SHOW CREATE VIEW \"v\"", ""},
	{"SHOW PARTITIONS a.b", ""},
	{"SHOW STATS FOR a.b", "SHOW STATS FOR (TABLE a.b)"},
	{"SHOW STATS FOR (SELECT a FROM t WHERE b)", ""},
	{"show coverage", "SHOW COVERAGE"},
	{"SHOW COVERAGE WHERE account = '1' AND hour >= TIMESTAMP '2026-03-02 00:00:00'", ""},
	{"EXPLAIN (FORMAT TEXT, TYPE DISTRIBUTED) SELECT 1", "EXPLAIN SELECT 1"},
	{"EXPLAIN (TYPE LOGICAL, FORMAT JSON) SELECT 1", "EXPLAIN (FORMAT JSON) SELECT 1"},
	{"EXPLAIN (TYPE VALIDATE, FORMAT JSON) (SELECT 1)", "EXPLAIN (FORMAT JSON, TYPE VALIDATE) SELECT 1"},
	{"EXPLAIN ANALYZE VERBOSE SELECT 1", "EXPLAIN ANALYZE SELECT 1"},
}

func TestParse(t *testing.T) {
	for _, c := range constructs {
		want := c.want
		if want == "" {
			want = c.text
		}
		stmt, err := Parse(c.text)
		if err != nil {
			t.Errorf("%s", sqlerr.Render(c.text, err))
			continue
		}
		if got := Format(stmt); got != want {
			t.Errorf("\n text %s\n got  %s\n want %s", c.text, got, want)
		}
		checkTree(t, c.text, stmt)
	}
}

func TestPositions(t *testing.T) {
	stmt, err := Parse("SELECT a.b,\n  c + d FROM x.t y WHERE f(e) IN (1)")
	if err != nil {
		t.Fatal(err)
	}
	s := stmt.(*Query).Body.(*Select)
	for _, test := range []struct {
		node Node
		want sqlerr.Pos
	}{
		{stmt, 1}, {s.Items[0].Expr, 8}, {s.Items[0].Expr.(*Dot).Field, 10}, {s.Items[1], 15},
		{s.Items[1].Expr, 17}, // of the operator
		{s.From[0], 26}, {s.From[0].(*Aliased).Alias, 30}, {s.Where, 38}, {s.Where.(*InList).List[0], 47},
	} {
		if got := test.node.Pos(); got != test.want {
			t.Errorf("%T: at %d, want %d", test.node, got, test.want)
		}
	}
}

// Each statement is wrong at the place given, and the message must hold the words.
func TestErrors(t *testing.T) {
	tests := []struct {
		text string
		at   string
		want string
	}{
		{"", "1:1", "expected a statement, found the end of the text"},
		{"SELECT", "1:7", "expected an expression, found the end of the text"},
		{"SELECT FROM t", "1:8", "expected an expression, found FROM"},
		{"SELECT a, FROM t", "1:11", "a comma too many"},
		{"SELECT a FROM", "1:14", "expected a table name, found the end"},
		{"SELECT a FROM t WHERE", "1:22", "expected an expression"},
		{"SELECT a FROM t ORDER a", "1:23", "expected BY, found \"a\""},
		{"SELEC a FROM t", "1:1", "expected a query (SELECT, WITH, VALUES or TABLE), found \"SELEC\""},
		// The ways in which published queries are malformed.
		{"SELECT *\nFROM FROM t", "2:6", "FROM is written twice"},
		{"SELECT a FROM logsWHERE b = 1", "1:27", "a space may be missing before WHERE in logsWHERE"},
		{"SELECT a FROM t WHERE b = 1\nGROUP\n BY errorMessageORDER BY n DESC", "3:23", "a space may be missing before ORDER in errorMessageORDER"},
		{"SELECT a, bFROM t WHERE b = 1", "1:11", "a space may be missing before FROM in bFROM"},
		{"SELECT a FROM t LIMIT 10GROUP", "1:23", "put a space before GROUP"},
		{"SELECT a FROM t WHERE b = 'x'SELECT a FROM t", "1:30", "one statement at a time"},
		{"SELECT a FROM t LIMIT 5 SELECT a FROM t LIMIT 5", "1:25", "one statement at a time"},
		{"SELECT * FROM t eventname = 'x'", "1:27", "eventname was read as an alias of the table; a WHERE may be missing"},
		{"SELECT * FROM t useridentity.arn = 'x'", "1:29", "a WHERE may be missing"},
		{"SELECT * FROM t\nand year = '2023'", "2:1", "a WHERE may be missing"},
		{"SELECT * FROM t WHERE a IN ('b',\n 'c'\n 'd')", "3:2", "expected \")\", found 'd'; a comma"},
		{"SELECT * FROM t WHERE a < = 'b'", "1:27", "write <= without a space"},
		{"SELECT * FROM t WHERE a > = 'b'", "1:27", "write >= without a space"},
		{"SELECT * FROM t WHERE a < > 'b'", "1:27", "write <> without a space"},
		// Quotes, comments and parentheses are reported where they open.
		{"SELECT 'abc FROM t", "1:8", "this string is never closed"},
		{"SELECT a FROM \"t", "1:15", "this quoted name is never closed"},
		{"SELECT a /* b FROM t", "1:10", "this comment is never closed"},
		{"SELECT a FROM t WHERE (a = 1 AND (b = 2)", "1:23", "this \"(\" is never closed"},
		{"SELECT f(a, b", "1:9", "this \"(\" is never closed"},
		{"SELECT a[1", "1:9", "this \"[\" is never closed"},
		{"SELECT a FROM t WHERE (a = 1 GROUP BY a", "1:30", "the \"(\" at 1:23 is still open"},
		{"SELECT a FROM t WHERE a = 1)", "1:28", "no parenthesis is open here"},
		{"SELECT f(a]", "1:11", `expected ")", found "]"`},
		// Habits from elsewhere.
		{"SELECT `a` FROM t", "1:8", `write "a"`},
		{"SELECT a FROM t WHERE a == 1", "1:26", "write = for equality"},
		{"SELECT a FROM t WHERE a && b", "1:25", "write AND"},
		{"SELECT a FROM t WHERE !a", "1:23", "write NOT"},
		{"SELECT a FROM t LIMIT 5, 10", "1:24", "write OFFSET n LIMIT m"},
		{"SELECT a FROM t WHERE a ILIKE 'x'", "1:25", "lower(x) LIKE"},
		{"SELECT a FROM t WHERE a RLIKE 'x'", "1:25", "regexp_like"},
		{"SELECT a FROM t WHERE a IS TRUE", "1:28", "IS TRUE is not in the dialect"},
		{"SELECT INTERVAL 7 DAY", "1:17", "INTERVAL '7'"},
		{"SELECT INTERVAL '7' DAYS", "1:21", "write DAY"},
		{"SELECT INTERVAL '7'", "1:20", "expected a unit: YEAR"},
		{"SELECT current_date()", "1:20", "write current_date"},
		{"SELECT a FROM t WHERE a = ‘x’", "1:27", "typographic quote"},
		{"SELECT $path FROM t", "1:8", `write "$path"`},
		{"SELECT größe FROM t", "1:10", "must be quoted"},
		{"SELECT é FROM t", "1:8", "unexpected character é; a name with letters beyond a to z must be quoted"},
		{"SELECT § FROM t", "1:8", "unexpected character §"},
		{"SELECT a # b", "1:10", "unexpected character #"},
		{"SELECT 1a FROM t", "1:8", `must be quoted: "1a"`},
		{"SELECT a FROM t WHERE b = 10AND c = 1", "1:27", "put a space before AND"},
		{"SELECT a.end FROM t", "1:10", `END is a reserved word: as a name it must be quoted, "end"`},
		{"SELECT a AS order FROM t", "1:13", "ORDER is a reserved word"},
		{"SELECT a FROM t GROUP BY a WHERE b", "1:28", "the clauses come in the order"},
		{"SELECT a b c FROM t", "1:12", "a comma, an operator or a keyword may be missing"},
		{"SELECT '' '' FROM t", "1:11", "expected the end of the statement, found ''"},
		{"SELECT \"\" FROM t", "1:8", "a quoted name cannot be empty"},
		// Rules of the grammar.
		{"SELECT a = b = c", "1:14", "comparisons cannot be chained"},
		{"SELECT a IN (1) IS NULL", "1:17", "comparisons cannot be chained"},
		{"SELECT a BETWEEN 1 AND 2 = b", "1:26", "comparisons cannot be chained"},
		{"SELECT a = NOT b", "1:12", "expected an expression, found NOT"},
		{"SELECT a + b.* FROM t", "1:13", "expected a column, found"},
		{"SELECT f(a.*) FROM t", "1:11", `expected ")", found "."`},
		{"SELECT a FROM t JOIN u WHERE b", "1:24", "expected ON or USING after the joined table"},
		{"SELECT a FROM t CROSS JOIN u ON b", "1:30", "expected the end of the statement, found ON"},
		{"SELECT a FROM a.b.c.d", "1:15", "at most three parts"},
		{"SELECT a FROM 5", "1:15", "expected a table name, found 5"},
		{"SELECT a IN ()", "1:14", "expected an expression"},
		{"SELECT a LIKE", "1:14", "expected an expression"},
		{"SELECT a NOT b", "1:10", "expected the end of the statement, found NOT"},
		{"SELECT CASE END", "1:13", "expected an expression, found END"},
		{"SELECT CASE WHEN a THEN b", "1:26", "expected WHEN, ELSE or END"},
		{"SELECT CAST(a AS array)", "1:18", "array(varchar)"},
		{"SELECT CAST(a AS map(varchar))", "1:18", "map(varchar, varchar)"},
		{"SELECT CAST(a AS row())", "1:22", "expected a type"},
		{"SELECT CAST(a, b)", "1:14", "expected AS"},
		{"SELECT a FROM t FETCH FIRST 5 ONLY", "1:31", "expected ROW or ROWS"},
		{"SELECT a FROM t ORDER BY a NULLS", "1:33", "expected FIRST or LAST"},
		{"SELECT a, trim(BOTH 'x')", "1:24", "expected FROM"},
		{"SELECT CAST(a AS varchar(99999999999999999999))", "1:26", "expected a whole number"},
		{"SELECT listagg(a, ',' ON OVERFLOW TRUNCATE) WITHIN GROUP (ORDER BY a)", "1:43", "expected WITH COUNT or WITHOUT COUNT"},
		{"SELECT listagg(a ON OVERFLOW COLLAPSE)", "1:30", "expected ERROR or TRUNCATE"},
		{"SELECT a FROM t FOR 3", "1:21", "VERSION AS OF or TIMESTAMP AS OF"},
		{"SELECT a FROM t x TABLESAMPLE (10)", "1:31", "expected BERNOULLI or SYSTEM"},
		{"SHOW TABLES LIKE x", "1:18", "expected a pattern in single quotes"},
		{"SHOW COLUMNS t", "1:14", "expected FROM and a table name"},
		{"SELECT a FROM 1a-2b.5", "1:21", "expected a table name, found 5"},
		{"SELECT 'a long string that an error should not repeat in full' 'b'", "1:64", "found 'b'"},
		{"SELECT a 'b' 'a long string that an error should not repeat in full'", "1:14", "found 'a long string that an error should not …"},
		{"SELECT a.b. FROM t", "1:13", "expected a field name, found FROM"},
		{"SELECT a FROM t LIMIT", "1:22", "expected a whole number of rows, found the end"},
		{"SELECT a FROM t LIMIT -1", "1:23", "expected a whole number of rows"},
		{"SELECT a FROM t LIMIT 1.5", "1:23", "expected a whole number of rows"},
		{"SELECT a FROM t LIMIT 1 LIMIT 2", "1:25", "expected the end of the statement"},
		{"SELECT sum(a) IGNORE NULLS", "1:27", "expected OVER"},
		{"SELECT sum(a) OVER (ROWS 1)", "1:27", "expected PRECEDING or FOLLOWING"},
		{"SELECT count(* b)", "1:16", `expected ")", found "b"`},
		{"SELECT a AT TIME ZONE b", "1:23", "at_timezone(x, zone)"},
		{"SELECT a AT TIME ZONE", "1:22", "expected a time zone"},
		{"SELECT X'0'", "1:8", "an even number of hex digits"},
		{"SELECT U&'\\00g0'", "1:8", "is no character"},
		{"SELECT U&'\\d800'", "1:8", "is no character"},
		{"SELECT U&'\\1'", "1:8", "cut short"},
		{"SELECT 'a' UESCAPE '!'", "1:12", "expected the end of the statement, found UESCAPE"},
		{"SELECT U&'a' UESCAPE '!!'", "1:22", "one character"},
		{"WITH a SELECT 1", "1:8", "expected AS, found SELECT"},
		{"WITH a AS SELECT 1 SELECT 2", "1:11", `expected "(", found SELECT`},
		{"EXPLAIN EXPLAIN SELECT 1", "1:9", "expected a query to explain"},
		{"SHOW", "1:5", "expected TABLES, VIEWS, COLUMNS, FUNCTIONS, SCHEMAS, CATALOGS, CREATE, PARTITIONS, SESSION, STATS or COVERAGE"},
		{"SHOW CREATE t", "1:13", "expected TABLE or VIEW"},
		{"SHOW STATS t", "1:12", "expected FOR"},
		{"EXPLAIN (FORMAT XML) SELECT 1", "1:17", "expected TEXT or JSON"},
		{"EXPLAIN (TYPE IO) SELECT 1", "1:15", "expected LOGICAL, DISTRIBUTED or VALIDATE"},
		{"EXPLAIN (FORMAT JSON, x) SELECT 1", "1:23", "expected FORMAT or TYPE"},
		{"SELECT 1 UNION", "1:15", "expected a query"},
		{"SELECT '\xff'", "1:9", "not valid UTF-8"},
		{"SELECT JSON_VALUE(a, b) FROM t", "1:22", "a JSON path in single quotes"},
		{"SELECT JSON_VALUE(a, 'lax $' NULL ON NULL) FROM t", "1:38", "EMPTY or ERROR"},
		{"SELECT a FROM t WHERE json_exists(a, 'lax $.b' DEFAULT 1 ON ERROR)", "1:48", "TRUE, FALSE, UNKNOWN or ERROR"},
		{"SELECT json_object('a', 1)", "1:23", "\":\""},
	}
	for _, test := range tests {
		checkError(t, test.text, sqlerr.Syntax, test.at, test.want)
	}
}

// What Trino has and this engine does not, says so.
func TestUnsupported(t *testing.T) {
	tests := []struct{ text, at, want string }{
		{"SELECT a FROM JSON_TABLE(x, 'lax $' COLUMNS (a int PATH 'lax $'))", "1:15", "JSON_TABLE is not supported"},
		{"SELECT a FROM t MATCH_RECOGNIZE (PATTERN (A))", "1:17", "MATCH_RECOGNIZE"},
		{"SET ROLE admin", "1:1", "this SET statement is not supported; there are SET SESSION name = value"},
	}
	for _, test := range tests {
		checkError(t, test.text, sqlerr.Unknown, test.at, test.want)
	}
}

func checkError(t *testing.T, text string, kind sqlerr.Kind, at, want string) {
	t.Helper()
	stmt, err := Parse(text)
	var e *sqlerr.Error
	if stmt != nil || !errors.As(err, &e) {
		t.Errorf("%q: got %v, error %v; want a *sqlerr.Error and no tree", text, stmt, err)
		return
	}
	line, column := sqlerr.LineColumn(text, e.Pos)
	if place := fmt.Sprintf("%d:%d", line, column); place != at || e.Kind != kind || !strings.Contains(e.Error(), want) {
		t.Errorf("%q\n got  %s %s: %v\n want %s %s: …%s…", text, place, e.Kind, e, at, kind, want)
	}
}

func TestLimits(t *testing.T) {
	repeat := strings.Repeat
	nested := map[string]func(n int) string{
		"parentheses": func(n int) string { return "SELECT " + repeat("(", n) + "1" + repeat(")", n) },
		"calls":       func(n int) string { return "SELECT " + repeat("f(", n) + "1" + repeat(")", n) },
		"subscripts":  func(n int) string { return "SELECT " + repeat("a[", n) + "1" + repeat("]", n) },
		"not":         func(n int) string { return "SELECT " + repeat("NOT ", n) + "a" },
		"signs":       func(n int) string { return "SELECT " + repeat("- ", n) + "a" },
		"case":        func(n int) string { return "SELECT " + repeat("CASE WHEN ", n) + "a" + repeat(" THEN 1 END", n) },
		"lambdas":     func(n int) string { return "SELECT f(" + repeat("x -> ", n) + "1)" },
		"subqueries":  func(n int) string { return "SELECT * FROM " + repeat("(SELECT * FROM ", n) + "t" + repeat(")", n) },
		"with":        func(n int) string { return repeat("WITH a AS (", n) + "SELECT 1" + repeat(") TABLE a", n) },
		"tables":      func(n int) string { return "SELECT * FROM " + repeat("(", n) + "t" + repeat(")", n) },
		"joins":       func(n int) string { return "SELECT * FROM t" + repeat(" JOIN t", n) + repeat(" ON a", n) },
		"types": func(n int) string {
			return "SELECT CAST(a AS " + repeat("array(", n) + "varchar" + repeat(")", n) + ")"
		},
		"queries": func(n int) string { return repeat("(", n) + "SELECT 1" + repeat(")", n) },
	}
	for name, text := range nested {
		if _, err := Parse(text(30)); err != nil {
			t.Errorf("%s, 30 deep: %v", name, err)
		}
		for _, n := range []int{201, 5_000, 20_000} {
			if len(text(n)) > MaxText {
				continue
			}
			if _, err := Parse(text(n)); sqlerr.KindOf(err) != sqlerr.Resource {
				t.Errorf("%s, %d deep: got %v, want the limit", name, n, err)
			}
		}
	}
	long := map[string]func(n int) string{
		"and":    func(n int) string { return "SELECT a" + repeat(" AND a", n) },
		"plus":   func(n int) string { return "SELECT 1" + repeat("+1", n) },
		"dots":   func(n int) string { return "SELECT a" + repeat(".a", n) },
		"joins":  func(n int) string { return "SELECT * FROM t" + repeat(" CROSS JOIN t", n) },
		"unions": func(n int) string { return "VALUES 1" + repeat(" UNION VALUES 1", n) },
	}
	for name, text := range long {
		stmt, err := Parse(text(5_000))
		if err != nil {
			t.Errorf("%s, 5,000 long: %v", name, err)
			continue
		}
		checkTree(t, text(5_000), stmt)
		if _, err := Parse(text(10_001)); sqlerr.KindOf(err) != sqlerr.Resource {
			t.Errorf("%s, 10,001 long: got %v, want the limit", name, err)
		}
	}
	stmt, err := Parse("SELECT a IN (0" + repeat(",1", 100_000-1) + ")")
	if err != nil {
		t.Fatal(err)
	}
	if n := len(stmt.(*Query).Body.(*Select).Items[0].Expr.(*InList).List); n != 100_000 {
		t.Errorf("the list has %d elements", n)
	}
	text := "SELECT '" + repeat("x", MaxText) + "'"
	if _, err := Parse(text); sqlerr.KindOf(err) != sqlerr.Resource || !strings.Contains(err.Error(), "the limit is 262144") {
		t.Errorf("a statement beyond the limit: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range slices.Concat(constructs, defining) {
		f.Add(c.text)
	}
	for _, c := range sessionConstructs {
		f.Add(c.text)
	}
	for _, text := range []string{"SELECT (all) - 1, (all)(1)", "SELECT 'a", "SELECT a FROM 1-2-3", "((((", "SELECT interval - 'x'", "SELECT " + strings.Repeat("+", 150) + "- -0", `SELECT CAST(0 AS a("time 0"))`, `SELECT CAST(0 AS "interval day to x")`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		Split(text)
		end := 0
		for _, token := range Tokens(text) {
			if token.Start < end || token.End <= token.Start || token.End > len(text) {
				t.Fatalf("token %+v after %d", token, end)
			}
			end = token.End
		}
		stmt, err := Parse(text)
		if err != nil {
			var e *sqlerr.Error
			if !errors.As(err, &e) || e.Pos < 1 || int(e.Pos) > len(text)+1 || e.Msg == "" {
				t.Fatalf("%q: a poor error: %#v", text, err)
			}
			sqlerr.Render(text, err)
			return
		}
		checkTree(t, text, stmt)
	})
}
