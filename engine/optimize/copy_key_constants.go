package optimize

import (
	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
)

// copyKeyConstants filters the other side of a join too where a filter fixes a key: with l.id = r.id and l.id = 'x', r.id is 'x'.
// For a left join only from left to right.
func copyKeyConstants(n plan.Node, _ *fn.Session) plan.Node {
	return plan.Rewrite(n, func(n plan.Node) plan.Node {
		j, ok := n.(*plan.Join)
		if !ok {
			return n
		}
		left, right := fixed(j.Left), fixed(j.Right)
		var toLeft, toRight []expr.Expr
		for i := range j.LeftKeys {
			l, r := literalOf(j.LeftKeys[i], left), literalOf(j.RightKeys[i], right)
			switch {
			case l != nil && r == nil && j.Kind != plan.AntiJoin:
				toRight = append(toRight, &expr.Compare{Op: expr.Eq, Left: j.RightKeys[i], Right: l})
			case r != nil && l == nil && (j.Kind == plan.InnerJoin || j.Kind == plan.SemiJoin):
				toLeft = append(toLeft, &expr.Compare{Op: expr.Eq, Left: j.LeftKeys[i], Right: r})
			}
		}
		if toLeft == nil && toRight == nil {
			return n
		}
		return plan.WithInputs(j, []plan.Node{filtered(j.Left, toLeft), filtered(j.Right, toRight)})
	})
}

func literalOf(key expr.Expr, known map[int]*expr.Literal) *expr.Literal {
	if c, ok := key.(*expr.Column); ok {
		return known[c.Index]
	}
	return nil
}

// fixed returns the columns of n of which a filter says that they equal a literal.
func fixed(n plan.Node) map[int]*expr.Literal {
	known := map[int]*expr.Literal{}
	switch n := n.(type) {
	case *plan.Filter:
		known = fixed(n.Input)
		for _, e := range n.Conjuncts {
			c, ok := e.(*expr.Compare)
			if !ok || c.Op != expr.Eq {
				continue
			}
			column, isColumn := c.Left.(*expr.Column)
			lit, isLiteral := c.Right.(*expr.Literal)
			if isColumn && isLiteral {
				known[column.Index] = lit
			}
		}
	case *plan.Project:
		below := fixed(n.Input)
		for i, e := range n.Exprs {
			if lit := literalOf(e, below); lit != nil {
				known[i] = lit
			}
		}
	case *plan.Aggregate:
		below := fixed(n.Input)
		for i, k := range n.Keys {
			if lit := literalOf(k, below); lit != nil && n.InAllSets(i) {
				known[i] = lit
			}
		}
	case *plan.Join:
		known = fixed(n.Left)
		if n.Kind == plan.InnerJoin || n.Kind == plan.CrossJoin {
			width := len(n.Left.Schema())
			for i, lit := range fixed(n.Right) {
				known[width+i] = lit
			}
		}
	case *plan.Sort:
		return fixed(n.Input)
	case *plan.Window:
		return fixed(n.Input)
	}
	return known
}
