package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/trailql/trailql/engine/exec"
	"github.com/trailql/trailql/engine/figure"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
)

// explain returns the plan, a line a row: each scan with what pruning keeps, and after a run with ANALYZE each node with what it did.
func (q *query) explain(ctx context.Context, st *sql.Explain) (*table, error) {
	inner, ok := st.Statement.(*sql.Query)
	if !ok {
		return nil, sqlerr.New(sqlerr.Unknown, st.Statement.Pos(), "EXPLAIN takes a query")
	}
	node, err := q.plan(inner)
	if err != nil {
		return nil, err
	}
	annotate := q.pruned
	if st.Analyze {
		annotate = q.analyzed
	}
	lines, err := annotate(ctx, node)
	if err != nil {
		return nil, err
	}
	t := newTable("Query Plan")
	for _, line := range strings.Split(strings.TrimRight(plan.Format(node, lines), "\n"), "\n") {
		t.add(line)
	}
	return t, nil
}

// pruned runs the pruning of all scans, reading no rows.
func (q *query) pruned(ctx context.Context, node plan.Node) (func(plan.Node) []string, error) {
	reports, err := exec.Prune(ctx, node, q.exec)
	if err != nil {
		return nil, err
	}
	return func(n plan.Node) []string { return reportLines(reports[n]) }, nil
}

// analyzed runs the plan to its end.
func (q *query) analyzed(ctx context.Context, node plan.Node) (func(plan.Node) []string, error) {
	stream, err := exec.Run(ctx, node, q.exec)
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	for {
		if _, err := stream.Next(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
	}
	metrics := stream.Metrics()
	return func(n plan.Node) []string {
		m := metrics[n]
		if m == nil {
			return nil
		}
		line := fmt.Sprintf("%d rows in %d batches, %s", m.Rows, m.Batches, m.Wall.Round(time.Microsecond))
		if m.Memory > 0 {
			line += ", " + figure.Bytes(m.Memory) + " held"
		}
		lines := append([]string{line}, reportLines(m.Scan)...)
		if m.Scan != nil {
			pages, pruned := m.Scan.Pages.Load(), m.Scan.PagesPruned.Load()
			lines = append(lines, fmt.Sprintf("read %s, %d of %d pages, of row groups with %d rows",
				figure.Bytes(m.Scan.BytesRead.Load()), pages-pruned, pages, m.Scan.RowsRead.Load()))
		}
		return lines
	}, nil
}

// reportLines says what a scan keeps of what there is, and by what the rest was skipped.
func reportLines(r *source.Report) []string {
	if r == nil {
		return nil
	}
	var parts []string
	kept := func(what string, all, pruned int64) {
		if all > 0 {
			parts = append(parts, fmt.Sprintf("%s %d of %d", what, all-pruned, all))
		}
	}
	kept("partitions", r.Partitions.Load(), r.PartitionsPruned.Load())
	kept("files", r.Files.Load(), r.FilesPruned.Load())
	byStats, byBloom, byDictionary := r.RowGroupsByStats.Load(), r.RowGroupsByBloom.Load(), r.RowGroupsByDictionary.Load()
	kept("row groups", r.RowGroups.Load(), byStats+byBloom+byDictionary)
	if byStats+byBloom+byDictionary > 0 {
		parts[len(parts)-1] += fmt.Sprintf(" (skipped by statistics %d, bloom filter %d, dictionary %d)", byStats, byBloom, byDictionary)
	}
	var lines []string
	if len(parts) > 0 {
		lines = append(lines, "keeps "+strings.Join(parts, ", "))
	}
	return append(lines, r.Notes...)
}
