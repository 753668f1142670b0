package verify

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/trailql/trailql/catalog"
)

const region = "us-east-1"

func name(stamp time.Time, unique string) string { return fileName(account1, region, stamp, unique) }

// hours adds digests for the hours of [from, to), each naming the file at its half, and these files; but for the hours skipped.
func (l *ledgerRows) hours(from, to time.Time, skip func(time.Time) (digest, file bool)) {
	for at := from; at.Before(to); at = at.Add(time.Hour) {
		noDigest, noFile := false, false
		if skip != nil {
			noDigest, noFile = skip(at)
		}
		half := at.Add(30 * time.Minute)
		if !noDigest {
			l.digest(account1, region, at, at.Add(time.Hour), "AWSLogs/x/"+name(half, "a"))
		}
		if !noFile {
			l.file(account1, region, half, "a", catalog.StateOK)
		}
	}
}

func hoursOf(day, from, to int) func(time.Time) bool {
	return func(t time.Time) bool { return !t.Before(at(day, from)) && t.Before(at(day, to)) }
}

func TestDigestedPeriods(t *testing.T) {
	whole := newLedger()
	whole.hours(at(0, 0), at(3, 0), nil)
	expectGaps(t, "all", whole.covered(t, at(0, 0), at(3, 0)))
	expectGaps(t, "a part", whole.covered(t, at(0, 3).Add(7*time.Minute), at(1, 5).Add(-time.Second)))
	expectGaps(t, "beyond the last digest", whole.covered(t, at(0, 0), at(3, 1)), "||03-05 00:00|03-05 01:00|the period goes beyond the newest delivery that the lake has")
	expectGaps(t, "from before the first digest", whole.covered(t, at(-1, 0), at(1, 0)), account1+"|us-east-1|03-01 00:00|03-02 00:00|no digest covers this time")
	if c := whole.covered(t, at(0, 0), at(1, 0)); c.Objects != 24 || c.Records != 240 || len(c.Accounts) != 1 || c.Accounts[0].Basis != "digests" ||
		!c.Accounts[0].First.Equal(at(0, 0).Add(30*time.Minute)) || !c.Accounts[0].Last.Equal(at(0, 23).Add(30*time.Minute)) || strings.Contains(c.Basis, "rhythm") {
		t.Errorf("%+v", c)
	}

	planted := hoursOf(1, 4, 7)
	l := newLedger()
	l.hours(at(0, 0), at(3, 0), func(t time.Time) (bool, bool) { return false, planted(t) })
	expectGaps(t, "files missing", l.covered(t, at(0, 0), at(3, 0)), account1+"|us-east-1|03-03 04:00|03-03 07:00|3 log files that the digest names are not in the lake: "+
		name(at(1, 4).Add(30*time.Minute), "a")+", "+name(at(1, 5).Add(30*time.Minute), "a")+", …")
	expectGaps(t, "files missing, cut to the period", l.covered(t, at(1, 6), at(1, 8)), account1+"|us-east-1|03-03 06:00|03-03 07:00|1 log file that the digest names is not in the lake: "+
		name(at(1, 6).Add(30*time.Minute), "a"))
	expectGaps(t, "beside the missing files", l.covered(t, at(1, 7), at(3, 0)))

	l = newLedger()
	l.hours(at(0, 0), at(3, 0), func(t time.Time) (bool, bool) { return planted(t), planted(t) })
	expectGaps(t, "digests missing too", l.covered(t, at(0, 0), at(3, 0)), account1+"|us-east-1|03-03 04:00|03-03 07:00|no digest covers this time")
	// A second trail covers the hole.
	l.digest(account1, region, at(1, 3).Add(10*time.Minute), at(1, 7))
	expectGaps(t, "a second trail", l.covered(t, at(0, 0), at(3, 0)))

	l = newLedger()
	l.hours(at(0, 0), at(3, 0), func(t time.Time) (bool, bool) { return false, false })
	half := at(1, 4).Add(30 * time.Minute)
	l.file(account1, region, half, "extra", catalog.StateQuarantined)
	expectGaps(t, "a file that no digest names", l.covered(t, at(0, 0), at(3, 0)))

	for state, reason := range map[string]string{
		catalog.StateQuarantined: "1 log file that the digest names could not be read in full: ",
		catalog.StateAltered:     "1 log file that the digest names was altered after the lake had read it: ",
	} {
		l := newLedger()
		l.hours(at(0, 0), at(3, 0), func(t time.Time) (bool, bool) { return false, t.Equal(at(1, 4)) })
		l.file(account1, region, half, "a", state)
		expectGaps(t, state, l.covered(t, at(0, 0), at(3, 0)), account1+"|us-east-1|03-03 04:00|03-03 05:00|"+reason+name(half, "a"))
		// A whole copy elsewhere makes up for a damaged one; but it does not tell which of two contents was delivered.
		l.file(account1, region, half, "a", catalog.StateOK)
		var want []string
		if state == catalog.StateAltered {
			want = []string{account1 + "|us-east-1|03-03 04:00|03-03 05:00|" + reason + name(half, "a")}
		}
		expectGaps(t, state+" and a copy", l.covered(t, at(0, 0), at(3, 0)), want...)
	}
}

