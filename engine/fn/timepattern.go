package fn

import (
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// timePattern is a format of MySQL's or Joda's language, read into fields.
type timePattern []timeField

// timeField is one part of a pattern: kind says what, or literal is text as it stands.
type timeField struct {
	kind    timeFieldKind
	width   int // printed with at least, and beside another number read with exactly, so many digits
	most    int // digits read
	literal string
}

type timeFieldKind uint8

const (
	fieldLiteral timeFieldKind = iota
	fieldEra
	fieldYear
	fieldYear2 // the last two digits, 1970 to 2069
	fieldWeekYear
	fieldMonth
	fieldMonthName
	fieldMonthShort
	fieldDay
	fieldYearDay
	fieldWeek
	fieldWeekday // 1 Monday to 7 Sunday
	fieldWeekdayName
	fieldWeekdayShort
	fieldHour     // 0 to 23
	fieldHour24   // 1 to 24
	fieldHalf     // 0 to 11
	fieldHalf12   // 1 to 12
	fieldHalfName // AM or PM
	fieldMinute
	fieldSecond
	fieldFraction
	fieldOffset      // +0200
	fieldOffsetColon // +02:00
	fieldZoneID      // Europe/Berlin
	fieldZoneName    // CET
)

func (k timeFieldKind) numeric() bool {
	switch k {
	case fieldLiteral, fieldEra, fieldMonthName, fieldMonthShort, fieldWeekdayName, fieldWeekdayShort, fieldHalfName:
		return false
	}
	return k < fieldOffset
}

var (
	monthNames   = []string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}
	weekdayNames = []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}
	monthShorts  = []string{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"}
	dayShorts    = []string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}
	halfNames    = []string{"AM", "PM"}
	eraNames     = []string{"BC", "AD"}
)

// mysqlFields are the letters after % that Trino supports; the others are its errors too.
var mysqlFields = map[byte]timePattern{
	'a': {{kind: fieldWeekdayShort}}, 'b': {{kind: fieldMonthShort}}, 'c': {{kind: fieldMonth, width: 1, most: 2}},
	'd': {{kind: fieldDay, width: 2, most: 2}}, 'e': {{kind: fieldDay, width: 1, most: 2}},
	'f': {{kind: fieldFraction, width: 6, most: 9}},
	'H': {{kind: fieldHour, width: 2, most: 2}}, 'k': {{kind: fieldHour, width: 1, most: 2}},
	'h': {{kind: fieldHalf12, width: 2, most: 2}}, 'I': {{kind: fieldHalf12, width: 2, most: 2}}, 'l': {{kind: fieldHalf12, width: 1, most: 2}},
	'i': {{kind: fieldMinute, width: 2, most: 2}}, 'j': {{kind: fieldYearDay, width: 3, most: 3}},
	'M': {{kind: fieldMonthName}}, 'm': {{kind: fieldMonth, width: 2, most: 2}}, 'p': {{kind: fieldHalfName}},
	'S': {{kind: fieldSecond, width: 2, most: 2}}, 's': {{kind: fieldSecond, width: 2, most: 2}},
	'T': {{kind: fieldHour, width: 2, most: 2}, {literal: ":"}, {kind: fieldMinute, width: 2, most: 2}, {literal: ":"}, {kind: fieldSecond, width: 2, most: 2}},
	'r': {{kind: fieldHalf12, width: 2, most: 2}, {literal: ":"}, {kind: fieldMinute, width: 2, most: 2}, {literal: ":"},
		{kind: fieldSecond, width: 2, most: 2}, {literal: " "}, {kind: fieldHalfName}},
	'v': {{kind: fieldWeek, width: 2, most: 2}}, 'W': {{kind: fieldWeekdayName}}, 'x': {{kind: fieldWeekYear, width: 4, most: 4}},
	'Y': {{kind: fieldYear, width: 4, most: 4}}, 'y': {{kind: fieldYear2, width: 2, most: 2}}, '%': {{literal: "%"}},
}

