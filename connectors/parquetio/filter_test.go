package parquetio

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// events is a table like CloudTrail's: sorted by time, repetitive and unique text, a row, an array, constants per file.
var events = []source.Column{
	{Name: "_time", Type: sqltype.TimestampType},
	{Name: "eventname", Type: sqltype.VarcharType},
	{Name: "eventid", Type: sqltype.VarcharType},
	{Name: "size", Type: sqltype.BigIntType},
	{Name: "readonly", Type: sqltype.BooleanType},
	{Name: "score", Type: sqltype.DoubleType},
	{Name: "identity", Type: sqltype.RowOf(sqltype.Field{Name: "type", Type: sqltype.VarcharType}, sqltype.Field{Name: "level", Type: sqltype.IntegerType})},
	{Name: "resources", Type: sqltype.ArrayOf(sqltype.VarcharType)},
	{Name: "json", Type: sqltype.VarcharType},
	{Name: "account", Type: sqltype.VarcharType}, // in no file
	{Name: "missing", Type: sqltype.BigIntType},  // nor this one
}

const storedColumns = 9 // of events

func randomEvents(t *rapid.T, start, n int) vec.Batch {
	b := vec.Batch{Len: n}
	names := rapid.SliceOfN(rapid.SampledFrom(words), 1, 4).Draw(t, "names")
	pick := func(label string, k int) int { return rapid.IntRange(0, k-1).Draw(t, label) }
	null := func() bool { return pick("null", 6) == 0 }
	builders := make([]array.Builder, storedColumns)
	for i := range builders {
		builders[i] = array.NewBuilder(memory.DefaultAllocator, events[i].Type.Arrow())
	}
	for row := range n {
		if null() {
			builders[0].AppendNull()
		} else {
			builders[0].(*array.TimestampBuilder).Append(arrow.Timestamp(start+row) * 1e6)
		}
		for i := 1; i < storedColumns; i++ {
			if i != 2 && null() {
				builders[i].AppendNull()
				continue
			}
			switch i {
			case 1:
				builders[i].(*array.StringBuilder).Append(names[pick("name", len(names))])
			case 2:
				builders[i].(*array.StringBuilder).Append(fmt.Sprintf("id-%d", (start+row)*7919%10007))
			case 3:
				builders[i].(*array.Int64Builder).Append(int64(pick("size", 30) - 10))
			case 8:
				builders[i].(*array.StringBuilder).Append(fmt.Sprintf(`{"k":%d}`, pick("json", 1000)))
			default:
				appendValue(t, builders[i], events[i].Type, 5)
			}
		}
	}
	for i, bl := range builders {
		a := bl.NewArray()
		if i == 1 {
			a = coded(a.(*array.String))
		}
		b.Cols = append(b.Cols, a)
	}
	return b
}

var session = &fn.Session{Zone: time.UTC}

