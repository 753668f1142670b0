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
		{"SELECT n = '1' FROM events", "1:10", "= cannot compare bigint with varchar", "write the number without quotes: 1", sqlerr.Type},
		{"SELECT seen > eventtime FROM events", "1:13", "> cannot compare timestamp(3) with varchar", `make the text a time: from_iso8601_timestamp("eventtime")`, sqlerr.Type},
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
		{"SELECT row_number() OVER (ORDER BY n) FROM events", "1:8", "window functions are not supported yet", "", sqlerr.Unknown},
		{"SELECT 1 FROM events WHERE EXISTS (SELECT 1 FROM accounts WHERE id = eventname)", "1:70", `correlated subqueries are not supported yet: "eventname" is a column of the query around this one`, "join the tables instead", sqlerr.Unknown},
		{"SELECT CASE WHEN readonly THEN 1 ELSE 'x' END FROM events", "1:39", "CASE has values of types integer and varchar, which do not go together", "cast one of them", sqlerr.Type},
		{"SELECT \"abc\" FROM accounts", "1:8", `column "abc" does not exist`, "text goes in single quotes", sqlerr.Name},
		{"SELECT 1 WHERE 'x'", "1:16", "a condition is true or false, but this is of type varchar", "", sqlerr.Type},
		{"SELECT DATE '2024-13-01'", "1:8", "'2024-13-01' is no date", "", sqlerr.Value},
		{"VALUES (1, 2), (3)", "1:17", "this row has 1 columns, the first one has 2", "", sqlerr.Type},
		{"WITH a AS (SELECT 1) SELECT * FROM b", "1:36", `table "b" does not exist`, "", sqlerr.Name},
		{"SELECT * FROM accounts AS a (x, y)", "1:30", `"a" has 3 columns, the list names 2`, "", sqlerr.Name},
		{"SELECT DISTINCT id FROM accounts ORDER BY name", "1:43", "with SELECT DISTINCT, ORDER BY takes what the select list has", "add it to the select list", sqlerr.Type},
		{"SELECT secret + 'x' FROM reads", "1:15", "", "", sqlerr.Type},
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
