package sink

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/sqltype"
)

// markdown writes a GitHub-flavoured table; numbers are aligned right, NULL is an empty cell.
type markdown struct {
	out     *bufio.Writer
	columns []Column
	scratch []byte
}

// markdownText keeps a cell on its line and inside its column, and strangers' text from becoming links or HTML.
var markdownText = strings.NewReplacer(`\`, `\\`, "|", `\|`, "\r\n", "<br>", "\n", "<br>", "\r", "<br>",
	"<", "&lt;", ">", "&gt;", "&", "&amp;", "[", `\[`, "`", "\\`", "*", `\*`, "_", `\_`)

func newMarkdown(w io.Writer, columns []Column) *markdown {
	m := &markdown{out: bufio.NewWriter(w), columns: columns}
	for _, c := range columns {
		m.out.WriteString("| " + markdownText.Replace(c.Name) + " ")
	}
	m.out.WriteString("|\n")
	for _, c := range columns {
		if isNumber(c.Type) {
			m.out.WriteString("| ---: ")
		} else {
			m.out.WriteString("| --- ")
		}
	}
	m.out.WriteString("|\n")
	return m
}

func (m *markdown) Write(cols []arrow.Array, rows int) error {
	for row := range rows {
		for i, col := range cols {
			m.out.WriteString("| ")
			if !isNull(col, row) {
				m.scratch = sqltype.AppendText(m.scratch[:0], m.columns[i].Type, col, row)
				m.out.WriteString(markdownText.Replace(string(m.scratch)) + " ")
			}
		}
		if _, err := m.out.WriteString("|\n"); err != nil {
			return fmt.Errorf("writing markdown: %w", err)
		}
	}
	return nil
}

func (m *markdown) Close() error {
	if err := m.out.Flush(); err != nil {
		return fmt.Errorf("writing markdown: %w", err)
	}
	return nil
}
