package expr

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// inSet is the constant list of an In, hashed.
type inSet struct {
	set     *vec.Set // nil: the list is not constant, or its type is not hashed
	hasNull bool     // then what is not found is NULL
}

// in evaluates x IN (list): one look-up in a set where the list is constant, else one comparison per member.
func (ev evaluator) in(e *In) (vec.Datum, error) {
	x, err := ev.eval(e.Arg)
	if err != nil {
		return x, err
	}
	memo := e.Memo
	if memo == nil {
		memo = new(fn.Memo)
	}
	made, _ := memo.Get(func() (any, error) { return newInSet(e), nil })
	list := made.(inSet)
	if list.set == nil {
		return ev.inEach(e, x)
	}
	found := list.set.Contains(x.Arr)
	if list.hasNull {
		found = vec.Or(found, vec.Nulls(sqltype.BooleanType, found.Len()).(*array.Boolean))
	}
	return vec.Datum{Arr: found, Const: x.Const}, nil
}

func newInSet(e *In) inSet {
	var list inSet
	var values []arrow.Array
	for _, member := range e.List {
		l, ok := member.(*Literal)
		switch {
		case !ok:
			return inSet{}
		case l.IsNull():
			list.hasNull = true
		default:
			values = append(values, l.Value)
		}
	}
	list.set, _ = vec.NewSet(e.Arg.Type(), values)
	return list
}

// inEach evaluates x = a OR x = b OR …, where x is a further column of the batch, so that it is computed once.
func (ev evaluator) inEach(e *In, x vec.Datum) (vec.Datum, error) {
	column := &Column{Index: len(ev.Cols), T: e.Arg.Type()}
	inner := ev
	inner.Cols = append(append([]arrow.Array(nil), ev.Cols...), vec.Column(x, ev.Len))
	terms := make([]Expr, len(e.List))
	for i, member := range e.List {
		terms[i] = &Compare{Op: Eq, Left: column, Right: member}
	}
	return inner.logic(terms, true)
}
