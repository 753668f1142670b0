package blob_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/blob/simdisk"
)

func clock() time.Time { return time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC) }

// linkless is a file system without hard links.
type linkless struct{ blob.FileSystem }

func (linkless) Link(string, string) error { return syscall.EPERM }

// syncless is a file system whose Sync does nothing: no store can be safe on it.
type syncless struct{ blob.FileSystem }

func (s syncless) Open(name string) (blob.File, error) { return unsynced(s.FileSystem.Open(name)) }
func (s syncless) Make(name string) (blob.File, error) { return unsynced(s.FileSystem.Make(name)) }

func unsynced(f blob.File, err error) (blob.File, error) { return noSync{f}, err }

type noSync struct{ blob.File }

func (noSync) Sync() error { return nil }

// expected is what an object may hold: one text, "-" for none.
type expected map[string][]string

// work uses a store in all ways that change it, and keeps account of what each object may hold at the moment. It ends with the first error.
func work(s blob.Store, want expected) error {
	ctx := context.Background()
	create := func(name, text string) error {
		was := want[name]
		want[name] = append(slices.Clone(was), text)
		w, err := s.Create(ctx, name)
		if err != nil {
			return err
		}
		for _, part := range strings.SplitAfter(text, "\n") {
			if _, err := w.Write([]byte(part)); err != nil {
				_ = w.Abort()
				return err
			}
		}
		if err = w.Close(); err == nil {
			want[name] = []string{text}
		}
		return err
	}
	put := func(name, text string) error {
		want[name] = append(want[name], text)
		err := s.PutIfAbsent(ctx, name, []byte(text))
		if err == nil {
			want[name] = []string{text}
		}
		return err
	}
	remove := func(name string) error {
		want[name] = append(want[name], "-")
		err := s.Delete(ctx, name)
		if err == nil {
			want[name] = []string{"-"}
		}
		return err
	}
	text := func(c string) string { return strings.Repeat(strings.Repeat(c, 700)+"\n", 3) }
	for _, do := range []func() error{
		func() error { return create("a/b/x", text("1")) },
		func() error { return put("log/0", text("2")) },
		func() error { return put("log/1", text("3")) },
		func() error {
			if err := s.PutIfAbsent(ctx, "log/1", []byte("again")); !errors.Is(err, blob.ErrExists) {
				return fmt.Errorf("a second put: %w", err)
			}
			return nil
		},
		func() error { return create("a/b/y", text("4")) },
		func() error { return create("a/b/x", text("5")) },
		func() error { return remove("a/b/y") },
		func() error { return remove("log/0") },
		func() error { return put("log/0", text("6")) },
	} {
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}

// check holds what a disk has against what it may have.
func check(s blob.Store, want expected) error {
	seen := map[string]string{}
	err := s.List(context.Background(), "", "", func(i blob.Info) error {
		data, err := s.ReadAll(context.Background(), i.Name)
		seen[i.Name] = string(data)
		return err
	})
	if err != nil {
		return err
	}
	for name, allowed := range want {
		got, there := seen[name]
		if !there {
			got = "-"
		}
		if !slices.Contains(allowed, got) {
			return fmt.Errorf("%s holds %d bytes, %.20q", name, len(got), got)
		}
		delete(seen, name)
	}
	if len(seen) > 0 {
		return fmt.Errorf("there is more: %v", seen)
	}
	return nil
}

// A store on a disk that loses power at any call has each object whole or not at all, and all that it reported as done.
func TestPowerLossAtEveryCall(t *testing.T) {
	plain := func(f blob.FileSystem) blob.FileSystem { return f }
	for _, c := range []struct {
		name   string
		system func(blob.FileSystem) blob.FileSystem
		unsafe bool
	}{
		{"links", plain, false},
		{"no links", func(f blob.FileSystem) blob.FileSystem { return linkless{f} }, false},
		{"no syncs", func(f blob.FileSystem) blob.FileSystem { return syncless{f} }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			runs, failures := 0, 0
			for seed := range uint64(20) {
				for n, ended := 1, false; !ended; n++ {
					d := simdisk.New(seed, clock)
					d.Fault(func(call simdisk.Call) error {
						if call.N == n {
							return simdisk.ErrPowerLoss
						}
						return nil
					})
					want := expected{}
					for _, name := range []string{"a/b/x", "a/b/y", "log/0", "log/1"} {
						want[name] = []string{"-"}
					}
					err := work(blob.NewFolder("sim://disk", c.system(d.Root())), want)
					if ended = err == nil; !ended && !errors.Is(err, simdisk.ErrPowerLoss) {
						t.Fatal(err)
					}
					runs++
					if err := check(blob.NewFolder("sim://disk", c.system(d.PowerLoss(seed).Root())), want); err != nil {
						failures++
						if !c.unsafe {
							t.Errorf("power loss at call %d, seed %d: %v", n, seed, err)
						}
					}
				}
			}
			t.Logf("%d power losses, %d of them with a loss", runs, failures)
			if c.unsafe && failures == 0 {
				t.Error("a store that does not sync is found safe")
			}
		})
	}
}

