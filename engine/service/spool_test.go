package service

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"

	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

var scalars = []sqltype.Type{
	sqltype.UnknownType, sqltype.BooleanType, sqltype.TinyIntType, sqltype.SmallIntType, sqltype.IntegerType, sqltype.BigIntType,
	sqltype.RealType, sqltype.DoubleType, sqltype.DecimalOf(38, 5), sqltype.VarcharType, {Kind: sqltype.Varchar, Length: 7}, sqltype.VarbinaryType,
	sqltype.DateType, sqltype.TimeType, sqltype.TimestampType, {Kind: sqltype.Timestamp, Precision: 6}, sqltype.TimestampTZType,
	sqltype.IntervalDayType, sqltype.IntervalYearType, sqltype.JSONType,
}

// anyType draws a type of at most so many levels.
func anyType(levels int) *rapid.Generator[sqltype.Type] {
	scalar := rapid.SampledFrom(scalars)
	if levels == 1 {
		return scalar
	}
	inner := anyType(levels - 1)
	return rapid.OneOf(scalar,
		rapid.Custom(func(rt *rapid.T) sqltype.Type { return sqltype.ArrayOf(inner.Draw(rt, "elem")) }),
		rapid.Custom(func(rt *rapid.T) sqltype.Type { return sqltype.MapOf(sqltype.VarcharType, inner.Draw(rt, "value")) }),
		rapid.Custom(func(rt *rapid.T) sqltype.Type {
			return sqltype.RowOf(sqltype.Field{Name: "a", Type: inner.Draw(rt, "a")}, sqltype.Field{Name: "b", Type: inner.Draw(rt, "b")})
		}))
}

// put appends a drawn value.
func put(rt *rapid.T, b array.Builder) {
	if rapid.IntRange(0, 4).Draw(rt, "null") == 0 {
		b.AppendNull()
		return
	}
	n := rapid.Int64Range(-1000, 1000).Draw(rt, "n")
	switch b := b.(type) {
	case *array.NullBuilder:
		b.AppendNull()
	case *array.BooleanBuilder:
		b.Append(n > 0)
	case *array.Int8Builder:
		b.Append(int8(n))
	case *array.Int16Builder:
		b.Append(int16(n))
	case *array.Int32Builder:
		b.Append(int32(n))
	case *array.Int64Builder:
		b.Append(n)
	case *array.Float32Builder:
		b.Append(float32(n) / 8)
	case *array.Float64Builder:
		b.Append([]float64{float64(n) / 8, math.NaN(), math.Inf(1), math.Copysign(0, -1)}[max(0, n%4)])
	case *array.Decimal128Builder:
		b.Append(decimal128.FromI64(n))
	case *array.StringBuilder:
		b.Append(strings.Repeat("é", int(max(0, n%9))) + fmt.Sprint(n))
	case *array.BinaryBuilder:
		b.Append([]byte{byte(n), 0xff})
	case *array.Date32Builder:
		b.Append(arrow.Date32(n))
	case *array.Time64Builder:
		b.Append(arrow.Time64(n + 1000))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(n * 1e9))
	case *array.MapBuilder: // before ListBuilder: keys are never NULL
		b.Append(true)
		for k := range max(0, n%4) {
			b.KeyBuilder().(*array.StringBuilder).Append(fmt.Sprint("k", k))
			put(rt, b.ItemBuilder())
		}
	case *array.ListBuilder:
		b.Append(true)
		for range max(0, n%4) {
			put(rt, b.ValueBuilder())
		}
	case *array.StructBuilder:
		b.Append(true)
		if arrow.TypeEqual(b.Type(), sqltype.TimestampTZForm) {
			b.FieldBuilder(0).(*array.TimestampBuilder).Append(arrow.Timestamp(n * 1e9))
			b.FieldBuilder(1).(*array.Int16Builder).Append(sqltype.UTCKey)
			return
		}
		for i := range b.NumField() {
			put(rt, b.FieldBuilder(i))
		}
	default:
		rt.Fatalf("no values for %T", b)
	}
}

