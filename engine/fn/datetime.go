package fn

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/sqltype"
)

const (
	millisPerDay    = 24 * 3600 * 1000
	microsPerMilli  = int64(1000)
	microsPerSecond = 1000 * microsPerMilli
	microsPerMinute = 60 * microsPerSecond
	microsPerHour   = 60 * microsPerMinute
	microsPerDay    = 24 * microsPerHour
)

var dateFunctions = []*Function{
	{
		Name: "now", Aliases: []string{"current_timestamp"}, Category: dates, Clock: true,
		Doc:     "The time at which the query started, in the session's zone.",
		Example: "now() = current_timestamp → true",
		Overloads: []Overload{{Sig: "() -> timestamp with time zone", Eval: func(c *Call) (arrow.Array, error) {
			return constant(c, instant{timeNow(c), sessionZone(c)})
		}}},
	},
	{
		Name: "current_date", Category: dates, Clock: true,
		Doc:     "The date at which the query started, in the session's zone.",
		Example: "current_date = date(now()) → true",
		Overloads: []Overload{{Sig: "() -> date", Eval: func(c *Call) (arrow.Array, error) {
			days, _ := sqltype.DayOf(localNow(c))
			return constant(c, int32(days))
		}}},
	},
	{
		Name: "localtimestamp", Category: dates, Clock: true,
		Doc:     "The time at which the query started, on the clock of the session's zone.",
		Example: "date(localtimestamp) = current_date → true",
		Overloads: []Overload{{Sig: "() -> timestamp", Eval: func(c *Call) (arrow.Array, error) {
			return constant(c, localNow(c))
		}}},
	},
	{
		Name: "current_time", Category: dates, Clock: true,
		Doc:     "The time of day at which the query started, in the session's zone.",
		Example: "current_time = CAST(now() AS time with time zone) → true",
		Overloads: []Overload{{Sig: "() -> time with time zone", Eval: func(c *Call) (arrow.Array, error) {
			now := timeNow(c)
			return constant(c, instant{floorModulus(now, microsPerDay), sqltype.OffsetKey(now, c.Session.Zone)})
		}}},
	},
	{
		Name: "localtime", Category: dates, Clock: true,
		Doc:     "The time of day at which the query started, on the clock of the session's zone.",
		Example: "localtime = CAST(localtimestamp AS time) → true",
		Overloads: []Overload{{Sig: "() -> time", Eval: func(c *Call) (arrow.Array, error) {
			_, ofDay := sqltype.DayOf(localNow(c))
			return constant(c, ofDay)
		}}},
	},
	{
		Name: "current_timezone", Category: dates,
		Doc:     "The name of the session's zone.",
		Example: "current_timezone() → 'UTC'",
		Overloads: []Overload{{Sig: "() -> varchar", Eval: func(c *Call) (arrow.Array, error) {
			name, _ := sqltype.Zone(sessionZone(c))
			return constant(c, name)
		}}},
	},
	{
		Name: "date", Category: dates, CanFail: true,
		Doc:     "The day of a timestamp, or text like 2024-01-31 as a date.",
		Example: "date('2024-01-31') → DATE '2024-01-31'",
		Overloads: []Overload{
			{Sig: "(varchar) -> date", Eval: lift1(parseDate)},
			{Sig: "(date) -> date", Eval: eachDay(dayOf)},
			{Sig: "(timestamp) -> date", Eval: eachDay(dayOf)},
			{Sig: "(timestamp with time zone) -> date", Eval: eachDay(dayOf)},
		},
	},
	{
		Name: "from_iso8601_timestamp", Category: dates, CanFail: true,
		Doc:     "ISO 8601 text as a timestamp with time zone, cut to milliseconds; text without an offset is in the session's zone.",
		Example: "from_iso8601_timestamp('2024-01-31T10:00:00Z') → TIMESTAMP '2024-01-31 10:00:00.000 UTC'",
		Overloads: []Overload{{Sig: "(varchar) -> timestamp with time zone",
			Eval: func(c *Call) (arrow.Array, error) { return fromISO(c, microsPerMilli) }}},
	},
	{
		Name: "from_iso8601_timestamp_nanos", Category: dates, CanFail: true,
		Doc:     "Like from_iso8601_timestamp, but keeps microseconds; digits after them are dropped.",
		Example: "from_iso8601_timestamp_nanos('2024-01-31T10:00:00.123456Z') → TIMESTAMP '2024-01-31 10:00:00.123456 UTC'",
		Overloads: []Overload{{Sig: "(varchar) -> timestamp with time zone", Result: microsecondTZ,
			Eval: func(c *Call) (arrow.Array, error) { return fromISO(c, 1) }}},
	},
	{
		Name: "from_iso8601_date", Category: dates, CanFail: true,
		Doc:       "ISO 8601 text (a day, a week's day 2024-W05-3 or a day of the year 2024-031) as a date.",
		Example:   "from_iso8601_date('2024-W05-3') → DATE '2024-01-31'",
		Overloads: []Overload{{Sig: "(varchar) -> date", Eval: lift1(fromISODate)}},
	},
	{
		Name: "to_iso8601", Category: dates,
		Doc:     "The date or timestamp as ISO 8601 text.",
		Example: "to_iso8601(DATE '2024-01-31') → '2024-01-31'",
		Overloads: []Overload{
			{Sig: "(date) -> varchar", Eval: append1(func(dst []byte, d int32) ([]byte, error) { return sqltype.AppendDate(dst, int(d)), nil })},
			{Sig: "(timestamp) -> varchar", Eval: toISO},
			{Sig: "(timestamp with time zone) -> varchar", Eval: toISO},
		},
	},
	{
		Name: "from_unixtime", Category: dates, CanFail: true,
		Doc:     "Seconds since 1970-01-01 00:00:00 UTC as a timestamp with time zone, in the session's zone or the one given.",
		Example: "from_unixtime(0, 'UTC') → TIMESTAMP '1970-01-01 00:00:00.000 UTC'",
		Overloads: []Overload{
			{Sig: "(double) -> timestamp with time zone", Eval: func(c *Call) (arrow.Array, error) {
				zone := sessionZone(c)
				return lift1(func(s float64) (instant, error) { return fromUnixTime(s, zone) })(c)
			}},
			{Sig: "(double, varchar) -> timestamp with time zone", Eval: lift2(func(s float64, name string) (instant, error) {
				zone, err := zoneNamed(name)
				if err != nil {
					return instant{}, err
				}
				return fromUnixTime(s, zone)
			})},
			{Sig: "(double, bigint, bigint) -> timestamp with time zone", Eval: lift3(func(s float64, hours, minutes int64) (instant, error) {
				zone, err := zoneAt(hours, minutes)
				if err != nil {
					return instant{}, err
				}
				return fromUnixTime(s, zone)
			})},
		},
	},
	{
		Name: "from_unixtime_nanos", Category: dates,
		Doc:     "Nanoseconds since 1970-01-01 00:00:00 UTC as a timestamp with time zone, cut to microseconds.",
		Example: "from_unixtime_nanos(1000000000) → TIMESTAMP '1970-01-01 00:00:01.000000 UTC'",
		Overloads: []Overload{{Sig: "(bigint) -> timestamp with time zone", Result: microsecondTZ, Eval: func(c *Call) (arrow.Array, error) {
			zone := sessionZone(c)
			return pure1(func(ns int64) instant { return instant{floorDivide(ns, 1000), zone} })(c)
		}}},
	},
	{
		Name: "to_unixtime", Category: dates,
		Doc:     "Seconds since 1970-01-01 00:00:00 UTC.",
		Example: "to_unixtime(TIMESTAMP '1970-01-01 00:00:01.500') → 1.5",
		Overloads: []Overload{
			{Sig: "(timestamp) -> double", Eval: pure1(func(us int64) float64 { return float64(us) / 1e6 })},
			{Sig: "(timestamp with time zone) -> double", Eval: pure1(func(t instant) float64 { return float64(t.us) / 1e6 })},
		},
	},
	{
		Name: "date_trunc", Category: dates, CanFail: true,
		Doc:     "The time cut to a unit: millisecond, second, minute, hour, day, week (from Monday), month, quarter or year.",
		Example: "date_trunc('month', DATE '2024-01-31') → DATE '2024-01-01'",
		Overloads: []Overload{
			{Sig: "(varchar, date) -> date", Result: secondType, Eval: truncDate},
			{Sig: "(varchar, timestamp) -> timestamp", Result: secondType, Eval: truncTimestamp},
			{Sig: "(varchar, timestamp with time zone) -> timestamp with time zone", Result: secondType, Eval: truncInstant},
			{Sig: "(varchar, time) -> time", Result: secondType, Eval: truncTimestamp},
			{Sig: "(varchar, time with time zone) -> time with time zone", Result: secondType, Eval: truncTimeTZ},
		},
	},
	{
		Name: "date_add", Category: dates, CanFail: true,
		Doc:     "The time moved by a number of units, back if negative. A day that the month lacks becomes its last.",
		Example: "date_add('month', 1, DATE '2024-01-31') → DATE '2024-02-29'",
		Overloads: []Overload{
			{Sig: "(varchar, bigint, date) -> date", Result: thirdType, Eval: addToDate},
			{Sig: "(varchar, bigint, timestamp) -> timestamp", Result: thirdType, Eval: addToTimestamp},
			{Sig: "(varchar, bigint, timestamp with time zone) -> timestamp with time zone", Result: thirdType, Eval: addToInstant},
			{Sig: "(varchar, bigint, time) -> time", Result: thirdType, Eval: addToTime},
			{Sig: "(varchar, bigint, time with time zone) -> time with time zone", Result: thirdType, Eval: addToTimeTZ},
		},
	},
	{
		Name: "date_diff", Category: dates, CanFail: true,
		Doc:     "How many whole units lie between two times; negative if the second is earlier.",
		Example: "date_diff('day', DATE '2024-01-01', DATE '2024-01-31') → 30",
		Overloads: []Overload{
			{Sig: "(varchar, date, date) -> bigint", Eval: diffDates},
			{Sig: "(varchar, timestamp, timestamp) -> bigint", Eval: diffTimestamps},
			{Sig: "(varchar, timestamp with time zone, timestamp with time zone) -> bigint", Eval: diffInstants},
			{Sig: "(varchar, time, time) -> bigint", Eval: diffTimestamps},
			{Sig: "(varchar, time with time zone, time with time zone) -> bigint", Eval: diffTimesTZ},
		},
	},
	{
		Name: "date_format", Category: dates, CanFail: true,
		Doc:     "The time as text in a format of MySQL's language: %Y-%m-%d %H:%i:%s.",
		Example: "date_format(TIMESTAMP '2024-01-31 10:00:00', '%d.%m.%Y') → '31.01.2024'",
		Overloads: []Overload{
			{Sig: "(timestamp, varchar) -> varchar", Eval: formatWith(mysqlPattern)},
			{Sig: "(timestamp with time zone, varchar) -> varchar", Eval: formatWith(mysqlPattern)},
		},
	},
	{
		Name: "date_parse", Category: dates, CanFail: true,
		Doc:       "Text in a format of MySQL's language as a timestamp; two-digit years are 1970 to 2069.",
		Example:   "date_parse('31.01.2024', '%d.%m.%Y') → TIMESTAMP '2024-01-31 00:00:00.000'",
		Overloads: []Overload{{Sig: "(varchar, varchar) -> timestamp", Eval: parseMySQL}},
	},
	{
		Name: "format_datetime", Category: dates, CanFail: true,
		Doc:     "The time as text in a format of Joda's language: yyyy-MM-dd HH:mm:ss.",
		Example: "format_datetime(TIMESTAMP '2024-01-31 10:00:00', 'yyyy/MM/dd') → '2024/01/31'",
		Overloads: []Overload{
			{Sig: "(timestamp, varchar) -> varchar", Eval: formatWith(jodaPattern)},
			{Sig: "(timestamp with time zone, varchar) -> varchar", Eval: formatWith(jodaPattern)},
		},
	},
	{
		Name: "parse_datetime", Category: dates, CanFail: true,
		Doc:       "Text in a format of Joda's language as a timestamp with time zone, in the session's zone unless the text has one.",
		Example:   "parse_datetime('2024/01/31', 'yyyy/MM/dd') → TIMESTAMP '2024-01-31 00:00:00.000 UTC'",
		Overloads: []Overload{{Sig: "(varchar, varchar) -> timestamp with time zone", Eval: parseJoda}},
	},
	{
		Name: "parse_duration", Category: dates, CanFail: true,
		Doc:       "Text like 42.8ms or 3.5d (ns, us, ms, s, m, h, d) as an interval.",
		Example:   "parse_duration('1.5h') → INTERVAL '90' MINUTE",
		Overloads: []Overload{{Sig: "(varchar) -> interval day to second", Eval: lift1(parseDuration)}},
	},
	{
		Name: "human_readable_seconds", Category: dates, CanFail: true,
		Doc:       "Seconds as weeks, days, hours, minutes and seconds in words.",
		Example:   "human_readable_seconds(96) → '1 minute, 36 seconds'",
		Overloads: []Overload{{Sig: "(double) -> varchar", Eval: append1(humanReadable)}},
	},
	{
		Name: "to_milliseconds", Category: dates,
		Doc:       "The interval in milliseconds.",
		Example:   "to_milliseconds(INTERVAL '1' SECOND) → 1000",
		Overloads: []Overload{{Sig: "(interval day to second) -> bigint", Eval: pure1(func(ms int64) int64 { return ms })}},
	},
	{
		Name: "last_day_of_month", Category: dates,
		Doc:     "The last day of the month.",
		Example: "last_day_of_month(DATE '2024-02-10') → DATE '2024-02-29'",
		Overloads: dateOverloads("date", eachDay(func(local int64) int32 {
			year, month, _ := civil(local)
			return int32(sqltype.Days(year, month+1, 1) - 1)
		})),
	},
	{
		Name: "at_timezone", Category: dates, CanFail: true,
		Doc:     "The same instant, shown in another zone. A time of day takes the offset that the zone has when the query starts.",
		Example: "at_timezone(TIMESTAMP '2024-01-31 10:00:00 UTC', 'Europe/Berlin') → TIMESTAMP '2024-01-31 11:00:00 Europe/Berlin'",
		Overloads: []Overload{
			{Sig: "(timestamp with time zone, varchar) -> timestamp with time zone", Eval: lift2(atZone)},
			{Sig: "(timestamp with time zone, interval day to second) -> timestamp with time zone", Eval: lift2(atOffset)},
			{Sig: "(time with time zone, varchar) -> time with time zone", Eval: func(c *Call) (arrow.Array, error) {
				now := c.Session.Now.UnixMicro()
				return lift2(func(t instant, name string) (instant, error) {
					t, err := atZone(t, name)
					_, loc := sqltype.Zone(t.zone)
					return instant{t.us, sqltype.OffsetKey(now, loc)}, err
				})(c)
			}},
			{Sig: "(time with time zone, interval day to second) -> time with time zone", Eval: lift2(atOffset)},
		},
	},
	{
		Name: "with_timezone", Category: dates, CanFail: true,
		Doc:     "The clock time, read in the zone.",
		Example: "with_timezone(TIMESTAMP '2024-01-31 10:00:00', 'Europe/Berlin') → TIMESTAMP '2024-01-31 10:00:00 Europe/Berlin'",
		Overloads: []Overload{{Sig: "(timestamp, varchar) -> timestamp with time zone", Eval: lift2(func(local int64, name string) (instant, error) {
			zone, err := zoneNamed(name)
			_, loc := sqltype.Zone(zone)
			return instant{sqltype.InstantMicros(local, loc), zone}, err
		})}},
	},
	{
		Name: "timezone", Category: dates,
		Doc:     "The name of the zone.",
		Example: "timezone(TIMESTAMP '2024-01-31 10:00:00 UTC') → 'UTC'",
		Overloads: zonedOverloads("varchar", pure1(func(t instant) string {
			name, _ := sqltype.Zone(t.zone)
			return name
		})),
	},
	{
		Name: "timezone_hour", Category: dates,
		Doc:       "The hours of the zone's offset from UTC.",
		Example:   "timezone_hour(TIMESTAMP '2024-01-31 10:00:00 +02:00') → 2",
		Overloads: zonedOverloads("bigint", pure1(func(t instant) int64 { return offsetMinutes(t) / 60 })),
	},
	{
		Name: "timezone_minute", Category: dates,
		Doc:       "The minutes of the zone's offset from UTC, beside the hours.",
		Example:   "timezone_minute(TIMESTAMP '2024-01-31 10:00:00 +05:30') → 30",
		Overloads: zonedOverloads("bigint", pure1(func(t instant) int64 { return offsetMinutes(t) % 60 })),
	},
	{
		Name: "year", Category: dates,
		Doc:     "The year.",
		Example: "year(DATE '2024-01-31') → 2024",
		Overloads: append(dateOverloads("bigint", eachDay(func(local int64) int64 { y, _, _ := civil(local); return int64(y) })),
			Overload{Sig: "(interval year to month) -> bigint", Eval: pure1(func(m int32) int64 { return int64(m / 12) })}),
	},
	{
		Name: "quarter", Category: dates,
		Doc:       "The quarter of the year, 1 to 4.",
		Example:   "quarter(DATE '2024-01-31') → 1",
		Overloads: dateOverloads("bigint", eachDay(func(local int64) int64 { _, m, _ := civil(local); return int64(m+2) / 3 })),
	},
	{
		Name: "month", Category: dates,
		Doc:     "The month of the year, 1 to 12.",
		Example: "month(DATE '2024-01-31') → 1",
		Overloads: append(dateOverloads("bigint", eachDay(func(local int64) int64 { _, m, _ := civil(local); return int64(m) })),
			Overload{Sig: "(interval year to month) -> bigint", Eval: pure1(func(m int32) int64 { return int64(m % 12) })}),
	},
	{
		Name: "week", Aliases: []string{"week_of_year"}, Category: dates,
		Doc:       "The ISO week of the year, 1 to 53.",
		Example:   "week(DATE '2024-01-31') → 5",
		Overloads: dateOverloads("bigint", eachDay(func(local int64) int64 { _, w := isoWeek(local); return int64(w) })),
	},
	{
		Name: "year_of_week", Aliases: []string{"yow"}, Category: dates,
		Doc:       "The year that the ISO week belongs to.",
		Example:   "year_of_week(DATE '2024-12-31') → 2025",
		Overloads: dateOverloads("bigint", eachDay(func(local int64) int64 { y, _ := isoWeek(local); return int64(y) })),
	},
	{
		Name: "day", Aliases: []string{"day_of_month"}, Category: dates,
		Doc:     "The day of the month.",
		Example: "day(DATE '2024-01-31') → 31",
		Overloads: append(dateOverloads("bigint", eachDay(func(local int64) int64 { _, _, d := civil(local); return int64(d) })),
			Overload{Sig: "(interval day to second) -> bigint", Eval: pure1(func(ms int64) int64 { return ms / millisPerDay })}),
	},
	{
		Name: "day_of_week", Aliases: []string{"dow"}, Category: dates,
		Doc:       "The ISO day of the week, 1 (Monday) to 7 (Sunday).",
		Example:   "day_of_week(DATE '2024-01-31') → 3",
		Overloads: dateOverloads("bigint", eachDay(weekday)),
	},
	{
		Name: "day_of_year", Aliases: []string{"doy"}, Category: dates,
		Doc:       "The day of the year, 1 to 366.",
		Example:   "day_of_year(DATE '2024-01-31') → 31",
		Overloads: dateOverloads("bigint", eachDay(yearDay)),
	},
	{
		Name: "hour", Category: dates,
		Doc:       "The hour of the day, 0 to 23.",
		Example:   "hour(TIMESTAMP '2024-01-31 10:20:30') → 10",
		Overloads: clockOverloads(microsPerHour, 24),
	},
	{
		Name: "minute", Category: dates,
		Doc:       "The minute of the hour.",
		Example:   "minute(TIMESTAMP '2024-01-31 10:20:30') → 20",
		Overloads: clockOverloads(microsPerMinute, 60),
	},
	{
		Name: "second", Category: dates,
		Doc:       "The second of the minute.",
		Example:   "second(TIMESTAMP '2024-01-31 10:20:30') → 30",
		Overloads: clockOverloads(microsPerSecond, 60),
	},
	{
		Name: "millisecond", Category: dates,
		Doc:       "The millisecond of the second.",
		Example:   "millisecond(TIMESTAMP '2024-01-31 10:20:30.456') → 456",
		Overloads: clockOverloads(microsPerMilli, 1000),
	},
}

