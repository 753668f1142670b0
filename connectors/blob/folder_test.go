package blob

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var ctx = context.Background()

func open(t testing.TB) (*folder, string) {
	t.Helper()
	dir := t.TempDir()
	s, err := OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s.(*folder), dir
}

func put(t testing.TB, s Store, name, data string) {
	t.Helper()
	w, err := s.Create(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(data)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func names(t testing.TB, s Store, prefix string) []string {
	t.Helper()
	var all []string
	if err := s.List(ctx, prefix, "", func(i Info) error { all = append(all, i.Name); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

// hidden counts the entries of the tree that are no objects: what a failed write left behind.
func hidden(t testing.TB, dir string) int {
	t.Helper()
	n := 0
	filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(d.Name(), tempPrefix) {
			n++
		}
		return nil
	})
	return n
}

func TestNamesThatCouldLeaveTheRootAreRefused(t *testing.T) {
	s, _ := open(t)
	for _, name := range []string{
		"", ".", "..", "/", "/etc/passwd", "a//b", "a/", "a/../b", "../a", "a/.", "./a", "a\x00b", `a\b`, `..\a`, ".tmp-x", "a/.tmp-x",
	} {
		if _, err := s.Create(ctx, name); err == nil {
			t.Errorf("Create(%q) passed", name)
		}
		if err := s.PutIfAbsent(ctx, name, nil); err == nil || errors.Is(err, ErrExists) {
			t.Errorf("PutIfAbsent(%q): %v", name, err)
		}
		if _, err := s.Open(ctx, name); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Open(%q): %v", name, err)
		}
		if _, err := s.Stat(ctx, name); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Stat(%q): %v", name, err)
		}
		if err := s.Delete(ctx, name); err == nil {
			t.Errorf("Delete(%q) passed", name)
		}
	}
	for _, prefix := range []string{"../", "/", "/etc/", "a/../", "a//"} {
		if err := s.List(ctx, prefix, "", func(Info) error { return nil }); err == nil {
			t.Errorf("List(%q) passed", prefix)
		}
	}
}

func TestLinks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("making links needs rights on Windows")
	}
	s, dir := open(t)
	put(t, s, "real/x", "inside")
	outside := t.TempDir()
	os.WriteFile(filepath.Join(outside, "secret"), []byte("s"), 0o600)
	link := func(target, name string) {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}

	link("real", "alias")
	if got, err := s.ReadAll(ctx, "alias/x"); string(got) != "inside" {
		t.Errorf("a link within the root: %q, %v", got, err)
	}
	if got := names(t, s, ""); !slices.Equal(got, []string{"alias/x", "real/x"}) {
		t.Errorf("List through a link: %q", got)
	}

	for what, target := range map[string]string{"out of the root": outside, "nowhere": "missing", "to a folder above": "."} {
		link(target, "bad")
		var got []string
		err := s.List(ctx, "", "", func(i Info) error { got = append(got, i.Name); return nil })
		var missed *Unlisted
		if !errors.As(err, &missed) || missed.Count != 1 || !strings.Contains(err.Error(), "bad") {
			t.Errorf("List over a link %s: %v, want an error that names it", what, err)
		}
		if !slices.Equal(got, []string{"alias/x", "real/x"}) {
			t.Errorf("List over a link %s visits %q, want all others", what, got)
		}
		if _, err := s.ReadAll(ctx, "bad/secret"); err == nil {
			t.Errorf("ReadAll over a link %s passed", what)
		}
		os.Remove(filepath.Join(dir, "bad"))
	}

	link(outside, "bad")
	if err := s.PutIfAbsent(ctx, "bad/new", []byte("x")); err == nil {
		t.Error("PutIfAbsent wrote through a link out of the root")
	}
	if _, err := os.Stat(filepath.Join(outside, "new")); err == nil {
		t.Error("a file appeared outside of the root")
	}
}

func TestListOrder(t *testing.T) {
	s, _ := open(t)
	all := []string{"a-b", "a.b", "a/b", "a/b-c", "a/b.c/d", "a0", "b", "é", "a/ü/x", "A"}
	for _, n := range all {
		put(t, s, n, n)
	}
	slices.Sort(all) // byte order: '-' and '.' before '/', '0' after it
	if got := names(t, s, ""); !slices.Equal(got, all) {
		t.Errorf("got %q\nwant %q", got, all)
	}
	for _, prefix := range []string{"a", "a/", "a/b", "a/b.c/", "a/b.c/d", "x", "x/y", "a/b/c", "a-b/"} {
		var want []string
		for _, n := range all {
			if strings.HasPrefix(n, prefix) {
				want = append(want, n)
			}
		}
		if got := names(t, s, prefix); !slices.Equal(got, want) {
			t.Errorf("List(%q) = %q, want %q", prefix, got, want)
		}
	}
	stop := errors.New("enough")
	n := 0
	if err := s.List(ctx, "", "", func(Info) error { n++; return stop }); !errors.Is(err, stop) || n != 1 {
		t.Errorf("a failing visit: %v after %d", err, n)
	}
}

func TestListOrderOfAnyNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "list")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		s, err := OpenFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		part := rapid.StringMatching(`[ab][-./0b]?[ab]?`)
		var want []string
		for range rapid.IntRange(0, 12).Draw(t, "n") {
			name := strings.Join(rapid.SliceOfN(part, 1, 3).Draw(t, "parts"), "/")
			full := filepath.Join(dir, filepath.FromSlash(name))
			if checkName(name) != nil || slices.Contains(want, name) || os.MkdirAll(filepath.Dir(full), 0o777) != nil {
				continue
			}
			if fi, err := os.Stat(full); err == nil && fi.IsDir() {
				continue
			}
			if err := os.WriteFile(full, nil, 0o666); err != nil {
				t.Fatal(err)
			}
			want = append(want, name)
		}
		slices.Sort(want)
		var got []string
		if err := s.List(ctx, "", "", func(i Info) error { got = append(got, i.Name); return nil }); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got %q\nwant %q", got, want)
		}
		checkListing(t, s, want)
	})
}

// checkListing compares what List and Folders say for drawn arguments with what a store that holds these names must say.
func checkListing(t *rapid.T, s Store, all []string) {
	near := []string{""}
	for _, n := range all {
		near = append(near, n, n[:len(n)-1], n+"/", n+"0")
		for i, c := range []byte(n) {
			if c == '/' {
				near = append(near, n[:i+1], n[:i], n[:i]+".")
			}
		}
	}
	prefix, after := rapid.SampledFrom(near).Draw(t, "prefix"), rapid.SampledFrom(near).Draw(t, "after")
	var want, got []string
	for _, n := range all {
		if strings.HasPrefix(n, prefix) && n > after {
			want = append(want, n)
		}
	}
	dir := prefix[:strings.LastIndexByte(prefix, '/')+1]
	if dir == "" || checkPrefix(dir) == nil {
		if err := s.List(ctx, prefix, after, func(i Info) error { got = append(got, i.Name); return nil }); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("List(%q, %q) = %q, want %q", prefix, after, got, want)
		}
	}
	var folders []string
	for _, n := range all {
		rest, ok := strings.CutPrefix(n, dir)
		if part, _, below := strings.Cut(rest, "/"); ok && below && !slices.Contains(folders, part+"/") {
			folders = append(folders, part+"/")
		}
	}
	slices.Sort(folders)
	found, err := s.Folders(ctx, dir)
	if err != nil || !slices.Equal(found, folders) {
		t.Fatalf("Folders(%q) = %q, %v; want %q", dir, found, err, folders)
	}
}

func TestGetReadsWhatWasListed(t *testing.T) {
	s, dir := open(t)
	put(t, s, "a/x", "first")
	listed := func() (in Info) {
		s.List(ctx, "a/x", "", func(i Info) error { in = i; return nil })
		return in
	}
	in := listed()
	read := func() (string, error) {
		r, err := s.Get(ctx, in)
		if err != nil {
			return "", err
		}
		defer r.Close()
		data, err := io.ReadAll(r)
		return string(data), err
	}
	if got, err := read(); got != "first" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	put(t, s, "a/x", "other")
	if _, err := read(); !errors.Is(err, ErrChanged) || !strings.Contains(err.Error(), s.URL()+"/a/x") {
		t.Errorf("another file: %v, want ErrChanged and the name", err)
	}
	in = listed()
	r, err := s.Get(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := os.Truncate(filepath.Join(dir, "a/x"), 2); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a file cut off meanwhile: %q, %v", got, err)
	}
	if err := s.Delete(ctx, "a/x"); err != nil {
		t.Fatal(err)
	}
	if _, err := read(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a deleted file: %v", err)
	}
}

func TestListFailsOnWhatItCannotRead(t *testing.T) {
	s, dir := open(t)
	put(t, s, "a/x", "")
	if err := s.List(ctx, "a/x/y/", "", func(Info) error { t.Error("visited"); return nil }); err != nil {
		t.Errorf("a prefix below a file has no objects; got %v", err)
	}
	if os.Getuid() == 0 {
		t.Skip("root reads every folder")
	}
	os.Chmod(filepath.Join(dir, "a"), 0)
	defer os.Chmod(filepath.Join(dir, "a"), 0o777)
	if err := s.List(ctx, "", "", func(Info) error { return nil }); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("an unreadable folder: %v", err)
	}
}

