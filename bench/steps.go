package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/cloudtrail"
	"github.com/trailql/trailql/engine"
)

// The tasks that this program does in processes of their own, with their arguments. What they find goes to stdout.
const (
	stepTrail   = "trail"   // FOLDER SEED EVENTS: generate a trail → synth.Truth
	stepLake    = "lake"    // LAKE: what trailql compact has made → made
	stepCompact = "compact" // TRAIL FOLDER [ordered]: the compaction by DuckDB → made
	stepDamaged = "damaged" // OBJECT: how DuckDB takes an object that was cut off → a sentence

	// These answer queries; see serve.
	askLake       = "ask-lake"        // LAKE: trailql
	askLakeDuckDB = "ask-lake-duckdb" // LAKE: DuckDB over the same files
	askOwnDuckDB  = "ask-own-duckdb"  // FOLDER: DuckDB over the files that it made itself
	askRawDuckDB  = "ask-raw-duckdb"  // DuckDB over no files but those that the query names
)

var steps = map[string]func(ctx context.Context, args []string) error{
	stepTrail: generate, stepLake: describeLake, stepCompact: compactTrail, stepDamaged: readDamaged,
	askLake: answerFromLake,
	askLakeDuckDB: func(ctx context.Context, args []string) error {
		files, _, err := lakeFiles(ctx, args[0])
		if err != nil {
			return err
		}
		return answerWithDuckDB(ctx, files...)
	},
	askOwnDuckDB: func(ctx context.Context, args []string) error {
		return answerWithDuckDB(ctx, filepath.Join(args[0], "**/*.parquet"))
	},
	askRawDuckDB: func(ctx context.Context, _ []string) error { return answerWithDuckDB(ctx) },
}

// made is what a compaction has made.
type made struct {
	Rows  int64 // events
	Bytes int64 // of the files that hold them
}

func show(v any) error { return json.NewEncoder(os.Stdout).Encode(v) }

func generate(ctx context.Context, args []string) error {
	seed, err := strconv.ParseUint(args[1], 10, 64)
	if err != nil {
		return err
	}
	events, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	truth, err := writeTrail(ctx, args[0], seed, events)
	if err != nil {
		return err
	}
	truth.Events = nil // long, and nobody asks
	return show(truth)
}

// lakeFiles are the files of the table of events, and their rows.
func lakeFiles(ctx context.Context, folder string) ([]string, int64, error) {
	lake, err := openLake(ctx, folder, catalog.Options{ReadOnly: true})
	if err != nil {
		return nil, 0, err
	}
	defer lake.Close()
	return lake.files(ctx, cloudtrail.Logs)
}

func describeLake(ctx context.Context, args []string) error {
	files, rows, err := lakeFiles(ctx, args[0])
	if err != nil {
		return err
	}
	m := made{Rows: rows}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			return err
		}
		m.Bytes += info.Size()
	}
	return show(m)
}

func compactTrail(ctx context.Context, args []string) (err error) {
	var m made
	if m.Rows, err = compactWithDuckDB(ctx, args[0], args[1], len(args) > 2); err != nil {
		return err
	}
	if m.Bytes, err = folderSize(args[1]); err != nil {
		return err
	}
	return show(m)
}

func readDamaged(ctx context.Context, args []string) error {
	db, err := openDuckDB()
	if err != nil {
		return err
	}
	defer db.Close()
	for _, how := range []string{"", ", ignore_errors = true", ", format = 'newline_delimited', ignore_errors = true"} {
		var rows []string
		err := askDuckDB(ctx, db, "SELECT count(*) FROM (SELECT unnest(Records) FROM read_json("+literal(args[0])+
			", columns = {Records: 'JSON[]'}"+how+"))", func(cols []arrow.Array, n int) { rows = appendText(rows, cols, n) })
		if err != nil {
			fmt.Printf("`read_json(…%s)` fails; ", how)
			continue
		}
		fmt.Printf("`read_json(…%s)` reads %s records of it and says nothing.", how, rows[0])
	}
	return nil
}

func answerFromLake(ctx context.Context, args []string) error {
	debug.SetMemoryLimit(2 << 30 / 10 * 9) // both as trailql query sets them
	debug.SetGCPercent(400)
	lake, err := openLake(ctx, args[0], catalog.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer lake.Close()
	e := engine.New(lake)
	return serve(func(text string, put func([]arrow.Array, int)) error { return askTrailQL(ctx, e, text, put) })
}

func answerWithDuckDB(ctx context.Context, files ...string) error {
	db, err := openDuckDB(files...)
	if err != nil {
		return err
	}
	defer db.Close()
	return serve(func(text string, put func([]arrow.Array, int)) error { return askDuckDB(ctx, db, text, put) })
}
