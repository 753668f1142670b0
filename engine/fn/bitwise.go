package fn

import "math/bits"

var bitwiseFunctions = []*Function{
	bitFunction("bitwise_and", "The bits that both numbers have.", "bitwise_and(6, 3) → 2", func(a, b int64) int64 { return a & b }),
	bitFunction("bitwise_or", "The bits that one of the numbers has.", "bitwise_or(6, 3) → 7", func(a, b int64) int64 { return a | b }),
	bitFunction("bitwise_xor", "The bits in which the numbers differ.", "bitwise_xor(6, 3) → 5", func(a, b int64) int64 { return a ^ b }),
	shiftFunction("bitwise_left_shift", "The bits moved to the left; what leaves the number's type is lost.", "bitwise_left_shift(1, 3) → 8",
		func(a, n int64, _ int) int64 { return int64(uint64(a) << shiftBy(n)) }),
	shiftFunction("bitwise_right_shift", "The bits of the number's type moved to the right, zeros following.", "bitwise_right_shift(8, 3) → 1",
		func(a, n int64, width int) int64 {
			return int64(uint64(a) << (64 - width) >> (64 - width) >> shiftBy(n))
		}),
	shiftFunction("bitwise_right_shift_arithmetic", "The bits moved to the right, the sign following.", "bitwise_right_shift_arithmetic(-8, 3) → -1",
		func(a, n int64, _ int) int64 { return a >> shiftBy(n) }),
	{
		Name: "bitwise_not", Category: bitwise,
		Doc:       "The number with all bits turned over.",
		Example:   "bitwise_not(0) → -1",
		Overloads: []Overload{{Sig: "(bigint) -> bigint", Eval: pure1(func(x int64) int64 { return ^x })}},
	},
	{
		Name: "bit_count", Category: bitwise, CanFail: true,
		Doc:     "How many bits are set in the number, written with so many bits.",
		Example: "bit_count(9, 64) → 2",
		Overloads: []Overload{{Sig: "(bigint, bigint) -> bigint", Eval: lift2(func(x, width int64) (int64, error) {
			if width < 2 || width > 64 {
				return 0, valueError("the bits of bit_count must be between 2 and 64")
			}
			if x<<(64-width)>>(64-width) != x {
				return 0, valueError("%d cannot be written with %d bits", x, width)
			}
			return int64(bits.OnesCount64(uint64(x) << (64 - width))), nil
		})}},
	},
}

func bitFunction(name, doc, example string, f func(a, b int64) int64) *Function {
	return &Function{Name: name, Category: bitwise, Doc: doc, Example: example,
		Overloads: []Overload{{Sig: "(bigint, bigint) -> bigint", Eval: pure2(f)}}}
}

// shiftFunction makes a function of a number of any integer type and a count of bits; width is the number's.
func shiftFunction(name, doc, example string, f func(a, n int64, width int) int64) *Function {
	return &Function{Name: name, Category: bitwise, Doc: doc, Example: example, Overloads: []Overload{
		{Sig: "(tinyint, bigint) -> tinyint", Eval: pure2(func(a int8, n int64) int8 { return int8(f(int64(a), n, 8)) })},
		{Sig: "(smallint, bigint) -> smallint", Eval: pure2(func(a int16, n int64) int16 { return int16(f(int64(a), n, 16)) })},
		{Sig: "(integer, bigint) -> integer", Eval: pure2(func(a int32, n int64) int32 { return int32(f(int64(a), n, 32)) })},
		{Sig: "(bigint, bigint) -> bigint", Eval: pure2(func(a, n int64) int64 { return f(a, n, 64) })},
	}}
}

// shiftBy is n as a shift: what is no number of bits moves all of them out.
func shiftBy(n int64) uint64 {
	if n < 0 || n > 64 {
		return 64
	}
	return uint64(n)
}
