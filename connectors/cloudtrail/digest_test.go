package cloudtrail

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
)

const (
	digestName = "AWSLogs/o-a1b2c3d4e5/111122223333/CloudTrail-Digest/us-east-1/2024/01/02/111122223333_CloudTrail-Digest_us-east-1_my_trail_us-east-1_20240102T040000Z.json.gz"
	// As CloudTrail writes them: slashes escaped, the first of a chain with nulls, times of an empty list null.
	digestFull = `{"awsAccountId":"111122223333","digestStartTime":"2024-01-02T03:00:00Z","digestEndTime":"2024-01-02T04:00:00Z","digestS3Bucket":"b",` +
		`"digestS3Object":"AWSLogs\/o-a1b2c3d4e5\/111122223333\/CloudTrail-Digest\/us-east-1\/2024\/01\/02\/111122223333_CloudTrail-Digest_us-east-1_my_trail_us-east-1_20240102T040000Z.json.gz",` +
		`"digestPublicKeyFingerprint":"31e8b5433410dfb61a9dc45cc65b22ff","digestSignatureAlgorithm":"SHA256withRSA","newestEventTime":"2024-01-02T03:05:00Z","oldestEventTime":null,` +
		`"previousDigestS3Bucket":"b","previousDigestS3Object":"p","previousDigestHashValue":"00ff","previousDigestHashAlgorithm":"SHA-256","previousDigestSignature":"aa",` +
		`"logFiles":[{"s3Bucket":"b","s3Object":"AWSLogs\/x_1.json.gz","hashValue":"12ab","hashAlgorithm":"SHA-256","newestEventTime":"2024-01-02T03:05:00Z","oldestEventTime":"2024-01-02T03:00:00Z"},` +
		`{"s3Bucket":"b","s3Object":"AWSLogs\/x_2.json.gz","hashValue":"34cd","hashAlgorithm":"SHA-256","newestEventTime":null,"new":[{"a":1}]}],"more":{"a":[]}}`
)

func micros(t *testing.T, text string) int64 {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at.UnixMicro()
}

func TestDigest(t *testing.T) {
	want := &Digest{Account: "111122223333", Region: "us-east-1", Trail: "my_trail", Start: micros(t, "2024-01-02T03:00:00Z"), End: micros(t, "2024-01-02T04:00:00Z"),
		EndText: "2024-01-02T04:00:00Z", PreviousBucket: "b", PreviousSignature: "aa",
		Bucket: "b", Object: digestName, PreviousObject: "p", PreviousHash: "00ff", Fingerprint: "31e8b5433410dfb61a9dc45cc65b22ff",
		Logs: []DigestLog{{"b", "AWSLogs/x_1.json.gz", "12ab", micros(t, "2024-01-02T03:00:00Z"), micros(t, "2024-01-02T03:05:00Z")}, {"b", "AWSLogs/x_2.json.gz", "34cd", 0, 0}}}
	for _, content := range []string{digestFull, "\n " + digestFull + "\n"} {
		want.SHA256 = sha256.Sum256([]byte(content))         // of the text as it stands, white space and escapes included
		for _, limits := range []Limits{{}, {Memory: 100}} { // held at once, and read twice
			for _, stored := range [][]byte{[]byte(content), packed(t, []byte(content))} {
				var rows Rows
				obj, err := Decode(context.Background(), opener(stored), "copy.json", "copy.json", limits, &rows, nil)
				if err != nil || obj.Kind != KindDigest || rows.Len() != 0 || !reflect.DeepEqual(obj.Digest, want) {
					t.Errorf("%+v: %+v, %v\ngot  %+v\nwant %+v", limits, obj, err, obj.Digest, want)
				}
			}
		}
	}
}

// What only the name tells: a digest under a key that says nothing.
func TestDigestName(t *testing.T) {
	for _, c := range []struct {
		name, region, trail string
		backfill            bool
	}{
		{digestName, "us-east-1", "my_trail", false},
		{strings.Replace(digestName, ".json.gz", "_backfill.json.gz", 1), "us-east-1", "my_trail", true},
		{"111122223333_CloudTrail-Digest_eu-west-1_t_eu-west-1_20240102T040000Z.json", "eu-west-1", "t", false},
		{"111122223333_CloudTrail-Digest_eu-west-1_20240102T040000Z.json", "eu-west-1", "", false},
		{"x.json", "", "", false},
	} {
		var rows Rows
		obj, err := Decode(context.Background(), opener([]byte(digest1)), c.name, c.name, Limits{}, &rows, nil)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if d := obj.Digest; d.Account != "111122223333" || d.Region != c.region || d.Trail != c.trail || d.Backfill != c.backfill {
			t.Errorf("%s: %+v", c.name, d)
		}
	}
}

