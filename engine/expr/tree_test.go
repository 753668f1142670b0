package expr

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/sqltype"
)

func text(index int) Expr   { return &Column{Index: index, Name: "c", T: sqltype.VarcharType} }
func number(index int) Expr { return &Column{Index: index, Name: "n", T: sqltype.BigIntType} }
func double(index int) Expr { return &Column{Index: index, Name: "d", T: sqltype.DoubleType} }
func str(s string) Expr     { return NewLiteral(sqltype.VarcharType, s) }
func integer(n int64) Expr  { return NewLiteral(sqltype.BigIntType, n) }
func boolean(b bool) Expr   { return NewLiteral(sqltype.BooleanType, b) }
func equal(a, b Expr) Expr  { return &Compare{Eq, a, b} }
func less(a, b Expr) Expr   { return &Compare{Lt, a, b} }
func and(args ...Expr) Expr { return &And{args} }
func or(args ...Expr) Expr  { return &Or{args} }

func TestFormat(t *testing.T) {
	row := &Column{Index: 0, Name: "u", T: sqltype.RowOf(sqltype.Field{Name: "arn", Type: sqltype.VarcharType}, sqltype.Field{Type: sqltype.BigIntType})}
	for _, test := range []struct {
		e    Expr
		want string
	}{
		{equal(text(0), str("it's")), `("c" = 'it''s')`},
		{and(or(boolean(true), less(number(0), integer(-1))), &Not{&IsNull{number(0)}}), `((true OR ("n" < -1)) AND (NOT ("n" IS NULL)))`},
		{&In{Arg: text(0), List: []Expr{str("a"), NullLiteral(sqltype.VarcharType)}}, `("c" IN ('a', NULL))`},
		{&Case{Whens: []When{{boolean(true), integer(1)}}, Else: integer(2), T: sqltype.BigIntType}, `CASE WHEN true THEN 1 ELSE 2 END`},
		{&Cast{Arg: text(0), T: sqltype.TimestampType, Try: true}, `TRY_CAST("c" AS timestamp(3))`},
		{&Try{function("/", integer(1), integer(0))}, `TRY((1 / 0))`},
		{function("length", text(0)), `length("c")`},
		{function("||", text(0), str("")), `("c" || '')`},
		{&Field{Arg: row, Index: 0}, `"u"."arn"`},
		{&Field{Arg: row, Index: 1}, `"u"[2]`},
		{&Compare{NotDistinct, NewLiteral(sqltype.DateType, 0), &Column{Index: 3}}, `(DATE '1970-01-01' IS NOT DISTINCT FROM #3)`},
		{NewLiteral(sqltype.VarbinaryType, []byte{1, 0xab}), `X'01ab'`},
	} {
		if got := Format(test.e); got != test.want {
			t.Errorf("%s, want %s", got, test.want)
		}
	}
}

// Replace goes from the top, so that the larger of two parts that could be replaced is.
func TestReplaceTakesTheLargestPart(t *testing.T) {
	inner := equal(text(0), str("x"))
	e := and(inner, less(number(1), integer(3)))
	got := Replace(e, func(e Expr) (Expr, bool) {
		_, column := e.(*Column)
		return boolean(true), column || Equal(e, inner)
	})
	if want := "(true AND (true < 3))"; Format(got) != want {
		t.Errorf("got %s, want %s", Format(got), want)
	}
	if same := Replace(e, func(Expr) (Expr, bool) { return nil, false }); same != e {
		t.Error("a replacement of nothing made a copy")
	}
}

func TestFold(t *testing.T) {
	a, b := equal(text(0), str("x")), less(number(1), integer(3))
	null := NullLiteral(sqltype.BooleanType)
	division := function("/", integer(1), integer(0))
	for _, test := range []struct {
		e    Expr
		want string
	}{
		{and(a, boolean(true), and(b, boolean(true))), `(("c" = 'x') AND ("n" < 3))`},
		{and(a, boolean(false)), `false`},
		{and(a, null), `(("c" = 'x') AND NULL)`}, // false where a is false
		{or(a, boolean(false)), `("c" = 'x')`},
		{or(a, boolean(true)), `true`},
		{&Not{&Not{a}}, `("c" = 'x')`},
		{&Not{and(a, b)}, `(("c" <> 'x') OR ("n" >= 3))`},
		{&Not{or(a, &Not{b})}, `(("c" <> 'x') AND ("n" < 3))`},
		{&Not{less(double(0), double(1))}, `(NOT ("d" < "d"))`}, // NaN
		{&Not{equal(double(0), double(1))}, `("d" <> "d")`},
		{&Compare{Le, integer(3), number(0)}, `("n" >= 3)`},
		{&Not{null}, `NULL`},
		{equal(text(0), NullLiteral(sqltype.VarcharType)), `NULL`},
		{&Compare{Distinct, text(0), NullLiteral(sqltype.VarcharType)}, `("c" IS DISTINCT FROM NULL)`},
		{&In{Arg: text(0), List: []Expr{str("x")}}, `("c" = 'x')`},
		{&In{Arg: integer(1), List: []Expr{integer(2), NullLiteral(sqltype.BigIntType)}}, `NULL`},
		{function("||", str("a"), str("b")), `'ab'`},
		{function("||", text(0), NullLiteral(sqltype.VarcharType)), `NULL`},
		{function("or_none", NullLiteral(sqltype.VarcharType)), `'none'`},
		{division, `(1 / 0)`}, // fails only if a row needs it
		{&Try{division}, `NULL`},
		{&Try{&Cast{Arg: text(0), T: sqltype.BigIntType}}, `TRY_CAST("c" AS bigint)`},
		{&Case{Whens: []When{{boolean(false), division}, {null, division}, {a, integer(1)}, {boolean(true), integer(2)}, {b, integer(3)}}, T: sqltype.BigIntType},
			`CASE WHEN ("c" = 'x') THEN 1 ELSE 2 END`},
		{&Case{Whens: []When{{boolean(false), division}}, T: sqltype.BigIntType}, `NULL`},
		{&Cast{Arg: str("42"), T: sqltype.BigIntType}, `42`},
		{&Cast{Arg: str("x"), T: sqltype.BigIntType}, `CAST('x' AS bigint)`},
	} {
		if got := Format(Fold(test.e, session)); got != test.want {
			t.Errorf("%s folds to %s, want %s", Format(test.e), got, test.want)
		}
	}
}

