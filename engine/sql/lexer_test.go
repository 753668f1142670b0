package sql

import (
	"reflect"
	"testing"
)

func TestTokens(t *testing.T) {
	tests := []struct {
		text  string
		kinds []TokenKind
		parts []string
	}{
		{"", nil, nil},
		{" \t\r\n\u00a0\ufeff ", nil, nil},
		{"SELECT a1 -- note\n, 'it''s' /* b */", []TokenKind{KeywordToken, WordToken, CommentToken, OperatorToken, StringToken, CommentToken},
			[]string{"SELECT", "a1", "-- note", ",", "'it''s'", "/* b */"}},
		{`"a""b"."c"`, []TokenKind{QuotedToken, OperatorToken, QuotedToken}, []string{`"a""b"`, ".", `"c"`}},
		{`'\'`, []TokenKind{StringToken}, []string{`'\'`}}, // a backslash is a character like any other
		{"1 1.5 .5 1. 1e3 1.5E-3 .5e+1", []TokenKind{NumberToken, NumberToken, NumberToken, NumberToken, NumberToken, NumberToken, NumberToken},
			[]string{"1", "1.5", ".5", "1.", "1e3", "1.5E-3", ".5e+1"}},
		{"1a 1e 1e+ 10AND", []TokenKind{InvalidToken, InvalidToken, InvalidToken, OperatorToken, InvalidToken}, []string{"1a", "1e", "1e", "+", "10AND"}},
		{"t.1a", []TokenKind{WordToken, OperatorToken, InvalidToken}, []string{"t", ".", "1a"}},
		{"a<>b!=c<=d>=e||f->g=>h", []TokenKind{WordToken, OperatorToken, WordToken, OperatorToken, WordToken, OperatorToken, WordToken,
			OperatorToken, WordToken, OperatorToken, WordToken, OperatorToken, WordToken, OperatorToken, WordToken},
			[]string{"a", "<>", "b", "!=", "c", "<=", "d", ">=", "e", "||", "f", "->", "g", "=>", "h"}},
		{"X'0a' x U&'\\00e9' u", []TokenKind{StringToken, WordToken, StringToken, WordToken}, []string{"X'0a'", "x", "U&'\\00e9'", "u"}},
		{"1--2", []TokenKind{NumberToken, CommentToken}, []string{"1", "--2"}},
		{"`a b` größe $path", []TokenKind{InvalidToken, WordToken, InvalidToken, InvalidToken}, []string{"`a b`", "gr", "öße", "$path"}},
		{"limit Offset order", []TokenKind{KeywordToken, KeywordToken, KeywordToken}, []string{"limit", "Offset", "order"}},
	}
	for _, test := range tests {
		var kinds []TokenKind
		var parts []string
		for _, token := range Tokens(test.text) {
			kinds = append(kinds, token.Kind)
			parts = append(parts, test.text[token.Start:token.End])
			if token.Open {
				t.Errorf("%q: token %q should not be open", test.text, test.text[token.Start:token.End])
			}
		}
		if !reflect.DeepEqual(kinds, test.kinds) || !reflect.DeepEqual(parts, test.parts) {
			t.Errorf("%q\n got  %v %q\n want %v %q", test.text, kinds, parts, test.kinds, test.parts)
		}
	}
}

func TestTokensOpen(t *testing.T) {
	for _, text := range []string{"'abc", "'it''", `"abc`, "/* abc *", "/*/", "`abc", "X'0", "U&'a"} {
		tokens := Tokens(text)
		if len(tokens) != 1 || !tokens[0].Open || tokens[0].End != len(text) {
			t.Errorf("%q: got %+v, want one open token to the end", text, tokens)
		}
	}
}

func TestSplit(t *testing.T) {
	tests := []struct {
		script string
		want   []Piece
	}{
		{"", nil},
		{" ;; -- nothing\n;", nil},
		{"SELECT 1", []Piece{{"SELECT 1", 0}}},
		{"SELECT ';' ; -- a ; b\nSELECT \";\" /* ; */ FROM t;\n", []Piece{{"SELECT ';'", 0}, {"SELECT \";\" /* ; */ FROM t", 22}}},
		{"SELECT 1; SELECT 'open; SELECT 2", []Piece{{"SELECT 1", 0}, {"SELECT 'open; SELECT 2", 10}}},
	}
	for _, test := range tests {
		got := Split(test.script)
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%q: got %+v, want %+v", test.script, got, test.want)
		}
		for _, piece := range got {
			if test.script[piece.Offset:piece.Offset+len(piece.Text)] != piece.Text {
				t.Errorf("%q: the offset of %q is wrong", test.script, piece.Text)
			}
		}
	}
}

// Keywords that may be names are those of Trino's grammar; people have columns so named.
func TestNamesThatAreNoReservedWords(t *testing.T) {
	for _, word := range []string{"timestamp", "date", "day", "hour", "month", "year", "key", "index", "read", "default", "type", "region",
		"account", "row", "map", "array", "value", "user", "version", "interval", "limit", "offset", "filter", "all", "any", "if", "data",
		"first", "last", "rows", "range", "time", "zone", "session", "role", "text", "position", "substring", "window", "over", "json"} {
		for _, text := range []string{
			"SELECT " + word + " FROM t", "SELECT t." + word + " FROM t", "SELECT a AS " + word + " FROM t",
			"SELECT a FROM " + word, "SELECT a FROM t AS " + word, "SELECT a FROM t WHERE " + word + " = 'x' GROUP BY " + word + " ORDER BY " + word + " DESC",
		} {
			stmt, err := Parse(text)
			if err != nil {
				t.Errorf("%s: %v", text, err)
				continue
			}
			checkTree(t, text, stmt)
		}
	}
}

func TestReservedWordsAreNoNames(t *testing.T) {
	for word, reserved := range keywords {
		_, err := Parse("SELECT a AS " + word + " FROM t")
		if (err != nil) != reserved {
			t.Errorf("%s as an alias: error %v, reserved %v", word, err, reserved)
		}
		if _, err := Parse(`SELECT a AS "` + word + `" FROM t`); err != nil {
			t.Errorf("%s in quotes: %v", word, err)
		}
	}
}
