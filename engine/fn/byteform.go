package fn

import (
	"encoding/base32"
	"encoding/binary"
	"math"
	"math/bits"
	"strings"
)

// Numbers and text as bytes and back.

var byteFormFunctions = []*Function{
	{
		Name: "to_big_endian_32", Category: binaries,
		Doc:       "The integer as four bytes, the highest first.",
		Example:   "to_hex(to_big_endian_32(258)) → '00000102'",
		Overloads: []Overload{{Sig: "(integer) -> varbinary", Eval: pure1(func(n int32) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) })}},
	},
	{
		Name: "from_big_endian_32", Category: binaries, CanFail: true,
		Doc:       "Four bytes, the highest first, as an integer.",
		Example:   "from_big_endian_32(from_hex('00000102')) → 258",
		Overloads: []Overload{{Sig: "(varbinary) -> integer", Eval: lift1(ofBytes(4, func(b []byte) int32 { return int32(binary.BigEndian.Uint32(b)) }))}},
	},
	{
		Name: "to_big_endian_64", Category: binaries,
		Doc:       "The bigint as eight bytes, the highest first.",
		Example:   "to_hex(to_big_endian_64(258)) → '0000000000000102'",
		Overloads: []Overload{{Sig: "(bigint) -> varbinary", Eval: pure1(func(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) })}},
	},
	{
		Name: "from_big_endian_64", Category: binaries, CanFail: true,
		Doc:       "Eight bytes, the highest first, as a bigint.",
		Example:   "from_big_endian_64(from_hex('0000000000000102')) → 258",
		Overloads: []Overload{{Sig: "(varbinary) -> bigint", Eval: lift1(ofBytes(8, func(b []byte) int64 { return int64(binary.BigEndian.Uint64(b)) }))}},
	},
	{
		Name: "to_ieee754_32", Category: binaries,
		Doc:       "The real as the four bytes of IEEE 754.",
		Example:   "to_hex(to_ieee754_32(REAL '1')) → '3F800000'",
		Overloads: []Overload{{Sig: "(real) -> varbinary", Eval: pure1(func(x float32) []byte { return binary.BigEndian.AppendUint32(nil, math.Float32bits(x)) })}},
	},
	{
		Name: "from_ieee754_32", Category: binaries, CanFail: true,
		Doc:       "The four bytes of IEEE 754 as a real.",
		Example:   "from_ieee754_32(from_hex('3F800000')) → REAL '1'",
		Overloads: []Overload{{Sig: "(varbinary) -> real", Eval: lift1(ofBytes(4, func(b []byte) float32 { return math.Float32frombits(binary.BigEndian.Uint32(b)) }))}},
	},
	{
		Name: "to_ieee754_64", Category: binaries,
		Doc:       "The double as the eight bytes of IEEE 754.",
		Example:   "to_hex(to_ieee754_64(1e0)) → '3FF0000000000000'",
		Overloads: []Overload{{Sig: "(double) -> varbinary", Eval: pure1(func(x float64) []byte { return binary.BigEndian.AppendUint64(nil, math.Float64bits(x)) })}},
	},
	{
		Name: "from_ieee754_64", Category: binaries, CanFail: true,
		Doc:       "The eight bytes of IEEE 754 as a double.",
		Example:   "from_ieee754_64(from_hex('3FF0000000000000')) → 1e0",
		Overloads: []Overload{{Sig: "(varbinary) -> double", Eval: lift1(ofBytes(8, func(b []byte) float64 { return math.Float64frombits(binary.BigEndian.Uint64(b)) }))}},
	},
	{
		Name: "to_base32", Category: binaries,
		Doc:       "The bytes in base32.",
		Example:   "to_base32(to_utf8('az')) → 'MF5A===='",
		Overloads: []Overload{{Sig: "(varbinary) -> varchar", Eval: pure1(base32.StdEncoding.EncodeToString)}},
	},
	{
		Name: "from_base32", Category: binaries, CanFail: true,
		Doc:     "Text in base32 as bytes.",
		Example: "from_utf8(from_base32('MF5A====')) → 'az'",
		Overloads: []Overload{{Sig: "(varchar) -> varbinary", Eval: lift1(func(s string) ([]byte, error) {
			b, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(strings.TrimRight(s, "=")))
			if err != nil {
				return nil, valueError("%s is not base32", shown(s))
			}
			return b, nil
		})}},
	},
	{
		Name: "murmur3", Category: binaries,
		Doc:       "The 128 bits of MurmurHash3 (x64, seed 0).",
		Example:   "to_hex(murmur3(from_base64('aaaaaa'))) → 'BA5855635569B42F4920372CA0E396EF'",
		Overloads: []Overload{{Sig: "(varbinary) -> varbinary", Eval: pure1(murmur3)}},
	},
	{
		Name: "spooky_hash_v2_32", Category: binaries,
		Doc:     "The lower 32 bits of SpookyHash V2 (seed 0).",
		Example: "to_hex(spooky_hash_v2_32(to_utf8('hello'))) → 'D382E6CA'",
		Overloads: []Overload{{Sig: "(varbinary) -> varbinary", Eval: pure1(func(b []byte) []byte {
			return binary.BigEndian.AppendUint32(nil, uint32(spookyHash64(b)))
		})}},
	},
	{
		Name: "spooky_hash_v2_64", Category: binaries,
		Doc:     "The first 64 bits of SpookyHash V2 (seed 0).",
		Example: "to_hex(spooky_hash_v2_64(to_utf8('hello'))) → '3768826AD382E6CA'",
		Overloads: []Overload{{Sig: "(varbinary) -> varbinary", Eval: pure1(func(b []byte) []byte {
			return binary.BigEndian.AppendUint64(nil, spookyHash64(b))
		})}},
	},
}

func ofBytes[R any](size int, f func([]byte) R) func([]byte) (R, error) {
	return func(b []byte) (R, error) {
		if len(b) != size {
			var none R
			return none, valueError("%d bytes are needed, not %d", size, len(b))
		}
		return f(b), nil
	}
}

// murmur3 is MurmurHash3_x64_128 of Austin Appleby (public domain), its two halves in little-endian order.
func murmur3(b []byte) []byte {
	const c1, c2 = 0x87c37b91114253d5, 0x4cf5ad432745937f
	mix1 := func(k uint64) uint64 { return bits.RotateLeft64(k*c1, 31) * c2 }
	mix2 := func(k uint64) uint64 { return bits.RotateLeft64(k*c2, 33) * c1 }
	final := func(k uint64) uint64 {
		k = (k ^ k>>33) * 0xff51afd7ed558ccd
		k = (k ^ k>>33) * 0xc4ceb9fe1a85ec53
		return k ^ k>>33
	}
	var h1, h2 uint64
	rest := b
	for ; len(rest) >= 16; rest = rest[16:] {
		h1 = (bits.RotateLeft64(h1^mix1(binary.LittleEndian.Uint64(rest)), 27)+h2)*5 + 0x52dce729
		h2 = (bits.RotateLeft64(h2^mix2(binary.LittleEndian.Uint64(rest[8:])), 31)+h1)*5 + 0x38495ab5
	}
	var tail [16]byte
	copy(tail[:], rest)
	h1 ^= mix1(binary.LittleEndian.Uint64(tail[:])) // of zeros it is zero
	h2 ^= mix2(binary.LittleEndian.Uint64(tail[8:]))
	h1, h2 = h1^uint64(len(b)), h2^uint64(len(b))
	h1 += h2
	h2 += h1
	h1, h2 = final(h1), final(h2)
	h1 += h2
	h2 += h1
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, h1), h2)
}
