package sql

import "github.com/trailql/trailql/engine/sqlerr"

// queryAhead reports whether token n ahead is a word that only a query begins with.
func (p *parser) queryAhead(n int) bool {
	return p.oneOf(n, "SELECT", "WITH", "VALUES", "TABLE") != ""
}

// parenQueryAhead reports whether a query in any number of parentheses begins with token n ahead.
func (p *parser) parenQueryAhead(n int) bool {
	if !p.matches(p.peek(n), "(") {
		return false
	}
	for p.matches(p.peek(n), "(") {
		n++
	}
	return p.queryAhead(n)
}

// parenQuery reads ( query ).
func (p *parser) parenQuery() *Query {
	p.opening("(")
	q := p.query()
	p.closing(")")
	return q
}

// query reads [WITH …] body [ORDER BY …] [OFFSET …] [LIMIT …].
func (p *parser) query() *Query {
	q := &Query{At: p.here()}
	if p.ahead("WITH") {
		p.enter()
		q.With = p.with()
		p.leave()
	}
	return p.finishQuery(q, nil)
}

// finishQuery reads the body of q and what follows it; first is the body's first term if that was read already.
func (p *parser) finishQuery(q *Query, first QueryBody) *Query {
	p.enter()
	p.queries++
	q.Body = p.union(first)
	p.tail(q)
	p.queries--
	p.leave()
	if inner, ok := q.Body.(*Query); ok && isBare(q) {
		return inner
	}
	return q
}

// isBare reports whether q is nothing but its body, so that parentheses around it say nothing.
func isBare(q *Query) bool {
	return q.With == nil && q.OrderBy == nil && q.Offset == nil && q.Limit == nil
}

// body is q as an operand: without the Query around it where that says nothing.
func body(q *Query) QueryBody {
	if isBare(q) {
		return q.Body
	}
	return q
}

func (p *parser) with() *With {
	w := &With{At: p.here()}
	p.expect("WITH")
	w.Recursive = p.accept("RECURSIVE")
	w.CTEs = list(p, func() CTE {
		c := CTE{At: p.here(), Name: p.ident("a name for the query")}
		if p.ahead("(") {
			c.Columns = p.idents("a column name")
		}
		p.expect("AS")
		c.Query = p.parenQuery()
		return c
	})
	return w
}

func (p *parser) tail(q *Query) {
	if p.accept("ORDER") {
		p.expect("BY")
		q.OrderBy = p.orderItems()
	}
	for {
		switch {
		case q.Offset == nil && p.accept("OFFSET"):
			q.Offset = p.rowCount()
			_ = p.accept("ROW") || p.accept("ROWS")
		case q.Limit == nil && p.ahead("LIMIT", "ALL"):
			p.next()
			q.Limit = &Null{At: p.here()}
			p.next()
		case q.Limit == nil && p.accept("LIMIT"):
			q.Limit = p.rowCount()
		case q.Limit == nil && p.accept("FETCH"):
			q.Limit, q.Ties = p.fetch()
		default:
			return
		}
	}
}

// fetch reads FIRST|NEXT [n] ROW|ROWS ONLY|WITH TIES.
func (p *parser) fetch() (limit Expr, ties bool) {
	if !p.accept("FIRST") && !p.accept("NEXT") {
		p.fail("FIRST or NEXT")
	}
	limit = &Num{At: p.here(), Text: "1"}
	if p.oneOf(0, "ROW", "ROWS") == "" {
		limit = p.rowCount()
	}
	if !p.accept("ROW") && !p.accept("ROWS") {
		p.fail("ROW or ROWS")
	}
	if p.accept("WITH") {
		p.expect("TIES")
		return limit, true
	}
	if !p.accept("ONLY") {
		p.fail("ONLY or WITH TIES")
	}
	return limit, false
}

