package differential

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// generator draws queries whose meaning is the same in both engines; see differences.
type generator struct {
	*rand.Rand
	aliases int
}

type column struct {
	ref  string
	kind kind
}

// scope is what an expression may name.
type scope struct {
	columns []column
	keys    []string // columns that together are unique; none: unknown
	outer   *scope   // of the query around
	depth   int      // of the queries within queries still allowed
}

func (g *generator) one(options ...string) string { return options[g.IntN(len(options))] }

func (g *generator) oneIn(n int) bool { return g.IntN(n) == 0 }

func (g *generator) alias() string { g.aliases++; return fmt.Sprintf("a%d", g.aliases) }

func (g *generator) kind() kind { return kind(g.IntN(int(kinds))) }

// leaf is a column or a literal.
func (g *generator) leaf(s *scope, k kind) *node {
	from := s
	if s.outer != nil && g.oneIn(4) {
		from = s.outer
	}
	var fit []string
	for _, c := range from.columns {
		if c.kind == k {
			fit = append(fit, c.ref)
		}
	}
	if len(fit) == 0 || g.oneIn(6) {
		if g.oneIn(8) {
			return raw("CAST(NULL AS " + names[k] + ")")
		}
		return raw(literal(g.Rand, k))
	}
	return raw(fit[g.IntN(len(fit))])
}

// expression draws one of a kind; it cannot fail, whatever the rows.
func (g *generator) expression(s *scope, k kind, depth int) *node {
	if depth == 0 || g.oneIn(4) {
		return g.leaf(s, k)
	}
	of := func(k kind) *node { return g.expression(s, k, depth-1) }
	same := func(text string, count int) *node {
		n := &node{text: text}
		for range count {
			n.kids = append(n.kids, of(k))
		}
		return n.orSmaller(n.kids...)
	}
	n := func() *node {
		switch g.IntN(9) {
		case 0:
			x, y := of(k), of(k)
			return nodeOf("CASE WHEN ? THEN ? ELSE ? END", of(truth), x, y).orSmaller(x, y)
		case 1:
			x := of(k)
			v := g.kind()
			return nodeOf("CASE ? WHEN ? THEN ? END", of(v), of(v), x).orSmaller(x)
		case 2:
			return same("coalesce(?, ?)", 2)
		case 3:
			return same("nullif(?, ?)", 2)
		case 4:
			if s.depth > 0 && g.oneIn(2) {
				return g.scalar(s, k)
			}
		}
		switch k {
		case whole:
			return g.whole(of, same)
		case double:
			return g.double(of, same)
		case text:
			return g.text(of, same)
		case truth:
			return g.truth(s, of, depth)
		case date:
			return g.date(of)
		default:
			return g.timestamp(of)
		}
	}()
	return n.orSmaller(g.leaf(s, k))
}

func (g *generator) whole(of func(kind) *node, same func(string, int) *node) *node {
	switch g.IntN(12) {
	case 0:
		return same("(? + ?)", 2)
	case 1:
		return same("(? - ?)", 2)
	case 2:
		return same("(? * 3)", 1)
	case 3:
		by := g.one("2", "3", "-7")
		return same("(? / "+by+")", 1).or("(? // " + by + ")")
	case 4:
		return same("(? % "+g.one("2", "3", "-7")+")", 1)
	case 5:
		return same("abs(?)", 1)
	case 6:
		return nodeOf("length(?)", of(text))
	case 7:
		return nodeOf("strpos(?, "+g.one("'a'", "'é'", "'%'")+")", of(text))
	case 8:
		part := g.IntN(6)
		return nodeOf([]string{"year(?)", "month(?)", "day(?)", "quarter(?)", "day_of_week(?)", "week(?)"}[part], of(date)).
			or([]string{"year(?)", "month(?)", "day(?)", "quarter(?)", "isodow(?)", "week(?)"}[part])
	case 9:
		return nodeOf("date_diff('day', ?, ?)", of(date), of(date))
	case 10:
		unit := g.one("second", "minute", "hour", "day")
		return nodeOf("date_diff('"+unit+"', ?, ?)", of(timestamp), of(timestamp)).or("date_sub('" + unit + "', ?, ?)")
	default:
		return nodeOf("CAST(? AS bigint)", []*node{of(truth), nodeOf("floor(?)", of(double))}[g.IntN(2)])
	}
}

func (g *generator) double(of func(kind) *node, same func(string, int) *node) *node {
	switch g.IntN(7) {
	case 0:
		return same("(? + ?)", 2)
	case 1:
		return same("(? - ?)", 2)
	case 2:
		return same(g.one("(? * 0.5e0)", "(? / -4e0)", "(- ?)"), 1)
	case 3:
		return same(g.one("abs(?)", "floor(?)", "ceil(?)", "round(?)"), 1)
	case 4:
		return nodeOf("CAST(? AS double)", of(whole))
	case 5:
		return nodeOf("(? + ?)", of(whole), of(double)) // both make the first a double
	default:
		return nodeOf("(? / 2e0)", of(whole))
	}
}

