package catalog

import (
	"slices"
	"sync"

	"github.com/trailql/trailql/connectors/cloudtrail"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqltype"
)

// Names of the tables that tell of trail objects; those of records are cloudtrail.Logs and its siblings.
const (
	Files      = "trail_files"      // the ledger: one row per trail object read; its log is the lake's commit log
	Duplicates = "trail_duplicates" // one row per dropped copy of a record
	Quarantine = "trail_quarantine" // one row per record or object that could not be read
	Digests    = "trail_digests"    // one row per digest file read: what CloudTrail says it delivered
	Verdicts   = "trail_verdicts"   // what verification found of trail objects: one row whenever an object's verdict is another one
)

// States of a trail object in the ledger.
const (
	StateOK          = "ok"          // every record is a row or a duplicate
	StateQuarantined = "quarantined" // something of it is in quarantine
	StateAltered     = "altered"     // bytes that differ from those read earlier under the same name: kept in quarantine
	StateDigest      = "digest"      // a digest file: no records, a row of trail_digests
)

// Layout is what the lake knows of one of its tables. It is shared: nobody may change it.
type Layout struct {
	Name       string
	Comment    string
	Columns    []source.Column // as stored, partition columns included
	Partitions []string        // partition columns: none, or account, region, date
	SortBy     []string        // order of the rows in a file
	Commit     string          // the column that says which version brought a row
	Statistics []string        // leaves with bounds in the log
	Bloom      []string        // leaves with bloom filters
	NoStats    []string        // wide columns: no statistics in the file
}

var partitionColumns = []string{"account", "region", "date"}

// layouts lists all tables in the order in which their logs are written; trail_files is first.
var layouts = sync.OnceValue(func() []*Layout {
	defs := []*Layout{
		{
			Name:       Files,
			Comment:    "one row per trail object: what it held and what became of it (records = rows + duplicates + quarantined)",
			Columns:    fileColumns,
			SortBy:     []string{"path"},
			Commit:     "commit",
			Statistics: []string{"path", "account", "region", "stamp", "state", "kind", "first_time", "last_time", "commit"},
			Bloom:      []string{"path", "sha256"},
		},
		{
			Name:       Duplicates,
			Comment:    "one row per dropped exact copy of a record, and where the kept one stands",
			Columns:    duplicateColumns,
			SortBy:     []string{"path", "row"},
			Commit:     "commit",
			Statistics: []string{"path", "time", "table_name", "commit"},
			Bloom:      []string{"path", "eventid"},
		},
		{
			Name:       Quarantine,
			Comment:    "one row per record or object that could not be read, with its bytes or where they are kept",
			Columns:    quarantineColumns,
			SortBy:     []string{"path", "row"},
			Commit:     "commit",
			Statistics: []string{"path", "reason", "commit"},
			Bloom:      []string{"path"},
			NoStats:    []string{"record", "bytes"},
		},
		{
			Name:       Digests,
			Comment:    "one row per digest file: the log files that CloudTrail says it delivered in its span, with their hashes",
			Columns:    digestColumns,
			SortBy:     []string{"account", "region", "end_time", "path"},
			Commit:     "commit",
			Statistics: []string{"path", "account", "region", "trail", "start_time", "end_time", "commit"},
			Bloom:      []string{"path", "object"},
		},
		{
			Name:       Verdicts,
			Comment:    "one row whenever verification found another verdict of a trail object than before; trail_verified has those that count",
			Columns:    verdictColumns,
			SortBy:     []string{"account", "region", "stamp", "path"},
			Commit:     "commit",
			Statistics: []string{"path", "kind", "account", "region", "stamp", "verdict", "checked", "commit"},
			Bloom:      []string{"path"},
		},
	}
	for _, name := range []string{cloudtrail.Logs, cloudtrail.Insights, cloudtrail.Aggregated} {
		columns := cloudtrail.Schema(name)
		defs = append(defs, &Layout{
			Name:       name,
			Comment:    recordComments[name],
			Columns:    columns,
			Partitions: partitionColumns,
			SortBy:     []string{"_time", "eventid"},
			Commit:     "_commit",
			Statistics: present(columns, recordStatistics),
			Bloom:      present(columns, []string{"eventid", "requestid", "useridentity.accesskeyid", "useridentity.principalid", "useridentity.arn", "sourceipaddress", "resources.list.element.arn"}),
			NoStats:    present(columns, wideColumns),
		})
	}
	return defs
})

// Layouts lists all tables, trail_files first.
func Layouts() []*Layout { return layouts() }

// LayoutOf returns the layout of a table, nil if there is no such table.
func LayoutOf(name string) *Layout {
	for _, t := range layouts() {
		if t.Name == name {
			return t
		}
	}
	return nil
}

var recordComments = map[string]string{
	cloudtrail.Logs:       "management, data and network activity events, with the columns of AWS's documented Athena table",
	cloudtrail.Insights:   "CloudTrail Insights events",
	cloudtrail.Aggregated: "CloudTrail aggregated events: summaries of data events over a time window",
}

// recordStatistics are the narrow columns by which whole files can be skipped.
var recordStatistics = []string{
	"_time", "eventtime", "eventname", "eventsource", "eventcategory", "eventtype", "awsregion", "recipientaccountid", "accountid",
	"readonly", "errorcode", "sourceipaddress", "eventversion", "managementevent", "sharedeventid", "vpcendpointid", "_commit",
	"useridentity.type", "useridentity.accountid", "useridentity.principalid", "useridentity.arn", "useridentity.username", "useridentity.accesskeyid", "useridentity.invokedby",
}

// wideColumns hold texts of any length or none that sorts usefully.
var wideColumns = []string{
	"requestparameters", "responseelements", "additionaleventdata", "serviceeventdetails", "edgedevicedetails", "eventcontext",
	"useragent", "errormessage", "annotation", "summary", "insightdetails.insightcontext", "_rest", "_shape",
}

