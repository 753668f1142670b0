package verify

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto"
	"crypto/md5"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/cloudtrail"
)

var (
	chains    = flag.Int("chains", 20, "generated chains of digests")
	firstSeed = flag.Uint64("first", 1, "seed of the first chain")
	validator = flag.String("validator", "", "a python that has the AWS CLI, whose validator judges the chains too")
)

// signingKeys are made once: two that are public, and one that nobody knows.
var signingKeys = sync.OnceValue(func() (keys [3]*rsa.PrivateKey) {
	for i := range keys {
		key, err := rsa.GenerateKey(rand.Reader, 1024)
		if err != nil {
			panic(err)
		}
		keys[i] = key
	}
	return keys
})

func derOf(k *rsa.PrivateKey) []byte { return x509.MarshalPKCS1PublicKey(&k.PublicKey) }

func fingerprint(k *rsa.PrivateKey) string {
	sum := md5.Sum(derOf(k))
	return hex.EncodeToString(sum[:])
}

// stored is an object of a bucket.
type stored struct {
	data     []byte
	metadata map[string]string
}

// archived is a generated archive with a chain of digests: objects by bucket/key.
type archived struct {
	seed     uint64
	objects  map[string]*stored
	bucket   string // of the newest digest
	prefix   string
	from, to time.Time
	plain    bool // without metadata
	faults   []string
	differs  map[string]string // where the AWS CLI is known to judge otherwise, and why
	digests  []string          // bucket/key, from the oldest
	files    map[string][]string
	unlinked []string // digests whose hash is not what the next one says
}

const trailAccount = "111122223333"

