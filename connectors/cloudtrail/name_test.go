package cloudtrail

import (
	"strings"
	"testing"
	"time"
)

func TestParseName(t *testing.T) {
	minute := time.Date(2024, 1, 2, 3, 4, 0, 0, time.UTC)
	for _, c := range []struct {
		name string
		want ObjectName
	}{
		{"AWSLogs/111122223333/CloudTrail/us-east-1/2024/01/02/111122223333_CloudTrail_us-east-1_20240102T0304Z_abcdefghij012345.json.gz",
			ObjectName{KindLog, "", "111122223333", "us-east-1", minute}},
		{"my/prefix/AWSLogs/o-a1b2c3d4e5/111122223333/CloudTrail/eu-central-1/2024/01/02/111122223333_CloudTrail_eu-central-1_20240102T0304Z_abcdefghij012345.json.gz",
			ObjectName{KindLog, "o-a1b2c3d4e5", "111122223333", "eu-central-1", minute}},
		// A prefix that looks like a trail.
		{"AWSLogs/999999999999/CloudTrail/x/AWSLogs/111122223333/CloudTrail-Insight/us-east-1/2024/01/02/111122223333_CloudTrail-Insight_us-east-1_20240102T0304Z_abcdefghij012345.json.gz",
			ObjectName{KindInsight, "", "111122223333", "us-east-1", minute}},
		// Folders decide: names of files of the other kinds are not documented.
		{"AWSLogs/111122223333/CloudTrail-NetworkActivity/us-east-1/2024/01/02/111122223333_CloudTrail_us-east-1_20240102T0304Z_abcdefghij012345.json.gz",
			ObjectName{KindNetwork, "", "111122223333", "us-east-1", minute}},
		{"AWSLogs/111122223333/CloudTrail-Aggregated/us-east-1/2024/01/02/anything", ObjectName{KindAggregated, "", "111122223333", "us-east-1", time.Time{}}},
		{"111122223333/CloudTrail/us-gov-west-1/2024/01/02/x.json", ObjectName{KindLog, "", "111122223333", "us-gov-west-1", time.Time{}}},
		// The file alone; older documentation has no underscore before the unique part.
		{"111122223333_CloudTrail_us-east-1_20240102T0304Z_abcdefghij012345.json.gz", ObjectName{KindLog, "", "111122223333", "us-east-1", minute}},
		{"111122223333_CloudTrail_us-east-1_20240102T0304Zabcdefghij012345.json.gz", ObjectName{KindLog, "", "111122223333", "us-east-1", minute}},
		{"x/111122223333_CloudTrail-Digest_us-east-2_my_trail_20200101T0000Z_us-east-2_20240102T030405Z.json.gz",
			ObjectName{KindDigest, "", "111122223333", "us-east-2", minute.Add(5 * time.Second)}},
		{"AWSLogs/111122223333/CloudTrail-Digest/us-east-2/2024/01/02/111122223333_CloudTrail-Digest_us-east-2_t_us-east-2_20240102T030405Z_backfill.json.gz",
			ObjectName{KindDigest, "", "111122223333", "us-east-2", minute.Add(5 * time.Second)}},
		// Not a trail's objects.
		{"AWSLogs/111122223333/CloudTrail/", ObjectName{}},
		{"AWSLogs/111122223333/CloudTrail/us-east-1/2024_$folder$", ObjectName{}},
		{"AWSLogs/111122223333/elasticloadbalancing/us-east-1/2024/01/02/111122223333_elasticloadbalancing_us-east-1_x.log.gz", ObjectName{}},
		{"AWSLogs/111122223333/Config/us-east-1/2024/1/2/ConfigHistory/111122223333_Config_us-east-1_20240102T030405Z.json.gz", ObjectName{}},
		{"CloudTrail/x", ObjectName{}},
		{"notes.txt", ObjectName{}},
		{"", ObjectName{}},
		{"/", ObjectName{}},
		{"111122223333_CloudTrail_us-east-1_20241302T0304Z_x", ObjectName{KindLog, "", "111122223333", "us-east-1", time.Time{}}},
	} {
		if got := ParseName(c.name); got != c.want {
			t.Errorf("%s: %+v; want %+v", c.name, got, c.want)
		}
	}
}

// Whatever a name is, what is read from it is safe to use.
func FuzzParseName(f *testing.F) {
	f.Add("AWSLogs/o-a/111122223333/CloudTrail/us-east-1/2024/01/02/111122223333_CloudTrail_us-east-1_20240102T0304Z_abcdefghij012345.json.gz")
	f.Add("x/111122223333_CloudTrail-Digest_us-east-2_t_us-east-2_20240102T030405Z_backfill.json.gz")
	f.Add("111122223333/CloudTrail/../../x")
	f.Add("111122223333_CloudTrail_.._00000101T0000Z")
	f.Fuzz(func(t *testing.T, name string) {
		n := ParseName(name)
		if n.Kind != kindOf(string(n.Kind)) || n.Account != "" && !isAccount(n.Account) || n.Region != "" && !isRegion(n.Region) ||
			n.Org != "" && (!strings.HasPrefix(n.Org, "o-") || strings.Contains(n.Org, "/")) || n.Stamp.Year() < 0 || n.Stamp.Year() > 9999 {
			t.Errorf("%q: %+v", name, n)
		}
	})
}

func TestMayHold(t *testing.T) {
	for name, want := range map[string]bool{
		logName: true, "a.json": true, "a/b.jsonl": true, "a.ndjson": true, "a.log.gz": true, "000000.gz": true, "result_1.csv.gz": true, "a.JSON": true,
		"2026/11/28/20/trail-1-2026-11-28-20-00-00-0b0c62f7-0000-4000-8000-000000000000":    true,
		"2026/11/28/20/my.trail-1-2026-11-28-20-00-00-0b0c62f7-0000-4000-8000-000000000000": true,
		"a.parquet": false, "a.txt": false, "a/": false, "a_$folder$": false, "": false, "a.tar": false,
	} {
		if got := MayHold(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
