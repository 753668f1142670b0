package logictest_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/logictest"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
)

// TestEveryFunctionHasCases requires of each function, in the logic files:
//
//	an ordinary call, under each of its names;
//	a call with a NULL, written as NULL or CAST(NULL AS …), among its arguments, if it takes any: for an aggregate this is input
//	in which all is NULL;
//	of an aggregate or window function, a call over no rows: behind WHERE false or with FILTER (WHERE false);
//	of one that can fail, a call in a statement error.
func TestEveryFunctionHasCases(t *testing.T) {
	calls := map[string]*callKinds{} // by name
	kinds := func(name string) *callKinds {
		if calls[name] == nil {
			calls[name] = &callKinds{}
		}
		return calls[name]
	}
	logicStatements(t, func(st sql.Statement, fails bool) {
		walk(reflect.ValueOf(st), false, func(node any, noRows bool) {
			name, args := called(node)
			if name == "" {
				return
			}
			k := kinds(name)
			f, isFunc := node.(*sql.Func)
			switch {
			case fails:
				k.fails = true
			case slices.ContainsFunc(args, isNull):
				k.null = true
			case noRows || isFunc && isFalse(f.Filter):
				k.noRows = true
			default:
				k.ordinary = true
			}
		})
	})
	require := func(name string, aliases []string, takesArgs, overRows, canFail bool) {
		var all callKinds
		for _, n := range append([]string{name}, aliases...) {
			k := kinds(n)
			all = callKinds{k.ordinary, all.null || k.null, all.noRows || k.noRows, all.fails || k.fails}
			if !k.ordinary {
				t.Errorf("%s is called in no logic file", n)
			}
		}
		if takesArgs && !all.null {
			t.Errorf("%s has no case with NULL for an argument", name)
		}
		if overRows && !all.noRows {
			t.Errorf("%s has no case over no rows (WHERE false)", name)
		}
		if canFail && !all.fails && !slices.Contains(onlyBySize, name) {
			t.Errorf("%s can fail, but in no logic file it does", name)
		}
	}
	for _, f := range fn.All() {
		if f.Category != "internal" {
			require(f.Name, f.Aliases, slices.ContainsFunc(f.Overloads, func(o fn.Overload) bool { return takesArgs(o.Sig) }), false, f.CanFail)
		}
	}
	for _, f := range fn.Forms() {
		require(f.Name, nil, f.Name != "grouping", false, false)
	}
	for _, a := range fn.Aggregates() {
		require(a.Name, a.Aliases, slices.ContainsFunc(a.Overloads, func(o fn.AggregateOverload) bool { return takesArgs(o.Sig) }), true, false)
	}
	for _, w := range fn.Windows() {
		require(w.Name, w.Aliases, slices.ContainsFunc(w.Overloads, func(o fn.WindowOverload) bool { return takesArgs(o.Sig) }), true, false)
	}
}

// onlyBySize fail only where the result outgrows what a batch may hold: tests of engine/fn make them.
var onlyBySize = []string{"concat", "concat_ws", "array_join", "array_union", "array_intersect", "array_except", "arrays_overlap", "zip", "map_concat",
	"contains_sequence"}

type callKinds struct{ ordinary, null, noRows, fails bool }

func takesArgs(signature string) bool { return !strings.HasPrefix(signature, "()") }

// called is the name, as in the table of functions, of what a node calls, and the arguments; "" if it calls nothing.
func called(node any) (string, []sql.Expr) {
	switch n := node.(type) {
	case *sql.Func:
		return strings.ToLower(n.Name[len(n.Name)-1].Name), n.Args
	case *sql.Binary:
		return n.Op, []sql.Expr{n.Left, n.Right}
	case *sql.Unary:
		if n.Op == "-" {
			return "negate", []sql.Expr{n.Arg}
		}
	case *sql.Like:
		return "like", []sql.Expr{n.Arg, n.Pattern}
	case *sql.Subscript:
		return "subscript", []sql.Expr{n.Base, n.Index}
	case *sql.JSONFunc:
		return "json_" + n.Name, []sql.Expr{n.Input}
	case *sql.JSONMake:
		var values []sql.Expr
		for _, v := range n.Values {
			values = append(values, v.Value)
		}
		if n.Object {
			return "json_object", values
		}
		return "json_array", values
	}
	return "", nil
}

