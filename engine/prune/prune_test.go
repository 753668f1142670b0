package prune

import (
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"pgregory.net/rapid"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// The columns of all tests.
var (
	name  = &expr.Column{Index: 0, Name: "name", T: sqltype.VarcharType}
	n     = &expr.Column{Index: 1, Name: "n", T: sqltype.BigIntType}
	x     = &expr.Column{Index: 2, Name: "x", T: sqltype.DoubleType}
	when  = &expr.Column{Index: 3, Name: "when", T: sqltype.VarcharType} // canonical times
	flag  = &expr.Column{Index: 4, Name: "flag", T: sqltype.BooleanType}
	day   = &expr.Column{Index: 5, Name: "day", T: sqltype.DateType}
	small = &expr.Column{Index: 6, Name: "small", T: sqltype.IntegerType}
	all   = []*expr.Column{name, n, x, when, flag, day, small}
)

type columnStats struct {
	min, max    any
	nulls, rows int64
	canonical   bool
}

type stats map[*expr.Column]columnStats

func (s stats) Bounds(column int) (min, max any) { return s[all[column]].min, s[all[column]].max }
func (s stats) Nulls(column int) (nulls, rows int64) {
	c, ok := s[all[column]]
	if !ok {
		return -1, 0
	}
	return c.nulls, c.rows
}
func (s stats) Canonical(column int) bool { return s[all[column]].canonical }

func literal(v any) expr.Expr {
	switch v := v.(type) {
	case string:
		return expr.NewLiteral(sqltype.VarcharType, v)
	case int64:
		return expr.NewLiteral(sqltype.BigIntType, v)
	case int:
		return expr.NewLiteral(sqltype.BigIntType, int64(v))
	case float64:
		return expr.NewLiteral(sqltype.DoubleType, v)
	case bool:
		return expr.NewLiteral(sqltype.BooleanType, v)
	}
	panic("no literal")
}

func call(name string, args ...expr.Expr) expr.Expr {
	f, ok := fn.Lookup(name)
	if !ok {
		panic("no function " + name)
	}
	types := make([]sqltype.Type, len(args))
	for i, arg := range args {
		types[i] = arg.Type()
	}
	o, params, result, err := f.Resolve(types)
	if err != nil {
		panic(err)
	}
	for i, arg := range args {
		if !arg.Type().Equal(params[i]) {
			args[i] = &expr.Cast{Arg: arg, T: params[i]}
			if _, ok := arg.(*expr.Literal); ok {
				args[i] = expr.Fold(args[i], utc)
			}
		}
	}
	return &expr.Call{Fn: f, Overload: o, Args: args, T: result, Memo: &fn.Memo{}}
}

func compareExpr(op expr.CompareOp, a, b expr.Expr) expr.Expr {
	return &expr.Compare{Op: op, Left: a, Right: b}
}

func not(e expr.Expr) expr.Expr { return &expr.Not{Arg: e} }

func instant(text string) expr.Expr {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return expr.NewLiteral(sqltype.TimestampTZType, t.UnixMicro())
}

func localTime(text string) expr.Expr {
	return expr.NewLiteral(sqltype.TimestampType, vec.Value(instant(text).(*expr.Literal).Value, 0))
}

func date(text string) expr.Expr {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err)
	}
	return expr.NewLiteral(sqltype.DateType, t.Unix()/86400)
}

