package report

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/connectors/sink"
	"github.com/trailql/trailql/engine/logictest"
	"github.com/trailql/trailql/engine/service"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/vec"
)

// event of the tests' lake, which is one table: events(_time, eventid, eventname, useragent, n).
type event struct {
	at          string
	id          string
	name, agent string
}

// serviceOf opens a service over a lake of events; n counts them.
func serviceOf(t testing.TB, events ...event) *service.Service {
	t.Helper()
	times := array.NewTimestampBuilder(memory.DefaultAllocator, &arrow.TimestampType{Unit: arrow.Microsecond})
	ids, names, agents := array.NewStringBuilder(memory.DefaultAllocator), array.NewStringBuilder(memory.DefaultAllocator), array.NewStringBuilder(memory.DefaultAllocator)
	n := array.NewInt64Builder(memory.DefaultAllocator)
	for i, e := range events {
		when, err := time.Parse(time.RFC3339, e.at)
		if err != nil {
			t.Fatal(err)
		}
		times.Append(arrow.Timestamp(when.UnixMicro()))
		ids.Append(e.id)
		names.Append(e.name)
		if e.agent == "" {
			agents.AppendNull()
		} else {
			agents.Append(e.agent)
		}
		n.Append(int64(i))
	}
	batch := vec.Batch{Len: len(events), Cols: []arrow.Array{times.NewArray(), ids.NewArray(), names.NewArray(), agents.NewArray(), n.NewArray()}}
	cat := &logictest.Catalog{}
	if err := cat.AddTable("events", []string{"_time timestamp", "eventid varchar", "eventname varchar", "useragent varchar", "n bigint"}, batch); err != nil {
		t.Fatal(err)
	}
	svc, err := service.Open(t.Context(), service.Config{Catalog: cat, State: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := svc.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return svc
}

// covered judges each period alike.
func covered(c Coverage, err error) Covered {
	return func(context.Context, source.Snapshot, Period) (Coverage, error) { return c, err }
}

var (
	whole = Coverage{Complete: true, Basis: "All is there.", Objects: 12, Records: 3456,
		Accounts: []Account{{Account: "111111111111", Region: "eu-west-1", Basis: "digests", Objects: 12, Records: 3456,
			First: time.Date(2026, 3, 1, 0, 5, 0, 0, time.UTC), Last: time.Date(2026, 3, 31, 23, 55, 0, 0, time.UTC)}}}
	holed = Coverage{Basis: "Something is missing.", Objects: 1, Records: 1,
		Gaps: []Gap{{Account: "111111111111", Region: "eu-west-1", From: time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC),
			To: time.Date(2026, 3, 5, 0, 0, 0, 0, time.UTC), Reason: "nothing was delivered"}}}
)

var period = Period{time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)}

// asking is a control whose findings are the events of a name.
func asking(id, name string) Control {
	return Control{ID: id, Title: "Events called " + name, Source: name + ".sql", SQL: `SELECT eventid, useragent, n FROM events
WHERE eventname = '` + name + `' AND _time >= :from AND _time < :to ORDER BY n`}
}

// runnerOf returns a runner whose reports are the same each time.
func runnerOf(svc *service.Service, c Covered) *Runner {
	return &Runner{Service: svc, Covered: c, Lake: "/lake", Version: "v1.2.3", Now: func() time.Time { return time.Date(2026, 4, 2, 3, 4, 5, 0, time.UTC) }}
}

