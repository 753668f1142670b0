package parquetio

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"

	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// damageColumns cover each physical type, both encodings, and nesting.
var damageColumns = []source.Column{
	{Name: "t", Type: sqltype.TimestampType},
	{Name: "name", Type: sqltype.VarcharType},
	{Name: "id", Type: sqltype.VarcharType},
	{Name: "flag", Type: sqltype.BooleanType},
	{Name: "score", Type: sqltype.DoubleType},
	{Name: "small", Type: sqltype.SmallIntType},
	{Name: "who", Type: sqltype.RowOf(sqltype.Field{Name: "a", Type: sqltype.VarcharType}, sqltype.Field{Name: "b", Type: sqltype.ArrayOf(sqltype.IntegerType)})},
	{Name: "tags", Type: sqltype.MapOf(sqltype.VarcharType, sqltype.VarcharType)},
}

func damageBatch(n int) vec.Batch {
	b := vec.Batch{Len: n}
	for i, c := range damageColumns {
		bl := array.NewBuilder(memory.DefaultAllocator, c.Type.Arrow())
		for row := range n {
			if i > 0 && row%7 == 3 {
				bl.AppendNull()
				continue
			}
			switch bl := bl.(type) {
			case *array.TimestampBuilder:
				bl.Append(arrow.Timestamp(row) * 60e6)
			case *array.StringBuilder:
				if i == 1 {
					bl.Append(words[row%4])
				} else {
					bl.Append(strings.Repeat("id", row%5) + string(rune('A'+row%26)) + string(rune('a'+row/26%26)))
				}
			case *array.BooleanBuilder:
				bl.Append(row%3 == 0)
			case *array.Float64Builder:
				bl.Append(float64(row) / 3)
			case *array.Int16Builder:
				bl.Append(int16(row % 50))
			case *array.StructBuilder:
				bl.Append(true)
				bl.FieldBuilder(0).(*array.StringBuilder).Append(words[row%3])
				l := bl.FieldBuilder(1).(*array.ListBuilder)
				l.Append(true)
				for k := range row % 4 {
					l.ValueBuilder().(*array.Int32Builder).Append(int32(k * row))
				}
			case *array.MapBuilder:
				bl.Append(true)
				for k := range row % 3 {
					bl.KeyBuilder().(*array.StringBuilder).Append(words[k+1])
					bl.ItemBuilder().(*array.StringBuilder).Append(words[row%4])
				}
			}
		}
		b.Cols = append(b.Cols, bl.NewArray())
	}
	return b
}

// mustBeDataError fails unless err blames the file in plain words.
func mustBeDataError(t *testing.T, err error) {
	t.Helper()
	if sqlerr.KindOf(err) != sqlerr.Data || !strings.Contains(err.Error(), ".parquet") {
		t.Fatalf("not an error of kind data that names the file: %v", err)
	}
	var panicked unforeseen
	if errors.As(err, &panicked) {
		t.Fatalf("a panic, though caught: %v", panicked.value)
	}
}

