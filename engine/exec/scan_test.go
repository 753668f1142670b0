package exec

import (
	"math/rand/v2"
	"testing"

	"github.com/trailql/trailql/engine/plan"
)

func TestScanKeepsTheOrder(t *testing.T) {
	sweep(t, true, func(s setting, rng *rand.Rand) (plan.Node, []row) {
		r := people(rng, 100)
		return r.scan(rng, s.coded), r.rows
	})
}

func TestScanFiltersWhatTheSourceDoesNot(t *testing.T) {
	sweep(t, true, func(s setting, rng *rand.Rand) (plan.Node, []row) {
		r := people(rng, 100)
		var want []row
		for _, row := range r.rows {
			if row[0] == "name-1" && row[2] != nil && row[2].(int64) < 2 {
				want = append(want, row)
			}
		}
		return r.scan(rng, s.coded, equal(r.column(0), text("name-1")), less(r.column(2), integer(2))), want
	})
}
