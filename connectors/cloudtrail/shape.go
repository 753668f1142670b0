package cloudtrail

import "encoding/base64"

// A shape is the text that tells how a record is put together from its columns and its rest; docs/format.md has the grammar.
const (
	shapeNull    = '0' // after a key: null
	shapeToken   = '#' // after the key of a text column: no string, but the JSON text itself
	shapeString  = '$' // after the key of a JSON column: a string
	shapeUnknown = 'x' // the next member of the rest

	shapeWhole = "="  // the rest is the record itself
	shapeBytes = "=b" // the rest is a JSON string: the base64 form of the record's bytes, which are not all UTF-8
)

var null = []byte("null")

// anyDepth is deeper than any record may be, whatever the limits when it was decoded.
const anyDepth = 1 << 30

// rebuilder puts records together again. Shapes and rests may be damaged: it then says so.
type rebuilder struct {
	r     *record
	shape []byte
	i     int
	rest  scanner // over a padded copy of the record's rest
	at    int     // in the rest; -1 if there is none
	out   []byte

	// Only to compare: what the text must be from here on. Nothing is appended to out then.
	comparing bool
	differs   bool
	left      []byte
}

// put adds a piece of the record's text.
func (b *rebuilder) put(piece []byte) {
	if !b.comparing {
		b.out = append(b.out, piece...)
		return
	}
	if n := len(piece); n <= len(b.left) && string(b.left[:n]) == string(piece) {
		b.left = b.left[n:]
		return
	}
	b.differs = true
}

// putByte is put for one byte.
func (b *rebuilder) putByte(c byte) {
	if !b.comparing {
		b.out = append(b.out, c)
		return
	}
	if len(b.left) > 0 && b.left[0] == c {
		b.left = b.left[1:]
		return
	}
	b.differs = true
}

// quoted adds text as a JSON string in canonical form.
func (b *rebuilder) quoted(text []byte) {
	if !b.comparing {
		b.out = appendQuoted(b.out, text)
		return
	}
	if simple(text) == len(text) {
		b.putByte('"')
		b.put(text)
		b.putByte('"')
		return
	}
	b.out = appendQuoted(b.out[:0], text)
	b.put(b.out)
}

// equals reports whether append would give text. It builds nothing, but goes the same way.
func (b *rebuilder) equals(text []byte, r *record) bool {
	b.comparing, b.differs, b.left = true, false, text
	_, ok := b.append(b.out[:0], r)
	ok = ok && !b.differs && len(b.left) == 0
	b.comparing, b.left = false, nil
	return ok
}

// append appends the record's canonical text to dst. It reports false if the columns do not fit together.
func (b *rebuilder) append(dst []byte, r *record) ([]byte, bool) {
	b.r, b.shape, b.i, b.at, b.out = r, r.shape, 0, -1, dst
	switch string(r.shape) {
	case shapeWhole:
		b.put(r.rest)
		return b.out, len(r.rest) > 0
	case shapeBytes:
		text, ok := b.appendBytes(nil, r.rest)
		b.put(text)
		return b.out, ok
	}
	if len(r.rest) > 0 {
		b.rest.b = append(append(b.rest.b[:0], r.rest...), make([]byte, pad)...)
		b.rest.depth = anyDepth
		b.at = 1
	}
	ok := b.object(r.table.top, r.texts) && b.i == len(b.shape)
	return b.out, ok
}

// appendBytes appends the record whose bytes the rest has in base64.
func (b *rebuilder) appendBytes(dst, rest []byte) ([]byte, bool) {
	if len(rest) < 2 {
		return dst, false
	}
	raw, err := base64.StdEncoding.DecodeString(string(rest[1 : len(rest)-1]))
	if err != nil {
		return dst, false
	}
	s := scanner{b: append(raw, make([]byte, pad)...), depth: anyDepth}
	if end := s.value(s.space(0), 0); end < 0 || s.space(end) != len(raw) {
		return dst, false
	}
	return appendCanonical(dst, raw), true
}

// next returns the byte of the shape at the cursor, 0 at the end.
func (b *rebuilder) next() byte {
	if b.i < len(b.shape) {
		return b.shape[b.i]
	}
	return 0
}

func (b *rebuilder) take(c byte) bool {
	if b.next() != c {
		return false
	}
	b.i++
	return true
}

// object appends an object up to the end of its shape.
func (b *rebuilder) object(o *object, texts [][]byte) bool {
	b.putByte('{')
	for first := true; ; first = false {
		id := b.next()
		switch id {
		case 0, ')', ']', ';':
			b.putByte('}')
			return true
		}
		if !first {
			b.putByte(',')
		}
		b.i++
		if id == shapeUnknown {
			if !b.unknown() {
				return false
			}
			continue
		}
		if id >= byte(len(o.byID)) || o.byID[id] == 0 {
			return false
		}
		f := o.fields[o.byID[id]-1]
		b.put(f.lead)
		if b.take(shapeNull) {
			b.put(null)
		} else if !b.member(f, texts) {
			return false
		}
	}
}

