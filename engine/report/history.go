package report

import (
	"context"
	"errors"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/engine/service"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// maxHistory is how many runs, the newest, the relation shows.
const maxHistory = 100_000

// Table is the history of the runs in a state folder as the relation report_runs.
func Table(state string) service.Table {
	const name = "report_runs"
	return service.Table{Name: name, Open: func(ctx context.Context) (source.Table, error) {
		s, err := OpenStore(ctx, state)
		if err != nil {
			return nil, err
		}
		columns, batch, err := s.History(ctx, maxHistory)
		if err := errors.Join(err, s.Close()); err != nil {
			return nil, err
		}
		return source.NewMemory(name, columns, []vec.Batch{batch}), nil
	}}
}

// historyColumns are those of report_runs and what each holds of a run; nil is NULL. Times are UTC.
var historyColumns = []struct {
	name    string
	typ     sqltype.Type
	comment string
	value   func(Run) any // string, int64 or time.Time
}{
	{"id", sqltype.BigIntType, "in the order of beginning", func(r Run) any { return r.ID }},
	{"schedule", sqltype.VarcharType, "NULL: by hand", func(r Run) any { return r.Schedule }},
	{"pack", sqltype.VarcharType, "", func(r Run) any { return r.Pack }},
	{"period_from", sqltype.TimestampType, "included", func(r Run) any { return r.Period.From }},
	{"period_to", sqltype.TimestampType, "not included", func(r Run) any { return r.Period.To }},
	{"planned", sqltype.TimestampType, "NULL: by hand", func(r Run) any { return r.Planned }},
	{"attempt", sqltype.BigIntType, "2: the first was interrupted", func(r Run) any { return int64(r.Attempt) }},
	{"missed", sqltype.BigIntType, "earlier planned times without a run, which this one stands for", func(r Run) any { return int64(r.Missed) }},
	{"began", sqltype.TimestampType, "", func(r Run) any { return r.Began }},
	{"ended", sqltype.TimestampType, "NULL: it runs", func(r Run) any { return r.Ended }},
	{"state", sqltype.VarcharType, "running, ok, failed or interrupted", func(r Run) any { return string(r.State) }},
	{"verdict", sqltype.VarcharType, "NULL unless a report was made", func(r Run) any { return string(r.Verdict) }},
	{"findings", sqltype.BigIntType, "NULL unless a report was made", func(r Run) any { return ifMade(r, r.Findings) }},
	{"snapshot", sqltype.BigIntType, "version of the lake", func(r Run) any { return ifMade(r, r.Snapshot) }},
	{"lake", sqltype.VarcharType, "", func(r Run) any { return r.Lake }},
	{"out", sqltype.VarcharType, "where the report was delivered", func(r Run) any { return r.Out }},
	{"sha256", sqltype.VarcharType, "of its report.json", func(r Run) any { return r.SHA256 }},
	{"error", sqltype.VarcharType, "", func(r Run) any { return r.Error }},
}

func ifMade(r Run, n int64) any {
	if r.Verdict == "" {
		return nil
	}
	return n
}

// History is the newest runs as rows, the newest first.
func (s *Store) History(ctx context.Context, limit int) ([]source.Column, vec.Batch, error) {
	runs, err := s.Runs(ctx, limit)
	if err != nil {
		return nil, vec.Batch{}, err
	}
	columns := make([]source.Column, len(historyColumns))
	batch := vec.Batch{Len: len(runs), Cols: make([]arrow.Array, len(columns))}
	for i, c := range historyColumns {
		columns[i] = source.Column{Name: c.name, Type: c.typ, Comment: c.comment}
		b := array.NewBuilder(memory.DefaultAllocator, c.typ.Arrow())
		for _, r := range runs {
			appendValue(b, c.value(r))
		}
		batch.Cols[i] = b.NewArray()
	}
	return columns, batch, nil
}

// appendValue appends a value of a run; empty texts and zero times are NULL.
func appendValue(b array.Builder, v any) {
	switch v := v.(type) {
	case string:
		if v != "" {
			b.(*array.StringBuilder).Append(v)
			return
		}
	case int64:
		b.(*array.Int64Builder).Append(v)
		return
	case time.Time:
		if !v.IsZero() {
			b.(*array.TimestampBuilder).Append(arrow.Timestamp(v.UnixMicro()))
			return
		}
	}
	b.AppendNull()
}
