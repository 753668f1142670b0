package catalog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/cloudtrail"
)

// stateText is all that a snapshot knows of live files.
func stateText(t *testing.T, l *Lake) string {
	t.Helper()
	s := newest(t, l)
	var out strings.Builder
	for _, layout := range layouts() {
		parts, err := s.Partitions(t.Context(), layout.Name)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range parts {
			files, err := s.Files(t.Context(), layout.Name, p)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				fmt.Fprintf(&out, "%s %s %d %d %d %v %v %x %x %v\n", layout.Name, f.Path, f.Size, f.Rows, f.Added, f.Canonical, f.Commits, f.SHA256, f.Footer, layout.Stats(f))
			}
		}
	}
	fmt.Fprintln(&out, s.Version())
	return out.String()
}

// removeEntries deletes the entries before a version of the log of trail_files.
func removeEntries(t *testing.T, dir string, before int64) {
	t.Helper()
	for v := range before {
		if err := os.Remove(filepath.Join(dir, entryName(Files, v))); err != nil {
			t.Fatal(err)
		}
	}
}

// A lake whose older entries are gone is the same lake, and goes on.
func TestLakeFromItsCheckpoint(t *testing.T) {
	dir := t.TempDir()
	l := openTest(t, folder(t, dir), 1)
	for i := range 9 {
		commitRows(t, l, int64(i+1))
	}
	files, err := newest(t, l).Files(t.Context(), cloudtrail.Logs, testPartition)
	if err != nil {
		t.Fatal(err)
	}
	merged := fakeFile(t, l, cloudtrail.Logs, testPartition, files[0].Rows+files[1].Rows)
	merged.Commits, merged.Canonical = true, true
	if _, err := l.Commit(t.Context(), newest(t, l), Change{Merge: true, Add: map[string][]NewFile{cloudtrail.Logs: {merged}},
		Remove: map[string][]*File{cloudtrail.Logs: files[:2]}}); err != nil {
		t.Fatal(err)
	}
	if err := l.checkpoint(t.Context(), 12); err != nil {
		t.Fatal(err)
	}
	if last, err := l.lastCheckpoint(t.Context(), Files); err != nil || last.Version != -1 {
		t.Fatalf("a checkpoint too early: %+v, %v", last, err)
	}
	if err := l.checkpoint(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	last, err := l.lastCheckpoint(t.Context(), cloudtrail.Logs)
	if err != nil || last.Version != 10 || last.NumOfAddFiles != 8 || last.Size != 8+2+3 {
		t.Fatalf("%+v, %v", last, err)
	}
	before, err := l.removals(t.Context(), cloudtrail.Logs)
	if err != nil {
		t.Fatal(err)
	}
	for _, more := range []int{0, 3} { // entries after the checkpoint
		for range more {
			commitRows(t, l, 100)
		}
		want := stateText(t, l)
		copied := filepath.Join(t.TempDir(), "lake")
		if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		removeEntries(t, copied, 10)
		if err := os.RemoveAll(filepath.Join(copied, "_trailql")); err != nil {
			t.Fatal(err)
		}
		other := openTest(t, folder(t, copied), 2)
		if got := stateText(t, other); got != want {
			t.Errorf("from the checkpoint:\n%swant\n%s", got, want)
		}
		if after, err := other.removals(t.Context(), cloudtrail.Logs); err != nil || more == 0 && !reflect.DeepEqual(after, before) {
			t.Errorf("removed files %v, %v; want %v", after, err, before)
		}
		// It goes on: commits, merges' removals, the other tables' logs, another checkpoint.
		commitRows(t, other, 50)
		if err := other.checkpoint(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		want = stateText(t, other)
		next := newest(t, other).Version()
		for v := int64(10); v < next; v++ {
			if err := os.Remove(filepath.Join(copied, entryName(Files, v))); err != nil {
				t.Fatal(err)
			}
		}
		if got := stateText(t, openTest(t, folder(t, copied), 3, func(o *Options) { o.IndexPath = filepath.Join(t.TempDir(), "i.db") })); got != want {
			t.Errorf("from the second checkpoint:\n%swant\n%s", got, want)
		}
	}
}

// A checkpoint that cannot be read is passed over; a log without beginning and checkpoint is an error, not an empty lake.
func TestDamagedCheckpoint(t *testing.T) {
	dir := t.TempDir()
	l := openTest(t, folder(t, dir), 1)
	commitRows(t, l, 1)
	if err := l.checkpoint(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	commitRows(t, l, 2)
	if err := l.checkpoint(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	want := stateText(t, l)
	removeEntries(t, dir, 1)
	open := func() (*Lake, error) {
		return Open(t.Context(), folder(t, dir), Options{Now: testNow, IndexPath: filepath.Join(t.TempDir(), "i.db")})
	}
	name := filepath.Join(dir, checkpointName(cloudtrail.Logs, 2))
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, cut := range []int{0, 3, len(data) / 2, len(data) - 1} {
		if err := os.WriteFile(name, data[:cut], 0o666); err != nil {
			t.Fatal(err)
		}
		other, err := open()
		if err != nil {
			t.Fatalf("cut off at %d: %v", cut, err)
		}
		if got := stateText(t, other); got != want {
			t.Errorf("cut off at %d: %s", cut, got)
		}
		other.Close()
	}
	if err := os.Remove(filepath.Join(dir, checkpointName(Files, 1))); err != nil {
		t.Fatal(err)
	}
	if _, err := open(); err == nil || !strings.Contains(err.Error(), "first entries are gone") {
		t.Errorf("without a whole checkpoint: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, checkpointName(Files, 2))); err != nil {
		t.Fatal(err)
	}
	if _, err := open(); err == nil || !strings.Contains(err.Error(), "first entries are gone") {
		t.Errorf("without a checkpoint: %v", err)
	}
}

// A newer lake is not misread, and not written to by who would spoil it.
func TestFormatVersion(t *testing.T) {
	for _, c := range []struct {
		reader, writer string
		read, write    string // the error
	}{
		{"1", "1", "", ""},
		{"1", "2", "", "can only read it"},
		{"2", "2", "use a newer trailql", "use a newer trailql"},
		{"x", "1", "use a newer trailql", "use a newer trailql"},
	} {
		dir := t.TempDir()
		l := openTest(t, folder(t, dir), 1)
		known, err := l.index.metaData(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		m := known[Files]
		if m.Configuration[propertyReader] != "1" || m.Configuration[propertyWriter] != "1" {
			t.Fatalf("a new lake has %v", m.Configuration)
		}
		m.Configuration[propertyReader], m.Configuration[propertyWriter] = c.reader, c.writer
		if _, err := l.putCommit(t.Context(), 1, operationCreate, "", map[string][]action{Files: {{MetaData: m}}}); err != nil {
			t.Fatal(err)
		}
		for readOnly, want := range map[bool]string{true: c.read, false: c.write} {
			l, err := Open(t.Context(), folder(t, dir), Options{Now: testNow, ReadOnly: readOnly})
			if err == nil {
				l.Close()
			}
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("reader %s, writer %s, read only %v: %v", c.reader, c.writer, readOnly, err)
			}
		}
	}
}

// A lake from before there were formats gets one from the next writer.
func TestFormatOfAnOldLake(t *testing.T) {
	dir := t.TempDir()
	l := openTest(t, folder(t, dir), 1)
	known, err := l.index.metaData(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m := known[Files]
	m.Configuration = map[string]string{}
	if _, err := l.putCommit(t.Context(), 1, operationCreate, "", map[string][]action{Files: {{MetaData: m}}}); err != nil {
		t.Fatal(err)
	}
	l = openTest(t, folder(t, dir), 2)
	if known, err = l.index.metaData(t.Context()); err != nil || versionOf(known[Files]) != lakeFormat || newest(t, l).Version() != 2 {
		t.Errorf("%v, %v at version %d", known[Files], err, newest(t, l).Version())
	}
}

// failing fails one call that writes, and all after it.
type failing struct {
	blob.Store
	left int // calls that go well
}

var errCrash = errors.New("crash")

func (f *failing) fails() bool { f.left--; return f.left < 0 }

func (f *failing) Create(ctx context.Context, name string) (blob.Writer, error) {
	if f.fails() {
		return nil, errCrash
	}
	w, err := f.Store.Create(ctx, name)
	return &failingWriter{Writer: w, of: f}, err
}

type failingWriter struct {
	blob.Writer
	of    *failing
	begun bool
}

func (w *failingWriter) Write(p []byte) (int, error) {
	begun := w.begun
	w.begun = true
	if !begun && w.of.fails() { // the first of many is enough
		n, _ := w.Writer.Write(p[:len(p)/2])
		return n, errCrash
	}
	return w.Writer.Write(p)
}

func (w *failingWriter) Close() error {
	if w.of.fails() {
		return errCrash
	}
	return w.Writer.Close()
}

// A crash at any moment of writing checkpoints leaves a lake that opens from the ones before, and the next run writes them.
func TestCheckpointCutOffAnywhere(t *testing.T) {
	begin := t.TempDir()
	l := openTest(t, folder(t, begin), 1)
	commitRows(t, l, 1)
	if err := l.checkpoint(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	commitRows(t, l, 2)
	want := stateText(t, l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	whole := false
	for calls := 0; !whole; calls += 1 + calls%4 { // all kinds of calls, not all calls
		dir := filepath.Join(t.TempDir(), "lake")
		if err := os.CopyFS(dir, os.DirFS(begin)); err != nil {
			t.Fatal(err)
		}
		f := &failing{Store: folder(t, dir), left: calls}
		l := openTest(t, f, 2)
		err := l.checkpoint(t.Context(), 1)
		whole = err == nil
		if err != nil && !errors.Is(err, errCrash) {
			t.Fatalf("after %d calls: %v", calls, err)
		}
		l.Close()
		removeEntries(t, dir, 1)
		other := openTest(t, folder(t, dir), 3, func(o *Options) { o.IndexPath = filepath.Join(t.TempDir(), "i.db") })
		if got := stateText(t, other); got != want {
			t.Fatalf("after %d calls:\n%swant\n%s", calls, got, want)
		}
		if err := other.checkpoint(t.Context(), 1); err != nil {
			t.Fatalf("after %d calls, again: %v", calls, err)
		}
		if last, err := other.lastCheckpoint(t.Context(), cloudtrail.Logs); err != nil || last.Version != 2 || last.NumOfAddFiles != 2 {
			t.Fatalf("after %d calls, again: %+v, %v", calls, last, err)
		}
		if calls > 500 {
			t.Fatal("it never ends")
		}
	}
}

// BenchmarkCheckpointRows makes rows of files with the usual statistics, and reads them back.
func BenchmarkCheckpointRows(b *testing.B) {
	stats := `{"numRecords":4711,"minValues":{"eventtime":"2026-03-02T00:00:00Z","eventname":"AssumeRole"},"maxValues":{"eventtime":"2026-03-02T23:59:59Z","eventname":"UpdateRole"},"nullCount":{"errorcode":4000}}`
	actions := make([]action, checkpointRows)
	for i := range actions {
		actions[i].Add = &addAction{Path: fmt.Sprintf("account=1/region=eu-west-1/date=2026-03-02/%032d.parquet", i), Size: 1000, Stats: stats}
	}
	for b.Loop() {
		batch, err := checkpointBatch(actions)
		if err == nil {
			err = visitActions(batch, func(action) error { return nil })
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
