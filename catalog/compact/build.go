package compact

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/cloudtrail"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/vec"
)

// builder makes the change of one commit, against one snapshot, from what was gathered.
type builder struct {
	c    *compactor
	snap *catalog.Snapshot
	skip map[string]bool // objects that another compactor was faster with, by URL
	out  *output

	counts     map[string]*counts // by the URL of the object
	copies     *catalog.RowBuilder
	quarantine *catalog.RowBuilder
	digests    *catalog.RowBuilder
	ledger     *catalog.RowBuilder
	remove     map[string][]*catalog.File
	places     map[place]bool
	sum        Summary // what the commit adds to the run's
}

// counts of one object's records.
type counts struct{ rows, duplicates int64 }

// build writes the files of a commit. It does not change what was gathered.
func (c *compactor) build(ctx context.Context, snap *catalog.Snapshot, g *gathered, skip map[string]bool) (*builder, error) {
	b := &builder{c: c, snap: snap, skip: skip, out: c.newOutput(ctx), counts: map[string]*counts{},
		copies: catalog.NewRowBuilder(catalog.Duplicates), quarantine: catalog.NewRowBuilder(catalog.Quarantine), digests: catalog.NewRowBuilder(catalog.Digests), ledger: catalog.NewRowBuilder(catalog.Files),
		remove: map[string][]*catalog.File{}, places: map[place]bool{}}
	err := b.tables(ctx, g)
	if err == nil {
		err = b.objects(g)
	}
	if err == nil {
		for _, t := range []*catalog.RowBuilder{b.copies, b.quarantine, b.digests, b.ledger} {
			if err = b.writeTable(t); err != nil {
				break
			}
		}
	}
	if err != nil {
		b.out.fail(err)
	} else {
		err = b.out.wait()
	}
	if err != nil {
		b.out.discard(ctx)
		return nil, err
	}
	return b, nil
}

func (b *builder) change() catalog.Change {
	return catalog.Change{Add: b.out.files, Remove: b.remove}
}

