package optimize

import (
	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
)

// mergeProjects makes one projection of two where no work is done twice by it, one filter of two, and drops projections that
// change nothing.
func mergeProjects(n plan.Node, _ *fn.Session) plan.Node {
	return plan.Rewrite(n, func(n plan.Node) plan.Node {
		switch n := n.(type) {
		case *plan.Filter:
			if in, ok := n.Input.(*plan.Filter); ok {
				return filtered(in.Input, append(in.Conjuncts[:len(in.Conjuncts):len(in.Conjuncts)], n.Conjuncts...))
			}
		case *plan.Project:
			if in, ok := n.Input.(*plan.Project); ok && mergeable(n.Exprs, in.Exprs) {
				merged := &plan.Project{Input: in.Input, Columns: n.Columns}
				for _, e := range n.Exprs {
					merged.Exprs = append(merged.Exprs, substitute(e, in.Exprs))
				}
				n = merged
			}
			if identity(n) {
				return n.Input
			}
			return n
		}
		return n
	})
}

// mergeable reports whether outer can be computed from the inputs of inner without computing anything twice.
func mergeable(outer, inner []expr.Expr) bool {
	uses := make([]int, len(inner))
	for _, e := range outer {
		expr.Walk(e, func(e expr.Expr) bool {
			if c, ok := e.(*expr.Column); ok {
				uses[c.Index]++
			}
			return true
		})
	}
	for i, e := range inner {
		if uses[i] > 1 && !cheap(e) || uses[i] > 0 && expr.Volatile(e) {
			return false
		}
	}
	return true
}

// cheap reports whether e is a literal, a column or a field of one.
func cheap(e expr.Expr) bool {
	switch e := e.(type) {
	case *expr.Literal, *expr.Column:
		return true
	case *expr.Field:
		return cheap(e.Arg)
	}
	return false
}

// substitute replaces the columns of e by the expressions that compute them.
func substitute(e expr.Expr, by []expr.Expr) expr.Expr {
	return expr.Rewrite(e, func(e expr.Expr) expr.Expr {
		if c, ok := e.(*expr.Column); ok {
			return by[c.Index]
		}
		return e
	})
}

func identity(p *plan.Project) bool {
	in := p.Input.Schema()
	if len(in) != len(p.Exprs) {
		return false
	}
	for i, e := range p.Exprs {
		c, ok := e.(*expr.Column)
		if !ok || c.Index != i || p.Columns[i].Name != in[i].Name || !p.Columns[i].Type.Equal(in[i].Type) {
			return false
		}
	}
	return true
}
