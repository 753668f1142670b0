package vec

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"

	"github.com/trailql/trailql/engine/sqltype"
)

func TestConcat(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		typ := genType(true).Draw(rt, "type")
		var want []any
		var parts []arrow.Array
		for range rapid.IntRange(1, 4).Draw(rt, "parts") {
			if rapid.IntRange(0, 9).Draw(rt, "unknown") == 0 {
				want = append(want, nil)
				parts = append(parts, array.NewNull(1))
				continue
			}
			values := genValues(typ, 0, 12).Draw(rt, "values")
			want = append(want, values...)
			a := draw(rt, typ, values)
			parts = append(parts, a)
			if rapid.IntRange(0, 3).Draw(rt, "twice") == 0 { // two arrays of one dictionary
				want = append(want, values...)
				parts = append(parts, a)
			}
		}
		got, err := Concat(parts)
		if err != nil {
			rt.Fatal(err)
		}
		checkColumn(rt, typ, got, want)
	})
}

// Few rows each of many dictionaries have one dictionary together, of what they have; texts that do not repeat are plain.
func TestConcatOfManyDictionaries(t *testing.T) {
	coded := func(codes []int32, entries ...string) arrow.Array {
		b := array.NewStringBuilder(memory.DefaultAllocator)
		b.AppendValues(entries, nil)
		return EncodeDictionary(b.NewStringArray(), codes)
	}
	concat := func(parts ...arrow.Array) arrow.Array {
		t.Helper()
		out, err := Concat(parts)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	got, ok := concat(
		coded([]int32{2, 1, -1}, "w", "b", "a", "x", "y", "z", ""),
		array.NewNull(1),
		coded([]int32{3, 6}, "q", "r", "s", "a", "u", "v", "b")).(*array.Dictionary)
	if !ok {
		t.Fatal("it is plain")
	}
	if n := Entries(got).Len(); n != 2 {
		t.Errorf("%d entries, want a and b", n)
	}
	checkColumn(t, sqltype.VarcharType, got, []any{"a", "b", nil, nil, "a", "b"})
	plain := concat(coded([]int32{0}, "a", "b", "c"), coded([]int32{0, 1}, "d", "e", "f"))
	if _, ok := plain.(*array.String); !ok {
		t.Errorf("texts that do not repeat come as %s", plain.DataType())
	}
	checkColumn(t, sqltype.VarcharType, plain, []any{"a", "d", "e"})
}
