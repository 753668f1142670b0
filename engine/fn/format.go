package fn

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/trailql/trailql/engine/sqltype"
)

// format is the function of that name: the part of Java's format strings that queries use. A NULL value shows as
// null; a NULL format gives NULL.
func format(c *Call) (arrow.Array, error) {
	nulls, w := nullRows(c.Args[:1], c.Len), newTextWriter(c.Len)
	specsAt := compiled(c, 0, parseFormat)
	args := make([]formatArg, len(c.Args))
	for i := 1; i < len(c.Args); i++ {
		args[i] = readFormatArg(c, i)
	}
	for row := range c.Len {
		if nulls == nil || !nulls[row] {
			specs, err := specsAt(row)
			if err != nil {
				return nil, err
			}
			for _, spec := range specs {
				w.data = append(w.data, spec.literal...)
				if spec.verb == 0 {
					continue
				}
				if spec.arg >= len(args) {
					return nil, valueError("the format wants %d values, there are %d", spec.arg, len(args)-1)
				}
				if w.data, err = spec.append(w.data, c, &args[spec.arg], row); err != nil {
					return nil, err
				}
				if len(w.data) > maxText {
					return nil, tooMuchText()
				}
			}
		}
		if !w.end() {
			break
		}
	}
	return w.array(c.Result, nulls)
}

// formatSpec is some text and then a value; verb 0 has none.
type formatSpec struct {
	literal                                      string
	arg                                          int // from 1
	width, precision                             int // precision -1: none
	verb                                         byte
	left, zero, comma, plus, space, upper, paren bool
}

// maxWidth is the greatest width or precision of a value.
const maxWidth = 1000

func parseFormat(s string) ([]formatSpec, error) {
	var specs []formatSpec
	bad := func() error { return valueError("the format %s is wrong or not supported", shown(s)) }
	var literal strings.Builder
	next := 1
	for i := 0; i < len(s); {
		if s[i] != '%' {
			literal.WriteByte(s[i])
			i++
			continue
		}
		i++
		spec := formatSpec{precision: -1}
		number := func() (int, bool) {
			start := i
			for i < len(s) && s[i] >= '0' && s[i] <= '9' {
				i++
			}
			n, err := strconv.Atoi(s[start:i])
			return n, err == nil && n <= maxWidth
		}
		if k := i + strings.IndexByte(s[i:], '$'); k > i && strings.Trim(s[i:k], "0123456789") == "" {
			n, ok := number()
			if !ok || n == 0 {
				return nil, bad()
			}
			spec.arg = n
			i++
		}
	flags:
		for ; i < len(s); i++ {
			switch s[i] {
			case '-':
				spec.left = true
			case '0':
				spec.zero = true
			case ',':
				spec.comma = true
			case '+':
				spec.plus = true
			case ' ':
				spec.space = true
			case '(':
				spec.paren = true
			default:
				break flags
			}
		}
		var ok bool
		if i < len(s) && s[i] >= '1' && s[i] <= '9' {
			if spec.width, ok = number(); !ok {
				return nil, bad()
			}
		}
		if i < len(s) && s[i] == '.' {
			i++
			if spec.precision, ok = number(); !ok {
				return nil, bad()
			}
		}
		if i >= len(s) || strings.IndexByte("sSdxXofeEgbcBn%", s[i]) < 0 {
			return nil, bad()
		}
		verb := s[i]
		i++
		switch verb {
		case '%':
			literal.WriteByte('%')
			continue
		case 'n':
			literal.WriteByte('\n')
			continue
		case 'S', 'X', 'E', 'B':
			spec.upper = true
			verb += 'a' - 'A'
		}
		spec.verb, spec.literal = verb, literal.String()
		literal.Reset()
		if spec.arg == 0 {
			spec.arg = next
			next++
		}
		specs = append(specs, spec)
	}
	return append(specs, formatSpec{literal: literal.String()}), nil
}

// formatArg is an argument of format, in the form of its type.
type formatArg struct {
	t        sqltype.Type
	index    int
	integers column[int64]
	doubles  column[float64]
	decimals column[decimal128.Num]
}

func readFormatArg(c *Call, i int) formatArg {
	a := formatArg{t: c.Types[i], index: i}
	switch a.t.Kind {
	case sqltype.TinyInt:
		a.integers = widened(arg[int8](c, i))
	case sqltype.SmallInt:
		a.integers = widened(arg[int16](c, i))
	case sqltype.Integer:
		a.integers = widened(arg[int32](c, i))
	case sqltype.BigInt:
		a.integers = arg[int64](c, i)
	case sqltype.Real:
		col := arg[float32](c, i)
		a.doubles = column[float64]{make([]float64, len(col.values)), col.mask}
		for j, x := range col.values {
			a.doubles.values[j] = float64(x)
		}
	case sqltype.Double:
		a.doubles = arg[float64](c, i)
	case sqltype.Decimal:
		a.decimals = arg[decimal128.Num](c, i)
	}
	return a
}

func widened[T integer](c column[T]) column[int64] {
	wide := make([]int64, len(c.values))
	for i, x := range c.values {
		wide[i] = int64(x)
	}
	return column[int64]{wide, c.mask}
}

