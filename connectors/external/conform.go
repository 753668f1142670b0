package external

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// conform gives an array of a file the form of a declared type. Fields of rows go by their names without regard to case; one that is not in the
// file is NULL.
func conform(a arrow.Array, to sqltype.Type) (arrow.Array, error) {
	if a.Data().Offset() != 0 {
		var err error
		if a, err = array.Concatenate([]arrow.Array{a}, memory.DefaultAllocator); err != nil {
			return nil, err
		}
	}
	switch to.Kind {
	case sqltype.Array:
		return conformList(a, to)
	case sqltype.Map:
		return conformMap(a, to)
	case sqltype.Row:
		return conformRow(a, to)
	}
	stored, from, err := natural(a)
	if err != nil {
		return nil, err
	}
	if from.Kind == sqltype.Varbinary && (to.Kind == sqltype.Varchar || to.Kind == sqltype.Char) {
		stored, from = asText(stored.(*array.Binary)), sqltype.VarcharType // text without a mark that it is
	}
	if from.Kind == sqltype.Timestamp {
		from.Precision = to.Precision // the cast rounds to fewer digits, but a file's times are taken as they are
	}
	if !sqltype.CanCast(from, to) {
		return nil, fmt.Errorf("it is %s in the file, and declared as %s", from, to)
	}
	d, err := vec.Cast(vec.Datum{Arr: stored}, from, to, false, nil, time.Time{}, a.Len())
	return d.Arr, err
}

// rebuilt is an array of a nested type with other children.
func rebuilt(a arrow.Array, to sqltype.Type, buffers int, children ...arrow.Array) arrow.Array {
	data := make([]arrow.ArrayData, len(children))
	for i, c := range children {
		data[i] = c.Data()
	}
	return array.MakeFromData(array.NewData(to.Arrow(), a.Len(), a.Data().Buffers()[:buffers], data, a.NullN(), 0))
}

func conformList(a arrow.Array, to sqltype.Type) (arrow.Array, error) {
	list, ok := a.(*array.List)
	if !ok {
		return nil, fmt.Errorf("it is %s in the file, and declared as %s", a.DataType(), to)
	}
	elements, err := conform(list.ListValues(), *to.Elem)
	if err != nil {
		return nil, err
	}
	return rebuilt(a, to, 2, elements), nil
}

func conformMap(a arrow.Array, to sqltype.Type) (arrow.Array, error) {
	m, ok := a.(*array.Map)
	if !ok {
		return nil, fmt.Errorf("it is %s in the file, and declared as %s", a.DataType(), to)
	}
	keys, err := conform(m.Keys(), *to.Key)
	if err != nil {
		return nil, err
	}
	values, err := conform(m.Items(), *to.Elem)
	if err != nil {
		return nil, err
	}
	if keys.NullN() > 0 {
		return nil, fmt.Errorf("a map in it has a NULL key")
	}
	pairs := array.NewData(to.Arrow().(*arrow.MapType).Elem(), keys.Len(), slices.Clone(m.ListValues().Data().Buffers()[:1]),
		[]arrow.ArrayData{keys.Data(), values.Data()}, 0, 0)
	return rebuilt(a, to, 2, array.MakeFromData(pairs)), nil
}

func conformRow(a arrow.Array, to sqltype.Type) (arrow.Array, error) {
	row, ok := a.(*array.Struct)
	if !ok {
		return nil, fmt.Errorf("it is %s in the file, and declared as %s", a.DataType(), to)
	}
	form := row.DataType().(*arrow.StructType)
	fields := make([]arrow.Array, len(to.Fields))
	for i, f := range to.Fields {
		at := slices.IndexFunc(form.Fields(), func(g arrow.Field) bool { return strings.EqualFold(g.Name, f.Name) })
		if at < 0 {
			fields[i] = vec.Nulls(f.Type, a.Len())
			continue
		}
		var err error
		if fields[i], err = conform(row.Field(at), f.Type); err != nil {
			return nil, fmt.Errorf("field %s: %w", f.Name, err)
		}
	}
	return rebuilt(a, to, 1, fields...), nil
}