// A call that fails, once or for good, leaves each object whole or as it was; what was reported as done outlives a power loss.
func TestFailureAtEveryCall(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.EIO, syscall.ENOSPC} {
		for _, lasting := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v, lasting=%v", errno, lasting), func(t *testing.T) {
				for seed := range uint64(5) {
					for n, ended := 1, false; !ended; n++ {
						d := simdisk.New(seed, clock)
						failed := false
						d.Fault(func(call simdisk.Call) error {
							if (call.N == n || lasting && call.N > n) && (errno != syscall.ENOSPC || call.NeedsSpace()) {
								failed = true
								return errno
							}
							return nil
						})
						want := expected{}
						for _, name := range []string{"a/b/x", "a/b/y", "log/0", "log/1"} {
							want[name] = []string{"-"}
						}
						s := blob.NewFolder("sim://disk", d.Root())
						err := work(s, want)
						ended = d.Calls() < n
						if err != nil && !errors.Is(err, errno) || err == nil && failed && lasting && errno == syscall.EIO {
							t.Errorf("call %d, seed %d: %v", n, seed, err)
						}
						d.Fault(nil)
						if err := check(s, want); err != nil {
							t.Errorf("call %d failed, seed %d: %v", n, seed, err)
						}
						if err := check(blob.NewFolder("sim://disk", d.PowerLoss(seed).Root()), want); err != nil {
							t.Errorf("call %d failed, then power loss, seed %d: %v", n, seed, err)
						}
						var missing *fs.PathError
						if errors.As(err, &missing) {
							t.Errorf("call %d: the error has a path of the system: %v", n, err)
						}
					}
				}
			})
		}
	}
}

// Who is told that an object exists builds on it: it must outlive a power loss, even if the one who made it failed, or has not come to its Sync yet.
func TestWhatExistsIsDurable(t *testing.T) {
	for _, system := range []func(blob.FileSystem) blob.FileSystem{
		func(f blob.FileSystem) blob.FileSystem { return f },
		func(f blob.FileSystem) blob.FileSystem { return linkless{f} },
	} {
		told := 0
		for seed := range uint64(20) {
			for n, ended := 1, false; !ended; n++ {
				d := simdisk.New(seed, clock)
				d.Fault(func(call simdisk.Call) error {
					if call.N == n {
						return syscall.EIO
					}
					return nil
				})
				first := blob.NewFolder("sim://disk", system(d.Root()))
				_ = first.PutIfAbsent(context.Background(), "log/0", []byte("first"))
				ended = d.Calls() < n
				d.Fault(nil)
				second := blob.NewFolder("sim://disk", system(d.Root()))
				err := second.PutIfAbsent(context.Background(), "log/0", []byte("second"))
				if err != nil && !errors.Is(err, blob.ErrExists) {
					t.Fatal(err)
				}
				want := "second"
				if err != nil {
					want = "first"
					told++
				}
				data, err := blob.NewFolder("sim://disk", system(d.PowerLoss(seed).Root())).ReadAll(context.Background(), "log/0")
				if string(data) != want {
					t.Errorf("call %d, seed %d: %q, want %q; %v", n, seed, data, want, err)
				}
			}
		}
		if told == 0 {
			t.Error("nobody was told that it exists")
		}
	}
}
