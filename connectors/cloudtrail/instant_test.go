package cloudtrail

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseInstant(t *testing.T) {
	for text, want := range map[string]string{ // RFC 3339 with microseconds; empty: no time
		"2024-01-02T03:04:05Z":           "2024-01-02T03:04:05Z",
		"2024-01-02T03:04:05":            "2024-01-02T03:04:05Z",
		"2024-01-02 03:04:05.250":        "2024-01-02T03:04:05.25Z",
		"2024-01-02T03:04:05.1234569Z":   "2024-01-02T03:04:05.123456Z",
		"2024-01-02T03:04:05,5+01:30":    "2024-01-02T01:34:05.5Z",
		"2024-01-02T03:04:05-0800":       "2024-01-02T11:04:05Z",
		"2024-01-02T03:04:05+02":         "2024-01-02T01:04:05Z",
		"2000-02-29T00:00:00Z":           "2000-02-29T00:00:00Z",
		"0001-01-01T00:00:00Z":           "0001-01-01T00:00:00Z",
		"9999-12-31T23:59:59.999999Z":    "9999-12-31T23:59:59.999999Z",
		"0000-12-31T23:59:59.999999Z":    "", // no year 0 in SQL, Delta's dates begin in year 1
		"0000-12-31T23:00:00-01:00":      "0001-01-01T00:00:00Z",
		"0001-01-01T00:59:59+01:00":      "",
		"9999-12-31T23:00:00-01:00":      "", // the year 10000 of UTC
		"1900-02-29T00:00:00Z":           "",
		"2024-04-31T00:00:00Z":           "",
		"2024-13-01T00:00:00Z":           "",
		"2024-00-01T00:00:00Z":           "",
		"2024-01-00T00:00:00Z":           "",
		"2024-01-01T24:00:00Z":           "",
		"2024-01-01T00:60:00Z":           "",
		"2024-01-01T00:00:60Z":           "",
		"2024-01-01T00:00:00z":           "",
		"2024-01-01T00:00:00.Z":          "",
		"2024-01-01T00:00:00+1":          "",
		"2024-01-01T00:00:00+24:00":      "",
		"2024-01-01T00:00:00 Z":          "",
		"2024-01-01T00:00Z":              "",
		"2024-01-01":                     "",
		"20240101T000000Z":               "",
		"+024-01-01T00:00:00Z":           "",
		"2024-01-01T00:00:0xZ":           "",
		"":                               "",
		"Tue, 02 Jan 2024 03:04:05 GMT ": "",
	} {
		micros, ok := parseInstant([]byte(text))
		got := ""
		if ok {
			got = time.UnixMicro(micros).UTC().Format(time.RFC3339Nano)
		}
		if got != want {
			t.Errorf("%q: %q; want %q", text, got, want)
		}
	}
}

// The standard library agrees on every time, and on the day of it.
func TestInstantAgrees(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		at := time.UnixMicro(rapid.Int64Range(-62_135_596_800_000_000, 253_402_300_799_999_999).Draw(rt, "micros"))
		at = at.In(time.FixedZone("", 60*rapid.IntRange(-14*60, 14*60).Draw(rt, "offset")))
		if y := at.Year(); y < 0 || y > 9999 {
			rt.Skip("no such year in the format")
		}
		micros, ok := parseInstant([]byte(at.Format("2006-01-02T15:04:05.999999Z07:00")))
		if !ok || micros != at.UnixMicro() {
			rt.Fatalf("%v: %d, %v", at, micros, ok)
		}
		if day := at.UTC().Truncate(24*time.Hour).Unix() / 86400; int64(dayOf(micros)) != day {
			rt.Fatalf("%v: day %d; want %d", at, dayOf(micros), day)
		}
	})
}
