package upkeep

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/parquetio"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/vec"
)

// Policy says which events are over their time: those of days before Before, of some accounts and categories.
type Policy struct {
	Before     string   `json:"before"`               // 2006-01-02
	Accounts   []string `json:"accounts,omitempty"`   // nil: all
	Categories []string `json:"categories,omitempty"` // values of eventcategory: Management, Data …; nil: all events, those without one too
}

// Receipt tells what a removal took away, and by whom and why. It is an object of the lake, and the version that removed names it.
type Receipt struct {
	Name    string         `json:"name"`    // of the object in the lake
	Version int64          `json:"version"` // that removes the rows
	Act     Act            `json:"act"`
	Policy  Policy         `json:"policy"`
	Holds   []Hold         `json:"holds"` // that were in force, and kept what they cover
	Held    int64          `json:"held"`  // rows in files that the policy names and a hold keeps (a file's other rows count too)
	Rows    int64          `json:"rows"`
	Bytes   int64          `json:"bytes"` // of the files that are no longer part of the lake
	Removed []RemovedRows  `json:"removed"`
	Files   []RemovedFile  `json:"files"`
	Counts  map[string]int `json:"counts"` // of files: whole and rewritten
}

// RemovedRows counts rows of one account, category and day.
type RemovedRows struct {
	Table    string `json:"table"`
	Account  string `json:"account"`
	Category string `json:"category"`
	Day      string `json:"day"`
	Rows     int64  `json:"rows"`
}

// RemovedFile is a file that is no longer part of the lake: all of its rows are removed, or the rest stands in another one.
type RemovedFile struct {
	Table  string `json:"table"`
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
	Rows   int64  `json:"rows"`           // that are removed
	Kept   int64  `json:"kept,omitempty"` // that stand in another file
	As     string `json:"as,omitempty"`   // which is this one
}

const (
	receiptFolder  = "_trailql/receipts/"
	expireAttempts = 20
)

// Expire removes the events that a policy names and no hold keeps, in one version of the lake. With dry it only tells what it would remove:
// of files of which a part goes, rows are counted by asking. The bytes of the files stay until a sweep.
func Expire(ctx context.Context, lake *catalog.Lake, p Policy, act Act, dry bool) (*Receipt, error) {
	if _, err := time.Parse(time.DateOnly, p.Before); err != nil {
		return nil, fmt.Errorf("%q is no day such as 2026-03-01", p.Before)
	}
	for range expireAttempts {
		r, err := expireOnce(ctx, lake, p, act, dry)
		if !errors.Is(err, catalog.ErrConflict) {
			return r, err
		}
	}
	return nil, fmt.Errorf("other writers were faster %d times; nothing was removed, try again when they rest", expireAttempts)
}

// expiry is one attempt.
type expiry struct {
	lake   *catalog.Lake
	snap   *catalog.Snapshot
	policy Policy
	holds  []Hold
	r      *Receipt
	change catalog.Change
	names  []string // of files written
}

func expireOnce(ctx context.Context, lake *catalog.Lake, p Policy, act Act, dry bool) (_ *Receipt, err error) {
	x := &expiry{lake: lake, policy: p, change: catalog.Change{Add: map[string][]catalog.NewFile{}, Remove: map[string][]*catalog.File{}}}
	if x.snap, err = lake.Newest(ctx); err != nil { // before the holds: one that comes later makes a version
		return nil, err
	}
	if x.holds, err = Holds(ctx, lake.Store()); err != nil {
		return nil, err
	}
	x.r = &Receipt{Version: x.snap.Version() + 1, Act: act, Policy: p, Holds: x.holds, Counts: map[string]int{"whole": 0, "rewritten": 0}}
	defer func() {
		if err != nil {
			x.discard(ctx)
		}
	}()
	for _, table := range recordTables {
		if err := x.table(ctx, table, dry); err != nil {
			return nil, err
		}
	}
	var counted int64
	for _, g := range x.r.Removed {
		counted += g.Rows
	}
	if dry {
		x.r.Rows = counted
		return x.r, nil
	}
	if counted != x.r.Rows {
		return nil, fmt.Errorf("internal error: %d rows are over their time, %d would be removed; nothing was", counted, x.r.Rows)
	}
	if len(x.change.Remove) == 0 {
		return x.r, nil
	}
	name, err := lake.NewPath(catalog.Files, catalog.Partition{})
	if err != nil {
		return nil, err
	}
	x.r.Name = fmt.Sprintf("%s%020d-%.8s.json", receiptFolder, x.r.Version, name)
	x.change.Receipt = x.r.Name
	if err := put(ctx, lake.Store(), x.r.Name, x.r); err != nil {
		return nil, fmt.Errorf("write the receipt: %w", err)
	}
	x.names = append(x.names, x.r.Name)
	done, err := lake.Commit(ctx, x.snap, x.change)
	if done {
		x.names = nil
	}
	return x.r, err
}

