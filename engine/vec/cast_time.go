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

// times casts among date, time and the timestamps.
func (c caster) times(a arrow.Array, from, to sqltype.Type) (arrow.Array, error) {
	r := c.results(a, from, to)
	var local []int64 // wall-clock times
	var keys []int16  // of their zones, for timestamp with time zone
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
	case sqltype.TimestampTZ:
		s := a.(*array.Struct)
		micros := fixed[int64](s.Field(0))
		keys = fixed[int16](s.Field(1))
		if to.Kind == sqltype.TimestampTZ {
			return newInstants(roundAll(micros, to.Precision), keys, r.valid), nil
		}
		local = make([]int64, len(micros))
		var zone *time.Location
		for i, m := range micros {
			if i == 0 || keys[i] != keys[i-1] {
				_, zone = sqltype.Zone(keys[i])
			}
			local[i] = sqltype.LocalMicros(m, zone)
		}
	default: // time and timestamp
		local = fixed[int64](a)
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
		out := make([]int64, len(local))
		for i, m := range local {
			_, ofDay := sqltype.DayOf(m)
			out[i] = roundTime(ofDay, to.Precision)
		}
		return newFixed(to.Arrow(), out, r.valid), nil
	case sqltype.Timestamp:
		return newFixed(to.Arrow(), roundAll(local, to.Precision), r.valid), nil
	}
	key, _ := sqltype.ZoneKey(c.zone.String())
	out, zones := make([]int64, len(local)), make([]int16, len(local))
	for i, m := range local {
		out[i] = sqltype.InstantMicros(sqltype.RoundMicros(m, to.Precision), c.zone)
		zones[i] = key
	}
	return newInstants(out, zones, r.valid), nil
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
