package fn

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"

	"github.com/trailql/trailql/engine/sqltype"
)

// The JSON scanner walks over text without building a tree. It skips what it does not need by matching quotes and
// brackets only, so a value is found although what comes later in the text is damaged. Positions are byte offsets;
// -1 means that the text is no JSON there.

// maxJSONDepth is how deep values may nest where they are read recursively.
const maxJSONDepth = 1000

func jsonSpace(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\n' || s[i] == '\t' || s[i] == '\r') {
		i++
	}
	return i
}

// jsonStringEnd returns the position after the string that starts with the quote at i. It takes eight bytes at a time.
func jsonStringEnd(s string, i int) int {
	b := unsafe.Slice(unsafe.StringData(s), len(s))
	const ones, quotes, slashes = 0x0101010101010101, '"' * 0x0101010101010101, '\\' * 0x0101010101010101
	for i++; ; {
		for ; len(b)-i >= 8; i += 8 {
			w := binary.LittleEndian.Uint64(b[i:])
			quote, slash := w^quotes, w^slashes // a byte that is sought is 0 here
			// right for the lowest byte that is found
			if hits := ((quote-ones)&^quote | (slash-ones)&^slash) & (ones << 7); hits != 0 {
				i += bits.TrailingZeros64(hits) / 8
				break
			}
		}
		for i < len(b) && b[i] != '"' && b[i] != '\\' {
			i++
		}
		switch {
		case i >= len(b):
			return -1
		case b[i] == '"':
			return i + 1
		}
		i += 2 // the next byte is no quote that ends the string
	}
}

// jsonEnd returns the position after the value that starts at i.
func jsonEnd(s string, i int) int {
	if i >= len(s) {
		return -1
	}
	switch c := s[i]; {
	case c == '"':
		return jsonStringEnd(s, i)
	case c == '{' || c == '[':
		depth := 0
		for i < len(s) {
			switch c := s[i]; {
			case c == '"':
				if i = jsonStringEnd(s, i); i < 0 {
					return -1
				}
				continue
			case c|0x20 == '{': // and [
				depth++
			case c|0x20 == '}': // and ]
				if depth--; depth == 0 {
					return i + 1
				}
			}
			i++
		}
		return -1
	}
	end := i
	for end < len(s) && !jsonEndsLiteral[s[end]] {
		end++
	}
	if !jsonLiteral(s[i:end]) {
		return -1
	}
	return end
}

// jsonEndsLiteral are the bytes that cannot be part of a number or of true, false and null.
var jsonEndsLiteral = [256]bool{',': true, ']': true, '}': true, ' ': true, '\n': true, '\t': true, '\r': true}

// jsonLiteral reports whether s is true, false, null or a number as JSON writes it.
func jsonLiteral(s string) bool {
	switch s {
	case "true", "false", "null":
		return true
	}
	s = strings.TrimPrefix(s, "-")
	digits := func() bool {
		n := 0
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		s = s[n:]
		return n > 0
	}
	zero := strings.HasPrefix(s, "0")
	before := len(s)
	if !digits() || zero && before-len(s) > 1 {
		return false
	}
	if strings.HasPrefix(s, ".") {
		s = s[1:]
		if !digits() {
			return false
		}
	}
	if s != "" && (s[0] == 'e' || s[0] == 'E') {
		s = s[1:]
		if s != "" && (s[0] == '+' || s[0] == '-') {
			s = s[1:]
		}
		if !digits() {
			return false
		}
	}
	return s == ""
}

// jsonMember steps through an object: i is the position after '{' or after a value. It returns the quoted key and
// where the value starts; next is -1 at the end of the object (last true) or of the JSON.
func jsonMember(s string, i int, first bool) (key string, value int, last bool) {
	i = jsonSpace(s, i)
	if i < len(s) && s[i] == '}' {
		return "", -1, true
	}
	if !first {
		if i >= len(s) || s[i] != ',' {
			return "", -1, false
		}
		i = jsonSpace(s, i+1)
	}
	if i >= len(s) || s[i] != '"' {
		return "", -1, false
	}
	end := jsonStringEnd(s, i)
	if end < 0 {
		return "", -1, false
	}
	key = s[i:end]
	i = jsonSpace(s, end)
	if i >= len(s) || s[i] != ':' {
		return "", -1, false
	}
	return key, jsonSpace(s, i+1), false
}

// jsonElement steps through an array likewise and returns where the next value starts.
func jsonElement(s string, i int, first bool) (value int, last bool) {
	i = jsonSpace(s, i)
	if i < len(s) && s[i] == ']' {
		return -1, true
	}
	if !first {
		if i >= len(s) || s[i] != ',' {
			return -1, false
		}
		i = jsonSpace(s, i+1)
	}
	return i, false
}

