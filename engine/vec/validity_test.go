package vec

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/trailql/trailql/engine/sqltype"
)

func TestMaskAndIsNull(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		typ := genType(true).Draw(rt, "type")
		values := genValues(typ, 0, 20).Draw(rt, "values")
		by := genValues(sqltype.BigIntType, len(values), len(values)).Draw(rt, "by")
		masked, isNull := append([]any(nil), values...), make([]any, len(values))
		for i, o := range by {
			if o == nil {
				masked[i] = nil
			}
			isNull[i] = values[i] == nil
		}
		a := draw(rt, typ, values)
		checkColumn(rt, typ, Mask(a, draw(rt, sqltype.BigIntType, by)), masked)
		checkColumn(rt, sqltype.BooleanType, IsNull(a), isNull)
	})
}
