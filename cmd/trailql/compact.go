package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/catalog/compact"
	"github.com/trailql/trailql/catalog/verify"
	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/queue"
	"github.com/trailql/trailql/engine/figure"
)

func compactCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "compact SOURCE…",
		Short: "turn trail objects into the lake; again: only what is new",
		Long: `Finds CloudTrail objects (log files, or envelopes, batches and query results with records in them) in the folders named or in S3, at any depth, and adds their records to the lake.
Objects that the lake has are skipped, so run it as often as you like; it may be killed at any moment.

  trailql compact ./AWSLogs
  trailql compact s3://org-trail/AWSLogs --lake s3://org-lake/trail --kms-key alias/lake
  trailql compact /mnt/org-trail /mnt/old-trail --lake /data/lake --memory 4GiB

  trailql compact s3://org-trail/AWSLogs --follow
  trailql compact s3://org-trail/AWSLogs --queue https://sqs.eu-west-1.amazonaws.com/111122223333/trail

Run it several times at once, on one machine or many, and the runs share the work. With --follow it goes on: it looks for new objects
until Ctrl-C or SIGTERM, lists the last 31 days once a day and everything once a week, and ends after the commit at hand.

Objects that cannot be read (damaged, altered since) are set aside in trail_quarantine, the rest goes on, and
the exit code is 3.`,
	}
	c.Args = func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usage("compact what? name at least one folder with trail objects")
		}
		return nil
	}
	lake := lakeFlag(c)
	memory := memoryFlag(c, 1<<30)
	workers := c.Flags().Int("workers", 0, "objects decoded at the same time; 0: one per core")
	follow := c.Flags().Bool("follow", false, "go on looking for new objects")
	every := c.Flags().Duration("every", 0, "with --follow: `time` between two looks where new objects keep coming; 0: a minute")
	verifies := c.Flags().Bool("verify", false, "then check what is new against the digest files, as trailql verify does")
	how := verifyFlags(c)
	address := c.Flags().String("queue", "", "with --follow, which it implies: `URL` of an SQS queue with notifications of new objects")
	c.RunE = func(c *cobra.Command, args []string) error {
		if *workers < 0 {
			return usage("--workers %d: give a number of objects, or 0 for one per core", *workers)
		}
		if err := memory.bound(); err != nil {
			return err
		}
		var check verify.Options
		if *verifies {
			if err := how.set(c.Context(), &check); err != nil {
				return err
			}
		} else if *how.keys != "" || len(*how.moved) > 0 || *how.reread {
			return usage("--keys, --moved and --reread go with --verify")
		}
		if *every != 0 && (!*follow && *address == "" || *every < time.Second) {
			return usage("--every %v: it goes with --follow, and is a second or more", *every)
		}
		opt := compact.Options{Memory: int64(*memory), Workers: *workers, Every: *every}
		if (*follow || *address != "") && *verifies {
			return usage("--verify goes without --follow: run trailql verify beside it")
		}
		if *follow || *address != "" {
			return followSources(c.Context(), args, *lake, *address, opt, c.ErrOrStderr())
		}
		summary, err := compactFolders(c.Context(), args, *lake, opt, c.ErrOrStderr())
		if err != nil {
			return err
		}
		if *verifies {
			if err := verifyNew(c.Context(), *lake, args, summary.Began, check, c.OutOrStdout(), c.ErrOrStderr()); err != nil {
				return err
			}
		}
		if !summary.Clean() {
			return &exit{code: exitQuarantine}
		}
		return nil
	}
	return c
}

// openCompact opens sources and the lake that they go into, which is made if it is missing.
func openCompact(ctx context.Context, folders []string, lakeFolder string) (*catalog.Lake, []blob.Store, error) {
	var sources []blob.Store
	for _, folder := range folders {
		source, err := openSource(ctx, folder)
		if err != nil {
			return nil, nil, err
		}
		sources = append(sources, source)
	}
	store, err := openStore(ctx, lakeFolder)
	if err != nil {
		return nil, nil, fmt.Errorf("opening the lake: %w", err)
	}
	for _, s := range sources {
		if strings.HasPrefix(s.URL()+"/", store.URL()+"/") {
			return nil, nil, usage("the source %s is in the lake %s; give the lake a folder of its own with --lake", s.URL(), store.URL())
		}
	}
	lake, err := openCatalog(ctx, store, catalog.Options{})
	return lake, sources, err
}

