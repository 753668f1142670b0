package shell

import (
	"slices"
	"strings"

	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqltype"
)

// candidate is something that may stand at the cursor.
type candidate struct {
	text string // what is written
	doc  string // shown beside it
	kind string // heads the list: "tables", "columns", …
}

// complete returns what may stand where text ends, given what follows, and the offset from which it would replace the text.
// It never waits.
func complete(text, after string, n *names) (from int, list []candidate) {
	start, command := current(text)
	if command {
		return completeCommand(text, start, n)
	}
	before := text[start:]
	tokens := sql.Tokens(before)
	var typed sql.Token // what the cursor touches
	if last := len(tokens) - 1; last >= 0 && tokens[last].End == len(before) {
		switch t := tokens[last]; {
		case t.Kind == sql.CommentToken, t.Kind == sql.NumberToken, (t.Kind == sql.QuotedToken || t.Kind == sql.StringToken) && !t.Open,
			before[t.Start] == ')', before[t.Start] == ']':
			return len(text), nil
		case t.Kind == sql.OperatorToken:
		default:
			typed, tokens = t, tokens[:last]
		}
	}
	words := significant(before, tokens)
	if typed.End == 0 {
		typed.Start, typed.End = len(before), len(before)
	}
	prefix := before[typed.Start:]
	c := &completion{known: n.now(), words: words, prefix: prefix}
	c.scope = append(scope(words), scope(significant(after, sql.Tokens(statement(after))))...)
	if typed.Open && typed.Kind == sql.StringToken {
		return start + typed.Start, c.values(strings.HasPrefix(after, "'"))
	}
	return start + typed.Start, c.matching(c.candidates())
}

// current says where the step that text ends in began, and whether it is a command; at the end of text if none has begun.
func current(text string) (start int, command bool) {
	list, ended := steps(text, true)
	if len(list) == 0 {
		return 0, false
	}
	last := list[len(list)-1]
	switch {
	case last.command:
		if !strings.Contains(text[last.offset:], "\n") {
			return last.offset, true
		}
	case !ended:
		return last.offset, false
	}
	return len(text), false
}

// statement is the part of text before the semicolon.
func statement(text string) string {
	for _, t := range sql.Tokens(text) {
		if t.Kind == sql.OperatorToken && text[t.Start] == ';' {
			return text[:t.Start]
		}
	}
	return text
}

// word is a token that is no comment, with its text: keywords in upper case, names without their quotes.
type word struct {
	kind sql.TokenKind
	text string
}

func (w word) is(keywords ...string) bool {
	return (w.kind == sql.KeywordToken || w.kind == sql.WordToken) && slices.Contains(keywords, strings.ToUpper(w.text))
}

func (w word) sign(s string) bool { return w.kind == sql.OperatorToken && w.text == s }

func (w word) name() bool { return w.kind == sql.WordToken || w.kind == sql.QuotedToken }

func significant(text string, tokens []sql.Token) []word {
	var words []word
	for _, t := range tokens {
		w := word{kind: t.Kind, text: text[t.Start:t.End]}
		switch t.Kind {
		case sql.CommentToken:
			continue
		case sql.KeywordToken:
			w.text = strings.ToUpper(w.text)
		case sql.QuotedToken:
			w.text = strings.ReplaceAll(strings.Trim(w.text, `"`), `""`, `"`)
		}
		words = append(words, w)
	}
	return words
}

// reference is a relation that a statement reads, with the name that it has there.
type reference struct{ table, alias string }

// scope lists what a statement, or a part of one, reads: names behind FROM, JOIN and the commas of FROM.
func scope(words []word) (refs []reference) {
	for i := 0; i < len(words); i++ {
		if !words[i].is("FROM", "JOIN") {
			continue
		}
		for i++; i < len(words) && words[i].name(); i++ {
			r := reference{table: words[i].text}
			for i+2 < len(words) && words[i+1].sign(".") && words[i+2].name() {
				i += 2
				r.table = words[i].text
			}
			if i+1 < len(words) && words[i+1].is("AS") {
				i++
			}
			if i+1 < len(words) && words[i+1].name() {
				i++
				r.alias = words[i].text
			}
			refs = append(refs, r)
			if i+1 >= len(words) || !words[i+1].sign(",") {
				break
			}
			i++
		}
		i-- // a keyword that ended the list is looked at again
	}
	return refs
}

