package fn

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// The least and the greatest text of each group, over several batches, are those that a walk over the rows finds: of plain text, of codes in the order of
// the texts and of codes in any order. max_by and min_by give a row that has it.
func TestExtremesOfTextsInEveryForm(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		const groups = 5
		entries := make([]string, 1+r.IntN(20))
		for i := range entries {
			entries[i] = fmt.Sprintf("%03d", 7*i)
		}
		form := seed % 3
		if form == 2 {
			r.Shuffle(len(entries), func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
		}
		for _, greatest := range []bool{false, true} {
			alone := newExtremes(greatest)([]sqltype.Type{sqltype.VarcharType}, sqltype.VarcharType)
			by := newExtremesBy(greatest)([]sqltype.Type{sqltype.VarcharType, sqltype.VarcharType}, sqltype.VarcharType)
			want := make([]any, groups)
			for range 3 {
				n := r.IntN(30)
				codes, of := make([]int32, n), make([]uint32, n)
				b := array.NewStringBuilder(memory.DefaultAllocator)
				b.AppendStringValues(entries, nil)
				for i := range codes {
					codes[i], of[i] = int32(r.IntN(len(entries))), uint32(r.IntN(groups))
					x := entries[codes[i]]
					if old, ok := want[of[i]].(string); !ok || greatest && x > old || !greatest && x < old {
						want[of[i]] = x
					}
				}
				var a arrow.Array = vec.EncodeDictionary(b.NewStringArray(), codes)
				if form == 0 {
					a = vec.Plain(a)
				}
				d := vec.Datum{Arr: a}
				if err := alone.Update([]vec.Datum{d}, of, groups); err != nil {
					t.Fatal(err)
				}
				if err := by.Update([]vec.Datum{d, d}, of, groups); err != nil {
					t.Fatal(err)
				}
			}
			for _, acc := range []Accumulator{alone, by} {
				got, err := acc.Result(groups)
				if err != nil {
					t.Fatal(err)
				}
				for g, w := range want {
					if v := vec.Value(got, g); v != w {
						t.Errorf("seed %d, greatest %v, %T: group %d has %v, not %v", seed, greatest, acc, g, v, w)
					}
				}
			}
		}
	}
}
