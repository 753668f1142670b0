package bind

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// from binds the comma-separated items of FROM as cross joins, left to right.
func (b *binder) from(items []sql.TableExpr, with *env, outer *scope) *relation {
	if len(items) == 0 {
		return oneRow()
	}
	rel := b.tableExpr(items[0], with, outer)
	for _, item := range items[1:] {
		if u, alias := unnestOf(item); u != nil {
			rel = b.unnest(rel, u, alias, false, with, outer)
			continue
		}
		if l, alias := lateralOf(item); l != nil {
			rel = b.lateral(rel, l, alias, nil, with, outer)
			continue
		}
		rel = crossJoin(rel, b.tableExpr(item, with, outer), item.Pos())
	}
	return rel
}

func crossJoin(left, right *relation, at sqlerr.Pos) *relation {
	checkColumns(len(left.fields)+len(right.fields), at)
	return &relation{
		node:   plan.NewJoin(plan.CrossJoin, left.node, right.node, nil),
		fields: slices.Concat(left.fields, right.fields),
	}
}

func (b *binder) tableExpr(t sql.TableExpr, with *env, outer *scope) *relation {
	switch t := t.(type) {
	case *sql.TableName:
		return b.table(t, with)
	case *sql.SubqueryTable:
		return b.query(t.Query, with, outer)
	case *sql.Aliased:
		if u, alias := unnestOf(t); u != nil {
			return b.unnest(oneRow(), u, alias, false, with, outer)
		}
		return b.tableExpr(t.Table, with, outer).as(t)
	case *sql.UnnestTable:
		return b.unnest(oneRow(), t, nil, false, with, outer)
	case *sql.JoinTable:
		return b.join(t, with, outer)
	case *sql.Sampled:
		return b.sampled(t, with, outer)
	case *sql.LateralTable: // with nothing to its left
		return b.query(t.Query, with, outer)
	case *sql.TableFunction:
		return b.tableFunction(t)
	}
	fail(sqlerr.Internal, t.Pos(), "no binding of %T", t)
	return nil
}

// sampled keeps each row with the same chance. So does SYSTEM, which is free to choose what it draws.
func (b *binder) sampled(t *sql.Sampled, with *env, outer *scope) *relation {
	rel := b.tableExpr(t.Table, with, outer)
	x := &exprs{binder: b, with: with, in: oneRow(), outer: outer, clause: "TABLESAMPLE"}
	percent := x.expr(t.Percent)
	share := -1.0
	if numeric(percent.Type()) {
		if lit, ok := b.constant(coerce(percent, sqltype.DoubleType)); ok && !lit.IsNull() {
			share = vec.Value(lit.Value, 0).(float64) / 100
		}
	}
	if !(share >= 0 && share <= 1) {
		fail(sqlerr.Value, t.Percent.Pos(), "TABLESAMPLE takes a percentage from 0 to 100")
	}
	drawn := &expr.Compare{Op: expr.Lt, Left: b.apply("random", t.Pos()), Right: expr.NewLiteral(sqltype.DoubleType, share)}
	rel.node = &plan.Filter{Input: rel.node, Conjuncts: []expr.Expr{drawn}}
	return rel
}

// as gives the relation an alias, and with a column list new names to its columns.
func (r *relation) as(a *sql.Aliased) *relation {
	out := &relation{node: r.node, fields: slices.Clone(r.fields)}
	for i := range out.fields {
		out.fields[i].qualifier = []string{lower(a.Alias)}
	}
	if len(a.Columns) > 0 {
		out = out.visible()
		out.rename(a.Columns, a.Alias.Name)
	}
	return out
}

// rename gives the columns the names of an alias' column list.
func (r *relation) rename(names []sql.Ident, relation string) {
	if len(names) != len(r.fields) {
		fail(sqlerr.Name, names[0].Pos(), "%q has %d columns, the list names %d", relation, len(r.fields), len(names))
	}
	p := &plan.Project{Input: r.node, Exprs: plan.ColumnRefs(r.node)[:len(names)]}
	for i, c := range r.node.Schema()[:len(names)] {
		p.Columns = append(p.Columns, plan.Column{Name: names[i].Name, Type: c.Type})
		r.fields[i].name = lower(names[i])
	}
	r.node = p
}