// mysqlPattern reads a format of MySQL's language; a % before any letter that means nothing stands for the letter.
func mysqlPattern(format string) (timePattern, error) {
	var p timePattern
	for i := 0; i < len(format); i++ {
		c := format[i]
		if c != '%' {
			p = p.literal(format[i : i+1])
			continue
		}
		if i++; i == len(format) {
			return nil, valueError("the format %s ends in a single %%", shown(format))
		}
		fields, known := mysqlFields[format[i]]
		switch {
		case known:
			p = append(p, fields...)
		case strings.IndexByte("DUuVwX", format[i]) >= 0:
			return nil, valueError("%%%c is not supported in a format", format[i])
		default:
			p = p.literal(format[i : i+1])
		}
	}
	return p, nil
}

// literal adds text to the pattern.
func (p timePattern) literal(s string) timePattern {
	if n := len(p); n > 0 && p[n-1].kind == fieldLiteral {
		joined := timeField{literal: p[n-1].literal + s}
		return append(p[:n-1:n-1], joined)
	}
	return append(p, timeField{literal: s})
}

// jodaPattern reads a format of Joda's language: runs of one letter, text in single quotes, two quotes for one.
func jodaPattern(format string) (timePattern, error) {
	var p timePattern
	for i := 0; i < len(format); {
		c := format[i]
		if c == '\'' {
			text, rest, ok := quoted(format[i:])
			if !ok {
				return nil, valueError("a quote in the format %s has no end", shown(format))
			}
			p = p.literal(text)
			i = len(format) - len(rest)
			continue
		}
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') {
			p = p.literal(format[i : i+1])
			i++
			continue
		}
		n := 1
		for i+n < len(format) && format[i+n] == c {
			n++
		}
		i += n
		f, ok := jodaField(c, n)
		if !ok {
			return nil, valueError("%c means nothing in a format", c)
		}
		p = append(p, f)
	}
	return p, nil
}

// quoted reads text in single quotes at the start of s.
func quoted(s string) (text, rest string, ok bool) {
	if strings.HasPrefix(s, "''") {
		return "'", s[2:], true
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != '\'' {
			b.WriteByte(s[i])
		} else if i+1 < len(s) && s[i+1] == '\'' {
			b.WriteByte('\'')
			i++
		} else {
			return b.String(), s[i+1:], true
		}
	}
	return "", "", false
}

func jodaField(c byte, n int) (timeField, bool) {
	number := func(kind timeFieldKind, most int) (timeField, bool) {
		return timeField{kind: kind, width: min(n, 20), most: max(most, min(n, 20))}, true
	}
	either := func(long, short timeFieldKind) (timeField, bool) {
		if n >= 4 {
			return timeField{kind: long}, true
		}
		return timeField{kind: short}, true
	}
	switch c {
	case 'G':
		return timeField{kind: fieldEra}, true
	case 'y', 'Y', 'C':
		if n == 2 {
			return timeField{kind: fieldYear2, width: 2, most: 2}, true
		}
		return number(fieldYear, 9)
	case 'x':
		return number(fieldWeekYear, 9)
	case 'w':
		return number(fieldWeek, 2)
	case 'e':
		return number(fieldWeekday, 1)
	case 'E':
		return either(fieldWeekdayName, fieldWeekdayShort)
	case 'D':
		return number(fieldYearDay, 3)
	case 'M':
		if n >= 3 {
			return either(fieldMonthName, fieldMonthShort)
		}
		return number(fieldMonth, 2)
	case 'd':
		return number(fieldDay, 2)
	case 'a':
		return timeField{kind: fieldHalfName}, true
	case 'K':
		return number(fieldHalf, 2)
	case 'h':
		return number(fieldHalf12, 2)
	case 'H':
		return number(fieldHour, 2)
	case 'k':
		return number(fieldHour24, 2)
	case 'm':
		return number(fieldMinute, 2)
	case 's':
		return number(fieldSecond, 2)
	case 'S':
		return timeField{kind: fieldFraction, width: min(n, 9), most: min(n, 9)}, true
	case 'z':
		return timeField{kind: fieldZoneName}, true
	case 'Z':
		switch n {
		case 1:
			return timeField{kind: fieldOffset}, true
		case 2:
			return timeField{kind: fieldOffsetColon}, true
		}
		return timeField{kind: fieldZoneID}, true
	}
	return timeField{}, false
}

