package verify

import (
	"cmp"
	"context"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/cloudtrail"
	"github.com/trailql/trailql/engine/vec"
)

// span is a stretch of time.
type span struct{ from, to time.Time }

// namedTogether bounds the log files named by digests that are looked up in the ledger at a time: about 200 bytes each.
const namedTogether = 250_000

// byDigests reports whether digests speak at some time of what is judged.
func (j *judge) byDigests(s *state) bool { return s.turn.Before(j.end) }

// digests judges the units that have digests, several at a time.
func (j *judge) digests(ctx context.Context) error {
	var units []*state
	var named int64
	for _, s := range j.units {
		if !j.byDigests(s) {
			continue
		}
		if len(units) > 0 && named+s.named > namedTogether {
			if err := j.digestsOf(ctx, units); err != nil {
				return err
			}
			units, named = units[:0], 0
		}
		units = append(units, s)
		named += s.named
	}
	if len(units) == 0 {
		return nil
	}
	return j.digestsOf(ctx, units)
}

// digestsOf judges units that follow each other in order.
func (j *judge) digestsOf(ctx context.Context, units []*state) error {
	if err := j.uncovered(ctx, units); err != nil {
		return err
	}
	files, err := j.namedFiles(ctx, units)
	if err != nil || len(files) == 0 {
		return err
	}
	if j.files != nil {
		j.files(files)
	}
	// A log file is delivered in the span of its digest. One that stands elsewhere is looked for at leisure.
	const nearby = 2 * time.Hour
	near := ` AND stamp >= ` + literal(j.period.From.Add(-nearby)) + ` AND stamp < ` + literal(j.end.Add(nearby))
	for _, where := range []string{near, ""} {
		if err := j.lookUp(ctx, among(units)+where, files); err != nil {
			return err
		}
		if !slices.ContainsFunc(files, func(f namedFile) bool { return f.found == absent }) {
			break
		}
	}
	for _, f := range files {
		if f.found == whole {
			continue
		}
		g := gap{unit: f.of.unit, from: latest(f.from, j.period.From), to: earliest(f.to, j.end), n: 1, names: []string{f.name}, named: true, hour: f.hour()}
		switch f.found {
		case absent:
			g.kind = missing
		case partly:
			g.kind = unread
		case changed:
			g.kind = altered
		}
		j.add(g)
	}
	return nil
}

// among is the condition that a row belongs to one of the units, or to one between them.
func among(units []*state) string {
	first, last := units[0], units[len(units)-1]
	where := `account BETWEEN ` + quote(first.account) + ` AND ` + quote(last.account)
	if first.account == last.account {
		where += ` AND region BETWEEN ` + quote(first.region) + ` AND ` + quote(last.region)
	}
	return where
}

// ofPeriod is the condition that a digest's span overlaps what is judged.
func (j *judge) ofPeriod() string {
	return `end_time > ` + literal(j.period.From) + ` AND start_time < ` + literal(j.end)
}

