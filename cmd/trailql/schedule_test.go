package main

import (
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trailql/trailql/connectors/cloudtrail/synth"
	"github.com/trailql/trailql/engine/report"
	"github.com/trailql/trailql/engine/service"
)

// What a person may write wrong, and what stands in the list and the history.
func TestScheduleCommands(t *testing.T) {
	state, out := filepath.Join(t.TempDir(), "state"), t.TempDir()
	add := func(args ...string) []string {
		return append([]string{"report", "schedule", "add", "--state", state, "--out", out}, args...)
	}
	own := filepath.Join(t.TempDir(), "own")
	if code, _, errs := trailql(t, "report", "export", "cis-3.0", own); code != 0 {
		t.Fatal(errs)
	}
	t.Chdir(own)
	for _, c := range []struct {
		args []string
		code int
		says []string // on stderr
	}{
		{[]string{"report", "schedule"}, exitUsage, []string{"schedule what?"}},
		{add("--pack", "cis-3.0", "--cron", "@daily"), exitUsage, []string{"write it like: trailql report schedule add NAME --pack PACK"}},
		{add("a", "b"), exitUsage, []string{"write it like: trailql report schedule add NAME --pack PACK"}},
		{add("a", "--cron", "@daily"), exitUsage, []string{"--pack cis-3.0 --cron"}},
		{add("../a", "--pack", "cis-3.0", "--cron", "@daily"), exitUsage, []string{`"../a"`}},
		{add("a", "--pack", "cis-9", "--cron", "@daily"), exitUsage, []string{`"cis-9"`, "cis-3.0"}},
		{add("a", "--pack", "./missing.yaml", "--cron", "@daily"), exitUsage, []string{"missing.yaml"}},
		{add("a", "--pack", "cis-3.0", "--cron", "0 6 32 * *"), exitUsage, []string{`the day of month is "32"; it takes 1 to 31`, `"0 6 1 * *"`}},
		{add("a", "--pack", "cis-3.0", "--cron", "TZ=UTC 0 6 * * *"), exitUsage, []string{"--tz"}},
		{add("a", "--pack", "cis-3.0", "--cron", "0 0 30 2 *"), exitUsage, []string{"never comes"}},
		{add("a", "--pack", "cis-3.0", "--cron", "@daily", "--tz", "Berlin"), exitUsage, []string{`"Berlin"`, "Europe/Berlin"}},
		{add("a", "--pack", "cis-3.0", "--cron", "@daily", "--period", "year"), exitUsage, []string{`"year"`, "day, week or month"}},
		{[]string{"report", "schedule", "remove", "a", "--state", state}, exitFailed, []string{"there is no such schedule: a"}},
		{[]string{"report", "history", "--state", state, "--limit", "0"}, exitUsage, []string{"--limit"}},
		{[]string{"report", "history", "--state", state, "--format", "xml"}, exitUsage, []string{`"xml"`}},
		{[]string{"report", "schedule", "list", "--state", filepath.Join(state, "reports.db")}, exitFailed, []string{"opening the schedules in"}},

		{add("monthly", "--pack", "cis-3.0", "--cron", "0 6 1 * *", "--tz", "Europe/Berlin"), 0, []string{"added monthly: first at 20", "06:00:00 Europe/Berlin", "trailql serve runs it"}},
		{add("own", "--pack", "cis-3.0.yaml", "--cron", "@daily", "--period", "day"), 0, []string{"added own"}},
		{add("Monthly", "--pack", "cis-3.0", "--cron", "@daily"), exitFailed, []string{"a schedule of that name already: Monthly"}},
	} {
		code, out, errs := trailql(t, c.args...)
		if code != c.code || out != "" {
			t.Errorf("%v: exit %d, want %d; stdout %q", c.args, code, c.code, out)
		}
		for _, says := range c.says {
			if !strings.Contains(errs, says) {
				t.Errorf("%v: %q; want %q in it", c.args, errs, says)
			}
		}
	}
	_, list, _ := trailql(t, "report", "schedule", "list", "--state", state)
	for i, line := range strings.Split(strings.TrimSpace(list), "\n") {
		want := []string{"NAME PACK CRON", "monthly cis-3.0 0 6 1 * * month 20", "own " + filepath.Join(own, "cis-3.0.yaml") + " @daily day 20"}[i]
		if got := strings.Join(strings.Fields(line), " "); !strings.HasPrefix(got, want) {
			t.Errorf("line %d of the list: %q, want %q", i, got, want)
		}
	}
	for _, name := range []string{"monthly", "own"} {
		if code, _, errs := trailql(t, "report", "schedule", "remove", name, "--state", state); code != 0 {
			t.Error(errs)
		}
	}
}

