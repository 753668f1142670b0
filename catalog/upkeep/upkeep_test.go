package upkeep

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/catalog/compact"
	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/cloudtrail"
)

const first, second = "111111111111", "222222222222"

func now() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// deliver writes an object with events of a day: of each of the categories one.
func deliver(t *testing.T, dir, account string, day, object int, categories ...string) {
	t.Helper()
	var events []string
	for i, c := range categories {
		events = append(events, fmt.Sprintf(`{"eventVersion":"1.08","eventTime":"2026-02-%02dT%02d:00:%02dZ","eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"eu-west-1",`+
			`"recipientAccountId":"%s","eventID":"%s-%d-%d-%d","eventCategory":"%s"}`, day, object, i, account, account, day, object, i, c))
	}
	name := filepath.Join(dir, "AWSLogs", account, "CloudTrail", "eu-west-1", "2026", "02", fmt.Sprintf("%02d", day),
		fmt.Sprintf("%s_CloudTrail_eu-west-1_202602%02dT%02d00Z_%016d.json.gz", account, day, object, object))
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	fmt.Fprintf(w, `{"Records":[%s]}`, strings.Join(events, ","))
	w.Close()
	if err := os.WriteFile(name, out.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, dir string) *catalog.Lake {
	t.Helper()
	store, err := blob.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	l, err := catalog.Open(t.Context(), store, catalog.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func take(t *testing.T, l *catalog.Lake, dir string) {
	t.Helper()
	source, err := blob.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := compact.Run(t.Context(), l, []blob.Store{source}, compact.Options{Now: now, Workers: 1, Memory: 256 << 20, NoMerge: true}, nil); err != nil {
		t.Fatal(err)
	}
}

// model is the folder of a lake that the tests copy: two accounts, six days of each, of both Management and Data events in one file, and
// on the days 5 and 6 of Data in a file of its own.
var model struct {
	sync.Once
	dir string
}

func TestMain(m *testing.M) {
	code := m.Run()
	os.RemoveAll(model.dir)
	os.Exit(code)
}

func newLake(t *testing.T) (l *catalog.Lake, dir string) {
	t.Helper()
	model.Do(func() {
		var err error
		if model.dir, err = os.MkdirTemp("", "upkeep"); err != nil {
			t.Fatal(err)
		}
		l := open(t, model.dir)
		trail := t.TempDir()
		for day := 1; day <= 6; day++ {
			for _, account := range []string{first, second} {
				deliver(t, trail, account, day, 1, "Management", "Data", "Data", "Management", "NetworkActivity")
			}
		}
		take(t, l, trail)
		for day := 5; day <= 6; day++ {
			deliver(t, trail, first, day, 2, "Data", "Data", "Data")
		}
		take(t, l, trail)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	})
	dir = filepath.Join(t.TempDir(), "lake")
	if err := os.CopyFS(dir, os.DirFS(model.dir)); err != nil {
		t.Fatal(err)
	}
	return open(t, dir), dir
}

func whole(t *testing.T, l *catalog.Lake) *Checked {
	t.Helper()
	c, err := Check(t.Context(), l, now())
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Wrong) > 0 {
		t.Fatalf("wrong: %v", c.Wrong)
	}
	return c
}

// rows counts events by account, category and day.
func rows(t *testing.T, l *catalog.Lake, asOf string) map[string]int64 {
	t.Helper()
	snap, err := l.Newest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int64{}
	err = ask(t.Context(), l, snap, "SELECT account || ' ' || eventcategory || ' ' || CAST(date AS varchar), count(*) FROM cloudtrail_logs"+asOf+" GROUP BY 1", func(row []any) {
		out[row[0].(string)] = row[1].(int64)
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func total(m map[string]int64) (n int64) {
	for _, v := range m {
		n += v
	}
	return n
}

var by = Act{Who: "ann", When: now(), Reason: "retention of 400 days"}

func TestStatus(t *testing.T) {
	l, dir := newLake(t)
	s, err := StatusOf(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	if s.Version != 2 || s.Checkpoint != -1 || s.From != "2026-02-01" || s.To != "2026-02-06" || !slices.Equal(s.Accounts, []string{first, second}) || !s.At.Equal(now()) ||
		s.Index != filepath.Join(dir, "_trailql", "index.db") || s.Format != 1 {
		t.Errorf("%+v", s)
	}
	for _, table := range s.Tables {
		if table.Name == cloudtrail.Logs && (table.Rows != 66 || table.Files != 14 || table.Partitions != 12 || table.SmallFiles != 14 || table.Bytes == 0) {
			t.Errorf("%+v", table)
		}
	}
	if data, err := json.Marshal(s); err != nil || !strings.Contains(string(data), `"accounts":["111111111111","222222222222"]`) {
		t.Errorf("%s, %v", data, err)
	}
}

func TestCheckNamesWhatIsWrong(t *testing.T) {
	l, dir := newLake(t)
	c := whole(t, l)
	if c.Files == 0 || c.Objects != 14 || c.Records != 66 || c.Young != 0 {
		t.Errorf("%+v", c)
	}
	snap, err := l.Newest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	files, err := snap.AllFiles(t.Context(), cloudtrail.Logs)
	if err != nil {
		t.Fatal(err)
	}
	table := filepath.Join(dir, cloudtrail.Logs)
	spoil := func(name string, spoil func(name string) error) {
		t.Helper()
		if err := spoil(name); err != nil {
			t.Fatal(err)
		}
	}
	cut := filepath.Join(table, files[3].Path)
	spoil(cut, func(name string) error { return os.Truncate(name, 100) })
	spoil(filepath.Join(table, "young.parquet"), func(name string) error { return os.WriteFile(name, nil, 0o666) })
	spoil(filepath.Join(table, "old.parquet"), func(name string) error { return os.WriteFile(name, nil, 0o666) })
	spoil(filepath.Join(table, "old.parquet"), func(name string) error { return os.Chtimes(name, now(), now().Add(-48*time.Hour)) })
	spoil(filepath.Join(table, "young.parquet"), func(name string) error { return os.Chtimes(name, now(), now().Add(-time.Hour)) })
	spoil(filepath.Join(table, "_delta_log", fmt.Sprintf("%020d.json", 2)), os.Remove)
	if c, err = Check(t.Context(), l, now()); err != nil {
		t.Fatal(err)
	}
	if c.Young != 1 {
		t.Errorf("%d young files", c.Young)
	}
	var got []string
	for _, f := range c.Wrong {
		got = append(got, f.What+" "+f.Name+" "+f.Says)
	}
	for _, want := range []string{"file cloudtrail_logs/" + files[3].Path + " it has 100 bytes", "file cloudtrail_logs/old.parquet no version knows it", "index  the log of cloudtrail_logs ends with entry 1, it should have 2"} {
		if !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, want) }) {
			t.Errorf("%q is not among %q", want, got)
		}
	}
	if len(got) != 3 {
		t.Errorf("%q", got)
	}
	spoil(cut, os.Remove)
	if c, err = Check(t.Context(), l, now()); err != nil || len(c.Wrong) != 3 || !strings.Contains(c.Wrong[0].Says+c.Wrong[1].Says, "cannot be found") {
		t.Errorf("%v, %v", c, err)
	}
}

func TestScrub(t *testing.T) {
	l, dir := newLake(t)
	clock := now()
	var lock sync.Mutex
	opt := ScrubOptions{Parallel: 2, Now: func() time.Time { lock.Lock(); defer lock.Unlock(); return clock }}
	scrub := func(change func(*ScrubOptions)) *Scrubbed {
		t.Helper()
		o := opt
		if change != nil {
			change(&o)
		}
		s, err := Scrub(t.Context(), l, o)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := scrub(func(o *ScrubOptions) { o.Bytes = 1 })
	if s.Files != 1 || s.Left == 0 || !s.Oldest.IsZero() || len(s.Damaged) > 0 {
		t.Fatalf("%+v", s)
	}
	all := s.Files + s.Left
	clock = clock.Add(time.Hour)
	if s = scrub(nil); s.Files != all || s.Left != 0 || !s.Oldest.Equal(clock) {
		t.Errorf("%+v; there are %d files", s, all)
	}
	// Each run of one file takes another one.
	clock = clock.Add(time.Hour)
	for range all - 1 {
		if s = scrub(func(o *ScrubOptions) { o.Bytes = 1 }); s.Files != 1 || s.Oldest.Equal(clock) {
			t.Fatalf("%+v", s)
		}
	}
	if s = scrub(func(o *ScrubOptions) { o.Bytes = 1 }); !s.Oldest.Equal(clock) {
		t.Errorf("%+v at %v", s, clock)
	}
	// The rate holds.
	var slept time.Duration
	scrub(func(o *ScrubOptions) {
		o.Rate, o.Parallel = 1000, 1
		o.Sleep = func(_ context.Context, d time.Duration) error { slept = max(slept, d); return nil }
	})
	if bytes := s.Bytes; slept < time.Second || bytes == 0 {
		t.Errorf("slept up to %v", slept)
	}
	// One changed byte, a missing file and a short one are named, and come first the next time.
	snap, err := l.Newest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	files, err := snap.AllFiles(t.Context(), cloudtrail.Logs)
	if err != nil {
		t.Fatal(err)
	}
	path := func(i int) string { return filepath.Join(dir, cloudtrail.Logs, files[i].Path) }
	data, err := os.ReadFile(path(1))
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/3] ^= 1
	if err := os.WriteFile(path(1), data, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path(4), 10); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path(7)); err != nil {
		t.Fatal(err)
	}
	for _, bytes := range []int64{0, files[1].Size + files[4].Size + files[7].Size - 1} {
		s = scrub(func(o *ScrubOptions) { o.Bytes = bytes })
		var names []string
		for _, d := range s.Damaged {
			names = append(names, strings.TrimPrefix(d.Name, cloudtrail.Logs+"/"))
		}
		want := []string{files[1].Path, files[4].Path, files[7].Path}
		slices.Sort(want)
		if !slices.Equal(names, want) {
			t.Errorf("damaged: %q, want %q", names, want)
		}
	}
}

func TestExpire(t *testing.T) {
	for _, c := range []struct {
		name   string
		policy Policy
		holds  []Hold
		gone   func(account, category string, day int) bool
		files  [2]int // whole, rewritten
	}{
		{"all before a day", Policy{Before: "2026-02-04"}, nil,
			func(_, _ string, day int) bool { return day < 4 }, [2]int{6, 0}},
		{"an account", Policy{Before: "2026-02-04", Accounts: []string{second}}, nil,
			func(account, _ string, day int) bool { return day < 4 && account == second }, [2]int{3, 0}},
		{"a category", Policy{Before: "2026-02-06", Accounts: []string{first}, Categories: []string{"Data"}}, nil,
			func(account, category string, day int) bool { return day < 6 && account == first && category == "Data" }, [2]int{1, 5}},
		{"two categories, which are all there are in a file", Policy{Before: "2026-02-06", Categories: []string{"Data", "Management", "NetworkActivity"}}, nil,
			func(_, _ string, day int) bool { return day < 6 }, [2]int{11, 0}},
		{"a hold", Policy{Before: "2026-02-05"}, []Hold{{Name: "case-1", Account: first, From: "2026-02-02", To: "2026-02-03"}, {Name: "case-2", From: "2026-02-04"}},
			func(account, _ string, day int) bool { return day < 4 && !(account == first && (day == 2 || day == 3)) }, [2]int{4, 0}},
		{"nothing", Policy{Before: "2026-02-01"}, nil, func(string, string, int) bool { return false }, [2]int{0, 0}},
		{"an unknown category", Policy{Before: "2026-03-01", Categories: []string{"Else"}}, nil, func(string, string, int) bool { return false }, [2]int{0, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, dir := newLake(t)
			for _, h := range c.holds {
				h.Placed = by
				if err := AddHold(t.Context(), l, h); err != nil {
					t.Fatal(err)
				}
			}
			before := rows(t, l, "")
			var gone int64
			want := map[string]int64{}
			for k, n := range before {
				var account, category string
				var day int
				if _, err := fmt.Sscanf(k, "%s %s 2026-02-%d", &account, &category, &day); err != nil {
					t.Fatal(err)
				}
				if c.gone(account, category, day) {
					gone += n
				} else {
					want[k] = n
				}
			}
			dry, err := Expire(t.Context(), l, c.policy, by, true)
			if err != nil || dry.Rows != gone || dry.Name != "" || fmt.Sprint(rows(t, l, "")) != fmt.Sprint(before) {
				t.Fatalf("dry run: %d rows of %d, %v", dry.Rows, gone, err)
			}
			snap, err := l.Newest(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			r, err := Expire(t.Context(), l, c.policy, by, false)
			if err != nil {
				t.Fatal(err)
			}
			if got := rows(t, l, ""); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("left %v, want %v", got, want)
			}
			if r.Rows != gone || [2]int{r.Counts["whole"], r.Counts["rewritten"]} != c.files {
				t.Errorf("%d rows, want %d; files %v, want %v", r.Rows, gone, r.Counts, c.files)
			}
			if checked := whole(t, l); checked.Expired != gone {
				t.Errorf("the check knows of %d rows removed, want %d", checked.Expired, gone)
			}
			if gone == 0 {
				if r.Name != "" {
					t.Errorf("a receipt %s of nothing", r.Name)
				}
				return
			}
			var kept Receipt
			if ok, err := read(t.Context(), l.Store(), r.Name, &kept); err != nil || !ok || kept.Version != snap.Version()+1 || kept.Act != by || kept.Rows != gone || len(kept.Holds) != len(c.holds) {
				t.Errorf("receipt %+v, %v", kept, err)
			}
			var sum int64
			for _, g := range kept.Removed {
				if before[g.Account+" "+g.Category+" "+g.Day] != g.Rows {
					t.Errorf("%+v; there were %d", g, before[g.Account+" "+g.Category+" "+g.Day])
				}
				sum += g.Rows
			}
			if sum != gone {
				t.Errorf("%d rows by account, category and day; %d are gone", sum, gone)
			}
			// What was before cannot be told any more, and is not told.
			err = ask(t.Context(), l, nil, fmt.Sprintf("SELECT count(*) FROM cloudtrail_logs FOR VERSION AS OF %d", snap.Version()), func([]any) {})
			if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("retention removed rows of it in version %d", kept.Version)) {
				t.Errorf("the version before: %v", err)
			}
			if got := rows(t, l, fmt.Sprintf(" FOR VERSION AS OF %d", kept.Version)); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("the version itself: %v", got)
			}
			// A sweep takes the bytes, and what was read once does not come back.
			if _, err := l.Sweep(t.Context(), -time.Second); err != nil {
				t.Fatal(err)
			}
			for _, f := range kept.Files {
				if _, err := os.Stat(filepath.Join(dir, f.Table, f.Path)); err == nil {
					t.Errorf("%s is still there", f.Path)
				}
			}
			whole(t, l)
		})
	}
}

