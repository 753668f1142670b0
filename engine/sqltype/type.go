// Package sqltype holds the SQL types of the dialect (Athena engine 3, that is
// Trino), the Arrow form of each, and the rules of coercion and cast between them.
//
// A type is not recoverable from its Arrow form (JSON is text, an interval is an
// int64): plans and expressions carry types, arrays carry values.
package sqltype

import (
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// Kind is the constructor of a type.
type Kind uint8

const (
	Unknown Kind = iota // the type of NULL
	Boolean
	TinyInt
	SmallInt
	Integer
	BigInt
	Real
	Double
	Decimal // Precision 1..38, Scale
	Varchar // Length 0: unbounded
	Varbinary
	Date
	Time         // microseconds of the day
	TimeTZ       // the same with an offset from UTC
	Timestamp    // no zone; Precision 0..6 is for printing only
	TimestampTZ  // an instant and a zone; Precision likewise
	IntervalDay  // day to second, milliseconds
	IntervalYear // year to month, months
	Array        // Elem
	Map          // Key, Elem
	Row          // Fields
	JSON         // JSON text, canonical
	Char         // Length 1 to MaxChar: text that is as if filled up with blanks; kept without the blanks at its end
	IPAddress    // see ParseIPAddress for the bytes of this and the next two
	IPPrefix
	UUID
	Function // of a lambda, no type of values: Fields are its parameters, Elem its result
)

// Type is a SQL type; values are immutable and compared with Equal.
type Type struct {
	Kind      Kind
	Precision int // Decimal and the times
	Scale     int // Decimal
	Length    int // Varchar, Char; 0 is unbounded
	Elem      *Type
	Key       *Type
	Fields    []Field
}

// Field is a named part of a Row; an anonymous field has the name "".
type Field struct {
	Name string
	Type Type
}

// The types without parameters, and the usual precisions.
var (
	UnknownType      = Type{Kind: Unknown}
	BooleanType      = Type{Kind: Boolean}
	TinyIntType      = Type{Kind: TinyInt}
	SmallIntType     = Type{Kind: SmallInt}
	IntegerType      = Type{Kind: Integer}
	BigIntType       = Type{Kind: BigInt}
	RealType         = Type{Kind: Real}
	DoubleType       = Type{Kind: Double}
	VarcharType      = Type{Kind: Varchar}
	VarbinaryType    = Type{Kind: Varbinary}
	DateType         = Type{Kind: Date}
	TimeType         = Type{Kind: Time, Precision: 3}
	TimeTZType       = Type{Kind: TimeTZ, Precision: 3}
	TimestampType    = Type{Kind: Timestamp, Precision: 3}
	TimestampTZType  = Type{Kind: TimestampTZ, Precision: 3}
	IntervalDayType  = Type{Kind: IntervalDay}
	IntervalYearType = Type{Kind: IntervalYear}
	JSONType         = Type{Kind: JSON}
	IPAddressType    = Type{Kind: IPAddress}
	IPPrefixType     = Type{Kind: IPPrefix}
	UUIDType         = Type{Kind: UUID}
)

// MaxChar is the greatest length of a char.
const MaxChar = 65536

// CharOf returns char(length).
func CharOf(length int) Type { return Type{Kind: Char, Length: length} }

// DecimalOf returns decimal(precision, scale).
func DecimalOf(precision, scale int) Type {
	return Type{Kind: Decimal, Precision: precision, Scale: scale}
}

// ArrayOf returns array(elem).
func ArrayOf(elem Type) Type { return Type{Kind: Array, Elem: &elem} }

// MapOf returns map(key, value).
func MapOf(key, value Type) Type { return Type{Kind: Map, Key: &key, Elem: &value} }

// RowOf returns row(fields…).
func RowOf(fields ...Field) Type { return Type{Kind: Row, Fields: fields} }

// FunctionOf returns the type of a lambda.
func FunctionOf(params []Type, result Type) Type {
	t := Type{Kind: Function, Fields: make([]Field, len(params)), Elem: &result}
	for i, p := range params {
		t.Fields[i].Type = p
	}
	return t
}

// Equal reports whether two types are the same; lengths of text and names of fields (case aside) count,
// printing precision of times does not.
func (t Type) Equal(u Type) bool {
	if t.Kind != u.Kind {
		return false
	}
	switch t.Kind {
	case Decimal:
		return t.Precision == u.Precision && t.Scale == u.Scale
	case Varchar, Char:
		return t.Length == u.Length
	case Array:
		return t.Elem.Equal(*u.Elem)
	case Map:
		return t.Key.Equal(*u.Key) && t.Elem.Equal(*u.Elem)
	case Row:
		if len(t.Fields) != len(u.Fields) {
			return false
		}
		for i := range t.Fields {
			if !strings.EqualFold(t.Fields[i].Name, u.Fields[i].Name) || !t.Fields[i].Type.Equal(u.Fields[i].Type) {
				return false
			}
		}
	}
	return true
}

// Identical is Equal where printing precision of times counts too.
func (t Type) Identical(u Type) bool { return t.Equal(u) && t.String() == u.String() }

// String returns the type as Trino prints it: "row(a varchar, b array(bigint))".
func (t Type) String() string {
	switch t.Kind {
	case Unknown:
		return "unknown"
	case Boolean:
		return "boolean"
	case TinyInt:
		return "tinyint"
	case SmallInt:
		return "smallint"
	case Integer:
		return "integer"
	case BigInt:
		return "bigint"
	case Real:
		return "real"
	case Double:
		return "double"
	case Decimal:
		return fmt.Sprintf("decimal(%d,%d)", t.Precision, t.Scale)
	case Varchar:
		if t.Length > 0 {
			return fmt.Sprintf("varchar(%d)", t.Length)
		}
		return "varchar"
	case Varbinary:
		return "varbinary"
	case Date:
		return "date"
	case Time:
		return fmt.Sprintf("time(%d)", t.Precision)
	case TimeTZ:
		return fmt.Sprintf("time(%d) with time zone", t.Precision)
	case Timestamp:
		return fmt.Sprintf("timestamp(%d)", t.Precision)
	case TimestampTZ:
		return fmt.Sprintf("timestamp(%d) with time zone", t.Precision)
	case IntervalDay:
		return "interval day to second"
	case IntervalYear:
		return "interval year to month"
	case Array:
		return "array(" + t.Elem.String() + ")"
	case Map:
		return "map(" + t.Key.String() + ", " + t.Elem.String() + ")"
	case Row:
		parts := make([]string, len(t.Fields))
		for i, f := range t.Fields {
			parts[i] = strings.TrimSpace(quotedField(f.Name) + " " + f.Type.String())
		}
		return "row(" + strings.Join(parts, ", ") + ")"
	case JSON:
		return "json"
	case Char:
		return fmt.Sprintf("char(%d)", t.Length)
	case IPAddress:
		return "ipaddress"
	case IPPrefix:
		return "ipprefix"
	case UUID:
		return "uuid"
	case Function:
		parts := make([]string, len(t.Fields))
		for i, f := range t.Fields {
			parts[i] = f.Type.String()
		}
		return "function(" + strings.Join(append(parts, t.Elem.String()), ", ") + ")"
	}
	panic(fmt.Sprintf("sqltype: no name for kind %d", t.Kind))
}

// quotedField is the name of a field as Parse reads it: in double quotes where it is no plain word.
func quotedField(name string) string {
	for i := range len(name) {
		if !isWordByte(name[i]) || i == 0 && name[i] >= '0' && name[i] <= '9' {
			return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
		}
	}
	return name
}

// DictionaryString is the dictionary-coded Arrow form that varchar, char and json columns may take instead of String:
// int32 codes, no NULL among the entries (NULL stands in the codes). Entries need not be distinct or sorted.
var DictionaryString = &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}

