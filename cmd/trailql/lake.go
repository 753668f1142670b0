package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/catalog/upkeep"
	"github.com/trailql/trailql/engine/figure"
)

func lakeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "lake",
		Short: "look after a lake: what it holds, whether it is whole, retention, other engines",
		Long: `Looks after a lake.

  trailql lake status                                    what it holds
  trailql lake check                                     do log, files, ledger and index agree
  trailql lake scrub --bytes 100GiB                      read files again and compare their hashes, the longest unread first
  trailql lake hold add case-17 --account 111122223333 --reason "litigation"
  trailql lake expire --older-than 400d                  what retention would remove; with --yes and --reason it does
  trailql lake sweep                                     delete files that no reader needs any more`,
		Args: oneOf,
		RunE: which,
	}
	c.AddCommand(lakeStatusCommand(), lakeCheckCommand(), lakeScrubCommand(), lakeExpireCommand(), lakeHoldCommand(), lakeSweepCommand(), ddlCommand())
	return c
}

// pageFlag adds --format of a command whose answer is a page for people, or JSON.
func pageFlag(c *cobra.Command) *string {
	return c.Flags().String("format", "text", "text or json")
}

// page writes an answer.
func page(c *cobra.Command, format string, v any, text func(w io.Writer)) error {
	switch format {
	case "json":
		data, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(c.OutOrStdout(), string(data))
		return err
	case "text":
		w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
		text(w)
		return w.Flush()
	}
	return usage("--format %s: it is text or json", format)
}

// withLake opens a lake that is there, for writing too if write, and closes it after f.
func withLake(ctx context.Context, url string, write bool, f func(*catalog.Lake) error) error {
	lake, err := openLake(ctx, url)
	if err != nil {
		return err
	}
	if write { // what opens for writing would make a lake where there is none
		store := lake.Store()
		if err := lake.Close(); err != nil {
			return err
		}
		if lake, err = openCatalog(ctx, store, catalog.Options{}); err != nil {
			return err
		}
	}
	return errors.Join(f(lake), lake.Close())
}

func lakeStatusCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "status",
		Short: "say what a lake holds",
		Long:  "Tells of tables, files, period, accounts, the last commit, quarantine and holds. It reads the log only.",
		Args:  arguments(0, 0),
	}
	lake, format := lakeFlag(c), pageFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return withLake(c.Context(), *lake, false, func(l *catalog.Lake) error {
			s, err := upkeep.StatusOf(c.Context(), l)
			if err != nil {
				return err
			}
			return page(c, *format, s, func(w io.Writer) { statusPage(w, s) })
		})
	}
	return c
}

func statusPage(w io.Writer, s *upkeep.Status) {
	fmt.Fprintf(w, "lake\t%s\n", printable(s.Lake))
	fmt.Fprintf(w, "version\t%d, made %s\n", s.Version, s.At.UTC().Format(time.RFC3339))
	if s.From == "" {
		fmt.Fprintln(w, "events\tnone")
	} else {
		fmt.Fprintf(w, "events\tfrom %s to %s, of %s %s\n", s.From, s.To, figure.Count(int64(len(s.Accounts))), figure.Plural(int64(len(s.Accounts)), "account"))
	}
	fmt.Fprintf(w, "quarantine\t%s %s\n", figure.Count(s.Quarantined), figure.Plural(s.Quarantined, "row"))
	switch {
	case s.Checkpoint < 0:
		fmt.Fprintln(w, "checkpoint\tnone yet")
	default:
		fmt.Fprintf(w, "checkpoint\tof version %d\n", s.Checkpoint)
	}
	index := s.Index
	if index == "" {
		index = "in memory"
	}
	fmt.Fprintf(w, "index\t%s\n", printable(index))
	fmt.Fprintf(w, "format\t%d\n", s.Format)
	if s.First > 0 {
		fmt.Fprintf(w, "history\tfrom version %d on; older entries of the log are gone\n", s.First)
	}
	holdLines(w, s.Holds)
	fmt.Fprintln(w)
	fmt.Fprintln(w, "TABLE\tROWS\tFILES\tSIZE\tPARTITIONS\tFILES UNDER 1 MiB")
	for _, t := range s.Tables {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", t.Name, figure.Count(t.Rows), figure.Count(t.Files), figure.Bytes(t.Bytes), figure.Count(t.Partitions), figure.Count(t.SmallFiles))
	}
}