// completion is one request.
type completion struct {
	known  *known
	words  []word // of the statement, before what is typed
	prefix string // what is typed
	scope  []reference
}

// back returns the i-th word before what is typed, from 1.
func (c *completion) back(i int) word {
	if i > len(c.words) {
		return word{}
	}
	return c.words[len(c.words)-i]
}

// candidates are what may stand here, whatever is typed.
func (c *completion) candidates() []candidate {
	if c.back(1).sign(".") {
		return c.fields()
	}
	clause := c.clause()
	switch {
	case len(c.words) == 0:
		return phrases("SELECT", "WITH", "EXPLAIN", "EXPLAIN ANALYZE", "SHOW TABLES", "SHOW COLUMNS FROM", "SHOW FUNCTIONS", "DESCRIBE", "VALUES")
	case c.back(1).is("SHOW"):
		return phrases("TABLES", "COLUMNS FROM", "FUNCTIONS")
	case c.back(1).is("EXPLAIN", "ANALYZE"):
		return phrases("SELECT", "WITH", "ANALYZE")
	case clause != "CALL" && c.back(1).is("FROM", "JOIN", "DESCRIBE", "TABLE"), clause == "FROM" && c.back(1).sign(","):
		return append(append(c.relations(), functionNames(c.known.macros, true)...), phrases("UNNEST(", "LATERAL")...)
	case c.back(1).is("GROUP", "ORDER", "PARTITION"):
		return phrases("BY")
	case clause == "FROM":
		return phrases("WHERE", "GROUP BY", "ORDER BY", "LIMIT", "JOIN", "LEFT JOIN", "INNER JOIN", "FULL JOIN", "CROSS JOIN", "CROSS JOIN UNNEST(",
			"ON", "AS", "USING", "UNION ALL", "HAVING")
	case clause == "LIMIT":
		return nil
	}
	list := c.columns()
	if clause == "ORDER" {
		list = append(list, c.aliases()...)
	}
	if c.prefix == "" {
		return list // everything else would bury the columns
	}
	list = append(list, functionNames(functions(c.known.macros), false)...)
	list = append(list, phrases("AND", "OR", "NOT", "IN (", "LIKE", "BETWEEN", "IS NULL", "IS NOT NULL", "EXISTS (", "CASE", "WHEN", "THEN", "ELSE", "END",
		"DISTINCT", "CAST(", "TRY_CAST(", "INTERVAL", "TRUE", "FALSE", "NULL", "CURRENT_DATE", "CURRENT_TIMESTAMP", "AS", "ASC", "DESC", "NULLS LAST", "NULLS FIRST",
		"FILTER (WHERE", "ESCAPE", "SELECT", "FROM", "WHERE", "GROUP BY", "HAVING", "ORDER BY", "LIMIT", "UNION ALL", "EXCEPT", "INTERSECT")...)
	return list
}

// clause is the keyword that rules where what is typed stands, in its own pair of brackets; JOIN counts as FROM until its ON.
func (c *completion) clause() string {
	stack := []string{""}
	top := func() *string { return &stack[len(stack)-1] }
	for i, w := range c.words {
		switch {
		case w.sign("("):
			inner := ""
			if i > 0 && (c.words[i-1].name() || c.words[i-1].is("EXTRACT", "TRIM")) {
				inner = "CALL" // extract(year FROM …) names no table
			}
			stack = append(stack, inner)
		case w.sign(")"):
			if len(stack) > 1 {
				stack = stack[:len(stack)-1]
			}
		case *top() == "CALL" && !w.is("SELECT"):
		case w.is("JOIN"):
			*top() = "FROM"
		case w.is("SELECT", "FROM", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "ON", "USING", "WITH", "UNION"):
			*top() = strings.ToUpper(w.text)
		}
	}
	return *top()
}

