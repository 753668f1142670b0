package cloudtrail

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"

	"github.com/trailql/trailql/engine/vec"
)

// one decodes a single record and returns its table, the batch of one row, and the record rebuilt.
func one(t testing.TB, record string) (table string, b vec.Batch, json string) {
	t.Helper()
	_, batches, err := decode(t, "", []byte(`{"Records":[`+record+`]}`))
	if err != nil {
		t.Fatalf("%s: %v", record, err)
	}
	for table, b := range batches {
		return table, b, rebuilt(t, table, b)[0]
	}
	t.Fatalf("no row of %s", record)
	return
}

// fieldText prints the value of a dotted column in row 0; NULL for NULL.
func fieldText(t testing.TB, table string, b vec.Batch, path string) string {
	t.Helper()
	parts := strings.Split(path, ".")
	a, row := col(t, table, b, parts[0]), 0
	for _, name := range parts[1:] {
		if a.IsNull(row) {
			return "NULL"
		}
		s := a.(*array.Struct)
		i, ok := s.DataType().(*arrow.StructType).FieldIdx(name)
		if !ok {
			t.Fatalf("no field %s", path)
		}
		a = s.Field(i)
	}
	if a.IsNull(row) {
		return "NULL"
	}
	switch a := a.(type) {
	case *array.List, *array.Map:
		return a.ValueStr(row)
	case *array.Dictionary:
		return a.Dictionary().(*array.String).Value(a.GetValueIndex(row))
	case *array.String:
		return a.Value(row)
	case *array.Int64:
		return fmt.Sprint(a.Value(row))
	case *array.Timestamp:
		return fmt.Sprint(int64(a.Value(row)))
	case *array.Date32:
		return a.Value(row).FormattedString()
	}
	t.Fatalf("%s is %s", path, a.DataType())
	return ""
}

