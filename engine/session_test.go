package engine_test

import (
	"fmt"
	"io"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/logictest"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
)

// dialogue asks one statement after the other in a session of its own, as a face does.
type dialogue struct {
	engine  *engine.Engine
	session engine.Session
	options engine.Options
}

// ask returns the rows, cells parted by |, or the error as it is shown.
func (d *dialogue) ask(t *testing.T, text string, params ...string) string {
	t.Helper()
	opt := d.options
	opt.Session, opt.Params = d.session, params
	r, err := d.engine.Query(t.Context(), text, opt)
	if err != nil {
		return render(text, err)
	}
	defer r.Close()
	var rows []string
	for {
		b, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return render(text, err)
		}
		for row := range b.Len {
			var cells []string
			for i, c := range b.Cols {
				cells = append(cells, string(sqltype.AppendText(nil, r.Columns[i].Type, c, row)))
			}
			rows = append(rows, strings.Join(cells, "|"))
		}
	}
	if r.Change != nil {
		d.session = d.session.With(*r.Change)
	}
	return strings.Join(rows, "\n")
}

func render(text string, err error) string {
	first, _, _ := strings.Cut(sqlerr.Render(text, err), "\n")
	return "! " + first
}

// said checks statements, each with what it answers, one after the other.
func (d *dialogue) said(t *testing.T, lines [][2]string) {
	t.Helper()
	for _, l := range lines {
		if got := d.ask(t, l[0]); got != l[1] {
			t.Errorf("%s\n got  %s\n want %s", l[0], got, l[1])
		}
	}
}

func TestPrepareAndExecute(t *testing.T) {
	d := &dialogue{engine: numbers(t)}
	d.said(t, [][2]string{
		{"PREPARE p FROM SELECT i * ? FROM n WHERE i IN (?, ?) ORDER BY 1 LIMIT ?", "p is prepared"},
		{"EXECUTE p USING 10, 1, 3, 5", "10\n30"},
		{"execute P using 1 + 1, 2, 3, 1", "4"}, // a name in any case; a ? is an operand of its own
		{"EXECUTE p USING 10, NULL, 3, BIGINT '5'", "30"},
		{"EXECUTE p", "! line 1:1: prepared statement \"p\", line 1:1: parameters (?) in the statement: 4, values given for them: 0"},
		{"EXECUTE p USING 1, 2, 3", "! line 1:1: prepared statement \"p\", line 1:1: parameters (?) in the statement: 4, values given for them: 3"},
		{"EXECUTE p USING 1, 2, 3, 4, 5", "! line 1:1: prepared statement \"p\", line 1:1: parameters (?) in the statement: 4, values given for them: 5"},
		{"EXECUTE p USING 1, 'x', 3, 5", "! line 1:1: prepared statement \"p\", line 1:33: IN cannot compare bigint with varchar(1); write the number without quotes: x"},
		{"EXECUTE p USING 1, 2, 3, 'x'", "! line 1:1: prepared statement \"p\", line 1:56: LIMIT takes a whole number, such as LIMIT 10"},
		{"EXECUTE p USING 1, 2, 3, -1", "! line 1:1: prepared statement \"p\", line 1:56: LIMIT takes a whole number, such as LIMIT 10"},
		{"EXECUTE p USING 1, 2, 3, NULL", "! line 1:1: prepared statement \"p\", line 1:56: parameter 4: the number of rows cannot be NULL"},
		{"EXECUTE q", "! line 1:9: prepared statement \"q\" does not exist; did you mean \"p\"?"},
		{"PREPARE p FROM SELECT 1 / (i - ?) AS x FROM n", "p is prepared"}, // in place of the other
		{"EXECUTE p USING 0", "1\n0\n0"},
		{"EXECUTE p USING 1", "! line 1:1: prepared statement \"p\", line 1:10: division by zero"}, // found while running
		{"EXPLAIN (TYPE VALIDATE) EXECUTE p USING 1", "true"},
		{"PREPARE \"a b\" FROM SHOW TABLES LIKE 'n%'", "\"a b\" is prepared"},
		{"EXECUTE \"A B\"", "n"},
		{"DEALLOCATE PREPARE p", "p is forgotten"},
		{"DEALLOCATE PREPARE p", "! line 1:20: prepared statement \"p\" does not exist; make it with PREPARE p FROM SELECT …"},
		{"EXECUTE IMMEDIATE 'SELECT ''it''''s'', ?' USING 5", "it's|5"},
		{"EXECUTE IMMEDIATE 'SELECT j FROM n'", "! line 1:1: the statement, line 1:8: column \"j\" does not exist; did you mean \"i\"?"},
		{"EXECUTE IMMEDIATE 'EXECUTE IMMEDIATE ''SELECT 1'''", "! line 1:1: the statement is a PREPARE, EXECUTE or DEALLOCATE, which cannot be executed"},
		{"PREPARE a FROM SELECT missing FROM nowhere", "a is prepared"}, // names are looked up when it is executed
		{"EXECUTE a", "! line 1:1: prepared statement \"a\", line 1:21: table \"nowhere\" does not exist; the tables are n, v"},
	})
}

