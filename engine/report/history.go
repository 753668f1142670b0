package report

import (
	"context"
	"errors"

	"github.com/apache/arrow-go/v18/arrow"

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

// historyFields are the columns of report_runs. Times are UTC.
var historyFields = []source.Field[Run]{
	{Name: "id", Type: sqltype.BigIntType, Comment: "in the order of beginning", Value: func(r Run) any { return r.ID }},
	{Name: "schedule", Type: sqltype.VarcharType, Comment: "NULL: by hand", Value: func(r Run) any { return r.Schedule }},
	{Name: "pack", Type: sqltype.VarcharType, Value: func(r Run) any { return r.Pack }},
	{Name: "period_from", Type: sqltype.TimestampType, Comment: "included", Value: func(r Run) any { return r.Period.From }},
	{Name: "period_to", Type: sqltype.TimestampType, Comment: "not included", Value: func(r Run) any { return r.Period.To }},
	{Name: "planned", Type: sqltype.TimestampType, Comment: "NULL: by hand", Value: func(r Run) any { return r.Planned }},
	{Name: "attempt", Type: sqltype.BigIntType, Comment: "2: the first was interrupted", Value: func(r Run) any { return int64(r.Attempt) }},
	{Name: "missed", Type: sqltype.BigIntType, Comment: "earlier planned times without a run, which this one stands for",
		Value: func(r Run) any { return int64(r.Missed) }},
	{Name: "began", Type: sqltype.TimestampType, Value: func(r Run) any { return r.Began }},
	{Name: "ended", Type: sqltype.TimestampType, Comment: "NULL: it runs", Value: func(r Run) any { return r.Ended }},
	{Name: "state", Type: sqltype.VarcharType, Comment: "running, ok, failed or interrupted",
		Value: func(r Run) any { return string(r.State) }},
	{Name: "verdict", Type: sqltype.VarcharType, Comment: "NULL unless a report was made",
		Value: func(r Run) any { return string(r.Verdict) }},
	{Name: "findings", Type: sqltype.BigIntType, Comment: "NULL unless a report was made",
		Value: func(r Run) any { return ifMade(r, r.Findings) }},
	{Name: "snapshot", Type: sqltype.BigIntType, Comment: "version of the lake", Value: func(r Run) any { return ifMade(r, r.Snapshot) }},
	{Name: "lake", Type: sqltype.VarcharType, Value: func(r Run) any { return r.Lake }},
	{Name: "out", Type: sqltype.VarcharType, Comment: "where the report was delivered", Value: func(r Run) any { return r.Out }},
	{Name: "sha256", Type: sqltype.VarcharType, Comment: "of its report.json", Value: func(r Run) any { return r.SHA256 }},
	{Name: "error", Type: sqltype.VarcharType, Value: func(r Run) any { return r.Error }},
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
	batch := vec.Batch{Len: len(runs), Cols: make([]arrow.Array, len(historyFields))}
	for i, f := range historyFields {
		batch.Cols[i] = f.Array(runs)
	}
	return source.Columns(historyFields), batch, nil
}
