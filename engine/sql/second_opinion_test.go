package sql

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/xwb1989/sqlparser"
	"pgregory.net/rapid"
)

// sqlparser is a MySQL grammar that knows nothing of ours. On statements of the grammar that both dialects share, both
// must read the same tree, written down here as a neutral term. Left out is what MySQL reads otherwise: || as OR, text in
// double quotes as a string, backslashes in strings as escapes, DATE '…' as a column with an alias.

func TestSecondOpinion(t *testing.T) {
	for _, text := range readStatements(t, "testdata/both.sql") {
		compareOpinions(t, text)
	}
}

func TestBothRefuse(t *testing.T) {
	for _, text := range readStatements(t, "testdata/neither.sql") {
		if stmt, err := Parse(text); err == nil {
			t.Errorf("%s\n is read as %s", text, Format(stmt))
		}
		if _, err := sqlparser.Parse(text); err == nil {
			t.Errorf("%s\n is accepted by sqlparser: it does not belong in this list", text)
		}
	}
}

func TestSecondOpinionOnRandomExpressions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		compareOpinions(t, "SELECT "+sharedExpr(t, 4)+" FROM t WHERE "+sharedExpr(t, 4))
	})
}

// Whole queries, too; and what we print of one is read by both as the query itself.
func TestSecondOpinionOnRandomQueries(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := sharedQuery(t, 2)
		compareOpinions(t, text)
		stmt, err := Parse(text)
		if err != nil {
			return // reported
		}
		printed := Format(stmt)
		compareOpinions(t, printed)
		again, err := Parse(printed)
		if err != nil || ourQuery(again.(*Query)) != ourQuery(stmt.(*Query)) {
			t.Errorf("%s\n is printed as %s: %v", text, printed, err)
		}
	})
}

// sharedQuery draws a query as text.
func sharedQuery(t *rapid.T, depth int) string {
	text := sharedSelect(t, depth)
	for range rapid.IntRange(0, 1).Draw(t, "unions") {
		text += rapid.SampledFrom([]string{" UNION ", " UNION ALL "}).Draw(t, "union") + sharedSelect(t, depth)
	}
	if rapid.Bool().Draw(t, "ordered") {
		text += " ORDER BY " + sharedList(t, func() string {
			return sharedValue(t, 1) + rapid.SampledFrom([]string{"", " ASC", " DESC"}).Draw(t, "direction")
		})
	}
	if rapid.Bool().Draw(t, "limited") {
		text += " LIMIT " + rapid.SampledFrom([]string{"1", "20"}).Draw(t, "limit")
	}
	return text
}

func sharedSelect(t *rapid.T, depth int) string {
	text := "SELECT " + rapid.SampledFrom([]string{"", "DISTINCT "}).Draw(t, "distinct") + sharedList(t, func() string {
		switch rapid.IntRange(0, 4).Draw(t, "item") {
		case 0:
			return rapid.SampledFrom([]string{"*", "t.*"}).Draw(t, "star")
		case 1:
			return sharedValue(t, 2) + " AS x"
		}
		return sharedValue(t, 2)
	}) + " FROM " + sharedList(t, func() string { return sharedTable(t, depth) })
	if rapid.Bool().Draw(t, "filtered") {
		text += " WHERE " + sharedCondition(t, depth)
	}
	if rapid.Bool().Draw(t, "grouped") {
		text += " GROUP BY " + sharedList(t, func() string { return rapid.SampledFrom([]string{"a", "b.c", "1", "f(a)"}).Draw(t, "key") })
		if rapid.Bool().Draw(t, "groups filtered") {
			text += " HAVING " + sharedCondition(t, 0)
		}
	}
	return text
}

// sharedCondition is an expression, at times with a query in it.
func sharedCondition(t *rapid.T, depth int) string {
	if depth > 0 {
		switch rapid.IntRange(0, 4).Draw(t, "query inside") {
		case 0:
			return sharedExpr(t, 1) + " AND a" + rapid.SampledFrom([]string{" IN (", " NOT IN ("}).Draw(t, "in") + sharedSelect(t, depth-1) + ")"
		case 1:
			return rapid.SampledFrom([]string{"EXISTS (", "NOT EXISTS ("}).Draw(t, "exists") + sharedSelect(t, depth-1) + ")"
		case 2:
			return "a > (" + sharedSelect(t, depth-1) + ") OR " + sharedExpr(t, 1)
		}
	}
	return sharedExpr(t, 2)
}