func TestCheck(t *testing.T) {
	s := stats{
		name:  {min: "create", max: "delete", nulls: 0, rows: 10},
		n:     {min: int64(5), max: int64(9), nulls: 2, rows: 10},
		x:     {min: 1.0, max: 2.0, nulls: 0, rows: 10},
		when:  {min: "2024-03-01T00:00:10Z", max: "2024-03-01T23:59:59Z", nulls: 0, rows: 10, canonical: true},
		day:   {min: int64(19783), max: int64(19783), nulls: 0, rows: 10}, // 2024-03-01
		small: {nulls: 10, rows: 10},
		flag:  {min: false, max: true, nulls: 0, rows: 10},
	}
	fromISO := call("from_iso8601_timestamp", when)
	for _, c := range []struct {
		e    expr.Expr
		want Verdict
		why  string
	}{
		{compareExpr(expr.Eq, name, literal("zebra")), Never, "past the bounds"},
		{compareExpr(expr.Eq, name, literal("decide")), Maybe, "within"},
		{compareExpr(expr.Lt, name, literal("e")), Always, "all before, none NULL"},
		{compareExpr(expr.Gt, literal("e"), name), Always, "the sides may be swapped"},
		{compareExpr(expr.Lt, name, literal("create")), Never, "bounds are inclusive: none is less"},
		{compareExpr(expr.Le, name, literal("create")), Maybe, "one may be equal"},
		{compareExpr(expr.Ge, name, literal("create")), Always, "all are at least the least"},
		{compareExpr(expr.Lt, n, literal(10)), Maybe, "true for all values, but there are NULLs"},
		{&expr.And{Args: []expr.Expr{compareExpr(expr.Lt, n, literal(10)), not(&expr.IsNull{Arg: n})}}, Maybe, "some are NULL"},
		{&expr.Or{Args: []expr.Expr{compareExpr(expr.Lt, n, literal(10)), &expr.IsNull{Arg: n}}}, Maybe, "always in truth, but the operands are judged apart"},
		{not(compareExpr(expr.Lt, n, literal(10))), Never, "false or NULL, never true"},
		{not(compareExpr(expr.Gt, n, literal(10))), Maybe, "true or NULL"},
		{not(compareExpr(expr.Eq, name, literal("zebra"))), Always, "none equal, none NULL"},
		{compareExpr(expr.Eq, small, literal(1)), Never, "all NULL"},
		{&expr.IsNull{Arg: small}, Always, "all NULL"},
		{&expr.IsNull{Arg: name}, Never, "no NULL"},
		{&expr.IsNull{Arg: n}, Maybe, "some"},
		{compareExpr(expr.Distinct, small, expr.NullLiteral(sqltype.IntegerType)), Never, "NULL is not distinct from NULL"},
		{compareExpr(expr.NotDistinct, n, expr.NullLiteral(sqltype.BigIntType)), Maybe, "some are NULL"},
		{compareExpr(expr.Eq, n, expr.NullLiteral(sqltype.BigIntType)), Never, "NULL equals nothing"},
		{compareExpr(expr.Gt, x, literal(2.5)), Never, "NaN is not greater either"},
		{compareExpr(expr.Lt, x, literal(2.5)), Maybe, "a NaN would not be less"},
		{compareExpr(expr.Ne, x, literal(2.5)), Always, "NaN differs from all"},
		{compareExpr(expr.Eq, x, literal(math.NaN())), Maybe, "nothing is concluded from NaN"},
		{&expr.In{Arg: name, List: []expr.Expr{literal("a"), literal("z")}, Memo: &fn.Memo{}}, Never, "neither is within"},
		{&expr.In{Arg: name, List: []expr.Expr{literal("a"), expr.NullLiteral(sqltype.VarcharType)}, Memo: &fn.Memo{}}, Never, "NULL or false"},
		{not(&expr.In{Arg: name, List: []expr.Expr{literal("a"), expr.NullLiteral(sqltype.VarcharType)}, Memo: &fn.Memo{}}), Never, "NOT IN with a NULL is never true"},
		{&expr.In{Arg: day, List: []expr.Expr{date("2024-03-01")}, Memo: &fn.Memo{}}, Always, "the only value"},
		{&expr.Or{Args: []expr.Expr{compareExpr(expr.Eq, name, literal("zebra")), compareExpr(expr.Gt, n, literal(20))}}, Never, "neither"},
		{&expr.And{Args: []expr.Expr{compareExpr(expr.Eq, name, literal("decide")), compareExpr(expr.Gt, n, literal(20))}}, Never, "not the second"},
		{flag, Maybe, "both occur"},
		{literal(true), Always, "constant"},
		{expr.NullLiteral(sqltype.BooleanType), Never, "NULL is no match"},

		{call("like", name, literal("z%")), Never, "no text between the bounds begins so"},
		{call("like", name, literal("d%t")), Maybe, "some may"},
		{call("like", name, literal("cat%")), Never, "before create"},
		{call("like", name, literal("%")), Always, "any text, no NULL"},
		{not(call("like", name, literal("%"))), Never, "any text matches"},
		{call("like", literal("2024-03-01"), literal("2024-%")), Always, "a constant is its own bounds"},
		{call("like", when, literal("2024-03-01T%")), Always, "both bounds begin so, hence all between"},
		{call("like", when, literal("2024-03-01T%Z")), Maybe, "the end is unknown"},
		{call("like", when, literal("2024-03-01")), Never, "no wildcard: equality"},
		{call("like", name, literal("z!%%"), literal("!")), Never, "an escaped wildcard is part of the text"},
		{call("like", name, literal("d!"), literal("!")), Maybe, "a bad pattern fails when it runs"},

		{compareExpr(expr.Gt, fromISO, instant("2024-03-02T00:00:00Z")), Never, "all texts are canonical, so their order is that of time"},
		{compareExpr(expr.Ge, fromISO, instant("2024-03-01T01:00:00+01:00")), Always, "instants compare, whatever the zone"},
		{compareExpr(expr.Eq, call("date", fromISO), date("2024-03-01")), Always, "one day"},
		{compareExpr(expr.Eq, &expr.Cast{Arg: fromISO, T: sqltype.DateType}, date("2024-03-02")), Never, "another day"},
		{compareExpr(expr.Lt, &expr.Cast{Arg: fromISO, T: sqltype.TimestampType}, localTime("2024-03-01T00:00:10Z")), Never, "inclusive through the cast"},
		{compareExpr(expr.Lt, call("date_parse", when, literal("%Y-%m-%dT%H:%i:%sZ")), localTime("2024-02-01T00:00:00Z")), Never, "the pattern reads the canonical form"},
		{compareExpr(expr.Lt, call("date_parse", when, literal("%Y-%d-%mT%H:%i:%sZ")), localTime("2024-02-01T00:00:00Z")), Maybe, "day and month swapped: not in order"},
		{compareExpr(expr.Gt, call("parse_datetime", when, literal("yyyy-MM-dd'T'HH:mm:ssZ")), instant("2024-03-02T00:00:00Z")), Never, "likewise"},
		{compareExpr(expr.Eq, call("substr", when, literal(1), literal(10)), literal("2024-03-01")), Always, "a prefix keeps the order"},
		{compareExpr(expr.Eq, call("date", call("substr", when, literal(1), literal(10))), date("2024-03-02")), Never, "the day of a canonical time"},
		{compareExpr(expr.Eq, &expr.Cast{Arg: call("substr", when, literal(1), literal(10)), T: sqltype.DateType}, date("2024-03-01")), Always, "likewise"},
		{compareExpr(expr.Gt, call("date_parse", call("substr", when, literal(1), literal(10)), literal("%Y-%m-%d")), localTime("2024-03-01T00:00:00Z")), Never, "midnight"},
		{compareExpr(expr.Eq, call("date", call("substr", name, literal(1), literal(10))), date("2024-03-02")), Maybe, "not of any text"},
		{compareExpr(expr.Eq, call("substr", when, literal(2), literal(10)), literal("x")), Maybe, "not a prefix"},
		{compareExpr(expr.Eq, call("date_trunc", literal("month"), fromISO), instant("2024-03-01T00:00:00Z")), Always, "one month"},
		{compareExpr(expr.Eq, call("date_trunc", literal("month"), fromISO), instant("2024-04-01T00:00:00Z")), Never, "another"},
		{compareExpr(expr.Eq, call("year", day), literal(2023)), Never, "another year"},
		{compareExpr(expr.Eq, call("month", day), literal(3)), Always, "months are not monotone, but there is one day only"},
		{compareExpr(expr.Eq, call("month", day), literal(4)), Never, "another month"},
		{compareExpr(expr.Lt, call("format_datetime", &expr.Cast{Arg: day, T: sqltype.TimestampType}, literal("yyyy/MM/dd")), literal("2024/03/01")), Never, "the text of the one day"},
		{call("like", call("format_datetime", &expr.Cast{Arg: day, T: sqltype.TimestampType}, literal("MM")), literal("03%")), Always, "likewise"},
		{compareExpr(expr.Eq, call("format_datetime", &expr.Cast{Arg: day, T: sqltype.TimestampType}, name), literal("x")), Maybe, "the format is not known"},
		{compareExpr(expr.Eq, call("month", &expr.Cast{Arg: fromISO, T: sqltype.TimestampType}), literal(5)), Maybe, "many times: no one month"},
		{compareExpr(expr.Gt, &expr.Cast{Arg: day, T: sqltype.TimestampType}, localTime("2024-03-01T00:00:00Z")), Never, "midnight is the one value"},
		{compareExpr(expr.Eq, call("lower", name), literal("zebra")), Maybe, "lower is not monotone"},
		{compareExpr(expr.Gt, call("from_iso8601_timestamp", name), instant("2030-03-02T00:00:00Z")), Maybe, "the column is not canonical"},
	} {
		if got := Check(c.e, s); got != c.want {
			t.Errorf("%s: got %d, want %d: %s", expr.Format(c.e), got, c.want, c.why)
		}
	}
}

