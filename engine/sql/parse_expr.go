package sql

import "strings"

// Precedence, from the loosest:
//
//	lambda, OR, AND, NOT, one predicate (= < IN LIKE BETWEEN IS), ||, + -, * / %, sign, AT TIME ZONE, primary
//
// Predicates do not chain: a = b = c is no expression.

// startsValue holds the keywords and punctuation with which an expression can begin, other than names and literals.
var startsValue = map[string]bool{
	"(": true, "?": true, "*": true, "+": true, "-": true,
	"CASE": true, "CAST": true, "NULL": true, "TRUE": true, "FALSE": true, "NOT": true, "EXISTS": true, "EXTRACT": true,
	"JSON_ARRAY": true, "JSON_EXISTS": true, "JSON_OBJECT": true, "JSON_QUERY": true, "JSON_VALUE": true,
	"TRIM": true, "NORMALIZE": true, "GROUPING": true, "LISTAGG": true,
	"CURRENT_DATE": true, "CURRENT_TIME": true, "CURRENT_TIMESTAMP": true, "LOCALTIME": true, "LOCALTIMESTAMP": true,
	"CURRENT_USER": true, "CURRENT_CATALOG": true, "CURRENT_SCHEMA": true, "CURRENT_PATH": true,
}

func (p *parser) upper(t Token) string { return strings.ToUpper(p.str(t)) }

func (p *parser) lower(t Token) string { return strings.ToLower(p.str(t)) }

// expr reads any expression.
func (p *parser) expr() Expr {
	p.enter()
	left := p.conjunction()
	for n := 1; p.ahead("OR"); n++ {
		p.chain(n)
		op := &Binary{At: p.here(), Op: "or", Left: left}
		p.next()
		op.Right = p.conjunction()
		left = op
	}
	p.leave()
	return left
}

func (p *parser) conjunction() Expr {
	left := p.negation()
	for n := 1; p.ahead("AND"); n++ {
		p.chain(n)
		op := &Binary{At: p.here(), Op: "and", Left: left}
		p.next()
		op.Right = p.negation()
		left = op
	}
	return left
}

func (p *parser) negation() Expr {
	if !p.ahead("NOT") {
		return p.predicate()
	}
	not := &Unary{At: p.here(), Op: "not"}
	p.next()
	p.enter()
	not.Arg = p.negation()
	p.leave()
	return not
}

func (p *parser) predicate() Expr {
	e, found := p.predicateOn(p.value())
	if found && p.predicateAhead() {
		p.failHint(p.tok(), "join comparisons with AND, or put one in parentheses", "comparisons cannot be chained: unexpected %s", p.found(p.tok()))
	}
	return e
}

func (p *parser) predicateAhead() bool {
	return p.oneOf(0, "=", "<>", "!=", "<", "<=", ">", ">=", "IS", "IN", "LIKE", "BETWEEN") != "" ||
		p.ahead("NOT") && p.oneOf(1, "IN", "LIKE", "BETWEEN") != ""
}

// predicateOn reads the predicate that follows arg, if any.
func (p *parser) predicateOn(arg Expr) (e Expr, found bool) {
	if !p.predicateAhead() {
		return arg, false
	}
	op := p.here()
	start := At{arg.Pos()}
	if p.accept("IS") {
		not := p.accept("NOT")
		if p.accept("NULL") {
			return &IsNullExpr{At: start, Arg: arg, Not: not}, true
		}
		if word := p.oneOf(0, "TRUE", "FALSE"); word != "" {
			p.failHint(p.tok(), "write x or NOT x, or x IS NOT DISTINCT FROM "+word, "IS %s is not in the dialect", word)
		}
		if !p.accept("DISTINCT") {
			p.fail("NULL or DISTINCT FROM")
		}
		p.expect("FROM")
		name := "is distinct from"
		if not {
			name = "is not distinct from"
		}
		return &Binary{At: op, Op: name, Left: arg, Right: p.value()}, true
	}
	not := p.accept("NOT")
	switch {
	case p.accept("BETWEEN"):
		b := &Between{At: start, Arg: arg, Not: not, Low: p.value()}
		p.expect("AND")
		b.High = p.value()
		return b, true
	case p.accept("LIKE"):
		l := &Like{At: start, Arg: arg, Not: not, Pattern: p.value()}
		if p.accept("ESCAPE") {
			l.Escape = p.value()
		}
		return l, true
	case p.accept("IN"):
		return p.in(start, arg, not), true
	}
	return p.comparison(arg), true
}