// generateArchive makes a chain, an own one of backfill digests beside it, and plants faults.
func generateArchive(seed uint64) *archived {
	r := mathrand.New(mathrand.NewPCG(seed, 99))
	keys := signingKeys()
	a := &archived{seed: seed, objects: map[string]*stored{}, bucket: "trail-a", differs: map[string]string{}, files: map[string][]string{}, plain: r.IntN(4) == 0}
	if r.IntN(3) == 0 {
		a.prefix = "some/prefix"
	}
	fault := func(name string, of int) bool {
		if r.IntN(of) > 0 {
			return false
		}
		a.faults = append(a.faults, name)
		return true
	}
	start := time.Date(2026, 3, 1, 20, 0, 0, 0, time.UTC)
	hours := 4 + r.IntN(9)
	if seed%100 == 7 {
		hours = 200
	}
	folder := func(kind string, at time.Time) string {
		p := "AWSLogs/" + trailAccount + "/" + kind + "/us-east-1/" + at.Format("2006/01/02") + "/"
		if a.prefix != "" {
			p = a.prefix + "/" + p
		}
		return p
	}
	unique := 0
	build := func(backfill bool, hours []int) {
		var previousBucket, previousKey, previousHash, previousSignature string
		linked := false
		for n, h := range hours {
			begin := start.Add(time.Duration(h) * time.Hour)
			end := begin.Add(time.Hour)
			if n > 0 && !backfill && a.bucket == "trail-a" && fault("bucket change", 15) {
				a.bucket = "trail-b"
			}
			if n > 0 && (h != hours[n-1]+1 && !backfill || fault("starting digest", 25)) {
				linked = false
			}
			suffix := ""
			if backfill {
				suffix = "_backfill"
			}
			key := folder("CloudTrail-Digest", end) + trailAccount + "_CloudTrail-Digest_us-east-1_main_us-east-1_" + end.Format("20060102T150405Z") + suffix + ".json.gz"
			by := keys[r.IntN(2)]
			if fault("key missing", 40) {
				by = keys[2]
			}
			logs := []map[string]any{}
			var names []string
			for range r.IntN(4) {
				unique++
				at := begin.Add(time.Duration(r.IntN(60)) * time.Minute)
				name := folder("CloudTrail", at) + trailAccount + "_CloudTrail_us-east-1_" + at.Format("20060102T1504Z") + fmt.Sprintf("_%016d.json.gz", unique)
				text := fmt.Sprintf(`{"Records":[{"eventVersion":"1.08","eventTime":%q,"eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"us-east-1","recipientAccountId":%q,"eventID":"%d"}]}`,
					at.Format(time.RFC3339), trailAccount, unique)
				sum := sha256.Sum256([]byte(text))
				hash := hex.EncodeToString(sum[:])
				if fault("upper-case hash", 60) {
					hash = strings.ToUpper(hash)
					a.differs[a.bucket+"/"+name] = "hexadecimal digits in upper case are the same number; the CLI compares texts"
				}
				logs = append(logs, map[string]any{"s3Bucket": a.bucket, "s3Object": name, "hashValue": hash, "hashAlgorithm": "SHA-256", "newestEventTime": at.Format(time.RFC3339), "oldestEventTime": at.Format(time.RFC3339)})
				a.objects[a.bucket+"/"+name] = &stored{data: gzipped(text)}
				names = append(names, a.bucket+"/"+name)
			}
			d := map[string]any{"awsAccountId": trailAccount, "digestStartTime": begin.Format(time.RFC3339), "digestEndTime": end.Format(time.RFC3339), "digestS3Bucket": a.bucket, "digestS3Object": key,
				"digestPublicKeyFingerprint": fingerprint(by), "digestSignatureAlgorithm": "SHA256withRSA", "newestEventTime": nil, "oldestEventTime": nil, "logFiles": logs,
				"previousDigestS3Bucket": nil, "previousDigestS3Object": nil, "previousDigestHashValue": nil, "previousDigestHashAlgorithm": nil, "previousDigestSignature": nil}
			last := "null"
			if linked {
				d["previousDigestS3Bucket"], d["previousDigestS3Object"], d["previousDigestHashValue"] = previousBucket, previousKey, previousHash
				d["previousDigestHashAlgorithm"], d["previousDigestSignature"] = "SHA-256", previousSignature
				last = previousSignature
				if fault("link to another hash", 50) {
					d["previousDigestHashValue"] = strings.Repeat("0", 64)
					a.unlinked = append(a.unlinked, previousBucket+"/"+previousKey)
				}
			}
			raw, _ := json.Marshal(d)
			text := strings.ReplaceAll(string(raw), "/", `\/`) // as CloudTrail writes them
			hash, signature := signed(by, end, a.bucket+"/"+key, text, last)
			metadata := map[string]string{"signature": signature, "signature-algorithm": "SHA256withRSA"}
			if backfill {
				metadata["backfill-generation-timestamp"] = end.Add(30 * time.Hour).Format(time.RFC3339)
			}
			if fault("upper-case signature", 40) {
				metadata["signature"] = strings.ToUpper(signature)
			}
			a.objects[a.bucket+"/"+key] = &stored{gzipped(text), metadata}
			a.digests = append(a.digests, a.bucket+"/"+key)
			a.files[a.bucket+"/"+key] = names
			previousBucket, previousKey, previousHash, previousSignature, linked = a.bucket, key, hash, signature, true
		}
	}
	if fault("backfill", 4) {
		build(true, []int{1 + r.IntN(2), 3})
	}
	a.bucket = "trail-a"
	gap := -1
	if fault("gap", 6) {
		gap = 2 + r.IntN(hours-2)
	}
	var list []int
	for h := range hours {
		if gap >= 0 && h >= gap {
			h += 3
		}
		list = append(list, h)
	}
	build(false, list)
	a.from, a.to = start, start.Add(time.Duration(list[len(list)-1]+1)*time.Hour)
	if fault("period", 5) {
		a.from = a.from.Add(time.Duration(1+r.IntN(2))*time.Hour + time.Duration(r.IntN(2)*1800)*time.Second)
	}
	a.plant(r, fault)
	if a.plain {
		for _, o := range a.objects {
			o.metadata = nil
		}
	}
	return a
}