func TestBrokenDigests(t *testing.T) {
	for _, c := range []struct{ why, old, new, says string }{
		{"cut off", `,"more":{"a":[]}}`, ``, "a comma or a closing bracket is missing"},
		{"a second document", `,"more":{"a":[]}}`, `}{}`, "something follows"},
		{"no end", `"digestEndTime":"2024-01-02T04:00:00Z",`, ``, "digestEndTime is missing or no time"},
		{"no start", `"digestStartTime":"2024-01-02T03:00:00Z",`, ``, "digestStartTime is missing or no time"},
		{"a start that is no time", `"2024-01-02T03:00:00Z","digestEndTime"`, `"yesterday","digestEndTime"`, "digestStartTime is missing or no time"},
		{"an end before its start", `"2024-01-02T04:00:00Z"`, `"2024-01-02T03:00:00Z"`, "ends before it begins"},
		{"a number for a text", `"digestS3Bucket":"b"`, `"digestS3Bucket":1`, "digestS3Bucket is no text"},
		{"a key twice", `"digestS3Bucket":"b"`, `"digestS3Bucket":"b","digestS3Bucket":"c"`, "digestS3Bucket comes twice"},
		{"a key twice, once escaped", `"digestS3Bucket":"b"`, `"digestS3Bucket":"b","digestS3Buc\u006Bet":"c"`, "digestS3Bucket comes twice"},
		{"log files twice", `"more":{"a":[]}`, `"logFiles":[]`, "logFiles comes twice"},
		{"log files that are no list", `"logFiles":[`, `"logFiles":{},"x":[`, "logFiles is no array"},
		{"no log files", `"logFiles"`, `"logfiles"`, "logFiles is missing"},
		{"a log file without a name", `"s3Object":"AWSLogs\/x_2.json.gz",`, ``, "has no s3Object"},
		{"a log file without a hash", `"hashValue":"34cd",`, ``, "no hashValue"},
		{"a log file that is none", `{"s3Bucket":"b","s3Object":"AWSLogs\/x_2.json.gz"`, `7,{"s3Object":"y"`, "no JSON object"},
		{"no UTF-8", `"digestS3Bucket":"b"`, "\"digestS3Bucket\":\"\xff\"", "no UTF-8"},
		{"a control character", `"digestS3Bucket":"b"`, "\"digestS3Bucket\":\"\n\"", "control character"},
		{"deep nesting", `"more":{"a":[]}`, `"more":` + strings.Repeat("[", 1000), "nesting over"},
	} {
		content := strings.Replace(digestFull, c.old, c.new, 1)
		if content == digestFull {
			t.Fatalf("%s: nothing replaced", c.why)
		}
		for _, limits := range []Limits{{}, {Memory: 100}} {
			var rows Rows
			obj, err := Decode(context.Background(), opener([]byte(content)), digestName, digestName, limits, &rows, nil)
			if !isObjectError(err) || !strings.Contains(err.Error(), c.says) || obj.Digest != nil || obj.Kind != KindDigest || rows.Len() != 0 {
				t.Errorf("%s, %+v: %+v, %v; want an error that says %q", c.why, limits, obj, err, c.says)
			}
			if obj.SHA256 != sha256.Sum256([]byte(content)) {
				t.Errorf("%s: the hash of the stored bytes is missing", c.why)
			}
		}
	}
}

// A digest over the limit for one record is set aside, whether or not it could be held.
func TestDigestTooLarge(t *testing.T) {
	content := strings.Replace(digestFull, `"more":{`, `"more":{"x":"`+strings.Repeat("y", 4000)+`",`, 1)
	for _, memory := range []int64{100, 1 << 20} {
		var rows Rows
		_, err := Decode(context.Background(), opener([]byte(content)), digestName, digestName, Limits{Record: 3000, Memory: memory}, &rows, nil)
		if !isObjectError(err) || !strings.Contains(err.Error(), "digest over 3000 bytes") {
			t.Errorf("memory %d: %v", memory, err)
		}
	}
}