func (p *parser) in(start At, arg Expr, not bool) Expr {
	p.opening("(")
	if p.queryAhead(0) {
		in := &InQuery{At: start, Arg: arg, Not: not, Query: p.query()}
		p.closing(")")
		return in
	}
	elems := []Expr{p.expr()}
	if sub, ok := elems[0].(*ScalarQuery); ok && p.continuesQuery() {
		in := &InQuery{At: start, Arg: arg, Not: not, Query: p.finishQuery(&Query{At: At{sub.Pos()}}, body(sub.Query))}
		p.closing(")")
		return in
	}
	if p.accept(",") {
		elems = append(elems, list(p, p.expr)...)
	}
	p.closing(")")
	return &InList{At: start, Arg: arg, Not: not, List: elems}
}

func (p *parser) comparison(left Expr) Expr {
	at, op := p.here(), p.str(p.tok())
	if op == "!=" {
		op = "<>"
	}
	p.next()
	if word := p.oneOf(0, "ALL", "ANY", "SOME"); word != "" && p.parenQueryAhead(1) {
		p.next()
		quantifier := "any"
		if word == "ALL" {
			quantifier = "all"
		}
		return &Quantified{At: at, Op: op, Quantifier: quantifier, Left: left, Query: p.parenQuery()}
	}
	return &Binary{At: at, Op: op, Left: left, Right: p.value()}
}

// binding is how tightly an operator between values binds; 0: it is none.
func binding(op string) int {
	switch op {
	case "||":
		return 1
	case "+", "-":
		return 2
	case "*", "/", "%":
		return 3
	}
	return 0
}

// value reads an expression without AND, OR, NOT and predicates.
func (p *parser) value() Expr { return p.operators(1) }

// operators reads operands joined by operators that bind at least as tightly as loosest.
func (p *parser) operators(loosest int) Expr {
	left := p.signed()
	for n := 1; ; n++ {
		t := p.tok()
		if t.Kind != OperatorToken {
			return left
		}
		b := binding(p.str(t))
		if b == 0 || b < loosest {
			return left
		}
		p.chain(n)
		p.next()
		left = &Binary{At: p.at(t), Op: p.str(t), Left: left, Right: p.operators(b + 1)}
	}
}

// signed reads [+|-] … operand [AT TIME ZONE zone].
func (p *parser) signed() Expr {
	if p.oneOf(0, "+", "-") != "" {
		u := &Unary{At: p.here(), Op: p.str(p.tok())}
		p.next()
		p.enter()
		u.Arg = p.signed()
		p.leave()
		return u
	}
	e := p.primary()
	for n := 1; p.accept("AT", "TIME", "ZONE"); n++ {
		p.chain(n)
		e = &AtTimeZone{At: At{e.Pos()}, Arg: e, Zone: p.zone()}
	}
	return e
}

func (p *parser) zone() Expr {
	if p.intervalAhead() {
		return p.interval()
	}
	at := p.here()
	if p.tok().Kind != StringToken && startsExpr(p.tok()) {
		p.failHint(p.tok(), "use at_timezone(x, zone) for a zone that is computed", "expected a time zone in single quotes, found %s", p.found(p.tok()))
	}
	return &Str{At: at, Value: p.stringValue("a time zone in single quotes")}
}

