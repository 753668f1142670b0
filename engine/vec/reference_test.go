package vec

import (
	"bytes"
	"cmp"
	"math"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"

	"github.com/trailql/trailql/engine/sqltype"
)

// The slow reference of the tests: columns are []any of Go values (nil is NULL; arrays are []any, rows are rowValue, maps
// []pair), and every kernel is compared with a loop over them.

type (
	rowValue []any
	pair     struct{ key, value any }
	mapValue []pair
)

// build makes a plain column.
func build(t sqltype.Type, values []any) arrow.Array {
	b := array.NewBuilder(memory.DefaultAllocator, t.Arrow())
	for _, v := range values {
		put(b, t, v)
	}
	return b.NewArray()
}

func put(b array.Builder, t sqltype.Type, v any) {
	if v == nil {
		b.AppendNull()
		return
	}
	switch b := b.(type) {
	case *array.BooleanBuilder:
		b.Append(v.(bool))
	case *array.Int8Builder:
		b.Append(int8(v.(int64)))
	case *array.Int16Builder:
		b.Append(int16(v.(int64)))
	case *array.Int32Builder:
		b.Append(int32(v.(int64)))
	case *array.Int64Builder:
		b.Append(v.(int64))
	case *array.Float32Builder:
		b.Append(float32(v.(float64)))
	case *array.Float64Builder:
		b.Append(v.(float64))
	case *array.Decimal128Builder:
		b.Append(v.(decimal128.Num))
	case *array.StringBuilder:
		b.Append(v.(string))
	case *array.BinaryBuilder:
		b.Append(v.([]byte))
	case *array.Date32Builder:
		b.Append(arrow.Date32(v.(int64)))
	case *array.Time64Builder:
		b.Append(arrow.Time64(v.(int64)))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(v.(int64)))
	case *array.MapBuilder:
		b.Append(true)
		for _, p := range v.(mapValue) {
			put(b.KeyBuilder(), *t.Key, p.key)
			put(b.ItemBuilder(), *t.Elem, p.value)
		}
	case *array.ListBuilder:
		b.Append(true)
		for _, e := range v.([]any) {
			put(b.ValueBuilder(), *t.Elem, e)
		}
	case *array.StructBuilder:
		b.Append(true)
		if t.Kind == sqltype.TimestampTZ {
			b.FieldBuilder(0).(*array.TimestampBuilder).Append(arrow.Timestamp(v.(int64)))
			b.FieldBuilder(1).(*array.Int16Builder).Append(int16(v.(int64) & 1)) // the zone must not matter
			return
		}
		for i, f := range v.(rowValue) {
			put(b.FieldBuilder(i), t.Fields[i].Type, f)
		}
	default:
		panic(b)
	}
}

// get reads one row back.
func get(t sqltype.Type, a arrow.Array, row int) any {
	if !IsValid(a, row) {
		return nil
	}
	switch t.Kind {
	case sqltype.Array:
		l := a.(*array.List)
		from, to := l.ValueOffsets(row)
		out := []any{}
		for i := from; i < to; i++ {
			out = append(out, get(*t.Elem, l.ListValues(), int(i)))
		}
		return out
	case sqltype.Map:
		m := a.(*array.Map)
		from, to := m.ValueOffsets(row)
		out := mapValue{}
		for i := from; i < to; i++ {
			out = append(out, pair{get(*t.Key, m.Keys(), int(i)), get(*t.Elem, m.Items(), int(i))})
		}
		return out
	case sqltype.Row:
		out := rowValue{}
		for i, f := range t.Fields {
			out = append(out, get(f.Type, a.(*array.Struct).Field(i), row))
		}
		return out
	}
	return Value(a, row)
}

func getAll(t sqltype.Type, a arrow.Array) []any {
	out := make([]any, a.Len())
	for i := range out {
		out[i] = get(t, a, i)
	}
	return out
}

