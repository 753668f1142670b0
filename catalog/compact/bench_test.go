package compact

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/cloudtrail/synth"
)

var trailFolder = flag.String("trail", "", "folder of a trail to compact, one of trailql demo; default: one that is generated")

// BenchmarkCompact compacts a trail into a new lake; take its profile with -cpuprofile.
func BenchmarkCompact(b *testing.B) {
	folder := *trailFolder
	if folder == "" {
		folder = b.TempDir()
		opt := synth.Options{Seed: 1, Events: 20_000, Incident: true, Faults: true}
		if _, err := synth.Generate(b.Context(), opt, func(o synth.Object) error {
			name := filepath.Join(folder, filepath.FromSlash(o.Name))
			if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
				return err
			}
			return os.WriteFile(name, o.Data, 0o666)
		}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	var records int64
	for b.Loop() {
		sum, err := Run(context.Background(), newLake(b), []blob.Store{store(b, folder)}, Options{Now: testNow}, nil)
		if err != nil {
			b.Fatal(err)
		}
		records += sum.Records
	}
	b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
}
