package cloudtrail

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// Digest is a log file validation digest: what CloudTrail says it delivered for an account and region in a span of time, as a rule an
// hour. Nothing of it is verified but by Verify. Times are microseconds; what the digest does not have is zero.
type Digest struct {
	Account, Region, Trail string // as far as the content, its key and its name tell
	Start, End             int64  // of delivery
	EndText                string // the end as it is written, which is signed
	Bucket, Object         string // where CloudTrail put the digest
	PreviousBucket         string
	PreviousObject         string // the digest before it; "": a chain begins
	PreviousHash           string // SHA-256 of that one's content, hex
	PreviousSignature      string // of that one, hex
	Fingerprint            string // of the public key
	Backfill               bool   // by its name
	Logs                   []DigestLog
	SHA256                 [32]byte // of the content
}

// DigestLog is a log file that a digest names.
type DigestLog struct {
	Bucket, Object string
	Hash           string // SHA-256 of the content, hex
	Oldest, Newest int64  // event times; 0 where the digest gives none
}

// digest reads the digest that the object at hand is. If its content is not held, it is opened again. An *ObjectError says what
// is wrong with it.
func (d *decoder) digest(ctx context.Context, open func() (io.ReadCloser, error), w *walk, obj Object, name string, held bool) (Object, error) {
	if obj.ContentSize > d.limits.Record {
		return obj, &ObjectError{Reason: fmt.Sprintf("digest over %d bytes", d.limits.Record)}
	}
	if !held {
		body, err := open()
		if err != nil {
			return Object{}, err
		}
		defer body.Close()
		if err := d.start(ctx, body); err != nil {
			return Object{}, err
		}
		whole := d.win.fill(d.limits.Record)
		again, err := d.finish(w)
		if err == nil && (!whole || again.SHA256 != obj.SHA256) {
			err = fmt.Errorf("%s changed between two readings", name)
		}
		if err != nil {
			return Object{}, err
		}
	}
	r := digestReader{scanner: scanner{b: d.win.bytes(), depth: d.limits.Depth}}
	digest, fault := r.read(name)
	if fault != nil {
		return obj, fault
	}
	obj.Digest = digest
	return obj, nil
}

// The keys of a digest whose values are texts or null, by their place in digestReader.values.
const (
	digestAccount = iota
	digestStart
	digestEnd
	digestBucket
	digestObject
	digestFingerprint
	digestPreviousObject
	digestPreviousHash
	digestPreviousBucket
	digestPreviousSignature
)

var digestKeys = [...]string{
	"awsAccountId", keyDigestStart, "digestEndTime", "digestS3Bucket", keyDigestObject, "digestPublicKeyFingerprint",
	"previousDigestS3Object", "previousDigestHashValue", "previousDigestS3Bucket", "previousDigestSignature",
}

// The keys of a log file in a digest.
const (
	logObject = iota
	logHash
	logOldest
	logNewest
	logBucket
)

var digestLogKeys = [...]string{"s3Object", "hashValue", "oldestEventTime", "newestEventTime", "s3Bucket"}

// digestReader reads a digest's content: one JSON object with white space around it at most. Keys it does not know may hold anything.
type digestReader struct {
	scanner
	out []byte // the last text that had escapes
}

func (r *digestReader) read(name string) (*Digest, *ObjectError) {
	text := r.b[:len(r.b)-pad]
	if !utf8.Valid(text) {
		return nil, &ObjectError{Reason: "broken digest", Err: errors.New("the content is no UTF-8")}
	}
	d := &Digest{SHA256: sha256.Sum256(text)}
	var values [len(digestKeys)]string
	listed := false
	i := r.object(r.space(0), digestKeys[:], values[:], func(key []byte, i int) int {
		if string(key) != "logFiles" {
			return r.value(i, 1)
		}
		if listed {
			return r.fail(i, "logFiles comes twice")
		}
		listed = true
		return r.list(i, d)
	})
	if i >= 0 {
		if i = r.space(i); i < len(text) {
			i = r.fail(i, "something follows the JSON object")
		}
	}
	var why string
	switch {
	case i < 0:
		why = r.fault.why
	case !listed:
		why = "logFiles is missing"
	case values[digestObject] == "":
		why = keyDigestObject + " is missing"
	default:
		why = d.take(values[:], name)
	}
	if why != "" {
		return nil, &ObjectError{Reason: "broken digest", Offset: int64(max(r.fault.at, 0)), Err: errors.New(why)}
	}
	return d, nil
}