// compactFolders brings the lake, made if missing, up to date with the folders, showing progress and the closing summary on errs.
func compactFolders(ctx context.Context, folders []string, lakeFolder string, opt compact.Options, errs io.Writer) (summary compact.Summary, err error) {
	lake, sources, err := openCompact(ctx, folders, lakeFolder)
	if err != nil {
		return summary, err
	}
	defer func() { err = cmp.Or(err, lake.Close()) }()

	begun := time.Now()
	var progress compact.Progress
	done := show(&progress, errs)
	summary, err = compact.Run(ctx, lake, sources, opt, &progress)
	done()
	summarise(errs, &summary, time.Since(begun))
	if err != nil {
		return summary, fmt.Errorf("compacting stopped: %w; what was committed stays, run it again to go on", err)
	}
	return summary, nil
}

// followSources keeps the lake up to date with the sources until ctx ends, with a line on errs for each look that brought something or failed.
func followSources(ctx context.Context, folders []string, lakeFolder, address string, opt compact.Options, errs io.Writer) (err error) {
	lake, sources, err := openCompact(ctx, folders, lakeFolder)
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, lake.Close()) }()

	var progress compact.Progress
	done := showLines(&progress, errs, true)
	defer done()
	unreadable, setAside := false, false
	say := func(format string, args ...any) {
		fmt.Fprintf(errs, "%s %s\n", time.Now().UTC().Format(time.RFC3339), fmt.Sprintf(format, args...))
	}
	if address != "" {
		a := access(ctx)
		asked := queue.Options{Profile: a.Profile, Region: a.Region, Role: a.Role, Report: func(text string) { say("queue: %s", printable(text)) }}
		for _, s := range sources {
			asked.Sources = append(asked.Sources, s.URL())
		}
		q, err := queue.Open(ctx, address, asked)
		if err != nil {
			return err
		}
		defer q.Close()
		opt.Hints = q
	}
	say("following; Ctrl-C ends it after the commit at hand")
	err = compact.Follow(ctx, lake, sources, opt, &progress, func(s compact.Summary, err error) {
		unreadable, setAside = s.Unreadable > 0, setAside || s.SetAside > 0
		if s.Commits > 0 {
			say("%s new %s: %s records = %s rows + %s duplicates + %s quarantined; %s; the lake is at version %d", figure.Count(s.New), figure.Plural(s.New, "object"),
				figure.Count(s.Records), figure.Count(s.Rows), figure.Count(s.Duplicates), figure.Count(s.Quarantined), figure.Bytes(s.Bytes), s.Version)
		}
		listNames(errs, "set aside in trail_quarantine", s.SetAside, s.SetAsideNames)
		listNames(errs, "could not be read; tried again later", s.Unreadable, s.UnreadableNames)
		if err != nil {
			say("failed, tried again later: %v", err)
		}
	})
	switch {
	case err != nil:
		return fmt.Errorf("following stopped: %w; what was committed stays, run it again to go on", err)
	case unreadable || setAside:
		return &exit{code: exitQuarantine}
	}
	return nil
}

// show keeps the progress in view until the returned function is called: a bar on a terminal, a line every ten seconds elsewhere.
func show(p *compact.Progress, errs io.Writer) (done func()) {
	f, isFile := errs.(*os.File)
	if !isFile || !term.IsTerminal(int(f.Fd())) {
		return showLines(p, errs, false)
	}
	begun := time.Now()
	// The bar counts bytes: objects differ too much in size for an estimate.
	screen := mpb.New(mpb.WithOutput(errs), mpb.WithWidth(40))
	bar := screen.AddBar(0, mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Any(func(decor.Statistics) string {
			return figure.Count(p.Done.Load()) + " of " + figure.Count(p.Objects.Load()) + " objects "
		})),
		mpb.AppendDecorators(decor.Percentage(), decor.Any(func(decor.Statistics) string {
			return "  " + figure.Count(p.Records.Load()) + " events, " + rates(p, begun) + phase(p, time.Since(begun))
		})))
	end := each(100*time.Millisecond, func() {
		bar.SetTotal(p.Bytes.Load(), false)
		bar.SetCurrent(p.BytesDone.Load())
	})
	return func() {
		end()
		bar.Abort(true)
		screen.Wait()
	}
}

