package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/catalog/verify"
	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/figure"
	"github.com/trailql/trailql/engine/report"
	"github.com/trailql/trailql/engine/service"
)

func reportCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "report",
		Short: "answer packs of compliance controls, with evidence",
		Long: `A pack is a list of controls, each a question in SQL. A report answers all of them over one snapshot of the
lake for a period, and says of each: none found, findings, or not provable. A PACK is the id of one that comes with
trailql (report list) or the path of a YAML file.

  trailql report list
  trailql report run cis-3.0 --from 2026-03-01 --to 2026-04-01 --out report
  trailql report export cis-3.0 mypack             copy it, change it, then: trailql report lint mypack/cis-3.0.yaml`,
		Args: oneOf,
		RunE: which,
	}
	c.AddCommand(reportListCommand(), reportShowCommand(), reportRunCommand(), reportExportCommand(), reportLintCommand(),
		scheduleCommand(), historyCommand())
	return c
}

func reportListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "list the packs that come with trailql",
		Args:  arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			packs, err := report.Packs()
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "PACK\tCONTROLS\tTITLE")
			for _, p := range packs {
				fmt.Fprintf(w, "%s\t%d\t%s\n", p.ID, len(p.Controls), p.Title)
			}
			return w.Flush()
		},
	}
}

func reportShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show PACK [CONTROL]",
		Short: "show a pack's controls with their SQL, or one control's SQL",
		Args:  arguments(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			p, err := report.Open(args[0])
			if err != nil {
				return err
			}
			controls := p.Controls
			if len(args) == 2 {
				i := slices.IndexFunc(controls, func(c report.Control) bool { return c.ID == args[1] })
				if i < 0 {
					return fmt.Errorf("the pack %s has no control %q; trailql report show %s lists them", p.ID, args[1], args[0])
				}
				controls = controls[i : i+1]
			} else {
				fmt.Fprintf(c.OutOrStdout(), "-- %s: %s\n", p.ID, p.Title)
				if p.About != "" {
					fmt.Fprintf(c.OutOrStdout(), "-- %s\n", p.About)
				}
			}
			for i, control := range controls {
				if i > 0 || len(args) == 1 {
					fmt.Fprintln(c.OutOrStdout())
				}
				fmt.Fprintf(c.OutOrStdout(), "-- %s %s (%s)\n", control.ID, control.Title, control.Source)
				if control.About != "" {
					fmt.Fprintf(c.OutOrStdout(), "-- %s\n", control.About)
				}
				if _, err := fmt.Fprintln(c.OutOrStdout(), strings.TrimRight(control.SQL, "\r\n")); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func reportExportCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "export PACK DIR",
		Short: "copy a pack's YAML and SQL into a folder, to change them",
		Args:  arguments(2, 2),
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := report.Open(args[0])
			if err != nil {
				return err
			}
			return p.Export(args[1])
		},
	}
}

func reportLintCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "lint FILE…",
		Short: "say what is wrong with packs of your own",
		Long: `Checks packs: their YAML, and that each query is a SELECT that parses, names :from and :to, has an ORDER BY, answers
the same when asked again, and returns the column eventid. Against a lake, if there is one, it also checks tables, columns and types.`,
		Args: arguments(1, -1),
	}
	lake := lakeFlag(c)
	c.RunE = func(c *cobra.Command, files []string) error {
		var svc *service.Service
		if lakeMayBe(*lake) || c.Flags().Changed("lake") {
			var done func()
			var err error
			if _, svc, done, err = openReports(c.Context(), *lake, 0); err != nil {
				return err
			}
			defer done()
		} else {
			fmt.Fprintf(c.ErrOrStderr(), "there is no lake at %s: tables, columns and types are not checked\n", *lake)
		}
		return lintFiles(c.Context(), files, svc, c.OutOrStdout())
	}
	return c
}

