package vec

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"pgregory.net/rapid"

	"github.com/trailql/trailql/engine/sqltype"
)

func TestSet(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		typ := genType(false).Draw(rt, "type")
		values := genValues(typ, 0, 20).Draw(rt, "values")
		var members []arrow.Array
		constants := rapid.SliceOfN(genValue(typ, false), 0, 5).Draw(rt, "members")
		for _, m := range constants {
			members = append(members, build(typ, []any{m}))
		}
		set, ok := NewSet(typ, members)
		if !ok {
			return
		}
		want := make([]any, len(values))
		for i, v := range values {
			if v != nil {
				found := false
				for _, m := range constants {
					found = found || refEqual(v, m)
				}
				want[i] = found
			}
		}
		checkColumn(rt, sqltype.BooleanType, set.Contains(draw(rt, typ, values)), want)
	})
}
