package vec

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Texts of several pieces, of which few differ from all others in a bit of a byte: each piece sees other bits that differ, and none may be lost
// when what the pieces have seen is put together.
func TestTextsOfManyPieces(t *testing.T) {
	for seed := range uint64(24) {
		r := rand.New(rand.NewPCG(seed, 1))
		n := 2*pieceRows + r.IntN(3*pieceRows)
		texts := make([]string, n)
		for i := range texts {
			texts[i] = fmt.Sprintf("%d.%d.%d.%d", r.IntN(256), r.IntN(256), r.IntN(4), r.IntN(256))
		}
		for _, rare := range []string{"AWS Internal", "access-analyzer.amazonaws.com", "", "2001:db8::1", "kms.amazonaws.com"} {
			for range 1 + r.IntN(3) {
				texts[r.IntN(n)] = rare
			}
		}
		b := array.NewStringBuilder(memory.DefaultAllocator)
		b.AppendStringValues(texts, nil)
		order := Sort([]SortKey{{Arr: b.NewStringArray()}}, n)
		for i := 1; i < n; i++ {
			if c := strings.Compare(texts[order[i-1]], texts[order[i]]); c > 0 || c == 0 && order[i-1] > order[i] {
				t.Fatalf("seed %d: %q of row %d comes before %q of row %d", seed, texts[order[i-1]], order[i-1], texts[order[i]], order[i])
			}
		}
		if sorted := slices.Sorted(slices.Values(order)); sorted[0] != 0 || int(sorted[n-1]) != n-1 || len(slices.Compact(sorted)) != n {
			t.Fatalf("seed %d: rows are missing", seed)
		}
	}
}
