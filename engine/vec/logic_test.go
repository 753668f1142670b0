package vec

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/engine/sqltype"
)

// TestLogic runs all pairs of true, false and NULL, in whole and in sliced columns.
func TestLogic(t *testing.T) {
	all := []any{true, false, nil}
	var av, bv []any
	for _, a := range all {
		for _, b := range all {
			av, bv = append(av, a), append(bv, b)
		}
	}
	for from := range av {
		a := Slice(build(sqltype.BooleanType, av), from, len(av)).(*array.Boolean)
		b := Slice(build(sqltype.BooleanType, bv), from, len(bv)).(*array.Boolean)
		var and, or, not, isNull []any
		var yes []int32
		for i := from; i < len(av); i++ {
			x, y := av[i], bv[i]
			switch {
			case x == false || y == false:
				and = append(and, false)
			case x == nil || y == nil:
				and = append(and, nil)
			default:
				and = append(and, true)
			}
			switch {
			case x == true || y == true:
				or = append(or, true)
			case x == nil || y == nil:
				or = append(or, nil)
			default:
				or = append(or, false)
			}
			if x == nil {
				not = append(not, nil)
			} else {
				not = append(not, !x.(bool))
			}
			isNull = append(isNull, x == nil)
			if x == true {
				yes = append(yes, int32(i-from))
			}
		}
		checkColumn(t, sqltype.BooleanType, And(a, b), and)
		checkColumn(t, sqltype.BooleanType, Or(a, b), or)
		checkColumn(t, sqltype.BooleanType, Not(a), not)
		checkColumn(t, sqltype.BooleanType, IsNull(a), isNull)
		got := True(a)
		if len(got) != len(yes) {
			t.Fatalf("True(%v) is %v, want %v", av[from:], got, yes)
		}
		for i := range got {
			if got[i] != yes[i] {
				t.Fatalf("True(%v) is %v, want %v", av[from:], got, yes)
			}
		}
	}
}