// table binds a name in FROM: a common table expression, a table or a view.
func (b *binder) table(t *sql.TableName, with *env) *relation {
	b.countRelation(t.Pos())
	parts, written := make([]string, len(t.Name)), make([]string, len(t.Name))
	for i, id := range t.Name {
		parts[i], written[i] = lower(id), id.Name
	}
	if len(parts) == 1 {
		if e := with.find(parts[0]); e != nil {
			if t.AsOf != nil {
				fail(sqlerr.Type, t.AsOf.Pos(), "%q is defined by WITH, which has no versions; write FOR … AS OF in its query", written[0])
			}
			if e.last != nil {
				return e.last.use(t)
			}
			if rel := b.recursive(e); rel != nil {
				return rel.as(&sql.Aliased{Alias: e.cte.Name})
			}
			rel := b.query(e.cte.Query, e.parent, nil)
			return rel.as(&sql.Aliased{Alias: e.cte.Name, Columns: e.cte.Columns})
		}
	}
	found, ok := b.snapshot.Resolve(b.session.Qualified(written))
	if !ok {
		b.unknownTable(t, with)
	}
	if t.AsOf != nil {
		b = b.at(t)
	}
	return b.named(found, t, parts)
}

// at is the binder for a table as it was.
func (b *binder) at(t *sql.TableName) *binder {
	clause, want := "FOR VERSION AS OF", sqltype.BigIntType
	if t.Time {
		clause, want = "FOR TIMESTAMP AS OF", sqltype.TimestampTZType
	}
	x := &exprs{binder: b, in: oneRow(), clause: clause}
	e := x.expr(t.AsOf)
	if call, ok := e.(*expr.Call); ok && call.Fn == openParam {
		return b
	}
	switch e.Type().Kind {
	case sqltype.TinyInt, sqltype.SmallInt, sqltype.Integer, sqltype.BigInt:
		if t.Time {
			fail(sqlerr.Type, t.AsOf.Pos(), "%s takes a date or a timestamp, not %s; a number is a version: FOR VERSION AS OF", clause, e.Type())
		}
	case sqltype.Date, sqltype.Timestamp, sqltype.TimestampTZ:
		if !t.Time {
			fail(sqlerr.Type, t.AsOf.Pos(), "%s takes a number, not %s; for a time write FOR TIMESTAMP AS OF", clause, e.Type())
		}
	default:
		fail(sqlerr.Type, t.AsOf.Pos(), "%s takes a %s, not %s", clause, map[bool]string{true: "date or a timestamp", false: "number"}[t.Time], e.Type())
	}
	lit, ok := b.constant(coerce(e, want))
	if !ok || lit.IsNull() {
		fail(sqlerr.Value, t.AsOf.Pos(), "the value of this expression is not known before the statement runs")
	}
	inner := *b
	value := vec.Value(lit.Value, 0).(int64)
	if t.Time {
		inner.asOf = &source.Moment{At: time.UnixMicro(value)}
	} else {
		inner.asOf = &source.Moment{Version: value}
	}
	return &inner
}

// asItWas keeps the rows that a table had at b.asOf.
func (b *binder) asItWas(rel *relation, table source.Table, at sqlerr.Pos) *relation {
	versioned, ok := table.(source.Versioned)
	if !ok {
		fail(sqlerr.Type, at, "%s has no versions", table.Name())
	}
	column, version, err := versioned.AsOf(*b.asOf)
	if err != nil {
		e := sqlerr.Error{Kind: sqlerr.KindOf(err), Msg: err.Error()}
		var known *sqlerr.Error
		if errors.As(err, &known) {
			e = *known
		}
		e.Pos = at
		panic(&e)
	}
	rel.node = &plan.Filter{Input: rel.node, Conjuncts: []expr.Expr{
		&expr.Compare{Op: expr.Le, Left: plan.ColumnRefs(rel.node)[column], Right: expr.NewLiteral(sqltype.BigIntType, version)}}}
	return rel
}

// named binds the relation that t stands for; parts are the parts of its name.
func (b *binder) named(found source.Relation, t *sql.TableName, parts []string) *relation {
	switch r := found.(type) {
	case *source.View:
		return b.view(r, t, parts)
	case *source.Bound:
		return b.derive(b.named(r.Of, t, parts), r.Columns, t, parts)
	case source.Stored:
		scan := &plan.Scan{Table: r.Table, Limit: -1}
		rel := &relation{node: scan}
		for i, c := range r.Table.Columns() {
			scan.Paths = append(scan.Paths, source.Path{Column: i})
			scan.Columns = append(scan.Columns, plan.Column{Name: c.Name, Type: c.Type})
			rel.fields = append(rel.fields, field{qualifier: parts, name: strings.ToLower(c.Name), hidden: c.Hidden})
		}
		if b.asOf != nil {
			return b.asItWas(rel, r.Table, t.Pos())
		}
		return rel
	}
	fail(sqlerr.Internal, t.Pos(), "no binding of %T", found)
	return nil
}

