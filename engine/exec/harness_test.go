package exec

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// The harness: rows as Go values (nil is NULL) become tables in several Arrow forms, plans over them run under several options, and each
// result is compared with what the test computed row by row.

type row []any

// relation is rows with types; its tables come in morsels of random sizes.
type relation struct {
	columns []plan.Column
	rows    []row
}

// people has few distinct texts, so that they group and join, and one column of many.
func people(rng *rand.Rand, n int) relation {
	r := relation{columns: []plan.Column{
		{Name: "name", Type: sqltype.VarcharType}, {Name: "city", Type: sqltype.VarcharType},
		{Name: "n", Type: sqltype.BigIntType}, {Name: "x", Type: sqltype.DoubleType}, {Name: "id", Type: sqltype.BigIntType},
	}}
	maybe := func(v any) any {
		if rng.IntN(7) == 0 {
			return nil
		}
		return v
	}
	for i := range n {
		r.rows = append(r.rows, row{
			maybe(fmt.Sprintf("name-%d", rng.IntN(5))), maybe(fmt.Sprintf("city-%d", rng.IntN(1+n/3))),
			maybe(int64(rng.IntN(10) - 5)), maybe(float64(rng.IntN(20)) / 4), int64(i),
		})
	}
	return r
}

func (r relation) column(i int) *expr.Column {
	return &expr.Column{Index: i, Name: r.columns[i].Name, T: r.columns[i].Type}
}

// scan returns a scan of all columns; texts are dictionary-coded if coded.
func (r relation) scan(rng *rand.Rand, coded bool, conjuncts ...expr.Expr) *plan.Scan {
	var columns []source.Column
	scan := &plan.Scan{Columns: r.columns, Conjuncts: conjuncts, Limit: -1}
	for i, c := range r.columns {
		columns = append(columns, source.Column{Name: c.Name, Type: c.Type})
		scan.Paths = append(scan.Paths, source.Path{Column: i})
	}
	var batches []vec.Batch
	for from := 0; from < len(r.rows); {
		to := min(len(r.rows), from+1+rng.IntN(max(1, len(r.rows)/2)))
		batches = append(batches, r.batch(from, to, coded))
		from = to
	}
	scan.Table = source.NewMemory("people", columns, batches)
	return scan
}

func (r relation) batch(from, to int, coded bool) vec.Batch {
	b := vec.Batch{Len: to - from}
	for i, c := range r.columns {
		cells := make([]any, 0, to-from)
		for _, row := range r.rows[from:to] {
			cells = append(cells, row[i])
		}
		b.Cols = append(b.Cols, columnOf(c.Type, cells, coded))
	}
	return b
}

func columnOf(t sqltype.Type, cells []any, coded bool) arrow.Array {
	if coded && t.Kind == sqltype.Varchar {
		builder := array.NewDictionaryBuilder(memory.DefaultAllocator, sqltype.DictionaryString).(*array.BinaryDictionaryBuilder)
		_ = builder.AppendString("never used")
		builder.Reserve(len(cells))
		for _, v := range cells {
			if v == nil {
				builder.AppendNull()
			} else if err := builder.AppendString(v.(string)); err != nil {
				panic(err)
			}
		}
		return array.NewSlice(builder.NewArray(), 1, int64(len(cells)+1))
	}
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

// setting is one way to run a plan.
type setting struct {
	workers, batchRows int
	coded              bool
	spill              bool // with no memory at all
	seed               uint64
	manyGroups         int // see Options
}

func (s setting) String() string {
	return fmt.Sprintf("workers=%d batch=%d coded=%v spill=%v seed=%d many=%d", s.workers, s.batchRows, s.coded, s.spill, s.seed, s.manyGroups)
}

// settings are the ways in which a case runs; in short runs, those under the race detector, the ways of several workers, once each.
func settings() (all []setting) {
	crews, seeds := []int{1, 4}, uint64(2)
	if testing.Short() {
		crews, seeds = []int{4}, 1
	}
	for _, workers := range crews {
		for _, batchRows := range []int{1, 7, 0} {
			for _, coded := range []bool{false, true} {
				for seed := range seeds {
					all = append(all, setting{workers, batchRows, coded, false, seed, 0})
				}
				if coded == (workers == 1) { // one form for each is enough: what is read back is plain
					all = append(all, setting{workers, batchRows, coded, true, 2, 0})
				} else if workers > 1 {
					all = append(all, setting{workers, batchRows, coded, false, 3, 1})
				}
			}
		}
	}
	return all
}

func (s setting) options() Options {
	opt := Options{Workers: s.workers, BatchRows: s.batchRows, ManyGroups: s.manyGroups, Session: fn.Session{Zone: time.UTC}}
	if s.spill {
		opt.Scratch, opt.SpillAlways = &memoryScratch{}, true
	}
	return opt
}

// sweep runs a case under all settings; make returns a plan and the rows it must yield.
func sweep(t *testing.T, ordered bool, make func(s setting, rng *rand.Rand) (plan.Node, []row)) {
	t.Helper()
	for _, s := range settings() {
		t.Run(s.String(), func(t *testing.T) {
			noLeaks(t)
			node, want := make(s, rand.New(rand.NewPCG(s.seed, 0)))
			opt := s.options()
			got, err := execute(node, opt)
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, want, ordered)
			if s.spill {
				opt.Scratch.(*memoryScratch).done(t)
			}
		})
	}
}

