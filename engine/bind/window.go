package bind

import (
	"fmt"
	"slices"
	"strings"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
)

// windowing collects the window functions of a SELECT and of its ORDER BY. They are computed over what comes out of grouping and
// HAVING, so their expressions hold aggregates and subqueries as columns that do not exist yet, as those around them do.
type windowing struct {
	named   []sql.NamedWindow
	aliases []alias // of the select list, for hints
	groups  []window
	count   int // of calls, in all groups
}

// window is the calls that share a partition and an order, and so a sort.
type window struct {
	partition []expr.Expr
	order     []plan.SortKey
	calls     []plan.WindowCall
	numbers   []int // of the calls, in the order in which they were met: the ordinals of their columns above windowBase
}

// newWindowing checks the names of the WINDOW clause.
func newWindowing(named []sql.NamedWindow, aliases []alias) *windowing {
	for i, w := range named {
		if slices.ContainsFunc(named[:i], func(v sql.NamedWindow) bool { return lower(v.Name) == lower(w.Name) }) {
			fail(sqlerr.Name, w.Name.Pos(), "there are two windows named %q", w.Name.Name)
		}
	}
	return &windowing{named: named, aliases: aliases}
}

// resolved is w with what the window that it names has. A window of the WINDOW clause sees those before it.
func (ws *windowing) resolved(w *sql.Window, named []sql.NamedWindow) *sql.Window {
	if w.Name == "" {
		return w
	}
	id := sql.Ident{Name: w.Name}
	at := slices.IndexFunc(named, func(v sql.NamedWindow) bool { return lower(v.Name) == lower(id) })
	if at < 0 {
		names := make([]string, len(named))
		for i, v := range named {
			names[i] = v.Name.Name
		}
		hint := didYouMean(w.Name, names)
		if hint == "" {
			hint = fmt.Sprintf("name it in a WINDOW clause before ORDER BY: WINDOW %s AS (PARTITION BY …)", w.Name)
		}
		failHint(sqlerr.Name, w.Pos(), hint, "window %q does not exist", w.Name)
	}
	base := ws.resolved(&named[at].Window, named[:at])
	alone := len(w.PartitionBy) == 0 && len(w.OrderBy) == 0 && w.Frame == nil
	switch {
	case alone:
		return base
	case len(w.PartitionBy) > 0:
		fail(sqlerr.Type, w.PartitionBy[0].Pos(), "window %q settles the partition: PARTITION BY cannot be added", w.Name)
	case len(w.OrderBy) > 0 && len(base.OrderBy) > 0:
		fail(sqlerr.Type, w.OrderBy[0].Pos(), "window %q has an ORDER BY already", w.Name)
	case base.Frame != nil:
		fail(sqlerr.Type, w.Pos(), "window %q has a frame, so it can only be used as it is: OVER %s", w.Name, w.Name)
	}
	out := *w
	out.PartitionBy = base.PartitionBy
	if len(out.OrderBy) == 0 {
		out.OrderBy = base.OrderBy
	}
	return &out
}

// refuseWindow raises the error for a window function where there can be none.
func (x *exprs) refuseWindow(f *sql.Func) {
	hint := "compute it in a subquery"
	if x.clause == "WHERE" || x.clause == "HAVING" {
		hint += " and filter that: SELECT * FROM (SELECT …, " + itemText(f) + " AS w FROM …) WHERE w …"
	}
	failHint(sqlerr.Type, f.Pos(), hint, "window function %s is not allowed in %s", lower(f.Name[len(f.Name)-1]), x.clause)
}