// append prints a local time; at is the instant it belongs to, nil for a timestamp without zone.
func (p timePattern) append(dst []byte, local int64, at *instant) ([]byte, error) {
	y, m, d := civil(local)
	ofDay := floorModulus(local, microsPerDay)
	h := int(ofDay / microsPerHour)
	for _, f := range p {
		switch f.kind {
		case fieldLiteral:
			dst = append(dst, f.literal...)
		case fieldEra:
			dst = append(dst, eraNames[boolToInt(y > 0)]...)
		case fieldYear:
			dst = appendDigits(dst, y, f.width)
		case fieldYear2:
			dst = appendDigits(dst, int(floorModulus(int64(y), 100)), 2)
		case fieldWeekYear:
			wy, _ := isoWeek(local)
			dst = appendDigits(dst, wy, f.width)
		case fieldMonth:
			dst = appendDigits(dst, m, f.width)
		case fieldMonthName:
			dst = append(dst, monthNames[m-1]...)
		case fieldMonthShort:
			dst = append(dst, monthShorts[m-1]...)
		case fieldDay:
			dst = appendDigits(dst, d, f.width)
		case fieldYearDay:
			dst = appendDigits(dst, int(yearDay(local)), f.width)
		case fieldWeek:
			_, w := isoWeek(local)
			dst = appendDigits(dst, w, f.width)
		case fieldWeekday:
			dst = appendDigits(dst, int(weekday(local)), f.width)
		case fieldWeekdayName:
			dst = append(dst, weekdayNames[weekday(local)-1]...)
		case fieldWeekdayShort:
			dst = append(dst, dayShorts[weekday(local)-1]...)
		case fieldHour:
			dst = appendDigits(dst, h, f.width)
		case fieldHour24:
			dst = appendDigits(dst, (h+23)%24+1, f.width)
		case fieldHalf:
			dst = appendDigits(dst, h%12, f.width)
		case fieldHalf12:
			dst = appendDigits(dst, (h+11)%12+1, f.width)
		case fieldHalfName:
			dst = append(dst, halfNames[h/12]...)
		case fieldMinute:
			dst = appendDigits(dst, int(ofDay/microsPerMinute%60), f.width)
		case fieldSecond:
			dst = appendDigits(dst, int(ofDay/microsPerSecond%60), f.width)
		case fieldFraction:
			dst = append(dst, strconv.FormatInt(1_000_000_000+ofDay%microsPerSecond*1000, 10)[1:1+f.width]...)
		default:
			if at == nil {
				return nil, valueError("a timestamp without time zone has no zone to format")
			}
			dst = appendZone(dst, f.kind, local, *at)
		}
	}
	return dst, nil
}

