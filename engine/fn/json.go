package fn

import (
	"math"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/sqltype"
)

// keyOfJSON are the overloads of what reads a key: on cloudtrail_logs the parameters are JSON text, in CloudTrail Lake maps, and queries
// for the one are asked of the other.
var keyOfJSON = overJSON("varchar", "varchar", append2(jsonKey))

var jsonFunctions = []*Function{
	{
		Name: "json_extract_scalar", Category: jsons, CanFail: true, FailsByConstants: true,
		Doc:       "The text of the string, number or boolean at a JSON path; NULL for anything else and for text that is no JSON. Of equal keys the first counts.",
		Example:   `json_extract_scalar('{"user": {"name": "ann"}}', '$.user.name') → 'ann'`,
		Overloads: overJSON("varchar", "varchar", extractScalar),
	},
	{
		Name: "json_extract", Category: jsons, CanFail: true,
		Doc:       "The JSON value at a path; with [*] an array of all values. NULL if there is none or the text is no JSON.",
		Example:   `json_extract('{"a": [1, {"b": 2}]}', '$.a[1]') → JSON '{"b":2}'`,
		Overloads: overJSON("varchar", "json", extractJSON),
	},
	{
		Name: "json_size", Category: jsons, CanFail: true,
		Doc:     "How many members or elements the object or array at a path has; 0 for other values, NULL if there is none.",
		Example: `json_size('{"a": [1, 2]}', '$.a') → 2`,
		Overloads: overJSON("varchar", "bigint", func(c *Call) (arrow.Array, error) {
			text, pathAt := arg[string](c, 0), compiled(c, 1, parseJSONPath)
			return eachRow(c, func(i int) (int64, error) {
				p, err := pathAt(i)
				if err != nil {
					return 0, err
				}
				at := p.find(text.at(i))
				if at < 0 {
					return 0, errNull
				}
				return jsonCount(text.at(i), at)
			})
		}),
	},
	{
		Name: "json_array_length", Category: jsons,
		Doc:     "How many elements the array has; NULL for other values.",
		Example: `json_array_length('[1, 2, 3]') → 3`,
		Overloads: overJSON("", "bigint", lift1(func(s string) (int64, error) {
			i := jsonSpace(s, 0)
			if i >= len(s) || s[i] != '[' {
				return 0, errNull
			}
			return jsonCount(s, i)
		})),
	},
	{
		Name: "json_array_get", Category: jsons,
		Doc:       "The element at an index from 0, from the end if negative, as JSON (a string keeps its quotes, unlike in Trino, where the result is no JSON); NULL if there is none.",
		Example:   `json_array_get('["a", [3, 9], "c"]', 1) → JSON '[3,9]'`,
		Overloads: overJSON("bigint", "json", append2(jsonArrayGet)),
	},
	{
		Name: "json_array_contains", Category: jsons,
		Doc:     "Whether an array holds the boolean, number or text; NULL if the first argument is no JSON array.",
		Example: `json_array_contains('[1, 2, 3]', 2) → true`,
		Overloads: slicesOf(
			overJSON("bigint", "boolean", lift2(func(s string, want int64) (bool, error) {
				return jsonArrayAny(s, func(v string) bool { n, err := strconv.ParseInt(v, 10, 64); return err == nil && n == want })
			})),
			overJSON("double", "boolean", lift2(func(s string, want float64) (bool, error) {
				return jsonArrayAny(s, func(v string) bool {
					n, err := strconv.ParseFloat(v, 64)
					return err == nil && n == want && strings.ContainsAny(v, ".eE")
				})
			})),
			overJSON("boolean", "boolean", lift2(func(s string, want bool) (bool, error) {
				return jsonArrayAny(s, func(v string) bool { return v == strconv.FormatBool(want) })
			})),
			overJSON("varchar", "boolean", lift2(func(s, want string) (bool, error) {
				return jsonArrayAny(s, func(v string) bool { return v[0] == '"' && jsonKeyIs(v, want) })
			})),
		),
	},
	{
		Name: "json_parse", Category: jsons, CanFail: true,
		Doc:     "Text as a JSON value: blanks removed, keys sorted, numbers as they are written. Text that is no JSON is an error.",
		Example: `json_parse('{"b": 1, "a": 2}') → JSON '{"a":2,"b":1}'`,
		Overloads: []Overload{{Sig: "(varchar) -> json", Eval: append1(func(dst []byte, s string) ([]byte, error) {
			dst, ok := canonicalJSON(dst, s)
			if !ok {
				return nil, valueError("%s is not JSON", shown(s))
			}
			return dst, nil
		})}},
	},
	{
		Name: "json_format", Category: jsons,
		Doc:       "The JSON value as text.",
		Example:   `json_format(JSON '[1, 2]') → '[1,2]'`,
		Overloads: []Overload{{Sig: "(json) -> varchar", Eval: func(c *Call) (arrow.Array, error) { return c.Args[0].Arr, nil }}},
	},
	{
		Name: "is_json_scalar", Category: jsons,
		Doc:     "Whether the value is a number, a string, a boolean or null; NULL for text that is no JSON.",
		Example: `is_json_scalar('1') → true`,
		Overloads: overJSON("", "boolean", lift1(func(s string) (bool, error) {
			i := jsonSpace(s, 0)
			end := jsonEnd(s, i)
			if end < 0 || jsonSpace(s, end) != len(s) {
				return false, errNull
			}
			return s[i] != '{' && s[i] != '[', nil
		})),
	},
	{
		Name: "json_key", Category: internal,
		Doc: "The value of an object's key as varchar: text of a string, number or boolean, JSON of an object or array; NULL for null, " +
			"a missing key, and what is no object. A key that differs in case only is taken if the exact one is missing. " +
			"This is what a dot on a column of JSON text means.",
		Example:   `json_key('{"bucketName": "b"}', 'bucketname') → 'b'`,
		Overloads: keyOfJSON,
	},
	{
		Name: "json_to_map", Category: internal,
		Doc:       "An object as a map of its keys to their values as json_key gives them; NULL for what is no object. Of equal keys the first counts.",
		Example:   `json_to_map('{"a": 1, "b": [2]}') → map(array['a', 'b'], array['1', '[2]'])`,
		Overloads: overJSON("", "map(varchar, varchar)", jsonToMap),
	},
	{
		Name: "json_map_value", Category: internal,
		Doc:       "What element_at gives of json_to_map, without the map.",
		Example:   `json_map_value('{"a": 1, "b": [2]}', 'b') → '[2]'`,
		Overloads: overJSON("varchar", "varchar", append2(jsonMapValue)),
	},
}

