package verify

import (
	"fmt"
	"testing"
	"time"

	"github.com/trailql/trailql/catalog"
)

// A month of 10 accounts and 12 regions with a log file each five minutes: a million rows in the ledger.
func benchmark(b *testing.B, digests bool) {
	l := newLedger()
	const days = 30
	for account := range 10 {
		for region := range 12 {
			account, region := fmt.Sprintf("%012d", account), fmt.Sprintf("region-%02d", region)
			for hour := range days * 24 {
				var names []string
				for i := range 12 {
					stamp := at(0, hour).Add(time.Duration(i) * 5 * time.Minute)
					l.file(account, region, stamp, "abcdefghij012345", catalog.StateOK)
					if digests {
						names = append(names, "AWSLogs/o-a1b2c3d4e5/"+account+"/CloudTrail/"+region+"/"+stamp.Format("2006/01/02/")+fileName(account, region, stamp, "abcdefghij012345"))
					}
				}
				if digests {
					l.digest(account, region, at(0, hour), at(0, hour+1), names...)
				}
			}
		}
	}
	to := at(days, 0)
	if !digests {
		to = to.Add(-5 * time.Minute)
	}
	b.ResetTimer()
	b.ReportAllocs()
	for b.Loop() {
		if c := l.covered(b, at(0, 0), to); !c.Complete || len(c.Accounts) != 120 {
			b.Fatalf("%d gaps: %+v", len(c.Gaps), c.Gaps[:min(3, len(c.Gaps))])
		}
	}
	b.ReportMetric(float64(l.files.n), "rows")
}

func BenchmarkCoverageByDigests(b *testing.B)    { benchmark(b, true) }
func BenchmarkCoverageByDeliveries(b *testing.B) { benchmark(b, false) }
