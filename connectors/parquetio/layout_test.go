package parquetio

import (
	"bytes"
	"container/list"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/apache/arrow-go/v18/parquet/schema"
	"github.com/klauspost/compress/zstd"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

func text(name string, values ...string) (source.Column, arrow.Array) {
	b := array.NewStringBuilder(memory.DefaultAllocator)
	for _, v := range values {
		if v == "NULL" {
			b.AppendNull()
		} else {
			b.Append(v)
		}
	}
	return source.Column{Name: name, Type: sqltype.VarcharType}, b.NewArray()
}

func compare(op expr.CompareOp, t sqltype.Type, v any) []expr.Expr {
	return []expr.Expr{&expr.Compare{Op: op, Left: &expr.Column{Name: "c", T: t}, Right: expr.NewLiteral(t, v)}}
}

func firstColumn(conjuncts ...expr.Expr) source.Request {
	return source.Request{Paths: []source.Path{{}}, Conjuncts: conjuncts, Limit: -1}
}

// oneColumn writes a column and gives the footer too.
func oneColumn(t *testing.T, c source.Column, a arrow.Array, opt WriteOptions) ([]byte, Written, *footer) {
	t.Helper()
	opt.Columns = []source.Column{c}
	data, w := write(t, opt, vec.Batch{Len: a.Len(), Cols: []arrow.Array{a}})
	length := int(binary.LittleEndian.Uint32(data[len(data)-8:]))
	if tail := data[len(data)-8-length:]; sha256.Sum256(tail) != w.FooterSHA256 {
		t.Error("FooterSHA256 is not the hash of the footer, its length and the magic")
	}
	f, err := parseFooter(data[len(data)-8-length:len(data)-8], int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return data, w, f
}

func TestStatisticsOfTexts(t *testing.T) {
	long := func(n int) string { return strings.Repeat("m", n) }
	for name, c := range map[string]struct {
		values   []string
		min, max any // nil: left out, both
		nulls    int64
	}{
		"plain":                   {[]string{"b", "a", "NULL", "c"}, "a", "c", 1},
		"empty string is a value": {[]string{"", "b", "b"}, "", "b", 0},
		"only empty strings":      {[]string{"", "", ""}, "", "", 0},
		"only NULL":               {[]string{"NULL", "NULL"}, nil, nil, 2},
		"not ASCII, byte order":   {[]string{"z", "é", "日本"}, "z", "日本", 0},
		"zero byte":               {[]string{"a", "a\x00", "a"}, "a", "a\x00", 0},
		"256 bytes are kept":      {[]string{"a", long(256)}, "a", long(256), 0},
		"257 bytes are not":       {[]string{"a", long(257)}, nil, nil, 0},
		"a long minimum":          {[]string{long(257), "z"}, nil, nil, 0},
		// Around 4,096 bytes arrow-go drops one bound and its reader takes it for an empty one.
		"4095":    {[]string{"a", long(4095)}, nil, nil, 0},
		"4096":    {[]string{"a", long(4096)}, nil, nil, 0},
		"4097":    {[]string{"a", long(4097)}, nil, nil, 0},
		"100,000": {[]string{"a", long(100000)}, nil, nil, 0},
	} {
		for _, repeat := range []int{1, 3} { // plain, dictionary-coded
			t.Run(fmt.Sprint(name, " ×", repeat), func(t *testing.T) {
				values := slices.Repeat(c.values, repeat)
				col, a := text("c", values...)
				data, w, f := oneColumn(t, col, a, WriteOptions{})
				want := Stats{c.min, c.max, c.nulls * int64(repeat)}
				if w.Stats["c"] != want {
					t.Errorf("Stats %+v, want %+v", w.Stats["c"], want)
				}
				raw := f.groups[0].chunks[0].stats
				if lo, hi := raw.bounds(sqltype.VarcharType); lo != c.min || hi != c.max || raw.nulls != want.Nulls {
					t.Errorf("footer: %v, %v, %d NULL", lo, hi, raw.nulls)
				}
				if raw.hasMin != raw.hasMax {
					t.Error("one bound without the other")
				}
				// Each value must be found, whatever the statistics say.
				for _, v := range c.values {
					if v == "NULL" {
						continue
					}
					store, files := newMemoryStore(data)
					files[0].Rows = w.Rows
					for _, op := range []expr.CompareOp{expr.Eq, expr.Le, expr.Ge} {
						batches, _, err := scanAll(store, files, []source.Column{col}, firstColumn(compare(op, sqltype.VarcharType, v)...))
						if err != nil || countRows(batches) < int64(repeat) {
							t.Errorf("op %d %.10q: %d rows, %v", op, v, countRows(batches), err)
						}
					}
				}
			})
		}
	}
}

func TestStatisticsOfNumbers(t *testing.T) {
	nan, minusZero := math.NaN(), math.Copysign(0, -1)
	for name, c := range map[string]struct {
		values   []float64
		min, max any
		op       expr.CompareOp
		v        float64
		rows     int64
	}{
		"bounds":             {[]float64{2, -1, 3}, -1.0, 3.0, expr.Gt, 2, 1},
		"NaN has no place":   {[]float64{1, nan, 1}, nil, nil, expr.Ne, 1, 1}, // NaN <> 1 is true in Trino
		"only NaN":           {[]float64{nan, nan}, nil, nil, expr.Ne, 1, 2},
		"minus zero is zero": {[]float64{minusZero, minusZero}, 0.0, 0.0, expr.Eq, 0, 2},
		"infinite":           {[]float64{math.Inf(-1), math.Inf(1)}, math.Inf(-1), math.Inf(1), expr.Lt, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := array.NewFloat64Builder(memory.DefaultAllocator)
			b.AppendValues(c.values, nil)
			col := source.Column{Name: "c", Type: sqltype.DoubleType}
			data, w, _ := oneColumn(t, col, b.NewArray(), WriteOptions{})
			if s := w.Stats["c"]; s.Min != c.min || s.Max != c.max {
				t.Errorf("Stats %v, %v; want %v, %v", s.Min, s.Max, c.min, c.max)
			}
			store, files := newMemoryStore(data)
			files[0].Rows = w.Rows
			batches, _, err := scanAll(store, files, []source.Column{col}, firstColumn(compare(c.op, sqltype.DoubleType, c.v)...))
			if err != nil || countRows(batches) != c.rows {
				t.Errorf("%d rows, want %d; %v", countRows(batches), c.rows, err)
			}
		})
	}
}

func TestStatisticsOverRowGroups(t *testing.T) {
	col, a := text("c", "b", "b", "NULL", "NULL", "a", "c", strings.Repeat("x", 300), "d")
	_, w, f := oneColumn(t, col, a, WriteOptions{RowGroupRows: 2})
	if len(f.groups) != 4 || w.Stats["c"] != (Stats{nil, nil, 2}) {
		t.Errorf("%d row groups, %+v: one row group without bounds leaves the file without", len(f.groups), w.Stats["c"])
	}
	_, w, _ = oneColumn(t, col, array.NewSlice(a, 0, 6), WriteOptions{RowGroupRows: 2})
	if w.Stats["c"] != (Stats{"a", "c", 2}) {
		t.Errorf("%+v: a row group of NULLs only does not hide the bounds of the others", w.Stats["c"])
	}
	_, w, f = oneColumn(t, col, a, WriteOptions{NoStats: []string{"c"}})
	if c := f.groups[0].chunks[0]; w.Stats["c"].Min != nil || c.stats.hasMin || c.columnIndex.length != 0 || c.offsetIndex.length == 0 {
		t.Errorf("NoStats: %+v, %+v", w.Stats["c"], c)
	}
}

func TestEncodingFollowsRepetition(t *testing.T) {
	numbered := func(n, distinct int, format string) []string {
		values := make([]string, n)
		for i := range values {
			values[i] = fmt.Sprintf(format, (i*7919)%distinct)
		}
		return values
	}
	for name, c := range map[string]struct {
		values []string
		coded  bool
	}{
		"few names":                    {numbered(1000, 30, "Event%d"), true},
		"each twice":                   {numbered(2000, 1000, "%d"), true},
		"nearly unique":                {numbered(2000, 1500, "%d"), false},
		"unique":                       {numbered(1000, 1000, "%d"), false},
		"repetitive, 2 MiB dictionary": {numbered(8000, 2000, strings.Repeat("x", 1000)+"%d"), true},
		"repetitive, 5 MiB dictionary": {numbered(20000, 5000, strings.Repeat("x", 1000)+"%d"), false},
		"one value":                    {[]string{"a"}, false},
		"no value":                     {[]string{"NULL", "NULL"}, false},
		"repetitive only at the end":   {append(numbered(20000, 20000, "%d"), numbered(100000, 10, "%d")...), false}, // given up early
	} {
		t.Run(name, func(t *testing.T) {
			col, a := text("c", c.values...)
			data, w, f := oneColumn(t, col, a, WriteOptions{})
			if f.groups[0].chunks[0].coded != c.coded {
				t.Errorf("dictionary-coded: %v, want %v", f.groups[0].chunks[0].coded, c.coded)
			}
			if f.groups[0].chunks[0].apart == c.coded {
				t.Errorf("lengths apart: %v", f.groups[0].chunks[0].apart)
			}
			store, files := newMemoryStore(data)
			files[0].Rows = w.Rows
			batches, _, err := scanAll(store, files, []source.Column{col}, firstColumn())
			if err != nil {
				t.Fatal(err)
			}
			d, coded := batches[0].Cols[0].(*array.Dictionary)
			if coded != c.coded {
				t.Fatalf("comes as %s", batches[0].Cols[0].DataType())
			}
			if !coded {
				return
			}
			entries := vec.Entries(d)
			for i := 1; i < entries.Len(); i++ {
				if entries.Value(i-1) >= entries.Value(i) {
					t.Fatalf("entries %q and %q are not in order", entries.Value(i-1), entries.Value(i))
				}
			}
			for _, b := range batches { // one dictionary per row group: what is derived from it is derived once
				if b.Cols[0].Data().Dictionary() != d.Data().Dictionary() {
					t.Error("batches of a row group have different dictionaries")
				}
			}
		})
	}
}

func TestSkipping(t *testing.T) {
	const n = 4000
	var ids, names []string
	times := array.NewBuilder(memory.DefaultAllocator, sqltype.TimestampType.Arrow()).(*array.TimestampBuilder)
	for i := range n {
		ids = append(ids, fmt.Sprintf("id-%d", i*7919%100003))
		names = append(names, fmt.Sprintf("Event%d", 2*(i/1000*3+i%3))) // others in each row group
		times.Append(arrow.Timestamp(i))
	}
	idColumn, idArray := text("eventid", ids...)
	nameColumn, nameArray := text("eventname", names...)
	columns := []source.Column{{Name: "_time", Type: sqltype.TimestampType}, nameColumn, idColumn}
	data, w := writePaged(t, 100, WriteOptions{Columns: columns, RowGroupRows: 1000, Bloom: []string{"eventid"}},
		vec.Batch{Len: n, Cols: []arrow.Array{times.NewArray(), nameArray, idArray}})
	column := func(i int) expr.Expr { return &expr.Column{Index: i, Name: columns[i].Name, T: columns[i].Type} }
	is := func(i int, op expr.CompareOp, v any) expr.Expr {
		return &expr.Compare{Op: op, Left: column(i), Right: expr.NewLiteral(columns[i].Type, v)}
	}
	for _, c := range []struct {
		name                     string
		conjuncts                []expr.Expr
		rows                     int64
		stats, bloom, dictionary int64
		fewPages                 bool // fewer than a tenth were read
	}{
		{"nothing", nil, n, 0, 0, 0, false},
		{"time", []expr.Expr{is(0, expr.Ge, int64(2950)), is(0, expr.Lt, int64(3050))}, 100, 2, 0, 0, true},
		{"time outside", []expr.Expr{is(0, expr.Lt, int64(0))}, 0, 4, 0, 0, false},
		{"unknown id", []expr.Expr{is(2, expr.Eq, "id-50")}, 0, 0, 4, 0, false},
		{"known id", []expr.Expr{is(2, expr.Eq, ids[1234])}, 1, 0, 3, 0, false},
		{"name between others", []expr.Expr{is(1, expr.Eq, "Event1")}, 0, 1, 0, 3, false},
		{"all statistics say yes", []expr.Expr{is(0, expr.Ge, int64(0))}, n, 0, 0, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			store, files := newMemoryStore(data)
			files[0].Rows = w.Rows
			req := source.Request{Paths: source.WholeColumns(columns), Conjuncts: c.conjuncts, Limit: -1}
			batches, r, err := scanAll(store, files, columns, req)
			if err != nil || countRows(batches) != c.rows {
				t.Fatalf("%d rows, want %d; %v", countRows(batches), c.rows, err)
			}
			if s, b, d := r.RowGroupsByStats.Load(), r.RowGroupsByBloom.Load(), r.RowGroupsByDictionary.Load(); s < c.stats || b != c.bloom || s+d < c.stats+c.dictionary {
				t.Errorf("row groups skipped by statistics %d, bloom %d, dictionary %d; want %d, %d, %d", s, b, d, c.stats, c.bloom, c.dictionary)
			}
			if r.RowGroups.Load() != 4 || len(r.Notes) != len(c.conjuncts) {
				t.Errorf("%d row groups, notes %q", r.RowGroups.Load(), r.Notes)
			}
			if read := r.Pages.Load() - r.PagesPruned.Load(); c.fewPages && read*10 > 120 {
				t.Errorf("%d of %d pages read", read, r.Pages.Load())
			}
			// Prune alone comes to the same counts.
			report := &source.Report{}
			s, err := NewScan(background, store, files, columns, req, report)
			if err != nil {
				t.Fatal(err)
			}
			if s.Morsels() != 4 {
				t.Errorf("%d morsels, though the footer is known", s.Morsels())
			}
			if err := s.Prune(background); err != nil {
				t.Fatal(err)
			}
			if report.RowGroupsByStats.Load() != r.RowGroupsByStats.Load() || report.RowGroupsByBloom.Load() != c.bloom ||
				report.RowGroupsByDictionary.Load() != r.RowGroupsByDictionary.Load() || report.RowsRead.Load() != 0 {
				t.Errorf("Prune counts otherwise than reading")
			}
		})
	}
}

