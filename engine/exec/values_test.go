package exec

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sqltype"
)

func TestValues(t *testing.T) {
	sweep(t, true, func(s setting, rng *rand.Rand) (plan.Node, []row) {
		n := &plan.Values{Columns: []plan.Column{{Type: sqltype.BigIntType}, {Type: sqltype.VarcharType}}}
		var want []row
		for i := range int64(20) {
			n.Rows = append(n.Rows, []expr.Expr{integer(i), text(fmt.Sprint(i))})
			want = append(want, row{i, fmt.Sprint(i)})
		}
		return n, want
	})
}
