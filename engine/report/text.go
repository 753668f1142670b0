package report

import (
	"bufio"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/trailql/trailql/connectors/sink"
	"github.com/trailql/trailql/engine/figure"
)

// shownGaps is how many gaps, and how many objects, a summary lists; the files list them all.
const shownGaps = 10

// Text writes a summary for a terminal or a mail: the controls with verdicts and numbers of findings, then the coverage and the
// verification in words.
func (r *Report) Text(w io.Writer) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "%s (%s)\n%s\nlake %s, snapshot %d; trailql %s\n\n", r.Pack.Title, r.Pack.ID, r.Period, sink.Visible(r.Lake), r.Snapshot, r.Version)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "CONTROL\tVERDICT\tFINDINGS\tTITLE")
	for _, a := range r.Answers {
		fmt.Fprintf(table, "%s\t%s\t%8s\t%s\n", a.Control.ID, a.Verdict, figure.Count(a.Findings), a.Control.Title)
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("writing the summary: %w", err)
	}
	for _, a := range r.Answers {
		if a.Err != nil {
			fmt.Fprintf(out, "\n%s: %s\n", a.Control.ID, sink.Visible(a.Reason))
		}
	}
	fmt.Fprintf(out, "\nVerdict: %s. %s\n", r.Verdict, sink.Visible(r.Reason))
	c := r.Coverage
	fmt.Fprintf(out, "\nCoverage: %s %s with %s delivered.\n", sink.Visible(sentence(c.Basis)), counted(c.Objects, "object"), counted(c.Records, "record"))
	for _, g := range c.Gaps[:min(len(c.Gaps), shownGaps)] {
		fmt.Fprintf(out, "  %s\n", sink.Visible(g.String()))
	}
	if more := c.MoreGaps + int64(max(0, len(c.Gaps)-shownGaps)); more > 0 {
		fmt.Fprintf(out, "  and %s\n", counted(more, "more gap"))
	}
	v := c.Verification
	fmt.Fprintf(out, "\nVerification: %s\n", v)
	for _, o := range v.Objects[:min(len(v.Objects), shownGaps)] {
		fmt.Fprintf(out, "  %s\n", sink.Visible(o.String()))
	}
	if more := v.MoreObjects + int64(max(0, len(v.Objects)-shownGaps)); more > 0 {
		fmt.Fprintf(out, "  and %s more\n", figure.Count(more))
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("writing the summary: %w", err)
	}
	return nil
}
