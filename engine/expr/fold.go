package expr

import (
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// Fold computes constant parts once, simplifies what three-valued logic allows, moves NOT down to comparisons and constants to
// their right side, so that pruning sees few forms. A constant part that fails stays, and fails at run time if a row needs it.
func Fold(e Expr, s *fn.Session) Expr {
	return Rewrite(e, func(e Expr) Expr { return foldOne(e, s) })
}

// foldOne folds an expression whose operands are folded.
func foldOne(e Expr, s *fn.Session) Expr {
	switch e := e.(type) {
	case *And:
		return foldLogic(e.Args, false, s)
	case *Or:
		return foldLogic(e.Args, true, s)
	case *Not:
		return negate(e.Arg, s)
	case *Compare:
		if e.Op != Distinct && e.Op != NotDistinct && (isNullLiteral(e.Left) || isNullLiteral(e.Right)) {
			return NullLiteral(sqltype.BooleanType)
		}
		if _, ok := e.Left.(*Literal); ok {
			if _, ok := e.Right.(*Literal); !ok {
				return &Compare{Op: mirror[e.Op], Left: e.Right, Right: e.Left}
			}
		}
	case *In:
		if isNullLiteral(e.Arg) {
			return NullLiteral(sqltype.BooleanType)
		}
		if len(e.List) == 1 {
			return foldOne(&Compare{Op: Eq, Left: e.Arg, Right: e.List[0]}, s)
		}
	case *Call:
		if e.Fn.Volatile {
			return e
		}
		if !e.Fn.NullCall {
			for _, a := range e.Args {
				if isNullLiteral(a) {
					return NullLiteral(e.T)
				}
			}
		}
	case *Case:
		return foldCase(e, s)
	case *Lambda:
		return foldLambda(e, s)
	case *Try:
		if !CanFail(e.Arg) {
			return e.Arg
		}
		if len(Columns(e)) == 0 && !HasOuter(e) && !Volatile(e) {
			return evaluate(e, s)
		}
		if c, ok := e.Arg.(*Cast); ok && !CanFail(c.Arg) {
			return &Cast{Arg: c.Arg, T: c.T, Try: true, Pos: c.Pos}
		}
	}
	return evaluateConstant(e, s)
}

// evaluateConstant turns e into a literal if all its operands are literals and it does not fail.
func evaluateConstant(e Expr, s *fn.Session) Expr {
	switch e.(type) {
	case *Column, *Outer, *Literal:
		return e
	}
	for _, c := range children(e) {
		l, isLambda := c.(*Lambda)
		if _, ok := c.(*Literal); !ok && !(isLambda && len(l.Captured) == 0) {
			return e
		}
	}
	if Volatile(e) {
		return e
	}
	return evaluate(e, s)
}

// evaluate turns e, which uses no column, into a literal unless it fails.
func evaluate(e Expr, s *fn.Session) Expr {
	d, err := Eval(e, vec.Batch{Len: 1}, s)
	if err != nil {
		return e
	}
	return &Literal{Value: vec.Plain(d.Arr), T: e.Type()}
}

func isNullLiteral(e Expr) bool {
	l, ok := e.(*Literal)
	return ok && l.IsNull()
}

// isLiteral reports whether e is the boolean constant v.
func isLiteral(e Expr, v bool) bool {
	l, ok := e.(*Literal)
	return ok && e.Type().Kind == sqltype.Boolean && vec.Value(l.Value, 0) == v
}

// foldLogic folds AND (stop is false) and OR (stop is true): operands of the same kind are taken in, !stop is dropped, and
// stop decides.
func foldLogic(args []Expr, stop bool, s *fn.Session) Expr {
	var flat []Expr
	for _, a := range args {
		switch inner := a.(type) {
		case *And:
			if !stop {
				flat = append(flat, inner.Args...)
				continue
			}
		case *Or:
			if stop {
				flat = append(flat, inner.Args...)
				continue
			}
		}
		flat = append(flat, a)
	}
	var kept []Expr
	for _, a := range flat {
		if isLiteral(a, stop) {
			return NewLiteral(sqltype.BooleanType, stop)
		}
		if !isLiteral(a, !stop) {
			kept = append(kept, a)
		}
	}
	switch {
	case len(kept) == 0:
		return NewLiteral(sqltype.BooleanType, !stop)
	case len(kept) == 1:
		return kept[0]
	case stop:
		return evaluateConstant(&Or{kept}, s)
	}
	return evaluateConstant(&And{kept}, s)
}

// inverse gives the comparison that is true where the other is false.
var inverse = [...]CompareOp{Eq: Ne, Ne: Eq, Lt: Ge, Le: Gt, Gt: Le, Ge: Lt, Distinct: NotDistinct, NotDistinct: Distinct}

// negate returns NOT e with the NOT moved down, e being folded.
func negate(e Expr, s *fn.Session) Expr {
	switch e := e.(type) {
	case *Not:
		return e.Arg
	case *And:
		return foldLogic(negateAll(e.Args, s), true, s)
	case *Or:
		return foldLogic(negateAll(e.Args, s), false, s)
	case *Compare:
		// NOT (x < NaN) is true, x >= NaN is not
		if isOrder := e.Op >= Lt && e.Op <= Ge; !isOrder || !hasNaN(e.Left.Type()) {
			return &Compare{Op: inverse[e.Op], Left: e.Left, Right: e.Right}
		}
	}
	return evaluateConstant(&Not{e}, s)
}

// mirror gives the comparison for operands that change places.
var mirror = [...]CompareOp{Eq: Eq, Ne: Ne, Lt: Gt, Le: Ge, Gt: Lt, Ge: Le, Distinct: Distinct, NotDistinct: NotDistinct}

func negateAll(args []Expr, s *fn.Session) []Expr {
	out := make([]Expr, len(args))
	for i, a := range args {
		out[i] = negate(a, s)
	}
	return out
}

// hasNaN reports whether values of t can be or hold NaN.
func hasNaN(t sqltype.Type) bool {
	return t.Kind == sqltype.Real || t.Kind == sqltype.Double || nested(t)
}

// foldCase drops branches that are never taken and ends the CASE at one that always is.
func foldCase(e *Case, s *fn.Session) Expr {
	out := &Case{Else: e.Else, T: e.T}
	for _, w := range e.Whens {
		if isLiteral(w.Cond, false) || isNullLiteral(w.Cond) {
			continue
		}
		if isLiteral(w.Cond, true) {
			out.Else = w.Then
			break
		}
		out.Whens = append(out.Whens, w)
	}
	switch {
	case len(out.Whens) == len(e.Whens):
		return evaluateConstant(e, s)
	case len(out.Whens) > 0:
		return out
	case out.Else == nil:
		return NullLiteral(e.T)
	}
	return out.Else
}
