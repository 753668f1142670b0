package engine

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/trailql/trailql/engine/exec"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// showStats has a row per column of a query, then one for all of it, in the form of Trino. The figures are no estimates: the query is run.
// The number of distinct values is approximate; data_size is not told.
func (q *query) showStats(ctx context.Context, st *sql.ShowStats) (*table, error) {
	inner, err := q.plan(st.Query)
	if err != nil {
		return nil, err
	}
	columns := plan.ShownNames(inner.Schema())
	from := &sql.Aliased{Table: &sql.SubqueryTable{Query: st.Query}, Alias: sql.Ident{Name: "s"}}
	figures := &sql.Select{From: []sql.TableExpr{from}}
	// ask adds a figure to the query and returns the ordinal of its column.
	ask := func(e sql.Expr) int {
		figures.Items = append(figures.Items, sql.SelectItem{Expr: e})
		return len(figures.Items) - 1
	}
	call := func(name string, args ...sql.Expr) *sql.Func {
		return &sql.Func{Name: []sql.Ident{{Name: name}}, Args: args, Star: len(args) == 0}
	}
	const none = -1
	type asked struct{ count, distinct, low, high int }
	rows := ask(call("count"))
	var of []asked
	for i, c := range columns {
		name := sql.Ident{Name: fmt.Sprintf("c%d", i)}
		from.Columns = append(from.Columns, name)
		column := &sql.Name{Ident: name}
		a := asked{count: ask(call("count", column)), distinct: none, low: none, high: none}
		switch k := c.Type.Kind; {
		case c.Type.IsInteger(), k == sqltype.Real, k == sqltype.Double, k == sqltype.Decimal, k == sqltype.Date, k == sqltype.Timestamp:
			text := func(name string) int {
				return ask(&sql.CastExpr{Arg: call(name, column), Type: sql.TypeName{Name: "varchar"}})
			}
			a.low, a.high = text("min"), text("max")
			a.distinct = ask(call("approx_distinct", column))
		case k == sqltype.Varchar, k == sqltype.Boolean:
			a.distinct = ask(call("approx_distinct", column))
		}
		of = append(of, a)
	}
	node, err := q.plan(&sql.Query{Body: figures})
	if err != nil {
		return nil, err
	}
	row, err := q.oneRow(ctx, node)
	if err != nil {
		return nil, err
	}
	value := func(at int) any {
		if at == none {
			return nil
		}
		return row[at]
	}
	t := newTable("column_name", "data_size", "distinct_values_count", "nulls_fraction", "row_count", "low_value", "high_value")
	for i := 1; i <= 4; i++ {
		t.columns[i].Type = sqltype.DoubleType
	}
	total := row[rows].(int64)
	for i, a := range of {
		var distinct, nulls any
		count := row[a.count].(int64)
		if n, ok := value(a.distinct).(int64); ok {
			distinct = float64(min(n, count))
		}
		if total > 0 {
			nulls = float64(total-count) / float64(total)
		}
		t.add(columns[i].Name, nil, distinct, nulls, nil, value(a.low), value(a.high))
	}
	t.add(nil, nil, nil, nil, float64(total), nil, nil)
	return t, nil
}

// oneRow runs a plan that has one row and returns its values.
func (q *query) oneRow(ctx context.Context, node plan.Node) ([]any, error) {
	stream, err := exec.Run(ctx, node, q.exec)
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	var row []any
	for {
		b, err := stream.Next()
		if errors.Is(err, io.EOF) {
			return row, nil
		}
		if err != nil {
			return nil, err
		}
		for _, c := range b.Cols {
			row = append(row, vec.Value(c, 0))
		}
	}
}