func TestCheckWithoutStatisticsIsMaybe(t *testing.T) {
	for _, e := range []expr.Expr{
		compareExpr(expr.Eq, name, literal("a")), call("like", name, literal("a%")), &expr.IsNull{Arg: n}, flag,
		compareExpr(expr.Eq, call("date", call("from_iso8601_timestamp", when)), date("2024-03-01")),
	} {
		if got := Check(e, stats{}); got != Maybe {
			t.Errorf("%s: %d", expr.Format(e), got)
		}
	}
}

func TestCheckMistrustsBounds(t *testing.T) {
	for why, c := range map[string]columnStats{
		"of another type":     {min: "a", max: "b", nulls: 0, rows: 1},
		"the wrong way round": {min: int64(9), max: int64(5), nulls: 0, rows: 1},
	} {
		if got := Check(compareExpr(expr.Eq, n, literal(100)), stats{n: c}); got != Maybe {
			t.Errorf("%s: %d", why, got)
		}
	}
	// A shortened upper bound in another form could be read as another time: 2024-W01 is a week in January, but no text of 2024 is after it.
	s := stats{when: {min: "2024-01-01T00:00:00Z", max: "2024-W01", nulls: 0, rows: 2, canonical: true}}
	if got := Check(compareExpr(expr.Gt, call("from_iso8601_timestamp", when), instant("2024-06-01T00:00:00Z")), s); got != Maybe {
		t.Errorf("a bound in another form: %d", got)
	}
}

