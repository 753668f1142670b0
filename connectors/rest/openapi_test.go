package rest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

type object = map[string]any

var document = func() (d object) {
	if err := json.Unmarshal(openAPI, &d); err != nil {
		panic(err)
	}
	return d
}()

// at follows a path of keys.
func at(v any, keys ...string) any {
	for _, k := range keys {
		m, _ := v.(object)
		v = m[k]
	}
	return v
}

// resolve follows a $ref of the document.
func resolve(v any) object {
	m, _ := v.(object)
	if ref, ok := m["$ref"].(string); ok {
		return resolve(at(document, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...))
	}
	return m
}

// conforms checks JSON against a schema of the document.
func conforms(t *testing.T, schema string, text []byte) {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	for _, wrong := range check(at(document, "components", "schemas", schema), v, schema) {
		t.Error(wrong)
	}
}

// check knows the words of JSON Schema that the document uses.
func check(schema, v any, where string) (wrong []string) {
	s := resolve(schema)
	if s == nil {
		return []string{where + ": there is no such schema"}
	}
	complain := func(format string, args ...any) { wrong = append(wrong, where+": "+fmt.Sprintf(format, args...)) }
	if any, ok := s["anyOf"].([]any); ok && !slices.ContainsFunc(any, func(s interface{}) bool { return len(check(s, v, where)) == 0 }) {
		complain("none of anyOf fits %v", v)
	}
	if enum, ok := s["enum"].([]any); ok && !slices.Contains(enum, v) {
		complain("%v is none of %v", v, enum)
	}
	if c, ok := s["const"]; ok && c != v {
		complain("%v is not %v", v, c)
	}
	kinds, _ := s["type"].([]any)
	if one, ok := s["type"].(string); ok {
		kinds = []any{one}
	}
	kind := map[string]string{"<nil>": "null", "string": "string", "bool": "boolean", "float64": "number", "[]interface {}": "array", "map[string]interface {}": "object"}[fmt.Sprintf("%T", v)]
	if n, ok := v.(float64); ok && slices.Contains(kinds, any("integer")) && n == float64(int64(n)) {
		kind = "integer"
	}
	if len(kinds) > 0 && !slices.Contains(kinds, any(kind)) {
		complain("%v is no %v", v, kinds)
	}
	switch v := v.(type) {
	case float64:
		if low, ok := s["minimum"].(float64); ok && v < low {
			complain("%v is less than %v", v, low)
		}
	case []any:
		for i, item := range v {
			if s["items"] != nil {
				wrong = append(wrong, check(s["items"], item, fmt.Sprintf("%s[%d]", where, i))...)
			}
		}
	case object:
		required, _ := s["required"].([]any)
		for _, name := range required {
			if _, ok := v[name.(string)]; !ok {
				complain("%s is missing", name)
			}
		}
		known, _ := s["properties"].(object)
		for name, item := range v {
			if known[name] != nil {
				wrong = append(wrong, check(known[name], item, where+"."+name)...)
			} else if s["additionalProperties"] == false {
				complain("%s is not documented", name)
			}
		}
	}
	return wrong
}

// Every route is documented and every documented one is served, with its parameters; all references lead somewhere.
func TestTheDocumentIsTheServer(t *testing.T) {
	var served, documented []string
	for _, r := range routes {
		served = append(served, r.method+" "+r.path)
	}
	for path, item := range at(document, "paths").(object) {
		for method, operation := range item.(object) {
			if method == "parameters" {
				continue
			}
			documented = append(documented, strings.ToUpper(method)+" "+path)
			_, free := at(operation, "security").([]any)
			if free != open(strings.ToUpper(method)+" "+path) {
				t.Errorf("%s %s: the document and the server do not agree whether a token is needed", method, path)
			}
			for status := range at(operation, "responses").(object) {
				if resolve(at(operation, "responses", status))["description"] == nil {
					t.Errorf("%s %s: %s has no description", method, path, status)
				}
			}
		}
	}
	slices.Sort(served)
	slices.Sort(documented)
	if !slices.Equal(served, documented) {
		t.Errorf("served:\n%s\ndocumented:\n%s", strings.Join(served, "\n"), strings.Join(documented, "\n"))
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case object:
			if v["$ref"] != nil && resolve(v) == nil {
				t.Errorf("%v leads nowhere", v["$ref"])
			}
			for _, item := range v {
				walk(item)
			}
		case []any:
			for _, item := range v {
				walk(item)
			}
		}
	}
	walk(document)
}

