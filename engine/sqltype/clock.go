package sqltype

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Units of the values: microseconds.
const (
	MicrosPerSecond = 1_000_000
	MicrosPerDay    = 86_400 * MicrosPerSecond
)

// MinTimestampDay and MaxTimestampDay bound the days, from 1970-01-01, whose timestamps fit 64 bits of microseconds.
const (
	MinTimestampDay = math.MinInt64/MicrosPerDay + 1
	MaxTimestampDay = math.MaxInt64/MicrosPerDay - 1
)

// Days returns the day number, from 1970-01-01, of a day of the proleptic Gregorian calendar. The days are
// counted from 1 March, so that the leap day is the last of its year.
func Days(year, month, day int) int {
	if month <= 2 {
		year--
		month += 12
	}
	era := floorDiv(year, 400)
	yearOfEra := year - era*400
	dayOfYear := (153*(month-3)+2)/5 + day - 1
	return era*146097 + yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear - 719468
}

// Civil is the inverse of Days.
func Civil(days int) (year, month, day int) {
	days += 719468
	era := floorDiv(days, 146097)
	dayOfEra := days - era*146097
	yearOfEra := (dayOfEra - dayOfEra/1460 + dayOfEra/36524 - dayOfEra/146096) / 365
	dayOfYear := dayOfEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	m := (5*dayOfYear + 2) / 153
	year, month, day = era*400+yearOfEra, m+3, dayOfYear-(153*m+2)/5+1
	if month > 12 {
		month -= 12
		year++
	}
	return year, month, day
}

func floorDiv(a, b int) int {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

// DayOf splits a timestamp into its day and the microseconds of that day.
func DayOf(micros int64) (days int, ofDay int64) {
	days = floorDiv(int(micros), MicrosPerDay)
	return days, micros - int64(days)*MicrosPerDay
}

// LocalMicros returns the wall-clock time of an instant in a zone, as a timestamp without zone.
func LocalMicros(instant int64, loc *time.Location) int64 {
	if loc == time.UTC {
		return instant
	}
	_, offset := time.UnixMicro(instant).In(loc).Zone()
	return instant + int64(offset)*MicrosPerSecond
}

// InstantMicros returns the instant of a wall-clock time in a zone. A time that the zone skips is moved forward by
// the gap; of one that it has twice the earlier is taken.
func InstantMicros(local int64, loc *time.Location) int64 {
	if loc == time.UTC {
		return local
	}
	t := time.UnixMicro(local).UTC()
	year, month, day := t.Date()
	before := time.Date(year, month, day-1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), loc)
	_, offset := before.Zone()
	instant := local - int64(offset)*MicrosPerSecond
	if LocalMicros(instant, loc) == local {
		return instant
	}
	at := time.Date(year, month, day, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), loc).UnixMicro()
	if LocalMicros(at, loc) == local {
		return at
	}
	return instant // in a gap: the offset before it
}

// RoundMicros rounds a time to precision digits after the second, half up.
func RoundMicros(micros int64, precision int) int64 {
	if precision >= 6 {
		return micros
	}
	unit := int64(1)
	for range 6 - max(precision, 0) {
		unit *= 10
	}
	rest := micros % unit
	if rest < 0 {
		rest += unit
	}
	micros -= rest
	if rest*2 >= unit && micros <= math.MaxInt64-unit {
		micros += unit
	}
	return micros
}

// clock reads times from text.
type clock struct {
	s string
	i int
}

func (c *clock) skip(b byte) bool {
	if c.i < len(c.s) && c.s[c.i] == b {
		c.i++
		return true
	}
	return false
}

func (c *clock) number(low, high int) (n int, ok bool) {
	start := c.i
	for c.i < len(c.s) && c.i-start < high && c.s[c.i] >= '0' && c.s[c.i] <= '9' {
		n = n*10 + int(c.s[c.i]-'0')
		c.i++
	}
	return n, c.i-start >= low
}

// date reads [±]yyyy-m-d.
func (c *clock) date() (days int, ok bool) {
	negative := c.skip('-')
	if !negative {
		c.skip('+')
	}
	year, ok := c.number(4, 7)
	if !ok || !c.skip('-') {
		return 0, false
	}
	month, ok1 := c.number(1, 2)
	if !ok1 || !c.skip('-') {
		return 0, false
	}
	day, ok2 := c.number(1, 2)
	if negative {
		year = -year
	}
	if !ok2 || month < 1 || month > 12 || day < 1 || day > DaysIn(year, month) || year > 5_000_000 || year < -5_000_000 {
		return 0, false
	}
	return Days(year, month, day), true
}

