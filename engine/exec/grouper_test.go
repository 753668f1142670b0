package exec

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// keyTypes are all kinds of types that can be grouped by.
var keyTypes = []sqltype.Type{
	sqltype.BooleanType, sqltype.TinyIntType, sqltype.SmallIntType, sqltype.IntegerType, sqltype.BigIntType, sqltype.RealType, sqltype.DoubleType,
	sqltype.DecimalOf(20, 2), sqltype.VarcharType, sqltype.VarbinaryType, sqltype.DateType, sqltype.TimeType, sqltype.TimestampType,
	sqltype.TimestampTZType, sqltype.IntervalDayType, sqltype.IntervalYearType, sqltype.JSONType, sqltype.UnknownType,
	sqltype.ArrayOf(sqltype.VarcharType), sqltype.MapOf(sqltype.VarcharType, sqltype.BigIntType), pairType, sqltype.ArrayOf(pairType),
}

// appendRandom appends one of few values, or NULL, of the builder's type.
func appendRandom(rng *rand.Rand, b array.Builder) {
	if rng.IntN(5) == 0 {
		b.AppendNull()
		return
	}
	v := rng.IntN(4)
	switch b := b.(type) {
	case *array.NullBuilder:
		b.AppendNull()
	case *array.BooleanBuilder:
		b.Append(v > 1)
	case *array.Int8Builder:
		b.Append(int8(v - 1))
	case *array.Int16Builder:
		b.Append(int16(v - 1))
	case *array.Int32Builder:
		b.Append(int32(v - 1))
	case *array.Int64Builder:
		b.Append(int64(v-1) << 40)
	case *array.Float32Builder:
		b.Append([]float32{float32(math.NaN()), 0, float32(math.Copysign(0, -1)), 1.5}[v])
	case *array.Float64Builder:
		b.Append([]float64{math.NaN(), 0, math.Copysign(0, -1), 1.5}[v])
	case *array.Decimal128Builder:
		b.Append(decimal128.FromI64(int64(v - 1)))
	case *array.StringBuilder:
		b.Append([]string{"", "a", "ab", "b"}[v])
	case *array.BinaryBuilder:
		b.Append([]byte{0, 1, 2}[:v%3])
	case *array.Date32Builder:
		b.Append(arrow.Date32(v))
	case *array.Time64Builder:
		b.Append(arrow.Time64(v))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(v))
	case *array.MapBuilder: // one entry at most: the order of more is tested below
		b.Append(true)
		if v > 0 {
			b.KeyBuilder().(*array.StringBuilder).Append([]string{"a", "b"}[v%2])
			appendRandom(rng, b.ItemBuilder())
		}
	case *array.ListBuilder:
		b.Append(true)
		for range v % 3 {
			appendRandom(rng, b.ValueBuilder())
		}
	case *array.StructBuilder:
		b.Append(true)
		for i := range b.NumField() {
			if i == 1 && arrow.TypeEqual(b.Type(), sqltype.TimestampTZForm) {
				b.FieldBuilder(i).(*array.Int16Builder).Append(0)
				continue
			}
			if i == 0 && arrow.TypeEqual(b.Type(), sqltype.TimestampTZForm) {
				b.FieldBuilder(i).(*array.TimestampBuilder).Append(arrow.Timestamp(v))
				continue
			}
			appendRandom(rng, b.FieldBuilder(i))
		}
	default:
		panic(fmt.Sprintf("%T", b))
	}
}

func randomColumn(rng *rand.Rand, t sqltype.Type, n int) arrow.Array {
	b := array.NewBuilder(memory.DefaultAllocator, t.Arrow())
	for range n + 1 {
		appendRandom(rng, b)
	}
	return array.NewSlice(b.NewArray(), 1, int64(n+1)) // arrays need not begin at their buffers' start
}

// The judge is vec.EqualRows, which other operators go by.
func TestGroupsAreRowsThatAreEqual(t *testing.T) {
	for round := range uint64(300) {
		rng := rand.New(rand.NewPCG(round, 0))
		types := make([]sqltype.Type, 1+rng.IntN(3))
		for i := range types {
			types[i] = keyTypes[(int(round)+i*rng.IntN(len(keyTypes)))%len(keyTypes)]
		}
		t.Run(fmt.Sprint(round, types), func(t *testing.T) {
			g := newGrouper(len(types))
			var batches [][]arrow.Array
			var groups [][]uint32
			for range 3 {
				n := 1 + rng.IntN(20)
				var keys []arrow.Array
				for _, typ := range types {
					keys = append(keys, randomColumn(rng, typ, n))
				}
				ids := make([]uint32, n)
				g.intern(keys, ids)
				batches, groups = append(batches, keys), append(groups, ids)
			}
			keys, err := g.keys()
			if err != nil {
				t.Fatal(err)
			}
			equalAt := func(a []arrow.Array, i int, b []arrow.Array, j int) bool {
				for k := range a {
					if !vec.EqualRows(a[k], i, b[k], j) {
						return false
					}
				}
				return true
			}
			look := newLookup(g)
			for b, ids := range groups {
				found := make([]uint32, len(ids))
				look.find(batches[b], found)
				for i, id := range ids {
					if found[i] != id {
						t.Fatalf("row %d of batch %d: interned as %d, found as %d", i, b, id, found[i])
					}
					for group := range g.count() {
						if same := equalAt(batches[b], i, keys, group); same != (uint32(group) == id) {
							t.Fatalf("row %d of batch %d is in group %d; equal to the key of group %d: %v", i, b, id, group, same)
						}
					}
				}
			}
		})
	}
}

