package fn

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// isoReader reads the forms of ISO 8601 that Trino reads: a calendar day (2024, 2024-01, 2024-01-31), a day of the
// year (2024-031) or of a week (2024-W05, 2024-W05-3), then perhaps T, a time (10, 10:20, 10:20:30, 10:20:30.456)
// and an offset (Z, +02, +0200, +02:00).
type isoReader struct {
	s string
	i int
}

// number reads exactly width digits.
func (r *isoReader) number(width int) (int, bool) {
	if len(r.s)-r.i < width {
		return 0, false
	}
	n := 0
	for _, c := range []byte(r.s[r.i : r.i+width]) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	r.i += width
	return n, true
}

func (r *isoReader) skip(c byte) bool {
	if r.i < len(r.s) && r.s[r.i] == c {
		r.i++
		return true
	}
	return false
}

// digits counts the digits that follow.
func (r *isoReader) digits() int {
	n := 0
	for r.i+n < len(r.s) && r.s[r.i+n] >= '0' && r.s[r.i+n] <= '9' {
		n++
	}
	return n
}

func (r *isoReader) day() (days int, ok bool) {
	y, ok := r.number(4)
	if !ok || r.digits() > 0 {
		return 0, false
	}
	if !r.skip('-') {
		return sqltype.Days(y, 1, 1), true
	}
	if r.skip('W') {
		w, ok := r.number(2)
		d := 1
		if ok && r.skip('-') {
			d, ok = r.number(1)
		}
		if !ok || w < 1 || w > 53 || d < 1 || d > 7 {
			return 0, false
		}
		return weekStart(y, w) + d - 1, true
	}
	if r.digits() == 3 {
		n, _ := r.number(3)
		return sqltype.Days(y, 1, 1) + n - 1, n >= 1 && n <= sqltype.Days(y+1, 1, 1)-sqltype.Days(y, 1, 1)
	}
	m, ok := r.number(2)
	d := 1
	if ok && r.skip('-') {
		d, ok = r.number(2)
	}
	if !ok || m < 1 || m > 12 || d < 1 || d > sqltype.DaysIn(y, m) {
		return 0, false
	}
	return sqltype.Days(y, m, d), true
}

// weekStart is the Monday of an ISO week: week 1 holds 4 January.
func weekStart(year, week int) int {
	january4 := sqltype.Days(year, 1, 4)
	return january4 - int(floorModulus(int64(january4)+3, 7)) + 7*(week-1)
}

func (r *isoReader) time() (us int64, ok bool) {
	parts := [3]int{}
	for k := range parts {
		if k > 0 && !r.skip(':') {
			break
		}
		if parts[k], ok = r.number(2); !ok {
			return 0, false
		}
		if k == 2 && (r.skip('.') || r.skip(',')) {
			n := r.digits()
			scale := microsPerSecond
			for _, c := range []byte(r.s[r.i : r.i+n]) {
				scale /= 10
				us += int64(c-'0') * scale
			}
			r.i += n
			ok = n > 0
		}
	}
	if parts[0] > 23 || parts[1] > 59 || parts[2] > 59 {
		return 0, false
	}
	return us + int64(parts[0])*microsPerHour + int64(parts[1])*microsPerMinute + int64(parts[2])*microsPerSecond, ok
}

// offset reads Z or ±hh[[:]mm] as a zone key; found is false at the end of the text.
func (r *isoReader) offset() (key int16, found, ok bool) {
	if r.i == len(r.s) {
		return 0, false, true
	}
	if r.s[r.i:] == "Z" {
		r.i++
		return sqltype.UTCKey, true, true
	}
	key, ok = sqltype.ZoneKey(r.s[r.i:])
	ok = ok && (r.s[r.i] == '+' || r.s[r.i] == '-')
	r.i = len(r.s)
	return key, true, ok
}

// fromISO reads argument 0 as timestamps, cut to a multiple of unit, which divides a second.
func fromISO(c *Call, unit int64) (arrow.Array, error) {
	text, session, nulls := textArg(c, 0), sessionZone(c), c.nulls()
	var zones locations
	var stamps vec.Stamps
	us, keys := make([]int64, c.Len), make([]int16, c.Len)
	for i := range us {
		if nulls != nil && nulls[i] {
			continue
		}
		s := text.at(i)
		if len(s) == 20 && s[10] == 'T' && s[19] == 'Z' {
			var ok bool
			if us[i], ok = stamps.Second(s[:19]); ok {
				keys[i] = sqltype.UTCKey
				continue
			}
		}
		local, zone, ok := isoTime(s, session)
		if !ok {
			return nil, valueError("%s is not an ISO 8601 time", shown(s))
		}
		us[i], keys[i] = truncate(sqltype.InstantMicros(local, zones.of(zone)), unit), zone
	}
	return instantArray(us, keys, nulls), nil
}

// isoTime reads a time and its zone, session if it names none.
func isoTime(s string, session int16) (local int64, zone int16, ok bool) {
	r := isoReader{s: s}
	days, ok := r.day()
	var us int64
	if ok && r.skip('T') && r.i < len(s) {
		us, ok = r.time()
	}
	zone, found, zoneOK := r.offset()
	if !found {
		zone = session
	}
	return int64(days)*microsPerDay + us, zone, ok && zoneOK
}

func fromISODate(s string) (int32, error) {
	r := isoReader{s: s}
	days, ok := r.day()
	if !ok || r.i != len(s) {
		return 0, valueError("%s is not an ISO 8601 date", shown(s))
	}
	return int32(days), nil
}
