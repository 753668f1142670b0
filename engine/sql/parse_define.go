package sql

import (
	"strings"

	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
)

// refusals are the statements that change what is there, with what to do instead.
var refusals = map[string]string{
	"INSERT":   "CREATE TABLE new AS SELECT … and UNLOAD write the rows of a query; \"trailql compact\" adds events",
	"UPDATE":   "make a view that shows the rows as they should be: CREATE VIEW v AS SELECT …",
	"DELETE":   "make a view that leaves the rows out: CREATE VIEW v AS SELECT … WHERE …",
	"MERGE":    "CREATE TABLE new AS SELECT … writes the rows of a query",
	"TRUNCATE": "the record of what happened is not emptied",
	"VACUUM":   "\"trailql compact\" merges small files and removes old ones",
	"OPTIMIZE": "\"trailql compact\" merges small files and removes old ones",
	"MSCK":     "partitions are found by themselves, so this statement is not needed",
}

// refuse ends the parse of a statement that changes tables or is not known.
func (p *parser) refuse() {
	t := p.tok()
	for word, hint := range refusals {
		if p.matches(t, word) {
			p.unsupported(t, hint, "%s is not done: what tables hold cannot be changed by SQL", word)
		}
	}
	const known = "the statements are SELECT, EXPLAIN, SHOW, DESCRIBE, CREATE, DROP, UNLOAD, PREPARE, EXECUTE, USE and SET"
	switch {
	case p.ahead("ALTER", "TABLE"):
		for n := 2; n < 12; n++ {
			if p.oneOf(n, "PARTITION", "PARTITIONS") != "" {
				p.unsupported(t, "partitions are found by themselves, so this statement is not needed", "ALTER TABLE is not done: tables cannot be changed by SQL")
			}
		}
		p.unsupported(t, "drop an external table and create it anew; the lake's own tables stay as they are", "ALTER TABLE is not done: tables cannot be changed by SQL")
	case p.ahead("ALTER"):
		p.unsupported(t, "CREATE OR REPLACE VIEW gives a view another query", "ALTER is not done")
	}
	if word := p.oneOf(0, "GRANT", "REVOKE", "CALL", "ANALYZE"); word != "" {
		p.unsupported(t, known, "%s statements are not supported", word)
	}
}

// create reads what follows CREATE.
func (p *parser) create(start At) Statement {
	switch {
	case p.accept("OR", "REPLACE"):
		if !p.accept("VIEW") {
			p.fail("VIEW")
		}
		return p.createView(start, true)
	case p.accept("VIEW"):
		return p.createView(start, false)
	case p.accept("EXTERNAL"):
		p.expect("TABLE")
		return p.createExternal(start)
	case p.accept("TABLE"):
		return p.createTableAs(start)
	case p.ahead("SCHEMA"), p.ahead("DATABASE"):
		p.unsupported(p.tok(), "CREATE VIEW name.v makes the view in that schema", "schemas need not be created")
	}
	p.fail("VIEW, TABLE or EXTERNAL TABLE")
	return nil
}

func (p *parser) createView(start At, replace bool) Statement {
	s := &CreateView{At: start, Replace: replace, Name: p.tableName()}
	if p.ahead("(") {
		s.Columns = p.idents("a column name")
	}
	s.Comment = p.comment()
	if p.accept("SECURITY") {
		word := p.oneOf(0, "DEFINER", "INVOKER")
		if word == "" {
			p.fail("DEFINER or INVOKER")
		}
		p.next()
		s.Security = strings.ToLower(word)
	}
	p.expect("AS")
	s.Query = p.query()
	s.Source = p.since(start, s)
	return s
}

// since is the text of a statement that was just read; with values for parameters in it, its printed form.
func (p *parser) since(start At, s Statement) string {
	if p.params > 0 || p.place.At > 0 {
		return Format(s)
	}
	return p.text[start.At-1 : p.peek(-1).End]
}

// comment reads [COMMENT '…'].
func (p *parser) comment() *string {
	if !p.accept("COMMENT") {
		return nil
	}
	text := p.quotedText("a comment in single quotes").Value
	return &text
}

// drop reads what follows DROP.
func (p *parser) drop(start At) Statement {
	p.takeBackquotes()
	s := &Drop{At: start}
	switch {
	case p.accept("VIEW"):
		s.View = true
	case p.accept("TABLE"):
	case p.ahead("SCHEMA"), p.ahead("DATABASE"):
		p.unsupported(p.tok(), "a schema is gone with the last of its views and tables", "schemas cannot be dropped")
	default:
		p.fail("VIEW or TABLE")
	}
	s.IfExists = p.accept("IF", "EXISTS")
	s.Name = p.tableName()
	return s
}

func (p *parser) createTableAs(start At) Statement {
	s := &CreateTableAs{At: start, IfNotExists: p.accept("IF", "NOT", "EXISTS")}
	s.Name = p.tableName()
	s.Comment = p.comment()
	if p.ahead("(") {
		p.unsupported(p.tok(), "write CREATE TABLE name AS SELECT …, or CREATE EXTERNAL TABLE over files that are there",
			"a table is made from a query or over files; CREATE TABLE with columns alone is not done")
	}
	if p.accept("WITH") {
		s.Properties = p.properties()
	}
	p.expect("AS")
	s.Query = p.query()
	if p.accept("WITH") {
		s.NoData = p.accept("NO")
		p.expect("DATA")
	}
	return s
}