// dateOverloads are those of a function of the local calendar.
func dateOverloads(result string, eval body) []Overload {
	return []Overload{
		{Sig: "(date) -> " + result, Eval: eval},
		{Sig: "(timestamp) -> " + result, Eval: eval},
		{Sig: "(timestamp with time zone) -> " + result, Eval: eval},
	}
}

// zonedOverloads are those of a function of what has a time zone.
func zonedOverloads(result string, eval body) []Overload {
	return []Overload{
		{Sig: "(timestamp with time zone) -> " + result, Eval: eval},
		{Sig: "(time with time zone) -> " + result, Eval: eval},
	}
}

func atZone(t instant, name string) (instant, error) {
	zone, err := zoneNamed(name)
	return instant{t.us, zone}, err
}

func atOffset(t instant, ms int64) (instant, error) {
	zone, err := zoneAt(0, ms/60000)
	return instant{t.us, zone}, err
}

// clockOverloads are those of a function that gives one part of the local time of day.
func clockOverloads(unit, modulus int64) []Overload {
	part := eachLocal(func(local int64) int64 { return floorModulus(local, microsPerDay) / unit % modulus })
	return []Overload{
		{Sig: "(timestamp) -> bigint", Eval: part},
		{Sig: "(timestamp with time zone) -> bigint", Eval: part},
		{Sig: "(time) -> bigint", Eval: part},
		{Sig: "(time with time zone) -> bigint", Eval: part},
		{Sig: "(interval day to second) -> bigint", Eval: pure1(func(ms int64) int64 { return ms / (unit / 1000) % modulus })},
	}
}

