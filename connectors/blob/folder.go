package blob

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// tempPrefix starts the names of files being written. No object's name may have a part that starts so, and List leaves them out.
const tempPrefix = ".tmp-"

// folder is a Store in a folder. Every access goes through a FileSystem (an os.Root), so neither a name nor a link leads out of it.
type folder struct {
	url  string
	root FileSystem
	// durable has the folders that were synced into their parents by this process.
	durable sync.Map
	near    nearby
}

// OpenFolder opens the folder root as a store and makes it if it is missing. Links inside it are followed; one that
// leads out of it, or is absolute, is an error where it is met.
func OpenFolder(root string) (Store, error) {
	if err := os.MkdirAll(root, 0o777); err != nil {
		return nil, fmt.Errorf("open folder: %w", err)
	}
	r, err := os.OpenRoot(root)
	if err != nil {
		return nil, fmt.Errorf("open folder: %w", err)
	}
	// Absolute, so that an object has one URL wherever the program is called from.
	url, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("open folder: %w", err)
	}
	url = filepath.ToSlash(url)
	return NewFolder(url, osRoot{r}), nil
}

// NewFolder is a store in the root of a file system; url is what it calls itself.
func NewFolder(url string, root FileSystem) Store { return &folder{url: url, root: root} }

func (s *folder) URL() string { return s.url }

// fail names the object in err once: the relative path that package os adds is dropped.
func (s *folder) fail(verb, name string, err error) error {
	var pathErr *fs.PathError
	var linkErr *os.LinkError
	switch {
	case errors.As(err, &pathErr):
		err = pathErr.Err
	case errors.As(err, &linkErr):
		err = linkErr.Err
	}
	return fmt.Errorf("%s %s/%s: %w", verb, s.url, name, err)
}

// checkName refuses names that are not clean slash-separated paths below the root. The rules are the same on every
// system, so a lake can be moved from one to another.
func checkName(name string) error {
	if strings.ContainsAny(name, "\x00\\") {
		return fmt.Errorf("object name %q: NUL and backslash are not allowed", name)
	}
	for part := range strings.SplitSeq(name, "/") {
		switch {
		case part == "":
			return fmt.Errorf("object name %q: empty part", name)
		case part == "." || part == "..":
			return fmt.Errorf("object name %q: part %q is not allowed", name, part)
		case strings.HasPrefix(part, tempPrefix):
			return fmt.Errorf("object name %q: names starting with %q are kept for files being written", name, tempPrefix)
		}
	}
	if !filepath.IsLocal(filepath.FromSlash(name)) { // what else this system forbids, such as NUL or COM1 on Windows
		return fmt.Errorf("object name %q is not allowed on this system", name)
	}
	return nil
}

func info(name string, fi fs.FileInfo) Info {
	tag := fmt.Sprintf("%x-%x-%x", fi.Size(), fi.ModTime().UnixNano(), fileNumber(fi))
	return Info{Name: name, Size: fi.Size(), ModTime: fi.ModTime(), ETag: tag}
}

func (s *folder) Stat(ctx context.Context, name string) (Info, error) {
	if err := errors.Join(ctx.Err(), checkName(name)); err != nil {
		return Info{}, err
	}
	fi, err := s.root.Stat(name)
	if err == nil && !fi.Mode().IsRegular() {
		err = errNotRegular(fi)
	}
	if err != nil {
		return Info{}, s.fail("stat", name, absent(err))
	}
	return info(name, fi), nil
}

// absent turns "a part of the name is a file" and "the name is a folder" into fs.ErrNotExist: objects have no folders.
func absent(err error) error {
	if errors.Is(err, syscall.ENOTDIR) || errors.Is(err, errIsFolder) {
		return fs.ErrNotExist
	}
	return err
}

var errIsFolder = errors.New("is a folder")

func errNotRegular(fi fs.FileInfo) error {
	if fi.IsDir() {
		return errIsFolder
	}
	return fmt.Errorf("is no regular file (%s)", fi.Mode().Type())
}

type folderObject struct {
	File
	size int64
}

func (o *folderObject) Size() int64 { return o.size }

