package main

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/connectors/cloudtrail"
	"github.com/trailql/trailql/connectors/cloudtrail/synth"
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

// TestDayByDay: a trail that DuckDB takes day by day is the same as one that it takes as a whole, whatever came late.
func TestDayByDay(t *testing.T) {
	trail := t.TempDir()
	if _, err := writeTrail(t.Context(), trail, synth.Options{Seed: 1, Events: 2000, Days: 3, Accounts: 2, Regions: 2, Faults: true}); err != nil {
		t.Fatal(err)
	}
	if days, err := deliveryDays(trail); err != nil || len(days) < 3 || days[0] != "2026/03/02" {
		t.Fatalf("delivered on %v (%v)", days, err)
	}
	for _, ordered := range []bool{false, true} {
		var said []string
		for _, dayByDay := range []bool{false, true} {
			out := filepath.Join(t.TempDir(), "out")
			rows, err := compactWithDuckDB(t.Context(), trail, out, ordered, dayByDay)
			if err != nil {
				t.Fatal(err)
			}
			db, err := openDuckDB("", 0, filepath.Join(out, "**/*.parquet"))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			said = append(said, strings.Join(append(askDB(t, db, "SELECT account, region, date, count(*), count(DISTINCT eventid) FROM cloudtrail_logs GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"),
				fmt.Sprint(rows)), "\n"))
		}
		if said[0] != said[1] || said[0] == "" {
			t.Errorf("ordered %t: as a whole\n%s\nday by day\n%s", ordered, said[0], said[1])
		}
	}
}

// TestDatabase: a database of DuckDB has the rows of the lake, in its order.
func TestDatabase(t *testing.T) {
	l := aLake(t)
	file := filepath.Join(t.TempDir(), "db")
	if err := makeDatabase(t.Context(), []string{l.folder, file}); err != nil {
		t.Fatal(err)
	}
	db, err := openDuckDB(file+"?access_mode=read_only", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const what = "SELECT account, region, date, eventtime, eventid FROM cloudtrail_logs"
	if got, want := askDB(t, db, what), askDB(t, db, what+" ORDER BY 1 NULLS LAST, 2, 3, 4, 5"); !slices.Equal(got, want) || len(got) < 1000 {
		t.Errorf("the database's %d rows are not sorted", len(got))
	}
	got := askDB(t, db, what+" ORDER BY 5, 4")
	if want := ask(t, engine.New(l), what+" ORDER BY 5, 4"); !slices.Equal(got, want) {
		t.Errorf("the database has %d rows, the lake %d, or others", len(got), len(want))
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