func TestLateColumnsReadFewPages(t *testing.T) {
	const n = 2000
	var ids, wide []string
	for i := range n {
		ids = append(ids, fmt.Sprint(i*7919%100003))
		wide = append(wide, strings.Repeat(fmt.Sprint("{", i, "}"), 100))
	}
	idColumn, idArray := text("id", ids...)
	wideColumn, wideArray := text("wide", wide...)
	columns := []source.Column{idColumn, wideColumn}
	data, w := writePaged(t, 50, WriteOptions{Columns: columns}, vec.Batch{Len: n, Cols: []arrow.Array{idArray, wideArray}})
	read := map[bool]int64{}
	for _, off := range []bool{false, true} {
		store, files := newMemoryStore(data)
		files[0].Rows = w.Rows
		req := source.Request{Paths: source.WholeColumns(columns), Conjuncts: compare(expr.Eq, sqltype.VarcharType, ids[777]), Limit: -1, Off: source.Switches{Late: off}}
		batches, r, err := scanAll(store, files, columns, req)
		if err != nil || countRows(batches) != 1 || show(batches[0].Cols[1], 0) != fmt.Sprintf("%q", wide[777]) {
			t.Fatal(countRows(batches), err)
		}
		read[off] = r.Pages.Load() - r.PagesPruned.Load()
	}
	if read[false] != 40+1 || read[true] != 40+40 {
		t.Errorf("%d pages read late, %d early; want 41, 80", read[false], read[true])
	}
}

