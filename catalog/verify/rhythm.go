package verify

import (
	"cmp"
	"context"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"time"

	"github.com/trailql/trailql/catalog"
)

// hour is the minutes of one hour in which something was delivered.
type hour struct {
	at      int64 // hours since 1970
	minutes uint64
}

// rhythm is when a unit got its deliveries, to the minute, as the names of log files have it.
type rhythm struct {
	unit
	hours []hour // sorted
}

// deliveries calls visit with each minute in which something was delivered, in order.
func (r *rhythm) deliveries(visit func(time.Time)) {
	for _, h := range r.hours {
		for m := h.minutes; m != 0; m &= m - 1 {
			visit(time.Unix(h.at*3600+int64(bits.TrailingZeros64(m))*60, 0).UTC())
		}
	}
}

// sort brings the hours in order and makes one of equal ones.
func (r *rhythm) sort() {
	slices.SortFunc(r.hours, func(a, b hour) int { return cmp.Compare(a.at, b.at) })
	out := r.hours[:0]
	for _, h := range r.hours {
		if n := len(out); n > 0 && out[n-1].at == h.at {
			out[n-1].minutes |= h.minutes
		} else {
			out = append(out, h)
		}
	}
	r.hours = out
}

// intervals are the times between deliveries, in minutes, sorted.
func (r *rhythm) intervals() []int32 {
	var out []int32
	var last time.Time
	r.deliveries(func(t time.Time) {
		if !last.IsZero() {
			out = append(out, int32(t.Sub(last)/time.Minute))
		}
		last = t
	})
	slices.Sort(out)
	return out
}

const (
	fewDeliveries = 8              // fewer say nothing of a rhythm
	leastLimit    = 2 * time.Hour  // CloudTrail may take that long now and then
	fewLimit      = 24 * time.Hour // where there are few deliveries
)

// limitOf is how long a silence may be: five times as long as nine of ten intervals between deliveries are at most, but no less
// than two hours, and no less than a day where there are few deliveries. said tells of it.
func limitOf(intervals []int32) (limit time.Duration, said string) {
	limit = leastLimit
	if n := len(intervals); n > 0 {
		limit = max(limit, 5*time.Duration(intervals[(9*n+9)/10-1])*time.Minute)
	}
	if len(intervals)+1 < fewDeliveries {
		limit = max(limit, fewLimit)
		return limit, fmt.Sprintf("there are too few deliveries to know how often something comes, so the limit is %s", spell(limit))
	}
	usual := time.Duration(intervals[len(intervals)/2]) * time.Minute
	return limit, fmt.Sprintf("something usually comes every %s, and the limit is %s", spell(usual), spell(limit))
}

// silences adds as gaps the parts inside of [from, to) of silences that are too long. Before the first delivery of all, silence
// begins with the period; after the last, it ends with it.
func (j *judge) silences(r *rhythm, from, to time.Time) {
	limit, said := limitOf(r.intervals())
	where := ""
	if r.region == "" {
		where = " in any region"
	}
	last := from
	silence := func(until time.Time) {
		if until.Sub(last) > limit {
			j.add(gap{unit: r.unit, kind: silence, from: latest(last, from), to: earliest(until, to),
				said: fmt.Sprintf("nothing was delivered%s for %s; %s", where, spell(until.Sub(last)), said)})
		}
		last = until
	}
	begun := false
	r.deliveries(func(t time.Time) {
		if !begun && t.Before(from) {
			last = t
		}
		begun = true
		silence(t)
	})
	if last.Before(to) {
		silence(to)
	}
}

// rhythms judges the silences of the units that have no digests. A unit with few deliveries is judged together with its account.
func (j *judge) rhythms(ctx context.Context) error {
	for _, accounts := range j.accountsTogether() {
		found, err := j.rhythmsOf(ctx, accounts)
		if err != nil {
			return err
		}
		for len(found) > 0 {
			n := 1
			for n < len(found) && found[n].account == found[0].account {
				n++
			}
			j.account(found[:n])
			found = found[n:]
		}
	}
	return nil
}