func holdLines(w io.Writer, holds []upkeep.Hold) {
	for _, h := range holds {
		account := h.Account
		if account == "" {
			account = "all accounts"
		}
		days := "all days"
		switch {
		case h.From != "" && h.To != "":
			days = h.From + " to " + h.To
		case h.From != "":
			days = "from " + h.From
		case h.To != "":
			days = "to " + h.To
		}
		fmt.Fprintf(w, "hold\t%s: %s, %s; by %s on %s: %s\n", h.Name, printable(account), days, printable(h.Placed.Who), h.Placed.When.UTC().Format(time.DateOnly), printable(h.Placed.Reason))
	}
}

func lakeCheckCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "check",
		Short: "say whether log, files, ledger and index agree",
		Long: `Checks that each file of the log is there with its size and no other is left behind, that the records of each trail
object are rows, duplicates or in quarantine, that the tables have as many rows as that makes (less what retention
removed, by its receipts), that the logs of all tables are complete and that the index says what the log says.
Data files are not read: that their bytes are right is for trailql lake scrub. The exit code is 1 if something is wrong.`,
		Args: arguments(0, 0),
	}
	lake, format := lakeFlag(c), pageFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return withLake(c.Context(), *lake, false, func(l *catalog.Lake) error {
			r, err := upkeep.Check(c.Context(), l, time.Now())
			if err != nil {
				return err
			}
			err = page(c, *format, r, func(w io.Writer) {
				findings(w, r.Wrong)
				fmt.Fprintf(w, "version %d: %s %s with %s; %s replaced, for a sweep; %s not committed yet\n", r.Version, figure.Count(r.Files), figure.Plural(r.Files, "file"),
					figure.Bytes(r.Bytes), figure.Count(r.Replaced), figure.Count(r.Young))
				fmt.Fprintf(w, "ledger: %s records of %s objects; %s rows removed by retention\n", figure.Count(r.Records), figure.Count(r.Objects), figure.Count(r.Expired))
			})
			return verdict(err, len(r.Wrong), "fault")
		})
	}
	return c
}

func findings(w io.Writer, list []upkeep.Finding) {
	for _, f := range list {
		fmt.Fprintf(w, "%s: %s\n", strings.TrimSpace(f.What+" "+printable(f.Name)), printable(f.Says))
	}
}

// verdict is the end of a command that looks for faults; what is the word for one.
func verdict(err error, n int, what string) error {
	if err != nil || n == 0 {
		return err
	}
	return fmt.Errorf("%s %s", figure.Count(int64(n)), figure.Plural(int64(n), what))
}

func lakeScrubCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "scrub",
		Short: "read data files whole and compare their hashes with the log's",
		Long: `Reads data files whole and compares the SHA-256 of their bytes with the one that the log has had since they were written.
Files that were not read for longest come first, so that a bounded run each night comes round to all of them; a run that
is stopped counts for what it read. Damaged files are named, and the exit code is 1.

  trailql lake scrub --bytes 100GiB --rate 50MiB`,
		Args: arguments(0, 0),
	}
	lake, format := lakeFlag(c), pageFlag(c)
	var bytes, rate byteSize
	c.Flags().Var(&bytes, "bytes", "stop after so much; else all files are read")
	c.Flags().Var(&rate, "rate", "read no more than this a second")
	parallel := c.Flags().Int("parallel", 4, "files read at the same time")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if *parallel < 1 {
			return usage("--parallel %d: give a number of files", *parallel)
		}
		return withLake(c.Context(), *lake, false, func(l *catalog.Lake) error {
			r, err := upkeep.Scrub(c.Context(), l, upkeep.ScrubOptions{Bytes: int64(bytes), Rate: int64(rate), Parallel: *parallel, Progress: told(c.ErrOrStderr())})
			if r == nil {
				return err
			}
			pageErr := page(c, *format, r, func(w io.Writer) {
				findings(w, r.Damaged)
				fmt.Fprintf(w, "%s %s right, %s damaged; %s read; %s left for another run\n", figure.Count(r.Files), figure.Plural(r.Files, "file"), figure.Count(int64(len(r.Damaged))),
					figure.Bytes(r.Bytes), figure.Count(r.Left))
				if r.NoHash > 0 {
					fmt.Fprintf(w, "%s files have no hash in the log\n", figure.Count(r.NoHash))
				}
				if r.Oldest.IsZero() {
					fmt.Fprintln(w, "some files were never read since they were written")
				} else {
					fmt.Fprintf(w, "all files were read since %s\n", r.Oldest.Format(time.RFC3339))
				}
			})
			return verdict(errors.Join(err, pageErr), len(r.Damaged), "damaged file")
		})
	}
	return c
}

