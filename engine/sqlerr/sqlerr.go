// Package sqlerr is the error value that every stage of a query returns to the
// person who wrote it: what kind of mistake, where in the text, what to do.
//
// It knows nothing of the other rooms, so that all of them can use it.
package sqlerr

import (
	"errors"
	"fmt"
	"strings"
)

// Kind says whose mistake an error is and at which stage it showed.
type Kind string

const (
	Syntax    Kind = "syntax"      // the text is no statement of the dialect
	Name      Kind = "name"        // a table, column, field or function does not exist or is ambiguous
	Type      Kind = "type"        // an operator or function does not take these types
	Value     Kind = "value"       // a value cannot be computed: division by zero, bad cast
	Resource  Kind = "resource"    // a limit of memory, time or size was reached
	Cancelled Kind = "cancelled"   // the caller gave up
	Unknown   Kind = "unsupported" // valid SQL that this engine does not do
	Data      Kind = "data"        // a file of the lake is missing or damaged
	Internal  Kind = "internal"    // a defect of ours
)

// Pos is a byte offset into the statement text, counted from 1; 0 means unknown.
type Pos int

// Error is a mistake with its place. Wrap causes with Err.
type Error struct {
	Kind Kind
	Pos  Pos
	Msg  string
	Hint string // what to do, or ""
	Err  error  // cause, or nil
}

func (e *Error) Error() string {
	s := e.Msg
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// New returns an error of the kind at pos.
func New(kind Kind, pos Pos, format string, args ...any) *Error {
	return &Error{Kind: kind, Pos: pos, Msg: fmt.Sprintf(format, args...)}
}

// WithHint returns e with a hint of what to do.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// Wrap returns an error of the kind whose cause is err.
func Wrap(kind Kind, err error, format string, args ...any) *Error {
	return &Error{Kind: kind, Msg: fmt.Sprintf(format, args...), Err: err}
}

// At returns err with the place pos if it is an *Error that has none yet. err stays as it is: what was compiled once for all workers gives all of
// them the same error.
func At(err error, pos Pos) error {
	var e *Error
	if !errors.As(err, &e) || e.Pos != 0 {
		return err
	}
	placed := *e
	placed.Pos = pos
	return &placed
}

// KindOf returns the kind of the first *Error in err's chain, Internal for any other error.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// LineColumn turns pos into a line and a column, both from 1; columns count characters.
func LineColumn(text string, pos Pos) (line, column int) {
	at := min(max(int(pos)-1, 0), len(text))
	line = 1 + strings.Count(text[:at], "\n")
	start := strings.LastIndexByte(text[:at], '\n') + 1
	return line, 1 + len([]rune(text[start:at]))
}

// Render shows err to a person: "line 1:8: message", the line of the text and a caret under the place.
// An error without a place is shown as its message.
func Render(text string, err error) string {
	var e *Error
	if !errors.As(err, &e) || e.Pos == 0 {
		return err.Error()
	}
	line, column := LineColumn(text, e.Pos)
	lines := strings.Split(text, "\n")
	shown := strings.ReplaceAll(strings.TrimRight(lines[line-1], "\r"), "\t", " ")
	return fmt.Sprintf("line %d:%d: %s\n  %s\n  %s^", line, column, e.Error(), shown, strings.Repeat(" ", column-1))
}

// Nearest returns the candidate closest to name, "" if none is close; case is ignored.
func Nearest(name string, candidates []string) string {
	name = strings.ToLower(name)
	best, bestDistance := "", max(1, len(name)/3)+1
	for _, c := range candidates {
		if d := editDistance(name, strings.ToLower(c)); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// editDistance counts insertions, deletions, replacements and swaps of neighbours (Damerau, restricted).
func editDistance(a, b string) int {
	two := make([]int, len(b)+1)
	one := make([]int, len(b)+1)
	for j := range one {
		one[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(one[j]+1, row[j-1]+1, one[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], two[j-2]+1)
			}
		}
		two, one = one, row
	}
	return one[len(b)]
}