func isNull(e sql.Expr) bool {
	switch e := e.(type) {
	case *sql.Null:
		return true
	case *sql.CastExpr:
		return isNull(e.Arg)
	}
	return false
}

func isFalse(e sql.Expr) bool {
	b, ok := e.(*sql.Bool)
	return ok && !b.Value
}

// TestWhatFailsSaysSo finds functions without CanFail that fail nevertheless: they would do so on rows that a condition leaves out. It looks
// at the statements that fail over constants.
func TestWhatFailsSaysSo(t *testing.T) {
	eng, checked := engine.New(&logictest.Catalog{}), 0
	logicStatements(t, func(st sql.Statement, fails bool) {
		q, isQuery := st.(*sql.Query)
		if !fails || !isQuery {
			return
		}
		if s, ok := q.Body.(*sql.Select); !ok || len(s.From) > 0 {
			return
		}
		calls, mayFail := false, false
		walk(reflect.ValueOf(st), false, func(node any, _ bool) {
			switch node.(type) {
			case *sql.CastExpr, *sql.ScalarQuery, *sql.AtTimeZone:
				mayFail = true
			}
			name, _ := called(node)
			f, ok := fn.Lookup(name)
			if _, isCall := node.(*sql.Func); ok && isCall {
				calls = true
			}
			mayFail = mayFail || ok && f.CanFail || strings.HasPrefix(name, "json_")
		})
		if !calls || mayFail {
			return
		}
		checked++
		if _, _, err := run(eng, sql.Format(st), engine.Options{Workers: 1, Now: now}); sqlerr.KindOf(err) == sqlerr.Value {
			t.Errorf("%s: %v; but no function in it says that it can fail", sql.Format(st), err)
		}
	})
	if checked < 10 {
		t.Errorf("only %d statements were looked at", checked)
	}
}

