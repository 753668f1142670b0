package cloudtrail

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
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
		Bucket: "b", Object: digestName, PreviousObject: "p", PreviousHash: "00ff", Fingerprint: "31e8b5433410dfb61a9dc45cc65b22ff",
		Logs: []DigestLog{{"AWSLogs/x_1.json.gz", "12ab", micros(t, "2024-01-02T03:00:00Z"), micros(t, "2024-01-02T03:05:00Z")}, {"AWSLogs/x_2.json.gz", "34cd", 0, 0}}}
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
