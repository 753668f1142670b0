package exec

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"

	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// distinct numbers the distinct values of one column densely, in order of appearance, by grouping equality: NULL is a value like
// any other, NaN equals NaN, times with zone are compared by instant. Dictionary-coded and plain columns may alternate.
type distinct struct {
	count int
	null  uint32 // the number of NULL, none before it appeared
	// Values are known by a word, or by a text where they do not fit in one; the table in use depends on the column's Arrow type.
	words wordTable
	texts textTable
	// Where a value is a text its table has it; other values are kept.
	text   arrow.DataType // nil: the values are no texts, as far as is known
	firsts []arrow.Array  // value i is row i of their concatenation
	size   int64          // bytes of firsts
	own    columnCache
}

// columnCache is what one caller of a distinct keeps between batches.
type columnCache struct {
	dictionary arrow.ArrayData // the one last seen
	codes      []uint32        // numbers of its entries, each looked up once; none: not yet, or not found
	words      []uint64        // scratch
	fresh      []int32         // scratch
}

// of returns the numbers of d's entries that are known so far.
func (c *columnCache) of(d *array.Dictionary) []uint32 {
	if data := d.Data().Dictionary(); c.dictionary != data {
		c.dictionary = data
		c.codes = slices.Grow(c.codes[:0], data.Len())[:data.Len()]
		for i := range c.codes {
			c.codes[i] = none
		}
	}
	return c.codes
}

func newDistinct() *distinct {
	return &distinct{null: none, words: newWordTable(), texts: newTextTable()}
}

// intern puts the number of each row's value into out; new values get the next numbers.
func (d *distinct) intern(a arrow.Array, out []uint32) { d.number(a, out, &d.own, true) }

// find puts the number of each row's value into out, none for values that were never interned. It changes nothing but cache: any
// number of goroutines may call it, each with a cache of its own.
func (d *distinct) find(a arrow.Array, out []uint32, cache *columnCache) {
	d.number(a, out, cache, false)
}

func (d *distinct) number(a arrow.Array, out []uint32, cache *columnCache, insert bool) {
	switch a := a.(type) {
	case *array.Dictionary:
		d.numberEntries(a, out, cache, insert)
	case *array.String:
		d.numberTexts(a, a.ValueOffsets(), a.ValueBytes(), out, insert)
	case *array.Binary:
		d.numberTexts(a, a.ValueOffsets(), a.ValueBytes(), out, insert)
	case *array.Null:
		if insert && d.null == none && len(out) > 0 {
			d.addNull()
			d.keep(vec.Take(a, []int32{0}))
		}
		for i := range out {
			out[i] = d.null
		}
	default:
		if words, ok := appendWords(cache.words[:0], a); ok {
			cache.words = words
			d.numberWords(a, words, out, cache, insert)
		} else {
			d.numberEncoded(a, out, cache, insert)
		}
	}
}

// addNull gives NULL the next number.
func (d *distinct) addNull() {
	d.null = uint32(d.count)
	d.words.skip() // both tables, as each numbers values like d does
	d.texts.skip()
	d.count++
}

// keep takes over the first appearances of new values, in the order of their numbers.
func (d *distinct) keep(firsts arrow.Array) {
	d.firsts = append(d.firsts, firsts)
	d.size += vec.Size(firsts)
}

func (d *distinct) numberEntries(a *array.Dictionary, out []uint32, cache *columnCache, insert bool) {
	codes := cache.of(a)
	entries := a.Dictionary()
	text, ok := entries.(*array.String)
	if !ok {
		panic("exec: a dictionary of other than text")
	}
	indices := a.Indices().(*array.Int32).Int32Values()
	nulls := nullsOf(a)
	if insert {
		d.text = arrow.BinaryTypes.String
	}
	for i, entry := range indices {
		if nulls.at(i) {
			if d.null == none && insert {
				d.addNull()
			}
			out[i] = d.null
			continue
		}
		code := codes[entry]
		if code == none {
			code = d.numberText(text.Value(int(entry)), insert)
			codes[entry] = code
		}
		out[i] = code
	}
}

func (d *distinct) numberText(s string, insert bool) uint32 {
	h := d.texts.hash(s)
	code := d.texts.find(s, h)
	if code == none && insert {
		code = d.texts.insert(s, h)
		d.count++
	}
	return code
}

