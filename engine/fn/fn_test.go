package fn

import (
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// session is that of all tests: its start and zone are fixed.
var session = &Session{Now: time.Date(2024, 1, 31, 10, 20, 30, 456_789_000, time.UTC), Zone: time.UTC}

// value is a value and its type, as tests write them.
type value struct {
	t sqltype.Type
	v any
}

func varchar(s string) value      { return value{sqltype.VarcharType, s} }
func bigint(n int64) value        { return value{sqltype.BigIntType, n} }
func double(x float64) value      { return value{sqltype.DoubleType, x} }
func boolean(b bool) value        { return value{sqltype.BooleanType, b} }
func integerOf(n int64) value     { return value{sqltype.IntegerType, n} }
func nullOf(t sqltype.Type) value { return value{t, nil} }

// sql makes a value of any type from its text, by a cast.
func sql(t *testing.T, typ sqltype.Type, s string) value {
	t.Helper()
	from, kind := vec.Datum{Arr: vec.FromValue(sqltype.VarcharType, s), Const: true}, sqltype.VarcharType
	if typ.Kind == sqltype.Array || typ.Kind == sqltype.Map || typ.Kind == sqltype.Row {
		kind = sqltype.JSONType
	}
	d, err := vec.Cast(from, kind, typ, false, time.UTC, time.Time{}, 1)
	if err != nil {
		t.Fatalf("%s as %s: %v", s, typ, err)
	}
	return value{typ, d.Arr}
}

func (v value) array() arrow.Array {
	switch x := v.v.(type) {
	case arrow.Array:
		return x
	case nil:
		return vec.Nulls(v.t, 1)
	}
	return vec.FromValue(v.t, v.v)
}

// evaluate calls a function as the engine would: resolve, cast the arguments, evaluate.
func evaluate(name string, args ...value) (value, error) {
	f, ok := Lookup(name)
	if !ok {
		panic("no function " + name)
	}
	types := make([]sqltype.Type, len(args))
	for i, a := range args {
		types[i] = a.t
	}
	o, params, result, err := f.Resolve(types)
	if err != nil {
		return value{}, err
	}
	c := &Call{Types: params, Result: result, Len: 1, Session: session, Memo: &Memo{}}
	for i, a := range args {
		d, err := vec.Cast(vec.Datum{Arr: a.array(), Const: true}, types[i], params[i], false, time.UTC, time.Time{}, 1)
		if err != nil {
			return value{}, err
		}
		c.Args = append(c.Args, d)
	}
	out, err := o.Eval(c)
	return value{result, out}, err
}

// call is evaluate with the result as Athena prints it, "NULL" for NULL.
func call(name string, args ...value) (string, error) {
	out, err := evaluate(name, args...)
	if err != nil {
		return "", err
	}
	if !vec.IsValid(out.array(), 0) {
		return "NULL", nil
	}
	return string(sqltype.AppendText(nil, out.t, out.array(), 0)), nil
}

// want is one row of a table test: a failed call has the text of its error.
type want struct {
	name string
	args []value
	out  string
	err  string
}

func check(t *testing.T, rows []want) {
	t.Helper()
	for _, w := range rows {
		got, err := call(w.name, w.args...)
		switch {
		case w.err != "" && (err == nil || !strings.Contains(err.Error(), w.err)):
			t.Errorf("%s%s: got %q, error %v; want error %q", w.name, shownArgs(w.args), got, err, w.err)
		case w.err == "" && (err != nil || got != w.out):
			t.Errorf("%s%s: got %q, error %v; want %q", w.name, shownArgs(w.args), got, err, w.out)
		case w.err == "" && len(w.args) > 0:
			checkColumns(t, w)
		}
	}
}

// checkColumns evaluates the row as the first and the last of a column whose middle row is NULL, once with all
// arguments as columns, once with all but the first constant: a body must not fail on NULL rows, and not mix up rows.
func checkColumns(t *testing.T, w want) {
	t.Helper()
	f, _ := Lookup(w.name)
	types := make([]sqltype.Type, len(w.args))
	for i, a := range w.args {
		types[i] = a.t
	}
	o, params, result, err := f.Resolve(types)
	if err != nil {
		t.Fatal(err)
	}
	for _, constants := range []bool{false, true} {
		c := &Call{Types: params, Result: result, Len: 3, Session: session, Memo: &Memo{}}
		for i, a := range w.args {
			d, err := vec.Cast(vec.Datum{Arr: a.array(), Const: true}, types[i], params[i], false, time.UTC, time.Time{}, 1)
			if err != nil {
				t.Fatal(err)
			}
			if !constants || i == 0 {
				d = vec.Datum{Arr: vec.Take(d.Arr, []int32{0, -1, 0})}
			}
			c.Args = append(c.Args, d)
		}
		out, err := o.Eval(c)
		if err != nil {
			t.Errorf("%s%s: over a column: %v", w.name, shownArgs(w.args), err)
			continue
		}
		got := shownColumn(result, out)
		if len(got) != 3 || got[0] != w.out || got[2] != w.out || !f.NullCall && got[1] != "NULL" {
			t.Errorf("%s%s: over a column: got %q; want %q, NULL, %q", w.name, shownArgs(w.args), got, w.out, w.out)
		}
	}
}

func shownArgs(args []value) string {
	parts := make([]string, len(args))
	for i, a := range args {
		parts[i] = "NULL"
		if arr := a.array(); arr.IsValid(0) {
			parts[i] = string(sqltype.AppendText(nil, a.t, arr, 0))
		}
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

func timestamp(t *testing.T, s string) value { return sql(t, sqltype.TimestampType, s) }

func instantOf(t *testing.T, s string) value { t.Helper(); return sql(t, sqltype.TimestampTZType, s) }
func date(t *testing.T, s string) value      { t.Helper(); return sql(t, sqltype.DateType, s) }
func jsonOf(s string) value                  { return value{sqltype.JSONType, s} }
func decimal(t *testing.T, p, s int, text string) value {
	t.Helper()
	return sql(t, sqltype.DecimalOf(p, s), text)
}
func days(n int64) value   { return value{sqltype.IntervalDayType, n * millisPerDay} }
func months(n int64) value { return value{sqltype.IntervalYearType, n} }

// bigints and varchars are arrays, from JSON.
func bigints(t *testing.T, s string) value {
	t.Helper()
	return sql(t, sqltype.ArrayOf(sqltype.BigIntType), s)
}
func varchars(t *testing.T, s string) value {
	t.Helper()
	return sql(t, sqltype.ArrayOf(sqltype.VarcharType), s)
}
func mapOf(t *testing.T, s string) value {
	t.Helper()
	return sql(t, sqltype.MapOf(sqltype.VarcharType, sqltype.BigIntType), s)
}
