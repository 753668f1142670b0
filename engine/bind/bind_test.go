package bind_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/trailql/trailql/engine/bind"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/logictest"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
)

func catalog(t *testing.T) *logictest.Catalog {
	t.Helper()
	cat := &logictest.Catalog{}
	for name, columns := range map[string][]string{
		"events": {
			"eventname varchar", "eventtime varchar", "readonly boolean", "eventdate date", "seen timestamp(3)", "n bigint",
			"useridentity row(type varchar, arn varchar, sessioncontext row(sessionissuer row(username varchar)))",
			"requestparameters varchar", "tags map(varchar, varchar)", "resources array(row(arn varchar, accountid varchar))",
			"_time timestamp(3)",
		},
		"accounts": {"id varchar", "name varchar", "n integer"},
	} {
		if err := cat.AddTable(name, columns); err != nil {
			t.Fatal(err)
		}
	}
	cat.AddView(&source.View{Name: "reads", SQL: "SELECT eventname, n AS secret FROM events WHERE readonly", Hidden: []string{"secret"}})
	cat.AddMacro(&source.Macro{Name: "type_of", Params: []string{"who"}, SQL: "lower(who.type)", Sig: "(row) -> varchar"})
	cat.AddMacro(&source.Macro{Name: "kinds_of", Params: []string{"who"}, SQL: "who.type", Sig: "(row) -> varchar"})
	cat.AddMacro(&source.Macro{Name: "named", Params: []string{"name"}, SQL: "SELECT * FROM events WHERE eventname = name", Table: true, Sig: "(varchar) -> table"})
	return cat
}

func query(t *testing.T, text string) (plan.Node, error) {
	t.Helper()
	st, err := sql.Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	s := &fn.Session{Now: time.Date(2024, 3, 10, 12, 30, 45, 0, time.UTC), Zone: time.UTC}
	return bind.Query(st.(*sql.Query), catalog(t), s)
}

// TestPlans compares the trees in testdata; go test -rewrite writes them anew.
func TestPlans(t *testing.T) {
	datadriven.RunTest(t, "testdata/plans", func(t *testing.T, d *datadriven.TestData) string {
		n, err := query(t, d.Input)
		if err != nil {
			return "error: " + err.Error()
		}
		return schemaLine(n) + plan.Format(n, nil)
	})
}

func schemaLine(n plan.Node) string {
	var parts []string
	for _, c := range plan.ShownNames(n.Schema()) {
		parts = append(parts, c.Name+" "+c.Type.String())
	}
	return strings.Join(parts, ", ") + "\n"
}

