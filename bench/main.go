// Bench holds trailql against DuckDB and against what cannot be avoided, side by side on one generated trail, and prints the figures as
// Markdown: part by part, as they are found.
//
//	go run -tags duckdb_arrow . -trailql ../bin/trailql -events 600000
//	go run -tags duckdb_arrow . -only queries,cold -dir /tmp/kept
//
// Each contestant is a process of its own, so that its CPU time and its peak of memory are its own. Contestants take turns, one at
// a time, so that a machine that is busy at times is so for all of them. No time of a query counts unless the answers are equal.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// settings of one comparison; zero fields of the second half take values that suit the number of events.
type settings struct {
	trailql string // the binary
	events  int
	seed    uint64
	only    string // parts, by name; empty: all
	dir     string // what is generated stays here, and is used again; empty: a temporary folder
	drop    bool   // the system's page cache is dropped before each cold query

	days     int           // of the trail
	runs     int           // of each compaction
	rounds   int           // of each query, at most …
	patience time.Duration // … but no new round of a query begins after this, once it had three
	colds    int           // fresh processes for each query
	yearDays int           // of the lake with the needles
	files    int           // of the lake that is planned in
	clients  int           // of the server, at a time
	asked    int           // queries of each client
	starts   int           // of the whole program
	memory   int64         // bytes that each engine may take for queries
}

func (s settings) filled() settings {
	s.days = cmp.Or(s.days, min(max(s.events/60_000, 5), 30))
	runs := 3
	if s.events > 10_000_000 {
		runs = 1
	}
	s.runs = cmp.Or(s.runs, runs)
	s.rounds = cmp.Or(s.rounds, 15)
	s.patience = cmp.Or(s.patience, time.Minute)
	s.colds = cmp.Or(s.colds, 3)
	s.yearDays = cmp.Or(s.yearDays, 365)
	s.files = cmp.Or(s.files, 100_000)
	s.clients = cmp.Or(s.clients, 64)
	s.asked = cmp.Or(s.asked, 100)
	s.starts = cmp.Or(s.starts, 20)
	share := int64(4)
	if s.events > 10_000_000 {
		share = 6 // four engines stand side by side, with their caches
	}
	s.memory = cmp.Or(s.memory, installed()/share)
	return s
}

// quick makes what is not said small: all parts within two minutes.
func (s settings) quick() settings {
	s.events = cmp.Or(s.events, 60_000)
	s.runs = cmp.Or(s.runs, 1)
	s.rounds = cmp.Or(s.rounds, 5)
	s.patience = cmp.Or(s.patience, 2*time.Second)
	s.colds = cmp.Or(s.colds, 1)
	s.yearDays = cmp.Or(s.yearDays, 10)
	s.files = cmp.Or(s.files, 10_000)
	s.asked = cmp.Or(s.asked, 20)
	s.starts = cmp.Or(s.starts, 5)
	return s
}

// parts in the order in which they run: the lake and DuckDB's files that the compactions leave are what the others read.
var parts = []struct {
	name string
	run  func(*bench, context.Context) error
}{
	{"compaction", (*bench).compaction}, {"storage", (*bench).storage}, {"queries", (*bench).queries}, {"cold", (*bench).cold},
	{"dense", (*bench).dense}, {"needles", (*bench).needles}, {"planning", (*bench).planning}, {"serving", (*bench).serving}, {"start", (*bench).start},
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
	flag.IntVar(&s.events, "events", 0, "records of the generated trail, about (600,000; with -quick 60,000)")
	flag.Uint64Var(&s.seed, "seed", 1, "seed of the trail")
	flag.StringVar(&s.only, "only", "", "`parts` to run, with commas: "+partNames())
	flag.StringVar(&s.dir, "dir", "", "`folder` that keeps what is generated, and from which it is used again")
	flag.BoolVar(&s.drop, "drop", true, "drop the system's page cache before each cold query, where it may be")
	flag.IntVar(&s.days, "days", 0, "days of the trail (one for 60,000 events, 5 to 30)")
	flag.IntVar(&s.runs, "runs", 0, "runs of each compaction (3; 1 above 10,000,000 events)")
	flag.IntVar(&s.rounds, "rounds", 0, "rounds of each query, at most (15)")
	flag.DurationVar(&s.patience, "patience", 0, "no new round of a query after this, from the fourth on (1m)")
	flag.IntVar(&s.colds, "colds", 0, "cold runs of each query (3)")
	flag.IntVar(&s.yearDays, "year", 0, "days of the lake with the needles (365)")
	flag.IntVar(&s.files, "files", 0, "files of the lake that is planned in (100,000)")
	flag.IntVar(&s.clients, "clients", 0, "clients of the server (64)")
	flag.IntVar(&s.asked, "asked", 0, "queries of each client (100)")
	flag.IntVar(&s.starts, "starts", 0, "starts of the program (20)")
	flag.Int64Var(&s.memory, "memory", 0, "bytes that each engine may take for queries (a quarter of the machine's; a sixth above 10,000,000 events)")
	quick := flag.Bool("quick", false, "what is not said is small: all parts in two minutes")
	flag.Parse()
	if flag.NArg() > 0 || s.events < 0 {
		fmt.Fprintln(os.Stderr, "bench takes flags only, and numbers from 1")
		os.Exit(2)
	}
	if *quick {
		s = s.quick()
	}
	s.events = cmp.Or(s.events, 600_000)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := compare(ctx, s.filled(), os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func partNames() string {
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
	}
	return strings.Join(names, ",")
}

// bench is a comparison under way.
type bench struct {
	settings
	out io.Writer
}

// compare runs the parts that are asked for and writes a table for each.
func compare(ctx context.Context, s settings, out io.Writer) (err error) {
	b := &bench{settings: s, out: out}
	var only []string
	if s.only != "" {
		only = strings.Split(s.only, ",")
	}
	for _, name := range only {
		if !slices.Contains(strings.Split(partNames(), ","), name) {
			return fmt.Errorf("-only: there is no part %q; there are %s", name, partNames())
		}
	}
	if b.dir == "" {
		if b.dir, err = os.MkdirTemp("", "trailql-bench-"); err != nil {
			return err
		}
		defer os.RemoveAll(b.dir)
	} else if err := os.MkdirAll(b.dir, 0o777); err != nil {
		return err
	}
	before := readMachine()
	b.head(before)
	for _, p := range parts {
		if len(only) > 0 && !slices.Contains(only, p.name) {
			continue
		}
		note("part: %s", p.name)
		begun := time.Now()
		if err := p.run(b, ctx); err != nil {
			return errors.Join(ctx.Err(), fmt.Errorf("%s: %w", p.name, err))
		}
		note("%s took %s", p.name, time.Since(begun).Round(time.Second))
	}
	b.printf("\nOther processes took %.0f %% of the cores meanwhile; all of it took %s.\n",
		100*readMachine().since(before).others, time.Since(before.at).Round(time.Second))
	return nil
}

// note tells who waits what is going on.
func note(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
