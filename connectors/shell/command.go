package shell

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/connectors/sink"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
)

// errQuit ends the session.
var errQuit = errors.New("quit")

// command is one backslash command.
type command struct {
	name, args, doc string
	run             func(ctx context.Context, s *Session, args []string) error
	// complete lists what an argument may be; nil: nothing is known.
	complete func(n *names) []candidate
}

// commands in the order of \?. A function, since \? lists it.
func commands() []command {
	onOff := func(*names) []candidate { return choices("on", "off") }
	relations := func(n *names) []candidate { return n.now().tables() }
	allFunctions := func(n *names) []candidate {
		all := functions(n.now().macros)
		return append(functionNames(all, false), functionNames(all, true)...)
	}
	return []command{
		{`\d`, "[TABLE]", "the tables, or the columns of one", describe, relations},
		{`\dt`, "[PATTERN]", "the tables; * stands for anything", listTables, nil},
		{`\df`, "[PATTERN]", "the functions; * stands for anything", listFunctions, nil},
		{`\help`, "[FUNCTION]", "what a function takes, gives and does", help, allFunctions},
		{`\format`, "[NAME]", "the format of results: " + strings.Join(sink.Formats, ", "), setFormat,
			func(*names) []candidate { return choices(sink.Formats...) }},
		{`\x`, "[on|off|auto]", "a line a cell: always, never, or for rows wider than the terminal", setVertical,
			func(*names) []candidate { return choices("on", "off", "auto") }},
		{`\o`, "[FILE]", "write results to a file; without one, here again", setOutput, nil},
		{`\i`, "FILE", "run a script", include, nil},
		{`\timing`, "[on|off]", "the line that says what an answer cost", setTiming, onOff},
		{`\pager`, "[on|off]", "show long results page by page ($PAGER)", setPager, onOff},
		{`\?`, "", "this list", listCommands, nil},
		{`\q`, "", "leave (as Ctrl-D)", func(context.Context, *Session, []string) error { return errQuit }, nil},
	}
}

// command runs the line of a backslash command.
func (s *Session) command(ctx context.Context, line string) error {
	words := fields(line)
	var known []string
	for _, c := range commands() {
		if c.name == words[0] {
			if most := len(strings.Fields(c.args)); len(words)-1 > most {
				return fmt.Errorf(`%s takes %s`, c.name, map[bool]string{true: "nothing", false: "no more than " + c.args}[most == 0])
			}
			return c.run(ctx, s, words[1:])
		}
		known = append(known, c.name)
	}
	if near := sqlerr.Nearest(words[0], known); near != "" && len(words[0]) > 1 {
		return fmt.Errorf(`there is no command %s; did you mean %s? \? lists them all`, words[0], near)
	}
	return fmt.Errorf("there is no command %s; there are %s", words[0], strings.Join(known, " "))
}

// switchOf sets a switch to on or off, the other way without an argument, and says so.
func (s *Session) switchOf(on *bool, what string, args []string) error {
	switch {
	case len(args) == 0:
		*on = !*on
	case args[0] == "on", args[0] == "off":
		*on = args[0] == "on"
	default:
		return fmt.Errorf("%s is on or off, not %q", what, args[0])
	}
	s.say("%s is %s", what, map[bool]string{true: "on", false: "off"}[*on])
	return nil
}

// say tells a person what was set; a script is told nothing.
func (s *Session) say(format string, args ...any) {
	if s.config.Interactive {
		fmt.Fprintf(s.config.Errs, format+"\n", args...)
	}
}

func setTiming(_ context.Context, s *Session, args []string) error {
	return s.switchOf(&s.timing, "timing", args)
}

func setPager(_ context.Context, s *Session, args []string) error {
	if s.config.Pager == "" {
		return errors.New("there is no pager: set PAGER to the name of one")
	}
	return s.switchOf(&s.pager, "the pager", args)
}

