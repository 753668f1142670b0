package verify

import (
	"testing"
	"time"

	"github.com/trailql/trailql/catalog"
)

var monday = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func at(day, hour int) time.Time {
	return monday.AddDate(0, 0, day).Add(time.Duration(hour) * time.Hour)
}

// A file each six minutes: the least limit of two hours holds.
func TestSilences(t *testing.T) {
	busy := func(until ...time.Time) *ledgerRows { // files but for the times between pairs
		l := newLedger()
		from := at(0, 0)
		for i := 0; i < len(until); i += 2 {
			l.every(6*time.Minute, account1, "us-east-1", from, until[i])
			from = until[i+1]
		}
		l.every(6*time.Minute, account1, "us-east-1", from, at(3, 0))
		return l
	}
	const usual = "; something usually comes every 6 min, and the limit is 2 h"
	expectGaps(t, "no silence", busy().covered(t, at(0, 0), at(2, 0)))
	expectGaps(t, "two hours are not longer than two hours", busy(at(1, 4).Add(time.Minute), at(1, 6)).covered(t, at(0, 0), at(2, 0)))
	expectGaps(t, "a silence", busy(at(1, 4).Add(time.Minute), at(1, 6).Add(6*time.Minute)).covered(t, at(0, 0), at(2, 0)),
		account1+"|us-east-1|03-03 04:00|03-03 06:06|nothing was delivered for 2.1 h"+usual)
	expectGaps(t, "two", busy(at(0, 5), at(0, 9), at(1, 0), at(1, 12)).covered(t, at(0, 0), at(2, 0)),
		account1+"|us-east-1|03-02 23:54|03-03 12:00|nothing was delivered for 12.1 h"+usual,
		account1+"|us-east-1|03-02 04:54|03-02 09:00|nothing was delivered for 4.1 h"+usual)

	// At the edges a silence counts as long as it is, not as long as the period sees of it.
	over := busy(at(1, 22), at(2, 2))
	expectGaps(t, "over the end", over.covered(t, at(1, 0), at(2, 0)), account1+"|us-east-1|03-03 21:54|03-04 00:00|nothing was delivered for 4.1 h"+usual)
	expectGaps(t, "over the start", over.covered(t, at(2, 0), at(2, 12)), account1+"|us-east-1|03-04 00:00|03-04 02:00|nothing was delivered for 4.1 h"+usual)
	expectGaps(t, "inside of a silence", over.covered(t, at(1, 23), at(2, 0)), "||03-03 23:00|03-04 00:00|nothing was delivered in this period")
	expectGaps(t, "before it", over.covered(t, at(1, 0), at(1, 21)))
	expectGaps(t, "after it", over.covered(t, at(2, 2), at(2, 20)))

	// Before the first delivery and after the last.
	expectGaps(t, "from before the lake", busy().covered(t, at(-1, 0), at(1, 0)), account1+"|us-east-1|03-01 00:00|03-02 00:00|nothing was delivered for 24 h"+usual)
	expectGaps(t, "a little before the lake", busy().covered(t, at(0, -2), at(1, 0)))
	expectGaps(t, "beyond the newest delivery", busy().covered(t, at(0, 0), at(3, 0)), "||03-04 23:54|03-05 00:00|the period goes beyond the newest delivery that the lake has")
	expectGaps(t, "before the lake", busy().covered(t, at(-2, 0), at(-1, 0)), "||02-28 00:00|03-01 00:00|nothing was delivered in this period")
	expectGaps(t, "after the lake", busy().covered(t, at(5, 0), at(6, 0)), "||03-07 00:00|03-08 00:00|nothing was delivered in this period")
	expectGaps(t, "an empty lake", newLedger().covered(t, at(0, 0), at(1, 0)), "||03-02 00:00|03-03 00:00|nothing was delivered in this period")

	// An account that stopped while others go on.
	l := busy()
	l.every(time.Hour, account2, "eu-west-1", at(0, 0), at(1, 0))
	expectGaps(t, "an account that stopped", l.covered(t, at(0, 0), at(2, 0)),
		account2+"|eu-west-1|03-02 23:00|03-04 00:00|nothing was delivered for 25 h; something usually comes every 60 min, and the limit is 5 h")
	expectGaps(t, "before it stopped", l.covered(t, at(0, 0), at(1, 0)))
	// One that comes later is left out of periods before it.
	l = busy()
	l.every(time.Hour, account2, "eu-west-1", at(2, 0), at(3, 0))
	expectGaps(t, "an account that comes later", l.covered(t, at(0, 0), at(2, 0)))
	if c := l.covered(t, at(0, 0), at(2, 0)); len(c.Accounts) != 1 || c.Objects != 480 || c.Records != 4800 {
		t.Errorf("%+v", c)
	}
}

