package external

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/trailql/trailql/engine/sqltype"
)

// fillJSON reads rows that are JSON objects, a line each. Keys match the columns' names without regard to case; the first of two equal ones
// counts. In a column of text an object or array is its own JSON. Empty lines are left out.
func (t *textRows) fillJSON() error {
	for !t.full() {
		line, err := t.line()
		if err != nil {
			return err
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		if line[0] != '{' || !json.Valid(line) {
			if !t.format.Malformed {
				return fmt.Errorf("line %d: %w", t.number, notObject(line))
			}
			t.row(t.number)
			continue
		}
		t.row(t.number)
		t.members(line)
	}
	return nil
}

// notObject says why a line is no JSON object.
func notObject(line []byte) error {
	if line[0] == '[' && json.Valid(line) {
		return errors.New("it is a JSON array; each line must be one object")
	}
	var into map[string]json.RawMessage
	if err := json.Unmarshal(line, &into); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return fmt.Errorf("it is no JSON object: %w at character %d", syntax, syntax.Offset)
		}
	}
	return errors.New("it is no JSON object; each line must be one")
}

// members gives the columns the values of an object that is known to be valid.
func (t *textRows) members(line []byte) {
	at := 1
	space := func() {
		for line[at] == ' ' || line[at] == '\t' || line[at] == '\r' || line[at] == '\n' {
			at++
		}
	}
	for {
		if space(); line[at] == '}' {
			return
		}
		start := at
		at = valueEnd(line, at)
		name := line[start:at]
		space()
		at++ // the colon
		space()
		start = at
		at = valueEnd(line, at)
		if c := t.byKey[strings.ToLower(string(unquoted(name)))]; c != nil {
			t.member(c, line[start:at])
		}
		if space(); line[at] == ',' {
			at++
		}
	}
}

func (t *textRows) member(c *textColumn, value []byte) {
	switch {
	case value[0] == 'n':
		t.pad(c, len(t.starts)) // NULL, and a second one of that name is not looked at
	case c.from.Kind == sqltype.JSON:
		t.set(c, value)
	default:
		t.setText(c, unquoted(value))
	}
}

// valueEnd is where the value at at ends, in valid JSON.
func valueEnd(line []byte, at int) int {
	depth := 0
	for ; ; at++ {
		switch line[at] {
		case '"':
			for at++; line[at] != '"'; at++ {
				if line[at] == '\\' {
					at++
				}
			}
			if depth == 0 {
				return at + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return at + 1
			}
			if depth < 0 {
				return at
			}
		case ',', ':', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return at
			}
		}
	}
}

// unquoted is the text of a JSON string; other values are as they are.
func unquoted(value []byte) []byte {
	if value[0] != '"' {
		return value
	}
	if bytes.IndexByte(value, '\\') < 0 {
		return value[1 : len(value)-1]
	}
	var text string
	if json.Unmarshal(value, &text) != nil {
		return nil
	}
	return []byte(text)
}
