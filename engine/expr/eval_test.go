package expr

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"

	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

var session = &fn.Session{Now: time.Unix(1_700_000_000, 0), Zone: time.UTC}

// A few functions of the tests' own, each with what it does to one row.

type testFunction struct {
	fn.Function
	row    func(args []any) (any, error)
	params []sqltype.Type
	result sqltype.Type
}

var errDivision = sqlerr.New(sqlerr.Value, 0, "Division by zero")

var testFunctions = []*testFunction{
	newFunction("length", fn.Function{}, func(a []any) (any, error) { return int64(len(a[0].(string))), nil },
		sqltype.BigIntType, sqltype.VarcharType),
	newFunction("||", fn.Function{}, func(a []any) (any, error) { return a[0].(string) + a[1].(string), nil },
		sqltype.VarcharType, sqltype.VarcharType, sqltype.VarcharType),
	newFunction("/", fn.Function{CanFail: true}, func(a []any) (any, error) {
		if a[1].(int64) == 0 {
			return nil, errDivision
		}
		return a[0].(int64) / a[1].(int64), nil
	}, sqltype.BigIntType, sqltype.BigIntType, sqltype.BigIntType),
	newFunction("no_b", fn.Function{CanFail: true}, func(a []any) (any, error) {
		if a[0].(string) == "b" {
			return nil, sqlerr.New(sqlerr.Value, 0, "b")
		}
		return a[0].(string) + "!", nil
	}, sqltype.VarcharType, sqltype.VarcharType),
	newFunction("or_none", fn.Function{NullCall: true}, func(a []any) (any, error) {
		if a[0] == nil {
			return "none", nil
		}
		return a[0], nil
	}, sqltype.VarcharType, sqltype.VarcharType),
	newFunction("null_if_empty", fn.Function{}, func(a []any) (any, error) {
		if a[0] == "" {
			return nil, nil
		}
		return a[0], nil
	}, sqltype.VarcharType, sqltype.VarcharType),
}

func newFunction(name string, f fn.Function, row func([]any) (any, error), result sqltype.Type, params ...sqltype.Type) *testFunction {
	f.Name = name
	t := &testFunction{Function: f, row: row, params: params, result: result}
	t.Overloads = []fn.Overload{{Eval: func(c *fn.Call) (arrow.Array, error) {
		out := make([]any, c.Len)
		for i := range out {
			args := make([]any, len(c.Args))
			null := false
			for k, a := range c.Args {
				if _, ok := a.Arr.(*array.Dictionary); ok {
					return nil, errors.New("a body saw a dictionary")
				}
				at := i
				if a.Const {
					at = 0
				}
				args[k] = vec.Value(a.Arr, at)
				null = null || args[k] == nil
			}
			if null && !t.NullCall {
				continue // the rule: no failure on what is NULL
			}
			var err error
			if out[i], err = row(args); err != nil {
				return nil, err
			}
		}
		return build(c.Result, out), nil
	}}}
	return t
}

func callOf(f *testFunction, args ...Expr) *Call {
	return &Call{Fn: &f.Function, Overload: &f.Overloads[0], Args: args, T: f.result, Memo: new(fn.Memo)}
}

func function(name string, args ...Expr) *Call {
	for _, f := range testFunctions {
		if f.Name == name {
			return callOf(f, args...)
		}
	}
	panic(name)
}

func build(t sqltype.Type, values []any) arrow.Array {
	parts := []arrow.Array{vec.Nulls(t, 0)}
	for _, v := range values {
		parts = append(parts, vec.FromValue(t, v))
	}
	out, err := vec.Concat(parts)
	if err != nil {
		panic(err)
	}
	return out
}

// The columns of the tests: #0 and #1 are varchar, #2 and #3 bigint, #4 boolean.
var columnTypes = []sqltype.Type{sqltype.VarcharType, sqltype.VarcharType, sqltype.BigIntType, sqltype.BigIntType, sqltype.BooleanType}

var samples = map[sqltype.Kind][]any{
	sqltype.Varchar: {nil, "", "a", "b", "1", "23"},
	sqltype.BigInt:  {nil, int64(0), int64(1), int64(2), int64(23)},
	sqltype.Boolean: {nil, true, false},
}

