package compact

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqltype"
)

// query runs SQL and returns its rows as text, in the order of the result.
func query(t testing.TB, l *catalog.Lake, text string, off source.Switches) ([]string, engine.Stats) {
	t.Helper()
	r, err := engine.New(l).Query(context.Background(), text, engine.Options{Off: off})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	defer r.Close()
	var out []string
	for {
		b, err := r.Next()
		if err == io.EOF {
			return out, r.Stats()
		}
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		for i := range b.Len {
			var cells []string
			for c, col := range r.Columns {
				cells = append(cells, string(sqltype.AppendText(nil, col.Type, b.Cols[c], i)))
			}
			out = append(out, strings.Join(cells, "|"))
		}
	}
}

func TestViews(t *testing.T) {
	l := newLake(t)
	compactTest(t, l, nil, trail{
		objectName("eu-west-1", 1, 61, 1): content(
			event("a", 1, 1, `"readOnly":true`, `"requestParameters":{"bucketName":"b","n":1.10}`),
			event("b", 1, 2, `"readOnly":"false"`, `"managementEvent":true`, `"requestParameters":null`)),
		objectName("eu-west-1", 1, 62, 2): content(event("b", 1, 2, `"readOnly":"false"`, `"managementEvent":true`, `"requestParameters":null`), "7"),
		digestName(1):                     digest(1, "null"),
	}.folder(t))
	for _, c := range []struct{ sql, want string }{
		{`SELECT eventid, eventtime, readonly, managementevent, requestparameters['bucketName'], requestparameters['n'] FROM cloudtrail_lake ORDER BY eventid`,
			"a|2026-02-01 00:00:01.000|true||b|1.10\nb|2026-02-01 00:00:02.000|false|true||"},
		{`SELECT count(*) FROM cloudtrail_lake WHERE eventtime > '2026-02-01 00:00:01' AND account = '111111111111'`, "1"},
		{`SELECT eventjson FROM cloudtrail_lake WHERE eventid = 'a'`, event("a", 1, 1, `"readOnly":true`, `"requestParameters":{"bucketName":"b","n":1.10}`)},
		{`SELECT "$path" = _path, account, region, date FROM default.cloudtrail_logs WHERE eventid = 'b'`, "true|111111111111|eu-west-1|2026-02-01"},
		{`SELECT count(*) FROM cloudtrail_logs WHERE eventjson LIKE '%bucketName%' AND region = 'eu-west-1'`, "1"},
		{`SELECT eventid FROM cloudtrail_logs WHERE eventjson LIKE '%managementEvent%' LIMIT 1`, "b"},
	} {
		got, _ := query(t, l, c.sql, source.Switches{})
		if strings.Join(got, "\n") != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.sql, strings.Join(got, "\n"), c.want)
		}
	}
}