// primary reads an operand with the fields and subscripts that follow it. It stops before .* .
func (p *parser) primary() Expr {
	first := p.cursor
	e := p.operand()
	for n := 1; ; n++ {
		switch {
		case p.ahead(".") && !p.matches(p.peek(1), "*"):
			p.next()
			e = &Dot{At: At{e.Pos()}, Base: e, Field: p.ident("a field name")}
		case p.ahead("["):
			p.opening("[")
			p.enter()
			e = &Subscript{At: At{e.Pos()}, Base: e, Index: p.value()}
			p.leave()
			p.closing("]")
		default:
			p.primaryStart = first
			return e
		}
		p.chain(n)
	}
}

func (p *parser) operand() Expr {
	t := p.tok()
	at := p.at(t)
	switch t.Kind {
	case NumberToken:
		p.next()
		return &Num{At: at, Text: p.str(t)}
	case StringToken:
		if p.isHex(t) {
			return p.binary()
		}
		return &Str{At: at, Value: p.stringValue("a string")}
	case OperatorToken:
		switch p.str(t) {
		case "?":
			return p.param()
		case "(":
			return p.paren()
		}
	case WordToken, QuotedToken:
		return p.named()
	case KeywordToken:
		if t.reserved {
			return p.reserved()
		}
		return p.named()
	}
	p.fail("an expression")
	return nil
}

// paren reads what begins with a parenthesis: a lambda, a query, a row, or an expression.
func (p *parser) paren() Expr {
	if p.lambdaAhead() {
		return p.lambda()
	}
	at := p.here()
	if p.queryAhead(1) {
		return &ScalarQuery{At: at, Query: p.parenQuery()}
	}
	p.opening("(")
	e := p.expr()
	if sub, ok := e.(*ScalarQuery); ok && p.continuesQuery() {
		// ((SELECT …) UNION …): what looked like a value is the first term of a query.
		e = &ScalarQuery{At: at, Query: p.finishQuery(&Query{At: At{sub.Pos()}}, body(sub.Query))}
	}
	if p.accept(",") {
		e = &RowExpr{At: at, Elems: append([]Expr{e}, list(p, p.expr)...)}
	}
	p.closing(")")
	return e
}

// lambdaAhead reports whether ( names ) -> comes next.
func (p *parser) lambdaAhead() bool {
	if !p.ahead("(") {
		return false
	}
	n := 1
	for isName(p.peek(n)) {
		n++
		if !p.matches(p.peek(n), ",") {
			break
		}
		n++
	}
	return p.matches(p.peek(n), ")") && p.matches(p.peek(n+1), "->")
}

// lambda reads x -> body or (x, y) -> body.
func (p *parser) lambda() Expr {
	l := &Lambda{At: p.here()}
	switch {
	case p.accept("(", ")"):
	case p.ahead("("):
		l.Params = p.idents("a parameter")
	default:
		l.Params = []Ident{p.ident("a parameter")}
	}
	p.expect("->")
	l.Body = p.expr()
	return l
}

// named reads what begins with a word that may be a name.
func (p *parser) named() Expr {
	t := p.tok()
	bare := t.Kind != QuotedToken
	switch {
	case p.matches(p.peek(1), "->"):
		return p.lambda()
	case bare && p.intervalAhead():
		return p.interval()
	case bare && p.ahead("ROW", "("):
		p.next()
		return &RowExpr{At: p.at(t), Elems: p.elems("(", ")")}
	case bare && p.ahead("ARRAY", "["):
		p.next()
		a := &ArrayExpr{At: p.at(t)}
		if !p.accept("[", "]") {
			a.Elems = p.elems("[", "]")
		}
		return a
	case bare && p.ahead("TRY_CAST", "("):
		return p.cast(true)
	case bare && p.ahead("POSITION", "("):
		return p.position()
	case bare && p.ahead("SUBSTRING", "("):
		return p.substring()
	case bare && p.ahead("DOUBLE", "PRECISION") && p.peek(2).Kind == StringToken && !p.isHex(p.peek(2)):
		p.next()
		p.next()
		return &TypedLiteral{At: p.at(t), Type: TypeName{At: p.at(t), Name: "double"}, Value: p.stringValue("a string")}
	case p.peek(1).Kind == StringToken && !p.isHex(p.peek(1)):
		name := p.ident("a type")
		return &TypedLiteral{At: p.at(t), Type: TypeName{At: p.at(t), Name: strings.ToLower(name.Name)}, Value: p.stringValue("a string")}
	}
	return p.path()
}

