// Package figure shows numbers to people: counts, sizes, words behind a number.
package figure

import "strconv"

// Count shows a count to a person: 1,234,567.
func Count(n int64) string {
	s := strconv.FormatInt(n, 10)
	start := 0
	if n < 0 {
		start = 1
	}
	for i := len(s) - 3; i > start; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Bytes shows a size to a person: 1.5 GiB.
func Bytes(n int64) string {
	for _, u := range []struct {
		name string
		size int64
	}{{" TiB", 1 << 40}, {" GiB", 1 << 30}, {" MiB", 1 << 20}, {" KiB", 1 << 10}} {
		if n >= u.size {
			tenths := strconv.FormatFloat(float64(n)/float64(u.size), 'f', 1, 64)
			if whole := len(tenths) - 2; tenths[whole:] == ".0" {
				tenths = tenths[:whole]
			}
			return tenths + u.name
		}
	}
	return strconv.FormatInt(n, 10) + " B"
}

// Plural is the word as it stands behind the number n.
func Plural(n int64, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}
