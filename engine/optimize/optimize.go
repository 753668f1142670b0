// Package optimize rewrites a logical plan by an ordered list of rules. Every rule
// keeps the answer and the schema; each can be turned off, so that tests can run
// the same SQL with and without it.
package optimize

import (
	"fmt"
	"slices"

	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sqlerr"
)

// rule is one rewriting of a whole plan.
type rule struct {
	name  string
	apply func(plan.Node, *fn.Session) plan.Node
}

// rules in the order in which they run; a name may stand more than once.
var rules = []rule{
	// First, for all others stop at a spool.
	{"drop_spools", dropSpools},
	// Constants first: the rules below look for literals.
	{"fold_constants", foldConstants},
	// Before filters move, so that they arrive at scans in the plainest form.
	{"unwrap_casts", unwrapCasts},
	// Views and subqueries leave projections above projections; filters pass one more easily than two.
	{"merge_projects", mergeProjects},
	// Filters go down to where fewest rows are touched, and make joins of cross joins on their way.
	{"push_filters", pushFilters},
	// What a filter says of one side's key holds for the other's; the copy then goes down like any filter.
	{"copy_key_constants", copyKeyConstants},
	{"push_filters", pushFilters},
	// With all filters in place cross joins that are left may be one of order only, and the smaller side can be told.
	{"connect_joins", connectJoins},
	{"order_joins", orderJoins},
	// Filters have left gaps between projections.
	{"merge_projects", mergeProjects},
	// Before columns are dropped, for a limit can turn a sort into a top-N only where they are neighbours.
	{"push_limits", pushLimits},
	// With projections merged, what makes a map and what reads it are one expression, or neighbours. The map is a column that may be dropped then.
	{"read_maps", readMaps},
	// Scans read the columns, and the fields of rows, that somebody above uses.
	{"prune_columns", pruneColumns},
	{"merge_projects", mergeProjects},
	// Last, for scans hold conjuncts over the paths they read.
	{"push_conjuncts", pushConjuncts},
	{"limit_scans", limitScans},
	{"top_scans", topScans},
	{"top_partitions", topPartitions},
	{"skip_scans", skipScans},
}

// Rules returns the names of all rules, in the order in which they first run.
func Rules() []string {
	var names []string
	for _, r := range rules {
		if !slices.Contains(names, r.name) {
			names = append(names, r.name)
		}
	}
	return names
}

// Run applies all rules but those named in without. An unknown name is an error; so is, as a defect of ours, a rule that
// changes the schema or leaves an expression that does not fit its input.
func Run(n plan.Node, s *fn.Session, without []string) (plan.Node, error) {
	known := Rules()
	for _, name := range without {
		if !slices.Contains(known, name) {
			return nil, sqlerr.New(sqlerr.Internal, 0, "the optimizer has no rule %q", name)
		}
	}
	if err := check(n); err != nil {
		return nil, sqlerr.Wrap(sqlerr.Internal, err, "the binder made a bad plan")
	}
	for _, r := range rules {
		if slices.Contains(without, r.name) {
			continue
		}
		next := r.apply(n, s)
		err := check(next)
		if err == nil && !sameSchema(n.Schema(), next.Schema()) {
			err = fmt.Errorf("columns %v became %v", n.Schema(), next.Schema())
		}
		if err != nil {
			return nil, sqlerr.Wrap(sqlerr.Internal, err, "optimizer rule %s made a bad plan", r.name)
		}
		n = next
	}
	return n, nil
}