func sharedTable(t *rapid.T, depth int) string {
	if depth > 0 {
		switch rapid.IntRange(0, 4).Draw(t, "table") {
		case 0:
			return "(" + sharedQuery(t, depth-1) + ") AS u"
		case 1:
			join := rapid.SampledFrom([]string{" JOIN ", " LEFT JOIN ", " RIGHT JOIN "}).Draw(t, "join")
			return sharedTable(t, depth-1) + join + sharedTable(t, 0) + " ON " + sharedExpr(t, 1)
		case 2:
			return sharedTable(t, 0) + " JOIN " + sharedTable(t, 0) + " USING (a, b)"
		}
	}
	return rapid.SampledFrom([]string{"t", "s.t", "t AS v", "s.t w"}).Draw(t, "name")
}

// sharedList is one to three of something.
func sharedList(t *rapid.T, item func() string) string {
	text := item()
	for range rapid.IntRange(0, 2).Draw(t, "more") {
		text += ", " + item()
	}
	return text
}

// sharedExpr draws an expression as text. Operands are not put in parentheses by default, so that precedence decides.
func sharedExpr(t *rapid.T, depth int) string {
	operand := func() string { return sharedValue(t, depth-1) }
	if depth == 0 {
		return sharedValue(t, 0)
	}
	switch rapid.IntRange(0, 9).Draw(t, "condition") {
	case 0:
		return sharedExpr(t, depth-1) + " AND " + sharedExpr(t, depth-1)
	case 1:
		return sharedExpr(t, depth-1) + " OR " + sharedExpr(t, depth-1)
	case 2:
		return "NOT " + sharedExpr(t, depth-1)
	case 3:
		return operand() + rapid.SampledFrom([]string{" = ", " <> ", " < ", " <= ", " > ", " >= "}).Draw(t, "comparison") + operand()
	case 4:
		return operand() + rapid.SampledFrom([]string{" IS NULL", " IS NOT NULL"}).Draw(t, "null")
	case 5:
		return operand() + rapid.SampledFrom([]string{" BETWEEN ", " NOT BETWEEN "}).Draw(t, "between") + operand() + " AND " + operand()
	case 6:
		return operand() + rapid.SampledFrom([]string{" IN (", " NOT IN ("}).Draw(t, "in") + sharedExpr(t, depth-1) + ", " + operand() + ")"
	case 7:
		return operand() + rapid.SampledFrom([]string{" LIKE ", " NOT LIKE "}).Draw(t, "like") + operand()
	}
	return operand()
}

func sharedValue(t *rapid.T, depth int) string {
	if depth > 0 {
		switch rapid.IntRange(0, 6).Draw(t, "value") {
		case 0, 1:
			return sharedValue(t, depth-1) + rapid.SampledFrom([]string{" + ", " - ", " * ", " / ", " % "}).Draw(t, "operator") + sharedValue(t, depth-1)
		case 2:
			return "(" + sharedExpr(t, depth-1) + ")"
		case 3:
			return "- " + rapid.SampledFrom([]string{"a", "b.c", "f(a)", "(a + b)"}).Draw(t, "negated")
		case 4:
			return "f(" + sharedExpr(t, depth-1) + ", " + sharedValue(t, depth-1) + ")"
		case 5:
			return "CASE WHEN " + sharedExpr(t, depth-1) + " THEN " + sharedValue(t, depth-1) + " ELSE " + sharedExpr(t, depth-1) + " END"
		}
	}
	return rapid.SampledFrom([]string{"a", "b", "c.d", "useridentity.sessioncontext.mfa", "1", "2.5", "'x'", "NULL", "f()", "count(*)"}).Draw(t, "operand")
}

func readStatements(t *testing.T, path string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(data)), "\n") // one a line
}

type failer interface {
	Helper()
	Errorf(format string, args ...any)
}

