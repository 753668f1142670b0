package exec

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/trailql/trailql/engine/plan"
)

func TestUnionKeepsTheOrderOfItsChildren(t *testing.T) {
	sweep(t, true, func(s setting, rng *rand.Rand) (plan.Node, []row) {
		r, q := people(rng, 50), people(rng, 30)
		n := &plan.Union{Children: []plan.Node{r.scan(rng, s.coded), q.scan(rng, !s.coded), r.scan(rng, s.coded)}, Columns: r.columns}
		return n, slices.Concat(r.rows, q.rows, r.rows)
	})
}
