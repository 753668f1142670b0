package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/rest"
	"github.com/trailql/trailql/connectors/shell"
	"github.com/trailql/trailql/connectors/sink"
	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/report"
	"github.com/trailql/trailql/engine/service"
)

func shellCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "shell",
		Short: "ask questions at a prompt, of a lake or of a server",
		Long: `Opens a prompt: statements end with a semicolon and may have many lines; Tab completes tables, columns, fields after a dot,
functions and values of the lake; \? lists the commands, \help FUNCTION explains one. Ctrl-C cancels the query that runs.

  trailql shell --lake ./lake
  trailql shell --server http://127.0.0.1:8765              ask "trailql serve", with the token of TRAILQL_TOKEN or of the state folder
  trailql shell -e "SELECT count(*) FROM cloudtrail_logs"   no prompt: the answer, and exit 1 at the first mistake
  trailql shell -e '\dt' -e '\d cloudtrail_logs'
  trailql shell --format csv -f report.sql > report.csv     a script may hold commands, as \o FILE, each on a line
  echo "SHOW TABLES" | trailql shell`,
		Args: arguments(0, 0),
	}
	a := answererFlags(c)
	state := stateFlag(c)
	statements := c.Flags().StringArrayP("execute", "e", nil, "run these `statements` and leave; may be repeated")
	file := c.Flags().StringP("file", "f", "", "run the script in this `file` and leave; \"-\" is stdin")
	format := c.Flags().String("format", "table", "format by `name`: "+strings.Join(sink.Formats, ", "))
	quiet := c.Flags().BoolP("quiet", "q", false, "no summary lines")
	memory := memoryFlag(c, 2<<30)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if len(*statements) > 0 && *file != "" {
			return usage("give statements with -e or a script with -f, not both")
		}
		prompt := len(*statements) == 0 && *file == "" && isTerminal(c.InOrStdin())
		if prompt && terminalSize(c.OutOrStdout()) == nil {
			return usage("a prompt needs a terminal to write to; give the statements with -e or -f")
		}
		if err := memory.bound(); err != nil {
			return err
		}
		if _, err := sink.New(*format, io.Discard, nil, sink.Options{}); err != nil {
			return usage("%w", err)
		}
		config := shell.Config{
			Out: c.OutOrStdout(), Errs: c.ErrOrStderr(), Format: *format, Quiet: *quiet, Commands: true, Interactive: prompt,
			Size: terminalSize(c.OutOrStdout()), Progress: terminalSize(c.ErrOrStderr()),
			Color: prompt && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb",
		}
		var texts []string
		if !prompt {
			if texts = *statements; len(texts) == 0 {
				text, err := scriptText(*file, c.InOrStdin())
				if err != nil {
					return err
				}
				texts = []string{text}
			}
		}
		return a.with(c.Context(), *state, memory.queries(), true, func(from asker) error {
			config.Backend = from("shell")
			if prompt {
				config.Names = from("shell completion")
				return runPrompt(c.Context(), config, *state)
			}
			broken := make(chan os.Signal, 1) // or writing to a reader that left would end the process before it has cleaned up
			signal.Notify(broken, syscall.SIGPIPE)
			return runScript(c.Context(), shell.New(config), texts...)
		})
	}
	return c
}

// runPrompt gives Ctrl-C to the query that runs; SIGTERM still ends everything.
func runPrompt(ctx context.Context, config shell.Config, state string) error {
	signal.Reset(os.Interrupt)
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)
	config.Interrupts = interrupts
	config.Pager = os.Getenv("PAGER")
	if config.Pager == "" {
		if _, err := exec.LookPath("less"); err == nil {
			config.Pager = "less"
		}
	}
	fmt.Fprintf(config.Errs, "trailql %s. Statements end with a semicolon; \\? lists the commands, Ctrl-D leaves.\n", engine.Version())
	s := shell.New(config)
	return errors.Join(s.Prompt(ctx, filepath.Join(state, "history")), s.Close())
}

