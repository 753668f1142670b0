package sql

import (
	"encoding/hex"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/trailql/trailql/engine/sqlerr"
)

// unquote takes the quotes off a token and turns doubled quotes into one.
func unquote(s string) string {
	quote := s[:1]
	return strings.ReplaceAll(s[1:len(s)-1], quote+quote, quote)
}

// stringValue reads the string token at the cursor, which may be followed by UESCAPE.
// A hex string is no text and is refused.
func (p *parser) stringValue(what string) string {
	t := p.tok()
	if t.Kind != StringToken || p.isHex(t) {
		p.fail("%s", what)
	}
	s := p.str(t)
	p.next()
	if s[0] == '\'' {
		return unquote(s)
	}
	escape := '\\'
	if p.accept("UESCAPE") {
		e := p.tok()
		value := p.stringValue("the escape character of the string")
		r, size := utf8.DecodeRuneInString(value)
		if size == 0 || size != len(value) || strings.ContainsRune("'\"+ 0123456789abcdefABCDEF", r) {
			p.failAt(e, sqlerr.Syntax, "the escape character of a string is one character, no hex digit, plus, quote or space")
		}
		escape = r
	}
	return p.unescapeUnicode(t, unquote(s[2:]), escape)
}

func (p *parser) isHex(t Token) bool {
	c := p.text[t.Start]
	return c == 'x' || c == 'X'
}

// unescapeUnicode decodes \XXXX and \+XXXXXX, and a doubled escape character.
func (p *parser) unescapeUnicode(t Token, s string, escape rune) string {
	mark := string(escape)
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, mark)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		if rest, doubled := strings.CutPrefix(after, mark); doubled {
			b.WriteString(mark)
			s = rest
			continue
		}
		digits := 4
		if rest, long := strings.CutPrefix(after, "+"); long {
			after, digits = rest, 6
		}
		if len(after) < digits {
			p.failAt(t, sqlerr.Syntax, "an escape in this string is cut short")
		}
		code, err := strconv.ParseUint(after[:digits], 16, 32)
		if err != nil || !utf8.ValidRune(rune(code)) {
			p.failAt(t, sqlerr.Syntax, "the escape %s in this string is no character", mark+after[:digits])
		}
		b.WriteRune(rune(code))
		s = after[digits:]
	}
}

// binary reads the X'…' token at the cursor; spaces between the digits do not count.
func (p *parser) binary() Expr {
	t := p.tok()
	value, err := hex.DecodeString(strings.Join(strings.Fields(unquote(p.str(t)[1:])), ""))
	if err != nil {
		p.failAt(t, sqlerr.Syntax, "a binary literal holds an even number of hex digits")
	}
	p.next()
	return &Bin{At: p.at(t), Value: value}
}

// integer reads a whole number that fits an int.
func (p *parser) integer(what string) int {
	t := p.tok()
	n, err := strconv.Atoi(p.str(t))
	if t.Kind != NumberToken || err != nil {
		p.fail("%s", what)
	}
	p.next()
	return n
}