// fewTables is how many tables an error about an unknown one lists.
const fewTables = 12

func (b *binder) unknownTable(t *sql.TableName, with *env) {
	names := slices.Clone(b.snapshot.Names())
	for e := with; e != nil; e = e.parent {
		names = append(names, e.cte.Name.Name)
	}
	name := dotted(t.Name)
	hint := didYouMean(t.Name[len(t.Name)-1].Name, names)
	schema := name[:max(0, strings.LastIndexByte(name, '.'))]
	switch {
	case strings.EqualFold(schema, "information_schema") || strings.HasPrefix(strings.ToLower(schema), "system."):
		hint = "SHOW TABLES FROM " + schema + " lists what there is"
	case len(names) == 0:
		hint = "the lake has no tables"
	case len(names) <= fewTables:
		hint = strings.TrimSpace(hint + " the tables are " + strings.Join(names, ", "))
	case hint == "":
		hint = "SHOW TABLES lists them"
	}
	failHint(sqlerr.Name, t.Pos(), hint, "table %q does not exist", name)
}

// view binds a view's text. Its errors are shown at the place that names the view, and say where in the view they are.
func (b *binder) view(v *source.View, t *sql.TableName, parts []string) *relation {
	var rel *relation
	err := b.expand("view", v.Name, v.SQL, t.Pos(), func(inner *binder, q *sql.Query) {
		inner.session.Schema = v.Schema
		rel = inner.query(q, nil, nil)
		if len(v.Columns) > 0 {
			rel = rel.visible()
			names := make([]sql.Ident, len(v.Columns))
			for i, column := range v.Columns {
				names[i].Name = column
			}
			rel.rename(names, v.Name)
		}
	})
	if err != nil {
		place := ""
		var e *sqlerr.Error
		if errors.As(err, &e) && e.Pos > 0 {
			line, column := sqlerr.LineColumn(v.SQL, e.Pos)
			place = fmt.Sprintf(", line %d:%d of its query", line, column)
		}
		panic(&sqlerr.Error{Kind: sqlerr.KindOf(err), Pos: t.Pos(), Msg: fmt.Sprintf("view %q%s: %s", v.Name, place, err)})
	}
	return rel.expanded(v.Hidden, parts, t.Pos())
}

// expand parses the text of a view or macro and has it bound; the error is of the text.
func (b *binder) expand(what, name, text string, at sqlerr.Pos, bind func(inner *binder, q *sql.Query)) error {
	lowered := strings.ToLower(name)
	if slices.Contains(b.expanding, lowered) {
		fail(sqlerr.Name, at, "%s %q is defined by itself: %s", what, name, strings.Join(append(b.expanding, lowered), " → "))
	}
	if len(b.expanding) >= maxViews {
		fail(sqlerr.Resource, at, "views stand in views more than %d levels deep: %s", maxViews, strings.Join(b.expanding, " → "))
	}
	inner, session := *b, *b.session
	session.Catalog, session.Schema = "", "" // whatever those of the asker are
	inner.session, inner.arguments, inner.expanding = &session, nil, append(slices.Clone(b.expanding), lowered)
	return caught(func() {
		st, err := sql.Parse(text)
		if err != nil {
			panic(err)
		}
		q, ok := st.(*sql.Query)
		if !ok {
			fail(sqlerr.Syntax, 1, "its text is no SELECT")
		}
		bind(&inner, q)
	})
}

// expanded is the relation that a text gives, as it is seen at the place that names it.
func (r *relation) expanded(hidden, qualifier []string, at sqlerr.Pos) *relation {
	r.node = placedAt(r.node, at)
	for i := range r.fields {
		f := &r.fields[i]
		f.qualifier = qualifier
		f.hidden = slices.ContainsFunc(hidden, func(h string) bool { return strings.EqualFold(h, f.name) })
	}
	return r
}

// placedAt gives all expressions of a view's plan the place of its name: theirs are in the view's text.
func placedAt(n plan.Node, at sqlerr.Pos) plan.Node {
	place := placing(at)
	return plan.Rewrite(n, func(n plan.Node) plan.Node {
		return plan.MapExprs(n, func(e expr.Expr) expr.Expr { return expr.Rewrite(e, place) })
	})
}

