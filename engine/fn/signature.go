package fn

import (
	"fmt"
	"slices"
	"strings"

	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
)

// signature is a parsed Sig.
type signature struct {
	params   []pattern
	variadic bool // the last of params repeats, at least once
	result   pattern
}

// pattern is the shape of a type: a concrete type, a variable, or a nested type that holds patterns.
type pattern struct {
	variable byte         // 'A'…'Z', 0 if none; 'O' takes only types whose values have an order
	any      bool         // takes every type
	decimal  bool         // takes every decimal
	leaf     sqltype.Type // where the rest is unset
	kind     sqltype.Kind // Array, Map, Row or Function, where parts is set; a function's last part is its result
	parts    []pattern
}

// leaves are the types that signatures may name.
var leaves = map[string]sqltype.Type{
	"boolean": sqltype.BooleanType, "tinyint": sqltype.TinyIntType, "smallint": sqltype.SmallIntType,
	"integer": sqltype.IntegerType, "bigint": sqltype.BigIntType, "real": sqltype.RealType, "double": sqltype.DoubleType,
	"varchar": sqltype.VarcharType, "varbinary": sqltype.VarbinaryType, "json": sqltype.JSONType,
	"ipaddress": sqltype.IPAddressType, "ipprefix": sqltype.IPPrefixType, "uuid": sqltype.UUIDType,
	"date": sqltype.DateType, "time": sqltype.TimeType, "timestamp": sqltype.TimestampType,
	"time with time zone": sqltype.TimeTZType, "timestamp with time zone": sqltype.TimestampTZType,
	"interval day to second": sqltype.IntervalDayType, "interval year to month": sqltype.IntervalYearType,
}

// parseSignature reads "(varchar, array(T)...) -> map(T, bigint)". It panics on anything else: signatures are ours.
func parseSignature(text string) signature {
	head, tail, found := strings.Cut(text, " -> ")
	if !found || !strings.HasPrefix(head, "(") || !strings.HasSuffix(head, ")") {
		panic(fmt.Sprintf("fn: %q is no signature", text))
	}
	s := signature{result: parsePattern(tail)}
	head = head[1 : len(head)-1]
	if strings.HasSuffix(head, "...") {
		s.variadic = true
		head = strings.TrimSuffix(head, "...")
	}
	for _, part := range splitParts(head) {
		s.params = append(s.params, parsePattern(part))
	}
	return s
}

// splitParts cuts at the commas outside parentheses.
func splitParts(text string) []string {
	if text == "" {
		return nil
	}
	var parts []string
	depth, start := 0, 0
	for i, c := range text {
		switch {
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ',' && depth == 0:
			parts = append(parts, strings.TrimSpace(text[start:i]))
			start = i + 1
		}
	}
	return append(parts, strings.TrimSpace(text[start:]))
}

func parsePattern(text string) pattern {
	if len(text) == 1 && text[0] >= 'A' && text[0] <= 'Z' {
		return pattern{variable: text[0]}
	}
	switch text {
	case "any":
		return pattern{any: true}
	case "decimal":
		return pattern{decimal: true}
	case "row":
		return pattern{leaf: sqltype.Type{Kind: sqltype.Row}} // only as a result that Result replaces
	}
	if t, ok := leaves[text]; ok {
		return pattern{leaf: t}
	}
	name, rest, found := strings.Cut(text, "(")
	if found && strings.HasSuffix(rest, ")") {
		p := pattern{}
		for _, part := range splitParts(rest[:len(rest)-1]) {
			p.parts = append(p.parts, parsePattern(part))
		}
		switch {
		case name == "array" && len(p.parts) == 1:
			p.kind = sqltype.Array
			return p
		case name == "map" && len(p.parts) == 2:
			p.kind = sqltype.Map
			return p
		case name == "row":
			p.kind = sqltype.Row
			return p
		case name == "function":
			p.kind = sqltype.Function
			return p
		}
	}
	panic(fmt.Sprintf("fn: no type %q in a signature", text))
}

// bindings are the types that variables stand for; Unknown with set means only NULL was seen.
type bindings [26]struct {
	t   sqltype.Type
	set bool
}

