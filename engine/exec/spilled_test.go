package exec

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// Operators that spill: every type, faults, cancellation and how much memory they hold.

// spillingPlans are plans over a table each of which writes to files when it has no memory.
func spillingPlans(scan func() plan.Node) map[string]plan.Node {
	columns := scan().Schema()
	id := new(plan.SpoolID)
	input := scan()
	return map[string]plan.Node{
		"sort":   &plan.Sort{Input: scan(), Keys: []plan.SortKey{{Expr: number, Desc: true}}, Limit: -1},
		"offset": &plan.Sort{Input: scan(), Keys: []plan.SortKey{{Expr: number}}, Limit: 1500, Offset: 700, Ties: true},
		"window": windowOver(scan(), nil, []plan.SortKey{{Expr: number}}, windowCall("cume_dist"), windowCall("sum", number)),
		"spool":  &plan.Union{Columns: columns, Children: []plan.Node{&plan.Spool{Input: input, ID: id}, &plan.Spool{Input: input, ID: id}}},
	}
}

// finite has morsels of so many batches of ten rows each.
func finite(morsels, batches int) *endless {
	return &endless{morsels: morsels, read: func(_ context.Context, _, batch int) error {
		if batch == batches {
			return io.EOF
		}
		return nil
	}}
}

// TestFaultsOfFiles: whichever operation on a temporary file fails, the query ends with an error that says so, all files are closed and no worker is left.
func TestFaultsOfFiles(t *testing.T) {
	table := func() plan.Node { return finite(3, 40).scan() }
	for name := range spillingPlans(table) {
		for _, operation := range []string{"Create", "Write", "ReadAt"} {
			for _, workers := range []int{1, 3} {
				t.Run(fmt.Sprintf("%s %s %d workers", name, operation, workers), func(t *testing.T) {
					noLeaks(t)
					for number := 0; ; number += 1 + number/2 { // the first ones, and some of the others
						fault := fmt.Errorf("fault %d", number)
						scratch := &memoryScratch{fail: func(op string, n int) error {
							if op == operation && n == number {
								return fault
							}
							return nil
						}}
						_, err := execute(spillingPlans(table)[name], Options{Workers: workers, BatchRows: 20, Scratch: scratch, SpillAlways: true})
						scratch.done(t)
						if err == nil {
							if number == 0 {
								t.Errorf("it does no %s", operation)
							}
							return // there were fewer
						}
						kind := map[string]sqlerr.Kind{"Create": sqlerr.Resource, "Write": sqlerr.Resource, "ReadAt": sqlerr.Data}[operation]
						if !errors.Is(err, fault) || sqlerr.KindOf(err) != kind || !strings.Contains(err.Error(), "temporary file") {
							t.Fatalf("%v of kind %s", err, sqlerr.KindOf(err))
						}
					}
				})
			}
		}
		t.Run(name+" of damaged files", func(t *testing.T) {
			scratch := &memoryScratch{flip: true}
			_, err := execute(spillingPlans(table)[name], Options{Workers: 2, BatchRows: 20, Scratch: scratch, SpillAlways: true})
			if sqlerr.KindOf(err) != sqlerr.Data {
				t.Errorf("got %v", err)
			}
			scratch.done(t)
		})
	}
}

// TestCancelWhileSpilling: files are closed when a query is cancelled, or given up, between any two operations on them.
func TestCancelWhileSpilling(t *testing.T) {
	table := func() plan.Node { return finite(3, 40).scan() }
	for name := range spillingPlans(table) {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			for number := 0; number < 60; number += 1 + number/2 {
				ctx, cancel := context.WithCancel(context.Background())
				scratch := &memoryScratch{fail: func(op string, n int) error {
					if op == "Write" && n == number || op == "ReadAt" && n == number {
						cancel()
					}
					return nil
				}}
				s, err := Run(ctx, spillingPlans(table)[name], Options{Workers: 2, BatchRows: 20, Scratch: scratch, SpillAlways: true})
				if err != nil {
					t.Fatal(err)
				}
				for err == nil {
					_, err = s.Next()
				}
				if sqlerr.KindOf(err) != sqlerr.Cancelled {
					t.Errorf("got %v", err)
				}
				s.Close()
				scratch.done(t)
				cancel()

				scratch = &memoryScratch{}
				if s, err = Run(context.Background(), spillingPlans(table)[name], Options{Workers: 2, BatchRows: 20, Scratch: scratch, SpillAlways: true}); err != nil {
					t.Fatal(err)
				}
				for range 1 + number {
					if _, err := s.Next(); err != nil {
						break
					}
				}
				s.Close() // in the middle
				scratch.done(t)
			}
		})
	}
}

// TestSpilledMemory: what operators account stays within the limit, but for a few batches, whatever the size of the input.
func TestSpilledMemory(t *testing.T) {
	const memory = 512 << 10
	for _, workers := range []int{1, 2} {
		wide := func() plan.Node { // 60,000 rows of 8 bytes, and of twice that with their position
			return &plan.Union{Columns: finite(1, 1).scan().Columns, Children: []plan.Node{finite(2, 3000).scan()}}
		}
		for name, n := range spillingPlans(wide) {
			t.Run(fmt.Sprintf("%s, %d workers", name, workers), func(t *testing.T) {
				scratch := &memoryScratch{}
				s, err := Run(context.Background(), n, Options{Workers: workers, Memory: memory, Scratch: scratch})
				if err != nil {
					t.Fatal(err)
				}
				peak := int64(0)
				for err == nil {
					_, err = s.Next()
					peak = max(peak, s.run.budget.used.Load())
				}
				if !errors.Is(err, io.EOF) {
					t.Fatal(err)
				}
				m := s.Metrics()
				held, spilled := int64(0), int64(0)
				for _, of := range m {
					held, spilled = held+of.Memory, spilled+of.SpilledBytes
				}
				if max(peak, held) > memory+memory/8 {
					t.Errorf("%d bytes were held at once, and %d in sum of the peaks", peak, held)
				}
				if name != "offset" && spilled == 0 {
					t.Error("nothing was spilled")
				}
				s.Close()
				scratch.done(t)
			})
		}
	}
}

