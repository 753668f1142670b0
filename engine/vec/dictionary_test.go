package vec

import (
	"testing"

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
