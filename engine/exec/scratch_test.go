package exec

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// names are the entries of a folder.
func names(t *testing.T, dir string) (out []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestScratchFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state [1]", "spill")
	folder, err := NewScratchFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	file, err := folder.Create()
	if err != nil {
		t.Fatal(err)
	}
	if left := names(t, dir); runtime.GOOS != "windows" && len(left) > 0 {
		t.Errorf("%v have a name while they are in use", left)
	}
	if info, err := file.(*os.File).Stat(); err == nil && info.Mode().Perm() != 0o600 {
		t.Errorf("the mode is %v", info.Mode())
	}
	if _, err := file.Write([]byte("rows")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 3)
	if _, err := file.ReadAt(got, 1); err != nil || string(got) != "ows" {
		t.Errorf("%q, %v", got, err)
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
	if left := names(t, dir); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
}

// Where an open file keeps its name, Close removes it; the next start sweeps what a process left, and nothing else.
func TestScratchFilesWithNames(t *testing.T) {
	dir := t.TempDir()
	left, err := os.CreateTemp(dir, scratchName)
	if err != nil {
		t.Fatal(err)
	}
	if err := (removedLate{left}).Close(); err != nil || len(names(t, dir)) > 0 {
		t.Errorf("%v are left, %v", names(t, dir), err)
	}
	for _, name := range []string{"trailql-123.spill", "trailql-123.arrow", "notes.spill"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := NewScratchFolder(dir); err != nil {
		t.Fatal(err)
	}
	if left := names(t, dir); len(left) != 2 || left[0] != "notes.spill" || left[1] != "trailql-123.arrow" {
		t.Errorf("%v are left", left)
	}
	if _, err := NewScratchFolder(filepath.Join(dir, "notes.spill")); err == nil {
		t.Error("a file was taken for a folder")
	}
}

// spillAndWait names a folder for a process that spills there and waits to be killed.
const spillAndWait = "TRAILQL_TEST_SPILL_AND_WAIT"

func TestMain(m *testing.M) {
	if dir := os.Getenv(spillAndWait); dir != "" {
		folder, err := NewScratchFolder(dir)
		if err != nil {
			panic(err)
		}
		file, err := folder.Create()
		if err != nil {
			panic(err)
		}
		if _, err := file.Write(make([]byte, 1<<20)); err != nil {
			panic(err)
		}
		_, _ = io.WriteString(os.Stdout, "written\n")
		_, _ = io.ReadAll(os.Stdin) // until killed
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestKilledProcessLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), spillAndWait+"="+dir)
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "written\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // it was killed, and says so
	if runtime.GOOS == "windows" {
		if _, err := NewScratchFolder(dir); err != nil { // there the next start removes it
			t.Fatal(err)
		}
	}
	if left := names(t, dir); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
}
