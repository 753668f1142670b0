package parquetio

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/prune"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
)

// File is one file of a scan.
type File struct {
	Name      string // in the store
	Size      int64
	Rows      int64
	Constants map[string]any // values (as in Stats; nil: NULL) of columns that are not in the file: partition columns, defaults
	Stats     map[string]Stats
	Canonical bool // each eventtime is NULL or 20 characters long, ends in Z and equals _time
	// FooterSHA256 is checked when the footer is read, unless it is zero. Pages have checksums of their own.
	FooterSHA256 [32]byte
}

// batchRows is the scan's own choice: a batch takes a page of each narrow column. A dictionary is shared by all batches of a
// row group and predicates run once per entry and row group, so larger batches would save nothing.
const batchRows = pageRows

// batchBytes bounds the values of a batch by what the footer says of the row group.
const batchBytes = 64 << 20

type scan struct {
	store     blob.Store
	files     []File
	columns   []source.Column
	req       source.Request
	session   *fn.Session
	conjuncts []conjunct
	applied   []bool
	types     []sqltype.Type // of the paths
	morsels   []morsel
	report    *source.Report
	top       *topN // nil: all rows
	upcoming  *upcoming
}

// morsel is the part-th of so many equal parts of a file's row groups.
type morsel struct{ file, part, of int }

// conjunct is a conjunct that the scan applies.
type conjunct struct {
	e       expr.Expr // columns are ordinals into the paths
	local   expr.Expr // columns are ordinals into paths below
	paths   []int
	canFail bool
	skips   bool           // it only skips: its rows are not filtered
	needles []prune.Needle // one of which it demands; nil: none
}

// NewScan plans a read of files, in this order: a morsel per row group (a file whose footer is not read yet counts as one morsel per
// 128 Ki rows; Open on a surplus morsel yields io.EOF). columns are the table's; columns missing in a file are its Constants, else
// NULL. report has the counts of partition and file pruning already. Every conjunct that is not volatile is applied.
func NewScan(ctx context.Context, store blob.Store, files []File, columns []source.Column, req source.Request, report *source.Report) (source.Scan, error) {
	s := &scan{store: store, files: files, columns: columns, req: req, session: req.Session, report: report}
	if s.session == nil {
		s.session = &fn.Session{Zone: time.UTC}
	}
	for _, p := range req.Paths {
		if p.Column < 0 || p.Column >= len(columns) {
			return nil, fmt.Errorf("parquetio: no column %d in a table of %d", p.Column, len(columns))
		}
		t, _, err := pathShape(columns[p.Column].Type, nil, p.Fields)
		if err != nil {
			return nil, err
		}
		s.types = append(s.types, p.TypeOf(t))
	}
	for _, e := range req.Conjuncts {
		volatile := expr.Volatile(e)
		s.applied = append(s.applied, !volatile)
		if volatile {
			report.Notes = append(report.Notes, source.Note{On: expr.Format(e), Says: "filters no rows in the scan, since each call gives another value"})
			continue
		}
		c := newConjunct(e)
		s.conjuncts = append(s.conjuncts, c)
		report.Notes = append(report.Notes, source.Note{On: expr.Format(e), Says: s.note(c)})
	}
	for _, e := range req.Skips {
		c := newConjunct(e)
		c.skips = true
		s.conjuncts = append(s.conjuncts, c)
		report.Notes = append(report.Notes, source.Note{On: expr.Format(e), Says: "only skips; " + s.note(c)})
	}
	for i, f := range files {
		parts := int((f.Rows + defaultGroupRows - 1) / defaultGroupRows)
		if known := footers.get(s.key(i)); known != nil {
			parts = len(known.groups)
		}
		for p := range parts {
			s.morsels = append(s.morsels, morsel{i, p, parts})
		}
	}
	if req.Top != nil && !req.Off.Top && !slices.Contains(s.applied, false) {
		s.top = newTopN(*req.Top, s.types[req.Top.Path])
	}
	s.upcoming = s.newUpcoming(ctx)
	if s.top != nil {
		report.Notes = append(report.Notes, source.Note{
			Says: fmt.Sprintf("top %d: files and row groups that may hold the first rows are read first, others left out when enough are found", req.Top.Rows),
		})
	}
	return s, nil
}

