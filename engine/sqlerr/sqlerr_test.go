package sqlerr

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestErrorText(t *testing.T) {
	tests := []struct {
		err  error
		want string
	}{
		{New(Name, 8, "column %q does not exist", "evntname"), `column "evntname" does not exist`},
		{New(Name, 8, "no such column").WithHint("did you mean %q?", "eventname"), `no such column; did you mean "eventname"?`},
		{Wrap(Data, io.ErrUnexpectedEOF, "file %s", "a.parquet"), "file a.parquet: unexpected EOF"},
		{Wrap(Data, io.EOF, "file").WithHint("run verify"), "file: EOF; run verify"},
	}
	for _, test := range tests {
		if got := test.err.Error(); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
	if err := Wrap(Data, io.EOF, "file"); !errors.Is(err, io.EOF) {
		t.Error("the cause is lost")
	}
}

func TestKindOf(t *testing.T) {
	tests := []struct {
		err  error
		want Kind
	}{
		{New(Value, 0, "division by zero"), Value},
		{fmt.Errorf("worker 3: %w", New(Resource, 0, "too much")), Resource},
		{Wrap(Data, New(Value, 0, "inner"), "outer"), Data}, // the outermost counts
		{io.EOF, Internal},
		{nil, Internal},
	}
	for _, test := range tests {
		if got := KindOf(test.err); got != test.want {
			t.Errorf("%v: got %s, want %s", test.err, got, test.want)
		}
	}
}

func TestAtKeepsThePlaceAnErrorHas(t *testing.T) {
	tests := []struct {
		err  error
		want Pos
	}{
		{New(Value, 0, "unplaced"), 5},
		{New(Value, 3, "placed"), 3},
		{fmt.Errorf("wrapped: %w", New(Value, 0, "unplaced")), 5},
	}
	for _, test := range tests {
		var before, e *Error
		errors.As(test.err, &before)
		had := before.Pos
		got := At(test.err, 5)
		if !errors.As(got, &e) || e.Pos != test.want || e.Kind != Value || !strings.Contains(e.Msg, "placed") {
			t.Errorf("%v: at %d, want %d", test.err, e.Pos, test.want)
		}
		if before.Pos != had {
			t.Errorf("%v: the error itself was given a place, which others may be reading", test.err)
		}
	}
	if At(io.EOF, 5) != io.EOF || At(nil, 5) != nil {
		t.Error("other errors must come back as they are")
	}
}

func TestLineColumn(t *testing.T) {
	const text = "SELECT a\nFROM größe\r\n\nWHERE x"
	tests := []struct {
		pos          Pos
		line, column int
	}{
		{1, 1, 1}, {8, 1, 8}, {9, 1, 9}, // the line break still belongs to the first line
		{10, 2, 1},
		{17, 2, 8}, {19, 2, 9}, // ö is one character of two bytes
		{24, 3, 1}, {25, 4, 1}, {31, 4, 7},
		{Pos(len(text) + 1), 4, 8},               // the end of the text
		{Pos(len(text) + 100), 4, 8}, {-3, 1, 1}, // clamped
	}
	for _, test := range tests {
		if line, column := LineColumn(text, test.pos); line != test.line || column != test.column {
			t.Errorf("%d: got %d:%d, want %d:%d", test.pos, line, column, test.line, test.column)
		}
	}
	if line, column := LineColumn("", 1); line != 1 || column != 1 {
		t.Errorf("empty text: got %d:%d", line, column)
	}
}

func TestRender(t *testing.T) {
	const text = "SELECT *\r\n\tFROM 'ä' WHERE evntname = 1\r\nLIMIT 1"
	tests := []struct {
		err  error
		want string
	}{
		{New(Name, 12, "table here"), "line 2:2: table here\n   FROM 'ä' WHERE evntname = 1\n   ^"},
		{New(Name, 28, "no column").WithHint("look"), "line 2:17: no column; look\n   FROM 'ä' WHERE evntname = 1\n                  ^"},
		{fmt.Errorf("worker: %w", New(Value, 1, "bad")), "line 1:1: bad\n  SELECT *\n  ^"},
		{New(Syntax, Pos(len(text)+1), "end"), "line 3:8: end\n  LIMIT 1\n         ^"},
		{New(Resource, 0, "no place"), "no place"},
		{io.EOF, "EOF"},
	}
	for _, test := range tests {
		if got := Render(text, test.err); got != test.want {
			t.Errorf("got\n%s\nwant\n%s", got, test.want)
		}
	}
}

func TestNearest(t *testing.T) {
	columns := []string{"eventname", "eventtime", "eventsource", "awsregion", "id"}
	tests := []struct{ name, want string }{
		{"evntname", "eventname"},
		{"EventNmae", "eventname"}, // a swap counts once
		{"eventtme", "eventtime"},
		{"region", ""}, // three letters are missing, more than a third of what was written
		{"awsregio", "awsregion"},
		{"ids", "id"},
		{"x", ""},
		{"sourceipaddress", ""},
	}
	for _, test := range tests {
		if got := Nearest(test.name, columns); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
	if got := Nearest("a", nil); got != "" {
		t.Errorf("no candidates: got %q", got)
	}
}
