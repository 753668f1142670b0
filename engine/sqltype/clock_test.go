package sqltype

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestDaysAgreeWithTime(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		days := rapid.IntRange(-3_000_000, 3_000_000).Draw(rt, "days")
		want := time.Unix(0, 0).UTC().AddDate(0, 0, days)
		year, month, day := Civil(days)
		if year != want.Year() || month != int(want.Month()) || day != want.Day() {
			rt.Fatalf("day %d is %d-%d-%d, want %s", days, year, month, day, want)
		}
		if Days(year, month, day) != days {
			rt.Fatalf("%d-%d-%d is day %d, want %d", year, month, day, Days(year, month, day), days)
		}
	})
}

func TestParseTimes(t *testing.T) {
	for _, test := range []struct{ text, want string }{ // want "" : no timestamp
		{"2024-01-31", "2024-01-31 00:00:00.000000"},
		{"2024-1-3 4:5", "2024-01-03 04:05:00.000000"},
		{" 2024-01-31 10:00:00.123 ", "2024-01-31 10:00:00.123000"},
		{"2024-01-31T10:00:00.1234567", "2024-01-31 10:00:00.123457"},
		{"1969-12-31 23:59:59.9999999", "1970-01-01 00:00:00.000000"},
		{"0001-01-01 00:00:00", "0001-01-01 00:00:00.000000"},
		{"+12024-01-01", "+12024-01-01 00:00:00.000000"},
		{"-0044-03-15", "-0044-03-15 00:00:00.000000"},
		{"2024-02-30", ""}, {"2023-02-29", ""}, {"2024-13-01", ""}, {"2024-01-00", ""}, {"24-01-01", ""},
		{"2024-01-31 24:00", ""}, {"2024-01-31 10", ""}, {"2024-01-31 10:00:60", ""}, {"2024-01-31 10:00:00.", ""},
		{"2024-01-31 10:00:00 UTC", ""}, {"2024-01-31T10:00:00Z", ""}, {"2024-01-31 ", "2024-01-31 00:00:00.000000"},
		{"2024-01-31x", ""}, {"", ""}, {"9999999-01-01", ""}, {"300000-01-01", ""},
	} {
		got, ok := ParseTimestamp(test.text)
		if ok != (test.want != "") || ok && string(AppendTimestamp(nil, got, 6)) != test.want {
			t.Errorf("ParseTimestamp(%q) is %s %t, want %q", test.text, AppendTimestamp(nil, got, 6), ok, test.want)
		}
	}
	if d, ok := ParseDate(" 2024-2-29 "); !ok || string(AppendDate(nil, int(d))) != "2024-02-29" {
		t.Errorf("ParseDate is %d %t", d, ok)
	}
	if _, ok := ParseDate("2024-02-29 00:00"); ok {
		t.Error("a date has no time")
	}
	if m, ok := ParseTime("1:02:03.45"); !ok || string(AppendTime(nil, m, 3)) != "01:02:03.450" {
		t.Errorf("ParseTime is %d %t", m, ok)
	}
}

