package vec

import (
	"testing"

	"pgregory.net/rapid"
)

func TestFromValueAndValue(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		typ := genType(false).Draw(rt, "type")
		v := genValue(typ, true).Draw(rt, "value")
		if got := Value(FromValue(typ, v), 0); !refEqual(got, v) {
			rt.Fatalf("%v became %v", v, got)
		}
	})
}
