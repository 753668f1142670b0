package fn

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

var operatorFunctions = []*Function{
	{
		Name: "+", Category: operators, CanFail: true,
		Doc:     "Sum of numbers, or a date, time or timestamp moved by an interval. Integers that overflow are an error.",
		Example: "1 + 2 → 3",
		Overloads: append(arithmetic(integerAdd[int8], integerAdd[int16], integerAdd[int32], integerAdd[int64], floatAdd[float32], floatAdd[float64],
			Overload{Sig: "(decimal, decimal) -> decimal", Result: decimalSumType, Eval: decimalBody(decimalAdd)}),
			Overload{Sig: "(date, interval day to second) -> date", Eval: lift2(addDayInterval)},
			Overload{Sig: "(interval day to second, date) -> date", Eval: lift2(swapped(addDayInterval))},
			Overload{Sig: "(date, interval year to month) -> date", Eval: lift2(addMonthsToDate)},
			Overload{Sig: "(interval year to month, date) -> date", Eval: lift2(swapped(addMonthsToDate))},
			Overload{Sig: "(timestamp, interval day to second) -> timestamp", Eval: lift2(addMillis)},
			Overload{Sig: "(interval day to second, timestamp) -> timestamp", Eval: lift2(swapped(addMillis))},
			Overload{Sig: "(timestamp, interval year to month) -> timestamp", Eval: lift2(addMonths)},
			Overload{Sig: "(interval year to month, timestamp) -> timestamp", Eval: lift2(swapped(addMonths))},
			Overload{Sig: "(timestamp with time zone, interval day to second) -> timestamp with time zone", Eval: lift2(addMillisToInstant)},
			Overload{Sig: "(interval day to second, timestamp with time zone) -> timestamp with time zone", Eval: lift2(swapped(addMillisToInstant))},
			Overload{Sig: "(timestamp with time zone, interval year to month) -> timestamp with time zone", Eval: lift2(addMonthsToInstant)},
			Overload{Sig: "(interval year to month, timestamp with time zone) -> timestamp with time zone", Eval: lift2(swapped(addMonthsToInstant))},
			Overload{Sig: "(time, interval day to second) -> time", Eval: pure2(addMillisToTime)},
			Overload{Sig: "(time with time zone, interval day to second) -> time with time zone", Eval: pure2(addMillisToTimeTZ)},
			Overload{Sig: "(interval day to second, time with time zone) -> time with time zone", Eval: pure2(func(ms int64, t instant) instant { return addMillisToTimeTZ(t, ms) })},
			Overload{Sig: "(interval day to second, time) -> time", Eval: pure2(func(ms, t int64) int64 { return addMillisToTime(t, ms) })},
			Overload{Sig: "(interval day to second, interval day to second) -> interval day to second", Eval: integerAdd[int64]},
			Overload{Sig: "(interval year to month, interval year to month) -> interval year to month", Eval: integerAdd[int32]},
		),
	},
	{
		Name: "-", Category: operators, CanFail: true,
		Doc:     "Difference of numbers or of two points in time, or a point in time moved back by an interval.",
		Example: "5 - 3 → 2",
		Overloads: append(arithmetic(integerSubtract[int8], integerSubtract[int16], integerSubtract[int32], integerSubtract[int64], floatSubtract[float32], floatSubtract[float64],
			Overload{Sig: "(decimal, decimal) -> decimal", Result: decimalSumType, Eval: decimalBody(decimalSubtract)}),
			Overload{Sig: "(date, interval day to second) -> date", Eval: lift2(func(d int32, ms int64) (int32, error) { return addDayInterval(d, -ms) })},
			Overload{Sig: "(date, interval year to month) -> date", Eval: lift2(func(d, m int32) (int32, error) { return addMonthsToDate(d, -m) })},
			Overload{Sig: "(timestamp, interval day to second) -> timestamp", Eval: lift2(func(t, ms int64) (int64, error) { return addMillis(t, -ms) })},
			Overload{Sig: "(timestamp, interval year to month) -> timestamp", Eval: lift2(func(t int64, m int32) (int64, error) { return addMonths(t, -m) })},
			Overload{Sig: "(timestamp with time zone, interval day to second) -> timestamp with time zone", Eval: lift2(func(t instant, ms int64) (instant, error) { return addMillisToInstant(t, -ms) })},
			Overload{Sig: "(timestamp with time zone, interval year to month) -> timestamp with time zone", Eval: lift2(func(t instant, m int32) (instant, error) { return addMonthsToInstant(t, -m) })},
			Overload{Sig: "(time, interval day to second) -> time", Eval: pure2(func(t, ms int64) int64 { return addMillisToTime(t, -ms) })},
			Overload{Sig: "(time with time zone, interval day to second) -> time with time zone", Eval: pure2(func(t instant, ms int64) instant { return addMillisToTimeTZ(t, -ms) })},
			Overload{Sig: "(interval day to second, interval day to second) -> interval day to second", Eval: integerSubtract[int64]},
			Overload{Sig: "(interval year to month, interval year to month) -> interval year to month", Eval: integerSubtract[int32]},
			Overload{Sig: "(date, date) -> interval day to second", Eval: pure2(func(a, b int32) int64 { return (int64(a) - int64(b)) * millisPerDay })},
			Overload{Sig: "(timestamp, timestamp) -> interval day to second", Eval: pure2(func(a, b int64) int64 { return (a - b) / 1000 })},
			Overload{Sig: "(timestamp with time zone, timestamp with time zone) -> interval day to second", Eval: pure2(func(a, b instant) int64 { return (a.us - b.us) / 1000 })},
			Overload{Sig: "(time, time) -> interval day to second", Eval: pure2(func(a, b int64) int64 { return (a - b) / 1000 })},
			Overload{Sig: "(time with time zone, time with time zone) -> interval day to second", Eval: pure2(func(a, b instant) int64 { return (a.us - b.us) / 1000 })},
		),
	},
	{
		Name: "*", Category: operators, CanFail: true,
		Doc:     "Product of numbers, or an interval multiplied. Integers that overflow are an error.",
		Example: "6 * 7 → 42",
		Overloads: append(arithmetic(integerMultiply[int8], integerMultiply[int16], integerMultiply[int32], integerMultiply[int64], floatMultiply[float32], floatMultiply[float64],
			Overload{Sig: "(decimal, decimal) -> decimal", Result: decimalProductType, Eval: decimalBody(decimalMultiply)}),
			Overload{Sig: "(interval day to second, bigint) -> interval day to second", Eval: integerMultiply[int64]},
			Overload{Sig: "(bigint, interval day to second) -> interval day to second", Eval: integerMultiply[int64]},
			Overload{Sig: "(interval day to second, double) -> interval day to second", Eval: lift2(scaleInterval[int64])},
			Overload{Sig: "(double, interval day to second) -> interval day to second", Eval: lift2(swapped(scaleInterval[int64]))},
			Overload{Sig: "(interval year to month, integer) -> interval year to month", Eval: integerMultiply[int32]},
			Overload{Sig: "(integer, interval year to month) -> interval year to month", Eval: integerMultiply[int32]},
			Overload{Sig: "(interval year to month, double) -> interval year to month", Eval: lift2(scaleInterval[int32])},
			Overload{Sig: "(double, interval year to month) -> interval year to month", Eval: lift2(swapped(scaleInterval[int32]))},
		),
	},
	{
		Name: "/", Category: operators, CanFail: true,
		Doc:     "Quotient, or an interval divided. Integers are cut towards zero, and dividing them or an interval by zero is an error; a double gives Infinity or NaN.",
		Example: "7 / 2 → 3",
		Overloads: append(arithmetic(integerDivide[int8], integerDivide[int16], integerDivide[int32], integerDivide[int64], floatDivide[float32], floatDivide[float64],
			Overload{Sig: "(decimal, decimal) -> decimal", Result: decimalQuotientType, Eval: decimalBody(decimalDivide)}),
			Overload{Sig: "(interval day to second, double) -> interval day to second", Eval: lift2(divideInterval[int64])},
			Overload{Sig: "(interval year to month, double) -> interval year to month", Eval: lift2(divideInterval[int32])},
		),
	},
	{
		Name: "%", Category: operators, CanFail: true,
		Doc:     "Remainder of a division; it has the sign of the dividend.",
		Example: "7 % 3 → 1",
		Overloads: arithmetic(integerModulus[int8], integerModulus[int16], integerModulus[int32], integerModulus[int64], floatModulus[float32], floatModulus[float64],
			Overload{Sig: "(decimal, decimal) -> decimal", Result: decimalModulusType, Eval: decimalBody(decimalModulus)}),
	},
	{
		Name: "negate", Category: operators, CanFail: true,
		Doc:     "The number or interval with the opposite sign.",
		Example: "-(5) → -5",
		Overloads: []Overload{
			{Sig: "(tinyint) -> tinyint", Eval: integerNegate[int8]},
			{Sig: "(smallint) -> smallint", Eval: integerNegate[int16]},
			{Sig: "(integer) -> integer", Eval: integerNegate[int32]},
			{Sig: "(bigint) -> bigint", Eval: integerNegate[int64]},
			{Sig: "(real) -> real", Eval: pure1(func(x float32) float32 { return -x })},
			{Sig: "(double) -> double", Eval: pure1(func(x float64) float64 { return -x })},
			{Sig: "(decimal) -> decimal", Result: sameType, Eval: pure1(decimalNegate)},
			{Sig: "(interval day to second) -> interval day to second", Eval: integerNegate[int64]},
			{Sig: "(interval year to month) -> interval year to month", Eval: integerNegate[int32]},
		},
	},
	{
		Name: "||", Category: operators,
		Doc:     "Texts, binary strings or arrays one after the other; an element may be joined to an array.",
		Example: "'a' || 'b' → 'ab'",
		Overloads: []Overload{
			{Sig: "(varchar, varchar) -> varchar", Eval: append2(concat2[string])},
			{Sig: "(varbinary, varbinary) -> varbinary", Eval: append2(concat2[[]byte])},
			{Sig: "(array(T), array(T)) -> array(T)", Eval: concatArrays},
			{Sig: "(array(T), T) -> array(T)", Eval: appendElement},
			{Sig: "(T, array(T)) -> array(T)", Eval: prependElement},
		},
	},
	{
		Name: "like", Category: operators, CanFail: true, FailsByConstants: true,
		Doc:     "Whether the text matches the pattern, in which % stands for any characters and _ for one.",
		Example: "'trail' like 'tr%' → true",
		Overloads: []Overload{
			{Sig: "(varchar, varchar) -> boolean", Eval: like},
			{Sig: "(varchar, varchar, varchar) -> boolean", Eval: like},
		},
	},
	{
		Name: "subscript", Category: operators, CanFail: true,
		Doc:     "An element of an array, counted from 1, or the value of a map's key; one that is not there is an error. Of JSON text, the value of a key or NULL.",
		Example: "array[10, 20][2] → 20",
		Overloads: append([]Overload{
			{Sig: "(array(T), bigint) -> T", Eval: arraySubscript},
			{Sig: "(map(K, V), K) -> V", Eval: mapSubscript},
		}, keyOfJSON...),
	},
}