// The values that come with a request stand for the ? of the statement, or of the one that it executes, as Athena has it.
func TestParamsOfARequest(t *testing.T) {
	d := &dialogue{engine: numbers(t)}
	for _, c := range []struct {
		text   string
		params []string
		want   string
	}{
		{"SELECT i FROM n WHERE i BETWEEN ? AND ? ORDER BY i OFFSET ? LIMIT ?", []string{"1", "3", "1", "1"}, "2"},
		{"SELECT a.i FROM n a JOIN n b ON a.i = b.i + ? ORDER BY 1", []string{"1"}, "2\n3"},
		{"SELECT date_trunc(?, ?)", []string{"'month'", "DATE '2024-03-10'"}, "2024-03-01"},
		{"SELECT x FROM UNNEST(?) t (x)", []string{"ARRAY['a', 'b']"}, "a\nb"},
		{"SELECT ?", []string{"'1); DROP TABLE n; --'"}, "1); DROP TABLE n; --"},
		{"SELECT 1 WHERE 'x' = ?", []string{"'x'' OR ''1'' = ''1'"}, ""},
		{"PREPARE p FROM SELECT ? + i FROM n FETCH FIRST ? ROWS ONLY", nil, "p is prepared"},
		{"EXECUTE p", []string{"5", "1"}, "6"},
		{"SELECT ?", []string{"1, 2"}, "! line 1:8: parameter 1: expected the end of the literal, found \",\""},
		{"SELECT ?, ?", []string{"1"}, "! line 1:1: parameters (?) in the statement: 2, values given for them: 1"},
		{"SELECT ?", nil, "! line 1:8: no value is given for this parameter"},
		{"SELECT i FROM n LIMIT ?", nil, "! line 1:23: no value is given for this parameter"},
		{"SELECT i FROM n LIMIT ?", []string{"i"}, "! line 1:23: parameter 1: the value of a parameter is a literal, such as 'text', 10 or DATE '2024-01-31'"},
	} {
		if got := d.ask(t, c.text, c.params...); got != c.want {
			t.Errorf("%s with %q\n got  %s\n want %s", c.text, c.params, got, c.want)
		}
	}
}

func TestDescribePrepared(t *testing.T) {
	d := &dialogue{engine: numbers(t)}
	d.said(t, [][2]string{
		{"PREPARE p FROM SELECT ?, i, i AS j, i + ? AS k, CAST(NULL AS varchar), v.q FROM n, v WHERE i < ? AND concat(?, 'x') = 'yx' AND ? IS NULL LIMIT ?", "p is prepared"},
		// Trino's documentation has unknown for a ? in SELECT, and the type of the other side of a comparison.
		{"DESCRIBE INPUT p", "0|unknown\n1|bigint\n2|bigint\n3|varchar\n4|unknown\n5|bigint"},
		{"DESCRIBE OUTPUT p", "_col0||||unknown|0|false\ni|awsdatacatalog|default|n|bigint|8|false\nj|awsdatacatalog|default|n|bigint|8|true\n" +
			"k||||bigint|8|true\n_col4||||varchar|0|false\nq||||bigint|8|true"},
		{"PREPARE s FROM SHOW TABLES", "s is prepared"},
		{"DESCRIBE INPUT s", ""},
		{"DESCRIBE OUTPUT s", "! line 1:1: prepared statement \"s\" is no query: what it answers is not described"},
		{"PREPARE t FROM SET TIME ZONE ?", "t is prepared"},
		{"DESCRIBE INPUT t", "0|unknown"},
		{"DESCRIBE INPUT u", "! line 1:16: prepared statement \"u\" does not exist; did you mean \"p\"?"},
		{"PREPARE b FROM SELECT i FROM m WHERE i = ?", "b is prepared"},
		{"DESCRIBE OUTPUT b", "! line 1:1: prepared statement \"b\", line 1:15: table \"m\" does not exist; did you mean \"n\"? the tables are n, v"},
	})
}

// schemas is a catalog with a table t in two schemas.
type schemas struct{ source.Snapshot }