func same(t *testing.T, got, want []row, ordered bool) {
	t.Helper()
	g, w := lines(got), lines(want)
	if !ordered {
		slices.Sort(g)
		slices.Sort(w)
	}
	if !slices.Equal(g, w) {
		t.Fatalf("got %d rows:\n%s\nwant %d rows:\n%s", len(g), strings.Join(g, "\n"), len(w), strings.Join(w, "\n"))
	}
}

func lines(rows []row) []string {
	out := make([]string, len(rows))
	for i, r := range rows {
		out[i] = fmt.Sprintf("%v", []any(r))
	}
	return out
}

// execute runs a plan to its end and checks what every stream promises about its batches.
func execute(node plan.Node, opt Options) (rows []row, err error) {
	s, err := Run(context.Background(), node, opt)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	most := opt.BatchRows
	if most == 0 {
		most = defaultBatchRows
	}
	for {
		b, err := s.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if b.Len == 0 || b.Len > most || len(b.Cols) != len(node.Schema()) {
			return nil, fmt.Errorf("a batch of %d rows and %d columns, most %d and %d", b.Len, len(b.Cols), most, len(node.Schema()))
		}
		for i := range b.Len {
			r := row{}
			for c, col := range b.Cols {
				if col.Len() != b.Len {
					return nil, fmt.Errorf("column %d has %d rows of %d", c, col.Len(), b.Len)
				}
				r = append(r, cell(node.Schema()[c].Type, col, i))
			}
			rows = append(rows, r)
		}
	}
	if _, err := s.Next(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("after the end Next returns %v", err)
	}
	if m := s.Metrics()[node]; m.Rows != int64(len(rows)) {
		return nil, fmt.Errorf("metrics count %d rows of %d", m.Rows, len(rows))
	}
	return rows, nil
}

func cell(t sqltype.Type, a arrow.Array, i int) any {
	switch t.Kind {
	case sqltype.Array, sqltype.Map, sqltype.Row:
		return string(sqltype.AppendJSON(nil, t, a, i))
	}
	return vec.Value(a, i)
}

// noLeaks fails the test if it leaves goroutines behind.
func noLeaks(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		for range 1000 { // goroutines that are past their work may take a moment to go
			if runtime.NumGoroutine() <= before {
				return
			}
			runtime.Gosched()
			runtime.GC()
		}
		buf := make([]byte, 1<<16)
		t.Errorf("%d goroutines before, %d after\n%s", before, runtime.NumGoroutine(), buf[:runtime.Stack(buf, true)])
	})
}

func integer(v int64) expr.Expr { return expr.NewLiteral(sqltype.BigIntType, v) }
func text(v string) expr.Expr   { return expr.NewLiteral(sqltype.VarcharType, v) }

func less(a, b expr.Expr) expr.Expr  { return &expr.Compare{Op: expr.Lt, Left: a, Right: b} }
func equal(a, b expr.Expr) expr.Expr { return &expr.Compare{Op: expr.Eq, Left: a, Right: b} }
