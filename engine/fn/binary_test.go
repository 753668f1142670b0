package fn

import (
	"strings"
	"testing"

	"github.com/trailql/trailql/engine/sqltype"
)

// The digests are the published test vectors of each function; xxHash64's those of its reference implementation's
// documentation, seed 0.
func TestDigests(t *testing.T) {
	for _, c := range []struct{ name, in, hex string }{
		{"md5", "", "D41D8CD98F00B204E9800998ECF8427E"},
		{"sha1", "abc", "A9993E364706816ABA3E25717850C26C9CD0D89D"},
		{"sha256", "abc", "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"},
		{"xxhash64", "", "EF46DB3751D8E999"},
		{"xxhash64", "a", "D24EC4F1A98C6E5B"},
		{"xxhash64", "abc", "44BC2CF5AD770999"},
		{"xxhash64", "Nobody inspects the spammish repetition", "FBCEA83C8A378BF1"},
	} {
		digest, err := evaluate(c.name, value{sqltype.VarbinaryType, []byte(c.in)})
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := call("to_hex", digest); got != c.hex {
			t.Errorf("%s(%q) is %s, not %s", c.name, c.in, got, c.hex)
		}
	}
}

func TestBinaryText(t *testing.T) {
	s, b := varchar, func(x string) value { return value{sqltype.VarbinaryType, []byte(x)} }
	check(t, []want{
		{"to_hex", []value{b("az\x00")}, "617A00", ""},
		{"from_hex", []value{s("6")}, "", "not hexadecimal"},
		{"to_base64", []value{b("\xfb\xff")}, "+/8=", ""},
		{"to_base64url", []value{b("\xfb\xff")}, "-_8=", ""},
		{"from_base64", []value{s("!")}, "", "not base64"},
		{"crc32", []value{b("123456789")}, "3421780262", ""}, // the check value of CRC-32
		{"length", []value{b("ä")}, "2", ""},
	})
	for _, text := range []string{"", "a", "ab", "abc", strings.Repeat("x", 100)} {
		enc, err := call("to_base64", b(text))
		if err != nil {
			t.Fatal(err)
		}
		for _, in := range []string{enc, strings.TrimRight(enc, "=")} { // with and without what fills it up
			bytes, err := evaluate("from_base64", s(in))
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := call("from_utf8", bytes); got != text {
				t.Errorf("base64 of %q came back as %q", text, got)
			}
		}
	}
}
