package fn

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The path language of SQL:2016 part 6, as JSON_VALUE, JSON_QUERY and JSON_EXISTS take it: lax or strict, members, elements, ranges, filters,
// arithmetic, item methods. A number with a point or an exponent is a double here, a decimal in Trino.

// sqlPath is a parsed path.
type sqlPath struct {
	strict bool
	root   pathNode
}

// pathNode is an expression of a path; its operands are a and b.
type pathNode interface{}

type (
	pathLiteral  struct{ value jsonItem }
	pathContext  struct{} // $
	pathCurrent  struct{} // @
	pathLast     struct{} // last
	pathVariable struct{ name string }
	pathBinary   struct {
		op   string // + - * / %
		a, b pathNode
	}
	pathNegate struct{ a pathNode }
	pathMember struct {
		a    pathNode
		key  string
		all  bool // .*
		deep bool // ..key
	}
	pathElements struct {
		a    pathNode
		all  bool
		subs [][2]pathNode // from, to; to is nil for one
	}
	pathFilter struct {
		a    pathNode
		cond pathNode // a predicate
	}
	pathMethod struct {
		a    pathNode
		name string
	}
)

// Predicates.
type (
	pathLogic struct {
		and  bool
		a, b pathNode
	}
	pathNot     struct{ a pathNode }
	pathExists  struct{ a pathNode }
	pathUnknown struct{ a pathNode }
	pathCompare struct {
		op   string // == <> < <= > >= or "starts with"
		a, b pathNode
	}
)

// Limits on paths.
const (
	maxPathDepth = 12 // of parentheses: what is in them may be read twice
	maxPathText  = 4096
)

type pathParser struct {
	text  string
	at    int
	depth int
}

// pathError is raised by panic inside the parser.
type pathError struct {
	at   int
	what string
}

func parseSQLPath(s string) (p *sqlPath, err error) {
	if len(s) > maxPathText {
		return nil, valueError("a JSON path of %d bytes is too long", len(s))
	}
	r := &pathParser{text: s}
	defer func() {
		switch e := recover().(type) {
		case nil:
		case pathError:
			p, err = nil, valueError("%s is not a JSON path: at character %d, %s", shown(s), utf8.RuneCountInString(s[:e.at])+1, e.what)
		default:
			panic(e)
		}
	}()
	p = &sqlPath{strict: r.word("strict")}
	if !p.strict {
		r.word("lax")
	}
	p.root = r.sum()
	if r.space(); r.at < len(s) {
		r.fail("the path goes on")
	}
	return p, nil
}

func (r *pathParser) fail(what string) { panic(pathError{r.at, what}) }

func (r *pathParser) space() {
	for r.at < len(r.text) && strings.IndexByte(" \t\r\n", r.text[r.at]) >= 0 {
		r.at++
	}
}

// sign moves over s if it comes next.
func (r *pathParser) sign(s string) bool {
	r.space()
	if strings.HasPrefix(r.text[r.at:], s) {
		r.at += len(s)
		return true
	}
	return false
}

func isPathLetter(c rune) bool { return c == '_' || unicode.IsLetter(c) || unicode.IsDigit(c) }

// name reads letters, digits and underscores; "" if there are none.
func (r *pathParser) name() string {
	end := r.at
	for end < len(r.text) {
		c, size := utf8.DecodeRuneInString(r.text[end:])
		if !isPathLetter(c) {
			break
		}
		end += size
	}
	name := r.text[r.at:end]
	r.at = end
	return name
}

// word moves over w if it comes next as a whole word.
func (r *pathParser) word(w string) bool {
	r.space()
	start := r.at
	if r.name() == w {
		return true
	}
	r.at = start
	return false
}

func (r *pathParser) expect(s string) {
	if !r.sign(s) {
		r.fail("there should be " + s)
	}
}

func (r *pathParser) enter() {
	if r.depth++; r.depth > maxPathDepth {
		r.fail("parentheses are nested too deeply")
	}
}

func (r *pathParser) sum() pathNode {
	a := r.product()
	for {
		switch {
		case r.sign("+"):
			a = pathBinary{"+", a, r.product()}
		case r.sign("-"):
			a = pathBinary{"-", a, r.product()}
		default:
			return a
		}
	}
}

func (r *pathParser) product() pathNode {
	a := r.unary()
	for {
		switch {
		case r.sign("*"):
			a = pathBinary{"*", a, r.unary()}
		case r.sign("/"):
			a = pathBinary{"/", a, r.unary()}
		case r.sign("%"):
			a = pathBinary{"%", a, r.unary()}
		default:
			return a
		}
	}
}

