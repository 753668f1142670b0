package bind

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
)

// A subquery that uses values of the rows around it is bound with expr.Outer in their place, and becomes a join with those rows here, as
// Neumann and Kemper do it ("Unnesting Arbitrary Queries", 2015): the subquery is computed for all distinct values at once, which are
// pushed down through its operators until nothing depends on them any more; its rows come out with the values that they are for, and are
// joined to the rows around by them. Where an equality gives the values anyway, its other side stands for them, and where all that
// depends on them are filters, these become the condition of the join.

// param is a value of the rows around a subquery that the subquery uses.
type param struct {
	id int       // of the expr.Outer that stands for it
	e  expr.Expr // over the relation around
}

// dependent is a subquery while it is being joined to the rows around it.
type dependent struct {
	*binder
	at     sqlerr.Pos  // of the subquery
	left   plan.Node   // the rows around
	params []param     // what the subquery uses of them
	values []expr.Expr // of params, over left
	domain plan.Node   // the distinct values; nil until they are needed
	spools map[*plan.SpoolID]*plan.SpoolID
}

// of returns the number of the param that e is.
func (d *dependent) of(e expr.Expr) (int, bool) {
	o, ok := e.(*expr.Outer)
	if !ok {
		return 0, false
	}
	i := slices.IndexFunc(d.params, func(p param) bool { return p.id == o.ID })
	return i, i >= 0
}

// usedBy reports whether one of es depends on the rows around.
func (d *dependent) usedBy(es ...expr.Expr) bool {
	found := false
	for _, e := range es {
		if e != nil {
			expr.Walk(e, func(e expr.Expr) bool {
				_, is := d.of(e)
				found = found || is
				return !found
			})
		}
	}
	return found
}

// usedIn reports whether a plan depends on the rows around.
func (d *dependent) usedIn(n plan.Node) bool {
	found := false
	plan.Walk(n, func(n plan.Node) {
		plan.MapExprs(n, func(e expr.Expr) expr.Expr {
			found = found || d.usedBy(e)
			return e
		})
	})
	return found
}

// replaced returns e with by[i] in place of the i-th param.
func (d *dependent) replaced(e expr.Expr, by []expr.Expr) expr.Expr {
	return expr.Rewrite(e, func(e expr.Expr) expr.Expr {
		if i, ok := d.of(e); ok {
			return by[i]
		}
		return e
	})
}

// distinctValues returns the plan of the domain, which may stand in several places. If computing the rows around a second time could
// give others, both are made to use one computation.
func (d *dependent) distinctValues() plan.Node {
	if d.domain == nil {
		d.left = repeatable(d.left)
		p := &plan.Project{Input: d.left, Exprs: d.values}
		for i, v := range d.values {
			p.Columns = append(p.Columns, plan.Column{Name: plan.Label(d.params[i].e), Type: v.Type()})
		}
		d.domain = newSpool(distinct(p))
	}
	return d.domain
}

func newSpool(n plan.Node) plan.Node { return &plan.Spool{Input: n, ID: new(plan.SpoolID)} }

// repeatable returns a node with the rows of n that may stand in several places.
func repeatable(n plan.Node) plan.Node {
	if reproducible(n) {
		return n
	}
	return newSpool(n)
}

// exactAggregates give the same however their rows are ordered and split.
var exactAggregates = []string{"count", "count_if", "min", "max", "bool_and", "bool_or", "every"}

// reproducible reports whether n yields the same rows each time.
func reproducible(n plan.Node) bool {
	same := true
	plan.Walk(n, func(n plan.Node) {
		switch n := n.(type) {
		case *plan.Scan, *plan.Values, *plan.Filter, *plan.Project, *plan.Join, *plan.Union, *plan.Unnest:
		case *plan.Aggregate:
			for _, a := range n.Aggs {
				same = same && slices.Contains(exactAggregates, a.Fn.Name)
			}
		case *plan.Sort:
			same = same && n.Limit < 0 && n.Offset == 0
		case *plan.Spool:
			// It is computed once, so what is below it may differ; Walk goes there all the same, which does no harm.
		default:
			same = false
		}
		plan.MapExprs(n, func(e expr.Expr) expr.Expr {
			same = same && !expr.Volatile(e)
			return e
		})
	})
	return same
}

