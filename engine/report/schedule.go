package report

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/robfig/cron/v3"
)

// Span names the stretch that a scheduled report is about: the whole calendar day, week (from Monday) or month before its planned time.
type Span string

const (
	Day   Span = "day"
	Week  Span = "week"
	Month Span = "month"
)

// Schedule runs a pack at the times of a cron text in a time zone.
//
// The cron text is about what the clocks of the zone show, and each time of it runs once, also where clocks change: a time that they jump
// over runs at the first instant after the jump, a time that they show twice runs at the first, and times that so fall on one instant run
// once. "30 2 * * *" in Europe/Berlin thus runs exactly once a day.
type Schedule struct {
	Name    string
	Pack    string // as Open takes it; a path is absolute
	Cron    string // five fields, or @daily and its like
	Zone    string // IANA name
	Period  Span   // ended most recently before the planned time, in Zone
	Out     string // absolute path of the folder that takes the reports
	Created time.Time

	id int64 // in the store; a name that is used again has another
}

// Slot is one planned time with what its report is about.
type Slot struct {
	Planned time.Time // in the schedule's zone
	Period  Period
}

// Check reports what is wrong with a schedule.
func (s Schedule) Check() error {
	if !identifier.MatchString(s.Name) {
		return fmt.Errorf("the schedule's name %q takes letters, digits, dots, dashes and underscores, at most 64, and begins with a letter or digit", s.Name)
	}
	if (!identifier.MatchString(s.Pack) || filepath.Ext(s.Pack) == ".yaml") && !filepath.IsAbs(s.Pack) {
		return fmt.Errorf("the pack %q is neither an id nor an absolute path", s.Pack)
	}
	if !filepath.IsAbs(s.Out) {
		return fmt.Errorf("the folder for the reports, %q, is no absolute path", s.Out)
	}
	if err := s.Period.check(); err != nil {
		return err
	}
	_, err := s.timetable()
	return err
}

// Next is the first slot planned after an instant. The error is that of a schedule which Check refuses, or whose next date is over five years away.
func (s Schedule) Next(after time.Time) (Slot, error) {
	t, err := s.timetable()
	if err != nil {
		return Slot{}, err
	}
	return t.slot(t.after(after))
}

// newest is the last slot planned after an instant and not after now, and how many others lie between; ok is false if there is none.
// next is the slot that follows now.
func (s Schedule) newest(after, now time.Time) (newest Slot, others int, ok bool, next time.Time, err error) {
	t, err := s.timetable()
	if err != nil {
		return Slot{}, 0, false, time.Time{}, err
	}
	planned, wall := t.after(after)
	count := 0
	var at, shown time.Time
	for !planned.IsZero() && !planned.After(now) {
		count++
		at, shown = planned, wall
		planned, wall = t.after(planned)
	}
	if count > 0 {
		newest, err = t.slot(at, shown)
	}
	return newest, max(0, count-1), count > 0, planned, err
}

// timetable is a schedule's cron text and zone, read.
type timetable struct {
	schedule Schedule
	times    cron.Schedule
	zone     *time.Location
}

func (s Schedule) timetable() (timetable, error) {
	times, err := parseCron(s.Cron)
	if err != nil {
		return timetable{}, err
	}
	zone, err := parseZone(s.Zone)
	return timetable{s, times, zone}, err
}

// after is the first planned instant after t, and the wall time that the cron text means by it, as if it were UTC. Both are zero if
// there is none within five years.
func (t timetable) after(instant time.Time) (planned, wall time.Time) {
	// Wall times up to that of the instant were shown by then; later ones may have been, where clocks were set back.
	for wall = t.times.Next(wallAt(instant, t.zone)); !wall.IsZero(); wall = t.times.Next(wall) {
		if planned = firstAt(wall, t.zone); planned.After(instant) {
			return planned, wall
		}
	}
	return time.Time{}, time.Time{}
}

// slot adds the period, which follows from the wall time: where clocks jump over midnight, the planned instant is on another day.
func (t timetable) slot(planned, wall time.Time) (Slot, error) {
	if planned.IsZero() {
		return Slot{}, fmt.Errorf("the schedule %s (%s) has no time within the next five years", t.schedule.Name, t.schedule.Cron)
	}
	return Slot{planned, t.schedule.Period.before(wall, t.zone)}, nil
}

// Last is the newest day, week or month of the calendar in a time zone (an IANA name) that had ended by now.
func (s Span) Last(zone string, now time.Time) (Period, error) {
	if err := s.check(); err != nil {
		return Period{}, err
	}
	place, err := parseZone(zone)
	if err != nil {
		return Period{}, err
	}
	return s.before(wallAt(now, place), place), nil
}

func (s Span) check() error {
	switch s {
	case Day, Week, Month:
		return nil
	}
	return fmt.Errorf("the period %q is not known; take day, week or month", s)
}

// before is the last whole span before a wall time, given as if it were UTC.
func (s Span) before(wall time.Time, zone *time.Location) Period {
	to := time.Date(wall.Year(), wall.Month(), wall.Day(), 0, 0, 0, 0, time.UTC)
	days, months := 1, 0
	switch s {
	case Week:
		to, days = to.AddDate(0, 0, -(int(to.Weekday())+6)%7), 7
	case Month:
		to, days, months = to.AddDate(0, 0, 1-to.Day()), 0, 1
	}
	p := Period{To: firstAt(to, zone).UTC()}
	for p.From = p.To; !p.From.Before(p.To); { // once, but for a day that a zone left out (Pacific/Apia, 2011-12-30): it has no hours
		to = to.AddDate(0, -months, -days)
		p.From = firstAt(to, zone).UTC()
	}
	return p
}
