package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/minio/simdjson-go"
)

// way is one way to turn a trail into Parquet, and what its runs took.
type way struct {
	name, out string
	command   []string
	runs      []usage
	made
}

// made is what a compaction has made.
type made struct {
	Rows  int64 // events
	Files int
	Bytes int64 // of the files that hold them
}

// wholeTrail is the size up to which DuckDB takes a trail in one statement: it holds rows of all partitions at a time, 3 GB for 1,000,000.
const wholeTrail = 2_000_000

func (b *bench) dayByDay() string {
	if b.events > wholeTrail {
		return "day by day"
	}
	return ""
}

// compaction runs each way in turn. The last results stay for the other parts.
func (b *bench) compaction(ctx context.Context) error {
	trail, g, err := b.trail(ctx, "main-trail", b.options())
	if err != nil {
		return err
	}
	lake, ordered, plain := filepath.Join(b.dir, "main"), filepath.Join(b.dir, "ordered"), filepath.Join(b.dir, "plain")
	ways := []*way{
		{name: "trailql compact", out: lake, command: []string{b.trailql, "compact", trail, "--lake", lake}},
		{name: "DuckDB, as it comes", out: plain, command: self(stepCompact, trail, plain, "", b.dayByDay())},
		{name: "DuckDB, ordered, one row per event", out: ordered, command: self(stepCompact, trail, ordered, "ordered", b.dayByDay())},
	}
	if simdjson.SupportedCPU() {
		ways = append(ways, &way{name: "the floor: gunzip and one scan", command: self(stepFloor, trail)})
	}
	for _, w := range ways {
		if w.out != "" {
			if err := remove(w.out + ".json"); err != nil {
				return err
			}
		}
	}
	for n := range b.runs {
		for _, w := range ways {
			note("run %d of %d: %s", n+1, b.runs, w.name)
			if w.out != "" {
				if err := os.RemoveAll(w.out); err != nil {
					return err
				}
			}
			printed, took, err := run(ctx, w.command, 3) // 3: something is in quarantine, as it should be
			if err != nil {
				return err
			}
			if w.out == lake {
				if printed, _, err = run(ctx, self(stepLake, lake)); err != nil {
					return err
				}
			}
			w.runs = append(w.runs, took)
			if err := json.Unmarshal(printed, &w.made); err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
		}
	}
	ours, asItComes, theirs := ways[0], ways[1], ways[2]
	if ours.Rows != theirs.Rows || asItComes.Rows < ours.Rows {
		return fmt.Errorf("trailql has %d events, DuckDB %d, and %d with copies", ours.Rows, theirs.Rows, asItComes.Rows)
	}
	if len(ways) > 3 {
		var scanned made
		if err := told(ctx, &scanned, stepFloor, trail, "count"); err != nil {
			return err
		}
		if scanned.Rows != int64(g.Records) {
			return fmt.Errorf("the floor finds %d records, the trail has %d", scanned.Rows, g.Records)
		}
	}
	b.compacted(ways, g)
	for _, name := range g.Damaged {
		out, _, err := run(ctx, self(stepDamaged, filepath.Join(trail, filepath.FromSlash(name))))
		if err != nil {
			return err
		}
		b.printf("\nThe object that was cut off: trailql sets it aside and says so. DuckDB: %s\n", out)
	}
	return errors.Join(os.RemoveAll(plain), b.stands("main", of(b.options()), g), b.stands("ordered", of(b.options()), theirs.made))
}

// notComparable stands below the compactions: what the figures hide.
const notComparable = `
trailql, within its default --memory of 1 GiB: sorted; exact copies dropped after a comparison and accounted for; each record rebuilt from its
columns before the commit; unknown keys, key order and number text kept; origin of each row, bloom filters, ledger, Delta log, fsync.
DuckDB, as it comes: no order, and every copy is a row. Ordered: then each partition once more, sorted, one row per (eventID, eventTime),
unseen whether they are equal. Neither keeps unknown keys, key order, number text or the origin of a row, nor waits for the disk. DuckDB is
told the columns, and leaves digests, insights and aggregated events out. The floor reads each object, unpacks it (klauspost/compress) and
scans it once (minio/simdjson-go), digests too, and keeps nothing.
`

// compacted prints the table.
func (b *bench) compacted(ways []*way, g generated) {
	b.printf("\n#### Compaction\n\n%s records in %s objects, %s MB as delivered, cached by the system; %d runs of each, in turns.\n",
		count(g.Records), count(g.Objects), count(int(g.Bytes/1e6)), b.runs)
	if b.dayByDay() != "" {
		b.printf("DuckDB takes the trail day by day of delivery: in one statement it would not fit into memory (about 3 GB for 1,000,000 events).\n")
	}
	b.printf("\n| compaction | wall s | CPU s | events/s | MB/s, packed | CPU µs an event | peak RSS, MB | rows | files | MB out | bytes a row |\n")
	b.printf("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	cpu := map[*way]float64{}
	for _, w := range ways {
		var walls, cpus []time.Duration
		var peak int64
		for _, u := range w.runs {
			walls, cpus, peak = append(walls, u.wall), append(cpus, u.cpu), max(peak, u.peak)
		}
		wall := median(walls).Seconds()
		cpu[w] = median(cpus).Seconds()
		b.printf("| %s | %s | %s | %s | %.1f | %.2f | %d |", w.name, seconds(walls), seconds(cpus), count(int(float64(g.Records)/wall)),
			float64(g.Bytes)/1e6/wall, 1e6*cpu[w]/float64(g.Records), peak/1e6)
		if w.out == "" {
			b.printf(" | | | |\n")
			continue
		}
		b.printf(" %s | %s | %.1f | %.1f |\n", count(int(w.Rows)), count(w.Files), float64(w.Bytes)/1e6, float64(w.Bytes)/float64(w.Rows))
	}
	ours := cpu[ways[0]]
	b.printf("\nEvents per CPU-second: trailql **%.2f** times those of DuckDB as it comes, %.2f times those of DuckDB ordered. ", cpu[ways[1]]/ours, cpu[ways[2]]/ours)
	if len(ways) > 3 {
		b.printf("The floor takes **%.0f %%** of trailql's CPU.\n", 100*cpu[ways[3]]/ours)
	} else {
		b.printf("No floor: simdjson-go does not know this processor.\n")
	}
	b.printf("%s", notComparable)
}
