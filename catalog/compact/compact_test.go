package compact

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/cloudtrail"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqlerr"
)

func equalLines(t testing.TB, got, want []string, what string) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	t.Errorf("%s: %d rows, want %d", what, len(got), len(want))
	shown := 0
	for i := 0; i < max(len(got), len(want)) && shown < 3; i++ {
		var g, w string
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Logf("row %d\n got %s\nwant %s", i, g, w)
			shown++
		}
	}
}

func TestRowsCopiesAndConflicts(t *testing.T) {
	one, two := event("a", 1, 10), event("b", 1, 10)
	amended := event("b", 1, 10, `"addendum":{"reason":"UPDATED_DATA"}`)
	noID := event("", 1, 20)
	tr := trail{
		objectName("eu-west-1", 1, 0, 1): content(one, two, noID, event("d", 2, 0)),
		objectName("eu-west-1", 1, 5, 2): content(one, amended, noID, event("", 1, 20, `"readOnly":true`)),
	}
	l := newLake(t)
	sum := compactTest(t, l, nil, tr.folder(t))
	if sum.New != 2 || sum.Records != 8 || sum.Rows != 6 || sum.Duplicates != 2 || sum.Commits != 1 || !sum.Clean() {
		t.Errorf("summary %+v", sum)
	}
	got := read(t, l, cloudtrail.Logs, "eventid", "date", "_conflict", "_row", "_commit")
	want := []string{ // by partition, time, id; NULL ids last; 20485 days after 1970 is 2026-02-01
		"a|20485|false|0|1", "b|20485|true|1|1", "b|20485|true|1|1", "<nil>|20485|false|2|1", "<nil>|20485|false|3|1", "d|20486|false|3|1",
	}
	equalLines(t, got, want, "rows")
	dups := read(t, l, catalog.Duplicates, "row", "eventid", "kept_row", "table_name")
	equalLines(t, dups, []string{"0|a|0|cloudtrail_logs", "2|<nil>|2|cloudtrail_logs"}, "duplicates")
	ledger := read(t, l, catalog.Files, "state", "records", "rows", "duplicates", "quarantined", "account", "region", "kind", "commit")
	equalLines(t, ledger, []string{"ok|4|4|0|0|111111111111|eu-west-1|CloudTrail|1", "ok|4|2|2|0|111111111111|eu-west-1|CloudTrail|1"}, "ledger")
}

// A lake must not depend on how its sources were split into runs, objects read at a time, windows or workers.
func TestResultDoesNotDependOnTheWay(t *testing.T) {
	tr := randomTrail(7, 24)
	whole := newLake(t)
	all := compactTest(t, whole, nil, tr.folder(t))
	want := contents(t, whole)
	if all.Duplicates == 0 || !slices.ContainsFunc(want, func(s string) bool { return strings.Contains(s, "|true|") }) {
		t.Fatal("the trail has no copies or no conflicts")
	}
	names := sortedNames(tr)
	for _, c := range []struct {
		name   string
		runs   int
		change func(*Options)
	}{
		{"one object a run", len(names), nil},
		{"two runs", 2, nil},
		{"five runs without merges", 5, func(o *Options) { o.NoMerge = true }},
		{"one worker, small windows", 1, func(o *Options) { o.Workers, o.windowRows = 1, 2 }},
		{"few objects listed at a time", 1, func(o *Options) { o.chunk = 3 }},
		{"memory for one object", 1, func(o *Options) { o.Memory = 1 }},
		{"files of a few rows", 2, func(o *Options) { o.fileBytes = 1; o.windowRows = 3 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			rng := rand.New(rand.NewSource(3))
			order := rng.Perm(len(names))
			l := newLake(t)
			dir := t.TempDir()
			var total Summary
			for run := range c.runs {
				part := trail{}
				for i := run; i < len(names); i += c.runs {
					part[names[order[i]]] = tr[names[order[i]]]
				}
				part.write(t, dir)
				sum := compactTest(t, l, c.change, dir)
				total.Rows += sum.Rows
				total.Duplicates += sum.Duplicates
			}
			if total.Rows != all.Rows || total.Duplicates != all.Duplicates {
				t.Errorf("%d rows and %d duplicates, want %d and %d", total.Rows, total.Duplicates, all.Rows, all.Duplicates)
			}
			equalLines(t, contents(t, l), want, "contents")
			again := compactTest(t, l, c.change, dir)
			if again.New != 0 || again.Earlier != int64(len(names)) || again.Rows != 0 {
				t.Errorf("running again: %+v", again)
			}
			equalLines(t, contents(t, l), want, "contents after running again")
		})
	}
}

