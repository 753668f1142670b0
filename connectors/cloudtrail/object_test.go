package cloudtrail

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

const (
	logName = "AWSLogs/111122223333/CloudTrail/us-east-1/2024/01/02/111122223333_CloudTrail_us-east-1_20240102T0304Z_abcdefghij012345.json.gz"
	event1  = `{"eventVersion":"1.08","eventTime":"2024-01-02T03:04:05Z","eventName":"A","eventID":"1"}`
	event2  = `{"eventVersion":"1.08","eventTime":"2024-01-02T03:04:06Z","eventName":"B","eventID":"2"}`
	digest1 = `{"awsAccountId":"111122223333","digestStartTime":"2024-01-02T03:00:00Z","digestEndTime":"2024-01-02T04:00:00Z","digestS3Object":"x","logFiles":[]}`
)

// What an object holds decides; its name only where the content leaves it open.
func TestContent(t *testing.T) {
	type bad struct {
		Row, Offset int64
		Bytes       string
	}
	for _, c := range []struct {
		why, name, content string
		kind               Kind
		rows               int64
		bad                []bad
		fault              string // Reason of the ObjectError
		salvaged           int
	}{
		{why: "log file", content: `{"Records":[` + event1 + `,` + event2 + `]}`, kind: KindLog, rows: 2},
		{why: "byte order mark, white space", content: "\xEF\xBB\xBF \r\n{ \"Records\" : [ " + event1 + " ,\n" + event2 + " ] } \n", kind: KindLog, rows: 2},
		{why: "empty log file", content: `{"Records":[]}`, kind: KindLog},
		{why: "empty log file of a kind that the name tells", name: strings.ReplaceAll(logName, "CloudTrail", "CloudTrail-Insight"), content: `{"Records":[]}`, kind: KindInsight},
		{why: "other keys around", content: `{"a":{"Records":[1]},"Records":[` + event1 + `],"b":[{}],"Records":[` + event2 + `]}`, kind: KindLog, rows: 2},
		{why: "any object is a record", content: `{"Records":[{},{"a":null}]}`, kind: KindLog, rows: 2},
		{why: "bare array", content: `[` + event1 + `,{"x":1}]`, kind: KindLog, rows: 2},
		{why: "bare array of something else", content: `[{"x":1}]`, kind: KindUnknown},
		{why: "bare array of something else in the place of a log", name: logName, content: `[{"x":1}]`, kind: KindLog, rows: 1},
		{why: "empty array in the place of a log", name: logName, content: `[]`, kind: KindLog},
		{why: "one event", content: event1, kind: KindLog, rows: 1},
		{why: "an event without version", content: `{"eventName":"A","eventSource":"b"}`, kind: KindLog, rows: 1},
		{why: "JSON Lines", content: event1 + "\n" + event2 + "\n", kind: KindLog, rows: 2},
		{why: "concatenated values", content: event1 + event2, kind: KindLog, rows: 2},
		{why: "indented values", content: strings.ReplaceAll(event1, ",", ",\n ") + "\n" + event2, kind: KindLog, rows: 2},
		{why: "Insight by category", content: `{"Records":[{"eventVersion":"1.07","eventCategory":"Insight"}]}`, kind: KindInsight, rows: 1},
		{why: "Insight by its details", content: `{"Records":[{"eventVersion":"1.07","insightDetails":null}]}`, kind: KindInsight, rows: 1},
		{why: "aggregated", content: `{"Records":[{"eventVersion":"1.0","eventId":"1","timeWindow":{}}]}`, kind: KindAggregated, rows: 1},
		{why: "network activity", content: `{"Records":[{"eventVersion":"1.11","eventCategory":"NetworkActivity"}]}`, kind: KindNetwork, rows: 1},
		{why: "digest", content: digest1, kind: KindDigest},
		{why: "digest in the place of a log", name: logName, content: digest1, kind: KindDigest},
		{why: "no digest in the place of one", name: "AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2024/01/02/x.json.gz", content: `{}`, kind: KindDigest, fault: "broken digest"},
		{why: "text in the place of a digest", name: "AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2024/01/02/x.json.gz", content: `hello`, kind: KindDigest, fault: "broken digest"},
		{why: "records in the place of a digest", name: "AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2024/01/02/x.json.gz", content: `{"Records":[{}]}`, kind: KindLog, rows: 1},

		{why: "nothing", content: ``, kind: KindUnknown},
		{why: "folder marker", name: "AWSLogs/111122223333/CloudTrail/us-east-1/", content: ``, kind: KindUnknown},
		{why: "nothing in the place of a log", name: logName, content: " ", fault: "no JSON"},
		{why: "text", content: "hello\nworld", kind: KindUnknown},
		{why: "text in the place of a log", name: logName, content: "hello", fault: "no JSON"},
		{why: "other JSON", content: `{"a":[{"b":1}]}`, kind: KindUnknown},
		{why: "other JSON in the place of a log", name: logName, content: `{"a":[{"b":1}]}`, fault: "no Records array"},
		{why: "Records that are no array", name: logName, content: `{"Records":{}}`, fault: "no Records array"},
		{why: "array of scalars in the place of a log", name: logName, content: `[1]`, fault: "no Records array"},

		{why: "records that are none", content: `{"Records":[1,` + event1 + `,"a",null,[{}]]}`, kind: KindLog, rows: 1,
			bad: []bad{{0, 12, "1"}, {2, 14 + 1 + int64(len(event1)), `"a"`}, {3, 19 + int64(len(event1)), "null"}, {4, 24 + int64(len(event1)), "[{}]"}}},
		{why: "record with a raw line break in a string", content: "{\"Records\":[{\"a\":\"x\ny\"}," + event1 + "]}", kind: KindLog, rows: 1, bad: []bad{{0, 12, "{\"a\":\"x\ny\"}"}}},
		{why: "record with a bad number", content: `{"Records":[` + event1 + `,{"a":01}]}`, kind: KindLog, rows: 1, bad: []bad{{1, 13 + int64(len(event1)), `{"a":01}`}}},
		{why: "record with a bad literal", content: `{"Records":[{"a":nul},{}]}`, kind: KindLog, rows: 1, bad: []bad{{0, 12, `{"a":nul}`}}},
		{why: "record without a colon", content: `{"Records":[{"a" 1},{}]}`, kind: KindLog, rows: 1, bad: []bad{{0, 12, `{"a" 1}`}}},
		{why: "record with a comma too many", content: `{"Records":[{"a":1,},{}]}`, kind: KindLog, rows: 1, bad: []bad{{0, 12, `{"a":1,}`}}},
		{why: "bad line", content: event1 + "\nnonsense\n" + event2, kind: KindLog, rows: 2, bad: []bad{{1, int64(len(event1)) + 1, "nonsense"}}},
		{why: "bad first line", content: "# log\n" + event1, kind: KindLog, rows: 1, bad: []bad{{0, 0, "# log"}}},
		{why: "line cut off", content: event1[:30] + "\n" + event2, kind: KindLog, rows: 1, bad: []bad{{0, 0, event1[:30]}}},
		{why: "last line cut off", content: event2 + "\n" + event1[:30], kind: KindLog, rows: 1, bad: []bad{{1, int64(len(event2)) + 1, event1[:30]}}},
		{why: "an inner object of a broken record is no record", content: event1 + "\n{\n \"eventVersion\": nul,\n \"userIdentity\":\n {\n }\n}\n" + event2, kind: KindLog, rows: 2,
			bad: []bad{{1, int64(len(event1)) + 1, "{\n \"eventVersion\": nul,\n \"userIdentity\":\n {\n }\n}"}}},

		{why: "cut off in a record", content: `{"Records":[` + event1 + `,{"a":`, fault: "truncated JSON", salvaged: 1},
		{why: "cut off in a string", content: `{"Records":[` + event1 + `,{"a":"x`, fault: "truncated JSON", salvaged: 1},
		{why: "cut off after a backslash", content: `{"Records":[` + event1 + `,{"a":"x\`, fault: "truncated JSON", salvaged: 1},
		{why: "cut off between records", content: `{"Records":[` + event1 + `,`, fault: "truncated JSON", salvaged: 1},
		{why: "cut off after a record", content: `{"Records":[` + event1, fault: "truncated JSON", salvaged: 1},
		{why: "cut off after the array", content: `{"Records":[` + event1 + `]`, fault: "broken JSON around the records", salvaged: 1},
		{why: "no comma", content: `{"Records":[` + event1 + event2 + `]}`, fault: "broken JSON", salvaged: 1},
		{why: "two commas", content: `{"Records":[` + event1 + `,,` + event2 + `]}`, fault: "broken JSON", salvaged: 1},
		{why: "brackets do not match", content: `{"Records":[` + event1 + `,{"a":[1}]}`, fault: "broken JSON", salvaged: 1},
		{why: "a second document", content: `{"Records":[` + event1 + `]}{"Records":[` + event2 + `]}`, fault: "bytes after the end", salvaged: 1},
		{why: "zero bytes at the end", content: `[` + event1 + "]\x00\x00", fault: "bytes after the end", salvaged: 1},
		{why: "an event cut off", content: event1[:len(event1)-1], fault: "no JSON"},
		{why: "nesting", content: `{"Records":[` + event1 + `,{"a":` + strings.Repeat("[", 600) + strings.Repeat("]", 600) + `}]}`, fault: "nesting over 512", salvaged: 1},
		{why: "endless nesting", content: `{"eventVersion":"1","a":` + strings.Repeat("[", 1<<20), fault: "nesting over 512"},
		{why: "endless nesting around", content: `{"Records":[],"a":` + strings.Repeat("[", 1<<20), fault: "nesting over 512"},
		{why: "too many bad records", content: `{"Records":[1` + strings.Repeat(",1", 20000) + `]}`, fault: "too many bad records"},
	} {
		t.Run(c.why, func(t *testing.T) {
			for _, pack := range []bool{false, true} {
				content := []byte(c.content)
				if pack {
					content = packed(t, content)
				}
				name := c.name
				if name == "" {
					name = "some.json"
				}
				obj, batches, err := decode(t, name, content)
				var rows int64
				for _, b := range batches {
					rows += int64(b.Len)
				}
				if c.fault != "" {
					var fault *ObjectError
					if !errors.As(err, &fault) || fault.Reason != c.fault || len(fault.Salvaged) != c.salvaged {
						t.Fatalf("got %v, %v; want %q and %d salvaged", obj, err, c.fault, c.salvaged)
					}
					if rows != 0 {
						t.Errorf("%d rows of an object that must be set aside", rows)
					}
					if c.salvaged > 0 && string(fault.Salvaged[0]) != event1 {
						t.Errorf("salvaged %s", fault.Salvaged[0])
					}
				} else if err != nil || obj.Kind != c.kind || rows != c.rows || obj.Records != c.rows+int64(len(c.bad)) {
					t.Fatalf("got %+v, %d rows, %v; want kind %q, %d rows", obj, rows, err, c.kind, c.rows)
				}
				if obj.Size != int64(len(content)) || obj.ContentSize != int64(len(c.content)) {
					t.Errorf("sizes %d and %d; want %d and %d", obj.Size, obj.ContentSize, len(content), len(c.content))
				}
				var got []bad
				for _, b := range obj.Bad {
					got = append(got, bad{b.Row, b.Offset, string(b.Bytes)})
				}
				if !reflect.DeepEqual(got, c.bad) {
					t.Errorf("bad records %+v; want %+v", got, c.bad)
				}
			}
		})
	}
}

func TestGzip(t *testing.T) {
	good := packed(t, []byte(`{"Records":[`+event1+`,`+event2+`]}`))
	flip := func(b []byte, i int) []byte {
		b = append([]byte(nil), b...)
		b[i] ^= 0x10
		return b
	}
	bomb := packed(t, append([]byte(`{"Records":[`+event1+`,{"a":"`), make([]byte, 66<<20)...))
	for _, c := range []struct {
		why    string
		stored []byte
		fault  string
		offset int64
	}{
		{"whole", good, "", 0},
		{"a second member", append(append([]byte(nil), good...), good...), "second gzip member", int64(len(good))},
		{"garbage after it", append(append([]byte(nil), good...), 'x'), "bytes after the end", int64(len(good))},
		{"padding after it", append(append([]byte(nil), good...), 0, 0), "bytes after the end", int64(len(good))},
		{"cut in the trailer", good[:len(good)-1], "truncated gzip", int64(len(good)) - 1},
		{"cut in the middle", good[:len(good)/2], "truncated gzip", int64(len(good) / 2)},
		{"cut in the header", good[:5], "truncated gzip", 5},
		{"wrong checksum", flip(good, len(good)-6), "corrupt gzip", int64(len(good))},
		{"wrong method", flip(good, 2), "corrupt gzip", -1},
		{"bomb", bomb, "expansion over 400", -1},
	} {
		obj, batches, err := decode(t, "", c.stored)
		if c.fault == "" {
			if err != nil || obj.Records != 2 {
				t.Errorf("%s: %v, %v", c.why, obj, err)
			}
			continue
		}
		var fault *ObjectError
		if !errors.As(err, &fault) || fault.Reason != c.fault || c.offset >= 0 && fault.Offset != c.offset || len(batches) > 0 {
			t.Errorf("%s: %v; want %q at %d", c.why, err, c.fault, c.offset)
			continue
		}
		if obj.Size != int64(len(c.stored)) {
			t.Errorf("%s: size %d of %d", c.why, obj.Size, len(c.stored))
		}
		if strings.HasPrefix(c.why, "garbage") && len(fault.Salvaged) != 2 {
			t.Errorf("%s: %d records salvaged", c.why, len(fault.Salvaged))
		}
	}
}

// A reading that fails is no fault of the object, and leaves the rows as they were.
func TestReadingFails(t *testing.T) {
	boom := errors.New("connection lost")
	var rows Rows
	if _, err := Decode(context.Background(), opener([]byte(event1)), "", "a", Limits{}, &rows, nil); err != nil {
		t.Fatal(err)
	}
	plain := []byte(`{"Records":[` + event1 + `,` + event2 + `]}`)
	for _, stored := range [][]byte{plain, packed(t, plain)} {
		for _, cut := range []int{0, 1, 5, len(stored) / 2, len(stored) - 1, len(stored)} {
			open := func() (io.ReadCloser, error) {
				return io.NopCloser(io.MultiReader(strings.NewReader(string(stored[:cut])), iotest.ErrReader(boom))), nil
			}
			if _, err := Decode(context.Background(), open, "", "b", Limits{}, &rows, nil); !errors.Is(err, boom) || isObjectError(err) {
				t.Errorf("cut at %d: %v", cut, err)
			}
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Decode(ctx, opener(plain), "", "c", Limits{}, &rows, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := Decode(context.Background(), func() (io.ReadCloser, error) { return nil, boom }, "", "d", Limits{}, &rows, nil); !errors.Is(err, boom) {
		t.Errorf("open: %v", err)
	}
	if n := rows.Len(); n != 1 {
		t.Errorf("%d rows; want the one from before", n)
	}
}

// After a fault the rows are as if the object had never been there: also the dictionaries, lists and maps.
func TestAllOrNone(t *testing.T) {
	object := func(n int) []byte { return generated(uint64(n), 50) }
	var want, got Rows
	for n := range 3 {
		if _, err := Decode(context.Background(), opener(object(n)), "", "p", Limits{}, &want, nil); err != nil {
			t.Fatal(err)
		}
		broken := object(n + 100)
		if _, err := Decode(context.Background(), opener(broken[:len(broken)-2]), "", "q", Limits{}, &got, nil); !isObjectError(err) {
			t.Fatal(err)
		}
		if _, err := Decode(context.Background(), opener(object(n)), "", "p", Limits{}, &got, nil); err != nil {
			t.Fatal(err)
		}
	}
	w, g := want.Flush(), got.Flush()
	for table := range w {
		for i, c := range w[table].Cols {
			if !array.Equal(undone(c), undone(g[table].Cols[i])) {
				t.Errorf("%s: column %s differs", table, Schema(table)[i].Name)
			}
			if d, ok := c.(*array.Dictionary); ok && d.Dictionary().DataType().ID() == arrow.STRING && d.Dictionary().Len() != g[table].Cols[i].(*array.Dictionary).Dictionary().Len() {
				t.Errorf("%s: dictionary of %s differs", table, Schema(table)[i].Name)
			}
		}
	}
	if got.Len() != 0 || got.Bytes() != 0 {
		t.Errorf("after Flush: %d rows, %d bytes", got.Len(), got.Bytes())
	}
}

// Content that is read as a stream, in small pieces, gives what content in memory gives.
func TestStream(t *testing.T) {
	long := `{"eventVersion":"1.08","eventName":"long","requestParameters":{"a":"` + strings.Repeat("x", 3000) + `"}}`
	for i, content := range []string{
		string(generated(7, 40)),
		`{"a":"` + strings.Repeat("y", 500) + `","Records":[` + event1 + `,` + long + `, 12 ,tru,{"a":1e},` + event2 + `] , "z" : 0 } `,
		event1 + "\n" + long + "\nnonsense\n{\"broken\":\n" + event2 + "\n",
		`[` + long + `,` + event1 + `]`,
		`{"Records":[` + long + `,` + event1 + `}`,
		`{"Records":[` + long + `,` + event1,
		digest1 + strings.Repeat(" ", 300),
		strings.Repeat("text\n", 200),
	} {
		whole, wantRows, wantErr := decode(t, "", []byte(content))
		for _, stored := range [][]byte{[]byte(content), packed(t, []byte(content))} {
			var rows Rows
			rows.decoder = &decoder{win: window{step: 7}}
			var flushed []map[string]int
			got, err := Decode(context.Background(), func() (io.ReadCloser, error) {
				return io.NopCloser(iotest.OneByteReader(strings.NewReader(string(stored)))), nil
			}, "", "", Limits{Memory: 64}, &rows, func() error {
				n := map[string]int{}
				for table, b := range rows.Flush() {
					n[table] = b.Len
				}
				flushed = append(flushed, n)
				return nil
			})
			if fmt.Sprint(err) != fmt.Sprint(wantErr) {
				t.Errorf("content %d: error %v; want %v", i, err, wantErr)
				continue
			}
			got.Size, got.SHA256 = whole.Size, whole.SHA256
			if err == nil && !reflect.DeepEqual(got, whole) {
				t.Errorf("content %d: %+v; want %+v", i, got, whole)
			}
			n := map[string]int{}
			for table, b := range rows.Flush() {
				n[table] += b.Len
			}
			for _, f := range flushed {
				for table, k := range f {
					n[table] += k
				}
			}
			if n[Logs] != wantRows[Logs].Len {
				t.Errorf("content %d: %d rows; want %d", i, n[Logs], wantRows[Logs].Len)
			}
		}
	}
}

func TestLimits(t *testing.T) {
	big := `{"Records":[` + event1 + `,{"a":"` + strings.Repeat("x", 5000) + `"}]}`
	for _, c := range []struct {
		limits Limits
		fault  string
	}{
		{Limits{Record: 4096}, "record over 4096 bytes"},
		{Limits{Record: 4096, Memory: 100}, "record over 4096 bytes"},
		{Limits{Depth: 1}, ""},
		{Limits{Memory: 100}, ""},
	} {
		var rows Rows
		rows.decoder = &decoder{win: window{step: 16}}
		_, err := Decode(context.Background(), opener([]byte(big)), "", "", c.limits, &rows, nil)
		var fault *ObjectError
		if c.fault == "" && err != nil || c.fault != "" && (!errors.As(err, &fault) || fault.Reason != c.fault || len(fault.Salvaged) != 1) {
			t.Errorf("%+v: %v", c.limits, err)
		}
	}
}

// Records of one time and id are compared with each other in memory: an object of very many is set aside, whether it is held or read as a stream.
func TestManyAlike(t *testing.T) {
	many := func(record func(i int) string) string {
		var b strings.Builder
		b.WriteString(`{"Records":[{}`)
		for i := range 2*mostAlike + 10 {
			b.WriteString("," + record(i))
		}
		return b.String() + `]}`
	}
	for name, c := range map[string]struct {
		content string
		fault   string
	}{
		"neither": {many(func(int) string { return `{}` }), "over 100000 records with one time and id"},
		"one id":  {many(func(i int) string { return fmt.Sprintf(`{"eventID":"x","n":%d}`, i) }), "over 100000 records with one time and id"},
		"ids":     {many(func(i int) string { return fmt.Sprintf(`{"eventID":"%d"}`, i) }), ""},
		"times":   {many(func(i int) string { return fmt.Sprintf(`{"eventTime":"2026-03-02T00:00:00.%06dZ"}`, i) }), ""},
	} {
		for _, limits := range []Limits{{}, {Memory: 1 << 20}} {
			var rows Rows
			_, err := Decode(t.Context(), opener([]byte(c.content)), "", "", limits, &rows, func() error { rows.Flush(); return nil })
			var fault *ObjectError
			if c.fault == "" && err != nil || c.fault != "" && (!errors.As(err, &fault) || fault.Reason != c.fault) {
				t.Errorf("%s, %+v: %v", name, limits, err)
			}
		}
	}
}

// Many small records must not fill the memory: the rows are handed out as they grow.
func TestRowsLargerThanContent(t *testing.T) {
	content := `{"Records":[{}` + strings.Repeat(",{}", 180_000) + `]}`
	var rows Rows
	var most int64
	var n int
	obj, err := Decode(context.Background(), opener([]byte(content)), "", "", Limits{Memory: 1 << 20}, &rows, func() error {
		most = max(most, rows.Bytes())
		n += rows.Flush()[Logs].Len
		return nil
	})
	if err != nil || obj.Records != 180_001 || n+rows.Flush()[Logs].Len != 180_001 {
		t.Fatal(obj, err, n)
	}
	if most > 4<<20 { // twice the limit before the rows are found too large, and what a slice grows at a time
		t.Errorf("rows grew to %d bytes", most)
	}
}

// An object that is another one at the second reading is refused.
func TestChanged(t *testing.T) {
	n := 0
	var rows Rows
	_, err := Decode(context.Background(), func() (io.ReadCloser, error) {
		n++
		return io.NopCloser(strings.NewReader(fmt.Sprintf(`{"Records":[%s,{"n":%d}]}`, event1, n))), nil
	}, "x", "x", Limits{Memory: 10}, &rows, nil)
	if err == nil || isObjectError(err) || rows.Len() != 0 || n != 2 {
		t.Errorf("%v, %d rows, %d readings", err, rows.Len(), n)
	}
}

// The hash of the content is that of the bytes between packing and unpacking, held or streamed, and none where they do not come to an end.
func TestContentHash(t *testing.T) {
	text := []byte(`{"Records":[{"eventVersion":"1.08","eventTime":"2024-01-02T03:04:05Z","eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"us-east-1","requestParameters":{"key":"a\/b"}}]}`)
	zipped := packed(t, text)
	for _, c := range []struct {
		what   string
		stored []byte
		want   [32]byte
	}{
		{"plain", text, sha256.Sum256(text)},
		{"packed", zipped, sha256.Sum256(text)},
		{"cut off", zipped[:len(zipped)-9], [32]byte{}},
		{"a second member", append(slices.Clone(zipped), zipped...), [32]byte{}},
		{"bytes after the end", append(slices.Clone(zipped), "x"...), [32]byte{}},
	} {
		for _, limits := range []Limits{{}, {Memory: 100}} {
			var rows Rows
			obj, err := Decode(context.Background(), opener(c.stored), "x.json.gz", "x.json.gz", limits, &rows, func() error { return nil })
			if (err == nil) != (c.want != [32]byte{}) || obj.ContentSHA256 != c.want {
				t.Errorf("%s, %+v: %x, %v; want %x", c.what, limits, obj.ContentSHA256, err, c.want)
			}
		}
	}
}

// A reading that is ended when all of the content is there, but the object was not read to its end yet, leaves no rows behind.
func TestEndedAtTheEnd(t *testing.T) {
	text := []byte(`{"Records":[{"eventVersion":"1.08","eventTime":"2024-01-02T03:04:05Z","eventName":"GetObject"}]}`)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	open := func() (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(bytes.NewReader(text), atEnd(cancel))), nil
	}
	var rows Rows
	if _, err := Decode(ctx, open, "x.json", "x.json", Limits{}, &rows, func() error { return nil }); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	for table, b := range rows.Flush() {
		if b.Len > 0 {
			t.Errorf("%d rows of %s", b.Len, table)
		}
	}
}

// atEnd is called when a reading comes to its end.
type atEnd func()

func (f atEnd) Read([]byte) (int, error) {
	f()
	return 0, io.EOF
}
