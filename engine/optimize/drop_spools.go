package optimize

import (
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
)

// dropSpools drops spools that stand in one place only, so that filters and narrower columns pass.
func dropSpools(n plan.Node, _ *fn.Session) plan.Node {
	places := map[*plan.SpoolID]int{}
	plan.Walk(n, func(n plan.Node) {
		if s, ok := n.(*plan.Spool); ok {
			places[s.ID]++
		}
	})
	return plan.Rewrite(n, func(n plan.Node) plan.Node {
		if s, ok := n.(*plan.Spool); ok && places[s.ID] == 1 {
			return s.Input
		}
		return n
	})
}
