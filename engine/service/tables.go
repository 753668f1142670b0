package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// catalog lays the service's own tables over another catalog.
type catalog struct {
	base   source.Catalog
	tables map[string]Table // by lower-case name
}

func newCatalog(ctx context.Context, s *Service, c Config) (*catalog, error) {
	out := &catalog{base: c.Catalog, tables: map[string]Table{}}
	base, err := c.Catalog.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	own := Table{Name: "query_history", Open: func(context.Context) (source.Table, error) { return &historyTable{s}, nil }}
	for _, t := range append([]Table{own}, c.Tables...) {
		name := strings.ToLower(t.Name)
		_, twice := out.tables[name]
		if _, taken := base.Resolve([]string{name}); taken || twice {
			return nil, fmt.Errorf("two tables are called %s", t.Name)
		}
		out.tables[name] = t
	}
	return out, nil
}

// Snapshot pins the newest version.
func (c *catalog) Snapshot(ctx context.Context) (source.Snapshot, error) {
	base, err := c.base.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	return c.over(context.WithoutCancel(ctx), base), nil
}

// bind returns the snapshot for one query, of the version of snap, or of the newest if that is nil. Its own tables are opened for this
// query alone.
func (c *catalog) bind(ctx context.Context, snap source.Snapshot) (*snapshot, error) {
	if snap == nil {
		var err error
		if snap, err = c.base.Snapshot(ctx); err != nil {
			return nil, err
		}
	}
	if laid, ok := snap.(*snapshot); ok {
		snap = laid.Snapshot
	}
	return c.over(ctx, snap), nil
}

func (c *catalog) over(ctx context.Context, base source.Snapshot) *snapshot {
	return &snapshot{Snapshot: base, catalog: c, ctx: ctx, open: map[string]source.Table{}}
}

// snapshot is a version of the base catalog with the tables over it, each opened when it is first named.
type snapshot struct {
	source.Snapshot
	catalog *catalog
	ctx     context.Context

	mu   sync.Mutex
	open map[string]source.Table
	err  error // the first table that could not be opened
}

