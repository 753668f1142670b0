package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/cloudtrail"
	"github.com/trailql/trailql/connectors/parquetio"
	"github.com/trailql/trailql/connectors/sqlitefile"
	"github.com/trailql/trailql/engine/source"
)

// testNow is the clock of the tests.
func testNow() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func openTest(t *testing.T, store blob.Store, seed int64, change ...func(*Options)) *Lake {
	t.Helper()
	opt := Options{Now: testNow, Rand: rand.New(rand.NewSource(seed))}
	for _, c := range change {
		c(&opt)
	}
	l, err := Open(t.Context(), store, opt)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func folder(t *testing.T, dir string) blob.Store {
	t.Helper()
	s, err := blob.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var testPartition = Partition{"111111111111", "eu-west-1", "2026-02-28"}

// fakeFile is a file that exists only in the log.
func fakeFile(t *testing.T, l *Lake, table string, p Partition, rows int64) NewFile {
	t.Helper()
	name, err := l.NewPath(table, p)
	if err != nil {
		t.Fatal(err)
	}
	return NewFile{Path: name, Partition: p, Written: parquetio.Written{Rows: rows, Bytes: 10 * rows, Stats: map[string]parquetio.Stats{
		"_time":     {Min: int64(1772236800123456), Max: int64(1772236801123456), Nulls: 0},
		"eventname": {Min: "A", Max: "B<>&\u2028", Nulls: 1},
	}}}
}

func commitRows(t *testing.T, l *Lake, rows int64) {
	t.Helper()
	for {
		s := newest(t, l)
		_, err := l.Commit(t.Context(), s, Change{Add: map[string][]NewFile{cloudtrail.Logs: {fakeFile(t, l, cloudtrail.Logs, testPartition, rows)}}})
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			t.Fatalf("commit: %v", err)
		}
		return
	}
}

func newest(t *testing.T, l *Lake) *Snapshot {
	t.Helper()
	s, err := l.Newest(t.Context())
	if err != nil {
		t.Fatalf("snapshot: %v", err)
	}
	return s
}

// rowCounts lists the rows of the files of cloudtrail_logs, sorted.
func rowCounts(t *testing.T, s *Snapshot) string {
	t.Helper()
	parts, err := s.Partitions(t.Context(), cloudtrail.Logs)
	if err != nil {
		t.Fatal(err)
	}
	var counts []int64
	for _, p := range parts {
		files, err := s.Files(t.Context(), cloudtrail.Logs, p)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			counts = append(counts, f.Rows)
		}
	}
	slices.Sort(counts)
	return fmt.Sprint(counts)
}

func TestCommitsMakeVersions(t *testing.T) {
	dir := t.TempDir()
	l := openTest(t, folder(t, dir), 1)
	first := newest(t, l)
	if first.Version() != 0 {
		t.Fatalf("a new lake has version %d", first.Version())
	}
	commitRows(t, l, 3)
	second := newest(t, l)
	files, err := second.Files(t.Context(), cloudtrail.Logs, testPartition)
	if err != nil || len(files) != 1 {
		t.Fatalf("files: %v, %v", files, err)
	}
	f := files[0]
	if f.Added != 1 || f.Rows != 3 || !strings.HasPrefix(f.Path, "account=111111111111/region=eu-west-1/date=2026-02-28/") {
		t.Errorf("file is %+v", f)
	}
	_, err = l.Commit(t.Context(), second, Change{Merge: true,
		Add:    map[string][]NewFile{cloudtrail.Logs: {fakeFile(t, l, cloudtrail.Logs, testPartition, 7)}},
		Remove: map[string][]*File{cloudtrail.Logs: files}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		s    *Snapshot
		want string
	}{{first, "[]"}, {second, "[3]"}, {newest(t, l), "[7]"}} {
		if got := rowCounts(t, c.s); got != c.want {
			t.Errorf("version %d has files of %s rows, want %s", c.s.Version(), got, c.want)
		}
	}
	// A fresh reader of the same log sees the same, and a snapshot is not moved by later commits.
	other := openTest(t, folder(t, dir), 2, func(o *Options) { o.ReadOnly = true; o.IndexPath = filepath.Join(t.TempDir(), "i.db") })
	if got := rowCounts(t, newest(t, other)); got != "[7]" {
		t.Errorf("second reader: %s", got)
	}
	if _, err := l.Commit(t.Context(), second, Change{}); !errors.Is(err, ErrConflict) {
		t.Errorf("a commit on an old snapshot gives %v", err)
	}
}

// The other tables' logs must be whole Delta logs: version 0 has protocol and metaData, later ones the same actions as the commit point.
func TestOtherLogs(t *testing.T) {
	dir := t.TempDir()
	l := openTest(t, folder(t, dir), 1)
	commitRows(t, l, 3)
	for _, table := range layouts() {
		data, err := os.ReadFile(filepath.Join(dir, entryName(table.Name, 0)))
		if err != nil {
			t.Fatal(err)
		}
		actions, err := decodeEntry(data)
		if err != nil {
			t.Fatalf("%s: %v", table.Name, err)
		}
		var m *metaData
		var p *protocol
		for _, a := range actions {
			if a.MetaData != nil {
				m = a.MetaData
			}
			if a.Protocol != nil {
				p = a.Protocol
			}
		}
		if p == nil || m == nil || p.MinReaderVersion != 1 || p.MinWriterVersion != 2 || !slices.Equal(m.PartitionColumns, table.Partitions) && len(table.Partitions) > 0 {
			t.Errorf("%s: protocol %v, metaData %v", table.Name, p, m)
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, entryName(cloudtrail.Logs, 1)))
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for _, want := range []string{`"txn":{"appId":"trailql","version":1}`, `"partitionValues":{"account":"111111111111","date":"2026-02-28","region":"eu-west-1"}`,
		`\"numRecords\":3`, `\"_time\":\"2026-02-28T00:00:00.123Z\"`, `\"_time\":\"2026-02-28T00:00:01.124Z\"`} {
		if !strings.Contains(text, want) {
			t.Errorf("entry lacks %s:\n%s", want, text)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, entryName(cloudtrail.Insights, 1))); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a table that the batch did not touch got an entry: %v", err)
	}
}

