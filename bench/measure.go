package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
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

// questions asks every contestant every query, warm: once for the answer, and then in turns for the times. Each answer must be that of
// the first contestant.
func questions(ctx context.Context, s settings, dir string) ([]*contestant, error) {
	trail, lake, ordered := filepath.Join(dir, "trail"), filepath.Join(dir, "lake"), filepath.Join(dir, "ordered")
	ours, theirs := func(q query) string { return q.sql }, query.inDuckDB
	raw := func(q query) string { return strings.Replace(q.raw, "RAW", rawRecords(trail, q.record), 1) }
	all := []*contestant{
		{name: "trailql", step: askLake, source: lake, text: ours, rounds: s.rounds},
		{name: "DuckDB, same files", step: askLakeDuckDB, source: lake, text: theirs, rounds: s.rounds},
		{name: "DuckDB, its own files", step: askOwnDuckDB, source: ordered, text: theirs, rounds: s.rounds},
		{name: "DuckDB, raw trail", step: askRawDuckDB, text: raw, rounds: min(s.rounds, 3)}, // seconds each
	}
	for _, c := range all {
		if err := c.start(ctx); err != nil {
			return nil, err
		}
		defer c.in.Close() // ends it, where an error comes first
		c.times = make([][]time.Duration, len(queries))
	}
	for i, q := range queries {
		note("query: %s", q.name)
		var want []string
		for n := range s.rounds + 1 {
			for _, c := range all {
				text := c.text(q)
				if text == "" || n > c.rounds {
					continue
				}
				r, err := c.ask(question{Text: text, Show: n == 0})
				if err != nil {
					return nil, err
				}
				if n > 0 {
					if r.Count != len(want) {
						return nil, fmt.Errorf("%s: %s: %d rows, after %d at first", q.name, c.name, r.Count, len(want))
					}
					c.times[i] = append(c.times[i], r.Took)
					continue
				}
				if want == nil {
					want = r.Rows
				}
				if err := sameAnswer(r.Rows, want); err != nil {
					return nil, fmt.Errorf("%s: %s: %w", q.name, c.name, err)
				}
			}
		}
	}
	for _, c := range all {
		if err := c.stop(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// sameAnswer says where two answers differ. No rows are no answer: such a query would show nothing.
func sameAnswer(got, want []string) error {
	if len(got) != len(want) || len(got) == 0 {
		return fmt.Errorf("%d rows; trailql has %d", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			return fmt.Errorf("row %d is\n%s\nthat of trailql\n%s", i, got[i], want[i])
		}
	}
	return nil
}
