// Package cloudtrail knows CloudTrail's formats: names of trail objects, the
// decoding of records into the columns of the lake, and the way back
// (eventjson). It reads strangers' bytes and never panics on them.
//
//	gunzip → frame (records of an object) → record → columns, _shape, _rest → rows
//
// docs/format.md has the layout.
package cloudtrail

import (
	"slices"
	"strings"

	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqltype"
)

// Names of the tables that records go to.
const (
	Logs       = "cloudtrail_logs"
	Insights   = "cloudtrail_insights"
	Aggregated = "cloudtrail_aggregated"
)

// form says how the value of a known key is kept.
type form uint8

const (
	asText   form = iota // a string's text; other JSON kinds as compact JSON text
	asJSON               // compact JSON text; a string's text
	asRow                // an object with known keys
	asList               // an array of such objects
	asMap                // an object whose values are all strings
	noColumn             // no column, but the key tells the kind of the record
)

// field is a known key of an object. Its column has the key's name in lower case.
type field struct {
	id    byte // in _shape; never changed, never used again for another key of the same object
	key   string
	form  form
	plain bool // nearly every value is distinct: not worth a dictionary
	block int  // of a row whose values come again and again as they are: its place in table.blocks plus one
	sub   *object
	lead  []byte // the key as JSON text, with its colon
	slot  int    // where a record keeps the value: in record.texts (asText, asJSON) or record.present (asRow, asList, asMap)
}

func (f *field) name() string { return strings.ToLower(f.key) }

// object is a JSON object with known keys. Fields stand in the order of the columns.
type object struct {
	fields []*field
	number int // among all objects
	hash   uint64
	slots  [256]uint8 // by hash of the key: index into fields plus one
	byID   [128]uint8 // likewise
}

// table is the shape of one kind of record.
type table struct {
	index   int // in tables
	name    string
	top     *object
	texts   int // number of slots in record.texts
	present int // number of slots in record.present
	blocks  []*block
	mapIn   int // the block that has the map, of which a table has at most one; -1 if there is none

	eventTime, eventID, region, account, otherAccount, category int // slots of texts; -1 if there is none
}

func varchar(id byte, key string) *field  { return &field{id: id, key: key, form: asText} }
func distinct(id byte, key string) *field { return &field{id: id, key: key, form: asText, plain: true} }
func rawJSON(id byte, key string) *field {
	return &field{id: id, key: key, form: asJSON, plain: true}
}
func repeated(f *field) *field { f.block = -1; return f } // newTable numbers it
func marker(key string) *field { return &field{key: key, form: noColumn} }
func nested(id byte, key string, form form, fields ...*field) *field {
	return &field{id: id, key: key, form: form, sub: &object{fields: fields}}
}

// The keys that tell what a top-level object is; the first ones have columns in some table.
const (
	keyInsightDetails = "insightDetails"
	keyOtherID        = "eventId"
	keyTimeWindow     = "timeWindow"
	keyDigestStart    = "digestStartTime"
	keyDigestObject   = "digestS3Object"
)

