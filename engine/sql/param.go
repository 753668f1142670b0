package sql

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/trailql/trailql/engine/sqlerr"
)

// ParseUsing is Parse with constants for the ?, as EXECUTE … USING has them; they take the place of the ?.
func ParseUsing(text string, using []Expr) (Statement, error) {
	values := make([]string, len(using))
	for i, e := range using {
		values[i] = Format(e)
	}
	return parse(text, values, isConstant)
}

// param reads a ?, for which the value stands that was given for it, if there is one.
func (p *parser) param() Expr {
	e := &Param{At: p.here(), Index: p.params}
	p.next()
	if p.params >= len(p.values) {
		p.params++
		return e
	}
	return p.given(e.At)
}

// given reads the next of the values. All of it is placed at.
func (p *parser) given(at At) Expr {
	e, err := parseValue(p.values[p.params], at)
	p.params++
	if err == nil && !p.isValue(e) {
		err = sqlerr.New(sqlerr.Syntax, 1, "the value of a parameter is a literal, such as 'text', 10 or DATE '2024-01-31'")
	}
	if err != nil {
		panic(failure{&sqlerr.Error{Kind: err.Kind, Pos: at.At, Msg: fmt.Sprintf("parameter %d: %s", p.params, err.Msg), Hint: err.Hint}})
	}
	return e
}

func parseValue(text string, at At) (e Expr, failed *sqlerr.Error) {
	if len(text) > MaxText {
		return nil, sqlerr.New(sqlerr.Resource, 1, "the text has %d bytes, the limit is %d", len(text), MaxText)
	}
	err := caught(func() {
		p := newParser(text)
		p.place = at
		e = p.expr()
		if p.tok().Kind != endToken {
			p.fail("the end of the literal")
		}
	})
	if errors.As(err, &failed) {
		return nil, failed
	}
	return e, nil
}

// isLiteral reports whether e is one value that is written down: nothing in it is computed but signs, casts and constructors.
func isLiteral(e Expr) bool {
	switch e := e.(type) {
	case *Null, *Bool, *Str, *Num, *Bin, *TypedLiteral, *Interval:
		return true
	case *Unary:
		_, number := e.Arg.(*Num)
		return number && e.Op != "not"
	case *CastExpr:
		return isLiteral(e.Arg)
	case *ArrayExpr:
		return !slices.ContainsFunc(e.Elems, func(e Expr) bool { return !isLiteral(e) })
	case *RowExpr:
		return !slices.ContainsFunc(e.Elems, func(e Expr) bool { return !isLiteral(e) })
	case *Func:
		return len(e.Name) == 1 && strings.EqualFold(e.Name[0].Name, "map") && isConstant(e) && !slices.ContainsFunc(e.Args, func(e Expr) bool { return !isLiteral(e) })
	}
	return false
}

// isConstant reports whether e names no column, and holds no query and no parameter.
func isConstant(e Expr) bool {
	all := func(es ...Expr) bool {
		return !slices.ContainsFunc(es, func(e Expr) bool { return !isConstant(e) })
	}
	switch e := e.(type) {
	case *Null, *Bool, *Str, *Num, *Bin, *TypedLiteral, *Interval:
		return true
	case *Unary:
		return isConstant(e.Arg)
	case *Binary:
		return all(e.Left, e.Right)
	case *CastExpr:
		return isConstant(e.Arg)
	case *ArrayExpr:
		return all(e.Elems...)
	case *RowExpr:
		return all(e.Elems...)
	case *AtTimeZone:
		return all(e.Arg, e.Zone)
	case *Func:
		return len(e.OrderBy) == 0 && e.Filter == nil && e.Over == nil && !e.Star && all(e.Args...)
	}
	return false
}