func (s schemas) Resolve(name []string) (source.Relation, bool) {
	switch strings.ToLower(strings.Join(name, ".")) {
	case "t", "default.t":
		return &source.View{Name: "t", SQL: "SELECT x FROM u"}, true
	case "u", "default.u":
		return &source.View{Name: "u", SQL: "SELECT 'default' AS x"}, true
	case "audit.t", "lake.audit.t":
		return &source.View{Name: "audit.t", Schema: "audit", SQL: "SELECT x FROM u"}, true
	case "audit.u":
		return &source.View{Name: "audit.u", Schema: "audit", SQL: "SELECT 'audit' AS x"}, true
	}
	return nil, false
}

func (schemas) Names() []string { return []string{"audit.t", "audit.u", "t", "u"} }

func TestUse(t *testing.T) {
	d := &dialogue{engine: numbers(t), options: engine.Options{Snapshot: schemas{&logictest.Catalog{}}}}
	d.said(t, [][2]string{
		{"SELECT current_catalog, current_schema, x FROM t", "awsdatacatalog|default|default"},
		{"USE Audit", "the schema is audit"},
		{"SELECT current_catalog, current_schema, x FROM t", "awsdatacatalog|audit|audit"},
		{"SHOW TABLES", "t\nu"},
		{"SELECT x FROM default.t", "default"}, // a view's own names are looked up where the view is
		{"WITH t AS (SELECT 'cte' AS x) SELECT x FROM t", "cte"},
		{"DESCRIBE t", "x|varchar(5)||"},
		{"SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema <> 'information_schema' ORDER BY 1, 2", "audit|t\naudit|u\ndefault|t\ndefault|u"},
		{"SELECT x FROM v", "! line 1:15: table \"v\" does not exist; did you mean \"t\"? the tables are audit.t, audit.u, t, u"},
		{"USE lake.elsewhere", "the schema is elsewhere"},
		{"SELECT current_catalog, current_schema", "lake|elsewhere"},
		{"SELECT x FROM audit.t", "audit"},
		{"USE information_schema", "the schema is information_schema"},
		{"SELECT count(*) FROM tables WHERE table_schema = 'audit'", "2"},
		{"USE default", "the schema is default"},
		{"SELECT current_catalog, current_schema, x FROM t", "lake|default|default"},
	})
}

func TestTimeZone(t *testing.T) {
	d := &dialogue{engine: numbers(t), options: engine.Options{Now: time.Date(2024, 7, 10, 22, 30, 0, 0, time.UTC)}}
	const clock = "SELECT current_timezone(), now(), current_date, localtime"
	d.said(t, [][2]string{
		{clock, "UTC|2024-07-10 22:30:00.000 UTC|2024-07-10|22:30:00.000"},
		{"SET TIME ZONE 'Europe/Berlin'", "the time zone is Europe/Berlin"},
		{clock, "Europe/Berlin|2024-07-11 00:30:00.000 Europe/Berlin|2024-07-11|00:30:00.000"},
		{"SELECT CAST(TIMESTAMP '2024-01-31 12:00' AS timestamp with time zone), from_unixtime(0)", "2024-01-31 12:00:00.000 Europe/Berlin|1970-01-01 01:00:00.000 Europe/Berlin"},
		{"SELECT TIMESTAMP '2024-01-31 12:00' = TIMESTAMP '2024-01-31 11:00 UTC'", "true"},
		{"SHOW SESSION LIKE 'time%'", "time_zone_id|Europe/Berlin|UTC|varchar|the zone of the session, which SET TIME ZONE sets"},
		{"SET TIME ZONE INTERVAL '-5:30' HOUR TO MINUTE", "the time zone is -05:30"},
		{"SET TIME ZONE INTERVAL '10' HOUR", "the time zone is +10:00"},
		{"SELECT current_timezone()", "+10:00"},
		{"SET TIME ZONE INTERVAL '20' HOUR", "! line 1:15: there is no time zone \"+20:00\"; write 'Europe/Berlin' or '+02:00'"},
		{"SET TIME ZONE INTERVAL '2' DAY", "! line 1:15: there is no time zone \"2 00:00:00.000\"; write 'Europe/Berlin' or '+02:00'"},
		{"SET TIME ZONE 'Berlin'", "! line 1:15: there is no time zone \"Berlin\"; write 'Europe/Berlin' or '+02:00'"},
		{"SET TIME ZONE 5", "! line 1:15: there is no time zone \"5\"; write 'Europe/Berlin' or '+02:00'"},
		{"SET TIME ZONE NULL", "! line 1:15: there is no time zone \"\"; write 'Europe/Berlin' or '+02:00'"},
		{"SET TIME ZONE LOCAL", "the time zone is UTC"},
		{clock, "UTC|2024-07-10 22:30:00.000 UTC|2024-07-10|22:30:00.000"},
		{"SET SESSION time_zone_id = 'Asia/' || 'Tokyo'", "time_zone_id is Asia/Tokyo"},
		{"SELECT current_timezone()", "Asia/Tokyo"},
		{"RESET SESSION time_zone_id", "time_zone_id is as it was"},
		{"SELECT current_timezone()", "UTC"},
	})
}

