package vec

import (
	"bytes"
	"cmp"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
)

// Comparison is a comparison sign.
type Comparison = uint8

const (
	Eq Comparison = iota
	Ne
	Lt
	Le
	Gt
	Ge
	Distinct    // never NULL
	NotDistinct // never NULL
)

// Compare compares n rows of two operands of type t; NULL on either side gives NULL, but see Distinct. Nothing but
// Distinct takes NaN as equal to NaN, and no order holds with it. Arrays, maps and rows with a NULL inside compare as NULL where that
// NULL matters; to order them is an error of kind Value.
func Compare(op Comparison, t sqltype.Type, a, b Datum, n int) (arrow.Array, error) {
	if a.Const && b.Const && n != 1 {
		out, err := Compare(op, t, a, b, 1)
		if err != nil {
			return nil, err
		}
		return Column(Datum{out, true}, n), nil
	}
	if d, ok := a.Arr.(*array.Dictionary); ok && b.Const && worthLifting(d) {
		return compareEntries(op, t, d, b, n)
	}
	if d, ok := b.Arr.(*array.Dictionary); ok && a.Const && worthLifting(d) {
		return compareEntries(flip[op], t, d, a, n)
	}
	av, bv := validOf(a, n), validOf(b, n)
	if op == Distinct || op == NotDistinct {
		same, err := equality(t, a, b, n, true)
		if err != nil {
			return nil, err
		}
		for i := range same {
			x, y := av.orOnes(n)[i], bv.orOnes(n)[i]
			same[i] = same[i]&x&y | ^(x | y)
			if op == Distinct {
				same[i] = ^same[i]
			}
		}
		return newBoolean(same, n, nil), nil
	}
	valid := av.and(bv)
	if valid != nil && valid.count(n) == 0 {
		return newBoolean(newBitmap(n), n, valid), nil
	}
	switch t.Kind {
	case sqltype.Array, sqltype.Map, sqltype.Row:
		return compareNested(op, t, a, b, n, valid)
	}
	var bits bitmap
	var err error
	switch op {
	case Eq, Ne:
		if bits, err = equality(t, a, b, n, false); err == nil && op == Ne {
			for i := range bits {
				bits[i] = ^bits[i]
			}
		}
	case Lt, Le:
		bits = order(op == Le, a, b, n)
	default:
		bits = order(op == Ge, b, a, n)
	}
	if err != nil {
		return nil, err
	}
	return newBoolean(bits, n, valid), nil
}

// flip gives the sign for operands that change places.
var flip = [...]Comparison{Eq: Eq, Ne: Ne, Lt: Gt, Le: Ge, Gt: Lt, Ge: Le, Distinct: Distinct, NotDistinct: NotDistinct}

// validOf returns the validity of an operand over n rows, nil if it has no NULL.
func validOf(d Datum, n int) bitmap {
	v := validityOf(d.Arr)
	if v == nil || !d.Const {
		return v
	}
	return newBitmap(n)
}

// compareEntries compares each entry once and looks the outcome up by code.
func compareEntries(op Comparison, t sqltype.Type, d *array.Dictionary, constant Datum, n int) (arrow.Array, error) {
	entries := Entries(d)
	outcome, err := Compare(op, t, Datum{Arr: entries}, constant, entries.Len())
	if err != nil {
		return nil, err
	}
	out := TakeEntries(outcome, d, false)
	if NullCount(d) > 0 && (op == Distinct || op == NotDistinct) {
		isNull := !IsValid(constant.Arr, 0)
		return fillNulls(out.(*array.Boolean), isNull == (op == NotDistinct)), nil
	}
	return out, nil
}

func fillNulls(a *array.Boolean, with bool) *array.Boolean {
	valid := validityOf(a)
	values := newBitmap(a.Len())
	av := valuesOf(a)
	for i := range values {
		values[i] = av[i] & valid[i]
		if with {
			values[i] |= ^valid[i]
		}
	}
	return newBoolean(values, a.Len(), nil)
}