func TestNeedles(t *testing.T) {
	null := expr.NullLiteral(sqltype.VarcharType)
	is := func(e expr.Expr, text string) expr.Expr { return compareExpr(expr.Eq, e, literal(text)) }
	or := func(args ...expr.Expr) expr.Expr { return &expr.Or{Args: args} }
	and := func(args ...expr.Expr) expr.Expr { return &expr.And{Args: args} }
	item := sqltype.RowOf(sqltype.Field{Name: "arn", Type: sqltype.VarcharType}, sqltype.Field{Name: "owner", Type: sqltype.RowOf(sqltype.Field{Name: "id", Type: sqltype.VarcharType})})
	items := &expr.Column{Index: 2, Name: "items", T: sqltype.ArrayOf(item)}
	tags := &expr.Column{Index: 3, Name: "tags", T: sqltype.ArrayOf(sqltype.VarcharType)}
	param := func(t sqltype.Type) *expr.Column { return &expr.Column{T: t} }
	lambda := func(t sqltype.Type, body expr.Expr) expr.Expr {
		return &expr.Lambda{Params: []sqltype.Field{{Name: "r", Type: t}}, Body: body}
	}
	arn := &expr.Field{Arg: param(item), Index: 0}
	owner := &expr.Field{Arg: &expr.Field{Arg: param(item), Index: 1}, Index: 0}
	array := func(name string, args ...expr.Expr) *expr.Call {
		f, ok := fn.Lookup(name)
		if !ok {
			t.Fatal(name)
		}
		return &expr.Call{Fn: f, Args: args, T: sqltype.ArrayOf(sqltype.VarcharType)}
	}
	outer := &expr.Column{Index: 1, T: sqltype.VarcharType} // captured
	for _, c := range []struct {
		e    expr.Expr
		want []Needle
	}{
		{is(name, "a"), []Needle{{Values: []any{"a"}}}},
		{compareExpr(expr.Eq, literal(3), n), []Needle{{Column: 1, Values: []any{int64(3)}}}},
		{&expr.In{Arg: name, List: []expr.Expr{literal("a"), null, literal("b")}, Memo: &fn.Memo{}}, []Needle{{Values: []any{"a", "b"}}}},
		{compareExpr(expr.Ne, name, literal("a")), nil},
		{compareExpr(expr.Eq, name, name), nil},
		{compareExpr(expr.Eq, name, null), nil},
		{is(call("lower", name), "a"), nil},
		{not(is(name, "a")), nil},
		{or(is(name, "a"), compareExpr(expr.Eq, n, literal(3))), []Needle{{Values: []any{"a"}}, {Column: 1, Values: []any{int64(3)}}}},
		{or(is(name, "a"), compareExpr(expr.Gt, n, literal(3))), nil},
		{or(and(compareExpr(expr.Gt, n, literal(3)), is(name, "a")), is(name, "b")), []Needle{{Values: []any{"a"}}, {Values: []any{"b"}}}},
		{array("any_match", items, lambda(item, is(arn, "a"))), []Needle{{Column: 2, Element: true, Fields: []int{0}, Values: []any{"a"}}}},
		{array("any_match", items, lambda(item, or(is(owner, "a"), is(arn, "b")))),
			[]Needle{{Column: 2, Element: true, Fields: []int{1, 0}, Values: []any{"a"}}, {Column: 2, Element: true, Fields: []int{0}, Values: []any{"b"}}}},
		{array("any_match", items, lambda(item, or(is(arn, "a"), is(outer, "b")))), nil},
		{array("any_match", tags, lambda(sqltype.VarcharType, is(param(sqltype.VarcharType), "a"))), []Needle{{Column: 3, Element: true, Values: []any{"a"}}}},
		{array("all_match", items, lambda(item, is(arn, "a"))), nil},
		{array("none_match", items, lambda(item, is(arn, "a"))), nil},
		{array("contains", tags, literal("a")), []Needle{{Column: 3, Element: true, Values: []any{"a"}}}},
		{array("contains", tags, name), nil},
		{array("contains", tags, null), nil},
		{array("contains", name, literal("10.0.0.1")), nil},
		{array("contains", array("transform", items, lambda(item, owner)), literal("a")), []Needle{{Column: 2, Element: true, Fields: []int{1, 0}, Values: []any{"a"}}}},
		{array("contains", array("transform", items, lambda(item, outer)), literal("a")), nil},
	} {
		if got := Needles(c.e); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, want %v", expr.Format(c.e), got, c.want)
		}
	}
}