// logs holds AWS's documented columns in AWS's order.
var logs = newTable(0, Logs,
	varchar('A', "eventVersion"),
	repeated(nested('B', "userIdentity", asRow,
		varchar('A', "type"), varchar('B', "principalId"), varchar('C', "arn"), varchar('D', "accountId"),
		varchar('E', "invokedBy"), varchar('F', "accessKeyId"), varchar('G', "userName"),
		nested('H', "onBehalfOf", asRow, varchar('A', "userId"), varchar('B', "identityStoreArn")),
		nested('I', "sessionContext", asRow,
			nested('A', "attributes", asRow, varchar('A', "mfaAuthenticated"), varchar('B', "creationDate")),
			nested('B', "sessionIssuer", asRow, varchar('A', "type"), varchar('B', "principalId"), varchar('C', "arn"),
				varchar('D', "accountId"), varchar('E', "userName")),
			varchar('C', "ec2RoleDelivery"),
			nested('D', "webIdFederationData", asRow, varchar('A', "federatedProvider"), &field{id: 'B', key: "attributes", form: asMap}),
			varchar('E', "sourceIdentity"), varchar('F', "assumedRoot"), varchar('G', "ec2IssuedInVpc")),
		varchar('J', "identityProvider"), varchar('K', "credentialId"),
		nested('L', "inScopeOf", asRow, varchar('A', "sourceArn"), varchar('B', "sourceAccount"), varchar('C', "issuerType"),
			varchar('D', "credentialsIssuedTo")),
		nested('M', "invokedByDelegate", asRow, varchar('A', "accountId")))),
	distinct('C', "eventTime"), varchar('D', "eventSource"), varchar('E', "eventName"), varchar('F', "awsRegion"),
	varchar('G', "sourceIPAddress"), varchar('H', "userAgent"), varchar('I', "errorCode"), varchar('J', "errorMessage"),
	rawJSON('K', "requestParameters"), rawJSON('L', "responseElements"), rawJSON('M', "additionalEventData"),
	distinct('N', "requestID"), distinct('O', "eventID"),
	nested('P', "resources", asList, distinct('A', "ARN"), varchar('B', "accountId"), varchar('C', "type"), distinct('D', "ARNPrefix")),
	varchar('Q', "eventType"), varchar('R', "apiVersion"), varchar('S', "readOnly"), varchar('T', "recipientAccountId"),
	rawJSON('U', "serviceEventDetails"), distinct('V', "sharedEventID"), varchar('W', "vpcEndpointId"),
	varchar('X', "vpcEndpointAccountId"), varchar('Y', "eventCategory"),
	nested('Z', "addendum", asRow, varchar('A', "reason"), varchar('B', "updatedFields"), distinct('C', "originalRequestID"),
		distinct('D', "originalEventID")),
	varchar('a', "sessionCredentialFromConsole"), rawJSON('b', "edgeDeviceDetails"),
	repeated(nested('c', "tlsDetails", asRow, varchar('A', "tlsVersion"), varchar('B', "cipherSuite"),
		varchar('C', "clientProvidedHostHeader"), varchar('D', "keyExchange"))),
	varchar('d', "managementEvent"), rawJSON('e', "eventContext"), varchar('f', "annotation"),
	marker(keyInsightDetails), marker(keyOtherID), marker(keyTimeWindow), marker(keyDigestStart), marker(keyDigestObject),
)

var insights = newTable(1, Insights,
	varchar('A', "eventVersion"), distinct('B', "eventTime"), distinct('C', "eventID"), varchar('D', "eventType"),
	varchar('E', "eventCategory"), varchar('F', "awsRegion"), varchar('G', "recipientAccountId"), distinct('H', "sharedEventID"),
	varchar('I', "eventSource"), varchar('J', "eventName"),
	nested('K', keyInsightDetails, asRow, varchar('A', "state"), varchar('B', "eventSource"), varchar('C', "eventName"),
		varchar('D', "insightType"), varchar('E', "errorCode"), rawJSON('F', "insightContext")),
)

var aggregated = newTable(2, Aggregated,
	varchar('A', "eventVersion"), varchar('B', "accountId"), distinct('C', keyOtherID), varchar('D', "eventCategory"),
	varchar('E', "eventType"), varchar('F', "awsRegion"), varchar('G', "eventSource"),
	nested('H', keyTimeWindow, asRow, varchar('A', "windowStart"), varchar('B', "windowEnd"), varchar('C', "windowSize")),
	rawJSON('I', "summary"),
)

var tables = [...]*table{logs, insights, aggregated}

func tableNamed(name string) *table {
	for _, t := range tables {
		if t.name == name {
			return t
		}
	}
	return nil
}

func newTable(index int, name string, fields ...*field) *table {
	t := &table{index: index, name: name, top: &object{fields: fields}}
	t.number(t.top)
	t.mapIn = slices.IndexFunc(t.blocks, func(b *block) bool { return b.sub.maps() > 0 })
	if len(t.blocks) > mostBlocks || t.top.maps() > 1 || t.top.maps() == 1 && t.mapIn < 0 {
		panic("cloudtrail: rows are not gathered in tables with more blocks, with two maps, or with one outside of blocks")
	}
	slot := func(path ...string) int {
		o := t.top
		for i, key := range path {
			f := o.find([]byte(key))
			if f == nil || f.form == noColumn {
				return -1
			}
			if i == len(path)-1 {
				return f.slot
			}
			o = f.sub
		}
		return -1
	}
	t.eventTime, t.eventID, t.region, t.account = slot("eventTime"), slot("eventID"), slot("awsRegion"), slot("recipientAccountId")
	t.otherAccount, t.category = slot("userIdentity", "accountId"), slot("eventCategory")
	if name == Aggregated {
		t.eventTime, t.account = slot(keyTimeWindow, "windowStart"), slot("accountId")
	}
	return t
}

