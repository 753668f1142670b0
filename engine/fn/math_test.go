package fn

import (
	"math"
	"testing"
)

// From Trino's "Mathematical functions and operators" and "Bitwise functions".
func TestMath(t *testing.T) {
	n, d := bigint, double
	check(t, []want{
		{"abs", []value{n(-5)}, "5", ""},
		{"abs", []value{n(math.MinInt64)}, "", "overflow"},
		{"ceil", []value{d(-1.5)}, "-1.0", ""},
		{"floor", []value{d(-1.5)}, "-2.0", ""},
		{"floor", []value{n(7)}, "7", ""},
		{"round", []value{d(2.5)}, "3.0", ""},
		{"round", []value{d(-2.5)}, "-3.0", ""},
		{"round", []value{d(2.345), n(1)}, "2.3", ""},
		{"round", []value{n(12355), n(-1)}, "12360", ""},
		{"round", []value{n(-15), n(-1)}, "-20", ""},
		{"round", []value{n(15), n(-99)}, "0", ""},
		{"truncate", []value{d(-1.9)}, "-1.0", ""},
		{"sign", []value{d(-0.5)}, "-1.0", ""},
		{"sign", []value{n(0)}, "0", ""},
		{"mod", []value{n(-7), n(3)}, "-1", ""},
		{"pow", []value{n(2), n(-1)}, "0.5", ""},
		{"sqrt", []value{d(-1)}, "NaN", ""},
		{"log", []value{n(2), n(64)}, "6.0", ""},
		{"degrees", []value{d(math.Pi)}, "180.0", ""},
		{"infinity", nil, "Infinity", ""},
		{"is_finite", []value{d(math.Inf(-1))}, "false", ""},
		{"is_infinite", []value{d(math.Inf(-1))}, "true", ""},
		{"is_nan", []value{d(math.NaN())}, "true", ""},
		{"random", []value{n(1)}, "0", ""},
		{"random", []value{n(5), n(6)}, "5", ""},
		{"random", []value{n(math.MinInt64), n(math.MinInt64 + 1)}, "-9223372036854775808", ""},
		{"random", []value{n(0)}, "", "upper bound"},
		{"width_bucket", []value{d(3), d(0), d(10), n(5)}, "2", ""},
		{"width_bucket", []value{d(-1), d(0), d(10), n(5)}, "0", ""},
		{"width_bucket", []value{d(10), d(0), d(10), n(5)}, "6", ""},
		{"width_bucket", []value{d(3), d(10), d(0), n(5)}, "4", ""},
		{"width_bucket", []value{d(3), d(1), d(1), n(5)}, "", "must be finite and differ"},
		{"from_base", []value{varchar("-ff"), n(16)}, "-255", ""},
		{"from_base", []value{varchar("1_0"), n(10)}, "", "not a bigint in base 10"},
		{"from_base", []value{varchar("1"), n(1)}, "", "base of 2 to 36"},
		{"to_base", []value{n(-255), n(16)}, "-ff", ""},
		{"bitwise_and", []value{n(19), n(25)}, "17", ""},
		{"bitwise_xor", []value{n(19), n(25)}, "10", ""},
		{"bitwise_not", []value{n(19)}, "-20", ""},
		{"bitwise_left_shift", []value{n(1), n(64)}, "0", ""},
		{"bitwise_right_shift", []value{n(-8), n(1)}, "9223372036854775804", ""},
		{"bitwise_right_shift_arithmetic", []value{n(-8), n(64)}, "-1", ""},
		{"bit_count", []value{n(-7), n(64)}, "62", ""},
		{"bit_count", []value{n(-7), n(8)}, "6", ""},
		{"bit_count", []value{n(255), n(8)}, "", "cannot be written with 8 bits"},
		{"greatest", []value{n(1), d(2.5), n(2)}, "2.5", ""},
		{"least", []value{varchar("b"), varchar("a")}, "a", ""},
	})
}
