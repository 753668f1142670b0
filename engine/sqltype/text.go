package sqltype

import (
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// AppendText appends the text of one value as Athena prints results: true, 1.5, 1.0E10, 2024-01-01 00:00:00.000,
// bytes as hex pairs ("61 62"), char with its blanks, [a, b], {k=v}, {field=v}; fields without a name are field0, field1, …
// A NULL row appends nothing, a NULL inside a nested value is null. Text may be plain or dictionary-coded.
//
// CAST(double AS varchar) prints otherwise: see AppendDoubleCast.
func AppendText(dst []byte, t Type, a arrow.Array, row int) []byte {
	if a.IsNull(row) {
		return dst
	}
	switch t.Kind {
	case Unknown:
		return dst
	case Array:
		l := a.(*array.List)
		start, end := l.ValueOffsets(row)
		dst = append(dst, '[')
		for i := int(start); i < int(end); i++ {
			if i > int(start) {
				dst = append(dst, ", "...)
			}
			dst = appendNestedText(dst, *t.Elem, l.ListValues(), i)
		}
		return append(dst, ']')
	case Map:
		m := a.(*array.Map)
		start, end := m.ValueOffsets(row)
		dst = append(dst, '{')
		for i := int(start); i < int(end); i++ {
			if i > int(start) {
				dst = append(dst, ", "...)
			}
			dst = appendNestedText(dst, *t.Key, m.Keys(), i)
			dst = append(dst, '=')
			dst = appendNestedText(dst, *t.Elem, m.Items(), i)
		}
		return append(dst, '}')
	case Row:
		s := a.(*array.Struct)
		dst = append(dst, '{')
		for i, f := range t.Fields {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = append(dst, fieldName(f, i)...)
			dst = append(dst, '=')
			dst = appendNestedText(dst, f.Type, s.Field(i), row)
		}
		return append(dst, '}')
	}
	return appendScalar(dst, t, a, row)
}

func appendNestedText(dst []byte, t Type, a arrow.Array, row int) []byte {
	if a.IsNull(row) || t.Kind == Unknown {
		return append(dst, "null"...)
	}
	return AppendText(dst, t, a, row)
}

func fieldName(f Field, i int) string {
	if f.Name == "" {
		return "field" + strconv.Itoa(i)
	}
	return f.Name
}

// appendScalar appends a value that is neither NULL nor nested.
func appendScalar(dst []byte, t Type, a arrow.Array, row int) []byte {
	switch a := a.(type) {
	case *array.Boolean:
		return strconv.AppendBool(dst, a.Value(row))
	case *array.Int8:
		return strconv.AppendInt(dst, int64(a.Value(row)), 10)
	case *array.Int16:
		return strconv.AppendInt(dst, int64(a.Value(row)), 10)
	case *array.Int32:
		if t.Kind == IntervalYear {
			return AppendIntervalYear(dst, a.Value(row))
		}
		return strconv.AppendInt(dst, int64(a.Value(row)), 10)
	case *array.Int64:
		if t.Kind == IntervalDay {
			return AppendIntervalDay(dst, a.Value(row))
		}
		return strconv.AppendInt(dst, a.Value(row), 10)
	case *array.Float32:
		return AppendReal(dst, a.Value(row))
	case *array.Float64:
		return AppendDouble(dst, a.Value(row))
	case *array.Decimal128:
		return AppendDecimal(dst, a.Value(row), t.Scale)
	case *array.String:
		return appendFilled(append(dst, a.Value(row)...), t, len(dst))
	case *array.Dictionary:
		return appendFilled(append(dst, dictionaryText(a, row)...), t, len(dst))
	case *array.Binary:
		switch v := a.Value(row); t.Kind {
		case IPAddress:
			return AddressOf(v).AppendTo(dst)
		case IPPrefix:
			return NetworkOf(v).AppendTo(dst)
		case UUID:
			return appendUUID(dst, v)
		default:
			return appendHex(dst, v)
		}
	case *array.Date32:
		return AppendDate(dst, int(a.Value(row)))
	case *array.Time64:
		return AppendTime(dst, int64(a.Value(row)), t.Precision)
	case *array.Timestamp:
		return AppendTimestamp(dst, int64(a.Value(row)), t.Precision)
	case *array.Struct: // with time zone
		instant := a.Field(0).(*array.Timestamp).Value(row)
		if t.Kind == TimeTZ {
			return AppendTimeTZ(dst, int64(instant), a.Field(1).(*array.Int16).Value(row), t.Precision)
		}
		return AppendTimestampTZ(dst, int64(instant), a.Field(1).(*array.Int16).Value(row), t.Precision)
	}
	panic(fmt.Sprintf("sqltype: an array of %s holds no %s", a.DataType(), t))
}

// dictionaryText returns the text of a row that is not NULL. It reads the buffers, because a.Dictionary writes to the array, which
// other goroutines may read.
func dictionaryText(a *array.Dictionary, row int) []byte {
	entries := a.Data().Dictionary()
	offsets := arrow.GetOffsets[int32](entries, 1)
	code := a.GetValueIndex(row)
	if offsets[code] == offsets[code+1] {
		return nil
	}
	return entries.Buffers()[2].Bytes()[offsets[code]:offsets[code+1]]
}

// appendFilled fills text of t, which begins at start, up with the blanks of a char.
func appendFilled(dst []byte, t Type, start int) []byte {
	if t.Kind == Char {
		for range t.Length - utf8.RuneCount(dst[start:]) {
			dst = append(dst, ' ')
		}
	}
	return dst
}

func appendHex(dst, value []byte) []byte {
	const hex = "0123456789abcdef"
	for i, b := range value {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = append(dst, hex[b>>4], hex[b&15])
	}
	return dst
}

// AppendDouble appends a double as results print it, that is as Java does: 1.5, 1.0E10, NaN, -Infinity; from 0.001 to
// 10,000,000 without an exponent.
func AppendDouble(dst []byte, v float64) []byte { return appendFloat(dst, v, 64, false) }

// AppendReal is AppendDouble for a real.
func AppendReal(dst []byte, v float32) []byte { return appendFloat(dst, float64(v), 32, false) }

// AppendDoubleCast appends a double as CAST(v AS varchar) gives it in Trino, always with an exponent: 1.5E0.
func AppendDoubleCast(dst []byte, v float64) []byte { return appendFloat(dst, v, 64, true) }

// AppendRealCast is AppendDoubleCast for a real.
func AppendRealCast(dst []byte, v float32) []byte { return appendFloat(dst, float64(v), 32, true) }

func appendFloat(dst []byte, v float64, bits int, exponent bool) []byte {
	switch {
	case math.IsNaN(v):
		return append(dst, "NaN"...)
	case math.IsInf(v, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(v, -1):
		return append(dst, "-Infinity"...)
	}
	start := len(dst)
	plain := v == 0 || math.Abs(v) >= 1e-3 && math.Abs(v) < 1e7
	if plain && !exponent {
		dst = strconv.AppendFloat(dst, v, 'f', -1, bits)
		return withPoint(dst, start)
	}
	// 1.5e+07 becomes 1.5E7
	var buffer [32]byte
	text := strconv.AppendFloat(buffer[:0], v, 'e', -1, bits)
	e := len(text) - 1
	for text[e] != 'e' {
		e--
	}
	dst = withPoint(append(dst, text[:e]...), start)
	dst = append(dst, 'E')
	power, _ := strconv.Atoi(string(text[e+1:]))
	return strconv.AppendInt(dst, int64(power), 10)
}

// withPoint appends ".0" if there is no point after start.
func withPoint(dst []byte, start int) []byte {
	for _, c := range dst[start:] {
		if c == '.' {
			return dst
		}
	}
	return append(dst, ".0"...)
}

// AppendDecimal appends v / 10^scale with exactly scale digits after the point.
func AppendDecimal(dst []byte, v decimal128.Num, scale int) []byte {
	var buffer [48]byte
	text := buffer[:0]
	if n, ok := Int64(v); ok {
		text = strconv.AppendInt(text, n, 10)
	} else {
		text = v.BigInt().Append(text, 10)
	}
	if text[0] == '-' {
		dst, text = append(dst, '-'), text[1:]
	}
	if len(text) <= scale {
		dst = append(dst, '0')
	} else {
		dst = append(dst, text[:len(text)-scale]...)
		text = text[len(text)-scale:]
	}
	if scale == 0 {
		return dst
	}
	dst = append(dst, '.')
	for range scale - len(text) {
		dst = append(dst, '0')
	}
	return append(dst, text...)
}