// expand returns the rows of n for all values at once: the columns of n, then one per param. There may be rows for values that are not in the
// domain; no row around matches them.
func (d *dependent) expand(n plan.Node) plan.Node {
	if !d.usedIn(n) {
		return plan.NewJoin(plan.CrossJoin, n, d.distinctValues(), nil)
	}
	switch n := n.(type) {
	case *plan.Filter:
		if out := d.substituted(n); out != nil {
			return out
		}
		in := d.expand(n.Input)
		return &plan.Filter{Input: in, Conjuncts: d.bound(n.Conjuncts, in)}
	case *plan.Project:
		in := d.expand(n.Input)
		return &plan.Project{
			Input: in, Exprs: append(d.bound(n.Exprs, in), d.last(in)...), Columns: slices.Concat(n.Columns, d.lastColumns(in)),
		}
	case *plan.Aggregate:
		return d.expandAggregate(n)
	case *plan.Sort:
		in := d.expand(n.Input)
		if n.Limit < 0 && n.Offset == 0 {
			return in // the order of a subquery's rows is not kept
		}
		if n.Ties {
			return d.ranked(in, d.boundKeys(n.Keys, in), n.Limit, n.Offset)
		}
		return d.limited(in, d.boundKeys(n.Keys, in), n.Limit, n.Offset, nil)
	case *plan.Limit:
		return d.expandLimit(n)
	case *plan.Join:
		return d.expandJoin(n)
	case *plan.Union:
		out := &plan.Union{}
		for _, c := range n.Children {
			out.Children = append(out.Children, d.expand(c))
		}
		out.Columns = slices.Concat(n.Columns, d.lastColumns(out.Children[0]))
		return out
	case *plan.Unnest:
		in, width := d.expand(n.Input), len(n.Input.Schema())
		out := *n
		out.Input, out.Exprs = in, d.bound(n.Exprs, in)
		out.Columns = slices.Concat(in.Schema(), n.Columns[width:])
		end := len(in.Schema())
		return columnsOf(&out, span(0, width), span(end, len(out.Columns)), span(width, end))
	case *plan.Window:
		in, width := d.expand(n.Input), len(n.Input.Schema())
		values := d.last(in)
		out := *plan.MapExprs(n, func(e expr.Expr) expr.Expr { return d.replaced(e, values) }).(*plan.Window)
		out.Input, out.PartitionBy = in, slices.Concat(out.PartitionBy, values)
		out.Columns = slices.Concat(in.Schema(), n.Columns[width:])
		end := len(in.Schema())
		return columnsOf(&out, span(0, width), span(end, len(out.Columns)), span(width, end))
	case *plan.Values:
		return d.expandValues(n)
	case *plan.Spool:
		id := d.spools[n.ID]
		if id == nil {
			if d.spools == nil {
				d.spools = map[*plan.SpoolID]*plan.SpoolID{}
			}
			id = new(plan.SpoolID)
			d.spools[n.ID] = id
		}
		return &plan.Spool{Input: d.expand(n.Input), ID: id}
	}
	unsupported(d.at, "a subquery of this form that uses columns of the query around it is")
	return nil
}

// last returns references to the values' columns of an expanded node.
func (d *dependent) last(n plan.Node) []expr.Expr {
	refs := plan.ColumnRefs(n)
	return refs[len(refs)-len(d.params):]
}

func (d *dependent) lastColumns(n plan.Node) []plan.Column {
	schema := n.Schema()
	return schema[len(schema)-len(d.params):]
}

// bound returns es, which are over a node that in expands, over in.
func (d *dependent) bound(es []expr.Expr, in plan.Node) []expr.Expr {
	values := d.last(in)
	out := make([]expr.Expr, len(es))
	for i, e := range es {
		out[i] = d.replaced(e, values)
	}
	return out
}

func (d *dependent) boundKeys(keys []plan.SortKey, in plan.Node) []plan.SortKey {
	values := d.last(in)
	out := slices.Clone(keys)
	for i := range out {
		out[i].Expr = d.replaced(out[i].Expr, values)
	}
	return out
}

