package report

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

const cronHelp = `a cron text has five fields, minute hour day-of-month month day-of-week, such as "0 6 1 * *" (06:00 on the first of each month), ` +
	`or is one of @hourly @daily @weekly @monthly @yearly`

// cronFields are the fields of a cron text and what each may hold.
var cronFields = [...]struct{ name, values string }{
	{"minute", "0 to 59"},
	{"hour", "0 to 23"},
	{"day of month", "1 to 31"},
	{"month", "1 to 12 or jan to dec"},
	{"day of week", "0 to 6 or sun to sat, 0 being Sunday"},
}

// cronField is the form of a field; the parser takes stranger things ("*-5", "1,,2", "+1") and makes something else of them.
var cronField = regexp.MustCompile(`^(?:(?:^|,)(?:[*?]|\w+(?:-\w+)?)(?:/\d+)?)+$`)

// parseCron reads the five fields or an @name. A schedule that never comes ("0 0 31 2 *") is an error too.
func parseCron(text string) (times cron.Schedule, err error) {
	defer func() { // the parser is known to panic on some texts
		if p := recover(); p != nil {
			times, err = nil, fmt.Errorf("cron %q cannot be read; %s", text, cronHelp)
		}
	}()
	text = strings.TrimSpace(text)
	fields := strings.Fields(text)
	parser := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)
	switch {
	case strings.Contains(text, "TZ="):
		return nil, fmt.Errorf("cron %q names a time zone, which is not part of the text: give it on its own (--tz)", text)
	case strings.HasPrefix(text, "@every"):
		return nil, fmt.Errorf("cron %q is a distance and no time of the calendar; %s", text, cronHelp)
	case !strings.HasPrefix(text, "@"):
		if len(fields) != len(cronFields) {
			return nil, fmt.Errorf("cron %q has %d of the five fields; %s", text, len(fields), cronHelp)
		}
		for i, field := range fields {
			alone := []string{"*", "*", "*", "*", "*"}
			alone[i] = field
			_, err := parser.Parse(strings.Join(alone, " "))
			if err != nil || !cronField.MatchString(field) {
				return nil, fmt.Errorf("cron %q: the %s is %q; it takes %s, * for any, lists 1,3, ranges 1-3 and steps */2; %s",
					text, cronFields[i].name, field, cronFields[i].values, cronHelp)
			}
		}
	}
	times, err = parser.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("cron %q: %w; %s", text, err, cronHelp)
	}
	if times.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() { // a leap year, so that 29 February comes
		return nil, fmt.Errorf("cron %q names a date that never comes", text)
	}
	return times, nil
}

// parseZone finds a time zone by its IANA name.
func parseZone(name string) (*time.Location, error) {
	if name == "" || name == "Local" { // both mean something to Go and nothing to a person elsewhere
		return nil, errors.New(`the time zone is missing; give an IANA name, such as "Europe/Berlin" or "UTC"`)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf(`there is no time zone %q; give an IANA name, such as "Europe/Berlin" or "UTC"`, name)
	}
	return zone, nil
}

// firstAt is the first instant at which the clocks of the zone show the wall time (given as if it were UTC) or a later one. So a wall time
// that clocks jump over is the instant after the jump, one that they show twice is the first, and a later wall time is never an earlier
// instant.
func firstAt(wall time.Time, zone *time.Location) time.Time {
	t := wall.Add(-24 * time.Hour).In(zone) // no zone is a day off UTC: here the clocks show less
	for {
		_, offset := t.Zone()
		at := wall.Add(-time.Duration(offset) * time.Second).In(zone)
		if at.Before(t) {
			return t
		}
		_, end := t.ZoneBounds()
		if end.IsZero() || at.Before(end) {
			return at
		}
		t = end
	}
}

// wallAt is what the clocks of the zone show, as if it were UTC.
func wallAt(t time.Time, zone *time.Location) time.Time {
	_, offset := t.In(zone).Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}