func secondType(args []sqltype.Type) sqltype.Type { return args[1] }

func thirdType(args []sqltype.Type) sqltype.Type { return args[2] }

func microsecondTZ([]sqltype.Type) sqltype.Type {
	return sqltype.Type{Kind: sqltype.TimestampTZ, Precision: 6}
}

// constant is the result of a function without arguments.
func constant[R any](c *Call, value R) (arrow.Array, error) {
	out := make([]R, c.Len)
	for i := range out {
		out[i] = value
	}
	return write(c.Result, out, nil)
}

func sessionZone(c *Call) int16 {
	key, _ := sqltype.ZoneKey(c.Session.Zone.String())
	return key
}

// timeNow is when the query started, cut to the digits of the result.
func timeNow(c *Call) int64 {
	unit := microsPerSecond
	for range c.Result.Precision {
		unit /= 10
	}
	return truncate(c.Session.Now.UnixMicro(), unit)
}

func localNow(c *Call) int64 { return sqltype.LocalMicros(timeNow(c), c.Session.Zone) }

func floorDivide(a, b int64) int64 { return (a - floorModulus(a, b)) / b }

func floorModulus(a, b int64) int64 {
	m := a % b
	if m < 0 {
		m += b
	}
	return m
}

// truncate is the largest multiple of unit not above us.
func truncate(us, unit int64) int64 { return us - floorModulus(us, unit) }

