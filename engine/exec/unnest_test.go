package exec

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// pair is an element of an array of rows; nil stands for a NULL row.
type pair struct {
	key   string
	value int64
}

// listed is a row with an id, an array of numbers, an array of rows and a map; a nil slice is NULL.
type listed struct {
	numbers []any
	pairs   []*pair
	entries []*pair
}

func listedRows(rng *rand.Rand, n int) (rows []listed) {
	for range n {
		var l listed
		if rng.IntN(5) > 0 {
			l.numbers = []any{}
			for range rng.IntN(4) {
				if rng.IntN(4) == 0 {
					l.numbers = append(l.numbers, nil)
				} else {
					l.numbers = append(l.numbers, int64(rng.IntN(100)))
				}
			}
		}
		if rng.IntN(5) > 0 {
			l.pairs = []*pair{}
			for i := range rng.IntN(20) {
				if rng.IntN(4) == 0 {
					l.pairs = append(l.pairs, nil)
				} else {
					l.pairs = append(l.pairs, &pair{fmt.Sprint("k", i), int64(i)})
				}
			}
		}
		if rng.IntN(5) > 0 {
			l.entries = []*pair{}
			for i := range rng.IntN(3) {
				l.entries = append(l.entries, &pair{fmt.Sprint("m", i), int64(i)})
			}
		}
		rows = append(rows, l)
	}
	return rows
}

var pairType = sqltype.RowOf(sqltype.Field{Name: "key", Type: sqltype.VarcharType}, sqltype.Field{Name: "value", Type: sqltype.BigIntType})

func listedColumns(rows []listed, firstID int) []arrow.Array {
	ids := array.NewInt64Builder(memory.DefaultAllocator)
	numbers := array.NewBuilder(memory.DefaultAllocator, sqltype.ArrayOf(sqltype.BigIntType).Arrow()).(*array.ListBuilder)
	pairs := array.NewBuilder(memory.DefaultAllocator, sqltype.ArrayOf(pairType).Arrow()).(*array.ListBuilder)
	entries := array.NewBuilder(memory.DefaultAllocator, sqltype.MapOf(sqltype.VarcharType, sqltype.BigIntType).Arrow()).(*array.MapBuilder)
	for i, l := range rows {
		ids.Append(int64(firstID + i))
		numbers.Append(l.numbers != nil)
		for _, n := range l.numbers {
			if n == nil {
				numbers.ValueBuilder().AppendNull()
			} else {
				numbers.ValueBuilder().(*array.Int64Builder).Append(n.(int64))
			}
		}
		pairs.Append(l.pairs != nil)
		element := pairs.ValueBuilder().(*array.StructBuilder)
		for _, p := range l.pairs {
			// A NULL row has values below it, which must not show.
			element.AppendValues([]bool{p != nil}) // unlike Append, it leaves the fields alone
			if p == nil {
				p = &pair{"hidden", -1}
			}
			element.FieldBuilder(0).(*array.StringBuilder).Append(p.key)
			element.FieldBuilder(1).(*array.Int64Builder).Append(p.value)
		}
		entries.Append(l.entries != nil)
		for _, p := range l.entries {
			entries.KeyBuilder().(*array.StringBuilder).Append(p.key)
			entries.ItemBuilder().(*array.Int64Builder).Append(p.value)
		}
	}
	return []arrow.Array{ids.NewArray(), numbers.NewArray(), pairs.NewArray(), entries.NewArray()}
}

func TestUnnest(t *testing.T) {
	types := []sqltype.Type{
		sqltype.BigIntType, sqltype.ArrayOf(sqltype.BigIntType), sqltype.ArrayOf(pairType), sqltype.MapOf(sqltype.VarcharType, sqltype.BigIntType),
	}
	for _, which := range [][]int{{1}, {2}, {3}, {1, 2}, {3, 1, 2}} {
		for _, outer := range []bool{false, true} {
			for _, ordinality := range []bool{false, true} {
				t.Run(fmt.Sprintf("columns %v outer %v ordinality %v", which, outer, ordinality), func(t *testing.T) {
					sweep(t, true, func(s setting, rng *rand.Rand) (plan.Node, []row) {
						all := listedRows(rng, 40)
						half := rng.IntN(len(all))
						scan := &plan.Scan{Limit: -1, Paths: []source.Path{{Column: 0}}, Columns: []plan.Column{{Name: "id", Type: types[0]}}}
						n := &plan.Unnest{Input: scan, Ordinality: ordinality, Outer: outer, Columns: []plan.Column{{Name: "id", Type: types[0]}}}
						var columns []source.Column
						for i, t := range types {
							columns = append(columns, source.Column{Name: fmt.Sprint("c", i), Type: t})
						}
						for _, c := range which {
							n.Exprs = append(n.Exprs, &expr.Column{Index: len(scan.Paths), T: types[c]})
							scan.Paths = append(scan.Paths, source.Path{Column: c})
							scan.Columns = append(scan.Columns, plan.Column{Type: types[c]})
						}
						// The arrays themselves are among the output too; a projection leaves them out.
						n.Columns = append([]plan.Column(nil), scan.Columns...)
						var kept []expr.Expr
						out := []plan.Column{{Name: "id", Type: types[0]}}
						kept = append(kept, &expr.Column{Index: 0, T: types[0]})
						put := func(t sqltype.Type) {
							kept = append(kept, &expr.Column{Index: len(n.Columns), T: t})
							n.Columns = append(n.Columns, plan.Column{Type: t})
							out = append(out, plan.Column{Type: t})
						}
						for _, c := range which {
							if c != 1 {
								put(sqltype.VarcharType)
							}
							put(sqltype.BigIntType)
						}
						if ordinality {
							put(sqltype.BigIntType)
						}
						scan.Table = source.NewMemory("listed", columns, []vec.Batch{
							{Len: half, Cols: listedColumns(all[:half], 0)},
							{Len: len(all) - half, Cols: listedColumns(all[half:], half)},
						})
						return &plan.Project{Input: n, Exprs: kept, Columns: out}, unnested(all, which, outer, ordinality)
					})
				})
			}
		}
	}
}

func unnested(all []listed, which []int, outer, ordinality bool) (want []row) {
	for id, l := range all {
		length := 0
		for _, c := range which {
			length = max(length, []int{len(l.numbers), len(l.pairs), len(l.entries)}[c-1])
		}
		rows := length
		if rows == 0 && outer {
			rows = 1
		}
		for i := range rows {
			r := row{int64(id)}
			for _, c := range which {
				list := l.pairs
				switch c {
				case 1:
					if i < len(l.numbers) {
						r = append(r, l.numbers[i])
					} else {
						r = append(r, nil)
					}
					continue
				case 3:
					list = l.entries
				}
				if i < len(list) && list[i] != nil {
					r = append(r, list[i].key, list[i].value)
				} else {
					r = append(r, nil, nil)
				}
			}
			if ordinality && length > 0 {
				r = append(r, int64(i+1))
			} else if ordinality {
				r = append(r, nil)
			}
			want = append(want, r)
		}
	}
	return want
}

// A bigint repeats its row so often; zero, less and NULL drop it.
func TestUnnestRepeats(t *testing.T) {
	sweep(t, true, func(s setting, rng *rand.Rand) (plan.Node, []row) {
		r := people(rng, 50)
		n := &plan.Unnest{Input: r.scan(rng, s.coded), Exprs: []expr.Expr{r.column(2)}, Columns: r.columns}
		var want []row
		for _, in := range r.rows {
			times, _ := in[2].(int64)
			for range max(times, 0) {
				want = append(want, in)
			}
		}
		return n, want
	})
}