// The traps that real and documented records hold; each is rebuilt as it came.
func TestRecords(t *testing.T) {
	type columns map[string]string
	for _, c := range []struct {
		why, record string
		table       string // Logs if empty
		want        columns
		json        string // what is rebuilt; the record itself if empty
	}{
		{why: "plain", record: `{"eventVersion":"1.08","userIdentity":{"type":"Root","sessionContext":{"attributes":{"mfaAuthenticated":"true"}}}}`,
			want: columns{"eventversion": "1.08", "useridentity.type": "Root", "useridentity.sessioncontext.attributes.mfaauthenticated": "true",
				"useridentity.sessioncontext.sessionissuer": "NULL", "useridentity.arn": "NULL", "_rest": "NULL", "_row": "0", "errorcode": "NULL"}},
		{why: "keys match by exact case", record: `{"EVENTID":"a","eventID":"b","eventid":"c","EventID":"d"}`,
			want: columns{"eventid": "b", "_rest": `{"EVENTID":"a","eventid":"c","EventID":"d"}`}},
		{why: "of duplicate keys the first counts", record: `{"eventName":"a","eventName":"b","userIdentity":{"type":"x","type":"y"},"userIdentity":{"type":"z"}}`,
			want: columns{"eventname": "a", "useridentity.type": "x", "_rest": `{"eventName":"b","userIdentity":{"type":"y"},"userIdentity":{"type":"z"}}`}},
		{why: "null is not absent", record: `{"errorCode":null,"requestParameters":null,"userIdentity":null,"resources":null}`,
			want: columns{"errorcode": "NULL", "requestparameters": "NULL", "useridentity": "NULL", "resources": "NULL", "_rest": "NULL"}},
		{why: "the marks of a shape", record: `{"eventVersion":"1.08","userIdentity":{"type":"Root","x":1},"resources":[{"ARN":"a"},{"type":"t","y":2}],"readOnly":true,"requestParameters":null,"responseElements":"s","tlsDetails":7,"apiVersion":null}`,
			want: columns{"_shape": "AB(Ax)P[A;Cx]S#K0L$xR0"}},
		{why: "flags as booleans", record: `{"readOnly":true,"managementEvent":false,"sessionCredentialFromConsole":true}`,
			want: columns{"readonly": "true", "managementevent": "false", "sessioncredentialfromconsole": "true", "_rest": "NULL"}},
		{why: "flags as text", record: `{"readOnly":"true","managementEvent":"false","sessionCredentialFromConsole":"true"}`,
			want: columns{"readonly": "true", "managementevent": "false", "sessioncredentialfromconsole": "true"}},
		{why: "number text is kept", record: `{"apiVersion":1.10,"errorCode":9007199254740993,"requestParameters":{"a":-0.0,"b":1E400,"c":1.0e+2}}`,
			want: columns{"apiversion": "1.10", "errorcode": "9007199254740993", "requestparameters": `{"a":-0.0,"b":1E400,"c":1.0e+2}`}},
		{why: "a version is no number", record: `{"eventVersion":"1.10"}`, want: columns{"eventversion": "1.10"}},
		{why: "structures in text columns", record: `{"userAgent":{"a":[1,null]},"errorCode":[]}`, want: columns{"useragent": `{"a":[1,null]}`, "errorcode": `[]`}},
		{why: "parameter blocks of other kinds", record: `{"requestParameters":"{\"a\": 1}","responseElements":[1],"additionalEventData":7,"serviceEventDetails":false}`,
			want: columns{"requestparameters": `{"a": 1}`, "responseelements": "[1]", "additionaleventdata": "7", "serviceeventdetails": "false"}},
		{why: "empty strings", record: `{"requestParameters":"","errorCode":"","resources":"","userIdentity":"","responseElements":""}`,
			want: columns{"requestparameters": "", "errorcode": "", "resources": "NULL", "useridentity": "NULL", "responseelements": "", "_rest": `{"resources":"","userIdentity":""}`}},
		{why: "rows that are none", record: `{"userIdentity":[{"type":"x"}],"tlsDetails":7,"addendum":{"reason":"UPDATED_DATA","x":1}}`,
			want: columns{"useridentity": "NULL", "tlsdetails": "NULL", "addendum.reason": "UPDATED_DATA", "_rest": `{"userIdentity":[{"type":"x"}],"tlsDetails":7,"addendum":{"x":1}}`}},
		{why: "empty rows are not NULL", record: `{"userIdentity":{"sessionContext":{"webIdFederationData":{}}}}`,
			want: columns{"useridentity.sessioncontext.webidfederationdata.federatedprovider": "NULL", "_rest": "NULL"}},
		{why: "unknown keys at all depths", record: `{"@timestamp":"t","userIdentity":{"new":{"a":1},"sessionContext":{"x":[],"attributes":{"y":0}}},"@version":"1"}`,
			want: columns{"_rest": `{"@timestamp":"t","userIdentity":{"new":{"a":1},"sessionContext":{"x":[],"attributes":{"y":0}}},"@version":"1"}`}},
		{why: "federation attributes", record: `{"userIdentity":{"sessionContext":{"webIdFederationData":{"federatedProvider":"p","attributes":{"a":"1","b":"\"2\""}}}}}`,
			want: columns{"useridentity.sessioncontext.webidfederationdata.federatedprovider": "p", "_rest": "NULL"}},
		{why: "federation attributes that are no map of texts", record: `{"userIdentity":{"sessionContext":{"webIdFederationData":{"attributes":{"a":"1","b":2}}}}}`,
			want: columns{"useridentity.sessioncontext.webidfederationdata.attributes": "NULL", "_rest": `{"userIdentity":{"sessionContext":{"webIdFederationData":{"attributes":{"a":"1","b":2}}}}}`}},
		{why: "federation attributes with one key twice", record: `{"userIdentity":{"sessionContext":{"webIdFederationData":{"attributes":{"a":"1","a":"2"}}}}}`,
			want: columns{"useridentity.sessioncontext.webidfederationdata.attributes": "NULL"}},
		{why: "resources", record: `{"resources":[{"ARN":"r","accountId":"1","type":"t"},{"ARNPrefix":"p","type":"t"}]}`,
			want: columns{"resources": `[{"accountid":"1","arn":"r","arnprefix":null,"type":"t"},{"accountid":null,"arn":null,"arnprefix":"p","type":"t"}]`, "_rest": "NULL"}},
		{why: "resources with unknown keys", record: `{"resources":[{"ARN":"r"},{"ARN":"s","arn":1},{"ARN":7},{"x":{}}]}`,
			want: columns{"_rest": `{"resources":[{"arn":1},{"x":{}}]}`}},
		{why: "resources with a single object", record: `{"resources":{"ARN":"r","x":1}}`,
			want: columns{"resources": `[{"accountid":null,"arn":"r","arnprefix":null,"type":null}]`, "_rest": `{"resources":[{"x":1}]}`}},
		{why: "no resources", record: `{"resources":[]}`, want: columns{"resources": `[]`, "_rest": "NULL"}},
		{why: "resources that are no objects", record: `{"resources":[{"ARN":"r"},null]}`, want: columns{"resources": "NULL", "_rest": `{"resources":[{"ARN":"r"},null]}`}},
		{why: "white space and escapes have one form", record: "{ \"userAgent\" : \"\\u0041\\/\\u00e9\\ud83d\\ude00\\u000a\" , \"requestParameters\" : { \"\\u0061\" : [ 1 , \"\\/\" ] } }",
			want: columns{"useragent": "A/é😀\n", "requestparameters": `{"a":[1,"/"]}`},
			json: `{"userAgent":"A/é😀\n","requestParameters":{"a":[1,"/"]}}`},
		{why: "a key with escapes", record: `{"event\u0049D":"a"}`, want: columns{"eventid": "a", "_rest": "NULL"}, json: `{"eventID":"a"}`},
		{why: "control characters", record: `{"userAgent":"\u0000\u001f\b\f\n\r\t\"\\\u007f"}`, want: columns{"useragent": "\x00\x1f\b\f\n\r\t\"\\\x7f"},
			json: `{"userAgent":"\u0000\u001f\b\f\n\r\t\"\\` + "\x7f" + `"}`},
		{why: "lone surrogate in a text", record: `{"userAgent":"a\uD800b","eventName":"n"}`,
			want: columns{"useragent": "a\uFFFDb", "eventname": "n", "_shape": "=", "_rest": `{"userAgent":"a\uD800b","eventName":"n"}`}},
		{why: "lone surrogate in a parameter block", record: `{"requestParameters":{"a":"\udc00\ud800"}}`,
			want: columns{"requestparameters": `{"a":"\udc00\ud800"}`, "_rest": "NULL"}},
		{why: "not UTF-8", record: "{\"userAgent\":\"a\xFFb\", \"x\":\"\xC3\"}",
			want: columns{"useragent": "a\uFFFDb", "_shape": "=b", "_rest": `"` + base64.StdEncoding.EncodeToString([]byte("{\"userAgent\":\"a\xFFb\", \"x\":\"\xC3\"}")) + `"`},
			json: "{\"userAgent\":\"a\uFFFDb\",\"x\":\"\uFFFD\"}"},
		{why: "U+FFFD itself", record: "{\"userAgent\":\"\uFFFD\"}", want: columns{"useragent": "\uFFFD", "_rest": "NULL"}},
		{why: "an empty record", record: `{}`, want: columns{"_shape": "", "_rest": "NULL"}},
		{why: "an empty key", record: `{"":1}`, want: columns{"_rest": `{"":1}`}},

		{why: "time", record: `{"eventTime":"2024-02-29T23:59:59Z"}`, want: columns{"_time": "1709251199000000", "date": "2024-02-29", "eventtime": "2024-02-29T23:59:59Z"}},
		{why: "time with a fraction and an offset", record: `{"eventTime":"2024-03-01T01:00:00.1234567+02:00"}`, want: columns{"_time": "1709247600123456", "date": "2024-02-29"}},
		{why: "time before 1970", record: `{"eventTime":"1969-12-31T23:59:59Z"}`, want: columns{"_time": "-1000000", "date": "1969-12-31"}},
		{why: "no time", record: `{"eventTime":"yesterday"}`, want: columns{"_time": "NULL", "date": "NULL", "eventtime": "yesterday"}},
		{why: "no such day", record: `{"eventTime":"2023-02-29T00:00:00Z"}`, want: columns{"_time": "NULL", "date": "NULL"}},
		{why: "time as a number", record: `{"eventTime":1709251199}`, want: columns{"_time": "NULL", "eventtime": "1709251199"}},

		{why: "account: the recipient", record: `{"recipientAccountId":"111122223333","userIdentity":{"accountId":"444455556666"}}`, want: columns{"account": "111122223333"}},
		{why: "account: the caller in old records", record: `{"userIdentity":{"accountId":"444455556666"}}`, want: columns{"account": "444455556666"}},
		{why: "account: a recipient that is none decides too", record: `{"recipientAccountId":"-","userIdentity":{"accountId":"444455556666"}}`, want: columns{"account": "NULL", "recipientaccountid": "-"}},
		{why: "account: null decides too", record: `{"recipientAccountId":null,"userIdentity":{"accountId":"444455556666"}}`, want: columns{"account": "NULL"}},
		{why: "account: 13 digits", record: `{"recipientAccountId":"1234567890123"}`, want: columns{"account": "NULL"}},
		{why: "account: other digits", record: `{"recipientAccountId":"١١١١٢٢٢٢٣٣٣٣"}`, want: columns{"account": "NULL"}},
		{why: "region", record: `{"awsRegion":"us-north-2r"}`, want: columns{"region": "us-north-2r"}},
		{why: "region that leads elsewhere", record: `{"awsRegion":".."}`, want: columns{"region": "NULL", "awsregion": ".."}},
		{why: "region with a slash", record: `{"awsRegion":"a/b"}`, want: columns{"region": "NULL", "awsregion": "a/b"}},
		{why: "region, empty", record: `{"awsRegion":""}`, want: columns{"region": "NULL", "awsregion": ""}},
		{why: "region, long", record: `{"awsRegion":"` + strings.Repeat("a", 65) + `"}`, want: columns{"region": "NULL"}},

		{why: "Insight", table: Insights, record: `{"eventVersion":"1.07","eventTime":"2024-01-01T00:00:00Z","recipientAccountId":"111122223333","awsRegion":"r","insightDetails":{"state":"Start","insightContext":{"statistics":{"baseline":{"average":0.0020833333}}},"x":1},"extra":2}`,
			want: columns{"eventversion": "1.07", "account": "111122223333", "region": "r", "date": "2024-01-01", "insightdetails.state": "Start",
				"insightdetails.insightcontext": `{"statistics":{"baseline":{"average":0.0020833333}}}`, "_rest": `{"insightDetails":{"x":1},"extra":2}`}},
		{why: "aggregated", table: Aggregated, record: `{"eventVersion":"1.0","accountId":"111122223333","eventId":"i","eventCategory":"Aggregated","awsRegion":"r","timeWindow":{"windowStart":"2024-01-01T00:00:00Z","windowEnd":"e","windowSize":"PT5M"},"summary":{"a":[]}}`,
			want: columns{"eventid": "i", "account": "111122223333", "date": "2024-01-01", "timewindow.windowsize": "PT5M", "summary": `{"a":[]}`, "_rest": "NULL"}},
		{why: "eventId beside eventID is no aggregate", record: `{"eventID":"a","eventId":"b","timeWindow":{}}`, want: columns{"eventid": "a", "_rest": `{"eventId":"b","timeWindow":{}}`}},
	} {
		t.Run(c.why, func(t *testing.T) {
			if c.table == "" {
				c.table = Logs
			}
			if c.json == "" {
				c.json = c.record
			}
			table, b, json := one(t, c.record)
			if table != c.table {
				t.Fatalf("in table %s; want %s", table, c.table)
			}
			if json != c.json {
				t.Errorf("rebuilt %s\nwant    %s", json, c.json)
			}
			for path, want := range c.want {
				if got := fieldText(t, table, b, path); got != want {
					t.Errorf("%s is %q; want %q", path, got, want)
				}
			}
		})
	}
}

