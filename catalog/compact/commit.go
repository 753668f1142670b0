package compact

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/trailql/trailql/catalog"
)

// consume reads the objects of pages and commits them, as many at a time as the memory allows.
func (c *compactor) consume(ctx context.Context, pages <-chan []pending) error {
	f := c.newFetcher(ctx, pages)
	defer f.close()
	for more := true; more; {
		var g *gathered
		var err error
		if g, more, err = c.gather(ctx, f); err != nil {
			return err
		}
		write := ctx
		if c.soft { // what was read is committed, whatever comes
			write = context.WithoutCancel(ctx)
		}
		if len(g.objects) > 0 {
			err = c.commit(write, g)
		}
		c.progress.Rows.Store(0)
		g.drop(ctx)
		if err != nil {
			return err
		}
		if err := c.leaveOut(write, g); err != nil {
			return err
		}
		if g.paused {
			if err := c.share.adopt(write); err != nil {
				return err
			}
			f.resume(ctx)
		}
	}
	return ctx.Err()
}

// leaveOut counts the objects that do not go into the ledger.
func (c *compactor) leaveOut(ctx context.Context, g *gathered) error {
	for _, o := range g.objects {
		note := catalog.Consumed{ETag: o.ETag, Size: o.pending.Size, SHA256: hex.EncodeToString(o.SHA256[:])}
		switch o.outcome {
		case consumed:
			continue
		case unreadable:
			c.sum.Unreadable++
			o.span.failed.Add(1)
			if o.span.hinted {
				c.failed[o.url] = true
			}
			c.sum.UnreadableNames = keep(c.sum.UnreadableNames, fmt.Sprintf("%s: %v", o.url, o.err))
			continue
		case unknown:
			c.unknown(o.url)
		case same:
			c.sum.Earlier++
			note.State = o.state
		}
		if err := c.lake.Remember(ctx, o.url, note); err != nil {
			return err
		}
	}
	return nil
}

// commit makes one commit of what was gathered. Another compactor may be faster: then the same files go into the next
// version if nothing that they depend on has changed, and else they are built anew without what the other one has read.
func (c *compactor) commit(ctx context.Context, g *gathered) error {
	snap, err := c.lake.Newest(ctx)
	if err != nil {
		return err
	}
	skip := map[string]bool{}
	if snap.Version() != c.version { // else all commits since the objects were listed are the run's own
		if err := c.consumedSince(ctx, snap, g, skip); err != nil {
			return err
		}
	}
	for {
		b, err := c.build(ctx, snap, g, skip)
		if err != nil {
			return err
		}
		if b.sum.New == 0 {
			c.sum.Earlier += int64(len(skip))
			return nil
		}
		for stale := false; !stale; {
			done, err := c.lake.Commit(ctx, snap, b.change())
			if err == nil {
				if c.version == snap.Version() {
					c.version++
				}
				c.committed(b)
				c.sum.Earlier += int64(len(skip))
				return nil
			}
			if done {
				return err
			}
			if !errors.Is(err, catalog.ErrConflict) {
				b.out.discard(ctx)
				return err
			}
			newer, err := c.lake.Newest(ctx)
			if err == nil {
				stale, err = c.outdated(ctx, b, snap, newer, g, skip)
			}
			if err != nil {
				b.out.discard(ctx)
				return err
			}
			snap = newer
		}
		b.out.discard(ctx)
	}
}

func (c *compactor) committed(b *builder) {
	s := &c.sum
	s.New += b.sum.New
	s.Bytes += b.sum.Bytes
	s.Records += b.sum.Records
	s.Rows += b.sum.Rows
	s.Duplicates += b.sum.Duplicates
	s.Quarantined += b.sum.Quarantined
	s.Foreign += b.sum.Foreign
	s.Digests += b.sum.Digests
	s.SetAside += b.sum.SetAside
	s.Altered += b.sum.Altered
	for _, name := range b.sum.SetAsideNames {
		s.SetAsideNames = keep(s.SetAsideNames, name)
	}
	s.Commits++
	c.progress.Commits.Add(1)
	for table, files := range b.out.files {
		s.FilesAdded += int64(len(files))
		c.touched[place{table: table}] = true
	}
	for p := range b.places {
		c.touched[p] = true
	}
}

// consumedSince adds to skip the objects that the ledger has by now.
func (c *compactor) consumedSince(ctx context.Context, snap *catalog.Snapshot, g *gathered, skip map[string]bool) error {
	if err := snap.Ledger(ctx); err != nil {
		return err
	}
	var ours []*object
	var urls []string
	for _, o := range g.objects {
		if o.outcome == consumed && !skip[o.url] {
			ours, urls = append(ours, o), append(urls, o.url)
		}
	}
	known, err := c.lake.Consumed(ctx, urls)
	if err != nil {
		return err
	}
	for i, o := range ours {
		for _, k := range known[i] {
			if k.State != "" && k.SHA256 == hex.EncodeToString(o.SHA256[:]) {
				skip[o.url] = true
			}
		}
	}
	return nil
}

// outdated reports whether the commits between two snapshots touch what a change was built on: its objects, the partitions that it
// compared its rows with, or files that it removes.
func (c *compactor) outdated(ctx context.Context, b *builder, from, to *catalog.Snapshot, g *gathered, skip map[string]bool) (bool, error) {
	before := len(skip)
	if err := c.consumedSince(ctx, to, g, skip); err != nil {
		return false, err
	}
	if len(skip) > before {
		return true, nil
	}
	touched, err := to.Since(ctx, from)
	if err != nil {
		return false, err
	}
	for _, t := range touched {
		if b.places[place{t.Table, t.Partition}] {
			return true, nil
		}
		for _, f := range b.remove[t.Table] {
			if t.Removed && f.Path == t.Path {
				return true, nil
			}
		}
	}
	return false, nil
}
