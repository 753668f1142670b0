package catalog

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trailql/trailql/connectors/external"
	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
)

// withRoot lets statements use a folder as r.
func withRoot(t *testing.T, dir string) func(*Options) {
	t.Helper()
	r, err := external.OpenRoot("r", dir)
	if err != nil {
		t.Fatal(err)
	}
	return func(o *Options) { o.Define, o.Roots = true, external.Roots{r} }
}

// answer runs a statement and returns the text of its rows, cells parted by | and rows by a space; an error as it is shown.
func answer(t *testing.T, l *Lake, text string) string {
	t.Helper()
	r, err := engine.New(l).Query(t.Context(), text, engine.Options{})
	if err != nil {
		return sqlerr.Render(text, err)
	}
	defer r.Close()
	var rows []string
	for {
		b, err := r.Next()
		if err != nil {
			if r.Close() == nil && strings.HasSuffix(err.Error(), "EOF") {
				return strings.Join(rows, " ")
			}
			return sqlerr.Render(text, err)
		}
		for row := range b.Len {
			cells := make([]string, len(b.Cols))
			for c, col := range b.Cols {
				cells[c] = "NULL"
				if col.IsValid(row) {
					cells[c] = col.ValueStr(row)
				}
			}
			rows = append(rows, strings.Join(cells, "|"))
		}
	}
}

func TestExternalFormats(t *testing.T) {
	dir := t.TempDir()
	l := openTest(t, folder(t, t.TempDir()), 1, withRoot(t, dir))
	for name, text := range map[string]string{
		"csv/a.csv": "n,name\n1,\"a,b\"\n", "tab/a": "1\tx\n", "pipe/a": "1|'x|y'\n", "json/a.json": `{"n":1,"name":"x"}`, "ctrl/a": "1\x01x\n", "null/a": "1,-\n", "esc/a": "1,a\\,b\n",
	} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const columns = "CREATE EXTERNAL TABLE t (n int, `name` string) "
	for clauses, want := range map[string]string{
		`ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde' LOCATION 'r/csv/' TBLPROPERTIES ('skip.header.line.count'='1')`:                                         "1|a,b",
		`ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde' WITH SERDEPROPERTIES ("separatorChar" = "|", "quoteChar" = "'") STORED AS TEXTFILE LOCATION 'r/pipe'`:   "1|x|y",
		`ROW FORMAT DELIMITED FIELDS TERMINATED BY '\t' LINES TERMINATED BY '\n' STORED AS TEXTFILE LOCATION 'r/tab'`:                                                          "1|x",
		`ROW FORMAT DELIMITED FIELDS TERMINATED BY '\011' LOCATION 'r/tab'`:                                                                                                    "1|x",
		`ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe' WITH SERDEPROPERTIES ('field.delim' = '\u0009', 'serialization.format' = ',') LOCATION 'r/tab'`: "1|x", // field.delim counts
		`LOCATION 'r/ctrl'`: "1|x",
		`ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' NULL DEFINED AS '-' LOCATION 'r/null'`:                                             "1|NULL",
		`ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' ESCAPED BY '\\' LOCATION 'r/esc'`:                                                  "1|a,b",
		`ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe' WITH SERDEPROPERTIES ('ignore.malformed.json' = 'true') LOCATION 'r/json'`: "1|x",
		`ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe' LOCATION '` + dir + `/json/a.json'`:                                   "1|x",
		`STORED AS JSONFILE LOCATION 'file://` + dir + `/json'`:                                                                           "1|x",
		`STORED AS PARQUET LOCATION 'r/json'`:                                                                                             "file r/json/a.json of table t: it is no Parquet file",

		`STORED AS ORC LOCATION 'r/json'`:                                           "line 1:58: files stored as ORC are not read",
		`ROW FORMAT SERDE 'com.x.Regex' LOCATION 'r/json'`:                          "line 1:65: the SerDe com.x.Regex is not known",
		`ROW FORMAT DELIMITED FIELDS TERMINATED BY ',,' LOCATION 'r/json'`:          "takes one character",
		`ROW FORMAT DELIMITED LINES TERMINATED BY 'x' LOCATION 'r/json'`:            "lines end with",
		`LOCATION 'r/json' TBLPROPERTIES ('skip.header.line.count'='-1')`:           "is a number of lines",
		`LOCATION 'r/json' TBLPROPERTIES ('projection.enabled'='true')`:             "partition projection is not supported",
		`LOCATION 's3://bucket/x'`:                                                  "line 1:57: location 's3://bucket/x' is in S3, which is not supported yet",
		`LOCATION 'r/../x'`:                                                         `has the part ".."`,
		`LOCATION '/etc'`:                                                           "is in no root; write 'NAME/path' with one of the roots: r",
		`PARTITIONED BY (N int) LOCATION 'r/json'`:                                  "there are two columns n",
		`PARTITIONED BY (p array<int>) LOCATION 'r/json'`:                           "cannot be partitioned by values of type array(integer)",
		`LOCATION 's3://b/AWSLogs/123456789012/CloudTrail/'`:                        "the lake has CloudTrail's events already, in cloudtrail_logs; query that, or put the line \"t: {}\" into",
		`ROW FORMAT SERDE 'com.amazon.emr.hive.serde.CloudTrailSerde' LOCATION 'r'`: "the lake has CloudTrail's events already",
	} {
		made := answer(t, l, columns+clauses)
		if !strings.Contains(made, "is defined") {
			if !strings.Contains(made, want) {
				t.Errorf("%s\n got  %s\n want %s", clauses, made, want)
			}
			continue
		}
		if got := answer(t, l, "SELECT * FROM t"); got != want && !strings.Contains(got, "file r/json/a.json of table t: it is no Parquet file") {
			t.Errorf("%s\n got  %s\n want %s", clauses, got, want)
		}
		if got := answer(t, l, "SHOW CREATE TABLE t"); got != columns+clauses {
			t.Errorf("SHOW CREATE gives %s", got)
		}
		if got := answer(t, l, "DROP TABLE t"); !strings.Contains(got, "is dropped") {
			t.Error(got)
		}
	}
	if got := answer(t, l, "CREATE EXTERNAL TABLE cloudtrail_logs (a string) LOCATION 's3://b/AWSLogs/1/CloudTrail/'"); !strings.Contains(got, "is the lake's own") {
		t.Error(got)
	}
}

