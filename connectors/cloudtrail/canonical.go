package cloudtrail

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// The canonical text of a JSON value: no white space between tokens, members in their order, numbers as they were written,
// strings with as few escapes as JSON allows (the short ones, \u00xx in lower case for other control characters). An
// escaped surrogate without its partner stays as it was written; bytes that are not UTF-8 become U+FFFD.

// appendCanonical appends the canonical text of valid JSON. It takes invalid UTF-8.
func appendCanonical(dst, src []byte) []byte {
	for i := 0; i < len(src); {
		switch c := src[i]; c {
		case ' ', '\t', '\n', '\r':
			i++
		case '"':
			start := i + 1
			for i = start; src[i] != '"'; i++ {
				if src[i] == '\\' {
					i++
				}
			}
			dst = append(dst, '"')
			dst = appendUnescaped(dst, src[start:i], true)
			dst = append(dst, '"')
			i++
		default:
			dst = append(dst, c)
			i++
		}
	}
	return dst
}

// appendUnescaped appends the text of a string's inside. With quoted it stays the inside of a string, in canonical form;
// without, surrogates without a partner become U+FFFD.
func appendUnescaped(dst, in []byte, quoted bool) []byte {
	for i := 0; i < len(in); {
		c := in[i]
		if c != '\\' {
			if c < utf8.RuneSelf {
				dst = append(dst, c)
				i++
				continue
			}
			r, n := utf8.DecodeRune(in[i:])
			dst = utf8.AppendRune(dst, r)
			i += n
			continue
		}
		c = in[i+1]
		i += 2
		switch c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			r := rune(fourHex(in[i:]))
			i += 4
			if utf16.IsSurrogate(r) {
				if i+6 <= len(in) && in[i] == '\\' && in[i+1] == 'u' {
					if pair := utf16.DecodeRune(r, rune(fourHex(in[i+2:]))); pair != utf8.RuneError {
						dst = utf8.AppendRune(dst, pair)
						i += 6
						continue
					}
				}
				if quoted {
					dst = append(dst, in[i-6:i]...)
					continue
				}
				r = utf8.RuneError
			}
			if r >= utf8.RuneSelf {
				dst = utf8.AppendRune(dst, r)
				continue
			}
			c = byte(r)
		}
		if quoted {
			dst = appendEscapedByte(dst, c)
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}

func fourHex(b []byte) (v int) {
	for _, c := range b[:4] {
		v = v<<4 | hexDigit(c)
	}
	return v
}

// appendQuoted appends text as a JSON string in canonical form.
func appendQuoted(dst, text []byte) []byte {
	dst = append(dst, '"')
	for {
		n := simple(text)
		dst = append(dst, text[:n]...)
		if n == len(text) {
			return append(dst, '"')
		}
		dst = appendEscapedByte(dst, text[n])
		text = text[n+1:]
	}
}

// simple returns how many bytes at the start of text stand for themselves in a JSON string: all up to the first quote, backslash or control
// character.
func simple(text []byte) int {
	i := 0
	for ; i+8 <= len(text); i += 8 {
		if stop := stops(binary.LittleEndian.Uint64(text[i:])); stop != 0 {
			return i + bits.TrailingZeros64(stop)/8
		}
	}
	for ; i < len(text); i++ {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' {
			break
		}
	}
	return i
}

func appendEscapedByte(dst []byte, c byte) []byte {
	switch {
	case c == '"' || c == '\\':
		return append(dst, '\\', c)
	case c >= ' ':
		return append(dst, c)
	case c == '\b':
		return append(dst, '\\', 'b')
	case c == '\f':
		return append(dst, '\\', 'f')
	case c == '\n':
		return append(dst, '\\', 'n')
	case c == '\r':
		return append(dst, '\\', 'r')
	case c == '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
}