// rowCount reads a whole number or ?.
func (p *parser) rowCount() Expr {
	t := p.tok()
	if p.ahead("?") {
		e := p.param()
		if _, null := e.(*Null); null { // which is how a tree has LIMIT ALL
			p.failAt(t, sqlerr.Value, "parameter %d: the number of rows cannot be NULL", p.params)
		}
		return e
	}
	if t.Kind != NumberToken || digitsLength(p.str(t)) != t.End-t.Start {
		p.fail("a whole number of rows")
	}
	p.next()
	return &Num{At: p.at(t), Text: p.str(t)}
}

func (p *parser) orderItems() []OrderItem {
	return list(p, func() OrderItem {
		o := OrderItem{At: p.here(), Expr: p.expr()}
		if p.accept("DESC") {
			o.Desc = true
		} else {
			p.accept("ASC")
		}
		if p.accept("NULLS") {
			o.NullsSet = true
			o.NullsFirst = p.accept("FIRST")
			if !o.NullsFirst && !p.accept("LAST") {
				p.fail("FIRST or LAST")
			}
		}
		return o
	})
}

// Bodies.

func (p *parser) union(first QueryBody) QueryBody {
	left := p.intersect(first)
	for n := 1; ; n++ {
		op := SetOp{At: At{left.Pos()}}
		switch {
		case p.accept("UNION"):
			op.Kind = UnionOp
		case p.accept("EXCEPT"):
			op.Kind = ExceptOp
		default:
			return left
		}
		p.chain(n)
		op.All = p.setQuantifier()
		op.Left, op.Right = left, p.intersect(nil)
		left = &op
	}
}

func (p *parser) intersect(first QueryBody) QueryBody {
	left := first
	if left == nil {
		left = p.term()
	}
	for n := 1; p.accept("INTERSECT"); n++ {
		p.chain(n)
		op := &SetOp{At: At{left.Pos()}, Kind: IntersectOp, All: p.setQuantifier(), Left: left}
		op.Right = p.term()
		left = op
	}
	return left
}

func (p *parser) setQuantifier() (all bool) {
	if p.accept("ALL") {
		return true
	}
	p.accept("DISTINCT")
	return false
}

func (p *parser) term() QueryBody {
	start := p.here()
	switch {
	case p.ahead("SELECT"):
		return p.selectBody()
	case p.accept("VALUES"):
		return &ValuesBody{At: start, Rows: list(p, p.expr)}
	case p.accept("TABLE"):
		return &TableBody{At: start, Name: p.tableName()}
	case p.ahead("("):
		return body(p.parenQuery())
	}
	p.fail("a query (SELECT, WITH, VALUES or TABLE)")
	return nil
}

func (p *parser) selectBody() *Select {
	s := &Select{At: p.here()}
	p.expect("SELECT")
	s.Distinct = p.quantifier()
	s.Items = list(p, p.selectItem)
	if p.accept("FROM") {
		s.From = list(p, p.relation)
	} else {
		p.checkGluedFrom(s)
	}
	if p.accept("WHERE") {
		s.Where = p.expr()
	}
	if p.accept("GROUP") {
		p.expect("BY")
		s.GroupDistinct = p.quantifier()
		s.GroupBy = p.groupItems()
	}
	if p.accept("HAVING") {
		s.Having = p.expr()
	}
	if p.windowAhead() {
		p.next()
		s.Windows = list(p, func() NamedWindow {
			w := NamedWindow{Name: p.ident("a name for the window")}
			p.expect("AS")
			w.Window = p.windowSpec()
			return w
		})
	}
	return s
}

// quantifier reads [ALL | DISTINCT]. ALL is a name where no expression follows it.
func (p *parser) quantifier() (distinct bool) {
	if p.accept("DISTINCT") {
		return true
	}
	if p.ahead("ALL") {
		t := p.peek(1)
		if isName(t) || t.Kind == StringToken || t.Kind == NumberToken || startsValue[p.upper(t)] || p.oneOf(1, "ROLLUP", "CUBE") != "" {
			p.next()
		}
	}
	return false
}

