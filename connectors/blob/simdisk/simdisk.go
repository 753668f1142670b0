// Package simdisk is a disk for tests: a file system in memory that counts the calls made of it, fails those it is told to fail, and loses
// power as a real one does. What was not synced may be there afterwards or not: of each file any part of the bytes since its last Sync, of
// each folder any of the changes since its own, in any order. All chance is drawn from one seed.
package simdisk

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/trailql/trailql/connectors/blob"
)

// ErrPowerLoss is what a fault returns to switch the disk off: that call, of which the half may have been done, and all after it fail.
var ErrPowerLoss = errors.New("power loss")

// Call is a call of the file system. Op is that of blob.FileSystem or blob.File, in lower case.
type Call struct {
	N     int // counts from 1
	Op    string
	Name  string
	Write bool // it changes the disk, or syncs or closes a file being written
}

// NeedsSpace reports whether a full disk may fail the call. Deleting frees space, and reading takes none.
func (c Call) NeedsSpace() bool { return c.Write && c.Op != "remove" && c.Op != "removeall" }

// Disk is a file system in memory. Safe for concurrent use.
type Disk struct {
	mu    sync.Mutex
	root  *node
	rand  *rand.Rand
	now   func() time.Time
	fault func(Call) error
	calls int
	born  int
	off   bool
}

// node is a file or a folder.
type node struct {
	born    int // in the order of making
	modTime time.Time

	data   []byte // of a file, as processes see it: it only grows
	medium []byte // its beginning, as it will be after a power loss

	entries map[string]*node // of a folder, as processes see it; nil: a file
	durable map[string]*node // as it was at the last Sync
	changes []change         // since then
}

// change is done to a folder as a whole or not at all: names with what they lead to from then on, nil for nothing.
type change map[string]*node

func (d *Disk) newFolder() *node {
	n := d.newFile()
	n.entries, n.durable = map[string]*node{}, map[string]*node{}
	return n
}

func (d *Disk) newFile() *node {
	d.born++
	return &node{born: d.born, modTime: d.tick()}
}

// New is an empty disk. now is the clock for times of change.
func New(seed uint64, now func() time.Time) *Disk {
	d := &Disk{rand: rand.New(rand.NewPCG(seed, 0)), now: now}
	d.root = d.newFolder()
	return d
}

// Fault sets what is asked before each call; its error is the call's. Files and folders must not be touched in it. nil: no faults.
func (d *Disk) Fault(f func(Call) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault, d.calls = f, 0
}

// Calls is the number of calls since Fault was set.
func (d *Disk) Calls() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.calls
}

// Root is the disk's root folder.
func (d *Disk) Root() blob.FileSystem { return &root{d, d.root} }

// Copy is a disk with what processes see on this one, all of it durable, and no faults.
func (d *Disk) Copy(seed uint64) *Disk {
	return d.after(seed, func(n *node) []byte { return n.data }, func(n *node) map[string]*node { return n.entries })
}

// PowerLoss is the disk as it comes up again. Chance decides what is left of that which was not synced: everything, nothing, or any part.
func (d *Disk) PowerLoss(seed uint64) *Disk {
	r := rand.New(rand.NewPCG(seed, 1))
	kept := []float64{0, 0.5, 0.5, 1}[r.IntN(4)]
	return d.after(seed, func(n *node) []byte {
		return append(slices.Clip(n.medium), torn(r, n.data[len(n.medium):], kept)...)
	}, func(n *node) map[string]*node {
		left := maps.Clone(n.durable)
		for _, c := range n.changes {
			if r.Float64() < kept {
				c.apply(left)
			}
		}
		return left
	})
}

func (d *Disk) after(seed uint64, data func(*node) []byte, entries func(*node) map[string]*node) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := New(seed, d.now)
	copies := map[*node]*node{} // a file may have two names
	var walk func(n *node) *node
	walk = func(n *node) *node {
		if c := copies[n]; c != nil {
			return c
		}
		c := &node{born: n.born, modTime: n.modTime}
		copies[n] = c
		if n.entries == nil {
			c.data = slices.Clip(data(n))
			c.medium = c.data
			return c
		}
		c.entries = map[string]*node{}
		left := entries(n)
		names := slices.Collect(maps.Keys(left))
		slices.SortFunc(names, func(a, b string) int { // so that chance is the same each time, whatever the names are
			return cmp.Or(cmp.Compare(left[a].born, left[b].born), strings.Compare(a, b))
		})
		for _, name := range names {
			c.entries[name] = walk(left[name])
		}
		c.durable = maps.Clone(c.entries)
		return c
	}
	out.root, out.born = walk(d.root), d.born
	return out
}

func (c change) apply(entries map[string]*node) {
	for name, n := range c {
		if n == nil {
			delete(entries, name)
		} else {
			entries[name] = n
		}
	}
}

