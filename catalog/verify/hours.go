package verify

import (
	"cmp"
	"context"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/report"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// HoursName is the name of the table of Hours.
const HoursName = "trail_coverage"

// hourColumns are those of trail_coverage, in the order in which hoursReader fills them.
var hourColumns = []source.Column{
	{Name: "account", Type: sqltype.VarcharType, Comment: "from the names of objects; NULL where these do not tell"},
	{Name: "region", Type: sqltype.VarcharType, Comment: "from the names of objects"},
	{Name: "hour", Type: sqltype.TimestampType, Comment: "the hour of delivery, UTC"},
	{Name: "objects", Type: sqltype.BigIntType, Comment: "log files that were delivered, digests not among them"},
	{Name: "records", Type: sqltype.BigIntType, Comment: "in them = rows + duplicates + quarantined"},
	{Name: "rows", Type: sqltype.BigIntType, Comment: "records that became rows"},
	{Name: "duplicates", Type: sqltype.BigIntType, Comment: "exact copies of rows, dropped"},
	{Name: "quarantined", Type: sqltype.BigIntType, Comment: "records that could not be read"},
	{Name: "bytes", Type: sqltype.BigIntType, Comment: "of the objects as stored"},
	{Name: "verified", Type: sqltype.BigIntType, Comment: "objects whose hash is the one in a digest that is verified"},
	{Name: "unverified", Type: sqltype.BigIntType, Comment: "objects of which no verdict, or none but this one, is known"},
	{Name: "missing", Type: sqltype.BigIntType, Comment: "objects that digests name and that verification did not find in the archive"},
	{Name: "altered", Type: sqltype.BigIntType, Comment: "objects that are not what their digests say"},
	{Name: "extra", Type: sqltype.BigIntType, Comment: "objects that no digest names though digests cover their time"},
	{Name: "digests", Type: sqltype.BigIntType, Comment: "digests that cover some of the hour"},
	{Name: "covered", Type: sqltype.BooleanType, Comment: "digests cover all of the hour"},
	{Name: "named", Type: sqltype.BigIntType, Comment: "log files that digests name"},
	{Name: "missing_files", Type: sqltype.BigIntType, Comment: "of those, the ones that the lake does not have"},
	{Name: "gap", Type: sqltype.VarcharType, Comment: "digest: digests name what is not in the lake; altered: files are not what was delivered; unread: files could not be read in full; chain: no valid digest covers the hour; silence: nothing came for much longer than usual; NULL: none"},
	{Name: "reason", Type: sqltype.VarcharType, Comment: "of the gap, in a sentence"},
	{Name: "first_event", Type: sqltype.TimestampType, Comment: "earliest event time in the objects, UTC"},
	{Name: "last_event", Type: sqltype.TimestampType, Comment: "latest event time in the objects, UTC"},
}

// Tables are the tables that a lake has beside those that it stores, for catalog.Options: trail_coverage.
func Tables() map[string]func(source.Snapshot) source.Table {
	return map[string]func(source.Snapshot) source.Table{HoursName: Hours}
}

// Hours is trail_coverage, the judgement of Coverage hour by hour: a row for each account, region and hour of delivery, from the first delivery or digest of the account and region to the newest
// delivery of all the lake, whether something was delivered in it or not. An hour has a gap if Coverage finds one in it; before the first digest of an account and region, deliveries speak.
// Since the last digests of a lake are not there yet, time after the newest of them is not judged by digests until it is a day old.
//
// Rows are made as they are read, a bounded number at a time, from the ledger's rows of the accounts and hours that the conjuncts leave. Their values do not depend on what else is asked.
func Hours(snap source.Snapshot) source.Table { return &hoursTable{snap} }

type hoursTable struct{ snap source.Snapshot }

func (t *hoursTable) Name() string             { return HoursName }
func (t *hoursTable) Columns() []source.Column { return hourColumns }
func (t *hoursTable) Comment() string {
	return "what was delivered by account, region and hour of delivery, what of it is verified, and the gaps; hours without objects are rows, too"
}

// Scan finds out which accounts and hours are asked for. All rows are one morsel: the queries that make them use all workers.
func (t *hoursTable) Scan(_ context.Context, req source.Request) (source.Scan, error) {
	s := &hoursScan{table: t, req: req, asked: narrowed(req)}
	s.report.RowGroups.Store(1)
	return s, nil
}

type hoursScan struct {
	table  *hoursTable
	req    source.Request
	asked  asked
	report source.Report
}

func (s *hoursScan) Applied() []bool             { return make([]bool, len(s.req.Conjuncts)) }
func (s *hoursScan) Morsels() int                { return 1 }
func (s *hoursScan) Prune(context.Context) error { return nil }
func (s *hoursScan) Report() *source.Report      { return &s.report }

func (s *hoursScan) Open(ctx context.Context, _ int) (source.Reader, error) {
	// The scan is a part of a query that has its own budget; what is asked here at a time is small, see hoursAtOnce, and what is not spills.
	const most = 256 << 20
	ctx = context.WithValue(ctx, figures{}, func(stats engine.Stats) {
		s.report.RowsRead.Add(stats.RowsRead)
		s.report.BytesRead.Add(stats.BytesRead)
	})
	r := &hoursReader{ctx: ctx, scan: s, ledger: ledger{engine.New(nil), engine.Options{
		Snapshot: s.table.snap, Memory: most, Scratch: engine.NewScratch(os.TempDir())}}}
	for _, p := range s.req.Paths {
		switch name := hourColumns[p.Column].Name; name {
		case "verified", "unverified", "missing", "altered", "extra":
			r.verdicts = true
		case "digests", "covered", "named":
			r.digests = true
		case "missing_files", "gap", "reason":
			r.digests, r.gaps = true, true
		}
	}
	return r, nil
}

// hoursAtOnce bounds the rows that are made at a time, each of which may stand for a dozen objects.
const hoursAtOnce = 32 << 10

// hoursReader makes the rows: of a few accounts at a time, and of these some days at a time.
type hoursReader struct {
	ledger
	ctx                     context.Context
	scan                    *hoursScan
	verdicts, digests, gaps bool // columns that are wanted

	begun    bool
	units    []*state  // still to come, whole accounts
	from, to time.Time // the hours asked for
	newest   time.Time // delivery in all the lake
	due      time.Time // up to then digests must be there
	group    *hourGroup
	out      []vec.Batch
}

// hourGroup is the accounts at hand.
type hourGroup struct {
	units    []*state // of the accounts
	wanted   []*state // of these, those asked for
	silences []gap
	at       time.Time // up to there rows are made
	step     time.Duration
}

func (r *hoursReader) Close() error { return nil }

func (r *hoursReader) Next() (vec.Batch, error) {
	for {
		if len(r.out) > 0 {
			b := r.out[0]
			r.out = r.out[1:]
			return b, nil
		}
		var err error
		switch {
		case !r.begun:
			r.begun = true
			err = r.survey()
		case r.group != nil && r.group.at.Before(r.to):
			err = r.slice()
		case len(r.units) > 0:
			err = r.nextGroup()
		default:
			return vec.Batch{}, io.EOF
		}
		if err != nil {
			return vec.Batch{}, err
		}
	}
}

// survey lists the units of the accounts asked for, and makes the rows of objects whose names do not tell where and when they were delivered.
func (r *hoursReader) survey() error {
	a := r.scan.asked
	narrow := a.narrow()
	// By statistics the newest rows are found without reading the others.
	newest := func(column, table, where string) (at time.Time, err error) {
		err = r.each(r.ctx, `SELECT `+column+` FROM `+table+` WHERE `+where+` ORDER BY `+column+` DESC NULLS LAST LIMIT 1`, func(row row) error { at = row.time(0); return nil })
		return at, err
	}
	log, err := newest("stamp", catalog.Files, logFiles)
	if err != nil {
		return err
	}
	digest, err := newest("end_time", catalog.Digests, "NOT backfill")
	if err != nil {
		return err
	}
	r.newest = latest(log, digest)
	r.due = latest(digest, r.newest.Add(-24*time.Hour))
	if err := r.nameless(narrow); err != nil || r.newest.IsZero() {
		return err
	}
	err = r.each(r.ctx, `SELECT account, region, min(stamp), max(stamp) FROM `+catalog.Files+`
WHERE `+logFiles+narrow+` AND account IS NOT NULL AND region IS NOT NULL AND stamp IS NOT NULL GROUP BY account, region ORDER BY account, region`, func(row row) error {
		r.units = append(r.units, &state{unit: unit{clone(row, 0), clone(row, 1)}, turn: r.newest, oldest: row.time(2), newest: row.time(3)})
		return nil
	})
	if err != nil {
		return err
	}
	known := len(r.units)
	err = r.each(r.ctx, `SELECT account, region, min(start_time), min(start_time) FILTER (WHERE NOT backfill) FROM `+catalog.Digests+`
WHERE account IS NOT NULL AND region IS NOT NULL AND start_time IS NOT NULL`+narrow+` GROUP BY account, region`, func(row row) error {
		u := unit{clone(row, 0), clone(row, 1)}
		s := find(r.units[:known], u)
		if s == nil {
			s = &state{unit: u, turn: r.newest, oldest: row.time(2), newest: row.time(2)}
			r.units = append(r.units, s)
		}
		s.oldest = earliest(s.oldest, row.time(2))
		if first := row.time(3); !first.IsZero() {
			s.turn = earliest(s.turn, first)
		}
		return nil
	})
	slices.SortFunc(r.units, func(a, b *state) int { return a.compare(b.unit) })
	last := log.Truncate(time.Hour)
	if digest := digest.Add(-time.Microsecond).Truncate(time.Hour); digest.After(last) {
		last = digest
	}
	r.from, r.to = a.from, earliest(a.to, last.Add(time.Hour))
	return err
}

// nextGroup takes the next accounts.
func (r *hoursReader) nextGroup() error {
	g := &hourGroup{}
	r.group = g
	var hours int64
	for len(r.units) > 0 {
		n, of := 0, int64(0)
		first := r.units[0].account
		for ; n < len(r.units) && r.units[n].account == first; n++ {
			s := r.units[n]
			if from := latest(s.oldest.Truncate(time.Hour), r.from); from.Before(r.to) && r.scan.asked.unit(s.unit, from, r.to.Add(-time.Hour)) {
				of += int64(r.to.Sub(from) / time.Hour)
			}
		}
		if len(g.wanted) > 0 && hours+of > hoursAtOnce {
			break
		}
		hours += of
		for _, s := range r.units[:n] {
			from := latest(s.oldest.Truncate(time.Hour), r.from)
			if !from.Before(r.to) || !r.scan.asked.unit(s.unit, from, r.to.Add(-time.Hour)) {
				continue
			}
			g.wanted = append(g.wanted, s)
			if g.at.IsZero() || from.Before(g.at) {
				g.at = from
			}
		}
		if of > 0 {
			g.units = append(g.units, r.units[:n]...)
		}
		r.units = r.units[n:]
	}
	if len(g.wanted) == 0 {
		r.group = nil
		return nil
	}
	g.step = max(24, time.Duration(hoursAtOnce/len(g.wanted))) * time.Hour
	if !r.gaps {
		return nil
	}
	j := r.judge(g.at, r.newest, func(g2 gap) { g.silences = append(g.silences, g2) })
	return j.rhythms(r.ctx)
}

// judge judges a period of the group at hand.
func (r *hoursReader) judge(from, to time.Time, add func(gap)) *judge {
	return &judge{ledger: r.ledger, period: report.Period{From: from, To: to}, newest: r.newest, end: earliest(to, r.due), units: r.group.units, add: add,
		narrow: " AND " + among(r.group.units)}
}

// hourRow is what is known of a unit's hour.
type hourRow struct {
	counts             [6]int64 // objects, records, rows, duplicates, quarantined, bytes
	verdicts           [4]int64 // verified, missing, altered, extra
	digests, named     int64
	missing            int64
	covered            bool
	gaps               []gap
	firstEvent, lastOf int64 // microseconds; 0: none
}

// hourSlice is the rows of some hours of the group at hand.
type hourSlice struct {
	from, to time.Time
	units    []*state
	rows     [][]hourRow // by unit and hour
}

// row finds the row of a unit and hour, nil if it is none of the slice.
func (s *hourSlice) row(u unit, hour time.Time) *hourRow {
	i, ok := slices.BinarySearchFunc(s.units, u, func(s *state, u unit) int { return s.compare(u) })
	if !ok || hour.Before(s.from) || !hour.Before(s.to) {
		return nil
	}
	return &s.rows[i][hour.Sub(s.from)/time.Hour]
}

// overlapping calls visit with the rows of a unit's hours that overlap a span.
func (s *hourSlice) overlapping(u unit, of span, visit func(*hourRow)) {
	for hour := latest(of.from.Truncate(time.Hour), s.from); hour.Before(of.to) && hour.Before(s.to); hour = hour.Add(time.Hour) {
		if row := s.row(u, hour); row != nil {
			visit(row)
		}
	}
}

// add notes a gap in the hours that it is about.
func (s *hourSlice) add(g gap) {
	note := func(u unit) {
		of := span{g.from, g.to}
		if !g.hour.IsZero() {
			of = span{g.hour, g.hour.Add(time.Hour)}
		}
		g := g
		g.unit = u
		s.overlapping(u, of, func(row *hourRow) {
			if g.kind == missing {
				row.missing += g.n
			}
			for i := range row.gaps {
				if row.gaps[i].merge(g) {
					return
				}
			}
			row.gaps = append(row.gaps, g)
			row.gaps[len(row.gaps)-1].names = slices.Clone(g.names)
		})
	}
	if g.region != "" {
		note(g.unit)
		return
	}
	for _, u := range s.units { // a silence of the account, by which its units with few deliveries are judged
		if u.account == g.account && u.few {
			note(u.unit)
		}
	}
}

// slice makes the rows of the next hours of the group.
func (r *hoursReader) slice() error {
	g := r.group
	s := &hourSlice{from: g.at, to: earliest(g.at.Add(g.step), r.to), units: g.wanted}
	g.at = s.to
	for range s.units {
		s.rows = append(s.rows, make([]hourRow, s.to.Sub(s.from)/time.Hour))
	}
	where := ` AND stamp >= ` + literal(s.from) + ` AND stamp < ` + literal(s.to) + ` AND ` + among(g.wanted)
	err := r.each(r.ctx, hourFigures+ofLogs+where+groupHours, func(row row) error {
		if h := s.row(unit{row.text(0), row.text(1)}, row.time(2)); h != nil {
			h.count(row)
		}
		return nil
	})
	if err == nil && r.verdicts {
		err = r.countVerdicts(s, where)
	}
	if err == nil && r.digests {
		err = r.judgeSlice(s)
	}
	if err == nil {
		r.emit(s)
	}
	return err
}

const (
	hourFigures = `SELECT account, region, date_trunc('hour', stamp), count(*), sum(records), sum("rows"), sum(duplicates), sum(quarantined), sum(size), min(first_time), max(last_time)`
	ofLogs      = ` FROM ` + catalog.Files + ` WHERE ` + logFiles + ` AND state <> '` + catalog.StateAltered + `'`
	groupHours  = ` GROUP BY account, region, date_trunc('hour', stamp)`
)

// count takes the figures of a row of hourFigures.
func (h *hourRow) count(r row) {
	for i := range h.counts {
		h.counts[i] = r.number(3 + i)
	}
	if at := r.time(9); !at.IsZero() {
		h.firstEvent = at.UnixMicro()
	}
	if at := r.time(10); !at.IsZero() {
		h.lastOf = at.UnixMicro()
	}
}

func (r *hoursReader) countVerdicts(s *hourSlice, where string) error {
	return r.each(r.ctx, `SELECT account, region, date_trunc('hour', stamp), count_if(verdict = 'verified'), count_if(verdict = 'missing'), count_if(verdict = 'altered'), count_if(verdict = 'extra')
FROM (`+counting(`kind = 'log'`+where)+`)`+groupHours, func(row row) error {
		if h := s.row(unit{row.text(0), row.text(1)}, row.time(2)); h != nil {
			for i := range h.verdicts {
				h.verdicts[i] = row.number(3 + i)
			}
		}
		return nil
	})
}

// judgeSlice notes what digests say of the hours of a slice, and the gaps.
func (r *hoursReader) judgeSlice(s *hourSlice) error {
	j := r.judge(s.from, s.to, s.add)
	j.units, j.narrow = s.units, " AND "+among(s.units)
	for _, u := range s.units {
		u.unread = nil
	}
	j.spans = func(u *state, spans []span) {
		for _, of := range spans {
			s.overlapping(u.unit, of, func(h *hourRow) { h.digests++; h.covered = true })
		}
		for _, hole := range holes(slices.Clone(spans), span{s.from, s.to}) {
			s.overlapping(u.unit, hole, func(h *hourRow) { h.covered = false })
		}
	}
	j.files = func(files []namedFile) {
		for _, f := range files {
			if h := s.row(f.of.unit, f.hour()); h != nil {
				h.named++
			}
		}
	}
	if r.gaps {
		for _, g := range r.group.silences {
			s.add(g)
		}
		for _, step := range []func(context.Context) error{j.unreadDigests, j.refuted, j.unreadFiles} {
			if err := step(r.ctx); err != nil {
				return err
			}
		}
	} else {
		j.add = func(gap) {}
	}
	return j.digests(r.ctx)
}

// nameless makes the rows of objects whose names do not tell account, region and time of delivery.
func (r *hoursReader) nameless(narrow string) error {
	out := newHourBatch()
	err := r.each(r.ctx, hourFigures+`, count_if(state = '`+catalog.StateQuarantined+`'), min(path) FILTER (WHERE state = '`+catalog.StateQuarantined+`'), max(path) FILTER (WHERE state = '`+catalog.StateQuarantined+`')`+
		ofLogs+narrow+` AND (account IS NULL OR region IS NULL OR stamp IS NULL)`+groupHours, func(row row) error {
		h := &hourRow{}
		h.count(row)
		if n := row.number(11); n > 0 {
			h.gaps = []gap{{kind: unread, n: n, names: twoNames(row, 12)}}
		}
		out.add(unit{row.text(0), row.text(1)}, row.time(2), h)
		return nil
	})
	r.take(out)
	return err
}

// emit hands over the rows of a slice.
func (r *hoursReader) emit(s *hourSlice) {
	out := newHourBatch()
	for i, u := range s.units {
		for k := range s.rows[i] {
			if hour := s.from.Add(time.Duration(k) * time.Hour); !hour.Before(u.oldest.Truncate(time.Hour)) {
				out.add(u.unit, hour, &s.rows[i][k])
			}
		}
	}
	r.take(out)
}

func (r *hoursReader) take(out *hourBatch) {
	b := out.batch()
	if b.Len == 0 {
		return
	}
	picked := vec.Batch{Len: b.Len}
	for _, p := range r.scan.req.Paths {
		picked.Cols = append(picked.Cols, b.Cols[p.Column])
	}
	for at, most := 0, cmp.Or(r.scan.req.BatchRows, 8<<10); at < b.Len; at += most {
		r.out = append(r.out, picked.Slice(at, min(at+most, b.Len)))
	}
}

// said are the gaps of an hour in one word and in words: the worst comes first.
func (h *hourRow) said() (word, reason string) {
	words := map[kind]string{missing: "digest", altered: "altered", refuted: "altered", unread: "unread", uncovered: "chain", invalid: "chain", silence: "silence"}
	rank := []string{"digest", "altered", "unread", "chain", "silence"}
	slices.SortStableFunc(h.gaps, func(a, b gap) int {
		return cmp.Compare(slices.Index(rank, words[a.kind]), slices.Index(rank, words[b.kind]))
	})
	var reasons []string
	for i := range h.gaps {
		reasons = append(reasons, h.gaps[i].reason())
	}
	return words[h.gaps[0].kind], strings.Join(reasons, "; ")
}

// hourBatch builds rows of trail_coverage.
type hourBatch struct {
	build []array.Builder
	n     int
}

func newHourBatch() *hourBatch {
	b := &hourBatch{}
	for _, c := range hourColumns {
		b.build = append(b.build, array.NewBuilder(memory.DefaultAllocator, c.Type.Arrow()))
	}
	return b
}

// add adds a row; empty texts and zero times are NULL.
func (b *hourBatch) add(u unit, hour time.Time, h *hourRow) {
	b.n++
	at := 0
	next := func() array.Builder { at++; return b.build[at-1] }
	text := func(s string) {
		if s == "" {
			next().AppendNull()
			return
		}
		next().(*array.StringBuilder).Append(s)
	}
	number := func(n int64) { next().(*array.Int64Builder).Append(n) }
	instant := func(micros int64, known bool) {
		if !known {
			next().AppendNull()
			return
		}
		next().(*array.TimestampBuilder).Append(arrow.Timestamp(micros))
	}
	text(u.account)
	text(u.region)
	instant(hour.UnixMicro(), !hour.IsZero())
	for _, n := range h.counts {
		number(n)
	}
	verified, gone, changed, extra := h.verdicts[0], h.verdicts[1], h.verdicts[2], h.verdicts[3]
	number(verified)
	number(max(0, h.counts[0]-verified-changed-extra))
	number(gone)
	number(changed)
	number(extra)
	number(h.digests)
	next().(*array.BooleanBuilder).Append(h.covered)
	number(h.named)
	number(h.missing)
	if len(h.gaps) == 0 {
		text("")
		text("")
	} else {
		word, reason := h.said()
		text(word)
		text(reason)
	}
	instant(h.firstEvent, h.firstEvent != 0)
	instant(h.lastOf, h.lastOf != 0)
}

func (b *hourBatch) batch() vec.Batch {
	out := vec.Batch{Len: b.n}
	for _, c := range b.build {
		out.Cols = append(out.Cols, c.NewArray())
	}
	return out
}
