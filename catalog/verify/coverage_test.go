package verify

import (
	"testing"
	"time"

	"github.com/trailql/trailql/connectors/cloudtrail"
	"github.com/trailql/trailql/connectors/cloudtrail/synth"
)

var monday = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func at(day, hour int) time.Time {
	return monday.AddDate(0, 0, day).Add(time.Duration(hour) * time.Hour)
}

func TestDeliveries(t *testing.T) {
	tr, _ := generated(t, synth.Options{Seed: 1, Events: 20_000, Days: 3}).without(func(_ string, n cloudtrail.ObjectName) bool { return n.Kind == cloudtrail.KindDigest })
	c := covered(t, tr.lake(t), at(0, 0), at(3, 0))
	t.Logf("%+v", c)
	for _, l := range lines(c) {
		t.Log(l)
	}
}