func TestDamagedFilesGiveErrorsNotOtherRows(t *testing.T) {
	data, w := writePaged(t, 16, WriteOptions{Columns: damageColumns, RowGroupRows: 100, Bloom: []string{"id"}}, damageBatch(250))
	footerStart := len(data) - 8 - int(binary.LittleEndian.Uint32(data[len(data)-8:]))
	req := source.Request{Paths: source.WholeColumns(damageColumns), Conjuncts: []expr.Expr{
		&expr.Compare{Op: expr.Ne, Left: &expr.Column{Index: 1, Name: "name", T: sqltype.VarcharType}, Right: expr.NewLiteral(sqltype.VarcharType, "b")},
	}}
	rows := func(data []byte, off source.Switches) ([]string, error) {
		req.Off = off
		store, files := newMemoryStore(data)
		files[0].Rows = w.Rows
		batches, _, err := scanAll(store, files, damageColumns, req)
		var all []string
		for _, b := range batches {
			all = append(all, rowsText(b)...)
		}
		return all, err
	}
	want, err := rows(data, source.Switches{})
	if err != nil || len(want) == 0 {
		t.Fatal(len(want), err)
	}

	rng := rand.New(rand.NewPCG(1, 2))
	rounds := 1000
	if testing.Short() {
		rounds = 100
	}
	harmless, inFooter := 0, 0
	for range rounds {
		bad := bytes.Clone(data)
		at := 0
		for range 1 + rng.IntN(3) {
			if at = rng.IntN(len(bad)); rng.IntN(2) == 0 {
				at = footerStart + rng.IntN(len(bad)-footerStart)
			}
			bad[at] = byte(rng.Uint32())
		}
		if rng.IntN(10) == 0 {
			bad = bad[:rng.IntN(len(bad))]
		}
		// Neither page statistics nor filters nor the footer have a checksum of their own; the file's hash covers them, and the index
		// keeps the footer's. So they are left out, or only may not panic.
		_, err := rows(bad, source.Switches{})
		if err != nil {
			mustBeDataError(t, err)
		}
		got, err := rows(bad, source.Switches{Page: true, Bloom: true})
		switch {
		case err != nil:
			mustBeDataError(t, err)
		case slices.Equal(got, want):
			harmless++
		case bytes.Equal(bad[footerStart:], data[footerStart:]):
			t.Fatalf("other rows without an error: %d, not %d, after a change at byte %d of %d", len(got), len(want), at, footerStart)
		default:
			// Nothing guards the footer here: the index keeps its hash. But it must not change how many rows there are.
			inFooter++
		}
	}
	t.Logf("%d of %d changes went unnoticed and did no harm; %d in the footer gave other values", harmless, rounds, inFooter)
}

// A header that ends early once made a dictionary look empty, and every row group prunable.
func TestCutPageHeaders(t *testing.T) {
	col, a := text("c", slices.Repeat([]string{"a", "b", "c"}, 50)...)
	data, w, f := oneColumn(t, col, a, WriteOptions{})
	c := f.groups[0].chunks[0]
	for at := c.pages.offset; at < c.pages.offset+c.pages.length; at++ {
		bad := bytes.Clone(data)
		bad[at] &= 0xf0
		if bad[at] == data[at] {
			continue
		}
		store, files := newMemoryStore(bad)
		files[0].Rows = w.Rows
		batches, _, err := scanAll(store, files, []source.Column{col}, firstColumn(compare(expr.Ne, sqltype.VarcharType, "b")...))
		if err == nil && countRows(batches) != 100 {
			t.Errorf("byte %d: %d rows without an error", at, countRows(batches))
		}
	}
}

func TestHostileSizes(t *testing.T) {
	data, w := write(t, WriteOptions{Columns: damageColumns}, damageBatch(10))
	scanOf := func(data []byte, size, rows int64) error {
		store, files := newMemoryStore(data)
		files[0].Size, files[0].Rows = size, rows
		_, _, err := scanAll(store, files, damageColumns, source.Request{Paths: source.WholeColumns(damageColumns)})
		return err
	}
	huge := bytes.Clone(data)
	binary.LittleEndian.PutUint32(huge[len(huge)-8:], math.MaxUint32)
	for what, err := range map[string]error{
		"another size than the log says": scanOf(data, w.Bytes+1, w.Rows),
		"other rows than the log says":   scanOf(data, w.Bytes, w.Rows+1),
		"a footer of 4 GiB":              scanOf(huge, w.Bytes, w.Rows),
		"an empty file":                  scanOf(nil, 0, 1),
		"four bytes":                     scanOf([]byte("PAR1"), 4, 1),
		"cut off":                        scanOf(data[:len(data)-10], w.Bytes-10, w.Rows),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
			continue
		}
		mustBeDataError(t, err)
	}
}

// failingStore fails each read after the first ones.
type failingStore struct {
	blob.Store
	left int
}

type failingObject struct {
	blob.Object
	s *failingStore
}

var errBroken = errors.New("cable pulled")

func (s *failingStore) Open(ctx context.Context, name string) (blob.Object, error) {
	o, err := s.Store.Open(ctx, name)
	return failingObject{o, s}, err
}

func (o failingObject) ReadAt(p []byte, off int64) (int, error) {
	if o.s.left == 0 {
		return 0, errBroken
	}
	o.s.left--
	return o.Object.ReadAt(p, off)
}

