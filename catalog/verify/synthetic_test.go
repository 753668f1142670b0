package verify

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/report"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/vec"
)

// rows builds the batches of one of the lake's tables, column by column; what is not set is NULL.
type rows struct {
	table   string
	columns []source.Column
	build   []array.Builder
	n       int
	batches []vec.Batch
}

func newRows(table string) *rows {
	r := &rows{table: table, columns: catalog.LayoutOf(table).Columns}
	for _, c := range r.columns {
		r.build = append(r.build, array.NewBuilder(memory.DefaultAllocator, c.Type.Arrow()))
	}
	return r
}

// add adds a row. Values: string, int, bool, time.Time, []string (the names of logs).
func (r *rows) add(values map[string]any) {
	for i, c := range r.columns {
		switch v := values[c.Name].(type) {
		case string:
			r.build[i].(*array.StringBuilder).Append(v)
		case int:
			r.build[i].(*array.Int64Builder).Append(int64(v))
		case bool:
			r.build[i].(*array.BooleanBuilder).Append(v)
		case time.Time:
			r.build[i].(*array.TimestampBuilder).Append(arrow.Timestamp(v.UnixMicro()))
		case []string:
			list := r.build[i].(*array.ListBuilder)
			list.Append(true)
			logs := list.ValueBuilder().(*array.StructBuilder)
			for _, name := range v {
				logs.Append(true)
				logs.FieldBuilder(0).(*array.StringBuilder).Append(name)
				logs.FieldBuilder(1).(*array.StringBuilder).Append("00")
				logs.FieldBuilder(2).AppendNull()
				logs.FieldBuilder(3).AppendNull()
			}
		default:
			r.build[i].AppendNull()
		}
	}
	if r.n++; r.n%10_000 == 0 {
		r.flush()
	}
}

func (r *rows) flush() {
	b := vec.Batch{}
	for _, c := range r.build {
		a := c.NewArray()
		b.Len, b.Cols = a.Len(), append(b.Cols, a)
	}
	if b.Len > 0 {
		r.batches = append(r.batches, b)
	}
}

// ledgerRows is a lake's ledger made of rows: a source.Snapshot without a lake.
type ledgerRows struct{ files, digests, verdicts *rows }

func newLedger() *ledgerRows {
	return &ledgerRows{newRows(catalog.Files), newRows(catalog.Digests), newRows(catalog.Verdicts)}
}

func (l *ledgerRows) Snapshot(context.Context) (source.Snapshot, error) { return l, nil }
func (l *ledgerRows) Version() int64                                    { return 1 }
func (l *ledgerRows) Definitions() string                               { return "" }
func (l *ledgerRows) Names() []string {
	return []string{HoursName, catalog.Digests, catalog.Files, catalog.Verdicts}
}

func (l *ledgerRows) Macros() []*source.Macro { return nil }

func (l *ledgerRows) Resolve(name []string) (source.Relation, bool) {
	if name[len(name)-1] == HoursName {
		return source.Stored{Table: Hours(l)}, true
	}
	for _, r := range []*rows{l.files, l.digests, l.verdicts} {
		if r.table == strings.ToLower(name[len(name)-1]) {
			r.flush()
			return source.Stored{Table: source.NewMemory(r.table, r.columns, r.batches)}, true
		}
	}
	return nil, false
}

const (
	account1 = "111111111111"
	account2 = "222222222222"
)

// fileName is the name of a log file delivered at a minute.
func fileName(account, region string, stamp time.Time, unique string) string {
	return fmt.Sprintf("%s_CloudTrail_%s_%s_%s.json.gz", account, region, stamp.Format("20060102T1504Z"), unique)
}

// file adds a log file with 10 records.
func (l *ledgerRows) file(account, region string, stamp time.Time, unique, state string) {
	l.files.add(map[string]any{"path": "file:///trail/" + fileName(account, region, stamp, unique), "kind": "CloudTrail",
		"account": account, "region": region, "stamp": stamp, "state": state, "records": 10})
}

// digest adds a digest that names files, and its row in the ledger.
func (l *ledgerRows) digest(account, region string, from, to time.Time, names ...string) {
	l.digests.add(map[string]any{"path": "file:///trail/digest", "account": account, "region": region, "start_time": from, "end_time": to,
		"backfill": false, "logs": append([]string{}, names...)})
	l.files.add(map[string]any{"path": "file:///trail/digest", "kind": "CloudTrail-Digest", "account": account, "region": region, "stamp": to, "state": catalog.StateDigest, "records": 0})
}

// verdict adds a verdict, newer than those before.
func (l *ledgerRows) verdict(file, kind, account, region string, stamp time.Time, verdict string) {
	l.verdicts.add(map[string]any{"path": "file:///trail/" + file, "kind": kind, "account": account, "region": region, "stamp": stamp, "verdict": verdict,
		"reason": "because", "checked": monday.AddDate(1, 0, l.verdicts.n/2), "commit": l.verdicts.n})
}

func (l *ledgerRows) covered(t testing.TB, from, to time.Time) report.Coverage {
	t.Helper()
	c, err := Coverage(engine.New(l), engine.Options{})(context.Background(), l, report.Period{From: from, To: to})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestCoverageWithinMemory: what judging takes is bounded, and going over it is an error, not a verdict.
func TestCoverageWithinMemory(t *testing.T) {
	l := newLedger()
	from := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	l.every(time.Hour, "111111111111", "eu-west-1", from, from.AddDate(0, 0, 2))
	period := report.Period{From: from, To: from.AddDate(0, 0, 1)}
	if _, err := Coverage(engine.New(l), engine.Options{Memory: 1})(t.Context(), l, period); sqlerr.KindOf(err) != sqlerr.Resource {
		t.Errorf("with a byte of memory: %v", err)
	}
	if _, err := Coverage(engine.New(l), engine.Options{Memory: 64 << 20})(t.Context(), l, period); err != nil {
		t.Errorf("with enough memory: %v", err)
	}
}

func expectGaps(t testing.TB, what string, c report.Coverage, want ...string) {
	t.Helper()
	got := lines(c)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s:\ngot\n  %s\nwant\n  %s", what, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	if c.Complete != (len(want) == 0) {
		t.Errorf("%s: complete is %v", what, c.Complete)
	}
}

// every adds a file each period of [from, to).
func (l *ledgerRows) every(period time.Duration, account, region string, from, to time.Time) {
	for at := from; at.Before(to); at = at.Add(period) {
		l.file(account, region, at, "a", catalog.StateOK)
	}
}
