package optimize

import (
	"time"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sqltype"
)

// unwrapCasts compares a column as it is stored where it was cast to the type of a constant: of CAST(seen AS timestamp with time zone) > now()
// it makes seen > the timestamp, which statistics and dictionaries can be asked. Only where the cast keeps order and distinctness, and the
// constant survives the way there and back.
func unwrapCasts(n plan.Node, s *fn.Session) plan.Node {
	return plan.Rewrite(n, func(n plan.Node) plan.Node {
		return plan.MapExprs(n, func(e expr.Expr) expr.Expr {
			return expr.Rewrite(e, func(e expr.Expr) expr.Expr { return unwrapped(e, s) })
		})
	})
}

func unwrapped(e expr.Expr, s *fn.Session) expr.Expr {
	switch e := e.(type) {
	case *expr.Compare:
		if cast, ok := e.Left.(*expr.Cast); ok {
			if lit := narrowedLiteral(cast, e.Right, s); lit != nil {
				return &expr.Compare{Op: e.Op, Left: cast.Arg, Right: lit}
			}
		}
		if cast, ok := e.Right.(*expr.Cast); ok {
			if lit := narrowedLiteral(cast, e.Left, s); lit != nil {
				return &expr.Compare{Op: e.Op, Left: lit, Right: cast.Arg}
			}
		}
	case *expr.In:
		cast, ok := e.Arg.(*expr.Cast)
		if !ok {
			return e
		}
		list := make([]expr.Expr, len(e.List))
		for i, item := range e.List {
			lit := narrowedLiteral(cast, item, s)
			if lit == nil {
				return e
			}
			list[i] = lit
		}
		return &expr.In{Arg: cast.Arg, List: list, Memo: &fn.Memo{}}
	}
	return e
}

// narrowedLiteral returns the constant e, which is of the cast's type, in the type of the cast's argument; nil if that is not the same value.
func narrowedLiteral(cast *expr.Cast, e expr.Expr, s *fn.Session) *expr.Literal {
	if !embeds(cast.Arg.Type(), cast.T, s) {
		return nil
	}
	lit, ok := expr.Fold(e, s).(*expr.Literal)
	if !ok {
		return nil
	}
	if lit.Value.IsNull(0) {
		return expr.NullLiteral(cast.Arg.Type())
	}
	there, ok := expr.Fold(&expr.Cast{Arg: lit, T: cast.Arg.Type(), Try: true}, s).(*expr.Literal)
	if !ok || there.Value.IsNull(0) {
		return nil
	}
	back := expr.Fold(&expr.Compare{Op: expr.Eq, Left: &expr.Cast{Arg: there, T: cast.T}, Right: lit}, s)
	if same, constant := boolean(back); !constant || !same {
		return nil
	}
	return there
}

// embeds reports whether a cast keeps the order of values and lets no two fall together.
func embeds(from, to sqltype.Type, s *fn.Session) bool {
	whole := from.Kind >= sqltype.TinyInt && from.Kind <= sqltype.BigInt
	switch to.Kind {
	case sqltype.SmallInt, sqltype.Integer, sqltype.BigInt:
		return whole && from.Kind < to.Kind
	case sqltype.Decimal:
		digits := map[sqltype.Kind]int{sqltype.TinyInt: 3, sqltype.SmallInt: 5, sqltype.Integer: 10, sqltype.BigInt: 19}[from.Kind]
		if from.Kind == sqltype.Decimal {
			return from.Scale <= to.Scale && from.Precision-from.Scale <= to.Precision-to.Scale
		}
		return whole && digits <= to.Precision-to.Scale
	case sqltype.Double:
		return whole && from.Kind < sqltype.BigInt || from.Kind == sqltype.Real
	case sqltype.Timestamp:
		return from.Kind == sqltype.Date
	case sqltype.TimestampTZ:
		// Only UTC has neither gaps nor repeated hours for certain.
		return (from.Kind == sqltype.Date || from.Kind == sqltype.Timestamp) && (s.Zone == nil || s.Zone == time.UTC)
	}
	return false
}
