package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/cloudtrail"
	"github.com/trailql/trailql/connectors/parquetio"
	"github.com/trailql/trailql/engine"
)

// The lake in which is planned: accounts, regions, and files of each of their days, which have a thousand rows each.
const plannedAccounts, plannedRegions, plannedFiles, plannedRows = 5, 8, 7, 1000

const aDay = plannedAccounts * plannedRegions * plannedFiles

var plannedFrom = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// planning has questions about one day answered among many files. The lake is a log without data files, and the answers are in it: what is
// measured is parsing, binding, optimising, pruning by the index, and no more.
func (b *bench) planning(ctx context.Context) error {
	lake, err := b.have("log", fmt.Sprint(b.files), &struct{}{}, func(path string) error {
		_, _, err := run(ctx, self(stepLog, path, fmt.Sprint(b.files)))
		return err
	})
	if err != nil {
		return err
	}
	at := plannedFrom.AddDate(0, 0, b.files/aDay/2)
	date, next := literal(at.Format(time.DateOnly)), at.AddDate(0, 0, 1).Format(time.DateOnly)
	day := `eventtime >= '` + at.Format(time.DateOnly) + `T00:00:00Z' AND eventtime < '` + next + `T00:00:00Z'`
	size, err := folderSize(filepath.Join(lake, "_trailql"))
	if err != nil {
		return err
	}
	b.printf("\n#### Planning\n\ncount(*) of one day among %s files: %d accounts, %d regions, %d files a day of each (a log without data files; the index has %.0f MB). It is answered from the\nindex, no file is opened. Cold: the first of a process, from the start of the program, lake and index being opened.\n",
		count(b.files), plannedAccounts, plannedRegions, plannedFiles, float64(size)/1e6)
	b.printf("\n| a day by its, ms | warm | cold | files |\n| --- | ---: | ---: | ---: |\n")
	for _, q := range []struct {
		name, where string
		files       int
	}{
		{"`eventtime`", day, aDay},
		{"`date`", "date = " + date, aDay},
		{"`eventtime`, one account", day + " AND account = '000000000102'", aDay / plannedAccounts},
	} {
		ask := question{Text: "SELECT count(*) FROM cloudtrail_logs WHERE " + q.where, All: true}
		want := fmt.Sprint(q.files * plannedRows)
		var warm, cold []time.Duration
		c := b.ours(lake)
		if err := c.start(ctx, b.memory); err != nil {
			return err
		}
		for n := range 2*b.starts + 1 {
			r, err := c.ask(ask)
			if err == nil && (len(r.Rows) != 1 || r.Rows[0] != want) {
				err = fmt.Errorf("%s: %v, want %s", ask.Text, r.Rows, want)
			}
			if err != nil {
				c.in.Close()
				return err
			}
			if n > 0 {
				warm = append(warm, r.Took)
			}
		}
		if err := c.stop(); err != nil {
			return err
		}
		for range b.starts {
			r, err := c.once(ctx, b.memory, ask)
			if err != nil {
				return err
			}
			cold = append(cold, r.Opened+r.Took)
		}
		b.printf("| %s | %s | %s | %d |\n", q.name, span(warm), span(cold), q.files)
	}
	return nil
}

// writeLog makes a lake of so many files that are only in its log.
func writeLog(ctx context.Context, args []string) error {
	count, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	lake, err := openLake(ctx, args[0], catalog.Options{})
	if err != nil {
		return err
	}
	defer lake.Close()
	regions := []string{"us-east-1", "eu-central-1", "us-west-2", "ap-southeast-2", "eu-west-1", "us-east-2", "sa-east-1", "ap-northeast-1"}
	var files []catalog.NewFile
	for i := range count {
		day := plannedFrom.AddDate(0, 0, i/aDay)
		date, account := day.Format(time.DateOnly), fmt.Sprintf("%012d", 100+i%plannedAccounts)
		p := catalog.Partition{Account: account, Region: regions[i/plannedAccounts%plannedRegions], Date: date}
		name, err := lake.NewPath(cloudtrail.Logs, p)
		if err != nil {
			return err
		}
		text := func(low, high string) parquetio.Stats { return parquetio.Stats{Min: low, Max: high} }
		files = append(files, catalog.NewFile{Path: name, Partition: p, Canonical: true, Written: parquetio.Written{Rows: plannedRows, Bytes: 1 << 20, Stats: map[string]parquetio.Stats{
			"_time":     {Min: day.UnixMicro(), Max: day.Add(24*time.Hour - time.Second).UnixMicro()},
			"eventtime": text(date+"T00:00:00Z", date+"T23:59:59Z"), "eventname": text("AssumeRole", "UpdateItem"),
			"eventsource": text("cloudformation.amazonaws.com", "sts.amazonaws.com"), "recipientaccountid": text(account, account),
			"awsregion": text(p.Region, p.Region), "sourceipaddress": text("10.0.0.1", "rds.amazonaws.com"),
			"useridentity.arn":         text("arn:aws:iam::"+account+":user/alice", "arn:aws:sts::"+account+":assumed-role/order-worker/i-0e1bcc540be84fc53"),
			"useridentity.accesskeyid": text("AKIA3EGLZWHZ7OV5Q6SE", "ASIAZYOEGSSWR3CJRPWC"),
		}}})
	}
	s, err := lake.Newest(ctx)
	if err != nil {
		return err
	}
	_, err = lake.Commit(ctx, s, catalog.Change{Add: map[string][]catalog.NewFile{cloudtrail.Logs: files}})
	if err != nil {
		return err
	}
	// The first question brings the index up to date, which is no part of planning.
	return (&asker{Engine: engine.New(lake)}).ask(ctx, "SELECT count(*) FROM cloudtrail_logs", func([]arrow.Array, int) {})
}
