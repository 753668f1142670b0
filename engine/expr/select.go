package expr

import (
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/vec"
)

// Select returns the rows of b for which all conjuncts are true, in order; all means every row, and rows is nil then.
// The conjuncts are taken from left to right; one that can fail sees only the rows that the ones before left, as does any other
// once most rows are gone. Columns of b that no conjunct uses may be nil.
func Select(conjuncts []Expr, b vec.Batch, s *fn.Session) (rows []int32, all bool, err error) {
	all = true
	if b.Len == 0 {
		return nil, true, nil
	}
	ev := evaluator{b, s}
	for _, c := range conjuncts {
		if !all && len(rows) == 0 {
			return rows, false, nil
		}
		narrowed := !all && (CanFail(c) || len(rows) < b.Len/2)
		at := ev
		if narrowed {
			at = ev.narrow(rows, c)
		}
		d, err := at.boolean(c)
		if err != nil {
			return nil, false, err
		}
		hits := vec.True(d.Arr)
		switch {
		case d.Const && len(hits) > 0 || len(hits) == at.Len:
		case d.Const:
			return []int32{}, false, nil
		case narrowed:
			for i, h := range hits {
				hits[i] = rows[h]
			}
			rows = hits
		case all:
			rows, all = hits, false
		default:
			rows = intersect(rows, hits)
		}
	}
	return rows, all, nil
}

// intersect returns the numbers that are in both sorted lists; it reuses the memory of a.
func intersect(a, b []int32) []int32 {
	out := a[:0]
	j := 0
	for _, v := range a {
		for j < len(b) && b[j] < v {
			j++
		}
		if j < len(b) && b[j] == v {
			out = append(out, v)
		}
	}
	return out
}