// locations finds the location of a zone key, and what its clock shows, fast where neighbours are of one zone and season.
type locations struct {
	key int16
	loc *time.Location
	// instants from … to-1 are offset behind what the clock shows
	from, to, offset int64
}

func (l *locations) of(key int16) *time.Location {
	if l.loc == nil || l.key != key {
		*l = locations{key: key}
		_, l.loc = sqltype.Zone(key)
	}
	return l.loc
}

// local is what the clock of the zone shows at an instant.
func (l *locations) local(us int64, key int16) int64 {
	if us < l.from || us >= l.to || key != l.key {
		l.season(us, key)
	}
	return us + l.offset
}

func (l *locations) season(us int64, key int16) {
	loc := l.of(key)
	l.from, l.to, l.offset = math.MinInt64, math.MaxInt64, 0
	if loc == time.UTC {
		return
	}
	t := time.UnixMicro(us).In(loc)
	_, seconds := t.Zone()
	start, end := t.ZoneBounds()
	if l.offset = int64(seconds) * microsPerSecond; !start.IsZero() {
		l.from = start.UnixMicro()
	}
	if !end.IsZero() {
		l.to = end.UnixMicro()
	}
}

// localColumn reads a date or any time as microseconds on the local clock.
func localColumn(c *Call, i int) column[int64] {
	mask := -1
	if c.Args[i].Const {
		mask = 0
	}
	switch c.Types[i].Kind {
	case sqltype.Date:
		days := fixed[int32](c.Args[i].Arr)
		local := make([]int64, len(days))
		for j, d := range days {
			local[j] = int64(d) * microsPerDay
		}
		return column[int64]{local, mask}
	case sqltype.TimestampTZ:
		us, keys := instantsArg(c, i)
		if allUTC(keys) {
			return column[int64]{us, mask}
		}
		local := make([]int64, len(us))
		var zones locations
		for j, t := range us {
			local[j] = zones.local(t, keys[j])
		}
		return column[int64]{local, mask}
	case sqltype.TimeTZ:
		us, keys := instantsArg(c, i)
		local := make([]int64, len(us))
		var zones locations
		for j, t := range us {
			local[j] = floorModulus(zones.local(t, keys[j]), microsPerDay)
		}
		return column[int64]{local, mask}
	}
	return arg[int64](c, i)
}