func (r *pathParser) unary() pathNode {
	minus := false
	for {
		if r.sign("-") {
			minus = !minus
		} else if !r.sign("+") {
			break
		}
	}
	a := r.accessors(r.primary())
	if minus {
		return pathNegate{a}
	}
	return a
}

func (r *pathParser) primary() pathNode {
	r.space()
	if r.at == len(r.text) {
		r.fail("the path ends too early")
	}
	switch c := r.text[r.at]; {
	case c == '$':
		r.at++
		if name := r.name(); name != "" {
			return pathVariable{name}
		}
		return pathContext{}
	case c == '@':
		r.at++
		return pathCurrent{}
	case c == '"':
		return pathLiteral{jsonItem{kind: jsonText, text: r.quoted()}}
	case c == '(':
		r.at++
		r.enter()
		a := r.sum()
		r.depth--
		r.expect(")")
		return a
	case c >= '0' && c <= '9':
		end := r.at
		for end < len(r.text) && (r.text[end] >= '0' && r.text[end] <= '9' || r.text[end] == '.' && end+1 < len(r.text) && r.text[end+1] >= '0' && r.text[end+1] <= '9') {
			end++
		}
		if end+1 < len(r.text) && (r.text[end] == 'e' || r.text[end] == 'E') {
			exponent := end + 1
			if r.text[exponent] == '-' || r.text[exponent] == '+' {
				exponent++
			}
			for end = exponent; end < len(r.text) && r.text[end] >= '0' && r.text[end] <= '9'; {
				end++
			}
		}
		text := r.text[r.at:end]
		if !jsonLiteral(text) {
			r.fail("this is no number")
		}
		r.at = end
		return pathLiteral{jsonItem{kind: jsonNumber, text: text}}
	case r.word("last"):
		return pathLast{}
	case r.word("true"):
		return pathLiteral{jsonItem{kind: jsonBoolean, text: "true"}}
	case r.word("false"):
		return pathLiteral{jsonItem{kind: jsonBoolean, text: "false"}}
	case r.word("null"):
		return pathLiteral{jsonItem{kind: jsonNull}}
	}
	r.fail("there should be $, @, a literal or a parenthesis")
	return nil
}

// quoted reads a string in double quotes.
func (r *pathParser) quoted() string {
	end := jsonStringEnd(r.text, r.at)
	if end < 0 {
		r.fail("the string has no end")
	}
	text, ok := jsonUnquote(r.text[r.at:end])
	if !ok {
		r.fail("the string has an escape that is none")
	}
	r.at = end
	return text
}

var pathMethods = map[string]bool{"double": true, "ceiling": true, "floor": true, "abs": true, "keyvalue": true, "type": true, "size": true}

func (r *pathParser) accessors(a pathNode) pathNode {
	for {
		switch {
		case r.sign(".."):
			a = pathMember{a: a, key: r.key(), deep: true}
		case r.sign(".*"):
			a = pathMember{a: a, all: true}
		case r.sign("."):
			r.space()
			plain := r.at < len(r.text) && r.text[r.at] != '"'
			key := r.key()
			if plain && pathMethods[key] && r.sign("(") {
				r.expect(")")
				a = pathMethod{a, key}
			} else {
				a = pathMember{a: a, key: key}
			}
		case r.sign("["):
			e := pathElements{a: a, all: r.sign("*")}
			for more := !e.all; more; more = r.sign(",") {
				sub := [2]pathNode{r.sum()}
				if r.word("to") {
					sub[1] = r.sum()
				}
				e.subs = append(e.subs, sub)
			}
			r.expect("]")
			a = e
		case r.sign("?"):
			r.expect("(")
			r.enter()
			a = pathFilter{a, r.or()}
			r.depth--
			r.expect(")")
		default:
			return a
		}
	}
}

// key reads the name of a member.
func (r *pathParser) key() string {
	r.space()
	if r.at < len(r.text) && r.text[r.at] == '"' {
		return r.quoted()
	}
	key := r.name()
	if key == "" {
		r.fail("there should be a key")
	}
	return key
}

func (r *pathParser) or() pathNode {
	a := r.and()
	for r.sign("||") {
		a = pathLogic{false, a, r.and()}
	}
	return a
}

func (r *pathParser) and() pathNode {
	a := r.predicate()
	for r.sign("&&") {
		a = pathLogic{true, a, r.predicate()}
	}
	return a
}