func compareOpinions(t failer, text string) {
	t.Helper()
	stmt, err := Parse(text)
	if err != nil {
		t.Errorf("%s\n we refuse it: %v", text, err)
		return
	}
	other, err := sqlparser.Parse(text)
	if err != nil {
		t.Errorf("%s\n sqlparser refuses it: %v", text, err)
		return
	}
	ours, theirs := ourQuery(stmt.(*Query)), theirQuery(other.(sqlparser.SelectStatement))
	if ours != theirs {
		t.Errorf("%s\n we read   %s\n they read %s", text, ours, theirs)
	}
}

// term writes (head part …), leaving out empty parts.
func term(head string, parts ...string) string {
	var b bytes.Buffer
	b.WriteString("(" + head)
	for _, p := range parts {
		if p != "" {
			b.WriteString(" " + p)
		}
	}
	return b.String() + ")"
}

func terms[T any](head string, items []T, write func(T) string) string {
	if len(items) == 0 {
		return ""
	}
	parts := make([]string, len(items))
	for i, item := range items {
		parts[i] = write(item)
	}
	return term(head, parts...)
}

func when(yes bool, word string) string {
	if yes {
		return word
	}
	return ""
}

// Our tree.

func ourQuery(q *Query) string {
	tail := terms("order", q.OrderBy, func(o OrderItem) string {
		return term(map[bool]string{true: "desc", false: "asc"}[o.Desc], ourExpr(o.Expr))
	})
	limit := ""
	if q.Limit != nil {
		limit = term("limit", ourExpr(q.Limit))
	}
	if q.Offset != nil {
		limit += term("offset", ourExpr(q.Offset))
	}
	if tail+limit == "" {
		return ourBody(q.Body)
	}
	return term("query", ourBody(q.Body), tail, limit)
}

func ourBody(b QueryBody) string {
	switch b := b.(type) {
	case *Query:
		return ourQuery(b)
	case *SetOp:
		return term(map[bool]string{true: "union all", false: "union"}[b.All], ourBody(b.Left), ourBody(b.Right))
	case *Select:
		var group []string
		for _, g := range b.GroupBy {
			group = append(group, ourExpr(g.Expr))
		}
		return term("select", when(b.Distinct, "distinct"),
			terms("items", b.Items, func(i SelectItem) string {
				switch {
				case i.Star:
					return term("star", strings.Trim(ourExpr(i.Expr), "()"))
				case i.Alias != nil:
					return term("as "+strings.ToLower(i.Alias.Name), ourExpr(i.Expr))
				}
				return ourExpr(i.Expr)
			}),
			terms("from", b.From, ourTable),
			clause("where", ourExpr(b.Where)),
			terms("group", group, func(s string) string { return s }),
			clause("having", ourExpr(b.Having)))
	}
	return fmt.Sprintf("%T", b)
}

func clause(head, expr string) string {
	if expr == "" {
		return ""
	}
	return term(head, expr)
}

func ourTable(t TableExpr) string {
	switch t := t.(type) {
	case *TableName:
		return ourName(t.Name)
	case *SubqueryTable:
		return ourQuery(t.Query)
	case *Aliased:
		return term("as "+t.Alias.Name, ourTable(t.Table))
	case *JoinTable:
		kind := map[JoinType]string{Inner: "join", Left: "left join", Right: "right join"}[t.Type]
		if t.Natural {
			kind = "natural " + kind
		}
		return term(kind, ourTable(t.Left), ourTable(t.Right), clause("on", ourExpr(t.On)),
			terms("using", t.Using, func(i Ident) string { return i.Name }))
	}
	return fmt.Sprintf("%T", t)
}

func ourName(path []Ident) string {
	var parts []string
	for _, p := range path {
		parts = append(parts, strings.ToLower(p.Name))
	}
	return strings.Join(parts, ".")
}

func ourExprs(es []Expr) []string {
	var out []string
	for _, e := range es {
		out = append(out, ourExpr(e))
	}
	return out
}