func made(t testing.TB, r *Runner, controls ...Control) *Report {
	t.Helper()
	out, err := r.Run(t.Context(), &Pack{ID: "test-1.0", Title: "A test", About: "About it.", Controls: controls}, period)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// The verdicts of controls and of the whole, by what was found and what is missing.
func TestVerdicts(t *testing.T) {
	svc := serviceOf(t,
		event{at: "2026-02-28T23:59:59Z", id: "before", name: "early"},
		event{at: "2026-03-01T00:00:00Z", id: "first", name: "some"},
		event{at: "2026-03-31T23:59:59Z", id: "last", name: "some"},
		event{at: "2026-04-01T00:00:00Z", id: "after", name: "late"})
	some, none, early, late := asking("1", "some"), asking("2", "none"), asking("3", "early"), asking("4", "late")
	state, quiet := asking("5", "some"), asking("6", "none")
	state.State, quiet.State = true, true
	broken := Control{ID: "7", Title: "Broken", Source: "broken.sql", SQL: "SELECT eventid,\n  nix FROM events WHERE _time >= :from AND _time < :to"}
	bad := Control{ID: "8", Title: "Bad", Source: "bad.sql", SQL: "SELECT 1/n AS eventid FROM events WHERE _time < :to OR _time > :from ORDER BY 1"}
	const gap = "2026-03-04 00:00:00 to 2026-03-05 00:00:00 UTC, account 111111111111, eu-west-1: nothing was delivered."
	for _, c := range []struct {
		why      string
		covered  Covered
		controls []Control
		want     []string // verdict, findings, reason
		whole    string
	}{
		{"all there, nothing found", covered(whole, nil), []Control{none, early, late},
			[]string{"none found 0 No event matches, and the archive holds all of the period.", "none found 0 No", "none found 0 No"},
			"none found: The archive holds all of the period. Findings in 0 of 3 controls."},
		{"all there, some found: the period's first moment is in it, its end is not", covered(whole, nil), []Control{some, none},
			[]string{"findings 2 2 events of the period to look at.", "none found 0 No"},
			"findings: The archive holds all of the period. Findings in 1 of 2 controls."},
		{"a gap", covered(holed, nil), []Control{some, none},
			[]string{"findings 2 2 events of the period to look at. There may be more", "not provable 0 No event matches, but it is not shown that the archive holds all of the period: " + gap},
			"not provable: It is not shown that the archive holds all of the period: " + gap + " Findings in 1 of 2 controls."},
		{"gaps", covered(Coverage{Gaps: []Gap{holed.Gaps[0], {}}, MoreGaps: 1234}, nil), []Control{none},
			[]string{"not provable 0 No event matches, but it is not shown that the archive holds all of the period: 1,236 gaps, the longest: " + gap}, "not provable: It"},
		{"no judge", nil, []Control{none}, []string{"not provable 0 No event matches, but it is not shown that the archive holds all of the period: The coverage of the period was not judged."}, "not provable: It"},
		{"a judge that fails", covered(whole, errors.New("disk on fire")), []Control{some, none},
			[]string{"findings 2 ", "not provable 0 No event matches, but it is not shown that the archive holds all of the period: The coverage of the period could not be judged: disk on fire."}, "not provable: It"},
		{"state is never proven, and is left out of the whole", covered(whole, nil), []Control{state, quiet, none},
			[]string{"not provable 2 The control is about state that no event shows; for information: 2 events of the period.", "not provable 0 The control is about state that no event shows; for information: 0 events", "none found 0 "},
			"none found: The archive holds all of the period. Findings in 0 of 1 control. Left out: 2 controls about state that no event shows."},
		{"nothing but state", covered(whole, nil), []Control{quiet}, []string{"not provable 0 "}, "not provable: The"},
		{"queries that fail, when bound and when run", covered(whole, nil), []Control{some, broken, bad},
			[]string{"findings 2 ", `not provable 0 The query failed: line 2:3: column "nix" does not exist`, "not provable 0 The query failed: "},
			"not provable: The archive holds all of the period. Findings in 1 of 3 controls. Not answered, as the query failed: 2 of them."},
		{"a failed query about state", covered(whole, nil), []Control{some, {ID: "9", State: true, SQL: "SELECT :from, :to"}, {ID: "10", State: true, SQL: "SELEC"}},
			[]string{"findings 2 ", "not provable 1 ", "not provable 0 The query failed: line 1:1: "}, "not provable: "},
	} {
		t.Run(c.why, func(t *testing.T) {
			r := made(t, runnerOf(svc, c.covered), c.controls...)
			if got := fmt.Sprintf("%s: %s", r.Verdict, r.Reason); !strings.HasPrefix(got, c.whole) {
				t.Errorf("the whole:\ngot  %s\nwant %s", got, c.whole)
			}
			for i, a := range r.Answers {
				if got := fmt.Sprintf("%s %d %s", a.Verdict, a.Findings, a.Reason); !strings.HasPrefix(got, c.want[i]) {
					t.Errorf("control %s:\ngot  %s\nwant %s", a.Control.ID, got, c.want[i])
				}
				if (a.Err != nil) != (a.SHA256 == "") {
					t.Errorf("control %s: error %v, hash %q", a.Control.ID, a.Err, a.SHA256)
				}
			}
		})
	}
}

// The hash is that of what the query gives by hand as JSON lines, and the text of the answer is that query.
func TestEvidenceCanBeMadeAgain(t *testing.T) {
	svc := serviceOf(t, event{at: "2026-03-02T00:00:00Z", id: "a", name: "x", agent: "quote \" and <tag> é\n"}, event{at: "2026-03-02T00:00:00Z", id: "b", name: "x"})
	r := made(t, runnerOf(svc, covered(whole, nil)), asking("1", "x"), asking("2", "none"))
	again := made(t, runnerOf(svc, covered(whole, nil)), asking("1", "x"), asking("2", "none"))
	for i, a := range r.Answers {
		rows, err := svc.Run(t.Context(), service.Request{SQL: a.SQL, Fresh: true})
		if err != nil {
			t.Fatal(err)
		}
		columns, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		hash := sha256.New()
		w, err := sink.New("jsonl", hash, columns, sink.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for b, err := rows.Next(); err == nil; b, err = rows.Next() {
			if err := w.Write(b.Cols, b.Len); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(w.Close(), rows.Close()); err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(hash.Sum(nil)); got != a.SHA256 || again.Answers[i].SHA256 != got {
			t.Errorf("control %s: by hand %s, in the report %s, once more %s", a.Control.ID, got, a.SHA256, again.Answers[i].SHA256)
		}
	}
	const lines = `{"eventid":"a","useragent":"quote \" and <tag> é\n","n":0}` + "\n" + `{"eventid":"b","useragent":null,"n":1}` + "\n"
	if want := sha256.Sum256([]byte(lines)); r.Answers[0].SHA256 != hex.EncodeToString(want[:]) {
		t.Errorf("the hash is not that of\n%s", lines)
	}
	if empty := sha256.Sum256(nil); r.Answers[1].SHA256 != hex.EncodeToString(empty[:]) {
		t.Error("no rows have another hash than that of nothing")
	}
}

// All controls and the coverage see one snapshot, though the lake goes on.
func TestOneSnapshot(t *testing.T) {
	var snaps []source.Snapshot
	svc := serviceOf(t, event{at: "2026-03-02T00:00:00Z", id: "a", name: "x"})
	r := runnerOf(svc, func(_ context.Context, snap source.Snapshot, p Period) (Coverage, error) {
		snaps = append(snaps, snap)
		if p != period {
			t.Errorf("coverage of %s", p)
		}
		return whole, nil
	})
	var told []string
	r.Answered = func(c Control, done int) { told = append(told, c.ID, fmt.Sprint(done)) }
	out := made(t, r, asking("1", "x"), asking("2", "x"))
	if len(snaps) != 1 || snaps[0].Version() != out.Snapshot {
		t.Errorf("snapshots %v, in the report %d", snaps, out.Snapshot)
	}
	for _, a := range out.Answers {
		q, err := svc.Get(t.Context(), a.Query)
		if err != nil || q.Snapshot != out.Snapshot || q.Source != "report" {
			t.Errorf("%+v, %v", q, err)
		}
	}
	if len(told) != 4 || told[1] != "1" || told[3] != "2" || told[0] == told[2] {
		t.Errorf("told %q", told)
	}
}

func TestRunThatFails(t *testing.T) {
	svc := serviceOf(t)
	if _, err := runnerOf(svc, nil).Run(t.Context(), &Pack{}, Period{}); err == nil || !strings.Contains(err.Error(), "the period is empty") {
		t.Errorf("no period: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := runnerOf(svc, nil).Run(ctx, &Pack{Controls: []Control{asking("1", "x")}}, period); sqlerr.KindOf(err) != sqlerr.Cancelled {
		t.Errorf("stopped: %v", err)
	}
}

// Rows that are gone when the report is written make it fail; they are never left out in silence.
func TestRowsThatAreGone(t *testing.T) {
	svc := serviceOf(t, event{at: "2026-03-02T00:00:00Z", id: "a", name: "x"})
	r := made(t, runnerOf(svc, covered(whole, nil)), asking("1", "x"))
	r.Answers[0].Findings++
	for name, write := range writers(r) {
		if err := write(t.Context(), &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "reading the rows of control 1: only 1 of 2 are there; run the report again") {
			t.Errorf("%s: %v", name, err)
		}
	}
	r.Answers[0].Query = "00000000-0000-0000-0000-000000000000"
	for name, write := range writers(r) {
		if err := write(t.Context(), &bytes.Buffer{}); !errors.Is(err, service.ErrNotFound) || strings.Contains(err.Error(), "template") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// More rows than a page: each once, in order, in every form.
func TestManyRows(t *testing.T) {
	const n = 3*pageRows + 17
	events := make([]event, n)
	for i := range events {
		events[i] = event{at: "2026-03-02T00:00:00Z", id: fmt.Sprint(i), name: "x"}
	}
	r := made(t, runnerOf(serviceOf(t, events...), covered(whole, nil)), asking("1", "x"))
	var out bytes.Buffer
	if err := r.JSON(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Controls []struct {
			Rows []struct{ EventID string }
		}
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Controls[0].Rows) != n {
		t.Fatalf("%d rows, want %d", len(got.Controls[0].Rows), n)
	}
	for i, row := range got.Controls[0].Rows {
		if row.EventID != events[i].id {
			t.Fatalf("row %d is %s", i, row.EventID)
		}
	}
	out.Reset()
	if err := r.CSV(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(strings.TrimSpace(out.String()), "\n"); len(lines) != n+1 || !slices.IsSortedFunc(lines[1:], func(a, b string) int { return len(a) - len(b) }) {
		t.Errorf("%d lines", len(lines))
	}
	out.Reset()
	if err := r.HTML(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	if page := out.String(); strings.Count(page, "<td>199</td>") != 2 || strings.Contains(page, "<td>200</td>") || !strings.Contains(page, "2,817 more in findings.csv and report.json.") {
		t.Error("the page shows other than the first 200 rows and how many follow")
	}
}
