package engine

import (
	"slices"

	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqltype"
)

// jdbcTables are system.jdbc: what Trino's JDBC driver answers java.sql.DatabaseMetaData with, of both catalogs. Their columns are named by
// that interface; what it leaves open or does not apply here is NULL.
func jdbcTables() map[string]*systemTable {
	return map[string]*systemTable{
		"jdbc.catalogs": {
			columns: texts("table_cat"),
			rows:    func(_ *query, _ string, t *table) { t.add(fn.CatalogName); t.add(systemCatalog) },
		},
		"jdbc.schemas": {
			columns: texts("table_schem", "table_catalog"),
			rows: func(q *query, _ string, t *table) {
				for _, catalog := range catalogs {
					for _, schema := range q.schemas(catalog) {
						t.add(schema, catalog)
					}
				}
			},
		},
		"jdbc.tables": {
			columns: texts("table_cat", "table_schem", "table_name", "table_type", "remarks",
				"type_cat", "type_schem", "type_name", "self_referencing_col_name", "ref_generation"),
			rows: func(q *query, _ string, t *table) {
				for _, catalog := range catalogs {
					for _, r := range q.relations(catalog) {
						kind := "TABLE"
						if catalog != systemCatalog && q.isView(r) {
							kind = "VIEW"
						}
						t.add(catalog, r.schema, r.name, kind, q.commentOn(r), nil, nil, nil, nil, nil)
					}
				}
			},
		},
		"jdbc.table_types": {
			columns: texts("table_type"),
			rows:    func(_ *query, _ string, t *table) { t.add("TABLE"); t.add("VIEW") },
		},
		"jdbc.columns": {
			columns: slices.Concat(texts("table_cat", "table_schem", "table_name", "column_name"), numbers("data_type"), texts("type_name"),
				numbers("column_size", "buffer_length", "decimal_digits", "num_prec_radix", "nullable"), texts("remarks", "column_def"),
				numbers("sql_data_type", "sql_datetime_sub", "char_octet_length", "ordinal_position"),
				texts("is_nullable", "scope_catalog", "scope_schema", "scope_table"), numbers("source_data_type"),
				texts("is_autoincrement", "is_generatedcolumn")),
			rows: func(q *query, _ string, t *table) {
				for _, catalog := range catalogs {
					q.eachColumn(catalog, func(r named, position int64, c source.Column, _ bool) {
						j := jdbcTypeOf(c.Type)
						var octets any
						if c.Type.Kind == sqltype.Varchar || c.Type.Kind == sqltype.Char || c.Type.Kind == sqltype.Varbinary {
							octets = j.size
						}
						t.add(catalog, r.schema, r.name, c.Name, j.code, c.Type.String(),
							j.size, int64(0), j.digits, j.radix, jdbcNullableUnknown, orNil(c.Comment), nil,
							nil, nil, octets, position,
							"", nil, nil, nil, nil,
							nil, nil)
					})
				}
			},
		},
		"jdbc.types": {
			columns: slices.Concat(texts("type_name"), numbers("data_type", "precision"), texts("literal_prefix", "literal_suffix", "create_params"),
				numbers("nullable"), booleans("case_sensitive"), numbers("searchable"), booleans("unsigned_attribute", "fixed_prec_scale", "auto_increment"),
				texts("local_type_name"), numbers("minimum_scale", "maximum_scale", "sql_data_type", "sql_datetime_sub", "num_prec_radix")),
			rows: jdbcTypes,
		},
		"jdbc.attributes": nothing(texts("type_cat", "type_schem", "type_name", "attr_name"), numbers("data_type"), texts("attr_type_name"),
			numbers("attr_size", "decimal_digits", "num_prec_radix", "nullable"), texts("remarks", "attr_def"),
			numbers("sql_data_type", "sql_datetime_sub", "char_octet_length", "ordinal_position"),
			texts("is_nullable", "scope_catalog", "scope_schema", "scope_table"), numbers("source_data_type")),
		"jdbc.procedures": nothing(texts("procedure_cat", "procedure_schem", "procedure_name", "remarks"), numbers("procedure_type"), texts("specific_name")),
		"jdbc.procedure_columns": nothing(texts("procedure_cat", "procedure_schem", "procedure_name", "column_name"), numbers("column_type", "data_type"),
			texts("type_name"), numbers("precision", "length", "scale", "radix", "nullable"), texts("remarks", "column_def"),
			numbers("sql_data_type", "sql_datetime_sub", "char_octet_length", "ordinal_position"), texts("is_nullable", "specific_name")),
		"jdbc.pseudo_columns": nothing(texts("table_cat", "table_schem", "table_name", "column_name"),
			numbers("data_type", "column_size", "decimal_digits", "num_prec_radix"), texts("column_usage", "remarks"),
			numbers("char_octet_length"), texts("is_nullable")),
		"jdbc.super_tables": nothing(texts("table_cat", "table_schem", "table_name", "supertable_name")),
		"jdbc.super_types":  nothing(texts("type_cat", "type_schem", "type_name", "supertype_cat", "supertype_schem", "supertype_name")),
		"jdbc.udts": nothing(texts("type_cat", "type_schem", "type_name", "class_name"), numbers("data_type"), texts("remarks"),
			numbers("base_type")),
	}
}