// checkGluedFrom refuses SELECT a, bFROM t, which the grammar would read as a column bFROM with the alias t. Outside a
// subquery a SELECT without FROM can use no column.
func (p *parser) checkGluedFrom(s *Select) {
	if p.queries > 1 || s.Items[len(s.Items)-1].Alias == nil {
		return
	}
	if t := p.peek(-2); p.gluedKeyword(t) == "FROM" {
		p.failHint(t, "a space may be missing before FROM in "+p.str(t), "expected FROM and a table, found %s", p.found(t))
	}
}

func (p *parser) selectItem() SelectItem {
	first := p.cursor
	item := SelectItem{At: p.here()}
	if p.accept("*") {
		item.Star = true
		return item
	}
	item.Expr = p.expr()
	if p.ahead(".", "*") {
		if p.primaryStart != first {
			p.fail("a column")
		}
		p.next()
		p.next()
		item.Star = true
		if p.accept("AS") {
			item.StarAliases = p.idents("a column name")
		}
		return item
	}
	item.Alias = p.alias("a column name")
	return item
}

// alias reads [AS] name, or returns nil.
func (p *parser) alias(what string) *Ident {
	if !p.accept("AS") && !p.aliasAhead() {
		return nil
	}
	name := p.ident(what)
	return &name
}

// aliasAhead reports whether the next token is an alias written without AS: a name that does not begin the next clause.
func (p *parser) aliasAhead() bool {
	if !isName(p.tok()) || p.windowAhead() {
		return false
	}
	after := p.peek(1)
	switch p.oneOf(0, "LIMIT", "OFFSET", "FETCH", "TABLESAMPLE", "MATCH_RECOGNIZE") {
	case "LIMIT", "OFFSET":
		return after.reserved || p.matches(after, ",")
	case "FETCH":
		return p.oneOf(1, "FIRST", "NEXT") == ""
	case "TABLESAMPLE":
		return p.oneOf(1, "BERNOULLI", "SYSTEM") == ""
	case "MATCH_RECOGNIZE":
		return !p.matches(after, "(")
	}
	return true
}

// windowAhead reports whether a WINDOW clause begins here; the word alone may be a name.
func (p *parser) windowAhead() bool {
	return p.ahead("WINDOW") && isName(p.peek(1)) && p.matches(p.peek(2), "AS")
}

func (p *parser) groupItems() []GroupItem {
	var items []GroupItem
	for {
		items = append(items, p.groupItem()...)
		if !p.accept(",") {
			return items
		}
	}
}

// groupItem reads an element of GROUP BY. (a, b) are two plain items, () is the one empty set.
func (p *parser) groupItem() []GroupItem {
	item := GroupItem{At: p.here()}
	switch {
	case p.ahead("GROUPING", "SETS"):
		p.next()
		item.Kind = GroupingSets
	case p.ahead("ROLLUP"):
		item.Kind = Rollup
	case p.ahead("CUBE"):
		item.Kind = Cube
	default:
		set := p.groupingSet()
		if len(set) == 0 {
			return []GroupItem{{At: item.At, Kind: GroupingSets, Sets: [][]Expr{nil}}}
		}
		var items []GroupItem
		for _, e := range set {
			items = append(items, GroupItem{At: At{e.Pos()}, Expr: e})
		}
		return items
	}
	p.next()
	p.opening("(")
	if item.Kind == GroupingSets || !p.ahead(")") {
		item.Sets = list(p, p.groupingSet)
	}
	p.closing(")")
	return []GroupItem{item}
}

// groupingSet reads an expression, or a list of them in parentheses, which may be empty.
func (p *parser) groupingSet() []Expr {
	if !p.lambdaAhead() && p.accept("(", ")") {
		return nil
	}
	start := p.here()
	e := p.expr()
	// (a, b) reads as a row that begins at its parenthesis; ROW(a, b) and ((a, b)) begin elsewhere or are no bare list.
	if row, ok := e.(*RowExpr); ok && row.At == start && p.text[start.At-1] == '(' {
		return row.Elems
	}
	return []Expr{e}
}

// Tables.