// relations are the tables, and the names that WITH gives in this statement.
func (c *completion) relations() []candidate {
	var list []candidate
	for i, w := range c.words {
		if w.is("AS") && i > 0 && c.words[i-1].name() && i+1 < len(c.words) && c.words[i+1].sign("(") {
			list = append(list, candidate{written(c.words[i-1].text), "of this statement", "tables"})
		}
	}
	return append(list, c.known.tables()...)
}

func (k *known) tables() []candidate {
	var list []candidate
	for _, r := range k.relations {
		list = append(list, candidate{text: quoted(r.name), kind: "tables"})
	}
	return list
}

// columns are those of what the statement reads, and the names by which it reads them; of all tables as long as it reads none that is known.
func (c *completion) columns() []candidate {
	var list []candidate
	seen := map[string]bool{}
	add := func(r relation) {
		for _, col := range r.columns {
			if !seen[col.name] {
				seen[col.name] = true
				list = append(list, candidate{written(col.name), described(col.typ, col.doc), "columns"})
			}
		}
	}
	for _, ref := range c.scope {
		if ref.alias != "" {
			list = append(list, candidate{written(ref.alias) + ".", ref.table, "tables"})
		}
		if r, ok := c.known.relation(ref.table); ok {
			add(r)
		}
	}
	if len(seen) == 0 {
		for _, r := range c.known.relations {
			add(r)
		}
	}
	return list
}

// aliases are the names that the select list gives.
func (c *completion) aliases() []candidate {
	var list []candidate
	for i, w := range c.words {
		if w.is("FROM") {
			break
		}
		if w.is("AS") && i+1 < len(c.words) && c.words[i+1].name() {
			list = append(list, candidate{written(c.words[i+1].text), "of this statement", "columns"})
		}
	}
	return list
}

// fields are what may follow a dot: the columns of a relation, or the fields of a row.
func (c *completion) fields() []candidate {
	path := c.path()
	if len(path) == 0 {
		return nil
	}
	if c.back(2*len(path)+1).is("FROM", "JOIN") {
		return c.known.tables() // a catalog or database before the table
	}
	for _, ref := range c.scope {
		if strings.EqualFold(path[0], ref.alias) || ref.alias == "" && strings.EqualFold(path[0], ref.table) {
			r, ok := c.known.relation(ref.table)
			if !ok {
				return nil
			}
			if len(path) == 1 {
				inner := completion{known: c.known, scope: []reference{{table: r.name}}}
				return inner.columns()
			}
			return fieldsOf(r, path[1:])
		}
	}
	for _, ref := range c.scope {
		if r, ok := c.known.relation(ref.table); ok {
			if list := fieldsOf(r, path); list != nil {
				return list
			}
		}
	}
	if len(c.scope) == 0 {
		for _, r := range c.known.relations {
			if list := fieldsOf(r, path); list != nil {
				return list
			}
		}
	}
	return nil
}

// path is the chain of names before the dot that what is typed follows; an element of an array is written as a name "[]".
func (c *completion) path() (path []string) {
	for i := 1; c.back(i).sign("."); {
		i++
		for c.back(i).sign("]") {
			for i++; i <= len(c.words) && !c.back(i).sign("["); i++ {
			}
			i++
			path = append(path, "[]")
		}
		if !c.back(i).name() && c.back(i).kind != sql.KeywordToken {
			return nil
		}
		path = append(path, c.back(i).text)
		i++
	}
	slices.Reverse(path)
	return path
}

// fieldsOf lists what lies below a path that begins with a column of r.
func fieldsOf(r relation, path []string) (list []candidate) {
	col, ok := r.column(path[0])
	if !ok {
		return nil
	}
	t := col.typ
	for _, step := range path[1:] {
		if step == "[]" {
			if t.Kind != sqltype.Array {
				return nil
			}
			t = *t.Elem
			continue
		}
		i := slices.IndexFunc(t.Fields, func(f sqltype.Field) bool { return strings.EqualFold(f.Name, step) })
		if i < 0 {
			return nil
		}
		t = t.Fields[i].Type
	}
	for _, f := range t.Fields {
		list = append(list, candidate{written(f.Name), described(f.Type, ""), "fields"})
	}
	return list
}

