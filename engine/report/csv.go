package report

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/trailql/trailql/connectors/sink"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// CSV writes a line per finding, and one for each control without findings, for spreadsheets: control, title, verdict, then the columns
// of all controls in the order in which they first appear (of columns of equal name within one control, the first). A cell that a
// spreadsheet could take for a formula gets a quote in front: who makes a call chooses its user agent.
func (r *Report) CSV(ctx context.Context, w io.Writer) error {
	head := []string{"control", "title", "verdict"}
	const own = 3
	columns := make([][]sink.Column, len(r.Answers))
	for i := range r.Answers {
		var err error
		if columns[i], err = r.columns(ctx, &r.Answers[i]); err != nil {
			return err
		}
		for _, c := range columns[i] {
			if !slices.Contains(head[own:], c.Name) {
				head = append(head, c.Name)
			}
		}
	}
	out := csv.NewWriter(w)
	line := make([]string, len(head))
	write := func(line []string) error {
		for i, cell := range line {
			line[i] = harmless(cell)
		}
		return out.Write(line)
	}
	if err := write(slices.Clone(head)); err != nil {
		return fmt.Errorf("writing the findings: %w", err)
	}
	for i := range r.Answers {
		a := &r.Answers[i]
		begin := func() {
			clear(line)
			line[0], line[1], line[2] = a.Control.ID, a.Control.Title, string(a.Verdict)
		}
		if a.Findings == 0 {
			begin()
			if err := write(line); err != nil {
				return fmt.Errorf("writing the findings: %w", err)
			}
			continue
		}
		place := make([]int, len(columns[i]))
		for k, c := range columns[i] {
			place[k] = own + slices.Index(head[own:], c.Name)
		}
		var scratch []byte
		err := r.pages(ctx, a, -1, func(b vec.Batch) error {
			for row := range b.Len {
				begin()
				for k, c := range slices.Backward(columns[i]) {
					scratch = sqltype.AppendText(scratch[:0], c.Type, b.Cols[k], row)
					line[place[k]] = string(scratch)
				}
				if err := write(line); err != nil {
					return fmt.Errorf("writing the findings: %w", err)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("writing the findings: %w", err)
	}
	return nil
}

// harmless returns a cell that no spreadsheet runs as a formula.
func harmless(cell string) string {
	if cell != "" && strings.IndexByte("=+-@\t\r\n", cell[0]) >= 0 {
		return "'" + cell
	}
	return cell
}
