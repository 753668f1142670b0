package differential

import (
	"fmt"
	"strings"
)

// query draws a whole statement: ORDER BY, where there is one, sorts by all columns, so that the rows that LIMIT leaves are the same.
// ordered says whether the order of the rows is to be compared.
func (g *generator) query() (n *node, ordered bool) {
	ks := make([]kind, 1+g.IntN(4))
	for i := range ks {
		ks[i] = g.kind()
	}
	s := &scope{depth: 2}
	body := g.body(s, ks, 2)
	with := raw("")
	if g.oneIn(6) { // a CTE, used twice
		inner := g.body(&scope{depth: 1}, ks, 1)
		name, x, y := g.alias(), g.alias(), g.alias()
		with = nodeOf("WITH "+name+" AS (?) ", inner)
		list := "SELECT * FROM " + name + " AS " + x
		switch g.IntN(3) {
		case 0:
			body = nodeOf(list+g.one(" UNION ALL ", " UNION ", " EXCEPT ", " INTERSECT ")+"SELECT * FROM "+name+" AS "+y+" UNION ALL (?)", body)
		case 1:
			with = nodeOf("WITH "+name+" AS (SELECT DISTINCT * FROM (?) AS "+g.alias()+") ", inner) // else its square could be large
			body = nodeOf("SELECT " + x + ".* FROM " + name + " AS " + x + g.one(" JOIN ", " LEFT JOIN ", " FULL JOIN ") + name + " AS " + y + " ON " + x + ".c0 = " + y + ".c0")
		default:
			body = raw("SELECT * FROM " + name + " AS " + x + " WHERE c0 " + g.one("IN", "NOT IN") + " (SELECT c0 FROM " + name + " AS " + y + " WHERE c0 IS NOT NULL)")
		}
	}
	if g.oneIn(2) {
		return nodeOf("??", with, body), false
	}
	order := make([]string, len(ks))
	for i, at := range g.Perm(len(ks)) {
		order[i] = fmt.Sprintf("%d%s%s", at+1, g.one("", " DESC", " ASC"), g.one("", " NULLS FIRST", " NULLS LAST"))
	}
	limit := raw("")
	switch g.IntN(4) {
	case 0:
		limit = optional(raw(" LIMIT " + g.one("0", "1", "3", "7")))
	case 1:
		offset, most := g.one("0", "2", "5"), g.one("1", "4")
		limit = optional(raw(" OFFSET " + offset + " LIMIT " + most).or(" LIMIT " + most + " OFFSET " + offset))
	}
	return nodeOf("??"+" ORDER BY "+strings.Join(order, ", ")+"?", with, body, limit), true
}

// body is a SELECT or a set operation with columns c0, c1, … of the kinds.
func (g *generator) body(s *scope, ks []kind, depth int) *node {
	if depth == 0 || !g.oneIn(6) {
		return g.selection(s, ks, depth)
	}
	x, y := g.body(s, ks, depth-1), g.body(s, ks, depth-1)
	return nodeOf("(?) "+g.one("UNION", "INTERSECT", "EXCEPT")+g.one("", " ALL", " DISTINCT")+" (?)", x, y).orSmaller(x, y)
}