// placing is what gives one expression a place, for expr.Rewrite.
func placing(at sqlerr.Pos) func(e expr.Expr) expr.Expr {
	var place func(e expr.Expr) expr.Expr
	place = func(e expr.Expr) expr.Expr {
		switch e := e.(type) {
		case *expr.Call:
			c := *e
			c.Pos = at
			return &c
		case *expr.Cast:
			c := *e
			c.Pos = at
			return &c
		case *expr.Lambda:
			return &expr.Lambda{Params: e.Params, Captured: e.Captured, Body: expr.Rewrite(e.Body, place)}
		}
		return e
	}
	return place
}

var joinKinds = map[sql.JoinType]plan.JoinKind{
	sql.Inner: plan.InnerJoin, sql.Left: plan.LeftJoin, sql.Right: plan.LeftJoin, sql.CrossType: plan.CrossJoin,
}

func (b *binder) join(j *sql.JoinTable, with *env, outer *scope) *relation {
	left := b.tableExpr(j.Left, with, outer)
	if u, alias := unnestOf(j.Right); u != nil {
		if on, ok := j.On.(*sql.Bool); j.Type != sql.CrossType && (!ok || !on.Value) || len(j.Using) > 0 {
			fail(sqlerr.Unknown, j.Pos(), "a JOIN with UNNEST takes no condition but ON TRUE")
		}
		if j.Type == sql.Right || j.Type == sql.Full {
			unsupported(j.Pos(), "RIGHT and FULL JOIN with UNNEST are")
		}
		return b.unnest(left, u, alias, j.Type == sql.Left, with, outer)
	}
	if l, alias := lateralOf(j.Right); l != nil {
		if j.Natural || len(j.Using) > 0 {
			unsupported(j.Pos(), "NATURAL and USING with LATERAL are")
		}
		if j.Type == sql.Right || j.Type == sql.Full {
			fail(sqlerr.Type, j.Pos(), "RIGHT and FULL JOIN take no LATERAL: its rows depend on those of the left side")
		}
		return b.lateral(left, l, alias, j, with, outer)
	}
	right := b.tableExpr(j.Right, with, outer)
	if j.Natural {
		j = natural(j, left, right)
	}
	if j.Type != sql.Right {
		return b.joinOn(j, left, right, with, outer)
	}
	// A right join is the left join of the swapped sides with the columns put back in order.
	swapped := b.joinOn(j, right, left, with, outer)
	if len(j.Using) > 0 {
		return swapped
	}
	width := len(right.node.Schema())
	refs, schema := plan.ColumnRefs(swapped.node), swapped.node.Schema()
	return &relation{
		node: &plan.Project{
			Input: swapped.node, Exprs: slices.Concat(refs[width:], refs[:width]), Columns: slices.Concat(schema[width:], schema[:width]),
		},
		fields: slices.Concat(left.fields, right.fields),
	}
}

func (b *binder) joinOn(j *sql.JoinTable, left, right *relation, with *env, outer *scope) *relation {
	both := crossJoin(left, right, j.Pos())
	if len(j.Using) > 0 {
		return b.joinUsing(j, left, right, both)
	}
	var on []expr.Expr
	if j.On != nil {
		var subqueries []later
		x := &exprs{binder: b, with: with, in: both, outer: outer, clause: "ON", later: &subqueries}
		on = x.conjuncts(j.On)
		switch {
		case len(subqueries) == 0:
		case j.Type == sql.Inner:
			x.later = nil
			width := len(both.node.Schema())
			x.filter(on, subqueries)
			return &relation{node: firstColumns(both.node, width), fields: both.fields}
		default:
			return b.joinWithSubqueries(j, left, right, on, subqueries)
		}
	}
	return &relation{node: joinNode(j.Type, left.node, right.node, on), fields: both.fields}
}

