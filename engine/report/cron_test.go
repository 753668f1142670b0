package report

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the tests need the rules of 2026, wherever they run

	"pgregory.net/rapid"
)

func zoneOf(t testing.TB, name string) *time.Location {
	t.Helper()
	zone, err := parseZone(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// What a person may write wrong, and that the answer names the field and shows how it is written.
func TestCronTextsThatAreRefused(t *testing.T) {
	for text, says := range map[string]string{
		"":                             "0 of the five fields",
		"0 6 1 *":                      "4 of the five fields",
		"0 0 6 1 * *":                  "6 of the five fields", // with seconds
		"60 * * * *":                   `the minute is "60"; it takes 0 to 59`,
		"0 24 * * *":                   `the hour is "24"; it takes 0 to 23`,
		"0 0 0 * *":                    `the day of month is "0"; it takes 1 to 31`,
		"0 0 1 13 *":                   `the month is "13"`,
		"0 0 1 foo *":                  `the month is "foo"`,
		"0 0 * * 7":                    `the day of week is "7"; it takes 0 to 6 or sun to sat, 0 being Sunday`,
		"0 0 L * *":                    `the day of month is "L"`,
		"0 0 5-1 * *":                  `the day of month is "5-1"`,
		"*/0 * * * *":                  `the minute is "*/0"`,
		"1,,2 * * * *":                 `the minute is "1,,2"`, // the parser leaves out what is empty
		", * * * *":                    `the minute is ","`,    // never, to the parser
		"*-5 * * * *":                  `the minute is "*-5"`,  // any, to the parser
		"+1 * * * *":                   `the minute is "+1"`,
		"1-2-3 * * * *":                `the minute is "1-2-3"`,
		"99999999999999999999 0 * * *": `the minute is`,
		"@fortnightly":                 "@fortnightly",
		"@every 1h":                    "a distance and no time of the calendar",
		"@every":                       "a distance and no time of the calendar",
		"TZ=UTC":                       "names a time zone", // the parser panics
		"CRON_TZ=UTC 0 0 * * *":        "names a time zone",
		"0 0 30 2 *":                   "a date that never comes",
		"0 0 31 2,4,6,9,11 *":          "a date that never comes",
	} {
		_, err := parseCron(text)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v; want %q in it", text, err, says)
		}
		if err != nil && !strings.Contains(text, "TZ=") && !strings.Contains(says, "never") && !strings.Contains(err.Error(), `such as "0 6 1 * *"`) {
			t.Errorf("%q: %v; it shows no example", text, err)
		}
	}
	for _, text := range []string{"0 6 1 * *", " 0  6\t1 * * ", "*/5 0-6,8 ? jan-MAR mon,fri", "0 0 29 2 *", "@daily", "@monthly", "5/10 * * * *"} {
		if _, err := parseCron(text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, name := range []string{"", "Local", "Mars/Olympus", "../etc/passwd", "/etc/localtime", "Europe", "Europe/Berlin\x00"} {
		if _, err := parseZone(name); err == nil || !strings.Contains(err.Error(), "Europe/Berlin") {
			t.Errorf("the zone %q: %v", name, err)
		}
	}
}

func FuzzParseCron(f *testing.F) {
	for _, s := range []string{"0 6 1 * *", "@daily", "TZ=", "CRON_TZ=a b", "*/7 1-3 ? jan mon", "\x00", "@every 1s", "0/99999999999 * * * *"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		times, err := parseCron(text)
		if (times == nil) == (err == nil) {
			t.Fatalf("%q: %v, %v", text, times, err)
		}
		if err == nil && times.Next(time.Unix(0, 0).UTC()).IsZero() {
			t.Fatalf("%q never comes", text)
		}
	})
}

// The rule, put another way and looked for minute by minute: the first instant at which the clocks show the wall time or a later one.
func TestFirstAtIsTheFirstInstantThatShowsIt(t *testing.T) {
	changes := map[string]time.Time{ // near a change of the clocks
		"Europe/Berlin":       time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC),
		"America/New_York":    time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC),
		"Australia/Lord_Howe": time.Date(2026, 4, 5, 0, 0, 0, 0, time.UTC),  // by half an hour
		"America/Sao_Paulo":   time.Date(2018, 11, 4, 0, 0, 0, 0, time.UTC), // at midnight
		"America/Nuuk":        time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC), // over midnight
		"Pacific/Apia":        time.Date(2011, 12, 30, 0, 0, 0, 0, time.UTC),
		"America/Juneau":      time.Date(1867, 10, 18, 0, 0, 0, 0, time.UTC), // a day twice
		"Asia/Kathmandu":      time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),   // none, at 5:45
	}
	for name, around := range changes {
		zone := zoneOf(t, name)
		t.Run(name, func(t *testing.T) {
			at := around.Add(-72 * time.Hour).In(zone) // walks on, as firstAt never goes back
			for wall := around.Add(-48 * time.Hour); wall.Before(around.Add(48 * time.Hour)); wall = wall.Add(time.Minute) {
				for wallAt(at, zone).Before(wall) {
					at = at.Add(time.Second * time.Duration(60-wallAt(at, zone).Second()))
				}
				if got := firstAt(wall, zone); !got.Equal(at) {
					t.Fatalf("clocks show %s at %s; firstAt says %s", wall.Format(time.DateTime), at, got)
				}
			}
		})
	}
}

// Whatever the zone and the day, a later wall time is no earlier instant, and the instant shows the wall time unless clocks jumped over it.
func TestFirstAtKeepsTheOrder(t *testing.T) {
	zones := []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Beirut", "America/Sao_Paulo", "Africa/Casablanca", "Pacific/Apia", "America/Nuuk"}
	rapid.Check(t, func(t *rapid.T) {
		zone, err := parseZone(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		wall := time.Unix(rapid.Int64Range(-2e9, 4e9).Draw(t, "wall"), 0).UTC()
		later := wall.Add(time.Duration(rapid.Int64Range(0, 100_000).Draw(t, "later")) * time.Second)
		a, b := firstAt(wall, zone), firstAt(later, zone)
		if b.Before(a) {
			t.Fatalf("%s is at %s, %s at %s", wall, a, later, b)
		}
		if shown := wallAt(a, zone); !shown.Equal(wall) {
			if before := wallAt(a.Add(-time.Nanosecond), zone); !before.Before(wall) || shown.Before(wall) {
				t.Fatalf("%s is at %s, where clocks go from %s to %s", wall, a, before, shown)
			}
		}
	})
}