// A region with fewer than eight deliveries is judged with its account, of which only the sum is silent or not.
func TestFewDeliveries(t *testing.T) {
	l := newLedger()
	l.every(6*time.Minute, account1, "us-east-1", at(0, 0), at(3, 0))
	l.file(account1, "sa-east-1", at(1, 7), "a", catalog.StateOK)
	expectGaps(t, "a quiet region of a busy account", l.covered(t, at(0, 0), at(2, 0)))

	// An account with few deliveries in all: a day is the limit.
	for hour := range 3 {
		l.file(account2, "us-east-1", at(0, 2*hour), "a", catalog.StateOK)
		l.file(account2, "eu-west-1", at(0, 2*hour+1), "a", catalog.StateOK)
	}
	expectGaps(t, "a quiet account", l.covered(t, at(0, 0), at(1, 5)))
	c := l.covered(t, at(0, 0), at(2, 0))
	if c.Accounts[2].Account != account2 || c.Accounts[2].Gaps != 1 || c.Accounts[3].Gaps != 1 {
		t.Errorf("%+v", c.Accounts)
	}
	expectGaps(t, "a quiet account for too long", c, account2+
		"||03-02 05:00|03-04 00:00|nothing was delivered in any region for 43 h; there are too few deliveries to know how often something comes, so the limit is 24 h")
}

func TestLimit(t *testing.T) {
	for _, c := range []struct {
		intervals []int32
		want      time.Duration
	}{
		{nil, 24 * time.Hour},
		{[]int32{1, 1, 1}, 24 * time.Hour},
		{[]int32{1, 1, 600}, 50 * time.Hour},
		{[]int32{6, 6, 6, 6, 6, 6, 6}, 2 * time.Hour},
		{[]int32{60, 60, 60, 60, 60, 60, 60}, 5 * time.Hour},
		{[]int32{6, 6, 6, 6, 6, 6, 6, 6, 60, 600}, 5 * time.Hour}, // the ninth of ten
	} {
		if got, said := limitOf(c.intervals); got != c.want {
			t.Errorf("%v: %v (%s); want %v", c.intervals, got, said, c.want)
		}
	}
}

// Without digests an object that could not be read in full is a gap at its minute.
func TestUnreadFiles(t *testing.T) {
	l := newLedger()
	l.every(6*time.Minute, account1, "us-east-1", at(0, 0), at(3, 0))
	l.file(account1, "us-east-1", at(1, 5), "b", catalog.StateQuarantined)
	l.file(account1, "us-east-1", at(1, 5).Add(time.Minute), "c", catalog.StateQuarantined)
	l.file(account1, "us-east-1", at(1, 5).Add(time.Minute), "d", catalog.StateQuarantined)
	l.file(account1, "us-east-1", at(1, 6), "a", catalog.StateAltered)
	l.file(account1, "us-east-1", at(2, 6), "b", catalog.StateQuarantined)
	b, c := fileName(account1, "us-east-1", at(1, 5), "b"), fileName(account1, "us-east-1", at(1, 5).Add(time.Minute), "c")
	expectGaps(t, "unread", l.covered(t, at(0, 0), at(2, 0)),
		account1+"|us-east-1|03-03 05:00|03-03 05:02|3 log files could not be read in full: "+b+", "+c+", …",
		account1+"|us-east-1|03-03 06:00|03-03 06:01|1 log file was altered after the lake had read it: "+fileName(account1, "us-east-1", at(1, 6), "a"))
	expectGaps(t, "before them", l.covered(t, at(0, 0), at(1, 5)))
	// The altered one is the same delivery again.
	if c := l.covered(t, at(1, 6), at(1, 7)); c.Objects != 10 || c.Records != 100 || c.Accounts[0].Gaps != 1 || c.Accounts[0].Basis != "deliveries" {
		t.Errorf("%+v", c)
	}
	// One whose name does not tell the time may be of any.
	l.files.add(map[string]any{"path": "file:///trail/x.json.gz", "state": catalog.StateQuarantined, "records": 1})
	expectGaps(t, "unread at an unknown time", l.covered(t, at(0, 0), at(1, 5)),
		"||03-02 00:00|03-03 05:00|1 log file, delivered at an unknown time, could not be read in full: x.json.gz")
}

// Objects whose names tell nothing prove nothing.
func TestNamelessObjects(t *testing.T) {
	l := newLedger()
	for range 10 {
		l.files.add(map[string]any{"path": "file:///trail/flaws.json.gz", "kind": "CloudTrail", "state": catalog.StateOK, "records": 1})
	}
	expectGaps(t, "nameless objects", l.covered(t, at(0, 0), at(1, 0)),
		"||03-02 00:00|03-03 00:00|nothing was delivered in this period; the names of 10 objects do not tell account, region and time of delivery")
}