func (s *folder) Open(ctx context.Context, name string) (Object, error) {
	if err := errors.Join(ctx.Err(), checkName(name)); err != nil {
		return nil, err
	}
	if o := s.near.open(s, name); o != nil {
		return o, nil
	}
	// Looked at before it is opened: opening a named pipe would wait for its writer.
	in, err := s.Stat(ctx, name)
	if err != nil {
		return nil, err
	}
	f, err := s.root.Open(name)
	if err != nil {
		return nil, s.fail("open", name, err)
	}
	s.near.keep(s, path.Dir(name))
	return &folderObject{File: f, size: in.Size}, nil
}

// nearby is the folder of an object opened before, itself kept open. Objects are mostly read folder by folder, and a Root opens each folder on
// the way to a name, twice for each object.
type nearby struct {
	mu   sync.RWMutex
	dir  string
	root FileSystem // of dir, reached through the store's root; nil: none
	here fs.FileInfo
	last string // folder of the last object that was in another one
}

// keep opens dir, in place of the one before, if the last object was in it too: files of a lake have folders of their own.
func (n *nearby) keep(s *folder, dir string) {
	if _, real := s.root.(osRoot); !real || runtime.GOOS == "windows" { // where a folder that is open cannot be moved or deleted
		return
	}
	n.mu.Lock()
	again := n.last == dir
	n.last = dir
	n.mu.Unlock()
	if !again {
		return
	}
	root, err := s.root.OpenRoot(dir)
	if err != nil {
		return
	}
	here, err := root.Stat(".")
	if err != nil {
		_ = root.Close()
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.root != nil {
		_ = n.root.Close()
	}
	n.dir, n.root, n.here = dir, root, here
}

// open opens an object of the folder, if that still is the one that its name leads to. Whatever is in the way gives nil: the way from the store's root
// then says what it is.
func (n *nearby) open(s *folder, name string) Object {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if n.root == nil || path.Dir(name) != n.dir {
		return nil
	}
	if now, err := os.Stat(filepath.Join(filepath.FromSlash(s.url), filepath.FromSlash(n.dir))); err != nil || !os.SameFile(now, n.here) {
		return nil
	}
	base := path.Base(name)
	fi, err := n.root.Stat(base)
	if err != nil || !fi.Mode().IsRegular() {
		return nil
	}
	f, err := n.root.Open(base)
	if err != nil {
		return nil
	}
	return &folderObject{File: f, size: fi.Size()}
}

func (s *folder) ReadAll(ctx context.Context, name string) ([]byte, error) {
	o, err := s.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	data, err := io.ReadAll(io.NewSectionReader(o, 0, o.Size()))
	if err == nil && int64(len(data)) != o.Size() {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, s.fail("read", name, err)
	}
	return data, nil
}

func (s *folder) Get(ctx context.Context, in Info) (io.ReadCloser, error) {
	o, err := s.Open(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	f := o.(*folderObject)
	fi, err := f.Stat()
	if err == nil && info(in.Name, fi).ETag != in.ETag {
		err = ErrChanged
	}
	if err != nil {
		_ = f.Close()
		return nil, s.fail("read", in.Name, err)
	}
	return &folderStream{ctx, s, f, in.Name, in.Size}, nil
}

// folderStream reads a file from its start, as long as it was listed.
type folderStream struct {
	ctx  context.Context
	s    *folder
	f    *folderObject
	name string
	left int64
}

func (r *folderStream) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	if r.left == 0 {
		return 0, io.EOF
	}
	n, err := r.f.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		err = r.s.fail("read", r.name, err)
	}
	return n, err
}

func (r *folderStream) Close() error { return r.f.Close() }

// List holds the entries of one folder per level at a time. A folder that cannot be read, a link that leads nowhere or
// out of the root, a loop of links and an entry that is neither file nor folder are Unlisted: nothing is left out silently.
func (s *folder) List(ctx context.Context, prefix, after string, visit func(Info) error) error {
	dir, rest := ".", prefix
	if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
		dir, rest = prefix[:i], prefix[i+1:]
		if err := checkName(dir); err != nil {
			return err
		}
	}
	fi, err := s.root.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || err == nil && !fi.IsDir() {
		return nil
	}
	if err != nil {
		return s.fail("list", dir, err)
	}
	var missed Unlisted
	err = s.list(ctx, dir, rest, after, []fs.FileInfo{fi}, visit, &missed)
	switch {
	case missed.Count == 0:
		return err
	case err == nil:
		return &missed
	}
	return errors.Join(err, &missed)
}

