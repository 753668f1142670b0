package main

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"
	"path/filepath"
	"strings"

	_ "github.com/duckdb/duckdb-go/v2"
)

// recordType is a record as DuckDB is told to read it: the columns of AWS's table and the newer documented ones, JSON where AWS has JSON text.
//
//go:embed record.sql
var recordType string

// quoted makes a list of SQL strings of names.
func quoted(names ...string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = "'" + strings.ReplaceAll(n, "'", "''") + "'"
	}
	return "[" + strings.Join(out, ", ") + "]"
}

// rawRecords is the relation of a trail's records, r, read from the objects as they were delivered. Folders of other kinds (digests,
// insights, aggregated events) are left out. ignore_errors passes over an object that was cut off, whole and without a word; it needs
// each object to be one line, as CloudTrail writes them.
func rawRecords(trail, recordType string) string {
	logs := filepath.Join(trail, "AWSLogs/*/*/CloudTrail/**/*.json.gz")
	network := filepath.Join(trail, "AWSLogs/*/*/CloudTrail-NetworkActivity/**/*.json.gz")
	return "(SELECT unnest(Records) AS r FROM read_json(" + quoted(logs, network) + ", columns = {Records: '" + recordType +
		"[]'}, format = 'newline_delimited', ignore_errors = true))"
}

// duckDBCompaction are the statements that turn a trail into Parquet in Hive folders. As it comes: every copy of a record, in the order of
// delivery. Sorted: one row per event, ordered by time within each file, as trailql leaves them.
func duckDBCompaction(trail, out string, ordered bool) []string {
	query := "SELECT r.*, r.recipientAccountId AS account, r.awsRegion AS region, left(r.eventTime, 10) AS date FROM " + rawRecords(trail, recordType)
	if ordered {
		query = "SELECT DISTINCT ON (eventID, eventTime) * FROM (" + query + ") ORDER BY account, region, date, eventTime, eventID"
	}
	return []string{
		"SET preserve_insertion_order = false", // needs less memory and is faster; an ORDER BY holds all the same
		"COPY (" + query + ") TO " + strings.Trim(quoted(out), "[]") + " (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (account, region, date))",
	}
}

// openDuckDB gives a DuckDB in which cloudtrail_logs is a view over the files, if any, with their metadata kept between queries.
func openDuckDB(files ...string) (*sql.DB, error) {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return db, nil
	}
	for _, text := range []string{
		"SET GLOBAL parquet_metadata_cache = true",
		"CREATE VIEW cloudtrail_logs AS SELECT * FROM read_parquet(" + quoted(files...) + ", hive_partitioning = true, hive_types_autocast = false)",
	} {
		if _, err := db.Exec(text); err != nil {
			return nil, fmt.Errorf("DuckDB: %w", err)
		}
	}
	return db, nil
}

// askDuckDB is askTrailQL for DuckDB.
func askDuckDB(ctx context.Context, db *sql.DB, text string) ([]string, error) {
	text = strings.ReplaceAll(text, "json_extract_scalar", "json_extract_string")
	r, err := db.QueryContext(ctx, text)
	if err != nil {
		return nil, fmt.Errorf("DuckDB: %s: %w", text, err)
	}
	defer r.Close()
	names, err := r.Columns()
	if err != nil {
		return nil, fmt.Errorf("DuckDB: %w", err)
	}
	values, places := make([]any, len(names)), make([]any, len(names))
	for i := range values {
		places[i] = &values[i]
	}
	var rows []string
	for r.Next() {
		if err := r.Scan(places...); err != nil {
			return nil, fmt.Errorf("DuckDB: %w", err)
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
		return nil, fmt.Errorf("DuckDB: %s: %w", text, err)
	}
	return rows, nil
}