// The parameters that the document names are those that the server takes, and the same with formats, fields and kinds of errors.
func TestTheDocumentsNames(t *testing.T) {
	w := newWorld(t, nil)
	id := w.run("SELECT 1").ID
	for path, item := range at(document, "paths").(object) {
		for method, operation := range item.(object) {
			if method == "parameters" {
				continue
			}
			a := w.ask(strings.ToUpper(method), strings.ReplaceAll(path, "{id}", id)+"?surely_not=1", submit("SELECT 1"))
			var names []string
			parameters, _ := at(operation, "parameters").([]any)
			for _, p := range parameters {
				if resolve(p)["in"] == "query" {
					names = append(names, resolve(p)["name"].(string))
				}
			}
			if a.StatusCode == 200 && len(names) == 0 {
				continue // healthz, metrics, openapi.json look at no parameter
			}
			hint, _ := at(a.json(t), "error", "hint").(string)
			if got := strings.Split(strings.TrimPrefix(hint, "known: "), ", "); len(names) > 0 && !slices.Equal(got, names) {
				t.Errorf("%s %s takes %q, documented are %q", method, path, got, names)
			}
		}
	}
	fields := slices.Collect(maps.Keys(at(document, "components", "schemas", "Submission", "properties").(object)))
	slices.Sort(fields)
	hint, _ := at(w.ask("POST", "/api/v1/queries", `{"?": 1}`).json(t), "error", "hint").(string)
	got := strings.Split(strings.TrimPrefix(hint, "known: "), ", ")
	slices.Sort(got)
	if !slices.Equal(got, fields) {
		t.Errorf("fields %q, documented %q", got, fields)
	}
	var names []any
	for _, f := range formats {
		names = append(names, f.name)
		if at(document, "paths", "/api/v1/queries/{id}/results", "get", "responses", "200", "content", f.media) == nil {
			t.Errorf("%s is not documented", f.media)
		}
	}
	if enum := resolve(at(document, "components", "parameters", "format"))["schema"].(object)["enum"]; !slices.Equal(enum.([]any), names) {
		t.Errorf("formats %v, documented %v", names, enum)
	}
	kinds := at(document, "components", "schemas", "Error", "properties", "kind", "enum").([]any)
	for kind := range statuses {
		if !slices.Contains(kinds, any(string(kind))) {
			t.Errorf("the kind %s is not documented", kind)
		}
	}
}

// Answers are as the document says, in every state of a query.
func TestAnswersConform(t *testing.T) {
	w := newWorld(t, nil)
	good := w.ask("POST", "/api/v1/queries", submit(every))
	conforms(t, "Page", good.body)
	conforms(t, "Query", w.ask("GET", good.Header.Get("Location"), "").body)
	bad := w.ask("POST", "/api/v1/queries", submit("SELECT nope FROM big"))
	conforms(t, "Failure", bad.body)
	conforms(t, "Query", w.ask("GET", queryPath(at(bad.json(t), "query", "id").(string)), "").body)
	slow := w.ask("POST", "/api/v1/queries", submit("SELECT n FROM gate", `"wait_ms": 1`))
	conforms(t, "Query", slow.body)
	conforms(t, "Page", w.ask("GET", slow.Header.Get("Location")+"/results?wait_ms=0", "").body)
	conforms(t, "History", w.ask("GET", "/api/v1/queries?limit=2", "").body)
	gone := w.ask("DELETE", slow.Header.Get("Location"), "")
	conforms(t, "Query", gone.body)
	conforms(t, "Failure", w.ask("GET", slow.Header.Get("Location")+"/results", "").body)
	if a := w.ask("GET", "/api/v1/openapi.json", ""); string(a.body) != string(openAPI) || a.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%s %v", a.Status, a.Header)
	}
}