// randomPredicate uses the paths of a request; types are theirs.
func randomPredicate(t *rapid.T, types []sqltype.Type, depth int) expr.Expr {
	kind := rapid.IntRange(0, 9).Draw(t, "predicate")
	if depth > 0 && kind < 3 {
		a, b := randomPredicate(t, types, depth-1), randomPredicate(t, types, depth-1)
		switch kind {
		case 0:
			return &expr.And{Args: []expr.Expr{a, b}}
		case 1:
			return &expr.Or{Args: []expr.Expr{a, b}}
		}
		return &expr.Not{Arg: a}
	}
	i := rapid.IntRange(0, len(types)-1).Draw(t, "column")
	column := &expr.Column{Index: i, Name: fmt.Sprintf("p%d", i), T: types[i]}
	literal := func() expr.Expr {
		n := rapid.IntRange(-1, 12).Draw(t, "literal")
		switch types[i].Kind {
		case sqltype.Varchar:
			texts := append([]string{"id-0", "id-7919", "id-none", "111", `{"k":5}`, "ConsoleLogim", "~"}, words...)
			return expr.NewLiteral(types[i], rapid.SampledFrom(texts).Draw(t, "text"))
		case sqltype.Boolean:
			return expr.NewLiteral(types[i], n%2 == 0)
		case sqltype.Double:
			return expr.NewLiteral(types[i], float64(n)/2)
		case sqltype.Timestamp:
			return expr.NewLiteral(types[i], int64(n)*10e6)
		default:
			return expr.NewLiteral(types[i], int64(n))
		}
	}
	switch {
	case types[i].Kind == sqltype.Array && types[i].Elem.Kind == sqltype.Varchar && kind > 5:
		contains, _ := fn.Lookup("contains")
		overload, _, result, err := contains.Resolve([]sqltype.Type{types[i], sqltype.VarcharType})
		if err != nil {
			t.Fatal(err)
		}
		text := rapid.SampledFrom(append([]string{"none"}, words...)).Draw(t, "element")
		return &expr.Call{Fn: contains, Overload: overload, Args: []expr.Expr{column, expr.NewLiteral(sqltype.VarcharType, text)}, T: result, Memo: &fn.Memo{}}
	case types[i].Kind == sqltype.Row || types[i].Kind == sqltype.Array || kind == 3:
		return &expr.IsNull{Arg: column}
	case kind == 4:
		return &expr.In{Arg: column, List: []expr.Expr{literal(), literal(), literal()}, Memo: &fn.Memo{}}
	case kind == 5 && types[i].Kind == sqltype.Varchar:
		like, _ := fn.Lookup("like")
		overload, _, result, err := like.Resolve([]sqltype.Type{sqltype.VarcharType, sqltype.VarcharType})
		if err != nil {
			t.Fatal(err)
		}
		pattern := rapid.SampledFrom([]string{"Console%", "%o%", "id-1%", "_", "%", ""}).Draw(t, "pattern")
		return &expr.Call{Fn: like, Overload: overload, Args: []expr.Expr{column, expr.NewLiteral(sqltype.VarcharType, pattern)}, T: result, Memo: &fn.Memo{}}
	}
	return &expr.Compare{Op: expr.CompareOp(rapid.IntRange(0, 7).Draw(t, "op")), Left: column, Right: literal()}
}

func TestPruningChangesNoAnswer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stored [][]byte
		var inputs []vec.Batch // with all columns of the table
		var counts []int64
		accounts := []any{"111", "222", nil}
		for f := range rapid.IntRange(1, 3).Draw(t, "files") {
			n := rapid.IntRange(1, 80).Draw(t, "rows")
			b := randomEvents(t, f*100, n)
			data, w := writePaged(t, rapid.IntRange(1, 30).Draw(t, "page"), WriteOptions{
				Columns: events[:storedColumns], RowGroupRows: rapid.IntRange(5, 80).Draw(t, "group"),
				Bloom: []string{"eventid", "eventname", "identity.type", "size", "resources.list.element"}, NoStats: []string{"json"},
			}, b)
			stored = append(stored, data)
			counts = append(counts, w.Rows)
			account := vec.Nulls(sqltype.VarcharType, 1)
			if accounts[f] != nil {
				account = vec.FromValue(sqltype.VarcharType, accounts[f])
			}
			b.Cols = append(slices.Clone(b.Cols), vec.Column(vec.Datum{Arr: account, Const: true}, n), vec.Nulls(sqltype.BigIntType, n))
			inputs = append(inputs, b)
		}
		store, files := newMemoryStore(stored...)
		for f := range files {
			files[f].Rows = counts[f]
			files[f].Constants = map[string]any{"account": accounts[f]}
		}

		var choices []source.Path
		for i, c := range events {
			choices = append(choices, leafPaths(c.Type, source.Path{Column: i})...)
		}
		for range 8 { // requests for the same files
			req := source.Request{Limit: -1}
			var types []sqltype.Type
			for range rapid.IntRange(1, 6).Draw(t, "paths") {
				p := rapid.SampledFrom(choices).Draw(t, "path")
				req.Paths = append(req.Paths, p)
				ty, _, _ := pathShape(events[p.Column].Type, nil, p.Fields)
				types = append(types, ty)
			}
			for range rapid.IntRange(0, 3).Draw(t, "conjuncts") {
				req.Conjuncts = append(req.Conjuncts, randomPredicate(t, types, 2))
			}
			flip := func(name string) bool { return rapid.Bool().Draw(t, name) }
			req.Off = source.Switches{RowGroup: flip("off row group"), Bloom: flip("off bloom"), Dictionary: flip("off dictionary"), Page: flip("off page"), Late: flip("off late")}
			req.BatchRows = rapid.SampledFrom([]int{0, 1, 7, 100}).Draw(t, "batch")

			var want []string
			for _, in := range inputs {
				b := vec.Batch{Len: in.Len}
				for _, p := range req.Paths {
					a := in.Cols[p.Column]
					for _, f := range p.Fields {
						a = vec.Mask(fieldOf(a, f), a)
					}
					b.Cols = append(b.Cols, a)
				}
				rows, all, err := expr.Select(req.Conjuncts, b, session)
				if err != nil {
					t.Fatal(err)
				}
				if !all {
					b = b.Take(rows)
				}
				want = append(want, rowsText(b)...)
			}
			batches, report, err := scanAll(store, files, events, req)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, b := range batches {
				got = append(got, rowsText(b)...)
			}
			var told []string
			for _, c := range req.Conjuncts {
				told = append(told, expr.Format(c))
			}
			if !slices.Equal(got, want) {
				t.Fatalf("paths %v, conjuncts %s, off %+v:\ngot  %d rows %v\nwant %d rows %v\nnotes %s", req.Paths, strings.Join(told, " AND "), req.Off, len(got), got, len(want), want, report.Notes)
			}
		}
	})
}