// values are those that the column which the open text is compared with has in the lake. closed: a quote follows already.
func (c *completion) values(closed bool) []candidate {
	i := 1
	for c.back(i).sign(",") && c.back(i+1).kind == sql.StringToken {
		i += 2
	}
	switch {
	case c.back(i).sign("(") && c.back(i+1).is("IN"):
		i += 2
	case i == 1 && (c.back(1).sign("=") || c.back(1).sign("<>") || c.back(1).sign("!=") || c.back(1).is("LIKE")):
		i++
	default:
		return nil
	}
	if c.back(i).is("NOT") {
		i++
	}
	if !c.back(i).name() {
		return nil
	}
	var list []candidate
	for _, v := range c.known.values[strings.ToLower(c.back(i).text)] {
		text := "'" + strings.ReplaceAll(v, "'", "''")
		if !closed {
			text += "'"
		}
		list = append(list, candidate{text: text, kind: "values"})
	}
	return c.matching(list)
}

// matching keeps what begins with what is typed, case aside. Keywords take the case of what is typed.
func (c *completion) matching(list []candidate) []candidate {
	var kept []candidate
	lower := strings.ToLower(c.prefix)
	quote := strings.HasPrefix(c.prefix, `"`)
	for _, k := range list {
		if quote && (k.kind == "columns" || k.kind == "fields" || k.kind == "tables") && !strings.HasPrefix(k.text, `"`) {
			k.text = `"` + k.text + `"`
		}
		if !strings.HasPrefix(strings.ToLower(k.text), lower) {
			continue
		}
		if k.kind == "keywords" && lower == c.prefix && lower != strings.ToUpper(lower) {
			k.text = strings.ToLower(k.text)
		}
		kept = append(kept, k)
	}
	return kept
}

func completeCommand(text string, start int, n *names) (from int, list []candidate) {
	line := text[start:]
	from = start + strings.LastIndexAny(line, " \t") + 1
	c := &completion{prefix: text[from:]}
	words := strings.Fields(line[:from-start])
	for _, k := range commands() {
		switch {
		case len(words) == 0:
			list = append(list, candidate{k.name, strings.TrimSpace(k.args + " " + k.doc), "commands"})
		case len(words) == 1 && words[0] == k.name && k.complete != nil:
			list = k.complete(n)
		}
	}
	return from, c.matching(list)
}

func phrases(texts ...string) []candidate {
	var list []candidate
	for _, t := range texts {
		list = append(list, candidate{text: t, kind: "keywords"})
	}
	return list
}

// choices are the values of a command's argument.
func choices(texts ...string) []candidate {
	var list []candidate
	for _, t := range texts {
		list = append(list, candidate{text: t, kind: "choices"})
	}
	return list
}

// functionNames are functions with the bracket that follows them: those that stand in FROM, or all others.
func functionNames(all []function, tables bool) []candidate {
	var list []candidate
	for _, f := range all {
		if tables != (f.kind == "table") {
			continue
		}
		for _, name := range append([]string{f.name}, f.aliases...) {
			list = append(list, candidate{name + "(", f.signatures[0][len(f.name):] + ": " + f.doc, "functions"})
		}
	}
	return list
}

// described is a type and what a comment adds; the fields of a row are left to the completion of the next dot.
func described(t sqltype.Type, doc string) string {
	text := t.String()
	switch {
	case t.Kind == sqltype.Unknown:
		text = ""
	case t.Kind == sqltype.Row:
		text = "row"
	case t.Kind == sqltype.Array && t.Elem.Kind == sqltype.Row:
		text = "array(row)"
	}
	return strings.TrimSuffix(strings.TrimPrefix(text+": "+doc, ": "), ": ")
}

// plain reports whether a name is written without quotes.
func plain(name string) bool {
	tokens := sql.Tokens(name)
	return len(tokens) == 1 && tokens[0].Kind == sql.WordToken && tokens[0].End == len(name)
}

// written is a column's or field's name as it stands in a query.
func written(name string) string {
	if plain(name) {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}
