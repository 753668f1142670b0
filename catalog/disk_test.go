package catalog

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/blob/simdisk"
)

// A commit that was reported outlives a power loss, whichever call at its log failed on the way.
func TestReportedCommitIsDurable(t *testing.T) {
	now := func() time.Time { return time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC) }
	reported := 0
	for seed := range uint64(3) {
		for n, ended := 1, false; !ended; n++ {
			d, at := simdisk.New(seed, now), 0
			d.Fault(func(c simdisk.Call) error {
				if strings.HasPrefix(c.Name, Files+"/_delta_log") && c.Op != "stat" && c.Op != "read" {
					if at++; at == n {
						return syscall.EIO
					}
				}
				return nil
			})
			l, err := Open(context.Background(), blob.NewFolder("sim://lake", d.Root()), Options{Now: now})
			if ended = at < n; err != nil {
				if !errors.Is(err, syscall.EIO) {
					t.Errorf("call %d: %v", n, err)
				}
				continue
			}
			reported++
			l.Close()
			if l, err = Open(context.Background(), blob.NewFolder("sim://lake", d.PowerLoss(seed).Root()), Options{Now: now, ReadOnly: true}); err != nil {
				t.Errorf("call %d failed, seed %d, then power loss: %v", n, seed, err)
				continue
			}
			l.Close()
		}
	}
	if reported < 6 {
		t.Errorf("%d commits were reported", reported)
	}
}

// What the index holds as bytes of its own may be damaged like any file: it is refused or read as something, and takes no more memory than it is long.
func FuzzIndexBytes(f *testing.F) {
	counts := &partitionCounts{}
	counts.add(Partition{"111111111111", "eu-west-1", "2026-03-01"}, partitionCount{files: 2, rows: 30, size: 400})
	counts.add(Partition{}, partitionCount{files: 1, rows: 1, size: 1})
	f.Add(counts.list().encode())
	layout := LayoutOf(Files)
	f.Add(packStats(layout, `{"numRecords":3,"minValues":{"path":"a"},"maxValues":{"path":"b"},"nullCount":{"path":0}}`))
	f.Add((&segment{}).encode())
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, data []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _ = decodePartitions(data)
		_, _ = decodeSegment(data)
		_ = unpackStats(layout, data)
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20+1000*uint64(len(data)) {
			t.Errorf("%d bytes took %d of memory", len(data), took)
		}
	})
}
