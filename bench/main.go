// Bench holds trailql against DuckDB, side by side on one generated trail, and prints the figures as Markdown:
// compaction, forty queries over what it made, and two of them over the trail as it was delivered.
//
//	go run -tags duckdb_arrow . -trailql ../bin/trailql -events 1000000
//
// Each contestant is a process of its own, so that its CPU time and its peak of memory are its own. Contestants take turns, one at
// a time, so that a machine that is busy at times is so for all of them. No time of a query counts unless the answers are equal.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/trailql/trailql/connectors/cloudtrail/synth"
)

// settings of one comparison.
type settings struct {
	trailql string // the binary
	events  int
	seed    uint64
	runs    int // of each compaction
	rounds  int // of each query
}

func main() {
	// The program starts itself for each contestant: bench STEP ARGUMENT….
	if len(os.Args) > 1 && steps[os.Args[1]] != nil {
		if err := steps[os.Args[1]](context.Background(), os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	var s settings
	flag.StringVar(&s.trailql, "trailql", "../bin/trailql", "the binary to measure")
	flag.IntVar(&s.events, "events", 200_000, "records of the generated trail, about")
	flag.Uint64Var(&s.seed, "seed", 1, "seed of the trail")
	flag.IntVar(&s.runs, "runs", 3, "runs of each compaction")
	flag.IntVar(&s.rounds, "rounds", 15, "runs of each query")
	flag.Parse()
	if flag.NArg() > 0 || s.events < 1 || s.runs < 1 || s.rounds < 1 {
		fmt.Fprintln(os.Stderr, "bench takes flags only, and numbers from 1")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	r, err := compare(ctx, s)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	r.print(os.Stdout)
}

// compare measures everything, in a temporary folder that is gone afterwards.
func compare(ctx context.Context, s settings) (*report, error) {
	dir, err := os.MkdirTemp("", "trailql-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	before := readMachine()
	r := &report{settings: s}

	note("generating a trail of about %d records", s.events)
	trail := filepath.Join(dir, "trail")
	out, _, err := run(ctx, self(stepTrail, trail, fmt.Sprint(s.seed), fmt.Sprint(s.events)))
	if err != nil {
		return nil, err
	}
	var truth synth.Truth
	if err := json.Unmarshal(out, &truth); err != nil {
		return nil, fmt.Errorf("reading the trail's truth: %w", err)
	}
	r.objects, r.records = truth.Objects, truth.Records
	if r.trail, err = folderSize(trail); err != nil {
		return nil, err
	}
	if r.compactions, err = compactions(ctx, s, dir); err != nil {
		return nil, err
	}
	for _, name := range truth.Damaged {
		out, _, err := run(ctx, self(stepDamaged, filepath.Join(trail, filepath.FromSlash(name))))
		if err != nil {
			return nil, err
		}
		r.damaged = append(r.damaged, string(out))
	}
	if r.answers, err = questions(ctx, s, dir); err != nil {
		return nil, err
	}
	r.machine = readMachine().since(before)
	return r, nil
}

// note tells who waits what is going on.
func note(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
