// Package verify says what a lake can prove: whether it holds all of a period. It asks the lake's ledger in SQL, reads no
// trail object again and checks no signature.
package verify

import (
	"context"
	"fmt"
	"time"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/report"
	"github.com/trailql/trailql/engine/source"
)

// Coverage returns the judge of a period by the ledger that e answers for. Time is time of delivery, as in the names of objects and in
// digests. Each account and region that the ledger has seen before the end of the period is judged by itself.
//
// Where there are digest files, CloudTrail's own hourly lists of what it delivered: together they must cover the period, and each
// log file that they name must be in the lake and have been read in full. Log files that none names are no gap. Where there are
// none, deliveries alone must speak: a silence is a gap if it is much longer than the silences that are usual there (see limitOf), and so
// is an object that could not be read in full.
//
// Where nothing was delivered in the whole period, in no account, or nothing after some moment of it, that is one gap for all.
func Coverage(e *engine.Engine) report.Covered {
	return func(ctx context.Context, snap source.Snapshot, p report.Period) (report.Coverage, error) {
		j := &judge{ledger: ledger{e, snap}, period: p}
		if err := j.run(ctx); err != nil {
			return report.Coverage{}, fmt.Errorf("judging the coverage of the period: %w", err)
		}
		return j.coverage(), nil
	}
}

// unit is an account and region, which CloudTrail delivers for separately. Empty texts stand for all.
type unit struct{ account, region string }

// key orders units, as SQL does by the same expression.
func (u unit) key() string { return u.account + "/" + u.region }

// judge judges one period.
type judge struct {
	ledger
	period report.Period
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
	named          int64     // log files named by the digests of the period
}

// theUnit is the unit of an object in SQL.
const theUnit = `coalesce(account, '') || '/' || coalesce(region, '')`

// logFiles is the condition that a row of the ledger is about a log file; one whose bytes changed has two rows.
const logFiles = `coalesce(kind, '') <> 'CloudTrail-Digest' AND state <> 'digest'`

func (j *judge) run(ctx context.Context) error {
	if err := j.survey(ctx); err != nil {
		return err
	}
	from, to := j.period.From, j.period.To
	var newest time.Time
	delivered, byDeliveries := false, false
	for _, s := range j.units {
		newest = latest(newest, s.newest)
		delivered = delivered || s.objects > 0 || s.digested && s.newest.After(from)
	}
	if !delivered {
		g := gap{kind: nothing, from: from, to: to}
		if j.lost > 0 {
			g.said = fmt.Sprintf("; the names of %d objects do not tell account, region and time of delivery", j.lost)
		}
		j.gaps.add(g)
		return nil
	}
	if j.end = to; newest.Before(to) {
		j.end = newest
		j.gaps.add(gap{kind: beyond, from: newest, to: to})
	}
	for _, s := range j.units {
		byDeliveries = byDeliveries || !s.digested
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
	return j.each(ctx, `SELECT account, region, count_if(`+inside+`), sum(records) FILTER (WHERE `+inside+`),
	min(stamp) FILTER (WHERE `+inside+`), max(stamp) FILTER (WHERE `+inside+`), min(stamp), max(stamp), count(*)
FROM `+catalog.Files+` WHERE `+logFiles+` GROUP BY account, region ORDER BY account, region`, func(r row) error {
		s := &state{unit: unit{clone(r, 0), clone(r, 1)}, objects: r.number(2), records: r.number(3),
			first: r.time(4), last: r.time(5), oldest: r.time(6), newest: r.time(7)}
		switch {
		case s.account == "" || s.region == "" || s.oldest.IsZero():
			j.lost += r.number(8)
		case s.oldest.Before(j.period.To):
			j.units = append(j.units, s)
		}
		return nil
	})
}

// coverage tells what was found.
func (j *judge) coverage() report.Coverage {
	c := report.Coverage{Accounts: []report.Account{}, Gaps: []report.Gap{}}
	digests := 0
	for _, s := range j.units {
		a := report.Account{Account: s.account, Region: s.region, Basis: "deliveries", Objects: s.objects, Records: s.records,
			First: s.first, Last: s.last, Gaps: j.gaps.units[s.unit]}
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
