package exec

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// events is a table in the shape of a trail: 10 row groups of 64 Ki rows, texts dictionary-coded per row group with the given numbers of
// distinct values.
func events(distinct ...int) *plan.Scan {
	rng := rand.New(rand.NewPCG(1, 2))
	scan := &plan.Scan{Limit: -1}
	var columns []source.Column
	for i := range distinct {
		columns = append(columns, source.Column{Name: fmt.Sprint("c", i), Type: sqltype.VarcharType})
		scan.Columns = append(scan.Columns, plan.Column{Name: columns[i].Name, Type: sqltype.VarcharType})
		scan.Paths = append(scan.Paths, source.Path{Column: i})
	}
	var batches []vec.Batch
	for range 10 {
		b := vec.Batch{Len: 1 << 16}
		for _, d := range distinct {
			entries := array.NewStringBuilder(memory.DefaultAllocator)
			for i := range d {
				entries.Append(fmt.Sprintf("some value of a trail %d", i))
			}
			codes := array.NewInt32Builder(memory.DefaultAllocator)
			for range b.Len {
				codes.Append(int32(rng.IntN(d)))
			}
			b.Cols = append(b.Cols, array.NewDictionaryArray(sqltype.DictionaryString, codes.NewArray(), entries.NewArray()))
		}
		batches = append(batches, b)
	}
	scan.Table = source.NewMemory("events", columns, batches)
	return scan
}

func benchmark(b *testing.B, node plan.Node) {
	for _, workers := range []int{1, 2} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s, err := Run(context.Background(), node, Options{Workers: workers})
				if err != nil {
					b.Fatal(err)
				}
				for err == nil {
					_, err = s.Next()
				}
				s.Close()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(10<<16), "ns/row")
		})
	}
}

func BenchmarkGroupBy(b *testing.B) {
	for _, distinct := range [][]int{{50}, {20000}, {50, 200}, {50, 20000}, {20, 30, 40}} {
		scan := events(distinct...)
		n := &plan.Aggregate{Input: scan, Aggs: []plan.AggregateCall{callOf("count")}}
		for i, c := range scan.Columns {
			n.Keys = append(n.Keys, &expr.Column{Index: i, Name: c.Name, T: c.Type})
		}
		n.Columns = append(append(n.Columns, scan.Columns...), plan.Column{Type: sqltype.BigIntType})
		b.Run(fmt.Sprint(distinct), func(b *testing.B) { benchmark(b, n) })
	}
}

func BenchmarkTopN(b *testing.B) {
	scan := events(20000, 50, 50)
	key := &expr.Column{Index: 0, T: sqltype.VarcharType}
	benchmark(b, &plan.Sort{Input: scan, Keys: []plan.SortKey{{Expr: key, Desc: true}}, Limit: 100})
}

func BenchmarkScanWithFilter(b *testing.B) {
	scan := events(50, 2000, 2000)
	scan.Conjuncts = []expr.Expr{equal(&expr.Column{Index: 0, T: sqltype.VarcharType}, text("some value of a trail 7"))}
	benchmark(b, scan)
}

func BenchmarkCount(b *testing.B) {
	scan := events(50)
	scan.Paths, scan.Columns = nil, nil
	benchmark(b, &plan.Aggregate{Input: scan, Aggs: []plan.AggregateCall{callOf("count")}, Columns: []plan.Column{{Type: sqltype.BigIntType}}})
}
