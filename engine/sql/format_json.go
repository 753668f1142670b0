package sql

import "strings"

func (f *formatter) jsonFunc(j *JSONFunc) {
	f.write("JSON_" + strings.ToUpper(j.Name) + "(")
	f.expr(j.Input, levelOr)
	f.write(", " + quoteText(j.Path))
	if len(j.Passing) > 0 {
		f.write(" PASSING ")
		commas(f, j.Passing, func(a JSONArg) {
			f.jsonArg(a)
			f.write(" AS ")
			f.ident(*a.Name)
		})
	}
	f.jsonReturning(j.Returning)
	if j.Wrapper != "" {
		f.write(" WITH " + strings.ToUpper(j.Wrapper) + " ARRAY WRAPPER")
	}
	if j.OmitQuotes {
		f.write(" OMIT QUOTES")
	}
	for _, on := range []struct {
		*JSONOn
		when string
	}{{j.OnEmpty, "EMPTY"}, {j.OnError, "ERROR"}} {
		if on.JSONOn == nil {
			continue
		}
		f.write(" " + strings.ToUpper(on.Action))
		if on.Default != nil {
			f.write(" ")
			f.expr(on.Default, levelConcat)
		}
		f.write(" ON " + on.when)
	}
	f.write(")")
}

func (f *formatter) jsonArg(a JSONArg) {
	f.expr(a.Value, levelOr)
	if a.FormatJSON {
		f.write(" FORMAT JSON")
	}
}

func (f *formatter) jsonReturning(t *TypeName) {
	if t != nil {
		f.write(" RETURNING ")
		f.typeName(*t)
	}
}

func (f *formatter) jsonMake(j *JSONMake) {
	if j.Object {
		f.write("JSON_OBJECT(")
	} else {
		f.write("JSON_ARRAY(")
	}
	for i, v := range j.Values {
		if i > 0 {
			f.write(", ")
		}
		if j.Object {
			f.write("KEY ")
			f.expr(j.Keys[i], levelConcat)
			f.write(" VALUE ")
		}
		f.jsonArg(v)
	}
	if j.Absent == j.Object {
		if len(j.Values) > 0 {
			f.write(" ")
		}
		if j.Absent {
			f.write("ABSENT ON NULL")
		} else {
			f.write("NULL ON NULL")
		}
	}
	if j.Unique {
		f.write(" WITH UNIQUE KEYS")
	}
	f.jsonReturning(j.Returning)
	f.write(")")
}
