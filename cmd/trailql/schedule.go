package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	_ "time/tzdata" // time zones by name on any machine

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/spf13/cobra"

	"github.com/trailql/trailql/connectors/sink"
	"github.com/trailql/trailql/engine/report"
)

func scheduleCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "schedule",
		Short: "run packs by the calendar, inside trailql serve",
		Long: `Schedules are kept in the state folder and run by trailql serve with the same --state; they can be added and removed while it runs.

  trailql report schedule add monthly --pack cis-3.0 --cron "0 6 1 * *" --tz Europe/Berlin --period month --out ./reports
  trailql report schedule list
  trailql report schedule remove monthly
  trailql report history`,
		Args: oneOf,
		RunE: which,
	}
	c.AddCommand(scheduleAddCommand(), scheduleListCommand(), scheduleRemoveCommand())
	return c
}

func scheduleAddCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "add NAME --pack PACK --cron TEXT --out DIR",
		Short: "add a schedule",
		Long: `Adds a schedule. The cron text has five fields, minute hour day-of-month month day-of-week, or is one of @hourly @daily @weekly
@monthly @yearly; it is about what the clocks of --tz show. Each report is about the last whole day, week (from Monday) or
month before its planned time, and goes to DIR/PACK/FROM_TO as report.html, report.json and findings.csv.

  "0 6 * * *"         every day at 06:00
  "30 7 * * mon-fri"  Monday to Friday at 07:30
  "0 6 1 * *"         at 06:00 on the first of each month
  "0 6 1 */3 *"       at 06:00 on the first of January, April, July and October

  trailql report schedule add monthly --pack cis-3.0 --cron "0 6 1 * *" --tz Europe/Berlin --period month --out ./reports
  trailql report schedule add nightly --pack ./mypack/mine.yaml --cron "15 2 * * *" --period day --out /srv/reports

A time that clocks jump over in spring runs right after the jump, a time that comes twice in autumn runs once, at the first. Times
that pass while no server runs are caught up once: the newest is run, and the history says how many it stands for.`,
		Args: arguments(1, 1),
	}
	state := stateFlag(c)
	var s report.Schedule
	c.Flags().StringVar(&s.Pack, "pack", "", "`id` of a pack (trailql report list) or path of its YAML file")
	c.Flags().StringVar(&s.Cron, "cron", "", "`times`, such as \"0 6 1 * *\"")
	c.Flags().StringVar(&s.Zone, "tz", "UTC", "time `zone` of the cron text and the period, by its IANA name")
	c.Flags().StringVar((*string)(&s.Period), "period", string(report.Month), "`span` that a report is about: the day, week or month before")
	c.Flags().StringVar(&s.Out, "out", "", "`folder` for the reports")
	c.RunE = func(c *cobra.Command, args []string) (err error) {
		s.Name, s.Created = args[0], time.Now()
		if s.Pack == "" || s.Cron == "" || s.Out == "" {
			return usage(`name the pack, the time and the folder: --pack cis-3.0 --cron "0 6 1 * *" --out ./reports`)
		}
		pack, err := report.Open(s.Pack)
		if err != nil {
			return usage("%w", err)
		}
		if pack.ID != s.Pack { // a path, and the server's folder is another
			if s.Pack, err = filepath.Abs(s.Pack); err != nil {
				return err
			}
		}
		if s.Out, err = filepath.Abs(s.Out); err != nil {
			return err
		}
		if err := s.Check(); err != nil {
			return usage("%w", err)
		}
		slot, err := s.Next(s.Created)
		if err != nil {
			return usage("%w", err)
		}
		err = withStore(c.Context(), *state, func(store *report.Store) error { return store.Add(c.Context(), s) })
		if err != nil {
			return err
		}
		fmt.Fprintf(c.ErrOrStderr(), "added %s: first at %s %s (%s UTC), about %s; trailql serve runs it\n",
			s.Name, shownIn(slot.Planned, slot.Planned.Location()), s.Zone, shownIn(slot.Planned, time.UTC), slot.Period)
		return nil
	}
	return c
}

func scheduleRemoveCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "remove NAME",
		Short: "remove a schedule; its reports and the history of its runs stay",
		Args:  arguments(1, 1),
	}
	state := stateFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return withStore(c.Context(), *state, func(store *report.Store) error { return store.Remove(c.Context(), args[0]) })
	}
	return c
}

func scheduleListCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "list the schedules, with the next and the last run of each",
		Args:  arguments(0, 0),
	}
	state := stateFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return withStore(c.Context(), *state, func(store *report.Store) error { return listSchedules(c.Context(), store, c.OutOrStdout()) })
	}
	return c
}

func listSchedules(ctx context.Context, store *report.Store, out io.Writer) error {
	schedules, err := store.Schedules(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tPACK\tCRON\tPERIOD\tNEXT\tZONE\tNEXT (UTC)\tLAST (UTC)\tSTATE\tVERDICT\tOUT")
	for _, s := range schedules {
		last, _, err := store.Last(ctx, s)
		if err != nil {
			return err
		}
		next, nextUTC := "never", ""
		if slot, err := s.Next(time.Now()); err == nil {
			next, nextUTC = shownIn(slot.Planned, slot.Planned.Location()), shownIn(slot.Planned, time.UTC)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Name, s.Pack, s.Cron, s.Period, next, s.Zone, nextUTC,
			cmp.Or(shownIn(last.Planned, time.UTC), "-"), cmp.Or(string(last.State), "-"), cmp.Or(string(last.Verdict), "-"), s.Out)
	}
	return w.Flush()
}

// historyShown are the columns of the history that fit a person's screen; the other formats have all.
var historyShown = []string{"id", "schedule", "pack", "period_from", "period_to", "planned", "missed", "state", "verdict", "findings", "out", "error"}

func historyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "history",
		Short: "list the runs of reports, the newest first",
		Long: `Lists the runs of reports, by schedule and by hand, the newest first; times are UTC. Missed counts the planned times before that passed
without a run. With a --format other than table every column is shown. The same rows are the relation report_runs of trailql serve:

  trailql report history --format vertical --limit 1
  SELECT schedule, planned, verdict FROM report_runs WHERE state <> 'ok'`,
		Args: arguments(0, 0),
	}
	state := stateFlag(c)
	format := c.Flags().String("format", "table", "format by `name`: "+strings.Join(sink.Formats, ", "))
	limit := c.Flags().Int("limit", 100, "so many runs")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if *limit < 1 {
			return usage("--limit takes a number from 1")
		}
		return withStore(c.Context(), *state, func(store *report.Store) error {
			columns, batch, err := store.History(c.Context(), *limit)
			if err != nil {
				return err
			}
			var head []sink.Column
			var cols []arrow.Array
			for i, column := range columns {
				if *format != "table" || slices.Contains(historyShown, column.Name) {
					head, cols = append(head, sink.Column{Name: column.Name, Type: column.Type}), append(cols, batch.Cols[i])
				}
			}
			return writeRows(c.OutOrStdout(), *format, head, cols, batch.Len)
		})
	}
	return c
}

// withStore opens the schedules of a state folder for f.
func withStore(ctx context.Context, state string, f func(*report.Store) error) error {
	store, err := report.OpenStore(ctx, state)
	if err != nil {
		return err
	}
	err = f(store)
	if closed := store.Close(); err == nil {
		err = closed
	}
	return err
}

// newScheduler is the loop that serve runs beside its endpoint. What it does goes to log, a line each.
func newScheduler(store *report.Store, runner *report.Runner, log func(format string, args ...any)) *report.Scheduler {
	return &report.Scheduler{
		Store: store,
		Answer: func(ctx context.Context, name string, p report.Period) (*report.Report, error) {
			pack, err := report.Open(name)
			if err != nil {
				return nil, err
			}
			return runner.Run(ctx, pack, p)
		},
		Done: func(r report.Run) {
			what := string(r.Verdict) + ", " + r.Out
			if r.State != report.RunOK {
				what = r.Error
			}
			log("report %s of %s: %s: %s", r.Schedule, shownIn(r.Planned, time.UTC)+" UTC", r.State, what)
		},
		Log: func(problem string) { log("schedules: %s", problem) },
	}
}

// shownIn shows a time to people; "" if it is zero.
func shownIn(t time.Time, zone *time.Location) string {
	if t.IsZero() {
		return ""
	}
	return t.In(zone).Format("2006-01-02 15:04:05")
}

func writeRows(w io.Writer, format string, columns []sink.Column, cols []arrow.Array, rows int) error {
	out, err := sink.New(format, w, columns, sink.Options{})
	if err != nil {
		return usage("%w", err)
	}
	if rows > 0 {
		if err := out.Write(cols, rows); err != nil {
			return err
		}
	}
	return out.Close()
}
