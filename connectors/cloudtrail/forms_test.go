package cloudtrail

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

func quoteJSON(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func bridged(record string) string {
	return `{"version":"0","id":"x","detail-type":"AWS API Call via CloudTrail","source":"aws.s3","account":"111122223333","time":"2024-01-02T03:04:05Z","region":"us-east-1","resources":[],"detail":` + record + `}`
}

func looked(record string) string {
	return `{"EventId":"1","EventName":"A","Resources":[],"CloudTrailEvent":` + quoteJSON(record) + `}`
}

func logged(message string) string {
	return `{"id":"1","timestamp":1704164645000,"message":` + quoteJSON(message) + `}`
}

func logBatch(messages ...string) string {
	var events []string
	for _, m := range messages {
		events = append(events, logged(m))
	}
	return `{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"g","logStream":"s","subscriptionFilters":["f"],"logEvents":[` + strings.Join(events, ",") + `]}`
}

// odd is a record whose text is not simple to carry: escapes, quotes, number text, keys that are of envelopes.
const odd = `{"eventVersion":"1.08","eventName":"odd \" \\ \u00e9 \ud83d\ude00 \/","eventID":"3","requestParameters":{"n":1.10,"detail":{"a":"\n"},"message":"m","Events":[1]},"message":1,"detail-type":"x","Events":[{}]}`

// In each form the records are found, as they were written; the rest is counted.
func TestForms(t *testing.T) {
	foreign := `{"version":"0","detail-type":"EC2 Instance State-change Notification","source":"aws.ec2","detail":{"instance-id":"i-1","state":"running"}}`
	for _, c := range []struct {
		why, content string
		records      []string
		bad          int
		foreign      int64
		unknown      bool
	}{
		{why: "envelope", content: bridged(event1), records: []string{event1}},
		{why: "envelopes, one after the other", content: bridged(event1) + bridged(odd), records: []string{event1, odd}},
		{why: "envelopes, line by line", content: bridged(event1) + "\n" + bridged(odd) + "\n", records: []string{event1, odd}},
		{why: "envelopes in an array", content: "[" + bridged(event1) + ", " + bridged(odd) + "]", records: []string{event1, odd}},
		{why: "envelope with its keys in another order", content: `{"detail":` + event1 + `,"source":"aws.s3","detail-type":"AWS Console Sign In via CloudTrail"}`, records: []string{event1}},
		{why: "other events of the bus", content: foreign + bridged(event1) + foreign, records: []string{event1}, foreign: 2},
		{why: "only other events of the bus", content: foreign + foreign, unknown: true},
		{why: "envelope whose record is none", content: bridged(event1) + bridged(`{}`) + bridged(`1`), records: []string{event1}, bad: 2},
		{why: "envelope whose record is none, alone", content: bridged(`{}`), bad: 1},
		{why: "envelope of a customer", content: bridged(event1) + strings.Replace(bridged(event2), "aws.s3", "my.app", 1) + strings.Replace(bridged(event2), "aws.s3", "aws.partner/x", 1), records: []string{event1}, bad: 2},
		{why: "envelope with two records", content: bridged(event1) + strings.Replace(bridged(event2), `"detail":`, `"detail":`+event1+`,"detail":`, 1), records: []string{event1}, bad: 1},
		{why: "envelope cut off", content: bridged(event1) + bridged(event2)[:90], records: []string{event1}, bad: 1},
		{why: "envelopes and records", content: event1 + bridged(event2) + odd, records: []string{event1, event2, odd}},

		{why: "LookupEvents", content: `{"Events":[` + looked(event1) + `,` + looked(odd) + `],"NextToken":"x"}`, records: []string{event1, odd}},
		{why: "pages of LookupEvents", content: `{"NextToken":"a","Events":[` + looked(event1) + `]}{"Events":[` + looked(odd) + `]}`, records: []string{event1, odd}},
		{why: "pages of LookupEvents in an array", content: `[{"Events":[` + looked(event1) + `]},{"Events":[` + looked(odd) + `]}]`, records: []string{event1, odd}},
		{why: "events of LookupEvents", content: `[` + looked(event1) + `,` + looked(odd) + `]`, records: []string{event1, odd}},
		{why: "texts of LookupEvents", content: `[` + quoteJSON(event1) + `,` + quoteJSON(odd) + `]`, records: []string{event1, odd}},
		{why: "texts of LookupEvents in lines", content: quoteJSON(event1) + "\n" + quoteJSON(odd), records: []string{event1, odd}},
		{why: "no events", content: `{"Events":[]}`, unknown: true},
		{why: "LookupEvents with a broken record", content: `{"Events":[` + looked(event1) + `,` + looked(event2[:40]) + `]}`, records: []string{event1}, bad: 1},
		{why: "events of something else", content: `{"Events":[{"a":1},2,"x"]}`, unknown: true},
		{why: "half a surrogate pair around a record", content: `{"Events":[` + looked(event1) + `,{"CloudTrailEvent":"{\"eventVersion\":\"\ud800\"}"}]}`, records: []string{event1}, bad: 1},
		{why: "half a surrogate pair in a record", content: `{"Events":[` + looked(`{"eventVersion":"\ud800"}`) + `]}`, records: []string{`{"eventVersion":"\ud800"}`}},

		{why: "batch of logs", content: logBatch(event1, odd), records: []string{event1, odd}},
		{why: "batches of logs", content: logBatch(event1) + logBatch(odd) + "\n" + logBatch(event2), records: []string{event1, odd, event2}},
		{why: "batch that only checks", content: `{"messageType":"CONTROL_MESSAGE","logEvents":[{"id":"","timestamp":1,"message":"CWL CONTROL MESSAGE: Checking health of destination Firehose."}]}` + logBatch(event1), records: []string{event1}, foreign: 1},
		{why: "envelopes in logs", content: logBatch(bridged(event1), foreign), records: []string{event1}, foreign: 1},
		{why: "other logs", content: logBatch("START RequestId", `{"level":"info"}`), unknown: true},
		{why: "other lines among the records", content: logBatch("START", event1, `{"level":"info"}`, `{"eventVersion":"2.1","eventSource":"aws:s3","eventName":"ObjectCreated:Put"}`), records: []string{event1}, foreign: 3},
		{why: "message cut off", content: logBatch(event1, event2[:40]), records: []string{event1}, bad: 1},
		{why: "message with something behind the record", content: logBatch(event1, event2+"x"), records: []string{event1}, bad: 1},
		{why: "output of filter-log-events", content: `{"events":[{"logStreamName":"s","timestamp":1,"message":` + quoteJSON(odd) + `,"eventId":"1"}],"searchedLogStreams":[]}`, records: []string{odd}},
		{why: "export of logs", content: "2024-01-02T03:04:05.678Z " + event1 + "\n2024-01-02T03:04:05.678Z " + odd + "\n2024-01-02T03:04:06Z START\nmore\n\n", records: []string{event1, odd}, foreign: 2},
		{why: "export of other logs", content: "2024-01-02T03:04:05.678Z START\n", unknown: true},
		{why: "export with a record cut off", content: "2024-01-02T03:04:05.678Z " + event1 + "\n2024-01-02T03:04:05.678Z " + event2[:40], records: []string{event1}, bad: 1},

		{why: "query of CloudTrail Lake", content: "\"eventTime\",\"eventJson\"\n\"x, \"\"y\"\"\n\"," + csvQuote(event1) + "\r\nz," + csvQuote(odd) + "\n", records: []string{event1, odd}},
		{why: "one column", content: "eventJson\n" + csvQuote(event1), records: []string{event1}},
		{why: "rows without a record", content: "eventJson,a\n" + csvQuote(event1) + ",1\n,2\nx\n", records: []string{event1}, bad: 2},
		{why: "query without records", content: "\"eventTime\",\"eventName\"\n\"a\",\"b\"\n", unknown: true},

		{why: "copy out of CloudTrail Lake", content: `{"Records":[{"eventVersion":"1.11","eventID":"1","eventContext":{"requestContext":{"a":"b"},"tagContext":{}}}]}`,
			records: []string{`{"eventVersion":"1.11","eventID":"1","eventContext":{"requestContext":{"a":"b"},"tagContext":{}}}`}},
	} {
		t.Run(c.why, func(t *testing.T) {
			var want []string
			for _, r := range c.records {
				want = append(want, string(appendCanonical(nil, []byte(r))))
			}
			for _, stored := range [][]byte{[]byte(c.content), packed(t, []byte(c.content))} {
				for _, memory := range []int64{0, 16} { // in memory; as a stream, in pieces of 7 bytes
					var rows Rows
					var got []string
					flush := func() error {
						for table, b := range rows.Flush() {
							got = append(got, rebuilt(t, table, b)...)
						}
						return nil
					}
					if memory > 0 {
						rows.decoder = &decoder{win: window{step: 7}}
					}
					obj, err := Decode(context.Background(), func() (io.ReadCloser, error) {
						return io.NopCloser(iotest.OneByteReader(strings.NewReader(string(stored)))), nil
					}, "x", "x", Limits{Memory: memory}, &rows, flush)
					if err != nil {
						t.Fatal(err)
					}
					flush()
					if c.unknown {
						if obj.Kind != KindUnknown || len(got) > 0 {
							t.Fatalf("%+v, %q", obj, got)
						}
						continue
					}
					if obj.Kind != KindLog || !reflect.DeepEqual(got, want) || len(obj.Bad) != c.bad || obj.Foreign != c.foreign || obj.Records != int64(len(want)+c.bad) {
						t.Fatalf("%+v\n%q; want\n%q and %d bad, %d foreign", obj, got, want, c.bad, c.foreign)
					}
				}
			}
		})
	}
}

func csvQuote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// Firehose joins the gzip members that CloudWatch Logs sends; of a log file a second member is still a fault.
func TestJoinedMembers(t *testing.T) {
	stored := append(append(packed(t, []byte(logBatch(event1))), packed(t, []byte(logBatch(event2)))...), packed(t, []byte(logBatch(odd)))...)
	if obj, _, err := decode(t, "", stored); err != nil || obj.Records != 3 {
		t.Fatalf("%+v, %v", obj, err)
	}
	for _, c := range []struct{ tail, fault string }{{"x", "bytes after the end"}, {string(stored[:20]), "truncated gzip"}} {
		if _, _, err := decode(t, "", append(stored[:len(stored):len(stored)], c.tail...)); err == nil || !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%q: %v", c.tail, err)
		}
	}
}