// joinWithSubqueries is an outer join with subqueries in its condition. Each is joined to the side that it is correlated to.
func (b *binder) joinWithSubqueries(j *sql.JoinTable, left, right *relation, on []expr.Expr, subqueries []later) *relation {
	const rightBase = 1 << 26 // of the right side's columns, until the width of the left one is known
	width, widthRight := len(left.node.Schema()), len(right.node.Schema())
	apart := func(es []expr.Expr) []expr.Expr {
		out := make([]expr.Expr, len(es))
		for i, e := range es {
			out[i] = plan.MoveColumns(e, func(c int) int {
				if c >= width && c < aggregateBase {
					c += rightBase - width
				}
				return c
			})
		}
		return out
	}
	moved := func(es []expr.Expr, by int) []expr.Expr {
		out := make([]expr.Expr, len(es))
		for i, e := range es {
			out[i] = plan.MoveColumns(e, func(c int) int { return c + by })
		}
		return out
	}
	nodes := [2]plan.Node{left.node, right.node}
	var values []expr.Expr
	for _, l := range subqueries {
		args := withSubqueries(apart(l.args), values)
		sides := plan.NoSide
		for _, e := range args {
			sides |= plan.SidesOf(e, rightBase)
		}
		var value expr.Expr
		switch sides {
		case plan.BothSides:
			failHint(sqlerr.Unknown, j.On.Pos(), "compute it on one side, in a subquery in FROM",
				"a subquery in the ON of an outer join that uses columns of both sides is not supported")
		case plan.RightSide:
			nodes[1], value = l.join(nodes[1], moved(args, -rightBase))
			value = moved([]expr.Expr{value}, rightBase)[0]
		default:
			nodes[0], value = l.join(nodes[0], args)
		}
		values = append(values, value)
	}
	on = withSubqueries(apart(on), values)
	newWidth := len(nodes[0].Schema())
	for i, e := range on {
		on[i] = plan.MoveColumns(e, func(c int) int {
			if c >= rightBase {
				c += newWidth - rightBase
			}
			return c
		})
	}
	joined := joinNode(j.Type, nodes[0], nodes[1], on)
	return &relation{
		node: columnsOf(joined, span(0, width), span(newWidth, newWidth+widthRight)), fields: slices.Concat(left.fields, right.fields),
	}
}

// joinNode joins two bound sides. A full join is the left join and, below it, the right rows without a match beside NULLs.
func joinNode(kind sql.JoinType, left, right plan.Node, on []expr.Expr) plan.Node {
	if kind != sql.Full {
		return plan.NewJoin(joinKinds[kind], left, right, on)
	}
	left, right = repeatable(left), repeatable(right)
	matched := plan.NewJoin(plan.LeftJoin, left, right, on)
	width, widthRight := len(left.Schema()), len(right.Schema())
	swapped := make([]expr.Expr, len(on))
	for i, e := range on {
		swapped[i] = plan.MoveColumns(e, func(c int) int {
			if c < width {
				return c + widthRight
			}
			return c - width
		})
	}
	rest := &plan.Project{Input: plan.NewJoin(plan.AntiJoin, right, left, swapped), Columns: matched.Schema()}
	for _, c := range left.Schema() {
		rest.Exprs = append(rest.Exprs, expr.NullLiteral(c.Type))
	}
	rest.Exprs = append(rest.Exprs, plan.ColumnRefs(right)...)
	return &plan.Union{Children: []plan.Node{matched, rest}, Columns: matched.Schema()}
}

// joinUsing joins on columns of equal name. The result has each of them once and first, then the rest of the left side and of the
// right, as SQL has it; for a right join, where the sides came swapped, "left" is the written right one.
func (b *binder) joinUsing(j *sql.JoinTable, left, right, both *relation) *relation {
	var on, merged []expr.Expr
	var columns []plan.Column
	out := &relation{}
	refs, schema := plan.ColumnRefs(both.node), both.node.Schema()
	width := len(left.node.Schema())
	used := map[int]bool{}
	for _, id := range j.Using {
		l, n, many := left.find([]string{lower(id)})
		r, m, manyRight := right.find([]string{lower(id)})
		if many || manyRight {
			fail(sqlerr.Name, id.Pos(), "column %q is ambiguous", id.Name)
		}
		if n == 0 || m == 0 {
			fail(sqlerr.Name, id.Pos(), "column %q does not exist on both sides of the join", id.Name)
		}
		used[l], used[width+r] = true, true
		on = append(on, b.compare(expr.Eq, operand{refs[l], id.Pos()}, operand{refs[width+r], id.Pos()}, id.Pos()))
		column := schema[l]
		value := refs[l]
		if j.Type == sql.Full {
			column.Type, _ = sqltype.Common(column.Type, schema[width+r].Type)
			value = firstOf(column.Type, refs[l], refs[width+r])
		}
		merged, columns = append(merged, value), append(columns, column)
		out.fields = append(out.fields, field{name: lower(id)})
	}
	sides := [][2]int{{0, width}, {width, len(refs)}}
	if j.Type == sql.Right {
		slices.Reverse(sides)
	}
	for _, side := range sides {
		for i := side[0]; i < side[1]; i++ {
			if !used[i] {
				merged, columns = append(merged, refs[i]), append(columns, schema[i])
				out.fields = append(out.fields, both.fields[i])
			}
		}
	}
	out.node = &plan.Project{
		Input: joinNode(j.Type, left.node, right.node, on), Exprs: merged, Columns: columns,
	}
	return out
}

