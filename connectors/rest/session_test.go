package rest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/service"
	"github.com/trailql/trailql/engine/sqltype"
)

// What a request carries, the answer shows; a statement that changes the session says how.
func TestSessionsOverHTTP(t *testing.T) {
	w := newWorld(t, nil)
	prepared := w.ask("POST", "/api/v1/queries", submit("PREPARE p FROM SELECT n FROM big WHERE n < ? AND n <> 1 ORDER BY n"))
	conforms(t, "Page", prepared.body)
	if got := fmt.Sprint(prepared.json(t)["change"]); got != "map[action:prepare name:p value:SELECT n FROM big WHERE n < ? AND n <> 1 ORDER BY n]" {
		t.Errorf("%s", prepared.body)
	}
	conforms(t, "Query", w.ask("GET", prepared.Header.Get("Location"), "").body)
	a := w.ask("POST", "/api/v1/queries", submit("EXECUTE p", `"params": ["3"]`, `"session": {"prepared": {"p": "SELECT n, current_schema FROM big WHERE n < ? ORDER BY n"}, "schema": "audit"}`))
	conforms(t, "Page", a.body)
	if j := a.json(t); fmt.Sprint(j["rows"], j["params"], j["change"]) != "[[0 audit] [1 audit] [2 audit]] [3] <nil>" {
		t.Errorf("%s", a.body)
	}
	if a := w.ask("POST", "/api/v1/queries", submit("EXECUTE p", `"params": ["3"]`)); a.StatusCode != 400 {
		t.Errorf("the server remembers a session: %s", a.body)
	}
}

// Two clients of one server, each with a session of its own, as two shells have it.
func TestClientsHaveSessionsOfTheirOwn(t *testing.T) {
	w := newWorld(t, nil)
	var sessions [2]engine.Session
	ask := func(who int, sql string, params ...string) string {
		t.Helper()
		rows, err := w.client.Run(t.Context(), service.Request{SQL: sql, Params: params, Session: sessions[who]})
		if err != nil {
			return err.Error()
		}
		defer rows.Close()
		columns, err := rows.Columns()
		if err != nil {
			return err.Error()
		}
		var cells []string
		for b, err := rows.Next(); err == nil; b, err = rows.Next() {
			for i, c := range b.Cols {
				cells = append(cells, string(sqltype.AppendText(nil, columns[i].Type, c, 0)))
			}
		}
		if c := rows.Query().Change; c != nil {
			sessions[who] = sessions[who].With(*c)
		}
		return strings.Join(cells, "|")
	}
	for _, c := range []struct {
		who    int
		sql    string
		params []string
		want   string
	}{
		{0, "PREPARE p FROM SELECT 'zero', n FROM big WHERE n = ? AND 'a<b>&\u2028' <> ''", nil, "p is prepared"},
		{1, "EXECUTE p USING 1", nil, "prepared statement \"p\" does not exist; make it with PREPARE p FROM SELECT …"},
		{1, "PREPARE p FROM SELECT 'one', ?", nil, "p is prepared"},
		{0, "EXECUTE p", []string{"7"}, "zero|7"},
		{1, "EXECUTE p USING 8", nil, "one|8"},
		{0, "USE audit", nil, "the schema is audit"},
		{0, "SET TIME ZONE 'Europe/Berlin'", nil, "the time zone is Europe/Berlin"},
		{0, "SELECT current_schema, current_timezone(), from_unixtime(0)", nil, "audit|Europe/Berlin|1970-01-01 01:00:00.000 Europe/Berlin"},
		{1, "SELECT current_schema, current_timezone(), from_unixtime(0)", nil, "default|UTC|1970-01-01 00:00:00.000 UTC"}, // nor from the cache
		{0, "SET TIME ZONE LOCAL", nil, "the time zone is UTC"},
		{0, "DEALLOCATE PREPARE p", nil, "p is forgotten"},
		{1, "EXECUTE p USING 9", nil, "one|9"},
	} {
		if got := ask(c.who, c.sql, c.params...); got != c.want {
			t.Errorf("%d: %s\n got  %s\n want %s", c.who, c.sql, got, c.want)
		}
	}
}
