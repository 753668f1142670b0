package compact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/parquetio"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/vec"
)

// output writes data files, several at a time, and keeps account of them. Files that no commit takes must be discarded.
type output struct {
	c       *compactor
	slots   chan struct{} // a file being written holds one
	wg      sync.WaitGroup
	stopped context.Context // done when some file failed
	stop    context.CancelCauseFunc

	mu    sync.Mutex
	files map[string][]catalog.NewFile // by table
	names []string                     // in the store, of all files begun
}

func (c *compactor) newOutput(ctx context.Context) *output {
	o := &output{c: c, slots: make(chan struct{}, c.writers()), files: map[string][]catalog.NewFile{}}
	o.stopped, o.stop = context.WithCancelCause(ctx)
	return o
}

// sink takes the rows of one table and partition, in order.
type sink struct {
	o       *output
	batches chan vec.Batch
}

// open starts a file, or several one after the other where there are many rows, for a table's partition. The batches have the
// columns layout.Stored(merged).
func (o *output) open(layout *catalog.Layout, p catalog.Partition, merged bool) *sink {
	s := &sink{o, make(chan vec.Batch, 1)}
	o.wg.Go(func() {
		select {
		case o.slots <- struct{}{}:
		case <-o.stopped.Done():
			return
		}
		defer func() { <-o.slots }()
		next := func() (vec.Batch, error) {
			select {
			case b, ok := <-s.batches:
				if !ok {
					return vec.Batch{}, io.EOF
				}
				return b, nil
			case <-o.stopped.Done():
				return vec.Batch{}, context.Cause(o.stopped)
			}
		}
		if err := o.writeAll(layout, p, merged, next); err != nil {
			o.stop(err)
		}
	})
	return s
}

// add hands over rows; an error is that of some file of the output.
func (s *sink) add(b vec.Batch) error {
	select {
	case s.batches <- b:
		return nil
	case <-s.o.stopped.Done():
		return context.Cause(s.o.stopped)
	}
}

// close ends the rows. The files are whole after output.wait.
func (s *sink) close() { close(s.batches) }

// wait ends the output: all files are durable and were read back, or the error says why not.
func (o *output) wait() error {
	o.wg.Wait()
	defer o.stop(nil)
	if o.stopped.Err() != nil {
		return context.Cause(o.stopped)
	}
	return nil
}

// fail stops the output because of an error elsewhere.
func (o *output) fail(err error) {
	o.stop(err)
	o.wg.Wait()
}

// discard deletes the files.
func (o *output) discard(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	for _, name := range o.names {
		_ = o.c.lake.Store().Delete(ctx, name) // what stays is swept later
	}
}

