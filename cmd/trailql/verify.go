package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/spf13/cobra"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/catalog/verify"
	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/trailkeys"
	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/figure"
	"github.com/trailql/trailql/engine/vec"
)

func verifyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "verify SOURCE…",
		Short: "check trail objects against CloudTrail's digest files: altered, missing, added",
		Long: `Checks the chain of digest files in the sources, and by it each log file: signature, link to the digest before, hash. A log file
counts by the hash that was made when the lake read it; --reread reads it from the source once more. Verdicts are kept in the lake,
in trail_verdicts and trail_verified.

  trailql verify ./AWSLogs --keys ./keys
  trailql verify s3://org-trail --from 2026-03-01 --to 2026-04-01 --verbose
  trailql verify /mnt/copy --keys ./keys --moved s3://org-trail/prefix=/mnt/copy --format json

Public keys come from CloudTrail's API, or from a folder: save them while CloudTrail gives them out, with trailql keys save.
The exit code is 1 where a digest or a log file is invalid, altered, missing or added. A gap in the chain alone is no error, nor is what
cannot be decided.`,
		Args: arguments(1, -1),
	}
	lake := lakeFlag(c)
	flags := verifyFlags(c)
	from := c.Flags().String("from", "", "`time` from which on digests end that are checked: 2026-03-01, or with T06:00:00Z; the beginning if missing")
	to := c.Flags().String("to", "", "`time` up to which they do; now if missing")
	account := c.Flags().String("account", "", "check this `account` only")
	region := c.Flags().String("trail-region", "", "check log files of this `region` only")
	verbose := c.Flags().BoolP("verbose", "v", false, "list what is valid too")
	format := c.Flags().String("format", "text", "text, as aws cloudtrail validate-logs has it, or json")
	c.RunE = func(c *cobra.Command, args []string) error {
		if *format != "text" && *format != "json" {
			return usage("--format %q: text or json", *format)
		}
		opt := verify.Options{Account: *account, Region: *region, To: time.Now().UTC().Truncate(time.Second)}
		for _, t := range []struct {
			flag, text string
			at         *time.Time
		}{{"--from", *from, &opt.From}, {"--to", *to, &opt.To}} {
			if t.text == "" {
				continue
			}
			var err error
			if *t.at, err = parseMoment(t.flag, t.text); err != nil {
				return err
			}
		}
		if opt.To.Before(opt.From) {
			return usage("the period is empty: --to %s is before --from %s", *to, *from)
		}
		ctx := c.Context()
		if err := flags.set(ctx, &opt); err != nil {
			return err
		}
		var sources []blob.Store
		for _, url := range args {
			source, err := openSource(ctx, url)
			if err != nil {
				return err
			}
			sources = append(sources, source)
		}
		l, err := openLakeToWrite(ctx, *lake)
		if err != nil {
			return err
		}
		defer l.Close()
		return verifyTo(ctx, l, sources, opt, newVerifyReport(c.OutOrStdout(), *format == "json", *verbose), c.ErrOrStderr())
	}
	return c
}

// parseMoment reads a day or a time.
func parseMoment(flag, text string) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, usage("%s %q: write a day, 2026-03-01, or a time, 2026-03-01T06:00:00Z", flag, text)
}

// openLakeToWrite opens a lake that must exist.
func openLakeToWrite(ctx context.Context, url string) (*catalog.Lake, error) {
	l, err := openLake(ctx, url) // says what is wrong where there is none
	if err != nil {
		return nil, err
	}
	if err := l.Close(); err != nil {
		return nil, err
	}
	store, err := openStore(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("opening the lake: %w", err)
	}
	return openCatalog(ctx, store, catalog.Options{})
}

// verification are the flags of how it is verified, which compact has too.
type verification struct {
	keys   *string
	moved  *[]string
	reread *bool
}

func verifyFlags(c *cobra.Command) verification {
	return verification{
		keys:   c.Flags().String("keys", "", "`folder` of saved public keys; else CloudTrail's API is asked"),
		moved:  c.Flags().StringArray("moved", nil, "where objects stand that were moved: `s3://bucket/prefix=SOURCE`"),
		reread: c.Flags().Bool("reread", false, "hash log files in the source again"),
	}
}

