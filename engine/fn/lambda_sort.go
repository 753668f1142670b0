package fn

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/vec"
)

// run is a stretch of the elements being sorted: two sorted halves that are merged into one.
type run struct {
	row       int32 // of the call
	left, mid int32 // what is left of the first half: from left to mid
	right, to int32 // of the second: from right to to
	out       int32 // where the next element goes
}

// arraySortBy is a merge sort of all rows at once: the runs of one width are merged side by side, so that the lambda compares one pair of each
// run at a time.
func arraySortBy(c *Call) (arrow.Array, error) {
	nulls, elements := c.nulls(), elementsOf(c.Args[0])
	s, err := spreadOf(c, 0, nulls)
	if err != nil {
		return nil, err
	}
	longest := int32(0)
	for row := range c.Len {
		longest = max(longest, s.offsets[row+1]-s.offsets[row])
	}
	order, merged := s.at, make([]int32, len(s.at))
	for width := int32(1); width < longest; width *= 2 {
		copy(merged, order) // runs without a second half stay
		var runs []run
		for row := range c.Len {
			end := s.offsets[row+1]
			for from := s.offsets[row]; from+width < end; from += 2 * width {
				runs = append(runs, run{int32(row), from, from + width, from + width, min(end, from+2*width), from})
			}
		}
		if err := mergeRuns(c, elements, runs, order, merged); err != nil {
			return nil, err
		}
		order, merged = merged, order
	}
	return listArray(c.Result, s.offsets, vec.Take(elements, order), nulls), nil
}

// mergeRuns merges the runs of order into merged.
func mergeRuns(c *Call, elements arrow.Array, runs []run, order, merged []int32) error {
	for len(runs) > 0 {
		rows, a, b := make([]int32, len(runs)), make([]int32, len(runs)), make([]int32, len(runs))
		for i, r := range runs {
			rows[i], a[i], b[i] = r.row, order[r.left], order[r.right]
		}
		signs, err := c.Lambdas[0]([]arrow.Array{vec.Take(elements, a), vec.Take(elements, b)}, rows)
		if err != nil {
			return err
		}
		values, open := fixed[int32](signs), runs[:0]
		for i, r := range runs {
			switch {
			case !vec.IsValid(signs, i) || values[i] < -1 || values[i] > 1:
				return valueError("the lambda of array_sort must give -1, 0 or 1")
			case values[i] <= 0:
				merged[r.out] = a[i]
				r.left++
			default:
				merged[r.out] = b[i]
				r.right++
			}
			r.out++
			switch {
			case r.right == r.to:
				copy(merged[r.out:r.to], order[r.left:r.mid])
			case r.left < r.mid: // else the rest of the second half is in its place
				open = append(open, r)
			}
		}
		runs = open
	}
	return nil
}
