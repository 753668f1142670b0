package plan

import (
	"slices"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/sqltype"
)

// NewJoin returns a join of two inputs on conjuncts over the columns of both. Equalities between the sides become keys, IS NOT DISTINCT
// FROM null-safe ones; a conjunct on one side alone is filtered below the join where the kind allows it; the rest is the residual. An
// inner join without keys is a cross join below a filter. A mark join made here marks true or false, never NULL.
func NewJoin(kind JoinKind, left, right Node, on []expr.Expr) Node {
	j := &Join{Kind: kind, Columns: JoinColumns(kind, left, right)}
	keepsLeft := kind == LeftJoin || kind == AntiJoin || kind == MarkJoin // rows that do not match, so what the left side must be is no filter
	width := len(left.Schema())
	toRight := func(e expr.Expr) expr.Expr {
		return MoveColumns(e, func(i int) int { return i - width })
	}
	var leftOnly, rightOnly, rest []expr.Expr
	for i, e := range on {
		l, r, equi, nullSafe := equality(e, width)
		switch sides := SidesOf(e, width); {
		case expr.Volatile(e):
			rest = append(rest, e)
		case equi && !nullSafe && holdsValues(l.Type()):
			// Keys that look the same need not be equal: [1, NULL] = [1, NULL] is NULL.
			e = &expr.Compare{Op: expr.Eq, Left: l, Right: r}
			if !slices.ContainsFunc(on[:i], func(other expr.Expr) bool { return expr.Equal(other, e) }) {
				j.addKey(l, toRight(r), nullSafe)
				rest = append(rest, e)
			}
		case equi:
			j.addKey(l, toRight(r), nullSafe)
		case sides != LeftSide && (sides == RightSide || keepsLeft && sides == NoSide):
			rightOnly = append(rightOnly, toRight(e))
		case sides != BothSides && !keepsLeft:
			leftOnly = append(leftOnly, e)
		default:
			rest = append(rest, e)
		}
	}
	j.Left, j.Right = filtered(left, leftOnly), filtered(right, rightOnly)
	switch {
	case kind == MarkJoin:
		for i, e := range rest {
			rest[i] = IsTrue(e)
		}
	case kind == SemiJoin || keepsLeft:
	case len(j.LeftKeys) == 0:
		j.Kind = CrossJoin
		return filtered(j, rest)
	default:
		j.Kind = InnerJoin
	}
	j.Residual = expr.Conjoin(rest)
	return j
}

// holdsValues reports whether a value of t has values inside, which may be NULL.
func holdsValues(t sqltype.Type) bool {
	return t.Kind == sqltype.Array || t.Kind == sqltype.Map || t.Kind == sqltype.Row
}

// JoinColumns returns the columns that a join may put out.
func JoinColumns(kind JoinKind, left, right Node) []Column {
	switch kind {
	case SemiJoin, AntiJoin:
		return left.Schema()
	case MarkJoin:
		return append(slices.Clip(left.Schema()), Column{Name: "mark", Type: sqltype.BooleanType})
	}
	return slices.Concat(left.Schema(), right.Schema())
}

// IsTrue is e with false in place of NULL.
func IsTrue(e expr.Expr) expr.Expr {
	return &expr.Compare{Op: expr.NotDistinct, Left: e, Right: expr.NewLiteral(sqltype.BooleanType, true)}
}

func (n *Join) addKey(left, right expr.Expr, nullSafe bool) {
	if nullSafe && n.NullSafe == nil {
		n.NullSafe = make([]bool, len(n.LeftKeys))
	}
	n.LeftKeys, n.RightKeys = append(n.LeftKeys, left), append(n.RightKeys, right)
	if n.NullSafe != nil {
		n.NullSafe = append(n.NullSafe, nullSafe)
	}
}

// NullSafeKey reports whether NULLs of the i-th keys match.
func (n *Join) NullSafeKey(i int) bool { return n.NullSafe != nil && n.NullSafe[i] }

// KeyConjuncts returns the conditions that the keys stand for, over the columns of both sides.
func (n *Join) KeyConjuncts() []expr.Expr {
	width := len(n.Left.Schema())
	on := make([]expr.Expr, len(n.LeftKeys))
	for i, l := range n.LeftKeys {
		op := expr.Eq
		if n.NullSafeKey(i) {
			op = expr.NotDistinct
		}
		on[i] = &expr.Compare{Op: op, Left: l, Right: MoveColumns(n.RightKeys[i], func(c int) int { return c + width })}
	}
	return on
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
func equality(e expr.Expr, width int) (left, right expr.Expr, ok, nullSafe bool) {
	c, ok := e.(*expr.Compare)
	if !ok || c.Op != expr.Eq && c.Op != expr.NotDistinct {
		return nil, nil, false, false
	}
	nullSafe = c.Op == expr.NotDistinct
	l, r := SidesOf(c.Left, width), SidesOf(c.Right, width)
	switch {
	case l == LeftSide && r == RightSide:
		return c.Left, c.Right, true, nullSafe
	case l == RightSide && r == LeftSide:
		return c.Right, c.Left, true, nullSafe
	}
	return nil, nil, false, false
}

func filtered(n Node, conjuncts []expr.Expr) Node {
	if len(conjuncts) == 0 {
		return n
	}
	return &Filter{Input: n, Conjuncts: conjuncts}
}