// drawBatch returns a batch and its rows as Go values; text is plain or dictionary-coded, columns are whole or slices.
func drawBatch(rt *rapid.T) (vec.Batch, [][]any) {
	n := rapid.IntRange(1, 12).Draw(rt, "rows")
	rows := make([][]any, n)
	b := vec.Batch{Len: n}
	for c, t := range columnTypes {
		values := rapid.SliceOfN(rapid.SampledFrom(samples[t.Kind]), n+1, n+1).Draw(rt, fmt.Sprint("column ", c))
		a := build(t, values)
		if t.Kind == sqltype.Varchar && rapid.Bool().Draw(rt, "dictionary") {
			// the first entry, which no row may have, makes some functions fail
			d := array.NewDictionaryBuilder(memory.DefaultAllocator, sqltype.DictionaryString).(*array.BinaryDictionaryBuilder)
			_ = d.AppendString("b")
			for _, v := range values {
				if v == nil {
					d.AppendNull()
				} else {
					_ = d.AppendString(v.(string))
				}
			}
			a = vec.Slice(d.NewArray(), 1, n+2)
		}
		b.Cols = append(b.Cols, vec.Slice(a, 1, n+1))
		for i := range rows {
			rows[i] = append(rows[i], values[i+1])
		}
	}
	return b, rows
}

func drawExpr(rt *rapid.T, t sqltype.Type, depth int) Expr {
	kinds := 2
	if depth > 0 {
		kinds = 12
	}
	sub := func(t sqltype.Type) Expr { return drawExpr(rt, t, depth-1) }
	anyType := func() sqltype.Type {
		return rapid.SampledFrom([]sqltype.Type{sqltype.VarcharType, sqltype.BigIntType, sqltype.BooleanType}).Draw(rt, "type")
	}
	list := func() []Expr {
		out := []Expr{sub(t), sub(t)}
		if rapid.Bool().Draw(rt, "third") {
			out = append(out, sub(t))
		}
		return out
	}
	switch k := rapid.IntRange(0, kinds-1).Draw(rt, "kind"); {
	case k == 0:
		return NewLiteral(t, rapid.SampledFrom(samples[t.Kind]).Draw(rt, "literal"))
	case k == 1 || k == 2:
		for {
			c := rapid.IntRange(0, len(columnTypes)-1).Draw(rt, "column")
			if columnTypes[c].Kind == t.Kind {
				return &Column{Index: c, T: t}
			}
		}
	case k == 3:
		e := &Case{T: t, Whens: []When{{sub(sqltype.BooleanType), sub(t)}}}
		if rapid.Bool().Draw(rt, "two whens") {
			e.Whens = append(e.Whens, When{sub(sqltype.BooleanType), sub(t)})
		}
		if rapid.Bool().Draw(rt, "else") {
			e.Else = sub(t)
		}
		return e
	case k == 4:
		return &Try{sub(t)}
	}
	if t.Kind == sqltype.Boolean {
		switch rapid.IntRange(0, 6).Draw(rt, "condition") {
		case 0:
			return &And{list()}
		case 1:
			return &Or{list()}
		case 2:
			return &Not{sub(t)}
		case 3:
			return &IsNull{sub(anyType())}
		case 4:
			of := anyType()
			e := &In{Arg: sub(of), Memo: new(fn.Memo)}
			constant := rapid.Bool().Draw(rt, "constant list")
			for range rapid.IntRange(1, 3).Draw(rt, "members") {
				if constant {
					e.List = append(e.List, NewLiteral(of, rapid.SampledFrom(samples[of.Kind]).Draw(rt, "member")))
				} else {
					e.List = append(e.List, sub(of))
				}
			}
			return e
		default:
			of := anyType()
			return &Compare{CompareOp(rapid.IntRange(0, int(NotDistinct)).Draw(rt, "op")), sub(of), sub(of)}
		}
	}
	if t.Kind == sqltype.BigInt && rapid.Bool().Draw(rt, "cast") {
		return &Cast{Arg: sub(sqltype.VarcharType), T: t, Try: rapid.Bool().Draw(rt, "try")}
	}
	var fit []*testFunction
	for _, f := range testFunctions {
		if f.result.Kind == t.Kind {
			fit = append(fit, f)
		}
	}
	f := rapid.SampledFrom(fit).Draw(rt, "function")
	var args []Expr
	for _, p := range f.params {
		args = append(args, sub(p))
	}
	return callOf(f, args...)
}