// path reads a.b.c, or a call of a function so named.
func (p *parser) path() Expr {
	names := []Ident{p.ident("a name")}
	for p.ahead(".") && !p.matches(p.peek(1), "*") {
		p.chain(len(names))
		p.next()
		names = append(names, p.ident("a field name"))
	}
	if p.ahead("(") {
		return p.call(names)
	}
	var e Expr = &Name{At: names[0].At, Ident: names[0]}
	for _, field := range names[1:] {
		e = &Dot{At: names[0].At, Base: e, Field: field}
	}
	return e
}

func (p *parser) elems(opening, closing string) []Expr {
	p.opening(opening)
	elems := list(p, p.expr)
	p.closing(closing)
	return elems
}

// Calls.

// call reads the arguments of a function and what may follow them.
func (p *parser) call(name []Ident) Expr {
	f := &Func{At: name[0].At, Name: name}
	p.opening("(")
	switch {
	case p.accept("*"):
		f.Star = true
	case p.ahead(")"):
	case p.ahead("ORDER"):
	default:
		f.Distinct = p.quantifier()
		f.Args = list(p, p.expr)
	}
	if !f.Star && p.accept("ORDER") {
		p.expect("BY")
		f.OrderBy = p.orderItems()
	}
	p.closing(")")
	p.afterCall(f)
	return f
}

// afterCall reads [FILTER (WHERE …)] [IGNORE|RESPECT NULLS] [OVER …].
func (p *parser) afterCall(f *Func) {
	if p.ahead("FILTER", "(") {
		p.next()
		p.opening("(")
		p.expect("WHERE")
		f.Filter = p.expr()
		p.closing(")")
	}
	over := false
	switch {
	case p.accept("IGNORE", "NULLS"):
		f.IgnoreNulls, over = true, true
	case p.accept("RESPECT", "NULLS"):
		over = true
	}
	if over && !p.ahead("OVER") {
		p.fail("OVER")
	}
	if over || p.ahead("OVER") && (p.matches(p.peek(1), "(") || isName(p.peek(1))) {
		p.expect("OVER")
		f.Over = p.window()
	}
}

// plain makes a call of a function with ordinary arguments.
func plain(at At, name string, args ...Expr) *Func {
	return &Func{At: at, Name: []Ident{{At: at, Name: name}}, Args: args}
}

// position reads POSITION(part IN text), which is strpos(text, part).
func (p *parser) position() Expr {
	at := p.here()
	p.next()
	p.opening("(")
	part := p.value()
	p.expect("IN")
	text := p.value()
	p.closing(")")
	return plain(at, "strpos", text, part)
}

// substring reads SUBSTRING(text FROM start [FOR length]), which is substr, or an ordinary call.
func (p *parser) substring() Expr {
	at := p.here()
	name := p.ident("a function")
	p.opening("(")
	args := []Expr{p.expr()}
	written := p.accept("FROM")
	if written {
		args = append(args, p.value())
		if p.accept("FOR") {
			args = append(args, p.value())
		}
	} else if p.accept(",") {
		args = append(args, list(p, p.expr)...)
	}
	p.closing(")")
	if written {
		return plain(at, "substr", args...)
	}
	return &Func{At: at, Name: []Ident{name}, Args: args}
}