// TestErrors holds place, message and hint of what a person gets to see.
func TestErrors(t *testing.T) {
	for _, c := range []struct {
		sql, at, msg, hint string
		kind               sqlerr.Kind
	}{
		{"SELECT evntname FROM events", "1:8", `column "evntname" does not exist`, `did you mean "eventname"?`, sqlerr.Name},
		{"SELECT e.evntname\nFROM events e", "1:10", `column "evntname" does not exist in e`, `did you mean "eventname"?`, sqlerr.Name},
		{"SELECT 1\nFROM events\nWHERE useridentity.tipe = 'x'", "3:20", `field "tipe" does not exist in "useridentity"`, `did you mean "type"?`, sqlerr.Name},
		{"SELECT n FROM events, accounts", "1:8", `column "n" is ambiguous`, "write it with its table's name, as in events.n", sqlerr.Name},
		{"SELECT * FROM evnts", "1:15", `table "evnts" does not exist`, `did you mean "events"? the tables are accounts, events, reads`, sqlerr.Name},
		{"SELECT lowr(eventname) FROM events", "1:8", `function "lowr" does not exist`, `did you mean "lower"?`, sqlerr.Name},
		{"SELECT eventname = 1 FROM events", "1:18", "= cannot compare varchar with integer", `cast the text: CAST("eventname" AS integer)`, sqlerr.Type},
		{"SELECT n = '1' FROM events", "1:10", "= cannot compare bigint with varchar(1)", "write the number without quotes: 1", sqlerr.Type},
		{"SELECT 1 FROM events WHERE seen > '2024-02-30'", "1:35", "text '2024-02-30' is compared with a timestamp(3), but cannot be read as one", "write it like '2024-01-31 12:30:00'", sqlerr.Value},
		{"SELECT 1 FROM events WHERE eventdate IN ('2024-01-01', 'x')", "1:56", "text 'x' is compared with a date, but cannot be read as one", "write it like '2024-01-31'", sqlerr.Value},
		{"SELECT 1 FROM events WHERE readonly = 'maybe'", "1:39", "text 'maybe' is compared with a boolean, but is neither 'true' nor 'false'", "", sqlerr.Value},
		{"SELECT lower(eventname) AS e FROM events GROUP BY e", "1:51", `GROUP BY takes input columns, and "e" is a name given in SELECT`, "repeat the expression: GROUP BY lower(eventname), or its position: GROUP BY 1", sqlerr.Name},
		{"SELECT lower(eventname) AS e FROM events WHERE e = 'x'", "1:48", `column "e" does not exist: WHERE does not see the names given in SELECT`, "repeat the expression it stands for: lower(eventname)", sqlerr.Name},
		{"SELECT count(*) AS c FROM events HAVING c > 1", "1:41", `column "c" does not exist: HAVING does not see the names given in SELECT`, "repeat the expression it stands for: count(*)", sqlerr.Name},
		{"SELECT eventname, count(*) FROM events", "1:8", `column "eventname" is neither in GROUP BY nor in an aggregate`, "group by it, or write arbitrary(eventname)", sqlerr.Type},
		{"SELECT eventname FROM events WHERE max(n) > 1", "1:36", "aggregate max is not allowed in WHERE", "conditions on groups go in HAVING", sqlerr.Type},
		{"SELECT 1 FROM events GROUP BY 2", "1:31", "GROUP BY position 2 is not in the select list, which has 1 columns", "", sqlerr.Name},
		{"SELECT tags FROM events ORDER BY tags", "1:34", "values of type map(varchar, varchar) have no order", "", sqlerr.Type},
		{"SELECT resources.arn FROM events", "1:18", `"resources" is of type array(row(arn varchar, accountid varchar)), which has no fields`, "take an element first, as in element_at(x, 1), or UNNEST it", sqlerr.Type},
		{"SELECT n.x FROM events", "1:10", `"n" is of type bigint, which has no fields`, "", sqlerr.Type},
		{"SELECT n FROM events WHERE row_number() OVER (ORDER BY n) = 1", "1:28", "window function row_number is not allowed in WHERE",
			"compute it in a subquery and filter that: SELECT * FROM (SELECT …, row_number() OVER (ORDER BY n) AS w FROM …) WHERE w …", sqlerr.Type},
		{"SELECT n FROM events GROUP BY n HAVING rank() OVER (ORDER BY n) = 1", "1:40", "window function rank is not allowed in HAVING", "", sqlerr.Type},
		{"SELECT sum(rank() OVER (ORDER BY n)) FROM events", "1:12", "window function rank is not allowed in the arguments of an aggregate", "compute it in a subquery", sqlerr.Type},
		{"SELECT lag(rank() OVER (ORDER BY n)) OVER (ORDER BY n) FROM events", "1:12", "window function rank is not allowed in the arguments of a window function", "compute it in a subquery", sqlerr.Type},
		{"SELECT sum(n) OVER (ORDER BY rank() OVER (ORDER BY n)) FROM events", "1:30", "window function rank is not allowed in OVER", "compute it in a subquery", sqlerr.Type},
		{"SELECT row_number() FROM events", "1:8", "row_number is a window function: it needs an OVER", "row_number(…) OVER (PARTITION BY … ORDER BY …)", sqlerr.Type},
		{"SELECT lower(eventname) OVER () FROM events", "1:8", "lower is no window function: it takes no OVER", "", sqlerr.Type},
		{"SELECT row_numer() OVER () FROM events", "1:8", `function "row_numer" does not exist`, `did you mean "row_number"?`, sqlerr.Name},
		{"SELECT lag(n) OVER () FROM events", "1:20", "lag needs a window with an ORDER BY", "lag(…) OVER (ORDER BY …)", sqlerr.Type},
		{"SELECT lead(n) OVER (ORDER BY n ROWS 1 PRECEDING) FROM events", "1:33", "lead takes no frame: it sees the whole partition", "", sqlerr.Type},
		{"SELECT rank(n) OVER (ORDER BY n) FROM events", "1:8", "rank cannot be applied to (bigint)", "it takes ()", sqlerr.Type},
		{"SELECT count(DISTINCT n) OVER () FROM events", "1:8", "a window function takes no DISTINCT", "count distinct values in a grouped subquery", sqlerr.Type},
		{"SELECT array_agg(n ORDER BY n) OVER () FROM events", "1:29", "a window function takes no ORDER BY among its arguments", "the order goes into OVER (… ORDER BY …)", sqlerr.Type},
		{"SELECT sum(n) IGNORE NULLS OVER () FROM events", "1:8", "sum takes no IGNORE NULLS", "lag, lead, first_value, last_value and nth_value do", sqlerr.Type},
		{"SELECT rank() FILTER (WHERE true) OVER () FROM events", "1:29", "rank is no aggregate: it takes no FILTER", "", sqlerr.Type},
		{"SELECT sum(n) OVER w FROM events", "1:20", `window "w" does not exist`, "name it in a WINDOW clause before ORDER BY: WINDOW w AS (PARTITION BY …)", sqlerr.Name},
		{"SELECT sum(n) OVER wn FROM events WINDOW win AS ()", "1:20", `window "wn" does not exist`, `did you mean "win"?`, sqlerr.Name},
		{"SELECT sum(n) OVER a FROM events WINDOW a AS (b), b AS ()", "1:46", `window "b" does not exist`, "", sqlerr.Name},
		{"SELECT 1 FROM events WINDOW a AS (), A AS ()", "1:38", `there are two windows named "A"`, "", sqlerr.Name},
		{"SELECT sum(n) OVER (w PARTITION BY n) FROM events WINDOW w AS ()", "1:36", `window "w" settles the partition: PARTITION BY cannot be added`, "", sqlerr.Type},
		{"SELECT sum(n) OVER (w ORDER BY n) FROM events WINDOW w AS (ORDER BY n)", "1:32", `window "w" has an ORDER BY already`, "", sqlerr.Type},
		{"SELECT sum(n) OVER (w ORDER BY n) FROM events WINDOW w AS (ROWS 1 PRECEDING)", "1:20", `window "w" has a frame, so it can only be used as it is: OVER w`, "", sqlerr.Type},
		{"SELECT sum(n) OVER (ROWS BETWEEN UNBOUNDED FOLLOWING AND CURRENT ROW) FROM events", "1:21", "a frame cannot start with UNBOUNDED FOLLOWING", "", sqlerr.Type},
		{"SELECT sum(n) OVER (ROWS BETWEEN CURRENT ROW AND UNBOUNDED PRECEDING) FROM events", "1:21", "a frame cannot end with UNBOUNDED PRECEDING", "", sqlerr.Type},
		{"SELECT sum(n) OVER (ROWS BETWEEN CURRENT ROW AND 1 PRECEDING) FROM events", "1:21", "a frame that starts with CURRENT ROW cannot end with PRECEDING", "write BETWEEN the earlier bound AND the later one", sqlerr.Type},
		{"SELECT sum(n) OVER (ROWS 1 FOLLOWING) FROM events", "1:21", "a frame that starts with FOLLOWING cannot end with CURRENT ROW", "", sqlerr.Type},
		{"SELECT sum(n) OVER (GROUPS CURRENT ROW) FROM events", "1:21", "a frame of GROUPS needs an ORDER BY in its window", "", sqlerr.Type},
		{"SELECT sum(n) OVER (RANGE 1 PRECEDING) FROM events", "1:21", "a frame of RANGE with an offset needs an ORDER BY of one expression", "ROWS counts rows in any order", sqlerr.Type},
		{"SELECT sum(n) OVER (ORDER BY n, seen RANGE 1 PRECEDING) FROM events", "1:38", "a frame of RANGE with an offset needs an ORDER BY of one expression", "", sqlerr.Type},
		{"SELECT sum(n) OVER (ORDER BY eventtime RANGE INTERVAL '1' HOUR PRECEDING) FROM events", "1:46", "a frame of RANGE cannot go interval day to second from values of type varchar", "", sqlerr.Type},
		{"SELECT sum(n) OVER (ORDER BY seen RANGE 1 PRECEDING) FROM events", "1:41", "a frame of RANGE cannot go integer from values of type timestamp(3)", "", sqlerr.Type},
		{"SELECT sum(n) OVER (ORDER BY n ROWS 1.5 PRECEDING) FROM events", "1:37", "a frame of ROWS takes a whole number, not decimal(2,1)", "", sqlerr.Type},
		{"SELECT n AS m, rank() OVER (ORDER BY m) FROM events", "1:38", `column "m" does not exist: OVER does not see the names given in SELECT`, "repeat the expression it stands for: n", sqlerr.Name},
		{"SELECT rank() OVER (ORDER BY n), count(*) FROM events GROUP BY eventname", "1:30", `column "n" is neither in GROUP BY nor in an aggregate`, "", sqlerr.Type},
		{"SELECT rank() OVER (ORDER BY tags) FROM events", "1:30", "values of type map(varchar, varchar) have no order", "", sqlerr.Type},
		{"SELECT rank() OVER (PARTITION BY tags) FROM events", "1:34", "values of type map(varchar, varchar) cannot be partitioned by", "", sqlerr.Type},
		{"SELECT rank() OVER (ORDER BY n) FROM events GROUP BY 1", "1:54", "GROUP BY position 1 is an aggregate or a window function", "", sqlerr.Type},
		{"SELECT n FROM events UNION SELECT 1 ORDER BY rank() OVER (ORDER BY n)", "1:46", "window function rank is not allowed in ORDER BY", "compute it in a subquery", sqlerr.Type},
		{"SELECT 1 FROM events JOIN accounts ON rank() OVER (ORDER BY id) = 1", "1:39", "", "compute it in a subquery", sqlerr.Type},
		{"SELECT if(true, n) OVER () FROM events", "1:8", "if is no window function: it takes no OVER", "", sqlerr.Type},
		{"SELECT 1 FROM events e, events f WHERE EXISTS (SELECT 1 FROM accounts WHERE id = eventname)", "1:82", `column "eventname" of the query around this one is ambiguous`, "write it with its table's name", sqlerr.Name},
		{"SELECT count(*), (SELECT max(n) FROM accounts WHERE id = eventname) FROM events", "1:58", `column "eventname" is neither in GROUP BY nor in an aggregate`, "group by it, or write arbitrary(eventname)", sqlerr.Type},
		{"SELECT 1 FROM events WHERE n > ALL (SELECT id, n FROM accounts)", "1:30", "> cannot compare bigint with row(id varchar, n integer)", "a subquery of several columns, like (a, b), is a row: both sides need as many", sqlerr.Type},
		{"SELECT 1 FROM events WHERE eventname > ANY (SELECT n FROM accounts)", "1:38", "> cannot compare varchar with integer", "", sqlerr.Type},
		{"SELECT CASE WHEN readonly THEN 1 ELSE 'x' END FROM events", "1:39", "CASE has values of types integer and varchar(1), which do not go together", "cast one of them", sqlerr.Type},
		{"SELECT \"abc\" FROM accounts", "1:8", `column "abc" does not exist`, "text goes in single quotes", sqlerr.Name},
		{"SELECT 1 WHERE 'x'", "1:16", "a condition is true or false, but this is of type varchar(1)", "", sqlerr.Type},
		{"SELECT DATE '2024-13-01'", "1:8", "'2024-13-01' is no date", "", sqlerr.Value},
		{"VALUES (1, 2), (3)", "1:17", "this row has 1 columns, the first one has 2", "", sqlerr.Type},
		{"WITH a AS (SELECT 1) SELECT * FROM b", "1:36", `table "b" does not exist`, "", sqlerr.Name},
		{"SELECT * FROM accounts AS a (x, y)", "1:30", `"a" has 3 columns, the list names 2`, "", sqlerr.Name},
		{"SELECT DISTINCT id FROM accounts ORDER BY name", "1:43", "with SELECT DISTINCT, ORDER BY takes what the select list has", "add it to the select list", sqlerr.Type},
		{"SELECT secret + 'x' FROM reads", "1:15", "", "", sqlerr.Type},
		{"SELECT n,\n type_of(n) FROM events", "2:2", `function "type_of": "n" is of type bigint, which has no fields`, "", sqlerr.Type},
		{"SELECT type_of(useridentity.tipe) FROM events", "1:29", `field "tipe" does not exist in "useridentity"`, `did you mean "type"?`, sqlerr.Name},
		{"SELECT type_of() FROM events", "1:8", "type_of cannot take 0 arguments; it takes type_of(row) -> varchar", "", sqlerr.Type},
		{"SELECT kind_of(useridentity) FROM events", "1:8", `function "kind_of" does not exist`, `did you mean "kinds_of"?`, sqlerr.Name},
		{"SELECT type_of(useridentity) + 1 FROM events", "1:30", "", "", sqlerr.Type},
		{"SELECT 1 FROM TABLE(named(1))", "1:21", `function "named": = cannot compare varchar with integer; cast the text: CAST("eventname" AS integer)`, "", sqlerr.Type},
		{"SELECT 1 FROM named('a' || b)", "1:28", `column "b" does not exist`, "", sqlerr.Name},
		{"SELECT 1 FROM named('a') x JOIN nmaed('b') y ON true", "1:33", `table function "nmaed" does not exist`, `did you mean "named"?`, sqlerr.Name},
		{"SELECT x.m FROM named('a') AS x", "1:10", `column "m" does not exist in x`, `did you mean "n"?`, sqlerr.Name},
	} {
		_, err := query(t, c.sql)
		var e *sqlerr.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: got %v, want an *sqlerr.Error", c.sql, err)
			continue
		}
		line, column := sqlerr.LineColumn(c.sql, e.Pos)
		if at := fmt.Sprintf("%d:%d", line, column); at != c.at {
			t.Errorf("%s: error %q at %s, want %s", c.sql, err, at, c.at)
		}
		if c.msg != "" && e.Msg != c.msg {
			t.Errorf("%s: message\n%s, want\n%s", c.sql, e.Msg, c.msg)
		}
		if c.hint != "" && e.Hint != c.hint {
			t.Errorf("%s: hint\n%s, want\n%s", c.sql, e.Hint, c.hint)
		}
		if e.Kind != c.kind {
			t.Errorf("%s: kind %s, want %s", c.sql, e.Kind, c.kind)
		}
	}
}
