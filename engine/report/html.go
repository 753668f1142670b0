package report

import (
	"bufio"
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"time"
	"unicode/utf8"

	"github.com/trailql/trailql/connectors/sink"
	"github.com/trailql/trailql/engine/figure"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// What a page shows at most: it is for reading; findings.csv and report.json hold the rest.
const (
	shownRows  = 200
	shownBytes = 2000 // of a cell
)

//go:embed report.html.tmpl
var pageText string

var pageTemplate = template.Must(template.New("report").Funcs(template.FuncMap{
	"count":    figure.Count,
	"counted":  counted,
	"visible":  sink.Visible,
	"sentence": sentence,
	"time":     func(t time.Time) string { return t.UTC().Format(shownTime) },
	"class": func(v Verdict) string {
		return map[Verdict]string{NoneFound: "none", Findings: "findings", NotProvable: "unproven"}[v]
	},
}).Parse(pageText))

// page is what the template sees: a report and a way to read its rows.
type page struct {
	*Report
	ctx context.Context
	err error // of Rows, without the template's words around it
}

// rows are the first rows of an answer as text.
type rows struct {
	Columns []sink.Column
	Cells   [][]string
	More    int64 // rows that are not shown
}

// Rows is called by the template, so that the rows of one control are in memory at a time.
func (p *page) Rows(a Answer) (rows, error) {
	t := rows{More: max(0, a.Findings-shownRows)}
	if t.Columns, p.err = p.columns(p.ctx, &a); p.err != nil {
		return t, p.err
	}
	var scratch []byte
	p.err = p.pages(p.ctx, &a, shownRows, func(b vec.Batch) error {
		for row := range b.Len {
			cells := make([]string, len(t.Columns))
			for i, c := range t.Columns {
				scratch = sqltype.AppendText(scratch[:0], c.Type, b.Cols[i], row)
				cells[i] = sink.Visible(cut(string(scratch)))
			}
			t.Cells = append(t.Cells, cells)
		}
		return nil
	})
	return t, p.err
}

// cut shortens a cell to shownBytes, between characters.
func cut(cell string) string {
	if len(cell) <= shownBytes {
		return cell
	}
	end := shownBytes
	for !utf8.RuneStart(cell[end]) {
		end--
	}
	return cell[:end] + "…"
}

// HTML writes one page without outside parts that also prints well; of each control it shows the first 200 rows.
func (r *Report) HTML(ctx context.Context, w io.Writer) error {
	out := bufio.NewWriter(w)
	p := page{Report: r, ctx: ctx}
	if err := pageTemplate.Execute(out, &p); err != nil {
		return fmt.Errorf("writing the report as HTML: %w", cmp.Or(p.err, err))
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("writing the report as HTML: %w", err)
	}
	return nil
}