func TestLookupOfWhatIsNotThere(t *testing.T) {
	g := newGrouper(2)
	g.intern([]arrow.Array{columnOf(sqltype.VarcharType, []any{"a", "b"}, true), columnOf(sqltype.BigIntType, []any{int64(1), int64(2)}, false)}, make([]uint32, 2))
	for _, coded := range []bool{false, true} {
		found := make([]uint32, 4)
		newLookup(g).find([]arrow.Array{
			columnOf(sqltype.VarcharType, []any{"b", "a", "c", nil}, coded), columnOf(sqltype.BigIntType, []any{int64(2), int64(2), int64(1), int64(1)}, false),
		}, found)
		if fmt.Sprint(found) != fmt.Sprint([]uint32{1, none, none, none}) {
			t.Errorf("coded %v: %v", coded, found)
		}
	}
	if g.count() != 2 {
		t.Errorf("looking up made groups: %d", g.count())
	}
}

// Two instants are one group whatever their zones, and two maps whatever the order of their entries.
func TestInstantsAndMapsGroupByMeaning(t *testing.T) {
	zoned := array.NewBuilder(memory.DefaultAllocator, sqltype.TimestampTZForm).(*array.StructBuilder)
	maps := array.NewBuilder(memory.DefaultAllocator, sqltype.MapOf(sqltype.VarcharType, sqltype.BigIntType).Arrow()).(*array.MapBuilder)
	for i := range 2 {
		zoned.Append(true)
		zoned.FieldBuilder(0).(*array.TimestampBuilder).Append(7)
		zoned.FieldBuilder(1).(*array.Int16Builder).Append(int16(i))
		maps.Append(true)
		for k := range 2 {
			entry := (i + k) % 2
			maps.KeyBuilder().(*array.StringBuilder).Append([]string{"a", "b"}[entry])
			maps.ItemBuilder().(*array.Int64Builder).Append(int64(entry))
		}
	}
	for _, keys := range []arrow.Array{zoned.NewArray(), maps.NewArray()} {
		g := newGrouper(1)
		g.intern([]arrow.Array{keys}, make([]uint32, 2))
		if g.count() != 1 {
			t.Errorf("%s: %d groups", keys.DataType(), g.count())
		}
	}
}

// Many pairs, past the direct table and several growths.
func TestGrouperOfManyPairs(t *testing.T) {
	g := newGrouper(2)
	const n = 1000
	for round := range n {
		left, right := array.NewInt64Builder(memory.DefaultAllocator), array.NewInt64Builder(memory.DefaultAllocator)
		for i := range int64(n) {
			left.Append(int64(round % 300))
			right.Append(i)
		}
		ids := make([]uint32, n)
		g.intern([]arrow.Array{left.NewArray(), right.NewArray()}, ids)
		for i, id := range ids {
			if id != uint32(round%300*n+i) {
				t.Fatalf("round %d: pair %d is %d", round, i, id)
			}
		}
	}
	if g.count() != 300*n {
		t.Errorf("%d groups", g.count())
	}
}

// TestInternMany numbers as intern does, piece by piece, and stops when the query is cancelled.
func TestInternMany(t *testing.T) {
	const rows = 3<<16 + 5
	numbers, texts := array.NewInt64Builder(memory.DefaultAllocator), array.NewStringBuilder(memory.DefaultAllocator)
	for i := range rows {
		numbers.Append(int64(i % 70_001))
		texts.Append(fmt.Sprint(i % 11))
	}
	keys := []arrow.Array{numbers.NewArray(), texts.NewArray()}
	for n := range len(keys) + 1 {
		whole, pieces := newGrouper(n), newGrouper(n)
		want, got := make([]uint32, rows), make([]uint32, rows)
		whole.intern(keys[:n], want)
		if err := pieces.internMany(t.Context(), keys[:n], got); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) || pieces.count() != whole.count() {
			t.Errorf("%d keys: other groups in pieces", n)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := newGrouper(n).internMany(ctx, keys[:n], got); sqlerr.KindOf(err) != sqlerr.Cancelled {
			t.Errorf("%d keys: cancelled: %v", n, err)
		}
	}
}
