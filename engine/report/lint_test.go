package report

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
)

// packOf is a pack of controls 1, 2, … with a query each.
func packOf(queries ...string) string {
	out := "id: p\ntitle: P\ncontrols:\n"
	for i, q := range queries {
		out += "  - {id: \"" + string(rune('1'+i)) + "\", title: T, query: " + q + "}\n"
	}
	return out
}

func TestLint(t *testing.T) {
	svc := serviceOf(t)
	for _, c := range []struct{ why, sql, want string }{
		{"good", goodSQL, ""},
		{"good, with comments and a semicolon", "-- why :from\n" + goodSQL + ";\n", ""},
		{"placeholders in quotes do not count", "SELECT eventid, ':from' AS a, 1 AS \":to\" FROM events ORDER BY 1",
			"a.sql: the query does not name :from, so that it is not bound to the period\na.sql: the query does not name :to, so that it is not bound to the period"},
		{"no order", strings.ReplaceAll(goodSQL, " ORDER BY eventid", ""), "a.sql: the query has no ORDER BY; the hash of its rows holds for one order only"},
		{"order within", "SELECT * FROM (" + goodSQL + ") t", "a.sql: the query has no ORDER BY; the hash of its rows holds for one order only"},
		{"order of a part", strings.ReplaceAll(goodSQL, "ORDER BY", "AND row_number() OVER (ORDER BY n) > 0 AND") + " = ''", "a.sql: the query has no ORDER BY"},
		{"the clock", "SELECT eventid FROM events WHERE _time >= :from AND _time < :to\n AND _time < now() ORDER BY 1", "a.sql:2:14: now answers otherwise each time"},
		{"the clock without parentheses", "SELECT eventid, current_date AS d FROM events WHERE _time >= :from AND _time < :to ORDER BY 1", "a.sql:1:17: current_date answers otherwise"},
		{"chance", "SELECT eventid FROM events WHERE _time >= :from AND _time < :to ORDER BY rand()", "a.sql:1:74: rand answers otherwise"},
		{"no such column, behind a placeholder", "SELECT eventid FROM events WHERE _time >= :from AND _time < :to AND nix = 1 ORDER BY 1", `a.sql:1:69: column "nix" does not exist`},
		{"no such table", strings.ReplaceAll(goodSQL, "FROM events", "FROM evnts"), `a.sql:1:21: `},
		{"types", "SELECT eventid FROM events WHERE n >= :from AND _time < :to ORDER BY 1", "a.sql:1:"},
		{"syntax, behind placeholders", "SELECT eventid FROM events WHERE _time >= :from\nAND _time < :to AND ORDER BY 1", "a.sql:2:21: "},
		{"two statements", goodSQL + "; SELECT 1", "a.sql:1:83: "},
		{"no SELECT", "EXPLAIN " + goodSQL, "a.sql:1:1: a control is a SELECT"},
		{"no eventid", "SELECT n FROM events WHERE _time >= :from AND _time < :to ORDER BY 1", "a.sql: the query returns no column eventid"},
		{"eventid under another name", "SELECT eventid AS id FROM events WHERE _time >= :from AND _time < :to ORDER BY 1", "a.sql: the query returns no column eventid"},
		{"names twice", "SELECT eventid, n, n FROM events WHERE _time >= :from AND _time < :to ORDER BY eventid", "a.sql: two columns are called n"},
	} {
		t.Run(c.why, func(t *testing.T) {
			problems, err := Lint(t.Context(), folder(map[string]string{"p.yaml": packOf("a.sql"), "a.sql": c.sql}), []string{"p.yaml"}, svc)
			if err != nil {
				t.Fatal(err)
			}
			if got := problems.Error(); !strings.HasPrefix(got, c.want) || (c.want == "") != (got == "") {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// What is about several files, and what the loader refuses, comes in one list, by file and place; what several packs share is told once.
func TestLintOfAFolder(t *testing.T) {
	files := folder(map[string]string{
		"a.yaml":     "id: p\ntitle: P\ncontrols:\n  - {id: \"4.10\", title: T, query: shared.sql}\n  - {id: \"4.9\", title: T, query: shared.sql}\n  - {id: x, query: gone.sql}\n",
		"b.yaml":     packOf("shared.sql"),
		"c.yaml":     strings.ReplaceAll(packOf("other.sql"), "id: p", "id: q"),
		"shared.sql": "SELECT eventid FROM events ORDER BY :to",
		"other.sql":  goodSQL,
		"lost.sql":   goodSQL,
		"readme.txt": "",
	})
	problems, err := Lint(t.Context(), files, []string{"a.yaml", "b.yaml"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := `a.yaml:5:10: control 4.9 stands behind 4.10; sort the controls by id
a.yaml:6:5: control x has no title
a.yaml:6:20: there is no file gone.sql beside this one
b.yaml: the id p is that of a.yaml too
lost.sql: no pack of the folder names this file
shared.sql: the query does not name :from, so that it is not bound to the period`
	if got := problems.Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if _, err := Lint(t.Context(), files, []string{"d.yaml"}, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestNaturalOrder(t *testing.T) {
	ids := []string{"1", "1.2", "1.10", "2", "4.9", "4.10", "a", "a.1", "b"}
	for i := range ids {
		for k := range ids {
			if got := natural(ids[i], ids[k]); (got < 0) != (i < k) || (got > 0) != (i > k) {
				t.Errorf("%s, %s: %d", ids[i], ids[k], got)
			}
		}
	}
}
