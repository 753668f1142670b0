package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqltype"
)

// A catalog of relations has no names of its own for itself and for the schema of names without one; these are Athena's.
const (
	catalogName       = "awsdatacatalog"
	defaultSchema     = "default"
	informationSchema = "information_schema"
)

// information lays the tables of information_schema over a snapshot. Their rows are computed when they are scanned.
type information struct {
	source.Snapshot
	query *query
}

// Resolve finds a relation; the schema of that name is ours.
func (s information) Resolve(name []string) (source.Relation, bool) {
	n := len(name)
	if n < 2 || !strings.EqualFold(name[n-2], informationSchema) {
		return s.Snapshot.Resolve(name)
	}
	t := informationTables[strings.ToLower(name[n-1])]
	if t == nil {
		return nil, false
	}
	return source.Stored{Table: &informationTable{name: name[n-1], columns: t.columns, rows: t.rows, query: s.query}}, true
}

// informationTables are the tables by name.
var informationTables = map[string]*struct {
	columns []source.Column
	rows    func(q *query, t *table)
}{
	"schemata": {texts("catalog_name", "schema_name"), (*query).informSchemata},
	"tables":   {texts("table_catalog", "table_schema", "table_name", "table_type"), (*query).informTables},
	"views":    {texts("table_catalog", "table_schema", "table_name", "view_definition"), (*query).informViews},
	"columns": {slices.Concat(
		texts("table_catalog", "table_schema", "table_name", "column_name"),
		[]source.Column{{Name: "ordinal_position", Type: sqltype.BigIntType}},
		texts("column_default", "is_nullable", "data_type", "comment", "extra_info"),
	), (*query).informColumns},
}

func texts(names ...string) []source.Column {
	var out []source.Column
	for _, name := range names {
		out = append(out, source.Column{Name: name, Type: sqltype.VarcharType})
	}
	return out
}

// informationTable is one of them within a query.
type informationTable struct {
	name    string
	columns []source.Column
	rows    func(q *query, t *table)
	query   *query
}

func (t *informationTable) Name() string             { return informationSchema + "." + t.name }
func (t *informationTable) Columns() []source.Column { return t.columns }

// Scan computes the rows.
func (t *informationTable) Scan(ctx context.Context, req source.Request) (source.Scan, error) {
	all := &table{}
	for _, c := range t.columns {
		all.columns = append(all.columns, plan.Column{Name: c.Name, Type: c.Type})
	}
	t.rows(t.query, all)
	batches, err := all.batches()
	if err != nil {
		return nil, err
	}
	return source.NewMemory(t.Name(), t.columns, batches).Scan(ctx, req)
}

// named is a relation by schema and name.
type named struct {
	schema, name string
	written      []sql.Ident // in FROM
}

// relations lists all relations, those of information_schema at the end.
func (q *query) relations() []named {
	var out []named
	for _, name := range q.snapshot.Names() {
		if at := strings.LastIndexByte(name, '.'); at >= 0 {
			out = append(out, inSchema(name[:at], name[at+1:]))
		} else {
			out = append(out, named{defaultSchema, name, []sql.Ident{{Name: name}}})
		}
	}
	for _, name := range []string{"columns", "schemata", "tables", "views"} {
		out = append(out, inSchema(informationSchema, name))
	}
	return out
}

func inSchema(schema, name string) named {
	return named{schema, name, []sql.Ident{{Name: schema}, {Name: name}}}
}

// schemas lists the schemas, sorted.
func (q *query) schemas() []string {
	names := []string{defaultSchema}
	for _, r := range q.relations() {
		names = append(names, r.schema)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (q *query) isView(r named) bool {
	_, view := q.resolve(r.written).(*source.View)
	return view
}

func (q *query) informSchemata(t *table) {
	for _, name := range q.schemas() {
		t.add(catalogName, name)
	}
}

func (q *query) informTables(t *table) {
	for _, r := range q.relations() {
		kind := "BASE TABLE"
		if q.isView(r) {
			kind = "VIEW"
		}
		t.add(catalogName, r.schema, r.name, kind)
	}
}

func (q *query) informViews(t *table) {
	for _, r := range q.relations() {
		if v, ok := q.resolve(r.written).(*source.View); ok {
			t.add(catalogName, r.schema, r.name, v.SQL)
		}
	}
}

// informColumns leaves out hidden columns, and views that have come to be wrong.
func (q *query) informColumns(t *table) {
	for _, r := range q.relations() {
		columns, err := q.columnsOf(r.written)
		if err != nil {
			continue
		}
		keys := q.partitionColumns(r.written)
		position := int64(0)
		for _, c := range columns {
			if c.Hidden {
				continue
			}
			position++
			var comment, extra any
			if c.Comment != "" {
				comment = c.Comment
			}
			if slices.Contains(keys, c.Name) {
				extra = "partition key"
			}
			t.add(catalogName, r.schema, r.name, c.Name, position, nil, "YES", c.Type.String(), comment, extra)
		}
	}
}
