package exec

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// Aggregates and joins that outgrow their memory give what they give in memory. The other tests of the room run them with no memory at all,
// too; here are real limits, every type of key, faults of the disk and cancellation.

// skewed has n texts of which each is there twice, one city that nine rows of ten have, and an id.
func skewed(n int) relation {
	r := relation{columns: people(nil, 0).columns}
	for i := range n {
		city := "everywhere"
		if i%10 == 0 {
			city = fmt.Sprint("city-", i)
		}
		r.rows = append(r.rows, row{fmt.Sprintf("a name that takes some room, and the number %d", i%(n/2)), city, int64(i % 7), float64(i), int64(i)})
	}
	return r
}

// grouped is an aggregate of r by keys.
func grouped(r relation, scan plan.Node, keys []int, calls ...plan.AggregateCall) *plan.Aggregate {
	n := &plan.Aggregate{Input: scan, Aggs: calls}
	for _, key := range keys {
		n.Keys = append(n.Keys, r.column(key))
		n.Columns = append(n.Columns, r.columns[key])
	}
	for _, call := range calls {
		n.Columns = append(n.Columns, plan.Column{Type: call.T})
	}
	return n
}

func distinctCall(name string, arg expr.Expr) plan.AggregateCall {
	call := callOf(name, arg)
	call.Distinct = true
	return call
}

// joinedBy joins two scans by a column of r.
func joinedBy(r relation, kind plan.JoinKind, left, right plan.Node, key int) *plan.Join {
	n := &plan.Join{Kind: kind, Left: left, Right: right, LeftKeys: []expr.Expr{r.column(key)}, RightKeys: []expr.Expr{r.column(key)}}
	n.Columns = plan.JoinColumns(kind, left, right)
	return n
}

// outgrown are plans over r and a small part of it.
func outgrown(r, part relation) map[string]func() plan.Node {
	rng := rand.New(rand.NewPCG(8, 9))
	scan := func() plan.Node { return r.scan(rng, rng.IntN(2) == 0) }
	some := func() plan.Node { return part.scan(rng, false) }
	name, id := r.column(0), r.column(4)
	sets := func() plan.Node {
		n := grouped(r, scan(), []int{0, 1}, callOf("count"), callOf("max", id))
		n.Sets = [][]int{{0, 1}, {1}, {}}
		return n
	}
	plans := map[string]func() plan.Node{
		"many groups":              func() plan.Node { return grouped(r, scan(), []int{0}, callOf("count"), callOf("min", r.column(1))) },
		"groups that grow":         func() plan.Node { return grouped(r, scan(), []int{0}, callOf("array_agg", id)) },
		"grouping sets":            sets,
		"distinct":                 func() plan.Node { return grouped(r, scan(), []int{0, 1}) },
		"distinct values":          func() plan.Node { return grouped(r, scan(), nil, distinctCall("count", name), callOf("sum", id)) },
		"distinct values by group": func() plan.Node { return grouped(r, scan(), []int{2}, distinctCall("count", name), callOf("count")) },
		"both": func() plan.Node {
			return grouped(r, scan(), []int{0}, distinctCall("sum", id), distinctCall("count", r.column(1)))
		},
		"a join of aggregates": func() plan.Node {
			return joinedBy(r, plan.InnerJoin, grouped(r, scan(), []int{0}, callOf("count")), grouped(r, scan(), []int{0}, callOf("max", id)), 0)
		},
		"cross join": func() plan.Node {
			n := &plan.Join{Kind: plan.CrossJoin, Left: part.scan(rng, false, less(part.column(4), integer(4))), Right: scan()}
			n.Columns = plan.JoinColumns(n.Kind, n.Left, n.Right)
			return n
		},
	}
	for kind, name := range map[plan.JoinKind]string{
		plan.InnerJoin: "inner", plan.LeftJoin: "left", plan.SemiJoin: "semi", plan.AntiJoin: "anti", plan.MarkJoin: "mark",
	} {
		plans[name+" join"] = func() plan.Node { return joinedBy(r, kind, scan(), scan(), 0) }
		plans[name+" join by a frequent key"] = func() plan.Node { return joinedBy(r, kind, some(), scan(), 1) }
		plans[name+" join by a frequent key with a condition"] = func() plan.Node {
			n := joinedBy(r, kind, some(), scan(), 1)
			right := r.column(4)
			right.Index += len(r.columns)
			n.Residual = equal(id, right)
			return n
		}
	}
	return plans
}

