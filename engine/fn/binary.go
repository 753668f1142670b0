package fn

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"hash/crc32"
	"strings"
)

var binaryFunctions = []*Function{
	digestFunction("md5", "The MD5 digest.", "to_hex(md5(to_utf8('a'))) → '0CC175B9C0F1B6A831C399E269772661'",
		func(b []byte) []byte { d := md5.Sum(b); return d[:] }),
	digestFunction("sha1", "The SHA-1 digest.", "to_hex(sha1(to_utf8('a'))) → '86F7E437FAA5A7FCE15D1DDCB9EAEAEA377667B8'",
		func(b []byte) []byte { d := sha1.Sum(b); return d[:] }),
	digestFunction("sha256", "The SHA-256 digest.", "substr(to_hex(sha256(to_utf8('a'))), 1, 8) → 'CA978112'",
		func(b []byte) []byte { d := sha256.Sum256(b); return d[:] }),
	digestFunction("sha512", "The SHA-512 digest.", "substr(to_hex(sha512(to_utf8('a'))), 1, 8) → '1F40FC92'",
		func(b []byte) []byte { d := sha512.Sum512(b); return d[:] }),
	digestFunction("xxhash64", "The xxHash64 of the bytes.", "to_hex(xxhash64(to_utf8('a'))) → 'D24EC4F1A98C6E5B'",
		func(b []byte) []byte { return binary.BigEndian.AppendUint64(nil, xxHash64(b)) }),
	hmacFunction("hmac_md5", "MD5", "DDCF3D21", md5.New),
	hmacFunction("hmac_sha1", "SHA-1", "40E7D441", sha1.New),
	hmacFunction("hmac_sha256", "SHA-256", "78DA9151", sha256.New),
	hmacFunction("hmac_sha512", "SHA-512", "82E0C15E", sha512.New),
	{
		Name: "crc32", Category: binaries,
		Doc:       "The CRC-32 of the bytes.",
		Example:   "crc32(to_utf8('a')) → 3904355907",
		Overloads: []Overload{{Sig: "(varbinary) -> bigint", Eval: pure1(func(b []byte) int64 { return int64(crc32.ChecksumIEEE(b)) })}},
	},
	{
		Name: "to_hex", Category: binaries,
		Doc:       "The bytes in hexadecimal, in capitals.",
		Example:   "to_hex(to_utf8('az')) → '617A'",
		Overloads: []Overload{{Sig: "(varbinary) -> varchar", Eval: pure1(func(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) })}},
	},
	{
		Name: "from_hex", Category: binaries, CanFail: true,
		Doc:     "Hexadecimal text as bytes.",
		Example: "from_utf8(from_hex('617a')) → 'az'",
		Overloads: []Overload{{Sig: "(varchar) -> varbinary", Eval: lift1(func(s string) ([]byte, error) {
			b, err := hex.DecodeString(s)
			if err != nil {
				return nil, valueError("%s is not hexadecimal", shown(s))
			}
			return b, nil
		})}},
	},
	encodeFunction("to_base64", "The bytes in base64.", "to_base64(to_utf8('az')) → 'YXo='", base64.StdEncoding),
	encodeFunction("to_base64url", "The bytes in base64 with the alphabet for URLs.", "to_base64url(from_hex('fbff')) → '-_8='", base64.URLEncoding),
	decodeFunction("from_base64", "Text in base64 as bytes.", "from_utf8(from_base64('YXo=')) → 'az'", base64.StdEncoding),
	decodeFunction("from_base64url", "Text in base64 with the alphabet for URLs as bytes.", "to_hex(from_base64url('-_8=')) → 'FBFF'", base64.URLEncoding),
}

func digestFunction(name, doc, example string, f func([]byte) []byte) *Function {
	return &Function{Name: name, Category: binaries, Doc: doc, Example: example,
		Overloads: []Overload{{Sig: "(varbinary) -> varbinary", Eval: pure1(f)}}}
}

// hmacFunction makes hmac_…; start is the first bytes of the example's result.
func hmacFunction(name, digest, start string, f func() hash.Hash) *Function {
	return &Function{
		Name: name, Category: binaries, Doc: "The HMAC of the bytes with a key, by " + digest + ".",
		Example: "substr(to_hex(" + name + "(to_utf8('a'), to_utf8('k'))), 1, 8) → '" + start + "'",
		Overloads: []Overload{{Sig: "(varbinary, varbinary) -> varbinary", Eval: pure2(func(data, key []byte) []byte {
			h := hmac.New(f, key)
			h.Write(data)
			return h.Sum(nil)
		})}},
	}
}

func encodeFunction(name, doc, example string, e *base64.Encoding) *Function {
	return &Function{Name: name, Category: binaries, Doc: doc, Example: example,
		Overloads: []Overload{{Sig: "(varbinary) -> varchar", Eval: pure1(e.EncodeToString)}}}
}

// decodeFunction reads base64 with or without the signs that fill it up.
func decodeFunction(name, doc, example string, e *base64.Encoding) *Function {
	return &Function{Name: name, Category: binaries, Doc: doc, Example: example, CanFail: true,
		Overloads: []Overload{{Sig: "(varchar) -> varbinary", Eval: lift1(func(s string) ([]byte, error) {
			b, err := e.WithPadding(base64.NoPadding).DecodeString(strings.TrimRight(s, "="))
			if err != nil {
				return nil, valueError("%s is not base64", shown(s))
			}
			return b, nil
		})}}}
}
