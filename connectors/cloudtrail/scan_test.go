package cloudtrail

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// valid reports whether the scanner takes text as one JSON value.
func valid(text []byte) bool {
	s := scanner{b: append(bytes.Clone(text), make([]byte, pad)...), depth: 512}
	end := s.value(s.space(0), 0)
	return end >= 0 && s.space(end) == len(text)
}

// RFC 8259, rule by rule. encoding/json is strict too and stands as the second judge.
func TestStrictness(t *testing.T) {
	for _, c := range []struct {
		text string
		ok   bool
	}{
		{`0`, true}, {`-0`, true}, {`1e9`, true}, {`1E+9`, true}, {`0.0e-0`, true}, {`123456789012345678901234567890`, true},
		{`01`, false}, {`+1`, false}, {`-`, false}, {`.5`, false}, {`5.`, false}, {`1e`, false}, {`1e+`, false}, {`0x1`, false},
		{`-01`, false}, {`1_000`, false}, {`NaN`, false}, {`Infinity`, false}, {`-Infinity`, false}, {`1.2.3`, false}, {`1 2`, false}, {`--1`, false},
		{`true`, true}, {`false`, true}, {`null`, true}, {`True`, false}, {`nul`, false}, {`nulll`, false}, {`tru e`, false}, {`undefined`, false},
		{`""`, true}, {`"\"\\\/\b\f\n\r\t\u0000\uD800"`, true}, {"\"\x7f\"", true}, {`"`, false}, {`"\`, false}, {`"\"`, false}, {`"\x"`, false},
		{`"\u12"`, false}, {`"\u12g4"`, false}, {`"\U0041"`, false}, {"\"\t\"", false}, {"\"\n\"", false}, {"\"\x00\"", false}, {"\"\x1f\"", false},
		{`'a'`, false}, {`"a" "b"`, false}, {"\"" + strings.Repeat("x", 100) + "\x01" + strings.Repeat("x", 100) + "\"", false},
		{`[]`, true}, {` [ 1 , [ ] , { } ] `, true}, {`[1,]`, false}, {`[,1]`, false}, {`[1,,2]`, false}, {`[1 2]`, false}, {`[`, false}, {`]`, false},
		{`[1`, false}, {`[1}`, false}, {`[]]`, false}, {"[\f]", false}, {"[\u00a0]", false}, {"[\x00]", false},
		{`{}`, true}, {`{"a":{"b":[{"c":null}]}}`, true}, {`{"a":1,"a":2}`, true}, {`{"":0}`, true},
		{`{a:1}`, false}, {`{1:1}`, false}, {`{"a"}`, false}, {`{"a":}`, false}, {`{"a":1,}`, false}, {`{,"a":1}`, false}, {`{"a" 1}`, false},
		{`{"a":1 "b":2}`, false}, {`{"a"::1}`, false}, {`{"a":1]`, false}, {`{`, false}, {`{"a":1`, false}, {`{null:1}`, false}, {`{"a":/*x*/1}`, false},
		{``, false}, {` `, false}, {"\xEF\xBB\xBF1", false}, {`# 1`, false}, {`1,`, false},
		{strings.Repeat("[", 512) + strings.Repeat("]", 512), true}, {strings.Repeat("[", 513) + strings.Repeat("]", 513), false},
		{strings.Repeat(`{"a":`, 512) + "1" + strings.Repeat("}", 512), true}, {strings.Repeat(`{"a":`, 513) + "1" + strings.Repeat("}", 513), false},
	} {
		if got := valid([]byte(c.text)); got != c.ok {
			t.Errorf("%.60q: %v; want %v", c.text, got, c.ok)
		}
		if deep := strings.Contains(c.text, `[[[`) || strings.Contains(c.text, `{"a":{"a":`); !deep && json.Valid([]byte(c.text)) != c.ok {
			t.Errorf("%.60q: encoding/json says %v", c.text, !c.ok)
		}
	}
}

// On any bytes of JSON's alphabet the scanner and encoding/json agree, and of valid text the canonical form is a fixed point
// that means the same.
func TestScannerAgrees(t *testing.T) {
	pieces := []string{`{`, `}`, `[`, `]`, `,`, `:`, `"a"`, `"`, `\`, `\u0041`, `\ud83d`, `\ude00`, `\n`, `\/`, `é`, "\xFF", `0`, `1`, `-`, `.`, `e`, `+`,
		`true`, `null`, `fals`, ` `, "\n", "\x00", "\x01", `"a":1`, `{"a":[`, `]}`, `12345678`, `xxxxxxxx`}
	rapid.Check(t, func(rt *rapid.T) {
		text := []byte(strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 12).Draw(rt, "pieces"), ""))
		if got, want := valid(text), json.Valid(text); got != want {
			rt.Fatalf("%q: %v; encoding/json says %v", text, got, want)
		}
		if !valid(text) {
			return
		}
		canonical := appendCanonical(nil, text)
		if !utf8.Valid(canonical) || !valid(canonical) || !bytes.Equal(appendCanonical(nil, canonical), canonical) {
			rt.Fatalf("%q: canonical %q", text, canonical)
		}
		if utf8.Valid(text) && tokens(t, text) != tokens(t, canonical) {
			rt.Fatalf("%q: canonical %q means something else", text, canonical)
		}
	})
}
