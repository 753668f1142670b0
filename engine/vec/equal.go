package vec

import (
	"bytes"
	"fmt"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// EqualRows reports whether two values of one SQL type are equal as grouping takes it: NULL equals NULL, NaN equals
// NaN, timestamps with time zone by their instant, maps in any order. For many rows use EqualAt.
func EqualRows(a arrow.Array, i int, b arrow.Array, j int) bool {
	aok, bok := IsValid(a, i), IsValid(b, j)
	if !aok || !bok {
		return aok == bok
	}
	switch a := a.(type) {
	case *array.Boolean:
		return a.Value(i) == b.(*array.Boolean).Value(j)
	case *array.Int8:
		return a.Value(i) == b.(*array.Int8).Value(j)
	case *array.Int16:
		return a.Value(i) == b.(*array.Int16).Value(j)
	case *array.Int32:
		return a.Value(i) == b.(*array.Int32).Value(j)
	case *array.Int64:
		return a.Value(i) == b.(*array.Int64).Value(j)
	case *array.Date32:
		return a.Value(i) == b.(*array.Date32).Value(j)
	case *array.Time64:
		return a.Value(i) == b.(*array.Time64).Value(j)
	case *array.Timestamp:
		return a.Value(i) == b.(*array.Timestamp).Value(j)
	case *array.Float32:
		return floatKey(float64(a.Value(i))) == floatKey(float64(b.(*array.Float32).Value(j)))
	case *array.Float64:
		return floatKey(a.Value(i)) == floatKey(b.(*array.Float64).Value(j))
	case *array.Decimal128:
		return a.Value(i) == b.(*array.Decimal128).Value(j)
	case *array.String, *array.Binary, *array.Dictionary:
		return bytes.Equal(textAt(a, i), textAt(b, j))
	case *array.Map:
		return equalMaps(a, i, b.(*array.Map), j)
	case *array.List:
		b := b.(*array.List)
		from, to := a.ValueOffsets(i)
		start, end := b.ValueOffsets(j)
		if to-from != end-start {
			return false
		}
		for k := range int(to - from) {
			if !EqualRows(a.ListValues(), int(from)+k, b.ListValues(), int(start)+k) {
				return false
			}
		}
		return true
	case *array.Struct:
		b := b.(*array.Struct)
		if isInstant(a.DataType()) {
			return EqualRows(a.Field(0), i, b.Field(0), j)
		}
		for k := range a.NumField() {
			if !EqualRows(a.Field(k), i, b.Field(k), j) {
				return false
			}
		}
		return true
	}
	panic(fmt.Sprintf("vec: no equality of %s", a.DataType()))
}

// textAt returns the bytes of one valid row of text, not to be written to.
func textAt(a arrow.Array, row int) []byte {
	switch a := a.(type) {
	case *array.Binary:
		return a.Value(row)
	case *array.Dictionary:
		entries, code := a.Data().Dictionary(), a.GetValueIndex(row)
		offsets := arrow.GetOffsets[int32](entries, 1)
		if offsets[code] == offsets[code+1] {
			return nil
		}
		return entries.Buffers()[2].Bytes()[offsets[code]:offsets[code+1]]
	}
	s := a.(*array.String).Value(row)
	return unsafe.Slice(unsafe.StringData(s), len(s))
}

// equalMaps compares maps without regard to order; their keys are distinct.
func equalMaps(a *array.Map, i int, b *array.Map, j int) bool {
	from, to := a.ValueOffsets(i)
	start, end := b.ValueOffsets(j)
	if to-from != end-start {
		return false
	}
	for k := from; k < to; k++ {
		found := false
		for l := start; l < end && !found; l++ {
			found = EqualRows(a.Keys(), int(k), b.Keys(), int(l)) && EqualRows(a.Items(), int(k), b.Items(), int(l))
		}
		if !found {
			return false
		}
	}
	return true
}

// EqualAt sets out[k] to false where row ai[k] of a and row bi[k] of b differ as EqualRows takes it.
func EqualAt(a arrow.Array, ai []int32, b arrow.Array, bi []int32, out []bool) {
	if len(out) == 0 {
		return
	}
	p := pairs{ai, bi, validityOf(a), validityOf(b), out}
	switch a.DataType().ID() {
	case arrow.INT8:
		equalFixed(fixed[int8](a), fixed[int8](b), p)
	case arrow.INT16:
		equalFixed(fixed[int16](a), fixed[int16](b), p)
	case arrow.INT32, arrow.DATE32:
		equalFixed(fixed[int32](a), fixed[int32](b), p)
	case arrow.INT64, arrow.TIME64, arrow.TIMESTAMP:
		equalFixed(fixed[int64](a), fixed[int64](b), p)
	case arrow.DECIMAL128:
		equalFixed(fixed[decimal128.Num](a), fixed[decimal128.Num](b), p)
	case arrow.STRING, arrow.BINARY, arrow.DICTIONARY:
		at, bt := textsOf(a), textsOf(b)
		same := at.codes != nil && bt.codes != nil && a.Data().Dictionary() == b.Data().Dictionary()
		for k := range out {
			if !out[k] || p.decided(k) {
				continue
			}
			i, j := int(ai[k]), int(bi[k])
			out[k] = same && at.codes[i] == bt.codes[j] || bytes.Equal(at.at(i), bt.at(j))
		}
	case arrow.STRUCT:
		if isInstant(a.DataType()) {
			EqualAt(instants(a), ai, instants(b), bi, out)
			return
		}
		fallthrough
	default:
		for k := range out {
			out[k] = out[k] && EqualRows(a, int(ai[k]), b, int(bi[k]))
		}
	}
}

// pairs are the rows that EqualAt compares.
type pairs struct {
	ai, bi   []int32
	aok, bok bitmap
	out      []bool
}

// decided reports whether a NULL decides the k-th pair, and lowers its outcome if only one side is NULL.
func (p *pairs) decided(k int) bool {
	if p.aok == nil && p.bok == nil {
		return false
	}
	a, b := p.aok == nil || p.aok.has(int(p.ai[k])), p.bok == nil || p.bok.has(int(p.bi[k]))
	if a != b {
		p.out[k] = false
	}
	return !a || !b
}

func equalFixed[T comparable](a, b []T, p pairs) {
	if p.aok == nil && p.bok == nil {
		for k := range p.out {
			p.out[k] = p.out[k] && a[p.ai[k]] == b[p.bi[k]]
		}
		return
	}
	for k := range p.out {
		if p.out[k] && !p.decided(k) {
			p.out[k] = a[p.ai[k]] == b[p.bi[k]]
		}
	}
}
