package report

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// at reads a time of the tests.
func at(t testing.TB, text string) time.Time {
	t.Helper()
	when, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return when
}

func scheduleOf(cron, zone string, period Span) Schedule {
	return Schedule{Name: "nightly", Pack: "cis-3.0", Cron: cron, Zone: zone, Period: period, Out: "/reports"}
}

// The planned instants around each kind of change, from the published rules of the zones.
func TestNextAcrossChangesOfTheClocks(t *testing.T) {
	for _, c := range []struct {
		cron, zone, after string
		want              []string
	}{
		// Clocks go from 02:00 to 03:00 on 29 March 2026: 02:30 does not exist and runs at 03:00.
		{"30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", []string{"2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"}},
		// 02:00, 02:30 and 03:00 fall on one instant, which runs once.
		{"*/30 2-3 * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", []string{"2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00", "2026-03-30T02:00:00+02:00"}},
		// Clocks go from 03:00 to 02:00 on 25 October 2026: 02:30 comes twice and runs at the first.
		{"30 2 * * *", "Europe/Berlin", "2026-10-24T22:00:00Z", []string{"2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"}},
		{"30 2 * * *", "Europe/Berlin", "2026-10-25T02:30:00+02:00", []string{"2026-10-26T02:30:00+01:00"}},
		{"30 2 * * *", "Europe/Berlin", "2026-10-25T02:15:00+01:00", []string{"2026-10-26T02:30:00+01:00"}}, // between the first and the second
		{"@hourly", "Europe/Berlin", "2026-10-25T01:30:00+02:00", []string{"2026-10-25T02:00:00+02:00", "2026-10-25T03:00:00+01:00"}},
		// New York: forward on 8 March, back on 1 November 2026.
		{"30 2 * * *", "America/New_York", "2026-03-08T00:00:00-05:00", []string{"2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00"}},
		{"30 1 * * *", "America/New_York", "2026-11-01T00:00:00-04:00", []string{"2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"}},
		// Lord Howe: by half an hour, 02:00 to 02:30 on 4 October, 02:00 to 01:30 on 5 April 2026.
		{"15 2 * * *", "Australia/Lord_Howe", "2026-10-04T00:00:00+10:30", []string{"2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"}},
		{"45 1 * * *", "Australia/Lord_Howe", "2026-04-05T00:00:00+11:00", []string{"2026-04-05T01:45:00+11:00", "2026-04-06T01:45:00+10:30"}},
		// São Paulo 2018 and Beirut 2026: there is no midnight on the day of the change.
		{"@daily", "America/Sao_Paulo", "2018-11-03T12:00:00-03:00", []string{"2018-11-04T01:00:00-02:00", "2018-11-05T00:00:00-02:00"}},
		{"@daily", "Asia/Beirut", "2026-03-28T12:00:00+02:00", []string{"2026-03-29T01:00:00+03:00", "2026-03-30T00:00:00+03:00"}},
		// Nuuk: 23:00 to 24:00 on 28 March 2026, so that 23:30 of that day is at the next midnight.
		{"30 23 * * *", "America/Nuuk", "2026-03-28T00:00:00-02:00", []string{"2026-03-29T00:00:00-01:00", "2026-03-29T23:30:00-01:00"}},
		// Apia left out 30 December 2011.
		{"30 2 * * *", "Pacific/Apia", "2011-12-29T00:00:00-10:00", []string{"2011-12-29T02:30:00-10:00", "2011-12-31T00:00:00+14:00", "2011-12-31T02:30:00+14:00"}},
		// On the 31st, where there is one; 29 February.
		{"0 6 31 * *", "UTC", "2026-01-31T06:00:00Z", []string{"2026-03-31T06:00:00Z", "2026-05-31T06:00:00Z", "2026-07-31T06:00:00Z", "2026-08-31T06:00:00Z"}},
		{"0 6 29 2 *", "UTC", "2026-01-01T00:00:00Z", []string{"2028-02-29T06:00:00Z", "2032-02-29T06:00:00Z"}},
		// Strictly after, also by less than a second.
		{"0 6 * * *", "UTC", "2026-01-01T06:00:00.5Z", []string{"2026-01-02T06:00:00Z"}},
		{"0 6 * * *", "UTC", "2026-01-01T05:59:59.5Z", []string{"2026-01-01T06:00:00Z"}},
	} {
		after := at(t, c.after)
		for _, want := range c.want {
			slot, err := scheduleOf(c.cron, c.zone, Day).Next(after)
			if err != nil {
				t.Fatal(err)
			}
			if got := slot.Planned.Format(time.RFC3339); got != want {
				t.Errorf("%s in %s after %s: %s, want %s", c.cron, c.zone, after, got, want)
			}
			after = slot.Planned
		}
	}
}

