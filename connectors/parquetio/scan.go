package parquetio

import (
	"context"

	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/engine/source"
)

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
