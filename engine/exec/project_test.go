package exec

import (
	"math/rand/v2"
	"testing"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sqltype"
)

func TestFilterAndProject(t *testing.T) {
	sweep(t, true, func(s setting, rng *rand.Rand) (plan.Node, []row) {
		r := people(rng, 100)
		var want []row
		for _, in := range r.rows {
			if in[2] != nil && in[2].(int64) < 0 {
				want = append(want, row{in[4], int64(7), in[0]})
			}
		}
		return &plan.Project{
			Input:   &plan.Filter{Input: r.scan(rng, s.coded), Conjuncts: []expr.Expr{less(r.column(2), integer(0))}},
			Exprs:   []expr.Expr{r.column(4), integer(7), r.column(0)},
			Columns: []plan.Column{r.columns[4], {Type: sqltype.BigIntType}, r.columns[0]},
		}, want
	})
}