// DaysIn is the number of days of a month of the Gregorian calendar.
func DaysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// time reads h:mm[:ss[.fraction]] as microseconds, rounded half up.
func (c *clock) time() (micros int64, ok bool) {
	hour, ok := c.number(1, 2)
	if !ok || hour > 23 || !c.skip(':') {
		return 0, false
	}
	minute, ok := c.number(1, 2)
	if !ok || minute > 59 {
		return 0, false
	}
	second := 0
	fraction := int64(0)
	if c.skip(':') {
		if second, ok = c.number(1, 2); !ok || second > 59 {
			return 0, false
		}
		if c.skip('.') {
			start := c.i
			unit := int64(MicrosPerSecond)
			for ; c.i < len(c.s) && c.s[c.i] >= '0' && c.s[c.i] <= '9'; c.i++ {
				unit /= 10
				if d := int64(c.s[c.i] - '0'); unit > 0 {
					fraction += d * unit
				} else if c.i-start == 6 && d >= 5 {
					fraction++
				}
			}
			if c.i == start {
				return 0, false
			}
		}
	}
	return int64(hour*3600+minute*60+second)*MicrosPerSecond + fraction, true
}

// stamp reads a date and, after a blank or T, a time; missing parts are midnight.
func (c *clock) stamp() (micros int64, ok bool) {
	days, ok := c.date()
	if !ok || days < MinTimestampDay || days > MaxTimestampDay {
		return 0, false
	}
	micros = int64(days) * MicrosPerDay
	start := c.i
	if c.skip(' ') || c.skip('T') {
		if c.i < len(c.s) && c.s[c.i] >= '0' && c.s[c.i] <= '9' {
			ofDay, ok := c.time()
			return micros + ofDay, ok
		}
		c.i = start
	}
	return micros, true
}

// ParseDate reads 2024-01-31 (month and day may have one digit) as days from 1970-01-01; blanks around it are ignored.
func ParseDate(s string) (days int32, ok bool) {
	c := clock{s: strings.TrimSpace(s)}
	d, ok := c.date()
	return int32(d), ok && c.i == len(c.s)
}

// ParseTime reads 01:02, 01:02:03 or 01:02:03.456 as microseconds of the day.
func ParseTime(s string) (micros int64, ok bool) {
	c := clock{s: strings.TrimSpace(s)}
	micros, ok = c.time()
	if micros >= MicrosPerDay { // rounded up at the end of the day
		micros -= MicrosPerDay
	}
	return micros, ok && c.i == len(c.s)
}

// ParseTimeTZ reads what ParseTime reads, followed by an offset (+02:00, -0800, Z), as the time in UTC and the offset's zone key.
func ParseTimeTZ(s string) (micros int64, key int16, ok bool) {
	c := clock{s: strings.TrimSpace(s)}
	local, ok := c.time()
	zone := strings.TrimSpace(c.s[c.i:])
	if !ok || zone == "" || zone[0] != '+' && zone[0] != '-' && zone != "Z" && zone != "UTC" {
		return 0, 0, false
	}
	if key, ok = ZoneKey(zone); !ok {
		return 0, 0, false
	}
	return TimeInUTC(local, key), key, true
}

// LocalTime returns what a clock with the offset shows at a time of day in UTC, and TimeInUTC is its inverse; both turn over at midnight.
func LocalTime(utc int64, key int16) int64 {
	_, loc := Zone(key)
	return floorMod(LocalMicros(utc, loc), MicrosPerDay)
}

// TimeInUTC is the inverse of LocalTime.
func TimeInUTC(local int64, key int16) int64 {
	_, loc := Zone(key)
	return floorMod(local-LocalMicros(0, loc), MicrosPerDay)
}

func floorMod(a, b int64) int64 { return (a%b + b) % b }

// ParseTimestamp reads 2024-01-31, 2024-01-31 01:02, 2024-01-31 01:02:03 or 2024-01-31 01:02:03.456 as microseconds
// from 1970-01-01 00:00:00; T may stand for the blank. Text with a zone is no timestamp: see ParseTimestampTZ.
func ParseTimestamp(s string) (micros int64, ok bool) {
	c := clock{s: strings.TrimSpace(s)}
	micros, ok = c.stamp()
	return micros, ok && c.i == len(c.s)
}

