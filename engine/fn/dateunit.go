package fn

import (
	"math"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/sqltype"
)

// unit is a unit of date_trunc, date_add and date_diff.
type unit uint8

const (
	millisecond unit = iota
	second
	minute
	hour
	day
	week
	month
	quarter
	year
)

var unitNames = map[string]unit{
	"millisecond": millisecond, "second": second, "minute": minute, "hour": hour, "day": day, "week": week,
	"month": month, "quarter": quarter, "year": year,
}

// unitMicros is the length of the units that have one.
var unitMicros = [...]int64{microsPerMilli, microsPerSecond, microsPerMinute, microsPerHour, microsPerDay, 7 * microsPerDay}

// unitMonths is the length of the others in months.
var unitMonths = [...]int64{month: 1, quarter: 3, year: 12}

func parseUnit(s string) (unit, error) {
	u, ok := unitNames[strings.ToLower(s)]
	if !ok {
		return 0, valueError("%s is not a unit of time: use millisecond, second, minute, hour, day, week, month, quarter or year", shown(s))
	}
	return u, nil
}

func parseDateUnit(s string) (unit, error) {
	u, err := parseUnit(s)
	if err == nil && u < day {
		return 0, valueError("%s is not a unit of a date: use day, week, month, quarter or year", shown(s))
	}
	return u, err
}

func parseTimeUnit(s string) (unit, error) {
	u, err := parseUnit(s)
	if err == nil && u >= day {
		return 0, valueError("%s is not a unit of a time of day: use millisecond, second, minute or hour", shown(s))
	}
	return u, err
}

// unitsOf is the reader of units for values of kind.
func unitsOf(kind sqltype.Kind) func(string) (unit, error) {
	switch kind {
	case sqltype.Date:
		return parseDateUnit
	case sqltype.Time, sqltype.TimeTZ:
		return parseTimeUnit
	}
	return parseUnit
}

// truncLocal cuts a local time to the unit. Weeks begin on Monday.
func truncLocal(local int64, u unit) int64 {
	switch {
	case u == week:
		return int64(dayOf(local))*microsPerDay - (weekday(local)-1)*microsPerDay
	case u <= day:
		return truncate(local, unitMicros[u])
	}
	y, m, _ := civil(local)
	m -= (m - 1) % int(unitMonths[u])
	return int64(sqltype.Days(y, m, 1)) * microsPerDay
}

// addLocal moves a local time by n units.
func addLocal(local int64, u unit, n int64) (int64, error) {
	if u <= week {
		move, ok := multiply(n, unitMicros[u])
		sum := local + move
		if !ok || (local^sum)&(move^sum) < 0 {
			return 0, timeOutOfRange()
		}
		return sum, nil
	}
	months, ok := multiply(n, unitMonths[u])
	if !ok || int64(int32(months)) != months {
		return 0, timeOutOfRange()
	}
	return addMonths(local, int32(months))
}

// addMonths moves a local time by months; a day that the month lacks becomes its last.
func addMonths(local int64, months int32) (int64, error) {
	days, ofDay := sqltype.DayOf(local)
	moved := monthsLater(days, int(months))
	if moved >= math.MaxInt64/microsPerDay || moved <= math.MinInt64/microsPerDay {
		return 0, timeOutOfRange()
	}
	return moved*microsPerDay + ofDay, nil
}

func monthsLater(days, months int) int64 {
	y, m, d := sqltype.Civil(days)
	first := y*12 + m - 1 + months
	m = int(floorModulus(int64(first), 12))
	y = (first - m) / 12
	return int64(sqltype.Days(y, m+1, min(d, sqltype.DaysIn(y, m+1))))
}

func addMonthsToDate(d, months int32) (int32, error) {
	return dateOf(monthsLater(int(d), int(months)))
}

func dateOf(days int64) (int32, error) {
	if int64(int32(days)) != days {
		return 0, timeOutOfRange()
	}
	return int32(days), nil
}

func addDayInterval(d int32, ms int64) (int32, error) {
	if ms%millisPerDay != 0 {
		return 0, valueError("cannot add hours, minutes or seconds to a date; cast it to timestamp")
	}
	return dateOf(int64(d) + ms/millisPerDay)
}

func addMillis(us, ms int64) (int64, error) { return addLocal(us, millisecond, ms) }

func addMillisToInstant(t instant, ms int64) (instant, error) {
	us, err := addMillis(t.us, ms)
	return instant{us, t.zone}, err
}

func addMillisToTime(us, ms int64) int64 {
	return floorModulus(us+ms%millisPerDay*microsPerMilli, microsPerDay)
}

