package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/sink"
	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
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
  trailql query "EXPLAIN SELECT count(*) FROM cloudtrail_logs WHERE eventtime >= '2026-03-04T00:00:00Z'"`,
		Args: cobra.MaximumNArgs(1),
	}
	lake := lakeFlag(c)
	format := c.Flags().String("format", "table", "one of "+strings.Join(sink.Formats, ", "))
	file := c.Flags().StringP("file", "f", "", `read the SQL from this file; "-" is stdin`)
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
		l, err := openLake(c.Context(), *lake)
		if err != nil {
			return err
		}
		defer l.Close()
		q := asker{engine: engine.New(l), format: *format, out: c.OutOrStdout(), errs: c.ErrOrStderr(), quiet: *quiet, memory: memory.queries()}
		return q.script(c.Context(), text)
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
	read := func() ([]byte, error) { return os.ReadFile(file) }
	if file == "-" {
		read = func() ([]byte, error) { return io.ReadAll(stdin) }
	}
	text, err := read()
	if err != nil {
		return "", fmt.Errorf("reading the SQL: %w", err)
	}
	return string(text), nil
}

// openLake opens a lake that must exist.
func openLake(ctx context.Context, folder string) (*catalog.Lake, error) {
	if _, err := os.Stat(folder); err != nil {
		return nil, fmt.Errorf("there is no lake at %s: %w; make one with: trailql compact SOURCE --lake %s", folder, errors.Unwrap(err), folder)
	}
	store, err := blob.OpenFolder(folder)
	if err != nil {
		return nil, fmt.Errorf("opening the lake: %w", err)
	}
	return catalog.Open(ctx, store, catalog.Options{ReadOnly: true})
}

// asker runs statements and writes their results in one format.
type asker struct {
	engine *engine.Engine
	format string
	out    io.Writer
	errs   io.Writer
	quiet  bool
	memory int64
}

// script runs the statements of text in order and stops at the first that fails.
func (a *asker) script(ctx context.Context, text string) error {
	pieces := sql.Split(text)
	if len(pieces) == 0 {
		return usage("what is the question? the SQL is empty")
	}
	if len(pieces) > 1 && (a.format == "arrow" || a.format == "parquet") {
		return usage("%s holds one result; give one statement", a.format)
	}
	for i, p := range pieces {
		if i > 0 && a.format != "jsonl" {
			fmt.Fprintln(a.out)
		}
		if err := a.ask(ctx, p.Text); err != nil {
			return &exit{exitFailed, errors.New(sqlerr.Render(text, shift(err, p.Offset)))}
		}
	}
	return nil
}

// shift moves an error's place from the statement's text to that of the whole script.
func shift(err error, offset int) error {
	var e *sqlerr.Error
	if errors.As(err, &e) && e.Pos > 0 {
		moved := *e
		moved.Pos += sqlerr.Pos(offset)
		return &moved
	}
	return err
}

// ask runs one statement.
func (a *asker) ask(ctx context.Context, text string) (err error) {
	begun := time.Now()
	result, err := a.engine.Query(ctx, text, engine.Options{Memory: a.memory})
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, result.Close()) }()
	columns := make([]sink.Column, len(result.Columns))
	for i, c := range result.Columns {
		columns[i] = sink.Column{Name: c.Name, Type: c.Type}
	}
	var opt sink.Options
	if f, ok := a.out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		opt.CellWidth = 80
	}
	w, err := sink.New(a.format, a.out, columns, opt)
	if err != nil {
		return err
	}
	var rows int64
	for {
		batch, err := result.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		rows += int64(batch.Len)
		if err := w.Write(batch.Cols, batch.Len); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	if !a.quiet {
		a.summary(rows, result.Stats(), time.Since(begun))
	}
	return nil
}

// summary says in a line what the answer cost.
func (a *asker) summary(rows int64, s engine.Stats, took time.Duration) {
	line := fmt.Sprintf("%s %s in %s", formatCount(rows), plural(rows, "row"), took.Round(time.Millisecond))
	if s.Files > 0 {
		line += fmt.Sprintf("; read %s of %d of %d %s", formatBytes(s.BytesRead), s.Files-s.FilesPruned, s.Files, plural(s.Files, "file"))
		if s.PartitionsPruned > 0 {
			line += fmt.Sprintf(", skipped %d of %d partitions", s.PartitionsPruned, s.Partitions)
		}
	}
	fmt.Fprintln(a.errs, "("+line+")")
}

func plural(n int64, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}
