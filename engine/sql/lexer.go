package sql

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// TokenKind is the class of a Token.
type TokenKind uint8

const (
	InvalidToken  TokenKind = iota // a character or form that the dialect does not know
	CommentToken                   // -- to the end of the line, or /* … */
	KeywordToken                   // a word with a meaning of its own; it may still be a name if it is not reserved
	WordToken                      // any other bare name
	QuotedToken                    // "name"
	StringToken                    // '…', U&'…' or X'…'
	NumberToken                    // 1, 1.5, .5, 1e3
	OperatorToken                  // operators and punctuation
	endToken                       // after the last token; never given out by Tokens
)

// Token is a piece of the text from Start to before End, byte offsets from 0.
type Token struct {
	Kind       TokenKind
	Start, End int
	Open       bool // a quote or comment that the text never closes
	reserved   bool
}

// Tokens cuts text into tokens, comments included, white space left out. It never fails: what is no part of the
// dialect comes as InvalidToken.
func Tokens(text string) []Token {
	var tokens []Token
	for at := 0; ; {
		t := scan(text, at)
		if t.Kind == endToken {
			return tokens
		}
		tokens = append(tokens, t)
		at = t.End
	}
}

// Piece is one statement of a script. Offset is where Text begins in the script, in bytes from 0.
type Piece struct {
	Text   string
	Offset int
}

// Split cuts a script at the semicolons that stand outside quotes and comments. Pieces without a token other than
// comments are left out; the semicolon is no part of a piece.
func Split(text string) []Piece {
	var pieces []Piece
	start, end := -1, 0
	flush := func() {
		if start >= 0 {
			pieces = append(pieces, Piece{Text: text[start:end], Offset: start})
		}
		start = -1
	}
	for _, t := range Tokens(text) {
		if t.Kind == CommentToken {
			continue
		}
		if t.Kind == OperatorToken && text[t.Start] == ';' {
			flush()
			continue
		}
		if start < 0 {
			start = t.Start
		}
		end = t.End
	}
	flush()
	return pieces
}

// scan returns the first token of text at or after at.
func scan(text string, at int) Token {
	for at < len(text) {
		r, size := utf8.DecodeRuneInString(text[at:])
		if !unicode.IsSpace(r) && r != '\uFEFF' {
			break
		}
		at += size
	}
	if at == len(text) {
		return Token{Kind: endToken, Start: at, End: at}
	}
	rest := text[at:]
	token := func(kind TokenKind, length int) Token { return Token{Kind: kind, Start: at, End: at + length} }
	quoted := func(kind TokenKind, opening int) Token {
		length, closed := quotedLength(rest, opening)
		t := token(kind, length)
		t.Open = !closed
		return t
	}
	c := rest[0]
	switch {
	case strings.HasPrefix(rest, "--"):
		if n := strings.IndexByte(rest, '\n'); n >= 0 {
			return token(CommentToken, n)
		}
		return token(CommentToken, len(rest))
	case strings.HasPrefix(rest, "/*"):
		if n := strings.Index(rest[2:], "*/"); n >= 0 {
			return token(CommentToken, n+4)
		}
		t := token(CommentToken, len(rest))
		t.Open = true
		return t
	case c == '\'':
		return quoted(StringToken, 0)
	case c == '"':
		return quoted(QuotedToken, 0)
	case c == '`':
		return quoted(InvalidToken, 0)
	case (c == 'x' || c == 'X') && strings.HasPrefix(rest[1:], "'"):
		return quoted(StringToken, 1)
	case (c == 'u' || c == 'U') && strings.HasPrefix(rest[1:], "&'"):
		return quoted(StringToken, 2)
	case isDigit(c), c == '.' && len(rest) > 1 && isDigit(rest[1]) && !endsOperand(text[:at]):
		n := numberLength(rest)
		if n < len(rest) && isWordByte(rest[n]) {
			return token(InvalidToken, n+wordLength(rest[n:]))
		}
		return token(NumberToken, n)
	case isWordByte(c):
		n := wordLength(rest)
		t := token(WordToken, n)
		if reserved, known := keyword(rest[:n]); known {
			t.Kind, t.reserved = KeywordToken, reserved
		}
		return t
	}
	if len(rest) > 1 {
		switch rest[:2] {
		case "<>", "!=", "<=", ">=", "||", "->", "=>":
			return token(OperatorToken, 2)
		}
	}
	if strings.IndexByte("()[],.;+-*/%=<>?:", c) >= 0 {
		return token(OperatorToken, 1)
	}
	return token(InvalidToken, invalidLength(rest))
}

// quotedLength returns the length of the quoted text in s, whose quote stands at opening. A doubled quote is a quote.
func quotedLength(s string, opening int) (length int, closed bool) {
	quote := s[opening]
	for i := opening + 1; i < len(s); i++ {
		if s[i] != quote {
			continue
		}
		if i+1 < len(s) && s[i+1] == quote {
			i++
			continue
		}
		return i + 1, true
	}
	return len(s), false
}

// numberLength returns the length of digits [. digits] [e [sign] digits] or . digits [e [sign] digits].
func numberLength(s string) int {
	n := digitsLength(s)
	if n < len(s) && s[n] == '.' {
		n++
		n += digitsLength(s[n:])
	}
	if n < len(s) && (s[n] == 'e' || s[n] == 'E') {
		e := n + 1
		if e < len(s) && (s[e] == '+' || s[e] == '-') {
			e++
		}
		if d := digitsLength(s[e:]); d > 0 {
			n = e + d
		}
	}
	return n
}

func digitsLength(s string) int {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}

func wordLength(s string) int {
	n := 0
	for n < len(s) && isWordByte(s[n]) {
		n++
	}
	return n
}

// invalidLength returns the length of the first character of s together with the letters and digits glued to it,
// so that an error shows $path or größe as a whole.
func invalidLength(s string) int {
	for i, r := range s {
		if i > 0 && r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return i
		}
	}
	return len(s)
}

// endsOperand reports whether a dot right after before belongs to what it ends with (t.1a, x[1].5) and thus begins no number.
func endsOperand(before string) bool {
	if before == "" {
		return false
	}
	c := before[len(before)-1]
	return isWordByte(c) || c == '"' || c == ')' || c == ']'
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isWordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || isDigit(c) || c == '_'
}
