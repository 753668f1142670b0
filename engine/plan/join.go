package plan

import (
	"slices"

	"github.com/trailql/trailql/engine/expr"
)

// NewJoin returns an inner, left, cross or anti join of two inputs on conjuncts over the columns of both. Equalities between
// the sides become keys; a conjunct on one side alone is filtered below the join where the kind allows it; the rest is the
// residual. An inner join without keys is a cross join below a filter.
func NewJoin(kind JoinKind, left, right Node, on []expr.Expr) Node {
	j := &Join{Kind: kind, Columns: slices.Concat(left.Schema(), right.Schema())}
	if kind == AntiJoin {
		j.Columns = left.Schema()
	}
	keepsLeft := kind == LeftJoin || kind == AntiJoin // rows that do not match, so what the left side must be is no filter
	width := len(left.Schema())
	toRight := func(e expr.Expr) expr.Expr {
		return MoveColumns(e, func(i int) int { return i - width })
	}
	var leftOnly, rightOnly, rest []expr.Expr
	for _, e := range on {
		l, r, equi := equality(e, width)
		switch sides := SidesOf(e, width); {
		case expr.Volatile(e):
			rest = append(rest, e)
		case equi:
			j.LeftKeys = append(j.LeftKeys, l)
			j.RightKeys = append(j.RightKeys, toRight(r))
		case sides != LeftSide && (sides == RightSide || keepsLeft && sides == NoSide):
			rightOnly = append(rightOnly, toRight(e))
		case sides != BothSides && !keepsLeft:
			leftOnly = append(leftOnly, e)
		default:
			rest = append(rest, e)
		}
	}
	j.Left, j.Right = filtered(left, leftOnly), filtered(right, rightOnly)
	if keepsLeft {
		j.Residual = expr.Conjoin(rest)
		return j
	}
	if len(j.LeftKeys) == 0 {
		j.Kind = CrossJoin
		return filtered(j, rest)
	}
	j.Kind, j.Residual = InnerJoin, expr.Conjoin(rest)
	return j
}

// Sides says which inputs of a join an expression over both uses.
type Sides uint8

const (
	NoSide    Sides = 0
	LeftSide  Sides = 1
	RightSide Sides = 2
	BothSides Sides = LeftSide | RightSide
)

// SidesOf returns the sides that e uses, the left one having width columns.
func SidesOf(e expr.Expr, width int) Sides {
	s := NoSide
	for _, c := range expr.Columns(e) {
		if c < width {
			s |= LeftSide
		} else {
			s |= RightSide
		}
	}
	return s
}

// equality splits "left = right" between the sides of a join; both operands are still over the columns of both.
func equality(e expr.Expr, width int) (left, right expr.Expr, ok bool) {
	c, ok := e.(*expr.Compare)
	if !ok || c.Op != expr.Eq {
		return nil, nil, false
	}
	l, r := SidesOf(c.Left, width), SidesOf(c.Right, width)
	switch {
	case l == LeftSide && r == RightSide:
		return c.Left, c.Right, true
	case l == RightSide && r == LeftSide:
		return c.Right, c.Left, true
	}
	return nil, nil, false
}

func filtered(n Node, conjuncts []expr.Expr) Node {
	if len(conjuncts) == 0 {
		return n
	}
	return &Filter{Input: n, Conjuncts: conjuncts}
}
