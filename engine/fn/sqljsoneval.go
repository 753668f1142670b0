package fn

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/trailql/trailql/engine/sqltype"
)

// pathRun evaluates a path over one value.
type pathRun struct {
	strict    bool
	context   jsonItem
	variables jsonItem // an object
	budget    int      // items that may still be made
}

// pathScope is what @ and last stand for.
type pathScope struct {
	current *jsonItem
	last    int // -1 outside of subscripts
}

// errPath is any failure of a path's evaluation: ON ERROR says what becomes of it.
var errPath = errors.New("the path does not fit the value")

// maxPathItems is how many items the evaluation of a path may make for one row.
const maxPathItems = 1 << 18

func (p *sqlPath) run(context, variables jsonItem) ([]jsonItem, error) {
	r := &pathRun{p.strict, context, variables, maxPathItems}
	return r.eval(p.root, pathScope{last: -1})
}

func (r *pathRun) eval(n pathNode, s pathScope) ([]jsonItem, error) {
	if r.budget--; r.budget < 0 {
		return nil, errPath
	}
	return r.evalNode(n, s)
}

func (r *pathRun) evalNode(n pathNode, s pathScope) ([]jsonItem, error) {
	switch n := n.(type) {
	case pathLiteral:
		return []jsonItem{n.value}, nil
	case pathContext:
		return []jsonItem{r.context}, nil
	case pathCurrent:
		if s.current == nil {
			return nil, errPath
		}
		return []jsonItem{*s.current}, nil
	case pathLast:
		if s.last < 0 {
			return nil, errPath
		}
		return []jsonItem{integerItem(int64(s.last))}, nil
	case pathVariable:
		v, ok := r.variables.member(n.name)
		if !ok {
			return nil, errPath
		}
		return []jsonItem{v}, nil
	case pathBinary:
		a, err := r.number(n.a, s)
		if err != nil {
			return nil, err
		}
		b, err := r.number(n.b, s)
		if err != nil {
			return nil, err
		}
		return pathArithmetic(n.op, a, b)
	case pathNegate:
		return r.each(n.a, s, true, func(item jsonItem) ([]jsonItem, error) {
			return pathArithmetic("-", integerItem(0), item)
		})
	case pathMember:
		return r.members(n, s)
	case pathElements:
		return r.elements(n, s)
	case pathMethod:
		return r.method(n, s)
	case pathFilter:
		return r.each(n.a, s, true, func(item jsonItem) ([]jsonItem, error) {
			yes, known := r.test(n.cond, pathScope{&item, s.last})
			if yes && known {
				return []jsonItem{item}, nil
			}
			return nil, nil
		})
	}
	return nil, errPath
}