// uncovered adds the times that no digest covers. Backfill digests name files that others left out: they cover nothing themselves.
func (j *judge) uncovered(ctx context.Context, units []*state) error {
	spans := map[unit][]span{}
	err := j.each(ctx, `SELECT account, region, start_time, end_time FROM `+catalog.Digests+`
WHERE NOT backfill AND `+among(units)+` AND `+j.ofPeriod(), func(r row) error {
		// Units between those at hand are not judged here.
		if s := j.find(unit{r.text(0), r.text(1)}); s != nil && j.byDigests(s) {
			spans[s.unit] = append(spans[s.unit], span{r.time(2), r.time(3)})
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, s := range units {
		if j.spans != nil {
			j.spans(s, spans[s.unit])
		}
		// What an unreadable digest should have covered is a gap already.
		for _, hole := range holes(append(spans[s.unit], s.unread...), span{latest(j.period.From, s.turn), j.end}) {
			j.add(gap{unit: s.unit, kind: uncovered, from: hole.from, to: hole.to})
		}
	}
	return nil
}

// holes are the parts of whole that none of the spans covers, in order.
func holes(spans []span, whole span) (out []span) {
	slices.SortFunc(spans, func(a, b span) int { return a.from.Compare(b.from) })
	at := whole.from
	for _, s := range append(spans, span{whole.to, whole.to}) {
		if to := earliest(s.from, whole.to); at.Before(to) {
			out = append(out, span{at, to})
		}
		at = latest(at, s.to)
	}
	return out
}

// namedFile is a log file that a digest names.
type namedFile struct {
	of *state
	span
	name  string // the last part of its key, which is unique
	found found
}

// hour is the hour of delivery that its name tells, if something of it lies in the span of the digest; else the hour in which that begins.
func (f namedFile) hour() time.Time {
	if hour := f.from.Truncate(time.Hour); !f.to.After(hour.Add(time.Hour)) {
		return hour // the usual case
	}
	hour := cloudtrail.ParseName(f.name).Stamp.Truncate(time.Hour)
	if !hour.Before(f.to) || !f.from.Before(hour.Add(time.Hour)) {
		hour = f.from.Truncate(time.Hour)
	}
	return hour
}

// found says how the lake has a log file. Of several rows the greatest counts: a whole copy makes up for a damaged one, but where
// bytes changed it is unknown which of them CloudTrail wrote.
type found uint8

const (
	absent found = iota
	partly
	whole
	changed
)

// namedFiles lists the log files that the units' digests of the period name, by unit and span.
func (j *judge) namedFiles(ctx context.Context, units []*state) ([]namedFile, error) {
	var n int64
	for _, s := range units {
		n += s.named
	}
	files := make([]namedFile, 0, n)
	var at *state
	err := j.batches(ctx, `SELECT account, region, start_time, end_time, logs FROM `+catalog.Digests+`
WHERE `+among(units)+` AND `+j.ofPeriod(), func(b vec.Batch) error {
		logs := b.Cols[4].(*array.List) // not by UNNEST, which would copy each list for each of its elements
		objects := vec.Plain(logs.ListValues().(*array.Struct).Field(0)).(*array.String)
		for i := range b.Len {
			r := row{b, i}
			if account, region := r.text(0), r.text(1); at == nil || at.account != account || at.region != region {
				at = j.find(unit{account, region})
			}
			if at == nil || !j.byDigests(at) || logs.IsNull(i) {
				continue
			}
			from, to := logs.ValueOffsets(i)
			for k := from; k < to; k++ {
				files = append(files, namedFile{of: at, span: span{r.time(2), r.time(3)}, name: strings.Clone(path.Base(objects.Value(int(k))))})
			}
		}
		return nil
	})
	slices.SortFunc(files, func(a, b namedFile) int {
		return cmp.Or(a.of.compare(b.of.unit), a.from.Compare(b.from), a.to.Compare(b.to), strings.Compare(a.name, b.name))
	})
	// A digest may stand in the lake twice.
	files = slices.CompactFunc(files, func(a, b namedFile) bool { return a.of == b.of && a.span == b.span && a.name == b.name })
	return files, err
}

// lookUp notes how the ledger has the files, by the rows for which where is true.
func (j *judge) lookUp(ctx context.Context, where string, files []namedFile) error {
	byName := make(map[string]*namedFile, len(files))
	for i := range files {
		byName[files[i].name] = &files[i]
	}
	err := j.each(ctx, `SELECT path, state FROM `+catalog.Files+` WHERE `+logFiles+` AND `+where, func(r row) error {
		f := byName[path.Base(r.text(0))]
		if f == nil {
			return nil
		}
		how := partly
		switch r.text(1) {
		case catalog.StateOK:
			how = whole
		case catalog.StateAltered:
			how = changed
		}
		f.found = max(f.found, how)
		return nil
	})
	for i := range files { // two digests may name the same file
		files[i].found = byName[files[i].name].found
	}
	return err
}

// unreadDigests adds the digests that could not be read, each with the hour before the time in its name, and notes these.
func (j *judge) unreadDigests(ctx context.Context) error {
	return j.each(ctx, `SELECT account, region, stamp, state, count(*), min(path), max(path)
FROM `+catalog.Files+` WHERE kind = 'CloudTrail-Digest' AND state IN ('`+catalog.StateQuarantined+`', '`+catalog.StateAltered+`')
	AND stamp > `+literal(j.period.From)+` AND stamp < `+literal(j.end.Add(time.Hour))+j.narrow+`
GROUP BY account, region, stamp, state ORDER BY account, region, stamp, state`, func(r row) error {
		s := j.find(unit{r.text(0), r.text(1)})
		if s == nil {
			return nil
		}
		hour := span{r.time(2).Add(-time.Hour), r.time(2)}
		g := gap{unit: s.unit, kind: unread, from: latest(hour.from, j.period.From), to: earliest(hour.to, j.end), digest: true, n: r.number(4), names: twoNames(r, 5)}
		if r.text(3) == catalog.StateAltered {
			g.kind = altered
		}
		s.unread = append(s.unread, hour)
		j.add(g)
		return nil
	})
}

// twoNames are the last parts of the paths in two columns, once if they are the same.
func twoNames(r row, column int) []string {
	first, second := strings.Clone(path.Base(r.text(column))), strings.Clone(path.Base(r.text(column+1)))
	if first == second {
		return []string{first}
	}
	return []string{first, second}
}
