package verify

import (
	"testing"
	"time"

	"github.com/trailql/trailql/connectors/cloudtrail"
	"github.com/trailql/trailql/connectors/cloudtrail/synth"
)

var monday = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func at(day, hour int) time.Time { return monday.AddDate(0, 0, day).Add(time.Duration(hour) * time.Hour) }

func TestDeliveries(t *testing.T) {
	all := generated(t, synth.Options{Seed: 1, Events: 20_000, Days: 3})
	tr, _ := all.without(func(_ string, n cloudtrail.ObjectName) bool { return n.Kind == cloudtrail.KindDigest })
	for _, tr := range []trail{all, tr} {
		begun := time.Now()
		c := covered(t, tr.lake(t), at(0, 0), at(3, 0))
		t.Logf("%v %+v", time.Since(begun), c)
		for _, l := range lines(c) {
			t.Log(l)
		}
	}
}