// torn is what becomes of bytes that were written but not synced: all, none, a prefix, or all with sectors that were never written.
func torn(r *rand.Rand, p []byte, kept float64) []byte {
	const sector = 512
	switch {
	case len(p) == 0 || kept == 1:
		return p
	case kept == 0:
		return nil
	}
	switch r.IntN(3) {
	case 0:
		return p[:r.IntN(len(p)+1)]
	case 1:
		p = slices.Clone(p)
		for at := 0; at < len(p); at += sector {
			if r.IntN(2) == 0 {
				clear(p[at:min(at+sector, len(p))])
			}
		}
	}
	return p
}

// begin counts a call and asks for its fate. done says whether it takes effect all the same, as a call may that failed.
func (d *Disk) begin(op, name string, write bool) (done bool, err error) {
	if d.off {
		return false, ErrPowerLoss
	}
	d.calls++
	if d.fault == nil {
		return true, nil
	}
	err = d.fault(Call{d.calls, op, name, write})
	d.off = errors.Is(err, ErrPowerLoss)
	return err == nil || !errors.Is(err, syscall.ENOSPC) && d.rand.IntN(2) == 0, err
}

// root is a folder of the disk as a file system.
type root struct {
	d  *Disk
	at *node
}

var _ blob.FileSystem = (*root)(nil)

// find gives what a name leads to.
func (r *root) find(name string) (*node, error) {
	n := r.at
	for part := range strings.SplitSeq(name, "/") {
		if n.entries == nil {
			return nil, syscall.ENOTDIR
		}
		if part == "." {
			continue
		}
		if n = n.entries[part]; n == nil {
			return nil, syscall.ENOENT
		}
	}
	return n, nil
}

// parent gives the folder of a name, and the last part.
func (r *root) parent(name string) (*node, string, error) {
	n, err := r.find(path.Dir(name))
	if err == nil && n.entries == nil {
		err = syscall.ENOTDIR
	}
	return n, path.Base(name), err
}

func (d *Disk) change(folder *node, c change) {
	c.apply(folder.entries)
	folder.changes = append(folder.changes, c)
	folder.modTime = d.tick()
}

// tick is the time, never twice the same: ETags are made of it.
func (d *Disk) tick() time.Time { return d.now().Add(time.Duration(d.calls) * time.Microsecond) }

// call makes a call, under the lock. Where it failed the error of the fault counts, whatever was done.
func (r *root) call(op, name string, write bool, do func() error) error {
	r.d.mu.Lock()
	defer r.d.mu.Unlock()
	done, err := r.d.begin(op, name, write)
	if done {
		if doErr := do(); err == nil {
			err = doErr
		}
	}
	if err != nil {
		return &fs.PathError{Op: op, Path: name, Err: err}
	}
	return nil
}