// FuzzDigest: strangers' bytes do not panic, and what passes for a digest is one for encoding/json too, with the same texts.
func FuzzDigest(f *testing.F) {
	for _, s := range []string{digestFull, digest1, "", "{", `{"logFiles":[{}]}`, strings.ReplaceAll(digestFull, `\/`, "/")} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		r := digestReader{scanner: scanner{b: append(append([]byte{}, content...), make([]byte, pad)...), depth: 100}}
		d, fault := r.read(digestName)
		if fault != nil {
			return
		}
		var other struct {
			DigestS3Object string
			LogFiles       []struct{ S3Object, HashValue string }
		}
		if err := json.Unmarshal(content, &other); err != nil {
			t.Fatalf("%q passes for a digest: %v", content, err)
		}
		if len(d.Logs) > len(content)/30 || d.End <= d.Start || d.Object == "" {
			t.Fatalf("%+v from %q", d, content)
		}
		// encoding/json takes keys of any case and the last of equal ones; it makes U+FFFD of lone surrogates.
		if !strings.Contains(strings.ToLower(string(content)), `\u`) && strings.Count(strings.ToLower(string(content)), "logfiles") == 1 && len(d.Logs) != len(other.LogFiles) {
			t.Fatalf("%d log files, encoding/json has %d in %q", len(d.Logs), len(other.LogFiles), content)
		}
		if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != hex.EncodeToString(d.SHA256[:]) {
			t.Fatal("the hash is of something else")
		}
	})
}

// Signatures: by the right key over what is written, whatever the case of the digits; anything else is none.
func TestVerifySignature(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	other, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for _, previous := range []string{"aa", "null"} {
		content := digestFull
		if previous == "null" {
			content = strings.Replace(content, `"previousDigestSignature":"aa"`, `"previousDigestSignature":null`, 1)
		}
		d, err := ReadDigest(t.Context(), bytes.NewReader(packed(t, []byte(content))), digestName, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(content))
		line := sha256.Sum256([]byte("2024-01-02T04:00:00Z\nb/" + digestName + "\n" + hex.EncodeToString(sum[:]) + "\n" + previous))
		raw, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, line[:])
		if err != nil {
			t.Fatal(err)
		}
		signature := hex.EncodeToString(raw)
		for _, c := range []struct {
			key       *rsa.PrivateKey
			signature string
			ok        bool
		}{{key, signature, true}, {key, strings.ToUpper(signature), true}, {other, signature, false}, {key, signature[2:], false}, {key, "null", false}, {key, "", false}, {key, signature + "00", false}} {
			if err := d.Verify(&c.key.PublicKey, c.signature); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrSignature) {
				t.Errorf("%.20s…: %v", c.signature, err)
			}
		}
	}
}

