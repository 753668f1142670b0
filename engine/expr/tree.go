package expr

import (
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// NewLiteral returns the constant v of a scalar type; v is what vec.FromValue takes.
func NewLiteral(t sqltype.Type, v any) *Literal { return &Literal{Value: vec.FromValue(t, v), T: t} }

// NullLiteral returns NULL of the type.
func NullLiteral(t sqltype.Type) *Literal { return &Literal{Value: vec.Nulls(t, 1), T: t} }

// IsNull reports whether the constant is NULL.
func (e *Literal) IsNull() bool { return !vec.IsValid(e.Value, 0) }

// children returns the operands of e in the order of their evaluation. The body of a lambda is none: it is over another batch.
func children(e Expr) []Expr {
	switch e := e.(type) {
	case *Call:
		return e.Args
	case *Compare:
		return []Expr{e.Left, e.Right}
	case *And:
		return e.Args
	case *Or:
		return e.Args
	case *Not:
		return []Expr{e.Arg}
	case *IsNull:
		return []Expr{e.Arg}
	case *In:
		return append([]Expr{e.Arg}, e.List...)
	case *Case:
		var out []Expr
		for _, w := range e.Whens {
			out = append(out, w.Cond, w.Then)
		}
		if e.Else != nil {
			out = append(out, e.Else)
		}
		return out
	case *Cast:
		return []Expr{e.Arg}
	case *Try:
		return []Expr{e.Arg}
	case *Field:
		return []Expr{e.Arg}
	case *Lambda:
		return e.Captured
	}
	return nil
}

// withChildren returns e with other operands, as many as children gave. What was remembered of constant operands is
// forgotten.
func withChildren(e Expr, c []Expr) Expr {
	switch e := e.(type) {
	case *Call:
		out := *e
		out.Args, out.Memo = c, new(fn.Memo)
		return &out
	case *Compare:
		return &Compare{e.Op, c[0], c[1]}
	case *And:
		return &And{c}
	case *Or:
		return &Or{c}
	case *Not:
		return &Not{c[0]}
	case *IsNull:
		return &IsNull{c[0]}
	case *In:
		return &In{Arg: c[0], List: c[1:], Memo: new(fn.Memo)}
	case *Case:
		out := &Case{T: e.T, Whens: make([]When, len(e.Whens))}
		for i := range e.Whens {
			out.Whens[i] = When{c[2*i], c[2*i+1]}
		}
		if e.Else != nil {
			out.Else = c[len(c)-1]
		}
		return out
	case *Cast:
		out := *e
		out.Arg = c[0]
		return &out
	case *Try:
		return &Try{c[0]}
	case *Field:
		return &Field{c[0], e.Index}
	case *Lambda:
		return &Lambda{e.Params, c, e.Body}
	}
	return e
}

// Rewrite applies f to every expression of the tree, operands first; f returns its argument or a replacement.
// Only what changes is copied.
func Rewrite(e Expr, f func(Expr) Expr) Expr {
	old := children(e)
	var changed []Expr
	for i, c := range old {
		if r := Rewrite(c, f); r != c {
			if changed == nil {
				changed = slices.Clone(old)
			}
			changed[i] = r
		}
	}
	if changed != nil {
		e = withChildren(e, changed)
	}
	return f(e)
}

// Replace is Rewrite from the top: where f returns true, its answer stands for the expression and its operands.
func Replace(e Expr, f func(Expr) (Expr, bool)) Expr {
	if r, ok := f(e); ok {
		return r
	}
	old := children(e)
	var changed []Expr
	for i, c := range old {
		if r := Replace(c, f); r != c {
			if changed == nil {
				changed = slices.Clone(old)
			}
			changed[i] = r
		}
	}
	if changed == nil {
		return e
	}
	return withChildren(e, changed)
}

// Walk visits e and, where visit returns true, its operands.
func Walk(e Expr, visit func(Expr) bool) {
	if visit(e) {
		for _, c := range children(e) {
			Walk(c, visit)
		}
	}
}

// anyPart reports whether is holds for a part of e, bodies of lambdas included.
func anyPart(e Expr, is func(Expr) bool) bool {
	if is(e) {
		return true
	}
	if l, ok := e.(*Lambda); ok && anyPart(l.Body, is) {
		return true
	}
	return slices.ContainsFunc(children(e), func(c Expr) bool { return anyPart(c, is) })
}

// Columns returns the ordinals of the columns that the expressions use, sorted, each once. A nil expression uses none.
func Columns(es ...Expr) []int {
	var out []int
	for _, e := range es {
		if e == nil {
			continue
		}
		Walk(e, func(e Expr) bool {
			if c, ok := e.(*Column); ok {
				out = append(out, c.Index)
			}
			return true
		})
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Conjuncts returns the operands of a conjunction, of nested ones too; nil for nil.
func Conjuncts(e Expr) []Expr {
	if e == nil {
		return nil
	}
	and, ok := e.(*And)
	if !ok {
		return []Expr{e}
	}
	var out []Expr
	for _, a := range and.Args {
		out = append(out, Conjuncts(a)...)
	}
	return out
}

// Conjoin is the inverse of Conjuncts: nil for none, the expression itself for one.
func Conjoin(es []Expr) Expr {
	switch len(es) {
	case 0:
		return nil
	case 1:
		return es[0]
	}
	return &And{Args: es}
}

// CanFail reports whether evaluating e may give an error for some values.
func CanFail(e Expr) bool {
	if _, ok := e.(*Try); ok {
		return false
	}
	return anyPart(e, func(e Expr) bool {
		switch e := e.(type) {
		case *Call:
			return e.Fn.CanFail && !(e.Fn.FailsByConstants && takesConstants(e))
		case *Cast:
			return !e.Try && castCanFail(e.Arg.Type(), e.T)
		case *Compare: // NULLs inside have no order
			return e.Op >= Lt && e.Op <= Ge && nested(e.Left.Type())
		}
		return false
	})
}

// takesConstants reports whether all arguments but the first, a text, are constants that the function takes: it runs over the empty text.
func takesConstants(e *Call) bool {
	if len(e.Args) == 0 || e.Args[0].Type().Kind != sqltype.Varchar {
		return false
	}
	c := fn.Call{Args: []vec.Datum{{Arr: vec.FromValue(sqltype.VarcharType, ""), Const: true}}, Types: []sqltype.Type{e.Args[0].Type()}, Result: e.T, Len: 1,
		Session: &fn.Session{Zone: time.UTC}, Memo: e.Memo}
	for _, a := range e.Args[1:] {
		l, ok := a.(*Literal)
		if !ok || l.IsNull() {
			return false
		}
		c.Args, c.Types = append(c.Args, vec.Datum{Arr: l.Value, Const: true}), append(c.Types, l.T)
	}
	_, err := e.Overload.Eval(&c)
	return err == nil
}

func nested(t sqltype.Type) bool {
	return t.Kind == sqltype.Array || t.Kind == sqltype.Map || t.Kind == sqltype.Row
}

// castCanFail reports whether some value of from does not cast to to.
func castCanFail(from, to sqltype.Type) bool {
	switch {
	case from.Kind == sqltype.Unknown || to.Kind == sqltype.JSON || to.Kind == sqltype.Varchar && to.Length == 0 && from.Kind != sqltype.JSON:
		return false
	case from.Kind == sqltype.Varchar && (to.Kind == sqltype.Varchar || to.Kind == sqltype.Char):
		return false
	case from.Kind == sqltype.Timestamp || from.Kind == sqltype.TimestampTZ:
		return to.Kind == sqltype.Varchar
	case from.Kind == sqltype.Date:
		return true
	case to.Kind == sqltype.Boolean || to.Kind == sqltype.Real || to.Kind == sqltype.Double:
		return from.Kind == sqltype.Varchar || from.Kind == sqltype.JSON
	}
	return !from.Equal(to) && !(from.IsInteger() && to.IsInteger() && from.Kind < to.Kind)
}

// Volatile reports whether e may differ from one evaluation to the next.
func Volatile(e Expr) bool {
	return anyPart(e, func(e Expr) bool {
		c, ok := e.(*Call)
		return ok && c.Fn.Volatile
	})
}

// HasOuter reports whether e uses a value of a row around it.
func HasOuter(e Expr) bool {
	return anyPart(e, func(e Expr) bool {
		_, ok := e.(*Outer)
		return ok
	})
}

// Equal reports whether two expressions are the same but for positions and names of columns.
func Equal(a, b Expr) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	if a == b {
		return true
	}
	same := false
	switch a := a.(type) {
	case *Column:
		b, ok := b.(*Column)
		return ok && a.Index == b.Index
	case *Outer:
		b, ok := b.(*Outer)
		return ok && a.ID == b.ID
	case *Literal:
		b, ok := b.(*Literal)
		return ok && a.T.Identical(b.T) && sameValue(a.Value, b.Value)
	case *Call:
		b, ok := b.(*Call)
		same = ok && a.Fn == b.Fn && a.Overload == b.Overload && a.T.Equal(b.T)
	case *Compare:
		b, ok := b.(*Compare)
		same = ok && a.Op == b.Op
	case *Case:
		b, ok := b.(*Case)
		same = ok && len(a.Whens) == len(b.Whens) && (a.Else == nil) == (b.Else == nil)
	case *Cast:
		b, ok := b.(*Cast)
		same = ok && a.Try == b.Try && a.T.Identical(b.T)
	case *Field:
		b, ok := b.(*Field)
		same = ok && a.Index == b.Index
	case *And:
		_, same = b.(*And)
	case *Or:
		_, same = b.(*Or)
	case *Not:
		_, same = b.(*Not)
	case *IsNull:
		_, same = b.(*IsNull)
	case *In:
		_, same = b.(*In)
	case *Try:
		_, same = b.(*Try)
	case *Lambda:
		b, ok := b.(*Lambda)
		same = ok && len(a.Params) == len(b.Params) && len(a.Captured) == len(b.Captured) && Equal(a.Body, b.Body)
	}
	return same && slices.EqualFunc(children(a), children(b), Equal)
}

func sameValue(a, b arrow.Array) bool {
	return arrow.TypeEqual(a.DataType(), b.DataType()) && vec.EqualRows(a, 0, b, 0)
}