// arithmetic is the overloads of an operator over the numeric types, narrow before wide, so that of two with
// equally many casts the narrow one wins.
func arithmetic(i8, i16, i32, i64, f32, f64 body, decimal Overload) []Overload {
	return []Overload{
		{Sig: "(integer, integer) -> integer", Eval: i32},
		{Sig: "(bigint, bigint) -> bigint", Eval: i64},
		{Sig: "(tinyint, tinyint) -> tinyint", Eval: i8},
		{Sig: "(smallint, smallint) -> smallint", Eval: i16},
		decimal,
		{Sig: "(real, real) -> real", Eval: f32},
		{Sig: "(double, double) -> double", Eval: f64},
	}
}

// sameType is the Result of overloads whose result has the first argument's type.
func sameType(args []sqltype.Type) sqltype.Type { return args[0] }

// swapped takes the arguments of f in the other order.
func swapped[A, B, R any](f func(A, B) (R, error)) func(B, A) (R, error) {
	return func(b B, a A) (R, error) { return f(a, b) }
}

type integer interface{ int8 | int16 | int32 | int64 }

type float interface{ float32 | float64 }

// overflow is the error of an integer operation whose result does not fit the type.
func overflow[T integer](c *Call, x, y T, sign string) error {
	return valueError("%s overflow: %d %s %d", c.Result, x, sign, y)
}