// showLines tells of the progress every ten seconds; with news only if objects were read since.
func showLines(p *compact.Progress, errs io.Writer, news bool) (done func()) {
	begun, told := time.Now(), int64(0)
	return each(10*time.Second, func() {
		if read := p.Done.Load(); !news || read != told {
			told = read
			fmt.Fprintf(errs, "%s of %s objects, %s events, %s%s\n", figure.Count(read), figure.Count(p.Objects.Load()), figure.Count(p.Records.Load()), rates(p, begun), phase(p, time.Since(begun)))
		}
	})
}

func rates(p *compact.Progress, begun time.Time) string {
	s := max(time.Since(begun).Seconds(), 0.001)
	return fmt.Sprintf("%s events/s, %.1f MB/s", figure.Count(int64(float64(p.Records.Load())/s)), float64(p.BytesDone.Load())/1e6/s)
}

// each calls tick from time to time until the returned function is called.
func each(period time.Duration, tick func()) (end func()) {
	var stopped sync.WaitGroup
	stop := make(chan struct{})
	stopped.Go(func() {
		ticker := time.NewTicker(period)
		defer ticker.Stop()
		for {
			select {
			case <-stop:
				return
			case <-ticker.C:
				tick()
			}
		}
	})
	return func() { close(stop); stopped.Wait() }
}

// phase tells what goes on: how long the reading still takes, as the past suggests, or how much of what was read is written. That all
// is read is no reason to promise an end.
func phase(p *compact.Progress, since time.Duration) string {
	done, all := p.BytesDone.Load(), p.Bytes.Load()
	switch rows := p.Rows.Load(); {
	case rows > 0:
		return fmt.Sprintf("; writing, %s of %s", figure.Count(p.RowsDone.Load()), figure.Count(rows))
	case p.Waiting.Load():
		return "; waiting for other compactors, which share the work"
	case done >= all || done == 0:
		return ""
	}
	return ", " + time.Duration(float64(since)*float64(all-done)/float64(done)).Round(time.Second).String() + " left"
}

// printable quotes a name that would do something to a terminal: who may write to a bucket chooses the names in it.
func printable(name string) string {
	if utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsGraphic(r) }) {
		return name
	}
	return strconv.QuoteToGraphic(name)
}

// listNames names objects, as many as are known by name.
func listNames(errs io.Writer, what string, n int64, names []string) {
	if n == 0 {
		return
	}
	fmt.Fprintf(errs, "%s %s %s:\n", figure.Count(n), figure.Plural(n, "object"), what)
	for _, name := range names {
		fmt.Fprintf(errs, "  %s\n", printable(name))
	}
	if more := n - int64(len(names)); more > 0 {
		fmt.Fprintf(errs, "  … and %s more\n", figure.Count(more))
	}
}

// summarise says what the run did so that every object and every record is accounted for.
func summarise(errs io.Writer, s *compact.Summary, took time.Duration) {
	listNames(errs, "set aside in trail_quarantine", s.SetAside, s.SetAsideNames)
	listNames(errs, "could not be read; the next run tries again", s.Unreadable, s.UnreadableNames)
	listNames(errs, "with nothing that CloudTrail writes; left alone", s.Unknown, s.UnknownNames)
	if s.Foreign > 0 {
		fmt.Fprintf(errs, "%s %s beside the records about something else; left out\n", figure.Count(s.Foreign), figure.Plural(s.Foreign, "message"))
	}
	fmt.Fprintf(errs, "objects: %s found = %s known + %s new + %s unknown + %s unreadable; of the new, %s digests, %s set aside (%s altered)\n",
		figure.Count(s.Listed), figure.Count(s.Earlier), figure.Count(s.New), figure.Count(s.Unknown), figure.Count(s.Unreadable),
		figure.Count(s.Digests), figure.Count(s.SetAside), figure.Count(s.Altered))
	fmt.Fprintf(errs, "records: %s read = %s rows + %s duplicates + %s quarantined\n",
		figure.Count(s.Records), figure.Count(s.Rows), figure.Count(s.Duplicates), figure.Count(s.Quarantined))
	seconds := max(took.Seconds(), 0.001)
	fmt.Fprintf(errs, "%s in %s (%s events/s, %.1f MB/s); %s files written, %s merged; the lake is at version %d\n",
		figure.Bytes(s.Bytes), took.Round(10*time.Millisecond), figure.Count(int64(float64(s.Records)/seconds)), float64(s.Bytes)/1e6/seconds,
		figure.Count(s.FilesAdded), figure.Count(s.Merged), s.Version)
}
