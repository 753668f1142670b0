// Package expr holds bound expressions: the tree, its printer, folding, conjuncts,
// and evaluation over a batch. Names and types are settled; columns are ordinals
// into the input batch.
package expr

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
)

// Expr is a bound expression. Trees are immutable after binding and may be shared by goroutines; rewriting copies.
type Expr interface {
	Type() sqltype.Type
	expr()
}

// Column is the Index-th column of the input batch.
type Column struct {
	Index int
	Name  string // for printing
	T     sqltype.Type
}

// Outer is a value of the row around a subquery, told from others by its ID. It stands in trees while a query is bound;
// a finished plan has none.
type Outer struct {
	ID   int
	Name string // for printing
	T    sqltype.Type
}

// Literal is a constant: Value has one row.
type Literal struct {
	Value arrow.Array
	T     sqltype.Type
}

// Call applies a scalar function. Arguments have the overload's types already (casts are explicit in the tree).
type Call struct {
	Fn       *fn.Function
	Overload *fn.Overload
	Args     []Expr
	T        sqltype.Type
	Memo     *fn.Memo
	Pos      sqlerr.Pos
}

// Lambda is an argument of a Call that is a function. Its body has a batch of its own: first the parameters, then the captured
// expressions, which are over the batch of the call and are evaluated once for each of its rows. See NewLambda.
type Lambda struct {
	Params   []sqltype.Field
	Captured []Expr
	Body     Expr
}

// CompareOp is a comparison sign.
type CompareOp uint8

const (
	Eq CompareOp = iota
	Ne
	Lt
	Le
	Gt
	Ge
	Distinct    // IS DISTINCT FROM: never NULL
	NotDistinct // IS NOT DISTINCT FROM
)

// Compare compares two values of the same type (precision, length and time printing aside).
type Compare struct {
	Op          CompareOp
	Left, Right Expr
}

// And is a conjunction of two or more; three-valued. Operands are evaluated left to right,
// each only on rows that the ones before did not make false, if it can fail.
type And struct{ Args []Expr }

// Or is a disjunction, likewise.
type Or struct{ Args []Expr }

// Not negates; NULL stays NULL.
type Not struct{ Arg Expr }

// IsNull is true or false, never NULL.
type IsNull struct{ Arg Expr }

// In is Arg IN (List…), the list of the same type as Arg. Large constant lists are hashed once.
type In struct {
	Arg  Expr
	List []Expr
	Memo *fn.Memo
}

// Case is CASE WHEN …; simple CASE, IF, COALESCE and NULLIF are bound to it. Else may be nil (NULL).
// A branch is evaluated only on its rows.
type Case struct {
	Whens []When
	Else  Expr
	T     sqltype.Type
}

// When is one branch of a Case.
type When struct{ Cond, Then Expr }

// Cast converts; with Try a value that cannot be converted gives NULL.
type Cast struct {
	Arg Expr
	T   sqltype.Type
	Try bool
	Pos sqlerr.Pos
}

// Try gives NULL in the rows in which Arg fails with a value error.
type Try struct{ Arg Expr }

// Field is the Index-th field of a row value; NULL where the row is NULL.
type Field struct {
	Arg   Expr
	Index int
}

func (e *Lambda) Type() sqltype.Type {
	params := make([]sqltype.Type, len(e.Params))
	for i, p := range e.Params {
		params[i] = p.Type
	}
	return sqltype.FunctionOf(params, e.Body.Type())
}

func (e *Column) Type() sqltype.Type  { return e.T }
func (e *Outer) Type() sqltype.Type   { return e.T }
func (e *Literal) Type() sqltype.Type { return e.T }
func (e *Call) Type() sqltype.Type    { return e.T }
func (e *Compare) Type() sqltype.Type { return sqltype.BooleanType }
func (e *And) Type() sqltype.Type     { return sqltype.BooleanType }
func (e *Or) Type() sqltype.Type      { return sqltype.BooleanType }
func (e *Not) Type() sqltype.Type     { return sqltype.BooleanType }
func (e *IsNull) Type() sqltype.Type  { return sqltype.BooleanType }
func (e *In) Type() sqltype.Type      { return sqltype.BooleanType }
func (e *Case) Type() sqltype.Type    { return e.T }
func (e *Cast) Type() sqltype.Type    { return e.T }
func (e *Try) Type() sqltype.Type     { return e.Arg.Type() }
func (e *Field) Type() sqltype.Type   { return e.Arg.Type().Fields[e.Index].Type }

func (*Column) expr()  {}
func (*Outer) expr()   {}
func (*Literal) expr() {}
func (*Call) expr()    {}
func (*Compare) expr() {}
func (*And) expr()     {}
func (*Or) expr()      {}
func (*Not) expr()     {}
func (*IsNull) expr()  {}
func (*In) expr()      {}
func (*Case) expr()    {}
func (*Cast) expr()    {}
func (*Try) expr()     {}
func (*Field) expr()   {}
func (*Lambda) expr()  {}