func TestFailingReadsEndTheScan(t *testing.T) {
	data, w := writePaged(t, 16, WriteOptions{Columns: damageColumns}, damageBatch(100))
	for left := 0; ; left++ {
		store, files := newMemoryStore(data)
		files[0].Rows = w.Rows
		batches, _, err := scanAll(&failingStore{store, left}, files, damageColumns, source.Request{Paths: source.WholeColumns(damageColumns)})
		if err == nil {
			if countRows(batches) != w.Rows {
				t.Fatalf("%d rows without an error", countRows(batches))
			}
			if left < 5 {
				t.Fatalf("the whole file took only %d reads", left)
			}
			return
		}
		if !errors.Is(err, errBroken) {
			t.Fatalf("after %d reads: %v", left, err)
		}
		mustBeDataError(t, err)
	}
}

func FuzzPageHeader(f *testing.F) {
	f.Add([]byte{0x15, 0x00, 0x15, 0x10, 0x15, 0x10, 0x2c, 0x15, 0x04, 0x15, 0x00, 0x15, 0x06, 0x15, 0x06, 0x00, 0x00})
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := readPageHeader(data)
		if err != nil {
			return
		}
		if h.size > len(data) || h.compressed < 0 || h.compressed > maxPage || h.uncompressed > maxPage || h.values > maxEntries {
			t.Fatalf("%+v of %d bytes", h, len(data))
		}
	})
}

func FuzzPage(f *testing.F) {
	f.Add([]byte{2, 0, 0, 0, 6, 1, 1, 0, 0, 0, 'x'}, uint8(physicalByteArray), uint8(encodingPlain), uint16(3), uint8(1), uint8(0))
	f.Add([]byte{2, 0, 0, 0, 3, 5, 128, 1, 4, 2, 2, 1, 0, 0, 0, 0, 'x', 'y'}, uint8(physicalByteArray), uint8(encodingDeltaLength), uint16(3), uint8(1), uint8(0))
	f.Add([]byte{2, 0, 0, 0, 6, 1, 1, 3, 2}, uint8(physicalInt64), uint8(encodingRLEDictionary), uint16(3), uint8(1), uint8(1))
	f.Fuzz(func(t *testing.T, body []byte, physical, encoding uint8, values uint16, def, rep uint8) {
		n := &node{physical: int8(physical % 8), def: int(def % 5), rep: int(rep % 3)}
		dict := &entryTable{n: 2, int32s: []int32{1, 2}, int64s: []int64{1, 2}, raw: []byte{0, 0, 0, 0, 0, 0, 0, 0}, ends: []int32{0, 4, 8}}
		h := pageHeader{kind: pageData, uncompressed: int64(len(body)), compressed: int64(len(body)), values: int64(values), encoding: int64(encoding)}
		var p page
		var scratch []byte
		if p.decode(n, codecNone, h, body, dict, &scratch) != nil {
			return
		}
		// Whatever passed must be safe to gather from.
		c := columnReader{node: n, chunk: &chunk{}, buffers: &buffers{page: p}, dict: dict}
		var out leafValues
		c.reserve(&out, p.entries)
		if err := c.appendRange(&out, 0, int32(p.entries)); err != nil {
			t.Fatal(err)
		}
		if out.rows != p.entries || p.rowCount() > p.entries {
			t.Fatalf("%d slots, %d rows of %d entries", out.rows, p.rowCount(), p.entries)
		}
		// One entry at a time gives the same.
		var each leafValues
		c.reserve(&each, p.entries)
		for e := range int32(p.entries) {
			if err := c.appendEntries(&each, []int32{e}); err != nil {
				t.Fatal(err)
			}
		}
		if out.text.String() != each.text.String() || !slices.Equal(out.ends, each.ends) || !slices.Equal(out.valid, each.valid) || out.nulls != each.nulls ||
			!slices.Equal(out.int32s, each.int32s) || !slices.Equal(out.int64s, each.int64s) || !slices.Equal(out.bools, each.bools) {
			t.Fatalf("%+v\n%+v", &out, &each)
		}
	})
}

func FuzzHybrid(f *testing.F) {
	f.Add([]byte{6, 1}, uint8(1), uint16(3))
	f.Add([]byte{3, 0x88, 0xc6, 0xfa}, uint8(3), uint16(8))
	f.Fuzz(func(t *testing.T, data []byte, width uint8, n uint16) {
		limit := int32(1)<<(width%31) - 1
		out, err := decodeHybrid[int32](nil, data, int(width%32), int(n), limit)
		if err != nil {
			return
		}
		if len(out) != int(n) {
			t.Fatalf("%d numbers, %d wanted", len(out), n)
		}
		for _, v := range out {
			if v < 0 || v > limit {
				t.Fatalf("%d, the limit is %d", v, limit)
			}
		}
	})
}