// A value over the limit sets the object aside in each form; none fills the memory.
func TestFormsBounded(t *testing.T) {
	long := strings.Repeat("x", 3000)
	for _, content := range []string{
		bridged(event1) + bridged(`{"eventVersion":"1","a":"`+long+`"}`), logBatch(event1, event2+long),
		"2024-01-02T03:04:05.678Z " + event1 + "\n2024-01-02T03:04:05.678Z " + long, "eventJson\n" + csvQuote(event1) + "\n\"" + long,
		`{"Events":[` + looked(event1) + `,{"a":"` + long,
	} {
		var rows Rows
		rows.decoder = &decoder{win: window{step: 7}}
		_, err := Decode(context.Background(), opener([]byte(content)), "", "", Limits{Record: 1000, Memory: 16}, &rows, func() error { return nil })
		if err == nil || !strings.HasPrefix(err.Error(), "record over 1000 bytes") || rows.Len() > 0 {
			t.Errorf("%.40s: %v, %d rows", content, err, rows.Len())
		}
	}
	var many strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&many, `{"detail-type":"Scheduled Event","detail":{"n":%d}}`, i)
	}
	if obj, _, err := decode(t, "", []byte(bridged(event1)+many.String())); err != nil || obj.Foreign != 20_000 || obj.Records != 1 {
		t.Errorf("%+v, %v", obj, err)
	}
}