// A hold that is placed while a removal is being prepared keeps its events.
func TestHoldBeatsARemovalUnderWay(t *testing.T) {
	l, _ := newLake(t)
	before := rows(t, l, "")
	x := &racing{Store: l.Store(), put: func() {
		if err := AddHold(context.Background(), l, Hold{Name: "late", Account: first, Placed: by}); err != nil {
			t.Error(err)
		}
	}}
	other, err := catalog.Open(t.Context(), x, catalog.Options{Now: now, IndexPath: filepath.Join(t.TempDir(), "i.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	r, err := Expire(t.Context(), other, Policy{Before: "2026-02-03"}, by, false)
	if err != nil || len(r.Holds) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	for k, n := range before {
		if got := rows(t, l, "")[k]; strings.HasPrefix(k, first) && got != n {
			t.Errorf("%s: %d of %d rows are left", k, got, n)
		}
	}
	if total(rows(t, l, "")) != total(before)-10 {
		t.Errorf("%d rows are left of %d", total(rows(t, l, "")), total(before))
	}
	whole(t, l)
	receipts := 0
	_ = l.Store().List(t.Context(), receiptFolder, "", func(blob.Info) error { receipts++; return nil })
	if receipts != 1 {
		t.Errorf("%d receipts, one of them of an attempt that failed", receipts)
	}
}

// racing calls put when the first receipt is written.
type racing struct {
	blob.Store
	put func()
}

func (r *racing) PutIfAbsent(ctx context.Context, name string, data []byte) error {
	if strings.HasPrefix(name, receiptFolder) && r.put != nil {
		put := r.put
		r.put = nil
		put()
	}
	return r.Store.PutIfAbsent(ctx, name, data)
}

func TestHolds(t *testing.T) {
	l, dir := newLake(t)
	h := Hold{Name: "case-17", Account: first, From: "2026-02-01", Placed: by}
	if err := AddHold(t.Context(), l, h); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []Hold{h, {Name: "../x"}, {Name: ""}, {Name: "a", From: "yesterday"}, {Name: "a", From: "2026-02-02", To: "2026-02-01"}} {
		if err := AddHold(t.Context(), l, bad); err == nil {
			t.Errorf("%+v was placed", bad)
		}
	}
	holds, err := Holds(t.Context(), l.Store())
	if err != nil || len(holds) != 1 || holds[0] != h {
		t.Fatalf("%+v, %v", holds, err)
	}
	if err := RemoveHold(t.Context(), l, "case-18", by); err == nil {
		t.Error("a hold that is not there was released")
	}
	if err := RemoveHold(t.Context(), l, "case-17", by); err != nil {
		t.Fatal(err)
	}
	if holds, err = Holds(t.Context(), l.Store()); err != nil || len(holds) != 0 {
		t.Errorf("%+v, %v", holds, err)
	}
	if err := AddHold(t.Context(), l, h); err == nil {
		t.Error("a released hold was placed again under its name")
	}
	// A hold that cannot be read stops every removal.
	if err := os.WriteFile(filepath.Join(dir, "_trailql", "holds", "case-19.json"), []byte("{"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Expire(t.Context(), l, Policy{Before: "2026-02-05"}, by, false); err == nil || !strings.Contains(err.Error(), "case-19") {
		t.Errorf("removed beside a hold that cannot be read: %v", err)
	}
}