// A daily cron text runs exactly once on each local day, whatever its time. (Where clocks jump over midnight from the evening before, as
// in Nuuk, one of that hour is on the day after: not drawn.)
func TestOnceEachLocalDay(t *testing.T) {
	zones := []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Beirut", "America/Sao_Paulo", "Europe/London", "Africa/Casablanca", "UTC", "Asia/Kathmandu"}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(zones).Draw(t, "zone")
		zone, err := parseZone(name)
		if err != nil {
			t.Fatal(err)
		}
		cron := fmt.Sprintf("%d %d * * *", rapid.IntRange(0, 59).Draw(t, "minute"), rapid.IntRange(0, 23).Draw(t, "hour"))
		year := rapid.IntRange(2008, 2030).Draw(t, "year")
		sched := scheduleOf(cron, name, Day)
		after := firstAt(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC), zone).Add(-time.Nanosecond)
		before := Period{}
		for day := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() == year; day = day.AddDate(0, 0, 1) {
			slot, err := sched.Next(after)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := slot.Planned.Format(time.DateOnly), day.Format(time.DateOnly); got != want {
				t.Fatalf("%s in %s: after %s comes %s, not a time on %s", cron, name, after.In(zone), slot.Planned, want)
			}
			if !before.To.IsZero() && !slot.Period.From.Equal(before.To) {
				t.Fatalf("%s in %s: after %v comes %v", cron, name, before, slot.Period)
			}
			after, before = slot.Planned, slot.Period
		}
	})
}

