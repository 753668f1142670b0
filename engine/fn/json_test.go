package fn

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/trailql/trailql/engine/sqltype"
)

// Malformed text gives NULL, a wrong path an error; scalars keep the text of numbers (Trino's "JSON functions").
func TestJSON(t *testing.T) {
	s := varchar
	doc := s(`{"user": {"name": "ann", "tags": ["x", {"k": 1.10}]}, "ok": true, "none": null, "e": "\u00e4\n\ud83d\ude00\"", "a.b": 1, "dup": 1, "dup": 2}`)
	null := nullOf(sqltype.VarcharType)
	check(t, []want{
		{"json_extract_scalar", []value{doc, s("$.user.name")}, "ann", ""},
		{"json_extract_scalar", []value{doc, s("$.user.tags[1].k")}, "1.10", ""},
		{"json_extract_scalar", []value{doc, s("$.user.tags[2]")}, "NULL", ""},
		{"json_extract_scalar", []value{doc, s("$.user")}, "NULL", ""},
		{"json_extract_scalar", []value{doc, s("$.ok")}, "true", ""},
		{"json_extract_scalar", []value{doc, s("$.none")}, "NULL", ""},
		{"json_extract_scalar", []value{doc, s("$.User")}, "NULL", ""}, // keys are matched exactly
		{"json_extract_scalar", []value{doc, s("$.e")}, "ä\n😀\"", ""},
		{"json_extract_scalar", []value{doc, s(`$["a.b"]`)}, "1", ""},
		{"json_extract_scalar", []value{doc, s(`$['a.b']`)}, "1", ""},
		{"json_extract_scalar", []value{doc, s(`$."a.b"`)}, "1", ""},
		{"json_extract_scalar", []value{doc, s("$.dup")}, "1", ""},
		{"json_extract_scalar", []value{s(`{"a:b": 5}`), s("$.a:b")}, "5", ""},
		{"json_extract_scalar", []value{s(`[1, "b"]`), s("$[1]")}, "b", ""},
		{"json_extract_scalar", []value{s(` "b" `), s("$")}, "b", ""},
		{"json_extract_scalar", []value{s(`{"a": 01}`), s("$.a")}, "NULL", ""},
		{"json_extract_scalar", []value{s(`{"a": "x`), s("$.a")}, "NULL", ""},
		{"json_extract_scalar", []value{s(`{"a": "\q"}`), s("$.a")}, "NULL", ""},
		{"json_extract_scalar", []value{s(``), s("$.a")}, "NULL", ""},
		{"json_extract_scalar", []value{s(`not json`), s("$.a")}, "NULL", ""},
		{"json_extract_scalar", []value{null, s("$.a")}, "NULL", ""},
		{"json_extract_scalar", []value{jsonOf(`{"a":1}`), s("$.a")}, "1", ""},
		{"json_extract_scalar", []value{doc, s("user")}, "", "must start with $"},
		{"json_extract_scalar", []value{doc, s("$.")}, "", "is not a JSON path"},
		{"json_extract_scalar", []value{doc, s("$..a")}, "", "is not a JSON path"},
		{"json_extract_scalar", []value{doc, s(`$["a`)}, "", "is not a JSON path"},
		{"json_extract", []value{doc, s("$.user.tags")}, `["x",{"k":1.10}]`, ""},
		{"json_extract", []value{doc, s("$.none")}, "null", ""},
		{"json_extract", []value{doc, s("$.user.tags[*].k")}, "[1.10]", ""},
		{"json_extract", []value{s(`{"a":{"b":1,"c":2}}`), s("$.a.*")}, "[1,2]", ""},
		{"json_extract", []value{doc, s("$.gone")}, "NULL", ""},
		{"json_extract", []value{s(`{"a": [1, }`), s("$.a")}, "NULL", ""},
		{"json_size", []value{s(`{"x": {"a": 1, "b": 2}}`), s("$.x")}, "2", ""},
		{"json_size", []value{s(`{"x": 1}`), s("$.x")}, "0", ""},
		{"json_size", []value{s(`{"x": 1}`), s("$.y")}, "NULL", ""},
		{"json_array_length", []value{s(`[1, [2, 3]]`)}, "2", ""},
		{"json_array_length", []value{s(`[]`)}, "0", ""},
		{"json_array_length", []value{s(`{"a":1}`)}, "NULL", ""},
		{"json_array_length", []value{s(`[1, 2`)}, "NULL", ""},
		{"json_array_get", []value{s(`["a", [3, 9], "c"]`), bigint(1)}, "[3,9]", ""},
		{"json_array_get", []value{s(`["a", [3, 9], "c"]`), bigint(-1)}, `"c"`, ""},
		{"json_array_get", []value{s(`["a"]`), bigint(1)}, "NULL", ""},
		{"json_array_get", []value{s(`["a"]`), bigint(-2)}, "NULL", ""},
		{"json_array_get", []value{s(`[]`), bigint(0)}, "NULL", ""},
		{"json_array_contains", []value{s(`[1, 2]`), bigint(2)}, "true", ""},
		{"json_array_contains", []value{s(`["a", true]`), s("a")}, "true", ""},
		{"json_array_contains", []value{s(`["a", true]`), boolean(false)}, "false", ""},
		{"json_array_contains", []value{s(`[1.5]`), double(1.5)}, "true", ""},
		{"json_array_contains", []value{s(`{}`), s("a")}, "NULL", ""},
		{"json_parse", []value{s(`{"b": [1, 2.50], "a": "\u00e9\/", "b": 3}`)}, `{"a":"é/","b":3}`, ""},
		{"json_parse", []value{s(`{"a": }`)}, "", "is not JSON"},
		{"json_parse", []value{s(strings.Repeat("[", 100_000))}, "", "is not JSON"},
		{"json_format", []value{jsonOf(`{"a":1}`)}, `{"a":1}`, ""},
		{"is_json_scalar", []value{s("1")}, "true", ""},
		{"is_json_scalar", []value{s("[1]")}, "false", ""},
		{"is_json_scalar", []value{s("1 2")}, "NULL", ""},
	})
}

