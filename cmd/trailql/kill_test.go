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

var (
	kills    = flag.Int("kills", 4, "how many processes TestKills kills")
	killSeed = flag.Uint64("kills.seed", 0, "seed of the moments; 0: another one each time")
)

// TestKills ends the program with SIGKILL at random moments while it compacts, follows, sweeps or checks, alone or up to three processes at a time, and starts it again on
// the same lake, until all is in; then with a new lake, until -kills processes were killed. After each time the lake must open and its counts agree; at
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
	const parts = 9
	var sources []string
	for i := range parts {
		sources = append(sources, filepath.Join(dir, fmt.Sprintf("trail%d", i)))
	}
	n := 0
	truth, err := synth.Generate(t.Context(), synth.Options{Seed: 3, Events: 900, Days: 1, Accounts: 1, Regions: 1, Faults: true}, func(o synth.Object) error {
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
	want := lakeRows(t, quiet)
	if rows := truth.Rows["cloudtrail_logs"] + truth.Rows["cloudtrail_insights"] + truth.Rows["cloudtrail_aggregated"]; len(want) != rows {
		t.Fatalf("the undisturbed lake has %d rows, the truth is %d", len(want), rows)
	}

	seed := *killSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-kills.seed %d; an undisturbed run takes %s", seed, each)
	verbs := victims(program)
	hit := map[string]int{}
	killed := 0
	for round := 0; killed < *kills; round++ {
		r := rand.New(rand.NewPCG(seed, uint64(round)))
		lake := filepath.Join(dir, fmt.Sprintf("lake%d", round))
		for i := range parts {
			for done := false; !done && killed < *kills; {
				// Others work beside the compactor. One of them may sweep, for that leaves alone what runs may still read.
				commands := [][]string{compactArgs(sources[:i+1], lake)}
				for range max(0, r.IntN(4)-1) {
					commands = append(commands, verbs[r.IntN(len(verbs))](sources[:i+1], lake))
				}
				var ends []<-chan error
				var limits []context.Context
				for _, args := range commands {
					ctx, cancel := context.WithTimeout(context.Background(), time.Duration(r.Int64N(int64(each)*6/5*int64(len(commands)))))
					defer cancel()
					ended := make(chan error, 1)
					var errs bytes.Buffer
					c := exec.CommandContext(ctx, program, args...)
					c.Stderr = &errs
					go func() {
						err := c.Run()
						if err != nil && ctx.Err() == nil && !finished(err) {
							err = fmt.Errorf("%s: %w\n%s", strings.Join(args[:1], " "), err, errs.String())
						}
						ended <- err
					}()
					ends, limits = append(ends, ended), append(limits, ctx)
				}
				for j, ended := range ends {
					switch err := <-ended; {
					case limits[j].Err() != nil && err != nil:
						killed++
						hit[commands[j][0]]++
					case !finished(err):
						t.Fatalf("-kills.seed %d, round %d, after %d kills: %v", seed, round, killed, err)
					case j == 0:
						done = true
					}
				}
				checkCounts(t, lake)
			}
		}
		compactUntilDone(t, program, sources, lake)
		checkCounts(t, lake)
		if got := lakeRows(t, lake); !slices.Equal(got, want) {
			t.Fatalf("-kills.seed %d, round %d, after %d kills: %d rows, want %d, or other ones", seed, round, killed, len(got), len(want))
		}
		if err := os.RemoveAll(lake); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d kills %v: nothing lost, nothing doubled, the lake opened every time", killed, hit)
}

// victims are the command lines that are killed beside a compactor, as far as the program knows them.
func victims(program string) []func(sources []string, lake string) []string {
	knows := func(text string, args ...string) bool {
		out, _ := exec.Command(program, append(args, "--help")...).CombinedOutput()
		return strings.Contains(string(out), text)
	}
	out := []func([]string, string) []string{compactArgs}
	if knows("--follow", "compact") {
		out = append(out, func(sources []string, lake string) []string { return append(compactArgs(sources, lake), "--follow") })
	}
	if knows("sweep", "lake") {
		out = append(out, func(sources []string, lake string) []string {
			if _, err := os.Stat(filepath.Join(lake, "trail_files", "_delta_log", "00000000000000000000.json")); err != nil {
				return compactArgs(sources, lake) // there is no lake yet
			}
			return []string{"lake", "sweep", "--lake", lake}
		})
	}
	return out
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

// lakeRows are all records with where each came from, sorted.
func lakeRows(t *testing.T, lake string) []string {
	rows := linesOf(t, lake, `SELECT eventjson, _path, _row FROM cloudtrail_logs UNION ALL
SELECT eventjson, _path, _row FROM cloudtrail_insights UNION ALL SELECT eventjson, _path, _row FROM cloudtrail_aggregated`)
	slices.Sort(rows)
	return rows
}

// checkCounts opens the lake and holds its ledger against its tables. A lake that was killed before its first commit is not there yet.
func checkCounts(t *testing.T, lake string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(lake, "trail_files", "_delta_log", "00000000000000000000.json")); err != nil {
		return
	}
	got := linesOf(t, lake, `SELECT (SELECT coalesce(sum(records), 0) - coalesce(sum(rows + duplicates + quarantined), 0) FROM trail_files) AS unaccounted,
  (SELECT coalesce(sum(rows), 0) FROM trail_files) - (SELECT count(*) FROM cloudtrail_logs)
  - (SELECT count(*) FROM cloudtrail_insights) - (SELECT count(*) FROM cloudtrail_aggregated) AS lost,
  (SELECT coalesce(sum(duplicates), 0) FROM trail_files) - (SELECT count(*) FROM trail_duplicates) AS duplicates_lost`)
	if len(got) != 1 || got[0] != "0|0|0" {
		t.Fatalf("the ledger and the tables disagree: %v", got)
	}
}
