package fn

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

var comparisonFunctions = []*Function{
	{
		Name: "greatest", Category: conditions,
		Doc:       "The greatest of the values; NULL if one is NULL.",
		Example:   "greatest(1, 3, 2) → 3",
		Overloads: []Overload{{Sig: "(O...) -> O", Eval: leading(vec.Gt)}},
	},
	{
		Name: "least", Category: conditions,
		Doc:       "The least of the values; NULL if one is NULL.",
		Example:   "least(1, 3, 2) → 1",
		Overloads: []Overload{{Sig: "(O...) -> O", Eval: leading(vec.Lt)}},
	},
	{
		Name: "typeof", Category: conditions, NullCall: true,
		Doc:     "The name of the value's type.",
		Example: "typeof('abc') → 'varchar(3)'",
		Overloads: []Overload{{Sig: "(any) -> varchar", Eval: func(c *Call) (arrow.Array, error) {
			return constant(c, c.Types[0].String())
		}}},
	},
}

// leading keeps, row by row, the argument that compares so with all others.
func leading(op vec.Comparison) body {
	return func(c *Call) (arrow.Array, error) {
		best := vec.Plain(vec.Column(c.Args[0], c.Len))
		for _, d := range c.Args[1:] {
			next := vec.Plain(vec.Column(d, c.Len))
			beats, err := vec.Compare(op, c.Result, vec.Datum{Arr: next}, vec.Datum{Arr: best}, c.Len)
			if err != nil {
				return nil, err
			}
			if k := c.Result.Kind; k == sqltype.Real || k == sqltype.Double { // NaN leads only where there is nothing else, as in Trino
				nan, err := vec.Compare(vec.Ne, c.Result, vec.Datum{Arr: best}, vec.Datum{Arr: best}, c.Len)
				if err != nil {
					return nil, err
				}
				beats = vec.Or(beats.(*array.Boolean), nan.(*array.Boolean))
			}
			won := vec.True(beats)
			if len(won) == 0 {
				continue
			}
			both, err := vec.Concat([]arrow.Array{best, next})
			if err != nil {
				return nil, err
			}
			rows := make([]int32, c.Len)
			for i := range rows {
				rows[i] = int32(i)
			}
			for _, row := range won {
				rows[row] = row + int32(c.Len)
			}
			best = vec.Take(both, rows)
		}
		nulls := c.nulls()
		if nulls == nil {
			return best, nil
		}
		rows := make([]int32, c.Len)
		for i := range rows {
			rows[i] = int32(i)
			if nulls[i] {
				rows[i] = -1
			}
		}
		return vec.Take(best, rows), nil
	}
}