func (f verification) set(ctx context.Context, opt *verify.Options) error {
	opt.Reread = *f.reread
	for _, m := range *f.moved {
		from, to, ok := strings.Cut(m, "=")
		rest, s3 := strings.CutPrefix(from, "s3://")
		if !ok || !s3 || rest == "" || to == "" {
			return usage("--moved %q: write s3://bucket/prefix=SOURCE", m)
		}
		store, err := openSource(ctx, to)
		if err != nil {
			return err
		}
		bucket, prefix, _ := strings.Cut(rest, "/")
		opt.Moved = append(opt.Moved, verify.Moved{Bucket: bucket, Prefix: prefix, URL: store.URL()})
	}
	if *f.keys == "" {
		opt.Keys = keysAPI(ctx)
		return nil
	}
	store, err := openSource(ctx, *f.keys)
	if err != nil {
		return err
	}
	saved, err := verify.OpenKeys(ctx, store)
	if err != nil {
		return err
	}
	opt.Keys = saved
	return nil
}

func keysAPI(ctx context.Context) *trailkeys.API {
	a := access(ctx)
	return trailkeys.New(trailkeys.Access{Profile: a.Profile, Role: a.Role})
}

// verifyTo verifies, shows progress on errs and reports.
func verifyTo(ctx context.Context, l *catalog.Lake, sources []blob.Store, opt verify.Options, r *verifyReport, errs io.Writer) error {
	var progress verify.Progress
	done := each(10*time.Second, func() {
		fmt.Fprintf(errs, "%s digests, %s log files checked, %s read\n", figure.Count(progress.Digests.Load()), figure.Count(progress.Logs.Load()), figure.Bytes(progress.Bytes.Load()))
	})
	r.begin(sources, opt)
	sum, err := verify.Run(ctx, l, sources, opt, &progress, r.add)
	done()
	if err != nil {
		return fmt.Errorf("verifying stopped: %w", err)
	}
	if err := r.end(&sum, opt); err != nil {
		return err
	}
	if !sum.Clean() {
		return &exit{code: exitFailed}
	}
	return nil
}

// verifyReport writes findings as they come: as the AWS CLI's validate-logs does, or as one JSON object.
type verifyReport struct {
	out     io.Writer
	json    bool
	verbose bool
	space   bool // the last line was an empty one
	first   bool
	err     error
}

func newVerifyReport(out io.Writer, json, verbose bool) *verifyReport {
	return &verifyReport{out: out, json: json, verbose: verbose, space: true, first: true}
}

func (r *verifyReport) printf(format string, args ...any) {
	if _, err := fmt.Fprintf(r.out, format, args...); r.err == nil {
		r.err = err
	}
}

// finding is one in JSON.
type finding struct {
	Kind     string     `json:"kind"`
	Verdict  string     `json:"verdict,omitempty"`
	Reason   string     `json:"reason,omitempty"`
	Path     string     `json:"path,omitempty"`
	Object   string     `json:"object,omitempty"`
	Backfill bool       `json:"backfill,omitempty"`
	From     *time.Time `json:"from,omitempty"`
	To       *time.Time `json:"to,omitempty"`
}

func (r *verifyReport) begin(sources []blob.Store, opt verify.Options) {
	if r.json {
		r.printf("{\"findings\": [")
		return
	}
	var names []string
	for _, s := range sources {
		names = append(names, printable(s.URL()))
	}
	r.printf("Validating log files in %s between %s and %s\n\n", strings.Join(names, ", "), stamp(opt.From), stamp(opt.To))
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "the beginning"
	}
	return t.UTC().Format(time.RFC3339)
}

