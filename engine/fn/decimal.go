package fn

import (
	"math"
	"math/big"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
)

// Result types of decimal arithmetic are those of Trino's documentation, "Decimal functions and operators".

func decimalSumType(args []sqltype.Type) sqltype.Type {
	a, b := args[0], args[1]
	scale := max(a.Scale, b.Scale)
	return sqltype.DecimalOf(min(38, 1+scale+max(a.Precision-a.Scale, b.Precision-b.Scale)), scale)
}

func decimalProductType(args []sqltype.Type) sqltype.Type {
	a, b := args[0], args[1]
	return sqltype.DecimalOf(min(38, a.Precision+b.Precision), min(38, a.Scale+b.Scale))
}

func decimalQuotientType(args []sqltype.Type) sqltype.Type {
	a, b := args[0], args[1]
	return sqltype.DecimalOf(min(38, a.Precision+b.Scale+max(0, b.Scale-a.Scale)), max(a.Scale, b.Scale))
}

func decimalModulusType(args []sqltype.Type) sqltype.Type {
	a, b := args[0], args[1]
	scale := max(a.Scale, b.Scale)
	return sqltype.DecimalOf(max(1, min(b.Precision-b.Scale, a.Precision-a.Scale)+scale), scale)
}

// decimalOperation computes on unscaled numbers. Most fit into int64, where small does the work and says whether
// the result fits too; big does the rest.
type decimalOperation struct {
	name  string
	small func(x, y int64) (int64, bool)
	big   func(z, x, y *big.Int) error
	// aligned: operands are brought to the same scale first; that of the result.
	aligned bool
	// shift is how many zeros x is given before the operation, from the three scales.
	shift func(x, y, result int) int
}

var decimalAdd = decimalOperation{
	name: "+", aligned: true,
	small: func(x, y int64) (int64, bool) { z := x + y; return z, (x^z)&(y^z) >= 0 },
	big:   func(z, x, y *big.Int) error { z.Add(x, y); return nil },
}

var decimalSubtract = decimalOperation{
	name: "-", aligned: true,
	small: func(x, y int64) (int64, bool) { z := x - y; return z, (x^y)&(x^z) >= 0 },
	big:   func(z, x, y *big.Int) error { z.Sub(x, y); return nil },
}

var decimalMultiply = decimalOperation{
	name:  "*",
	small: multiply,
	big:   func(z, x, y *big.Int) error { z.Mul(x, y); return nil },
}

var decimalDivide = decimalOperation{
	name:  "/",
	shift: func(x, y, result int) int { return result - x + y },
	small: func(x, y int64) (int64, bool) {
		if y == 0 || x == math.MinInt64 || y == math.MinInt64 {
			return 0, false
		}
		q, r := x/y, x%y
		if absolute(r) >= absolute(y)-absolute(r) { // half and more goes away from zero
			if (x < 0) != (y < 0) {
				return q - 1, true
			}
			return q + 1, true
		}
		return q, true
	},
	big: func(z, x, y *big.Int) error {
		if y.Sign() == 0 {
			return divisionByZero()
		}
		r := new(big.Int)
		z.QuoRem(x, y, r)
		if r.Abs(r).Lsh(r, 1).CmpAbs(y) >= 0 {
			z.Add(z, big.NewInt(int64(x.Sign()*y.Sign())))
		}
		return nil
	},
}

var decimalModulus = decimalOperation{
	name: "%", aligned: true,
	small: func(x, y int64) (int64, bool) {
		if y == 0 || y == -1 {
			return 0, y != 0
		}
		return x % y, true
	},
	big: func(z, x, y *big.Int) error {
		if y.Sign() == 0 {
			return divisionByZero()
		}
		z.Rem(x, y)
		return nil
	},
}

func absolute(x int64) int64 {
	if x < 0 {
		return -x
	}
	return x
}

// power10 is 10^n for n up to 18.
func power10(n int) int64 {
	p := int64(1)
	for range n {
		p *= 10
	}
	return p
}

// timesPower10 is x·10^n and whether it fits.
func timesPower10(x int64, n int) (int64, bool) {
	if n > 18 {
		return 0, x == 0
	}
	p := power10(n)
	hi, lo := bits.Mul64(uint64(absolute(x)), uint64(p))
	return x * p, hi == 0 && lo <= math.MaxInt64 && x != math.MinInt64
}

func bigPower10(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// small64 is the number as int64 if it is one.
func small64(n decimal128.Num) (int64, bool) {
	x := int64(n.LowBits())
	return x, n.HighBits() == x>>63
}

func decimalBody(op decimalOperation) body {
	return func(c *Call) (arrow.Array, error) {
		a, b, nulls, out := arg[decimal128.Num](c, 0), arg[decimal128.Num](c, 1), c.nulls(), make([]decimal128.Num, c.Len)
		scaleA, scaleB := c.Types[0].Scale, c.Types[1].Scale
		if op.name == decimalMultiply.name && scaleA+scaleB > c.Result.Scale {
			return nil, sqlerr.New(sqlerr.Type, 0, "a product of %s and %s has %d digits after the point; a decimal has at most %d",
				c.Types[0], c.Types[1], scaleA+scaleB, c.Result.Scale).WithHint("cast one of them to fewer digits, or to double")
		}
		shiftA, shiftB := 0, 0
		switch {
		case op.aligned:
			scale := max(scaleA, scaleB)
			shiftA, shiftB = scale-scaleA, scale-scaleB
		case op.shift != nil:
			shiftA = op.shift(scaleA, scaleB, c.Result.Scale)
		}
		limit := bigPower10(c.Result.Precision)
		var smallLimit int64 = math.MaxInt64
		if c.Result.Precision <= 18 {
			smallLimit = power10(c.Result.Precision) - 1
		}
		for i := range out {
			if nulls != nil && nulls[i] {
				continue
			}
			x, okX := small64(a.at(i))
			y, okY := small64(b.at(i))
			if okX && okY {
				x, okX = timesPower10(x, shiftA)
				y, okY = timesPower10(y, shiftB)
				if okX && okY {
					if z, ok := op.small(x, y); ok && z <= smallLimit && z >= -smallLimit {
						out[i] = decimal128.FromI64(z)
						continue
					}
				}
			}
			z, err := op.wide(a.at(i), b.at(i), shiftA, shiftB, limit)
			if err != nil {
				return nil, err
			}
			out[i] = z
		}
		return write(c.Result, out, nulls)
	}
}

func (op *decimalOperation) wide(a, b decimal128.Num, shiftA, shiftB int, limit *big.Int) (decimal128.Num, error) {
	x, y, z := a.BigInt(), b.BigInt(), new(big.Int)
	x.Mul(x, bigPower10(shiftA))
	y.Mul(y, bigPower10(shiftB))
	if err := op.big(z, x, y); err != nil {
		return decimal128.Num{}, err
	}
	if z.CmpAbs(limit) >= 0 {
		return decimal128.Num{}, valueError("decimal overflow in %s", op.name)
	}
	return decimal128.FromBigInt(z), nil
}

func decimalNegate(n decimal128.Num) decimal128.Num { return n.Negate() }
