package parquetio

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/prune"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// prune decides what it can without reading rows, from the cheapest source to the dearest: statistics, bloom filters,
// dictionaries, page statistics. keep is false if no row is wanted; otherwise filters and live ranges are set.
func (g *groupReader) prune() (keep bool, err error) {
	s := g.r.s
	off := s.req.Off
	if s.top != nil {
		lo, hi := groupStats{g}.Bounds(s.top.Path)
		nulls, _ := groupStats{g}.Nulls(s.top.Path)
		if s.top.beats(lo, hi, nulls) {
			s.report.RowGroupsByStats.Add(1)
			return false, nil
		}
	}
	var skips []*filter
	for i := range s.conjuncts {
		f := &filter{conjunct: &s.conjuncts[i]}
		if !off.RowGroup {
			switch prune.Check(f.e, groupStats{g}) {
			case prune.Never:
				s.report.RowGroupsByStats.Add(1)
				return false, nil
			case prune.Always:
				continue
			}
		}
		if f.skips {
			skips = append(skips, f)
			continue
		}
		for _, p := range f.paths {
			for _, l := range g.columns[p].leaves {
				f.cost += l.chunk.pages.length
			}
		}
		g.filters = append(g.filters, f)
	}
	g.fetchIndexes(slices.Concat(g.filters, skips))
	if !off.Bloom {
		for _, f := range slices.Concat(g.filters, skips) {
			none, err := g.bloomExcludes(f)
			if err != nil {
				return false, err
			}
			if none {
				s.report.RowGroupsByBloom.Add(1)
				return false, nil
			}
		}
	}
	// Cheap columns first, so that dear ones are read for fewer rows; conjuncts that can fail keep their order, behind those
	// that cannot, and so fail on no row on which they would not have failed before.
	slices.SortStableFunc(g.filters, func(a, b *filter) int {
		switch {
		case a.canFail && b.canFail:
			return 0
		case a.canFail:
			return 1
		case b.canFail:
			return -1
		}
		return cmp.Compare(a.cost, b.cost)
	})
	if !off.Dictionary {
		none, err := g.matchDictionaries()
		if err != nil {
			return false, err
		}
		if none {
			s.report.RowGroupsByDictionary.Add(1)
			return false, nil
		}
	}
	if !off.Page {
		if err := g.prunePages(); err != nil {
			return false, err
		}
	}
	return true, nil
}

// single returns the one leaf of the one path that f uses, nil if it uses other.
func (g *groupReader) single(f *filter) *columnReader {
	if len(f.paths) != 1 || len(g.columns[f.paths[0]].leaves) != 1 || !g.columns[f.paths[0]].shape.isLeaf() {
		return nil
	}
	return g.columns[f.paths[0]].leaves[0]
}

// groupStats are the statistics of a row group.
type groupStats struct{ g *groupReader }

func (s groupStats) Bounds(path int) (min, max any) {
	c := &s.g.columns[path]
	switch {
	case c.constant != nil:
		return constantBounds(c.constant, c.shape.t)
	case !c.shape.isLeaf():
		return nil, nil
	}
	return c.leaves[0].chunk.stats.bounds(c.shape.t)
}

func (s groupStats) Nulls(path int) (nulls, rows int64) {
	c := &s.g.columns[path]
	rows = s.g.group.rows
	switch {
	case c.constant != nil:
		return rows * int64(vec.NullCount(c.constant)), rows
	case !c.shape.isLeaf():
		return -1, rows
	}
	return c.leaves[0].chunk.stats.nulls, rows
}

func (s groupStats) Canonical(path int) bool { return s.g.canonical(path) }

func (g *groupReader) canonical(path int) bool {
	p := g.r.s.req.Paths[path]
	return g.r.s.files[g.r.file].Canonical && len(p.Fields) == 0 && g.r.s.columns[p.Column].Name == "eventtime"
}

func constantBounds(a arrow.Array, t sqltype.Type) (min, max any) {
	switch t.Kind {
	case sqltype.Row, sqltype.Array, sqltype.Map:
		return nil, nil
	}
	v := vec.Value(a, 0)
	switch v.(type) {
	case bool, int64, string:
		return v, v
	}
	return nil, nil
}

// bounds gives the statistics as Go values, nil where they cannot be trusted: if only one is there, if an empty maximum stands beside
// another minimum (arrow-go's sign for one that was too long), if they are out of order. Floats are left out: their
// statistics do not say whether a NaN is among the values.
func (s *rawStats) bounds(t sqltype.Type) (min, max any) {
	if !s.hasMin || !s.hasMax || len(s.max) == 0 && len(s.min) > 0 {
		return nil, nil
	}
	lo, ok1 := boundValue(s.min, t)
	hi, ok2 := boundValue(s.max, t)
	if !ok1 || !ok2 || compareValues(lo, hi) > 0 {
		return nil, nil
	}
	return lo, hi
}

func boundValue(raw []byte, t sqltype.Type) (v any, ok bool) {
	switch t.Kind {
	case sqltype.Boolean:
		if len(raw) == 1 && raw[0] <= 1 {
			return raw[0] == 1, true
		}
	case sqltype.TinyInt, sqltype.SmallInt, sqltype.Integer, sqltype.Date:
		if len(raw) == 4 {
			return int64(int32(binary.LittleEndian.Uint32(raw))), true
		}
	case sqltype.BigInt, sqltype.Timestamp:
		if len(raw) == 8 {
			return int64(binary.LittleEndian.Uint64(raw)), true
		}
	case sqltype.Varchar, sqltype.JSON:
		return string(raw), true
	}
	return nil, false
}

