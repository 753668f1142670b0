package parquetio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// firstKeys are the first keys of batches in the order of top, as text: what a sort with a limit above the scan would begin with.
func firstKeys(t failer, batches []vec.Batch, top source.TopN) []string {
	var keys []arrow.Array
	for _, b := range batches {
		keys = append(keys, vec.Plain(b.Cols[top.Path]))
	}
	if len(keys) == 0 {
		return nil
	}
	all, err := vec.Concat(keys)
	if err != nil {
		t.Fatal(err)
	}
	order := vec.Sort([]vec.SortKey{{Arr: all, Desc: top.Desc, NullsFirst: top.NullsFirst}}, all.Len())
	return showAll(vec.Take(all, order[:min(int64(len(order)), top.Rows)]))
}

// scanOrdered is scanAll in the order that the scan asks for.
func scanOrdered(t failer, s source.Scan) (batches []vec.Batch) {
	order := s.(source.Ordered).Order()
	if order == nil {
		for m := range s.Morsels() {
			order = append(order, m)
		}
	}
	if sorted := slices.Sorted(slices.Values(order)); len(sorted) != s.Morsels() || len(slices.Compact(sorted)) != s.Morsels() {
		t.Fatalf("order %v of %d morsels", order, s.Morsels())
	}
	for _, m := range order {
		r, err := s.Open(background, m)
		if err != nil {
			t.Fatal(err)
		}
		for {
			b, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			batches = append(batches, b)
		}
		_ = r.Close()
	}
	return batches
}

// TestTopNKeepsTheFirstRows: whatever a scan leaves out, the first keys are those of a scan that leaves out nothing.
func TestTopNKeepsTheFirstRows(t *testing.T) {
	keys := []source.Path{{Column: 0}, {Column: 1}, {Column: 2}, {Column: 3}, {Column: 4}, {Column: 5}, {Column: 6, Fields: []int{0}}, {Column: 6, Fields: []int{1}}, {Column: 9}, {Column: 10}}
	rapid.Check(t, func(t *rapid.T) {
		var stored [][]byte
		var written []Written
		for f := range rapid.IntRange(1, 3).Draw(t, "files") {
			data, w := writePaged(t, rapid.IntRange(1, 30).Draw(t, "page"), WriteOptions{
				Columns: events[:storedColumns], RowGroupRows: rapid.IntRange(5, 80).Draw(t, "group"),
			}, randomEvents(t, f*rapid.SampledFrom([]int{0, 50, 100}).Draw(t, "start"), rapid.IntRange(1, 80).Draw(t, "rows")))
			stored, written = append(stored, data), append(written, w)
		}
		store, files := newMemoryStore(stored...)
		for f := range files {
			files[f].Rows = written[f].Rows
			if rapid.Bool().Draw(t, "known") {
				files[f].Stats = written[f].Stats
			}
		}
		key := rapid.SampledFrom(keys).Draw(t, "key")
		typ, _, _ := pathShape(events[key.Column].Type, nil, key.Fields)
		req := source.Request{Limit: -1, Paths: []source.Path{{Column: 8}, key}, BatchRows: rapid.SampledFrom([]int{0, 1, 7}).Draw(t, "batch")}
		if rapid.Bool().Draw(t, "filtered") {
			req.Conjuncts = []expr.Expr{randomPredicate(t, []sqltype.Type{events[8].Type, typ}, 1)}
		}
		req.Top = &source.TopN{Path: 1, Desc: rapid.Bool().Draw(t, "desc"), NullsFirst: rapid.Bool().Draw(t, "nulls first"), Rows: int64(rapid.IntRange(1, 20).Draw(t, "n"))}
		var found [2][]string
		for i, off := range []bool{true, false} {
			req.Off.Top = off
			s, err := NewScan(background, store, files, events, req, &source.Report{})
			if err != nil {
				t.Fatal(err)
			}
			found[i] = firstKeys(t, scanOrdered(t, s), *req.Top)
		}
		if !slices.Equal(found[0], found[1]) {
			t.Fatalf("%s, %+v: %v, want %v", typ, *req.Top, found[1], found[0])
		}
	})
}

