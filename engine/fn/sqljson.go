package fn

import (
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// What the binder makes of JSON_VALUE and its kin; the forms have their documentation. Arguments after the JSON are the path and the variables
// (an object as JSON text), then the words of the clauses.
var sqlJSONFunctions = []*Function{
	{
		Name: "sql_json_exists", Category: internal, CanFail: true,
		Doc:       "JSON_EXISTS; the last argument is true, false, unknown or error.",
		Example:   `json_exists('{"a": 1}', 'lax $.b') → false`,
		Overloads: overJSON("varchar, varchar, varchar", "boolean", sqlJSONExists),
	},
	{
		Name: "sql_json_value", Category: internal, CanFail: true,
		Doc:       "JSON_VALUE; the last arguments are null or error, for empty and for error.",
		Example:   `json_value('{"a": 1}', 'lax $.a') → '1'`,
		Overloads: overJSON("varchar, varchar, varchar, varchar", "varchar", sqlJSONValue),
	},
	{
		Name: "sql_json_query", Category: internal, CanFail: true,
		Doc:       "JSON_QUERY; the last arguments are the wrapper (none, conditional, unconditional), keep or omit quotes, and null, error, empty array or empty object, for empty and for error.",
		Example:   `json_query('{"a": [1]}', 'lax $.a') → '[1]'`,
		Overloads: overJSON("varchar, varchar, varchar, varchar, varchar, varchar", "varchar", sqlJSONQuery),
	},
	{
		Name: "sql_json_state", Category: internal, CanFail: true,
		Doc:       "What JSON_VALUE comes to: value, empty or error.",
		Example:   `json_value('{}', 'lax $.a' DEFAULT 'none' ON EMPTY) → 'none'`,
		Overloads: overJSON("varchar, varchar", "varchar", sqlJSONState),
	},
	{
		Name: "sql_json_array", Category: internal, NullCall: true,
		Doc:       "JSON_ARRAY of values that are json; the first argument says whether NULL is left out.",
		Example:   `json_array(NULL, 1 NULL ON NULL) → '[null,1]'`,
		Overloads: []Overload{{Sig: "(boolean) -> varchar", Eval: sqlJSONArray}, {Sig: "(boolean, json...) -> varchar", Eval: sqlJSONArray}},
	},
	{
		Name: "sql_json_object", Category: internal, NullCall: true, CanFail: true,
		Doc:       "JSON_OBJECT of keys and values in turn; the first arguments say whether NULL is left out and whether equal keys are an error.",
		Example:   `json_object('a' : NULL ABSENT ON NULL) → '{}'`,
		Overloads: []Overload{{Sig: "(boolean, boolean) -> varchar", Eval: sqlJSONObject}, {Sig: "(boolean, boolean, any...) -> varchar", Eval: sqlJSONObject}},
	},
}

// CheckSQLPath returns what is wrong with a path of JSON_VALUE and its kin.
func CheckSQLPath(s string) error {
	_, err := parseSQLPath(s)
	return err
}

// sqlJSON gives for each row the items that the path finds; failed where the text is no JSON or the path fails.
func sqlJSON(c *Call) func(row int) (items []jsonItem, failed bool, err error) {
	text, pathAt, variables := arg[string](c, 0), compiled(c, 1, parseSQLPath), arg[string](c, 2)
	return func(row int) ([]jsonItem, bool, error) {
		p, err := pathAt(row)
		if err != nil {
			return nil, false, err
		}
		s := text.at(row)
		context, end := readItem(s, 0, 0)
		if end < 0 || jsonSpace(s, end) != len(s) {
			return nil, true, nil
		}
		passed, _ := readItem(variables.at(row), 0, 0)
		items, err := p.run(context, passed)
		return items, err != nil, nil
	}
}

func sqlJSONExists(c *Call) (arrow.Array, error) {
	find, onError := sqlJSON(c), arg[string](c, 3)
	return eachRow(c, func(row int) (bool, error) {
		items, failed, err := find(row)
		switch {
		case err != nil:
			return false, err
		case !failed:
			return len(items) > 0, nil
		}
		switch onError.at(row) {
		case "error":
			return false, valueError("JSON_EXISTS failed: %s", errPath)
		case "unknown":
			return false, errNull
		}
		return onError.at(row) == "true", nil
	})
}

// scalarItem is the text of what JSON_VALUE found; state is value, empty or error.
func scalarItem(items []jsonItem, failed bool) (text string, null bool, state string) {
	switch {
	case failed || len(items) > 1 || len(items) == 1 && items[0].kind >= jsonList:
		return "", false, "error"
	case len(items) == 0:
		return "", false, "empty"
	}
	return items[0].text, items[0].kind == jsonNull, "value"
}

func sqlJSONValue(c *Call) (arrow.Array, error) {
	find, onEmpty, onError := sqlJSON(c), arg[string](c, 3), arg[string](c, 4)
	return eachRow(c, func(row int) (string, error) {
		items, failed, err := find(row)
		if err != nil {
			return "", err
		}
		text, null, state := scalarItem(items, failed)
		switch {
		case state == "empty" && onEmpty.at(row) == "error":
			return "", valueError("the path of JSON_VALUE found nothing")
		case state == "error" && onError.at(row) == "error":
			return "", valueError("JSON_VALUE found no single string, number or boolean")
		case state != "value" || null:
			return "", errNull
		}
		return text, nil
	})
}

func sqlJSONState(c *Call) (arrow.Array, error) {
	find := sqlJSON(c)
	return eachRow(c, func(row int) (string, error) {
		items, failed, err := find(row)
		_, _, state := scalarItem(items, failed)
		return state, err
	})
}

func sqlJSONQuery(c *Call) (arrow.Array, error) {
	find, wrapper, quotes, onEmpty, onError := sqlJSON(c), arg[string](c, 3), arg[string](c, 4), arg[string](c, 5), arg[string](c, 6)
	instead := func(dst []byte, word, why string) ([]byte, error) {
		switch word {
		case "error":
			return nil, valueError("JSON_QUERY %s", why)
		case "empty array":
			return append(dst, "[]"...), nil
		case "empty object":
			return append(dst, "{}"...), nil
		}
		return nil, errNull
	}
	return appendRows(c, func(dst []byte, row int) ([]byte, error) {
		items, failed, err := find(row)
		if err != nil {
			return nil, err
		}
		wrap := wrapper.at(row) == "unconditional" || wrapper.at(row) == "conditional" && !(len(items) == 1 && items[0].kind >= jsonList)
		switch {
		case failed:
			return instead(dst, onError.at(row), "failed: "+errPath.Error())
		case len(items) == 0:
			return instead(dst, onEmpty.at(row), "found nothing")
		case wrap:
			return appendItem(dst, jsonItem{kind: jsonList, items: items}), nil
		case len(items) > 1:
			return instead(dst, onError.at(row), "found several values; take them WITH ARRAY WRAPPER")
		case items[0].kind == jsonText && quotes.at(row) == "omit":
			return append(dst, items[0].text...), nil
		}
		return appendItem(dst, items[0]), nil
	})
}

func sqlJSONArray(c *Call) (arrow.Array, error) {
	absent := arg[bool](c, 0)
	return eachText(c, 1, func(dst []byte, row int, texts []column[string]) ([]byte, error) {
		dst = append(dst, '[')
		first := true
		for i, t := range texts {
			null := c.isNull(i+1, row)
			if null && absent.at(row) {
				continue
			}
			if !first {
				dst = append(dst, ',')
			}
			first = false
			if null {
				dst = append(dst, "null"...)
			} else {
				dst = append(dst, t.at(row)...)
			}
		}
		return append(dst, ']'), nil
	})
}

func sqlJSONObject(c *Call) (arrow.Array, error) {
	absent, unique := arg[bool](c, 0), arg[bool](c, 1)
	return eachText(c, 2, func(dst []byte, row int, texts []column[string]) ([]byte, error) {
		seen := map[string]bool{}
		dst = append(dst, '{')
		for i := 0; i+1 < len(texts); i += 2 {
			if c.isNull(i+2, row) {
				return nil, valueError("the key of an object must not be NULL")
			}
			key, null := texts[i].at(row), c.isNull(i+3, row)
			if null && absent.at(row) {
				continue
			}
			if unique.at(row) && seen[key] {
				return nil, valueError("the key %s occurs twice", shown(key))
			}
			seen[strings.Clone(key)] = true
			if dst[len(dst)-1] != '{' {
				dst = append(dst, ',')
			}
			dst = append(sqltype.AppendJSONString(dst, key), ':')
			if null {
				dst = append(dst, "null"...)
			} else {
				dst = append(dst, texts[i+1].at(row)...)
			}
		}
		return append(dst, '}'), nil
	})
}

// eachText is the loop of functions that see NULL; texts are the arguments from the given one on.
func eachText(c *Call, from int, row func(dst []byte, row int, texts []column[string]) ([]byte, error)) (arrow.Array, error) {
	var all []column[string]
	for i := from; i < len(c.Args); i++ {
		if c.Args[i].Arr.DataType().ID() == arrow.NULL {
			c.Args[i].Arr = vec.Nulls(sqltype.VarcharType, c.Args[i].Arr.Len())
		}
		all = append(all, arg[string](c, i))
	}
	w := newTextWriter(c.Len)
	for i := range c.Len {
		var err error
		if w.data, err = row(w.data, i, all); err != nil {
			return nil, err
		}
		if !w.end() {
			break
		}
	}
	return w.array(c.Result, nil)
}
