package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/trailql/trailql/catalog/compact"
	"github.com/trailql/trailql/connectors/cloudtrail"
	"github.com/trailql/trailql/connectors/cloudtrail/synth"
	"github.com/trailql/trailql/connectors/shell"
	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/figure"
)

func demoCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "demo",
		Short: "a lake from a generated trail, and first answers (no account, no network)",
		Long: `Generates a trail (accounts, regions, days; people, programs, services; an incident),
compacts it and asks it a handful of questions. In the folder of --dir, which is made anew:

  trail/       the trail, as a bucket of archived logs looks, with the digests' signatures in files beside them
  keys/        the public key that trailql verify needs
  truth.json   what is in it: counts, and which event ids are what
  lake/        the lake

Equal flags give an equal trail.`,
		Args: arguments(0, 0),
	}
	dir := c.Flags().String("dir", "demo", "folder to make")
	opt := synth.Options{Incident: true, Faults: true, Sign: true}
	c.Flags().IntVar(&opt.Events, "events", 100_000, "records of the trail, about")
	c.Flags().IntVar(&opt.Accounts, "accounts", 3, "accounts")
	c.Flags().IntVar(&opt.Regions, "regions", 3, "regions, at most 8")
	c.Flags().IntVar(&opt.Days, "days", 5, "days")
	c.Flags().Uint64Var(&opt.Seed, "seed", 1, "seed of everything that is drawn")
	c.Flags().BoolVar(&opt.Incident, "incident", true, "plant the incident")
	c.Flags().BoolVar(&opt.Faults, "faults", true, "plant a damaged object and redelivered ones")
	trailOnly := c.Flags().Bool("trail-only", false, "make the trail and its truth file, no lake")
	memory := memoryFlag(c, 1<<30)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if opt.Events < 1 || opt.Accounts < 1 || opt.Regions < 1 || opt.Days < 1 {
			return usage("--events, --accounts, --regions and --days take numbers from 1")
		}
		if err := memory.bound(); err != nil {
			return err
		}
		d := demo{dir: *dir, out: c.OutOrStdout(), errs: c.ErrOrStderr()}
		truth, err := d.trail(c.Context(), opt)
		if err != nil || *trailOnly {
			return err
		}
		return d.lake(c.Context(), truth, memory)
	}
	return c
}

type demo struct {
	dir       string
	out, errs io.Writer
}

// trail writes DIR/trail and DIR/truth.json in place of those of an earlier demo; a folder that holds anything else is left alone.
func (d demo) trail(ctx context.Context, opt synth.Options) (*synth.Truth, error) {
	begun := time.Now()
	truthFile := filepath.Join(d.dir, "truth.json")
	entries, err := os.ReadDir(d.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("making the demo: %w", err)
	}
	if _, err := os.Stat(truthFile); err != nil && len(entries) > 0 {
		return nil, usage("%s is not empty and no demo of before; name another folder with --dir", d.dir)
	}
	for _, old := range []string{"lake", "trail", "keys"} {
		if err := os.RemoveAll(filepath.Join(d.dir, old)); err != nil {
			return nil, fmt.Errorf("removing the demo of before: %w", err)
		}
	}
	// The mark of a demo is written first, so that one that was interrupted can be made anew.
	if err := os.MkdirAll(d.dir, 0o777); err != nil {
		return nil, fmt.Errorf("making the demo: %w", err)
	}
	if err := os.WriteFile(truthFile, nil, 0o666); err != nil {
		return nil, fmt.Errorf("making the demo: %w", err)
	}
	var size int64
	truth, err := synth.Generate(ctx, opt, func(o synth.Object) error {
		name := filepath.Join(d.dir, "trail", filepath.FromSlash(o.Name))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			return err
		}
		size += int64(len(o.Data))
		if o.Metadata != nil {
			if err := writeSidecar(name, o.Metadata); err != nil {
				return err
			}
		}
		return os.WriteFile(name, o.Data, 0o666)
	})
	if err != nil {
		return nil, err
	}
	keys, err := synth.PublicKeys(opt)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(d.dir, "keys"), 0o777); err != nil {
		return nil, fmt.Errorf("making the demo: %w", err)
	}
	if err := os.WriteFile(filepath.Join(d.dir, "keys", "keys.json"), keys, 0o666); err != nil {
		return nil, fmt.Errorf("making the demo: %w", err)
	}
	text, err := json.MarshalIndent(truth, "", " ")
	if err != nil {
		return nil, fmt.Errorf("writing the truth file: %w", err)
	}
	if err := os.WriteFile(truthFile, append(text, '\n'), 0o666); err != nil {
		return nil, fmt.Errorf("writing the truth file: %w", err)
	}
	fmt.Fprintf(d.errs, "%s: %s records in %s objects, %s (%s)\n", filepath.Join(d.dir, "trail"), figure.Count(int64(truth.Records)),
		figure.Count(int64(truth.Objects)), figure.Bytes(size), time.Since(begun).Round(10*time.Millisecond))
	return truth, nil
}

