package report

import (
	"strings"
	"testing"
	"time"

	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
)

var march = Period{time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 4, 1, 1, 30, 0, 5e6, time.FixedZone("", 3600))}

func TestFill(t *testing.T) {
	const from, to = "TIMESTAMP '2026-03-01 00:00:00.000'", "TIMESTAMP '2026-04-01 00:30:00.005'" // UTC, whatever the zone
	for _, c := range []struct{ text, want string }{
		{"a >= :from AND a < :to", "a >= " + from + " AND a < " + to},
		{"BETWEEN :FROM AND(:To)", "BETWEEN " + from + " AND(" + to + ")"},
		{":from - INTERVAL '1' DAY", from + " - INTERVAL '1' DAY"},
		{`':from' ":to" -- :from` + "\n/* :to */ :to", `':from' ":to" -- :from` + "\n/* :to */ " + to},
		{"'it''s :from' :fromage :t x.to : from", "'it''s :from' :fromage :t x.to : from"},
		{"'žlutý' :to", "'žlutý' " + to},
		{"no placeholder", "no placeholder"},
		{"", ""},
	} {
		if got := fill(c.text, march).text; got != c.want {
			t.Errorf("%q\ngot  %s\nwant %s", c.text, got, c.want)
		}
	}
}

// Every place outside the literals is the same character in the file; one inside a literal is its placeholder.
func FuzzStatementSource(f *testing.F) {
	f.Add("a >= :from AND b < :to -- x")
	f.Add(":from:to:from")
	f.Fuzz(func(t *testing.T, text string) {
		s := fill(text, march)
		for at := range len(s.text) {
			back := int(s.source(sqlerr.Pos(at+1))) - 1
			if back < 0 || back >= len(text) {
				t.Fatalf("%q: %d leads to %d", text, at, back)
			}
			inside := false
			for _, l := range s.literals {
				if at >= l.start && at < l.end {
					inside = true
					if !strings.EqualFold(text[back:back+len(l.name)], l.name) {
						t.Fatalf("%q: %d in the literal of %s leads to %q", text, at, l.name, text[back:])
					}
				}
			}
			if !inside && text[back] != s.text[at] {
				t.Fatalf("%q: %d leads to %d", text, at, back)
			}
		}
		if s.source(0) != 0 {
			t.Error("an unknown place became known")
		}
	})
}

func TestPeriodsThatAreRefused(t *testing.T) {
	at := func(text string) time.Time {
		v, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, c := range []struct{ from, to, want string }{
		{"2026-03-01T00:00:00Z", "2026-03-01T00:00:00Z", "the period is empty"},
		{"2026-03-02T00:00:00Z", "2026-03-01T00:00:00Z", "the period is empty: it begins at 2026-03-02 00:00:00 and ends before 2026-03-01"},
		{"2026-03-01T00:00:00.0001Z", "2026-03-02T00:00:00Z", "finer than a millisecond"},
	} {
		if err := (Period{at(c.from), at(c.to)}).check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s to %s: %v", c.from, c.to, err)
		}
	}
	if err := march.check(); err != nil {
		t.Error(err)
	}
}

// The literals are of the dialect.
func TestFilledTextParses(t *testing.T) {
	if _, err := sql.Parse(fill(goodSQL, march).text); err != nil {
		t.Error(err)
	}
}
