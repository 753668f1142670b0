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
	"time"

	"github.com/apache/arrow-go/v18/arrow"

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

var _ source.Definer = (*catalog)(nil)

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
		if relation, taken := base.Resolve([]string{name}); taken && !defined(relation) || twice {
			return nil, fmt.Errorf("two tables are called %s", t.Name)
		}
		out.tables[name] = t
	}
	return out, nil
}

// defined reports whether a statement made a relation: people may not know which names a service has, so theirs are hidden by its own.
func defined(r source.Relation) bool {
	switch r := r.(type) {
	case *source.View:
		return r.Definition != ""
	case source.Stored:
		_, ok := r.Table.(source.Defined)
		return ok
	}
	return false
}

// definer is the catalog below as one that statements may define relations in; it knows nothing of the service's tables.
func (c *catalog) definer(name []string) (source.Definer, error) {
	if len(name) > 0 {
		if t, own := c.tables[strings.ToLower(name[len(name)-1])]; own {
			return nil, sqlerr.New(sqlerr.Name, 0, "%s is a table of trailql itself", t.Name).WithHint("take another name")
		}
	}
	if d, ok := c.base.(source.Definer); ok {
		return d, nil
	}
	return nil, sqlerr.New(sqlerr.Unknown, 0, "views and tables cannot be made or dropped here")
}

func (c *catalog) Define(ctx context.Context, d source.Definition) (made bool, err error) {
	below, err := c.definer(d.Name)
	if err != nil {
		return false, err
	}
	return below.Define(ctx, d)
}

func (c *catalog) Drop(ctx context.Context, name []string, view bool) (dropped bool, err error) {
	below, err := c.definer(name)
	if err != nil {
		return false, err
	}
	return below.Drop(ctx, name, view)
}

func (c *catalog) Create(ctx context.Context, t source.Target) (source.Output, error) {
	below, err := c.definer(t.Table)
	if err != nil {
		return nil, err
	}
	return below.Create(ctx, t)
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
	open map[string]source.Table // nil for one that cannot be opened
	err  error                   // the first table that could not be opened
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
			opened = nil
		}
		s.open[table.Name] = opened
	}
	return source.Stored{Table: opened}, opened != nil
}

// own finds a table that is not the base catalog's.
func (s *snapshot) own(name string) (Table, bool) {
	t, ok := s.catalog.tables[strings.ToLower(name)]
	return t, ok
}

// readsOwn reports whether a table that is not the base catalog's was named.
func (s *snapshot) readsOwn() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open) > 0
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

// historyRow is a query at a moment, which those that have not ended are measured by.
type historyRow struct {
	Query
	now time.Time
}

// historyFields are the columns of query_history.
var historyFields = []source.Field[historyRow]{
	{Name: "id", Type: sqltype.VarcharType, Value: func(q historyRow) any { return q.ID }},
	{Name: "submitted", Type: sqltype.TimestampType, Comment: "UTC, as all times here", Value: func(q historyRow) any { return q.Submitted }},
	{Name: "started", Type: sqltype.TimestampType, Value: func(q historyRow) any { return q.Started }},
	{Name: "finished", Type: sqltype.TimestampType, Value: func(q historyRow) any { return q.Finished }},
	{Name: "user_name", Type: sqltype.VarcharType, Comment: "who asked", Value: func(q historyRow) any { return q.User }},
	{Name: "source", Type: sqltype.VarcharType, Comment: "by which way in: shell, rest, report, or as a client calls itself",
		Value: func(q historyRow) any { return q.Source }},
	{Name: "state", Type: sqltype.VarcharType, Comment: "queued, running, succeeded, failed, cancelled",
		Value: func(q historyRow) any { return string(q.State) }},
	{Name: "sql", Type: sqltype.VarcharType, Value: func(q historyRow) any { return q.SQL }},
	{Name: "parameters", Type: sqltype.VarcharType, Comment: "for the ? of the statement, with commas between them",
		Value: func(q historyRow) any { return orNull(strings.Join(q.Params, ", ")) }},
	{Name: "error", Type: sqltype.VarcharType, Comment: "why it failed or was cancelled", Value: historyRow.failure},
	{Name: "snapshot", Type: sqltype.BigIntType, Comment: "version of the lake", Value: func(q historyRow) any { return q.Snapshot }},
	{Name: "cached", Type: sqltype.BooleanType, Comment: "answered by an earlier query's result", Value: func(q historyRow) any { return q.Cached }},
	{Name: "rows", Type: sqltype.BigIntType, Comment: "of the result", Value: func(q historyRow) any { return q.Rows }},
	{Name: "bytes_scanned", Type: sqltype.BigIntType, Comment: "compressed bytes read from the lake",
		Value: func(q historyRow) any { return q.Stats.BytesRead }},
	{Name: "elapsed_ms", Type: sqltype.BigIntType, Comment: "running", Value: historyRow.elapsed},
	{Name: "queued_ms", Type: sqltype.BigIntType, Comment: "waiting", Value: historyRow.queued},
	{Name: "result_bytes", Type: sqltype.BigIntType, Comment: "stored", Value: func(q historyRow) any { return q.ResultBytes }},
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func (q historyRow) failure() any {
	if q.Err == nil {
		return nil
	}
	return q.Err.Error()
}

func (q historyRow) elapsed() any {
	switch {
	case q.Started.IsZero():
		return nil
	case q.State.Done():
		return q.Finished.Sub(q.Started).Milliseconds()
	}
	return q.now.Sub(q.Started).Milliseconds()
}

func (q historyRow) queued() any {
	switch {
	case !q.Started.IsZero():
		return q.Started.Sub(q.Submitted).Milliseconds()
	case q.State.Done():
		return q.Finished.Sub(q.Submitted).Milliseconds()
	}
	return q.now.Sub(q.Submitted).Milliseconds()
}

func (t *historyTable) Name() string             { return "query_history" }
func (t *historyTable) Columns() []source.Column { return source.Columns(historyFields) }

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
	now := s.table.service.now()
	r := &historyReader{request: s.request, rows: make([]historyRow, len(queries))}
	for i, q := range queries {
		r.rows[i] = historyRow{q.Query, now}
	}
	return r, nil
}

type historyReader struct {
	request source.Request
	rows    []historyRow
}

func (r *historyReader) Next() (vec.Batch, error) {
	if len(r.rows) == 0 {
		return vec.Batch{}, io.EOF
	}
	n := len(r.rows)
	if most := r.request.BatchRows; most > 0 {
		n = min(n, most)
	}
	b := vec.Batch{Len: n, Cols: make([]arrow.Array, len(r.request.Paths))}
	for i, path := range r.request.Paths {
		b.Cols[i] = historyFields[path.Column].Array(r.rows[:n])
	}
	r.rows = r.rows[n:]
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