// trim reads TRIM([LEADING|TRAILING|BOTH] [chars] FROM text), which is ltrim, rtrim or trim, or an ordinary call.
func (p *parser) trim(at At) Expr {
	p.opening("(")
	name := "trim"
	spec := p.oneOf(0, "LEADING", "TRAILING", "BOTH")
	if after := p.peek(1); spec != "" && (isName(after) || p.matches(after, "FROM") || p.matches(after, "(") || after.Kind == StringToken || after.Kind == NumberToken) {
		p.next()
		name = map[string]string{"LEADING": "ltrim", "TRAILING": "rtrim", "BOTH": "trim"}[spec]
	} else {
		spec = ""
	}
	var args []Expr
	if !p.ahead("FROM") {
		args = []Expr{p.expr()}
	}
	switch {
	case p.accept("FROM"):
		args = append([]Expr{p.expr()}, args...)
	case spec != "":
		p.fail("FROM")
	case p.accept(","):
		args = append(args, list(p, p.expr)...)
	}
	p.closing(")")
	return plain(at, name, args...)
}

// reserved reads what begins with a reserved word.
func (p *parser) reserved() Expr {
	t := p.tok()
	at := p.at(t)
	word := p.upper(t)
	switch word {
	case "NULL":
		p.next()
		return &Null{At: at}
	case "TRUE", "FALSE":
		p.next()
		return &Bool{At: at, Value: word == "TRUE"}
	case "CASE":
		return p.caseExpr()
	case "CAST":
		return p.cast(false)
	case "EXISTS":
		p.next()
		return &Exists{At: at, Query: p.parenQuery()}
	case "EXTRACT":
		return p.extract()
	case "TRIM":
		p.next()
		return p.trim(at)
	case "CURRENT_DATE", "CURRENT_USER", "CURRENT_CATALOG", "CURRENT_SCHEMA", "CURRENT_PATH":
		p.next()
		if p.ahead("(", ")") {
			p.failHint(p.tok(), "write "+strings.ToLower(word), "%s takes no parentheses", word)
		}
		f := plain(at, strings.ToLower(word))
		f.NoParens = true
		return f
	case "CURRENT_TIME", "CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP":
		p.next()
		f := plain(at, strings.ToLower(word))
		f.NoParens = !p.ahead("(")
		if !f.NoParens {
			if p.ahead("(", ")") {
				p.failHint(p.tok(), "write "+strings.ToLower(word), "%s takes a precision in parentheses, or none", word)
			}
			p.opening("(")
			f.Args = []Expr{p.rowCount()}
			p.closing(")")
		}
		return f
	case "NORMALIZE", "GROUPING", "LISTAGG":
		if !p.matches(p.peek(1), "(") {
			break
		}
		p.next()
		name := []Ident{{At: at, Name: strings.ToLower(word)}}
		switch word {
		case "NORMALIZE":
			return p.normalize(name)
		case "LISTAGG":
			return p.listagg(name)
		}
		return p.call(name)
	case "JSON_EXISTS", "JSON_QUERY", "JSON_VALUE":
		p.next()
		return p.jsonFunc(at, strings.ToLower(strings.TrimPrefix(word, "JSON_")))
	case "JSON_ARRAY", "JSON_OBJECT":
		p.next()
		return p.jsonMake(at, word == "JSON_OBJECT")
	case "JSON_TABLE":
		p.unsupported(t, "json_extract_scalar(x, '$.path') and json_extract(x, '$.path') read JSON", "%s is not supported yet", word)
	}
	p.fail("an expression")
	return nil
}

