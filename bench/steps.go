package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/cloudtrail"
	"github.com/trailql/trailql/connectors/cloudtrail/synth"
)

// The tasks that this program does in processes of their own, with their arguments. What they find goes to stdout.
const (
	stepTrail    = "trail"    // FOLDER OPTIONS: generate a trail → synth.Truth
	stepLake     = "lake"     // LAKE: what trailql compact has made → made
	stepCompact  = "compact"  // TRAIL FOLDER [ordered [day by day]]: the compaction by DuckDB → made
	stepFloor    = "floor"    // TRAIL [count]: gunzip and scan → made
	stepDamaged  = "damaged"  // OBJECT: how DuckDB takes an object that was cut off → a sentence
	stepDatabase = "database" // LAKE FILE: a database of DuckDB with the events of a lake → made
	stepPack     = "pack"     // LAKE MEMORY: the records as text → packed
	stepLog      = "log"      // LAKE FILES: a lake of a log without data files

	// These answer queries; see serve. Last comes what they may take for them, in bytes: a quarter of the machine's unless given.
	askLake       = "ask-lake"        // LAKE: trailql
	askLakeDuckDB = "ask-lake-duckdb" // LAKE: DuckDB over the same files
	askOwnDuckDB  = "ask-own-duckdb"  // FOLDER: DuckDB over the files that it made itself
	askDatabase   = "ask-database"    // FILE: DuckDB over its own database
	askRawDuckDB  = "ask-raw-duckdb"  // "": DuckDB over no files but those that the query names
)

var steps = map[string]func(ctx context.Context, args []string) error{
	stepTrail: generate, stepLake: describeLake, stepCompact: compactTrail, stepFloor: scanTrail, stepDamaged: readDamaged,
	stepDatabase: makeDatabase, stepPack: packRecords, stepLog: writeLog,
	askLake: answerFromLake,
	askLakeDuckDB: func(ctx context.Context, args []string) error {
		files, _, err := lakeFiles(ctx, args[0])
		if err != nil {
			return err
		}
		return answerWithDuckDB(ctx, args, "", files...)
	},
	askOwnDuckDB: func(ctx context.Context, args []string) error {
		return answerWithDuckDB(ctx, args, "", filepath.Join(args[0], "**/*.parquet"))
	},
	askDatabase: func(ctx context.Context, args []string) error {
		return answerWithDuckDB(ctx, args, args[0]+"?access_mode=read_only")
	},
	askRawDuckDB: func(ctx context.Context, args []string) error { return answerWithDuckDB(ctx, args, "") },
}

func show(v any) error { return json.NewEncoder(os.Stdout).Encode(v) }

func generate(ctx context.Context, args []string) error {
	var opt synth.Options
	if err := json.Unmarshal([]byte(args[1]), &opt); err != nil {
		return err
	}
	truth, err := writeTrail(ctx, args[0], opt)
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
	m := made{Rows: rows, Files: len(files)}
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
	if m.Rows, err = compactWithDuckDB(ctx, args[0], args[1], len(args) > 2 && args[2] != "", len(args) > 3 && args[3] != ""); err != nil {
		return err
	}
	if m.Bytes, err = folderSize(args[1]); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(args[1], "*/*/*/*.parquet"))
	m.Files = len(files)
	return errors.Join(err, show(m))
}

func readDamaged(ctx context.Context, args []string) error {
	db, err := openDuckDB("", 0)
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
	e, lake, err := openEngine(ctx, args)
	if err != nil {
		return err
	}
	defer lake.Close()
	return serve(func(text string, put func([]arrow.Array, int)) error { return e.ask(ctx, text, put) })
}

func answerWithDuckDB(ctx context.Context, args []string, database string, files ...string) error {
	memory, err := memoryOf(args)
	if err != nil {
		return err
	}
	db, err := openDuckDB(database, memory, files...)
	if err != nil {
		return err
	}
	defer db.Close()
	return serve(func(text string, put func([]arrow.Array, int)) error { return askDuckDB(ctx, db, text, put) })
}
