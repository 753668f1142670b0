package fn

import (
	"slices"
	"strings"
	"testing"
)

// The manual and completion are made of these records.
func TestRecordsAreComplete(t *testing.T) {
	complete := func(name, doc, example string) {
		if doc == "" || !strings.HasSuffix(doc, ".") {
			t.Errorf("%s: the description %q is no sentence", name, doc)
		}
		if call, result, ok := strings.Cut(example, " → "); !ok || call == "" || result == "" {
			t.Errorf("%s: the example %q is not an expression and its result", name, example)
		}
	}
	for _, f := range All() {
		complete(f.Name, f.Doc, f.Example)
		if f.Category == "" || len(f.Overloads) == 0 {
			t.Errorf("%s has no chapter or no overloads", f.Name)
		}
		for _, o := range f.Overloads {
			if o.Eval == nil {
				t.Errorf("%s%s has no body", f.Name, o.Sig)
			}
		}
	}
	for _, a := range Aggregates() {
		complete(a.Name, a.Doc, a.Example)
		for _, o := range a.Overloads {
			if o.New == nil {
				t.Errorf("%s%s has no accumulator", a.Name, o.Sig)
			}
		}
	}
	for _, w := range Windows() {
		complete(w.Name, w.Doc, w.Example)
	}
}

func TestNames(t *testing.T) {
	names := Names()
	for _, n := range []string{"substring", "json_extract_scalar", "any_value", "count", "mod", "lag"} {
		if !slices.Contains(names, n) {
			t.Errorf("%s is missing", n)
		}
	}
	for _, n := range []string{"+", "negate", "json_key", "array_constructor"} {
		if slices.Contains(names, n) {
			t.Errorf("%s cannot be called by name, but is listed", n)
		}
	}
	if _, ok := Lookup("JSON_Extract"); !ok {
		t.Error("names are matched without regard to case")
	}
}

func TestTakenNamePanics(t *testing.T) {
	index := map[string]*Function{"a": {}}
	for _, n := range []string{"a", "Upper"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q was entered", n)
				}
			}()
			enter(index, &Function{}, n, nil)
		}()
	}
}