// Resolve finds a relation; the tables laid over come first.
func (s *snapshot) Resolve(name []string) (source.Relation, bool) {
	if len(name) == 0 {
		return nil, false
	}
	table, ok := s.own(name[len(name)-1])
	if !ok {
		return s.Snapshot.Resolve(name)
	}
	if len(name) > 1 {
		if r, ok := s.Snapshot.Resolve(name); ok {
			return r, true
		}
		if strings.EqualFold(name[len(name)-2], "information_schema") {
			return nil, false
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	opened, ok := s.open[table.Name]
	if !ok {
		var err error
		if opened, err = table.Open(s.ctx); err != nil {
			if s.err == nil {
				s.err = sqlerr.Wrap(sqlerr.Data, err, "table %s cannot be read", table.Name)
			}
			return nil, false
		}
		s.open[table.Name] = opened
	}
	return source.Stored{Table: opened}, true
}

// own finds a table that is not the base catalog's.
func (s *snapshot) own(name string) (Table, bool) {
	t, ok := s.catalog.tables[strings.ToLower(name)]
	return t, ok
}

// failure is why a table could not be opened, nil if all could: the binder knows only that there is none.
func (s *snapshot) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Names lists the relations.
func (s *snapshot) Names() []string {
	names := slices.Clone(s.Snapshot.Names())
	for _, t := range s.catalog.tables {
		names = append(names, t.Name)
	}
	slices.Sort(names)
	return names
}

// historyTable is query_history: a row for each query that is remembered, waiting and running ones included. It is read from the history
// in morsels, so that it may be long.
type historyTable struct{ service *Service }

const historyMorsel = 2048 // queries

var historyColumns = []source.Column{
	{Name: "id", Type: sqltype.VarcharType},
	{Name: "submitted", Type: sqltype.TimestampType, Comment: "UTC, as all times here"},
	{Name: "started", Type: sqltype.TimestampType},
	{Name: "finished", Type: sqltype.TimestampType},
	{Name: "user_name", Type: sqltype.VarcharType, Comment: "who asked"},
	{Name: "source", Type: sqltype.VarcharType, Comment: "by which way in: shell, rest, report, or as a client calls itself"},
	{Name: "state", Type: sqltype.VarcharType, Comment: "queued, running, succeeded, failed, cancelled"},
	{Name: "sql", Type: sqltype.VarcharType},
	{Name: "error", Type: sqltype.VarcharType, Comment: "why it failed or was cancelled"},
	{Name: "snapshot", Type: sqltype.BigIntType, Comment: "version of the lake"},
	{Name: "cached", Type: sqltype.BooleanType, Comment: "answered by an earlier query's result"},
	{Name: "rows", Type: sqltype.BigIntType, Comment: "of the result"},
	{Name: "bytes_scanned", Type: sqltype.BigIntType, Comment: "compressed bytes read from the lake"},
	{Name: "elapsed_ms", Type: sqltype.BigIntType, Comment: "running"},
	{Name: "queued_ms", Type: sqltype.BigIntType, Comment: "waiting"},
	{Name: "result_bytes", Type: sqltype.BigIntType, Comment: "stored"},
}

// historyValue is the value of a query in a column, nil where it is unknown.
func (t *historyTable) value(q *Query, column int) any {
	optional := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	switch historyColumns[column].Name {
	case "id":
		return q.ID
	case "submitted":
		return microsOrNil(micros(q.Submitted))
	case "started":
		return microsOrNil(micros(q.Started))
	case "finished":
		return microsOrNil(micros(q.Finished))
	case "user_name":
		return optional(q.User)
	case "source":
		return optional(q.Source)
	case "state":
		return string(q.State)
	case "sql":
		return q.SQL
	case "error":
		if q.Err == nil {
			return nil
		}
		return q.Err.Error()
	case "snapshot":
		return q.Snapshot
	case "cached":
		return q.Cached
	case "rows":
		return q.Rows
	case "bytes_scanned":
		return q.Stats.BytesRead
	case "elapsed_ms":
		if q.Started.IsZero() {
			return nil
		}
		if q.State.Done() {
			return q.Finished.Sub(q.Started).Milliseconds()
		}
		return t.service.now().Sub(q.Started).Milliseconds()
	case "queued_ms":
		switch {
		case !q.Started.IsZero():
			return q.Started.Sub(q.Submitted).Milliseconds()
		case q.State.Done():
			return q.Finished.Sub(q.Submitted).Milliseconds()
		}
		return t.service.now().Sub(q.Submitted).Milliseconds()
	case "result_bytes":
		return q.ResultBytes
	}
	panic("service: query_history has no such column")
}

func microsOrNil(micros int64) any {
	if micros == 0 {
		return nil
	}
	return micros
}

func (t *historyTable) Name() string             { return "query_history" }
func (t *historyTable) Columns() []source.Column { return historyColumns }

func (t *historyTable) Scan(ctx context.Context, req source.Request) (source.Scan, error) {
	from, to, err := t.service.history.span(ctx)
	if err != nil {
		return nil, err
	}
	s := &historyScan{table: t, request: req, from: from, to: to}
	s.report.RowGroups.Store(int64(s.Morsels()))
	return s, nil
}

type historyScan struct {
	table    *historyTable
	request  source.Request
	from, to int64 // seq
	report   source.Report
}

func (s *historyScan) Applied() []bool             { return make([]bool, len(s.request.Conjuncts)) }
func (s *historyScan) Morsels() int                { return int((s.to - s.from + historyMorsel - 1) / historyMorsel) }
func (s *historyScan) Prune(context.Context) error { return nil }
func (s *historyScan) Report() *source.Report      { return &s.report }

func (s *historyScan) Open(ctx context.Context, morsel int) (source.Reader, error) {
	from := s.from + int64(morsel)*historyMorsel
	queries, err := s.table.service.list(ctx, from, min(from+historyMorsel, s.to), Filter{Limit: math.MaxInt})
	if err != nil {
		return nil, err
	}
	slices.Reverse(queries)
	s.report.RowsRead.Add(int64(len(queries)))
	return &historyReader{scan: s, queries: queries}, nil
}

type historyReader struct {
	scan    *historyScan
	queries []listed
}

func (r *historyReader) Next() (vec.Batch, error) {
	if len(r.queries) == 0 {
		return vec.Batch{}, io.EOF
	}
	n := len(r.queries)
	if most := r.scan.request.BatchRows; most > 0 {
		n = min(n, most)
	}
	b := vec.Batch{Len: n, Cols: make([]arrow.Array, len(r.scan.request.Paths))}
	for i, path := range r.scan.request.Paths {
		builder := array.NewBuilder(memory.DefaultAllocator, historyColumns[path.Column].Type.Arrow())
		for k := range n {
			switch v := r.scan.table.value(&r.queries[k].Query, path.Column).(type) {
			case nil:
				builder.AppendNull()
			case string:
				builder.(*array.StringBuilder).Append(v)
			case bool:
				builder.(*array.BooleanBuilder).Append(v)
			case int64:
				if b, ok := builder.(*array.TimestampBuilder); ok {
					b.Append(arrow.Timestamp(v))
				} else {
					builder.(*array.Int64Builder).Append(v)
				}
			}
		}
		b.Cols[i] = builder.NewArray()
	}
	r.queries = r.queries[n:]
	return b, nil
}

func (r *historyReader) Close() error { return nil }

// History lists queries, newest first, waiting and running ones included.
func (s *Service) History(ctx context.Context, f Filter) ([]Query, error) {
	if f.Limit <= 0 {
		f.Limit = 100
	}
	before := int64(math.MaxInt64)
	if f.Before != "" {
		var err error
		if before, err = s.history.place(ctx, f.Before); err != nil {
			return nil, s.known(err)
		}
	}
	queries, err := s.list(ctx, 0, before, f)
	if err != nil {
		return nil, err
	}
	out := make([]Query, len(queries))
	for i, q := range queries {
		out[i] = q.Query
	}
	return out, nil
}

// list returns the queries with seq from from to below before, newest first: what the history knows, and of those that have not ended what
// memory knows.
func (s *Service) list(ctx context.Context, from, before int64, f Filter) ([]listed, error) {
	var out []listed
	for len(out) < f.Limit {
		most := min(f.Limit-len(out), historyMorsel)
		queries, err := s.history.list(ctx, s.now(), from, before, f.State, f.User, most)
		if err != nil {
			return nil, s.known(err)
		}
		for _, q := range queries {
			before = q.seq
			if !q.State.Done() {
				if q.Query, err = s.Get(ctx, q.ID); errors.Is(err, ErrNotFound) {
					continue
				} else if err != nil {
					return nil, err
				}
			}
			if f.State == "" || q.State == f.State {
				out = append(out, q)
			}
		}
		if len(queries) < most {
			break
		}
	}
	return out, nil
}