func (r *verifyReport) add(f *verify.Finding) error {
	if r.json {
		if f.Verdict == verify.Verified && !r.verbose {
			return r.err
		}
		out := finding{f.Kind, f.Verdict, f.Reason, f.URL, f.Object, f.Backfill, nil, nil}
		if f.Kind == "gap" {
			out.From, out.To = &f.From, &f.To
		}
		text, err := json.Marshal(out)
		if err != nil {
			return fmt.Errorf("writing the findings: %w", err)
		}
		if !r.first {
			r.printf(",")
		}
		r.first = false
		r.printf("\n  %s", text)
		return r.err
	}
	line := "Log file"
	if f.Kind == "digest" {
		line = "Digest file"
	}
	if f.Backfill && f.Kind != "log" {
		line = "(backfill) " + line
	}
	name := printable(f.URL)
	if f.Object != "" {
		name = printable("s3://" + f.Object)
	}
	switch {
	case f.Kind == "gap":
		backfill := ""
		if f.Backfill {
			backfill = "(backfill) "
		}
		r.problem("%sNo log files were delivered by CloudTrail between %s and %s", backfill, stamp(f.From), stamp(f.To))
	case f.Verdict == verify.Verified:
		if r.verbose {
			r.space = false
			r.printf("%s\t%s\tvalid\n", line, name)
		}
	case f.Verdict == verify.Unverified:
		r.problem("%s\t%s\tnot verified: %s", line, name, printable(f.Reason))
	default:
		r.problem("%s\t%s\tINVALID: %s", line, name, printable(f.Reason))
	}
	return r.err
}

// problem writes a line between empty ones.
func (r *verifyReport) problem(format string, args ...any) {
	if !r.space {
		r.printf("\n")
	}
	r.printf(format+"\n\n", args...)
	r.space = true
}

func (r *verifyReport) end(s *verify.Summary, opt verify.Options) error {
	if r.json {
		at := func(t time.Time) *time.Time {
			if t.IsZero() {
				return nil
			}
			return &t
		}
		text, err := json.MarshalIndent(struct {
			RequestedFrom *time.Time   `json:"requested_from"`
			RequestedTo   *time.Time   `json:"requested_to"`
			FoundFrom     *time.Time   `json:"found_from"`
			FoundTo       *time.Time   `json:"found_to"`
			Digests       verify.Count `json:"digests"`
			Backfill      verify.Count `json:"backfill_digests"`
			Logs          verify.Count `json:"logs"`
			Others        int64        `json:"other_kinds"`
			Gaps          int64        `json:"gaps"`
			Valid         bool         `json:"valid"`
		}{at(opt.From), at(opt.To), at(s.From), at(s.To), s.Digests, s.Backfill, s.Logs, s.Others, s.Gaps, s.Clean()}, "", " ")
		if err != nil {
			return fmt.Errorf("writing the findings: %w", err)
		}
		r.printf("\n],%s\n", strings.TrimPrefix(string(text), "{"))
		return r.err
	}
	if !r.space {
		r.printf("\n")
	}
	r.printf("Results requested for %s to %s\n", stamp(opt.From), stamp(opt.To))
	switch {
	case s.Digests.All()+s.Backfill.All() == 0:
		r.printf("No digests found\n")
		return r.err
	case s.From.IsZero():
		r.printf("No valid digests found in range\n")
	default:
		r.printf("Results found for %s to %s:\n", stamp(s.From), stamp(s.To))
	}
	ratio := func(c verify.Count, name string) {
		all := c.All()
		if all == 0 {
			return
		}
		r.printf("\n%d/%d %s files valid", c.Verified, all, name)
		if bad := c.Bad() - c.Extra; bad > 0 {
			r.printf(", %d/%d %s files INVALID", bad, all, name)
		}
		if c.Unverified > 0 {
			r.printf(", %d/%d %s files not verified", c.Unverified, all, name)
		}
	}
	ratio(s.Digests, "digest")
	ratio(s.Backfill, "backfill digest")
	ratio(s.Logs, "log")
	if s.Logs.Extra > 0 {
		r.printf("\n%d log files INVALID that no digest names", s.Logs.Extra)
	}
	if s.Others > 0 {
		r.printf("\n%d files of kinds that digests do not name", s.Others)
	}
	r.printf("\n")
	return r.err
}

// verifyNew verifies what a compaction brought, and what older objects may be decided of by now.
func verifyNew(ctx context.Context, lake string, urls []string, began int64, opt verify.Options, out, errs io.Writer) (err error) {
	l, err := openLakeToWrite(ctx, lake)
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, l.Close()) }()
	opt.To = time.Now().UTC().Truncate(time.Second)
	if opt.From, err = verify.Undecided(ctx, l, began, opt.To); err != nil {
		return fmt.Errorf("verifying: %w", err)
	}
	if opt.From.IsZero() {
		fmt.Fprintln(errs, "nothing new to verify")
		return nil
	}
	var sources []blob.Store
	for _, url := range urls {
		source, err := openSource(ctx, url)
		if err != nil {
			return err
		}
		sources = append(sources, source)
	}
	return verifyTo(ctx, l, sources, opt, newVerifyReport(out, false, false), errs)
}