// Digests as files: one gzip member and nothing behind it, and no more than the limit.
func TestReadDigest(t *testing.T) {
	zipped := packed(t, []byte(digestFull))
	for _, c := range []struct {
		what   string
		stored []byte
		says   string
	}{
		{"packed", zipped, ""}, {"plain", []byte(digestFull), ""},
		{"a second member", append(slices.Clone(zipped), zipped...), "second gzip member"},
		{"bytes behind the end", append(slices.Clone(zipped), 0), "bytes after the end"},
		{"cut off", zipped[:len(zipped)/2], "truncated gzip"},
		{"too large", packed(t, []byte(digestFull+strings.Repeat(" ", 5000))), "digest over"},
		{"nothing", nil, "broken digest"},
	} {
		d, err := ReadDigest(t.Context(), bytes.NewReader(c.stored), digestName, Limits{Record: 5000})
		var fault *ObjectError
		if (c.says == "") != (err == nil && d != nil) || err != nil && (!errors.As(err, &fault) || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}

// The keys of AWS's documentation: their fingerprints are the MD5 of their values, in both forms that it shows; times come as numbers and as texts.
func TestPublicKeys(t *testing.T) {
	const list = `{"PublicKeyList": [
	{"ValidityStartTime": 1453076702.0, "ValidityEndTime": 1455668702.0, "Fingerprint": "7f3f401420072e50a65a141430817ab3",
	 "Value": "MIIBCgKCAQEAlSS3cl92HDycr/MTj0moOhas8habjrraXw+KzlWF0axSI2tcF+3iJ9BKQAVSKxGwxwu3m0wG3J+kUl1xboEcEPHYoIYMbgfSw7KGnuDKwkLzsQWhUJ0cIbOHASox1vv/5fNXkrHhGbDCHeVXm804c83nvHUEFYThr1PfyP/8HwrCtR3FX5OANtQCP61C1nJtSSkC8JSQUOrIP4CuwJjc+4WGDk+BGH5m9iuiAKkipEHWmUl8/P7XpfpWQuk4h8g3pXZOrNXr08lbh4d39svj7UqdhvOXoBISp9t/EXYuePGEtBdrKD9Dz+VHwyUPtBQvYr9BnkF88qBnaPNhS44rzwIDAQAB"},
	{"ValidityStartTime": "1434589370.0", "ValidityEndTime": "1437181370.0", "Fingerprint": "31e8b5433410dfb61a9dc45cc65b22ff",
	 "Value": "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAqlzPJbvZJ42UdcmLfPUqXYNfOs6I8lCfao/tOs8CmzPOEdtLWugB9xoIUz78qVHdKIqxbaG4jWHfJBiOSSFBM0lt8cdVo4TnRa7oG9io5pysS6DJhBBAeXsicufsiFJR+wrUNh8RSLxL4k6G1+BhLX20tJkZ/erT97tDGBujAelqseGg3vPZbTx9SMfOLN65PdLFudLP7Gat0Z9p5jw/rjpclKfo9Bfc3heeBxWGKwBBOKnFAaN9V57pOaosCvPKmHd9bg7jsQkI9Xp22IzGLsTFJZYVA3KiTAElDMu80iFXPHEq9hKNbt9e4URFam+1utKVEiLkR2disdCmPTK0VQIDAQAB"}]}`
	keys, err := ParsePublicKeys([]byte(list))
	if err != nil || len(keys) != 2 {
		t.Fatal(keys, err)
	}
	if keys[0].From.Unix() != 1453076702 || keys[1].To.Unix() != 1437181370 || keys[0].RSA.N.BitLen() != 2048 || keys[1].RSA.N.BitLen() != 2048 {
		t.Errorf("%+v", keys)
	}
	text, err := WritePublicKeys(keys)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := ParsePublicKeys(text); err != nil || !reflect.DeepEqual(again, keys) {
		t.Errorf("written and read: %v, %v", again, err)
	}
	for _, c := range []struct{ old, new, says string }{
		{"7f3f40", "7f3f41", "fingerprint"}, {`"Value": "MIIBCg`, `"Value": "MIIBCQ`, "no RSA key"}, {`"Value": "MIIBCg`, `"Value": "*`, "base64"}, {`"PublicKeyList"`, `"Keys"`, "no PublicKeyList"}, {"{", "[", "no list"},
	} {
		if _, err := ParsePublicKeys([]byte(strings.Replace(list, c.old, c.new, 1))); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.new, err)
		}
	}
}

// FuzzPublicKeys: strangers' files do not panic, and what is taken is an RSA key under its own fingerprint.
func FuzzPublicKeys(f *testing.F) {
	f.Add([]byte(`{"PublicKeyList": [{"Value": "MIIBCgKCAQEA", "Fingerprint": "00", "ValidityStartTime": "1e400"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := ParsePublicKeys(text)
		if err != nil {
			return
		}
		for _, k := range keys {
			if k.RSA == nil || k.RSA.N.BitLen() < 1024 || len(k.Fingerprint) != 32 {
				t.Fatalf("%+v", k)
			}
		}
	})
}

// FuzzReadDigest: strangers' files, packed or not, do not panic, and their digests have no valid signature.
func FuzzReadDigest(f *testing.F) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write([]byte(digestFull))
	_ = z.Close()
	f.Add(zipped.Bytes(), "00")
	f.Add([]byte(digestFull), "null")
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, stored []byte, signature string) {
		d, err := ReadDigest(t.Context(), bytes.NewReader(stored), digestName, Limits{Record: 1 << 16})
		if err == nil && d.Verify(&key.PublicKey, signature) == nil {
			t.Fatalf("%q is a signature of %q", signature, stored)
		}
	})
}
