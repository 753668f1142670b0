package exec

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
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
	file, err := NewScratchFolder(dir).Create()
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if left := names(t, dir); runtime.GOOS != "windows" && len(left) > 0 {
		t.Errorf("%v have a name while they are in use", left)
	}
	if info, err := file.(*folderFile).Stat(); err == nil && info.Mode().Perm() != 0o600 {
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
	if err := (&folderFile{File: left, named: true}).Close(); err != nil || len(names(t, dir)) > 0 {
		t.Errorf("%v are left, %v", names(t, dir), err)
	}
	for _, name := range []string{"trailql-123.spill", "trailql-123.arrow", "notes.spill"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	NewScratchFolder(dir)
	if left := names(t, dir); len(left) != 2 || left[0] != "notes.spill" || left[1] != "trailql-123.arrow" {
		t.Errorf("%v are left", left)
	}
	if _, err := NewScratchFolder(filepath.Join(dir, "notes.spill")).Create(); err == nil {
		t.Error("a file was taken for a folder")
	}
}

// Files do not fill a disk to the brim: a twentieth of it, or 1 GiB, is left to others.
func TestScratchLeavesSpace(t *testing.T) {
	left, all := int64(10<<30), int64(100<<30)
	folder := NewScratchFolder(t.TempDir())
	folder.space = func(string) (int64, int64, bool) { return left, all, true }
	file, err := folder.Create()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	part := make([]byte, askEvery/4)
	write := func() (err error) {
		for i := 0; i < 4 && err == nil; i++ {
			_, err = file.Write(part)
		}
		return err
	}
	if err := write(); err != nil {
		t.Error(err)
	}
	if left = 1 << 30; write() == nil {
		t.Error("it wrote with 1 GiB left of 100 GiB")
	}
	if _, err := folder.Create(); err == nil || !strings.Contains(err.Error(), "only 1 GiB left") {
		t.Errorf("another file: %v", err)
	}
	if all = 4 << 30; write() != nil {
		t.Error("it did not write with 1 GiB left of 4 GiB")
	}
}

// spillAndWait names a folder for a process that spills there and waits to be killed.
const spillAndWait = "TRAILQL_TEST_SPILL_AND_WAIT"

func TestMain(m *testing.M) {
	if dir := os.Getenv(spillAndWait); dir != "" {
		file, err := NewScratchFolder(dir).Create()
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
		NewScratchFolder(dir) // there the next start removes it
	}
	if left := names(t, dir); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
}