func (s *folder) Folders(ctx context.Context, prefix string) ([]string, error) {
	dir := "."
	if prefix != "" {
		dir = strings.TrimSuffix(prefix, "/")
		if err := checkPrefix(prefix); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	fi, err := s.root.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || err == nil && !fi.IsDir() {
		return nil, nil
	}
	if err != nil {
		return nil, s.fail("list", dir, err)
	}
	var missed Unlisted
	var out []string
	for _, c := range s.children(dir, "", "", &missed) {
		if c.fi.IsDir() {
			out = append(out, c.key)
		}
	}
	if missed.Count > 0 {
		return out, &missed
	}
	return out, nil
}

// checkPrefix refuses what is no prefix of Folders.
func checkPrefix(prefix string) error {
	dir, ok := strings.CutSuffix(prefix, "/")
	if !ok {
		return fmt.Errorf("prefix %q does not end in a slash", prefix)
	}
	return checkName(dir)
}

// list visits what is below dir with names that start with rest and are greater than after. above are dir and the folders over it.
func (s *folder) list(ctx context.Context, dir, rest, after string, above []fs.FileInfo, visit func(Info) error, missed *Unlisted) error {
	for _, c := range s.children(dir, rest, after, missed) {
		if err := ctx.Err(); err != nil {
			return err
		}
		full := path.Join(dir, c.key)
		if !c.fi.IsDir() {
			if err := visit(info(full, c.fi)); err != nil {
				return err
			}
			continue
		}
		if slices.ContainsFunc(above, func(a fs.FileInfo) bool { return os.SameFile(a, c.fi) }) {
			missed.add(s.fail("list", full, errors.New("a link leads back to a folder above it")))
			continue
		}
		if err := s.list(ctx, full, "", after, append(above, c.fi), visit, missed); err != nil {
			return err
		}
	}
	return nil
}

// child is an entry of a folder.
type child struct {
	key string // what it contributes to names: a folder ends in a slash, so "a-b" comes before "a/b"
	fi  fs.FileInfo
}

// children are the files and folders in dir whose names start with rest and that are, or may hold, objects greater than after.
func (s *folder) children(dir, rest, after string, missed *Unlisted) []child {
	entries, here, err := s.entries(dir)
	if err != nil {
		missed.add(s.fail("list", dir, err))
		return nil
	}
	defer here.Close()
	passed := func(full string) bool { return full <= after }
	below := func(full string) bool { return full+"/" <= after && !strings.HasPrefix(after, full+"/") }
	var children []child
	for _, e := range entries {
		name := e.Name()
		full := path.Join(dir, name)
		if !strings.HasPrefix(name, rest) || strings.HasPrefix(name, tempPrefix) || passed(full) && below(full) {
			continue
		}
		fi, err := here.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted since
		}
		if err == nil && fi.Mode().Type() == fs.ModeSymlink {
			fi, err = s.root.Stat(full)
		}
		switch {
		case err != nil:
			missed.add(s.fail("list", full, err))
		case strings.ContainsRune(name, '\\'):
			missed.add(checkName(full))
		case fi.IsDir():
			if !below(full) {
				children = append(children, child{name + "/", fi})
			}
		case fi.Mode().IsRegular():
			if !passed(full) {
				children = append(children, child{name, fi})
			}
		default:
			missed.add(s.fail("list", full, errNotRegular(fi)))
		}
	}
	slices.SortFunc(children, func(a, b child) int { return strings.Compare(a.key, b.key) })
	return children
}

// entries reads a folder. The folder comes open, so that looking at an entry does not walk the whole path again.
func (s *folder) entries(dir string) (entries []fs.DirEntry, here FileSystem, err error) {
	if here, err = s.root.OpenRoot(dir); err != nil {
		return nil, nil, err
	}
	f, err := here.Open(".")
	if err == nil {
		entries, err = f.ReadDir(-1)
		_ = f.Close()
	}
	if err != nil {
		_ = here.Close()
		return nil, nil, err
	}
	return entries, here, nil
}

