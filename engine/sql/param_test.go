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
		{"SELECT 2 * ?", []string{"1 + 2"}, "SELECT 2 * (1 + 2)"},
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
		{"SELECT ?", []string{"1; SELECT 2"}, 8, `parameter 1: expected the end of the literal, found ";"`},
		{"SELECT ?", []string{"'it's'"}, 8, "parameter 1: this string is never closed"},
		{"SELECT ?", []string{""}, 8, "parameter 1: expected an expression, found the end of the text"},
		{"SELECT a FROM t LIMIT 1, ?", []string{"1"}, 24, `expected the end of the statement, found ","`},
	} {
		_, err := Parse(c.text, c.values...)
		var e *sqlerr.Error
		if !errors.As(err, &e) || e.Msg != c.want || e.Pos != c.at {
			t.Errorf("%s with %q: error %v, want at %d: %s", c.text, c.values, err, c.at, c.want)
		}
	}
}