// window binds a call with OVER. What stands for it is a column that does not exist yet.
func (x *exprs) window(f *sql.Func) expr.Expr {
	name := lower(f.Name[len(f.Name)-1])
	w, ok := fn.LookupWindow(name)
	if !ok {
		isName := func(form fn.Form) bool { return form.Name == name }
		if _, scalar := fn.Lookup(name); !scalar && x.macro(name, false) == nil && !slices.ContainsFunc(fn.Forms(), isName) {
			x.unknownFunction(name, f.Pos())
		}
		fail(sqlerr.Type, f.Pos(), "%s is no window function: it takes no OVER", name)
	}
	x.refuseInLambda("a window function", f.Pos())
	if x.windows == nil {
		x.refuseWindow(f)
	}
	switch {
	case f.Star && name != "count":
		fail(sqlerr.Type, f.Pos(), "only count takes *")
	case f.Distinct:
		failHint(sqlerr.Type, f.Pos(), "count distinct values in a grouped subquery", "a window function takes no DISTINCT")
	case len(f.OrderBy) > 0:
		failHint(sqlerr.Type, f.OrderBy[0].Pos(), "the order goes into OVER (… ORDER BY …)", "a window function takes no ORDER BY among its arguments")
	case f.Filter != nil && w.Aggregate == nil:
		fail(sqlerr.Type, f.Filter.Pos(), "%s is no aggregate: it takes no FILTER", name)
	case f.IgnoreNulls && !w.SkipsNulls:
		failHint(sqlerr.Type, f.Pos(), "lag, lead, first_value, last_value and nth_value do", "%s takes no IGNORE NULLS", name)
	}
	over := x.windows.resolved(f.Over, x.windows.named)

	in := *x // aggregates are allowed in all parts, windows are not
	in.windows, in.itemAliases, in.clause = nil, x.windows.aliases, "the arguments of a window function"
	call := plan.WindowCall{Fn: w, IgnoreNulls: f.IgnoreNulls}
	args := make([]operand, len(f.Args))
	types := make([]sqltype.Type, len(f.Args))
	for i, a := range f.Args {
		args[i] = in.operand(a)
		types[i] = args[i].Type()
	}
	overload, params, result, err := w.Resolve(types)
	if err != nil {
		panic(placed(err, f.Pos()))
	}
	call.Overload, call.T = overload, result
	for i, a := range args {
		call.Args = append(call.Args, coerce(a.Expr, params[i]))
	}
	if f.Filter != nil {
		in.clause = "FILTER"
		call.Filter = in.boolean(f.Filter)
	}

	in.clause = "OVER"
	var spec window
	for _, e := range over.PartitionBy {
		key := in.expr(e)
		if hasMap(key.Type()) { // equal ones need not sort next to each other
			fail(sqlerr.Type, e.Pos(), "values of type %s cannot be partitioned by", key.Type())
		}
		spec.partition = append(spec.partition, key)
	}
	for _, item := range over.OrderBy {
		spec.order = append(spec.order, sortKey(in.expr(item.Expr), item))
	}
	call.Frame = plan.DefaultFrame
	switch {
	case w.Ordered && len(spec.order) == 0:
		failHint(sqlerr.Type, f.Over.Pos(), name+"(…) OVER (ORDER BY …)", "%s needs a window with an ORDER BY", name)
	case w.Ordered && over.Frame != nil:
		fail(sqlerr.Type, over.Frame.Pos(), "%s takes no frame: it sees the whole partition", name)
	case over.Frame != nil:
		call.Frame = in.frame(over.Frame, spec.order)
	}
	return &expr.Column{Index: windowBase + x.windows.add(spec, call), Name: name, T: result}
}

// add files a call and returns its number; the same call over the same window is computed once.
func (ws *windowing) add(spec window, call plan.WindowCall) int {
	at := slices.IndexFunc(ws.groups, func(g window) bool {
		return slices.EqualFunc(g.partition, spec.partition, expr.Equal) && slices.EqualFunc(g.order, spec.order, plan.SortKey.Equal) &&
			!slices.ContainsFunc(g.partition, expr.Volatile)
	})
	if at < 0 {
		at = len(ws.groups)
		ws.groups = append(ws.groups, spec)
	}
	g := &ws.groups[at]
	for i, c := range g.calls {
		if c.Overload == call.Overload && c.IgnoreNulls == call.IgnoreNulls && c.Frame.Equal(call.Frame) &&
			slices.EqualFunc(c.Args, call.Args, expr.Equal) && expr.Equal(c.Filter, call.Filter) && !slices.ContainsFunc(c.Exprs(), expr.Volatile) {
			return g.numbers[i]
		}
	}
	g.calls, g.numbers = append(g.calls, call), append(g.numbers, ws.count)
	ws.count++
	return ws.count - 1
}

// settle puts a node for each window on top of the clauses before it, whose expressions settle turns into ones over node, and returns
// the function that does so for expressions with windows in them.
func (ws *windowing) settle(node plan.Node, settle func(expr.Expr) expr.Expr) (plan.Node, func(expr.Expr) expr.Expr) {
	columns := make([]expr.Expr, ws.count)
	for _, g := range ws.arranged() {
		n := &plan.Window{Input: node, PartitionBy: g.partition, OrderBy: g.order, Calls: g.calls, Columns: node.Schema()}
		n = plan.MapExprs(n, settle).(*plan.Window)
		width := len(n.Columns)
		for i, c := range n.Calls {
			column := plan.Column{Name: c.Label(), Type: c.T}
			n.Columns = append(n.Columns[:width+i:width+i], column)
			columns[g.numbers[i]] = &expr.Column{Index: outputBase + width + i, Name: column.Name, T: column.Type}
		}
		node = n
	}
	return node, func(e expr.Expr) expr.Expr {
		return settle(expr.Rewrite(e, func(e expr.Expr) expr.Expr {
			if c, ok := e.(*expr.Column); ok && c.Index >= windowBase && c.Index < outputBase {
				return columns[c.Index-windowBase]
			}
			return e
		}))
	}
}

// arranged puts each window right above one that brings the rows into its order, too, if there is such a one: so they are sorted once.
func (ws *windowing) arranged() []window {
	keys := func(w window) []plan.SortKey {
		return (&plan.Window{PartitionBy: w.partition, OrderBy: w.order}).SortKeys()
	}
	var out []window
	longestFirst := func(a, b window) int { return len(keys(b)) - len(keys(a)) }
	for _, w := range slices.SortedStableFunc(slices.Values(ws.groups), longestFirst) {
		own := keys(w)
		below := slices.IndexFunc(out, func(v window) bool {
			return len(own) > 0 && slices.EqualFunc(own, keys(v)[:len(own)], plan.SortKey.Equal)
		})
		if below < 0 {
			below = len(out) - 1
		}
		out = slices.Insert(out, below+1, w)
	}
	return out
}

