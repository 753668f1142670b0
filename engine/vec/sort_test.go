package vec

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
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

// TestSortMany sorts so many rows that they are dealt out, by a team too, against Go's own sort: keys that many rows share, that are ids, that
// are in order already, and that fill more than a word.
func TestSortMany(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const n = 3*pieceRows + 17
	column := func(of func(i int) any) []any {
		values := make([]any, n)
		for i := range values {
			values[i] = of(i)
		}
		return values
	}
	few := column(func(i int) any {
		switch k := rng.IntN(40); {
		case k == 0:
			return nil
		case k < 20:
			return "arn:aws:iam::123456789012:role/most"
		default:
			return fmt.Sprintf("arn:aws:iam::%012d:role/%d", k%7, rng.IntN(50))
		}
	})
	times := column(func(i int) any {
		return time.Unix(1772600000+int64(rng.IntN(40000)), 0).UTC().Format(time.RFC3339)
	})
	ids := column(func(i int) any { return fmt.Sprintf("%08x-%04x-%012x", rng.Uint32()>>16, i&3, rng.Uint64()>>40) })
	long := column(func(i int) any {
		return strings.Repeat("x", 60+rng.IntN(2)) + fmt.Sprint(rng.IntN(200)) + strings.Repeat("\x00", rng.IntN(3))
	})
	ordered := column(func(i int) any { return int64(i / 3) })
	team := func(pieces int, do func(int)) {
		var all sync.WaitGroup
		for piece := range pieces {
			all.Go(func() { do(piece) })
		}
		all.Wait()
	}
	for name, columns := range map[string][][]any{
		"few, times, ids": {few, times, ids}, "times": {times}, "ids": {ids}, "long": {long}, "few, long": {few, long}, "ordered, few": {ordered, few},
	} {
		var keys []SortKey
		for k, values := range columns {
			typ := sqltype.VarcharType
			if _, ok := values[0].(int64); ok {
				typ = sqltype.BigIntType
			}
			key := SortKey{Arr: build(typ, values), Desc: k == 1, NullsFirst: k == 0}
			if s, ok := key.Arr.(*array.String); ok && k == 0 && name != "long" { // the same text in several entries, too
				key.Arr = entryPerRow(s)
			}
			keys = append(keys, key)
		}
		want := make([]int32, n)
		for i := range want {
			want[i] = int32(i)
		}
		slices.SortStableFunc(want, func(i, j int32) int {
			for k, values := range columns {
				if c := refSort(values[i], values[j], keys[k].Desc, keys[k].NullsFirst); c != 0 {
					return c
				}
			}
			return 0
		})
		for _, most := range []int{n, 1000} {
			for i, team := range []Team{Alone, team} {
				if got := SortByTeam(keys, n, most, team); !slices.Equal(got, want[:most]) {
					t.Errorf("%s: the first %d, team %d: wrong order", name, most, i)
				}
			}
		}
	}
}

// entryPerRow is a text column whose rows are the entries of its dictionary, equal ones several times.
func entryPerRow(s *array.String) arrow.Array {
	entries := withoutNulls(s)
	codes := make([]int32, s.Len())
	for i := range codes {
		if codes[i] = int32(i); s.IsNull(i) {
			codes[i] = -1
		}
	}
	return EncodeDictionary(entries, codes)
}
