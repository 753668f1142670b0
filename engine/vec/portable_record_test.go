package vec

import (
	"bytes"
	"io"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/engine/sqltype"
)

// TestPortableRecord: record batches behind the start of another stream of the same columns are the batches that were written, plain.
func TestPortableRecord(t *testing.T) {
	columns := []sqltype.Column{{Name: "word", Type: sqltype.VarcharType}, {Name: "nothing", Type: sqltype.UnknownType}, {Name: "word", Type: sqltype.BigIntType}}
	words := array.NewDictionaryBuilder(memory.DefaultAllocator, &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}).(*array.BinaryDictionaryBuilder)
	numbers := array.NewInt64Builder(memory.DefaultAllocator)
	for i, word := range []string{"a", "b", "a"} {
		if err := words.AppendString(word); err != nil {
			t.Fatal(err)
		}
		numbers.Append(int64(i))
	}
	record, err := PortableRecord(columns, Batch{Len: 3, Cols: []arrow.Array{words.NewArray(), Nulls(sqltype.UnknownType, 3), numbers.NewArray()}})
	if err != nil {
		t.Fatal(err)
	}
	var stream bytes.Buffer
	w := ipc.NewWriter(&stream, ipc.WithSchema(PortableSchema(columns)))
	if err := w.Write(record); err != nil {
		t.Fatal(err)
	}
	start, err := PortableStart(columns)
	if err != nil || !bytes.HasPrefix(stream.Bytes(), start) {
		t.Fatalf("the stream does not begin with %x: %v", start, err)
	}
	in, err := ipc.NewReader(io.MultiReader(bytes.NewReader(start), bytes.NewReader(stream.Bytes()[len(start):])))
	if err != nil || !in.Next() {
		t.Fatal(err)
	}
	if kind, _ := in.Schema().Field(2).Metadata.GetValue("sql_type"); kind != "bigint" {
		t.Errorf("sql_type is %q", kind)
	}
	b, err := FromPortableRecord(columns, in.RecordBatch())
	if err != nil {
		t.Fatal(err)
	}
	in.Release()
	for i, want := range []string{`["a" "b" "a"]`, "[(null) (null) (null)]", "[0 1 2]"} {
		if got := b.Cols[i].String(); !arrow.TypeEqual(b.Cols[i].DataType(), columns[i].Type.Arrow()) || i != 1 && got != want {
			t.Errorf("column %d is %s of %s, want %s", i, got, b.Cols[i].DataType(), want)
		}
	}
	if _, err := FromPortableRecord([]sqltype.Column{columns[2], columns[1], columns[0]}, record); err == nil {
		t.Error("columns of other types were read")
	}
}