func TestRunningAgainAfterTheIndexIsLost(t *testing.T) {
	tr := randomTrail(1, 5)
	src, dir := tr.folder(t), t.TempDir()
	l := openLake(t, store(t, dir))
	compactTest(t, l, nil, src)
	want := contents(t, l)
	l.Close()
	for _, name := range []string{"index.db", "index.db-wal", "index.db-shm"} {
		os.Remove(filepath.Join(dir, "_trailql", name))
	}
	l = openLake(t, store(t, dir))
	if sum := compactTest(t, l, nil, src); sum.Earlier != 5 || sum.New != 0 {
		t.Errorf("summary %+v", sum)
	}
	equalLines(t, contents(t, l), want, "contents")
}

func TestQuarantine(t *testing.T) {
	good := content(event("a", 1, 1), event("b", 1, 2))
	cut := zip(strings.Repeat(good+"\n", 1))
	names := map[string]string{
		"truncated": string(cut[:len(cut)-9]),
		"member":    string(zip(good)) + string(zip(good)),
		"tail":      string(zip(good)) + "x",
		"noJSON":    string(zip("hello")),
		"half":      string(zip(content(event("c", 1, 3), event("d", 1, 4))[:350])),
		"badRow":    string(zip(content(event("e", 1, 5), "17", `"text"`, event("f", 1, 6)))),
	}
	tr := trail{}
	i := 0
	for _, n := range []string{"truncated", "member", "tail", "noJSON", "half", "badRow"} {
		tr[strings.Replace(objectName("eu-west-1", 1, i, i), "_0000", "_"+n+"0000", 1)] = names[n]
		i++
	}
	src, dir := tr.folder(t), t.TempDir()
	l := openLake(t, store(t, dir))
	sum := compactTest(t, l, nil, src)
	ledger := read(t, l, catalog.Files, "path", "state", "records", "rows", "quarantined")
	t.Logf("%s", strings.Join(ledger, "\n"))
	quarantine := read(t, l, catalog.Quarantine, "path", "row", "reason", "stored", "record")
	t.Logf("%s", strings.Join(quarantine, "\n"))
	if sum.Clean() || sum.SetAside != sum.New {
		t.Errorf("summary %+v", sum)
	}
	if int64(len(quarantine)) != sum.Quarantined {
		t.Errorf("%d rows in quarantine, the summary says %d", len(quarantine), sum.Quarantined)
	}
	// Each object set aside as a whole is kept byte for byte.
	for _, n := range []string{"truncated", "member", "tail"} {
		found := false
		filepath.WalkDir(filepath.Join(dir, "_trailql", "quarantine"), func(path string, d os.DirEntry, err error) error {
			if data, err := os.ReadFile(path); err == nil && string(data) == names[n] {
				found = true
			}
			return nil
		})
		if !found {
			t.Errorf("%s is not in the quarantine", n)
		}
	}
	if rows := read(t, l, cloudtrail.Logs, "eventid"); !slices.Contains(rows, "e") || !slices.Contains(rows, "f") {
		t.Errorf("rows beside a bad record: %v", rows)
	}
	if again := compactTest(t, l, nil, src); again.New != 0 || !again.Clean() {
		t.Errorf("running again: %+v", again)
	}
}