// TestWrittenTables: CREATE TABLE AS, then the same lake in a process without the root.
func TestWrittenTables(t *testing.T) {
	lake, dir := t.TempDir(), t.TempDir()
	l := openTest(t, folder(t, lake), 1, withRoot(t, dir))
	for _, c := range []struct{ text, want string }{
		{"CREATE TABLE sec.t COMMENT 'it''s' WITH (format = 'JSON') AS SELECT n, date '2024-01-02' AS day, array[n] AS list FROM (VALUES 1, 2) AS x (n)", "2"},
		{"SELECT * FROM sec.t", "1|2024-01-02|[1] 2|2024-01-02|[2]"},
		{"SHOW CREATE TABLE sec.t", "CREATE EXTERNAL TABLE sec.t (n int, day date, list array<int>) COMMENT 'it''s' ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe' LOCATION 'r/sec.t'"},
		{"CREATE TABLE IF NOT EXISTS sec.t AS SELECT 1 AS a", "0"},
		{"CREATE TABLE sec.t AS SELECT 1 AS a", "sec.t exists already; DROP TABLE sec.t first"},
		{"CREATE TABLE cloudtrail_logs AS SELECT 1 AS a", "is the lake's own"},
		{"CREATE TABLE t WITH (external_location = 'r/sec.t') AS SELECT 1 AS a", "there are files at 'r/sec.t' already"},
		{"CREATE TABLE t WITH (format = 'CSV') AS SELECT 1 AS a", "tables of format CSV are not made; PARQUET, JSON and TEXTFILE are"},
		{"CREATE TABLE t WITH (format = 'TEXTFILE', field_delimiter = '\\t') AS SELECT 'a' AS a, NULL AS b, 1 AS c", "which no table over files has"},
		{"CREATE TABLE t WITH (format = 'TEXTFILE', field_delimiter = '\\t') AS SELECT 'a' AS a, CAST(NULL AS int) AS b, 1 AS c", "1"},
		{"SELECT * FROM t", "a|NULL|1"},
		{"DROP TABLE t", "table t is dropped; its files are still there"},
		{"CREATE TABLE t AS SELECT 1 AS a", "there are files at 'r/t' already"},
		{"CREATE TABLE u WITH (external_location = 'r/u/v', partitioned_by = ARRAY['b']) AS SELECT 1 AS a, 2 AS b", "1"},
		{"SELECT * FROM u WHERE b = 2", "1|2"},
		{"SHOW PARTITIONS u", "b=2"},
		{"CREATE VIEW over AS SELECT a FROM u", "is defined"},
		{"SELECT a FROM over", "1"},
		{"UNLOAD (SELECT a FROM over) TO 'r/out' WITH (format = 'CSV')", "1"},
		{"UNLOAD (SELECT a FROM over) TO 'r/out' WITH (format = 'CSV')", "there are files at 'r/out' already"},
		{"UNLOAD (SELECT a FROM over) TO 'x/out' WITH (format = 'CSV')", "line 1:32: location 'x/out' is in no root"},
		{"DROP VIEW u", "u is a table; write DROP TABLE"},
	} {
		if got := answer(t, l, c.text); !strings.Contains(got, c.want) {
			t.Errorf("%s\n got  %s\n want %s", c.text, got, c.want)
		}
	}
	other := openTest(t, folder(t, lake), 2, defining)
	for _, c := range []struct{ text, want string }{
		{"SELECT a FROM over", "the files of table u cannot be reached: location 'r/u/v' is in no root; statements may use files only in folders that trailql was started with: --root"},
		{"DESCRIBE u", "a|integer"},
		{"CREATE TABLE w AS SELECT 1 AS a", "there is no folder to write to; start trailql with --root"},
		{"DROP TABLE u", "is dropped"},
	} {
		if got := answer(t, other, c.text); !strings.Contains(got, c.want) {
			t.Errorf("%s\n got  %s\n want %s", c.text, got, c.want)
		}
	}
}

