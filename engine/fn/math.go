package fn

import (
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/trailql/trailql/engine/sqltype"
)

var mathFunctions = []*Function{
	{
		Name: "abs", Category: maths, CanFail: true,
		Doc:     "The number without its sign.",
		Example: "abs(-5) → 5",
		Overloads: []Overload{
			{Sig: "(integer) -> integer", Eval: lift1(integerAbs[int32])},
			{Sig: "(bigint) -> bigint", Eval: lift1(integerAbs[int64])},
			{Sig: "(tinyint) -> tinyint", Eval: lift1(integerAbs[int8])},
			{Sig: "(smallint) -> smallint", Eval: lift1(integerAbs[int16])},
			{Sig: "(decimal) -> decimal", Result: sameType, Eval: pure1(decimal128.Num.Abs)},
			{Sig: "(real) -> real", Eval: pure1(func(x float32) float32 { return float32(math.Abs(float64(x))) })},
			{Sig: "(double) -> double", Eval: pure1(math.Abs)},
		},
	},
	{
		Name: "ceil", Aliases: []string{"ceiling"}, Category: maths,
		Doc:       "The number rounded up to a whole one.",
		Example:   "ceil(1.2e0) → 2.0",
		Overloads: rounding(math.Ceil, roundUp),
	},
	{
		Name: "floor", Category: maths,
		Doc:       "The number rounded down to a whole one.",
		Example:   "floor(-1.2e0) → -2.0",
		Overloads: rounding(math.Floor, roundDown),
	},
	{
		Name: "round", Category: maths,
		Doc:     "The number rounded, halves away from zero, to a whole one or to so many digits after the point.",
		Example: "round(1.25e0, 1) → 1.3",
		Overloads: append(rounding(math.Round, roundHalf),
			Overload{Sig: "(integer, bigint) -> integer", Eval: pure2(func(x int32, n int64) int32 { return int32(roundInteger(int64(x), n)) })},
			Overload{Sig: "(bigint, bigint) -> bigint", Eval: pure2(roundInteger)},
			Overload{Sig: "(decimal, bigint) -> decimal", Result: roundedType, Eval: decimalRoundTo},
			Overload{Sig: "(real, bigint) -> real", Eval: pure2(func(x float32, n int64) float32 { return float32(roundTo(float64(x), n)) })},
			Overload{Sig: "(double, bigint) -> double", Eval: pure2(roundTo)}),
	},
	{
		Name: "truncate", Category: maths,
		Doc:     "The number without the digits after the point, or with so many of them.",
		Example: "truncate(-1.7e0) → -1.0",
		Overloads: []Overload{
			{Sig: "(decimal) -> decimal", Result: wholeType, Eval: decimalWhole(roundZero)},
			{Sig: "(real) -> real", Eval: pure1(func(x float32) float32 { return float32(math.Trunc(float64(x))) })},
			{Sig: "(double) -> double", Eval: pure1(math.Trunc)},
			{Sig: "(decimal, bigint) -> decimal", Result: sameType, Eval: decimalTruncateTo},
		},
	},
	{
		Name: "sign", Category: maths,
		Doc:     "1, 0 or -1 for a positive number, zero or a negative one.",
		Example: "sign(-5) → -1",
		Overloads: []Overload{
			{Sig: "(integer) -> integer", Eval: pure1(integerSign[int32])},
			{Sig: "(bigint) -> bigint", Eval: pure1(integerSign[int64])},
			{Sig: "(tinyint) -> tinyint", Eval: pure1(integerSign[int8])},
			{Sig: "(smallint) -> smallint", Eval: pure1(integerSign[int16])},
			{Sig: "(decimal) -> decimal", Result: func([]sqltype.Type) sqltype.Type { return sqltype.DecimalOf(1, 0) },
				Eval: pure1(func(x decimal128.Num) decimal128.Num { return decimal128.FromI64(int64(x.Sign())) })},
			{Sig: "(real) -> real", Eval: pure1(func(x float32) float32 { return float32(floatSign(float64(x))) })},
			{Sig: "(double) -> double", Eval: pure1(floatSign)},
		},
	},
	{
		Name: "mod", Category: maths, CanFail: true,
		Doc:     "Remainder of a division; it has the sign of the dividend.",
		Example: "mod(7, 3) → 1",
		Overloads: arithmetic(integerModulus[int8], integerModulus[int16], integerModulus[int32], integerModulus[int64], floatModulus[float32], floatModulus[float64],
			Overload{Sig: "(decimal, decimal) -> decimal", Result: decimalModulusType, Eval: decimalBody(decimalModulus)}),
	},
	{
		Name: "power", Aliases: []string{"pow"}, Category: maths,
		Doc:       "The first number to the power of the second.",
		Example:   "power(2, 10) → 1024.0",
		Overloads: []Overload{{Sig: "(double, double) -> double", Eval: pure2(math.Pow)}},
	},
	doubleFunction("sqrt", "The square root.", "sqrt(9) → 3.0", math.Sqrt),
	doubleFunction("cbrt", "The cube root.", "cbrt(27) → 3.0", math.Cbrt),
	doubleFunction("exp", "e to the power of the number.", "exp(0) → 1.0", math.Exp),
	doubleFunction("ln", "The natural logarithm.", "ln(1) → 0.0", math.Log),
	doubleFunction("log2", "The logarithm to base 2.", "log2(8) → 3.0", math.Log2),
	doubleFunction("log10", "The logarithm to base 10.", "log10(1000) → 3.0", math.Log10),
	doubleFunction("sin", "The sine of an angle in radians.", "sin(0) → 0.0", math.Sin),
	doubleFunction("cos", "The cosine of an angle in radians.", "cos(0) → 1.0", math.Cos),
	doubleFunction("tan", "The tangent of an angle in radians.", "tan(0) → 0.0", math.Tan),
	doubleFunction("asin", "The angle of a sine, in radians.", "asin(0) → 0.0", math.Asin),
	doubleFunction("acos", "The angle of a cosine, in radians.", "acos(1) → 0.0", math.Acos),
	doubleFunction("atan", "The angle of a tangent, in radians.", "atan(0) → 0.0", math.Atan),
	doubleFunction("sinh", "The hyperbolic sine.", "sinh(0) → 0.0", math.Sinh),
	doubleFunction("cosh", "The hyperbolic cosine.", "cosh(0) → 1.0", math.Cosh),
	doubleFunction("tanh", "The hyperbolic tangent.", "tanh(0) → 0.0", math.Tanh),
	doubleFunction("degrees", "An angle in radians as degrees.", "degrees(pi()) → 180.0", func(x float64) float64 { return x * 180 / math.Pi }),
	doubleFunction("radians", "An angle in degrees as radians.", "radians(180) = pi() → true", func(x float64) float64 { return x * math.Pi / 180 }),
	{
		Name: "atan2", Category: maths,
		Doc:       "The angle of the point (x, y), given y and x, in radians.",
		Example:   "atan2(0, 1) → 0.0",
		Overloads: []Overload{{Sig: "(double, double) -> double", Eval: pure2(math.Atan2)}},
	},
	{
		Name: "log", Category: maths,
		Doc:       "The logarithm of the second number to the base of the first.",
		Example:   "log(2, 8) → 3.0",
		Overloads: []Overload{{Sig: "(double, double) -> double", Eval: pure2(func(base, x float64) float64 { return math.Log2(x) / math.Log2(base) })}},
	},
	constantFunction("pi", "The ratio of a circle's circumference to its diameter.", "round(pi(), 2) → 3.14", math.Pi),
	constantFunction("e", "Euler's number.", "round(e(), 2) → 2.72", math.E),
	constantFunction("infinity", "Positive infinity.", "infinity() → Infinity", math.Inf(1)),
	constantFunction("nan", "Not a number.", "is_nan(nan()) → true", math.NaN()),
	{
		Name: "is_nan", Category: maths,
		Doc:     "Whether the value is not a number.",
		Example: "is_nan(nan()) → true",
		Overloads: []Overload{
			{Sig: "(double) -> boolean", Eval: pure1(math.IsNaN)},
		},
	},
	{
		Name: "is_finite", Category: maths,
		Doc:       "Whether the value is a number and not infinite.",
		Example:   "is_finite(1) → true",
		Overloads: []Overload{{Sig: "(double) -> boolean", Eval: pure1(func(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) })}},
	},
	{
		Name: "is_infinite", Category: maths,
		Doc:       "Whether the value is infinite.",
		Example:   "is_infinite(infinity()) → true",
		Overloads: []Overload{{Sig: "(double) -> boolean", Eval: pure1(func(x float64) bool { return math.IsInf(x, 0) })}},
	},
	{
		Name: "random", Aliases: []string{"rand"}, Category: maths, Volatile: true, CanFail: true,
		Doc:     "A random number of 0 up to 1, a whole one below the argument, or one from the first argument up to below the second.",
		Example: "random(1) → 0",
		Overloads: []Overload{
			{Sig: "() -> double", Eval: func(c *Call) (arrow.Array, error) {
				return eachRow(c, func(int) (float64, error) { return rand.Float64(), nil })
			}},
			{Sig: "(bigint) -> bigint", Eval: lift1(func(n int64) (int64, error) { return randomBetween(0, n) })},
			{Sig: "(bigint, bigint) -> bigint", Eval: lift2(randomBetween)},
		},
	},
	{
		Name: "width_bucket", Category: maths, CanFail: true,
		Doc:     "The number of the bucket that the value falls into, of so many equally wide ones between two bounds, or of those between the bounds in an array.",
		Example: "width_bucket(5, 0, 10, 4) → 3",
		Overloads: []Overload{
			{Sig: "(double, double, double, bigint) -> bigint", Eval: lift4(widthBucket)},
			{Sig: "(double, array(double)) -> bigint", Eval: widthBucketOf},
		},
	},
	{
		Name: "from_base", Category: maths, CanFail: true,
		Doc:     "Text in a number system of base 2 to 36 as a number.",
		Example: "from_base('ff', 16) → 255",
		Overloads: []Overload{{Sig: "(varchar, bigint) -> bigint", Eval: lift2(func(s string, base int64) (int64, error) {
			if err := checkBase(base); err != nil {
				return 0, err
			}
			n, err := strconv.ParseInt(s, int(base), 64)
			if err != nil || strings.Contains(s, "_") {
				return 0, valueError("%s is not a bigint in base %d", shown(s), base)
			}
			return n, nil
		})}},
	},
	{
		Name: "to_base", Category: maths, CanFail: true,
		Doc:     "The number in a number system of base 2 to 36.",
		Example: "to_base(255, 16) → 'ff'",
		Overloads: []Overload{{Sig: "(bigint, bigint) -> varchar", Eval: lift2(func(n, base int64) (string, error) {
			if err := checkBase(base); err != nil {
				return "", err
			}
			return strconv.FormatInt(n, int(base)), nil
		})}},
	},
}

