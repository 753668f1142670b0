package sql

import (
	"strings"

	"github.com/trailql/trailql/engine/sqltype"
)

// define writes the statements that define relations or write files.
func (f *formatter) define(s Statement) {
	switch s := s.(type) {
	case *CreateView:
		f.write("CREATE ")
		if s.Replace {
			f.write("OR REPLACE ")
		}
		f.write("VIEW ")
		f.path(s.Name)
		if len(s.Columns) > 0 {
			f.write(" ")
			f.columns(s.Columns)
		}
		f.comment(s.Comment)
		if s.Security != "" {
			f.write(" SECURITY ", strings.ToUpper(s.Security))
		}
		f.write(" AS ")
		f.query(s.Query)
	case *Drop:
		f.write("DROP ")
		f.write(map[bool]string{true: "VIEW ", false: "TABLE "}[s.View])
		if s.IfExists {
			f.write("IF EXISTS ")
		}
		f.path(s.Name)
	case *CreateTableAs:
		f.write("CREATE TABLE ")
		f.ifNotExists(s.IfNotExists)
		f.path(s.Name)
		f.comment(s.Comment)
		f.properties(s.Properties)
		f.write(" AS ")
		f.query(s.Query)
		if s.NoData {
			f.write(" WITH NO DATA")
		}
	case *Unload:
		f.write("UNLOAD ")
		f.parenQuery(s.Query)
		f.write(" TO ", quoteText(s.Location.Value))
		f.properties(s.Properties)
	case *CreateExternal:
		f.external(s)
	}
}

func (f *formatter) ifNotExists(yes bool) {
	if yes {
		f.write("IF NOT EXISTS ")
	}
}

func (f *formatter) comment(text *string) {
	if text != nil {
		f.write(" COMMENT ", quoteText(*text))
	}
}

func (f *formatter) properties(all []Property) {
	if len(all) == 0 {
		return
	}
	f.write(" WITH (")
	commas(f, all, func(p Property) {
		f.name(p.Name)
		f.write(" = ")
		f.expr(p.Value, 0)
	})
	f.write(")")
}

func (f *formatter) pairs(before string, all []TextPair) {
	if len(all) == 0 {
		return
	}
	f.write(before, " (")
	commas(f, all, func(p TextPair) { f.write(quoteText(p.Key.Value), " = ", quoteText(p.Value.Value)) })
	f.write(")")
}

var delimiterClauses = map[string]string{
	"fields": "FIELDS TERMINATED BY", "escape": "ESCAPED BY", "items": "COLLECTION ITEMS TERMINATED BY", "keys": "MAP KEYS TERMINATED BY",
	"lines": "LINES TERMINATED BY", "null": "NULL DEFINED AS",
}

func (f *formatter) external(s *CreateExternal) {
	f.write("CREATE EXTERNAL TABLE ")
	f.ifNotExists(s.IfNotExists)
	f.path(s.Name)
	f.write(" ")
	f.columnDefs(s.Columns)
	f.comment(s.Comment)
	if len(s.Partitions) > 0 {
		f.write(" PARTITIONED BY ")
		f.columnDefs(s.Partitions)
	}
	switch {
	case s.Serde != nil:
		f.write(" ROW FORMAT SERDE ", quoteText(s.Serde.Value))
		f.pairs(" WITH SERDEPROPERTIES", s.Serdes)
	case s.Delimited:
		f.write(" ROW FORMAT DELIMITED")
		for _, d := range s.Delimiters {
			f.write(" ", delimiterClauses[d.Key.Value], " ", quoteText(d.Value.Value))
		}
	}
	switch {
	case s.InputFormat != nil:
		f.write(" STORED AS INPUTFORMAT ", quoteText(s.InputFormat.Value), " OUTPUTFORMAT ", quoteText(s.OutputFormat.Value))
	case s.StoredAs != "":
		f.write(" STORED AS ")
		f.name(strings.ToUpper(s.StoredAs))
	}
	if s.Serde == nil {
		f.pairs(" WITH SERDEPROPERTIES", s.Serdes)
	}
	f.write(" LOCATION ", quoteText(s.Location.Value))
	f.pairs(" TBLPROPERTIES", s.Properties)
}

func (f *formatter) columnDefs(all []ColumnDef) {
	f.write("(")
	commas(f, all, func(c ColumnDef) {
		f.ident(c.Name)
		f.write(" ", HiveType(c.Type))
		f.comment(c.Comment)
	})
	f.write(")")
}

// HiveType is a type as CREATE EXTERNAL TABLE has it.
func HiveType(t sqltype.Type) string {
	switch t.Kind {
	case sqltype.Integer:
		return "int"
	case sqltype.Real:
		return "float"
	case sqltype.Varchar:
		if t.Length == 0 {
			return "string"
		}
	case sqltype.Varbinary:
		return "binary"
	case sqltype.Timestamp:
		if t.Precision == sqltype.TimestampType.Precision {
			return "timestamp"
		}
	case sqltype.Array:
		return "array<" + HiveType(*t.Elem) + ">"
	case sqltype.Map:
		return "map<" + HiveType(*t.Key) + "," + HiveType(*t.Elem) + ">"
	case sqltype.Row:
		parts := make([]string, len(t.Fields))
		for i, field := range t.Fields {
			var f formatter
			f.name(field.Name)
			parts[i] = f.String() + ":" + HiveType(field.Type)
		}
		return "struct<" + strings.Join(parts, ",") + ">"
	}
	return t.String()
}