// natural is the array in the form of the SQL type that is nearest to its own, and that type.
func natural(a arrow.Array) (arrow.Array, sqltype.Type, error) {
	switch a := a.(type) {
	case *array.Boolean:
		return a, sqltype.BooleanType, nil
	case *array.Int8:
		return a, sqltype.TinyIntType, nil
	case *array.Int16:
		return a, sqltype.SmallIntType, nil
	case *array.Int32:
		return a, sqltype.IntegerType, nil
	case *array.Int64:
		return a, sqltype.BigIntType, nil
	case *array.Uint8:
		return bigints(a, a.Value), sqltype.BigIntType, nil
	case *array.Uint16:
		return bigints(a, a.Value), sqltype.BigIntType, nil
	case *array.Uint32:
		return bigints(a, a.Value), sqltype.BigIntType, nil
	case *array.Uint64:
		for i := range a.Len() {
			if a.IsValid(i) && a.Value(i) > math.MaxInt64 {
				return nil, sqltype.Type{}, fmt.Errorf("%d is too large for a bigint", a.Value(i))
			}
		}
		return bigints(a, a.Value), sqltype.BigIntType, nil
	case *array.Float32:
		return a, sqltype.RealType, nil
	case *array.Float64:
		return a, sqltype.DoubleType, nil
	case *array.String:
		for i := range a.Len() {
			if a.IsValid(i) && string(valid([]byte(a.Value(i)))) != a.Value(i) {
				return repaired(a), sqltype.VarcharType, nil
			}
		}
		return a, sqltype.VarcharType, nil
	case *array.Binary:
		return a, sqltype.VarbinaryType, nil
	case *array.FixedSizeBinary:
		b := array.NewBinaryBuilder(memory.DefaultAllocator, arrow.BinaryTypes.Binary)
		for i := range a.Len() {
			if a.IsNull(i) {
				b.AppendNull()
			} else {
				b.Append(a.Value(i))
			}
		}
		return b.NewArray(), sqltype.VarbinaryType, nil
	case *array.Date32:
		return a, sqltype.DateType, nil
	case *array.Timestamp:
		return micros(a), sqltype.Type{Kind: sqltype.Timestamp, Precision: 6}, nil
	case *array.Decimal128:
		t := a.DataType().(*arrow.Decimal128Type)
		return a, sqltype.DecimalOf(int(t.Precision), int(t.Scale)), nil
	}
	return nil, sqltype.Type{}, fmt.Errorf("its form in the file, %s, is not supported", a.DataType())
}

func bigints[T uint8 | uint16 | uint32 | uint64](a arrow.Array, value func(int) T) arrow.Array {
	b := array.NewInt64Builder(memory.DefaultAllocator)
	for i := range a.Len() {
		if a.IsNull(i) {
			b.AppendNull()
		} else {
			b.Append(int64(value(i)))
		}
	}
	return b.NewArray()
}

func repaired(a *array.String) arrow.Array {
	b := array.NewStringBuilder(memory.DefaultAllocator)
	for i := range a.Len() {
		if a.IsNull(i) {
			b.AppendNull()
		} else {
			b.BinaryBuilder.Append(valid([]byte(a.Value(i))))
		}
	}
	return b.NewArray()
}

func asText(a *array.Binary) arrow.Array {
	b := array.NewStringBuilder(memory.DefaultAllocator)
	for i := range a.Len() {
		if a.IsNull(i) {
			b.AppendNull()
		} else {
			b.BinaryBuilder.Append(valid(a.Value(i)))
		}
	}
	return b.NewArray()
}

// micros are times in microseconds; what is finer is cut off.
func micros(a *array.Timestamp) arrow.Array {
	unit := a.DataType().(*arrow.TimestampType).Unit
	b := array.NewTimestampBuilder(memory.DefaultAllocator, sqltype.TimestampType.Arrow().(*arrow.TimestampType))
	for i := range a.Len() {
		if a.IsNull(i) {
			b.AppendNull()
			continue
		}
		v := int64(a.Value(i))
		switch unit {
		case arrow.Second:
			v *= 1e6
		case arrow.Millisecond:
			v *= 1e3
		case arrow.Nanosecond:
			if v < 0 && v%1e3 != 0 {
				v -= 1e3
			}
			v /= 1e3
		}
		b.Append(arrow.Timestamp(v))
	}
	return b.NewArray()
}