// each applies f to the items that a gives; with unwrap, in lax mode, to the elements of those that are arrays.
func (r *pathRun) each(a pathNode, s pathScope, unwrap bool, f func(jsonItem) ([]jsonItem, error)) ([]jsonItem, error) {
	in, err := r.eval(a, s)
	if err != nil {
		return nil, err
	}
	var out []jsonItem
	add := func(item jsonItem) error {
		made, err := f(item)
		if r.budget -= len(made); r.budget < 0 {
			return errPath
		}
		out = append(out, made...)
		return err
	}
	for _, item := range in {
		if !r.strict && unwrap && item.kind == jsonList {
			for _, e := range item.items {
				if err := add(e); err != nil {
					return nil, err
				}
			}
		} else if err := add(item); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (r *pathRun) members(n pathMember, s pathScope) ([]jsonItem, error) {
	return r.each(n.a, s, !n.deep, func(item jsonItem) ([]jsonItem, error) {
		if n.deep {
			return descendants(nil, item, n.key), nil
		}
		if item.kind != jsonObject {
			if r.strict {
				return nil, errPath
			}
			return nil, nil
		}
		if n.all {
			return item.items, nil
		}
		if v, ok := item.member(n.key); ok {
			return []jsonItem{v}, nil
		}
		if r.strict {
			return nil, errPath
		}
		return nil, nil
	})
}

// descendants adds the values of the key at all levels, the outer ones first.
func descendants(out []jsonItem, item jsonItem, key string) []jsonItem {
	if v, ok := item.member(key); ok {
		out = append(out, v)
	}
	for _, inner := range item.items {
		out = descendants(out, inner, key)
	}
	return out
}

func (r *pathRun) elements(n pathElements, s pathScope) ([]jsonItem, error) {
	return r.each(n.a, s, false, func(item jsonItem) ([]jsonItem, error) {
		list := item.items
		if item.kind != jsonList {
			if r.strict {
				return nil, errPath
			}
			list = []jsonItem{item}
		}
		if n.all {
			return list, nil
		}
		inner := pathScope{s.current, len(list) - 1}
		var out []jsonItem
		for _, sub := range n.subs {
			from, err := r.index(sub[0], inner)
			to := from
			if err == nil && sub[1] != nil {
				to, err = r.index(sub[1], inner)
			}
			if err != nil {
				return nil, err
			}
			if r.strict && (from > to || from < 0 || to >= int64(len(list))) {
				return nil, errPath
			}
			for i := max(0, from); i <= min(to, int64(len(list))-1); i++ {
				if out = append(out, list[i]); len(out) > r.budget {
					return nil, errPath
				}
			}
		}
		return out, nil
	})
}

// index is the number that a subscript comes to.
func (r *pathRun) index(n pathNode, s pathScope) (int64, error) {
	item, err := r.number(n, s)
	if err != nil {
		return 0, err
	}
	x, err := strconv.ParseFloat(item.text, 64)
	if err != nil || math.Abs(x) > 1<<31 {
		return 0, errPath
	}
	return int64(x), nil
}

// number evaluates what must come to one number; in lax mode an array of one is taken.
func (r *pathRun) number(n pathNode, s pathScope) (jsonItem, error) {
	items, err := r.each(n, s, true, func(item jsonItem) ([]jsonItem, error) { return []jsonItem{item}, nil })
	if err != nil || len(items) != 1 || items[0].kind != jsonNumber {
		return jsonItem{}, errPath
	}
	return items[0], nil
}

// pathArithmetic computes with bigint where both numbers are, else with double.
func pathArithmetic(op string, a, b jsonItem) ([]jsonItem, error) {
	if a.kind != jsonNumber || b.kind != jsonNumber {
		return nil, errPath
	}
	m, err1 := strconv.ParseInt(a.text, 10, 64)
	n, err2 := strconv.ParseInt(b.text, 10, 64)
	if err1 == nil && err2 == nil {
		var v int64
		var ok bool
		switch op {
		case "+":
			v = m + n
			ok = (m^v)&(n^v) >= 0
		case "-":
			v = m - n
			ok = (m^n)&(m^v) >= 0
		case "*":
			v, ok = multiply(m, n)
		default:
			if ok = n != 0 && !(m == math.MinInt64 && n == -1); ok && op == "/" {
				v = m / n
			} else if ok {
				v = m % n
			}
		}
		if !ok {
			return nil, errPath
		}
		return []jsonItem{integerItem(v)}, nil
	}
	x, err1 := strconv.ParseFloat(a.text, 64)
	y, err2 := strconv.ParseFloat(b.text, 64)
	if err1 != nil || err2 != nil || y == 0 && (op == "/" || op == "%") {
		return nil, errPath
	}
	switch op {
	case "+":
		x += y
	case "-":
		x -= y
	case "*":
		x *= y
	case "/":
		x /= y
	default:
		x = math.Mod(x, y)
	}
	if math.IsInf(x, 0) {
		return nil, errPath
	}
	return []jsonItem{numberItem(x)}, nil
}

var jsonKindNames = [...]string{"null", "boolean", "number", "string", "array", "object"}

func (r *pathRun) method(n pathMethod, s pathScope) ([]jsonItem, error) {
	id := int64(-1)
	return r.each(n.a, s, n.name != "type" && n.name != "size", func(item jsonItem) ([]jsonItem, error) {
		switch n.name {
		case "type":
			return []jsonItem{{kind: jsonText, text: jsonKindNames[item.kind]}}, nil
		case "size":
			if item.kind == jsonList {
				return []jsonItem{integerItem(int64(len(item.items)))}, nil
			}
			if r.strict {
				return nil, errPath
			}
			return []jsonItem{integerItem(1)}, nil
		case "keyvalue":
			if item.kind != jsonObject {
				return nil, errPath
			}
			id++
			var out []jsonItem
			for i, key := range item.keys {
				out = append(out, jsonItem{kind: jsonObject, keys: []string{"name", "value", "id"},
					items: []jsonItem{{kind: jsonText, text: key}, item.items[i], integerItem(id)}})
			}
			return out, nil
		}
		if item.kind != jsonNumber && !(n.name == "double" && item.kind == jsonText) {
			return nil, errPath
		}
		x, err := strconv.ParseFloat(strings.TrimSpace(item.text), 64)
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, errPath
		}
		if m, err := strconv.ParseInt(item.text, 10, 64); err == nil && n.name != "double" {
			if n.name == "abs" && m < 0 {
				return pathArithmetic("-", integerItem(0), item)
			}
			return []jsonItem{item}, nil
		}
		switch n.name {
		case "abs":
			x = math.Abs(x)
		case "floor":
			x = math.Floor(x)
		case "ceiling":
			x = math.Ceil(x)
		}
		return []jsonItem{numberItem(x)}, nil
	})
}

// test evaluates a predicate; known is false where it is unknown.
func (r *pathRun) test(n pathNode, s pathScope) (yes, known bool) {
	switch n := n.(type) {
	case pathLogic:
		a, aKnown := r.test(n.a, s)
		if aKnown && a != n.and { // decided
			return a, true
		}
		b, bKnown := r.test(n.b, s)
		if bKnown && b != n.and {
			return b, true
		}
		return n.and, aKnown && bKnown
	case pathNot:
		a, known := r.test(n.a, s)
		return !a, known
	case pathUnknown:
		_, known := r.test(n.a, s)
		return !known, true
	case pathExists:
		items, err := r.eval(n.a, s)
		return len(items) > 0, err == nil
	case pathCompare:
		return r.compare(n, s)
	}
	return false, false
}

// compare compares all pairs. In strict mode one that cannot be compared makes the whole unknown; in lax mode the first pair that is true or
// cannot be compared decides.
func (r *pathRun) compare(n pathCompare, s pathScope) (yes, known bool) {
	same := func(item jsonItem) ([]jsonItem, error) { return []jsonItem{item}, nil }
	left, err1 := r.each(n.a, s, true, same)
	right, err2 := r.each(n.b, s, true, same)
	if err1 != nil || err2 != nil {
		return false, false
	}
	known = true
	for _, a := range left {
		for _, b := range right {
			if r.budget--; r.budget < 0 {
				return false, false
			}
			hit, comparable := comparePair(n.op, a, b)
			switch {
			case !comparable && r.strict:
				return false, false
			case !comparable && !yes:
				return false, false
			case hit && !r.strict:
				return true, true
			}
			yes = yes || hit
		}
	}
	return yes, known
}

func comparePair(op string, a, b jsonItem) (yes, comparable bool) {
	switch {
	case op == "starts with":
		return strings.HasPrefix(a.text, b.text), a.kind == jsonText && b.kind == jsonText
	case a.kind == jsonNull && b.kind == jsonNull:
		return op == "==", true
	case a.kind == jsonNull || b.kind == jsonNull:
		return false, true
	case a.kind >= jsonList || a.kind != b.kind:
		return false, false
	}
	order := strings.Compare(a.text, b.text) // false before true
	if a.kind == jsonNumber {
		order = compareNumbers(a.text, b.text)
	}
	switch op {
	case "==":
		return order == 0, true
	case "<>":
		return order != 0, true
	case "<":
		return order < 0, true
	case "<=":
		return order <= 0, true
	case ">":
		return order > 0, true
	}
	return order >= 0, true
}

func compareNumbers(a, b string) int {
	m, err1 := strconv.ParseInt(a, 10, 64)
	n, err2 := strconv.ParseInt(b, 10, 64)
	if err1 == nil && err2 == nil {
		switch {
		case m < n:
			return -1
		case m > n:
			return 1
		}
		return 0
	}
	x, _ := strconv.ParseFloat(a, 64)
	y, _ := strconv.ParseFloat(b, 64)
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// appendItem writes an item as JSON.
func appendItem(dst []byte, item jsonItem) []byte {
	switch item.kind {
	case jsonNull:
		return append(dst, "null"...)
	case jsonText:
		return sqltype.AppendJSONString(dst, item.text)
	case jsonList, jsonObject:
		open, end := byte('['), byte(']')
		if item.kind == jsonObject {
			open, end = '{', '}'
		}
		dst = append(dst, open)
		for i, e := range item.items {
			if i > 0 {
				dst = append(dst, ',')
			}
			if item.kind == jsonObject {
				dst = append(sqltype.AppendJSONString(dst, item.keys[i]), ':')
			}
			dst = appendItem(dst, e)
		}
		return append(dst, end)
	}
	return append(dst, item.text...)
}
