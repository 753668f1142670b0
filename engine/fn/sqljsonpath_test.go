package fn

import (
	"strings"
	"testing"
)

func TestSQLPathErrors(t *testing.T) {
	for _, c := range []struct{ path, want string }{
		{"", "ends too early"},
		{"lax", "ends too early"},
		{"$ $", "goes on"},
		{"$.a[", "ends too early"},
		{"$.a[1 to]", "there should be"},
		{"$?(@)", "comparison"},
		{"$?(@.a == 1", ")"},
		{`$."a`, "no end"},
		{"$.\"\\x\"", "escape"},
		{"1.2.3", "no number"},
		{strings.Repeat("(", 100) + "$" + strings.Repeat(")", 100), "too deeply"},
		{"$?" + strings.Repeat("(", 100) + "@ > 1" + strings.Repeat(")", 100), "too deeply"},
		{"$" + strings.Repeat(".a", 3000), "too long"},
	} {
		if err := CheckSQLPath(c.path); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.40q: error %v, want %q", c.path, err, c.want)
		}
	}
}

// A path is bounded in what it makes of one row: each step here makes ten times as many items.
func TestSQLPathBudget(t *testing.T) {
	wide := "[" + strings.Repeat(`[0,0,0,0,0,0,0,0,0,0],`, 9) + "[0]]"
	value, _ := readItem(wide, 0, 0)
	subscripts := "[0 to 9, 0 to 9, 0 to 9, 0 to 9, 0 to 9]"
	p, err := parseSQLPath("lax $" + strings.Repeat(subscripts, 20))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.run(value, jsonItem{}); err == nil {
		t.Error("a path that makes billions of items ran to its end")
	}
}

// Whatever the path and the text, there is an answer or an error.
func FuzzSQLPath(f *testing.F) {
	f.Add("lax $.a[*]?(@.b > 1 && exists(@.c)).keyvalue()", `{"a":[{"b":2,"c":1}]}`)
	f.Add("strict ($[last] + 1.5e0) * -$[0 to 1, 2]", "[1,2,3]")
	f.Add(`lax $..key?((@ starts with "x") is unknown || !(@ == null))`, `{"key":null}`)
	f.Fuzz(func(t *testing.T, path, text string) {
		p, err := parseSQLPath(path)
		if err != nil {
			return
		}
		item, end := readItem(text, 0, 0)
		if end < 0 {
			return
		}
		items, err := p.run(item, jsonItem{})
		if err != nil {
			return
		}
		for _, out := range items {
			again, end := readItem(string(appendItem(nil, out)), 0, 0)
			if end < 0 || again.kind != out.kind {
				t.Fatalf("%q of %q makes %q, which is no JSON", path, text, appendItem(nil, out))
			}
		}
	})
}
