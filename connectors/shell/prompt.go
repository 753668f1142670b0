package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"time"
	"unicode"

	"github.com/mattn/go-runewidth"
	"github.com/reeflective/readline"
	"github.com/reeflective/readline/inputrc"

	"github.com/trailql/trailql/engine/sqlerr"
)

// Prompt reads statements and commands from the terminal and runs them, until its user leaves, the terminal is gone or
// ctx is done. Mistakes are shown and do not end it. path is the history's file.
func (s *Session) Prompt(ctx context.Context, path string) error {
	h, err := openHistory(path)
	if err != nil {
		fmt.Fprintln(s.config.Errs, err) // not worth more than a line
		h = &history{path: path}
	}
	s.names = &names{}
	asked := s.config.Names
	if asked == nil {
		asked = s.config.Backend
	}
	background, stop := context.WithCancel(ctx)
	defer stop()
	editor, err := s.editor(h)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() {
		editor.Keys.Feed(false, inputrc.Encontrol('C'))
		editor.Keys.RequestRefresh()
	})()
	for {
		go s.names.refresh(background, asked, time.Now())
		text, err := editor.Readline()
		switch {
		case ctx.Err() != nil, errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, readline.ErrInterrupt):
			continue
		case err != nil:
			return fmt.Errorf("reading from the terminal: %w", err)
		}
		if err := s.line(ctx, text); errors.Is(err, errQuit) {
			return nil
		} else if err != nil {
			fmt.Fprintln(s.config.Errs, err)
		}
	}
}

// line runs what was typed.
func (s *Session) line(ctx context.Context, text string) error {
	switch strings.ToLower(strings.Trim(text, " \t\n;")) {
	case "":
		return nil
	case "exit", "quit":
		return errQuit
	case "help":
		text = `\?`
	}
	list, _ := steps(text, true)
	if len(list) == 1 && list[0].command {
		err := s.do(ctx, list[0])
		var e *sqlerr.Error
		if errors.As(err, &e) && e.Pos == 1 { // there is no need to show where
			return errors.New(e.Error())
		}
		return err
	}
	err := s.script(ctx, text)
	var misuse Misuse
	if errors.As(err, &misuse) && len(list) == 0 {
		return nil // comments only
	}
	return err
}

// editor sets up the line editor. Its own settings and the user's inputrc come first, then what this shell cannot do without.
func (s *Session) editor(h *history) (*readline.Shell, error) {
	e := readline.NewShell(inputrc.WithApp("trailql"))
	for name, value := range map[string]any{
		"convert-meta": false, "input-meta": true, "output-meta": true, // or umlauts are swallowed
		"enable-bracketed-paste": true, "completion-ignore-case": true, "menu-complete-display-prefix": true,
		// The editor would ask the terminal where the cursor is before every drawing, and lose the keys that come before the answer:
		// what is typed ahead, or fast, or over a slow line. It can do without, given the room that paint makes.
		"cursor-position-probe": false,
		"multiline-column":      false, // paint does that
		"history-autosuggest":   false,
		"autocomplete":          false, "autopairs": false,
		"comment-begin": `[^\s\S]`, // a pattern for what to grey: nothing, since highlight knows comments
	} {
		if err := e.Config.Set(name, value); err != nil {
			return nil, fmt.Errorf("setting up the line editor: %w", err)
		}
	}
	// The editor's own answer to Ctrl-C only closes a list that is open, and looks at the key behind.
	e.Keymap.Register(map[string]func(){"drop-statement": func() {
		e.Hint.Reset()
		e.Display.AcceptLine()
		e.History.Accept(false, false, readline.ErrInterrupt)
	}})
	for key, action := range map[string]string{
		`\C-c`:  "drop-statement",
		`\M-[A`: "up-line-or-history", `\M-[B`: "down-line-or-history", `\M-OA`: "up-line-or-history", `\M-OB`: "down-line-or-history",
		`\M-#`: "self-insert", // its comments are another language's
	} {
		for _, keymap := range []string{"emacs", "emacs-standard", "vi-insert", "vi-command"} {
			if err := e.Config.Bind(keymap, inputrc.Unescape(key), action, false); err != nil {
				return nil, fmt.Errorf("setting up the line editor: %w", err)
			}
		}
	}
	// A search knows a few of the editor's own commands only. Its "abort" gives back what stood there before; without it a statement that was found may stay.
	search := maps.Clone(e.Config.Binds["menu-select"])
	search[inputrc.Unescape(`\C-c`)] = inputrc.Bind{Action: "abort"}
	e.Config.Binds["isearch"] = search
	delete(e.Config.Binds["menu-select"], inputrc.Unescape(`\C-c`))
	e.History.Delete()
	e.History.Add("history", h)
	first := promptFirst
	if s.config.Color {
		first = "\x1b[1m" + first + "\x1b[0m"
	}
	e.Prompt.Primary(func() string { return first })
	e.SyntaxHighlighter = func(line []rune) string { return s.paint(string(line)) }
	e.AcceptMultiline = func(line []rune) bool { return finished(string(line)) }
	e.PasteTransformer = harmless
	e.Completer = s.completer
	return e, nil
}

// What stands before the first line of a statement, and before the others. Of one width.
const (
	promptFirst = "trailql> "
	promptMore  = "      -> "
)

// paint is how the editor shows what is typed. The cursor is where the text begins. Before it stands what makes room for the
// text and a line below it: down so far with the screen scrolling at its end (IND), and up again.
func (s *Session) paint(text string) string {
	shown, more := text, promptMore
	if s.config.Color {
		shown, more = highlight(text), "\x1b[90m"+more+"\x1b[0m"
	}
	width, height := s.config.Size()
	rows := 1
	for line := range strings.SplitSeq(text, "\n") {
		rows += 1 + (len(promptFirst)+runewidth.StringWidth(line))/width
	}
	rows = min(rows, height-1)
	// Lines are cleared to their ends, since they may have been longer.
	return strings.Repeat("\x1bD", rows) + fmt.Sprintf("\x1b[%dA", rows) + strings.ReplaceAll(shown, "\n", "\x1b[K\n\r"+more)
}

// finished reports whether what is typed can be run: it ends with a semicolon, or is a command.
func finished(text string) bool {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "exit", "quit", "help":
		return true
	}
	_, ended := steps(text, true)
	return ended
}

// harmless takes out of pasted text what would steer the terminal.
func harmless(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r != '\n' && unicode.IsControl(r):
			return -1
		}
		return r
	}, text)
}