// partsOf returns the element types of a nested type.
func partsOf(t sqltype.Type) []sqltype.Type {
	switch t.Kind {
	case sqltype.Array:
		return []sqltype.Type{*t.Elem}
	case sqltype.Map:
		return []sqltype.Type{*t.Key, *t.Elem}
	}
	parts := make([]sqltype.Type, len(t.Fields))
	for i, f := range t.Fields {
		parts[i] = f.Type
	}
	if t.Kind == sqltype.Function {
		parts = append(parts, *t.Elem)
	}
	return parts
}

// unify binds the variables of p so that t, perhaps coerced, fits.
func (b *bindings) unify(p pattern, t sqltype.Type) bool {
	switch {
	case t.Kind == sqltype.Function || p.kind == sqltype.Function: // what a lambda gives is known later, see lambdas
		return t.Kind == p.kind && len(t.Fields) == len(p.parts)-1
	case p.variable != 0:
		v := &b[p.variable-'A']
		if !v.set {
			v.t, v.set = t, true
			return true
		}
		common, ok := sqltype.Common(v.t, t)
		if ok {
			v.t = common
		}
		return ok
	case p.parts != nil && t.Kind != sqltype.Unknown:
		parts := partsOf(t)
		if t.Kind != p.kind || len(parts) != len(p.parts) {
			return false
		}
		for i, part := range p.parts {
			if !b.unify(part, parts[i]) {
				return false
			}
		}
	case p.parts != nil: // NULL: variables below stay as they are, unknown if nothing else binds them
		for _, part := range p.parts {
			if v := part.variable; v != 0 && !b[v-'A'].set {
				b[v-'A'].t, b[v-'A'].set = sqltype.UnknownType, true
			}
		}
	}
	return true
}

// target is the type that an argument of type t must have to fit p, once variables are bound.
func (b *bindings) target(p pattern, t sqltype.Type) (sqltype.Type, bool) {
	switch {
	case p.any:
		return t, true
	case p.decimal:
		switch t.Kind {
		case sqltype.Decimal:
			return t, true
		case sqltype.Unknown:
			return sqltype.DecimalOf(1, 0), true
		case sqltype.TinyInt:
			return sqltype.DecimalOf(3, 0), true
		case sqltype.SmallInt:
			return sqltype.DecimalOf(5, 0), true
		case sqltype.Integer:
			return sqltype.DecimalOf(10, 0), true
		case sqltype.BigInt:
			return sqltype.DecimalOf(19, 0), true
		}
		return sqltype.Type{}, false
	}
	want := b.substitute(p)
	if p.kind == sqltype.Function {
		return want, sqltype.CanCoerce(*t.Elem, *want.Elem)
	}
	if sameForm(t, want) {
		return t, true
	}
	return want, sqltype.CanCoerce(t, want)
}

// substitute is p with its variables replaced.
func (b *bindings) substitute(p pattern) sqltype.Type {
	switch {
	case p.variable != 0:
		return b[p.variable-'A'].t
	case p.parts == nil:
		return p.leaf
	}
	parts := make([]sqltype.Type, len(p.parts))
	for i, part := range p.parts {
		parts[i] = b.substitute(part)
	}
	switch p.kind {
	case sqltype.Array:
		return sqltype.ArrayOf(parts[0])
	case sqltype.Map:
		return sqltype.MapOf(parts[0], parts[1])
	case sqltype.Function:
		return sqltype.FunctionOf(parts[:len(parts)-1], parts[len(parts)-1])
	}
	fields := make([]sqltype.Field, len(parts))
	for i, part := range parts {
		fields[i].Type = part
	}
	return sqltype.RowOf(fields...)
}

