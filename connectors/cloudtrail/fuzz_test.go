package cloudtrail

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"
)

// FuzzDecode: strangers' bytes neither panic nor take memory out of proportion, the records are all accounted for, and content
// that is read as a stream gives the same.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"Records":[` + event1 + `,1,{"a":nul}]}`, `[` + event1 + `]`, event1 + "\nbad\n" + event2, digest1, "", "[", `{"Records":[`,
		bridged(event1) + bridged(`{}`), logBatch(event1, "x", bridged(event2)), "2024-01-02T03:04:05.678Z " + event1 + "\nx\n", "a,eventJson\n1," + csvQuote(event1) + "\n\"",
		`{"Events":[` + looked(event1) + `,{"CloudTrailEvent":"{\ud800\"eventVersion\""}]}`, `["{\"eventVersion\":1}"]`,
		`{"a":"\ud800","Records":[{"userIdentity":{"x":1},"resources":[{},{"x":1}]}]}`, "\x1f\x8b\x08\x00\x00\x00\x00\x00",
	} {
		f.Add([]byte(s))
		f.Add(packed(f, []byte(s)))
	}
	f.Fuzz(func(t *testing.T, stored []byte) {
		for _, name := range []string{"", logName} {
			var rows Rows
			obj, err := Decode(context.Background(), opener(stored), name, name, Limits{}, &rows, nil)
			n := rows.Len()
			if err != nil && n != 0 || err == nil && n+int64(len(obj.Bad)) != obj.Records {
				t.Fatalf("%d rows, %+v, %v", n, obj, err)
			}
			if rows.Bytes() > 64<<10+200*int64(len(stored))*1100 {
				t.Fatalf("%d bytes of rows from %d", rows.Bytes(), len(stored))
			}
			for table, b := range rows.Flush() {
				rebuilt(t, table, b)
				for _, c := range b.Cols {
					if err := validText(c); err != nil {
						t.Fatal(err)
					}
				}
			}

			var again Rows
			again.decoder = &decoder{win: window{step: 5}}
			other, err2 := Decode(context.Background(), opener(stored), name, name, Limits{Memory: 16}, &again, nil)
			if (err == nil) != (err2 == nil) || again.Len() != n || other.Records != obj.Records || other.Kind != obj.Kind {
				t.Fatalf("in memory %+v, %v, %d rows; as a stream %+v, %v, %d rows", obj, err, n, other, err2, again.Len())
			}
		}
	})
}

// FuzzRecord: what encoding/json takes for an object is a row that comes back equal; what it does not is a bad record.
func FuzzRecord(f *testing.F) {
	for _, s := range []string{event1, `{"userIdentity":{"type":"a","x":[1,{"y":"\u0041\/"}]},"eventID":1.10,"eventID":2}`,
		`{"resources":[{"ARN":"a"},{"x":0}],"responseElements":"{\"a\":1}"}`, "{\"a\":\"\xff\"}", `{"a":01}`, `{"insightDetails":{"state":null}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, record []byte) {
		record = bytes.TrimSpace(record)
		var object map[string]json.RawMessage
		if json.Unmarshal(record, &object) == nil && object != nil {
			checkRecord(t, t.Fatalf, record)
			return
		}
		// It must not pass for one record.
		_, batches, err := decode(t, logName, append(append([]byte("["), record...), ']'))
		for _, b := range batches {
			if err == nil && b.Len == 1 && !bytes.Contains(record, []byte(",")) {
				t.Fatalf("%q passes for a record", record)
			}
		}
	})
}
