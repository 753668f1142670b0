package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// answer answers the statements that are no query.
func (q *query) answer(ctx context.Context, st sql.Statement) (*table, error) {
	switch st := st.(type) {
	case *sql.Explain:
		return q.explain(ctx, st)
	case *sql.ShowTables:
		return q.showTables(st)
	case *sql.ShowColumns:
		return q.showColumns(st)
	case *sql.ShowFunctions:
		return q.showFunctions(st)
	case *sql.ShowSchemas:
		return q.showSchemas(st)
	case *sql.ShowCreate:
		return q.showCreate(st)
	case *sql.ShowPartitions:
		return q.showPartitions(ctx, st)
	case *sql.ShowStats:
		return q.showStats(ctx, st)
	case *sql.CreateView:
		return q.createView(ctx, st)
	case *sql.CreateExternal:
		return q.createExternal(ctx, st)
	case *sql.Drop:
		return q.drop(ctx, st)
	case *sql.ShowSession:
		return q.showSession(st)
	case *sql.Use:
		return q.use(st)
	case *sql.SetSession:
		return q.setSession(st)
	case *sql.SetTimeZone:
		return q.setTimeZone(st)
	case *sql.Prepare:
		return q.prepare(st)
	case *sql.Deallocate:
		return q.deallocate(st)
	case *sql.DescribePrepared:
		return q.describePrepared(st)
	}
	return nil, sqlerr.New(sqlerr.Unknown, st.Pos(), "this statement is not supported yet")
}

// showTables lists relations. A schema that qualifies no name is taken for the default one, whatever it is called.
func (q *query) showTables(st *sql.ShowTables) (*table, error) {
	match, err := matcher(st.Like)
	if err != nil {
		return nil, err
	}
	catalog := q.catalogOf(nil)
	if len(st.Schema) == 2 {
		catalog = q.catalogOf(&st.Schema[0])
	}
	all := q.relations(catalog)
	schema := cmp.Or(q.exec.Session.Schema, fn.DefaultSchema)
	if len(st.Schema) > 0 {
		schema = st.Schema[len(st.Schema)-1].Name
	}
	if !slices.ContainsFunc(all, func(r named) bool { return strings.EqualFold(r.schema, schema) }) {
		schema = fn.DefaultSchema
	}
	t := newTable("Table")
	if st.Views {
		t = newTable("View")
	}
	for _, r := range all {
		if strings.EqualFold(r.schema, schema) && match(r.name) && (!st.Views || q.isView(r)) {
			t.add(r.name)
		}
	}
	return t, nil
}

// catalogOf is the catalog that is named, or else the session's, of the two that there are.
func (q *query) catalogOf(name *sql.Ident) string {
	given := q.exec.Session.Catalog
	if name != nil {
		given = name.Name
	}
	if strings.EqualFold(given, systemCatalog) {
		return systemCatalog
	}
	return fn.CatalogName
}

func (q *query) showSchemas(st *sql.ShowSchemas) (*table, error) {
	match, err := matcher(st.Like)
	if err != nil {
		return nil, err
	}
	catalog := q.catalogOf(st.Catalog)
	t, names := newTable("Schema"), q.schemas(catalog)
	if st.Catalogs {
		t, names = newTable("Catalog"), catalogs
	}
	for _, name := range names {
		if match(name) {
			t.add(name)
		}
	}
	return t, nil
}

// showColumns lists a relation's columns; those that * leaves out are marked, and those that part the table.
func (q *query) showColumns(st *sql.ShowColumns) (*table, error) {
	columns, err := q.columnsOf(st.Table)
	if err != nil {
		return nil, err
	}
	match, err := matcher(st.Like)
	if err != nil {
		return nil, err
	}
	keys := q.partitionColumns(st.Table)
	t := newTable("Column", "Type", "Extra", "Comment")
	for _, c := range columns {
		if !match(c.Name) {
			continue
		}
		extra := ""
		switch {
		case c.Hidden:
			extra = "hidden"
		case slices.Contains(keys, c.Name):
			extra = "partition key"
		}
		t.add(c.Name, c.Type.String(), extra, c.Comment)
	}
	return t, nil
}

