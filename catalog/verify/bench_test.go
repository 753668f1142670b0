package verify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/parquetio"
	"github.com/trailql/trailql/engine"
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
	lake := openLake(b)
	l.stored(b, lake)
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
func (l *ledgerRows) stored(b *testing.B, lake *catalog.Lake) {
	b.Helper()
	ctx := context.Background()
	change := catalog.Change{Add: map[string][]catalog.NewFile{}}
	for _, r := range []*rows{l.files, l.digests, l.verdicts} {
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
}

// BenchmarkHours asks trail_coverage of a ledger that grew by a commit a night: 100 accounts in 2 regions, 50 nights, five minutes to a log file, so that a file of the
// ledger holds a night of all accounts. rows-read is what the queries under the table read of the ledger's rows.
func BenchmarkHours(b *testing.B) {
	lake := openLake(b)
	const accounts, nights = 100, 50
	rows := 0
	for night := range nights {
		l := newLedger()
		for a := range accounts {
			for _, region := range []string{"eu-west-1", "us-east-1"} {
				account := fmt.Sprintf("%012d", a)
				for hour := range 24 {
					var names []string
					for i := range 12 {
						stamp := at(night, hour).Add(time.Duration(i) * 5 * time.Minute)
						unique := fmt.Sprintf("%016x", uint64(rows+len(names)+1)*0x9E3779B97F4A7C15)
						sum := sha256.Sum256([]byte(unique))
						file := fileName(account, region, stamp, unique)
						key := "AWSLogs/o-a1b2c3d4e5/" + account + "/CloudTrail/" + region + "/" + stamp.Format("2006/01/02/") + file
						l.files.add(map[string]any{"path": "s3://trail-archive/" + key, "etag": hex.EncodeToString(sum[:16]), "size": 1000 + i, "sha256": hex.EncodeToString(sum[:]), "content_size": 9000,
							"content_sha256": hex.EncodeToString(sum[:]), "kind": "CloudTrail", "account": account, "region": region, "stamp": stamp, "state": catalog.StateOK, "records": 10, "rows": 10, "duplicates": 0,
							"quarantined": 0, "first_time": stamp.Add(-5 * time.Minute), "last_time": stamp, "commit": night + 1})
						names = append(names, key)
					}
					rows += len(names)
					l.digest(account, region, at(night, hour), at(night, hour+1), names...)
				}
			}
		}
		l.stored(b, lake)
	}
	snap, err := lake.Snapshot(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	path := asks(b, snap, `SELECT path FROM trail_files WHERE account = '000000000042' AND stamp = TIMESTAMP '2026-03-20 12:05:00' LIMIT 1`)[0]
	month := ` WHERE account = '000000000042' AND hour >= TIMESTAMP '2026-03-10 00:00:00' AND hour < TIMESTAMP '2026-04-10 00:00:00'`
	for name, sql := range map[string]string{
		"MonthOfAnAccount":       `SELECT * FROM trail_coverage` + month,
		"MonthOfAnAccountCounts": `SELECT sum(objects), sum(records) FROM trail_coverage` + month,
		"DayOfAll":               `SELECT * FROM trail_coverage WHERE hour >= TIMESTAMP '2026-03-10 00:00:00' AND hour < TIMESTAMP '2026-03-11 00:00:00'`,
		"ShowOfAll":              `SHOW COVERAGE`,
		"CountsOfAll":            `SELECT account, sum(objects), sum(records) FROM trail_coverage GROUP BY 1`,
		"FileByPath":             `SELECT * FROM trail_files WHERE path = ` + quote(path),
	} {
		b.Run(name, func(b *testing.B) {
			var stats engine.Stats
			for b.Loop() {
				_, stats = asksWith(b, snap, sql)
			}
			b.ReportMetric(float64(stats.RowsRead), "rows-read")
			b.ReportMetric(float64(stats.BytesRead), "bytes-read")
			b.ReportMetric(float64(rows), "ledger-rows")
		})
	}
}

func BenchmarkCoverageByDigests(b *testing.B)    { benchmark(b, true) }
func BenchmarkCoverageByDeliveries(b *testing.B) { benchmark(b, false) }