// interpret is the slow reference: one row, left to right.
func interpret(e Expr, row []any) (any, error) {
	switch e := e.(type) {
	case *Column:
		return row[e.Index], nil
	case *Literal:
		return vec.Value(e.Value, 0), nil
	case *Call:
		args := make([]any, len(e.Args))
		null := false
		for i, a := range e.Args {
			var err error
			if args[i], err = interpret(a, row); err != nil {
				return nil, err
			}
			null = null || args[i] == nil
		}
		if null && !e.Fn.NullCall {
			return nil, nil
		}
		for _, f := range testFunctions {
			if f.Name == e.Fn.Name {
				return f.row(args)
			}
		}
		panic(e.Fn.Name)
	case *Compare:
		l, err := interpret(e.Left, row)
		if err != nil {
			return nil, err
		}
		r, err := interpret(e.Right, row)
		if err != nil {
			return nil, err
		}
		return interpretCompare(e.Op, l, r), nil
	case *And:
		return interpretLogic(e.Args, row, false)
	case *Or:
		return interpretLogic(e.Args, row, true)
	case *Not:
		v, err := interpret(e.Arg, row)
		if b, ok := v.(bool); ok {
			return !b, err
		}
		return nil, err
	case *IsNull:
		v, err := interpret(e.Arg, row)
		return v == nil, err
	case *In:
		var terms []Expr
		for _, m := range e.List {
			terms = append(terms, &Compare{Eq, e.Arg, m})
		}
		return interpretLogic(terms, row, true)
	case *Case:
		for _, w := range e.Whens {
			c, err := interpret(w.Cond, row)
			if err != nil {
				return nil, err
			}
			if c == true {
				return interpret(w.Then, row)
			}
		}
		if e.Else == nil {
			return nil, nil
		}
		return interpret(e.Else, row)
	case *Cast:
		v, err := interpret(e.Arg, row)
		if err != nil || v == nil {
			return nil, err
		}
		n, err := strconv.ParseInt(v.(string), 10, 64)
		if err != nil {
			if e.Try {
				return nil, nil
			}
			return nil, sqlerr.New(sqlerr.Value, 0, "cast")
		}
		return n, nil
	case *Try:
		v, err := interpret(e.Arg, row)
		if sqlerr.KindOf(err) == sqlerr.Value {
			return nil, nil
		}
		return v, err
	}
	panic(e)
}

func interpretCompare(op CompareOp, l, r any) any {
	switch {
	case op == Distinct:
		return l != r
	case op == NotDistinct:
		return l == r
	case l == nil || r == nil:
		return nil
	}
	c := 0
	switch l := l.(type) {
	case string:
		c = strings.Compare(l, r.(string))
	case int64:
		c = int(l - r.(int64))
	case bool:
		if l != r {
			c = 1
			if r.(bool) {
				c = -1
			}
		}
	}
	return [...]bool{Eq: c == 0, Ne: c != 0, Lt: c < 0, Le: c <= 0, Gt: c > 0, Ge: c >= 0}[op]
}

func interpretLogic(args []Expr, row []any, stop bool) (any, error) {
	var out any = !stop
	for _, a := range args {
		v, err := interpret(a, row)
		if err != nil {
			return nil, err
		}
		if v == stop {
			return stop, nil
		}
		if v == nil {
			out = nil
		}
	}
	return out, nil
}

// TestEval compares Eval with the row-by-row reference on random expressions: dictionary lifting, constants, partial
// evaluation and errors included. Fold must keep every answer, and may only remove errors.
func TestEval(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b, rows := drawBatch(rt)
		typ := rapid.SampledFrom([]sqltype.Type{sqltype.VarcharType, sqltype.BigIntType, sqltype.BooleanType}).Draw(rt, "type")
		e := drawExpr(rt, typ, 4)
		rt.Log(Format(e))
		want := make([]any, len(rows))
		var wantErr error
		for i, r := range rows {
			v, err := interpret(e, r)
			if err != nil {
				wantErr = err
			}
			want[i] = v
		}
		d, err := Eval(e, b, session)
		if (err != nil) != (wantErr != nil) {
			rt.Fatalf("%s: error %v, want %v", Format(e), err, wantErr)
		}
		if err != nil && !CanFail(e) {
			rt.Fatalf("%s fails though it cannot", Format(e))
		}
		folded := Fold(e, session)
		f, foldErr := Eval(folded, b, session)
		if wantErr != nil {
			return
		}
		if foldErr != nil {
			rt.Fatalf("%s, folded %s: %v", Format(e), Format(folded), foldErr)
		}
		if !folded.Type().Equal(e.Type()) {
			rt.Fatalf("%s of %s, folded %s of %s", Format(e), e.Type(), Format(folded), folded.Type())
		}
		hasTry := anyPart(e, func(e Expr) bool { _, ok := e.(*Try); return ok })
		got, gotFolded := vec.Column(d, b.Len), vec.Column(f, b.Len)
		for i := range want {
			if v := vec.Value(got, i); v != want[i] {
				rt.Fatalf("%s of row %v is %v, want %v", Format(e), rows[i], v, want[i])
			}
			// what fails no more once folded may give TRY another answer
			if v := vec.Value(gotFolded, i); v != want[i] && !hasTry {
				rt.Fatalf("%s, folded %s, of row %v is %v, want %v", Format(e), Format(folded), rows[i], v, want[i])
			}
		}
		kept := &fn.Session{Now: session.Now, Zone: session.Zone, PerEntry: fn.NewPerEntry()}
		for range 3 { // kept from batch to batch
			k, err := Eval(e, b, kept)
			if err != nil {
				rt.Fatalf("%s fails the more it is asked: %v", Format(e), err)
			}
			again := vec.Column(k, b.Len)
			for i := range want {
				if v := vec.Value(again, i); v != want[i] {
					rt.Fatalf("%s of row %v is %v when values are kept, want %v", Format(e), rows[i], v, want[i])
				}
			}
		}
		empty, err := Eval(e, b.Slice(0, 0), session)
		if err != nil || !empty.Const && empty.Arr.Len() != 0 {
			rt.Fatalf("no rows gave %v, %v", empty, err)
		}
	})
}