func (d *distinct) numberTexts(a arrow.Array, offsets []int32, data []byte, out []uint32, insert bool) {
	nulls := nullsOf(a)
	if insert {
		d.text = a.DataType()
	}
	for i := range out {
		if nulls.at(i) {
			if d.null == none && insert {
				d.addNull()
			}
			out[i] = d.null
			continue
		}
		out[i] = d.numberText(view(data, offsets, i), insert)
	}
}

// view returns the i-th text without copying it; data begins at offsets[0].
func view(data []byte, offsets []int32, i int) string {
	from, to := offsets[i]-offsets[0], offsets[i+1]-offsets[0]
	if from == to {
		return ""
	}
	return unsafe.String(&data[from], int(to-from))
}

func (d *distinct) numberWords(a arrow.Array, words []uint64, out []uint32, cache *columnCache, insert bool) {
	nulls := nullsOf(a)
	fresh := cache.fresh[:0]
	for i, w := range words {
		if nulls.at(i) {
			if d.null == none && insert {
				d.addNull()
				fresh = append(fresh, int32(i))
			}
			out[i] = d.null
			continue
		}
		if i > 0 && w == words[i-1] && !nulls.at(i-1) { // values come in runs where a column is the same in a whole file, or sorted
			out[i] = out[i-1]
			continue
		}
		code := d.words.find(w)
		if code == none && insert {
			code = d.words.insert(w)
			d.count++
			fresh = append(fresh, int32(i))
		}
		out[i] = code
	}
	cache.fresh = fresh
	if len(fresh) > 0 {
		d.keep(vec.Take(a, fresh))
	}
}

// numberEncoded serves decimals, times with zone and nested values: they are compared as the bytes of appendKey.
func (d *distinct) numberEncoded(a arrow.Array, out []uint32, cache *columnCache, insert bool) {
	fresh := cache.fresh[:0]
	var key []byte
	for i := range out {
		if a.IsNull(i) {
			if d.null == none && insert {
				d.addNull()
				fresh = append(fresh, int32(i))
			}
			out[i] = d.null
			continue
		}
		key = appendKey(key[:0], a, i)
		known := d.count
		out[i] = d.numberText(unsafe.String(unsafe.SliceData(key), len(key)), insert)
		if d.count > known {
			fresh = append(fresh, int32(i))
		}
	}
	cache.fresh = fresh
	if len(fresh) > 0 {
		d.keep(vec.Take(a, fresh))
	}
}

// values returns the distinct values, value i in row i.
func (d *distinct) values() (arrow.Array, error) {
	if d.text != nil {
		return d.texts.array(d.text, d.null)
	}
	if len(d.firsts) > 1 {
		all, err := vec.Concat(d.firsts)
		if err != nil {
			return nil, err
		}
		d.firsts = []arrow.Array{all}
	}
	return d.firsts[0], nil
}

func (d *distinct) bytes() int64 {
	return d.size + d.words.bytes() + d.texts.size() + 4*int64(cap(d.own.codes))
}

// nulls is the validity bitmap of an array.
type nulls struct {
	bits   []byte // nil: no NULL
	offset int
}

func nullsOf(a arrow.Array) nulls {
	if a.NullN() == 0 {
		return nulls{}
	}
	return nulls{bits: a.NullBitmapBytes(), offset: a.Data().Offset()}
}

func (n nulls) at(i int) bool { return n.bits != nil && !bitutil.BitIsSet(n.bits, n.offset+i) }

// appendWords appends the values of a to words if each fits in one; false otherwise. Equal values have equal words.
func appendWords(words []uint64, a arrow.Array) ([]uint64, bool) {
	switch a := a.(type) {
	case *array.Boolean:
		for i := range a.Len() {
			w := uint64(0)
			if a.Value(i) {
				w = 1
			}
			words = append(words, w)
		}
	case *array.Int8:
		words = appendIntegers(words, a.Int8Values())
	case *array.Int16:
		words = appendIntegers(words, a.Int16Values())
	case *array.Int32:
		words = appendIntegers(words, a.Int32Values())
	case *array.Int64:
		words = appendIntegers(words, a.Int64Values())
	case *array.Date32:
		words = appendIntegers(words, a.Date32Values())
	case *array.Time64:
		words = appendIntegers(words, a.Time64Values())
	case *array.Timestamp:
		words = appendIntegers(words, a.TimestampValues())
	case *array.Float32:
		for _, v := range a.Float32Values() {
			words = append(words, floatWord(float64(v)))
		}
	case *array.Float64:
		for _, v := range a.Float64Values() {
			words = append(words, floatWord(v))
		}
	default:
		return nil, false
	}
	return words, true
}

