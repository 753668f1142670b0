package parquetio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/prune"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
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
}

// morsel is the part-th of so many equal parts of a file's row groups.
type morsel struct{ file, part, of int }

// conjunct is a conjunct that the scan applies.
type conjunct struct {
	e       expr.Expr // columns are ordinals into the paths
	local   expr.Expr // columns are ordinals into paths below
	paths   []int
	canFail bool
	equals  []any // the values that it demands of its column, if it is such a conjunct
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
		s.types = append(s.types, t)
	}
	for _, e := range req.Conjuncts {
		volatile := expr.Volatile(e)
		s.applied = append(s.applied, !volatile)
		if volatile {
			report.Notes = append(report.Notes, expr.Format(e)+": filters no rows in the scan, since each call gives another value")
			continue
		}
		c := newConjunct(e)
		s.conjuncts = append(s.conjuncts, c)
		report.Notes = append(report.Notes, expr.Format(e)+": "+s.note(c))
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
	if _, values, ok := prune.EqualTo(e); ok {
		c.equals = values
	}
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
		by = append(by, "row group statistics")
	}
	if leaf && len(c.paths) == 1 {
		by = append(by, "page statistics")
		if c.equals != nil {
			by = append(by, "bloom filters")
		}
		if isText(s.types[c.paths[0]]) {
			by = append(by, "dictionaries")
		}
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
		*err = fmt.Errorf("damaged in an unforeseen way: %v", r)
	}
}