func column(t sqltype.Type, cells []any) arrow.Array {
	arrays := []arrow.Array{vec.Nulls(t, 0)}
	for _, v := range cells {
		if v == nil {
			arrays = append(arrays, vec.Nulls(t, 1))
		} else {
			arrays = append(arrays, vec.FromValue(t, v))
		}
	}
	a, err := vec.Concat(arrays)
	if err != nil {
		panic(err)
	}
	return a
}

// values are the values that a column may take in the property tests, few, so that predicates meet them.
func values(c *expr.Column) []any {
	switch c {
	case name:
		return []any{"", "a", "ab", "abc", "b", "a%", "é"}
	case n:
		return []any{int64(-1), int64(0), int64(1), int64(math.MaxInt64)}
	case small:
		return []any{int64(-1), int64(0), int64(1)}
	case x:
		return []any{-1.5, 0.0, math.Copysign(0, -1), 1.0, math.NaN(), math.Inf(1)}
	case when:
		return []any{"2023-12-31T23:59:59Z", "2024-01-01T00:00:00Z", "2024-01-01T12:00:00Z", "2024-02-29T00:00:01Z"}
	case flag:
		return []any{false, true}
	}
	return []any{int64(19722), int64(19723), int64(19782)} // 2023-12-31, 2024-01-01, 2024-02-29
}