func FuzzFooter(f *testing.F) {
	data, _ := write(f, WriteOptions{Columns: damageColumns, RowGroupRows: 7}, damageBatch(20))
	length := int(binary.LittleEndian.Uint32(data[len(data)-8:]))
	f.Add(data[len(data)-8-length : len(data)-8])
	f.Fuzz(func(t *testing.T, footer []byte) {
		g, err := parseFooter(footer, int64(len(data)))
		if err != nil {
			return
		}
		for _, rg := range g.groups {
			for _, c := range rg.chunks {
				if c.pages.offset < 0 || c.pages.length < 0 || c.pages.offset+c.pages.length > int64(len(data)) {
					t.Fatalf("a chunk at %+v in a file of %d bytes", c.pages, len(data))
				}
			}
		}
	})
}

func FuzzTextLengths(f *testing.F) {
	f.Add([]byte{128, 1, 4, 2, 2, 1, 0, 0, 0, 0, 'x', 'y'}, uint16(2))
	f.Add(append(binary.AppendUvarint([]byte{128, 1}, 1<<59), 1, 2, 0, 0), uint16(1)) // 32 times as many pass 64 bits
	f.Add(lengthsApart([]string{"one", "", "three", strings.Repeat("x", 300)}, 256, 2), uint16(4))
	f.Fuzz(func(t *testing.T, data []byte, n uint16) {
		ends, raw, err := deltaEnds(nil, data, int(n))
		if err != nil {
			return
		}
		if len(ends) != int(n)+1 || ends[0] != 0 || int(ends[n]) != len(raw) || !slices.IsSorted(ends) {
			t.Fatalf("%d ends %v of %d texts in %d bytes", len(ends), ends, n, len(raw))
		}
	})
}

// lengthsApart encodes texts by the book: bit after bit.
func lengthsApart(texts []string, block, parts int) []byte {
	out := binary.AppendUvarint(binary.AppendUvarint(nil, uint64(block)), uint64(parts))
	out = binary.AppendUvarint(out, uint64(len(texts)))
	if len(texts) == 0 {
		return binary.AppendVarint(out, 0)
	}
	out = binary.AppendVarint(out, int64(len(texts[0])))
	var deltas []int64
	for i, s := range texts[1:] {
		deltas = append(deltas, int64(len(s)-len(texts[i])))
	}
	for len(deltas) > 0 {
		now := deltas[:min(block, len(deltas))]
		deltas = deltas[len(now):]
		least := slices.Min(now)
		out = binary.AppendVarint(out, least)
		var widths, bodies []byte
		for range parts {
			part := now[:min(block/parts, len(now))]
			now = now[len(part):]
			width := 0
			for _, d := range part {
				width = max(width, bits.Len64(uint64(d-least)))
			}
			widths = append(widths, byte(width))
			if len(part) == 0 {
				continue
			}
			body := make([]byte, block/parts*width/8)
			for i, d := range part {
				for b := range width {
					at := i*width + b
					body[at/8] |= byte(uint64(d-least)>>b&1) << (at % 8)
				}
			}
			bodies = append(bodies, body...)
		}
		out = append(append(out, widths...), bodies...)
	}
	return append(out, strings.Join(texts, "")...)
}

func TestLengthsApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
			return strings.Repeat("x", rapid.SampledFrom([]int{0, 1, 2, 36, 300, 70000}).Draw(t, "length"))
		}), 0, 400).Draw(t, "texts")
		form := rapid.SampledFrom([][2]int{{128, 4}, {128, 1}, {256, 2}, {1024, 32}}).Draw(t, "blocks")
		data := lengthsApart(texts, form[0], form[1])
		ends, raw, err := deltaEnds(nil, data, len(texts))
		if err != nil || string(raw) != strings.Join(texts, "") {
			t.Fatal(err)
		}
		for i, s := range texts {
			if int(ends[i+1]-ends[i]) != len(s) {
				t.Fatalf("text %d has %d bytes, want %d", i, ends[i+1]-ends[i], len(s))
			}
		}
		if _, _, err := deltaEnds(nil, data, len(texts)+1); err == nil {
			t.Fatal("a text more is taken")
		}
		if cut := rapid.IntRange(0, len(data)-1).Draw(t, "cut"); cut > 0 {
			if _, _, err := deltaEnds(nil, data[:cut], len(texts)); err == nil {
				t.Fatalf("cut to %d of %d bytes, and taken", cut, len(data))
			}
		}
	})
}

