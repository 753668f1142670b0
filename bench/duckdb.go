package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/duckdb/duckdb-go/v2"
	"golang.org/x/sync/errgroup"

	"github.com/trailql/trailql/connectors/cloudtrail"
)

// recordType is a record as DuckDB is told to read it: the columns of AWS's table and the newer documented ones, JSON where AWS has JSON text.
//
//go:embed record.sql
var recordType string

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// literals makes a SQL list of texts.
func literals(texts ...string) string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = literal(t)
	}
	return "[" + strings.Join(out, ", ") + "]"
}

// rawRecords is the relation of a trail's records, r, read from the objects as they were delivered. Folders of other kinds (digests,
// insights, aggregated events) are left out. ignore_errors passes over an object that was cut off, whole and without a word; it needs
// each object to be one line, as CloudTrail writes them.
func rawRecords(trail, recordType string) string {
	logs := filepath.Join(trail, "AWSLogs/*/*/CloudTrail/**/*.json.gz")
	network := filepath.Join(trail, "AWSLogs/*/*/CloudTrail-NetworkActivity/**/*.json.gz")
	return "(SELECT unnest(Records) AS r FROM read_json(" + literals(logs, network) + ", columns = {Records: '" + recordType +
		"[]'}, format = 'newline_delimited', ignore_errors = true))"
}

// compactWithDuckDB turns a trail into Parquet in Hive folders and gives the number of rows. As it comes: every copy of a record, in the
// order of delivery. Ordered: then each folder once more, one row per event and by time, as trailql leaves them; in one statement,
// for as much CPU, that takes several times the memory.
func compactWithDuckDB(ctx context.Context, trail, out string, ordered bool) (rows int64, err error) {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return 0, err
	}
	defer db.Close()
	copyTo := func(out, query, options string) (int64, error) {
		r, err := db.ExecContext(ctx, "COPY ("+query+") TO "+literal(out)+" (FORMAT parquet, COMPRESSION zstd"+options+")")
		if err != nil {
			return 0, fmt.Errorf("DuckDB: %w", err)
		}
		return r.RowsAffected()
	}
	delivered := out
	if ordered {
		delivered = out + ".delivered"
		defer os.RemoveAll(delivered)
	}
	// Without this it needs more memory and time, to no end: an ORDER BY holds all the same.
	if _, err := db.ExecContext(ctx, "SET preserve_insertion_order = false"); err != nil {
		return 0, fmt.Errorf("DuckDB: %w", err)
	}
	rows, err = copyTo(delivered, "SELECT r.*, r.recipientAccountId AS account, r.awsRegion AS region, left(r.eventTime, 10) AS date FROM "+
		rawRecords(trail, recordType), ", PARTITION_BY (account, region, date)")
	if err != nil || !ordered {
		return rows, err
	}
	folders, err := filepath.Glob(filepath.Join(delivered, "*/*/*"))
	if err != nil {
		return 0, err
	}
	// A folder is too small for DuckDB to share among its threads, so that as many are in work at a time.
	var ordering errgroup.Group
	ordering.SetLimit(runtime.NumCPU())
	counts := make([]int64, len(folders))
	for i, folder := range folders {
		ordering.Go(func() (err error) {
			to := out + strings.TrimPrefix(folder, delivered)
			if err := os.MkdirAll(to, 0o777); err != nil {
				return err
			}
			counts[i], err = copyTo(filepath.Join(to, "data.parquet"), "SELECT DISTINCT ON (eventID, eventTime) * FROM read_parquet("+
				literal(filepath.Join(folder, "*.parquet"))+", hive_partitioning = false) ORDER BY eventTime, eventID", "")
			return err
		})
	}
	rows, err = 0, ordering.Wait()
	for _, n := range counts {
		rows += n
	}
	return rows, err
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
		"CREATE VIEW cloudtrail_logs AS SELECT * FROM read_parquet(" + literals(files...) + ", hive_partitioning = true, hive_types_autocast = false)",
	} {
		if _, err := db.Exec(text); err != nil {
			return nil, fmt.Errorf("DuckDB: %w", err)
		}
	}
	return db, nil
}

// visible are the columns that * gives in trailql.
var visible = sync.OnceValue(func() string {
	var names []string
	for _, c := range cloudtrail.Schema(cloudtrail.Logs) {
		if !c.Hidden {
			names = append(names, c.Name)
		}
	}
	return strings.Join(names, ", ")
})

// askDuckDB is askTrailQL for DuckDB. Rows come as Arrow arrays from there too, so that neither engine pays for making text or Go values.
func askDuckDB(ctx context.Context, db *sql.DB, text string, put func([]arrow.Array, int)) error {
	text = strings.ReplaceAll(text, "json_extract_scalar", "json_extract_string")
	text = strings.ReplaceAll(text, "COLUMNS", visible())
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("DuckDB: %w", err)
	}
	defer conn.Close()
	err = conn.Raw(func(c any) error {
		a, err := duckdb.NewArrowFromConn(c.(driver.Conn))
		if err != nil {
			return err
		}
		r, err := a.QueryContext(ctx, text)
		if err != nil {
			return err
		}
		defer r.Release()
		for r.Next() {
			batch := r.RecordBatch()
			put(batch.Columns(), int(batch.NumRows()))
		}
		return r.Err()
	})
	if err != nil {
		return fmt.Errorf("DuckDB: %s: %w", text, err)
	}
	return nil
}
