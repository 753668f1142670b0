//go:build cgo

package bench

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	_ "github.com/duckdb/duckdb-go/v2"

	"github.com/trailql/trailql/connectors/cloudtrail"
	"github.com/trailql/trailql/engine"
)

// queries have one answer each, order included. DuckDB gets the same text but for json_extract_scalar, which it calls
// json_extract_string; it fails on text that is no JSON, where Trino gives NULL, so such text is filtered out.
var queries = []struct{ name, sql string }{
	{"count", `SELECT count(*) FROM cloudtrail_logs`},
	{"group", `SELECT eventsource, eventname, count(*) FROM cloudtrail_logs GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 20`},
	{"hours", `SELECT substr(eventtime, 1, 13), count(*), count(errorcode) FROM cloudtrail_logs GROUP BY 1 ORDER BY 1`},
	{"range", `SELECT eventname, count(*) FROM cloudtrail_logs
WHERE eventtime >= '2026-03-04T06:00:00Z' AND eventtime < '2026-03-04T12:00:00Z' GROUP BY 1 ORDER BY 2 DESC, 1`},
	{"refused", `SELECT useridentity.arn, eventsource, count(*) FROM cloudtrail_logs
WHERE errorcode LIKE '%UnauthorizedOperation' OR errorcode LIKE 'AccessDenied%' GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 10`},
	{"json", `SELECT json_extract_scalar(requestparameters, '$.bucketName'), count(*) FROM cloudtrail_logs
WHERE eventsource = 's3.amazonaws.com' AND requestparameters LIKE '{%' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 10`},
	{"distinct", `SELECT account, count(DISTINCT eventid), count(DISTINCT sourceipaddress) FROM cloudtrail_logs GROUP BY 1 ORDER BY 1`},
	{"text", `SELECT region, count(*) FROM cloudtrail_logs WHERE requestparameters LIKE '%customer%' GROUP BY 1 ORDER BY 1`},
	{"top", `SELECT eventtime, eventid, eventname, sourceipaddress FROM cloudtrail_logs ORDER BY eventtime DESC, eventid LIMIT 100`},
	{"address", `SELECT eventtime, eventid, eventname, errorcode, date FROM cloudtrail_logs
WHERE sourceipaddress = '198.51.100.77' ORDER BY eventtime, eventid`},
}

// openDuckDB gives a DuckDB in which the table cloudtrail_logs of the lake is a view over its files, with metadata kept between queries.
func openDuckDB(t testing.TB, l testLake) *sql.DB {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	paths, _ := l.files(t, cloudtrail.Logs)
	for i, p := range paths {
		paths[i] = "'" + strings.ReplaceAll(p, "'", "''") + "'"
	}
	for _, text := range []string{
		"SET GLOBAL parquet_metadata_cache = true",
		"CREATE VIEW cloudtrail_logs AS SELECT * FROM read_parquet([" + strings.Join(paths, ",") +
			"], hive_partitioning = true, hive_types_autocast = false)",
	} {
		if _, err := db.Exec(text); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

// askDuckDB is ask for DuckDB.
func askDuckDB(t testing.TB, db *sql.DB, text string) []string {
	t.Helper()
	text = strings.ReplaceAll(text, "json_extract_scalar", "json_extract_string")
	r, err := db.Query(text)
	if err != nil {
		t.Fatalf("DuckDB: %s: %v", text, err)
	}
	defer r.Close()
	names, err := r.Columns()
	if err != nil {
		t.Fatal(err)
	}
	values, places := make([]any, len(names)), make([]any, len(names))
	for i := range values {
		places[i] = &values[i]
	}
	var rows []string
	for r.Next() {
		if err := r.Scan(places...); err != nil {
			t.Fatal(err)
		}
		cells := make([]string, len(values))
		for i, v := range values {
			cells[i] = null
			if v != nil {
				cells[i] = fmt.Sprint(v)
			}
		}
		rows = append(rows, strings.Join(cells, "|"))
	}
	if err := r.Err(); err != nil {
		t.Fatalf("DuckDB: %s: %v", text, err)
	}
	return rows
}

// sameAnswer fails where the two differ or where the answer is empty and so proves nothing.
func sameAnswer(t testing.TB, e *engine.Engine, db *sql.DB, text string) {
	t.Helper()
	got, want := ask(t, e, text), askDuckDB(t, db, text)
	if !slices.Equal(got, want) {
		t.Fatalf("%s\ntrailql\n%s\nDuckDB\n%s", text, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(got) == 0 {
		t.Fatalf("%s: no rows", text)
	}
}

func TestDuckDBAgrees(t *testing.T) {
	l := openLake(t)
	e, db := engine.New(l), openDuckDB(t, l)
	for _, q := range queries {
		t.Run(q.name, func(t *testing.T) { sameAnswer(t, e, db, q.sql) })
	}
}

// BenchmarkQueries times both engines side by side, warm: each has answered the query once, and rightly, before it is timed.
func BenchmarkQueries(b *testing.B) {
	l := openLake(b)
	e, db := engine.New(l), openDuckDB(b, l)
	for _, q := range queries {
		b.Run(q.name, func(b *testing.B) {
			sameAnswer(b, e, db, q.sql)
			b.Run("engine=trailql", func(b *testing.B) {
				for b.Loop() {
					ask(b, e, q.sql)
				}
			})
			b.Run("engine=duckdb", func(b *testing.B) {
				for b.Loop() {
					askDuckDB(b, db, q.sql)
				}
			})
		})
	}
}
