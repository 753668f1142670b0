package vec

import (
	"runtime"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"pgregory.net/rapid"

	"github.com/trailql/trailql/engine/sqltype"
)

func TestTakeEntries(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		values := genValues(sqltype.VarcharType, 0, 20).Draw(rt, "values")
		d, ok := draw(rt, sqltype.VarcharType, values).(*array.Dictionary)
		if !ok {
			return
		}
		result := genType(true).Draw(rt, "result type")
		nullLast := rapid.Bool().Draw(rt, "null last")
		n := Entries(d).Len()
		if nullLast {
			n++
		}
		perEntry := genValues(result, n, n).Draw(rt, "per entry")
		want := make([]any, len(values))
		for i, v := range values {
			switch {
			case v != nil:
				want[i] = perEntry[d.GetValueIndex(i)]
			case nullLast:
				want[i] = perEntry[n-1]
			}
		}
		checkColumn(rt, result, TakeEntries(draw(rt, result, perEntry), d, nullLast), want)
	})
}

func TestUsedAndWithNull(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		values := genValues(sqltype.VarcharType, 0, 30).Draw(rt, "values")
		d, ok := draw(rt, sqltype.VarcharType, values).(*array.Dictionary)
		if !ok {
			return
		}
		different := map[any]bool{}
		for i, v := range values {
			if v != nil {
				different[d.GetValueIndex(i)] = true
			}
		}
		most := rapid.IntRange(0, 30).Draw(rt, "most")
		used := Used(d, most)
		if (used == nil) != (len(different) > most) {
			rt.Fatalf("%d entries are used, at most %d wanted, got %v", len(different), most, used)
		}
		if used != nil {
			if n := Entries(used).Len(); n != len(different) {
				rt.Fatalf("got %d entries, want %d", n, len(different))
			}
			checkColumn(rt, sqltype.VarcharType, used, values)
		}
		var want []any
		for i := range Entries(d).Len() {
			want = append(want, Entries(d).Value(i))
		}
		checkColumn(rt, sqltype.VarcharType, WithNull(Entries(d)), append(want, nil))
	})
}

// A batch of a sorted table has the dictionary of the whole table: what a few rows of it use must not cost what it has.
func TestUsedOfALargeDictionary(t *testing.T) {
	const entries, rows = 1 << 20, 64
	codes := make([]int32, rows)
	for i := range codes {
		codes[i] = int32(i%8) * (entries / 8) // equal in their low bits
	}
	d := EncodeDictionary(newText(arrow.BinaryTypes.String, make([]int32, entries+1), nil, nil).(*array.String), codes)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	used := Used(d, rows)
	runtime.ReadMemStats(&after)
	if n := Entries(used).Len(); n != 8 {
		t.Errorf("%d entries, want 8", n)
	}
	for i, c := range Codes(used) {
		if c != int32(i%8) {
			t.Errorf("row %d has code %d", i, c)
		}
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 64<<10 {
		t.Errorf("%d bytes for %d rows", n, rows)
	}
}