// A loop notes the row that failed and makes the error afterwards; rows with NULL never fail.

func integerAdd[T integer](c *Call) (arrow.Array, error) {
	a, b, nulls, out, bad := arg[T](c, 0), arg[T](c, 1), c.nulls(), make([]T, c.Len), -1
	for i := range out {
		x, y := a.at(i), b.at(i)
		z := x + y
		if (x^z)&(y^z) < 0 && (nulls == nil || !nulls[i]) {
			bad = i
		}
		out[i] = z
	}
	if bad >= 0 {
		return nil, overflow(c, a.at(bad), b.at(bad), "+")
	}
	return write(c.Result, out, nulls)
}

func integerSubtract[T integer](c *Call) (arrow.Array, error) {
	a, b, nulls, out, bad := arg[T](c, 0), arg[T](c, 1), c.nulls(), make([]T, c.Len), -1
	for i := range out {
		x, y := a.at(i), b.at(i)
		z := x - y
		if (x^y)&(x^z) < 0 && (nulls == nil || !nulls[i]) {
			bad = i
		}
		out[i] = z
	}
	if bad >= 0 {
		return nil, overflow(c, a.at(bad), b.at(bad), "-")
	}
	return write(c.Result, out, nulls)
}

func integerMultiply[T integer](c *Call) (arrow.Array, error) {
	a, b, nulls, out, bad := arg[T](c, 0), arg[T](c, 1), c.nulls(), make([]T, c.Len), -1
	for i := range out {
		z, ok := multiply(int64(a.at(i)), int64(b.at(i)))
		out[i] = T(z)
		if (!ok || int64(out[i]) != z) && (nulls == nil || !nulls[i]) {
			bad = i
		}
	}
	if bad >= 0 {
		return nil, overflow(c, a.at(bad), b.at(bad), "*")
	}
	return write(c.Result, out, nulls)
}

