package main

import (
	"cmp"
	"context"
	"errors"
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
	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/engine/figure"
)

func compactCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "compact SOURCE…",
		Short: "turn trail objects into the lake; again: only what is new",
		Long: `Finds CloudTrail objects (.json.gz, .json) in the folders named, at any depth, and adds their records to the lake.
Objects that the lake has are skipped, so run it as often as you like; it may be killed at any moment.

  trailql compact ./AWSLogs
  trailql compact /mnt/org-trail /mnt/old-trail --lake /data/lake --memory 4GiB

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
	c.RunE = func(c *cobra.Command, args []string) error {
		if *workers < 0 {
			return usage("--workers %d: give a number of objects, or 0 for one per core", *workers)
		}
		if err := memory.bound(); err != nil {
			return err
		}
		summary, err := compactFolders(c.Context(), args, *lake, compact.Options{Memory: int64(*memory), Workers: *workers}, c.ErrOrStderr())
		if err != nil {
			return err
		}
		if !summary.Clean() {
			return &exit{code: exitQuarantine}
		}
		return nil
	}
	return c
}

// compactFolders brings the lake, made if missing, up to date with the folders, showing progress and the closing summary on errs.
func compactFolders(ctx context.Context, folders []string, lakeFolder string, opt compact.Options, errs io.Writer) (summary compact.Summary, err error) {
	var sources []blob.Store
	for _, folder := range folders {
		info, err := os.Stat(folder)
		if err != nil {
			return summary, usage("there is no source at %s: %w", folder, errors.Unwrap(err))
		}
		if !info.IsDir() {
			return summary, usage("%s is a file; name the folder that holds the trail", folder)
		}
		source, err := blob.OpenFolder(folder)
		if err != nil {
			return summary, fmt.Errorf("opening the source: %w", err)
		}
		sources = append(sources, source)
	}
	store, err := blob.OpenFolder(lakeFolder)
	if err != nil {
		return summary, fmt.Errorf("opening the lake: %w", err)
	}
	for _, s := range sources {
		if strings.HasPrefix(s.URL()+"/", store.URL()+"/") {
			return summary, usage("the source %s is in the lake %s; give the lake a folder of its own with --lake", s.URL(), store.URL())
		}
	}
	lake, err := catalog.Open(ctx, store, catalog.Options{})
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

// show keeps the progress in view until the returned function is called: a bar on a terminal, a line every ten seconds elsewhere.
func show(p *compact.Progress, errs io.Writer) (done func()) {
	begun := time.Now()
	rates := func() string {
		s := max(time.Since(begun).Seconds(), 0.001)
		return fmt.Sprintf("%s events/s, %.1f MB/s", figure.Count(int64(float64(p.Records.Load())/s)), float64(p.BytesDone.Load())/1e6/s)
	}
	var stopped sync.WaitGroup
	stop := make(chan struct{})
	each := func(period time.Duration, tick func()) {
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
	}
	end := func() { close(stop); stopped.Wait() }

	f, isFile := errs.(*os.File)
	if !isFile || !term.IsTerminal(int(f.Fd())) {
		each(10*time.Second, func() {
			fmt.Fprintf(errs, "%s of %s objects, %s events, %s%s\n", figure.Count(p.Done.Load()), figure.Count(p.Objects.Load()), figure.Count(p.Records.Load()), rates(), phase(p, time.Since(begun)))
		})
		return end
	}
	// The bar counts bytes: objects differ too much in size for an estimate.
	screen := mpb.New(mpb.WithOutput(errs), mpb.WithWidth(40))
	bar := screen.AddBar(0, mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Any(func(decor.Statistics) string {
			return figure.Count(p.Done.Load()) + " of " + figure.Count(p.Objects.Load()) + " objects "
		})),
		mpb.AppendDecorators(decor.Percentage(), decor.Any(func(decor.Statistics) string {
			return "  " + figure.Count(p.Records.Load()) + " events, " + rates() + phase(p, time.Since(begun))
		})))
	each(100*time.Millisecond, func() {
		bar.SetTotal(p.Bytes.Load(), false)
		bar.SetCurrent(p.BytesDone.Load())
	})
	return func() {
		end()
		bar.Abort(true)
		screen.Wait()
	}
}

// phase tells what goes on: how long the reading still takes, as the past suggests, or how much of what was read is written. That all
// is read is no reason to promise an end.
func phase(p *compact.Progress, since time.Duration) string {
	done, all := p.BytesDone.Load(), p.Bytes.Load()
	switch rows := p.Rows.Load(); {
	case rows > 0:
		return fmt.Sprintf("; writing, %s of %s", figure.Count(p.RowsDone.Load()), figure.Count(rows))
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

// summarise says what the run did so that every object and every record is accounted for.
func summarise(errs io.Writer, s *compact.Summary, took time.Duration) {
	list := func(what string, n int64, names []string) {
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
	list("set aside in trail_quarantine", s.SetAside, s.SetAsideNames)
	list("could not be read; the next run tries again", s.Unreadable, s.UnreadableNames)
	list("with nothing that CloudTrail writes; left alone", s.Unknown, s.UnknownNames)
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
