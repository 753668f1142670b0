package vec

import (
	"strings"
	"unicode/utf8"

	"github.com/trailql/trailql/engine/sqlerr"
)

// Like is a compiled LIKE pattern. Safe for concurrent use.
type Like struct {
	// parts are what stands between the % signs. The first must match at the start, the last at the end, those between
	// anywhere, in order. A pattern without % has one part, which is the whole text.
	parts []likePart
}

// likePart is a text without %.
type likePart struct {
	text  string // if runes is nil: there is no _ in it
	runes []rune // else: the characters, -1 for _
}

// CompileLike compiles a pattern: % stands for any text, _ for one character. With hasEscape, the one character of escape
// takes the meaning from a %, _ or itself that follows; it must not stand before anything else.
func CompileLike(pattern, escape string, hasEscape bool) (*Like, error) {
	esc := rune(-1)
	if hasEscape {
		r, size := utf8.DecodeRuneInString(escape)
		if size == 0 || size != len(escape) {
			return nil, sqlerr.New(sqlerr.Value, 0, "the escape of LIKE must be one character")
		}
		esc = r
	}
	l := &Like{}
	var text strings.Builder
	var runes []rune
	anyOne := false
	end := func() {
		if anyOne {
			l.parts = append(l.parts, likePart{runes: runes})
		} else {
			l.parts = append(l.parts, likePart{text: text.String()})
		}
		text.Reset()
		runes, anyOne = nil, false
	}
	escaped := false
	for i := 0; i < len(pattern); {
		r, size := utf8.DecodeRuneInString(pattern[i:])
		switch {
		case escaped && r != '%' && r != '_' && r != esc:
			return nil, sqlerr.New(sqlerr.Value, 0, "the escape character of LIKE must stand before %%, _ or itself")
		case !escaped && r == esc:
			escaped = true
			i += size
			continue
		case !escaped && r == '%':
			end()
		case !escaped && r == '_':
			runes, anyOne = append(runes, -1), true
		default:
			text.WriteString(pattern[i : i+size])
			runes = append(runes, r)
		}
		escaped = false
		i += size
	}
	if escaped {
		return nil, sqlerr.New(sqlerr.Value, 0, "the escape character of LIKE must stand before %%, _ or itself")
	}
	end()
	return l, nil
}

// Match reports whether the whole of s matches.
func (l *Like) Match(s string) bool {
	last := len(l.parts) - 1
	if last == 0 {
		n, ok := l.parts[0].prefix(s)
		return ok && n == len(s)
	}
	n, ok := l.parts[0].prefix(s)
	if !ok {
		return false
	}
	s = s[n:]
	// taking the first place where each part fits leaves the most text for the parts behind it
	for i := 1; i < last; i++ {
		if n = l.parts[i].find(s); n < 0 {
			return false
		}
		s = s[n:]
	}
	return l.parts[last].suffix(s)
}

// prefix returns how much of s the part takes at its start.
func (p *likePart) prefix(s string) (n int, ok bool) {
	if p.runes == nil {
		return len(p.text), strings.HasPrefix(s, p.text)
	}
	for _, want := range p.runes {
		r, size := utf8.DecodeRuneInString(s[n:])
		if size == 0 || want >= 0 && r != want {
			return 0, false
		}
		n += size
	}
	return n, true
}

// find returns the end of the first place where the part fits, -1 if there is none.
func (p *likePart) find(s string) int {
	if p.runes == nil {
		if i := strings.Index(s, p.text); i >= 0 {
			return i + len(p.text)
		}
		return -1
	}
	for at := 0; ; {
		if n, ok := p.prefix(s[at:]); ok {
			return at + n
		}
		_, size := utf8.DecodeRuneInString(s[at:])
		if size == 0 {
			return -1
		}
		at += size
	}
}

func (p *likePart) suffix(s string) bool {
	if p.runes == nil {
		return strings.HasSuffix(s, p.text)
	}
	for i := len(p.runes) - 1; i >= 0; i-- {
		r, size := utf8.DecodeLastRuneInString(s)
		if size == 0 || p.runes[i] >= 0 && r != p.runes[i] {
			return false
		}
		s = s[:len(s)-size]
	}
	return true
}
