package vec

import (
	"fmt"
	"math"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/cespare/xxhash/v2"
)

// Odd constants without pattern: the fractions of the golden ratio and of the square root of 3.
const (
	mixA     = 0x9e3779b97f4a7c15
	mixB     = 0xbb67ae8584caa73b
	nullHash = 0x6a09e667f3bcc909
)

// mix folds a value into a seed: the 128-bit product of the two, folded to 64 bits.
func mix(seed, v uint64) uint64 {
	high, low := bits.Mul64(v^mixA, seed^mixB)
	return high ^ low
}

// Hash mixes each row's hash into seed, one per row. Equal values hash equal: text whether plain or dictionary-coded,
// 0.0 and -0.0, any two NaN, timestamps with time zone by their instant, maps in any order; all NULLs hash alike.
func Hash(a arrow.Array, seed []uint64) {
	valid := validityOf(a)
	switch t := a.DataType(); t.ID() {
	case arrow.NULL:
		hashNulls(seed)
	case arrow.BOOL:
		values := valuesOf(a.(*array.Boolean))
		for i := range seed {
			v := uint64(0)
			if values.has(i) {
				v = 1
			}
			seed[i] = mix(seed[i], orNull(v, valid, i))
		}
	case arrow.INT8:
		hashFixed(fixed[int8](a), valid, seed)
	case arrow.INT16:
		hashFixed(fixed[int16](a), valid, seed)
	case arrow.INT32, arrow.DATE32:
		hashFixed(fixed[int32](a), valid, seed)
	case arrow.INT64, arrow.TIME64, arrow.TIMESTAMP:
		hashFixed(fixed[int64](a), valid, seed)
	case arrow.FLOAT32:
		for i, v := range fixed[float32](a) {
			seed[i] = mix(seed[i], orNull(floatKey(float64(v)), valid, i))
		}
	case arrow.FLOAT64:
		for i, v := range fixed[float64](a) {
			seed[i] = mix(seed[i], orNull(floatKey(v), valid, i))
		}
	case arrow.DECIMAL128:
		for i, v := range fixed[decimal128.Num](a) {
			seed[i] = mix(seed[i], orNull(mix(uint64(v.HighBits()), v.LowBits()), valid, i))
		}
	case arrow.STRING, arrow.BINARY:
		texts := textsOf(a)
		for i := range seed {
			v := uint64(nullHash)
			if valid == nil || valid.has(i) {
				v = xxhash.Sum64(texts.at(i))
			}
			seed[i] = mix(seed[i], v)
		}
	case arrow.DICTIONARY:
		hashDictionary(a.(*array.Dictionary), valid, seed)
	case arrow.LIST:
		offsets, elems := listOffsets(a)
		inner := hashElements(elems, offsets)
		for i := range seed {
			v := uint64(offsets[i+1] - offsets[i])
			for e := offsets[i]; e < offsets[i+1]; e++ {
				v = mix(v, inner[e-offsets[0]])
			}
			seed[i] = mix(seed[i], orNull(v, valid, i))
		}
	case arrow.MAP:
		offsets, entries := listOffsets(a)
		inner := hashElements(entries, offsets)
		for i := range seed {
			v := uint64(0)
			for e := offsets[i]; e < offsets[i+1]; e++ {
				v += inner[e-offsets[0]]
			}
			seed[i] = mix(seed[i], orNull(v, valid, i))
		}
	case arrow.STRUCT:
		if isInstant(t) {
			Hash(instants(a), seed)
			return
		}
		s := a.(*array.Struct)
		inner := make([]uint64, len(seed))
		for i := range s.NumField() {
			Hash(s.Field(i), inner)
		}
		for i := range seed {
			seed[i] = mix(seed[i], orNull(inner[i], valid, i))
		}
	default:
		panic(fmt.Sprintf("vec: no hash of %s", t))
	}
}

func orNull(v uint64, valid bitmap, i int) uint64 {
	if valid != nil && !valid.has(i) {
		return nullHash
	}
	return v
}

func hashNulls(seed []uint64) {
	for i := range seed {
		seed[i] = mix(seed[i], nullHash)
	}
}

func hashFixed[T int8 | int16 | int32 | int64](values []T, valid bitmap, seed []uint64) {
	if valid == nil {
		for i, v := range values {
			seed[i] = mix(seed[i], uint64(v))
		}
		return
	}
	for i, v := range values {
		seed[i] = mix(seed[i], orNull(uint64(v), valid, i))
	}
}

// hashDictionary hashes each entry once, or each row if there are fewer of them.
func hashDictionary(d *array.Dictionary, valid bitmap, seed []uint64) {
	if d.Len() == 0 {
		return
	}
	texts := textsOf(d)
	if entries := len(texts.offsets) - 1; entries <= len(seed) {
		hashes := make([]uint64, entries)
		plain := texts
		plain.codes = nil
		for i := range hashes {
			hashes[i] = xxhash.Sum64(plain.at(i))
		}
		for i, c := range texts.codes {
			v := uint64(nullHash)
			if valid == nil || valid.has(i) {
				v = hashes[c]
			}
			seed[i] = mix(seed[i], v)
		}
		return
	}
	for i := range seed {
		v := uint64(nullHash)
		if valid == nil || valid.has(i) {
			v = xxhash.Sum64(texts.at(i))
		}
		seed[i] = mix(seed[i], v)
	}
}

// hashElements hashes the elements between the first and the last offset.
func hashElements(elems arrow.Array, offsets []int32) []uint64 {
	from, to := int(offsets[0]), int(offsets[len(offsets)-1])
	inner := make([]uint64, to-from)
	if to > from {
		Hash(Slice(elems, from, to), inner)
	}
	return inner
}

// floatKey maps equal doubles, and all NaN, to one number.
func floatKey(v float64) uint64 {
	switch {
	case v == 0:
		return 0
	case v != v:
		return math.Float64bits(math.NaN())
	}
	return math.Float64bits(v)
}