// The planner's functions: a dot on JSON text, and the maps of CloudTrail Lake's shape.
func TestJSONKeys(t *testing.T) {
	s := varchar
	check(t, []want{
		{"json_key", []value{s(`{"bucketName": "b"}`), s("bucketname")}, "b", ""},
		{"json_key", []value{s(`{"KEY": 1, "key": 2}`), s("key")}, "2", ""}, // the exact key wins
		{"json_key", []value{s(`{"a": {"b" : [1]}}`), s("a")}, `{"b":[1]}`, ""},
		{"json_key", []value{s(`{"a": null}`), s("a")}, "NULL", ""},
		{"json_key", []value{s(`{"a": "x", "b`), s("a")}, "x", ""},
		{"json_key", []value{s(`[1]`), s("a")}, "NULL", ""},
		{"json_key", []value{s(``), s("a")}, "NULL", ""},
		{"json_to_map", []value{s(`{"a": 1, "b": [2, {}], "c": null, "d": "x\ny", "a": 5}`)}, "{a=1, b=[2,{}], c=null, d=x\ny}", ""},
		{"json_to_map", []value{s(`{}`)}, "{}", ""},
		{"json_to_map", []value{s(`{"a": 1, "b`)}, "NULL", ""},
		{"json_to_map", []value{s(`[]`)}, "NULL", ""},
		{"json_map_value", []value{s(`{"a": 1, "b": [2, {}], "c": null, "d": "x\ny", "a": 5}`), s("a")}, "1", ""},
		{"json_map_value", []value{s(`{"a": 1, "c": null}`), s("c")}, "NULL", ""},
		{"json_map_value", []value{s(`{"a": 1, "c": null}`), s("A")}, "NULL", ""},
		{"json_map_value", []value{s(`{"a": 1, "b`), s("a")}, "NULL", ""},
		{"json_map_value", []value{s(`{"\u0061": "y"}`), s("a")}, "y", ""},
		{"json_map_value", []value{s(`[]`), s("a")}, "NULL", ""},
	})
}

// What the scanner takes for JSON in its strict form must be what encoding/json takes for it.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,{"b":"\u00e4"}]}`, `[1e5,-0.1,true,null]`, `{"a":1,"a":2}`, `"\ud83d"`, `{`, `[1,]`, "\"\x01\""} {
		f.Add(s, "$.a[0]")
	}
	f.Fuzz(func(t *testing.T, s, path string) {
		p, err := parseJSONPath(path)
		if err == nil {
			p.find(s)
			_, _ = appendAll(nil, s, p)
		}
		_, _ = jsonKey(nil, s, path)
		out, ok := canonicalJSON(nil, s)
		if ok && !json.Valid(out) && json.Valid([]byte(s)) {
			t.Errorf("%q became %q, which is no JSON", s, out)
		}
		if json.Valid([]byte(s)) && !ok && strings.Count(s, "[")+strings.Count(s, "{") < maxJSONDepth {
			t.Errorf("%q is JSON, but was refused", s)
		}
		if ok {
			again, ok := canonicalJSON(nil, string(out))
			if !ok || string(again) != string(out) {
				t.Errorf("canonical form of %q is not stable: %q, then %q", s, out, again)
			}
		}
	})
}
