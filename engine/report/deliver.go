package report

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/trailql/trailql/connectors/blob"
)

// Deliver brings a report to where it shall be read: all of it, or nothing.
type Deliver func(ctx context.Context, r *Report) (Delivered, error)

// Delivered says where a report is.
type Delivered struct {
	Where  string
	SHA256 string // of report.json, hex
}

// Folder delivers into a folder below out, PACK/FROM_TO, as report.html, report.json and findings.csv. The folder appears when all of it is
// written, and is never touched again: the same period once more goes beside it, as FROM_TO-2. Where is its absolute path.
func Folder(out string) Deliver {
	return func(ctx context.Context, r *Report) (Delivered, error) {
		d, err := deliver(ctx, out, r)
		if err != nil {
			return Delivered{}, fmt.Errorf("delivering the report to %s: %w", out, err)
		}
		return d, nil
	}
}

func deliver(ctx context.Context, out string, r *Report) (_ Delivered, err error) {
	if !identifier.MatchString(r.Pack.ID) {
		return Delivered{}, fmt.Errorf("the pack's id %q cannot name a folder", r.Pack.ID)
	}
	if out, err = filepath.Abs(out); err != nil {
		return Delivered{}, err
	}
	if err := os.MkdirAll(out, 0o777); err != nil {
		return Delivered{}, err
	}
	root, err := os.OpenRoot(out) // no name and no link below leads out of it
	if err != nil {
		return Delivered{}, err
	}
	defer root.Close()
	period := folderTime(r.Period.From) + "_" + folderTime(r.Period.To)
	sweepAside(root, r.Pack.ID, r.Ended)
	temp := path.Join(r.Pack.ID, asidePrefix+rand.Text())
	if err := root.MkdirAll(temp, 0o777); err != nil {
		return Delivered{}, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, root.RemoveAll(temp))
		}
	}()
	var d Delivered
	if d.SHA256, err = r.writeAll(ctx, root, temp); err != nil {
		return Delivered{}, err
	}
	for _, folder := range []string{temp, r.Pack.ID, "."} {
		if err := blob.SyncFolder(root, folder); err != nil {
			return Delivered{}, err
		}
	}
	// Renaming a folder fails where a folder with something in it stands, so that two processes cannot take one name.
	for n := 1; ; n++ {
		name := path.Join(r.Pack.ID, period)
		if n > 1 {
			name = fmt.Sprintf("%s-%d", name, n)
		}
		if _, err := root.Lstat(name); err == nil {
			continue
		} else if !errors.Is(err, fs.ErrNotExist) {
			return Delivered{}, err
		}
		if err := root.Rename(temp, name); err != nil {
			if _, there := root.Lstat(name); there == nil {
				continue
			}
			return Delivered{}, err
		}
		d.Where = filepath.Join(out, filepath.FromSlash(name))
		return d, blob.SyncFolder(root, r.Pack.ID)
	}
}

// asidePrefix begins the names of folders in which reports are written. A crash leaves its folder behind.
const asidePrefix = ".tmp-"

// sweepAside removes what a crash left in a folder more than a day before now. What cannot be removed now is tried again the next time.
func sweepAside(root *os.Root, folder string, now time.Time) {
	entries, err := fs.ReadDir(root.FS(), folder)
	if err != nil {
		return // it is made yet
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && e.IsDir() && strings.HasPrefix(e.Name(), asidePrefix) && now.Sub(info.ModTime()) > 24*time.Hour {
			_ = root.RemoveAll(path.Join(folder, e.Name()))
		}
	}
}

// folderTime is a time as part of a folder's name: the UTC day alone if that says it.
func folderTime(t time.Time) string {
	t = t.UTC()
	switch {
	case t.Equal(t.Truncate(24 * time.Hour)):
		return t.Format("2006-01-02")
	case t.Equal(t.Truncate(time.Minute)):
		return t.Format("2006-01-02T1504Z")
	}
	return t.Format("2006-01-02T150405.999Z")
}

// fileNames are the files of a report.
var fileNames = [...]string{"report.html", "findings.csv", "report.json"}

// writeAll writes the files of a report into a folder and returns the SHA-256 of report.json.
func (r *Report) writeAll(ctx context.Context, root *os.Root, folder string) (sum string, err error) {
	forms := [len(fileNames)]func(context.Context, io.Writer) error{r.HTML, r.CSV, r.JSON}
	for i, name := range fileNames {
		if sum, err = writeFile(root, path.Join(folder, name), func(w io.Writer) error { return forms[i](ctx, w) }); err != nil {
			return "", err
		}
	}
	return sum, nil
}

// writeFile makes a file durable and returns the SHA-256 of what is in it.
func writeFile(root *os.Root, name string, write func(io.Writer) error) (string, error) {
	f, err := root.Create(name)
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	w := bufio.NewWriterSize(io.MultiWriter(f, hash), 1<<16)
	if err := write(w); err != nil {
		return "", errors.Join(fmt.Errorf("%s: %w", path.Base(name), err), f.Close())
	}
	if err := errors.Join(w.Flush(), f.Sync(), f.Close()); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