// A record with more shapes than are worth a name is kept whole, and still has its columns.
func TestLongShape(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"eventName":"a"`)
	for i := range 2000 {
		fmt.Fprintf(&b, `,"k%d":%d`, i, i)
	}
	b.WriteString(`}`)
	table, batch, json := one(t, b.String())
	if json != b.String() || fieldText(t, table, batch, "eventname") != "a" || fieldText(t, table, batch, "_shape") != shapeWhole {
		t.Errorf("shape %s, rebuilt %.100s", fieldText(t, table, batch, "_shape"), json)
	}
}

// Lists and maps are bounded, since a few bytes of JSON become many in columns; what is over the bound is in the rest.
func TestBoundedColumns(t *testing.T) {
	for n, null := range map[int]bool{mostElements: false, mostElements + 1: true} {
		record := `{"resources":[{}` + strings.Repeat(",{}", n-1) + `]}`
		table, b, json := one(t, record)
		if json != record || col(t, table, b, "resources").IsNull(0) != null {
			t.Errorf("%d elements: NULL %v, shape %s", n, !null, fieldText(t, table, b, colShape))
		}
	}
	for n, null := range map[int]bool{mostMapping: false, mostMapping + 1: true} {
		var entries []string
		for i := range n {
			entries = append(entries, fmt.Sprintf(`"k%d":""`, i))
		}
		record := `{"userIdentity":{"sessionContext":{"webIdFederationData":{"attributes":{` + strings.Join(entries, ",") + `}}}}}`
		table, b, json := one(t, record)
		if got := fieldText(t, table, b, "useridentity.sessioncontext.webidfederationdata.attributes"); json != record || (got == "NULL") != null {
			t.Errorf("%d entries: %s", n, got)
		}
	}
}

// Equal records give equal columns, however they were written down.
func TestOneForm(t *testing.T) {
	a := `{"eventName":"a\n","requestParameters":{"k":["é",1.0]},"x":"/"}`
	b := "{\n\t\"eventName\": \"\\u0061\\u000A\",\r\n \"requestParameters\": {\"\\u006b\" :[\"\\u00E9\", 1.0] }, \"x\":\"\\/\" }"
	_, one1, _ := one(t, a)
	_, two, _ := one(t, b)
	for i := range one1.Cols {
		if !array.Equal(one1.Cols[i], two.Cols[i]) {
			t.Errorf("column %s differs: %v and %v", Schema(Logs)[i].Name, one1.Cols[i], two.Cols[i])
		}
	}
}

// EventJSON reads what other rooms hand it: plain or dictionary-coded text, slices, any order of columns.
func TestEventJSONForms(t *testing.T) {
	_, batches, err := decode(t, "", generated(3, 30))
	if err != nil {
		t.Fatal(err)
	}
	b := batches[Logs]
	want := rebuilt(t, Logs, b)
	var cols []int
	part := vec.Batch{Len: 10}
	for i := len(b.Cols) - 1; i >= 0; i-- {
		a := array.NewSlice(b.Cols[i], 7, 17)
		if d, ok := a.(*array.Dictionary); ok && i%2 == 0 && d.Dictionary().DataType().ID() == arrow.STRING {
			build := array.NewStringBuilder(memory.DefaultAllocator)
			for k := range d.Len() {
				if d.IsNull(k) {
					build.AppendNull()
				} else {
					build.Append(d.Dictionary().(*array.String).Value(d.GetValueIndex(k)))
				}
			}
			a = build.NewArray()
		}
		cols, part.Cols = append(cols, i), append(part.Cols, a)
	}
	a, err := EventJSON(Logs, cols, part)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		if got := a.(*array.String).Value(i); got != want[7+i] {
			t.Errorf("row %d: %s\nwant %s", i, got, want[7+i])
		}
	}
	if _, err := EventJSON(Logs, cols[:3], vec.Batch{Len: 10, Cols: part.Cols[:3]}); err == nil {
		t.Error("no error for missing columns")
	}
	if _, err := EventJSON("nothing", nil, vec.Batch{}); err == nil {
		t.Error("no error for an unknown table")
	}
}

// Damaged shapes and rests give an error, not a panic.
func TestDamaged(t *testing.T) {
	r := &record{}
	for _, table := range tables {
		for _, shape := range []string{"x", "B", "B(", "B(x)", ")", "A", "P[", "P[]", "P(A)", "P[A;B]", "=", "=b", "~", "\xFF", "A0B(I(D(B)))", "AA"} {
			for _, rest := range []string{"", "{", "{}", `{"a"`, `{"a":1}`, `{"userIdentity":{}}`, `{"userIdentity":[`, `"`, `""`, `"!"`, `"AAAA"`, `{"resources":[{`} {
				r.reset(table)
				r.shape, r.rest = []byte(shape), []byte(rest)
				r.list = [][]byte{[]byte("a")}
				var back rebuilder
				back.append(nil, r)
			}
		}
	}
}