func TestCreateIsSeenOnlyWhenClosed(t *testing.T) {
	s, dir := open(t)
	w, err := s.Create(ctx, "t/f")
	if err != nil {
		t.Fatal(err)
	}
	w.Write([]byte("hello"))
	if got := names(t, s, ""); got != nil {
		t.Errorf("visible while written: %q", got)
	}
	if _, err := s.Stat(ctx, "t/f"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat while written: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Abort(); err != nil {
		t.Errorf("Abort after Close: %v", err)
	}
	if got, err := s.ReadAll(ctx, "t/f"); string(got) != "hello" || err != nil {
		t.Errorf("%q, %v", got, err)
	}

	w, _ = s.Create(ctx, "t/f")
	w.Write([]byte("other"))
	if err := w.Abort(); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err == nil {
		t.Error("Close after Abort passed")
	}
	if got, _ := s.ReadAll(ctx, "t/f"); string(got) != "hello" {
		t.Errorf("after Abort: %q", got)
	}

	cancelled, cancel := context.WithCancel(ctx)
	w, _ = s.Create(cancelled, "t/g")
	cancel()
	if err := w.Close(); !errors.Is(err, context.Canceled) {
		t.Errorf("Close of a cancelled write: %v", err)
	}
	if n := hidden(t, dir); n != 0 {
		t.Errorf("%d temporary files left", n)
	}
}

func TestETagChangesWithTheBytes(t *testing.T) {
	s, _ := open(t)
	put(t, s, "x", "one")
	a, _ := s.Stat(ctx, "x")
	put(t, s, "x", "two") // as long, maybe within one tick of the clock
	b, err := s.Stat(ctx, "x")
	if err != nil || a.ETag == b.ETag {
		t.Errorf("%v: %q then %q", err, a.ETag, b.ETag)
	}
	var listed Info
	s.List(ctx, "", "", func(i Info) error { listed = i; return nil })
	if !reflect.DeepEqual(listed, b) {
		t.Errorf("List says %+v, Stat %+v", listed, b)
	}
}

func TestDelete(t *testing.T) {
	s, _ := open(t)
	put(t, s, "a/b", "x")
	for _, name := range []string{"missing", "a/b/c", "a", "a/b", "a/b"} {
		if err := s.Delete(ctx, name); err != nil {
			t.Errorf("Delete(%q): %v", name, err)
		}
	}
	if got := names(t, s, ""); got != nil {
		t.Errorf("left: %q", got)
	}
	if _, err := s.Open(ctx, "a/b"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open of a deleted object: %v", err)
	}
}

// withoutLinks makes s a store on a file system that has no hard links.
func withoutLinks(s *folder) {
	s.root = linkless{s.root, errors.ErrUnsupported}
}

// linkless fails to make links.
type linkless struct {
	FileSystem
	err error
}

func (l linkless) Link(old, new string) error {
	return &os.LinkError{Op: "link", Old: old, New: new, Err: l.err}
}

func TestPutIfAbsentHasOneWinner(t *testing.T) {
	for _, links := range []bool{true, false} {
		t.Run(fmt.Sprintf("links=%v", links), func(t *testing.T) {
			s, dir := open(t)
			other, err := OpenFolder(dir) // another process
			if err != nil {
				t.Fatal(err)
			}
			stores := []*folder{s, other.(*folder)}
			if !links {
				withoutLinks(stores[0])
				withoutLinks(stores[1])
			}
			for round := range 20 {
				name := fmt.Sprintf("log/%020d.json", round)
				results := make([]error, 16)
				var wg sync.WaitGroup
				for i := range results {
					wg.Go(func() {
						results[i] = stores[i%2].PutIfAbsent(ctx, name, []byte(strings.Repeat(fmt.Sprint(i, " "), 1000)))
					})
				}
				wg.Wait()
				winner := -1
				for i, err := range results {
					switch {
					case err == nil && winner < 0:
						winner = i
					case err == nil:
						t.Fatalf("%d and %d both won", winner, i)
					case !errors.Is(err, ErrExists):
						t.Fatal(err)
					}
				}
				if winner < 0 {
					t.Fatal("nobody won")
				}
				if got, _ := s.ReadAll(ctx, name); string(got) != strings.Repeat(fmt.Sprint(winner, " "), 1000) {
					t.Fatalf("%d won, but the object is of another: %.20q", winner, got)
				}
			}
			if got := names(t, s, ""); len(got) != 20 {
				t.Errorf("%d objects", len(got))
			}
			if n := hidden(t, dir); links && n != 0 {
				t.Errorf("%d temporary files left", n)
			}
		})
	}
}

func TestClaimOfADeadWriterIsCompleted(t *testing.T) {
	s, dir := open(t)
	withoutLinks(s)
	// A writer that won its claim and died before the content got its name.
	claim := filepath.Join(dir, ".tmp-claim-x")
	if err := errors.Join(os.Mkdir(claim, 0o777), os.WriteFile(filepath.Join(claim, "marker"), nil, 0o666),
		os.WriteFile(filepath.Join(claim, "content"), []byte("first"), 0o666)); err != nil {
		t.Fatal(err)
	}
	if err := s.PutIfAbsent(ctx, "x", []byte("second")); !errors.Is(err, ErrExists) {
		t.Errorf("PutIfAbsent after it: %v", err)
	}
	if got, err := s.ReadAll(ctx, "x"); string(got) != "first" {
		t.Errorf("%q, %v", got, err)
	}
	if err := s.Delete(ctx, "x"); err != nil {
		t.Fatal(err)
	}
	if err := s.PutIfAbsent(ctx, "x", []byte("third")); err != nil {
		t.Errorf("PutIfAbsent after Delete: %v", err)
	}
	put(t, s, "y", "created")
	if err := s.PutIfAbsent(ctx, "y", []byte("put")); !errors.Is(err, ErrExists) {
		t.Errorf("PutIfAbsent over a created object: %v", err)
	}
	if n, _, err := s.DropUnfinished(ctx, time.Now().Add(time.Hour)); n != 0 || err != nil {
		t.Errorf("%d claims dropped; %v", n, err)
	}
	if err := s.PutIfAbsent(ctx, "x", nil); !errors.Is(err, ErrExists) {
		t.Errorf("PutIfAbsent after that: %v", err)
	}
}

func TestFullDiskIsRecognisable(t *testing.T) {
	s, _ := open(t)
	s.root = linkless{s.root, syscall.ENOSPC}
	err := s.PutIfAbsent(ctx, "x", []byte("data"))
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), s.URL()+"/x") {
		t.Errorf("%v, want ENOSPC and the object's URL", err)
	}
	if _, err := os.Stat("/dev/full"); err == nil {
		f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		w := &folderWriter{ctx: ctx, s: s, f: f, buffer: bufio.NewWriter(f), name: "x", temp: tempName(".")}
		_, err = w.Write([]byte("data"))
		if err = errors.Join(err, w.Close()); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("a write to a full disk: %v", err)
		}
	}
}

