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
	r, err := compare(t.Context(), settings{trailql: binary, events: 5000, seed: 1, runs: 1, rounds: 2})
	if err != nil {
		t.Fatal(err)
	}
	ours, ordered, plain := r.compactions[0].Rows, r.compactions[1].Rows, r.compactions[2].Rows
	if ours == 0 || ordered != ours {
		t.Errorf("trailql has %d events, DuckDB %d", ours, ordered)
	}
	if plain <= ours {
		t.Errorf("DuckDB has %d records as they come, trailql %d rows: the trail lacks its copies", plain, ours)
	}
	var out bytes.Buffer
	r.print(&out)
	for _, q := range queries {
		if n := strings.Count(out.String(), "\n| "+q.name+" | "); n == 0 || q.raw != "" && n != 2 {
			t.Errorf("%d lines of the report are about %q", n, q.name)
		}
	}
	if !strings.Contains(out.String(), "reads 0 records of it and says nothing") {
		t.Error("DuckDB now does something else with an object that was cut off; the README tells otherwise")
	}
	t.Log("\n" + out.String())
}
