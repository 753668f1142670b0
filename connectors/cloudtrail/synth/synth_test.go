package synth

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
)

var small = Options{Seed: 7, Events: 4000, Days: 3, Incident: true, Faults: true}

func collect(t *testing.T, opt Options) ([]Object, *Truth) {
	t.Helper()
	var objects []Object
	truth, err := Generate(context.Background(), opt, func(o Object) error {
		objects = append(objects, o)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return objects, truth
}

// TestTruthCountsWhatIsThere reads the trail with encoding/json and counts what the truth file claims.
func TestTruthCountsWhatIsThere(t *testing.T) {
	objects, truth := collect(t, small)
	records, damaged, digests := 0, 0, 0
	distinct := map[string]bool{}
	ids := map[string]bool{}
	kinds := map[string]bool{}
	for _, o := range objects {
		kinds[strings.Split(o.Name, "/")[3]] = true
		z, err := gzip.NewReader(bytes.NewReader(o.Data))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(z)
		if err != nil {
			damaged++
			continue
		}
		if strings.Contains(o.Name, "CloudTrail-Digest") {
			digests++
			continue
		}
		var file struct{ Records []json.RawMessage }
		if err := json.Unmarshal(text, &file); err != nil {
			t.Fatalf("%s: %v", o.Name, err)
		}
		for _, raw := range file.Records {
			records++
			distinct[string(raw)] = true
			var e struct{ EventID string }
			if err := json.Unmarshal(raw, &e); err != nil {
				t.Fatal(err)
			}
			ids[e.EventID] = true
		}
	}
	rows := 0
	for _, n := range truth.Rows {
		rows += n
	}
	if len(objects) != truth.Objects || records != truth.Records || digests != truth.Digests || damaged != len(truth.Damaged) ||
		len(distinct) != rows || records != rows+truth.Duplicates {
		t.Errorf("trail: %d objects, %d digests, %d damaged, %d records, %d distinct; truth: %d, %d, %d, %d, %d + %d duplicates",
			len(objects), digests, damaged, records, len(distinct), truth.Objects, truth.Digests, len(truth.Damaged), truth.Records, rows, truth.Duplicates)
	}
	if damaged != 1 || truth.Duplicates == 0 {
		t.Errorf("%d damaged objects, %d duplicates: the faults are not planted", damaged, truth.Duplicates)
	}
	for _, kind := range []string{"CloudTrail", "CloudTrail-Insight", "CloudTrail-NetworkActivity", "CloudTrail-Aggregated", "CloudTrail-Digest"} {
		if !kinds[kind] {
			t.Errorf("no object of kind %s", kind)
		}
	}
	for what, list := range truth.Events {
		for _, id := range list {
			if !ids[id] {
				t.Errorf("%s names event %s, which is not in the trail", what, id)
			}
		}
	}
	for _, what := range []string{"unauthorized", "console_login_no_mfa", "root_use", "iam_policy_change", "trail_change", "console_login_failed",
		"kms_key_disabled", "s3_policy_change", "config_change", "security_group_change", "network_acl_change", "gateway_change", "route_change",
		"vpc_change", "organizations_change", "security_group_rules_modified", "incident", "role_chain"} {
		if len(truth.Events[what]) == 0 {
			t.Errorf("the incident shows nothing under %s", what)
		}
	}
}

func TestEqualOptionsGiveEqualBytes(t *testing.T) {
	hash := func(opt Options) string {
		objects, _ := collect(t, opt)
		h := sha256.New()
		for _, o := range objects {
			h.Write([]byte(o.Name))
			h.Write(o.Data)
		}
		return string(h.Sum(nil))
	}
	other := small
	other.Seed++
	if once := hash(small); once != hash(small) || once == hash(other) {
		t.Error("a trail must depend on its seed and on nothing else")
	}
}

func TestWithoutIncident(t *testing.T) {
	opt := small
	opt.Incident = false
	_, truth := collect(t, opt)
	if truth.Incident != nil || len(truth.Events["incident"]) > 0 || len(truth.Events["trail_change"]) > 0 || len(truth.Events["root_use"]) > 0 {
		t.Errorf("an ordinary week has no %v", truth.Events["incident"])
	}
	// Each chore is dealt once, however many days there are: all 16 names of the control on IAM policies, and 4 of other services.
	if n := len(truth.Events["iam_policy_change"]); n < 20 {
		t.Errorf("%d changes of IAM policies in an ordinary week, want 20 or more", n)
	}
}

func TestGenerateStops(t *testing.T) {
	full := errors.New("disk full")
	if _, err := Generate(context.Background(), small, func(Object) error { return full }); !errors.Is(err, full) {
		t.Errorf("got %v, want the error of emit", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Generate(ctx, small, func(Object) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

// A signed trail is the unsigned one but for its digests: each is signed with the one key, holds hash and signature of the one before it
// in its account and region, from day to day, and together they name every log file that is delivered before the end.
func TestSigned(t *testing.T) {
	opt := small
	plain, truth := collect(t, opt)
	opt.Sign = true
	objects, truth2 := collect(t, opt)
	if truth.Objects != truth2.Objects || truth.Digests != truth2.Digests || len(plain) != len(objects) {
		t.Fatalf("%d objects, unsigned %d", len(objects), len(plain))
	}
	text, err := PublicKeys(opt)
	if err != nil {
		t.Fatal(err)
	}
	var keys struct {
		PublicKeyList []struct {
			Fingerprint string
			Value       []byte
		}
	}
	if err := json.Unmarshal(text, &keys); err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKCS1PublicKey(keys.PublicKeyList[0].Value)
	if err != nil {
		t.Fatal(err)
	}
	type digest struct {
		DigestEndTime, DigestS3Object, PreviousDigestS3Object, PreviousDigestHashValue, PreviousDigestSignature, DigestPublicKeyFingerprint string
		LogFiles                                                                                                                            []struct{ S3Object, HashValue string }
	}
	last := map[string]digest{}
	hashes, signatures := map[string]string{}, map[string]string{}
	logs, named := map[string]string{}, map[string]string{}
	for i, o := range objects {
		if o.Name != plain[i].Name {
			t.Fatalf("%s, unsigned %s", o.Name, plain[i].Name)
		}
		if !strings.Contains(o.Name, "/CloudTrail-Digest/") {
			if !bytes.Equal(o.Data, plain[i].Data) || o.Metadata != nil {
				t.Fatalf("%s differs", o.Name)
			}
			if strings.Contains(o.Name, "/CloudTrail/") {
				content, _ := io.ReadAll(unzip(t, o.Data))
				sum := sha256.Sum256(content)
				logs[o.Name] = hex.EncodeToString(sum[:])
			}
			continue
		}
		content, err := io.ReadAll(unzip(t, o.Data))
		if err != nil {
			t.Fatal(err)
		}
		var d digest
		if err := json.Unmarshal(content, &d); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(content)
		hashes[o.Name], signatures[o.Name] = hex.EncodeToString(sum[:]), o.Metadata["signature"]
		unit := strings.Join(strings.Split(o.Name, "/")[:5], "/")
		before, linked := last[unit]
		if d.PreviousDigestS3Object != before.DigestS3Object || linked && (d.PreviousDigestHashValue != hashes[before.DigestS3Object] || d.PreviousDigestSignature != signatures[before.DigestS3Object]) {
			t.Fatalf("%s is linked to %q", o.Name, d.PreviousDigestS3Object)
		}
		last[unit] = d
		signature, _ := hex.DecodeString(o.Metadata["signature"])
		line := sha256.Sum256([]byte(d.DigestEndTime + "\ntrail-archive/" + o.Name + "\n" + hashes[o.Name] + "\n" + cmp.Or(d.PreviousDigestSignature, "null")))
		if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, line[:], signature); err != nil || d.DigestPublicKeyFingerprint != keys.PublicKeyList[0].Fingerprint {
			t.Fatalf("%s: %v", o.Name, err)
		}
		for _, l := range d.LogFiles {
			named[l.S3Object] = l.HashValue
		}
	}
	for name, hash := range named {
		if logs[name] != hash {
			t.Errorf("%s is named with %s, has %s", name, hash, logs[name])
		}
	}
	end := opt.withDefaults().Start.AddDate(0, 0, opt.Days).Format("/2006/01/02/")
	for name := range logs {
		if named[name] == "" && !strings.Contains(name, end) && !slices.Contains(truth2.Damaged, name) {
			t.Errorf("no digest names %s", name)
		}
	}
	if again, _ := PublicKeys(opt); !bytes.Equal(again, text) {
		t.Error("another key at the second time")
	}
}

func unzip(t *testing.T, data []byte) io.Reader {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return z
}