// lintFiles lints folder by folder, in the order in which the folders are named first.
func lintFiles(ctx context.Context, files []string, svc *service.Service, out io.Writer) error {
	var folders []string
	names := map[string][]string{}
	for _, f := range files {
		folder := filepath.Dir(f)
		if names[folder] == nil {
			folders = append(folders, folder)
		}
		if name := filepath.Base(f); !slices.Contains(names[folder], name) {
			names[folder] = append(names[folder], name)
		}
	}
	found := 0
	for _, folder := range folders {
		root, err := os.OpenRoot(folder)
		if err != nil {
			return fmt.Errorf("reading the packs: %w", err)
		}
		problems, err := report.Lint(ctx, root.FS(), names[folder], svc)
		if err := cmp.Or(err, root.Close()); err != nil {
			return err
		}
		problems.Below(folder)
		for _, p := range problems {
			fmt.Fprintln(out, p)
		}
		found += len(problems)
	}
	if found > 0 {
		return fmt.Errorf("%d %s", found, figure.Plural(int64(found), "problem"))
	}
	return nil
}

// reportQueries is how many controls of a report are answered at once.
const reportQueries = 4

// openReports opens a lake and a service over it that keeps all results until done is called. memory is for queries; 0: no limit.
func openReports(ctx context.Context, folder string, memory int64) (l *catalog.Lake, svc *service.Service, done func(), err error) {
	if l, err = openLake(ctx, folder); err != nil {
		return nil, nil, nil, err
	}
	svc, err = service.Open(ctx, service.Config{Catalog: l, Lake: folder, Limits: service.Limits{Concurrent: reportQueries, Memory: memory, Keep: -1, KeepBytes: -1}})
	if err != nil {
		return nil, nil, nil, cmp.Or(err, l.Close())
	}
	return l, svc, func() {
		now, cancel := context.WithCancel(ctx)
		cancel()                                   // nobody waits for a query any more
		_ = errors.Join(svc.Close(now), l.Close()) // both were read only
	}, nil
}

// coverage judges the periods of reports over a lake, with so many bytes of memory; 0: no limit.
func coverage(l *catalog.Lake, memory int64) report.Covered {
	return verify.Coverage(engine.New(l), queryOptions(memory))
}

// shares divides memory between the queries of a service that runs so many at once, and the coverage of reports beside them.
func shares(memory int64, running int) (queries, covering int64) {
	covering = memory / int64(running+1)
	return memory - covering, covering
}

func reportRunCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "run PACK --from DATE --to DATE | --last SPAN",
		Short: "answer a pack for a period",
		Long: `Answers all controls of a pack over one snapshot of the lake. The period is from --from, included, to --to, not included:
days (UTC) or instants, so that the whole of March is

  trailql report run cis-3.0 --from 2026-03-01 --to 2026-04-01 --out report
  trailql report run mypack/mine.yaml --from 2026-03-01T06:00:00Z --to 2026-03-01T18:00:00+01:00 --format json
  trailql report run cis-3.0 --last month --tz Europe/Berlin --out report

With --last it is the whole day, week (from Monday) or month that ended last, as the clocks of --tz show it.

A summary goes to stdout, or the report itself in the form of --format. With --out, report.html, report.json and
findings.csv are written into that folder, in place of those of before. The exit code is 0 whatever the verdict.`,
		Args: arguments(1, 1),
	}
	lake, state := lakeFlag(c), stateFlag(c)
	from := c.Flags().String("from", "", "first `day` of the period (2026-03-01, UTC), or an instant (RFC 3339)")
	to := c.Flags().String("to", "", "first `day` after the period, or an instant; not included")
	last := c.Flags().String("last", "", "in place of --from and --to, the last whole `span`: day, week or month")
	zone := c.Flags().String("tz", "UTC", "time `zone` of --last, by its IANA name")
	out := c.Flags().String("out", "", "`folder` for report.html, report.json and findings.csv")
	format := c.Flags().String("format", "text", "what goes to stdout, by `name`: text, json, html or csv")
	memory := memoryFlag(c, 2<<30)
	c.RunE = func(c *cobra.Command, args []string) error {
		period, err := periodFlags{from: *from, to: *to, last: report.Span(*last), zone: *zone}.period(time.Now())
		if err != nil {
			return err
		}
		if !slices.Contains([]string{"text", "json", "html", "csv"}, *format) {
			return usage("there is no format %q; take one of text, json, html, csv", *format)
		}
		if err := memory.bound(); err != nil {
			return err
		}
		pack, err := report.Open(args[0])
		if err != nil {
			return err
		}
		folder, err := lakeName(*lake)
		if err != nil {
			return err
		}
		queries, covering := shares(memory.queries(), reportQueries)
		l, svc, done, err := openReports(c.Context(), folder, queries)
		if err != nil {
			return err
		}
		defer done()
		runner := &report.Runner{Service: svc, Covered: coverage(l, covering), Lake: folder, Version: engine.Version()}
		r := reportRun{runner: runner, pack: pack, period: period, out: *out, format: *format, stdout: c.OutOrStdout(), stderr: c.ErrOrStderr()}
		return r.run(c.Context(), *state)
	}
	return c
}

