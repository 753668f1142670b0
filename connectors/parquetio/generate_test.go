package parquetio

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"pgregory.net/rapid"

	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// show writes a value so that equal values of the plain and the dictionary form look the same.
func show(a arrow.Array, row int) string {
	if a.IsNull(row) {
		return "NULL"
	}
	switch a := a.(type) {
	case *array.Dictionary:
		return show(a.Dictionary(), a.GetValueIndex(row))
	case *array.String:
		return fmt.Sprintf("%q", a.Value(row))
	case *array.Binary:
		return fmt.Sprintf("%q", a.Value(row))
	case *array.Boolean:
		return fmt.Sprint(a.Value(row))
	case *array.Int8:
		return fmt.Sprint(a.Value(row))
	case *array.Int16:
		return fmt.Sprint(a.Value(row))
	case *array.Int32:
		return fmt.Sprint(a.Value(row))
	case *array.Int64:
		return fmt.Sprint(a.Value(row))
	case *array.Date32:
		return fmt.Sprint(int32(a.Value(row)))
	case *array.Timestamp:
		return fmt.Sprint(int64(a.Value(row)))
	case *array.Float32:
		return fmt.Sprint(math.Float32bits(a.Value(row)))
	case *array.Float64:
		return fmt.Sprint(math.Float64bits(a.Value(row)))
	case *array.Struct:
		var s []string
		for i := range a.NumField() {
			s = append(s, show(a.Field(i), row))
		}
		return "{" + strings.Join(s, " ") + "}"
	case *array.Map:
		start, end := a.ValueOffsets(row)
		var s []string
		for i := start; i < end; i++ {
			pairs := a.ListValues().(*array.Struct)
			s = append(s, show(pairs.Field(0), int(i))+":"+show(pairs.Field(1), int(i)))
		}
		return "<" + strings.Join(s, " ") + ">"
	case *array.List:
		start, end := a.ValueOffsets(row)
		var s []string
		for i := start; i < end; i++ {
			s = append(s, show(a.ListValues(), int(i)))
		}
		return "[" + strings.Join(s, " ") + "]"
	}
	panic(fmt.Sprintf("show %T", a))
}

func showAll(a arrow.Array) []string {
	s := make([]string, a.Len())
	for i := range s {
		s[i] = show(a, i)
	}
	return s
}

// words repeat, so that chunks become dictionary-coded; the traps of statistics are among them.
var words = []string{"", "a", "b", "ConsoleLogin", "ConsoleLogout", "ümlaut", "日本", "\x00", "\uffff", "z", strings.Repeat("x", 256), strings.Repeat("x", 257), strings.Repeat("y", 5000)}

func appendRandom(t *rapid.T, b array.Builder, ty sqltype.Type, spread int) {
	if rapid.IntRange(0, 4).Draw(t, "null") == 0 {
		b.AppendNull()
		return
	}
	appendValue(t, b, ty, spread)
}

func appendValue(t *rapid.T, b array.Builder, ty sqltype.Type, spread int) {
	n := rapid.IntRange(0, spread).Draw(t, "v")
	switch b := b.(type) {
	case *array.StringBuilder:
		if spread > len(words) {
			b.Append(fmt.Sprintf("value %d", n))
		} else {
			b.Append(words[n%len(words)])
		}
	case *array.BinaryBuilder:
		b.Append([]byte{byte(n), 255})
	case *array.BooleanBuilder:
		b.Append(n%2 == 0)
	case *array.Int8Builder:
		b.Append(int8(n - 5))
	case *array.Int16Builder:
		b.Append(int16(n - 5))
	case *array.Int32Builder:
		b.Append(int32(n - 5))
	case *array.Int64Builder:
		b.Append(int64(n-5) << 33)
	case *array.Date32Builder:
		b.Append(arrow.Date32(n))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(n) * 1e6)
	case *array.Float32Builder:
		b.Append([]float32{0, float32(math.Copysign(0, -1)), 1.5, float32(math.NaN()), float32(math.Inf(1))}[n%5])
	case *array.Float64Builder:
		b.Append([]float64{0, math.Copysign(0, -1), 1.5, math.NaN(), math.Inf(1), -3}[n%6])
	case *array.StructBuilder:
		b.Append(true)
		for i, f := range ty.Fields {
			appendRandom(t, b.FieldBuilder(i), f.Type, spread)
		}
	case *array.ListBuilder:
		b.Append(true)
		for range rapid.IntRange(0, 3).Draw(t, "len") {
			appendRandom(t, b.ValueBuilder(), *ty.Elem, spread)
		}
	case *array.MapBuilder:
		b.Append(true)
		for range rapid.IntRange(0, 3).Draw(t, "len") {
			appendValue(t, b.KeyBuilder(), *ty.Key, spread)
			appendRandom(t, b.ItemBuilder(), *ty.Elem, spread)
		}
	default:
		t.Fatalf("no values for %T", b)
	}
}

var leafTypes = []sqltype.Type{
	sqltype.VarcharType, sqltype.VarcharType, sqltype.BigIntType, sqltype.IntegerType, sqltype.BooleanType, sqltype.DateType,
	sqltype.TimestampType, sqltype.DoubleType, sqltype.RealType, sqltype.VarbinaryType, sqltype.TinyIntType, sqltype.SmallIntType,
}

