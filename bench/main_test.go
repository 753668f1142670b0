package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain lets the test binary be started as the contestants are.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && steps[os.Args[1]] != nil {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestCompare makes a whole comparison, of a small trail, with the real binary.
func TestCompare(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "trailql")
	build := exec.Command("go", "build", "-o", binary, "./cmd/trailql")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	var out bytes.Buffer
	err := compare(t.Context(), settings{trailql: binary, events: 5000, seed: 1, dir: t.TempDir(), days: 5, runs: 1, rounds: 2, patience: 1, colds: 1,
		yearDays: 2, files: 3000, asked: 2, starts: 2}.filled(), &out)
	t.Log("\n" + out.String())
	if err != nil {
		t.Fatal(err)
	}
	for what, n := range map[string]int{
		"| trailql compact | ": 1, "| DuckDB, as it comes | ": 1, "| DuckDB, ordered, one row per event | ": 1, "| the floor: ": 1, "The floor takes **": 1,
		"reads 0 records of it and says nothing": 1, // else the README tells what is no longer so
		"| trailql, data files ":                 1, "| zstd at level 3 ": 1, "| DuckDB, ordered |": 1,
		"| **geometric mean** |": 5, "| least |": 5, "Full scans (": 2,
		"\n| access key | ": 1, "\n| source address | ": 1, "\n| event id | ": 1, "\n| request id | ": 1, "\n| resource, any_match | ": 1, "\n| resource, UNNEST | ": 1,
		"| `eventtime` | ": 1, "| `date` | ": 1, "| queries/s | ": 1, "| `trailql query`, ": 1,
	} {
		if got := strings.Count(out.String(), what); got != n {
			t.Errorf("%q is there %d times, want %d", what, got, n)
		}
	}
	for _, q := range queries {
		want := 3 // over the lake, cold, and over few files
		if q.raw != "" {
			want++
		}
		if n := strings.Count(out.String(), "\n| "+q.name+" | "); n != want {
			t.Errorf("%d lines are about %q, want %d", n, q.name, want)
		}
	}
}
