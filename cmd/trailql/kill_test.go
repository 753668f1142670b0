package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trailql/trailql/connectors/cloudtrail/synth"
)

var kills = flag.Int("kills", 4, "how often TestKills kills the compactor")

// TestKills ends the compactor with SIGKILL at random moments and starts it again on the same lake, until all is in;
// then with a new lake, until it was killed -kills times. After each kill the lake must open and its counts agree; at
// each end its rows must be those of a lake that was never disturbed.
func TestKills(t *testing.T) {
	if testing.Short() {
		t.Skip("not with -short: it builds the program and runs it many times")
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "trailql")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	// The trail comes in parts, so that a lake takes several runs and its small files are merged in between.
	const parts = 6
	var sources []string
	for i := range parts {
		sources = append(sources, filepath.Join(dir, fmt.Sprintf("trail%d", i)))
	}
	n := 0
	truth, err := synth.Generate(t.Context(), synth.Options{Seed: 3, Events: 4000, Days: 2, Faults: true}, func(o synth.Object) error {
		n++
		return writeObject(sources[n%parts], o)
	})
	if err != nil {
		t.Fatal(err)
	}

	quiet := filepath.Join(dir, "undisturbed")
	begun := time.Now()
	for i := range parts {
		compactUntilDone(t, program, sources[:i+1], quiet)
	}
	each := time.Since(begun) / parts
	want := lakeRows(t, program, quiet)
	if rows := truth.Rows["cloudtrail_logs"] + truth.Rows["cloudtrail_insights"] + truth.Rows["cloudtrail_aggregated"]; len(want) != rows {
		t.Fatalf("the undisturbed lake has %d rows, the truth is %d", len(want), rows)
	}

	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d; an undisturbed run takes %s", seed, each)
	r := rand.New(rand.NewPCG(seed, 0))
	killed := 0
	for round := 0; killed < *kills; round++ {
		lake := filepath.Join(dir, fmt.Sprintf("lake%d", round))
		for i := range parts {
			for done := false; !done && killed < *kills; {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(r.Int64N(int64(each)*6/5)))
				err := exec.CommandContext(ctx, program, compactArgs(sources[:i+1], lake)...).Run()
				hit := ctx.Err() != nil
				cancel()
				switch {
				case hit:
					killed++
					checkCounts(t, program, lake)
				case finished(err):
					done = true
				default:
					t.Fatalf("after %d kills: %v", killed, err)
				}
			}
		}
		compactUntilDone(t, program, sources, lake)
		checkCounts(t, program, lake)
		if got := lakeRows(t, program, lake); !slices.Equal(got, want) {
			t.Fatalf("round %d, after %d kills: %d rows, want %d, or other ones", round, killed, len(got), len(want))
		}
		if err := os.RemoveAll(lake); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d kills: nothing lost, nothing doubled, the lake opened every time", killed)
}

func writeObject(dir string, o synth.Object) error {
	name := filepath.Join(dir, filepath.FromSlash(o.Name))
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return err
	}
	return os.WriteFile(name, o.Data, 0o666)
}

func compactArgs(sources []string, lake string) []string {
	return append([]string{"compact", "--lake", lake}, sources...)
}

// finished reports that a run of the compactor came to its end: damaged objects, of which the trail has one, give their own exit code.
func finished(err error) bool {
	var exited *exec.ExitError
	return err == nil || errors.As(err, &exited) && exited.ExitCode() == exitQuarantine
}

func writeTrail(t *testing.T, dir string, opt synth.Options) *synth.Truth {
	t.Helper()
	truth, err := synth.Generate(t.Context(), opt, func(o synth.Object) error { return writeObject(dir, o) })
	if err != nil {
		t.Fatal(err)
	}
	return truth
}

func compactUntilDone(t *testing.T, program string, sources []string, lake string) {
	t.Helper()
	if out, err := exec.Command(program, compactArgs(sources, lake)...).CombinedOutput(); !finished(err) {
		t.Fatalf("compact: %v\n%s", err, out)
	}
}

func ask(t *testing.T, program, lake, sql string) []string {
	t.Helper()
	c := exec.Command(program, "query", "--quiet", "--lake", lake, "--format", "jsonl", sql)
	var errs bytes.Buffer
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", sql, err, errs.String())
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}

// lakeRows are all records with where each came from, sorted.
func lakeRows(t *testing.T, program, lake string) []string {
	rows := ask(t, program, lake, `SELECT eventjson, _path, _row FROM cloudtrail_logs UNION ALL
SELECT eventjson, _path, _row FROM cloudtrail_insights UNION ALL SELECT eventjson, _path, _row FROM cloudtrail_aggregated`)
	slices.Sort(rows)
	return rows
}

// checkCounts opens the lake and holds its ledger against its tables. A lake that was killed before its first commit is not there yet.
func checkCounts(t *testing.T, program, lake string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(lake, "trail_files", "_delta_log", "00000000000000000000.json")); err != nil {
		return
	}
	got := ask(t, program, lake, `SELECT (SELECT coalesce(sum(records), 0) - coalesce(sum(rows + duplicates + quarantined), 0) FROM trail_files) AS unaccounted,
  (SELECT coalesce(sum(rows), 0) FROM trail_files) - (SELECT count(*) FROM cloudtrail_logs)
  - (SELECT count(*) FROM cloudtrail_insights) - (SELECT count(*) FROM cloudtrail_aggregated) AS lost,
  (SELECT coalesce(sum(duplicates), 0) FROM trail_files) - (SELECT count(*) FROM trail_duplicates) AS duplicates_lost`)
	if len(got) != 1 || got[0] != `{"unaccounted":0,"lost":0,"duplicates_lost":0}` {
		t.Fatalf("the ledger and the tables disagree: %v", got)
	}
}
