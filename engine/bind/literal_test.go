package bind

import (
	"testing"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/sqlerr"
)

// TestNumber: the types are Trino's for the same text.
func TestNumber(t *testing.T) {
	for text, want := range map[string]string{
		"0":                                      "integer",
		"2147483647":                             "integer",
		"2147483648":                             "bigint",
		"-2147483648":                            "integer",
		"-9223372036854775808":                   "bigint",
		"9223372036854775808":                    "decimal(19,0)",
		"1.5":                                    "decimal(2,1)",
		"0.50":                                   "decimal(2,2)",
		".5":                                     "decimal(1,1)",
		"5.":                                     "decimal(1,0)",
		"0.0":                                    "decimal(1,1)",
		"00012.30":                               "decimal(4,2)",
		"1e3":                                    "double",
		"1.5E-3":                                 "double",
		"99999999999999999999999999999999999999": "decimal(38,0)",
	} {
		var e expr.Expr
		if err := caught(func() { e = number(text, 1) }); err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got := e.Type().String(); got != want {
			t.Errorf("%s: type %s, want %s", text, got, want)
		}
	}
	for _, text := range []string{"999999999999999999999999999999999999999", "1e999"} {
		if err := caught(func() { number(text, 7) }); sqlerr.KindOf(err) != sqlerr.Value || err.(*sqlerr.Error).Pos != 7 {
			t.Errorf("%s: got %v, want a value error at 7", text, err)
		}
	}
}

func TestIntervalValue(t *testing.T) {
	const minute, hour, day = 60_000, 3_600_000, 86_400_000
	for _, c := range []struct {
		text, from, to string
		want           int64
		ok             bool
	}{
		{"7", "day", "", 7 * day, true},
		{"-7", "day", "", -7 * day, true},
		{"+7", "day", "", 7 * day, true},
		{" 1 ", "week", "", 7 * day, true},
		{"1.5", "second", "", 1500, true},
		{"0.001999", "second", "", 1, true}, // milliseconds are all that the type holds
		{"1.5", "minute", "", 0, false},
		{"2 10:20:30.5", "day", "second", 2*day + 10*hour + 20*minute + 30_500, true},
		{"2 10", "day", "hour", 2*day + 10*hour, true},
		{"10:20", "hour", "minute", 10*hour + 20*minute, true},
		{"10", "hour", "minute", 0, false},
		{"3-2", "year", "month", 38, true},
		{"-3-2", "year", "month", -38, true},
		{"5", "year", "", 60, true},
		{"", "day", "", 0, false},
		{"x", "day", "", 0, false},
		{"1 2", "day", "", 0, false},
		{"--1", "day", "", 0, false},
		{"99999999999999999", "day", "", 0, false}, // past what milliseconds in 64 bits hold
	} {
		to := c.to
		if to == "" {
			to = c.from
		}
		got, ok := intervalValue(c.text, unitIndex(c.from), unitIndex(to))
		if got != c.want || ok != c.ok {
			t.Errorf("%q %s to %s: got %d, %v, want %d, %v", c.text, c.from, to, got, ok, c.want, c.ok)
		}
	}
}

func TestZoned(t *testing.T) {
	for text, want := range map[string]bool{
		"2024-01-01 00:00:00 UTC": true, "2024-01-01 00:00:00+02:00": true, "2024-01-01 00:00 Europe/Berlin": true,
		"2024-01-01 00:00:00.123 -0800": true, "2024-01-01 00:00:00": false, "2024-01-01": false, "UTC": false,
	} {
		if got := zoned.MatchString(text); got != want {
			t.Errorf("%q: has a zone: %v, want %v", text, got, want)
		}
	}
}