// jsonGen draws JSON that looks like CloudTrail's, with odd kinds, repeated keys, escapes, big numbers and white space.
type jsonGen struct {
	t *rapid.T
	b bytes.Buffer
}

var drawnKeys = func() []string {
	keys := []string{"", "x", "EVENTID", "eventid", "@timestamp", "Records", "ünïcode", "a\"b", "\\", "userIdentitytype"}
	var walk func(o *object)
	walk = func(o *object) {
		for _, f := range o.fields {
			keys = append(keys, f.key)
			if f.sub != nil {
				walk(f.sub)
			}
		}
	}
	for _, t := range tables {
		walk(t.top)
	}
	return keys
}()

func (g *jsonGen) space() {
	if rapid.IntRange(0, 40).Draw(g.t, "space") == 0 {
		g.b.WriteString(rapid.SampledFrom([]string{" ", "\n", "\t\r\n  "}).Draw(g.t, "white"))
	}
}

func (g *jsonGen) str(s string) {
	g.b.WriteByte('"')
	for _, r := range s {
		switch form := rapid.IntRange(0, 20).Draw(g.t, "form"); {
		case r == '"' || r == '\\':
			g.b.WriteByte('\\')
			g.b.WriteRune(r)
		case r < ' ' || form == 0 && r < 0x10000:
			fmt.Fprintf(&g.b, `\u%04X`, r)
		case form == 0:
			fmt.Fprintf(&g.b, `\u%04x\u%04x`, 0xD800+(r-0x10000)>>10, 0xDC00+(r-0x10000)&0x3FF)
		case r == '/' && form < 10:
			g.b.WriteString(`\/`)
		default:
			g.b.WriteRune(r)
		}
	}
	if rapid.IntRange(0, 60).Draw(g.t, "lone") == 0 {
		g.b.WriteString(rapid.SampledFrom([]string{`\ud800`, `\uDFFF`, `\ud800\ud800`, `\udc00\ud800`}).Draw(g.t, "surrogate"))
	}
	g.b.WriteByte('"')
}