// overJSON are the overloads of a function that reads JSON from a varchar or a json.
func overJSON(second, result string, eval body) []Overload {
	if second != "" {
		second = ", " + second
	}
	return []Overload{
		{Sig: "(varchar" + second + ") -> " + result, Eval: eval},
		{Sig: "(json" + second + ") -> " + result, Eval: eval},
	}
}

func slicesOf(lists ...[]Overload) []Overload {
	var all []Overload
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// extractScalar is json_extract_scalar.
var extractScalar = pieces(extractScalarRows, func(c *Call, _ *textColumn) func(string) (string, bool) {
	p, err := compiled(c, 1, parseJSONPath)(0)
	if err != nil {
		return nil // if no row is there to fail, it is no error
	}
	return func(s string) (string, bool) {
		text, err := p.scalar(s)
		return text, err == nil
	}
})

func extractScalarRows(c *Call) (arrow.Array, error) {
	text, pathAt := arg[string](c, 0), compiled(c, 1, parseJSONPath)
	return eachRow(c, func(i int) (string, error) {
		p, err := pathAt(i)
		if err != nil {
			return "", err
		}
		return p.scalar(text.at(i))
	})
}

// scalar is the text of the string, number or boolean that the path leads to; errNull if it leads to none.
func (p jsonPath) scalar(s string) (string, error) {
	at := p.find(s)
	if at < 0 || s[at] == '{' || s[at] == '[' || p.plural() {
		return "", errNull
	}
	return jsonScalar(s, at)
}

// jsonScalar is the text of the string, number or boolean at i; null for null and what is no JSON.
func jsonScalar(s string, i int) (string, error) {
	end := jsonEnd(s, i)
	if end < 0 || s[i:end] == "null" {
		return "", errNull
	}
	if s[i] != '"' {
		return s[i:end], nil
	}
	if text, ok := jsonUnquote(s[i:end]); ok {
		return text, nil
	}
	return "", errNull
}

func extractJSON(c *Call) (arrow.Array, error) {
	text, pathAt := arg[string](c, 0), compiled(c, 1, parseJSONPath)
	return appendRows(c, func(dst []byte, i int) ([]byte, error) {
		p, err := pathAt(i)
		if err != nil {
			return nil, err
		}
		s := text.at(i)
		if p.plural() {
			return appendAll(dst, s, p)
		}
		at := p.find(s)
		if at < 0 {
			return nil, errNull
		}
		return appendValue(dst, s, at)
	})
}

func appendValue(dst []byte, s string, at int) ([]byte, error) {
	dst, end := appendCanonical(dst, s, at, false, 0)
	if end < 0 {
		return nil, errNull
	}
	return dst, nil
}

// appendAll appends the array of all values that a path with [*] leads to.
func appendAll(dst []byte, s string, p jsonPath) ([]byte, error) {
	dst = append(dst, '[')
	empty := true
	whole := p.each(s, jsonSpace(s, 0), func(at int) bool {
		if !empty {
			dst = append(dst, ',')
		}
		empty = false
		var end int
		dst, end = appendCanonical(dst, s, at, false, 0)
		return end >= 0
	})
	if !whole || empty {
		return nil, errNull
	}
	return append(dst, ']'), nil
}

// jsonCount counts the members or elements of the value at i.
func jsonCount(s string, i int) (int64, error) {
	if s[i] != '{' && s[i] != '[' {
		if jsonEnd(s, i) < 0 {
			return 0, errNull
		}
		return 0, nil
	}
	n := int64(0)
	whole := jsonPath{{all: true}}.each(s, i, func(int) bool { n++; return true })
	if !whole {
		return 0, errNull
	}
	return n, nil
}

func jsonArrayGet(dst []byte, s string, n int64) ([]byte, error) {
	i := jsonSpace(s, 0)
	if i >= len(s) || s[i] != '[' {
		return nil, errNull
	}
	if n < 0 {
		count, err := jsonCount(s, i)
		if err != nil || count+n < 0 {
			return nil, errNull
		}
		n += count
	}
	at := jsonStep{index: int(min(n, math.MaxInt32))}.into(s, i)
	if at < 0 || at >= len(s) || s[at] == ']' {
		return nil, errNull
	}
	return appendValue(dst, s, at)
}

// jsonArrayAny reports whether an element of the array satisfies is.
func jsonArrayAny(s string, is func(value string) bool) (bool, error) {
	i := jsonSpace(s, 0)
	if i >= len(s) || s[i] != '[' {
		return false, errNull
	}
	found := false
	whole := jsonPath{{all: true}}.each(s, i, func(at int) bool {
		found = found || is(s[at:jsonEnd(s, at)])
		return true
	})
	if !whole {
		return false, errNull
	}
	return found, nil
}

func jsonKey(dst []byte, s, name string) ([]byte, error) {
	i := jsonSpace(s, 0)
	if i >= len(s) || s[i] != '{' {
		return nil, errNull
	}
	near, at := -1, i+1
	for first := true; ; first = false {
		key, value, _ := jsonMember(s, at, first)
		if value < 0 {
			break
		}
		if jsonKeyIs(key, name) {
			return appendAsText(dst, s, value)
		}
		if near < 0 && jsonKeyMayFold(key, name) {
			if text, ok := jsonUnquote(key); ok && strings.EqualFold(text, name) {
				near = value
			}
		}
		if at = jsonEnd(s, value); at < 0 {
			break
		}
	}
	if near < 0 {
		return nil, errNull
	}
	return appendAsText(dst, s, near)
}

// appendAsText appends the value at i as varchar: the text of a scalar, the JSON of an object or array.
func appendAsText(dst []byte, s string, i int) ([]byte, error) {
	if i < len(s) && (s[i] == '{' || s[i] == '[') {
		return appendValue(dst, s, i)
	}
	text, err := jsonScalar(s, i)
	return append(dst, text...), err
}

// jsonMapValue reads the whole object, as jsonToMap does: of one that is damaged there is no map, and no value.
func jsonMapValue(dst []byte, s, name string) ([]byte, error) {
	i := jsonSpace(s, 0)
	if i >= len(s) || s[i] != '{' {
		return nil, errNull
	}
	found := -1
	at := i + 1
	for first := true; ; first = false {
		key, value, last := jsonMember(s, at, first)
		if last {
			break
		}
		if value < 0 {
			return nil, errNull
		}
		if strings.IndexByte(key, '\\') >= 0 {
			if _, ok := jsonUnquote(key); !ok {
				return nil, errNull
			}
		}
		if found < 0 && jsonKeyIs(key, name) {
			found = value
		}
		if at = jsonEnd(s, value); at < 0 {
			return nil, errNull
		}
	}
	if found < 0 {
		return nil, errNull
	}
	return appendAsText(dst, s, found)
}

func jsonToMap(c *Call) (arrow.Array, error) {
	text, m := arg[string](c, 0), nullMaker{c.nulls(), c.Len}
	keys, values := newTextWriter(c.Len), newTextWriter(c.Len)
	var noValue []bool
	offsets := append(make([]int32, 0, c.Len+1), 0)
	seen := map[string]bool{}
	for row := range c.Len {
		if !m.skip(row) {
			s := text.at(row)
			i := jsonSpace(s, 0)
			if i >= len(s) || s[i] != '{' {
				m.keep(row, errNull)
				offsets = append(offsets, offsets[row])
				continue
			}
			clear(seen)
			at := i + 1
			for first := true; ; first = false {
				key, value, last := jsonMember(s, at, first)
				name, ok := "", false
				if value >= 0 {
					name, ok = jsonUnquote(key)
				}
				if last {
					break
				}
				if ok {
					at = jsonEnd(s, value)
				}
				if !ok || at < 0 { // damaged: no map rather than half of one
					m.keep(row, errNull)
					noValue = noValue[:offsets[row]]
					keys.cut(len(noValue))
					values.cut(len(noValue))
					break
				}
				if seen[name] {
					continue
				}
				seen[name] = true
				keys.data = append(keys.data, name...)
				data, err := appendAsText(values.data, s, value)
				if err == nil {
					values.data = data
				}
				noValue = append(noValue, err != nil)
				if !keys.end() || !values.end() {
					return nil, tooMuchText()
				}
			}
		}
		offsets = append(offsets, int32(len(noValue)))
	}
	keyArray, err := keys.array(sqltype.VarcharType, nil)
	if err != nil {
		return nil, err
	}
	valueArray, err := values.array(sqltype.VarcharType, noValue)
	if err != nil {
		return nil, err
	}
	return mapArray(c.Result, offsets, keyArray, valueArray, m.nulls), nil
}