func TestAltered(t *testing.T) {
	name := objectName("eu-west-1", 1, 0, 1)
	src := trail{name: content(event("a", 1, 1))}.folder(t)
	l := newLake(t)
	compactTest(t, l, nil, src)
	path := filepath.Join(src, filepath.FromSlash(name))
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// Copied over with the same bytes: another ETag, nothing else.
	os.Remove(path)
	os.WriteFile(path, data, 0o666)
	os.Chtimes(path, testNow(), testNow().Add(-100))
	if sum := compactTest(t, l, nil, src); sum.Earlier != 1 || sum.New != 0 || !sum.Clean() {
		t.Errorf("same bytes: %+v", sum)
	}
	trail{name: content(event("z", 1, 1))}.write(t, src)
	for run, want := range []int64{1, 0} { // reported once
		sum := compactTest(t, l, nil, src)
		if sum.Altered != want || sum.Clean() != (want == 0) || sum.Rows != 0 {
			t.Errorf("other bytes, run %d: %+v", run, sum)
		}
	}
	equalLines(t, read(t, l, cloudtrail.Logs, "eventid"), []string{"a"}, "rows")
	states := read(t, l, catalog.Files, "state")
	slices.Sort(states)
	equalLines(t, states, []string{"altered", "ok"}, "states")
}

func TestUnknownAndUnreadable(t *testing.T) {
	src := trail{
		"AWSLogs/readme.txt":             "hello",
		"AWSLogs/config.json":            `{"a":1}`,
		objectName("eu-west-1", 1, 0, 1): content(event("a", 1, 1)),
		objectName("eu-west-1", 1, 0, 2): content(event("b", 1, 1)),
		objectName("eu-west-1", 1, 0, 3): content(),
	}.folder(t)
	l := newLake(t)
	locked := objectName("eu-west-1", 1, 0, 2)
	opt := testOptions()
	for run := range 2 {
		sum, err := Run(context.Background(), l, []blob.Store{&hookStore{Store: store(t, src), before: func(op, name string) error {
			if op == "get" && name == locked {
				return errors.New("permission denied")
			}
			return nil
		}}}, opt, nil)
		if err != nil {
			t.Fatal(err)
		}
		reconcile(t, sum)
		if sum.Unknown != 2 || sum.Unreadable != 1 || sum.Clean() || len(sum.UnreadableNames) != 1 || !strings.Contains(sum.UnreadableNames[0], locked) {
			t.Errorf("run %d: %+v", run, sum)
		}
	}
	if sum := compactTest(t, l, nil, src); sum.New != 1 || sum.Rows != 1 {
		t.Errorf("readable again: %+v", sum)
	}
}

// An object too large for its share of the memory goes through temporary files, with the same result.
func TestLargeObject(t *testing.T) {
	var events []string
	rng := rand.New(rand.NewSource(1))
	for i := range 4000 {
		e := event(fmt.Sprintf("id-%05d", i), 1+rng.Intn(3), rng.Intn(86400), fmt.Sprintf(`"requestParameters":{"text":"%s"}`, strings.Repeat("x", 1000)))
		events = append(events, e)
		if i%10 == 0 {
			events = append(events, e)
		}
	}
	rng.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	src := trail{objectName("eu-west-1", 1, 0, 1): content(events...), objectName("eu-west-1", 1, 0, 2): content(events[:10]...)}.folder(t)
	var spilled atomic.Int64
	watched := &hookStore{Store: store(t, t.TempDir()), before: func(op, name string) error {
		if op == "create" && strings.HasPrefix(name, catalog.TempFolder) {
			spilled.Add(1)
		}
		return nil
	}}
	large, small := newLake(t), openLake(t, watched)
	want := compactTest(t, large, func(o *Options) { o.Memory = 4 << 30 }, src)
	got := compactTest(t, small, func(o *Options) { o.Memory = 8 << 20 }, src)
	if got.Rows != 4000 || got.Rows != want.Rows || got.Duplicates != want.Duplicates {
		t.Errorf("%+v, want %+v", got, want)
	}
	equalLines(t, contents(t, small), contents(t, large), "contents")
	if spilled.Load() < 2 {
		t.Errorf("%d temporary files were written", spilled.Load())
	}
	left := 0
	small.Store().List(context.Background(), catalog.TempFolder, "", func(blob.Info) error { left++; return nil })
	if left != 0 {
		t.Errorf("%d temporary files are left", left)
	}
}

