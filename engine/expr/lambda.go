package expr

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// NewLambda closes a body in which parameter i is column base+i: any other column, with what is computed from such columns alone,
// becomes captured. What can fail or is volatile stays in the body, which is only evaluated where an array has elements.
func NewLambda(params []sqltype.Field, body Expr, base int) *Lambda {
	l := &Lambda{Params: params}
	own := func(e Expr) bool {
		c, ok := e.(*Column)
		return ok && c.Index >= base && c.Index < base+len(params)
	}
	var closed func(e Expr) Expr
	closed = func(e Expr) Expr {
		if own(e) {
			c := *e.(*Column)
			c.Index -= base
			return &c
		}
		switch e.(type) {
		case *Literal:
			return e
		case *Lambda: // no value
		default:
			if (len(Columns(e)) > 0 || HasOuter(e)) && !anyOperand(e, own) && !CanFail(e) && !Volatile(e) {
				return l.capture(e)
			}
		}
		old := children(e)
		operands := make([]Expr, len(old))
		for i, c := range old {
			operands[i] = closed(c)
		}
		if len(old) == 0 {
			return e
		}
		return withChildren(e, operands)
	}
	l.Body = closed(body)
	return l
}

// anyOperand reports whether is holds for e or an operand below it; what a lambda captures is below it, its body is not.
func anyOperand(e Expr, is func(Expr) bool) bool {
	found := false
	Walk(e, func(e Expr) bool {
		found = found || is(e)
		return !found
	})
	return found
}

// capture returns the column of the body for part.
func (e *Lambda) capture(part Expr) Expr {
	at := 0
	for at < len(e.Captured) && !Equal(e.Captured[at], part) {
		at++
	}
	if at == len(e.Captured) {
		e.Captured = append(e.Captured, part)
	}
	return &Column{Index: len(e.Params) + at, T: part.Type()}
}

// foldLambda puts captured literals into the body and folds it.
func foldLambda(l *Lambda, s *fn.Session) Expr {
	out := &Lambda{Params: l.Params}
	by := make([]Expr, len(l.Captured))
	for i, c := range l.Captured {
		if _, ok := c.(*Literal); ok {
			by[i] = c
		} else {
			by[i] = out.capture(c)
		}
	}
	body := Rewrite(l.Body, func(e Expr) Expr {
		if c, ok := e.(*Column); ok && c.Index >= len(l.Params) {
			return by[c.Index-len(l.Params)]
		}
		return e
	})
	out.Body = Fold(body, s)
	return out
}

// lambdaRows is how many rows the body of a lambda runs over at once, so that captured columns, repeated for each element,
// take no more memory than a few batches.
const lambdaRows = 1 << 14

// function makes l callable over the rows of ev; constant says that it uses none of their columns and is not volatile.
func (ev evaluator) function(l *Lambda) (f fn.Lambda, constant bool, err error) {
	captured := make([]vec.Datum, len(l.Captured))
	constant = !Volatile(l.Body)
	for i, c := range l.Captured {
		if captured[i], err = ev.eval(c); err != nil {
			return nil, false, err
		}
		constant = constant && captured[i].Const
	}
	return func(args []arrow.Array, rows []int32) (arrow.Array, error) {
		if len(rows) == 0 {
			return vec.Nulls(l.Body.Type(), 0), nil
		}
		var parts []arrow.Array
		for from := 0; from < len(rows); from += lambdaRows {
			to := min(len(rows), from+lambdaRows)
			b := vec.Batch{Len: to - from}
			for _, a := range args {
				b.Cols = append(b.Cols, vec.Slice(a, from, to))
			}
			for _, d := range captured {
				if d.Const {
					b.Cols = append(b.Cols, vec.Column(d, b.Len))
				} else {
					b.Cols = append(b.Cols, vec.Take(d.Arr, rows[from:to]))
				}
			}
			d, err := evaluator{b, ev.session}.eval(l.Body)
			if err != nil {
				return nil, err
			}
			part := vec.Plain(vec.Column(d, b.Len))
			if part.DataType().ID() == arrow.NULL {
				part = vec.Nulls(l.Body.Type(), b.Len)
			}
			parts = append(parts, part)
		}
		if len(parts) == 1 {
			return parts[0], nil
		}
		return vec.Concat(parts)
	}, constant, nil
}