func (g *jsonGen) value(depth int) {
	g.space()
	kinds := 8
	if depth > 5 {
		kinds = 5
	}
	switch rapid.IntRange(0, kinds).Draw(g.t, "kind") {
	case 0:
		g.b.WriteString("null")
	case 1:
		g.b.WriteString(rapid.SampledFrom([]string{"true", "false"}).Draw(g.t, "bool"))
	case 2:
		g.b.WriteString(rapid.SampledFrom([]string{"0", "-0", "1.10", "9007199254740993", "1E400", "-1.5e-7", "123456789012"}).Draw(g.t, "number"))
	case 3:
		g.str(rapid.SampledFrom([]string{"Insight", "Aggregated", "Data", "2024-01-02T03:04:05Z", "111122223333", "us-east-1", ""}).Draw(g.t, "known"))
	case 4, 5:
		g.str(rapid.String().Draw(g.t, "text"))
	case 6:
		g.array(depth)
	default:
		g.object(depth)
	}
	g.space()
}

func (g *jsonGen) array(depth int) {
	g.b.WriteByte('[')
	for i := range rapid.IntRange(0, 4).Draw(g.t, "elements") {
		if i > 0 {
			g.b.WriteByte(',')
		}
		g.value(depth + 1)
	}
	g.b.WriteByte(']')
}