func ourExpr(e Expr) string {
	not := func(yes bool, s string) string {
		if yes {
			return "not " + s
		}
		return s
	}
	switch e := e.(type) {
	case nil:
		return ""
	case *Name:
		return strings.ToLower(e.Ident.Name)
	case *Dot:
		return ourExpr(e.Base) + "." + strings.ToLower(e.Field.Name)
	case *Num:
		return e.Text
	case *Str:
		return fmt.Sprintf("%q", e.Value)
	case *Null:
		return "null"
	case *Bool:
		return fmt.Sprint(e.Value)
	case *Unary:
		return term(e.Op, ourExpr(e.Arg))
	case *Binary:
		return term(e.Op, ourExpr(e.Left), ourExpr(e.Right))
	case *IsNullExpr:
		return term(not(e.Not, "null?"), ourExpr(e.Arg))
	case *Between:
		return term(not(e.Not, "between"), ourExpr(e.Arg), ourExpr(e.Low), ourExpr(e.High))
	case *InList:
		return term(not(e.Not, "in"), ourExpr(e.Arg), term("list", ourExprs(e.List)...))
	case *InQuery:
		return term(not(e.Not, "in"), ourExpr(e.Arg), ourQuery(e.Query))
	case *Like:
		return term(not(e.Not, "like"), ourExpr(e.Arg), ourExpr(e.Pattern), ourExpr(e.Escape))
	case *Exists:
		return term("exists", ourQuery(e.Query))
	case *ScalarQuery:
		return ourQuery(e.Query)
	case *RowExpr:
		return term("list", ourExprs(e.Elems)...)
	case *CaseExpr:
		whens := terms("whens", e.Whens, func(w WhenClause) string { return term("when", ourExpr(w.Cond), ourExpr(w.Then)) })
		return term("case", clause("of", ourExpr(e.Operand)), whens, clause("else", ourExpr(e.Else)))
	case *CastExpr:
		return term("cast", ourExpr(e.Arg), e.Type.Name, strings.Trim(fmt.Sprint(e.Type.Params), "[]"))
	case *Interval:
		return term("interval", fmt.Sprintf("%q", e.Value), e.From)
	case *Func:
		return term("call "+ourName(e.Name), append([]string{when(e.Distinct, "distinct"), when(e.Star, "*")}, ourExprs(e.Args)...)...)
	}
	return fmt.Sprintf("%T", e)
}

// Their tree.

func theirQuery(s sqlparser.SelectStatement) string {
	var order sqlparser.OrderBy
	var limit *sqlparser.Limit
	var body string
	switch s := s.(type) {
	case *sqlparser.ParenSelect:
		return theirQuery(s.Select)
	case *sqlparser.Union:
		order, limit = s.OrderBy, s.Limit
		kind := "union"
		if s.Type == sqlparser.UnionAllStr {
			kind = "union all"
		}
		body = term(kind, theirQuery(s.Left), theirQuery(s.Right))
	case *sqlparser.Select:
		order, limit = s.OrderBy, s.Limit
		from := terms("from", s.From, theirTable)
		if from == "(from dual)" { // how it writes that there is no FROM
			from = ""
		}
		body = term("select", when(s.Distinct != "", "distinct"), terms("items", s.SelectExprs, theirItem), from,
			theirWhere("where", s.Where), terms("group", s.GroupBy, theirExpr), theirWhere("having", s.Having))
	}
	tail := terms("order", order, func(o *sqlparser.Order) string { return term(o.Direction, theirExpr(o.Expr)) })
	rows := ""
	if limit != nil {
		rows = term("limit", theirExpr(limit.Rowcount))
		if limit.Offset != nil {
			rows += term("offset", theirExpr(limit.Offset))
		}
	}
	if tail+rows == "" {
		return body
	}
	return term("query", body, tail, rows)
}

func theirWhere(head string, w *sqlparser.Where) string {
	if w == nil {
		return ""
	}
	return term(head, theirExpr(w.Expr))
}

func theirItem(item sqlparser.SelectExpr) string {
	switch item := item.(type) {
	case *sqlparser.StarExpr:
		return term("star", theirTableName(item.TableName))
	case *sqlparser.AliasedExpr:
		if !item.As.IsEmpty() {
			return term("as "+item.As.Lowered(), theirExpr(item.Expr))
		}
		return theirExpr(item.Expr)
	}
	return fmt.Sprintf("%T", item)
}

func theirTableName(n sqlparser.TableName) string {
	s := strings.ToLower(n.Name.String())
	if !n.Qualifier.IsEmpty() {
		s = strings.ToLower(n.Qualifier.String()) + "." + s
	}
	return s
}