func TestRollForward(t *testing.T) {
	dir := t.TempDir()
	l := openTest(t, folder(t, dir), 1)
	commitRows(t, l, 3)
	commitRows(t, l, 4)
	l.Close()
	want, err := os.ReadFile(filepath.Join(dir, entryName(cloudtrail.Logs, 2)))
	if err != nil {
		t.Fatal(err)
	}
	// The writer died after its commit point; the index is lost too, or stands as the writer left it before.
	for _, index := range []string{"lost", "kept"} {
		if err := os.Remove(filepath.Join(dir, entryName(cloudtrail.Logs, 2))); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "_trailql", "index.db")
		if index == "lost" {
			sqlitefile.Remove(path)
		} else {
			x, err := openIndex(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := x.db.ExecContext(t.Context(), "UPDATE state SET rolled = 1; UPDATE tables SET rolled = 1 WHERE tbl = 'cloudtrail_logs'"); err != nil {
				t.Fatal(err)
			}
			x.close()
		}
		reader := openTest(t, folder(t, dir), 2, func(o *Options) { o.ReadOnly = true })
		if got := rowCounts(t, newest(t, reader)); got != "[3 4]" {
			t.Errorf("a reader must not need the other logs, but sees %s", got)
		}
		reader.Close()
		if _, err := os.Stat(filepath.Join(dir, entryName(cloudtrail.Logs, 2))); !errors.Is(err, fs.ErrNotExist) {
			t.Error("a read-only lake was written to")
		}
		openTest(t, folder(t, dir), 2).Close()
		got, err := os.ReadFile(filepath.Join(dir, entryName(cloudtrail.Logs, 2)))
		if err != nil || string(got) != string(want) {
			t.Errorf("index %s: rolled forward to %q (%v), want %q", index, got, err, want)
		}
	}
}