func appendZone(dst []byte, kind timeFieldKind, local int64, at instant) []byte {
	minutes := (local - at.us) / microsPerMinute
	name, loc := sqltype.Zone(at.zone)
	switch kind {
	case fieldOffset:
		return appendOffset(dst, minutes, "", "")
	case fieldOffsetColon:
		return appendOffset(dst, minutes, ":", "")
	case fieldZoneID:
		return append(dst, name...)
	}
	short, _ := at.time().In(loc).Zone()
	return append(dst, short...)
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func appendDigits(dst []byte, n, width int) []byte {
	if width == 2 && n >= 0 && n < 100 {
		return append(dst, '0'+byte(n/10), '0'+byte(n%10))
	}
	if n < 0 {
		dst, n = append(dst, '-'), -n
	}
	var buffer [20]byte
	digits := strconv.AppendInt(buffer[:0], int64(n), 10)
	for range width - len(digits) {
		dst = append(dst, '0')
	}
	return append(dst, digits...)
}

// parsedTime gathers the fields read from a text; what is missing is that of 1970-01-01 00:00:00.
type parsedTime struct {
	year, month, day, yearDay          int
	weekYear, week, weekday            int
	hour, minute, second, half         int
	fraction                           int64
	hasYearDay, hasWeek, hasHalf, isBC bool
	zone                               int16
	hasZone                            bool
}

// parse reads text; ok is false if it does not match the pattern or names no time.
func (p timePattern) parse(s string) (t parsedTime, ok bool) {
	t = parsedTime{year: 1970, month: 1, day: 1, weekYear: 1970, week: 1, weekday: 1}
	for i, f := range p {
		switch {
		case f.kind == fieldLiteral:
			if !strings.HasPrefix(s, f.literal) {
				return t, false
			}
			s = s[len(f.literal):]
		case f.kind.numeric():
			most := f.most
			if i+1 < len(p) && p[i+1].kind.numeric() && f.width > 1 {
				most = f.width
			}
			if s, ok = t.number(f.kind, s, most); !ok {
				return t, false
			}
		case f.kind >= fieldOffset:
			end := 0
			for end < len(s) && s[end] != ' ' && s[end] != ')' && s[end] != ']' {
				end++
			}
			if t.zone, ok = sqltype.ZoneKey(s[:end]); !ok {
				return t, false
			}
			s, t.hasZone = s[end:], true
		default:
			if s, ok = t.name(f.kind, s); !ok {
				return t, false
			}
		}
	}
	return t, s == ""
}

// number reads up to most digits into the field.
func (t *parsedTime) number(kind timeFieldKind, s string, most int) (rest string, ok bool) {
	sign := 1
	if (kind == fieldYear || kind == fieldWeekYear) && strings.HasPrefix(s, "-") {
		sign, s = -1, s[1:]
	}
	n, end := 0, 0
	for end < len(s) && end < most && s[end] >= '0' && s[end] <= '9' {
		if end < 9 {
			n = n*10 + int(s[end]-'0')
		}
		end++
	}
	if end == 0 {
		return s, false
	}
	n *= sign
	low, high := 0, 59
	switch kind {
	case fieldYear:
		t.year, low, high = n, -200_000, 200_000
	case fieldYear2:
		if end != 2 {
			return s, false
		}
		t.year, high = 1970+(n+30)%100, 99
	case fieldWeekYear:
		t.weekYear, t.hasWeek, low, high = n, true, -200_000, 200_000
	case fieldMonth:
		t.month, low, high = n, 1, 12
	case fieldDay:
		t.day, low, high = n, 1, 31
	case fieldYearDay:
		t.yearDay, t.hasYearDay, low, high = n, true, 1, 366
	case fieldWeek:
		t.week, t.hasWeek, low, high = n, true, 1, 53
	case fieldWeekday:
		t.weekday, low, high = n, 1, 7
	case fieldHour:
		t.hour, high = n, 23
	case fieldHour24:
		t.hour, low, high = n%24, 1, 24
	case fieldHalf:
		t.hour, t.hasHalf, high = n, true, 11
	case fieldHalf12:
		t.hour, t.hasHalf, low, high = n%12, true, 1, 12
	case fieldMinute:
		t.minute = n
	case fieldSecond:
		t.second = n
	case fieldFraction:
		t.fraction = 0
		scale := microsPerSecond
		for _, c := range []byte(s[:end]) {
			scale /= 10
			t.fraction += int64(c-'0') * scale
		}
		high = n
	}
	return s[end:], n >= low && n <= high
}

// name reads one of a field's names, in any case.
func (t *parsedTime) name(kind timeFieldKind, s string) (rest string, ok bool) {
	read := func(lists ...[]string) (int, bool) {
		for _, list := range lists {
			for i, name := range list {
				if len(s) >= len(name) && strings.EqualFold(s[:len(name)], name) {
					rest = s[len(name):]
					return i, true
				}
			}
		}
		return 0, false
	}
	switch kind {
	case fieldEra:
		var i int
		i, ok = read(eraNames)
		t.isBC = i == 0
	case fieldMonthName, fieldMonthShort:
		t.month, ok = read(monthNames, monthShorts)
		t.month++
	case fieldWeekdayName, fieldWeekdayShort:
		t.weekday, ok = read(weekdayNames, dayShorts)
		t.weekday++
	case fieldHalfName:
		t.half, ok = read(halfNames)
	}
	return rest, ok
}

// local puts the fields together. A week wins over a day of the year, that over month and day.
func (t *parsedTime) local() (us int64, ok bool) {
	y := t.year
	if t.isBC {
		y = 1 - y
	}
	var days int
	switch {
	case t.hasWeek:
		days = weekStart(t.weekYear, t.week) + t.weekday - 1
	case t.hasYearDay:
		days = sqltype.Days(y, 1, 1) + t.yearDay - 1
		if days >= sqltype.Days(y+1, 1, 1) {
			return 0, false
		}
	default:
		if t.day > sqltype.DaysIn(y, t.month) {
			return 0, false
		}
		days = sqltype.Days(y, t.month, t.day)
	}
	h := t.hour
	if t.hasHalf {
		h += 12 * t.half
	}
	return int64(days)*microsPerDay + int64(h)*microsPerHour + int64(t.minute)*microsPerMinute + int64(t.second)*microsPerSecond + t.fraction, true
}

// resolution is how long a local time may be followed by others that print the same, in one zone at one offset.
func (p timePattern) resolution() int64 {
	shortest := microsPerDay
	for _, f := range p {
		switch f.kind {
		case fieldHour, fieldHour24, fieldHalf, fieldHalf12, fieldHalfName:
			shortest = min(shortest, microsPerHour)
		case fieldMinute:
			shortest = min(shortest, microsPerMinute)
		case fieldSecond:
			shortest = min(shortest, microsPerSecond)
		case fieldFraction, fieldZoneName: // a zone may change its name at any instant
			shortest = 1
		}
	}
	return shortest
}

// formatWith is date_format or format_datetime.
func formatWith(compile func(string) (timePattern, error)) body {
	return func(c *Call) (arrow.Array, error) {
		local, patternAt, nulls, w := localColumn(c, 0), compiled(c, 1, compile), c.nulls(), newTextRuns(c.Result, c.Len)
		var instants column[instant]
		zoned := c.Types[0].Kind == sqltype.TimestampTZ
		if zoned {
			instants = arg[instant](c, 0)
		}
		var from, to, resolution int64 // of the times that print as the last entry
		var last instant
		for i := range c.Len {
			if nulls != nil && nulls[i] {
				w.null()
				continue
			}
			p, err := patternAt(i)
			if err != nil {
				return nil, err
			}
			at, l := (*instant)(nil), local.at(i)
			if zoned {
				t := instants.at(i)
				at = &t
			}
			if resolution == 0 {
				resolution = p.resolution()
			}
			if l >= from && l < to && (!zoned || at.zone == last.zone && l-at.us == last.us) {
				if !w.again() {
					break
				}
				continue
			}
			if w.data, err = p.append(w.data, l, at); err != nil {
				return nil, err
			}
			if !w.end() {
				break
			}
			if c.constants(1) {
				from = truncate(l, resolution)
				if to = from + resolution; from > l || to < from { // beyond the range of 64 bits
					to = from
				}
				if zoned {
					last = instant{l - at.us, at.zone}
				}
			}
		}
		return w.array()
	}
}

func parseMySQL(c *Call) (arrow.Array, error) {
	read := timesIn(c, mysqlPattern)
	return eachRow(c, func(i int) (int64, error) {
		t, err := read(i)
		return truncate(t.us, microsPerMilli), err
	})
}

// parseLocal reads argument 0 in the format that is argument 1.
func parseLocal(c *Call, compile func(string) (timePattern, error)) func(row int) (int64, error) {
	read := timesIn(c, compile)
	return func(i int) (int64, error) {
		t, err := read(i)
		return t.us, err
	}
}

// localTime is a time that was read: on a clock, whose zone is known or not.
type localTime struct {
	us      int64
	zone    int16
	hasZone bool
}

// timesIn reads argument 0 in the format that is argument 1; neighbours that are equal are read once.
func timesIn(c *Call, compile func(string) (timePattern, error)) func(row int) (localTime, error) {
	text, patternAt, formats := textArg(c, 0), compiled(c, 1, compile), arg[string](c, 1)
	var stamps vec.Stamps
	var last string
	var t localTime // of last
	var form isoForm
	ready := false // form is that of the only pattern
	return func(i int) (localTime, error) {
		s := text.at(i)
		if ready && s == last && last != "" {
			return t, nil
		}
		p, err := patternAt(i)
		if err != nil {
			return localTime{}, err
		}
		if !ready && c.constants(1) {
			form, ready = p.iso(), true
		}
		if ready && form.width > 0 && len(s) > form.width+len(form.rest)-1 && s[form.width:] == form.rest {
			if us, ok := form.read(&stamps, s[:form.width]); ok {
				last, t = s, localTime{us: us}
				return t, nil
			}
		}
		parsed, ok := p.parse(s)
		us, exists := parsed.local()
		if !ok || !exists {
			last = ""
			return localTime{}, noTime(s, formats.at(i))
		}
		last, t = s, localTime{us, parsed.zone, parsed.hasZone}
		return t, nil
	}
}

// isoForm says that a pattern reads a time as Stamps does, or a day, and text behind it.
type isoForm struct {
	width int // of the time, or the day; 0: the pattern is another
	rest  string
	blank byte // what stands between day and time
}

func (f *isoForm) read(stamps *vec.Stamps, s string) (us int64, ok bool) {
	if f.width == 10 {
		days, ok := stamps.Day(s)
		return int64(days) * microsPerDay, ok
	}
	if s[10] != f.blank {
		return 0, false
	}
	return stamps.Second(s)
}

func (p timePattern) iso() isoForm {
	like := func(want timePattern) bool {
		if len(p) < len(want) {
			return false
		}
		for i, w := range want {
			if f := p[i]; f.kind != w.kind || f.literal != w.literal || f.width != w.width {
				return false
			}
		}
		return true
	}
	rest := func(width, fields int, blank byte) isoForm {
		switch {
		case len(p) == fields:
			return isoForm{width, "", blank}
		case len(p) == fields+1 && p[fields].kind == fieldLiteral:
			return isoForm{width, p[fields].literal, blank}
		}
		return isoForm{}
	}
	day := timePattern{{kind: fieldYear, width: 4}, {literal: "-"}, {kind: fieldMonth, width: 2}, {literal: "-"}, {kind: fieldDay, width: 2}}
	for _, blank := range []byte{'T', ' '} {
		second := append(day[:len(day):len(day)], timeField{literal: string(blank)}, timeField{kind: fieldHour, width: 2}, timeField{literal: ":"},
			timeField{kind: fieldMinute, width: 2}, timeField{literal: ":"}, timeField{kind: fieldSecond, width: 2})
		if like(second) {
			return rest(19, len(second), blank)
		}
	}
	if like(day) {
		return rest(10, len(day), 0)
	}
	return isoForm{}
}

func parseJoda(c *Call) (arrow.Array, error) {
	read, session := timesIn(c, jodaPattern), sessionZone(c)
	var zones locations
	return eachRow(c, func(i int) (instant, error) {
		t, err := read(i)
		if err != nil {
			return instant{}, err
		}
		zone := session
		if t.hasZone {
			zone = t.zone
		}
		return instant{truncate(sqltype.InstantMicros(t.us, zones.of(zone)), microsPerMilli), zone}, nil
	})
}

func noTime(text, format string) error {
	return valueError("%s is not a time in the format %s", shown(text), shown(format))
}