// member appends the value of a known key.
func (b *rebuilder) member(f *field, texts [][]byte) bool {
	switch f.form {
	case asText, asJSON:
		t := texts[f.slot]
		if t == nil {
			return false
		}
		quoted := f.form == asText
		if quoted && b.take(shapeToken) || !quoted && b.take(shapeString) {
			quoted = !quoted
		}
		if quoted {
			b.quoted(t)
		} else {
			b.put(t)
		}
		return true
	case asRow:
		if f.block > 0 && b.comparing {
			if k := b.r.blocks[f.block-1]; k != nil { // which gives its text, as was found when it was kept
				n := len(k.shape) - 1
				ok := n <= len(b.shape)-b.i && string(b.shape[b.i:b.i+n]) == string(k.shape[1:])
				b.i += n
				b.put(k.text)
				return ok
			}
		}
		if !b.take('(') {
			return false
		}
		opened, ok := b.open('{', false)
		return ok && b.object(f.sub, texts) && b.shut(opened, '}') && b.take(')')
	case asList:
		single := b.take('(')
		if !single && !b.take('[') {
			return false
		}
		opened, ok := b.open('[', false)
		if !ok {
			return false
		}
		if single {
			return b.element(f.sub, 0) && b.shut(opened, ']') && b.take(')')
		}
		return b.elements(f.sub) && b.shut(opened, ']') && b.take(']')
	case asMap:
		b.putByte('{')
		for i := 0; i+1 < len(b.r.mapping); i += 2 {
			if i > 0 {
				b.putByte(',')
			}
			b.quoted(b.r.mapping[i])
			b.putByte(':')
			b.quoted(b.r.mapping[i+1])
		}
		b.putByte('}')
		return true
	}
	return false
}

// elements appends the list: each element has the same shape, or each has one of its own.
func (b *rebuilder) elements(o *object) bool {
	b.putByte('[')
	start := b.i
	n := len(b.r.list) / len(o.fields)
	for k := range n {
		if k > 0 {
			b.putByte(',')
			if !b.take(';') {
				b.i = start
			}
		}
		if !b.element(o, k) {
			return false
		}
	}
	if n == 0 && b.next() != ']' {
		return false
	}
	b.putByte(']')
	return true
}

func (b *rebuilder) element(o *object, k int) bool {
	n := len(o.fields)
	if len(b.r.list) < (k+1)*n {
		return false
	}
	opened, ok := b.open('{', true)
	return ok && b.object(o, b.r.list[k*n:(k+1)*n]) && b.shut(opened, '}')
}

// open enters the rest of what follows in the shape, up to the end of its brackets or of the list's element: if something
// unknown is in there, the next member or element of the rest is a value with the given bracket, and opened is true.
func (b *rebuilder) open(bracket byte, element bool) (opened, ok bool) {
	if b.at < 0 || !b.holdsUnknown(element) {
		return false, true
	}
	b.commaRest()
	if b.rest.b[b.at] == '"' {
		if b.at = b.rest.key(b.at); b.at < 0 {
			return true, false
		}
	}
	ok = b.rest.b[b.at] == bracket
	b.at++
	return true, ok
}

// shut leaves what open has entered.
func (b *rebuilder) shut(opened bool, bracket byte) bool {
	if !opened {
		return true
	}
	ok := b.rest.b[b.at] == bracket
	b.at++
	return ok
}

// holdsUnknown reports whether there is something unknown up to the bracket, or the end of the element, that ends this part
// of the shape.
func (b *rebuilder) holdsUnknown(element bool) bool {
	level := 0
	for _, c := range b.shape[b.i:] {
		switch c {
		case '(', '[':
			level++
		case ')', ']':
			if level--; level < 0 {
				return false
			}
		case ';':
			if level == 0 && element {
				return false
			}
		case shapeUnknown:
			return true
		}
	}
	return false
}

func (b *rebuilder) commaRest() {
	if b.rest.b[b.at] == ',' {
		b.at++
	}
}

// unknown appends the next member of the rest.
func (b *rebuilder) unknown() bool {
	if b.at < 0 {
		return false
	}
	b.commaRest()
	start := b.at
	if b.at = b.rest.key(b.at); b.at < 0 {
		return false
	}
	if b.at = b.rest.value(b.at, 0); b.at < 0 {
		return false
	}
	b.put(b.rest.b[start:b.at])
	return true
}
