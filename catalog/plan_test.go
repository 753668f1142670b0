package catalog

import (
	"fmt"
	"testing"
	"time"

	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/cloudtrail"
	"github.com/trailql/trailql/connectors/parquetio"
	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqltype"
)

// BenchmarkPlan plans a query for one day of one account among 100,000 files in 10,000 partitions.
func BenchmarkPlan(b *testing.B) {
	l, err := Open(b.Context(), benchFolder(b), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	var files []NewFile
	for i := range 100_000 {
		day := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, i/10%2500)
		p := Partition{fmt.Sprintf("%012d", i/25000), "eu-west-1", day.Format(time.DateOnly)}
		name, err := l.NewPath(cloudtrail.Logs, p)
		if err != nil {
			b.Fatal(err)
		}
		files = append(files, NewFile{Path: name, Partition: p, Written: parquetio.Written{Rows: 1000, Bytes: 1 << 20, Stats: map[string]parquetio.Stats{
			"_time": {Min: day.UnixMicro(), Max: day.UnixMicro() + 1e9}, "eventname": {Min: "A", Max: "Z"}, "eventtime": {Min: "2020", Max: "2021"}}}})
	}
	s, err := l.Newest(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	if _, err := l.Commit(b.Context(), s, Change{Add: map[string][]NewFile{cloudtrail.Logs: files}}); err != nil {
		b.Fatal(err)
	}
	layout := LayoutOf(cloudtrail.Logs)
	at := source.Path{Column: ordinal(layout.Columns, "_time")}
	account := source.Path{Column: ordinal(layout.Columns, "account")}
	day := time.Date(2021, 5, 5, 0, 0, 0, 0, time.UTC)
	req := source.Request{Limit: -1, Paths: []source.Path{at, account}, Conjuncts: []expr.Expr{
		&expr.Compare{Op: expr.Ge, Left: &expr.Column{Index: 0, Name: "_time", T: sqltype.TimestampType}, Right: expr.NewLiteral(sqltype.TimestampType, day.UnixMicro())},
		&expr.Compare{Op: expr.Lt, Left: &expr.Column{Index: 0, Name: "_time", T: sqltype.TimestampType}, Right: expr.NewLiteral(sqltype.TimestampType, day.UnixMicro()+86400e6)},
		&expr.Compare{Op: expr.Eq, Left: &expr.Column{Index: 1, Name: "account", T: sqltype.VarcharType}, Right: expr.NewLiteral(sqltype.VarcharType, "000000000002")},
	}}
	for _, c := range []struct {
		name string
		cold bool
	}{{"warm", false}, {"cold", true}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if c.cold {
					l.last = nil
				}
				s, err := l.Newest(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				scan, err := newTable(s, layout).Scan(b.Context(), req)
				if err != nil {
					b.Fatal(err)
				}
				if r := scan.Report(); r.Files.Load()-r.FilesPruned.Load() != 10 {
					b.Fatalf("%d of %d files pruned", r.FilesPruned.Load(), r.Files.Load())
				}
			}
		})
	}
}

func benchFolder(b *testing.B) blob.Store {
	s, err := blob.OpenFolder(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	return s
}
