package sql

import (
	"strings"
	"testing"

	"github.com/trailql/trailql/engine/sqlerr"
)

// defining are statements that define or write, with the form in which they are printed; "" is the text itself.
var defining = []struct{ text, want string }{
	{"CREATE VIEW v AS SELECT 1 AS a", ""},
	{"create or replace view db.v (a, \"B c\") comment 'it''s' security invoker as select 1, 2;",
		`CREATE OR REPLACE VIEW db.v (a, "B c") COMMENT 'it''s' SECURITY INVOKER AS SELECT 1, 2`},
	{"CREATE VIEW v SECURITY DEFINER AS WITH x AS (SELECT 1 AS a) SELECT a FROM x ORDER BY 1 LIMIT 3", ""},
	{"DROP VIEW IF EXISTS a.b.c", ""},
	{"DROP TABLE `my table`", `DROP TABLE "my table"`},
	{"CREATE TABLE t AS SELECT 1 AS a", ""},
	{"CREATE TABLE t AS (SELECT 1 AS a) WITH DATA", "CREATE TABLE t AS SELECT 1 AS a"},
	{"CREATE TABLE IF NOT EXISTS t COMMENT 'x' WITH (Format = 'PARQUET', partitioned_by = ARRAY['a', 'b'], bucket_count = 3) AS SELECT 1 AS a WITH NO DATA",
		"CREATE TABLE IF NOT EXISTS t COMMENT 'x' WITH (format = 'PARQUET', partitioned_by = ARRAY['a', 'b'], bucket_count = 3) AS SELECT 1 AS a WITH NO DATA"},
	{"UNLOAD (SELECT a FROM t) TO 'out/x' WITH (format = 'CSV', compression = 'gzip')", ""},
	{"unload (select a from t) to 'out/x'", "UNLOAD (SELECT a FROM t) TO 'out/x'"},
	{"CREATE EXTERNAL TABLE t (a string) LOCATION 'x'", ""},
	{"create external table if not exists `db`.`t` (`a` int comment 'n', b struct<c:array<map<string,bigint>>,`d e`:decimal(10,2)>, f varchar(3), g char(2), h timestamp, i double, j float, k binary)" +
		" comment 'c' partitioned by (y string, m int) row format serde 'x.Y' with serdeproperties ('k'='v', \"l\"=\"w\") stored as inputformat 'i' outputformat 'o' location 's3://b/p/' tblproperties ('p'='q');",
		`CREATE EXTERNAL TABLE IF NOT EXISTS "db"."t" ("a" int COMMENT 'n', b struct<c:array<map<string,bigint>>,"d e":decimal(10,2)>, f varchar(3), g char(2), h timestamp, i double, j float, k binary)` +
			` COMMENT 'c' PARTITIONED BY (y string, m int) ROW FORMAT SERDE 'x.Y' WITH SERDEPROPERTIES ('k' = 'v', 'l' = 'w') STORED AS INPUTFORMAT 'i' OUTPUTFORMAT 'o' LOCATION 's3://b/p/' TBLPROPERTIES ('p' = 'q')`},
	{"CREATE EXTERNAL TABLE t (a string, b date) ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' ESCAPED BY '\\\\' COLLECTION ITEMS TERMINATED BY '|' MAP KEYS TERMINATED BY ':' LINES TERMINATED BY '\\n' NULL DEFINED AS '' STORED AS TEXTFILE LOCATION 'x'", ""},
	{"CREATE EXTERNAL TABLE t (a string) STORED AS parquet WITH SERDEPROPERTIES ('a' = 'b') LOCATION 'x'",
		"CREATE EXTERNAL TABLE t (a string) STORED AS PARQUET WITH SERDEPROPERTIES ('a' = 'b') LOCATION 'x'"},
	{"EXPLAIN CREATE TABLE t AS SELECT 1 AS a", ""},
	{"EXPLAIN UNLOAD (SELECT 1 AS a) TO 'x'", ""},
}

func TestParseDefinitions(t *testing.T) {
	for _, c := range defining {
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
			t.Errorf("%s\n printed as %s\n want       %s", c.text, got, want)
		}
		checkTree(t, c.text, stmt)
	}
}

