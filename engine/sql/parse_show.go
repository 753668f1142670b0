package sql

import (
	"unicode/utf8"

	"github.com/trailql/trailql/engine/sqlerr"
)

// explain reads EXPLAIN [ANALYZE [VERBOSE]] [(option, …)] statement.
func (p *parser) explain() Statement {
	e := &Explain{At: p.here()}
	p.expect("EXPLAIN")
	if e.Analyze = p.accept("ANALYZE"); e.Analyze {
		p.accept("VERBOSE")
	}
	if p.ahead("(") && p.oneOf(1, "FORMAT", "TYPE") != "" {
		p.opening("(")
		list(p, func() struct{} { p.explainOption(e); return struct{}{} })
		p.closing(")")
	}
	if p.ahead("EXPLAIN") {
		p.fail("a query to explain")
	}
	e.Statement = p.statement()
	return e
}

// explainOption reads FORMAT or TYPE with its value. The plans of all types are one here.
func (p *parser) explainOption(e *Explain) {
	switch {
	case p.accept("FORMAT", "TEXT"), p.accept("TYPE", "LOGICAL"), p.accept("TYPE", "DISTRIBUTED"):
	case p.accept("FORMAT", "JSON"):
		e.JSON = true
	case p.accept("TYPE", "VALIDATE"):
		e.Validate = true
	case p.ahead("FORMAT"):
		p.next()
		p.fail("TEXT or JSON")
	case p.ahead("TYPE"):
		p.next()
		p.fail("LOGICAL, DISTRIBUTED or VALIDATE")
	default:
		p.fail("FORMAT or TYPE")
	}
}

func (p *parser) show(start At) Statement {
	switch {
	case p.ahead("TABLES"), p.ahead("VIEWS"):
		s := &ShowTables{At: start, Views: p.accept("VIEWS")}
		if !s.Views {
			p.next()
		}
		if p.accept("FROM") || p.accept("IN") {
			s.Schema = []Ident{p.ident("a schema name")}
			if p.accept(".") {
				s.Schema = append(s.Schema, p.ident("a schema name"))
			}
		}
		s.Like = p.showPattern()
		return s
	case p.accept("COLUMNS"):
		if !p.accept("FROM") && !p.accept("IN") {
			p.fail("FROM and a table name")
		}
		s := &ShowColumns{At: start, Table: p.tableName()}
		if len(s.Table) == 1 && (p.accept("FROM") || p.accept("IN")) { // the schema apart, as in Hive
			s.Table = []Ident{p.ident("a schema name"), s.Table[0]}
		}
		s.Like = p.showPattern()
		return s
	case p.accept("FUNCTIONS"):
		return &ShowFunctions{At: start, Like: p.showPattern()}
	case p.accept("CATALOGS"):
		return &ShowSchemas{At: start, Catalogs: true, Like: p.showPattern()}
	case p.accept("SCHEMAS"), p.accept("DATABASES"):
		s := &ShowSchemas{At: start}
		if p.accept("FROM") || p.accept("IN") {
			catalog := p.ident("a catalog name")
			s.Catalog = &catalog
		}
		s.Like = p.showPattern()
		return s
	case p.accept("CREATE"):
		s := &ShowCreate{At: start, View: p.accept("VIEW")}
		if !s.View && !p.accept("TABLE") {
			p.fail("TABLE or VIEW")
		}
		s.Name = p.tableName()
		return s
	case p.accept("PARTITIONS"):
		if !p.accept("FROM") { // Hive has SHOW PARTITIONS t
			p.accept("IN")
		}
		return &ShowPartitions{At: start, Table: p.tableName()}
	case p.accept("SESSION"):
		return &ShowSession{At: start, Like: p.showPattern()}
	case p.accept("STATS"):
		p.expect("FOR")
		if p.parenQueryAhead(0) {
			return &ShowStats{At: start, Query: p.parenQuery()}
		}
		at := p.here()
		return &ShowStats{At: start, Query: &Query{At: at, Body: &TableBody{At: at, Name: p.tableName()}}}
	case p.accept("COVERAGE"):
		s := &ShowCoverage{At: start}
		if p.accept("WHERE") {
			s.Where = p.expr()
		}
		return s
	}
	const known = "TABLES, VIEWS, COLUMNS, FUNCTIONS, SCHEMAS, CATALOGS, CREATE, PARTITIONS, SESSION, STATS or COVERAGE"
	if word := p.oneOf(0, "TBLPROPERTIES", "ROLES", "GRANTS"); word != "" {
		p.unsupported(p.tok(), "write SHOW "+known, "SHOW %s is not supported", word)
	}
	p.fail("%s", known)
	return nil
}

// Query is the query that answers SHOW COVERAGE. All of it but the condition is placed where the statement is.
func (s *ShowCoverage) Query() *Query {
	p := newParser(`SELECT account, region, min(hour) FILTER (WHERE objects > 0) AS first, max(hour) FILTER (WHERE objects > 0) AS last,
	sum(objects) AS objects, sum(records) AS records, sum(quarantined) AS quarantined,
	sum(verified) * 10000 / nullif(sum(objects), 0) / 1e2 AS "verified %", sum(missing) AS missing, sum(altered) AS altered, sum(extra) AS extra,
	count(gap) AS "gap hours", nullif(array_join(array_sort(array_agg(DISTINCT gap) FILTER (WHERE gap IS NOT NULL)), ', '), '') AS gaps
FROM trail_coverage GROUP BY account, region ORDER BY account, region`)
	p.place = s.At
	q := p.query()
	q.Body.(*Select).Where = s.Where
	return q
}

// showPattern reads [LIKE] 'pattern' [ESCAPE 'character'].
func (p *parser) showPattern() *ShowPattern {
	if !p.accept("LIKE") && p.tok().Kind != StringToken {
		return nil
	}
	like := &ShowPattern{Pattern: p.stringValue("a pattern in single quotes")}
	if p.accept("ESCAPE") {
		t := p.tok()
		like.Escape = p.stringValue("a character in single quotes")
		if utf8.RuneCountInString(like.Escape) != 1 {
			p.failAt(t, sqlerr.Syntax, "ESCAPE takes one character")
		}
	}
	return like
}
