package parquetio

import (
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqltype"
)

// leafColumn is a leaf of the file's schema.
type leafColumn struct {
	column int   // ordinal in WriteOptions.Columns
	path   []int // child ordinals below it, as shred takes them
	name   string
	nested bool // below a list or map: it repeats
	t      sqltype.Type
}

// fileSchema gives columns the physical form that readers of Delta tables expect: every node optional, text STRING,
// times TIMESTAMP in microseconds of UTC, arrays and maps in the three-level form.
func fileSchema(columns []source.Column) (*schema.GroupNode, []leafColumn, error) {
	var leaves []leafColumn
	fields := make(schema.FieldList, len(columns))
	for i, c := range columns {
		node, err := schemaNode(c.Name, c.Type, parquet.Repetitions.Optional)
		if err != nil {
			return nil, nil, fmt.Errorf("column %q: %w", c.Name, err)
		}
		fields[i] = node
		leaves = appendLeaves(leaves, leafColumn{column: i, name: c.Name, t: c.Type})
	}
	root, err := schema.NewGroupNode("schema", parquet.Repetitions.Required, fields, -1)
	return root, leaves, err
}

// appendLeaves adds the leaves at and below l, in the order of the schema.
func appendLeaves(leaves []leafColumn, l leafColumn) []leafColumn {
	child := func(ordinal int, name string, t sqltype.Type, nested bool) {
		path := append(append([]int(nil), l.path...), ordinal)
		leaves = appendLeaves(leaves, leafColumn{column: l.column, path: path, name: l.name + "." + name, nested: nested, t: t})
	}
	switch l.t.Kind {
	case sqltype.Row:
		for i, f := range l.t.Fields {
			child(i, f.Name, f.Type, l.nested)
		}
	case sqltype.Array:
		child(0, "list.element", *l.t.Elem, true)
	case sqltype.Map:
		child(0, "key_value.key", *l.t.Key, true)
		child(1, "key_value.value", *l.t.Elem, true)
	default:
		leaves = append(leaves, l)
	}
	return leaves
}

func schemaNode(name string, t sqltype.Type, rep parquet.Repetition) (schema.Node, error) {
	if name == "" {
		return nil, fmt.Errorf("a row with a field without a name cannot be stored in Parquet")
	}
	group := func(rep parquet.Repetition, name string, logical schema.LogicalType, fields ...schema.Node) (schema.Node, error) {
		if logical == nil {
			return schema.NewGroupNode(name, rep, fields, -1)
		}
		return schema.NewGroupNodeLogical(name, rep, fields, logical, -1)
	}
	switch t.Kind {
	case sqltype.Row:
		if len(t.Fields) == 0 {
			return nil, fmt.Errorf("a row without fields cannot be stored in Parquet")
		}
		fields := make([]schema.Node, len(t.Fields))
		for i, f := range t.Fields {
			var err error
			if fields[i], err = schemaNode(f.Name, f.Type, parquet.Repetitions.Optional); err != nil {
				return nil, err
			}
		}
		return group(rep, name, nil, fields...)
	case sqltype.Array:
		element, err := schemaNode("element", *t.Elem, parquet.Repetitions.Optional)
		if err != nil {
			return nil, err
		}
		list, err := group(parquet.Repetitions.Repeated, "list", nil, element)
		if err != nil {
			return nil, err
		}
		return group(rep, name, schema.NewListLogicalType(), list)
	case sqltype.Map:
		key, err := schemaNode("key", *t.Key, parquet.Repetitions.Required)
		if err != nil {
			return nil, err
		}
		value, err := schemaNode("value", *t.Elem, parquet.Repetitions.Optional)
		if err != nil {
			return nil, err
		}
		pairs, err := group(parquet.Repetitions.Repeated, "key_value", nil, key, value)
		if err != nil {
			return nil, err
		}
		return group(rep, name, schema.MapLogicalType{}, pairs)
	}
	physical, logical, ok := leafForm(t)
	if !ok {
		return nil, fmt.Errorf("type %s cannot be stored in Parquet", t)
	}
	if logical == nil {
		return schema.NewPrimitiveNode(name, rep, physical, -1, -1)
	}
	return schema.NewPrimitiveNodeLogical(name, rep, logical, physical, -1, -1)
}

// leafForm is the physical form of a type without children; ok is false for types that are not stored.
func leafForm(t sqltype.Type) (physical parquet.Type, logical schema.LogicalType, ok bool) {
	switch t.Kind {
	case sqltype.Boolean:
		return parquet.Types.Boolean, nil, true
	case sqltype.TinyInt:
		return parquet.Types.Int32, schema.NewIntLogicalType(8, true), true
	case sqltype.SmallInt:
		return parquet.Types.Int32, schema.NewIntLogicalType(16, true), true
	case sqltype.Integer:
		return parquet.Types.Int32, nil, true
	case sqltype.BigInt:
		return parquet.Types.Int64, nil, true
	case sqltype.Real:
		return parquet.Types.Float, nil, true
	case sqltype.Double:
		return parquet.Types.Double, nil, true
	case sqltype.Varchar, sqltype.JSON:
		return parquet.Types.ByteArray, schema.StringLogicalType{}, true
	case sqltype.Varbinary:
		return parquet.Types.ByteArray, nil, true
	case sqltype.Date:
		return parquet.Types.Int32, schema.DateLogicalType{}, true
	case sqltype.Timestamp:
		return parquet.Types.Int64, schema.NewTimestampLogicalType(true, schema.TimeUnitMicros), true
	}
	return parquet.Types.Undefined, nil, false
}

// isBytes reports whether leaves of the type are byte arrays.
func isBytes(t sqltype.Type) bool {
	physical, _, ok := leafForm(t)
	return ok && physical == parquet.Types.ByteArray
}

// covers reports whether one of names is the leaf or a column or field above it.
func covers(names []string, leaf string) bool {
	for _, n := range names {
		if leaf == n || strings.HasPrefix(leaf, n+".") {
			return true
		}
	}
	return false
}