func signed(by *rsa.PrivateKey, end time.Time, place, text, previous string) (hash, signature string) {
	sum := sha256.Sum256([]byte(text))
	hash = hex.EncodeToString(sum[:])
	line := sha256.Sum256([]byte(end.Format(time.RFC3339) + "\n" + place + "\n" + hash + "\n" + previous))
	raw, err := rsa.SignPKCS1v15(nil, by, crypto.SHA256, line[:])
	if err != nil {
		panic(err)
	}
	return hash, hex.EncodeToString(raw)
}

func gzipped(text string) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return out.Bytes()
}

func gunzipped(data []byte) string {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return ""
	}
	text, _ := io.ReadAll(z)
	return string(text)
}

// plant plants faults in what was delivered.
func (a *archived) plant(r *mathrand.Rand, fault func(string, int) bool) {
	keys := signingKeys()
	pick := func() string { return a.digests[r.IntN(len(a.digests))] }
	if fault("digest missing", 8) {
		delete(a.objects, pick())
	}
	if name := pick(); a.objects[name] != nil && fault("digest altered", 10) {
		a.objects[name].data = gzipped(strings.Replace(gunzipped(a.objects[name].data), `"logFiles"`, `"x":1,"logFiles"`, 1))
	}
	if name := pick(); a.objects[name] != nil && fault("re-signed", 10) {
		text := strings.Replace(gunzipped(a.objects[name].data), `"logFiles"`, `"y":1,"logFiles"`, 1)
		var d struct{ DigestEndTime, PreviousDigestSignature string }
		if json.Unmarshal([]byte(text), &d) == nil {
			end, _ := time.Parse(time.RFC3339, d.DigestEndTime)
			if d.PreviousDigestSignature == "" {
				d.PreviousDigestSignature = "null"
			}
			_, by := signed(keys[2], end, name, text, d.PreviousDigestSignature)
			a.objects[name].data = gzipped(text)
			a.objects[name].metadata["signature"] = by
		}
	}
	if name := pick(); a.objects[name] != nil && fault("digest truncated", 12) {
		a.objects[name].data = a.objects[name].data[:len(a.objects[name].data)*2/3]
	}
	if name := pick(); a.objects[name] != nil && fault("digest with a second member", 12) {
		a.objects[name].data = append(slices.Clone(a.objects[name].data), gzipped(`{"more":1}`)...)
		a.differs[name] = "the CLI takes what stands before a second gzip member, and does not look at that one"
	}
	if x, y := pick(), pick(); a.objects[x] != nil && a.objects[y] != nil && x != y && fault("swapped", 15) {
		a.objects[x].data, a.objects[y].data = a.objects[y].data, a.objects[x].data
		a.objects[x].metadata, a.objects[y].metadata = a.objects[y].metadata, a.objects[x].metadata
	}
	if name := pick(); a.objects[name] != nil && fault("null signature", 15) {
		delete(a.objects[name].metadata, "signature")
	}
	if name := pick(); a.objects[name] != nil && fault("signature that is none", 25) {
		a.objects[name].metadata["signature"] = "null"
	}
	var logs []string
	for _, d := range a.digests {
		logs = append(logs, a.files[d]...)
	}
	if len(logs) == 0 {
		return
	}
	for _, what := range []string{"log missing", "log altered", "log truncated", "log with a second member", "log with bytes behind it", "log moved", "log added"} {
		name := logs[r.IntN(len(logs))]
		o := a.objects[name]
		if o == nil || !fault(what, 6) {
			continue
		}
		switch what {
		case "log missing":
			delete(a.objects, name)
		case "log altered":
			o.data = gzipped(strings.Replace(gunzipped(o.data), "GetObject", "PutObject", 1))
		case "log truncated":
			o.data = o.data[:len(o.data)-10]
			a.differs[name] = "the CLI does not miss the last bytes of a gzip member, which hold its checksum, as long as all content comes out"
		case "log with a second member":
			o.data = append(slices.Clone(o.data), gzipped(`{"Records":[]}`)...)
		case "log with bytes behind it":
			o.data = append(slices.Clone(o.data), "more"...)
		case "log moved":
			delete(a.objects, name)
			a.objects[strings.Replace(name, "/2026/03/", "/2026/04/", 1)] = o
		case "log added":
			a.objects[strings.Replace(name, "_0000", "_9999", 1)] = &stored{data: slices.Clone(o.data)}
		}
	}
}

