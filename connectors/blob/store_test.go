package blob_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/blob/s3server"
)

var ctx = context.Background()

func put(t testing.TB, s blob.Store, name, data string) {
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

func names(t testing.TB, s blob.Store, prefix, after string) (all []string) {
	t.Helper()
	if err := s.List(ctx, prefix, after, func(i blob.Info) error { all = append(all, i.Name); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

func listed(t testing.TB, s blob.Store, name string) (in blob.Info) {
	t.Helper()
	if err := s.List(ctx, name, "", func(i blob.Info) error {
		if i.Name == name {
			in = i
		}
		return nil
	}); err != nil || in.Name != name {
		t.Fatalf("%s is not listed: %v", name, err)
	}
	return in
}

// TestStores holds what every store must do over each kind of store.
func TestStores(t *testing.T) {
	server := s3server.Start(t)
	plain, versions := server.Bucket(t, "plain"), server.Versioned(t, "versioned")
	access := server.Access()
	kinds := map[string]func(t *testing.T, test string) blob.Store{
		"folder":           func(t *testing.T, _ string) blob.Store { return server.Open(t, t.TempDir(), blob.Access{}) },
		"bucket":           func(t *testing.T, test string) blob.Store { return server.Open(t, plain+"/"+test, access) },
		"versioned bucket": func(t *testing.T, test string) blob.Store { return server.Open(t, versions+"/a/"+test, access) },
	}
	for name, test := range map[string]func(*testing.T, blob.Store){
		"names": testNames, "listing": testListing, "reads": testReads, "changes": testChanges, "create": testCreate, "absent": testAbsent, "races": testRaces,
		"delete": testDelete, "large": testLarge, "unfinished": testUnfinished,
	} {
		for kind, make := range kinds {
			t.Run(name+" in a "+kind, func(t *testing.T) { test(t, make(t, name)) })
		}
	}
}

func testNames(t *testing.T, s blob.Store) {
	for _, name := range []string{"", ".", "..", "/", "/etc/passwd", "a//b", "a/", "a/../b", "../a", "a/.", "a\x00b", `a\b`, ".tmp-x", "a/.tmp-x"} {
		_, create := s.Create(ctx, name)
		_, open := s.Open(ctx, name)
		_, stat := s.Stat(ctx, name)
		_, read := s.ReadAll(ctx, name)
		_, get := s.Get(ctx, blob.Info{Name: name})
		_, sized := blob.OpenSized(ctx, s, name, 1)
		for what, err := range map[string]error{
			"Create": create, "Open": open, "Stat": stat, "ReadAll": read, "Get": get, "OpenSized": sized, "Delete": s.Delete(ctx, name), "PutIfAbsent": s.PutIfAbsent(ctx, name, nil),
		} {
			if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, blob.ErrExists) {
				t.Errorf("%s(%q): %v", what, name, err)
			}
		}
	}
	for _, prefix := range []string{"../", "/", "a/../", "a//"} {
		if err := s.List(ctx, prefix, "", func(blob.Info) error { return nil }); err == nil {
			t.Errorf("List(%q) passed", prefix)
		}
		if _, err := s.Folders(ctx, prefix); err == nil {
			t.Errorf("Folders(%q) passed", prefix)
		}
	}
	if _, err := s.Folders(ctx, "a"); err == nil {
		t.Error("Folders of half a name passed")
	}
}

func testListing(t *testing.T, s blob.Store) {
	all := []string{"a-b", "a.b", "a/b", "a/b-c", "a/b.c/d", "a0", "b", "é", "a/ü/x y+z", "A", "d/%41", "d/e=f/g&h", "date=2026-03-04/x"}
	for _, n := range all {
		put(t, s, n, n)
	}
	slices.Sort(all)
	edges := append([]string{"", "a/", "a", "a/b.c/", "a/z", "x", "zz", "a/ü"}, all...)
	for _, prefix := range edges {
		if prefix != "" && strings.Contains(prefix, "//") {
			continue
		}
		for _, after := range edges {
			var want []string
			for _, n := range all {
				if strings.HasPrefix(n, prefix) && n > after {
					want = append(want, n)
				}
			}
			if got := names(t, s, prefix, after); !slices.Equal(got, want) {
				t.Fatalf("List(%q, %q) = %q, want %q", prefix, after, got, want)
			}
		}
	}
	for prefix, want := range map[string][]string{"": {"a/", "d/", "date=2026-03-04/"}, "a/": {"b.c/", "ü/"}, "a/ü/": nil, "none/": nil, "d/": {"e=f/"}} {
		if got, err := s.Folders(ctx, prefix); err != nil || !slices.Equal(got, want) {
			t.Errorf("Folders(%q) = %q, %v; want %q", prefix, got, err, want)
		}
	}
	stop := errors.New("enough")
	n := 0
	if err := s.List(ctx, "", "", func(blob.Info) error { n++; return stop }); err != stop || n != 1 {
		t.Errorf("a failing visit: %v after %d", err, n)
	}
	for _, name := range all {
		in := listed(t, s, name)
		stat, err := s.Stat(ctx, name)
		if err != nil || in.Size != int64(len(name)) || stat.Size != in.Size || stat.ETag != in.ETag || in.ETag == "" || stat.Name != name || !stat.ModTime.Truncate(1e9).Equal(in.ModTime.Truncate(1e9)) {
			t.Errorf("List says %+v, Stat %+v, %v", in, stat, err)
		}
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := s.List(ended, "", "", func(blob.Info) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("List with an ended context: %v", err)
	}
}

func testReads(t *testing.T, s blob.Store) {
	put(t, s, "x", "0123456789")
	put(t, s, "empty", "")
	for name, open := range map[string]func(string, int64) (blob.Object, error){
		"Open":      func(name string, _ int64) (blob.Object, error) { return s.Open(ctx, name) },
		"OpenSized": func(name string, size int64) (blob.Object, error) { return blob.OpenSized(ctx, s, name, size) },
	} {
		o, err := open("x", 10)
		if err != nil {
			t.Fatal(err)
		}
		if o.Size() != 10 {
			t.Errorf("%s: size %d", name, o.Size())
		}
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				var b [1]byte
				if _, err := o.ReadAt(b[:], int64(i)); err != nil || b[0] != byte('0'+i) {
					t.Errorf("%s: at %d: %q, %v", name, i, b, err)
				}
			})
		}
		wg.Wait()
		b := make([]byte, 20)
		if n, err := o.ReadAt(b, 7); n != 3 || err != io.EOF || string(b[:n]) != "789" {
			t.Errorf("%s: over the end: %q, %v", name, b[:n], err)
		}
		if n, err := o.ReadAt(b, 10); n != 0 || err != io.EOF {
			t.Errorf("%s: at the end: %d, %v", name, n, err)
		}
		if err := o.Close(); err != nil {
			t.Error(err)
		}
		if o, err := open("empty", 0); err != nil || o.Size() != 0 {
			t.Errorf("%s: empty: %v", name, err)
		}
	}
	for _, name := range []string{"x", "empty"} {
		want := map[string]string{"x": "0123456789"}[name]
		if got, err := s.ReadAll(ctx, name); string(got) != want || err != nil {
			t.Errorf("ReadAll: %q, %v", got, err)
		}
		r, err := s.Get(ctx, listed(t, s, name))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); string(got) != want || err != nil {
			t.Errorf("Get: %q, %v", got, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	_, open := s.Open(ctx, "missing/x")
	_, stat := s.Stat(ctx, "missing/x")
	_, read := s.ReadAll(ctx, "missing/x")
	_, get := s.Get(ctx, blob.Info{Name: "missing/x", Size: 3, ETag: "e"})
	o, sized := blob.OpenSized(ctx, s, "missing/x", 3)
	if sized == nil {
		_, sized = o.ReadAt(make([]byte, 1), 0)
	}
	for what, err := range map[string]error{"Open": open, "Stat": stat, "ReadAll": read, "Get": get, "OpenSized": sized} {
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(fmt.Sprint(err), s.URL()+"/missing/x") {
			t.Errorf("%s of a missing object: %v", what, err)
		}
	}
}

func testChanges(t *testing.T, s blob.Store) {
	put(t, s, "a/x", "first, long")
	in := listed(t, s, "a/x")
	o, err := s.Open(ctx, "a/x")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	put(t, s, "a/x", "other, long")
	if _, err := s.Get(ctx, in); !errors.Is(err, blob.ErrChanged) || !strings.Contains(err.Error(), s.URL()+"/a/x") {
		t.Errorf("Get of another object: %v", err)
	}
	b := make([]byte, 5)
	if _, err := o.ReadAt(b, 0); err == nil && string(b) != "first" || err != nil && !errors.Is(err, blob.ErrChanged) {
		t.Errorf("an open object gives %q, %v of another one", b, err)
	}
	o, err = blob.OpenSized(ctx, s, "a/x", 7)
	if err == nil {
		_, err = o.ReadAt(b, 0)
	}
	if !errors.Is(err, blob.ErrChanged) {
		t.Errorf("an object of another size: %v", err)
	}
}

func testCreate(t *testing.T, s blob.Store) {
	w, err := s.Create(ctx, "a/b")
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, "half")
	if got := names(t, s, "", ""); got != nil {
		t.Errorf("visible before Close: %q", got)
	}
	if err := w.Abort(); err != nil {
		t.Error(err)
	}
	if _, err := w.Write([]byte("x")); err == nil {
		t.Error("written after Abort")
	}
	if err := w.Close(); err == nil {
		t.Error("published after Abort")
	}
	put(t, s, "a/b", "whole")
	put(t, s, "a/b", "anew")
	if got, err := s.ReadAll(ctx, "a/b"); string(got) != "anew" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	ended, cancel := context.WithCancel(ctx)
	w, err = s.Create(ended, "c")
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, "half")
	cancel()
	if err := w.Close(); err == nil {
		t.Error("published after the context ended")
	}
	if got := names(t, s, "", ""); !slices.Equal(got, []string{"a/b"}) {
		t.Errorf("%q", got)
	}
}

func testAbsent(t *testing.T, s blob.Store) {
	if err := s.PutIfAbsent(ctx, "a/b", []byte("first")); err != nil {
		t.Fatal(err)
	}
	if err := s.PutIfAbsent(ctx, "a/b", []byte("second")); !errors.Is(err, blob.ErrExists) || !strings.Contains(err.Error(), s.URL()+"/a/b") {
		t.Errorf("over an object: %v", err)
	}
	put(t, s, "c", "created")
	if err := s.PutIfAbsent(ctx, "c", []byte("put")); !errors.Is(err, blob.ErrExists) {
		t.Errorf("over a created object: %v", err)
	}
	for name, want := range map[string]string{"a/b": "first", "c": "created"} {
		if got, err := s.ReadAll(ctx, name); string(got) != want || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	}
	if err := s.Delete(ctx, "a/b"); err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(s.URL(), "s3://versioned") {
		return // this server takes the mark of a deletion for an object; Amazon's does not
	}
	if err := s.PutIfAbsent(ctx, "a/b", nil); err != nil {
		t.Errorf("after Delete: %v", err)
	}
}

func testRaces(t *testing.T, s blob.Store) {
	for round := range 5 {
		name := fmt.Sprintf("log/%020d", round)
		errs := make([]error, 8)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() { errs[i] = s.PutIfAbsent(ctx, name, []byte(strings.Repeat(fmt.Sprint(i), 1000))) })
		}
		wg.Wait()
		winner := -1
		for i, err := range errs {
			switch {
			case err == nil && winner < 0:
				winner = i
			case !errors.Is(err, blob.ErrExists):
				t.Fatalf("writer %d, after %d won: %v", i, winner, err)
			}
		}
		if winner < 0 {
			t.Fatal("nobody won")
		}
		if got, err := s.ReadAll(ctx, name); string(got) != strings.Repeat(fmt.Sprint(winner), 1000) || err != nil {
			t.Fatalf("%d won, but the object is %.10q, %v", winner, got, err)
		}
	}
}

