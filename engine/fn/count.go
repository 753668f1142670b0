package fn

import (
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

var countAggregates = []*Aggregate{
	{
		Name:    "count",
		Doc:     "How many rows there are, or how many have a value that is not NULL.",
		Example: "count(*) FROM (VALUES 1, 2) t (x) → 2",
		Overloads: []AggregateOverload{
			{Sig: "() -> bigint", New: func([]sqltype.Type, sqltype.Type) Accumulator { return &counts{} }},
			{Sig: "(any) -> bigint", New: func([]sqltype.Type, sqltype.Type) Accumulator { return &counts{} }},
		},
	},
	{
		Name:    "count_if",
		Doc:     "In how many rows the condition is true.",
		Example: "count_if(x > 1) FROM (VALUES 1, 2) t (x) → 1",
		Overloads: []AggregateOverload{
			{Sig: "(boolean) -> bigint", New: func([]sqltype.Type, sqltype.Type) Accumulator { return &counts{condition: true} }},
		},
	},
}

// grown is s with zero values up to length n.
func grown[S any](s []S, n int) []S {
	if n <= len(s) {
		return s
	}
	if n <= cap(s) {
		return s[:n]
	}
	bigger := make([]S, n, max(n, 2*cap(s)))
	copy(bigger, s)
	return bigger
}

// bytesOf is the memory of a slice, without what its elements point to.
func bytesOf[S any](s []S) int64 {
	var one S
	return int64(cap(s)) * int64(unsafe.Sizeof(one))
}

// counts counts rows; the caller has dropped those with NULL.
type counts struct {
	condition bool // only rows whose argument is true
	of        []int64
}

func (c *counts) Update(args []vec.Datum, groups []uint32, count int) error {
	c.of = grown(c.of, count)
	if c.condition {
		is := columnOf[bool](args[0])
		for i, g := range groups {
			if is.at(i) {
				c.of[g]++
			}
		}
		return nil
	}
	for _, g := range groups {
		c.of[g]++
	}
	return nil
}

func (c *counts) Merge(other Accumulator, remap []uint32, count int) error {
	c.of = grown(c.of, count)
	for g, n := range other.(*counts).of {
		c.of[remap[g]] += n
	}
	return nil
}

func (c *counts) Result(count int) (arrow.Array, error) {
	c.of = grown(c.of, count)
	return write(sqltype.BigIntType, append([]int64(nil), c.of[:count]...), nil)
}

func (c *counts) Bytes() int64 { return bytesOf(c.of) }