func TestParseDefinitionErrors(t *testing.T) {
	for _, test := range []struct{ text, at, want string }{
		{"CREATE", "1:7", "expected VIEW, TABLE or EXTERNAL TABLE"},
		{"CREATE VIEW v SELECT 1", "1:15", "expected AS"},
		{"CREATE VIEW v AS", "1:17", "expected a query"},
		{"CREATE VIEW v SECURITY x AS SELECT 1", "1:24", "DEFINER or INVOKER"},
		{"CREATE OR REPLACE TABLE t AS SELECT 1", "1:19", "expected VIEW"},
		{"CREATE VIEW a.b.c.d AS SELECT 1", "1:13", "at most three parts"},
		{"DROP t", "1:6", "expected VIEW or TABLE"},
		{"UNLOAD SELECT 1 TO 'x'", "1:8", `expected "("`},
		{"UNLOAD (SELECT 1) TO x", "1:22", "a location in single quotes"},
		{"CREATE TABLE t WITH (format 'x') AS SELECT 1", "1:29", `expected "="`},
		{"CREATE EXTERNAL TABLE t (a string)", "1:35", "expected LOCATION"},
		{"CREATE EXTERNAL TABLE t (a) LOCATION 'x'", "1:27", "expected a type"},
		{"CREATE EXTERNAL TABLE t (a nosuch) LOCATION 'x'", "1:28", `there is no type "nosuch"`},
		{"CREATE EXTERNAL TABLE t (a array<int) LOCATION 'x'", "1:28", "is not a type"},
		{"CREATE EXTERNAL TABLE t (a int) ROW FORMAT x LOCATION 'x'", "1:44", "SERDE or DELIMITED"},
		{"CREATE EXTERNAL TABLE t (a int) TBLPROPERTIES ('a'='b') LOCATION 'x'", "1:33", "expected LOCATION"},
	} {
		checkError(t, test.text, sqlerr.Syntax, test.at, test.want)
	}
}

// TestRefusedStatements: what changes tables says why it is not done, and what to do instead.
func TestRefusedStatements(t *testing.T) {
	for _, test := range []struct{ text, at, want string }{
		{"INSERT INTO t VALUES (1)", "1:1", "cannot be changed by SQL; CREATE TABLE new AS"},
		{"UPDATE t SET a = 1", "1:1", "make a view"},
		{"DELETE FROM t", "1:1", "make a view that leaves the rows out"},
		{"MERGE INTO t USING u ON a = b", "1:1", "CREATE TABLE new AS"},
		{"TRUNCATE TABLE t", "1:1", "not emptied"},
		{"MSCK REPAIR TABLE t", "1:1", "partitions are found by themselves"},
		{"ALTER TABLE t ADD IF NOT EXISTS PARTITION (a = 'x') LOCATION 'y'", "1:1", "partitions are found by themselves"},
		{"ALTER TABLE t RENAME TO u", "1:1", "create it anew"},
		{"CREATE TABLE t (a int)", "1:16", "CREATE TABLE name AS SELECT"},
		{"CREATE DATABASE d", "1:8", "need not be created"},
		{"DROP SCHEMA d", "1:6", "gone with the last"},
		{"CREATE EXTERNAL TABLE t (a int) CLUSTERED BY (a) INTO 3 BUCKETS LOCATION 'x'", "1:33", "CLUSTERED BY"},
	} {
		checkError(t, test.text, sqlerr.Unknown, test.at, test.want)
	}
}

// TestDefinitionsAreBounded: nesting in types and properties ends with an error like all nesting.
func TestDefinitionsAreBounded(t *testing.T) {
	for _, text := range []string{
		"CREATE EXTERNAL TABLE t (a " + strings.Repeat("array<", 10_000) + "int" + strings.Repeat(">", 10_000) + ") LOCATION 'x'",
		"CREATE TABLE t WITH (a = " + strings.Repeat("(", 10_000) + "1" + strings.Repeat(")", 10_000) + ") AS SELECT 1",
	} {
		if _, err := Parse(text); err == nil {
			t.Errorf("%.40s…: no error", text)
		}
	}
}
