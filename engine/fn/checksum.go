package fn

import (
	"encoding/binary"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

var checksumAggregates = []*Aggregate{
	{
		Name: "checksum", KeepsNulls: true,
		Doc:     "Eight bytes that are the same for the same values, NULL among them, in whatever order.",
		Example: "to_hex(checksum(x)) FROM (VALUES 'a', 'b') t (x) → to_hex(checksum(x)) FROM (VALUES 'b', 'a') t (x)",
		Overloads: []AggregateOverload{{Sig: "(any) -> varbinary", New: func(args []sqltype.Type, t sqltype.Type) Accumulator {
			return &checksums{of: args[0], t: t}
		}}},
	},
	{
		Name:      "entropy",
		Doc:       "The entropy, in bits, of counts: of a value drawn with the probability of its count among all.",
		Example:   "entropy(x) FROM (VALUES 1, 1, 2) t (x) → 1.5e0",
		Overloads: []AggregateOverload{{Sig: "(bigint) -> double", New: newFold[int64, float64, entropy]}},
	},
}

// checksums adds up, for each group, the xxHash64 of each value times a prime, as Trino does; NULL counts as the prime.
type checksums struct {
	of, t sqltype.Type
	sums  []uint64
	has   []bool
}

func (s *checksums) grow(count int) { s.sums, s.has = grown(s.sums, count), grown(s.has, count) }

func (s *checksums) Update(args []vec.Datum, groups []uint32, count int) error {
	s.grow(count)
	if len(groups) == 0 {
		return nil
	}
	a := vec.Plain(vec.Column(args[0], len(groups)))
	var buffer []byte
	for i, g := range groups {
		h := uint64(1)
		if vec.IsValid(a, i) {
			buffer = s.bytes(buffer[:0], a, i)
			h = xxHash64(buffer)
		}
		s.sums[g] += h * xxPrime1
		s.has[g] = true
	}
	return nil
}

// bytes appends what Trino hashes of a value: a number as eight bytes, the lowest first, text and binaries as they are. Of other types,
// whose Trino form is internal to it, the text.
func (s *checksums) bytes(dst []byte, a arrow.Array, row int) []byte {
	switch a := a.(type) {
	case *array.String:
		return append(dst, a.Value(row)...)
	case *array.Binary:
		return append(dst, a.Value(row)...)
	case *array.Float64:
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(a.Value(row)))
	case *array.Boolean:
		return binary.LittleEndian.AppendUint64(dst, uint64(boolToInt(a.Value(row))))
	}
	switch s.of.Kind {
	case sqltype.Array, sqltype.Map, sqltype.Row, sqltype.Unknown:
	default:
		if n, ok := vec.Value(a, row).(int64); ok {
			return binary.LittleEndian.AppendUint64(dst, uint64(n))
		}
	}
	return sqltype.AppendText(dst, s.of, a, row)
}

func (s *checksums) Merge(other Accumulator, remap []uint32, count int) error {
	s.grow(count)
	o := other.(*checksums)
	for g, sum := range o.sums {
		s.sums[remap[g]] += sum
		s.has[remap[g]] = s.has[remap[g]] || o.has[g]
	}
	return nil
}

func (s *checksums) Result(count int) (arrow.Array, error) {
	s.grow(count)
	out, nulls := make([][]byte, count), make([]bool, count)
	for g := range out {
		out[g], nulls[g] = binary.LittleEndian.AppendUint64(nil, s.sums[g]), !s.has[g]
	}
	return write(s.t, out, nulls)
}

func (s *checksums) Bytes() int64 { return bytesOf(s.sums) + bytesOf(s.has) }

// entropy is the sums of c and of c log c: the entropy of counts c of total n is log n - Σ c log c / n.
type entropy struct{ n, logs float64 }

func (s entropy) add(c int64) entropy {
	x := float64(c)
	switch {
	case c < 0:
		return entropy{math.NaN(), math.NaN()}
	case c == 0:
		return s
	}
	return entropy{s.n + x, s.logs + x*math.Log2(x)}
}
func (s entropy) merge(o entropy) entropy { return entropy{s.n + o.n, s.logs + o.logs} }
func (s entropy) result() (float64, bool) {
	if s.n == 0 {
		return 0, true
	}
	return max(0, math.Log2(s.n)-s.logs/s.n), true
}
