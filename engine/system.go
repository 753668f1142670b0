package engine

import (
	"slices"

	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqltype"
)

// metadataTables are system.metadata.
func metadataTables() map[string]*systemTable {
	properties := nothing(texts("catalog_name", "property_name", "default_value", "type", "description"))
	return map[string]*systemTable{
		"metadata.catalogs": {
			columns: texts("catalog_name", "connector_id", "connector_name"),
			rows: func(_ *query, _ string, t *table) {
				t.add(fn.CatalogName, fn.CatalogName, "trailql")
				t.add(systemCatalog, systemCatalog, systemCatalog)
			},
		},
		"metadata.table_comments": {
			columns: texts("catalog_name", "schema_name", "table_name", "comment"),
			rows: func(q *query, _ string, t *table) {
				for _, r := range q.relations(fn.CatalogName) {
					t.add(fn.CatalogName, r.schema, r.name, q.commentOn(r))
				}
			},
		},
		"metadata.materialized_views": nothing(
			texts("catalog_name", "schema_name", "name", "storage_catalog", "storage_schema", "storage_table", "freshness"),
			columnsOfType(sqltype.TimestampTZType, []string{"last_fresh_time"}), texts("comment", "definition")),
		"metadata.analyze_properties": properties,
		"metadata.column_properties":  properties,
		"metadata.schema_properties":  properties,
		"metadata.table_properties":   properties,
	}
}

// runtimeTables are system.runtime.
func runtimeTables() map[string]*systemTable {
	return map[string]*systemTable{
		"runtime.nodes": {
			columns: slices.Concat(texts("node_id", "http_uri", "node_version"), []source.Column{{Name: "coordinator", Type: sqltype.BooleanType}}, texts("state")),
			rows: func(_ *query, _ string, t *table) {
				t.add("trailql", nil, fn.Version(), true, "active")
			},
		},
		"runtime.queries": {
			columns: slices.Concat(texts("query_id", "state", "user", "source", "query"), numbers("queued_time_ms"),
				columnsOfType(sqltype.TimestampTZType, []string{"created", "started", "end"}), texts("error_code")),
			overHistory: `SELECT id AS query_id, CASE state WHEN 'succeeded' THEN 'FINISHED' WHEN 'cancelled' THEN 'FAILED' ELSE upper(state) END AS state,
	user_name AS "user", source, sql AS query, queued_ms AS queued_time_ms, with_timezone(submitted, 'UTC') AS created,
	with_timezone(started, 'UTC') AS started, with_timezone(finished, 'UTC') AS "end", error AS error_code
FROM query_history`,
		},
	}
}
