package engine

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqltype"
)

// Names of what the engine lays over a snapshot: in each catalog the schema information_schema, and the catalog system beside the one of the
// relations. They and their columns are Trino's, by which drivers and dashboards learn what there is.
const (
	informationSchema = "information_schema"
	systemCatalog     = "system"
)

// information lays the tables of the engine over a snapshot.
type information struct {
	source.Snapshot
	query *query
}

// Resolve finds a relation; the catalog and the schema of those names are ours.
func (s information) Resolve(name []string) (source.Relation, bool) {
	n := len(name)
	catalog := fn.CatalogName
	if n == 3 && strings.EqualFold(name[0], systemCatalog) {
		catalog = systemCatalog
	}
	if n < 2 || catalog != systemCatalog && !strings.EqualFold(name[n-2], informationSchema) {
		return s.Snapshot.Resolve(name)
	}
	key := strings.ToLower(name[n-2] + "." + name[n-1])
	t := systemTables[key]
	if t == nil {
		return nil, false
	}
	if t.overHistory != "" {
		if _, ok := s.Snapshot.Resolve([]string{queryHistory}); ok {
			return &source.View{Name: key, SQL: t.overHistory}, true
		}
	}
	return source.Stored{Table: &computed{name: key, systemTable: t, query: s.query, catalog: catalog}}, true
}

// queryHistory is the relation in which a service remembers queries.
const queryHistory = "query_history"

// systemTable is a table of the engine, whose rows are computed when it is scanned.
type systemTable struct {
	columns     []source.Column
	rows        func(q *query, catalog string, t *table) // nil: none
	overHistory string                                   // a query over queryHistory that takes the table's place where there is a history
}

// systemTables are all of them, by schema and name.
var systemTables map[string]*systemTable

func init() {
	systemTables = map[string]*systemTable{
		"information_schema.schemata": {columns: texts("catalog_name", "schema_name"), rows: (*query).informSchemata},
		"information_schema.tables":   {columns: texts("table_catalog", "table_schema", "table_name", "table_type"), rows: (*query).informTables},
		"information_schema.views":    {columns: texts("table_catalog", "table_schema", "table_name", "view_definition"), rows: (*query).informViews},
		"information_schema.columns": {columns: slices.Concat(
			texts("table_catalog", "table_schema", "table_name", "column_name"), numbers("ordinal_position"),
			texts("column_default", "is_nullable", "data_type", "comment", "extra_info"),
		), rows: (*query).informColumns},
		// Who may read the lake may read all of it: there are no roles.
		"information_schema.roles":            nothing(texts("role_name")),
		"information_schema.enabled_roles":    nothing(texts("role_name")),
		"information_schema.applicable_roles": nothing(texts("grantee", "grantee_type", "role_name", "is_grantable")),
		"information_schema.table_privileges": nothing(texts("grantor", "grantor_type", "grantee", "grantee_type", "table_catalog", "table_schema",
			"table_name", "privilege_type", "is_grantable", "with_hierarchy")),
	}
	maps.Copy(systemTables, jdbcTables())
	maps.Copy(systemTables, metadataTables())
	maps.Copy(systemTables, runtimeTables())
}

func texts(names ...string) []source.Column { return columnsOfType(sqltype.VarcharType, names) }

func numbers(names ...string) []source.Column { return columnsOfType(sqltype.BigIntType, names) }

func columnsOfType(t sqltype.Type, names []string) []source.Column {
	out := make([]source.Column, len(names))
	for i, name := range names {
		out[i] = source.Column{Name: name, Type: t}
	}
	return out
}

// nothing is a table without rows.
func nothing(columns ...[]source.Column) *systemTable {
	return &systemTable{columns: slices.Concat(columns...)}
}

// computed is a table of the engine within a query.
type computed struct {
	*systemTable
	name    string
	query   *query
	catalog string
}

func (t *computed) Name() string             { return t.name }
func (t *computed) Columns() []source.Column { return t.columns }

