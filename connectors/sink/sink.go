// Package sink writes result rows in the formats that people and scripts read:
// table, csv, json, jsonl, markdown, arrow, parquet.
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
type Column struct {
	Name string
	Type sqltype.Type
}

// Writer takes a result batch by batch; used by one goroutine. Arrays have the forms of sqltype.Type.Arrow,
// text may be dictionary-coded. Close writes what ends the format and flushes; it does not close the writer beneath.
type Writer interface {
	Write(cols []arrow.Array, rows int) error
	Close() error
}

// Options of a format.
type Options struct {
	// CellWidth cuts cells of the table format to so many terminal columns; 0: never.
	CellWidth int
}

// Formats lists the names that New takes.
var Formats = []string{"table", "csv", "json", "jsonl", "markdown", "arrow", "parquet"}

// New returns the writer of a format.
func New(format string, w io.Writer, columns []Column, opt Options) (Writer, error) {
	switch format {
	case "table":
		return &table{out: bufio.NewWriter(w), columns: columns, cellWidth: opt.CellWidth}, nil
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
		return newParquet(w, columns)
	}
	return nil, fmt.Errorf("there is no format %q; take one of %s", format, strings.Join(Formats, ", "))
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