// relation reads a table with the joins that follow it.
func (p *parser) relation() TableExpr {
	p.enter()
	defer p.leave()
	left := p.sampledTable()
	for n := 1; ; n++ {
		joined := p.join(left)
		if joined == nil {
			return left
		}
		p.chain(n)
		left = joined
	}
}

// join reads one join onto left, or returns nil if none comes next.
func (p *parser) join(left TableExpr) TableExpr {
	j := &JoinTable{At: At{left.Pos()}, Left: left}
	if p.accept("CROSS") {
		p.expect("JOIN")
		j.Type, j.Right = CrossType, p.sampledTable()
		return j
	}
	j.Natural = p.accept("NATURAL")
	start := p.cursor
	switch {
	case p.accept("LEFT"):
		j.Type = Left
	case p.accept("RIGHT"):
		j.Type = Right
	case p.accept("FULL"):
		j.Type = Full
	case p.accept("INNER"):
	}
	if j.Type != Inner {
		p.accept("OUTER")
	}
	if !j.Natural && p.cursor == start && !p.ahead("JOIN") {
		return nil
	}
	p.expect("JOIN")
	j.Right = p.sampledTable()
	if j.Natural {
		return j
	}
	// In a JOIN b JOIN c ON x ON y the first condition belongs to the inner pair.
	p.enter()
	for n := 1; p.oneOf(0, "ON", "USING") == ""; n++ {
		inner := p.join(j.Right)
		if inner == nil {
			p.fail("ON or USING after the joined table")
		}
		p.chain(n)
		j.Right = inner
	}
	p.leave()
	if p.accept("ON") {
		j.On = p.expr()
	} else {
		p.expect("USING")
		j.Using = p.idents("a column name")
	}
	return j
}

// sampledTable reads a table with its alias and TABLESAMPLE.
func (p *parser) sampledTable() TableExpr {
	start := p.here()
	table := p.aliasedTable()
	if p.oneOf(0, "TABLESAMPLE") == "" {
		return table
	}
	p.next()
	s := &Sampled{At: start, Table: table, System: p.accept("SYSTEM")}
	if !s.System && !p.accept("BERNOULLI") {
		p.fail("BERNOULLI or SYSTEM")
	}
	p.opening("(")
	s.Percent = p.expr()
	p.closing(")")
	return s
}

func (p *parser) aliasedTable() TableExpr {
	start := p.here()
	table := p.table()
	if name, ok := table.(*TableName); ok && p.accept("FOR") {
		if name.Time = p.accept("TIMESTAMP"); !name.Time && !p.accept("VERSION") {
			p.fail("VERSION AS OF or TIMESTAMP AS OF")
		}
		p.expect("AS", "OF")
		name.AsOf = p.expr()
	}
	switch {
	case p.oneOf(0, "MATCH_RECOGNIZE") != "" && !p.aliasAhead():
		p.unsupported(p.tok(), "", "MATCH_RECOGNIZE is not supported")
	}
	if !p.ahead("AS") && p.aliasAhead() {
		p.aliasAt = p.cursor
	}
	alias := p.alias("a name for the table")
	if alias == nil {
		return table
	}
	a := &Aliased{At: start, Table: table, Alias: *alias}
	if p.ahead("(") {
		a.Columns = p.idents("a column name")
	}
	return a
}

func (p *parser) table() TableExpr {
	start := p.here()
	switch {
	case p.ahead("("):
		return p.parenTable()
	case p.ahead("LATERAL", "("):
		p.next()
		return &LateralTable{At: start, Query: p.parenQuery()}
	case p.ahead("UNNEST"):
		u := &UnnestTable{At: start}
		p.next()
		p.opening("(")
		u.Exprs = list(p, p.expr)
		p.closing(")")
		if p.accept("WITH") {
			p.expect("ORDINALITY")
			u.Ordinality = true
		}
		return u
	case p.ahead("JSON_TABLE", "("):
		p.unsupported(p.tok(), "write UNNEST(CAST(json_extract(json, '$.list') AS array(…))) AS t (element)", "JSON_TABLE is not supported")
	case p.ahead("TABLE", "("):
		p.next()
		p.opening("(")
		f := p.tableFunction(p.here(), p.tableName())
		p.closing(")")
		return f
	}
	name := p.tableName()
	if p.ahead("(") {
		return p.tableFunction(start, name)
	}
	return &TableName{At: start, Name: name}
}