func newConjunct(e expr.Expr) conjunct {
	c := conjunct{e: e, paths: expr.Columns(e), canFail: expr.CanFail(e)}
	c.local = expr.Rewrite(e, func(e expr.Expr) expr.Expr {
		if col, ok := e.(*expr.Column); ok {
			at, _ := slices.BinarySearch(c.paths, col.Index)
			return &expr.Column{Index: at, Name: col.Name, T: col.T}
		}
		return e
	})
	c.needles = prune.Needles(e)
	return c
}

// note says what a conjunct may prune by.
func (s *scan) note(c conjunct) string {
	var by []string
	leaf, nested := false, false
	for _, p := range c.paths {
		switch s.types[p].Kind {
		case sqltype.Row, sqltype.Array, sqltype.Map:
			nested = true
		default:
			leaf = true
		}
	}
	if leaf {
		by = append(by, "statistics of row groups")
	}
	if leaf && len(c.paths) == 1 {
		by = []string{"statistics of row groups and pages"}
	}
	if c.needles != nil {
		by = append(by, "bloom filters")
	}
	if leaf && len(c.paths) == 1 && isText(s.types[c.paths[0]]) {
		by = append(by, "dictionaries")
	}
	switch {
	case len(by) > 0:
		return "may prune by " + strings.Join(by, ", ")
	case nested:
		return "prunes nothing, since nested values have no statistics"
	}
	return "prunes nothing, since it uses no column"
}

func isText(t sqltype.Type) bool { return t.Kind == sqltype.Varchar || t.Kind == sqltype.JSON }

func (s *scan) key(file int) footerKey {
	return footerKey{s.store.URL() + "/" + s.files[file].Name, s.files[file].Size}
}

func (s *scan) Applied() []bool        { return s.applied }
func (s *scan) Morsels() int           { return len(s.morsels) }
func (s *scan) Report() *source.Report { return s.report }

// queryError marks an error of the query, not of the file.
type queryError struct{ error }

// fault makes a failure of reading a file an error of kind Data that names the file; a cancelled query stays one.
func (s *scan) fault(ctx context.Context, file int, err error) error {
	var q queryError
	if errors.As(err, &q) {
		return q.error
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return sqlerr.Wrap(sqlerr.Data, err, "file %s cannot be read", s.key(file).url)
}

// caught turns a panic into an error: whatever a damaged file brings about ends the query, not the process.
func caught(err *error) {
	if r := recover(); r != nil {
		*err = unforeseen{r}
	}
}

// unforeseen is a panic. Its value is for developers, not for the message.
type unforeseen struct{ value any }

func (unforeseen) Error() string { return "it is damaged in a way that was not foreseen" }

func (s *scan) Open(ctx context.Context, m int) (source.Reader, error) {
	if s.outdone(s.morsels[m].file) {
		s.upcoming.drop(m)
		s.report.RowGroups.Add(1)
		s.report.RowGroupsByStats.Add(1)
		return nothing{}, nil
	}
	r, err := s.reader(ctx, m)
	if err != nil {
		return nil, s.fault(ctx, s.morsels[m].file, err)
	}
	return r, nil
}

func (s *scan) reader(ctx context.Context, m int) (*reader, error) {
	if !blob.Remote(s.store.URL()) {
		return s.open(ctx, s.morsels[m])
	}
	b := s.upcoming.take(s, m)
	if b == nil {
		return s.open(ctx, s.morsels[m])
	}
	select {
	case <-b.done:
	case <-ctx.Done():
		b.drop()
		return nil, context.Cause(ctx)
	}
	if b.err != nil {
		return nil, b.err
	}
	b.r.ctx = ctx
	return b.r, nil
}

// Prune runs concurrently: on a store far away each row group costs a wait.
func (s *scan) Prune(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(8, len(s.morsels)) {
		wg.Go(func() {
			for m := range next {
				if err := s.prune(ctx, s.morsels[m]); err != nil {
					cancel(s.fault(ctx, s.morsels[m].file, err))
				}
			}
		})
	}
	for m := range s.morsels {
		if ctx.Err() != nil {
			break
		}
		next <- m
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}

func (s *scan) prune(ctx context.Context, m morsel) (err error) {
	defer caught(&err)
	r, err := s.open(ctx, m)
	if err != nil {
		return err
	}
	defer r.Close()
	for r.nextGroup < r.endGroup {
		g, err := r.openGroup(r.nextGroup)
		if err != nil {
			return err
		}
		r.nextGroup++
		if g == nil {
			continue
		}
		g.finish()
	}
	return nil
}
