package vec

import (
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"
)

func TestTakeSlicePlainColumn(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		typ := genType(true).Draw(rt, "type")
		values := genValues(typ, 0, 20).Draw(rt, "values")
		a := draw(rt, typ, values)
		checkColumn(rt, typ, a, values)
		checkColumn(rt, typ, Plain(a), values)

		rows := rapid.SliceOfN(rapid.Int32Range(-1, int32(len(values))-1), 0, 30).Draw(rt, "rows")
		want := make([]any, len(rows))
		for i, r := range rows {
			if r >= 0 {
				want[i] = values[r]
			}
		}
		taken := Batch{Len: a.Len(), Cols: []arrow.Array{a, nil}}.Take(rows)
		checkColumn(rt, typ, taken.Cols[0], want)
		if taken.Len != len(rows) || taken.Cols[1] != nil {
			rt.Fatalf("batch of %d rows, columns %v", taken.Len, taken.Cols)
		}
		if a.DataType().ID() == arrow.DICTIONARY && taken.Cols[0].DataType().ID() != arrow.DICTIONARY {
			rt.Fatal("the dictionary was lost")
		}
		from := rapid.IntRange(0, len(rows)).Draw(rt, "from")
		to := rapid.IntRange(from, len(rows)).Draw(rt, "to")
		part := taken.Slice(from, to)
		checkColumn(rt, typ, part.Cols[0], want[from:to])
		if whole := Size(taken.Cols[0]); Size(part.Cols[0]) > whole+8 {
			rt.Fatalf("a slice of %d bytes is larger than the whole of %d", Size(part.Cols[0]), whole)
		}
		if len(values) > 0 {
			c := Slice(a, 0, 1)
			checkColumn(rt, typ, Column(Datum{c, true}, 5), []any{values[0], values[0], values[0], values[0], values[0]})
		}
		checkColumn(rt, typ, Nulls(typ, 3), []any{nil, nil, nil})
	})
}

// Workers take from one list of NULLs at a time. Arrow writes to the data of NULLs whenever it makes an array of them, which the race detector sees.
func TestTakeFromSharedNulls(t *testing.T) {
	b := array.NewListBuilder(memory.DefaultAllocator, arrow.Null)
	for range 100 {
		b.Append(true)
		b.ValueBuilder().AppendNull()
	}
	lists := b.NewArray()
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			if got := Take(lists, []int32{3, 1, 99}); got.Len() != 3 || got.(*array.List).ListValues().Len() != 3 {
				t.Errorf("%v", got)
			}
		})
	}
	workers.Wait()
}