// told says every ten seconds how far a scrub is.
func told(errs io.Writer) func(files, bytes, ofFiles, ofBytes int64) {
	var mu sync.Mutex
	last := time.Now()
	return func(files, bytes, ofFiles, ofBytes int64) {
		mu.Lock()
		defer mu.Unlock()
		if time.Since(last) >= 10*time.Second {
			last = time.Now()
			fmt.Fprintf(errs, "%s of %s files, %s of %s\n", figure.Count(files), figure.Count(ofFiles), figure.Bytes(bytes), figure.Bytes(ofBytes))
		}
	}
}

// days is a flag value: 400d, 7d, 12h.
type days time.Duration

func (d *days) Set(text string) error {
	if number, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(number)
		if err != nil || n < 0 || n > 100_000 {
			return fmt.Errorf("%q is no number of days; write it like 400d", text)
		}
		*d = days(time.Duration(n) * 24 * time.Hour)
		return nil
	}
	v, err := time.ParseDuration(text)
	if err != nil || v < 0 {
		return fmt.Errorf("%q is no time; write it like 7d or 12h", text)
	}
	*d = days(v)
	return nil
}

func (d *days) String() string {
	if *d == 0 {
		return ""
	}
	if day := 24 * time.Hour; time.Duration(*d)%day == 0 {
		return fmt.Sprintf("%dd", time.Duration(*d)/day)
	}
	return time.Duration(*d).String()
}

func (*days) Type() string { return "time" }

// actFlags adds --reason and --who.
func actFlags(c *cobra.Command) func() upkeep.Act {
	who := "unknown"
	if u, err := user.Current(); err == nil {
		who = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		who += "@" + host
	}
	reason := c.Flags().String("reason", "", "why, as it shall be read later")
	by := c.Flags().String("who", who, "who does it")
	return func() upkeep.Act { return upkeep.Act{Who: *by, When: time.Now().UTC(), Reason: *reason} }
}

func lakeExpireCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "expire",
		Short: "remove events whose time is over; without --yes only say which",
		Long: `Removes the events of days before a limit, of all accounts and categories or of some, and keeps what a hold covers.
Without --yes it only says what it would remove. What it removed, by whom and why, with counts by account, category
and day and the hash of each file, stands in a receipt in the lake; versions before are not readable any more. The
bytes are deleted by a later trailql lake sweep, or with compaction, a week after.

  trailql lake expire --older-than 400d
  trailql lake expire --older-than 90d --category Data --account 111122223333 --reason "policy 7.2" --yes`,
		Args: arguments(0, 0),
	}
	lake, format, act := lakeFlag(c), pageFlag(c), actFlags(c)
	var age days
	c.Flags().Var(&age, "older-than", "events of days that ended longer ago than this, such as 400d")
	before := c.Flags().String("before", "", "events of days before this `day`, such as 2025-01-01")
	accounts := c.Flags().StringArray("account", nil, "of this account only; may be given several times")
	categories := c.Flags().StringArray("category", nil, "of this eventcategory only, such as Data or Management; may be given several times")
	yes := c.Flags().Bool("yes", false, "do it")
	c.RunE = func(c *cobra.Command, _ []string) error {
		p := upkeep.Policy{Before: *before, Accounts: *accounts, Categories: *categories}
		switch {
		case (*before == "") == (age == 0):
			return usage("give either --older-than or --before")
		case *before == "":
			p.Before = time.Now().UTC().Add(-time.Duration(age)).Format(time.DateOnly)
		}
		if *yes && act().Reason == "" {
			return usage("give a --reason: it stands in the receipt")
		}
		return withLake(c.Context(), *lake, *yes, func(l *catalog.Lake) error {
			r, err := upkeep.Expire(c.Context(), l, p, act(), !*yes)
			if err != nil {
				return err
			}
			return page(c, *format, r, func(w io.Writer) { receiptPage(w, r, *yes) })
		})
	}
	return c
}

