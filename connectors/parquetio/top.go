package parquetio

import (
	"cmp"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// topN leaves out rows that do not come first (source.TopN). It keeps the best keys that any reader has seen; once there are as many as
// rows are wanted, the last of them is the bound: a row that comes strictly after it, and a file, a row group or a window of rows that
// holds no other, need not be read. Safe for concurrent use.
type topN struct {
	source.TopN
	typ sqltype.Type

	lock  sync.Mutex
	best  arrow.Array // in order, Rows at most; nil: none
	bound arrow.Array // one value; nil: not as many seen yet
}

// newTopN returns nil for a type without an order that statistics and kernels share.
func newTopN(top source.TopN, t sqltype.Type) *topN {
	switch t.Kind {
	case sqltype.Varchar, sqltype.Timestamp, sqltype.Date, sqltype.TinyInt, sqltype.SmallInt, sqltype.Integer, sqltype.BigInt:
		return &topN{TopN: top, typ: t}
	}
	return nil
}

func (t *topN) key(keys arrow.Array) []vec.SortKey {
	return []vec.SortKey{{Arr: keys, Desc: t.Desc, NullsFirst: t.NullsFirst}}
}

// limit is the bound at this moment.
func (t *topN) limit() arrow.Array {
	t.lock.Lock()
	defer t.lock.Unlock()
	return t.bound
}

// beats reports whether enough rows come before all that have keys from lo to hi (nil: unknown) and so many NULLs (-1: unknown).
func (t *topN) beats(lo, hi any, nulls int64) bool {
	bound := t.limit()
	if bound == nil || lo == nil || hi == nil || t.NullsFirst && nulls != 0 {
		return false
	}
	if bound.IsNull(0) {
		return t.NullsFirst // with nulls last, all values come before this bound
	}
	v := vec.Value(bound, 0)
	if t.Desc {
		return compareValues(hi, v) < 0
	}
	return compareValues(lo, v) > 0
}

// choose returns the rows whose keys may come first, and takes note of them; all is true if these are all.
func (t *topN) choose(keys arrow.Array) (rows []int32, all bool, err error) {
	bound := t.limit()
	rows, all, err = t.within(keys, bound)
	if err != nil || !all && len(rows) == 0 {
		return rows, all, err
	}
	candidates := keys
	if !all {
		candidates = vec.Take(keys, rows)
	}
	order := vec.SortFirst(t.key(candidates), candidates.Len(), int(t.Rows))
	closer, err := t.note(vec.Plain(vec.Take(candidates, order)))
	if err != nil || closer == bound {
		return rows, all, err
	}
	return t.within(keys, closer)
}

// within returns the rows that do not come after the bound.
func (t *topN) within(keys, bound arrow.Array) (rows []int32, all bool, err error) {
	switch {
	case bound == nil, bound.IsNull(0) && !t.NullsFirst:
		return nil, true, nil
	case bound.IsNull(0):
		rows = vec.True(vec.IsNull(keys))
		return rows, len(rows) == keys.Len(), nil
	}
	op := vec.Le
	if t.Desc {
		op = vec.Ge
	}
	is, err := vec.Compare(op, t.typ, vec.Datum{Arr: keys}, vec.Datum{Arr: bound, Const: true}, keys.Len())
	if err != nil {
		return nil, false, err
	}
	rows = vec.True(is)
	if t.NullsFirst && vec.NullCount(keys) > 0 {
		rows = append(rows, vec.True(vec.IsNull(keys))...)
		slices.Sort(rows)
	}
	return rows, len(rows) == keys.Len(), nil
}

// note takes sorted keys into the best ones and returns the bound.
func (t *topN) note(keys arrow.Array) (arrow.Array, error) {
	t.lock.Lock()
	defer t.lock.Unlock()
	best := keys
	if t.best != nil {
		both, err := vec.Concat([]arrow.Array{t.best, keys})
		if err != nil {
			return nil, err
		}
		best = vec.Take(both, vec.SortFirst(t.key(both), both.Len(), int(t.Rows)))
	}
	t.best = best
	if int64(best.Len()) == t.Rows {
		t.bound = vec.Take(best, []int32{int32(t.Rows - 1)})
	}
	return t.bound, nil
}

// apply drops the rows of the window that do not come first.
func (t *topN) apply(w *window) error {
	keys, err := w.column(t.Path)
	if err != nil {
		return err
	}
	rows, all, err := t.choose(keys)
	if err != nil {
		return queryError{err}
	}
	if !all {
		w.keep(rows)
	}
	return nil
}

// leaf is the dotted name of a path, as statistics have it.
func (s *scan) leaf(p source.Path) string {
	c := s.columns[p.Column]
	name, t := c.Name, c.Type
	for _, i := range p.Fields {
		name, t = name+"."+strings.ToLower(t.Fields[i].Name), t.Fields[i].Type
	}
	return name
}

// outdone reports whether no row of a file comes first any more.
func (s *scan) outdone(file int) bool {
	if s.top == nil {
		return false
	}
	stats := s.files[file].Stats[s.leaf(s.req.Paths[s.top.Path])]
	return s.top.beats(stats.Min, stats.Max, stats.Nulls)
}

// Order begins with the files that may hold the first rows of a top-N, so that the others need not be read.
func (s *scan) Order() []int {
	if s.top == nil {
		return nil
	}
	leaf := s.leaf(s.req.Paths[s.top.Path])
	var order, unknown []int
	for i, m := range s.morsels {
		if s.files[m.file].Stats[leaf].Min == nil {
			unknown = append(unknown, i)
		} else {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int {
		a, b := s.morsels[i], s.morsels[j]
		if s.top.Desc { // of a file that is sorted by the key, the last part first
			return cmp.Or(compareValues(s.files[b.file].Stats[leaf].Max, s.files[a.file].Stats[leaf].Max), cmp.Compare(b.part, a.part))
		}
		return compareValues(s.files[a.file].Stats[leaf].Min, s.files[b.file].Stats[leaf].Min)
	})
	return append(order, unknown...)
}

// nothing is the reader of a morsel that need not be read.
type nothing struct{}

func (nothing) Next() (vec.Batch, error) { return vec.Batch{}, io.EOF }
func (nothing) Close() error             { return nil }