// scriptText reads a script: of a file, or of stdin if it is "" or "-".
func scriptText(file string, stdin io.Reader) (string, error) {
	read := func() ([]byte, error) { return io.ReadAll(stdin) }
	if file != "" && file != "-" {
		read = func() ([]byte, error) { return os.ReadFile(file) }
	}
	text, err := read()
	if err != nil {
		return "", fmt.Errorf("reading the SQL: %w", err)
	}
	return string(text), nil
}

// answerer says who answers statements: a lake in this process, or a server.
type answerer struct {
	command                 *cobra.Command
	lake, server, tokenFile *string
	roots                   *[]string
}

// answererFlags adds --lake, --server and --token-file.
func answererFlags(c *cobra.Command) answerer {
	return answerer{
		command: c, lake: lakeFlag(c),
		server:    c.Flags().String("server", "", "ask \"trailql serve\" at this `address` instead of a lake"),
		roots:     rootsFlag(c),
		tokenFile: c.Flags().String("token-file", "", "`file` with the server's token (default: TRAILQL_TOKEN, then token in the state folder)"),
	}
}

// asker makes the backend of a part of trailql, which the history of queries then names as the source.
type asker func(source string) shell.Backend

// with calls do with who answers, and ends it afterwards. A lake in this process answers with memory bytes for its queries together: at once,
// or kept, through a service that stores results and answers again from them.
func (a answerer) with(ctx context.Context, state string, memory int64, kept bool, do func(asker) error) (err error) {
	if *a.server != "" {
		if a.command.Flags().Changed("lake") {
			return usage("give --lake or --server, not both")
		}
		if len(*a.roots) > 0 {
			return usage("--root is for a lake; the server has roots of its own")
		}
		token, err := a.token(state)
		if err != nil {
			return err
		}
		client, err := rest.NewClient(*a.server, token)
		if err != nil {
			return usage("%w", err)
		}
		defer client.Close()
		return do(func(source string) shell.Backend {
			return func(ctx context.Context, r service.Request) (shell.Rows, error) {
				r.Source = source
				rows, err := client.Run(ctx, r)
				if err != nil {
					return nil, err // not a *rest.Rows of nil
				}
				return rows, nil
			}
		})
	}
	roots, err := openRoots(*a.roots, *a.lake)
	if err != nil {
		return err
	}
	l, err := openLakeWith(ctx, *a.lake, catalog.Options{Define: true, Roots: roots})
	if err != nil {
		return err
	}
	defer l.Close()
	if !kept {
		return do(func(string) shell.Backend { return shell.Direct(engine.New(l), queryOptions(memory)) })
	}
	// One query is the person's, one may be completion's.
	s, err := service.Open(ctx, service.Config{
		Catalog: l, Lake: *a.lake, Tables: []service.Table{report.Table(state)}, Now: time.Now, Limits: service.Limits{Concurrent: 2, Memory: memory, Text: -1},
	})
	if err != nil {
		return err
	}
	defer func() {
		ended, cancel := context.WithCancel(context.Background())
		cancel() // nobody waits for a query that still runs
		err = errors.Join(err, s.Close(ended))
	}()
	return do(func(source string) shell.Backend {
		return func(ctx context.Context, r service.Request) (shell.Rows, error) {
			r.Source = source
			rows, err := s.Run(ctx, r)
			if err != nil {
				return nil, err // not a *service.Rows of nil
			}
			return rows, nil
		}
	})
}

// token is that of --token-file, else of TRAILQL_TOKEN, else of the state folder; "" if there is none.
func (a answerer) token(state string) (string, error) {
	file := *a.tokenFile
	if token := os.Getenv("TRAILQL_TOKEN"); file == "" && token != "" {
		return token, nil
	}
	if file == "" {
		file = filepath.Join(state, "token")
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) && *a.tokenFile == "" {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading the server's token: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

func isTerminal(r io.Reader) bool {
	f, ok := r.(*os.File)
	return ok && terminalSize(f) != nil
}

// startsShell reports whether trailql without a command means the shell: on a terminal, where a lake is.
func startsShell(c *cobra.Command, lake string) bool {
	return lakeMayBe(lake) && isTerminal(c.InOrStdin()) && terminalSize(c.OutOrStdout()) != nil
}