// writeSidecar keeps the metadata of an object beside it.
func writeSidecar(name string, metadata map[string]string) error {
	text, err := json.Marshal(map[string]any{"Metadata": metadata})
	if err != nil {
		return err
	}
	return os.WriteFile(name+cloudtrail.SidecarSuffix, append(text, '\n'), 0o666)
}

// question is one that the demo asks.
type question struct{ title, sql string }

func questions(truth *synth.Truth) []question {
	qs := []question{
		{"What is in the lake?", `SELECT account, region, count(*) AS events, min(eventtime) AS first, max(eventtime) AS last
FROM cloudtrail_logs GROUP BY 1, 2 ORDER BY events DESC`},
		{"Is every record accounted for? records = rows + duplicates + quarantined", `SELECT kind, state, count(*) AS objects, sum(records) AS records, sum(rows) AS rows,
       sum(duplicates) AS duplicates, sum(quarantined) AS quarantined
FROM trail_files GROUP BY 1, 2 ORDER BY 1, 2`},
		{"Who was refused most often?", `SELECT useridentity.arn, eventsource, count(*) AS refused
FROM cloudtrail_logs
WHERE errorcode LIKE '%UnauthorizedOperation' OR errorcode LIKE 'AccessDenied%'
GROUP BY 1, 2 ORDER BY refused DESC, 1, 2 LIMIT 5`},
		{"Which console sign-ins had no MFA?", `SELECT eventtime, useridentity.username, sourceipaddress, recipientaccountid
FROM cloudtrail_logs
WHERE eventname = 'ConsoleLogin'
  AND json_extract_scalar(additionaleventdata, '$.MFAUsed') = 'No'
  AND json_extract_scalar(responseelements, '$.ConsoleLogin') = 'Success'
ORDER BY eventtime`},
	}
	if i := truth.Incident; i != nil {
		qs = append(qs,
			question{"What did that address do, by account and service?", fmt.Sprintf(`SELECT recipientaccountid, eventsource, count(*) AS calls, count(errorcode) AS failed,
       min(eventtime) AS first, max(eventtime) AS last
FROM cloudtrail_logs WHERE sourceipaddress = '%s'
GROUP BY 1, 2 ORDER BY first, 2`, i.IP)},
			question{"What came of the key that it used, over roles and accounts?", fmt.Sprintf(`SELECT depth, via, role, accesskeyid, principal_name(useridentity) AS who,
       count(*) AS calls, min(eventtime) AS first
FROM sessions_of('%s') WHERE sourceipaddress = '%s'
GROUP BY 1, 2, 3, 4, 5 ORDER BY 1`, i.AccessKey, i.IP)},
			question{"How much does a question about one day read?", fmt.Sprintf(`EXPLAIN SELECT eventname, count(*) FROM cloudtrail_logs
WHERE eventtime >= '%[1]sT00:00:00Z' AND eventtime < '%[1]sT12:00:00Z'
GROUP BY 1`, i.Date)})
	}
	return qs
}

// lake compacts the trail, asks the questions and holds the lake's counts against the truth.
func (d demo) lake(ctx context.Context, truth *synth.Truth, memory *byteSize) error {
	folder := filepath.Join(d.dir, "lake")
	summary, err := compactFolders(ctx, []string{filepath.Join(d.dir, "trail")}, folder, compact.Options{Memory: int64(*memory)}, d.errs)
	if err != nil {
		return err
	}
	l, err := openLake(ctx, folder)
	if err != nil {
		return err
	}
	defer l.Close()
	backend := shell.Direct(engine.New(l), queryOptions(memory.queries()))
	for _, q := range questions(truth) {
		fmt.Fprintf(d.out, "\n-- %s\n%s;\n\n", q.title, q.sql)
		s := shell.New(shell.Config{Backend: backend, Out: d.out, Errs: d.errs, Format: "table", Size: terminalSize(d.out)})
		if err := s.Script(ctx, q.sql); err != nil {
			return err
		}
	}
	rows := 0
	for _, n := range truth.Rows {
		rows += n
	}
	if summary.Rows != int64(rows) || summary.Duplicates != int64(truth.Duplicates) || summary.SetAside != int64(len(truth.Damaged)) {
		return fmt.Errorf("the lake has %d rows, %d duplicates and %d damaged objects; the truth file says %d, %d and %d",
			summary.Rows, summary.Duplicates, summary.SetAside, rows, truth.Duplicates, len(truth.Damaged))
	}
	fmt.Fprintf(d.out, "\nThe lake agrees with %s: %s rows, %s duplicates, %d damaged object.\n",
		filepath.Join(d.dir, "truth.json"), figure.Count(int64(rows)), figure.Count(int64(truth.Duplicates)), len(truth.Damaged))
	fmt.Fprintf(d.out, `Ask your own:
  trailql query --lake %[1]s "SELECT eventtime, eventname, errorcode FROM cloudtrail_logs WHERE sourceipaddress = '198.51.100.77' ORDER BY eventtime"
  trailql shell --lake %[1]s
  trailql serve --lake %[1]s
  trailql report run cis-3.0 --lake %[1]s --from %s --to %s --out report
`, folder, truth.From, truth.To)
	return nil
}