func addMillisToTimeTZ(t instant, ms int64) instant {
	return instant{addMillisToTime(t.us, ms), t.zone}
}

func addMonthsToInstant(t instant, months int32) (instant, error) {
	_, loc := sqltype.Zone(t.zone)
	local, err := addMonths(sqltype.LocalMicros(t.us, loc), months)
	return instant{sqltype.InstantMicros(local, loc), t.zone}, err
}

// scaleInterval multiplies an interval of milliseconds or months; what is less than one of them is cut off.
func scaleInterval[T int32 | int64](interval T, by float64) (T, error) {
	return wholeInterval[T](float64(interval) * by)
}

func divideInterval[T int32 | int64](interval T, by float64) (T, error) {
	if by == 0 {
		return 0, divisionByZero()
	}
	return wholeInterval[T](float64(interval) / by)
}

func wholeInterval[T int32 | int64](x float64) (T, error) {
	bound := float64(math.MaxInt32)
	if _, wide := any(T(0)).(int64); wide {
		bound = math.MaxInt64
	}
	if !(math.Abs(x) < bound) {
		return 0, valueError("interval overflow: %g", x)
	}
	return T(x), nil
}

func truncDate(c *Call) (arrow.Array, error) {
	unitAt, days := compiled(c, 0, parseDateUnit), arg[int32](c, 1)
	return eachRow(c, func(i int) (int32, error) {
		u, err := unitAt(i)
		return dayOf(truncLocal(int64(days.at(i))*microsPerDay, u)), err
	})
}

func truncTimestamp(c *Call) (arrow.Array, error) {
	unitAt, local := compiled(c, 0, unitsOf(c.Types[1].Kind)), arg[int64](c, 1)
	var cut truncation
	return eachRow(c, func(i int) (int64, error) {
		u, err := unitAt(i)
		return cut.of(local.at(i), u), err
	})
}

// truncation is truncLocal, fast where neighbours are of one unit, or for units longer than a day of one day.
type truncation struct {
	unit          unit
	from, to, cut int64 // from … to-1 are cut to cut
}

func (t *truncation) of(local int64, u unit) int64 {
	if local < t.from || local >= t.to || u != t.unit {
		t.unit, t.cut = u, truncLocal(local, u)
		t.from = truncate(local, unitMicros[min(u, day)])
		if t.to = t.from + unitMicros[min(u, day)]; t.from > local || t.to < t.from { // beyond the range of 64 bits
			t.to = t.from
		}
	}
	return t.cut
}

// truncInstant: hours and shorter units are cut where the clock shows them, so that both passes of an hour that a
// zone has twice stay apart.
func truncInstant(c *Call) (arrow.Array, error) {
	unitAt, nulls := compiled(c, 0, parseUnit), c.nulls()
	us, keys := instantsArg(c, 1)
	if c.Args[1].Const {
		us, keys = repeated(us[0], c.Len), repeated(keys[0], c.Len)
	}
	var zones locations
	var cut truncation
	var start int64 // the instant of last, a local time
	var last instant
	some := false
	out := make([]int64, c.Len)
	for i, t := range us {
		if nulls != nil && nulls[i] {
			continue
		}
		u, err := unitAt(i)
		if err != nil {
			return nil, err
		}
		local := zones.local(t, keys[i])
		at := cut.of(local, u)
		if u <= hour {
			out[i] = t - (local - at)
			continue
		}
		if !some || at != last.us || keys[i] != last.zone {
			start = sqltype.InstantMicros(at, zones.of(keys[i]))
			last, some = instant{at, keys[i]}, true
		}
		out[i] = start
	}
	return instantArray(out, keys, nulls), nil
}

func repeated[T any](value T, n int) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = value
	}
	return out
}

// truncTimeTZ cuts what the clock shows.
func truncTimeTZ(c *Call) (arrow.Array, error) {
	unitAt, local, times := compiled(c, 0, parseTimeUnit), localColumn(c, 1), arg[instant](c, 1)
	return eachRow(c, func(i int) (instant, error) {
		u, err := unitAt(i)
		t := times.at(i)
		return instant{sqltype.TimeInUTC(truncLocal(local.at(i), u), t.zone), t.zone}, err
	})
}

func addToTimeTZ(c *Call) (arrow.Array, error) {
	unitAt, n, times := compiled(c, 0, parseTimeUnit), arg[int64](c, 1), arg[instant](c, 2)
	return eachRow(c, func(i int) (instant, error) {
		u, err := unitAt(i)
		t := times.at(i)
		return instant{addToClock(t.us, u, n.at(i)), t.zone}, err
	})
}