// substituted expands a filter over rows that do not depend on the values but must equal all of them: what equals a value stands for it.
// It returns nil if n is no such filter.
func (d *dependent) substituted(n *plan.Filter) plan.Node {
	if d.usedIn(n.Input) {
		return nil
	}
	by := make([]expr.Expr, len(d.params))
	var rest []expr.Expr
	for _, c := range n.Conjuncts {
		if i, e, ok := d.valueOf(c); ok && by[i] == nil {
			by[i] = e
		} else {
			rest = append(rest, c)
		}
	}
	p := &plan.Project{Exprs: plan.ColumnRefs(n.Input), Columns: slices.Clone(n.Input.Schema())}
	var conjuncts []expr.Expr
	for i, e := range by {
		if e == nil {
			return nil
		}
		p.Exprs = append(p.Exprs, e)
		p.Columns = append(p.Columns, plan.Column{Name: plan.Label(d.params[i].e), Type: e.Type()})
		var equals expr.Expr = &expr.Not{Arg: &expr.IsNull{Arg: e}}
		if k := e.Type().Kind; k == sqltype.Real || k == sqltype.Double { // NaN equals nothing either
			equals = &expr.Compare{Op: expr.Eq, Left: e, Right: e}
		}
		conjuncts = append(conjuncts, equals)
	}
	for _, c := range rest {
		conjuncts = append(conjuncts, d.replaced(c, by))
	}
	p.Input = &plan.Filter{Input: n.Input, Conjuncts: conjuncts}
	return p
}

// valueOf splits a conjunct that says that the i-th value equals e.
func (d *dependent) valueOf(c expr.Expr) (i int, e expr.Expr, ok bool) {
	eq, ok := c.(*expr.Compare)
	if !ok || eq.Op != expr.Eq {
		return 0, nil, false
	}
	outer, e := eq.Left, eq.Right
	i, ok = d.of(outer)
	if !ok {
		outer, e = e, outer
		i, ok = d.of(outer)
	}
	if !ok || d.usedBy(e) || expr.Volatile(e) || !arrow.TypeEqual(e.Type().Arrow(), outer.Type().Arrow()) {
		return 0, nil, false
	}
	switch e.Type().Kind {
	case sqltype.TimeTZ, sqltype.TimestampTZ, sqltype.Array, sqltype.Map, sqltype.Row, sqltype.JSON: // equal values may differ in what they show
		return 0, nil, false
	}
	return i, e, true
}

// expandJoin gives the values to the sides that need them. The left side of a join that keeps its rows needs them if the right one does,
// for it then keeps them per value.
func (d *dependent) expandJoin(n *plan.Join) plan.Node {
	inner := n.Kind == plan.InnerJoin || n.Kind == plan.CrossJoin
	inLeft, inRight := d.usedIn(n.Left), d.usedIn(n.Right)
	inLeft = inLeft || !inRight || !inner
	left, right := n.Left, n.Right
	if inLeft {
		left = d.expand(left)
	}
	if inRight {
		right = d.expand(right)
	}
	width, widthRight := len(n.Left.Schema()), len(n.Right.Schema())
	newWidth, k := len(left.Schema()), len(d.params)
	product := plan.NewJoin(plan.CrossJoin, left, right, nil)
	refs := plan.ColumnRefs(product)
	at := width // of the values
	if !inLeft {
		at = newWidth + widthRight
	}
	move := func(es []expr.Expr) []expr.Expr {
		out := make([]expr.Expr, len(es))
		for i, e := range es {
			e = plan.MoveColumns(e, func(c int) int {
				if c < width {
					return c
				}
				return c - width + newWidth
			})
			out[i] = d.replaced(e, refs[at:at+k])
		}
		return out
	}
	on, residual := move(n.KeyConjuncts()), move(expr.Conjuncts(n.Residual))
	if inLeft && inRight {
		for i := range k {
			on = append(on, &expr.Compare{Op: expr.NotDistinct, Left: refs[width+i], Right: refs[newWidth+widthRight+i]})
		}
	}
	if n.Kind != plan.MarkJoin {
		on, residual = append(on, residual...), nil
	}
	out := plan.NewJoin(n.Kind, left, right, on)
	switch n.Kind {
	case plan.SemiJoin, plan.AntiJoin:
		return out
	case plan.MarkJoin: // its residual may be NULL and is not to be taken apart
		j := out.(*plan.Join)
		j.Residual = expr.Conjoin(append(expr.Conjuncts(j.Residual), residual...))
		return columnsOf(j, span(0, width), span(newWidth, newWidth+1), span(at, at+k))
	}
	return columnsOf(out, span(0, width), span(newWidth, newWidth+widthRight), span(at, at+k))
}