func (s *scan) Open(ctx context.Context, m int) (source.Reader, error) {
	r, err := s.open(ctx, s.morsels[m])
	if err != nil {
		return nil, s.fault(ctx, s.morsels[m].file, err)
	}
	return r, nil
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

// reader reads the row groups of a morsel.
type reader struct {
	s                   *scan
	ctx                 context.Context
	file                int
	object              blob.Object
	footer              *footer
	shapes              []shape // of the paths
	nextGroup, endGroup int
	group               *groupReader
}

func (s *scan) open(ctx context.Context, m morsel) (r *reader, err error) {
	defer caught(&err)
	f := s.files[m.file]
	object, err := s.store.Open(ctx, f.Name)
	if err != nil {
		return nil, err
	}
	r = &reader{s: s, ctx: ctx, file: m.file, object: object}
	if err := r.start(m); err != nil {
		object.Close()
		return nil, err
	}
	return r, nil
}

func (r *reader) start(m morsel) error {
	s := r.s
	f := s.files[m.file]
	if r.object.Size() != f.Size {
		return fmt.Errorf("the file has %d bytes, the table's log says %d", r.object.Size(), f.Size)
	}
	if r.footer = footers.get(s.key(m.file)); r.footer == nil {
		var err error
		if r.footer, err = readFooter(r.object, f.FooterSHA256, r.count); err != nil {
			return err
		}
		rows := int64(0)
		for _, g := range r.footer.groups {
			rows += g.rows
		}
		if rows != f.Rows {
			return fmt.Errorf("the file has %d rows, the table's log says %d", rows, f.Rows)
		}
		footers.put(s.key(m.file), r.footer)
	}
	for i, p := range s.req.Paths {
		column := s.columns[p.Column]
		_, node, err := pathShape(column.Type, r.footer.root.child(column.Name), p.Fields)
		if err != nil {
			return err
		}
		sh, err := newShape(s.types[i], node)
		if err != nil {
			return err
		}
		r.shapes = append(r.shapes, sh)
	}
	groups := len(r.footer.groups)
	r.nextGroup, r.endGroup = groups*m.part/m.of, groups*(m.part+1)/m.of
	return nil
}

func (r *reader) count(n int) { r.s.report.BytesRead.Add(int64(n)) }

func (r *reader) Close() error {
	if r.group != nil {
		r.group.finish()
		r.group = nil
	}
	return r.object.Close()
}

func (r *reader) Next() (vec.Batch, error) {
	b, err := r.next()
	if err != nil && err != io.EOF {
		err = r.s.fault(r.ctx, r.file, err)
	}
	return b, err
}

func (r *reader) next() (b vec.Batch, err error) {
	defer caught(&err)
	for {
		if err := r.ctx.Err(); err != nil {
			return vec.Batch{}, err
		}
		if r.group == nil {
			if r.nextGroup == r.endGroup {
				return vec.Batch{}, io.EOF
			}
			if r.group, err = r.openGroup(r.nextGroup); err != nil {
				return vec.Batch{}, err
			}
			r.nextGroup++
			if r.group != nil {
				r.s.report.RowsRead.Add(r.group.group.rows)
			}
			continue
		}
		b, err := r.group.next()
		if err == io.EOF {
			r.group.finish()
			r.group = nil
			continue
		}
		return b, err
	}
}

// constant is the value of a path that the file does not have: one row.
func (r *reader) constant(path int) arrow.Array {
	p := r.s.req.Paths[path]
	v, ok := r.s.files[r.file].Constants[r.s.columns[p.Column].Name]
	if !ok || v == nil || len(p.Fields) > 0 {
		return vec.Nulls(r.s.types[path], 1)
	}
	return vec.FromValue(r.s.types[path], v)
}

// groupReader reads the rows of one row group for which all conjuncts are true.
type groupReader struct {
	r       *reader
	group   *group
	columns []pathReader
	filters []*filter // that are still to be decided by row, in the order in which they run
	live    []rowRange
	step    int64 // rows of a batch
}

type rowRange struct{ from, to int64 }

// pathReader reads one path in a row group.
type pathReader struct {
	shape    *shape
	constant arrow.Array // one row; where the file lacks the column
	leaves   []*columnReader
	entries  *array.String // of a text leaf that is given out coded
}

// filter is a conjunct in a row group.
type filter struct {
	*conjunct
	cost    int64  // compressed bytes of its columns
	matches []bool // by dictionary entry, the last one for NULL; nil where rows are looked at
}

// openGroup prepares row group i; nil if it holds no wanted row.
func (r *reader) openGroup(i int) (*groupReader, error) {
	s := r.s
	g := &groupReader{r: r, group: &r.footer.groups[i]}
	s.report.RowGroups.Add(1)
	if g.group.rows == 0 {
		return nil, nil
	}
	g.live = []rowRange{{0, g.group.rows}}
	for p := range s.req.Paths {
		c := pathReader{shape: &r.shapes[p]}
		if c.shape.node == nil {
			c.constant = r.constant(p)
		}
		for _, n := range c.shape.leaves(nil) {
			c.leaves = append(c.leaves, g.column(n, c.shape))
		}
		g.columns = append(g.columns, c)
	}
	if keep, err := g.prune(); err != nil || !keep {
		return nil, err
	}
	g.step = batchRows
	if len(g.columns) == 0 {
		g.step = g.group.rows // rows are only counted
	}
	if s.req.BatchRows > 0 {
		g.step = int64(s.req.BatchRows)
	}
	var bytes int64
	for _, c := range g.columns {
		for _, l := range c.leaves {
			bytes += l.chunk.uncompressed
		}
	}
	if perRow := bytes / g.group.rows; perRow > 0 {
		g.step = max(1, min(g.step, batchBytes/perRow))
	}
	return g, nil
}

func (g *groupReader) column(n *node, sh *shape) *columnReader {
	c := &g.group.chunks[n.leaf]
	reader := &columnReader{node: n, chunk: c, rows: g.group.rows, current: -1}
	reader.in = chunkBytes{file: g.r.object, chunk: c.pages, count: g.r.count}
	reader.coded = sh.isLeaf() && isText(sh.t) && c.coded && c.hasDict
	reader.slot = slotLevel(g.r.footer, n)
	return reader
}

// slotLevel is the definition level at which the nearest repeated node above a leaf has an element.
func slotLevel(f *footer, leaf *node) uint8 {
	level := 0
	for n := &f.root; n != leaf; {
		i := len(n.children) - 1
		for n.children[i].leaf > leaf.leaf {
			i--
		}
		if n = n.children[i]; n.repetition == repeated {
			level = n.def
		}
	}
	return uint8(level)
}

// finish counts the pages that were spared.
func (g *groupReader) finish() {
	for _, c := range g.columns {
		for _, l := range c.leaves {
			g.r.s.report.Pages.Add(int64(len(l.places)))
			g.r.s.report.PagesPruned.Add(int64(len(l.places) - l.loaded))
		}
	}
}

// next returns the next rows for which all filters are true.
func (g *groupReader) next() (vec.Batch, error) {
	s := g.r.s
	for len(g.live) > 0 {
		lo := g.live[0].from
		hi := min(lo+g.step, g.live[0].to)
		if g.live[0].from = hi; hi == g.live[0].to {
			g.live = g.live[1:]
		}
		w := window{g: g, lo: lo, hi: hi, all: true, cols: make([]arrow.Array, len(g.columns))}
		if s.req.Off.Late {
			for p := range g.columns {
				if _, err := w.column(p); err != nil {
					return vec.Batch{}, err
				}
			}
		}
		for _, f := range g.filters {
			if err := w.apply(f); err != nil {
				return vec.Batch{}, err
			}
			if w.len() == 0 {
				break
			}
		}
		if w.len() == 0 {
			continue
		}
		for p := range g.columns {
			if _, err := w.column(p); err != nil {
				return vec.Batch{}, err
			}
		}
		return vec.Batch{Len: w.len(), Cols: w.cols}, nil
	}
	return vec.Batch{}, io.EOF
}

// window is a batch in the making: of the rows [lo, hi) those that sel lists, from lo, or all. Columns that are read already
// have exactly these rows.
type window struct {
	g      *groupReader
	lo, hi int64
	sel    []int32
	all    bool
	cols   []arrow.Array
}

func (w *window) len() int {
	if w.all {
		return int(w.hi - w.lo)
	}
	return len(w.sel)
}

// column reads a path's values for the rows of the window.
func (w *window) column(p int) (arrow.Array, error) {
	if w.cols[p] != nil {
		return w.cols[p], nil
	}
	a, err := w.g.columns[p].read(w)
	if err == nil && a.Len() != w.len() {
		err = fmt.Errorf("column %q has %d values for %d rows", w.g.r.s.columns[w.g.r.s.req.Paths[p].Column].Name, a.Len(), w.len())
	}
	w.cols[p] = a
	return a, err
}

func (c *pathReader) read(w *window) (arrow.Array, error) {
	if c.constant != nil {
		return vec.Column(vec.Datum{Arr: c.constant, Const: true}, w.len()), nil
	}
	from := make(map[int]*leafValues, len(c.leaves))
	for _, l := range c.leaves {
		v := &leafValues{levels: !c.shape.isLeaf()}
		if err := l.read(v, w.lo, w.hi, w.sel, w.all); err != nil {
			return nil, fmt.Errorf("column %q: %w", l.node.name, err)
		}
		from[l.node.leaf] = v
		if l.coded {
			entries, err := l.text()
			if err != nil {
				return nil, err
			}
			return v.array(c.shape.t, entries)
		}
	}
	return c.shape.assemble(from, 0, 0, w.len())
}

// apply keeps the rows for which f is true.
func (w *window) apply(f *filter) error {
	cols := make([]arrow.Array, len(f.paths))
	for i, p := range f.paths {
		var err error
		if cols[i], err = w.column(p); err != nil {
			return err
		}
	}
	var rows []int32
	if f.matches != nil {
		rows = matchingRows(cols[0].(*array.Dictionary), f.matches)
	} else {
		var all bool
		var err error
		if rows, all, err = expr.Select([]expr.Expr{f.local}, vec.Batch{Len: w.len(), Cols: cols}, w.g.r.s.session); err != nil {
			return queryError{err}
		}
		if all {
			return nil
		}
	}
	w.keep(rows)
	return nil
}

// keep drops all rows but the given ones, which count from the window's present rows.
func (w *window) keep(rows []int32) {
	if len(rows) == w.len() {
		return
	}
	for p, a := range w.cols {
		if a != nil {
			w.cols[p] = vec.Take(a, rows)
		}
	}
	if w.all {
		w.all, w.sel = false, rows
		return
	}
	kept := make([]int32, len(rows))
	for i, r := range rows {
		kept[i] = w.sel[r]
	}
	w.sel = kept
}

// matchingRows returns the rows whose entry matches.
func matchingRows(a *array.Dictionary, matches []bool) []int32 {
	codes := vec.Codes(a)
	rows := make([]int32, 0, len(codes))
	null := len(matches) - 1
	if vec.NullCount(a) == 0 {
		for i, c := range codes {
			if matches[c] {
				rows = append(rows, int32(i))
			}
		}
		return rows
	}
	for i, c := range codes {
		if a.IsNull(i) {
			c = int32(null)
		}
		if matches[c] {
			rows = append(rows, int32(i))
		}
	}
	return rows
}

// queryError marks an error of the query, not of the file.
type queryError struct{ error }