// A log file counts wherever it stands and whatever time its name tells: it is its name that the digest names.
func TestFilesElsewhere(t *testing.T) {
	l := newLedger()
	l.hours(at(0, 0), at(3, 0), nil)
	late := name(at(2, 20), "late")
	l.digest(account1, region, at(0, 2), at(0, 3), "AWSLogs/o-x/"+late, "AWSLogs/"+name(at(0, 2), "gone"))
	l.file(account1, region, at(2, 20), "late", catalog.StateOK)
	expectGaps(t, "a file delivered late", l.covered(t, at(0, 0), at(1, 0)), account1+"|us-east-1|03-02 02:00|03-02 03:00|1 log file that the digest names is not in the lake: "+name(at(0, 2), "gone"))
}

// Backfill digests name files, but do not cover a time; the digests of others cover nothing here.
func TestBackfillAndOthers(t *testing.T) {
	l := newLedger()
	l.hours(at(0, 0), at(3, 0), func(t time.Time) (bool, bool) { return t.Equal(at(1, 4)), false })
	l.digests.add(map[string]any{"path": "b", "account": account1, "region": region, "start_time": at(1, 4), "end_time": at(1, 5), "backfill": true, "logs": []string{"lost"}})
	l.digest(account2, region, at(0, 0), at(3, 0))
	l.digest(account1, "eu-west-1", at(0, 0), at(3, 0))
	l.digests.add(map[string]any{"path": "c", "start_time": at(1, 4), "end_time": at(1, 5), "backfill": false, "logs": []string{"x"}}) // whose, nobody knows
	expectGaps(t, "backfill", l.covered(t, at(0, 0), at(3, 0)),
		account1+"|us-east-1|03-03 04:00|03-03 05:00|no digest covers this time",
		account1+"|us-east-1|03-03 04:00|03-03 05:00|1 log file that the digest names is not in the lake: lost")
}

func TestUnreadDigests(t *testing.T) {
	l := newLedger()
	l.hours(at(0, 0), at(3, 0), func(t time.Time) (bool, bool) { return hoursOf(1, 4, 6)(t), false })
	for hour := 5; hour < 7; hour++ {
		l.files.add(map[string]any{"path": fmt.Sprintf("file:///trail/d%d", hour), "kind": "CloudTrail-Digest", "account": account1, "region": region, "stamp": at(1, hour),
			"state": catalog.StateQuarantined, "records": 1})
	}
	expectGaps(t, "unread", l.covered(t, at(0, 0), at(3, 0)), account1+"|us-east-1|03-03 04:00|03-03 06:00|2 digests could not be read in full: d5, d6")
	expectGaps(t, "one of them", l.covered(t, at(1, 5), at(1, 8)), account1+"|us-east-1|03-03 05:00|03-03 06:00|1 digest could not be read in full: d6")
	expectGaps(t, "none of them", l.covered(t, at(1, 6), at(3, 0)))
}

