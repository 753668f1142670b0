package sql

// jsonFunc reads what follows JSON_EXISTS, JSON_VALUE or JSON_QUERY.
func (p *parser) jsonFunc(at At, name string) Expr {
	j := &JSONFunc{At: at, Name: name}
	p.opening("(")
	j.Input = p.expr()
	p.accept("FORMAT", "JSON")
	p.expect(",")
	j.PathAt = p.here()
	j.Path = p.stringValue("a JSON path in single quotes")
	if p.accept("PASSING") {
		j.Passing = list(p, func() JSONArg {
			a := p.jsonArg()
			p.expect("AS")
			name := p.ident("a name")
			a.Name = &name
			return a
		})
	}
	if name != "exists" {
		j.Returning = p.jsonReturning()
	}
	if name == "query" {
		switch {
		case p.accept("WITHOUT"):
			p.accept("ARRAY")
			p.expect("WRAPPER")
		case p.accept("WITH"):
			j.Wrapper = "unconditional"
			if p.accept("CONDITIONAL") {
				j.Wrapper = "conditional"
			} else {
				p.accept("UNCONDITIONAL")
			}
			p.accept("ARRAY")
			p.expect("WRAPPER")
		}
		if p.ahead("OMIT", "QUOTES") || p.ahead("KEEP", "QUOTES") {
			j.OmitQuotes = p.oneOf(0, "OMIT") != ""
			p.next()
			p.next()
			p.accept("ON", "SCALAR", "STRING")
		}
	}
	for !p.ahead(")") {
		on := p.jsonOn(name)
		p.expect("ON")
		switch {
		case j.OnEmpty == nil && j.OnError == nil && name != "exists" && p.accept("EMPTY"):
			j.OnEmpty = on
		case j.OnError == nil && p.accept("ERROR"):
			j.OnError = on
		default:
			p.fail("EMPTY or ERROR, each once")
		}
	}
	p.closing(")")
	return j
}

// jsonOn reads what stands before ON EMPTY or ON ERROR.
func (p *parser) jsonOn(name string) *JSONOn {
	switch {
	case p.accept("ERROR"):
		return &JSONOn{Action: "error"}
	case name == "exists":
		switch {
		case p.accept("TRUE"):
			return &JSONOn{Action: "true"}
		case p.accept("FALSE"):
			return &JSONOn{Action: "false"}
		case p.accept("UNKNOWN"):
			return &JSONOn{Action: "unknown"}
		}
		p.fail("TRUE, FALSE, UNKNOWN or ERROR")
	case p.accept("NULL"):
		return &JSONOn{Action: "null"}
	case name == "value" && p.accept("DEFAULT"):
		return &JSONOn{Action: "default", Default: p.value()}
	case name == "query" && p.accept("EMPTY", "OBJECT"):
		return &JSONOn{Action: "empty object"}
	case name == "query" && p.accept("EMPTY"):
		p.expect("ARRAY")
		return &JSONOn{Action: "empty array"}
	}
	p.fail("NULL, ERROR or what there is instead")
	return nil
}

func (p *parser) jsonArg() JSONArg {
	value := p.expr()
	return JSONArg{Value: value, FormatJSON: p.accept("FORMAT", "JSON")}
}

func (p *parser) jsonReturning() *TypeName {
	if !p.accept("RETURNING") {
		return nil
	}
	t := p.typeName()
	p.accept("FORMAT", "JSON")
	return &t
}

// jsonMake reads what follows JSON_ARRAY or JSON_OBJECT.
func (p *parser) jsonMake(at At, object bool) Expr {
	j := &JSONMake{At: at, Object: object, Absent: !object}
	p.opening("(")
	// NULL may be a value, or begin NULL ON NULL
	empty := p.ahead(")") || p.ahead("NULL", "ON") || p.ahead("ABSENT", "ON") || p.ahead("RETURNING") || p.oneOf(0, "WITH", "WITHOUT") != ""
	if !empty {
		j.Values = list(p, func() JSONArg {
			if !object {
				return p.jsonArg()
			}
			word := p.ahead("KEY") && !p.matches(p.peek(1), ":") && !p.matches(p.peek(1), "VALUE")
			if word {
				p.next()
			}
			j.Keys = append(j.Keys, p.value())
			if !p.accept("VALUE") {
				p.expect(":")
			}
			return p.jsonArg()
		})
	}
	if p.ahead("NULL", "ON", "NULL") || p.ahead("ABSENT", "ON", "NULL") {
		j.Absent = p.oneOf(0, "ABSENT") != ""
		p.cursor += 3
	}
	if object {
		if j.Unique = p.accept("WITH", "UNIQUE"); j.Unique || p.accept("WITHOUT", "UNIQUE") {
			p.accept("KEYS")
		}
	}
	j.Returning = p.jsonReturning()
	p.closing(")")
	return j
}
