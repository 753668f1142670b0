package cloudtrail

import "github.com/trailql/trailql/engine/sqltype"

// parseInstant reads an ISO 8601 time: date, T or a blank, time with seconds and an optional fraction, and Z or an offset
// from UTC; without either it is UTC, as all times of CloudTrail are. The result is in microseconds since 1970, finer
// fractions are cut. It reports false for anything else, and for times outside of the years 1 to 9999 of UTC: the day of
// such a one, to which an offset can lead, has no spelling as the date of a partition.
func parseInstant(b []byte) (micros int64, ok bool) {
	if len(b) < 19 || b[4] != '-' || b[7] != '-' || b[10] != 'T' && b[10] != ' ' || b[13] != ':' || b[16] != ':' {
		return 0, false
	}
	year, ok1 := decimal(b[0:4])
	month, ok2 := decimal(b[5:7])
	day, ok3 := decimal(b[8:10])
	hour, ok4 := decimal(b[11:13])
	minute, ok5 := decimal(b[14:16])
	second, ok6 := decimal(b[17:19])
	if !(ok1 && ok2 && ok3 && ok4 && ok5 && ok6) || month < 1 || month > 12 || day < 1 || int(day) > sqltype.DaysIn(int(year), int(month)) ||
		hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	micros = (int64(sqltype.Days(int(year), int(month), int(day)))*86400 + hour*3600 + minute*60 + second) * 1e6

	b = b[19:]
	if len(b) > 0 && (b[0] == '.' || b[0] == ',') {
		n := 1
		for scale := int64(1e5); n < len(b) && b[n] >= '0' && b[n] <= '9'; n++ {
			micros += int64(b[n]-'0') * scale
			scale /= 10
		}
		if n == 1 {
			return 0, false
		}
		b = b[n:]
	}
	if len(b) == 0 || string(b) == "Z" {
		return micros, spelled(micros)
	}
	sign := int64(1)
	switch b[0] {
	case '+':
	case '-':
		sign = -1
	default:
		return 0, false
	}
	b = b[1:]
	if len(b) == 5 && b[2] == ':' {
		b = []byte{b[0], b[1], b[3], b[4]}
	}
	if len(b) == 2 {
		b = []byte{b[0], b[1], '0', '0'}
	}
	if len(b) != 4 {
		return 0, false
	}
	hour, ok1 = decimal(b[0:2])
	minute, ok2 = decimal(b[2:4])
	if !ok1 || !ok2 || hour > 23 || minute > 59 {
		return 0, false
	}
	micros -= sign * (hour*60 + minute) * 60 * 1e6
	return micros, spelled(micros)
}

// spelled reports whether an instant is in the years 1 to 9999.
func spelled(micros int64) bool { return micros >= -62_135_596_800e6 && micros < 253_402_300_800e6 }

func decimal(b []byte) (v int64, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + int64(c-'0')
	}
	return v, true
}

// dayOf returns the UTC day of an instant, as days since 1970.
func dayOf(micros int64) int32 {
	const day = 86400 * 1e6
	d := micros / day
	if micros%day < 0 {
		d--
	}
	return int32(d)
}