// tableFunction reads the arguments behind a name.
func (p *parser) tableFunction(at At, name []Ident) *TableFunction {
	f := &TableFunction{At: at, Name: name}
	p.opening("(")
	if !p.ahead(")") {
		f.Args = list(p, p.expr)
	}
	p.closing(")")
	return f
}

// parenTable reads ( query ) or ( relation ).
func (p *parser) parenTable() TableExpr {
	start := p.here()
	if function := p.oneOf(1, "TABLE") != "" && p.matches(p.peek(2), "("); p.queryAhead(1) && !function {
		return &SubqueryTable{At: start, Query: p.parenQuery()}
	}
	p.opening("(")
	inner := p.relation()
	if sub, ok := inner.(*SubqueryTable); ok && p.continuesQuery() {
		// ((SELECT …) UNION …): what looked like a table is the first term of a query.
		inner = &SubqueryTable{At: start, Query: p.finishQuery(&Query{At: At{sub.Pos()}}, body(sub.Query))}
	}
	p.closing(")")
	return inner
}

// continuesQuery reports whether what comes next makes a query out of a query in parentheses.
func (p *parser) continuesQuery() bool {
	if p.oneOf(0, "UNION", "INTERSECT", "EXCEPT", "ORDER") != "" {
		return true
	}
	return p.oneOf(0, "LIMIT", "OFFSET", "FETCH") != "" && !p.aliasAhead()
}

// Windows.

// window reads what follows OVER: a name or ( specification ).
func (p *parser) window() *Window {
	if p.ahead("(") {
		w := p.windowSpec()
		return &w
	}
	w := &Window{At: p.here()}
	w.Name = p.ident("a window").Name
	return w
}

func (p *parser) windowSpec() Window {
	w := Window{At: p.here()}
	p.opening("(")
	// A window may be named rows, too: then no bound of a frame follows.
	frame := p.oneOf(0, "ROWS", "RANGE", "GROUPS") != "" && p.oneOf(1, ")", "PARTITION", "ORDER", "ROWS", "RANGE", "GROUPS") == ""
	if isName(p.tok()) && !p.ahead("PARTITION", "BY") && !frame {
		w.Name = p.ident("a window").Name
	}
	if p.accept("PARTITION") {
		p.expect("BY")
		w.PartitionBy = list(p, p.expr)
	}
	if p.accept("ORDER") {
		p.expect("BY")
		w.OrderBy = p.orderItems()
	}
	if p.oneOf(0, "ROWS", "RANGE", "GROUPS") != "" {
		w.Frame = p.frame()
	}
	p.closing(")")
	return w
}

func (p *parser) frame() *Frame {
	f := &Frame{At: p.here(), Unit: p.lower(p.tok())}
	p.next()
	if p.accept("BETWEEN") {
		f.Start = p.frameBound()
		p.expect("AND")
		f.End = p.frameBound()
		return f
	}
	f.Start, f.End = p.frameBound(), FrameBound{Kind: "current row"}
	return f
}

func (p *parser) frameBound() FrameBound {
	unbounded := p.ahead("UNBOUNDED") && p.oneOf(1, "PRECEDING", "FOLLOWING") != ""
	var b FrameBound
	switch {
	case p.accept("CURRENT", "ROW"):
		return FrameBound{Kind: "current row"}
	case unbounded:
		p.next()
		b.Kind = "unbounded "
	default:
		b.Value = p.value()
	}
	word := p.oneOf(0, "PRECEDING", "FOLLOWING")
	if word == "" {
		p.fail("PRECEDING or FOLLOWING")
	}
	b.Kind += p.lower(p.tok())
	p.next()
	return b
}
