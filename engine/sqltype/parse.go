package sqltype

import (
	"fmt"
	"strconv"
	"strings"
)

// maxNesting bounds the depth of a parsed type, so that hostile text cannot exhaust the stack.
const maxNesting = 64

// Parse reads a type as String prints it, also under its other names in Athena: int, string, binary, float,
// char for char(1), array<T>, map<K, V>, struct<name: T, …>. Words are read without regard to case; a field name may be
// in double quotes. A decimal without parameters is decimal(38,0), a time without precision has 3 and no time has
// more than 6.
func Parse(text string) (Type, error) {
	p := parser{text: text}
	t, err := p.parse(0)
	if err == nil && p.peek() != "" {
		err = fmt.Errorf("unexpected %q", p.peek())
	}
	if err != nil {
		return Type{}, fmt.Errorf("%q is not a type: %w", text, err)
	}
	return t, nil
}

type parser struct {
	text string
	at   int
}

// token returns the next word, number, quoted name or sign and where it ends; "" at the end.
func (p *parser) token() (word string, end int) {
	i := p.at
	for i < len(p.text) && strings.IndexByte(" \t\r\n", p.text[i]) >= 0 {
		i++
	}
	if i == len(p.text) {
		return "", i
	}
	end = i
	if p.text[i] == '"' {
		for end++; end < len(p.text); end++ {
			if p.text[end] == '"' {
				if end++; end == len(p.text) || p.text[end] != '"' {
					break // two quotes stand for one
				}
			}
		}
		return p.text[i:end], end
	}
	for end < len(p.text) && isWordByte(p.text[end]) {
		end++
	}
	if end == i {
		end++
	}
	return p.text[i:end], end
}