func receiptPage(w io.Writer, r *upkeep.Receipt, done bool) {
	if len(r.Removed) > 0 {
		fmt.Fprintln(w, "TABLE\tACCOUNT\tCATEGORY\tDAY\tROWS")
		const most = 50
		for i, g := range r.Removed {
			if i == most {
				fmt.Fprintf(w, "… and %s more; --format json has all\n", figure.Count(int64(len(r.Removed)-most)))
				break
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", g.Table, printable(g.Account), printable(g.Category), g.Day, figure.Count(g.Rows))
		}
		fmt.Fprintln(w)
	}
	for _, h := range r.Holds {
		holdLines(w, []upkeep.Hold{h})
	}
	if r.Held > 0 {
		fmt.Fprintf(w, "files with %s rows are kept by holds\n", figure.Count(r.Held))
	}
	what := "would be removed"
	if done {
		what = "removed"
	}
	fmt.Fprintf(w, "events before %s: %s %s %s, in %s whole files and %s that are written anew\n", r.Policy.Before, figure.Count(r.Rows), figure.Plural(r.Rows, "row"), what,
		figure.Count(int64(r.Counts["whole"])), figure.Count(int64(r.Counts["rewritten"])))
	switch {
	case !done && r.Rows > 0:
		fmt.Fprintln(w, "nothing was done; add --reason TEXT --yes to do it")
	case done && r.Rows > 0:
		fmt.Fprintf(w, "version %d; the receipt is %s\n", r.Version, r.Name)
	}
}

func lakeHoldCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "hold",
		Short: "keep events whatever retention says",
		Long: `A hold keeps the events of an account, or of all, and of some days, or of all, until it is released.

  trailql lake hold add case-17 --account 111122223333 --from 2026-01-01 --to 2026-03-31 --reason "litigation"
  trailql lake hold list
  trailql lake hold remove case-17 --reason "settled"`,
		Args: oneOf,
		RunE: which,
	}
	c.AddCommand(holdAddCommand(), holdListCommand(), holdRemoveCommand())
	return c
}

func holdAddCommand() *cobra.Command {
	c := &cobra.Command{Use: "add NAME", Short: "place a hold", Args: arguments(1, 1)}
	lake, act := lakeFlag(c), actFlags(c)
	account := c.Flags().String("account", "", "of this account; else of all")
	from := c.Flags().String("from", "", "from this `day` on, such as 2026-01-01")
	to := c.Flags().String("to", "", "up to this `day`")
	c.RunE = func(c *cobra.Command, args []string) error {
		if act().Reason == "" {
			return usage("give a --reason")
		}
		return withLake(c.Context(), *lake, true, func(l *catalog.Lake) error {
			return upkeep.AddHold(c.Context(), l, upkeep.Hold{Name: args[0], Account: *account, From: *from, To: *to, Placed: act()})
		})
	}
	return c
}

func holdListCommand() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "list the holds that are in force", Args: arguments(0, 0)}
	lake, format := lakeFlag(c), pageFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return withLake(c.Context(), *lake, false, func(l *catalog.Lake) error {
			holds, err := upkeep.Holds(c.Context(), l.Store())
			if err != nil {
				return err
			}
			return page(c, *format, holds, func(w io.Writer) { holdLines(w, holds) })
		})
	}
	return c
}

func holdRemoveCommand() *cobra.Command {
	c := &cobra.Command{Use: "remove NAME", Short: "release a hold", Args: arguments(1, 1)}
	lake, act := lakeFlag(c), actFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if act().Reason == "" {
			return usage("give a --reason")
		}
		return withLake(c.Context(), *lake, true, func(l *catalog.Lake) error { return upkeep.RemoveHold(c.Context(), l, args[0], act()) })
	}
	return c
}

func lakeSweepCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "sweep",
		Short: "delete files that no reader needs any more",
		Long: `Deletes data files that merges or retention took out of the lake longer ago than the grace, and what crashed runs left
behind a day ago or more. Compaction does it, too. A query that runs longer than the grace may fail for want of a file.`,
		Args: arguments(0, 0),
	}
	lake, format := lakeFlag(c), pageFlag(c)
	grace := days(7 * 24 * time.Hour)
	c.Flags().Var(&grace, "grace", "how long files stay that are no longer part of the lake")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return withLake(c.Context(), *lake, true, func(l *catalog.Lake) error {
			swept, err := l.Sweep(c.Context(), time.Duration(grace))
			if err != nil {
				return err
			}
			return page(c, *format, swept, func(w io.Writer) {
				fmt.Fprintf(w, "%s %s with %s deleted\n", figure.Count(swept.Files), figure.Plural(swept.Files, "file"), figure.Bytes(swept.Bytes))
			})
		})
	}
	return c
}