// present filters leaves to those that are scalars of columns.
func present(columns []source.Column, leaves []string) []string {
	var out []string
	for _, leaf := range leaves {
		if _, ok := leafType(columns, leaf); ok {
			out = append(out, leaf)
		}
	}
	return out
}

// Stored are the columns that stand in the table's data files: all but the partition columns, and the commit only where merged is true
// (a file that one commit wrote has one commit, and the log knows it).
func (t *Layout) Stored(merged bool) []source.Column {
	var out []source.Column
	for _, c := range t.Columns {
		if !slices.Contains(t.Partitions, c.Name) && (merged || c.Name != t.Commit) {
			out = append(out, c)
		}
	}
	return out
}

// ordinal finds a column by name, -1 if there is none.
func ordinal(columns []source.Column, name string) int {
	return slices.IndexFunc(columns, func(c source.Column) bool { return c.Name == name })
}

func text(name, comment string) source.Column {
	return source.Column{Name: name, Type: sqltype.VarcharType, Comment: comment}
}

func count(name, comment string) source.Column {
	return source.Column{Name: name, Type: sqltype.BigIntType, Comment: comment}
}

func instant(name, comment string) source.Column {
	return source.Column{Name: name, Type: sqltype.TimestampType, Comment: comment}
}

var fileColumns = []source.Column{
	text("path", "the object's URL"),
	text("etag", "of the object when it was read"),
	text("version", "of the object in its bucket when it was read; NULL where the bucket keeps none"),
	count("size", "bytes as stored"),
	text("sha256", "of the bytes as stored, hex"),
	count("content_size", "bytes uncompressed"),
	text("content_sha256", "of the uncompressed bytes, hex, as digests have it; NULL where they could not be unpacked, and in rows older than the column"),
	text("kind", "CloudTrail, CloudTrail-Insight, CloudTrail-Digest …"),
	text("account", "from the object's name"),
	text("region", "from the object's name"),
	instant("stamp", "delivery time in the object's name, UTC"),
	text("state", "ok, quarantined, altered or digest"),
	count("records", "records in the object = rows + duplicates + quarantined"),
	count("rows", "records that became rows"),
	count("duplicates", "exact copies of rows, dropped"),
	count("quarantined", "records that could not be read"),
	instant("first_time", "earliest event time, UTC"),
	instant("last_time", "latest event time, UTC"),
	text("reason", "why something is in quarantine"),
	count("commit", "the version of the lake that brought this row"),
}

var duplicateColumns = []source.Column{
	text("path", "the object of the dropped copy"),
	count("row", "its place among the object's records, from 0"),
	text("table_name", "the table of the record"),
	text("eventid", "its id"),
	instant("time", "its event time, UTC"),
	text("kept_path", "the object of the kept record"),
	count("kept_row", "its place there"),
	count("commit", "the version of the lake that brought this row"),
}

var quarantineColumns = []source.Column{
	text("path", "the object"),
	count("row", "the record's place in it, from 0; NULL for the object as a whole"),
	count("offset", "where the fault is: in the uncompressed content, or in the stored bytes for faults of compression"),
	text("reason", "what is wrong"),
	text("sha256", "of the object's stored bytes, hex"),
	text("stored", "name of the copy of the whole object in the lake; NULL where only a record is set aside"),
	text("record", "the record's text, where it is valid UTF-8"),
	text("bytes", "the record's bytes in base64, where it is not"),
	count("commit", "the version of the lake that brought this row"),
}

var digestColumns = []source.Column{
	text("path", "the digest file's URL"),
	text("account", "whose log files it names"),
	text("region", "of the log files"),
	text("trail", "the trail's name, from the digest's own"),
	instant("start_time", "log files delivered from then on are named, UTC"),
	instant("end_time", "up to then"),
	text("bucket", "where CloudTrail delivered the digest"),
	text("object", "and under which key"),
	text("previous_object", "key of the digest before it in the chain; NULL: a chain begins"),
	text("previous_hash", "SHA-256 of that digest's uncompressed text, hex"),
	text("fingerprint", "of the public key that belongs to the digest's signature"),
	{Name: "backfill", Type: sqltype.BooleanType, Comment: "it names files that the digests of their hour left out; from its name"},
	{Name: "logs", Type: digestLogs, Comment: "the log files: key, SHA-256 of the uncompressed text in hex, times of the oldest and newest event"},
	text("sha256", "of the digest's uncompressed text, hex"),
	count("commit", "the version of the lake that brought this row"),
}

var verdictColumns = []source.Column{
	text("path", "the object's URL; of a missing one the URL that it should have"),
	text("object", "bucket/key, as the digest names it; NULL where none does"),
	text("kind", "log or digest"),
	text("account", "from the object's name"),
	text("region", "from the object's name"),
	instant("stamp", "delivery time in the object's name, UTC"),
	text("verdict", "of a log: verified, unverified, missing, altered or extra; of a digest: verified, unverified, missing or invalid"),
	text("reason", "why it is not verified; NULL where it is"),
	text("digest", "URL of the digest that names the object; of a digest, of the one that follows it in the chain; NULL where none is known"),
	instant("checked", "when that was found, UTC"),
	count("commit", "the version of the lake that brought this row"),
}

var digestLogs = sqltype.ArrayOf(sqltype.RowOf(
	sqltype.Field{Name: "object", Type: sqltype.VarcharType},
	sqltype.Field{Name: "hash", Type: sqltype.VarcharType},
	sqltype.Field{Name: "oldest", Type: sqltype.TimestampType},
	sqltype.Field{Name: "newest", Type: sqltype.TimestampType},
))
