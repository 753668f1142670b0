package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/trailql/trailql/connectors/cloudtrail/synth"
	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/sqlerr"
)

// asProgram makes a process of the test's own binary be the program.
const asProgram = "TRAILQL_TEST_AS_PROGRAM"

// peakTo names a file for the status of that process at its end, where Linux tells of its memory.
const peakTo = "TRAILQL_TEST_STATUS_TO"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		code := run(untilSignal(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
		if report := os.Getenv(peakTo); report != "" {
			if status, err := os.ReadFile("/proc/self/status"); err == nil {
				os.WriteFile(report, status, 0o666)
			}
		}
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// command is the program with these arguments, as a process of its own.
func command(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self, args...)
	c.Env = append(os.Environ(), asProgram+"=1")
	return c
}

// exitOf runs a process to its end.
func exitOf(t testing.TB, c *exec.Cmd) (code int, errs string) {
	t.Helper()
	var out bytes.Buffer
	c.Stderr = &out
	err := c.Run()
	var exited *exec.ExitError
	if err != nil && !errors.As(err, &exited) {
		t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), out.String()
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// smallTrail is a generated trail with some of everything in it, and faults.
func smallTrail(t testing.TB, dir string, events int) string {
	t.Helper()
	_, err := synth.Generate(t.Context(), synth.Options{Seed: 5, Events: events, Days: 2, Faults: true}, func(o synth.Object) error {
		objects{o.Name: o.Data}.write(t, dir)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// everything is what a lake holds, in an order of its own.
func everything(t testing.TB, lake string) []string {
	t.Helper()
	rows := linesOf(t, lake, `SELECT eventjson, _conflict FROM `+allRows)
	slices.Sort(rows)
	return rows
}

// Compactors that work on one lake at the same time all finish, and nothing is doubled.
func TestCompactorsAtOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("not with -short: it runs the program many times")
	}
	source := smallTrail(t, t.TempDir(), 1500)
	alone := filepath.Join(t.TempDir(), "lake")
	compactTo(t, exitQuarantine, alone, source)
	want := everything(t, alone)
	counts := `SELECT sum(records), sum(rows), sum(duplicates), sum(quarantined), count(*) FROM trail_files`
	for range 3 {
		lake := filepath.Join(t.TempDir(), "lake")
		var wg sync.WaitGroup
		for range 3 {
			c := command(t, "compact", source, "--lake", lake)
			wg.Go(func() {
				out, err := c.CombinedOutput()
				if code := c.ProcessState.ExitCode(); code != 0 && code != exitQuarantine {
					t.Errorf("exit %d, %v:\n%s", code, err, out)
				}
			})
		}
		wg.Wait()
		reconcile(t, lake)
		if got := everything(t, lake); !slices.Equal(got, want) {
			t.Errorf("%d rows, want %d, or other ones", len(got), len(want))
		}
		expect(t, lake, counts, linesOf(t, alone, counts)...)
	}
}

// The index is a cache: whatever becomes of it, the answers are the same, and the next run adds nothing.
func TestIndexIsACache(t *testing.T) {
	source, lake := smallTrail(t, t.TempDir(), 300), filepath.Join(t.TempDir(), "lake")
	compactTo(t, exitQuarantine, lake, source)
	want := everything(t, lake)
	index := filepath.Join(lake, "_trailql", "index.db")
	whole, err := os.ReadFile(index)
	if err != nil {
		t.Fatal(err)
	}
	garbage := slices.Clone(whole)
	for r, i := rand.New(rand.NewPCG(1, 1)), 0; i < len(garbage)/50; i++ {
		garbage[100+r.IntN(len(garbage)-100)] ^= byte(1 + r.IntN(255))
	}
	for _, c := range []struct {
		why    string
		damage func() error
	}{
		{"deleted", func() error { return os.Remove(index) }},
		{"empty", func() error { return os.WriteFile(index, nil, 0o666) }},
		{"text", func() error { return os.WriteFile(index, bytes.Repeat([]byte("garbage "), 4096), 0o666) }},
		{"cut", func() error { return os.WriteFile(index, whole[:len(whole)/2], 0o666) }},
		{"damaged here and there", func() error { return os.WriteFile(index, garbage, 0o666) }},
		{"of an older time", func() error { return os.WriteFile(index, whole, 0o666) }},
		{"a folder", func() error { return errors.Join(os.Remove(index), os.MkdirAll(filepath.Join(index, "x"), 0o777)) }},
	} {
		t.Run(c.why, func(t *testing.T) {
			for _, extra := range []string{"-wal", "-shm"} {
				os.Remove(index + extra)
			}
			if err := c.damage(); err != nil {
				t.Fatal(err)
			}
			if got := everything(t, lake); !slices.Equal(got, want) {
				t.Errorf("a query first: %d rows, want %d", len(got), len(want))
			}
			if err := c.damage(); err != nil && c.why != "a folder" {
				t.Fatal(err)
			}
			if errs := compactTo(t, 0, lake, source); !strings.Contains(errs, " 0 new ") {
				t.Errorf("a compaction found something new:\n%s", errs)
			}
			if got := everything(t, lake); !slices.Equal(got, want) {
				t.Errorf("a compaction first: %d rows, want %d", len(got), len(want))
			}
		})
	}
}

// An index that vanishes or rots under an open lake does not change answers.
func TestIndexRotsUnderQueries(t *testing.T) {
	source, lake := smallTrail(t, t.TempDir(), 300), filepath.Join(t.TempDir(), "lake")
	compactTo(t, exitQuarantine, lake, source)
	const question = `SELECT eventname, count(*) FROM cloudtrail_logs WHERE eventtime > '2000' GROUP BY 1 ORDER BY 1`
	want := linesOf(t, lake, question)
	l, err := openLake(t.Context(), lake)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	eng := engine.New(l)
	index := filepath.Join(lake, "_trailql", "index.db")
	for i, damage := range []func() error{
		func() error { return nil },
		func() error { return os.WriteFile(index, bytes.Repeat([]byte("garbage "), 4096), 0o666) },
		func() error { return os.Truncate(index, 0) },
		func() error { return os.Remove(index) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			rows, err := answerOf(t.Context(), eng, question, engine.Options{})
			if err != nil {
				t.Fatalf("damage %d: %v", i, err)
			}
			for j, row := range rows {
				if strings.Join(row, "|") != want[j] {
					t.Fatalf("damage %d: row %q, want %q", i, row, want[j])
				}
			}
		}
	}
}

// damageQuestions touch every table and each way to an answer.
var damageQuestions = []string{
	`SELECT count(*) FROM cloudtrail_logs`,
	`SELECT eventname, count(*) FROM cloudtrail_logs GROUP BY 1 ORDER BY 1`,
	`SELECT eventjson FROM cloudtrail_logs ORDER BY eventid, 1`,
	`SELECT min(eventtime), max(eventtime), count(DISTINCT useridentity.arn), count(sourceipaddress) FROM cloudtrail_logs`,
	`SELECT eventid FROM cloudtrail_logs WHERE eventtime >= '2026-03-03T06:00:00Z' AND eventname = 'AssumeRole' ORDER BY 1`,
	`SELECT path, records, rows FROM trail_files ORDER BY 1`,
}

// tryAll asks the questions of a lake that was damaged: each gets the right answer or an error of kind Data that names a file.
func tryAll(lake string, want [][]string, t *testing.T) (failures int, problem error) {
	l, err := openLake(t.Context(), lake)
	if err != nil {
		if !strings.Contains(err.Error(), "_delta_log/") {
			return 1, fmt.Errorf("error without a log entry: %w", err)
		}
		return 1, nil
	}
	defer l.Close()
	eng := engine.New(l)
	for i, q := range damageQuestions {
		rows, err := answerOf(t.Context(), eng, q, engine.Options{})
		if err != nil {
			failures++
			if problem := clear(err); problem != nil {
				return failures, fmt.Errorf("%s: %w", q, problem)
			}
			continue
		}
		var got []string
		for _, row := range rows {
			got = append(got, strings.Join(row, "|"))
		}
		if !slices.Equal(got, want[i]) {
			return failures, fmt.Errorf("%s: another answer, %.300q instead of %.300q", q, got, want[i])
		}
	}
	return failures, nil
}

// clear returns what is wrong with an error about damage.
func clear(err error) error {
	text := err.Error()
	switch {
	case sqlerr.KindOf(err) != sqlerr.Data:
		return fmt.Errorf("error of kind %s: %v", sqlerr.KindOf(err), err)
	case !strings.Contains(text, "/"):
		return fmt.Errorf("error without a file: %v", err)
	case strings.Contains(text, "panic") || strings.Contains(text, "runtime error") || strings.Contains(text, "index out of range"):
		return fmt.Errorf("error in the words of Go: %v", err)
	}
	return nil
}

func damageable(t *testing.T) (lake string, want [][]string) {
	t.Helper()
	source := smallTrail(t, t.TempDir(), 400)
	lake = filepath.Join(t.TempDir(), "lake")
	compactTo(t, exitQuarantine, lake, source)
	for _, q := range damageQuestions {
		want = append(want, linesOf(t, lake, q))
	}
	return lake, want
}

// A damaged data file gives an error that names it, or does not matter; never another answer.
func TestDamagedDataFile(t *testing.T) {
	lake, want := damageable(t)
	files, err := filepath.Glob(filepath.Join(lake, "cloudtrail_logs", "*", "*", "*", "*.parquet"))
	more, err2 := filepath.Glob(filepath.Join(lake, "trail_files", "*.parquet"))
	files = append(files, more...)
	if err != nil || err2 != nil || len(files) == 0 {
		t.Fatal(err, err2, len(files))
	}
	r := rand.New(rand.NewPCG(7, 7))
	rounds, noticed := 120, 0
	if testing.Short() {
		rounds = 8
	}
	for i := range rounds {
		file := files[r.IntN(len(files))]
		whole, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		bad := slices.Clone(whole)
		what := ""
		switch i % 4 {
		case 0: // one bit
			at := r.IntN(len(bad))
			bad[at] ^= 1 << r.IntN(8)
			what = fmt.Sprintf("a bit at %d of %d", at, len(bad))
		case 1: // a block of noise
			at := r.IntN(len(bad))
			for j := at; j < min(at+64, len(bad)); j++ {
				bad[j] = byte(r.Uint32())
			}
			what = fmt.Sprintf("64 bytes at %d of %d", at, len(bad))
		case 2: // the footer
			at := len(bad) - 1 - r.IntN(min(200, len(bad)))
			bad[at] ^= byte(1 + r.IntN(255))
			what = fmt.Sprintf("a byte at %d of %d", at, len(bad))
		case 3:
			bad = bad[:r.IntN(len(bad))]
			what = fmt.Sprintf("cut to %d of %d", len(bad), len(whole))
		}
		if err := os.WriteFile(file, bad, 0o666); err != nil {
			t.Fatal(err)
		}
		failures, problem := tryAll(lake, want, t)
		if problem != nil {
			t.Errorf("%s: %s: %v", strings.TrimPrefix(file, lake), what, problem)
		}
		if failures > 0 {
			noticed++
		}
		if err := os.WriteFile(file, whole, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d of %d damages were noticed by some question", noticed, rounds)
	if noticed == 0 {
		t.Error("no damage was noticed at all")
	}
	file := files[0]
	if err := os.Rename(file, file+".away"); err != nil {
		t.Fatal(err)
	}
	if failures, problem := tryAll(lake, want, t); problem != nil || failures == 0 {
		t.Errorf("a file is missing: %d failures, %v", failures, problem)
	}
}

// A damaged log entry gives an error that names it, or does not matter. The index knows the log by heart, so it is damaged
// with and without one.
func TestDamagedLog(t *testing.T) {
	lake, want := damageable(t)
	entries, err := filepath.Glob(filepath.Join(lake, "*", "_delta_log", "*.json"))
	if err != nil || len(entries) == 0 {
		t.Fatal(err, len(entries))
	}
	index := filepath.Join(lake, "_trailql", "index.db")
	r := rand.New(rand.NewPCG(9, 9))
	rounds := 150
	if testing.Short() {
		rounds = 8
	}
	for i := range rounds {
		entry := entries[r.IntN(len(entries))]
		whole, err := os.ReadFile(entry)
		if err != nil {
			t.Fatal(err)
		}
		bad := slices.Clone(whole)
		what := ""
		switch i % 5 {
		case 0:
			at := r.IntN(len(bad))
			bad[at] ^= 1 << r.IntN(7)
			what = fmt.Sprintf("a bit at %d of %d: %.60q", at, len(bad), bad[max(0, at-30):min(at+30, len(bad))])
		case 1:
			bad = bad[:r.IntN(len(bad))]
			what = fmt.Sprintf("cut to %d of %d", len(bad), len(whole))
		case 2:
			bad, what = nil, "emptied"
		case 3:
			bad, what = bytes.Repeat([]byte{0}, len(bad)), "zeros"
		case 4:
			at := r.IntN(len(bad))
			bad = slices.Delete(bad, at, min(at+20, len(bad)))
			what = fmt.Sprintf("20 bytes at %d of %d are gone: %.60q", at, len(whole), bad[max(0, at-30):min(at+30, len(bad))])
		}
		if err := os.WriteFile(entry, bad, 0o666); err != nil {
			t.Fatal(err)
		}
		if i%3 > 0 {
			for _, suffix := range []string{"", "-wal", "-shm"} {
				os.Remove(index + suffix)
			}
		}
		if _, problem := tryAll(lake, want, t); problem != nil {
			t.Errorf("%s: %s: %v", strings.TrimPrefix(entry, lake), what, problem)
		}
		if err := os.WriteFile(entry, whole, 0o666); err != nil {
			t.Fatal(err)
		}
		os.Remove(index)
	}
}
