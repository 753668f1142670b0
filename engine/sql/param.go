package sql

import (
	"errors"
	"fmt"

	"github.com/trailql/trailql/engine/sqlerr"
)

// param reads a ?, for which the literal stands that was given for it, if there is one.
func (p *parser) param() Expr {
	e := &Param{At: p.here(), Index: p.params}
	p.params++
	p.next()
	if e.Index >= len(p.values) {
		return e
	}
	value, err := parseLiteral(p.values[e.Index], e.At)
	if err != nil {
		panic(failure{&sqlerr.Error{Kind: err.Kind, Pos: e.At.At, Msg: fmt.Sprintf("parameter %d: %s", e.Index+1, err.Msg), Hint: err.Hint}})
	}
	return value
}

// parseLiteral reads a literal, or a constructor, cast or operator over such. All of it is placed at.
func parseLiteral(text string, at At) (e Expr, failed *sqlerr.Error) {
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
	if !isConstant(e) {
		return nil, sqlerr.New(sqlerr.Syntax, 1, "the value of a parameter is a literal, such as 'text', 10 or DATE '2024-01-31'")
	}
	return e, nil
}

func isConstant(e Expr) bool {
	all := func(es ...Expr) bool {
		for _, e := range es {
			if !isConstant(e) {
				return false
			}
		}
		return true
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
	case *Func:
		return len(e.OrderBy) == 0 && e.Filter == nil && e.Over == nil && !e.Star && all(e.Args...)
	}
	return false
}
