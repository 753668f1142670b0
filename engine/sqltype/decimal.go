package sqltype

import (
	"math/big"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// Int64 returns the unscaled value if it fits 64 bits.
func Int64(v decimal128.Num) (n int64, ok bool) {
	n = int64(v.LowBits())
	return n, v.HighBits() == n>>63
}

// ParseDecimal reads "-12.345" or "1.2e3" as decimal(precision, scale), rounding half up (away from zero);
// ok is false if it is no number or does not fit.
func ParseDecimal(s string, precision, scale int) (v decimal128.Num, ok bool) {
	unscaled, places, ok := splitDecimal(s)
	if !ok {
		return v, false
	}
	return scaleBig(unscaled, places, precision, scale)
}

// splitDecimal reads a number as unscaled / 10^places.
func splitDecimal(s string) (unscaled *big.Int, places int, ok bool) {
	const longest = 1000 // digits and exponent: hostile text must not cost time
	mantissa, power, hasPower := strings.Cut(strings.Replace(s, "E", "e", 1), "e")
	if len(mantissa) > longest {
		return nil, 0, false
	}
	exponent := 0
	if hasPower {
		var err error
		if exponent, err = strconv.Atoi(power); err != nil || exponent > longest || exponent < -longest {
			return nil, 0, false
		}
	}
	digits := strings.TrimPrefix(mantissa, "-")
	if digits == mantissa {
		digits = strings.TrimPrefix(mantissa, "+")
	}
	whole, fraction, _ := strings.Cut(digits, ".")
	if whole == "" && fraction == "" {
		return nil, 0, false
	}
	for _, c := range []byte(whole + fraction) {
		if c < '0' || c > '9' {
			return nil, 0, false
		}
	}
	unscaled, _ = new(big.Int).SetString(whole+fraction, 10)
	if mantissa[0] == '-' {
		unscaled.Neg(unscaled)
	}
	return unscaled, len(fraction) - exponent, true
}

// scaleBig turns unscaled / 10^places into decimal(precision, scale), rounding half up (away from zero).
func scaleBig(unscaled *big.Int, places, precision, scale int) (v decimal128.Num, ok bool) {
	if shift := scale - places; shift >= 0 {
		unscaled = new(big.Int).Mul(unscaled, bigPow10(shift))
	} else {
		unscaled = divideHalfUp(unscaled, bigPow10(-shift))
	}
	if unscaled.CmpAbs(bigPow10(precision)) >= 0 {
		return v, false
	}
	return decimal128.FromBigInt(unscaled), true
}

func bigPow10(n int) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}

func divideHalfUp(n, by *big.Int) *big.Int {
	q, rest := new(big.Int).QuoRem(n, by, new(big.Int))
	if rest.Lsh(rest.Abs(rest), 1).Cmp(by) >= 0 {
		q.Add(q, big.NewInt(int64(n.Sign())))
	}
	return q
}

// Rescale gives a decimal another scale and precision, rounding half up (away from zero); ok is false if it does not fit.
func Rescale(v decimal128.Num, from, precision, scale int) (out decimal128.Num, ok bool) {
	if from == scale {
		return v, v.FitsInPrecision(int32(precision))
	}
	if n, ok := Int64(v); ok && scale > from && scale-from <= 18 {
		out = decimal128.FromI64(n).Mul(decimal128.GetScaleMultiplier(scale - from)) // 64 bits by 60 bits
		return out, out.FitsInPrecision(int32(precision))
	}
	return scaleBig(v.BigInt(), from, precision, scale)
}

// DecimalOfDouble converts the exact value of a double, rounding half up (away from zero); ok is false if it does not fit.
func DecimalOfDouble(v float64, precision, scale int) (out decimal128.Num, ok bool) {
	exact := new(big.Rat)
	if exact.SetFloat64(v) == nil { // NaN or infinite
		return out, false
	}
	exact.Mul(exact, new(big.Rat).SetInt(bigPow10(scale)))
	unscaled := divideHalfUp(exact.Num(), exact.Denom())
	if unscaled.CmpAbs(bigPow10(precision)) >= 0 {
		return out, false
	}
	return decimal128.FromBigInt(unscaled), true
}