// drawTerm draws an expression of one column and a literal to compare it with.
func drawTerm(t *rapid.T) (expr.Expr, func() expr.Expr) {
	c := rapid.SampledFrom(all).Draw(t, "column")
	of := func(c *expr.Column) func() expr.Expr {
		return func() expr.Expr {
			if rapid.IntRange(0, 9).Draw(t, "null") == 0 {
				return expr.NullLiteral(c.T)
			}
			return expr.NewLiteral(c.T, rapid.SampledFrom(values(c)).Draw(t, "literal"))
		}
	}
	times := func(kind sqltype.Type) func() expr.Expr {
		return func() expr.Expr {
			text := rapid.SampledFrom(values(when)).Draw(t, "time").(string)
			v := vec.Value(instant(text).(*expr.Literal).Value, 0)
			return expr.NewLiteral(kind, v)
		}
	}
	switch which := rapid.IntRange(0, 4).Draw(t, "form"); {
	case c == when && which > 0:
		read := rapid.SampledFrom([]expr.Expr{
			call("from_iso8601_timestamp", when), call("date_parse", when, literal("%Y-%m-%dT%H:%i:%sZ")),
			call("parse_datetime", when, literal("yyyy-MM-dd'T'HH:mm:ssZ")),
		}).Draw(t, "read")
		switch which {
		case 1:
			return read, times(read.Type())
		case 2:
			text := call("substr", when, literal(1), literal(10))
			return rapid.SampledFrom([]expr.Expr{
				call("date", read), call("date", text), call("from_iso8601_date", text), &expr.Cast{Arg: text, T: sqltype.DateType},
			}).Draw(t, "day"), of(day)
		case 3:
			return &expr.Cast{Arg: read, T: sqltype.TimestampType}, times(sqltype.TimestampType)
		}
		unit := rapid.SampledFrom([]string{"hour", "day", "week", "month"}).Draw(t, "unit")
		return call("date_trunc", literal(unit), read), times(read.Type())
	case c == name && which == 1:
		return call("substr", name, literal(1), literal(rapid.IntRange(0, 2).Draw(t, "length"))), of(name)
	case c == name && which == 2:
		return call("lower", name), of(name)
	case c == small && which == 1:
		return &expr.Cast{Arg: small, T: sqltype.DoubleType}, of(x)
	case c == small && which == 2:
		return &expr.Cast{Arg: small, T: sqltype.BigIntType}, of(n)
	case c == n && which == 1:
		return &expr.Cast{Arg: n, T: sqltype.IntegerType, Try: true}, of(small)
	case c == day && which == 1:
		return &expr.Cast{Arg: day, T: sqltype.TimestampType}, times(sqltype.TimestampType)
	case c == day && which == 2:
		return call("year", day), func() expr.Expr { return literal(rapid.IntRange(2023, 2025).Draw(t, "year")) }
	}
	return c, of(c)
}