// write puts the archive into a folder: buckets are folders, metadata stands beside its object.
func (a *archived) write(t testing.TB, dir string) {
	t.Helper()
	put := func(name string, data []byte) {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for name, o := range a.objects {
		put(name, o.data)
		if o.metadata != nil {
			text, _ := json.Marshal(map[string]any{"Metadata": o.metadata})
			put(name+cloudtrail.SidecarSuffix, text)
		}
	}
}

func publicKeyList() []byte {
	keys := signingKeys()
	type key struct {
		Value, Fingerprint                 string
		ValidityStartTime, ValidityEndTime float64
	}
	list := map[string][]key{}
	for _, k := range keys[:2] {
		list["PublicKeyList"] = append(list["PublicKeyList"], key{base64.StdEncoding.EncodeToString(derOf(k)), fingerprint(k), 1.77e9, 1.78e9})
	}
	text, _ := json.Marshal(list)
	return text
}

// simple is what a digest says, read by encoding/json.
type simple struct {
	DigestStartTime, DigestEndTime                                                                   time.Time
	DigestS3Bucket, DigestS3Object                                                                   string
	DigestPublicKeyFingerprint                                                                       string
	PreviousDigestS3Bucket, PreviousDigestS3Object, PreviousDigestHashValue, PreviousDigestSignature *string
	LogFiles                                                                                         []struct{ S3Bucket, S3Object, HashValue string }
	text                                                                                             string
}

// strictly unpacks one gzip member that ends with the data.
func strictly(data []byte) (string, bool) {
	in := bytes.NewReader(data)
	z, err := gzip.NewReader(in)
	if err != nil {
		return "", false
	}
	z.Multistream(false)
	text, err := io.ReadAll(z)
	return string(text), err == nil && in.Len() == 0
}

// expect is the independent judge: it looks at each digest by itself with all others at hand, in memory, and knows nothing of windows, ledgers
// and listings. It returns verdicts by bucket/key; "" are objects of which nothing is said.
func (a *archived) expect() map[string]string {
	out := map[string]string{}
	read := map[string]*simple{}
	for name, o := range a.objects {
		if !strings.Contains(name, "CloudTrail-Digest") {
			continue
		}
		if text, ok := strictly(o.data); ok {
			s := &simple{text: text}
			if json.Unmarshal([]byte(text), s) == nil {
				read[name] = s
			}
		}
	}
	public := map[string]*rsa.PublicKey{}
	for i, k := range signingKeys() {
		if i == 2 {
			break // that one is nobody's
		}
		public[fingerprint(k)] = &k.PublicKey
	}
	var names []string
	for name := range a.objects {
		if strings.Contains(name, "CloudTrail-Digest") {
			names = append(names, name)
		}
	}
	// From the newest, for a copy needs the one that follows.
	stampOf := func(name string) string { f, _, _ := nameDigest(name); return f.stamp.Format(time.RFC3339) + name }
	slices.SortFunc(names, func(x, y string) int { return strings.Compare(stampOf(y), stampOf(x)) })
	inPeriod := func(name string) bool {
		f, _, ok := nameDigest(name)
		return ok && !f.stamp.Before(a.from) && !f.stamp.After(a.to.Add(time.Hour))
	}
	follower := func(name string) *simple {
		for other, s := range read {
			if out[other] != "" && out[other] != Invalid && s.PreviousDigestS3Object != nil && *s.PreviousDigestS3Bucket+"/"+*s.PreviousDigestS3Object == name {
				return s
			}
		}
		return nil
	}
	for _, name := range names {
		if !inPeriod(name) {
			continue
		}
		s := read[name]
		next := follower(name)
		verdict := func() string {
			if s == nil || s.DigestS3Bucket+"/"+s.DigestS3Object != name {
				return Invalid
			}
			signature := a.objects[name].metadata["signature"]
			if a.plain {
				if next == nil {
					return Unverified
				}
				signature = *next.PreviousDigestSignature
			}
			key := public[s.DigestPublicKeyFingerprint]
			if key == nil {
				return Invalid
			}
			last := "null"
			if s.PreviousDigestSignature != nil {
				last = *s.PreviousDigestSignature
			}
			sum := sha256.Sum256([]byte(s.text))
			line := sha256.Sum256([]byte(s.DigestEndTime.Format(time.RFC3339) + "\n" + name + "\n" + hex.EncodeToString(sum[:]) + "\n" + last))
			raw, err := hex.DecodeString(signature)
			if err != nil || rsa.VerifyPKCS1v15(key, crypto.SHA256, line[:], raw) != nil {
				return Invalid
			}
			if next != nil && out[next.DigestS3Bucket+"/"+next.DigestS3Object] == Verified && *next.PreviousDigestHashValue != hex.EncodeToString(sum[:]) {
				return Invalid
			}
			return Verified
		}()
		out[name] = verdict
		if s == nil || verdict == Invalid {
			continue
		}
		if before := s.PreviousDigestS3Object; before != nil {
			place := *s.PreviousDigestS3Bucket + "/" + *before
			if f, _, ok := nameDigest(*before); ok && a.objects[place] == nil && !f.stamp.Before(a.from) {
				out[place] = Missing
			}
		}
		for _, l := range s.LogFiles {
			place := l.S3Bucket + "/" + l.S3Object
			if verdict != Verified {
				out[place] = Unverified
				continue
			}
			o := a.objects[place]
			if o == nil {
				out[place] = Missing
				continue
			}
			text, ok := strictly(o.data)
			sum := sha256.Sum256([]byte(text))
			if out[place] = Verified; !ok || !strings.EqualFold(hex.EncodeToString(sum[:]), l.HashValue) {
				out[place] = Altered
			}
		}
	}
	return out
}

// verified is what Run says of the archive in dir, by bucket/key.
func verified(t testing.TB, l *catalog.Lake, dir string, a *archived, keys KeySource, reread bool) (map[string]string, Summary) {
	t.Helper()
	out := map[string]string{}
	sum, err := Run(context.Background(), l, []blob.Store{folder(t, dir)}, Options{From: a.from, To: a.to, Keys: keys, Reread: reread}, nil, func(f *Finding) error {
		switch {
		case f.Kind == "gap":
		case f.Object == "": // named by nobody, or unreadable
			out[strings.TrimPrefix(f.URL, folder(t, dir).URL()+"/")] = f.Verdict
		case strings.HasSuffix(f.URL, "/"+f.Object) || f.Verdict == Missing:
			out[f.Object] = f.Verdict
		default: // it says that it is elsewhere
			out[strings.TrimPrefix(f.URL, folder(t, dir).URL()+"/")] = f.Verdict
		}
		return nil
	})
	if err != nil {
		t.Fatalf("seed %d: %v", a.seed, err)
	}
	return out, sum
}

func savedKeys(t testing.TB) *SavedKeys {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "us-east-1.json"), publicKeyList(), 0o666); err != nil {
		t.Fatal(err)
	}
	keys, err := OpenKeys(context.Background(), folder(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// TestChains: of each generated archive every object has the verdict of the independent judge, and where the AWS CLI is at hand, of its validator.
func TestChains(t *testing.T) {
	keys := savedKeys(t)
	l := openLake(t)
	root := t.TempDir()
	var all []*archived
	planted := map[string]int{}
	for i := range *chains {
		a := generateArchive(*firstSeed + uint64(i))
		all = append(all, a)
		dir := filepath.Join(root, fmt.Sprint(a.seed))
		a.write(t, dir)
		want := a.expect()
		got, _ := verified(t, l, dir, a, keys, true)
		same(t, a, "the independent judge", got, want)
		for _, f := range a.faults {
			planted[f]++
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("planted: %v", planted)
	if *validator != "" {
		byCLI(t, root, all)
	}
}

func same(t *testing.T, a *archived, by string, got, want map[string]string) {
	t.Helper()
	names := slices.Sorted(maps.Keys(want))
	for name := range got {
		if _, ok := want[name]; !ok {
			names = append(names, name)
		}
	}
	for _, name := range names {
		if got[name] != want[name] {
			t.Errorf("seed %d (%s; plain %v): %s is %q, by %s %q", a.seed, strings.Join(a.faults, ", "), a.plain, name, got[name], by, want[name])
		}
	}
}

// byCLI lets the AWS CLI's validator judge the archives that have metadata. It does not speak of log files whose digest is not valid.
func byCLI(t *testing.T, root string, all []*archived) {
	type job struct {
		Dir, Bucket, Prefix, From, To string
	}
	var jobs []job
	for _, a := range all {
		if !a.plain {
			jobs = append(jobs, job{filepath.Join(root, fmt.Sprint(a.seed)), a.bucket, a.prefix, a.from.Format(time.RFC3339), a.to.Format(time.RFC3339)})
		}
	}
	text, _ := json.Marshal(map[string]any{"jobs": jobs, "keys": json.RawMessage(publicKeyList())})
	cmd := exec.Command(*validator, filepath.Join("..", "..", "testdata", "digests", "validate.py"))
	cmd.Stdin, cmd.Stderr = bytes.NewReader(text), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the AWS CLI's validator: %v", err)
	}
	var results []map[string]string
	if err := json.Unmarshal(out, &results); err != nil {
		t.Fatal(err)
	}
	keys, l := savedKeys(t), openLake(t)
	compared, differ, i := 0, map[string]int{}, 0
	for _, a := range all {
		if a.plain {
			continue
		}
		theirs := results[i]
		i++
		ours, _ := verified(t, l, filepath.Join(root, fmt.Sprint(a.seed)), a, keys, true)
		for name, verdict := range ours {
			said, ok := theirs[name]
			if !ok && strings.HasPrefix(name, "trail-a/") && slices.Contains(a.faults, "bucket change") {
				differ["the CLI looks for digests that no link leads to in one bucket only"]++
				continue
			}
			compared++
			if slices.Contains(a.unlinked, name) && said == "valid" && verdict == Invalid {
				differ["the CLI does not look at the hash that a digest gives of the one before it"]++
				continue
			}
			if why := a.differs[name]; why != "" && (said == "valid") != (verdict == Verified) {
				differ[why]++
				continue
			}
			switch {
			case verdict == Verified && said != "valid", (verdict == Invalid || verdict == Missing || verdict == Altered) && !strings.HasPrefix(said, "INVALID"),
				verdict == Unverified && ok && said != "valid": // a digest that only the CLI takes for valid has its logs judged there
				t.Errorf("seed %d (%s): %s is %s, the AWS CLI says %q", a.seed, strings.Join(a.faults, ", "), name, verdict, said)
			}
		}
		before := map[string]bool{} // digests that end before the period, and their log files
		for _, name := range a.digests {
			if f, _, _ := nameDigest(name); f.stamp.Before(a.from) {
				before[name] = true
				for _, file := range a.files[name] {
					before[file] = true
				}
			}
		}
		for name := range theirs {
			if ours[name] == "" && before[name] {
				differ["the CLI follows a link out of the period, to a digest that ends before it"]++
			} else if ours[name] == "" && (slices.Contains(a.faults, "digest with a second member") || len(a.unlinked) > 0) {
				differ["log files that are named by a digest of these that only the CLI takes for valid"]++
			} else if ours[name] == "" {
				t.Errorf("seed %d (%s): the AWS CLI says %q of %s, which is not judged", a.seed, strings.Join(a.faults, ", "), theirs[name], name)
			}
		}
	}
	t.Logf("%d verdicts of %d chains compared with the AWS CLI's; known differences: %v", compared, i, differ)
}