func (g *generator) text(of func(kind) *node, same func(string, int) *node) *node {
	switch g.IntN(9) {
	case 0:
		return same("(? || ?)", 2)
	case 1, 2:
		return same(g.one("lower(?)", "upper(?)", "trim(?)", "ltrim(?)", "rtrim(?)", "reverse(?)"), 1)
	case 3:
		return same("substr(?, "+g.one("1", "2", "3")+", "+g.one("0", "1", "2", "9")+")", 1)
	case 4:
		return same("replace(?, "+g.one("'a'", "'é'", "' '")+", "+g.one("'xy'", "''", "'A'")+")", 1)
	case 5:
		return same(g.one("lpad(?, 3, 'xy')", "rpad(?, 2, '-')"), 1)
	case 6:
		return nodeOf("CAST(? AS varchar)", of([]kind{whole, truth, date}[g.IntN(3)]))
	case 7:
		return nodeOf("split_part(?, "+g.one("'a'", "' '")+", 1)", of(text))
	default:
		return nodeOf("substr(?, "+g.one("1", "2", "5")+")", of(text))
	}
}

func (g *generator) date(of func(kind) *node) *node {
	switch g.IntN(4) {
	case 0:
		return nodeOf("CAST(? AS date)", of(timestamp))
	case 1:
		by := g.one("'1' DAY", "'40' DAY", "'1' MONTH", "'2' YEAR")
		sign := g.one("+", "-")
		return nodeOf("(? "+sign+" INTERVAL "+by+")", of(date)).or("CAST(? " + sign + " INTERVAL " + by + " AS date)")
	case 2:
		unit := g.one("week", "month", "quarter", "year")
		return nodeOf("date_trunc('"+unit+"', ?)", of(date)).or("CAST(date_trunc('" + unit + "', ?) AS date)")
	default:
		return nodeOf("last_day_of_month(?)", of(date)).or("last_day(?)")
	}
}

func (g *generator) timestamp(of func(kind) *node) *node {
	switch g.IntN(3) {
	case 0:
		return nodeOf("CAST(? AS timestamp)", of(date))
	case 1:
		return nodeOf("(? "+g.one("+", "-")+" INTERVAL "+g.one("'90' MINUTE", "'1' DAY", "'1' MONTH", "'36' HOUR")+")", of(timestamp))
	default:
		unit := g.one("minute", "hour", "day", "month", "year")
		return nodeOf("date_trunc('"+unit+"', ?)", of(timestamp)).or("(date_trunc('" + unit + "', ?) + INTERVAL '0' DAY)")
	}
}

func (g *generator) comparison() string {
	return g.one("=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM")
}

func (g *generator) truth(s *scope, of func(kind) *node, depth int) *node {
	not := g.one("", "", "NOT ")
	k := g.kind()
	switch g.IntN(14) {
	case 0, 1:
		x, y := of(truth), of(truth)
		return nodeOf("(? "+g.one("AND", "OR")+" ?)", x, y).orSmaller(x, y)
	case 2:
		x := of(truth)
		return nodeOf("(NOT ?)", x).orSmaller(x)
	case 3:
		return nodeOf("(? IS "+not+"NULL)", of(k))
	case 4:
		items := make([]*node, 1+g.IntN(3))
		for i := range items {
			items[i] = of(k)
			if g.oneIn(2) {
				items[i] = raw(literal(g.Rand, k))
			}
		}
		return nodeOf("(? "+not+"IN (?))", of(k), list(", ", items))
	case 5:
		return nodeOf("(? "+not+"BETWEEN ? AND ?)", of(k), of(k), of(k))
	case 6:
		return nodeOf("(? "+not+"LIKE "+g.one("'a%'", "'%b'", "'_'", "'%'", "''", "'%a%'", "'a!%%' ESCAPE '!'")+")", of(text))
	case 7:
		return nodeOf("starts_with(?, "+g.one("'a'", "''", "'é'")+")", of(text))
	case 8:
		if s.depth > 0 {
			return g.membership(s, k, not)
		}
	case 9:
		if s.depth > 0 {
			return g.exists(s, not)
		}
	case 10: // kinds that both compare with each other
		return nodeOf("(? "+g.comparison()+" ?)", of(whole), of(double))
	case 11:
		return nodeOf("(? "+g.comparison()+" ?)", of(timestamp), of(date))
	}
	return nodeOf("(? "+g.comparison()+" ?)", of(k), of(k))
}

// inner is a scope's for a query within, which may name columns of s if correlated.
func (g *generator) inner(s *scope) *scope {
	in := &scope{depth: s.depth - 1}
	if g.oneIn(2) {
		in.outer = s
	}
	return in
}