func booleans(names ...string) []source.Column { return columnsOfType(sqltype.BooleanType, names) }

// catalogs are the names of all catalogs.
var catalogs = []string{fn.CatalogName, systemCatalog}

// Constants of java.sql.DatabaseMetaData.
const (
	jdbcNullable        = int64(1)
	jdbcNullableUnknown = int64(2)
	jdbcSearchable      = int64(3)
)

// jdbcType is a type in the words of java.sql: a code of java.sql.Types, and what columns say of its size; nil where it has none.
type jdbcType struct {
	code                int64
	size, digits, radix any
}

// jdbcTypeOf counts sizes as JDBC does: decimal digits, binary digits of real and double, characters of text and of times as they are written.
func jdbcTypeOf(t sqltype.Type) jdbcType {
	const unbounded = int64(1<<31 - 1)
	fraction := int64(t.Precision)
	if fraction > 0 {
		fraction++ // its point
	}
	switch t.Kind {
	case sqltype.Boolean:
		return jdbcType{code: 16}
	case sqltype.TinyInt:
		return jdbcType{-6, int64(3), int64(0), int64(10)}
	case sqltype.SmallInt:
		return jdbcType{5, int64(5), int64(0), int64(10)}
	case sqltype.Integer:
		return jdbcType{4, int64(10), int64(0), int64(10)}
	case sqltype.BigInt:
		return jdbcType{-5, int64(19), int64(0), int64(10)}
	case sqltype.Real:
		return jdbcType{7, int64(24), nil, int64(2)}
	case sqltype.Double:
		return jdbcType{8, int64(53), nil, int64(2)}
	case sqltype.Decimal:
		return jdbcType{3, int64(t.Precision), int64(t.Scale), int64(10)}
	case sqltype.Varchar:
		if t.Length == 0 {
			return jdbcType{code: 12, size: unbounded}
		}
		return jdbcType{code: 12, size: int64(t.Length)}
	case sqltype.Char:
		return jdbcType{code: 1, size: int64(t.Length)}
	case sqltype.Varbinary:
		return jdbcType{code: -3, size: unbounded}
	case sqltype.Date:
		return jdbcType{code: 91, size: int64(len("2024-01-31"))}
	case sqltype.Time:
		return jdbcType{code: 92, size: int64(len("10:00:00")) + fraction, digits: int64(t.Precision)}
	case sqltype.TimeTZ:
		return jdbcType{code: 2013, size: int64(len("10:00:00+01:00")) + fraction, digits: int64(t.Precision)}
	case sqltype.Timestamp:
		return jdbcType{code: 93, size: int64(len("2024-01-31 10:00:00")) + fraction, digits: int64(t.Precision)}
	case sqltype.TimestampTZ:
		const longestZone = len(" America/Argentina/ComodRivadavia")
		return jdbcType{code: 2014, size: int64(len("2024-01-31 10:00:00")+longestZone) + fraction, digits: int64(t.Precision)}
	case sqltype.Array:
		return jdbcType{code: 2003}
	}
	return jdbcType{code: 2000} // JAVA_OBJECT
}

func jdbcTypes(_ *query, _ string, t *table) {
	for _, text := range []string{"boolean", "tinyint", "smallint", "integer", "bigint", "real", "double", "decimal(38,0)", "varchar", "char(1)", "varbinary",
		"date", "time", "time with time zone", "timestamp", "timestamp with time zone", "json", "ipaddress", "uuid"} {
		of, err := sqltype.Parse(text)
		if err != nil {
			panic(err) // one of the texts above is wrong
		}
		j := jdbcTypeOf(of)
		name, quote, params, prefix := text, any(nil), any(nil), any(nil)
		switch of.Kind {
		case sqltype.Decimal:
			name, params = "decimal", "precision,scale"
		case sqltype.Varchar, sqltype.Char:
			quote, prefix, params = "'", "'", "length"
			if of.Kind == sqltype.Char {
				name = "char"
			}
		}
		t.add(name, j.code, j.size, prefix, quote, params, jdbcNullable, of.Kind == sqltype.Varchar || of.Kind == sqltype.Char, jdbcSearchable,
			nil, of.Kind == sqltype.Decimal, nil, nil, nil, nil, nil, nil, j.radix)
	}
}