func (x *expiry) discard(ctx context.Context) {
	for _, name := range x.names {
		_ = x.lake.Store().Delete(context.WithoutCancel(ctx), name) // what stays is swept later
	}
}

// over reports whether the policy names a partition, and whether a hold keeps it.
func (x *expiry) over(p catalog.Partition) (over, held bool) {
	if p.Date == "" || p.Date >= x.policy.Before || x.policy.Accounts != nil && !slices.Contains(x.policy.Accounts, p.Account) {
		return false, false
	}
	return true, slices.ContainsFunc(x.holds, func(h Hold) bool { return h.covers(p) })
}

func (x *expiry) table(ctx context.Context, table string, dry bool) error {
	layout := catalog.LayoutOf(table)
	partitions, err := x.snap.Partitions(ctx, table)
	if err != nil {
		return err
	}
	for _, p := range partitions {
		over, held := x.over(p)
		if !over {
			continue
		}
		files, err := x.snap.Files(ctx, table, p)
		if err != nil {
			return err
		}
		for _, f := range files {
			part := x.share(layout, f)
			switch {
			case part == none:
			case held:
				x.r.Held += f.Rows
			case part == all:
				x.r.Counts["whole"]++
				x.remove(table, f, RemovedFile{Rows: f.Rows})
			case dry:
				x.r.Counts["rewritten"]++
				x.remove(table, f, RemovedFile{})
			default:
				if err := x.rewrite(ctx, layout, f); err != nil {
					return fmt.Errorf("rewrite %s/%s: %w", table, f.Path, err)
				}
			}
		}
	}
	if len(x.change.Remove[table]) == 0 {
		return nil
	}
	return x.count(ctx, table)
}

// remove notes a file that goes.
func (x *expiry) remove(table string, f *catalog.File, r RemovedFile) {
	r.Table, r.Path, r.SHA256, r.Size = table, f.Path, hex.EncodeToString(f.SHA256), f.Size
	x.r.Files = append(x.r.Files, r)
	x.r.Rows += r.Rows
	x.r.Bytes += r.Size
	x.change.Remove[table] = append(x.change.Remove[table], f)
}

// share is how much of a file the policy names.
type share int

const (
	some share = iota
	none
	all
)

func (x *expiry) share(layout *catalog.Layout, f *catalog.File) share {
	if x.policy.Categories == nil {
		return all
	}
	s, known := layout.Stats(f)["eventcategory"]
	lo, okLo := s.Min.(string)
	hi, okHi := s.Max.(string)
	switch {
	case known && s.Nulls == f.Rows:
		return none
	case !known || !okLo || !okHi:
		return some
	case lo == hi && s.Nulls == 0 && slices.Contains(x.policy.Categories, lo):
		return all
	case !slices.ContainsFunc(x.policy.Categories, func(c string) bool { return c >= lo && c <= hi }):
		return none
	}
	return some
}

// count asks how many rows of each account, category and day are over their time.
func (x *expiry) count(ctx context.Context, table string) error {
	where := []string{"date < date '" + x.policy.Before + "'"}
	if x.policy.Accounts != nil {
		where = append(where, "account IN ("+quoted(x.policy.Accounts)+")")
	}
	if x.policy.Categories != nil {
		where = append(where, "eventcategory IN ("+quoted(x.policy.Categories)+")")
	}
	for _, h := range x.holds {
		cover := []string{"date IS NOT NULL"}
		if h.Account != "" {
			cover = append(cover, "coalesce(account, '') = "+quoted([]string{h.Account}))
		}
		if h.From != "" {
			cover = append(cover, "date >= date '"+h.From+"'")
		}
		if h.To != "" {
			cover = append(cover, "date <= date '"+h.To+"'")
		}
		where = append(where, "NOT ("+strings.Join(cover, " AND ")+")")
	}
	return ask(ctx, x.lake, x.snap, "SELECT coalesce(account, ''), coalesce(eventcategory, ''), CAST(date AS varchar), count(*) FROM "+table+
		" WHERE "+strings.Join(where, " AND ")+" GROUP BY 1, 2, 3 ORDER BY 1, 3, 2", func(row []any) {
		x.r.Removed = append(x.r.Removed, RemovedRows{table, row[0].(string), row[1].(string), row[2].(string), row[3].(int64)})
	})
}

