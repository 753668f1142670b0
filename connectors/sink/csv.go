package sink

import (
	"bufio"
	"bytes"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/sqltype"
)

// csvWriter follows RFC 4180 with LF line ends: a head line, quotes only where needed. NULL is an empty field,
// the empty text is "" in quotes.
type csvWriter struct {
	out     *bufio.Writer
	columns []Column
	scratch []byte
}

func newCSV(w io.Writer, columns []Column) *csvWriter {
	c := &csvWriter{out: bufio.NewWriter(w), columns: columns}
	for i, col := range columns {
		c.field(i, []byte(col.Name))
	}
	c.out.WriteByte('\n')
	return c
}

func (c *csvWriter) Write(cols []arrow.Array, rows int) error {
	for row := range rows {
		for i, col := range cols {
			if isNull(col, row) {
				if i > 0 {
					c.out.WriteByte(',')
				}
				continue
			}
			c.scratch = sqltype.AppendText(c.scratch[:0], c.columns[i].Type, col, row)
			c.field(i, c.scratch)
		}
		if err := c.out.WriteByte('\n'); err != nil {
			return fmt.Errorf("writing csv: %w", err)
		}
	}
	return nil
}

func (c *csvWriter) field(i int, text []byte) {
	if i > 0 {
		c.out.WriteByte(',')
	}
	if len(text) > 0 && !bytes.ContainsAny(text, ",\"\r\n") && text[0] != ' ' && text[len(text)-1] != ' ' {
		c.out.Write(text)
		return
	}
	c.out.WriteByte('"')
	c.out.Write(bytes.ReplaceAll(text, []byte{'"'}, []byte{'"', '"'}))
	c.out.WriteByte('"')
}

func (c *csvWriter) Close() error {
	if err := c.out.Flush(); err != nil {
		return fmt.Errorf("writing csv: %w", err)
	}
	return nil
}
