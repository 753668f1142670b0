package external

import (
	"bufio"
	"bytes"
	"io"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
)

// hiveText writes a line a row, its fields parted by a character and NULL as \N. Text that would be read back as something else is refused:
// the format has no way to write it.
type hiveText struct {
	out       *bufio.Writer
	columns   []sqltype.Column
	delimiter byte
	scratch   []byte
}

func newHiveText(w io.Writer, columns []sqltype.Column, delimiter string) *hiveText {
	h := &hiveText{out: bufio.NewWriter(w), columns: columns, delimiter: 1}
	if delimiter != "" {
		h.delimiter = delimiter[0]
	}
	return h
}

func (h *hiveText) Write(cols []arrow.Array, rows int) error {
	for row := range rows {
		for i, col := range cols {
			if i > 0 {
				h.out.WriteByte(h.delimiter)
			}
			if col.IsNull(row) {
				h.out.WriteString(`\N`)
				continue
			}
			h.scratch = sqltype.AppendText(h.scratch[:0], h.columns[i].Type, col, row)
			if bytes.IndexByte(h.scratch, h.delimiter) >= 0 || bytes.ContainsAny(h.scratch, "\r\n") || string(h.scratch) == `\N` {
				return sqlerr.New(sqlerr.Value, 0, "column %s has a text with a line end or the delimiter of fields in it, which TEXTFILE cannot hold", h.columns[i].Name).
					WithHint("write PARQUET, JSON or CSV, or take another field_delimiter")
			}
			h.out.Write(h.scratch)
		}
		if err := h.out.WriteByte('\n'); err != nil {
			return err
		}
	}
	return nil
}

func (h *hiveText) Close() error { return h.out.Flush() }
