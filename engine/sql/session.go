package sql

import "github.com/trailql/trailql/engine/sqlerr"

// The statements that change a session or live by it.
type (
	// Prepare is PREPARE name FROM statement. The statement's text is that of Parse from First to Last, both included.
	Prepare struct {
		At
		Name        Ident
		Statement   Statement
		First, Last sqlerr.Pos
	}
	// Execute is EXECUTE name or EXECUTE IMMEDIATE 'text', with [USING constant, …]: what stands for the ? of that statement.
	Execute struct {
		At
		Name  *Ident // nil: Text
		Text  string
		Using []Expr
	}
	// Deallocate is DEALLOCATE PREPARE name.
	Deallocate struct {
		At
		Name Ident
	}
	// DescribePrepared is DESCRIBE INPUT|OUTPUT name.
	DescribePrepared struct {
		At
		Output bool
		Name   Ident
	}
	// Use is USE [catalog.]schema.
	Use struct {
		At
		Name []Ident
	}
	// SetSession is SET SESSION name = constant, or RESET SESSION name, which has no value.
	SetSession struct {
		At
		Name  []Ident
		Value Expr
	}
	// SetTimeZone is SET TIME ZONE LOCAL|constant; LOCAL has no zone.
	SetTimeZone struct {
		At
		Zone Expr
	}
	// ShowSession is SHOW SESSION [LIKE pattern].
	ShowSession struct {
		At
		Like *ShowPattern
	}
)

func (*Prepare) statement()          {}
func (*Execute) statement()          {}
func (*Deallocate) statement()       {}
func (*DescribePrepared) statement() {}
func (*Use) statement()              {}
func (*SetSession) statement()       {}
func (*SetTimeZone) statement()      {}
func (*ShowSession) statement()      {}

// sessionStatement reads one of them; nil if none begins here.
func (p *parser) sessionStatement(at At) Statement {
	switch {
	case p.accept("PREPARE"):
		return p.prepare(at)
	case p.accept("EXECUTE"):
		return p.execute(at)
	case p.accept("DEALLOCATE"):
		p.expect("PREPARE")
		return &Deallocate{At: at, Name: p.ident("the name of a prepared statement")}
	case p.oneOf(0, "DESCRIBE", "DESC") != "" && p.oneOf(1, "INPUT", "OUTPUT") != "" && isName(p.peek(2)):
		d := &DescribePrepared{At: at, Output: p.matches(p.peek(1), "OUTPUT")}
		p.next()
		p.next()
		d.Name = p.ident("the name of a prepared statement")
		return d
	case p.accept("USE"):
		p.takeBackquotes()
		u := &Use{At: at, Name: []Ident{p.ident("a schema name")}}
		if p.accept(".") {
			u.Name = append(u.Name, p.ident("a schema name"))
		}
		return u
	case p.accept("SET", "TIME", "ZONE"):
		s := &SetTimeZone{At: at}
		if !p.accept("LOCAL") {
			s.Zone = p.constant()
		}
		return s
	case p.accept("SET", "SESSION"):
		s := &SetSession{At: at, Name: p.propertyName()}
		p.expect("=")
		s.Value = p.constant()
		return s
	case p.accept("RESET", "SESSION"):
		return &SetSession{At: at, Name: p.propertyName()}
	case p.ahead("SET"), p.ahead("RESET"):
		p.unsupported(p.tok(), "there are SET SESSION name = value, RESET SESSION name and SET TIME ZONE zone", "this %s statement is not supported", p.upper(p.tok()))
	}
	return nil
}

func (p *parser) propertyName() []Ident {
	name := []Ident{p.ident("the name of a session property")}
	if p.accept(".") {
		name = append(name, p.ident("the name of a session property"))
	}
	return name
}

// prepare reads on after PREPARE. What is prepared keeps its ?, for EXECUTE.
func (p *parser) prepare(at At) Statement {
	s := &Prepare{At: at, Name: p.ident("a name for the statement")}
	p.expect("FROM")
	first := p.tok()
	if word := p.oneOf(0, "PREPARE", "EXECUTE", "DEALLOCATE"); word != "" {
		p.failAt(first, sqlerr.Syntax, "%s cannot be prepared", word)
	}
	values, params := p.values, p.params
	p.values = nil
	p.enter()
	s.Statement = p.statement()
	p.leave()
	p.values, p.params = values, params
	s.First, s.Last = sqlerr.Pos(first.Start+1), sqlerr.Pos(p.peek(-1).End)
	return s
}

// execute reads on after EXECUTE. Without USING, what stands for the ? are the values that are given for the statement.
func (p *parser) execute(at At) Statement {
	s := &Execute{At: at}
	if p.ahead("IMMEDIATE") && p.peek(1).Kind == StringToken {
		p.next()
		s.Text = p.stringValue("the text of a statement in single quotes")
	} else {
		name := p.ident("the name of a prepared statement")
		s.Name = &name
	}
	if p.accept("USING") {
		s.Using = list(p, p.constant)
		return s
	}
	for p.params < len(p.values) {
		s.Using = append(s.Using, p.given(at))
	}
	return s
}

// constant reads an expression that needs no query, or a ?.
func (p *parser) constant() Expr {
	t := p.tok()
	e := p.expr()
	if _, open := e.(*Param); !open && !isConstant(e) {
		p.failAt(t, sqlerr.Syntax, "a constant must stand here, such as 'text', 10 or DATE '2024-01-31'")
	}
	return e
}

// session prints one of them; false if s is another statement.
func (f *formatter) session(s Statement) bool {
	switch s := s.(type) {
	case *Prepare:
		f.write("PREPARE ")
		f.ident(s.Name)
		f.write(" FROM ")
		f.statement(s.Statement)
	case *Execute:
		f.write("EXECUTE ")
		if s.Name != nil {
			f.ident(*s.Name)
		} else {
			f.write("IMMEDIATE ", quoteText(s.Text))
		}
		if len(s.Using) > 0 {
			f.write(" USING ")
			f.exprs(s.Using)
		}
	case *Deallocate:
		f.write("DEALLOCATE PREPARE ")
		f.ident(s.Name)
	case *DescribePrepared:
		f.write("DESCRIBE ")
		if s.Output {
			f.write("OUTPUT ")
		} else {
			f.write("INPUT ")
		}
		f.ident(s.Name)
	case *Use:
		f.write("USE ")
		f.path(s.Name)
	case *SetSession:
		if s.Value == nil {
			f.write("RESET SESSION ")
			f.path(s.Name)
			return true
		}
		f.write("SET SESSION ")
		f.path(s.Name)
		f.write(" = ")
		f.expr(s.Value, 0)
	case *SetTimeZone:
		f.write("SET TIME ZONE ")
		if s.Zone == nil {
			f.write("LOCAL")
		} else {
			f.expr(s.Zone, 0)
		}
	case *ShowSession:
		f.write("SHOW SESSION")
		f.like(s.Like)
	default:
		return false
	}
	return true
}