func TestSelect(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b, rows := drawBatch(rt)
		var conjuncts []Expr
		for range rapid.IntRange(0, 3).Draw(rt, "conjuncts") {
			conjuncts = append(conjuncts, drawExpr(rt, sqltype.BooleanType, 2))
		}
		want := []int32{}
		failed := false
		for i, row := range rows {
			hit := true
			for _, c := range conjuncts { // unlike AND, a conjunct that is NULL ends the row
				v, err := interpret(c, row)
				failed = failed || err != nil && hit
				if v != true {
					hit = false
					break
				}
			}
			if hit {
				want = append(want, int32(i))
			}
		}
		got, all, err := Select(conjuncts, b, session)
		if failed != (err != nil) {
			rt.Fatalf("error %v, want one: %t", err, failed)
		}
		if err != nil {
			return
		}
		if all {
			got = identity(b.Len)
		}
		if !slices.Equal(got, want) || all && len(want) != b.Len {
			rt.Fatalf("rows %v, all %t, want %v", got, all, want)
		}
	})
}

// TestLifting: what a function makes of a dictionary column stays dictionary-coded where it is text, and the function runs
// once per entry.
func TestLifting(t *testing.T) {
	calls := 0
	count := newFunction("count_calls", fn.Function{}, func(a []any) (any, error) { calls++; return a[0], nil },
		sqltype.VarcharType, sqltype.VarcharType)
	entries := build(sqltype.VarcharType, []any{"x", "y"}).(*array.String)
	d := vec.EncodeDictionary(entries, []int32{0, 1, 0, -1, 1, 1})
	got, err := Eval(callOf(count, &Column{Index: 0, T: sqltype.VarcharType}), vec.Batch{Len: 6, Cols: []arrow.Array{d}}, session)
	if err != nil {
		t.Fatal(err)
	}
	if calls != 2 {
		t.Errorf("%d calls for 2 entries", calls)
	}
	if _, ok := got.Arr.(*array.Dictionary); !ok {
		t.Errorf("the result is %s", got.Arr.DataType())
	}
}