// ParseTimestampTZ reads what ParseTimestamp reads, followed by a zone ("2024-01-31 01:02:03 Europe/Berlin",
// "2024-01-31T01:02:03Z", "… +02:00"), as the instant in microseconds and the zone's key. Text without a zone is in
// the session's zone.
func ParseTimestampTZ(s string, session *time.Location) (instant int64, key int16, ok bool) {
	c := clock{s: strings.TrimSpace(s)}
	local, ok := c.stamp()
	if !ok {
		return 0, 0, false
	}
	name := strings.TrimSpace(c.s[c.i:])
	if name == "" {
		name = session.String()
	}
	if key, ok = ZoneKey(name); !ok {
		return 0, 0, false
	}
	_, loc := Zone(key)
	return InstantMicros(local, loc), key, true
}

// AppendDate appends a day as 2024-01-31; years past 9999 have a sign.
func AppendDate(dst []byte, days int) []byte {
	year, month, day := Civil(days)
	switch {
	case year < 0:
		dst, year = append(dst, '-'), -year
	case year > 9999:
		dst = append(dst, '+')
	}
	dst = appendPadded(dst, year, 4)
	dst = append(dst, '-')
	dst = appendPadded(dst, month, 2)
	dst = append(dst, '-')
	return appendPadded(dst, day, 2)
}

// AppendTime appends microseconds of the day as 01:02:03, with precision digits of fraction.
func AppendTime(dst []byte, micros int64, precision int) []byte {
	seconds := int(micros / MicrosPerSecond)
	dst = appendPadded(dst, seconds/3600, 2)
	dst = append(dst, ':')
	dst = appendPadded(dst, seconds/60%60, 2)
	dst = append(dst, ':')
	dst = appendPadded(dst, seconds%60, 2)
	if precision > 0 {
		dst = append(dst, '.')
		end := len(dst) + min(precision, 6)
		dst = appendPadded(dst, int(micros%MicrosPerSecond), 6)[:end]
	}
	return dst
}

// AppendTimeTZ appends the time as a clock with the offset shows it, and the offset: 01:02:03.456+08:00.
func AppendTimeTZ(dst []byte, utc int64, key int16, precision int) []byte {
	_, loc := Zone(key)
	dst = AppendTime(dst, LocalTime(utc, key), precision)
	return append(dst, offsetName(int(LocalMicros(0, loc)/MicrosPerSecond/60))...)
}

// AppendTimestamp appends 2024-01-31 01:02:03 with precision digits of fraction.
func AppendTimestamp(dst []byte, micros int64, precision int) []byte {
	days, ofDay := DayOf(micros)
	dst = AppendDate(dst, days)
	dst = append(dst, ' ')
	return AppendTime(dst, ofDay, precision)
}

// AppendTimestampTZ appends the wall-clock time in the zone, a blank and the zone's name.
func AppendTimestampTZ(dst []byte, instant int64, key int16, precision int) []byte {
	name, loc := Zone(key)
	dst = AppendTimestamp(dst, LocalMicros(instant, loc), precision)
	dst = append(dst, ' ')
	return append(dst, name...)
}

// AppendIntervalDay appends milliseconds as days hh:mm:ss.fff: "2 00:00:00.000".
func AppendIntervalDay(dst []byte, millis int64) []byte {
	rest := uint64(millis)
	if millis < 0 {
		dst, rest = append(dst, '-'), -rest
	}
	const perDay = 86_400_000
	dst = strconv.AppendUint(dst, rest/perDay, 10)
	dst = append(dst, ' ')
	return AppendTime(dst, int64(rest%perDay)*1000, 3)
}

// AppendIntervalYear appends months as years-months: "1-2".
func AppendIntervalYear(dst []byte, months int32) []byte {
	rest := int64(months)
	if rest < 0 {
		dst, rest = append(dst, '-'), -rest
	}
	dst = strconv.AppendInt(dst, rest/12, 10)
	dst = append(dst, '-')
	return strconv.AppendInt(dst, rest%12, 10)
}

func appendPadded(dst []byte, n, width int) []byte {
	for limit := 10; width > 1; width, limit = width-1, limit*10 {
		if n < limit {
			for range width - 1 {
				dst = append(dst, '0')
			}
			break
		}
	}
	return strconv.AppendInt(dst, int64(n), 10)
}