// natural is the join USING the columns that both sides have; without such, every row matches.
func natural(j *sql.JoinTable, left, right *relation) *sql.JoinTable {
	out := *j
	for _, l := range left.fields {
		same := func(r field) bool { return !r.hidden && r.name == l.name }
		if !l.hidden && l.name != "" && slices.ContainsFunc(right.fields, same) {
			out.Using = append(out.Using, sql.Ident{At: j.At, Name: l.name})
		}
	}
	if len(out.Using) == 0 {
		out.On = &sql.Bool{At: j.At, Value: true}
	}
	return &out
}

// unnestOf returns the UNNEST that a table expression is, with its alias, or nil.
func unnestOf(t sql.TableExpr) (*sql.UnnestTable, *sql.Aliased) {
	switch t := t.(type) {
	case *sql.UnnestTable:
		return t, nil
	case *sql.Aliased:
		if u, ok := t.Table.(*sql.UnnestTable); ok {
			return u, t
		}
	}
	return nil, nil
}

// unnest puts the elements of arrays and maps beside the rows of left, whose columns they may use.
func (b *binder) unnest(left *relation, u *sql.UnnestTable, alias *sql.Aliased, keep bool, with *env, outer *scope) *relation {
	x := &exprs{binder: b, with: with, in: left, outer: outer, clause: "UNNEST"}
	n := &plan.Unnest{Ordinality: u.Ordinality, Outer: keep}
	var added, whole []plan.Column // with a column per field of a row, and with one per row
	for _, arg := range u.Exprs {
		e := x.expr(arg)
		t := e.Type()
		switch t.Kind {
		case sqltype.Array:
			element := plan.Column{Type: *t.Elem}
			whole = append(whole, element)
			if t.Elem.Kind != sqltype.Row {
				added = append(added, element)
				break
			}
			for _, f := range t.Elem.Fields {
				added = append(added, plan.Column(f))
			}
		case sqltype.Map:
			pair := []plan.Column{{Type: *t.Key}, {Type: *t.Elem}}
			added, whole = append(added, pair...), append(whole, pair...)
		default:
			hint := ""
			if t.Kind == sqltype.JSON || t.Kind == sqltype.Varchar {
				hint = "cast it: UNNEST(CAST(json_parse(x) AS array(json)))"
			}
			failHint(sqlerr.Type, arg.Pos(), hint, "UNNEST takes arrays and maps, not %s", t)
		}
		n.Exprs = append(n.Exprs, e)
	}
	if u.Ordinality {
		ordinality := plan.Column{Name: "ordinality", Type: sqltype.BigIntType}
		added, whole = append(added, ordinality), append(whole, ordinality)
	}
	var qualifier []string
	if alias != nil {
		qualifier = []string{lower(alias.Alias)}
		named := len(alias.Columns)
		switch {
		case named == 0 || named == len(added):
		case named == len(whole):
			// A name for each array: elements that are rows stay whole, as many published queries expect.
			added, n.Whole = whole, true
		case named < len(added) && len(n.Exprs) == 1 && !u.Ordinality:
			// A name for the first fields of the rows: queries written before the rows grew further ones still run.
		default:
			fail(sqlerr.Name, alias.Columns[0].Pos(), "UNNEST gives %d columns, the list of %q names %d", len(added), alias.Alias.Name, named)
		}
		for i, id := range alias.Columns {
			added[i].Name = id.Name
		}
	}
	// A subquery among the arguments has put columns behind those of left; they stay unnamed.
	fields := slices.Clone(left.fields)
	for range len(left.node.Schema()) - len(fields) {
		fields = append(fields, field{hidden: true})
	}
	for _, c := range added {
		fields = append(fields, field{qualifier: qualifier, name: strings.ToLower(c.Name)})
	}
	n.Input = left.node
	n.Columns = slices.Concat(left.node.Schema(), added)
	return &relation{node: n, fields: fields}
}
