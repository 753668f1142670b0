package expr

import (
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

const lambdaBase = 1 << 10

// lambdaOf is x -> body, where column lambdaBase is x.
func lambdaOf(body Expr) *Lambda {
	return NewLambda([]sqltype.Field{{Name: "x", Type: sqltype.BigIntType}}, body, lambdaBase)
}

// real calls a function of the table.
func real(name string, args ...Expr) *Call {
	f, _ := fn.Lookup(name)
	types := make([]sqltype.Type, len(args))
	for i, a := range args {
		types[i] = a.Type()
	}
	o, _, result, err := f.ResolveLambdas(types, func(i int, _ []sqltype.Type) sqltype.Type { return *types[i].Elem })
	if err != nil {
		panic(err)
	}
	return &Call{Fn: f, Overload: o, Args: args, T: result}
}

func TestLambdaCaptures(t *testing.T) {
	x := &Column{Index: lambdaBase, Name: "x", T: sqltype.BigIntType}
	inner := NewLambda([]sqltype.Field{{Name: "y", Type: sqltype.BigIntType}}, and(less(x, number(3)), less(number(lambdaBase+1), x)), lambdaBase+1)
	for _, test := range []struct {
		body     Expr
		captured int
		columns  []int
		why      string
	}{
		{less(x, integer(1)), 0, nil, "literals stay"},
		{less(x, function("length", text(2))), 1, []int{2}, "what depends on no parameter is computed once per row"},
		{less(x, function("/", integer(1), number(2))), 1, []int{2}, "what can fail is not: only the column is captured"},
		{less(x, real("random")), 0, nil, "what is volatile is new for each element"},
		{and(less(x, number(2)), less(number(2), x)), 1, []int{2}, "once, however often it stands there"},
		{less(number(1), number(2)), 1, []int{1, 2}, "the whole body"},
		{inner, 1, []int{3}, "an inner lambda's captures, without the parameter"},
	} {
		l := lambdaOf(test.body)
		if got := Columns(l); len(l.Captured) != test.captured || !slices.Equal(got, test.columns) {
			t.Errorf("%s captures %d expressions over columns %v, want %d and %v: %s", Format(l), len(l.Captured), got, test.captured, test.columns, test.why)
		}
	}
}

func TestLambdaTree(t *testing.T) {
	x := &Column{Index: lambdaBase, Name: "x", T: sqltype.BigIntType}
	numbers := &Column{Index: 0, Name: "a", T: sqltype.ArrayOf(sqltype.BigIntType)}
	sum := real("transform", numbers, lambdaOf(real("+", x, number(1))))
	if got, want := Format(sum), `transform("a", "x" -> ("x" + "n"))`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if !CanFail(sum) || CanFail(real("transform", numbers, lambdaOf(x))) {
		t.Error("a call can fail where its lambda's body can")
	}
	if !Volatile(real("transform", numbers, lambdaOf(real("random")))) || Volatile(sum) {
		t.Error("a call is volatile where its lambda's body is")
	}
	if !Equal(sum, real("transform", numbers, lambdaOf(real("+", x, number(1))))) ||
		Equal(sum, real("transform", numbers, lambdaOf(real("+", x, number(2))))) ||
		Equal(sum, real("transform", numbers, lambdaOf(real("-", x, number(1))))) {
		t.Error("calls are equal where the lambdas and what they capture are")
	}
	folded := Fold(Rewrite(sum, func(e Expr) Expr {
		if c, ok := e.(*Column); ok && c.Index == 1 {
			return integer(7)
		}
		return e
	}), session)
	if got, want := Format(folded), `transform("a", "x" -> ("x" + 7))`; got != want || len(folded.(*Call).Args[1].(*Lambda).Captured) != 0 {
		t.Errorf("%s, want %s, capturing nothing", got, want)
	}
}

// A constant array and a lambda that captures a dictionary column: the result is no function of the dictionary's entries alone.
func TestLambdaOverDictionary(t *testing.T) {
	x := &Column{Index: lambdaBase, Name: "x", T: sqltype.BigIntType}
	e := real("filter", Fold(real("sequence", integer(1), integer(2)), session), lambdaOf(less(x, function("length", text(0)))))
	entries := build(sqltype.VarcharType, []any{"ab", "abc"}).(*array.String)
	b := vec.Batch{Len: 3, Cols: []arrow.Array{vec.EncodeDictionary(entries, []int32{1, -1, 0})}}
	d, err := Eval(e, b, session)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"[1, 2]", "[]", "[1]"}
	for i, w := range want {
		if got := string(sqltype.AppendText(nil, e.T, d.Arr, i)); got != w {
			t.Errorf("row %d: %s, want %s", i, got, w)
		}
	}
}
