package main

import (
	"database/sql"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/connectors/cloudtrail"
	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/sqltype"
)

// askDB is askDuckDB, or the end of the test.
func askDB(t testing.TB, db *sql.DB, text string) []string {
	t.Helper()
	var rows []string
	if err := askDuckDB(t.Context(), db, text, func(cols []arrow.Array, n int) { rows = appendText(rows, cols, n) }); err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestDuckDBAgrees(t *testing.T) {
	l := aLake(t)
	e := engine.New(l)
	paths, _ := dataFiles(t, l, cloudtrail.Logs)
	db, err := openDuckDB("", 0, paths...)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, q := range queries {
		t.Run(q.name, func(t *testing.T) {
			want := askDB(t, db, q.inDuckDB())
			if len(want) == 0 {
				t.Fatal("no rows: the query shows nothing")
			}
			got := ask(t, e, q.sql)
			if err := sameAnswer(reply{Rows: want, Count: len(want)}, reply{Rows: got, Count: len(got)}); err != nil {
				t.Errorf("%s\n%v", q.sql, err)
			}
		})
	}
}

// TestRecordType: DuckDB is told of every column that the lake has, so that both compactions do the same work.
func TestRecordType(t *testing.T) {
	var want []string
	for _, c := range cloudtrail.Schema(cloudtrail.Logs) {
		if !c.Hidden && c.Name != "account" && c.Name != "region" && c.Name != "date" {
			want = append(want, c.Name+" "+duckDBType(c.Type))
		}
	}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	described := askDB(t, db, "SELECT column_name || ' ' || column_type FROM (DESCRIBE SELECT r.* FROM (SELECT NULL::"+recordType+" AS r))")
	plain := strings.NewReplacer(`"`, "", "json", "varchar")
	for i := range described {
		described[i] = plain.Replace(strings.ToLower(described[i]))
	}
	if !slices.Equal(described, want) {
		t.Errorf("record.sql has\n%s\nthe lake has\n%s", strings.Join(described, "\n"), strings.Join(want, "\n"))
	}
}

// duckDBType writes a type of the lake as DuckDB does, in lower case.
func duckDBType(t sqltype.Type) string {
	switch t.Kind {
	case sqltype.Array:
		return duckDBType(*t.Elem) + "[]"
	case sqltype.Map:
		return "map(" + duckDBType(*t.Key) + ", " + duckDBType(*t.Elem) + ")"
	case sqltype.Row:
		fields := make([]string, len(t.Fields))
		for i, f := range t.Fields {
			fields[i] = f.Name + " " + duckDBType(f.Type)
		}
		return "struct(" + strings.Join(fields, ", ") + ")"
	default:
		return t.String()
	}
}

// BenchmarkQueries times trailql alone, for profiles and benchstat; `make bench` has the other engines beside it.
func BenchmarkQueries(b *testing.B) {
	e := engine.New(aLake(b))
	for _, q := range queries {
		b.Run(q.name, func(b *testing.B) {
			for b.Loop() {
				ask(b, e, q.sql)
			}
		})
	}
}
