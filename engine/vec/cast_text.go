package vec

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
)

func (c caster) fromText(a arrow.Array, from, to sqltype.Type) (arrow.Array, error) {
	r := c.results(a, from, to)
	switch to.Kind {
	case sqltype.Varchar:
		return cutText(a, to.Length), nil
	case sqltype.Char:
		return cutBlanks(cutText(a, to.Length)), nil
	case sqltype.Boolean:
		values, err := parseTexts(&r, parseBoolean)
		if err != nil {
			return nil, err
		}
		return c.fromBytes(values, r), nil
	case sqltype.TinyInt:
		return parseFixed(&r, parseInt[int8])
	case sqltype.SmallInt:
		return parseFixed(&r, parseInt[int16])
	case sqltype.Integer:
		return parseFixed(&r, parseInt[int32])
	case sqltype.BigInt:
		return parseFixed(&r, parseInt[int64])
	case sqltype.Real:
		return parseFixed(&r, parseReal)
	case sqltype.Double:
		return parseFixed(&r, parseDouble)
	case sqltype.Decimal:
		return parseFixed(&r, func(s string) (decimal128.Num, bool) {
			return sqltype.ParseDecimal(s, to.Precision, to.Scale)
		})
	case sqltype.Varbinary: // the bytes of the text
		d := a.Data()
		return array.MakeFromData(array.NewData(arrow.BinaryTypes.Binary, d.Len(), d.Buffers(), nil, d.NullN(), d.Offset())), nil
	case sqltype.IPAddress, sqltype.IPPrefix, sqltype.UUID:
		return textToNetwork(&r)
	case sqltype.Date:
		var stamps Stamps
		return parseFixed(&r, func(s string) (int32, bool) {
			if days, ok := stamps.Day(s); ok {
				return days, true
			}
			return sqltype.ParseDate(s)
		})
	case sqltype.Time:
		return parseFixed(&r, func(s string) (int64, bool) {
			micros, ok := sqltype.ParseTime(s)
			return roundTime(micros, to.Precision), ok
		})
	case sqltype.Timestamp:
		var stamps Stamps
		return parseFixed(&r, func(s string) (int64, bool) {
			if micros, ok := stamps.Second(s); ok { // there is nothing to round
				return micros, true
			}
			micros, ok := sqltype.ParseTimestamp(s)
			return sqltype.RoundMicros(micros, to.Precision), ok
		})
	}
	// with time zone
	var stamps Stamps
	keys := make([]int16, 0, a.Len())
	micros, err := parseTexts(&r, func(s string) (int64, bool) {
		if to.Kind == sqltype.TimeTZ {
			ofDay, key, ok := sqltype.ParseTimeTZ(s)
			keys = append(keys, key)
			return roundTime(ofDay, to.Precision), ok
		}
		if len(s) == 20 && s[19] == 'Z' {
			if micros, ok := stamps.Second(s[:19]); ok {
				keys = append(keys, sqltype.UTCKey)
				return micros, true
			}
		}
		instant, key, ok := sqltype.ParseTimestampTZ(s, c.zone)
		keys = append(keys, key)
		return sqltype.RoundMicros(instant, to.Precision), ok
	})
	if err != nil {
		return nil, err
	}
	return newInstants(micros, spread(keys, validityOf(a), a.Len()), r.valid), nil
}

// spread puts the values of the valid rows at their rows.
func spread(keys []int16, valid bitmap, n int) []int16 {
	if valid == nil {
		return keys
	}
	out := make([]int16, n)
	for k, row := range valid.rows(n) {
		out[row] = keys[k]
	}
	return out
}

// parseTexts runs parse on the text of each row that is not NULL.
func parseTexts[T any](r *results, parse func(s string) (T, bool)) ([]T, error) {
	out := make([]T, r.a.Len())
	if len(out) == 0 {
		return out, nil
	}
	texts := textsOf(r.a)
	for i := range out {
		if r.skip(i) {
			continue
		}
		v, ok := parse(texts.text(i))
		if !ok {
			if err := r.bad(i); err != nil {
				return nil, err
			}
			continue
		}
		out[i] = v
	}
	return out, nil
}

func parseFixed[T arrow.FixedWidthType](r *results, parse func(s string) (T, bool)) (arrow.Array, error) {
	values, err := parseTexts(r, parse)
	if err != nil {
		return nil, err
	}
	return newFixed(r.to.Arrow(), values, r.valid), nil
}

// fromBytes builds booleans of bytes that are 0 or 1.
func (c caster) fromBytes(values []uint8, r results) arrow.Array {
	out := newBitmap(len(values))
	for i, v := range values {
		out[i>>3] |= v << (i & 7)
	}
	return newBoolean(out, len(values), r.valid)
}