func doubleFunction(name, doc, example string, f func(float64) float64) *Function {
	return &Function{Name: name, Category: maths, Doc: doc, Example: example,
		Overloads: []Overload{{Sig: "(double) -> double", Eval: pure1(f)}}}
}

func constantFunction(name, doc, example string, x float64) *Function {
	return &Function{Name: name, Category: maths, Doc: doc, Example: example,
		Overloads: []Overload{{Sig: "() -> double", Eval: func(c *Call) (arrow.Array, error) { return constant(c, x) }}}}
}

// rounding are the overloads of ceil, floor and round with one argument; integers stay as they are.
func rounding(f func(float64) float64, mode roundMode) []Overload {
	same := func(c *Call) (arrow.Array, error) { return c.Args[0].Arr, nil }
	return []Overload{
		{Sig: "(integer) -> integer", Eval: same},
		{Sig: "(bigint) -> bigint", Eval: same},
		{Sig: "(tinyint) -> tinyint", Eval: same},
		{Sig: "(smallint) -> smallint", Eval: same},
		{Sig: "(decimal) -> decimal", Result: wholeType, Eval: decimalWhole(mode)},
		{Sig: "(real) -> real", Eval: pure1(func(x float32) float32 { return float32(f(float64(x))) })},
		{Sig: "(double) -> double", Eval: pure1(f)},
	}
}