// account judges the silences of one account's units.
func (j *judge) account(units []*rhythm) {
	var few time.Time // until when units with few deliveries are judged by them
	all := &rhythm{unit: unit{account: units[0].account}}
	for _, r := range units {
		all.hours = append(all.hours, r.hours...)
		r.sort()
		s := j.find(r.unit)
		switch {
		case s == nil || s.digested(j.period.From):
		case len(r.intervals())+1 < fewDeliveries:
			s.few, few = true, latest(few, s.turn)
		default:
			j.silences(r, j.period.From, s.turn)
		}
	}
	if !few.IsZero() {
		all.sort()
		j.silences(all, j.period.From, few)
	}
}

// hoursTogether bounds the hours whose deliveries are held at a time: 16 bytes each, and what the aggregation takes.
const hoursTogether = 2 << 20

// accountsTogether gives ranges of accounts with units to be judged by their deliveries, first and last of each.
func (j *judge) accountsTogether() (out [][2]string) {
	var hours int64
	for i := 0; i < len(j.units); {
		account, wanted, n := j.units[i].account, false, int64(0)
		for ; i < len(j.units) && j.units[i].account == account; i++ {
			s := j.units[i]
			wanted = wanted || !s.digested(j.period.From)
			n += int64(s.newest.Sub(s.oldest)/time.Hour) + 1
		}
		if !wanted {
			hours = hoursTogether // the range ends before an account that need not be read
			continue
		}
		if len(out) == 0 || hours+n > hoursTogether {
			out = append(out, [2]string{account, account})
			hours = 0
		}
		out[len(out)-1][1] = account
		hours += n
	}
	return out
}

// rhythmsOf reads the deliveries of a range of accounts, sorted by account and region.
func (j *judge) rhythmsOf(ctx context.Context, accounts [2]string) ([]*rhythm, error) {
	found := map[unit]*rhythm{}
	err := j.each(ctx, `SELECT account, region, date_trunc('hour', stamp), bitwise_or_agg(bitwise_left_shift(BIGINT '1', minute(stamp)))
FROM `+catalog.Files+` WHERE `+logFiles+` AND stamp IS NOT NULL AND account BETWEEN `+quote(accounts[0])+` AND `+quote(accounts[1])+`
GROUP BY account, region, date_trunc('hour', stamp)`, func(r row) error {
		u := unit{r.text(0), r.text(1)}
		of := found[u]
		if of == nil {
			u = unit{clone(r, 0), clone(r, 1)}
			of = &rhythm{unit: u}
			found[u] = of
		}
		of.hours = append(of.hours, hour{r.time(2).Unix() / 3600, uint64(r.number(3))})
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := make([]*rhythm, 0, len(found))
	for _, r := range found {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b *rhythm) int { return a.compare(b.unit) })
	return out, nil
}

// unreadFiles adds the log files that could not be read in full, in units that have no digests.
func (j *judge) unreadFiles(ctx context.Context) error {
	return j.each(ctx, `SELECT account, region, date_trunc('minute', stamp), state, count(*), min(path), max(path)
FROM `+catalog.Files+` WHERE `+logFiles+` AND state IN ('`+catalog.StateQuarantined+`', '`+catalog.StateAltered+`')
`+j.narrow+`
	AND (stamp IS NULL OR stamp >= `+literal(j.period.From)+` AND stamp < `+literal(j.period.To)+`)
GROUP BY account, region, date_trunc('minute', stamp), state ORDER BY account, region, date_trunc('minute', stamp), state`, func(r row) error {
		g := gap{unit: unit{clone(r, 0), clone(r, 1)}, kind: unread, from: r.time(2), n: r.number(4), names: twoNames(r, 5)}
		if r.text(3) == catalog.StateAltered {
			g.kind = altered
		}
		if g.from.IsZero() || g.account == "" || g.region == "" {
			g.unit, g.kind, g.from, g.to = unit{}, unknowable, j.period.From, j.end
			j.add(g)
			return nil
		}
		if s := j.find(g.unit); s == nil || s.digested(g.from) {
			return nil
		}
		g.to = earliest(g.from.Add(time.Minute), j.period.To)
		g.from = latest(g.from, j.period.From)
		j.add(g)
		return nil
	})
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// clone copies a text of a row.
func clone(r row, column int) string { return strings.Clone(r.text(column)) }
