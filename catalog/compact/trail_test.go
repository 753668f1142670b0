package compact

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"maps"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/cloudtrail"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/vec"
)

// testNow is later than the trails of the tests, and than their files: the clock of the file system is the machine's.
func testNow() time.Time { return time.Now() }

// trail is a folder of trail objects in a test.
type trail map[string]string // name → content, gzipped where the name ends in .gz

const account = "111111111111"

// object returns the usual name of an object, delivered at a minute of a day.
func objectName(region string, day, minute, unique int) string {
	return fmt.Sprintf("AWSLogs/%s/CloudTrail/%s/2026/02/%02d/%s_CloudTrail_%s_202602%02dT%02d%02dZ_%016d.json.gz",
		account, region, day, account, region, day, minute/60, minute%60, unique)
}

// event returns a record.
func event(id string, day, second int, extra ...string) string {
	text := fmt.Sprintf(`{"eventVersion":"1.08","eventTime":"2026-02-%02dT%02d:%02d:%02dZ","eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"eu-west-1","recipientAccountId":"%s"`,
		day, second/3600, second/60%60, second%60, account)
	if id != "" {
		text += `,"eventID":"` + id + `"`
	}
	for _, e := range extra {
		text += "," + e
	}
	return text + "}"
}

func content(events ...string) string { return `{"Records":[` + strings.Join(events, ",") + `]}` }

func zip(text string) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write([]byte(text))
	w.Close()
	return out.Bytes()
}

func (tr trail) write(t testing.TB, dir string) {
	t.Helper()
	for name, text := range tr {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		data := []byte(text)
		if strings.HasSuffix(name, ".gz") && !strings.HasPrefix(text, "\x1f\x8b") {
			data = zip(text)
		}
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func (tr trail) folder(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	tr.write(t, dir)
	return dir
}

func store(t testing.TB, dir string) blob.Store {
	t.Helper()
	s, err := blob.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func openLake(t testing.TB, s blob.Store) *catalog.Lake {
	t.Helper()
	l, err := catalog.Open(context.Background(), s, catalog.Options{Now: testNow})
	if err != nil {
		t.Fatalf("open lake: %v", err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func newLake(t testing.TB) *catalog.Lake { return openLake(t, store(t, t.TempDir())) }

func testOptions() Options { return Options{Workers: 2, Now: testNow, Memory: 256 << 20} }

func compactTest(t testing.TB, l *catalog.Lake, change func(*Options), dirs ...string) Summary {
	t.Helper()
	opt := testOptions()
	if change != nil {
		change(&opt)
	}
	var sources []blob.Store
	for _, d := range dirs {
		sources = append(sources, store(t, d))
	}
	sum, err := Run(context.Background(), l, sources, opt, nil)
	if err != nil {
		t.Fatalf("compact: %v", err)
	}
	reconcile(t, sum)
	return sum
}

func reconcile(t testing.TB, s Summary) {
	t.Helper()
	if s.Listed != s.Earlier+s.New+s.Unknown+s.Unreadable || s.Records != s.Rows+s.Duplicates+s.Quarantined {
		t.Errorf("the summary does not add up: %+v", s)
	}
}

// read returns the rows of a table with the given columns, each as text joined by |, in the table's order.
func read(t testing.TB, l *catalog.Lake, table string, columns ...string) []string {
	t.Helper()
	snap, err := l.Newest(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	rows, err := rowsAt(snap, table, columns...)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]string, len(rows))
	for i, row := range rows {
		out[i] = strings.Join(row, "|")
	}
	return out
}

// rowsAt reads a table at a snapshot; values are text.
func rowsAt(snap *catalog.Snapshot, table string, columns ...string) ([][]string, error) {
	r, ok := snap.Resolve([]string{table})
	if !ok {
		return nil, fmt.Errorf("no table %s", table)
	}
	if b, is := r.(*source.Bound); is {
		r = b.Of
	}
	tab := r.(source.Stored).Table
	req := source.Request{Limit: -1}
	for _, name := range columns {
		i := slices.IndexFunc(tab.Columns(), func(c source.Column) bool { return c.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("no column %s", name)
		}
		req.Paths = append(req.Paths, source.Path{Column: i})
	}
	scan, err := tab.Scan(context.Background(), req)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", table, err)
	}
	var out [][]string
	err = source.Each(source.InOrder(context.Background(), scan), func(b vec.Batch) error {
		for i, c := range b.Cols {
			b.Cols[i] = vec.Plain(c)
		}
		for i := range b.Len {
			var cells []string
			for _, c := range b.Cols {
				cells = append(cells, fmt.Sprint(vec.Value(c, i)))
			}
			out = append(out, cells)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", table, err)
	}
	return out, nil
}

// contents is what a lake says of events, without their provenance: it must not depend on the way they came in.
func contents(t testing.TB, l *catalog.Lake) []string {
	t.Helper()
	var out []string
	for _, table := range []string{cloudtrail.Logs, cloudtrail.Insights, cloudtrail.Aggregated} {
		for _, row := range read(t, l, table, "account", "region", "date", "_time", "_conflict", "eventjson") {
			out = append(out, table+": "+row)
		}
	}
	slices.Sort(out)
	return out
}

// randomTrail makes events with copies and conflicts among them, spread over objects in no order.
func randomTrail(seed int64, objects int) trail {
	rng := rand.New(rand.NewSource(seed))
	var all []string
	for i := range objects * 6 {
		id := fmt.Sprintf("id-%04d", i)
		day, second := 1+rng.Intn(3), rng.Intn(86400)
		if rng.Intn(8) == 0 {
			id = ""
		}
		e := event(id, day, second, fmt.Sprintf(`"requestParameters":{"n":%d}`, i))
		all = append(all, e)
		for rng.Intn(4) == 0 {
			all = append(all, e) // a copy
		}
		for rng.Intn(12) == 0 {
			all = append(all, event(id, day, second, fmt.Sprintf(`"requestParameters":{"other":%d}`, rng.Intn(3))))
		}
	}
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	out := trail{}
	for i := range objects {
		var part []string
		for j := i; j < len(all); j += objects {
			part = append(part, all[j])
		}
		out[objectName("eu-west-1", 1+rng.Intn(3), rng.Intn(1440), i)] = content(part...)
	}
	return out
}

func sortedNames(tr trail) []string { return slices.Sorted(maps.Keys(tr)) }
