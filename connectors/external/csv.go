package external

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/trailql/trailql/engine/sqltype"
)

// fillCSV reads rows as RFC 4180 and Hive's OpenCSVSerde have them: fields may stand in quotes, which are doubled or escaped inside.
// Beyond that SerDe, a field in quotes may hold line ends, a lone escape character is kept, and the empty text is NULL in columns that are
// not text. Empty lines are left out, fields beyond the columns too; what is missing is NULL.
func (t *textRows) fillCSV() error {
	for !t.full() {
		line, err := t.line()
		if err != nil {
			return err
		}
		if len(line) == 0 {
			continue
		}
		start := t.number
		t.fields.reset()
		open := t.splitCSV(line, false)
		for open {
			if len(t.fields.buf) > maxRecord {
				return t.tooLong()
			}
			if line, err = t.line(); errors.Is(err, io.EOF) {
				return fmt.Errorf("line %d: a quote is never closed", start)
			} else if err != nil {
				return err
			}
			t.fields.buf = append(t.fields.buf, '\n')
			open = t.splitCSV(line, true)
		}
		t.row(start)
		for i, c := range t.byField {
			if c == nil || i >= len(t.fields.ends) {
				continue
			}
			value := t.fields.at(i)
			switch {
			case len(value) == 0 && (c.to.Kind != sqltype.Varchar):
			case c.to.Kind == sqltype.Date || c.to.Kind == sqltype.Timestamp:
				t.setText(c, counted(c.to.Kind, value))
			default:
				t.setText(c, value)
			}
		}
	}
	return nil
}

// splitCSV adds the fields of a line; inside: it begins in quotes. It reports whether it ends in quotes.
func (t *textRows) splitCSV(line []byte, inside bool) (open bool) {
	f, format := &t.fields, &t.format
	quoted := inside
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case inside && c == format.Escape && format.Escape != format.Quote && i+1 < len(line) && (line[i+1] == format.Quote || line[i+1] == format.Escape):
			i++
			f.buf = append(f.buf, line[i])
		case inside && c == format.Quote && i+1 < len(line) && line[i+1] == format.Quote:
			i++
			f.buf = append(f.buf, c)
		case inside && c == format.Quote:
			inside = false
		case inside:
			f.buf = append(f.buf, c)
		case c == format.Delimiter:
			f.end(quoted)
			quoted = false
		case c == format.Quote && !quoted && t.fieldLength() == 0:
			inside, quoted = true, true
		default:
			f.buf = append(f.buf, c)
		}
	}
	if !inside {
		f.end(quoted)
	}
	return inside
}

// fieldLength is that of the field that is being read.
func (t *textRows) fieldLength() int {
	if n := len(t.fields.ends); n > 0 {
		return len(t.fields.buf) - t.fields.ends[n-1]
	}
	return len(t.fields.buf)
}

// counted turns a number into the date or time that it stands for in OpenCSVSerde: days and milliseconds since 1970.
func counted(kind sqltype.Kind, value []byte) []byte {
	n, err := strconv.ParseInt(string(value), 10, 64)
	const most = 1 << 52
	switch {
	case err != nil || n > most || n < -most:
		return value
	case kind == sqltype.Date:
		if n > 1<<31-1 || n < -1<<31 {
			return value
		}
		return sqltype.AppendDate(nil, int(n))
	}
	return sqltype.AppendTimestamp(nil, n*1000, 3)
}

// fillText reads rows as Hive's LazySimpleSerDe has them. Every line is one.
func (t *textRows) fillText() error {
	for !t.full() {
		line, err := t.line()
		if err != nil {
			return err
		}
		t.row(t.number)
		rest, more := line, true
		for i := 0; more && i < len(t.byField); i++ {
			var field []byte
			field, rest, more = cut(rest, t.format.Delimiter, t.format.Escape)
			c := t.byField[i]
			if c == nil || string(field) == t.format.Null {
				continue
			}
			if c.from.Kind == sqltype.JSON {
				t.set(c, t.nested(nil, field, c.to, 0))
				continue
			}
			t.setText(c, unescaped(field, t.format.Escape))
		}
	}
	return nil
}

// cut splits text at the first delimiter that is not escaped.
func cut(text []byte, delimiter, escape byte) (field, rest []byte, more bool) {
	for i := 0; i < len(text); i++ {
		switch {
		case escape != 0 && text[i] == escape:
			i++
		case text[i] == delimiter:
			return text[:i], text[i+1:], true
		}
	}
	return text, nil, false
}

func unescaped(text []byte, escape byte) []byte {
	if escape == 0 {
		return text
	}
	var out []byte
	for i := 0; i < len(text); i++ {
		if text[i] == escape && i+1 < len(text) {
			i++
		}
		out = append(out, text[i])
	}
	return out
}

// nested writes an array, map or row of Hive's text as JSON, from which it is cast. Each level down has a delimiter of its own: the one for
// items, the one for keys, then the control characters that Hive has.
func (t *textRows) nested(out, text []byte, to sqltype.Type, level int) []byte {
	delimiter := func(level int) byte {
		switch level {
		case 0:
			return t.format.Items
		case 1:
			return t.format.Keys
		}
		return byte(level + 2)
	}
	if string(text) == t.format.Null {
		return append(out, "null"...)
	}
	each := func(most int, do func(i int, part []byte)) {
		rest, more := text, len(text) > 0
		for i := 0; more && i < most; i++ {
			var part []byte
			part, rest, more = cut(rest, delimiter(level), t.format.Escape)
			if i > 0 {
				out = append(out, ',')
			}
			do(i, part)
		}
	}
	switch to.Kind {
	case sqltype.Array:
		out = append(out, '[')
		each(math.MaxInt, func(_ int, part []byte) { out = t.nested(out, part, *to.Elem, level+1) })
		return append(out, ']')
	case sqltype.Map:
		out = append(out, '{')
		each(math.MaxInt, func(_ int, part []byte) {
			key, value, has := cut(part, delimiter(level+1), t.format.Escape)
			out = append(sqltype.AppendJSONString(out, string(valid(unescaped(key, t.format.Escape)))), ':')
			if !has {
				out = append(out, "null"...)
				return
			}
			out = t.nested(out, value, *to.Elem, level+2)
		})
		return append(out, '}')
	case sqltype.Row:
		out = append(out, '[')
		n := 0
		each(len(to.Fields), func(i int, part []byte) {
			n++
			out = t.nested(out, part, to.Fields[i].Type, level+1)
		})
		for ; n < len(to.Fields); n++ {
			if n > 0 {
				out = append(out, ',')
			}
			out = append(out, "null"...)
		}
		return append(out, ']')
	}
	return sqltype.AppendJSONString(out, string(valid(unescaped(text, t.format.Escape))))
}