// Pruning must skip what it can, and never change an answer.
func TestPruningOfPartitionsAndFiles(t *testing.T) {
	l := newLake(t)
	tr := randomTrail(9, 30)
	names := sortedNames(tr)
	dir := t.TempDir()
	for i := 0; i < len(names); i += 10 { // three runs, so that partitions have several files
		part := trail{}
		for _, n := range names[i : i+10] {
			part[n] = tr[n]
		}
		part.write(t, dir)
		compactTest(t, l, func(o *Options) { o.NoMerge = true }, dir)
	}
	for _, c := range []struct {
		where             string
		partitions, files bool // something must be pruned
	}{
		{`date = date '2026-02-02'`, true, true},
		{`eventtime BETWEEN '2026-02-02T00:00:00Z' AND '2026-02-02T06:00:00Z'`, false, true},
		{`_time >= timestamp '2026-02-03 12:00:00'`, true, true},
		{`recipientaccountid = '999999999999'`, true, true},
		{`account = '111111111111'`, false, false},
		{`account IS NULL`, true, true},
		{`awsregion = 'us-east-1'`, true, true},
		{`eventname = 'Nothing'`, false, true},
		{`eventid = 'id-0007'`, false, false},
		{`eventid IS NULL`, false, false},
		{`_commit = 2`, false, true},
		{`errorcode IS NOT NULL`, false, true},
		{`day_of_week(date) = 1`, false, false},
		{`eventname = 'GetObject' OR eventtime > '2027'`, false, false},
	} {
		text := `SELECT eventid, eventtime, "$path", _row FROM cloudtrail_logs WHERE ` + c.where
		got, stats := query(t, l, text, source.Switches{})
		want, _ := query(t, l, text, source.Switches{Partition: true, File: true, Index: true, RowGroup: true, Bloom: true, Dictionary: true, Page: true, Late: true})
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d rows with pruning, %d without", c.where, len(got), len(want))
		}
		if c.partitions && stats.PartitionsPruned == 0 || c.files && stats.FilesPruned == 0 {
			t.Errorf("%s: pruned %d of %d partitions and %d of %d files", c.where, stats.PartitionsPruned, stats.Partitions, stats.FilesPruned, stats.Files)
		}
		t.Logf("%s: %d rows, pruned %d of %d partitions, %d of %d files", c.where, len(got), stats.PartitionsPruned, stats.Partitions, stats.FilesPruned, stats.Files)
	}
}

// A day by eventtime leaves out partitions as one by date does, but never one in which times are spelled freely.
func TestPartitionsByEventTime(t *testing.T) {
	l := newLake(t)
	odd := func(id, at string) string {
		return `{"eventTime":` + at + `,"eventID":"` + id + `","awsRegion":"eu-west-1","recipientAccountId":"111111111111"}`
	}
	tr := trail{}
	for day := 1; day <= 9; day++ {
		events := []string{event(fmt.Sprintf("a-%d", day), day, 0), event(fmt.Sprintf("b-%d", day), day, 3599)}
		switch day {
		case 3:
			events = append(events, odd("offset", `"2026-02-04T01:30:00+02:00"`))
		case 5:
			events = append(events, odd("fraction", `"2026-02-05T09:00:00.5Z"`))
		case 7:
			events = append(events, odd("none", `null`))
		}
		tr[objectName("eu-west-1", day, 1, day)] = content(events...)
	}
	compactTest(t, l, nil, tr.folder(t))
	for _, c := range []struct {
		where string
		left  int64 // partitions: the two where a time is spelled freely and the one without a date are among them
	}{
		{`eventtime >= '2026-02-04T00:00:00Z' AND eventtime < '2026-02-05T00:00:00Z'`, 4},
		{`eventtime LIKE '2026-02-04T%'`, 4},
		{`eventtime BETWEEN '2026-02-08' AND '2026-02-09'`, 4},
		{`from_iso8601_timestamp(eventtime) >= timestamp '2026-02-09 00:00:00 UTC'`, 4},
		{`eventtime = '2026-02-08T00:00:00Z' OR date = date '2026-02-01'`, 5},
		{`eventtime > '2026-02-08' AND account = '111111111111'`, 5},
		{`(eventtime > '2026-02-09' OR account IS NULL)`, 4},
		{`NOT (eventtime > '2026-02-02')`, 4},
		{`eventtime IS NULL`, 10},
		{`eventtime IS NULL AND date IS NOT NULL`, 9},
	} {
		text := `SELECT eventid FROM cloudtrail_logs WHERE ` + c.where
		got, stats := query(t, l, text, source.Switches{File: true})
		want, _ := query(t, l, text, source.Switches{Partition: true, File: true, Index: true, RowGroup: true, Bloom: true, Dictionary: true, Page: true, Late: true})
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q with pruning, %q without", c.where, got, want)
		}
		if left := stats.Partitions - stats.PartitionsPruned; left != c.left {
			t.Errorf("%s: %d of %d partitions are left, want %d; rows %q", c.where, left, stats.Partitions, c.left, got)
		}
	}
}