func TestProperties(t *testing.T) {
	d := &dialogue{engine: numbers(t)}
	d.said(t, [][2]string{
		{"SET SESSION query_max_run_time = '1.5h'", "query_max_run_time is 1.5h"},
		{"SET SESSION Query_Max_Memory = '500MB'", "query_max_memory is 500MB"},
		{"SET SESSION join_distribution_type = 'PARTITIONED'", "join_distribution_type is PARTITIONED"}, // drivers do; of no effect
		{"SET SESSION hive.parquet_use_column_names = true", "hive.parquet_use_column_names is true"},
		{"SHOW SESSION", "query_max_execution_time|||varchar|how long a statement may run, such as 90s, 5m or 1.5h\n" +
			"query_max_memory|500MB||varchar|how much memory a statement may hold, such as 500MB or 1GB\n" +
			"query_max_run_time|1.5h||varchar|the same as query_max_execution_time\n" +
			"query_max_total_memory|||varchar|the same as query_max_memory\n" +
			"time_zone_id|UTC|UTC|varchar|the zone of the session, which SET TIME ZONE sets\n" +
			"hive.parquet_use_column_names|true||varchar|accepted, of no effect\n" +
			"join_distribution_type|PARTITIONED||varchar|accepted, of no effect"},
		{"RESET SESSION join_distribution_type", "join_distribution_type is as it was"},
		{"SHOW SESSION LIKE 'join%'", ""},
		{"SET SESSION query_max_runtime = '1h'", "! line 1:13: session property \"query_max_runtime\" does not exist; did you mean query_max_run_time?"},
		{"SET SESSION x = 1", "! line 1:13: session property \"x\" does not exist; there are query_max_execution_time, query_max_memory, query_max_run_time, query_max_total_memory, time_zone_id"},
		{"RESET SESSION x", "! line 1:15: session property \"x\" does not exist; there are query_max_execution_time, query_max_memory, query_max_run_time, query_max_total_memory, time_zone_id"},
		{"SET SESSION query_max_run_time = 10", "! line 1:34: session property query_max_run_time: \"10\" is no time such as 90s, 5m or 1.5h"},
		{"SET SESSION query_max_run_time = '0s'", "! line 1:34: session property query_max_run_time: \"0s\" is no time such as 90s, 5m or 1.5h"},
		{"SET SESSION query_max_run_time = '1e300d'", "! line 1:34: session property query_max_run_time: \"1e300d\" is no time such as 90s, 5m or 1.5h"},
		{"SET SESSION query_max_memory = '-1MB'", "! line 1:32: session property query_max_memory: \"-1MB\" is no size such as 500MB or 1GB"},
		{"SET SESSION query_max_memory = NULL", "! line 1:32: session property query_max_memory cannot be NULL; RESET SESSION query_max_memory gives it its default back"},
		{"SET SESSION query_max_memory = random()", "! line 1:32: the value of this expression is not known before the statement runs"},
	})
	d.session.Properties = map[string]string{"nonsense": "1"} // as a client may send it
	d.said(t, [][2]string{{"SELECT 1", "! line 1:1: session property \"nonsense\" does not exist; there are query_max_execution_time, query_max_memory, query_max_run_time, query_max_total_memory, time_zone_id"}})
}

// A session lowers the limits of its statements, and does not raise them.
func TestPropertiesLimit(t *testing.T) {
	const hungry = "SELECT array_agg(a.i) FROM n a, n b, n c, n d, n e, n f, n g, n h"
	d := &dialogue{engine: numbers(t)}
	if got := d.ask(t, hungry); strings.HasPrefix(got, "!") {
		t.Fatal(got)
	}
	d.said(t, [][2]string{{"SET SESSION query_max_memory = '20kB'", "query_max_memory is 20kB"}})
	if got := d.ask(t, hungry); !strings.Contains(got, "memory") {
		t.Errorf("within 20 kB: %.100s", got)
	}
	d.said(t, [][2]string{{"SET SESSION query_max_memory = '1TB'", "query_max_memory is 1TB"}})
	d.options.Memory = 20 << 10
	if got := d.ask(t, hungry); !strings.Contains(got, "memory") {
		t.Errorf("a session that wants 1 TB where 20 kB are to be had: %.100s", got)
	}
	d = &dialogue{engine: numbers(t)}
	d.session.Properties = map[string]string{"query_max_run_time": "10m", "query_max_execution_time": "5m"}
	synctest.Test(t, func(t *testing.T) {
		opt := engine.Options{Session: d.session, Workers: 1}
		r, err := d.engine.Query(t.Context(), "SELECT i FROM n", opt)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		time.Sleep(5*time.Minute + time.Second)
		if _, err := r.Next(); sqlerr.KindOf(err) != sqlerr.Resource || !strings.Contains(err.Error(), "longer than 5m0s") {
			t.Errorf("after five minutes: %v", err)
		}
	})
}

