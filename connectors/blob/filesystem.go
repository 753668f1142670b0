package blob

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"runtime"
)

// FileSystem is what a folder store asks of the system: calls of an os.Root with their meaning and errors, by slash-separated names below it.
// Tests put simulated disks in its place. Safe for concurrent use.
type FileSystem interface {
	// Open opens a file to be read, or a folder to be listed and synced.
	Open(name string) (File, error)
	// Make makes a file that must not be there, to be written.
	Make(name string) (File, error)
	// OpenRoot opens a folder as a FileSystem of its own.
	OpenRoot(name string) (FileSystem, error)
	Stat(name string) (fs.FileInfo, error)
	Lstat(name string) (fs.FileInfo, error)
	Mkdir(name string, perm fs.FileMode) error
	Rename(oldname, newname string) error
	Link(oldname, newname string) error
	Remove(name string) error
	RemoveAll(name string) error
	Close() error
}

// File is an open file or folder: the calls of an os.File.
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer
	io.Closer
	Stat() (fs.FileInfo, error)
	ReadDir(n int) ([]fs.DirEntry, error)
	Sync() error
}

// osRoot is the system's own.
type osRoot struct{ *os.Root }

func (r osRoot) Open(name string) (File, error) { return opened(r.Root.Open(name)) }

func (r osRoot) Make(name string) (File, error) {
	return opened(r.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666))
}

// opened keeps a nil *os.File from becoming a File.
func opened(f *os.File, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (r osRoot) OpenRoot(name string) (FileSystem, error) {
	root, err := r.Root.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	return osRoot{root}, nil
}

// SyncFolder makes the entries of a folder below root durable.
func SyncFolder(root *os.Root, dir string) error { return syncFolder(osRoot{root}, dir) }

func syncFolder(root FileSystem, dir string) error {
	if runtime.GOOS == "windows" { // folders cannot be synced there; the file system journals its entries
		return nil
	}
	f, err := root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
