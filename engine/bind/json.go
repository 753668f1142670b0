package bind

import (
	"strings"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
)

func textLiteral(s string) expr.Expr { return expr.NewLiteral(sqltype.VarcharType, s) }

// jsonFunc binds JSON_EXISTS, JSON_VALUE and JSON_QUERY.
func (x *exprs) jsonFunc(e *sql.JSONFunc) expr.Expr {
	if err := fn.CheckSQLPath(e.Path); err != nil {
		panic(placed(err, e.PathAt.Pos()))
	}
	input := x.operand(e.Input)
	variables := []operand{{expr.NewLiteral(sqltype.BooleanType, false), e.Pos()}, {expr.NewLiteral(sqltype.BooleanType, false), e.Pos()}}
	for _, a := range e.Passing {
		value := x.jsonOperand(a)
		variables = append(variables, operand{textLiteral(a.Name.Name), a.Name.Pos()}, value)
		if up := strings.ToUpper(a.Name.Name); !a.Name.Quoted && up != a.Name.Name { // Trino's name for it
			variables = append(variables, operand{textLiteral(up), a.Name.Pos()}, value)
		}
	}
	call := func(name string, words ...string) expr.Expr {
		args := []operand{input, {textLiteral(e.Path), e.Pos()}, {x.apply("sql_json_object", e.Pos(), variables...), e.Pos()}}
		for _, w := range words {
			args = append(args, operand{textLiteral(w), e.Pos()})
		}
		return x.apply(name, e.Pos(), args...)
	}
	onEmpty, onError := jsonAction(e.OnEmpty, "null"), jsonAction(e.OnError, "null")
	switch e.Name {
	case "exists":
		return call("sql_json_exists", jsonAction(e.OnError, "false"))
	case "query":
		wrapper, quotes := e.Wrapper, "keep"
		if wrapper == "" {
			wrapper = "none"
		}
		if e.OmitQuotes {
			if e.Wrapper != "" {
				fail(sqlerr.Type, e.Pos(), "OMIT QUOTES goes with no wrapper: an array keeps the quotes of its texts")
			}
			quotes = "omit"
		}
		return x.jsonText(call("sql_json_query", wrapper, quotes, onEmpty, onError), e.Returning)
	}
	return x.jsonValue(e, call, onEmpty, onError)
}

func jsonAction(on *sql.JSONOn, otherwise string) string {
	if on == nil {
		return otherwise
	}
	return on.Action
}

// jsonValue converts what JSON_VALUE finds to the type it returns. With a DEFAULT it first looks at what becomes of the path.
func (x *exprs) jsonValue(e *sql.JSONFunc, call func(string, ...string) expr.Expr, onEmpty, onError string) expr.Expr {
	t := sqltype.VarcharType
	if e.Returning != nil {
		t = typeOf(*e.Returning)
		if !sqltype.CanCast(sqltype.VarcharType, t) && t.Kind != sqltype.Varchar {
			fail(sqlerr.Type, e.Returning.Pos(), "JSON_VALUE cannot return %s", t)
		}
	}
	text := call("sql_json_value", onEmpty, onError)
	value := text
	if t.Kind != sqltype.Varchar || t.Length > 0 {
		value = &expr.Cast{Arg: text, T: t, Try: onError != "error", Pos: e.Pos()}
	}
	if onEmpty != "default" && onError != "default" {
		return value
	}
	instead := func(on *sql.JSONOn) expr.Expr {
		if on == nil || on.Default == nil {
			return expr.NullLiteral(t)
		}
		d := x.operand(on.Default)
		if !sqltype.CanCoerce(d.Type(), t) {
			fail(sqlerr.Type, d.at, "the default is of type %s, JSON_VALUE returns %s", d.Type(), t)
		}
		return coerce(d.Expr, t)
	}
	state := repeated(operand{call("sql_json_state"), e.Pos()})
	is := func(word string) expr.Expr {
		return &expr.Compare{Op: expr.Eq, Left: state.Expr, Right: textLiteral(word)}
	}
	out := &expr.Case{T: t, Else: value}
	if onEmpty == "default" {
		out.Whens = append(out.Whens, expr.When{Cond: is("empty"), Then: instead(e.OnEmpty)})
	}
	if onError == "default" {
		failed := is("error")
		if value != text { // or found, but of another form
			failed = &expr.Or{Args: []expr.Expr{failed, &expr.And{Args: []expr.Expr{
				&expr.Not{Arg: &expr.IsNull{Arg: text}}, &expr.IsNull{Arg: value},
			}}}}
		}
		out.Whens = append(out.Whens, expr.When{Cond: failed, Then: instead(e.OnError)})
	}
	return out
}

// jsonText converts JSON text to the type that a function is to return.
func (x *exprs) jsonText(e expr.Expr, returning *sql.TypeName) expr.Expr {
	if returning == nil {
		return e
	}
	switch t := typeOf(*returning); t.Kind {
	case sqltype.Varchar:
		return coerce(e, t)
	case sqltype.Varbinary:
		return x.apply("to_utf8", returning.Pos(), operand{e, returning.Pos()})
	default:
		fail(sqlerr.Type, returning.Pos(), "JSON text is returned as varchar or varbinary, not %s; json_parse makes json of it", t)
	}
	return nil
}

// jsonOperand is a value as json: what other functions made as JSON text, or is said to be JSON, is parsed.
func (x *exprs) jsonOperand(a sql.JSONArg) operand {
	o := x.operand(a.Value)
	asJSON := a.FormatJSON
	switch v := a.Value.(type) {
	case *sql.JSONMake:
		asJSON = true
	case *sql.JSONFunc:
		asJSON = asJSON || v.Name == "query"
	}
	switch {
	case o.Type().Kind == sqltype.JSON:
		return o
	case asJSON:
		return operand{x.apply("json_parse", o.at, o), o.at}
	}
	return operand{cast(o, sqltype.JSONType, false, o.at), o.at}
}

// jsonMake binds JSON_ARRAY and JSON_OBJECT.
func (x *exprs) jsonMake(e *sql.JSONMake) expr.Expr {
	name := "sql_json_array"
	args := []operand{{expr.NewLiteral(sqltype.BooleanType, e.Absent), e.Pos()}}
	if e.Object {
		name = "sql_json_object"
		args = append(args, operand{expr.NewLiteral(sqltype.BooleanType, e.Unique), e.Pos()})
	}
	for i, v := range e.Values {
		if e.Object {
			key := x.operand(e.Keys[i])
			if key.Type().Kind != sqltype.Varchar {
				fail(sqlerr.Type, key.at, "the key of an object is text, not %s", key.Type())
			}
			args = append(args, key)
		}
		args = append(args, x.jsonOperand(v))
	}
	return x.jsonText(x.apply(name, e.Pos(), args...), e.Returning)
}