func TestOutgrownWithinTheLimit(t *testing.T) {
	r := skewed(6_000)
	part := relation{columns: r.columns, rows: r.rows[:4]}
	for name, plan := range outgrown(r, part) {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			want, err := execute(plan(), Options{Workers: 2})
			if err != nil {
				t.Fatal(err)
			}
			const limit = 200 << 10
			for _, workers := range []int{1, 2} {
				scratch, node := &memoryScratch{}, plan()
				s, err := Run(context.Background(), node, Options{Workers: workers, BatchRows: 256, Memory: limit, Scratch: scratch})
				if err != nil {
					t.Fatal(err)
				}
				var got []row
				err = drain(s.operator(), func(b vec.Batch) error {
					for i := range b.Len {
						cells := row{}
						for c, col := range b.Cols {
							cells = append(cells, cell(node.Schema()[c].Type, col, i))
						}
						got = append(got, cells)
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				same(t, got, want, false)
				m := s.Metrics()[node]
				if scratch.made == 0 {
					t.Error("nothing went to disk")
				}
				if m.Memory > limit*5/4 {
					t.Errorf("%d bytes were held at a time", m.Memory)
				}
				s.Close()
				scratch.done(t)
			}
		})
	}
}

// Every type that can be a key: dictionaries, NULL, NaN, both zeros, nested values, maps in any order, instants in several zones.
func TestOutgrownByEveryType(t *testing.T) {
	const n = 60
	rng := rand.New(rand.NewPCG(4, 4))
	r := relation{}
	var columns []source.Column
	scan := &plan.Scan{Limit: -1}
	var batches []vec.Batch
	for i, typ := range append(slices.Clone(keyTypes), sqltype.BigIntType) {
		name := fmt.Sprint("c", i)
		columns = append(columns, source.Column{Name: name, Type: typ})
		r.columns = append(r.columns, plan.Column{Name: name, Type: typ})
		scan.Paths = append(scan.Paths, source.Path{Column: i})
	}
	scan.Columns = r.columns
	for part := range 3 {
		b := vec.Batch{Len: n / 3}
		for i, c := range columns {
			builder := array.NewBuilder(memory.DefaultAllocator, c.Type.Arrow())
			for row := range b.Len {
				if i == len(keyTypes) {
					builder.(*array.Int64Builder).Append(int64(part*b.Len + row))
				} else {
					appendRandom(rng, builder)
				}
			}
			b.Cols = append(b.Cols, builder.NewArray())
		}
		batches = append(batches, b)
	}
	scan.Table = source.NewMemory("types", columns, batches)
	id := r.column(len(keyTypes))
	for i, typ := range keyTypes {
		t.Run(typ.String(), func(t *testing.T) {
			// of equal keys any may be shown, so only the rest of the rows is compared
			pairs := joinedBy(r, plan.InnerJoin, scan, scan, i)
			pairs.NullSafe = []bool{true}
			ids := &plan.Project{Input: pairs, Exprs: []expr.Expr{id, &expr.Column{Index: 2*len(columns) - 1, T: id.T}}}
			ids.Columns = []plan.Column{{Type: id.T}, {Type: id.T}}
			groups := &plan.Project{Input: grouped(r, scan, []int{i}, callOf("min", id), callOf("max", id), callOf("count"))}
			for c := range 3 {
				groups.Exprs = append(groups.Exprs, &expr.Column{Index: 1 + c, T: id.T})
				groups.Columns = append(groups.Columns, plan.Column{Type: id.T})
			}
			values := grouped(r, scan, nil, distinctCall("count", r.column(i)))
			for _, node := range []plan.Node{ids, groups, values} {
				want, err := execute(node, Options{Workers: 1})
				if err != nil {
					t.Fatal(err)
				}
				got, err := execute(node, Options{Workers: 2, BatchRows: 8, Scratch: &memoryScratch{}, SpillAlways: true})
				if err != nil {
					t.Fatal(err)
				}
				same(t, got, want, false)
			}
		})
	}
}

// Whatever operation of the disk fails, the query ends with an error that says so, all files are closed and no goroutine is left; likewise
// where the query is cancelled during the operation.
func TestOutgrownFaults(t *testing.T) {
	r := skewed(40)
	part := relation{columns: r.columns, rows: r.rows[:5]}
	broken := errors.New("the disk is on fire")
	for name, plan := range outgrown(r, part) {
		for _, operation := range []string{"Create", "Write", "ReadAt"} {
			for _, cancels := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s %s cancels=%v", name, operation, cancels), func(t *testing.T) {
					noLeaks(t)
					for at := 0; ; at = 2*at + 1 {
						ctx, cancel := context.WithCancel(context.Background())
						scratch, reached := &memoryScratch{}, false
						scratch.fail = func(op string, number int) error {
							if op != operation || number != at {
								return nil
							}
							reached = true
							if cancels {
								cancel()
								return nil
							}
							return broken
						}
						s, err := Run(ctx, plan(), Options{Workers: 2, BatchRows: 16, Scratch: scratch, SpillAlways: true})
						if err != nil {
							t.Fatal(err)
						}
						err = drain(s.operator(), func(vec.Batch) error { return nil })
						s.Close()
						scratch.done(t)
						cancel()
						if !reached {
							if err != nil {
								t.Errorf("without a fault: %v", err)
							}
							break
						}
						var e *sqlerr.Error
						switch {
						case cancels && err == nil: // it was done already
						case !errors.As(err, &e), cancels != (e.Kind == sqlerr.Cancelled), !cancels && !errors.Is(err, broken):
							t.Errorf("operation %d: %v", at, err)
						}
					}
				})
			}
		}
	}
}

// operator is a stream as tests drain it.
func (s *Stream) operator() operator { return streamOperator{s} }

type streamOperator struct{ *Stream }

func (o streamOperator) next() (vec.Batch, error) { return o.Next() }
func (o streamOperator) close()                   { o.Close() }
