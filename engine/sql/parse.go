package sql

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/trailql/trailql/engine/sqlerr"
)

// Limits against hostile text.
const (
	MaxText  = 256 << 10 // bytes of a statement
	MaxDepth = 200       // queries, parentheses, calls and types inside one another
	MaxChain = 10_000    // operators of one level in a row: a AND b AND …, joins, UNIONs, dots
)

// Parse reads exactly one statement; semicolons may follow it. Values are the texts of the literals that stand for its ?, in order, as many
// as there are; without any value each ? is a *Param. A value is one literal and cannot be more: a sign, ARRAY, ROW, MAP and CAST of
// literals count as such. Errors are *sqlerr.Error with a place in text: of kind Syntax for text that is no
// statement of the dialect, Unknown for statements that this engine does not do, Resource for text beyond the limits.
func Parse(text string, values ...string) (Statement, error) {
	return parse(text, values, isLiteral)
}

func parse(text string, values []string, isValue func(Expr) bool) (stmt Statement, err error) {
	if len(text) > MaxText {
		return nil, sqlerr.New(sqlerr.Resource, 1, "the statement has %d bytes, the limit is %d", len(text), MaxText)
	}
	err = caught(func() {
		p := newParser(text)
		p.values, p.isValue = values, isValue
		stmt = p.statement()
		for p.accept(";") {
		}
		if p.tok().Kind != endToken {
			p.fail("the end of the statement")
		}
		if values != nil && len(values) != p.params {
			panic(failure{sqlerr.New(sqlerr.Syntax, 1, "parameters (?) in the statement: %d, values given for them: %d", p.params, len(values))})
		}
	})
	if err != nil {
		return nil, err
	}
	return stmt, nil
}

// caught runs f and returns the mistake that it met.
func caught(f func()) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case failure:
			err = r.err
		default:
			panic(r)
		}
	}()
	f()
	return nil
}

// parser is a recursive-descent parser over the tokens of one statement. The first mistake ends it: fail panics with a
// failure, and Parse turns that into the error it returns.
type parser struct {
	text    string
	tokens  []Token // without comments, closed by an endToken
	cursor  int
	depth   int             // of nesting, see enter
	queries int             // how many queries the cursor is in
	params  int             // ? seen so far
	values  []string        // for them
	isValue func(Expr) bool // what they may be
	place   At              // of all nodes, if it is set

	primaryStart int   // where the last complete primary expression began
	aliasAt      int   // the last table alias written without AS
	open         []int // parentheses and brackets not closed yet
}

type failure struct{ err *sqlerr.Error }

func newParser(text string) *parser {
	p := &parser{text: text, aliasAt: -1}
	if !utf8.ValidString(text) {
		at := 0
		for r, size := utf8.DecodeRuneInString(text); r != utf8.RuneError || size != 1; r, size = utf8.DecodeRuneInString(text[at:]) {
			at += size
		}
		p.failAt(Token{Start: at, End: at + 1}, sqlerr.Syntax, "the text is not valid UTF-8 here")
	}
	for _, t := range Tokens(text) {
		switch {
		case t.Open && t.Kind == CommentToken:
			p.failAt(t, sqlerr.Syntax, "this comment is never closed")
		case t.Open && t.Kind == StringToken:
			p.failHint(t, "write '' for a quote inside a string", "this string is never closed")
		case t.Open:
			p.failAt(t, sqlerr.Syntax, "this quoted name is never closed")
		case t.Kind != CommentToken:
			p.tokens = append(p.tokens, t)
		}
	}
	p.tokens = append(p.tokens, Token{Kind: endToken, Start: len(text), End: len(text)})
	return p
}

// The cursor.

func (p *parser) tok() Token { return p.peek(0) }

func (p *parser) peek(n int) Token { return p.tokens[min(max(p.cursor+n, 0), len(p.tokens)-1)] }

func (p *parser) next() { p.cursor = min(p.cursor+1, len(p.tokens)-1) }

func (p *parser) str(t Token) string { return p.text[t.Start:t.End] }

func (p *parser) at(t Token) At {
	if p.place.At > 0 {
		return p.place
	}
	return At{At: sqlerr.Pos(t.Start + 1)}
}

// here is the place of the next token.
func (p *parser) here() At { return p.at(p.tok()) }

// matches reports whether t is the keyword or operator s, or the bare name s in any case.
func (p *parser) matches(t Token, s string) bool {
	switch t.Kind {
	case KeywordToken, WordToken:
		return strings.EqualFold(p.str(t), s)
	case OperatorToken:
		return p.str(t) == s
	}
	return false
}