// Where digests begin only after the period, deliveries speak; where they begin in it, the time before is not covered.
func TestDigestsThatBeginLater(t *testing.T) {
	l := newLedger()
	l.every(6*time.Minute, account1, region, at(0, 0), at(2, 0))
	l.hours(at(2, 0), at(4, 0), nil)
	c := l.covered(t, at(0, 0), at(2, 0))
	expectGaps(t, "before the digests", c)
	if c.Accounts[0].Basis != "deliveries" || !strings.Contains(c.Basis, "rhythm") {
		t.Errorf("%+v", c)
	}
	expectGaps(t, "over their start", l.covered(t, at(1, 0), at(3, 0)), account1+"|us-east-1|03-03 00:00|03-04 00:00|no digest covers this time")
}

// Regions with digests and regions without stand side by side, and each is judged by its own.
func TestMixedBasis(t *testing.T) {
	l := newLedger()
	l.hours(at(0, 0), at(3, 0), nil)
	l.every(6*time.Minute, account1, "eu-west-1", at(0, 0), at(1, 0))
	l.every(6*time.Minute, account1, "eu-west-1", at(1, 5), at(3, 0))
	c := l.covered(t, at(0, 0), at(2, 0))
	expectGaps(t, "mixed", c, account1+"|eu-west-1|03-02 23:54|03-03 05:00|nothing was delivered for 5.1 h; something usually comes every 6 min, and the limit is 2 h")
	if !strings.HasPrefix(c.Basis, "By time of delivery. In 1 of 2 accounts and regions ") || c.Accounts[0].Region != "eu-west-1" || c.Accounts[0].Gaps != 1 || c.Accounts[1].Gaps != 0 {
		t.Errorf("%+v", c)
	}
}

// More digests than are looked at together, in many regions, and more gaps than a coverage lists.
func TestManyGaps(t *testing.T) {
	l := newLedger()
	const regions, hours = 30, 100
	for r := range regions {
		where := fmt.Sprintf("region-%02d", r)
		for h := range hours {
			from := at(0, h)
			l.digest(account1, where, from, from.Add(time.Hour), "gone", "gone too") // under one name in all: nothing but names counts
			if h%2 == 0 {
				l.digest(account2, where, from, from.Add(time.Hour))
			}
		}
	}
	c := l.covered(t, at(0, 0), at(0, hours))
	if len(c.Gaps) != 1000 || c.MoreGaps != regions*(1+hours/2)-1000 {
		t.Errorf("%d gaps and %d more", len(c.Gaps), c.MoreGaps)
	}
	var counted int64
	for _, a := range c.Accounts {
		counted += a.Gaps
	}
	if counted != regions*(1+hours/2) || c.Gaps[0].To.Sub(c.Gaps[0].From) != hours*time.Hour || !strings.HasPrefix(c.Gaps[0].Reason, "200 log files that the digest names are not in the lake: gone, gone") {
		t.Errorf("%d gaps counted; the first: %+v", counted, c.Gaps[0])
	}
}

func TestHoles(t *testing.T) {
	h := func(from, to int) span { return span{at(0, from), at(0, to)} }
	for _, c := range []struct {
		spans []span
		want  []span
	}{
		{nil, []span{h(0, 10)}},
		{[]span{h(0, 10)}, nil},
		{[]span{h(-5, 15)}, nil},
		{[]span{h(5, 10), h(0, 5)}, nil},
		{[]span{h(0, 8), h(1, 2), h(9, 10)}, []span{h(8, 9)}},
		{[]span{h(-5, -1), h(12, 15)}, []span{h(0, 10)}},
		{[]span{h(2, 4), h(3, 5), h(7, 12)}, []span{h(0, 2), h(5, 7)}},
		{[]span{h(-3, 0), h(10, 11)}, []span{h(0, 10)}},
	} {
		if got := holes(c.spans, h(0, 10)); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%v: %v; want %v", c.spans, got, c.want)
		}
	}
}