// TestUnpack compares with taking the numbers apart bit by bit.
func TestUnpack(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for width := range 32 {
		for range 50 {
			n := rng.IntN(200)
			src := make([]byte, (n*width+7)/8+rng.IntN(10))
			for i := range src {
				src[i] = byte(rng.Uint32())
			}
			got := make([]int32, n)
			unpack(got, src, width, 1<<width-1)
			small := make([]uint8, n)
			unpack(small, src, width, 1<<width-1)
			for i, v := range got {
				want := int32(0)
				for b := range width {
					at := i*width + b
					want |= int32(src[at/8]>>(at%8)&1) << b
				}
				if v != want || small[i] != uint8(want) {
					t.Fatalf("number %d of %d, %d bits wide: %d and %d, want %d", i, n, width, v, small[i], want)
				}
			}
		}
	}
}

// CheckPages finds what a scan of all columns finds: the checksums of pages are checked, whatever column they are of.
func TestCheckPagesFindsDamage(t *testing.T) {
	data, w := writePaged(t, 16, WriteOptions{Columns: damageColumns, RowGroupRows: 100}, damageBatch(250))
	check := func(data []byte) error {
		store, files := newMemoryStore(data)
		files[0].Rows = w.Rows
		return CheckPages(background, store, files[0], damageColumns)
	}
	if err := check(data); err != nil {
		t.Fatal(err)
	}
	footer, err := parseFooter(data[len(data)-8-int(binary.LittleEndian.Uint32(data[len(data)-8:])):len(data)-8], int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	pages := 0
	for _, g := range footer.groups {
		for _, c := range g.chunks {
			bad := bytes.Clone(data)
			bad[c.pages.end()-3] ^= 1 // in the checksum of the last page's frame
			pages++
			if err := check(bad); err == nil {
				t.Errorf("a changed page at byte %d goes unnoticed", c.pages.end()-3)
			} else {
				mustBeDataError(t, err)
			}
		}
	}
	if pages < 3*len(damageColumns) {
		t.Errorf("only %d chunks were changed", pages)
	}
}

// Leaves of one list that have not the same number of elements are no column, though each can be decoded.
func TestCheckComparesTheLeavesOfAList(t *testing.T) {
	list := sqltype.ArrayOf(sqltype.RowOf(sqltype.Field{Name: "a", Type: sqltype.BigIntType}, sqltype.Field{Name: "b", Type: sqltype.BigIntType}))
	columns := []source.Column{{Name: "l", Type: list}}
	b := array.NewBuilder(memory.DefaultAllocator, list.Arrow()).(*array.ListBuilder)
	pair := b.ValueBuilder().(*array.StructBuilder)
	for row := range 10 {
		b.Append(true)
		for range row % 3 {
			pair.Append(true)
			pair.FieldBuilder(0).(*array.Int64Builder).Append(int64(row))
			pair.FieldBuilder(1).(*array.Int64Builder).Append(int64(row))
		}
	}
	data, w := writePaged(t, 16, WriteOptions{Columns: columns}, vec.Batch{Len: 10, Cols: []arrow.Array{b.NewArray()}})
	store, files := newMemoryStore(data)
	files[0].Rows = w.Rows
	opened, err := NewScan(background, store, files, columns, source.Request{Paths: source.WholeColumns(columns), Limit: -1}, &source.Report{})
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []bool{false, true} {
		s := opened.(*scan)
		r, err := s.open(background, s.morsels[0])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.advance(); err != nil {
			t.Fatal(err)
		}
		if wrong {
			r.group.columns[0].leaves[1].slot = 255 // as if none of its entries were an element
		}
		if err := r.group.check(); (err != nil) != wrong {
			t.Errorf("wrong %v: %v", wrong, err)
		}
		r.leave()
		_ = r.Close()
	}
}
