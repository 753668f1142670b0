package synth

import (
	"crypto"
	"crypto/md5" //nolint:gosec // CloudTrail's fingerprints of its keys are MD5
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"time"
)

// signer signs the digests of a trail as CloudTrail does, and links each to the one before it in its account and region.
type signer struct {
	key         *rsa.PrivateKey
	fingerprint string
	last        map[chain]signed
	late        map[hour][]string // log files of a day that are delivered on the next one: by account and region, and its hour
}

type chain struct{ account, region string }

// signed is what a digest says of the one before it.
type signed struct{ name, hash, signature string }

func newSigner(opt Options) (*signer, error) {
	key, err := seededKey(opt.Seed)
	if err != nil {
		return nil, err
	}
	sum := md5.Sum(x509.MarshalPKCS1PublicKey(&key.PublicKey)) //nolint:gosec // as above
	return &signer{key, hex.EncodeToString(sum[:]), map[chain]signed{}, map[hour][]string{}}, nil
}

// PublicKeys is the key that signs the digests of a trail with these options, in the form that `aws cloudtrail list-public-keys` prints.
func PublicKeys(opt Options) ([]byte, error) {
	opt = opt.withDefaults()
	s, err := newSigner(opt)
	if err != nil {
		return nil, err
	}
	type publicKey struct {
		Fingerprint       string
		Value             string
		ValidityStartTime string
		ValidityEndTime   string
	}
	text, err := json.MarshalIndent(map[string][]publicKey{"PublicKeyList": {{s.fingerprint, base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PublicKey(&s.key.PublicKey)),
		opt.Start.Format(time.RFC3339), opt.Start.AddDate(0, 0, opt.Days+1).Format(time.RFC3339)}}}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("the public key: %w", err)
	}
	return append(text, '\n'), nil
}

// seededKey makes the RSA key of a seed: rsa.GenerateKey draws from the system whatever it is given.
func seededKey(seed uint64) (*rsa.PrivateKey, error) {
	r := rand.New(rand.NewPCG(seed, 0x5167))
	one, e := big.NewInt(1), big.NewInt(65537)
	prime := func() *big.Int {
		b := make([]byte, 128)
		for {
			for i := range b {
				b[i] = byte(r.Uint32())
			}
			b[0], b[127] = b[0]|0xC0, b[127]|1 // so that the product has all its bits
			p := new(big.Int).SetBytes(b)
			if p.ProbablyPrime(0) && new(big.Int).GCD(nil, nil, e, new(big.Int).Sub(p, one)).Cmp(one) == 0 {
				return p
			}
		}
	}
	p, q := prime(), prime()
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	key := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: 65537}, D: new(big.Int).ModInverse(e, phi), Primes: []*big.Int{p, q}}
	key.Precompute()
	if err := key.Validate(); err != nil {
		return nil, fmt.Errorf("the key of seed %d: %w", seed, err)
	}
	return key, nil
}

// digest is the digest of an hour, with its signature as metadata.
func (s *signer) digest(d *day, region string, hour int, logs []string) (Object, error) {
	start, end, name := d.span(region, hour)
	at := chain{d.a.id, region}
	previous := [...]string{"null", "null", "null", "null", "null"} // as where a chain begins
	signature := "null"
	if last, ok := s.last[at]; ok {
		previous = [...]string{quote("trail-archive"), quote(last.name), quote(last.hash), quote("SHA-256"), quote(last.signature)}
		signature = last.signature
	}
	text := fmt.Sprintf(`{"awsAccountId":%q,"digestStartTime":%q,"digestEndTime":%q,"digestS3Bucket":"trail-archive","digestS3Object":%q,"digestPublicKeyFingerprint":%q,"digestSignatureAlgorithm":"SHA256withRSA","newestEventTime":null,"oldestEventTime":null,"previousDigestS3Bucket":%s,"previousDigestS3Object":%s,"previousDigestHashValue":%s,"previousDigestHashAlgorithm":%s,"previousDigestSignature":%s,"logFiles":[%s]}`,
		d.a.id, iso(start), iso(end), name, s.fingerprint, previous[0], previous[1], previous[2], previous[3], previous[4], strings.Join(logs, ","))
	sum := sha256.Sum256([]byte(text))
	hash := hex.EncodeToString(sum[:])
	line := sha256.Sum256([]byte(iso(end) + "\ntrail-archive/" + name + "\n" + hash + "\n" + signature))
	by, err := rsa.SignPKCS1v15(nil, s.key, crypto.SHA256, line[:])
	if err != nil {
		return Object{}, fmt.Errorf("signing %s: %w", name, err)
	}
	data, err := zip([]byte(text))
	if err != nil {
		return Object{}, err
	}
	s.last[at] = signed{name, hash, hex.EncodeToString(by)}
	return Object{Name: name, Data: data, Metadata: map[string]string{"signature": hex.EncodeToString(by), "signature-algorithm": "SHA256withRSA"}}, nil
}