func (g *jsonGen) object(depth int) {
	g.b.WriteByte('{')
	for i := range rapid.IntRange(0, 8).Draw(g.t, "members") {
		if i > 0 {
			g.b.WriteByte(',')
		}
		g.space()
		key := rapid.SampledFrom(drawnKeys).Draw(g.t, "key")
		g.str(key)
		g.space()
		g.b.WriteByte(':')
		// Let known structure come often enough to get into its depths.
		switch deep := rapid.IntRange(0, 3).Draw(g.t, "deep"); {
		case deep > 0 && depth < 6 && (key == "userIdentity" || key == "sessionContext" || key == "webIdFederationData" || key == "attributes" || key == "insightDetails" || key == "timeWindow"):
			g.object(depth + 1)
		case deep > 0 && key == "resources":
			g.b.WriteByte('[')
			for i := range rapid.IntRange(0, 5).Draw(g.t, "resources") {
				if i > 0 {
					g.b.WriteByte(',')
				}
				g.object(depth + 5)
			}
			g.b.WriteByte(']')
		default:
			g.value(depth + 1)
		}
	}
	g.b.WriteByte('}')
}

// Whatever a record holds, it comes back: compared by the token stream of encoding/json, and with the columns' own promise
// that equal records have equal text.
func TestEveryRecordComesBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		g := jsonGen{t: rt}
		g.object(0)
		checkRecord(t, rt.Fatalf, g.b.Bytes())
	})
}

