package compact

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/vec"
)

// Small files of a partition are merged in tiers: eight of about one size become one. So a row is written again only when
// its file grows about eightfold, and a partition has at most seven files of each size.
const (
	tierFiles = 8
	tierBase  = 256 << 10 // bytes up to which all files count as one size
	mostFiles = 64        // merged into one at a time
)

// mergeSmall merges the files of what got new ones in this run.
func (c *compactor) mergeSmall(ctx context.Context) error {
	places := slices.SortedFunc(maps.Keys(c.touched), func(a, b place) int {
		return cmp.Or(strings.Compare(a.table, b.table), strings.Compare(a.partition.String(), b.partition.String()))
	})
	for _, p := range places {
		for {
			merged, err := c.mergeOnce(ctx, p)
			if err != nil {
				return fmt.Errorf("merge files of %s: %w", p.table, err)
			}
			if !merged {
				break
			}
		}
	}
	return nil
}

// pick chooses the files to merge next, none if there is no full tier.
func (c *compactor) pick(files []*catalog.File) []*catalog.File {
	tiers := map[int][]*catalog.File{}
	for _, f := range files {
		if f.Size > c.opt.fileBytes/2 {
			continue
		}
		tier := 0
		for size := int64(tierBase); f.Size > size; size *= tierFiles {
			tier++
		}
		tiers[tier] = append(tiers[tier], f)
	}
	for _, tier := range slices.Sorted(maps.Keys(tiers)) {
		var size int64
		var out []*catalog.File
		for _, f := range tiers[tier] {
			if size += f.Size; size > 2*c.opt.fileBytes || len(out) == mostFiles {
				break
			}
			out = append(out, f)
		}
		if len(out) >= tierFiles {
			return out
		}
	}
	return nil
}

// mergeOnce merges some files of a place, and reports whether there may be more to do.
func (c *compactor) mergeOnce(ctx context.Context, p place) (bool, error) {
	layout := catalog.LayoutOf(p.table)
	snap, err := c.lake.Newest(ctx)
	if err != nil {
		return false, err
	}
	files, err := snap.Files(ctx, p.table, p.partition)
	if err != nil {
		return false, err
	}
	picked := c.pick(files)
	if picked == nil {
		return false, nil
	}
	out := c.newOutput(ctx)
	if err := c.mergeFiles(ctx, out, layout, p.partition, picked); err != nil {
		out.fail(err)
		out.discard(ctx)
		return false, err
	}
	if err := out.wait(); err != nil {
		out.discard(ctx)
		return false, err
	}
	var in, written int64
	for _, f := range picked {
		in += f.Rows
	}
	for _, f := range out.files[p.table] {
		written += f.Written.Rows
	}
	if in != written {
		out.discard(ctx)
		return false, fmt.Errorf("%w: %d rows went in, %d came out; nothing was committed", errInternal, in, written)
	}
	change := catalog.Change{Merge: true, Add: out.files, Remove: map[string][]*catalog.File{p.table: picked}}
	for {
		done, err := c.lake.Commit(ctx, snap, change)
		switch {
		case err == nil:
			c.sum.Merged += int64(len(picked))
			c.sum.Commits++
			c.progress.Commits.Add(1)
			return true, nil
		case done:
			return false, err
		case !errors.Is(err, catalog.ErrConflict):
			out.discard(ctx)
			return false, err
		}
		// Another writer was faster; the merge stands as long as none of its files was replaced.
		newer, err := c.lake.Newest(ctx)
		if err == nil {
			var touched []catalog.Touched
			touched, err = newer.Since(ctx, snap)
			if slices.ContainsFunc(touched, func(t catalog.Touched) bool {
				return t.Removed && t.Table == p.table && slices.ContainsFunc(picked, func(f *catalog.File) bool { return f.Path == t.Path })
			}) {
				out.discard(ctx)
				return true, nil
			}
		}
		if err != nil {
			out.discard(ctx)
			return false, err
		}
		snap = newer
	}
}

// mergeFiles writes the rows of files, each in order, as one sequence in order.
func (c *compactor) mergeFiles(ctx context.Context, out *output, layout *catalog.Layout, p catalog.Partition, files []*catalog.File) error {
	s := shape{columns: layout.Columns}
	key := layout.SortBy
	if ordinalOf(layout.Columns, "_path") >= 0 {
		key = slices.Concat(key, []string{"_path", "_row"})
	}
	for _, name := range key {
		s.key = append(s.key, s.ordinal(name))
	}
	var runs []run
	for _, f := range files {
		runs = append(runs, &lakeRun{c, layout, f})
	}
	m, err := newMerger(ctx, s, len(s.key), runs, c.opt.windowRows)
	if err != nil {
		return err
	}
	sink := out.open(layout, p, true)
	defer sink.close()
	return source.Each(m.window, func(b vec.Batch) error { return sink.add(storedColumns(layout, b)) })
}
