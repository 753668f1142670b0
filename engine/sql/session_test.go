package sql

import (
	"strings"
	"testing"

	"github.com/trailql/trailql/engine/sqlerr"
)

// sessionConstructs are statements with their printed form where that differs.
var sessionConstructs = []struct{ text, want string }{
	{"PREPARE p FROM SELECT a FROM t WHERE b = ? LIMIT ?", ""},
	{"prepare \"P q\" from show tables;", "PREPARE \"P q\" FROM SHOW TABLES"},
	{"PREPARE p FROM SET SESSION a.b = ?", ""},
	{"PREPARE p FROM SET TIME ZONE ?", ""},
	{"EXECUTE p USING ?", ""},
	{"EXECUTE p", ""},
	{"execute p using 1, 'a' || 'b', DATE '2024-01-31', -2, ARRAY[now()]", "EXECUTE p USING 1, 'a' || 'b', DATE '2024-01-31', -2, ARRAY[now()]"},
	{"EXECUTE immediate", "EXECUTE immediate"},
	{"EXECUTE IMMEDIATE 'SELECT ''?'', ?' USING 1", ""},
	{"EXPLAIN EXECUTE p USING 1", ""},
	{"EXPLAIN ANALYZE EXECUTE IMMEDIATE 'SELECT 1'", ""},
	{"DEALLOCATE PREPARE p", ""},
	{"DESCRIBE INPUT p", ""},
	{"DESC OUTPUT \"P\"", "DESCRIBE OUTPUT \"P\""},
	{"DESCRIBE input", "SHOW COLUMNS FROM input"},
	{"DESCRIBE output.p", "SHOW COLUMNS FROM output.p"},
	{"USE audit", ""},
	{"USE \"awsdatacatalog\".`audit`", "USE \"awsdatacatalog\".\"audit\""},
	{"SET SESSION query_max_run_time = '5m'", ""},
	{"SET SESSION hive.x = TRUE", ""},
	{"RESET SESSION hive.x", ""},
	{"SET TIME ZONE LOCAL", ""},
	{"set time zone 'Europe/Berlin'", "SET TIME ZONE 'Europe/Berlin'"},
	{"SET TIME ZONE INTERVAL -'5' HOUR", "SET TIME ZONE INTERVAL -'5' HOUR"},
	{"SHOW SESSION", ""},
	{"SHOW SESSION LIKE 'query%'", ""},
	{"SELECT prepare.input FROM use, output AS deallocated", "!1:8: expected an expression, found PREPARE"},
	{"SELECT input FROM use, output AS session", ""},

	{"PREPARE p FROM PREPARE q FROM SELECT 1", "!1:16: PREPARE cannot be prepared"},
	{"PREPARE p FROM EXECUTE q", "!1:16: EXECUTE cannot be prepared"},
	{"PREPARE p FROM DEALLOCATE PREPARE q", "!1:16: DEALLOCATE cannot be prepared"},
	{"PREPARE p SELECT 1", "!1:11: expected FROM, found SELECT"},
	{"PREPARE FROM SELECT 1", "!1:9: expected a name for the statement, found FROM"},
	{"PREPARE p FROM", "!1:15: expected a statement, found the end of the text"},
	{"PREPARE p FROM SELECT FROM", "!1:23: expected an expression, found FROM"},
	{"EXECUTE p USING", "!1:16: expected an expression, found the end of the text"},
	{"EXECUTE p USING a", "!1:17: a constant must stand here"},
	{"EXECUTE p USING 1, (SELECT 2)", "!1:20: a constant must stand here"},
	{"EXECUTE p USING ? + 1", "!1:17: a constant must stand here, such as 'text', 10 or DATE '2024-01-31'"},
	{"EXECUTE p (1)", "!1:11: expected the end of the statement"},
	{"EXECUTE IMMEDIATE p", "!1:19: expected the end of the statement"},
	{"DEALLOCATE p", "!1:12: expected PREPARE"},
	{"DESCRIBE INPUT", "SHOW COLUMNS FROM INPUT"},
	{"USE", "!1:4: expected a schema name"},
	{"USE a.b.c", "!1:8: expected the end of the statement"},
	{"SET SESSION a", "!1:14: expected \"=\", found the end of the text"},
	{"SET SESSION a = b", "!1:17: a constant must stand here"},
	{"RESET SESSION a = 1", "!1:17: expected the end of the statement"},
}

func TestSessionStatements(t *testing.T) {
	for _, c := range sessionConstructs {
		stmt, err := Parse(c.text)
		if mistake, ok := strings.CutPrefix(c.want, "!"); ok {
			if err == nil || !strings.HasPrefix(sqlerr.Render(c.text, err), "line "+mistake) {
				t.Errorf("%s\n got  %v\n want %s", c.text, err, mistake)
			}
			continue
		}
		want := c.want
		if want == "" {
			want = c.text
		}
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

// What PREPARE keeps is the statement as it was written.
func TestPrepareKeepsTheText(t *testing.T) {
	text := "PREPARE p FROM -- a remark\n  SELECT a -- another\n  FROM t WHERE b = ? ; ;"
	stmt, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	p := stmt.(*Prepare)
	if got, want := text[p.First-1:p.Last], "SELECT a -- another\n  FROM t WHERE b = ?"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What stands for a ? is an operand of its own, whatever it is made of.
func TestParseUsing(t *testing.T) {
	stmt, err := Parse("EXECUTE p USING 1 + 2, 'a' || 'b'")
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseUsing("SELECT 2 * ? FROM t WHERE b IN (?)", stmt.(*Execute).Using)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := Format(got), "SELECT 2 * (1 + 2) FROM t WHERE b IN ('a' || 'b')"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if _, err := ParseUsing("SELECT ?", nil); err == nil || err.Error() != "parameters (?) in the statement: 1, values given for them: 0" {
		t.Errorf("no value for one ?: %v", err)
	}
	if _, err := ParseUsing("SELECT ?", stmt.(*Execute).Using); err == nil || err.Error() != "parameters (?) in the statement: 1, values given for them: 2" {
		t.Errorf("two values for one ?: %v", err)
	}
}
