// Package verify says what a lake can prove: whether it holds all of a period. It asks the lake's ledger in SQL, reads no
// trail object again and checks no signature.
package verify

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/report"
	"github.com/trailql/trailql/engine/source"
)

// Coverage returns the judge of a period by the ledger that e answers for by queries with these options, one after the other. Time is time of delivery, as in the names of objects and in
// digests. Each account and region that the ledger has seen before the end of the period is judged by itself.
//
// Where there are digest files, CloudTrail's own hourly lists of what it delivered: together they must cover the period, and each
// log file that they name must be in the lake and have been read in full. Log files that none names are no gap. Where there are
// none, deliveries alone must speak: a silence is a gap if it is much longer than the silences that are usual there (see limitOf), and so
// is an object that could not be read in full.
//
// Where nothing was delivered in the whole period, in no account, or nothing after some moment of it, that is one gap for all.
func Coverage(e *engine.Engine, opt engine.Options) report.Covered {
	return func(ctx context.Context, snap source.Snapshot, p report.Period) (report.Coverage, error) {
		if !p.From.Before(p.To) {
			return report.Coverage{}, fmt.Errorf("the period ends at %s, before it begins at %s", p.To, p.From)
		}
		opt := opt
		opt.Snapshot = snap
		j := &judge{ledger: ledger{e, opt}, period: p}
		if err := j.run(ctx); err != nil {
			return report.Coverage{}, fmt.Errorf("judging the coverage of the period: %w", err)
		}
		return j.coverage(), nil
	}
}

// unit is an account and region, which CloudTrail delivers for separately. Empty texts stand for all.
type unit struct{ account, region string }

// judge judges one period.
type judge struct {
	ledger
	period report.Period
	newest time.Time // delivery in all the lake
	end    time.Time // of what is judged by account: the period's, or the newest delivery
	units  []*state  // by account and region
	lost   int64     // log files whose names do not tell account, region and time of delivery
	gaps   gaps
}

// state is what is known of a unit.
type state struct {
	unit
	digested       bool // judged by digests
	objects        int64
	records        int64
	first, last    time.Time // in the period
	oldest, newest time.Time // deliveries of log files in all the lake
	digests        int64     // that overlap the period
	named          int64     // log files that these name
	unread         []span    // what digests that could not be read should have covered
}

// logFiles is the condition that a row of the ledger is about a log file; one whose bytes changed has two rows.
const logFiles = `coalesce(kind, '') <> 'CloudTrail-Digest' AND state <> 'digest'`

func (j *judge) run(ctx context.Context) error {
	if err := j.survey(ctx); err != nil {
		return err
	}
	from, to := j.period.From, j.period.To
	delivered, byDeliveries, byDigests := false, false, false
	for _, s := range j.units {
		delivered = delivered || s.objects > 0 || s.digests > 0
		byDeliveries, byDigests = byDeliveries || !s.digested, byDigests || s.digested
	}
	if !delivered {
		g := gap{kind: nothing, from: from, to: to}
		if j.lost > 0 {
			g.said = fmt.Sprintf("; the names of %d objects do not tell account, region and time of delivery", j.lost)
		}
		j.gaps.add(g)
		return nil
	}
	if j.end = to; j.newest.Before(to) {
		j.end = j.newest
		j.gaps.add(gap{kind: beyond, from: j.end, to: to})
	}
	if err := j.unreadDigests(ctx); err != nil {
		return err
	}
	if byDigests {
		if err := j.digests(ctx); err != nil {
			return err
		}
	}
	if byDeliveries {
		if err := j.rhythms(ctx); err != nil {
			return err
		}
		if err := j.unreadFiles(ctx); err != nil {
			return err
		}
	}
	return nil
}