// sameForm reports whether values of both types look alike, so that no cast is needed: lengths of varchar,
// printing precision of times and names of fields do not count.
func sameForm(t, u sqltype.Type) bool {
	if t.Kind != u.Kind {
		return false
	}
	switch t.Kind {
	case sqltype.Decimal:
		return t.Precision == u.Precision && t.Scale == u.Scale
	case sqltype.Array, sqltype.Map, sqltype.Row, sqltype.Function:
		tp, up := partsOf(t), partsOf(u)
		if len(tp) != len(up) {
			return false
		}
		for i := range tp {
			if !sameForm(tp[i], up[i]) {
				return false
			}
		}
	}
	return true
}

// Body binds the lambda that is argument i for parameters of the given types, and returns the type of its body. It is called
// again where the types turn out to be wider: the last call counts.
type Body func(i int, params []sqltype.Type) sqltype.Type

// lambdas binds the variables that the results of lambdas decide. A result may widen a variable that parameters depend on, as the state
// of reduce(a, 0, (s, x) -> s + x, s -> s) is bigint where x is; then they are bound anew, until nothing changes. args is told their types.
func (s *signature) lambdas(b *bindings, args []sqltype.Type, body Body) bool {
	for range maxWidenings {
		before := *b
		for i, t := range args {
			if t.Kind != sqltype.Function {
				continue
			}
			p := s.params[min(i, len(s.params)-1)]
			last := len(p.parts) - 1
			params := partsOf(b.substitute(p))[:last]
			result := body(i, params)
			args[i] = sqltype.FunctionOf(params, result)
			if !b.unify(p.parts[last], result) {
				return false
			}
		}
		stable := true
		for i := range b {
			v := &b[i]
			if !before[i].set || sameForm(before[i].t, v.t) {
				continue
			}
			stable = false
			if v.t.Kind == sqltype.Decimal { // each sum is a digit wider
				v.t.Precision = 38
			}
		}
		if stable {
			return true
		}
	}
	return false
}

// maxWidenings is how often lambdas are bound anew for wider types: the numeric types are fewer.
const maxWidenings = 8

// match says what the arguments must be cast to for the signature, and how many casts that takes.
func (s *signature) match(args []sqltype.Type, body Body) (params []sqltype.Type, b bindings, casts int, ok bool) {
	if len(args) != len(s.params) && !(s.variadic && len(args) >= len(s.params)) {
		return nil, b, 0, false
	}
	param := func(i int) pattern { return s.params[min(i, len(s.params)-1)] }
	for i, t := range args {
		if !b.unify(param(i), t) {
			return nil, b, 0, false
		}
	}
	if !s.lambdas(&b, args, body) || !b['O'-'A'].t.Orderable() {
		return nil, b, 0, false
	}
	params = make([]sqltype.Type, len(args))
	for i, t := range args {
		if params[i], ok = b.target(param(i), t); !ok {
			return nil, b, 0, false
		}
		if !sameForm(t, params[i]) {
			casts++
		}
	}
	return params, b, casts, true
}

// chosen is the best of several signatures for some arguments.
type chosen struct {
	index  int
	params []sqltype.Type
	result sqltype.Type
}

// choose returns the signature that takes the fewest casts, the first of equals; index -1 if none fits.
func choose(sigs []*signature, results []func([]sqltype.Type) sqltype.Type, args []sqltype.Type, body Body) chosen {
	best, fewest := chosen{index: -1}, 0
	for i, s := range sigs {
		params, b, casts, ok := s.match(args, body)
		if !ok || best.index >= 0 && casts >= fewest {
			continue
		}
		fewest = casts
		best = chosen{index: i, params: params}
		if results[i] != nil {
			best.result = results[i](params)
		} else {
			best.result = finest(b.substitute(s.result), params)
		}
		if casts == 0 {
			break
		}
	}
	return best
}

// finest is a result that is a time with as many digits as the arguments have, where these have more.
func finest(result sqltype.Type, params []sqltype.Type) sqltype.Type {
	if !clockTime(result) {
		return result
	}
	for _, p := range params {
		if clockTime(p) {
			result.Precision = max(result.Precision, p.Precision)
		}
	}
	return result
}

// clockTime reports whether t has digits after the second.
func clockTime(t sqltype.Type) bool { return t.Kind >= sqltype.Time && t.Kind <= sqltype.TimestampTZ }

