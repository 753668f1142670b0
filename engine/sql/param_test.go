package sql

import (
	"errors"
	"testing"

	"github.com/trailql/trailql/engine/sqlerr"
)

// A value stands where its ? stood, as an operand of its own.
func TestParams(t *testing.T) {
	for _, c := range []struct {
		text   string
		values []string
		want   string
	}{
		{"SELECT ? + ?", []string{"1", "'it''s'"}, "SELECT 1 + 'it''s'"},
		{"SELECT 2 - ? || ?", []string{"-1", "+.5"}, "SELECT 2 - -1 || +.5"},
		{"SELECT ?", []string{"MAP(ARRAY['a'], ARRAY[ROW(1, NULL)])"}, "SELECT MAP(ARRAY['a'], ARRAY[(1, NULL)])"},
		{"EXECUTE p", []string{"1", "DATE '2024-01-31'"}, "EXECUTE p USING 1, DATE '2024-01-31'"},
		{"EXECUTE p USING 2 + ?, ?", []string{"1", "'x'"}, "EXECUTE p USING 2 + 1, 'x'"},
		{"PREPARE p FROM SELECT ?", nil, "PREPARE p FROM SELECT ?"},
		{"EXECUTE IMMEDIATE 'SELECT ?'", []string{"1"}, "EXECUTE IMMEDIATE 'SELECT ?' USING 1"},
		{"EXPLAIN EXECUTE p", []string{"1"}, "EXPLAIN EXECUTE p USING 1"},
		{"SET SESSION query_max_run_time = ?", []string{"'5m'"}, "SET SESSION query_max_run_time = '5m'"},
		{"SELECT a FROM t WHERE b IN (?, ?) LIMIT ?", []string{"DATE '2024-01-31'", "-5", " 10 -- ten"}, "SELECT a FROM t WHERE b IN (DATE '2024-01-31', -5) LIMIT 10"},
		{"SELECT ?, ?, ?", []string{"NULL", "ARRAY[1, x'00']", "CAST('1' AS decimal(3, 1))"}, "SELECT NULL, ARRAY[1, X'00'], CAST('1' AS decimal(3, 1))"},
		{"SELECT '?', \"?\" -- ?\nFROM t WHERE a = ?", []string{"true"}, `SELECT '?', "?" FROM t WHERE a = TRUE`},
		{"SELECT ?", nil, "SELECT ?"},
	} {
		stmt, err := Parse(c.text, c.values...)
		if err != nil {
			t.Errorf("%s with %q: %v", c.text, c.values, err)
			continue
		}
		if got := Format(stmt); got != c.want {
			t.Errorf("%s with %q: %s, want %s", c.text, c.values, got, c.want)
		}
	}
}

func TestParamErrors(t *testing.T) {
	literal := "the value of a parameter is a literal, such as 'text', 10 or DATE '2024-01-31'"
	for _, c := range []struct {
		text   string
		values []string
		at     sqlerr.Pos
		want   string
	}{
		{"SELECT ?, ?", []string{"1"}, 1, "parameters (?) in the statement: 2, values given for them: 1"},
		{"SELECT 1", []string{"1"}, 1, "parameters (?) in the statement: 0, values given for them: 1"},
		{"SELECT ?, ?", []string{"1", "eventname"}, 11, "parameter 2: " + literal},
		{"SELECT ?", []string{"(SELECT 1)"}, 8, "parameter 1: " + literal},
		{"SELECT ?", []string{"1 OR a = 1"}, 8, "parameter 1: " + literal},
		{"SELECT ?", []string{"?"}, 8, "parameter 1: " + literal},
		{"SELECT ?", []string{"1 + 2"}, 8, "parameter 1: " + literal}, // somebody's 1, and what somebody else made of it
		{"SELECT ?", []string{"NOT true"}, 8, "parameter 1: " + literal},
		{"SELECT ?", []string{"- - 1"}, 8, "parameter 1: " + literal},
		{"SELECT ?", []string{"current_user"}, 8, "parameter 1: " + literal},
		{"SELECT ?", []string{"sequence(1, 1000000000)"}, 8, "parameter 1: " + literal},
		{"SELECT ?", []string{"CAST((SELECT 1) AS bigint)"}, 8, "parameter 1: " + literal},
		{"SELECT ?", []string{"ARRAY[1, random()]"}, 8, "parameter 1: " + literal},
		{"SELECT ?", []string{"MAP(ARRAY[1], ARRAY[eventid])"}, 8, "parameter 1: " + literal},
		{"SELECT ?", []string{"MAP(ARRAY[1], ARRAY[1]) OVER ()"}, 8, "parameter 1: " + literal},
		{"SELECT ?", []string{"CASE WHEN true THEN 1 END"}, 8, "parameter 1: " + literal},
		{"SELECT ? FROM t", []string{"1 --"}, 0, ""}, // a comment ends with its literal
		{"SELECT ?", []string{"1 /*"}, 8, "parameter 1: this comment is never closed"},
		{"SELECT ?", []string{"'\xff'"}, 8, "parameter 1: the text is not valid UTF-8 here"},
		{"PREPARE p FROM SELECT ?", []string{"1"}, 1, "parameters (?) in the statement: 0, values given for them: 1"},
		{"EXECUTE p USING 1", []string{"1"}, 1, "parameters (?) in the statement: 0, values given for them: 1"},
		{"EXECUTE p", []string{"1 + 2"}, 1, "parameter 1: " + literal},
		{"SELECT ?", []string{"1; SELECT 2"}, 8, `parameter 1: expected the end of the literal, found ";"`},
		{"SELECT ?", []string{"'it's'"}, 8, "parameter 1: this string is never closed"},
		{"SELECT ?", []string{""}, 8, "parameter 1: expected an expression, found the end of the text"},
		{"SELECT a FROM t LIMIT 1, ?", []string{"1"}, 24, `expected the end of the statement, found ","`},
	} {
		_, err := Parse(c.text, c.values...)
		var e *sqlerr.Error
		if c.want == "" && err == nil {
			continue
		}
		if !errors.As(err, &e) || e.Msg != c.want || e.Pos != c.at {
			t.Errorf("%s with %q: error %v, want at %d: %s", c.text, c.values, err, c.at, c.want)
		}
	}
}