func appendIntegers[T ~int8 | ~int16 | ~int32 | ~int64](words []uint64, values []T) []uint64 {
	for _, v := range values {
		words = append(words, uint64(v))
	}
	return words
}

// floatWord has one word for all NaN, and one for both zeros.
func floatWord(v float64) uint64 {
	if v != v {
		return math.MaxUint64
	}
	return math.Float64bits(v + 0) // -0 + 0 is 0
}

// appendKey appends bytes that are equal for two values of a type if and only if grouping holds the values equal. Each value's
// bytes tell their own length, so sequences of them are unambiguous.
func appendKey(key []byte, a arrow.Array, row int) []byte {
	if a.IsNull(row) {
		return append(key, 0)
	}
	key = append(key, 1)
	switch a := a.(type) {
	case *array.Null:
		key[len(key)-1] = 0
		return key
	case *array.Boolean:
		if a.Value(row) {
			return append(key, 1)
		}
		return append(key, 0)
	case *array.String:
		s := a.Value(row)
		key = binary.AppendUvarint(key, uint64(len(s)))
		return append(key, s...)
	case *array.Binary:
		s := a.Value(row)
		key = binary.AppendUvarint(key, uint64(len(s)))
		return append(key, s...)
	case *array.Int8:
		return binary.LittleEndian.AppendUint64(key, uint64(a.Value(row)))
	case *array.Int16:
		return binary.LittleEndian.AppendUint64(key, uint64(a.Value(row)))
	case *array.Int32:
		return binary.LittleEndian.AppendUint64(key, uint64(a.Value(row)))
	case *array.Int64:
		return binary.LittleEndian.AppendUint64(key, uint64(a.Value(row)))
	case *array.Date32:
		return binary.LittleEndian.AppendUint64(key, uint64(a.Value(row)))
	case *array.Time64:
		return binary.LittleEndian.AppendUint64(key, uint64(a.Value(row)))
	case *array.Timestamp:
		return binary.LittleEndian.AppendUint64(key, uint64(a.Value(row)))
	case *array.Float32:
		return binary.LittleEndian.AppendUint64(key, floatWord(float64(a.Value(row))))
	case *array.Float64:
		return binary.LittleEndian.AppendUint64(key, floatWord(a.Value(row)))
	case *array.Decimal128:
		v := a.Value(row)
		key = binary.LittleEndian.AppendUint64(key, v.LowBits())
		return binary.LittleEndian.AppendUint64(key, uint64(v.HighBits()))
	case *array.Struct:
		if arrow.TypeEqual(a.DataType(), sqltype.TimestampTZForm) {
			return appendKey(key, a.Field(0), row) // the instant; the zone is for printing
		}
		for i := range a.NumField() {
			key = appendKey(key, a.Field(i), row)
		}
		return key
	case *array.Map: // before List: a map is not in order
		from, to := a.ValueOffsets(row)
		pairs := make([][]byte, 0, to-from)
		for i := from; i < to; i++ {
			pairs = append(pairs, appendKey(appendKey(nil, a.Keys(), int(i)), a.Items(), int(i)))
		}
		slices.SortFunc(pairs, bytes.Compare)
		key = binary.AppendUvarint(key, uint64(len(pairs)))
		return append(key, bytes.Join(pairs, nil)...)
	case *array.List:
		from, to := a.ValueOffsets(row)
		key = binary.AppendUvarint(key, uint64(to-from))
		for i := from; i < to; i++ {
			key = appendKey(key, a.ListValues(), int(i))
		}
		return key
	}
	panic(fmt.Sprintf("exec: no key for %s", a.DataType()))
}