func rowsText(b vec.Batch) []string {
	rows := make([]string, b.Len)
	for i := range rows {
		for _, c := range b.Cols {
			rows[i] += show(c, i) + " "
		}
	}
	return rows
}

func TestFailingPredicatesSeeOnlyTheirRows(t *testing.T) {
	for _, repeat := range []int{1, 5} { // plain, dictionary-coded
		col, a := text("c", slices.Repeat([]string{"1", "x", "2", "NULL"}, repeat)...)
		data, w, _ := oneColumn(t, col, a, WriteOptions{})
		store, files := newMemoryStore(data)
		files[0].Rows = w.Rows
		column := &expr.Column{Name: "c", T: sqltype.VarcharType}
		number := &expr.Compare{Op: expr.Gt, Left: &expr.Cast{Arg: column, T: sqltype.BigIntType}, Right: expr.NewLiteral(sqltype.BigIntType, int64(1))}
		notX := &expr.Compare{Op: expr.Ne, Left: column, Right: expr.NewLiteral(sqltype.VarcharType, "x")}

		for _, order := range [][]expr.Expr{{notX, number}, {number, notX}} { // what cannot fail runs first
			batches, _, err := scanAll(store, files, []source.Column{col}, firstColumn(order...))
			if err != nil || countRows(batches) != int64(repeat) {
				t.Errorf("behind a guard: %d rows, %v", countRows(batches), err)
			}
		}
		_, _, err := scanAll(store, files, []source.Column{col}, firstColumn(number))
		if sqlerr.KindOf(err) != sqlerr.Value {
			t.Errorf("a query's own mistake, not the file's; got kind %q: %v", sqlerr.KindOf(err), err)
		}
	}
}

func TestVolatileConjunctsAreLeftToTheCaller(t *testing.T) {
	random, ok := fn.Lookup("random")
	if !ok {
		t.Skip("there is no random()")
	}
	overload, _, result, err := random.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	call := &expr.Call{Fn: random, Overload: overload, T: result, Memo: &fn.Memo{}}
	never := &expr.Compare{Op: expr.Lt, Left: call, Right: expr.NewLiteral(sqltype.DoubleType, -1.0)}
	col, a := text("c", "a", "b")
	data, w, _ := oneColumn(t, col, a, WriteOptions{})
	store, files := newMemoryStore(data)
	files[0].Rows = w.Rows
	req := firstColumn(never, compare(expr.Eq, sqltype.VarcharType, "a")[0])
	s, err := NewScan(background, store, files, []source.Column{col}, req, &source.Report{})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Applied(); !slices.Equal(got, []bool{false, true}) {
		t.Errorf("applied %v", got)
	}
	if batches, _, err := scanAll(store, files, []source.Column{col}, req); err != nil || countRows(batches) != 1 {
		t.Errorf("%d rows, %v", countRows(batches), err)
	}
}
