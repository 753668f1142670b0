package main

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/trailql/trailql/engine"
)

// Faults as a user meets them: through the command line, from the bytes of a trail to the answer of a query. After each
// compaction the lake must reconcile.

// objects are files of a trail: name → stored bytes.
type objects map[string][]byte

// trailName is the usual name of a trail object.
func trailName(n int) string {
	return fmt.Sprintf("AWSLogs/111111111111/CloudTrail/eu-west-1/2026/03/01/111111111111_CloudTrail_eu-west-1_20260301T0000Z_%016d.json.gz", n)
}

// eventOf is a record of 2026-03-01; more are further members, each with its comma before it.
func eventOf(id string, more ...string) string {
	return fmt.Sprintf(`{"eventVersion":"1.08","eventTime":"2026-03-01T00:00:01Z","eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"eu-west-1","recipientAccountId":"111111111111","eventID":"%s"%s}`,
		id, strings.Join(more, ""))
}

func recordsOf(events ...string) []byte {
	return []byte(`{"Records":[` + strings.Join(events, ",") + `]}`)
}

func gzipped(content []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(content)
	w.Close()
	return out.Bytes()
}

func (o objects) write(t testing.TB, dir string) string {
	t.Helper()
	for name, data := range o {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// trailql runs a command line in this process.
func trailql(t testing.TB, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(""), &o, &e)
	return code, o.String(), e.String()
}

// compactTo compacts sources into a lake, expects the exit code, and holds the lake's ledger against its tables.
func compactTo(t testing.TB, wantCode int, lake string, sources ...string) (errs string) {
	t.Helper()
	code, out, errs := trailql(t, append(append([]string{"compact"}, sources...), "--lake", lake)...)
	if code != wantCode {
		t.Fatalf("compact: exit %d, want %d\n%s", code, wantCode, errs)
	}
	if out != "" {
		t.Errorf("compact wrote to stdout: %q", out)
	}
	reconcile(t, lake)
	return errs
}

// rowsOf asks a lake; each row is its values with NULL spelled out.
func rowsOf(t testing.TB, lake, sql string) [][]string {
	t.Helper()
	l, err := openLake(t.Context(), lake)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	rows, err := answerOf(t.Context(), engine.New(l), sql, engine.Options{})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return rows
}

// linesOf are the rows of an answer, values joined by "|".
func linesOf(t testing.TB, lake, sql string) []string {
	t.Helper()
	lines := []string{}
	for _, row := range rowsOf(t, lake, sql) {
		lines = append(lines, strings.Join(row, "|"))
	}
	return lines
}

func expect(t testing.TB, lake, sql string, want ...string) {
	t.Helper()
	if want == nil {
		want = []string{}
	}
	if got := linesOf(t, lake, sql); !slices.Equal(got, want) {
		t.Errorf("%s\n got %.2000q\nwant %.2000q", sql, got, want)
	}
}

const allRows = `(SELECT _path, _row, eventjson, _conflict FROM cloudtrail_logs UNION ALL SELECT _path, _row, eventjson, _conflict FROM cloudtrail_insights
	UNION ALL SELECT _path, _row, eventjson, _conflict FROM cloudtrail_aggregated)`

// reconcile holds the first promise: per object, records = rows + duplicates + quarantined, and each of these is really there.
func reconcile(t testing.TB, lake string) {
	t.Helper()
	expect(t, lake, `SELECT path, records, rows, duplicates, quarantined FROM trail_files WHERE records <> rows + duplicates + quarantined`)
	expect(t, lake, `SELECT path FROM trail_files GROUP BY path, sha256 HAVING count(*) > 1`)
	expect(t, lake, `SELECT f.path, f.n, r.n FROM (SELECT path, sum(rows) AS n FROM trail_files GROUP BY path) f
		LEFT JOIN (SELECT _path AS path, count(*) AS n FROM `+allRows+` GROUP BY 1) r ON r.path = f.path WHERE f.n <> coalesce(r.n, 0)`)
	expect(t, lake, `SELECT f.path, f.n, r.n FROM (SELECT path, sum(duplicates) AS n FROM trail_files GROUP BY path) f
		LEFT JOIN (SELECT path, count(*) AS n FROM trail_duplicates GROUP BY 1) r ON r.path = f.path WHERE f.n <> coalesce(r.n, 0)`)
	expect(t, lake, `SELECT f.path, f.n, r.n FROM (SELECT path, sum(quarantined) AS n FROM trail_files GROUP BY path) f
		LEFT JOIN (SELECT path, count(*) AS n FROM trail_quarantine GROUP BY 1) r ON r.path = f.path WHERE f.n <> coalesce(r.n, 0)`)
	expect(t, lake, `SELECT (SELECT coalesce(sum(rows), 0) FROM trail_files) - (SELECT count(*) FROM `+allRows+`)
		+ (SELECT coalesce(sum(duplicates), 0) FROM trail_files) - (SELECT count(*) FROM trail_duplicates)
		+ (SELECT coalesce(sum(quarantined), 0) FROM trail_files) - (SELECT count(*) FROM trail_quarantine)`, "0")
}

// ledgerOf is state, records, rows, duplicates and quarantined of each object, by its name below the source.
func ledgerOf(t testing.TB, lake, source string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, row := range rowsOf(t, lake, `SELECT path, state, records, rows, duplicates, quarantined FROM trail_files`) {
		out[strings.TrimPrefix(row[0], source+"/")] = strings.Join(row[1:], " ")
	}
	return out
}

// sameJSON compares texts as JSON with number text, order of keys and repeated keys.
func sameJSON(a, b string) bool {
	tokens := func(text string) (out []json.Token) {
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		for {
			token, err := d.Token()
			if err == io.EOF {
				return out
			}
			if err != nil {
				return []json.Token{err.Error(), text}
			}
			out = append(out, token)
		}
	}
	return slices.Equal(tokens(a), tokens(b))
}

// fault is an object, and what the ledger and the quarantine say of it.
type fault struct {
	why    string
	name   string // "": the usual one
	data   []byte
	ledger string // state records rows duplicates quarantined; "": not in the ledger
	reason string // of its first row in trail_quarantine
	whole  bool   // the stored bytes are kept
}

func faults() []fault {
	n := 0
	event := func(more ...string) string { n++; return eventOf(fmt.Sprintf("f%d", n), more...) }
	many := func() []string {
		var out []string
		for range 200 {
			out = append(out, event(`,"requestParameters":{"n":"`+hex.EncodeToString(sha256.New().Sum([]byte(strconv.Itoa(n))))+`"}`))
		}
		return out
	}
	good := gzipped(recordsOf(many()...))
	flipped := slices.Clone(gzipped(recordsOf(many()...)))
	flipped[len(flipped)-6] ^= 1 // in the checksum: all content can be read, none can be trusted
	middle := slices.Clone(gzipped(recordsOf(many()...)))
	for i := range 8 {
		middle[len(middle)/2+i] ^= 0x5A
	}
	cut := gzipped(recordsOf(many()...))
	cut = cut[:len(cut)*2/3]
	deep := strings.Repeat("[", 100_000)

	return []fault{
		{why: "a good object among the bad ones", data: good, ledger: "ok 200 200 0 0"},
		{why: "a flipped bit in the checksum", data: flipped, ledger: "quarantined 200 0 0 200", reason: "corrupt gzip", whole: true},
		{why: "flipped bytes in the middle", data: middle, ledger: "quarantined * 0 0 *", reason: "corrupt gzip", whole: true},
		{why: "truncated gzip", data: cut, ledger: "quarantined * 0 0 *", reason: "truncated gzip", whole: true},
		{why: "only a gzip header", data: cut[:10], ledger: "quarantined 1 0 0 1", reason: "truncated gzip", whole: true},
		{why: "second gzip member", data: append(gzipped(recordsOf(event())), gzipped(recordsOf(event()))...), ledger: "quarantined 1 0 0 1", reason: "second gzip member", whole: true},
		{why: "bytes after the end", data: append(gzipped(recordsOf(event())), "tail"...), ledger: "quarantined 1 0 0 1", reason: "bytes after the end", whole: true},
		{why: "empty file in the place of a log", data: nil, ledger: "quarantined 1 0 0 1", reason: "no JSON", whole: true},
		{why: "gzip of nothing in the place of a log", data: gzipped(nil), ledger: "quarantined 1 0 0 1", reason: "no JSON", whole: true},
		{why: "nesting bomb", data: gzipped([]byte(`{"Records":[` + event() + `,` + deep + `]}`)), ledger: "quarantined 1 0 0 1", reason: "nesting over", whole: true},
		{why: "nesting bomb alone", data: []byte(deep), ledger: "quarantined 1 0 0 1", reason: "nesting over", whole: true},
		{why: "a record over the limit", data: gzipped(recordsOf(event(), event(`,"userAgent":"`+strings.Repeat("x", 17<<20)+`"`))), ledger: "quarantined 1 0 0 1", reason: "record over 16 MiB", whole: true},
		{why: "records that are no objects", data: gzipped(recordsOf(event(), `7`, `"x"`, `null`, `true`, `[{"eventID":"inner"}]`)), ledger: "quarantined 6 1 0 5", reason: "no JSON object"},
		{why: "records that are no JSON", data: gzipped(recordsOf(event(), `{"eventID":tru}`, `{"a":01}`, "{\"a\":\"\x01\"}", event())), ledger: "quarantined 5 2 0 3"},
		{why: "JSON Lines", data: gzipped([]byte(event() + "\n" + event() + "\r\n" + event())), ledger: "ok 3 3 0 0"},
		{why: "bare array", data: gzipped([]byte(`[` + event() + `,` + event() + `]`)), ledger: "ok 2 2 0 0"},
		{why: "single event", data: gzipped([]byte(event())), ledger: "ok 1 1 0 0"},
		{why: "concatenated events", data: gzipped([]byte(event() + event())), ledger: "ok 2 2 0 0"},
		{why: "byte order mark", data: gzipped([]byte("\xEF\xBB\xBF" + string(recordsOf(event())))), ledger: "ok 1 1 0 0"},
		{why: "no records", data: gzipped(recordsOf()), ledger: "ok 0 0 0 0"},
		{why: "plain .json", name: "copies/plain.json", data: recordsOf(event()), ledger: "ok 1 1 0 0"},
		{why: "gzip in .json", name: "copies/packed.json", data: gzipped(recordsOf(event())), ledger: "ok 1 1 0 0"},
		{why: "plain in .json.gz", name: "copies/plain.json.gz", data: recordsOf(event()), ledger: "ok 1 1 0 0"},
		{why: "copies within one object", data: func() []byte { e := event(); return gzipped(recordsOf(e, e, e)) }(), ledger: "ok 3 1 2 0"},
		{why: "text file", name: "AWSLogs/readme.txt", data: []byte("hello")},
		{why: "other JSON", name: "AWSLogs/manifest.json", data: []byte(`{"files":[{"url":"x"}]}`)},
		{why: "Parquet", name: "AWSLogs/part-0.parquet", data: []byte("PAR1....PAR1")},
		{why: "folder marker", name: "AWSLogs/111111111111_$folder$", data: nil},
		{why: "empty .json of no known kind", name: "AWSLogs/empty.json", data: nil},
	}
}

func TestFaultyObjects(t *testing.T) {
	source, lake := t.TempDir(), filepath.Join(t.TempDir(), "lake")
	list, trail, unknown, setAside := faults(), objects{}, 0, 0
	for i := range list {
		if list[i].name == "" {
			list[i].name = trailName(i)
		}
		trail[list[i].name] = list[i].data
		switch {
		case list[i].ledger == "":
			unknown++
		case strings.HasPrefix(list[i].ledger, "quarantined"):
			setAside++
		}
	}
	trail.write(t, source)
	errs := compactTo(t, exitQuarantine, lake, source)
	for _, want := range []string{
		fmt.Sprintf("%d objects set aside in trail_quarantine:", setAside),
		fmt.Sprintf("%d objects with nothing that CloudTrail writes; left alone:", unknown),
		fmt.Sprintf("objects: %d found = 0 known + %d new + %d unknown + 0 unreadable", len(list), len(list)-unknown, unknown),
	} {
		if !strings.Contains(errs, want) {
			t.Errorf("the summary does not say %q:\n%s", want, errs)
		}
	}

	ledger := ledgerOf(t, lake, source)
	for _, f := range list {
		t.Run(f.why, func(t *testing.T) {
			got, known := ledger[f.name]
			if f.ledger == "" {
				if known {
					t.Errorf("in the ledger: %s", got)
				}
				if !strings.Contains(errs, f.name) {
					t.Errorf("%s is not listed", f.name)
				}
				return
			}
			want := strings.Fields(f.ledger)
			have := strings.Fields(got)
			for i := range want {
				if want[i] == "*" && i < len(have) && have[i] != "0" { // how many can be salvaged, gzip decides
					want[i] = have[i]
				}
			}
			if !slices.Equal(have, want) {
				t.Fatalf("ledger %q, want %q", got, f.ledger)
			}
			q := rowsOf(t, lake, `SELECT reason, stored, row, record FROM trail_quarantine WHERE path = '`+source+"/"+f.name+`' ORDER BY row`)
			if f.reason != "" && (len(q) == 0 || !strings.Contains(q[0][0], f.reason)) {
				t.Fatalf("quarantine %.500q, want reason %q", q, f.reason)
			}
			if f.reason != "" && !strings.Contains(errs, f.name+": ") {
				t.Errorf("%s is not listed with its reason", f.name)
			}
			if f.whole {
				kept, err := os.ReadFile(filepath.Join(lake, q[0][1]))
				if err != nil || !bytes.Equal(kept, f.data) {
					t.Errorf("the bytes kept at %s are not those of the object: %v", q[0][1], err)
				}
			}
		})
	}
	// No record of a corrupt object is among the rows, nor is one that stands inside a quarantined record.
	expect(t, lake, `SELECT eventid FROM cloudtrail_logs WHERE eventid = 'inner' OR eventid IS NULL`)

	// What is in the ledger is not read again, set aside or not: nothing new, exit 0.
	before := linesOf(t, lake, `SELECT path, sha256 FROM trail_files ORDER BY 1`)
	errs = compactTo(t, 0, lake, source)
	if want := fmt.Sprintf("objects: %d found = %d known + 0 new + %d unknown", len(list), len(list)-unknown, unknown); !strings.Contains(errs, want) {
		t.Errorf("the second run does not say %q:\n%s", want, errs)
	}
	if after := linesOf(t, lake, `SELECT path, sha256 FROM trail_files ORDER BY 1`); !slices.Equal(before, after) {
		t.Errorf("the second run changed the ledger")
	}
}

// Bad records are given with their place: offset in the content, ordinal among the records, and their text.
func TestQuarantinedRecords(t *testing.T) {
	source, lake := t.TempDir(), filepath.Join(t.TempDir(), "lake")
	first := eventOf("a")
	objects{trailName(1): gzipped(recordsOf(first, `{"b":tru}`, "{\"\xff\":01}", `7`))}.write(t, source)
	compactTo(t, exitQuarantine, lake, source)
	at := len(`{"Records":[`) + len(first) + 1
	expect(t, lake, `SELECT row, "offset", record, bytes, stored FROM trail_quarantine ORDER BY row`,
		fmt.Sprintf(`1|%d|{"b":tru}|NULL|NULL`, at),
		fmt.Sprintf(`2|%d|NULL|eyL/IjowMX0=|NULL`, at+10), // base64 of {"\xff":01}
		fmt.Sprintf(`3|%d|7|NULL|NULL`, at+10+9))
}

// One record of a million keys is under 16 MiB, so it is a row like any other.
func TestMillionKeys(t *testing.T) {
	if testing.Short() {
		t.Skip("not with -short: 14 MB of keys")
	}
	var big strings.Builder
	for i := range 1_000_000 {
		fmt.Fprintf(&big, `,"k%d":1`, i)
	}
	source, lake := t.TempDir(), filepath.Join(t.TempDir(), "lake")
	wide := eventOf("wide", big.String())
	objects{trailName(1): gzipped(recordsOf(wide, eventOf("small")))}.write(t, source)
	compactTo(t, 0, lake, source)
	rows := rowsOf(t, lake, `SELECT eventjson FROM cloudtrail_logs WHERE eventid = 'wide'`)
	if len(rows) != 1 || rows[0][0] != wide {
		t.Fatalf("%d rows, or another record", len(rows))
	}
}

// An entry of the folder that cannot be read stops nobody else, is named, and is tried again.
func TestUnreadable(t *testing.T) {
	for _, c := range []struct {
		why  string
		make func(path, outside string) error
	}{
		{"a link that leads nowhere", func(path, outside string) error { return os.Symlink("nowhere", path) }},
		{"a link that leaves the source", func(path, outside string) error { return os.Symlink(outside, path) }},
		{"a link to itself", func(path, outside string) error { return os.Symlink(filepath.Base(path), path) }},
	} {
		t.Run(c.why, func(t *testing.T) {
			source, lake := t.TempDir(), filepath.Join(t.TempDir(), "lake")
			outside := filepath.Join(objects{"o.json.gz": gzipped(recordsOf(eventOf("outside")))}.write(t, t.TempDir()), "o.json.gz")
			objects{trailName(1): gzipped(recordsOf(eventOf("a"))), trailName(3): gzipped(recordsOf(eventOf("c")))}.write(t, source)
			bad := filepath.Join(source, filepath.FromSlash(trailName(2)))
			if err := c.make(bad, outside); err != nil {
				t.Skip(err)
			}
			for range 2 {
				errs := compactTo(t, exitQuarantine, lake, source)
				expect(t, lake, `SELECT eventid FROM cloudtrail_logs ORDER BY 1`, "a", "c")
				if !strings.Contains(errs, "1 object could not be read") || !strings.Contains(errs, trailName(2)) || !strings.Contains(errs, "1 unreadable") {
					t.Errorf("the object is not named:\n%s", errs)
				}
			}
			if err := os.Remove(bad); err != nil {
				t.Fatal(err)
			}
			objects{trailName(2): gzipped(recordsOf(eventOf("b")))}.write(t, source)
			compactTo(t, 0, lake, source)
			expect(t, lake, `SELECT eventid FROM cloudtrail_logs ORDER BY 1`, "a", "b", "c")
		})
	}
}

// Names of files are bytes: those that are no text stop nobody, and stay apart.
func TestNamesThatAreNoText(t *testing.T) {
	source, lake := filepath.Join(t.TempDir(), "a\xffb"), filepath.Join(t.TempDir(), "lake\xff")
	if err := os.Mkdir(source, 0o777); err != nil {
		t.Skip(err)
	}
	objects{"\xff.json": recordsOf(eventOf("a"), `7`), "\xfe.json": recordsOf(eventOf("b")), "\uFFFD.json": recordsOf(eventOf("c")), "\xff.txt": nil,
		trailName(1) + "\xfd.json.gz": []byte("torn")}.write(t, source)
	compactTo(t, exitQuarantine, lake, source)
	compactTo(t, 0, lake, source)
	at := filepath.Dir(source) + "/a%FFb/"
	expect(t, lake, `SELECT path, rows FROM trail_files ORDER BY 1`, at+"%FE.json|1", at+"%FF.json|1", at+trailName(1)+"%FD.json.gz|0", at+"\uFFFD.json|1")
	expect(t, lake, `SELECT _path, eventid FROM cloudtrail_logs ORDER BY 2`, at+"%FF.json|a", at+"%FE.json|b", at+"\uFFFD.json|c")
}

// A folder may have a name that ends in .json.gz: what is in it counts.
func TestFolderNamedLikeAnObject(t *testing.T) {
	source, lake := t.TempDir(), filepath.Join(t.TempDir(), "lake")
	objects{"x.json.gz/y.json": recordsOf(eventOf("a"))}.write(t, source)
	compactTo(t, 0, lake, source)
	expect(t, lake, `SELECT eventid FROM cloudtrail_logs`, "a")
}

// Other bytes under a known name are evidence: the rows of before stay, the new bytes are kept, and nothing happens twice.
func TestAlteredObject(t *testing.T) {
	source, lake := t.TempDir(), filepath.Join(t.TempDir(), "lake")
	objects{trailName(1): gzipped(recordsOf(eventOf("a"))), trailName(2): gzipped(recordsOf(eventOf("b")))}.write(t, source)
	compactTo(t, 0, lake, source)
	forged := gzipped(recordsOf(eventOf("a", `,"userAgent":"forged"`), eventOf("z")))
	objects{trailName(1): forged}.write(t, source)
	errs := compactTo(t, exitQuarantine, lake, source)
	if !strings.Contains(errs, "(1 altered)") || !strings.Contains(errs, trailName(1)+": ") {
		t.Errorf("the alteration is not told:\n%s", errs)
	}
	sum := sha256.Sum256(forged)
	check := func() {
		t.Helper()
		expect(t, lake, `SELECT eventid, useragent FROM cloudtrail_logs ORDER BY 1`, "a|NULL", "b|NULL")
		expect(t, lake, `SELECT state, records, rows, duplicates, quarantined FROM trail_files WHERE path LIKE '%1.json.gz' ORDER BY 1`, "altered|1|0|0|1", "ok|1|1|0|0")
		expect(t, lake, `SELECT sha256, stored FROM trail_quarantine`, hex.EncodeToString(sum[:])+"|_trailql/quarantine/"+hex.EncodeToString(sum[:])+".json.gz")
		kept, err := os.ReadFile(filepath.Join(lake, "_trailql", "quarantine", hex.EncodeToString(sum[:])+".json.gz"))
		if err != nil || !bytes.Equal(kept, forged) {
			t.Errorf("the altered bytes are not kept: %v", err)
		}
	}
	check()
	compactTo(t, 0, lake, source)
	check()
	// Back to the first bytes: known, too.
	objects{trailName(1): gzipped(recordsOf(eventOf("a")))}.write(t, source)
	compactTo(t, 0, lake, source)
	check()
	// And a third content is a second alteration.
	objects{trailName(1): gzipped(recordsOf(eventOf("y")))}.write(t, source)
	compactTo(t, exitQuarantine, lake, source)
	expect(t, lake, `SELECT state, count(*) FROM trail_files GROUP BY 1 ORDER BY 1`, "altered|2", "ok|2")
	expect(t, lake, `SELECT eventid FROM cloudtrail_logs ORDER BY 1`, "a", "b")
}

// The same bytes with another time of change are nothing new.
func TestTouchedObject(t *testing.T) {
	source, lake := t.TempDir(), filepath.Join(t.TempDir(), "lake")
	objects{trailName(1): gzipped(recordsOf(eventOf("a")))}.write(t, source)
	compactTo(t, 0, lake, source)
	for i := range 2 {
		at := time.Date(2020+i, 1, 1, 0, 0, 0, 0, time.UTC)
		if err := os.Chtimes(filepath.Join(source, trailName(1)), at, at); err != nil {
			t.Fatal(err)
		}
		if errs := compactTo(t, 0, lake, source); !strings.Contains(errs, "1 found = 1 known + 0 new") {
			t.Errorf("touched:\n%s", errs)
		}
	}
	expect(t, lake, `SELECT path, state FROM trail_files`, source+"/"+trailName(1)+"|ok")
}

// One object in several sources, or a trail under another prefix: every copy is counted as a duplicate, once.
func TestCopies(t *testing.T) {
	trail := objects{trailName(1): gzipped(recordsOf(eventOf("a"), eventOf("b"))), trailName(2): gzipped(recordsOf(eventOf("c")))}
	copied := objects{}
	for name, data := range trail {
		copied["backup/of/"+name] = data
	}
	for _, c := range []struct {
		why  string
		runs func(a, b string) [][]string
		want string
	}{
		{"two sources in one run", func(a, b string) [][]string { return [][]string{{a, b}} }, "4|6|3|3"},
		{"two sources in two runs", func(a, b string) [][]string { return [][]string{{b}, {a}} }, "4|6|3|3"},
		// A folder and one inside it hold the same objects: each counts once.
		{"a source inside another", func(a, b string) [][]string { return [][]string{{a, filepath.Join(a, "AWSLogs")}} }, "2|3|3|0"},
		{"a source inside another, before it", func(a, b string) [][]string { return [][]string{{filepath.Join(a, "AWSLogs"), a}} }, "2|3|3|0"},
		{"a source twice", func(a, b string) [][]string { return [][]string{{a, a}} }, "2|3|3|0"},
		{"a source with a slash at its end", func(a, b string) [][]string { return [][]string{{a + "/"}, {a}, {filepath.Join(a, "AWSLogs") + "/"}} }, "2|3|3|0"},
	} {
		t.Run(c.why, func(t *testing.T) {
			lake := filepath.Join(t.TempDir(), "lake")
			a, b := trail.write(t, t.TempDir()), copied.write(t, t.TempDir())
			for _, sources := range c.runs(a, b) {
				compactTo(t, 0, lake, sources...)
			}
			expect(t, lake, `SELECT count(*), sum(records), sum(rows), sum(duplicates) FROM trail_files`, c.want)
			expect(t, lake, `SELECT eventid FROM cloudtrail_logs ORDER BY 1`, "a", "b", "c")
		})
	}
}

// Links to a folder above make no endless trail.
func TestLinkLoop(t *testing.T) {
	source, lake := t.TempDir(), filepath.Join(t.TempDir(), "lake")
	objects{trailName(1): gzipped(recordsOf(eventOf("a")))}.write(t, source)
	if err := os.Symlink("..", filepath.Join(source, "AWSLogs", "up")); err != nil {
		t.Skip(err)
	}
	errs := compactTo(t, exitQuarantine, lake, source)
	if !strings.Contains(errs, "AWSLogs/up") {
		t.Errorf("the loop is not named:\n%s", errs)
	}
	expect(t, lake, `SELECT eventid FROM cloudtrail_logs`, "a")
}

// The same id with another body: both are kept and marked, whichever way they came.
func TestConflicts(t *testing.T) {
	one, other, third := eventOf("x", `,"userAgent":"one"`), eventOf("x", `,"userAgent":"other"`), eventOf("x", `,"userAgent":"third"`)
	for _, c := range []struct {
		why  string
		runs [][]string
		want []string
	}{
		{"in one object", [][]string{{one, other}}, []string{"one|true", "other|true"}},
		{"in a later run", [][]string{{one, eventOf("y")}, {other}}, []string{"one|true", "other|true"}},
		{"in two later runs, with copies", [][]string{{one}, {other, one}, {third, other}}, []string{"one|true", "other|true", "third|true"}},
		// Number text is part of the record.
		{"1.1 and 1.10", [][]string{{eventOf("x", `,"userAgent":"a","additionalEventData":{"n":1.1}`)}, {eventOf("x", `,"userAgent":"b","additionalEventData":{"n":1.10}`)}}, []string{"a|true", "b|true"}},
		{"exact copies only", [][]string{{one, one}, {one}}, []string{"one|false"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			source, lake := t.TempDir(), filepath.Join(t.TempDir(), "lake")
			for i, events := range c.runs {
				objects{trailName(i): gzipped(recordsOf(events...))}.write(t, source)
				compactTo(t, 0, lake, source)
			}
			expect(t, lake, `SELECT useragent, _conflict FROM cloudtrail_logs WHERE eventid = 'x' ORDER BY 1`, c.want...)
			expect(t, lake, `SELECT count(*) FROM cloudtrail_logs WHERE eventid <> 'x' AND _conflict`, "0")
		})
	}
}

// oddRecords are records that a careless reader would lose, change, or file under a foreign path.
func oddRecords() []string {
	with := func(key, value string) string {
		return fmt.Sprintf(`{"eventVersion":"1.08","eventTime":"2026-03-01T00:00:01Z","eventName":"Odd","awsRegion":"eu-west-1","recipientAccountId":"111111111111","eventID":"%s",%q:%s}`,
			"odd-"+hex.EncodeToString([]byte(key + value))[:min(40, 2*len(key+value))], key, value)
	}
	var out []string
	for _, odd := range []string{"../../etc", "a/b", "..", ".", "", "a\x00b", strings.Repeat("x", 500), "日本-東京", "__HIVE_DEFAULT_PARTITION__",
		"eu west=1", "%2e%2e", "EU-WEST-1", "CON", "a\\b", ".hidden", "_hidden", "x'y\"z", "null", "date=2026-03-01", "\u202Eabc"} {
		text, err := json.Marshal(odd)
		if err != nil {
			panic(err)
		}
		out = append(out, fmt.Sprintf(`{"eventVersion":"1.08","eventTime":"2026-03-01T00:00:01Z","eventName":"OddRegion","recipientAccountId":"111111111111","eventID":"r%d","awsRegion":%s}`, len(out), text),
			fmt.Sprintf(`{"eventVersion":"1.08","eventTime":"2026-03-01T00:00:01Z","eventName":"OddAccount","awsRegion":"eu-west-1","eventID":"a%d","recipientAccountId":%s}`, len(out), text))
	}
	for i, at := range []string{`"2026-03-01T00:00:01.123456789Z"`, `"2026-03-01T00:00:01+05:30"`, `"2026-03-01T23:59:59-02:00"`, `"2026-03-01 00:00:01"`, `"not a time"`, `""`,
		`"2016-12-31T23:59:60Z"`, `"0001-01-01T00:00:00Z"`, `"9999-12-31T23:59:59Z"`, `"9999-12-31T23:59:59-05:00"`, `"0001-01-01T00:00:00+05:00"`, `"0000-01-01T00:00:00Z"`,
		`"2026-02-30T00:00:00Z"`, `"2026-03-01T24:00:00Z"`, `"1969-12-31T23:59:59.9Z"`, `20260301`, `null`, `{}`, `["2026-03-01T00:00:01Z"]`, `"10000-01-01T00:00:00Z"`, `"2026-03-01T00:00:01z"`} {
		out = append(out, fmt.Sprintf(`{"eventVersion":"1.08","eventName":"OddTime","awsRegion":"eu-west-1","recipientAccountId":"111111111111","eventID":"t%d","eventTime":%s}`, i, at))
	}
	for _, value := range []string{`1.10`, `1e3`, `1E+3`, `-0`, `-0.0`, `9007199254740993`, `1e400`, `123456789012345678901234567890.000`, `"\ud800"`, `"\udc00\ud800"`, `"\ud83d\ude00"`, `"\u0000"`,
		`"a\u0000b"`, `"\/\b\f\n\r\t\"\\"`, `""`, `null`, `{}`, `[]`, `[[]]`, `{"":""}`, `{"a":1,"a":2}`, `{"A":1,"a":2}`, `true`, `"true"`, `[null,1.0,"x"]`, "\"\u2028\"", "\"\u007f\""} {
		for _, key := range []string{"userIdentity", "requestParameters", "additionalEventData", "readOnly", "resources", "apiVersion", "userAgent", "unknownKey", "eventid", "insightDetail", "tlsDetails", "managementEvent"} {
			out = append(out, with(key, value))
		}
	}
	return append(out,
		`{}`, `{"a":null}`, `{"eventVersion":"1.0"}`,
		`{"eventName":"NoID","eventTime":"2026-03-01T00:00:01Z"}`,
		`{"eventName":"NoTime","eventID":"no-time"}`,
		`{"eventName":"NoAccount","eventID":"no-account","eventTime":"2026-03-01T00:00:01Z","userIdentity":{"accountId":"222222222222"}}`,
		`{"eventID":"dup-1","eventID":"dup-2","eventName":"DuplicateKeys","eventTime":"2026-03-01T00:00:01Z"}`,
		`{"eventID":"case-1","EVENTID":"case-2","EventId":"case-3","eventname":"lower","eventName":"CaseKeys","eventTime":"2026-03-01T00:00:01Z"}`,
		`{"eventID":"nested-dup","userIdentity":{"type":"Root","type":"IAMUser","Type":"x","extra":{"deep":[1.0]}},"eventTime":"2026-03-01T00:00:01Z"}`,
		`{"eventID":"order","z":1,"eventTime":"2026-03-01T00:00:01Z","a":2,"eventName":"Order","m":{"b":1,"a":2}}`,
		`{"\u0065ventID":"escaped-key","eventName":"\u0041bc","eventTime":"2026-03-01T00:00:01Z"}`,
		`{ "eventID" : "spaces" , "eventTime" : "2026-03-01T00:00:01Z" , "requestParameters" : { "a" : [ 1 , 2 ] } }`,
		`{"eventID":"resources","eventTime":"2026-03-01T00:00:01Z","resources":[{"ARN":"x","accountId":1,"type":null,"more":2},{},null,"s"]}`,
		`{"eventID":"map","eventTime":"2026-03-01T00:00:01Z","userIdentity":{"sessionContext":{"webIdFederationData":{"federatedProvider":"p","attributes":{"b":"1","a":"2","b":"3"}}}}}`,
		`{"eventVersion":"1.0","eventId":"agg","accountId":"../x","eventCategory":"Aggregated","eventType":"AwsAggregatedEvent","timeWindow":{"windowStart":"2026-03-01T00:00:00Z"},"summary":1}`,
		`{"eventVersion":"1.07","eventID":"insight","eventCategory":"Insight","eventTime":"2026-03-01T00:00:00Z","insightDetails":"text"}`,
		"{\"eventID\":\"bad-utf8\",\"eventName\":\"a\xffb\",\"eventTime\":\"2026-03-01T00:00:01Z\",\"k\xc3\":\"\xed\xa0\x80\"}",
	)
}

func TestOddRecords(t *testing.T) {
	source, parent := t.TempDir(), t.TempDir()
	lake := filepath.Join(parent, "lake")
	records := oddRecords()
	objects{trailName(1): gzipped(recordsOf(records...))}.write(t, source)
	compactTo(t, 0, lake, source)
	rows := rowsOf(t, lake, `SELECT _row, eventjson FROM `+allRows+` ORDER BY _row`)
	got := map[string]string{}
	for _, row := range rows {
		got[row[0]] = row[1]
	}
	dropped := map[string]bool{}
	for _, row := range rowsOf(t, lake, `SELECT row FROM trail_duplicates`) {
		dropped[row[0]] = true
	}
	for i, record := range records {
		n := strconv.Itoa(i)
		if dropped[n] {
			t.Errorf("record %s was dropped as a copy: %s", n, record)
		} else if !sameJSON(got[n], record) {
			t.Errorf("record %s is\n%s\nwant\n%s", n, got[n], record)
		}
	}
	// What JSON decoders paper over: bytes that are no UTF-8 and halves of surrogate pairs.
	expect(t, lake, `SELECT count(*) FROM cloudtrail_logs WHERE eventjson LIKE '%\ud800%'`, "24")
	expect(t, lake, `SELECT account, region FROM cloudtrail_logs WHERE eventid = 'no-account'`, "222222222222|NULL")
	expect(t, lake, `SELECT account, date FROM cloudtrail_logs WHERE eventid = 'no-time'`, "NULL|NULL")
	expect(t, lake, `SELECT eventid FROM cloudtrail_logs WHERE eventname = 'CaseKeys'`, "case-1")
	// The day is that of UTC: 23:59:59-02:00 is the next one; a fraction or offset changes no other; no leap second is a time.
	expect(t, lake, `SELECT eventid, date FROM cloudtrail_logs WHERE eventname = 'OddTime' AND eventid IN ('t0', 't1', 't2', 't6', 't7', 't8', 't14') ORDER BY 1`,
		"t0|2026-03-01", "t1|2026-02-28", "t14|1969-12-31", "t2|2026-03-02", "t6|NULL", "t7|0001-01-01", "t8|9999-12-31")

	// No file was written outside of the lake, and folders are what the design says they are.
	entries, err := os.ReadDir(parent)
	if err != nil || len(entries) != 1 {
		t.Errorf("beside the lake: %v, %v", entries, err)
	}
	err = filepath.WalkDir(lake, func(path string, d os.DirEntry, err error) error {
		name := d.Name()
		for _, column := range []string{"account=", "region=", "date="} {
			if v, ok := strings.CutPrefix(name, column); ok && v != "__HIVE_DEFAULT_PARTITION__" {
				if column == "account=" && !twelve.MatchString(v) || len(v) > 64 || strings.Trim(v, ".") == "" || strings.ContainsAny(v, "/\\\x00'\" ") {
					t.Errorf("partition folder %q", name)
				}
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	// Each row is found by its own partition.
	for _, row := range rowsOf(t, lake, `SELECT account, region, date, count(*) FROM cloudtrail_logs GROUP BY 1, 2, 3`) {
		is := func(column, v string) string {
			if v == null {
				return column + " IS NULL"
			}
			if column == "date" {
				return "date = DATE '" + v + "'"
			}
			return column + " = '" + v + "'"
		}
		expect(t, lake, `SELECT count(*) FROM cloudtrail_logs WHERE `+is("account", row[0])+` AND `+is("region", row[1])+` AND `+is("date", row[2]), row[3])
	}
	// The same records in another object are exact copies, all of them.
	objects{trailName(2): gzipped(recordsOf(records...))}.write(t, source)
	compactTo(t, 0, lake, source)
	expect(t, lake, `SELECT rows, duplicates FROM trail_files ORDER BY path`, fmt.Sprintf("%d|0", len(records)), fmt.Sprintf("0|%d", len(records)))
}

// Empty text, null and absence are three different things.
func TestEmptyNullAbsent(t *testing.T) {
	source, lake := t.TempDir(), filepath.Join(t.TempDir(), "lake")
	objects{trailName(1): gzipped(recordsOf(eventOf("empty", `,"errorCode":"","userIdentity":{"userName":""}`), eventOf("null", `,"errorCode":null,"userIdentity":{"userName":null}`),
		eventOf("absent", `,"userIdentity":{}`), eventOf("nullrow", `,"userIdentity":null`), eventOf("norow")))}.write(t, source)
	compactTo(t, 0, lake, source)
	expect(t, lake, `SELECT eventid FROM cloudtrail_logs WHERE errorcode = '' ORDER BY 1`, "empty")
	expect(t, lake, `SELECT eventid FROM cloudtrail_logs WHERE errorcode IS NULL ORDER BY 1`, "absent", "norow", "null", "nullrow")
	expect(t, lake, `SELECT eventid FROM cloudtrail_logs WHERE useridentity.username = ''`, "empty")
	expect(t, lake, `SELECT eventid FROM cloudtrail_logs WHERE useridentity IS NULL ORDER BY 1`, "norow", "nullrow")
	expect(t, lake, `SELECT eventid, eventjson LIKE '%"errorCode":null%', eventjson LIKE '%"errorCode":""%', eventjson LIKE '%userIdentity%' FROM cloudtrail_logs ORDER BY 1`,
		"absent|false|false|true", "empty|false|true|true", "norow|false|false|false", "null|true|false|true", "nullrow|false|false|true")
}

// Long values are where statistics, dictionaries and blooms go wrong. Each must be found by its exact text, by prefix and by range.
func TestLongValues(t *testing.T) {
	paths := map[string]string{ // column → members of the record that put $ into it
		"eventversion": `"eventVersion":"$"`, "eventname": `"eventName":"$"`, "eventsource": `"eventSource":"$"`, "awsregion": `"awsRegion":"$"`,
		"sourceipaddress": `"sourceIPAddress":"$"`, "useragent": `"userAgent":"$"`, "errorcode": `"errorCode":"$"`, "errormessage": `"errorMessage":"$"`,
		"requestid": `"requestID":"$"`, "eventid": `"eventID":"$"`, "eventtype": `"eventType":"$"`, "apiversion": `"apiVersion":"$"`, "readonly": `"readOnly":"$"`,
		"recipientaccountid": `"recipientAccountId":"$"`, "sharedeventid": `"sharedEventID":"$"`, "vpcendpointid": `"vpcEndpointId":"$"`, "eventcategory": `"eventCategory":"$"`,
		"managementevent": `"managementEvent":"$"`, "annotation": `"annotation":"$"`, "eventtime": `"eventTime":"$"`,
		"useridentity.type": `"userIdentity":{"type":"$"}`, "useridentity.arn": `"userIdentity":{"arn":"$"}`, "useridentity.principalid": `"userIdentity":{"principalId":"$"}`,
		"useridentity.accountid": `"userIdentity":{"accountId":"$"}`, "useridentity.accesskeyid": `"userIdentity":{"accessKeyId":"$"}`, "useridentity.username": `"userIdentity":{"userName":"$"}`,
		"useridentity.invokedby":                                  `"userIdentity":{"invokedBy":"$"}`,
		"useridentity.sessioncontext.sessionissuer.username":      `"userIdentity":{"sessionContext":{"sessionIssuer":{"userName":"$"}}}`,
		"useridentity.sessioncontext.attributes.mfaauthenticated": `"userIdentity":{"sessionContext":{"attributes":{"mfaAuthenticated":"$"}}}`,
		"tlsdetails.tlsversion":                                   `"tlsDetails":{"tlsVersion":"$"}`,
		"requestparameters":                                       `"requestParameters":"$"`, "additionaleventdata": `"additionalEventData":"$"`,
	}
	values := []string{"a", strings.Repeat("m", 4095), strings.Repeat("m", 4096), strings.Repeat("m", 4097), strings.Repeat("zé", 2048) + "tail", strings.Repeat("z", 100_000), strings.Repeat("\U0010FFFF", 1100)}
	source, lake := t.TempDir(), filepath.Join(t.TempDir(), "lake")
	var records []string
	for _, members := range paths {
		for _, v := range values {
			records = append(records, `{"k":`+strconv.Itoa(len(records))+`,`+strings.ReplaceAll(members, "$", v)+`}`)
		}
	}
	objects{trailName(1): gzipped(recordsOf(records...))}.write(t, source)
	compactTo(t, 0, lake, source)
	expect(t, lake, `SELECT rows, duplicates FROM trail_files`, fmt.Sprintf("%d|0", len(records)))

	l, err := openLake(t.Context(), lake)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	eng := engine.New(l)
	for column := range paths {
		for i, v := range values {
			if testing.Short() && i%3 != 0 {
				continue
			}
			for _, where := range []string{` = '` + v + `'`, ` IN ('nothing', '` + v + `')`, ` LIKE '` + v + `'`, ` >= '` + v + `' AND ` + column + ` <= '` + v + `'`} {
				rows, err := answerOf(t.Context(), eng, `SELECT count(*) FROM cloudtrail_logs WHERE `+column+where, engine.Options{})
				if err != nil || rows[0][0] != "1" {
					t.Errorf("%s%.30s… (%d bytes): %v, %v; want 1", column, where, len(v), rows, err)
				}
			}
			// Everything greater: the values after it in the list, which is in order.
			rows, err := answerOf(t.Context(), eng, `SELECT count(*) FROM cloudtrail_logs WHERE `+column+` > '`+v+`'`, engine.Options{})
			greater := 0
			for _, o := range values {
				if cmp.Compare(o, v) > 0 {
					greater++
				}
			}
			if err != nil || rows[0][0] != strconv.Itoa(greater) {
				t.Errorf("%s > %.10s… (%d bytes): %v, %v; want %d", column, v, len(v), rows, err, greater)
			}
		}
	}
	for _, row := range rowsOf(t, lake, `SELECT _row, eventjson FROM cloudtrail_logs`) {
		if n := number(row[0]); !sameJSON(row[1], records[n]) {
			t.Errorf("record %d is %.100s…, want %.100s…", n, row[1], records[n])
		}
	}
}