// column draws n values of a type, as a slice of a longer array, text at times as a dictionary.
func column(rt *rapid.T, t sqltype.Type, n int) arrow.Array {
	before := rapid.IntRange(0, 3).Draw(rt, "before")
	b := array.NewBuilder(memory.DefaultAllocator, t.Arrow())
	for range before + n + 2 {
		put(rt, b)
	}
	a := b.NewArray()
	if text, ok := a.(*array.String); ok && rapid.Bool().Draw(rt, "dictionary") {
		var entries []string
		codes := make([]int32, text.Len())
		for i := range codes {
			codes[i] = -1
			if text.IsValid(i) {
				codes[i] = int32(len(entries))
				entries = append(entries, text.Value(i))
			}
		}
		own := array.NewStringBuilder(memory.DefaultAllocator)
		own.AppendValues(entries, nil)
		a = vec.EncodeDictionary(own.NewStringArray(), codes)
	}
	return vec.Slice(a, before, before+n)
}

// TestStoredIsWhatWasGiven: whatever the types, the sizes of the batches, where the file is cut into record batches and how it is paged.
func TestStoredIsWhatWasGiven(t *testing.T) {
	s := &Service{folder: t.TempDir()}
	if err := os.Mkdir(s.results(), 0o700); err != nil {
		t.Fatal(err)
	}
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		runs++
		id := fmt.Sprint(runs)
		var columns []Column
		for i := range rapid.IntRange(1, 4).Draw(rt, "columns") {
			columns = append(columns, Column{Name: []string{"", "a", "a", "ü b"}[i], Type: anyType(3).Draw(rt, "type")})
		}
		text, err := columnsText(columns)
		if err != nil {
			rt.Fatal(err)
		}
		out, err := newSpool(s.results(), id, columns, 1<<30)
		if err != nil {
			rt.Fatal(err)
		}
		var want []string
		for range rapid.IntRange(0, 5).Draw(rt, "batches") {
			b := vec.Batch{Len: rapid.IntRange(1, 6).Draw(rt, "rows")}
			for _, c := range columns {
				b.Cols = append(b.Cols, column(rt, c.Type, b.Len))
			}
			want = append(want, lines(columns, []vec.Batch{b})...)
			if _, err := out.add(b); err != nil {
				rt.Fatal(err)
			}
			if rapid.Bool().Draw(rt, "flush") {
				if _, err := out.flush(); err != nil {
					rt.Fatal(err)
				}
				if so := out.soFar(); so.rows != int64(len(want)) {
					rt.Fatalf("%d of %d rows after a flush", so.rows, len(want))
				}
			}
		}
		whole, err := out.close()
		if err != nil {
			rt.Fatal(err)
		}
		if whole.extents, err = decodeExtents(encodeExtents(whole.extents)); err != nil { // as after a restart
			rt.Fatal(err)
		}
		if whole.columns, err = parseColumns(text); err != nil {
			rt.Fatal(err)
		}
		for i := range columns {
			if columns[i].Name != whole.columns[i].Name || !columns[i].Type.Equal(whole.columns[i].Type) {
				rt.Fatalf("column %v became %v", columns[i], whole.columns[i])
			}
		}
		page := rapid.Int64Range(1, 40).Draw(rt, "page")
		var got []string
		for from := int64(0); from < int64(len(want)); from += page {
			p, err := s.read(whole, from, page)
			if err != nil {
				rt.Fatal(err)
			}
			for _, b := range p.Batches {
				for i, col := range b.Cols {
					if form := whole.columns[i].Type.Arrow(); !arrow.TypeEqual(col.DataType(), form) {
						rt.Fatalf("column %d has form %s, want %s", i, col.DataType(), form)
					}
				}
			}
			got = append(got, lines(whole.columns, p.Batches)...)
		}
		if !slices.Equal(got, want) {
			rt.Fatalf("pages of %d give\n%q\nwant\n%q", page, got, want)
		}
		readStream(rt, resultPath(s.results(), id), len(want))
	})
}

// readStream reads the file as any other program would.
func readStream(rt *rapid.T, path string, rows int) {
	file, err := os.Open(path)
	if err != nil {
		rt.Fatal(err)
	}
	defer file.Close()
	r, err := ipc.NewReader(file)
	if err != nil {
		rt.Fatal(err)
	}
	for r.Next() {
		rows -= int(r.RecordBatch().NumRows())
	}
	if r.Err() != nil || rows != 0 {
		rt.Fatalf("as a stream the file is %d rows short: %v", rows, r.Err())
	}
}