func allUTC(keys []int16) bool {
	for _, key := range keys {
		if key != sqltype.UTCKey {
			return false
		}
	}
	return true
}

// eachLocal is pure1 over the local clock.
func eachLocal[R any](f func(local int64) R) body {
	return func(c *Call) (arrow.Array, error) {
		a, out := localColumn(c, 0), make([]R, c.Len)
		for i := range out {
			out[i] = f(a.at(i))
		}
		return write(c.Result, out, c.nulls())
	}
}

// eachDay is eachLocal for a function of the day alone: it is called once where neighbours are of one day.
func eachDay[R any](f func(local int64) R) body {
	return func(c *Call) (arrow.Array, error) {
		a, out := localColumn(c, 0), make([]R, c.Len)
		var today R
		from, to := int64(0), int64(0) // of the day of today
		for i := range out {
			local := a.at(i)
			if local < from || local >= to {
				from = local - floorModulus(local, microsPerDay)
				to = from + microsPerDay
				if from > local || to < from { // the first and the last day of all are cut off
					to = from
				}
				today = f(local)
			}
			out[i] = today
		}
		return write(c.Result, out, c.nulls())
	}
}

func dayOf(local int64) int32 {
	days, _ := sqltype.DayOf(local)
	return int32(days)
}

func civil(local int64) (year, month, day int) {
	days, _ := sqltype.DayOf(local)
	return sqltype.Civil(days)
}

