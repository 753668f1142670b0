package main

import (
	"context"
	"fmt"
	"math"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

func (b *bench) printf(format string, args ...any) { fmt.Fprintf(b.out, format, args...) }

// head says what is measured, where and with what.
func (b *bench) head(m machine) {
	b.printf("### %s events\n\n", count(b.events))
	b.printf("Trail: seed %d, %d days. trailql %s, %s; DuckDB %s by duckdb-go %s; %d cores, all of them for each (%s, %s/%s), %.0f GB of memory, %s.\n",
		b.seed, b.days, revision(), runtime.Version(), duckDBVersion(), duckDBModule(), m.cores, m.cpu, runtime.GOOS, runtime.GOARCH,
		float64(installed())/1e9, m.at.UTC().Format(time.DateOnly))
	b.printf("Figures are *median (least–most)*; *times* is DuckDB's median by trailql's: above 1, trailql is the faster.\n")
}

// ratio is how many times as long as b a takes, by their medians.
func ratio(a, b []time.Duration) float64 { return float64(median(a)) / float64(median(b)) }

// duckDBVersion asks DuckDB, in a process of its own: the library takes memory.
func duckDBVersion() string {
	c := &contestant{name: "DuckDB", step: askRawDuckDB}
	r, err := c.once(context.Background(), 0, question{Text: "SELECT version()", All: true})
	if err != nil || len(r.Rows) == 0 {
		return "of unknown version"
	}
	return r.Rows[0]
}

// means gives the geometric mean of ratios, and the least.
func means(ratios []float64) (geometric, least float64) {
	var sum float64
	for _, r := range ratios {
		sum += math.Log(r)
	}
	return math.Exp(sum / float64(len(ratios))), slices.Min(ratios)
}

// median is that of the upper of two in the middle.
func median(times []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(times))[len(times)/2]
}

// span writes times in milliseconds: median (least–most).
func span(times []time.Duration) string {
	if len(times) == 1 {
		return millis(times[0])
	}
	return fmt.Sprintf("%s (%s–%s)", millis(median(times)), millis(slices.Min(times)), millis(slices.Max(times)))
}

// seconds is span in seconds.
func seconds(times []time.Duration) string {
	if len(times) == 1 {
		return fmt.Sprintf("%.2f", times[0].Seconds())
	}
	return fmt.Sprintf("%.2f (%.2f–%.2f)", median(times).Seconds(), slices.Min(times).Seconds(), slices.Max(times).Seconds())
}

func millis(d time.Duration) string {
	ms := float64(d) / 1e6
	switch {
	case ms < 10:
		return fmt.Sprintf("%.2f", ms)
	case ms < 100:
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

func duckDBModule() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if d.Path == "github.com/duckdb/duckdb-go/v2" {
				return d.Version
			}
		}
	}
	return "of unknown version"
}
