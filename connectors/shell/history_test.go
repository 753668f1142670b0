package shell

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

func reopened(t *testing.T, path string) *history {
	t.Helper()
	h, err := openHistory(path)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func write(t *testing.T, h *history, entries ...string) {
	t.Helper()
	for _, e := range entries {
		if _, err := h.Write(e); err != nil {
			t.Fatal(err)
		}
	}
}

func TestHistoryKeepsStatementsWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "history")
	entries := []string{"SELECT 1;", "SELECT\n'größe'\r\n;", `SELECT "a\b";`, strings.Repeat("x", 100_000)} // the last is longer than a line reader's buffer
	write(t, reopened(t, path), entries...)
	h := reopened(t, path)
	for i, want := range entries {
		if got, err := h.GetLine(i); err != nil || got != want {
			t.Errorf("entry %d: %.40q, %v", i, got, err)
		}
	}
	if h.Len() != len(entries) {
		t.Errorf("%d entries", h.Len())
	}
	for _, i := range []int{-1, 4} {
		if _, err := h.GetLine(i); err == nil {
			t.Errorf("there is an entry %d", i)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others can read it: %v, %v", info.Mode(), err)
	}
}

// Two shells at once: nobody's line is lost or torn.
func TestHistoryOfTwoShells(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history")
	a, b := reopened(t, path), reopened(t, path)
	var both sync.WaitGroup
	for i, h := range []*history{a, b} {
		both.Go(func() {
			for n := range 200 {
				if _, err := h.Write(fmt.Sprintf("SELECT %d -- %d %s", n, i, strings.Repeat("y", 3000))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	both.Wait()
	if h := reopened(t, path); h.Len() != 400 {
		t.Errorf("%d entries of 400", h.Len())
	}
}

// What is not ours in the file is passed over; a file that grew too large is put aside, with what is newest still there.
func TestHistoryIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history")
	if err := os.WriteFile(path, []byte("not json\n\"one\"\n{}\n\"\"\n\"two\"\n\"torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	if h := reopened(t, path); !slices.Equal(h.entries, []string{"one", "two"}) {
		t.Errorf("got %q", h.entries)
	}
	line := `"` + strings.Repeat("z", 99) + "\"\n"
	if err := os.WriteFile(path, []byte(strings.Repeat(line, 3*historyBytes/len(line))+"\"last\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h := reopened(t, path)
	if last, _ := h.GetLine(h.Len() - 1); h.Len() != historyEntries || last != "last" {
		t.Errorf("%d entries, the last is %.20q", h.Len(), last)
	}
	write(t, h, "new")
	if info, err := os.Stat(path); err != nil || info.Size() > 100 {
		t.Errorf("the large file is still written to: %v", err)
	}
	h = reopened(t, path)
	if last, _ := h.GetLine(h.Len() - 1); h.Len() != historyEntries || last != "new" {
		t.Errorf("%d entries, the last is %.20q", h.Len(), last)
	}
}

func TestHistoryThatCannotBeKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openHistory(filepath.Join(file, "history")); err == nil || !strings.Contains(err.Error(), "history") {
		t.Errorf("got %v", err)
	}
	h := &history{path: filepath.Join(file, "history")}
	if _, err := h.Write("SELECT 1"); err == nil || h.Len() != 1 {
		t.Errorf("%v; the entry is known as long as the shell lives", err)
	}
}
