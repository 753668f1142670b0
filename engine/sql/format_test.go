package sql

import (
	"testing"

	"pgregory.net/rapid"
)

// Any tree, however odd its names, prints as text that parses to the same tree.
func TestFormatRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := treeGen{t}
		q := g.query(4)
		text := Format(q)
		again, err := Parse(text)
		if err != nil {
			t.Fatalf("%s\n is refused: %v", text, err)
		}
		if !sameTree(q, again) {
			t.Fatalf("%s\n means something else: %s", text, Format(again))
		}
	})
}

func TestFormatParts(t *testing.T) {
	stmt, err := Parse("SELECT a + 1 FROM t AS x WHERE b")
	if err != nil {
		t.Fatal(err)
	}
	s := stmt.(*Query).Body.(*Select)
	for _, test := range []struct {
		node Node
		want string
	}{
		{s, "SELECT a + 1 FROM t AS x WHERE b"}, {s.Items[0].Expr, "a + 1"}, {s.From[0], "t AS x"},
	} {
		if got := Format(test.node); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

// treeGen draws trees in the form in which Parse gives them: no Query that is nothing but another Query.
type treeGen struct{ t *rapid.T }

func pick[T any](g treeGen, label string, from ...T) T {
	return rapid.SampledFrom(from).Draw(g.t, label)
}

func (g treeGen) yes(label string) bool { return rapid.Bool().Draw(g.t, label) }

func many[T any](g treeGen, least, most int, draw func() T) []T {
	var items []T
	for range rapid.IntRange(least, most).Draw(g.t, "how many") {
		items = append(items, draw())
	}
	return items
}

func (g treeGen) name() Ident {
	name := pick(g, "name", "a", "b1", "_c", "Date", "row", "array", "timestamp", "position", "all", "limit", "interval", "over", "rows", "window",
		"partition", "lateral", "unbounded", "select", "from", "table", "a b", `q"q`, "größe", "1a", "$path", "x.y", "double", "first", "at", "try_cast")
	return Ident{Name: name, Quoted: !isBareName(name) || g.yes("quoted")}
}

func (g treeGen) names(least, most int) []Ident { return many(g, least, most, g.name) }

func (g treeGen) text() string {
	return pick(g, "text", "", "a", "it's", `back\slash`, `"`, "--", "/*", "line\nbreak", "ä😀", "%_")
}

func (g treeGen) query(depth int) *Query {
	q := &Query{}
	if depth > 1 && g.yes("with") {
		q.With = &With{Recursive: g.yes("recursive"), CTEs: many(g, 1, 2, func() CTE {
			return CTE{Name: g.name(), Columns: g.names(0, 2), Query: g.query(depth - 2)}
		})}
	}
	q.Body = g.body(depth)
	if g.yes("tail") {
		q.OrderBy = g.order(depth)
		if g.yes("offset") {
			q.Offset = &Num{Text: "3"}
		}
		q.Limit = pick(g, "limit", Expr(nil), Expr(&Null{}), Expr(&Num{Text: "10"}))
		if _, number := q.Limit.(*Num); number {
			q.Ties = g.yes("ties")
		}
	}
	if inner, ok := q.Body.(*Query); ok && isBare(q) {
		return inner
	}
	return q
}

func (g treeGen) order(depth int) []OrderItem {
	return many(g, 0, 2, func() OrderItem {
		o := OrderItem{Expr: g.expr(depth - 1), Desc: g.yes("desc"), NullsSet: g.yes("nulls")}
		o.NullsFirst = o.NullsSet && g.yes("first")
		return o
	})
}

func (g treeGen) body(depth int) QueryBody {
	kind := 0
	if depth > 0 {
		kind = rapid.IntRange(0, 6).Draw(g.t, "body")
	}
	switch kind {
	case 1, 2:
		return &SetOp{Kind: pick(g, "operator", UnionOp, IntersectOp, ExceptOp), All: g.yes("all"), Left: g.body(depth - 1), Right: g.body(depth - 1)}
	case 3:
		return &ValuesBody{Rows: many(g, 1, 2, func() Expr { return g.expr(depth - 1) })}
	case 4:
		return &TableBody{Name: g.names(1, 3)}
	case 5:
		return body(g.query(depth - 1))
	}
	s := &Select{Distinct: g.yes("distinct"), From: many(g, 0, 2, func() TableExpr { return g.table(depth) })}
	s.Items = many(g, 1, 3, func() SelectItem {
		switch rapid.IntRange(0, 4).Draw(g.t, "item") {
		case 0:
			return SelectItem{Star: true}
		case 1:
			return SelectItem{Star: true, Expr: g.expr(depth - 1), StarAliases: g.names(0, 2)}
		case 2:
			alias := g.name()
			return SelectItem{Expr: g.expr(depth - 1), Alias: &alias}
		}
		return SelectItem{Expr: g.expr(depth - 1)}
	})
	if depth > 0 {
		s.Where, s.Having = g.maybe(depth), g.maybe(depth)
		s.GroupBy = many(g, 0, 2, func() GroupItem { return g.group(depth) })
		s.Windows = many(g, 0, 1, func() NamedWindow { return NamedWindow{Name: g.name(), Window: g.window(depth - 1)} })
	}
	return s
}

func (g treeGen) group(depth int) GroupItem {
	kind := pick(g, "grouping", Plain, GroupingSets, Rollup, Cube)
	if kind == Plain {
		return GroupItem{Expr: g.expr(depth - 1)}
	}
	return GroupItem{Kind: kind, Sets: many(g, 1, 2, func() []Expr { return g.exprs(0, 2, depth-1) })}
}

func (g treeGen) table(depth int) TableExpr {
	kind := 0
	if depth > 0 {
		kind = rapid.IntRange(0, 7).Draw(g.t, "table")
	}
	switch kind {
	case 1:
		return &SubqueryTable{Query: g.query(depth - 1)}
	case 2:
		return &LateralTable{Query: g.query(depth - 1)}
	case 3:
		return &UnnestTable{Exprs: g.exprs(1, 2, depth-1), Ordinality: g.yes("ordinality")}
	case 4:
		return &Aliased{Table: g.table(depth - 1), Alias: g.name(), Columns: g.names(0, 2)}
	case 5, 6:
		j := &JoinTable{Type: pick(g, "join", Inner, Left, Right, Full, CrossType), Left: g.table(depth - 1), Right: g.table(depth - 1)}
		switch {
		case j.Type == CrossType:
		case g.yes("natural"):
			j.Natural = true
		case g.yes("using"):
			j.Using = g.names(1, 2)
		default:
			j.On = g.expr(depth - 1)
		}
		return j
	case 7:
		return &Sampled{Table: g.table(depth - 1), System: g.yes("system"), Percent: g.expr(depth - 1)}
	}
	name := &TableName{Name: g.names(1, 3)}
	if g.yes("as of") {
		name.AsOf, name.Time = g.expr(depth-1), g.yes("time")
	}
	return name
}

func (g treeGen) window(depth int) Window {
	w := Window{PartitionBy: g.exprs(0, 2, depth), OrderBy: g.order(depth)}
	if g.yes("named") {
		w.Name = g.name().Name
	}
	if g.yes("frame") {
		w.Frame = &Frame{Unit: pick(g, "unit", "rows", "range", "groups"), Start: g.bound(depth), End: g.bound(depth)}
	}
	return w
}

func (g treeGen) bound(depth int) FrameBound {
	b := FrameBound{Kind: pick(g, "bound", "unbounded preceding", "preceding", "current row", "following", "unbounded following")}
	if b.Kind == "preceding" || b.Kind == "following" {
		b.Value = g.expr(depth - 1)
	}
	return b
}

func (g treeGen) exprs(least, most, depth int) []Expr {
	return many(g, least, most, func() Expr { return g.expr(depth) })
}

func (g treeGen) maybe(depth int) Expr {
	if g.yes("none") {
		return nil
	}
	return g.expr(depth - 1)
}

func (g treeGen) interval() *Interval {
	return &Interval{Negative: g.yes("negative"), Value: g.text(), From: "day", To: pick(g, "to", "", "second")}
}

func (g treeGen) typeName(depth int) TypeName {
	if depth > 0 {
		switch rapid.IntRange(0, 4).Draw(g.t, "type") {
		case 0:
			return TypeName{Name: "array", Args: []TypeName{g.typeName(depth - 1)}}
		case 1:
			return TypeName{Name: "map", Args: []TypeName{g.typeName(depth - 1), g.typeName(depth - 1)}}
		case 2:
			t := TypeName{Name: "row"}
			for range rapid.IntRange(1, 3).Draw(g.t, "fields") {
				field := ""
				if g.yes("named") {
					field = g.name().Name
				}
				t.FieldNames, t.Args = append(t.FieldNames, field), append(t.Args, g.typeName(depth-1))
			}
			return t
		}
	}
	return pick(g, "scalar", TypeName{Name: "varchar"}, TypeName{Name: "varchar", Params: []int{10}}, TypeName{Name: "decimal", Params: []int{10, 2}},
		TypeName{Name: "double"}, TypeName{Name: "timestamp with time zone", Params: []int{3}}, TypeName{Name: "time with time zone"},
		TypeName{Name: "timestamp"}, TypeName{Name: "interval day to second"}, TypeName{Name: "a b"}, TypeName{Name: "precision"}, TypeName{Name: "select"})
}

func (g treeGen) call(depth int) *Func {
	f := &Func{Name: []Ident{{Name: pick(g, "function", "f", "filter", "date", "if", "map", "trim", "listagg", "normalize", "grouping")}}}
	switch f.Name[0].Name {
	case "trim":
		f.Args = g.exprs(1, 2, depth)
		return f
	case "normalize":
		f.Args = g.exprs(1, 2, depth)
		return f
	case "listagg":
		f.Args = g.exprs(1, 2, depth)
		if g.yes("truncate") {
			f.Truncate = &Truncate{Count: g.yes("count")}
			if g.yes("filler") {
				f.Truncate.Filler = new("it's …")
			}
		}
	default:
		if f.Name[0].Name == "f" && g.yes("path") {
			f.Name = g.names(2, 3)
		}
		f.Args = g.exprs(0, 3, depth)
		f.Star = len(f.Args) == 0 && g.yes("star")
	}
	f.Distinct = len(f.Args) > 0 && g.yes("distinct")
	if !f.Star {
		f.OrderBy = g.order(depth)
	}
	f.Filter = g.maybe(depth)
	if g.yes("over") {
		w := g.window(depth)
		f.Over = &w
		f.IgnoreNulls = g.yes("ignore nulls")
	}
	return f
}

func (g treeGen) jsonFunc(depth int) *JSONFunc {
	j := &JSONFunc{Name: pick(g, "json", "exists", "value", "query"), Input: g.expr(depth), Path: g.text()}
	j.Passing = many(g, 0, 2, func() JSONArg {
		name := g.name()
		return JSONArg{Value: g.expr(depth), FormatJSON: g.yes("json"), Name: &name}
	})
	if j.Name == "exists" {
		if g.yes("on error") {
			j.OnError = &JSONOn{Action: pick(g, "action", "true", "unknown", "error")}
		}
		return j
	}
	if g.yes("returning") {
		t := g.typeName(1)
		j.Returning = &t
	}
	actions := []string{"null", "error", "default"}
	if j.Name == "query" {
		actions = []string{"null", "error", "empty array", "empty object"}
		j.Wrapper, j.OmitQuotes = pick(g, "wrapper", "", "conditional", "unconditional"), g.yes("omit")
	}
	on := func() *JSONOn {
		o := &JSONOn{Action: pick(g, "action", actions...)}
		if o.Action == "default" {
			o.Default = g.expr(depth)
		}
		return o
	}
	if g.yes("on empty") {
		j.OnEmpty = on()
	}
	if g.yes("on error") {
		j.OnError = on()
	}
	return j
}

func (g treeGen) expr(depth int) Expr {
	sub := func() Expr { return g.expr(depth - 1) }
	if depth <= 0 {
		return g.operand()
	}
	not := rapid.Bool()
	switch rapid.IntRange(0, 26).Draw(g.t, "expression") {
	case 0:
		return &Dot{Base: sub(), Field: g.name()}
	case 1:
		return &Subscript{Base: sub(), Index: sub()}
	case 2, 3:
		return &Unary{Op: pick(g, "sign", "-", "+", "not"), Arg: sub()}
	case 4, 5, 6, 7:
		return &Binary{Op: pick(g, "operator", "+", "-", "*", "/", "%", "||", "=", "<>", "<", ">=", "and", "or", "is distinct from", "is not distinct from"), Left: sub(), Right: sub()}
	case 8:
		return &Quantified{Op: "<=", Quantifier: pick(g, "quantifier", "all", "any"), Left: sub(), Query: g.query(depth - 1)}
	case 9:
		return &IsNullExpr{Arg: sub(), Not: not.Draw(g.t, "not")}
	case 10:
		return &Between{Arg: sub(), Low: sub(), High: sub(), Not: not.Draw(g.t, "not")}
	case 11:
		return &InList{Arg: sub(), List: g.exprs(1, 3, depth-1), Not: not.Draw(g.t, "not")}
	case 12:
		return &InQuery{Arg: sub(), Query: g.query(depth - 1), Not: not.Draw(g.t, "not")}
	case 25:
		return g.jsonFunc(depth - 1)
	case 26:
		j := &JSONMake{Object: g.yes("object"), Values: many(g, 0, 2, func() JSONArg { return JSONArg{Value: sub(), FormatJSON: g.yes("json")} })}
		j.Absent = !j.Object
		if g.yes("null") {
			j.Absent = !j.Absent
		}
		for range j.Values {
			if j.Object {
				j.Keys = append(j.Keys, sub())
			}
		}
		j.Unique = j.Object && g.yes("unique")
		return j
	case 13:
		return &Like{Arg: sub(), Pattern: sub(), Escape: g.maybe(depth), Not: not.Draw(g.t, "not")}
	case 14:
		return &Exists{Query: g.query(depth - 1)}
	case 15:
		return &ScalarQuery{Query: g.query(depth - 1)}
	case 16:
		return &CaseExpr{Operand: g.maybe(depth), Else: g.maybe(depth), Whens: many(g, 1, 2, func() WhenClause { return WhenClause{sub(), sub()} })}
	case 17:
		return &CastExpr{Arg: sub(), Type: g.typeName(2), Try: g.yes("try")}
	case 18, 19:
		return g.call(depth - 1)
	case 20:
		return &Extract{Field: pick(g, "field", "hour", "day_of_week", "from"), Arg: sub()}
	case 21:
		return &AtTimeZone{Arg: sub(), Zone: pick(g, "zone", Expr(&Str{Value: "UTC"}), Expr(g.interval()))}
	case 22:
		return &Lambda{Params: g.names(0, 3), Body: sub()}
	case 23:
		return &ArrayExpr{Elems: g.exprs(0, 3, depth-1)}
	case 24:
		return &RowExpr{Elems: g.exprs(1, 3, depth-1)}
	}
	return g.operand()
}

func (g treeGen) operand() Expr {
	switch rapid.IntRange(0, 8).Draw(g.t, "operand") {
	case 0:
		return &Null{}
	case 1:
		return &Bool{Value: g.yes("bool")}
	case 2:
		return &Str{Value: g.text()}
	case 3:
		return &Num{Text: pick(g, "number", "0", "1", "1.5", ".5", "1.", "1e3", "2E-4")}
	case 4:
		return &Bin{Value: []byte(g.text())}
	case 5:
		return &TypedLiteral{Type: TypeName{Name: pick(g, "literal", "date", "json", "interval", "select", "x", "u", "a b")}, Value: g.text()}
	case 6:
		return g.interval()
	case 7:
		return &Func{Name: []Ident{{Name: pick(g, "value", "current_date", "current_timestamp", "localtime")}}, NoParens: true}
	}
	return &Name{Ident: g.name()}
}