// TestEntriesRunOncePerDictionary: for batches that share a dictionary a function runs once per entry, also where there are more entries than a
// batch has rows, once as many rows came; the batches have the same answers as without, and text has one dictionary.
func TestEntriesRunOncePerDictionary(t *testing.T) {
	calls := 0
	count := newFunction("count_calls", fn.Function{}, func(a []any) (any, error) {
		calls++
		if a[0] == "e3" {
			return nil, nil
		}
		return a[0].(string) + "!", nil
	}, sqltype.VarcharType, sqltype.VarcharType)
	const n, batches = 1000, 20
	for _, entries := range []int{50, 4 * n} {
		texts := make([]any, entries)
		for i := range texts {
			texts[i] = fmt.Sprint("e", i)
		}
		dictionary := build(sqltype.VarcharType, texts).(*array.String)
		c := &Column{Index: 0, T: sqltype.VarcharType}
		one := callOf(count, c)
		for name, e := range map[string]Expr{"a function": one, "two": callOf(count, callOf(count, c)), "a comparison": &Compare{Ne, one, NewLiteral(sqltype.VarcharType, "e4!")}} {
			kept := &fn.Session{Zone: time.UTC, PerEntry: fn.NewPerEntry()}
			calls = 0
			dictionaries := map[arrow.ArrayData]bool{}
			for at := range batches {
				codes := make([]int32, n)
				for i := range codes {
					codes[i] = int32((i*7+at*n)%(entries+1)) - 1
				}
				b := vec.Batch{Len: n, Cols: []arrow.Array{vec.EncodeDictionary(dictionary, codes)}}
				before := calls
				want, err := Eval(e, b, session)
				if err != nil {
					t.Fatal(err)
				}
				calls = before
				got, err := Eval(e, b, kept)
				if err != nil {
					t.Fatal(err)
				}
				for i := range n {
					if g, w := vec.Value(got.Arr, i), vec.Value(want.Arr, i); g != w {
						t.Fatalf("%s: row %d of batch %d is %v, want %v", name, i, at, g, w)
					}
				}
				if d, ok := got.Arr.(*array.Dictionary); ok {
					dictionaries[d.Data().Dictionary()] = true
				}
			}
			most := entries
			if entries > n {
				most = 2 * entries
			}
			if name == "two" {
				most *= 2
			}
			if calls > most {
				t.Errorf("%s: %d calls for %d entries in %d batches", name, calls, entries, batches)
			}
			if entries < n && name != "a comparison" && len(dictionaries) != 1 {
				t.Errorf("%s: %d dictionaries, want one", name, len(dictionaries))
			}
		}
	}
}

// TestTryRunsOnEntries: TRY looks for what fails among the entries of a dictionary, not among the rows.
func TestTryRunsOnEntries(t *testing.T) {
	calls := 0
	f := newFunction("fails_on_b", fn.Function{CanFail: true}, func(a []any) (any, error) {
		calls++
		if a[0] == "b" {
			return nil, sqlerr.New(sqlerr.Value, 0, "b")
		}
		return a[0], nil
	}, sqltype.VarcharType, sqltype.VarcharType)
	codes := make([]int32, 1000)
	for i := range codes {
		codes[i] = int32(i%3 - 1)
	}
	d := vec.EncodeDictionary(build(sqltype.VarcharType, []any{"a", "b"}).(*array.String), codes)
	got, err := Eval(&Try{callOf(f, &Column{Index: 0, T: sqltype.VarcharType})}, vec.Batch{Len: 1000, Cols: []arrow.Array{d}}, session)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		if want := []any{nil, "a", nil}[i%3]; vec.Value(got.Arr, i) != want {
			t.Fatalf("row %d is %v, want %v", i, vec.Value(got.Arr, i), want)
		}
	}
	// the rows are run once, up to the first that fails, before the entries are
	if calls > 20 {
		t.Errorf("%d calls for 2 entries", calls)
	}
}

func TestErrorsHaveAPlace(t *testing.T) {
	e := function("/", &Column{Index: 0, T: sqltype.BigIntType}, NewLiteral(sqltype.BigIntType, 0))
	e.Pos = 17
	_, err := Eval(e, vec.Batch{Len: 1, Cols: []arrow.Array{build(sqltype.BigIntType, []any{int64(1)})}}, session)
	var own *sqlerr.Error
	if !errors.As(err, &own) || own.Pos != 17 {
		t.Errorf("the error is %#v", err)
	}
}

func TestField(t *testing.T) {
	typ := sqltype.RowOf(sqltype.Field{Name: "a", Type: sqltype.BigIntType})
	row := array.NewBuilder(memory.DefaultAllocator, typ.Arrow()).(*array.StructBuilder)
	row.Append(true)
	row.FieldBuilder(0).(*array.Int64Builder).Append(7)
	row.Append(false)
	row.FieldBuilder(0).(*array.Int64Builder).Append(8) // hidden by the NULL row
	b := vec.Batch{Len: 2, Cols: []arrow.Array{row.NewArray()}}
	d, err := Eval(&Field{Arg: &Column{Index: 0, T: typ}, Index: 0}, b, session)
	if err != nil || vec.Value(d.Arr, 0) != int64(7) || vec.Value(d.Arr, 1) != nil {
		t.Errorf("field a is %v, %v", d.Arr, err)
	}
}