// TestSortOfEveryType: rows of every type come out of files as they come out of memory, sorted by each of them in turn, with NULLs and ties.
func TestSortOfEveryType(t *testing.T) {
	names := []string{
		"boolean", "tinyint", "smallint", "integer", "bigint", "real", "double", "decimal(10,2)", "decimal(38,9)", "varchar", "char(3)", "varbinary",
		"date", "time(3)", "timestamp(6)", "timestamp(3) with time zone", "interval day to second", "interval year to month", "json", "uuid", "ipaddress",
		"ipprefix", "array(bigint)", "map(varchar, bigint)", "row(a bigint, b array(varchar))", "array(timestamp(3) with time zone)",
	}
	texts := map[string][]string{
		"boolean": {"true", "false"}, "real": {"-1.5", "NaN", "0"}, "double": {"NaN", "-Infinity", "2"}, "char(3)": {"b", "ab"}, "varchar": {"", "é", "z"},
		"date": {"1969-12-31", "2024-02-29"}, "time(3)": {"01:02:03", "23:59:59.999"}, "timestamp(6)": {"1969-12-31 23:59:59.999999", "2024-02-29"},
		"timestamp(3) with time zone": {"2024-02-29 01:00:00 Europe/Berlin", "2024-02-29 01:00:00 UTC", "2024-02-29 00:00:00 UTC"},
		"interval day to second":      {}, "interval year to month": {}, "varbinary": {}, "json": {"1", `"a"`},
		"uuid": {"12151fd2-7586-11e9-8f9e-2a86e4085a59", "f2151fd2-7586-11e9-8f9e-2a86e4085a59"}, "ipaddress": {"10.0.0.1", "2001:db8::1"},
		"ipprefix": {"10.0.0.0/8", "10.0.0.0/9"}, "array(bigint)": {"[1]", "[1, 2]", "[]"}, "map(varchar, bigint)": {`{"a": 1}`, `{"a": 2}`},
		"row(a bigint, b array(varchar))": {`{"a": 1, "b": ["x", null]}`, `{"a": null, "b": null}`},
	}
	rng := rand.New(rand.NewPCG(5, 5))
	var columns []source.Column
	b := vec.Batch{Len: 60}
	scan := &plan.Scan{Limit: -1}
	for i, name := range names {
		typ, err := sqltype.Parse(name)
		if err != nil {
			t.Fatal(name, err)
		}
		from := sqltype.VarcharType
		switch typ.Kind {
		case sqltype.Array, sqltype.Map, sqltype.Row, sqltype.JSON:
			from = sqltype.JSONType
		}
		cells := make([]any, b.Len)
		for row := range cells {
			samples, known := texts[name]
			if !known {
				samples = []string{"1", "-1", "7"}
			}
			if len(samples) > 0 && rng.IntN(5) > 0 && name != "array(timestamp(3) with time zone)" {
				cells[row] = samples[rng.IntN(len(samples))]
			}
		}
		values := columnOf(from, cells, false)
		if len(texts[name]) > 0 || texts[name] == nil && name != "array(timestamp(3) with time zone)" {
			d, err := vec.Cast(vec.Datum{Arr: values}, from, typ, false, time.UTC, time.Time{}, b.Len)
			if err != nil {
				t.Fatal(name, err)
			}
			values = d.Arr
		} else {
			values = vec.Nulls(typ, b.Len)
		}
		b.Cols = append(b.Cols, values)
		columns = append(columns, source.Column{Name: name, Type: typ})
		scan.Columns = append(scan.Columns, plan.Column{Name: name, Type: typ})
		scan.Paths = append(scan.Paths, source.Path{Column: i})
	}
	scan.Table = source.NewMemory("types", columns, []vec.Batch{b.Slice(0, 20), b.Slice(20, 60)})
	for i := range names {
		n := &plan.Sort{Input: scan, Limit: -1, Keys: []plan.SortKey{{Expr: columnIn(scan, i), Desc: i%2 == 0, NullsFirst: i%3 == 0}, {Expr: columnIn(scan, (i+1)%len(names))}}}
		want, err := execute(n, Options{Workers: 1, Session: fn.Session{Zone: time.UTC}})
		if err != nil {
			t.Fatal(err)
		}
		scratch := &memoryScratch{}
		got, err := execute(n, Options{Workers: 2, BatchRows: 7, Scratch: scratch, SpillAlways: true, Session: fn.Session{Zone: time.UTC}})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(lines(got), lines(want)) {
			t.Errorf("by %s: other rows", names[i])
		}
		scratch.done(t)
	}
}

func columnIn(n plan.Node, i int) *expr.Column {
	c := n.Schema()[i]
	return &expr.Column{Index: i, Name: c.Name, T: c.Type}
}