// TestALostRaceLeavesNoFiles: a table that another process defines while the rows are written.
func TestALostRaceLeavesNoFiles(t *testing.T) {
	lake, dir := t.TempDir(), t.TempDir()
	l := openTest(t, folder(t, lake), 1, withRoot(t, dir))
	out, err := l.Create(t.Context(), target("t"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openTest(t, folder(t, lake), 2, defining).Define(context.Background(), view("t", "SELECT 1 AS a")); err != nil {
		t.Fatal(err)
	}
	if err := out.Commit(t.Context()); err == nil || !strings.Contains(err.Error(), "t exists already") {
		t.Errorf("%v", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 0 {
		t.Errorf("%v is left, %v", entries, err)
	}

	full := openTest(t, fullDisk{folder(t, lake)}, 3, withRoot(t, dir))
	if out, err = full.Create(t.Context(), target("u")); err != nil {
		t.Fatal(err)
	}
	if err := out.Commit(t.Context()); !errors.Is(err, errFull) {
		t.Errorf("%v", err)
	}
	if entries, err = os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("%v is left, %v", entries, err)
	}
}

func target(name string) source.Target {
	return source.Target{Table: []string{name}, Format: "parquet", Columns: []sqltype.Column{{Name: "a", Type: sqltype.BigIntType}}}
}