func (g *generator) selection(around *scope, ks []kind, depth int) *node {
	s := &scope{depth: around.depth}
	from := g.from(s, depth)
	where := g.where(s, 3)
	items := make([]*node, len(ks))
	as := func(i int, item *node) { items[i] = nodeOf(fmt.Sprintf("? AS c%d", i), item) }
	if !g.oneIn(3) {
		for i, k := range ks {
			if item := g.expression(s, k, 3); g.oneIn(8) {
				as(i, g.window(s, k).orSmaller(item))
			} else {
				as(i, item)
			}
		}
		return nodeOf("SELECT ?? FROM ??", optional(raw(g.one("", "", "", "DISTINCT "))), commas(items), from, where)
	}
	// Grouped: each column is a key or an aggregate.
	var keys, plain []string
	for i, k := range ks {
		if g.oneIn(2) {
			as(i, g.aggregate(s, k))
			continue
		}
		flat := &scope{columns: s.columns}
		item := g.leaf(flat, k)
		if strings.HasPrefix(item.text, "a") {
			plain = append(plain, item.text)
		} else {
			item = g.expression(flat, k, 2)
		}
		keys = append(keys, fmt.Sprint(i+1))
		as(i, item)
	}
	group := raw("")
	if len(keys) > 0 {
		group = raw(" GROUP BY " + strings.Join(keys, ", "))
		if len(plain) == len(keys) {
			columns := strings.Join(plain, ", ")
			group = raw(" GROUP BY " + g.one(columns, columns, "ROLLUP ("+columns+")", "CUBE ("+columns+")", "GROUPING SETS (("+columns+"), ())"))
		}
	}
	having := raw("")
	if g.oneIn(3) && len(keys) > 0 {
		k := g.kind()
		having = optional(nodeOf(" HAVING ? "+g.comparison()+" ?", g.aggregate(s, k), raw(literal(g.Rand, k))))
	}
	return nodeOf("SELECT ? FROM ????", commas(items), from, where, group, having)
}

// commas joins pieces of which none can be dropped.
func commas(items []*node) *node {
	return nodeOf(strings.TrimSuffix(strings.Repeat("?, ", len(items)), ", "), items...)
}

func (g *generator) where(s *scope, depth int) *node {
	if g.oneIn(3) {
		return raw("")
	}
	return optional(nodeOf(" WHERE ?", g.expression(s, truth, depth)))
}

// table adds one table to s.
func (g *generator) table(s *scope) *node {
	alias := g.alias()
	for _, c := range columns {
		s.columns = append(s.columns, column{alias + "." + c.name, c.kind})
	}
	s.keys = append(s.keys, alias+".id")
	count := len(rowCounts)
	if !g.oneIn(8) {
		count-- // the empty one is rare
	}
	return raw(fmt.Sprintf("t%d AS %s", g.IntN(count), alias))
}

// from fills s with tables, queries and joins of them.
func (g *generator) from(s *scope, depth int) *node {
	n := g.relation(s, depth)
	for range []int{0, 0, 0, 1, 1, 2}[g.IntN(6)] {
		left := len(s.columns)
		right := g.relation(s, depth)
		var on *node
		k := []kind{whole, whole, text, date, truth, double}[g.IntN(6)]
		l, r := g.leaf(&scope{columns: s.columns[:left]}, k), g.leaf(&scope{columns: s.columns[left:]}, k)
		on = nodeOf("? "+g.one("=", "=", "=", "IS NOT DISTINCT FROM")+" ?", l, r)
		if g.oneIn(3) {
			on = nodeOf("??", on, optional(nodeOf(" AND ?", g.expression(&scope{columns: s.columns}, truth, 2))))
		}
		switch g.IntN(6) {
		case 0:
			n = nodeOf("? CROSS JOIN ?", n, right)
		case 1:
			n = nodeOf("? LEFT JOIN ? ON ?", n, right, on)
		case 2:
			n = nodeOf("? RIGHT JOIN ? ON ?", n, right, on)
		case 3:
			n = nodeOf("? FULL JOIN ? ON ?", n, right, on)
		default:
			n = nodeOf("? JOIN ? ON ?", n, right, on)
		}
	}
	return n
}

func (g *generator) relation(s *scope, depth int) *node {
	if depth == 0 || !g.oneIn(5) {
		keyed := len(s.columns) == 0 || len(s.keys) > 0
		n := g.table(s)
		if !keyed {
			s.keys = nil
		}
		return n
	}
	ks := []kind{g.kind(), g.kind(), g.kind()}
	alias := g.alias()
	n := nodeOf("(?) AS "+alias, g.body(&scope{depth: min(s.depth, 1)}, ks, depth-1))
	for i, k := range ks {
		s.columns = append(s.columns, column{fmt.Sprintf("%s.c%d", alias, i), k})
	}
	s.keys = nil
	return n
}