func TestMergesKeepRows(t *testing.T) {
	tr := randomTrail(5, 40)
	names := sortedNames(tr)
	merged, plain := newLake(t), newLake(t)
	dir := t.TempDir()
	var files int64
	for i := range names {
		trail{names[i]: tr[names[i]]}.write(t, dir)
		files += compactTest(t, merged, nil, dir).Merged
		compactTest(t, plain, func(o *Options) { o.NoMerge = true }, dir)
	}
	if files == 0 {
		t.Error("nothing was merged")
	}
	equalLines(t, contents(t, merged), contents(t, plain), "contents")
	for _, table := range []string{catalog.Files, catalog.Duplicates} {
		got, want := read(t, merged, table, "path"), read(t, plain, table, "path")
		slices.Sort(got)
		slices.Sort(want)
		equalLines(t, got, want, table)
	}
	// A merge must not make rows younger: each batch of the two lakes brought the same rows, only its number differs.
	distinct := func(l *catalog.Lake) int {
		commits := read(t, l, cloudtrail.Logs, "_commit")
		slices.Sort(commits)
		return len(slices.Compact(commits))
	}
	if distinct(merged) != distinct(plain) {
		t.Errorf("%d distinct commits, want %d", distinct(merged), distinct(plain))
	}
}

func TestRacingCompactors(t *testing.T) {
	tr := randomTrail(11, 20)
	src := tr.folder(t)
	alone := newLake(t)
	all := compactTest(t, alone, nil, src)
	dir := t.TempDir()
	var wg sync.WaitGroup
	sums := make([]Summary, 3)
	for i := range sums {
		l := openLake(t, store(t, dir))
		wg.Go(func() {
			opt := testOptions()
			opt.chunk = 2 + i // so that the batches overlap
			var err error
			if sums[i], err = Run(context.Background(), l, []blob.Store{store(t, src)}, opt, nil); err != nil {
				t.Errorf("compactor %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	var rows, dups, objects int64
	for _, s := range sums {
		reconcile(t, s)
		rows, dups, objects = rows+s.Rows, dups+s.Duplicates, objects+s.New
	}
	if rows != all.Rows || dups != all.Duplicates || objects != all.New {
		t.Errorf("together %d rows, %d duplicates of %d objects, want %d, %d of %d", rows, dups, objects, all.Rows, all.Duplicates, all.New)
	}
	l := openLake(t, store(t, dir))
	equalLines(t, contents(t, l), contents(t, alone), "contents")
	if got := len(read(t, l, catalog.Files, "path")); got != 20 {
		t.Errorf("%d rows in the ledger, want 20", got)
	}
}

// On a full disk the run ends with an error that says so and leaves nothing behind; with space again the next one goes on.
func TestFullDisk(t *testing.T) {
	src := randomTrail(4, 6).folder(t)
	alone := newLake(t)
	compactTest(t, alone, nil, src)
	for _, room := range []int64{0, 1, 3, 6} { // objects that still fit
		dir := t.TempDir()
		var left atomic.Int64
		left.Store(1 << 40)
		full := &hookStore{Store: store(t, dir), before: func(op, name string) error {
			if (op == "close" || op == "put") && left.Add(-1) < 0 {
				return fmt.Errorf("%s: %w", name, syscall.ENOSPC)
			}
			return nil
		}}
		l := openLake(t, full)
		left.Store(room)
		_, err := Run(context.Background(), l, []blob.Store{store(t, src)}, testOptions(), nil)
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("room for %d: %v", room, err)
		}
		version := int64(0)
		if s, err := l.Newest(context.Background()); err == nil {
			version = s.Version()
		}
		var found []string
		l.Store().List(context.Background(), "cloudtrail_logs/account", "", func(i blob.Info) error { found = append(found, i.Name); return nil })
		if version == 0 && len(found) > 0 {
			t.Errorf("room for %d: %v is left behind", room, found)
		}
		left.Store(1 << 40)
		compactTest(t, l, nil, src)
		equalLines(t, contents(t, l), contents(t, alone), fmt.Sprintf("room for %d", room))
	}
}

// hookStore calls before in front of each operation; an error of it is the operation's.
type hookStore struct {
	blob.Store
	before func(op, name string) error
}

func (s *hookStore) Stat(ctx context.Context, name string) (blob.Info, error) {
	if err := s.before("stat", name); err != nil {
		return blob.Info{}, err
	}
	return s.Store.Stat(ctx, name)
}

func (s *hookStore) Get(ctx context.Context, info blob.Info) (io.ReadCloser, error) {
	if err := s.before("get", info.Name); err != nil {
		return nil, err
	}
	return s.Store.Get(ctx, info)
}

func (s *hookStore) ReadAll(ctx context.Context, name string) ([]byte, error) {
	if err := s.before("read", name); err != nil {
		return nil, err
	}
	return s.Store.ReadAll(ctx, name)
}

func (s *hookStore) PutIfAbsent(ctx context.Context, name string, data []byte) error {
	if err := s.before("put", name); err != nil {
		return err
	}
	return s.Store.PutIfAbsent(ctx, name, data)
}

func (s *hookStore) Delete(ctx context.Context, name string) error {
	if err := s.before("delete", name); err != nil {
		return err
	}
	return s.Store.Delete(ctx, name)
}

func (s *hookStore) List(ctx context.Context, prefix, after string, visit func(blob.Info) error) error {
	if err := s.before("list", prefix); err != nil {
		return err
	}
	return s.Store.List(ctx, prefix, after, visit)
}

func (s *hookStore) Create(ctx context.Context, name string) (blob.Writer, error) {
	if err := s.before("create", name); err != nil {
		return nil, err
	}
	w, err := s.Store.Create(ctx, name)
	if err != nil {
		return nil, err
	}
	return &hookWriter{Writer: w, s: s, name: name}, nil
}

type hookWriter struct {
	blob.Writer
	s     *hookStore
	name  string
	wrote bool
}

// Write calls the hook for the first write of an object: the others are many and no different.
func (w *hookWriter) Write(p []byte) (int, error) {
	if !w.wrote {
		if err := w.s.before("write", w.name); err != nil {
			return 0, err
		}
		w.wrote = true
	}
	return w.Writer.Write(p)
}

func (w *hookWriter) Close() error {
	if err := w.s.before("close", w.name); err != nil {
		return err
	}
	return w.Writer.Close()
}

// The log holds the hashes of whole files and of their footers, and a reader holds a footer against its hash: nothing else would notice a
// footer whose damage is still well-formed.
func TestHashesInTheLog(t *testing.T) {
	tr := trail{objectName("eu-west-1", 1, 0, 1): content(event("a", 1, 10), event("b", 2, 10))}
	made := t.TempDir()
	compactTest(t, openLake(t, store(t, made)), nil, tr.folder(t))
	// A copy, whose footers this process has not in its cache.
	dir := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(dir, os.DirFS(made)); err != nil {
		t.Fatal(err)
	}
	l := openLake(t, store(t, dir))
	snap, err := l.Newest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	partitions, err := snap.Partitions(t.Context(), cloudtrail.Logs)
	if err != nil || len(partitions) != 2 {
		t.Fatalf("%d partitions, %v", len(partitions), err)
	}
	for _, p := range partitions {
		files, err := snap.Files(t.Context(), cloudtrail.Logs, p)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			name := filepath.Join(dir, cloudtrail.Logs, filepath.FromSlash(f.Path))
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			footer := data[len(data)-8-int(binary.LittleEndian.Uint32(data[len(data)-8:])):]
			whole, part := sha256.Sum256(data), sha256.Sum256(footer)
			if !bytes.Equal(f.SHA256, whole[:]) || !bytes.Equal(f.Footer, part[:]) {
				t.Errorf("%s: the log has hashes %x and %x, the file %x and %x", f.Path, f.SHA256, f.Footer, whole, part)
			}
			footer[len(footer)/3] ^= 4
			if err := os.WriteFile(name, data, 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	table, ok := snap.Resolve([]string{cloudtrail.Logs})
	if !ok {
		t.Fatal("no table")
	}
	scan, err := table.(*source.Bound).Of.(source.Stored).Table.Scan(t.Context(), source.Request{Paths: []source.Path{{Column: 0}}, Limit: -1})
	if err != nil {
		t.Fatal(err)
	}
	for m := range scan.Morsels() {
		r, err := scan.Open(t.Context(), m)
		if err == nil {
			_, err = r.Next()
		}
		if sqlerr.KindOf(err) != sqlerr.Data {
			t.Errorf("a file with a damaged footer is read: %v", err)
		}
	}
}