// multiply is x*y and whether it fits.
func multiply(x, y int64) (int64, bool) {
	z := x * y
	if int64(int32(x)) == x && int64(int32(y)) == y || x == 0 {
		return z, true
	}
	return z, z/x == y && !(x == -1 && y == math.MinInt64)
}

func integerDivide[T integer](c *Call) (arrow.Array, error) {
	a, b, nulls, out, bad := arg[T](c, 0), arg[T](c, 1), c.nulls(), make([]T, c.Len), -1
	for i := range out {
		x, y := a.at(i), b.at(i)
		switch {
		case nulls != nil && nulls[i]:
		case y == 0 || y == -1 && x == -x && x != 0:
			bad = i
		default:
			out[i] = x / y
		}
	}
	if bad >= 0 && b.at(bad) != 0 {
		return nil, overflow(c, a.at(bad), b.at(bad), "/")
	}
	if bad >= 0 {
		return nil, divisionByZero()
	}
	return write(c.Result, out, nulls)
}

func integerModulus[T integer](c *Call) (arrow.Array, error) {
	a, b, nulls, out, bad := arg[T](c, 0), arg[T](c, 1), c.nulls(), make([]T, c.Len), -1
	for i := range out {
		x, y := a.at(i), b.at(i)
		switch {
		case nulls != nil && nulls[i]:
		case y == 0:
			bad = i
		default:
			out[i] = x % y
		}
	}
	if bad >= 0 {
		return nil, divisionByZero()
	}
	return write(c.Result, out, nulls)
}

