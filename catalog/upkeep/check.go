package upkeep

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/engine/figure"
)

// Checked is what a check looked at and found. The lake is whole where Wrong is empty.
type Checked struct {
	Version  int64     `json:"version"`
	Files    int64     `json:"files"` // of the lake, each with its size
	Bytes    int64     `json:"bytes"`
	Replaced int64     `json:"replaced"` // that were merged or removed and wait for a sweep
	Young    int64     `json:"young"`    // that no version knows yet: someone may be about to commit them
	Records  int64     `json:"records"`  // of all trail objects
	Objects  int64     `json:"objects"`
	Expired  int64     `json:"expired"` // rows that retention removed, by its receipts
	Wrong    []Finding `json:"wrong"`
}

// Finding is one thing that is wrong.
type Finding struct {
	What string `json:"what"` // file, ledger, index, receipt
	Name string `json:"name,omitempty"`
	Says string `json:"says"`
}

const mostFindings = 1000

func (c *Checked) wrong(what, name, format string, args ...any) {
	if len(c.Wrong) < mostFindings {
		c.Wrong = append(c.Wrong, Finding{what, name, fmt.Sprintf(format, args...)})
	}
}

// grace is how old a file must be that no version knows before it counts as left behind; a sweep removes it then.
const grace = 24 * time.Hour

// Check holds the log against the files, the ledger against the tables and the index against the log. It reads no data file but those of
// the ledger's tables; that the bytes of files are right is for Scrub.
func Check(ctx context.Context, lake *catalog.Lake, now time.Time) (*Checked, error) {
	snap, err := lake.Newest(ctx)
	if err != nil {
		return nil, err
	}
	c := &Checked{Version: snap.Version(), Wrong: []Finding{}}
	for _, table := range tables() {
		if err := c.files(ctx, lake, table, now); err != nil {
			return nil, err
		}
	}
	if err := c.ledger(ctx, lake, snap); err != nil {
		return nil, err
	}
	wrong, err := lake.CheckIndex(ctx)
	for _, says := range wrong {
		c.wrong("index", "", "%s", says)
	}
	return c, err
}

// files holds what the store has of a table against the log. The listing comes first: what is removed and swept meanwhile is no longer
// part of the newer version.
func (c *Checked) files(ctx context.Context, lake *catalog.Lake, table string, now time.Time) error {
	found := map[string]blob.Info{}
	err := lake.Store().List(ctx, table+"/", "", func(info blob.Info) error {
		if path.Ext(info.Name) == ".parquet" && !strings.HasPrefix(info.Name, table+"/_") {
			found[strings.TrimPrefix(info.Name, table+"/")] = info
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("list %s: %w", table, err)
	}
	snap, err := lake.Newest(ctx)
	if err != nil {
		return err
	}
	files, err := snap.AllFiles(ctx, table)
	if err != nil {
		return err
	}
	for _, f := range files {
		c.Files++
		c.Bytes += f.Size
		info, ok := found[f.Path]
		if !ok { // it may have come after the listing
			if info, err = lake.Store().Stat(ctx, table+"/"+f.Path); err != nil {
				c.wrong("file", table+"/"+f.Path, "it cannot be found: %v; put it back from a copy of the lake, its SHA-256 is %x", err, f.SHA256)
				continue
			}
		}
		if info.Size != f.Size {
			c.wrong("file", table+"/"+f.Path, "it has %d bytes, the log says %d; put it back from a copy of the lake, its SHA-256 is %x", info.Size, f.Size, f.SHA256)
		}
	}
	known, err := lake.Removals(ctx, table)
	if err != nil {
		return err
	}
	for name, info := range found {
		removed, ok := known[name]
		switch {
		case ok && removed.IsZero():
		case ok:
			c.Replaced++
		case now.Sub(info.ModTime) <= grace:
			c.Young++
		default:
			c.wrong("file", table+"/"+name, "no version knows it and it is older than a day: trailql lake sweep removes it")
		}
	}
	return nil
}

// ledger checks that each record of each object is accounted for, and that the tables hold as many rows as the ledger says.
func (c *Checked) ledger(ctx context.Context, lake *catalog.Lake, snap *catalog.Snapshot) error {
	err := ask(ctx, lake, snap, "SELECT path, records, rows, duplicates, quarantined FROM trail_files WHERE records <> rows + duplicates + quarantined ORDER BY 1 LIMIT 100", func(row []any) {
		c.wrong("ledger", row[0].(string), "%d records are not %d rows + %d duplicates + %d quarantined", row[1:]...)
	})
	if err != nil {
		return err
	}
	var rows, duplicates, quarantined, digests int64
	err = ask(ctx, lake, snap, "SELECT count(*), coalesce(sum(records), 0), coalesce(sum(rows), 0), coalesce(sum(duplicates), 0), coalesce(sum(quarantined), 0), count_if(state = 'digest') FROM trail_files", func(row []any) {
		c.Objects, c.Records, rows, duplicates, quarantined, digests = row[0].(int64), row[1].(int64), row[2].(int64), row[3].(int64), row[4].(int64), row[5].(int64)
	})
	if err != nil {
		return err
	}
	if c.Expired, err = c.receipts(ctx, lake, snap); err != nil {
		return err
	}
	count := func(text string) (n int64) {
		if err == nil {
			n, err = number(ctx, lake, snap, text)
		}
		return n
	}
	var have int64
	for _, table := range recordTables {
		have += count("SELECT count(*) FROM " + table)
	}
	for _, t := range []struct {
		what       string
		have, want int64
		extra      string
	}{
		{"tables of events", have, rows - c.Expired, fmt.Sprintf(" (%s rows less %s that retention removed)", figure.Count(rows), figure.Count(c.Expired))},
		{catalog.Duplicates, count("SELECT count(*) FROM trail_duplicates"), duplicates, ""},
		{catalog.Quarantine, count("SELECT count(*) FROM trail_quarantine WHERE row IS NOT NULL"), quarantined, ""},
		{catalog.Digests, count("SELECT count(*) FROM trail_digests"), digests, ""},
	} {
		if err == nil && t.have != t.want {
			c.wrong("ledger", "", "the %s have %s rows, the ledger says %s%s", t.what, figure.Count(t.have), figure.Count(t.want), t.extra)
		}
	}
	return err
}

// receipts adds up what the receipts of the versions say was removed.
func (c *Checked) receipts(ctx context.Context, lake *catalog.Lake, snap *catalog.Snapshot) (rows int64, err error) {
	named, err := lake.Receipts(ctx)
	if err != nil {
		return 0, err
	}
	var versions []int64
	for v := range named {
		if v <= snap.Version() {
			versions = append(versions, v)
		}
	}
	slices.Sort(versions)
	for _, v := range versions {
		var r Receipt
		ok, err := read(ctx, lake.Store(), named[v], &r)
		switch {
		case err != nil:
			c.wrong("receipt", named[v], "it cannot be read: %v", err)
		case !ok:
			c.wrong("receipt", named[v], "version %d removed rows, and its receipt is gone", v)
		case r.Version != v:
			c.wrong("receipt", named[v], "it is of version %d, but version %d names it", r.Version, v)
		default:
			rows += r.Rows
		}
	}
	return rows, nil
}
