package verify

import (
	"context"
	"path"
	"strings"
	"time"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/engine/report"
)

// counting is a query for the verdicts that count, each path's newest, among the rows of trail_verdicts for which where is true; where
// may speak of what does not change with the verdict only: path, kind, account, region, stamp.
func counting(where string) string {
	return `SELECT path, kind, account, region, stamp, max_by(verdict, ROW(checked, "commit")) AS verdict, max_by(reason, ROW(checked, "commit")) AS reason, max(checked) AS checked
FROM ` + catalog.Verdicts + ` WHERE ` + where + ` GROUP BY path, kind, account, region, stamp`
}

// countingAmong is counting for the paths that ever had one of some verdicts, which are few.
func countingAmong(verdicts, where string) string {
	return `SELECT * FROM (` + counting(where+` AND path IN (SELECT path FROM `+catalog.Verdicts+` WHERE verdict IN (`+verdicts+`) AND `+where+`)`) +
		`) WHERE verdict IN (` + verdicts + `)`
}

// refuted adds the log files that are not what their digests say, and the digests that are not valid, each with the hour before the time
// in its name.
func (j *judge) refuted(ctx context.Context) error {
	where := `stamp >= ` + literal(j.period.From) + ` AND stamp < ` + literal(j.period.To.Add(time.Hour)) + j.narrow
	return j.each(ctx, countingAmong(`'altered', 'invalid'`, where)+` ORDER BY account, region, stamp, path`, func(r row) error {
		g := gap{unit: unit{clone(r, 2), clone(r, 3)}, kind: refuted, from: r.time(4), to: r.time(4).Add(time.Minute), n: 1, names: []string{path.Base(clone(r, 0))}}
		s := j.find(g.unit)
		if s == nil {
			return nil
		}
		if r.text(1) == "digest" {
			g.kind, g.digest, g.from, g.to = invalid, true, g.from.Add(-time.Hour), g.from
			s.unread = append(s.unread, span{g.from, g.to})
		}
		g.from, g.to = latest(g.from, j.period.From), earliest(g.to, j.period.To)
		j.add(g)
		return nil
	})
}

// mostNamed is the number of objects that a report names.
const mostNamed = 1000

// verification tells what the verdicts say of the objects that were delivered in the period.
func (j *judge) verification(ctx context.Context) (v report.Verification, err error) {
	v.Objects = []report.Object{}
	for _, s := range j.units {
		v.Digests += s.digests
	}
	inside := func(column string) string {
		return column + ` >= ` + literal(j.period.From) + ` AND ` + column + ` < ` + literal(j.period.To)
	}
	err = j.each(ctx, `SELECT coalesce(v.verdict, 'unverified'), count(*), sum(f."rows"), max(v.checked)
FROM `+catalog.Files+` f LEFT JOIN (`+counting(`kind = 'log' AND `+inside("stamp"))+`) v ON v.path = f.path
WHERE coalesce(f.kind, '') <> 'CloudTrail-Digest' AND f.state NOT IN ('digest', 'altered') AND `+inside("f.stamp")+`
GROUP BY 1`, func(r row) error {
		n, rows := r.number(1), r.number(2)
		v.Rows += rows
		v.Checked = latest(v.Checked, r.time(3))
		switch r.text(0) {
		case "verified":
			v.Verified, v.VerifiedRows = n, rows
		case "unverified":
			v.Unverified += n
		}
		return nil
	})
	if err != nil {
		return v, err
	}
	// The stamp of a digest is the end of the time that it tells of.
	ofDigests := `kind = 'digest' AND stamp > ` + literal(j.period.From) + ` AND stamp < ` + literal(j.period.To.Add(time.Hour))
	err = j.each(ctx, `SELECT count(*) FROM (`+counting(ofDigests)+`) WHERE verdict = 'verified'`, func(r row) error {
		v.DigestsVerified = r.number(0)
		return nil
	})
	if err != nil {
		return v, err
	}
	return v, j.each(ctx, countingAmong(`'missing', 'altered', 'extra', 'invalid'`, `(kind = 'log' AND `+inside("stamp")+` OR `+ofDigests+`)`)+
		` ORDER BY account, region, stamp, path`, func(r row) error {
		verdict := clone(r, 5)
		switch kind := r.text(1); {
		case kind == "digest" && verdict == "invalid":
			v.DigestsInvalid++
		case kind == "digest":
			v.DigestsMissing++
		case verdict == "missing":
			v.Missing++
		case verdict == "altered":
			v.Altered++
		case verdict == "extra":
			v.Extra++
		}
		if len(v.Objects) == mostNamed {
			v.MoreObjects++
			return nil
		}
		v.Objects = append(v.Objects, report.Object{Path: strings.Clone(r.text(0)), Kind: clone(r, 1), Verdict: verdict, Reason: clone(r, 6)})
		return nil
	})
}