func testDelete(t *testing.T, s blob.Store) {
	put(t, s, "a/b", "x")
	put(t, s, "a/c", "x")
	for range 2 {
		if err := s.Delete(ctx, "a/b"); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Stat(ctx, "a/b"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat after Delete: %v", err)
	}
	if got := names(t, s, "", ""); !slices.Equal(got, []string{"a/c"}) {
		t.Errorf("%q", got)
	}
	if err := s.Delete(ctx, "none/such"); err != nil {
		t.Error(err)
	}
}

// testLarge writes more than three parts of an upload, in pieces of any size.
func testLarge(t *testing.T, s blob.Store) {
	rnd := rand.New(rand.NewSource(1))
	data := make([]byte, 26<<20+17)
	rnd.Read(data)
	w, err := s.Create(ctx, "large")
	if err != nil {
		t.Fatal(err)
	}
	for rest := data; len(rest) > 0; {
		n := min(len(rest), 1+rnd.Intn(3<<20))
		if _, err := w.Write(rest[:n]); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	if got := names(t, s, "", ""); got != nil {
		t.Errorf("visible before Close: %q", got)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := s.Get(ctx, listed(t, s, "large"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes of %d, %v", len(got), len(data), err)
	}
	w, err = s.Create(ctx, "given-up")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Abort(); err != nil {
		t.Error(err)
	}
	if got := names(t, s, "", ""); !slices.Equal(got, []string{"large"}) {
		t.Errorf("%q", got)
	}
}

// Writers that died leave something that takes room: it can be dropped once it is old, and nothing else goes with it.
func testUnfinished(t *testing.T, s blob.Store) {
	put(t, s, "a/whole", "x")
	if err := s.PutIfAbsent(ctx, "a/once", []byte("y")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a/b/died", "died"} {
		w, err := s.Create(ctx, name)
		if err == nil {
			_, err = w.Write(make([]byte, 20<<20)) // more than a part of an upload
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	drop := func(before time.Time) int64 {
		t.Helper()
		n, _, err := s.DropUnfinished(ctx, before)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := drop(time.Now().Add(-time.Hour)); n != 0 {
		t.Errorf("%d are dropped that are not old", n)
	}
	if n := drop(time.Now().Add(time.Hour)); n != 2 {
		t.Errorf("%d dropped, want 2", n)
	}
	// Parts that were on their way, two of each, may bring an upload back: S3 says to abort it again.
	for again := 0; drop(time.Now().Add(time.Hour)) > 0; again++ {
		if again == 4 {
			t.Error("there is always something left")
			break
		}
	}
	if got := names(t, s, "", ""); !slices.Equal(got, []string{"a/once", "a/whole"}) {
		t.Errorf("%q", got)
	}
	if err := s.PutIfAbsent(ctx, "a/once", []byte("z")); !errors.Is(err, blob.ErrExists) {
		t.Errorf("PutIfAbsent after it: %v", err)
	}
}
