package cloudtrail

import (
	"cmp"
	"context"
	"crypto"
	"crypto/md5" //nolint:gosec // CloudTrail's fingerprints of its keys are MD5; what holds is the signature
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// SignatureAlgorithm is the only one that CloudTrail signs digests with.
const SignatureAlgorithm = "SHA256withRSA"

// ReadDigest reads a digest file, stored packed or not, with as much as Limits.Record of content. What is wrong with it is an *ObjectError:
// anything behind the one gzip member too. Other errors are of reading. name decides as in Decode.
func ReadDigest(ctx context.Context, stored io.Reader, name string, limits Limits) (*Digest, error) {
	d := &decoder{limits: limits.withDefaults()}
	obj, err := d.hash(ctx, stored, d.limits.Record+1)
	if err != nil {
		return nil, err
	}
	if obj.ContentSize > d.limits.Record {
		return nil, &ObjectError{Reason: fmt.Sprintf("digest over %d bytes", d.limits.Record)}
	}
	r := digestReader{scanner: scanner{b: d.win.bytes(), depth: d.limits.Depth}}
	digest, fault := r.read(name)
	if fault != nil {
		return nil, fault
	}
	return digest, nil
}

// Hash reads an object for its sizes and hashes alone. A fault of its packing is an *ObjectError, beside what could be told.
func Hash(ctx context.Context, stored io.Reader, limits Limits) (Object, error) {
	d := &decoder{limits: limits.withDefaults()}
	return d.hash(ctx, stored, 0)
}

// hash reads an object to its end, and holds so many bytes of its content.
func (d *decoder) hash(ctx context.Context, stored io.Reader, held int64) (Object, error) {
	if err := d.start(ctx, stored); err != nil {
		return Object{}, err
	}
	if held > 0 {
		d.win.fill(held)
	}
	obj, err := d.finish(&walk{decoder: d})
	if err == nil && d.source.fault != nil {
		err = d.source.fault
	}
	return obj, err
}

// ErrSignature says that a signature is not one of the digest by the key.
var ErrSignature = errors.New("signature verification failed")

// Verify checks the signature of a digest, hex in either case: RSA with PKCS#1 v1.5 padding over the SHA-256 of its end, its place,
// the hash of its content and the signature of the digest before it, each on a line.
func (d *Digest) Verify(key *rsa.PublicKey, signature string) error {
	by, err := hex.DecodeString(signature)
	if err != nil {
		return fmt.Errorf("%w: it is not hexadecimal", ErrSignature)
	}
	line := sha256.Sum256([]byte(d.EndText + "\n" + d.Bucket + "/" + d.Object + "\n" + hex.EncodeToString(d.SHA256[:]) + "\n" + cmp.Or(d.PreviousSignature, "null")))
	if rsa.VerifyPKCS1v15(key, crypto.SHA256, line[:], by) != nil {
		return ErrSignature
	}
	return nil
}

// PublicKey is one of the keys by which CloudTrail's digests of a region are verified.
type PublicKey struct {
	Fingerprint string // MD5 of DER, hex
	From, To    time.Time
	DER         []byte
	RSA         *rsa.PublicKey
}

// NewPublicKey reads a key as CloudTrail gives it: DER in the form of PKCS#1, in older answers of PKIX. Its fingerprint must be its own.
func NewPublicKey(fingerprint string, der []byte, from, to time.Time) (PublicKey, error) {
	key, err := x509.ParsePKCS1PublicKey(der)
	if err != nil {
		other, err2 := x509.ParsePKIXPublicKey(der)
		if key, _ = other.(*rsa.PublicKey); err2 != nil || key == nil {
			return PublicKey{}, fmt.Errorf("key %s is no RSA key: %w", fingerprint, err)
		}
	}
	if bits := key.N.BitLen(); bits < 1024 || bits > 8192 {
		return PublicKey{}, fmt.Errorf("key %s has %d bits", fingerprint, bits)
	}
	sum := md5.Sum(der) //nolint:gosec // as above
	if own := hex.EncodeToString(sum[:]); !strings.EqualFold(own, fingerprint) {
		return PublicKey{}, fmt.Errorf("the key that is said to have fingerprint %s has %s", fingerprint, own)
	}
	return PublicKey{strings.ToLower(fingerprint), from, to, der, key}, nil
}

// publicKeys is what `aws cloudtrail list-public-keys` prints. Times are seconds, as numbers or texts, or in ISO 8601.
type publicKeys struct {
	PublicKeyList []publicKeyText
}

type publicKeyText struct {
	Fingerprint       string
	Value             string
	ValidityStartTime any
	ValidityEndTime   any
}

// ParsePublicKeys reads keys in the form that `aws cloudtrail list-public-keys` prints, and that WritePublicKeys writes.
func ParsePublicKeys(text []byte) ([]PublicKey, error) {
	var list publicKeys
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("no list of public keys, as `aws cloudtrail list-public-keys` prints it: %w", err)
	}
	if list.PublicKeyList == nil {
		return nil, errors.New("no PublicKeyList, as `aws cloudtrail list-public-keys` prints it")
	}
	keys := make([]PublicKey, 0, len(list.PublicKeyList))
	for _, k := range list.PublicKeyList {
		der, err := base64.StdEncoding.DecodeString(k.Value)
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", k.Fingerprint, err)
		}
		key, err := NewPublicKey(k.Fingerprint, der, validity(k.ValidityStartTime), validity(k.ValidityEndTime))
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// WritePublicKeys writes keys in the form that ParsePublicKeys reads.
func WritePublicKeys(keys []PublicKey) ([]byte, error) {
	list := publicKeys{PublicKeyList: []publicKeyText{}}
	for _, k := range keys {
		list.PublicKeyList = append(list.PublicKeyList, publicKeyText{k.Fingerprint, base64.StdEncoding.EncodeToString(k.DER), k.From.UTC().Format(time.RFC3339), k.To.UTC().Format(time.RFC3339)})
	}
	text, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("public keys: %w", err)
	}
	return append(text, '\n'), nil
}

// validity reads a time of a key; the zero time where it is none: it says when a key may be asked for, nothing else.
func validity(v any) time.Time {
	switch v := v.(type) {
	case float64:
		if v > 0 && v < 1e11 {
			return time.Unix(int64(v), 0).UTC()
		}
	case string:
		if t, err := time.Parse(time.RFC3339, v); err == nil {
			return t.UTC()
		}
		if seconds, err := strconv.ParseFloat(v, 64); err == nil {
			return validity(seconds)
		}
	}
	return time.Time{}
}
