package main

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/trailql/trailql/connectors/shell"
	"github.com/trailql/trailql/connectors/sink"
)

func queryCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   `query ["SQL"]`,
		Short: "answer SQL over a lake",
		Long: `Answers SQL (Athena's dialect) over a lake. The text is the argument, or the file of -f ("-" is stdin);
a file may hold several statements, each ended by a semicolon.

  trailql query "SELECT eventname, count(*) AS n FROM cloudtrail_logs GROUP BY 1 ORDER BY n DESC LIMIT 10"
  trailql query --format csv -f report.sql > report.csv
  trailql query "SHOW TABLES"            trailql query "DESCRIBE cloudtrail_logs"
  trailql query --param "'ConsoleLogin'" "SELECT count(*) FROM cloudtrail_logs WHERE eventname = ?"
  trailql query --server http://127.0.0.1:8765 "SELECT count(*) FROM cloudtrail_logs"
  trailql query "EXPLAIN SELECT count(*) FROM cloudtrail_logs WHERE eventtime >= '2026-03-04T00:00:00Z'"`,
		Args: arguments(0, 1),
	}
	a := answererFlags(c)
	state := stateFlag(c)
	format := c.Flags().String("format", "table", "format by `name`: "+strings.Join(sink.Formats, ", "))
	file := c.Flags().StringP("file", "f", "", "read the SQL from this `file`; \"-\" is stdin")
	params := c.Flags().StringArray("param", nil, "`literal` for a ? of the statement, as SQL writes it: \"'text'\", 10, \"DATE '2024-01-31'\"; one for each, in order")
	quiet := c.Flags().BoolP("quiet", "q", false, "no summary line on stderr")
	memory := memoryFlag(c, 2<<30)
	c.RunE = func(c *cobra.Command, args []string) error {
		text, err := queryText(args, *file, c.InOrStdin())
		if err != nil {
			return err
		}
		if err := memory.bound(); err != nil {
			return err
		}
		if _, err := sink.New(*format, io.Discard, nil, sink.Options{}); err != nil {
			return usage("%w", err)
		}
		return a.with(c.Context(), *state, memory.queries(), false, func(from asker) error {
			return runScript(c.Context(), shell.New(shell.Config{
				Backend: from("query"), Out: c.OutOrStdout(), Errs: c.ErrOrStderr(), Format: *format, Quiet: *quiet, Params: *params,
				Size: terminalSize(c.OutOrStdout()), Progress: terminalSize(c.ErrOrStderr()),
			}), text)
		})
	}
	return c
}

func queryText(args []string, file string, stdin io.Reader) (string, error) {
	switch {
	case len(args) == 1 && file != "":
		return "", usage("give the SQL as an argument or with -f, not both")
	case len(args) == 1:
		return args[0], nil
	case file == "":
		return "", usage("what is the question? give the SQL as an argument or with -f")
	}
	return scriptText(file, stdin)
}

// runScript runs scripts for a command, with the exit code that their end deserves.
func runScript(ctx context.Context, s *shell.Session, texts ...string) error {
	err := errors.Join(s.Script(ctx, texts...), s.Close())
	var misuse shell.Misuse
	switch {
	case err == nil:
		return nil
	case errors.As(err, &misuse):
		return &exit{exitUsage, err}
	case errors.Is(err, syscall.EPIPE):
		return &exit{code: exitFailed} // whoever reads has had enough, as head
	}
	return &exit{exitFailed, err}
}

// terminalSize returns how to ask for the size of the terminal that w is; nil if it is none.
func terminalSize(w io.Writer) func() (width, height int) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return func() (width, height int) {
		width, height, err := term.GetSize(int(f.Fd()))
		if err != nil || width <= 0 || height <= 0 {
			return 80, 24
		}
		return width, height
	}
}
