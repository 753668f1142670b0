package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/trailql/trailql/engine/exec"
	"github.com/trailql/trailql/engine/figure"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
)

// explain returns the plan, a line a row, of a query or of the query of a statement that writes, of which nothing is written: each scan with what pruning keeps, and after a run with ANALYZE each node with what it did.
func (q *query) explain(ctx context.Context, st *sql.Explain) (*table, error) {
	inner, ok := st.Statement.(*sql.Query)
	switch st := st.Statement.(type) {
	case *sql.CreateTableAs:
		inner, ok = st.Query, true
	case *sql.Unload:
		inner, ok = st.Query, true
	}
	if !ok {
		return nil, sqlerr.New(sqlerr.Unknown, st.Statement.Pos(), "EXPLAIN takes a query")
	}
	node, err := q.plan(inner)
	if err != nil {
		return nil, err
	}
	if st.Validate {
		t := newTable("Valid")
		t.columns[0].Type = sqltype.BooleanType
		t.add(true)
		return t, nil
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
	if st.JSON {
		text, err := explainJSON(node, lines)
		if err != nil {
			return nil, err
		}
		t.add(text)
		return t, nil
	}
	for _, line := range strings.Split(strings.TrimRight(plan.Format(node, lines), "\n"), "\n") {
		t.add(line)
	}
	return t, nil
}

// explained is a node of a plan in JSON, close to what Trino prints: its operator, what it does, and its columns.
type explained struct {
	ID       string            `json:"id"`
	Name     string            `json:"name"`
	Details  []string          `json:"details"`
	Outputs  []explainedColumn `json:"outputs"`
	Children []explained       `json:"children"`
}

type explainedColumn struct {
	Symbol string `json:"symbol"`
	Type   string `json:"type"`
}

func explainJSON(node plan.Node, annotate func(plan.Node) []string) (string, error) {
	next := 0
	var build func(n plan.Node) explained
	build = func(n plan.Node) explained {
		name, rest, _ := strings.Cut(plan.Describe(n), " ")
		e := explained{ID: strconv.Itoa(next), Name: strings.TrimSuffix(name, ":"), Details: []string{}, Outputs: []explainedColumn{}, Children: []explained{}}
		next++
		if rest != "" {
			e.Details = append(e.Details, rest)
		}
		e.Details = append(e.Details, annotate(n)...)
		for _, c := range plan.ShownNames(n.Schema()) {
			e.Outputs = append(e.Outputs, explainedColumn{c.Name, c.Type.String()})
		}
		for _, in := range n.Inputs() {
			e.Children = append(e.Children, build(in))
		}
		return e
	}
	var text bytes.Buffer
	out := json.NewEncoder(&text)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	err := out.Encode(build(node))
	return strings.TrimRight(text.String(), "\n"), err
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
		if m.SpilledBytes > 0 {
			line += fmt.Sprintf(", spilled %s to %d files", figure.Bytes(m.SpilledBytes), m.SpilledFiles)
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
	// What different layers say of one conjunct is one line.
	place := map[string]int{}
	for _, n := range r.Notes {
		at, ok := place[n.On]
		switch {
		case n.On == "":
			lines = append(lines, n.Says)
		case ok:
			lines[at] += "; " + n.Says
		default:
			place[n.On] = len(lines)
			lines = append(lines, n.On+": "+n.Says)
		}
	}
	return lines
}