// weekday is 1 for Monday to 7 for Sunday. 1970-01-01 was a Thursday.
func weekday(local int64) int64 { return floorModulus(int64(dayOf(local))+3, 7) + 1 }

func yearDay(local int64) int64 {
	year, _, _ := civil(local)
	return int64(int(dayOf(local))-sqltype.Days(year, 1, 1)) + 1
}

// isoWeek is the ISO 8601 week and its year: weeks begin on Monday and belong to the year of their Thursday.
func isoWeek(local int64) (year, week int) {
	thursday := int(dayOf(local)) + 4 - int(weekday(local))
	year, _, _ = sqltype.Civil(thursday)
	return year, (thursday-sqltype.Days(year, 1, 1))/7 + 1
}

func offsetMinutes(t instant) int64 {
	_, loc := sqltype.Zone(t.zone)
	return (sqltype.LocalMicros(t.us, loc) - t.us) / microsPerMinute
}

func zoneNamed(name string) (int16, error) {
	key, ok := sqltype.ZoneKey(name)
	if !ok {
		return 0, valueError("there is no time zone %s", shown(name))
	}
	return key, nil
}

// zoneAt is the zone of a fixed offset.
func zoneAt(hours, minutes int64) (int16, error) {
	total := hours*60 + minutes
	if hours > 14 || hours < -14 || minutes > 14*60 || minutes < -14*60 || total > 14*60 || total < -14*60 {
		return 0, valueError("a time zone is at most 14 hours from UTC")
	}
	sign := "+"
	if total < 0 {
		sign, total = "-", -total
	}
	return zoneNamed(sign + twoDigits(total/60) + ":" + twoDigits(total%60))
}