// jsonUnquote returns the text of a quoted string; without escapes it is a part of the argument. ok is false where
// an escape is none.
func jsonUnquote(quoted string) (text string, ok bool) {
	inner := quoted[1 : len(quoted)-1]
	if strings.IndexByte(inner, '\\') < 0 {
		return inner, true
	}
	out := make([]byte, 0, len(inner))
	for i := 0; i < len(inner); i++ {
		c := inner[i]
		if c != '\\' {
			out = append(out, c)
			continue
		}
		i++ // a quoted string does not end in a lone backslash
		switch inner[i] {
		case '"', '\\', '/':
			out = append(out, inner[i])
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, ok := hex4(inner[i+1:])
			if !ok {
				return "", false
			}
			i += 4
			if utf16.IsSurrogate(r) {
				low := rune(0)
				if strings.HasPrefix(inner[i+1:], `\u`) {
					low, _ = hex4(inner[i+3:])
				}
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					i += 6
				}
			}
			out = utf8.AppendRune(out, r)
		default:
			return "", false
		}
	}
	return string(out), true
}

func hex4(s string) (r rune, ok bool) {
	if len(s) < 4 {
		return 0, false
	}
	for _, c := range []byte(s[:4]) {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// appendCanonical appends the value that starts at i without blanks, strings in their shortest form, numbers as they
// are written. With sorted, keys of objects are in order and the last of equal ones counts. It returns the position
// after the value, -1 if it is no JSON.
func appendCanonical(dst []byte, s string, i int, sorted bool, depth int) ([]byte, int) {
	if i >= len(s) || depth > maxJSONDepth {
		return dst, -1
	}
	switch s[i] {
	case '"':
		return appendCanonicalString(dst, s, i)
	case '{':
		if sorted {
			return appendSortedObject(dst, s, i, depth)
		}
		dst = append(dst, '{')
		for at, first := i+1, true; ; first = false {
			key, value, last := jsonMember(s, at, first)
			if last {
				return append(dst, '}'), jsonSpace(s, at) + 1
			}
			if value < 0 {
				return dst, -1
			}
			if !first {
				dst = append(dst, ',')
			}
			if dst, at = appendCanonicalString(dst, key, 0); at < 0 {
				return dst, -1
			}
			dst = append(dst, ':')
			if dst, at = appendCanonical(dst, s, value, sorted, depth+1); at < 0 {
				return dst, -1
			}
		}
	case '[':
		dst = append(dst, '[')
		for at, first := i+1, true; ; first = false {
			value, last := jsonElement(s, at, first)
			if last {
				return append(dst, ']'), jsonSpace(s, at) + 1
			}
			if value < 0 {
				return dst, -1
			}
			if !first {
				dst = append(dst, ',')
			}
			if dst, at = appendCanonical(dst, s, value, sorted, depth+1); at < 0 {
				return dst, -1
			}
		}
	}
	end := jsonEnd(s, i)
	if end < 0 {
		return dst, -1
	}
	return append(dst, s[i:end]...), end
}

func appendCanonicalString(dst []byte, s string, i int) ([]byte, int) {
	end := jsonStringEnd(s, i)
	if end < 0 {
		return dst, -1
	}
	text, ok := jsonUnquote(s[i:end])
	if !ok {
		return dst, -1
	}
	return sqltype.AppendJSONString(dst, text), end
}

func appendSortedObject(dst []byte, s string, i, depth int) ([]byte, int) {
	type member struct{ key, value string }
	var members []member
	at := i + 1
	for first := true; ; first = false {
		key, value, last := jsonMember(s, at, first)
		if last {
			break
		}
		if value < 0 {
			return dst, -1
		}
		text, ok := jsonUnquote(key)
		var canonical []byte
		if canonical, at = appendCanonical(nil, s, value, true, depth+1); at < 0 || !ok {
			return dst, -1
		}
		members = append(members, member{text, string(canonical)})
	}
	slices.SortStableFunc(members, func(a, b member) int { return strings.Compare(a.key, b.key) })
	dst = append(dst, '{')
	for k, m := range members {
		if k+1 < len(members) && members[k+1].key == m.key {
			continue
		}
		if dst[len(dst)-1] != '{' {
			dst = append(dst, ',')
		}
		dst = append(sqltype.AppendJSONString(dst, m.key), ':')
		dst = append(dst, m.value...)
	}
	return append(dst, '}'), jsonSpace(s, at) + 1
}

// canonicalJSON is the canonical form of a whole text.
func canonicalJSON(dst []byte, s string) ([]byte, bool) {
	dst, end := appendCanonical(dst, s, jsonSpace(s, 0), true, 0)
	return dst, end >= 0 && jsonSpace(s, end) == len(s)
}