// expandValues computes each row for all values.
func (d *dependent) expandValues(n *plan.Values) plan.Node {
	domain := d.distinctValues()
	refs := plan.ColumnRefs(domain)
	out := &plan.Union{Columns: slices.Concat(n.Columns, domain.Schema())}
	for _, row := range n.Rows {
		p := &plan.Project{Input: domain, Columns: out.Columns}
		for _, e := range row {
			p.Exprs = append(p.Exprs, d.replaced(e, refs))
		}
		p.Exprs = append(p.Exprs, refs...)
		out.Children = append(out.Children, p)
	}
	if len(out.Children) == 1 {
		return out.Children[0]
	}
	return out
}

// span lists the ordinals of columns.
func span(from, to int) []int {
	var out []int
	for i := from; i < to; i++ {
		out = append(out, i)
	}
	return out
}

// columnsOf projects n to some of its columns.
func columnsOf(n plan.Node, ordinals ...[]int) plan.Node {
	refs, schema := plan.ColumnRefs(n), n.Schema()
	p := &plan.Project{Input: n}
	for _, i := range slices.Concat(ordinals...) {
		p.Exprs, p.Columns = append(p.Exprs, refs[i]), append(p.Columns, schema[i])
	}
	return p
}

// pulled takes the filters that depend on the values out of n: the rows of n are those of node for which the conjuncts in on hold, and
// its columns are the expressions in out, all over node. With set, n counts as a set: equal rows may fall together or multiply. Not ok: more than
// filters and projections depends on the values.
func (d *dependent) pulled(n plan.Node, set bool) (node plan.Node, out, on []expr.Expr, ok bool) {
	if !d.usedIn(n) {
		return n, plan.ColumnRefs(n), nil, true
	}
	over := func(es []expr.Expr) []expr.Expr {
		low := make([]expr.Expr, len(es))
		for i, e := range es {
			low[i] = expr.Rewrite(e, func(e expr.Expr) expr.Expr {
				if c, ok := e.(*expr.Column); ok {
					return out[c.Index]
				}
				return e
			})
		}
		return low
	}
	switch n := n.(type) {
	case *plan.Filter:
		if node, out, on, ok = d.pulled(n.Input, set); !ok || slices.ContainsFunc(n.Conjuncts, expr.Volatile) {
			return nil, nil, nil, false
		}
		var own []expr.Expr
		for _, c := range over(n.Conjuncts) {
			if d.usedBy(c) {
				on = append(on, c)
			} else {
				own = append(own, c)
			}
		}
		if len(own) > 0 {
			node = &plan.Filter{Input: node, Conjuncts: own}
		}
		return node, out, on, true
	case *plan.Project:
		if node, out, on, ok = d.pulled(n.Input, set); !ok || slices.ContainsFunc(n.Exprs, expr.Volatile) {
			return nil, nil, nil, false
		}
		return node, over(n.Exprs), on, true
	case *plan.Sort:
		if n.Limit < 0 && n.Offset == 0 {
			return d.pulled(n.Input, set)
		}
	case *plan.Aggregate:
		if set && len(n.Aggs) == 0 && len(n.Keys) > 0 && n.Sets == nil {
			if node, out, on, ok = d.pulled(n.Input, set); ok {
				return node, over(n.Keys), on, true
			}
		}
	case *plan.Join:
		return d.pulledJoin(n, set)
	}
	return nil, nil, nil, false
}

// pulledJoin pulls out of both sides of an inner join and out of the left side of another.
func (d *dependent) pulledJoin(n *plan.Join, set bool) (node plan.Node, out, on []expr.Expr, ok bool) {
	left, outLeft, on, ok := d.pulled(n.Left, set)
	if !ok {
		return nil, nil, nil, false
	}
	right, outRight, onRight, ok := d.pulled(n.Right, set)
	if !ok {
		return nil, nil, nil, false
	}
	width := len(left.Schema())
	toRight := func(e expr.Expr) expr.Expr { return plan.MoveColumns(e, func(c int) int { return c + width }) }
	out = slices.Clone(outLeft)
	for _, e := range outRight {
		out = append(out, toRight(e))
	}
	over := func(e expr.Expr) expr.Expr {
		return expr.Rewrite(e, func(e expr.Expr) expr.Expr {
			if c, ok := e.(*expr.Column); ok {
				return out[c.Index]
			}
			return e
		})
	}
	if n.Kind == plan.InnerJoin || n.Kind == plan.CrossJoin {
		var own []expr.Expr
		for _, c := range append(n.KeyConjuncts(), expr.Conjuncts(n.Residual)...) {
			if c = over(c); d.usedBy(c) {
				on = append(on, c)
			} else {
				own = append(own, c)
			}
		}
		for _, c := range onRight {
			on = append(on, toRight(c))
		}
		return plan.NewJoin(plan.InnerJoin, left, right, own), out, on, true
	}
	if d.usedIn(n.Right) || d.usedBy(n.RightKeys...) {
		return nil, nil, nil, false
	}
	j := *n
	j.Left, j.Columns = left, plan.JoinColumns(n.Kind, left, right)
	j.LeftKeys = nil
	for _, k := range n.LeftKeys {
		j.LeftKeys = append(j.LeftKeys, over(k))
	}
	if n.Residual != nil {
		j.Residual = over(n.Residual)
	}
	if d.usedBy(append(j.LeftKeys, j.Residual)...) {
		return nil, nil, nil, false
	}
	switch n.Kind {
	case plan.SemiJoin, plan.AntiJoin:
		out = outLeft
	case plan.MarkJoin:
		refs := plan.ColumnRefs(&j)
		out = append(outLeft, refs[len(refs)-1])
	}
	return &j, out, on, true
}