// take takes over the texts, and returns what is wrong with them, "" if nothing is.
func (d *Digest) take(values []string, name string) string {
	var ok1, ok2 bool
	d.Start, ok1 = parseInstant([]byte(values[digestStart]))
	d.End, ok2 = parseInstant([]byte(values[digestEnd]))
	switch {
	case !ok1:
		return keyDigestStart + " is missing or no time"
	case !ok2:
		return "digestEndTime is missing or no time"
	case d.End <= d.Start:
		return "the digest ends before it begins"
	}
	d.Bucket, d.Object, d.Fingerprint = values[digestBucket], values[digestObject], values[digestFingerprint]
	d.EndText = values[digestEnd]
	d.PreviousBucket, d.PreviousObject = values[digestPreviousBucket], values[digestPreviousObject]
	d.PreviousHash, d.PreviousSignature = values[digestPreviousHash], values[digestPreviousSignature]
	// What CloudTrail called the digest says more than the name of a copy.
	key, copied := ParseName(d.Object), ParseName(name)
	if key.Kind != KindDigest {
		key = ObjectName{}
	}
	d.Account, d.Region = cmp.Or(key.Account, copied.Account), cmp.Or(key.Region, copied.Region)
	if isAccount(values[digestAccount]) {
		d.Account = values[digestAccount]
	}
	if d.Trail, d.Backfill = trailOf(path.Base(d.Object)); d.Trail == "" {
		d.Trail, d.Backfill = trailOf(path.Base(name))
	}
	return ""
}

// trailOf reads the parts of a digest's file name that ParseName leaves out:
// ACCOUNT_CloudTrail-Digest_REGION_TRAIL_REGION_STAMP[_backfill].json.gz.
func trailOf(file string) (trail string, backfill bool) {
	stem, _, _ := strings.Cut(file, ".")
	stem, backfill = strings.CutSuffix(stem, "_backfill")
	words := strings.Split(stem, "_")
	if n := len(words); n >= 6 && kindOf(words[1]) == KindDigest && words[n-2] == words[2] {
		trail = strings.Join(words[3:n-2], "_")
	}
	return trail, backfill
}

// list reads the array of log files.
func (r *digestReader) list(i int, d *Digest) int {
	if r.b[i] != '[' {
		return r.fail(i, "logFiles is no array")
	}
	if i = r.space(i + 1); r.b[i] == ']' {
		return i + 1
	}
	for {
		var values [len(digestLogKeys)]string
		at := i
		if i = r.object(i, digestLogKeys[:], values[:], func(_ []byte, i int) int { return r.value(i, 3) }); i < 0 {
			return -1
		}
		l := DigestLog{Bucket: values[logBucket], Object: values[logObject], Hash: values[logHash]}
		if l.Object == "" || l.Hash == "" {
			return r.fail(at, "a log file has no s3Object or no hashValue")
		}
		l.Oldest, _ = parseInstant([]byte(values[logOldest]))
		l.Newest, _ = parseInstant([]byte(values[logNewest]))
		d.Logs = append(d.Logs, l)
		switch i = r.space(i); r.b[i] {
		case ',':
			i = r.space(i + 1)
		case ']':
			return i + 1
		default:
			return r.fail(i, "a comma or a closing bracket is missing")
		}
	}
}

// object reads an object: the texts of keys into values, null as "", and other members by calling other.
func (r *digestReader) object(i int, keys []string, values []string, other func(key []byte, i int) int) int {
	if r.b[i] != '{' {
		return r.fail(i, "no JSON object")
	}
	var seen uint64
	if i = r.space(i + 1); r.b[i] == '}' {
		return i + 1
	}
	for {
		if r.b[i] != '"' {
			return r.fail(i, "a key is missing")
		}
		start := i
		if i = r.str(i); i < 0 {
			return -1
		}
		key := r.unescaped(start+1, i-1)
		if i = r.space(i); r.b[i] != ':' {
			return r.fail(i, "a colon is missing")
		}
		i = r.space(i + 1)
		if n := slices.Index(keys, string(key)); n < 0 {
			i = other(key, i)
		} else if seen&(1<<n) != 0 {
			return r.fail(start, keys[n]+" comes twice")
		} else {
			seen |= 1 << n
			i = r.textOf(i, keys[n], &values[n])
		}
		if i < 0 {
			return -1
		}
		switch i = r.space(i); r.b[i] {
		case ',':
			i = r.space(i + 1)
		case '}':
			return i + 1
		default:
			return r.fail(i, "a comma or a closing bracket is missing")
		}
	}
}

func (r *digestReader) textOf(i int, key string, into *string) int {
	switch r.b[i] {
	case 'n':
		return r.literal(i, "null")
	case '"':
		end := r.str(i)
		if end >= 0 {
			*into = string(r.unescaped(i+1, end-1))
		}
		return end
	}
	return r.fail(i, key+" is no text")
}

// unescaped returns the text of the string that str has just read; valid until the next call.
func (r *digestReader) unescaped(from, to int) []byte {
	if !r.esc {
		return r.b[from:to]
	}
	r.out = appendUnescaped(r.out[:0], r.b[from:to], false)
	return r.out
}