func divisionByZero() error { return valueError("division by zero") }

func integerNegate[T integer](c *Call) (arrow.Array, error) {
	a, nulls, out, bad := arg[T](c, 0), c.nulls(), make([]T, c.Len), -1
	for i := range out {
		x := a.at(i)
		if x == -x && x != 0 && (nulls == nil || !nulls[i]) {
			bad = i
		}
		out[i] = -x
	}
	if bad >= 0 {
		return nil, valueError("%s overflow: -(%d)", c.Result, a.at(bad))
	}
	return write(c.Result, out, nulls)
}

func floatAdd[T float](c *Call) (arrow.Array, error) {
	a, b, out := arg[T](c, 0), arg[T](c, 1), make([]T, c.Len)
	for i := range out {
		out[i] = a.at(i) + b.at(i)
	}
	return write(c.Result, out, c.nulls())
}

func floatSubtract[T float](c *Call) (arrow.Array, error) {
	a, b, out := arg[T](c, 0), arg[T](c, 1), make([]T, c.Len)
	for i := range out {
		out[i] = a.at(i) - b.at(i)
	}
	return write(c.Result, out, c.nulls())
}

func floatMultiply[T float](c *Call) (arrow.Array, error) {
	a, b, out := arg[T](c, 0), arg[T](c, 1), make([]T, c.Len)
	for i := range out {
		out[i] = a.at(i) * b.at(i)
	}
	return write(c.Result, out, c.nulls())
}

func floatDivide[T float](c *Call) (arrow.Array, error) {
	a, b, out := arg[T](c, 0), arg[T](c, 1), make([]T, c.Len)
	for i := range out {
		out[i] = a.at(i) / b.at(i)
	}
	return write(c.Result, out, c.nulls())
}

func floatModulus[T float](c *Call) (arrow.Array, error) {
	a, b, out := arg[T](c, 0), arg[T](c, 1), make([]T, c.Len)
	for i := range out {
		out[i] = T(math.Mod(float64(a.at(i)), float64(b.at(i))))
	}
	return write(c.Result, out, c.nulls())
}

func concat2[S string | []byte](dst []byte, a, b S) ([]byte, error) {
	return append(append(dst, a...), b...), nil
}

// like matches with vec's compiled patterns.
func like(c *Call) (arrow.Array, error) {
	if c.constants(1) {
		p, err := likeAt(c)(0)
		if err != nil {
			return nil, err
		}
		return p.Rows(c.Args[0].Arr), nil
	}
	return likeRows(c)
}

// likeAt gives the pattern of a row.
func likeAt(c *Call) func(row int) (*vec.Like, error) {
	if len(c.Args) == 2 {
		return compiled(c, 1, func(p string) (*vec.Like, error) { return vec.CompileLike(p, "", false) })
	}
	escape := arg[string](c, 2)
	if c.Args[2].Const {
		return compiled(c, 1, func(p string) (*vec.Like, error) { return vec.CompileLike(p, escape.at(0), true) })
	}
	pattern := arg[string](c, 1)
	return func(i int) (*vec.Like, error) { return vec.CompileLike(pattern.at(i), escape.at(i), true) }
}

func likeRows(c *Call) (arrow.Array, error) {
	s, nulls, out, patternAt := arg[string](c, 0), c.nulls(), make([]bool, c.Len), likeAt(c)
	for i := range out {
		if nulls != nil && nulls[i] {
			continue
		}
		p, err := patternAt(i)
		if err != nil {
			return nil, err
		}
		out[i] = p.Match(s.at(i))
	}
	return write(c.Result, out, nulls)
}
