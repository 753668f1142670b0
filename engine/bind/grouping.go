package bind

import (
	"slices"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
)

// Limits of GROUP BY, those of Trino.
const (
	maxGroupingSets = 2048
	maxGroupingArgs = 63 // of grouping(…), which gives a bit to each
)

// grouping is a bound GROUP BY.
type grouping struct {
	keys []expr.Expr
	sets [][]int // of keys, as plan.Aggregate has them; nil: one set of all keys
}

// groupBy binds GROUP BY. Every element stands for one or more sets of keys; the sets of all of it are the unions of one from each.
func (b *binder) groupBy(sel *sql.Select, items []item, subqueries []later, x *exprs) grouping {
	var g grouping
	sets := [][]int{nil}
	for _, element := range sel.GroupBy {
		var parts [][]int // the keys of each part of the element
		if element.Kind == sql.Plain {
			element.Sets = [][]sql.Expr{{element.Expr}}
		}
		for _, exprs := range element.Sets {
			var part []int
			for _, e := range exprs {
				part = append(part, g.key(b.groupKey(e, sel, items, subqueries, x)))
			}
			parts = append(parts, part)
		}
		sets = product(sets, elementSets(element, parts), element.Pos())
	}
	for i := range sets {
		slices.Sort(sets[i])
		sets[i] = slices.Compact(sets[i])
	}
	if sel.GroupDistinct {
		var distinct [][]int
		for _, set := range sets {
			if !slices.ContainsFunc(distinct, func(have []int) bool { return slices.Equal(have, set) }) {
				distinct = append(distinct, set)
			}
		}
		sets = distinct
	}
	if len(sets) > 1 || len(sets[0]) < len(g.keys) {
		g.sets = sets
	}
	return g
}

// key returns the ordinal of e among the keys.
func (g *grouping) key(e expr.Expr) int {
	at := slices.IndexFunc(g.keys, func(k expr.Expr) bool { return expr.Equal(k, e) })
	if at < 0 {
		at = len(g.keys)
		g.keys = append(g.keys, e)
	}
	return at
}

// groupKey binds a position in the select list, an input column or an expression over them. What has a subquery is a column of the
// select list if it is written alike there.
func (b *binder) groupKey(e sql.Expr, sel *sql.Select, items []item, subqueries []later, x *exprs) expr.Expr {
	at, ok := ordinal(e, len(items), "GROUP BY")
	if !ok {
		at = slices.IndexFunc(items, func(it item) bool { return hasSubquery(it.e) && it.text != nil && itemText(it.text) == itemText(e) })
	}
	if at < 0 {
		b.refuseAlias(e, sel, x)
		return x.expr(e)
	}
	key := &items[at].e
	if hasSubquery(*key) {
		joinFirst(x.in, *key, subqueries, e.Pos())
		values := make([]expr.Expr, len(subqueries))
		for i, l := range subqueries {
			values[i] = l.done
		}
		*key = withSubqueries([]expr.Expr{*key}, values)[0]
	}
	if slices.ContainsFunc(expr.Columns(*key), func(c int) bool { return c >= aggregateBase }) {
		fail(sqlerr.Type, e.Pos(), "GROUP BY position %d is an aggregate or a window function", at+1)
	}
	return *key
}

// joinFirst joins the subqueries that e uses to the relation below the grouping.
func joinFirst(in *relation, e expr.Expr, subqueries []later, at sqlerr.Pos) {
	for _, c := range expr.Columns(e) {
		if c < subqueryBase || c >= groupingBase || subqueries[c-subqueryBase].done != nil {
			continue
		}
		l := &subqueries[c-subqueryBase]
		values := make([]expr.Expr, len(subqueries))
		for _, arg := range l.args {
			if slices.ContainsFunc(expr.Columns(arg), func(c int) bool { return c >= aggregateBase && c < subqueryBase || c >= groupingBase }) {
				fail(sqlerr.Type, at, "GROUP BY of a subquery that depends on the groups")
			}
			joinFirst(in, arg, subqueries, at)
		}
		for i, l := range subqueries {
			values[i] = l.done
		}
		in.node, l.done = l.join(in.node, withSubqueries(l.args, values))
	}
}

// elementSets returns the sets that an element of GROUP BY stands for: ROLLUP (a, b) is (a, b), (a), (); CUBE (a, b) is (a, b), (a), (b), ().
func elementSets(element sql.GroupItem, parts [][]int) [][]int {
	switch element.Kind {
	case sql.Rollup:
		var sets [][]int
		for n := len(parts); n >= 0; n-- {
			sets = append(sets, slices.Concat(parts[:n]...))
		}
		return sets
	case sql.Cube:
		sets := [][]int{nil}
		for _, part := range slices.Backward(parts) {
			sets = product([][]int{part, nil}, sets, element.Pos())
		}
		return sets
	}
	return parts
}

// product unites each of a with each of b.
func product(a, b [][]int, at sqlerr.Pos) [][]int {
	if len(a)*len(b) > maxGroupingSets {
		fail(sqlerr.Resource, at, "GROUP BY comes to more than %d grouping sets", maxGroupingSets)
	}
	var out [][]int
	for _, left := range a {
		for _, right := range b {
			out = append(out, slices.Concat(left, right))
		}
	}
	return out
}

// groupingCall binds grouping(a, b, …); its value is known when GROUP BY is.
func (x *exprs) groupingCall(f *sql.Func) expr.Expr {
	switch {
	case x.agg == nil:
		failHint(sqlerr.Type, f.Pos(), "it goes in SELECT, HAVING and ORDER BY", "grouping is not allowed in %s", x.clause)
	case f.Star || f.Distinct || f.Filter != nil || len(f.OrderBy) > 0 || f.Over != nil:
		fail(sqlerr.Type, f.Pos(), "grouping is no aggregate: it takes no *, DISTINCT, ORDER BY, FILTER or OVER")
	case len(f.Args) == 0 || len(f.Args) > maxGroupingArgs:
		fail(sqlerr.Type, f.Pos(), "grouping takes 1 to %d of the columns of GROUP BY", maxGroupingArgs)
	}
	args := make([]operand, len(f.Args))
	for i, a := range f.Args {
		args[i] = x.operand(a)
	}
	x.agg.groupings = append(x.agg.groupings, args)
	return &expr.Column{Index: groupingBase + len(x.agg.groupings) - 1, Name: "grouping", T: sqltype.BigIntType}
}

// aggregate builds the node, with the values of the calls of grouping behind the aggregates where there are several sets.
func (g *grouping) aggregate(in plan.Node, agg *aggregation) plan.Node {
	n := aggregateOf(in, g.keys, agg.calls...)
	if n.Sets = g.sets; n.Sets == nil {
		return n
	}
	for _, args := range agg.groupings {
		n.Groupings = append(n.Groupings, g.values(args))
		n.Columns = append(n.Columns, plan.Column{Name: "grouping", Type: sqltype.BigIntType})
	}
	return n
}

// values are those of grouping(args…) per set: a bit for each argument, the last one's the lowest, which is 1 where the set leaves it out.
func (g *grouping) values(args []operand) []int64 {
	values := make([]int64, max(len(g.sets), 1))
	for _, a := range args {
		key := slices.IndexFunc(g.keys, func(k expr.Expr) bool { return expr.Equal(k, a.Expr) })
		if key < 0 {
			failHint(sqlerr.Type, a.at, "it takes what GROUP BY lists", "this argument of grouping is not in GROUP BY")
		}
		for i := range values {
			values[i] <<= 1
			if g.sets != nil && !slices.Contains(g.sets[i], key) {
				values[i]++
			}
		}
	}
	return values
}
