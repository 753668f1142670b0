package exec

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/vec"
)

// callInput is what the rows of a batch that count give to an aggregate.
type callInput struct {
	args []vec.Datum
	keys []arrow.Array // to sort by
	some bool          // not all rows count
	rows []int32       // those that do, if not all
}

func inputOf(c *plan.AggregateCall, b vec.Batch, session *fn.Session) (callInput, error) {
	in := callInput{args: make([]vec.Datum, len(c.Args))}
	for i, arg := range c.Args {
		var err error
		if in.args[i], err = expr.Eval(arg, b, session); err != nil {
			return in, err
		}
	}
	for _, key := range c.OrderBy {
		d, err := expr.Eval(key.Expr, b, session)
		if err != nil {
			return in, err
		}
		in.keys = append(in.keys, vec.Column(d, b.Len))
	}
	if c.Filter != nil {
		rows, all, err := expr.Select([]expr.Expr{c.Filter}, b, session)
		if err != nil {
			return in, err
		}
		if !all {
			in.keep(rows)
		}
	}
	if !c.Fn.KeepsNulls {
		if rows, some := withoutNulls(in.args); some {
			in.keep(rows)
		}
	}
	return in, nil
}

// keep drops all rows but these.
func (in *callInput) keep(rows []int32) {
	for i := range in.args {
		if !in.args[i].Const {
			in.args[i].Arr = vec.Take(in.args[i].Arr, rows)
		}
	}
	for i := range in.keys {
		in.keys[i] = vec.Take(in.keys[i], rows)
	}
	if in.some {
		kept := make([]int32, len(rows))
		for i, row := range rows {
			kept[i] = in.rows[row]
		}
		rows = kept
	}
	in.some, in.rows = true, rows
}

// add gives the rows to the accumulator, or keeps them; groups are those of all rows of the batch.
func (c *aggregateCall) add(in callInput, groups []uint32, count int) error {
	if in.some {
		groups = taken(groups, in.rows)
	}
	if len(groups) == 0 {
		return nil
	}
	if c.kept != nil {
		return c.kept.add(in.args, in.keys, groups)
	}
	return c.accumulator.Update(in.args, groups, count)
}

// withoutNulls returns the rows in which no argument is NULL; some is false if these are all.
func withoutNulls(args []vec.Datum) (rows []int32, some bool) {
	var valid *array.Boolean
	for _, arg := range args {
		if arg.Const {
			if arg.Arr.NullN() > 0 || arg.Arr.DataType().ID() == arrow.NULL {
				return nil, true
			}
			continue
		}
		if arg.Arr.NullN() == 0 && arg.Arr.DataType().ID() != arrow.NULL {
			continue
		}
		v := vec.Not(vec.IsNull(arg.Arr))
		if valid != nil {
			v = vec.And(valid, v)
		}
		valid = v
	}
	if valid == nil {
		return nil, false
	}
	return vec.True(valid), true
}

func taken(groups []uint32, rows []int32) []uint32 {
	out := make([]uint32, len(rows))
	for i, row := range rows {
		out[i] = groups[row]
	}
	return out
}