// properties reads (name = value, …).
func (p *parser) properties() []Property {
	p.opening("(")
	out := list(p, func() Property {
		name := p.ident("the name of a property")
		p.expect("=")
		return Property{At: name.At, Name: strings.ToLower(name.Name), Value: p.expr()}
	})
	p.closing(")")
	return out
}

func (p *parser) unload(start At) Statement {
	s := &Unload{At: start, Query: p.parenQuery()}
	p.expect("TO")
	s.Location = p.quotedText("a location in single quotes")
	if p.accept("WITH") {
		s.Properties = p.properties()
	}
	return s
}

// quotedText reads a string; Hive, from which Athena has CREATE EXTERNAL TABLE, takes double quotes too.
func (p *parser) quotedText(what string) Text {
	t := p.tok()
	if t.Kind == QuotedToken && p.text[t.Start] == '"' {
		p.next()
		return Text{p.at(t), unquote(p.str(t))}
	}
	return Text{p.at(t), p.stringValue(what)}
}

// pairs reads ('key' = 'value', …).
func (p *parser) pairs() []TextPair {
	p.opening("(")
	out := list(p, func() TextPair {
		pair := TextPair{Key: p.quotedText("a key in single quotes")}
		p.expect("=")
		pair.Value = p.quotedText("a value in single quotes")
		return pair
	})
	p.closing(")")
	return out
}

func (p *parser) createExternal(start At) Statement {
	p.takeBackquotes()
	s := &CreateExternal{At: start, StoredAsAt: start, IfNotExists: p.accept("IF", "NOT", "EXISTS")}
	s.Name = p.tableName()
	s.Columns = p.columnDefs()
	s.Comment = p.comment()
	if p.accept("PARTITIONED", "BY") {
		s.Partitions = p.columnDefs()
	}
	if p.ahead("CLUSTERED") {
		p.unsupported(p.tok(), "leave the clause out: the files are read as they are", "CLUSTERED BY is not supported")
	}
	if p.accept("ROW", "FORMAT") {
		p.rowFormat(s)
	}
	if p.ahead("STORED") {
		p.next()
		p.expect("AS")
		p.storedAs(s)
	}
	if p.accept("WITH", "SERDEPROPERTIES") {
		s.Serdes = append(s.Serdes, p.pairs()...)
	}
	if !p.accept("LOCATION") {
		p.fail("LOCATION")
	}
	s.Location = p.quotedText("a location in single quotes")
	if p.accept("TBLPROPERTIES") {
		s.Properties = p.pairs()
	}
	s.Source = p.since(start, s)
	return s
}

func (p *parser) rowFormat(s *CreateExternal) {
	if p.accept("SERDE") {
		name := p.quotedText("the name of a SerDe in single quotes")
		s.Serde = &name
		if p.accept("WITH", "SERDEPROPERTIES") {
			s.Serdes = p.pairs()
		}
		return
	}
	if !p.accept("DELIMITED") {
		p.fail("SERDE or DELIMITED")
	}
	s.Delimited = true
	add := func(key string, at At) {
		s.Delimiters = append(s.Delimiters, TextPair{Text{at, key}, p.quotedText("a character in single quotes")})
	}
	for {
		at := p.here()
		switch {
		case p.accept("FIELDS", "TERMINATED", "BY"):
			add("fields", at)
			if at := p.here(); p.accept("ESCAPED", "BY") {
				add("escape", at)
			}
		case p.accept("COLLECTION", "ITEMS", "TERMINATED", "BY"):
			add("items", at)
		case p.accept("MAP", "KEYS", "TERMINATED", "BY"):
			add("keys", at)
		case p.accept("LINES", "TERMINATED", "BY"):
			add("lines", at)
		case p.accept("NULL", "DEFINED", "AS"):
			add("null", at)
		default:
			return
		}
	}
}

func (p *parser) storedAs(s *CreateExternal) {
	s.StoredAsAt = p.here()
	if p.accept("INPUTFORMAT") {
		in := p.quotedText("the name of an input format in single quotes")
		p.expect("OUTPUTFORMAT")
		out := p.quotedText("the name of an output format in single quotes")
		s.InputFormat, s.OutputFormat = &in, &out
		return
	}
	s.StoredAs = strings.ToLower(p.ident("a file format").Name)
}

// columnDefs reads (name type [COMMENT '…'], …).
func (p *parser) columnDefs() []ColumnDef {
	p.opening("(")
	out := list(p, func() ColumnDef {
		c := ColumnDef{Name: p.ident("a column name")}
		c.Type = p.columnType()
		c.Comment = p.comment()
		return c
	})
	p.closing(")")
	return out
}

// columnType reads a type as Hive writes it: up to a comma, a parenthesis or a comment at its own level.
func (p *parser) columnType() sqltype.Type {
	first, level := p.tok(), 0
	last := first
	for ; ; p.next() {
		t := p.tok()
		text := p.str(t)
		if t.Kind == endToken || level == 0 && (text == "," || text == ")" || p.matches(t, "COMMENT")) {
			break
		}
		if t.Kind == OperatorToken {
			level += strings.Count(text, "<") + strings.Count(text, "(") - strings.Count(text, ">") - strings.Count(text, ")")
		}
		last = t
	}
	if p.tok() == first {
		p.fail("a type")
	}
	text := strings.ReplaceAll(p.text[first.Start:last.End], "`", `"`)
	out, err := sqltype.Parse(text)
	if err != nil {
		p.failAt(first, sqlerr.Syntax, "%v", err)
	}
	return out
}
