package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/cloudtrail/synth"
	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/report"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// asks answers SQL over a snapshot, a text for each row, cells between bars.
func asks(t testing.TB, snap source.Snapshot, sql string) []string {
	t.Helper()
	out, _ := asksWith(t, snap, sql)
	return out
}

func asksWith(t testing.TB, snap source.Snapshot, sql string) (out []string, stats engine.Stats) {
	t.Helper()
	r, err := engine.New(nil).Query(context.Background(), sql, engine.Options{Snapshot: snap})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	defer r.Close()
	for {
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out, r.Stats()
		}
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		for i := range b.Len {
			var cells []string
			for c, column := range b.Cols {
				cells = append(cells, string(sqltype.AppendText(nil, r.Columns[c].Type, vec.Plain(column), i)))
			}
			out = append(out, strings.Join(cells, "|"))
		}
	}
}

func expectRows(t testing.TB, snap source.Snapshot, sql string, want ...string) {
	t.Helper()
	if got := asks(t, snap, sql); !slices.Equal(got, want) {
		t.Errorf("%s\ngot\n  %s\nwant\n  %s", sql, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// The hours in which Coverage finds gaps are those that trail_coverage marks, whatever the period.
func TestHoursAreJudgedAsPeriods(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 1))
	for round := range 12 {
		l := newLedger()
		digested := round%3 != 0
		for a := range 3 {
			for region := range 1 + r.IntN(2) {
				account, region := fmt.Sprintf("%012d", a+1), fmt.Sprintf("region-%d", region)
				for h := range 72 {
					hour := at(0, h)
					var names []string
					for i := range 1 + r.IntN(3) {
						stamp := hour.Add(time.Duration(5+i*20) * time.Minute)
						names = append(names, "AWSLogs/x/"+fileName(account, region, stamp, "a"))
						switch x := r.IntN(150); {
						case x == 0 && digested: // lost
						case x == 1:
							l.file(account, region, stamp, "a", catalog.StateQuarantined)
						case x == 2:
							l.file(account, region, stamp, "a", catalog.StateOK)
							l.file(account, region, stamp, "a", catalog.StateAltered)
						case x == 3 && digested:
							l.file(account, region, stamp, "a", catalog.StateOK)
							l.verdict(fileName(account, region, stamp, "a"), "log", account, region, stamp, "altered")
						default:
							l.file(account, region, stamp, "a", catalog.StateOK)
						}
					}
					switch x := r.IntN(60); {
					case !digested && (h < 40 || h > 52) || digested && x > 1:
						if digested {
							l.digest(account, region, hour, hour.Add(time.Hour), names...)
						}
					case digested && x == 1:
						l.digest(account, region, hour, hour.Add(time.Hour), names...)
						l.verdict(fmt.Sprintf("digest %d", h), "digest", account, region, hour.Add(time.Hour), "invalid")
					}
				}
			}
		}
		marked := map[string]string{}
		for _, row := range asks(t, l, `SELECT account, region, hour, gap FROM trail_coverage WHERE gap IS NOT NULL`) {
			account, rest, _ := strings.Cut(row, "|")
			region, rest, _ := strings.Cut(rest, "|")
			hour, gap, _ := strings.Cut(rest, "|")
			marked[account+"|"+region+"|"+hour] = gap
		}
		// Of each hour alone, and of some days: the ends lie before the newest delivery, as a period that goes beyond it is another matter.
		periods := []report.Period{{From: at(0, 0), To: at(2, 20)}}
		for range 10 {
			from := r.IntN(60)
			periods = append(periods, report.Period{From: at(0, from), To: at(0, from+1+r.IntN(8))})
		}
		for _, p := range periods {
			if !digested {
				p = report.Period{From: at(0, 0), To: at(2, 20)} // a silence counts as long as the period lets see of it
			}
			judged := map[string]bool{}
			for _, g := range l.covered(t, p.From, p.To).Gaps {
				for hour := g.From.Truncate(time.Hour); hour.Before(g.To); hour = hour.Add(time.Hour) {
					judged[g.Account+"|"+g.Region+"|"+hour.Format("2006-01-02 15:04:05.000")] = true
				}
			}
			for key := range judged {
				if marked[key] == "" {
					t.Errorf("round %d, %v: %s is in a gap, and trail_coverage has none", round, p, key)
				}
			}
			for key, gap := range marked {
				_, hour, _ := strings.Cut(key[13:], "|")
				at, err := time.Parse("2006-01-02 15:04:05.000", hour)
				if err == nil && !at.Before(p.From) && at.Add(time.Hour).Compare(p.To) <= 0 && !judged[key] {
					t.Errorf("round %d, %v: trail_coverage has a gap %s at %s, and the period has none", round, p, gap, key)
				}
			}
		}
		if len(marked) == 0 {
			t.Errorf("round %d has no gap at all", round)
		}
	}
}

// What else is asked for changes no row.
func TestHoursDoNotDependOnWhatIsAsked(t *testing.T) {
	l := newLedger()
	l.hours(at(0, 0), at(3, 0), func(at time.Time) (bool, bool) { return hoursOf(1, 4, 6)(at), hoursOf(1, 10, 12)(at) })
	l.every(6*time.Minute, account2, "eu-west-1", at(0, 0), at(1, 0))
	l.every(6*time.Minute, account2, "eu-west-1", at(1, 7), at(2, 0))
	l.every(6*time.Minute, account2, "us-east-1", at(0, 3), at(3, 0))
	l.file(account2, "sa-east-1", at(1, 3), "a", catalog.StateOK)
	l.files.add(map[string]any{"path": "file:///trail/x.json.gz", "state": catalog.StateQuarantined, "records": 1})
	const order = ` ORDER BY account, region, hour`
	all := asks(t, l, `SELECT * FROM trail_coverage`+order)
	if want := 72 + 72 + 69 + 45 + 1; len(all) != want {
		t.Errorf("%d rows, want %d", len(all), want)
	}
	for _, where := range []string{
		`account = '` + account1 + `'`, `account = '` + account2 + `' AND region = 'eu-west-1'`, `region LIKE 'eu%'`, `account IN ('` + account1 + `', 'x')`,
		`hour >= TIMESTAMP '2026-03-03 05:00:00' AND hour < TIMESTAMP '2026-03-03 11:00:00'`, `hour = TIMESTAMP '2026-03-03 11:00:00'`,
		`hour BETWEEN TIMESTAMP '2026-03-03 23:00:00' AND TIMESTAMP '2026-03-04 01:00:00' AND region <> 'us-east-1'`,
		`date(hour) = DATE '2026-03-03'`, `account IS NULL`, `hour IS NULL`, `account = 'nobody'`, `hour > TIMESTAMP '2030-01-01 00:00:00'`, `gap = 'silence'`, `objects = 0`,
	} {
		var want []string
		for _, row := range asks(t, l, `SELECT * FROM (SELECT *, rand() AS r FROM trail_coverage) WHERE `+where+order) { // nothing is pushed below rand()
			want = append(want, row[:strings.LastIndex(row, "|")])
		}
		expectRows(t, l, `SELECT * FROM trail_coverage WHERE `+where+order, want...)
		expectRows(t, l, `SELECT count(*) FROM trail_coverage WHERE `+where, fmt.Sprint(len(want)))
	}
	expectRows(t, l, `SELECT account, count(*), sum(objects), sum(records) FROM trail_coverage GROUP BY 1 ORDER BY 1`,
		account1+"|72|70|700", account2+"|186|1101|11010", "|1|1|1")
	expectRows(t, l, `SELECT account, region, gap, reason, count(*), min(hour), max(hour) FROM trail_coverage WHERE gap IS NOT NULL GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 6`,
		account1+"|us-east-1|chain|no digest covers this time|2|2026-03-03 04:00:00.000|2026-03-03 05:00:00.000",
		account1+"|us-east-1|digest|1 log file that the digest names is not in the lake: "+name(at(1, 10).Add(30*time.Minute), "a")+"|1|2026-03-03 10:00:00.000|2026-03-03 10:00:00.000",
		account1+"|us-east-1|digest|1 log file that the digest names is not in the lake: "+name(at(1, 11).Add(30*time.Minute), "a")+"|1|2026-03-03 11:00:00.000|2026-03-03 11:00:00.000",
		account2+"|eu-west-1|silence|nothing was delivered for 7.1 h; something usually comes every 6 min, and the limit is 2 h|8|2026-03-02 23:00:00.000|2026-03-03 06:00:00.000",
		account2+"|eu-west-1|silence|nothing was delivered for 24.1 h; something usually comes every 6 min, and the limit is 2 h|25|2026-03-03 23:00:00.000|2026-03-04 23:00:00.000",
		"||unread|1 log file could not be read in full: x.json.gz|1||")
}

// Verdicts are counted by the newest of each object, and rows come of the objects that are there.
func TestHoursOfVerdicts(t *testing.T) {
	l := newLedger()
	l.hours(at(0, 0), at(0, 6), func(hour time.Time) (bool, bool) { return false, hour.Equal(at(0, 2)) })
	half := func(hour int) time.Time { return at(0, hour).Add(30 * time.Minute) }
	l.file(account1, region, half(4), "b", catalog.StateOK)
	for hour, verdict := range []string{"verified", "verified", "missing", "altered"} {
		l.verdict(name(half(hour), "a"), "log", account1, region, half(hour), "unverified")
		l.verdict(name(half(hour), "a"), "log", account1, region, half(hour), verdict)
	}
	l.verdict(name(half(4), "b"), "log", account1, region, half(4), "extra")
	l.verdict("file:///trail/d1", "digest", account1, region, at(0, 1), "verified")
	l.verdict("file:///trail/d6", "digest", account1, region, at(0, 6), "invalid")
	expectRows(t, l, `SELECT hour(hour), objects, verified, unverified, missing, altered, extra, digests, covered, named, missing_files, gap FROM trail_coverage ORDER BY 1`,
		"0|1|1|0|0|0|0|1|true|1|0|",
		"1|1|1|0|0|0|0|1|true|1|0|",
		"2|0|0|0|1|0|0|1|true|1|1|digest",
		"3|1|0|0|0|1|0|1|true|1|0|altered",
		"4|2|0|1|0|0|1|1|true|1|0|",
		"5|1|0|1|0|0|0|1|true|1|0|chain")
	c := l.covered(t, at(0, 0), at(0, 6))
	expectGaps(t, "verdicts", c,
		account1+"|us-east-1|03-02 02:00|03-02 03:00|1 log file that the digest names is not in the lake: "+name(half(2), "a"),
		account1+"|us-east-1|03-02 05:00|03-02 06:00|1 digest is not valid: d6",
		account1+"|us-east-1|03-02 03:30|03-02 03:31|1 log file is not what the digest says: "+name(half(3), "a"))
	v := c.Verification
	if v.Verified != 2 || v.Unverified != 2 || v.Missing != 1 || v.Altered != 1 || v.Extra != 1 || v.DigestsVerified != 1 || v.DigestsInvalid != 1 || v.Digests != 6 || len(v.Objects) != 4 {
		t.Errorf("%+v", v)
	}
	if !strings.Contains(c.Basis, "the signatures of 1 of 6 are checked") {
		t.Error(c.Basis)
	}
}

// Before digests begin deliveries speak, from then on digests.
func TestHoursBeforeDigests(t *testing.T) {
	l := newLedger()
	l.every(6*time.Minute, account1, region, at(0, 0), at(1, 0))
	l.every(6*time.Minute, account1, region, at(1, 6), at(2, 0))
	l.hours(at(2, 0), at(3, 0), func(hour time.Time) (bool, bool) { return hour.Equal(at(2, 5)), false })
	expectRows(t, l, `SELECT gap, count(*), min(hour), max(hour) FROM trail_coverage GROUP BY 1 ORDER BY 1`,
		"chain|1|2026-03-04 05:00:00.000|2026-03-04 05:00:00.000",
		"silence|7|2026-03-02 23:00:00.000|2026-03-03 05:00:00.000",
		"|64|2026-03-02 00:00:00.000|2026-03-04 23:00:00.000")
}

// Digests that are not there yet are no gap; digests that did not come for a day are.
func TestHoursWithoutDigestsAtTheEnd(t *testing.T) {
	for _, c := range []struct{ days, gaps int }{{1, 0}, {2, 24}} {
		l := newLedger()
		l.hours(at(0, 0), at(1, 0), nil)
		l.every(6*time.Minute, account1, region, at(1, 0), at(1+c.days, 0).Add(time.Minute))
		expectRows(t, l, `SELECT count(*) FROM trail_coverage WHERE gap = 'chain'`, fmt.Sprint(c.gaps))
	}
}

// Many accounts are taken in parts, and one account's hours, too.
func TestManyHours(t *testing.T) {
	l := newLedger()
	for a := range 6 {
		l.every(40*time.Hour, fmt.Sprintf("%012d", a), "eu-west-1", at(0, a), at(400+200*a, 0))
		l.every(40*time.Hour, fmt.Sprintf("%012d", a), "us-east-1", at(0, a), at(400+200*a, 0))
	}
	expectRows(t, l, `SELECT count(*), count(DISTINCT account || region || CAST(hour AS varchar)), sum(objects) FROM trail_coverage`,
		strings.Join(asks(t, l, `SELECT sum(n), sum(n), sum(objects) FROM (SELECT date_diff('hour', date_trunc('hour', min(stamp)), (SELECT date_trunc('hour', max(stamp)) FROM trail_files)) + 1 AS n, count(*) AS objects
			FROM trail_files GROUP BY account, region)`), ""))
}

// SHOW COVERAGE sums the hours up, one row for each account and region.
func TestShowCoverage(t *testing.T) {
	l := newLedger()
	l.hours(at(0, 0), at(2, 0), func(hour time.Time) (bool, bool) { return hour.Equal(at(1, 5)), hour.Equal(at(1, 7)) })
	l.every(6*time.Minute, account2, "eu-west-1", at(0, 0), at(2, 0))
	half := at(0, 0).Add(30 * time.Minute)
	l.verdict(name(half, "a"), "log", account1, region, half, "verified")
	for _, r := range [][]string{
		{`SHOW COVERAGE`, account1 + "|us-east-1|2026-03-02 00:00:00.000|2026-03-03 23:00:00.000|47|470|0|2.12|0|0|0|2|chain, digest",
			account2 + "|eu-west-1|2026-03-02 00:00:00.000|2026-03-03 23:00:00.000|480|4800|0|0.0|0|0|0|0|"},
		{`SHOW COVERAGE WHERE account = '` + account1 + `' AND hour < TIMESTAMP '2026-03-03 00:00:00'`,
			account1 + "|us-east-1|2026-03-02 00:00:00.000|2026-03-02 23:00:00.000|24|240|0|4.16|0|0|0|0|"},
		{`SHOW COVERAGE WHERE account = 'nobody'`},
	} {
		expectRows(t, l, r[0], r[1:]...)
	}
	_, err := engine.New(l).Query(t.Context(), "SHOW COVERAGE WHERE nothing = 1", engine.Options{})
	var e *sqlerr.Error
	if !errors.As(err, &e) || e.Pos != 21 {
		t.Errorf("%v at %d", err, e.Pos)
	}
}

// A lake tells the same as a judge of its whole trail, and a trail without faults has no gap.
func TestHoursOfTrails(t *testing.T) {
	l := generated(t, synth.Options{Seed: 5, Events: 1500, Accounts: 2, Regions: 2, Days: 2, Start: monday}).lake(t)
	snap, err := l.Snapshot(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range asks(t, snap, `SELECT * FROM trail_coverage WHERE gap IS NOT NULL`) {
		t.Errorf("%s", row)
	}
	expectRows(t, snap, `SELECT sum(objects), sum(records), sum("rows"), sum(duplicates), sum(bytes), sum(named) > 0 FROM trail_coverage`,
		asks(t, snap, `SELECT count(*), sum(records), sum("rows"), sum(duplicates), sum(size), true FROM trail_files WHERE state <> 'digest'`)...)
	if got, stats := asksWith(t, snap, `SELECT * FROM trail_coverage WHERE account = '000000000000'`); len(got) > 0 || stats.RowsRead > 3000 {
		t.Errorf("%d rows, %d read", len(got), stats.RowsRead)
	}
}