// makeFolder makes dir and what is missing above it, durably.
func (s *folder) makeFolder(dir string) error {
	if dir == "." {
		return nil
	}
	parent := path.Dir(dir)
	if err := s.makeFolder(parent); err != nil {
		return err
	}
	if err := s.root.Mkdir(dir, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if _, done := s.durable.Load(dir); done {
		return nil
	}
	if err := syncFolder(s.root, parent); err != nil {
		return err
	}
	s.durable.Store(dir, true)
	return nil
}

func tempName(dir string) string {
	var b [12]byte
	rand.Read(b[:]) // never fails
	return path.Join(dir, tempPrefix+hex.EncodeToString(b[:]))
}

type folderWriter struct {
	ctx        context.Context
	s          *folder
	f          File // nil once closed or aborted
	buffer     *bufio.Writer
	temp, name string
}

// writeBuffer gathers the small pieces that files of columns are made of.
const writeBuffer = 64 << 10

func (s *folder) Create(ctx context.Context, name string) (Writer, error) {
	return s.create(ctx, name)
}

func (s *folder) create(ctx context.Context, name string) (*folderWriter, error) {
	if err := errors.Join(ctx.Err(), checkName(name)); err != nil {
		return nil, err
	}
	dir := path.Dir(name)
	if err := s.makeFolder(dir); err != nil {
		return nil, s.fail("create", name, err)
	}
	temp := tempName(dir)
	f, err := s.root.Make(temp)
	if err != nil {
		return nil, s.fail("create", name, err)
	}
	return &folderWriter{ctx: ctx, s: s, f: f, buffer: bufio.NewWriterSize(f, writeBuffer), temp: temp, name: name}, nil
}

func (w *folderWriter) Write(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	if w.f == nil {
		return 0, w.s.fail("write", w.name, fs.ErrClosed)
	}
	n, err := w.buffer.Write(p)
	if err != nil {
		err = w.s.fail("write", w.name, err)
	}
	return n, err
}

// finish makes the temporary file whole and durable; it is gone after an error.
func (w *folderWriter) finish() error {
	if w.f == nil {
		return fs.ErrClosed
	}
	err := cmp.Or(w.ctx.Err(), w.buffer.Flush())
	if err == nil {
		err = w.f.Sync()
	}
	if err = errors.Join(err, w.f.Close()); err != nil {
		_ = w.s.root.Remove(w.temp)
	}
	w.f = nil
	return err
}

func (w *folderWriter) Close() error {
	err := w.finish()
	if err == nil {
		if err = w.s.root.Rename(w.temp, w.name); err != nil {
			_ = w.s.root.Remove(w.temp)
		} else {
			err = syncFolder(w.s.root, path.Dir(w.name))
		}
	}
	if err != nil {
		return w.s.fail("write", w.name, err)
	}
	return nil
}

func (w *folderWriter) Abort() error {
	if w.f == nil {
		return nil
	}
	err := errors.Join(w.f.Close(), w.s.root.Remove(w.temp))
	w.f = nil
	return err
}

// PutIfAbsent writes a temporary file and links it to the name, which fails if the name is taken.
func (s *folder) PutIfAbsent(ctx context.Context, name string, data []byte) error {
	w, err := s.create(ctx, name)
	if err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		_ = w.Abort()
		return err
	}
	if err := w.finish(); err != nil {
		return s.fail("write", name, err)
	}
	err = s.root.Link(w.temp, name)
	if noLinks(err) {
		err = s.claim(w.temp, name)
	}
	_ = s.root.Remove(w.temp) // if that fails, what stays behind is hidden and does no harm
	if errors.Is(err, fs.ErrExist) {
		err = ErrExists
	}
	if err == nil || errors.Is(err, ErrExists) { // who made it may not have come so far, or have failed
		if syncErr := syncFolder(s.root, path.Dir(name)); syncErr != nil {
			err = syncErr
		}
	}
	if err != nil {
		return s.fail("write", name, err)
	}
	return nil
}