func TestTree(t *testing.T) {
	a, b, c := equal(text(3), str("x")), less(number(1), integer(3)), equal(text(1), text(3))
	e := and(a, and(b, c))
	if got := Conjuncts(e); len(got) != 3 || got[0] != a || got[1] != b || got[2] != c {
		t.Errorf("conjuncts %v", got)
	}
	if Conjuncts(nil) != nil || Conjoin(nil) != nil || Conjoin([]Expr{a}) != a || !Equal(Conjoin([]Expr{a, b}), and(a, b)) {
		t.Error("Conjoin is not the inverse of Conjuncts")
	}
	if got := Columns(e, nil, number(9)); !slices.Equal(got, []int{1, 3, 9}) {
		t.Errorf("columns %v", got)
	}
	if Rewrite(e, func(e Expr) Expr { return e }) != e {
		t.Error("a rewrite that changes nothing copied the tree")
	}
	moved := Rewrite(e, func(e Expr) Expr {
		if c, ok := e.(*Column); ok && c.Index == 3 {
			return text(5)
		}
		return e
	})
	if got := Columns(moved); !slices.Equal(got, []int{1, 5}) || moved.(*And).Args[1].(*And).Args[0] != b {
		t.Errorf("columns %v; what did not change was copied", got)
	}
	visited := 0
	Walk(e, func(e Expr) bool { visited++; _, ok := e.(*And); return ok })
	if visited != 5 {
		t.Errorf("visited %d", visited)
	}
}

func TestEqual(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		a, b := drawExpr(rt, sqltype.BooleanType, 2), drawExpr(rt, sqltype.BooleanType, 2)
		if got := Equal(a, b); got != (Format(a) == Format(b)) && got {
			rt.Fatalf("%s equals %s", Format(a), Format(b))
		}
		same := Rewrite(a, func(e Expr) Expr {
			if c, ok := e.(*Column); ok {
				copied := *c
				return &copied
			}
			return e
		})
		if !Equal(a, same) {
			rt.Fatalf("%s does not equal its copy", Format(a))
		}
	})
}

func TestCanFail(t *testing.T) {
	cast := func(from, to sqltype.Type, try bool) Expr {
		return &Cast{Arg: &Column{T: from}, T: to, Try: try}
	}
	array := sqltype.ArrayOf(sqltype.BigIntType)
	for _, test := range []struct {
		e    Expr
		want bool
	}{
		{function("/", number(0), number(1)), true},
		{&Try{function("/", number(0), number(1))}, false},
		{equal(function("length", text(0)), integer(1)), false},
		{cast(sqltype.VarcharType, sqltype.BigIntType, false), true},
		{cast(sqltype.VarcharType, sqltype.BigIntType, true), false},
		{cast(sqltype.IntegerType, sqltype.BigIntType, false), false},
		{cast(sqltype.BigIntType, sqltype.IntegerType, false), true},
		{cast(sqltype.IntegerType, sqltype.DoubleType, false), false},
		{cast(sqltype.BigIntType, sqltype.VarcharType, false), false},
		{cast(sqltype.JSONType, sqltype.VarcharType, false), true},
		{cast(sqltype.VarcharType, sqltype.JSONType, false), false},
		{cast(sqltype.TimestampType, sqltype.DateType, false), false},
		{less(&Column{T: array}, &Column{T: array}), true},
		{equal(&Column{T: array}, &Column{T: array}), false},
	} {
		if got := CanFail(test.e); got != test.want {
			t.Errorf("CanFail(%s) is %t", Format(test.e), got)
		}
	}
}

// TestCanFailByConstants: LIKE fails over a bad escape only, so with a good one no row of it can.
func TestCanFailByConstants(t *testing.T) {
	like, _ := fn.Lookup("like")
	column := &Column{Index: 0, T: sqltype.VarcharType}
	for _, test := range []struct {
		args []Expr
		want bool
	}{
		{[]Expr{column, NewLiteral(sqltype.VarcharType, "%a%")}, false},
		{[]Expr{column, NewLiteral(sqltype.VarcharType, "a#"), NewLiteral(sqltype.VarcharType, "#")}, true},
		{[]Expr{column, NewLiteral(sqltype.VarcharType, "a##"), NewLiteral(sqltype.VarcharType, "#")}, false},
		{[]Expr{column, NullLiteral(sqltype.VarcharType)}, true},
		{[]Expr{column, column, NewLiteral(sqltype.VarcharType, "#")}, true},
	} {
		types := make([]sqltype.Type, len(test.args))
		for i, a := range test.args {
			types[i] = a.Type()
		}
		overload, _, result, err := like.Resolve(types)
		if err != nil {
			t.Fatal(err)
		}
		e := &Call{Fn: like, Overload: overload, Args: test.args, T: result, Memo: new(fn.Memo)}
		if got := CanFail(e); got != test.want {
			t.Errorf("%s can fail: %t, want %t", Format(e), got, test.want)
		}
	}
}