func TestNoColumns(t *testing.T) {
	col, a := text("c", "a", "b", "c")
	data, w, _ := oneColumn(t, col, a, WriteOptions{RowGroupRows: 2})
	store, files := newMemoryStore(data)
	files[0].Rows = w.Rows
	batches, r, err := scanAll(store, files, []source.Column{col}, source.Request{Limit: -1})
	if err != nil || countRows(batches) != 3 || r.Pages.Load() != 0 {
		t.Errorf("%d rows, %d pages, %v", countRows(batches), r.Pages.Load(), err)
	}
}

func TestColumnsThatTheFileLacks(t *testing.T) {
	col, a := text("c", "a", "b", "c")
	data, w, _ := oneColumn(t, col, a, WriteOptions{})
	columns := []source.Column{col, {Name: "date", Type: sqltype.DateType}, {Name: "account", Type: sqltype.VarcharType}, {Name: "new", Type: sqltype.RowOf(sqltype.Field{Name: "x", Type: sqltype.BigIntType})}}
	store, files := newMemoryStore(data)
	files[0].Rows = w.Rows
	files[0].Constants = map[string]any{"date": int64(19000), "account": "111122223333"}
	paths := append(source.WholeColumns(columns), source.Path{Column: 3, Fields: []int{0}})
	batches, _, err := scanAll(store, files, columns, source.Request{Paths: paths, Limit: -1})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := rowsText(batches[0])[1], `"b" 19000 "111122223333" NULL NULL `; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	never := []expr.Expr{&expr.Compare{Op: expr.Eq, Left: &expr.Column{Index: 2, Name: "account", T: sqltype.VarcharType}, Right: expr.NewLiteral(sqltype.VarcharType, "9")}}
	batches, r, err := scanAll(store, files, columns, source.Request{Paths: paths, Conjuncts: never, Limit: -1})
	if err != nil || countRows(batches) != 0 || r.RowGroupsByStats.Load() != 1 {
		t.Errorf("a constant that does not match: %d rows, %d skipped, %v", countRows(batches), r.RowGroupsByStats.Load(), err)
	}
}

