package sqltype

import (
	"math"
	"sort"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// AppendJSON appends one value as JSON: NULL is null; numbers are numbers (NaN and the infinities strings); times,
// intervals and bytes are strings of their text; an array is an array, a row an object with its fields in order, a map an
// object sorted by key, as Trino's CAST(map AS json) gives it; json stands as it is.
func AppendJSON(dst []byte, t Type, a arrow.Array, row int) []byte {
	if a.IsNull(row) || t.Kind == Unknown {
		return append(dst, "null"...)
	}
	switch t.Kind {
	case Boolean, TinyInt, SmallInt, Integer, BigInt, Decimal, JSON:
		return appendScalar(dst, t, a, row)
	case Real:
		if v := float64(a.(*array.Float32).Value(row)); !math.IsNaN(v) && !math.IsInf(v, 0) {
			return appendScalar(dst, t, a, row)
		}
	case Double:
		if v := a.(*array.Float64).Value(row); !math.IsNaN(v) && !math.IsInf(v, 0) {
			return appendScalar(dst, t, a, row)
		}
	case Array:
		l := a.(*array.List)
		start, end := l.ValueOffsets(row)
		dst = append(dst, '[')
		for i := int(start); i < int(end); i++ {
			if i > int(start) {
				dst = append(dst, ',')
			}
			dst = AppendJSON(dst, *t.Elem, l.ListValues(), i)
		}
		return append(dst, ']')
	case Map:
		return appendJSONMap(dst, t, a.(*array.Map), row)
	case Row:
		s := a.(*array.Struct)
		dst = append(dst, '{')
		for i, f := range t.Fields {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = AppendJSONString(dst, fieldName(f, i))
			dst = append(dst, ':')
			dst = AppendJSON(dst, f.Type, s.Field(i), row)
		}
		return append(dst, '}')
	}
	return AppendJSONString(dst, string(appendScalar(nil, t, a, row)))
}

func appendJSONMap(dst []byte, t Type, m *array.Map, row int) []byte {
	type entry struct {
		key string
		at  int
	}
	start, end := m.ValueOffsets(row)
	entries := make([]entry, 0, end-start)
	for i := int(start); i < int(end); i++ {
		entries = append(entries, entry{string(appendNestedText(nil, *t.Key, m.Keys(), i)), i})
	}
	sort.Slice(entries, func(i, j int) bool { return entries[i].key < entries[j].key })
	dst = append(dst, '{')
	for i, e := range entries {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendJSONString(dst, e.key)
		dst = append(dst, ':')
		dst = AppendJSON(dst, *t.Elem, m.Items(), e.at)
	}
	return append(dst, '}')
}

// AppendJSONString appends s as a JSON string. Bytes that are no UTF-8 become U+FFFD.
func AppendJSONString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(dst, s[from:i]...)
				dst = append(dst, "\ufffd"...)
				from = i + 1
			}
			i += size
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, s[from:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		from = i
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}