func randomType(t *rapid.T, depth int) sqltype.Type {
	kind := rapid.IntRange(0, 6).Draw(t, "kind")
	if depth == 0 {
		kind = 0
	}
	switch kind {
	case 4:
		return sqltype.ArrayOf(randomType(t, depth-1))
	case 5:
		return sqltype.MapOf(sqltype.VarcharType, randomType(t, depth-1))
	case 6:
		var fields []sqltype.Field
		for i := range rapid.IntRange(1, 3).Draw(t, "fields") {
			fields = append(fields, sqltype.Field{Name: fmt.Sprintf("f%d", i), Type: randomType(t, depth-1)})
		}
		return sqltype.RowOf(fields...)
	}
	return rapid.SampledFrom(leafTypes).Draw(t, "leaf")
}

// randomColumn has n rows; a text column may come dictionary-coded, any column as a slice.
func randomColumn(t *rapid.T, ty sqltype.Type, n, spread int) arrow.Array {
	b := array.NewBuilder(memory.DefaultAllocator, ty.Arrow())
	skip := rapid.IntRange(0, 2).Draw(t, "offset")
	for range n + skip {
		appendRandom(t, b, ty, spread)
	}
	var a arrow.Array = b.NewArray()
	if rapid.Bool().Draw(t, "coded") {
		a = codedText(a)
	}
	return array.NewSlice(a, int64(skip), int64(skip+n))
}

// codedText gives text its dictionary-coded form, in fields of rows too.
func codedText(a arrow.Array) arrow.Array {
	switch a := a.(type) {
	case *array.String:
		return coded(a)
	case *array.Struct:
		fields := make([]arrow.Field, a.NumField())
		kids := make([]arrow.ArrayData, a.NumField())
		for i := range fields {
			kid := codedText(a.Field(i))
			fields[i] = arrow.Field{Name: a.DataType().(*arrow.StructType).Field(i).Name, Type: kid.DataType(), Nullable: true}
			kids[i] = kid.Data()
		}
		return array.MakeFromData(array.NewData(arrow.StructOf(fields...), a.Len(), a.Data().Buffers(), kids, a.NullN(), 0))
	}
	return a
}

func coded(a *array.String) arrow.Array {
	b := array.NewDictionaryBuilder(memory.DefaultAllocator, sqltype.DictionaryString).(*array.BinaryDictionaryBuilder)
	for i := range a.Len() {
		if a.IsNull(i) {
			b.AppendNull()
		} else if err := b.AppendString(a.Value(i)); err != nil {
			panic(err)
		}
	}
	return b.NewArray()
}

func randomTable(t *rapid.T) (columns []source.Column, batches []vec.Batch) {
	for i := range rapid.IntRange(1, 4).Draw(t, "columns") {
		columns = append(columns, source.Column{Name: fmt.Sprintf("c%d", i), Type: randomType(t, 3)})
	}
	spread := rapid.SampledFrom([]int{2, 12, 1000}).Draw(t, "spread")
	for range rapid.IntRange(0, 3).Draw(t, "batches") {
		b := vec.Batch{Len: rapid.IntRange(1, 40).Draw(t, "rows")}
		for _, c := range columns {
			b.Cols = append(b.Cols, randomColumn(t, c.Type, b.Len, spread))
		}
		batches = append(batches, b)
	}
	return columns, batches
}

func each(batches []vec.Batch) func() (vec.Batch, error) {
	return func() (vec.Batch, error) {
		if len(batches) == 0 {
			return vec.Batch{}, io.EOF
		}
		b := batches[0]
		batches = batches[1:]
		return b, nil
	}
}

type failer interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

func write(t failer, opt WriteOptions, batches ...vec.Batch) ([]byte, Written) {
	t.Helper()
	return writePaged(t, pageRows, opt, batches...)
}

// writePaged writes with pages of so few rows that a small test has many.
func writePaged(t failer, rows int, opt WriteOptions, batches ...vec.Batch) ([]byte, Written) {
	t.Helper()
	return writeForm(t, rows, parquet.Encodings.DeltaLengthByteArray, opt, batches...)
}

// writeForm is writePaged with an encoding of plain text.
func writeForm(t failer, rows int, text parquet.Encoding, opt WriteOptions, batches ...vec.Batch) ([]byte, Written) {
	t.Helper()
	var buf bytes.Buffer
	if opt.RowGroupRows == 0 {
		opt.RowGroupRows = defaultGroupRows
	}
	opt.RowGroupBytes = defaultGroupBytes
	fw := newFileWriter(&buf, opt)
	fw.pageRows, fw.text = rows, text
	w, err := fw.write(each(batches))
	if err != nil {
		t.Fatal(err)
	}
	return buf.Bytes(), w
}

// reference reads a file by arrow-go's own reader.
func reference(t failer, data []byte) arrow.Table {
	t.Helper()
	r, err := file.NewParquetReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	fr, err := pqarrow.NewFileReader(r, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	table, err := fr.ReadTable(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// columnText shows a column of all batches.
func columnText(batches []vec.Batch, column int) (s []string) {
	for _, b := range batches {
		s = append(s, showAll(b.Cols[column])...)
	}
	return s
}

func tableText(table arrow.Table, column int) (s []string) {
	for _, c := range table.Column(column).Data().Chunks() {
		s = append(s, showAll(c)...)
	}
	return s
}

func fieldOf(a arrow.Array, i int) arrow.Array { return a.(*array.Struct).Field(i) }
