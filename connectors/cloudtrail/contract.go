// Package cloudtrail knows CloudTrail's formats: names of trail objects, the
// decoding of records into the columns of the lake, and the way back
// (eventjson). It reads strangers' bytes and never panics on them.
package cloudtrail

import (
	"context"
	"io"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/vec"
)

// Names of the tables that records go to.
const (
	Logs       = "cloudtrail_logs"
	Insights   = "cloudtrail_insights"
	Aggregated = "cloudtrail_aggregated"
)

// Schema returns the columns of a record table, in stored order: AWS's columns, then account, region, date
// (partition columns), then the hidden ones: _time, _shape, _rest, _path, _row, _conflict, _commit.
func Schema(table string) []source.Column { panic("not written yet") }

// Kind classifies a trail object.
type Kind string

const (
	KindUnknown    Kind = ""
	KindLog        Kind = "CloudTrail"
	KindInsight    Kind = "CloudTrail-Insight"
	KindNetwork    Kind = "CloudTrail-NetworkActivity"
	KindAggregated Kind = "CloudTrail-Aggregated"
	KindDigest     Kind = "CloudTrail-Digest"
)

// ObjectName is what a name tells of a trail object; unknown parts are zero. It is a hint and provenance, never the partition.
type ObjectName struct {
	Kind                 Kind
	Org, Account, Region string
	Stamp                time.Time // delivery, UTC
}

// ParseName reads a slash-separated name in any nesting and with any prefix. It never fails.
func ParseName(name string) ObjectName { panic("not written yet") }

// Limits bound what one object may cost; zero fields take defaults.
type Limits struct {
	Depth  int   // nesting of a record
	Record int64 // bytes of a record
	Ratio  int64 // expansion of gzip, once 16 MiB have come out
	Memory int64 // an object whose content is larger is read twice, as a stream, instead of being held
}

// Object is what Decode found.
type Object struct {
	Kind        Kind // by content where the content says, else by name
	Size        int64
	SHA256      [32]byte // of the bytes as stored
	ContentSize int64    // uncompressed
	Records     int64    // array elements, or lines: rows and bad records
	Bad         []BadRecord
	First, Last int64 // smallest and largest _time, microseconds; both 0 if no record has one
}

// BadRecord is a record that is no JSON object.
type BadRecord struct {
	Row    int64 // ordinal in the object, from 0
	Offset int64 // in the uncompressed content
	Reason string
	Bytes  []byte
}

// ObjectError says why a whole object must be set aside. Salvaged are the records that could be read before the fault,
// as far as they fit into 16 MiB.
type ObjectError struct {
	Reason   string // "corrupt gzip", "truncated gzip", "second gzip member", "bytes after the end", "no JSON", "expansion over …", …
	Offset   int64  // in the uncompressed content, or in the stored bytes for gzip faults
	Err      error
	Salvaged [][]byte
}

func (e *ObjectError) Error() string { panic("not written yet") }

// Decode reads one object and adds its records to rows, all or none: on an error rows is as before.
// open gives the stored bytes from the start; it is called once, or twice for content over Limits.Memory (and if the two
// readings differ, that is an error). name decides nothing but the fallback Kind; path becomes _path.
// Objects of kind digest add no rows. An object whose content is nothing that CloudTrail writes gives KindUnknown and no rows.
// For content over Limits.Memory, full is called between records so that the caller can empty rows; an error of it ends Decode.
// Errors are *ObjectError for faults of the object; anything else (reading failed, cancelled) is about the reading.
func Decode(ctx context.Context, open func() (io.ReadCloser, error), name, path string, limits Limits, rows *Rows, full func() error) (Object, error) {
	panic("not written yet")
}

// Rows gathers decoded rows by table. Used by one goroutine.
type Rows struct{}

// Bytes is the memory that the rows hold.
func (r *Rows) Bytes() int64 { panic("not written yet") }

// Len is the number of rows of all tables.
func (r *Rows) Len() int64 { panic("not written yet") }

// Flush returns the rows by table, columns as in Schema without _conflict and _commit, repetitive strings
// dictionary-coded, and empties r.
func (r *Rows) Flush() map[string]vec.Batch { panic("not written yet") }

// EventJSON rebuilds the records of a batch whose columns are named by cols (ordinals into Schema(table); all but
// _path, _row, _conflict, _commit and the partition columns are needed). One JSON object per row.
func EventJSON(table string, cols []int, b vec.Batch) (arrow.Array, error) { panic("not written yet") }