// TimestampTZForm is the Arrow form of TimestampTZ: the instant in microseconds of UTC, and a zone key (see Zone).
// Equality, order and hash look at the instant alone. A time with time zone is such an instant on 1970-01-01 in UTC, its zone being an
// offset: so times that are the same modulo 24 hours in UTC are equal, as in Trino.
var TimestampTZForm = arrow.StructOf(
	arrow.Field{Name: "instant", Type: &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}, Nullable: true},
	arrow.Field{Name: "zone", Type: arrow.PrimitiveTypes.Int16, Nullable: true},
)

// Arrow returns the plain Arrow form of t. Top-level varchar, char and json columns may instead come as DictionaryString;
// children of nested arrays are always plain.
//
//	unknown → Null; integers → Int8…Int64; real, double → Float32, Float64; decimal → Decimal128;
//	varchar, char, json → String; varbinary, ipaddress, ipprefix, uuid → Binary; date → Date32; time → Time64[us]; timestamp → Timestamp[us];
//	time and timestamp with time zone → TimestampTZForm; intervals → Int64 (ms), Int32 (months);
//	array → List; map → Map; row → Struct.
func (t Type) Arrow() arrow.DataType {
	switch t.Kind {
	case Unknown:
		return arrow.Null
	case Boolean:
		return arrow.FixedWidthTypes.Boolean
	case TinyInt:
		return arrow.PrimitiveTypes.Int8
	case SmallInt:
		return arrow.PrimitiveTypes.Int16
	case Integer, IntervalYear:
		return arrow.PrimitiveTypes.Int32
	case BigInt, IntervalDay:
		return arrow.PrimitiveTypes.Int64
	case Real:
		return arrow.PrimitiveTypes.Float32
	case Double:
		return arrow.PrimitiveTypes.Float64
	case Decimal:
		return &arrow.Decimal128Type{Precision: int32(t.Precision), Scale: int32(t.Scale)}
	case Varchar, Char, JSON:
		return arrow.BinaryTypes.String
	case Varbinary, IPAddress, IPPrefix, UUID:
		return arrow.BinaryTypes.Binary
	case Date:
		return arrow.FixedWidthTypes.Date32
	case Time:
		return arrow.FixedWidthTypes.Time64us
	case Timestamp:
		return &arrow.TimestampType{Unit: arrow.Microsecond}
	case TimeTZ, TimestampTZ:
		return TimestampTZForm
	case Array:
		return arrow.ListOf(t.Elem.Arrow())
	case Map:
		return arrow.MapOf(t.Key.Arrow(), t.Elem.Arrow())
	case Row:
		fields := make([]arrow.Field, len(t.Fields))
		for i, f := range t.Fields {
			fields[i] = arrow.Field{Name: f.Name, Type: f.Type.Arrow(), Nullable: true}
		}
		return arrow.StructOf(fields...)
	}
	panic(fmt.Sprintf("sqltype: no Arrow form of kind %d", t.Kind))
}