// TestFilesOfOthers reads what arrow-go writes by itself: no page index, dictionaries given up within a chunk, pages of version 2.
func TestFilesOfOthers(t *testing.T) {
	var values []string
	for i := range 3000 {
		values = append(values, fmt.Sprintf("value %d", i*i%2500))
	}
	col, a := text("c", values...)
	numbers := array.NewInt64Builder(memory.DefaultAllocator)
	for i := range values {
		if i%5 == 0 {
			numbers.AppendNull()
		} else {
			numbers.Append(int64(i % 9))
		}
	}
	columns := []source.Column{col, {Name: "n", Type: sqltype.BigIntType}}
	form := arrow.NewSchema([]arrow.Field{{Name: "c", Type: arrow.BinaryTypes.String}, {Name: "n", Type: arrow.PrimitiveTypes.Int64, Nullable: true}}, nil)
	record := array.NewRecordBatch(form, []arrow.Array{a, numbers.NewArray()}, int64(len(values)))
	for name, props := range map[string][]parquet.WriterProperty{
		"plain":               {parquet.WithDictionaryDefault(false)},
		"dictionary":          {},
		"dictionary given up": {parquet.WithDictionaryPageSizeLimit(5000), parquet.WithDataPageSize(4000)},
		"version 2":           {parquet.WithDataPageVersion(parquet.DataPageV2), parquet.WithDataPageSize(2000)},
		"page index, zstd":    {parquet.WithPageIndexEnabled(true), parquet.WithCompression(compress.Codecs.Zstd), parquet.WithDataPageSize(2000)},
		"stats off":           {parquet.WithStats(false)},
		"lengths apart":       {parquet.WithDictionaryDefault(false), parquet.WithEncodingFor("c", parquet.Encodings.DeltaLengthByteArray), parquet.WithDataPageSize(2000)},
	} {
		t.Run(name, func(t *testing.T) {
			var buf bytes.Buffer
			w, err := pqarrow.NewFileWriter(form, &buf, parquet.NewWriterProperties(props...), pqarrow.NewArrowWriterProperties())
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Write(record); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			store, files := newMemoryStore(buf.Bytes())
			files[0].Rows = int64(len(values))
			batches, _, err := scanAll(store, files, columns, source.Request{Paths: source.WholeColumns(columns), BatchRows: 700, Limit: -1})
			if err != nil {
				t.Fatal(err)
			}
			for i := range columns {
				if got, want := columnText(batches, i), showAll(record.Column(i)); !slices.Equal(got, want) {
					t.Errorf("column %d differs", i)
				}
			}
		})
	}
}