// block is a row at the top of records that comes again and again as it is: who asked, and over which connection.
type block struct {
	*field
	texts   slots // the slots of what is in it
	present slots
	flat    bool // nothing in it has a closing bracket of its own
}

// slots is a range of them: from … to-1.
type slots struct{ from, to int }

func (s slots) has(slot int) bool { return slot >= s.from && slot < s.to }

// maps counts the maps among the fields and below.
func (o *object) maps() int {
	n := 0
	for _, f := range o.fields {
		switch f.form {
		case asMap:
			n++
		case asRow, asList:
			n += f.sub.maps()
		}
	}
	return n
}

// other returns the slots outside of blocks.
func (t *table) other() (texts, present []int) {
	for slot := range t.texts {
		if !slices.ContainsFunc(t.blocks, func(b *block) bool { return b.texts.has(slot) }) {
			texts = append(texts, slot)
		}
	}
	for slot := range t.present {
		if !slices.ContainsFunc(t.blocks, func(b *block) bool { return slot == b.slot || b.present.has(slot) }) {
			present = append(present, slot)
		}
	}
	return texts, present
}

func (o *object) flat() bool {
	return !slices.ContainsFunc(o.fields, func(f *field) bool { return f.form != asText })
}

// objects counts the objects with known keys.
var objects int

// number gives the fields of o and below their slots and builds the key tables.
// The elements of a list are not part of the record's own slots: theirs count from 0.
func (t *table) number(o *object) {
	o.number = objects
	objects++
	for i, f := range o.fields {
		f.lead = []byte(`"` + f.key + `":`)
		if f.form != noColumn {
			o.byID[f.id] = uint8(i + 1)
		}
		switch f.form {
		case asText, asJSON:
			f.slot = t.texts
			t.texts++
		case asRow:
			f.slot = t.present
			t.present++
			texts := t.texts
			t.number(f.sub)
			if f.block < 0 {
				t.blocks = append(t.blocks, &block{f, slots{texts, t.texts}, slots{f.slot + 1, t.present}, f.sub.flat()})
				f.block = len(t.blocks)
			}
		case asList:
			f.slot = t.present
			t.present++
			(&table{}).number(f.sub)
		case asMap:
			f.slot = t.present
			t.present++
		}
	}
	// Look for a multiplier without collisions: a lookup is then one multiplication and one comparison.
	for o.hash = 0x9E3779B97F4A7C15; !o.place(); o.hash += 0xA24BAED4963EE406 {
	}
}

func (o *object) place() bool {
	o.slots = [256]uint8{}
	for i, f := range o.fields {
		h := o.slotOf([]byte(f.key))
		if o.slots[h] != 0 {
			return false
		}
		o.slots[h] = uint8(i + 1)
	}
	return true
}

func (o *object) slotOf(key []byte) uint8 {
	n := len(key)
	x := uint64(key[0]) | uint64(key[n-1])<<8 | uint64(key[n/2])<<16 | uint64(key[n*3/4])<<24 | uint64(n)<<32
	return uint8(x * o.hash >> 56)
}

// find returns the field of a key, compared exactly; nil if the key is not known.
func (o *object) find(key []byte) *field {
	if i := o.index(key); i >= 0 {
		return o.fields[i]
	}
	return nil
}

func (o *object) index(key []byte) int {
	if len(key) == 0 {
		return -1
	}
	i := int(o.slots[o.slotOf(key)]) - 1
	if i < 0 || o.fields[i].key != string(key) {
		return -1
	}
	return i
}

func (o *object) columns() []sqltype.Field {
	var out []sqltype.Field
	for _, f := range o.fields {
		if f.form != noColumn {
			out = append(out, sqltype.Field{Name: f.name(), Type: f.sqlType()})
		}
	}
	return out
}

func (f *field) sqlType() sqltype.Type {
	switch f.form {
	case asRow:
		return sqltype.RowOf(f.sub.columns()...)
	case asList:
		return sqltype.ArrayOf(sqltype.RowOf(f.sub.columns()...))
	case asMap:
		return sqltype.MapOf(sqltype.VarcharType, sqltype.VarcharType)
	}
	return sqltype.VarcharType
}

