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
		var g gaps
		j := &judge{ledger: ledger{e, opt}, period: p, add: g.add}
		err := j.run(ctx)
		c := report.Coverage{}
		if err == nil {
			c = j.coverage(&g)
			c.Verification, err = j.verification(ctx)
		}
		if err != nil {
			return report.Coverage{}, fmt.Errorf("judging the coverage of the period: %w", err)
		}
		c.Basis = j.basis(c.Verification)
		return c, nil
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
	narrow string    // a condition more on rows, " AND …", that holds for all units
	add    func(gap) // takes what is found; gaps of one unit and kind come in the order of their starts

	// These, where they are not nil, are told of the spans of a unit's digests and of the files that digests name.
	spans func(*state, []span)
	files func([]namedFile)
}

// state is what is known of a unit.
type state struct {
	unit
	turn           time.Time // deliveries speak up to then, digests from then on
	few            bool      // it has so few deliveries that it is judged together with its account
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
		byDeliveries, byDigests = byDeliveries || !s.digested(from), byDigests || s.digested(from)
	}
	if !delivered {
		g := gap{kind: nothing, from: from, to: to}
		if j.lost > 0 {
			g.said = fmt.Sprintf("; the names of %d objects do not tell account, region and time of delivery", j.lost)
		}
		j.add(g)
		return nil
	}
	if j.end = to; j.newest.Before(to) {
		j.end = j.newest
		j.add(gap{kind: beyond, from: j.end, to: to})
	}
	for _, s := range j.units {
		s.turn = earliest(s.turn, j.end)
	}
	if err := j.unreadDigests(ctx); err != nil {
		return err
	}
	if err := j.refuted(ctx); err != nil {
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
			s.turn = j.period.To
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
			s = &state{unit: u, turn: j.period.To}
			j.units = append(j.units, s)
		}
		s.digests, s.named = r.number(3), r.number(4)
		if r.number(2) > 0 {
			s.turn = j.period.From
		}
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

// digested reports whether digests speak at some time.
func (s *state) digested(at time.Time) bool { return !s.turn.After(at) }

// coverage tells what was found.
func (j *judge) coverage(found *gaps) report.Coverage {
	c := report.Coverage{Accounts: []report.Account{}, Gaps: []report.Gap{}}
	for _, s := range j.units {
		a := report.Account{Account: s.account, Region: s.region, Basis: "deliveries", Objects: s.objects, Records: s.records,
			First: s.first, Last: s.last, Gaps: found.units[s.unit] + found.units[unit{account: s.account}]}
		if s.digested(j.period.From) {
			a.Basis = "digests"
		}
		c.Accounts = append(c.Accounts, a)
		c.Objects += s.objects
		c.Records += s.records
	}
	if gaps, more := found.report(); len(gaps) > 0 {
		c.Gaps, c.MoreGaps = gaps, more
	}
	c.Complete = len(c.Gaps) == 0
	return c
}

const (
	byDigests    = "CloudTrail's digest files cover the period, and each log file that they name must be in the lake and read in full (%s)"
	byDeliveries = "there are no digest files, so only the rhythm of deliveries speaks: a silence much longer than usual is a gap, a single missing file does not show"
)

// basis says in a sentence how the units of a period were judged, by the time of delivery.
func (j *judge) basis(v report.Verification) string {
	units, digested := len(j.units), 0
	for _, s := range j.units {
		if s.digested(j.period.From) {
			digested++
		}
	}
	signatures := "signatures are not checked"
	switch {
	case v.DigestsVerified > 0 && v.DigestsVerified == v.Digests:
		signatures = "the signatures of all of them are checked"
	case v.DigestsVerified > 0:
		signatures = fmt.Sprintf("the signatures of %d of %d are checked", v.DigestsVerified, v.Digests)
	}
	byDigests := fmt.Sprintf(byDigests, signatures)
	switch digested {
	case units:
		return "By time of delivery, in all accounts and regions: " + byDigests + "."
	case 0:
		return "By time of delivery, in all accounts and regions: " + byDeliveries + "."
	}
	return fmt.Sprintf("By time of delivery. In %d of %d accounts and regions %s. In the others %s.", digested, units, byDigests, byDeliveries)
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
