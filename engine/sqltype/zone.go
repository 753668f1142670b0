package sqltype

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // the one binary must know the zones wherever it runs
)

// UTCKey is the zone key of UTC.
const UTCKey int16 = 0

type zone struct {
	name string
	loc  *time.Location
}

// zones numbers the zones in the order of their first use. Their number is bounded: names must be in the zone
// database, offsets are whole minutes.
var zones = struct {
	sync.RWMutex
	keys map[string]int16
	list []zone
}{
	keys: map[string]int16{"UTC": UTCKey, "utc": UTCKey, "UT": UTCKey, "GMT": UTCKey, "Z": UTCKey, "z": UTCKey, "Etc/UTC": UTCKey},
	list: []zone{{"UTC", time.UTC}},
}

// ZoneKey returns the key of a zone: "UTC", a name of the IANA database ("Europe/Berlin"), or an offset ("+02:00",
// "-0800", "+1"). Keys are stable within a process only. ok is false if there is no such zone.
func ZoneKey(name string) (key int16, ok bool) {
	zones.RLock()
	key, ok = zones.keys[name]
	zones.RUnlock()
	if ok {
		return key, true
	}
	z, ok := findZone(name)
	if !ok {
		return 0, false
	}
	zones.Lock()
	defer zones.Unlock()
	if key, ok = zones.keys[z.name]; ok {
		return key, true
	}
	if len(zones.list) > 1<<15-1 {
		return 0, false
	}
	key = int16(len(zones.list))
	zones.list = append(zones.list, z)
	zones.keys[z.name] = key
	return key, true
}

// OffsetKey returns the key of the offset, in whole minutes, that a zone has at an instant.
func OffsetKey(instant int64, loc *time.Location) int16 {
	key, _ := ZoneKey(offsetName(int((LocalMicros(instant, loc) - instant) / MicrosPerSecond / 60)))
	return key
}

// Zone returns the name and the location of a key that ZoneKey gave; any other key is UTC.
func Zone(key int16) (name string, loc *time.Location) {
	zones.RLock()
	defer zones.RUnlock()
	if key < 0 || int(key) >= len(zones.list) {
		key = UTCKey
	}
	z := zones.list[key]
	return z.name, z.loc
}

func findZone(name string) (zone, bool) {
	if name == "" || len(name) > 64 {
		return zone{}, false
	}
	if name[0] == '+' || name[0] == '-' {
		minutes, ok := parseOffset(name)
		if !ok {
			return zone{}, false
		}
		if minutes == 0 {
			return zone{"UTC", time.UTC}, true
		}
		return zone{offsetName(minutes), time.FixedZone(offsetName(minutes), minutes*60)}, true
	}
	for _, c := range []byte(name) {
		if !isWordByte(c) && c != '/' && c != '+' && c != '-' {
			return zone{}, false
		}
	}
	if name == "Local" || strings.Contains(name, "//") || strings.HasSuffix(name, "/") {
		return zone{}, false
	}
	loc, err := time.LoadLocation(name)
	return zone{name, loc}, err == nil
}

// parseOffset reads ±h, ±hh, ±hhmm, ±h:mm and ±hh:mm up to 14 hours as minutes east of UTC.
func parseOffset(s string) (minutes int, ok bool) {
	h, m, colon := strings.Cut(s[1:], ":")
	if !colon && len(h) == 4 {
		h, m, colon = h[:2], h[2:], true
	}
	hours, ok := digits(h, 1, 2)
	if !ok || colon && len(m) != 2 {
		return 0, false
	}
	if colon {
		if minutes, ok = digits(m, 2, 2); !ok || minutes > 59 {
			return 0, false
		}
	}
	minutes += hours * 60
	if s[0] == '-' {
		minutes = -minutes
	}
	return minutes, minutes >= -14*60 && minutes <= 14*60
}

// digits reads s, low to high decimal digits and nothing else.
func digits(s string, low, high int) (n int, ok bool) {
	if len(s) < low || len(s) > high {
		return 0, false
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}

func offsetName(minutes int) string {
	sign := '+'
	if minutes < 0 {
		sign, minutes = '-', -minutes
	}
	return fmt.Sprintf("%c%02d:%02d", sign, minutes/60, minutes%60)
}
