package fn

import (
	"math"
	"math/bits"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

var distinctAggregates = []*Aggregate{
	{
		Name:    "approx_distinct",
		Doc:     "About how many distinct values there are: exact up to 256, else with a standard error of 2.3 %, or the one given (0.0040625 to 0.26).",
		Example: "approx_distinct(x) FROM (VALUES 'a', 'b', 'a') t (x) → 2",
		Overloads: []AggregateOverload{
			{Sig: "(any) -> bigint", New: newDistincts},
			{Sig: "(T, double) -> bigint", New: newDistincts},
		},
	},
}

// maxSparse is how many hashes a sketch keeps one by one.
const maxSparse = 256

// sketch estimates a number of distinct hashes: HyperLogLog (Flajolet, Fusy, Gandouet, Meunier, 2007) with 64-bit
// hashes, linear counting for small numbers, and before that the hashes themselves.
type sketch struct {
	sparse    []uint64 // sorted; until registers are made
	registers []uint8
}

// add notes a hash; log is the logarithm of the number of registers.
func (s *sketch) add(h uint64, log int) {
	if s.registers == nil {
		at, found := slices.BinarySearch(s.sparse, h)
		if found {
			return
		}
		if len(s.sparse) < maxSparse {
			s.sparse = slices.Insert(s.sparse, at, h)
			return
		}
		s.dense(log)
	}
	s.note(h, log)
}

// dense turns the hashes kept into registers.
func (s *sketch) dense(log int) {
	s.registers = make([]uint8, 1<<log)
	for _, h := range s.sparse {
		s.note(h, log)
	}
	s.sparse = nil
}

func (s *sketch) note(h uint64, log int) {
	i := h >> (64 - log)
	rank := uint8(bits.LeadingZeros64(h<<log|1<<(log-1))) + 1
	s.registers[i] = max(s.registers[i], rank)
}

func (s *sketch) merge(o *sketch, log int) {
	for _, h := range o.sparse {
		s.add(h, log)
	}
	if o.registers == nil {
		return
	}
	if s.registers == nil {
		s.dense(log)
	}
	for i, r := range o.registers {
		s.registers[i] = max(s.registers[i], r)
	}
}

func (s *sketch) estimate() int64 {
	if s.registers == nil {
		return int64(len(s.sparse))
	}
	m, sum, zeros := float64(len(s.registers)), 0.0, 0
	for _, r := range s.registers {
		sum += math.Ldexp(1, -int(r))
		if r == 0 {
			zeros++
		}
	}
	alpha := 0.7213 / (1 + 1.079/m)
	switch len(s.registers) {
	case 16:
		alpha = 0.673
	case 32:
		alpha = 0.697
	case 64:
		alpha = 0.709
	}
	e := alpha * m * m / sum
	if e <= 2.5*m && zeros > 0 {
		e = m * math.Log(m/float64(zeros))
	}
	return int64(math.Round(e))
}

// mix spreads the bits of a hash, so that any will do for a sketch (the finalizer of SplitMix64).
func mix(h uint64) uint64 {
	h ^= h >> 30
	h *= 0xbf58476d1ce4e5b9
	h ^= h >> 27
	h *= 0x94d049bb133111eb
	return h ^ h>>31
}

type distincts struct {
	log      int
	sketches []sketch
}

func newDistincts([]sqltype.Type, sqltype.Type) Accumulator { return &distincts{log: 11} }

// precision takes the standard error from the second argument: 1.04 over the root of the number of registers.
func (d *distincts) precision(args []vec.Datum) error {
	if len(args) < 2 {
		return nil
	}
	e := columnOf[float64](args[1]).at(0)
	if !(e >= 0.0040625 && e <= 0.26) {
		return valueError("the standard error of approx_distinct must be between 0.0040625 and 0.26")
	}
	d.log = int(math.Ceil(2 * math.Log2(1.04/e)))
	return nil
}

func (d *distincts) Update(args []vec.Datum, groups []uint32, count int) error {
	d.sketches = grown(d.sketches, count)
	if len(groups) == 0 {
		return nil
	}
	if err := d.precision(args); err != nil {
		return err
	}
	hashes := make([]uint64, args[0].Arr.Len())
	vec.Hash(args[0].Arr, hashes)
	col := column[uint64]{hashes, -1}
	if args[0].Const {
		col.mask = 0
	}
	for i, g := range groups {
		d.sketches[g].add(mix(col.at(i)), d.log)
	}
	return nil
}

func (d *distincts) Merge(other Accumulator, remap []uint32, count int) error {
	d.sketches = grown(d.sketches, count)
	o := other.(*distincts)
	if len(o.sketches) > 0 {
		d.log = o.log
	}
	for g := range o.sketches {
		d.sketches[remap[g]].merge(&o.sketches[g], d.log)
	}
	return nil
}

func (d *distincts) Result(count int) (arrow.Array, error) {
	d.sketches = grown(d.sketches, count)
	out := make([]int64, count)
	for g := range out {
		out[g] = d.sketches[g].estimate()
	}
	return write(sqltype.BigIntType, out, nil)
}

func (d *distincts) Bytes() int64 {
	n := bytesOf(d.sketches)
	for i := range d.sketches {
		n += bytesOf(d.sketches[i].sparse) + bytesOf(d.sketches[i].registers)
	}
	return n
}