// periodFlags name a period by its ends, or as the last of its kind.
type periodFlags struct {
	from, to string
	last     report.Span
	zone     string
}

func (f periodFlags) period(now time.Time) (report.Period, error) {
	switch {
	case f.last == "":
		return parsePeriod(f.from, f.to)
	case f.from != "" || f.to != "":
		return report.Period{}, usage("give --from and --to or --last, not both")
	}
	p, err := f.last.Last(f.zone, now)
	if err != nil {
		return p, usage("%w", err)
	}
	return p, nil
}

// parsePeriod reads --from and --to.
func parsePeriod(from, to string) (p report.Period, err error) {
	if from == "" || to == "" {
		return p, usage("name the period: --from 2026-03-01 --to 2026-04-01 is March, --last month the month before this")
	}
	for _, end := range []struct {
		flag, text string
		at         *time.Time
	}{{"--from", from, &p.From}, {"--to", to, &p.To}} {
		*end.at, err = time.Parse(time.DateOnly, end.text)
		if err != nil {
			*end.at, err = time.Parse(time.RFC3339, end.text)
		}
		if err != nil {
			return p, usage("%s %q is no date; write it like 2026-03-01 or 2026-03-01T06:00:00Z", end.flag, end.text)
		}
	}
	if !p.From.Before(p.To) {
		return p, usage("the period is empty: --to %s is not included and must be after --from %s", to, from)
	}
	return p, nil
}

// reportRun is one run by hand.
type reportRun struct {
	runner         *report.Runner
	pack           *report.Pack
	period         report.Period
	out, format    string
	stdout, stderr io.Writer
}

// run makes the report and keeps it in the history of runs. That there is no place for a history does not undo a report.
func (r *reportRun) run(ctx context.Context, state string) error {
	kept := report.Run{Pack: r.pack.ID, Period: r.period, Began: time.Now(), Lake: r.runner.Lake}
	made, delivered, err := r.make(ctx)
	kept.Finish(time.Now(), made, delivered, err)
	if unkept := keepRun(context.WithoutCancel(ctx), state, kept); unkept != nil {
		fmt.Fprintf(r.stderr, "the run is not in the history of reports: %v\n", unkept)
	}
	return err
}

func keepRun(ctx context.Context, state string, run report.Run) error {
	store, err := report.OpenStore(ctx, state)
	if err != nil {
		return err
	}
	return errors.Join(store.Record(ctx, run), store.Close())
}

func (r *reportRun) make(ctx context.Context) (made *report.Report, d report.Delivered, err error) {
	ended := r.progress()
	made, err = r.runner.Run(ctx, r.pack, r.period)
	ended()
	if err != nil {
		return nil, d, err
	}
	if r.out != "" {
		if d, err = made.Save(ctx, r.out); err != nil {
			return made, d, err
		}
	}
	switch r.format {
	case "json":
		err = made.JSON(ctx, r.stdout)
	case "html":
		err = made.HTML(ctx, r.stdout)
	case "csv":
		err = made.CSV(ctx, r.stdout)
	default:
		err = made.Text(r.stdout)
	}
	return made, d, err
}

// progress shows on a terminal how many controls are answered, until ended is called.
func (r *reportRun) progress() (ended func()) {
	f, isFile := r.stderr.(*os.File)
	if !isFile || !term.IsTerminal(int(f.Fd())) {
		return func() {}
	}
	r.runner.Answered = func(c report.Control, done int) {
		fmt.Fprintf(f, "\r\x1b[K%d of %d controls answered, the last %s", done, len(r.pack.Controls), c.ID)
	}
	return func() { fmt.Fprint(f, "\r\x1b[K") }
}