func setFormat(_ context.Context, s *Session, args []string) error {
	if len(args) > 0 {
		if !slices.Contains(sink.Formats, args[0]) {
			hint := ""
			if near := sqlerr.Nearest(args[0], sink.Formats); near != "" {
				hint = fmt.Sprintf("did you mean %s? ", near)
			}
			return fmt.Errorf("there is no format %q; %stake one of %s", args[0], hint, strings.Join(sink.Formats, ", "))
		}
		if one(args[0]) && s.file == nil && s.config.Interactive {
			return fmt.Errorf(`%s is not for terminals; name a file first, with \o FILE`, args[0])
		}
		s.format = args[0]
	}
	s.say("the format is %s", s.format)
	return nil
}

func setVertical(_ context.Context, s *Session, args []string) error {
	mode := "on"
	switch {
	case len(args) > 0:
		mode = args[0]
	case s.format == "vertical":
		mode = "auto"
	}
	switch mode {
	case "on":
		s.format = "vertical"
		s.say("rows are written vertically")
	case "off":
		s.format, s.turn = "table", false
		s.say("rows are written as a table, cut to the terminal's width")
	case "auto":
		s.format, s.turn = "table", true
		s.say("rows wider than the terminal are written vertically")
	default:
		return fmt.Errorf(`\x takes on, off or auto, not %q`, mode)
	}
	return nil
}

func setOutput(_ context.Context, s *Session, args []string) error {
	if err := s.closeFile(); err != nil {
		return err
	}
	if len(args) == 0 {
		if one(s.format) && s.config.Interactive {
			s.format = "table"
		}
		s.say("results are shown here")
		return nil
	}
	f, err := os.Create(args[0])
	if err != nil {
		return fmt.Errorf("the results cannot be written: %w", err)
	}
	s.file, s.out, s.results = f, f, 0
	s.say(`results go to %s, until \o`, args[0])
	return nil
}

// deepest is how far scripts may include scripts; one that includes itself ends here.
const deepest = 16

func include(ctx context.Context, s *Session, args []string) error {
	if len(args) == 0 {
		return errors.New(`which script? \i FILE`)
	}
	if s.depth == deepest {
		return fmt.Errorf("%s: scripts include scripts %d deep", args[0], deepest)
	}
	text, err := os.ReadFile(args[0])
	if err != nil {
		return fmt.Errorf("reading the script: %w", err)
	}
	s.depth++
	defer func() { s.depth-- }()
	if err := s.script(ctx, string(text)); err != nil {
		if errors.Is(err, errQuit) {
			return err
		}
		return rendered{args[0] + ": " + err.Error(), err}
	}
	return nil
}

func listCommands(_ context.Context, s *Session, _ []string) error {
	var rows [][]string
	for _, c := range commands() {
		rows = append(rows, []string{strings.TrimSpace(c.name + " " + c.args), c.doc})
	}
	if s.config.Interactive {
		for _, k := range [][2]string{
			{"Tab", "complete; again: the next of the list"}, {"Up, Down", "lines of the statement, then earlier statements"},
			{"Ctrl-R", "search earlier statements"}, {"Ctrl-C", "cancel the query that runs, or drop what is typed"}, {"Ctrl-D", "leave"},
		} {
			rows = append(rows, k[:])
		}
	}
	return s.text([]string{"command", "what it does"}, rows)
}

// text shows rows of text as a table, whatever the format of results is: they are for a person to read.
func (s *Session) text(heads []string, rows [][]string) error {
	format, turn := s.format, s.turn
	defer func() { s.format, s.turn = format, turn }()
	s.format, s.turn = "table", false
	return s.table(heads, rows)
}

func textColumns(heads []string) []sink.Column {
	columns := make([]sink.Column, len(heads))
	for i, h := range heads {
		columns[i] = sink.Column{Name: h, Type: sqltype.VarcharType}
	}
	return columns
}

func textArrays(width int, rows [][]string) []arrow.Array {
	arrays := make([]arrow.Array, width)
	for c := range arrays {
		b := array.NewStringBuilder(memory.DefaultAllocator)
		for _, row := range rows {
			b.Append(row[c])
		}
		arrays[c] = b.NewArray()
	}
	return arrays
}
