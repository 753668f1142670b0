// Package external reads and writes the files of other people's tables: CSV, Hive's text, JSON lines and Parquet in
// folders that the caller has named. What it reads are strangers' bytes.
package external

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/engine/sqlerr"
)

// Root is a folder in which statements may read and write files, under a name.
type Root struct {
	Name  string
	Dir   string // absolute, with links followed
	Store blob.Store
}

var rootName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$`)

// OpenRoot opens a folder that must be there.
func OpenRoot(name, dir string) (Root, error) {
	if !rootName.MatchString(name) {
		return Root{}, fmt.Errorf("root %q: a name has letters a to z, digits, _ and -", name)
	}
	full, err := filepath.Abs(dir)
	if err == nil {
		full, err = filepath.EvalSymlinks(full)
	}
	if err != nil {
		return Root{}, fmt.Errorf("root %s: %w", name, err)
	}
	if info, err := os.Stat(full); err != nil || !info.IsDir() {
		return Root{}, fmt.Errorf("root %s: %s is no folder", name, dir)
	}
	store, err := blob.OpenFolder(full)
	if err != nil {
		return Root{}, fmt.Errorf("root %s: %w", name, err)
	}
	return Root{Name: name, Dir: full, Store: store}, nil
}

// Place is a file or folder in a root; Path is slash-separated, "" for the root itself.
type Place struct {
	Root Root
	Path string
}

// String is the place as statements write it.
func (p Place) String() string { return strings.TrimSuffix(p.Root.Name+"/"+p.Path, "/") }

// in is the name of a file in the place.
func (p Place) in(name string) string { return strings.TrimPrefix(p.Path+"/"+name, "/") }

// Roots are the folders that statements may use.
type Roots []Root

// Find finds the place that a location means: NAME/path, or an absolute path or file:// URL that lies in a root. Errors are *sqlerr.Error.
func (all Roots) Find(location string) (Place, error) {
	refuse := func(format string, args ...any) (Place, error) {
		return Place{}, sqlerr.New(sqlerr.Name, 0, "location '%s' %s", location, fmt.Sprintf(format, args...)).WithHint("%s", all.hint())
	}
	scheme, rest, isURL := strings.Cut(location, "://")
	switch {
	case strings.ContainsAny(location, "\x00\\"):
		return refuse("has a character that no location has")
	case isURL && strings.EqualFold(scheme, "s3"):
		return Place{}, sqlerr.New(sqlerr.Unknown, 0, "location '%s' is in S3, which is not supported yet", location).WithHint("%s", all.hint())
	case isURL && !strings.EqualFold(scheme, "file"):
		return refuse("is not in a folder")
	case isURL:
		path, err := url.PathUnescape(rest)
		if err != nil {
			return refuse("is not well formed")
		}
		return all.absolute(path, refuse)
	case filepath.IsAbs(location):
		return all.absolute(location, refuse)
	}
	name, path, _ := strings.Cut(location, "/")
	at := slices.IndexFunc(all, func(r Root) bool { return r.Name == name })
	if at < 0 {
		return refuse("is in no root")
	}
	path = strings.Trim(path, "/")
	if path != "" {
		for part := range strings.SplitSeq(path, "/") {
			if part == "" || part == "." || part == ".." {
				return refuse("has the part %q, which is not allowed", part)
			}
		}
	}
	return Place{all[at], path}, nil
}

// absolute finds the root that a path lies in. What links in it lead to is looked at again by whoever opens a file.
func (all Roots) absolute(path string, refuse func(string, ...any) (Place, error)) (Place, error) {
	if !filepath.IsAbs(path) || slices.Contains(strings.Split(filepath.ToSlash(path), "/"), "..") {
		return refuse("is no absolute path without ..")
	}
	for _, full := range []string{filepath.Clean(path), followed(filepath.Clean(path))} {
		for _, r := range all {
			relative, err := filepath.Rel(r.Dir, full)
			if err == nil && filepath.IsLocal(relative) {
				return Place{r, strings.TrimPrefix(filepath.ToSlash(relative), ".")}, nil
			}
		}
	}
	return refuse("is in no root")
}

// followed follows the links in as much of a path as there is.
func followed(path string) string {
	if full, err := filepath.EvalSymlinks(path); err == nil || !errors.Is(err, os.ErrNotExist) {
		return full
	}
	parent := filepath.Dir(path)
	if parent == path {
		return path
	}
	return filepath.Join(followed(parent), filepath.Base(path))
}

// hint says which roots there are, but not where: who asks over a server need not know its disk.
func (all Roots) hint() string {
	if len(all) == 0 {
		return "statements may use files only in folders that trailql was started with: --root NAME=FOLDER, and then the location 'NAME/path'"
	}
	var list []string
	for _, r := range all {
		list = append(list, r.Name)
	}
	return "write 'NAME/path' with one of the roots: " + strings.Join(list, ", ")
}
