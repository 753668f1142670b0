package catalog

import (
	"context"
	"io/fs"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/trailql/trailql/connectors/blob"
)

// farStore passes for a store over a network, and notes how many entries of the log are read at a time.
type farStore struct {
	blob.Store
	mu        sync.Mutex
	now, most int
	entries   int
}

func (s *farStore) URL() string { return "far://lake" }

func (s *farStore) Stat(ctx context.Context, name string) (blob.Info, error) {
	if !strings.HasPrefix(name, "trail_files/_delta_log/0") {
		return s.Store.Stat(ctx, name)
	}
	s.mu.Lock()
	s.entries++
	s.now++
	s.most = max(s.most, s.now)
	s.mu.Unlock()
	runtime.Gosched() // a network takes its time, in which others are asked
	defer func() {
		s.mu.Lock()
		s.now--
		s.mu.Unlock()
	}()
	return s.Store.Stat(ctx, name)
}

// A log in a store far away is read many entries at a time, and is the same.
func TestLogIsReadAhead(t *testing.T) {
	dir := t.TempDir()
	l := openTest(t, folder(t, dir), 1)
	for i := range 150 {
		commitRows(t, l, int64(i))
	}
	far := &farStore{Store: folder(t, dir)}
	m := openTest(t, far, 2)
	if got, want := rowCounts(t, newest(t, m)), rowCounts(t, newest(t, l)); got != want || newest(t, m).Version() != newest(t, l).Version() {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if far.most < 2 || far.most > entriesAhead+1 {
		t.Errorf("%d entries are read at a time", far.most)
	}
	far.entries = 0
	commitRows(t, l, 1000)
	if got, want := rowCounts(t, newest(t, m)), rowCounts(t, newest(t, l)); got != want {
		t.Errorf("after another commit: got %s\nwant %s", got, want)
	}
	if far.entries > 4 {
		t.Errorf("%d entries are asked for where one is new", far.entries)
	}
	far.entries = 0
	newest(t, m)
	if far.entries != 1 {
		t.Errorf("%d entries are asked for where none is new", far.entries)
	}
}

// lateStore has no first entry of the log before its folder is listed.
type lateStore struct {
	blob.Store
	listed bool
}

func (s *lateStore) Stat(ctx context.Context, name string) (blob.Info, error) {
	if name == entryName(Files, 0) && !s.listed {
		return blob.Info{}, fs.ErrNotExist
	}
	return s.Store.Stat(ctx, name)
}

func (s *lateStore) List(ctx context.Context, prefix, after string, visit func(blob.Info) error) error {
	s.listed = s.listed || prefix == Files+"/_delta_log/"
	return s.Store.List(ctx, prefix, after, visit)
}

// A lake that another process makes while it is being opened is that lake: its log is not one that has lost its beginning.
func TestLakeIsMadeMeanwhile(t *testing.T) {
	dir := t.TempDir()
	l := openTest(t, folder(t, dir), 1)
	commitRows(t, l, 1)
	late := &lateStore{Store: folder(t, dir)}
	m := openTest(t, late, 2, func(o *Options) { o.IndexPath = filepath.Join(t.TempDir(), "index.db") })
	if !late.listed || newest(t, m).Version() != newest(t, l).Version() {
		t.Errorf("version %d, want %d", newest(t, m).Version(), newest(t, l).Version())
	}
}