func (r *root) Open(name string) (f blob.File, err error) {
	err = r.call("open", name, false, func() error {
		n, err := r.find(name)
		f = &file{root: r, node: n, name: name}
		return err
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (r *root) Make(name string) (f blob.File, err error) {
	err = r.call("make", name, true, func() error {
		folder, base, err := r.parent(name)
		if err != nil {
			return err
		}
		if folder.entries[base] != nil {
			return syscall.EEXIST
		}
		n := r.d.newFile()
		r.d.change(folder, change{base: n})
		f = &file{root: r, node: n, name: name, write: true}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (r *root) OpenRoot(name string) (sub blob.FileSystem, err error) {
	err = r.call("openroot", name, false, func() error {
		n, err := r.find(name)
		if err == nil && n.entries == nil {
			err = syscall.ENOTDIR
		}
		sub = &root{r.d, n}
		return err
	})
	if err != nil {
		return nil, err
	}
	return sub, nil
}

func (r *root) Stat(name string) (fi fs.FileInfo, err error) {
	err = r.call("stat", name, false, func() error {
		n, err := r.find(name)
		if err == nil {
			fi = infoOf(name, n)
		}
		return err
	})
	return fi, err
}

func (r *root) Lstat(name string) (fs.FileInfo, error) { return r.Stat(name) }

func (r *root) Mkdir(name string, _ fs.FileMode) error {
	return r.call("mkdir", name, true, func() error {
		folder, base, err := r.parent(name)
		switch {
		case err != nil:
			return err
		case folder.entries[base] != nil:
			return syscall.EEXIST
		}
		r.d.change(folder, change{base: r.d.newFolder()})
		return nil
	})
}

func (r *root) Rename(oldname, newname string) error {
	return r.call("rename", oldname, true, func() error {
		from, oldBase, err := r.parent(oldname)
		if err != nil {
			return err
		}
		to, newBase, err := r.parent(newname)
		if err != nil {
			return err
		}
		n, before := from.entries[oldBase], to.entries[newBase]
		switch {
		case n == nil:
			return syscall.ENOENT
		case n == before:
			return nil
		case before != nil && before.entries != nil && n.entries == nil:
			return syscall.EISDIR
		case before != nil && before.entries == nil && n.entries != nil:
			return syscall.ENOTDIR
		case before != nil && len(before.entries) > 0:
			return syscall.ENOTEMPTY
		}
		if from == to {
			r.d.change(from, change{oldBase: nil, newBase: n})
			return nil
		}
		r.d.change(to, change{newBase: n})
		r.d.change(from, change{oldBase: nil})
		return nil
	})
}

func (r *root) Link(oldname, newname string) error {
	return r.call("link", newname, true, func() error {
		n, err := r.find(oldname)
		if err != nil {
			return err
		}
		to, base, err := r.parent(newname)
		switch {
		case err != nil:
			return err
		case n.entries != nil:
			return syscall.EPERM
		case to.entries[base] != nil:
			return syscall.EEXIST
		}
		r.d.change(to, change{base: n})
		return nil
	})
}

func (r *root) Remove(name string) error {
	return r.call("remove", name, true, func() error {
		folder, base, err := r.parent(name)
		switch {
		case err != nil:
			return err
		case folder.entries[base] == nil:
			return syscall.ENOENT
		case len(folder.entries[base].entries) > 0:
			return syscall.ENOTEMPTY
		}
		r.d.change(folder, change{base: nil})
		return nil
	})
}

func (r *root) RemoveAll(name string) error {
	return r.call("removeall", name, true, func() error {
		folder, base, err := r.parent(name)
		if errors.Is(err, fs.ErrNotExist) || err == nil && folder.entries[base] == nil {
			return nil
		}
		if err != nil {
			return err
		}
		r.d.change(folder, change{base: nil})
		return nil
	})
}

func (r *root) Close() error { return nil }

// file is an open file or folder.
type file struct {
	*root
	node  *node
	name  string
	write bool
	at    int // of Read
}

var _ blob.File = (*file)(nil)

func (f *file) Read(p []byte) (n int, err error) {
	n, err = f.ReadAt(p, int64(f.at))
	f.at += n
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

func (f *file) ReadAt(p []byte, at int64) (n int, err error) {
	end := false
	err = f.call("read", f.name, false, func() error {
		switch {
		case f.node.entries != nil:
			return syscall.EISDIR
		case at < 0:
			return syscall.EINVAL
		case at < int64(len(f.node.data)):
			n = copy(p, f.node.data[at:])
		}
		end = n < len(p)
		return nil
	})
	if err == nil && end {
		err = io.EOF
	}
	if err != nil && !errors.Is(err, io.EOF) {
		n = 0
	}
	return n, err
}

// Write appends. Where it fails a part may have been written.
func (f *file) Write(p []byte) (n int, err error) {
	failed := f.call("write", f.name, true, func() error {
		n = len(p)
		return nil
	})
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if failed != nil && len(p) > 0 {
		n = f.d.rand.IntN(len(p))
	}
	f.node.data = append(f.node.data, p[:n]...)
	f.node.modTime = f.d.tick()
	return n, failed
}

// Sync makes a file's bytes durable, or a folder's entries. A Sync of a file that fails leaves some of them lost for good, whatever later ones say: the
// system takes pages that it could not write for clean.
func (f *file) Sync() error {
	synced := false
	err := f.call("sync", f.name, f.write || f.node.entries != nil, func() error {
		synced = true
		return nil
	})
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	n := f.node
	switch {
	case n.entries == nil && synced:
		n.medium = slices.Clone(n.data)
	case n.entries == nil && !f.d.off:
		rest := make([]byte, len(n.data)-len(n.medium))
		copy(rest, torn(f.d.rand, n.data[len(n.medium):], 0.5))
		n.medium = append(slices.Clip(n.medium), rest...)
	case n.entries != nil && synced:
		n.durable, n.changes = maps.Clone(n.entries), nil
	}
	return err
}

func (f *file) Close() error {
	return f.call("close", f.name, f.write, func() error { return nil })
}

func (f *file) Stat() (fi fs.FileInfo, err error) {
	err = f.call("fstat", f.name, false, func() error {
		fi = infoOf(f.name, f.node)
		return nil
	})
	return fi, err
}

func (f *file) ReadDir(int) (out []fs.DirEntry, err error) {
	err = f.call("readdir", f.name, false, func() error {
		if f.node.entries == nil {
			return syscall.ENOTDIR
		}
		for _, name := range slices.Sorted(maps.Keys(f.node.entries)) {
			out = append(out, fs.FileInfoToDirEntry(infoOf(name, f.node.entries[name])))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// info is what is known of a file or folder.
type info struct {
	name    string
	size    int64
	modTime time.Time
	mode    fs.FileMode
}

func infoOf(name string, n *node) info {
	i := info{path.Base(name), int64(len(n.data)), n.modTime, 0o666}
	if n.entries != nil {
		i.mode = fs.ModeDir | 0o777
	}
	return i
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return i.modTime }
func (i info) IsDir() bool        { return i.mode.IsDir() }
func (i info) Sys() any           { return nil }