func keysCommand() *cobra.Command {
	c := &cobra.Command{Use: "keys", Short: "the public keys of CloudTrail's digests", Args: oneOf, RunE: which}
	save := &cobra.Command{
		Use:   "save DIR",
		Short: "save the public keys that the lake's digests need",
		Long: `Asks CloudTrail for the public keys of each region and period that the lake has digests of, and adds them to DIR/REGION.json, in the
form that aws cloudtrail list-public-keys prints. A key that CloudTrail no longer gives out cannot be had again: save them now.

  trailql keys save ./keys --lake ./lake
  trailql keys save ./keys --for us-east-1 --for eu-central-1 --from 2024-01-01`,
		Args: arguments(1, 1),
	}
	lake := lakeFlag(save)
	regions := save.Flags().StringArray("for", nil, "`region` to ask in place of those that the lake has; may be given again")
	from := save.Flags().String("from", "", "with --for: `time` from which on keys were valid; a year ago if missing")
	to := save.Flags().String("to", "", "with --for: `time` up to which; now if missing")
	save.RunE = func(c *cobra.Command, args []string) error {
		ctx := c.Context()
		spans := []keySpan{}
		if len(*regions) > 0 {
			s := keySpan{from: time.Now().AddDate(-1, 0, 0), to: time.Now()}
			for _, t := range []struct {
				flag, text string
				at         *time.Time
			}{{"--from", *from, &s.from}, {"--to", *to, &s.to}} {
				if t.text != "" {
					var err error
					if *t.at, err = parseMoment(t.flag, t.text); err != nil {
						return err
					}
				}
			}
			for _, region := range *regions {
				spans = append(spans, keySpan{region, s.from, s.to})
			}
		} else {
			if *from != "" || *to != "" {
				return usage("--from and --to go with --for; without it the lake's digests say what is needed")
			}
			var err error
			if spans, err = neededKeys(ctx, *lake); err != nil {
				return err
			}
		}
		store, err := openStore(ctx, args[0])
		if err != nil {
			return fmt.Errorf("opening the folder of keys: %w", err)
		}
		api := keysAPI(ctx)
		for _, s := range spans {
			keys, err := api.PublicKeys(ctx, s.region, s.from.Add(-time.Hour), s.to.Add(2*time.Hour))
			if err != nil {
				return err
			}
			added, all, err := verify.SaveKeys(ctx, store, s.region, keys)
			if err != nil {
				return fmt.Errorf("saving the keys of %s: %w", s.region, err)
			}
			fmt.Fprintf(c.OutOrStdout(), "%s: %s new, %s in all\n", s.region, figure.Count(int64(added)), figure.Count(int64(all)))
		}
		return nil
	}
	c.AddCommand(save)
	return c
}

// keySpan is a region and a period of which keys are needed.
type keySpan struct {
	region   string
	from, to time.Time
}

// neededKeys says of which regions and periods the lake has digests.
func neededKeys(ctx context.Context, url string) (spans []keySpan, err error) {
	l, err := openLake(ctx, url)
	if err != nil {
		return nil, err
	}
	defer func() { err = cmp.Or(err, l.Close()) }()
	r, err := engine.New(l).Query(ctx, `SELECT region, min(start_time), max(end_time) FROM `+catalog.Digests+` WHERE region IS NOT NULL GROUP BY region ORDER BY region`, engine.Options{})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for {
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		region, first, last := vec.Plain(b.Cols[0]).(*array.String), b.Cols[1].(*array.Timestamp), b.Cols[2].(*array.Timestamp)
		for i := range b.Len {
			spans = append(spans, keySpan{strings.Clone(region.Value(i)), time.UnixMicro(int64(first.Value(i))), time.UnixMicro(int64(last.Value(i)))})
		}
	}
	if len(spans) == 0 {
		return nil, fmt.Errorf("the lake %s has no digests; name regions with --for", url)
	}
	return spans, nil
}
