package cloudtrail

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// pad is the number of zero bytes that must follow the bytes a scanner reads. A zero byte is valid nowhere in JSON, so every
// loop stops at the first of them, and strings can be read eight bytes at a time.
const pad = 8

// scanner checks JSON strictly by RFC 8259, except for UTF-8, which the caller checks where high is set.
// Its methods take the index of the first byte and return the index after the last one, or -1 after setting fault.
type scanner struct {
	b     []byte // padded
	depth int    // nesting allowed

	loose bool // the text is not canonical: white space, or escapes that appendCanonical writes otherwise
	high  bool // there may be bytes over 0x7F
	esc   bool // the last string had a backslash

	fault fault
	stack []uint64 // one bit for each open bracket: 1 is an object
}

// fault is the first thing wrong in a text.
type fault struct {
	at   int // index into scanner.b
	why  string
	deep bool // nesting over the limit, which is no fault of the syntax
}

func (s *scanner) fail(at int, why string) int {
	s.fault = fault{at: at, why: why}
	return -1
}

func (s *scanner) tooDeep(at int) int {
	s.fault = fault{at: at, why: fmt.Sprintf("nesting over %d", s.depth), deep: true}
	return -1
}

// space skips white space.
func (s *scanner) space(i int) int {
	if s.b[i] > ' ' {
		return i
	}
	return s.moreSpace(i)
}

