package vec

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"pgregory.net/rapid"
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
