package plan

import (
	"fmt"
	"strings"

	"github.com/trailql/trailql/engine/expr"
)

// Format prints a plan as a tree: a node a line, its inputs indented below it. annotate, if not nil, gives lines that
// are put between a node and its inputs.
func Format(n Node, annotate func(Node) []string) string {
	var b strings.Builder
	write(&b, n, annotate, 0)
	return b.String()
}

func write(b *strings.Builder, n Node, annotate func(Node) []string, depth int) {
	indent := strings.Repeat("  ", depth)
	b.WriteString(indent + Describe(n) + "\n")
	if annotate != nil {
		for _, line := range annotate(n) {
			b.WriteString(indent + "    " + line + "\n")
		}
	}
	for _, in := range n.Inputs() {
		write(b, in, annotate, depth+1)
	}
}

// Describe returns a node's own line, without its inputs.
func Describe(n Node) string {
	switch n := n.(type) {
	case *Scan:
		s := fmt.Sprintf("Scan %s (%s)", n.Table.Name(), strings.Join(columnNames(n.Columns), ", "))
		if len(n.Conjuncts) > 0 {
			s += " where " + conjunction(n.Conjuncts)
		}
		if n.Limit >= 0 {
			s += fmt.Sprintf(" limit %d", n.Limit)
		}
		if n.Top != nil {
			s += fmt.Sprintf(" top %d by %s", n.Top.Rows, list([]expr.Expr{&expr.Column{Name: n.Columns[n.Top.Path].Name}}))
		}
		return s
	case *Values:
		rows := "rows"
		if len(n.Rows) == 1 {
			rows = "row"
		}
		return fmt.Sprintf("Values %d %s (%s)", len(n.Rows), rows, strings.Join(columnNames(n.Columns), ", "))
	case *Filter:
		return "Filter " + conjunction(n.Conjuncts)
	case *Project:
		parts := make([]string, len(n.Exprs))
		for i, name := range columnNames(n.Columns) {
			parts[i] = expr.Format(n.Exprs[i])
			if c, ok := n.Exprs[i].(*expr.Column); !ok || !strings.EqualFold(c.Name, name) {
				parts[i] = name + " = " + parts[i]
			}
		}
		return strings.TrimSpace("Project " + strings.Join(parts, ", "))
	case *Aggregate:
		s := "Aggregate"
		switch {
		case n.Sets != nil:
			s += " by sets " + sets(n)
		case len(n.Keys) > 0:
			s += " by " + list(n.Keys)
		}
		for i, a := range n.Aggs {
			if i == 0 {
				s += ": "
			} else {
				s += ", "
			}
			s += describeCall(a)
		}
		return s
	case *Sort:
		s := "Sort"
		if n.Limit >= 0 {
			s = fmt.Sprintf("TopN %d", n.Limit)
		}
		if n.Ties {
			s += " with ties"
		}
		if n.Offset > 0 {
			s += fmt.Sprintf(" offset %d", n.Offset)
		}
		return s + " by " + sortKeys(n.Keys)
	case *Limit:
		s := "Limit"
		if n.Limit >= 0 {
			s += fmt.Sprintf(" %d", n.Limit)
		}
		if n.Offset > 0 {
			s += fmt.Sprintf(" offset %d", n.Offset)
		}
		if len(n.By) > 0 {
			s += " for each " + list(n.By)
		}
		return s
	case *Join:
		s := joinNames[n.Kind]
		for i := range n.LeftKeys {
			if i == 0 {
				s += " on "
			} else {
				s += " and "
			}
			sign := expr.Eq
			if n.NullSafeKey(i) {
				sign = expr.NotDistinct
			}
			s += expr.Format(n.LeftKeys[i]) + " " + sign.String() + " " + expr.Format(n.RightKeys[i])
		}
		if n.Residual != nil {
			s += " where " + expr.Format(n.Residual)
		}
		return s
	case *Union:
		return "Union"
	case *Window:
		return describeWindow(n)
	case *Spool:
		return "Spool"
	case *Recursive:
		return fmt.Sprintf("Recursive %s, %d steps at most", n.ID.Name, n.MaxSteps)
	case *LastRows:
		return fmt.Sprintf("LastRows of %s (%s)", n.ID.Name, strings.Join(columnNames(n.Columns), ", "))
	case *Unnest:
		s := "Unnest " + list(n.Exprs)
		if n.Ordinality {
			s += " with ordinality"
		}
		if n.Outer {
			s += ", keeping rows without elements"
		}
		if n.Whole {
			s += ", rows whole"
		}
		return s
	}
	panic(fmt.Sprintf("plan: no line for %T", n))
}

var joinNames = map[JoinKind]string{
	InnerJoin: "InnerJoin", LeftJoin: "LeftJoin", CrossJoin: "CrossJoin", SemiJoin: "SemiJoin", AntiJoin: "AntiJoin", MarkJoin: "MarkJoin",
}

// Label is a short name for what e computes, for columns that have none: the dotted path of a column's field, else its text.
func Label(e expr.Expr) string { return strings.ReplaceAll(expr.Format(e), `"`, "") }

// Label is the call as it is written: count(*), sum(n).
func (a AggregateCall) Label() string { return strings.ReplaceAll(describeCall(a), `"`, "") }

func describeCall(a AggregateCall) string {
	args := list(a.Args)
	if len(a.Args) == 0 && a.Fn.Name == "count" {
		args = "*"
	}
	if a.Distinct {
		args = "DISTINCT " + args
	}
	if len(a.OrderBy) > 0 {
		args += " ORDER BY " + sortKeys(a.OrderBy)
	}
	s := a.Fn.Name + "(" + args + ")"
	if a.Filter != nil {
		s += " FILTER " + expr.Format(a.Filter)
	}
	return s
}

// sets lists the grouping sets of n: ("a", "b"), ("a"), ().
func sets(n *Aggregate) string {
	parts := make([]string, len(n.Sets))
	for i, set := range n.Sets {
		keys := make([]expr.Expr, len(set))
		for j, key := range set {
			keys[j] = n.Keys[key]
		}
		parts[i] = "(" + list(keys) + ")"
	}
	return strings.Join(parts, ", ")
}

func sortKeys(keys []SortKey) string {
	parts := make([]string, len(keys))
	for i, k := range keys {
		parts[i] = expr.Format(k.Expr)
		if k.Desc {
			parts[i] += " DESC"
		}
		if k.NullsFirst {
			parts[i] += " NULLS FIRST"
		}
	}
	return strings.Join(parts, ", ")
}

func conjunction(es []expr.Expr) string { return join(es, " and ") }

func list(es []expr.Expr) string { return join(es, ", ") }

func join(es []expr.Expr, sep string) string {
	parts := make([]string, len(es))
	for i, e := range es {
		parts[i] = expr.Format(e)
	}
	return strings.Join(parts, sep)
}

// ShownNames returns the columns with a name for each: _col0, _col1, … by position for those that have none, as Trino shows them.
func ShownNames(columns []Column) []Column {
	shown := make([]Column, len(columns))
	for i, c := range columns {
		if c.Name == "" {
			c.Name = fmt.Sprintf("_col%d", i)
		}
		shown[i] = c
	}
	return shown
}

func columnNames(columns []Column) []string {
	names := make([]string, len(columns))
	for i, c := range ShownNames(columns) {
		names[i] = c.Name
	}
	return names
}
