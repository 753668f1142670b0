package bind

import (
	"fmt"
	"slices"
	"strings"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
)

// item is a column of the select list.
type item struct {
	e    expr.Expr
	name string // "" for none
	at   sqlerr.Pos
	text sql.Expr // what was written; nil where * was
}

// selectQuery binds a SELECT with the ORDER BY of the query that it is the body of.
//
// The clauses after WHERE are bound over the input first. Aggregates and subqueries in them stand as columns that do not exist yet
// (aggregateBase, subqueryBase); when all are known, the Aggregate is built and the expressions are settled over its output. So do
// window functions (windowBase), which are computed over what HAVING leaves of it.
func (b *binder) selectQuery(sel *sql.Select, order []sql.OrderItem, with *env, outer *scope) *relation {
	in := b.from(sel.From, with, outer)
	aliases := selectAliases(sel)
	if sel.Where != nil {
		b.where(sel.Where, &exprs{binder: b, with: with, in: in, outer: outer, clause: "WHERE", itemAliases: aliases})
	}

	agg := &aggregation{places: map[*expr.Column]sqlerr.Pos{}}
	windows := newWindowing(sel.Windows, aliases)
	var subqueries []later
	x := &exprs{binder: b, with: with, in: in, outer: outer, clause: "SELECT", agg: agg, windows: windows, later: &subqueries}
	items := x.selectItems(sel)
	groups := b.groupBy(sel, items, subqueries, &exprs{binder: b, with: with, in: in, outer: outer, clause: "GROUP BY", itemAliases: aliases})
	var having []expr.Expr
	if sel.Having != nil {
		x.clause, x.itemAliases, x.windows = "HAVING", aliases, nil
		having = x.conjuncts(sel.Having)
	}
	x.clause, x.windows = "ORDER BY", windows
	for _, it := range items {
		if it.name != "" {
			x.outputs = append(x.outputs, alias{name: strings.ToLower(it.name), e: it.e})
		}
	}
	sorts := make([]expr.Expr, len(order))
	for i, o := range order {
		if at, ok := ordinal(o.Expr, len(items), "ORDER BY"); ok {
			sorts[i] = items[at].e
		} else {
			sorts[i] = x.expr(o.Expr)
		}
	}

	grouped := len(sel.GroupBy) > 0 || len(agg.calls) > 0 || sel.Having != nil
	node, settle, joinRest := b.settle(in.node, agg, subqueries, groups, grouped)
	if having != nil {
		for i := range having {
			having[i] = settle(having[i])
		}
		node = &plan.Filter{Input: node, Conjuncts: having}
	}
	node, settle = windows.settle(node, settle)
	node = joinRest(node, settle)
	p := &plan.Project{Input: node}
	for _, it := range items {
		p.Exprs = append(p.Exprs, settle(it.e))
		p.Columns = append(p.Columns, plan.Column{Name: it.name, Type: it.e.Type()})
	}
	width := len(items)
	out := anonymous(p)
	if sel.Distinct {
		out.node = distinct(p)
	}
	if len(order) == 0 {
		return out
	}

	// Sort by columns of the select list where an expression is one of them, else by hidden columns that are dropped afterwards.
	sorted := &plan.Sort{Limit: -1}
	for i, o := range order {
		e := settle(sorts[i])
		at := slices.IndexFunc(p.Exprs, func(have expr.Expr) bool { return expr.Equal(have, e) })
		if at < 0 {
			if sel.Distinct {
				failHint(sqlerr.Type, o.Expr.Pos(), "add it to the select list", "with SELECT DISTINCT, ORDER BY takes what the select list has")
			}
			at = len(p.Exprs)
			p.Exprs, p.Columns = append(p.Exprs, e), append(p.Columns[:at:at], plan.Column{Name: plan.Label(e), Type: e.Type()})
		}
		column := &expr.Column{Index: at, Name: p.Columns[at].Name, T: p.Columns[at].Type}
		sorted.Keys = append(sorted.Keys, sortKey(column, o))
	}
	sorted.Input = out.node
	out.node = firstColumns(sorted, width)
	return out
}

// where filters x.in: first by what has no subquery, for subqueries are computed for the rows that are left. Those in EXISTS, NOT EXISTS
// and IN that every row must fulfil are semi and anti joins.
func (b *binder) where(cond sql.Expr, x *exprs) {
	var conjuncts []expr.Expr
	var subqueries []later
	x.later = &subqueries
	var bind func(e sql.Expr)
	bind = func(e sql.Expr) {
		switch e := e.(type) {
		case *sql.Binary:
			if e.Op == "and" {
				bind(e.Left)
				bind(e.Right)
				return
			}
		case *sql.InQuery:
			if !e.Not {
				x.semiJoin(plan.SemiJoin, e.Query, e)
				return
			}
		case *sql.Exists:
			x.semiJoin(plan.SemiJoin, e.Query, nil)
			return
		case *sql.Unary:
			if exists, ok := e.Arg.(*sql.Exists); ok && e.Op == "not" {
				x.semiJoin(plan.AntiJoin, exists.Query, nil)
				return
			}
		}
		conjuncts = append(conjuncts, x.boolean(e))
	}
	bind(cond)
	x.later = nil
	x.filter(conjuncts, subqueries)
}