func isWordByte(c byte) bool {
	return c == '_' || c == '$' || c == '@' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

func (p *parser) peek() string { word, _ := p.token(); return word }

func (p *parser) next() string {
	word, end := p.token()
	p.at = end
	return word
}

// take consumes the words if they all come next.
func (p *parser) take(words ...string) bool {
	start := p.at
	for _, w := range words {
		if !strings.EqualFold(p.next(), w) {
			p.at = start
			return false
		}
	}
	return true
}

func (p *parser) expect(signs ...string) error {
	for _, s := range signs {
		if p.take(s) {
			return nil
		}
	}
	if p.peek() == "" {
		return fmt.Errorf("it ends where %q is expected", signs[0])
	}
	return fmt.Errorf("%q stands where %q is expected", p.peek(), signs[0])
}

// number reads an optional parameter "(n)"; ok is false if there is none.
func (p *parser) number(low, high int) (n int, ok bool, err error) {
	if !p.take("(") {
		return 0, false, nil
	}
	word := p.next()
	n, err = strconv.Atoi(word)
	if err != nil || n < low || n > high {
		return 0, false, fmt.Errorf("%q is not a number from %d to %d", word, low, high)
	}
	return n, true, p.expect(")")
}

var plainTypes = map[string]Type{
	"unknown": UnknownType, "boolean": BooleanType,
	"tinyint": TinyIntType, "smallint": SmallIntType, "integer": IntegerType, "int": IntegerType, "bigint": BigIntType,
	"real": RealType, "float": RealType, "double": DoubleType,
	"string": VarcharType, "varbinary": VarbinaryType, "binary": VarbinaryType,
	"date": DateType, "json": JSONType, "ipaddress": IPAddressType, "ipprefix": IPPrefixType, "uuid": UUIDType,
}

func (p *parser) parse(depth int) (Type, error) {
	if depth > maxNesting {
		return Type{}, fmt.Errorf("it is nested deeper than %d", maxNesting)
	}
	word := strings.ToLower(p.next())
	if t, ok := plainTypes[word]; ok {
		if word == "double" {
			p.take("precision")
		}
		return t, nil
	}
	switch word {
	case "":
		return Type{}, fmt.Errorf("it ends where a type is expected")
	case "varchar":
		n, _, err := p.number(1, 1<<31-1)
		return Type{Kind: Varchar, Length: n}, err
	case "char":
		n, _, err := p.number(1, MaxChar)
		return CharOf(max(n, 1)), err
	case "decimal", "numeric":
		return p.decimal()
	case "time", "timestamp":
		return p.time(word)
	case "interval":
		switch {
		case p.take("day", "to", "second"):
			return IntervalDayType, nil
		case p.take("year", "to", "month"):
			return IntervalYearType, nil
		}
		return Type{}, fmt.Errorf("an interval is day to second or year to month")
	case "array":
		if err := p.expect("(", "<"); err != nil {
			return Type{}, err
		}
		elem, err := p.parse(depth + 1)
		if err != nil {
			return Type{}, err
		}
		return ArrayOf(elem), p.expect(")", ">")
	case "map":
		if err := p.expect("(", "<"); err != nil {
			return Type{}, err
		}
		key, err := p.parse(depth + 1)
		if err != nil {
			return Type{}, err
		}
		if err := p.expect(","); err != nil {
			return Type{}, err
		}
		value, err := p.parse(depth + 1)
		if err != nil {
			return Type{}, err
		}
		return MapOf(key, value), p.expect(")", ">")
	case "row", "struct":
		return p.row(depth + 1)
	}
	return Type{}, fmt.Errorf("there is no type %q", word)
}

func (p *parser) decimal() (Type, error) {
	if !p.take("(") {
		return DecimalOf(maxDecimal, 0), nil
	}
	precision, err := strconv.Atoi(p.next())
	scale := 0
	if err == nil && p.take(",") {
		scale, err = strconv.Atoi(p.next())
	}
	if err != nil || precision < 1 || precision > maxDecimal || scale < 0 || scale > precision {
		return Type{}, fmt.Errorf("a decimal has 1 to %d digits, and no more of them after the point", maxDecimal)
	}
	return DecimalOf(precision, scale), p.expect(")")
}

func (p *parser) time(word string) (Type, error) {
	const finest = 6 // microseconds
	precision, ok, err := p.number(0, finest)
	if err != nil {
		return Type{}, fmt.Errorf("a time has 0 to %d digits after the second", finest)
	}
	if !ok {
		precision = 3
	}
	zoned := p.take("with", "time", "zone")
	if !zoned {
		p.take("without", "time", "zone")
	}
	switch {
	case word == "time" && zoned:
		return Type{Kind: TimeTZ, Precision: precision}, nil
	case word == "time":
		return Type{Kind: Time, Precision: precision}, nil
	case zoned:
		return Type{Kind: TimestampTZ, Precision: precision}, nil
	}
	return Type{Kind: Timestamp, Precision: precision}, nil
}

func (p *parser) row(depth int) (Type, error) {
	if err := p.expect("(", "<"); err != nil {
		return Type{}, err
	}
	var fields []Field
	for {
		f, err := p.field(depth)
		if err != nil {
			return Type{}, err
		}
		fields = append(fields, f)
		if !p.take(",") {
			return RowOf(fields...), p.expect(")", ">")
		}
	}
}

// field reads "type", "name type" or "name: type". A word that is both a type and a name ("date varchar") is a type
// only if the field ends after it.
func (p *parser) field(depth int) (Field, error) {
	start := p.at
	if t, err := p.parse(depth); err == nil {
		switch p.peek() {
		case ",", ")", ">":
			return Field{Type: t}, nil
		}
	}
	p.at = start
	name := p.next()
	if name == "" || name[0] != '"' && !isWordByte(name[0]) {
		return Field{}, fmt.Errorf("%q stands where a field is expected", name)
	}
	if name[0] == '"' {
		name = strings.ReplaceAll(strings.TrimSuffix(name[1:], `"`), `""`, `"`)
	}
	p.take(":")
	t, err := p.parse(depth)
	return Field{Name: name, Type: t}, err
}
