package bind

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// Functions that only the binder calls: they have no name in SQL.
var (
	arrayConstructor = &fn.Function{Name: "array", NullCall: true, Overloads: []fn.Overload{{Eval: buildArrays}}}
	rowConstructor   = &fn.Function{Name: "row", NullCall: true, Overloads: []fn.Overload{{Eval: buildRows}}}
	singleRow        = &fn.Function{Name: "single_row", NullCall: true, CanFail: true, Overloads: []fn.Overload{{Eval: checkSingleRow}}}
)

func construct(f *fn.Function, t sqltype.Type, args []expr.Expr, at sqlerr.Pos) expr.Expr {
	return &expr.Call{Fn: f, Overload: &f.Overloads[0], Args: args, T: t, Memo: &fn.Memo{}, Pos: at}
}

func (x *exprs) arrayExpr(e *sql.ArrayExpr) expr.Expr {
	elems := x.list(e.Elems)
	t := commonType(elems, func(i int) sqlerr.Pos { return e.Elems[i].Pos() }, "ARRAY")
	for i := range elems {
		elems[i] = coerce(elems[i], t)
	}
	return construct(arrayConstructor, sqltype.ArrayOf(t), elems, e.Pos())
}

func (x *exprs) rowExpr(e *sql.RowExpr) expr.Expr {
	elems := x.list(e.Elems)
	fields := make([]sqltype.Field, len(elems))
	for i, el := range elems {
		fields[i].Type = el.Type()
	}
	return construct(rowConstructor, sqltype.RowOf(fields...), elems, e.Pos())
}

func (x *exprs) list(es []sql.Expr) []expr.Expr {
	out := make([]expr.Expr, len(es))
	for i, e := range es {
		out[i] = x.expr(e)
	}
	return out
}

// buildArrays makes of n columns one of arrays with n elements.
func buildArrays(c *fn.Call) (arrow.Array, error) {
	n := len(c.Args)
	offsets := make([]int32, c.Len+1)
	for i := range offsets {
		offsets[i] = int32(i * n)
	}
	values := vec.Nulls(*c.Result.Elem, 0)
	if n > 0 {
		columns := make([]arrow.Array, n)
		for i, a := range c.Args {
			columns[i] = full(a, c.Len)
		}
		all, err := vec.Concat(columns)
		if err != nil {
			return nil, err
		}
		rows := make([]int32, 0, c.Len*n)
		for row := range c.Len {
			for column := range n {
				rows = append(rows, int32(column*c.Len+row))
			}
		}
		values = vec.Take(all, rows)
	}
	data := array.NewData(c.Result.Arrow(), c.Len,
		[]*memory.Buffer{nil, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(offsets))}, []arrow.ArrayData{values.Data()}, 0, 0)
	return array.NewListData(data), nil
}

// buildRows makes of n columns one of rows with n fields.
func buildRows(c *fn.Call) (arrow.Array, error) {
	children := make([]arrow.ArrayData, len(c.Args))
	for i, a := range c.Args {
		children[i] = full(a, c.Len).Data()
	}
	return array.NewStructData(array.NewData(c.Result.Arrow(), c.Len, []*memory.Buffer{nil}, children, 0, 0)), nil
}

// full is the argument as a plain column of n rows.
func full(a vec.Datum, n int) arrow.Array { return vec.Plain(vec.Column(a, n)) }

// checkSingleRow takes the number of rows of a scalar subquery and its value.
func checkSingleRow(c *fn.Call) (arrow.Array, error) {
	counts := full(c.Args[0], c.Len).(*array.Int64)
	for i := range c.Len {
		if counts.Value(i) > 1 {
			return nil, sqlerr.New(sqlerr.Value, 0, "a subquery used as a value gave more than one row").
				WithHint("aggregate it, or add LIMIT 1")
		}
	}
	return full(c.Args[1], c.Len), nil
}
