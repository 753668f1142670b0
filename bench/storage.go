package main

import (
	"context"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/klauspost/compress/zstd"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/cloudtrail"
)

// storage compares the bytes of the lake's files with those of DuckDB's, and with what zstd makes of the records.
func (b *bench) storage(ctx context.Context) error {
	lake, _, err := b.mainLake(ctx)
	if err != nil {
		return err
	}
	_, own, err := b.ordered(ctx)
	if err != nil {
		return err
	}
	var ours made
	if err := told(ctx, &ours, stepLake, lake); err != nil {
		return err
	}
	var p packed
	if err := told(ctx, &p, stepPack, lake, fmt.Sprint(b.memory)); err != nil {
		return err
	}
	if p.Records != ours.Rows || own.Rows != ours.Rows {
		return fmt.Errorf("%d records are packed, the lake has %d, DuckDB %d", p.Records, ours.Rows, own.Rows)
	}
	whole, err := folderSize(lake)
	if err != nil {
		return err
	}
	b.printf("\n#### Bytes stored\n\n%s events.\n\n| | MB | bytes an event | trailql's by it |\n| --- | ---: | ---: | ---: |\n", count(int(ours.Rows)))
	for _, r := range []struct {
		name  string
		bytes int64
	}{
		{"trailql, data files of `cloudtrail_logs`", ours.Bytes},
		{"zstd at level 3 over the distinct records, a line each, in the lake's order, one stream", p.Packed},
		{"DuckDB, ordered", own.Bytes},
		{"the records themselves", p.Bytes},
		{"the lake's whole folder: all tables, logs, index", whole},
	} {
		b.printf("| %s | %.1f | %.1f | %.2f |\n", r.name, float64(r.bytes)/1e6, float64(r.bytes)/float64(ours.Rows), float64(ours.Bytes)/float64(r.bytes))
	}
	return nil
}

// packed is what a lake's records take as text.
type packed struct {
	Records int64
	Bytes   int64 // with a line end each
	Packed  int64 // by zstd
}

// counter counts what is written.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// packRecords packs the records of a lake as they were delivered, each once, by partition and time.
func packRecords(ctx context.Context, args []string) error {
	e, lake, err := openEngine(ctx, args)
	if err != nil {
		return err
	}
	defer lake.Close()
	snapshot, err := lake.Newest(ctx)
	if err != nil {
		return err
	}
	partitions, err := snapshot.Partitions(ctx, cloudtrail.Logs)
	if err != nil {
		return err
	}
	var p packed
	var size counter
	z, err := zstd.NewWriter(&size, zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(3)))
	if err != nil {
		return err
	}
	for _, partition := range partitions {
		if err := p.add(ctx, e, z, partition); err != nil {
			return err
		}
	}
	if err := z.Close(); err != nil {
		return err
	}
	p.Packed = int64(size)
	return show(p)
}

// add packs the records of one partition.
func (p *packed) add(ctx context.Context, e *asker, to io.Writer, partition catalog.Partition) (err error) {
	is := func(column, value string) string {
		if value == "" {
			return column + " IS NULL"
		}
		return column + " = " + literal(value)
	}
	text := "SELECT eventjson FROM cloudtrail_logs WHERE " + is("account", partition.Account) + " AND " + is("region", partition.Region) + " AND " +
		is("date", partition.Date) + " ORDER BY _time, eventid"
	failed := e.ask(ctx, text, func(cols []arrow.Array, rows int) {
		for i := range rows {
			line := cols[0].ValueStr(i)
			if s, ok := cols[0].(*array.String); ok {
				line = s.Value(i)
			}
			if err == nil {
				_, err = io.WriteString(to, line+"\n")
			}
			p.Records, p.Bytes = p.Records+1, p.Bytes+int64(len(line))+1
		}
	})
	if err == nil {
		err = failed
	}
	return err
}
