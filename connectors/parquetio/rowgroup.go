package parquetio

import (
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/vec"
)

// groupReader reads the rows of one row group for which all conjuncts are true.
type groupReader struct {
	r       *reader
	group   *group
	columns []pathReader
	filters []*filter // that are still to be decided by row, in the order in which they run
	live    []rowRange
	step    int64 // rows of a batch

	// Of a store far away: up to which row all columns are on their way, how many rows ahead of the current ones, and how many at most.
	fetched, ahead, window int64
}

type rowRange struct{ from, to int64 }

// pathReader reads one path in a row group.
type pathReader struct {
	shape    *shape
	constant arrow.Array // one row; where the file lacks the column
	leaves   []*columnReader
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
		g.release()
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
	reader := &columnReader{node: n, chunk: c, rows: g.group.rows, current: -1, buffers: spareBuffers.Get().(*buffers)}
	reader.window = reader.window[:0]
	reader.in = chunkBytes{file: g.r.object, chunk: c.pages, count: g.r.count}
	_, reader.in.exact = g.r.object.(*ranges)
	reader.coded = sh.isLeaf() && isText(sh.t) && c.coded && c.hasDict
	if reader.list = listAbove(g.r.footer, n); reader.list != nil {
		reader.slot = uint8(reader.list.def)
	}
	return reader
}

// listAbove is the nearest repeated node above a leaf, nil if there is none.
func listAbove(f *footer, leaf *node) (list *node) {
	for n := &f.root; n != leaf; {
		i := len(n.children) - 1
		for n.children[i].leaf > leaf.leaf {
			i--
		}
		if n = n.children[i]; n.repetition == repeated {
			list = n
		}
	}
	return list
}

// finish counts the pages that were spared and gives back the buffers.
func (g *groupReader) finish() {
	for _, c := range g.columns {
		for _, l := range c.leaves {
			g.r.s.report.Pages.Add(int64(len(l.places)))
			g.r.s.report.PagesPruned.Add(int64(len(l.places) - l.loaded))
		}
	}
	g.release()
}

// release gives back the buffers of the columns.
func (g *groupReader) release() {
	for _, c := range g.columns {
		for _, l := range c.leaves {
			l.release()
		}
	}
}

// end is where the last chunk of the group ends in the file.
func (g *groupReader) end() (end int64) {
	for i := range g.group.chunks {
		end = max(end, g.group.chunks[i].pages.end())
	}
	return end
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
		if s.top != nil && w.len() > 0 {
			if err := s.top.apply(&w); err != nil {
				return vec.Batch{}, err
			}
		}
		if w.len() == 0 {
			continue
		}
		if err := g.fetchLate(lo, hi); err != nil {
			return vec.Batch{}, err
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