// TestShared: batches and expressions are shared by goroutines (make race shows a write).
func TestShared(t *testing.T) {
	d := vec.EncodeDictionary(build(sqltype.VarcharType, []any{"x", "y"}).(*array.String), []int32{0, 1, -1, 0})
	b := vec.Batch{Len: 4, Cols: []arrow.Array{d, build(sqltype.BigIntType, []any{int64(1), nil, int64(3), int64(4)})}}.Slice(1, 4)
	c, n := &Column{Index: 0, T: sqltype.VarcharType}, &Column{Index: 1, T: sqltype.BigIntType}
	e := &Or{[]Expr{
		&In{Arg: function("no_b", c), List: []Expr{NewLiteral(sqltype.VarcharType, "y!"), NullLiteral(sqltype.VarcharType)}, Memo: new(fn.Memo)},
		&Compare{Eq, function("/", n, NewLiteral(sqltype.BigIntType, 2)), NewLiteral(sqltype.BigIntType, 2)},
	}}
	results := make(chan string)
	for range 4 {
		go func() {
			d, err := Eval(e, b, session)
			text := fmt.Sprint(err)
			for i := range b.Len {
				text += fmt.Sprint(" ", vec.Value(d.Arr, i), string(sqltype.AppendText(nil, sqltype.VarcharType, b.Cols[0], i)))
			}
			results <- text
		}()
	}
	for range 4 {
		if got, want := <-results, "<nil> truey <nil> truex"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestSeveralStepsRunOnEntries: a chain of functions, a CASE and a function of several columns run once per entry, or combination of
// entries, and entries that no row has are left out where there are more of them than rows.
func TestSeveralStepsRunOnEntries(t *testing.T) {
	calls := 0
	one := newFunction("count_calls", fn.Function{}, func(a []any) (any, error) { calls++; return a[0].(string) + "!", nil },
		sqltype.VarcharType, sqltype.VarcharType)
	two := newFunction("count_pairs", fn.Function{}, func(a []any) (any, error) { calls++; return a[0].(string) + a[1].(string), nil },
		sqltype.VarcharType, sqltype.VarcharType, sqltype.VarcharType)
	text := func(prefix string, n int) *array.String {
		values := make([]any, n)
		for i := range values {
			values[i] = fmt.Sprint(prefix, i)
		}
		return build(sqltype.VarcharType, values).(*array.String)
	}
	codes := func(entries int) []int32 {
		out := make([]int32, 1000)
		for i := range out {
			out[i] = int32(i % entries)
			if i%7 == 3 {
				out[i] = -1
			}
		}
		return out
	}
	b := vec.Batch{Len: 1000, Cols: []arrow.Array{vec.EncodeDictionary(text("a", 5), codes(5)), vec.EncodeDictionary(text("b", 3), codes(3)),
		vec.EncodeDictionary(text("c", 2000), codes(5))}}
	a, c, wide := &Column{Index: 0, T: sqltype.VarcharType}, &Column{Index: 1, T: sqltype.VarcharType}, &Column{Index: 2, T: sqltype.VarcharType}
	is := &Compare{Eq, callOf(one, a), NewLiteral(sqltype.VarcharType, "a1!")}
	for _, test := range []struct {
		e    Expr
		most int
	}{
		{callOf(one, callOf(one, a)), 10}, {callOf(two, a, c), 15}, {callOf(two, callOf(one, a), callOf(one, c)), 45}, {callOf(one, wide), 5},
		{&Case{T: sqltype.VarcharType, Whens: []When{{is, callOf(two, c, c)}}, Else: a}, 30},
		{&Or{[]Expr{is, &Compare{Eq, a, NewLiteral(sqltype.VarcharType, "a2")}}}, 5},
	} {
		calls = 0
		got, err := Eval(test.e, b, session)
		if err != nil {
			t.Fatal(err)
		}
		if calls > test.most {
			t.Errorf("%s: %d calls, want at most %d", Format(test.e), calls, test.most)
		}
		for i := range b.Len {
			row := []any{vec.Value(b.Cols[0], i), vec.Value(b.Cols[1], i), vec.Value(b.Cols[2], i)}
			want, err := interpretWith(test.e, row, one, two)
			if err != nil {
				t.Fatal(err)
			}
			if v := vec.Value(vec.Column(got, b.Len), i); v != want {
				t.Fatalf("%s of row %v is %v, want %v", Format(test.e), row, v, want)
			}
		}
	}
}

// interpretWith is interpret where the functions are known too.
func interpretWith(e Expr, row []any, functions ...*testFunction) (any, error) {
	before := testFunctions
	defer func() { testFunctions = before }()
	testFunctions = append(slices.Clip(before), functions...)
	return interpret(e, row)
}