// equality returns the rows whose values are equal, whatever stands in NULL rows. With nan, NaN equals NaN.
func equality(t sqltype.Type, a, b Datum, n int, nan bool) (bitmap, error) {
	if a.Arr.DataType().ID() == arrow.NULL || b.Arr.DataType().ID() == arrow.NULL {
		return newBitmap(n), nil
	}
	switch a.Arr.DataType().ID() {
	case arrow.BOOL:
		return equalLoop(booleans(a), booleans(b), stride(a), stride(b), n), nil
	case arrow.INT8:
		return equalValues[int8](a, b, n), nil
	case arrow.INT16:
		return equalValues[int16](a, b, n), nil
	case arrow.INT32, arrow.DATE32:
		return equalValues[int32](a, b, n), nil
	case arrow.INT64, arrow.TIME64, arrow.TIMESTAMP:
		return equalValues[int64](a, b, n), nil
	case arrow.FLOAT32:
		if nan {
			return equalLoop(floatKeys(fixed[float32](a.Arr)), floatKeys(fixed[float32](b.Arr)), stride(a), stride(b), n), nil
		}
		return equalValues[float32](a, b, n), nil
	case arrow.FLOAT64:
		if nan {
			return equalLoop(floatKeys(fixed[float64](a.Arr)), floatKeys(fixed[float64](b.Arr)), stride(a), stride(b), n), nil
		}
		return equalValues[float64](a, b, n), nil
	case arrow.DECIMAL128:
		return equalValues[decimal128.Num](a, b, n), nil
	case arrow.STRING, arrow.BINARY, arrow.DICTIONARY:
		return equalTexts(a, b, n), nil
	case arrow.STRUCT:
		if isInstant(a.Arr.DataType()) {
			return equality(sqltype.TimestampType, Datum{instants(a.Arr), a.Const}, Datum{instants(b.Arr), b.Const}, n, nan)
		}
	}
	out := newBitmap(n)
	sa, sb := stride(a), stride(b)
	for i := range n {
		if EqualRows(a.Arr, i*sa, b.Arr, i*sb) {
			out.set(i)
		}
	}
	return out, nil
}

// stride is 0 for a constant, so that row i of it is i*stride.
func stride(d Datum) int {
	if d.Const {
		return 0
	}
	return 1
}

func equalValues[T interface {
	arrow.FixedWidthType
	comparable
}](a, b Datum, n int) bitmap {
	return equalLoop(fixed[T](a.Arr), fixed[T](b.Arr), stride(a), stride(b), n)
}

func equalLoop[T comparable](a, b []T, sa, sb, n int) bitmap {
	out := newBitmap(n)
	for i := range out {
		var w byte
		base := i * 8
		for j := range min(8, n-base) {
			var bit byte
			if a[(base+j)*sa] == b[(base+j)*sb] {
				bit = 1
			}
			w |= bit << j
		}
		out[i] = w
	}
	return out
}

func lessLoop[T cmp.Ordered](orEqual bool, a, b []T, sa, sb, n int) bitmap {
	out := newBitmap(n)
	for i := range out {
		var w byte
		base := i * 8
		if orEqual {
			for j := range min(8, n-base) {
				var bit byte
				if a[(base+j)*sa] <= b[(base+j)*sb] {
					bit = 1
				}
				w |= bit << j
			}
		} else {
			for j := range min(8, n-base) {
				var bit byte
				if a[(base+j)*sa] < b[(base+j)*sb] {
					bit = 1
				}
				w |= bit << j
			}
		}
		out[i] = w
	}
	return out
}

func floatKeys[T float32 | float64](values []T) []uint64 {
	out := make([]uint64, len(values))
	for i, v := range values {
		out[i] = floatKey(float64(v))
	}
	return out
}

// booleans returns the values as bytes, which order as booleans do.
func booleans(d Datum) []uint8 {
	out := make([]uint8, d.Arr.Len())
	for _, r := range valuesOf(d.Arr.(*array.Boolean)).rows(len(out)) {
		out[r] = 1
	}
	return out
}

func equalTexts(a, b Datum, n int) bitmap {
	out := newBitmap(n)
	if n == 0 {
		return out
	}
	at, bt, sa, sb := textsOf(a.Arr), textsOf(b.Arr), stride(a), stride(b)
	if at.codes != nil && bt.codes != nil { // neighbours often have the same pair of entries
		x, y, same := int32(-1), int32(-1), false
		for i := range n {
			if p, q := at.codes[i*sa], bt.codes[i*sb]; p != x || q != y {
				x, y, same = p, q, bytes.Equal(at.at(i*sa), bt.at(i*sb))
			}
			if same {
				out.set(i)
			}
		}
		return out
	}
	for i := range n {
		if bytes.Equal(at.at(i*sa), bt.at(i*sb)) {
			out.set(i)
		}
	}
	return out
}

// order returns the rows in which a < b, or a <= b, whatever stands in NULL rows.
func order(orEqual bool, a, b Datum, n int) bitmap {
	if a.Arr.DataType().ID() == arrow.NULL || b.Arr.DataType().ID() == arrow.NULL {
		return newBitmap(n)
	}
	switch t := a.Arr.DataType(); t.ID() {
	case arrow.BOOL:
		return lessLoop(orEqual, booleans(a), booleans(b), stride(a), stride(b), n)
	case arrow.INT8:
		return lessValues[int8](orEqual, a, b, n)
	case arrow.INT16:
		return lessValues[int16](orEqual, a, b, n)
	case arrow.INT32, arrow.DATE32:
		return lessValues[int32](orEqual, a, b, n)
	case arrow.INT64, arrow.TIME64, arrow.TIMESTAMP:
		return lessValues[int64](orEqual, a, b, n)
	case arrow.FLOAT32:
		return lessValues[float32](orEqual, a, b, n)
	case arrow.FLOAT64:
		return lessValues[float64](orEqual, a, b, n)
	case arrow.DECIMAL128, arrow.STRING, arrow.BINARY, arrow.DICTIONARY:
		limit := 0
		if orEqual {
			limit = 1
		}
		out, sa, sb := newBitmap(n), stride(a), stride(b)
		if t.ID() == arrow.DECIMAL128 {
			x, y := fixed[decimal128.Num](a.Arr), fixed[decimal128.Num](b.Arr)
			for i := range n {
				if x[i*sa].Cmp(y[i*sb]) < limit {
					out.set(i)
				}
			}
			return out
		}
		if n > 0 {
			x, y := textsOf(a.Arr), textsOf(b.Arr)
			for i := range n {
				if bytes.Compare(x.at(i*sa), y.at(i*sb)) < limit {
					out.set(i)
				}
			}
		}
		return out
	case arrow.STRUCT:
		if isInstant(t) {
			return order(orEqual, Datum{instants(a.Arr), a.Const}, Datum{instants(b.Arr), b.Const}, n)
		}
	}
	panic(fmt.Sprintf("vec: no order of %s", a.Arr.DataType()))
}