func TestForeignEntryIsRefused(t *testing.T) {
	dir := t.TempDir()
	l := openTest(t, folder(t, dir), 1)
	name := filepath.Join(dir, entryName(cloudtrail.Logs, 1))
	if err := os.WriteFile(name, []byte(`{"commitInfo":{"engineInfo":"other"}}`+"\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	_, err := l.Commit(t.Context(), newest(t, l), Change{Add: map[string][]NewFile{cloudtrail.Logs: {fakeFile(t, l, cloudtrail.Logs, testPartition, 1)}}})
	if err == nil || !strings.Contains(err.Error(), entryName(cloudtrail.Logs, 1)) {
		t.Errorf("error is %v", err)
	}
}

// Losing or damaging the index loses nothing.
func TestIndexIsOnlyACache(t *testing.T) {
	for name, damage := range map[string]func(path string) error{
		"deleted": sqlitefile.Remove,
		"garbage": func(p string) error {
			sqlitefile.Remove(p)
			return os.WriteFile(p, []byte(strings.Repeat("garbage ", 5000)), 0o666)
		},
		"empty": func(p string) error { sqlitefile.Remove(p); return os.WriteFile(p, nil, 0o666) },
		"torn": func(p string) error {
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			for i := 4096; i < len(b); i++ {
				b[i] ^= 0xA5
			}
			return os.WriteFile(p, b, 0o666)
		},
		"other format": func(p string) error {
			x, err := openIndex(context.Background(), p)
			if err != nil {
				return err
			}
			defer x.close()
			_, err = x.db.ExecContext(context.Background(), "PRAGMA user_version = 99; DROP TABLE files")
			return err
		},
		"ahead of the log": func(p string) error {
			x, err := openIndex(context.Background(), p)
			if err != nil {
				return err
			}
			defer x.close()
			_, err = x.db.ExecContext(context.Background(), "UPDATE state SET version = 17")
			return err
		},
		"of another lake": func(p string) error {
			x, err := openIndex(context.Background(), p)
			if err != nil {
				return err
			}
			defer x.close()
			_, err = x.db.ExecContext(context.Background(), "UPDATE state SET version = 1, entry = x'00'; DELETE FROM files")
			return err
		},
		"a folder in its place": func(p string) error { sqlitefile.Remove(p); return os.MkdirAll(filepath.Join(p, "x"), 0o777) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l := openTest(t, folder(t, dir), 1)
			commitRows(t, l, 3)
			commitRows(t, l, 4)
			l.Close()
			if err := damage(filepath.Join(dir, "_trailql", "index.db")); err != nil {
				t.Fatal(err)
			}
			l = openTest(t, folder(t, dir), 2)
			if got := rowCounts(t, newest(t, l)); got != "[3 4]" {
				t.Errorf("files of %s rows", got)
			}
			commitRows(t, l, 5)
			if got := rowCounts(t, newest(t, l)); got != "[3 4 5]" {
				t.Errorf("after a commit: files of %s rows", got)
			}
		})
	}
}

// An index that is destroyed under an open lake is built anew at the next use.
func TestIndexDestroyedWhileOpen(t *testing.T) {
	dir := t.TempDir()
	l := openTest(t, folder(t, dir), 1)
	commitRows(t, l, 3)
	if _, err := l.index.db.ExecContext(t.Context(), "DROP TABLE files"); err != nil {
		t.Fatal(err)
	}
	if got := rowCounts(t, newest(t, l)); got != "[3]" {
		t.Errorf("files of %s rows", got)
	}
}

// A log entry is read once: with an index that is up to date, opening reads the newest entry and looks for the next.
func TestOpenReadsOnlyWhatIsNew(t *testing.T) {
	dir := t.TempDir()
	l := openTest(t, folder(t, dir), 1)
	for i := range 5 {
		commitRows(t, l, int64(i+1))
	}
	l.Close()
	var mu sync.Mutex
	var reads []string
	watch := &hookStore{Store: folder(t, dir), before: func(op, name string) error {
		mu.Lock()
		defer mu.Unlock()
		if op == "read" {
			reads = append(reads, name)
		}
		return nil
	}}
	openTest(t, watch, 2)
	if want := []string{entryName(Files, 5)}; !slices.Equal(reads, want) {
		t.Errorf("opening read %v, want %v", reads, want)
	}
}

func TestDamagedLogIsNamed(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON":         "{",
		"empty":           "",
		"foreign":         `{"commitInfo":{"engineInfo":"x"}}`,
		"path leaves":     `{"add":{"path":"../../x.parquet","partitionValues":{}}}`,
		"absolute path":   `{"add":{"path":"/x.parquet","partitionValues":{}}}`,
		"encoded dots":    `{"add":{"path":"%2e%2e/x.parquet","partitionValues":{}}}`,
		"another scheme":  `{"add":{"path":"file:///etc/x.parquet","partitionValues":{}}}`,
		"log as a file":   `{"add":{"path":"_delta_log/x.parquet","partitionValues":{}}}`,
		"bad date":        `{"add":{"path":"x.parquet","partitionValues":{"date":"tomorrow"}}}`,
		"bad stats":       `{"add":{"path":"x.parquet","partitionValues":{},"stats":"{"}}`,
		"newer protocol":  `{"protocol":{"minReaderVersion":3,"minWriterVersion":7}}`,
		"nested in batch": `{"commitInfo":{"trailql":{"tables":{"cloudtrail_logs":[{"remove":{"path":"../x.parquet"}}]}}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			openTest(t, folder(t, dir), 1).Close()
			bad := entryName(Files, 1)
			if err := os.WriteFile(filepath.Join(dir, bad), []byte(text), 0o666); err != nil {
				t.Fatal(err)
			}
			_, err := Open(t.Context(), folder(t, dir), Options{Now: testNow})
			if err == nil || !strings.Contains(err.Error(), bad) {
				t.Errorf("error does not name the file: %v", err)
			}
		})
	}
}

func TestRacingCreationAndCommits(t *testing.T) {
	dir := t.TempDir()
	const writers, commits = 4, 5
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			l, err := Open(context.Background(), folder(t, dir), Options{Now: testNow, Rand: rand.New(rand.NewSource(int64(w)))})
			if err != nil {
				t.Error(err)
				return
			}
			defer l.Close()
			for i := range commits {
				commitRows(t, l, int64(w*100+i))
			}
		})
	}
	wg.Wait()
	sqlitefile.Remove(filepath.Join(dir, "_trailql", "index.db"))
	l := openTest(t, folder(t, dir), 99)
	s := newest(t, l)
	if s.Version() != writers*commits {
		t.Errorf("version %d after %d commits", s.Version(), writers*commits)
	}
	if got := strings.Count(rowCounts(t, s), " ") + 1; got != writers*commits {
		t.Errorf("%d files, want %d", got, writers*commits)
	}
	for v := range int64(writers*commits + 1) { // the other log has no gap
		if _, err := os.Stat(filepath.Join(dir, entryName(cloudtrail.Logs, v))); err != nil {
			t.Error(err)
		}
	}
}

// A commit that is cut off before any operation of the store either happened or did not, and the next writer goes on.
func TestCommitCutOffAnywhere(t *testing.T) {
	for k := 1; ; k++ {
		dir := t.TempDir()
		l := openTest(t, folder(t, dir), 1)
		commitRows(t, l, 3)
		l.Close()
		n, died := 0, false
		dying := &hookStore{Store: folder(t, dir), before: func(op, name string) error {
			if n++; n >= k {
				died = true
				return errors.New("cut off")
			}
			return nil
		}}
		if l, err := Open(t.Context(), dying, Options{Now: testNow, Rand: rand.New(rand.NewSource(2))}); err == nil {
			if s, err := l.Newest(t.Context()); err == nil {
				l.Commit(t.Context(), s, Change{Add: map[string][]NewFile{cloudtrail.Logs: {fakeFile(t, l, cloudtrail.Logs, testPartition, 4)}}})
			}
			l.Close()
		}
		l = openTest(t, folder(t, dir), 3)
		if got := rowCounts(t, newest(t, l)); got != "[3]" && got != "[3 4]" {
			t.Errorf("cut at %d: files of %s rows", k, got)
		}
		commitRows(t, l, 5)
		l.Close()
		if !died {
			break
		}
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

func (s *hookStore) List(ctx context.Context, prefix, after string, visit func(blob.Info) error) error {
	if err := s.before("list", prefix); err != nil {
		return err
	}
	return s.Store.List(ctx, prefix, after, visit)
}

func TestReadOnlyWithoutLake(t *testing.T) {
	_, err := Open(t.Context(), folder(t, t.TempDir()), Options{ReadOnly: true})
	if !errors.Is(err, ErrNoLake) || !strings.Contains(err.Error(), "trailql compact") {
		t.Errorf("error is %v", err)
	}
}

func TestPartitionFolders(t *testing.T) {
	for _, c := range []struct {
		p           Partition
		folder, url string
	}{
		{Partition{"123456789012", "eu-west-1", "2026-01-02"}, "account=123456789012/region=eu-west-1/date=2026-01-02", "account=123456789012/region=eu-west-1/date=2026-01-02"},
		{Partition{}, "account=__HIVE_DEFAULT_PARTITION__/region=__HIVE_DEFAULT_PARTITION__/date=__HIVE_DEFAULT_PARTITION__", "account=__HIVE_DEFAULT_PARTITION__/region=__HIVE_DEFAULT_PARTITION__/date=__HIVE_DEFAULT_PARTITION__"},
		// Hive escapes the value, Delta escapes the whole path again.
		{Partition{"a/..", "ü b", ""}, "account=a%2F../region=%C3%BC%20b/date=__HIVE_DEFAULT_PARTITION__", "account=a%252F../region=%25C3%25BC%2520b/date=__HIVE_DEFAULT_PARTITION__"},
		{Partition{"..", ".tmp-", ""}, "account=%2E./region=%2Etmp-/date=__HIVE_DEFAULT_PARTITION__", "account=%252E./region=%252Etmp-/date=__HIVE_DEFAULT_PARTITION__"},
	} {
		if got := c.p.String(); got != c.folder {
			t.Errorf("folder of %v is %s, want %s", c.p, got, c.folder)
		}
		name := c.p.String() + "/00.parquet"
		if got := encodePath(name); got != c.url+"/00.parquet" {
			t.Errorf("path of %v is %s, want %s", c.p, got, c.url)
		}
		if got, err := decodePath(encodePath(name)); err != nil || got != name {
			t.Errorf("%s comes back as %s, %v", name, got, err)
		}
	}
}

// Bounds must contain what they describe after the way through the log, whatever the value.
func TestStatsStayBounds(t *testing.T) {
	l := LayoutOf(cloudtrail.Logs)
	for _, s := range []parquetio.Stats{
		{Min: int64(-62167219199999999), Max: int64(253370764799999999)}, // years 0 to 9998
		{Min: int64(-1), Max: int64(1)},
		{Min: int64(999), Max: int64(1001)},
		{Min: int64(-9223372036854775808), Max: int64(9223372036854775807)},
	} {
		text, err := encodeStats(l, 1, map[string]parquetio.Stats{"_time": s})
		if err != nil || !json.Valid([]byte(text)) {
			t.Fatalf("%s, %v", text, err)
		}
		got, err := decodeStats(l, text)
		if err != nil {
			t.Fatal(err)
		}
		if b := got["_time"]; b.Min != nil && (b.Min.(int64) > s.Min.(int64) || b.Max.(int64) < s.Max.(int64)) {
			t.Errorf("[%v, %v] became [%v, %v]", s.Min, s.Max, b.Min, b.Max)
		}
	}
	text, _ := encodeStats(l, 1, map[string]parquetio.Stats{"eventname": {Min: "\xff", Max: "\xff\xfe"}, "useridentity.type": {Min: "<&>", Max: "\u2028\x00", Nulls: 2}})
	got, err := decodeStats(l, text)
	if err != nil || got["eventname"].Min != nil {
		t.Errorf("bounds that are no UTF-8 must be dropped, not bent: %v, %v", got["eventname"], err)
	}
	if packed := unpackStats(l, packStats(l, text)); !reflect.DeepEqual(packed, got) {
		t.Errorf("%v packed and unpacked gives %v", got, packed)
	}
	if b := got["useridentity.type"]; b.Min != "<&>" || b.Max != "\u2028\x00" || b.Nulls != 2 {
		t.Errorf("nested bounds came back as %v", b)
	}
}

func FuzzDecodeEntry(f *testing.F) {
	f.Add([]byte(`{"add":{"path":"a.parquet","partitionValues":{"date":null},"size":1,"stats":"{\"numRecords\":1}"}}`))
	f.Add([]byte(`{"commitInfo":{"trailql":{"tables":{"t":[{"metaData":{"id":""}}]}}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		actions, err := decodeEntry(data)
		if err != nil {
			return
		}
		for _, a := range actions {
			if a.Add == nil {
				continue
			}
			file, err := fileOf(a.Add)
			if err != nil {
				t.Fatalf("checked add fails: %v", err)
			}
			if !fs.ValidPath(file.Path) || !strings.HasSuffix(file.Path, ".parquet") {
				t.Fatalf("path %q", file.Path)
			}
			layout := LayoutOf(cloudtrail.Logs)
			if stats, err := decodeStats(layout, file.stats); err == nil {
				if got := unpackStats(layout, packStats(layout, file.stats)); len(got) != len(stats) || len(got) > 0 && !reflect.DeepEqual(got, stats) {
					t.Fatalf("%v packed and unpacked gives %v", stats, got)
				}
			}
		}
	})
}

func TestResolve(t *testing.T) {
	s := newest(t, openTest(t, folder(t, t.TempDir()), 1))
	for name, want := range map[string]bool{
		"cloudtrail_logs": true, "CloudTrail_Logs": true, "default.cloudtrail_logs": true, "AwsDataCatalog.default.cloudtrail_logs": true,
		"a.b.c.cloudtrail_logs": false, "information_schema.cloudtrail_logs": false, "cloudtrail_log": false, "trail_files": true,
	} {
		r, ok := s.Resolve(strings.Split(name, "."))
		if ok != want {
			t.Errorf("%s: found %v", name, ok)
		}
		if stored, is := r.(source.Stored); is && stored.Table.Name() == "" {
			t.Errorf("%s: no name", name)
		}
	}
}