// ahead reports whether the next tokens are these.
func (p *parser) ahead(tokens ...string) bool {
	for i, s := range tokens {
		if !p.matches(p.peek(i), s) {
			return false
		}
	}
	return true
}

// oneOf returns the first of the words that token n ahead is, or "".
func (p *parser) oneOf(n int, words ...string) string {
	for _, w := range words {
		if p.matches(p.peek(n), w) {
			return w
		}
	}
	return ""
}

// accept moves over the tokens if they come next.
func (p *parser) accept(tokens ...string) bool {
	if !p.ahead(tokens...) {
		return false
	}
	p.cursor += len(tokens)
	return true
}

func (p *parser) expect(tokens ...string) {
	for _, s := range tokens {
		if !p.accept(s) {
			p.fail("%s", spell(s))
		}
	}
}

// spell shows a keyword as it is and punctuation in quotes.
func spell(s string) string {
	if isWordByte(s[0]) {
		return s
	}
	return `"` + s + `"`
}

// opening moves over ( or [; closing over its partner.
func (p *parser) opening(s string) {
	at := p.cursor
	p.expect(s)
	p.open = append(p.open, at)
}

func (p *parser) closing(s string) {
	if !p.ahead(s) {
		p.fail("%s", spell(s))
	}
	p.next()
	p.open = p.open[:len(p.open)-1]
}

// enter counts a level of nesting; leave must follow.
func (p *parser) enter() {
	p.depth++
	if p.depth > MaxDepth {
		p.failAt(p.tok(), sqlerr.Resource, "the statement is nested more than %d levels deep here", MaxDepth)
	}
}

func (p *parser) leave() { p.depth-- }

// chain bounds the length n of a run that nests to the left in the tree without nesting in the text.
func (p *parser) chain(n int) {
	if n > MaxChain {
		p.failAt(p.tok(), sqlerr.Resource, "more than %d operators in a row", MaxChain)
	}
}

// list reads items separated by commas.
func list[T any](p *parser, item func() T) []T {
	items := []T{item()}
	for p.accept(",") {
		items = append(items, item())
	}
	return items
}

// Names.

// isName reports whether t can be an identifier.
func isName(t Token) bool {
	return t.Kind == WordToken || t.Kind == QuotedToken || t.Kind == KeywordToken && !t.reserved
}

// ident reads an identifier; what names it in the error.
func (p *parser) ident(what string) Ident {
	t := p.tok()
	if !isName(t) {
		p.fail("%s", what)
	}
	p.next()
	if t.Kind != QuotedToken {
		return Ident{At: p.at(t), Name: p.str(t)}
	}
	name := unquote(p.str(t))
	if name == "" {
		p.failAt(t, sqlerr.Syntax, "a quoted name cannot be empty")
	}
	return Ident{At: p.at(t), Name: name, Quoted: true}
}

func (p *parser) idents(what string) []Ident {
	p.opening("(")
	names := list(p, func() Ident { return p.ident(what) })
	p.closing(")")
	return names
}

// tableName reads one to three parts.
func (p *parser) tableName() []Ident {
	start := p.tok()
	name := []Ident{p.tablePart()}
	for p.accept(".") {
		name = append(name, p.tablePart())
	}
	if len(name) > 3 {
		p.failAt(start, sqlerr.Syntax, "a table name has at most three parts: catalog.schema.table")
	}
	return name
}

// tablePart reads an identifier or, as CloudTrail Lake allows for the id of an event data store, a bare name that begins
// with a digit or holds hyphens. Such a name counts as quoted.
func (p *parser) tablePart() Ident {
	t := p.tok()
	if t.Kind == QuotedToken || t.Kind == KeywordToken || !isWordByte(p.text[min(t.Start, len(p.text)-1)]) {
		return p.ident("a table name")
	}
	end := t.Start + wordLength(p.text[t.Start:])
	for end < len(p.text) && p.text[end] == '-' {
		n := wordLength(p.text[end+1:])
		if n == 0 {
			break
		}
		end += 1 + n
	}
	name := p.text[t.Start:end]
	if isBareName(name) || digitsLength(name) == len(name) {
		return p.ident("a table name")
	}
	for p.tok().Start < end && p.tok().Kind != endToken {
		if p.tok().End > end {
			p.fail("a table name")
		}
		p.next()
	}
	return Ident{At: p.at(t), Name: name, Quoted: true}
}

// Statements.