func lessValues[T interface {
	arrow.FixedWidthType
	cmp.Ordered
}](orEqual bool, a, b Datum, n int) bitmap {
	return lessLoop(orEqual, fixed[T](a.Arr), fixed[T](b.Arr), stride(a), stride(b), n)
}

// compareNested compares arrays, maps and rows in the rows of valid (nil: all).
func compareNested(op Comparison, t sqltype.Type, a, b Datum, n int, valid bitmap) (arrow.Array, error) {
	bits, known := newBitmap(n), valid.writable(n)
	sa, sb := stride(a), stride(b)
	for i := range n {
		if !known.has(i) {
			continue
		}
		if op == Eq || op == Ne {
			equal, null := equalNested(a.Arr, i*sa, b.Arr, i*sb)
			if null {
				known.clear(i)
			} else if equal == (op == Eq) {
				bits.set(i)
			}
			continue
		}
		if hasNull(a.Arr, i*sa) || hasNull(b.Arr, i*sb) {
			return nil, sqlerr.New(sqlerr.Value, 0, "cannot order values of %s that have a NULL inside", t)
		}
		c := compareValid(a.Arr, i*sa, b.Arr, i*sb)
		if op == Lt && c < 0 || op == Le && c <= 0 || op == Gt && c > 0 || op == Ge && c >= 0 {
			bits.set(i)
		}
	}
	return newBoolean(bits, n, known), nil
}

// equalNested compares two values in three-valued logic: parts that differ decide, else a NULL part makes it unknown.
func equalNested(a arrow.Array, i int, b arrow.Array, j int) (equal, null bool) {
	if !IsValid(a, i) || !IsValid(b, j) {
		return false, true
	}
	switch a := a.(type) {
	case *array.List:
		b := b.(*array.List)
		from, to := a.ValueOffsets(i)
		start, end := b.ValueOffsets(j)
		if to-from != end-start {
			return false, false
		}
		for k := range int(to - from) {
			e, u := equalNested(a.ListValues(), int(from)+k, b.ListValues(), int(start)+k)
			if !e && !u {
				return false, false
			}
			null = null || u
		}
		return !null, null
	case *array.Map:
		return equalMapsNested(a, i, b.(*array.Map), j)
	case *array.Struct:
		if isInstant(a.DataType()) {
			return EqualRows(a, i, b, j), false
		}
		for k := range a.NumField() {
			e, u := equalNested(a.Field(k), i, b.(*array.Struct).Field(k), j)
			if !e && !u {
				return false, false
			}
			null = null || u
		}
		return !null, null
	case *array.Float64:
		return a.Value(i) == b.(*array.Float64).Value(j), false
	case *array.Float32:
		return a.Value(i) == b.(*array.Float32).Value(j), false
	}
	return EqualRows(a, i, b, j), false
}

func equalMapsNested(a *array.Map, i int, b *array.Map, j int) (equal, null bool) {
	from, to := a.ValueOffsets(i)
	start, end := b.ValueOffsets(j)
	if to-from != end-start {
		return false, false
	}
	for k := from; k < to; k++ {
		found := false
		for l := start; l < end && !found; l++ {
			if found = EqualRows(a.Keys(), int(k), b.Keys(), int(l)); found {
				e, u := equalNested(a.Items(), int(k), b.Items(), int(l))
				if !e && !u {
					return false, false
				}
				null = null || u
			}
		}
		if !found {
			return false, false
		}
	}
	return !null, null
}

// hasNull reports whether there is a NULL inside a nested value.
func hasNull(a arrow.Array, row int) bool {
	if !IsValid(a, row) {
		return true
	}
	switch a := a.(type) {
	case *array.List:
		from, to := a.ValueOffsets(row)
		for i := from; i < to; i++ {
			if hasNull(a.ListValues(), int(i)) {
				return true
			}
		}
	case *array.Struct:
		for i := range a.NumField() {
			if hasNull(a.Field(i), row) {
				return true
			}
		}
	}
	return false
}
