package sink

import (
	"bufio"
	"fmt"
	"strings"
	"unicode"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/mattn/go-runewidth"

	"github.com/trailql/trailql/engine/sqltype"
)

// measuredRows is how many rows set the widths of a table before it is written on; later rows with wider cells stick out.
// A result of any size thus needs memory for these only.
const measuredRows = 1000

// mostWidth is how wide a column gets where no terminal sets a width: wider cells stick out, so that one of them (the type of useridentity)
// does not draw all lines apart.
const mostWidth = 120

// table aligns columns for a person. NULL is shown as NULL; control characters are shown escaped, since much of a
// trail's text is chosen by strangers and must not steer the terminal.
type table struct {
	out     *bufio.Writer
	columns []Column
	options Options
	held    [][]string
	widths  []int // of the columns, set once the head is written; vertically, that of the names
	scratch []byte

	vertical bool
	records  int64 // written vertically
}

func (t *table) Write(cols []arrow.Array, rows int) error {
	for row := range rows {
		cells := make([]string, len(cols))
		for i, col := range cols {
			cells[i] = t.cell(t.columns[i].Type, col, row)
		}
		switch {
		case t.widths == nil:
		case t.vertical:
			t.record(cells)
			continue
		default:
			t.line(cells)
			continue
		}
		if t.held = append(t.held, cells); len(t.held) == measuredRows {
			t.head()
		}
	}
	return t.flush()
}

func (t *table) Close() error {
	if t.widths == nil {
		t.head()
	}
	return t.flush()
}

func (t *table) flush() error {
	if err := t.out.Flush(); err != nil {
		return fmt.Errorf("writing the table: %w", err)
	}
	return nil
}

func (t *table) cell(typ sqltype.Type, col arrow.Array, row int) string {
	if isNull(col, row) {
		return nullMark
	}
	t.scratch = sqltype.AppendText(t.scratch[:0], typ, col, row)
	return Visible(string(t.scratch))
}

// nullMark stands for NULL among cells; no visible text holds it.
const nullMark = "\x00"

func nullCell(styled bool) string {
	if styled {
		return "\x1b[2mNULL\x1b[22m"
	}
	return "NULL"
}

func cellWidth(cell string) int {
	if cell == nullMark {
		return len("NULL")
	}
	return runewidth.StringWidth(cell)
}

// leastWidth is that to which a column is cut at the most.
const leastWidth = 8

// fit cuts the widest columns until a line has at most width terminal columns, or no column can be cut.
func fit(widths []int, width int) {
	for i, w := range widths {
		widths[i] = min(w, max(width, leastWidth))
	}
	for lineWidth(widths) > width {
		widest := 0
		for i, w := range widths {
			if w > widths[widest] {
				widest = i
			}
		}
		if widths[widest] <= leastWidth {
			return
		}
		widths[widest]--
	}
}

// lineWidth is how wide the lines of a table are: " cell | cell".
func lineWidth(widths []int) int {
	total := 3*len(widths) - 1
	for _, w := range widths {
		total += w
	}
	return total
}

func (t *table) head() {
	t.widths = make([]int, len(t.columns))
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = Visible(c.Name)
		t.widths[i] = runewidth.StringWidth(names[i])
	}
	for _, cells := range t.held {
		for i, cell := range cells {
			t.widths[i] = max(t.widths[i], cellWidth(cell))
		}
	}
	if t.options.Width > 0 && t.options.Turn && lineWidth(t.widths) > t.options.Width {
		t.vertical = true
	}
	if t.vertical {
		t.turn(names)
		return
	}
	if t.options.Width > 0 {
		fit(t.widths, t.options.Width)
	} else {
		for i, width := range t.widths {
			t.widths[i] = min(width, mostWidth)
		}
	}
	for i, name := range names {
		if i > 0 {
			t.out.WriteString(" |")
		}
		t.out.WriteByte(' ')
		name = t.cut(i, name)
		t.out.WriteString(name)
		if i < len(names)-1 {
			t.pad(t.widths[i] - runewidth.StringWidth(name))
		}
	}
	t.out.WriteByte('\n')
	for i, width := range t.widths {
		if i > 0 {
			t.out.WriteByte('+')
		}
		t.out.WriteString(strings.Repeat("-", width+2))
	}
	t.out.WriteByte('\n')
	for _, cells := range t.held {
		t.line(cells)
	}
	t.held = nil
}

func (t *table) line(cells []string) {
	for i, cell := range cells {
		if i > 0 {
			t.out.WriteString(" |")
		}
		t.out.WriteByte(' ')
		if cell != nullMark {
			cell = t.cut(i, cell)
		}
		gap := t.widths[i] - cellWidth(cell)
		if isNumber(t.columns[i].Type) {
			t.pad(gap)
			gap = 0
		}
		if cell == nullMark {
			cell = nullCell(t.options.Styled)
		}
		t.out.WriteString(cell)
		if i < len(cells)-1 {
			t.pad(gap)
		}
	}
	t.out.WriteByte('\n')
}

// cut shortens a cell to its column's width, where lines are to fit a terminal.
func (t *table) cut(column int, cell string) string {
	if t.options.Width > 0 && cellWidth(cell) > t.widths[column] {
		return runewidth.Truncate(cell, t.widths[column], "…")
	}
	return cell
}

func (t *table) pad(n int) {
	for range n {
		t.out.WriteByte(' ')
	}
}

func isNumber(t sqltype.Type) bool {
	switch t.Kind {
	case sqltype.TinyInt, sqltype.SmallInt, sqltype.Integer, sqltype.BigInt, sqltype.Real, sqltype.Double, sqltype.Decimal:
		return true
	}
	return false
}

// Visible shows text that strangers chose on one line, without characters that steer a terminal, turn the direction of reading or cannot be
// seen: those as \n, \t, \r or \u001b.
func Visible(s string) string {
	hidden := func(r rune) bool { return !unicode.IsGraphic(r) }
	if strings.IndexFunc(s, hidden) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case hidden(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
