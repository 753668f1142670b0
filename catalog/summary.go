package catalog

import (
	"cmp"
	"context"
	"slices"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/prune"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqltype"
)

var _ source.Summarized = (*table)(nil)

// Summary counts rows by what the log knows of files: of each it must be clear that all of its rows are wanted, or none.
func (t *table) Summary(ctx context.Context, req source.Request) (*source.Summary, error) {
	if slices.ContainsFunc(req.Conjuncts, expr.Volatile) {
		return nil, nil
	}
	leaves := make([]string, len(req.Paths))
	for i, p := range req.Paths {
		leaves[i] = t.leaf(p)
	}
	partitions, err := t.snap.summaries(ctx, t.layout.Name)
	if err != nil {
		return nil, err
	}
	var kept []int
	partitions.sift(t.layout, req.Conjuncts, leaves, func(i int) { kept = append(kept, i) })
	sum := &source.Summary{Columns: make([]source.Extent, len(req.Paths))}
	for first := min(1, len(kept)); len(kept) > 0; kept, first = kept[first:], len(kept)-first { // one is enough to see that it cannot be told
		known, err := t.summarize(ctx, sum, req, leaves, kept[:first])
		if err != nil || !known {
			return nil, err
		}
	}
	return sum, nil
}

// summarize adds the rows of partitions; known is false if their number is not known.
func (t *table) summarize(ctx context.Context, sum *source.Summary, req source.Request, leaves []string, partitions []int) (known bool, err error) {
	files, err := t.snap.load(ctx, t.layout.Name, partitions)
	if err != nil {
		return false, err
	}
	for _, f := range files {
		switch judge(req.Conjuncts, &bounds{t.layout, leaves, f.facts, f, f.Rows}) {
		case prune.Never:
			continue
		case prune.Maybe:
			return false, nil
		}
		sum.Rows += f.Rows
		for i := range sum.Columns {
			t.widen(&sum.Columns[i], leaves[i], req.Paths[i], f)
		}
	}
	return true, nil
}

// judge says whether all conjuncts hold for all rows, one for none, or neither is known.
func judge(conjuncts []expr.Expr, b *bounds) prune.Verdict {
	verdict := prune.Always
	for _, c := range conjuncts {
		switch prune.Check(c, b) {
		case prune.Never:
			return prune.Never
		case prune.Maybe:
			verdict = prune.Maybe
		}
	}
	return verdict
}

// widen adds what the log knows exactly of a leaf in one file.
func (t *table) widen(e *source.Extent, leaf string, path source.Path, f *dataFile) {
	nulls, lo, hi := int64(-1), any(nil), any(nil)
	if s, ok := f.stats()[leaf]; ok {
		nulls, lo, hi = s.Nulls, s.Min, s.Max
		if t.columns[path.Column].Type.Kind == sqltype.Timestamp && !f.Canonical {
			lo, hi = nil, nil // the log has milliseconds
		}
	} else if slices.Contains(t.layout.Partitions, leaf) {
		nulls, lo = 0, f.facts.value(leaf)
		if hi = lo; lo == nil {
			nulls = f.Rows
		}
	}
	if nulls < 0 || e.NullsUnknown {
		e.NullsUnknown = true
	} else {
		e.Nulls += nulls
	}
	switch {
	case nulls == f.Rows: // no value, no bounds
	case lo == nil || hi == nil:
		e.BoundsUnknown = true
	case e.Min == nil:
		e.Min, e.Max = lo, hi
	default:
		if compareBounds(lo, e.Min) < 0 {
			e.Min = lo
		}
		if compareBounds(hi, e.Max) > 0 {
			e.Max = hi
		}
	}
}

// compareBounds compares two bounds of one column; floats, which may be NaN beside them, have none here.
func compareBounds(a, b any) int {
	if a, ok := a.(int64); ok {
		return cmp.Compare(a, b.(int64))
	}
	return cmp.Compare(a.(string), b.(string))
}