// Resolve chooses the overload for arguments of the given types. params holds the type that each argument must be
// cast to (its own where no cast is needed). The overload with the fewest casts wins, the first of equals.
// The error is an *sqlerr.Error of kind Type that lists what the function takes.
func (f *Function) Resolve(args []sqltype.Type) (o *Overload, params []sqltype.Type, result sqltype.Type, err error) {
	return f.ResolveLambdas(args, nil)
}

// ResolveLambdas is Resolve where arguments of kind Function are lambdas of as many parameters, their types being unknown yet. params has
// the types that a lambda was bound for at last, and the one that its body must be cast to.
func (f *Function) ResolveLambdas(args []sqltype.Type, body Body) (o *Overload, params []sqltype.Type, result sqltype.Type, err error) {
	args = slices.Clone(args)
	sigs := make([]*signature, len(f.Overloads))
	results := make([]func([]sqltype.Type) sqltype.Type, len(f.Overloads))
	texts := make([]string, len(f.Overloads))
	for i := range f.Overloads {
		sigs[i], results[i], texts[i] = &f.Overloads[i].sig, f.Overloads[i].Result, f.Overloads[i].Sig
	}
	c := choose(sigs, results, args, body)
	if c.index < 0 {
		return nil, nil, sqltype.Type{}, noOverload(f.Name, texts, args)
	}
	return &f.Overloads[c.index], c.params, c.result, nil
}

// Resolve is Function.Resolve for aggregates.
func (a *Aggregate) Resolve(args []sqltype.Type) (o *AggregateOverload, params []sqltype.Type, result sqltype.Type, err error) {
	sigs := make([]*signature, len(a.Overloads))
	results := make([]func([]sqltype.Type) sqltype.Type, len(a.Overloads))
	texts := make([]string, len(a.Overloads))
	for i := range a.Overloads {
		sigs[i], results[i], texts[i] = &a.Overloads[i].sig, a.Overloads[i].Result, a.Overloads[i].Sig
	}
	c := choose(sigs, results, args, nil)
	if c.index < 0 {
		return nil, nil, sqltype.Type{}, noOverload(a.Name, texts, args)
	}
	return &a.Overloads[c.index], c.params, c.result, nil
}

// Resolve is Function.Resolve for window functions.
func (w *WindowFunction) Resolve(args []sqltype.Type) (o *WindowOverload, params []sqltype.Type, result sqltype.Type, err error) {
	sigs := make([]*signature, len(w.Overloads))
	results := make([]func([]sqltype.Type) sqltype.Type, len(w.Overloads))
	texts := make([]string, len(w.Overloads))
	for i := range w.Overloads {
		sigs[i], results[i], texts[i] = &w.Overloads[i].sig, w.Overloads[i].Result, w.Overloads[i].Sig
	}
	c := choose(sigs, results, args, nil)
	if c.index < 0 {
		return nil, nil, sqltype.Type{}, noOverload(w.Name, texts, args)
	}
	return &w.Overloads[c.index], c.params, c.result, nil
}

func noOverload(name string, sigs []string, args []sqltype.Type) error {
	given := make([]string, len(args))
	for i, t := range args {
		given[i] = t.String()
	}
	var takes, near []string
	for _, s := range sigs {
		params, _, _ := strings.Cut(s, " -> ")
		takes = append(takes, params)
		if parts := splitParts(params[1 : len(params)-1]); len(parts) == len(args) && slices.ContainsFunc(args, func(t sqltype.Type) bool {
			return slices.Contains(parts, plainName(t))
		}) {
			near = append(near, params)
		}
	}
	const many = 8
	if len(takes) > many && len(near) > 0 {
		takes = near
	}
	return sqlerr.New(sqlerr.Type, 0, "%s cannot be applied to (%s)", name, strings.Join(given, ", ")).
		WithHint("it takes %s", strings.Join(takes, " or "))
}

// plainName is the name of a type without its parameters.
func plainName(t sqltype.Type) string {
	name, rest, _ := strings.Cut(t.String(), "(")
	_, rest, _ = strings.Cut(rest, ")")
	return name + rest
}