// survey lists the units and counts what was delivered.
func (j *judge) survey(ctx context.Context) error {
	inside := fmt.Sprintf(`stamp >= %s AND stamp < %s AND state <> '%s'`, literal(j.period.From), literal(j.period.To), catalog.StateAltered)
	err := j.each(ctx, `SELECT account, region, count_if(`+inside+`), sum(records) FILTER (WHERE `+inside+`),
	min(stamp) FILTER (WHERE `+inside+`), max(stamp) FILTER (WHERE `+inside+`), min(stamp), max(stamp), count(*)
FROM `+catalog.Files+` WHERE `+logFiles+` GROUP BY account, region ORDER BY account, region`, func(r row) error {
		s := &state{unit: unit{clone(r, 0), clone(r, 1)}, objects: r.number(2), records: r.number(3),
			first: r.time(4), last: r.time(5), oldest: r.time(6), newest: r.time(7)}
		j.newest = latest(j.newest, s.newest)
		switch {
		case s.account == "" || s.region == "" || s.oldest.IsZero():
			j.lost += r.number(8)
		case s.oldest.Before(j.period.To):
			j.units = append(j.units, s)
		}
		return nil
	})
	if err != nil {
		return err
	}
	known := len(j.units)
	overlaps := fmt.Sprintf(`start_time < %s AND end_time > %s`, literal(j.period.To), literal(j.period.From))
	err = j.each(ctx, `SELECT account, region, count_if(NOT backfill AND start_time < `+literal(j.period.To)+`), count_if(`+overlaps+`), sum(cardinality(logs)) FILTER (WHERE `+overlaps+`), min(start_time), max(end_time)
FROM `+catalog.Digests+` GROUP BY account, region`, func(r row) error {
		j.newest = latest(j.newest, r.time(6))
		u := unit{clone(r, 0), clone(r, 1)}
		if u.account == "" || u.region == "" || !r.time(5).Before(j.period.To) {
			return nil
		}
		s := find(j.units[:known], u)
		if s == nil {
			s = &state{unit: u}
			j.units = append(j.units, s)
		}
		s.digested, s.digests, s.named = r.number(2) > 0, r.number(3), r.number(4)
		return nil
	})
	slices.SortFunc(j.units, func(a, b *state) int { return a.compare(b.unit) })
	return err
}

func (u unit) compare(v unit) int {
	return cmp.Or(strings.Compare(u.account, v.account), strings.Compare(u.region, v.region))
}

// find returns a unit, nil if it is not judged.
func (j *judge) find(u unit) *state { return find(j.units, u) }

func find(units []*state, u unit) *state {
	i, ok := slices.BinarySearchFunc(units, u, func(s *state, u unit) int { return s.compare(u) })
	if !ok {
		return nil
	}
	return units[i]
}

// coverage tells what was found.
func (j *judge) coverage() report.Coverage {
	c := report.Coverage{Accounts: []report.Account{}, Gaps: []report.Gap{}}
	digests := 0
	for _, s := range j.units {
		a := report.Account{Account: s.account, Region: s.region, Basis: "deliveries", Objects: s.objects, Records: s.records,
			First: s.first, Last: s.last, Gaps: j.gaps.units[s.unit] + j.gaps.units[unit{account: s.account}]}
		if s.digested {
			a.Basis = "digests"
			digests++
		}
		c.Accounts = append(c.Accounts, a)
		c.Objects += s.objects
		c.Records += s.records
	}
	if gaps, more := j.gaps.report(); len(gaps) > 0 {
		c.Gaps, c.MoreGaps = gaps, more
	}
	c.Complete = len(c.Gaps) == 0
	c.Basis = basis(len(c.Accounts), digests)
	return c
}

const (
	byDigests    = "CloudTrail's digest files cover the period, and each log file that they name must be in the lake and read in full (signatures are not checked)"
	byDeliveries = "there are no digest files, so only the rhythm of deliveries speaks: a silence much longer than usual is a gap, a single missing file does not show"
)

// basis says in a sentence how units were judged, by the time of delivery.
func basis(units, digests int) string {
	switch digests {
	case units:
		return "By time of delivery, in all accounts and regions: " + byDigests + "."
	case 0:
		return "By time of delivery, in all accounts and regions: " + byDeliveries + "."
	}
	return fmt.Sprintf("By time of delivery. In %d of %d accounts and regions %s. In the others %s.", digests, units, byDigests, byDeliveries)
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