// Settle syncs the folder: the content was synced before it got its name.
func (s *folder) Settle(ctx context.Context, name string) error {
	_, err := s.Stat(ctx, name)
	if err != nil {
		return err
	}
	if err := syncFolder(s.root, path.Dir(name)); err != nil {
		return s.fail("write", name, err)
	}
	return nil
}

// noLinks reports that the file system (FAT, some network shares) has no hard links.
func noLinks(err error) bool {
	return errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EPERM)
}

// claim does without links what PutIfAbsent promises. A folder cannot be renamed over one that is not empty; so the content,
// in a folder of its own with a marker beside it, is renamed to the one claim folder of the name, and only who succeeds has
// won. The content is then renamed to its name, by the winner or, if that one died, by the next who tries; it appears whole.
// The marker stays and keeps the claim until Delete.
func (s *folder) claim(temp, name string) error {
	mine, theirs := tempName(path.Dir(name)), claimName(name)
	if err := s.root.Mkdir(mine, 0o777); err != nil {
		return err
	}
	marker, err := s.root.Make(path.Join(mine, "marker"))
	if err != nil {
		return err
	}
	_ = marker.Close()
	if err := s.root.Rename(temp, path.Join(mine, "content")); err != nil {
		return err
	}
	if err := syncFolder(s.root, mine); err != nil {
		return err
	}
	if _, err := s.root.Lstat(name); err == nil { // put there by Create, without a claim
		_ = s.root.RemoveAll(mine)
		return fs.ErrExist
	}
	lost := s.root.Rename(mine, theirs)
	if lost != nil {
		_ = s.root.RemoveAll(mine)
		if _, err := s.root.Lstat(theirs); err != nil {
			return lost // not because of another claim
		}
	}
	if err := s.root.Rename(path.Join(theirs, "content"), name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if lost != nil {
		return fs.ErrExist
	}
	return nil
}

// claimPrefix starts the names of claim folders, which stay as long as the object.
const claimPrefix = tempPrefix + "claim-"

func claimName(name string) string {
	return path.Join(path.Dir(name), claimPrefix+path.Base(name))
}

func (s *folder) Delete(ctx context.Context, name string) error {
	if err := errors.Join(ctx.Err(), checkName(name)); err != nil {
		return err
	}
	fi, err := s.root.Lstat(name)
	if err == nil && fi.IsDir() {
		err = fs.ErrNotExist
	}
	if err == nil {
		// The claim goes first: an object without a claim still holds its name, a claim without an object would keep it for good.
		err = s.root.RemoveAll(claimName(name))
	}
	if err == nil {
		err = s.root.Remove(name)
	}
	if err == nil {
		err = syncFolder(s.root, path.Dir(name))
	}
	if err != nil && !errors.Is(absent(err), fs.ErrNotExist) {
		return s.fail("delete", name, err)
	}
	return nil
}

// DropUnfinished does not follow links.
func (s *folder) DropUnfinished(ctx context.Context, before time.Time) (count, bytes int64, err error) {
	err = s.dropUnfinished(ctx, ".", before, &count, &bytes)
	return count, bytes, err
}

func (s *folder) dropUnfinished(ctx context.Context, dir string, before time.Time, count, bytes *int64) error {
	entries, here, err := s.entries(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // deleted since
	}
	if err != nil {
		return s.fail("list", dir, err)
	}
	defer here.Close()
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		name := e.Name()
		full := path.Join(dir, name)
		if !strings.HasPrefix(name, tempPrefix) {
			if e.IsDir() {
				if err := s.dropUnfinished(ctx, full, before, count, bytes); err != nil {
					return err
				}
			}
			continue
		}
		if strings.HasPrefix(name, claimPrefix) {
			continue
		}
		fi, err := here.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) || err == nil && !fi.ModTime().Before(before) {
			continue
		}
		if err == nil {
			err = here.RemoveAll(name)
		}
		if err != nil {
			return s.fail("delete", full, err)
		}
		*count++
		if fi.Mode().IsRegular() {
			*bytes += fi.Size()
		}
	}
	return nil
}