func TestOneScanManyWorkers(t *testing.T) {
	data, w := writePaged(t, 16, WriteOptions{Columns: damageColumns, RowGroupRows: 50}, damageBatch(1000))
	store, files := newMemoryStore(data)
	files[0].Rows = w.Rows
	if _, _, err := scanAll(store, files, damageColumns, source.Request{}); err != nil { // so that the footer is known: 20 morsels
		t.Fatal(err)
	}
	report := &source.Report{}
	s, err := NewScan(background, store, files, damageColumns, source.Request{Paths: source.WholeColumns(damageColumns), Limit: -1}, report)
	if err != nil || s.Morsels() != 20 {
		t.Fatal(s.Morsels(), err)
	}
	var mu sync.Mutex
	rows := 0
	var wg sync.WaitGroup
	for m := range s.Morsels() {
		wg.Go(func() {
			r, err := s.Open(background, m)
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Close()
			for {
				b, err := r.Next()
				if err != nil {
					return
				}
				mu.Lock()
				rows += b.Len
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if rows != 1000 || report.RowsRead.Load() != 1000 {
		t.Errorf("%d rows, the report says %d", rows, report.RowsRead.Load())
	}
}

func TestNoArrowSchemaIsStored(t *testing.T) {
	data, _ := write(t, WriteOptions{Columns: damageColumns, Metadata: map[string]string{"trailql": "1"}}, damageBatch(10))
	r, err := file.NewParquetReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	meta := r.MetaData().KeyValueMetadata()
	if meta.FindValue("ARROW:schema") != nil || meta.FindValue("trailql") == nil || meta.Len() != 1 {
		t.Errorf("metadata %v", meta)
	}
	// What Delta readers take for timestamp, string and short.
	for i, want := range map[int]schema.LogicalType{
		0: schema.NewTimestampLogicalType(true, schema.TimeUnitMicros), 1: schema.StringLogicalType{}, 5: schema.NewIntLogicalType(16, true),
	} {
		if got := r.MetaData().Schema.Column(i).LogicalType(); !got.Equals(want) {
			t.Errorf("column %d is %s, want %s", i, got, want)
		}
	}
	for i, want := range []string{"t", "name", "id", "flag", "score", "small", "who.a", "who.b.list.element", "tags.key_value.key", "tags.key_value.value"} {
		c := r.MetaData().Schema.Column(i)
		if c.Path() != want {
			t.Errorf("leaf %d is %s, want %s", i, c.Path(), want)
		}
	}
}

func TestZstdChecksum(t *testing.T) {
	page := zstdCodec{}.Encode(nil, []byte(strings.Repeat("some text ", 1000)))
	for i := range page {
		bad := bytes.Clone(page)
		bad[i] ^= 4
		if out, err := (zstdCodec{}).DecodeWithError(nil, bad); err == nil && string(out) != strings.Repeat("some text ", 1000) {
			t.Errorf("a change of byte %d gave other content", i)
		}
	}
	bomb, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (zstdCodec{}).DecodeWithError(nil, bomb.EncodeAll(make([]byte, maxPage+1), nil)); err == nil {
		t.Error("more than a page was decoded")
	}
}

func TestTypesThatAreNotStored(t *testing.T) {
	for _, ty := range []sqltype.Type{sqltype.UnknownType, sqltype.TimestampTZType, sqltype.IntervalDayType, sqltype.DecimalOf(5, 2), sqltype.RowOf()} {
		_, err := Write(&bytes.Buffer{}, WriteOptions{Columns: []source.Column{{Name: "c", Type: ty}}}, each(nil))
		if err == nil || !strings.Contains(err.Error(), `"c"`) {
			t.Errorf("%s: %v", ty, err)
		}
	}
}

func TestRowGroupsByBytes(t *testing.T) {
	col, a := text("c", slices.Repeat([]string{strings.Repeat("x", 1000)}, 100)...)
	var buf bytes.Buffer
	w, err := Write(&buf, WriteOptions{Columns: []source.Column{col}, RowGroupBytes: 10_000}, each([]vec.Batch{{Len: 100, Cols: []arrow.Array{a}}}))
	if err != nil || w.Rows != 100 {
		t.Fatal(w.Rows, err)
	}
	r, err := file.NewParquetReader(bytes.NewReader(buf.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if n := r.NumRowGroups(); n < 10 || n > 15 {
		t.Errorf("%d row groups of at most 10,000 bytes for 100 rows of 1,000", n)
	}
}

func TestBoundsThatCannotBeTrusted(t *testing.T) {
	both := func(min, max string) rawStats {
		return rawStats{min: []byte(min), max: []byte(max), hasMin: true, hasMax: true}
	}
	for name, c := range map[string]struct {
		stats  rawStats
		t      sqltype.Type
		lo, hi any
	}{
		"trusted":                         {both("a", "b"), sqltype.VarcharType, "a", "b"},
		"empty strings":                   {both("", ""), sqltype.VarcharType, "", ""},
		"an empty maximum":                {both("a", ""), sqltype.VarcharType, nil, nil}, // arrow-go, where it was over 4,096 bytes
		"no maximum":                      {rawStats{min: []byte("a"), hasMin: true}, sqltype.VarcharType, nil, nil},
		"no minimum":                      {rawStats{max: []byte("a"), hasMax: true}, sqltype.VarcharType, nil, nil},
		"out of order":                    {both("b", "a"), sqltype.VarcharType, nil, nil},
		"numbers":                         {both("\xff\xff\xff\xff", "\x01\x00\x00\x00"), sqltype.IntegerType, int64(-1), int64(1)},
		"numbers of another width":        {both("\x01", "\x02"), sqltype.BigIntType, nil, nil},
		"floats, which may hide a NaN":    {both("\x00\x00\x00\x00\x00\x00\x00\x00", "\x00\x00\x00\x00\x00\x00\xf0\x3f"), sqltype.DoubleType, nil, nil},
		"a boolean that is neither":       {both("\x00", "\x07"), sqltype.BooleanType, nil, nil},
		"binary, whose order nobody asks": {both("a", "b"), sqltype.VarbinaryType, nil, nil},
	} {
		if lo, hi := c.stats.bounds(c.t); lo != c.lo || hi != c.hi {
			t.Errorf("%s: %v, %v; want %v, %v", name, lo, hi, c.lo, c.hi)
		}
	}
}

func TestFooterHash(t *testing.T) {
	col, a := text("c", "a", "b")
	data, w, _ := oneColumn(t, col, a, WriteOptions{})
	for _, right := range []bool{true, false} {
		store, files := newMemoryStore(data)
		files[0].Rows, files[0].FooterSHA256 = w.Rows, w.FooterSHA256
		if !right {
			files[0].FooterSHA256[0]++
		}
		if _, _, err := scanAll(store, files, []source.Column{col}, firstColumn()); (err == nil) != right {
			t.Errorf("hash right: %v; error %v", right, err)
		}
	}
}

func TestKeptFootersAreBounded(t *testing.T) {
	c := footerCache{byKey: map[footerKey]*list.Element{}}
	for i := range 100 {
		c.put(footerKey{fmt.Sprint(i), 1}, &footer{size: keptFooters / 10})
		c.get(footerKey{"0", 1})
	}
	if c.order.Len() != 10 || len(c.byKey) != 10 || c.get(footerKey{"0", 1}) == nil || c.get(footerKey{"1", 1}) != nil {
		t.Errorf("%d kept", c.order.Len())
	}
}

func TestPageBounds(t *testing.T) {
	for name, format := range map[string]string{"dictionary-coded": "%02d", "plain": "%02d-%d"} {
		var values []string
		for i := range 60 {
			values = append(values, fmt.Sprintf(format, []any{i * 7 % 20, i}[:strings.Count(format, "%")]...))
		}
		col, a := text("c", values...)
		data, _ := writePaged(t, 4, WriteOptions{Columns: []source.Column{col}}, vec.Batch{Len: len(values), Cols: []arrow.Array{a}})
		length := int(binary.LittleEndian.Uint32(data[len(data)-8:]))
		f, err := parseFooter(data[len(data)-8-length:len(data)-8], int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		c := f.groups[0].chunks[0]
		pages, err := parseColumnIndex(data[c.columnIndex.offset : c.columnIndex.offset+c.columnIndex.length])
		if err != nil || len(pages) != 15 || c.coded != (name == "dictionary-coded") {
			t.Fatalf("%s: %d pages, dictionary %v, %v", name, len(pages), c.coded, err)
		}
		for i, p := range pages {
			of := values[4*i : 4*i+4]
			if string(p.min) != slices.Min(of) || string(p.max) != slices.Max(of) || p.nulls != 0 {
				t.Errorf("%s, page %d: %s to %s, %d NULL; has %v", name, i, p.min, p.max, p.nulls, of)
			}
		}
	}
}