// match returns a node whose rows, joined to those around on the conjuncts, are the rows of n for them. out are the columns of n. on and
// out are over the columns of both.
func (d *dependent) match(n plan.Node, set bool) (right plan.Node, out, on []expr.Expr) {
	right, out, on, ok := d.pulled(n, set)
	if !ok {
		return d.matchExpanded(n)
	}
	return right, d.joined(out), d.joined(on)
}

// matchExpanded is match where all conjuncts are equalities and out are columns of the right side.
func (d *dependent) matchExpanded(n plan.Node) (right plan.Node, out, on []expr.Expr) {
	right = d.expand(n)
	width := len(d.left.Schema())
	for i, ref := range plan.ColumnRefs(right) {
		ref = plan.MoveColumns(ref, func(c int) int { return c + width })
		if at := i - len(n.Schema()); at < 0 {
			out = append(out, ref)
		} else {
			on = append(on, &expr.Compare{Op: expr.NotDistinct, Left: d.values[at], Right: ref})
		}
	}
	return right, out, on
}

// joined returns es, which are over the right side of a join with the rows around and use those, over both.
func (d *dependent) joined(es []expr.Expr) []expr.Expr {
	width := len(d.left.Schema())
	out := make([]expr.Expr, len(es))
	for i, e := range es {
		e = plan.MoveColumns(e, func(c int) int { return c + width })
		out[i] = d.replaced(e, d.values)
	}
	return out
}

// keyed is match where the conjuncts are equalities only, and have become keys of a left join with the rows around that the caller
// completes. out are over the right side.
func (d *dependent) keyed(n plan.Node, set bool) (j *plan.Join, out []expr.Expr) {
	right, out, on := d.match(n, set)
	j = plan.NewJoin(plan.LeftJoin, d.left, right, on).(*plan.Join)
	width := len(d.left.Schema())
	if j.Residual != nil || slices.ContainsFunc(out, func(e expr.Expr) bool { return plan.SidesOf(e, width)&plan.LeftSide != 0 }) {
		right, out, on = d.matchExpanded(n)
		j = plan.NewJoin(plan.LeftJoin, d.left, right, on).(*plan.Join)
	}
	for i, e := range out {
		out[i] = plan.MoveColumns(e, func(c int) int { return c - width })
	}
	return j, out
}

// grouped joins to the rows around what aggregates give for them: the right side of j, grouped by its keys. It returns references to the
// aggregates' columns; they are NULL where there are no rows.
func (d *dependent) grouped(j *plan.Join, right plan.Node, keys []expr.Expr, calls ...plan.AggregateCall) []expr.Expr {
	agg := aggregateOf(right, keys, calls...)
	own := len(keys)
	width := len(d.left.Schema())
	if own == 0 {
		d.left = plan.NewJoin(plan.CrossJoin, d.left, agg, nil)
	} else {
		d.left = &plan.Join{
			Kind: plan.LeftJoin, Left: d.left, Right: agg, LeftKeys: j.LeftKeys, RightKeys: plan.ColumnRefs(agg)[:own], NullSafe: j.NullSafe,
			Columns: plan.JoinColumns(plan.LeftJoin, d.left, agg),
		}
	}
	return plan.ColumnRefs(d.left)[width+own:]
}
