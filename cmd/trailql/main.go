// Command trailql turns archived AWS CloudTrail logs into a lake of Parquet and
// answers Athena SQL over it. This room holds flags and wiring only.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/trailql/trailql/engine"
)

// Exit codes: 0 done, 1 it failed, 2 wrong use, 3 done but some objects are in quarantine.
const (
	exitFailed     = 1
	exitUsage      = 2
	exitQuarantine = 3
)

// exit ends a command with a code; Err, if any, is shown.
type exit struct {
	code int
	err  error
}

func (e *exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

func usage(format string, args ...any) error { return &exit{exitUsage, fmt.Errorf(format, args...)} }

func main() { os.Exit(run(untilSignal(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// untilSignal is a context that ends with the first Ctrl-C or SIGTERM; whoever sees that it ended may send the second, which ends the process at once.
func untilSignal() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		signal.Stop(signals) // before ctx ends, or the second could be lost
		cancel()
	}()
	return ctx
}

// run executes one command line and returns its exit code.
func run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	root := &cobra.Command{
		Use:   "trailql",
		Short: "SQL over archived AWS CloudTrail logs",
		Long: `trailql turns archived AWS CloudTrail logs (JSON.gz in a folder or in S3) into Parquet
partitioned by account, region and date, and answers Athena SQL over it.

  trailql demo                                     a lake from a generated trail, and first answers
  trailql compact ./AWSLogs --lake ./lake          make the lake; again: only what is new
  trailql verify ./AWSLogs --keys ./keys           check it against CloudTrail's digest files
  trailql shell                                    a prompt with completion; trailql alone opens it too, on a terminal where a lake is
  trailql query "SELECT eventname, count(*) FROM cloudtrail_logs GROUP BY 1 ORDER BY 2 DESC LIMIT 10"
  trailql serve                                    the query endpoint over HTTP
  trailql report run cis-3.0 --from 2026-03-01 --to 2026-04-01 --out report

Results go to stdout, everything else to stderr.
Exit codes: 0 done, 1 failed, 2 wrong use, 3 done but some objects are in quarantine.`,
		Version:       engine.Version(),
		Args:          oneOf,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &exit{exitUsage, err} })
	ctx = storeFlags(ctx, root)
	root.AddCommand(compactCommand(), verifyCommand(), keysCommand(), queryCommand(), demoCommand(), serveCommand(), reportCommand(), lakeCommand())
	prompt := shellCommand()
	root.AddCommand(prompt)
	lake := lakeFlag(root)
	root.RunE = func(c *cobra.Command, _ []string) error {
		if !startsShell(c, *lake) {
			return c.Help()
		}
		if err := prompt.Flags().Set("lake", *lake); err != nil {
			return err
		}
		prompt.SetContext(c.Context())
		return prompt.RunE(prompt, nil)
	}

	// Cobra reports an unknown command as a plain error before any command runs; ours come as *exit or from running.
	ran := false
	root.PersistentPreRun = func(*cobra.Command, []string) { ran = true }
	c, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	var e *exit
	switch {
	case errors.As(err, &e):
	case !ran:
		e = &exit{exitUsage, err}
	default:
		e = &exit{exitFailed, err}
	}
	if e.err != nil {
		fmt.Fprintln(errs, "trailql: "+e.err.Error())
		if e.code == exitUsage {
			fmt.Fprintf(errs, "try: %s --help\n", c.CommandPath())
		}
	}
	return e.code
}

// lakeFlag adds --lake, which falls back to TRAILQL_LAKE, then ./lake.
func lakeFlag(c *cobra.Command) *string {
	lake := os.Getenv("TRAILQL_LAKE")
	if lake == "" {
		lake = "lake"
	}
	return c.Flags().String("lake", lake, "`folder` of the lake, or s3://bucket/prefix (or TRAILQL_LAKE)")
}

// stateFlag adds --state, which falls back to TRAILQL_STATE, then to the user's state folder (XDG Base Directory).
func stateFlag(c *cobra.Command) *string {
	state := os.Getenv("TRAILQL_STATE")
	if state == "" {
		base := os.Getenv("XDG_STATE_HOME")
		if base == "" {
			home, _ := os.UserHomeDir()
			base = filepath.Join(home, ".local", "state")
		}
		state = filepath.Join(base, "trailql")
	}
	return c.Flags().String("state", state, "`folder` for what is not data: tokens, history, stored results, schedules (or TRAILQL_STATE)")
}