// normalize reads NORMALIZE(text [, form]) with the form as a bare word or as text.
func (p *parser) normalize(name []Ident) Expr {
	p.opening("(")
	f := &Func{At: name[0].At, Name: name, Args: []Expr{p.expr()}}
	if p.accept(",") {
		if form := p.oneOf(0, "NFD", "NFC", "NFKD", "NFKC"); form != "" {
			f.Args = append(f.Args, &Str{At: p.here(), Value: form})
			p.next()
		} else {
			f.Args = append(f.Args, p.expr())
		}
	}
	p.closing(")")
	return f
}

// onOverflow reads ERROR or TRUNCATE ['filler'] WITH|WITHOUT COUNT; nil for ERROR.
func (p *parser) onOverflow() *Truncate {
	if p.accept("ERROR") {
		return nil
	}
	if !p.accept("TRUNCATE") {
		p.fail("ERROR or TRUNCATE")
	}
	t := &Truncate{}
	if p.tok().Kind == StringToken {
		filler := p.stringValue("a filler")
		t.Filler = &filler
	}
	t.Count = p.accept("WITH")
	if !t.Count && !p.accept("WITHOUT") {
		p.fail("WITH COUNT or WITHOUT COUNT")
	}
	p.expect("COUNT")
	return t
}

// listagg reads LISTAGG(…) WITHIN GROUP (ORDER BY …); the order is kept as that of an aggregate.
func (p *parser) listagg(name []Ident) Expr {
	f := &Func{At: name[0].At, Name: name}
	p.opening("(")
	f.Distinct = p.quantifier()
	f.Args = list(p, p.expr)
	if p.accept("ON") {
		p.expect("OVERFLOW")
		f.Truncate = p.onOverflow()
	}
	p.closing(")")
	if p.accept("WITHIN") {
		p.expect("GROUP")
		p.opening("(")
		p.expect("ORDER", "BY")
		f.OrderBy = p.orderItems()
		p.closing(")")
	}
	p.afterCall(f)
	return f
}

func (p *parser) caseExpr() Expr {
	c := &CaseExpr{At: p.here()}
	p.expect("CASE")
	if !p.ahead("WHEN") {
		c.Operand = p.expr()
	}
	for {
		p.expect("WHEN")
		when := WhenClause{Cond: p.expr()}
		p.expect("THEN")
		when.Then = p.expr()
		c.Whens = append(c.Whens, when)
		if !p.ahead("WHEN") {
			break
		}
	}
	if p.accept("ELSE") {
		c.Else = p.expr()
	}
	if !p.accept("END") {
		p.fail("WHEN, ELSE or END")
	}
	return c
}

func (p *parser) cast(try bool) Expr {
	c := &CastExpr{At: p.here(), Try: try}
	p.next()
	p.opening("(")
	c.Arg = p.expr()
	p.expect("AS")
	c.Type = p.typeName()
	p.closing(")")
	return c
}

func (p *parser) extract() Expr {
	e := &Extract{At: p.here()}
	p.next()
	p.opening("(")
	e.Field = strings.ToLower(p.ident("a field such as HOUR").Name)
	p.expect("FROM")
	e.Arg = p.value()
	p.closing(")")
	return e
}

// intervalAhead reports whether INTERVAL [sign] '…' comes next; the word alone may be a name.
func (p *parser) intervalAhead() bool {
	n := 1
	if p.oneOf(n, "+", "-") != "" {
		n++
	}
	if p.ahead("INTERVAL") && n == 1 && p.peek(1).Kind == NumberToken {
		number := p.str(p.peek(1))
		p.failHint(p.peek(1), "write INTERVAL '"+number+"'", "the number of an interval is written in single quotes")
	}
	return p.ahead("INTERVAL") && p.peek(n).Kind == StringToken
}

func (p *parser) interval() Expr {
	i := &Interval{At: p.here()}
	p.next()
	if p.accept("-") {
		i.Negative = true
	} else {
		p.accept("+")
	}
	i.Value = p.stringValue("a number in single quotes")
	i.From = p.intervalUnit()
	if p.accept("TO") {
		i.To = p.intervalUnit()
	}
	return i
}
