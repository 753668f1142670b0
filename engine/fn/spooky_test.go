package fn

import (
	"fmt"
	"strings"
	"testing"
)

// The values of the empty text and of hello are those of Trino's own test; the others are published ones of other implementations.
func TestSpookyHash(t *testing.T) {
	fox := "The quick brown fox jumps over the lazy dog"
	for text, want := range map[string]string{
		"": "232706FC6BF50919", "hello": "3768826AD382E6CA", "       ": "8A63CCE34DB3FC9E", "special_#@,$|%/^~?{}+-": "AAF4B42DDC33E6F0",
		"1234567890": "D9426F48C5CD219B", "a": "1A108191A0BBC9BD", "hello, world": "1DC684B1EE36B01D",
		"1234567891123456": "CF70CA9B6019ECE8", "12345678911234567": "DC93885C980E2E4E", "12345678911234567892123456789312": "140BBE628104B717",
		"1234567891123456789212345678931234567894": "750D7D05851AE27A", fox: "2B12E846AA0693C7",
		strings.Repeat(fox+" ", 4) + fox: "F1B71C6AC5AF39E7", // in blocks
	} {
		if got := fmt.Sprintf("%016X", spookyHash64([]byte(text))); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}