var surrogate = regexp.MustCompile(`(?i)\\ud[89a-f]`)

// checkRecord decodes one JSON object and compares what comes back.
func checkRecord(t testing.TB, fatalf func(string, ...any), record []byte) {
	table, b, got := one(t, string(record))
	if want := tokens(t, record); tokens(t, []byte(got)) != want {
		fatalf("rebuilt %s\nfrom    %s\nshape %s, rest %s", got, record, fieldText(t, table, b, colShape), fieldText(t, table, b, colRest))
	}
	if again := string(appendCanonical(nil, record)); got != again {
		fatalf("rebuilt  %s\ncanonical %s", got, again)
	}
	// A record is kept whole only for a reason: otherwise a fault in shapes would go unnoticed.
	if shape := fieldText(t, table, b, colShape); shape == shapeWhole && !surrogate.Match(record) && len(record) < mostShape {
		fatalf("kept whole: %s", record)
	}
	if rest := fieldText(t, table, b, colRest); rest != "NULL" && !json.Valid([]byte(rest)) {
		fatalf("the rest is no JSON: %s", rest)
	}
	for i, c := range b.Cols {
		if err := validText(c); err != nil {
			fatalf("column %s: %v", Schema(table)[i].Name, err)
		}
	}
}

// validText looks for text that is not UTF-8, in all depths.
func validText(a arrow.Array) error {
	switch a := a.(type) {
	case *array.String:
		for i := range a.Len() {
			if a.IsValid(i) && !utf8.ValidString(a.Value(i)) {
				return fmt.Errorf("row %d: %q is not UTF-8", i, a.Value(i))
			}
		}
	case *array.Dictionary:
		return validText(a.Dictionary())
	case *array.Struct:
		for i := range a.NumField() {
			if err := validText(a.Field(i)); err != nil {
				return err
			}
		}
	case *array.List:
		return validText(a.ListValues())
	case *array.Map:
		if err := validText(a.Keys()); err != nil {
			return err
		}
		return validText(a.Items())
	}
	return nil
}

