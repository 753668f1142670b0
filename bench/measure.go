package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// compaction is one way to turn a trail into Parquet, and what its runs took.
type compaction struct {
	name string
	runs []usage
	made
}

// compactions runs each compaction in turn, s.runs times. The last results stay: dir/lake and dir/ordered.
func compactions(ctx context.Context, s settings, dir string) ([]compaction, error) {
	trail, lake, ordered, plain := filepath.Join(dir, "trail"), filepath.Join(dir, "lake"), filepath.Join(dir, "ordered"), filepath.Join(dir, "plain")
	ways := []struct {
		name, out string
		command   []string
	}{
		{"trailql compact", lake, []string{s.trailql, "compact", trail, "--lake", lake}},
		{"DuckDB, ordered, one row per event", ordered, self(stepCompact, trail, ordered, "ordered")},
		{"DuckDB, as it comes", plain, self(stepCompact, trail, plain)},
	}
	out := make([]compaction, len(ways))
	for n := range s.runs {
		for i, way := range ways {
			note("run %d of %d: %s", n+1, s.runs, way.name)
			if err := os.RemoveAll(way.out); err != nil {
				return nil, err
			}
			printed, took, err := run(ctx, way.command, 3) // 3: something is in quarantine, as it should be
			if err != nil {
				return nil, err
			}
			if way.out == lake {
				if printed, _, err = run(ctx, self(stepLake, lake)); err != nil {
					return nil, err
				}
			}
			out[i].name, out[i].runs = way.name, append(out[i].runs, took)
			if err := json.Unmarshal(printed, &out[i].made); err != nil {
				return nil, fmt.Errorf("%s: %w", way.name, err)
			}
		}
	}
	return out, nil
}

// column is one contestant's part of the answers: times by query, empty where it is not asked.
type column struct {
	name  string
	times [][]time.Duration
	peak  int64
}

// rawRounds is how often the raw trail is asked: each time takes seconds.
const rawRounds = 3

// questions asks every contestant every query, warm: once for the answer, which must be trailql's, and then in turns for the times. The
// answer of each turn is compared as well.
func questions(ctx context.Context, s settings, dir string) ([]column, error) {
	columns := []column{{name: "trailql"}, {name: "DuckDB, same files"}, {name: "DuckDB, its own files"}, {name: "DuckDB, raw trail"}}
	lake := filepath.Join(dir, "lake")
	var all []*contestant
	for _, c := range [][2]string{{askLake, lake}, {askLakeDuckDB, lake}, {askOwnDuckDB, filepath.Join(dir, "ordered")}, {askRawDuckDB, ""}} {
		started, err := start(ctx, c[0], c[1])
		if err != nil {
			return nil, err
		}
		defer started.stop() // again after an error only
		all = append(all, started)
	}
	for _, q := range queries {
		note("query: %s", q.name)
		texts := []string{q.sql, q.sql, q.sql, ""}
		if q.raw != "" {
			texts[3] = strings.Replace(q.raw, "RAW", rawRecords(filepath.Join(dir, "trail"), q.record), 1)
		}
		times := make([][]time.Duration, len(all))
		var want []string
		for n := range s.rounds + 1 {
			for i, c := range all {
				if texts[i] == "" || i == 3 && n > rawRounds {
					continue
				}
				r, err := c.ask(texts[i])
				if err != nil {
					return nil, fmt.Errorf("%s: %s: %w", columns[i].name, q.name, err)
				}
				if want == nil {
					want = r.Rows
				}
				if len(r.Rows) == 0 || !slices.Equal(r.Rows, want) {
					return nil, fmt.Errorf("%s: %s: the answer differs from trailql's, or is empty\n%s\ntrailql:\n%s", q.name, columns[i].name,
						strings.Join(r.Rows, "\n"), strings.Join(want, "\n"))
				}
				if n > 0 {
					times[i] = append(times[i], r.Took)
				}
			}
		}
		for i := range columns {
			columns[i].times = append(columns[i].times, times[i])
		}
	}
	for i, c := range all {
		var err error
		if columns[i].peak, err = c.stop(); err != nil {
			return nil, err
		}
	}
	return columns, nil
}