// The folder of the last object is kept open; what a name leads to must be found anew all the same.
func TestOpenAfterFoldersWereReplaced(t *testing.T) {
	s, dir := open(t)
	put(t, s, "a/b/one", "1")
	put(t, s, "a/b/two", "2")
	read := func(name, want string) {
		t.Helper()
		data, err := s.ReadAll(ctx, name)
		if want == "" && !errors.Is(err, fs.ErrNotExist) || want != "" && (err != nil || string(data) != want) {
			t.Errorf("%s: %q, %v; want %q", name, data, err, want)
		}
	}
	read("a/b/one", "1")
	read("a/b/two", "2")
	if runtime.GOOS != "windows" && s.near.open(s, "a/b/two") == nil {
		t.Error("the folder is not kept")
	}
	if err := os.Rename(filepath.Join(dir, "a"), filepath.Join(dir, "c")); err != nil {
		t.Fatal(err)
	}
	read("a/b/one", "")
	read("c/b/one", "1")
	put(t, s, "a/b/one", "other")
	read("a/b/one", "other")
	read("c/b/one", "1")
	read("c/b/one/below", "")
	read("c/b", "")
	if err := os.Symlink("../../a/b/one", filepath.Join(dir, "c/b/link")); err != nil {
		t.Skip(err)
	}
	read("c/b/two", "2")
	read("c/b/link", "other") // leads out of the folder that is kept, not out of the store
	if err := os.Symlink(t.TempDir(), filepath.Join(dir, "c/b/out")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(ctx, "c/b/out/x"); err == nil {
		t.Error("a link leads out")
	}
}

func TestRangedReads(t *testing.T) {
	s, _ := open(t)
	put(t, s, "x", "0123456789")
	o, err := s.Open(ctx, "x")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if o.Size() != 10 {
		t.Errorf("size %d", o.Size())
	}
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			var b [1]byte
			if _, err := o.ReadAt(b[:], int64(i)); err != nil || b[0] != byte('0'+i) {
				t.Errorf("at %d: %q, %v", i, b, err)
			}
		})
	}
	wg.Wait()
}