// filter keeps the rows of x.in for which the conjuncts hold; subqueries are those that they have, and semi joins.
func (x *exprs) filter(conjuncts []expr.Expr, subqueries []later) {
	var plain, rest []expr.Expr
	for _, e := range conjuncts {
		if hasSubquery(e) {
			rest = append(rest, e)
		} else {
			plain = append(plain, e)
		}
	}
	if len(plain) > 0 {
		x.in.node = &plan.Filter{Input: x.in.node, Conjuncts: plain}
	}
	var values []expr.Expr
	for _, l := range subqueries {
		var value expr.Expr
		x.in.node, value = l.join(x.in.node, withSubqueries(l.args, values))
		values = append(values, value)
	}
	if len(rest) > 0 {
		x.in.node = &plan.Filter{Input: x.in.node, Conjuncts: withSubqueries(rest, values)}
	}
}

// hasSubquery reports whether e uses a subquery that is not joined yet.
func hasSubquery(e expr.Expr) bool {
	return slices.ContainsFunc(expr.Columns(e), func(c int) bool { return c >= subqueryBase && c < groupingBase })
}

// withSubqueries returns es with the values of subqueries in their places.
func withSubqueries(es, values []expr.Expr) []expr.Expr {
	out := make([]expr.Expr, len(es))
	for i, e := range es {
		out[i] = expr.Rewrite(e, func(e expr.Expr) expr.Expr {
			if c, ok := e.(*expr.Column); ok && c.Index >= subqueryBase && c.Index < groupingBase {
				return values[c.Index-subqueryBase]
			}
			return e
		})
	}
	return out
}

// selectAliases are the names that the select list gives, for hints where they are not in sight.
func selectAliases(sel *sql.Select) []alias {
	var out []alias
	for _, it := range sel.Items {
		if it.Alias != nil && it.Expr != nil {
			out = append(out, alias{name: lower(*it.Alias), text: itemText(it.Expr)})
		}
	}
	return out
}

func (x *exprs) selectItems(sel *sql.Select) []item {
	var items []item
	for _, it := range sel.Items {
		if it.Star {
			items = append(items, x.star(it, len(sel.From) > 0)...)
			checkColumns(len(items), it.Pos())
			continue
		}
		name := ""
		switch e := it.Expr.(type) {
		case *sql.Name:
			name = e.Ident.Name
		case *sql.Dot:
			name = e.Field.Name
		}
		if it.Alias != nil {
			name = it.Alias.Name
		}
		items = append(items, item{e: x.expr(it.Expr), name: name, at: it.Expr.Pos(), text: it.Expr})
	}
	return items
}

// star expands *, t.* and row.*.
func (x *exprs) star(it sql.SelectItem, from bool) []item {
	var ids []sql.Ident
	if it.Expr != nil {
		var base sql.Expr
		ids, base = x.parts(it.Expr)
		parts := make([]string, len(ids))
		for i, id := range ids {
			parts[i] = lower(id)
		}
		if base != nil || !x.in.hasQualifier(parts) {
			return x.rowStar(it)
		}
		ids = ids[:len(parts)]
	} else if !from {
		fail(sqlerr.Name, it.Pos(), "SELECT * needs a FROM")
	}
	parts := make([]string, len(ids))
	for i, id := range ids {
		parts[i] = lower(id)
	}
	var items []item
	schema := x.in.node.Schema()
	for i, f := range x.in.fields {
		if f.hidden || !f.named(parts) {
			continue
		}
		c := &expr.Column{Index: i, Name: schema[i].Name, T: schema[i].Type}
		x.agg.places[c] = it.Pos()
		items = append(items, item{e: c, name: schema[i].Name, at: it.Pos()})
	}
	return renamed(items, it)
}

func (x *exprs) rowStar(it sql.SelectItem) []item {
	e := x.expr(it.Expr)
	t := e.Type()
	if t.Kind != sqltype.Row {
		fail(sqlerr.Type, it.Pos(), "%s.* needs a table or a row, this is of type %s", itemText(it.Expr), t)
	}
	var items []item
	for i, f := range t.Fields {
		items = append(items, item{e: &expr.Field{Arg: e, Index: i}, name: f.Name, at: it.Pos()})
	}
	return renamed(items, it)
}

