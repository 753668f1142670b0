package exec

import (
	"io"
	"os"
	"path/filepath"
)

// Scratch makes the temporary files of runs. Safe for concurrent use.
type Scratch interface {
	// Create makes an empty file that nobody else sees.
	Create() (ScratchFile, error)
}

// ScratchFile is written append-only, then read by any number of goroutines. Close gives its space back.
type ScratchFile interface {
	io.ReaderAt
	io.Writer
	io.Closer
}

// scratchName is the pattern of the files' names.
const scratchName = "trailql-*.spill"

// ScratchFolder is a Scratch in a folder of the file system. Files are removed right after they are made, so that they are gone with the
// process, however it ends. Where a file that is open cannot be removed, Close does it.
type ScratchFolder struct{ dir string }

// NewScratchFolder makes dir if it is missing, and removes files that a process left there.
func NewScratchFolder(dir string) (*ScratchFolder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if left, _ := filepath.Match(scratchName, e.Name()); left {
			_ = os.Remove(filepath.Join(dir, e.Name())) // one that a process uses has no name, or cannot be removed
		}
	}
	return &ScratchFolder{dir}, nil
}

// Create makes a file that only this user may read.
func (f *ScratchFolder) Create() (ScratchFile, error) {
	file, err := os.CreateTemp(f.dir, scratchName)
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil && !os.IsNotExist(err) {
		return removedLate{file}, nil
	}
	return file, nil
}

// removedLate is a file that has a name until it is closed.
type removedLate struct{ *os.File }

func (f removedLate) Close() error {
	err := f.File.Close()
	if gone := os.Remove(f.Name()); err == nil {
		err = gone
	}
	return err
}
