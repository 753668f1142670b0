package prune

import (
	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// Needle is values of which one is demanded: of a column or a field of it, or of an element of an array or a field of that.
type Needle struct {
	Column  int
	Element bool  // the column is an array; some element of it has the value
	Fields  []int // ordinals into the nested rows of the column, or of the element
	Values  []any // Go values as in Stats, never nil
}

// Needles returns, for bloom filters, needles of which at least one is found in each row for which e is true; nil if there are none
// such.
func Needles(e expr.Expr) []Needle {
	switch e := e.(type) {
	case *expr.Compare:
		if e.Op != expr.Eq {
			return nil
		}
		if _, ok := e.Left.(*expr.Literal); ok {
			return equals(e.Right, []expr.Expr{e.Left})
		}
		return equals(e.Left, []expr.Expr{e.Right})
	case *expr.In:
		return equals(e.Arg, e.List)
	case *expr.Or:
		var all []Needle
		for _, arg := range e.Args {
			some := Needles(arg)
			if some == nil {
				return nil
			}
			all = append(all, some...)
		}
		return all
	case *expr.And:
		var best []Needle
		for _, arg := range e.Args {
			if some := Needles(arg); some != nil && (best == nil || demanded(some) < demanded(best)) {
				best = some
			}
		}
		return best
	case *expr.Call:
		return ofArray(e)
	}
	return nil
}

func demanded(needles []Needle) (n int) {
	for _, d := range needles {
		n += len(d.Values)
	}
	return n
}

// equals is the needle of arg IN (list).
func equals(arg expr.Expr, list []expr.Expr) []Needle {
	column, fields, ok := place(arg)
	if !ok {
		return nil
	}
	n := Needle{Column: column, Fields: fields}
	for _, item := range list {
		literal, ok := item.(*expr.Literal)
		if !ok || !simple(literal.T) {
			return nil
		}
		if v := vec.Value(literal.Value, 0); v != nil { // nothing equals NULL
			n.Values = append(n.Values, v)
		}
	}
	if n.Values == nil {
		return nil
	}
	return []Needle{n}
}

// place sees through fields down to a column.
func place(e expr.Expr) (column int, fields []int, ok bool) {
	switch e := e.(type) {
	case *expr.Column:
		return e.Index, nil, true
	case *expr.Field:
		column, fields, ok = place(e.Arg)
		return column, append(fields, e.Index), ok
	}
	return 0, nil, false
}

// ofArray finds what any_match and contains demand of the elements of a column.
func ofArray(e *expr.Call) []Needle {
	if len(e.Args) != 2 || e.Args[0].Type().Kind != sqltype.Array {
		return nil
	}
	column, fields, ok := elements(e.Args[0])
	if !ok {
		return nil
	}
	var found []Needle // of the element, which is column 0
	switch e.Fn.Name {
	case "any_match":
		if l, ok := e.Args[1].(*expr.Lambda); ok {
			found = Needles(l.Body)
		}
	case "contains":
		found = equals(&expr.Column{}, e.Args[1:])
	}
	out := make([]Needle, len(found))
	for i, n := range found {
		if n.Column != 0 || n.Element {
			return nil // a value from around the lambda, or an array in the array
		}
		out[i] = Needle{column, true, append(fields[:len(fields):len(fields)], n.Fields...), n.Values}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// elements tells which column an array's elements come from, and which field of its elements they are.
func elements(e expr.Expr) (column int, fields []int, ok bool) {
	switch e := e.(type) {
	case *expr.Column:
		return e.Index, nil, true
	case *expr.Call:
		if e.Fn.Name != "transform" || len(e.Args) != 2 {
			return 0, nil, false
		}
		of, isColumn := e.Args[0].(*expr.Column)
		l, isLambda := e.Args[1].(*expr.Lambda)
		if !isColumn || !isLambda {
			return 0, nil, false
		}
		param, fields, ok := place(l.Body)
		return of.Index, fields, ok && param == 0
	}
	return 0, nil, false
}