// columnsOf returns the columns of the relation of that name, hidden ones too where it is no view.
func (q *query) columnsOf(name []sql.Ident) ([]source.Column, error) {
	relation := q.resolve(name)
	var derived []source.Derived
	if bound, ok := relation.(*source.Bound); ok {
		relation, derived = bound.Of, bound.Columns
	}
	if stored, ok := relation.(source.Stored); ok {
		columns := slices.Clone(stored.Table.Columns())
		find := func(name string) int {
			return slices.IndexFunc(columns, func(c source.Column) bool { return c.Name == name })
		}
		for _, d := range derived {
			c := source.Column{Name: d.Name, Type: sqltype.VarcharType, Hidden: d.Hidden, Comment: d.From + " as " + d.Format}
			if d.Format == "" {
				c.Comment = "the same as " + d.From
				if at := find(d.From); at >= 0 {
					c.Type = columns[at].Type
				}
			}
			if find(c.Name) < 0 {
				columns = append(columns, c)
			}
		}
		return columns, nil
	}
	// A view's columns are those of SELECT * from it; so is the error for a name that does not exist.
	table := &sql.TableName{At: sql.At{At: name[0].Pos()}, Name: name}
	node, err := q.plan(&sql.Query{Body: &sql.Select{Items: []sql.SelectItem{{Star: true}}, From: []sql.TableExpr{table}}})
	if err != nil {
		return nil, err
	}
	var columns []source.Column
	for _, c := range plan.ShownNames(node.Schema()) {
		columns = append(columns, source.Column{Name: c.Name, Type: c.Type})
	}
	return columns, nil
}

// partitioned returns the table of that name if it is parted.
func (q *query) partitioned(name []sql.Ident) (source.Partitioned, bool) {
	relation := q.resolve(name)
	if bound, ok := relation.(*source.Bound); ok {
		relation = bound.Of
	}
	stored, ok := relation.(source.Stored)
	if !ok {
		return nil, false
	}
	p, ok := stored.Table.(source.Partitioned)
	return p, ok && len(p.PartitionColumns()) > 0
}

func (q *query) partitionColumns(name []sql.Ident) []string {
	if p, ok := q.partitioned(name); ok {
		return p.PartitionColumns()
	}
	return nil
}

// showPartitions lists the partitions of a table as Hive writes them.
func (q *query) showPartitions(ctx context.Context, st *sql.ShowPartitions) (*table, error) {
	if _, err := q.columnsOf(st.Table); err != nil {
		return nil, err
	}
	p, ok := q.partitioned(st.Table)
	if !ok {
		return nil, sqlerr.New(sqlerr.Type, st.Table[0].Pos(), "%s has no partitions", sql.Format(&sql.TableName{Name: st.Table}))
	}
	names, err := p.Partitions(ctx)
	if err != nil {
		return nil, err
	}
	t := newTable("partition")
	for _, name := range names {
		t.add(name)
	}
	return t, nil
}

func (q *query) resolve(name []sql.Ident) source.Relation {
	r, _ := q.snapshot.Resolve(q.exec.Session.Qualified(parts(name)))
	return r
}

func (q *query) showFunctions(st *sql.ShowFunctions) (*table, error) {
	match, err := matcher(st.Like)
	if err != nil {
		return nil, err
	}
	t := newTable("Function", "Return Type", "Argument Types", "Function Type", "Deterministic", "Description")
	add := func(name, sig, kind string, deterministic bool, doc string) {
		args, result, _ := strings.Cut(sig, " -> ")
		if match(name) {
			t.add(name, result, args[1:len(args)-1], kind, fmt.Sprint(deterministic), doc)
		}
	}
	names := fn.Names()
	for _, f := range fn.All() {
		if _, callable := slices.BinarySearch(names, f.Name); !callable {
			continue
		}
		for _, o := range f.Overloads {
			add(f.Name, o.Sig, "scalar", !f.Volatile, f.Doc)
		}
	}
	for _, a := range fn.Aggregates() {
		for _, o := range a.Overloads {
			add(a.Name, o.Sig, "aggregate", !a.OrderSensitive, a.Doc)
		}
	}
	for _, f := range fn.Forms() {
		add(f.Name, f.Sig, "scalar", true, f.Doc)
	}
	for _, m := range q.snapshot.Macros() {
		kind := "scalar"
		if m.Table {
			kind = "table"
		}
		add(m.Name, m.Sig, kind, true, m.Doc)
	}
	for _, w := range fn.Windows() {
		for _, o := range w.Overloads {
			add(w.Name, o.Sig, "window", true, w.Doc)
		}
	}
	slices.SortStableFunc(t.rows, func(a, b []any) int { return strings.Compare(a[0].(string), b[0].(string)) })
	return t, nil
}

// matcher is LIKE without regard to case; nil matches everything. No name has a * or |, so they mean what they mean in Athena: anything, and
// a choice between patterns.
func matcher(p *sql.ShowPattern) (func(string) bool, error) {
	if p == nil {
		return func(string) bool { return true }, nil
	}
	var choices []*vec.Like
	for choice := range strings.SplitSeq(strings.ToLower(p.Pattern), "|") {
		like, err := vec.CompileLike(strings.ReplaceAll(choice, "*", "%"), strings.ToLower(p.Escape), p.Escape != "")
		if err != nil {
			return nil, err
		}
		choices = append(choices, like)
	}
	return func(s string) bool {
		s = strings.ToLower(s)
		return slices.ContainsFunc(choices, func(like *vec.Like) bool { return like.Match(s) })
	}, nil
}
