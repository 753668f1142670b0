package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	_ "embed"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/duckdb/duckdb-go/v2"
	"golang.org/x/sync/errgroup"

	"github.com/trailql/trailql/catalog"
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

// rawRecords is the relation of a trail's records, r, read from the objects as they were delivered, or of one day's of delivery (2026/03/04).
// Folders of other kinds (digests, insights, aggregated events) are left out. ignore_errors passes over an object that was cut off, whole
// and without a word; it needs each object to be one line, as CloudTrail writes them.
func rawRecords(trail, day, recordType string) string {
	var globs []string
	for _, kind := range []string{"CloudTrail", "CloudTrail-NetworkActivity"} {
		below := filepath.Join(trail, "AWSLogs/*/*", kind, "*")
		if day == "" {
			globs = append(globs, filepath.Join(below, "**/*.json.gz"))
		} else if found, _ := filepath.Glob(filepath.Join(below, day)); len(found) > 0 {
			globs = append(globs, filepath.Join(below, day, "*.json.gz"))
		}
	}
	return "(SELECT unnest(Records) AS r FROM read_json(" + literals(globs...) + ", columns = {Records: '" + recordType +
		"[]'}, format = 'newline_delimited', ignore_errors = true))"
}

// deliveryDays are the days in whose folders the trail's objects stand.
func deliveryDays(trail string) ([]string, error) {
	folders, err := filepath.Glob(filepath.Join(trail, "AWSLogs/*/*/CloudTrail*/*/*/*/*"))
	var days []string
	for _, f := range folders {
		days = append(days, f[len(f)-len("2026/03/04"):])
	}
	slices.Sort(days)
	return slices.Compact(days), err
}

// compactWithDuckDB turns a trail into Parquet in Hive folders and gives the number of rows. As it comes: every copy of a record, in the
// order of delivery. Ordered: then each folder once more, one row per event and by time, as trailql leaves them; in one statement,
// for as much CPU, that takes several times the memory. Day by day: a statement for each day of delivery, for a trail that does not fit into
// memory.
func compactWithDuckDB(ctx context.Context, trail, out string, ordered, dayByDay bool) (rows int64, err error) {
	db, err := openDuckDB("", 0)
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
	days, options := []string{""}, ", PARTITION_BY (account, region, date)"
	if dayByDay {
		options += ", APPEND true"
		if days, err = deliveryDays(trail); err != nil {
			return 0, err
		}
	}
	for _, day := range days {
		n, err := copyTo(delivered, "SELECT r.*, r.recipientAccountId AS account, r.awsRegion AS region, left(r.eventTime, 10) AS date FROM "+
			rawRecords(trail, day, recordType), options)
		if err != nil {
			return 0, err
		}
		rows += n
	}
	if !ordered {
		return rows, nil
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

// openDuckDB opens a database, "": one in memory, in which cloudtrail_logs is a view over the files, if any, with their metadata kept
// between queries. Queries may take memory bytes, 0: four fifths of the machine's, as DuckDB has it; beyond they write to temporary files.
func openDuckDB(database string, memory int64, files ...string) (*sql.DB, error) {
	db, err := sql.Open("duckdb", database)
	if err != nil {
		return nil, err
	}
	texts := []string{"SET GLOBAL temp_directory = " + literal(filepath.Join(os.TempDir(), fmt.Sprintf("trailql-bench-duckdb-%d", os.Getpid())))}
	if memory > 0 {
		texts = append(texts, fmt.Sprintf("SET GLOBAL memory_limit = '%dB'", memory))
	}
	if len(files) > 0 {
		texts = append(texts, "SET GLOBAL parquet_metadata_cache = true",
			"CREATE VIEW cloudtrail_logs AS SELECT * FROM "+readParquet(files))
	}
	for _, text := range texts {
		if _, err := db.Exec(text); err != nil {
			db.Close()
			return nil, fmt.Errorf("DuckDB: %w", err)
		}
	}
	return db, nil
}

func readParquet(files []string) string {
	return "read_parquet(" + literals(files...) + ", hive_partitioning = true, hive_types_autocast = false)"
}

// makeDatabase copies the events of a lake into a table cloudtrail_logs of a new database, in the lake's order: by account, region, date and time.
func makeDatabase(ctx context.Context, args []string) error {
	lake, err := openLake(ctx, args[0], catalog.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer lake.Close()
	all, _, err := lake.files(ctx, cloudtrail.Logs)
	if err != nil {
		return err
	}
	// All files of a partition are one statement: of a whole lake the ORDER BY would need too much memory.
	folders := map[string][]string{}
	for _, f := range all {
		folders[filepath.Dir(f)] = append(folders[filepath.Dir(f)], f)
	}
	db, err := openDuckDB(args[1], 0)
	if err != nil {
		return err
	}
	defer db.Close()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	var m made
	for i, folder := range slices.Sorted(maps.Keys(folders)) {
		do := "INSERT INTO cloudtrail_logs "
		if i == 0 {
			do = "CREATE TABLE cloudtrail_logs AS "
		}
		if _, err := tx.ExecContext(ctx, do+"SELECT "+visible()+" FROM "+readParquet(folders[folder])+" ORDER BY eventtime, eventid"); err != nil {
			return fmt.Errorf("DuckDB: %w", err)
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, "CHECKPOINT"); err != nil {
		return err
	}
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM cloudtrail_logs").Scan(&m.Rows); err != nil {
		return err
	}
	info, err := os.Stat(args[1])
	if err != nil {
		return err
	}
	m.Bytes, m.Files = info.Size(), 1
	return show(m)
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

// askDuckDB has DuckDB answer. Rows come as Arrow arrays from there as from trailql, so that neither engine pays for making text or Go values.
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