var (
	frameUnits = map[string]plan.FrameUnit{"rows": plan.Rows, "range": plan.Range, "groups": plan.Groups}
	boundKinds = map[string]plan.BoundKind{
		"unbounded preceding": plan.UnboundedPreceding, "preceding": plan.Preceding, "current row": plan.CurrentRow,
		"following": plan.Following, "unbounded following": plan.UnboundedFollowing,
	}
)

// frame binds ROWS, RANGE or GROUPS of a window in the given order.
func (x *exprs) frame(f *sql.Frame, order []plan.SortKey) plan.Frame {
	start, end := boundKinds[f.Start.Kind], boundKinds[f.End.Kind]
	switch {
	case start == plan.UnboundedFollowing:
		fail(sqlerr.Type, f.Pos(), "a frame cannot start with UNBOUNDED FOLLOWING")
	case end == plan.UnboundedPreceding:
		fail(sqlerr.Type, f.Pos(), "a frame cannot end with UNBOUNDED PRECEDING")
	case start > end:
		failHint(sqlerr.Type, f.Pos(), "write BETWEEN the earlier bound AND the later one",
			"a frame that starts with %s cannot end with %s", strings.ToUpper(f.Start.Kind), strings.ToUpper(f.End.Kind))
	}
	unit := frameUnits[f.Unit]
	return plan.Frame{Unit: unit, Start: x.frameBound(f, f.Start, unit, order), End: x.frameBound(f, f.End, unit, order)}
}

func (x *exprs) frameBound(f *sql.Frame, b sql.FrameBound, unit plan.FrameUnit, order []plan.SortKey) plan.FrameBound {
	out := plan.FrameBound{Kind: boundKinds[b.Kind]}
	if b.Value == nil {
		if unit == plan.Groups && len(order) == 0 {
			fail(sqlerr.Type, f.Pos(), "a frame of GROUPS needs an ORDER BY in its window")
		}
		return out
	}
	offset := x.operand(b.Value)
	out.Pos = offset.at
	if unit != plan.Rows && len(order) != 1 && (unit == plan.Range || len(order) == 0) {
		failHint(sqlerr.Type, f.Pos(), "ROWS counts rows in any order", "a frame of %s with an offset needs %s",
			strings.ToUpper(f.Unit), map[bool]string{true: "an ORDER BY of one expression", false: "an ORDER BY in its window"}[unit == plan.Range])
	}
	if unit != plan.Range {
		if !offset.Type().IsInteger() && offset.Type().Kind != sqltype.Unknown {
			fail(sqlerr.Type, offset.at, "a frame of %s takes a whole number, not %s", strings.ToUpper(f.Unit), offset.Type())
		}
		out.Offset = coerce(offset.Expr, sqltype.BigIntType)
		return out
	}
	key := order[0]
	op := "-"
	if (out.Kind == plan.Following) != key.Desc {
		op = "+"
	}
	edge, t := x.edge(op, key.Expr, offset)
	out.Offset, out.Key, out.Edge = offset.Expr, coerce(key.Expr, t), coerce(edge, t)
	return out
}

// edge is the sort key plus or minus an offset, and the type in which the two can be compared.
func (x *exprs) edge(op string, key expr.Expr, offset operand) (edge expr.Expr, t sqltype.Type) {
	ok := offset.Type().Kind != sqltype.Unknown
	if ok {
		ok = caught(func() { edge = x.apply(op, offset.at, operand{key, offset.at}, offset) }) == nil
	}
	if ok {
		t, ok = sqltype.Common(key.Type(), edge.Type())
	}
	if !ok || !numeric(t) && offset.Type().Kind != sqltype.IntervalDay && offset.Type().Kind != sqltype.IntervalYear {
		hint := "order by a number, a date or a time; of dates and times the offset is an interval, such as INTERVAL '1' HOUR"
		failHint(sqlerr.Type, offset.at, hint, "a frame of RANGE cannot go %s from values of type %s", offset.Type(), key.Type())
	}
	return edge, t
}

func hasMap(t sqltype.Type) bool {
	switch t.Kind {
	case sqltype.Map:
		return true
	case sqltype.Array:
		return hasMap(*t.Elem)
	case sqltype.Row:
		return slices.ContainsFunc(t.Fields, func(f sqltype.Field) bool { return hasMap(f.Type) })
	}
	return false
}

// usingWindows says which of the subqueries take a value that a window function is part of, as in rank() OVER (…) IN (SELECT …).
func usingWindows(laters []later) []bool {
	is := make([]bool, len(laters))
	for i, l := range laters {
		is[i] = slices.ContainsFunc(expr.Columns(l.args...), func(c int) bool {
			return c >= windowBase && c < outputBase || c >= subqueryBase && c < groupingBase && is[c-subqueryBase]
		})
	}
	return is
}
