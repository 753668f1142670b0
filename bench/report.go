package main

import (
	"fmt"
	"io"
	"math"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// report is what a comparison found.
type report struct {
	settings
	machine     machine
	trail       int64 // bytes
	objects     int
	records     int
	compactions []compaction
	damaged     []string // how DuckDB takes the damaged objects
	answers     []*contestant
}

// notComparable stands below the compactions: what the figures hide.
const notComparable = `
trailql, within its default --memory of 1 GiB: sorted; exact copies dropped after a comparison and accounted for; each record rebuilt from its
columns before the commit; unknown keys, key order and number text kept; origin of each row, bloom filters, ledger, Delta log, fsync.
DuckDB, ordered: as it comes, and then each partition once more, sorted, one row per (eventID, eventTime), unseen whether they are equal. As it
comes: no order, and every copy is a row. Neither keeps unknown keys, key order, number text or the origin of a row, nor waits for the
disk. DuckDB is told the columns, and leaves digests, insights and aggregated events out.`

// print writes the report as Markdown.
func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "### %s events\n\n", count(r.events))
	fmt.Fprintf(w, "Trail: seed %d, %s records in %s objects, %.0f MB as delivered, cached by the system. `make bench EVENTS=%d`: %d runs\nof each compaction, %d of each query (of the raw trail %d), in turns.\n",
		r.seed, count(r.records), count(r.objects), float64(r.trail)/1e6, r.events, r.runs, r.rounds, r.answers[3].rounds)
	fmt.Fprintf(w, "trailql %s, %s; DuckDB by duckdb-go %s; %d cores (%s, %s/%s), %s. Other processes took %.0f %% of the cores meanwhile.\n\n",
		revision(), runtime.Version(), duckDBVersion(), r.machine.cores, r.machine.cpu, runtime.GOOS, runtime.GOARCH,
		r.machine.at.UTC().Format(time.DateOnly), 100*r.machine.others)

	fmt.Fprintln(w, "| compaction | wall s, min | median | CPU s, min | events/s | peak RSS, MB | rows | bytes a row |")
	fmt.Fprintln(w, "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
	for _, c := range r.compactions {
		var wall, cpu []time.Duration
		var peak int64
		for _, u := range c.runs {
			wall, cpu, peak = append(wall, u.wall), append(cpu, u.cpu), max(peak, u.peak)
		}
		fmt.Fprintf(w, "| %s | %.2f | %.2f | %.2f | %s | %d | %s | %.0f |\n", c.name, slices.Min(wall).Seconds(), median(wall).Seconds(),
			slices.Min(cpu).Seconds(), count(int(float64(r.records)/slices.Min(wall).Seconds())), peak/1e6, count(int(c.Rows)), float64(c.Bytes)/float64(c.Rows))
	}
	fmt.Fprintln(w, notComparable)
	for _, d := range r.damaged {
		fmt.Fprintf(w, "\nThe object that was cut off: trailql sets it aside and says so. DuckDB: %s\n", d)
	}

	lake, raw := r.answers[:3], r.answers[3]
	fmt.Fprintf(w, "\n| query, ms: min / median | %s | %s | times | %s | times |\n", lake[0].name, lake[1].name, lake[2].name)
	fmt.Fprintln(w, "| --- | ---: | ---: | ---: | ---: | ---: |")
	for i, q := range queries {
		fmt.Fprintf(w, "| %s | %s |", q.name, span(lake[0].times[i]))
		for _, c := range lake[1:] {
			fmt.Fprintf(w, " %s | %.2f |", span(c.times[i]), ratio(c.times[i], lake[0].times[i]))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "| **all, geometric mean** | | | **%.2f** | | **%.2f** |\n", overall(lake[1], lake[0]), overall(lake[2], lake[0]))
	fmt.Fprintf(w, "| peak RSS, MB | %d | %d | | %d | |\n", lake[0].peak/1e6, lake[1].peak/1e6, lake[2].peak/1e6)

	fmt.Fprintf(w, "\n| query, ms: min / median | %s | %s | times |\n", lake[0].name, raw.name)
	fmt.Fprintln(w, "| --- | ---: | ---: | ---: |")
	for i, q := range queries {
		if len(raw.times[i]) > 0 {
			fmt.Fprintf(w, "| %s | %s | %s | %.0f |\n", q.name, span(lake[0].times[i]), span(raw.times[i]), ratio(raw.times[i], lake[0].times[i]))
		}
	}
	fmt.Fprintf(w, "| peak RSS, MB | %d | %d | |\n", lake[0].peak/1e6, raw.peak/1e6)
}

// ratio is the median, over the rounds that have both, of a to b in the same round.
func ratio(a, b []time.Duration) float64 {
	each := make([]float64, min(len(a), len(b)))
	for i := range each {
		each[i] = float64(a[i]) / float64(b[i])
	}
	slices.Sort(each)
	return each[len(each)/2]
}

// overall is the geometric mean of the ratios of all queries.
func overall(a, b *contestant) float64 {
	var sum float64
	for i := range queries {
		sum += math.Log(ratio(a.times[i], b.times[i]))
	}
	return math.Exp(sum / float64(len(queries)))
}

// median is that of the upper of two in the middle.
func median(times []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(times))[len(times)/2]
}

func span(times []time.Duration) string {
	return fmt.Sprintf("%s / %s", millis(slices.Min(times)), millis(median(times)))
}

func millis(d time.Duration) string {
	ms := float64(d) / 1e6
	if ms < 100 {
		return fmt.Sprintf("%.1f", ms)
	}
	return count(int(ms + 0.5))
}

// count writes a number with commas.
func count(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// revision names the source in this folder.
func revision() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "of unknown revision"
	}
	return strings.TrimSpace(string(out))
}

func duckDBVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if d.Path == "github.com/duckdb/duckdb-go/v2" {
				return d.Version
			}
		}
	}
	return "of unknown version"
}