func integerAbs[T integer](x T) (T, error) {
	if x == -x && x != 0 {
		return 0, valueError("overflow: abs(%d)", x)
	}
	return max(x, -x), nil
}

func integerSign[T integer](x T) T {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return 0
}

func floatSign(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return x // zero or NaN
}

// roundInteger rounds to a power of ten where n is negative: round(123, -1) is 120.
func roundInteger(x, n int64) int64 {
	if n >= 0 {
		return x
	}
	if n < -18 {
		return 0
	}
	p := power10(int(-n))
	rest := x % p
	cut := x - rest
	if absolute(rest) >= p-absolute(rest) {
		return cut + p*integerSign(x)
	}
	return cut
}

// roundTo rounds to n digits after the point.
func roundTo(x float64, n int64) float64 {
	if n > 300 || math.IsNaN(x) || math.IsInf(x, 0) {
		return x
	}
	if n < -300 {
		return 0
	}
	scale := math.Pow10(int(n))
	if scaled := x * scale; !math.IsInf(scaled, 0) {
		return math.Round(scaled) / scale
	}
	return x
}

// roundMode says where what is cut off goes.
type roundMode uint8

const (
	roundDown roundMode = iota
	roundUp
	roundZero
	roundHalf // halves away from zero
)

// wholeType is the decimal type of a rounded decimal: no digits after the point, one more before it.
func wholeType(args []sqltype.Type) sqltype.Type {
	t := args[0]
	return sqltype.DecimalOf(max(1, min(38, t.Precision-t.Scale+min(1, t.Scale))), 0)
}