func theirTable(t sqlparser.TableExpr) string {
	switch t := t.(type) {
	case *sqlparser.AliasedTableExpr:
		table := ""
		switch inner := t.Expr.(type) {
		case sqlparser.TableName:
			table = theirTableName(inner)
		case *sqlparser.Subquery:
			table = theirQuery(inner.Select)
		}
		if t.As.IsEmpty() {
			return table
		}
		return term("as "+t.As.String(), table)
	case *sqlparser.ParenTableExpr:
		return theirTable(t.Exprs[0])
	case *sqlparser.JoinTableExpr:
		return term(t.Join, theirTable(t.LeftExpr), theirTable(t.RightExpr), clause("on", theirExpr(t.Condition.On)),
			terms("using", t.Condition.Using, func(c sqlparser.ColIdent) string { return c.String() }))
	}
	return fmt.Sprintf("%T", t)
}

func theirExprs(es []sqlparser.Expr) []string {
	var out []string
	for _, e := range es {
		out = append(out, theirExpr(e))
	}
	return out
}

func theirExpr(e sqlparser.Expr) string {
	switch e := e.(type) {
	case nil:
		return ""
	case *sqlparser.ParenExpr:
		return theirExpr(e.Expr)
	case *sqlparser.ColName:
		if !e.Qualifier.IsEmpty() {
			return theirTableName(e.Qualifier) + "." + e.Name.Lowered()
		}
		return e.Name.Lowered()
	case *sqlparser.SQLVal:
		text := string(e.Val)
		if e.Type == sqlparser.StrVal {
			return fmt.Sprintf("%q", text)
		}
		if number, negative := strings.CutPrefix(text, "-"); negative {
			return term("-", number)
		}
		return text
	case *sqlparser.NullVal:
		return "null"
	case sqlparser.BoolVal:
		return fmt.Sprint(bool(e))
	case *sqlparser.NotExpr:
		return term("not", theirExpr(e.Expr))
	case *sqlparser.AndExpr:
		return term("and", theirExpr(e.Left), theirExpr(e.Right))
	case *sqlparser.OrExpr:
		return term("or", theirExpr(e.Left), theirExpr(e.Right))
	case *sqlparser.UnaryExpr:
		return term(e.Operator, theirExpr(e.Expr))
	case *sqlparser.BinaryExpr:
		return term(e.Operator, theirExpr(e.Left), theirExpr(e.Right))
	case *sqlparser.ComparisonExpr:
		op := e.Operator
		if op == sqlparser.NotEqualStr {
			op = "<>"
		}
		return term(op, theirExpr(e.Left), theirExpr(e.Right), theirExpr(e.Escape))
	case *sqlparser.RangeCond:
		return term(e.Operator, theirExpr(e.Left), theirExpr(e.From), theirExpr(e.To))
	case *sqlparser.IsExpr:
		return term(map[string]string{sqlparser.IsNullStr: "null?", sqlparser.IsNotNullStr: "not null?"}[e.Operator], theirExpr(e.Expr))
	case *sqlparser.ExistsExpr:
		return term("exists", theirQuery(e.Subquery.Select))
	case *sqlparser.Subquery:
		return theirQuery(e.Select)
	case sqlparser.ValTuple:
		return term("list", theirExprs(e)...)
	case *sqlparser.CaseExpr:
		whens := terms("whens", e.Whens, func(w *sqlparser.When) string { return term("when", theirExpr(w.Cond), theirExpr(w.Val)) })
		return term("case", clause("of", theirExpr(e.Expr)), whens, clause("else", theirExpr(e.Else)))
	case *sqlparser.ConvertExpr:
		numbers := ""
		if e.Type.Length != nil {
			numbers = theirExpr(e.Type.Length)
		}
		if e.Type.Scale != nil {
			numbers += " " + theirExpr(e.Type.Scale)
		}
		return term("cast", theirExpr(e.Expr), strings.ToLower(e.Type.Type), numbers)
	case *sqlparser.IntervalExpr:
		return term("interval", theirExpr(e.Expr), strings.ToLower(e.Unit))
	case *sqlparser.FuncExpr:
		parts := []string{when(e.Distinct, "distinct")}
		for _, arg := range e.Exprs {
			if _, star := arg.(*sqlparser.StarExpr); star {
				parts = append(parts, "*")
			} else {
				parts = append(parts, theirItem(arg))
			}
		}
		return term("call "+e.Name.Lowered(), parts...)
	}
	return fmt.Sprintf("%T", e)
}