func (s *formatSpec) append(dst []byte, c *Call, a *formatArg, row int) ([]byte, error) {
	text, err := s.text(c, a, row)
	if err != nil {
		return nil, err
	}
	if s.upper {
		text = strings.ToUpper(text)
	}
	missing := s.width - utf8.RuneCountInString(text)
	if missing <= 0 {
		return append(dst, text...), nil
	}
	if s.left {
		return append(append(dst, text...), strings.Repeat(" ", missing)...), nil
	}
	if s.zero && text != "" && s.verb != 's' {
		sign := ""
		if strings.IndexByte("+- (", text[0]) >= 0 {
			sign, text = text[:1], text[1:]
		}
		return append(append(append(dst, sign...), strings.Repeat("0", missing)...), text...), nil
	}
	return append(append(dst, strings.Repeat(" ", missing)...), text...), nil
}

// text is the value before it is padded.
func (s *formatSpec) text(c *Call, a *formatArg, row int) (string, error) {
	wrong := func() error { return valueError("%%%c in a format does not take %s", s.verb, a.t) }
	isNull := c.isNull(a.index, row)
	if c.Args[a.index].Const {
		row = 0
	}
	if s.verb == 'b' {
		if a.t.Kind == sqltype.Boolean && !isNull {
			return strconv.FormatBool(arg[bool](c, a.index).at(row)), nil
		}
		return strconv.FormatBool(!isNull), nil
	}
	if isNull {
		return "null", nil
	}
	var text string
	switch s.verb {
	case 's':
		text = string(sqltype.AppendText(nil, a.t, c.Args[a.index].Arr, row))
		if s.precision >= 0 {
			text = text[:runeOffset(text, int64(s.precision))]
		}
		return text, nil
	case 'c':
		switch {
		case a.integers.values != nil:
			return string(rune(a.integers.at(row))), nil
		case a.t.Kind == sqltype.Varchar && utf8.RuneCountInString(arg[string](c, a.index).at(row)) == 1:
			return arg[string](c, a.index).at(row), nil
		}
		return "", wrong()
	case 'd', 'x', 'o':
		if a.integers.values == nil {
			return "", wrong()
		}
		n := a.integers.at(row)
		switch s.verb {
		case 'x':
			return strconv.FormatUint(unsigned(n, a.t), 16), nil
		case 'o':
			return strconv.FormatUint(unsigned(n, a.t), 8), nil
		}
		text = strconv.FormatInt(n, 10)
	default: // f, e, g
		var x float64
		switch {
		case a.doubles.values != nil:
			x = a.doubles.at(row)
		case a.decimals.values != nil:
			x = a.decimals.at(row).ToFloat64(int32(a.t.Scale))
		default:
			return "", wrong()
		}
		precision := s.precision
		if precision < 0 {
			precision = 6
		}
		switch {
		case math.IsNaN(x):
			return "NaN", nil
		case math.IsInf(x, 1):
			text = "Infinity"
		case math.IsInf(x, -1):
			text = "-Infinity"
		case a.decimals.values != nil && s.verb == 'f':
			text = decimalText(a.decimals.at(row), a.t.Scale, precision)
		default:
			text = strconv.FormatFloat(x, s.verb, precision, 64)
		}
	}
	return s.signed(text), nil
}

// unsigned is n as its type's bits.
func unsigned(n int64, t sqltype.Type) uint64 {
	switch t.Kind {
	case sqltype.TinyInt:
		return uint64(uint8(n))
	case sqltype.SmallInt:
		return uint64(uint16(n))
	case sqltype.Integer:
		return uint64(uint32(n))
	}
	return uint64(n)
}

// decimalText is a decimal with so many digits after the point, rounded half away from zero.
func decimalText(x decimal128.Num, scale, precision int) string {
	switch {
	case precision == scale:
		return x.ToString(int32(scale))
	case scale == 0:
		return x.ToString(0) + "." + strings.Repeat("0", precision)
	case precision > scale:
		return x.ToString(int32(scale)) + strings.Repeat("0", precision-scale)
	}
	return decimal128.FromBigInt(roundDecimal(x, scale-precision, roundHalf)).ToString(int32(precision))
}

// signed puts in commas and the sign that the flags ask for.
func (s *formatSpec) signed(text string) string {
	negative := strings.HasPrefix(text, "-")
	digits := strings.TrimPrefix(text, "-")
	if s.comma {
		whole, rest := digits, ""
		if k := strings.IndexAny(digits, ".e"); k >= 0 {
			whole, rest = digits[:k], digits[k:]
		}
		for k := len(whole) - 3; k > 0 && whole[0] >= '0' && whole[0] <= '9'; k -= 3 {
			whole = whole[:k] + "," + whole[k:]
		}
		digits = whole + rest
	}
	switch {
	case negative && s.paren:
		return "(" + digits + ")"
	case negative:
		return "-" + digits
	case s.plus:
		return "+" + digits
	case s.space:
		return " " + digits
	}
	return digits
}