// roundedType is the type of round(decimal, n).
func roundedType(args []sqltype.Type) sqltype.Type {
	t := args[0]
	return sqltype.DecimalOf(min(38, t.Precision+1), t.Scale)
}

// roundDecimal cuts the last digits of an unscaled number.
func roundDecimal(x decimal128.Num, digits int, mode roundMode) *big.Int {
	p := bigPower10(digits)
	quotient, rest := new(big.Int).QuoRem(x.BigInt(), p, new(big.Int))
	sign := int64(rest.Sign())
	away := false
	switch mode {
	case roundDown:
		away = sign < 0
	case roundUp:
		away = sign > 0
	case roundHalf:
		away = rest.Abs(rest).Lsh(rest, 1).CmpAbs(p) >= 0
	}
	if away {
		quotient.Add(quotient, big.NewInt(sign))
	}
	return quotient
}

func decimalWhole(mode roundMode) body {
	return func(c *Call) (arrow.Array, error) {
		scale := c.Types[0].Scale
		return pure1(func(x decimal128.Num) decimal128.Num {
			return decimal128.FromBigInt(roundDecimal(x, scale, mode))
		})(c)
	}
}

func decimalRoundTo(c *Call) (arrow.Array, error) { return decimalTo(c, roundHalf) }

func decimalTruncateTo(c *Call) (arrow.Array, error) { return decimalTo(c, roundZero) }

// decimalTo keeps as many digits after the point as argument 1 says; the scale of the type stays.
func decimalTo(c *Call, mode roundMode) (arrow.Array, error) {
	scale, limit := int64(c.Types[0].Scale), bigPower10(c.Result.Precision)
	return lift2(func(x decimal128.Num, n int64) (decimal128.Num, error) {
		if n >= scale {
			return x, nil
		}
		digits := int(min(scale-n, 39))
		z := roundDecimal(x, digits, mode)
		z.Mul(z, bigPower10(digits))
		if z.CmpAbs(limit) >= 0 {
			return x, valueError("decimal overflow in rounding")
		}
		return decimal128.FromBigInt(z), nil
	})(c)
}

func randomBetween(low, high int64) (int64, error) {
	if low >= high {
		return 0, valueError("random needs an upper bound greater than the lower one")
	}
	return low + int64(rand.Uint64N(uint64(high-low))), nil
}

func widthBucket(x, low, high float64, n int64) (int64, error) {
	switch {
	case n <= 0:
		return 0, valueError("width_bucket needs at least one bucket")
	case math.IsNaN(x):
		return 0, valueError("width_bucket takes a number, not NaN")
	case !(math.Abs(low) <= math.MaxFloat64) || !(math.Abs(high) <= math.MaxFloat64) || low == high:
		return 0, valueError("the bounds of width_bucket must be finite and differ")
	}
	if low > high {
		x, low, high = -x, -low, -high
	}
	switch {
	case x < low:
		return 0, nil
	case x >= high:
		if n == math.MaxInt64 {
			return 0, valueError("width_bucket has too many buckets")
		}
		return n + 1, nil
	}
	return int64(float64(n)*((x-low)/(high-low))) + 1, nil
}

func widthBucketOf(c *Call) (arrow.Array, error) {
	x, l, bounds := arg[float64](c, 0), listsOf(c.Args[1]), fixed[float64](elementsOf(c.Args[1]))
	return eachRow(c, func(row int) (int64, error) {
		from, to := l.at(row)
		if from == to || math.IsNaN(x.at(row)) {
			return 0, valueError("width_bucket takes a number and at least one bound")
		}
		n := int64(0)
		for e := from; e < to; e++ {
			if e > from && !(bounds[e] >= bounds[e-1]) {
				return 0, valueError("the bounds of width_bucket must be in ascending order")
			}
			if x.at(row) >= bounds[e] {
				n++
			}
		}
		return n, nil
	})
}

func checkBase(base int64) error {
	if base < 2 || base > 36 {
		return valueError("a number system has a base of 2 to 36, not %d", base)
	}
	return nil
}