// TestTopNReadsLittle: of files that are sorted by the key, one after the other, all but the last need not be opened, and of the wide
// column only what comes first is read.
func TestTopNReadsLittle(t *testing.T) {
	columns := []source.Column{{Name: "n", Type: sqltype.BigIntType}, {Name: "wide", Type: sqltype.VarcharType}}
	var stored [][]byte
	var written []Written
	for f := range 10 {
		numbers, texts := array.NewInt64Builder(memory.DefaultAllocator), array.NewStringBuilder(memory.DefaultAllocator)
		for i := range 1000 {
			numbers.Append(int64(1000*f + i))
			texts.Append(fmt.Sprintf("text %d", 1000*f+i))
		}
		data, w := writePaged(t, 100, WriteOptions{Columns: columns}, vec.Batch{Len: 1000, Cols: []arrow.Array{numbers.NewArray(), texts.NewArray()}})
		stored, written = append(stored, data), append(written, w)
	}
	store, files := newMemoryStore(stored...)
	for f := range files {
		files[f].Rows, files[f].Stats = written[f].Rows, written[f].Stats
	}
	for _, desc := range []bool{false, true} {
		report := &source.Report{}
		s, err := NewScan(background, store, files, columns, source.Request{Limit: -1, Paths: []source.Path{{Column: 0}, {Column: 1}}, BatchRows: 100,
			Top: &source.TopN{Path: 0, Desc: desc, Rows: 5}}, report)
		if err != nil {
			t.Fatal(err)
		}
		rows := 0
		for _, b := range scanOrdered(t, s) {
			rows += b.Len
		}
		if read := report.RowsRead.Load(); read != 1000 {
			t.Errorf("desc %v: row groups of %d rows are read; one file has the first ones", desc, read)
		}
		// Each window gives its first five rows at most; ascending, all but the first window are outdone.
		if want := map[bool]int{false: 5, true: 50}[desc]; rows != want {
			t.Errorf("desc %v: %d rows, want %d", desc, rows, want)
		}
	}
}

// What was begun ahead and is not needed any more is let go of: the bytes held ahead are the process's, and would be missing ever after.
func TestNothingStaysAhead(t *testing.T) {
	columns := []source.Column{{Name: "n", Type: sqltype.Type{Kind: sqltype.BigInt}}}
	var stored [][]byte
	var written []Written
	for f := range 3 {
		numbers := array.NewInt64Builder(memory.DefaultAllocator)
		for i := range 1000 {
			numbers.Append(int64(1000*f + i))
		}
		data, w := writePaged(t, 100, WriteOptions{Columns: columns}, vec.Batch{Len: 1000, Cols: []arrow.Array{numbers.NewArray()}})
		stored, written = append(stored, data), append(written, w)
	}
	store, files := newMemoryStore(stored...)
	for f := range files {
		files[f].Rows, files[f].Stats = written[f].Rows, written[f].Stats
	}
	for name, top := range map[string]*source.TopN{"outdone": {Path: 0, Rows: 5}, "cancelled": nil} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		s, err := NewScan(ctx, farStore{store}, files, columns, source.Request{Limit: -1, Paths: []source.Path{{Column: 0}}, Top: top}, &source.Report{})
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Open(ctx, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range s.(*scan).upcoming.begun { // before there are rows that outdo it
			<-b.done
		}
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if heldAhead.Load() == 0 {
			t.Fatal(name + ": no file is begun ahead")
		}
		if top == nil {
			cancel()
		}
		for m := 1; m < s.Morsels() && top != nil; m++ {
			if r, err = s.Open(ctx, m); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Next(); !errors.Is(err, io.EOF) {
				t.Fatalf("morsel %d of %s: %v", m, name, err)
			}
		}
		for end := time.Now().Add(10 * time.Second); heldAhead.Load() != 0; runtime.Gosched() {
			if time.Now().After(end) {
				t.Fatalf("%s: %d bytes stay ahead", name, heldAhead.Load())
			}
		}
	}
}