// order compares two values that are not nil; NULL parts are last, NaN is largest.
func refOrder(a, b any) int {
	switch a := a.(type) {
	case bool:
		return cmp.Compare(refInt(a), refInt(b.(bool)))
	case int64:
		return cmp.Compare(a, b.(int64))
	case float64:
		b := b.(float64)
		switch {
		case math.IsNaN(a) && math.IsNaN(b):
			return 0
		case math.IsNaN(a):
			return 1
		case math.IsNaN(b):
			return -1
		case a < b:
			return -1
		case a > b:
			return 1
		}
		return 0
	case decimal128.Num:
		return a.BigInt().Cmp(b.(decimal128.Num).BigInt())
	case string:
		return strings.Compare(a, b.(string))
	case []byte:
		return bytes.Compare(a, b.([]byte))
	case []any:
		return refOrderLists(a, b.([]any))
	case rowValue:
		return refOrderLists(a, b.(rowValue))
	}
	panic(a)
}

func refOrderLists(a, b []any) int {
	for i := range min(len(a), len(b)) {
		if c := refSort(a[i], b[i], false, false); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

func refSort(a, b any, desc, nullsFirst bool) int {
	if a == nil || b == nil {
		c := cmp.Compare(refInt(a == nil), refInt(b == nil))
		if nullsFirst {
			return -c
		}
		return c
	}
	c := refOrder(a, b)
	if desc {
		return -c
	}
	return c
}

func refInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// refEqual is grouping equality.
func refEqual(a, b any) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	if m, ok := a.(mapValue); ok {
		n := b.(mapValue)
		if len(m) != len(n) {
			return false
		}
		for _, p := range m {
			found := false
			for _, q := range n {
				found = found || refEqual(p.key, q.key) && refEqual(p.value, q.value)
			}
			if !found {
				return false
			}
		}
		return true
	}
	switch a := a.(type) {
	case []any:
		return refEqualLists(a, b.([]any))
	case rowValue:
		return refEqualLists(a, b.(rowValue))
	}
	return refOrder(a, b) == 0
}

func refEqualLists(a, b []any) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !refEqual(a[i], b[i]) {
			return false
		}
	}
	return true
}

var scalarTypes = []sqltype.Type{
	sqltype.BooleanType, sqltype.TinyIntType, sqltype.SmallIntType, sqltype.IntegerType, sqltype.BigIntType,
	sqltype.RealType, sqltype.DoubleType, sqltype.DecimalOf(30, 2), sqltype.VarcharType, sqltype.VarbinaryType,
	sqltype.DateType, sqltype.TimeType, sqltype.TimestampType, sqltype.TimestampTZType, sqltype.IntervalDayType,
	sqltype.IntervalYearType, sqltype.JSONType,
}

var nestedTypes = []sqltype.Type{
	sqltype.ArrayOf(sqltype.VarcharType), sqltype.ArrayOf(sqltype.DoubleType), sqltype.MapOf(sqltype.VarcharType, sqltype.BigIntType),
	sqltype.RowOf(sqltype.Field{Name: "a", Type: sqltype.VarcharType}, sqltype.Field{Name: "b", Type: sqltype.ArrayOf(sqltype.IntegerType)}),
}

