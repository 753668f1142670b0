package vec

import (
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/engine/sqltype"
)

// roundTime rounds a time of day; what rounds up to midnight starts the next day, that is at 0.
func roundTime(micros int64, precision int) int64 {
	return sqltype.RoundMicros(micros, precision) % sqltype.MicrosPerDay
}

// times casts among date, the times and the timestamps, by way of what the clock on the wall shows. A time that becomes a timestamp is of
// the day on which the query began, one that gets an offset has the one of the session's zone then.
func (c caster) times(a arrow.Array, from, to sqltype.Type) (arrow.Array, error) {
	r := c.results(a, from, to)
	var local []int64
	var keys []int16 // of their zones, where from has them
	switch from.Kind {
	case sqltype.Date:
		days := fixed[int32](a)
		local = make([]int64, len(days))
		for i, d := range days {
			if d < sqltype.MinTimestampDay || d > sqltype.MaxTimestampDay {
				if err := r.bad(i); err != nil {
					return nil, err
				}
				continue
			}
			local[i] = int64(d) * sqltype.MicrosPerDay
		}
	case sqltype.TimeTZ, sqltype.TimestampTZ:
		s := a.(*array.Struct)
		micros := fixed[int64](s.Field(0))
		keys = fixed[int16](s.Field(1))
		switch {
		case to.Kind == sqltype.TimestampTZ && from.Kind == to.Kind:
			return newInstants(roundAll(micros, to.Precision), keys, r.valid), nil
		case to.Kind == sqltype.TimeTZ && from.Kind == to.Kind:
			return newInstants(roundTimes(micros, to.Precision), keys, r.valid), nil
		case to.Kind == sqltype.TimeTZ:
			return c.timesOfDay(micros, keys, to.Precision, r.valid), nil
		}
		local = localTimes(micros, keys)
		if from.Kind == sqltype.TimeTZ {
			local = ofDays(local, 0)
		}
	default: // time and timestamp
		local = fixed[int64](a)
	}
	if (from.Kind == sqltype.Time || from.Kind == sqltype.TimeTZ) && to.Kind >= sqltype.Timestamp {
		today, _ := sqltype.DayOf(sqltype.LocalMicros(c.now.UnixMicro(), c.zone))
		local = ofDays(local, int64(today)*sqltype.MicrosPerDay)
	}
	switch to.Kind {
	case sqltype.Date:
		out := make([]int32, len(local))
		for i, m := range local {
			days, _ := sqltype.DayOf(m)
			out[i] = int32(days)
		}
		return newFixed(to.Arrow(), out, r.valid), nil
	case sqltype.Time:
		return newFixed(to.Arrow(), roundTimes(ofDays(local, 0), to.Precision), r.valid), nil
	case sqltype.Timestamp:
		return newFixed(to.Arrow(), roundAll(local, to.Precision), r.valid), nil
	case sqltype.TimeTZ:
		key := sqltype.OffsetKey(c.now.UnixMicro(), c.zone)
		out := make([]int64, len(local))
		for i, m := range local {
			out[i] = roundTime(sqltype.TimeInUTC(m, key), to.Precision)
		}
		return newInstants(out, repeatKey(key, len(local)), r.valid), nil
	}
	out := make([]int64, len(local))
	if keys == nil {
		key, _ := sqltype.ZoneKey(c.zone.String())
		keys = repeatKey(key, len(local))
	}
	var zone *time.Location
	for i, m := range local {
		if i == 0 || keys[i] != keys[i-1] {
			_, zone = sqltype.Zone(keys[i])
		}
		out[i] = sqltype.InstantMicros(sqltype.RoundMicros(m, to.Precision), zone)
	}
	return newInstants(out, keys, r.valid), nil
}

// timesOfDay drops the days of instants; each keeps the offset that its zone had.
func (c caster) timesOfDay(micros []int64, keys []int16, precision int, valid bitmap) arrow.Array {
	offsets := make([]int16, len(keys))
	for i, m := range micros {
		_, zone := sqltype.Zone(keys[i])
		offsets[i] = sqltype.OffsetKey(m, zone)
	}
	return newInstants(roundTimes(ofDays(micros, 0), precision), offsets, valid)
}

// localTimes are the instants as the clocks of their zones show them.
func localTimes(micros []int64, keys []int16) []int64 {
	out := make([]int64, len(micros))
	var zone *time.Location
	for i, m := range micros {
		if i == 0 || keys[i] != keys[i-1] {
			_, zone = sqltype.Zone(keys[i])
		}
		out[i] = sqltype.LocalMicros(m, zone)
	}
	return out
}

// ofDays takes the days away and adds start instead.
func ofDays(micros []int64, start int64) []int64 {
	out := make([]int64, len(micros))
	for i, m := range micros {
		_, ofDay := sqltype.DayOf(m)
		out[i] = start + ofDay
	}
	return out
}

func repeatKey(key int16, n int) []int16 {
	keys := make([]int16, n)
	for i := range keys {
		keys[i] = key
	}
	return keys
}

func roundTimes(micros []int64, precision int) []int64 {
	out := make([]int64, len(micros))
	for i, m := range micros {
		out[i] = roundTime(m, precision)
	}
	return out
}

func roundAll(micros []int64, precision int) []int64 {
	if precision >= 6 {
		return micros
	}
	out := make([]int64, len(micros))
	for i, m := range micros {
		out[i] = sqltype.RoundMicros(m, precision)
	}
	return out
}
