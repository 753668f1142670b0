package fn

import (
	"math/big"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

var sumAggregates = []*Aggregate{
	{
		Name:    "sum",
		Doc:     "The sum of the values; NULL if there are none. A sum that does not fit its type is an error.",
		Example: "sum(x) FROM (VALUES 1, 2) t (x) → 3",
		Overloads: []AggregateOverload{
			{Sig: "(bigint) -> bigint", New: newIntegerSums[int64]},
			{Sig: "(decimal) -> decimal", Result: widestDecimal, New: newDecimalSums},
			{Sig: "(real) -> real", New: newFloatSums[float32]},
			{Sig: "(double) -> double", New: newFloatSums[float64]},
			{Sig: "(interval day to second) -> interval day to second", New: newIntegerSums[int64]},
			{Sig: "(interval year to month) -> interval year to month", New: newIntegerSums[int32]},
		},
	},
	{
		Name:    "avg",
		Doc:     "The mean of the values; NULL if there are none.",
		Example: "avg(x) FROM (VALUES 1, 2) t (x) → 1.5",
		Overloads: []AggregateOverload{
			{Sig: "(bigint) -> double", New: newMeans[int64]},
			{Sig: "(decimal) -> decimal", Result: sameType, New: newDecimalMeans},
			{Sig: "(real) -> real", New: newMeans[float32]},
			{Sig: "(double) -> double", New: newMeans[float64]},
			{Sig: "(interval day to second) -> interval day to second", New: newIntegerMeans[int64]},
			{Sig: "(interval year to month) -> interval year to month", New: newIntegerMeans[int32]},
		},
	},
}

func widestDecimal(args []sqltype.Type) sqltype.Type { return sqltype.DecimalOf(38, args[0].Scale) }

// absent is the nulls of a result: the groups that never got a value.
func absent(counts []int64, n int) []bool {
	nulls := make([]bool, n)
	for g := range nulls {
		nulls[g] = counts[g] == 0
	}
	return nulls
}

// integerSums adds integers and counts them.
type integerSums[T int32 | int64] struct {
	t      sqltype.Type
	sums   []T
	counts []int64
	mean   bool // the result is the mean, cut towards zero
}

func newIntegerSums[T int32 | int64](_ []sqltype.Type, t sqltype.Type) Accumulator {
	return &integerSums[T]{t: t}
}

func newIntegerMeans[T int32 | int64](_ []sqltype.Type, t sqltype.Type) Accumulator {
	return &integerSums[T]{t: t, mean: true}
}

func (s *integerSums[T]) grow(count int) {
	s.sums, s.counts = grown(s.sums, count), grown(s.counts, count)
}

func (s *integerSums[T]) overflow() error { return valueError("%s overflow in a sum", s.t) }

func (s *integerSums[T]) Update(args []vec.Datum, groups []uint32, count int) error {
	s.grow(count)
	col, overflow := columnOf[T](args[0]), false
	for i, g := range groups {
		x, y := s.sums[g], col.at(i)
		z := x + y
		overflow = overflow || (x^z)&(y^z) < 0
		s.sums[g] = z
		s.counts[g]++
	}
	if overflow {
		return s.overflow()
	}
	return nil
}

func (s *integerSums[T]) Merge(other Accumulator, remap []uint32, count int) error {
	s.grow(count)
	o := other.(*integerSums[T])
	for g, y := range o.sums {
		x := s.sums[remap[g]]
		z := x + y
		if (x^z)&(y^z) < 0 {
			return s.overflow()
		}
		s.sums[remap[g]] = z
		s.counts[remap[g]] += o.counts[g]
	}
	return nil
}

func (s *integerSums[T]) Result(count int) (arrow.Array, error) {
	s.grow(count)
	out := append([]T(nil), s.sums[:count]...)
	if s.mean {
		for g := range out {
			out[g] /= T(max(1, s.counts[g]))
		}
	}
	return write(s.t, out, absent(s.counts, count))
}

func (s *integerSums[T]) Bytes() int64 { return bytesOf(s.sums) + bytesOf(s.counts) }

// floatSums adds in double precision.
type floatSums[T float] struct {
	t      sqltype.Type
	sums   []float64
	counts []int64
}

func newFloatSums[T float](_ []sqltype.Type, t sqltype.Type) Accumulator { return &floatSums[T]{t: t} }

func (s *floatSums[T]) grow(count int) {
	s.sums, s.counts = grown(s.sums, count), grown(s.counts, count)
}

func (s *floatSums[T]) Update(args []vec.Datum, groups []uint32, count int) error {
	s.grow(count)
	col := columnOf[T](args[0])
	for i, g := range groups {
		s.sums[g] += float64(col.at(i))
		s.counts[g]++
	}
	return nil
}

func (s *floatSums[T]) Merge(other Accumulator, remap []uint32, count int) error {
	s.grow(count)
	o := other.(*floatSums[T])
	for g := range o.sums {
		s.sums[remap[g]] += o.sums[g]
		s.counts[remap[g]] += o.counts[g]
	}
	return nil
}

func (s *floatSums[T]) Result(count int) (arrow.Array, error) {
	s.grow(count)
	out := make([]T, count)
	for g := range out {
		out[g] = T(s.sums[g])
	}
	return write(s.t, out, absent(s.counts, count))
}

func (s *floatSums[T]) Bytes() int64 { return bytesOf(s.sums) + bytesOf(s.counts) }

// means is the mean of numbers, in double precision.
type means[T int64 | float32 | float64] struct {
	t      sqltype.Type
	sums   []float64
	counts []int64
}

func newMeans[T int64 | float32 | float64](_ []sqltype.Type, t sqltype.Type) Accumulator {
	return &means[T]{t: t}
}

func (m *means[T]) grow(count int) { m.sums, m.counts = grown(m.sums, count), grown(m.counts, count) }

func (m *means[T]) Update(args []vec.Datum, groups []uint32, count int) error {
	m.grow(count)
	col := columnOf[T](args[0])
	for i, g := range groups {
		m.sums[g] += float64(col.at(i))
		m.counts[g]++
	}
	return nil
}

func (m *means[T]) Merge(other Accumulator, remap []uint32, count int) error {
	m.grow(count)
	o := other.(*means[T])
	for g := range o.sums {
		m.sums[remap[g]] += o.sums[g]
		m.counts[remap[g]] += o.counts[g]
	}
	return nil
}

func (m *means[T]) Result(count int) (arrow.Array, error) {
	m.grow(count)
	nulls := absent(m.counts, count)
	if m.t.Kind == sqltype.Real {
		out := make([]float32, count)
		for g := range out {
			out[g] = float32(m.sums[g] / float64(m.counts[g]))
		}
		return write(m.t, out, nulls)
	}
	out := make([]float64, count)
	for g := range out {
		out[g] = m.sums[g] / float64(m.counts[g])
	}
	return write(m.t, out, nulls)
}

func (m *means[T]) Bytes() int64 { return bytesOf(m.sums) + bytesOf(m.counts) }

// decimalSums adds decimals and counts them.
type decimalSums struct {
	t      sqltype.Type
	sums   []decimal128.Num
	counts []int64
	mean   bool // the result is the mean, rounded half away from zero
}

func newDecimalSums(_ []sqltype.Type, t sqltype.Type) Accumulator { return &decimalSums{t: t} }

func newDecimalMeans(_ []sqltype.Type, t sqltype.Type) Accumulator {
	return &decimalSums{t: t, mean: true}
}

func (s *decimalSums) grow(count int) {
	s.sums, s.counts = grown(s.sums, count), grown(s.counts, count)
}

// add adds x to group g; false if the sum has more than 38 digits.
func (s *decimalSums) add(g uint32, x decimal128.Num, n int64) bool {
	sum := s.sums[g].Add(x)
	wrapped := s.sums[g].Sign() == x.Sign() && x.Sign() != 0 && sum.Sign() != x.Sign()
	s.sums[g] = sum
	s.counts[g] += n
	return !wrapped && sum.FitsInPrecision(38)
}

func (s *decimalSums) Update(args []vec.Datum, groups []uint32, count int) error {
	s.grow(count)
	col := columnOf[decimal128.Num](args[0])
	for i, g := range groups {
		if !s.add(g, col.at(i), 1) {
			return valueError("decimal overflow in a sum")
		}
	}
	return nil
}

func (s *decimalSums) Merge(other Accumulator, remap []uint32, count int) error {
	s.grow(count)
	o := other.(*decimalSums)
	for g, x := range o.sums {
		if !s.add(remap[g], x, o.counts[g]) {
			return valueError("decimal overflow in a sum")
		}
	}
	return nil
}

func (s *decimalSums) Result(count int) (arrow.Array, error) {
	s.grow(count)
	out := append([]decimal128.Num(nil), s.sums[:count]...)
	if s.mean {
		z := new(big.Int)
		for g := range out {
			if s.counts[g] == 0 {
				continue
			}
			if err := decimalDivide.big(z, out[g].BigInt(), big.NewInt(s.counts[g])); err != nil {
				return nil, err
			}
			out[g] = decimal128.FromBigInt(z)
		}
	}
	return write(s.t, out, absent(s.counts, count))
}

func (s *decimalSums) Bytes() int64 { return bytesOf(s.sums) + bytesOf(s.counts) }
