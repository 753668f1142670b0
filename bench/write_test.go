package main

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/external"
	"github.com/trailql/trailql/engine"
)

// values have a row for each edge: NULL, empty and odd text, the ends of types, times before 1970, nested values. Both engines read the text.
const values = `(VALUES
	(1, CAST(NULL AS varchar), CAST(NULL AS bigint), CAST(NULL AS double), CAST(NULL AS decimal(10,2)), CAST(NULL AS timestamp), CAST(NULL AS date), CAST(NULL AS boolean)),
	(2, '', 9223372036854775807, 1.5e300, 99999999.99, TIMESTAMP '2024-02-29 23:59:59.999', DATE '2024-02-29', true),
	(3, 'a, "b" ''c''', -9223372036854775807, -0.25, -0.01, TIMESTAMP '1969-12-31 23:59:59.001', DATE '1969-12-31', false),
	(4, 'ä 日本', 0, 0.0, 0.00, TIMESTAMP '1970-01-01 00:00:00.000', DATE '1970-01-01', true)
) AS t (i, a, b, c, d, e, f, g)`

// TestWrittenFilesInDuckDB: what CREATE TABLE AS and UNLOAD write, DuckDB reads; what DuckDB writes, an external table has.
func TestWrittenFilesInDuckDB(t *testing.T) {
	dir := t.TempDir()
	root, err := external.OpenRoot("r", dir)
	if err != nil {
		t.Fatal(err)
	}
	store, err := blob.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	l, err := catalog.Open(t.Context(), store, catalog.Options{Define: true, Roots: external.Roots{root}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	e := engine.New(l)
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()

	want := askDB(t, db, "SELECT i, a, b, c, CAST(d AS varchar), CAST(epoch_ms(e) AS varchar), CAST(f AS varchar), g FROM "+values+" ORDER BY i")
	same := func(what string, got []string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n got  %q\n want %q", what, got, want)
		}
	}
	for _, c := range []struct{ format, compression, read string }{
		{"PARQUET", "ZSTD", "read_parquet('%s')"}, {"PARQUET", "SNAPPY", "read_parquet('%s')"}, {"PARQUET", "GZIP", "read_parquet('%s')"},
		{"CSV", "NONE", "read_csv('%s', header = true, all_varchar = true, allow_quoted_nulls = false)"}, {"CSV", "GZIP", "read_csv('%s', header = true, all_varchar = true, allow_quoted_nulls = false)"},
		{"JSON", "GZIP", "read_json('%s', format = 'newline_delimited', columns = {i: 'INTEGER', a: 'VARCHAR', b: 'BIGINT', c: 'DOUBLE', d: 'DECIMAL(10,2)', e: 'TIMESTAMP', f: 'DATE', g: 'BOOLEAN'})"},
	} {
		what := c.format + " " + c.compression
		if n := ask(t, e, fmt.Sprintf("UNLOAD (SELECT * FROM %s) TO 'r/%s' WITH (format = '%s', compression = '%s')", values, what, c.format, c.compression)); !slices.Equal(n, []string{"4"}) {
			t.Errorf("%s: %v rows", what, n)
		}
		from := fmt.Sprintf(c.read, filepath.Join(dir, what, "*"))
		same(what, askDB(t, db, "SELECT CAST(i AS integer), a, CAST(b AS bigint), CAST(c AS double), CAST(d AS varchar), CAST(epoch_ms(CAST(e AS timestamp)) AS varchar), CAST(f AS varchar), CAST(g AS boolean) FROM "+from+" ORDER BY CAST(i AS integer)"))
	}

	ask(t, e, "CREATE TABLE nested WITH (partitioned_by = ARRAY['f']) AS SELECT i, ARRAY[a, 'x'] AS list, CAST(ROW(b, c) AS row(x bigint, y double)) AS r, MAP(ARRAY['k'], ARRAY[i]) AS m, f FROM "+values)
	nested := askDB(t, db, fmt.Sprintf("SELECT i, list[1], list[2], r.x, r.y, m['k'], CAST(f AS varchar) FROM read_parquet('%s', hive_partitioning = true) ORDER BY i", filepath.Join(dir, "nested", "*", "*")))
	if got := ask(t, e, "SELECT i, list[1], list[2], r.x, r.y, m['k'], CAST(f AS varchar) FROM nested ORDER BY i"); len(nested) != 4 || !slices.Equal(got, nested) {
		t.Errorf("nested:\n got  %q\n want %q", got, nested)
	}

	const columns = "(i int, a string, b bigint, c double, d decimal(10,2), e timestamp, f date, g boolean)"
	for name, c := range map[string]struct{ options, clauses string }{
		"p1.parquet": {"FORMAT parquet, COMPRESSION snappy", "STORED AS PARQUET"}, "p2.parquet": {"FORMAT parquet, COMPRESSION lz4_raw, PARQUET_VERSION v2", "STORED AS PARQUET"},
		"p3.parquet": {"FORMAT parquet, COMPRESSION brotli, ROW_GROUP_SIZE 2", "STORED AS PARQUET"},
		"j.json":     {"FORMAT json", "ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'"}, "j.json.gz": {"FORMAT json, COMPRESSION gzip", "ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'"},
		"t.tsv": {`FORMAT csv, HEADER true, DELIMITER '\t', QUOTE '', NULLSTR '\N'`, `ROW FORMAT DELIMITED FIELDS TERMINATED BY '\t'`},
	} {
		if _, err := db.ExecContext(t.Context(), fmt.Sprintf("COPY (SELECT i::INTEGER AS i, a, b::BIGINT AS b, c::DOUBLE AS c, d::DECIMAL(10,2) AS d, e, f, g FROM %s) TO '%s' (%s)", values, filepath.Join(dir, name), c.options)); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		header := ""
		if name == "t.tsv" {
			header = " TBLPROPERTIES ('skip.header.line.count' = '1')"
		}
		ask(t, e, fmt.Sprintf("CREATE EXTERNAL TABLE ext %s %s LOCATION 'r/%s'%s", columns, c.clauses, name, header))
		same(name, ask(t, e, "SELECT i, a, b, c, CAST(d AS varchar), CAST(CAST(to_unixtime(e) * 1000 AS bigint) AS varchar), CAST(f AS varchar), g FROM ext ORDER BY i"))
		ask(t, e, "DROP TABLE ext")
	}
}
