package vec

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/trailql/trailql/engine/sqltype"
)

// integers widens an integer column.
func integers(a arrow.Array) []int64 {
	switch a.DataType().ID() {
	case arrow.INT8:
		return widen[int8, int64](fixed[int8](a))
	case arrow.INT16:
		return widen[int16, int64](fixed[int16](a))
	case arrow.INT32:
		return widen[int32, int64](fixed[int32](a))
	}
	return fixed[int64](a)
}

// floats widens a real column.
func floats(a arrow.Array) []float64 {
	if a.DataType().ID() == arrow.FLOAT32 {
		return widen[float32, float64](fixed[float32](a))
	}
	return fixed[float64](a)
}

type number interface {
	int8 | int16 | int32 | int64 | float32 | float64
}

func widen[F, T number](values []F) []T {
	out := make([]T, len(values))
	for i, v := range values {
		out[i] = T(v)
	}
	return out
}

func (c caster) fromInts(values []int64, r results) (arrow.Array, error) {
	switch r.to.Kind {
	case sqltype.Boolean:
		out := newBitmap(len(values))
		for i, v := range values {
			if v != 0 {
				out.set(i)
			}
		}
		return newBoolean(out, len(values), r.valid), nil
	case sqltype.TinyInt:
		return narrow[int8](values, r)
	case sqltype.SmallInt:
		return narrow[int16](values, r)
	case sqltype.Integer:
		return narrow[int32](values, r)
	case sqltype.BigInt:
		return newFixed(r.to.Arrow(), values, r.valid), nil
	case sqltype.Real:
		return newFixed(r.to.Arrow(), widen[int64, float32](values), r.valid), nil
	case sqltype.Double:
		return newFixed(r.to.Arrow(), widen[int64, float64](values), r.valid), nil
	}
	out := make([]decimal128.Num, len(values))
	for i, v := range values {
		var ok bool
		if out[i], ok = sqltype.Rescale(decimal128.FromI64(v), 0, r.to.Precision, r.to.Scale); !ok {
			if err := r.bad(i); err != nil {
				return nil, err
			}
		}
	}
	return newFixed(r.to.Arrow(), out, r.valid), nil
}

// narrow is fromInts for the smaller integers.
func narrow[T int8 | int16 | int32](values []int64, r results) (arrow.Array, error) {
	out := make([]T, len(values))
	for i, v := range values {
		out[i] = T(v)
		if int64(out[i]) != v {
			if err := r.bad(i); err != nil {
				return nil, err
			}
		}
	}
	return newFixed(r.to.Arrow(), out, r.valid), nil
}

func (c caster) fromFloats(values []float64, r results) (arrow.Array, error) {
	switch r.to.Kind {
	case sqltype.Boolean:
		out := newBitmap(len(values))
		for i, v := range values {
			if v != 0 {
				out.set(i)
			}
		}
		return newBoolean(out, len(values), r.valid), nil
	case sqltype.Real:
		return newFixed(r.to.Arrow(), widen[float64, float32](values), r.valid), nil
	case sqltype.Double:
		return newFixed(r.to.Arrow(), values, r.valid), nil
	case sqltype.Decimal:
		out := make([]decimal128.Num, len(values))
		for i, v := range values {
			var ok bool
			if out[i], ok = sqltype.DecimalOfDouble(v, r.to.Precision, r.to.Scale); !ok {
				if err := r.bad(i); err != nil {
					return nil, err
				}
			}
		}
		return newFixed(r.to.Arrow(), out, r.valid), nil
	}
	out := make([]int64, len(values))
	for i, v := range values {
		var ok bool
		if out[i], ok = roundDouble(v); !ok {
			if err := r.bad(i); err != nil {
				return nil, err
			}
		}
	}
	return c.fromInts(out, r)
}

// roundDouble rounds half away from zero, as Trino's casts to integers do; ok is false beyond 64 bits.
func roundDouble(v float64) (n int64, ok bool) {
	v = math.Round(v)
	if !(v >= math.MinInt64 && v < -math.MinInt64) {
		return 0, false
	}
	return int64(v), true
}

func (c caster) fromDecimals(values []decimal128.Num, r results) (arrow.Array, error) {
	switch r.to.Kind {
	case sqltype.Boolean:
		out := newBitmap(len(values))
		for i, v := range values {
			if v.Sign() != 0 {
				out.set(i)
			}
		}
		return newBoolean(out, len(values), r.valid), nil
	case sqltype.Real, sqltype.Double:
		out := make([]float64, len(values))
		for i, v := range values {
			out[i] = decimalToDouble(v, r.from.Scale)
		}
		return c.fromFloats(out, r)
	case sqltype.Decimal:
		out := make([]decimal128.Num, len(values))
		for i, v := range values {
			var ok bool
			if out[i], ok = sqltype.Rescale(v, r.from.Scale, r.to.Precision, r.to.Scale); !ok {
				if err := r.bad(i); err != nil {
					return nil, err
				}
			}
		}
		return newFixed(r.to.Arrow(), out, r.valid), nil
	}
	out := make([]int64, len(values))
	for i, v := range values {
		whole, _ := sqltype.Rescale(v, r.from.Scale, 38, 0) // dropping digits cannot overflow
		var ok bool
		if out[i], ok = sqltype.Int64(whole); !ok {
			if err := r.bad(i); err != nil {
				return nil, err
			}
		}
	}
	return c.fromInts(out, r)
}
