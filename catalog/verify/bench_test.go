package verify

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/parquetio"
	"github.com/trailql/trailql/engine/vec"
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
	lake := l.stored(b)
	b.ResetTimer()
	b.ReportAllocs()
	for b.Loop() {
		if c := covered(b, lake, at(0, 0), to); !c.Complete || len(c.Accounts) != 120 {
			b.Fatalf("%d gaps: %+v", len(c.Gaps), c.Gaps[:min(3, len(c.Gaps))])
		}
	}
	b.ReportMetric(float64(l.files.n), "rows")
}

// stored commits the rows to a lake, in one file for each table.
func (l *ledgerRows) stored(b *testing.B) *catalog.Lake {
	b.Helper()
	ctx, lake := context.Background(), openLake(b)
	change := catalog.Change{Add: map[string][]catalog.NewFile{}}
	for _, r := range []*rows{l.files, l.digests} {
		if r.flush(); r.n == 0 {
			continue
		}
		layout := catalog.LayoutOf(r.table)
		file, err := lake.NewPath(r.table, catalog.Partition{})
		if err != nil {
			b.Fatal(err)
		}
		out, err := lake.Store().Create(ctx, r.table+"/"+file)
		if err != nil {
			b.Fatal(err)
		}
		written, err := parquetio.Write(out, parquetio.WriteOptions{Columns: layout.Columns, RowGroupBytes: 32 << 20, Bloom: layout.Bloom, NoStats: layout.NoStats},
			func() (vec.Batch, error) {
				if len(r.batches) == 0 {
					return vec.Batch{}, io.EOF
				}
				next := r.batches[0]
				r.batches = r.batches[1:]
				return next, nil
			})
		if err == nil {
			err = out.Close()
		}
		if err != nil {
			b.Fatal(err)
		}
		change.Add[r.table] = []catalog.NewFile{{Path: file, Written: written, Commits: true}}
	}
	snap, err := lake.Newest(ctx)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := lake.Commit(ctx, snap, change); err != nil {
		b.Fatal(err)
	}
	return lake
}

func BenchmarkCoverageByDigests(b *testing.B)    { benchmark(b, true) }
func BenchmarkCoverageByDeliveries(b *testing.B) { benchmark(b, false) }
