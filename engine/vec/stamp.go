package vec

import "github.com/trailql/trailql/engine/sqltype"

// Stamps reads the times that trails are full of, 2024-01-31T10:20:30, one after the other; a day that comes again is not worked out
// again. The zero value is ready.
type Stamps struct {
	day   string
	start int64
}

// Day reads exactly 2024-01-31 as days from 1970-01-01. ok is false for anything else, which may still be a day written otherwise.
func (p *Stamps) Day(s string) (days int32, ok bool) {
	if len(s) != 10 || s != p.day && !p.find(s) {
		return 0, false
	}
	return int32(p.start / sqltype.MicrosPerDay), true // a multiple: exact also before 1970
}

// Second reads exactly 2024-01-31T10:20:30, or with a blank for the T, as microseconds from 1970-01-01 00:00:00; ok as of Day.
func (p *Stamps) Second(s string) (micros int64, ok bool) {
	if len(s) != 19 || s[10] != 'T' && s[10] != ' ' || s[13] != ':' || s[16] != ':' {
		return 0, false
	}
	h, m, sec := twoDigits(s[11], s[12]), twoDigits(s[14], s[15]), twoDigits(s[17], s[18])
	if h > 23 || m > 59 || sec > 59 || s[:10] != p.day && !p.find(s[:10]) {
		return 0, false
	}
	return p.start + int64(h*3600+m*60+sec)*sqltype.MicrosPerSecond, true
}

func (p *Stamps) find(s string) bool {
	century, y := twoDigits(s[0], s[1]), twoDigits(s[2], s[3])
	month, day := twoDigits(s[5], s[6]), twoDigits(s[8], s[9])
	year := int(century*100 + y)
	if s[4] != '-' || s[7] != '-' || century > 99 || y > 99 || month < 1 || month > 12 || day < 1 || int(day) > sqltype.DaysIn(year, int(month)) {
		return false
	}
	p.day, p.start = s, int64(sqltype.Days(year, int(month), int(day)))*sqltype.MicrosPerDay
	return true
}

// twoDigits is the number of two digits, and above 99 if one is none.
func twoDigits(a, b byte) uint32 {
	a, b = a-'0', b-'0'
	if a > 9 || b > 9 {
		return 100
	}
	return uint32(a)*10 + uint32(b)
}