// quoted lists texts as SQL does.
func quoted(texts []string) string {
	var out []string
	for _, t := range texts {
		out = append(out, "'"+strings.ReplaceAll(t, "'", "''")+"'")
	}
	return strings.Join(out, ", ")
}

// rewrite writes what stays of a file into another one, in its order.
func (x *expiry) rewrite(ctx context.Context, layout *catalog.Layout, f *catalog.File) error {
	columns := layout.Stored(true)
	category := -1
	req := source.Request{Limit: -1}
	for i, c := range columns {
		if c.Name == "eventcategory" {
			category = i
		}
		req.Paths = append(req.Paths, source.Path{Column: slices.IndexFunc(layout.Columns, func(o source.Column) bool { return o.Name == c.Name })})
	}
	if category < 0 {
		return nil // such a table has no categories
	}
	scan, err := x.lake.ScanFiles(ctx, layout, []*catalog.File{f}, req)
	if err != nil {
		return err
	}
	next := source.InOrder(ctx, scan)
	kept, read := int64(0), int64(0)
	filtered := func() (vec.Batch, error) {
		for {
			b, err := next()
			if err != nil {
				return b, err
			}
			read += int64(b.Len)
			var stay []int32
			text := vec.Plain(b.Cols[category]).(*array.String)
			for i := range b.Len {
				if text.IsNull(i) || !slices.Contains(x.policy.Categories, text.Value(i)) {
					stay = append(stay, int32(i))
				}
			}
			if len(stay) == 0 {
				continue
			}
			kept += int64(len(stay))
			return b.Take(stay), nil
		}
	}
	first, err := filtered()
	if errors.Is(err, io.EOF) { // nothing stays
		x.r.Counts["whole"]++
		x.remove(layout.Name, f, RemovedFile{Rows: f.Rows})
		return nil
	}
	if err != nil {
		return err
	}
	n := catalog.NewFile{Partition: f.Partition, Canonical: f.Canonical, Commits: true}
	if n.Path, err = x.lake.NewPath(layout.Name, f.Partition); err != nil {
		return err
	}
	name := layout.Name + "/" + n.Path
	out, err := x.lake.Store().Create(ctx, name)
	if err != nil {
		return err
	}
	defer out.Abort()
	begun := false
	n.Written, err = parquetio.Write(out, parquetio.WriteOptions{Columns: columns, Bloom: layout.Bloom, NoStats: layout.NoStats}, func() (vec.Batch, error) {
		if !begun {
			begun = true
			return first, nil
		}
		return filtered()
	})
	if err != nil {
		return err
	}
	if read != f.Rows || n.Written.Rows != kept {
		return fmt.Errorf("internal error: %d of %d rows were read, %d of %d written", read, f.Rows, n.Written.Rows, kept)
	}
	x.names = append(x.names, name)
	if err := out.Close(); err != nil {
		return err
	}
	if err := x.readBack(ctx, layout, n); err != nil {
		return fmt.Errorf("reading it back: %w", err)
	}
	if kept == f.Rows { // none was of such a category
		x.names = x.names[:len(x.names)-1]
		return x.lake.Store().Delete(ctx, name)
	}
	x.r.Counts["rewritten"]++
	x.remove(layout.Name, f, RemovedFile{Rows: f.Rows - kept, Kept: kept, As: n.Path})
	x.change.Add[layout.Name] = append(x.change.Add[layout.Name], n)
	return nil
}

// readBack reads all of a file that was written; damage ends with an error.
func (x *expiry) readBack(ctx context.Context, layout *catalog.Layout, n catalog.NewFile) error {
	file := parquetio.File{Name: layout.Name + "/" + n.Path, Size: n.Written.Bytes, Rows: n.Written.Rows, FooterSHA256: n.Written.FooterSHA256}
	return parquetio.CheckPages(ctx, x.lake.Store(), file, layout.Stored(true))
}