func (r *pathParser) predicate() pathNode {
	r.space()
	if !strings.HasPrefix(r.text[r.at:], "!=") && r.sign("!") {
		return pathNot{r.predicate()}
	}
	if r.word("exists") {
		r.expect("(")
		r.enter()
		a := r.sum()
		r.depth--
		r.expect(")")
		return pathExists{a}
	}
	if a, ok := r.parenthesised(); ok {
		return a
	}
	a := r.sum()
	if r.word("starts") {
		if !r.word("with") {
			r.fail("there should be with")
		}
		return pathCompare{"starts with", a, r.primary()}
	}
	for _, op := range []string{"==", "<>", "!=", "<=", ">=", "<", ">"} {
		if r.sign(op) {
			if op == "!=" {
				op = "<>"
			}
			return pathCompare{op, a, r.sum()}
		}
	}
	r.fail("there should be a comparison")
	return nil
}

// parenthesised reads a predicate in parentheses; false if what comes is none, such as (@.a + 1) > 2, which is read again then.
func (r *pathParser) parenthesised() (a pathNode, ok bool) {
	start, depth := r.at, r.depth
	defer func() {
		e := recover()
		if _, mine := e.(pathError); mine && r.depth <= maxPathDepth {
			r.at, r.depth, a, ok = start, depth, nil, false
		} else if e != nil {
			panic(e)
		}
	}()
	if !r.sign("(") {
		return nil, false
	}
	r.enter()
	a = r.or()
	r.depth--
	r.expect(")")
	if r.word("is") {
		if !r.word("unknown") {
			r.fail("there should be unknown")
		}
		return pathUnknown{a}, true
	}
	return a, true
}

// jsonKind is what a JSON value is.
type jsonKind uint8

const (
	jsonNull jsonKind = iota
	jsonBoolean
	jsonNumber
	jsonText
	jsonList
	jsonObject
)

// jsonItem is a JSON value as a tree.
type jsonItem struct {
	kind  jsonKind
	text  string     // of a boolean, a number as it is written, a string
	items []jsonItem // elements, or values of members
	keys  []string   // of members
}

// readItem reads the value that starts at i, and returns the position after it, -1 if it is no JSON.
func readItem(s string, i, depth int) (jsonItem, int) {
	i = jsonSpace(s, i)
	if i >= len(s) || depth > maxJSONDepth {
		return jsonItem{}, -1
	}
	switch s[i] {
	case '{':
		item := jsonItem{kind: jsonObject}
		for at, first := i+1, true; ; first = false {
			key, value, last := jsonMember(s, at, first)
			if last {
				return item, jsonSpace(s, at) + 1
			}
			if value < 0 {
				return item, -1
			}
			text, ok := jsonUnquote(key)
			var member jsonItem
			if member, at = readItem(s, value, depth+1); at < 0 || !ok {
				return item, -1
			}
			item.keys, item.items = append(item.keys, text), append(item.items, member)
		}
	case '[':
		item := jsonItem{kind: jsonList}
		for at, first := i+1, true; ; first = false {
			value, last := jsonElement(s, at, first)
			if last {
				return item, jsonSpace(s, at) + 1
			}
			if value < 0 {
				return item, -1
			}
			var element jsonItem
			if element, at = readItem(s, value, depth+1); at < 0 {
				return item, -1
			}
			item.items = append(item.items, element)
		}
	}
	end := jsonEnd(s, i)
	if end < 0 {
		return jsonItem{}, -1
	}
	switch text := s[i:end]; text[0] {
	case '"':
		text, ok := jsonUnquote(text)
		if !ok {
			return jsonItem{}, -1
		}
		return jsonItem{kind: jsonText, text: text}, end
	case 'n':
		return jsonItem{}, end
	case 't', 'f':
		return jsonItem{kind: jsonBoolean, text: text}, end
	default:
		return jsonItem{kind: jsonNumber, text: text}, end
	}
}

// member is the value of a key, the first of equal ones.
func (item jsonItem) member(key string) (jsonItem, bool) {
	for i, k := range item.keys {
		if k == key {
			return item.items[i], true
		}
	}
	return jsonItem{}, false
}

func numberItem(x float64) jsonItem {
	return jsonItem{kind: jsonNumber, text: strconv.FormatFloat(x, 'g', -1, 64)}
}

func integerItem(n int64) jsonItem {
	return jsonItem{kind: jsonNumber, text: strconv.FormatInt(n, 10)}
}