// diffTimesTZ compares the times in UTC.
func diffTimesTZ(c *Call) (arrow.Array, error) {
	unitAt, a, b := compiled(c, 0, parseTimeUnit), arg[instant](c, 1), arg[instant](c, 2)
	return eachRow(c, func(i int) (int64, error) {
		u, err := unitAt(i)
		return diffLocal(a.at(i).us, b.at(i).us, u), err
	})
}

func addToDate(c *Call) (arrow.Array, error) {
	unitAt, n, days := compiled(c, 0, parseDateUnit), arg[int64](c, 1), arg[int32](c, 2)
	return eachRow(c, func(i int) (int32, error) {
		u, err := unitAt(i)
		if err != nil {
			return 0, err
		}
		local, err := addLocal(int64(days.at(i))*microsPerDay, u, n.at(i))
		if err != nil {
			return 0, err
		}
		return dateOf(floorDivide(local, microsPerDay))
	})
}

func addToTimestamp(c *Call) (arrow.Array, error) {
	unitAt, n, local := compiled(c, 0, parseUnit), arg[int64](c, 1), arg[int64](c, 2)
	return eachRow(c, func(i int) (int64, error) {
		u, err := unitAt(i)
		if err != nil {
			return 0, err
		}
		return addLocal(local.at(i), u, n.at(i))
	})
}

func addToTime(c *Call) (arrow.Array, error) {
	unitAt, n, local := compiled(c, 0, parseTimeUnit), arg[int64](c, 1), arg[int64](c, 2)
	return eachRow(c, func(i int) (int64, error) {
		u, err := unitAt(i)
		return addToClock(local.at(i), u, n.at(i)), err
	})
}

// addToClock moves a time of day by n units; it turns over at midnight.
func addToClock(us int64, u unit, n int64) int64 {
	return floorModulus(us+n%(microsPerDay/unitMicros[u])*unitMicros[u], microsPerDay)
}

func addToInstant(c *Call) (arrow.Array, error) {
	unitAt, n, times := compiled(c, 0, parseUnit), arg[int64](c, 1), arg[instant](c, 2)
	var zones locations
	return eachRow(c, func(i int) (instant, error) {
		u, err := unitAt(i)
		if err != nil {
			return instant{}, err
		}
		t := times.at(i)
		if u <= hour {
			us, err := addLocal(t.us, u, n.at(i))
			return instant{us, t.zone}, err
		}
		loc := zones.of(t.zone)
		local, err := addLocal(sqltype.LocalMicros(t.us, loc), u, n.at(i))
		return instant{sqltype.InstantMicros(local, loc), t.zone}, err
	})
}

// diffLocal counts the whole units from a to b. Months count as whole also where the later day is the last of its
// month and the earlier's day does not exist there: 31 January to 29 February is one month.
func diffLocal(a, b int64, u unit) int64 {
	if u <= week {
		return (b - a) / unitMicros[u]
	}
	if b < a {
		return -diffLocal(b, a, u)
	}
	ya, ma, da := civil(a)
	yb, mb, db := civil(b)
	months := int64(yb-ya)*12 + int64(mb-ma)
	if db == sqltype.DaysIn(yb, mb) && da > db {
		da = db
	}
	if da > db || da == db && floorModulus(a, microsPerDay) > floorModulus(b, microsPerDay) {
		months--
	}
	return months / unitMonths[u]
}

func diffDates(c *Call) (arrow.Array, error) {
	unitAt, a, b := compiled(c, 0, parseDateUnit), localColumn(c, 1), localColumn(c, 2)
	return eachRow(c, func(i int) (int64, error) {
		u, err := unitAt(i)
		return diffLocal(a.at(i), b.at(i), u), err
	})
}

func diffTimestamps(c *Call) (arrow.Array, error) {
	unitAt, a, b := compiled(c, 0, unitsOf(c.Types[1].Kind)), arg[int64](c, 1), arg[int64](c, 2)
	return eachRow(c, func(i int) (int64, error) {
		u, err := unitAt(i)
		return diffLocal(a.at(i), b.at(i), u), err
	})
}

// diffInstants compares days and longer units on the clock of the first value's zone.
func diffInstants(c *Call) (arrow.Array, error) {
	unitAt, a, b := compiled(c, 0, parseUnit), arg[instant](c, 1), arg[instant](c, 2)
	var zones locations
	return eachRow(c, func(i int) (int64, error) {
		u, err := unitAt(i)
		if err != nil || u <= hour {
			return diffLocal(a.at(i).us, b.at(i).us, min(u, hour)), err
		}
		loc := zones.of(a.at(i).zone)
		return diffLocal(sqltype.LocalMicros(a.at(i).us, loc), sqltype.LocalMicros(b.at(i).us, loc), u), nil
	})
}
