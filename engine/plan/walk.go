package plan

import (
	"fmt"

	"github.com/trailql/trailql/engine/expr"
)

// Walk visits n and what is below it, parents first.
func Walk(n Node, visit func(Node)) {
	visit(n)
	for _, in := range n.Inputs() {
		Walk(in, visit)
	}
}

// Rewrite replaces nodes bottom-up: f gets each node with its inputs already rewritten and returns it or a replacement.
// Only what changes is copied.
func Rewrite(n Node, f func(Node) Node) Node {
	ins := n.Inputs()
	out := make([]Node, len(ins))
	changed := false
	for i, in := range ins {
		out[i] = Rewrite(in, f)
		changed = changed || out[i] != in
	}
	if changed {
		n = WithInputs(n, out)
	}
	return f(n)
}

// WithInputs returns a copy of n over other inputs of the same schemas.
func WithInputs(n Node, in []Node) Node {
	switch n := n.(type) {
	case *Scan, *Values, *LastRows:
		return n
	case *Filter:
		c := *n
		c.Input = in[0]
		return &c
	case *Project:
		c := *n
		c.Input = in[0]
		return &c
	case *Aggregate:
		c := *n
		c.Input = in[0]
		return &c
	case *Sort:
		c := *n
		c.Input = in[0]
		return &c
	case *Limit:
		c := *n
		c.Input = in[0]
		return &c
	case *Join:
		c := *n
		c.Left, c.Right = in[0], in[1]
		return &c
	case *Union:
		c := *n
		c.Children = in
		return &c
	case *Unnest:
		c := *n
		c.Input = in[0]
		return &c
	case *Window:
		c := *n
		c.Input = in[0]
		return &c
	case *Spool:
		c := *n
		c.Input = in[0]
		return &c
	case *Recursive:
		c := *n
		c.First, c.Step = in[0], in[1]
		return &c
	}
	panic(fmt.Sprintf("plan: no inputs for %T", n))
}

// MapExprs returns a copy of n in which every expression is replaced by f of it; inputs are left alone.
func MapExprs(n Node, f func(expr.Expr) expr.Expr) Node {
	all := func(es []expr.Expr) []expr.Expr {
		if es == nil {
			return nil
		}
		out := make([]expr.Expr, len(es))
		for i, e := range es {
			out[i] = f(e)
		}
		return out
	}
	optional := func(e expr.Expr) expr.Expr {
		if e == nil {
			return nil
		}
		return f(e)
	}
	keys := func(ks []SortKey) []SortKey {
		if ks == nil {
			return nil
		}
		out := make([]SortKey, len(ks))
		for i, k := range ks {
			k.Expr = f(k.Expr)
			out[i] = k
		}
		return out
	}
	switch n := n.(type) {
	case *Union, *Spool, *Recursive, *LastRows:
		return n
	case *Limit:
		c := *n
		c.By = all(n.By)
		return &c
	case *Scan:
		c := *n
		c.Conjuncts, c.Skips = all(n.Conjuncts), all(n.Skips)
		return &c
	case *Values:
		c := *n
		c.Rows = make([][]expr.Expr, len(n.Rows))
		for i, row := range n.Rows {
			c.Rows[i] = all(row)
		}
		return &c
	case *Filter:
		c := *n
		c.Conjuncts = all(n.Conjuncts)
		return &c
	case *Project:
		c := *n
		c.Exprs = all(n.Exprs)
		return &c
	case *Aggregate:
		c := *n
		c.Keys = all(n.Keys)
		c.Aggs = make([]AggregateCall, len(n.Aggs))
		for i, a := range n.Aggs {
			a.Args, a.Filter, a.OrderBy = all(a.Args), optional(a.Filter), keys(a.OrderBy)
			c.Aggs[i] = a
		}
		return &c
	case *Sort:
		c := *n
		c.Keys = keys(n.Keys)
		return &c
	case *Join:
		c := *n
		c.LeftKeys, c.RightKeys, c.Residual = all(n.LeftKeys), all(n.RightKeys), optional(n.Residual)
		return &c
	case *Unnest:
		c := *n
		c.Exprs = all(n.Exprs)
		return &c
	case *Window:
		c := *n
		c.PartitionBy, c.OrderBy = all(n.PartitionBy), keys(n.OrderBy)
		c.Calls = make([]WindowCall, len(n.Calls))
		for i, call := range n.Calls {
			bound := func(b FrameBound) FrameBound {
				b.Offset, b.Key, b.Edge = optional(b.Offset), optional(b.Key), optional(b.Edge)
				return b
			}
			call.Args, call.Filter = all(call.Args), optional(call.Filter)
			call.Frame.Start, call.Frame.End = bound(call.Frame.Start), bound(call.Frame.End)
			c.Calls[i] = call
		}
		return &c
	}
	panic(fmt.Sprintf("plan: no expressions for %T", n))
}

// MoveColumns returns e with every column ordinal replaced by to of it.
func MoveColumns(e expr.Expr, to func(ordinal int) int) expr.Expr {
	return expr.Rewrite(e, func(e expr.Expr) expr.Expr {
		c, ok := e.(*expr.Column)
		if !ok {
			return e
		}
		at := to(c.Index)
		if at == c.Index {
			return e
		}
		moved := *c
		moved.Index = at
		return &moved
	})
}

// ColumnRefs returns references to all columns of n, in order.
func ColumnRefs(n Node) []expr.Expr {
	schema := n.Schema()
	refs := make([]expr.Expr, len(schema))
	for i, c := range schema {
		refs[i] = &expr.Column{Index: i, Name: c.Name, T: c.Type}
	}
	return refs
}