func twoDigits(n int64) string { return string([]byte{'0' + byte(n/10%10), '0' + byte(n%10)}) }

func parseDate(s string) (int32, error) {
	days, ok := sqltype.ParseDate(s)
	if !ok {
		return 0, valueError("%s is not a date", shown(s))
	}
	return days, nil
}

func fromUnixTime(seconds float64, zone int16) (instant, error) {
	ms := math.Round(seconds * 1000)
	if !(math.Abs(ms) < math.MaxInt64/2000) {
		return instant{}, timeOutOfRange()
	}
	return instant{int64(ms) * 1000, zone}, nil
}

func timeOutOfRange() error { return valueError("the time is out of range") }

// toISO appends the ISO form of a timestamp with or without zone, with the digits of its type.
func toISO(c *Call) (arrow.Array, error) {
	local, precision := localColumn(c, 0), c.Types[0].Precision
	var instants column[instant]
	if c.Types[0].Kind == sqltype.TimestampTZ {
		instants = arg[instant](c, 0)
	}
	return appendRows(c, func(dst []byte, i int) ([]byte, error) {
		days, ofDay := sqltype.DayOf(local.at(i))
		dst = append(sqltype.AppendDate(dst, days), 'T')
		dst = sqltype.AppendTime(dst, ofDay, precision)
		if instants.values == nil {
			return dst, nil
		}
		return appendOffset(dst, (local.at(i)-instants.at(i).us)/microsPerMinute, ":", "Z"), nil
	})
}

