package vec

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/engine/sqltype"
)

const benchRows = 64 << 10

func benchColumns() map[string]arrow.Array {
	r := rand.New(rand.NewPCG(1, 2))
	ints, codes := make([]int64, benchRows), make([]int32, benchRows)
	for i := range ints {
		ints[i] = int64(r.Uint64N(1 << 40))
		codes[i] = int32(r.IntN(200))
	}
	entries := make([]any, 200)
	for i := range entries {
		entries[i] = fmt.Sprintf("DescribeSomething%03d", i)
	}
	d := EncodeDictionary(build(sqltype.VarcharType, entries).(*array.String), codes)
	return map[string]arrow.Array{
		"bigint": newFixed(arrow.PrimitiveTypes.Int64, ints, nil), "dictionary": d, "text": Plain(d),
	}
}

func BenchmarkKernels(b *testing.B) {
	columns := benchColumns()
	half := make([]int32, 0, benchRows/2)
	for i := range int32(benchRows) {
		if i%7 < 3 {
			half = append(half, i)
		}
	}
	constants := map[string]Datum{
		"bigint":     {FromValue(sqltype.BigIntType, 1<<39), true},
		"dictionary": {FromValue(sqltype.VarcharType, "DescribeSomething017"), true},
	}
	constants["text"] = constants["dictionary"]
	types := map[string]sqltype.Type{"bigint": sqltype.BigIntType, "dictionary": sqltype.VarcharType, "text": sqltype.VarcharType}
	seed := make([]uint64, benchRows)
	for _, name := range []string{"bigint", "dictionary", "text"} {
		a := columns[name]
		for kernel, run := range map[string]func(){
			"take":  func() { Take(a, half) },
			"hash":  func() { Hash(a, seed) },
			"sort":  func() { Sort([]SortKey{{Arr: a}}, a.Len()) },
			"equal": func() { _, _ = Compare(Eq, types[name], Datum{Arr: a}, constants[name], a.Len()) },
			"less":  func() { _, _ = Compare(Lt, types[name], Datum{Arr: a}, constants[name], a.Len()) },
		} {
			b.Run(kernel+"/"+name, func(b *testing.B) {
				for b.Loop() {
					run()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchRows, "ns/row")
			})
		}
	}
}
