package vec

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/engine/sqltype"
)

// toJSON gives each value as JSON; NULL stays NULL.
func (c caster) toJSON(a arrow.Array, from sqltype.Type) (arrow.Array, error) {
	n, valid := a.Len(), validityOf(a)
	offsets := make([]int32, n+1)
	var out []byte
	for i := range n {
		if valid == nil || valid.has(i) {
			out = sqltype.AppendJSON(out, from, a, i)
			if len(out) > math.MaxInt32 {
				return nil, tooMuchText()
			}
		}
		offsets[i+1] = int32(len(out))
	}
	return newText(arrow.BinaryTypes.String, offsets, out, valid), nil
}

// fromJSON casts JSON text. The JSON null is NULL. Text and numbers of the wrong kind are converted as their own casts do,
// objects become maps or, by the names of the fields, rows; arrays become arrays or, by position, rows.
func (c caster) fromJSON(a arrow.Array, to sqltype.Type) (arrow.Array, error) {
	r := c.results(a, sqltype.JSONType, to)
	b := array.NewBuilder(memory.DefaultAllocator, to.Arrow())
	texts := textsOf(a)
	for i := range a.Len() {
		if r.skip(i) {
			b.AppendNull()
			continue
		}
		raw := bytes.TrimSpace(texts.at(i))
		if !json.Valid(raw) || !fitsJSON(raw, to) {
			if err := r.bad(i); err != nil {
				return nil, err
			}
			b.AppendNull()
			continue
		}
		appendJSON(b, raw, to)
	}
	return b.NewArray(), nil
}

// member is one key of an object with its value.
type member struct {
	key   string
	value []byte
}

// members returns the members of a valid object in their order.
func members(raw []byte) (out []member) {
	d := json.NewDecoder(bytes.NewReader(raw))
	_, _ = d.Token() // {
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return nil
		}
		out = append(out, member{key.(string), value})
	}
	return out
}

// elements returns the elements of a valid array.
func elements(raw []byte) (out []json.RawMessage) {
	if json.Unmarshal(raw, &out) != nil {
		return nil
	}
	return out
}

// fieldParts returns the JSON values of the fields of a row, nil for those that are absent.
func fieldParts(raw []byte, t sqltype.Type) (parts [][]byte, ok bool) {
	parts = make([][]byte, len(t.Fields))
	if raw[0] == '[' {
		elems := elements(raw)
		if len(elems) != len(parts) {
			return nil, false
		}
		for i, e := range elems {
			parts[i] = e
		}
		return parts, true
	}
	for _, m := range members(raw) {
		for i, f := range t.Fields {
			if f.Name != "" && strings.EqualFold(f.Name, m.key) {
				if parts[i] != nil {
					return nil, false
				}
				parts[i] = m.value
			}
		}
	}
	return parts, true
}

func isJSONNull(raw []byte) bool { return raw[0] == 'n' }

// fitsJSON reports whether a JSON value can be cast to t, so that appendJSON may be called.
func fitsJSON(raw []byte, t sqltype.Type) bool {
	if isJSONNull(raw) {
		return true
	}
	switch t.Kind {
	case sqltype.JSON:
		return true
	case sqltype.Array:
		if raw[0] != '[' {
			return false
		}
		for _, e := range elements(raw) {
			if !fitsJSON(e, *t.Elem) {
				return false
			}
		}
		return true
	case sqltype.Map:
		if raw[0] != '{' {
			return false
		}
		seen := map[any]bool{}
		for _, m := range members(raw) {
			key, ok := jsonScalar(quotedScalar(m.key), *t.Key)
			if !ok || seen[key] || !fitsJSON(m.value, *t.Elem) {
				return false
			}
			seen[key] = true
		}
		return true
	case sqltype.Row:
		if raw[0] != '{' && raw[0] != '[' {
			return false
		}
		parts, ok := fieldParts(raw, t)
		for i := 0; ok && i < len(parts); i++ {
			ok = parts[i] == nil || fitsJSON(parts[i], t.Fields[i].Type)
		}
		return ok
	}
	_, ok := jsonScalar(scalarOf(raw), t)
	return ok
}