// wide is a batch of equal texts, coded: small in memory, large when it is stored.
func wide(rows, bytes int) vec.Batch {
	b := array.NewStringBuilder(memory.DefaultAllocator)
	b.Append(strings.Repeat("x", bytes))
	return vec.Batch{Len: rows, Cols: []arrow.Array{vec.EncodeDictionary(b.NewStringArray(), make([]int32, rows))}}
}

func TestWideBatchesAreCut(t *testing.T) {
	s := &Service{folder: t.TempDir()}
	if err := os.Mkdir(s.results(), 0o700); err != nil {
		t.Fatal(err)
	}
	out, err := newSpool(s.results(), "wide", []Column{{Name: "x", Type: sqltype.VarcharType}}, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	const rows, bytes = 5000, 10_000 // 50 MB
	for _, b := range []vec.Batch{wide(3, 10), wide(rows, bytes), wide(1, 2*extentBytes), wide(3, 10)} {
		if _, err := out.add(b); err != nil {
			t.Fatal(err)
		}
	}
	r, err := out.close()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range r.extents {
		if e.Rows > extentBytes/bytes {
			t.Errorf("a record batch of %d rows", e.Rows)
		}
	}
	if r.rows != rows+7 || len(r.extents) > 2*rows*bytes/extentBytes {
		t.Errorf("%d rows in %d record batches", r.rows, len(r.extents))
	}
	p, err := s.read(r, 10, rows)
	if err != nil {
		t.Fatal(err)
	}
	if size := p.Rows * bytes; size > pageBytes || size < pageBytes/4 {
		t.Errorf("a page of %d rows, about %d bytes", p.Rows, size)
	}
	total := int64(0)
	for total < r.rows {
		p, err := s.read(r, total, math.MaxInt64)
		if err != nil || p.Rows == 0 {
			t.Fatal(total, err)
		}
		total += p.Rows
	}
}

// TestSmallBatchesAreJoined: a record batch of a few rows costs more than the rows.
func TestSmallBatchesAreJoined(t *testing.T) {
	folder := t.TempDir()
	out, err := newSpool(folder, "small", []Column{{Name: "x", Type: sqltype.VarcharType}}, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	for range 20_000 {
		if _, err := out.add(wide(1, 1)); err != nil {
			t.Fatal(err)
		}
	}
	r, err := out.close()
	if err != nil {
		t.Fatal(err)
	}
	if r.rows != 20_000 || len(r.extents) > 4 || r.extents[0].Rows != 1 { // the first row comes at once
		t.Errorf("%d rows in %d record batches", r.rows, len(r.extents))
	}
}

// TestFullDisk: /dev/full takes nothing.
func TestFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("this system has no /dev/full")
	}
	folder := t.TempDir()
	out, err := newSpool(folder, "r", []Column{{Name: "x", Type: sqltype.VarcharType}}, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	if out.file, err = os.OpenFile("/dev/full", os.O_WRONLY, 0); err != nil {
		t.Fatal(err)
	}
	_, err = out.add(wide(1, 10))
	if sqlerr.KindOf(err) != sqlerr.Resource || !strings.Contains(err.Error(), syscall.ENOSPC.Error()) || !strings.Contains(err.Error(), folder) {
		t.Errorf("got %v", err)
	}
	if _, again := out.add(wide(1, 10)); again == nil {
		t.Error("the spool forgot that it failed")
	}
	out.remove()
	if left, _ := os.ReadDir(folder); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestABatchOfOtherTypes is a defect of the engine, and the end of the query only.
func TestABatchOfOtherTypes(t *testing.T) {
	out, err := newSpool(t.TempDir(), "r", []Column{{Name: "x", Type: sqltype.BigIntType}}, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := out.add(wide(3, 10)); sqlerr.KindOf(err) != sqlerr.Internal {
		t.Errorf("got %v", err)
	}
	if _, err := out.flush(); err == nil {
		t.Error("it is forgotten")
	}
	out.remove()
}
