package shell

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
)

// step is one thing to do of a script: a statement without its semicolon, or the line of a backslash command.
type step struct {
	text    string
	offset  int // in the script, in bytes from 0
	command bool
}

// steps cuts a script. Commands, where they are allowed, stand where a statement may begin and take the rest of their
// line. ended is false if the text stops within a statement, quote or comment.
func steps(text string, commands bool) (list []step, ended bool) {
	at := 0
	for {
		rest := text[at:]
		end := len(rest) // of the part without a command
		open := false
		for _, t := range sql.Tokens(rest) {
			if commands && !open && rest[t.Start] == '\\' {
				end = t.Start
				break
			}
			switch {
			case t.Kind == sql.CommentToken:
				open = open || t.Open
			case t.Kind == sql.OperatorToken && rest[t.Start] == ';':
				open = false
			default:
				open = true
			}
		}
		for _, p := range sql.Split(rest[:end]) {
			list = append(list, step{text: p.Text, offset: at + p.Offset})
		}
		if end == len(rest) {
			return list, !open
		}
		line, _, _ := strings.Cut(rest[end:], "\n")
		list = append(list, step{text: strings.TrimRight(line, "; \t\r"), offset: at + end, command: true})
		at += end + len(line)
	}
}

// Misuse is an error of how a script is given, not of what it asks.
type Misuse string

func (m Misuse) Error() string { return string(m) }

// silent reports whether a statement only changes the session, so that it has no answer to write.
func silent(text string) bool {
	for _, t := range sql.Tokens(text) {
		if t.Kind != sql.CommentToken {
			return slices.Contains([]string{"PREPARE", "DEALLOCATE", "USE", "SET", "RESET"}, strings.ToUpper(text[t.Start:t.End]))
		}
	}
	return false
}

// one reports whether a format holds only one result.
func one(format string) bool { return format == "arrow" || format == "parquet" }

// Script runs the steps of texts in order and stops at the first that fails; its error says where in the text, as people
// read it. It is a Misuse if there are none, or several statements and a format that holds one result.
func (s *Session) Script(ctx context.Context, texts ...string) error {
	if err := s.script(ctx, texts...); !errors.Is(err, errQuit) {
		return err
	}
	return nil
}

func (s *Session) script(ctx context.Context, texts ...string) error {
	all, statements := 0, 0
	lists := make([][]step, len(texts))
	for i, text := range texts {
		lists[i], _ = steps(text, s.config.Commands)
		for _, p := range lists[i] {
			all++
			if !p.command && !silent(p.text) {
				statements++
			}
		}
	}
	if all == 0 {
		return Misuse("what is the question? the SQL is empty")
	}
	if statements > 1 && one(s.format) {
		return Misuse(s.format + " holds one result; give one statement")
	}
	if statements != 1 && len(s.config.Params) > 0 {
		return Misuse("parameters are for one statement; give one, or write PREPARE and EXECUTE … USING")
	}
	for i, list := range lists {
		for _, p := range list {
			if err := s.do(ctx, p); err != nil {
				if errors.Is(err, errQuit) {
					return err
				}
				return rendered{sqlerr.Render(texts[i], shift(err, p.offset)), err}
			}
		}
	}
	return nil
}

// rendered is an error as it is shown beside the text that it is about.
type rendered struct {
	text string
	err  error
}

func (r rendered) Error() string { return r.text }

func (r rendered) Unwrap() error { return r.err }

// shift moves an error's place from the statement's text to that of the whole script. What is rendered already keeps its place.
func shift(err error, offset int) error {
	var done rendered
	if errors.As(err, &done) {
		return errors.New(done.text)
	}
	var e *sqlerr.Error
	if errors.As(err, &e) && e.Pos > 0 {
		moved := *e
		moved.Pos += sqlerr.Pos(offset)
		return &moved
	}
	return err
}

// do runs one step.
func (s *Session) do(ctx context.Context, p step) error {
	if p.command {
		if err := s.command(ctx, p.text); err != nil {
			var e *sqlerr.Error
			var done rendered
			if errors.Is(err, errQuit) || errors.As(err, &e) || errors.As(err, &done) {
				return err
			}
			return &sqlerr.Error{Kind: sqlerr.Syntax, Pos: 1, Msg: err.Error()}
		}
		return nil
	}
	return s.ask(ctx, p.text)
}