func parseBoolean(s string) (uint8, bool) {
	switch {
	case s == "1" || strings.EqualFold(s, "t") || strings.EqualFold(s, "true"):
		return 1, true
	case s == "0" || strings.EqualFold(s, "f") || strings.EqualFold(s, "false"):
		return 0, true
	}
	return 0, false
}

// parseInt reads an optional sign and decimal digits, without blanks.
func parseInt[T int8 | int16 | int32 | int64](s string) (T, bool) {
	v, err := strconv.ParseInt(s, 10, int(unsafe.Sizeof(T(0)))*8)
	return T(v), err == nil
}

// parseDouble reads what Java's Double.parseDouble reads, but neither hexadecimal nor type letters; blanks around it are ignored.
// Beyond the range it gives the infinities.
func parseDouble(s string) (float64, bool) { return parseFloat(s, 64) }

func parseReal(s string) (float32, bool) {
	v, ok := parseFloat(s, 32)
	return float32(v), ok
}

func parseFloat(s string, bits int) (float64, bool) {
	s = strings.TrimSpace(s)
	switch strings.TrimPrefix(strings.TrimPrefix(s, "+"), "-") {
	case "NaN":
		return math.NaN(), true
	case "Infinity":
		if s[0] == '-' {
			return math.Inf(-1), true
		}
		return math.Inf(1), true
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && c != '.' && c != 'e' && c != 'E' && c != '+' && c != '-' {
			return 0, false
		}
	}
	v, err := strconv.ParseFloat(s, bits)
	return v, err == nil || math.IsInf(v, 0)
}

// decimalToDouble returns the double nearest to v / 10^scale: the one that its text reads as.
func decimalToDouble(v decimal128.Num, scale int) float64 {
	var buffer [48]byte
	f, _ := strconv.ParseFloat(string(sqltype.AppendDecimal(buffer[:0], v, scale)), 64)
	return f
}

// cutText cuts text to so many characters.
func cutText(a arrow.Array, length int) arrow.Array {
	n := a.Len()
	offsets, texts, valid := make([]int32, n+1), textsOf(a), validityOf(a)
	var out []byte
	for i := range n {
		if valid == nil || valid.has(i) {
			out = append(out, cut(texts.at(i), length)...)
		}
		offsets[i+1] = int32(len(out))
	}
	return newText(arrow.BinaryTypes.String, offsets, out, valid)
}

// cutBlanks takes the blanks off the ends.
func cutBlanks(a arrow.Array) arrow.Array {
	n := a.Len()
	offsets, texts, valid := make([]int32, n+1), textsOf(a), validityOf(a)
	var out []byte
	for i := range n {
		out = append(out, bytes.TrimRight(texts.at(i), " ")...)
		offsets[i+1] = int32(len(out))
	}
	return newText(arrow.BinaryTypes.String, offsets, out, valid)
}

func cut(s []byte, length int) []byte {
	if len(s) <= length {
		return s
	}
	at := 0
	for range length {
		if at >= len(s) {
			return s
		}
		_, size := utf8.DecodeRune(s[at:])
		at += size
	}
	return s[:at]
}

// toText gives each value's text. It is sqltype.AppendText, but for doubles: CAST(1.5 AS varchar) is '1.5E0' in Trino,
// see "Conversion functions" in its manual.
func (c caster) toText(a arrow.Array, from, to sqltype.Type) (arrow.Array, error) {
	r := c.results(a, from, to)
	n := a.Len()
	offsets := make([]int32, n+1)
	var out []byte
	for i := range n {
		if !r.skip(i) {
			start := len(out)
			switch from.Kind {
			case sqltype.Double:
				out = sqltype.AppendDoubleCast(out, a.(*array.Float64).Value(i))
			case sqltype.Real:
				out = sqltype.AppendRealCast(out, a.(*array.Float32).Value(i))
			default:
				out = sqltype.AppendText(out, from, a, i)
			}
			if from.Kind == sqltype.Char && to.Length > 0 { // as text is cut, and not as a number is refused
				out = out[:start+len(cut(out[start:], to.Length))]
			}
			if to.Length > 0 && utf8.RuneCount(out[start:]) > to.Length {
				out = out[:start]
				if err := r.bad(i); err != nil {
					return nil, err
				}
			}
			if len(out) > math.MaxInt32 {
				return nil, tooMuchText()
			}
		}
		offsets[i+1] = int32(len(out))
	}
	return newText(arrow.BinaryTypes.String, offsets, out, r.valid), nil
}

func tooMuchText() error {
	return sqlerr.New(sqlerr.Resource, 0, "the text of one batch passes 2 GiB")
}
