package source

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

func TestMemoryYieldsThePathsOfEachBatch(t *testing.T) {
	person := sqltype.RowOf(sqltype.Field{Name: "name", Type: sqltype.VarcharType}, sqltype.Field{Name: "age", Type: sqltype.BigIntType})
	people := array.NewBuilder(memory.DefaultAllocator, person.Arrow()).(*array.StructBuilder)
	for i, name := range []string{"ann", "", "bob"} {
		people.AppendValues([]bool{name != ""}) // the second row is NULL, with an age below that must not show
		people.FieldBuilder(0).(*array.StringBuilder).Append(name)
		people.FieldBuilder(1).(*array.Int64Builder).Append(int64(i))
	}
	ids := array.NewInt64Builder(memory.DefaultAllocator)
	ids.AppendValues([]int64{7, 8, 9}, nil)
	batch := vec.Batch{Len: 3}
	batch.Cols = append(batch.Cols, people.NewArray(), ids.NewArray())
	table := NewMemory("people", []Column{{Name: "person", Type: person}, {Name: "id", Type: sqltype.BigIntType}}, []vec.Batch{batch, {}, batch.Slice(1, 3)})

	scan, err := table.Scan(context.Background(), Request{Paths: []Path{{Column: 1}, {Column: 0, Fields: []int{1}}}, BatchRows: 2})
	if err != nil {
		t.Fatal(err)
	}
	if scan.Morsels() != 2 {
		t.Fatalf("%d morsels: an empty batch is none", scan.Morsels())
	}
	want := [][][]any{{{int64(7), int64(8)}, {int64(9)}}, {{int64(8), int64(9)}}}
	ages := map[any]any{int64(7): int64(0), int64(8): nil, int64(9): int64(2)}
	for morsel, batches := range want {
		reader, err := scan.Open(context.Background(), morsel)
		if err != nil {
			t.Fatal(err)
		}
		for _, ids := range batches {
			b, err := reader.Next()
			if err != nil || b.Len != len(ids) {
				t.Fatalf("morsel %d: %d rows, %v", morsel, b.Len, err)
			}
			for i, id := range ids {
				if got, age := vec.Value(b.Cols[0], i), vec.Value(b.Cols[1], i); got != id || age != ages[id] {
					t.Errorf("morsel %d: id %v, age %v", morsel, got, age)
				}
			}
		}
		if _, err := reader.Next(); !errors.Is(err, io.EOF) {
			t.Errorf("morsel %d: at the end %v", morsel, err)
		}
	}
	if n := scan.Report().RowsRead.Load(); n != 5 {
		t.Errorf("%d rows read", n)
	}
}