// Scan computes the rows.
func (t *computed) Scan(ctx context.Context, req source.Request) (source.Scan, error) {
	all := &table{}
	for _, c := range t.columns {
		all.columns = append(all.columns, plan.Column{Name: c.Name, Type: c.Type})
	}
	if t.rows != nil {
		t.rows(t.query, t.catalog, all)
	}
	batches, err := all.batches()
	if err != nil {
		return nil, err
	}
	return source.NewMemory(t.name, t.columns, batches).Scan(ctx, req)
}

// named is a relation by schema and name.
type named struct {
	schema, name string
	written      []sql.Ident // in FROM
}

// relations lists the relations of a catalog, the engine's at the end.
func (q *query) relations(catalog string) []named {
	var out []named
	if catalog != systemCatalog {
		for _, name := range q.snapshot.Names() {
			if at := strings.LastIndexByte(name, '.'); at >= 0 {
				out = append(out, inSchema(name[:at], name[at+1:]))
			} else {
				out = append(out, inSchema(fn.DefaultSchema, name))
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(systemTables)) {
		schema, name, _ := strings.Cut(key, ".")
		r := inSchema(schema, name)
		switch {
		case catalog == systemCatalog:
			r.written = slices.Insert(r.written, 0, sql.Ident{Name: systemCatalog})
		case schema != informationSchema:
			continue
		}
		out = append(out, r)
	}
	return out
}

func inSchema(schema, name string) named {
	return named{schema, name, []sql.Ident{{Name: schema}, {Name: name}}}
}

// schemas lists the schemas of a catalog, sorted.
func (q *query) schemas(catalog string) []string {
	var names []string
	if catalog != systemCatalog {
		names = append(names, fn.DefaultSchema)
	}
	for _, r := range q.relations(catalog) {
		names = append(names, r.schema)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (q *query) isView(r named) bool {
	_, view := q.resolve(r.written).(*source.View)
	return view
}

// commentOn is what a relation says of itself, nil if nothing.
func (q *query) commentOn(r named) any {
	relation := q.resolve(r.written)
	if bound, ok := relation.(*source.Bound); ok {
		relation = bound.Of
	}
	text := ""
	switch r := relation.(type) {
	case *source.View:
		text = r.Comment
	case source.Stored:
		if t, ok := r.Table.(source.Commented); ok {
			text = t.Comment()
		}
	}
	return orNil(text)
}

func orNil(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func (q *query) informSchemata(catalog string, t *table) {
	for _, name := range q.schemas(catalog) {
		t.add(catalog, name)
	}
}

func (q *query) informTables(catalog string, t *table) {
	for _, r := range q.relations(catalog) {
		kind := "BASE TABLE"
		if catalog != systemCatalog && q.isView(r) {
			kind = "VIEW"
		}
		t.add(catalog, r.schema, r.name, kind)
	}
}

func (q *query) informViews(catalog string, t *table) {
	if catalog == systemCatalog {
		return
	}
	for _, r := range q.relations(catalog) {
		if v, ok := q.resolve(r.written).(*source.View); ok {
			t.add(catalog, r.schema, r.name, v.SQL)
		}
	}
}

func (q *query) informColumns(catalog string, t *table) {
	q.eachColumn(catalog, func(r named, position int64, c source.Column, key bool) {
		var extra any
		if key {
			extra = "partition key"
		}
		t.add(catalog, r.schema, r.name, c.Name, position, nil, "YES", c.Type.String(), orNil(c.Comment), extra)
	})
}

// eachColumn calls f for the columns of a catalog's relations: their positions count from 1; key says that it parts its table. It leaves out
// hidden columns, and views that have come to be wrong.
func (q *query) eachColumn(catalog string, f func(r named, position int64, c source.Column, key bool)) {
	for _, r := range q.relations(catalog) {
		columns, err := q.columnsOf(r.written)
		if err != nil {
			continue
		}
		keys := q.partitionColumns(r.written)
		position := int64(0)
		for _, c := range columns {
			if !c.Hidden {
				position++
				f(r, position, c, slices.Contains(keys, c.Name))
			}
		}
	}
}