// appendOffset appends +hh:mm with the separator, or zero for no offset if it is not empty.
func appendOffset(dst []byte, minutes int64, separator, zero string) []byte {
	if minutes == 0 && zero != "" {
		return append(dst, zero...)
	}
	sign := byte('+')
	if minutes < 0 {
		sign, minutes = '-', -minutes
	}
	dst = append(append(dst, sign), twoDigits(minutes/60)...)
	return append(append(dst, separator...), twoDigits(minutes%60)...)
}

// parseDuration reads a number and a unit.
func parseDuration(s string) (int64, error) {
	trimmed := strings.TrimSpace(s)
	end := strings.LastIndexAny(trimmed, "0123456789.") + 1
	number, err := strconv.ParseFloat(trimmed[:end], 64)
	micros, known := map[string]float64{"ns": 1e-3, "us": 1, "ms": 1e3, "s": 1e6, "m": 6e7, "h": 3.6e9, "d": 8.64e10}[strings.TrimSpace(trimmed[end:])]
	ms := math.Round(number * micros / 1000)
	if err != nil || !known || !(math.Abs(ms) < math.MaxInt64) {
		return 0, valueError("%s is not a duration: a number and one of ns, us, ms, s, m, h, d", shown(s))
	}
	return int64(ms), nil
}

func humanReadable(dst []byte, seconds float64) ([]byte, error) {
	if math.IsNaN(seconds) || math.IsInf(seconds, 0) {
		return nil, valueError("human_readable_seconds needs a finite number")
	}
	rest, first := int64(math.Round(math.Abs(seconds))), true
	for _, unit := range []struct {
		name    string
		seconds int64
	}{{"week", 604800}, {"day", 86400}, {"hour", 3600}, {"minute", 60}, {"second", 1}} {
		n := rest / unit.seconds
		rest %= unit.seconds
		if n == 0 && !(first && unit.seconds == 1) {
			continue
		}
		if !first {
			dst = append(dst, ", "...)
		}
		first = false
		dst = append(append(strconv.AppendInt(dst, n, 10), ' '), unit.name...)
		if n != 1 {
			dst = append(dst, 's')
		}
	}
	return dst, nil
}

func (t instant) time() time.Time { return time.UnixMicro(t.us) }
