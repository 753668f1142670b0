package rest

import (
	"math"
	"strings"
	"time"

	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/service"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
)

// queryJSON is a query on the wire; server and client share it. Times that have not come are null, as are columns that are not known.
type queryJSON struct {
	ID          string           `json:"id"`
	SQL         string           `json:"sql"`
	Params      []string         `json:"params"`
	User        string           `json:"user"`
	Source      string           `json:"source"`
	State       string           `json:"state"`
	Error       *errorJSON       `json:"error"`
	Snapshot    int64            `json:"snapshot"`
	Change      *engine.Change   `json:"change"`
	Cached      bool             `json:"cached"`
	Submitted   *time.Time       `json:"submitted"`
	Started     *time.Time       `json:"started"`
	Finished    *time.Time       `json:"finished"`
	Expires     *time.Time       `json:"expires"`
	Columns     []sqltype.Column `json:"columns"`
	RowsReady   int64            `json:"rows_ready"`
	ResultBytes int64            `json:"result_bytes"`
	Stats       statsJSON        `json:"stats"`
}

type statsJSON struct {
	Rows              int64   `json:"rows"`
	RowsRead          int64   `json:"rows_read"`
	BytesRead         int64   `json:"bytes_read"`
	Partitions        int64   `json:"partitions"`
	PartitionsSkipped int64   `json:"partitions_skipped"`
	Files             int64   `json:"files"`
	FilesSkipped      int64   `json:"files_skipped"`
	RowGroups         int64   `json:"row_groups"`
	RowGroupsSkipped  int64   `json:"row_groups_skipped"`
	Splits            int64   `json:"splits"`
	SplitsDone        int64   `json:"splits_done"`
	ElapsedMS         float64 `json:"elapsed_ms"`
	QueuedMS          float64 `json:"queued_ms"`
	Memory            int64   `json:"memory"`
	Spilled           int64   `json:"spilled"`
}

// show puts a query on the wire as it is now.
func show(q service.Query, now time.Time) queryJSON {
	out := queryJSON{
		ID: q.ID, SQL: q.SQL, Params: append([]string{}, q.Params...), User: q.User, Source: q.Source, State: string(q.State), Snapshot: q.Snapshot, Change: q.Change, Cached: q.Cached,
		Submitted: stamp(q.Submitted), Started: stamp(q.Started), Finished: stamp(q.Finished), Expires: stamp(q.Expires),
		Columns: q.Columns, RowsReady: q.Rows, ResultBytes: q.ResultBytes,
		Stats: statsJSON{
			Rows: q.Stats.Rows, RowsRead: q.Stats.RowsRead, BytesRead: q.Stats.BytesRead,
			Partitions: q.Stats.Partitions, PartitionsSkipped: q.Stats.PartitionsPruned,
			Files: q.Stats.Files, FilesSkipped: q.Stats.FilesPruned,
			RowGroups: q.Stats.RowGroups, RowGroupsSkipped: q.Stats.RowGroupsPruned,
			Splits: q.Stats.Morsels, SplitsDone: q.Stats.MorselsDone,
			ElapsedMS: millis(q.Stats.Elapsed), QueuedMS: millis(queued(q, now)), Memory: q.Stats.Memory, Spilled: q.Stats.Spilled,
		},
	}
	if q.Err != nil {
		out.Error = statementError(q.SQL, q.Err)
	}
	return out
}

func stamp(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func millis(d time.Duration) float64 { return math.Round(d.Seconds()*1e6) / 1e3 }

// queued is how long a query waited for its turn.
func queued(q service.Query, now time.Time) time.Duration {
	for _, end := range []time.Time{q.Started, q.Finished, now} {
		if !end.IsZero() {
			return max(0, end.Sub(q.Submitted))
		}
	}
	return 0
}

// query reads a query off the wire.
func (j queryJSON) query() service.Query {
	q := service.Query{
		ID: j.ID, SQL: j.SQL, Params: j.Params, User: j.User, Source: j.Source, State: service.State(j.State), Snapshot: j.Snapshot, Change: j.Change, Cached: j.Cached,
		Submitted: moment(j.Submitted), Started: moment(j.Started), Finished: moment(j.Finished), Expires: moment(j.Expires),
		Columns: j.Columns, Rows: j.RowsReady, ResultBytes: j.ResultBytes,
		Stats: engine.Stats{
			Rows: j.Stats.Rows, RowsRead: j.Stats.RowsRead, BytesRead: j.Stats.BytesRead,
			Partitions: j.Stats.Partitions, PartitionsPruned: j.Stats.PartitionsSkipped,
			Files: j.Stats.Files, FilesPruned: j.Stats.FilesSkipped,
			RowGroups: j.Stats.RowGroups, RowGroupsPruned: j.Stats.RowGroupsSkipped,
			Morsels: j.Stats.Splits, MorselsDone: j.Stats.SplitsDone,
			Elapsed: time.Duration(j.Stats.ElapsedMS * float64(time.Millisecond)), Memory: j.Stats.Memory, Spilled: j.Stats.Spilled,
		},
	}
	if j.Error != nil {
		q.Err = j.Error.statement(j.SQL)
	}
	return q
}

func moment(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// statement reads an error of the statement text off the wire.
func (e *errorJSON) statement(text string) *sqlerr.Error {
	return &sqlerr.Error{Kind: sqlerr.Kind(e.Kind), Pos: position(text, e.Line, e.Column), Msg: e.Message, Hint: e.Hint}
}

// position is the inverse of sqlerr.LineColumn; 0 where the text has no such place.
func position(text string, line, column int) sqlerr.Pos {
	if line < 1 || column < 1 {
		return 0
	}
	start := 0
	for ; line > 1; line-- {
		n := strings.IndexByte(text[start:], '\n')
		if n < 0 {
			return 0
		}
		start += n + 1
	}
	for i := range text[start:] {
		if column--; column == 0 {
			return sqlerr.Pos(start + i + 1)
		}
	}
	if column == 1 {
		return sqlerr.Pos(len(text) + 1)
	}
	return 0
}