func (p *parser) statement() Statement {
	start := p.here()
	if s := p.sessionStatement(start); s != nil {
		return s
	}
	switch {
	case p.ahead("EXPLAIN"):
		return p.explain()
	case p.accept("SHOW"):
		p.takeBackquotes()
		return p.show(start)
	case p.accept("DESCRIBE"), p.accept("DESC"):
		p.takeBackquotes()
		if p.oneOf(0, "EXTENDED", "FORMATTED") != "" && p.peek(1).Kind != endToken && !p.matches(p.peek(1), ".") && !p.matches(p.peek(1), ";") {
			p.next() // Hive's words for more detail, which there is not
		}
		return &ShowColumns{At: start, Table: p.tableName()}
	case p.accept("CREATE"):
		return p.create(start)
	case p.accept("DROP"):
		return p.drop(start)
	case p.accept("UNLOAD"):
		return p.unload(start)
	case p.tok().Kind == endToken:
		p.fail("a statement")
	}
	p.refuse()
	return p.query()
}

// takeBackquotes makes names of what stands in backquotes, as Athena does in the statements that it has from Hive.
func (p *parser) takeBackquotes() {
	for i, t := range p.tokens {
		if t.Kind == InvalidToken && p.text[t.Start] == '`' {
			p.tokens[i].Kind = QuotedToken
		}
	}
}

// Errors.

// fail ends the parse: something else was expected where the cursor is.
func (p *parser) fail(expected string, args ...any) {
	t := p.tok()
	if t.Kind == InvalidToken {
		p.failInvalid(t)
	}
	if t.Kind == endToken && len(p.open) > 0 {
		opened := p.tokens[p.open[len(p.open)-1]]
		p.failAt(opened, sqlerr.Syntax, "this %s is never closed", spell(p.str(opened)))
	}
	err := sqlerr.New(sqlerr.Syntax, p.here().At, "expected %s, found %s", fmt.Sprintf(expected, args...), p.found(t))
	err.Hint = p.hint(t)
	panic(failure{err})
}

func (p *parser) failAt(t Token, kind sqlerr.Kind, format string, args ...any) {
	panic(failure{sqlerr.New(kind, p.at(t).At, format, args...)})
}

func (p *parser) failHint(t Token, hint, format string, args ...any) {
	err := sqlerr.New(sqlerr.Syntax, p.at(t).At, format, args...)
	err.Hint = hint
	panic(failure{err})
}

func (p *parser) unsupported(t Token, hint, format string, args ...any) {
	err := sqlerr.New(sqlerr.Unknown, p.at(t).At, format, args...)
	err.Hint = hint
	panic(failure{err})
}

// found describes a token in an error.
func (p *parser) found(t Token) string {
	s := p.str(t)
	const most = 40
	if cut := []rune(s); len(cut) > most {
		s = string(cut[:most]) + "…"
	}
	switch {
	case t.Kind == endToken:
		return "the end of the text"
	case t.Kind == KeywordToken:
		return strings.ToUpper(s)
	case t.Kind == StringToken, t.Kind == NumberToken, t.Kind == QuotedToken:
		return s
	}
	return `"` + s + `"`
}

func (p *parser) failInvalid(t Token) {
	s := p.str(t)
	first, _ := utf8.DecodeRuneInString(s)
	switch {
	case first == '`':
		name := strings.ReplaceAll(strings.Trim(s, "`"), `"`, `""`)
		p.failHint(t, `write "`+name+`"`, "names are quoted with double quotes, not with backquotes")
	case isDigit(s[0]) || s[0] == '.':
		digits := numberLength(s)
		if reserved, _ := keyword(s[digits:]); reserved {
			p.failHint(t, "put a space before "+strings.ToUpper(s[digits:]), "a number is glued to the word after it: %s", s)
		}
		p.failHint(t, `a name that begins with a digit must be quoted: "`+s+`"`, "%s is neither a number nor a name", s)
	case strings.ContainsRune("‘’‚‛“”„‟′″´", first):
		p.failHint(t, "put strings in ' and names in \"", "a typographic quote is no quote here")
	case first == '$' && len(s) > 1:
		p.failHint(t, `write "`+s+`" for a column of that name`, "unexpected $ in %s", s)
	case unicode.IsLetter(first):
		p.failHint(t, `a name with letters beyond a to z must be quoted: "`+s+`"`, "unexpected character %c", first)
	case first == '&' && p.matchesText(t.Start, "&&"):
		p.failHint(t, "write AND", "unexpected &&")
	case first == '!':
		p.failHint(t, "write NOT, or <> for not equal", "unexpected character !")
	}
	p.failAt(t, sqlerr.Syntax, "unexpected character %c", first)
}