// simulated is time that passes only while the scheduler sleeps; it ends the scheduler at its end.
type simulated struct {
	now, end time.Time
	stop     context.CancelFunc
}

func (s *simulated) Now() time.Time { return s.now }

func (s *simulated) Sleep(_ context.Context, d time.Duration) {
	if s.now = s.now.Add(d); !s.now.Before(s.end) {
		s.stop()
	}
}

// A scheduled report runs under an injected clock across a daylight-saving change and a missed run: a real lake, the real packs and
// queries, files, and the history as SQL and as a table. 02:30 in Berlin does not exist on 29 March 2026; no server runs on 30 March.
func TestScheduledReports(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	d := demo{dir: filepath.Join(dir, "demo"), errs: &strings.Builder{}, out: &strings.Builder{}}
	truth, err := d.trail(ctx, synth.Options{Seed: 3, Events: 6000, Accounts: 2, Regions: 2, Days: 6, Start: time.Date(2026, 3, 25, 0, 0, 0, 0, time.UTC), Incident: true})
	if err != nil {
		t.Fatal(err)
	}
	folder, state, out := filepath.Join(dir, "lake"), filepath.Join(dir, "state"), filepath.Join(dir, "out")
	compactTo(t, 0, folder, filepath.Join(d.dir, "trail"))

	// What serve does, with another clock.
	store, err := report.OpenStore(ctx, state)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	l, err := openLake(ctx, folder)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	svc, err := service.Open(ctx, service.Config{Catalog: l, Lake: folder, State: filepath.Join(state, "serve"), Tables: []service.Table{report.Table(state)}})
	if err != nil {
		t.Fatal(err)
	}
	defer svc.Close(context.Background())
	serve := func(from, to string) {
		t.Helper()
		bound, stop := context.WithCancel(ctx)
		defer stop()
		clock := &simulated{now: instant(t, from), end: instant(t, to), stop: stop}
		s := newScheduler(store, &report.Runner{Service: svc, Covered: coverage(l, 0), Lake: folder, Version: "test", Now: clock.Now}, t.Logf)
		s.Now, s.Sleep = clock.Now, clock.Sleep
		if err := s.Run(bound); err != nil {
			t.Fatal(err)
		}
	}
	err = store.Add(ctx, report.Schedule{Name: "nightly", Pack: "cis-3.0", Cron: "30 2 * * *", Zone: "Europe/Berlin", Period: report.Day, Out: out,
		Created: instant(t, "2026-03-27T12:00:00Z")})
	if err != nil {
		t.Fatal(err)
	}
	serve("2026-03-27T12:00:00Z", "2026-03-29T12:00:00Z")
	serve("2026-03-31T12:00:00Z", "2026-04-01T12:00:00Z")

	wanted := []struct{ planned, began, from, to, missed, verdict, folder string }{
		{"2026-03-28T01:30:00Z", "2026-03-28T01:30:00Z", "2026-03-26T23:00:00Z", "2026-03-27T23:00:00Z", "0", "findings", "2026-03-26T2300Z_2026-03-27T2300Z"},
		{"2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z", "2026-03-27T23:00:00Z", "2026-03-28T23:00:00Z", "0", "findings", "2026-03-27T2300Z_2026-03-28T2300Z"},
		{"2026-03-31T00:30:00Z", "2026-03-31T12:00:00Z", "2026-03-29T22:00:00Z", "2026-03-30T22:00:00Z", "1", "findings", "2026-03-29T2200Z_2026-03-30T2200Z"},
		{"2026-04-01T00:30:00Z", "2026-04-01T00:30:00Z", "2026-03-30T22:00:00Z", "2026-03-31T22:00:00Z", "0", "not provable", "2026-03-30T2200Z_2026-03-31T2200Z"}, // the trail ends on 30 March
	}
	runs, err := store.Runs(ctx, 100)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(runs)
	if len(runs) != len(wanted) {
		t.Fatalf("%d runs, want %d: %+v", len(runs), len(wanted), runs)
	}
	found := int64(0)
	for i, w := range wanted {
		r := runs[i]
		got := []string{r.Planned.Format(time.RFC3339), r.Began.Format(time.RFC3339), r.Period.From.Format(time.RFC3339), r.Period.To.Format(time.RFC3339), fmt.Sprint(r.Missed), string(r.Verdict)}
		if want := []string{w.planned, w.began, w.from, w.to, w.missed, w.verdict}; !slices.Equal(got, want) {
			t.Errorf("run %d: %v, want %v", i, got, want)
		}
		if r.State != report.RunOK || r.Error != "" || r.Schedule != "nightly" || r.Lake != folder || r.Snapshot == 0 {
			t.Errorf("run %d: %+v", i, r)
		}
		if want := filepath.Join(out, "cis-3.0", w.folder); r.Out != want {
			t.Fatalf("run %d was delivered to %q, want %q", i, r.Out, want)
		}
		checkDelivered(t, r, folder, truth)
		found += r.Findings
	}
	if found == 0 {
		t.Error("the trail has findings, the reports have none")
	}

	// The same from the endpoint's SQL and from the command line.
	rows, err := svc.Run(ctx, service.Request{SQL: "SELECT count(*), sum(missed), cast(max(planned) AS varchar), count(DISTINCT sha256) FROM report_runs WHERE state = 'ok'"})
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	batch, err := rows.Next()
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(batch.Cols); got != `[[4] [1] ["2026-04-01 00:30:00.000"] [4]]` {
		t.Errorf("SQL says %s", got)
	}
	_, text, _ := trailql(t, "report", "history", "--state", state, "--format", "csv")
	lines, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(lines) != 1+len(wanted) || lines[1][slices.Index(lines[0], "out")] != runs[3].Out {
		t.Errorf("history: %v, %s", err, text)
	}
	_, text, _ = trailql(t, "report", "schedule", "list", "--state", state)
	if !strings.Contains(text, "2026-04-01 00:30:00  ok") {
		t.Errorf("list: %s", text)
	}
}