// Names of the columns that trailql adds to a record's own.
const (
	colAccount  = "account"
	colRegion   = "region"
	colDate     = "date"
	colTime     = "_time"
	colShape    = "_shape"
	colRest     = "_rest"
	colPath     = "_path"
	colRow      = "_row"
	colConflict = "_conflict"
	colCommit   = "_commit"
)

var added = []source.Column{
	{Name: colAccount, Type: sqltype.VarcharType, Comment: "account that received the event: 12 digits, or NULL (partition)"},
	{Name: colRegion, Type: sqltype.VarcharType, Comment: "region in the record (partition)"},
	{Name: colDate, Type: sqltype.DateType, Comment: "UTC day of the event (partition)"},
	{Name: colTime, Type: sqltype.TimestampType, Hidden: true, Comment: "time of the event, UTC"},
	{Name: colShape, Type: sqltype.VarcharType, Hidden: true, Comment: "key order and JSON kinds of the record"},
	{Name: colRest, Type: sqltype.VarcharType, Hidden: true, Comment: "what of the record has no column, as JSON"},
	{Name: colPath, Type: sqltype.VarcharType, Hidden: true, Comment: "trail object that held the record"},
	{Name: colRow, Type: sqltype.BigIntType, Hidden: true, Comment: "ordinal in the trail object, from 0"},
	{Name: colConflict, Type: sqltype.BooleanType, Hidden: true, Comment: "another record has the same id but other content"},
	{Name: colCommit, Type: sqltype.BigIntType, Hidden: true, Comment: "version of the lake that added the row"},
}

// comments are on columns of records, in any table.
var comments = map[string]string{
	"eventversion":                 "version of the record's form",
	"useridentity":                 "who asked: user, role session, service",
	"eventtime":                    "when the request was made: text, UTC, as 2026-03-04T02:17:45Z",
	"eventsource":                  "the service asked, as s3.amazonaws.com",
	"eventname":                    "the action of its API",
	"awsregion":                    "region of the request",
	"sourceipaddress":              "address that the request came from, or the name of a service",
	"useragent":                    "program that asked",
	"errorcode":                    "why the request was refused or failed; NULL if it was done",
	"errormessage":                 "the same in words",
	"requestparameters":            "JSON text: what was asked for",
	"responseelements":             "JSON text: the answer of actions that change something",
	"additionaleventdata":          "JSON text: what only some services tell",
	"requestid":                    "the service's id of the request",
	"eventid":                      "CloudTrail's id of the event",
	"resources":                    "what the event is about",
	"eventtype":                    "AwsApiCall, AwsConsoleSignIn, AwsServiceEvent …",
	"apiversion":                   "version of the API",
	"readonly":                     "text: true if the action changes nothing",
	"recipientaccountid":           "account that received the event",
	"serviceeventdetails":          "JSON text: what a service did by itself",
	"sharedeventid":                "the same for all accounts that received the event",
	"vpcendpointid":                "VPC endpoint that the request came through",
	"vpcendpointaccountid":         "its owner",
	"eventcategory":                "Management, Data, NetworkActivity, Insight or Aggregated",
	"addendum":                     "of an event that came late or was corrected: why",
	"sessioncredentialfromconsole": "text: true if the credentials are those of a console session",
	"edgedevicedetails":            "JSON text: the Snow device that was asked",
	"tlsdetails":                   "TLS version, cipher suite and host name of the request",
	"managementevent":              "text: true for management events",
	"eventcontext":                 "JSON text: tags and conditions that the event was enriched with",
	"annotation":                   "remark on an event",
	"insightdetails":               "kind, state and figures of the unusual activity",
	"summary":                      "JSON text: the events summed up",
	"timewindow":                   "the time that is summed up",
	"accountid":                    "account of the events summed up",
}

// Schema returns the columns of a record table, in stored order: AWS's columns, then account, region, date
// (partition columns), then the hidden ones: _time, _shape, _rest, _path, _row, _conflict, _commit.
// It is nil if table is no record table.
func Schema(table string) []source.Column {
	t := tableNamed(table)
	if t == nil {
		return nil
	}
	var out []source.Column
	for _, f := range t.top.fields {
		if f.form == noColumn {
			continue
		}
		out = append(out, source.Column{Name: f.name(), Type: f.sqlType(), Comment: comments[f.name()]})
	}
	return append(out, added...)
}