func renamed(items []item, it sql.SelectItem) []item {
	if len(it.StarAliases) == 0 {
		return items
	}
	if len(it.StarAliases) != len(items) {
		fail(sqlerr.Name, it.StarAliases[0].Pos(), "* stands for %d columns, the list names %d", len(items), len(it.StarAliases))
	}
	for i, id := range it.StarAliases {
		items[i].name = id.Name
	}
	return items
}

// refuseAlias raises the error for GROUP BY of a name that only the select list gives.
func (b *binder) refuseAlias(e sql.Expr, sel *sql.Select, x *exprs) {
	name, ok := e.(*sql.Name)
	if !ok {
		return
	}
	if _, used, _ := x.in.find([]string{lower(name.Ident)}); used > 0 {
		return
	}
	for i, it := range sel.Items {
		if it.Alias != nil && lower(*it.Alias) == lower(name.Ident) {
			hint := fmt.Sprintf("repeat the expression: GROUP BY %s", itemText(it.Expr))
			if !slices.ContainsFunc(sel.Items[:i], func(it sql.SelectItem) bool { return it.Star }) {
				hint += fmt.Sprintf(", or its position: GROUP BY %d", i+1)
			}
			failHint(sqlerr.Name, e.Pos(), hint, "GROUP BY takes input columns, and %q is a name given in SELECT", name.Ident.Name)
		}
	}
}

// settle builds the Aggregate, if there is one, joins the subqueries to it, and returns the node with the function that
// turns the clauses' expressions into ones over it. The subqueries that take the value of a window function are joined by joinRest, when windows
// are there.
func (b *binder) settle(
	in plan.Node, agg *aggregation, laters []later, by grouping, grouped bool,
) (n plan.Node, over func(expr.Expr) expr.Expr, joinRest func(plan.Node, func(expr.Expr) expr.Expr) plan.Node) {
	node := in
	if grouped {
		node = by.aggregate(in, agg)
	}
	keys := by.keys
	refs := plan.ColumnRefs(node)
	subqueries := make([]expr.Expr, len(laters))
	// Columns of the output are told from those of the input by outputBase until an expression is done.
	output := func(e expr.Expr) expr.Expr {
		return plan.MoveColumns(e, func(i int) int { return outputBase + i })
	}
	settle := func(e expr.Expr) expr.Expr {
		e = expr.Replace(e, func(e expr.Expr) (expr.Expr, bool) {
			if grouped { // the largest part that is a key: there may be sets with it, but without the keys that it is computed from
				if at := slices.IndexFunc(keys, func(k expr.Expr) bool { return expr.Equal(k, e) }); at >= 0 {
					return output(refs[at]), true
				}
			}
			c, ok := e.(*expr.Column)
			switch {
			case !ok:
				return nil, false
			case c.Index >= outputBase: // a window function, settled before
				return c, true
			case c.Index >= groupingBase && by.sets == nil:
				return expr.NewLiteral(sqltype.BigIntType, by.values(agg.groupings[c.Index-groupingBase])[0]), true
			case c.Index >= groupingBase:
				return output(refs[len(keys)+len(agg.calls)+c.Index-groupingBase]), true
			case c.Index >= subqueryBase:
				return output(subqueries[c.Index-subqueryBase]), true
			case c.Index >= aggregateBase:
				return output(refs[len(keys)+c.Index-aggregateBase]), true
			}
			return nil, false
		})
		return b.settled(e, agg, grouped)
	}
	// join joins the subqueries that take the value of a window function, or the others, which may be used by one.
	ofWindows := usingWindows(laters)
	join := func(node plan.Node, settle func(expr.Expr) expr.Expr, last bool) plan.Node {
		for i, l := range laters {
			if ofWindows[i] != last {
				continue
			}
			if l.done != nil {
				subqueries[i] = l.done
				continue
			}
			args := make([]expr.Expr, len(l.args))
			for k, e := range l.args {
				args[k] = settle(e)
			}
			node, subqueries[i] = l.join(node, args)
		}
		return node
	}
	joinRest = func(node plan.Node, settle func(expr.Expr) expr.Expr) plan.Node { return join(node, settle, true) }
	return join(node, settle, false), settle, joinRest
}

// settled puts the ordinals of output columns right; a column of the input that is left stands outside the aggregates without being grouped by.
func (b *binder) settled(e expr.Expr, agg *aggregation, grouped bool) expr.Expr {
	return expr.Rewrite(e, func(e expr.Expr) expr.Expr {
		c, ok := e.(*expr.Column)
		switch {
		case ok && c.Index >= outputBase:
			moved := *c
			moved.Index -= outputBase
			return &moved
		case ok && grouped:
			failHint(sqlerr.Type, agg.places[c], fmt.Sprintf("group by it, or write arbitrary(%s)", c.Name),
				"column %q is neither in GROUP BY nor in an aggregate", c.Name)
		}
		return e
	})
}

// itemText is an expression as it is shown in a hint.
func itemText(e sql.Expr) string { return strings.TrimSpace(sql.Format(e)) }
