// Package parquetio writes one sorted Parquet file, and scans row groups with
// pruning and late columns. The scan has a page layer of its own (page headers,
// levels, dictionary codes); pqarrow serves tests as the reference reader.
package parquetio

import (
	"context"
	"io"

	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/vec"
)

// WriteOptions say how a file is laid out; zero fields take defaults.
type WriteOptions struct {
	Columns       []source.Column   // in file order; the batches have exactly these
	RowGroupRows  int               // default 128 Ki
	RowGroupBytes int64             // default 128 MiB of Arrow data
	Bloom         []string          // dotted leaf paths that get bloom filters: "eventid", "useridentity.accesskeyid"
	NoStats       []string          // columns without statistics (wide text); their pages have none either
	Metadata      map[string]string // key-value metadata of the footer
}

// Written describes a file.
type Written struct {
	Rows, Bytes  int64
	SHA256       [32]byte         // of the whole file
	FooterSHA256 [32]byte         // of the footer (thrift bytes, length and magic included)
	Stats        map[string]Stats // by dotted leaf path; leaves below lists and maps have none
}

// Stats are the bounds of one column in one file. Min and Max are Go values: bool, int64 (integers, dates, microseconds),
// float64, string; nil: unknown. Strings over 256 bytes are left out rather than cut.
type Stats struct {
	Min, Max any
	Nulls    int64
}

// Write writes the batches that next yields until io.EOF, in their order.
func Write(w io.Writer, opt WriteOptions, next func() (vec.Batch, error)) (Written, error) {
	panic("not written yet")
}

// File is one file of a scan.
type File struct {
	Name      string // in the store
	Size      int64
	Rows      int64
	Constants map[string]any // values (as in Stats; nil: NULL) of columns that are not in the file: partition columns, defaults
	Stats     map[string]Stats
	Canonical bool // each eventtime is NULL or 20 characters long, ends in Z and equals _time
}

// NewScan plans a read of files, in this order: a morsel per row group (a file whose footer is not read yet counts as one morsel per
// 128 Ki rows or as the implementation sees fit; Open on a surplus morsel yields io.EOF). columns are the table's; columns missing in a
// file are its Constants, else NULL. report has the counts of partition and file pruning already.
func NewScan(ctx context.Context, store blob.Store, files []File, columns []source.Column, req source.Request, report *source.Report) (source.Scan, error) {
	panic("not written yet")
}