func drawPredicate(t *rapid.T, depth int) expr.Expr {
	if depth > 0 {
		args := func() []expr.Expr {
			list := make([]expr.Expr, rapid.IntRange(2, 3).Draw(t, "operands"))
			for i := range list {
				list[i] = drawPredicate(t, depth-1)
			}
			return list
		}
		switch rapid.IntRange(0, 4).Draw(t, "node") {
		case 0:
			return &expr.And{Args: args()}
		case 1:
			return &expr.Or{Args: args()}
		case 2:
			return not(drawPredicate(t, depth-1))
		}
	}
	term, value := drawTerm(t)
	switch rapid.IntRange(0, 5).Draw(t, "test") {
	case 0:
		return &expr.IsNull{Arg: term}
	case 1:
		list := make([]expr.Expr, rapid.IntRange(1, 3).Draw(t, "list"))
		for i := range list {
			list[i] = value()
		}
		return &expr.In{Arg: term, List: list, Memo: &fn.Memo{}}
	case 2:
		if term.Type().Kind == sqltype.Varchar {
			pattern := rapid.SampledFrom([]string{"a%", "%", "ab%", "a_", "", "b", "a!%%", "2024-%", "2024-01-01T%", "é%"}).Draw(t, "pattern")
			return call("like", term, literal(pattern), literal("!"))
		}
	case 3:
		if term == expr.Expr(flag) {
			return flag
		}
	}
	op := expr.CompareOp(rapid.IntRange(int(expr.Eq), int(expr.NotDistinct)).Draw(t, "op"))
	if rapid.Bool().Draw(t, "swapped") {
		return compareExpr(op, value(), term)
	}
	return compareExpr(op, term, value())
}

// drawRows draws a batch, and statistics of it that are true but not always tight or complete.
func drawRows(t *rapid.T) (vec.Batch, stats) {
	b := vec.Batch{Len: rapid.IntRange(1, 4).Draw(t, "rows")}
	s := stats{}
	for _, c := range all {
		cells := make([]any, b.Len)
		own := columnStats{rows: int64(b.Len), canonical: c == when && rapid.IntRange(0, 9).Draw(t, "canonical") > 0}
		for i := range cells {
			if rapid.IntRange(0, 4).Draw(t, "null") == 0 {
				own.nulls++
				continue
			}
			v := rapid.SampledFrom(values(c)).Draw(t, "value")
			cells[i] = v
			if f, ok := v.(float64); ok && math.IsNaN(f) { // as Parquet has it: NaN is no bound
				continue
			}
			if order, ok := order(v, own.min); !ok || order < 0 {
				own.min = v
			}
			if order, ok := order(v, own.max); !ok || order > 0 {
				own.max = v
			}
		}
		for _, other := range values(c) { // loosen
			if rapid.IntRange(0, 19).Draw(t, "loosen") == 0 {
				if order, ok := order(other, own.min); ok && order < 0 {
					own.min = other
				}
				if order, ok := order(other, own.max); ok && order > 0 {
					own.max = other
				}
			}
		}
		switch rapid.IntRange(0, 9).Draw(t, "missing") {
		case 0:
			own.min = nil
		case 1:
			own.max = nil
		case 2:
			own.nulls = -1
		}
		s[c] = own
		b.Cols = append(b.Cols, column(c.T, cells))
	}
	return b, s
}

// Never must mean that no row matches, Always that all do, by the evaluation that a query without pruning would do.
func TestVerdictsAreTrue(t *testing.T) {
	decided := 0
	rapid.Check(t, func(t *rapid.T) {
		b, s := drawRows(t)
		e := drawPredicate(t, 2)
		verdict := Check(e, s)
		if verdict == Maybe {
			return
		}
		decided++
		d, err := expr.Eval(e, b, utc)
		if err != nil {
			t.Fatalf("%s fails: %v", expr.Format(e), err)
		}
		matches := len(vec.True(vec.Column(d, b.Len)))
		if verdict == Never && matches > 0 || verdict == Always && matches < b.Len {
			t.Fatalf("%s is judged %d, but %d of %d rows match; stats %v; rows %v", expr.Format(e), verdict, matches, b.Len, s, b.Cols)
		}
	})
	if decided == 0 {
		t.Error("no verdict was ever other than Maybe: the test tests nothing")
	}
}
