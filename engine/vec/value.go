package vec

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/trailql/trailql/engine/sqltype"
)

// Column returns the datum as a column of n rows; a constant is repeated (text as a dictionary of one entry).
func Column(d Datum, n int) arrow.Array {
	if !d.Const {
		return d.Arr
	}
	if s, ok := d.Arr.(*array.String); ok {
		codes := make([]int32, n)
		if s.IsNull(0) {
			for i := range codes {
				codes[i] = -1
			}
		}
		return EncodeDictionary(withoutNulls(s), codes)
	}
	return Take(d.Arr, make([]int32, n))
}

// Nulls returns n NULLs of the type.
func Nulls(t sqltype.Type, n int) arrow.Array {
	if t.Kind == sqltype.Unknown {
		return array.NewNull(n)
	}
	return Take(empty(t.Arrow()), nullRows(n))
}

// empty returns the array of no rows.
func empty(t arrow.DataType) arrow.Array {
	switch t := t.(type) {
	case *arrow.NullType:
		return array.NewNull(0)
	case *arrow.BooleanType:
		return newBoolean(nil, 0, nil)
	case *arrow.StringType, *arrow.BinaryType:
		return newText(t, []int32{0}, nil, nil)
	case *arrow.ListType:
		return newList(t, []int32{0}, empty(t.Elem()), nil)
	case *arrow.MapType:
		return newList(t, []int32{0}, empty(t.Elem()), nil)
	case *arrow.StructType:
		fields := make([]arrow.Array, t.NumFields())
		for i := range fields {
			fields[i] = empty(t.Field(i).Type)
		}
		return newStruct(t, 0, fields, nil)
	}
	return newFixed[int64](t, nil, nil)
}

// Value returns one value of a scalar type: nil for NULL, bool, int64 (integers, dates in days, times and timestamps in
// microseconds, intervals in milliseconds or months, the instant of what has a time zone), float64, string,
// []byte (shared, not to be written to) or decimal128.Num. Arrays, maps and rows panic.
func Value(a arrow.Array, row int) any {
	if !IsValid(a, row) {
		return nil
	}
	switch a := a.(type) {
	case *array.Boolean:
		return a.Value(row)
	case *array.Int8:
		return int64(a.Value(row))
	case *array.Int16:
		return int64(a.Value(row))
	case *array.Int32:
		return int64(a.Value(row))
	case *array.Int64:
		return a.Value(row)
	case *array.Float32:
		return float64(a.Value(row))
	case *array.Float64:
		return a.Value(row)
	case *array.Decimal128:
		return a.Value(row)
	case *array.String:
		return a.Value(row)
	case *array.Dictionary:
		return string(textAt(a, row))
	case *array.Binary:
		return a.Value(row)
	case *array.Date32:
		return int64(a.Value(row))
	case *array.Time64:
		return int64(a.Value(row))
	case *array.Timestamp:
		return int64(a.Value(row))
	case *array.Struct:
		if isInstant(a.DataType()) {
			return int64(a.Field(0).(*array.Timestamp).Value(row))
		}
	}
	panic(fmt.Sprintf("vec: no Go value of %s", a.DataType()))
}

// FromValue returns one row of a scalar type; v is what Value returns (any integer may also be an int). What has a time zone
// is in UTC. Another v is a defect of the caller and panics.
func FromValue(t sqltype.Type, v any) arrow.Array {
	if v == nil {
		return Nulls(t, 1)
	}
	form := t.Arrow()
	switch v := v.(type) {
	case bool:
		if t.Kind == sqltype.Boolean {
			values := newBitmap(1)
			if v {
				values.set(0)
			}
			return newBoolean(values, 1, nil)
		}
	case int:
		return FromValue(t, int64(v))
	case int64:
		switch t.Kind {
		case sqltype.TinyInt:
			return newFixed(form, []int8{int8(v)}, nil)
		case sqltype.SmallInt:
			return newFixed(form, []int16{int16(v)}, nil)
		case sqltype.Integer, sqltype.Date, sqltype.IntervalYear:
			return newFixed(form, []int32{int32(v)}, nil)
		case sqltype.BigInt, sqltype.Time, sqltype.Timestamp, sqltype.IntervalDay:
			return newFixed(form, []int64{v}, nil)
		case sqltype.TimeTZ, sqltype.TimestampTZ:
			return newInstants([]int64{v}, []int16{sqltype.UTCKey}, nil)
		}
	case float64:
		switch t.Kind {
		case sqltype.Real:
			return newFixed(form, []float32{float32(v)}, nil)
		case sqltype.Double:
			return newFixed(form, []float64{v}, nil)
		}
	case string:
		if t.Kind == sqltype.Varchar || t.Kind == sqltype.Char || t.Kind == sqltype.JSON {
			return newText(form, []int32{0, int32(len(v))}, []byte(v), nil)
		}
	case []byte:
		if t.Arrow().ID() == arrow.BINARY {
			return newText(form, []int32{0, int32(len(v))}, append([]byte(nil), v...), nil)
		}
	case decimal128.Num:
		if t.Kind == sqltype.Decimal {
			return newFixed(form, []decimal128.Num{v}, nil)
		}
	}
	panic(fmt.Sprintf("vec: %T is no value of %s", v, t))
}

// newInstants builds a timestamp with time zone column from instants in microseconds and zone keys.
func newInstants(micros []int64, keys []int16, valid bitmap) arrow.Array {
	return newStruct(sqltype.TimestampTZForm, len(micros), []arrow.Array{
		newFixed(sqltype.TimestampTZForm.Field(0).Type, micros, nil),
		newFixed(sqltype.TimestampTZForm.Field(1).Type, keys, nil),
	}, valid)
}
