package compact

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/engine/source"
)

func digestName(hour int) string {
	return fmt.Sprintf("AWSLogs/%s/CloudTrail-Digest/eu-west-1/2026/02/01/%s_CloudTrail-Digest_eu-west-1_main_eu-west-1_20260201T%02d0000Z.json.gz", account, account, hour)
}

// digest is the text of the digest that ends at an hour of the first day; previous is a JSON value.
func digest(hour int, previous string, logs ...string) string {
	for i, l := range logs {
		logs[i] = fmt.Sprintf(`{"s3Bucket":"b","s3Object":%q,"hashValue":"%064x","newestEventTime":"2026-02-01T00:00:01Z","oldestEventTime":null}`, l, i)
	}
	return fmt.Sprintf(`{"awsAccountId":%q,"digestStartTime":"2026-02-01T%02d:00:00Z","digestEndTime":"2026-02-01T%02d:00:00Z","digestS3Bucket":"b","digestS3Object":%q,`+
		`"digestPublicKeyFingerprint":"f1","previousDigestS3Object":%s,"previousDigestHashValue":%s,"logFiles":[%s]}`,
		account, hour-1, hour, digestName(hour), previous, previous, strings.Join(logs, ","))
}

// Digests are rows, in the same commit as the rest; one that is broken or cut off is set aside like any object.
func TestDigests(t *testing.T) {
	log := objectName("eu-west-1", 1, 5, 1)
	first, second := digest(1, "null", log, "AWSLogs/gone.json.gz"), digest(2, `"before"`)
	l := newLake(t)
	sum := compactTest(t, l, nil, trail{
		log: content(event("a", 1, 1)), digestName(1): first, digestName(2): second,
		digestName(3): string(zip(digest(3, "null"))[:60]), digestName(4): "{}",
	}.folder(t))
	if sum.Digests != 2 || sum.SetAside != 2 || sum.New != 5 || sum.Commits != 1 {
		t.Errorf("summary %+v", sum)
	}
	hash := func(text string) string { s := sha256.Sum256([]byte(text)); return hex.EncodeToString(s[:]) }
	got, _ := query(t, l, `SELECT substr(d.path, -70), account, region, trail, start_time, end_time, bucket, object, previous_object, previous_hash, fingerprint, backfill,
		logs[1].object, logs[1].hash, logs[1].oldest, logs[1].newest, cardinality(logs), d.sha256 FROM trail_digests d WHERE cardinality(logs) > 0`, source.Switches{})
	equalLines(t, got, []string{strings.Join([]string{digestName(1)[len(digestName(1))-70:], account, "eu-west-1", "main", "2026-02-01 00:00:00.000", "2026-02-01 01:00:00.000",
		"b", digestName(1), "", "", "f1", "false", log, fmt.Sprintf("%064x", 0), "", "2026-02-01 00:00:01.000", "2", hash(first)}, "|")}, "the first digest")
	got, _ = query(t, l, `SELECT previous_object, previous_hash, cardinality(logs), sha256 FROM trail_digests WHERE end_time = TIMESTAMP '2026-02-01 02:00:00'`, source.Switches{})
	equalLines(t, got, []string{"before|before|0|" + hash(second)}, "a digest that names nothing")
	got, _ = query(t, l, `SELECT substr(path, -15), kind, state, records, quarantined, reason FROM trail_files WHERE kind = 'CloudTrail-Digest' ORDER BY path`, source.Switches{})
	equalLines(t, got, []string{
		"010000Z.json.gz|CloudTrail-Digest|digest|0|0|", "020000Z.json.gz|CloudTrail-Digest|digest|0|0|",
		"030000Z.json.gz|CloudTrail-Digest|quarantined|1|1|truncated gzip", "040000Z.json.gz|CloudTrail-Digest|quarantined|1|1|broken digest"}, "the ledger's")
	got, _ = query(t, l, `SELECT substr(path, -15), content_sha256, version FROM trail_files ORDER BY path`, source.Switches{})
	equalLines(t, got, []string{"010000Z.json.gz|" + hash(first) + "|", "020000Z.json.gz|" + hash(second) + "|",
		"030000Z.json.gz||", "040000Z.json.gz|" + hash("{}") + "|", log[len(log)-15:] + "|" + hash(content(event("a", 1, 1))) + "|"}, "hashes of contents")
	if n := len(read(t, l, catalog.Quarantine, "path")); n != 2 {
		t.Errorf("%d rows in quarantine", n)
	}
}

// Each run's digests come to those of earlier runs, and merges keep them.
func TestDigestsOfManyRuns(t *testing.T) {
	l := newLake(t)
	dir := t.TempDir()
	for hour := 1; hour < 24; hour++ {
		trail{digestName(hour): digest(hour, `"before"`, objectName("eu-west-1", 1, hour, 1))}.write(t, dir)
		compactTest(t, l, nil, dir)
	}
	got, _ := query(t, l, `SELECT count(*), count(DISTINCT path), sum(cardinality(logs)), min(start_time), max(end_time) FROM trail_digests`, source.Switches{})
	equalLines(t, got, []string{"23|23|23|2026-02-01 00:00:00.000|2026-02-01 23:00:00.000"}, "digests")
	snap, err := l.Newest(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	files, err := snap.Files(context.Background(), catalog.Digests, catalog.Partition{})
	if err != nil || len(files) >= 23 {
		t.Errorf("%d files, %v: nothing was merged", len(files), err)
	}
}