// randomRecord has known and unknown keys, some twice, in any order, with values of any kind.
func randomRecord(rng *rand.Rand, o *object, depth int) string {
	var out []string
	for range rng.IntN(8) {
		f := o.fields[rng.IntN(len(o.fields))]
		key := f.key
		if rng.IntN(8) == 0 {
			key = []string{"x", "eventname", "", "event\\u004eame", "eventNamE"}[rng.IntN(5)]
		}
		value := []string{`"a"`, `""`, `"a longer text with \"quotes\" and \\ in it"`, `"\n\u0001é"`, "1.50", "null", "true", `{"a":[1,{"b":"c\"d"}]}`, "[]", `[{"ARN":"a"},{}]`}[rng.IntN(10)]
		if f.sub != nil && depth < 4 && rng.IntN(4) > 0 {
			if value = randomRecord(rng, f.sub, depth+1); f.form == asList && rng.IntN(3) > 0 {
				value = "[" + value + "," + randomRecord(rng, f.sub, depth+1) + "]"
			}
		}
		blank := []string{"", "", "", " "}[rng.IntN(4)]
		out = append(out, blank+`"`+key+`":`+blank+value)
	}
	return "{" + strings.Join(out, ",") + "}"
}

// What a reader has read before changes nothing of what it reads, and its comparison says what building the record would say.
func TestGuessesAndComparison(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	used := &reader{}
	used.depth = 512
	columnsOf := func(r *reader) string {
		return fmt.Sprintf("%s|%q|%v|%q|%q|%s|%s|%x|%v", r.table.name, r.texts, r.present, r.list, r.mapping, r.shape, r.rest, r.top, r.accountKey)
	}
	for range 5000 {
		o := tables[rng.IntN(len(tables))].top
		record := []byte(randomRecord(rng, o, 1))
		b := append(bytes.Clone(record), make([]byte, pad)...)
		fresh := &reader{}
		fresh.depth = 512
		if got, want := used.read(b, 0), fresh.read(b, 0); got != want || want != len(record) {
			t.Fatalf("%s: ends at %d, at %d for a fresh reader", record, got, want)
		}
		if got, want := columnsOf(used), columnsOf(fresh); got != want {
			t.Fatalf("%s\n got %s\nwant %s", record, got, want)
		}
		var plain rebuilder
		text, ok := plain.append(nil, &used.record)
		if !ok || !bytes.Equal(text, used.text) {
			t.Fatalf("%s is rebuilt as %s, %v", used.text, text, ok)
		}
		if !used.back.equals(text, &used.record) {
			t.Fatalf("%s differs from itself", text)
		}
		for range 5 {
			other := bytes.Clone(text)
			switch at := rng.IntN(len(other)); rng.IntN(3) {
			case 0:
				other[at] ^= byte(1 + rng.IntN(255))
			case 1:
				other = append(other[:at], other[at+1:]...)
			default:
				other = append(other, 'x')
			}
			if used.back.equals(other, &used.record) != bytes.Equal(other, text) {
				t.Fatalf("%s is taken for %s", other, text)
			}
		}
	}
}

// A dictionary gives a text the number that it had, also after some were dropped.
func TestDictionary(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	var d dictionary
	var known []string
	for range 20_000 {
		if rng.IntN(200) == 0 {
			n := len(known) - min(len(known), rng.IntN(300))
			d.cut(n)
			known = known[:n]
		}
		text := fmt.Sprint(rng.IntN(5000))
		if rng.IntN(50) == 0 {
			text = ""
		}
		want := slices.Index(known, text)
		if want < 0 {
			want = len(known)
			known = append(known, text)
		}
		if got := d.code([]byte(text)); int(got) != want || string(d.at(got)) != text {
			t.Fatalf("%q has the number %d; want %d", text, got, want)
		}
	}
}
