package sink

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mattn/go-runewidth"
)

// turn begins the vertical form of a table: a line a cell, for rows that are wider than a terminal. Cells are never cut;
// NULL and control characters are shown as in the other form.
func (t *table) turn(names []string) {
	widths := make([]int, len(names))
	for i, name := range names {
		widths[i] = runewidth.StringWidth(name)
	}
	t.widths = []int{0}
	if len(widths) > 0 {
		t.widths[0] = slices.Max(widths)
	}
	for _, cells := range t.held {
		t.record(cells)
	}
	t.held = nil
}

// record writes one row vertically.
func (t *table) record(cells []string) {
	t.records++
	fmt.Fprintf(t.out, "-[ row %d ]%s\n", t.records, strings.Repeat("-", 20))
	for i, cell := range cells {
		name := Visible(t.columns[i].Name)
		t.out.WriteString(name)
		t.pad(t.widths[0] - runewidth.StringWidth(name))
		t.out.WriteString(" | ")
		if cell == nullMark {
			cell = nullCell(t.options.Styled)
		}
		t.out.WriteString(cell)
		t.out.WriteByte('\n')
	}
}
