package vec

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/trailql/trailql/engine/sqltype"
)

func TestSort(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(0, 30).Draw(rt, "rows")
		if rapid.IntRange(0, 9).Draw(rt, "many") == 0 {
			n += 200 // enough for the radix sort
		}
		var keys []SortKey
		var columns [][]any
		for range rapid.IntRange(1, 3).Draw(rt, "keys") {
			typ := genType(true).Filter(func(t sqltype.Type) bool { return t.Kind != sqltype.Map }).Draw(rt, "type")
			values := genValues(typ, n, n).Draw(rt, "values")
			columns = append(columns, values)
			keys = append(keys, SortKey{draw(rt, typ, values), rapid.Bool().Draw(rt, "desc"), rapid.Bool().Draw(rt, "nulls first")})
		}
		compare := func(i, j int32) int {
			for k, key := range keys {
				c := refSort(columns[k][i], columns[k][j], key.Desc, key.NullsFirst)
				got := CompareRows(key.Arr, int(i), key.Arr, int(j), key.Desc, key.NullsFirst)
				if cmp.Compare(got, 0) != c {
					rt.Fatalf("CompareRows(%v, %v) is %d, want %d", columns[k][i], columns[k][j], got, c)
				}
				if c != 0 {
					return c
				}
			}
			return cmp.Compare(i, j)
		}
		rows := Sort(keys, n)
		seen := map[int32]bool{}
		for i, r := range rows {
			seen[r] = true
			if i > 0 && compare(rows[i-1], r) >= 0 {
				rt.Fatalf("row %d stands before %d", rows[i-1], r)
			}
		}
		if len(seen) != n {
			rt.Fatalf("%d distinct rows of %d", len(seen), n)
		}
		most := rapid.IntRange(0, n+1).Draw(rt, "most")
		if first := SortFirst(keys, n, most); !slices.Equal(first, rows[:min(most, n)]) {
			rt.Fatalf("the first %d rows are %v, of all %v", most, first, rows)
		}
	})
}

// TestSortTexts sorts texts that share long beginnings, end in zero bytes or are the beginning of others; by Go's own order.
func TestSortTexts(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		part := rapid.SampledFrom([]string{"", "\x00", "a", "b", "\xff", "arn:aws:iam::123456789012:role/", "\x00\x00\x00\x00\x00\x00\x00\x00"})
		texts := rapid.SliceOfN(rapid.Map(rapid.SliceOfN(part, 0, 6), func(parts []string) string { return strings.Join(parts, "") }), 0, 30).Draw(rt, "texts")
		n := rapid.SampledFrom([]int{0, 10, 100, 1000}).Draw(rt, "rows")
		if len(texts) == 0 {
			n = 0
		}
		values := make([]any, n)
		for i := range values {
			if i%7 != 6 {
				values[i] = []byte(texts[(i*31+i/5)%len(texts)])
			}
		}
		desc := rapid.Bool().Draw(rt, "desc")
		want := make([]int32, n)
		for i := range want {
			want[i] = int32(i)
		}
		slices.SortStableFunc(want, func(i, j int32) int { return refSort(values[i], values[j], desc, false) })
		keys := []SortKey{{Arr: build(sqltype.VarbinaryType, values), Desc: desc}}
		if got := Sort(keys, n); !slices.Equal(got, want) {
			rt.Fatalf("got %v, want %v", got, want)
		}
		most := rapid.IntRange(0, n).Draw(rt, "most")
		if got := SortFirst(keys, n, most); !slices.Equal(got, want[:most]) {
			rt.Fatalf("the first %d: got %v, want %v", most, got, want[:most])
		}
	})
}

// TestSortUnderNulls: what an array holds in the place of a NULL, as arithmetic leaves it, has no say in the order.
func TestSortUnderNulls(t *testing.T) {
	for _, n := range []int{4, 100, 400} { // by comparison of values, of ranks, and by radix
		values, second := make([]any, n), make([]any, n)
		for i := range values {
			values[i], second[i] = int64(n-i), int64(i)
		}
		null := Mask(build(sqltype.BigIntType, values), build(sqltype.BigIntType, make([]any, n)))
		rows := Sort([]SortKey{{Arr: null}, {Arr: build(sqltype.BigIntType, second)}}, n)
		for i, r := range rows {
			if int(r) != i {
				t.Fatalf("%d rows: row %d stands at %d", n, r, i)
			}
		}
	}
}