// A session does not grow without bound, and what it cannot hold is refused before it is there.
func TestSessionsAreBounded(t *testing.T) {
	d := &dialogue{engine: numbers(t)}
	text := "SELECT '" + strings.Repeat("x", 100<<10) + "'"
	d.said(t, [][2]string{
		{"PREPARE a FROM " + text, "a is prepared"}, {"PREPARE b FROM " + text, "b is prepared"},
		{"PREPARE c FROM " + text, "! line 1:1: what the session has set and prepared comes to more than 262144 bytes; DEALLOCATE PREPARE what is no longer needed"},
		{"DEALLOCATE PREPARE a", "a is forgotten"}, {"PREPARE c FROM " + text, "c is prepared"},
	})
	d.session.Prepared = map[string]string{"p": text + text + text} // as a client may send it
	if got := d.ask(t, "SELECT 1"); !strings.Contains(got, "more than 262144 bytes") {
		t.Errorf("with a large session: %s", got)
	}
	d.session.Prepared = map[string]string{"p": "EXPLAIN EXECUTE p", "q": "EXECUTE q"}
	d.said(t, [][2]string{
		{"EXECUTE p", "! line 1:1: prepared statement \"p\" is a PREPARE, EXECUTE or DEALLOCATE, which cannot be executed"},
		{"EXPLAIN EXECUTE q", "! line 1:9: prepared statement \"q\" is a PREPARE, EXECUTE or DEALLOCATE, which cannot be executed"},
	})
}

// An engine keeps nothing of a session: neither another asker nor the same one without it sees anything, and a value given along is not written to.
func TestAnEngineKeepsNoSession(t *testing.T) {
	eng := numbers(t)
	a, b := &dialogue{engine: eng}, &dialogue{engine: eng}
	a.options.User, b.options.User = "ann", "ben"
	a.said(t, [][2]string{
		{"PREPARE p FROM SELECT 'of ann'", "p is prepared"}, {"SET TIME ZONE 'Asia/Tokyo'", "the time zone is Asia/Tokyo"}, {"USE audit", "the schema is audit"},
	})
	before := a.session
	properties, prepared := maps.Clone(before.Properties), maps.Clone(before.Prepared)
	const who = "SELECT current_user, current_schema, current_timezone()"
	b.said(t, [][2]string{
		{"EXECUTE p", "! line 1:9: prepared statement \"p\" does not exist; make it with PREPARE p FROM SELECT …"},
		{who, "ben|default|UTC"},
		{"PREPARE p FROM SELECT 'of ben'", "p is prepared"},
	})
	a.said(t, [][2]string{
		{"EXECUTE p", "of ann"}, {who, "ann|audit|Asia/Tokyo"},
		{"DEALLOCATE PREPARE p", "p is forgotten"}, {"SET TIME ZONE LOCAL", "the time zone is UTC"}, {"SET SESSION query_max_memory = '1GB'", "query_max_memory is 1GB"},
	})
	if !maps.Equal(before.Properties, properties) || !maps.Equal(before.Prepared, prepared) {
		t.Errorf("an earlier value of the session was written to: %v", before)
	}
	b.said(t, [][2]string{{"EXECUTE p", "of ben"}})
}

// A statement that fails changes nothing.
func TestWhatFailsChangesNothing(t *testing.T) {
	d := &dialogue{engine: numbers(t)}
	for _, text := range []string{"PREPARE p FROM SELECT FROM", "SET TIME ZONE 'x'", "SET SESSION x = 1", "DEALLOCATE PREPARE p", "EXECUTE p"} {
		if got := d.ask(t, text); !strings.HasPrefix(got, "!") {
			t.Errorf("%s: %s", text, got)
		}
	}
	if got := fmt.Sprint(d.session); got != fmt.Sprint(engine.Session{}) {
		t.Errorf("the session: %s", got)
	}
}
