package fn

import "unicode/utf8"

// fromUTF8 appends the text that b holds, replacement in place of each sequence of bytes that is no UTF-8.
func fromUTF8(dst, b []byte, replacement string) ([]byte, error) {
	if utf8.RuneCountInString(replacement) > 1 {
		return nil, valueError("from_utf8 replaces by one character or none, not by %s", shown(replacement))
	}
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if r == utf8.RuneError && size == 1 {
			size = brokenLength(b)
			dst = append(dst, replacement...)
		} else {
			dst = append(dst, b[:size]...)
		}
		b = b[size:]
	}
	return dst, nil
}

// brokenLength is how many bytes at the start of b, which is no UTF-8, belong together: a first byte and those of the bytes it announces that
// are there.
func brokenLength(b []byte) int {
	announced := 1
	switch {
	case b[0] >= 0xC0 && b[0] < 0xE0:
		announced = 2
	case b[0] >= 0xE0 && b[0] < 0xF0:
		announced = 3
	case b[0] >= 0xF0 && b[0] < 0xF8:
		announced = 4
	}
	n := 1
	for n < announced && n < len(b) && b[n]&0xC0 == 0x80 {
		n++
	}
	return n
}