func (o *output) writeAll(layout *catalog.Layout, p catalog.Partition, merged bool, next func() (vec.Batch, error)) error {
	held, err := next()
	for err == nil {
		rows, taken := int64(0), false
		count := &countingWriter{}
		file, writeErr := o.writeFile(layout, p, merged, count, func() (vec.Batch, error) {
			if taken {
				if count.n >= o.c.opt.fileBytes || rows >= fileRows {
					if held, err = next(); err != nil {
						return vec.Batch{}, err
					}
					return vec.Batch{}, io.EOF // held starts the next file
				}
				if held, err = next(); err != nil {
					return vec.Batch{}, err
				}
			}
			taken = true
			rows += int64(held.Len)
			return held, nil
		})
		if writeErr != nil {
			return writeErr
		}
		o.mu.Lock()
		o.files[layout.Name] = append(o.files[layout.Name], file)
		o.mu.Unlock()
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

func (o *output) writeFile(layout *catalog.Layout, p catalog.Partition, merged bool, count *countingWriter, next func() (vec.Batch, error)) (catalog.NewFile, error) {
	ctx, lake := o.stopped, o.c.lake
	f := catalog.NewFile{Partition: p, Commits: merged}
	var err error
	if f.Path, err = lake.NewPath(layout.Name, p); err != nil {
		return f, err
	}
	name := layout.Name + "/" + f.Path
	fail := func(err error) (catalog.NewFile, error) {
		return f, fmt.Errorf("write %s/%s: %w", lake.Store().URL(), name, err)
	}
	o.mu.Lock()
	o.names = append(o.names, name)
	o.mu.Unlock()
	out, err := lake.Store().Create(ctx, name)
	if err != nil {
		return fail(err)
	}
	defer out.Abort()
	count.w = out
	columns := layout.Stored(merged)
	seen := newChecker(layout, columns)
	f.Written, err = parquetio.Write(count, parquetio.WriteOptions{Columns: columns, RowGroupBytes: o.c.rowGroupBytes(), Bloom: layout.Bloom, NoStats: layout.NoStats},
		func() (vec.Batch, error) {
			b, err := next()
			if err == nil {
				seen.add(b)
			}
			return b, err
		})
	if err == nil {
		err = out.Close()
	}
	if err != nil {
		return fail(err)
	}
	f.Canonical = seen.canonical
	if err := o.readBack(ctx, layout, columns, name, f.Written, seen); err != nil {
		return fail(fmt.Errorf("reading it back: %w", err))
	}
	return f, nil
}

// readBack decodes every page of a file and compares what comes out with what went in: the columns that the file is sorted by, row by row.
func (o *output) readBack(ctx context.Context, layout *catalog.Layout, columns []source.Column, name string, written parquetio.Written, want *checker) error {
	file := parquetio.File{Name: name, Size: written.Bytes, Rows: written.Rows}
	var keys, others []source.Column
	for _, c := range columns {
		if slices.Contains(layout.SortBy, c.Name) {
			keys = append(keys, c)
		} else {
			others = append(others, c)
		}
	}
	store := o.c.lake.Store()
	scan, err := parquetio.NewScan(ctx, store, []parquetio.File{file}, keys, allColumns(keys, o.c.opt.windowRows), &source.Report{})
	if err != nil {
		return err
	}
	got := newChecker(layout, keys)
	got.canonical = false // which is told of what went in
	if err := source.Each(source.InOrder(ctx, scan), func(b vec.Batch) error { got.add(b); return nil }); err != nil {
		return err
	}
	if err := parquetio.CheckPages(ctx, store, file, others); err != nil {
		return err
	}
	if got.rows != want.rows || got.sum != want.sum || written.Rows != want.rows {
		return fmt.Errorf("%d rows with checksum %x went in, %d with %x came out: %w", want.rows, want.sum, got.rows, got.sum, errInternal)
	}
	return nil
}

// checker sums up the rows of a file: the hashes of the sort columns, and whether eventtime has one form throughout.
type checker struct {
	key       []int
	text, at  int // eventtime and _time; -1 if there is none
	rows      int64
	sum       uint64
	canonical bool
	second    int64 // the newest one seen, and its text
	spelled   []byte
}

func newChecker(layout *catalog.Layout, columns []source.Column) *checker {
	k := &checker{text: ordinalOf(columns, "eventtime"), at: ordinalOf(columns, "_time"), second: -1}
	for _, name := range layout.SortBy {
		k.key = append(k.key, ordinalOf(columns, name))
	}
	k.canonical = k.text >= 0 && k.at >= 0
	return k
}

func (k *checker) add(b vec.Batch) {
	hashes := make([]uint64, b.Len)
	for _, i := range k.key {
		vec.Hash(b.Cols[i], hashes)
	}
	for i, h := range hashes {
		k.sum += h * uint64(2*(k.rows+int64(i))+1) // an odd factor: the order counts too
	}
	k.rows += int64(b.Len)
	if !k.canonical {
		return
	}
	times := b.Cols[k.at].(*array.Timestamp)
	text := textOf(b.Cols[k.text])
	for i := range b.Len {
		if vec.IsValid(b.Cols[k.text], i) && !(times.IsValid(i) && k.spells(text(i), int64(times.Value(i)))) {
			k.canonical = false
			return
		}
	}
}

// spells reports whether text is the time as 2006-01-02T15:04:05Z.
func (k *checker) spells(text string, micros int64) bool {
	if micros%1e6 != 0 {
		return false
	}
	if k.spelled == nil || k.second != micros {
		k.second, k.spelled = micros, time.UnixMicro(micros).UTC().AppendFormat(k.spelled[:0], "2006-01-02T15:04:05Z")
	}
	return len(k.spelled) == 20 && text == string(k.spelled)
}