// tables writes the rows of all record tables.
func (b *builder) tables(ctx context.Context, g *gathered) error {
	var rows int64
	for _, o := range g.objects {
		rows += o.Records - o.quarantined
	}
	b.c.progress.RowsDone.Store(0)
	b.c.progress.Rows.Store(rows)
	for _, name := range []string{cloudtrail.Logs, cloudtrail.Insights, cloudtrail.Aggregated} {
		if len(g.runs[name]) == 0 {
			continue
		}
		r := recordsOf(name)
		window, err := b.c.windows(ctx, r, g.runs[name])
		if err != nil {
			return err
		}
		var p *partition
		err = source.Each(window, func(w piece) error {
			defer b.c.progress.RowsDone.Add(int64(len(w.row)))
			if w = b.wanted(r, w); len(w.row) == 0 {
				return nil
			}
			where := partitionOf(r, w)
			if p == nil || p.where != where {
				if err := p.finish(ctx); err != nil {
					return err
				}
				if p, err = b.newPartition(ctx, r, where); err != nil {
					return err
				}
			}
			return p.add(ctx, w)
		})
		if err == nil {
			err = p.finish(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// windows yields the rows of runs in order, in pieces of one partition. Rows with the same partition, time and id are judged together, so they
// come in one piece.
func (c *compactor) windows(ctx context.Context, r *records, runs []run) (func() (piece, error), error) {
	if in, ok := runs[0].(*memoryRun); ok && len(runs) == 1 {
		return in.windows(c.opt.windowRows), nil
	}
	m, err := newMerger(ctx, r.shape, len(r.layout.Partitions)+2, runs, c.opt.windowRows)
	if err != nil {
		return nil, err
	}
	var w vec.Batch
	var same []bool
	return func() (piece, error) {
		if w.Len == 0 {
			if w, err = m.window(); err != nil {
				return piece{}, err
			}
			same = sameAsBefore(w, []int{r.account, r.region, r.date})
		}
		to := 1
		for to < w.Len && same[to-1] {
			to++
		}
		part := w.Slice(0, to)
		w, same = w.Slice(to, w.Len), same[min(to, len(same)):]
		return pieceOf(part), nil
	}, nil
}

// wanted drops the rows of objects that are skipped.
func (b *builder) wanted(r *records, w piece) piece {
	if len(b.skip) == 0 {
		return w
	}
	path := textOf(w.columns(r.path).Cols[r.path])
	rows := make([]int32, 0, len(w.row))
	for i := range w.row {
		if !b.skip[path(i)] {
			rows = append(rows, int32(i))
		}
	}
	return w.take(rows)
}

// partitionOf is the partition of the first row.
func partitionOf(r *records, w piece) catalog.Partition {
	b := w.take([]int32{0}).columns(r.account, r.region, r.date)
	p := catalog.Partition{Account: textOf(b.Cols[r.account])(0), Region: textOf(b.Cols[r.region])(0)}
	if d := b.Cols[r.date].(*array.Date32); d.IsValid(0) {
		p.Date = time.Unix(int64(d.Value(0))*86400, 0).UTC().Format(time.DateOnly)
	}
	return p
}

// partition writes the rows of one partition of a table.
type partition struct {
	b     *builder
	r     *records
	where catalog.Partition
	files []*committedFile
	sink  *sink
}

func (b *builder) newPartition(ctx context.Context, r *records, where catalog.Partition) (*partition, error) {
	files, err := b.snap.Files(ctx, r.layout.Name, where)
	if err != nil {
		return nil, err
	}
	p := &partition{b: b, r: r, where: where}
	p.files, err = r.committedFiles(files)
	return p, err
}

// add judges and writes rows in order. Rows with equal time and id must come in one piece.
func (p *partition) add(ctx context.Context, part piece) error {
	b, r := p.b, p.r
	all := part.columns(r.time, r.id, r.path, r.row)
	old, err := b.committed(ctx, r, p.files, all)
	if err != nil {
		return err
	}
	committed := old.batch.Len
	if committed > 0 {
		together, err := vec.ConcatBatches([]vec.Batch{old.batch, usual(part.pick())})
		if err != nil {
			return err
		}
		part = pieceOf(together)
		all = part.columns(r.time, r.id, r.path, r.row)
	}
	copyOf, conflict := r.judge(part, all, committed)
	path, row := textOf(all.Cols[r.path]), all.Cols[r.row].(*array.Int64)
	for i := range committed {
		if conflict[i] && !old.conflict[i] {
			f := old.file[i]
			if f.flag == nil {
				f.flag = map[rowKey]struct{}{}
			}
			f.flag[rowKey{path(i), row.Value(i)}] = struct{}{}
		}
	}
	var kept []int32
	key := keyReader(all.Cols[r.time], all.Cols[r.id])
	for i := committed; i < all.Len; i++ {
		n := b.counts[path(i)]
		if n == nil {
			n = &counts{}
			b.counts[path(i)] = n
		}
		of := copyOf[i]
		if of < 0 {
			n.rows++
			kept = append(kept, int32(i))
			continue
		}
		n.duplicates++
		k := key(i)
		b.copies.Text("path", path(i))
		b.copies.Number("row", row.Value(i))
		b.copies.Text("table_name", r.layout.Name)
		b.copies.TextOrNull("eventid", k.id, k.id != "")
		b.copies.TimeOrNull("time", k.time, k.timed)
		b.copies.Text("kept_path", path(int(of)))
		b.copies.Number("kept_row", row.Value(int(of)))
	}
	if len(kept) == 0 {
		return nil
	}
	if p.sink == nil {
		p.sink = b.out.open(r.layout, p.where, false)
		b.places[place{r.layout.Name, p.where}] = true
	}
	if len(kept) < all.Len {
		all = part.take(kept).pick()
	} else {
		for i := range all.Cols {
			if all.Cols[i] == nil {
				all.Cols[i] = part.rowPicker[i].pick(part.source, part.row)
			}
		}
	}
	return p.sink.add(r.toStore(all, kept, conflict))
}

// toStore gives rows the columns of a data file. Row i was row kept[i] where conflict was found.
func (r *records) toStore(rows vec.Batch, kept []int32, conflict []bool) vec.Batch {
	flags := array.NewBooleanBuilder(memory.DefaultAllocator)
	for _, i := range kept {
		flags.Append(conflict[i])
	}
	out := vec.Batch{Len: rows.Len}
	for _, c := range r.layout.Stored(false) {
		if c.Name == "_conflict" {
			out.Cols = append(out.Cols, flags.NewArray())
		} else {
			out.Cols = append(out.Cols, rows.Cols[r.ordinal(c.Name)])
		}
	}
	return out
}

// finish ends the partition, and rewrites the files of the lake in which rows turned out to be in conflict. p may be nil.
func (p *partition) finish(ctx context.Context) error {
	if p == nil {
		return nil
	}
	if p.sink != nil {
		p.sink.close()
	}
	for _, f := range p.files {
		if len(f.flag) == 0 {
			continue
		}
		if err := p.rewrite(ctx, f); err != nil {
			return err
		}
		p.b.remove[p.r.layout.Name] = append(p.b.remove[p.r.layout.Name], f.File)
	}
	return nil
}

// rewrite writes a file of the lake anew with _conflict set in the flagged rows.
func (p *partition) rewrite(ctx context.Context, f *committedFile) error {
	layout := p.r.layout
	run := &lakeRun{p.b.c, layout, f.File}
	next, err := run.open(ctx, p.b.c.opt.windowRows)
	if err != nil {
		return err
	}
	path, row, conflict := ordinalOf(layout.Columns, "_path"), ordinalOf(layout.Columns, "_row"), p.r.conflict
	sink := p.b.out.open(layout, p.where, true)
	defer sink.close()
	return source.Each(next, func(b vec.Batch) error {
		paths, rows, old := textOf(b.Cols[path]), b.Cols[row].(*array.Int64), b.Cols[conflict].(*array.Boolean)
		flags := array.NewBooleanBuilder(memory.DefaultAllocator)
		for i := range b.Len {
			_, flagged := f.flag[rowKey{paths(i), rows.Value(i)}]
			flags.Append(flagged || old.IsValid(i) && old.Value(i))
		}
		b.Cols = slices.Clone(b.Cols)
		b.Cols[conflict] = flags.NewArray()
		return sink.add(storedColumns(layout, b))
	})
}

// storedColumns drops from batches with all columns of a table those that do not stand in its merged files.
func storedColumns(layout *catalog.Layout, b vec.Batch) vec.Batch {
	out := vec.Batch{Len: b.Len}
	for _, c := range layout.Stored(true) {
		out.Cols = append(out.Cols, b.Cols[ordinalOf(layout.Columns, c.Name)])
	}
	return out
}

// objects fills ledger, quarantine and digests, and checks the first promise: every record is accounted for.
func (b *builder) objects(g *gathered) error {
	for _, o := range g.objects {
		if o.outcome != consumed || b.skip[o.url] {
			continue
		}
		n := b.counts[o.url]
		if n == nil {
			n = &counts{}
		}
		delete(b.counts, o.url)
		if o.Records != n.rows+n.duplicates+o.quarantined {
			return fmt.Errorf("%w: %s has %d records, but %d rows + %d duplicates + %d in quarantine were made of them; nothing was committed",
				errInternal, o.url, o.Records, n.rows, n.duplicates, o.quarantined)
		}
		sum := hex.EncodeToString(o.SHA256[:])
		for _, r := range o.bad {
			q := b.quarantine
			q.Text("path", o.url)
			q.NumberOrNull("row", r.row, r.row >= 0)
			q.Number("offset", r.offset)
			q.Text("reason", r.reason)
			q.Text("sha256", sum)
			q.TextOrNull("stored", r.stored, r.stored != "")
			q.TextOrNull("record", r.record, r.text)
			q.TextOrNull("bytes", r.bytes, r.bytes != "")
		}
		if o.Digest != nil {
			addDigest(b.digests, o.url, o.Digest)
		}
		l := b.ledger
		l.Text("path", o.url)
		l.Text("etag", o.ETag)
		l.TextOrNull("version", o.Version, o.Version != "")
		l.Number("size", o.pending.Size)
		l.Text("sha256", sum)
		l.Number("content_size", o.ContentSize)
		l.TextOrNull("content_sha256", hex.EncodeToString(o.ContentSHA256[:]), o.ContentSHA256 != [32]byte{})
		l.TextOrNull("kind", string(o.Kind), o.Kind != "")
		l.TextOrNull("account", o.name.Account, o.name.Account != "")
		l.TextOrNull("region", o.name.Region, o.name.Region != "")
		l.TimeOrNull("stamp", o.name.Stamp.UnixMicro(), !o.name.Stamp.IsZero())
		l.Text("state", o.state)
		l.Number("records", o.Records)
		l.Number("rows", n.rows)
		l.Number("duplicates", n.duplicates)
		l.Number("quarantined", o.quarantined)
		l.TimeOrNull("first_time", o.First, o.First != 0 || o.Last != 0)
		l.TimeOrNull("last_time", o.Last, o.First != 0 || o.Last != 0)
		l.TextOrNull("reason", o.reason, o.reason != "")
		b.sum.add(o, n)
	}
	for url := range b.counts {
		return fmt.Errorf("%w: rows of %s have no object; nothing was committed", errInternal, url)
	}
	return nil
}

func (s *Summary) add(o *object, n *counts) {
	s.New++
	s.Bytes += o.pending.Size
	s.Records += o.Records
	s.Rows += n.rows
	s.Duplicates += n.duplicates
	s.Quarantined += o.quarantined
	s.Foreign += o.Foreign
	switch o.state {
	case catalog.StateDigest:
		s.Digests++
	case catalog.StateAltered:
		s.Altered++
		fallthrough
	case catalog.StateQuarantined:
		s.SetAside++
		s.SetAsideNames = keep(s.SetAsideNames, o.url+": "+o.reason)
	}
}

// addDigest adds a row to trail_digests.
func addDigest(t *catalog.RowBuilder, url string, d *cloudtrail.Digest) {
	t.Text("path", url)
	t.TextOrNull("account", d.Account, d.Account != "")
	t.TextOrNull("region", d.Region, d.Region != "")
	t.TextOrNull("trail", d.Trail, d.Trail != "")
	t.TimeOrNull("start_time", d.Start, true)
	t.TimeOrNull("end_time", d.End, true)
	t.TextOrNull("bucket", d.Bucket, d.Bucket != "")
	t.Text("object", d.Object)
	t.TextOrNull("previous_object", d.PreviousObject, d.PreviousObject != "")
	t.TextOrNull("previous_hash", d.PreviousHash, d.PreviousHash != "")
	t.TextOrNull("fingerprint", d.Fingerprint, d.Fingerprint != "")
	t.Bool("backfill", d.Backfill)
	list := t.List("logs")
	rows := list.ValueBuilder().(*array.StructBuilder)
	at := func(field int, micros int64) {
		if f := rows.FieldBuilder(field).(*array.TimestampBuilder); micros != 0 {
			f.Append(arrow.Timestamp(micros))
		} else {
			f.AppendNull()
		}
	}
	list.Append(true)
	for _, l := range d.Logs {
		rows.Append(true)
		rows.FieldBuilder(0).(*array.StringBuilder).Append(l.Object)
		rows.FieldBuilder(1).(*array.StringBuilder).Append(l.Hash)
		at(2, l.Oldest)
		at(3, l.Newest)
	}
	t.Text("sha256", hex.EncodeToString(d.SHA256[:]))
}

// writeTable sorts rows and starts to write them.
func (b *builder) writeTable(rows *catalog.RowBuilder) error {
	if rows.Len() == 0 {
		return nil
	}
	s := b.out.open(rows.Layout(), catalog.Partition{}, false)
	defer s.close()
	return s.add(rows.Sorted())
}