// genValue draws from few values, so that equal ones are common.
func genValue(t sqltype.Type, nulls bool) *rapid.Generator[any] {
	return rapid.Custom(func(rt *rapid.T) any {
		if nulls && rapid.IntRange(0, 4).Draw(rt, "null") == 0 {
			return nil
		}
		switch t.Kind {
		case sqltype.Boolean:
			return rapid.Bool().Draw(rt, "bool")
		case sqltype.Real, sqltype.Double:
			return rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 1.5, -2.5, math.NaN(), math.Inf(1), math.Inf(-1), 3}).Draw(rt, "double")
		case sqltype.Decimal:
			return rapid.SampledFrom([]decimal128.Num{decimal128.FromI64(0), decimal128.FromI64(-150), decimal128.FromI64(99),
				decimal128.New(5, 7), decimal128.New(5, 1<<63), decimal128.New(-5, 7)}).Draw(rt, "decimal")
		case sqltype.Varchar, sqltype.JSON:
			return rapid.SampledFrom([]string{"", "a", "b", "ab", "abcdefgh", "abcdefghi", "abcdefgh\x00", "é", "日本", "%_"}).Draw(rt, "text")
		case sqltype.Varbinary:
			return []byte(rapid.SampledFrom([]string{"", "a", "\xff", "\x00"}).Draw(rt, "bytes"))
		case sqltype.Array:
			return rapid.SliceOfN(genValue(*t.Elem, nulls), 0, 3).Draw(rt, "array")
		case sqltype.Map:
			keys := rapid.SliceOfNDistinct(genValue(*t.Key, false), 0, 3, func(v any) any { return v }).Draw(rt, "keys")
			out := mapValue{}
			for _, k := range keys {
				out = append(out, pair{k, genValue(*t.Elem, nulls).Draw(rt, "value")})
			}
			return out
		case sqltype.Row:
			out := rowValue{}
			for _, f := range t.Fields {
				out = append(out, genValue(f.Type, nulls).Draw(rt, f.Name))
			}
			return out
		}
		return rapid.SampledFrom([]int64{0, 1, -1, 2, 100, -128, 127}).Draw(rt, "int")
	})
}

func genType(nested bool) *rapid.Generator[sqltype.Type] {
	if nested {
		return rapid.SampledFrom(append(append([]sqltype.Type(nil), scalarTypes...), nestedTypes...))
	}
	return rapid.SampledFrom(scalarTypes)
}

func genValues(t sqltype.Type, low, high int) *rapid.Generator[[]any] {
	return rapid.Custom(func(rt *rapid.T) []any {
		nulls := rapid.Bool().Draw(rt, "nulls")
		return rapid.SliceOfN(genValue(t, nulls), low, high).Draw(rt, "values")
	})
}

// draw returns the values as a column in one of the forms: plain or dictionary-coded (entries in any order, repeated,
// unused), whole or a slice.
func draw(rt *rapid.T, t sqltype.Type, values []any) arrow.Array {
	before := rapid.IntRange(0, 9).Draw(rt, "before")
	after := rapid.IntRange(0, 3).Draw(rt, "after")
	padded := append([]any(nil), genValues(t, before, before).Draw(rt, "padding")...)
	padded = append(padded, values...)
	padded = append(padded, genValues(t, after, after).Draw(rt, "padding")...)
	var a arrow.Array
	if (t.Kind == sqltype.Varchar || t.Kind == sqltype.JSON) && rapid.Bool().Draw(rt, "dictionary") {
		entries := genValues(t, 0, 4).Draw(rt, "entries")
		for i, e := range entries {
			if e == nil {
				entries[i] = "unused"
			}
		}
		codes := make([]int32, len(padded))
		for i, v := range padded {
			if v == nil {
				codes[i] = -1
				continue
			}
			codes[i] = int32(len(entries))
			for c, e := range entries {
				if e == v && rapid.IntRange(0, 3).Draw(rt, "reuse") > 0 {
					codes[i] = int32(c)
				}
			}
			if int(codes[i]) == len(entries) {
				entries = append(entries, v)
			}
		}
		a = EncodeDictionary(build(t, entries).(*array.String), codes)
	} else {
		a = build(t, padded)
	}
	return Slice(a, before, before+len(values))
}

func checkColumn(t interface {
	Helper()
	Fatalf(string, ...any)
}, typ sqltype.Type, got arrow.Array, want []any) {
	t.Helper()
	if got.Len() != len(want) {
		t.Fatalf("%d rows, want %d", got.Len(), len(want))
	}
	for i, w := range want {
		if g := get(typ, got, i); !refEqual(g, w) {
			t.Fatalf("row %d of %s is %v, want %v", i, typ, g, w)
		}
	}
	nulls := 0
	for _, w := range want {
		if w == nil {
			nulls++
		}
	}
	if NullCount(got) != nulls && got.DataType().ID() != arrow.NULL {
		t.Fatalf("NullCount %d, want %d", NullCount(got), nulls)
	}
}
