// Package sink writes result rows in the formats that people and scripts read:
// table, csv, json, jsonl, markdown, arrow, parquet, vertical.
package sink

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/sqltype"
)

// Column heads a column of the result.
type Column = sqltype.Column

// Writer takes a result batch by batch; used by one goroutine. Arrays have the forms of sqltype.Type.Arrow,
// text may be dictionary-coded. Close writes what ends the format and flushes; it does not close the writer beneath.
type Writer interface {
	Write(cols []arrow.Array, rows int) error
	Close() error
}

// Options are those of the formats for people, table and vertical, but for the last.
type Options struct {
	// Width is that of the terminal: a table cuts its widest columns so that a line fits; 0: nothing is cut.
	Width int
	// Turn writes a table whose lines do not fit Width vertically instead of cutting it.
	Turn bool
	// Styled writes NULL in faint letters, so that it cannot be taken for the text NULL.
	Styled bool
	// Compression of parquet: zstd, snappy, gzip or none; "" is zstd.
	Compression string
}

// Formats lists the names that New takes.
var Formats = []string{"table", "csv", "json", "jsonl", "markdown", "arrow", "parquet", "vertical"}

// New returns the writer of a format.
func New(format string, w io.Writer, columns []Column, opt Options) (Writer, error) {
	switch format {
	case "table":
		return &table{out: bufio.NewWriter(w), columns: columns, options: opt}, nil
	case "csv":
		return newCSV(w, columns), nil
	case "json":
		return newJSON(w, columns, true), nil
	case "jsonl":
		return newJSON(w, columns, false), nil
	case "markdown":
		return newMarkdown(w, columns), nil
	case "arrow":
		return newArrow(w, columns), nil
	case "parquet":
		return newParquet(w, columns, opt.Compression)
	case "vertical":
		return &table{out: bufio.NewWriter(w), columns: columns, options: opt, vertical: true}, nil
	}
	return nil, fmt.Errorf("there is no format %q; take one of %s", format, strings.Join(Formats, ", "))
}

// isNull asks an array; one of the type of NULL has nothing else.
func isNull(col arrow.Array, row int) bool {
	return col.IsNull(row) || col.DataType().ID() == arrow.NULL
}

// uniqueNames returns the column names, later ones of equal name with _2, _3 … behind, for formats in which a
// name may stand once only.
func uniqueNames(columns []Column) []string {
	names := make([]string, len(columns))
	taken := map[string]bool{}
	for _, c := range columns {
		taken[c.Name] = true
	}
	seen := map[string]bool{}
	for i, c := range columns {
		name := c.Name
		for n := 2; seen[name]; n++ {
			if candidate := fmt.Sprintf("%s_%d", c.Name, n); !taken[candidate] {
				name = candidate
			}
		}
		seen[name], taken[name] = true, true
		names[i] = name
	}
	return names
}