func (s *scanner) moreSpace(i int) int {
	for ; ; i++ {
		switch s.b[i] {
		case ' ', '\t', '\n', '\r':
			s.loose = true
		default:
			return i
		}
	}
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// stops sets the high bit of a byte that is a quote, a backslash or a control character; above the lowest mark there may be false ones.
func stops(w uint64) uint64 {
	q, e := w^(ones*'"'), w^(ones*'\\')
	return ((q-ones)&^q | (e-ones)&^e | (w-ones*' ')&^w) & highs
}

// str reads a string from its opening quote.
func (s *scanner) str(i int) int {
	b := s.b
	s.esc = false
	i++
	var high uint64
	for {
		w := binary.LittleEndian.Uint64(b[i:])
		stop := stops(w)
		if stop == 0 {
			high |= w
			i += 8
			continue
		}
		n := bits.TrailingZeros64(stop) / 8
		high |= w & (1<<(8*n) - 1)
		i += n
		switch c := b[i]; {
		case c == '"':
			if high&highs != 0 {
				s.high = true
			}
			return i + 1
		case c == '\\':
			s.esc = true
			if i = s.escape(i + 1); i < 0 {
				return -1
			}
		default:
			return s.fail(i, "control character in a string")
		}
	}
}

// escape reads an escape after its backslash.
func (s *scanner) escape(i int) int {
	switch s.b[i] {
	case '"', '\\', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case '/':
		s.loose = true
		return i + 1
	case 'u':
		for j := i + 1; j < i+5; j++ {
			if hexDigit(s.b[j]) < 0 {
				return s.fail(j, "bad escape in a string")
			}
		}
		s.loose = true // mostly; appendCanonical finds out
		return i + 5
	}
	return s.fail(i, "bad escape in a string")
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

func (s *scanner) number(i int) int {
	b := s.b
	if b[i] == '-' {
		i++
	}
	switch {
	case b[i] == '0':
		i++
	case b[i] >= '1' && b[i] <= '9':
		i = digits(b, i)
	default:
		return s.fail(i, "bad number")
	}
	if b[i] == '.' {
		j := digits(b, i+1)
		if j == i+1 {
			return s.fail(j, "bad number")
		}
		i = j
	}
	if b[i]|0x20 == 'e' {
		i++
		if b[i] == '+' || b[i] == '-' {
			i++
		}
		j := digits(b, i)
		if j == i {
			return s.fail(j, "bad number")
		}
		i = j
	}
	return i
}

func digits(b []byte, i int) int {
	for b[i] >= '0' && b[i] <= '9' {
		i++
	}
	return i
}

func (s *scanner) literal(i int, word string) int {
	for k := range len(word) {
		if s.b[i+k] != word[k] {
			return s.fail(i+k, "bad literal")
		}
	}
	return i + len(word)
}

// scalar reads a string, number or literal.
func (s *scanner) scalar(i int) int {
	switch c := s.b[i]; c {
	case '"':
		return s.str(i)
	case 't':
		return s.literal(i, "true")
	case 'f':
		return s.literal(i, "false")
	case 'n':
		return s.literal(i, "null")
	default:
		if c == '-' || c >= '0' && c <= '9' {
			return s.number(i)
		}
	}
	return s.fail(i, "a value is missing")
}

// value reads any value that starts at i, below depth open brackets.
func (s *scanner) value(i, depth int) int {
	level := 0 // brackets open here
	for {
		c := s.b[i]
		if c == '{' || c == '[' {
			if depth+level >= s.depth {
				return s.tooDeep(i)
			}
			if level/64 == len(s.stack) {
				s.stack = append(s.stack, 0)
			}
			object := c == '{'
			if object {
				s.stack[level/64] |= 1 << (level % 64)
			} else {
				s.stack[level/64] &^= 1 << (level % 64)
			}
			level++
			i = s.space(i + 1)
			if s.b[i] != c+2 { // in ASCII both closing brackets stand two after the opening ones
				if object {
					if i = s.key(i); i < 0 {
						return -1
					}
				}
				continue
			}
			i++
			level--
		} else if i = s.scalar(i); i < 0 {
			return -1
		}
		// After a value: close what closes, until another value must come.
		for {
			if level == 0 {
				return i
			}
			object := s.stack[(level-1)/64]>>((level-1)%64)&1 == 1
			i = s.space(i)
			c := s.b[i]
			if c == ',' {
				i = s.space(i + 1)
				if object {
					if i = s.key(i); i < 0 {
						return -1
					}
				}
				break
			}
			if object && c != '}' || !object && c != ']' {
				return s.fail(i, "a comma or a closing bracket is missing")
			}
			i++
			level--
		}
	}
}

// key reads a key, its colon and the white space around it.
func (s *scanner) key(i int) int {
	if s.b[i] != '"' {
		return s.fail(i, "a key is missing")
	}
	if i = s.str(i); i < 0 {
		return -1
	}
	i = s.space(i)
	if s.b[i] != ':' {
		return s.fail(i, "a colon is missing")
	}
	return s.space(i + 1)
}

// frame finds the end of a value by brackets and strings alone, for values that are not valid JSON.
func (s *scanner) frame(i int) int {
	level := 0
	for {
		switch c := s.b[i]; c {
		case '"':
			for i++; s.b[i] != '"'; i++ {
				if s.b[i] == '\\' {
					i++
				}
				if s.atEnd(i) {
					return s.fail(len(s.b)-pad, "the content ends inside a string")
				}
			}
			i++
		case '{', '[':
			if level == s.depth {
				return s.tooDeep(i)
			}
			if level/64 == len(s.stack) {
				s.stack = append(s.stack, 0)
			}
			if c == '{' {
				s.stack[level/64] |= 1 << (level % 64)
			} else {
				s.stack[level/64] &^= 1 << (level % 64)
			}
			level++
			i++
		case '}', ']':
			if level == 0 {
				return i
			}
			level--
			if s.stack[level/64]>>(level%64)&1 == 1 != (c == '}') {
				return s.fail(i, "brackets do not match")
			}
			i++
			if level == 0 {
				return i
			}
		default:
			if s.atEnd(i) {
				if level > 0 {
					return s.fail(i, "the content ends inside a value")
				}
				return i
			}
			if level == 0 && (c == ',' || c == ':' || c <= ' ' && c != 0) {
				return i
			}
			i++
		}
		if level == 0 && s.b[i-1] == '"' {
			return i
		}
	}
}

func (s *scanner) atEnd(i int) bool { return i >= len(s.b)-pad }
