package engine

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/trailql/trailql/engine/bind"
	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
)

// executed is the statement that an EXECUTE, or an EXPLAIN of one, stands for. Its places are in a text of its own.
type executed struct {
	statement sql.Statement
	label     string // what it is called in errors
	text      string
	at        sqlerr.Pos // where the EXECUTE stands
}

// execute finds what st executes; nil if it is no EXECUTE.
func (s Session) execute(st sql.Statement) (*executed, error) {
	explain, _ := st.(*sql.Explain)
	if explain != nil {
		st = explain.Statement
	}
	e, ok := st.(*sql.Execute)
	if !ok {
		return nil, nil
	}
	x := &executed{label: "the statement", text: e.Text, at: e.Pos()}
	if e.Name != nil {
		var err error
		if x.text, err = s.prepared(*e.Name); err != nil {
			return nil, err
		}
		x.label = fmt.Sprintf("prepared statement %q", lowered(*e.Name))
	}
	var err error
	if x.statement, err = sql.ParseUsing(x.text, e.Using); err != nil {
		return nil, x.placed(err)
	}
	inner := x.statement
	if e, ok := inner.(*sql.Explain); ok {
		inner = e.Statement
	}
	switch inner.(type) {
	case *sql.Prepare, *sql.Execute, *sql.Deallocate:
		return nil, sqlerr.New(sqlerr.Syntax, x.at, "%s is a PREPARE, EXECUTE or DEALLOCATE, which cannot be executed", x.label)
	}
	if explain != nil {
		outer := *explain
		outer.Statement = x.statement
		x.statement = &outer
	}
	return x, nil
}

// placed is an error of the statement as whoever wrote the EXECUTE can find it.
func (x *executed) placed(err error) error {
	e, ok := err.(*sqlerr.Error) //nolint:errorlint // one that is wrapped has no place to be shown at
	if x == nil || !ok || e.Pos == 0 {
		return err
	}
	out := *e
	line, column := sqlerr.LineColumn(x.text, e.Pos)
	out.Pos, out.Msg = x.at, fmt.Sprintf("%s, line %d:%d: %s", x.label, line, column, e.Msg)
	return &out
}

func (s Session) prepared(name sql.Ident) (text string, err error) {
	text, ok := s.Prepared[lowered(name)]
	if ok {
		return text, nil
	}
	e := sqlerr.New(sqlerr.Name, name.Pos(), "prepared statement %q does not exist", name.Name)
	if near := sqlerr.Nearest(name.Name, slices.Sorted(maps.Keys(s.Prepared))); near != "" {
		return "", e.WithHint("did you mean %q?", near)
	}
	return "", e.WithHint("make it with PREPARE %s FROM SELECT …", sqlName(name.Name))
}

// prepare keeps the statement's text. Names in it are looked up when it is executed.
func (q *query) prepare(st *sql.Prepare) (*table, error) {
	c := Change{Action: PrepareAction, Name: lowered(st.Name), Value: q.text[st.First-1 : st.Last]}
	return q.changed(c, sqlName(c.Name)+" is prepared")
}

func (q *query) deallocate(st *sql.Deallocate) (*table, error) {
	if _, err := q.session.prepared(st.Name); err != nil {
		return nil, err
	}
	name := lowered(st.Name)
	return q.changed(Change{Action: DeallocateAction, Name: name}, sqlName(name)+" is forgotten")
}

// describePrepared lists the parameters of a prepared statement, or the columns of its answer.
func (q *query) describePrepared(st *sql.DescribePrepared) (*table, error) {
	text, err := q.session.prepared(st.Name)
	if err != nil {
		return nil, err
	}
	x := &executed{label: fmt.Sprintf("prepared statement %q", lowered(st.Name)), text: text, at: st.Pos()}
	inner, err := sql.Parse(text)
	if err != nil {
		return nil, x.placed(err)
	}
	params := 0
	for _, t := range sql.Tokens(text) {
		if t.Kind == sql.OperatorToken && text[t.Start] == '?' {
			params++
		}
	}
	types := slices.Repeat([]sqltype.Type{sqltype.UnknownType}, params)
	var node plan.Node
	if query, ok := inner.(*sql.Query); ok {
		if node, types, err = q.describe(query, params); err != nil {
			return nil, x.placed(err)
		}
	}
	if !st.Output {
		t := &table{columns: []plan.Column{{Name: "Position", Type: sqltype.BigIntType}, {Name: "Type", Type: sqltype.VarcharType}}}
		for i, typ := range types {
			t.add(int64(i), typ.String())
		}
		return t, nil
	}
	if node == nil {
		return nil, sqlerr.New(sqlerr.Unknown, st.Pos(), "%s is no query: what it answers is not described", x.label)
	}
	t := newTable("Column Name", "Catalog", "Schema", "Table", "Type", "Type Size", "Aliased")
	t.columns[5].Type, t.columns[6].Type = sqltype.BigIntType, sqltype.BooleanType
	for i, c := range plan.ShownNames(node.Schema()) {
		table, column := origin(node, i)
		var catalog, schema any = "", ""
		if table != "" {
			catalog, schema = cmp.Or(q.session.Catalog, fn.CatalogName), cmp.Or(q.session.Schema, fn.DefaultSchema)
		}
		t.add(c.Name, catalog, schema, table, c.Type.String(), typeSize(c.Type), node.Schema()[i].Name != "" && c.Name != column)
	}
	return t, nil
}

func (q *query) describe(st *sql.Query, params int) (n plan.Node, types []sqltype.Type, err error) {
	defer planning(&err)
	return bind.Describe(st, params, q.snapshot, &q.exec.Session)
}

// origin finds the table and column that an output column of a plan is read from; "" if it is computed.
func origin(n plan.Node, at int) (table, column string) {
	switch n := n.(type) {
	case *plan.Scan:
		return n.Table.Name(), n.Columns[at].Name
	case *plan.Project:
		if c, ok := n.Exprs[at].(*expr.Column); ok {
			return origin(n.Input, c.Index)
		}
	case *plan.Filter, *plan.Sort, *plan.Limit:
		return origin(n.Inputs()[0], at)
	case *plan.Join:
		left := len(n.Left.Schema())
		if at = n.Kept()[at]; at < left {
			return origin(n.Left, at)
		}
		if n.Kind == plan.InnerJoin || n.Kind == plan.LeftJoin || n.Kind == plan.CrossJoin {
			return origin(n.Right, at-left)
		}
	}
	return "", ""
}

// typeSize is the width of a value in bytes, 0 where values differ in it.
func typeSize(t sqltype.Type) int64 {
	switch t.Kind {
	case sqltype.Boolean, sqltype.TinyInt:
		return 1
	case sqltype.SmallInt:
		return 2
	case sqltype.Integer, sqltype.Real, sqltype.Date, sqltype.IntervalYear:
		return 4
	case sqltype.BigInt, sqltype.Double, sqltype.Time, sqltype.Timestamp, sqltype.TimestampTZ, sqltype.IntervalDay:
		return 8
	case sqltype.Decimal:
		return 16
	}
	return 0
}
