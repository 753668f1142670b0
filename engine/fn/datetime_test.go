package fn

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/trailql/trailql/engine/sqltype"
)

// From Trino's "Date and time functions and operators".
func TestDates(t *testing.T) {
	s, n := varchar, bigint
	ts := func(text string) value { return timestamp(t, text) }
	d := func(text string) value { return date(t, text) }
	tz := func(text string) value { return instantOf(t, text) }
	check(t, []want{
		{"now", nil, "2024-01-31 10:20:30.456 UTC", ""},
		{"current_date", nil, "2024-01-31", ""},
		{"localtimestamp", nil, "2024-01-31 10:20:30.456", ""},
		{"current_time", nil, "10:20:30.456+00:00", ""}, {"localtime", nil, "10:20:30.456", ""},
		{"current_timezone", nil, "UTC", ""},
		{"date", []value{s("2024-01-31")}, "2024-01-31", ""},
		{"date", []value{s("31.1.2024")}, "", "is not a date"},
		{"date", []value{tz("2024-01-31 23:30:00 America/New_York")}, "2024-01-31", ""},
		{"from_iso8601_timestamp", []value{s("2024-01-31T10:00:00Z")}, "2024-01-31 10:00:00.000 UTC", ""},
		{"from_iso8601_timestamp", []value{s("2024-01-31T10:00:00.123456+05:30")}, "2024-01-31 10:00:00.123 +05:30", ""},
		{"from_iso8601_timestamp", []value{s("2024-01-31T10:20")}, "2024-01-31 10:20:00.000 UTC", ""},
		{"from_iso8601_timestamp", []value{s("2024")}, "2024-01-01 00:00:00.000 UTC", ""},
		{"from_iso8601_timestamp", []value{s("2024-02-30T00:00:00Z")}, "", "is not an ISO 8601 time"},
		{"from_iso8601_timestamp", []value{s("2024-01-31 10:00:00")}, "", "is not an ISO 8601 time"},
		{"from_iso8601_timestamp", []value{s("2024-01-31T25:00:00Z")}, "", "is not an ISO 8601 time"},
		{"from_iso8601_timestamp", []value{s("2024-01-31T10:00:00Zx")}, "", "is not an ISO 8601 time"},
		{"from_iso8601_timestamp", []value{s("")}, "", "is not an ISO 8601 time"},
		{"from_iso8601_timestamp", []value{nullOf(sqltype.VarcharType)}, "NULL", ""},
		{"from_iso8601_timestamp_nanos", []value{s("2024-01-31T10:00:00.123456789Z")}, "2024-01-31 10:00:00.123456 UTC", ""},
		{"from_iso8601_date", []value{s("2020-W01-1")}, "2019-12-30", ""},
		{"from_iso8601_date", []value{s("2020-123")}, "2020-05-02", ""},
		{"from_iso8601_date", []value{s("2023-366")}, "", "is not an ISO 8601 date"},
		{"to_iso8601", []value{tz("2024-01-31 10:00:00 Europe/Berlin")}, "2024-01-31T10:00:00.000+01:00", ""},
		{"to_iso8601", []value{tz("2024-01-31 10:00:00 UTC")}, "2024-01-31T10:00:00.000Z", ""},
		{"to_iso8601", []value{ts("2024-01-31 10:00:00")}, "2024-01-31T10:00:00.000", ""},
		{"to_iso8601", []value{d("2024-01-31")}, "2024-01-31", ""},
		{"from_unixtime", []value{n(1706696400)}, "2024-01-31 10:20:00.000 UTC", ""},
		{"from_unixtime", []value{double(-0.5)}, "1969-12-31 23:59:59.500 UTC", ""},
		{"from_unixtime", []value{n(0), n(-3), n(-30)}, "1969-12-31 20:30:00.000 -03:30", ""},
		{"from_unixtime", []value{n(0), s("Mars/Phobos")}, "", "no time zone 'Mars/Phobos'"},
		{"from_unixtime", []value{double(1e300)}, "", "out of range"},
		{"to_unixtime", []value{tz("2024-01-31 10:20:00 UTC")}, "1.7066964E9", ""},
		{"date_trunc", []value{s("second"), ts("2001-08-22 03:04:05.321")}, "2001-08-22 03:04:05.000", ""},
		{"date_trunc", []value{s("HOUR"), ts("2001-08-22 03:04:05.321")}, "2001-08-22 03:00:00.000", ""},
		{"date_trunc", []value{s("week"), ts("2001-08-22 03:04:05.321")}, "2001-08-20 00:00:00.000", ""},
		{"date_trunc", []value{s("quarter"), ts("2001-08-22 03:04:05.321")}, "2001-07-01 00:00:00.000", ""},
		{"date_trunc", []value{s("year"), d("2001-08-22")}, "2001-01-01", ""},
		{"date_trunc", []value{s("day"), ts("1969-12-31 12:00:00")}, "1969-12-31 00:00:00.000", ""},
		{"date_trunc", []value{s("day"), tz("2024-03-31 12:00:00 Europe/Berlin")}, "2024-03-31 00:00:00.000 Europe/Berlin", ""},
		{"date_trunc", []value{s("hour"), tz("2024-01-31 10:20:00 +05:30")}, "2024-01-31 10:00:00.000 +05:30", ""},
		{"date_trunc", []value{s("hour"), d("2001-08-22")}, "", "not a unit of a date"},
		{"date_trunc", []value{s("eon"), ts("2001-08-22 00:00:00")}, "", "not a unit of time"},
		{"date_add", []value{s("second"), n(86), ts("2020-03-01 00:00:00")}, "2020-03-01 00:01:26.000", ""},
		{"date_add", []value{s("day"), n(-1), ts("2020-03-01 00:00:00")}, "2020-02-29 00:00:00.000", ""},
		{"date_add", []value{s("quarter"), n(1), d("2023-11-30")}, "2024-02-29", ""},
		{"date_add", []value{s("day"), n(1 << 62), d("2023-11-30")}, "", "out of range"},
		{"date_add", []value{s("day"), n(1), tz("2024-03-30 12:00:00 Europe/Berlin")}, "2024-03-31 12:00:00.000 Europe/Berlin", ""},
		{"date_add", []value{s("hour"), n(24), tz("2024-03-30 12:00:00 Europe/Berlin")}, "2024-03-31 13:00:00.000 Europe/Berlin", ""},
		{"date_diff", []value{s("second"), ts("2020-03-01 00:00:00"), ts("2020-03-02 00:00:00")}, "86400", ""},
		{"date_diff", []value{s("day"), ts("2020-03-01 23:00:00"), ts("2020-03-02 01:00:00")}, "0", ""},
		{"date_diff", []value{s("month"), d("2020-01-31"), d("2020-02-29")}, "1", ""}, // as Joda counts, which Trino uses
		{"date_diff", []value{s("month"), d("2020-01-31"), d("2020-02-28")}, "0", ""},
		{"date_diff", []value{s("month"), d("2020-02-29"), d("2020-01-31")}, "-1", ""},
		{"date_diff", []value{s("year"), d("2020-03-01"), d("2023-02-28")}, "2", ""},
		{"date_diff", []value{s("week"), d("2020-01-14"), d("2020-01-01")}, "-1", ""},
		{"date_format", []value{ts("2022-10-20 05:10:00"), s("%m-%d-%Y %H")}, "10-20-2022 05", ""},
		{"date_format", []value{ts("2022-10-20 15:04:05.678"), s("%a %b %c %e %f %h %I %i %j %k %l %M %p %r %s %T %v %W %x %y %%")},
			"Thu Oct 10 20 678000 03 03 04 293 15 3 October PM 03:04:05 PM 05 15:04:05 42 Thursday 2022 22 %", ""},
		{"date_format", []value{ts("2022-10-20 00:00:00"), s("%U")}, "", "%U is not supported"},
		{"date_parse", []value{s("2022/10/20/05"), s("%Y/%m/%d/%H")}, "2022-10-20 05:00:00.000", ""},
		{"date_parse", []value{s("9 oct 70 12:01:02 am"), s("%e %b %y %r")}, "1970-10-09 00:01:02.000", ""},
		{"date_parse", []value{s("2024-060"), s("%Y-%j")}, "2024-02-29 00:00:00.000", ""},
		{"date_parse", []value{s("2024-02-30"), s("%Y-%m-%d")}, "", "is not a time in the format"},
		{"date_parse", []value{s("2024-02-01x"), s("%Y-%m-%d")}, "", "is not a time in the format"},
		{"date_parse", []value{s("2024-13-01"), s("%Y-%m-%d")}, "", "is not a time in the format"},
		{"parse_datetime", []value{s("2024-01-31T10:20:30Z"), s("yyyy-MM-dd'T'HH:mm:ss'Z'")}, "2024-01-31 10:20:30.000 UTC", ""},
		{"parse_datetime", []value{s("20240131 1020 +0530"), s("yyyyMMdd HHmm Z")}, "2024-01-31 10:20:00.000 +05:30", ""},
		{"parse_datetime", []value{s("31 January 2024 Europe/Berlin"), s("d MMMM yyyy ZZZ")}, "2024-01-31 00:00:00.000 Europe/Berlin", ""},
		{"parse_datetime", []value{s("2024"), s("yyyy 'x")}, "", "has no end"},
		{"parse_datetime", []value{s("2024"), s("yyyyT")}, "", "means nothing"},
		{"format_datetime", []value{tz("2024-01-31 15:04:05.678 +02:00"), s("yyyy/M/d 'at' h a ss SSS EEEE EEE e D ww xxxx Z ZZ ''")},
			"2024/1/31 at 3 PM 05 678 Wednesday Wed 3 31 05 2024 +0200 +02:00 '", ""},
		{"format_datetime", []value{ts("2024-01-31 00:00:00"), s("Z")}, "", "no zone"},
		{"parse_duration", []value{s("42.8ms")}, "0 00:00:00.043", ""},
		{"parse_duration", []value{s("3.81 d")}, "3 19:26:24.000", ""},
		{"parse_duration", []value{s("x")}, "", "is not a duration"},
		{"human_readable_seconds", []value{double(96)}, "1 minute, 36 seconds", ""},
		{"human_readable_seconds", []value{double(56363463)}, "93 weeks, 1 day, 8 hours, 31 minutes, 3 seconds", ""},
		{"human_readable_seconds", []value{double(0)}, "0 seconds", ""},
		{"last_day_of_month", []value{d("2023-02-05")}, "2023-02-28", ""},
		{"at_timezone", []value{tz("2024-07-01 10:00:00 UTC"), s("America/New_York")}, "2024-07-01 06:00:00.000 America/New_York", ""},
		{"with_timezone", []value{ts("2024-07-01 10:00:00"), s("America/New_York")}, "2024-07-01 10:00:00.000 America/New_York", ""},
		{"timezone", []value{tz("2024-07-01 10:00:00 +02:00")}, "+02:00", ""},
		{"timezone_minute", []value{tz("2024-07-01 10:00:00 +05:30")}, "30", ""},
		{"year", []value{months(26)}, "2", ""},
		{"quarter", []value{d("2024-12-31")}, "4", ""},
		{"week", []value{d("2021-01-03")}, "53", ""},
		{"yow", []value{d("2021-01-03")}, "2020", ""},
		{"dow", []value{d("2021-01-03")}, "7", ""},
		{"doy", []value{d("2020-12-31")}, "366", ""},
		{"hour", []value{tz("2024-07-01 10:00:00 +05:30")}, "10", ""},
		{"hour", []value{ts("1969-12-31 23:59:59.999")}, "23", ""},
		{"millisecond", []value{ts("1969-12-31 23:59:59.999")}, "999", ""},
		{"hour", []value{days(1)}, "0", ""},
	})
}

