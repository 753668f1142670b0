package exec

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/trailql/trailql/engine/plan"
)

func TestLimit(t *testing.T) {
	for _, c := range []struct{ limit, offset int64 }{{10, 0}, {10, 95}, {-1, 30}, {0, 0}, {5, 200}, {1000, 0}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			sweep(t, true, func(s setting, rng *rand.Rand) (plan.Node, []row) {
				r := people(rng, 100)
				return &plan.Limit{Input: r.scan(rng, s.coded), Limit: c.limit, Offset: c.offset}, window(r.rows, c.limit, c.offset)
			})
		})
	}
}

func window(rows []row, limit, offset int64) []row {
	rows = rows[min(offset, int64(len(rows))):]
	if limit >= 0 {
		rows = rows[:min(limit, int64(len(rows)))]
	}
	return rows
}