// matchDictionaries runs each filter over one dictionary-coded text column once per entry. none means that no entry matches
// for some filter.
func (g *groupReader) matchDictionaries() (none bool, err error) {
	left := g.filters[:0]
	for _, f := range g.filters {
		l := g.single(f)
		if l == nil || !l.coded {
			left = append(left, f)
			continue
		}
		entries, err := l.text()
		if err != nil {
			return false, fmt.Errorf("column %q: %w", l.node.name, err)
		}
		codes := make([]int32, entries.Len()+1)
		for i := range codes {
			codes[i] = int32(i)
		}
		codes[entries.Len()] = -1
		each := vec.EncodeDictionary(entries, codes)
		rows, all, err := expr.Select([]expr.Expr{f.local}, vec.Batch{Len: len(codes), Cols: []arrow.Array{each}}, g.r.s.session)
		if err != nil {
			left = append(left, f) // it fails on some entry, maybe of a row that another filter drops
			continue
		}
		if all {
			continue
		}
		f.matches = make([]bool, len(codes))
		for _, r := range rows {
			f.matches[r] = true
		}
		hits := len(rows)
		if f.matches[entries.Len()] {
			hits--
		}
		nulls := l.chunk.stats.nulls
		switch {
		case hits == 0 && (nulls == 0 || !f.matches[entries.Len()]):
			return true, nil
		case hits == entries.Len() && nulls == 0:
		default:
			left = append(left, f)
		}
	}
	g.filters = left
	return false, nil
}

// prunePages narrows live by the column indexes of filters over one leaf.
func (g *groupReader) prunePages() error {
	for _, f := range g.filters {
		l := g.single(f)
		if l == nil || l.chunk.columnIndex.length == 0 || l.chunk.columnIndex.length > maxPage || l.node.rep > 0 {
			continue
		}
		if err := l.open(); err != nil {
			return err
		}
		data := make([]byte, l.chunk.columnIndex.length)
		if err := readAt(g.r.object, data, l.chunk.columnIndex.offset); err != nil {
			return err
		}
		g.r.count(len(data))
		pages, err := parseColumnIndex(data)
		if err != nil {
			return err
		}
		if len(pages) != len(l.places) {
			return fmt.Errorf("the page index has %d places and %d statistics", len(l.places), len(pages))
		}
		var live []rowRange
		for i := range pages {
			first, end := l.places[i].first, l.end(i)
			if prune.Check(f.e, pageStats{g: g, path: f.paths[0], raw: &pages[i], rows: end - first}) == prune.Never {
				continue
			}
			if n := len(live); n > 0 && live[n-1].to == first {
				live[n-1].to = end
			} else {
				live = append(live, rowRange{first, end})
			}
		}
		g.live = intersectRanges(g.live, live)
	}
	return nil
}

func intersectRanges(a, b []rowRange) (out []rowRange) {
	for len(a) > 0 && len(b) > 0 {
		if from, to := max(a[0].from, b[0].from), min(a[0].to, b[0].to); from < to {
			out = append(out, rowRange{from, to})
		}
		if a[0].to < b[0].to {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}
	return out
}

// pageStats are the statistics of one page of one column.
type pageStats struct {
	g    *groupReader
	path int
	raw  *rawStats
	rows int64
}

func (s pageStats) Bounds(path int) (min, max any) {
	return s.raw.bounds(s.g.columns[s.path].shape.t)
}

func (s pageStats) Nulls(path int) (nulls, rows int64) { return s.raw.nulls, s.rows }
func (s pageStats) Canonical(path int) bool            { return s.g.canonical(path) }

// parseColumnIndex gives the statistics of each page.
func parseColumnIndex(data []byte) ([]rawStats, error) {
	var onlyNulls []bool
	var mins, maxs [][]byte
	var nulls []int64
	r := &thriftReader{data: data}
	texts := func(into *[][]byte) {
		r.list(func(_ int, kind byte) { *into = append(*into, r.bytes()) })
	}
	r.fields(func(id int16, kind byte) {
		switch {
		case id == 1 && kind == thriftList:
			r.list(func(_ int, kind byte) { onlyNulls = append(onlyNulls, r.byte() == thriftTrue) })
		case id == 2 && kind == thriftList:
			texts(&mins)
		case id == 3 && kind == thriftList:
			texts(&maxs)
		case id == 5 && kind == thriftList:
			r.list(func(_ int, kind byte) { nulls = append(nulls, r.int()) })
		default:
			r.skip(kind)
		}
	})
	if r.err != nil {
		return nil, r.err
	}
	if len(mins) != len(onlyNulls) || len(maxs) != len(onlyNulls) || nulls != nil && len(nulls) != len(onlyNulls) {
		return nil, errors.New("the page statistics are damaged")
	}
	pages := make([]rawStats, len(onlyNulls))
	for i := range pages {
		pages[i] = rawStats{min: mins[i], max: maxs[i], hasMin: !onlyNulls[i], hasMax: !onlyNulls[i], nulls: -1}
		if nulls != nil && nulls[i] >= 0 {
			pages[i].nulls = nulls[i]
		}
	}
	return pages, nil
}