// The calendar agrees with the standard library's.
func TestCalendar(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		us := rapid.Int64Range(-60_000_000_000_000_000, 60_000_000_000_000_000).Draw(t, "us")
		want := time.UnixMicro(us).UTC()
		y, m, d := civil(us)
		wy, ww := isoWeek(us)
		iy, iw := want.ISOWeek()
		if y != want.Year() || m != int(want.Month()) || d != want.Day() || wy != iy || ww != iw ||
			weekday(us) != int64((want.Weekday()+6)%7)+1 || yearDay(us) != int64(want.YearDay()) {
			t.Fatalf("%v: got %d-%d-%d, week %d of %d, weekday %d, day %d of the year", want, y, m, d, ww, wy, weekday(us), yearDay(us))
		}
		n := rapid.Int32Range(-5000, 5000).Draw(t, "months")
		moved, err := addMonths(us, n)
		if err != nil {
			t.Fatal(err)
		}
		if back := diffLocal(us, moved, month); back != int64(n) {
			t.Fatalf("%v moved by %d months is %d months away", want, n, back)
		}
	})
}

// What a pattern prints, it reads.
func TestTimePatterns(t *testing.T) {
	for _, format := range []string{"yyyy-MM-dd HH:mm:ss.SSS", "EEE, d MMM yyyy hh:mm:ss.SSS a", "yyyyMMddHHmmssSSS", "xxxx'W'ww e k:m:s.SSS", "yyyy D H m s SSS"} {
		p, err := jodaPattern(format)
		if err != nil {
			t.Fatal(err)
		}
		rapid.Check(t, func(t *rapid.T) {
			us := rapid.Int64Range(-30_000_000_000_000, 200_000_000_000_000).Draw(t, "ms") * 1000
			text, err := p.append(nil, us, nil)
			if err != nil {
				t.Fatal(err)
			}
			parsed, ok := p.parse(string(text))
			if got, exists := parsed.local(); !ok || !exists || got != us {
				t.Fatalf("%s: %d printed %q, read as %d", format, us, text, got)
			}
		})
	}
}

func FuzzTimePattern(f *testing.F) {
	f.Add("yyyy-MM-dd'T'HH:mm:ss", "%Y-%m-%d %r", "2024-01-31T10:20:30")
	f.Fuzz(func(t *testing.T, joda, mysql, text string) {
		for _, compile := range []func(string) (timePattern, error){jodaPattern, mysqlPattern} {
			for _, format := range []string{joda, mysql} {
				p, err := compile(format)
				if err != nil {
					continue
				}
				parsed, _ := p.parse(text)
				parsed.local()
				_, _ = p.append(nil, 1706696400_000_000, &instant{1706696400_000_000, 0})
			}
		}
		_, _ = fromISODate(text)
		_, _ = parseDuration(text)
	})
}
