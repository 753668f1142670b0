package parquetio

import (
	"fmt"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// A filter that is read has every value of every row group, is small for few values, and has hardly any other.
func TestReadFilters(t *testing.T) {
	columns := []source.Column{
		{Name: "id", Type: sqltype.VarcharType},
		{Name: "none", Type: sqltype.VarcharType},
		{Name: "plain", Type: sqltype.VarcharType},
		{Name: "items", Type: sqltype.ArrayOf(sqltype.RowOf(sqltype.Field{Name: "arn", Type: sqltype.VarcharType}))},
	}
	for _, rows := range []int{0, 1, 30, 700, 5000} {
		b := vec.Batch{Len: rows, Cols: make([]arrow.Array, len(columns))}
		ids := array.NewStringBuilder(memory.DefaultAllocator)
		items := array.NewBuilder(memory.DefaultAllocator, columns[3].Type.Arrow()).(*array.ListBuilder)
		arns := items.ValueBuilder().(*array.StructBuilder)
		for i := range rows {
			ids.Append(fmt.Sprintf("id-%d", i))
			if i%3 == 0 {
				items.AppendNull()
				continue
			}
			items.Append(true)
			for k := range i % 3 {
				arns.Append(true)
				arns.FieldBuilder(0).(*array.StringBuilder).Append(fmt.Sprintf("arn-%d-%d", i, k))
			}
		}
		b.Cols[0], b.Cols[1], b.Cols[3] = ids.NewArray(), vec.Nulls(sqltype.VarcharType, rows), items.NewArray()
		b.Cols[2] = b.Cols[0]
		data, w := writePaged(t, 100, WriteOptions{Columns: columns, RowGroupRows: 1000, Bloom: []string{"id", "none", "items.list.element.arn"}}, b)
		store, files := newMemoryStore(data)
		files[0].Rows, files[0].FooterSHA256 = w.Rows, w.FooterSHA256
		got, err := ReadFilters(t.Context(), store, files[0], []string{"id", "none", "plain", "items.list.element.arn", "items.list.element", "other"})
		if err != nil {
			t.Fatal(err)
		}
		has := func(leaf, text string) bool {
			hashes, _ := BloomHashes([]any{text}, sqltype.VarcharType)
			return slices.ContainsFunc(got[leaf], func(f Filter) bool {
				return BlockHas(f[BlockOf(hashes[0], len(f)/BlockBytes)*BlockBytes:], hashes[0])
			})
		}
		if rows > 0 && got["plain"] != nil || len(got) > 4 || got["id"] == nil || got["none"] == nil || got["items.list.element.arn"] == nil {
			t.Fatalf("%d rows: filters of %d leaves", rows, len(got))
		}
		wrong := 0
		for i := range rows {
			if !has("id", fmt.Sprintf("id-%d", i)) || i%3 == 2 && !has("items.list.element.arn", fmt.Sprintf("arn-%d-1", i)) {
				t.Fatalf("%d rows: a value of row %d is missing", rows, i)
			}
		}
		for i := range 10_000 {
			if has("id", fmt.Sprintf("other-%d", i)) {
				wrong++
			}
			if has("none", fmt.Sprintf("id-%d", i)) {
				t.Fatalf("%d rows: a value in a column of NULLs", rows)
			}
		}
		if most := 200; rows < 1000 && wrong > 5 || wrong > most {
			t.Errorf("%d rows: %d of 10,000 other values are found", rows, wrong)
		}
		if size := len(slices.Concat(got["id"]...)); size > max(BlockBytes, 10*rows) {
			t.Errorf("%d rows: a filter of %d bytes", rows, size)
		}
		files[0].FooterSHA256[0]++
		if _, err := ReadFilters(t.Context(), store, files[0], []string{"id"}); err == nil {
			t.Errorf("%d rows: a footer of another hash was taken", rows)
		}
	}
}
