package exec

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/trailql/trailql/engine/figure"
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
// process, however it ends. Where a file that is open cannot be removed, Close does it. Files stop growing while the disk has little left.
type ScratchFolder struct {
	dir     string
	space   func(dir string) (left, all int64, known bool)
	written atomic.Int64
}

// NewScratchFolder removes files that a process left in dir. It is made, if it is missing, with the first file.
func NewScratchFolder(dir string) *ScratchFolder {
	entries, _ := os.ReadDir(dir) // Create tells what is wrong with it
	for _, e := range entries {
		if left, _ := filepath.Match(scratchName, e.Name()); left {
			_ = os.Remove(filepath.Join(dir, e.Name())) // one that a process uses has no name, or cannot be removed
		}
	}
	return &ScratchFolder{dir: dir, space: diskSpace}
}

// Create makes a file that only this user may read.
func (f *ScratchFolder) Create() (ScratchFile, error) {
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return nil, err
	}
	if err := f.roomy(); err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(f.dir, scratchName)
	if err != nil {
		return nil, err
	}
	err = os.Remove(file.Name())
	return &folderFile{File: file, folder: f, named: err != nil && !errors.Is(err, fs.ErrNotExist)}, nil
}

// askEvery is how much is written before the disk is asked again how much is left.
const askEvery = 64 << 20

// roomy is an error where the disk has no more than a twentieth left, or 1 GiB if that is less.
func (f *ScratchFolder) roomy() error {
	left, all, known := f.space(f.dir)
	if least := min(all/20, 1<<30); known && left <= least {
		return fmt.Errorf("the disk of %s has only %s left", f.dir, figure.Bytes(left))
	}
	return nil
}

// folderFile is a file of a ScratchFolder.
type folderFile struct {
	*os.File
	folder *ScratchFolder
	named  bool // until it is closed
}

func (f *folderFile) Write(b []byte) (int, error) {
	if after := f.folder.written.Add(int64(len(b))); after/askEvery != (after-int64(len(b)))/askEvery {
		if err := f.folder.roomy(); err != nil {
			return 0, err
		}
	}
	return f.File.Write(b)
}

func (f *folderFile) Close() error {
	err := f.File.Close()
	if f.named {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return err
}
