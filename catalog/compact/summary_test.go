package compact

import (
	"fmt"
	"slices"
	"testing"

	"github.com/trailql/trailql/engine/source"
)

// TestSummaryAnswers: what the log says of files is what is in them. Each question is asked with and without that knowledge, of a lake with
// NULLs, odd times, duplicates and several files in a partition; where the log knows the answer, nothing may be read.
func TestSummaryAnswers(t *testing.T) {
	l := newLake(t)
	for n := range 3 {
		var records []string
		for i := range 20 {
			fields := []string{}
			switch {
			case i%4 == 0:
				fields = append(fields, `"errorCode":"AccessDenied"`)
			case i%7 == 0:
				fields = append(fields, `"eventTime":"2026-02-01T00:00:59.5Z"`, `"sourceIPAddress":"é"`)
			}
			records = append(records, event(fmt.Sprint("e", n, i), 1+n, i, fields...))
		}
		compactTest(t, l, nil, trail{objectName("eu-west-1", 1+n, 61+n, n): content(append(records, records[0])...)}.folder(t))
	}
	const where = " FROM cloudtrail_logs WHERE "
	for _, c := range []struct {
		sql  string
		read bool // the log cannot answer
	}{
		{sql: "SELECT count(*), count(errorcode), min(errorcode), max(errorcode) FROM cloudtrail_logs"},
		{sql: "SELECT min(eventtime), max(eventtime), min(eventname), max(date), min(account), max(region), count(date) FROM cloudtrail_logs"},
		{sql: "SELECT count(*), max(eventtime)" + where + "date = DATE '2026-02-02'"},
		{sql: "SELECT count(*), max(eventtime)" + where + "date = DATE '2001-02-02'"},
		{sql: "SELECT count(*), min(account)" + where + "region = 'eu-west-1' AND account IS NOT NULL"},
		{sql: "SELECT count(*) AS n FROM (SELECT eventid, eventname FROM cloudtrail_logs) t"},
		{sql: "SELECT max(eventid) FROM cloudtrail_logs", read: true},
		{sql: "SELECT count(*)" + where + "errorcode = 'AccessDenied'", read: true},
		{sql: "SELECT count(DISTINCT account) FROM cloudtrail_logs", read: true},
		{sql: "SELECT count(*) FILTER (WHERE errorcode IS NULL) FROM cloudtrail_logs", read: true},
		{sql: "SELECT count(*)" + where + "eventtime >= '2026-02-01T00:00:05Z'", read: true},
		{sql: "SELECT min(useridentity.arn), max(sourceipaddress), count(resources) FROM cloudtrail_logs", read: true},
	} {
		want, _ := query(t, l, c.sql, source.Switches{Summary: true})
		got, stats := query(t, l, c.sql, source.Switches{})
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, by reading %v", c.sql, got, want)
		}
		if read := stats.RowsRead > 0; read != c.read {
			t.Errorf("%s: %d rows read", c.sql, stats.RowsRead)
		}
	}
}
