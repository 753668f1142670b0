package catalog

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/trailql/trailql/connectors/parquetio"
	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/prune"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqltype"
)

// segmentBytes is what the filters that go into the index at a time may take.
const segmentBytes = 32 << 20

// IndexFilters reads the bloom filters of the files of the newest version that the index does not have yet. Queries find more with
// them, and miss nothing without.
func (l *Lake) IndexFilters(ctx context.Context) error {
	for _, layout := range layouts() {
		if len(layout.Bloom) == 0 {
			continue
		}
		var files []*File
		l.mu.Lock()
		err := l.refresh(ctx)
		if err == nil {
			err = l.withIndex(ctx, func(x *index) (err error) { files, err = x.loose(ctx, layout.Name); return err })
		}
		l.mu.Unlock()
		if err != nil {
			return fmt.Errorf("index the bloom filters of %s: %w", layout.Name, err)
		}
		for len(files) > 0 {
			batch, n := l.readFilters(ctx, layout, files)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			files = files[n:]
			l.mu.Lock()
			err := l.withIndex(ctx, func(x *index) error { return x.addSegment(ctx, layout.Name, batch) })
			l.mu.Unlock()
			if err != nil {
				return fmt.Errorf("index the bloom filters of %s: %w", layout.Name, err)
			}
		}
	}
	return nil
}

// readFilters reads the filters of the first of files, as many as are kept at a time, and returns how many files were done with. A
// file that cannot be read is left out: another process may have removed it, and if it is damaged a query will say so.
func (l *Lake) readFilters(ctx context.Context, layout *Layout, files []*File) (batch []filtered, n int) {
	var lock sync.Mutex
	size := 0
	var readers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		readers.Go(func() {
			for {
				lock.Lock()
				if n == len(files) || size >= segmentBytes || ctx.Err() != nil {
					lock.Unlock()
					return
				}
				f := files[n]
				n++
				lock.Unlock()
				filters, err := parquetio.ReadFilters(ctx, l.store, l.scanned(layout, f, nil), layout.Bloom)
				if err != nil {
					continue
				}
				lock.Lock()
				for _, of := range filters {
					for _, filter := range of {
						size += len(filter)
					}
				}
				batch = append(batch, filtered{f.key, filters})
				lock.Unlock()
			}
		})
	}
	readers.Wait()
	return batch, n
}

// Looking into the index costs a read of a block of every file of the table: worth it where so many would be opened else, of so many.
const (
	fewFiles   = 8
	indexShare = 256
)

// clauses are what conjuncts demand of leaves that have filters.
func (t *table) clauses(req source.Request, leaves []string) (out []clause) {
	for _, e := range slices.Concat(req.Conjuncts, req.Skips) {
		if c := t.clause(prune.Needles(e), req.Paths, leaves); c != nil && !expr.Volatile(e) {
			out = append(out, c)
		}
	}
	return out
}

func (t *table) clause(needles []prune.Needle, paths []source.Path, leaves []string) (out clause) {
	total := 0
	for _, n := range needles {
		leaf, typ := leaves[n.Column], t.columns[paths[n.Column].Column].Type
		if leaf == "" {
			return nil
		}
		for _, f := range paths[n.Column].Fields {
			typ = typ.Fields[f].Type
		}
		typ = paths[n.Column].TypeOf(typ)
		if n.Element {
			leaf, typ = leaf+".list.element", *typ.Elem
		}
		for _, f := range n.Fields {
			if typ.Kind != sqltype.Row || f >= len(typ.Fields) {
				return nil
			}
			leaf, typ = leaf+"."+strings.ToLower(typ.Fields[f].Name), typ.Fields[f].Type
		}
		hashes, ok := parquetio.BloomHashes(n.Values, typ)
		if !ok {
			return nil
		}
		if total += len(hashes); total > mostHashes {
			return nil
		}
		out = append(out, leafHashes{leaf, hashes})
	}
	return out
}
