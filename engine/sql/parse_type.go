package sql

import (
	"strings"

	"github.com/trailql/trailql/engine/sqlerr"
)

var intervalUnits = []string{"YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"}

// typeName reads a type, as in CAST.
func (p *parser) typeName() TypeName {
	p.enter()
	defer p.leave()
	t := p.simpleType()
	for n := 1; p.accept("ARRAY"); n++ { // varchar array is array(varchar)
		p.chain(p.depth + n)
		if p.accept("[") {
			p.integer("the size of the array")
			p.expect("]")
		}
		t = TypeName{At: t.At, Name: "array", Args: []TypeName{t}}
	}
	return t
}

func (p *parser) simpleType() TypeName {
	start := p.tok()
	quoted := start.Kind == QuotedToken
	name := p.ident("a type")
	t := TypeName{At: name.At, Name: strings.ToLower(name.Name)}
	if quoted {
		p.typeArgs(&t)
		return t
	}
	switch t.Name {
	case "double":
		p.accept("PRECISION")
	case "interval":
		from := p.intervalUnit()
		t.Name += " " + from
		if p.accept("TO") {
			t.Name += " to " + p.intervalUnit()
		}
		return t
	case "time", "timestamp":
		p.typeArgs(&t)
		switch {
		case p.accept("WITH", "TIME"):
			p.expect("ZONE")
			t.Name += " with time zone"
		case p.accept("WITHOUT", "TIME"):
			p.expect("ZONE")
		}
		return t
	}
	p.typeArgs(&t)
	return t
}

// typeArgs reads (…) or <…> after a type's name.
func (p *parser) typeArgs(t *TypeName) {
	needs := map[string]int{"array": 1, "map": 2}[t.Name]
	switch {
	case t.Name == "row" && p.ahead("("):
		p.opening("(")
		list(p, func() struct{} {
			p.rowField(t)
			return struct{}{}
		})
		p.closing(")")
	case needs > 0 && p.accept("<"):
		t.Args = list(p, p.typeName)
		p.expect(">")
	case p.ahead("(") && p.peek(1).Kind == NumberToken:
		p.opening("(")
		t.Params = list(p, func() int { return p.integer("a whole number") })
		p.closing(")")
	case p.ahead("("):
		p.opening("(")
		t.Args = list(p, p.typeName)
		p.closing(")")
	}
	if needs != len(t.Args) && needs > 0 || t.Name == "row" && len(t.Args) == 0 {
		form := map[string]string{"array": "array(varchar)", "map": "map(varchar, varchar)", "row": "row(name varchar, …)"}[t.Name]
		p.failAt(Token{Start: int(t.At.At) - 1}, sqlerr.Syntax, "the type %s is written like %s", t.Name, form)
	}
}

// rowField reads [name] type. A lone word is a type.
func (p *parser) rowField(t *TypeName) {
	name := ""
	if p.namedField() {
		name = p.ident("a field name").Name
	}
	t.FieldNames = append(t.FieldNames, name)
	t.Args = append(t.Args, p.typeName())
}

// namedField reports whether a field's name and type come next, and not a type of two words.
func (p *parser) namedField() bool {
	if !isName(p.tok()) || !isName(p.peek(1)) {
		return false
	}
	switch {
	case p.ahead("DOUBLE", "PRECISION"), p.ahead("TIME", "WITHOUT"), p.ahead("TIMESTAMP", "WITHOUT"),
		p.ahead("INTERVAL") && p.oneOf(1, intervalUnits...) != "":
		return false
	case p.matches(p.peek(1), "ARRAY"):
		return p.oneOf(2, "(", "<") != ""
	}
	return true
}

func (p *parser) intervalUnit() string {
	unit := p.oneOf(0, intervalUnits...)
	if unit == "" {
		if word := p.oneOf(0, "YEARS", "MONTHS", "DAYS", "HOURS", "MINUTES", "SECONDS"); word != "" {
			p.failHint(p.tok(), "write "+word[:len(word)-1], "the units of an interval are singular")
		}
		p.fail("a unit: YEAR, MONTH, DAY, HOUR, MINUTE or SECOND")
	}
	p.next()
	return strings.ToLower(unit)
}
