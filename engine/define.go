package engine

import (
	"context"
	"strings"

	"github.com/trailql/trailql/engine/bind"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
)

// definer is the catalog as one that statements may define relations in.
func (q *query) definer(at sqlerr.Pos) (source.Definer, error) {
	if d, ok := q.catalog.(source.Definer); ok {
		return d, nil
	}
	return nil, sqlerr.New(sqlerr.Unknown, at, "views and tables cannot be made or dropped here")
}

// done is the answer of a statement that has no rows to give.
func done(text string) *table {
	t := newTable("result")
	t.add(text)
	return t
}

// createView binds the query of the view before the catalog keeps its text: the columns must have names, and it must not name itself.
func (q *query) createView(ctx context.Context, st *sql.CreateView) (*table, error) {
	catalog, err := q.definer(st.Pos())
	if err != nil {
		return nil, err
	}
	name := q.exec.Session.Qualified(parts(st.Name))
	q.exec.Session.Schema = "" // names in a view are looked up where the view is
	if len(name) > 1 {
		q.exec.Session.Schema = name[len(name)-2]
	}
	node, err := q.plan(st.Query)
	if err != nil {
		return nil, err
	}
	names := columnNames(node.Schema())
	if len(st.Columns) > 0 {
		if len(st.Columns) != len(names) {
			return nil, sqlerr.New(sqlerr.Name, st.Columns[0].Pos(), "the query has %d columns, the list names %d", len(names), len(st.Columns))
		}
		for i, id := range st.Columns {
			names[i] = id.Name
		}
	}
	if err := checkNames(names, st.Query.Pos()); err != nil {
		return nil, err
	}
	if before, ok := q.resolve(st.Name).(*source.View); ok && st.Replace {
		if err := q.checkCycle(st, before); err != nil {
			return nil, err
		}
	}
	d := source.Definition{Name: name, Text: st.Source, Replace: st.Replace}
	if _, err := catalog.Define(ctx, d); err != nil {
		return nil, moved(err, st.Pos(), st.Name[0].Pos())
	}
	return done("view " + written(st.Name) + " is defined"), nil
}

// checkCycle binds the view in place of the one before.
func (q *query) checkCycle(st *sql.CreateView, before *source.View) error {
	after := *before
	after.SQL, after.Columns = sql.Format(st.Query), nil
	from := &sql.TableName{At: sql.At{At: st.Name[0].Pos()}, Name: st.Name}
	all := &sql.Query{Body: &sql.Select{Items: []sql.SelectItem{{Star: true}}, From: []sql.TableExpr{from}}}
	_, err := bind.Query(all, replaced{q.snapshot, before, &after}, &q.exec.Session)
	return err
}

// replaced is a snapshot with another view in the place of one.
type replaced struct {
	source.Snapshot
	before, after *source.View
}

func (s replaced) Resolve(name []string) (source.Relation, bool) {
	r, ok := s.Snapshot.Resolve(name)
	if r == source.Relation(s.before) {
		return s.after, true
	}
	return r, ok
}

func (q *query) createExternal(ctx context.Context, st *sql.CreateExternal) (*table, error) {
	catalog, err := q.definer(st.Pos())
	if err != nil {
		return nil, err
	}
	made, err := catalog.Define(ctx, source.Definition{Name: q.exec.Session.Qualified(parts(st.Name)), Text: st.Source, IfNotExists: st.IfNotExists})
	if err != nil {
		return nil, moved(err, st.Pos(), st.Name[0].Pos())
	}
	if !made {
		return done("table " + written(st.Name) + " exists already"), nil
	}
	return done("table " + written(st.Name) + " is defined"), nil
}

func (q *query) drop(ctx context.Context, st *sql.Drop) (*table, error) {
	catalog, err := q.definer(st.Pos())
	if err != nil {
		return nil, err
	}
	what := "table"
	if st.View {
		what = "view"
	}
	dropped, err := catalog.Drop(ctx, q.exec.Session.Qualified(parts(st.Name)), st.View)
	switch {
	case err != nil:
		return nil, sqlerr.At(err, st.Name[0].Pos())
	case dropped && st.View:
		return done("view " + written(st.Name) + " is dropped"), nil
	case dropped:
		return done("table " + written(st.Name) + " is dropped; its files are still there"), nil
	case st.IfExists:
		return done("there is no " + what + " " + written(st.Name)), nil
	}
	return nil, sqlerr.New(sqlerr.Name, st.Name[0].Pos(), "%s %s does not exist", what, written(st.Name)).WithHint("SHOW %sS lists them", strings.ToUpper(what))
}

// columnNames are those of a query's columns, "" where one has none.
func columnNames(columns []plan.Column) []string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return names
}

// checkNames wants columns to have names, each another one.
func checkNames(names []string, at sqlerr.Pos) error {
	seen := map[string]bool{}
	for i, name := range names {
		if name == "" {
			return sqlerr.New(sqlerr.Name, at, "column %d of the query has no name", i+1).WithHint("give it one: SELECT … AS name")
		}
		if seen[strings.ToLower(name)] {
			return sqlerr.New(sqlerr.Name, at, "the query has two columns called %q", name).WithHint("give one of them another name: SELECT … AS name")
		}
		seen[strings.ToLower(name)] = true
	}
	return nil
}

// moved gives an error about a statement's own text its place in the text around it; without one it is about the name.
func moved(err error, start, name sqlerr.Pos) error {
	e, ok := err.(*sqlerr.Error) //nolint:errorlint // one that is wrapped has no place to be shown at
	if !ok {
		return err
	}
	out := *e
	if out.Pos += start - 1; e.Pos == 0 {
		out.Pos = name
	}
	return &out
}

func parts(name []sql.Ident) []string {
	out := make([]string, len(name))
	for i, id := range name {
		out[i] = id.Name
	}
	return out
}

func written(name []sql.Ident) string { return sql.Format(&sql.TableName{Name: name}) }