func instant(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// checkDelivered holds the files of a run against its row in the history, and its findings against the truth file: the ids of the
// controls' events that the lake has in the period.
func checkDelivered(t *testing.T, r report.Run, lake string, truth *synth.Truth) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(r.Out, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(text); r.SHA256 != hex.EncodeToString(sum[:]) {
		t.Errorf("report.json of %s has another hash than the history", r.Out)
	}
	var made struct {
		Period  report.Period
		Verdict report.Verdict
	}
	if err := json.Unmarshal(text, &made); err != nil || made.Verdict != r.Verdict || !made.Period.From.Equal(r.Period.From) || !made.Period.To.Equal(r.Period.To) {
		t.Errorf("%v: %+v of %+v", err, made, r)
	}
	if html, err := os.ReadFile(filepath.Join(r.Out, "report.html")); err != nil || !strings.Contains(string(html), string(r.Verdict)) {
		t.Errorf("report.html: %v, %d bytes", err, len(html))
	}
	var want []string
	for _, row := range rowsOf(t, lake, fmt.Sprintf("SELECT eventid FROM cloudtrail_logs WHERE _time >= TIMESTAMP '%s' AND _time < TIMESTAMP '%s'",
		shownIn(r.Period.From, time.UTC), shownIn(r.Period.To, time.UTC))) {
		for n := 1; n <= 15; n++ {
			control := fmt.Sprintf("4.%d", n)
			for _, category := range cisTruth("cis-3.0", control) {
				if slices.Contains(truth.Events[category], row[0]) {
					want = append(want, control+" "+row[0])
				}
			}
		}
	}
	file, err := os.Open(filepath.Join(r.Out, "findings.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines, err := csv.NewReader(file).ReadAll()
	if err != nil || len(lines) == 0 {
		t.Fatal(err)
	}
	control, id := slices.Index(lines[0], "control"), slices.Index(lines[0], "eventid")
	if control < 0 || id < 0 {
		t.Fatalf("findings.csv has the columns %v", lines[0])
	}
	var got []string
	for _, line := range lines[1:] {
		if line[id] == "" {
			continue // a control without findings
		}
		got = append(got, line[control]+" "+line[id])
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) || int64(len(got)) != r.Findings {
		t.Errorf("%s has %d findings (the history says %d), the truth %d", r.Out, len(got), r.Findings, len(want))
	}
}
