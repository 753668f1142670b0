package vec

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/trailql/trailql/engine/sqltype"
)

func TestHashAndEquality(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		typ := genType(true).Draw(rt, "type")
		av, bv := genValues(typ, 1, 20).Draw(rt, "a"), genValues(typ, 1, 20).Draw(rt, "b")
		a, b := draw(rt, typ, av), draw(rt, typ, bv)
		ah, bh := make([]uint64, len(av)), make([]uint64, len(bv))
		Hash(a, ah)
		Hash(b, bh)
		var ai, bi []int32
		var want, out []bool
		for i := range av {
			for j := range bv {
				equal := refEqual(av[i], bv[j])
				if EqualRows(a, i, b, j) != equal {
					rt.Fatalf("EqualRows(%v, %v) is not %t", av[i], bv[j], equal)
				}
				if equal != (ah[i] == bh[j]) { // 64 bits: a collision among so few values is a defect
					rt.Fatalf("hashes of %v and %v: %x, %x", av[i], bv[j], ah[i], bh[j])
				}
				before := rapid.IntRange(0, 5).Draw(rt, "before") > 0
				ai, bi = append(ai, int32(i)), append(bi, int32(j))
				out, want = append(out, before), append(want, before && equal)
			}
		}
		EqualAt(a, ai, b, bi, out)
		for k := range out {
			if out[k] != want[k] {
				rt.Fatalf("EqualAt(%v, %v) is %t, want %t", av[ai[k]], bv[bi[k]], out[k], want[k])
			}
		}
	})
}

func TestHashDependsOnSeed(t *testing.T) {
	a := build(sqltype.BigIntType, []any{int64(1), int64(1), nil, nil})
	seed := []uint64{1, 2, 1, 2}
	Hash(a, seed)
	if seed[0] == seed[1] || seed[2] == seed[3] {
		t.Fatalf("rows that differ in an earlier column hash alike: %x", seed)
	}
}
