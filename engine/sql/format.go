package sql

import (
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
)

// Format writes a statement, query, body, table or expression as text on one line that parses to the same tree. Keywords
// are upper case, names as written and quoted where they must be, parentheses only where they are needed.
func Format(n Node) string {
	var f formatter
	switch n := n.(type) {
	case Statement:
		f.statement(n)
	case QueryBody:
		f.body(n, 0)
	case TableExpr:
		f.table(n)
	case Expr:
		f.expr(n, 0)
	}
	return f.String()
}

type formatter struct{ strings.Builder }

func (f *formatter) write(parts ...string) {
	for _, s := range parts {
		f.WriteString(s)
	}
}

// commas writes items with commas between.
func commas[T any](f *formatter, items []T, write func(T)) {
	for i, item := range items {
		if i > 0 {
			f.write(", ")
		}
		write(item)
	}
}

func (f *formatter) ident(i Ident) {
	if i.Quoted {
		f.write(quoteName(i.Name))
		return
	}
	f.name(i.Name)
}

// name writes a name with quotes if it needs them.
func (f *formatter) name(name string) {
	if !isBareName(name) {
		name = quoteName(name)
	}
	f.write(name)
}

func quoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func quoteText(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

func (f *formatter) path(name []Ident) {
	for i, part := range name {
		if i > 0 {
			f.write(".")
		}
		f.ident(part)
	}
}

func (f *formatter) columns(names []Ident) {
	f.write("(")
	commas(f, names, f.ident)
	f.write(")")
}

// Statements and queries.

func (f *formatter) statement(s Statement) {
	if f.session(s) {
		return
	}
	switch s := s.(type) {
	case *Query:
		f.query(s)
	case *Explain:
		f.write("EXPLAIN ")
		if s.Analyze {
			f.write("ANALYZE ")
		}
		switch {
		case s.JSON && s.Validate:
			f.write("(FORMAT JSON, TYPE VALIDATE) ")
		case s.JSON:
			f.write("(FORMAT JSON) ")
		case s.Validate:
			f.write("(TYPE VALIDATE) ")
		}
		f.statement(s.Statement)
	case *ShowTables:
		if s.Views {
			f.write("SHOW VIEWS")
		} else {
			f.write("SHOW TABLES")
		}
		if len(s.Schema) > 0 {
			f.write(" FROM ")
			f.path(s.Schema)
		}
		f.like(s.Like)
	case *ShowColumns:
		f.write("SHOW COLUMNS FROM ")
		f.path(s.Table)
		f.like(s.Like)
	case *ShowSchemas:
		if s.Catalogs {
			f.write("SHOW CATALOGS")
		} else {
			f.write("SHOW SCHEMAS")
		}
		if s.Catalog != nil {
			f.write(" FROM ")
			f.ident(*s.Catalog)
		}
		f.like(s.Like)
	case *ShowCreate:
		if s.View {
			f.write("SHOW CREATE VIEW ")
		} else {
			f.write("SHOW CREATE TABLE ")
		}
		f.path(s.Name)
	case *ShowPartitions:
		f.write("SHOW PARTITIONS ")
		f.path(s.Table)
	case *ShowStats:
		f.write("SHOW STATS FOR ")
		f.parenQuery(s.Query)
	case *ShowCoverage:
		f.write("SHOW COVERAGE")
		if s.Where != nil {
			f.write(" WHERE ")
			f.expr(s.Where, 0)
		}
	case *ShowFunctions:
		f.write("SHOW FUNCTIONS")
		f.like(s.Like)
	default:
		f.define(s)
	}
}

func (f *formatter) like(p *ShowPattern) {
	if p == nil {
		return
	}
	f.write(" LIKE ", quoteText(p.Pattern))
	if p.Escape != "" {
		f.write(" ESCAPE ", quoteText(p.Escape))
	}
}

func (f *formatter) parenQuery(q *Query) {
	f.write("(")
	f.query(q)
	f.write(")")
}

func (f *formatter) query(q *Query) {
	if q.With != nil {
		f.write("WITH ")
		if q.With.Recursive {
			f.write("RECURSIVE ")
		}
		commas(f, q.With.CTEs, func(c CTE) {
			f.ident(c.Name)
			if len(c.Columns) > 0 {
				f.write(" ")
				f.columns(c.Columns)
			}
			f.write(" AS ")
			f.parenQuery(c.Query)
		})
		f.write(" ")
	}
	f.body(q.Body, 0)
	f.orderBy(" ORDER BY ", q.OrderBy)
	if q.Offset != nil {
		f.write(" OFFSET ")
		f.expr(q.Offset, 0)
	}
	_, all := q.Limit.(*Null)
	switch {
	case q.Limit == nil:
	case all:
		f.write(" LIMIT ALL")
	case q.Ties:
		f.write(" FETCH FIRST ")
		f.expr(q.Limit, 0)
		f.write(" ROWS WITH TIES")
	default:
		f.write(" LIMIT ")
		f.expr(q.Limit, 0)
	}
}

func (f *formatter) orderBy(before string, items []OrderItem) {
	if len(items) == 0 {
		return
	}
	f.write(before)
	commas(f, items, func(o OrderItem) {
		f.expr(o.Expr, 0)
		if o.Desc {
			f.write(" DESC")
		}
		switch {
		case o.NullsSet && o.NullsFirst:
			f.write(" NULLS FIRST")
		case o.NullsSet:
			f.write(" NULLS LAST")
		}
	})
}

// body writes b, in parentheses if it is a set operation that binds more loosely than tightest.
// INTERSECT binds as 2, UNION and EXCEPT as 1.
func (f *formatter) body(b QueryBody, tightest int) {
	switch b := b.(type) {
	case *Query:
		f.parenQuery(b)
	case *Select:
		f.selectBody(b)
	case *ValuesBody:
		f.write("VALUES ")
		commas(f, b.Rows, func(e Expr) { f.expr(e, 0) })
	case *TableBody:
		f.write("TABLE ")
		f.path(b.Name)
	case *SetOp:
		level := 1
		if b.Kind == IntersectOp {
			level = 2
		}
		if level < tightest {
			f.write("(")
			defer f.write(")")
		}
		f.body(b.Left, level)
		f.write([]string{UnionOp: " UNION ", IntersectOp: " INTERSECT ", ExceptOp: " EXCEPT "}[b.Kind])
		if b.All {
			f.write("ALL ")
		}
		f.body(b.Right, level+1)
	}
}

func (f *formatter) selectBody(s *Select) {
	f.write("SELECT ")
	if s.Distinct {
		f.write("DISTINCT ")
	}
	commas(f, s.Items, func(item SelectItem) {
		switch {
		case item.Star && item.Expr == nil:
			f.write("*")
		case item.Star:
			f.base(item.Expr)
			f.write(".*")
			if len(item.StarAliases) > 0 {
				f.write(" AS ")
				f.columns(item.StarAliases)
			}
		default:
			f.expr(item.Expr, 0)
		}
		if item.Alias != nil {
			f.write(" AS ")
			f.ident(*item.Alias)
		}
	})
	if len(s.From) > 0 {
		f.write(" FROM ")
		commas(f, s.From, f.table)
	}
	f.clause(" WHERE ", s.Where)
	if len(s.GroupBy) > 0 {
		f.write(" GROUP BY ")
		if s.GroupDistinct {
			f.write("DISTINCT ")
		}
		commas(f, s.GroupBy, f.groupItem)
	}
	f.clause(" HAVING ", s.Having)
	if len(s.Windows) > 0 {
		f.write(" WINDOW ")
		commas(f, s.Windows, func(w NamedWindow) {
			f.ident(w.Name)
			f.write(" AS ")
			f.windowSpec(&w.Window)
		})
	}
}

func (f *formatter) clause(before string, e Expr) {
	if e != nil {
		f.write(before)
		f.expr(e, 0)
	}
}

func (f *formatter) groupItem(g GroupItem) {
	if g.Kind == Plain {
		if row, ok := g.Expr.(*RowExpr); ok { // bare parentheses would be a list
			f.row("ROW(", row)
			return
		}
		f.expr(g.Expr, 0)
		return
	}
	f.write([]string{GroupingSets: "GROUPING SETS (", Rollup: "ROLLUP (", Cube: "CUBE ("}[g.Kind])
	commas(f, g.Sets, func(set []Expr) {
		f.write("(")
		commas(f, set, func(e Expr) { f.expr(e, 0) })
		f.write(")")
	})
	f.write(")")
}

// Tables.

func (f *formatter) table(t TableExpr) {
	switch t := t.(type) {
	case *TableName:
		f.path(t.Name)
		if t.AsOf != nil {
			if t.Time {
				f.write(" FOR TIMESTAMP AS OF ")
			} else {
				f.write(" FOR VERSION AS OF ")
			}
			f.expr(t.AsOf, 0)
		}
	case *SubqueryTable:
		f.parenQuery(t.Query)
	case *LateralTable:
		f.write("LATERAL ")
		f.parenQuery(t.Query)
	case *TableFunction:
		f.write("TABLE(")
		f.path(t.Name)
		f.write("(")
		commas(f, t.Args, func(e Expr) { f.expr(e, 0) })
		f.write("))")
	case *UnnestTable:
		f.write("UNNEST(")
		commas(f, t.Exprs, func(e Expr) { f.expr(e, 0) })
		f.write(")")
		if t.Ordinality {
			f.write(" WITH ORDINALITY")
		}
	case *Aliased:
		switch t.Table.(type) {
		case *JoinTable, *Aliased, *Sampled:
			f.parenTable(t.Table)
		default:
			f.table(t.Table)
		}
		f.write(" AS ")
		f.ident(t.Alias)
		if len(t.Columns) > 0 {
			f.write(" ")
			f.columns(t.Columns)
		}
	case *Sampled:
		switch t.Table.(type) {
		case *JoinTable, *Sampled:
			f.parenTable(t.Table)
		default:
			f.table(t.Table)
		}
		f.write(" TABLESAMPLE ")
		if t.System {
			f.write("SYSTEM (")
		} else {
			f.write("BERNOULLI (")
		}
		f.expr(t.Percent, 0)
		f.write(")")
	case *JoinTable:
		f.join(t)
	}
}

func (f *formatter) parenTable(t TableExpr) {
	f.write("(")
	f.table(t)
	f.write(")")
}

func (f *formatter) join(j *JoinTable) {
	f.table(j.Left)
	f.write(" ")
	if j.Natural {
		f.write("NATURAL ")
	}
	f.write([]string{Inner: "JOIN ", Left: "LEFT JOIN ", Right: "RIGHT JOIN ", Full: "FULL JOIN ", CrossType: "CROSS JOIN "}[j.Type])
	if _, nested := j.Right.(*JoinTable); nested {
		f.parenTable(j.Right)
	} else {
		f.table(j.Right)
	}
	f.clause(" ON ", j.On)
	if len(j.Using) > 0 {
		f.write(" USING ")
		f.columns(j.Using)
	}
}

// Expressions.

// Levels of precedence: an expression in a place that asks for a higher level than its own gets parentheses.
const (
	levelLambda = iota
	levelOr
	levelAnd
	levelNot
	levelPredicate
	levelConcat
	levelAdd
	levelMultiply
	levelSign
	levelZone
	levelPrimary
)

func level(e Expr) int {
	switch e := e.(type) {
	case *Lambda:
		return levelLambda
	case *Binary:
		switch e.Op {
		case "or":
			return levelOr
		case "and":
			return levelAnd
		case "||":
			return levelConcat
		case "+", "-":
			return levelAdd
		case "*", "/", "%":
			return levelMultiply
		}
		return levelPredicate
	case *Unary:
		if e.Op == "not" {
			return levelNot
		}
		return levelSign
	case *Quantified, *IsNullExpr, *Between, *InList, *InQuery, *Like:
		return levelPredicate
	case *AtTimeZone:
		return levelZone
	}
	return levelPrimary
}

func (f *formatter) exprs(es []Expr) { commas(f, es, func(e Expr) { f.expr(e, 0) }) }

func (f *formatter) expr(e Expr, least int) {
	if level(e) < least {
		f.write("(")
		defer f.write(")")
	}
	not := func(yes bool) string {
		if yes {
			return " NOT"
		}
		return ""
	}
	switch e := e.(type) {
	case *Name:
		f.ident(e.Ident)
	case *Dot:
		f.base(e.Base)
		f.write(".")
		f.ident(e.Field)
	case *Subscript:
		f.base(e.Base)
		f.write("[")
		f.expr(e.Index, levelConcat)
		f.write("]")
	case *Null:
		f.write("NULL")
	case *Bool:
		f.write(strings.ToUpper(strconv.FormatBool(e.Value)))
	case *Str:
		f.write(quoteText(e.Value))
	case *Num:
		f.write(e.Text)
	case *Bin:
		f.write("X'", strings.ToUpper(hex.EncodeToString(e.Value)), "'")
	case *TypedLiteral:
		if isBareName(e.Type.Name) && e.Type.Name != "interval" { // bare, that would begin an interval
			f.write(strings.ToUpper(e.Type.Name))
		} else {
			f.write(quoteName(e.Type.Name))
		}
		f.write(" ", quoteText(e.Value))
	case *Interval:
		f.write("INTERVAL ")
		if e.Negative {
			f.write("-")
		}
		f.write(quoteText(e.Value), " ", strings.ToUpper(e.From))
		if e.To != "" {
			f.write(" TO ", strings.ToUpper(e.To))
		}
	case *Unary:
		if e.Op == "not" {
			f.write("NOT ")
			f.expr(e.Arg, levelNot)
			break
		}
		f.write(e.Op)
		if _, sign := e.Arg.(*Unary); sign {
			f.write(" ") // two minus signs would begin a comment
		}
		f.expr(e.Arg, levelSign)
	case *Binary:
		f.binary(e)
	case *Quantified:
		f.expr(e.Left, levelConcat)
		f.write(" ", e.Op, " ", strings.ToUpper(e.Quantifier), " ")
		f.parenQuery(e.Query)
	case *IsNullExpr:
		f.expr(e.Arg, levelConcat)
		f.write(" IS", not(e.Not), " NULL")
	case *Between:
		f.expr(e.Arg, levelConcat)
		f.write(not(e.Not), " BETWEEN ")
		f.expr(e.Low, levelConcat)
		f.write(" AND ")
		f.expr(e.High, levelConcat)
	case *InList:
		f.expr(e.Arg, levelConcat)
		f.write(not(e.Not), " IN (")
		f.exprs(e.List)
		f.write(")")
	case *InQuery:
		f.expr(e.Arg, levelConcat)
		f.write(not(e.Not), " IN ")
		f.parenQuery(e.Query)
	case *Like:
		f.expr(e.Arg, levelConcat)
		f.write(not(e.Not), " LIKE ")
		f.expr(e.Pattern, levelConcat)
		if e.Escape != nil {
			f.write(" ESCAPE ")
			f.expr(e.Escape, levelConcat)
		}
	case *Exists:
		f.write("EXISTS ")
		f.parenQuery(e.Query)
	case *ScalarQuery:
		f.parenQuery(e.Query)
	case *CaseExpr:
		f.caseExpr(e)
	case *CastExpr:
		if e.Try {
			f.write("TRY_")
		}
		f.write("CAST(")
		f.expr(e.Arg, 0)
		f.write(" AS ")
		f.typeName(e.Type)
		f.write(")")
	case *Func:
		f.call(e)
	case *JSONFunc:
		f.jsonFunc(e)
	case *JSONMake:
		f.jsonMake(e)
	case *Extract:
		f.write("EXTRACT(")
		if isBareName(e.Field) {
			f.write(strings.ToUpper(e.Field))
		} else {
			f.write(quoteName(e.Field))
		}
		f.write(" FROM ")
		f.expr(e.Arg, levelConcat)
		f.write(")")
	case *AtTimeZone:
		f.expr(e.Arg, levelZone)
		f.write(" AT TIME ZONE ")
		f.expr(e.Zone, levelPrimary)
	case *Lambda:
		if len(e.Params) == 1 {
			f.ident(e.Params[0])
		} else {
			f.columns(e.Params)
		}
		f.write(" -> ")
		f.expr(e.Body, 0)
	case *ArrayExpr:
		f.write("ARRAY[")
		f.exprs(e.Elems)
		f.write("]")
	case *RowExpr:
		if len(e.Elems) == 1 {
			f.row("ROW(", e)
		} else {
			f.row("(", e)
		}
	case *Param:
		f.write("?")
	}
}

// base writes what a dot or subscript follows; 1.x would be read as a number, array[x] as a constructor.
func (f *formatter) base(e Expr) {
	switch e := e.(type) {
	case *Num:
		f.write("(", e.Text, ")")
		return
	case *Name:
		if strings.EqualFold(e.Ident.Name, "array") {
			f.write(quoteName(e.Ident.Name))
			return
		}
	}
	f.expr(e, levelPrimary)
}

func (f *formatter) binary(e *Binary) {
	l := level(e)
	left := l
	if l == levelPredicate {
		left = levelConcat // predicates do not chain
	}
	f.expr(e.Left, left)
	f.write(" ", strings.ToUpper(e.Op), " ")
	f.expr(e.Right, l+1)
}

func (f *formatter) row(opening string, e *RowExpr) {
	f.write(opening)
	f.exprs(e.Elems)
	f.write(")")
}

func (f *formatter) caseExpr(e *CaseExpr) {
	f.write("CASE")
	f.clause(" ", e.Operand)
	for _, w := range e.Whens {
		f.clause(" WHEN ", w.Cond)
		f.clause(" THEN ", w.Then)
	}
	f.clause(" ELSE ", e.Else)
	f.write(" END")
}

// callWords are the reserved words that are called like functions.
var callWords = map[string]bool{
	"trim": true, "normalize": true, "grouping": true, "listagg": true,
	"current_time": true, "current_timestamp": true, "localtime": true, "localtimestamp": true,
}

func (f *formatter) call(e *Func) {
	word := ""
	if len(e.Name) == 1 && !e.Name[0].Quoted {
		word = strings.ToLower(e.Name[0].Name)
	}
	if e.NoParens {
		f.write(strings.ToUpper(word))
		return
	}
	if reserved, known := keyword(word); callWords[word] || known && !reserved && word != "all" {
		f.write(e.Name[0].Name) // filter(…) and the like; all(x) as an argument would be ALL x
	} else {
		f.path(e.Name)
	}
	f.write("(")
	if e.Distinct {
		f.write("DISTINCT ")
	}
	if e.Star {
		f.write("*")
	}
	f.exprs(e.Args)
	before := " ORDER BY "
	switch {
	case word == "listagg":
		if t := e.Truncate; t != nil {
			f.write(" ON OVERFLOW TRUNCATE")
			if t.Filler != nil {
				f.write(" ", quoteText(*t.Filler))
			}
			if t.Count {
				f.write(" WITH COUNT")
			} else {
				f.write(" WITHOUT COUNT")
			}
		}
		f.write(")")
		if len(e.OrderBy) > 0 {
			f.orderBy(" WITHIN GROUP (ORDER BY ", e.OrderBy)
			f.write(")")
		}
	default:
		if len(e.Args) == 0 {
			before = "ORDER BY "
		}
		f.orderBy(before, e.OrderBy)
		f.write(")")
	}
	if e.Filter != nil {
		f.clause(" FILTER (WHERE ", e.Filter)
		f.write(")")
	}
	if e.IgnoreNulls {
		f.write(" IGNORE NULLS")
	}
	if e.Over != nil {
		f.write(" OVER ")
		f.window(e.Over)
	}
}

func (f *formatter) window(w *Window) {
	if w.Name != "" && len(w.PartitionBy) == 0 && len(w.OrderBy) == 0 && w.Frame == nil {
		f.name(w.Name)
		return
	}
	f.windowSpec(w)
}

func (f *formatter) windowSpec(w *Window) {
	f.write("(")
	space := ""
	if w.Name != "" {
		f.name(w.Name)
		space = " "
	}
	if len(w.PartitionBy) > 0 {
		f.write(space, "PARTITION BY ")
		f.exprs(w.PartitionBy)
		space = " "
	}
	f.orderBy(space+"ORDER BY ", w.OrderBy)
	if len(w.OrderBy) > 0 {
		space = " "
	}
	if w.Frame != nil {
		f.write(space, strings.ToUpper(w.Frame.Unit), " BETWEEN ")
		f.frameBound(w.Frame.Start)
		f.write(" AND ")
		f.frameBound(w.Frame.End)
	}
	f.write(")")
}

func (f *formatter) frameBound(b FrameBound) {
	if b.Value != nil {
		f.expr(b.Value, levelConcat)
		f.write(" ")
	}
	f.write(strings.ToUpper(b.Kind))
}

// typeName writes a type; in a name of several words the precision of a time stands after the first.
// ofSeveralWords reports whether a type's name is one that has more than a word.
func ofSeveralWords(word, rest string) bool {
	switch word {
	case "time", "timestamp":
		return rest == "with time zone"
	case "interval":
		from, to, both := strings.Cut(rest, " to ")
		unit := func(s string) bool { return slices.Contains(intervalUnits, strings.ToUpper(s)) }
		return unit(from) && (!both || unit(to))
	}
	return false
}

func (f *formatter) typeName(t TypeName) {
	word, rest, _ := strings.Cut(t.Name, " ")
	switch {
	case rest == "" && isBareName(t.Name), rest != "" && ofSeveralWords(word, rest):
		f.write(word)
	default:
		f.write(quoteName(t.Name))
		rest = ""
	}
	switch {
	case len(t.Params) > 0:
		f.write("(")
		commas(f, t.Params, func(n int) { f.write(strconv.Itoa(n)) })
		f.write(")")
	case len(t.Args) > 0:
		f.write("(")
		for i, arg := range t.Args {
			if i > 0 {
				f.write(", ")
			}
			if i < len(t.FieldNames) && t.FieldNames[i] != "" {
				f.fieldName(t.FieldNames[i])
				f.write(" ")
			}
			f.typeName(arg)
		}
		f.write(")")
	}
	if rest != "" {
		f.write(" ", rest)
	}
}

// fieldName quotes the names with which a type of several words would begin.
func (f *formatter) fieldName(name string) {
	switch strings.ToLower(name) {
	case "double", "interval", "time", "timestamp":
		f.write(quoteName(name))
	default:
		f.name(name)
	}
}