// scalar is a subquery of one value.
func (g *generator) scalar(s *scope, k kind) *node {
	in := g.inner(s)
	from := g.table(in)
	return nodeOf("(SELECT ? FROM ??)", g.aggregate(in, k), from, g.where(in, 2)).orSmaller(raw(literal(g.Rand, k)))
}

func (g *generator) exists(s *scope, not string) *node {
	in := g.inner(s)
	return nodeOf("("+not+"EXISTS (SELECT 1 FROM ??))", g.table(in), g.where(in, 1))
}

func (g *generator) membership(s *scope, k kind, not string) *node {
	in := g.inner(s)
	from := g.table(in)
	x := g.leaf(&scope{columns: s.columns}, k)
	query := nodeOf("SELECT ? FROM ??", g.leaf(&scope{columns: in.columns}, k), from, g.where(in, 2))
	if g.oneIn(3) {
		op := g.one("=", "<>", "<", "<=", ">", ">=")
		return nodeOf("(? "+op+" "+g.one("ANY", "ALL")+" (?))", x, query)
	}
	return nodeOf("(? "+not+"IN (?))", x, query)
}

// aggregate of a kind over the rows of s.
func (g *generator) aggregate(s *scope, k kind) *node {
	flat := &scope{columns: s.columns} // neither engine need take an aggregate of the query around here
	of := func(k kind) *node { return g.expression(flat, k, 1) }
	distinct := g.one("", "", "", "DISTINCT ")
	filter := raw("")
	if g.oneIn(4) {
		filter = optional(nodeOf(" FILTER (WHERE ?)", g.expression(flat, truth, 2)))
	}
	if g.oneIn(2) && k != whole || k == date || k == timestamp {
		return nodeOf(g.one("min", "max")+"(?)?", of(k), filter)
	}
	switch k {
	case whole:
		switch g.IntN(5) {
		case 0:
			return nodeOf("count(*)?", filter)
		case 1:
			return nodeOf("count("+distinct+"?)?", of(g.kind()), filter)
		case 2:
			return nodeOf("sum("+distinct+"?)?", of(whole), filter).or("CAST(sum(" + distinct + "?)? AS bigint)")
		case 3:
			return nodeOf("count_if(?)?", of(truth), filter).or("count(CASE WHEN ? THEN 1 END)?")
		default:
			return nodeOf(g.one("min", "max")+"(?)?", of(whole), filter)
		}
	case double:
		return nodeOf(g.one("sum", "avg")+"("+distinct+"?)?", of(double), filter)
	case text:
		x := of(text)
		return nodeOf("listagg(?, ',') WITHIN GROUP (ORDER BY ?)?", x, x, filter).or("string_agg(?, ',' ORDER BY ?)?")
	default:
		return nodeOf(g.one("bool_and", "bool_or")+"(?)?", of(truth), filter)
	}
}

// window is a function of a kind over a window of s; nil where none fits.
func (g *generator) window(s *scope, k kind) *node {
	flat := &scope{columns: s.columns}
	partition := raw("")
	if g.oneIn(2) {
		partition = optional(nodeOf("PARTITION BY ? ", g.leaf(flat, g.kind())))
	}
	order := func() *node {
		return nodeOf("ORDER BY ?"+g.one("", " DESC")+g.one("", " NULLS FIRST", " NULLS LAST"), g.leaf(flat, []kind{whole, double, text, date}[g.IntN(4)]))
	}
	x := g.expression(flat, k, 1)
	if len(s.keys) == 0 || g.oneIn(2) { // rows that are equal in order have equal answers
		switch {
		case k == whole && g.oneIn(2):
			return nodeOf(g.one("rank()", "dense_rank()", "count(*)")+" OVER (??)", partition, order())
		case k == whole || k == double:
			return nodeOf("sum(?) OVER (??)", x, partition, optional(order())).or("CAST(sum(?) OVER (??) AS " + names[k] + ")")
		}
		return nodeOf(g.one("min", "max")+"(?) OVER (??)", x, partition, optional(order()))
	}
	total := "ORDER BY " + strings.Join(s.keys, g.one(" DESC, ", ", ")) + g.one("", " DESC")
	if k == whole && g.oneIn(3) {
		return nodeOf(g.one("row_number()", "ntile(3)")+" OVER (?"+total+")", partition)
	}
	if g.oneIn(2) {
		return nodeOf(g.one("lag(?)", "lead(?, 2)", "lag(?, 0)")+" OVER (?"+total+")", x, partition)
	}
	frame := optional(raw(" ROWS BETWEEN " + g.one("1 PRECEDING AND 1 FOLLOWING", "UNBOUNDED PRECEDING AND 2 PRECEDING", "CURRENT ROW AND UNBOUNDED FOLLOWING",
		"2 FOLLOWING AND 3 FOLLOWING")))
	return nodeOf(g.one("first_value", "last_value", "min", "max")+"(?) OVER (?"+total+"?)", x, partition, frame)
}