func TestParseTimestampTZ(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ text, want string }{
		{"2024-01-31T10:00:00Z", "2024-01-31 10:00:00.000 UTC"},
		{"2024-01-31 10:00:00.000 UTC", "2024-01-31 10:00:00.000 UTC"},
		{"2024-01-31 10:00 America/New_York", "2024-01-31 10:00:00.000 America/New_York"},
		{"2024-01-31 10:00:00+02:00", "2024-01-31 10:00:00.000 +02:00"},
		{"2024-01-31 10:00:00 -0830", "2024-01-31 10:00:00.000 -08:30"},
		{"2024-01-31 10:00:00 +00:00", "2024-01-31 10:00:00.000 UTC"},
		{"2024-01-31 Z", "2024-01-31 00:00:00.000 UTC"},
		{"2024-07-31 10:00:00", "2024-07-31 10:00:00.000 Europe/Berlin"},
		{"2024-03-31 02:30:00", "2024-03-31 03:30:00.000 Europe/Berlin"}, // in the gap: moved by its length
		{"2024-01-31 10:00:00 Nowhere", ""}, {"2024-01-31 10:00:00 +25:00", ""}, {"2024-01-31 10:00:00 Local", ""},
		{"2024-01-31 10:00:00 ../../etc/passwd", ""}, {"x UTC", ""},
	} {
		instant, key, ok := ParseTimestampTZ(test.text, berlin)
		if got := string(AppendTimestampTZ(nil, instant, key, 3)); ok != (test.want != "") || ok && got != test.want {
			t.Errorf("ParseTimestampTZ(%q) is %s %t, want %q", test.text, got, ok, test.want)
		}
	}
	// 02:30 happens twice; the earlier, in summer time, is taken
	instant, _, _ := ParseTimestampTZ("2024-10-27 02:30:00", berlin)
	if want := time.Date(2024, 10, 27, 0, 30, 0, 0, time.UTC).UnixMicro(); instant != want {
		t.Errorf("2024-10-27 02:30 in Berlin is %d, want %d", instant, want)
	}
}

func TestInstantAndLocalAreInverse(t *testing.T) {
	zones := []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "+05:45"}
	rapid.Check(t, func(rt *rapid.T) {
		key, ok := ZoneKey(rapid.SampledFrom(zones).Draw(rt, "zone"))
		if !ok {
			rt.Fatal("no such zone")
		}
		_, loc := Zone(key)
		instant := rapid.Int64Range(-4e15, 4e15).Draw(rt, "instant")
		local := LocalMicros(instant, loc)
		if back := InstantMicros(local, loc); LocalMicros(back, loc) != local || back > instant {
			rt.Fatalf("%d in %s is %d there, which is %d", instant, loc, local, back)
		}
	})
}

func TestRoundMicros(t *testing.T) {
	for _, test := range []struct {
		in        int64
		precision int
		want      int64
	}{{1499, 3, 1000}, {1500, 3, 2000}, {-1500, 3, -1000}, {-1501, 3, -2000}, {1_500_000, 0, 2_000_000}, {123, 6, 123}} {
		if got := RoundMicros(test.in, test.precision); got != test.want {
			t.Errorf("RoundMicros(%d, %d) is %d, want %d", test.in, test.precision, got, test.want)
		}
	}
}

func TestIntervals(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{string(AppendIntervalDay(nil, 2*86_400_000)), "2 00:00:00.000"},
		{string(AppendIntervalDay(nil, -1)), "-0 00:00:00.001"},
		{string(AppendIntervalYear(nil, 14)), "1-2"},
		{string(AppendIntervalYear(nil, -14)), "-1-2"},
	} {
		if test.got != test.want {
			t.Errorf("%q, want %q", test.got, test.want)
		}
	}
}

func TestZoneKeys(t *testing.T) {
	for _, name := range []string{"UTC", "Europe/Berlin", "+02:00", "-08:00"} {
		key, ok := ZoneKey(name)
		again, _ := ZoneKey(name)
		got, loc := Zone(key)
		if !ok || key != again || got != name || loc == nil {
			t.Errorf("%s: key %d, again %d, name %q", name, key, again, got)
		}
	}
	if name, loc := Zone(-7); name != "UTC" || loc != time.UTC {
		t.Errorf("an unknown key is %s", name)
	}
}

func FuzzParseTimestampTZ(f *testing.F) {
	f.Add("2024-01-31T10:00:00.123Z")
	f.Add("-0044-03-15 1:2 Europe/Rome")
	f.Add("294247-01-10 04:00:54.775807 +14:00")
	f.Fuzz(func(t *testing.T, text string) {
		ParseTime(text)
		ParseDate(text)
		if m, ok := ParseTimestamp(text); ok {
			again, ok := ParseTimestamp(string(AppendTimestamp(nil, m, 6)))
			if !ok || again != m {
				t.Fatalf("%q is %d, printed and read again %d %t", text, m, again, ok)
			}
		}
		ParseTimestampTZ(text, time.UTC)
	})
}