// The period is that before the planned time in the schedule's zone.
func TestPeriods(t *testing.T) {
	for _, c := range []struct {
		cron, zone string
		period     Span
		after      string
		from, to   string
	}{
		{"0 6 * * *", "UTC", Day, "2026-03-01T00:00:00Z", "2026-02-28T00:00:00Z", "2026-03-01T00:00:00Z"},
		{"0 6 * * *", "Europe/Berlin", Day, "2026-03-30T00:00:00+02:00", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"}, // 23 hours
		{"0 6 * * *", "Europe/Berlin", Day, "2026-10-26T00:00:00+01:00", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"}, // 25 hours
		{"0 6 * * *", "Asia/Beirut", Day, "2026-03-30T00:00:00+03:00", "2026-03-28T22:00:00Z", "2026-03-29T21:00:00Z"},   // the day begins at 01:00
		{"0 6 1 * *", "Europe/Berlin", Month, "2026-03-15T00:00:00Z", "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z"},
		{"0 6 31 * *", "America/New_York", Month, "2026-03-01T00:00:00Z", "2026-02-01T05:00:00Z", "2026-03-01T05:00:00Z"},
		{"0 0 1 1 *", "UTC", Month, "2026-06-01T00:00:00Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"},
		{"0 6 * * mon", "UTC", Week, "2026-03-08T00:00:00Z", "2026-03-02T00:00:00Z", "2026-03-09T00:00:00Z"}, // 9 March is a Monday
		{"0 6 * * sun", "UTC", Week, "2026-03-08T00:00:00Z", "2026-02-23T00:00:00Z", "2026-03-02T00:00:00Z"},
		{"0 6 * * wed", "Europe/Berlin", Week, "2026-03-31T00:00:00Z", "2026-03-22T23:00:00Z", "2026-03-29T22:00:00Z"},
		// At midnight itself in a zone where it is missing: the period follows the wall time.
		{"30 23 * * *", "America/Nuuk", Day, "2026-03-28T00:00:00-02:00", "2026-03-27T02:00:00Z", "2026-03-28T02:00:00Z"},
		{"0 0 * * *", "Pacific/Apia", Day, "2011-12-29T12:00:00-10:00", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"},
		{"30 2 * * *", "Pacific/Apia", Day, "2011-12-31T00:00:00+14:00", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"}, // the day before had no hours
	} {
		slot, err := scheduleOf(c.cron, c.zone, c.period).Next(at(t, c.after))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := slot.Period, (Period{at(t, c.from), at(t, c.to)}); !got.From.Equal(want.From) || !got.To.Equal(want.To) || got.From.Location() != time.UTC {
			t.Errorf("%s %s in %s after %s: %v, want %v", c.cron, c.period, c.zone, c.after, got, want)
		}
	}
}

// By hand the last period is the one that a schedule planned for this moment would take.
func TestLastPeriod(t *testing.T) {
	for _, c := range []struct {
		span             Span
		zone             string
		now, from, until string
	}{
		{Day, "UTC", "2026-03-01T00:00:00Z", "2026-02-28T00:00:00Z", "2026-03-01T00:00:00Z"},
		{Day, "Europe/Berlin", "2026-03-29T22:30:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"}, // 23 hours
		{Week, "UTC", "2026-03-08T23:59:59Z", "2026-02-23T00:00:00Z", "2026-03-02T00:00:00Z"},          // a Sunday
		{Month, "Europe/Berlin", "2026-03-31T22:30:00Z", "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z"},
		{Month, "UTC", "2026-03-31T22:30:00Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"},
	} {
		if got, err := c.span.Last(c.zone, at(t, c.now)); err != nil || !got.From.Equal(at(t, c.from)) || !got.To.Equal(at(t, c.until)) {
			t.Errorf("the last %s in %s at %s is %v, %v; want %s to %s", c.span, c.zone, c.now, got, err, c.from, c.until)
		}
	}
	for _, wrong := range [][2]string{{"year", "UTC"}, {"", "UTC"}, {"day", "Mars/Olympus"}, {"day", ""}} {
		if p, err := Span(wrong[0]).Last(wrong[1], at(t, "2026-03-01T00:00:00Z")); err == nil {
			t.Errorf("the last %q in %q is %v", wrong[0], wrong[1], p)
		}
	}
}

func TestSchedulesThatAreRefused(t *testing.T) {
	good := scheduleOf("0 6 1 * *", "Europe/Berlin", Month)
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for says, change := range map[string]func(*Schedule){
		"letters, digits":         func(s *Schedule) { s.Name = "../evil" },
		"begins with a letter":    func(s *Schedule) { s.Name = "" },
		"at most 64":              func(s *Schedule) { s.Name = strings.Repeat("x", 65) },
		"neither an id nor":       func(s *Schedule) { s.Pack = "packs/mine" },
		`the pack "mine.yaml"`:    func(s *Schedule) { s.Pack = "mine.yaml" },
		`the pack ""`:             func(s *Schedule) { s.Pack = "" },
		"no absolute path":        func(s *Schedule) { s.Out = "reports" },
		"take day, week or month": func(s *Schedule) { s.Period = "year" },
		"five fields":             func(s *Schedule) { s.Cron = "6" },
		"there is no time zone":   func(s *Schedule) { s.Zone = "Berlin" },
	} {
		s := good
		change(&s)
		if err := s.Check(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v; want %q in it", err, says)
		}
	}
}

// What was missed is counted, also over a change of the clocks: 26 to 30 March, with 29 March at 03:00.
func TestNewestOfTheMissed(t *testing.T) {
	s := scheduleOf("30 2 * * *", "Europe/Berlin", Day)
	slot, others, ok, next, err := s.newest(at(t, "2026-03-25T12:00:00Z"), at(t, "2026-03-30T12:00:00Z"))
	if err != nil || !ok || others != 4 {
		t.Fatalf("%v, %d others, %v", ok, others, err)
	}
	got := []string{slot.Planned.Format(time.RFC3339), next.Format(time.RFC3339)}
	if want := []string{"2026-03-30T02:30:00+02:00", "2026-03-31T02:30:00+02:00"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	// The planned time itself is due, the nanosecond before is not, and it is not due again after it.
	for now, want := range map[string]bool{"2026-03-29T01:00:00Z": true, "2026-03-29T00:59:59.999999999Z": false} {
		if _, _, ok, _, err := s.newest(at(t, "2026-03-28T12:00:00Z"), at(t, now)); ok != want || err != nil {
			t.Errorf("due at %s: %v, %v", now, ok, err)
		}
	}
	if _, _, ok, _, err := s.newest(at(t, "2026-03-29T01:00:00Z"), at(t, "2026-03-29T01:00:00Z")); ok || err != nil {
		t.Errorf("due again: %v, %v", ok, err)
	}
}