// TestEveryClauseHasCases requires that each field of each node of the tree of a query is set in some query of the logic files,
// and that each of the words that a field may hold occurs.
func TestEveryClauseHasCases(t *testing.T) {
	set, words := map[string]bool{}, map[string]bool{}
	logicStatements(t, func(st sql.Statement, fails bool) {
		if fails {
			return
		}
		walkStructs(reflect.ValueOf(st), func(v reflect.Value) {
			set[v.Type().Name()] = true
			for i := range v.NumField() {
				name := v.Type().Name() + "." + v.Type().Field(i).Name
				if !v.Field(i).IsZero() {
					set[name] = true
				}
				switch f := v.Field(i); f.Kind() {
				case reflect.String:
					words[name+" "+f.String()] = true
				case reflect.Uint8:
					words[fmt.Sprint(name, " ", f.Uint())] = true
				}
			}
		})
	})
	parsed, err := parser.ParseFile(token.NewFileSet(), "../sql/ast.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ignored := map[string]bool{ // besides other statements than queries
		"At": true, "Ident": true, "TypeName": true,
		"Param": true, // only programs have parameters: see engine.Options
		// Only tables of a lake have versions: see TestAsOf of catalog/compact; versions.test has what has none.
		"TableName.AsOf": true, "TableName.Time": true,
	}
	for _, d := range parsed.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == "statement" {
			if name := f.Recv.List[0].Type.(*ast.StarExpr).X.(*ast.Ident).Name; name != "Query" {
				ignored[name] = true
			}
		}
	}
	n := 0
	ast.Inspect(parsed, func(node ast.Node) bool {
		spec, ok := node.(*ast.TypeSpec)
		if !ok {
			return true
		}
		fields, ok := spec.Type.(*ast.StructType)
		if !ok || ignored[spec.Name.Name] {
			return true
		}
		n++
		if !set[spec.Name.Name] {
			t.Errorf("no query of the logic files has a %s", spec.Name.Name)
			return true
		}
		for _, f := range fields.Fields.List {
			for _, name := range f.Names {
				if full := spec.Name.Name + "." + name.Name; !set[full] && !ignored[full] {
					t.Errorf("no query of the logic files has a %s", full)
				}
			}
		}
		return true
	})
	if n < 50 {
		t.Errorf("only %d kinds of nodes found", n)
	}
	for field, list := range map[string]string{
		"Binary.Op":             "+,-,*,/,%,||,=,<>,<,<=,>,>=,and,or,is distinct from,is not distinct from",
		"Unary.Op":              "-,+,not",
		"Quantified.Op":         "=,<>,<,<=,>,>=",
		"Quantified.Quantifier": "all,any",
		"Interval.From":         "year,month,day,hour,minute,second",
		"Interval.To":           ",month,hour,minute,second",
		"Frame.Unit":            "rows,range,groups",
		"FrameBound.Kind":       "unbounded preceding,preceding,current row,following,unbounded following",
		"JSONFunc.Wrapper":      ",conditional,unconditional",
		"JSONOn.Action":         "null,error,default,empty array,empty object,true,false,unknown",
		"GroupItem.Kind":        "0,1,2,3",
		"SetOp.Kind":            "0,1,2",
		"JoinTable.Type":        "0,1,2,3,4",
		"Extract.Field": "year,quarter,month,week,day,day_of_month,day_of_week,dow,day_of_year,doy,year_of_week,yow,hour,minute,second," +
			"timezone_hour,timezone_minute",
	} {
		for word := range strings.SplitSeq(list, ",") {
			if !words[field+" "+word] {
				t.Errorf("no query of the logic files has %q for %s", word, field)
			}
		}
	}
}

// logicStatements calls visit for the statements of the logic files that can be parsed; fails says that an error is expected.
func logicStatements(t *testing.T, visit func(st sql.Statement, fails bool)) {
	t.Helper()
	for _, file := range logicFiles(t) {
		records, err := readRecords(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			if len(r.directive) == 0 {
				continue
			}
			fails := r.directive[0] == "statement" && r.directive[1] == "error"
			if r.directive[0] != "query" && r.directive[0] != "statement" {
				continue
			}
			if st, err := sql.Parse(r.text); err == nil {
				visit(st, fails)
			} else if !fails {
				t.Errorf("%s:%d: %v", file, r.line, err)
			}
		}
	}
}

// walk calls visit for each node that is held by a pointer; noRows says that it stands in the select list of SELECT … WHERE false.
func walk(v reflect.Value, noRows bool, visit func(node any, noRows bool)) {
	switch v.Kind() {
	case reflect.Interface:
		walk(v.Elem(), noRows, visit)
	case reflect.Pointer:
		if v.IsNil() {
			return
		}
		if s, ok := v.Interface().(*sql.Select); ok {
			noRows = isFalse(s.Where)
		}
		visit(v.Interface(), noRows)
		walk(v.Elem(), noRows, visit)
	case reflect.Slice:
		for i := range v.Len() {
			walk(v.Index(i), noRows, visit)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			walk(v.Field(i), noRows, visit)
		}
	}
}

func walkStructs(v reflect.Value, visit func(v reflect.Value)) {
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if !v.IsNil() {
			walkStructs(v.Elem(), visit)
		}
	case reflect.Slice:
		for i := range v.Len() {
			walkStructs(v.Index(i), visit)
		}
	case reflect.Struct:
		visit(v)
		for i := range v.NumField() {
			walkStructs(v.Field(i), visit)
		}
	}
}