func (p *parser) matchesText(at int, s string) bool { return strings.HasPrefix(p.text[at:], s) }

// hint guesses what went wrong around the unexpected token t; "" if it has no idea.
func (p *parser) hint(t Token) string {
	before := p.peek(-1)
	if p.cursor == 0 {
		before = Token{Kind: endToken}
	}
	for i := range 3 {
		if word := p.gluedKeyword(p.peek(-i)); word != "" {
			return fmt.Sprintf("a space may be missing before %s in %s", word, p.str(p.peek(-i)))
		}
	}
	text := p.str(t)
	switch {
	case t.Kind == KeywordToken && before.Kind == KeywordToken && t.reserved && strings.EqualFold(text, p.str(before)):
		return strings.ToUpper(text) + " is written twice"
	case text == "=" && p.matches(before, "="):
		return "write = for equality"
	case (text == "=" || text == ">") && before.End < t.Start && (p.matches(before, "<") || p.matches(before, ">") && text == "="):
		return fmt.Sprintf("write %s%s without a space", p.str(before), text)
	case p.cursor > 0 && p.cursor-1 == p.aliasAt && p.afterColumn(t):
		return fmt.Sprintf("%s was read as an alias of the table; a WHERE may be missing before it", p.str(before))
	case p.oneOf(0, "AND", "OR") != "" && endsExpr(before):
		return "a WHERE may be missing before the conditions"
	case p.matches(t, "SELECT") && p.queries == 0:
		return "one statement at a time: is the query there twice, or is a semicolon missing?"
	case p.oneOf(0, "FROM", ")", "]", "WHERE", "GROUP", "ORDER") != "" && p.matches(before, ","):
		return "there is a comma too many before it"
	case p.oneOf(0, "WHERE", "GROUP", "HAVING", "FROM") != "" && len(p.open) == 0:
		return "the clauses come in the order SELECT, FROM, WHERE, GROUP BY, HAVING, WINDOW, ORDER BY, OFFSET, LIMIT"
	case p.matches(t, "ILIKE"):
		return "write lower(x) LIKE 'pattern'"
	case p.oneOf(0, "RLIKE", "REGEXP") != "":
		return "write regexp_like(x, 'pattern')"
	case p.matches(t, ",") && before.Kind == NumberToken && p.matches(p.peek(-2), "LIMIT"):
		return "write OFFSET n LIMIT m"
	case p.matches(t, ")") && len(p.open) == 0:
		return "no parenthesis is open here"
	case endsExpr(before) && startsExpr(t):
		return "a comma, an operator or a keyword may be missing before it"
	case t.reserved && (before.Kind == OperatorToken && p.matches(before, ".") || p.matches(before, "AS")):
		return fmt.Sprintf(`%s is a reserved word: as a name it must be quoted, "%s"`, strings.ToUpper(text), text)
	}
	if n := len(p.open); n > 0 && t.Kind != endToken {
		opened := p.tokens[p.open[n-1]]
		line, column := sqlerr.LineColumn(p.text, p.at(opened).At)
		return fmt.Sprintf("the %s at %d:%d is still open", spell(p.str(opened)), line, column)
	}
	return ""
}

// gluedKeyword returns the keyword at the end of a bare name such as logsWHERE, or "".
func (p *parser) gluedKeyword(t Token) string {
	if t.Kind != WordToken {
		return ""
	}
	name := p.str(t)
	for _, word := range []string{"WHERE", "FROM", "LIMIT", "HAVING", "GROUP", "ORDER", "AND"} {
		n := len(name) - len(word)
		if n <= 0 || name[n-1] == '_' || !strings.EqualFold(name[n:], word) {
			continue
		}
		common := word == "GROUP" || word == "ORDER" || word == "AND" // also the end of usergroup, border, command
		if !common || name[n:] == word && name[:n] != strings.ToUpper(name[:n]) {
			return word
		}
	}
	return ""
}

// afterColumn reports whether t is what follows a column in a condition.
func (p *parser) afterColumn(t Token) bool {
	for _, s := range []string{"=", "<>", "!=", "<", "<=", ">", ">=", ".", "IN", "LIKE", "BETWEEN", "IS", "NOT"} {
		if p.matches(t, s) {
			return true
		}
	}
	return false
}

// startsExpr reports whether an expression can begin with t.
func startsExpr(t Token) bool {
	return isName(t) || t.Kind == StringToken || t.Kind == NumberToken
}

// endsExpr reports whether an expression can end with t.
func endsExpr(t Token) bool {
	return isName(t) || t.Kind == StringToken || t.Kind == NumberToken
}