func appendJSON(b array.Builder, raw []byte, t sqltype.Type) {
	if isJSONNull(raw) && t.Kind != sqltype.JSON {
		b.AppendNull()
		return
	}
	switch t.Kind {
	case sqltype.JSON:
		b.(*array.StringBuilder).Append(string(raw))
	case sqltype.Array:
		l := b.(*array.ListBuilder)
		l.Append(true)
		for _, e := range elements(raw) {
			appendJSON(l.ValueBuilder(), e, *t.Elem)
		}
	case sqltype.Map:
		m := b.(*array.MapBuilder)
		m.Append(true)
		for _, e := range members(raw) {
			key, _ := jsonScalar(quotedScalar(e.key), *t.Key)
			appendScalar(m.KeyBuilder(), key)
			appendJSON(m.ItemBuilder(), e.value, *t.Elem)
		}
	case sqltype.Row:
		s := b.(*array.StructBuilder)
		s.Append(true)
		parts, _ := fieldParts(raw, t)
		for i, p := range parts {
			if p == nil {
				s.FieldBuilder(i).AppendNull()
			} else {
				appendJSON(s.FieldBuilder(i), p, t.Fields[i].Type)
			}
		}
	default:
		v, _ := jsonScalar(scalarOf(raw), t)
		appendScalar(b, v)
	}
}

// scalar is a JSON scalar: kind is '"', 't', 'f' or '0' (a number), or '[' or '{' for what is none.
type scalar struct {
	kind byte
	text string // of strings the content, of numbers as written
}

func quotedScalar(s string) scalar { return scalar{'"', s} }

func scalarOf(raw []byte) scalar {
	switch raw[0] {
	case '"':
		if bytes.IndexByte(raw, '\\') < 0 {
			return scalar{'"', string(raw[1 : len(raw)-1])}
		}
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return scalar{kind: '{'}
		}
		return scalar{'"', s}
	case 't', 'f', '[', '{':
		return scalar{raw[0], string(raw)}
	}
	return scalar{'0', string(raw)}
}

// jsonScalar converts a scalar to a value for appendScalar.
func jsonScalar(s scalar, t sqltype.Type) (v any, ok bool) {
	if s.kind == '[' || s.kind == '{' {
		return nil, false
	}
	truth := s.kind == 't'
	isTruth := truth || s.kind == 'f'
	switch t.Kind {
	case sqltype.Varchar:
		return string(cut([]byte(s.text), length(t))), true
	case sqltype.Boolean:
		switch {
		case isTruth:
			return truth, true
		case s.kind == '0':
			f, err := strconv.ParseFloat(s.text, 64)
			return f != 0, err == nil
		}
		b, ok := parseBoolean(s.text)
		return b == 1, ok
	case sqltype.Real:
		if isTruth {
			return float32(one(truth)), true
		}
		return parseReal(s.text)
	case sqltype.Double:
		if isTruth {
			return float64(one(truth)), true
		}
		return parseDouble(s.text)
	case sqltype.Decimal:
		if isTruth {
			return sqltype.Rescale(decimal128.FromI64(one(truth)), 0, t.Precision, t.Scale)
		}
		return sqltype.ParseDecimal(s.text, t.Precision, t.Scale)
	}
	var n int64
	switch {
	case isTruth:
		n, ok = one(truth), true
	default:
		if n, ok = parseInt[int64](s.text); !ok && s.kind == '0' {
			var f float64
			if f, ok = parseDouble(s.text); ok {
				n, ok = roundDouble(f)
			}
		}
	}
	switch t.Kind {
	case sqltype.TinyInt:
		return int8(n), ok && int64(int8(n)) == n
	case sqltype.SmallInt:
		return int16(n), ok && int64(int16(n)) == n
	case sqltype.Integer:
		return int32(n), ok && int64(int32(n)) == n
	}
	return n, ok
}

func length(t sqltype.Type) int {
	if t.Length == 0 {
		return math.MaxInt
	}
	return t.Length
}

func one(truth bool) int64 {
	if truth {
		return 1
	}
	return 0
}

func appendScalar(b array.Builder, v any) {
	switch v := v.(type) {
	case bool:
		b.(*array.BooleanBuilder).Append(v)
	case int8:
		b.(*array.Int8Builder).Append(v)
	case int16:
		b.(*array.Int16Builder).Append(v)
	case int32:
		b.(*array.Int32Builder).Append(v)
	case int64:
		b.(*array.Int64Builder).Append(v)
	case float32:
		b.(*array.Float32Builder).Append(v)
	case float64:
		b.(*array.Float64Builder).Append(v)
	case decimal128.Num:
		b.(*array.Decimal128Builder).Append(v)
	case string:
		b.(*array.StringBuilder).Append(v)
	}
}
